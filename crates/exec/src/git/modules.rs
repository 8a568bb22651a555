//! Submodules: their commits are in the tree, their own changes are not (P54).
//!
//! A checkout is writable to what runs in it, and so is the `.git` of a submodule within. git would
//! follow it to settings that start programs; so where it leads is looked at first, and a submodule
//! whose git directory does not lie in that of the repository is not entered.

use std::{
    ffi::OsStr,
    fs,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use super::{
    GitError, Repository,
    index::{self, Entry},
};

/// How deep submodules may lie in submodules.
const DEPTH: usize = 8;

/// Why the tree cannot be known by the submodules, if so. `is_left_out` knows caches by their path.
pub(super) async fn unknown(
    repository: &Repository,
    links: &[&Entry],
    is_left_out: &(dyn Fn(&[u8]) -> bool + Sync),
) -> Result<Option<String>, GitError> {
    let root = repository.root();
    let mut open: Vec<(PathBuf, usize)> =
        links.iter().map(|link| (root.join(OsStr::from_bytes(&link.path)), 1)).collect();
    while let Some((module, depth)) = open.pop() {
        let name = module.strip_prefix(root).unwrap_or(&module).display().to_string();
        let git_dir = match git_dir_of(&module, repository.common_dir()) {
            Found::Nothing => continue,
            Found::Unknown(why) => return Ok(Some(format!("the submodule {name} {why}"))),
            Found::GitDir(git_dir) => git_dir,
        };
        if depth == DEPTH {
            return Ok(Some(format!("the submodule {name} lies too deep")));
        }
        let status = repository
            .git_elsewhere(&git_dir, &module)
            .args([
                "status",
                "--porcelain=v2",
                "-z",
                "--no-renames",
                "--ignore-submodules=all",
                "--untracked-files=all",
            ])
            .ask()
            .await?;
        if status.code != 0 {
            return Ok(Some(format!("the submodule {name} cannot be read")));
        }
        let is_dirty = status.stdout.split(|byte| *byte == 0).any(|line| match line.strip_prefix(b"? ") {
            Some(untracked) => !is_left_out(untracked),
            None => !line.is_empty(),
        });
        if is_dirty {
            return Ok(Some(format!("the submodule {name} has changes of its own")));
        }
        let listed = fs::read(git_dir.join("index")).unwrap_or_default();
        match index::entries(&listed, repository.is_sha256()) {
            Ok(entries) => {
                let links = entries.iter().filter(|entry| entry.is_link);
                open.extend(links.map(|link| (module.join(OsStr::from_bytes(&link.path)), depth + 1)));
            }
            Err(_) if listed.is_empty() => {}
            Err(_) => return Ok(Some(format!("the index of the submodule {name} cannot be read"))),
        }
    }
    Ok(None)
}

enum Found {
    /// It is not checked out.
    Nothing,
    GitDir(PathBuf),
    Unknown(&'static str),
}

/// The git directory of a submodule, when it is where git puts it.
fn git_dir_of(module: &Path, common_dir: &Path) -> Found {
    let pointer = module.join(".git");
    match pointer.symlink_metadata() {
        Err(_) => {
            // Files here would be seen by gates, and by nobody else.
            let is_empty = fs::read_dir(module).map_or(true, |mut entries| entries.next().is_none());
            return if is_empty { Found::Nothing } else { Found::Unknown("holds files but is not checked out") };
        }
        Ok(data) if data.is_dir() => {
            return Found::Unknown("keeps its git directory among its files: `git submodule absorbgitdirs` moves it");
        }
        Ok(data) if !data.is_file() || data.len() > 8_192 => return Found::Unknown("has a .git that leads elsewhere"),
        Ok(_) => {}
    }
    let text = fs::read(&pointer).unwrap_or_default();
    let target = text.strip_prefix(b"gitdir: ").map(|path| path.trim_ascii_end());
    let git_dir = target.and_then(|path| module.join(OsStr::from_bytes(path)).canonicalize().ok());
    match git_dir {
        Some(git_dir) if git_dir.starts_with(common_dir.join("modules")) || is_worktrees(&git_dir, common_dir) => {
            Found::GitDir(git_dir)
        }
        _ => Found::Unknown("has a .git that leads elsewhere"),
    }
}

/// Submodules of linked worktrees lie at `worktrees/NAME/modules/`.
fn is_worktrees(git_dir: &Path, common_dir: &Path) -> bool {
    let below = git_dir.strip_prefix(common_dir.join("worktrees")).ok();
    below.and_then(|path| path.iter().nth(1)).is_some_and(|part| part == "modules")
}
