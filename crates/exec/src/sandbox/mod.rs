//! What a process may touch: one builder for agents, gates and tools (X20).
//!
//! Files are fenced by Landlock, which needs no privilege; the network is taken away by a network
//! namespace with nothing but a loopback in it; a repository's own `.git` is made read-only by a
//! mount namespace. Each of these may be missing on a machine. Then the command runs without it
//! and its [`SandboxReport`] says so (K8), or, where the plan says `required`, does not run.
//!
//! A fence of files also keeps the process from signalling, tracing, or reading the memory and
//! environment of anything outside, the server and its warden first of all. It does not stop a
//! process from talking to a local service through a socket file whose permissions let it.

mod enter;
mod reached;
mod rules;

use std::{
    ffi::CString,
    io,
    os::{
        fd::{AsFd as _, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

pub use reached::can_fence;

pub(crate) use enter::{Achieved, Step, enter, write_file};

/// What to confine, and how much of it has to work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxPlan {
    /// Which files; `None` = all that the user may.
    pub files: Option<FileRules>,
    /// Which network.
    pub network: Network,
    /// Refuse to start where the plan cannot be met in full.
    pub required: bool,
}

impl SandboxPlan {
    /// No confinement at all, for the plane's own tools.
    pub const fn none() -> Self {
        Self { files: None, network: Network::Open, required: false }
    }
}

/// The folders that a run has to itself. All of them exist before a command starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolders {
    /// HOME.
    pub home: PathBuf,
    /// TMPDIR, and what stands in for `/tmp` and `/dev/shm`.
    pub tmp: PathBuf,
    /// Caches and environments of toolchains.
    pub scratch: PathBuf,
    /// Where a command leaves its results; fresh for each command.
    pub out: PathBuf,
}

impl RunFolders {
    /// The folders below one folder of the run, made where they are missing.
    pub fn make(run: &Path) -> io::Result<Self> {
        let folders =
            Self { home: run.join("home"), tmp: run.join("tmp"), scratch: run.join("scratch"), out: run.join("out") };
        for folder in [&folders.home, &folders.tmp, &folders.scratch, &folders.out] {
            std::fs::create_dir_all(folder)?;
        }
        Ok(folders)
    }
}

impl SandboxPlan {
    /// The plan for a command that works in a worktree: it may write there and in the folders of
    /// its run, read everything but what is hidden (the plane's data, [`credential_stores`]), and
    /// not touch the repository's git directories, which for a checkout of a person lie inside
    /// the worktree.
    pub fn in_worktree(worktree: &Path, git_dirs: &[PathBuf], run: &RunFolders, hidden: Vec<PathBuf>) -> Self {
        let own = [&run.home, &run.tmp, &run.scratch, &run.out].map(Clone::clone);
        Self {
            files: Some(FileRules {
                writable: own.into_iter().chain([worktree.to_owned()]).collect(),
                // Those outside what is writable need no protection.
                read_only: git_dirs.iter().filter(|dir| dir.starts_with(worktree)).cloned().collect(),
                hidden,
                // A worktree of the plane has its git directory beside it, in the plane's data.
                readable: git_dirs.to_vec(),
                private_tmp: Some(run.tmp.clone()),
            }),
            network: Network::Off,
            required: false,
        }
    }
}

/// Where programs keep the credentials of the person who runs the server, below their home. No
/// gate and no agent needs them; what an agent's own sign-in needs is granted by name.
pub fn credential_stores(home: &Path) -> Vec<PathBuf> {
    const STORES: &[&str] = &[
        ".ssh",
        ".aws",
        ".azure",
        ".gnupg",
        ".kube",
        ".docker/config.json",
        ".netrc",
        ".git-credentials",
        ".config/gh",
        ".config/gcloud",
        ".config/git/credentials",
        ".cargo/credentials.toml",
        ".npmrc",
        ".pypirc",
        ".password-store",
        ".vault-token",
        ".claude/.credentials.json",
        ".codex/auth.json",
        ".local/share/opencode/auth.json",
        ".pi/agent/auth.json",
    ];
    STORES.iter().map(|store| home.join(store)).filter(|store| store.exists()).collect()
}

/// Which files a process may use. Whatever is not hidden can be read and executed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileRules {
    /// Folders and files it may change.
    pub writable: Vec<PathBuf>,
    /// Parts of the writable ones that it may not change: the `.git` of a checkout.
    pub read_only: Vec<PathBuf>,
    /// Folders it may not read: the plane's own data. What [`Self::writable`] and
    /// [`Self::readable`] name inside them is still theirs.
    pub hidden: Vec<PathBuf>,
    /// Exceptions to [`Self::hidden`].
    pub readable: Vec<PathBuf>,
    /// An empty folder of the run that takes the place of `/dev/shm`, and of `/tmp` unless
    /// something that is granted lies there.
    pub private_tmp: Option<PathBuf>,
}

