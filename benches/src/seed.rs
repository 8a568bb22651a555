//! Rows that are there before a benchmark's first call, stored thousands to a transaction.

use engine::Engine;
use model::{
    actor::{Actor, Trigger},
    digest::Digest,
    id::{EvidenceId, ProjectId, RunId, TaskId},
    journal::{NewEntry, StreamId},
    problem::Problem,
    proof::{
        evidence::Evidence,
        gate::GateName,
        requirement::{Requirement, RequirementNumber},
        results::{Case, CaseOutcome},
        verdict::Outcome,
    },
    run::{Progress, Run, RunKind, RunStatus},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::NewTask;

/// How many of each.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Seed {
    /// Ended runs.
    pub runs: u32,
    /// Tasks of one run.
    pub tasks: u32,
    /// Entries of that run's journal.
    pub entries: u32,
    /// Requirements, each with one obligation of gate `unit` that names a test.
    pub requirements: u32,
}

/// Rows in one transaction.
const PART: u32 = 2_000;

impl Seed {
    /// Stores them; what it made, for the benchmark to find it.
    pub async fn sow(&self, engine: &Engine, project: ProjectId) -> anyhow::Result<Value> {
        let mut left = self.runs;
        while left > 0 {
            let part = left.min(PART);
            runs(engine, project, part).await?;
            left -= part;
        }
        let run = self.big_run(engine, project).await?;
        let mut left = self.requirements;
        while left > 0 {
            let part = left.min(PART);
            requirements(engine, project, part).await?;
            left -= part;
        }
        Ok(json!({"run": run}))
    }

    async fn big_run(&self, engine: &Engine, project: ProjectId) -> anyhow::Result<RunId> {
        let now = engine.now();
        let run = Run { status: RunStatus::Running, finished_at: None, verdict: None, ..ended(engine, project) };
        let id = run.id;
        engine
            .store()
            .write(move |tx| {
                let run = run.clone();
                Box::pin(async move { Ok::<_, Problem>(tx.run_insert(&run, None, None).await?) })
            })
            .await?;
        for first in (0..self.tasks).step_by(PART as usize) {
            let last = self.tasks.min(first + PART);
            let clock = engine.clock().clone();
            engine
                .store()
                .write(move |tx| {
                    let task = |number: u32| {
                        let subject = format!("{number:06}");
                        NewTask::ready(
                            TaskId::from_uuid(clock.id()),
                            "probe",
                            subject,
                            testkit::probe::QUEUE,
                            json!({}),
                        )
                    };
                    let tasks: Vec<NewTask> = (first..last).map(task).collect();
                    Box::pin(async move { Ok::<_, Problem>(tx.tasks_insert(id, project, &tasks, now).await?) })
                })
                .await?;
        }
        let entry = NewEntry::new(
            "probe.entry",
            json!({"step": "compile", "message": "a line of the length that tools print"}),
        );
        for first in (0..self.entries).step_by(PART as usize) {
            let entries = vec![entry.clone(); self.entries.min(first + PART).saturating_sub(first) as usize];
            engine
                .store()
                .write(move |tx| {
                    let entries = entries.clone();
                    Box::pin(async move {
                        tx.journal_append(StreamId::Run(id), &entries, now).await?;
                        Ok::<_, Problem>(())
                    })
                })
                .await?;
        }
        Ok(id)
    }
}

fn ended(engine: &Engine, project: ProjectId) -> Run {
    let now = engine.now();
    Run {
        id: RunId::from_uuid(engine.clock().id()),
        project,
        kind: RunKind::named("probe"),
        status: RunStatus::Completed,
        phase: "probing".to_owned(),
        verdict: Some("passed".to_owned()),
        failure: None,
        progress: Progress { total: 1, done: 1, failed: 0 },
        config: json!({"tasks": 1, "queue": "probe"}),
        detail: Value::Null,
        created_by: Actor::System,
        trigger: Trigger::Person,
        exclusive_key: None,
        retry_of: None,
        parent: None,
        issue: None,
        cancelling: false,
        created_at: now,
        started_at: Some(now),
        finished_at: Some(now),
        revision: 3,
    }
}

