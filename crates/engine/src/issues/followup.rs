//! Work that an agent left, filed by a person as an issue of its own (D49): once for each piece, however often asked.

use model::{
    actor::Actor,
    id::{IssueId, LineageId},
    issue::{LineageKind, NewIssue},
    problem::Problem,
    run::{Run, RunKind},
};
use serde_json::{Value, json};

use super::{
    Detailed, detailed,
    file::{Whence, file},
};
use crate::{Engine, dispatch::Detail};

/// Characters of a title that is made of an agent's words.
const TITLE: usize = 200;

impl Engine {
    /// Files the piece of work with this number, from 1, that the agent of a run left: below the run's issue, or
    /// beside it. Answers the issue, and whether it was filed just now.
    ///
    /// # Errors
    /// 404 for a run or a piece that is not there; 409 [`Code::TreeLimit`](model::code::Code::TreeLimit).
    pub async fn file_followup(
        &self,
        run: &Run,
        number: u32,
        is_sibling: bool,
        by: &Actor,
    ) -> Result<(Detailed, bool), Problem> {
        let issue = run.issue.filter(|_| run.kind == RunKind::DISPATCH).ok_or_else(Problem::not_found)?;
        let report = Detail::of(run)?.report.ok_or_else(Problem::not_found)?;
        let at = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
        let piece = at.and_then(|at| report.followups.get(at)).ok_or_else(Problem::not_found)?;
        let (title, body) = words(piece);
        let ids = (IssueId::from_uuid(self.clock().id()), LineageId::from_uuid(self.clock().id()));
        let (run, project, by, now) = (run.id, run.project, by.clone(), self.now());
        self.store()
            .write(move |tx| {
                let (title, body, by) = (title.clone(), body.clone(), by.clone());
                Box::pin(async move {
                    // Whoever files of this run waits here, so that each piece is filed once.
                    tx.run_lock(run).await?.ok_or_else(Problem::not_found)?;
                    let known = tx.lineage_of(issue).await?.into_iter().find(|row| {
                        row.kind == LineageKind::Followup && row.run == Some(run) && row.piece == Some(number)
                    });
                    if let Some(row) = known {
                        let filed = tx.issue(row.issue).await?.ok_or_else(Problem::not_found)?;
                        return Ok((detailed(tx, filed).await?, false));
                    }
                    let origin = super::of_project(tx, project, issue).await?;
                    let parent = if is_sibling { origin.parent } else { Some(origin.id) };
                    let new: NewIssue = serde_json::from_value(
                        json!({"title": title, "body": body, "parent": parent, "origin": issue}),
                    )
                    .map_err(|error| Problem::invalid_field("/n", error.to_string()))?;
                    let whence = Whence { kind: LineageKind::Followup, run: Some(run), piece: Some(number) };
                    Ok::<_, Problem>((file(tx, project, &new, ids, &by, whence, now).await?, true))
                })
            })
            .await
    }
}

/// A piece of work as title and text. What an agent says is foreign: control characters go, a title is one line.
fn words(piece: &Value) -> (String, String) {
    let text = |names: &[&str]| names.iter().find_map(|name| piece.get(name)?.as_str()).map(str::to_owned);
    let whole = piece.as_str().map(str::to_owned);
    let title = text(&["title", "summary", "text"]).or(whole.clone()).unwrap_or_else(|| piece.to_string());
    let body = text(&["description", "body", "details"]).unwrap_or_default();
    let plain =
        |text: &str| -> String { text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect() };
    let line = plain(&title).split_whitespace().collect::<Vec<_>>().join(" ");
    let cut: String = line.chars().take(TITLE).collect();
    let mut body: String = plain(&body).chars().take(16 << 10).collect();
    if cut.len() < line.len() {
        body = format!("{line}\n\n{body}");
    }
    (if cut.is_empty() { "Follow-up".to_owned() } else { cut }, body.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    // D49, W42
    #[test]
    fn an_agents_words_become_a_title_and_a_text() {
        assert_eq!(words(&json!("Add a\n  test\u{7}")), ("Add a test".to_owned(), String::new()));
        let (title, body) = words(&json!({"title": "Sort", "description": "by date\nand name"}));
        assert_eq!((title.as_str(), body.as_str()), ("Sort", "by date\nand name"));
        let (title, body) = words(&json!("x".repeat(300)));
        assert_eq!((title.len(), body.len()), (200, 300));
        assert_eq!(words(&json!("")).0, "Follow-up");
        assert_eq!(words(&json!({"n": 1})).0, "{\"n\":1}");
    }
}
