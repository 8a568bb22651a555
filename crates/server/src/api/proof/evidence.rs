//! Evidence: its detail checked on bytes, its output by lines, its artifacts, its history.

use axum::{extract::State, http::HeaderMap, response::Response};
use engine::proof::evidence::{self, Examined, Found, HistoryFilter, LINES, LINES_MAX, OutputPart, words};
use model::{
    actor::Actor,
    digest::Digest,
    id::{EvidenceId, QuestionId, RunId},
    problem::Problem,
    proof::{
        gate::GateName,
        requirement::RequirementNumber,
        results::Case,
        standing::EvidenceFacts,
        tree::ObjectId,
        verdict::{Reason, Verdict},
    },
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    super::{
        blobs,
        listing::{self, Listing},
        visible,
    },
    run_parts::EndView,
};
use crate::{
    app::App,
    auth::Caller,
    extract::{List, Path, ProjectName, Query},
    problem::{Refusal, Refusals},
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(read))
        .routes(routes!(output))
        .routes(routes!(artifact))
        .routes(routes!(of_requirement))
}

/// What lists show of a piece of evidence.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct EvidenceLine {
    /// Its id.
    id: EvidenceId,
    /// Rising over the project.
    seq: u64,
    /// The requirement.
    requirement: RequirementNumber,
    /// The gate.
    gate: GateName,
    /// The run.
    run: RunId,
    /// What it is worth; tampered evidence is unproven (P52).
    verdict: Verdict,
    /// Why, unless it passed.
    reason: Option<Reason>,
    /// The files that the gate saw; null when they have no name.
    tree: Option<ObjectId>,
    /// The gate's definition.
    definition: Digest,
    /// Whether it is what was sealed, as last known.
    intact: bool,
    /// Whether the project's files are other ones by now.
    stale: bool,
    /// Whether the files changed during its run, so that a pass counts nowhere.
    moved: bool,
    /// When.
    recorded_at: Timestamp,
}

impl EvidenceLine {
    pub(super) fn of(facts: EvidenceFacts, tree: Option<&ObjectId>) -> Self {
        let outcome = facts.shown();
        Self {
            id: facts.id,
            seq: facts.seq,
            requirement: facts.requirement,
            run: facts.run,
            verdict: outcome.verdict(),
            reason: outcome.reason(),
            stale: facts.tree.is_none() || facts.tree.as_ref() != tree,
            gate: facts.gate,
            tree: facts.tree,
            definition: facts.definition,
            intact: facts.intact,
            moved: facts.moved,
            recorded_at: facts.recorded_at,
        }
    }
}

/// A command that evidence rests on.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = EvidenceCommand)]
struct CommandView {
    /// What identifies it within its run.
    digest: Digest,
    /// With `{repo}` and `{out}` unexpanded; empty when its record is past its retention.
    argv: Vec<String>,
    /// Relative to the repository.
    cwd: String,
    /// The runner.
    runner: String,
    /// Its limit.
    timeout_s: u32,
    /// How it ended; absent when its record is past its retention.
    #[serde(flatten)]
    end: Option<EndView>,
}

/// A piece of evidence, held against its seal, its journal and its bytes just now.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Evidence)]
struct EvidenceView {
    /// What lists show.
    #[serde(flatten)]
    line: EvidenceLine,
    /// One sentence; for damaged evidence, what is wrong with it.
    message: String,
    /// Retention has dropped its text.
    expired: bool,
    /// The commit the files started from.
    commit: Option<ObjectId>,
    /// Whether they differed from the commit.
    dirty: Option<bool>,
    /// The commands it rests on. Withheld, as is all text, when it is not intact.
    commands: Vec<CommandView>,
    /// The cases of its rules.
    cases: Vec<Case>,
    /// The question, where a person looked.
    question: Option<QuestionId>,
    /// Who looked.
    answered_by: Option<Actor>,
    /// What they wrote.
    comment: Option<String>,
    /// Over all that it claims.
    seal: Option<Digest>,
}

