//! What a proof run does next. Pure: the run kind loads what is asked for here, and applies what is
//! answered, in one transaction.

use std::collections::HashMap;

use model::{
    id::TaskId,
    proof::{
        judge::{Judgement, RuleRun, Unplanned, judge},
        verdict::{Outcome, Reason},
    },
};

use super::state::{CommandOutput, GateInput};

/// A gate of the run that has not ended.
#[derive(Debug, Clone)]
pub struct OpenGate {
    /// Its task.
    pub task: TaskId,
    /// What it judges and by which commands.
    pub input: GateInput,
}

/// What the run looks like when an event arrives.
#[derive(Debug, Clone, Copy, Default)]
pub struct Open {
    /// Gates that have not ended, those that wait for a person included.
    pub gates: u32,
    /// Those of them that wait for a person.
    pub waiting: u32,
}

/// What happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// The selection is stored. `unplanned` are the gates for which nothing can be run, `reviews` those
    /// that a person answers.
    Planned {
        /// Gates without a command.
        unplanned: &'a [OpenGate],
        /// Gates for a person.
        reviews: &'a [OpenGate],
        /// Whether reviews are skipped.
        skip_reviews: bool,
        /// Why nothing at all is left, when nothing is.
        empty: bool,
    },
    /// A command ended; `released` are the gates that waited only for it, `ends` the ends of all their
    /// commands.
    CommandEnded {
        /// The gates to judge now.
        released: &'a [OpenGate],
        /// How the commands they need ended.
        ends: &'a HashMap<TaskId, CommandOutput>,
    },
    /// The files are no longer those the run began with; `rest` are all gates that have not ended and
    /// wait for no person.
    TreeMoved {
        /// The gates that end now.
        rest: &'a [OpenGate],
    },
    /// A person answered a review with this outcome.
    Reviewed {
        /// The gate.
        gate: &'a OpenGate,
        /// What they said.
        outcome: Outcome,
        /// In their words.
        message: &'a str,
    },
    /// A newer run asks a person about other files, so nobody looks at this run's.
    Superseded {
        /// The gate.
        gate: &'a OpenGate,
        /// By what.
        message: &'a str,
    },
}

/// What to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Store evidence and end the gate with it.
    Record {
        /// The gate.
        gate: TaskId,
        /// What it is worth.
        judgement: Judgement,
    },
    /// End the gate without evidence: nothing was looked at.
    Drop {
        /// The gate.
        gate: TaskId,
        /// Why.
        reason: Reason,
        /// In words.
        message: String,
    },
    /// Ask a person to look.
    Ask {
        /// The gate.
        gate: TaskId,
    },
    /// Enter a phase.
    Enter(&'static str),
    /// Cancel the commands that have not started.
    CancelCommands,
    /// Every gate has ended: take the tree again and close.
    Settle,
}

/// What follows from an event.
pub fn on(event: &Event<'_>, open: Open) -> Vec<Command> {
    match event {
        Event::Planned { unplanned, reviews, skip_reviews, empty } => {
            let mut commands = vec![Command::Enter("gates")];
            commands.extend(unplanned.iter().map(|gate| record(gate, &HashMap::new())));
            if *skip_reviews {
                commands.extend(reviews.iter().map(|gate| record(gate, &HashMap::new())));
            } else {
                commands.extend(reviews.iter().map(|gate| Command::Ask { gate: gate.task }));
            }
            let ended = unplanned.len() + if *skip_reviews { reviews.len() } else { 0 };
            let waiting = if *skip_reviews { 0 } else { reviews.len() };
            if *empty {
                commands.push(Command::Settle);
            } else {
                commands.extend(then(open, ended, waiting));
            }
            commands
        }
        Event::CommandEnded { released, ends } => {
            let mut commands: Vec<_> = released.iter().map(|gate| record(gate, ends)).collect();
            if !released.is_empty() {
                commands.extend(then(open, released.len(), 0));
            }
            commands
        }
        Event::TreeMoved { rest } => {
            let message = "files changed while the run was under way";
            let mut commands = vec![Command::CancelCommands];
            commands.extend(rest.iter().map(|gate| Command::Drop {
                gate: gate.task,
                reason: Reason::TreeMoved,
                message: message.to_owned(),
            }));
            commands.extend(then(open, rest.len(), 0));
            commands
        }
        Event::Reviewed { gate, outcome, message } => {
            let judgement =
                Judgement { outcome: *outcome, rules: Vec::new(), cases: Vec::new(), message: (*message).to_owned() };
            let mut commands = vec![Command::Record { gate: gate.task, judgement }];
            let after = Open { gates: open.gates, waiting: open.waiting.saturating_sub(1) };
            commands.extend(then(after, 1, 0));
            commands
        }
        Event::Superseded { gate, message } => {
            let dropped =
                Command::Drop { gate: gate.task, reason: Reason::ReviewPending, message: (*message).to_owned() };
            let after = Open { gates: open.gates, waiting: open.waiting.saturating_sub(1) };
            [dropped].into_iter().chain(then(after, 1, 0)).collect()
        }
    }
}

