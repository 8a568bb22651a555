//! Evidence: what one gate showed for one requirement in one run, sealed.
//!
//! Immutable. Whether it is intact is derived on every read from the seal and the blobs; it is never
//! stored. No path, host or folder is sealed: moving a repository is not tampering (P50).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    gate::GateName,
    requirement::RequirementNumber,
    results::{Case, ParserKind},
    tree::ObjectId,
    verdict::Outcome,
};
use crate::{
    actor::Actor,
    digest::{Digest, Fields},
    id::{EvidenceId, ProjectId, QuestionId, RunId},
    time::Timestamp,
};

/// The output of a command as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OutputRecord {
    /// The blob; its digest is that of the stored bytes.
    pub blob: Digest,
    /// How many bytes the command wrote.
    pub bytes: u64,
    /// Whether the middle was left out.
    pub truncated: bool,
}

/// Results as they are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResultsRecord {
    /// How they were read.
    pub parser: ParserKind,
    /// The file itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blob: Option<Digest>,
    /// The cases that were kept.
    pub cases: Vec<Case>,
}

/// A file that the command left under `{out}/artifacts`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ArtifactRecord {
    /// Its path below the folder.
    pub path: String,
    /// Its bytes.
    pub blob: Digest,
    /// How many.
    pub bytes: u64,
}

/// One process of a run, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandRecord {
    /// What identifies it within the run (P30).
    pub digest: Digest,
    /// With `{repo}` and `{out}` unexpanded.
    pub argv: Vec<String>,
    /// Relative to the repository.
    pub cwd: String,
    /// The runner.
    pub runner: String,
    /// What the tool says of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runner_version: Option<String>,
    /// Over names and values handed over, without run-private ones.
    pub env_digest: Digest,
    /// Its limit.
    pub timeout_s: u32,
    /// From 1.
    pub attempt: u32,
    /// Null where no process ended by itself; never invented (X4).
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// When it started; none when it did not.
    pub started_at: Option<Timestamp>,
    /// How long it took.
    pub duration_ms: u64,
    /// What it wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<OutputRecord>,
    /// What it said about its tests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub results: Option<ResultsRecord>,
    /// What it left.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<ArtifactRecord>,
}

impl CommandRecord {
    /// What of it goes into a seal.
    pub fn sealed(&self) -> SealedCommand {
        let output = self.output.iter().map(|output| output.blob);
        let results = self.results.iter().filter_map(|results| results.blob);
        let artifacts = self.artifacts.iter().map(|artifact| artifact.blob);
        // The order of its fields is that of the type. A record is text and numbers, so it always has a
        // JSON form.
        let record = Digest::of(&serde_json::to_vec(self).unwrap_or_default());
        SealedCommand {
            digest: self.digest,
            record,
            exit_code: self.exit_code,
            blobs: output.chain(results).chain(artifacts).collect(),
        }
    }
}

/// What a command is and does, so that equal ones run once (P30).
#[derive(Debug, Clone, Copy)]
pub struct CommandIdentity<'a> {
    /// With placeholders unexpanded.
    pub argv: &'a [String],
    /// Relative.
    pub cwd: &'a str,
    /// Names and values handed over, without run-private ones.
    pub env_digest: Digest,
    /// The runner.
    pub runner: &'a str,
    /// How results are read, and where.
    pub parser: ParserKind,
    /// The results file.
    pub results: Option<&'a str>,
    /// Its limit.
    pub timeout_s: u32,
    /// The files it sees.
    pub tree: &'a str,
}

impl CommandIdentity<'_> {
    /// The digest.
    pub fn digest(&self) -> Digest {
        let mut fields = Fields::tagged("proofhouse-command-1");
        fields.text(&self.argv.len().to_string());
        for element in self.argv {
            fields.text(element);
        }
        fields.text(self.cwd).push(self.env_digest.bytes()).text(self.runner).text(self.parser.as_str());
        fields.maybe(self.results).text(&self.timeout_s.to_string()).text(self.tree);
        fields.finish()
    }
}

/// The part of a command that evidence seals and points to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SealedCommand {
    /// The command.
    pub digest: Digest,
    /// Over the whole of its record: argv, times, signal and all that a reader is shown.
    pub record: Digest,
    /// Its exit code, if it had one.
    pub exit_code: Option<i32>,
    /// Output, results and artifacts, in this order.
    pub blobs: Vec<Digest>,
}

