//! What lists remember of requirements, held against what the rows say.

use std::time::Duration;

use engine::proof::{
    listing::{self, Filter, Listed, Sort},
    waivers, worth,
};
use model::{
    actor::Actor,
    id::{ProjectId, UserId},
    problem::Problem,
    project::Project,
    proof::{
        requirement::Severity,
        standing::Status,
        verdict::{Reason, Verdict},
    },
};
use serde_json::json;
use testkit::{
    database::postgres_server,
    plane::{TestPlane, Wanted},
    proven::{self, Said},
};
use uuid::Uuid;

async fn list(plane: &TestPlane, project: &Project, filter: &Filter) -> Listed {
    listing::list(&plane.engine, project, filter, Sort::Id, None, 500).await.unwrap()
}

/// Every list says what the standing function says of the rows as they are now, after `what`.
async fn agree(plane: &TestPlane, project: &Project, what: &str) {
    let (id, now) = (project.id, plane.engine.now());
    let read = plane.engine.store().read(move |tx| Box::pin(async move { worth::all(tx, id, now).await }));
    let truth = Result::<_, Problem>::unwrap(read.await);
    let whole = list(plane, project, &Filter::default()).await;
    assert_eq!(whole.items, truth, "after {what}");
    assert_eq!(whole.total, truth.len() as u64);
    for status in [Status::Open, Status::Satisfied, Status::Waived] {
        let found = list(plane, project, &Filter { status: vec![status], ..Filter::default() }).await;
        let wanted: Vec<_> = truth.iter().filter(|one| one.standing.status == status).cloned().collect();
        let counted = match status {
            Status::Open => whole.by_status.open,
            Status::Satisfied => whole.by_status.satisfied,
            Status::Waived => whole.by_status.waived,
        };
        assert_eq!((found.total, counted), (wanted.len() as u64, wanted.len() as u64), "{status:?} after {what}");
        assert_eq!(found.items, wanted, "{status:?} after {what}");
    }
    for stale in [true, false] {
        let found = list(plane, project, &Filter { stale: Some(stale), ..Filter::default() }).await;
        assert!(found.items.iter().all(|one| one.standing.stale == stale), "stale after {what}");
        assert_eq!(found.items.len(), truth.iter().filter(|one| one.standing.stale == stale).count());
    }
    for verdict in [Verdict::Passed, Verdict::Failed, Verdict::Unproven] {
        let filter = Filter { gate: Some("unit".parse().unwrap()), verdict: Some(verdict), ..Filter::default() };
        let told = truth.iter().filter(|one| {
            let mut own = one.standing.obligations.iter();
            own.any(|own| own.gate.as_str() == "unit" && own.outcome.verdict() == verdict)
        });
        assert_eq!(
            list(plane, project, &filter).await.items,
            told.cloned().collect::<Vec<_>>(),
            "{verdict} after {what}"
        );
    }
}

/// Every order, page by page, is the order of what the rows say.
async fn in_order(plane: &TestPlane, project: &Project) {
    let whole = list(plane, project, &Filter::default()).await.items;
    for (word, sort) in Sort::WORDS {
        let mut wanted: Vec<_> = whole.iter().collect();
        match sort {
            Sort::Id => {}
            Sort::Newest => wanted.reverse(),
            Sort::Severity => wanted.sort_by_key(|one| std::cmp::Reverse(one.requirement.severity)),
            Sort::Status => wanted.sort_by_key(|one| {
                [Status::Open, Status::Waived, Status::Satisfied].iter().position(|own| *own == one.standing.status)
            }),
            Sort::Title => wanted.sort_by_key(|one| one.requirement.title.to_lowercase()),
        }
        let wanted: Vec<_> = wanted.into_iter().map(|one| one.requirement.id).collect();
        for limit in 1..=3 {
            let (mut paged, mut after) = (Vec::new(), None);
            loop {
                let page = listing::list(&plane.engine, project, &Filter::default(), sort, after, limit).await.unwrap();
                paged.extend(page.items.iter().map(|one| one.requirement.id));
                after = paged.last().copied();
                if !page.has_more {
                    break;
                }
            }
            assert_eq!(paged, wanted, "sorted by {word} in pages of {limit}");
        }
    }
}

fn owner() -> Actor {
    Actor::Person { id: UserId::from_uuid(Uuid::from_u128(7)), name: "ann".to_owned() }
}

async fn project(plane: &TestPlane, key: &str) -> Project {
    let id: ProjectId = plane.project(key, &plane.folder().join(key)).await;
    let read = plane.engine.store().read(move |tx| Box::pin(async move { tx.project(id).await }));
    Result::<_, store::StoreError>::unwrap(read.await).unwrap()
}

