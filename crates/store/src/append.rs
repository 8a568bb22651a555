//! Appending to journals: gapless numbers per stream, chained over each append, acknowledged after
//! the sync (K3).

use std::{collections::HashMap, ops::Range};

use model::{
    digest::Digest,
    id::{RunId, TaskId},
    journal::{Entry, NewEntry, StreamId, chain},
    task::{Fence, TaskState},
    time::Timestamp,
};

use crate::{
    error::StoreError,
    journal::{Head, edge_number, head, key, level_number},
    sql::statements,
    tx::Tx,
    value::Value,
};

statements! {
    HEAD => sqlite "SELECT number, seq, chain, floor, floor_chain, closed FROM stream WHERE kind = $1 AND owner = $2",
        postgres "";
    /// Locks in the order of numbers, so that two appends to several streams never wait for one another.
    HEADS => sqlite "", postgres "SELECT kind, owner, number, seq, chain, floor, floor_chain, closed FROM stream
        WHERE (kind, owner) IN (SELECT * FROM unnest($1::bigint[], $2::uuid[])) ORDER BY number FOR UPDATE";
    OPEN => sqlite "INSERT INTO stream (kind, owner, seq, chain, floor, floor_chain, closed)
        VALUES ($1, $2, 0, NULL, 1, NULL, 0) ON CONFLICT DO NOTHING",
        postgres "INSERT INTO stream (kind, owner, seq, chain, floor, floor_chain, closed)
        SELECT u.kind, u.owner, 0, NULL, 1, NULL, 0 FROM unnest($1::bigint[], $2::uuid[]) AS u (kind, owner)
        ON CONFLICT DO NOTHING";
    MOVE => sqlite "UPDATE stream SET seq = $2, chain = $3, closed = $4 WHERE number = $1", postgres "";
    ENTRY => sqlite "INSERT INTO entry (stream, seq, at, kind, level, span, parent, edge, chain, data)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)", postgres "";
    /// Moves the heads and writes the entries of any number of streams at once.
    ENTRIES => sqlite "", postgres "WITH moved AS (
            UPDATE stream s SET seq = m.seq, chain = m.chain, closed = m.closed
              FROM unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::bigint[]) AS m (number, seq, chain, closed)
             WHERE s.number = m.number)
        INSERT INTO entry (stream, seq, at, kind, level, span, parent, edge, chain, data)
        SELECT * FROM unnest($5::bigint[], $6::bigint[], $7::bigint[], $8::text[], $9::bigint[], $10::text[], $11::text[],
            $12::bigint[], $13::bytea[], $14::text[])";
    /// The first entries of a stream that nobody else knows yet.
    ENTRIES_FRESH => sqlite "", postgres "WITH opened AS (
            INSERT INTO stream (kind, owner, seq, chain, floor, floor_chain, closed)
            VALUES ($1, $2, $3, $4, 1, NULL, $5) RETURNING number)
        INSERT INTO entry (stream, seq, at, kind, level, span, parent, edge, chain, data)
        SELECT o.number, u.* FROM opened o CROSS JOIN unnest($6::bigint[], $7::bigint[], $8::text[], $9::bigint[],
            $10::text[], $11::text[], $12::bigint[], $13::bytea[], $14::text[]) AS u";
    SEEN = "INSERT INTO outbox_seen (task, client_id) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    /// A task that has ended takes no entries, so its outbox needs no memory.
    FORGET = "DELETE FROM outbox_seen WHERE task IN (SELECT id FROM task WHERE state IN ('done', 'failed', 'cancelled'))";
    FENCES => sqlite "", postgres "SELECT id, run, state, generation FROM task WHERE id = ANY($1) ORDER BY id
        FOR NO KEY UPDATE";
}

/// What became of entries out of an outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// New ones.
    pub accepted: u64,
    /// Those that had been taken before.
    pub duplicates: u64,
    /// The number of the run's last entry.
    pub last_seq: u64,
}

/// Entries that have their numbers, and the chain behind the last of them.
struct Batch {
    number: i64,
    entries: Vec<Entry>,
    chained: Digest,
    closed: bool,
}

