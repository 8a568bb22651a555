//! Transcripts of the real programs, read to the events they stand for (S75).
//!
//! Each `tests/golden/<agent>-<version>/<case>.jsonl` is what the program printed; `<case>.events` beside it
//! is what the adapter makes of it, with the result of the fold. `PROOFHOUSE_WRITE_GOLDEN=1` writes these anew.

use std::{fs, path::Path};

use model::{
    agent::{
        event::{EndOutcome as O, ErrorClass, FileChange, ToolStatus as T},
        fold::{Ending, Fold, ProcessEnd},
        usage::Billing,
    },
    journal::KINDS,
};
use proofhouse_agents::{Agent, Kind, Session, adapter::read_again};

#[test]
fn transcripts_are_read_as_they_were() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut cases = 0;
    for folder in fs::read_dir(&golden).unwrap() {
        let folder = folder.unwrap().path();
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let (kind, version) = name.split_once('-').unwrap();
        let kind = Kind::by_name(kind).unwrap();
        let adapter = kind.adapter().unwrap();
        // A transcript is of a version that is tested, where there are versions.
        if let Some(tested) = adapter.tested() {
            assert!(tested.covers(proofhouse_agents::Version::in_text(version).unwrap()), "{name}: {tested}");
        }
        for file in fs::read_dir(&folder).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "jsonl") {
                continue;
            }
            cases += 1;
            let raw = fs::read_to_string(&path).unwrap();
            let session = Session::new(Agent::of(kind), "WORKTREE", Path::new("OWN"), "");
            // `case.exit1.jsonl` is of a program that exited with 1.
            let code = if path.to_string_lossy().contains(".exit1.") { 1 } else { 0 };
            let events = read_again(adapter.reader(&session).as_mut(), &raw, Some(code));
            // S74, X45: reading again tells the same.
            assert_eq!(events, read_again(adapter.reader(&session).as_mut(), &raw, Some(code)));
            let mut fold = Fold::default();
            let mut text = String::new();
            for event in &events {
                fold.lines().known += 1;
                fold.take(event);
                text.push_str(&serde_json::to_string(event).unwrap());
                text.push('\n');
            }
            let process = ProcessEnd::Exited { code };
            let end = fold.end(&Ending { process, over_cap: None, tail: String::new(), billing: Billing::Metered });
            text.push_str(&format!("{:?}\n{:?} {:?}\n", end.outcome, end.usage, end.cost));
            let beside = path.with_extension("events");
            if std::env::var_os("PROOFHOUSE_WRITE_GOLDEN").is_some() {
                fs::write(&beside, &text).unwrap();
            }
            let expected = fs::read_to_string(&beside).unwrap_or_default();
            assert!(text == expected, "{} is read otherwise:\n{text}", path.display());
        }
    }
    assert!(cases >= 10, "only {cases} transcripts were found");
    // S75: each agent has transcripts of the version that its install command names.
    for (kind, adapter) in Kind::ALL.iter().filter_map(|kind| Some((kind, kind.adapter()?))) {
        let Some(tested) = adapter.tested() else { continue };
        assert!(golden.join(format!("{}-{}", kind.name(), tested.from)).is_dir(), "{kind:?} {tested}");
        assert!(adapter.install().unwrap().ends_with(&format!("@{}", tested.from)), "{kind:?}");
        let script = include_str!("../../../../scripts/agents.sh");
        assert!(script.contains(adapter.install().unwrap().split(' ').next_back().unwrap()), "{kind:?}");
    }
}

// S79: the page of the protocol names every word that there is.
#[test]
fn the_page_of_the_protocol_is_whole() {
    let page = include_str!("../../../../docs/command-protocol.md");
    let mut words: Vec<String> =
        ["start", "approval", "answer", "cancel", "ready", "approval_request", "question"].map(str::to_owned).into();
    for kind in KINDS.iter().filter_map(|(kind, _)| kind.strip_prefix("agent.")) {
        if kind != "session" {
            words.push(kind.to_owned());
        }
    }
    let mut named = |value: serde_json::Value| words.push(value.as_str().unwrap().to_owned());
    for status in [T::Requested, T::AwaitingApproval, T::Running, T::Done, T::Failed, T::Denied] {
        named(serde_json::to_value(status).unwrap());
    }
    for change in [FileChange::Added, FileChange::Modified, FileChange::Deleted, FileChange::Renamed] {
        named(serde_json::to_value(change).unwrap());
    }
    for outcome in [O::Completed, O::Failed, O::Refused, O::LimitReached, O::Interrupted] {
        named(serde_json::to_value(outcome).unwrap());
    }
    use ErrorClass as C;
    for class in [
        C::Notice,
        C::RateLimited,
        C::Auth,
        C::Billing,
        C::ContextOverflow,
        C::ModelUnavailable,
        C::ServerError,
        C::Network,
        C::Limit,
        C::Protocol,
        C::Other,
    ] {
        named(serde_json::to_value(class).unwrap());
    }
    for word in words {
        assert!(
            page.contains(&format!("\"{word}\"")) || page.contains(&format!("`{word}`")),
            "{word} is not on the page"
        );
    }
}
