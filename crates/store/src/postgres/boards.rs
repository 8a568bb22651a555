//! Numbers the entries of projects' streams: at once for whoever has just left some, and now and then
//! for what a process that is no more has left.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::Postgres;

/// Callers that wait at most; one beyond that waits for a place.
const QUEUE: usize = 4_096;
/// How often it is looked for what others have left.
const LOOK: Duration = Duration::from_secs(2);

/// The handle to the numbering task, which ends with the last handle.
#[derive(Clone)]
pub(crate) struct Boards {
    calls: mpsc::Sender<oneshot::Sender<()>>,
}

impl Boards {
    pub fn start(database: Postgres) -> Self {
        let (calls, queue) = mpsc::channel(QUEUE);
        tokio::spawn(serve(database, queue));
        Self { calls }
    }

    /// Returns when what is stored now has its numbers, or the attempt has failed: it is stored either
    /// way, and numbered soon.
    pub async fn number(&self) {
        let (done, numbered) = oneshot::channel();
        if self.calls.send(done).await.is_ok() {
            let _ = numbered.await;
        }
    }
}

async fn serve(database: Postgres, mut queue: mpsc::Receiver<oneshot::Sender<()>>) {
    let mut calls = Vec::new();
    loop {
        match tokio::time::timeout(LOOK, queue.recv_many(&mut calls, QUEUE)).await {
            Ok(0) => return,
            Ok(_) | Err(_) if database.pool.is_closed() => return,
            Ok(_) | Err(_) => {}
        }
        // Whoever called has committed before, so this round sees it.
        loop {
            match database.write(&|tx| Box::pin(tx.board_number())).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    tracing::warn!(%error, "failed to number the entries of projects; trying again");
                    break;
                }
            }
        }
        for done in calls.drain(..) {
            // A caller that has gone needs no answer.
            let _ = done.send(());
        }
    }
}
