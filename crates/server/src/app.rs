//! What every handler shares.

use std::{ops::Deref, sync::Arc};

use engine::Engine;

use crate::{auth::Auth, config::ServerConfig, metrics::Metrics, middleware::RequestIds, stream::StreamPlaces};

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
    /// The OpenAPI document, rendered once.
    pub openapi: bytes::Bytes,
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
