//! Brings a database's schema up to this program's: forward only, each step its own transaction,
//! under a lock. A kill in mid-migration leaves the step before it whole (F19).
//!
//! Hand-written because the refinery release for our drivers does neither take a lock on
//! PostgreSQL nor name a newer database; it is the same table and the same files.

use rusqlite::{Connection, TransactionBehavior};

use crate::{
    error::StoreError,
    postgres::Postgres,
    sql::statements,
    sqlite,
    tx::{Driver, Tx},
    value::Value,
};

/// One step. Numbers rise by one from 1; a released step never changes.
struct Step {
    name: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
}

const STEPS: &[Step] = &[
    Step {
        name: "kernel",
        sqlite: include_str!("../migrations/sqlite/V001__kernel.sql"),
        postgres: include_str!("../migrations/postgres/V001__kernel.sql"),
    },
    Step {
        name: "lists",
        sqlite: include_str!("../migrations/sqlite/V002__lists.sql"),
        postgres: include_str!("../migrations/postgres/V002__lists.sql"),
    },
    Step {
        name: "question_asker",
        sqlite: include_str!("../migrations/sqlite/V003__question_asker.sql"),
        postgres: include_str!("../migrations/postgres/V003__question_asker.sql"),
    },
    Step {
        name: "evidence_unclosed",
        sqlite: include_str!("../migrations/sqlite/V004__evidence_unclosed.sql"),
        postgres: include_str!("../migrations/postgres/V004__evidence_unclosed.sql"),
    },
    Step {
        name: "board",
        sqlite: include_str!("../migrations/sqlite/V005__board.sql"),
        postgres: include_str!("../migrations/postgres/V005__board.sql"),
    },
    Step {
        name: "session_token",
        sqlite: include_str!("../migrations/sqlite/V006__session_token.sql"),
        postgres: include_str!("../migrations/postgres/V006__session_token.sql"),
    },
    Step {
        name: "issues",
        sqlite: include_str!("../migrations/sqlite/V007__issues.sql"),
        postgres: include_str!("../migrations/postgres/V007__issues.sql"),
    },
    Step {
        name: "workers",
        sqlite: include_str!("../migrations/sqlite/V008__workers.sql"),
        postgres: include_str!("../migrations/postgres/V008__workers.sql"),
    },
    Step {
        name: "change_comment",
        sqlite: include_str!("../migrations/sqlite/V012__change_comment.sql"),
        postgres: include_str!("../migrations/postgres/V012__change_comment.sql"),
    },
    Step {
        name: "ledger",
        sqlite: include_str!("../migrations/sqlite/V013__ledger.sql"),
        postgres: include_str!("../migrations/postgres/V013__ledger.sql"),
    },
];

/// The newest version this program knows.
pub const KNOWN: i64 = STEPS.len() as i64;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT PRIMARY KEY, name TEXT NOT NULL)";

statements! {
    VERSION = "SELECT coalesce(max(version), 0) FROM schema_version";
    RECORD = "INSERT INTO schema_version (version, name) VALUES ($1, $2)";
}

const fn refuse_newer(found: i64) -> Result<(), StoreError> {
    if found > KNOWN { Err(StoreError::DatabaseNewer { found, known: KNOWN }) } else { Ok(()) }
}

/// Migrates a SQLite file; `BEGIN IMMEDIATE` is the lock.
pub(crate) fn sqlite(connection: &mut Connection) -> Result<(), StoreError> {
    let failed = |error: rusqlite::Error| sqlite::map(&error).0;
    loop {
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        tx.execute_batch(TABLE).map_err(failed)?;
        let found: i64 = tx.query_row(VERSION.sqlite, [], |row| row.get(0)).map_err(failed)?;
        refuse_newer(found)?;
        let Some(step) = usize::try_from(found).ok().and_then(|done| STEPS.get(done)) else {
            return tx.commit().map_err(failed);
        };
        tx.execute_batch(step.sqlite).map_err(failed)?;
        tx.execute(RECORD.sqlite, (found + 1, step.name)).map_err(failed)?;
        tx.commit().map_err(failed)?;
    }
}

/// The version of a SQLite file.
pub(crate) fn version(connection: &Connection) -> Result<i64, StoreError> {
    connection.query_row(VERSION.sqlite, [], |row| row.get(0)).map_err(|error| sqlite::map(&error).0)
}

/// Migrates a PostgreSQL schema; an advisory lock that ends with the transaction is the lock.
pub(crate) async fn postgres(database: &Postgres) -> Result<(), StoreError> {
    while database.write(&|tx| Box::pin(step(tx))).await? {}
    Ok(())
}

/// Does the next step; says whether there may be another.
async fn step(tx: &mut Tx) -> Result<bool, StoreError> {
    batch(tx, "SELECT pg_advisory_xact_lock(hashtextextended('proofhouse.' || current_schema(), 0))").await?;
    batch(tx, TABLE).await?;
    let found = tx.schema_version().await?;
    refuse_newer(found)?;
    let Some(step) = usize::try_from(found).ok().and_then(|done| STEPS.get(done)) else { return Ok(false) };
    batch(tx, step.postgres).await?;
    tx.exec(&RECORD, &[(found + 1).into(), Value::from(step.name)]).await?;
    Ok(true)
}

async fn batch(tx: &mut Tx, sql: &str) -> Result<(), StoreError> {
    match &mut tx.driver {
        Driver::Postgres(tx) => tx.batch(sql).await,
        Driver::Sqlite(_) => Err(StoreError::Internal("a migration for PostgreSQL met SQLite".to_owned())),
    }
}

impl Tx {
    /// The version of the schema.
    pub async fn schema_version(&mut self) -> Result<i64, StoreError> {
        self.query_one(&VERSION, &[]).await?.int()
    }
}
