//! The ledger as lists show it.

use model::{
    actor::Actor,
    id::{ProjectId, QuestionId, RunId},
    ledger::{Account, Line, Totals},
    money::NanoUsd,
    time::{Day, Timestamp},
};

use super::{columns, line, nano};
use crate::{
    error::StoreError,
    sql::statements,
    tx::Tx,
    value::{Row, Value},
};

macro_rules! totals {
    () => {
        "count(*), CAST(coalesce(sum(reserved), 0) AS bigint), CAST(coalesce(sum(settled), 0) AS bigint),
            CAST(coalesce(sum(CASE WHEN cost_state = 'unknown' AND settled > known THEN settled - known ELSE 0 END), 0)
                AS bigint),
            CAST(coalesce(sum(CASE WHEN cost_state <> 'unknown' THEN 1 ELSE 0 END), 0) AS bigint),
            CAST(coalesce(sum(CASE WHEN cost_state = 'unknown' THEN 1 ELSE 0 END), 0) AS bigint)"
    };
}

statements! {
    OF_RUN = concat!("SELECT number, ", columns!(), " FROM ledger_line WHERE run = $1 AND number > $2
        ORDER BY number LIMIT $3");
    OF_DAY = concat!("SELECT number, ", columns!(), " FROM ledger_line WHERE project = $1 AND day = $2 AND number > $3
        ORDER BY number LIMIT $4");
    OF_PROJECT = concat!("SELECT number, ", columns!(), " FROM ledger_line WHERE project = $1 AND number > $2
        ORDER BY number LIMIT $3");
    TOTAL_OF_RUN = concat!("SELECT ", totals!(), " FROM ledger_line WHERE run = $1");
    TOTAL_OF_DAY = concat!("SELECT ", totals!(), " FROM ledger_line WHERE project = $1 AND day = $2");
    TOTAL_OF_PROJECT = concat!("SELECT ", totals!(), " FROM ledger_line WHERE project = $1");
    TOP_UPS = "SELECT question, project, run, day, run_amount, day_amount, by_whom, at FROM ledger_top_up
        WHERE project = $1 ORDER BY at, question";
}

/// Which lines to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LedgerFilter {
    /// All of a project.
    Project(ProjectId),
    /// Those of a project's day.
    Day(ProjectId, Day),
    /// Those of a run.
    Run(RunId),
}

/// A line with its place in the ledger.
#[derive(Debug, Clone, PartialEq)]
pub struct LedgerLine {
    /// Rises with each line.
    pub number: u64,
    /// What it says.
    pub line: Line,
}

/// By how much a person raised caps.
#[derive(Debug, Clone, PartialEq)]
pub struct TopUp {
    /// The question that they answered.
    pub question: QuestionId,
    /// The run and the day.
    pub account: Account,
    /// For the run.
    pub run: NanoUsd,
    /// For the day.
    pub day: NanoUsd,
    /// Who.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
}

fn numbered(mut row: Row) -> Result<LedgerLine, StoreError> {
    Ok(LedgerLine { number: row.u64()?, line: line(&mut row)? })
}

fn top_up(mut row: Row) -> Result<TopUp, StoreError> {
    let question = QuestionId::from_uuid(row.uuid()?);
    let project = ProjectId::from_uuid(row.uuid()?);
    let run = RunId::from_uuid(row.uuid()?);
    let account = Account { run, project, day: Day::from_number(row.int()?) };
    Ok(TopUp { question, account, run: nano(&mut row)?, day: nano(&mut row)?, by: row.json()?, at: row.time()? })
}

impl Tx {
    /// A page of lines, the oldest first; `after` is the number of the last one of the page before.
    pub async fn ledger_lines(
        &mut self,
        of: LedgerFilter,
        after: u64,
        limit: u32,
    ) -> Result<Vec<LedgerLine>, StoreError> {
        let (after, limit): (Value<'_>, Value<'_>) = (after.into(), limit.into());
        let rows = match of {
            LedgerFilter::Project(project) => self.query(&OF_PROJECT, &[project.into(), after, limit]).await?,
            LedgerFilter::Run(run) => self.query(&OF_RUN, &[run.into(), after, limit]).await?,
            LedgerFilter::Day(project, day) => {
                self.query(&OF_DAY, &[project.into(), day.number().into(), after, limit]).await?
            }
        };
        rows.into_iter().map(numbered).collect()
    }

    /// What lines come to, without reading them one by one; nothing where there are none.
    pub async fn ledger_totals(&mut self, of: LedgerFilter) -> Result<Option<Totals>, StoreError> {
        let mut row = match of {
            LedgerFilter::Project(project) => self.query_one(&TOTAL_OF_PROJECT, &[project.into()]).await?,
            LedgerFilter::Run(run) => self.query_one(&TOTAL_OF_RUN, &[run.into()]).await?,
            LedgerFilter::Day(project, day) => {
                self.query_one(&TOTAL_OF_DAY, &[project.into(), day.number().into()]).await?
            }
        };
        let lines = row.u64()?;
        let [reserved, settled, held] = [nano(&mut row)?, nano(&mut row)?, nano(&mut row)?];
        let totals = Totals::counted(reserved, settled, held, row.u64()?, row.u64()?);
        Ok((lines > 0).then_some(totals))
    }

    /// Every raise of a cap in a project, the oldest first.
    pub async fn ledger_top_ups(&mut self, project: ProjectId) -> Result<Vec<TopUp>, StoreError> {
        self.query(&TOP_UPS, &[project.into()]).await?.into_iter().map(top_up).collect()
    }
}
