//! Claims, leases and outcomes.

use std::{collections::HashSet, time::Duration};

use model::{
    id::TaskId,
    journal::StreamId,
    limits::LEASE,
    run::RunStatus,
    task::{Fence, TaskEvent, TaskState},
};
use store::{Beat, LostReason, Outcome, Reaped, Released, RunChange, StoreError, TaskChange};

use crate::support::*;

fn lost(task: TaskId, reason: LostReason) -> StoreError {
    StoreError::LeaseLost { task, reason }
}

both! {
    /// F4: many claimers at once get each task once and leave none.
    async fn many_claimers_get_each_task_once(db: Db) {
        let run = db.start((0..300).map(|n| task(&format!("{n:03}"))).collect()).await;
        let claimers = (0..16).map(|_| {
            let db = db.clone();
            tokio::spawn(async move {
                let worker = worker();
                let mut got = Vec::new();
                loop {
                    let leased = db.claim(worker, 3).await;
                    if leased.is_empty() {
                        return got;
                    }
                    got.extend(leased.iter().map(fence));
                }
            })
        });
        let mut got = Vec::new();
        for claimer in claimers.collect::<Vec<_>>() {
            got.extend(claimer.await.unwrap());
        }
        let distinct: HashSet<_> = got.iter().map(|fence| fence.task).collect();
        assert_eq!((got.len(), distinct.len()), (300, 300));
        assert!(got.iter().all(|fence| fence.generation == 1));
        let run = db.run(run).await;
        assert_eq!((run.status, run.started_at), (RunStatus::Running, Some(db.now())));
        let started = within!(db, |tx| tx.entries_of(StreamId::Run(run.id), &["run.status"], 0, 10).await).await.unwrap();
        assert_eq!(started.len(), 1, "the first claim starts the run once");
        // X57, W1: whoever follows the project alone sees it go on.
        let board = StreamId::Project(run.project);
        let told = within!(db, |tx| tx.entries_of(board, &["run.status"], 0, 10).await).await.unwrap();
        assert_eq!(told.len(), 1, "{told:?}");
        let data: serde_json::Value = serde_json::from_str(&told[0].data).unwrap();
        assert_eq!(data["run"], serde_json::json!(run.id));
        assert_eq!((&data["to"], &data["run_kind"]), (&"running".into(), &serde_json::json!(run.kind)));
    }

    /// D52: priority first, then one run after the other, then age; labels must be offered.
    async fn claims_are_ordered_and_fair_over_runs(db: Db) {
        let many = db.start((0..5).map(|n| task(&format!("many{n}"))).collect()).await;
        let few = db.start((0..2).map(|n| task(&format!("few{n}"))).collect()).await;
        let mut urgent = task("urgent");
        urgent.priority = 5;
        let mut picky = task("picky");
        picky.labels = vec!["gpu".into(), "linux".into()];
        let mut later = task("later");
        later.not_before = Some(db.now().plus(Duration::from_secs(60)));
        db.start(vec![urgent, picky, later]).await;
        let worker = worker();
        let mut order = Vec::new();
        for _ in 0..10 {
            order.extend(db.claim(worker, 1).await.into_iter().map(|leased| (leased.task.run, leased.task.subject)));
        }
        let subjects: Vec<_> = order.iter().map(|(_, subject)| subject.as_str()).collect();
        assert_eq!(subjects[0], "urgent");
        assert_eq!(subjects.len(), 8, "{subjects:?}");
        let first_four: Vec<_> = order[1..5].iter().map(|(run, _)| *run).collect();
        assert_eq!(first_four, [many, few, many, few], "{subjects:?}");
        let mut request = db.request(worker, 5);
        request.labels = vec!["gpu".into()];
        assert!(db.store.claim(request.clone()).await.unwrap().is_empty());
        request.labels = vec!["linux".into(), "gpu".into(), "more".into()];
        request.claim_id = "other".into();
        assert_eq!(db.store.claim(request).await.unwrap()[0].task.subject, "picky");
        db.advance(Duration::from_secs(60));
        assert_eq!(db.claim(worker, 5).await[0].task.subject, "later");
    }

    /// D52: a lost reply loses nothing.
    async fn the_same_claim_again_gives_the_same_leases_while_they_live(db: Db) {
        db.start((0..4).map(|n| task(&n.to_string())).collect()).await;
        let request = db.request(worker(), 2);
        let first = db.store.claim(request.clone()).await.unwrap();
        let mut again = db.store.claim(request.clone()).await.unwrap();
        again.sort_by_key(|leased| leased.task.subject.clone());
        assert_eq!(again.iter().map(fence).collect::<Vec<_>>(), first.iter().map(fence).collect::<Vec<_>>());
        assert_eq!(again[0].task, first[0].task);
        let mut other = request;
        other.claim_id = "another".into();
        assert_eq!(db.store.claim(other).await.unwrap().len(), 2);
    }

    /// D52, K5: paused and cancelling runs give out nothing; resuming gives out exactly the rest.
    async fn a_paused_run_gives_out_nothing(db: Db) {
        let run = db.start((0..3).map(|n| task(&n.to_string())).collect()).await;
        let worker = worker();
        let held = db.claim(worker, 1).await;
        let now = db.now();
        let set = |status: RunStatus| within!(db, |tx| {
            tx.run_set(run, &RunChange { status: Some(status), ..Default::default() }, now).await
        });
        set(RunStatus::Paused).await.unwrap().unwrap();
        assert!(db.claim(worker, 5).await.is_empty());
        let more = [task("more")];
        let project = db.project;
        db.store.write(move |tx| {
            let more = more.clone();
            Box::pin(async move { tx.tasks_insert(run, project, &more, now).await })
        }).await.map_err(|error: StoreError| error).unwrap();
        assert!(db.claim(worker, 5).await.is_empty(), "new work of a paused run waits, too");
        db.finish(fence(&held[0])).await.unwrap();
        set(RunStatus::Running).await.unwrap().unwrap();
        assert_eq!(db.claim(worker, 5).await.len(), 3);
    }

    /// F2, K2: a worker that died loses its task to the next one, with one outcome.
    async fn a_task_of_a_lost_worker_is_handed_out_again(db: Db) {
        let run = db.start(vec![task("a")]).await;
        let (dead, heir) = (worker(), worker());
        let old = fence(&db.claim(dead, 1).await[0]);
        assert!(db.store.reap(db.now().plus(LEASE).shifted(-1)).await.unwrap().is_empty());
        db.advance(LEASE);
        let reaped = db.store.reap(db.now()).await.unwrap();
        assert!(matches!(reaped.as_slice(), [Reaped::Requeued(task)] if task.state == TaskState::Ready && task.attempt == 1));
        assert!(db.store.reap(db.now()).await.unwrap().is_empty());
        let new = db.claim(heir, 1).await;
        assert_eq!((new[0].task.generation, new[0].task.attempt), (2, 2));
        assert_eq!(db.finish(old).await.unwrap_err(), lost(old.task, LostReason::Reclaimed));
        assert_eq!(db.store.append(old, vec![entry(1)], db.now()).await.unwrap_err(), lost(old.task, LostReason::Reclaimed));
        assert_eq!(db.store.heartbeat(dead, &[old], db.now()).await.unwrap(), [(old, Beat::Lost { reason: LostReason::Reclaimed })]);
        db.finish(fence(&new[0])).await.unwrap();
        let kinds: Vec<_> = within!(db, |tx| tx.entries(StreamId::Run(run), 0, 10).await).await.unwrap().into_iter().map(|e| e.kind).collect();
        assert_eq!(kinds, ["run.status", "task.requeued"]);
        assert_eq!(db.run(run).await.progress.done, 1);
    }

    /// F3, X16, D56: who slept past its lease is heard while nobody has claimed since.
    async fn a_late_holder_is_heard_while_nobody_claimed_since(db: Db) {
        db.start(vec![task("a")]).await;
        let sleeper = worker();
        let held = fence(&db.claim(sleeper, 1).await[0]);
        for word in 0..3 {
            db.advance(LEASE + Duration::from_secs(1));
            assert_eq!(db.store.reap(db.now()).await.unwrap().len(), 1);
            assert_eq!(db.task(held.task).await.state, TaskState::Ready);
            match word {
                0 => assert_eq!(db.store.heartbeat(sleeper, &[held], db.now()).await.unwrap(), [(held, Beat::Renewed)]),
                1 => assert_eq!(db.store.append(held, vec![entry(1)], db.now()).await.unwrap(), 4),
                _ => assert!(!db.finish(held).await.unwrap().repeated),
            }
            let task = db.task(held.task).await;
            assert_eq!((task.generation, task.attempt), (1, 1), "taken up again under its old attempt");
            if word < 2 {
                assert_eq!(task.state, TaskState::Leased);
                assert_eq!(task.lease.unwrap().expires_at, db.now().plus(LEASE));
                assert!(db.claim(worker(), 1).await.is_empty());
            }
        }
        assert_eq!(db.task(held.task).await.state, TaskState::Done);
        let other = worker();
        assert!(db.claim(other, 1).await.is_empty());
    }

    /// D55: a heartbeat extends nobody else's lease; a fence that never was is unknown.
    async fn a_heartbeat_extends_only_its_own_leases(db: Db) {
        db.start(vec![task("a")]).await;
        let (owner, thief) = (worker(), worker());
        let held = fence(&db.claim(owner, 1).await[0]);
        let future = Fence { generation: 7, ..held };
        let beats = db.store.heartbeat(thief, &[held, future], db.now()).await.unwrap();
        assert!(beats.iter().all(|(_, beat)| *beat == Beat::Lost { reason: LostReason::Revoked }), "{beats:?}");
        assert_eq!(db.store.append(future, vec![entry(1)], db.now()).await, Err(StoreError::NotFound("task")));
        db.advance(Duration::from_secs(10));
        assert_eq!(db.store.heartbeat(owner, &[held], db.now()).await.unwrap(), [(held, Beat::Renewed)]);
        assert_eq!(db.task(held.task).await.lease.unwrap().expires_at, db.now().plus(LEASE));
    }

    /// D59: an outcome is recorded once per claim; the same again is answered, another refused.
    async fn an_outcome_is_recorded_once(db: Db) {
        db.start(vec![task("a")]).await;
        let held = fence(&db.claim(worker(), 1).await[0]);
        assert!(!db.finish(held).await.unwrap().repeated);
        assert!(db.finish(held).await.unwrap().repeated);
        let now = db.now();
        let other = within!(db, |tx| tx.task_finish(held, &Outcome { done: false, ..outcome() }, now).await);
        assert_eq!(other.await, Err(StoreError::OutcomeSet { task: held.task }));
        assert_eq!(db.store.append(held, vec![entry(1)], now).await, Err(lost(held.task, LostReason::Finished)));
    }

    /// F17: a task that kills its worker each time is handed over after its attempts.
    async fn a_poison_task_uses_up_its_attempts_and_disturbs_nobody(db: Db) {
        let mut poison = task("poison");
        poison.max_attempts = 2;
        poison.priority = 9;
        let (id, good) = (poison.id, task("good"));
        let run = db.start(vec![poison, good.clone()]).await;
        for attempt in 1..=2 {
            let leased = db.claim(worker(), 1).await;
            assert_eq!((leased[0].task.id, leased[0].task.attempt), (id, attempt));
            db.advance(LEASE);
            let reaped = db.store.reap(db.now()).await.unwrap();
            assert_eq!(matches!(reaped.as_slice(), [Reaped::AttemptsUsedUp(_)]), attempt == 2, "{reaped:?}");
        }
        // Handed over again until somebody ends it: a kill in between loses nothing.
        assert_eq!(db.store.reap(db.now()).await.unwrap().len(), 1);
        let (now, fence) = (db.now(), Fence { task: id, generation: 2 });
        let end = || within!(db, |tx| tx.task_lost(fence, &TaskChange::new(TaskEvent::Failed).detail("worker_lost"), now).await);
        assert_eq!(end().await.unwrap().unwrap().state, TaskState::Failed);
        assert_eq!(end().await, Ok(None));
        let progress = db.run(run).await.progress;
        assert_eq!((progress.total, progress.done, progress.failed), (2, 1, 1));
        assert_eq!(db.claim(worker(), 1).await[0].task.id, good.id);
    }

    /// D59: giving back costs an attempt only where it says so, and not for ever.
    async fn a_released_task_is_ready_again(db: Db) {
        let mut only = task("a");
        only.max_attempts = 2;
        db.start(vec![only]).await;
        let worker = worker();
        for _ in 0..10 {
            let held = fence(&db.claim(worker, 1).await[0]);
            let released = db.store.release(held, "drain", false, None, db.now()).await.unwrap();
            assert!(matches!(released, Released::Requeued(task) if task.attempt == 0));
        }
        let later = db.now().plus(Duration::from_secs(5));
        let held = fence(&db.claim(worker, 1).await[0]);
        let released = db.store.release(held, "drain", false, Some(later), db.now()).await.unwrap();
        assert!(matches!(released, Released::Requeued(task) if task.attempt == 1), "the eleventh counts");
        assert!(db.claim(worker, 1).await.is_empty());
        db.advance(Duration::from_secs(5));
        let held = fence(&db.claim(worker, 1).await[0]);
        let released = db.store.release(held, "worker_restarted", true, None, db.now()).await.unwrap();
        assert!(matches!(released, Released::AttemptsUsedUp(_)));
        assert!(matches!(db.store.reap(db.now()).await.unwrap().as_slice(), [Reaped::AttemptsUsedUp(_)]));
    }

    /// X13: open tasks end at once, leased ones drain, and holders are told.
    async fn a_cancelled_run_drains(db: Db) {
        let run = db.start((0..3).map(|n| task(&n.to_string())).collect()).await;
        let holder = worker();
        let held = fence(&db.claim(holder, 1).await[0]);
        let now = db.now();
        let cancelled = within!(db, |tx| {
            tx.run_set(run, &RunChange { cancelling: Some(true), cancel_deadline: Some(now.shifted(10)), ..Default::default() }, now).await?;
            tx.cancel_open_tasks(run, now).await
        });
        assert_eq!(cancelled.await, Ok::<_, StoreError>(2));
        assert_eq!(db.store.heartbeat(holder, &[held], now).await.unwrap(), [(held, Beat::Cancelled)]);
        assert!(db.claim(worker(), 5).await.is_empty());
        assert_eq!(within!(db, |tx| tx.runs_due(now.shifted(10)).await).await.unwrap(), [(run, store::Due::Cancel)]);
        let open = within!(db, |tx| tx.open_tasks(run).await).await.unwrap();
        assert!(open.leased && !open.ready && !open.blocked);
        assert!(matches!(db.store.release(held, "cancelled", false, None, now).await.unwrap(), Released::Cancelled(_)));
        assert!(within!(db, |tx| tx.open_tasks(run).await).await.unwrap().is_empty());
        let progress = db.run(run).await.progress;
        assert_eq!((progress.total, progress.done, progress.failed), (3, 3, 0));
    }

    /// F12, X62: a step of the clock neither ends nor prolongs a lease.
    async fn a_clock_step_moves_every_expiry(db: Db) {
        let run = db.new_run();
        let (id, now, project, hour) = (run.id, db.now(), db.project, Duration::from_secs(3_600));
        db.store.write(move |tx| {
            let (run, tasks) = (run.clone(), [task("a"), store::NewTask { not_before: Some(now.shifted(1_000)), ..task("b") }]);
            Box::pin(async move {
                tx.run_insert(&run, Some(now.shifted(500)), Some(now.shifted(700))).await?;
                tx.tasks_insert(run.id, project, &tasks, now).await
            })
        }).await.map_err(|error: StoreError| error).unwrap();
        let holder = worker();
        db.claim(holder, 1).await;
        db.advance(hour);
        db.store.shift_expiries(i64::try_from(hour.as_micros()).unwrap()).await.unwrap();
        assert!(db.store.reap(db.now()).await.unwrap().is_empty(), "forward: no early expiry");
        assert!(db.claim(worker(), 1).await.is_empty());
        let (before, after) = (db.now().shifted(699), db.now().shifted(700));
        assert!(within!(db, |tx| tx.runs_due(before).await).await.unwrap().is_empty());
        assert_eq!(within!(db, |tx| tx.runs_due(after).await).await.unwrap(), [(id, store::Due::Run)]);
        db.store.shift_expiries(-i64::try_from(hour.as_micros()).unwrap()).await.unwrap();
        assert_eq!(db.store.reap(now.plus(LEASE)).await.unwrap().len(), 1, "back: no lease for ever");
    }
}

