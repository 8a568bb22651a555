//! The real binary on real data folders and real git repositories.

#![expect(clippy::unwrap_used, reason = "a test ends where its ground gives way")]

mod data_folder;
mod docs;
mod help;
mod house;
mod proof;
mod repositories;
mod server;
mod usage;
mod watch;
