//! Gathers what the agent is told and renders its prompt: the task `dispatch.prepare` (D18, D31).

use std::path::Path;

use exec::{git::Repository, redact::Redactor};
use model::{
    digest::Digest,
    dispatch::{Apply, DispatchConfig, comment::told},
    failure::{Failure, FailureCode},
    id::CommentId,
    issue::Issue,
    problem::Problem,
    role::{Output, Rendered, Values, render},
};

use super::{
    comments, context,
    state::{ContextOfRun, Detail, Kept, PrepareTask, Prepared, read},
};
use crate::{
    Engine,
    work::{Assignment, Outcome},
};

/// Does the task.
pub async fn handle(assignment: Assignment) -> Outcome {
    match go(&assignment).await {
        Ok(prepared) => Outcome::done(serde_json::to_value(prepared).unwrap_or_default()),
        Err(failure) => Outcome::failed(failure),
    }
}

async fn go(assignment: &Assignment) -> Result<Prepared, Failure> {
    let engine = &assignment.engine;
    let gathering = |problem: Problem| Failure::new(FailureCode::ContextFailed, problem.message);
    let task: PrepareTask = read(&assignment.leased.task.input).map_err(gathering)?;
    let run = engine.run(assignment.leased.task.run).await.map_err(gathering)?;
    let detail = Detail::of(&run).map_err(gathering)?;
    let config: DispatchConfig = read(&run.config).map_err(gathering)?;
    let project = engine.project(&run.project.to_string()).await.map_err(gathering)?;
    let opened = Repository::open(Path::new(&project.path)).await;
    if task.role.output == Output::Worktree {
        // Nobody is asked to work on files that are not there (D48).
        if let Err(error) = &opened {
            return Err(Failure::new(FailureCode::RepoUnavailable, error.to_string()));
        }
        if detail.base.is_none() {
            let message = "the repository was not there when the run was started";
            return Err(Failure::new(FailureCode::RepoUnavailable, message));
        }
    }
    let repository = opened.as_ref().ok().zip(detail.base.as_ref());
    let (built, issue) = context::build(engine, &run, &project, &task.role, repository).await.map_err(gathering)?;
    let pack = serde_json::to_string_pretty(&built.pack.document).unwrap_or_default();
    let mut comments = comments::of(engine, config.comments.as_deref().unwrap_or_default()).await.map_err(gathering)?;
    let queued = comments::queued(engine, issue.id).await.map_err(gathering)?;
    let told_now: Vec<CommentId> = queued.iter().map(|comment| comment.id).collect();
    comments.extend(queued);
    let instructions: Vec<String> =
        config.instructions.into_iter().chain([told(&comments)]).filter(|text| !text.is_empty()).collect();
    let values = values(&issue, &built.parent, &project.name, &pack, &instructions.join("\n\n"));
    let Rendered { text, unknown, appended } = render(&task.role, &values);
    let mut warnings: Vec<String> = uncommitted(repository.map(|(repository, _)| repository), config.apply).await;
    warnings.extend(unknown.iter().map(|name| format!("the role's prompt names {{{{{name}}}}}, which is nothing")));
    if appended {
        warnings.push("the role's prompt has no place for instructions; they stand at its end".to_owned());
    }
    let role = serde_json::to_string_pretty(&task.role).unwrap_or_default();
    let mut kept = Vec::new();
    let context_bytes = pack.len() as u64;
    let context = keep(engine, &mut kept, "context-pack.json", "application/json", pack).await?;
    let prompt_bytes = text.len() as u64;
    let prompt = keep(engine, &mut kept, "rendered-prompt.md", "text/markdown; charset=utf-8", text).await?;
    keep(engine, &mut kept, "role-snapshot.json", "application/json", role).await?;
    let owned = |counts: &std::collections::BTreeMap<&'static str, usize>| {
        counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    };
    Ok(Prepared {
        context: ContextOfRun {
            digest: context,
            bytes: context_bytes,
            counts: owned(&built.pack.counts),
            dropped: owned(&built.pack.dropped),
            scale: model::dispatch::scale(&issue.title, &issue.body),
            sources_of_truth: built.sources_of_truth,
            warnings: built.warnings,
        },
        prompt,
        prompt_bytes,
        told: told_now,
        kept,
        warnings,
    })
}

/// What a person has in the checkout and in no commit is not part of the run, and the run says so (S68).
async fn uncommitted(repository: Option<&Repository>, apply: Apply) -> Vec<String> {
    let Some(repository) = repository.filter(|_| apply != Apply::InPlace) else { return Vec::new() };
    // Whatever is wrong with it shows where it matters.
    let dirty = repository.dirty().await.map_or(0, |dirty| dirty.len());
    let text =
        format!("files of the checkout with changes that are in no commit, and so not part of this run: {dirty}");
    if dirty == 0 { Vec::new() } else { vec![text] }
}

fn values(issue: &Issue, parent: &str, project: &str, context: &str, instructions: &str) -> Values {
    let redactor = Redactor::of_shapes();
    let clean = |text: &str| redactor.redact(text).into_owned();
    let lines = issue.acceptance.iter().map(|criterion| format!("{}. {}", criterion.id, criterion.text));
    Values {
        title: clean(&issue.title),
        body: clean(&issue.body),
        acceptance: clean(&lines.collect::<Vec<_>>().join("\n")),
        parent: clean(parent),
        project: project.to_owned(),
        context: context.to_owned(),
        instructions: clean(instructions),
    }
}

async fn keep(
    engine: &Engine,
    kept: &mut Vec<Kept>,
    name: &str,
    media_type: &str,
    text: String,
) -> Result<Digest, Failure> {
    let blob = engine
        .blobs()
        .put_bytes(text.into_bytes())
        .await
        .map_err(|error| Failure::new(FailureCode::ContextFailed, Problem::from(error).message))?;
    kept.push(Kept {
        name: name.to_owned(),
        media_type: media_type.to_owned(),
        digest: blob.digest,
        bytes: blob.bytes,
    });
    Ok(blob.digest)
}
