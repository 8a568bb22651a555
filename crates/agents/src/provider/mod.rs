//! Models, asked over HTTP: one neutral request and reply ([`talk`]), a shape on the wire for each kind of provider
//! ([`wire`]), and one loop that asks again where that makes sense ([`call`], X14).
//!
//! Keys come from the environment or a file of their owner's alone, travel in headers, and are in nothing that is
//! printed or stored (S85). Calls are made by the plane's own process and never by a remote worker (X63).

mod call;
mod check;
mod http;
mod key;
mod place;
mod sse;
pub mod talk;
mod wire;

pub use call::{Client, Heard, Listener, Overdue};
pub use check::check;
pub use key::{KeyRefused, Secret, key_of};
pub use place::{PROVIDERS, configuration_in};
