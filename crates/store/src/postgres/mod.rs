//! The PostgreSQL side: a pool of connections, each script its own transaction, repeated when the
//! database asks for it.

pub(crate) mod appends;
pub(crate) mod boards;
pub(crate) mod listen;

use std::{sync::Arc, time::Duration};

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime, Timeouts};
use futures::future::{BoxFuture, join_all, join3};
use tokio_postgres::{NoTls, Statement, error::SqlState, types::ToSql};

use appends::Appends;
use boards::Boards;
use listen::Wakes;

use crate::{
    commit::Hooks,
    error::StoreError,
    sql::statements,
    tx::{Driver, Tx},
    value::{Row, Value},
};

/// Connections per replica.
pub const CONNECTIONS: usize = 16;
/// Every statement has the index it needs. A plan made while the tables were empty must be the plan for
/// millions of rows, and none may flip when statistics change.
const PLANS: &str = "-c jit=off -c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_hashjoin=off \
                     -c enable_mergejoin=off";
/// Times a script is begun at most, when the database broke it off.
const TRIES: u32 = 6;

statements! {
    SCHEMA => sqlite "", postgres "SELECT CAST(current_schema() AS text)";
}

/// A connection inside a transaction.
pub(crate) struct PgTx {
    /// `None` only after the transaction has ended.
    client: Option<Object>,
    /// The first error: from then on PostgreSQL refuses everything but a rollback.
    failed: Option<StoreError>,
    /// The database asked for a repeat, or the connection broke before the commit.
    again: bool,
    /// How the transaction begins; sent together with its first statement.
    begin: Option<&'static str>,
    /// Statements that travel with the next one that is waited for.
    queued: Vec<(&'static str, Vec<Value<'static>>)>,
}

/// Statements that wait for the next at most.
const QUEUED: usize = 16;

/// How a transaction ended that did not commit, or perhaps did.
enum NotEnded {
    /// It changed nothing; whether the script may be run again.
    Undone(StoreError, bool),
    /// The connection broke, and nobody knows.
    Unknown(StoreError),
}

/// A connection that is dropped in mid-transaction must not go back to the pool.
impl Drop for PgTx {
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            drop(Object::take(client));
        }
    }
}

impl PgTx {
    fn note(&mut self, error: &tokio_postgres::Error) -> StoreError {
        let (mapped, again) = map(error);
        self.again |= again;
        if self.failed.is_none() {
            self.failed = Some(mapped.clone());
        }
        mapped
    }

    fn client(&self) -> Result<&Object, StoreError> {
        self.client.as_ref().ok_or_else(|| StoreError::Internal("the transaction has ended".to_owned()))
    }

