//! The project's gates as anybody may see them, and the acceptance of a changed definition (P60).

use std::collections::HashSet;

use model::{
    actor::Actor,
    code::Code,
    digest::Digest,
    problem::{FieldError, Problem},
    project::Project,
    proof::gate::{Gate, GateName},
};
use serde_json::json;
use store::AcceptedDefinition;

use super::ground;
use crate::{Engine, projects};

/// The longest reason, in characters.
const REASON: usize = 2_000;
/// Definitions accepted at once.
const AT_ONCE: usize = 64;

/// A gate of the project's checkout.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownGate {
    /// The gate.
    pub gate: Gate,
    /// Its definition's digest.
    pub definition: Digest,
    /// Whether the merge gate takes evidence of this definition.
    pub accepted: bool,
}

/// The project's gates, in their order.
///
/// # Errors
/// What the checkout, its `proofhouse.toml` or the store say.
pub async fn gates(engine: &Engine, project: &Project) -> Result<Vec<KnownGate>, Problem> {
    let catalogue = ground::catalogue(engine, project).await?;
    let accepted = ground::accepted(engine, project).await?;
    let known = |gate: Gate| {
        let definition = gate.definition.digest();
        KnownGate { gate, definition, accepted: accepted.contains(&definition) }
    };
    Ok(catalogue.gates.into_iter().map(known).collect())
}

/// Lets evidence of these definitions count at the merge gate. Told to the board and the audit log.
///
/// # Errors
/// 422 without a reason, or for a definition that neither a gate nor evidence of this project has.
/// The caller has made sure that an admin who is a person asks (P66).
pub async fn accept(
    engine: &Engine,
    project: &Project,
    definitions: &[Digest],
    reason: &str,
    by: &Actor,
) -> Result<Vec<AcceptedDefinition>, Problem> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > REASON {
        let error = FieldError::new("/reason", "1 to 2,000 characters");
        return Err(Problem { code: Code::ReasonRequired, ..Problem::invalid(vec![error]) });
    }
    if definitions.is_empty() || definitions.len() > AT_ONCE {
        return Err(Problem::invalid_field("/definitions", format!("1 to {AT_ONCE} are accepted at once")));
    }
    // A checkout out of reach still leaves what evidence has shown.
    let known: Vec<(Digest, GateName)> = match ground::catalogue(engine, project).await {
        Ok(catalogue) => {
            let pair = |gate: Gate| (gate.definition.digest(), gate.definition.name);
            catalogue.gates.into_iter().map(pair).collect()
        }
        Err(_) => Vec::new(),
    };
    let (id, asked, by, reason) = (project.id, definitions.to_vec(), by.clone(), reason.to_owned());
    let now = engine.now();
    engine
        .store()
        .write(move |tx| {
            let (asked, by, reason, known) = (asked.clone(), by.clone(), reason.clone(), known.clone());
            Box::pin(async move {
                let (mut accepted, mut wrong, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
                for (at, definition) in asked.into_iter().enumerate() {
                    if !seen.insert(definition) {
                        continue;
                    }
                    let named = known.iter().find(|(known, _)| *known == definition).map(|(_, gate)| gate.clone());
                    let gate = match named {
                        Some(gate) => Some(gate),
                        None => tx.evidence_gate_of(id, &definition).await?,
                    };
                    match gate {
                        Some(gate) => accepted.push(AcceptedDefinition {
                            gate,
                            definition,
                            by: by.clone(),
                            at: now,
                            reason: reason.clone(),
                        }),
                        None => wrong.push(FieldError::new(
                            format!("/definitions/{at}"),
                            "neither a gate nor evidence of this project has this definition",
                        )),
                    }
                }
                if !wrong.is_empty() {
                    return Err(Problem::invalid(wrong));
                }
                for one in &accepted {
                    if tx.definition_accept(id, one).await? {
                        let facts = json!({
                            "gate": one.gate, "definition": one.definition, "reason": one.reason, "actor": one.by,
                        });
                        projects::told(tx, id, "definition.accepted", facts, now).await?;
                    }
                }
                Ok(accepted)
            })
        })
        .await
}
