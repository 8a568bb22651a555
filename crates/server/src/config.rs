//! What the server is told at its start.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use crate::page::Page;

/// Settings of the HTTP side. The defaults suit one person on one machine.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// The address that is listened on; none when the router is called in process.
    pub bound: Option<SocketAddr>,
    /// Host names, beside loopback and the bound address, under which the server may be called.
    pub allowed_hosts: Vec<String>,
    /// Marks cookies `Secure`: set it when a proxy in front speaks HTTPS.
    pub secure_cookies: bool,
    /// Below which folder an admin may put backups; `backups` in the data folder when absent. The owner
    /// of the data folder may put them anywhere.
    pub backups: Option<PathBuf>,
    /// Streams that one caller may hold open.
    pub streams_per_caller: usize,
    /// How often a silent stream sends a comment.
    pub stream_heartbeat: Duration,
    /// How long a request may take, streams and long polls apart.
    pub request: Duration,
    /// The web page.
    pub page: Page,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            bound: None,
            allowed_hosts: Vec::new(),
            secure_cookies: false,
            backups: None,
            streams_per_caller: model::limits::STREAMS_PER_CALLER,
            stream_heartbeat: model::limits::STREAM_HEARTBEAT,
            request: model::limits::REQUEST,
            page: Page::default(),
        }
    }
}
