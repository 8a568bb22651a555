//! The proof run kind.
//!
//! [`results`] reads what commands wrote about their tests. It is pure over bytes and starts nothing.

pub mod results;
