//! Workers, invitations to them, and whose tasks they see.

use model::{
    actor::{Actor, Role},
    digest::Digest,
    id::*,
    limits::LEASE,
    task::Fence,
    time::Timestamp,
    worker::{Reach, Said, Sharing},
};
use store::{ClaimRequest, Pairing, Person, StoreError, Worker};

use crate::support::*;

fn named(id: WorkerId, name: &str, owner: Option<UserId>, sharing: Sharing, now: Timestamp) -> Worker {
    Worker {
        id,
        name: name.to_owned(),
        said: Said { platform: "linux x86_64".into(), slots: 2, ..Said::default() },
        created_at: now,
        seen_at: now,
        owner: owner.map(|owner| (owner, String::new())),
        sharing,
        projects: None,
        labels: vec!["fast".into()],
        draining: false,
        revoked_at: None,
        revision: 1,
        told: "offline".to_owned(),
        pairing: None,
    }
}

async fn person(db: &Db, name: &'static str, role: Role) -> UserId {
    let id = UserId::from_uuid(uuid());
    let row = Person { id, name: name.to_owned(), role, created_at: db.now() };
    db.store
        .write(move |tx| {
            let row = row.clone();
            Box::pin(async move { tx.person_insert(&row).await })
        })
        .await
        .unwrap();
    id
}

async fn put(db: &Db, worker: Worker) {
    db.store
        .write(move |tx| {
            let worker = worker.clone();
            Box::pin(async move { tx.worker_put(&worker).await })
        })
        .await
        .unwrap();
}

