//! The SQLite side: one writer thread that groups commits, a few readers with their own snapshots.

pub(crate) mod reader;
pub(crate) mod wal;
pub(crate) mod writer;

use std::{path::Path, sync::Once, time::Duration};

use rusqlite::{Connection, ErrorCode, OpenFlags, config::DbConfig, ffi};

use crate::{
    error::StoreError,
    value::{Row, Value},
};

/// Prepared statements kept per connection; there are fewer texts than that.
const STATEMENTS: usize = 400;

/// What an error means for the transaction it happened in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// No space: roll the group back, go on when there is space.
    Full,
    /// A write or sync failed: never write again.
    Fatal(String),
}

/// A connection, inside a transaction while a script runs on it.
pub(crate) struct SqliteTx {
    connection: Connection,
    savepoint: Savepoint,
    trouble: Option<Trouble>,
}

/// A job's own rollback point is opened by its first write only: refusals before it cost nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Savepoint {
    Off,
    Wanted,
    Open,
}

/// SQLite's own memory statistics take a process-wide lock at every allocation, and nobody reads them.
fn without_statistics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: SQLITE_CONFIG_MEMSTATUS takes one int. It must come before SQLite is initialised, which is
        // why it stands before the first connection; later SQLite refuses it and nothing happens.
        unsafe { ffi::sqlite3_config(ffi::SQLITE_CONFIG_MEMSTATUS, 0) };
    });
}

/// Opens the file with the pragmas that the promises rest on.
pub(crate) fn connect(path: &Path, writes: bool) -> Result<SqliteTx, StoreError> {
    without_statistics();
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        connection.busy_timeout(Duration::from_secs(10))?;
        let mode: String = connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
        if mode != "wal" {
            tracing::warn!(mode, "the file system does not allow WAL; writes are slower");
        }
        connection.pragma_update(None, "synchronous", "full")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "temp_store", "memory")?;
        // Otherwise a bound value that meets a partial index makes SQLite plan the statement anew each time.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        connection.pragma_update(None, "cell_size_check", true)?;
        if writes {
            connection.pragma_update(None, "cache_size", -32_768)?;
            connection.pragma_update(None, "wal_autocheckpoint", 4_000)?;
            connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
        } else {
            connection.pragma_update(None, "cache_size", -4_096)?;
            connection.pragma_update(None, "query_only", true)?;
        }
        Ok(connection)
    };
    let connection = open().map_err(|error| map(&error).0)?;
    Ok(SqliteTx { connection, savepoint: Savepoint::Off, trouble: None })
}

/// What SQLite's error means here.
pub(crate) fn map(error: &rusqlite::Error) -> (StoreError, Option<Trouble>) {
    let text = error.to_string();
    let rusqlite::Error::SqliteFailure(failure, _) = error else {
        return (StoreError::Internal(text), None);
    };
    match (failure.code, failure.extended_code) {
        (ErrorCode::DiskFull, _) => (StoreError::DiskFull, Some(Trouble::Full)),
        (_, ffi::SQLITE_IOERR_READ | ffi::SQLITE_IOERR_SHORT_READ | ffi::SQLITE_IOERR_CORRUPTFS) => {
            (StoreError::DatabaseDamaged(text), None)
        }
        (ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase, _) => (StoreError::DatabaseDamaged(text), None),
        (ErrorCode::SystemIoFailure, _) => (StoreError::Poisoned(text.clone()), Some(Trouble::Fatal(text))),
        (ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _) => {
            (StoreError::Unavailable("another process holds the database".to_owned()), None)
        }
        (ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly, _) => {
            (StoreError::Unavailable(text), None)
        }
        (ErrorCode::TooBig, _) => (StoreError::Unstorable(text), None),
        _ => (StoreError::Internal(text), None),
    }
}

impl SqliteTx {
    /// The connection, for what is not a statement of a resource: migrations, backup, checks.
    pub const fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    fn note(&mut self, error: &rusqlite::Error) -> StoreError {
        let (mapped, trouble) = map(error);
        if trouble.is_some() {
            self.trouble = trouble;
        }
        mapped
    }

    /// The trouble met since the last call.
    pub const fn take_trouble(&mut self) -> Option<Trouble> {
        self.trouble.take()
    }

    fn plain(&mut self, sql: &str) -> Result<(), StoreError> {
        let done = self.connection.prepare_cached(sql).and_then(|mut statement| statement.execute([]).map(drop));
        done.map_err(|error| self.note(&error))
    }

    pub fn begin(&mut self, immediate: bool) -> Result<(), StoreError> {
        self.savepoint = Savepoint::Off;
        self.plain(if immediate { "BEGIN IMMEDIATE" } else { "BEGIN" })
    }

    pub fn commit(&mut self) -> Result<(), StoreError> {
        self.plain("COMMIT")
    }

