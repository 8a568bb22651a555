//! The check of an exported file, without a plane. The file comes from outside: whatever it holds, the
//! answer is a report or an error, in bounded memory per record.

use std::{
    collections::{HashMap, HashSet},
    io::{self, BufRead, Read as _},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use model::{
    code::Code,
    digest::Digest,
    id::RunId,
    limits,
    problem::Problem,
    proof::evidence::{BlobState, CommandRecord, Evidence, Intact},
};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{VERSION, archive};
use crate::proof::evidence::words;

/// The longest record that is read: a blob in base64, and room for its name.
const RECORD: u64 = limits::ARTIFACT / 3 * 4 + (64 << 20);

/// A piece of evidence that is not what was sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Wrong {
    /// Which.
    pub evidence: String,
    /// Its requirement.
    pub requirement: String,
    /// Its gate.
    pub gate: String,
    /// Always false: only what is wrong is listed.
    pub intact: bool,
    /// What is wrong.
    pub message: String,
}

/// What a file was found to be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether the file is whole and all of it is what was sealed.
    pub intact: bool,
    /// Whether its last record is there and counts the others right.
    pub complete: bool,
    /// Why reading stopped before the end: what follows was not understood.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broken: Option<String>,
    /// Pieces of evidence that were checked.
    pub checked: u64,
    /// Pieces whose text was past its retention when the file was made.
    pub expired: u64,
    /// What is wrong.
    pub items: Vec<Wrong>,
}

#[derive(Default)]
struct Gathered {
    version: Option<u64>,
    evidence: Vec<Value>,
    commands: HashMap<(RunId, Digest), CommandRecord>,
    requirements: u64,
    blobs: HashMap<Digest, BlobState>,
    end: Option<Value>,
}

/// Checks an exported file of either format.
///
/// # Errors
/// 422 when it is no export, or cannot be read.
pub fn verify(mut from: impl BufRead) -> Result<Report, Problem> {
    let mut gathered = Gathered::default();
    let start = from.fill_buf().map_err(|error| unreadable(&error))?;
    let read =
        if start.first() == Some(&b'{') { lines(&mut from, &mut gathered) } else { tar(&mut from, &mut gathered) };
    let broken = match read {
        Ok(()) => None,
        // A file that was cut is told by its missing end; one that never began is no export.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && gathered.version.is_some() => None,
        // An export whose middle was changed is damaged, and no longer somebody's other file.
        Err(error) if error.kind() == io::ErrorKind::InvalidData && gathered.version.is_some() => {
            Some(error.to_string())
        }
        Err(error) => return Err(unreadable(&error)),
    };
    match gathered.version {
        Some(VERSION) => Ok(Report { broken, ..report(gathered) }),
        Some(other) => Err(no_export(&format!("it has version {other}, and this program reads {VERSION}"))),
        None => Err(no_export("its first record is not the head of an export")),
    }
}

fn no_export(why: &str) -> Problem {
    Problem::new(Code::Invalid, format!("the file is no export of evidence: {why}"))
        .with_hint("`proofhouse proof export` makes one")
}

fn unreadable(error: &io::Error) -> Problem {
    no_export(&error.to_string())
}

fn invalid(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}

