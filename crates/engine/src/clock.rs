//! Where time and ids come from: the one place of the engine that is not repeatable.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::SeqCst},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use model::time::Timestamp;
use uuid::Uuid;

/// Wall and monotonic time. The sweep compares the two, so that a step of the wall clock shifts
/// leases instead of ending them (X62).
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System { started: Instant },
    Fixed { wall: Arc<AtomicI64>, elapsed: Arc<AtomicI64> },
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Source::System { started: Instant::now() })
    }

    /// A clock that moves only when told, for tests.
    pub fn fixed(at: Timestamp) -> Self {
        Self(Source::Fixed { wall: Arc::new(AtomicI64::new(at.micros())), elapsed: Arc::default() })
    }

    /// The wall time.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System { .. } => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
            }
            Source::Fixed { wall, .. } => Timestamp::from_micros(wall.load(SeqCst)),
        }
    }

    /// Time since this clock was made; no step of the wall clock moves it.
    pub fn elapsed(&self) -> Duration {
        match &self.0 {
            Source::System { started } => started.elapsed(),
            Source::Fixed { elapsed, .. } => Duration::from_micros(elapsed.load(SeqCst).unsigned_abs()),
        }
    }

    /// Lets a fixed clock's time pass; a system clock ignores it.
    pub fn advance(&self, by: Duration) {
        if let Source::Fixed { wall, elapsed } = &self.0 {
            let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
            wall.fetch_add(micros, SeqCst);
            elapsed.fetch_add(micros, SeqCst);
        }
    }

    /// Steps a fixed clock's wall time without time passing; a system clock ignores it.
    pub fn step(&self, micros: i64) {
        if let Source::Fixed { wall, .. } = &self.0 {
            wall.fetch_add(micros, SeqCst);
        }
    }

    /// A new id. Ids of one process rise also while the wall clock is set back (F12).
    pub fn id(&self) -> Uuid {
        Uuid::now_v7()
    }
}
