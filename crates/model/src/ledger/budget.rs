//! What a project may spend: its document, with what holds where it says nothing (X28).

use serde_json::{Value, json};

use super::pool::{Cap, Caps};
use crate::{code::Code, money::NanoUsd, problem::Problem, proof::form::Form};

/// No cap that is a number is larger: $10,000, in micro-USD.
pub const BUDGET_MAX: u64 = 10_000_000_000;

const fn dollars(dollars: i64) -> NanoUsd {
    NanoUsd::from_nanos(dollars * 1_000_000_000)
}

/// The budget of a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// What a run may spend, and all runs of a day together.
    pub caps: Caps,
    /// What one answer may add at most (L90).
    pub max_top_up: NanoUsd,
}

impl Default for Budget {
    /// What holds on a plane where nobody said anything: $5 a run, $10 a project and day.
    fn default() -> Self {
        Self { caps: Caps { run: Cap::At(dollars(5)), day: Cap::At(dollars(10)) }, max_top_up: dollars(20) }
    }
}

impl Budget {
    /// Reads a document. What it leaves out inherits; 0 lets nothing be spent; only `"none"` is no cap. A cap is never
    /// switched off by a value that makes no sense: that is refused (L79).
    ///
    /// # Errors
    /// 422 [`Code::BudgetMalformed`] naming each wrong value.
    pub fn read(body: &Value) -> Result<Self, Problem> {
        let mut form = Form::new(body, "");
        let base = Self::default();
        let budget = Self {
            caps: Caps {
                run: cap(&mut form, "run_micro_usd").unwrap_or(base.caps.run),
                day: cap(&mut form, "day_micro_usd").unwrap_or(base.caps.day),
            },
            max_top_up: form
                .number("max_top_up_micro_usd", 0..=BUDGET_MAX)
                .and_then(NanoUsd::from_micros)
                .unwrap_or(base.max_top_up),
        };
        let errors = form.finish();
        if errors.is_empty() {
            return Ok(budget);
        }
        Err(Problem { code: Code::BudgetMalformed, ..Problem::invalid(errors) })
    }

    /// The document that says all of it.
    pub fn document(&self) -> Value {
        let cap = |cap: Cap| match cap {
            Cap::Unlimited => json!("none"),
            Cap::At(amount) => json!(amount.micros_up()),
        };
        json!({
            "run_micro_usd": cap(self.caps.run), "day_micro_usd": cap(self.caps.day),
            "max_top_up_micro_usd": self.max_top_up.micros_up(),
        })
    }
}

fn cap(form: &mut Form<'_>, field: &'static str) -> Option<Cap> {
    let value = form.value(field)?;
    if value == "none" {
        return Some(Cap::Unlimited);
    }
    let amount = value.as_u64().filter(|amount| *amount <= BUDGET_MAX).and_then(NanoUsd::from_micros);
    if amount.is_none() {
        form.wrong(field, format!("must be whole micro-USD from 0 to {BUDGET_MAX}, or \"none\""));
    }
    amount.map(Cap::At)
}

#[cfg(test)]
mod tests {
    use super::*;

    // X28, L79: absent inherits, 0 is nothing, only "none" is no cap, and what makes no sense is refused.
    #[test]
    fn a_cap_is_never_switched_off_by_mistake() {
        let plane = Budget::default();
        assert_eq!(plane.caps, Caps { run: Cap::At(dollars(5)), day: Cap::At(dollars(10)) });
        for (body, caps) in [
            (json!({}), plane.caps),
            (json!({"run_micro_usd": null}), plane.caps),
            (json!({"run_micro_usd": 0}), Caps { run: Cap::At(NanoUsd::ZERO), ..plane.caps }),
            (
                json!({"run_micro_usd": 2_500_000}),
                Caps { run: Cap::At(NanoUsd::from_nanos(2_500_000_000)), ..plane.caps },
            ),
            (json!({"day_micro_usd": "none"}), Caps { day: Cap::Unlimited, ..plane.caps }),
        ] {
            let budget = Budget::read(&body).unwrap();
            assert_eq!(budget.caps, caps, "{body}");
            assert_eq!(Budget::read(&budget.document()).unwrap(), budget, "written down whole");
        }
        for wrong in [
            json!({"run_micro_usd": -1}),
            json!({"run_micro_usd": 1.5}),
            json!({"run_micro_usd": "5"}),
            json!({"run_micro_usd": "None"}),
            json!({"run_micro_usd": "unlimited"}),
            json!({"run_micro_usd": true}),
            json!({"day_micro_usd": 10_000_000_001_u64}),
            json!({"day_micro_usd": []}),
            json!({"max_top_up_micro_usd": "none"}),
            json!({"usd_per_day": 10}),
            json!("none"),
            json!([]),
        ] {
            let problem = Budget::read(&wrong).unwrap_err();
            assert_eq!((problem.code, problem.errors.len()), (Code::BudgetMalformed, 1), "{wrong}");
        }
    }
}
