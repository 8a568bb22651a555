//! Real tools in the real sandbox: what they need to work, they have. L122, P32, P35, X3.
//!
//! A tool that is not installed is named as skipped.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use proofhouse_exec::{
    environment::{EnvironmentPlan, child_environment, inherited},
    prepare::{Project, prepare, preparer},
    run::{Command, CommandEnd, Outcome, run},
    sandbox::{Files, Network, RunFolders, SandboxPlan, credential_stores},
};

use crate::{repository::Repo, scripted::exited};

/// A repository, and a run of the plane beside it.
struct Ground {
    repo: Repo,
    plane: tempfile::TempDir,
}

impl Ground {
    fn new(files: &[(&str, &str)]) -> Self {
        let repo = Repo::empty(&["init", "-q", "-b", "main"]);
        for (path, text) in files {
            repo.write(path, text);
        }
        repo.commit("first");
        Self { repo, plane: tempfile::tempdir().unwrap() }
    }

    async fn gate(&self, line: &str, manifests: &[&str]) -> (CommandEnd, String) {
        let root = self.repo.path().canonicalize().unwrap();
        let folders = RunFolders::make(&self.plane.path().join("runs/1")).unwrap();
        let manifests: BTreeMap<String, String> =
            manifests.iter().map(|path| ((*path).to_owned(), fs::read_to_string(root.join(path)).unwrap())).collect();
        let project = Project::new(root.to_str().unwrap(), "", manifests);
        let argv: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let prepared = prepare(&argv, &project).unwrap();
        let parent = inherited();
        let mut environment = child_environment(&EnvironmentPlan {
            parent: &parent,
            extra: &[],
            home: &folders.home,
            tmp: &folders.tmp,
            worktree: Some(&root),
            is_gate: true,
            told: &[],
        });
        if let Some(preparer) = preparer(prepared.ecosystem) {
            preparer.env(&folders.scratch, &prepared.project_dir).apply(&mut environment);
        }
        let repository = self.repo.open().await;
        let mut command = Command::new(prepared.prepared, &root);
        command.env = environment.variables().clone();
        command.sandbox = SandboxPlan::in_worktree(
            &root,
            &repository.git_dirs(),
            &folders,
            [vec![self.plane.path().to_owned()], credential_stores(Path::new(&parent["HOME"]))].concat(),
        );
        command.sandbox.required = true;
        command.timeout = Duration::from_secs(120);
        let end = run(command).await;
        let text = end.output.text().into_owned();
        if !matches!(end.outcome, Outcome::NotStarted { .. }) {
            assert_eq!((end.sandbox.files, end.sandbox.network), (Files::Enforced, Network::Off), "{:?}", end.sandbox);
        }
        (end, text)
    }
}

fn is_installed(program: &str) -> bool {
    let found = std::process::Command::new(program).arg("--version").output().is_ok_and(|out| out.status.success());
    if !found {
        println!("skipped: {program} is not installed");
    }
    found
}

#[tokio::test]
async fn cargo_tests_a_crate() {
    if !is_installed("cargo") {
        return;
    }
    let manifest = "[package]\nname = \"tiny\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[workspace]\n";
    let lock = "version = 4\n\n[[package]]\nname = \"tiny\"\nversion = \"0.1.0\"\n";
    let test = "#[test]\nfn adds() { assert_eq!(1 + 1, 2); }\n#[test]\nfn fails() { assert!(std::env::var(\"FAIL\").is_err()); }\n";
    let ground = Ground::new(&[("Cargo.toml", manifest), ("Cargo.lock", lock), ("src/lib.rs", test)]);
    let (end, text) = ground.gate("cargo test", &["Cargo.toml"]).await;
    assert_eq!(end.outcome, exited(0), "{text}");
    assert!(text.contains("2 passed"), "{text}");
    assert_eq!(fs::read_to_string(ground.repo.at("Cargo.lock")).unwrap(), lock);
    assert!(!ground.repo.at("target").exists());

    // L61: what the lock does not have is not fetched behind our back.
    ground.repo.write("Cargo.toml", &format!("{manifest}[dependencies]\nserde = \"1\"\n"));
    let (end, _) = ground.gate("cargo test", &["Cargo.toml"]).await;
    assert_eq!(end.outcome, exited(101));
    assert_eq!(fs::read_to_string(ground.repo.at("Cargo.lock")).unwrap(), lock);
}