fn lines(from: &mut impl BufRead, gathered: &mut Gathered) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = from.by_ref().take(RECORD).read_until(b'\n', &mut line)?;
        match (read, line.last()) {
            (0, _) => return Ok(()),
            (_, Some(b'\n')) => gathered.take(&line)?,
            _ if read as u64 == RECORD => return Err(invalid("a record is too long")),
            _ => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

fn tar(from: &mut impl BufRead, gathered: &mut Gathered) -> io::Result<()> {
    while let Some(member) = archive::next(from)? {
        if member.bytes > RECORD {
            return Err(invalid("a member is too large"));
        }
        if let Some(name) = member.name.strip_prefix("blobs/") {
            let name: Digest = name.parse().map_err(|_| invalid("a blob has no digest for a name"))?;
            let mut hash = Sha256::new();
            let mut left = member.bytes;
            while left > 0 {
                let part = from.fill_buf()?;
                if part.is_empty() {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                let taken = part.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                hash.update(&part[..taken]);
                from.consume(taken);
                left -= taken as u64;
            }
            gathered.blob(name, Digest::from_bytes(hash.finalize().into()));
        } else {
            let mut record = Vec::new();
            if from.by_ref().take(member.bytes).read_to_end(&mut record)? as u64 != member.bytes {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            gathered.take(&record)?;
        }
        archive::skip_padding(from, member.bytes)?;
    }
    Ok(())
}

impl Gathered {
    fn blob(&mut self, name: Digest, found: Digest) {
        self.blobs.insert(name, if name == found { BlobState::Sound } else { BlobState::Altered });
    }

    fn take(&mut self, record: &[u8]) -> io::Result<()> {
        let mut record: Value = serde_json::from_slice(record).map_err(|_| invalid("a record is not JSON"))?;
        let kind = record.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
        if self.version.is_none() && kind != "export" {
            return Err(invalid("its first record is not the head of an export"));
        }
        match kind.as_str() {
            "export" => self.version = record.get("version").and_then(Value::as_u64).or(Some(0)),
            "requirement" => self.requirements += 1,
            "command" => {
                let run = record.get("run").and_then(Value::as_str).and_then(|run| run.parse().ok());
                let command = record.get_mut("command").map(Value::take).unwrap_or_default();
                let command: CommandRecord =
                    serde_json::from_value(command).map_err(|_| invalid("a command cannot be read"))?;
                let run = run.ok_or_else(|| invalid("a command names no run"))?;
                self.commands.insert((run, command.digest), command);
            }
            "evidence" => self.evidence.push(record),
            "blob" => {
                let text = |name: &str| record.get(name).and_then(Value::as_str).unwrap_or_default();
                let name: Digest = text("digest").parse().map_err(|_| invalid("a blob has no digest"))?;
                let bytes = STANDARD.decode(text("base64")).map_err(|_| invalid("a blob is not base64"))?;
                self.blob(name, Digest::of(&bytes));
            }
            "end" => self.end = Some(record),
            // A later version may add records that change nothing about these.
            _ => {}
        }
        Ok(())
    }
}

fn report(gathered: Gathered) -> Report {
    let mut report = Report::default();
    let mut sealed: HashSet<(RunId, Digest)> = HashSet::new();
    for record in &gathered.evidence {
        let text = |name: &str| record.get(name).and_then(Value::as_str).unwrap_or_default();
        let mut wrong = |message: String| {
            report.items.push(Wrong {
                evidence: text("id").to_owned(),
                requirement: text("requirement").to_owned(),
                gate: text("gate").to_owned(),
                intact: false,
                message,
            });
        };
        report.checked += 1;
        match text("state") {
            "kept" => match read(record) {
                Ok(evidence) => {
                    sealed.extend(evidence.commands.iter().map(|command| (evidence.run, command.digest)));
                    if let Err(message) = check(record, &evidence, &gathered) {
                        wrong(message);
                    }
                }
                Err(message) => wrong(message),
            },
            "expired" => report.expired += 1,
            _ => wrong("it could not be read when the file was made".to_owned()),
        }
    }
    let count = |name: &str| gathered.end.as_ref().and_then(|end| end.get(name)).and_then(Value::as_u64);
    report.complete = count("evidence") == Some(gathered.evidence.len() as u64)
        && count("commands") == Some(gathered.commands.len() as u64)
        && count("requirements") == Some(gathered.requirements)
        && count("blobs") == Some(gathered.blobs.len() as u64)
        // A command that no evidence rests on took the place of one.
        && gathered.commands.keys().all(|command| sealed.contains(command));
    report.intact = report.complete && report.items.is_empty();
    report
}

fn read(record: &Value) -> Result<Evidence, String> {
    let body = record.get("evidence").cloned().unwrap_or_default();
    serde_json::from_value(body).map_err(|_| "it cannot be read".to_owned())
}

fn check(record: &Value, evidence: &Evidence, gathered: &Gathered) -> Result<(), String> {
    let says = |name: &str, value: String| record.get(name).and_then(Value::as_str) == Some(value.as_str());
    let agrees = says("id", evidence.id.to_string())
        && says("requirement", evidence.requirement.to_string())
        && says("gate", evidence.gate.to_string())
        && says("run", evidence.run.to_string());
    if !agrees {
        return Err("its row and its body name different things".to_owned());
    }
    for sealed in &evidence.commands {
        let record = gathered.commands.get(&(evidence.run, sealed.digest));
        if record.is_some_and(|record| record.sealed() != *sealed) {
            return Err("a command's record is not what was sealed of it".to_owned());
        }
    }
    let journaled = record.get("journaled_seal").and_then(Value::as_str).and_then(|seal| seal.parse().ok());
    let state = |blob: Digest| gathered.blobs.get(&blob).copied().unwrap_or(BlobState::Missing);
    match evidence.intact(journaled, state) {
        Intact::Sound => Ok(()),
        Intact::Damaged(damage) => Err(words(&damage)),
    }
}
