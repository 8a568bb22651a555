//! From how commands ended to what one obligation is worth.
//!
//! Total and pure: every end of a process, every state of its results and every kind of rule has an
//! answer here, and the same input always has the same one. The exit code and the results are both
//! read, and the worse one counts; a named test is met by equality of names alone.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use super::exits::Exits;
use super::{
    requirement::{Rule, RuleHow, RuleId},
    results::{Case, CaseCounts, CaseOutcome, ParsedResults, ParserKind, ResultsFault, ResultsProblem},
    verdict::{Outcome, Reason, Verdict},
};

/// The most cases kept with one obligation's evidence.
pub const CASES_KEPT: usize = 500;

/// How a command ended. `exited` is the only end that has an exit code; none is ever invented (X4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum CommandEnd {
    /// The process ended by itself.
    Exited {
        /// With this code.
        code: i32,
    },
    /// A signal or a limit of the machine ended it.
    Killed {
        /// The signal, where known.
        signal: Option<i32>,
        /// What did it, in words: `memory limit of 2 GiB`, `output over 256 MiB`.
        by: String,
    },
    /// The gate's time limit ended it.
    TimedOut {
        /// The limit.
        limit_s: u32,
    },
    /// Somebody cancelled the run.
    Cancelled,
    /// The program was not found or is not executable.
    ToolMissing {
        /// The program.
        program: String,
        /// How to get it.
        hint: String,
    },
    /// The policy or the sandbox refused the process.
    SandboxRefused {
        /// The rule that did.
        rule: String,
    },
    /// The preparation of the command refused it.
    Refused {
        /// Its code.
        code: String,
        /// What to do.
        message: String,
    },
    /// The surroundings were not fit: a missing lock file, a failed set-up.
    Environment {
        /// What was missing.
        message: String,
    },
    /// The ledger refused the reservation.
    Budget,
    /// The files changed before it started.
    TreeMoved,
    /// Every attempt lost its worker.
    WorkerLost,
    /// There was no space to keep what it said.
    DiskFull,
    /// The plane itself failed.
    Internal {
        /// The code that the log has more about.
        code: String,
    },
}

/// What was read after the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ResultsRead {
    /// The exit code is all there is, or the command never ran.
    None,
    /// They were read.
    Read {
        /// What they say.
        results: ParsedResults,
    },
    /// They were expected and could not be read.
    Unreadable {
        /// Why.
        problem: ResultsProblem,
    },
}

/// One command, as far as judging needs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandResult {
    /// What people call it: the runner's name.
    pub runner: String,
    /// How it ended.
    pub end: CommandEnd,
    /// How its results are read.
    pub parser: ParserKind,
    /// What was read.
    pub results: ResultsRead,
    /// What its exit codes mean.
    pub exits: Exits,
}

/// Why nothing was planned for a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Unplanned {
    /// `no_runner`, `cannot_select`, ...
    pub reason: Reason,
    /// What to do about it.
    pub message: String,
}

/// A rule with the commands that were run for it.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleRun<'a> {
    /// The rule.
    pub rule: &'a Rule,
    /// Its commands, or why there are none.
    pub commands: Result<Vec<&'a CommandResult>, Unplanned>,
}

/// What one rule is worth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RuleJudgement {
    /// The rule.
    pub rule: RuleId,
    /// Its outcome, also when it is only shown.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Whether it counts.
    pub must_pass: bool,
    /// How its cases ended.
    pub counts: CaseCounts,
    /// One sentence for people; never empty.
    pub message: String,
}

/// What one obligation is worth.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// The worst of the rules that must pass.
    pub outcome: Outcome,
    /// Every rule, judged or only shown.
    pub rules: Vec<RuleJudgement>,
    /// The cases of the rules, bad ones first, at most [`CASES_KEPT`].
    pub cases: Vec<Case>,
    /// One sentence for people; never empty.
    pub message: String,
}

