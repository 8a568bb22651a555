//! The difference that a run made, as text.

use std::path::Path;

use exec::git::Repository;
use model::{code::Code, problem::Problem, proof::tree::ObjectId, run::Run};

use super::Detail;
use crate::Engine;

/// Bytes of a difference that are answered.
const DIFF: u64 = 4 << 20;

/// A difference between two commits of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// From here.
    pub from: ObjectId,
    /// To there.
    pub to: ObjectId,
    /// A unified diff. Bytes that are no UTF-8 are replaced.
    pub text: String,
    /// It is longer than what is answered.
    pub truncated: bool,
}

/// The difference between the base and the commit of a run, or the two in whichever way they are asked for.
///
/// # Errors
/// 409 when the run has made no commit; 404 for commits that are not this run's: nobody reads others through it.
pub async fn difference(
    engine: &Engine,
    run: &Run,
    from: Option<ObjectId>,
    to: Option<ObjectId>,
) -> Result<Difference, Problem> {
    let made = Detail::of(run)?.report.and_then(|report| report.base.zip(report.commit));
    let (base, commit) = made.ok_or_else(|| Problem::new(Code::WrongState, "the run has made no commit"))?;
    let (from, to) = (from.unwrap_or_else(|| base.clone()), to.unwrap_or_else(|| commit.clone()));
    if ![&from, &to].into_iter().all(|end| *end == base || *end == commit) {
        return Err(Problem::not_found());
    }
    let project = engine.project(&run.project.to_string()).await?;
    let repository = Repository::open(Path::new(&project.path)).await?;
    let (bytes, truncated) = repository.diff_text(&from, &to, DIFF).await?;
    Ok(Difference { from, to, text: String::from_utf8_lossy(&bytes).into_owned(), truncated })
}
