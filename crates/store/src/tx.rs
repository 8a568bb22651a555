//! A transaction: the one thing all resources are methods of.
//!
//! The methods are async because PostgreSQL answers over a socket; over SQLite they never wait.
//! Inside a transaction, await nothing but the transaction.

use model::{
    id::RunId,
    journal::{NewEntry, StreamId},
    time::Timestamp,
};

use crate::{
    commit::Committed,
    error::StoreError,
    postgres::PgTx,
    sql::Sql,
    sqlite::SqliteTx,
    value::{Row, Value},
};

/// A transaction in progress. Everything done through it happens together or not at all.
pub struct Tx {
    pub(crate) driver: Driver,
    pub(crate) woken: Committed,
    /// Runs whose row this transaction holds (PostgreSQL only; SQLite has one writer).
    held: Vec<RunId>,
    /// Counters of runs that have moved and are not written yet: a batch of outcomes of one run is
    /// one update of its row.
    pub(crate) moved: Vec<Moved>,
    /// Entries that get their numbers when the script ends, so that no stream is held longer than for
    /// the commit (PostgreSQL only).
    pub(crate) appended: Vec<Appended>,
    /// Runs that this transaction has stored: nobody else knows their streams yet (PostgreSQL only).
    pub(crate) fresh: Vec<RunId>,
    /// Whether entries were left for [`crate::board`] to number.
    pub(crate) left: bool,
}

/// Entries of one append.
pub(crate) type Appended = (StreamId, Vec<NewEntry>, Timestamp);

/// By how much a run's counters have moved.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moved {
    pub run: RunId,
    pub total: i64,
    pub done: i64,
    pub failed: i64,
}

pub(crate) enum Driver {
    Sqlite(Box<SqliteTx>),
    Postgres(Box<PgTx>),
}

impl Tx {
    pub(crate) fn sqlite(tx: SqliteTx) -> Self {
        Self::of(Driver::Sqlite(Box::new(tx)))
    }

    pub(crate) fn postgres(tx: PgTx) -> Self {
        Self::of(Driver::Postgres(Box::new(tx)))
    }

    fn of(driver: Driver) -> Self {
        Self {
            driver,
            woken: Committed::default(),
            held: Vec::new(),
            moved: Vec::new(),
            appended: Vec::new(),
            fresh: Vec::new(),
            left: false,
        }
    }

    /// Writes what was left for the end of the script.
    pub(crate) async fn finish(&mut self) -> Result<(), StoreError> {
        self.flush().await?;
        self.append_rest().await
    }

    pub(crate) const fn is_sqlite(&self) -> bool {
        matches!(self.driver, Driver::Sqlite(_))
    }

    pub(crate) fn hold(&mut self, run: RunId) {
        if !self.is_sqlite() {
            self.held.push(run);
        }
    }

    pub(crate) fn holds(&self, run: RunId) -> bool {
        self.held.contains(&run)
    }

    /// Runs a statement and takes its rows.
    pub(crate) async fn query(&mut self, sql: &Sql, params: &[Value<'_>]) -> Result<Vec<Row>, StoreError> {
        match &mut self.driver {
            Driver::Sqlite(tx) => tx.query(sql.sqlite, params),
            Driver::Postgres(tx) => tx.query(sql.postgres, params).await,
        }
    }

    /// Runs a statement that gives at most one row of interest.
    pub(crate) async fn query_opt(&mut self, sql: &Sql, params: &[Value<'_>]) -> Result<Option<Row>, StoreError> {
        match &mut self.driver {
            Driver::Sqlite(tx) => tx.query_opt(sql.sqlite, params),
            Driver::Postgres(tx) => Ok(tx.query(sql.postgres, params).await?.into_iter().next()),
        }
    }

    /// Runs a statement that always gives one row.
    pub(crate) async fn query_one(&mut self, sql: &Sql, params: &[Value<'_>]) -> Result<Row, StoreError> {
        self.query_opt(sql, params).await?.ok_or_else(|| StoreError::Internal(format!("{} gave no row", sql.name)))
    }

    /// Runs a statement and says how many rows it changed.
    pub(crate) async fn exec(&mut self, sql: &Sql, params: &[Value<'_>]) -> Result<u64, StoreError> {
        match &mut self.driver {
            Driver::Sqlite(tx) => tx.exec(sql.sqlite, params),
            Driver::Postgres(tx) => tx.exec(sql.postgres, params).await,
        }
    }

    /// Runs a statement of which nobody wants to know more than that it was done. Over PostgreSQL it travels with
    /// the next statement that is waited for, the commit at the latest; its failure undoes the script.
    pub(crate) async fn exec_later(&mut self, sql: &Sql, params: Vec<Value<'_>>) -> Result<(), StoreError> {
        match &mut self.driver {
            Driver::Sqlite(tx) => tx.exec(sql.sqlite, &params).map(drop),
            Driver::Postgres(tx) => tx.later(sql.postgres, params.into_iter().map(Value::into_owned).collect()).await,
        }
    }

    /// Makes sure that the database can read a statement.
    pub(crate) async fn prepare(&mut self, sql: &Sql) -> Result<(), StoreError> {
        match &mut self.driver {
            Driver::Sqlite(tx) => tx.prepare(sql.sqlite),
            Driver::Postgres(tx) => tx.prepare(sql.postgres).await,
        }
    }
}
