//! What the child does between fork and exec: splits off the warden, takes its limits, goes into
//! the sandbox. System calls only.

use std::{io, os::fd::RawFd};

use serde::{Deserialize, Serialize};

use super::{Limits, warden};
use crate::sandbox::{Prepared, enter, write_file};

/// How far beyond its own limit a tree may push the user's process count before the kernel steps
/// in. The warden counts the tree itself; this holds where it is too slow.
const PROCESS_MARGIN: u64 = 4_096;

/// A message on the status pipe from the child, before it becomes the program.
pub(super) const TAG_READY: u8 = b'S';
/// The sandbox that is required could not be entered.
pub(super) const TAG_REFUSED: u8 = b'F';
/// Length of both.
pub(super) const MESSAGE: usize = 8;

/// All that the child needs, made ready before the fork.
pub(super) struct Setup {
    /// Read end: the server speaks to the warden, or is gone.
    pub(super) control: RawFd,
    /// Write end: the warden's record goes here, and before it what the child says.
    pub(super) status: RawFd,
    pub(super) warden: warden::Brief,
    pub(super) sandbox: Prepared,
    pub(super) limits: Vec<(Resource, u64)>,
}

/// Which kernel limit. The type of the constants differs between C libraries.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) enum Resource {
    AddressSpace,
    FileSize,
    OpenFiles,
    Cpu,
    Processes,
    Core,
}

/// The kernel's part of the limits.
pub(super) fn resources(limits: &Limits) -> Vec<(Resource, u64)> {
    let mut list = vec![(Resource::Core, 0)];
    list.extend(limits.address_space.map(|bytes| (Resource::AddressSpace, bytes)));
    list.extend(limits.file_size.map(|bytes| (Resource::FileSize, bytes)));
    list.extend(limits.open_files.map(|count| (Resource::OpenFiles, count)));
    list.extend(limits.cpu.map(|time| (Resource::Cpu, time.as_secs().max(1))));
    list.extend(limits.processes.map(|count| (Resource::Processes, u64::from(count) + PROCESS_MARGIN)));
    list
}

impl Setup {
    /// Runs in the forked child, as `pre_exec` has it. In the process that std knows it does not
    /// return; its own child returns and goes on to exec.
    ///
    /// # Safety
    /// Only in a forked child.
    pub(super) unsafe fn split(&self) -> io::Result<()> {
        // SAFETY: only async-signal-safe calls, on memory that was made before the fork.
        unsafe {
            // Adopt what will lose its parent. Not inherited, so it has to stand before the fork.
            if libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0 {
                return Err(io::Error::last_os_error());
            }
            libc::setsid();
            match libc::fork() {
                -1 => Err(io::Error::last_os_error()),
                0 => self.become_program(),
                child => warden::watch(child, self.control, self.status, &self.warden),
            }
        }
    }

    unsafe fn become_program(&self) -> io::Result<()> {
        // SAFETY: as for `split`.
        unsafe {
            libc::setsid();
            // Whatever some library forgot to mark must not reach the program.
            libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 4 /* CLOSE_RANGE_CLOEXEC */);
            // The server's allocator asks for small pages, which is inherited; its children have the
            // machine's setting.
            libc::prctl(libc::PR_SET_THP_DISABLE, 0, 0, 0, 0);
            // Should memory run out, the program goes before the server does.
            let _ = write_file(c"/proc/self/oom_score_adj", b"500");
            for (resource, value) in &self.limits {
                set_limit(*resource, *value)?;
            }
            match enter(&self.sandbox) {
                Ok(achieved) => {
                    self.tell([TAG_READY, achieved.0, 0, 0, 0, 0, 0, 0]);
                    Ok(())
                }
                Err((step, errno)) => {
                    let [a, b, c, d] = errno.to_ne_bytes();
                    self.tell([TAG_REFUSED, step as u8, 0, 0, a, b, c, d]);
                    Err(io::Error::from_raw_os_error(libc::EPERM))
                }
            }
        }
    }

    unsafe fn tell(&self, message: [u8; MESSAGE]) {
        // SAFETY: the descriptor is open in the child until exec. Eight bytes go in one piece.
        unsafe { libc::write(self.status, message.as_ptr().cast(), message.len()) };
    }
}

unsafe fn set_limit(resource: Resource, value: u64) -> io::Result<()> {
    let name = match resource {
        Resource::AddressSpace => libc::RLIMIT_AS,
        Resource::FileSize => libc::RLIMIT_FSIZE,
        Resource::OpenFiles => libc::RLIMIT_NOFILE,
        Resource::Cpu => libc::RLIMIT_CPU,
        Resource::Processes => libc::RLIMIT_NPROC,
        Resource::Core => libc::RLIMIT_CORE,
    };
    // SAFETY: the struct is valid for the calls, which touch this process only.
    unsafe {
        let mut limit: libc::rlimit = std::mem::zeroed();
        if libc::getrlimit(name, &raw mut limit) != 0 {
            return Err(io::Error::last_os_error());
        }
        // What already is lower stays: raising needs rights the server may not have.
        // Processor time ends with a signal of its own first, so that the cause can be told.
        let margin = u64::from(matches!(resource, Resource::Cpu));
        limit.rlim_max = limit.rlim_max.min(value + margin);
        limit.rlim_cur = limit.rlim_max.min(value);
        if libc::setrlimit(name, &raw const limit) != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}
