//! What a dispatch run does next. Pure: the kind applies the commands in the transaction of their cause.

use std::time::Duration;

use model::{
    dispatch::{Apply, Report, Verdict, verdict},
    failure::{Failure, FailureCode},
    time::Timestamp,
};

/// What happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// What the agent is told is stored.
    Prepared(Result<(), &'a Failure>),
    /// The agent has handed in its result.
    AgentEnded(Result<(), &'a Failure>),
    /// The result was judged and applied.
    Applied(Result<&'a Report, &'a Failure>),
    /// A proof run was started, or could not be.
    ProofStarted(Result<(), &'a Failure>),
}

/// What the planner knows of the run.
#[derive(Debug, Clone, Copy)]
pub struct State {
    /// Somebody asked it to stop: nothing new begins, and nothing is applied (D36).
    pub cancelling: bool,
    /// Where files go.
    pub apply: Apply,
    /// Whether a proof run shall follow.
    pub prove: bool,
}

/// What to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Enter a phase.
    Enter(&'static str),
    /// Offer the task to workers that have the agent.
    OfferAgent,
    /// Apply what was handed in.
    Apply,
    /// Start a proof run of the commit.
    Prove,
    /// Say something that is worth a look.
    Warn(String),
    /// The run has done its work.
    Finish(Verdict),
    /// The run cannot do its work.
    Fail(Failure),
}

/// The commands that follow.
pub fn on(event: &Event<'_>, state: State, report: Option<&Report>) -> Vec<Command> {
    // A draining run is closed by the kernel; what it has produced stays as artifacts (D36).
    if state.cancelling {
        return Vec::new();
    }
    match event {
        Event::Prepared(Ok(())) => vec![Command::OfferAgent, Command::Enter("waiting_for_worker")],
        Event::AgentEnded(Ok(())) => vec![Command::Apply, Command::Enter("applying")],
        Event::Applied(Ok(report)) => {
            let verdict = verdict(&report.files);
            if state.prove && report.commit.is_some() {
                return vec![Command::Prove];
            }
            let mut commands = Vec::new();
            if state.prove {
                commands.push(Command::Warn("no proof run was started: there is no commit to prove".to_owned()));
            }
            commands.push(Command::Finish(verdict));
            commands
        }
        // The work is done, whatever became of the proof of it.
        Event::ProofStarted(started) => {
            let verdict = report.map_or(Verdict::NoChanges, |report| verdict(&report.files));
            match started {
                Ok(()) => vec![Command::Finish(verdict)],
                Err(failure) => vec![
                    Command::Warn(format!("no proof run was started: {}", failure.message)),
                    Command::Finish(verdict),
                ],
            }
        }
        Event::Prepared(Err(failure)) | Event::AgentEnded(Err(failure)) | Event::Applied(Err(failure)) => {
            vec![Command::Fail((*failure).clone())]
        }
    }
}

/// The first wait of an agent whose provider said wait and not how long, and the longest.
const WAIT: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(900));

/// When an agent that failed at this attempt is to be started again: what section 13 of page 20 marks with R. The
/// provider's own word on when counts; a protocol that was not understood is tried once more (X15).
pub fn again(failure: &Failure, attempt: u32, now: Timestamp) -> Option<Timestamp> {
    match failure.code {
        FailureCode::RateLimited => {
            let doubled = WAIT.0 * 2_u32.saturating_pow(attempt.saturating_sub(1).min(8));
            Some(failure.retry_at.unwrap_or_else(|| now.plus(doubled.min(WAIT.1))))
        }
        FailureCode::AgentProtocolError => (attempt <= 1).then_some(now),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use model::{
        change::{Action, FileRow, Reason},
        failure::FailureCode,
    };

    use super::*;

    // Section 13, R: what waits for a provider, and once what was not understood; nothing else (X15).
    #[test]
    fn what_is_tried_again_by_itself() {
        let now = Timestamp::from_micros(1_000_000_000);
        let seconds = |failure: &Failure, attempt| {
            again(failure, attempt, now).map(|at| (at.micros() - now.micros()) / 1_000_000)
        };
        for code in FailureCode::ALL {
            let failure = Failure::new(*code, "x");
            let expected = match code {
                FailureCode::RateLimited => [Some(60), Some(120), Some(240), Some(900)],
                FailureCode::AgentProtocolError => [Some(0), None, None, None],
                _ => [None; 4],
            };
            let found = [1, 2, 3, 9].map(|attempt| seconds(&failure, attempt));
            assert_eq!(found, expected, "{code:?}");
        }
        let said =
            Failure { retry_at: Some(now.plus(Duration::from_secs(5))), ..Failure::new(FailureCode::RateLimited, "x") };
        assert_eq!(seconds(&said, 3), Some(5));
    }

    const PLAIN: State = State { cancelling: false, apply: Apply::Worktree, prove: false };
    const PROVE: State = State { prove: true, ..PLAIN };
    const ENDING: State = State { cancelling: true, ..PLAIN };

    fn report(actions: &[Action], has_commit: bool) -> Report {
        let row = |action: &Action| FileRow {
            path: "a".into(),
            action: *action,
            reason: (*action == Action::Refused).then_some(Reason::Policy),
            detail: None,
            bytes: 0,
            sha256: None,
            sensitive: false,
        };
        let commit = has_commit.then(|| "0".repeat(40).parse().unwrap());
        Report { commit, ..Report::of(actions.iter().map(row).collect()) }
    }

    // Section 3: the phases in their order, each failure at its place, and D36: a cancelled run begins nothing.
    #[test]
    fn the_table_of_what_follows() {
        let failure = Failure::new(FailureCode::AgentFailed, "x");
        let changed = report(&[Action::Created], true);
        let nothing = report(&[], false);
        let fail = vec![Command::Fail(failure.clone())];
        let table: Vec<(Event<'_>, State, Vec<Command>)> = vec![
            (Event::Prepared(Ok(())), PLAIN, vec![Command::OfferAgent, Command::Enter("waiting_for_worker")]),
            (Event::Prepared(Err(&failure)), PLAIN, fail.clone()),
            (Event::AgentEnded(Ok(())), PLAIN, vec![Command::Apply, Command::Enter("applying")]),
            (Event::AgentEnded(Err(&failure)), PLAIN, fail.clone()),
            (Event::Applied(Ok(&changed)), PLAIN, vec![Command::Finish(Verdict::Applied)]),
            (Event::Applied(Ok(&nothing)), PLAIN, vec![Command::Finish(Verdict::NoChanges)]),
            (Event::Applied(Err(&failure)), PLAIN, fail),
            (Event::Applied(Ok(&changed)), PROVE, vec![Command::Prove]),
            (
                Event::Applied(Ok(&nothing)),
                PROVE,
                vec![
                    Command::Warn("no proof run was started: there is no commit to prove".into()),
                    Command::Finish(Verdict::NoChanges),
                ],
            ),
            (Event::ProofStarted(Ok(())), PROVE, vec![Command::Finish(Verdict::Applied)]),
            (
                Event::ProofStarted(Err(&failure)),
                PROVE,
                vec![Command::Warn("no proof run was started: x".into()), Command::Finish(Verdict::Applied)],
            ),
            (Event::Prepared(Ok(())), ENDING, vec![]),
            (Event::AgentEnded(Ok(())), ENDING, vec![]),
            (Event::AgentEnded(Err(&failure)), ENDING, vec![]),
            (Event::Applied(Ok(&changed)), ENDING, vec![]),
        ];
        for (event, state, expected) in table {
            assert_eq!(on(&event, state, Some(&changed)), expected, "{event:?} {state:?}");
        }
    }
}
