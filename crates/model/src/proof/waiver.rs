//! Waivers: a person's dated exception to a requirement (P64, P65).

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    form::{Form, Text},
    gate::GateName,
    requirement::{OBLIGATIONS, Requirement, RequirementNumber},
};
use crate::{
    actor::Actor,
    code::Code,
    id::{ProjectId, WaiverId},
    problem::Problem,
    time::{Day, Timestamp},
};

/// Why a waiver no longer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WaiverEndKind {
    /// The UTC day after its last one began.
    Expired,
    /// Somebody took it back.
    Revoked,
    /// A newer one took its place.
    Replaced,
}

/// The end of a waiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WaiverEnd {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: Actor,
    /// How.
    pub kind: WaiverEndKind,
    /// Why, in their words; for an expiry the plane's.
    pub why: String,
}

/// A waiver as stored. The history is append-only; at most one is in force per requirement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Waiver {
    /// Its id.
    pub id: WaiverId,
    /// The project.
    pub project: ProjectId,
    /// The requirement.
    pub requirement: RequirementNumber,
    /// The gates it leaves out; absent is all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gates: Option<Vec<GateName>>,
    /// Why.
    pub reason: String,
    /// The last UTC day on which it holds; absent is until it is revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Day>,
    /// What was thought of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checklist: Vec<String>,
    /// Who.
    pub approved_by: Actor,
    /// When.
    pub granted_at: Timestamp,
    /// Its end, once somebody ended it or the sweep wrote down that it expired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<WaiverEnd>,
}

impl Waiver {
    /// Whether it holds on this UTC day. No run and no sweep is needed for it to end.
    pub fn holds_on(&self, today: Day) -> bool {
        self.ended.is_none() && self.expires.is_none_or(|last| today <= last)
    }

    /// Whether it leaves out this gate.
    pub fn covers(&self, gate: &GateName) -> bool {
        self.gates.as_ref().is_none_or(|gates| gates.contains(gate))
    }

    /// Whether it leaves out every obligation.
    pub fn covers_all(&self, requirement: &Requirement) -> bool {
        requirement.obligations.iter().all(|obligation| self.covers(&obligation.gate))
    }
}

/// A waiver that may be granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaiverAsked {
    /// The gates; none is all.
    pub gates: Option<Vec<GateName>>,
    /// Why.
    pub reason: String,
    /// The last day.
    pub expires: Option<Day>,
    /// What was thought of.
    pub checklist: Vec<String>,
}

