//! Claims that wait for work. A ready task wakes one fitting waiter, not all; where that one does not
//! take it, the next is woken; and a slow look at the queue covers every wake-up that was lost (D52).
//!
//! All of it is a hint. Who is woken claims from the store, and the store decides.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use model::{
    id::{RunId, WorkerId},
    problem::Problem,
};
use rand::Rng as _;
use tokio::sync::Notify;

use crate::Engine;

/// Ready tasks of a queue that one look takes into account.
const LOOK: u32 = 500;

/// Everybody in this process who waits for work or for news.
#[derive(Default)]
pub(crate) struct Waiters {
    next: AtomicU64,
    claims: Mutex<VecDeque<Claim>>,
    news: Mutex<HashMap<u64, News>>,
    /// Fires when the queue is to be looked at now.
    pub(crate) look: Notify,
}

struct Claim {
    id: u64,
    worker: WorkerId,
    queues: Vec<String>,
    labels: BTreeSet<String>,
    max: u32,
    /// Tasks it was woken for and has not answered yet.
    hint: Option<Hint>,
    woken: Arc<Notify>,
}

/// Tasks that somebody was woken for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Hint {
    queue: String,
    labels: Vec<String>,
    count: u32,
}

struct News {
    worker: WorkerId,
    runs: BTreeSet<RunId>,
    woken: Arc<Notify>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics half-way through a change of these lists.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Waiters {
    /// Registers interest in work; do it before the queue is read.
    pub(crate) fn wait(
        self: &Arc<Self>,
        worker: WorkerId,
        queues: Vec<String>,
        labels: impl IntoIterator<Item = String>,
        max: u32,
    ) -> Waiting {
        let id = self.next.fetch_add(1, Relaxed);
        let woken = Arc::new(Notify::new());
        let labels = labels.into_iter().collect();
        let claim = Claim { id, worker, queues, labels, max, hint: None, woken: woken.clone() };
        locked(&self.claims).push_back(claim);
        Waiting { waiters: self.clone(), id, woken }
    }

    /// Registers interest in what becomes of a worker's leases.
    pub(crate) fn hear(self: &Arc<Self>, worker: WorkerId, runs: impl IntoIterator<Item = RunId>) -> Hearing {
        let id = self.next.fetch_add(1, Relaxed);
        let woken = Arc::new(Notify::new());
        locked(&self.news).insert(id, News { worker, runs: runs.into_iter().collect(), woken: woken.clone() });
        Hearing { waiters: self.clone(), id, woken }
    }

    /// Wakes as many fitting waiters as it takes for so many tasks.
    pub(crate) fn offer(&self, queue: &str, labels: &[String], count: u32) {
        self.offer_after(None, queue, labels, count);
    }

    fn offer_after(&self, after: Option<u64>, queue: &str, labels: &[String], mut count: u32) {
        for claim in locked(&self.claims).iter_mut() {
            if count == 0 {
                return;
            }
            let fits = claim.hint.is_none()
                && after.is_none_or(|after| claim.id > after)
                && claim.queues.iter().any(|known| known == queue)
                && labels.iter().all(|label| claim.labels.contains(label));
            if fits {
                let share = count.min(claim.max);
                count -= share;
                claim.hint = Some(Hint { queue: queue.to_owned(), labels: labels.to_vec(), count: share });
                claim.woken.notify_one();
            }
        }
    }

    /// A run is to stop: whoever holds a task of it should hear of it now.
    pub(crate) fn tell_run(&self, run: RunId) {
        locked(&self.news).values().filter(|news| news.runs.contains(&run)).for_each(|news| news.woken.notify_one());
    }

    /// A worker was told something: whatever it waits with returns.
    pub(crate) fn tell_worker(&self, worker: WorkerId) {
        locked(&self.news).values().filter(|news| news.worker == worker).for_each(|news| news.woken.notify_one());
        for claim in locked(&self.claims).iter().filter(|claim| claim.worker == worker) {
            claim.woken.notify_one();
        }
    }

    /// The queues that somebody waits at.
    fn queues(&self) -> BTreeSet<String> {
        locked(&self.claims).iter().flat_map(|claim| claim.queues.iter().cloned()).collect()
    }

    /// Workers that are connected now: an open poll is contact.
    pub(crate) fn present(&self) -> BTreeSet<WorkerId> {
        let mut present: BTreeSet<_> = locked(&self.claims).iter().map(|claim| claim.worker).collect();
        present.extend(locked(&self.news).values().map(|news| news.worker));
        present
    }
}

/// A claim's place among those who wait. Dropping it gives the place, and what it was woken for, away.
pub(crate) struct Waiting {
    waiters: Arc<Waiters>,
    id: u64,
    woken: Arc<Notify>,
}

impl Waiting {
    /// Resolves when there may be something to take.
    pub(crate) async fn woken(&self) {
        self.woken.notified().await;
    }

