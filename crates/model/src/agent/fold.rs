//! What became of a session: one pure fold over its events and the way its process ended, for every
//! agent (X45, L25-L29, section 13 of plan and dispatch).
//!
//! Errors are judged on the final state: one that is followed by something good was no failure, and
//! one with nothing good after it is a failure even at exit 0.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    classify::{class_of, failure_of},
    event::{AgentEvent, EndOutcome, ErrorClass, SessionFacts, ToolStatus},
    usage::{Billing, Cost, Usage, UsageReport},
};
use crate::{
    failure::{Failure, FailureCode},
    time::Timestamp,
};

/// How much of an output's end a failure quotes.
const TAIL: usize = 2_000;
/// The longest message of a failure.
const MESSAGE: usize = 600;

/// How the process ended, as the plane saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProcessEnd {
    /// There was none, or none was needed (an agent inside the binary).
    Inside,
    /// By itself.
    Exited {
        /// Its exit code.
        code: i32,
    },
    /// By a signal that the plane did not send.
    Signaled {
        /// The signal's number.
        signal: i32,
    },
    /// It was never there.
    NotStarted {
        /// Why not.
        why: NotStarted,
        /// In words.
        message: String,
    },
    /// Its time was up.
    TimedOut {
        /// What it had, in seconds.
        seconds: u64,
    },
    /// It said nothing for too long (S78).
    Quiet {
        /// How long, in seconds.
        seconds: u64,
    },
    /// It used more than a limit of the machine.
    LimitReached {
        /// Which.
        limit: String,
    },
    /// Somebody stopped it.
    Cancelled,
}

/// Why there was no process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotStarted {
    /// No such program, or it cannot be executed.
    Missing,
    /// The sandbox that is required cannot be had (S76).
    Refused,
    /// It is not the version that is allowed (S75).
    Version,
    /// The plane's own trouble.
    Other,
}

/// What else is known at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// How the process ended.
    pub process: ProcessEnd,
    /// It printed more than this many bytes, which is the cap.
    pub over_cap: Option<u64>,
    /// The end of what it said apart from its events.
    pub tail: String,
    /// How it is paid for.
    pub billing: Billing,
}

/// Lines that told nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineCounts {
    /// Lines that were understood.
    pub known: u64,
    /// Lines of a type the adapter does not know (S74).
    pub unknown: u64,
    /// Lines that are no JSON object (L26).
    pub undecodable: u64,
    /// Lines that were longer than is read (S78).
    pub cut: u64,
}

/// What became of a session.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentEnd {
    /// What became of it.
    pub outcome: AgentOutcome,
    /// What it used, also when it failed (L29).
    pub usage: Usage,
    /// What that cost.
    pub cost: Cost,
    /// Turns, where the agent counts them.
    pub turns: Option<u64>,
    /// A reported number did not count (L28).
    pub bad_number: bool,
    /// What the session said of itself.
    pub session: Option<SessionFacts>,
    /// Lines that told nothing.
    pub lines: LineCounts,
}

/// The outcome of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentOutcome {
    /// It did what it was going to do.
    Completed {
        /// Its last final message (D62).
        answer: String,
    },
    /// It did not.
    Failed(Failure),
    /// Somebody stopped it.
    Cancelled,
}

impl AgentOutcome {
    /// The failure's code, where there is one.
    pub const fn failure(&self) -> Option<FailureCode> {
        match self {
            Self::Failed(failure) => Some(failure.code),
            Self::Completed { .. } | Self::Cancelled => None,
        }
    }
}

/// A fold in the making. Feed it every event in order, then [`Fold::end`].
#[derive(Debug, Default)]
pub struct Fold {
    session: Option<SessionFacts>,
    last_final: Option<String>,
    last_said: Option<String>,
    messages: BTreeMap<String, UsageReport>,
    unnamed: Vec<UsageReport>,
    total: Option<UsageReport>,
    turns: Option<u64>,
    bad_number: bool,
    error: Option<(ErrorClass, String, Option<Timestamp>)>,
    /// When a provider said it can go on, from a notice.
    retry_at: Option<Timestamp>,
    end: Option<EndOutcome>,
    lines: LineCounts,
}

