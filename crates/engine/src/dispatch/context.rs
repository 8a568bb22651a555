//! Gathers what an agent is told about the project around its issue (D18, D19, D21).

use exec::{git::Repository, redact::Redactor};
use model::{
    dispatch::{
        pack::{BUDGET, Gathered, Pack, Source, pack, quoted},
        scale,
    },
    issue::{Issue, IssueSource, IssueStatus},
    problem::Problem,
    project::Project,
    proof::tree::ObjectId,
    role::Role,
    run::Run,
};
use serde_json::{Value, json};
use store::{IssueFilter, IssueOrder, RunFilter};

use crate::Engine;

/// Open issues.
const ISSUES: u32 = 100;
/// Requirements.
const REQUIREMENTS: usize = 50;
/// Documents.
const DOCUMENTS: usize = 8;
/// Recent runs.
const RUNS: usize = 6;
/// Lines of the map of the repository.
const MAP: usize = 200;
/// Characters of a run's summary, and of its failure.
const SUMMARY: usize = 180;
const FAILURE: usize = 240;

/// Files that say how things are, by name, and what each is for.
const TRUTH: &[(&str, &str)] = &[
    ("README.md", "overview"),
    ("ARCHITECTURE.md", "architecture"),
    ("CONTRIBUTING.md", "habits"),
    ("AGENTS.md", "instructions"),
    ("CLAUDE.md", "instructions"),
    ("proofhouse.toml", "gates"),
    ("docs/ARCHITECTURE.md", "architecture"),
    ("docs/architecture.md", "architecture"),
];

/// A pack, with what is shown of it.
pub struct Built {
    /// The pack.
    pub pack: Pack,
    /// The files that say how things are.
    pub sources_of_truth: Vec<Value>,
    /// What could not be read.
    pub warnings: Vec<String>,
    /// The issue above, in words; empty when there is none.
    pub parent: String,
}

/// What comes out of the store in one consistent look.
struct Board {
    issue: Issue,
    parent: Option<Issue>,
    siblings: Vec<Issue>,
    open: Vec<Issue>,
    runs: Vec<Run>,
    requirements: Vec<Value>,
}

/// Builds the pack of a run.
///
/// # Errors
/// When the issue or the board cannot be read; whatever else cannot be becomes a warning (D20).
pub async fn build(
    engine: &Engine,
    run: &Run,
    project: &Project,
    role: &Role,
    repository: Option<(&Repository, &ObjectId)>,
) -> Result<(Built, Issue), Problem> {
    let board = board(engine, run, project).await?;
    let issue = &board.issue;
    let mut warnings = Vec::new();
    let files = match repository {
        Some((repository, base)) => repository.files_at(base).await.unwrap_or_else(|error| {
            warnings.push(format!("the repository could not be listed: {error}"));
            Vec::new()
        }),
        None => {
            warnings.push("there is no repository to look at".to_owned());
            Vec::new()
        }
    };
    let truth = TRUTH
        .iter()
        .filter(|(path, _)| files.iter().any(|file| file == path))
        .map(|(path, role)| json!({"path": path, "role": role}));
    let sources_of_truth: Vec<Value> = truth.collect();
    let sources = vec![
        Source { name: "parent", items: board.parent.iter().map(in_full).collect() },
        Source { name: "siblings", items: board.siblings.iter().map(in_short).collect() },
        Source { name: "issues", items: board.open.iter().map(in_short).collect() },
        Source { name: "requirements", items: board.requirements },
        Source { name: "documents", items: documents(&files, issue) },
        Source { name: "runs", items: board.runs.iter().map(past).collect() },
        Source { name: "map", items: map(&files) },
        Source { name: "sources_of_truth", items: sources_of_truth.clone() },
    ];
    let gathered = Gathered {
        issue: in_full(issue),
        sources,
        warnings: warnings.clone(),
        role: role.id.to_string(),
        intent: role.intent,
        scale: scale(&issue.title, &issue.body),
    };
    // Every text is redacted before anything of it is stored (X50).
    let gathered = redacted(gathered);
    let built = pack(gathered, BUDGET);
    let parent = board.parent.as_ref().map(|parent| format!("#{} {}", parent.number, parent.title)).unwrap_or_default();
    Ok((Built { pack: built, sources_of_truth, warnings, parent }, board.issue))
}

async fn board(engine: &Engine, run: &Run, project: &Project) -> Result<Board, Problem> {
    let (project, run_id) = (project.id, run.id);
    let issue = run.issue.ok_or_else(Problem::not_found)?;
    engine
        .store()
        .read(move |tx| {
            Box::pin(async move {
                let issue = tx.issue(issue).await?.ok_or_else(Problem::not_found)?;
                let parent = match issue.parent {
                    Some(parent) => tx.issue(parent).await?,
                    None => None,
                };
                let siblings = match issue.parent {
                    Some(parent) => tx.issue_children(parent).await?,
                    None => Vec::new(),
                };
                let filter = IssueFilter {
                    status: IssueStatus::ALL.iter().copied().filter(|status| status.is_open()).collect(),
                    ..IssueFilter::default()
                };
                let open = tx.issues(project, &filter, IssueOrder::Changed, None, ISSUES).await?;
                let past = RunFilter { project: Some(project), ..RunFilter::default() };
                let mut runs = tx.runs(&past, None, 50).await?;
                runs.retain(|other| other.status.is_terminal() && other.id != run_id);
                // Those about this issue say most.
                runs.sort_by_key(|other| other.issue != Some(issue.id));
                runs.truncate(RUNS);
                let requirements = tx.requirements_all(project).await?;
                let requirements = requirements.iter().take(REQUIREMENTS).map(|kept| {
                    let own = &kept.requirement;
                    json!({"id": own.id, "title": own.title, "severity": own.severity, "scope": own.scope})
                });
                Ok::<_, Problem>(Board {
                    siblings: siblings.into_iter().filter(|other| other.id != issue.id).collect(),
                    open: open.into_iter().filter(|other| other.id != issue.id).collect(),
                    parent,
                    runs,
                    requirements: requirements.collect(),
                    issue,
                })
            })
        })
        .await
}