/// Judges one obligation. Rules with `must_pass = false` are shown and never counted; an obligation
/// in which nothing counts is `unproven / no_runner`, never passed.
pub fn judge(rules: &[RuleRun<'_>]) -> Judgement {
    let mut cases: Vec<Case> = Vec::new();
    let mut judged = Vec::with_capacity(rules.len());
    for run in rules {
        let ended = match &run.commands {
            Err(unplanned) => Ended::of(unplanned.reason, unplanned.message.clone()),
            Ok(commands) if commands.is_empty() => {
                Ended::of(Reason::NoRunner, "no command was planned for this rule".to_owned())
            }
            Ok(commands) => match (run.rule.how, run.rule.test.as_deref()) {
                (RuleHow::Test, Some(name)) => named(name, commands),
                (RuleHow::Test, None) => Ended::of(Reason::CannotSelect, "the rule names no test".to_owned()),
                (RuleHow::Suite, _) => suite(commands),
                (RuleHow::Review, _) => Ended::of(Reason::ReviewPending, "a person has to look".to_owned()),
            },
        };
        cases.extend(ended.cases);
        judged.push(RuleJudgement {
            rule: run.rule.id.clone(),
            outcome: ended.outcome,
            must_pass: run.rule.must_pass,
            counts: ended.counts,
            message: ended.message,
        });
    }
    cases.sort_by_key(|case| match case.outcome {
        CaseOutcome::Failed | CaseOutcome::Error => 0,
        CaseOutcome::Skipped => 1,
        CaseOutcome::Passed => 2,
    });
    cases.truncate(CASES_KEPT);

    let outcome = Outcome::worst(judged.iter().filter(|rule| rule.must_pass).map(|rule| rule.outcome))
        .unwrap_or(Outcome::because(Reason::NoRunner));
    let message = judged
        .iter()
        .find(|rule| rule.must_pass && rule.outcome == outcome)
        .map_or_else(|| "the obligation has no rule that must pass".to_owned(), |rule| rule.message.clone());
    Judgement { outcome, rules: judged, cases, message }
}

/// How one rule, or one command of it, ended.
struct Ended {
    outcome: Outcome,
    counts: CaseCounts,
    cases: Vec<Case>,
    message: String,
}

impl Ended {
    fn of(reason: Reason, message: String) -> Self {
        Self { outcome: reason.into(), counts: CaseCounts::default(), cases: Vec::new(), message }
    }

    fn with_cases<'a>(mut self, cases: impl IntoIterator<Item = &'a Case>) -> Self {
        for case in cases {
            self.counts.add(case.outcome);
            if self.cases.len() < CASES_KEPT || case.outcome != CaseOutcome::Passed {
                self.cases.push(case.clone());
            }
        }
        self
    }

    fn outcome(outcome: Outcome, message: impl Into<String>) -> Self {
        Self { outcome, counts: CaseCounts::default(), cases: Vec::new(), message: message.into() }
    }
}

/// Ends that give no exit code answer alone, whatever was written before them.
fn without_exit(end: &CommandEnd) -> Result<i32, Ended> {
    let (reason, message) = match end {
        CommandEnd::Exited { code } => return Ok(*code),
        CommandEnd::Killed { signal: Some(signal), by } => (Reason::Killed, format!("killed by signal {signal}: {by}")),
        CommandEnd::Killed { signal: None, by } => (Reason::Killed, format!("killed: {by}")),
        CommandEnd::TimedOut { limit_s } => (Reason::Timeout, format!("reached the limit of {limit_s} s")),
        CommandEnd::Cancelled => (Reason::Cancelled, "cancelled".to_owned()),
        CommandEnd::ToolMissing { program, hint } => {
            (Reason::RunnerMissing, format!("{program} could not be started: {hint}"))
        }
        CommandEnd::SandboxRefused { rule } => (Reason::SandboxRefused, format!("refused by {rule}")),
        CommandEnd::Refused { code, message } => (Reason::Refused, format!("{code}: {message}")),
        CommandEnd::Environment { message } => (Reason::Environment, message.clone()),
        CommandEnd::Budget => (Reason::Budget, "the budget does not allow this command".to_owned()),
        CommandEnd::TreeMoved => (Reason::TreeMoved, "the files changed before it started".to_owned()),
        CommandEnd::WorkerLost => (Reason::WorkerLost, "every attempt lost its worker".to_owned()),
        CommandEnd::DiskFull => (Reason::DiskFull, "no space was left to keep what it said".to_owned()),
        CommandEnd::Internal { code } => (Reason::InternalError, format!("the plane failed ({code})")),
    };
    Err(Ended::of(reason, message))
}

/// P43: the tool says by its exit code that it did not work. A test that failed before is no less failed.
fn broken(command: &CommandResult, code: i32) -> Option<Ended> {
    let failed = matches!(&command.results, ResultsRead::Read { results } if results.counts.failed > 0);
    (command.exits.broken.contains(&code) && !failed)
        .then(|| Ended::of(Reason::RunnerError, format!("exit code {code}: the tool reports an error of its own")))
}

/// The exit code as the one case (`exit`, and a named test that is its own command).
fn by_exit(command: &CommandResult, code: i32) -> Ended {
    if command.exits.passes(code) {
        Ended::outcome(Outcome::PASSED, format!("exit code {code}"))
    } else if command.exits.unproven.contains(&code) {
        Ended::of(Reason::Skipped, format!("exit code {code} says that nothing was checked"))
    } else {
        Ended::of(Reason::ExitCode, format!("exit code {code}"))
    }
}

