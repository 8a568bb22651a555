//! The proof run kind.
//!
//! [`results`] reads what commands wrote about their tests, pure over bytes; [`stubs`] renders the tests
//! that a requirement asks for. Neither starts anything; only [`stubs::write`] touches files.

pub mod results;
pub mod stubs;
