//! Rows that are made, read, changed and refused.

use model::{
    actor::{Actor, Role},
    digest::Digest,
    id::*,
    question::{Question, QuestionKind, QuestionState},
    run::RunStatus,
    task::{TaskEvent, TaskState},
};
use serde_json::json;
use store::{
    IdempotencyKey, NewTask, Person, QuestionEnd, RunChange, RunFilter, StoreError, StoredAnswer, TaskChange,
    TaskFilter, Token,
};

use crate::support::*;

both! {
    /// F21, F11: closing waits for writes, lets go of whom it told, refuses from then on, and leaves no
    /// write-ahead log that a flipped byte could cut short.
    async fn a_closed_store_lets_go(db: Db) {
        let held = std::sync::Arc::new(());
        let hook = std::sync::Arc::clone(&held);
        db.store.on_commit(move |_| drop(std::sync::Arc::clone(&hook)));
        db.start(vec![task("a")]).await;
        assert_eq!(std::sync::Arc::strong_count(&held), 2);
        db.store.close().await;
        assert_eq!(std::sync::Arc::strong_count(&held), 1);
        let ping = tokio::time::timeout(std::time::Duration::from_secs(20), db.store.ping()).await.unwrap();
        assert!(matches!(ping, Err(StoreError::Unavailable(_))), "{ping:?}");
        let write = tokio::time::timeout(
            std::time::Duration::from_secs(20),
            db.store.write(|_| Box::pin(async { Ok::<_, StoreError>(()) })),
        );
        assert!(matches!(write.await.unwrap(), Err(StoreError::Unavailable(_))));
        db.store.close().await;
        if let store::StoreUrl::Sqlite(path) = &db.url {
            for end in ["-wal", "-shm"] {
                assert!(!std::path::PathBuf::from(format!("{}{end}", path.display())).exists(), "{end} is left");
            }
        }
    }

    async fn every_statement_can_be_prepared(db: Db) {
        assert!(db.store.prepare_all().await.unwrap() > 90);
    }

    /// X7, P19: one active run per key; the refusal names it, and its end frees the key.
    async fn a_second_active_run_with_the_same_key_is_refused_by_name(db: Db) {
        let with_key = |key: &str| {
            let mut run = db.new_run();
            run.exclusive_key = Some(key.to_owned());
            run
        };
        let insert = |run: model::run::Run| {
            db.store.write(move |tx| {
                let run = run.clone();
                Box::pin(async move { tx.run_insert(&run, None, None).await })
            })
        };
        let (first, second, other) = (with_key("proof:/a"), with_key("proof:/a"), with_key("proof:/b"));
        insert(first.clone()).await.unwrap();
        assert_eq!(insert(second.clone()).await, Err(StoreError::RunActive { run: first.id }));
        insert(other).await.unwrap();
        let (id, now) = (first.id, db.now());
        let cancelled = RunChange { status: Some(RunStatus::Cancelled), ..RunChange::default() };
        within!(db, |tx| tx.run_set(id, &RunChange { status: Some(RunStatus::Cancelled), ..Default::default() }, now).await)
            .await
            .unwrap()
            .unwrap();
        insert(second.clone()).await.unwrap();
        assert_eq!(db.run(second.id).await, second);
        // K5: the ended one takes no status any more.
        let again = db.store.write(move |tx| {
            let cancelled = cancelled.clone();
            Box::pin(async move { tx.run_set(id, &cancelled, now).await })
        });
        assert_eq!(again.await, Ok::<_, StoreError>(None));
    }

    /// B8: pages go from the newest to the oldest, each run once.
    async fn runs_are_listed_page_by_page_with_filters(db: Db) {
        let mut made = Vec::new();
        for _ in 0..7 {
            made.push(db.start(vec![]).await);
        }
        let (id, now, project) = (made[2], db.now(), db.project);
        within!(db, |tx| {
            let change = RunChange { status: Some(RunStatus::Running), phase: Some("gates".into()), ..Default::default() };
            tx.run_set(id, &change, now).await
        })
        .await
        .unwrap();
        let page = |status: Vec<RunStatus>, before: Option<RunId>| {
            let filter = RunFilter { project: Some(project), kind: Some("proof".into()), status, verdict: None };
            db.store.read(move |tx| {
                let filter = filter.clone();
                Box::pin(async move { tx.runs(&filter, before, 3).await })
            })
        };
        let mut seen = Vec::new();
        loop {
            let runs: Vec<_> = Result::<_, StoreError>::unwrap(page(vec![], seen.last().copied()).await);
            if runs.is_empty() {
                break;
            }
            seen.extend(runs.iter().map(|run| run.id));
        }
        made.reverse();
        assert_eq!(seen, made);
        let running: Vec<_> = Result::<_, StoreError>::unwrap(page(vec![RunStatus::Running], None).await);
        assert_eq!(running.len(), 1);
        assert_eq!((running[0].phase.as_str(), running[0].started_at), ("gates", Some(now)));
        let counts = within!(db, |tx| tx.run_counts(project, &model::run::RunKind::PROOF).await).await.unwrap();
        assert_eq!(counts, [(RunStatus::Queued, 6), (RunStatus::Running, 1)]);
        assert_eq!(within!(db, |tx| tx.active_runs().await).await.unwrap().len(), 7);
    }

    /// X54: a gate waits for its commands, and the counters move by the rows that changed.
    async fn a_blocked_task_is_freed_by_its_last_need(db: Db) {
        let (a, b) = (task("a"), task("b"));
        let gate = NewTask::blocked(TaskId::from_uuid(uuid()), "gate", "REQ-0001/unit", vec![a.id, b.id], json!({}));
        let (a, b, gate_id) = (a.clone(), b.clone(), gate.id);
        let run = db.start(vec![a.clone(), b.clone(), gate]).await;
        let worker = worker();
        let leased = db.claim(worker, 10).await;
        assert_eq!(leased.iter().map(|l| l.task.id).collect::<Vec<_>>(), [a.id, b.id]);
        for (at, held) in leased.iter().enumerate() {
            db.finish(fence(held)).await.unwrap();
            let id = held.task.id;
            let freed = within!(db, |tx| tx.tasks_unblocked_by(id).await).await.unwrap();
            assert_eq!(freed.iter().map(|t| t.id).collect::<Vec<_>>(), if at == 1 { vec![gate_id] } else { vec![] });
        }
        let now = db.now();
        let judge = || within!(db, |tx| {
            let change = TaskChange::new(TaskEvent::Finished).detail("failed").output(json!({"verdict": "failed"})).bad(true);
            tx.task_transition(gate_id, &[TaskState::Blocked], &change, now).await
        });
        let judged = judge().await.unwrap().unwrap();
        assert_eq!((judged.state, judged.detail.as_deref()), (TaskState::Done, Some("failed")));
        assert_eq!(judge().await, Ok(None), "only one wins");
        let progress = db.run(run).await.progress;
        assert_eq!((progress.total, progress.done, progress.failed), (3, 3, 1));
        assert_eq!(within!(db, |tx| tx.run_recount(run, false).await).await.unwrap(), progress);
        let filter = TaskFilter { subject_prefix: Some("REQ-".into()), details: vec!["failed".into()], ..Default::default() };
        let found = db.store.read(move |tx| {
            let filter = filter.clone();
            Box::pin(async move { tx.tasks(run, &filter, None, 10).await })
        });
        assert_eq!(Result::<_, StoreError>::unwrap(found.await), [db.task(gate_id).await]);
    }

    async fn ten_thousand_tasks_are_stored_and_paged(db: Db) {
        let tasks: Vec<_> = (0..10_000).map(|n| task(&format!("t{n:05}"))).collect();
        let begun = std::time::Instant::now();
        let run = db.start(tasks).await;
        assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
        let mut seen = Vec::new();
        loop {
            let after: Option<(String, String)> = seen.last().cloned();
            let page = db.store.read(move |tx| {
                let after = after.clone();
                Box::pin(async move {
                    let after = after.as_ref().map(|(kind, subject)| (kind.as_str(), subject.as_str()));
                    tx.tasks(run, &TaskFilter::default(), after, 500).await
                })
            });
            let page = Result::<_, StoreError>::unwrap(page.await);
            if page.is_empty() {
                break;
            }
            seen.extend(page.into_iter().map(|task| (task.kind, task.subject)));
        }
        assert_eq!(seen.len(), 10_000);
        assert!(seen.is_sorted());
        assert_eq!(db.run(run).await.progress.total, 10_000);
    }

    /// K1, F5, P21: the same key and body give the first answer; another body is refused; a failed
    /// effect leaves the key free.
    async fn an_idempotency_key_gives_the_first_answer_again(db: Db) {
        let key = IdempotencyKey { principal: "user:1".into(), route: "POST /runs".into(), key: "k".into() };
        let submit = |body: &str, fails: bool| {
            let (key, digest, now, run) = (key.clone(), Digest::of(body.as_bytes()), db.now(), db.new_run());
            db.store.write(move |tx| {
                let (key, run) = (key.clone(), run.clone());
                Box::pin(async move {
                    if let Some(answer) = tx.idempotency_get(&key, &digest, now).await? {
                        return Ok(answer);
                    }
                    tx.run_insert(&run, None, None).await?;
                    if fails {
                        return Err(StoreError::WrongState("no".into()));
                    }
                    let answer = StoredAnswer { status: 202, body: run.id.to_string() };
                    tx.idempotency_put(&key, &answer).await?;
                    Ok(answer)
                })
            })
        };
        assert!(submit("a", true).await.is_err());
        let first = submit("a", false).await.unwrap();
        assert_eq!(submit("a", false).await.unwrap(), first);
        assert_eq!(submit("b", false).await, Err(StoreError::KeyReused));
        assert_eq!(within!(db, |tx| tx.active_runs().await).await.unwrap().len(), 1);
        db.advance(model::limits::IDEMPOTENCY);
        assert_ne!(submit("b", false).await.unwrap(), first, "a day later the key is new");
    }

    /// K1, F5: fifty at once with one key are one run.
    async fn many_submits_with_one_key_at_once_are_one_run(db: Db) {
        let key = IdempotencyKey { principal: "user:1".into(), route: "POST /runs".into(), key: "k".into() };
        let calls = (0..50).map(|_| {
            let (store, key, now, run) = (db.store.clone(), key.clone(), db.now(), db.new_run());
            tokio::spawn(async move {
                store.write(move |tx| {
                    let (key, run) = (key.clone(), run.clone());
                    Box::pin(async move {
                        if let Some(answer) = tx.idempotency_get(&key, &Digest::of(b"x"), now).await? {
                            return Ok::<_, StoreError>(answer);
                        }
                        tx.run_insert(&run, None, None).await?;
                        let answer = StoredAnswer { status: 202, body: run.id.to_string() };
                        tx.idempotency_put(&key, &answer).await?;
                        Ok(answer)
                    })
                })
                .await
            })
        });
        let mut answers = Vec::new();
        for call in calls.collect::<Vec<_>>() {
            answers.push(call.await.unwrap().unwrap().body);
        }
        answers.dedup();
        assert_eq!(answers.len(), 1);
        assert_eq!(within!(db, |tx| tx.active_runs().await).await.unwrap().len(), 1);
    }

    /// X10: a question ends once; one is open per subject.
    async fn a_question_is_answered_once(db: Db) {
        let run = db.start(vec![]).await;
        let make = || Question {
            id: QuestionId::from_uuid(uuid()), project: db.project, run, task: None, kind: QuestionKind::Review,
            state: QuestionState::Open, subject: "REQ-0001/manual".into(), prompt: "look".into(), schema: json!({"checklist": []}),
            answer: None, answered_by: None, ended_at: None, because: None, expires_at: Some(db.now()), created_at: db.now(),
        };
        let (first, second) = (make(), make());
        let ask = |question: Question| db.store.write(move |tx| {
            let question = question.clone();
            Box::pin(async move { tx.question_insert(&question).await })
        });
        assert_eq!(ask(first.clone()).await, Ok::<_, StoreError>(true));
        assert_eq!(ask(second.clone()).await, Ok::<_, StoreError>(false));
        let (id, now, project) = (first.id, db.now(), db.project);
        assert_eq!(within!(db, |tx| tx.question_open(project, "REQ-0001/manual").await).await.unwrap(), Some(first.clone()));
        assert_eq!(within!(db, |tx| tx.questions_due(now).await).await.unwrap().len(), 1);
        let end = QuestionEnd::Answered { answer: json!({"decision": "accept"}), by: Actor::System };
        let answered = db.store.write(move |tx| {
            let end = end.clone();
            Box::pin(async move { tx.question_end(id, &end, now).await })
        });
        let answered = Result::<_, StoreError>::unwrap(answered.await).unwrap();
        assert_eq!((answered.state, answered.ended_at), (QuestionState::Answered, Some(now)));
        assert_eq!(within!(db, |tx| tx.question_end(id, &QuestionEnd::Expired, now).await).await, Ok(None));
        assert_eq!(ask(second).await, Ok::<_, StoreError>(true));
        assert_eq!(within!(db, |tx| tx.questions_of(run).await).await.unwrap().len(), 2);
        assert_eq!(within!(db, |tx| tx.questions(project, Some(QuestionState::Open), None, 10).await).await.unwrap().len(), 1);
    }

    async fn a_document_is_replaced_only_by_whoever_read_its_newest_version(db: Db) {
        let (project, now) = (db.project, db.now());
        let put = |read: u64, body: serde_json::Value| db.store.write(move |tx| {
            let body = body.clone();
            Box::pin(async move { tx.document_put(project, "policy", read, &body, &Actor::System, now).await })
        });
        assert_eq!(put(0, json!({"v": 1})).await.unwrap().revision, 1);
        assert_eq!(put(0, json!({"v": 2})).await, Err(StoreError::RevisionOld { found: 1 }));
        let second = put(1, json!({"v": 2})).await.unwrap();
        assert_eq!(second.digest, Digest::of(br#"{"v":2}"#));
        let newest = within!(db, |tx| tx.document(project, "policy").await).await.unwrap();
        assert_eq!(newest, Some(second));
        assert_eq!(within!(db, |tx| tx.document_history(project, "policy", 10).await).await.unwrap().len(), 2);
        assert_eq!(within!(db, |tx| tx.document_at(project, "policy", 1).await).await.unwrap().unwrap().body, json!({"v": 1}));
        within!(db, |tx| tx.setting_put("a", &json!(1)).await).await.unwrap();
        within!(db, |tx| tx.setting_put("a", &json!({"b": [2]})).await).await.unwrap();
        assert_eq!(within!(db, |tx| tx.setting("a").await).await.unwrap(), Some(json!({"b": [2]})));
    }

    async fn secrets_are_known_by_digest_and_end(db: Db) {
        let person = Person { id: UserId::from_uuid(uuid()), name: "Ada".into(), role: Role::Admin, created_at: db.now() };
        let token = Token {
            id: TokenId::from_uuid(uuid()), label: "ci".into(), scope: "person".into(), role: Role::Member,
            project: Some(db.project), person: Some((person.id, "Ada".into())), run: None, worker: None,
            created_by: Actor::System, created_at: db.now(), expires_at: None, revoked_at: None,
        };
        let secret = Digest::of(b"secret");
        let (now, made, kept, who) = (db.now(), token.clone(), person.clone(), person.id);
        db.store.write(move |tx| {
            let (person, token) = (person.clone(), made.clone());
            Box::pin(async move {
                tx.person_insert(&person).await?;
                tx.token_insert(&token, &secret).await?;
                tx.session_insert(&Digest::of(b"s"), person.id, now, now.shifted(10)).await?;
                tx.session_token_insert(&Digest::of(b"s"), token.id).await?;
                tx.sign_in_link_insert(&Digest::of(b"l"), person.id, now, now.shifted(10)).await
            })
        }).await.unwrap();
        let found = within!(db, |tx| tx.token_by_secret(&secret).await).await.unwrap().unwrap();
        assert_eq!(found, token);
        assert!(found.is_live(now));
        let id = token.id;
        assert!(within!(db, |tx| tx.token_revoke(id, now).await).await.unwrap());
        assert!(!within!(db, |tx| tx.token_by_secret(&secret).await).await.unwrap().unwrap().is_live(now));
        let behind = within!(db, |tx| tx.session_token(&Digest::of(b"s")).await).await.unwrap().unwrap();
        assert!(behind.id == id && !behind.is_live(now));
        assert_eq!(within!(db, |tx| tx.session_token(&Digest::of(b"other")).await).await.unwrap(), None);
        assert_eq!(within!(db, |tx| tx.session(&Digest::of(b"s"), now).await).await.unwrap(), Some(kept.clone()));
        assert_eq!(within!(db, |tx| tx.session(&Digest::of(b"s"), now.shifted(10)).await).await.unwrap(), None);
        assert_eq!(within!(db, |tx| tx.sign_in_link_use(&Digest::of(b"l"), now).await).await.unwrap(), Some(kept));
        assert_eq!(within!(db, |tx| tx.sign_in_link_use(&Digest::of(b"l"), now).await).await.unwrap(), None, "once");
        assert_eq!(within!(db, |tx| tx.sessions_sweep(now.shifted(10)).await).await.unwrap(), 2);
        assert_eq!(within!(db, |tx| tx.session_token(&Digest::of(b"s")).await).await.unwrap(), None);
        assert_eq!(within!(db, |tx| tx.person(who).await).await.unwrap().unwrap().name, "Ada");
    }

    /// F7: one leader at a time; the one that was replaced is refused.
    async fn a_job_has_one_leader_with_an_epoch(db: Db) {
        let (a, b, now) = (worker(), worker(), db.now());
        let time = std::time::Duration::from_secs(10);
        let take = |holder, at| within!(db, |tx| tx.leader_take("sweep", holder, at, time).await);
        assert_eq!(take(a, now).await, Ok(Some(1)));
        assert_eq!(take(b, now).await, Ok(None));
        assert_eq!(take(a, now.shifted(5)).await, Ok(Some(1)), "kept, not taken anew");
        assert_eq!(take(b, now.plus(time * 2)).await, Ok(Some(2)));
        assert!(within!(db, |tx| tx.leader_check("sweep", 1).await).await.is_err());
        within!(db, |tx| tx.leader_check("sweep", 2).await).await.unwrap();
        within!(db, |tx| tx.leader_leave("sweep", b).await).await.unwrap();
        assert_eq!(take(a, now).await, Ok(Some(3)));
    }
}
