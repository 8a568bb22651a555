//! Lists of runs and their counts. Each filter has an index that leads to its rows.

use model::{
    id::{ProjectId, RunId},
    run::{Run, RunKind, RunStatus},
};

use crate::{
    error::StoreError,
    run::{active, columns, run},
    sql::statements,
    tx::Tx,
    value::Value,
};

statements! {
    LIST => sqlite concat!("SELECT ", columns!(), " FROM run
         WHERE ($1 IS NULL OR project = $1) AND ($2 IS NULL OR id < $2) AND ($3 IS NULL OR kind = $3)
           AND ($4 IS NULL OR status IN (SELECT value FROM json_each($4))) AND ($6 IS NULL OR verdict = $6)
         ORDER BY id DESC LIMIT $5"),
        postgres concat!("SELECT ", columns!(), " FROM run
         WHERE ($1::uuid IS NULL OR project = $1) AND ($2::uuid IS NULL OR id < $2) AND ($3::text IS NULL OR kind = $3)
           AND ($4::text[] IS NULL OR status = ANY($4)) AND ($6::text IS NULL OR verdict = $6)
         ORDER BY id DESC LIMIT $5");
    /// Through a project's runs from the newest on: verdicts are few, so each is soon met.
    LIST_OF_VERDICT => sqlite concat!("SELECT ", columns!(), " FROM run
         WHERE project = $1 AND ($2 IS NULL OR id < $2) AND verdict = $4 AND ($5 IS NULL OR kind = $5)
           AND ($6 IS NULL OR status IN (SELECT value FROM json_each($6))) ORDER BY id DESC LIMIT $3"),
        postgres concat!("SELECT ", columns!(), " FROM run
         WHERE project = $1 AND ($2::uuid IS NULL OR id < $2) AND verdict = $4 AND ($5::text IS NULL OR kind = $5)
           AND ($6::text[] IS NULL OR status = ANY($6)) ORDER BY id DESC LIMIT $3");
    LIST_OF_PROJECT => sqlite concat!("SELECT ", columns!(), " FROM run
         WHERE project = $1 AND ($2 IS NULL OR id < $2) ORDER BY id DESC LIMIT $3"),
        postgres concat!("SELECT ", columns!(), " FROM run
         WHERE project = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3");
    LIST_OF_KIND => sqlite concat!("SELECT ", columns!(), " FROM run
         WHERE project = $1 AND ($2 IS NULL OR id < $2) AND kind = $4 ORDER BY id DESC LIMIT $3"),
        postgres concat!("SELECT ", columns!(), " FROM run
         WHERE project = $1 AND ($2::uuid IS NULL OR id < $2) AND kind = $4 ORDER BY id DESC LIMIT $3");
    LIST_ENDED => sqlite concat!("SELECT ", columns!(), " FROM run
         WHERE project = $1 AND ($2 IS NULL OR id < $2) AND status = $5 AND finished_at IS NOT NULL
           AND ($4 IS NULL OR kind = $4) ORDER BY id DESC LIMIT $3"),
        postgres concat!("SELECT ", columns!(), " FROM run
         WHERE project = $1 AND ($2::uuid IS NULL OR id < $2) AND status = $5 AND finished_at IS NOT NULL
           AND ($4::text IS NULL OR kind = $4) ORDER BY id DESC LIMIT $3");
    /// Through the few active ones, never through all of a project.
    LIST_ACTIVE => sqlite concat!("SELECT ", columns!(), " FROM run INDEXED BY run_active
         WHERE project = $1 AND ($2 IS NULL OR id < $2) AND ", active!(), " AND ($4 IS NULL OR kind = $4)
           AND status IN (SELECT value FROM json_each($5)) ORDER BY id DESC LIMIT $3"),
        postgres concat!("WITH active AS MATERIALIZED (SELECT ", columns!(), " FROM run WHERE ", active!(), ")
        SELECT ", columns!(), " FROM active
         WHERE project = $1 AND ($2::uuid IS NULL OR id < $2) AND ($4::text IS NULL OR kind = $4) AND status = ANY($5)
         ORDER BY id DESC LIMIT $3");
    ACTIVE = concat!("SELECT ", columns!(), " FROM run WHERE ", active!(), " ORDER BY id");
    ACTIVE_OF_PROJECT = concat!("SELECT ", columns!(), " FROM run WHERE project = $1 AND kind = $2 AND ", active!(),
        " ORDER BY id");
    COUNTS = "SELECT status, count(*) FROM run WHERE project = $1 AND kind = $2 GROUP BY status ORDER BY status";
}

/// Which runs to list.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    /// Of this project; `None` lists over all.
    pub project: Option<ProjectId>,
    /// Of this kind.
    pub kind: Option<String>,
    /// In one of these statuses; empty means any.
    pub status: Vec<RunStatus>,
    /// Ended with this word.
    pub verdict: Option<String>,
}

fn statuses(filter: &RunFilter) -> Value<'static> {
    if filter.status.is_empty() { Value::Null } else { Value::texts(filter.status.iter().map(|status| status.name())) }
}

impl Tx {
    /// A page of runs, newest first; `before` is the last id of the page before.
    pub async fn runs(
        &mut self,
        filter: &RunFilter,
        before: Option<RunId>,
        limit: u32,
    ) -> Result<Vec<Run>, StoreError> {
        self.flush().await?;
        if let Some(project) = filter.project {
            return self.runs_of(project, filter, before, limit).await;
        }
        if filter.verdict.is_none() && !filter.status.is_empty() && !filter.status.iter().any(|s| s.is_terminal()) {
            return self.runs_that_go_on(filter, before, limit).await;
        }
        let verdict = filter.verdict.as_deref().into();
        let params =
            [Value::Null, before.into(), filter.kind.as_deref().into(), statuses(filter), limit.into(), verdict];
        self.query(&LIST, &params).await?.into_iter().map(run).collect()
    }

    /// Over all projects, through the few active ones.
    async fn runs_that_go_on(
        &mut self,
        filter: &RunFilter,
        before: Option<RunId>,
        limit: u32,
    ) -> Result<Vec<Run>, StoreError> {
        let fits = |run: &Run| {
            filter.status.contains(&run.status)
                && before.is_none_or(|before| run.id < before)
                && filter.kind.as_deref().is_none_or(|kind| run.kind.name() == kind)
        };
        let mut rows: Vec<_> = self.active_runs().await?.into_iter().filter(fits).collect();
        rows.reverse();
        rows.truncate(limit as usize);
        Ok(rows)
    }

    /// Each filter has an index that leads to its rows in order, so that a rare one costs no more than a
    /// common one.
    async fn runs_of(
        &mut self,
        project: ProjectId,
        filter: &RunFilter,
        before: Option<RunId>,
        limit: u32,
    ) -> Result<Vec<Run>, StoreError> {
        let place: [Value<'_>; 3] = [project.into(), before.into(), limit.into()];
        let with = |more: Vec<Value<'static>>| place.iter().cloned().chain(more).collect::<Vec<_>>();
        let kind = || filter.kind.clone().map_or(Value::Null, Value::from);
        if let Some(verdict) = filter.verdict.clone() {
            let more = vec![verdict.into(), kind(), statuses(filter)];
            return self.query(&LIST_OF_VERDICT, &with(more)).await?.into_iter().map(run).collect();
        }
        let mut rows = match (&filter.kind, filter.status.is_empty()) {
            (None, true) => self.query(&LIST_OF_PROJECT, &place).await?,
            (Some(_), true) => self.query(&LIST_OF_KIND, &with(vec![kind()])).await?,
            (_, false) => {
                let active: Vec<_> = filter.status.iter().filter(|status| !status.is_terminal()).collect();
                let mut rows = Vec::new();
                if !active.is_empty() {
                    let names = Value::texts(active.into_iter().map(|status| status.name()));
                    rows.extend(self.query(&LIST_ACTIVE, &with(vec![kind(), names])).await?);
                }
                for ended in RunStatus::ALL.iter().filter(|status| status.is_terminal()) {
                    if filter.status.contains(ended) {
                        rows.extend(self.query(&LIST_ENDED, &with(vec![kind(), ended.name().into()])).await?);
                    }
                }
                rows
            }
        }
        .into_iter()
        .map(run)
        .collect::<Result<Vec<Run>, StoreError>>()?;
        rows.sort_unstable_by_key(|run| std::cmp::Reverse(run.id));
        rows.truncate(limit as usize);
        Ok(rows)
    }

    /// Every run that has not ended, oldest first.
    pub async fn active_runs(&mut self) -> Result<Vec<Run>, StoreError> {
        self.flush().await?;
        self.query(&ACTIVE, &[]).await?.into_iter().map(run).collect()
    }

    /// A project's runs of a kind that have not ended, oldest first.
    pub async fn active_runs_of(&mut self, project: ProjectId, kind: &RunKind) -> Result<Vec<Run>, StoreError> {
        self.flush().await?;
        let rows = self.query(&ACTIVE_OF_PROJECT, &[project.into(), kind.name().into()]).await?;
        rows.into_iter().map(run).collect()
    }

    /// How many runs of a kind a project has, by status.
    pub async fn run_counts(
        &mut self,
        project: ProjectId,
        kind: &RunKind,
    ) -> Result<Vec<(RunStatus, u64)>, StoreError> {
        let rows = self.query(&COUNTS, &[project.into(), kind.name().into()]).await?;
        rows.into_iter().map(|mut row| Ok((row.named(RunStatus::by_name)?, row.u64()?))).collect()
    }
}
