//! Judges a result and puts it into the repository: the task `dispatch.apply` (D41-D48).

use std::path::Path;

use exec::{
    apply::{Done, Step, What, apply, recover},
    git::{Committed, NewCommit, Repository, Worktree},
};
use model::{
    change::{Action, Entry, FileRow, Mode, Reason, Rules, Ruling, is_sensitive, judge_change},
    digest::Digest,
    dispatch::{Answer, Apply, DispatchConfig, Report},
    failure::{Failure, FailureCode},
    journal::{Level, NewEntry},
    policy::Policy,
    problem::Problem,
    project::Project,
    run::Run,
};
use serde_json::json;

use super::{
    ground,
    port::{Handed, Inside, Port, PortError},
    state::{Applied, ApplyTask, Detail, read},
};
use crate::{
    Engine,
    proof::target,
    work::{Assignment, Outcome},
};

/// The name under which the worktree of the change is kept.
const WORKTREE: &str = "apply";
/// File entries in the journal; the report has all of them.
const TOLD: usize = 200;

/// Why nothing was applied.
enum Stop {
    Release,
    Fail(Failure),
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        Self::Fail(Failure::new(FailureCode::ApplyFailed, problem.message))
    }
}

impl From<PortError> for Stop {
    fn from(error: PortError) -> Self {
        match error {
            PortError::Lost => Self::Release,
            PortError::Unreachable(message) => Self::Fail(Failure::new(FailureCode::Internal, message)),
        }
    }
}

impl From<exec::git::GitError> for Stop {
    fn from(error: exec::git::GitError) -> Self {
        Self::from(Problem::from(error))
    }
}

/// Does the task.
pub async fn handle(assignment: Assignment) -> Outcome {
    let run = assignment.leased.task.run;
    let port = Inside::new(assignment.engine.clone(), assignment.fence(), run);
    let result = go(&assignment, &port).await;
    // The worktree goes with the run's folder where it cannot be removed now.
    if let Ok(root) = target::worktrees(&assignment.engine)
        && let Ok(folder) = root.folder_of(&run.to_string())
    {
        let _ = tokio::task::spawn_blocking(move || std::fs::remove_dir_all(folder.join(WORKTREE))).await;
    }
    match result {
        Ok(applied) => Outcome::done(serde_json::to_value(applied).unwrap_or_default()),
        Err(Stop::Release) => Outcome::released("stopped"),
        Err(Stop::Fail(failure)) => Outcome::failed(failure),
    }
}

async fn go(assignment: &Assignment, port: &Inside) -> Result<Applied, Stop> {
    let engine = &assignment.engine;
    let task: ApplyTask = read(&assignment.leased.task.input)?;
    let run = engine.run(assignment.leased.task.run).await?;
    let (detail, config) = (Detail::of(&run)?, read::<DispatchConfig>(&run.config)?);
    let project = engine.project(&run.project.to_string()).await?;
    let answer: Answer = serde_json::from_slice(&port.fetch(task.result).await?).map_err(|error| {
        Stop::Fail(Failure::new(FailureCode::Internal, format!("the result cannot be read: {error}")))
    })?;
    // The policy as it is now: what was allowed at the start and is no longer, is not (L67).
    let policy = target::policy(engine, run.project).await?;
    let Some(policy) = policy else {
        return Err(Stop::Fail(Failure::new(FailureCode::PolicyDenied, "the project has no policy any more")));
    };
    if !policy.dispatch.apply.contains(&config.apply) {
        let message = format!("the policy no longer allows to apply {}", config.apply);
        return Err(Stop::Fail(Failure::new(FailureCode::PolicyDenied, message)));
    }
    let rules =
        Rules::of(&policy, Some(project.key.as_str()), task.write_paths.as_deref(), policy.dispatch.allow_delete);
    let job = Job { engine, assignment, port, run: &run, detail: &detail, project: &project, rules, policy: &policy };
    port.phase("applying").await?;
    let mut report = match config.apply {
        Apply::None => Report::of(answer.entries.iter().map(|entry| row(entry, Action::Listed)).collect()),
        Apply::Worktree => job.onto_branch(&answer).await?,
        Apply::InPlace => job.in_place(&answer).await?,
    };
    report.summary = answer.summary;
    report.test_instructions = answer.test_instructions;
    report.risks = answer.risks;
    report.followups = answer.followups;
    report.result = Some(task.result);
    job.tell(&report).await?;
    let bytes = serde_json::to_vec_pretty(&report).unwrap_or_default();
    port.artifact("report.json", "application/json", Handed::Bytes(bytes)).await?;
    Ok(Applied { report, kept: Vec::new() })
}