async fn remembered_lists_follow_every_change(postgres: Option<String>) {
    // P62, P64: by every way in which a requirement can come to be worth something else.
    let plane = TestPlane::with(Wanted { postgres, ..Wanted::default() }).await;
    let engine = &plane.engine;
    let house = project(&plane, "house").await;
    let (first, second) = (
        proven::requirement(engine, house.id, &["unit"], &[]).await,
        proven::requirement(engine, house.id, &["unit", "e2e"], &[]).await,
    );
    agree(&plane, &house, "a capture").await;
    proven::observe(engine, house.id, "one").await;
    agree(&plane, &house, "a look at the files").await;
    proven::record(engine, house.id, Said { tree: "one", ..Said::passed(first) }, |_| {}).await;
    proven::record(engine, house.id, Said { tree: "one", gate: "e2e", ..Said::passed(second) }, |_| {}).await;
    agree(&plane, &house, "evidence").await;
    let failed = Said { tree: "two", outcome: Reason::TestFailed.into(), settles: false, ..Said::passed(first) };
    proven::record(engine, house.id, failed, |_| {}).await;
    agree(&plane, &house, "evidence of other files").await;
    proven::observe(engine, house.id, "two").await;
    agree(&plane, &house, "other files").await;

    let today = json!({"reason": "known", "expires": engine.now().day().to_string()});
    waivers::grant(engine, &house, first, &today, &owner(), None).await.unwrap();
    agree(&plane, &house, "a waiver for today").await;
    let lasting = json!({"reason": "known", "gates": ["unit"]});
    let granted = waivers::grant(engine, &house, second, &lasting, &owner(), None).await.unwrap();
    agree(&plane, &house, "a waiver of one gate").await;
    plane.clock.advance(Duration::from_secs(86_400));
    agree(&plane, &house, "midnight").await;
    waivers::expire_due(engine).await.unwrap();
    agree(&plane, &house, "the sweep").await;
    waivers::revoke(engine, &house, second, granted.id, &json!({"reason": "fixed"}), &owner()).await.unwrap();
    agree(&plane, &house, "a revoked waiver").await;

    let changed = engine.store().write(move |tx| {
        Box::pin(async move {
            let mut kept = tx.requirement(house.id, second).await?.unwrap().requirement;
            kept.severity = Severity::Critical;
            kept.obligations.retain(|obligation| obligation.gate.as_str() == "e2e");
            kept.revision += 1;
            tx.requirement_update(&kept, 1).await?;
            Ok::<_, store::StoreError>(())
        })
    });
    changed.await.unwrap();
    agree(&plane, &house, "a change").await;
    let worst = list(&plane, &house, &Filter { severity: vec![Severity::Critical], ..Filter::default() }).await;
    assert_eq!((worst.total, worst.items[0].requirement.id), (1, second));
    // Really damaged, so that the sweep, which looks at evidence meanwhile, finds the same.
    let said = Said { tree: "two", gate: "e2e", ..Said::passed(second) };
    let evidence = proven::record(engine, house.id, said, |evidence| evidence.message.push('!')).await.id;
    let harmed = engine.store().write(move |tx| Box::pin(async move { tx.evidence_intact(evidence, false).await }));
    Result::<_, store::StoreError>::unwrap(harmed.await);
    assert!(list(&plane, &house, &Filter::default()).await.items[1].tampered());
    agree(&plane, &house, "damage").await;

    // P15: in every order, over titles that are given, changed and shared.
    in_order(&plane, &house).await;
    for title in ["zebra", "Alpha", "zebra", "middle", "\u{c4}hre"] {
        let id = proven::requirement(engine, house.id, &["unit"], &[]).await;
        in_order(&plane, &house).await;
        let renamed = engine.store().write(move |tx| {
            Box::pin(async move {
                let mut kept = tx.requirement(house.id, id).await?.unwrap().requirement;
                kept.title = title.to_owned();
                kept.severity = if title == "middle" { Severity::Low } else { kept.severity };
                kept.revision += 1;
                tx.requirement_update(&kept, 1).await?;
                Ok::<_, store::StoreError>(())
            })
        });
        renamed.await.unwrap();
        in_order(&plane, &house).await;
    }
    agree(&plane, &house, "new titles").await;

    // Other projects are nobody's business.
    let other = project(&plane, "other").await;
    proven::requirement(engine, other.id, &["unit"], &[]).await;
    agree(&plane, &other, "a capture elsewhere").await;
    agree(&plane, &house, "a capture elsewhere").await;
    plane.stop().await;
}

#[tokio::test]
async fn remembered_lists_follow_every_change_over_sqlite() {
    remembered_lists_follow_every_change(None).await;
}

#[tokio::test]
async fn remembered_lists_follow_every_change_over_postgres() {
    let Some(server) = postgres_server() else {
        println!("skipped: remembered_lists_follow_every_change_over_postgres: no server");
        return;
    };
    remembered_lists_follow_every_change(Some(server)).await;
}
