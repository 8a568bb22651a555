//! Journals: gapless numbers per stream, chained over each append, acknowledged after the sync (K3).

use std::ops::Range;

use model::{
    digest::Digest,
    journal::{Edge, Entry, Level, NewEntry, StreamId, chain},
    task::Fence,
    time::Timestamp,
};
use uuid::Uuid;

use crate::{
    error::StoreError,
    sql::statements,
    tx::{Driver, Tx},
    value::{Row, Value},
};

statements! {
    HEAD = "SELECT number, seq, chain, floor, floor_chain, closed FROM stream WHERE kind = $1 AND owner = $2";
    HEAD_LOCK => sqlite "SELECT number, seq, chain, floor, floor_chain, closed FROM stream WHERE kind = $1 AND owner = $2",
        postgres "SELECT number, seq, chain, floor, floor_chain, closed FROM stream WHERE kind = $1 AND owner = $2
            FOR UPDATE";
    OPEN = "INSERT INTO stream (kind, owner, seq, chain, floor, floor_chain, closed)
        VALUES ($1, $2, 0, NULL, 1, NULL, 0) ON CONFLICT DO NOTHING";
    MOVE = "UPDATE stream SET seq = $2, chain = $3, closed = $4 WHERE number = $1";
    APPEND => sqlite "INSERT INTO entry (stream, seq, at, kind, level, span, parent, edge, chain, data)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        postgres "INSERT INTO entry (stream, seq, at, kind, level, span, parent, edge, chain, data)
        SELECT $1, u.seq, $3, u.kind, u.level, u.span, u.parent, u.edge, u.chain, u.data
        FROM unnest($2::bigint[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::bigint[], $9::bytea[], $10::text[])
          AS u (seq, kind, level, span, parent, edge, chain, data)";
    READ = "SELECT e.seq, e.at, e.kind, e.level, e.span, e.parent, e.edge, e.data
        FROM stream s JOIN entry e ON e.stream = s.number
        WHERE s.kind = $1 AND s.owner = $2 AND e.seq > $3 ORDER BY e.seq LIMIT $4";
    READ_KIND => sqlite "SELECT e.seq, e.at, e.kind, e.level, e.span, e.parent, e.edge, e.data
        FROM stream s JOIN entry e ON e.stream = s.number
        WHERE s.kind = $1 AND s.owner = $2 AND e.seq > $3 AND e.kind IN (SELECT value FROM json_each($4))
        ORDER BY e.seq LIMIT $5",
        postgres "SELECT e.seq, e.at, e.kind, e.level, e.span, e.parent, e.edge, e.data
        FROM stream s JOIN entry e ON e.stream = s.number
        WHERE s.kind = $1 AND s.owner = $2 AND e.seq > $3 AND e.kind = ANY($4) ORDER BY e.seq LIMIT $5";
}

/// Where a stream stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamHead {
    /// The number of its last entry; 0 before the first.
    pub seq: u64,
    /// The first number that retention has left.
    pub floor: u64,
    /// The head of its chain.
    pub chain: Option<Digest>,
    /// Whether it has had its last entry (X24).
    pub closed: bool,
}

pub(crate) struct Head {
    pub number: i64,
    pub seq: u64,
    pub chain: Option<Digest>,
    pub floor: u64,
    pub floor_chain: Option<Digest>,
    pub closed: bool,
}

pub(crate) const fn key(stream: StreamId) -> (i64, Uuid) {
    match stream {
        StreamId::Run(id) => (0, id.uuid()),
        StreamId::Project(id) => (1, id.uuid()),
        StreamId::Audit(id) => (2, id.uuid()),
    }
}

const fn level_number(level: Level) -> i64 {
    match level {
        Level::Debug => 0,
        Level::Info => 1,
        Level::Warning => 2,
        Level::Error => 3,
    }
}

const fn level_of(number: i64) -> Level {
    match number {
        0 => Level::Debug,
        2 => Level::Warning,
        3 => Level::Error,
        _ => Level::Info,
    }
}

pub(crate) fn entry(stream: StreamId, row: &mut Row) -> Result<Entry, StoreError> {
    Ok(Entry {
        stream,
        seq: row.u64()?,
        at: row.time()?,
        kind: row.text()?,
        level: level_of(row.int()?),
        span: row.opt_text()?,
        parent: row.opt_text()?,
        edge: row.opt_int()?.map(|edge| if edge == 0 { Edge::Open } else { Edge::Close }),
        data: row.text()?,
    })
}

fn head(mut row: Row) -> Result<Head, StoreError> {
    Ok(Head {
        number: row.int()?,
        seq: row.u64()?,
        chain: row.opt_digest()?,
        floor: row.u64()?,
        floor_chain: row.opt_digest()?,
        closed: row.flag()?,
    })
}

impl Tx {
    pub(crate) async fn stream_head(&mut self, stream: StreamId) -> Result<Option<Head>, StoreError> {
        let (kind, owner) = key(stream);
        self.query_opt(&HEAD, &[kind.into(), Value::Uuid(owner)]).await?.map(head).transpose()
    }

    async fn head_lock(&mut self, stream: StreamId) -> Result<Head, StoreError> {
        let (kind, owner) = key(stream);
        let params = [kind.into(), Value::Uuid(owner)];
        if let Some(row) = self.query_opt(&HEAD_LOCK, &params).await? {
            return head(row);
        }
        self.exec(&OPEN, &params).await?;
        self.query_one(&HEAD_LOCK, &params).await.and_then(head)
    }

