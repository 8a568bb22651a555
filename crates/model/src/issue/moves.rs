//! What moves an issue: a person, or the work on it.

use serde::Serialize;

use super::{IssueStatus, Notice};

/// How work on an issue ended, in the words that decide where the issue goes (X6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkEnd {
    /// Something was made; it is not merged.
    Succeeded,
    /// What was made is merged.
    Merged,
    /// It did not succeed.
    Failed,
    /// A person ended it.
    Cancelled,
}

/// What runs do to the issue they work on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Work {
    /// A run on it was started.
    Started,
    /// Its run waits for a person.
    Asked,
    /// Its run goes on.
    Answered,
    /// Its run has ended.
    Ended(WorkEnd),
    /// A proof that was started for it passed; whether that settles it is a setting of the project.
    Proved {
        /// Whether a passed proof is the end of an issue.
        closes: bool,
    },
}

/// Where an issue goes, and what it then asks of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// Its next status.
    pub status: IssueStatus,
    /// What is left to look at.
    pub notice: Option<Notice>,
}

/// A move that is not possible now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StatusRefused {
    /// Work on it is active (S3).
    #[error("a run on the issue is active")]
    RunActive,
    /// There is nothing to do on it any more (S4).
    #[error("the issue is {}", .0.name())]
    NotOpen(IssueStatus),
}

impl IssueStatus {
    /// A person moves an issue: anywhere, except to its end while a run works on it. Whoever moves it has looked at it.
    ///
    /// # Errors
    /// [`StatusRefused::RunActive`].
    pub const fn by_person(self, to: Self, notice: Option<Notice>, run_active: bool) -> Result<Moved, StatusRefused> {
        if run_active && !to.is_open() {
            return Err(StatusRefused::RunActive);
        }
        let looked_at = !to.is_open() || (self as u8 != to as u8 && matches!(notice, Some(Notice::Review)));
        Ok(Moved { status: to, notice: if looked_at { None } else { notice } })
    }

    /// Work moves an issue (X6). What is done or closed never comes back this way (S2).
    ///
    /// # Errors
    /// [`StatusRefused::NotOpen`]: no run starts on what is done or closed.
    pub const fn by_work(self, notice: Option<Notice>, work: Work) -> Result<Moved, StatusRefused> {
        let stays = Moved { status: self, notice };
        match (self, work) {
            (Self::Done | Self::Closed, Work::Started) => Err(StatusRefused::NotOpen(self)),
            (Self::Done | Self::Closed, Work::Asked | Work::Answered | Work::Ended(_) | Work::Proved { .. })
            | (Self::Triage | Self::Ready | Self::Waiting, Work::Asked)
            | (Self::Triage | Self::Ready | Self::InProgress, Work::Answered)
            | (Self::Triage | Self::Ready | Self::InProgress | Self::Waiting, Work::Proved { closes: false }) => {
                Ok(stays)
            }
            (Self::Triage | Self::Ready | Self::InProgress | Self::Waiting, Work::Started) => {
                Ok(Moved { status: Self::InProgress, notice: None })
            }
            (Self::InProgress, Work::Asked) => Ok(Moved { status: Self::Waiting, notice }),
            (Self::Waiting, Work::Answered) => Ok(Moved { status: Self::InProgress, notice }),
            (Self::Triage | Self::Ready | Self::InProgress | Self::Waiting, Work::Ended(end)) => Ok(match end {
                WorkEnd::Succeeded => Moved { status: Self::Waiting, notice: Some(Notice::Review) },
                WorkEnd::Merged => Moved { status: Self::Done, notice: None },
                WorkEnd::Failed => Moved { status: Self::Ready, notice: Some(Notice::Failed) },
                WorkEnd::Cancelled => Moved { status: Self::Ready, notice: None },
            }),
            (Self::Triage | Self::Ready | Self::InProgress | Self::Waiting, Work::Proved { closes: true }) => {
                Ok(Moved { status: Self::Done, notice: None })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WORK: [Work; 9] = [
        Work::Started,
        Work::Asked,
        Work::Answered,
        Work::Ended(WorkEnd::Succeeded),
        Work::Ended(WorkEnd::Merged),
        Work::Ended(WorkEnd::Failed),
        Work::Ended(WorkEnd::Cancelled),
        Work::Proved { closes: false },
        Work::Proved { closes: true },
    ];

    // X6, S2, S4: every pair, written down; the columns stand in the order of `WORK`.
    #[test]
    fn where_work_moves_an_issue() {
        let ends = ["waiting review", "done -", "ready failed", "ready -"];
        let table = [
            ("triage", ["in_progress -", "triage -", "triage -"], ["triage -", "done -"]),
            ("ready", ["in_progress -", "ready -", "ready -"], ["ready -", "done -"]),
            ("in_progress", ["in_progress -", "waiting -", "in_progress -"], ["in_progress -", "done -"]),
            ("waiting", ["in_progress -", "waiting -", "in_progress -"], ["waiting -", "done -"]),
        ];
        let told = |moved: Moved| format!("{} {}", moved.status, moved.notice.map_or("-", Notice::name));
        for (from, begins, proved) in table {
            let from = IssueStatus::by_name(from).unwrap();
            let row = begins.into_iter().chain(ends).chain(proved);
            for (work, to) in WORK.into_iter().zip(row) {
                assert_eq!(told(from.by_work(None, work).unwrap()), to, "{from} on {work:?}");
            }
        }
        for ended in [IssueStatus::Done, IssueStatus::Closed] {
            for work in WORK {
                let moved = ended.by_work(None, work);
                match work {
                    Work::Started => assert_eq!(moved, Err(StatusRefused::NotOpen(ended))),
                    _ => assert_eq!(moved, Ok(Moved { status: ended, notice: None }), "{work:?}"),
                }
            }
        }
    }

    // S3: among others, a person closes nothing that is being worked on.
    #[test]
    fn where_a_person_moves_an_issue() {
        for from in IssueStatus::ALL {
            for to in IssueStatus::ALL {
                let free = from.by_person(*to, Some(Notice::Review), false).unwrap();
                assert_eq!(free.status, *to);
                assert_eq!(free.notice.is_some(), from == to && to.is_open(), "{from} to {to}");
                let busy = from.by_person(*to, None, true);
                assert_eq!(busy.is_err(), !to.is_open(), "{from} to {to}");
                let failed = from.by_person(*to, Some(Notice::Failed), false).unwrap();
                assert_eq!(failed.notice.is_some(), to.is_open(), "a failure stays until the next run");
            }
        }
    }

    proptest! {
        /// Once a run has started and ended, however it was asked in between, nothing says that it is being worked on.
        #[test]
        fn no_issue_stays_in_progress_without_work(between in prop::collection::vec(1usize..3, 0..9), end in 3usize..7) {
            let mut at = IssueStatus::Ready.by_work(None, Work::Started).unwrap();
            for work in between {
                at = at.status.by_work(at.notice, WORK[work]).unwrap();
            }
            at = at.status.by_work(at.notice, WORK[end]).unwrap();
            prop_assert_ne!(at.status, IssueStatus::InProgress);
        }
    }
}
