//! What works in a checkout may lay whatever it likes there; the plane neither runs it nor is led
//! astray by it. L16, L69, X39, F14.

use std::{fs, os::unix::fs::symlink};

use proofhouse_exec::git::{Checkout, FileText, Observer, WorktreeRoot};

use crate::repository::{Repo, git_at};

/// Settings that start a program, and the file that shows that it ran.
fn plant(git_config: &dyn Fn(&[&str]), trap: &str) {
    let touch = format!("touch {trap}; cat");
    for (name, value) in [
        ("filter.evil.clean", touch.as_str()),
        ("filter.evil.smudge", touch.as_str()),
        ("filter.evil.process", touch.as_str()),
        ("core.fsmonitor", touch.as_str()),
        ("core.pager", touch.as_str()),
        ("diff.external", touch.as_str()),
        ("diff.evil.textconv", touch.as_str()),
        ("core.sshCommand", touch.as_str()),
        ("uploadpack.packObjectsHook", touch.as_str()),
        ("core.alternateRefsCommand", touch.as_str()),
    ] {
        git_config(&["config", name, value]);
    }
}

/// X39, L69: nothing written into a worktree's own git directory runs when the plane looks.
#[tokio::test]
async fn settings_of_a_worktree_do_not_run() {
    let (repo, plane) = (Repo::new(), tempfile::tempdir().unwrap());
    let commit = repo.git(&["rev-parse", "HEAD"]);
    let root = WorktreeRoot::new(&plane.path().join("trees")).unwrap();
    let checkout = Checkout { commit: commit.parse().unwrap(), branch: None };
    let worktree = root.create(&repo.open().await, "run", "main", &checkout).await.unwrap();
    let observer = Observer::new(worktree.repository(), &worktree.run_folder.join("look"), &[]).unwrap();
    let trap = plane.path().join("ran");
    git_at(&worktree.path, &["update-index", "--assume-unchanged", "src/b.rs"]);
    plant(&|args| drop(git_at(&worktree.path, args)), &trap.display().to_string());
    fs::write(worktree.path.join(".gitattributes"), "* filter=evil diff=evil\n").unwrap();
    fs::write(worktree.path.join("a.txt"), "other\n").unwrap();
    // Hidden by every means a git directory offers.
    fs::create_dir_all(worktree.git_dir.join("info")).unwrap();
    fs::write(worktree.git_dir.join("info/exclude"), "*\n").unwrap();
    fs::write(worktree.path.join("src/b.rs"), "other\n").unwrap();
    fs::write(worktree.path.join("new"), "x\n").unwrap();
    // The plane does not follow the pointer, either.
    let foreign = Repo::new();
    fs::write(worktree.path.join(".git"), format!("gitdir: {}\n", foreign.at(".git").display())).unwrap();

    let seen = observer.observe().await.unwrap();
    let start = repo.tree().parse().unwrap();
    let moves = observer.compare(&start, &seen).await.unwrap();
    let moved: Vec<_> = moves.moved.iter().map(|change| change.path.as_str()).collect();
    assert_eq!(
        (moved, moves.residue),
        (vec!["a.txt", "src/b.rs"], vec![".gitattributes".to_owned(), "new".to_owned()])
    );
    let repository = worktree.repository();
    assert_eq!(repository.changed_since(&commit.parse().unwrap()).await.unwrap().len(), 4);
    repository.files().await.unwrap();
    assert!(!trap.exists());
}

/// P54, L73: a submodule that was exchanged for another repository is not entered.
#[tokio::test]
async fn an_exchanged_submodule_is_not_entered() {
    let (inner, repo, folder) = (Repo::new(), Repo::new(), tempfile::tempdir().unwrap());
    repo.git(&["submodule", "add", "-q", &inner.path().display().to_string(), "sub"]);
    repo.commit("sub");
    let observer = Observer::new(repo.open().await, &folder.path().join("look"), &[]).unwrap();
    assert!(!observer.observe().await.unwrap().dirty);
    let trap = folder.path().join("ran");
    let evil = Repo::new();
    plant(&|args| drop(evil.git(args)), &trap.display().to_string());
    evil.write(".gitattributes", "* filter=evil\n");
    let pointers = [format!("gitdir: {}\n", evil.at(".git").display()), "nonsense".to_owned(), "x".repeat(10_000)];
    for pointer in pointers {
        fs::write(repo.at("sub/.git"), pointer).unwrap();
        repo.write("sub/a.txt", "other\n");
        assert!(observer.observe().await.unwrap().tree.is_err());
    }
    fs::remove_file(repo.at("sub/.git")).unwrap();
    symlink(evil.at(".git"), repo.at("sub/.git")).unwrap();
    assert!(observer.observe().await.unwrap().tree.is_err());
    assert!(!trap.exists());
}

