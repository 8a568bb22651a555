//! The store itself: opened once, cloned freely.

use std::{path::PathBuf, sync::Arc};

use futures::future::BoxFuture;

use crate::{
    commit::{Committed, Hooks},
    error::StoreError,
    migrate,
    postgres::Postgres,
    sqlite::{self, reader::Readers, wal, writer::Writer},
    tx::Tx,
    url::StoreUrl,
};

/// A handle to the database; clones share it.
#[derive(Clone)]
pub struct Store {
    backend: Backend,
    hooks: Arc<Hooks>,
}

#[derive(Clone)]
pub(crate) enum Backend {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

#[derive(Clone)]
pub(crate) struct Sqlite {
    pub path: PathBuf,
    writer: Writer,
    readers: Readers,
}

impl Store {
    /// Opens the database, brings its schema up to this program's, and refuses a newer one.
    pub async fn open(url: StoreUrl) -> Result<Self, StoreError> {
        let hooks = Arc::new(Hooks::default());
        let backend = match url {
            StoreUrl::Sqlite(path) => {
                let file = path.clone();
                let tx = tokio::task::spawn_blocking(move || -> Result<Tx, StoreError> {
                    // SQLite would drop what stands behind a changed frame, and acknowledged entries with it.
                    let wal = wal::check(&file).map_err(|error| StoreError::Unavailable(error.to_string()))?;
                    if let Some(damage) = wal {
                        return Err(StoreError::DatabaseDamaged(damage.to_string()));
                    }
                    let mut tx = sqlite::connect(&file, true)?;
                    migrate::sqlite(tx.connection())?;
                    Ok(Tx::sqlite(tx))
                })
                .await
                .map_err(|error| StoreError::Internal(error.to_string()))??;
                let writer = Writer::start(tx, Arc::clone(&hooks))?;
                Backend::Sqlite(Sqlite { writer, readers: Readers::new(path.clone()), path })
            }
            StoreUrl::Postgres(url) => {
                let mut postgres = Postgres::new(&url, Arc::clone(&hooks))?;
                migrate::postgres(&postgres).await?;
                postgres.connect_replicas().await?;
                Backend::Postgres(postgres)
            }
        };
        Ok(Self { backend, hooks })
    }

    /// Runs a script in one transaction and answers after its commit was synced. An error undoes
    /// this script alone. The script may be run more than once, so it changes nothing but through
    /// the transaction, and awaits nothing else.
    pub async fn write<F, T, E>(&self, script: F) -> Result<T, E>
    where
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.writer.write(script).await,
            Backend::Postgres(postgres) => postgres.write(&script).await,
        }
    }

    /// Runs a script that only reads, on one consistent snapshot.
    pub async fn read<F, T, E>(&self, script: F) -> Result<T, E>
    where
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.readers.read(script).await,
            Backend::Postgres(postgres) => postgres.read(&script).await,
        }
    }

    /// Calls `hook` after each commit that woke anybody, with what it woke. The hook runs on the
    /// committing thread: it must only pass the word on.
    pub fn on_commit(&self, hook: impl Fn(&Committed) + Send + Sync + 'static) {
        self.hooks.on_commit(Arc::new(hook));
    }

    /// Calls `hook` once, when a failed sync has ended all writing: the process must exit non-zero.
    pub fn on_poison(&self, hook: impl Fn(&str) + Send + Sync + 'static) {
        self.hooks.on_poison(Arc::new(hook));
    }

    /// Waits for what is being written, then ends all connections and lets go of hooks; whoever reads
    /// or writes later is refused. A SQLite store leaves its file alone, without a write-ahead log.
    /// Hooks often hold a handle to the store themselves; without this neither would ever end.
    pub async fn close(&self) {
        let closed = match &self.backend {
            Backend::Sqlite(sqlite) => {
                sqlite.readers.close().await;
                sqlite.writer.close().await
            }
            Backend::Postgres(_) => self.write(|_| Box::pin(async { Ok::<_, StoreError>(()) })).await,
        };
        if let Err(error) = closed {
            tracing::warn!(%error, "the store was not closed cleanly; its next start mends that");
        }
        self.hooks.clear();
        if let Backend::Postgres(postgres) = &self.backend {
            postgres.close();
        }
    }

    /// `sqlite` or `postgres`.
    pub const fn kind(&self) -> &'static str {
        match self.backend {
            Backend::Sqlite(_) => "sqlite",
            Backend::Postgres(_) => "postgres",
        }
    }

    pub(crate) const fn backend(&self) -> &Backend {
        &self.backend
    }

    /// Whether the database answers now.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.read(|tx| Box::pin(async move { tx.schema_version().await.map(drop) })).await
    }
}