impl EvidenceView {
    fn of(examined: Examined, tree: Option<&ObjectId>) -> Self {
        let (outcome, intact) = (examined.outcome(), examined.is_intact());
        let mut line = EvidenceLine::of(examined.facts, tree);
        (line.verdict, line.reason, line.intact) = (outcome.verdict(), outcome.reason(), intact);
        let mut view = Self {
            line,
            message: String::new(),
            expired: false,
            commit: None,
            dirty: None,
            commands: Vec::new(),
            cases: Vec::new(),
            question: None,
            answered_by: None,
            comment: None,
            seal: None,
        };
        match examined.found {
            Found::Damaged(damage) => {
                view.message = format!("it is not what was sealed: {}; its text is withheld", words(&damage));
            }
            Found::Expired => {
                view.expired = true;
                view.message = "its text is past its retention".to_owned();
            }
            Found::Sound(evidence) => {
                view.message = if evidence.message.trim().is_empty() {
                    outcome.reason().map_or("passed", Reason::as_str).replace('_', " ")
                } else {
                    evidence.message
                };
                view.commit = evidence.commit;
                view.dirty = Some(evidence.dirty);
                view.cases = evidence.cases;
                view.seal = Some(evidence.seal);
                if let Some(review) = evidence.review {
                    view.question = Some(review.question);
                    view.answered_by = review.answered_by;
                    view.comment = review.comment;
                }
                view.commands = examined.commands.into_iter().map(command).collect();
            }
        }
        view
    }
}

fn command(shown: evidence::ShownCommand) -> CommandView {
    let digest = shown.sealed.digest;
    match shown.record {
        Some(record) => CommandView {
            digest,
            argv: record.argv.clone(),
            cwd: record.cwd.clone(),
            runner: record.runner.clone(),
            timeout_s: record.timeout_s,
            end: Some(EndView::from(record)),
        },
        None => {
            CommandView { digest, argv: Vec::new(), cwd: String::new(), runner: String::new(), timeout_s: 0, end: None }
        }
    }
}

/// A piece of evidence. Tampered evidence is answered as `unproven / tampered`, without its text.
#[utoipa::path(get, path = "/projects/{p}/proof/evidence/{evidence}", tag = "proof",
    params(("p" = String, Path, description = "key or id"), ("evidence" = EvidenceId, Path)),
    responses((status = 200, body = EvidenceView), Refusals))]
async fn read(
    State(app): State<App>,
    caller: Caller,
    Path((project, id)): Path<(ProjectName, EvidenceId)>,
) -> Result<axum::Json<EvidenceView>, Refusal> {
    let project = visible::project(&app, &caller, &project).await?;
    let examined = evidence::evidence(&app.engine, &project, id).await?;
    let tree = app
        .engine
        .store()
        .read(move |tx| Box::pin(async move { Ok::<_, Problem>(evidence::observed_tree(tx, project.id).await?) }))
        .await?;
    Ok(axum::Json(EvidenceView::of(examined, tree.as_ref())))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct OutputQuery {
    /// The first line, from 1.
    #[param(minimum = 1, default = 1)]
    from_line: Option<u64>,
    /// Lines of each command, 1 to 5,000.
    #[param(minimum = 1, maximum = 5000, default = 200)]
    lines: Option<u32>,
}

/// What a command wrote, in part.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = OutputPart)]
struct PartView {
    /// The command.
    digest: Digest,
    /// As one would type it.
    title: String,
    /// The first line that is shown, from 1.
    from_line: u64,
    /// The last line that is shown; one less than the first when none is.
    to_line: u64,
    /// How many lines are kept.
    total_lines: u64,
    /// How many bytes the command wrote.
    bytes: u64,
    /// Whether the middle was not kept.
    truncated: bool,
    /// The lines.
    lines: Vec<String>,
}

/// What the commands behind a piece of evidence wrote.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = EvidenceOutput)]
struct OutputView {
    /// The evidence.
    evidence: EvidenceId,
    /// Each command that wrote something.
    commands: Vec<PartView>,
}

/// What the commands of a piece of evidence wrote, by lines. 410 when it is tampered with or expired.
#[utoipa::path(get, path = "/projects/{p}/proof/evidence/{evidence}/output", tag = "proof",
    params(("p" = String, Path, description = "key or id"), ("evidence" = EvidenceId, Path), OutputQuery),
    responses((status = 200, body = OutputView), Refusals))]
