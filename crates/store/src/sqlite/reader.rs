//! Readers: a small pool of connections that cannot write, one snapshot per call.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
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
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(tx);
        outcome
    }
}
