//! Evidence as it is found now: held against its seal, its journal and its bytes on every read (P51).
//!
//! What is not what was sealed is shown as `unproven / tampered` with its text withheld, and told once
//! (P52). Nothing here believes a row because it is a row.

use std::collections::{BTreeSet, HashMap, hash_map::Entry};

use model::{
    code::Code,
    digest::Digest,
    id::{EvidenceId, ProjectId, RunId},
    journal::{Level, NewEntry, StreamId},
    problem::Problem,
    project::Project,
    proof::{
        evidence::{BlobState, CommandRecord, Damage, Evidence, Intact, SealedCommand},
        gate::GateName,
        requirement::RequirementNumber,
        standing::EvidenceFacts,
        tree::ObjectId,
        verdict::{Outcome, Reason, Verdict},
    },
};
use serde_json::{Value, json};
use store::{EvidenceBody, KeptEvidence, StoreError, Tx};

use super::worth;
use crate::Engine;

/// The lines of an output that are answered unless more are asked for.
pub const LINES: u32 = 200;
/// The most lines of an output that are answered at once.
pub const LINES_MAX: u32 = 5_000;
/// The most bytes of output that are answered at once; a longer line is cut.
const OUTPUT_BYTES: usize = 4 << 20;
/// The most bytes of an output blob that are read: what capture keeps, and its marker.
const BLOB_BYTES: usize = 16 << 20;

/// Whether evidence is what was sealed.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// It is; here is all of it.
    Sound(Box<Evidence>),
    /// It is not.
    Damaged(Damage),
    /// Retention has dropped its body (P53).
    Expired,
}

/// A command that evidence rests on.
#[derive(Debug, Clone, PartialEq)]
pub struct ShownCommand {
    /// What the seal covers.
    pub sealed: SealedCommand,
    /// The record, where it is still kept.
    pub record: Option<CommandRecord>,
}

/// A piece of evidence, looked at just now.
#[derive(Debug, Clone, PartialEq)]
pub struct Examined {
    /// What lists know of it.
    pub facts: EvidenceFacts,
    /// What it was found to be.
    pub found: Found,
    /// The commands it rests on; empty unless it is sound.
    pub commands: Vec<ShownCommand>,
}

impl Examined {
    /// What it is worth: damaged evidence is `unproven / tampered`, whatever it says (P52).
    pub fn outcome(&self) -> Outcome {
        match &self.found {
            Found::Damaged(_) => Reason::Tampered.into(),
            Found::Sound(_) => self.facts.outcome,
            Found::Expired => self.facts.shown(),
        }
    }

    /// What is wrong with it.
    pub const fn damage(&self) -> Option<Damage> {
        match &self.found {
            Found::Damaged(damage) => Some(*damage),
            Found::Sound(_) | Found::Expired => None,
        }
    }

    /// Whether it is what was sealed; for expired evidence, as last known.
    pub const fn is_intact(&self) -> bool {
        match &self.found {
            Found::Damaged(_) => false,
            Found::Sound(_) => true,
            Found::Expired => self.facts.intact,
        }
    }
}

/// What is wrong, in a sentence.
pub fn words(damage: &Damage) -> String {
    match damage {
        Damage::Row => "its row does not match its own seal".to_owned(),
        Damage::Journal => "the journal of its run holds another seal, or none".to_owned(),
        Damage::BlobMissing { blob } => format!("the bytes {} are missing", short(blob)),
        Damage::BlobAltered { blob } => format!("the bytes {} are not what they were", short(blob)),
    }
}

fn short(digest: &Digest) -> String {
    digest.to_string().chars().take(12).collect()
}

/// What is read of a piece of evidence before its bytes are looked at.
struct Read {
    kept: KeptEvidence,
    seal: Option<Digest>,
    commands: Vec<ShownCommand>,
    /// A record says something else than what was sealed of it, or cannot be read.
    contradicted: bool,
}

async fn read(tx: &mut Tx, kept: KeptEvidence, seal: Option<Digest>) -> Result<Read, StoreError> {
    let mut commands = Vec::new();
    let mut contradicted = false;
    if let EvidenceBody::Kept(evidence) = &kept.body {
        for sealed in &evidence.commands {
            let record = match tx.command_by_digest(evidence.run, &sealed.digest).await {
                Ok(record) => record,
                Err(StoreError::DatabaseDamaged(_)) => {
                    contradicted = true;
                    None
                }
                Err(error) => return Err(error),
            };
            contradicted |= record.as_ref().is_some_and(|record| record.sealed() != *sealed);
            commands.push(ShownCommand { sealed: sealed.clone(), record });
        }
    }
    Ok(Read { kept, seal, commands, contradicted })
}