/// A repository of another user is read, and its own filters do not run as us.
#[tokio::test]
async fn filters_of_another_user_do_not_run() {
    let (repo, folder) = (Repo::new(), tempfile::tempdir().unwrap());
    let trap = folder.path().join("ran");
    plant(&|args| drop(repo.git(args)), &trap.display().to_string());
    repo.write(".gitattributes", "*.txt filter=evil\n");
    if std::os::unix::fs::chown(repo.at(".git"), Some(65_534), None).is_err() {
        println!("skipped: only root can give a repository away");
        return;
    }
    let observer = Observer::new(repo.open().await, folder.path(), &[]).unwrap();
    repo.write("a.txt", "other\n");
    assert!(observer.observe().await.unwrap().dirty);
    let head = observer.repository().head().await.unwrap();
    assert_eq!(observer.repository().changed_since(&head.commit).await.unwrap().len(), 2);
    assert!(!trap.exists());
}

/// L69: flags that a person may set to hide a change hide nothing from the plane.
#[tokio::test]
async fn flags_hide_nothing() {
    let (repo, folder) = (Repo::new(), tempfile::tempdir().unwrap());
    let observer = Observer::new(repo.open().await, folder.path(), &[]).unwrap();
    for (set, unset) in [("--skip-worktree", "--no-skip-worktree"), ("--assume-unchanged", "--no-assume-unchanged")] {
        repo.git(&["update-index", set, "a.txt"]);
        repo.write("a.txt", "hidden\n");
        assert_eq!(repo.git(&["status", "--porcelain"]), "");
        assert!(observer.observe().await.unwrap().dirty, "{set}");
        repo.git(&["update-index", unset, "a.txt"]);
        repo.git(&["checkout", "-q", "a.txt"]);
        assert!(!observer.observe().await.unwrap().dirty, "{set}");
    }
}

/// A file is read beneath the repository or not at all, also by way of folders that are links, and
/// a pipe is not waited for.
#[tokio::test]
async fn reading_stays_beneath() {
    let (repo, outside) = (Repo::new(), tempfile::tempdir().unwrap());
    fs::write(outside.path().join("secret"), "secret").unwrap();
    symlink(outside.path(), repo.at("folder")).unwrap();
    symlink(repo.at("a.txt"), repo.at("absolute")).unwrap();
    symlink("../src/b.rs", repo.at("src/up")).unwrap();
    symlink("self", repo.at("self")).unwrap();
    symlink("/proc/self/environ", repo.at("magic")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(repo.at("pipe")).status().unwrap();
    assert!(made.success());
    let repository = repo.open().await;
    let read = |path: &str| repository.read(path, 100).unwrap();
    assert_eq!(read("src/up"), FileText::Bytes(b"b\n".to_vec()));
    assert_eq!(read("src/b.rs/x"), FileText::Absent);
    for path in ["folder/secret", "self", "magic", "pipe", "absolute"] {
        assert!(matches!(read(path), FileText::Unusable(_)), "{path}");
    }
}

/// X64: two planes, or a plane and a command, look at the same time, while one is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn looks_at_the_same_time() {
    let (repo, folder) = (Repo::new(), tempfile::tempdir().unwrap());
    repo.write("a.txt", "other\n");
    repo.write("new", "x");
    let mut looks = Vec::new();
    for round in 0..8 {
        let observer = Observer::new(repo.open().await, folder.path(), &[]).unwrap();
        looks.push(tokio::spawn(async move {
            let look = observer.observe();
            if round % 2 == 0 {
                // Dropped in the middle: its processes are killed.
                let _ = tokio::time::timeout(std::time::Duration::from_millis(round * 3 + 1), look).await;
                None
            } else {
                Some(look.await.unwrap().tree.unwrap())
            }
        }));
    }
    let mut trees = Vec::new();
    for look in looks {
        trees.extend(look.await.unwrap());
    }
    let observer = Observer::new(repo.open().await, folder.path(), &[]).unwrap();
    let after = observer.observe().await.unwrap().tree.unwrap();
    repo.commit("now");
    assert_eq!(after.as_str(), repo.tree());
    assert!(trees.len() == 4 && trees.iter().all(|tree| *tree == after));
}
