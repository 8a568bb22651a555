//! Questions to people: asked once, answered once.

use model::{
    actor::Actor,
    id::{ProjectId, QuestionId, RunId, TaskId},
    question::{Question, QuestionKind, QuestionState},
    time::Timestamp,
};
use serde_json::Value as Json;

use crate::{
    error::StoreError,
    sql::statements,
    tx::Tx,
    value::{Row, Value},
};

macro_rules! columns {
    () => {
        "id, project, run, task, kind, state, subject, prompt, schema, answer, answered_by, ended_at, because, expires_at,
         created_at"
    };
}

statements! {
    INSERT = concat!("INSERT INTO question (", columns!(), ")
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) ON CONFLICT DO NOTHING");
    BY_ID = concat!("SELECT ", columns!(), " FROM question WHERE id = $1");
    OPEN_ON = concat!("SELECT ", columns!(), " FROM question WHERE project = $1 AND subject = $2 AND state = 'open'");
    OF_RUN = concat!("SELECT ", columns!(), " FROM question WHERE run = $1 ORDER BY id");
    END = concat!("UPDATE question SET state = $2, answer = $3, answered_by = $4, because = $5, ended_at = $6
        WHERE id = $1 AND state = 'open' RETURNING ", columns!());
    LIST = concat!("SELECT ", columns!(), " FROM question
        WHERE project = $1 AND state = $2 AND (CAST($3 AS bigint) = 0 OR id < $4) ORDER BY id DESC LIMIT $5");
    LIST_ALL = concat!("SELECT ", columns!(), " FROM question
        WHERE project = $1 AND (CAST($2 AS bigint) = 0 OR id < $3) ORDER BY id DESC LIMIT $4");
    COUNT_OPEN = "SELECT count(*) FROM question WHERE state = 'open'
        AND (run = $1 OR id IN (SELECT question FROM question_asker WHERE run = $1))";
    LAST_ANSWERED = concat!("SELECT ", columns!(), " FROM question
        WHERE project = $1 AND state = 'answered' AND subject = $2 ORDER BY id DESC LIMIT 1");
    WAIT_FOR = "INSERT INTO question_asker (run, question) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    WAITERS_DUE = "SELECT a.run, a.question FROM question_asker a JOIN question q ON q.id = a.question
        WHERE q.state <> 'open' ORDER BY a.question, a.run LIMIT 200";
    TOLD = "DELETE FROM question_asker WHERE run = $1 AND question = $2";
    WAITS_NO_MORE = "DELETE FROM question_asker WHERE run = $1";
    COUNT_OF_PROJECT = "SELECT count(*) FROM question WHERE project = $1 AND state = 'open'";
    DUE = concat!("SELECT ", columns!(), " FROM question WHERE state = 'open' AND expires_at IS NOT NULL AND expires_at <= $1
        ORDER BY id LIMIT 200");
}

fn question(mut row: Row) -> Result<Question, StoreError> {
    Ok(Question {
        id: QuestionId::from_uuid(row.uuid()?),
        project: ProjectId::from_uuid(row.uuid()?),
        run: RunId::from_uuid(row.uuid()?),
        task: row.opt_uuid()?.map(TaskId::from_uuid),
        kind: row.named(QuestionKind::by_name)?,
        state: row.named(QuestionState::by_name)?,
        subject: row.text()?,
        prompt: row.text()?,
        schema: row.json()?,
        answer: row.opt_json()?,
        answered_by: row.opt_json()?,
        ended_at: row.opt_time()?,
        because: row.opt_text()?,
        expires_at: row.opt_time()?,
        created_at: row.time()?,
    })
}

/// How a question ends.
#[derive(Debug, Clone, PartialEq)]
pub enum QuestionEnd {
    /// Somebody answered.
    Answered {
        /// The answer, already checked against the question's schema.
        answer: Json,
        /// Who.
        by: Actor,
    },
    /// Nobody answered in time.
    Expired,
    /// It no longer matters.
    Withdrawn {
        /// Why.
        because: String,
    },
}

impl Tx {
    /// Asks a question. Whether it was stored: an open one about the same subject stands already.
    pub async fn question_insert(&mut self, question: &Question) -> Result<bool, StoreError> {
        let params = [
            question.id.into(),
            question.project.into(),
            question.run.into(),
            question.task.into(),
            question.kind.name().into(),
            question.state.name().into(),
            question.subject.as_str().into(),
            question.prompt.as_str().into(),
            Value::json(&question.schema),
            question.answer.as_ref().map(Value::json).unwrap_or(Value::Null),
            question.answered_by.as_ref().map(Value::json).unwrap_or(Value::Null),
            question.ended_at.into(),
            question.because.as_deref().into(),
            question.expires_at.into(),
            question.created_at.into(),
        ];
        Ok(self.exec(&INSERT, &params).await? == 1)
    }

    /// The question with this id.
    pub async fn question(&mut self, id: QuestionId) -> Result<Option<Question>, StoreError> {
        self.query_opt(&BY_ID, &[id.into()]).await?.map(question).transpose()
    }

    /// The open question about a subject.
    pub async fn question_open(&mut self, project: ProjectId, subject: &str) -> Result<Option<Question>, StoreError> {
        self.query_opt(&OPEN_ON, &[project.into(), subject.into()]).await?.map(question).transpose()
    }

    /// The last question about a subject that was answered.
    pub async fn question_answered(
        &mut self,
        project: ProjectId,
        subject: &str,
    ) -> Result<Option<Question>, StoreError> {
        self.query_opt(&LAST_ANSWERED, &[project.into(), subject.into()]).await?.map(question).transpose()
    }

    /// Lets a run wait for a question that is not its own, or is no longer.
    pub async fn question_wait(&mut self, run: RunId, question: QuestionId) -> Result<(), StoreError> {
        self.exec(&WAIT_FOR, &[run.into(), question.into()]).await.map(drop)
    }

    /// Runs that wait for a question which has ended.
    pub async fn question_waiters_due(&mut self) -> Result<Vec<(RunId, QuestionId)>, StoreError> {
        let rows = self.query(&WAITERS_DUE, &[]).await?;
        rows.into_iter()
            .map(|mut row| Ok((RunId::from_uuid(row.uuid()?), QuestionId::from_uuid(row.uuid()?))))
            .collect()
    }

    /// A run was told how a question ended. Whether it was waiting for it.
    pub async fn question_told(&mut self, run: RunId, question: QuestionId) -> Result<bool, StoreError> {
        Ok(self.exec(&TOLD, &[run.into(), question.into()]).await? == 1)
    }

    /// A run waits for nobody any more.
    pub async fn question_wait_end(&mut self, run: RunId) -> Result<(), StoreError> {
        self.exec(&WAITS_NO_MORE, &[run.into()]).await.map(drop)
    }

    /// Every question that a run asked, oldest first.
    pub async fn questions_of(&mut self, run: RunId) -> Result<Vec<Question>, StoreError> {
        self.query(&OF_RUN, &[run.into()]).await?.into_iter().map(question).collect()
    }

    /// A page of a project's questions, newest first, in one state or any.
    pub async fn questions(
        &mut self,
        project: ProjectId,
        state: Option<QuestionState>,
        before: Option<QuestionId>,
        limit: u32,
    ) -> Result<Vec<Question>, StoreError> {
        let paged: Value<'_> = before.is_some().into();
        let rows = match state {
            Some(state) => {
                self.query(&LIST, &[project.into(), state.name().into(), paged, before.into(), limit.into()]).await?
            }
            None => self.query(&LIST_ALL, &[project.into(), paged, before.into(), limit.into()]).await?,
        };
        rows.into_iter().map(question).collect()
    }

    /// How many open questions a run waits for, whoever asked them.
    pub async fn questions_open(&mut self, run: RunId) -> Result<u64, StoreError> {
        self.query_one(&COUNT_OPEN, &[run.into()]).await?.u64()
    }

    /// How many questions of a project are open.
    pub async fn questions_open_in(&mut self, project: ProjectId) -> Result<u64, StoreError> {
        self.query_one(&COUNT_OF_PROJECT, &[project.into()]).await?.u64()
    }

    /// Ends an open question. `None`: it had ended before, and nothing changed.
    pub async fn question_end(
        &mut self,
        id: QuestionId,
        end: &QuestionEnd,
        now: Timestamp,
    ) -> Result<Option<Question>, StoreError> {
        let (state, answer, by, because) = match end {
            QuestionEnd::Answered { answer, by } => {
                (QuestionState::Answered, Value::json(answer), Value::json(by), Value::Null)
            }
            QuestionEnd::Expired => (QuestionState::Expired, Value::Null, Value::Null, Value::Null),
            QuestionEnd::Withdrawn { because } => {
                (QuestionState::Withdrawn, Value::Null, Value::Null, because.as_str().into())
            }
        };
        let params = [id.into(), state.name().into(), answer, by, because, now.into()];
        self.query_opt(&END, &params).await?.map(question).transpose()
    }

    /// Open questions whose time is up.
    pub async fn questions_due(&mut self, now: Timestamp) -> Result<Vec<Question>, StoreError> {
        self.query(&DUE, &[now.into()]).await?.into_iter().map(question).collect()
    }
}
