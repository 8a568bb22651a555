//! A throw-away plane and a scripted child program, for tests and benchmarks only.
//!
//! Nothing here is in the product's binary.

pub mod probe;
