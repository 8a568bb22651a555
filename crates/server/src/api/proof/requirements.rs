//! Requirements: captured, listed, read, changed, with their stubs.

use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use engine::proof::{
    listing::{self, ByStatus, Filter, IssueOf, Sort},
    requirements,
};
use model::{
    problem::Problem,
    proof::{
        classify::Kind,
        gate::GateName,
        requirement::{RequirementNumber, RuleHow, Scope, Severity, Source},
        standing::Status,
        stub::StubAnswer,
        verdict::Verdict,
    },
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::requirement_view::{CapturedView, RequirementView};
use crate::{
    api::{listing as page, visible},
    app::App,
    auth::{Action, Caller},
    extract::{IfMatch, Json, Keyed, List, Path, ProjectName, Query},
    problem::{Refusal, Refusals},
};

/// The longest text to look for.
const Q: usize = 200;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, capture)).routes(routes!(read, change)).routes(routes!(write_stubs))
}

/// A rule as somebody asks for it. Read by the domain, which names each wrong value.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "the shape of a body, for the document alone")]
struct AskRule {
    /// The gate.
    gate: GateName,
    /// How it is proved; by default `test`, for a review gate `review`.
    how: Option<RuleHow>,
    /// The exact name of a test; absent leaves it to the plane, with a stub.
    test: Option<String>,
    /// The runner, where several could prove the gate.
    runner: Option<String>,
    /// Whether it counts; by default it does.
    must_pass: Option<bool>,
}

/// A glitch to capture.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "the shape of a body, for the document alone")]
struct CaptureRequirement {
    /// One line, 1 to 200 characters.
    title: String,
    /// Markdown, 1 to 20,000 characters.
    description: String,
    /// How bad; by default medium.
    severity: Option<Severity>,
    /// Seen where first; by default `user_report`, for a program `agent`.
    source: Option<Source>,
    /// Where it was seen: http or https.
    source_url: Option<String>,
    /// What kind; it decides the gates where none are named.
    kind: Option<Kind>,
    /// The gates that prove it, exactly.
    gates: Option<Vec<GateName>>,
    /// Rules instead of the one test that each gate gets.
    rules: Option<Vec<AskRule>>,
    /// What it is about, one place a line.
    r#where: Option<String>,
    /// The same, sorted already.
    scope: Option<Scope>,
    /// Other requirements.
    related: Option<Vec<RequirementNumber>>,
    /// The board's issue.
    issue: Option<String>,
}

/// What to change; absent is unchanged.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "the shape of a body, for the document alone")]
struct ChangeRequirement {
    /// One line.
    title: Option<String>,
    /// Markdown.
    description: Option<String>,
    /// How bad.
    severity: Option<Severity>,
    /// Seen where first.
    source: Option<Source>,
    /// A link; null removes it.
    source_url: Option<String>,
    /// What kind.
    kind: Option<Kind>,
    /// The gates that prove it from now on, exactly. One fewer weakens it.
    gates: Option<Vec<GateName>>,
    /// The rules of each gate that is named here. One fewer, or one that no longer counts, weakens it.
    rules: Option<Vec<AskRule>>,
    /// What it is about, one place a line.
    r#where: Option<String>,
    /// The same, sorted already.
    scope: Option<Scope>,
    /// Other requirements.
    related: Option<Vec<RequirementNumber>>,
    /// The board's issue; null removes it.
    issue: Option<String>,
    /// Why; needed where it weakens.
    reason: Option<String>,
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct CaptureQuery {
    /// Answer what would be captured and store nothing.
    #[serde(default)]
    dry_run: bool,
}

/// Capture a glitch as a requirement. Exactly once per `Idempotency-Key`.
#[utoipa::path(post, path = "/projects/{p}/proof/requirements", tag = "proof", request_body = CaptureRequirement,
    params(("p" = String, Path, description = "key or id"), ("Idempotency-Key" = Option<String>, Header), CaptureQuery),
    responses((status = 201, body = CapturedView, description = "captured; see Location"),
        (status = 200, body = CapturedView, description = "a dry run: nothing was stored"), Refusals))]
