//! The real binary on real data folders and real git repositories.

mod data_folder;
mod docs;
mod help;
mod house;
mod server;
mod usage;
