//! Requirements: numbered per project, never deleted, with what is last known of their standing.

use model::{
    id::ProjectId,
    proof::{
        requirement::{Requirement, RequirementNumber, normalised_title},
        standing::{Status, StatusMemory},
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
        "body, status, satisfied_at, stale, flaky"
    };
}
macro_rules! filter_sqlite {
    () => {
        "project = $1 AND ($2 IS NULL OR status IN (SELECT value FROM json_each($2)))
           AND ($3 IS NULL OR severity IN (SELECT value FROM json_each($3)))
           AND ($4 IS NULL OR kind IN (SELECT value FROM json_each($4)))
           AND ($5 IS NULL OR source IN (SELECT value FROM json_each($5)))
           AND ($6 IS NULL OR stale = $6) AND ($7 IS NULL OR flaky = $7)
           AND ($8 IS NULL OR number IN (SELECT value FROM json_each($8)))
           AND ($9 IS NULL OR instr(title_norm, $9) > 0)"
    };
}
macro_rules! filter_postgres {
    () => {
        "project = $1 AND ($2::text[] IS NULL OR status = ANY($2)) AND ($3::text[] IS NULL OR severity = ANY($3))
           AND ($4::text[] IS NULL OR kind = ANY($4)) AND ($5::text[] IS NULL OR source = ANY($5))
           AND ($6::bigint IS NULL OR stale = $6) AND ($7::bigint IS NULL OR flaky = $7)
           AND ($8::bigint[] IS NULL OR number = ANY($8))
           AND ($9::text IS NULL OR position($9 in title_norm) > 0)"
    };
}

statements! {
    /// One atomic statement takes the number (P1); a rollback gives it back.
    NUMBER = "UPDATE project SET next_requirement = next_requirement + 1 WHERE id = $1 RETURNING next_requirement - 1";
    INSERT = "INSERT INTO requirement (project, number, status, satisfied_at, stale, flaky, severity, kind, source,
            revision, title_norm, created_at, body)
        VALUES ($1, $2, 'open', NULL, 0, 0, $3, $4, $5, $6, $7, $8, $9)";
    UPDATE = "UPDATE requirement SET severity = $4, kind = $5, source = $6, revision = $7, title_norm = $8, body = $9
        WHERE project = $1 AND number = $2 AND revision = $3";
    REVISION = "SELECT revision FROM requirement WHERE project = $1 AND number = $2";
    SETTLE = "UPDATE requirement SET status = $3, satisfied_at = $4, stale = $5, flaky = $6
        WHERE project = $1 AND number = $2";
    BY_NUMBER = concat!("SELECT ", columns!(), " FROM requirement WHERE project = $1 AND number = $2");
    ALL = concat!("SELECT ", columns!(), " FROM requirement WHERE project = $1 ORDER BY number");
    LIST => sqlite concat!("SELECT ", columns!(), " FROM requirement WHERE project = $1 AND number IN (
            SELECT number FROM requirement WHERE ", filter_sqlite!(), " AND number > $10 ORDER BY number LIMIT $11)
        ORDER BY number"),
        postgres concat!("SELECT ", columns!(), " FROM requirement WHERE ", filter_postgres!(),
        " AND number > $10 ORDER BY number LIMIT $11");
    NEWEST => sqlite concat!("SELECT ", columns!(), " FROM requirement WHERE project = $1 AND number IN (
            SELECT number FROM requirement WHERE ", filter_sqlite!(), " AND number < $10 ORDER BY number DESC LIMIT $11)
        ORDER BY number DESC"),
        postgres concat!("SELECT ", columns!(), " FROM requirement WHERE ", filter_postgres!(),
        " AND number < $10 ORDER BY number DESC LIMIT $11");
    COUNT => sqlite concat!("SELECT count(*) FROM requirement WHERE ", filter_sqlite!()),
        postgres concat!("SELECT count(*) FROM requirement WHERE ", filter_postgres!());
    COUNTS = "SELECT status, count(*) FROM requirement WHERE project = $1 GROUP BY status ORDER BY status";
    SIMILAR = concat!("SELECT ", columns!(), " FROM requirement
        WHERE project = $1 AND title_norm = $2 AND status <> 'satisfied' AND number <> $3 ORDER BY number LIMIT 20");
    TOUCH = "UPDATE project SET touched = touched + 1 WHERE id = $1 RETURNING touched";
    TOUCHED => sqlite "UPDATE requirement SET touched = $2 WHERE project = $1
            AND number IN (SELECT value FROM json_each($3))",
        postgres "UPDATE requirement SET touched = $2 WHERE project = $1 AND number = ANY($3)";
    TOUCHED_SINCE = "SELECT number FROM requirement WHERE project = $1 AND touched > $2 ORDER BY touched, number LIMIT $3";
    EXISTING => sqlite "SELECT number FROM requirement WHERE project = $1 AND number IN (SELECT value FROM json_each($2))",
        postgres "SELECT number FROM requirement WHERE project = $1 AND number = ANY($2)";
}

