//! The run kind `proof`: requirements x gates -> evidence.
//!
//! A run binds itself to a tree, plans distinct commands for its gates ([`runners`]), runs them, judges
//! each gate when the last command it needs has ended ([`planner`]), and takes the tree again at the
//! end. What a requirement is worth afterwards is never stored: it follows from the evidence
//! (`model::proof::standing`).

pub mod evidence;
pub mod gates;
pub mod listing;
pub mod planner;
pub mod requirements;
pub mod results;
pub mod runners;
pub mod state;
pub mod stubs;
pub mod surroundings;
pub mod waivers;
pub mod worth;