both! {
    /// P31: a run with slots never has more tasks leased than those, whoever claims and however they end.
    async fn slots_bound_what_is_leased_of_a_run(db: Db) {
        let run = db.new_run();
        let (id, project, now) = (run.id, db.project, db.now());
        let tasks: Vec<_> = (0..8).map(|n| task(&n.to_string())).collect();
        db.store.write(move |tx| {
            let (run, tasks) = (run.clone(), tasks.clone());
            Box::pin(async move {
                tx.run_insert(&run, None, None).await?;
                tx.run_slots(run.id, Some(2)).await?;
                tx.tasks_insert(run.id, project, &tasks, now).await
            })
        }).await.map_err(|error: StoreError| error).unwrap();
        let worker = worker();
        let first = db.claim(worker, 5).await;
        assert_eq!(first.len(), 2);
        assert!(db.claim(worker, 5).await.is_empty());
        db.finish(fence(&first[0])).await.unwrap();
        let second = db.claim(worker, 5).await;
        assert_eq!(second.len(), 1);
        db.store.release(fence(&second[0]), "drain", false, None, now).await.unwrap();
        let third = db.claim(worker, 5).await;
        assert_eq!(third.len(), 1, "what is given back takes its place again");
        let set = |status: RunStatus| within!(db, |tx| tx.run_set(id, &RunChange { status: Some(status), ..Default::default() }, now).await);
        set(RunStatus::Paused).await.unwrap().unwrap();
        db.finish(fence(&first[1])).await.unwrap();
        assert!(db.claim(worker, 5).await.is_empty());
        set(RunStatus::Running).await.unwrap().unwrap();
        let fourth = db.claim(worker, 5).await;
        assert_eq!(fourth.len(), 1);
        db.advance(LEASE);
        db.store.reap(db.now()).await.unwrap();
        assert_eq!(db.claim(worker, 5).await.len(), 2);
        within!(db, |tx| tx.run_slots(id, None).await).await.unwrap();
        assert_eq!(db.claim(worker, 9).await.len(), 4, "without a limit, all the rest");
    }
}

