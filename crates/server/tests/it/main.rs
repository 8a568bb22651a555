//! The server over a real engine and a real store: one file per group of endpoints.

#![expect(clippy::unwrap_used, reason = "what fails here is the test, and its backtrace says where")]

extern crate proofhouse_server as server;

mod access;
mod artifacts;
mod backups;
mod board;
mod contract;
mod docs;
mod entries;
mod faults;
mod issue;
mod issue_comments;
mod issue_lineage;
mod issues;
mod issues_batch;
mod ledger;
mod listing;
mod page;
mod pairing;
mod plane;
mod projects;
mod proof_check;
mod proof_evidence;
mod providers;
mod questions;
mod requirements;
mod runs;
mod socket;
mod streams;
mod verify;
mod waivers;
mod workers;