async fn capture(
    State(app): State<App>,
    caller: Caller,
    Path(project): Path<ProjectName>,
    Query(query): Query<CaptureQuery>,
    ask: Keyed<Value>,
) -> Result<Response, Refusal> {
    let project = visible::project_for(&app, &caller, &project, Action::Capture).await?;
    if query.dry_run {
        let captured = requirements::preview(&app.engine, &project, &ask.body, caller.actor()).await?;
        return Ok(axum::Json(CapturedView::of(captured, true)).into_response());
    }
    let once = caller.once("POST /projects/{p}/proof/requirements", ask.key, ask.digest);
    let captured = requirements::capture(&app.engine, &project, &ask.body, caller.actor(), once).await?;
    let address = format!("/api/v1/projects/{}/proof/requirements/{}", project.id, captured.requirement.id);
    let mut response = (StatusCode::CREATED, axum::Json(CapturedView::of(captured, false))).into_response();
    if let Ok(location) = HeaderValue::from_str(&address) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Items in the page, 1 to 500; 100 by default.
    limit: Option<u32>,
    /// Standing so, separated by commas.
    #[serde(default)]
    #[param(value_type = Option<String>)]
    status: List<Word<Status>>,
    /// So bad, separated by commas.
    #[serde(default)]
    #[param(value_type = Option<String>)]
    severity: List<Word<Severity>>,
    /// Of these kinds, separated by commas.
    #[serde(default)]
    #[param(value_type = Option<String>)]
    kind: List<Word<Kind>>,
    /// Seen there, separated by commas.
    #[serde(default)]
    #[param(value_type = Option<String>)]
    source: List<Word<Source>>,
    /// With this gate.
    #[param(value_type = Option<String>)]
    gate: Option<GateName>,
    /// With this verdict: of `gate` where that is given, else of any.
    #[param(inline)]
    verdict: Option<Verdict>,
    /// Resting on other files than the present ones, or not.
    stale: Option<bool>,
    /// Lately passed and failed on the same files, or not.
    flaky: Option<bool>,
    /// About this issue: its number in the project, or its id.
    #[param(value_type = Option<String>)]
    issue: Option<IssueOf>,
    /// Whose title, text or id holds this, 1 to 200 characters.
    q: Option<String>,
    /// `id` (default), `-id`, `severity` (the worst first), `status` (open first) or `title`.
    sort: Option<String>,
}

/// A word of a closed list, in a query.
#[derive(Debug, Clone)]
struct Word<T>(T);

impl<T: DeserializeOwned> std::str::FromStr for Word<T> {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let read = serde_json::from_value(Value::from(text)).map(Self);
        read.map_err(|_| format!("{} is not in its list", text.chars().take(40).collect::<String>()))
    }
}

fn words<T>(list: List<Word<T>>) -> Vec<T> {
    list.0.into_iter().map(|word| word.0).collect()
}

/// A page of requirements.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct RequirementList {
    /// The page.
    items: Vec<RequirementView>,
    /// Where the next page starts; null at the end.
    next_cursor: Option<String>,
    /// How many the filter finds.
    total: u64,
    /// How many stand how, over the whole project.
    by_status: StatusCounts,
}

/// Requirements by status.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct StatusCounts {
    /// Something is not proven.
    open: u64,
    /// All is proven.
    satisfied: u64,
    /// A person took it over for a time.
    waived: u64,
}

impl From<ByStatus> for StatusCounts {
    fn from(counts: ByStatus) -> Self {
        Self { open: counts.open, satisfied: counts.satisfied, waived: counts.waived }
    }
}

