//! The rows that a project's standings follow from, read at one moment.

use std::collections::HashMap;

use model::{
    id::ProjectId,
    problem::Problem,
    proof::{
        requirement::RequirementNumber,
        standing::{EvidenceFacts, Ground, Standing, standing},
        tree::ObjectId,
        waiver::Waiver,
    },
};
use store::{KeptRequirement, Tx};

/// A project's requirements, the waivers in force and the evidence that counts on a tree.
#[derive(Debug)]
pub struct Footing {
    /// By number.
    pub requirements: Vec<KeptRequirement>,
    /// At most one each.
    pub waivers: HashMap<RequirementNumber, Waiver>,
    /// Of all requirements.
    pub evidence: Vec<EvidenceFacts>,
}

impl Footing {
    /// Reads it.
    ///
    /// # Errors
    /// What the store says.
    pub async fn read(tx: &mut Tx, project: ProjectId, tree: Option<&ObjectId>) -> Result<Self, Problem> {
        let requirements = tx.requirements_all(project).await?;
        let waivers = tx.waivers_current(project).await?;
        let evidence = tx.standing_rows(project, tree).await?;
        let waivers = waivers.into_iter().map(|waiver| (waiver.requirement, waiver)).collect();
        Ok(Self { requirements, waivers, evidence })
    }

    /// What each requirement is worth, in their order.
    pub fn standings(&self, ground: &Ground<'_>) -> Vec<Standing> {
        let mut by: HashMap<RequirementNumber, Vec<&EvidenceFacts>> = HashMap::new();
        for facts in &self.evidence {
            by.entry(facts.requirement).or_default().push(facts);
        }
        let one = |kept: &KeptRequirement| {
            let number = kept.requirement.id;
            let evidence = by.get(&number).into_iter().flatten().copied();
            standing(&kept.requirement, evidence, self.waivers.get(&number), ground)
        };
        self.requirements.iter().map(one).collect()
    }
}