both! {
    /// X37: contact is written for many at once, and never backwards; what is said, only when it is new.
    async fn workers_are_known_and_seen(db: Db) {
        let (a, b, now) = (worker(), worker(), db.now());
        put(&db, named(a, "a", None, Sharing::Project, now)).await;
        put(&db, named(b, "b", None, Sharing::Project, now)).await;
        let later = now.shifted(9);
        assert_eq!(within!(db, |tx| tx.workers_seen(&[a, b, worker()], later).await).await, Ok(2));
        assert_eq!(within!(db, |tx| tx.workers_seen(&[a], now).await).await, Ok(0));
        let known = within!(db, |tx| tx.workers().await).await.unwrap();
        assert_eq!(known.iter().map(|w| (w.id, w.created_at, w.seen_at)).collect::<Vec<_>>(), [(a, now, later), (b, now, later)]);
        assert_eq!(known[0].said.slots, 2);
        let said = Said { slots: 3, ..known[0].said.clone() };
        for new in [true, false] {
            let said = said.clone();
            let wrote = db.store.write(move |tx| {
                let said = said.clone();
                Box::pin(async move { tx.worker_says(a, &said).await })
            });
            assert_eq!(wrote.await, Ok::<_, StoreError>(new));
        }
        assert_eq!(within!(db, |tx| tx.worker_told(a, "offline", "online").await).await, Ok(true));
        assert_eq!(within!(db, |tx| tx.worker_told(a, "offline", "online").await).await, Ok(false), "one tells it");
        db.start(vec![task("a")]).await;
        let held = db.claim(a, 1).await;
        assert_eq!(within!(db, |tx| tx.worker_forget(a).await).await, Ok(false), "it holds a task");
        db.finish(fence(&held[0])).await.unwrap();
        assert_eq!(within!(db, |tx| tx.worker_forget(a).await).await, Ok(true));
        assert_eq!(within!(db, |tx| tx.worker(a).await).await, Ok(None));
    }

    /// D50: a code is good once, however many try at the same time, and not after its end.
    async fn an_invitation_is_used_once(db: Db) {
        let (owner, now) = (person(&db, "Ada", Role::Admin).await, db.now());
        let invite = |code: &'static [u8], ends: i64| {
            let pairing = Pairing {
                id: PairingId::from_uuid(uuid()), owner, name: Some("den".into()), labels: vec!["gpu".into()],
                sharing: Sharing::Personal, projects: Some(vec![db.project]), created_at: now, expires_at: now.shifted(ends),
            };
            let stored = pairing.clone();
            let written = db.store.write(move |tx| {
                let pairing = stored.clone();
                Box::pin(async move { tx.pairing_insert(&Digest::of(code), &pairing).await })
            });
            async move { written.await.map(|()| pairing).unwrap() }
        };
        let pairing = invite(b"one", 10).await;
        let tries: Vec<_> = (0..32).map(|_| {
            let db = db.clone();
            tokio::spawn(async move {
                let worker = worker();
                within!(db, |tx| tx.pairing_use(&Digest::of(b"one"), worker, now).await).await.unwrap()
            })
        }).collect();
        let mut used = Vec::new();
        for one in tries {
            used.extend(one.await.unwrap());
        }
        assert_eq!(used, [pairing]);
        invite(b"two", 10).await;
        let late = now.shifted(10);
        let id = worker();
        assert_eq!(within!(db, |tx| tx.pairing_use(&Digest::of(b"two"), id, late).await).await, Ok(None), "ended");
        assert_eq!(within!(db, |tx| tx.pairing_use(&Digest::of(b"three"), id, now).await).await, Ok(None), "unknown");
        assert_eq!(within!(db, |tx| tx.pairings_sweep(late).await).await, Ok(2));
    }

    /// D51: a personal worker sees its owner's runs, a shared one those of its projects, and neither when
    /// its owner may not work or it is draining or revoked. Decided anew for each claim.
    async fn a_worker_sees_whose_work_it_may_take(db: Db) {
        let (ada, bob, eve) =
            (person(&db, "Ada", Role::Admin).await, person(&db, "Bob", Role::Member).await, person(&db, "Eve", Role::Viewer).await);
        let now = db.now();
        let ids = [worker(), worker(), worker(), worker(), worker()];
        let elsewhere = ProjectId::from_uuid(uuid());
        put(&db, named(ids[0], "adas", Some(ada), Sharing::Personal, now)).await;
        put(&db, named(ids[1], "bobs", Some(bob), Sharing::Personal, now)).await;
        put(&db, named(ids[2], "shared", Some(bob), Sharing::Project, now)).await;
        put(&db, Worker { projects: Some(vec![elsewhere]), ..named(ids[3], "elsewhere", Some(bob), Sharing::Project, now) }).await;
        put(&db, named(ids[4], "eves", Some(eve), Sharing::Project, now)).await;
        let run = db.start_by(Actor::Person { id: bob, name: "Bob".into() }, vec![task("a"), task("b"), task("c")]).await;
        let claimed = |id: WorkerId| {
            let request = ClaimRequest {
                worker: id, claim_id: uuid().to_string(), queues: vec!["q".into()], labels: Vec::new(), max: 1, now: db.now(),
                lease: LEASE,
            };
            let store = db.store.clone();
            async move { store.claim(request).await.unwrap().len() }
        };
        for (id, sees) in ids.into_iter().zip([0, 1, 1, 0, 0]) {
            assert_eq!(claimed(id).await, sees, "{id}");
        }
        let drain = |draining: bool| {
            db.store.write(move |tx| Box::pin(async move {
                let worker = tx.worker(ids[1]).await?.ok_or(StoreError::NotFound("worker"))?;
                tx.worker_set(&Worker { draining, ..worker }).await
            }))
        };
        assert_eq!(drain(true).await, Ok(true));
        assert_eq!(claimed(ids[1]).await, 0);
        assert_eq!(drain(false).await, Ok(true));
        assert_eq!(within!(db, |tx| tx.worker_revoke(ids[2], now).await).await, Ok(true));
        assert_eq!(within!(db, |tx| tx.worker_revoke(ids[2], now).await).await, Ok(false), "once");
        assert_eq!(within!(db, |tx| tx.worker_reach(ids[2]).await).await, Ok(Reach::Nothing));
        assert_eq!(claimed(ids[1]).await, 1);
        let wanted = within!(db, |tx| tx.ready_wanted("q", now, 10).await).await.unwrap();
        assert!(wanted.is_empty(), "{run} has nothing left: {wanted:?}");
    }

    /// D55: who made a claim is known for as long as the task is, also after it was handed on.
    async fn the_holder_of_a_claim_is_remembered(db: Db) {
        db.start(vec![task("a")]).await;
        let (first, second) = (worker(), worker());
        let held = fence(&db.claim(first, 1).await[0]);
        let holder = |fence: Fence| within!(db, |tx| tx.holder(fence).await);
        assert_eq!(holder(held).await, Ok(Some(first)));
        let listed = within!(db, |tx| tx.held_now().await).await.unwrap();
        assert_eq!((listed[0].worker, listed[0].task, listed[0].claimed_at), (first, held.task, db.now()));
        db.store.release(held, "drain", false, None, db.now()).await.unwrap();
        let again = fence(&db.claim(second, 1).await[0]);
        assert_eq!((again.generation, holder(held).await, holder(again).await), (2, Ok(Some(first)), Ok(Some(second))));
        assert_eq!(holder(Fence { task: held.task, generation: 9 }).await, Ok(None));
    }
}
