//! A run's tasks, in pages.

use axum::extract::State;
use model::{id::RunId, problem::Problem, task::TaskState};
use serde::Deserialize;
use store::TaskFilter;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    listing::{self, Listing},
    run_view::TaskView,
    visible,
};
use crate::{
    app::App,
    auth::Caller,
    extract::{List, Path, Query},
    problem::{Refusal, Refusals},
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(tasks))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct TasksQuery {
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Items in the page, 1 to 500; 100 by default.
    limit: Option<u32>,
    /// In these states, separated by commas.
    #[serde(default)]
    #[param(value_type = Option<String>)]
    state: List<StateName>,
    /// Of this kind.
    kind: Option<String>,
}

/// A task state in a query.
#[derive(Debug, Clone, Copy)]
struct StateName(TaskState);

impl std::str::FromStr for StateName {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, &'static str> {
        TaskState::by_name(text).map(Self).ok_or("not a state of a task")
    }
}

/// A run's tasks, by kind and subject.
#[utoipa::path(get, path = "/runs/{run}/tasks", tag = "runs", params(("run" = RunId, Path), TasksQuery),
    responses((status = 200, body = Listing<TaskView>), Refusals))]
async fn tasks(
    State(app): State<App>,
    caller: Caller,
    Path(run): Path<RunId>,
    Query(query): Query<TasksQuery>,
) -> Result<axum::Json<Listing<TaskView>>, Refusal> {
    let run = visible::run(&app, &caller, run).await?;
    let limit = listing::limit(query.limit)?;
    let after: Option<Place> = listing::cursor(query.cursor.as_deref())?;
    let states = query.state.0.into_iter().map(|name| name.0).collect();
    let filter = TaskFilter { kind: query.kind, states, ..TaskFilter::default() };
    let rows = app
        .engine
        .store()
        .read(move |tx| {
            let (filter, after) = (filter.clone(), after.clone());
            Box::pin(async move {
                let after = after.as_ref().map(|place| (place.kind.as_str(), place.subject.as_str()));
                Ok::<_, Problem>(tx.tasks(run.id, &filter, after, limit + 1).await?)
            })
        })
        .await?;
    let cursor =
        |task: &model::task::Task| Place { kind: task.kind.clone(), subject: task.subject.clone() }.to_string();
    Ok(axum::Json(Listing::cut(rows, limit, cursor, TaskView::from)))
}

/// Where a page of tasks ends.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    kind: String,
    subject: String,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(format!("{}\n{}", self.kind, self.subject)))
    }
}

impl std::str::FromStr for Place {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let text = String::from_utf8(hex::decode(text).map_err(drop)?).map_err(drop)?;
        let (kind, subject) = text.split_once('\n').ok_or(())?;
        let plain = !text.contains('\0');
        plain.then(|| Self { kind: kind.to_owned(), subject: subject.to_owned() }).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_cursor_reads_back_and_nothing_else_does() {
        let place = Place { kind: "gate".into(), subject: "REQ-0001/unit\nx".into() };
        assert_eq!(place.to_string().parse(), Ok(place));
        for wrong in ["", "zz", "6162", &hex::encode("a\n\0")] {
            assert_eq!(wrong.parse::<Place>(), Err(()), "{wrong}");
        }
    }
}
