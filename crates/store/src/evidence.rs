//! Evidence: sealed bodies, and the narrow rows that standing is computed from.

use std::collections::HashMap;

use model::{
    digest::Digest,
    id::{EvidenceId, ProjectId, RunId, TaskId},
    journal::StreamId,
    proof::{
        evidence::{CommandRecord, Evidence},
        gate::GateName,
        requirement::RequirementNumber,
        standing::EvidenceFacts,
        tree::ObjectId,
        verdict::{Outcome, Reason},
    },
};

use crate::{
    error::StoreError,
    sql::statements,
    tx::Tx,
    value::{Row, Value},
};

macro_rules! columns {
    () => {
        "e.id, e.seq, e.requirement, e.gate, e.run, e.reason, e.tree, e.definition, e.settles, e.closed, e.moved,
         e.intact, e.recorded_at"
    };
}

statements! {
    SEQ = "UPDATE project SET next_evidence = next_evidence + 1 WHERE id = $1 RETURNING next_evidence - 1";
    INSERT = "INSERT INTO evidence (id, project, seq, requirement, gate, run, tree, reason, definition, settles, closed,
            moved, intact, counts, recorded_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, 0, 1, $11, $12)
        ON CONFLICT (run, requirement, gate) DO NOTHING";
    BODY = "INSERT INTO evidence_body (id, body) VALUES ($1, $2)";
    SETTLING = "INSERT INTO settling (project, requirement, gate, seq) VALUES ($1, $2, $3, $4)
        ON CONFLICT (project, requirement, gate) DO UPDATE SET seq = excluded.seq WHERE settling.seq < excluded.seq";
    UNCLOSED = "SELECT DISTINCT e.run FROM evidence e JOIN run r ON r.id = e.run
        WHERE e.closed = 0 AND r.status IN ('completed', 'failed', 'cancelled') LIMIT 50";
    CLOSE = "UPDATE evidence SET closed = 1, moved = CAST($2 AS bigint),
            counts = CASE WHEN reason IS NULL THEN 1 - CAST($2 AS bigint) ELSE 1 END WHERE run = $1 AND closed = 0
        RETURNING project, requirement, gate, seq, settles, counts";
    INTACT = "UPDATE evidence SET intact = $2 WHERE id = $1 AND intact <> $2 RETURNING project, requirement";
    BY_ID = concat!("SELECT b.body, ", columns!(), " FROM evidence e LEFT JOIN evidence_body b ON b.id = e.id
        WHERE e.id = $1 AND e.project = $2");
    OF_RUN = concat!("SELECT ", columns!(), " FROM evidence e WHERE e.run = $1 ORDER BY e.requirement, e.gate");
    OF_RUN_BODIES = concat!("SELECT b.body, ", columns!(), " FROM evidence e LEFT JOIN evidence_body b ON b.id = e.id
        WHERE e.run = $1 AND e.seq > $2 ORDER BY e.seq LIMIT $3");
    OF_PROJECT_BODIES = concat!("SELECT b.body, ", columns!(), " FROM evidence e LEFT JOIN evidence_body b ON b.id = e.id
        WHERE e.project = $1 AND e.seq > $2 ORDER BY e.seq LIMIT $3");
    HISTORY = concat!("SELECT ", columns!(), " FROM evidence e WHERE e.project = $1 AND e.requirement = $2
        AND (CAST($3 AS text) IS NULL OR e.gate = $3) AND e.seq < $4 ORDER BY e.seq DESC LIMIT $5");
    RECENT = concat!("SELECT ", columns!(), " FROM evidence e WHERE e.project = $1 AND e.requirement = $2 AND e.gate = $3
        ORDER BY e.seq DESC LIMIT $4");
    ON_TREE => sqlite concat!("SELECT ", columns!(), " FROM (
            SELECT max(seq) AS seq FROM evidence WHERE project = $1 AND tree = $2 AND counts <> 0
             GROUP BY requirement, gate) newest
        CROSS JOIN evidence e ON e.project = $1 AND e.seq = newest.seq ORDER BY e.requirement, e.gate"),
        postgres concat!("SELECT DISTINCT ON (e.requirement, e.gate) ", columns!(), " FROM evidence e
        WHERE e.project = $1 AND e.tree = $2 AND e.counts <> 0 ORDER BY e.requirement, e.gate, e.seq DESC");
    SETTLED = concat!("SELECT ", columns!(), " FROM settling s JOIN evidence e ON e.project = s.project AND e.seq = s.seq
        WHERE s.project = $1 ORDER BY e.requirement, e.gate");
    ON_TREE_OF = concat!("SELECT ", columns!(), " FROM evidence e WHERE e.project = $1 AND e.tree = $2 AND e.counts <> 0
        AND e.requirement = $3 ORDER BY e.gate, e.seq");
    SETTLED_OF = concat!("SELECT ", columns!(), " FROM settling s JOIN evidence e ON e.project = s.project AND e.seq = s.seq
        WHERE s.project = $1 AND s.requirement = $2 ORDER BY e.gate");
    ON_TREE_OF_ALL => sqlite concat!("SELECT ", columns!(), " FROM evidence e WHERE e.project = $1 AND e.tree = $2
        AND e.counts <> 0 AND e.requirement IN (SELECT value FROM json_each($3)) ORDER BY e.requirement, e.gate, e.seq"),
        postgres concat!("SELECT DISTINCT ON (e.requirement, e.gate) ", columns!(), " FROM evidence e WHERE e.project = $1
        AND e.tree = $2 AND e.counts <> 0 AND e.requirement = ANY($3) ORDER BY e.requirement, e.gate, e.seq DESC");
    SETTLED_OF_ALL => sqlite concat!("SELECT ", columns!(), " FROM settling s
        JOIN evidence e ON e.project = s.project AND e.seq = s.seq
        WHERE s.project = $1 AND s.requirement IN (SELECT value FROM json_each($2)) ORDER BY e.requirement, e.gate"),
        postgres concat!("SELECT ", columns!(), " FROM settling s JOIN evidence e ON e.project = s.project AND e.seq = s.seq
        WHERE s.project = $1 AND s.requirement = ANY($2) ORDER BY e.requirement, e.gate");
    COUNT = "SELECT count(*) FROM evidence WHERE run = $1";
    GATE_OF = "SELECT gate FROM evidence WHERE project = $1 AND definition = $2 LIMIT 1";
    COMMAND_PUT = "INSERT INTO command (task, run, digest, body) VALUES ($1, $2, $3, $4) ON CONFLICT (task) DO NOTHING";
    COMMAND = "SELECT body FROM command WHERE task = $1";
    COMMANDS_OF = "SELECT task, body FROM command WHERE run = $1 ORDER BY task";
    COMMAND_BY_DIGEST = "SELECT body FROM command WHERE run = $1 AND digest = $2";
}

/// The whole of a piece of evidence, as far as it can be shown.
#[derive(Debug, Clone, PartialEq)]
pub enum EvidenceBody {
    /// As it was stored. Whether it is intact is the reader's to find out.
    Kept(Box<Evidence>),
    /// Retention has dropped it (P53).
    Expired,
    /// Its text cannot be read, or its columns say something else: it was tampered with (P52).
    Damaged,
}

/// A piece of evidence: what lists know of it, and the whole.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptEvidence {
    /// The narrow row.
    pub facts: EvidenceFacts,
    /// The whole.
    pub body: EvidenceBody,
}

fn damaged(what: &str) -> StoreError {
    StoreError::DatabaseDamaged(format!("evidence has {what}"))
}

fn facts(row: &mut Row) -> Result<EvidenceFacts, StoreError> {
    Ok(EvidenceFacts {
        id: EvidenceId::from_uuid(row.uuid()?),
        seq: row.u64()?,
        requirement: RequirementNumber::new(row.u32()?).ok_or_else(|| damaged("no requirement"))?,
        gate: row.text()?.parse().map_err(|_| damaged("no gate"))?,
        run: RunId::from_uuid(row.uuid()?),
        outcome: match row.opt_text()? {
            None => Outcome::PASSED,
            // A reason that nobody knows is no reason to drop the list it stands in.
            Some(reason) => Reason::ALL
                .iter()
                .find(|known| known.as_str() == reason)
                .map_or(Outcome::because(Reason::Tampered), |reason| Outcome::because(*reason)),
        },
        tree: row.opt_text()?.map(|tree| tree.parse().map_err(|_| damaged("no tree"))).transpose()?,
        definition: row.digest()?,
        settles: row.flag()?,
        closed: row.flag()?,
        moved: row.flag()?,
        intact: row.flag()?,
        recorded_at: row.time()?,
    })
}

fn whole(mut row: Row) -> Result<KeptEvidence, StoreError> {
    let text = row.opt_text()?;
    let facts = facts(&mut row)?;
    let body = match text.map(|text| serde_json::from_str::<Evidence>(&text)) {
        None => EvidenceBody::Expired,
        Some(Ok(evidence)) if agree(&evidence, &facts) => EvidenceBody::Kept(Box::new(evidence)),
        Some(_) => EvidenceBody::Damaged,
    };
    Ok(KeptEvidence { facts, body })
}

/// Whether the sealed text and the columns beside it tell the same.
fn agree(evidence: &Evidence, facts: &EvidenceFacts) -> bool {
    evidence.id == facts.id
        && evidence.seq == facts.seq
        && evidence.requirement == facts.requirement
        && evidence.gate == facts.gate
        && evidence.run == facts.run
        && evidence.outcome == facts.outcome
        && evidence.tree == facts.tree
        && evidence.definition == facts.definition
        && evidence.recorded_at == facts.recorded_at
}

impl Tx {
    /// Takes the next evidence number of a project, for evidence stored in this transaction.
    pub async fn evidence_seq(&mut self, project: ProjectId) -> Result<u64, StoreError> {
        match self.query_opt(&SEQ, &[project.into()]).await? {
            Some(mut row) => row.u64(),
            None => Err(StoreError::NotFound("project")),
        }
    }

    /// Stores sealed evidence and keeps its blobs for its run. One row per requirement, gate and run
    /// (P49): `false` when there was one already, and nothing changed.
    pub async fn evidence_insert(&mut self, evidence: &Evidence, settles: bool) -> Result<bool, StoreError> {
        // Bad news counts at once, good news when its run has closed (P57).
        let counts = !evidence.outcome.is_passed();
        let params = [
            evidence.id.into(),
            evidence.project.into(),
            evidence.seq.into(),
            evidence.requirement.number().into(),
            evidence.gate.as_str().into(),
            evidence.run.into(),
            evidence.tree.as_ref().map(ObjectId::as_str).into(),
            evidence.outcome.reason().map(Reason::as_str).into(),
            (&evidence.definition).into(),
            settles.into(),
            counts.into(),
            evidence.recorded_at.into(),
        ];
        if self.exec(&INSERT, &params).await? != 1 {
            return Ok(false);
        }
        self.exec(&BODY, &[evidence.id.into(), Value::json(evidence)]).await?;
        for blob in evidence.blobs() {
            self.blob_use(&blob, evidence.run).await?;
        }
        if counts && settles {
            let (project, requirement, gate) = (evidence.project, evidence.requirement, evidence.gate.as_str());
            self.settle(project.into(), requirement.number().into(), gate.into(), evidence.seq.into()).await?;
        }
        if counts {
            self.requirements_touch(evidence.project, [evidence.requirement]).await?;
        }
        Ok(true)
    }

    async fn settle(
        &mut self,
        project: Value<'_>,
        requirement: Value<'_>,
        gate: Value<'_>,
        seq: Value<'_>,
    ) -> Result<(), StoreError> {
        self.exec(&SETTLING, &[project, requirement, gate, seq]).await.map(drop)
    }

    /// Runs that are over, with evidence that is not closed.
    pub async fn runs_unclosed(&mut self) -> Result<Vec<RunId>, StoreError> {
        let rows = self.query(&UNCLOSED, &[]).await?;
        rows.into_iter().map(|mut row| Ok(RunId::from_uuid(row.uuid()?))).collect()
    }

    /// Closes a run's evidence: from now on its good news counts, unless the files moved (P56, P57).
    pub async fn evidence_close(&mut self, run: RunId, moved: bool) -> Result<u64, StoreError> {
        let rows = self.query(&CLOSE, &[run.into(), moved.into()]).await?;
        let closed = rows.len() as u64;
        let (mut of, mut touched) = (None, Vec::with_capacity(rows.len()));
        for mut row in rows {
            let (project, requirement, gate, seq) = (row.uuid()?, row.u32()?, row.text()?, row.int()?);
            if row.flag()? && row.flag()? {
                self.settle(Value::Uuid(project), requirement.into(), gate.into(), seq.into()).await?;
            }
            of = Some(ProjectId::from_uuid(project));
            touched.extend(RequirementNumber::new(requirement));
        }
        if let Some(project) = of {
            touched.sort_unstable();
            touched.dedup();
            self.requirements_touch(project, touched).await?;
        }
        Ok(closed)
    }

    /// Writes down whether evidence was found to be what was sealed. Whether that is news (P52).
    pub async fn evidence_intact(&mut self, id: EvidenceId, intact: bool) -> Result<bool, StoreError> {
        let Some(mut row) = self.query_opt(&INTACT, &[id.into(), intact.into()]).await? else { return Ok(false) };
        let (project, requirement) = (ProjectId::from_uuid(row.uuid()?), row.u32()?);
        self.requirements_touch(project, RequirementNumber::new(requirement)).await?;
        Ok(true)
    }

    /// One piece of evidence of a project, with its whole.
    pub async fn evidence(&mut self, project: ProjectId, id: EvidenceId) -> Result<Option<KeptEvidence>, StoreError> {
        self.query_opt(&BY_ID, &[id.into(), project.into()]).await?.map(whole).transpose()
    }

    /// What a run's gates showed, by requirement and gate.
    pub async fn evidence_of_run(&mut self, run: RunId) -> Result<Vec<EvidenceFacts>, StoreError> {
        self.query(&OF_RUN, &[run.into()]).await?.iter_mut().map(facts).collect()
    }

    /// As [`Tx::evidence_of_run`] with each whole, a page by number.
    pub async fn evidence_bodies_of_run(
        &mut self,
        run: RunId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<KeptEvidence>, StoreError> {
        let params = [run.into(), after.into(), limit.into()];
        self.query(&OF_RUN_BODIES, &params).await?.into_iter().map(whole).collect()
    }

    /// A project's evidence with each whole, a page by number: for sweeps and exports.
    pub async fn evidence_bodies(
        &mut self,
        project: ProjectId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<KeptEvidence>, StoreError> {
        let params = [project.into(), after.into(), limit.into()];
        self.query(&OF_PROJECT_BODIES, &params).await?.into_iter().map(whole).collect()
    }

    /// How many pieces of evidence a run has.
    pub async fn evidence_count(&mut self, run: RunId) -> Result<u64, StoreError> {
        self.query_one(&COUNT, &[run.into()]).await?.u64()
    }

    /// The gate whose evidence carries this definition. Looks through a project's evidence: for what is
    /// asked rarely.
    pub async fn evidence_gate_of(
        &mut self,
        project: ProjectId,
        definition: &Digest,
    ) -> Result<Option<GateName>, StoreError> {
        let row = self.query_opt(&GATE_OF, &[project.into(), definition.into()]).await?;
        row.map(|mut row| row.text()?.parse().map_err(|_| damaged("no gate"))).transpose()
    }

    /// A requirement's evidence, newest first; `before` is the last number of the page before.
    pub async fn evidence_of(
        &mut self,
        project: ProjectId,
        requirement: RequirementNumber,
        gate: Option<&GateName>,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<EvidenceFacts>, StoreError> {
        let params = [
            project.into(),
            requirement.number().into(),
            gate.map(GateName::as_str).into(),
            before.unwrap_or(u64::MAX).into(),
            limit.into(),
        ];
        self.query(&HISTORY, &params).await?.iter_mut().map(facts).collect()
    }

    /// The newest evidence of one obligation, for whether it is flaky (P63).
    pub async fn evidence_recent(
        &mut self,
        project: ProjectId,
        requirement: RequirementNumber,
        gate: &GateName,
        limit: u32,
    ) -> Result<Vec<EvidenceFacts>, StoreError> {
        let params = [project.into(), requirement.number().into(), gate.as_str().into(), limit.into()];
        self.query(&RECENT, &params).await?.iter_mut().map(facts).collect()
    }

    /// All that standing needs of a project's evidence: per obligation the newest that counts on this
    /// tree, and the newest that counts and settles. A piece may come twice.
    pub async fn standing_rows(
        &mut self,
        project: ProjectId,
        tree: Option<&ObjectId>,
    ) -> Result<Vec<EvidenceFacts>, StoreError> {
        let mut rows = match tree {
            Some(tree) => self.query(&ON_TREE, &[project.into(), tree.as_str().into()]).await?,
            None => Vec::new(),
        };
        rows.extend(self.query(&SETTLED, &[project.into()]).await?);
        rows.iter_mut().map(facts).collect()
    }

    /// As [`Tx::standing_rows`], of one requirement.
    pub async fn standing_rows_of(
        &mut self,
        project: ProjectId,
        requirement: RequirementNumber,
        tree: Option<&ObjectId>,
    ) -> Result<Vec<EvidenceFacts>, StoreError> {
        let mut rows = match tree {
            Some(tree) => {
                let params = [project.into(), tree.as_str().into(), requirement.number().into()];
                self.query(&ON_TREE_OF, &params).await?
            }
            None => Vec::new(),
        };
        rows.extend(self.query(&SETTLED_OF, &[project.into(), requirement.number().into()]).await?);
        rows.iter_mut().map(facts).collect()
    }

    /// As [`Tx::standing_rows`], of these requirements.
    pub async fn standing_rows_of_all(
        &mut self,
        project: ProjectId,
        requirements: &[RequirementNumber],
        tree: Option<&ObjectId>,
    ) -> Result<Vec<EvidenceFacts>, StoreError> {
        let ids = Value::ints(requirements.iter().map(|id| id.number().into()));
        let mut rows = match tree {
            Some(tree) => self.query(&ON_TREE_OF_ALL, &[project.into(), tree.as_str().into(), ids.clone()]).await?,
            None => Vec::new(),
        };
        rows.extend(self.query(&SETTLED_OF_ALL, &[project.into(), ids]).await?);
        rows.iter_mut().map(facts).collect()
    }

    /// The seals that a run's journal holds for its evidence (P50), from the data of `gate.finished`.
    pub async fn journaled_seals(&mut self, run: RunId) -> Result<HashMap<EvidenceId, Digest>, StoreError> {
        let mut seals = HashMap::new();
        let mut after = 0;
        loop {
            let page = self.entries_of(StreamId::Run(run), &["gate.finished"], after, 1_000).await?;
            let Some(last) = page.last() else { return Ok(seals) };
            after = last.seq;
            for entry in &page {
                let Ok(data) = serde_json::from_str::<serde_json::Value>(&entry.data) else { continue };
                let text = |name: &str| data.get(name).and_then(serde_json::Value::as_str);
                let evidence = text("evidence").and_then(|id| id.parse().ok());
                if let (Some(id), Some(seal)) = (evidence, text("seal").and_then(|seal| seal.parse().ok())) {
                    seals.insert(id, seal);
                }
            }
        }
    }

    /// Keeps the record of an ended command and its blobs. `false`: it was kept already.
    pub async fn command_insert(
        &mut self,
        task: TaskId,
        run: RunId,
        record: &CommandRecord,
    ) -> Result<bool, StoreError> {
        let params = [task.into(), run.into(), (&record.digest).into(), Value::json(record)];
        if self.exec(&COMMAND_PUT, &params).await? != 1 {
            return Ok(false);
        }
        for blob in record.sealed().blobs {
            self.blob_use(&blob, run).await?;
        }
        Ok(true)
    }

    /// The record of a command's task.
    pub async fn command(&mut self, task: TaskId) -> Result<Option<CommandRecord>, StoreError> {
        self.query_opt(&COMMAND, &[task.into()]).await?.map(|mut row| row.json()).transpose()
    }

    /// A run's record of the command with this digest.
    pub async fn command_by_digest(
        &mut self,
        run: RunId,
        digest: &Digest,
    ) -> Result<Option<CommandRecord>, StoreError> {
        let row = self.query_opt(&COMMAND_BY_DIGEST, &[run.into(), digest.into()]).await?;
        row.map(|mut row| row.json()).transpose()
    }

    /// Every command record of a run.
    pub async fn commands_of(&mut self, run: RunId) -> Result<Vec<(TaskId, CommandRecord)>, StoreError> {
        let rows = self.query(&COMMANDS_OF, &[run.into()]).await?;
        rows.into_iter().map(|mut row| Ok((TaskId::from_uuid(row.uuid()?), row.json()?))).collect()
    }
}
