//! What the engine does with the world: real toolchains, real folders.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up its world has failed")]

mod proof_toolchains;