    /// Appends entries and gives their numbers. The board of a project is appended to last (X57).
    pub async fn journal_append(
        &mut self,
        stream: StreamId,
        entries: &[NewEntry],
        now: Timestamp,
    ) -> Result<Range<u64>, StoreError> {
        let head = self.head_lock(stream).await?;
        let first = head.seq + 1;
        if entries.is_empty() {
            return Ok(first..first);
        }
        if head.closed {
            return Err(StoreError::WrongState("the stream has had its last entry".to_owned()));
        }
        let mut closed = false;
        let mut stored = Vec::with_capacity(entries.len());
        for (seq, new) in (first..).zip(entries) {
            closed |= matches!(stream, StreamId::Run(_)) && new.kind == "run.finished";
            stored.push(Entry {
                stream,
                seq,
                at: now,
                kind: new.kind.clone().into_owned(),
                level: new.level,
                span: new.span.clone(),
                parent: new.parent.clone(),
                edge: new.edge,
                data: new.data.to_string(),
            });
        }
        let rendered: Vec<String> = stored.iter().map(Entry::render).collect();
        let chained = chain(head.chain.as_ref(), rendered.iter().map(String::as_str));
        let last = head.seq + stored.len() as u64;
        self.exec(&MOVE, &[head.number.into(), last.into(), (&chained).into(), closed.into()]).await?;
        match self.driver {
            Driver::Sqlite(_) => self.append_each(head.number, &stored, &chained).await?,
            Driver::Postgres(_) => self.append_lists(head.number, &stored, &chained, now).await?,
        }
        self.woken.add_stream(stream, last);
        Ok(first..last + 1)
    }

    async fn append_each(&mut self, number: i64, entries: &[Entry], chained: &Digest) -> Result<(), StoreError> {
        for (at, entry) in entries.iter().enumerate() {
            // The chain stands on the last entry of each batch: it marks where the batch ends.
            let chain = (at + 1 == entries.len()).then_some(chained);
            let params = [
                number.into(),
                entry.seq.into(),
                entry.at.into(),
                entry.kind.as_str().into(),
                level_number(entry.level).into(),
                entry.span.as_deref().into(),
                entry.parent.as_deref().into(),
                entry.edge.map(edge_number).into(),
                chain.into(),
                entry.data.as_str().into(),
            ];
            self.exec(&APPEND, &params).await?;
        }
        Ok(())
    }

    async fn append_lists(
        &mut self,
        number: i64,
        entries: &[Entry],
        chained: &Digest,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut chains: Vec<Option<Vec<u8>>> = vec![None; entries.len()];
        if let Some(last) = chains.last_mut() {
            *last = Some(chained.bytes().to_vec());
        }
        let params = [
            number.into(),
            Value::Ints(entries.iter().map(|entry| i64::try_from(entry.seq).ok()).collect()),
            now.into(),
            Value::texts(entries.iter().map(|entry| entry.kind.as_str())),
            Value::ints(entries.iter().map(|entry| level_number(entry.level))),
            Value::Texts(entries.iter().map(|entry| entry.span.as_deref().map(Into::into)).collect()),
            Value::Texts(entries.iter().map(|entry| entry.parent.as_deref().map(Into::into)).collect()),
            Value::Ints(entries.iter().map(|entry| entry.edge.map(edge_number)).collect()),
            Value::Blobs(chains),
            Value::texts(entries.iter().map(|entry| entry.data.as_str())),
        ];
        self.exec(&APPEND, &params).await.map(drop)
    }

    /// Appends a worker's entries to its run, when its fence is still the newest (K2, X16). A late
    /// word of the last holder is taken, and takes the lease up again (D56).
    pub async fn journal_append_fenced(
        &mut self,
        fence: Fence,
        entries: &[NewEntry],
        now: Timestamp,
    ) -> Result<Range<u64>, StoreError> {
        let run = self.fence_hold(fence, now).await?;
        self.journal_append(StreamId::Run(run), entries, now).await
    }

    /// A stream's entries behind a number, in order.
    pub async fn entries(&mut self, stream: StreamId, after: u64, limit: u32) -> Result<Vec<Entry>, StoreError> {
        let (kind, owner) = key(stream);
        let params = [kind.into(), Value::Uuid(owner), after.into(), limit.into()];
        self.query(&READ, &params).await?.iter_mut().map(|row| entry(stream, row)).collect()
    }

    /// As [`Tx::entries`], only those of the given kinds.
    pub async fn entries_of(
        &mut self,
        stream: StreamId,
        kinds: &[&str],
        after: u64,
        limit: u32,
    ) -> Result<Vec<Entry>, StoreError> {
        let (kind, owner) = key(stream);
        let kinds = Value::texts(kinds.iter().copied());
        let params = [kind.into(), Value::Uuid(owner), after.into(), kinds, limit.into()];
        self.query(&READ_KIND, &params).await?.iter_mut().map(|row| entry(stream, row)).collect()
    }

    /// Where a stream stands; one that nobody wrote to yet stands before its first entry.
    pub async fn head(&mut self, stream: StreamId) -> Result<StreamHead, StoreError> {
        Ok(self.stream_head(stream).await?.map_or(
            StreamHead { seq: 0, floor: 1, chain: None, closed: false },
            |head| StreamHead { seq: head.seq, floor: head.floor, chain: head.chain, closed: head.closed },
        ))
    }

    /// The first number of a stream that retention has left.
    pub async fn floor(&mut self, stream: StreamId) -> Result<u64, StoreError> {
        Ok(self.head(stream).await?.floor)
    }
}

const fn edge_number(edge: Edge) -> i64 {
    match edge {
        Edge::Open => 0,
        Edge::Close => 1,
    }
}
