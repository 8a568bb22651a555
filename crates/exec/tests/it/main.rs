//! Real processes, real repositories, the real kernel.
#![expect(clippy::unwrap_used, reason = "a test ends where its ground gives way")]

mod ends;
mod fence;
mod output;
mod scripted;
