//! Does the ledger add up? (L89)

use std::collections::BTreeMap;

use model::{
    id::{ProjectId, ReserveId, RunId},
    ledger::{Flaw, Pool, PoolKey, Recount},
    time::Day,
};

use super::{LedgerFilter, pool};
use crate::{error::StoreError, sql::statements, tx::Tx, value::Row};

/// Lines read at once.
const PAGE: u32 = 1_000;

statements! {
    /// The pools of a project's days, and of every run that it has or had.
    DAYS = "SELECT day, reserved, settled, topped_up FROM ledger_pool WHERE kind = 'day' AND owner = $1 ORDER BY day";
    RUNS = "SELECT p.owner, p.reserved, p.settled, p.topped_up FROM ledger_pool p
        WHERE p.kind = 'run' AND (p.owner IN (SELECT l.run FROM ledger_line l WHERE l.project = $1)
            OR p.owner IN (SELECT t.run FROM ledger_top_up t WHERE t.project = $1)) ORDER BY p.owner";
    /// Reserves whose task nobody holds under the claim that they were made for.
    LEFT = "SELECT l.reserve FROM ledger_line l WHERE l.project = $1 AND l.step = 0 AND l.task IS NOT NULL
          AND NOT EXISTS (SELECT 1 FROM ledger_line c WHERE c.reserve = l.reserve AND c.step = 1)
          AND NOT EXISTS (SELECT 1 FROM task t WHERE t.id = l.task AND t.state = 'leased' AND t.generation = l.generation)
        ORDER BY l.number";
}

impl Tx {
    /// Recounts all lines of a project. How many there are, and what does not add up.
    pub async fn ledger_verify(&mut self, project: ProjectId) -> Result<(u64, Vec<Flaw>), StoreError> {
        let mut recount = Recount::default();
        let (mut after, mut lines) = (0, 0);
        loop {
            let page = self.ledger_lines(LedgerFilter::Project(project), after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.number;
            lines += page.len() as u64;
            page.iter().for_each(|kept| recount.take(&kept.line));
        }
        for top_up in self.ledger_top_ups(project).await? {
            for (key, amount) in top_up.account.pools().into_iter().zip([top_up.run, top_up.day]) {
                recount.top_up(key, amount);
            }
        }
        let mut found: BTreeMap<PoolKey, Pool> = BTreeMap::new();
        for mut row in self.query(&DAYS, &[project.into()]).await? {
            let day = Day::from_number(row.int()?);
            found.insert(PoolKey::Day(project, day), pool(row)?);
        }
        for mut row in self.query(&RUNS, &[project.into()]).await? {
            let run = RunId::from_uuid(row.uuid()?);
            found.insert(PoolKey::Run(run), pool(row)?);
        }
        let mut flaws = recount.flaws(&found);
        let left = |mut row: Row| Ok(Flaw::LeftOpen(ReserveId::from_uuid(row.uuid()?)));
        let left: Result<Vec<_>, StoreError> =
            self.query(&LEFT, &[project.into()]).await?.into_iter().map(left).collect();
        flaws.extend(left?);
        Ok((lines, flaws))
    }
}