/// Holds a piece against its seal and its bytes. `states` knows the blobs.
fn judge(read: Read, states: &HashMap<Digest, BlobState>) -> Examined {
    let facts = read.kept.facts;
    let found = match read.kept.body {
        EvidenceBody::Expired => Found::Expired,
        EvidenceBody::Damaged => Found::Damaged(Damage::Row),
        EvidenceBody::Kept(_) if read.contradicted => Found::Damaged(Damage::Row),
        EvidenceBody::Kept(evidence) => {
            let state = |blob: Digest| states.get(&blob).copied().unwrap_or(BlobState::Missing);
            match evidence.intact(read.seal, state) {
                Intact::Sound => Found::Sound(evidence),
                Intact::Damaged(damage) => Found::Damaged(damage),
            }
        }
    };
    let commands = if matches!(found, Found::Sound(_)) { read.commands } else { Vec::new() };
    Examined { facts, found, commands }
}

async fn blob_states(engine: &Engine, reads: &[Read]) -> Result<HashMap<Digest, BlobState>, Problem> {
    let mut blobs: Vec<Digest> = Vec::new();
    for read in reads {
        if let EvidenceBody::Kept(evidence) = &read.kept.body {
            blobs.extend(evidence.blobs());
        }
    }
    blobs.sort_unstable();
    blobs.dedup();
    let states = engine.blobs().states(blobs.clone()).await?;
    if states.contains(&BlobState::Missing) && !engine.has_all_blobs().await? {
        let message = "evidence cannot be looked at here: its bytes lie with another server of this plane";
        return Err(Problem::new(Code::StoreUnavailable, message)
            .with_hint("start the servers with one blob folder that they share: `proofhouse serve --blobs FOLDER`"));
    }
    Ok(blobs.into_iter().zip(states).collect())
}

/// Looks at pieces of evidence of a project, on their bytes, and writes down what is news. A piece
/// that cannot be found is left out.
///
/// # Errors
/// What the store says; damage is no error.
pub async fn examine(engine: &Engine, project: ProjectId, ids: &[EvidenceId]) -> Result<Vec<Examined>, Problem> {
    let mut examined = Vec::with_capacity(ids.len());
    // A page at a time, so that a project's whole evidence is never in memory.
    for page in ids.chunks(500) {
        let ids = page.to_vec();
        let reads: Vec<Read> = engine
            .store()
            .read(move |tx| {
                let ids = ids.clone();
                Box::pin(async move {
                    let mut seals: HashMap<RunId, HashMap<EvidenceId, Digest>> = HashMap::new();
                    let mut reads = Vec::with_capacity(ids.len());
                    for id in ids {
                        let Some(kept) = tx.evidence(project, id).await? else { continue };
                        let run = kept.facts.run;
                        let of_run = match seals.entry(run) {
                            Entry::Occupied(known) => known.into_mut(),
                            Entry::Vacant(new) => new.insert(tx.journaled_seals(run).await?),
                        };
                        let seal = of_run.get(&id).copied();
                        reads.push(read(tx, kept, seal).await?);
                    }
                    Ok::<_, Problem>(reads)
                })
            })
            .await?;
        let states = blob_states(engine, &reads).await?;
        let page: Vec<Examined> = reads.into_iter().map(|read| judge(read, &states)).collect();
        note(engine, project, &page).await?;
        examined.extend(page);
    }
    Ok(examined)
}

/// Writes down what was found where it is news, and tells the board once of what was tampered with (P52).
async fn note(engine: &Engine, project: ProjectId, examined: &[Examined]) -> Result<(), Problem> {
    let news: Vec<(EvidenceFacts, Option<Damage>)> = examined
        .iter()
        .filter(|one| !matches!(one.found, Found::Expired) && one.is_intact() != one.facts.intact)
        .map(|one| (one.facts.clone(), one.damage()))
        .collect();
    if news.is_empty() {
        return Ok(());
    }
    let now = engine.now();
    engine
        .store()
        .write(move |tx| {
            let news = news.clone();
            Box::pin(async move {
                let mut entries = Vec::new();
                let requirements: BTreeSet<_> = news.iter().map(|(facts, _)| facts.requirement).collect();
                for (facts, damage) in news {
                    let changed = tx.evidence_intact(facts.id, damage.is_none()).await?;
                    if let Some(damage) = damage.filter(|_| changed) {
                        let data = json!({
                            "evidence": facts.id, "requirement": facts.requirement, "gate": facts.gate,
                            "run": facts.run, "damage": damage, "message": words(&damage),
                        });
                        entries.push(NewEntry::new("evidence.tampered", data).at_level(Level::Error));
                    }
                }
                if !entries.is_empty() {
                    tx.journal_append(StreamId::Project(project), &entries, now).await?;
                }
                for requirement in requirements {
                    match worth::retell(tx, project, requirement, "evidence was looked at again", now).await {
                        // Evidence of no requirement changes no requirement.
                        Err(problem) if problem.code == Code::NotFound => {}
                        told => drop(told?),
                    }
                }
                Ok::<_, Problem>(())
            })
        })
        .await
}