async fn output(
    State(app): State<App>,
    caller: Caller,
    Path((project, id)): Path<(ProjectName, EvidenceId)>,
    Query(query): Query<OutputQuery>,
) -> Result<axum::Json<OutputView>, Refusal> {
    let project = visible::project(&app, &caller, &project).await?;
    let lines = query.lines.unwrap_or(LINES);
    if !(1..=LINES_MAX).contains(&lines) {
        let message = format!("1 to {LINES_MAX} are allowed");
        return Err(Problem::invalid_field("/lines", message).with("in", "query").into());
    }
    let from_line = query.from_line.unwrap_or(1);
    if from_line == 0 {
        return Err(Problem::invalid_field("/from_line", "lines are counted from 1").with("in", "query").into());
    }
    let parts = evidence::output(&app.engine, &project, id, from_line, lines).await?;
    let view = |part: OutputPart| PartView {
        digest: part.command,
        title: part.title,
        from_line: part.from_line,
        to_line: part.to_line,
        total_lines: part.total_lines,
        bytes: part.bytes,
        truncated: part.truncated,
        lines: part.lines,
    };
    Ok(axum::Json(OutputView { evidence: id, commands: parts.into_iter().map(view).collect() }))
}

/// Bytes that a piece of evidence rests on: an artifact, the output, the results file. One `Range` is
/// honoured.
#[utoipa::path(get, path = "/projects/{p}/proof/evidence/{evidence}/artifacts/{digest}", tag = "proof",
    params(("p" = String, Path, description = "key or id"), ("evidence" = EvidenceId, Path),
        ("digest" = Digest, Path), ("Range" = Option<String>, Header)),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 206, body = Vec<u8>, content_type = "application/octet-stream", description = "the range"),
        (status = 304, description = "unchanged"),
        (status = 416, description = "there is nothing in this range"), Refusals))]
async fn artifact(
    State(app): State<App>,
    caller: Caller,
    Path((project, id, digest)): Path<(ProjectName, EvidenceId, Digest)>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let project = visible::project(&app, &caller, &project).await?;
    let name = evidence::artifact(&app.engine, &project, id, digest).await?;
    blobs::blob(&app, &digest, media_type(&name), &name, &headers).await
}

/// What a file is by its name. Only what a browser shows without running anything is named (P34).
fn media_type(name: &str) -> &'static str {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    match extension.as_deref() {
        Some("txt" | "log" | "md" | "csv") => "text/plain",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("gif") => "image/gif",
        Some("webp") => "image/webp",
        Some("json") => "application/json",
        Some("webm") => "video/webm",
        Some("mp4") => "video/mp4",
        _ => "application/octet-stream",
    }
}

/// A verdict in a query.
#[derive(Debug, Clone, Copy)]
struct VerdictName(Verdict);

impl std::str::FromStr for VerdictName {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, &'static str> {
        let all = [Verdict::Passed, Verdict::Failed, Verdict::Unproven];
        all.into_iter().find(|verdict| verdict.as_str() == text).map(Self).ok_or("not a verdict")
    }
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct HistoryQuery {
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Items in the page, 1 to 500; 100 by default.
    limit: Option<u32>,
    /// Of this gate.
    gate: Option<GateName>,
    /// With these verdicts, separated by commas.
    #[serde(default)]
    #[param(value_type = Option<String>)]
    verdict: List<VerdictName>,
    /// Of this tree.
    tree: Option<ObjectId>,
}

/// A requirement's evidence, newest first, as last known to be intact or not.
#[utoipa::path(get, path = "/projects/{p}/proof/requirements/{requirement}/evidence", tag = "proof",
    params(("p" = String, Path, description = "key or id"), ("requirement" = RequirementNumber, Path), HistoryQuery),
    responses((status = 200, body = Listing<EvidenceLine>), Refusals))]
async fn of_requirement(
    State(app): State<App>,
    caller: Caller,
    Path((project, requirement)): Path<(ProjectName, RequirementNumber)>,
    Query(query): Query<HistoryQuery>,
) -> Result<axum::Json<Listing<EvidenceLine>>, Refusal> {
    let project = visible::project(&app, &caller, &project).await?;
    let limit = listing::limit(query.limit)?;
    let before = listing::cursor(query.cursor.as_deref())?;
    let filter = HistoryFilter {
        gate: query.gate,
        verdicts: query.verdict.0.into_iter().map(|name| name.0).collect(),
        tree: query.tree,
    };
    let found = evidence::history(&app.engine, project.id, requirement, &filter, before, limit + 1).await;
    let (rows, tree) = found?;
    let view = |facts| EvidenceLine::of(facts, tree.as_ref());
    Ok(axum::Json(Listing::cut(rows, limit, |facts| facts.seq.to_string(), view)))
}
