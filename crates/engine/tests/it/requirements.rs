//! Capturing, changing and waiving against a real store, over restarts and midnight.

use std::{path::Path, time::Duration};

use model::{
    actor::Actor,
    code::Code,
    digest::Digest,
    id::{ProjectId, TokenId, UserId},
    journal::StreamId,
    problem::Problem,
    project::Project,
    proof::{requirement::RequirementNumber, standing::Status, stub::StubState, waiver::WaiverEndKind},
};
use proofhouse_engine::{
    Clock, DataFolder, Engine, EngineConfig, Once,
    projects::NewProject,
    proof::{requirements, waivers},
};
use serde_json::{Value, json};
use store::{IdempotencyKey, Store, StoreUrl};
use tempfile::TempDir;
use uuid::Uuid;

struct Plane {
    engine: Engine,
    project: Project,
    folder: TempDir,
}

async fn engine_in(folder: &Path, clock: Clock) -> Engine {
    let data = DataFolder::open(&folder.join("data"), "test").unwrap();
    let store = Store::open(StoreUrl::Sqlite(data.database())).await.unwrap();
    let config = EngineConfig { data, store, clock, slots: Some(1), embedded_worker: false, kinds: Vec::new() };
    Engine::start(config).await.unwrap()
}

impl Plane {
    async fn start(clock: Clock) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("Repo");
        std::fs::create_dir_all(root.join("src")).unwrap();
        std::fs::write(root.join("Cargo.toml"), "[package]\nname = \"x\"\nversion = \"0.1.0\"\n").unwrap();
        std::fs::write(root.join("src/lib.rs"), "").unwrap();
        let who = ["-c", "user.name=t", "-c", "user.email=t@example.invalid"];
        for args in [&["init", "-q"][..], &["add", "-A"], &["commit", "-q", "-m", "x"]] {
            let done = std::process::Command::new("git").arg("-C").arg(&root).args(who).args(args).output().unwrap();
            assert!(done.status.success());
        }
        let engine = engine_in(folder.path(), clock).await;
        let new = NewProject { path: root.to_str().unwrap().to_owned(), key: None, name: None };
        let project = engine.register_project(new, &owner()).await.unwrap().project;
        Self { engine, project, folder }
    }

    /// The same data folder in its next life.
    async fn restart(self) -> Self {
        let Self { engine, project, folder } = self;
        let clock = engine.clock().clone();
        engine.shutdown().await;
        drop(engine);
        // The lock goes with the last clone, which a loop may hold a moment longer.
        for _ in 0..100 {
            if DataFolder::open(&folder.path().join("data"), "probe").is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Self { engine: engine_in(folder.path(), clock).await, project, folder }
    }

    async fn capture(&self, body: Value, once: Option<Once>) -> Result<requirements::Captured, Problem> {
        requirements::capture(&self.engine, &self.project, &body, &owner(), once).await
    }

    async fn kinds(&self, stream: StreamId) -> Vec<String> {
        let entries = self.engine.store().read(move |tx| Box::pin(async move { tx.entries(stream, 0, 500).await }));
        let entries: Result<_, store::StoreError> = entries.await;
        entries.unwrap().into_iter().map(|entry| entry.kind).collect()
    }
}

fn owner() -> Actor {
    Actor::Person { id: UserId::from_uuid(Uuid::from_u128(1)), name: "Ada".to_owned() }
}

fn once(key: &str, body: &Value) -> Option<Once> {
    let key = IdempotencyKey { principal: "p".into(), route: "POST /requirements".into(), key: key.into() };
    Some(Once { key, body: Digest::of(body.to_string().as_bytes()) })
}