/// One piece of evidence, looked at on its bytes.
///
/// # Errors
/// 404 when the project has none with this id.
pub async fn evidence(engine: &Engine, project: &Project, id: EvidenceId) -> Result<Examined, Problem> {
    examine(engine, project.id, &[id]).await?.pop().ok_or_else(Problem::not_found)
}

/// The files of the project's checkout as last seen; none when nobody has looked, or they have no name.
pub async fn observed_tree(tx: &mut Tx, project: ProjectId) -> Result<Option<ObjectId>, StoreError> {
    let seen = tx.project_observed(project).await?;
    let tree = seen.as_ref().and_then(|seen| seen.get("tree")).and_then(Value::as_str);
    Ok(tree.and_then(|tree| tree.parse().ok()))
}

/// What a run's gates showed, by requirement and gate, with the tree that is current now.
///
/// # Errors
/// What the store says.
pub async fn run_evidence(
    engine: &Engine,
    project: ProjectId,
    run: RunId,
) -> Result<(Vec<EvidenceFacts>, Option<ObjectId>), Problem> {
    engine
        .store()
        .read(move |tx| {
            Box::pin(async move { Ok((tx.evidence_of_run(run).await?, observed_tree(tx, project).await?)) })
        })
        .await
}

/// Which evidence of a requirement.
#[derive(Debug, Clone, Default)]
pub struct HistoryFilter {
    /// Of this gate.
    pub gate: Option<GateName>,
    /// With one of these verdicts; empty is any.
    pub verdicts: Vec<Verdict>,
    /// Of this tree.
    pub tree: Option<ObjectId>,
}

/// A page of a requirement's evidence, newest first; `before` is the number of the last one of the page
/// before.
///
/// # Errors
/// 404 when the project has no such requirement.
pub async fn history(
    engine: &Engine,
    project: ProjectId,
    requirement: RequirementNumber,
    filter: &HistoryFilter,
    before: Option<u64>,
    limit: u32,
) -> Result<(Vec<EvidenceFacts>, Option<ObjectId>), Problem> {
    let filter = filter.clone();
    engine
        .store()
        .read(move |tx| {
            let filter = filter.clone();
            Box::pin(async move {
                tx.requirement(project, requirement).await?.ok_or_else(Problem::not_found)?;
                let tree = observed_tree(tx, project).await?;
                let fits = |facts: &EvidenceFacts| {
                    (filter.verdicts.is_empty() || filter.verdicts.contains(&facts.shown().verdict()))
                        && filter.tree.as_ref().is_none_or(|tree| facts.tree.as_ref() == Some(tree))
                };
                let (mut rows, mut before) = (Vec::new(), before);
                loop {
                    let page = tx.evidence_of(project, requirement, filter.gate.as_ref(), before, 500).await?;
                    let more = page.len() == 500;
                    before = page.last().map(|facts| facts.seq);
                    rows.extend(page.into_iter().filter(fits));
                    if !more || rows.len() >= limit as usize {
                        rows.truncate(limit as usize);
                        return Ok((rows, tree));
                    }
                }
            })
        })
        .await
}

/// Refuses what is not what was sealed, and what is no longer kept.
fn readable(examined: &Examined) -> Result<(), Problem> {
    match &examined.found {
        Found::Sound(_) => Ok(()),
        Found::Damaged(damage) => {
            Err(Problem::new(Code::EvidenceTampered, format!("the evidence is not what was sealed: {}", words(damage)))
                .with("evidence", json!(examined.facts.id)))
        }
        Found::Expired => Err(Problem::new(Code::Gone, "the evidence's output is past its retention")),
    }
}

/// A part of what a command wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputPart {
    /// The command.
    pub command: Digest,
    /// As one would type it.
    pub title: String,
    /// The first line that is shown, from 1.
    pub from_line: u64,
    /// The last line that is shown; one less than the first when none is.
    pub to_line: u64,
    /// How many lines are kept.
    pub total_lines: u64,
    /// How many bytes the command wrote.
    pub bytes: u64,
    /// Whether the middle was not kept.
    pub truncated: bool,
    /// The lines.
    pub lines: Vec<String>,
}

