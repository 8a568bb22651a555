//! One task from its claim to its outcome: the performer on one side, the delivery on the other.

use std::{
    collections::HashMap,
    panic::AssertUnwindSafe,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicBool},
    time::Duration,
};

use futures::FutureExt as _;
use model::{failure::FailureCode, id::TaskId, task::Fence};
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    deliver::{End, Progress, deliver},
    desk::{Desk, Inner},
    link::Link,
    outbox::{Item, TaskBox},
    perform::{Outcome, Performers},
    say::Saying,
};

/// How long a performer may take to stop before it is left behind.
const STOPS: Duration = Duration::from_secs(12);

/// The tasks in this worker's hands.
#[derive(Clone, Default)]
pub struct InHand(Arc<Held>);

#[derive(Default)]
struct Held {
    desks: Mutex<HashMap<TaskId, (Fence, Desk)>>,
    /// Fires when one more is there.
    more: Notify,
}

impl InHand {
    fn lock(&self) -> MutexGuard<'_, HashMap<TaskId, (Fence, Desk)>> {
        // Nothing panics half-way through a change of this map.
        self.0.desks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, fence: Fence, desk: Desk) {
        self.lock().insert(fence.task, (fence, desk));
        self.0.more.notify_one();
    }

    /// Resolves when one more was taken in hand since this was last asked.
    pub async fn more(&self) {
        self.0.more.notified().await;
    }

    /// Their fences.
    pub fn fences(&self) -> Vec<Fence> {
        self.lock().values().map(|(fence, _)| *fence).collect()
    }

    /// One of them.
    pub fn desk(&self, task: TaskId) -> Option<Desk> {
        self.lock().get(&task).map(|(_, desk)| desk.clone())
    }

    /// All of them.
    pub fn desks(&self) -> Vec<Desk> {
        self.lock().values().map(|(_, desk)| desk.clone()).collect()
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.lock().len()
    }
}

/// What every task of a worker shares.
#[derive(Clone)]
pub struct Hands {
    pub link: Link,
    pub performers: Performers,
    pub in_hand: InHand,
    pub saying: Saying,
    pub aside: PathBuf,
    /// Fires when the worker stops.
    pub stop: CancellationToken,
    /// Fires when the plane refuses the token.
    pub revoked: CancellationToken,
}

impl Hands {
    /// Does a task whose claim is on disk. Returns when the plane has the outcome, or does not want it.
    pub async fn work(self, claim: Value, outbox: TaskBox) {
        let fence = outbox.fence();
        let kind = claim["kind"].as_str().unwrap_or_default().to_owned();
        let saying = self.saying.clone();
        let progress = Arc::new(Progress {
            more: Notify::new(),
            taken: watch::Sender::new(0),
            trouble: Arc::new(move |trouble| saying.set_trouble(trouble)),
        });
        let outbox = Arc::new(outbox);
        let desk = Desk::new(Inner {
            link: self.link.clone(),
            claim,
            outbox: outbox.clone(),
            progress: progress.clone(),
            stop: self.stop.child_token(),
            lost: CancellationToken::new(),
            cancelled: AtomicBool::new(false),
            step: Mutex::default(),
            spent: Mutex::default(),
        });
        self.in_hand.take(fence, desk.clone());
        tracing::info!(task = %fence.task, generation = fence.generation, kind, "claimed");
        let delivering = async {
            let end = deliver(&self.link, &outbox, &self.aside, &progress, true).await;
            match end {
                End::Delivered | End::Empty => {}
                End::Lost => desk.lose(),
                End::Revoked => {
                    self.revoked.cancel();
                    desk.lose();
                }
            }
            end
        };
        let performing = async {
            let outcome = self.performed(&kind, &desk).await;
            tracing::info!(task = %fence.task, outcome = outcome.name(), "ended");
            // Its last words stand before its outcome; a disk that is full takes neither, and the lease runs out.
            let _ = desk.flush_step().await;
            let (verb, mut body) = outcome.told();
            if let Some(spent) = desk.spent() {
                body["spent"] = json!(spent);
            }
            let item = Item::Outcome { verb: verb.to_owned(), body };
            while let Err(crate::desk::DeskError::Unreachable) = put(&desk, &item).await {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        };
        let (end, ()) = tokio::join!(delivering, performing);
        self.in_hand.lock().remove(&fence.task);
        if end == End::Lost {
            tracing::warn!(task = %fence.task, "the task is another's now; what there was of it is dropped");
        }
        if let Err(error) = outbox.drop_all() {
            tracing::warn!(%error, "failed to remove a task's folder");
        }
    }

    /// Runs the performer, and everything that can happen to it ends as an outcome.
    async fn performed(&self, kind: &str, desk: &Desk) -> Outcome {
        let Some(performer) = self.performers.of(kind) else { return Outcome::release("not_eligible") };
        let work = AssertUnwindSafe(async { performer(desk.clone()).await }).catch_unwind();
        // What waits for its turn is told half a second later, also when nothing follows it.
        let flushing = async {
            loop {
                tokio::time::sleep(Duration::from_millis(500)).await;
                let _ = desk.flush_step().await;
            }
        };
        let late = async {
            desk.stop().cancelled().await;
            tokio::time::sleep(STOPS).await;
        };
        let ended = tokio::select! {
            ended = work => ended,
            () = late => Ok(Outcome::failed(FailureCode::Internal, "the work did not stop when it was told to")),
            () = flushing => Ok(Outcome::release("internal")),
        };
        ended.unwrap_or_else(|_| Outcome::failed(FailureCode::Internal, "the performer panicked"))
    }
}

async fn put(desk: &Desk, item: &Item) -> Result<(), crate::desk::DeskError> {
    let item = item.clone();
    desk.put(move |outbox| outbox.put(&item)).await.map(drop)
}

impl Outcome {
    const fn name(&self) -> &'static str {
        match self {
            Self::Complete { .. } => "complete",
            Self::Fail { .. } => "fail",
            Self::Release { .. } => "release",
        }
    }
}