/// Which network a process has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    /// None but a loopback of its own.
    Off,
    /// That of the machine.
    Open,
}

/// Whether files were fenced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Files {
    /// As planned.
    Enforced,
    /// Not, or not in full.
    None,
}

/// By what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// bubblewrap.
    Bwrap,
    /// Landlock and namespaces.
    Landlock,
    /// Nothing.
    None,
}

/// How a process was confined, in truth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SandboxReport {
    /// Its files.
    pub files: Files,
    /// Its network.
    pub network: Network,
    /// By what.
    pub by: By,
    /// What was planned and could not be had, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}

impl SandboxReport {
    /// Nothing was confined.
    pub const fn none() -> Self {
        Self { files: Files::None, network: Network::Open, by: By::None, missing: Vec::new() }
    }
}

/// A plan made ready: everything that needs memory or can fail slowly is done before the fork.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Prepared {
    /// The file rules; none where the kernel has no Landlock, or none were asked for.
    #[serde(skip)]
    files: Option<OwnedFd>,
    /// Rules that deny TCP, for where there are no network namespaces.
    #[serde(skip)]
    no_tcp: Option<OwnedFd>,
    wants_files: bool,
    wants_no_network: bool,
    required: bool,
    /// Folders to mount over others: source, target, and the flags to remount read-only with.
    binds: Vec<Bind>,
    /// Lines for `/proc/self/uid_map` and `gid_map`, should a user namespace be needed.
    uid_map: Vec<u8>,
    gid_map: Vec<u8>,
    is_root: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct Bind {
    source: CString,
    target: CString,
    read_only: Option<libc::c_ulong>,
    /// The plan is not met without it.
    essential: bool,
}

impl Prepared {
    /// Makes a plan ready.
    pub(crate) fn new(plan: &SandboxPlan) -> io::Result<Self> {
        // SAFETY: these calls only read the ids of this process.
        let (uid, gid) = unsafe { (libc::geteuid(), libc::getegid()) };
        let mut prepared = Self {
            files: None,
            no_tcp: None,
            wants_files: plan.files.is_some(),
            wants_no_network: plan.network == Network::Off,
            required: plan.required,
            binds: Vec::new(),
            uid_map: format!("{uid} {uid} 1\n").into_bytes(),
            gid_map: format!("{gid} {gid} 1\n").into_bytes(),
            is_root: uid == 0,
        };
        if let Some(files) = &plan.files {
            prepared.files = rules::files(files)?;
            prepared.binds = binds(files)?;
        }
        if prepared.wants_no_network {
            prepared.no_tcp = rules::no_tcp();
        }
        Ok(prepared)
    }

    /// What it asks for.
    pub(crate) fn wanted(&self) -> Wanted {
        Wanted {
            files: self.wants_files,
            no_network: self.wants_no_network,
            mounts: self.binds.iter().any(|bind| bind.essential),
        }
    }

    /// Its descriptors: the file rules, and those that deny TCP.
    pub(crate) fn rules(&self) -> (Option<BorrowedFd<'_>>, Option<BorrowedFd<'_>>) {
        (self.files.as_ref().map(|rules| rules.as_fd()), self.no_tcp.as_ref().map(|rules| rules.as_fd()))
    }

    /// Puts back [`Prepared::rules`] in a process that it was told to.
    pub(crate) fn set_rules(&mut self, files: Option<OwnedFd>, no_tcp: Option<OwnedFd>) {
        (self.files, self.no_tcp) = (files, no_tcp);
    }
}

/// What a plan asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    files: bool,
    no_network: bool,
    /// Folders have to be mounted over others.
    mounts: bool,
}