/// Lines of what the commands of a piece of evidence wrote: `lines` of each, from `from_line` (from 1) on.
///
/// # Errors
/// 404; 410 for damaged or expired evidence: no text of it is shown.
pub async fn output(
    engine: &Engine,
    project: &Project,
    id: EvidenceId,
    from_line: u64,
    lines: u32,
) -> Result<Vec<OutputPart>, Problem> {
    let examined = evidence(engine, project, id).await?;
    readable(&examined)?;
    let mut parts = Vec::with_capacity(examined.commands.len());
    let mut room = OUTPUT_BYTES;
    for command in examined.commands {
        let Some(record) = command.record else { continue };
        let Some(output) = &record.output else { continue };
        let bytes = engine.blobs().range(output.blob, 0, BLOB_BYTES).await?;
        // These very bytes are shown, so these very bytes are checked.
        if Digest::of(&bytes) != output.blob {
            return Err(Problem::new(Code::EvidenceTampered, "the output is not what was sealed"));
        }
        let text = String::from_utf8_lossy(&bytes);
        parts.push(part(&record, &text, from_line.max(1), lines.min(LINES_MAX), &mut room));
    }
    Ok(parts)
}

fn part(record: &CommandRecord, text: &str, from_line: u64, lines: u32, room: &mut usize) -> OutputPart {
    let mut shown = Vec::new();
    let mut total = 0;
    for line in text.lines() {
        total += 1;
        if total < from_line || shown.len() >= lines as usize || *room == 0 {
            continue;
        }
        let line = model::proof::results::cut(line, *room);
        *room -= line.len().min(*room);
        shown.push(line.to_owned());
    }
    let output = record.output.as_ref();
    OutputPart {
        command: record.digest,
        title: record.argv.join(" "),
        from_line,
        to_line: from_line - 1 + shown.len() as u64,
        total_lines: total,
        bytes: output.map_or(0, |output| output.bytes),
        truncated: output.is_some_and(|output| output.truncated),
        lines: shown,
    }
}

/// What a blob of a piece of evidence is called: an artifact by its path, others by what they are.
///
/// # Errors
/// 404 when the evidence does not rest on these bytes; 410 for damaged or expired evidence.
pub async fn artifact(engine: &Engine, project: &Project, id: EvidenceId, blob: Digest) -> Result<String, Problem> {
    let examined = evidence(engine, project, id).await?;
    readable(&examined)?;
    for command in &examined.commands {
        let Some(record) = &command.record else { continue };
        if let Some(artifact) = record.artifacts.iter().find(|artifact| artifact.blob == blob) {
            return Ok(artifact.path.clone());
        }
        if record.output.as_ref().is_some_and(|output| output.blob == blob) {
            return Ok("output.txt".to_owned());
        }
        if record.results.as_ref().is_some_and(|results| results.blob == Some(blob)) {
            return Ok("results.bin".to_owned());
        }
    }
    Err(Problem::not_found())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> CommandRecord {
        CommandRecord {
            digest: Digest::of(b"c"),
            argv: vec!["a".into(), "b".into()],
            cwd: String::new(),
            runner: "command".into(),
            runner_version: None,
            env_digest: Digest::of(b"e"),
            timeout_s: 1,
            attempt: 1,
            exit_code: Some(0),
            signal: None,
            started_at: None,
            duration_ms: 1,
            output: None,
            results: None,
            artifacts: Vec::new(),
        }
    }

    #[test]
    fn a_part_of_an_output_says_where_it_is() {
        let text = (1..=10).map(|n| format!("line {n}\n")).collect::<String>();
        let take = |from, lines, mut room| part(&record(), &text, from, lines, &mut room);
        let first = take(1, 3, 1_000);
        assert_eq!((first.from_line, first.to_line, first.total_lines, first.lines.len()), (1, 3, 10, 3));
        let last = take(9, 200, 1_000);
        assert_eq!((last.to_line, last.lines.as_slice()), (10, &["line 9".to_owned(), "line 10".to_owned()][..]));
        let beyond = take(11, 5, 1_000);
        assert_eq!((beyond.to_line, beyond.total_lines, beyond.lines.len()), (10, 10, 0));
        // A huge line is cut, and nothing follows it.
        assert_eq!(take(1, 5, 3).lines, ["lin"]);
    }

    #[test]
    fn damage_is_said_in_words() {
        for damage in [Damage::Row, Damage::Journal, Damage::BlobMissing { blob: Digest::of(b"x") }] {
            assert!(!words(&damage).is_empty());
        }
    }
}
