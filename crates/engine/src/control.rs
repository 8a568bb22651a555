//! What a person does to a run: cancel, pause, resume, retry, answer.

use model::{
    actor::Actor,
    code::Code,
    id::{QuestionId, RunId},
    journal::{NewEntry, StreamId},
    limits,
    problem::Problem,
    question::{Question, QuestionState},
    run::{Run, RunEvent, RunStatus},
};
use serde_json::{Value, json};
use store::{QuestionEnd, RunChange};

use crate::{
    Engine,
    kind::Event,
    ledger,
    once::{self, Once},
    runs,
    submit::{Submit, Submitted},
};

impl Engine {
    /// Cancels a run. What it produced stays. The answer is not terminal while leased tasks drain (X13).
    ///
    /// # Errors
    /// 409 for a run that ended otherwise; cancelling a cancelled run is fine (P24).
    pub async fn cancel(&self, run: RunId, actor: &Actor) -> Result<Run, Problem> {
        let (engine, actor, now) = (self.clone(), actor.clone(), self.now());
        let run = self
            .store()
            .write(move |tx| {
                let (engine, actor) = (engine.clone(), actor.clone());
                Box::pin(async move {
                    let mut run = tx.run_lock(run).await?.ok_or_else(Problem::not_found)?;
                    if run.status == RunStatus::Cancelled || run.cancelling {
                        return Ok(run);
                    }
                    if run.status.is_terminal() {
                        return Err(runs::wrong_state(&run, "an ended run cannot be cancelled"));
                    }
                    let change = RunChange {
                        cancelling: Some(true),
                        cancel_deadline: Some(now.plus(limits::CANCEL_DRAIN)),
                        ..RunChange::default()
                    };
                    runs::save(tx, &mut run, change, now).await?;
                    let entry = NewEntry::new("run.cancelling", json!({"actor": actor}));
                    tx.journal_append(StreamId::Run(run.id), &[entry], now).await?;
                    let kind = engine.kinds().named(&run.kind)?;
                    runs::after_change(&*kind, tx, &mut run, now).await?;
                    Ok::<_, Problem>(run)
                })
            })
            .await?;
        self.stop_held(run.id);
        Ok(run)
    }

    /// Stops new claims at once; running tasks finish and count. Pausing a paused run is fine.
    ///
    /// # Errors
    /// 409 for a waiting or ended run (X11).
    pub async fn pause(&self, run: RunId, actor: &Actor) -> Result<Run, Problem> {
        let (actor, now) = (actor.clone(), self.now());
        self.store()
            .write(move |tx| {
                let actor = actor.clone();
                Box::pin(async move {
                    let mut run = tx.run_lock(run).await?.ok_or_else(Problem::not_found)?;
                    let because = format!("paused by {}", actor.label());
                    match run.status {
                        RunStatus::Paused => {}
                        RunStatus::Queued => {
                            runs::step(tx, &mut run, RunEvent::Started, &because, now).await?;
                            runs::step(tx, &mut run, RunEvent::Paused, &because, now).await?;
                        }
                        RunStatus::Running
                        | RunStatus::Waiting
                        | RunStatus::Completed
                        | RunStatus::Failed
                        | RunStatus::Cancelled => runs::step(tx, &mut run, RunEvent::Paused, &because, now).await?,
                    }
                    Ok(run)
                })
            })
            .await
    }

    /// Lets a paused run go on with exactly the rest. Resuming a running run is fine.
    ///
    /// # Errors
    /// 409 for a run that is not paused.
    pub async fn resume(&self, run: RunId, actor: &Actor) -> Result<Run, Problem> {
        let (engine, actor, now) = (self.clone(), actor.clone(), self.now());
        let run = self
            .store()
            .write(move |tx| {
                let (engine, actor) = (engine.clone(), actor.clone());
                Box::pin(async move {
                    let mut run = tx.run_lock(run).await?.ok_or_else(Problem::not_found)?;
                    if run.status == RunStatus::Running {
                        return Ok(run);
                    }
                    let because = format!("resumed by {}", actor.label());
                    runs::step(tx, &mut run, RunEvent::Resumed, &because, now).await?;
                    let kind = engine.kinds().named(&run.kind)?;
                    kind.on(tx, &mut run, Event::Resumed, now).await?;
                    runs::after_change(&*kind, tx, &mut run, now).await?;
                    Ok::<_, Problem>(run)
                })
            })
            .await?;
        self.wake();
        Ok(run)
    }

