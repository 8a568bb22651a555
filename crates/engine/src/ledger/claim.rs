//! A claim hands out what is paid for.

use std::collections::HashMap;

use model::{
    failure::FailureCode,
    id::{ReserveId, RunId},
    problem::Problem,
    run::Run,
    task::Fence,
};
use store::{ClaimRequest, Leased, Reserve, StoreError, Tx};
use uuid::Uuid;

use super::{Refused, account, caps};
use crate::{Engine, runs};

impl Engine {
    /// Claims, and sets aside what the claimed tasks may cost, in one transaction. `None`: what there was could not be
    /// paid for, and there may be more.
    pub(crate) async fn claim_within_budget(&self, request: ClaimRequest) -> Result<Option<Vec<Leased>>, Problem> {
        let engine = self.clone();
        self.store()
            .write(move |tx| {
                let (engine, request) = (engine.clone(), request.clone());
                Box::pin(async move {
                    let leased = tx.tasks_claim(&request).await?;
                    // What spends nothing costs nothing here either.
                    if leased.iter().all(|leased| leased.task.reserve.is_none()) {
                        return Ok(Some(leased));
                    }
                    let (mut paid, costly): (Vec<_>, Vec<_>) =
                        leased.into_iter().partition(|leased| leased.task.reserve.is_none());
                    let some_refused = reserve_each(&engine, tx, &request, costly, &mut paid).await?;
                    Ok((!paid.is_empty() || !some_refused).then_some(paid))
                })
            })
            .await
    }
}

/// Adds the tasks that can be paid for to `paid`. Whether some cannot.
async fn reserve_each(
    engine: &Engine,
    tx: &mut Tx,
    request: &ClaimRequest,
    mut costly: Vec<Leased>,
    paid: &mut Vec<Leased>,
) -> Result<bool, Problem> {
    // Runs first and in their order, then pools in theirs, so that two claims never wait for one another.
    let mut ids: Vec<RunId> = costly.iter().map(|leased| leased.task.run).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut held: HashMap<RunId, Run> = HashMap::new();
    for id in ids {
        held.insert(id, tx.run_lock(id).await?.ok_or_else(Problem::not_found)?);
    }
    costly.sort_by_key(|leased| (leased.task.project, leased.task.run));
    let mut some_refused = false;
    for leased in costly {
        let Some(run) = held.get_mut(&leased.task.run) else { continue };
        if reserve(engine, tx, request, &leased, run).await? {
            paid.push(leased);
        } else {
            some_refused = true;
        }
    }
    Ok(some_refused)
}

async fn reserve(
    engine: &Engine,
    tx: &mut Tx,
    request: &ClaimRequest,
    leased: &Leased,
    run: &mut Run,
) -> Result<bool, Problem> {
    let (task, now) = (&leased.task, request.now);
    let Some(ask) = task.reserve else { return Ok(true) };
    let fence = Fence { task: task.id, generation: task.generation };
    // An earlier answer to the same claim was lost; it is paid for (D52).
    if !tx.ledger_of(fence).await?.is_empty() {
        return Ok(true);
    }
    let kind = engine.kinds().named(&run.kind)?;
    let caps = caps(tx, &*kind, run).await?;
    let want = Reserve {
        id: ReserveId::from_uuid(Uuid::now_v7()),
        account: account(run, now.day()),
        attempt: Some(fence),
        ask,
        caps,
        because: format!("{}, attempt {}", task.kind, task.attempt),
    };
    let short = match tx.ledger_reserve(&want, now).await {
        Ok(Ok(_)) => return Ok(true),
        Ok(Err(short)) => short,
        // Nothing is spent on a ledger that does not add up, and nothing waits for a top-up of it (L89).
        Err(StoreError::LedgerDamaged(what)) => {
            tracing::error!(run = %run.id, what, "the ledger is damaged: nothing that costs money is started");
            tx.task_untake(leased).await?;
            let message = format!("the ledger does not add up: {what}");
            runs::close(&*kind, tx, run, runs::failed(FailureCode::LedgerDamaged, message), now).await?;
            return Ok(false);
        }
        Err(error) => return Err(error.into()),
    };
    tx.task_untake(leased).await?;
    let refused = Refused { task: task.clone(), short, caps };
    kind.over_budget(tx, run, &refused, now).await?;
    runs::after_change(&*kind, tx, run, now).await?;
    Ok(false)
}
