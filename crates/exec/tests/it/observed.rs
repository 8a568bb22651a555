//! The tree that gates see. P54, P56, X59, X64, L69.

use std::{fs, os::unix::fs::symlink, time::Instant};

use proofhouse_exec::git::{Kind, Observation, Observer};

use crate::repository::{Repo, git_at, snapshot};

async fn observer(repo: &Repo, folder: &tempfile::TempDir) -> Observer {
    Observer::new(repo.open().await, folder.path(), &["tmp/**".to_owned()]).unwrap()
}

fn tree(observation: &Observation) -> &str {
    observation.tree.as_ref().unwrap().as_str()
}

/// P54: clean gives the commit's tree; the user's index and objects are not touched, dirty or not.
#[tokio::test]
async fn a_clean_checkout_is_its_commit() {
    let (repo, folder) = (Repo::new(), tempfile::tempdir().unwrap());
    let observer = observer(&repo, &folder).await;
    let before = snapshot(&repo.at(".git"));
    let seen = observer.observe().await.unwrap();
    assert_eq!(tree(&seen), repo.tree());
    assert_eq!((seen.dirty, seen.branch.as_deref()), (false, Some("main")));
    repo.write("a.txt", "other\n");
    repo.write("new", "x");
    assert!(observer.observe().await.unwrap().dirty);
    assert_eq!(snapshot(&repo.at(".git")), before);
}

/// P54: what is observed before a commit is named as the commit's tree after it.
#[tokio::test]
async fn same_content_same_tree() {
    let (repo, folder) = (Repo::new(), tempfile::tempdir().unwrap());
    let observer = observer(&repo, &folder).await;
    repo.write("a.txt", "other\n");
    repo.write("deep/new", "x");
    fs::remove_file(repo.at("src/b.rs")).unwrap();
    symlink("a.txt", repo.at("link")).unwrap();
    let before = observer.observe().await.unwrap();
    repo.commit("second");
    let after = observer.observe().await.unwrap();
    assert_eq!(before.tree, after.tree);
    assert!(before.dirty && !after.dirty);
    assert_eq!(tree(&after), repo.tree());
}

/// P54: ignored files and caches are out, unless tracked; so is what the project ignores.
#[tokio::test]
async fn what_is_left_out() {
    let (repo, folder) = (Repo::new(), tempfile::tempdir().unwrap());
    let observer = observer(&repo, &folder).await;
    for path in [
        "ignored/x",
        "x.log",
        "node_modules/a/b.js",
        "target/debug/x",
        "sub/__pycache__/x.pyc",
        ".venv/x",
        "tmp/x/y",
        "coverage/x",
    ] {
        repo.write(path, "x");
    }
    // A cache that a `.gitignore` takes back in.
    repo.write("sub/.gitignore", "!.venv\n!node_modules\n");
    repo.git(&["add", "sub/.gitignore"]);
    repo.git(&["commit", "-q", "-m", "ignore"]);
    repo.write("sub/node_modules/x", "x");
    let seen = observer.observe().await.unwrap();
    assert_eq!((tree(&seen), seen.dirty), (&*repo.tree(), false));

    repo.git(&["add", "-f", "target/debug/x", "x.log"]);
    repo.git(&["commit", "-q", "-m", "tracked"]);
    assert!(!observer.observe().await.unwrap().dirty);
    repo.write("target/debug/x", "changed");
    assert!(observer.observe().await.unwrap().dirty);
    repo.write("target/debug/x", "x");
    repo.write("x.log", "changed");
    assert!(observer.observe().await.unwrap().dirty);
    repo.write("x.log", "x");
    // A plain file of a cache's name is no cache.
    repo.write("coverage2", "x");
    assert!(observer.observe().await.unwrap().dirty);
}

