//! Reviews: gates that a person looks at (P67, X9).

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    form::{Form, Text},
    verdict::{Outcome, Reason},
};
use crate::{
    actor::Actor,
    code::Code,
    digest::{Digest, Fields},
    problem::Problem,
    question::QuestionState,
};

/// The most items of a checklist.
pub const ITEMS: usize = 50;

/// What a person decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReviewDecision {
    /// It holds; every item was looked at.
    Accept,
    /// It does not hold, and the comment says why.
    Reject,
}

/// An answer that may be stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReviewAnswer {
    /// What was decided.
    pub decision: ReviewDecision,
    /// The ticked items of the checklist, from 0, rising.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<u64>,
    /// In their words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

impl ReviewAnswer {
    /// Reads an answer to a question with a checklist of this many items.
    pub fn read(body: &Value, checklist: usize) -> Result<Self, Problem> {
        let mut form = Form::new(body, "");
        let decision = form.choice("decision", &["accept", "reject"]);
        if decision.is_none() && !form.has("decision") {
            form.wrong("decision", "is required");
        }
        let mut items: Vec<u64> = Vec::new();
        for (at, item) in form.list("items", ITEMS).unwrap_or_default() {
            match item.as_u64().filter(|item| usize::try_from(*item).is_ok_and(|item| item < checklist)) {
                Some(item) if items.contains(&item) => {}
                Some(item) => items.push(item),
                None => form.wrong_at(at, "is not an item of the checklist"),
            }
        }
        items.sort_unstable();
        let text = form.text("text", Text::lines(2_000));
        let errors = form.finish();
        if !errors.is_empty() {
            return Err(Problem::invalid(errors));
        }
        let Some(decision) = decision else { return Err(Problem::invalid_field("/decision", "is required")) };
        let refuse = |code: Code, pointer: &str| Problem { code, ..Problem::invalid_field(pointer, code.title()) };
        match decision {
            ReviewDecision::Accept if items.len() < checklist => Err(refuse(Code::ChecklistIncomplete, "/items")),
            ReviewDecision::Reject if text.is_none() => Err(refuse(Code::ReasonRequired, "/text")),
            _ => Ok(Self { decision, items, text }),
        }
    }

    /// What it is worth.
    pub const fn outcome(&self) -> Outcome {
        match self.decision {
            ReviewDecision::Accept => Outcome::PASSED,
            ReviewDecision::Reject => Outcome::because(Reason::ReviewFailed),
        }
    }
}

/// What a review gate is worth while its question stands like this. `because` is why it was withdrawn.
pub fn review_outcome(state: QuestionState, answer: Option<&ReviewAnswer>, because: Option<&str>) -> Outcome {
    match (state, answer, because) {
        (QuestionState::Answered, Some(answer), _) => answer.outcome(),
        // An answer that cannot be read is none.
        (QuestionState::Answered, None, _) => Reason::InternalError.into(),
        (QuestionState::Open, ..) => Reason::ReviewPending.into(),
        (QuestionState::Expired, ..) => Reason::ReviewExpired.into(),
        (QuestionState::Withdrawn, _, Some("superseded")) => Reason::Superseded.into(),
        (QuestionState::Withdrawn, ..) => Reason::Cancelled.into(),
    }
}

/// The digest of a checklist, which the evidence names.
pub fn checklist_digest(items: &[String]) -> Digest {
    let mut fields = Fields::tagged("proofhouse-checklist-1");
    for item in items {
        fields.text(item);
    }
    fields.finish()
}

/// Whether this person may approve or review (P66): a person at all, and with `four_eyes` neither who
/// started the run nor who captured the requirement.
pub fn may_judge(person: &Actor, four_eyes: bool, starter: Option<&Actor>, creator: &Actor) -> Result<(), Code> {
    let Actor::Person { id, .. } = person else { return Err(Code::PersonRequired) };
    let same = |other: &Actor| matches!(other, Actor::Person { id: other, .. } if other == id);
    if four_eyes && (same(creator) || starter.is_some_and(same)) {
        return Err(Code::FourEyes);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::id::{RunId, UserId};

    #[test]
    fn an_acceptance_ticks_every_item_and_a_refusal_says_why() {
        // P67, X9
        let code = |body: Value| ReviewAnswer::read(&body, 2).unwrap_err().code;
        assert_eq!(code(json!({"decision": "accept", "items": [1]})), Code::ChecklistIncomplete);
        assert_eq!(code(json!({"decision": "accept", "items": [1, 1]})), Code::ChecklistIncomplete);
        assert_eq!(code(json!({"decision": "reject"})), Code::ReasonRequired);
        for body in [
            json!({}),
            json!({"decision": "maybe"}),
            json!({"decision": "accept", "items": [0, 2]}),
            json!({"decision": "accept", "items": [0, -1]}),
            json!({"decision": "accept", "items": [0, 1], "answered_by": "me"}),
            json!({"decision": "reject", "text": " "}),
        ] {
            assert_eq!(code(body.clone()), Code::Invalid, "{body}");
        }
        let yes = ReviewAnswer::read(&json!({"decision": "accept", "items": [1, 0, 1]}), 2).unwrap();
        assert_eq!((yes.items.as_slice(), yes.outcome()), (&[0, 1][..], Outcome::PASSED));
        let no = ReviewAnswer::read(&json!({"decision": "reject", "text": "blurred"}), 2).unwrap();
        assert_eq!(no.outcome().reason(), Some(Reason::ReviewFailed));
    }

    #[test]
    fn every_state_of_the_question_has_its_outcome() {
        // P67
        use QuestionState as Q;
        let yes = ReviewAnswer { decision: ReviewDecision::Accept, items: Vec::new(), text: None };
        let reason = |state, because| review_outcome(state, None, because).reason().unwrap();
        assert_eq!(review_outcome(Q::Answered, Some(&yes), None), Outcome::PASSED);
        assert_eq!(reason(Q::Answered, None), Reason::InternalError);
        assert_eq!(reason(Q::Open, None), Reason::ReviewPending);
        assert_eq!(reason(Q::Expired, None), Reason::ReviewExpired);
        assert_eq!(reason(Q::Withdrawn, Some("superseded")), Reason::Superseded);
        assert_eq!(reason(Q::Withdrawn, Some("cancelled")), Reason::Cancelled);
        // An answer that came with another state does not count.
        assert!(!review_outcome(Q::Expired, Some(&yes), None).is_passed());
    }

    #[test]
    fn only_a_second_person_judges_under_four_eyes() {
        // P66
        let person = |n| Actor::Person { id: UserId::from_uuid(uuid::Uuid::from_u128(n)), name: n.to_string() };
        let run = Actor::Run { id: RunId::from_uuid(uuid::Uuid::nil()) };
        assert_eq!(may_judge(&run, false, None, &person(1)), Err(Code::PersonRequired));
        assert_eq!(may_judge(&person(1), false, Some(&person(1)), &person(1)), Ok(()));
        assert_eq!(may_judge(&person(1), true, None, &person(1)), Err(Code::FourEyes));
        assert_eq!(may_judge(&person(1), true, Some(&person(1)), &run), Err(Code::FourEyes));
        assert_eq!(may_judge(&person(1), true, Some(&person(2)), &person(3)), Ok(()));
    }

    #[test]
    fn a_checklist_has_a_digest_of_its_items() {
        let of = |items: &[&str]| checklist_digest(&items.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_ne!(of(&["ab"]), of(&["a", "b"]));
    }
}
