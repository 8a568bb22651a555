//! Requirements, evidence, waivers: numbers, what counts, what is shown.

use std::time::Instant;

use model::{
    actor::Actor,
    digest::Digest,
    id::*,
    proof::{
        classify::Kind,
        evidence::Evidence,
        requirement::{Obligation, Requirement, RequirementNumber, Scope, Severity, Source},
        standing::{EvidenceFacts, Status, StatusMemory},
        tree::ObjectId,
        verdict::{Outcome, Reason},
        waiver::{Waiver, WaiverEnd, WaiverEndKind},
    },
};
use store::{AcceptedDefinition, EvidenceBody, Order, RequirementFilter, StoreError};

use crate::support::*;

pub fn requirement(project: ProjectId, id: RequirementNumber, title: &str) -> Requirement {
    Requirement {
        project,
        id,
        title: title.to_owned(),
        description: "It happened.".to_owned(),
        severity: Severity::High,
        source: Source::Qa,
        source_url: None,
        kind: Kind::Logic,
        scope: Scope::default(),
        obligations: vec![Obligation { gate: "unit".parse().unwrap(), rules: vec![], rules_ever: 0 }],
        related: vec![],
        issue: None,
        created_by: Actor::System,
        created_at: model::time::Timestamp::from_micros(1),
        revision: 1,
    }
}

pub fn tree(name: &str) -> ObjectId {
    hex::encode(&Digest::of(name.as_bytes()).bytes()[..20]).parse().unwrap()
}

pub fn number(number: u32) -> RequirementNumber {
    RequirementNumber::new(number).unwrap()
}

/// Captures a requirement.
pub async fn capture(db: &Db, title: &'static str) -> RequirementNumber {
    let project = db.project;
    let captured = db.store.write(move |tx| {
        Box::pin(async move {
            let id = tx.requirement_number(project).await?;
            tx.requirement_insert(&requirement(project, id, title)).await?;
            Ok(id)
        })
    });
    Result::<_, StoreError>::unwrap(captured.await)
}

pub fn evidence(
    project: ProjectId,
    run: RunId,
    requirement: RequirementNumber,
    outcome: Outcome,
    on: &str,
) -> Evidence {
    Evidence {
        id: EvidenceId::from_uuid(uuid()),
        project,
        seq: 0,
        requirement,
        gate: "unit".parse().unwrap(),
        run,
        commands: vec![],
        cases: vec![],
        outcome,
        message: "it ran".to_owned(),
        tree: Some(tree(on)),
        commit: None,
        dirty: false,
        definition: Digest::of(b"definition"),
        review: None,
        recorded_at: model::time::Timestamp::from_micros(5),
        seal: Digest::of(b""),
    }
}

/// Records evidence with the next number, and journals its seal as the engine does.
pub async fn record(db: &Db, evidence: Evidence, settles: bool) -> Evidence {
    let now = db.now();
    let recorded = db.store.write(move |tx| {
        let mut evidence = evidence.clone();
        Box::pin(async move {
            evidence.seq = tx.evidence_seq(evidence.project).await?;
            let evidence = evidence.sealed();
            assert!(tx.evidence_insert(&evidence, settles).await?);
            let data = serde_json::json!({"evidence": evidence.id, "seal": evidence.seal});
            let entry = model::journal::NewEntry::new("gate.finished", data);
            tx.journal_append_numbered(model::journal::StreamId::Run(evidence.run), &[entry], now).await?;
            Ok(evidence)
        })
    });
    Result::<_, StoreError>::unwrap(recorded.await)
}

async fn standing(db: &Db, on: Option<&str>) -> Vec<EvidenceFacts> {
    let (project, tree) = (db.project, on.map(tree));
    let rows = db.store.read(move |tx| {
        let tree = tree.clone();
        Box::pin(async move { tx.standing_rows(project, tree.as_ref()).await })
    });
    Result::<_, StoreError>::unwrap(rows.await)
}

