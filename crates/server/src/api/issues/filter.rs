//! Which issues, as a query says it: the same words for the list and for the board.

use model::{
    id::IssueId,
    issue::{Attention, Execution, IssueKind, IssueStatus, Priority},
    problem::Problem,
};
use store::IssueFilter;

use crate::extract::List;

/// The longest text to look for.
const Q: usize = 200;

/// The parameters of a list or a board that choose issues.
pub(super) struct Chosen {
    pub status: List<IssueStatus>,
    pub kind: List<IssueKind>,
    pub priority: List<Priority>,
    pub attention: List<Attention>,
    pub label: Option<String>,
    pub assignee: Option<String>,
    pub execution: Option<String>,
    pub parent: Option<IssueId>,
    pub q: Option<String>,
}

impl Chosen {
    /// The filter.
    ///
    /// # Errors
    /// 422 for a blank or over-long text, or an execution that is none.
    pub fn read(self) -> Result<IssueFilter, Problem> {
        for (name, text) in [("label", &self.label), ("assignee", &self.assignee), ("q", &self.q)] {
            if text.as_ref().is_some_and(|text| text.trim().is_empty() || text.chars().count() > Q) {
                let message = format!("1 to {Q} characters are allowed");
                return Err(Problem::invalid_field(format!("/{name}"), message).with("in", "query"));
            }
        }
        let execution = self.execution.as_deref().map(str::parse::<Execution>).transpose();
        let execution =
            execution.map_err(|error| Problem::invalid_field("/execution", error.to_string()).with("in", "query"))?;
        Ok(IssueFilter {
            status: self.status.0,
            kind: self.kind.0,
            priority: self.priority.0,
            label: self.label,
            assignee: self.assignee,
            execution: execution.map(|execution| execution.to_string()),
            parent: self.parent,
            words: self.q,
            attention: self.attention.0,
        })
    }
}
