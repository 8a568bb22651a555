//! Worktrees of the plane's own. X39, L13, L14, L15, L16, P55.

use std::{fs, os::unix::fs::PermissionsExt as _, process::Command};

use model::code::Code;
use proofhouse_exec::git::{Checkout, Observer, Repository, WorktreeRoot};

use crate::repository::{Repo, git_at, snapshot};

fn detached(commit: &str) -> Checkout {
    Checkout { commit: commit.parse().unwrap(), branch: None }
}

/// L16, X39: the commit's files, a git directory of its own, the clone's objects borrowed and pinned.
#[tokio::test]
async fn a_worktree_stands_on_its_own() {
    let (repo, plane) = (Repo::new(), tempfile::tempdir().unwrap());
    let first = repo.git(&["rev-parse", "HEAD"]);
    let first_tree = repo.tree();
    repo.write("a.txt", "second\n");
    repo.commit("second");
    repo.write("a.txt", "dirty\n");
    let before =
        (snapshot(&repo.at("src")), fs::read(repo.at(".git/index")).unwrap(), repo.git(&["status", "--porcelain"]));
    let root = WorktreeRoot::new(&plane.path().join("trees")).unwrap();
    let worktree = root.create(&repo.open().await, "run-1", "main", &detached(&first)).await.unwrap();

    assert_eq!(fs::read_to_string(worktree.path.join("a.txt")).unwrap(), "a\n");
    let observer = Observer::new(worktree.repository(), &worktree.run_folder.join("look"), &[]).unwrap();
    let seen = observer.observe().await.unwrap();
    assert_eq!((seen.tree.unwrap().as_str(), seen.dirty, seen.branch), (&*first_tree, false, None));

    // The agent does what it likes with git; the clone does not notice.
    fs::write(worktree.path.join("work"), "x").unwrap();
    git_at(&worktree.path, &["checkout", "-q", "-b", "main"]);
    git_at(&worktree.path, &["add", "-A"]);
    git_at(&worktree.path, &["commit", "-q", "-m", "agent"]);
    git_at(&worktree.path, &["config", "core.hooksPath", "/tmp"]);
    git_at(&worktree.path, &["tag", "mine"]);
    let seen = observer.observe().await.unwrap();
    assert_eq!((seen.commit.as_str(), seen.dirty), (&*first, true));
    assert_eq!(seen.tree.unwrap().as_str(), git_at(&worktree.path, &["rev-parse", "HEAD^{tree}"]));
    assert_eq!(repo.git(&["tag"]), "");
    assert_eq!(repo.git(&["config", "--get", "--default", "none", "core.hooksPath"]), "none");
    let after =
        (snapshot(&repo.at("src")), fs::read(repo.at(".git/index")).unwrap(), repo.git(&["status", "--porcelain"]));
    assert_eq!(before, after);
    assert_eq!(repo.git(&["rev-parse", "refs/proofhouse/run-1"]), first);

    root.remove("run-1").unwrap();
    root.unpin(&repo.open().await, "run-1").await.unwrap();
    assert!(!worktree.path.exists());
    assert_eq!(repo.git(&["for-each-ref", "refs/proofhouse"]), "");
    root.remove("run-1").unwrap();
}

/// X39: a clean-up of the clone does not take the base away.
#[tokio::test]
async fn gc_in_the_clone_breaks_nothing() {
    let (repo, plane) = (Repo::new(), tempfile::tempdir().unwrap());
    repo.git(&["checkout", "-q", "-b", "short-lived"]);
    repo.write("only-here", "x");
    let commit = repo.commit("doomed");
    let root = WorktreeRoot::new(plane.path()).unwrap();
    let worktree = root.create(&repo.open().await, "run-2", "main", &detached(&commit)).await.unwrap();
    repo.git(&["checkout", "-q", "main"]);
    repo.git(&["branch", "-D", "short-lived"]);
    repo.git(&["reflog", "expire", "--expire=now", "--all"]);
    repo.git(&["gc", "-q", "--prune=now"]);
    git_at(&worktree.path, &["fsck", "--connectivity-only"]);
    assert_eq!(git_at(&worktree.path, &["status", "--porcelain"]), "");
}

/// L14: a branch of its own, where work is to be kept.
#[tokio::test]
async fn a_branch_of_its_own() {
    let (repo, plane) = (Repo::new(), tempfile::tempdir().unwrap());
    let commit = repo.git(&["rev-parse", "HEAD"]);
    let root = WorktreeRoot::new(plane.path()).unwrap();
    let checkout = Checkout { commit: commit.parse().unwrap(), branch: Some("proofhouse/7-abc".parse().unwrap()) };
    let worktree = root.create(&repo.open().await, "run-3", "main", &checkout).await.unwrap();
    assert_eq!(git_at(&worktree.path, &["symbolic-ref", "HEAD"]), "refs/heads/proofhouse/7-abc");
    assert_eq!(repo.git(&["branch", "--list", "proofhouse/*"]), "");
}

