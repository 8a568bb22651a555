//! Work that must run once over all replicas: a row per job, with an epoch that its writes check.

use std::time::Duration;

use model::{id::WorkerId, time::Timestamp};

use crate::{error::StoreError, sql::statements, tx::Tx};

statements! {
    TAKE = "INSERT INTO leader (name, holder, epoch, until) VALUES ($1, $2, 1, $4)
        ON CONFLICT (name) DO UPDATE SET
            epoch = CASE WHEN leader.holder = excluded.holder AND leader.until > $3 THEN leader.epoch ELSE leader.epoch + 1 END,
            holder = excluded.holder, until = excluded.until
        WHERE leader.holder = excluded.holder OR leader.until <= $3
        RETURNING epoch";
    CHECK => sqlite "SELECT epoch FROM leader WHERE name = $1", postgres "SELECT epoch FROM leader WHERE name = $1 FOR SHARE";
    LEAVE = "UPDATE leader SET until = 0 WHERE name = $1 AND holder = $2";
}

impl Tx {
    /// Takes or keeps the lead of a job. `None`: another replica has it.
    pub async fn leader_take(
        &mut self,
        name: &str,
        holder: WorkerId,
        now: Timestamp,
        time: Duration,
    ) -> Result<Option<u64>, StoreError> {
        let params = [name.into(), holder.into(), now.into(), now.plus(time).into()];
        self.query_opt(&TAKE, &params).await?.map(|mut row| row.u64()).transpose()
    }

    /// Refuses the write of a leader that was replaced.
    pub async fn leader_check(&mut self, name: &str, epoch: u64) -> Result<(), StoreError> {
        let found = match self.query_opt(&CHECK, &[name.into()]).await? {
            Some(mut row) => row.u64()?,
            None => 0,
        };
        if found == epoch { Ok(()) } else { Err(StoreError::WrongState(format!("another replica leads {name} now"))) }
    }

    /// Hands the lead back at once.
    pub async fn leader_leave(&mut self, name: &str, holder: WorkerId) -> Result<(), StoreError> {
        self.exec(&LEAVE, &[name.into(), holder.into()]).await.map(drop)
    }
}
