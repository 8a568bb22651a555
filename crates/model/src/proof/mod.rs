//! Proof: requirements, gates, evidence, and what they are worth together.
//!
//! Start at [`requirement`] for what is owed, at [`gate`] for how it is looked at, at [`judge`] for how
//! ended commands become a verdict, and at [`standing`] for what a requirement is worth on a tree.
//! [`check`] is the merge gate. Nothing here runs, reads or stores anything.

pub mod capture;
pub mod change;
pub mod check;
pub mod classify;
pub mod config;
pub mod evidence;
pub mod exits;
pub mod form;
pub mod gate;
pub mod judge;
pub mod naming;
pub mod places;
pub mod requirement;
pub mod results;
pub mod review;
pub mod run;
pub mod scope;
pub mod selection;
pub mod settings;
pub mod standing;
pub mod stub;
pub mod tree;
pub mod verdict;
pub mod waiver;
mod words;