    /// Starts a new run that tries an ended one again; the old run never changes (X12, P25).
    ///
    /// # Errors
    /// 409 when the run has not ended or nothing is left to try; 422 for changes of the config that the kind refuses.
    pub async fn retry(
        &self,
        run: RunId,
        mode: Option<&str>,
        changes: Option<&Value>,
        once: Option<Once>,
        actor: Actor,
    ) -> Result<Submitted, Problem> {
        let old = self.run(run).await?;
        if !old.status.is_terminal() {
            return Err(runs::wrong_state(&old, "only an ended run can be retried"));
        }
        let kind = self.kinds().named(&old.kind)?;
        let mut config = kind.retry_config(&old, mode)?;
        if let Some(changes) = changes {
            kind.change_config(&mut config, changes)?;
        }
        self.submit(Submit {
            project: old.project,
            kind: old.kind,
            config,
            actor,
            join: false,
            once,
            retry_of: Some(run),
            issue: old.issue,
        })
        .await
    }

    /// Answers a question, once (S59); the same request again gets its first answer again. The answer's shape is the
    /// kind's business.
    ///
    /// # Errors
    /// 409 when it was answered before, with the first answer, who gave it and when; 410 when it expired or was withdrawn.
    pub async fn answer(
        &self,
        question: QuestionId,
        answer: Value,
        actor: &Actor,
        once: Option<Once>,
    ) -> Result<Question, Problem> {
        let (engine, actor, now) = (self.clone(), actor.clone(), self.now());
        let question = self
            .store()
            .write(move |tx| {
                let (engine, actor, answer, once) = (engine.clone(), actor.clone(), answer.clone(), once.clone());
                Box::pin(async move {
                    if let Some(before) = once::answered::<QuestionId>(tx, once.as_ref(), now).await? {
                        return tx.question(before).await?.ok_or_else(Problem::not_found);
                    }
                    let asked = tx.question(question).await?.ok_or_else(Problem::not_found)?;
                    let mut run = tx.run_lock(asked.run).await?.ok_or_else(Problem::not_found)?;
                    let asked = tx.question(question).await?.ok_or_else(Problem::not_found)?;
                    match asked.state {
                        QuestionState::Open => {}
                        QuestionState::Answered => {
                            return Err(Problem::new(Code::QuestionClosed, "the question was already answered")
                                .with("answer", asked.answer.unwrap_or_default())
                                .with("answered_by", json!(asked.answered_by))
                                .with("answered_at", json!(asked.ended_at)));
                        }
                        QuestionState::Expired | QuestionState::Withdrawn => {
                            let because = asked.because.as_deref().unwrap_or("its time is over");
                            return Err(Problem::new(
                                Code::Gone,
                                format!("the question is {}: {because}", asked.state.name()),
                            ));
                        }
                    }
                    let kind = engine.kinds().named(&run.kind)?;
                    let end = QuestionEnd::Answered { answer, by: actor.clone() };
                    let answered = tx.question_end(asked.id, &end, now).await?.ok_or_else(Problem::not_found)?;
                    let data = json!({"question": asked.id, "subject": asked.subject, "actor": actor});
                    tx.journal_append(StreamId::Run(run.id), &[NewEntry::new("question.answered", data.clone())], now)
                        .await?;
                    ledger::told(&*kind, tx, &mut run, &answered, now).await?;
                    runs::after_change(&*kind, tx, &mut run, now).await?;
                    runs::board(tx, &run, "question.answered", data, now).await?;
                    once::answer(tx, once.as_ref(), 200, &asked.id).await?;
                    Ok(answered)
                })
            })
            .await?;
        self.tell_waiters().await;
        self.wake();
        Ok(question)
    }

    /// Tells runs how a question ended that another run had asked, or that was taken from them (P67): each
    /// in its own transaction, since a run's row is locked alone. What is not told now, the sweep tells.
    pub(crate) async fn tell_waiters(&self) {
        let due = self.store().read(|tx| Box::pin(async move { tx.question_waiters_due().await })).await;
        for (run, question) in due.unwrap_or_default() {
            if let Err(problem) = self.tell_waiter(run, question).await {
                tracing::warn!(%run, %question, %problem, "a run could not be told how a question ended");
            }
        }
    }

    async fn tell_waiter(&self, run: RunId, question: QuestionId) -> Result<(), Problem> {
        let (engine, now) = (self.clone(), self.now());
        self.store()
            .write(move |tx| {
                let engine = engine.clone();
                Box::pin(async move {
                    let Some(mut run) = tx.run_lock(run).await? else { return Ok(()) };
                    if !tx.question_told(run.id, question).await? || run.status.is_terminal() {
                        return Ok(());
                    }
                    let Some(ended) = tx.question(question).await? else { return Ok(()) };
                    let kind = engine.kinds().named(&run.kind)?;
                    ledger::told(&*kind, tx, &mut run, &ended, now).await?;
                    runs::after_change(&*kind, tx, &mut run, now).await
                })
            })
            .await
    }

    /// A run by id.
    pub async fn run(&self, run: RunId) -> Result<Run, Problem> {
        self.store().read(move |tx| Box::pin(async move { tx.run(run).await?.ok_or_else(Problem::not_found) })).await
    }
}