impl Fold {
    /// Takes an event.
    pub fn take(&mut self, event: &AgentEvent) {
        match event {
            AgentEvent::Session(facts) => self.learn(facts),
            AgentEvent::Message { text, is_final } => {
                self.error = None;
                self.last_said = Some(text.clone());
                if *is_final {
                    self.last_final = Some(text.clone());
                }
            }
            AgentEvent::Tool(tool) => {
                if tool.status == ToolStatus::Done {
                    self.error = None;
                }
            }
            AgentEvent::Reasoning { .. } | AgentEvent::File { .. } => {}
            AgentEvent::Usage(report) => self.use_up(report),
            AgentEvent::Error { class: ErrorClass::Notice, retry_at, .. } => {
                self.retry_at = retry_at.or(self.retry_at);
            }
            AgentEvent::Error { class, message, retry_at } => {
                self.error = Some((*class, message.clone(), *retry_at));
                // What stood before it was not the end.
                self.end = None;
            }
            AgentEvent::End { outcome } => {
                if *outcome == EndOutcome::Completed {
                    self.error = None;
                }
                self.end = Some(*outcome);
            }
        }
    }

    /// Remembers lines that told nothing.
    pub const fn lines(&mut self) -> &mut LineCounts {
        &mut self.lines
    }

    /// Whether the agent said that it is done.
    pub const fn has_ended(&self) -> bool {
        self.end.is_some()
    }

    fn learn(&mut self, facts: &SessionFacts) {
        let known = self.session.get_or_insert_with(|| SessionFacts::of(facts.agent.clone()));
        for (known, new) in [
            (&mut known.version, &facts.version),
            (&mut known.model, &facts.model),
            (&mut known.session, &facts.session),
        ] {
            if new.is_some() {
                known.clone_from(new);
            }
        }
        known.adapter = facts.adapter.or(known.adapter);
        known.simulated |= facts.simulated;
        if !facts.argv.is_empty() {
            known.argv.clone_from(&facts.argv);
        }
    }

    fn use_up(&mut self, report: &UsageReport) {
        self.bad_number |= report.bad_number;
        self.turns = report.turns.or(self.turns);
        if report.total {
            let cost = report.cost.or(self.total.as_ref().and_then(|total| total.cost));
            self.total = Some(UsageReport { cost, ..report.clone() });
        } else if let Some(message) = &report.message {
            // The last occurrence wins, but one without a cost does not erase a cost (L27).
            let cost = report.cost.or(self.messages.get(message).and_then(|before| before.cost));
            self.messages.insert(message.clone(), UsageReport { cost, ..report.clone() });
        } else if report.usage.is_reported() || report.cost.is_some() {
            self.unnamed.push(report.clone());
        }
    }

    /// What became of the session.
    pub fn end(self, ending: &Ending) -> AgentEnd {
        let summed = || self.messages.values().chain(&self.unnamed);
        let (usage, cost) = match &self.total {
            // The sum that the agent gives wins where there is one (X66); fields it leaves out are added up.
            Some(total) => {
                let usage = if total.usage.is_reported() {
                    total.usage
                } else {
                    summed().fold(Usage::default(), |sum, report| sum.plus(&report.usage))
                };
                let cost = match total.cost {
                    Some(cost) => Cost::of(ending.billing, [(&usage, Some(cost))].into_iter()),
                    None if summed().any(|report| report.cost.is_some()) => {
                        Cost::of(ending.billing, summed().map(|report| (&report.usage, report.cost)))
                    }
                    None => Cost::of(ending.billing, [(&usage, None)].into_iter()),
                };
                (usage, cost)
            }
            None => (
                summed().fold(Usage::default(), |sum, report| sum.plus(&report.usage)),
                Cost::of(ending.billing, summed().map(|report| (&report.usage, report.cost))),
            ),
        };
        AgentEnd {
            outcome: self.outcome(ending),
            usage,
            cost,
            turns: self.turns,
            bad_number: self.bad_number,
            session: self.session,
            lines: self.lines,
        }
    }

