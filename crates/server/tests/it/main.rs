//! The server over a real engine and a real store: one file per group of endpoints.

#![expect(clippy::unwrap_used, reason = "what fails here is the test, and its backtrace says where")]

extern crate proofhouse_server as server;

mod access;
mod artifacts;
mod contract;
mod docs;
mod faults;
mod plane;
mod projects;
mod proof_check;
mod proof_evidence;
mod requirements;
mod runs;
mod socket;
mod streams;
mod waivers;
mod workers;
