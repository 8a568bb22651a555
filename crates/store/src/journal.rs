//! Journals as they are read: entries by number, and where a stream stands. They are written in
//! [`crate::append`].

use model::{
    digest::Digest,
    journal::{Edge, Entry, Level, StreamId},
};
use uuid::Uuid;

use crate::{
    error::StoreError,
    sql::statements,
    tx::Tx,
    value::{Row, Value},
};

statements! {
    HEAD = "SELECT number, seq, chain, floor, floor_chain, closed FROM stream WHERE kind = $1 AND owner = $2";
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

pub(crate) const fn level_number(level: Level) -> i64 {
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

pub(crate) fn head(row: &mut Row) -> Result<Head, StoreError> {
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
        self.append_rest().await?;
        let (kind, owner) = key(stream);
        self.query_opt(&HEAD, &[kind.into(), Value::Uuid(owner)]).await?.as_mut().map(head).transpose()
    }

    /// A stream's entries behind a number, in order.
    pub async fn entries(&mut self, stream: StreamId, after: u64, limit: u32) -> Result<Vec<Entry>, StoreError> {
        let (kind, owner) = key(stream);
        let params = [kind.into(), Value::Uuid(owner), after.into(), limit.into()];
        self.append_rest().await?;
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
        self.append_rest().await?;
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

pub(crate) const fn edge_number(edge: Edge) -> i64 {
    match edge {
        Edge::Open => 0,
        Edge::Close => 1,
    }
}
