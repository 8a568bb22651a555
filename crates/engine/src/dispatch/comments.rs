//! Comments on lines of what a run made: said while one reads, sent together, and told to the agent of the next run
//! (S92). They are marked as sent in the transaction that stores that run, so that each is sent once.
//!
//! Sent while a run is at work on the issue they are a message that waits (S32): no agent takes words in the middle of
//! its work, so the next prompt that is made for the issue tells them. That is the run's own, where it is not made yet,
//! else the next run's. They are marked in the transaction that stores that prompt: whoever dies before it makes another.

use model::{
    actor::Actor,
    code::Code,
    dispatch::{ChangeComment, DispatchConfig, NewChangeComment, comment::COMMENTS},
    id::{CommentId, IssueId, RunId},
    journal::{NewEntry, StreamId},
    problem::Problem,
    run::{Run, RunKind},
};
use serde_json::json;
use store::Tx;

use super::Detail;
use crate::{
    Engine, Once,
    kind::Admission,
    once,
    submit::{Answered, Submit, Submitted},
};

/// These comments, as the agent is told of them.
pub(super) async fn of(engine: &Engine, ids: &[CommentId]) -> Result<Vec<ChangeComment>, Problem> {
    let ids = ids.to_vec();
    engine
        .store()
        .read(move |tx| {
            let ids = ids.clone();
            Box::pin(async move { Ok(tx.change_comments_by_id(&ids).await?) })
        })
        .await
}

/// What waits for the next agent that works on an issue.
pub(super) async fn queued(engine: &Engine, issue: IssueId) -> Result<Vec<ChangeComment>, Problem> {
    engine.store().read(move |tx| Box::pin(async move { Ok(tx.change_comments_queued(issue).await?) })).await
}

/// Marks what a prompt told, in the transaction that stores the prompt.
pub(super) async fn delivered(tx: &mut Tx, run: RunId, told: &[CommentId]) -> Result<Option<NewEntry>, Problem> {
    for comment in told {
        tx.change_comment_send(*comment, run).await?;
    }
    let said = json!({"comments": told, "state": "delivered"});
    Ok((!told.is_empty()).then(|| NewEntry::new("person.message", said)))
}

/// Takes the comments of a request: those that were not sent yet are sent now, to the run that is being stored. A run
/// that tries again one which was told of comments is told of the same.
pub(super) async fn admit(tx: &mut Tx, ask: &Admission<'_>, config: &DispatchConfig) -> Result<(), Problem> {
    let Some(ids) = &config.comments else { return Ok(()) };
    let wrong = |message: &str| Problem::invalid_field("/config/comments", message);
    let Some(old) = ask.retry_of else { return Err(wrong("are for runs that try another again")) };
    if ids.is_empty() {
        return Err(Problem::new(Code::WrongState, "there is no comment that was not sent yet"));
    }
    let found = tx.change_comments_by_id(ids).await?;
    if found.len() != ids.len() || found.iter().any(|comment| Some(comment.issue) != old.issue) {
        return Err(wrong("name a comment that is not there"));
    }
    for comment in found {
        match comment.sent {
            Some(told) if told == old.id => {}
            _ if tx.change_comment_send(comment.id, ask.run).await? => {}
            _ => return Err(wrong("name a comment that was sent to another run")),
        }
    }
    Ok(())
}

fn is_dispatch(run: &Run) -> Result<IssueId, Problem> {
    let issue = run.issue.filter(|_| run.kind == RunKind::DISPATCH);
    issue.ok_or_else(Problem::not_found)
}

impl Engine {
    /// Says something on a line of what a run made, once per idempotency key.
    ///
    /// # Errors
    /// 404 for runs of other kinds; 409 for one that has made nothing; 422 for wrong values; 413 for too many.
    pub async fn comment_change(
        &self,
        run: &Run,
        new: NewChangeComment,
        by: &Actor,
        once: Option<Once>,
    ) -> Result<ChangeComment, Problem> {
        let issue = is_dispatch(run)?;
        let new = new.checked()?;
        if Detail::of(run)?.report.and_then(|report| report.commit).is_none() {
            return Err(Problem::new(Code::WrongState, "the run has made no commit that could be commented on"));
        }
        let now = self.now();
        let comment = ChangeComment {
            id: CommentId::from_uuid(self.clock().id()),
            run: run.id,
            issue,
            path: new.path,
            side: new.side,
            line: new.line,
            quoted: new.quoted,
            body: new.body,
            actor: by.clone(),
            at: now,
            sent: None,
            queued: None,
        };
        let project = run.project;
        self.store()
            .write(move |tx| {
                let (comment, once) = (comment.clone(), once.clone());
                Box::pin(async move {
                    if let Some(before) = once::answered(tx, once.as_ref(), now).await? {
                        return Ok(before);
                    }
                    if tx.change_comments(comment.run).await?.len() >= COMMENTS {
                        let message = format!("a change takes {COMMENTS} comments at most");
                        return Err(Problem::new(Code::TooLarge, message).with("limit", COMMENTS));
                    }
                    tx.change_comment_insert(&comment).await?;
                    let facts = json!({
                        "issue": comment.issue, "comment": comment.id, "run": comment.run, "path": comment.path,
                        "line": comment.line, "actor": comment.actor,
                    });
                    tx.journal_append(StreamId::Project(project), &[NewEntry::new("issue.commented", facts)], now)
                        .await?;
                    once::answer(tx, once.as_ref(), 201, &comment).await?;
                    Ok(comment)
                })
            })
            .await
    }

