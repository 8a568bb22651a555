//! What happens because time passed, on both databases, with a clock that moves when told.

use std::{fs, future::Future, path::Path, time::Duration};

use engine::{Submit, projects::PROOF};
use model::{
    actor::Actor,
    digest::Digest,
    id::{ArtifactId, ProjectId, QuestionId, RunId, UserId},
    journal::{Entry, NewEntry, StreamId},
    limits,
    question::{Question, QuestionKind, QuestionState},
    run::RunKind,
    task::Fence,
};
use serde_json::{Value, json};
use store::{Artifact, StoreError};
use testkit::{Repo, TestPlane, database, plane::Wanted, proven};

const SECOND: Duration = Duration::from_secs(1);

/// A plane on each database there is.
async fn planes() -> Vec<TestPlane> {
    let mut planes = vec![TestPlane::start().await];
    match database::postgres_server() {
        Some(server) => planes.push(TestPlane::with(Wanted { postgres: Some(server), ..Wanted::default() }).await),
        None => println!("skipped: PostgreSQL, named in PROOFHOUSE_TEST_POSTGRES"),
    }
    planes
}

fn somebody() -> Actor {
    Actor::Person { id: UserId::from_uuid(uuid::Uuid::from_u128(1)), name: "ada".to_owned() }
}

/// Waits until something holds; the sweep looks every second.
async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    for _ in 0..400 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("not within twenty seconds: {what}");
}

/// How much a job has done, and how often it was done and failed.
fn figures(plane: &TestPlane, job: &str) -> (u64, u64, u64) {
    let found = plane.engine.upkeep().figures().find(|figures| figures.job == job).unwrap();
    (found.done, found.runs, found.failures)
}

async fn did(plane: &TestPlane, job: &str, at_least: u64) {
    until(&format!("{job} does {at_least}"), || async { figures(plane, job).0 >= at_least }).await;
}

async fn submit(plane: &TestPlane, project: ProjectId, once: Option<engine::Once>) -> RunId {
    let ask = Submit {
        project,
        kind: RunKind::named("probe"),
        config: json!({}),
        actor: Actor::System,
        join: false,
        once,
        retry_of: None,
        issue: None,
    };
    plane.engine.submit(ask).await.unwrap().run.id
}

/// Claims a run's only task.
async fn claim(plane: &TestPlane) -> Fence {
    let leased = plane.claim(1, Duration::from_secs(10)).await.remove(0);
    Fence { task: leased.task.id, generation: leased.task.generation }
}

/// A run that has ended.
async fn ended(plane: &TestPlane, project: ProjectId) -> RunId {
    let run = submit(plane, project, None).await;
    let fence = claim(plane).await;
    plane.engine.finish_one(fence, engine::work::Outcome::done(json!({}))).await.unwrap();
    assert!(plane.engine.run(run).await.unwrap().status.is_terminal());
    run
}

async fn entries(plane: &TestPlane, stream: StreamId) -> Vec<Entry> {
    let floor = plane.engine.store().read(move |tx| Box::pin(async move { tx.floor(stream).await })).await;
    let floor = Result::<_, StoreError>::unwrap(floor);
    let read =
        plane.engine.store().read(move |tx| Box::pin(async move { tx.entries(stream, floor - 1, 1_000).await })).await;
    Result::<_, StoreError>::unwrap(read)
}

fn of_kind<'e>(entries: &'e [Entry], kind: &str) -> Vec<&'e Entry> {
    entries.iter().filter(|entry| entry.kind == kind).collect()
}

/// X10: a question past its time expires once, and the run and the board are told once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_that_nobody_answers_expires_once() {
    for plane in planes().await {
        let project = plane.project("asks", plane.folder()).await;
        let run = submit(&plane, project, None).await;
        let question = Question {
            id: QuestionId::from_uuid(plane.clock.id()),
            project,
            run,
            task: None,
            kind: QuestionKind::Question,
            state: QuestionState::Open,
            subject: "which".to_owned(),
            prompt: "Which?".to_owned(),
            schema: json!({}),
            answer: None,
            answered_by: None,
            ended_at: None,
            because: None,
            expires_at: Some(plane.clock.now().plus(Duration::from_secs(60))),
            created_at: plane.clock.now(),
        };
        let id = question.id;
        let asked = plane.engine.store().write(move |tx| {
            let question = question.clone();
            Box::pin(async move { tx.question_insert(&question).await })
        });
        assert!(Result::<_, StoreError>::unwrap(asked.await));
        let state = || async {
            let read = plane.engine.store().read(move |tx| Box::pin(async move { tx.question(id).await })).await;
            Result::<_, StoreError>::unwrap(read).unwrap().state
        };
        tokio::time::sleep(2 * SECOND).await;
        assert_eq!(state().await, QuestionState::Open, "not before its time");
        plane.clock.advance(Duration::from_secs(61));
        until("the question expires", || async { state().await == QuestionState::Expired }).await;
        tokio::time::sleep(2 * SECOND).await;
        for stream in [StreamId::Run(run), StreamId::Project(project)] {
            assert_eq!(of_kind(&entries(&plane, stream).await, "question.expired").len(), 1, "{stream}");
        }
        let late = plane.engine.answer(id, json!({"text": "this"}), &somebody(), None).await.unwrap_err();
        assert_eq!(late.code, model::code::Code::Gone);
        plane.stop().await;
    }
}

