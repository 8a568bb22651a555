//! What can go wrong in the store, and how a person is told.

use model::{
    code::Code,
    id::{RunId, TaskId},
    problem::Problem,
};

/// Why a fence was refused (D55).
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LostReason {
    /// Another claim was made since.
    Reclaimed,
    /// The task already has an outcome.
    Finished,
    /// The task was cancelled.
    Cancelled,
    /// The lease was taken away.
    Revoked,
}

impl LostReason {
    /// Its name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reclaimed => "reclaimed",
            Self::Finished => "finished",
            Self::Cancelled => "cancelled",
            Self::Revoked => "revoked",
        }
    }
}

/// A refusal or failure of the store. Refusals leave nothing behind: the transaction is rolled back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached, or broke off.
    #[error("failed to reach the store: {0}")]
    Unavailable(String),
    /// A sync or commit failed: nothing is written any more, the process must end.
    #[error("the store stopped writing after a failed sync: {0}")]
    Poisoned(String),
    /// No space before the commit (X56).
    #[error("failed to write: no space left for the store")]
    DiskFull,
    /// The database was migrated by a newer program.
    #[error("the database has version {found}, this program knows {known}")]
    DatabaseNewer {
        /// The database's version.
        found: i64,
        /// The newest version this program knows.
        known: i64,
    },
    /// The database's pages or rows do not hold together.
    #[error("the database is damaged: {0}")]
    DatabaseDamaged(String),
    /// Totals of the ledger are not what its lines make (L89).
    #[error("the ledger does not add up: {0}")]
    LedgerDamaged(String),
    /// The write's fence is not the newest, or the task is over (K2).
    #[error("the task is no longer leased to this worker ({})", .reason.name())]
    LeaseLost {
        /// The task.
        task: TaskId,
        /// Why.
        reason: LostReason,
    },
    /// A different outcome was recorded by the same claim (D59).
    #[error("another outcome was already recorded for this claim")]
    OutcomeSet {
        /// The task.
        task: TaskId,
    },
    /// A run with the same exclusive key is active (X7).
    #[error("a run on the same subject is active")]
    RunActive {
        /// That run.
        run: RunId,
    },
    /// The same idempotency key was used for another body (K1).
    #[error("this idempotency key was used for another request")]
    KeyReused,
    /// The row changed since it was read.
    #[error("it has revision {found} now")]
    RevisionOld {
        /// Its revision now.
        found: u64,
    },
    /// There is no such row.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// Its body is past its retention.
    #[error("the {0} existed and its retention has ended")]
    Gone(&'static str),
    /// A unique value is taken.
    #[error("{0} is taken")]
    Taken(&'static str),
    /// The state of the row does not allow the change.
    #[error("{0}")]
    WrongState(String),
    /// A value that no database can keep, such as a NUL in a text.
    #[error("a value cannot be stored: {0}")]
    Unstorable(String),
    /// A backup cannot be made or read.
    #[error("{message}")]
    BackupUnusable {
        /// What is wrong.
        message: String,
        /// What to do instead.
        hint: String,
    },
    /// A bug.
    #[error("the store failed: {0}")]
    Internal(String),
}

impl StoreError {
    /// The code a person is shown.
    pub const fn code(&self) -> Code {
        match self {
            Self::Unavailable(_) | Self::Poisoned(_) => Code::StoreUnavailable,
            Self::DiskFull => Code::DiskFull,
            Self::DatabaseNewer { .. } => Code::DatabaseNewer,
            Self::DatabaseDamaged(_) => Code::DatabaseDamaged,
            Self::LedgerDamaged(_) => Code::LedgerDamaged,
            Self::LeaseLost { .. } => Code::LeaseLost,
            Self::RunActive { .. } => Code::RunActive,
            Self::KeyReused => Code::KeyReused,
            Self::RevisionOld { .. } => Code::RevisionOld,
            Self::NotFound(_) => Code::NotFound,
            Self::Gone(_) => Code::Gone,
            Self::Taken(_) | Self::WrongState(_) | Self::OutcomeSet { .. } => Code::WrongState,
            Self::Unstorable(_) => Code::Invalid,
            Self::BackupUnusable { .. } => Code::BackupUnusable,
            Self::Internal(_) => Code::Internal,
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let problem = Self::new(error.code(), error.to_string());
        match error {
            StoreError::NotFound(_) => Self::not_found(),
            StoreError::LeaseLost { task, reason } => {
                problem.with("task", task.to_string()).with("reason", reason.name())
            }
            StoreError::OutcomeSet { task } => problem.with("task", task.to_string()).with("reason", "outcome_set"),
            StoreError::RunActive { run } => problem.with("active_run", run.to_string()),
            StoreError::RevisionOld { found } => problem.with("revision", found),
            StoreError::BackupUnusable { hint, .. } => problem.with_hint(hint),
            StoreError::Unavailable(_)
            | StoreError::Poisoned(_)
            | StoreError::DiskFull
            | StoreError::DatabaseNewer { .. }
            | StoreError::DatabaseDamaged(_)
            | StoreError::LedgerDamaged(_)
            | StoreError::KeyReused
            | StoreError::Gone(_)
            | StoreError::Taken(_)
            | StoreError::WrongState(_)
            | StoreError::Unstorable(_)
            | StoreError::Internal(_) => problem,
        }
    }
}
