//! The writer thread: takes queued jobs, runs each in its own savepoint, commits them together, and
//! only then answers. One sync serves every job of the group.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
    thread,
};

use futures::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

use super::Trouble;
use crate::{
    commit::{Committed, Hooks},
    error::StoreError,
    tx::{Driver, Tx},
};

/// Jobs that wait for the writer at most; a caller beyond that waits for a place.
pub const QUEUE: usize = 4_096;
/// Jobs in one commit at most.
pub const GROUP: usize = 512;

/// A script to run in the transaction, and whom to answer.
trait Job: Send {
    /// Runs the script; says whether what it did is to be kept.
    fn run(&mut self, tx: &mut Tx) -> bool;
    /// Answers after the commit, or with the error that undid the group.
    fn answer(self: Box<Self>, group: Result<(), StoreError>);
}

struct Script<F, T, E> {
    script: F,
    outcome: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
}

impl<F, T, E> Job for Script<F, T, E>
where
    F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send,
    T: Send,
    E: From<StoreError> + Send,
{
    fn run(&mut self, tx: &mut Tx) -> bool {
        let outcome = run_now(&self.script, tx);
        let keep = outcome.is_ok();
        self.outcome = Some(outcome);
        keep
    }

    fn answer(self: Box<Self>, group: Result<(), StoreError>) {
        let outcome = match (self.outcome, group) {
            (Some(Err(own)), _) => Err(own),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (Some(Ok(_)), Err(error)) => Err(E::from(error)),
            (None, Err(error)) => Err(E::from(error)),
            (None, Ok(())) => Err(E::from(StoreError::Internal("a job was committed but never run".to_owned()))),
        };
        // The caller may have gone; what was committed stays.
        let _ = self.reply.send(outcome);
    }
}

/// Polls a script to its end. Over SQLite a transaction never waits, so one poll is enough.
pub(crate) fn run_now<F, T, E>(script: &F, tx: &mut Tx) -> Result<T, E>
where
    F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>>,
    E: From<StoreError>,
{
    let polled = catch_unwind(AssertUnwindSafe(|| {
        let mut context = Context::from_waker(Waker::noop());
        let mut future: BoxFuture<'_, Result<T, E>> = script(tx);
        let polled = Pin::new(&mut future).poll(&mut context);
        drop(future);
        if !matches!(polled, Poll::Ready(Ok(_))) {
            tx.moved.clear();
            return polled;
        }
        match pin!(tx.finish()).poll(&mut context) {
            Poll::Ready(Ok(())) => polled,
            Poll::Ready(Err(error)) => Poll::Ready(Err(E::from(error))),
            Poll::Pending => Poll::Pending,
        }
    }));
    match polled {
        Ok(Poll::Ready(outcome)) => outcome,
        Ok(Poll::Pending) => Err(E::from(StoreError::Internal("a transaction waited for something else".to_owned()))),
        Err(_) => Err(E::from(StoreError::Internal("a transaction panicked".to_owned()))),
    }
}

/// What the thread is told.
enum Told {
    Job(Box<dyn Job>),
    /// End behind what is queued already.
    Close(oneshot::Sender<Result<(), StoreError>>),
}

/// The handle to the writer thread. The thread ends when it is closed or the last handle is gone.
#[derive(Clone)]
pub(crate) struct Writer {
    jobs: mpsc::Sender<Told>,
}

impl Writer {
    /// Starts the thread on this connection.
    pub fn start(tx: Tx, hooks: Arc<Hooks>) -> Result<Self, StoreError> {
        let (jobs, queue) = mpsc::channel(QUEUE);
        thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || Thread { tx, hooks, poison: None, woken: Committed::default(), closing: None }.serve(queue))
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(Self { jobs })
    }

    /// Queues a script and waits for its commit.
    pub async fn write<F, T, E>(&self, script: F) -> Result<T, E>
    where
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let gone = || E::from(StoreError::Unavailable("the writer has ended".to_owned()));
        let (reply, answer) = oneshot::channel();
        self.jobs.send(Told::Job(Box::new(Script { script, outcome: None, reply }))).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// Ends the thread behind what is queued, with an empty log. Whoever writes later is refused.
    pub async fn close(&self) -> Result<(), StoreError> {
        let (done, closed) = oneshot::channel();
        if self.jobs.send(Told::Close(done)).await.is_err() {
            return Ok(());
        }
        // Dropped unanswered it was closed by another call.
        closed.await.unwrap_or(Ok(()))
    }
}

