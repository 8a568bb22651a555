//! All that starting a command takes, and the start itself: a warden, and the program below it.
//!
//! It can be told to another process (see [`super::spawner`]), so it is data and descriptors only.

use std::{
    collections::BTreeMap,
    io,
    os::{
        fd::{AsRawFd as _, OwnedFd},
        unix::process::CommandExt as _,
    },
    path::PathBuf,
    process,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{
    child::{Resource, Setup},
    warden,
};
use crate::sandbox::Prepared;

/// How often a program that is being written is tried again (`ETXTBSY`).
const BUSY_TRIES: u32 = 5;

/// A command, checked and made ready.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Launch {
    /// The program and its arguments; not empty.
    pub(super) argv: Vec<String>,
    pub(super) cwd: PathBuf,
    pub(super) env: BTreeMap<String, String>,
    pub(super) warden: warden::Brief,
    pub(super) limits: Vec<(Resource, u64)>,
    /// Without its descriptors, which are among the ends on the way.
    pub(super) sandbox: Prepared,
}

/// The ends of pipes that warden and program get.
#[derive(Debug)]
pub(super) struct Ends {
    /// None: the end of file, at once.
    pub(super) stdin: Option<OwnedFd>,
    pub(super) stdout: OwnedFd,
    pub(super) stderr: OwnedFd,
    /// The warden hears the server here.
    pub(super) control: OwnedFd,
    /// The warden reports here.
    pub(super) status: OwnedFd,
}

impl Launch {
    /// Forks warden and program. Comes back once the program was executed, or with why not. The ends are closed in
    /// this process then, or the end of the output would never be seen.
    pub(super) fn start(self, ends: Ends) -> io::Result<process::Child> {
        let setup = Setup {
            control: ends.control.as_raw_fd(),
            status: ends.status.as_raw_fd(),
            warden: self.warden,
            sandbox: self.sandbox,
            limits: self.limits,
        };
        let Some((program, arguments)) = self.argv.split_first() else {
            return Err(io::Error::from_raw_os_error(libc::ENOENT));
        };
        let mut child = process::Command::new(program);
        child.args(arguments).current_dir(&self.cwd).env_clear().envs(&self.env);
        child.stdin(ends.stdin.map_or_else(process::Stdio::null, process::Stdio::from));
        child.stdout(ends.stdout).stderr(ends.stderr);
        // SAFETY: `split` makes system calls only, on memory that was made before the fork.
        unsafe { child.pre_exec(move || setup.split()) };
        let mut tries = 0;
        loop {
            match child.spawn() {
                Err(error) if error.raw_os_error() == Some(libc::ETXTBSY) && tries < BUSY_TRIES => {
                    tries += 1;
                    std::thread::sleep(Duration::from_millis(10 << tries));
                }
                started => return started,
            }
        }
    }
}
