//! What was said on issues: in the order in which it was said, never changed.

use model::{
    id::{CommentId, IssueId},
    issue::Comment,
};

use crate::{
    error::StoreError,
    sql::statements,
    tx::Tx,
    value::{Row, Value},
};

statements! {
    INSERT = "INSERT INTO issue_comment (id, issue, at, body) VALUES ($1, $2, $3, $4)";
    LIST => sqlite "SELECT body FROM issue_comment WHERE issue = $1 AND ($2 IS NULL OR id > $2) ORDER BY id LIMIT $3",
        postgres "SELECT body FROM issue_comment WHERE issue = $1 AND ($2::uuid IS NULL OR id > $2)
        ORDER BY id LIMIT $3";
    DELETE = "DELETE FROM issue_comment WHERE issue = $1";
}

impl Tx {
    /// Stores what somebody said.
    pub async fn comment_insert(&mut self, comment: &Comment) -> Result<(), StoreError> {
        let params = [comment.id.into(), comment.issue.into(), comment.at.into(), Value::json(comment)];
        self.exec(&INSERT, &params).await.map(drop)
    }

    /// A page of what was said on an issue, the oldest first.
    pub async fn comments(
        &mut self,
        issue: IssueId,
        after: Option<CommentId>,
        limit: u32,
    ) -> Result<Vec<Comment>, StoreError> {
        let comment = |mut row: Row| row.json();
        self.query(&LIST, &[issue.into(), after.into(), limit.into()]).await?.into_iter().map(comment).collect()
    }

    /// Deletes what was said on an issue that is deleted.
    pub(crate) async fn comments_delete(&mut self, issue: IssueId) -> Result<(), StoreError> {
        self.exec(&DELETE, &[issue.into()]).await.map(drop)
    }
}