both! {
    /// D59, X54: many outcomes at once are as many single ones: each answer for itself, counted once.
    async fn many_outcomes_at_once_answer_each_for_itself(db: Db) {
        let mut uncounted = task("d");
        uncounted.counted = false;
        let run = db.start(vec![task("a"), task("b"), task("c"), uncounted]).await;
        let other = db.start(vec![task("e")]).await;
        let leased = db.claim(worker(), 5).await;
        let by = |subject: &str| fence(leased.iter().find(|leased| leased.task.subject == subject).unwrap());
        db.finish(by("b")).await.unwrap();
        let failed = Outcome { done: false, bad: true, ..outcome() };
        let list = vec![
            (by("a"), outcome()), (by("a"), outcome()), (by("b"), outcome()), (by("b"), failed.clone()), (by("c"), failed),
            (by("d"), outcome()), (by("e"), outcome()), (Fence { generation: 9, ..by("e") }, outcome()),
            (Fence { task: TaskId::from_uuid(uuid()), generation: 1 }, outcome()),
        ];
        let now = db.now();
        let answers = db.store.write(move |tx| {
            let list = list.clone();
            Box::pin(async move { tx.tasks_finish(&list, now).await })
        });
        let answers = Result::<_, StoreError>::unwrap(answers.await);
        let short: Vec<_> = answers.iter().map(|answer| answer.as_ref().map(|done| (done.task.state, done.repeated)).map_err(Clone::clone)).collect();
        assert_eq!(short, [
            Ok((TaskState::Done, false)), Ok((TaskState::Done, true)), Ok((TaskState::Done, true)),
            Err(StoreError::OutcomeSet { task: by("b").task }), Ok((TaskState::Failed, false)), Ok((TaskState::Done, false)),
            Ok((TaskState::Done, false)), Err(lost(by("e").task, LostReason::Finished)), Err(StoreError::NotFound("task")),
        ]);
        let progress = db.run(run).await.progress;
        assert_eq!((progress.total, progress.done, progress.failed), (3, 3, 1));
        assert_eq!(db.run(other).await.progress.done, 1);
        assert_eq!(db.task(by("c").task).await, answers[4].as_ref().unwrap().task);
        assert!(within!(db, |tx| tx.open_tasks(run).await).await.unwrap().is_empty());
    }

    /// K2, B1: appends of many workers at once are each answered, dense, and refused one by one.
    async fn appends_of_many_workers_at_once_are_dense(db: Db) {
        let run = db.start((0..20).map(|n| task(&format!("{n:02}"))).collect()).await;
        let mut fences: Vec<_> = db.claim(worker(), 20).await.iter().map(fence).collect();
        let stale = fences.len();
        fences.push(Fence { generation: 2, ..fences[0] });
        let calls = fences.iter().enumerate().map(|(at, fence)| {
            let (store, fence, now) = (db.store.clone(), *fence, db.now());
            tokio::spawn(async move {
                let mut given = Vec::new();
                for n in 0..10 {
                    match store.append(fence, vec![entry(n), entry(n)], now).await {
                        Ok(last) => given.extend([last - 1, last]),
                        Err(error) => assert!(at == stale && error == StoreError::NotFound("task"), "{error:?}"),
                    }
                }
                given
            })
        });
        let mut given = Vec::new();
        for call in calls.collect::<Vec<_>>() {
            given.extend(call.await.unwrap());
        }
        given.sort_unstable();
        assert_eq!(given, (2..=401).collect::<Vec<_>>(), "after the entry of the first claim");
        let verified = db.store.verify_stream(StreamId::Run(run)).await.unwrap();
        assert_eq!((verified.entries, verified.damage), (401, vec![]));
    }
}