struct Thread {
    tx: Tx,
    hooks: Arc<Hooks>,
    poison: Option<String>,
    /// What the group in hand will wake.
    woken: Committed,
    /// Who waits for the end.
    closing: Option<oneshot::Sender<Result<(), StoreError>>>,
}

impl Thread {
    fn serve(mut self, mut queue: mpsc::Receiver<Told>) {
        while let Some(told) = queue.blocking_recv() {
            let first = match told {
                Told::Job(job) => job,
                Told::Close(done) => {
                    self.end(done, &mut queue);
                    continue;
                }
            };
            if let Some(why) = &self.poison {
                first.answer(Err(StoreError::Poisoned(why.clone())));
                continue;
            }
            let mut group = Vec::new();
            let end = self.run_group(first, &mut queue, &mut group);
            let woken = std::mem::take(&mut self.woken);
            if end.is_ok() {
                self.hooks.committed(woken);
            }
            for job in group {
                job.answer(end.clone());
            }
        }
        // Nothing reads the log any more but this connection: what it holds goes into the file, where
        // every page is looked at, and no log is left that a flipped byte could cut short (F11).
        let emptied = match &self.poison {
            Some(why) => {
                sqlite(&mut self.tx).keep_log();
                Err(StoreError::Poisoned(why.clone()))
            }
            None => sqlite(&mut self.tx).checkpoint(),
        };
        drop(self.tx);
        if let Some(done) = self.closing {
            // Who asked may have gone.
            let _ = done.send(emptied);
        }
    }

    fn end(&mut self, done: oneshot::Sender<Result<(), StoreError>>, queue: &mut mpsc::Receiver<Told>) {
        // What is queued is still served; `recv` ends behind it.
        queue.close();
        self.closing.get_or_insert(done);
    }

    /// Runs what is queued and commits it. Every job taken is in `group` afterwards.
    fn run_group(
        &mut self,
        first: Box<dyn Job>,
        queue: &mut mpsc::Receiver<Told>,
        group: &mut Vec<Box<dyn Job>>,
    ) -> Result<(), StoreError> {
        let mut next = Some(first);
        let mut begun = false;
        while let Some(mut job) = next.take() {
            if !begun {
                if let Err(error) = sqlite(&mut self.tx).begin(true) {
                    group.push(job);
                    return Err(self.undo(error));
                }
                begun = true;
            }
            // A job that is alone needs no savepoint: the transaction itself is one.
            let alone = group.is_empty() && queue.is_empty();
            if !alone {
                sqlite(&mut self.tx).want_savepoint();
            }
            let keep = job.run(&mut self.tx);
            group.push(job);
            if let Some(trouble) = sqlite(&mut self.tx).take_trouble() {
                self.tx.woken = Committed::default();
                return Err(self.undo(match trouble {
                    Trouble::Full => StoreError::DiskFull,
                    Trouble::Fatal(why) => StoreError::Poisoned(why),
                }));
            }
            let woken = std::mem::take(&mut self.tx.woken);
            if keep {
                self.woken.merge(woken);
            } else if alone {
                sqlite(&mut self.tx).roll_back();
                return Ok(());
            }
            if let Err(error) = sqlite(&mut self.tx).end_savepoint(keep) {
                return Err(self.undo(error));
            }
            if group.len() < GROUP {
                next = match queue.try_recv() {
                    Ok(Told::Job(job)) => Some(job),
                    Ok(Told::Close(done)) => {
                        self.end(done, queue);
                        None
                    }
                    Err(_) => None,
                };
            }
        }
        match sqlite(&mut self.tx).commit() {
            Ok(()) => Ok(()),
            Err(StoreError::DiskFull) => Err(self.undo(StoreError::DiskFull)),
            // Whatever else a commit can fail with, what is on the disk is not known any more.
            Err(error) => Err(self.undo(StoreError::Poisoned(error.to_string()))),
        }
    }

    fn undo(&mut self, error: StoreError) -> StoreError {
        sqlite(&mut self.tx).roll_back();
        let _ = sqlite(&mut self.tx).take_trouble();
        if let StoreError::Poisoned(why) = &error {
            self.poison = Some(why.clone());
            self.hooks.poisoned(why);
        }
        error
    }
}

/// The writer's transaction is made on a SQLite connection and stays there.
fn sqlite(tx: &mut Tx) -> &mut super::SqliteTx {
    match &mut tx.driver {
        Driver::Sqlite(tx) => tx,
        Driver::Postgres(_) => unreachable!("the writer thread is started with a SQLite connection only"),
    }
}
