//! Putting stubs into a checkout: created new, never overwritten, never outside it (P9).

use std::{
    fs, io,
    io::Write as _,
    path::{Component, Path, PathBuf},
};

use model::proof::stub::{StubAnswer, StubState};

use super::Stub;

/// Writes stubs under the root of a checkout and says what became of each, sorted by path. A stub that
/// cannot be written is `planned`, with the reason, and stops nothing.
pub fn write(root: &Path, stubs: &[Stub]) -> Vec<StubAnswer> {
    let mut answers: Vec<StubAnswer> = stubs
        .iter()
        .map(|stub| {
            let (state, message) = match write_one(root, stub) {
                Ok(state) => (state, None),
                Err(reason) => (StubState::Planned, Some(reason.to_string())),
            };
            StubAnswer { path: stub.path.clone(), state, message }
        })
        .collect();
    answers.sort();
    answers
}

/// The stubs of a project without a checkout in reach.
pub fn planned(stubs: &[Stub]) -> Vec<StubAnswer> {
    let mut answers: Vec<StubAnswer> =
        stubs.iter().map(|s| StubAnswer { path: s.path.clone(), state: StubState::Planned, message: None }).collect();
    answers.sort();
    answers
}

/// Why a stub was not written. Names no path of the machine.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("the path leads out of the repository")]
    LeadsOut,
    #[error("a file stands where a folder is needed")]
    NotAFolder,
    #[error("the folder cannot be written: {0}")]
    Io(io::ErrorKind),
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self::Io(error.kind())
    }
}

fn write_one(root: &Path, stub: &Stub) -> Result<StubState, Refused> {
    let relative = Path::new(&stub.path);
    let plain = relative.components().all(|part| matches!(part, Component::Normal(name) if name != ".git"));
    if !plain || stub.path.is_empty() {
        return Err(Refused::LeadsOut);
    }
    let root = root.canonicalize()?;
    let (Some(parent), Some(name)) = (relative.parent(), relative.file_name()) else {
        return Err(Refused::LeadsOut);
    };
    let mut folder = root.clone();
    for part in parent.components() {
        folder = enter(&root, &folder.join(part))?;
    }
    let path = folder.join(name);
    // `create_new` never follows a link in the last place, and never opens what is there.
    let mut file = match fs::OpenOptions::new().write(true).create_new(true).open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(StubState::Exists),
        Err(error) => return Err(error.into()),
    };
    // Was a folder swapped for a link in the meantime? Then what was made is taken back, unwritten.
    if path.canonicalize().ok().is_none_or(|real| !is_inside(&root, &real)) {
        drop(file);
        let _ = fs::remove_file(&path);
        return Err(Refused::LeadsOut);
    }
    let written = file.write_all(stub.text.as_bytes()).and_then(|()| file.sync_all());
    if let Err(error) = written {
        // Half a stub would be `exists` for ever.
        drop(file);
        let _ = fs::remove_file(&path);
        return Err(error.into());
    }
    Ok(StubState::Written)
}

/// The real place of a folder below the root, made if it is missing. A link within the repository is
/// followed, one that leads out is not.
fn enter(root: &Path, folder: &Path) -> Result<PathBuf, Refused> {
    match fs::create_dir(folder) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error.into()),
    }
    let real = folder.canonicalize().map_err(|_| Refused::LeadsOut)?;
    if !is_inside(root, &real) {
        return Err(Refused::LeadsOut);
    }
    if real.is_dir() { Ok(real) } else { Err(Refused::NotAFolder) }
}

fn is_inside(root: &Path, real: &Path) -> bool {
    real.strip_prefix(root).is_ok_and(|rest| rest.components().next().is_none_or(|first| first.as_os_str() != ".git"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stub(path: &str) -> Stub {
        Stub { path: path.to_owned(), text: "text".to_owned() }
    }

    fn state(root: &Path, path: &str) -> StubState {
        write(root, &[stub(path)]).remove(0).state
    }

    #[test]
    fn a_stub_is_created_new_and_never_overwritten() {
        // P9
        let root = tempfile::tempdir().unwrap();
        let both = write(root.path(), &[stub("tests/b.rs"), stub("tests/a.rs")]);
        assert_eq!(both.iter().map(|answer| answer.path.as_str()).collect::<Vec<_>>(), ["tests/a.rs", "tests/b.rs"]);
        assert!(both.iter().all(|answer| answer.state == StubState::Written));
        fs::write(root.path().join("tests/a.rs"), "mine").unwrap();
        assert_eq!(state(root.path(), "tests/a.rs"), StubState::Exists);
        assert_eq!(fs::read_to_string(root.path().join("tests/a.rs")).unwrap(), "mine");
        assert_eq!(planned(&[stub("x")])[0].state, StubState::Planned);
    }

    #[test]
    fn a_stub_never_leaves_the_repository() {
        // P9, F14
        let base = tempfile::tempdir().unwrap();
        let (root, outside) = (base.path().join("repo"), base.path().join("outside"));
        fs::create_dir_all(root.join(".git")).unwrap();
        fs::create_dir_all(root.join("real")).unwrap();
        fs::create_dir_all(&outside).unwrap();
        let link = |to: &Path, name: &str| std::os::unix::fs::symlink(to, root.join(name)).unwrap();
        link(&outside, "out");
        link(&root.join("real"), "inner");
        link(&root.join(".git"), "dotgit");
        link(Path::new("missing"), "dangling");
        link(&outside.join("file"), "last.rs");
        fs::write(root.join("plain"), "").unwrap();
        for path in ["out/a.rs", "dotgit/hooks/x", ".git/x", "../a", "/tmp/a", "a/../../b", "", "dangling/a", "plain/a"]
        {
            let answer = write(&root, &[stub(path)]).remove(0);
            assert_eq!(answer.state, StubState::Planned, "{path}");
            assert!(!answer.message.unwrap().contains("outside/"));
        }
        // A link in the last place is left alone: something stands there.
        assert_eq!(state(&root, "last.rs"), StubState::Exists);
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
        assert_eq!(state(&root, "inner/a.rs"), StubState::Written);
        assert!(root.join("real/a.rs").exists());
        assert_eq!(state(&base.path().join("nowhere"), "a"), StubState::Planned);
    }
}
