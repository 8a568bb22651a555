//! A run kind that does nothing but be a run: for benchmarks and for tests of the kernel alone.

use std::{sync::Arc, time::Duration};

use engine::{
    kind::{Admission, Admitted, Event, Kind},
    work::{Assignment, Outcome},
};
use futures::future::BoxFuture;
use model::{
    id::TaskId,
    problem::Problem,
    run::{Run, RunEvent, RunKind, RunStatus},
    task::Task,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{NewTask, Tx};
use uuid::Uuid;

/// The queue of probe tasks: no embedded worker serves it.
pub const QUEUE: &str = "probe";

/// What a probe run is asked to be.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How many tasks it has.
    pub tasks: u32,
    /// Which queue they are in; `plane` for the embedded worker.
    pub queue: String,
    /// What no other active run may also hold.
    pub exclusive: Option<String>,
    /// How long a task takes on the embedded worker.
    pub sleep_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { tasks: 1, queue: QUEUE.to_owned(), exclusive: None, sleep_ms: 0 }
    }
}

/// The kind `probe`: its tasks are ready at once, and it completes when the last of them has ended.
#[derive(Debug, Default)]
pub struct Probe;

impl Kind for Probe {
    fn kind(&self) -> RunKind {
        RunKind::named("probe")
    }

    fn admit<'a>(&'a self, _: &'a mut Tx, ask: &'a Admission<'a>) -> BoxFuture<'a, Result<Admitted, Problem>> {
        Box::pin(async move {
            let given = if ask.config.is_null() { json!({}) } else { ask.config.clone() };
            let config: Config =
                serde_json::from_value(given).map_err(|error| Problem::invalid_field("/config", error.to_string()))?;
            let tasks = (0..config.tasks)
                .map(|number| NewTask {
                    id: TaskId::from_uuid(Uuid::now_v7()),
                    kind: "probe".to_owned(),
                    subject: format!("{number:06}"),
                    queue: config.queue.clone(),
                    labels: Vec::new(),
                    priority: 0,
                    ready: true,
                    detail: None,
                    max_attempts: model::limits::ATTEMPTS,
                    not_before: None,
                    input: json!({"sleep_ms": config.sleep_ms}),
                    counted: true,
                    reserve: None,
                    needs: Vec::new(),
                })
                .collect();
            Ok(Admitted {
                config: serde_json::to_value(&config).unwrap_or_default(),
                detail: Value::Null,
                phase: "probing",
                exclusive_key: config.exclusive,
                queue_timeout: Duration::from_secs(600),
                run_timeout: None,
                slots: None,
                tasks,
                entries: Vec::new(),
            })
        })
    }

    fn on<'a>(
        &'a self,
        tx: &'a mut Tx,
        run: &'a mut Run,
        event: Event<'a>,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), Problem>> {
        Box::pin(async move {
            match event {
                Event::TaskEnded(_) | Event::Resumed => {}
                Event::Answered(_) | Event::Unanswered(_) | Event::Closing(_) => return Ok(()),
            }
            if run.status == RunStatus::Paused || !tx.open_tasks(run.id).await?.is_empty() {
                return Ok(());
            }
            let failed = tx.run_recount(run.id, false).await?.failed;
            let verdict = if failed == 0 { "passed" } else { "failed" };
            let ending = engine::runs::Ending {
                event: RunEvent::Completed,
                verdict: Some(verdict.to_owned()),
                failure: None,
                facts: Value::Null,
            };
            engine::runs::close(self, tx, run, ending, now).await
        })
    }

    fn takes_many(&self) -> bool {
        true
    }

    fn on_many<'a>(
        &'a self,
        tx: &'a mut Tx,
        run: &'a mut Run,
        ended: &'a [Task],
        now: Timestamp,
    ) -> BoxFuture<'a, Result<(), Problem>> {
        // Whether all are done is one question, however many have just ended.
        Box::pin(async move {
            match ended.last() {
                Some(last) => self.on(tx, run, Event::TaskEnded(last), now).await,
                None => Ok(()),
            }
        })
    }

    fn handle(self: Arc<Self>, assignment: Assignment) -> BoxFuture<'static, Outcome> {
        Box::pin(async move {
            let pause = assignment.leased.task.input["sleep_ms"].as_u64().unwrap_or(0);
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(pause)) => Outcome::done(json!({})),
                () = assignment.stop.cancelled() => {
                    Outcome::released("told to stop")
                }
            }
        })
    }

    fn retry_config(&self, old: &Run, _: Option<&str>) -> Result<Value, Problem> {
        Ok(old.config.clone())
    }
}
