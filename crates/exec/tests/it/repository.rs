//! Real repositories, made by git as a person would.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use proofhouse_exec::git::Repository;

pub struct Repo {
    pub folder: tempfile::TempDir,
}

impl Repo {
    /// A repository with three files and one commit on `main`.
    pub fn new() -> Self {
        let repo = Self::empty(&["init", "-q", "-b", "main"]);
        repo.write("a.txt", "a\n");
        repo.write("src/b.rs", "b\n");
        repo.write(".gitignore", "ignored/\n*.log\n");
        repo.commit("first");
        repo
    }

    pub fn empty(init: &[&str]) -> Self {
        let repo = Self { folder: tempfile::tempdir().unwrap() };
        repo.git(init);
        repo
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn at(&self, path: &str) -> PathBuf {
        self.path().join(path)
    }

    pub fn git(&self, args: &[&str]) -> String {
        git_at(self.path(), args)
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn commit(&self, message: &str) -> String {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    pub fn tree(&self) -> String {
        self.git(&["rev-parse", "HEAD^{tree}"])
    }

    pub async fn open(&self) -> Repository {
        Repository::open(self.path()).await.unwrap()
    }
}

pub fn git_at(folder: &Path, args: &[&str]) -> String {
    let out = Command::new("git")
        .args(["-c", "user.name=T", "-c", "user.email=t@example.com", "-c", "protocol.file.allow=always"])
        .args(args)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap();
    assert!(out.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).trim().to_owned()
}

/// Every file below, `.git` apart from what is asked: name, mode and bytes.
pub fn snapshot(folder: &Path) -> Vec<(PathBuf, u32, Vec<u8>)> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        let data = next.symlink_metadata().unwrap();
        if data.is_dir() {
            open.extend(fs::read_dir(&next).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            let bytes = if data.is_symlink() { vec![] } else { fs::read(&next).unwrap_or_default() };
            found.push((next, data.permissions().mode(), bytes));
        }
    }
    found.sort();
    found
}
