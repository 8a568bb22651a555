//! Going into the sandbox, in the child between fork and exec.
//!
//! Only system calls on what was prepared before: no allocation, no lock, no formatting.

use std::os::fd::AsRawFd as _;

use super::Prepared;

/// Which parts of a plan were reached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Achieved(pub(crate) u8);

impl Achieved {
    pub(crate) const FILES: u8 = 1;
    pub(crate) const MOUNTS: u8 = 2;
    pub(crate) const NETWORK: u8 = 4;
    pub(crate) const NO_TCP: u8 = 8;

    pub(crate) fn has(self, part: u8) -> bool {
        self.0 & part == part
    }
}

/// Where it was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Step {
    Namespaces = 1,
    Mounts = 2,
    Loopback = 3,
    NoNewPrivileges = 4,
    Landlock = 5,
}

impl Step {
    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
        [Self::Namespaces, Self::Mounts, Self::Loopback, Self::NoNewPrivileges, Self::Landlock]
            .into_iter()
            .find(|step| *step as u8 == byte)
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Namespaces => "make its namespaces",
            Self::Mounts => "protect the repository's .git",
            Self::Loopback => "raise its loopback",
            Self::NoNewPrivileges => "give up gaining privileges",
            Self::Landlock => "fence its files",
        }
    }
}

fn errno() -> i32 {
    // SAFETY: the location is this thread's own and always valid.
    unsafe { *libc::__errno_location() }
}

/// Goes in, as far as it goes; an error only where the plan is required and is not met.
///
/// # Safety
/// To be called in a forked child that will exec or exit: it changes namespaces, mounts and
/// rights of the calling process for good.
pub(crate) unsafe fn enter(plan: &Prepared) -> Result<Achieved, (Step, i32)> {
    let mut achieved = 0;
    // SAFETY: forwarded from the caller; every pointer is to prepared memory that outlives this.
    unsafe {
        if libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 && plan.required {
            return Err((Step::NoNewPrivileges, errno()));
        }
        let mut wanted = 0;
        if plan.wants_no_network {
            wanted |= libc::CLONE_NEWNET;
        }
        if !plan.binds.is_empty() {
            wanted |= libc::CLONE_NEWNS;
        }
        if wanted != 0 {
            match make_namespaces(plan, wanted) {
                Ok(()) => {
                    if wanted & libc::CLONE_NEWNET != 0 {
                        match raise_loopback() {
                            Ok(()) => achieved |= Achieved::NETWORK,
                            // Without a loopback it is off all the same, only tests may notice.
                            Err(error) if plan.required => return Err((Step::Loopback, error)),
                            Err(_) => achieved |= Achieved::NETWORK,
                        }
                    }
                    if wanted & libc::CLONE_NEWNS != 0 {
                        match mount_all(plan) {
                            Ok(()) => achieved |= Achieved::MOUNTS,
                            Err(error) if plan.required => return Err((Step::Mounts, error)),
                            Err(_) => {}
                        }
                    }
                }
                Err(error) if plan.required => return Err((Step::Namespaces, error)),
                Err(_) => {}
            }
        }
        if plan.wants_files {
            drop_capabilities();
        }
        if let Some(rules) = &plan.files {
            match restrict(rules.as_raw_fd()) {
                Ok(()) => achieved |= Achieved::FILES,
                Err(error) if plan.required => return Err((Step::Landlock, error)),
                Err(_) => {}
            }
        } else if plan.wants_files && plan.required {
            return Err((Step::Landlock, libc::ENOSYS));
        }
        if plan.wants_no_network
            && achieved & Achieved::NETWORK == 0
            && let Some(rules) = &plan.no_tcp
            && restrict(rules.as_raw_fd()).is_ok()
        {
            achieved |= Achieved::NO_TCP;
        }
    }
    Ok(Achieved(achieved))
}