    /// Takes back a comment that was not sent yet.
    ///
    /// # Errors
    /// 404; 409 for one that was sent.
    pub async fn uncomment_change(&self, run: &Run, comment: CommentId) -> Result<(), Problem> {
        is_dispatch(run)?;
        let run = run.id;
        self.store()
            .write(move |tx| {
                Box::pin(async move {
                    let found = tx.change_comments(run).await?.into_iter().find(|one| one.id == comment);
                    let found = found.ok_or_else(Problem::not_found)?;
                    if found.queued.is_none() && tx.change_comment_delete(comment, run).await? {
                        return Ok(());
                    }
                    Err(Problem::new(Code::WrongState, "it was sent"))
                })
            })
            .await
    }

    /// A page of what was said on what the runs of an issue made; one more than asked for when there are more.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn change_comments(
        &self,
        issue: IssueId,
        after: Option<CommentId>,
        limit: u32,
    ) -> Result<Vec<ChangeComment>, Problem> {
        self.store()
            .read(move |tx| Box::pin(async move { Ok(tx.change_comments_of_issue(issue, after, limit + 1).await?) }))
            .await
    }

    /// Sends what was said and not sent yet: a new run goes on from what this one made, and its agent is told. While a
    /// run is at work on the issue it waits for the next prompt instead, and that run is answered as joined.
    ///
    /// # Errors
    /// 409 when nothing is to be sent, and as a start.
    pub async fn send_change_comments(
        &self,
        run: &Run,
        once: Option<Once>,
        actor: Actor,
    ) -> Result<Submitted, Problem> {
        let issue = is_dispatch(run)?;
        let id: RunId = run.id;
        if let Some(submitted) = self.queue_change_comments(id, issue, once.clone(), actor.clone()).await? {
            return Ok(submitted);
        }
        let unsent: Vec<CommentId> = self
            .store()
            .read(move |tx| Box::pin(async move { Ok::<_, Problem>(tx.change_comments(id).await?) }))
            .await?
            .into_iter()
            .filter(|comment| comment.sent.is_none())
            .map(|comment| comment.id)
            .collect();
        let mut config = run.config.clone();
        if let Some(config) = config.as_object_mut() {
            config.insert("reuse_result".to_owned(), json!(false));
            config.insert("comments".to_owned(), json!(unsent));
            // The agent goes on from its own work, not from where that began.
            if let Some(commit) = Detail::of(run)?.report.and_then(|report| report.commit) {
                config.insert("base".to_owned(), json!(commit));
            }
        }
        self.submit(Submit {
            project: run.project,
            kind: run.kind.clone(),
            config,
            actor,
            join: false,
            once,
            retry_of: Some(run.id),
            issue: run.issue,
        })
        .await
    }

    /// Keeps what was said on a run for the next prompt, where a run is at work on the issue.
    async fn queue_change_comments(
        &self,
        of: RunId,
        issue: IssueId,
        once: Option<Once>,
        actor: Actor,
    ) -> Result<Option<Submitted>, Problem> {
        let now = self.now();
        self.store()
            .write(move |tx| {
                let (once, actor) = (once.clone(), actor.clone());
                Box::pin(async move {
                    if let Some(before) = once::answered::<Answered>(tx, once.as_ref(), now).await? {
                        return before.again(tx).await.map(Some);
                    }
                    let Some(found) = tx.run_working_on(issue).await? else { return Ok(None) };
                    // Its end takes the same lock: either it is still at work, or the comments begin a run of their own.
                    let Some(active) = tx.run_lock(found.id).await?.filter(|run| !run.status.is_terminal()) else {
                        return Ok(None);
                    };
                    let unsent: Vec<ChangeComment> = tx
                        .change_comments(of)
                        .await?
                        .into_iter()
                        .filter(|comment| comment.sent.is_none() && comment.queued.is_none())
                        .collect();
                    if unsent.is_empty() {
                        return Err(Problem::new(Code::WrongState, "there is no comment that was not sent yet"));
                    }
                    for comment in &unsent {
                        tx.change_comment_queue(comment, now).await?;
                    }
                    let comments: Vec<CommentId> = unsent.iter().map(|comment| comment.id).collect();
                    let said = json!({"comments": comments, "state": "queued", "actor": actor});
                    let said = NewEntry::new("person.message", said);
                    tx.journal_append(StreamId::Run(active.id), &[said], now).await?;
                    let facts = json!({"issue": issue, "run": of, "queued": comments, "actor": actor});
                    let facts = NewEntry::new("issue.commented", facts);
                    tx.journal_append(StreamId::Project(active.project), &[facts], now).await?;
                    let answer = Answered { run: active.id, joined: true, covers: None };
                    once::answer(tx, once.as_ref(), 200, &answer).await?;
                    Ok(Some(Submitted { run: active, joined: true, covers: None }))
                })
            })
            .await
    }
}
