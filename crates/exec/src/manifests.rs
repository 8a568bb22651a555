//! What [`crate::prepare`] has to know of a worktree, read from the disk for one command: the
//! manifests and lock files of the folder it starts in and of those its words name, each up to
//! the top. It reads nothing else, and nothing outside the worktree.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Read as _,
    path::Path,
};

use crate::prepare::Project;

/// Files whose text is needed.
const READ: &[&str] = &["pyproject.toml", "package.json"];
/// Files that need only be there.
const SEEN: &[&str] =
    &["uv.lock", "package-lock.json", ".yarnrc.yml", "go.mod", "vendor/modules.txt", "Cargo.toml", "Cargo.lock"];
/// A folder that need only be there, and the file it is told by.
const MODULES: (&str, &str) = ("node_modules", "node_modules/.present");
/// The longest manifest that is read. A longer one is there, and empty.
const MANIFEST_MAX: u64 = 1 << 20;
/// Folders that are looked into.
const FOLDERS_MAX: usize = 64;

/// The worktree at `root` as it concerns a command that starts in the folder `cwd` below.
pub fn project_at(root: &Path, cwd: &str, argv: &[String]) -> Project {
    let root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    let shown = root.to_string_lossy().into_owned();
    let empty = Project::new(&shown, cwd, BTreeMap::new());
    let mut folders: BTreeSet<String> = BTreeSet::new();
    let mut start = vec![empty.cwd().to_owned()];
    for word in argv.iter().skip(1) {
        let value = word.split_once('=').map_or(word.as_str(), |(_, value)| value);
        // A folder may be named from the one named before it.
        for from in start.clone() {
            if let Some(folder) = empty.resolve(&from, value).filter(|folder| root.join(folder).is_dir()) {
                start.push(folder);
            }
        }
        start.sort();
        start.dedup();
        start.truncate(FOLDERS_MAX);
    }
    for folder in start {
        let mut at = folder.as_str();
        while folders.len() < FOLDERS_MAX && folders.insert(at.to_owned()) && !at.is_empty() {
            at = at.rsplit_once('/').map_or("", |(above, _)| above);
        }
    }
    let (mut manifests, mut seen) = (BTreeMap::new(), Vec::new());
    for folder in folders {
        let below = |name: &str| if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
        for name in READ {
            if let Some(text) = text_of(&root, &below(name)) {
                manifests.insert(below(name), text);
            }
        }
        seen.extend(SEEN.iter().map(|name| below(name)).filter(|path| is_inside(&root, path)));
        if root.join(below(MODULES.0)).is_dir() {
            seen.push(below(MODULES.1));
        }
    }
    Project::new(&shown, cwd, manifests).with_files(seen)
}

fn is_inside(root: &Path, path: &str) -> bool {
    root.join(path).canonicalize().is_ok_and(|real| real.starts_with(root) && real.is_file())
}

/// The text of a regular file in the worktree.
fn text_of(root: &Path, path: &str) -> Option<String> {
    if !is_inside(root, path) {
        return None;
    }
    let mut bytes = Vec::new();
    let read = fs::File::open(root.join(path)).and_then(|file| file.take(MANIFEST_MAX + 1).read_to_end(&mut bytes));
    match read {
        Ok(length) if length as u64 <= MANIFEST_MAX => Some(String::from_utf8_lossy(&bytes).into_owned()),
        _ => Some(String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prepare::prepare;

    /// L41, L57, L59: the folder a command works in decides, wherever its words send it.
    #[test]
    fn a_command_is_prepared_for_its_own_folder() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        fs::create_dir_all(at("api/src")).unwrap();
        fs::create_dir_all(at("web/node_modules")).unwrap();
        fs::write(at("api/pyproject.toml"), "[dependency-groups]\ndev=['pytest']\n").unwrap();
        fs::write(at("api/uv.lock"), "").unwrap();
        fs::write(at("web/package.json"), "{}").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", at("pyproject.toml")).unwrap();

        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        for (cwd, line, expected) in [
            ("api/src", "pytest", "uv run --locked --group dev pytest"),
            ("", "pytest", "pytest"),
            ("", "uv run --directory=api pytest", "uv run --locked --group dev --directory=api pytest"),
            (
                "",
                "uv run --directory api --project src pytest",
                "uv run --locked --group dev --directory api --project src pytest",
            ),
        ] {
            let argv = words(line);
            let prepared = prepare(&argv, &project_at(folder.path(), cwd, &argv)).unwrap();
            assert_eq!(
                (prepared.prepared.join(" ").as_str(), prepared.lock_missing),
                (expected, false),
                "{cwd} {line}"
            );
        }
        let web = project_at(folder.path(), "web", &[]);
        assert!(web.has("web/node_modules/.present") && web.manifest("pyproject.toml").is_none());
    }
}
