//! Repositories, by the git CLI alone.
//!
//! Every call is hermetic: no settings of the system or the person (but what they ignore and what
//! git takes the content of a file to be), no hooks, no prompts, no file system monitor, no locks taken on the user's own index. Names
//! that come from outside are checked for form and never read as options. Nothing here changes a
//! user's checkout, index, HEAD, branches or stash; what is written into a clone at all are refs
//! under `refs/proofhouse/`, and the branches that a run ends with ([`NewCommit`]). Only a worker's own clones go to
//! the network ([`Repository::clone_from`]).
//!
//! Start at [`Repository::open`]; see [`Observer`] for which files a gate sees, and [`Worktree`]
//! for checkouts of the plane's own.

mod archive;
mod branch;
mod clone;
mod command;
mod difference;
mod index;
mod listing;
mod modules;
mod observe;
mod read;
mod repository;
mod settings;
mod worktree;

pub use archive::Archived;
pub use branch::{Committed, NewCommit, TRAILER};
pub use clone::public_url;
pub use observe::{Moves, Observation, Observer};
pub use read::{FileChange, FileText, Kind};
pub use repository::{Head, Repository};
pub use worktree::{Checkout, Worktree, WorktreeRoot};

use std::path::PathBuf;

use model::{
    code::Code,
    failure::{Failure, FailureCode},
    problem::Problem,
};

/// Why git, or the folder it was to look at, said no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GitError {
    /// There is no git.
    #[error("failed to start git: {0}")]
    NotInstalled(String),
    /// There is no such folder.
    #[error("failed to open {0}: there is no such folder")]
    Missing(PathBuf),
    /// The folder is there, but not for us.
    #[error("failed to read {0}: {1}")]
    Unreadable(PathBuf, String),
    /// The folder is in no repository.
    #[error("failed to open {0}: it is not a git repository")]
    NotARepository(PathBuf),
    /// A repository without files.
    #[error("failed to open {0}: it is a bare repository")]
    Bare(PathBuf),
    /// A repository without a commit.
    #[error("failed to open {0}: it has no commits yet")]
    NoCommits(PathBuf),
    /// Text that cannot be the name of anything.
    #[error("failed to read a git ref: {0:?} cannot be one")]
    RefInvalid(String),
    /// A name of nothing in this repository.
    #[error("failed to find {0}: the repository does not contain it")]
    RefNotFound(String),
    /// A path that leads out of the repository, or is none.
    #[error("failed to read a file: its path leads out of the repository")]
    PathOutside,
    /// The answer is larger than what is asked for may be.
    #[error("failed to read from git: the answer is larger than {0} bytes")]
    TooLarge(u64),
    /// git did not come to an end in time.
    #[error("failed to wait for git {0}: it took too long")]
    TimedOut(String),
    /// There is no space left for what was to be written.
    #[error("no space is left: {0}")]
    DiskFull(String),
    /// git, or the file system under it, said no.
    #[error("failed to run git {action}: {message}")]
    Failed {
        /// Which command.
        action: String,
        /// What it said, redacted and short.
        message: String,
    },
}

impl GitError {
    /// The code a person meets.
    pub const fn code(&self) -> Code {
        match self {
            Self::NotInstalled(_) => Code::GitMissing,
            Self::Missing(_) => Code::FolderMissing,
            Self::Unreadable(..) => Code::FolderUnreadable,
            Self::NotARepository(_) => Code::NotARepository,
            Self::Bare(_) => Code::BareRepository,
            Self::NoCommits(_) => Code::NoCommits,
            Self::RefInvalid(_) | Self::RefNotFound(_) => Code::RefNotFound,
            Self::PathOutside => Code::Invalid,
            Self::TooLarge(_) => Code::TooLarge,
            Self::TimedOut(_) => Code::TimedOut,
            Self::DiskFull(_) => Code::DiskFull,
            Self::Failed { .. } => Code::GitFailed,
        }
    }

    /// Why a run fails by it.
    pub fn failure(&self) -> Failure {
        let code = match self {
            Self::Missing(_) | Self::Unreadable(..) => FailureCode::CheckoutMissing,
            Self::NotARepository(_) | Self::Bare(_) | Self::NoCommits(_) => FailureCode::RepoUnavailable,
            Self::RefInvalid(_) | Self::RefNotFound(_) => FailureCode::RefNotFound,
            Self::NotInstalled(_) | Self::TimedOut(_) | Self::TooLarge(_) | Self::Failed { .. } => {
                FailureCode::RepoUnavailable
            }
            Self::DiskFull(_) => FailureCode::DiskFull,
            Self::PathOutside => FailureCode::Internal,
        };
        Failure::new(code, self.to_string())
    }
}

impl From<GitError> for Problem {
    fn from(error: GitError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}
