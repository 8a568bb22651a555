//! The folders of one attempt at a command.

use std::{fs, io, path::PathBuf};

use model::id::{ProjectId, RunId, TaskId};

use super::{state::Bound, target};
use crate::Engine;

/// The folders of one attempt.
pub struct Places {
    /// Fresh and empty: `{out}`.
    pub out: PathBuf,
    /// What it prints.
    pub output: PathBuf,
    /// Its HOME.
    pub home: PathBuf,
    /// Its TMPDIR.
    pub tmp: PathBuf,
    /// What builds keep from one run to the next.
    pub cache: PathBuf,
    attempt: PathBuf,
}

impl Places {
    /// Makes them.
    pub fn make(
        engine: &Engine,
        project: ProjectId,
        run: RunId,
        task: TaskId,
        attempt: u32,
        bound: &Bound,
    ) -> io::Result<Self> {
        let own = target::run_folder(engine, run).join(format!("{task}-{attempt}"));
        // A left-over of an attempt with the same number can only be this one's, cut short.
        if own.exists() {
            fs::remove_dir_all(&own)?;
        }
        // Builds on the checkout share a cache; a run of its own worktree must not disturb them.
        let kind = if bound.own_worktree { "ref" } else { "worktree" };
        let places = Self {
            out: own.join("out"),
            output: own.join("output"),
            home: own.join("home"),
            tmp: own.join("tmp"),
            cache: engine.data().cache().join(project.to_string()).join(kind),
            attempt: own,
        };
        for folder in [&places.out, &places.home, &places.tmp, &places.cache] {
            fs::create_dir_all(folder)?;
        }
        Ok(places)
    }

    /// Removes what only this attempt had.
    pub fn clear(&self) {
        // What cannot be removed now goes with the run's folder.
        let _ = fs::remove_dir_all(&self.attempt);
    }
}