    /// Says how many tasks it took. What it was woken for and did not take goes to the next.
    pub(crate) fn took(&self, count: usize) {
        let hint =
            locked(&self.waiters.claims).iter_mut().find(|claim| claim.id == self.id).and_then(|c| c.hint.take());
        if let Some(hint) = hint {
            let rest = hint.count.saturating_sub(u32::try_from(count).unwrap_or(u32::MAX));
            self.waiters.offer_after(Some(self.id), &hint.queue, &hint.labels, rest);
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.took(0);
        locked(&self.waiters.claims).retain(|claim| claim.id != self.id);
    }
}

/// A heartbeat's place among those who wait for news.
pub(crate) struct Hearing {
    waiters: Arc<Waiters>,
    id: u64,
    woken: Arc<Notify>,
}

impl Hearing {
    /// Resolves when there may be news.
    pub(crate) async fn woken(&self) {
        self.woken.notified().await;
    }
}

impl Drop for Hearing {
    fn drop(&mut self) {
        locked(&self.waiters.news).remove(&self.id);
    }
}

/// Looks at the queues that somebody waits at, when it is told to and else about once a second: for tasks
/// whose time came, and for wake-ups that were lost. One read for all waiters; none when nobody waits.
pub(crate) async fn look(engine: Engine) {
    loop {
        let pause = Duration::from_millis(rand::rng().random_range(900..1_200));
        tokio::select! {
            () = engine.inner.waiters.look.notified() => {}
            () = tokio::time::sleep(pause) => {}
            () = engine.stopping().cancelled() => return,
        }
        if let Err(problem) = look_once(&engine).await {
            tracing::warn!(%problem, "failed to look for work that waits");
        }
    }
}

async fn look_once(engine: &Engine) -> Result<(), Problem> {
    let queues = engine.inner.waiters.queues();
    if queues.is_empty() {
        return Ok(());
    }
    let now = engine.now();
    let wanted = engine
        .store()
        .read(move |tx| {
            let queues = queues.clone();
            Box::pin(async move {
                let mut wanted = Vec::new();
                for queue in queues {
                    for (labels, count) in tx.ready_wanted(&queue, now, LOOK).await? {
                        wanted.push((queue.clone(), labels, count));
                    }
                }
                Ok::<_, Problem>(wanted)
            })
        })
        .await?;
    for (queue, labels, count) in wanted {
        engine.inner.waiters.offer(&queue, &labels, count);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use uuid::Uuid;

    use super::*;

    fn worker(number: u128) -> WorkerId {
        WorkerId::from_uuid(Uuid::from_u128(number))
    }

    fn waiting(waiters: &Arc<Waiters>, number: u128, labels: &[&str], max: u32) -> Waiting {
        waiters.wait(worker(number), vec!["agent".into()], labels.iter().map(|&label| label.to_owned()), max)
    }

    fn is_woken(waiting: &Waiting) -> bool {
        waiting.woken().now_or_never().is_some()
    }

    // D52: one fitting waiter is woken, not all.
    #[test]
    fn a_task_wakes_one_fitting_waiter() {
        let waiters = Arc::new(Waiters::default());
        let plain = waiting(&waiters, 1, &[], 1);
        let first = waiting(&waiters, 2, &["gpu"], 1);
        let second = waiting(&waiters, 3, &["gpu", "big"], 1);
        waiters.offer("agent", &["gpu".into()], 1);
        assert_eq!([&plain, &first, &second].map(is_woken), [false, true, false]);
        waiters.offer("other", &[], 9);
        assert_eq!([&plain, &first, &second].map(is_woken), [false; 3]);
        // It is busy with what it was woken for; the next task is another's.
        waiters.offer("agent", &["gpu".into()], 1);
        assert_eq!([&plain, &first, &second].map(is_woken), [false, false, true]);
    }

    // D52: and the next if that one does not take it, also when it has gone away.
    #[test]
    fn what_one_does_not_take_the_next_is_woken_for() {
        let waiters = Arc::new(Waiters::default());
        let (first, second, third) =
            (waiting(&waiters, 1, &[], 4), waiting(&waiters, 2, &[], 4), waiting(&waiters, 3, &[], 4));
        waiters.offer("agent", &[], 3);
        assert!(is_woken(&first) && !is_woken(&second));
        first.took(1);
        assert!(is_woken(&second) && !is_woken(&first));
        drop(second);
        assert!(is_woken(&third));
        third.took(2);
        assert_eq!([&first, &third].map(is_woken), [false; 2], "nobody is asked twice for the same");
    }

    // D52: as many are woken as the tasks need.
    #[test]
    fn many_tasks_wake_many() {
        let waiters = Arc::new(Waiters::default());
        let all: Vec<_> = (0..10).map(|number| waiting(&waiters, number, &[], 2)).collect();
        waiters.offer("agent", &[], 5);
        assert_eq!(all.iter().filter(|waiting| is_woken(waiting)).count(), 3);
    }

    // D36, D54: news reaches whoever holds a task of the run, and a worker that is told something.
    #[test]
    fn news_reaches_who_it_is_about() {
        let waiters = Arc::new(Waiters::default());
        let run = RunId::from_uuid(Uuid::from_u128(7));
        let holder = waiters.hear(worker(1), [run]);
        let other = waiters.hear(worker(2), []);
        let woken = |hearing: &Hearing| hearing.woken().now_or_never().is_some();
        waiters.tell_run(run);
        assert_eq!([woken(&holder), woken(&other)], [true, false]);
        waiters.tell_worker(worker(2));
        assert_eq!([woken(&holder), woken(&other)], [false, true]);
        let claim = waiting(&waiters, 2, &[], 1);
        waiters.tell_worker(worker(2));
        assert!(is_woken(&claim));
        assert_eq!(waiters.present().len(), 2);
        drop((holder, other, claim));
        assert!(waiters.present().is_empty());
    }
}