/// K1, K7: keys, links and outboxes that have ended are dropped.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_ended_is_dropped() {
    for plane in planes().await {
        let project = plane.project("keys", plane.folder()).await;
        let key = store::IdempotencyKey {
            principal: "somebody".to_owned(),
            route: "POST /runs".to_owned(),
            key: "1".to_owned(),
        };
        submit(&plane, project, Some(engine::Once { key, body: Digest::of(b"1") })).await;
        let fence = claim(&plane).await;
        let now = plane.clock.now();
        let sent = plane.engine.store().write(move |tx| {
            Box::pin(async move {
                let entry = NewEntry::new("probe.entry", json!({}));
                tx.journal_append_once(fence, &[("a".to_owned(), entry)], now).await
            })
        });
        Result::<_, StoreError>::unwrap(sent.await);
        plane.engine.finish_one(fence, engine::work::Outcome::done(json!({}))).await.unwrap();
        server::auth::sign_in_code(&plane.engine).await.unwrap();
        until("the first looks are over", || async { figures(&plane, "integrity").1 == 1 }).await;
        assert_eq!((figures(&plane, "idempotency").0, figures(&plane, "sessions").0), (0, 0), "not before their time");
        plane.clock.advance(limits::IDEMPOTENCY + SECOND);
        for job in ["idempotency", "sessions", "outboxes"] {
            did(&plane, job, 1).await;
        }
        plane.stop().await;
    }
}

/// P53, X38, F22: runs past their project's count go, and their blobs after the grace time; a stray
/// file goes, too; what is left verifies.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_runs_and_their_blobs_go() {
    for plane in planes().await {
        let project = plane.project("old", plane.folder()).await;
        plane.engine.set_document(project, PROOF, json!({"keep_runs": 1}), 0, &somebody()).await.unwrap();
        let runs = [ended(&plane, project).await, ended(&plane, project).await, ended(&plane, project).await];
        let active = submit(&plane, project, None).await;
        for (at, run) in runs.into_iter().enumerate() {
            keep(&plane, run, format!("artifact {at}").as_bytes()).await;
        }
        let blob = |at: usize| {
            let name = Digest::of(format!("artifact {at}").as_bytes()).to_string();
            plane.folder().join("blobs").join(&name[..2]).join(&name[2..])
        };
        assert!((0..3).all(|at| blob(at).exists()));
        plane.clock.advance(limits::RETENTION_EVERY + SECOND);
        did(&plane, "retention", 2).await;
        for (run, dropped) in runs.into_iter().zip([true, true, false]) {
            let read = plane.engine.store().read(move |tx| Box::pin(async move { tx.run_is_dropped(run).await })).await;
            assert_eq!(Result::<_, StoreError>::unwrap(read), dropped);
            assert!(plane.engine.run(run).await.unwrap().status.is_terminal(), "its line stays");
        }
        assert!(!plane.engine.run(active).await.unwrap().status.is_terminal());
        plane.clock.advance(limits::BLOB_GRACE + limits::BLOBS_EVERY + SECOND);
        did(&plane, "blobs", 2).await;
        assert_eq!([0, 1, 2].map(|at| blob(at).exists()), [false, false, true]);
        // A file of a put whose transaction never came.
        let stray = plane.engine.blobs().put_bytes(b"stray".to_vec()).await.unwrap().digest.to_string();
        let stray = plane.folder().join("blobs").join(&stray[..2]).join(&stray[2..]);
        age(&stray, limits::BLOB_GRACE + SECOND);
        plane.clock.advance(limits::BLOBS_EVERY + SECOND);
        did(&plane, "strays", 1).await;
        assert!(!stray.exists() && blob(2).exists());
        let verified = plane.engine.store().verify_all(plane.engine.blobs()).await.unwrap();
        assert_eq!(verified.damage, []);
        plane.stop().await;
    }
}

