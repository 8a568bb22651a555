//! One file per verb.

pub mod agent;
pub mod answer;
pub mod backup;
pub mod completion;
pub mod dispatch;
pub mod doctor;
pub mod init;
pub mod issue;
pub mod ledger;
pub mod log;
pub mod policy;
pub mod project;
pub mod proof;
pub mod provider;
pub mod reference;
pub mod role;
pub mod run;
pub mod run_parts;
pub mod serve;
pub mod token;
pub mod verify;
pub mod worker;
