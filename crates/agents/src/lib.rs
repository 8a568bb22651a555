//! Coding agents: starts one, gives it a prompt, and tells what it does in one type of event,
//! whichever agent it is.
//!
//! [`drive`] is the whole of it: it looks at the program's version, gives it a home of its own with
//! the login it needs and nothing else, runs it confined through [`exec::run`], keeps what it prints,
//! reads that line by line through the agent's adapter, and folds the events into one result
//! ([`model::agent::fold`]). There is a file for each adapter in [`adapter`]; they only say how a
//! program is started and what its lines mean, so they are pure and tested on transcripts.
//!
//! Two agents are no programs: the one that plays a script, and the builtin one, a loop of requests to a model
//! ([`provider`]) and tools.
//!
//! This crate never speaks to the store, knows no run kind, judges no change, and starts no process
//! but through `exec`.

pub mod adapter;
mod advertise;
mod agent;
mod beneath;
mod builtin;
mod clean;
mod declared;
mod drive;
mod lines;
mod login;
mod prepare;
mod probe;
pub mod provider;
mod record;
pub mod scripted;
mod session;
mod sink;
mod version;

pub use advertise::{advertise, unseen};
pub use agent::{Agent, DeclarationInvalid, Kind, Protocol};
pub use declared::{DECLARATIONS, declared, declared_in, declared_with, flagged};
pub use drive::{Driven, drive};
pub use probe::{Probe, Readiness, is_here, locate, probe};
pub use session::{Checks, Limits, Mode, Session};
pub use sink::{Ask, Boxed, Collected, Reply, Seen, Sink, SinkClosed};
pub use version::{Tested, Version};
