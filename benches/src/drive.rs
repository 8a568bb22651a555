//! Closed-loop load: so many clients, each asking again as soon as it was answered.

use std::{
    cell::Cell,
    future::Future,
    rc::Rc,
    time::{Duration, Instant},
};

use futures::future::try_join_all;

use crate::samples::Samples;

/// What a load measured.
#[derive(Debug)]
pub struct Measured {
    /// Units done a second, over the measured time alone.
    pub per_second: f64,
    /// How long each call took.
    pub samples: Samples,
}

/// When the load warms up, is measured, and ends.
#[derive(Debug, Clone)]
pub struct Course {
    warm: Instant,
    end: Instant,
    done: Rc<Cell<u64>>,
}

impl Course {
    /// Whether to go on.
    pub fn goes_on(&self) -> bool {
        Instant::now() < self.end
    }

    /// Counts a call that began at `from` and did `units`, if it lies within the measured time.
    pub fn count(&self, samples: &mut Samples, from: Instant, units: u64) {
        let now = Instant::now();
        if now >= self.warm && now < self.end {
            self.done.set(self.done.get() + units);
            if from >= self.warm {
                samples.add(now - from);
            }
        }
    }
}

/// Runs the clients side by side on this thread.
pub async fn drive<C, F>(
    clients: Vec<C>,
    warm: Duration,
    measured: Duration,
    client: impl Fn(C, Course) -> F,
) -> anyhow::Result<Measured>
where
    F: Future<Output = anyhow::Result<Samples>>,
{
    let now = Instant::now();
    let course = Course { warm: now + warm, end: now + warm + measured, done: Rc::default() };
    let running = clients.into_iter().map(|one| client(one, course.clone()));
    let mut samples = Samples::default();
    for some in try_join_all(running).await? {
        samples.join(some);
    }
    #[expect(clippy::cast_precision_loss, reason = "a count of calls within seconds")]
    let per_second = course.done.get() as f64 / measured.as_secs_f64();
    Ok(Measured { per_second, samples })
}
