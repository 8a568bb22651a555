//! The table of the fold: what each way to end makes of a session.

use proptest::prelude::*;

use super::{
    event::{AgentEvent as E, EndOutcome, ErrorClass, SessionFacts, ToolStatus, ToolUse},
    fold::{AgentEnd, AgentOutcome, Ending, Fold, NotStarted, ProcessEnd},
    usage::{Billing, CostState, Usage, UsageReport},
};
use crate::{failure::FailureCode as F, money::NanoUsd, time::Timestamp};

fn ending(process: ProcessEnd) -> Ending {
    Ending { process, over_cap: None, tail: String::new(), billing: Billing::Metered }
}

fn folded(events: &[E], ending: &Ending) -> AgentEnd {
    let mut fold = Fold::default();
    for event in events {
        fold.lines().known += 1;
        fold.take(event);
    }
    fold.end(ending)
}

fn exited(code: i32) -> ProcessEnd {
    ProcessEnd::Exited { code }
}

fn done() -> E {
    E::end(EndOutcome::Completed)
}

fn answered(text: &str) -> Result<String, F> {
    Ok(text.to_owned())
}

fn outcome(end: &AgentEnd) -> Result<String, F> {
    match &end.outcome {
        AgentOutcome::Completed { answer } => Ok(answer.clone()),
        AgentOutcome::Failed(failure) => Err(failure.code),
        AgentOutcome::Cancelled => Ok("cancelled".to_owned()),
    }
}