struct Job<'a> {
    engine: &'a Engine,
    assignment: &'a Assignment,
    port: &'a Inside,
    run: &'a Run,
    detail: &'a Detail,
    project: &'a Project,
    rules: Rules,
    policy: &'a Policy,
}

impl Job<'_> {
    /// One commit on a branch of its own (D45).
    async fn onto_branch(&self, answer: &Answer) -> Result<Report, Stop> {
        let opened = match &self.detail.base {
            Some(base) => Repository::open(Path::new(&self.project.path)).await.ok().map(|found| (found, base.clone())),
            None => None,
        };
        let Some((repository, base)) = opened else { return Ok(no_repository(answer)) };
        if repository.tree_of(&base).await.is_err() {
            return Ok(no_repository(answer));
        }
        let entries = &answer.entries;
        let mut tree =
            ground::Commit::read(&repository, &base, entries, self.policy.max_file_bytes.max(1 << 20)).await?;
        let first = judge_change(&tree, entries, &self.rules);
        let accepted: Vec<String> = entries
            .iter()
            .zip(&first)
            .filter(|(_, ruling)| ruling.is_accepted())
            .map(|(entry, _)| entry.path().to_owned())
            .collect();
        let root = target::worktrees(self.engine)?;
        let checkout = exec::git::Checkout { commit: base.clone(), branch: None };
        let name = self.run.id.to_string();
        let worktree = root.create(&repository, &name, WORKTREE, &checkout).await?;
        tree.ignored = worktree.repository().ignored(&accepted).await?;
        let rulings = judge_change(&tree, entries, &self.rules);
        let report = self.write(&worktree.path, entries, &rulings).await?;
        let report = self.commit(&repository, &worktree, base, report).await?;
        let _ = root.unpin(&repository, &name).await;
        Ok(report)
    }

    async fn commit(
        &self,
        repository: &Repository,
        worktree: &Worktree,
        base: model::proof::tree::ObjectId,
        mut report: Report,
    ) -> Result<Report, Stop> {
        report.base = Some(base.clone());
        let changed: Vec<String> =
            report.files.iter().filter(|row| row.action.changes()).map(|row| row.path.clone()).collect();
        if changed.is_empty() {
            return Ok(report);
        }
        if self.assignment.stop.is_cancelled() {
            return Err(Stop::Release);
        }
        // The plane has taken this entry behind the fence, so nobody else is about to make the branch (K6, D56).
        self.port.phase("submitting").await?;
        let (issue, role) = (&self.detail.issue, &self.detail.role);
        let name = format!("{}#{}", self.project.key, issue.number);
        let new = NewCommit {
            branch: self.detail.branch.parse().map_err(|_| failed("the branch has no name that git takes"))?,
            base,
            run: self.run.id.to_string(),
            message: format!("{}\n\nIssue: {name}\nRole: {} {}\n", one_line(&issue.title), role.id, role.version),
            at: self.run.created_at,
        };
        match repository.commit_branch(worktree, &changed, &new).await? {
            Committed::Made(commit) | Committed::Found(commit) => {
                report.branch = Some(self.detail.branch.clone());
                report.commit = Some(commit);
            }
            // Written and put back by what git makes of it, such as line ends.
            Committed::Nothing => {
                for row in report.files.iter_mut().filter(|row| row.action.changes()) {
                    row.action = Action::Unchanged;
                }
                report = Report { base: report.base.clone(), ..Report::of(report.files) };
            }
        }
        Ok(report)
    }

    /// Into the person's checkout, without a commit; only where the policy allows it.
    async fn in_place(&self, answer: &Answer) -> Result<Report, Stop> {
        let Ok(repository) = Repository::open(Path::new(&self.project.path)).await else {
            return Ok(no_repository(answer));
        };
        let entries = &answer.entries;
        // What an earlier try of this run left half done is put back before anything is looked at.
        let (root, tag, steps) = (repository.root().to_owned(), self.run.id.short(), all_steps(entries));
        let put_back = tokio::task::spawn_blocking(move || recover(&root, &tag, &steps)).await;
        put_back.map_err(|_| failed("a task panicked"))?.map_err(|error| failed(&error.to_string()))?;
        let tree = ground::Checkout::look(&repository, entries).await?;
        let rulings = judge_change(&tree, entries, &self.rules);
        if self.assignment.stop.is_cancelled() {
            return Err(Stop::Release);
        }
        self.port.phase("submitting").await?;
        self.write(repository.root(), entries, &rulings).await
    }

    /// Writes what was accepted, as a whole.
    async fn write(&self, root: &Path, entries: &[Entry], rulings: &[Ruling]) -> Result<Report, Stop> {
        let mut steps = Vec::new();
        // Numbered as all of them are, so that who recovers counts the same.
        for (step, ruling) in all_steps(entries).into_iter().zip(rulings) {
            if ruling.is_accepted() {
                steps.push(step);
            }
        }
        let (root, tag) = (root.to_owned(), self.run.id.short());
        let done = tokio::task::spawn_blocking(move || apply(&root, &tag, &steps))
            .await
            .map_err(|_| failed("a task panicked"))?
            .map_err(|error| failed(&error.to_string()))?;
        let mut done = done.into_iter();
        let rows = entries.iter().zip(rulings).map(|(entry, ruling)| match ruling {
            Ruling::Accepted => row(entry, action(done.next())),
            Ruling::Listed => row(entry, Action::Listed),
            Ruling::Refused { reason, detail } => {
                FileRow { reason: Some(*reason), detail: detail.clone(), ..row(entry, Action::Refused) }
            }
        });
        Ok(Report::of(rows.collect()))
    }

    async fn tell(&self, report: &Report) -> Result<(), Stop> {
        let mut entries: Vec<NewEntry> = report
            .files
            .iter()
            .filter(|row| row.action != Action::Listed)
            .take(TOLD)
            .map(|row| match row.reason {
                Some(reason) => {
                    let data =
                        json!({"path": row.path, "reason": reason, "words": reason.words(), "detail": row.detail});
                    NewEntry::new("file.refused", data).at_level(Level::Warning)
                }
                None => {
                    let data =
                        json!({"path": row.path, "action": row.action, "bytes": row.bytes, "sensitive": row.sensitive});
                    NewEntry::new("file.applied", data)
                }
            })
            .collect();
        let data = json!({
            "changed": report.files_changed, "refused": report.files_refused, "entries": report.files.len(),
            "branch": report.branch, "commit": report.commit, "base": report.base,
        });
        entries.push(NewEntry::new("files.summary", data));
        Ok(self.port.entries(entries).await?)
    }
}

