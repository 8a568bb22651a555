//! Starting programs for the model: behind the session's fence, with an environment that holds no key, for a bounded
//! time, and with output that is cut to what a model can use (S42).

use std::{path::PathBuf, sync::Arc, time::Duration};

use exec::{
    environment::{Environment, EnvironmentPlan, Told, child_environment, secrets_in},
    redact::Redactor,
    run::{CapturePlan, Command, NotStarted as Absent, Outcome, Stderr, run},
    sandbox::{Files, SandboxPlan, SandboxReport},
};
use model::agent::fold::NotStarted;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{files::number, look::walk, unfenced};
use crate::session::{Checks, Mode, Session};

/// How long a program may take where nothing is said, and at most.
const TIME: (u64, u64) = (300, 3_600);
/// Of each of its outputs, for the model: as much from the start and from the end.
const SHOWN: usize = 16 << 10;
/// Of each of its outputs, kept.
const KEPT: u64 = 4 << 20;
/// How much it may print before it is ended.
const KILL: u64 = 256 << 20;
/// Words of a command, and bytes of all of them.
const WORDS: (usize, usize) = (1_000, 100 << 10);
/// How long git may take.
const GIT: Duration = Duration::from_secs(60);

/// What starts programs.
pub(super) struct Shell {
    cwd: PathBuf,
    out: PathBuf,
    environment: Environment,
    sandbox: SandboxPlan,
    redactor: Arc<Redactor>,
    report: SandboxReport,
    is_trusted: bool,
}

/// What came of a program.
pub(super) struct Ran {
    /// For the model.
    pub(super) text: String,
    /// It ended with 0.
    pub(super) is_good: bool,
    /// All that is kept of it.
    pub(super) kept: Value,
}

impl Shell {
    /// Makes folders, environment and fence ready, and looks what of the fence can be had here.
    pub(super) async fn ready(session: &Session) -> Result<Self, (NotStarted, String)> {
        let out = session.tmp.join("run");
        for folder in [&session.home, &session.tmp, &out] {
            std::fs::create_dir_all(folder)
                .map_err(|error| (NotStarted::Other, format!("failed to make {}: {error}", folder.display())))?;
        }
        let mut told =
            vec![(Told::Worktree, session.cwd.display().to_string()), (Told::Mode, session.mode.name().to_owned())];
        told.extend(session.run.map(|run| (Told::Run, run.to_string())));
        let mut environment = child_environment(&EnvironmentPlan {
            parent: &session.environment,
            extra: &session.agent.env,
            home: &session.home,
            tmp: &session.tmp,
            worktree: Some(&session.cwd),
            is_gate: false,
            told: &told,
        });
        for (name, value) in &session.env {
            environment.set(name, value);
        }
        let mut sandbox = session.sandbox.clone();
        sandbox.required |= session.checks == Checks::SandboxOnly;
        if let Some(files) = &mut sandbox.files {
            if session.mode == Mode::ReadOnly {
                files.writable.retain(|path| !path.starts_with(&session.cwd) && !session.cwd.starts_with(path));
                files.readable.push(session.cwd.clone());
            }
            files.writable.extend([session.home.clone(), session.tmp.clone()]);
            files.readable.extend(session.context_file.iter().cloned());
        }
        let all = secrets_in(environment.variables()).into_iter().chain(secrets_in(&session.environment));
        let redactor = Arc::new(Redactor::new(all.chain(session.secrets.iter().cloned())));
        let mut shell = Self {
            cwd: session.cwd.clone(),
            out,
            environment,
            sandbox,
            redactor,
            report: unfenced(),
            is_trusted: session.checks == Checks::SandboxOnly,
        };
        let probe = Command { timeout: GIT, ..shell.command(vec!["true".to_owned()]) };
        let end = run(probe).await;
        match end.outcome {
            Outcome::NotStarted { kind: Absent::Refused, message } => return Err((NotStarted::Refused, message)),
            // Without the program one knows nothing, and says no more than that.
            Outcome::NotStarted { .. } => {}
            _ => shell.report = end.sandbox,
        }
        Ok(shell)
    }

    /// How what it starts is confined, in truth.
    pub(super) const fn report(&self) -> &SandboxReport {
        &self.report
    }

    /// Whether a program needs somebody's yes: where no fence holds it (S76).
    pub(super) fn must_ask(&self) -> bool {
        self.report.files != Files::Enforced && !self.is_trusted
    }

    fn command(&self, argv: Vec<String>) -> Command {
        Command {
            env: self.environment.variables().clone(),
            sandbox: self.sandbox.clone(),
            redactor: Arc::clone(&self.redactor),
            ..exec::run::Command::new(argv, self.cwd.clone())
        }
    }