/// X59, P56: what was there and is other has moved; what is new is residue.
#[tokio::test]
async fn moves_and_residue() {
    let (repo, folder) = (Repo::new(), tempfile::tempdir().unwrap());
    let observer = observer(&repo, &folder).await;
    repo.write("untracked", "1");
    let start = observer.observe().await.unwrap().tree.unwrap();
    assert_eq!(observer.compare(&start, &observer.observe().await.unwrap()).await.unwrap(), Default::default());
    repo.write("report.xml", "x");
    let moves = observer.compare(&start, &observer.observe().await.unwrap()).await.unwrap();
    assert!(!moves.is_moved());
    assert_eq!((moves.moved.len(), moves.residue), (0, vec!["report.xml".to_owned()]));
    // The same new file, handed to git: somebody works on the tree.
    repo.git(&["add", "report.xml"]);
    let moves = observer.compare(&start, &observer.observe().await.unwrap()).await.unwrap();
    assert!(moves.is_moved() && moves.residue.is_empty());
    repo.git(&["rm", "-q", "-f", "report.xml"]);

    repo.write("untracked", "2");
    fs::remove_file(repo.at("a.txt")).unwrap();
    let moves = observer.compare(&start, &observer.observe().await.unwrap()).await.unwrap();
    let moved: Vec<_> = moves.moved.iter().map(|change| (change.path.as_str(), change.kind)).collect();
    assert_eq!(moved, [("a.txt", Kind::Deleted), ("untracked", Kind::Modified)]);

    // Back as it was, and committed meanwhile: no move.
    repo.write("untracked", "1");
    repo.git(&["checkout", "-q", "a.txt"]);
    repo.commit("meanwhile");
    let now = observer.observe().await.unwrap();
    assert_eq!((observer.compare(&start, &now).await.unwrap().is_moved(), now.dirty), (false, false));
    // Nothing is known of a tree that cannot be known.
    fs::create_dir(repo.at("nested")).unwrap();
    git_at(&repo.at("nested"), &["init", "-q"]);
    repo.write("nested/x", "x");
    let moves = observer.compare(&start, &observer.observe().await.unwrap()).await.unwrap();
    assert!(moves.is_moved() && moves.unknown.is_some());
}

/// L69: nothing that can be set in an index hides a change.
#[tokio::test]
async fn nothing_hides_a_change() {
    let (repo, folder) = (Repo::new(), tempfile::tempdir().unwrap());
    let observer = observer(&repo, &folder).await;
    repo.git(&["update-index", "--assume-unchanged", "a.txt"]);
    repo.git(&["config", "core.ignoreStat", "true"]);
    let clean = observer.observe().await.unwrap();
    repo.write("a.txt", "hidden\n");
    let hidden = observer.observe().await.unwrap();
    assert_ne!(clean.tree, hidden.tree);
    // Same size, same second: only the content tells.
    for round in 0..10 {
        repo.write("src/b.rs", &format!("{round}\n"));
        repo.git(&["add", "src/b.rs"]);
        let seen = tree(&observer.observe().await.unwrap()).to_owned();
        repo.write("src/b.rs", "x\n");
        assert_ne!(tree(&observer.observe().await.unwrap()), seen, "{round}");
    }
}

/// Every format of index git may write, and none.
#[tokio::test]
async fn all_indexes_are_read() {
    for set_up in [
        vec![vec!["update-index", "--index-version", "3"]],
        vec![vec!["update-index", "--index-version", "4"]],
        vec![vec!["update-index", "--split-index"]],
        vec![vec!["update-index", "--untracked-cache"]],
        vec![vec!["update-index", "--index-version", "4"], vec!["add", "-N", "planned"]],
    ] {
        let (repo, folder) = (Repo::new(), tempfile::tempdir().unwrap());
        for name in ["deep/er/one", "deep/er/two", "deep/three", "z"] {
            repo.write(name, name);
        }
        repo.commit("more");
        repo.write("planned", "x");
        for args in &set_up {
            repo.git(args);
        }
        let observer = observer(&repo, &folder).await;
        let first = observer.observe().await.unwrap();
        assert!(first.dirty, "{set_up:?}");
        repo.commit("all");
        assert_eq!(first.tree, observer.observe().await.unwrap().tree, "{set_up:?}");
        assert_eq!(tree(&first), repo.tree(), "{set_up:?}");
    }
    let (repo, folder) = (Repo::new(), tempfile::tempdir().unwrap());
    fs::remove_file(repo.at(".git/index")).unwrap();
    let observer = observer(&repo, &folder).await;
    assert_eq!(tree(&observer.observe().await.unwrap()), repo.tree());
    assert!(!repo.at(".git/index").exists());
}