    /// Ends the transaction without a trace. SQLite may have done so itself after an error.
    pub fn roll_back(&mut self) {
        self.savepoint = Savepoint::Off;
        if !self.connection.is_autocommit()
            && let Err(error) = self.connection.execute_batch("ROLLBACK")
        {
            tracing::error!(%error, "failed to roll back");
        }
    }

    /// From here on, the first write opens a point to roll back to.
    pub const fn want_savepoint(&mut self) {
        self.savepoint = Savepoint::Wanted;
    }

    /// Ends the job's own part: kept, or undone back to its first write.
    pub fn end_savepoint(&mut self, keep: bool) -> Result<(), StoreError> {
        let open = self.savepoint == Savepoint::Open;
        self.savepoint = Savepoint::Off;
        if !open {
            return Ok(());
        }
        if !keep {
            self.plain("ROLLBACK TO job")?;
        }
        self.plain("RELEASE job")
    }

    fn ready(&mut self, sql: &str) -> Result<(), StoreError> {
        if self.savepoint == Savepoint::Wanted {
            let writes = self.connection.prepare_cached(sql).map(|statement| !statement.readonly());
            if writes.map_err(|error| self.note(&error))? {
                self.plain("SAVEPOINT job")?;
                self.savepoint = Savepoint::Open;
            }
        }
        Ok(())
    }

    pub fn exec(&mut self, sql: &str, params: &[Value<'_>]) -> Result<u64, StoreError> {
        self.ready(sql)?;
        let run = || -> rusqlite::Result<usize> {
            let mut statement = self.connection.prepare_cached(sql)?;
            bind(&mut statement, params)?;
            statement.raw_execute()
        };
        let changed = run().map_err(|error| self.note(&error))?;
        Ok(changed as u64)
    }

    pub fn query(&mut self, sql: &str, params: &[Value<'_>]) -> Result<Vec<Row>, StoreError> {
        self.ready(sql)?;
        self.rows(sql, params, usize::MAX).map_err(|error| self.note(&error))
    }

    pub fn query_opt(&mut self, sql: &str, params: &[Value<'_>]) -> Result<Option<Row>, StoreError> {
        self.query(sql, params).map(|rows| rows.into_iter().next())
    }

    /// Moves the whole log into the database file, so that nothing is left in it. Waits briefly for
    /// readers of an older state.
    pub fn checkpoint(&mut self) -> Result<(), StoreError> {
        let run = || -> rusqlite::Result<i64> {
            self.connection.busy_timeout(Duration::from_secs(1))?;
            self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
        };
        match run() {
            Ok(0) => Ok(()),
            Ok(_) => Err(StoreError::Unavailable("somebody still reads the log".to_owned())),
            Err(error) => Err(self.note(&error)),
        }
    }

    /// Leaves the log as it is when this connection ends.
    pub fn keep_log(&mut self) {
        if let Err(error) = self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true) {
            tracing::error!(%error, "the log may be touched after a failed sync");
        }
    }

    pub fn prepare(&mut self, sql: &str) -> Result<(), StoreError> {
        self.connection.prepare(sql).map(drop).map_err(|error| StoreError::Internal(format!("{error}: {sql}")))
    }

    fn rows(&self, sql: &str, params: &[Value<'_>], limit: usize) -> rusqlite::Result<Vec<Row>> {
        let mut statement = self.connection.prepare_cached(sql)?;
        bind(&mut statement, params)?;
        let width = statement.column_count();
        let mut rows = statement.raw_query();
        let mut taken = Vec::new();
        while let Some(row) = rows.next()? {
            let mut values = Vec::with_capacity(width);
            for at in 0..width {
                values.push(own(row.get_ref(at)?)?);
            }
            taken.push(Row::new(values));
            if taken.len() == limit {
                break;
            }
        }
        Ok(taken)
    }
}

/// SQLite numbers `$2` by first appearance, not by its digit, so each parameter is bound by name.
fn bind(statement: &mut rusqlite::CachedStatement<'_>, params: &[Value<'_>]) -> rusqlite::Result<()> {
    for at in 1..=statement.parameter_count() {
        let number = statement.parameter_name(at).and_then(|name| name.get(1..)?.parse::<usize>().ok());
        match number.and_then(|number| params.get(number.checked_sub(1)?)) {
            Some(value) => statement.raw_bind_parameter(at, value)?,
            None => return Err(rusqlite::Error::InvalidParameterCount(params.len(), at)),
        }
    }
    Ok(())
}

fn own(value: rusqlite::types::ValueRef<'_>) -> rusqlite::Result<Value<'static>> {
    use rusqlite::types::ValueRef;
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(value) => Value::Int(value),
        // No column of ours holds a float; a damaged file may.
        ValueRef::Real(value) => Value::Text(value.to_string().into()),
        ValueRef::Text(bytes) => {
            Value::Text(std::str::from_utf8(bytes).map_err(rusqlite::Error::Utf8Error)?.to_owned().into())
        }
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec().into()),
    })
}
