//! What runs have to do with an issue.

use model::{
    id::{IssueId, RunId},
    run::Run,
};

use crate::{
    error::StoreError,
    run::{active, columns, run},
    sql::statements,
    tx::Tx,
};

statements! {
    LIST => sqlite concat!("SELECT ", columns!(), " FROM run
         WHERE issue = $1 AND ($2 IS NULL OR id < $2) ORDER BY id DESC LIMIT $3"),
        postgres concat!("SELECT ", columns!(), " FROM run
         WHERE issue = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3");
    WORKING = concat!("SELECT ", columns!(), " FROM run WHERE issue = $1 AND exclusive_key = $2 AND ", active!());
    ANY = "SELECT 1 FROM run WHERE issue = $1 LIMIT 1";
}

impl Tx {
    /// A page of the runs about an issue, newest first.
    pub async fn runs_of_issue(
        &mut self,
        issue: IssueId,
        before: Option<RunId>,
        limit: u32,
    ) -> Result<Vec<Run>, StoreError> {
        self.flush().await?;
        let params = [issue.into(), before.into(), limit.into()];
        self.query(&LIST, &params).await?.into_iter().map(run).collect()
    }

    /// The active run that works on an issue (D33).
    pub async fn run_working_on(&mut self, issue: IssueId) -> Result<Option<Run>, StoreError> {
        self.flush().await?;
        let params = [issue.into(), model::issue::work_key(issue).into()];
        self.query_opt(&WORKING, &params).await?.map(run).transpose()
    }

    /// Whether any run was ever about an issue (D6).
    pub async fn issue_has_runs(&mut self, issue: IssueId) -> Result<bool, StoreError> {
        Ok(self.query_opt(&ANY, &[issue.into()]).await?.is_some())
    }
}