fn glitch(title: &str) -> Value {
    json!({"title": title, "description": "d", "gates": ["unit", "e2e"]})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_are_distinct_whoever_captures_at_once_and_a_refusal_uses_none() {
    // P1
    let plane = Plane::start(Clock::system()).await;
    let mut all = tokio::task::JoinSet::new();
    for at in 0..40 {
        let (engine, project) = (plane.engine.clone(), plane.project.clone());
        all.spawn(async move {
            let title = if at % 4 == 0 { "" } else { "same title" };
            requirements::capture(&engine, &project, &glitch(title), &owner(), None).await
        });
    }
    let mut numbers = Vec::new();
    while let Some(done) = all.join_next().await {
        match done.unwrap() {
            Ok(captured) => numbers.push(captured.requirement.id.number()),
            Err(problem) => assert_eq!(problem.code, Code::Invalid),
        }
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=30).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_same_key_gives_the_first_answer_over_restarts_and_mends_what_a_crash_left() {
    // P21, P9
    let plane = Plane::start(Clock::system()).await;
    let body = glitch("Login fails");
    let first = plane.capture(body.clone(), once("k", &body)).await.unwrap();
    assert_eq!(first.stubs.as_ref().unwrap()[0].state, StubState::Written);

    let plane = plane.restart().await;
    // Whatever has changed since: the answer is the first one, and no file is touched.
    std::fs::remove_dir_all(&plane.project.path).unwrap();
    assert_eq!(plane.capture(body.clone(), once("k", &body)).await.unwrap(), first);
    let other = glitch("Other");
    let refused = plane.capture(other.clone(), once("k", &other)).await.unwrap_err();
    assert_eq!(refused.code, Code::KeyReused);

    // A plane that was killed between the commit and the stubs: the repeat looks after them.
    let (key, stored) = (once("late", &body).unwrap(), requirements::Captured { stubs: None, ..first.clone() });
    let now = plane.engine.now();
    let answer = store::StoredAnswer { status: 201, body: serde_json::to_string(&stored).unwrap() };
    let write = plane.engine.store().write(move |tx| {
        let (key, answer) = (key.clone(), answer.clone());
        Box::pin(async move {
            assert!(tx.idempotency_get(&key.key, &key.body, now).await?.is_none());
            tx.idempotency_put(&key.key, &answer).await
        })
    });
    let written: Result<(), store::StoreError> = write.await;
    written.unwrap();
    let mended = plane.capture(body.clone(), once("late", &body)).await.unwrap();
    assert_eq!((mended.requirement.id, mended.stubs.map(|stubs| stubs.len())), (first.requirement.id, Some(0)));
    let kinds = plane.kinds(StreamId::Project(plane.project.id)).await;
    assert_eq!(kinds.iter().filter(|kind| *kind == "requirement.captured").count(), 1);
}

#[tokio::test]
async fn a_preview_stores_nothing_and_names_what_comes_next() {
    let plane = Plane::start(Clock::system()).await;
    let seen = requirements::preview(&plane.engine, &plane.project, &glitch("a"), &owner()).await.unwrap();
    assert_eq!(seen.requirement.id.to_string(), "REQ-0001");
    assert_eq!(seen.stubs.as_ref().unwrap()[0].state, StubState::Planned);
    assert!(!Path::new(&plane.project.path).join("tests").exists());
    assert_eq!(plane.capture(glitch("a"), None).await.unwrap().requirement.id, seen.requirement.id);
}

#[tokio::test]
async fn a_weakening_is_refused_audited_and_never_the_last_one() {
    // P12
    let plane = Plane::start(Clock::system()).await;
    let id = plane.capture(glitch("a"), None).await.unwrap().requirement.id;
    let change = |body: Value, revision: u64, may: Result<(), Problem>| {
        let (engine, project) = (plane.engine.clone(), plane.project.clone());
        async move { requirements::change(&engine, &project, id, &body, revision, &owner(), may).await }
    };
    let refused = || Err(Problem::new(Code::NotEntitled, "no"));
    let fewer = json!({"gates": ["unit"], "reason": "gone"});
    assert_eq!(change(fewer.clone(), 1, refused()).await.unwrap_err().code, Code::NotEntitled);
    let shown_only = json!({"rules": [{"gate": "unit", "must_pass": false}, {"gate": "unit", "how": "suite"}]});
    assert_eq!(change(shown_only.clone(), 1, refused()).await.unwrap_err().code, Code::NotEntitled);
    assert_eq!(change(shown_only, 1, Ok(())).await.unwrap_err().code, Code::ReasonRequired);
    assert_eq!(change(json!({"title": "b"}), 1, refused()).await.unwrap().requirement.revision, 2);
    assert_eq!(change(json!({"title": "c"}), 1, Ok(())).await.unwrap_err().code, Code::RevisionOld);
    assert_eq!(change(fewer, 2, Ok(())).await.unwrap().requirement.obligations.len(), 1);
    assert_eq!(change(json!({"gates": []}), 3, Ok(())).await.unwrap_err().code, Code::LastObligation);
    let audit = plane.kinds(StreamId::Audit(plane.project.id)).await;
    assert_eq!(audit.iter().filter(|kind| *kind == "requirement.changed").count(), 1);
}

#[tokio::test]
async fn a_waiver_ends_with_its_utc_day_for_every_reader_and_is_told_once() {
    // P64, P62: 2026-11-21, an hour before midnight UTC.
    let clock = Clock::fixed("2026-11-21T23:00:00Z".parse().unwrap());
    let plane = Plane::start(clock.clone()).await;
    let id = plane.capture(glitch("a"), None).await.unwrap().requirement.id;
    let body = json!({"reason": "known", "expires": "2026-11-21"});
    let granted = waivers::grant(&plane.engine, &plane.project, id, &body, &owner(), None).await.unwrap();
    let status = || async { requirements::requirement(&plane.engine, &plane.project, id).await.unwrap() };
    assert_eq!(status().await.standing.status, Status::Waived);
    clock.advance(Duration::from_secs(3_599));
    assert_eq!(status().await.standing.status, Status::Waived);
    clock.advance(Duration::from_secs(1));
    let worth = status().await;
    assert_eq!((worth.standing.status, worth.waiver), (Status::Open, None), "at once, with no sweep in between");
    let history = waivers::history(&plane.engine, &plane.project, id).await.unwrap();
    assert_eq!(history[0].ended.as_ref().map(|end| end.kind), Some(WaiverEndKind::Expired));
    let late = waivers::revoke(&plane.engine, &plane.project, id, granted.id, &json!({"reason": "x"}), &owner()).await;
    assert_eq!(late.unwrap_err().code, Code::WaiverEnded);

    // The sweep only tells it, once, however often it looks.
    for _ in 0..3 {
        waivers::expire_due(&plane.engine).await.unwrap();
    }
    let kinds = plane.kinds(StreamId::Project(plane.project.id)).await;
    let count = |kind: &str| kinds.iter().filter(|known| *known == kind).count();
    assert_eq!((count("waiver.expired"), count("requirement.settled")), (1, 2), "{kinds:?}");
    // A new one can be granted, and the past stays as it was.
    let body = json!({"reason": "again", "expires": "2026-11-22"});
    waivers::grant(&plane.engine, &plane.project, id, &body, &owner(), None).await.unwrap();
    let history = waivers::history(&plane.engine, &plane.project, id).await.unwrap();
    let ends: Vec<_> = history.iter().map(|waiver| waiver.ended.as_ref().map(|end| end.kind)).collect();
    assert_eq!(ends, [None, Some(WaiverEndKind::Expired)]);
}

#[tokio::test]
async fn no_program_waives_whoever_asks_for_it() {
    // P66, P2
    let plane = Plane::start(Clock::system()).await;
    let id = plane.capture(glitch("a"), None).await.unwrap().requirement.id;
    let token = Actor::Token { id: TokenId::from_uuid(Uuid::from_u128(2)), name: "ci".to_owned() };
    for by in [token, Actor::System] {
        let refused =
            waivers::grant(&plane.engine, &plane.project, id, &json!({"reason": "x"}), &by, None).await.unwrap_err();
        assert_eq!(refused.code, Code::PersonRequired);
    }
    // A requirement of another project is none of this one's (P27).
    let other = Project { id: ProjectId::from_uuid(Uuid::from_u128(9)), ..plane.project.clone() };
    let missing = requirements::requirement(&plane.engine, &other, id).await.unwrap_err();
    let never = RequirementNumber::new(99).unwrap();
    assert_eq!(missing, requirements::requirement(&plane.engine, &plane.project, never).await.unwrap_err());
}
