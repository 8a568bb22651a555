//! What a person answers when a pool is used up (X9, L90).

use serde_json::Value;

use super::pool::PoolKind;
use crate::{
    money::NanoUsd,
    problem::Problem,
    proof::form::{Form, Text},
};

/// The longest reason.
const REASON: usize = 2_000;

/// An answer to a question about a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BudgetAnswer {
    /// Raise the caps by this, and go on.
    TopUp {
        /// The run's.
        run: NanoUsd,
        /// The project's of this day.
        day: NanoUsd,
    },
    /// End the run.
    Stop,
}

impl BudgetAnswer {
    /// Reads an answer to a question about a pool. What would change nothing of it is refused, so that nobody believes
    /// to have helped: a run's pool takes `micro_usd`, and `day_micro_usd` beside it where the day is short as well; a
    /// day's takes `day_micro_usd` alone. `day_left` is what the day has room for now; `None` is no cap.
    ///
    /// # Errors
    /// 422 naming what does not fit: nothing is stored then, and the question stays open.
    pub fn read(body: &Value, pool: PoolKind, most: NanoUsd, day_left: Option<NanoUsd>) -> Result<Self, Problem> {
        let mut form = Form::new(body, "");
        let decision: Option<String> = form.choice("decision", &["top_up", "stop"]);
        if decision.is_none() && !form.has("decision") {
            form.wrong("decision", "is required");
        }
        let highest = u64::try_from(most.micros_up()).unwrap_or(0);
        let mut amount = |field: &'static str| form.number(field, 1..=highest).and_then(NanoUsd::from_micros);
        let (run, day) = (amount("micro_usd"), amount("day_micro_usd"));
        form.text("reason", Text::lines(REASON));
        for field in ["turns", "seconds", "tokens"] {
            if form.value(field).is_some() {
                form.wrong(field, "money is used up here, and more of this would change nothing");
            }
        }
        if decision.as_deref() == Some("top_up") {
            let (needed, given) = match pool {
                PoolKind::Run => ("micro_usd", run),
                PoolKind::Day => ("day_micro_usd", day),
            };
            if given.is_none() {
                form.wrong(needed, "is required: this pool is used up");
            }
            if pool == PoolKind::Day && run.is_some() {
                form.wrong("micro_usd", "the day is used up, and more for one run would change nothing");
            }
            let (asked, added) = (run.unwrap_or_default(), day.unwrap_or_default());
            if pool == PoolKind::Run && day_left.is_some_and(|left| asked > left.plus(added)) {
                let left = day_left.unwrap_or_default();
                form.wrong("micro_usd", format!("is more than the {left} that the day has left: add day_micro_usd"));
            }
        } else if decision.as_deref() == Some("stop") {
            for (field, given) in [("micro_usd", run), ("day_micro_usd", day)] {
                if given.is_some() {
                    form.wrong(field, "is for a top-up");
                }
            }
        }
        let errors = form.finish();
        if !errors.is_empty() {
            return Err(Problem::invalid(errors));
        }
        Ok(match decision.as_deref() {
            Some("top_up") => Self::TopUp { run: run.unwrap_or_default(), day: day.unwrap_or_default() },
            _ => Self::Stop,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    // X9, L90: as a table.
    #[test]
    fn an_answer_is_taken_or_refused_whole() {
        use PoolKind::{Day, Run};
        let micro = |amount| NanoUsd::from_micros(amount).unwrap();
        let most = micro(20_000_000);
        let read = |body: &Value, pool| BudgetAnswer::read(body, pool, most, Some(micro(3_000_000)));
        let top_up = |run, day| BudgetAnswer::TopUp { run: micro(run), day: micro(day) };
        for (body, pool, expected) in [
            (json!({"decision": "stop", "reason": "enough"}), Run, BudgetAnswer::Stop),
            (json!({"decision": "top_up", "micro_usd": 3_000_000}), Run, top_up(3_000_000, 0)),
            (
                json!({"decision": "top_up", "micro_usd": 4_000_000, "day_micro_usd": 1_000_000}),
                Run,
                top_up(4_000_000, 1_000_000),
            ),
            (json!({"decision": "top_up", "day_micro_usd": 5_000_000}), Day, top_up(0, 5_000_000)),
        ] {
            assert_eq!(read(&body, pool).unwrap(), expected, "{body}");
        }
        for (body, pool, pointer) in [
            (json!({}), Run, "/decision"),
            (json!({"decision": "more"}), Run, "/decision"),
            (json!({"decision": "top_up"}), Run, "/micro_usd"),
            (json!({"decision": "top_up", "micro_usd": 0}), Run, "/micro_usd"),
            (json!({"decision": "top_up", "micro_usd": -1}), Run, "/micro_usd"),
            (json!({"decision": "top_up", "micro_usd": 20_000_001}), Run, "/micro_usd"),
            (json!({"decision": "top_up", "micro_usd": 3_000_001}), Run, "/micro_usd"),
            (json!({"decision": "top_up", "micro_usd": 1, "turns": 5}), Run, "/turns"),
            (json!({"decision": "top_up", "micro_usd": 1, "day_micro_usd": 1}), Day, "/micro_usd"),
            (json!({"decision": "top_up", "micro_usd": 1}), Day, "/day_micro_usd"),
            (json!({"decision": "stop", "micro_usd": 1}), Run, "/micro_usd"),
            (json!({"decision": "stop", "typo": 1}), Run, "/typo"),
        ] {
            let problem = read(&body, pool).unwrap_err();
            assert!(problem.errors.iter().any(|error| error.pointer == pointer), "{body}: {problem:?}");
        }
        let unlimited = BudgetAnswer::read(&json!({"decision": "top_up", "micro_usd": 9_000_000}), Run, most, None);
        assert_eq!(unlimited.unwrap(), top_up(9_000_000, 0));
    }
}