// L25, L29, D35, S78, section 13: one row for each way to end.
#[test]
fn each_way_to_end_has_its_outcome() {
    let said = E::said("hello");
    let error = |class| E::error(class, "boom");
    let tool = E::Tool(ToolUse {
        id: "1".into(),
        name: "x".into(),
        input: serde_json::Value::Null,
        status: ToolStatus::Done,
        output: None,
    });
    let none: &[E] = &[];
    type Row = (&'static str, Vec<E>, ProcessEnd, Result<String, F>);
    let rows: Vec<Row> = vec![
        ("said and done", vec![said.clone(), done()], exited(0), answered("hello")),
        (
            "the last final message is the answer (D62)",
            vec![E::Message { text: "a".into(), is_final: true }, said.clone(), done()],
            exited(0),
            answered("a"),
        ),
        ("nothing said", vec![done()], exited(0), answered("")),
        ("exit 0 without a word", none.to_vec(), exited(0), Err(F::AgentProtocolError)),
        ("exit 0 in the middle", vec![said.clone()], exited(0), Err(F::AgentFailed)),
        ("non-zero at the end of all", vec![said.clone(), done()], exited(1), Err(F::AgentFailed)),
        ("killed", vec![said.clone()], ProcessEnd::Signaled { signal: 9 }, Err(F::AgentFailed)),
        ("an error at exit 0", vec![said.clone(), done(), error(ErrorClass::Other)], exited(0), Err(F::AgentFailed)),
        ("an error, then the end", vec![error(ErrorClass::Other), done()], exited(0), answered("")),
        (
            "an error, then a good message",
            vec![error(ErrorClass::RateLimited), said.clone(), done()],
            exited(0),
            answered("hello"),
        ),
        ("an error, then a tool", vec![error(ErrorClass::Network), tool, done()], exited(0), answered("")),
        ("a notice decides nothing", vec![said.clone(), done(), E::notice("compacted")], exited(0), answered("hello")),
        (
            "the signal of the agent before the exit code",
            vec![error(ErrorClass::RateLimited)],
            exited(1),
            Err(F::RateLimited),
        ),
        ("signed out", vec![error(ErrorClass::Auth)], exited(1), Err(F::AgentSessionExpired)),
        ("too long", vec![error(ErrorClass::ContextOverflow)], exited(1), Err(F::ContextOverflow)),
        ("no such model", vec![error(ErrorClass::ModelUnavailable)], exited(1), Err(F::ModelUnavailable)),
        ("gave up", vec![E::end(EndOutcome::Failed)], exited(0), Err(F::AgentFailed)),
        ("refused", vec![E::end(EndOutcome::Refused)], exited(0), Err(F::AgentFailed)),
        ("turns", vec![E::end(EndOutcome::LimitReached)], exited(1), Err(F::BudgetExhausted)),
        ("time", vec![said.clone(), done()], ProcessEnd::TimedOut { seconds: 5 }, Err(F::AgentTimeout)),
        ("silence", vec![said.clone()], ProcessEnd::Quiet { seconds: 600 }, Err(F::AgentTimeout)),
        ("stopped", vec![error(ErrorClass::Other)], ProcessEnd::Cancelled, answered("cancelled")),
        (
            "not there",
            none.to_vec(),
            ProcessEnd::NotStarted { why: NotStarted::Missing, message: "x".into() },
            Err(F::AgentNotFound),
        ),
        (
            "no sandbox",
            none.to_vec(),
            ProcessEnd::NotStarted { why: NotStarted::Refused, message: "x".into() },
            Err(F::PolicyDenied),
        ),
        ("memory", vec![done()], ProcessEnd::LimitReached { limit: "memory".into() }, Err(F::AgentFailed)),
    ];
    for (name, events, process, expected) in rows {
        assert_eq!(outcome(&folded(&events, &ending(process))), expected, "{name}");
    }
}

// D35: the cap is a failure of its own, but when time was up as well, that is what it is called.
#[test]
fn too_much_output_is_told_unless_time_was_up() {
    for (process, code) in [
        (exited(0), F::OutputTooLarge),
        (exited(1), F::OutputTooLarge),
        (ProcessEnd::TimedOut { seconds: 1 }, F::AgentTimeout),
    ] {
        let ending = Ending { over_cap: Some(1 << 20), ..ending(process) };
        assert_eq!(outcome(&folded(&[E::said("x"), done()], &ending)), Err(code));
    }
}

// Section 13: text decides last, and a provider's time is kept.
#[test]
fn words_decide_where_nothing_else_does() {
    for (tail, code) in [
        ("Error: Invalid API key", F::AgentSessionExpired),
        ("429 Too Many Requests", F::RateLimited),
        ("thread main panicked", F::AgentFailed),
        ("", F::AgentFailed),
    ] {
        let ending = Ending { tail: tail.to_owned(), ..ending(exited(1)) };
        assert_eq!(outcome(&folded(&[], &ending)), Err(code), "{tail}");
    }
    let at = Timestamp::from_micros(7);
    let notice = E::Error { class: ErrorClass::Notice, message: "limits".into(), retry_at: Some(at) };
    let end = folded(&[notice, E::error(ErrorClass::Other, "usage limit reached")], &ending(exited(1)));
    let AgentOutcome::Failed(failure) = end.outcome else { panic!("it failed") };
    assert_eq!((failure.code, failure.retry_at), (F::RateLimited, Some(at)));
}

fn used(message: &str, input: u64, cost: Option<i64>) -> UsageReport {
    UsageReport {
        message: Some(message.to_owned()),
        usage: Usage { input: Some(input), ..Usage::default() },
        cost: cost.map(NanoUsd::from_nanos),
        ..UsageReport::default()
    }
}

// L27, X66: each message once, the last report of it wins, no cost erases a cost, the agent's own sum wins.
#[test]
fn usage_is_counted_once_per_message() {
    let total = UsageReport { total: true, turns: Some(3), message: None, ..used("", 77, Some(9)) };
    let late = UsageReport { total: true, message: None, ..used("", 99, None) };
    type Row = (&'static str, Vec<UsageReport>, Option<u64>, CostState, i64);
    let rows: Vec<Row> = vec![
        ("nothing", vec![], None, CostState::Unknown, 0),
        ("repeated", vec![used("a", 1, Some(5)), used("a", 20, Some(6))], Some(20), CostState::Reported, 6),
        ("two", vec![used("a", 1, Some(5)), used("b", 2, Some(6))], Some(3), CostState::Reported, 11),
        ("a cost stays", vec![used("a", 1, Some(5)), used("a", 20, None)], Some(20), CostState::Reported, 5),
        ("one unknown", vec![used("a", 1, Some(5)), used("b", 2, None)], Some(3), CostState::Unknown, 5),
        ("a zero", vec![used("a", 1, Some(0))], Some(1), CostState::Unknown, 0),
        ("the sum wins", vec![used("a", 1, Some(5)), total.clone()], Some(77), CostState::Reported, 9),
        ("the last sum wins, and keeps its cost", vec![total, late], Some(99), CostState::Reported, 9),
    ];
    for (name, reports, input, state, nanos) in rows {
        let events: Vec<E> = reports.into_iter().map(E::Usage).collect();
        // L29: also of a run that failed.
        for process in [exited(0), exited(1)] {
            let end = folded(&events, &ending(process));
            assert_eq!((end.usage.input, end.cost.state, end.cost.known.nanos()), (input, state, nanos), "{name}");
        }
    }
}

#[test]
fn a_session_is_what_all_its_facts_say() {
    let facts = |version: Option<&str>, session: Option<&str>| {
        E::Session(SessionFacts {
            version: version.map(str::to_owned),
            session: session.map(str::to_owned),
            ..SessionFacts::of("x".parse().unwrap())
        })
    };
    let end = folded(&[facts(Some("1.2"), None), facts(None, Some("s1")), done()], &ending(exited(0)));
    let session = end.session.unwrap();
    assert_eq!((session.version.as_deref(), session.session.as_deref()), (Some("1.2"), Some("s1")));
}

proptest! {
    // L27: however often and in whatever order reports of other messages are repeated, the sum is that of
    // the last report of each message.
    #[test]
    fn repeats_change_no_sum(reports in proptest::collection::vec((0u8..5, 0u64..1000), 0..40)) {
        let mut last = std::collections::BTreeMap::new();
        let mut fold = Fold::default();
        for (message, input) in &reports {
            last.insert(*message, *input);
            fold.take(&E::Usage(used(&message.to_string(), *input, None)));
        }
        let sum: u64 = last.values().sum();
        let end = fold.end(&ending(exited(0)));
        prop_assert_eq!(end.usage.input, (!last.is_empty()).then_some(sum));
    }

    // D35, section 13: whatever was said, a timeout is a timeout and a stop is a stop.
    #[test]
    fn what_the_plane_did_is_never_explained_away(finals in proptest::collection::vec(0u8..4, 0..10)) {
        let events: Vec<E> = finals.iter().map(|kind| match kind {
            0 => E::said("x"),
            1 => done(),
            2 => E::error(ErrorClass::Auth, "x"),
            _ => E::end(EndOutcome::Failed),
        }).collect();
        let timed = folded(&events, &ending(ProcessEnd::TimedOut { seconds: 1 }));
        prop_assert_eq!(outcome(&timed), Err(F::AgentTimeout));
        prop_assert_eq!(folded(&events, &ending(ProcessEnd::Cancelled)).outcome, AgentOutcome::Cancelled);
    }
}
