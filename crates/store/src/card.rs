//! Cards: issues with what follows from their relations and their runs.

use std::collections::HashMap;

use model::{
    failure::Failure,
    id::{IssueId, RunId},
    issue::{Attention, Card, CardRun, Children, Facts, Gates, Issue},
    journal::{NewEntry, StreamId},
    run::{Progress, RunKind, RunStatus},
    time::Timestamp,
};

use serde_json::Value as Json;

use crate::{
    error::StoreError,
    sql::statements,
    tx::Tx,
    value::{Row, Value},
};

macro_rules! derived {
    ($agent:literal, $these:literal) => {
        concat!(
            "SELECT i.id, CASE WHEN i.parent IS NULL THEN 0 WHEN p.parent IS NULL THEN 1 ELSE 2 END,
            EXISTS (SELECT 1 FROM issue_blocker b JOIN issue o ON o.id = b.blocker
                WHERE b.issue = i.id AND o.status NOT IN ('done', 'closed')),
            (SELECT count(*) FROM issue c WHERE c.parent = i.id),
            (SELECT count(*) FROM issue c WHERE c.parent = i.id AND c.status IN ('done', 'closed')),
            (SELECT count(*) FROM run r JOIN question q ON q.run = r.id WHERE r.issue = i.id AND q.state = 'open'),
            (SELECT count(*) FROM run r JOIN artifact a ON a.run = r.id WHERE r.issue = i.id AND a.dropped = 0),
            (SELECT count(*) FROM issue_comment m WHERE m.issue = i.id),
            EXISTS (SELECT 1 FROM run r WHERE r.issue = i.id AND r.kind = 'plan'
                AND r.status IN ('queued', 'running', 'waiting', 'paused', 'completed')),
            g.status, g.verdict, w.id, w.kind, w.status, w.phase, w.verdict, w.failure, w.total, w.done, w.failed, ",
            $agent,
            "
        FROM issue i LEFT JOIN issue p ON p.id = i.parent
            LEFT JOIN run g ON g.id = (SELECT r.id FROM run r WHERE r.issue = i.id AND r.kind = 'proof'
                ORDER BY r.id DESC LIMIT 1)
            LEFT JOIN run w ON w.id = (SELECT r.id FROM run r WHERE r.issue = i.id AND r.kind <> 'proof'
                ORDER BY r.id DESC LIMIT 1)
        WHERE i.id ",
            $these
        )
    };
}

statements! {
    DERIVED => sqlite derived!("json_extract(w.detail, '$.agent')", "IN (SELECT unhex(value) FROM json_each($1))"), postgres derived!("(w.detail::json -> 'agent')::text", "= ANY($1)");
}

/// What is not in an issue's own row.
struct Derived {
    depth: u32,
    blocked: bool,
    children: Children,
    open_questions: u32,
    artifacts: u32,
    comments: u32,
    planned: bool,
    gates: Gates,
    run: Option<CardRun>,
}

fn derived(mut row: Row) -> Result<(IssueId, Derived), StoreError> {
    let id = IssueId::from_uuid(row.uuid()?);
    let (depth, blocked) = (row.u32()?, row.flag()?);
    let children = Children { total: row.u32()?, done: row.u32()? };
    let (open_questions, artifacts, comments, planned) = (row.u32()?, row.u32()?, row.u32()?, row.flag()?);
    let proof = (row.opt_text()?, row.opt_text()?);
    let proof = proof.0.map(|status| (status, proof.1));
    let gates = match &proof {
        None => Gates::None,
        Some((status, verdict)) => {
            let status = RunStatus::by_name(status)
                .ok_or_else(|| StoreError::DatabaseDamaged("a run has an unknown status".to_owned()))?;
            Gates::of(Some((status, verdict.as_deref())))
        }
    };
    let run = match row.opt_uuid()? {
        None => None,
        Some(run) => Some(card_run(RunId::from_uuid(run), &mut row)?),
    };
    Ok((id, Derived { depth, blocked, children, open_questions, artifacts, comments, planned, gates, run }))
}

