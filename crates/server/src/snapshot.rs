//! What a reader is given in place of entries that retention has cut.

use bytes::Bytes;
use model::{journal::StreamId, problem::Problem};
use serde_json::{Value, json};

use crate::{
    api::{ProjectView, RunView},
    app::App,
};

/// The present state behind a stream, with the numbers that are kept.
pub async fn of(app: &App, stream: StreamId, floor: u64, head: u64) -> Result<Bytes, Problem> {
    let snapshot = match stream {
        StreamId::Run(run) => value(&RunView::from(engine::proof::gates::live(&app.engine, run).await?)),
        StreamId::Project(project) | StreamId::Audit(project) => {
            let found = app
                .engine
                .store()
                .read(move |tx| Box::pin(async move { Ok::<_, Problem>(tx.project(project).await?) }));
            value(&ProjectView::from(found.await?.ok_or_else(Problem::not_found)?))
        }
    };
    let data = json!({"stream": stream.to_string(), "floor": floor, "head": head, "snapshot": snapshot});
    Ok(Bytes::from(data.to_string()))
}

fn value(view: &impl serde::Serialize) -> Value {
    // Views are plain fields of ours, which always serialize.
    serde_json::to_value(view).unwrap_or_default()
}
