//! Is what the project rests on still what was sealed? The newest evidence of each obligation, held
//! against its bytes (P51).

use std::collections::HashSet;

use model::{id::EvidenceId, problem::Problem, project::Project, proof::requirement::RequirementNumber};

use super::evidence::{Examined, examine, observed_tree};
use crate::Engine;

/// The newest evidence of each obligation, on the current tree and settling, looked at now.
///
/// # Errors
/// 404 for a requirement that the project does not have; what the store says. Damage is no error.
pub async fn integrity(
    engine: &Engine,
    project: &Project,
    requirement: Option<RequirementNumber>,
) -> Result<Vec<Examined>, Problem> {
    let project = project.id;
    let ids: Vec<EvidenceId> = engine
        .store()
        .read(move |tx| {
            Box::pin(async move {
                let tree = observed_tree(tx, project).await?;
                let rows = match requirement {
                    Some(requirement) => {
                        tx.requirement(project, requirement).await?.ok_or_else(Problem::not_found)?;
                        tx.standing_rows_of(project, requirement, tree.as_ref()).await?
                    }
                    None => tx.standing_rows(project, tree.as_ref()).await?,
                };
                let mut seen = HashSet::new();
                Ok::<_, Problem>(rows.into_iter().map(|facts| facts.id).filter(|id| seen.insert(*id)).collect())
            })
        })
        .await?;
    let mut examined = examine(engine, project, &ids).await?;
    examined.sort_by(|one, other| {
        let key = |examined: &Examined| (examined.facts.requirement, examined.facts.gate.clone(), examined.facts.seq);
        key(one).cmp(&key(other))
    });
    Ok(examined)
}