/// What root keeps in the sandbox: what it takes to own, install and serve files, and to act as
/// other users. Not to look into other processes, whom file rules do not concern.
const KEPT: &[libc::c_int] = &[0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 18, 31]; // chown .. setpcap, net_bind_service, sys_chroot, setfcap

unsafe fn drop_capabilities() {
    for capability in 0..64 {
        if !KEPT.contains(&capability) {
            // SAFETY: takes a right from this process; those who have none to drop are refused.
            unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability as libc::c_ulong, 0, 0, 0) };
        }
    }
}

unsafe fn restrict(rules: libc::c_int) -> Result<(), i32> {
    // SAFETY: a plain system call on a descriptor that is open.
    match unsafe { libc::syscall(libc::SYS_landlock_restrict_self, rules, 0) } {
        0 => Ok(()),
        _ => Err(errno()),
    }
}

unsafe fn make_namespaces(plan: &Prepared, wanted: libc::c_int) -> Result<(), i32> {
    // SAFETY: as for `enter`.
    unsafe {
        if plan.is_root && libc::unshare(wanted) == 0 {
            return Ok(());
        }
        if libc::unshare(wanted | libc::CLONE_NEWUSER) != 0 {
            return Err(errno());
        }
        // A group map is only taken once `setgroups` is given up.
        let _ = write_file(c"/proc/self/setgroups", b"deny");
        write_file(c"/proc/self/uid_map", &plan.uid_map)?;
        write_file(c"/proc/self/gid_map", &plan.gid_map)
    }
}

/// Writes a file in one call.
///
/// # Safety
/// As for [`enter`].
pub(crate) unsafe fn write_file(path: &std::ffi::CStr, bytes: &[u8]) -> Result<(), i32> {
    // SAFETY: the path is NUL-terminated, the buffer is valid for its length.
    unsafe {
        let file = libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
        if file < 0 {
            return Err(errno());
        }
        let written = libc::write(file, bytes.as_ptr().cast(), bytes.len());
        let error = errno();
        libc::close(file);
        if usize::try_from(written) == Ok(bytes.len()) { Ok(()) } else { Err(error) }
    }
}

unsafe fn mount_all(plan: &Prepared) -> Result<(), i32> {
    let none = std::ptr::null();
    // SAFETY: paths are NUL-terminated and outlive the calls; the other pointers may be null.
    unsafe {
        if libc::mount(none, c"/".as_ptr(), none, libc::MS_REC | libc::MS_PRIVATE, none.cast()) != 0 {
            return Err(errno());
        }
        for bind in &plan.binds {
            let flags = libc::MS_BIND | libc::MS_REC;
            let mut done = libc::mount(bind.source.as_ptr(), bind.target.as_ptr(), none, flags, none.cast()) == 0;
            if let (true, Some(kept)) = (done, bind.read_only) {
                let flags = libc::MS_BIND | libc::MS_REMOUNT | libc::MS_RDONLY | kept;
                done = libc::mount(none, bind.target.as_ptr(), none, flags, none.cast()) == 0;
            }
            if !done && bind.essential {
                return Err(errno());
            }
        }
    }
    Ok(())
}

unsafe fn raise_loopback() -> Result<(), i32> {
    // SAFETY: an all-zero ifreq is valid; the name fits with its NUL; the socket is ours.
    unsafe {
        let socket = libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
        if socket < 0 {
            return Err(errno());
        }
        let mut request: libc::ifreq = std::mem::zeroed();
        request.ifr_name[0] = b'l' as libc::c_char;
        request.ifr_name[1] = b'o' as libc::c_char;
        let mut answer = libc::ioctl(socket, libc::SIOCGIFFLAGS as _, &raw mut request);
        if answer == 0 {
            request.ifr_ifru.ifru_flags |= (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
            answer = libc::ioctl(socket, libc::SIOCSIFFLAGS as _, &raw mut request);
        }
        let error = errno();
        libc::close(socket);
        if answer == 0 { Ok(()) } else { Err(error) }
    }
}