/// A person's look, where a review is the evidence (P67).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReviewRecord {
    /// The question.
    pub question: QuestionId,
    /// Who looked; none while nobody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_by: Option<Actor>,
    /// The checklist that was shown.
    pub checklist: Digest,
    /// What they wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// Evidence as stored: one row per requirement, gate and run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Evidence {
    /// Its id.
    pub id: EvidenceId,
    /// The project.
    pub project: ProjectId,
    /// Rising over the whole project.
    pub seq: u64,
    /// The requirement.
    pub requirement: RequirementNumber,
    /// The gate.
    pub gate: GateName,
    /// The run.
    pub run: RunId,
    /// The commands it rests on.
    pub commands: Vec<SealedCommand>,
    /// The cases of its rules.
    pub cases: Vec<Case>,
    /// What it showed.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// One sentence for people.
    pub message: String,
    /// The files that the gate saw; none when they have no name (a dirty submodule).
    pub tree: Option<ObjectId>,
    /// The commit they started from.
    pub commit: Option<ObjectId>,
    /// Whether they differ from the commit.
    pub dirty: bool,
    /// The gate's definition.
    pub definition: Digest,
    /// Where a person looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<ReviewRecord>,
    /// When.
    pub recorded_at: Timestamp,
    /// Over all that it claims.
    pub seal: Digest,
}

impl Evidence {
    /// What the seal must be (P50).
    pub fn seal_of(&self) -> Digest {
        let mut fields = Fields::tagged("proofhouse-evidence-1");
        fields
            .push(self.project.uuid().as_bytes())
            .text(&self.requirement.to_string())
            .text(self.gate.as_str())
            .push(self.run.uuid().as_bytes())
            .text(&self.seq.to_string())
            .maybe(self.tree.as_ref().map(ObjectId::as_str))
            .text(if self.dirty { "dirty" } else { "clean" })
            .push(self.definition.bytes())
            .text(self.outcome.verdict().as_str())
            .maybe(self.outcome.reason().map(|reason| reason.as_str()))
            .maybe(self.commit.as_ref().map(ObjectId::as_str))
            .text(&self.recorded_at.micros().to_string())
            .text(&self.message)
            // What a reader is shown is sealed, too. The order of its fields is that of the type.
            .push(&serde_json::to_vec(&self.cases).unwrap_or_default())
            .text(&self.commands.len().to_string());
        for command in &self.commands {
            fields.push(command.digest.bytes()).push(command.record.bytes());
            fields.maybe(command.exit_code.map(|code| code.to_string()).as_deref());
            fields.text(&command.blobs.len().to_string());
            for blob in &command.blobs {
                fields.push(blob.bytes());
            }
        }
        if let Some(review) = &self.review {
            fields.push(review.question.uuid().as_bytes()).push(review.checklist.bytes());
            fields.maybe(review.answered_by.as_ref().map(actor_key).as_deref()).maybe(review.comment.as_deref());
        }
        fields.finish()
    }

    /// The evidence with its seal.
    pub fn sealed(mut self) -> Self {
        self.seal = self.seal_of();
        self
    }

    /// Every blob it rests on.
    pub fn blobs(&self) -> impl Iterator<Item = Digest> {
        self.commands.iter().flat_map(|command| command.blobs.iter().copied())
    }

    /// Whether it is what was sealed: the row matches its own seal and the one in the journal, and every
    /// blob has its digest. `blob` answers for one blob from its bytes (P51).
    pub fn intact(&self, journaled: Option<Digest>, mut blob: impl FnMut(Digest) -> BlobState) -> Intact {
        if self.seal_of() != self.seal {
            return Intact::Damaged(Damage::Row);
        }
        if journaled != Some(self.seal) {
            return Intact::Damaged(Damage::Journal);
        }
        for digest in self.blobs() {
            match blob(digest) {
                BlobState::Sound => {}
                BlobState::Missing => return Intact::Damaged(Damage::BlobMissing { blob: digest }),
                BlobState::Altered => return Intact::Damaged(Damage::BlobAltered { blob: digest }),
            }
        }
        Intact::Sound
    }
}

fn actor_key(actor: &Actor) -> String {
    match actor {
        Actor::Person { id, .. } => format!("person:{id}"),
        Actor::Token { id, .. } => format!("token:{id}"),
        Actor::Worker { id, .. } => format!("worker:{id}"),
        Actor::Run { id } => format!("run:{id}"),
        Actor::System => "system".to_owned(),
    }
}

/// What is under a blob's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlobState {
    /// A regular, readable file with its digest.
    Sound,
    /// Nothing that can be read.
    Missing,
    /// Something else.
    Altered,
}

/// Whether evidence is what was sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intact {
    /// It is.
    Sound,
    /// It is not.
    Damaged(Damage),
}

/// What is wrong with damaged evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Damage {
    /// The row does not match its own seal.
    Row,
    /// The journal holds another seal, or none.
    Journal,
    /// A blob is gone.
    BlobMissing {
        /// Which.
        blob: Digest,
    },
    /// A blob has other bytes.
    BlobAltered {
        /// Which.
        blob: Digest,
    },
}

#[cfg(test)]
#[path = "evidence_tests.rs"]
mod tests;
