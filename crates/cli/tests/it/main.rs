//! The real binary on real data folders and real git repositories.

#![expect(clippy::unwrap_used, reason = "a test ends where its ground gives way")]

mod agents;
mod bad_input;
mod cut_short;
mod data_folder;
mod docs;
mod help;
mod house;
mod issue;
mod merge;
mod preparation;
mod proof;
mod providers;
mod repositories;
mod reviews;
mod server;
mod usage;
mod verbs;
mod watch;
