//! Rows of proof as a run leaves them, without a run: requirements, runs, gates, commands, evidence
//! with real blobs and journaled seals.

use engine::Engine;
use model::{
    actor::{Actor, Trigger},
    digest::Digest,
    id::{EvidenceId, ProjectId, RunId, TaskId},
    journal::{NewEntry, StreamId},
    proof::{
        classify::Kind,
        evidence::{CommandRecord, Evidence, OutputRecord},
        requirement::{Obligation, Requirement, RequirementNumber, Scope, Severity, Source},
        results::{Case, CaseOutcome},
        tree::ObjectId,
        verdict::Outcome,
    },
    run::{Progress, Run, RunKind, RunStatus},
};
use serde_json::{Value, json};
use store::{NewTask, StoreError, Tx};
use uuid::Uuid;

/// A tree that is named by a word.
pub fn tree(word: &str) -> ObjectId {
    let digest = Digest::of(word.as_bytes()).to_string();
    digest[..40].parse().expect("forty hex digits are a tree")
}

/// The definition of a gate that is named by a word.
pub fn definition(word: &str) -> Digest {
    Digest::of(word.as_bytes())
}

fn kept<T>(done: Result<T, StoreError>) -> T {
    done.expect("a fresh store takes a row")
}

/// Captures a requirement with these gates and this scope of files.
pub async fn requirement(engine: &Engine, project: ProjectId, gates: &[&str], files: &[&str]) -> RequirementNumber {
    let gates: Vec<String> = gates.iter().map(|&gate| gate.to_owned()).collect();
    let files: Vec<String> = files.iter().map(|&file| file.to_owned()).collect();
    let now = engine.now();
    let captured = engine.store().write(move |tx| {
        let (gates, files) = (gates.clone(), files.clone());
        Box::pin(async move {
            let id = tx.requirement_number(project).await?;
            let obligation =
                |gate: &String| Obligation { gate: gate.parse().expect("a gate"), rules: vec![], rules_ever: 0 };
            let requirement = Requirement {
                project,
                id,
                title: format!("glitch {id}"),
                description: "It happened.".to_owned(),
                severity: Severity::High,
                source: Source::Qa,
                source_url: None,
                kind: Kind::Logic,
                scope: Scope { files, ..Scope::default() },
                obligations: gates.iter().map(obligation).collect(),
                related: vec![],
                issue: None,
                created_by: Actor::System,
                created_at: now,
                revision: 1,
            };
            tx.requirement_insert(&requirement).await?;
            Ok(id)
        })
    });
    kept(captured.await)
}

/// A proof run's row, queued, with this detail.
pub async fn run(engine: &Engine, project: ProjectId, detail: Value) -> RunId {
    let now = engine.now();
    let run = Run {
        id: RunId::from_uuid(engine.clock().id()),
        project,
        kind: RunKind::PROOF,
        status: RunStatus::Queued,
        phase: "gates".to_owned(),
        verdict: None,
        failure: None,
        progress: Progress::default(),
        config: json!({}),
        detail,
        created_by: Actor::System,
        trigger: Trigger::of(&Actor::System),
        exclusive_key: None,
        retry_of: None,
        parent: None,
        issue: None,
        cancelling: false,
        created_at: now,
        started_at: None,
        finished_at: None,
        revision: 1,
    };
    let id = run.id;
    let stored = engine.store().write(move |tx| {
        let run = run.clone();
        Box::pin(async move {
            tx.run_insert(&run, None, None).await?;
            Ok(())
        })
    });
    kept(stored.await);
    id
}

/// A task of a run that nobody claims.
pub async fn task(
    engine: &Engine,
    project: ProjectId,
    run: RunId,
    kind: &str,
    subject: &str,
    detail: Option<&str>,
) -> TaskId {
    let task = NewTask {
        id: TaskId::from_uuid(Uuid::now_v7()),
        kind: kind.to_owned(),
        subject: subject.to_owned(),
        queue: "nobody".to_owned(),
        labels: Vec::new(),
        priority: 0,
        ready: false,
        detail: detail.map(str::to_owned),
        max_attempts: 2,
        not_before: None,
        input: json!({}),
        counted: true,
        reserve: None,
        needs: Vec::new(),
    };
    let (id, now) = (task.id, engine.now());
    let stored = engine.store().write(move |tx| {
        let task = task.clone();
        Box::pin(async move {
            tx.tasks_insert(run, project, &[task], now).await?;
            Ok(())
        })
    });
    kept(stored.await);
    id
}

