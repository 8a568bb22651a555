//! What people say on lines of the difference that a run made: kept until it is sent, and then for good.

use model::{
    dispatch::ChangeComment,
    id::{CommentId, IssueId, RunId},
    time::Timestamp,
};

use crate::{
    error::StoreError,
    sql::statements,
    tx::Tx,
    value::{Row, Value},
};

statements! {
    INSERT = "INSERT INTO change_comment (id, run, issue, at, body) VALUES ($1, $2, $3, $4, $5)";
    OF_RUN = "SELECT body, sent FROM change_comment WHERE run = $1 ORDER BY id LIMIT 500";
    OF_ISSUE => sqlite "SELECT body, sent FROM change_comment WHERE issue = $1 AND ($2 IS NULL OR id > $2)
        ORDER BY id LIMIT $3",
        postgres "SELECT body, sent FROM change_comment WHERE issue = $1 AND ($2::uuid IS NULL OR id > $2)
        ORDER BY id LIMIT $3";
    OF_IDS => sqlite "SELECT body, sent FROM change_comment WHERE id IN (SELECT unhex(value) FROM json_each($1))
        ORDER BY id",
        postgres "SELECT body, sent FROM change_comment WHERE id = ANY($1) ORDER BY id";
    QUEUED = "SELECT body, sent FROM change_comment WHERE issue = $1 AND sent IS NULL ORDER BY id";
    QUEUE = "UPDATE change_comment SET body = $2 WHERE id = $1 AND sent IS NULL";
    SEND = "UPDATE change_comment SET sent = $2 WHERE id = $1 AND sent IS NULL";
    DELETE = "DELETE FROM change_comment WHERE id = $1 AND run = $2 AND sent IS NULL";
}

fn comment(mut row: Row) -> Result<ChangeComment, StoreError> {
    let comment: ChangeComment = row.json()?;
    Ok(ChangeComment { sent: row.opt_uuid()?.map(RunId::from_uuid), ..comment })
}

impl Tx {
    /// Stores what somebody said.
    pub async fn change_comment_insert(&mut self, comment: &ChangeComment) -> Result<(), StoreError> {
        let body = Value::json(&ChangeComment { sent: None, ..comment.clone() });
        let params = [comment.id.into(), comment.run.into(), comment.issue.into(), comment.at.into(), body];
        self.exec(&INSERT, &params).await.map(drop)
    }

    /// All that was said on what a run made, the oldest first.
    pub async fn change_comments(&mut self, run: RunId) -> Result<Vec<ChangeComment>, StoreError> {
        self.query(&OF_RUN, &[run.into()]).await?.into_iter().map(comment).collect()
    }

    /// These comments, the oldest first.
    pub async fn change_comments_by_id(&mut self, ids: &[CommentId]) -> Result<Vec<ChangeComment>, StoreError> {
        let ids = Value::uuids(ids.iter().map(|id| id.uuid()));
        self.query(&OF_IDS, &[ids]).await?.into_iter().map(comment).collect()
    }

    /// A page of what was said on what the runs of an issue made, the oldest first.
    pub async fn change_comments_of_issue(
        &mut self,
        issue: IssueId,
        after: Option<CommentId>,
        limit: u32,
    ) -> Result<Vec<ChangeComment>, StoreError> {
        self.query(&OF_ISSUE, &[issue.into(), after.into(), limit.into()]).await?.into_iter().map(comment).collect()
    }

    /// What waits for the next agent that works on an issue, the oldest first. Of those that were not told yet, of
    /// which an issue has few.
    pub async fn change_comments_queued(&mut self, issue: IssueId) -> Result<Vec<ChangeComment>, StoreError> {
        let rows = self.query(&QUEUED, &[issue.into()]).await?;
        let unsent: Vec<ChangeComment> = rows.into_iter().map(comment).collect::<Result<_, _>>()?;
        Ok(unsent.into_iter().filter(|comment| comment.queued.is_some()).collect())
    }

    /// Says that a comment that nobody was told yet waits for the next agent.
    pub async fn change_comment_queue(&mut self, comment: &ChangeComment, at: Timestamp) -> Result<(), StoreError> {
        let body = Value::json(&ChangeComment { sent: None, queued: Some(at), ..comment.clone() });
        self.exec(&QUEUE, &[comment.id.into(), body]).await.map(drop)
    }

    /// Says that a comment was sent to a run; whether it had not been before.
    pub async fn change_comment_send(&mut self, id: CommentId, to: RunId) -> Result<bool, StoreError> {
        Ok(self.exec(&SEND, &[id.into(), to.into()]).await? == 1)
    }

    /// Takes back what was not sent yet; whether it was there.
    pub async fn change_comment_delete(&mut self, id: CommentId, run: RunId) -> Result<bool, StoreError> {
        Ok(self.exec(&DELETE, &[id.into(), run.into()]).await? == 1)
    }
}