/// L15: left-overs are made again, and nothing outside the root is ever deleted.
#[tokio::test]
async fn only_our_own_is_removed() {
    let (repo, plane) = (Repo::new(), tempfile::tempdir().unwrap());
    let commit = repo.git(&["rev-parse", "HEAD"]);
    let root = WorktreeRoot::new(&plane.path().join("trees")).unwrap();
    let repository = repo.open().await;
    for _ in 0..2 {
        let worktree = root.create(&repository, "dead", "main", &detached(&commit)).await.unwrap();
        fs::write(worktree.path.join("half-done"), "x").unwrap();
        // As Go's module cache leaves it.
        fs::create_dir(worktree.path.join("closed")).unwrap();
        fs::set_permissions(worktree.path.join("closed"), fs::Permissions::from_mode(0o500)).unwrap();
        std::os::unix::fs::symlink(plane.path(), worktree.path.join("up")).unwrap();
        std::os::unix::fs::symlink(repo.path(), worktree.path.join("clone")).unwrap();
    }
    root.create(&repository, "alive", "main", &detached(&commit)).await.unwrap();
    fs::create_dir_all(plane.path().join("trees/somebodys")).unwrap();
    fs::create_dir_all(plane.path().join("precious")).unwrap();
    fs::write(plane.path().join("precious/proofhouse-worktree"), "link").unwrap();
    std::os::unix::fs::symlink(plane.path().join("precious"), plane.path().join("trees/link")).unwrap();

    root.remove("dead").unwrap();
    assert!(!plane.path().join("trees/dead").exists() && plane.path().join("trees/alive").exists());
    assert!(root.remove("somebodys").is_err() && root.remove("link").is_err());
    for name in ["..", ".", "a/b", "", "../precious"] {
        assert!(root.remove(name).is_err(), "{name}");
    }
    assert!(repo.at("a.txt").exists() && repo.at(".git/HEAD").exists());
    assert!(plane.path().join("precious").exists() && plane.path().join("trees/somebodys").exists());
    assert_eq!(root.pinned(&repository).await.unwrap(), ["alive", "dead"]);
    root.unpin(&repository, "dead").await.unwrap();
    assert_eq!(repo.git(&["for-each-ref", "--format=%(refname)", "refs/proofhouse"]), "refs/proofhouse/alive");
}

/// L14: what cannot be made leaves nothing behind; a shallow clone works.
#[tokio::test]
async fn odd_clones() {
    let (repo, plane) = (Repo::new(), tempfile::tempdir().unwrap());
    repo.commit("second");
    let root = WorktreeRoot::new(plane.path()).unwrap();
    let missing = root.create(&repo.open().await, "run-4", "main", &detached(&"1".repeat(40))).await;
    assert!(missing.is_err());
    assert!(!plane.path().join("run-4/main").exists());

    let from = format!("file://{}", repo.path().display());
    git_at(plane.path(), &["clone", "-q", "--depth", "1", &from, "shallow clone"]);
    let clone = Repository::open(&plane.path().join("shallow clone")).await.unwrap();
    let head = clone.head().await.unwrap();
    let checkout = Checkout { commit: head.commit, branch: None };
    let worktree = root.create(&clone, "run-5", "main", &checkout).await.unwrap();
    assert_eq!(git_at(&worktree.path, &["log", "--oneline"]).lines().count(), 1);
}

// S71, X22: a disk without space is named as that, and the clone is as it was.
#[tokio::test]
async fn a_worktree_on_a_full_disk_says_so() {
    let disk = tempfile::tempdir().unwrap();
    let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=300k", "tmpfs"]).arg(disk.path()).output();
    if !mount.is_ok_and(|output| output.status.success()) {
        println!("skipped: a small disk needs the right to mount a tmpfs");
        return;
    }
    let repo = Repo::new();
    for number in 0..8 {
        repo.write(&format!("large-{number}"), &"x".repeat(200_000));
    }
    let commit = repo.commit("large");
    let repository = repo.open().await;
    let root = WorktreeRoot::new(&disk.path().join("trees")).unwrap();
    let made = root.create(&repository, "run-1", "work", &detached(&commit)).await;
    let status = Command::new("umount").arg("-l").arg(disk.path()).status();
    assert!(status.is_ok_and(|status| status.success()));
    let error = made.unwrap_err();
    assert_eq!((error.code(), error.failure().code.slug()), (Code::DiskFull, "disk_full"), "{error}");
    assert_eq!(repo.git(&["status", "--porcelain"]), "");
}
