//! The agent inside the binary: it plays a script, always the same way (S80, X51). For tests, and for
//! a first look at the plane before an agent is signed in. What it does is said to be simulated.

mod play;
mod script;

pub(crate) use play::play;
pub use script::{Call, Do, Reply, Script, ScriptInvalid};
