//! Evidence in one file: rows and blobs, as JSON lines or as a tar archive, and the check of such a file
//! without any plane.
//!
//! Both formats hold the same records, each a JSON object with a `type`; a blob is a line in base64 or
//! a member of the archive. The last record counts the others, so that a file that was cut is seen.

use std::collections::{HashMap, HashSet, hash_map::Entry};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use model::{
    digest::Digest,
    id::{EvidenceId, RunId},
    problem::Problem,
    project::Project,
    proof::{evidence::CommandRecord, requirement::RequirementNumber},
};
use serde_json::{Value, json};
use store::{EvidenceBody, KeptEvidence, StoreError, Tx};
use tokio::sync::mpsc;

use crate::Engine;

mod archive;
mod verify;

pub use verify::{Report, Wrong, verify};

/// The version of the format.
const VERSION: u64 = 1;
/// Pieces of evidence read at once.
const PAGE: u32 = 100;
/// Bytes of a blob read at once; a multiple of three, so that their base64 can be joined.
const PART: usize = 3 << 18;

/// How the records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line.
    Jsonl,
    /// A tar archive.
    Tar,
}

/// Writes a project's evidence, or that of one run. The pieces come as the reader takes them; an error
/// is the last of them, and without the last record the file is not whole.
pub fn export(
    engine: &Engine,
    project: &Project,
    run: Option<RunId>,
    format: Format,
) -> mpsc::Receiver<Result<Bytes, Problem>> {
    let (pieces, taken) = mpsc::channel(4);
    let (engine, project) = (engine.clone(), project.clone());
    tokio::spawn(async move {
        let mut writer = Writer { pieces: pieces.clone(), format, names: 0 };
        match write(&engine, &project, run, &mut writer).await {
            Ok(()) | Err(Stop::Gone) => {}
            Err(Stop::Failed(problem)) => {
                tracing::error!(project = %project.key, %problem, "an export ended early");
                // A reader that is gone needs no error.
                let _ = pieces.send(Err(problem)).await;
            }
        }
    });
    taken
}

/// Why writing ends early.
enum Stop {
    /// Nobody reads any more.
    Gone,
    /// It cannot go on.
    Failed(Problem),
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        Self::Failed(problem)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

struct Writer {
    pieces: mpsc::Sender<Result<Bytes, Problem>>,
    format: Format,
    names: u64,
}

impl Writer {
    async fn put(&self, bytes: impl Into<Bytes>) -> Result<(), Stop> {
        self.pieces.send(Ok(bytes.into())).await.map_err(|_| Stop::Gone)
    }

    async fn record(&mut self, record: &Value) -> Result<(), Stop> {
        let mut text = record.to_string().into_bytes();
        text.push(b'\n');
        match self.format {
            Format::Jsonl => self.put(text).await,
            Format::Tar => {
                self.names += 1;
                let kind = record.get("type").and_then(Value::as_str).unwrap_or("record");
                let name = format!("records/{:08}-{kind}.json", self.names);
                let bytes = text.len() as u64;
                self.put(archive::head(&name, bytes)).await?;
                self.put(text).await?;
                self.put(archive::padding(bytes)).await
            }
        }
    }