fn card_run(id: RunId, row: &mut Row) -> Result<CardRun, StoreError> {
    let run = CardRun {
        id,
        kind: RunKind::from_text(row.text()?),
        status: row.named(RunStatus::by_name)?,
        phase: row.text()?,
        verdict: row.opt_text()?,
        failure: row.opt_json::<Failure>()?.map(|failure| failure.code.slug().to_owned()),
        progress: Progress { total: row.u32()?, done: row.u32()?, failed: row.u32()? },
        usage: None,
        cost: None,
        simulated: false,
    };
    // Part of a document of the run's kind; one that says it otherwise says nothing here.
    let agent = row.opt_json::<Json>()?.unwrap_or_default();
    let part = |name: &str| agent.get(name).cloned();
    Ok(CardRun {
        usage: part("usage").and_then(|usage| serde_json::from_value(usage).ok()),
        cost: part("cost").and_then(|cost| serde_json::from_value(cost).ok()),
        simulated: agent.get("simulated").and_then(Json::as_bool).unwrap_or(false),
        ..run
    })
}

fn card(issue: &Issue, derived: Derived) -> Card {
    let attention = Attention::of(&Facts {
        kind: issue.kind,
        status: issue.status,
        notice: issue.notice,
        open_questions: derived.open_questions,
        children: derived.children.total,
        planned: derived.planned,
    });
    Card {
        id: issue.id,
        number: issue.number,
        project: issue.project,
        parent: issue.parent,
        depth: derived.depth,
        kind: issue.kind,
        title: issue.title.clone(),
        status: issue.status,
        priority: issue.priority,
        rank: issue.rank.clone(),
        labels: issue.labels.clone(),
        assignee: issue.assignee.clone(),
        blocked_by: issue.blocked_by.clone(),
        blocked: derived.blocked,
        execution: issue.execution.clone(),
        source: issue.source,
        notice: issue.notice,
        attention,
        children: derived.children,
        run: derived.run,
        gates: derived.gates,
        open_questions: derived.open_questions,
        artifacts: derived.artifacts,
        comments: derived.comments,
        created_at: issue.created_at,
        updated_at: issue.updated_at,
        revision: issue.revision,
    }
}

impl Tx {
    /// The cards of these issues, in their order: what is derived is read from the rows it follows from, in one
    /// query for all.
    pub async fn issue_cards(&mut self, issues: &[Issue]) -> Result<Vec<Card>, StoreError> {
        if issues.is_empty() {
            return Ok(Vec::new());
        }
        // Counters that have moved in this transaction are part of what a card tells.
        self.flush().await?;
        let ids = Value::uuids(issues.iter().map(|issue| issue.id.uuid()));
        let rows = self.query(&DERIVED, &[ids]).await?;
        let mut of = rows.into_iter().map(derived).collect::<Result<HashMap<_, _>, _>>()?;
        let cards = issues.iter().filter_map(|issue| Some(card(issue, of.remove(&issue.id)?)));
        Ok(cards.collect())
    }

    /// Puts the card of an issue on its project's stream as it is now, with what changed it (S7, X25). An issue
    /// that is no more has no card.
    pub async fn issue_tell(
        &mut self,
        issue: IssueId,
        cause: serde_json::Value,
        now: Timestamp,
    ) -> Result<Option<Card>, StoreError> {
        let Some(issue) = self.issue(issue).await? else { return Ok(None) };
        let card = self.issue_card(&issue).await?;
        let entry = NewEntry::new("issue.card", serde_json::json!({"card": card, "cause": cause}));
        self.journal_append(StreamId::Project(issue.project), &[entry], now).await?;
        Ok(Some(card))
    }

    /// The card of an issue.
    pub async fn issue_card(&mut self, issue: &Issue) -> Result<Card, StoreError> {
        let mut cards = self.issue_cards(std::slice::from_ref(issue)).await?;
        cards.pop().ok_or(StoreError::NotFound("issue"))
    }
}
