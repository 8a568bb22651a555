use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::proof::{results::CaseOutcome, verdict::Reason};

fn oid(digit: char) -> ObjectId {
    digit.to_string().repeat(40).parse().unwrap()
}

fn evidence() -> Evidence {
    Evidence {
        id: EvidenceId::from_uuid(Uuid::nil()),
        project: ProjectId::from_uuid(Uuid::from_u128(1)),
        seq: 7,
        requirement: RequirementNumber::new(7).unwrap(),
        gate: "unit".parse().unwrap(),
        run: RunId::from_uuid(Uuid::from_u128(2)),
        commands: vec![SealedCommand {
            digest: Digest::of(b"command"),
            record: Digest::of(b"record"),
            exit_code: Some(0),
            blobs: vec![Digest::of(b"output"), Digest::of(b"results")],
        }],
        cases: vec![Case::new("a", CaseOutcome::Passed)],
        outcome: Outcome::PASSED,
        message: "a passed".to_owned(),
        tree: Some(oid('a')),
        commit: Some(oid('b')),
        dirty: false,
        definition: Digest::of(b"definition"),
        review: None,
        recorded_at: Timestamp::default(),
        seal: Digest::of(b""),
    }
    .sealed()
}

fn damage(evidence: &Evidence, journaled: Option<Digest>) -> Intact {
    evidence.intact(journaled, |_| BlobState::Sound)
}

/// P50, P51: each sealed field, one at a time.
#[test]
fn any_sealed_field_that_changes_breaks_the_seal() {
    let good = evidence();
    assert_eq!(damage(&good, Some(good.seal)), Intact::Sound);
    type Change = (&'static str, fn(&mut Evidence));
    let changes: [Change; 22] = [
        ("project", |e| e.project = ProjectId::from_uuid(Uuid::nil())),
        ("requirement", |e| e.requirement = RequirementNumber::new(8).unwrap()),
        ("gate", |e| e.gate = "e2e".parse().unwrap()),
        ("run", |e| e.run = RunId::from_uuid(Uuid::nil())),
        ("seq", |e| e.seq = 8),
        ("tree", |e| e.tree = Some(oid('c'))),
        ("no tree", |e| e.tree = None),
        ("dirty", |e| e.dirty = true),
        ("definition", |e| e.definition = Digest::of(b"")),
        ("outcome", |e| e.outcome = Reason::Skipped.into()),
        ("commit", |e| e.commit = None),
        ("time", |e| e.recorded_at = Timestamp::from_micros(1)),
        ("message", |e| e.message.push('x')),
        ("case", |e| e.cases[0].outcome = CaseOutcome::Skipped),
        ("command", |e| e.commands[0].digest = Digest::of(b"")),
        ("record", |e| e.commands[0].record = Digest::of(b"")),
        ("exit", |e| e.commands[0].exit_code = Some(1)),
        ("no exit", |e| e.commands[0].exit_code = None),
        ("blob", |e| e.commands[0].blobs[0] = Digest::of(b"")),
        ("blob order", |e| e.commands[0].blobs.reverse()),
        ("blob moved", |e| {
            let blob = e.commands[0].blobs.pop().unwrap();
            let other = e.commands[0].record;
            e.commands.push(SealedCommand { digest: other, record: other, exit_code: None, blobs: vec![blob] });
        }),
        ("review", |e| {
            e.review = Some(ReviewRecord {
                question: QuestionId::from_uuid(Uuid::nil()),
                answered_by: None,
                checklist: Digest::of(b""),
                comment: None,
            });
        }),
    ];
    for (name, change) in changes {
        let mut bad = good.clone();
        change(&mut bad);
        assert_eq!(damage(&bad, Some(bad.seal)), Intact::Damaged(Damage::Row), "{name}");
        // Sealing it anew does not help: the journal holds the first seal.
        let again = bad.sealed();
        assert_eq!(damage(&again, Some(good.seal)), Intact::Damaged(Damage::Journal), "{name}");
    }
    assert_eq!(damage(&good, None), Intact::Damaged(Damage::Journal));
}

/// P51: every blob must be there with its own bytes; another evidence's does not fit.
#[test]
fn a_blob_that_is_gone_or_altered_is_damage() {
    let good = evidence();
    let blob = good.blobs().nth(1).unwrap();
    let with = |state| good.intact(Some(good.seal), |digest| if digest == blob { state } else { BlobState::Sound });
    assert_eq!(with(BlobState::Missing), Intact::Damaged(Damage::BlobMissing { blob }));
    assert_eq!(with(BlobState::Altered), Intact::Damaged(Damage::BlobAltered { blob }));
    assert_eq!(with(BlobState::Sound), Intact::Sound);
}

/// P30: what identifies a command.
#[test]
fn a_command_is_identified_by_all_that_it_does() {
    let argv = ["a".to_owned(), "b".to_owned()];
    let joined = ["ab".to_owned()];
    let base = CommandIdentity {
        argv: &argv,
        cwd: "",
        env_digest: Digest::of(b""),
        runner: "rust",
        parser: ParserKind::Junit,
        results: Some("{out}/r.xml"),
        timeout_s: 300,
        tree: "a",
    };
    let others = [
        CommandIdentity { argv: &joined, ..base },
        CommandIdentity { cwd: "api", ..base },
        CommandIdentity { env_digest: Digest::of(b"x"), ..base },
        CommandIdentity { runner: "python", ..base },
        CommandIdentity { parser: ParserKind::Tap, ..base },
        CommandIdentity { results: None, ..base },
        CommandIdentity { timeout_s: 301, ..base },
        CommandIdentity { tree: "b", ..base },
    ];
    for other in others {
        assert_ne!(other.digest(), base.digest(), "{other:?}");
    }
    assert_eq!(base.digest(), base.clone().digest());
}

proptest! {
    /// P50: evidence survives being stored as JSON, seal and all.
    #[test]
    fn the_seal_survives_storing(seq in any::<u64>(), dirty in any::<bool>(), code in any::<Option<i32>>()) {
        let mut made = evidence();
        (made.seq, made.dirty, made.commands[0].exit_code) = (seq, dirty, code);
        let made = made.sealed();
        let read: Evidence = serde_json::from_slice(&serde_json::to_vec(&made).unwrap()).unwrap();
        prop_assert_eq!(damage(&read, Some(made.seal)), Intact::Sound);
        prop_assert_eq!(read, made);
    }
}