both! {
    /// P1: numbers are distinct under any concurrency, and a refused capture uses none.
    async fn requirement_numbers_are_dense_and_distinct(db: Db) {
        let captures = (0..40).map(|n| {
            let (store, project) = (db.store.clone(), db.project);
            tokio::spawn(async move {
                store.write(move |tx| {
                    Box::pin(async move {
                        let id = tx.requirement_number(project).await?;
                        tx.requirement_insert(&requirement(project, id, "Login fails")).await?;
                        if n % 4 == 0 { Err(StoreError::WrongState("refused".into())) } else { Ok(id) }
                    })
                })
                .await
            })
        });
        let mut numbers = Vec::new();
        for capture in captures.collect::<Vec<_>>() {
            numbers.extend(capture.await.unwrap().ok().map(RequirementNumber::number));
        }
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=30).collect::<Vec<_>>());
    }

    /// P11, P12, P15, B8: lists with filters, pages both ways, revisions, similar titles.
    async fn requirements_are_listed_changed_and_settled(db: Db) {
        for title in ["Login fails", "login: FAILS!", "Slow list", "Broken page"] {
            capture(&db, title).await;
        }
        let project = db.project;
        let list = |filter: RequirementFilter, order, after| db.store.read(move |tx| {
            let filter = filter.clone();
            Box::pin(async move {
                let found = tx.requirements(project, &filter, order, after, 2).await?;
                let count = tx.requirement_count(project, &filter).await?;
                Ok::<_, StoreError>((found.into_iter().map(|kept| kept.requirement.id.number()).collect::<Vec<_>>(), count))
            })
        });
        assert_eq!(list(RequirementFilter::default(), Order::Rising, Some(number(2))).await.unwrap(), (vec![3, 4], 4));
        assert_eq!(list(RequirementFilter::default(), Order::Newest, Some(number(4))).await.unwrap(), (vec![3, 2], 4));
        let words = RequirementFilter { words: Some("Login, fails".into()), severity: vec!["high".into()], ..Default::default() };
        assert_eq!(list(words, Order::Rising, None).await.unwrap(), (vec![1, 2], 2));
        let none = RequirementFilter { status: vec!["waived".into()], ids: vec![number(1)], stale: Some(false), ..Default::default() };
        assert_eq!(list(none, Order::Rising, None).await.unwrap(), (vec![], 0));

        let similar = within!(db, |tx| tx.requirements_similar(project, "LOGIN fails", Some(number(1))).await).await.unwrap();
        assert_eq!(similar.iter().map(|kept| kept.requirement.id.number()).collect::<Vec<_>>(), [2]);
        let existing = within!(db, |tx| tx.requirements_existing(project, &[number(2), number(9)]).await).await.unwrap();
        assert_eq!(existing, [number(2)]);

        let mut changed = requirement(project, number(3), "Fast list");
        changed.revision = 2;
        let update = |requirement: Requirement, read| db.store.write(move |tx| {
            let requirement = requirement.clone();
            Box::pin(async move { tx.requirement_update(&requirement, read).await })
        });
        update(changed.clone(), 1).await.unwrap();
        assert_eq!(update(changed.clone(), 1).await, Err(StoreError::RevisionOld { found: 2 }));
        let memory = StatusMemory { status: Status::Satisfied, satisfied_at: Some(db.now()) };
        within!(db, |tx| tx.requirement_settle(project, number(3), &memory, true, false).await).await.unwrap();
        let kept = within!(db, |tx| tx.requirement(project, number(3)).await).await.unwrap().unwrap();
        assert_eq!((kept.requirement, kept.memory, kept.stale, kept.flaky), (changed, memory, true, false));
        let counts = within!(db, |tx| tx.requirement_counts(project).await).await.unwrap();
        assert_eq!(counts, [(Status::Open, 3), (Status::Satisfied, 1)]);
        assert_eq!(within!(db, |tx| tx.requirements_all(project).await).await.unwrap().len(), 4);
    }

    /// P49, P57, P59: one row per requirement, gate and run; bad news counts at once, good news when
    /// the run has closed over unmoved files, and only settling evidence speaks for other trees.
    async fn evidence_counts_when_it_may(db: Db) {
        let req = capture(&db, "Login fails").await;
        let (first, second, moved, side) = (db.start(vec![]).await, db.start(vec![]).await, db.start(vec![]).await, db.start(vec![]).await);
        let project = db.project;
        let seqs = |rows: &[EvidenceFacts]| rows.iter().map(|facts| facts.seq).collect::<Vec<_>>();
        let failed = record(&db, evidence(project, first, req, Reason::TestFailed.into(), "a"), true).await;
        assert_eq!(seqs(&standing(&db, Some("a")).await), [1, 1], "on the tree, and settling");
        let again = failed.clone();
        let twice = db.store.write(move |tx| {
            let again = Evidence { id: EvidenceId::from_uuid(uuid()), seq: 99, ..again.clone() };
            Box::pin(async move { tx.evidence_insert(&again, true).await })
        });
        assert_eq!(twice.await, Ok::<_, StoreError>(false), "one row per requirement, gate and run");

        record(&db, evidence(project, second, req, Outcome::PASSED, "b"), true).await;
        assert_eq!(seqs(&standing(&db, Some("b")).await), [1], "the pass waits for its run");
        assert_eq!(within!(db, |tx| tx.evidence_close(second, false).await).await, Ok(1));
        assert_eq!(seqs(&standing(&db, Some("b")).await), [2, 2]);
        assert_eq!(seqs(&standing(&db, Some("a")).await), [1, 2]);
        assert_eq!(seqs(&standing(&db, None).await), [2]);

        record(&db, evidence(project, moved, req, Outcome::PASSED, "c"), true).await;
        within!(db, |tx| tx.evidence_close(moved, true).await).await.unwrap();
        assert_eq!(seqs(&standing(&db, Some("c")).await), [2], "a moved tree's pass counts nowhere (P56)");

        record(&db, evidence(project, side, req, Reason::TestFailed.into(), "d"), false).await;
        assert_eq!(seqs(&standing(&db, Some("d")).await), [4, 2]);
        assert_eq!(seqs(&standing(&db, None).await), [2], "a run on a side ref settles nothing");
        let of_one = within!(db, |tx| tx.standing_rows_of(project, req, Some(&tree("d"))).await).await.unwrap();
        assert_eq!(seqs(&of_one), [4, 2]);

        let history = within!(db, |tx| tx.evidence_of(project, req, None, Some(4), 2).await).await.unwrap();
        assert_eq!(seqs(&history), [3, 2]);
        let (run_facts, id) = (within!(db, |tx| tx.evidence_of_run(first).await).await.unwrap(), failed.id);
        assert_eq!((run_facts[0].outcome, run_facts[0].id), (Reason::TestFailed.into(), id));
        let kept = within!(db, |tx| tx.evidence(project, id).await).await.unwrap().unwrap();
        assert_eq!(kept.body, EvidenceBody::Kept(Box::new(failed.clone())));
        let seals = within!(db, |tx| tx.journaled_seals(first).await).await.unwrap();
        assert_eq!(seals.get(&id), Some(&failed.seal));
        let elsewhere = ProjectId::from_uuid(uuid());
        assert_eq!(within!(db, |tx| tx.evidence(elsewhere, id).await).await, Ok(None));
        assert_eq!(within!(db, |tx| tx.evidence_intact(id, false).await).await, Ok(true));
        assert_eq!(within!(db, |tx| tx.evidence_intact(id, false).await).await, Ok(false), "told once (P52)");
    }

    /// P64: at most one waiver in force; history is kept; ends are written once.
    async fn a_waiver_is_in_force_alone_and_ends_once(db: Db) {
        let req = capture(&db, "Login fails").await;
        let make = || Waiver {
            id: WaiverId::from_uuid(uuid()), project: db.project, requirement: req, gates: None, reason: "known".into(),
            expires: Some("2027-01-31".parse().unwrap()), checklist: vec![], approved_by: Actor::System, granted_at: db.now(), ended: None,
        };
        let grant = |waiver: Waiver| db.store.write(move |tx| {
            let waiver = waiver.clone();
            Box::pin(async move { tx.waiver_insert(&waiver).await })
        });
        let (first, second, project, now) = (make(), make(), db.project, db.now());
        grant(first.clone()).await.unwrap();
        assert!(matches!(grant(second.clone()).await, Err(StoreError::WrongState(_))));
        assert_eq!(within!(db, |tx| tx.waivers_current(project).await).await.unwrap(), std::slice::from_ref(&first));
        let last = first.expires.unwrap().end();
        assert!(within!(db, |tx| tx.waivers_due(last.shifted(-1)).await).await.unwrap().is_empty());
        assert_eq!(within!(db, |tx| tx.waivers_due(last).await).await.unwrap().len(), 1);
        let (id, end) = (first.id, WaiverEnd { at: now, by: Actor::System, kind: WaiverEndKind::Replaced, why: "newer".into() });
        let ended = || { let end = end.clone(); db.store.write(move |tx| {
            let end = end.clone();
            Box::pin(async move { tx.waiver_end(id, &end).await })
        }) };
        assert!(Result::<_, StoreError>::unwrap(ended().await).is_some());
        assert_eq!(ended().await, Ok::<_, StoreError>(None));
        grant(second.clone()).await.unwrap();
        assert_eq!(within!(db, |tx| tx.waiver_current(project, req).await).await.unwrap(), Some(second));
        let history = within!(db, |tx| tx.waivers_of(project, req).await).await.unwrap();
        assert_eq!((history.len(), history[1].ended.as_ref().map(|end| end.kind)), (2, Some(WaiverEndKind::Replaced)));

        let accepted = AcceptedDefinition { gate: "unit".parse().unwrap(), definition: Digest::of(b"d"), by: Actor::System, at: now, reason: "ok".into() };
        for news in [true, false] {
            let accepted = accepted.clone();
            let told = db.store.write(move |tx| {
                let accepted = accepted.clone();
                Box::pin(async move { tx.definition_accept(project, &accepted).await })
            });
            assert_eq!(told.await, Ok::<_, StoreError>(news));
        }
        assert_eq!(within!(db, |tx| tx.definitions_accepted(project).await).await.unwrap(), [accepted]);
    }

    /// P62, B8: 5,000 requirements over 100,000 pieces of evidence are read at once.
    async fn standing_of_thousands_is_read_quickly(db: Db) {
        let project = db.project;
        // The whole size takes a release build.
        let rounds: u32 = if cfg!(debug_assertions) { 4 } else { 20 };
        for round in 0..rounds {
            let run = db.start(vec![]).await;
            let done = db.store.write(move |tx| {
                Box::pin(async move {
                    for n in 1..=5_000 {
                        let outcome = if n % 7 == 0 { Reason::TestFailed.into() } else { Outcome::PASSED };
                        let mut row = evidence(project, run, number(n), outcome, &format!("t{}", round / 2));
                        row.seq = u64::from(round * 5_000 + n);
                        tx.evidence_insert(&row, true).await?;
                    }
                    tx.evidence_close(run, false).await
                })
            });
            assert_eq!(done.await, Ok::<_, StoreError>(5_000));
        }
        let mut best = std::time::Duration::MAX;
        for _ in 0..3 {
            let begun = Instant::now();
            let rows = standing(&db, Some("t1")).await;
            best = best.min(begun.elapsed());
            assert_eq!(rows.len(), 10_000);
            assert!(rows[..5_000].iter().all(|facts| facts.seq > 15_000 && facts.seq <= 20_000));
            assert!(rows[5_000..].iter().all(|facts| facts.seq > u64::from(rounds - 1) * 5_000));
        }
        println!("standing rows of 5,000 requirements over 100,000 pieces of evidence on {}: {best:?}", db.store.kind());
        assert!(best.as_millis() < if cfg!(debug_assertions) { 1_000 } else { 50 }, "{best:?}");
    }
}
