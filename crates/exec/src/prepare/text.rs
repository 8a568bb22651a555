//! Changes of plain text alone: the plane itself looks whether it is text (L33).

use std::path::Path;

use super::{Change, Ecosystem, EnvironmentChange, Prepared, Preparer, Project, Refused, Selected};

/// See the module.
pub(super) struct Text;

/// Whether bytes are a text: valid UTF-8.
pub fn is_text(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok()
}

fn is_prose(path: &str) -> bool {
    path.starts_with("docs/") || [".md", ".rst", ".txt"].iter().any(|end| path.ends_with(end))
}

impl Preparer for Text {
    fn ecosystem(&self) -> Ecosystem {
        Ecosystem::Text
    }

    fn detect(&self, _project: &Project) -> bool {
        false
    }

    fn knows(&self, _program: &str) -> bool {
        false
    }

    fn select(&self, _project: &Project, change: &Change) -> Vec<Selected> {
        if change.touched.is_empty() || !change.touched.iter().all(|path| is_prose(path)) {
            return Vec::new();
        }
        vec![Selected::Text(change.existing.iter().filter(|path| is_prose(path)).cloned().collect())]
    }

    fn prepare(&self, argv: &[String], project: &Project) -> Result<Prepared, Refused> {
        Ok(Prepared::unchanged(argv, Ecosystem::Text, project.cwd()))
    }

    fn env(&self, _scratch: &Path, _project_dir: &str) -> EnvironmentChange {
        EnvironmentChange::default()
    }
}