    /// Writes a blob as its file has it, sound or not: the reader of the export judges.
    async fn blob(&mut self, engine: &Engine, digest: Digest) -> Result<bool, Stop> {
        let blobs = engine.blobs();
        // Read once by size: a file that shrinks meanwhile is filled up, and found to be damaged.
        let first = match blobs.range(digest, 0, PART).await {
            Ok(first) => first,
            Err(StoreError::NotFound(_)) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let size = blobs.size(&digest)?;
        match self.format {
            Format::Jsonl => self.put(format!("{{\"type\":\"blob\",\"digest\":\"{digest}\",\"base64\":\"")).await?,
            Format::Tar => self.put(archive::head(&format!("blobs/{digest}"), size)).await?,
        }
        let (mut at, mut part) = (0u64, first);
        loop {
            let wanted = usize::try_from(size - at).unwrap_or(PART).min(PART);
            part.resize(wanted, 0);
            at += wanted as u64;
            match self.format {
                Format::Jsonl => self.put(STANDARD.encode(&part)).await?,
                Format::Tar => self.put(part).await?,
            }
            if at >= size {
                break;
            }
            part = blobs.range(digest, at, PART).await?;
        }
        match self.format {
            Format::Jsonl => self.put("\"}\n").await?,
            Format::Tar => self.put(archive::padding(size)).await?,
        }
        Ok(true)
    }
}

/// What has been written.
#[derive(Default)]
struct Written {
    evidence: u64,
    commands: HashSet<(RunId, Digest)>,
    requirements: HashSet<RequirementNumber>,
    blobs: HashSet<Digest>,
}

async fn write(engine: &Engine, project: &Project, run: Option<RunId>, writer: &mut Writer) -> Result<(), Stop> {
    let head = json!({
        "type": "export", "version": VERSION, "made_at": engine.now(), "run": run,
        "project": {"id": project.id, "key": project.key, "name": project.name},
    });
    writer.record(&head).await?;
    let mut written = Written::default();
    let mut after = 0;
    loop {
        let page = page(engine, project, run, after).await?;
        let Some(last) = page.last() else { break };
        after = last.kept.facts.seq;
        let more = page.len() == PAGE as usize;
        for piece in page {
            self::piece(engine, piece, &mut written, writer).await?;
        }
        if !more {
            break;
        }
    }
    let end = json!({
        "type": "end", "evidence": written.evidence, "commands": written.commands.len(),
        "requirements": written.requirements.len(), "blobs": written.blobs.len(),
    });
    writer.record(&end).await?;
    if writer.format == Format::Tar {
        writer.put(archive::end()).await?;
    }
    Ok(())
}

async fn piece(engine: &Engine, piece: Piece, written: &mut Written, writer: &mut Writer) -> Result<(), Stop> {
    let facts = &piece.kept.facts;
    if let Some(requirement) = piece.requirement.filter(|_| written.requirements.insert(facts.requirement)) {
        writer.record(&json!({"type": "requirement", "requirement": requirement})).await?;
    }
    for record in piece.commands {
        if written.commands.insert((facts.run, record.digest)) {
            writer.record(&json!({"type": "command", "run": facts.run, "command": record})).await?;
        }
    }
    let evidence = match &piece.kept.body {
        EvidenceBody::Kept(evidence) => json!({"state": "kept", "evidence": evidence}),
        EvidenceBody::Expired => json!({"state": "expired"}),
        EvidenceBody::Damaged => json!({"state": "damaged"}),
    };
    let mut record = json!({
        "type": "evidence", "id": facts.id, "requirement": facts.requirement, "gate": facts.gate,
        "run": facts.run, "journaled_seal": piece.seal,
    });
    if let (Some(record), Value::Object(evidence)) = (record.as_object_mut(), evidence) {
        record.extend(evidence);
    }
    writer.record(&record).await?;
    written.evidence += 1;
    if let EvidenceBody::Kept(evidence) = &piece.kept.body {
        for blob in evidence.blobs() {
            if !written.blobs.contains(&blob) && writer.blob(engine, blob).await? {
                written.blobs.insert(blob);
            }
        }
    }
    Ok(())
}

/// A piece of evidence with what belongs to it.
struct Piece {
    kept: KeptEvidence,
    seal: Option<Digest>,
    commands: Vec<CommandRecord>,
    requirement: Option<Value>,
}

async fn page(engine: &Engine, project: &Project, run: Option<RunId>, after: u64) -> Result<Vec<Piece>, Problem> {
    let id = project.id;
    engine
        .store()
        .read(move |tx| {
            Box::pin(async move {
                let page = match run {
                    Some(run) => tx.evidence_bodies_of_run(run, after, PAGE).await?,
                    None => tx.evidence_bodies(id, after, PAGE).await?,
                };
                let mut seals: HashMap<RunId, HashMap<EvidenceId, Digest>> = HashMap::new();
                let mut pieces = Vec::with_capacity(page.len());
                for kept in page {
                    let run = kept.facts.run;
                    let of_run = match seals.entry(run) {
                        Entry::Occupied(known) => known.into_mut(),
                        Entry::Vacant(new) => new.insert(tx.journaled_seals(run).await?),
                    };
                    let seal = of_run.get(&kept.facts.id).copied();
                    let requirement = tx.requirement(id, kept.facts.requirement).await?;
                    pieces.push(Piece {
                        seal,
                        commands: commands(tx, &kept).await?,
                        requirement: requirement.map(|kept| json!(kept.requirement)),
                        kept,
                    });
                }
                Ok(pieces)
            })
        })
        .await
}

async fn commands(tx: &mut Tx, kept: &KeptEvidence) -> Result<Vec<CommandRecord>, StoreError> {
    let mut records = Vec::new();
    if let EvidenceBody::Kept(evidence) = &kept.body {
        for sealed in &evidence.commands {
            match tx.command_by_digest(evidence.run, &sealed.digest).await {
                Ok(record) => records.extend(record),
                // It cannot be read, so it cannot be given away; the evidence's seal stays.
                Err(StoreError::DatabaseDamaged(_)) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(records)
}
