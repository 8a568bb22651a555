//! Whether a command may be executed (L68): every program that its words would start is looked up,
//! the one it names and the ones behind a wrapper. What cannot be read off the words is refused.

use std::path::Path;

use super::{CommandRule, Decision, Policy, interpreter, read, wrapper};
use crate::proof::places::inside;

/// The answer about a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judged {
    /// It may be executed.
    Allowed,
    /// It may not.
    Refused {
        /// The rule that refused, for programs.
        rule: String,
        /// What is refused and what would allow it.
        message: String,
    },
}

/// The answer about a command where a person can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decided {
    /// It may be executed.
    Allow,
    /// A person decides, each time.
    Ask {
        /// What they are asked.
        message: String,
    },
    /// It may not be executed.
    Deny(Refusal),
}

/// Why a command is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// For programs.
    pub rule: &'static str,
    /// For people.
    pub message: String,
}

impl Refusal {
    pub(super) fn new(rule: &'static str, message: impl Into<String>) -> Self {
        Self { rule, message: message.into() }
    }
}

/// One program that a command starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Started<'w> {
    /// What it may be listed as, in the form of [`listed`]; any one will do.
    pub(super) names: Vec<String>,
    /// What it is given.
    pub(super) args: &'w [String],
    /// Whether a program is among its arguments.
    pub(super) inline: bool,
}

impl<'w> Started<'w> {
    pub(super) fn named(name: &str, args: &'w [String]) -> Self {
        Self { names: vec![name.to_owned()], args, inline: interpreter::is_inline(base(name), args) }
    }

    /// A Python that a wrapper brings, with a script or module as arguments.
    pub(super) fn python(args: &'w [String]) -> Self {
        Self { names: vec!["python".to_owned(), "python3".to_owned()], args, inline: false }
    }
}

impl Policy {
    /// Whether a prepared command may be executed, where nobody can be asked. `worktree` is the top
    /// of the repository and `cwd` the folder below it that the command starts in.
    pub fn judge_command(&self, argv: &[String], worktree: &Path, cwd: &str) -> Judged {
        match self.decide_command(argv, worktree, cwd) {
            Decided::Allow => Judged::Allowed,
            Decided::Ask { message } => Judged::Refused { rule: "command_needs_approval".to_owned(), message },
            Decided::Deny(refusal) => Judged::Refused { rule: refusal.rule.to_owned(), message: refusal.message },
        }
    }

    /// Whether a prepared command may be executed, or a person is to be asked first.
    pub fn decide_command(&self, argv: &[String], worktree: &Path, cwd: &str) -> Decided {
        let chain = match wrapper::chain(argv, worktree, cwd) {
            Ok(chain) => chain,
            Err(refusal) => return Decided::Deny(refusal),
        };
        let mut asks = None;
        for started in &chain {
            match self.decide(started) {
                Decided::Allow => {}
                ask @ Decided::Ask { .. } => asks = asks.or(Some(ask)),
                deny @ Decided::Deny(_) => return deny,
            }
        }
        asks.unwrap_or(Decided::Allow)
    }

    fn decide(&self, started: &Started<'_>) -> Decided {
        let deny = |rule, message| Decided::Deny(Refusal::new(rule, message));
        let name = shown(started.names.first().map_or("", String::as_str));
        let about: Vec<&CommandRule> =
            self.commands.iter().filter(|rule| started.names.contains(&listed(&rule.program))).collect();
        if about.is_empty() {
            return deny(
                "command_not_listed",
                format!("the policy does not list `{name}`: add it to `commands` to allow it"),
            );
        }
        let fitting: Vec<&&CommandRule> = about
            .iter()
            .filter(|rule| {
                rule.args.as_ref().is_none_or(|lists| lists.iter().any(|list| started.args.starts_with(list)))
            })
            .collect();
        if fitting.is_empty() {
            return deny("arguments_not_listed", format!("the policy allows `{name}`, but not with these arguments"));
        }
        if fitting.iter().any(|rule| rule.decision == Decision::Deny) {
            return deny("command_denied", format!("the policy denies `{name}`"));
        }
        if started.inline && !fitting.iter().any(|rule| rule.inline) {
            return deny(
                "inline_code",
                format!(
                    "`{name}` is given a program as an argument: put it into a file of the repository, or set `inline` in the rule for `{name}`"
                ),
            );
        }
        let ask = fitting.iter().any(|rule| rule.decision == Decision::Ask && (rule.inline || !started.inline));
        if ask {
            Decided::Ask { message: format!("the policy asks a person before `{name}` runs") }
        } else {
            Decided::Allow
        }
    }
}

/// The programs a command starts, as a policy would list them, as far as its words tell. For a
/// starter that allows the gates a project already declares.
pub fn programs_of(argv: &[String], worktree: &Path, cwd: &str) -> Vec<String> {
    let chain = wrapper::chain(argv, worktree, cwd).unwrap_or_else(|_| {
        // What is wrapped cannot be told; the wrapper itself can.
        argv.first()
            .and_then(|program| resolved(program, worktree, cwd).ok())
            .map(|name| Started::named(&name, &[]))
            .into_iter()
            .collect()
    });
    let names = chain.into_iter().filter_map(|started| started.names.into_iter().next());
    let mut programs: Vec<String> = names.filter(|name| read::program(name).is_ok()).collect();
    programs.sort();
    programs.dedup();
    programs
}

/// How a rule's program is compared: a bare name as it is, a path from the top with `./` before it.
pub(super) fn listed(program: &str) -> String {
    if program.contains('/') && !program.starts_with('@') {
        inside(program).map_or_else(|| program.to_owned(), |path| format!("./{path}"))
    } else {
        program.to_owned()
    }
}

/// The form in which the program of an argv would be listed.
pub(super) fn resolved(program: &str, worktree: &Path, cwd: &str) -> Result<String, Refusal> {
    let outside = || {
        Refusal::new(
            "program_outside",
            format!(
                "`{}` is named by a path outside the repository: name the program alone, so that it is found on the PATH",
                shown(base(program))
            ),
        )
    };
    if program.is_empty() || program.chars().any(char::is_control) {
        return Err(Refusal::new("command_empty", "the command names no program"));
    }
    if !program.contains('/') {
        return Ok(program.to_owned());
    }
    let path = match Path::new(program).is_absolute() {
        true => Path::new(program).strip_prefix(worktree).ok().and_then(Path::to_str).ok_or_else(outside)?.to_owned(),
        false => format!("{cwd}/{program}").trim_start_matches('/').to_owned(),
    };
    inside(&path).filter(|path| !path.is_empty()).map(|path| format!("./{path}")).ok_or_else(outside)
}

/// A program's name without its folder.
pub(super) fn base(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or(program)
}

/// A name for a message: short, and harmless to print.
pub(super) fn shown(name: &str) -> String {
    name.chars().take(80).map(|c| if c.is_control() || c == '`' { '?' } else { c }).collect()
}

#[cfg(test)]
#[path = "command_tests.rs"]
mod tests;
