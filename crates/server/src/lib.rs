//! HTTP: one file per resource, streams, auth, OpenAPI.
//!
//! A handler is a shape, a permission, one call to the engine and an answer. Nothing is decided here:
//! what a run may do, what a verdict is and what is stored is the engine's business. It never speaks
//! SQL and never spawns a process.
//!
//! Start at [`build`] for the router, at [`serve`] for the socket, at [`auth`] for who may do what,
//! at [`stream`] for how a reader follows a journal, and at [`api`] for the resources.

pub mod api;
mod app;
pub mod auth;
mod config;
mod extract;
mod limits;
pub mod metrics;
mod middleware;
mod openapi;
mod page;
mod problem;
mod router;
mod serve;
mod snapshot;
pub mod stream;

pub use self::{
    config::ServerConfig,
    page::Page,
    problem::{ProblemDocument, REQUEST_ID},
    router::{Plane, build, document},
    serve::{Peer, ServeLimits, serve, serve_with},
};
