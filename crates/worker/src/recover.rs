//! What a worker does before anything else: deliver what its last life left, and give back what that did
//! not finish (D63). Wardens ended its children when it died, and a task's folder holds all it made, so
//! nothing of it is left elsewhere.

use std::{fs, sync::Arc};

use model::problem::Problem;
use serde_json::json;
use tokio::sync::{Notify, watch};

use crate::{
    deliver::{End, Progress, deliver},
    link::Link,
    outbox::{Item, TaskBox},
    perform::Performers,
    say::Saying,
    state::State,
};

/// Why a task is given back that its worker died over (D59).
const RESTARTED: &str = "worker_restarted";

/// Empties the outbox. Returns when the plane has taken all of it, or does not want it; `false` when the
/// worker was revoked.
pub async fn recover(state: &State, link: &Link, saying: &Saying, performers: &Performers) -> Result<bool, Problem> {
    let unusable = |error: std::io::Error| {
        Problem::new(model::code::Code::WorkerStateUnusable, format!("failed to read the outbox: {error}"))
    };
    for task in TaskBox::left(&state.tasks()).map_err(unusable)? {
        let fence = task.fence();
        // Nobody works there any more.
        if let Ok(claim) = task.claim() {
            performers.tidy(claim).await;
        }
        if let Err(error) = fs::remove_dir_all(task.work())
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "failed to remove the working folder of a task");
        }
        if !task.has_outcome().map_err(unusable)? {
            let release = Item::Outcome { verb: "release".into(), body: json!({"reason": RESTARTED}) };
            task.put(&release).map_err(unusable)?;
        }
        let saying = saying.clone();
        let progress = Progress {
            more: Notify::new(),
            taken: watch::Sender::new(0),
            trouble: Arc::new(move |trouble| saying.set_trouble(trouble)),
        };
        let end = deliver(link, &task, &state.aside(), &progress, false).await;
        tracing::info!(task = %fence.task, ?end, "what was left of a task");
        if end == End::Revoked {
            return Ok(false);
        }
        task.drop_all().map_err(unusable)?;
    }
    Ok(true)
}
