//! The server over a real engine and a real store: one file per group of endpoints.

extern crate proofhouse_server as server;

mod access;
mod docs;
mod plane;
mod runs;
