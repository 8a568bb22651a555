//! Appends over PostgreSQL, batched per replica: while one batch commits, the next collects. One
//! sync serves every append of a batch, and a stream's row is locked once for all of them.

use std::sync::Arc;

use model::{journal::NewEntry, task::Fence, time::Timestamp};
use tokio::sync::{mpsc, oneshot};

use super::Postgres;
use crate::error::StoreError;

/// Calls that wait at most; a caller beyond that waits for a place.
const QUEUE: usize = 4_096;
/// Calls in one batch.
const CALLS: usize = 256;

type Append = (Fence, Vec<NewEntry>, Timestamp);

struct Call {
    append: Append,
    reply: oneshot::Sender<Result<u64, StoreError>>,
}

/// The handle to the batching task, which ends with the last handle.
#[derive(Clone)]
pub(crate) struct Appends {
    calls: mpsc::Sender<Call>,
}

impl Appends {
    pub fn start(database: Postgres) -> Self {
        let (calls, queue) = mpsc::channel(QUEUE);
        tokio::spawn(serve(database, queue));
        Self { calls }
    }

    /// Appends behind a fence and waits for the commit.
    pub async fn append(&self, fence: Fence, entries: Vec<NewEntry>, now: Timestamp) -> Result<u64, StoreError> {
        let gone = || StoreError::Unavailable("the appender has ended".to_owned());
        let (reply, answer) = oneshot::channel();
        self.calls.send(Call { append: (fence, entries, now), reply }).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

async fn serve(database: Postgres, mut queue: mpsc::Receiver<Call>) {
    let mut calls = Vec::new();
    while queue.recv_many(&mut calls, CALLS).await > 0 {
        let (appends, replies): (Vec<Append>, Vec<_>) = calls.drain(..).map(|call| (call.append, call.reply)).unzip();
        let appends = Arc::new(appends);
        let written = database
            .write(&|tx| {
                let appends = Arc::clone(&appends);
                Box::pin(async move { tx.append_fenced_many(&appends).await })
            })
            .await;
        match written {
            // A caller that has gone needs no answer; what was committed stays.
            Ok(answers) => replies.into_iter().zip(answers).for_each(|(reply, answer)| drop(reply.send(answer))),
            Err(error) => replies.into_iter().for_each(|reply| drop(reply.send(Err::<u64, StoreError>(error.clone())))),
        }
    }
}