    pub async fn query(&mut self, sql: &str, params: &[Value<'_>]) -> Result<Vec<Row>, StoreError> {
        let rows = self.sent(sql, async |client: &Object, statement| client.query(&statement, &borrowed(params)).await);
        let rows = rows.await?;
        rows.iter().map(take).collect::<Result<_, _>>().map_err(|error| self.note(&error))
    }

    pub async fn exec(&mut self, sql: &str, params: &[Value<'_>]) -> Result<u64, StoreError> {
        self.sent(sql, async |client: &Object, statement| client.execute(&statement, &borrowed(params)).await).await
    }

    /// Leaves a statement to travel with the next.
    pub async fn later(&mut self, sql: &'static str, params: Vec<Value<'static>>) -> Result<(), StoreError> {
        if self.queued.len() < QUEUED {
            self.queued.push((sql, params));
            return Ok(());
        }
        self.exec(sql, &params).await.map(drop)
    }

    /// Sends the transaction's beginning, what is queued and one statement in one round trip.
    async fn sent<T>(
        &mut self,
        sql: &str,
        run: impl AsyncFnOnce(&Object, Statement) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, StoreError> {
        let (begin, queued) = (self.begin.take(), std::mem::take(&mut self.queued));
        let client = self.client()?;
        let all = async {
            let statement = client.prepare_cached(sql).await.map_err(|error| (error, true))?;
            let before = prepared(client, queued).await.map_err(|error| (error, true))?;
            together(client, begin, &before, run(client, statement)).await
        };
        let sent: Result<T, (tokio_postgres::Error, bool)> = all.await;
        sent.map_err(|(error, _)| self.note(&error))
    }

    pub async fn prepare(&mut self, sql: &str) -> Result<(), StoreError> {
        let prepared = self.client()?.prepare(sql).await;
        prepared.map(drop).map_err(|error| StoreError::Internal(format!("{}: {sql}", describe(&error))))
    }

    /// Statements that are no resource's: migrations, checks.
    pub async fn batch(&mut self, sql: &str) -> Result<(), StoreError> {
        self.batch_with(sql).await.map_err(|(error, _)| error)
    }

    /// As [`Self::batch`]; says also whether the database itself refused what came before.
    async fn batch_with(&mut self, sql: &str) -> Result<(), (StoreError, bool)> {
        let (begin, queued) = (self.begin.take(), std::mem::take(&mut self.queued));
        let client = self.client().map_err(|error| (error, false))?;
        let all = async {
            let before = prepared(client, queued).await.map_err(|error| (error, true))?;
            together(client, begin, &before, client.batch_execute(sql)).await
        };
        let sent: Result<(), (tokio_postgres::Error, bool)> = all.await;
        sent.map_err(|(error, before)| (self.note(&error), before && error.as_db_error().is_some()))
    }
}

/// A queued statement, ready to go.
type Ready = (Statement, Vec<Value<'static>>);

async fn prepared(
    client: &Object,
    queued: Vec<(&'static str, Vec<Value<'static>>)>,
) -> Result<Vec<Ready>, tokio_postgres::Error> {
    let mut ready = Vec::with_capacity(queued.len());
    for (sql, params) in queued {
        ready.push((client.prepare_cached(sql).await?, params));
    }
    Ok(ready)
}

fn borrowed<'v>(params: &'v [Value<'_>]) -> Vec<&'v (dyn ToSql + Sync)> {
    params.iter().map(|value| value as _).collect()
}

/// Sends all of it in one round trip: the connection sends in the order of the first polls, and what follows a
/// failed statement of a transaction is refused by the database. The error is the first one, with whether
/// it came before the last statement.
async fn together<T>(
    client: &Object,
    begin: Option<&'static str>,
    before: &[Ready],
    last: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, (tokio_postgres::Error, bool)> {
    let begun = async {
        match begin {
            Some(begin) => client.batch_execute(begin).await,
            None => Ok(()),
        }
    };
    let queued = join_all(before.iter().map(|(statement, params)| async move {
        let params = borrowed(params);
        client.execute(statement, &params).await
    }));
    let (begun, queued, last) = join3(begun, queued, last).await;
    begun.map_err(|error| (error, true))?;
    for done in queued {
        done.map_err(|error| (error, true))?;
    }
    last.map_err(|error| (error, false))
}

fn take(row: &tokio_postgres::Row) -> Result<Row, tokio_postgres::Error> {
    (0..row.len()).map(|at| row.try_get::<_, Value<'static>>(at)).collect::<Result<Vec<_>, _>>().map(Row::new)
}

fn describe(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(db) => format!("{} ({})", db.message(), db.code().code()),
        None => {
            let mut text = error.to_string();
            let mut source = std::error::Error::source(error);
            while let Some(inner) = source {
                text = format!("{text}: {inner}");
                source = inner.source();
            }
            text
        }
    }
}

/// What PostgreSQL's error means here, and whether the whole script may simply be run again.
pub(crate) fn map(error: &tokio_postgres::Error) -> (StoreError, bool) {
    let text = describe(error);
    let Some(code) = error.code() else {
        // No answer of the database: the connection broke, or a parameter did not fit its column.
        let broke =
            error.is_closed() || std::error::Error::source(error).is_some_and(|source| source.is::<std::io::Error>());
        return if broke { (StoreError::Unavailable(text), true) } else { (StoreError::Internal(text), false) };
    };
    match *code {
        SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED | SqlState::LOCK_NOT_AVAILABLE => {
            (StoreError::Unavailable(text), true)
        }
        SqlState::DISK_FULL => (StoreError::DiskFull, false),
        SqlState::DATA_CORRUPTED | SqlState::INDEX_CORRUPTED => (StoreError::DatabaseDamaged(text), false),
        SqlState::CHARACTER_NOT_IN_REPERTOIRE | SqlState::UNTRANSLATABLE_CHARACTER => {
            (StoreError::Unstorable(text), false)
        }
        SqlState::ADMIN_SHUTDOWN
        | SqlState::CRASH_SHUTDOWN
        | SqlState::CANNOT_CONNECT_NOW
        | SqlState::TOO_MANY_CONNECTIONS
        | SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT => (StoreError::Unavailable(text), true),
        _ => match code.code().get(..2) {
            Some("08" | "57") => (StoreError::Unavailable(text), true),
            Some("28" | "3D" | "53" | "58") => (StoreError::Unavailable(text), false),
            _ => (StoreError::Internal(text), false),
        },
    }
}

/// The handle to one PostgreSQL database.
#[derive(Clone)]
pub(crate) struct Postgres {
    pool: Pool,
    config: Arc<tokio_postgres::Config>,
    hooks: Arc<Hooks>,
    wakes: Option<Arc<Wakes>>,
    appends: Option<Appends>,
    boards: Option<Boards>,
}

impl Postgres {
    pub fn new(url: &str, hooks: Arc<Hooks>) -> Result<Self, StoreError> {
        let mut config: tokio_postgres::Config =
            url.parse().map_err(|error: tokio_postgres::Error| StoreError::Unavailable(describe(&error)))?;
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(Duration::from_secs(5));
        }
        config.application_name("proofhouse");
        let own = config.get_options().unwrap_or_default();
        config.options(format!("{own} {PLANS}"));
        config.keepalives_idle(Duration::from_secs(30));
        let manager =
            Manager::from_config(config.clone(), NoTls, ManagerConfig { recycling_method: RecyclingMethod::Fast });
        let pool = Pool::builder(manager)
            .max_size(CONNECTIONS)
            .runtime(Runtime::Tokio1)
            .timeouts(Timeouts {
                wait: Some(Duration::from_secs(20)),
                create: Some(Duration::from_secs(5)),
                recycle: Some(Duration::from_secs(5)),
            })
            .build()
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(Self { pool, config: Arc::new(config), hooks, wakes: None, appends: None, boards: None })
    }

    /// Starts the wake-ups between replicas, once the schema is there.
    pub async fn connect_replicas(&mut self) -> Result<(), StoreError> {
        let schema = self.read(&|tx| Box::pin(async move { tx.query_one(&SCHEMA, &[]).await?.text() })).await?;
        self.wakes = Some(Wakes::start(Arc::clone(&self.config), self.pool.clone(), &self.hooks, &schema));
        self.appends = Some(Appends::start(self.clone()));
        // The numbering task has no numbering task: its own clone is made before.
        self.boards = Some(Boards::start(self.clone()));
        Ok(())
    }

    /// Ends every connection; what is asked afterwards is refused.
    pub fn close(&self) {
        if let Some(wakes) = &self.wakes {
            wakes.stop();
        }
        self.pool.close();
    }

    /// The batched way to append behind a fence.
    pub const fn appends(&self) -> Option<&Appends> {
        self.appends.as_ref()
    }

    /// Begins a transaction on a connection of the pool.
    async fn begin(&self, how: &'static str) -> Result<Tx, (StoreError, bool)> {
        let client = self.pool.get().await.map_err(|error| {
            let text = match &error {
                deadpool_postgres::PoolError::Backend(inner) => describe(inner),
                other => other.to_string(),
            };
            (StoreError::Unavailable(text), true)
        })?;
        Ok(Tx::postgres(PgTx {
            client: Some(client),
            failed: None,
            again: false,
            begin: Some(how),
            queued: Vec::new(),
        }))
    }

    pub async fn write<F, T, E>(&self, script: &F) -> Result<T, E>
    where
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + Sync,
        T: Send,
        E: From<StoreError> + Send,
    {
        self.transact(script, "BEGIN ISOLATION LEVEL READ COMMITTED", "COMMIT").await
    }

    /// One consistent snapshot for the whole script.
    pub async fn read<F, T, E>(&self, script: &F) -> Result<T, E>
    where
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + Sync,
        T: Send,
        E: From<StoreError> + Send,
    {
        self.transact(script, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", "COMMIT").await
    }

    async fn transact<F, T, E>(&self, script: &F, begin: &'static str, commit: &str) -> Result<T, E>
    where
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + Sync,
        T: Send,
        E: From<StoreError> + Send,
    {
        let mut pause = Duration::from_millis(5);
        for attempt in 1.. {
            let last = attempt >= TRIES;
            let mut tx = match self.begin(begin).await {
                Ok(tx) => tx,
                Err((error, again)) if last || !again => return Err(E::from(error)),
                Err(_) => {
                    pause = wait(pause).await;
                    continue;
                }
            };
            let mut outcome = script(&mut tx).await;
            if outcome.is_ok()
                && let Err(error) = tx.finish().await
            {
                outcome = Err(E::from(error));
            }
            let (woken, left) = (std::mem::take(&mut tx.woken), tx.left);
            let Driver::Postgres(mut pg) = tx.driver else {
                return Err(E::from(StoreError::Internal("a foreign transaction".to_owned())));
            };
            let outcome = match (outcome, pg.failed.take()) {
                // A script that goes on after a failed statement cannot be committed.
                (Ok(_), Some(error)) => Err(E::from(error)),
                (outcome, _) => outcome,
            };
            match outcome {
                Ok(value) => match end(&mut pg, commit).await {
                    Ok(()) => {
                        if let Some(wakes) = &self.wakes {
                            wakes.add(woken.clone());
                        }
                        self.hooks.committed(woken);
                        if left && let Some(boards) = &self.boards {
                            boards.number().await;
                        }
                        return Ok(value);
                    }
                    // Refused commits changed nothing; of a broken connection nobody knows.
                    Err(NotEnded::Undone(_, true)) if !last => {}
                    Err(NotEnded::Undone(error, _) | NotEnded::Unknown(error)) => return Err(E::from(error)),
                },
                Err(error) => {
                    let again = pg.again;
                    if !again {
                        pg.queued.clear();
                        let _ = end(&mut pg, "ROLLBACK").await;
                    }
                    if last || !again {
                        return Err(error);
                    }
                }
            }
            drop(pg);
            pause = wait(pause).await;
        }
        Err(E::from(StoreError::Unavailable("the database kept breaking off".to_owned())))
    }
}

/// Ends the transaction; its connection goes back to the pool only when that worked.
async fn end(pg: &mut PgTx, how: &str) -> Result<(), NotEnded> {
    if pg.begin.is_some() && pg.queued.is_empty() {
        // Nothing was ever asked, so nothing was begun.
        drop(pg.client.take());
        return Ok(());
    }
    match pg.batch_with(how).await {
        Ok(()) => {
            drop(pg.client.take());
            Ok(())
        }
        // A statement before it failed, so the database answered the commit by undoing everything.
        Err((error, true)) => Err(NotEnded::Undone(error, pg.again)),
        Err((error, false)) if matches!(error, StoreError::Unavailable(_)) => Err(NotEnded::Unknown(error)),
        Err((error, false)) => Err(NotEnded::Undone(error, pg.again)),
    }
}

/// Waits a little longer each time, and not in step with the others.
async fn wait(pause: Duration) -> Duration {
    let jitter = uuid::Uuid::now_v7().as_u128() as u32 % 1_000;
    tokio::time::sleep(pause + pause * jitter / 1_000).await;
    (pause * 3).min(Duration::from_secs(1))
}
