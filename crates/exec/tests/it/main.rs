//! Real processes, real repositories, the real kernel.
#![expect(clippy::unwrap_used, reason = "a test ends where its ground gives way")]

mod applied;
mod branches;
mod checkouts;
mod ends;
mod fence;
mod hostile;
mod input;
mod observed;
mod oddities;
mod output;
mod repositories;
mod repository;
mod scripted;
mod toolchains;