impl Wanted {
    /// What was reached of it.
    pub(crate) fn report(self, achieved: Achieved) -> SandboxReport {
        let mut missing = Vec::new();
        if self.files && !achieved.has(Achieved::FILES) {
            missing.push("files are not fenced: this kernel has no Landlock".to_owned());
        }
        if self.mounts && !achieved.has(Achieved::MOUNTS) {
            missing.push("the repository's .git is not protected: no mount namespace can be made here".to_owned());
        }
        if self.no_network && !achieved.has(Achieved::NETWORK) {
            missing.push(if achieved.has(Achieved::NO_TCP) {
                "the network is open but for TCP: no network namespace can be made here".to_owned()
            } else {
                "the network is open: no network namespace can be made here".to_owned()
            });
        }
        let files_met = self.files && achieved.has(Achieved::FILES) && (!self.mounts || achieved.has(Achieved::MOUNTS));
        let network_met = self.no_network && achieved.has(Achieved::NETWORK);
        SandboxReport {
            files: if files_met { Files::Enforced } else { Files::None },
            network: if network_met { Network::Off } else { Network::Open },
            by: if achieved.has(Achieved::FILES) || network_met { By::Landlock } else { By::None },
            missing,
        }
    }
}

fn binds(files: &FileRules) -> io::Result<Vec<Bind>> {
    let mut binds = Vec::new();
    if let Some(private) = &files.private_tmp {
        let shm = Path::new("/dev/shm");
        if shm.is_dir() {
            binds.push(bind(private, shm, None, false)?);
        }
        let tmp = Path::new("/tmp");
        let granted = files.writable.iter().chain(&files.readable).chain([private]);
        let mut granted = granted.map(|path| path.canonicalize().unwrap_or_else(|_| path.clone()));
        if !granted.any(|path| path.starts_with(tmp)) {
            binds.push(bind(private, tmp, None, false)?);
        }
    }
    for path in &files.read_only {
        if path.symlink_metadata().is_ok_and(|kind| !kind.is_symlink()) {
            let flags = mount_flags(path)?;
            binds.push(bind(path, path, Some(flags), true)?);
        }
    }
    Ok(binds)
}

fn bind(source: &Path, target: &Path, read_only: Option<libc::c_ulong>, essential: bool) -> io::Result<Bind> {
    Ok(Bind { source: c_path(source)?, target: c_path(target)?, read_only, essential })
}

fn c_path(path: &Path) -> io::Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}

/// The flags of the mount a path is on. A user namespace may add read-only to them, but take
/// none away.
fn mount_flags(path: &Path) -> io::Result<libc::c_ulong> {
    let path = c_path(path)?;
    // SAFETY: an all-zero statvfs is valid, the path is NUL-terminated, both outlive the call.
    let (answer, stat) = unsafe {
        let mut stat: libc::statvfs = std::mem::zeroed();
        (libc::statvfs(path.as_ptr(), &raw mut stat), stat)
    };
    if answer != 0 {
        return Err(io::Error::last_os_error());
    }
    let mut flags = 0;
    for (has, set) in [
        (libc::ST_NOSUID, libc::MS_NOSUID),
        (libc::ST_NODEV, libc::MS_NODEV),
        (libc::ST_NOEXEC, libc::MS_NOEXEC),
        (libc::ST_NOATIME, libc::MS_NOATIME),
        (libc::ST_NODIRATIME, libc::MS_NODIRATIME),
        (libc::ST_RELATIME, libc::MS_RELATIME),
    ] {
        if stat.f_flag & has != 0 {
            flags |= set;
        }
    }
    Ok(flags)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// K8, X20: every level that may be reached is told as it is.
    #[test]
    fn the_report_is_that_of_what_was_reached() {
        let folder = tempfile::tempdir().unwrap();
        let plan = SandboxPlan {
            files: Some(FileRules {
                writable: vec![folder.path().to_owned()],
                read_only: vec![folder.path().to_owned()],
                ..FileRules::default()
            }),
            network: Network::Off,
            required: false,
        };
        let prepared = Prepared::new(&plan).unwrap();
        let (files, mounts, network, no_tcp) = (Achieved::FILES, Achieved::MOUNTS, Achieved::NETWORK, Achieved::NO_TCP);
        for (achieved, expected) in [
            (files | mounts | network, (Files::Enforced, Network::Off, By::Landlock, 0)),
            (files | network, (Files::None, Network::Off, By::Landlock, 1)),
            (files | mounts, (Files::Enforced, Network::Open, By::Landlock, 1)),
            (files | mounts | no_tcp, (Files::Enforced, Network::Open, By::Landlock, 1)),
            (mounts | network, (Files::None, Network::Off, By::Landlock, 1)),
            (0, (Files::None, Network::Open, By::None, 3)),
        ] {
            let report = prepared.wanted().report(Achieved(achieved));
            let got = (report.files, report.network, report.by, report.missing.len());
            assert_eq!(got, expected, "{achieved}: {:?}", report.missing);
        }
        assert_eq!(Prepared::new(&SandboxPlan::none()).unwrap().wanted().report(Achieved(0)), SandboxReport::none());
    }
}
