//! How a command ended, in the words of judging and of evidence.

use exec::run::{NotStarted, Outcome as Ended};
use model::{
    code::Code,
    digest::Digest,
    proof::{
        evidence::CommandRecord,
        judge::{CommandEnd, CommandResult, ResultsRead},
    },
};

use super::{
    runners::PlannedCommand,
    state::{CommandInput, CommandOutput},
};

/// What an end of a process is to judging.
pub fn end_of(outcome: &Ended, planned: &PlannedCommand) -> CommandEnd {
    let program = planned.argv.first().cloned().unwrap_or_default();
    match outcome {
        Ended::Exited { code } => CommandEnd::Exited { code: *code },
        Ended::Signaled { signal } => CommandEnd::Killed { signal: Some(*signal), by: format!("signal {signal}") },
        Ended::TimedOut { .. } => CommandEnd::TimedOut { limit_s: planned.timeout_s },
        Ended::LimitReached { limit } => {
            CommandEnd::Killed { signal: None, by: format!("the {} limit", limit.name().replace('_', " ")) }
        }
        Ended::Cancelled => CommandEnd::Cancelled,
        Ended::OutputCap { limit } => {
            CommandEnd::Killed { signal: None, by: format!("output over {} MiB", limit >> 20) }
        }
        Ended::NotStarted { kind, message } => match kind {
            NotStarted::NotFound if program.contains('/') => CommandEnd::ToolMissing {
                hint: "there is no such file in the repository; add it, or correct the gate's argv in proofhouse.toml"
                    .to_owned(),
                program,
            },
            NotStarted::NotFound => CommandEnd::ToolMissing {
                hint: format!("install `{program}`, or correct the gate's argv in proofhouse.toml"),
                program,
            },
            NotStarted::NotExecutable => {
                CommandEnd::ToolMissing { hint: format!("make it executable: chmod +x {program}"), program }
            }
            NotStarted::Refused => CommandEnd::SandboxRefused { rule: message.clone() },
            NotStarted::NoFolder => CommandEnd::Environment { message: message.clone() },
            NotStarted::Other => CommandEnd::Internal { code: Code::Internal.to_string() },
        },
    }
}

/// The output of a command that was never started.
pub fn not_run(input: &CommandInput, attempt: u32, end: CommandEnd) -> CommandOutput {
    let planned = &input.planned;
    CommandOutput {
        result: CommandResult {
            runner: planned.runner.clone(),
            end,
            parser: planned.parser.kind,
            results: ResultsRead::None,
            exits: planned.exits.clone(),
        },
        record: blank(input, attempt),
        sandbox: None,
        killed_leftovers: 0,
    }
}

/// A record of which nothing is known yet.
pub fn blank(input: &CommandInput, attempt: u32) -> CommandRecord {
    let planned = &input.planned;
    CommandRecord {
        digest: input.digest,
        argv: planned.argv.clone(),
        cwd: planned.cwd.clone(),
        runner: planned.runner.clone(),
        runner_version: None,
        env_digest: Digest::of(b""),
        timeout_s: planned.timeout_s,
        attempt,
        exit_code: None,
        signal: None,
        started_at: None,
        duration_ms: 0,
        output: None,
        results: None,
        artifacts: Vec::new(),
    }
}
