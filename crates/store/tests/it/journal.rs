//! K3: dense numbers, one chain, what is acknowledged is stored.

use model::journal::{Entry, NewEntry, StreamId, chain};
use serde_json::json;
use store::StoreError;

use crate::support::*;

async fn all(db: &Db, stream: StreamId) -> Vec<Entry> {
    let mut read = Vec::new();
    loop {
        let after = read.last().map_or(0, |entry: &Entry| entry.seq);
        let page = db.store.read(move |tx| Box::pin(async move { tx.entries(stream, after, 100).await }));
        let page = Result::<_, StoreError>::unwrap(page.await);
        if page.is_empty() {
            return read;
        }
        read.extend(page);
    }
}

both! {
    /// K3: whoever appends at the same time, the numbers are dense and in order.
    async fn concurrent_appends_are_numbered_without_holes(db: Db) {
        let run = db.start(vec![]).await;
        let stream = StreamId::Run(run);
        let now = db.now();
        let writers = (0..20).map(|writer| {
            let store = db.store.clone();
            tokio::spawn(async move {
                let mut given = Vec::new();
                for n in 0..10 {
                    let range = store
                        .write(move |tx| {
                            Box::pin(async move {
                                let entries = [entry(writer * 100 + n), entry(n)];
                                // Every third one is refused after it has written.
                                let range = tx.journal_append_numbered(stream, &entries, now).await?;
                                if n % 3 == 2 { Err(StoreError::WrongState("no".into())) } else { Ok(range) }
                            })
                        })
                        .await;
                    given.extend(range.into_iter().flatten());
                }
                given
            })
        });
        let mut given = Vec::new();
        for writer in writers.collect::<Vec<_>>() {
            given.extend(writer.await.unwrap());
        }
        given.sort_unstable();
        let read = all(&db, stream).await;
        assert_eq!(given, (1..=given.len() as u64).collect::<Vec<_>>());
        assert_eq!(read.iter().map(|entry| entry.seq).collect::<Vec<_>>(), given);
    }

    /// K3, X57: whoever was answered finds what it told a project on the project's stream, each run's entries in
    /// their order, dense, and none of a transaction that was undone.
    async fn a_projects_stream_is_told_by_many_runs_at_once(db: Db) {
        let stream = StreamId::Project(db.project);
        let now = db.now();
        let tellers = (0..20_i64).map(|teller| {
            let store = db.store.clone();
            tokio::spawn(async move {
                for n in 0..10_i64 {
                    let told = store.write(move |tx| {
                        Box::pin(async move {
                            let said = NewEntry::new("note", json!({"teller": teller, "n": n, "half": 0.5}));
                            tx.journal_append(stream, &[said], now).await?;
                            if n % 3 == 2 { Err(StoreError::WrongState("no".into())) } else { Ok(()) }
                        })
                    });
                    if told.await.is_ok() {
                        let read = store.read(move |tx| Box::pin(async move { tx.entries(stream, 0, 1_000).await }));
                        let own = format!(r#"{{"teller":{teller},"n":{n},"half":0.5}}"#);
                        let read: Vec<Entry> = Result::<_, StoreError>::unwrap(read.await);
                        assert!(read.iter().any(|entry| entry.data == own), "{own} was acknowledged and is not there");
                    }
                }
            })
        });
        for teller in tellers.collect::<Vec<_>>() {
            teller.await.unwrap();
        }
        let read = all(&db, stream).await;
        assert_eq!(read.iter().map(|entry| entry.seq).collect::<Vec<_>>(), (1..=140).collect::<Vec<_>>());
        let mut last = std::collections::HashMap::new();
        for entry in &read {
            let data: serde_json::Value = serde_json::from_str(&entry.data).unwrap();
            let (teller, n) = (data["teller"].as_i64().unwrap(), data["n"].as_i64().unwrap());
            assert!(last.insert(teller, n).is_none_or(|before| before < n), "out of order: {data}");
        }
        assert_eq!(db.store.verify_stream(stream).await.unwrap().damage, vec![]);
    }

    /// What a process stored for a project's stream before it died gets its number from whoever lives (X57).
    async fn entries_left_by_the_dead_are_numbered(db: Db) {
        if db.store.kind() == "sqlite" {
            // One writer numbers every entry in its own transaction: nothing is ever left.
            return;
        }
        let project = db.project;
        db.harm(&format!(
            "INSERT INTO board_waiting (kind, owner, at, body) VALUES (1, '{project}', 7,
             '{{\"kind\":\"note\",\"level\":\"info\",\"span\":null,\"parent\":null,\"edge\":null,\"data\":{{\"n\":1}}}}')"
        ))
        .await;
        for _ in 0..100 {
            if let [entry] = all(&db, StreamId::Project(project)).await.as_slice() {
                assert_eq!((entry.seq, entry.at.micros(), entry.data.as_str()), (1, 7, r#"{"n":1}"#));
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("nobody numbered the entry");
    }

    /// X58: the head is the chain over each append, and what is read renders as what was chained.
    async fn the_chain_runs_over_what_readers_get(db: Db) {
        let stream = StreamId::Audit(db.project);
        let now = db.now();
        let odd = json!({"text": "\u{0}\"\\\u{1F600}\u{2028}", "big": 18_446_744_073_709_551_615_u64, "float": 1.50, "b": 1, "a": null});
        for size in [1, 3, 2] {
            let odd = odd.clone();
            db.store.write(move |tx| {
                let entries: Vec<_> = (0..size).map(|_| NewEntry::new("note", odd.clone())
                    .in_span("s\"1", Some("p".into()), Some(model::journal::Edge::Close))
                    .at_level(model::journal::Level::Error)).collect();
                Box::pin(async move { tx.journal_append_numbered(stream, &entries, now).await })
            }).await.map_err(|error: StoreError| error).unwrap();
        }
        let read: Vec<String> = all(&db, stream).await.iter().map(Entry::render).collect();
        let mut head = None;
        for batch in [&read[..1], &read[1..4], &read[4..]] {
            head = Some(chain(head.as_ref(), batch.iter().map(String::as_str)));
        }
        let stands = within!(db, |tx| tx.head(stream).await).await.unwrap();
        assert_eq!((stands.seq, stands.floor, stands.chain), (6, 1, head));
    }

    /// X24: nothing follows `run.finished` in a run's stream.
    async fn a_run_stream_takes_nothing_after_its_last_entry(db: Db) {
        let run = db.start(vec![]).await;
        let now = db.now();
        let append = |kind: &'static str| within!(db, |tx| tx.journal_append_numbered(StreamId::Run(run), &[NewEntry::new(kind, json!({}))], now).await);
        append("run.finished").await.unwrap();
        assert!(matches!(append("note").await, Err(StoreError::WrongState(_))));
        assert_eq!(all(&db, StreamId::Run(run)).await.len(), 1);
    }

    /// What a commit wakes is told after it, once, and nothing of what was rolled back.
    async fn a_commit_tells_what_it_woke(db: Db) {
        let told = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let hear = std::sync::Arc::clone(&told);
        db.store.on_commit(move |what| hear.lock().unwrap().push(what.clone()));
        let run = db.start(vec![task("a")]).await;
        let now = db.now();
        let stream = StreamId::Run(run);
        within!(db, |tx| tx.journal_append_numbered(stream, &[entry(1), entry(2)], now).await).await.unwrap();
        let refused = within!(db, |tx| {
            tx.journal_append_numbered(stream, &[entry(3)], now).await?;
            Err::<(), _>(StoreError::NotFound("thing"))
        });
        refused.await.unwrap_err();
        let told = told.lock().unwrap().clone();
        assert_eq!(told.iter().flat_map(|what| what.queues.clone()).collect::<Vec<_>>(), ["q"]);
        assert_eq!(told.iter().flat_map(|what| what.streams.clone()).collect::<Vec<_>>(), [(stream, 2)]);
    }
}
