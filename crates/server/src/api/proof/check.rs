//! The merge gate's question.

use axum::extract::State;
use engine::proof::check::{self, Ask, What};
use model::{
    code::Code,
    problem::{FieldError, Problem},
    proof::{
        check::CheckAnswer,
        settings::CheckScope,
        tree::{ObjectId, RefName},
    },
};
use serde::Deserialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::super::visible;
use crate::{
    app::App,
    auth::Caller,
    extract::{Path, ProjectName, Query},
    problem::{Refusal, Refusals},
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(read))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct CheckQuery {
    /// A branch, tag or commit. At most one of `ref`, `tree` and `pr`; with none of them the project's
    /// checkout as it lies is asked about.
    r#ref: Option<String>,
    /// A git tree id; the plane need not have it.
    tree: Option<String>,
    /// A pull request. The plane knows none yet: send its `tree` or `ref`.
    pr: Option<u64>,
    /// Which requirements; the project's settings decide without it.
    #[param(inline)]
    scope: Option<CheckScope>,
    /// What `scope=changed` compares with; the default branch without it.
    base: Option<String>,
    /// Whether a project without requirements in scope is clear.
    #[serde(default)]
    allow_empty: bool,
}

/// May this tree be merged, and if not, what stands in the way? Whatever cannot be found out is a
/// refusal, never clear (P70).
#[utoipa::path(get, path = "/projects/{p}/proof/check", tag = "proof",
    params(("p" = String, Path, description = "key or id"), CheckQuery),
    responses((status = 200, body = CheckAnswer), Refusals))]
async fn read(
    State(app): State<App>,
    caller: Caller,
    Path(project): Path<ProjectName>,
    Query(query): Query<CheckQuery>,
) -> Result<axum::Json<CheckAnswer>, Refusal> {
    let project = visible::project(&app, &caller, &project).await?;
    let ask = ask(query)?;
    Ok(axum::Json(check::check(&app.engine, &project, &ask).await?))
}

fn ask(query: CheckQuery) -> Result<Ask, Problem> {
    let given = [query.r#ref.is_some(), query.tree.is_some(), query.pr.is_some()];
    if given.into_iter().filter(|given| *given).count() > 1 {
        return Err(wrong("/ref", "at most one of ref, tree and pr"));
    }
    let what = match (query.r#ref, query.tree, query.pr) {
        (Some(name), _, _) => What::Ref(reference("/ref", &name)?),
        (None, Some(tree), _) => {
            let tree: Result<ObjectId, _> = tree.parse();
            What::Tree(tree.map_err(|invalid| wrong("/tree", &invalid.to_string()))?)
        }
        (None, None, Some(_)) => {
            return Err(wrong("/pr", "this plane knows no pull requests: send the tree or the ref of its head"));
        }
        (None, None, None) => What::Worktree,
    };
    let base = query.base.map(|base| reference("/base", &base)).transpose()?;
    Ok(Ask { what, scope: query.scope, base, allow_empty: query.allow_empty })
}

fn wrong(pointer: &str, message: &str) -> Problem {
    Problem::invalid_field(pointer, message).with("in", "query")
}

fn reference(pointer: &str, text: &str) -> Result<RefName, Problem> {
    // `HEAD` has the form of a ref, too.
    text.parse().map_err(|_| {
        let error = FieldError::new(pointer, "is not the form of a git ref");
        Problem { code: Code::RefNotFound, ..Problem::invalid(vec![error]) }.with("in", "query")
    })
}