both! {
    /// D57: an outbox that sends again adds nothing twice.
    async fn entries_of_an_outbox_are_taken_once(db: Db) {
        db.start(vec![task("a")]).await;
        let held = fence(&db.claim(worker(), 1).await[0]);
        let now = db.now();
        let send = |ids: std::ops::Range<u64>| {
            let entries: Vec<_> = ids.map(|n| (n.to_string(), entry(n))).collect();
            db.store.write(move |tx| {
                let entries = entries.clone();
                Box::pin(async move { Ok(tx.journal_append_once(held, &entries, now).await?.0) })
            })
        };
        assert_eq!(send(0..3).await, Ok::<_, StoreError>(store::Taken { accepted: 3, duplicates: 0, last_seq: 4 }));
        assert_eq!(send(1..5).await, Ok::<_, StoreError>(store::Taken { accepted: 2, duplicates: 2, last_seq: 6 }));
        assert_eq!(send(1..5).await, Ok::<_, StoreError>(store::Taken { accepted: 0, duplicates: 4, last_seq: 6 }));
        assert_eq!(within!(db, |tx| tx.outbox_sweep().await).await, Ok(0));
        db.finish(held).await.unwrap();
        assert_eq!(within!(db, |tx| tx.outbox_sweep().await).await, Ok(5));
        assert_eq!(send(9..10).await.unwrap_err(), lost(held.task, LostReason::Finished));
    }
}

