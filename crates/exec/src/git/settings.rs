//! Which settings of the person and the system hold for us: those that say what a file's content
//! is (line ends, filters) and what is ignored. Everything else stays outside.

use std::path::{Path, PathBuf};

use super::command::Git;

/// Settings that change what git takes a file's content to be.
const CONTENT: &[&str] = &["core.autocrlf", "core.eol", "core.symlinks", "core.ignorecase", "core.precomposeunicode"];

/// What was picked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Picked {
    /// Settings for every call, in order.
    pub(super) settings: Vec<(String, String)>,
    /// The file that lists what the person ignores everywhere.
    pub(super) excludes: Option<PathBuf>,
}

/// The settings that hold in a folder, as git lists them.
pub(super) struct Listed {
    text: Vec<u8>,
    home: String,
    xdg: String,
}

impl Listed {
    /// What of them holds for us. Where the repository belongs to another user, its own filters are
    /// switched off: they are commands, and not that user's to give to us.
    pub(super) fn pick(&self, is_foreign: bool) -> Picked {
        picked(&String::from_utf8_lossy(&self.text), is_foreign, Path::new(&self.home), Path::new(&self.xdg))
    }
}

/// Reads the settings that hold in a folder.
pub(super) async fn list(folder: &Path) -> Listed {
    let home = std::env::var("HOME").unwrap_or_default();
    let xdg = std::env::var("XDG_CONFIG_HOME").ok().filter(|folder| !folder.is_empty());
    let xdg = xdg.unwrap_or_else(|| format!("{home}/.config"));
    let list = Git::at(folder)
        .env("HOME", &home)
        .env("XDG_CONFIG_HOME", &xdg)
        .without("GIT_CONFIG_GLOBAL")
        .without("GIT_CONFIG_NOSYSTEM")
        .args(["config", "--list", "--show-scope", "-z"]);
    // Settings that cannot be read set nothing.
    let text = list.tell().await.unwrap_or_default();
    Listed { text, home, xdg }
}

/// From `scope NUL key LF value NUL ...`.
fn picked(listed: &str, is_foreign: bool, home: &Path, xdg: &Path) -> Picked {
    let mut words = listed.split('\0');
    let (mut settings, mut excludes, mut attributes) = (Vec::new(), None, None);
    while let (Some(scope), Some(entry)) = (words.next(), words.next()) {
        let (key, value) = entry.split_once('\n').unwrap_or((entry, "true"));
        let is_filter = key.starts_with("filter.") && !key.contains('=');
        match key {
            "core.excludesfile" => excludes = Some(expanded(value, home)),
            "core.attributesfile" => attributes = Some(expanded(value, home)),
            key if CONTENT.contains(&key) => settings.push((key.to_owned(), value.to_owned())),
            key if is_filter => {
                let is_theirs = is_foreign && matches!(scope, "local" | "worktree");
                let value = match (is_theirs, key.ends_with(".required")) {
                    (false, _) => value,
                    (true, true) => "false",
                    (true, false) => "",
                };
                settings.push((key.to_owned(), value.to_owned()));
            }
            _ => {}
        }
    }
    let there =
        |file: Option<PathBuf>, name: &str| Some(file.unwrap_or_else(|| xdg.join(name))).filter(|file| file.is_file());
    if let Some(file) = there(attributes, "git/attributes") {
        settings.push(("core.attributesFile".to_owned(), file.to_string_lossy().into_owned()));
    }
    Picked { settings, excludes: there(excludes, "git/ignore") }
}

fn expanded(path: &str, home: &Path) -> PathBuf {
    match path.strip_prefix("~/") {
        Some(rest) => home.join(rest),
        None => PathBuf::from(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // P54: what content is comes from the person; what runs does not, but for filters.
    #[test]
    fn only_what_content_is_gets_picked() {
        let list = "global\0core.autocrlf\ninput\0global\0core.pager\nevil\0global\0filter.lfs.clean\ngit-lfs clean\0\
                    local\0filter.x.clean\nevil\0local\0filter.x.required\ntrue\0local\0alias.x\n!evil\0local\0core.symlinks\0";
        let pairs = |is_foreign| {
            let picked = picked(list, is_foreign, Path::new("/h"), Path::new("/h/.config"));
            picked.settings.into_iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            pairs(false),
            "core.autocrlf=input filter.lfs.clean=git-lfs clean filter.x.clean=evil filter.x.required=true core.symlinks=true"
        );
        assert_eq!(
            pairs(true),
            "core.autocrlf=input filter.lfs.clean=git-lfs clean filter.x.clean= filter.x.required=false core.symlinks=true"
        );
        assert_eq!(expanded("~/x", Path::new("/h")), Path::new("/h/x"));
    }
}
