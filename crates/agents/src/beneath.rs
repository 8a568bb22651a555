//! Files below a folder that an agent may have had its hands in: no link is followed on the way, so
//! nothing outside is read or written whatever lies there.

use std::{
    io::{self, Read as _, Write as _},
    os::fd::{AsFd as _, OwnedFd},
    path::Path,
};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, mkdirat, openat, symlinkat, unlinkat};

const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

fn refused(path: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("{path:?} does not lie inside"))
}

/// The folder that holds `path`, and the last name of it. Folders on the way are made when asked.
fn parent<'p>(root: &Path, path: &'p str, make: bool) -> io::Result<(OwnedFd, &'p str)> {
    let mut names: Vec<&str> = path.split('/').collect();
    if names.iter().any(|name| matches!(*name, "" | "." | "..") || name.contains('\0')) {
        return Err(refused(path));
    }
    let last = names.pop().ok_or_else(|| refused(path))?;
    let mut folder = openat(CWD, root, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    for name in names {
        if make
            && let Err(error) = mkdirat(&folder, name, Mode::from_raw_mode(0o755))
            && error != rustix::io::Errno::EXIST
        {
            return Err(error.into());
        }
        folder = openat(&folder, name, FOLDER, Mode::empty())?;
    }
    Ok((folder, last))
}

/// Writes a file; what lay there is replaced, and was it a link, the link is.
pub(crate) fn write(root: &Path, path: &str, bytes: &[u8], mode: u32) -> io::Result<()> {
    let (folder, name) = parent(root, path, true)?;
    match unlinkat(folder.as_fd(), name, AtFlags::empty()) {
        Ok(()) | Err(rustix::io::Errno::NOENT) => {}
        Err(error) => return Err(error.into()),
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = std::fs::File::from(openat(&folder, name, flags, Mode::from_raw_mode(mode))?);
    file.write_all(bytes)
}

/// Reads a file of at most so many bytes.
pub(crate) fn read(root: &Path, path: &str, max: u64) -> io::Result<Vec<u8>> {
    let (folder, name) = parent(root, path, false)?;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = std::fs::File::from(openat(&folder, name, flags, Mode::empty())?);
    let facts = file.metadata()?;
    if !facts.is_file() || facts.len() > max {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{path} is no file of at most {max} bytes")));
    }
    let mut bytes = Vec::new();
    file.take(max).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Makes a link to a file outside, in the place of whatever lay there.
pub(crate) fn link(root: &Path, path: &str, target: &Path) -> io::Result<()> {
    let (folder, name) = parent(root, path, true)?;
    match unlinkat(folder.as_fd(), name, AtFlags::empty()) {
        Ok(()) | Err(rustix::io::Errno::NOENT) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(symlinkat(target, folder.as_fd(), name)?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    // S41, S76: what an earlier session left in a home cannot make the plane write elsewhere.
    #[test]
    fn no_link_is_followed() {
        let (inside, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(outside.path().join("file"), "mine").unwrap();
        symlink(outside.path(), inside.path().join("folder")).unwrap();
        symlink(outside.path().join("file"), inside.path().join("link")).unwrap();
        assert!(write(inside.path(), "folder/file", b"theirs", 0o600).is_err());
        assert!(link(inside.path(), "folder/other", Path::new("/etc/passwd")).is_err());
        assert!(read(inside.path(), "link", 100).is_err());
        write(inside.path(), "link", b"theirs", 0o600).unwrap();
        assert_eq!(std::fs::read_to_string(outside.path().join("file")).unwrap(), "mine");
        assert_eq!(read(inside.path(), "link", 100).unwrap(), b"theirs");
        for bad in ["", "/etc/x", "../x", "a/../x", "a//b", "a/", "./x"] {
            assert!(write(inside.path(), bad, b"", 0o600).is_err(), "{bad}");
        }
        write(inside.path(), "a/b/c", b"deep", 0o600).unwrap();
        assert_eq!(std::fs::read_to_string(inside.path().join("a/b/c")).unwrap(), "deep");
    }
}