#[tokio::test]
async fn python_runs_its_tests() {
    if !is_installed("python3") {
        return;
    }
    let test = "import unittest, tempfile, multiprocessing, socket\n\
        class T(unittest.TestCase):\n\
        \x20   def test_tmp(self): tempfile.TemporaryFile().write(b'x')\n\
        \x20   def test_lock(self): multiprocessing.Lock()\n\
        \x20   def test_socket(self): socket.create_server(('127.0.0.1', 0)).close()\n";
    let ground = Ground::new(&[("test_x.py", test)]);
    let (end, text) = ground.gate("python3 -m unittest -q", &[]).await;
    assert_eq!(end.outcome, exited(0), "{text}");
    assert!(!ground.repo.at("__pycache__").exists(), "caches go to scratch");
}

#[tokio::test]
async fn npm_runs_a_script() {
    if !is_installed("npm") {
        return;
    }
    let manifest = r#"{"name":"tiny","version":"1.0.0","scripts":{"test":"node -e \"console.log('ran', 1+1)\""}}"#;
    let lock =
        r#"{"name":"tiny","version":"1.0.0","lockfileVersion":3,"packages":{"":{"name":"tiny","version":"1.0.0"}}}"#;
    let ground = Ground::new(&[("package.json", manifest), ("package-lock.json", lock)]);
    for (line, word) in [("npm install", "up to date"), ("npm test", "ran 2")] {
        let (end, text) = ground.gate(line, &["package.json"]).await;
        assert_eq!(end.outcome, exited(0), "{line}: {text}");
        assert!(text.contains(word), "{line}: {text}");
    }
    assert_eq!(fs::read_to_string(ground.repo.at("package-lock.json")).unwrap(), lock);
}

/// A gate may ask git about its own checkout.
#[tokio::test]
async fn git_reads_the_checkout() {
    let ground = Ground::new(&[("a", "a")]);
    let (end, text) = ground.gate("git log --oneline", &[]).await;
    assert_eq!(end.outcome, exited(0), "{text}");
    let (end, _) = ground.gate("git commit --allow-empty -m evil", &[]).await;
    assert_ne!(end.outcome, exited(0));
    assert_eq!(ground.repo.git(&["rev-list", "--count", "HEAD"]), "1");
}

#[tokio::test]
async fn uv_keeps_to_the_lock() {
    if !is_installed("uv") || !is_installed("python3") {
        return;
    }
    let manifest =
        "[project]\nname = \"tiny\"\nversion = \"0.1.0\"\nrequires-python = \">=3.9\"\n[dependency-groups]\ndev = []\n";
    let ground = Ground::new(&[("pyproject.toml", manifest)]);
    let locked =
        std::process::Command::new("uv").args(["lock", "--offline"]).current_dir(ground.repo.path()).output().unwrap();
    assert!(locked.status.success(), "{}", String::from_utf8_lossy(&locked.stderr));
    let lock = fs::read_to_string(ground.repo.at("uv.lock")).unwrap();
    let manifests = &["pyproject.toml", "uv.lock"];
    let (end, text) = ground.gate("uv run python -c print(7)", manifests).await;
    assert_eq!(end.outcome, exited(0), "{text}");
    assert!(text.contains('7') && !ground.repo.at(".venv").exists());
    let (end, text) = ground.gate("python3 -m pytest", manifests).await;
    assert!(end.outcome == exited(1) && text.contains("No module named pytest"), "{text}");

    // L59: a stale lock is uv's own error, and stays as it is.
    ground.repo.write("pyproject.toml", &manifest.replace("dev = []", "dev = [\"pytest\"]"));
    let (end, text) = ground.gate("uv run python -c pass", manifests).await;
    assert!(end.outcome != exited(0), "{text}");
    assert_eq!(fs::read_to_string(ground.repo.at("uv.lock")).unwrap(), lock);
}