    fn outcome(&self, ending: &Ending) -> AgentOutcome {
        use FailureCode as F;
        let failed = |code, message: String| AgentOutcome::Failed(Failure::new(code, cut(&message, MESSAGE)));
        match &ending.process {
            ProcessEnd::NotStarted { why, message } => {
                let code = match why {
                    // Another version than the one that is wanted is as good as none (S75).
                    NotStarted::Missing | NotStarted::Version => F::AgentNotFound,
                    NotStarted::Refused => F::PolicyDenied,
                    NotStarted::Other => F::Internal,
                };
                return failed(code, message.clone());
            }
            ProcessEnd::Cancelled => return AgentOutcome::Cancelled,
            // Also when it printed too much: the time came first (D35).
            ProcessEnd::TimedOut { seconds } => {
                return failed(F::AgentTimeout, format!("the agent did not end within {seconds} s"));
            }
            ProcessEnd::Quiet { seconds } => {
                return failed(F::AgentTimeout, format!("the agent said nothing for {seconds} s"));
            }
            ProcessEnd::Inside
            | ProcessEnd::Exited { .. }
            | ProcessEnd::Signaled { .. }
            | ProcessEnd::LimitReached { .. } => {}
        }
        if let Some(cap) = ending.over_cap {
            return failed(F::OutputTooLarge, format!("the agent printed more than {} MiB", cap >> 20));
        }
        if let ProcessEnd::LimitReached { limit } = &ending.process {
            return failed(F::AgentFailed, format!("the agent was ended: it used more {limit} than it may"));
        }
        // What the agent itself said, then how it went, then what it printed.
        if let Some((class, message, retry_at)) = &self.error {
            return self.failed_by(*class, message, *retry_at);
        }
        let tail = ending.tail.trim();
        match self.end {
            Some(EndOutcome::Completed) => {}
            Some(EndOutcome::Refused) => return failed(F::AgentFailed, self.words("the model refused", tail)),
            Some(EndOutcome::LimitReached) => {
                return failed(F::BudgetExhausted, self.words("the agent reached its limit of turns", ""));
            }
            Some(EndOutcome::Interrupted) => return failed(F::AgentFailed, "the agent was interrupted".to_owned()),
            Some(EndOutcome::Failed) => {
                let words = self.words("the agent gave up", tail);
                return self.failed_by(ErrorClass::Other, &words, None);
            }
            None => {}
        }
        let went = match ending.process {
            ProcessEnd::Exited { code } if code != 0 => Some(format!("the agent exited with {code}")),
            ProcessEnd::Signaled { signal } => Some(format!("signal {signal} ended the agent")),
            _ => None,
        };
        if let Some(went) = went {
            let class = class_of(tail);
            let said = if tail.is_empty() { went } else { format!("{went}: {}", last(tail, TAIL)) };
            return self.failed_by(class, &said, None);
        }
        if self.end.is_none() {
            // Exit 0 proves nothing (L25).
            return if self.lines.known == 0 {
                failed(
                    F::AgentProtocolError,
                    self.words("the agent ended without a line that could be understood", tail),
                )
            } else {
                failed(F::AgentFailed, self.words("the agent ended without saying that it was done: truncated", tail))
            };
        }
        AgentOutcome::Completed { answer: self.answer() }
    }

    fn answer(&self) -> String {
        self.last_final.clone().or_else(|| self.last_said.clone()).unwrap_or_default()
    }

    fn words(&self, what: &str, tail: &str) -> String {
        let said = self.last_said.as_deref().map(str::trim).unwrap_or_default();
        match [said, tail].into_iter().find(|text| !text.is_empty()) {
            Some(text) => format!("{what}: {}", last(text, TAIL)),
            None => what.to_owned(),
        }
    }

    fn failed_by(&self, class: ErrorClass, message: &str, retry_at: Option<Timestamp>) -> AgentOutcome {
        let class = if class == ErrorClass::Other { class_of(message) } else { class };
        let code = failure_of(class);
        let retry_at = match code {
            FailureCode::RateLimited => retry_at.or(self.retry_at),
            _ => None,
        };
        AgentOutcome::Failed(Failure { retry_at, ..Failure::new(code, cut(message, MESSAGE)) })
    }
}

/// The start of a text.
fn cut(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    // Both ends matter: what was done, and what it said last.
    let head = text.floor_char_boundary(max / 3);
    let tail = text.ceil_char_boundary(text.len() - (max - max / 3));
    format!("{} … {}", &text[..head], &text[tail..])
}

/// The end of a text.
fn last(text: &str, max: usize) -> &str {
    &text[text.ceil_char_boundary(text.len().saturating_sub(max))..]
}