/// What comes once `ended` more gates have ended and `waiting` more wait for a person.
fn then(open: Open, ended: usize, waiting: usize) -> Option<Command> {
    let left = open.gates.saturating_sub(u32::try_from(ended).unwrap_or(u32::MAX));
    let waiting = open.waiting + u32::try_from(waiting).unwrap_or(u32::MAX);
    match left {
        0 => Some(Command::Settle),
        left if left == waiting => Some(Command::Enter("reviewing")),
        _ => None,
    }
}

fn record(gate: &OpenGate, ends: &HashMap<TaskId, CommandOutput>) -> Command {
    Command::Record { gate: gate.task, judgement: judged(&gate.input, ends) }
}

/// Judges a gate by the ends of its commands. A command whose end is not there counts as lost.
fn judged(gate: &GateInput, ends: &HashMap<TaskId, CommandOutput>) -> Judgement {
    let runs: Vec<RuleRun<'_>> = gate
        .rules
        .iter()
        .zip(&gate.plans)
        .map(|(rule, plan)| RuleRun {
            rule,
            commands: match &plan.unplanned {
                Some(unplanned) => Err(unplanned.clone()),
                None => plan
                    .commands
                    .iter()
                    .map(|command| ends.get(command).map(|end| &end.result))
                    .collect::<Option<Vec<_>>>()
                    .ok_or_else(|| Unplanned {
                        reason: Reason::WorkerLost,
                        message: "the command's end was never recorded".to_owned(),
                    }),
            },
        })
        .collect();
    judge(&runs)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_last_gate_settles_and_only_the_last() {
        let open = |gates, waiting| Open { gates, waiting };
        assert_eq!(then(open(3, 0), 1, 0), None);
        assert_eq!(then(open(3, 1), 2, 0), Some(Command::Enter("reviewing")));
        assert_eq!(then(open(1, 0), 1, 0), Some(Command::Settle));
        assert_eq!(then(open(2, 0), 1, 1), Some(Command::Enter("reviewing")));
    }

    proptest! {
        // P22: whatever the order in which gates end, the run settles exactly once, at the last of them.
        #[test]
        fn a_run_settles_once(total in 1u32..40, waiting in 0u32..40, batch in 1usize..5) {
            let waiting = waiting.min(total);
            let mut open = Open { gates: total, waiting };
            let mut settled = 0;
            while open.gates > open.waiting {
                let ended = batch.min((open.gates - open.waiting) as usize);
                settled += usize::from(then(open, ended, 0) == Some(Command::Settle));
                open.gates -= ended as u32;
            }
            while open.gates > 0 {
                let after = Open { gates: open.gates, waiting: open.waiting - 1 };
                settled += usize::from(then(after, 1, 0) == Some(Command::Settle));
                open = Open { gates: open.gates - 1, waiting: open.waiting - 1 };
            }
            prop_assert_eq!(settled, 1);
        }
    }
}
