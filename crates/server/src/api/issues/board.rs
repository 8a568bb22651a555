//! The board: its columns, and from where on to follow it (S6).

use axum::extract::State;
use engine::issues::{Board, Column};
use model::{
    id::IssueId,
    issue::{Attention, Card, IssueKind, IssueStatus, Priority},
};
use serde::{Deserialize, Serialize};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::filter::Chosen;
use crate::{
    api::{listing, visible},
    app::App,
    auth::Caller,
    extract::{List, Path, ProjectName, Query},
    problem::{Refusal, Refusals},
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(read))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct BoardQuery {
    /// Cards of each column, 1 to 500; 50 by default.
    per_column: Option<u32>,
    /// Of these kinds, separated by commas.
    #[serde(default)]
    #[param(value_type = Option<String>)]
    kind: List<IssueKind>,
    /// Of these priorities, separated by commas.
    #[serde(default)]
    #[param(value_type = Option<String>)]
    priority: List<Priority>,
    /// That ask this of a person, separated by commas.
    #[serde(default)]
    #[param(value_type = Option<String>)]
    attention: List<Attention>,
    /// With this label, whatever its case.
    label: Option<String>,
    /// Whose they are.
    assignee: Option<String>,
    /// Who does them: `manual` or `role:ID`.
    execution: Option<String>,
    /// Parts of this issue.
    parent: Option<IssueId>,
    /// Whose number (`#7`), title or text holds this, 1 to 200 characters.
    q: Option<String>,
}

/// A column of the board.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct BoardColumn {
    /// Which.
    status: IssueStatus,
    /// How many issues it has.
    count: u64,
    /// The first of them.
    cards: Vec<Card>,
    /// The `cursor` with which `GET /projects/{p}/issues?status=STATUS` goes on; null when these are all.
    next_cursor: Option<String>,
}

impl From<Column> for BoardColumn {
    fn from(column: Column) -> Self {
        let next_cursor = column.cards.last().filter(|_| column.has_more).map(|last| last.number.to_string());
        Self { status: column.status, count: column.count, cards: column.cards, next_cursor }
    }
}

/// The board of a project.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Board)]
struct BoardView {
    /// The number of the project's stream at which this is true: follow it from here.
    seq: u64,
    /// In the order of an issue's life.
    columns: Vec<BoardColumn>,
}

impl From<Board> for BoardView {
    fn from(board: Board) -> Self {
        Self { seq: board.seq, columns: board.columns.into_iter().map(BoardColumn::from).collect() }
    }
}

/// The board: the start of each column. Following the project's stream from `seq` on misses nothing; each
/// `issue.card` there is the whole card as it is then.
#[utoipa::path(get, path = "/projects/{p}/board", tag = "issues",
    params(("p" = String, Path, description = "key or id"), BoardQuery),
    responses((status = 200, body = BoardView), Refusals))]
async fn read(
    State(app): State<App>,
    caller: Caller,
    Path(project): Path<ProjectName>,
    Query(query): Query<BoardQuery>,
) -> Result<axum::Json<BoardView>, Refusal> {
    let project = visible::project(&app, &caller, &project).await?;
    let per_column = match query.per_column {
        None => None,
        asked => Some(listing::limit(asked).map_err(|_| too_many())?),
    };
    let chosen = Chosen {
        status: List::default(),
        kind: query.kind,
        priority: query.priority,
        attention: query.attention,
        label: query.label,
        assignee: query.assignee,
        execution: query.execution,
        parent: query.parent,
        q: query.q,
    };
    Ok(axum::Json(app.engine.board(project.id, chosen.read()?, per_column).await?.into()))
}

fn too_many() -> model::problem::Problem {
    let message = format!("1 to {} are allowed", model::limits::PAGE_MAX);
    model::problem::Problem::invalid_field("/per_column", message).with("in", "query")
}