fn in_full(issue: &Issue) -> Value {
    // What a forge sent was written by people who may want something of an agent (D21).
    let body = if issue.source == IssueSource::Forge { quoted(&issue.body) } else { issue.body.clone() };
    json!({
        "number": issue.number, "kind": issue.kind, "title": issue.title, "body": body, "audience": issue.audience,
        "acceptance": issue.acceptance, "status": issue.status, "priority": issue.priority, "labels": issue.labels,
    })
}

fn in_short(issue: &Issue) -> Value {
    json!({
        "number": issue.number, "kind": issue.kind, "title": issue.title, "status": issue.status,
        "priority": issue.priority,
    })
}

fn past(run: &Run) -> Value {
    let cut = |text: &str, most: usize| text.chars().take(most).collect::<String>();
    let summary =
        run.detail["report"]["summary"].as_str().or_else(|| run.detail["message"].as_str()).unwrap_or_default();
    json!({
        "run": run.id, "kind": run.kind, "status": run.status, "verdict": run.verdict,
        // An agent's own words are data to the next one.
        "summary": (!summary.is_empty()).then(|| quoted(&cut(summary, SUMMARY))),
        "failure": run.failure.as_ref().map(|failure| json!({
            "code": failure.code, "message": cut(&failure.message, FAILURE),
        })),
    })
}

/// Documents, those that share words with the issue first.
fn documents(files: &[String], issue: &Issue) -> Vec<Value> {
    let text = format!("{} {}", issue.title, issue.body).to_lowercase();
    let words: Vec<&str> = text.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() > 3).collect();
    let is_document =
        |path: &&String| path.to_lowercase().ends_with(".md") && (!path.contains('/') || path.starts_with("docs/"));
    let mut found: Vec<(usize, &String)> = files
        .iter()
        .filter(is_document)
        .map(|path| {
            let lower = path.to_lowercase();
            (words.iter().filter(|word| lower.contains(**word)).count(), path)
        })
        .collect();
    found.sort_by(|one, other| other.0.cmp(&one.0).then_with(|| one.1.cmp(other.1)));
    found.into_iter().take(DOCUMENTS).map(|(matches, path)| json!({"path": path, "matches": matches})).collect()
}

/// A map of the repository: its files where they are few, else its folders with the number of files in each.
fn map(files: &[String]) -> Vec<Value> {
    if files.len() <= MAP {
        return files.iter().map(|path| json!(path)).collect();
    }
    for depth in (1..=4).rev() {
        let mut folders: std::collections::BTreeMap<String, usize> = std::collections::BTreeMap::new();
        for path in files {
            let parts: Vec<&str> = path.split('/').collect();
            let place = if parts.len() > depth { format!("{}/", parts[..depth].join("/")) } else { path.clone() };
            *folders.entry(place).or_default() += 1;
        }
        if folders.len() <= MAP || depth == 1 {
            let line = |(path, count): (String, usize)| {
                if path.ends_with('/') { json!(format!("{path} ({count} files)")) } else { json!(path) }
            };
            return folders.into_iter().take(MAP).map(line).collect();
        }
    }
    Vec::new()
}

fn redacted(mut gathered: Gathered) -> Gathered {
    let redactor = Redactor::of_shapes();
    clean(&redactor, &mut gathered.issue);
    for item in gathered.sources.iter_mut().flat_map(|source| &mut source.items) {
        clean(&redactor, item);
    }
    gathered
}

fn clean(redactor: &Redactor, value: &mut Value) {
    match value {
        Value::String(text) => {
            if let std::borrow::Cow::Owned(redacted) = redactor.redact(text) {
                *text = redacted;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| clean(redactor, item)),
        Value::Object(fields) => fields.values_mut().for_each(|field| clean(redactor, field)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // D21: secrets go, digests stay.
    #[test]
    fn texts_are_redacted_and_digests_stay() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        let mut value = json!({"body": ["the key is AKIAIOSFODNN7EXAMPLE", commit]});
        clean(&Redactor::of_shapes(), &mut value);
        assert!(!value.to_string().contains("AKIAIOSFODNN7EXAMPLE"), "{value}");
        assert_eq!(value["body"][1], commit);
    }

    // D19: the map has at most so many lines, whatever the repository.
    #[test]
    fn a_large_repository_is_told_by_its_folders() {
        let few = vec!["a".to_owned(), "b/c".to_owned()];
        assert_eq!(map(&few), [json!("a"), json!("b/c")]);
        let many: Vec<String> = (0..5_000).map(|n| format!("src/{}/{}/f{n}.rs", n % 50, n % 500)).collect();
        let told = map(&many);
        assert!(told.len() <= MAP && told.len() >= 50, "{}", told.len());
        assert!(told[0].as_str().unwrap().ends_with("files)"), "{}", told[0]);
        let flat: Vec<String> = (0..5_000).map(|n| format!("f{n}")).collect();
        assert_eq!(map(&flat).len(), MAP);
    }
}