async fn runs(engine: &Engine, project: ProjectId, count: u32) -> anyhow::Result<()> {
    let rows: Vec<Run> = (0..count).map(|_| ended(engine, project)).collect();
    engine
        .store()
        .write(move |tx| {
            let rows = rows.clone();
            Box::pin(async move {
                for run in &rows {
                    tx.run_insert(run, None, None).await?;
                }
                Ok::<_, Problem>(())
            })
        })
        .await?;
    Ok(())
}

async fn requirements(engine: &Engine, project: ProjectId, count: u32) -> anyhow::Result<()> {
    let now = engine.now();
    engine
        .store()
        .write(move |tx| {
            Box::pin(async move {
                for _ in 0..count {
                    let id = tx.requirement_number(project).await?;
                    let requirement = requirement(project, id, now).map_err(|error| {
                        Problem::new(model::code::Code::Internal, format!("the seed is no requirement: {error}"))
                    })?;
                    tx.requirement_insert(&requirement).await?;
                }
                Ok::<_, Problem>(())
            })
        })
        .await?;
    Ok(())
}

fn requirement(project: ProjectId, id: RequirementNumber, now: Timestamp) -> serde_json::Result<Requirement> {
    let severity = ["low", "medium", "high", "critical"][id.number() as usize % 4];
    serde_json::from_value(json!({
        "project": project,
        "id": id,
        "title": format!("The total of an order with {} lines is right", id.number()),
        "description": "Seen in production: the total left out the last line of the order.",
        "severity": severity,
        "source": "production",
        "kind": "logic",
        "scope": {"files": [format!("src/orders/{}.rs", id.number() % 100)]},
        "obligations": [{
            "gate": "unit",
            "rules": [{"id": format!("{id}.unit.1"), "how": "test", "test": format!("{}_unit_total", id.snake()), "must_pass": true}],
            "rules_ever": 1,
        }],
        "created_by": {"type": "system"},
        "created_at": now,
        "revision": 1,
    }))
}

/// Stores so many pieces of passed evidence, each run one of every requirement.
pub async fn evidence(engine: &Engine, project: ProjectId, requirements: u32, count: u32) -> anyhow::Result<()> {
    let gate: GateName = "unit".parse()?;
    let mut left = count;
    while left > 0 {
        let of_run = left.min(requirements);
        left -= of_run;
        let run = testkit::proven::run(engine, project, json!({})).await;
        for first in (1..=of_run).step_by(PART as usize) {
            let (last, now, gate) = ((first + PART - 1).min(of_run), engine.now(), gate.clone());
            engine
                .store()
                .write(move |tx| {
                    let gate = gate.clone();
                    Box::pin(async move {
                        for number in first..=last {
                            let Some(requirement) = RequirementNumber::new(number) else { continue };
                            let mut evidence = proven(project, run, requirement, &gate, now);
                            evidence.seq = tx.evidence_seq(project).await?;
                            tx.evidence_insert(&evidence.sealed(), true).await?;
                        }
                        Ok::<_, Problem>(())
                    })
                })
                .await?;
        }
        engine
            .store()
            .write(move |tx| Box::pin(async move { Ok::<_, Problem>(tx.evidence_close(run, false).await?) }))
            .await?;
    }
    Ok(())
}

fn proven(project: ProjectId, run: RunId, requirement: RequirementNumber, gate: &GateName, now: Timestamp) -> Evidence {
    Evidence {
        id: EvidenceId::from_uuid(uuid::Uuid::now_v7()),
        project,
        seq: 0,
        requirement,
        gate: gate.clone(),
        run,
        commands: Vec::new(),
        cases: vec![Case::new("it_works", CaseOutcome::Passed)],
        outcome: Outcome::PASSED,
        message: "it ran".to_owned(),
        tree: Some(testkit::proven::tree("seeded")),
        commit: Some(testkit::proven::tree("commit")),
        dirty: false,
        definition: testkit::proven::definition("unit"),
        review: None,
        recorded_at: now,
        seal: Digest::of(b""),
    }
}
