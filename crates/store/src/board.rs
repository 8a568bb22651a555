//! The streams of projects over PostgreSQL: entries are stored with what they tell of, and get their
//! numbers a moment later, many at once (X57).
//!
//! Whoever numbers an entry holds its stream's row until the commit is synced. A run's own stream is held
//! by that run alone; a project's is told by all of its runs, which would commit one after another. So
//! a transaction only leaves its entries here, and the next to number takes all that wait. A caller is
//! answered when its entries have their numbers; after a crash in between, any replica numbers them.

use model::{
    id::ProjectId,
    journal::{NewEntry, StreamId},
    time::Timestamp,
};

use crate::{
    error::StoreError,
    journal::key,
    sql::statements,
    tx::{Appended, Tx},
    value::Value,
};

/// Entries that are numbered in one transaction at most.
const AT_ONCE: usize = 1_000;

statements! {
    LEAVE => sqlite "", postgres "INSERT INTO board_waiting (kind, owner, at, body)
        SELECT * FROM unnest($1::bigint[], $2::uuid[], $3::bigint[], $4::text[])";
    /// One numbers at a time: two at once would take the entries of one run apart.
    LOCK => sqlite "", postgres "SELECT 1 FROM (SELECT pg_advisory_xact_lock(
        hashtextextended('proofhouse.board.' || current_schema(), 0))) locked";
    WAITING => sqlite "", postgres "SELECT id, owner, at, body FROM board_waiting ORDER BY id LIMIT $1";
    TAKEN => sqlite "", postgres "DELETE FROM board_waiting WHERE id = ANY($1)";
}

/// An entry as it waits.
#[derive(serde::Serialize, serde::Deserialize)]
struct Waiting {
    kind: String,
    level: model::journal::Level,
    span: Option<String>,
    parent: Option<String>,
    edge: Option<model::journal::Edge>,
    data: serde_json::Value,
}

impl Waiting {
    fn of(entry: &NewEntry) -> Self {
        Self {
            kind: entry.kind.clone().into_owned(),
            level: entry.level,
            span: entry.span.clone(),
            parent: entry.parent.clone(),
            edge: entry.edge,
            data: entry.data.clone(),
        }
    }

    fn entry(self) -> NewEntry {
        NewEntry {
            kind: self.kind.into(),
            level: self.level,
            span: self.span,
            parent: self.parent,
            edge: self.edge,
            data: self.data,
        }
    }
}

impl Tx {
    /// Leaves entries of projects' streams to be numbered, in their order.
    pub(crate) async fn board_leave(&mut self, appends: &[Appended]) -> Result<(), StoreError> {
        let each =
            || appends.iter().flat_map(|(stream, entries, at)| entries.iter().map(move |entry| (stream, entry, at)));
        let params = vec![
            Value::ints(each().map(|(stream, ..)| key(*stream).0)),
            Value::uuids(each().map(|(stream, ..)| key(*stream).1)),
            Value::ints(each().map(|(.., at)| at.micros())),
            Value::texts(each().map(|(_, entry, _)| serde_json::to_string(&Waiting::of(entry)).unwrap_or_default())),
        ];
        self.exec_later(&LEAVE, params).await?;
        self.left = true;
        Ok(())
    }

    /// Numbers what waits, as much as fits in a transaction. Whether there may be more.
    pub(crate) async fn board_number(&mut self) -> Result<bool, StoreError> {
        self.query(&LOCK, &[]).await?;
        let rows = self.query(&WAITING, &[AT_ONCE.into()]).await?;
        let more = rows.len() == AT_ONCE;
        let mut ids = Vec::with_capacity(rows.len());
        let mut appends: Vec<(StreamId, Vec<NewEntry>, Timestamp)> = Vec::with_capacity(rows.len());
        for mut row in rows {
            ids.push(row.int()?);
            let stream = StreamId::Project(ProjectId::from_uuid(row.uuid()?));
            let at = row.time()?;
            appends.push((stream, vec![row.json::<Waiting>()?.entry()], at));
        }
        if ids.is_empty() {
            return Ok(false);
        }
        let lists: Vec<_> = appends.iter().map(|(stream, entries, at)| (*stream, entries.as_slice(), *at)).collect();
        for answer in self.append_lists(&lists).await? {
            answer?;
        }
        self.exec_later(&TAKEN, vec![Value::ints(ids)]).await?;
        Ok(more)
    }
}