    /// Runs what a call asks for.
    pub(super) async fn run(&self, input: &Value, halt: &CancellationToken) -> Result<Ran, String> {
        let words = input.get("argv").and_then(Value::as_array).ok_or("argv is missing, or is no list")?;
        let argv: Vec<String> = words
            .iter()
            .map(|word| word.as_str().map(str::to_owned).ok_or("argv is a list of texts"))
            .collect::<Result<_, _>>()?;
        if argv.first().is_none_or(String::is_empty) {
            return Err("argv names no program".to_owned());
        }
        if argv.len() > WORDS.0 || argv.iter().map(String::len).sum::<usize>() > WORDS.1 {
            return Err("argv is too long".to_owned());
        }
        if argv.iter().any(|word| word.contains('\0')) {
            return Err("argv holds what no program can be given".to_owned());
        }
        let timeout = number(input, "timeout_s", TIME.0)?.clamp(1, TIME.1);
        let plan = |name: &str| CapturePlan::File {
            path: self.out.join(name),
            head: KEPT / 2,
            tail: KEPT / 2,
            kill_past: KILL,
        };
        let end = run(Command {
            timeout: Duration::from_secs(timeout),
            capture: plan("stdout"),
            stderr: Stderr::Apart(plan("stderr")),
            cancel: halt.clone(),
            ..self.command(argv)
        })
        .await;
        let read = |name: &str| {
            let bytes = std::fs::read(self.out.join(name)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let how = match &end.outcome {
            Outcome::Exited { code } => format!("exit code {code}"),
            Outcome::Signaled { signal } => format!("ended by signal {signal}"),
            Outcome::TimedOut { limit } => format!("ended, with all it started, after {} s", limit.as_secs()),
            Outcome::LimitReached { limit } => format!("ended: it used too much {}", limit.name()),
            Outcome::Cancelled => "stopped".to_owned(),
            Outcome::OutputCap { .. } => "ended: it printed too much".to_owned(),
            Outcome::NotStarted { message, .. } => return Err(format!("not started: {message}")),
        };
        let (stdout, stderr) = (read("stdout"), read("stderr"));
        let mut text = how.clone();
        for (name, said) in [("stdout", &stdout), ("stderr", &stderr)] {
            if !said.is_empty() {
                text.push_str(&format!("\n--- {name}\n{}", shown(said)));
            }
        }
        let kept = json!({"end": how, "stdout": stdout, "stderr": stderr});
        Ok(Ran { text, is_good: end.outcome == Outcome::Exited { code: 0 }, kept })
    }

    /// The files of the worktree that git does not ignore; of a folder without git, all.
    pub(super) async fn paths(&self, halt: &CancellationToken) -> Vec<String> {
        let listed = self.git(&["ls-files", "--cached", "--others", "--exclude-standard", "-z"], halt).await;
        let Ok(listed) = listed else {
            let root = self.cwd.clone();
            return tokio::task::spawn_blocking(move || walk(&root)).await.unwrap_or_default();
        };
        let mut paths: Vec<String> = listed.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect();
        paths.sort();
        paths.dedup();
        paths
    }

    /// What changed since the commit the worktree began with, and the files that are new.
    pub(super) async fn diff(&self, halt: &CancellationToken) -> Result<String, String> {
        let changed = self.git(&["diff", "--no-color", "--no-ext-diff", "--no-textconv", "HEAD"], halt).await?;
        let new = self.git(&["ls-files", "--others", "--exclude-standard"], halt).await?;
        Ok(match (changed.is_empty(), new.is_empty()) {
            (true, true) => "nothing has changed".to_owned(),
            (_, true) => shown(&changed),
            _ => format!("{}\nnew files:\n{}", shown(&changed), shown(&new)),
        })
    }

    async fn git(&self, words: &[&str], halt: &CancellationToken) -> Result<String, String> {
        let argv = ["git", "--no-pager", "--no-optional-locks", "-c", "core.fsmonitor=false"].iter().chain(words);
        let end = run(Command {
            timeout: GIT,
            capture: CapturePlan::Memory { max: 32 << 20 },
            stderr: Stderr::Apart(CapturePlan::Memory { max: 1 << 20 }),
            cancel: halt.clone(),
            ..self.command(argv.map(|word| (*word).to_owned()).collect())
        })
        .await;
        match end.outcome {
            Outcome::Exited { code: 0 } => Ok(end.output.text().into_owned()),
            other => Err(format!("git did not answer: {other:?}")),
        }
    }
}

/// As much of a text as a model is shown: its start and its end.
pub(super) fn shown(text: &str) -> String {
    if text.len() <= 2 * SHOWN {
        return text.to_owned();
    }
    let head = text.floor_char_boundary(SHOWN);
    let tail = text.ceil_char_boundary(text.len() - SHOWN);
    format!("{}\n[{} bytes are left out here]\n{}", &text[..head], tail - head, &text[tail..])
}

#[cfg(test)]
mod tests {
    use super::*;

    // S42: the start and the end, cut between characters.
    #[test]
    fn long_output_is_cut_in_the_middle() {
        assert_eq!(shown("short"), "short");
        let text = format!("begin{}end", "é".repeat(40_000));
        let cut = shown(&text);
        assert!(cut.starts_with("begin") && cut.ends_with("end") && cut.contains("bytes are left out here"));
        assert!(cut.len() < 2 * SHOWN + 100);
    }
}