/// What a piece of evidence is to say.
#[derive(Debug, Clone)]
pub struct Said {
    /// Its requirement.
    pub requirement: RequirementNumber,
    /// Its gate.
    pub gate: &'static str,
    /// What it showed.
    pub outcome: Outcome,
    /// On which files.
    pub tree: &'static str,
    /// By which definition.
    pub definition: &'static str,
    /// What its command wrote.
    pub output: String,
    /// Whether it speaks for the project.
    pub settles: bool,
}

impl Said {
    /// A pass of `unit` on the tree `here`.
    pub fn passed(requirement: RequirementNumber) -> Self {
        Self {
            requirement,
            gate: "unit",
            outcome: Outcome::PASSED,
            tree: "here",
            definition: "unit",
            output: format!("{requirement} ran\nand ended\n"),
            settles: true,
        }
    }
}

/// Records evidence in a run of its own that has closed. `tamper` may change it after it was sealed
/// and journaled, as damage would.
pub async fn record(
    engine: &Engine,
    project: ProjectId,
    said: Said,
    tamper: impl Fn(&mut Evidence) + Send + Sync + 'static,
) -> Evidence {
    let run = run(engine, project, json!({})).await;
    let command = task(engine, project, run, "command", "000000", None).await;
    let blob = engine.blobs().put_bytes(said.output.clone().into_bytes()).await.expect("a blob is kept");
    let now = engine.now();
    let record = CommandRecord {
        digest: Digest::of(command.uuid().as_bytes()),
        argv: vec!["make".to_owned(), "test".to_owned()],
        cwd: String::new(),
        runner: "command".to_owned(),
        runner_version: None,
        env_digest: Digest::of(b"env"),
        timeout_s: 300,
        attempt: 1,
        exit_code: Some(if said.outcome.is_passed() { 0 } else { 1 }),
        signal: None,
        started_at: Some(now),
        duration_ms: 12,
        output: Some(OutputRecord { blob: blob.digest, bytes: blob.bytes, truncated: false }),
        results: None,
        artifacts: Vec::new(),
    };
    let evidence = Evidence {
        id: EvidenceId::from_uuid(Uuid::now_v7()),
        project,
        seq: 0,
        requirement: said.requirement,
        gate: said.gate.parse().expect("a gate"),
        run,
        commands: vec![record.sealed()],
        cases: vec![Case::new("it_works", CaseOutcome::Passed)],
        outcome: said.outcome,
        message: "it ran".to_owned(),
        tree: Some(tree(said.tree)),
        commit: Some(tree("commit")),
        dirty: false,
        definition: definition(said.definition),
        review: None,
        recorded_at: now,
        seal: Digest::of(b""),
    };
    let tamper = std::sync::Arc::new(tamper);
    let stored = engine.store().write(move |tx: &mut Tx| {
        let (mut evidence, record, settles, tamper) = (evidence.clone(), record.clone(), said.settles, tamper.clone());
        Box::pin(async move {
            tx.blob_insert(&blob.digest, blob.bytes, now).await?;
            evidence.seq = tx.evidence_seq(project).await?;
            let mut evidence = evidence.sealed();
            let data = json!({"evidence": evidence.id, "seal": evidence.seal});
            tx.journal_append(StreamId::Run(run), &[NewEntry::new("gate.finished", data)], now).await?;
            tamper(&mut evidence);
            tx.command_insert(command, run, &record).await?;
            tx.evidence_insert(&evidence, settles).await?;
            tx.evidence_close(run, false).await?;
            Ok(evidence)
        })
    });
    kept(stored.await)
}

/// Writes down that the project's checkout has these files.
pub async fn observe(engine: &Engine, project: ProjectId, word: &str) {
    let seen = json!({"tree": tree(word), "commit": tree("commit"), "dirty": false});
    let stored = engine.store().write(move |tx| {
        let seen = seen.clone();
        Box::pin(async move { tx.project_observe(project, &seen).await })
    });
    kept(stored.await);
}
