//! What every handler shares.

use std::{ops::Deref, sync::Arc};

use engine::Engine;
use tokio::sync::Semaphore;

use crate::{
    api::Checked, auth::Auth, config::ServerConfig, limits, metrics::Metrics, middleware::RequestIds,
    stream::StreamPlaces,
};

/// The server's state. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Inner>);

/// What is behind an [`App`].
pub struct Inner {
    /// The plane itself.
    pub engine: Engine,
    /// What the server was told at its start.
    pub config: ServerConfig,
    /// Who may call.
    pub auth: Auth,
    /// The figures.
    pub metrics: Arc<Metrics>,
    /// The open streams.
    pub places: StreamPlaces,
    /// Correlation ids.
    pub request_ids: RequestIds,
    /// Kept bytes that were found sound a moment ago.
    pub checked: Checked,
    /// Places for backups, and for checks of what is stored.
    pub whole_store: WholeStore,
    /// The OpenAPI document, rendered once.
    pub openapi: bytes::Bytes,
}

/// Places for what reads all that is stored.
pub struct WholeStore {
    /// Backups.
    pub backup: Semaphore,
    /// Checks.
    pub verify: Semaphore,
    /// Checks of one chain: short, so that who comes later waits.
    pub chain: Semaphore,
}

impl Default for WholeStore {
    fn default() -> Self {
        Self {
            backup: Semaphore::new(limits::WHOLE_STORE),
            verify: Semaphore::new(limits::WHOLE_STORE),
            chain: Semaphore::new(limits::CHAINS),
        }
    }
}

impl App {
    /// Puts the parts together.
    pub fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }
}

impl Deref for App {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}