impl WaiverAsked {
    /// Reads a body; the gates must be gates of the requirement.
    pub fn read(body: &Value, requirement: &Requirement, today: Day) -> Result<Self, Problem> {
        let mut form = Form::new(body, "");
        let given = form.value("reason");
        let blank = given.is_none_or(|value| value.as_str().is_some_and(|text| text.trim().is_empty()));
        let reason = if blank { None } else { form.text("reason", Text::lines(2_000)) };
        let gates = form.set("gates", 4 * OBLIGATIONS, |text| {
            let gate: GateName = text.parse().map_err(|wrong| format!("{wrong}"))?;
            let own = requirement.obligation(&gate).is_some();
            if own { Ok(gate) } else { Err("is not a gate of this requirement".to_owned()) }
        });
        if gates.as_ref().is_some_and(Vec::is_empty) {
            form.wrong("gates", "must name at least one gate, or be left out");
        }
        let checklist = form.set("checklist", 50, |text| Text::line(500).check(text).map(|()| text.to_owned()));
        let expires = form.value("expires").map(|value| value.as_str().and_then(|text| text.parse::<Day>().ok()));
        let errors = form.finish();
        if !errors.is_empty() {
            return Err(Problem::invalid(errors));
        }
        let at = |code: Code, pointer: &str| Problem { code, ..Problem::invalid_field(pointer, code.title()) };
        let Some(reason) = reason else { return Err(at(Code::ReasonRequired, "/reason")) };
        let expires = match expires {
            None => None,
            Some(None) => return Err(at(Code::ExpiryInvalid, "/expires")),
            Some(Some(day)) if day < today => return Err(at(Code::ExpiryPast, "/expires")),
            Some(day) => day,
        };
        Ok(Self { gates, reason, expires, checklist: checklist.unwrap_or_default() })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::capture::tests::captured;
    use super::*;

    pub fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    pub fn waiver(gates: Option<&[&str]>, expires: Option<&str>) -> Waiver {
        Waiver {
            id: WaiverId::from_uuid(uuid::Uuid::nil()),
            project: ProjectId::from_uuid(uuid::Uuid::nil()),
            requirement: RequirementNumber::new(7).unwrap(),
            gates: gates.map(|gates| gates.iter().map(|gate| gate.parse().unwrap()).collect()),
            reason: "known".to_owned(),
            expires: expires.map(day),
            checklist: Vec::new(),
            approved_by: Actor::System,
            granted_at: Timestamp::default(),
            ended: None,
        }
    }

    fn read(body: Value) -> Result<WaiverAsked, Problem> {
        let requirement = captured(&json!({"title": "t", "description": "d", "gates": ["unit", "e2e"]}));
        WaiverAsked::read(&body, &requirement, day("2026-11-21"))
    }

    /// P64: valid through its whole last UTC day, and not a moment longer.
    #[test]
    fn a_waiver_ends_with_its_last_utc_day() {
        let waiver = waiver(None, Some("2026-11-21"));
        let end = day("2026-11-21").end();
        assert!(waiver.holds_on(end.shifted(-1).day()));
        assert!(!waiver.holds_on(end.day()));
        let endless = super::tests::waiver(None, None);
        assert!(endless.holds_on(day("9999-12-31")));
    }

    /// P64: the table of section 9.
    #[test]
    fn a_waiver_needs_a_reason_and_a_real_day_from_today_on() {
        let code = |body| read(body).unwrap_err().code;
        assert_eq!(code(json!({})), Code::ReasonRequired);
        assert_eq!(code(json!({"reason": " \n"})), Code::ReasonRequired);
        assert_eq!(code(json!({"reason": 1})), Code::Invalid);
        assert_eq!(code(json!({"reason": "x".repeat(2001)})), Code::Invalid);
        for expires in [json!("2027-02-29"), json!("2027-01-01T00:00:00Z"), json!("soon"), json!(20270101), json!("")] {
            assert_eq!(code(json!({"reason": "x", "expires": expires})), Code::ExpiryInvalid);
        }
        assert_eq!(code(json!({"reason": "x", "expires": "2026-11-20"})), Code::ExpiryPast);
        assert!(read(json!({"reason": "x", "expires": "2026-11-21"})).is_ok());
        assert_eq!(read(json!({"reason": "x", "expires": null})).unwrap().expires, None);
        assert_eq!(code(json!({"reason": "x", "gates": ["demo"]})), Code::Invalid);
        assert_eq!(code(json!({"reason": "x", "gates": []})), Code::Invalid);
        assert_eq!(code(json!({"reason": "x", "approved_by": "me"})), Code::Invalid);
        assert_eq!(read(json!({"reason": "x", "gates": ["e2e", "e2e"]})).unwrap().gates.unwrap().len(), 1);
    }

    #[test]
    fn a_waiver_with_gates_leaves_out_only_those() {
        // P65
        let requirement = captured(&json!({"title": "t", "description": "d", "gates": ["unit", "e2e"]}));
        assert!(waiver(None, None).covers_all(&requirement));
        assert!(!waiver(Some(&["unit"]), None).covers_all(&requirement));
        assert!(waiver(Some(&["unit", "e2e"]), None).covers_all(&requirement));
        assert!(!waiver(Some(&["unit"]), None).covers(&"e2e".parse().unwrap()));
    }

    proptest! {
        /// P64: whatever the machine's zone, the answer depends on the UTC instant alone.
        #[test]
        fn the_zone_of_the_machine_does_not_matter(micros in 0i64..4_000_000_000_000_000) {
            let now = Timestamp::from_micros(micros);
            let waiver = waiver(None, Some("2026-11-21"));
            prop_assert_eq!(waiver.holds_on(now.day()), now < day("2026-11-21").end());
        }
    }
}