async fn keep(plane: &TestPlane, run: RunId, bytes: &[u8]) {
    let blob = plane.engine.blobs().put_bytes(bytes.to_vec()).await.unwrap();
    let artifact = Artifact {
        id: ArtifactId::from_uuid(plane.clock.id()),
        run,
        task: None,
        name: "a.txt".to_owned(),
        digest: blob.digest,
        bytes: blob.bytes,
        media_type: "text/plain".to_owned(),
        created_at: plane.clock.now(),
        expired: false,
    };
    let stored = plane.engine.store().write(move |tx| {
        let artifact = artifact.clone();
        Box::pin(async move { tx.artifact_insert(&artifact).await.map(drop) })
    });
    Result::<_, StoreError>::unwrap(stored.await);
}

/// Makes a file or folder look as if nobody touched it for so long.
fn age(path: &Path, by: Duration) {
    fs::File::open(path).unwrap().set_modified(std::time::SystemTime::now() - by).unwrap();
}

/// X38, K3: a project's stream is cut behind its days, at the end of an append, and still verifies.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_projects_stream_is_cut_and_verifies() {
    for plane in planes().await {
        let project = plane.project("long", plane.folder()).await;
        ended(&plane, project).await;
        let board = StreamId::Project(project);
        let before = entries(&plane, board).await.len();
        assert!(before > 1);
        plane.clock.advance(Duration::from_secs(u64::from(limits::KEEP_DAYS) * 86_400) - Duration::from_secs(3_600));
        let run = submit(&plane, project, None).await;
        plane.clock.advance(2 * limits::JOURNALS_EVERY);
        did(&plane, "journals", before as u64).await;
        let left = entries(&plane, board).await;
        assert!(!left.is_empty() && left[0].seq == before as u64 + 1 && left[0].data.contains(&run.to_string()));
        let verified = plane.engine.store().verify_stream(board).await.unwrap();
        assert_eq!(verified.damage, []);
        plane.stop().await;
    }
}

/// P51, P52, X24, F11: a flipped byte in an evidence blob is found without anybody asking; the board is
/// told once, with the run's name, and the run's own stream stays closed. Put back, it is sound again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_evidence_is_found_by_itself() {
    for plane in planes().await {
        let project = plane.project("proven", plane.folder()).await;
        let requirement = proven::requirement(&plane.engine, project, &["unit"], &["a"]).await;
        proven::observe(&plane.engine, project, "here").await;
        let said = proven::Said::passed(requirement);
        let sound = said.output.clone();
        let evidence = proven::record(&plane.engine, project, said, |_| {}).await;
        until("it was looked at", || async { figures(&plane, "integrity").1 > 0 }).await;
        let board = || async { entries(&plane, StreamId::Project(project)).await };
        let closed = entries(&plane, StreamId::Run(evidence.run)).await.len();
        assert!(of_kind(&board().await, "evidence.tampered").is_empty());
        let digest = Digest::of(sound.as_bytes()).to_string();
        let blob = plane.folder().join("blobs").join(&digest[..2]).join(&digest[2..]);
        fs::write(&blob, sound.replacen("ran", "raN", 1)).unwrap();
        for _ in 0..2 {
            let (_, runs, _) = figures(&plane, "integrity");
            plane.clock.advance(limits::INTEGRITY_EVERY + SECOND);
            until("it is looked at again", || async { figures(&plane, "integrity").1 > runs }).await;
            until("it is told", || async { !of_kind(&board().await, "evidence.tampered").is_empty() }).await;
        }
        let told = board().await;
        let told = of_kind(&told, "evidence.tampered");
        assert_eq!(told.len(), 1, "once");
        let data: Value = serde_json::from_str(&told[0].data).unwrap();
        assert_eq!(data["run"], evidence.run.to_string());
        assert_eq!(data["evidence"], evidence.id.to_string());
        assert_eq!(entries(&plane, StreamId::Run(evidence.run)).await.len(), closed);
        plane.stop().await;
    }
}