/// What was learned is kept, thrown away when it is wrong, and survives a restart.
#[tokio::test]
async fn what_is_kept_may_be_damaged() {
    let (repo, folder) = (Repo::new(), tempfile::tempdir().unwrap());
    repo.write("a.txt", "other\n");
    let expected = observer(&repo, &folder).await.observe().await.unwrap();
    let kept = || {
        let mut found = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
        found.find(|path| path.display().to_string().contains("kept-")).unwrap()
    };
    kept();
    assert_eq!(observer(&repo, &folder).await.observe().await.unwrap(), expected);
    fs::remove_dir_all(folder.path().join("objects")).unwrap();
    assert_eq!(observer(&repo, &folder).await.observe().await.unwrap(), expected);
    fs::write(kept(), "DIRC junk").unwrap();
    assert_eq!(observer(&repo, &folder).await.observe().await.unwrap(), expected);
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 3, "{left:?}");
}

/// P54: a dirty submodule makes the tree unknown; so does a repository within.
#[tokio::test]
async fn repositories_within() {
    let (inner, repo, folder) = (Repo::new(), Repo::new(), tempfile::tempdir().unwrap());
    repo.git(&["submodule", "add", "-q", &inner.path().display().to_string(), "sub"]);
    repo.commit("sub");
    let observer = observer(&repo, &folder).await;
    let seen = observer.observe().await.unwrap();
    assert_eq!((tree(&seen), seen.dirty), (&*repo.tree(), false));
    repo.write("sub/a.txt", "dirty\n");
    let seen = observer.observe().await.unwrap();
    assert!(seen.tree.is_err() && seen.dirty, "{seen:?}");
    git_at(&repo.at("sub"), &["checkout", "-q", "."]);
    assert!(!observer.observe().await.unwrap().dirty);
    // New files in it count, caches do not, another commit of it is another tree.
    repo.write("sub/src/__pycache__/x.pyc", "x");
    assert!(!observer.observe().await.unwrap().dirty);
    repo.write("sub/new", "x");
    assert!(observer.observe().await.unwrap().tree.is_err());
    git_at(&repo.at("sub"), &["add", "new"]);
    assert!(observer.observe().await.unwrap().tree.is_err());
    git_at(&repo.at("sub"), &["commit", "-q", "-m", "new"]);
    let moved = observer.observe().await.unwrap();
    assert!(moved.dirty && moved.tree.is_ok());
    git_at(&repo.at("sub"), &["checkout", "-q", "HEAD~1"]);
    assert!(!observer.observe().await.unwrap().dirty);
    // Not checked out is its commit; files in its place are nobody's.
    repo.git(&["submodule", "deinit", "-q", "-f", "sub"]);
    assert!(!observer.observe().await.unwrap().dirty);
    repo.write("sub/stray", "x");
    assert!(observer.observe().await.unwrap().tree.is_err());
    fs::remove_file(repo.at("sub/stray")).unwrap();

    fs::create_dir(repo.at("nested")).unwrap();
    git_at(&repo.at("nested"), &["init", "-q"]);
    repo.write("nested/x", "x");
    assert!(observer.observe().await.unwrap().tree.is_err());
    git_at(&repo.at("nested"), &["add", "-A"]);
    git_at(&repo.at("nested"), &["commit", "-q", "-m", "x"]);
    assert!(observer.observe().await.unwrap().tree.is_err());
}

/// X64: cheap enough for every run start. The figure is a guard, not a measurement.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_is_cheap() {
    let (repo, folder) = (Repo::new(), tempfile::tempdir().unwrap());
    for number in 0..200 {
        repo.write(&format!("many/{number}"), "x");
    }
    repo.commit("many");
    let observer = observer(&repo, &folder).await;
    observer.observe().await.unwrap();
    let mut times: Vec<_> = Vec::new();
    for _ in 0..15 {
        let clock = Instant::now();
        observer.observe().await.unwrap();
        times.push(clock.elapsed());
    }
    times.sort();
    println!("a look at a clean checkout of 203 files: {:?} (median)", times[7]);
    assert!(times[7].as_millis() < 120, "{times:?}");
}
