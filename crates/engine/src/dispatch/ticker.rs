//! Says every now and then that an agent is still at work (D67).

use std::{future::Future, time::Duration};

use model::{id::TaskId, journal::NewEntry};
use serde_json::json;
use tokio::time::Instant;

use super::port::Port;

/// How often.
const EVERY: Duration = Duration::from_secs(30);

/// Does the work, and says a step with the elapsed time every so often until it is over. The ticker ends with the
/// work, however that ends.
pub async fn ticking<T>(port: &dyn Port, task: TaskId, phase: &str, work: impl Future<Output = T>) -> T {
    every(EVERY, port, task, phase, work).await
}

async fn every<T>(pace: Duration, port: &dyn Port, task: TaskId, phase: &str, work: impl Future<Output = T>) -> T {
    let start = Instant::now();
    let mut ticks = tokio::time::interval_at(start + pace, pace);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    tokio::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            _ = ticks.tick() => {
                let elapsed = start.elapsed().as_secs();
                let step = format!("working for {}:{:02} min", elapsed / 60, elapsed % 60);
                let data = json!({"task": task, "phase": phase, "step": step, "elapsed_s": elapsed});
                // A step is a courtesy; the work goes on without it.
                let _ = port.entries(vec![NewEntry::new("task.step", data)]).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures::future::BoxFuture;
    use model::{
        approval::{Standing, ToolAsk},
        digest::Digest,
    };
    use uuid::Uuid;

    use super::*;
    use crate::dispatch::port::{Handed, PortError};

    #[derive(Default)]
    struct Heard(Mutex<Vec<NewEntry>>);

    impl Port for Heard {
        fn entries(&self, entries: Vec<NewEntry>) -> BoxFuture<'_, Result<(), PortError>> {
            self.0.lock().unwrap().extend(entries);
            Box::pin(async { Ok(()) })
        }
        fn artifact(&self, _: &str, _: &str, _: Handed) -> BoxFuture<'_, Result<Digest, PortError>> {
            Box::pin(async { Err(PortError::Lost) })
        }
        fn fetch(&self, _: Digest) -> BoxFuture<'_, Result<Vec<u8>, PortError>> {
            Box::pin(async { Err(PortError::Lost) })
        }
        fn ask(&self, _: ToolAsk, _: bool) -> BoxFuture<'_, Result<Standing, PortError>> {
            Box::pin(async { Err(PortError::Lost) })
        }
        fn phase(&self, _: &'static str) -> BoxFuture<'_, Result<(), PortError>> {
            Box::pin(async { Ok(()) })
        }
    }

    // D67: a step at each pace while it works, none afterwards, also when the work is dropped.
    #[tokio::test]
    async fn it_ticks_while_the_work_lasts() {
        let heard = Heard::default();
        let task = TaskId::from_uuid(Uuid::from_u128(1));
        let pace = Duration::from_millis(40);
        let work = async {
            tokio::time::sleep(pace * 4).await;
            "done"
        };
        assert_eq!(every(pace, &heard, task, "running", work).await, "done");
        let told = heard.0.lock().unwrap().len();
        assert!((2..=4).contains(&told), "{told} steps");
        tokio::time::sleep(pace * 3).await;
        assert_eq!(heard.0.lock().unwrap().len(), told);
        let first = heard.0.lock().unwrap()[0].clone();
        assert_eq!((first.kind.as_ref(), &first.data["phase"]), ("task.step", &"running".into()));
        assert_eq!(EVERY, Duration::from_secs(30));
    }
}
