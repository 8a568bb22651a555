//! Questions that nobody answered in time (X10).

use model::{
    id::QuestionId,
    journal::{NewEntry, StreamId},
    problem::Problem,
    question::QuestionKind,
    time::Timestamp,
};
use serde_json::json;
use store::QuestionEnd;

use super::lead;
use crate::{Engine, ledger, runs};

/// Expires what is due, each in its own transaction. One that cannot be expired holds up no other.
pub(super) async fn expire_due(engine: &Engine, epoch: u64, now: Timestamp) -> Result<(), Problem> {
    let due = engine.store().read(move |tx| Box::pin(async move { Ok::<_, Problem>(tx.questions_due(now).await?) }));
    let mut failed = Ok(());
    for question in due.await? {
        if let Err(problem) = expire(engine, question.id, epoch, now).await {
            tracing::error!(question = %question.id, %problem, "failed to expire a question");
            failed = Err(problem);
        }
    }
    failed
}

async fn expire(engine: &Engine, id: QuestionId, epoch: u64, now: Timestamp) -> Result<(), Problem> {
    let of_tx = engine.clone();
    engine
        .store()
        .write(move |tx| {
            let engine = of_tx.clone();
            Box::pin(async move {
                lead::check(tx, epoch).await?;
                let Some(asked) = tx.question(id).await? else { return Ok(()) };
                let Some(mut run) = tx.run_lock(asked.run).await? else { return Ok(()) };
                // Answered between the look and the lock, it stays answered.
                // A new day has money of its own, so a question about the old one's is withdrawn and not left
                // unanswered (X11).
                let (end, entry) = match asked.kind {
                    QuestionKind::Budget => {
                        let because = "a new UTC day has begun".to_owned();
                        (QuestionEnd::Withdrawn { because }, "question.withdrawn")
                    }
                    QuestionKind::Question | QuestionKind::Approval | QuestionKind::Review => {
                        (QuestionEnd::Expired, "question.expired")
                    }
                };
                let Some(expired) = tx.question_end(id, &end, now).await? else { return Ok(()) };
                let data = json!({
                    "question": id, "subject": expired.subject, "expires_at": expired.expires_at,
                    "because": expired.because,
                });
                tx.journal_append(StreamId::Run(run.id), &[NewEntry::new(entry, data.clone())], now).await?;
                let kind = engine.kinds().named(&run.kind)?;
                ledger::told(&*kind, tx, &mut run, &expired, now).await?;
                runs::after_change(&*kind, tx, &mut run, now).await?;
                runs::board(tx, &run, entry, data, now).await
            })
        })
        .await?;
    // Whoever else waited for it.
    engine.tell_waiters().await;
    engine.wake();
    Ok(())
}
