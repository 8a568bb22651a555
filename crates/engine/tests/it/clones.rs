//! Where a worker finds the repository of a task (D48): its owner's word, the registered path, a clone of its own.

use std::{
    collections::BTreeMap,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use proofhouse_engine::dispatch::{AgentTask, Clones};
use serde_json::json;

use crate::house::git;

/// Serves repositories below a folder, as a forge would.
struct Forge {
    child: Child,
    url: String,
}

impl Forge {
    fn over(folder: &Path) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        // Not `git daemon`, which would leave this one behind when it is killed.
        let programs = git(folder, &["--exec-path"]);
        let child = Command::new(Path::new(&programs).join("git-daemon"))
            .args(["--listen=127.0.0.1", "--reuseaddr", "--export-all", "--informative-errors"])
            .arg(format!("--port={port}"))
            .arg(format!("--base-path={}", folder.display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let from = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(from.elapsed() < Duration::from_secs(20), "git daemon does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { child, url: format!("git://127.0.0.1:{port}") }
    }
}

impl Drop for Forge {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Another text makes another commit, also within the same second.
fn repository(at: &Path, text: &str) -> String {
    std::fs::create_dir_all(at).unwrap();
    git(at, &["init", "-q", "-b", "main"]);
    commit(at, text)
}

fn commit(at: &Path, text: &str) -> String {
    std::fs::write(at.join("a.txt"), text).unwrap();
    git(at, &["add", "-A"]);
    git(at, &["commit", "-q", "-m", text]);
    git(at, &["rev-parse", "HEAD"])
}

fn task(base: &str, repository: &Path, url: Option<String>) -> AgentTask {
    let digest = "0".repeat(64);
    serde_json::from_value(json!({
        "run": "01890000-0000-7000-8000-000000000001", "project": "shop", "repository": repository, "url": url,
        "base": base, "role": "implementer", "output": "worktree", "intent": "implement", "agent": "mine",
        "model": null, "prompt": digest, "context": digest, "timeout_s": 60, "output_cap": null, "max_files": 10,
        "max_file_bytes": 1000, "max_change_bytes": 1000, "require_sandbox": false,
    }))
    .unwrap()
}

// D48: in this order, each only with the commit to start from; and what was tried, in words without a path's content.
#[tokio::test]
async fn a_repository_is_found_by_map_by_path_and_by_cloning() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let base = repository(&at("forge/shop"), "one");
    let forge = Forge::over(&at("forge"));
    let url = Some(format!("{}/shop", forge.url));
    git(folder.path(), &["clone", "-q", at("forge/shop").to_str().unwrap(), at("mine").to_str().unwrap()]);
    repository(&at("strange"), "strange");
    let nowhere = PathBuf::from("/nowhere/shop");
    let worker = |known: &[(&str, PathBuf)]| {
        let known: BTreeMap<String, PathBuf> =
            known.iter().map(|(key, path)| ((*key).to_owned(), path.clone())).collect();
        Clones::of_worker(known, at("cache"))
    };
    let root = |found: Result<exec::git::Repository, String>| found.unwrap().root().to_owned();

    let found = worker(&[("shop", at("mine"))]).find(&task(&base, &at("forge/shop"), url.clone())).await;
    assert_eq!(root(found), at("mine").canonicalize().unwrap());
    // The owner's word is of no use where the commit is missing; then the registered path.
    let found = worker(&[("shop", at("strange"))]).find(&task(&base, &at("forge/shop"), url.clone())).await;
    assert_eq!(root(found), at("forge/shop").canonicalize().unwrap());
    // Neither: a clone, made once, and brought up to date when a newer commit is asked for.
    let far = worker(&[]);
    let cached = root(far.find(&task(&base, &nowhere, url.clone())).await);
    assert!(cached.starts_with(at("cache").canonicalize().unwrap()), "{cached:?}");
    let newer = commit(&at("forge/shop"), "two");
    assert_eq!(root(far.find(&task(&newer, &nowhere, url.clone())).await), cached);
    // A clone that a dead process left half made is made anew.
    std::fs::remove_file(cached.join(".git/HEAD")).unwrap();
    assert_eq!(root(far.find(&task(&newer, &nowhere, url.clone())).await), cached);

    let none = far.find(&task(&"1".repeat(40), &nowhere, url.clone())).await.unwrap_err();
    assert!(none.contains("was it pushed?") && none.contains("the folder does not exist"), "{none}");
    let none = far.find(&task(&base, &nowhere, None)).await.unwrap_err();
    assert!(none.contains("no address of a server"), "{none}");
    // D62: an address is never a program, a path or an option.
    for evil in ["ext::sh -c 'touch /tmp/evil'", "file:///etc", "--upload-pack=touch /tmp/evil"] {
        let none = far.find(&task(&base, &nowhere, Some(evil.to_owned()))).await.unwrap_err();
        assert!(none.contains("not that of a server"), "{none}");
    }
    // The plane itself takes what is registered and nothing else.
    let none = Clones::default().find(&task(&base, &nowhere, url)).await.unwrap_err();
    assert!(!none.contains("clon") || none.contains("no clone"), "{none}");
}
