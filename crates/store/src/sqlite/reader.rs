//! Readers: a small pool of connections that cannot write, one snapshot per call.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures::future::BoxFuture;
use tokio::sync::Semaphore;

use super::{connect, writer::run_now};
use crate::{
    error::StoreError,
    tx::{Driver, Tx},
};

/// Connections that read at the same time.
pub const READERS: usize = 4;
/// How long a closing store waits for scripts that read.
pub const CLOSE_WAIT: Duration = Duration::from_secs(1);

/// The pool. Connections are made when first needed and kept.
#[derive(Clone)]
pub(crate) struct Readers {
    path: Arc<PathBuf>,
    places: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Tx>>>,
}

impl Readers {
    pub fn new(path: PathBuf) -> Self {
        Self { path: Arc::new(path), places: Arc::new(Semaphore::new(READERS)), idle: Arc::default() }
    }

    pub async fn read<F, T, E>(&self, script: F) -> Result<T, E>
    where
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let gone = |error: &dyn std::fmt::Display| E::from(StoreError::Unavailable(error.to_string()));
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|error| gone(&error))?;
        let pool = self.clone();
        let done = tokio::task::spawn_blocking(move || {
            let outcome = pool.read_now(&script);
            drop(place);
            outcome
        });
        done.await.map_err(|error| gone(&error))?
    }

    fn read_now<F, T, E>(&self, script: &F) -> Result<T, E>
    where
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>>,
        E: From<StoreError>,
    {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut tx = match idle {
            Some(tx) => tx,
            None => Tx::sqlite(connect(&self.path, false)?),
        };
        if let Driver::Sqlite(sqlite) = &mut tx.driver {
            sqlite.begin(false)?;
        }
        let outcome = run_now(script, &mut tx);
        if let Driver::Sqlite(sqlite) = &mut tx.driver {
            sqlite.roll_back();
        }
        if !self.places.is_closed() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(tx);
        }
        outcome
    }

    /// Refuses who comes, waits a bounded time for who reads, and ends the idle connections.
    pub async fn close(&self) {
        self.places.close();
        let until = Instant::now() + CLOSE_WAIT;
        while self.places.available_permits() < READERS && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        drop(idle);
    }
}