/// L15: folders and pins of runs that are over go; those of active runs, of other planes, and what was
/// touched just now stay.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn folders_and_pins_of_ended_runs_go() {
    for plane in planes().await {
        let repo = Repo::new();
        repo.file("a", "a");
        let commit = repo.commit();
        let project = plane.project("folders", repo.path()).await;
        let (over, fresh) = (ended(&plane, project).await, ended(&plane, project).await);
        let active = submit(&plane, project, None).await;
        // Begun, so that it does not end for want of a worker meanwhile.
        claim(&plane).await;
        let unknown = RunId::from_uuid(plane.clock.id());
        let folder = |name: &str| plane.folder().join("runs").join(name);
        for name in [over.to_string(), active.to_string(), unknown.to_string(), fresh.to_string(), "mine".to_owned()] {
            fs::create_dir_all(folder(&name).join("x")).unwrap();
            if name != fresh.to_string() {
                age(&folder(&name), limits::FOLDER_GRACE + SECOND);
            }
            repo.git(&["update-ref", &format!("refs/proofhouse/{name}"), &commit]);
        }
        repo.git(&["update-ref", "refs/proofhouse/archive/1", &commit]);
        plane.clock.advance(limits::FOLDERS_EVERY + SECOND);
        did(&plane, "folders", 4).await;
        let left = [over, active, unknown, fresh].map(|run| folder(&run.to_string()).exists());
        assert_eq!((left, folder("mine").exists()), ([false, true, false, true], true));
        let pins = repo.git(&["for-each-ref", "--format=%(refname)", "refs/proofhouse"]);
        let mut pins: Vec<&str> = pins.lines().collect();
        let mut kept = [active.to_string(), unknown.to_string(), "mine".to_owned(), "archive/1".to_owned()]
            .map(|name| format!("refs/proofhouse/{name}"));
        pins.sort_unstable();
        kept.sort_unstable();
        assert_eq!(pins, kept);
        plane.stop().await;
    }
}

/// A job that fails is counted, stops no other, and is done again at its next time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_fails_stops_no_other() {
    let plane = TestPlane::start().await;
    until("the first looks are over", || async { figures(&plane, "integrity").1 == 1 }).await;
    let place = plane.folder().join("blobs/new");
    fs::remove_dir(&place).unwrap();
    fs::write(&place, "in the way").unwrap();
    let (_, after, _) = figures(&plane, "idempotency");
    plane.clock.advance(limits::BLOBS_EVERY + SECOND);
    until("it fails", || async { figures(&plane, "strays").2 == 1 }).await;
    until("the next goes on", || async { figures(&plane, "idempotency").1 > after }).await;
    fs::remove_file(&place).unwrap();
    fs::create_dir(&place).unwrap();
    let (_, runs, failures) = figures(&plane, "strays");
    plane.clock.advance(limits::BLOBS_EVERY + SECOND);
    until("it is done again", || async { figures(&plane, "strays").1 > runs }).await;
    assert_eq!(figures(&plane, "strays").2, failures);
    plane.stop().await;
}

/// P51, F7: a replica that keeps its blobs elsewhere cannot say that evidence was tampered with.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_without_the_blobs_accuses_nobody() {
    let Some(server) = database::postgres_server() else {
        println!("skipped: PostgreSQL, named in PROOFHOUSE_TEST_POSTGRES");
        return;
    };
    let plane = TestPlane::with(Wanted { postgres: Some(server), ..Wanted::default() }).await;
    let project = plane.project("apart", plane.folder()).await;
    let requirement = proven::requirement(&plane.engine, project, &["unit"], &["a"]).await;
    proven::observe(&plane.engine, project, "here").await;
    let said = proven::Said::passed(requirement);
    let output = said.output.clone();
    let evidence = proven::record(&plane.engine, project, said, |_| {}).await.id;
    until("it was looked at", || async { figures(&plane, "integrity").1 > 0 }).await;
    // As another replica with a folder of its own would find it.
    let home = plane
        .engine
        .store()
        .write(|tx| Box::pin(async move { tx.setting_put("blobs", &json!("another folder")).await }));
    Result::<_, StoreError>::unwrap(home.await);
    let digest = Digest::of(output.as_bytes()).to_string();
    fs::remove_file(plane.folder().join("blobs").join(&digest[..2]).join(&digest[2..])).unwrap();
    let (_, runs, _) = figures(&plane, "integrity");
    plane.clock.advance(limits::INTEGRITY_EVERY + SECOND);
    until("it is looked at again", || async { figures(&plane, "integrity").1 > runs }).await;
    tokio::time::sleep(2 * SECOND).await;
    // Nor by one who asks for it: it cannot be told, which is not the same as tampered with.
    let asked = engine::proof::evidence::examine(&plane.engine, project, &[evidence]).await.unwrap_err();
    assert_eq!(asked.code, model::code::Code::StoreUnavailable, "{asked}");
    assert!(of_kind(&entries(&plane, StreamId::Project(project)).await, "evidence.tampered").is_empty());
    assert_eq!(figures(&plane, "integrity").2, 0);
    plane.stop().await;
}