/// Gives entries the next numbers of a stream and moves its head over them.
fn batch(head: &mut Head, stream: StreamId, new: &[NewEntry], now: Timestamp) -> Result<Batch, StoreError> {
    if head.closed {
        return Err(StoreError::WrongState("the stream has had its last entry".to_owned()));
    }
    let mut entries = Vec::with_capacity(new.len());
    for (seq, new) in (head.seq + 1..).zip(new) {
        head.closed |= matches!(stream, StreamId::Run(_)) && new.kind == "run.finished";
        entries.push(Entry {
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
    let rendered: Vec<String> = entries.iter().map(Entry::render).collect();
    let chained = chain(head.chain.as_ref(), rendered.iter().map(String::as_str));
    head.seq += entries.len() as u64;
    head.chain = Some(chained);
    Ok(Batch { number: head.number, entries, chained, closed: head.closed })
}

/// The number of a stream that has none yet.
const FRESH: i64 = 0;

impl Head {
    const fn fresh() -> Self {
        Self { number: FRESH, seq: 0, chain: None, floor: 1, floor_chain: None, closed: false }
    }
}

fn whole(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The columns of entries, `seq` to `data`, as lists.
fn columns<'b>(batches: impl Iterator<Item = &'b Batch> + Clone) -> [Value<'static>; 9] {
    let each = || batches.clone().flat_map(|batch| &batch.entries);
    // The chain stands on the last entry of each append: it marks where the append ends.
    let chains = batches.clone().flat_map(|batch| {
        let open = std::iter::repeat_n(None, batch.entries.len() - 1);
        open.chain([Some(batch.chained.bytes().to_vec())])
    });
    [
        Value::ints(each().map(|entry| whole(entry.seq))),
        Value::ints(each().map(|entry| entry.at.micros())),
        Value::texts(each().map(|entry| entry.kind.clone())),
        Value::ints(each().map(|entry| level_number(entry.level))),
        Value::Texts(each().map(|entry| entry.span.clone().map(Into::into)).collect()),
        Value::Texts(each().map(|entry| entry.parent.clone().map(Into::into)).collect()),
        Value::Ints(each().map(|entry| entry.edge.map(edge_number)).collect()),
        Value::Blobs(chains.collect()),
        Value::texts(each().map(|entry| entry.data.clone())),
    ]
}

impl Tx {
    /// Appends entries. The board of a project is appended to last (X57). Over PostgreSQL they get their numbers
    /// when the script ends or next reads a journal: a stream is held for the commit alone.
    pub async fn journal_append(
        &mut self,
        stream: StreamId,
        entries: &[NewEntry],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if self.is_sqlite() {
            return self.append_now(stream, entries, now).await.map(drop);
        }
        if !entries.is_empty() {
            self.appended.push((stream, entries.to_vec(), now));
        }
        Ok(())
    }

    /// As [`Tx::journal_append`], for whoever has to know the numbers.
    pub async fn journal_append_numbered(
        &mut self,
        stream: StreamId,
        entries: &[NewEntry],
        now: Timestamp,
    ) -> Result<Range<u64>, StoreError> {
        if self.is_sqlite() {
            return self.append_now(stream, entries, now).await;
        }
        self.append_rest().await?;
        self.append_lists(&[(stream, entries, now)]).await?.remove(0)
    }

    /// Gives the entries that wait for it their numbers.
    pub(crate) async fn append_rest(&mut self) -> Result<(), StoreError> {
        if self.appended.is_empty() {
            return Ok(());
        }
        let rest = std::mem::take(&mut self.appended);
        let (boards, rest): (Vec<_>, Vec<_>) =
            rest.into_iter().partition(|(stream, ..)| matches!(stream, StreamId::Project(_)));
        if !boards.is_empty() {
            self.board_leave(&boards).await?;
        }
        if rest.is_empty() {
            return Ok(());
        }
        let lists: Vec<_> = rest.iter().map(|(stream, entries, now)| (*stream, entries.as_slice(), *now)).collect();
        for answer in self.append_lists(&lists).await? {
            answer?;
        }
        Ok(())
    }

    async fn append_now(
        &mut self,
        stream: StreamId,
        entries: &[NewEntry],
        now: Timestamp,
    ) -> Result<Range<u64>, StoreError> {
        let (kind, owner) = key(stream);
        let params = [kind.into(), Value::Uuid(owner)];
        let mut head = match self.query_opt(&HEAD, &params).await? {
            Some(mut row) => head(&mut row)?,
            None => {
                self.exec(&OPEN, &params).await?;
                head(&mut self.query_one(&HEAD, &params).await?)?
            }
        };
        let first = head.seq + 1;
        if entries.is_empty() {
            return Ok(first..first);
        }
        let batch = batch(&mut head, stream, entries, now)?;
        let moved = [head.number.into(), head.seq.into(), (&batch.chained).into(), batch.closed.into()];
        self.exec(&MOVE, &moved).await?;
        for (at, entry) in batch.entries.iter().enumerate() {
            // The chain stands on the last entry of each append: it marks where the append ends.
            let chain = (at + 1 == batch.entries.len()).then_some(&batch.chained);
            let params = [
                batch.number.into(),
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
            self.exec(&ENTRY, &params).await?;
        }
        self.woken.add_stream(stream, head.seq);
        Ok(first..head.seq + 1)
    }

    /// Appends to several streams at once; each answer stands for itself. Over PostgreSQL that is two
    /// statements, however many streams there are.
    pub async fn journal_append_many(
        &mut self,
        appends: &[(StreamId, &[NewEntry], Timestamp)],
    ) -> Result<Vec<Result<Range<u64>, StoreError>>, StoreError> {
        if !self.is_sqlite() {
            self.append_rest().await?;
            return self.append_lists(appends).await;
        }
        let mut answers = Vec::with_capacity(appends.len());
        for (stream, entries, now) in appends {
            answers.push(match self.append_now(*stream, entries, *now).await {
                Err(error @ StoreError::WrongState(_)) => Err(error),
                other => Ok(other?),
            });
        }
        Ok(answers)
    }

    pub(crate) async fn append_lists(
        &mut self,
        appends: &[(StreamId, &[NewEntry], Timestamp)],
    ) -> Result<Vec<Result<Range<u64>, StoreError>>, StoreError> {
        let fresh: Vec<StreamId> = std::mem::take(&mut self.fresh).into_iter().map(StreamId::Run).collect();
        let known = appends.iter().map(|append| append.0).filter(|stream| !fresh.contains(stream));
        let mut heads = self.heads_lock(known).await?;
        for stream in fresh {
            if appends.iter().any(|append| append.0 == stream) {
                heads.insert(stream, Head::fresh());
            } else if let StreamId::Run(run) = stream {
                self.fresh.push(run);
            }
        }
        let mut answers = Vec::with_capacity(appends.len());
        let mut batches: Vec<(StreamId, Batch)> = Vec::with_capacity(appends.len());
        for (stream, entries, now) in appends {
            let Some(head) = heads.get_mut(stream) else {
                return Err(StoreError::Internal("a stream was opened and is not there".to_owned()));
            };
            let first = head.seq + 1;
            if entries.is_empty() {
                answers.push(Ok(first..first));
                continue;
            }
            answers.push(batch(head, *stream, entries, *now).map(|batch| {
                batches.push((*stream, batch));
                first..head.seq + 1
            }));
        }
        let (opening, moving): (Vec<_>, Vec<_>) = batches.into_iter().partition(|(_, batch)| batch.number == FRESH);
        for (stream, batch) in opening.chunk_by(|a, b| a.0 == b.0).map(|group| (group[0].0, group)) {
            let Some(head) = heads.get(&stream) else { continue };
            let (kind, owner) = key(stream);
            let mut params = vec![
                kind.into(),
                Value::Uuid(owner),
                head.seq.into(),
                head.chain.map(|chain| chain.bytes().to_vec()).map_or(Value::Null, |chain| Value::Bytes(chain.into())),
                head.closed.into(),
            ];
            params.extend(columns(batch.iter().map(|(_, batch)| batch)));
            self.exec_later(&ENTRIES_FRESH, params).await?;
            self.woken.add_stream(stream, head.seq);
        }
        if moving.is_empty() {
            return Ok(answers);
        }
        let mut moved: Vec<StreamId> = moving.iter().map(|(stream, _)| *stream).collect();
        moved.sort_unstable();
        moved.dedup();
        let last: Vec<&Head> = moved.iter().filter_map(|stream| heads.get(stream)).collect();
        let of_each = moving.iter().flat_map(|(_, batch)| std::iter::repeat_n(batch.number, batch.entries.len()));
        let mut params = vec![
            Value::ints(last.iter().map(|head| head.number)),
            Value::ints(last.iter().map(|head| whole(head.seq))),
            Value::Blobs(last.iter().map(|head| head.chain.map(|chain| chain.bytes().to_vec())).collect()),
            Value::ints(last.iter().map(|head| head.closed.into())),
            Value::ints(of_each),
        ];
        params.extend(columns(moving.iter().map(|(_, batch)| batch)));
        self.exec_later(&ENTRIES, params).await?;
        for stream in moved {
            if let Some(head) = heads.get(&stream) {
                self.woken.add_stream(stream, head.seq);
            }
        }
        Ok(answers)
    }

    async fn heads_lock(
        &mut self,
        streams: impl Iterator<Item = StreamId>,
    ) -> Result<HashMap<StreamId, Head>, StoreError> {
        let keys: HashMap<_, _> = streams.map(|stream| (key(stream), stream)).collect();
        let mut heads = HashMap::with_capacity(keys.len());
        for attempt in 0..2 {
            let missing: Vec<_> = keys.iter().filter(|(_, stream)| !heads.contains_key(*stream)).collect();
            if missing.is_empty() {
                break;
            }
            let params =
                [Value::ints(missing.iter().map(|(key, _)| key.0)), Value::uuids(missing.iter().map(|(key, _)| key.1))];
            if attempt == 1 {
                self.exec(&OPEN, &params).await?;
            }
            for mut row in self.query(&HEADS, &params).await? {
                if let Some(stream) = keys.get(&(row.int()?, row.uuid()?)) {
                    heads.insert(*stream, head(&mut row)?);
                }
            }
        }
        Ok(heads)
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
        self.journal_append_numbered(StreamId::Run(run), entries, now).await
    }

    /// As [`Tx::journal_append_fenced`] for entries out of an outbox that may send them again: each is
    /// taken once per client id and task (D57). Answers those that were new, too.
    pub async fn journal_append_once(
        &mut self,
        fence: Fence,
        entries: &[(String, NewEntry)],
        now: Timestamp,
    ) -> Result<(Taken, Vec<NewEntry>), StoreError> {
        let run = self.fence_hold(fence, now).await?;
        let mut fresh = Vec::with_capacity(entries.len());
        for (client_id, entry) in entries {
            if self.exec(&SEEN, &[fence.task.into(), client_id.as_str().into()]).await? == 1 {
                fresh.push(entry.clone());
            }
        }
        let range = self.journal_append_numbered(StreamId::Run(run), &fresh, now).await?;
        let accepted = fresh.len() as u64;
        let taken = Taken { accepted, duplicates: entries.len() as u64 - accepted, last_seq: range.end - 1 };
        Ok((taken, fresh))
    }

    /// Forgets the outboxes of tasks that have ended.
    pub async fn outbox_sweep(&mut self) -> Result<u64, StoreError> {
        self.exec(&FORGET, &[]).await
    }

    /// As [`Tx::journal_append_fenced`] for many workers at once; each answer stands for itself.
    pub(crate) async fn append_fenced_many(
        &mut self,
        calls: &[(Fence, Vec<NewEntry>, Timestamp)],
    ) -> Result<Vec<Result<u64, StoreError>>, StoreError> {
        let ids = Value::uuids(calls.iter().map(|(fence, ..)| fence.task.uuid()));
        let mut found = HashMap::new();
        for mut row in self.query(&FENCES, &[ids]).await? {
            let task = TaskId::from_uuid(row.uuid()?);
            found.insert(task, (RunId::from_uuid(row.uuid()?), row.named(TaskState::by_name)?, row.u32()?));
        }
        let mut answers: Vec<Result<u64, StoreError>> = Vec::with_capacity(calls.len());
        let mut appends = Vec::with_capacity(calls.len());
        for (at, (fence, entries, now)) in calls.iter().enumerate() {
            let admitted = match found.get(&fence.task) {
                Some((run, TaskState::Leased, newest)) if fence.admits(TaskState::Leased, *newest) => Ok(*run),
                // Refusals and late words are rare, and have a way of their own.
                Some(_) => self.fence_hold(*fence, *now).await,
                None => Err(StoreError::NotFound("task")),
            };
            answers.push(admitted.map(|run| {
                appends.push((at, (StreamId::Run(run), entries.as_slice(), *now)));
                0
            }));
        }
        let lists: Vec<_> = appends.iter().map(|(_, append)| *append).collect();
        let done = self.journal_append_many(&lists).await?;
        for ((at, _), range) in appends.iter().zip(done) {
            answers[*at] = range.map(|range| range.end - 1);
        }
        Ok(answers)
    }
}
