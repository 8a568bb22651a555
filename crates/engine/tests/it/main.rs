//! What the engine does with the world: real toolchains, real folders, what real tools wrote.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up its world has failed")]

mod proof_toolchains;
mod requirements;
mod results;