/// A requirement and what was last told of its standing. Derived; the standing function is the truth.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptRequirement {
    /// The requirement.
    pub requirement: Requirement,
    /// Its status as last told.
    pub memory: StatusMemory,
    /// Whether it rested on another tree's proof when last looked at.
    pub stale: bool,
    /// Whether it was flaky when last looked at.
    pub flaky: bool,
}

/// Which requirements to list; filters join with AND (P15), an empty list means any.
#[derive(Debug, Clone, Default)]
pub struct RequirementFilter {
    /// `open`, `satisfied`, `waived`.
    pub status: Vec<String>,
    /// Severities.
    pub severity: Vec<String>,
    /// Kinds of glitch.
    pub kind: Vec<String>,
    /// Where they were seen.
    pub source: Vec<String>,
    /// Only stale ones, or only others.
    pub stale: Option<bool>,
    /// Only flaky ones, or only others.
    pub flaky: Option<bool>,
    /// These alone.
    pub ids: Vec<RequirementNumber>,
    /// Whose title holds these words, without case and punctuation.
    pub words: Option<String>,
}

/// In which order to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// By rising number.
    #[default]
    Rising,
    /// The newest first.
    Newest,
}

fn status_by_name(name: &str) -> Option<Status> {
    [Status::Open, Status::Satisfied, Status::Waived].into_iter().find(|status| status.as_str() == name)
}

fn kept(mut row: Row) -> Result<KeptRequirement, StoreError> {
    Ok(KeptRequirement {
        requirement: row.json()?,
        memory: StatusMemory { status: row.named(status_by_name)?, satisfied_at: row.opt_time()? },
        stale: row.flag()?,
        flaky: row.flag()?,
    })
}

fn number(value: u32) -> Result<RequirementNumber, StoreError> {
    RequirementNumber::new(value).ok_or_else(|| StoreError::DatabaseDamaged("a requirement has number 0".to_owned()))
}

fn filters(project: ProjectId, filter: &RequirementFilter) -> Vec<Value<'static>> {
    let texts = |list: &[String]| match list {
        [] => Value::Null,
        list => Value::texts(list.to_vec()),
    };
    let ids = match filter.ids.as_slice() {
        [] => Value::Null,
        ids => Value::ints(ids.iter().map(|id| id.number().into())),
    };
    vec![
        project.into(),
        texts(&filter.status),
        texts(&filter.severity),
        texts(&filter.kind),
        texts(&filter.source),
        filter.stale.into(),
        filter.flaky.into(),
        ids,
        filter.words.as_deref().map(normalised_title).into(),
    ]
}

impl Tx {
    /// Takes the next number of a project, for a requirement stored in this transaction (P1).
    pub async fn requirement_number(&mut self, project: ProjectId) -> Result<RequirementNumber, StoreError> {
        match self.query_opt(&NUMBER, &[project.into()]).await? {
            Some(mut row) => number(row.u32()?),
            None => Err(StoreError::NotFound("project")),
        }
    }

    /// Stores a requirement under the number that [`Tx::requirement_number`] gave.
    pub async fn requirement_insert(&mut self, requirement: &Requirement) -> Result<(), StoreError> {
        let params = [
            requirement.project.into(),
            requirement.id.number().into(),
            requirement.severity.as_str().into(),
            requirement.kind.as_str().into(),
            requirement.source.as_str().into(),
            requirement.revision.into(),
            normalised_title(&requirement.title).into(),
            requirement.created_at.into(),
            Value::json(requirement),
        ];
        self.exec(&INSERT, &params).await?;
        self.requirements_touch(requirement.project, [requirement.id]).await
    }

