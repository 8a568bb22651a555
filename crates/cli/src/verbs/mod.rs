//! One file per verb.

pub mod answer;
pub mod backup;
pub mod completion;
pub mod doctor;
pub mod init;
pub mod log;
pub mod policy;
pub mod project;
pub mod proof;
pub mod reference;
pub mod run;
pub mod serve;
pub mod token;
pub mod verify;
