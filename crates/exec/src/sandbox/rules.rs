//! Landlock rules for a plan. Landlock only ever allows, so "everything but this folder" is
//! written as everything beside the way to it.

use std::{
    fs, io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, Scope,
};

use super::FileRules;

/// What is asked of the kernel; an older one gives what it has.
const LEVEL: ABI = ABI::V6;

/// Entries beside the way to a hidden folder. More than this and the plan cannot be built.
const BESIDE_MAX: usize = 50_000;

/// Devices that every program may use.
const DEVICES: &[&str] =
    &["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/ptmx", "/dev/pts"];

/// The rules for files. `None`: this kernel has no Landlock.
pub(super) fn files(plan: &FileRules) -> io::Result<Option<OwnedFd>> {
    let created = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(LEVEL))
        .and_then(|rules| rules.scope(Scope::from_all(LEVEL)))
        .and_then(Ruleset::create)
        .map_err(io::Error::other)?;
    let (all, read) = (AccessFs::from_all(LEVEL), AccessFs::from_read(LEVEL));
    let device: BitFlags<AccessFs> =
        AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::Truncate | AccessFs::IoctlDev | AccessFs::ReadDir;

    let mut rules = created;
    for path in beside(&plan.hidden)? {
        rules = allow(rules, &path, read)?;
    }
    for path in DEVICES {
        rules = allow(rules, Path::new(path), device)?;
    }
    for path in &plan.readable {
        rules = allow(rules, path, read)?;
    }
    for path in plan.writable.iter().chain(&plan.private_tmp) {
        rules = allow(rules, path, all)?;
    }
    Ok(rules.into())
}

/// Rules that allow no TCP at all. `None`: this kernel cannot.
pub(super) fn no_tcp() -> Option<OwnedFd> {
    Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessNet::from_all(ABI::V4))
        .and_then(Ruleset::create)
        .ok()
        .and_then(Into::into)
}

fn allow(rules: RulesetCreated, path: &Path, access: BitFlags<AccessFs>) -> io::Result<RulesetCreated> {
    // What is not there (any more) needs no rule; what cannot be opened could not be read either.
    let Ok(opened) = PathFd::new(path) else { return Ok(rules) };
    let access = if path.is_dir() { access } else { access & AccessFs::from_file(LEVEL) };
    rules.add_rule(PathBeneath::new(opened, access)).map_err(io::Error::other)
}

/// The largest files and folders that hold nothing hidden. Symbolic links are left out: Landlock
/// judges the place they lead to.
fn beside(hidden: &[PathBuf]) -> io::Result<Vec<PathBuf>> {
    // What does not exist needs no hiding; it is the caller who makes its folders first.
    let hidden: Vec<PathBuf> = hidden.iter().filter_map(|path| path.canonicalize().ok()).collect();
    let mut open = vec![PathBuf::from("/")];
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        if hidden.contains(&folder) {
            continue;
        }
        if !hidden.iter().any(|path| path.starts_with(&folder)) {
            found.push(folder);
            continue;
        }
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let entry = entry?;
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => open.push(entry.path()),
                Ok(kind) if !kind.is_symlink() && !hidden.contains(&entry.path()) => found.push(entry.path()),
                _ => {}
            }
            if found.len() + open.len() > BESIDE_MAX {
                return Err(io::Error::other(format!("too many files beside {}", folder.display())));
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// F14: all but the hidden folder, however deep it lies.
    #[test]
    fn everything_beside_the_way() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        for folder in ["a/hidden/deep", "a/beside", "b"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        fs::write(root.join("a/file"), "").unwrap();
        fs::write(root.join("a/secret"), "").unwrap();
        std::os::unix::fs::symlink(root.join("a/hidden"), root.join("link")).unwrap();
        let found: Vec<_> = beside(&[root.join("a/hidden"), root.join("a/secret")]).unwrap();
        let inside: std::collections::BTreeSet<_> =
            found.iter().filter_map(|path| path.strip_prefix(&root).ok()).map(Path::to_owned).collect();
        assert_eq!(inside, ["a/beside", "a/file", "b"].map(PathBuf::from).into());
        assert!(found.contains(&PathBuf::from("/usr")) && !found.contains(&PathBuf::from("/")));
        assert_eq!(beside(&[]).unwrap(), [PathBuf::from("/")]);
    }
}