both! {
    /// X13, X24: a lease that outlived its run is handed over, and writes nothing behind the run's last entry.
    async fn a_lease_that_outlived_its_run_is_handed_over(db: Db) {
        let run = db.start(vec![task("a")]).await;
        let other = db.start(vec![task("b")]).await;
        let holder = worker();
        let leased = db.claim(holder, 2).await;
        let held = fence(leased.iter().find(|leased| leased.task.run == run).unwrap());
        let now = db.now();
        let ended = within!(db, |tx| {
            tx.run_set(run, &RunChange { status: Some(RunStatus::Failed), ..Default::default() }, now).await?;
            let last = model::journal::NewEntry::new("run.finished", serde_json::json!({}));
            tx.journal_append_numbered(StreamId::Run(run), &[last], now).await
        });
        ended.await.unwrap();
        assert_eq!(db.store.heartbeat(holder, &[held], now).await.unwrap(), [(held, Beat::Cancelled)]);
        db.advance(LEASE);
        let reaped = db.store.reap(db.now()).await.unwrap();
        assert!(reaped.iter().any(|reaped| matches!(reaped, Reaped::Cancelling(task) if task.run == run)), "{reaped:?}");
        assert!(reaped.iter().any(|reaped| matches!(reaped, Reaped::Requeued(task) if task.run == other)), "{reaped:?}");
        let now = db.now();
        let end = within!(db, |tx| tx.task_lost(held, &TaskChange::new(TaskEvent::Cancelled), now).await);
        assert_eq!(end.await.unwrap().unwrap().state, TaskState::Cancelled);
    }
}