/// The project's requirements and where they stand.
#[utoipa::path(get, path = "/projects/{p}/proof/requirements", tag = "proof",
    params(("p" = String, Path, description = "key or id"), ListQuery),
    responses((status = 200, body = RequirementList), Refusals))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(project): Path<ProjectName>,
    Query(query): Query<ListQuery>,
) -> Result<axum::Json<RequirementList>, Refusal> {
    let project = visible::project(&app, &caller, &project).await?;
    let limit = page::limit(query.limit)? as usize;
    let after: Option<RequirementNumber> = page::cursor(query.cursor.as_deref())?;
    let wrong = |pointer: &str, message: String| Problem::invalid_field(pointer, message).with("in", "query");
    if query.q.as_ref().is_some_and(|q| q.trim().is_empty() || q.chars().count() > Q) {
        return Err(wrong("/q", format!("1 to {Q} characters are allowed")).into());
    }
    let sort = match query.sort.as_deref() {
        None => Sort::default(),
        Some(word) => Sort::WORDS.iter().find(|(name, _)| *name == word).map(|(_, sort)| *sort).ok_or_else(|| {
            let known = Sort::WORDS.map(|(name, _)| name).join(", ");
            wrong("/sort", format!("one of {known} is expected"))
        })?,
    };
    let filter = Filter {
        status: words(query.status),
        severity: words(query.severity),
        kind: words(query.kind),
        source: words(query.source),
        gate: query.gate,
        verdict: query.verdict,
        stale: query.stale,
        flaky: query.flaky,
        issue: query.issue,
        q: query.q,
    };
    let listed = listing::list(&app.engine, &project, &filter, sort, after, limit).await?;
    let next_cursor = listed.items.last().filter(|_| listed.has_more).map(|last| last.requirement.id.to_string());
    Ok(axum::Json(RequirementList {
        items: listed.items.into_iter().map(RequirementView::from).collect(),
        next_cursor,
        total: listed.total,
        by_status: listed.by_status.into(),
    }))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ReadQuery {
    /// Look also which of its stubs are in the checkout.
    #[serde(default)]
    stubs: bool,
}

/// A requirement and what it is worth.
#[utoipa::path(get, path = "/projects/{p}/proof/requirements/{req}", tag = "proof",
    params(("p" = String, Path, description = "key or id"), ("req" = String, Path, description = "such as REQ-0007"),
        ReadQuery),
    responses((status = 200, body = RequirementView), Refusals))]
async fn read(
    State(app): State<App>,
    caller: Caller,
    Path((project, id)): Path<(ProjectName, RequirementNumber)>,
    Query(query): Query<ReadQuery>,
) -> Result<axum::Json<RequirementView>, Refusal> {
    let project = visible::project(&app, &caller, &project).await?;
    let view = RequirementView::from(requirements::requirement(&app.engine, &project, id).await?);
    Ok(axum::Json(match query.stubs {
        true => view.with_stubs(requirements::stubs_seen(&app.engine, &project, id).await?),
        false => view,
    }))
}

/// Change a requirement. What weakens it needs an admin and a reason.
#[utoipa::path(patch, path = "/projects/{p}/proof/requirements/{req}", tag = "proof", request_body = ChangeRequirement,
    params(("p" = String, Path, description = "key or id"), ("req" = String, Path, description = "such as REQ-0007"),
        ("If-Match" = u64, Header, description = "the revision that was read")),
    responses((status = 200, body = RequirementView), Refusals))]
async fn change(
    State(app): State<App>,
    caller: Caller,
    Path((project, id)): Path<(ProjectName, RequirementNumber)>,
    IfMatch(revision): IfMatch,
    Json(body): Json<Value>,
) -> Result<axum::Json<RequirementView>, Refusal> {
    let project = visible::project_for(&app, &caller, &project, Action::Change).await?;
    let may_weaken = caller.may(Action::Decide, project.id);
    let worth = requirements::change(&app.engine, &project, id, &body, revision, caller.actor(), may_weaken).await?;
    Ok(axum::Json(worth.into()))
}

/// The stubs of a requirement.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct StubList {
    /// Each with its path in the repository, sorted.
    stubs: Vec<StubAnswer>,
}

/// Write the stub tests of a requirement that are not there. What is there is never changed.
#[utoipa::path(post, path = "/projects/{p}/proof/requirements/{req}/stubs", tag = "proof",
    params(("p" = String, Path, description = "key or id"), ("req" = String, Path, description = "such as REQ-0007")),
    responses((status = 200, body = StubList), Refusals))]
async fn write_stubs(
    State(app): State<App>,
    caller: Caller,
    Path((project, id)): Path<(ProjectName, RequirementNumber)>,
) -> Result<axum::Json<StubList>, Refusal> {
    let project = visible::project_for(&app, &caller, &project, Action::Capture).await?;
    let stubs = requirements::write_stubs(&app.engine, &project, id).await?;
    Ok(axum::Json(StubList { stubs }))
}
