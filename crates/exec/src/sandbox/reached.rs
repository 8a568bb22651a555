//! What of a sandbox can be had on this machine, found out by having one.

use std::{collections::BTreeMap, path::Path, time::Duration};

use super::{FileRules, Files, Network, SandboxPlan};
use crate::run::{Command, run};

/// Whether a process can be fenced in to files here, as an agent is: by starting one that is. Nothing is known of
/// that from versions alone, as containers forbid what a kernel has.
pub async fn can_fence(folder: &Path) -> bool {
    let rules = FileRules { writable: vec![folder.to_owned()], ..FileRules::default() };
    let mut command = Command::new(["true"], folder);
    command.env = BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]);
    command.timeout = Duration::from_secs(10);
    command.sandbox = SandboxPlan { files: Some(rules), network: Network::Open, required: false };
    run(command).await.sandbox.files == Files::Enforced
}
