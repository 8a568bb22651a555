//! Waivers and accepted gate definitions: what persons have decided.

use model::{
    actor::Actor,
    digest::Digest,
    id::{ProjectId, WaiverId},
    proof::{
        gate::GateName,
        requirement::RequirementNumber,
        waiver::{Waiver, WaiverEnd},
    },
    time::Timestamp,
};

use crate::{
    error::StoreError,
    sql::statements,
    tx::Tx,
    value::{Row, Value},
};

statements! {
    INSERT = "INSERT INTO waiver (id, project, requirement, expires_at, granted_at, ended_at, body)
        VALUES ($1, $2, $3, $4, $5, NULL, $6) ON CONFLICT DO NOTHING";
    BY_ID = "SELECT body FROM waiver WHERE id = $1 AND project = $2";
    LOCK => sqlite "SELECT body FROM waiver WHERE id = $1", postgres "SELECT body FROM waiver WHERE id = $1 FOR UPDATE";
    END = "UPDATE waiver SET ended_at = $2, body = $3 WHERE id = $1 AND ended_at IS NULL";
    OF_REQUIREMENT = "SELECT body FROM waiver WHERE project = $1 AND requirement = $2 ORDER BY id DESC";
    CURRENT = "SELECT body FROM waiver WHERE project = $1 AND requirement = $2 AND ended_at IS NULL";
    CURRENT_OF_ALL => sqlite "SELECT body FROM waiver WHERE project = $1 AND ended_at IS NULL
            AND requirement IN (SELECT value FROM json_each($2))",
        postgres "SELECT body FROM waiver WHERE project = $1 AND ended_at IS NULL AND requirement = ANY($2)";
    NOT_ENDED = "SELECT body FROM waiver WHERE project = $1 AND ended_at IS NULL ORDER BY requirement";
    DUE = "SELECT body FROM waiver WHERE ended_at IS NULL AND expires_at <= $1 ORDER BY id LIMIT 200";
    ACCEPT = "INSERT INTO accepted_definition (project, gate, definition, accepted_by, accepted_at, reason)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
    ACCEPTED = "SELECT gate, definition, accepted_by, accepted_at, reason FROM accepted_definition WHERE project = $1
        ORDER BY accepted_at, gate";
}

/// A gate definition that an admin has accepted for the merge gate (P60).
#[derive(Debug, Clone, PartialEq)]
pub struct AcceptedDefinition {
    /// The gate.
    pub gate: GateName,
    /// Its definition.
    pub definition: Digest,
    /// Who accepted it.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

fn waiver(mut row: Row) -> Result<Waiver, StoreError> {
    row.json()
}

impl Tx {
    /// Stores a waiver. The one before it must have been ended: at most one is in force.
    pub async fn waiver_insert(&mut self, waiver: &Waiver) -> Result<(), StoreError> {
        let params = [
            waiver.id.into(),
            waiver.project.into(),
            waiver.requirement.number().into(),
            waiver.expires.map(|day| day.end()).into(),
            waiver.granted_at.into(),
            Value::json(waiver),
        ];
        if self.exec(&INSERT, &params).await? == 1 {
            self.requirements_touch(waiver.project, [waiver.requirement]).await
        } else {
            Err(StoreError::WrongState("another waiver of the requirement is in force".to_owned()))
        }
    }

    /// The waiver with this id.
    pub async fn waiver(&mut self, project: ProjectId, id: WaiverId) -> Result<Option<Waiver>, StoreError> {
        self.query_opt(&BY_ID, &[id.into(), project.into()]).await?.map(waiver).transpose()
    }

    /// Ends a waiver that nobody has ended. `None`: it had an end, or does not exist.
    pub async fn waiver_end(&mut self, id: WaiverId, end: &WaiverEnd) -> Result<Option<Waiver>, StoreError> {
        let Some(mut waiver) = self.query_opt(&LOCK, &[id.into()]).await?.map(waiver).transpose()? else {
            return Ok(None);
        };
        waiver.ended = Some(end.clone());
        let changed = self.exec(&END, &[id.into(), end.at.into(), Value::json(&waiver)]).await?;
        if changed != 1 {
            return Ok(None);
        }
        self.requirements_touch(waiver.project, [waiver.requirement]).await?;
        Ok(Some(waiver))
    }

    /// A requirement's waivers, newest first.
    pub async fn waivers_of(
        &mut self,
        project: ProjectId,
        requirement: RequirementNumber,
    ) -> Result<Vec<Waiver>, StoreError> {
        let params = [project.into(), requirement.number().into()];
        self.query(&OF_REQUIREMENT, &params).await?.into_iter().map(waiver).collect()
    }

    /// The waiver of a requirement that nobody has ended; it may have run out: see [`Waiver::holds_on`].
    pub async fn waiver_current(
        &mut self,
        project: ProjectId,
        requirement: RequirementNumber,
    ) -> Result<Option<Waiver>, StoreError> {
        let params = [project.into(), requirement.number().into()];
        self.query_opt(&CURRENT, &params).await?.map(waiver).transpose()
    }

    /// The waivers of these requirements that nobody has ended.
    pub async fn waivers_current_of(
        &mut self,
        project: ProjectId,
        requirements: &[RequirementNumber],
    ) -> Result<Vec<Waiver>, StoreError> {
        let ids = Value::ints(requirements.iter().map(|id| id.number().into()));
        self.query(&CURRENT_OF_ALL, &[project.into(), ids]).await?.into_iter().map(waiver).collect()
    }

    /// Every waiver of a project that nobody has ended.
    pub async fn waivers_current(&mut self, project: ProjectId) -> Result<Vec<Waiver>, StoreError> {
        self.query(&NOT_ENDED, &[project.into()]).await?.into_iter().map(waiver).collect()
    }

    /// Waivers whose last day has passed and whose end is not written down yet (P64).
    pub async fn waivers_due(&mut self, now: Timestamp) -> Result<Vec<Waiver>, StoreError> {
        self.query(&DUE, &[now.into()]).await?.into_iter().map(waiver).collect()
    }

    /// Writes down that a definition was accepted. Whether it is news.
    pub async fn definition_accept(
        &mut self,
        project: ProjectId,
        accepted: &AcceptedDefinition,
    ) -> Result<bool, StoreError> {
        let params = [
            project.into(),
            accepted.gate.as_str().into(),
            (&accepted.definition).into(),
            Value::json(&accepted.by),
            accepted.at.into(),
            accepted.reason.as_str().into(),
        ];
        Ok(self.exec(&ACCEPT, &params).await? == 1)
    }

    /// The definitions that were accepted in a project.
    pub async fn definitions_accepted(&mut self, project: ProjectId) -> Result<Vec<AcceptedDefinition>, StoreError> {
        let accepted = |mut row: Row| {
            Ok(AcceptedDefinition {
                gate: row.named(|text| text.parse().ok())?,
                definition: row.digest()?,
                by: row.json()?,
                at: row.time()?,
                reason: row.text()?,
            })
        };
        self.query(&ACCEPTED, &[project.into()]).await?.into_iter().map(accepted).collect()
    }
}