fn failed(message: &str) -> Stop {
    Stop::Fail(Failure::new(FailureCode::ApplyFailed, message))
}

fn one_line(title: &str) -> String {
    title.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A step for every entry, whether it may be taken or not; those that write nothing are harmless deletions of nothing.
fn all_steps(entries: &[Entry]) -> Vec<Step> {
    let what = |entry: &Entry| match entry {
        Entry::Write { contents, mode, .. } => What::Write {
            bytes: contents.bytes().to_vec(),
            executable: matches!(mode, Mode::New | Mode::Set(true)),
            set_mode: matches!(mode, Mode::Set(_)),
        },
        Entry::Link { target, .. } => What::Link(target.clone()),
        _ => What::Delete,
    };
    entries.iter().map(|entry| Step { path: entry.path().to_owned(), what: what(entry) }).collect()
}

const fn action(done: Option<Done>) -> Action {
    match done {
        Some(Done::Created) => Action::Created,
        Some(Done::Overwritten) => Action::Overwritten,
        Some(Done::Deleted) => Action::Deleted,
        Some(Done::Unchanged) | None => Action::Unchanged,
    }
}

fn row(entry: &Entry, action: Action) -> FileRow {
    let sha256 = match entry {
        Entry::Write { contents, .. } => Some(Digest::of(contents.bytes())),
        _ => None,
    };
    let path = entry.path().to_owned();
    FileRow { sensitive: is_sensitive(&path), path, action, reason: None, detail: None, bytes: entry.bytes(), sha256 }
}

/// The result is kept, and nothing of it was written (D48).
fn no_repository(answer: &Answer) -> Report {
    let rows = answer.entries.iter().map(|entry| match entry {
        Entry::Listed { .. } => row(entry, Action::Listed),
        Entry::Bad { message, .. } => {
            FileRow { reason: Some(Reason::BadEntry), detail: Some(message.clone()), ..row(entry, Action::Refused) }
        }
        _ => FileRow { reason: Some(Reason::NoRepo), ..row(entry, Action::Refused) },
    });
    Report::of(rows.collect())
}