/// The results of a command that exited, or what their absence is worth (P45).
fn readable(command: &CommandResult, code: i32) -> Result<&ParsedResults, Ended> {
    let (reason, message) = match &command.results {
        ResultsRead::Read { results } => return Ok(results),
        ResultsRead::None => (Reason::ResultsMissing, "no results were read".to_owned()),
        ResultsRead::Unreadable { problem } => {
            let reason = if problem.is_missing() { Reason::ResultsMissing } else { Reason::ResultsInvalid };
            (reason, problem.to_string())
        }
    };
    Err(if command.exits.passes(code) {
        Ended::of(reason, message)
    } else {
        Ended::of(Reason::ExitCode, format!("exit code {code}; {message}"))
    })
}

enum Look {
    /// The test is there and this is what it is worth.
    Found(Ended),
    /// The tool looked and it is not there.
    Absent,
    /// The tool did not get as far as an answer.
    Unanswered(Ended),
}

/// A named test over all commands that looked for it: every test that carries the name must pass.
fn named(name: &str, commands: &[&CommandResult]) -> Ended {
    let mut found: Option<Ended> = None;
    let mut unanswered: Option<Ended> = None;
    for command in commands {
        let (slot, ended) = match look(name, command) {
            Look::Absent => continue,
            Look::Found(ended) => (&mut found, ended),
            Look::Unanswered(ended) => (&mut unanswered, ended),
        };
        *slot = Some(match slot.take() {
            Some(before) => join(before, ended),
            None => ended,
        });
    }
    match (found, unanswered) {
        // Another test of that name may hide where nobody could look.
        (Some(found), Some(unanswered)) => join(found, unanswered),
        (Some(only), None) | (None, Some(only)) => only,
        (None, None) => Ended::of(Reason::TestMissing, format!("no test is called {name:?}")),
    }
}

fn join(mut a: Ended, b: Ended) -> Ended {
    if b.outcome.verdict() > a.outcome.verdict() {
        a.outcome = b.outcome;
        a.message = b.message;
    }
    a.counts.passed += b.counts.passed;
    a.counts.failed += b.counts.failed;
    a.counts.error += b.counts.error;
    a.counts.skipped += b.counts.skipped;
    a.cases.extend(b.cases);
    a
}

fn look(name: &str, command: &CommandResult) -> Look {
    let code = match without_exit(&command.end) {
        Ok(code) => code,
        Err(ended) => return Look::Unanswered(ended),
    };
    if let Some(ended) = broken(command, code) {
        return Look::Unanswered(ended);
    }
    if !command.parser.lists_tests() {
        // Only planned for a named test when the command itself is that test (`{test}` in argv).
        let ended = by_exit(command, code);
        let outcome = case_outcome(ended.outcome);
        return Look::Found(ended.with_cases([&Case::new(name, outcome)]));
    }
    let results = match readable(command, code) {
        Ok(results) => results,
        Err(ended) => return Look::Unanswered(ended),
    };
    let own: Vec<&Case> = results.cases.iter().filter(|case| case.is_called(name)).collect();
    if own.is_empty() {
        return match &results.fault {
            Some(fault) => Look::Unanswered(faulty(fault, command, code)),
            None => Look::Absent,
        };
    }
    let bad = own.iter().find(|case| matches!(case.outcome, CaseOutcome::Failed | CaseOutcome::Error));
    let ended = if let Some(bad) = bad {
        Ended::of(Reason::TestFailed, said(bad))
    } else if let Some(fault) = results.fault.as_ref().filter(|fault| spoils_named(fault)) {
        faulty(fault, command, code)
    } else if own.iter().any(|case| case.outcome == CaseOutcome::Skipped) {
        Ended::of(Reason::Skipped, format!("{name} was skipped"))
    } else if command.exits.explains_itself(code) || results.counts.bad() > 0 || results.fault.is_some() {
        // Other tests of the same command may have failed: that is theirs to answer for (P40).
        Ended::outcome(Outcome::PASSED, format!("{name} passed"))
    } else {
        mismatch(code, results)
    };
    Look::Found(ended.with_cases(own))
}

/// Whether what the results say against themselves also speaks against a test that passed in them.
fn spoils_named(fault: &ResultsFault) -> bool {
    match fault {
        ResultsFault::PlanMissing
        | ResultsFault::PlanNotMet { .. }
        | ResultsFault::BailOut { .. }
        | ResultsFault::Tool { .. } => true,
        ResultsFault::Collection { .. } | ResultsFault::OutputCut => false,
    }
}

