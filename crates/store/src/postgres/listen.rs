//! Wake-ups between replicas: one coalesced `NOTIFY` per commit burst, at most 20 a second, in its
//! own transaction; and a listener that comes back by itself.
//!
//! They are hints. Whoever waits also polls, so a lost one costs a second and nothing else (F9).

use std::{
    future::poll_fn,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use deadpool_postgres::Pool;
use model::journal::StreamId;
use serde::{Deserialize, Serialize};
use tokio::{
    sync::{Notify, mpsc},
    task::AbortHandle,
    time::{Instant, sleep, timeout},
};
use tokio_postgres::{AsyncMessage, Config, NoTls};
use uuid::Uuid;

use crate::commit::{Committed, Hooks};

/// Between two notifications of a replica.
const PACE: Duration = Duration::from_millis(50);
/// How often the listener makes sure that its connection still answers.
const ALIVE: Duration = Duration::from_secs(5);
/// The longest wait before the listener tries again.
const RETRY: Duration = Duration::from_secs(2);
/// PostgreSQL takes payloads below 8,000 bytes.
const PAYLOAD: usize = 7_000;

/// What goes over the wire.
#[derive(Serialize, Deserialize)]
struct Wake {
    from: Uuid,
    #[serde(default)]
    streams: Vec<(String, u64)>,
    #[serde(default)]
    queues: Vec<String>,
    #[serde(default)]
    lost: bool,
}

/// Collects what this replica's commits woke, for the others.
pub(crate) struct Wakes {
    pending: Arc<Pending>,
    tasks: [AbortHandle; 2],
}

#[derive(Default)]
struct Pending {
    woken: Mutex<Committed>,
    some: Notify,
}

impl Drop for Wakes {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Wakes {
    /// Starts telling and listening. Both end with the last handle to the store.
    pub fn start(config: Arc<Config>, pool: Pool, hooks: &Arc<Hooks>, schema: &str) -> Arc<Self> {
        let mut channel = format!("proofhouse_{schema}");
        channel.truncate(63);
        let replica = Uuid::now_v7();
        let pending = Arc::new(Pending::default());
        let teller = tokio::spawn(tell(Arc::clone(&pending), pool, channel.clone(), replica));
        let listener = tokio::spawn(listen(config, Arc::clone(hooks), channel, replica));
        Arc::new(Self { pending, tasks: [teller.abort_handle(), listener.abort_handle()] })
    }

    /// Stops telling and listening.
    pub fn stop(&self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }

    /// Adds what a commit woke.
    pub fn add(&self, woken: Committed) {
        if !woken.is_empty() {
            self.pending.woken.lock().unwrap_or_else(PoisonError::into_inner).merge(woken);
            self.pending.some.notify_one();
        }
    }
}

async fn tell(pending: Arc<Pending>, pool: Pool, channel: String, replica: Uuid) {
    loop {
        pending.some.notified().await;
        let mut woken = std::mem::take(&mut *pending.woken.lock().unwrap_or_else(PoisonError::into_inner));
        woken.coalesce();
        let sent = Instant::now();
        for payload in payloads(&woken, replica) {
            let Ok(client) = pool.get().await else { break };
            let told = async {
                let statement = client.prepare_cached("SELECT pg_notify($1, $2)").await?;
                client.execute(&statement, &[&channel, &payload]).await
            };
            if let Err(error) = told.await {
                tracing::debug!(%error, "a wake-up was not sent; the others poll");
            }
        }
        tokio::time::sleep_until(sent + PACE).await;
    }
}

/// Cuts what was woken into pieces that PostgreSQL takes; more than a few are told as "look at everything".
fn payloads(woken: &Committed, replica: Uuid) -> Vec<String> {
    let everything = || vec![Wake { from: replica, streams: Vec::new(), queues: woken.queues.clone(), lost: true }];
    let per_piece = PAYLOAD / 80;
    let mut wakes: Vec<Wake> = woken
        .streams
        .chunks(per_piece)
        .map(|part| Wake {
            from: replica,
            streams: part.iter().map(|(stream, seq)| (stream.to_string(), *seq)).collect(),
            queues: Vec::new(),
            lost: false,
        })
        .collect();
    if wakes.len() > 4 {
        wakes = everything();
    } else if !woken.queues.is_empty() {
        wakes.push(Wake { from: replica, streams: Vec::new(), queues: woken.queues.clone(), lost: false });
    }
    wakes
        .iter()
        .map(|wake| serde_json::to_string(wake).unwrap_or_default())
        .filter(|payload| !payload.is_empty() && payload.len() < 8_000)
        .collect()
}

async fn listen(config: Arc<Config>, hooks: Arc<Hooks>, channel: String, replica: Uuid) {
    let mut pause = Duration::from_millis(50);
    loop {
        let begun = Instant::now();
        if let Err(why) = listen_once(&config, &hooks, &channel, replica).await {
            tracing::warn!(why, "the wake-up connection broke; polling until it is back");
        }
        // Whatever was told meanwhile is lost: everybody looks for themselves.
        hooks.committed(Committed { lost: true, ..Committed::default() });
        pause = if begun.elapsed() > RETRY { Duration::from_millis(50) } else { (pause * 2).min(RETRY) };
        sleep(pause).await;
    }
}

async fn listen_once(config: &Config, hooks: &Hooks, channel: &str, replica: Uuid) -> Result<(), String> {
    let (client, mut connection) = config.connect(NoTls).await.map_err(|error| error.to_string())?;
    let (told, mut messages) = mpsc::channel::<String>(64);
    let own = Arc::new(Notify::new());
    let ended = Arc::clone(&own);
    let pump = tokio::spawn(async move {
        while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
            match message {
                Ok(AsyncMessage::Notification(note)) => {
                    // A full queue loses hints, and hints may be lost.
                    let _ = told.try_send(note.payload().to_owned());
                }
                Ok(_) => {}
                Err(_) => break,
            }
        }
        ended.notify_one();
    });
    let guard = AbortOnDrop(pump.abort_handle());
    let listen = format!("LISTEN \"{}\"", channel.replace('"', "\"\""));
    timeout(ALIVE, client.batch_execute(&listen)).await.map_err(|_| "no answer")?.map_err(|error| error.to_string())?;
    hooks.committed(Committed { lost: true, ..Committed::default() });
    loop {
        tokio::select! {
            message = messages.recv() => match message {
                Some(text) => hear(hooks, &text, replica),
                None => break,
            },
            () = own.notified() => break,
            () = sleep(ALIVE) => {
                let alive = timeout(ALIVE, client.batch_execute("SELECT 1")).await;
                alive.map_err(|_| "no answer")?.map_err(|error| error.to_string())?;
            }
        }
    }
    drop(guard);
    Err("it was closed".to_owned())
}

struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn hear(hooks: &Hooks, text: &str, replica: Uuid) {
    let Ok(wake) = serde_json::from_str::<Wake>(text) else { return };
    // This replica's own commits were told at once.
    if wake.from == replica {
        return;
    }
    let streams =
        wake.streams.iter().filter_map(|(stream, seq)| Some((stream.parse::<StreamId>().ok()?, *seq))).collect();
    let unsure = !wake.queues.is_empty();
    hooks.committed(Committed { streams, queues: wake.queues, ready: Vec::new(), unsure, lost: wake.lost });
}

#[cfg(test)]
mod tests {
    use model::id::RunId;

    use super::*;

    #[test]
    fn every_payload_fits_and_many_become_one() {
        let stream = |n: u128| (StreamId::Run(RunId::from_uuid(Uuid::from_u128(n))), u64::MAX);
        let woken = |count| Committed {
            streams: (0..count).map(stream).collect(),
            queues: vec!["q".into()],
            ..Committed::default()
        };
        let sizes = |count| payloads(&woken(count), Uuid::nil()).iter().map(String::len).collect::<Vec<_>>();
        assert_eq!(sizes(300).len(), 5);
        assert!(sizes(300).iter().all(|size| *size < 8_000));
        assert_eq!(sizes(5_000).len(), 1);
        assert!(payloads(&woken(5_000), Uuid::nil())[0].contains("\"lost\":true"));
    }
}
