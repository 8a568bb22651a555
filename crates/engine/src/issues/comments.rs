//! What is said on an issue.

use model::{
    actor::Actor,
    id::{CommentId, IssueId, ProjectId},
    issue::{self, Comment},
    journal::{NewEntry, StreamId},
    problem::Problem,
};
use serde_json::json;

use super::held;
use crate::{Engine, Once, once};

impl Engine {
    /// Says something on an issue, once per idempotency key.
    ///
    /// # Errors
    /// 404; 422 for a text that is blank, too long or not plain.
    pub async fn comment(
        &self,
        project: ProjectId,
        issue: IssueId,
        body: &str,
        by: &Actor,
        once: Option<Once>,
    ) -> Result<Comment, Problem> {
        let body = issue::comment(body).map_err(Problem::invalid)?;
        let now = self.now();
        let comment = Comment { id: CommentId::from_uuid(self.clock().id()), issue, body, actor: by.clone(), at: now };
        self.store()
            .write(move |tx| {
                let (comment, once) = (comment.clone(), once.clone());
                Box::pin(async move {
                    if let Some(before) = once::answered(tx, once.as_ref(), now).await? {
                        return Ok(before);
                    }
                    let found = held(tx, project, issue).await?;
                    tx.comment_insert(&comment).await?;
                    let facts = json!({
                        "issue": issue, "number": found.number, "comment": comment.id, "actor": comment.actor,
                    });
                    let entry = NewEntry::new("issue.commented", facts);
                    tx.journal_append(StreamId::Project(project), &[entry], now).await?;
                    once::answer(tx, once.as_ref(), 201, &comment).await?;
                    Ok(comment)
                })
            })
            .await
    }

    /// A page of what was said on an issue, the oldest first; one more than asked for when there are more.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn comments(
        &self,
        issue: IssueId,
        after: Option<CommentId>,
        limit: u32,
    ) -> Result<Vec<Comment>, Problem> {
        self.store().read(move |tx| Box::pin(async move { Ok(tx.comments(issue, after, limit + 1).await?) })).await
    }
}