    /// Replaces a requirement whose revision is still the one that was read; the new one carries its
    /// own, higher revision.
    pub async fn requirement_update(&mut self, requirement: &Requirement, read: u64) -> Result<(), StoreError> {
        let key: [Value<'_>; 2] = [requirement.project.into(), requirement.id.number().into()];
        let [project, id] = key.clone();
        let params = [
            project,
            id,
            read.into(),
            requirement.severity.as_str().into(),
            requirement.kind.as_str().into(),
            requirement.source.as_str().into(),
            requirement.revision.into(),
            normalised_title(&requirement.title).into(),
            Value::json(requirement),
        ];
        // The project's row before the requirement's: everybody locks them in this order.
        self.requirements_touch(requirement.project, [requirement.id]).await?;
        if self.exec(&UPDATE, &params).await? == 1 {
            return Ok(());
        }
        match self.query_opt(&REVISION, &key).await? {
            Some(mut row) => Err(StoreError::RevisionOld { found: row.u64()? }),
            None => Err(StoreError::NotFound("requirement")),
        }
    }

    /// Writes down what the standing function found (P62).
    pub async fn requirement_settle(
        &mut self,
        project: ProjectId,
        id: RequirementNumber,
        memory: &StatusMemory,
        stale: bool,
        flaky: bool,
    ) -> Result<(), StoreError> {
        let params = [
            project.into(),
            id.number().into(),
            memory.status.as_str().into(),
            memory.satisfied_at.into(),
            stale.into(),
            flaky.into(),
        ];
        self.requirements_touch(project, [id]).await?;
        self.exec(&SETTLE, &params).await.map(drop)
    }

    /// Says that these may be worth something else from this commit on. The project's row is held until
    /// then, so whoever reads a number has all that was touched before it.
    pub(crate) async fn requirements_touch(
        &mut self,
        project: ProjectId,
        ids: impl IntoIterator<Item = RequirementNumber>,
    ) -> Result<(), StoreError> {
        let ids = Value::ints(ids.into_iter().map(|id| id.number().into()));
        let Some(mut row) = self.query_opt(&TOUCH, &[project.into()]).await? else { return Ok(()) };
        self.exec(&TOUCHED, &[project.into(), row.int()?.into(), ids]).await.map(drop)
    }

    /// Requirements that were touched after this number of [`crate::ProjectStamp`], at most so many.
    pub async fn requirements_touched(
        &mut self,
        project: ProjectId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<RequirementNumber>, StoreError> {
        let rows = self.query(&TOUCHED_SINCE, &[project.into(), after.into(), limit.into()]).await?;
        rows.into_iter().map(|mut row| number(row.u32()?)).collect()
    }

    /// The requirement with this id.
    pub async fn requirement(
        &mut self,
        project: ProjectId,
        id: RequirementNumber,
    ) -> Result<Option<KeptRequirement>, StoreError> {
        self.query_opt(&BY_NUMBER, &[project.into(), id.number().into()]).await?.map(kept).transpose()
    }

    /// Every requirement of a project, by number.
    pub async fn requirements_all(&mut self, project: ProjectId) -> Result<Vec<KeptRequirement>, StoreError> {
        self.query(&ALL, &[project.into()]).await?.into_iter().map(kept).collect()
    }

    /// A page of requirements; `after` is the last one of the page before.
    pub async fn requirements(
        &mut self,
        project: ProjectId,
        filter: &RequirementFilter,
        order: Order,
        after: Option<RequirementNumber>,
        limit: u32,
    ) -> Result<Vec<KeptRequirement>, StoreError> {
        let (text, start) = match order {
            Order::Rising => (&LIST, 0),
            Order::Newest => (&NEWEST, i64::from(u32::MAX)),
        };
        let mut params = filters(project, filter);
        params.push(after.map_or(start, |id| id.number().into()).into());
        params.push(limit.into());
        self.query(text, &params).await?.into_iter().map(kept).collect()
    }

    /// How many requirements a filter finds.
    pub async fn requirement_count(
        &mut self,
        project: ProjectId,
        filter: &RequirementFilter,
    ) -> Result<u64, StoreError> {
        self.query_one(&COUNT, &filters(project, filter)).await?.u64()
    }

    /// How many requirements a project has, by status as last told.
    pub async fn requirement_counts(&mut self, project: ProjectId) -> Result<Vec<(Status, u64)>, StoreError> {
        let rows = self.query(&COUNTS, &[project.into()]).await?;
        rows.into_iter().map(|mut row| Ok((row.named(status_by_name)?, row.u64()?))).collect()
    }

    /// Unsatisfied requirements with the same normalised title (P11).
    pub async fn requirements_similar(
        &mut self,
        project: ProjectId,
        title: &str,
        except: Option<RequirementNumber>,
    ) -> Result<Vec<KeptRequirement>, StoreError> {
        let except = except.map_or(0, RequirementNumber::number);
        let params = [project.into(), normalised_title(title).into(), except.into()];
        self.query(&SIMILAR, &params).await?.into_iter().map(kept).collect()
    }

    /// Those of these ids that exist.
    pub async fn requirements_existing(
        &mut self,
        project: ProjectId,
        ids: &[RequirementNumber],
    ) -> Result<Vec<RequirementNumber>, StoreError> {
        let params = [project.into(), Value::ints(ids.iter().map(|id| id.number().into()))];
        self.query(&EXISTING, &params).await?.into_iter().map(|mut row| number(row.u32()?)).collect()
    }
}
