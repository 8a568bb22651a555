//! Deleting an issue that nothing builds on (D6).

use model::{
    actor::Actor,
    code::Code,
    id::{IssueId, ProjectId},
    issue::Issue,
    problem::Problem,
};
use serde_json::json;

use super::{detailed, held, old_revision, save};
use crate::{Engine, projects::told};

impl Engine {
    /// Deletes an issue with what was said on it. Those that wait for it no longer do.
    ///
    /// # Errors
    /// 404; 412; 409 [`Code::IssueInUse`] when it has children, any run, or a lineage in either direction.
    pub async fn delete_issue(
        &self,
        project: ProjectId,
        id: IssueId,
        revision: u64,
        by: &Actor,
    ) -> Result<(), Problem> {
        let (by, now) = (by.clone(), self.now());
        self.store()
            .write(move |tx| {
                let by = by.clone();
                Box::pin(async move {
                    tx.issue_tree_hold(project).await?;
                    let issue = held(tx, project, id).await?;
                    if issue.revision != revision {
                        return Err(old_revision(&detailed(tx, issue).await?));
                    }
                    let children = tx.issue_children(id).await?.len();
                    let lineage = tx.lineage_of(id).await?.len();
                    let has_runs = tx.issue_has_runs(id).await?;
                    if children > 0 || lineage > 0 || has_runs {
                        let because = [(children > 0, "children"), (lineage > 0, "lineage"), (has_runs, "runs")];
                        let because: Vec<_> = because.iter().filter(|(is, _)| *is).map(|(_, word)| *word).collect();
                        let message = format!("issue {} has {}", issue.number, because.join(", "));
                        return Err(Problem::new(Code::IssueInUse, message).with("because", json!(because)));
                    }
                    let waiting = tx.issues_waiting_for(id).await?;
                    for old in waiting {
                        let left = old.blocked_by.iter().copied().filter(|blocker| *blocker != id).collect();
                        let mut new = Issue { blocked_by: left, ..old.clone() };
                        save(tx, &old, &mut new, "blocker_deleted", json!({"actor": by}), now).await?;
                    }
                    tx.issue_delete(id).await?;
                    let facts = json!({
                        "issue": id, "number": issue.number, "title": issue.title, "status": issue.status, "actor": by,
                    });
                    told(tx, project, "issue.deleted", facts, now).await?;
                    if let Some(parent) = issue.parent {
                        let cause = json!({"what": "relative", "issue": id, "number": issue.number});
                        tx.issue_tell(parent, cause, now).await?;
                    }
                    Ok(())
                })
            })
            .await
    }
}
