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
    runs,
    submit::{Once, Submit, Submitted},
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
    /// 409 when the run has not ended or nothing is left to try.
    pub async fn retry(
        &self,
        run: RunId,
        mode: Option<&str>,
        once: Option<Once>,
        actor: Actor,
    ) -> Result<Submitted, Problem> {
        let old = self.run(run).await?;
        if !old.status.is_terminal() {
            return Err(runs::wrong_state(&old, "only an ended run can be retried"));
        }
        let config = self.kinds().named(&old.kind)?.retry_config(&old, mode)?;
        self.submit(Submit {
            project: old.project,
            kind: old.kind,
            config,
            actor,
            join: false,
            once,
            retry_of: Some(run),
        })
        .await
    }

    /// Answers a question, once. The answer's shape is the kind's business.
    ///
    /// # Errors
    /// 409 when it was answered before, with the first answer; 410 when it expired or was withdrawn.
    pub async fn answer(&self, question: QuestionId, answer: Value, actor: &Actor) -> Result<Question, Problem> {
        let (engine, actor, now) = (self.clone(), actor.clone(), self.now());
        let question = self
            .store()
            .write(move |tx| {
                let (engine, actor, answer) = (engine.clone(), actor.clone(), answer.clone());
                Box::pin(async move {
                    let asked = tx.question(question).await?.ok_or_else(Problem::not_found)?;
                    let mut run = tx.run_lock(asked.run).await?.ok_or_else(Problem::not_found)?;
                    let asked = tx.question(question).await?.ok_or_else(Problem::not_found)?;
                    match asked.state {
                        QuestionState::Open => {}
                        QuestionState::Answered => {
                            return Err(Problem::new(Code::QuestionClosed, "the question was already answered")
                                .with("answer", asked.answer.unwrap_or_default())
                                .with("answered_by", json!(asked.answered_by)));
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
                    kind.on(tx, &mut run, Event::Answered(&answered), now).await?;
                    runs::after_change(&*kind, tx, &mut run, now).await?;
                    runs::board(tx, &run, "question.answered", data, now).await?;
                    Ok(answered)
                })
            })
            .await?;
        self.wake();
        Ok(question)
    }

    /// A run by id.
    pub async fn run(&self, run: RunId) -> Result<Run, Problem> {
        self.store().read(move |tx| Box::pin(async move { tx.run(run).await?.ok_or_else(Problem::not_found) })).await
    }
}
