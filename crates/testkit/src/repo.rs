//! Git repositories for tests: real ones, in a temporary folder, with nothing of the machine's own
//! git settings in them.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

/// A repository that is gone when it is dropped.
#[derive(Debug)]
pub struct Repo {
    folder: tempfile::TempDir,
}

impl Repo {
    /// An empty repository on branch `main`.
    pub fn new() -> Self {
        let repo = Self {
            folder: tempfile::Builder::new().prefix("repo-").tempdir().expect("a temporary folder can be made"),
        };
        repo.git(&["init", "-q", "-b", "main"]);
        repo
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The absolute path of a file in it.
    pub fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// Writes a file, with its folders.
    pub fn file(&self, path: &str, contents: impl AsRef<[u8]>) -> &Self {
        let path = self.at(path);
        fs::create_dir_all(path.parent().expect("a file in a repository has a folder")).expect("folders can be made");
        fs::write(path, contents).expect("a file can be written");
        self
    }

    /// Writes a shell script that may be executed.
    pub fn script(&self, path: &str, body: &str) -> &Self {
        self.file(path, format!("#!/bin/sh\n{body}\n"));
        fs::set_permissions(self.at(path), fs::Permissions::from_mode(0o755)).expect("its mode can be set");
        self
    }

    /// Removes a file.
    pub fn without(&self, path: &str) -> &Self {
        fs::remove_file(self.at(path)).expect("the file was there");
        self
    }

    /// Commits everything, and answers the commit.
    pub fn commit(&self) -> String {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", "change"]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Runs git in it, and answers what it printed.
    #[track_caller]
    pub fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .args([
                "-c",
                "user.name=Test",
                "-c",
                "user.email=test@example.com",
                "-c",
                "commit.gpgsign=false",
                "-c",
                "core.hooksPath=/dev/null",
            ])
            .args(arguments)
            .current_dir(self.path())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .output()
            .expect("git is installed");
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Declares gates in `proofhouse.toml`: each runs one program of the repository and is judged by
    /// its exit code. `{test}` in the arguments is the rule's test.
    pub fn gates(&self, gates: &[(&str, &[&str])]) -> &Self {
        let mut text = String::new();
        for (name, argv) in gates {
            let argv = serde_json::json!(argv);
            text.push_str(&format!(
                "[proof.gates.{name}]\nrunner = \"command\"\nargv = {argv}\nparser = {{ kind = \"exit\" }}\n\n"
            ));
        }
        self.file("proofhouse.toml", text)
    }
}

impl Default for Repo {
    fn default() -> Self {
        Self::new()
    }
}