fn faulty(fault: &ResultsFault, command: &CommandResult, code: i32) -> Ended {
    let (reason, message) = match fault {
        ResultsFault::PlanMissing => (Reason::ResultMismatch, "the results have no plan".to_owned()),
        ResultsFault::PlanNotMet { planned, seen } => {
            (Reason::ResultMismatch, format!("{planned} tests were announced and {seen} came"))
        }
        ResultsFault::BailOut { text } => (Reason::TestFailed, format!("the tests bailed out: {text}")),
        ResultsFault::Collection { text } => {
            (Reason::CollectionError, format!("the tests could not be built or collected: {text}"))
        }
        ResultsFault::Tool { text } => (Reason::RunnerError, format!("the tool reports an error of its own: {text}")),
        // P45: what cannot be read is worth what the exit code says.
        ResultsFault::OutputCut if !command.exits.passes(code) => {
            (Reason::ExitCode, format!("exit code {code}; the output was cut before it could be read"))
        }
        ResultsFault::OutputCut => (Reason::ResultsInvalid, "the output was cut before it could be read".to_owned()),
    };
    Ended::of(reason, message)
}

/// A suite over all its commands: each must hold.
fn suite(commands: &[&CommandResult]) -> Ended {
    commands
        .iter()
        .map(|command| suite_of(command))
        .reduce(join)
        .unwrap_or_else(|| Ended::of(Reason::NoRunner, "no command was planned for this suite".to_owned()))
}

fn suite_of(command: &CommandResult) -> Ended {
    let code = match without_exit(&command.end) {
        Ok(code) => code,
        Err(ended) => return ended,
    };
    if let Some(ended) = broken(command, code) {
        return ended;
    }
    let itself = |ended: Ended| {
        let outcome = case_outcome(ended.outcome);
        let message = ended.message.clone();
        ended.with_cases([&Case::new(command.runner.as_str(), outcome).saying(&message)])
    };
    if command.parser == ParserKind::Exit {
        return itself(by_exit(command, code));
    }
    let results = match readable(command, code) {
        Ok(results) => results,
        Err(ended) => return ended,
    };
    if command.parser == ParserKind::Sarif {
        return itself(scan(command, code, results));
    }
    let counts = results.counts;
    let ended = if counts.bad() > 0 {
        let first = results.cases.iter().find(|c| matches!(c.outcome, CaseOutcome::Failed | CaseOutcome::Error));
        let first = first.map_or(String::new(), |case| format!("; first: {}", said(case)));
        let collected = matches!(results.fault, Some(ResultsFault::Collection { .. })) && counts.failed == 0;
        let reason = if collected { Reason::CollectionError } else { Reason::TestFailed };
        Ended::of(reason, format!("{} of {} cases failed{first}", counts.bad(), counts.total()))
    } else if let Some(fault) = &results.fault {
        faulty(fault, command, code)
    } else if counts.total() == 0 {
        // Also a code of the tool's own for "nothing was collected", where it is listed in `ok`.
        if command.exits.explains_itself(code) || command.exits.unproven.contains(&code) {
            Ended::of(Reason::NoTests, "the suite holds no test".to_owned())
        } else {
            Ended::of(Reason::ExitCode, format!("exit code {code} and no test"))
        }
    } else if command.exits.unproven.contains(&code) {
        Ended::of(Reason::Skipped, format!("exit code {code} says that nothing was checked"))
    } else if !command.exits.explains_itself(code) {
        mismatch(code, results)
    } else if counts.passed == 0 {
        Ended::of(Reason::Skipped, format!("all {} cases were skipped", counts.skipped))
    } else {
        let skipped = if counts.skipped > 0 { format!(", {} skipped", counts.skipped) } else { String::new() };
        Ended::outcome(Outcome::PASSED, format!("{} passed{skipped}", counts.passed))
    };
    Ended { counts, ..ended.with_cases(&results.cases) }
}

fn scan(command: &CommandResult, code: i32, results: &ParsedResults) -> Ended {
    if let Some(fault) = &results.fault {
        faulty(fault, command, code)
    } else if results.judged_findings > 0 {
        Ended::of(Reason::Findings, format!("{} findings", results.judged_findings))
    } else if command.exits.unproven.contains(&code) {
        Ended::of(Reason::Skipped, format!("exit code {code} says that nothing was checked"))
    } else if command.exits.explains_itself(code) {
        Ended::outcome(Outcome::PASSED, "no finding at the level that counts")
    } else {
        Ended::of(Reason::ResultMismatch, format!("exit code {code} and no finding"))
    }
}

fn mismatch(code: i32, results: &ParsedResults) -> Ended {
    let message = format!("exit code {code}, yet none of {} cases failed", results.counts.total());
    Ended::of(Reason::ResultMismatch, message)
}

fn said(case: &Case) -> String {
    match case.message.as_deref().and_then(super::results::headline) {
        Some(line) => format!("{}: {}", case.name, super::results::cut(line, 300)),
        None => case.name.clone(),
    }
}

fn case_outcome(outcome: Outcome) -> CaseOutcome {
    match outcome.verdict() {
        Verdict::Passed => CaseOutcome::Passed,
        Verdict::Failed => CaseOutcome::Failed,
        Verdict::Unproven => CaseOutcome::Skipped,
    }
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
