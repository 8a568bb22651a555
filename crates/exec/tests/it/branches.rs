//! A change goes onto a branch of its own, in one commit, and nothing of the person's moves. D42, D45, D46.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
};

use model::{
    change::{Entry, Mode, Node},
    time::Timestamp,
};
use proofhouse_exec::{
    apply::{Step, What, apply},
    git::{Checkout, Committed, NewCommit, Repository, Worktree, WorktreeRoot},
};

use crate::repository::{Repo, git_at, snapshot};

async fn worktree(repo: &Repo, plane: &tempfile::TempDir, run: &str) -> (Repository, Worktree) {
    let repository = repo.open().await;
    let commit = repository.head().await.unwrap().commit;
    let root = WorktreeRoot::new(&plane.path().join("trees")).unwrap();
    let made = root.create(&repository, run, "work", &Checkout { commit, branch: None }).await.unwrap();
    (repository, made)
}

fn new_commit(repo: &Repo, branch: &str, run: &str) -> NewCommit {
    NewCommit {
        branch: branch.parse().unwrap(),
        base: repo.git(&["rev-parse", "HEAD"]).parse().unwrap(),
        run: run.to_owned(),
        message: "Title\n\nBody".to_owned(),
        at: Timestamp::from_micros(1_700_000_000_000_000),
    }
}

fn change(worktree: &Worktree) -> Vec<String> {
    let write = |path: &str, executable| Step {
        path: path.into(),
        what: What::Write { bytes: b"new\n".to_vec(), executable, set_mode: false },
    };
    let steps = [
        write("a.txt", false),
        write("tool.sh", true),
        write("deep/er/x", false),
        Step { path: "src/b.rs".into(), what: What::Delete },
    ];
    apply(&worktree.path, "t", &steps).unwrap();
    steps.into_iter().map(|step| step.path).collect()
}

// D45: one commit on a new branch; hooks do not run, no identity is needed; the person's checkout, index, HEAD, stash
// and uncommitted work are byte for byte as they were.
#[tokio::test]
async fn one_commit_on_a_branch_and_nothing_else() {
    let (repo, plane) = (Repo::new(), tempfile::tempdir().unwrap());
    for hook in ["pre-commit", "commit-msg", "post-commit", "reference-transaction", "post-checkout"] {
        let path = repo.at(".git/hooks").join(hook);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, format!("#!/bin/sh\ntouch {}\nexit 1\n", repo.at("hook-ran").display())).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    repo.write("a.txt", "stashed\n");
    repo.git(&["-c", "core.hooksPath=/dev/null", "stash", "-q"]);
    repo.write("a.txt", "staged\n");
    repo.git(&["add", "a.txt"]);
    repo.write("a.txt", "dirty\n");
    repo.write("untracked", "mine\n");
    let files = || {
        snapshot(repo.path())
            .into_iter()
            .filter(|(path, ..)| !path.starts_with(repo.at(".git")) && !path.starts_with(".git"))
            .collect::<Vec<_>>()
    };
    let state = || {
        (
            files(),
            fs::read(repo.at(".git/index")).unwrap(),
            fs::read(repo.at(".git/HEAD")).unwrap(),
            fs::read(repo.at(".git/refs/stash")).unwrap(),
            fs::read(repo.at(".git/config")).unwrap(),
        )
    };
    let before = state();
    let (repository, worktree) = worktree(&repo, &plane, "run-1").await;
    let paths = change(&worktree);
    let new = new_commit(&repo, "proofhouse/7-0badcafe", "run-1");
    let Committed::Made(commit) = repository.commit_branch(&worktree, &paths, &new).await.unwrap() else { panic!() };

    assert_eq!(state(), before);
    assert!(!repo.at("hook-ran").exists());
    assert_eq!(repo.git(&["rev-parse", "proofhouse/7-0badcafe"]), commit.as_str());
    assert_eq!(repo.git(&["rev-parse", "proofhouse/7-0badcafe^"]), new.base.as_str());
    assert_eq!(
        repo.git(&["-c", "core.quotePath=false", "diff-tree", "-r", "--name-status", "HEAD", commit.as_str()]),
        "M\ta.txt\nA\tdeep/er/x\nD\tsrc/b.rs\nA\ttool.sh"
    );
    assert!(repo.git(&["ls-tree", commit.as_str(), "tool.sh"]).starts_with("100755"));
    assert_eq!(
        repo.git(&["log", "-1", "--format=%an <%ae> %at%n%B", commit.as_str()]),
        "Proofhouse <proofhouse@localhost> 1700000000\nTitle\n\nBody\n\nProofhouse-Run: run-1"
    );
    // Whole, also for whoever has only the clone.
    repo.git(&["-c", "core.hooksPath=/dev/null", "fsck", "--strict"]);

    // No restart makes a second one: it is looked up by its run, and would be the same commit anyway.
    assert_eq!(repository.commit_branch(&worktree, &paths, &new).await.unwrap(), Committed::Found(commit.clone()));
    assert_eq!(repository.commit_of_run(&new.branch, "run-1").await.unwrap(), Some(commit.clone()));
    repo.git(&["-c", "core.hooksPath=/dev/null", "update-ref", "-d", "refs/heads/proofhouse/7-0badcafe"]);
    assert_eq!(repository.commit_branch(&worktree, &paths, &new).await.unwrap(), Committed::Made(commit));
    let (text, cut) = repository.diff_text(&new.base, &new.branch_commit(&repo), 1 << 20).await.unwrap();
    assert!(!cut && String::from_utf8(text).unwrap().contains("+new"));
}

impl BranchCommit for NewCommit {
    fn branch_commit(&self, repo: &Repo) -> model::proof::tree::ObjectId {
        repo.git(&["rev-parse", self.branch.as_str()]).parse().unwrap()
    }
}

trait BranchCommit {
    fn branch_commit(&self, repo: &Repo) -> model::proof::tree::ObjectId;
}

// D45: a branch that is there and is not this run's is never touched; nothing changed leaves no branch.
#[tokio::test]
async fn a_branch_that_is_taken_stays() {
    let (repo, plane) = (Repo::new(), tempfile::tempdir().unwrap());
    let (repository, worktree) = worktree(&repo, &plane, "run-1").await;
    let nothing = new_commit(&repo, "proofhouse/1-00000001", "run-1");
    assert_eq!(repository.commit_branch(&worktree, &["a.txt".into()], &nothing).await.unwrap(), Committed::Nothing);
    assert_eq!(repo.git(&["branch", "--list", "proofhouse/*"]), "");

    let paths = change(&worktree);
    repo.git(&["branch", "proofhouse/2-00000002"]);
    let taken = new_commit(&repo, "proofhouse/2-00000002", "run-1");
    let error = repository.commit_branch(&worktree, &paths, &taken).await.unwrap_err().to_string();
    assert!(error.contains("proofhouse/2-00000002 is there already"), "{error}");
    assert_eq!(repo.git(&["rev-parse", "proofhouse/2-00000002"]), taken.base.as_str());
    repo.git(&["branch", "-D", "proofhouse/2-00000002"]);
    repo.git(&["branch", "proofhouse"]);
    let error = repository.commit_branch(&worktree, &paths, &taken).await.unwrap_err().to_string();
    assert!(error.contains("proofhouse"), "{error}");
}

// D46, L69: commits, index, settings, excludes and hooks that an agent makes in its copy hide and forge nothing.
#[tokio::test]
async fn the_difference_is_what_lies_there() {
    let (repo, plane) = (Repo::new(), tempfile::tempdir().unwrap());
    repo.write("keep.sh", "#!/bin/sh\n");
    symlink("a.txt", repo.at("link")).unwrap();
    let base = repo.commit("second");
    let (_, worktree) = worktree(&repo, &plane, "run-1").await;
    let at = |name: &str| worktree.path.join(name);
    fs::write(at("a.txt"), "changed\n").unwrap();
    fs::remove_file(at("src/b.rs")).unwrap();
    fs::write(at("new bin"), [0u8, 255]).unwrap();
    fs::write(at("big"), vec![b'x'; 2_000]).unwrap();
    fs::set_permissions(at("keep.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    symlink("../../etc/passwd", at("escape")).unwrap();
    fs::write(at("x.log"), "ignored").unwrap();
    fs::create_dir(at("sub")).unwrap();
    git_at(&at("sub"), &["init", "-q"]);
    fs::write(at("sub/file"), "x").unwrap();
    git_at(&worktree.path, &["add", "a.txt", "new bin"]);
    git_at(&worktree.path, &["commit", "-q", "-m", "agent"]);
    git_at(&worktree.path, &["update-index", "--assume-unchanged", "keep.sh"]);
    git_at(&worktree.path, &["config", "core.excludesFile", "/dev/stdin"]);
    fs::create_dir_all(worktree.git_dir.join("info")).unwrap();
    fs::write(worktree.git_dir.join("info/exclude"), "*\n").unwrap();

    let entries = worktree.difference(&base.parse().unwrap(), 1_000, 1 << 20, 100).await.unwrap();
    let by: BTreeMap<&str, &Entry> = entries.iter().map(|entry| (entry.path(), entry)).collect();
    let names: Vec<&str> = by.keys().copied().collect();
    assert_eq!(names, ["a.txt", "big", "escape", "keep.sh", "new bin", "src/b.rs", "sub"]);
    assert_eq!(entries[0].path(), "src/b.rs", "deletions first");
    assert!(matches!(by["src/b.rs"], Entry::Delete { .. }));
    assert!(matches!(by["big"], Entry::Oversize { bytes: 2_000, .. }));
    assert!(matches!(by["escape"], Entry::Link { target, .. } if target == "../../etc/passwd"));
    assert!(matches!(by["sub"], Entry::Repository { .. }));
    assert!(matches!(by["keep.sh"], Entry::Write { mode: Mode::Set(true), .. }));
    let Entry::Write { contents, mode, .. } = by["new bin"] else { panic!("{:?}", by["new bin"]) };
    assert_eq!((contents.bytes(), *mode), (&[0, 255][..], Mode::Set(false)));
}

// D42: what stands where in a commit, and what git ignores.
#[tokio::test]
async fn a_commit_is_listed_and_ignored_paths_are_known() {
    let repo = Repo::new();
    symlink("a.txt", repo.at("link")).unwrap();
    repo.write("tracked.log", "x");
    repo.git(&["add", "-f", "tracked.log"]);
    let base = repo.commit("second");
    repo.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{base},vendor/lib")]);
    repo.git(&["commit", "-q", "-m", "a submodule"]);
    let repository = repo.open().await;
    let head = repository.head().await.unwrap().commit;
    let nodes = repository.nodes_at(&head).await.unwrap();
    assert_eq!((nodes["a.txt"], nodes["link"], nodes["vendor/lib"]), (Node::File, Node::Link, Node::Repository));
    let asked = ["a.txt", "x.log", "tracked.log", "ignored/deep/x", "new*"].map(str::to_owned);
    let ignored: Vec<String> = repository.ignored(&asked).await.unwrap().into_iter().collect();
    assert_eq!(ignored, ["ignored/deep/x", "x.log"]);
    assert!(repository.ignored(&["a.txt".to_owned()]).await.unwrap().is_empty());
}

// S70, S68: what is left in a worktree is kept under a name of the run, on the commit it began from and before what was
// kept of it earlier; ignored files and the person's checkout are left out of it; unchanged, nothing is kept.
#[tokio::test]
async fn what_is_left_is_kept_under_the_runs_name() {
    let (repo, plane) = (Repo::new(), tempfile::tempdir().unwrap());
    repo.write("untracked", "mine\n");
    repo.write("a.txt", "staged\n");
    repo.git(&["add", "a.txt"]);
    let (repository, worktree) = worktree(&repo, &plane, "run-7").await;
    assert_eq!(repository.archive(&worktree, "run-7").await.unwrap(), None);
    let base = repo.git(&["rev-parse", "HEAD"]);
    let branches = repo.git(&["for-each-ref", "refs/heads"]);
    let before = (fs::read(repo.at(".git/index")).unwrap(), repo.git(&["status", "--porcelain"]));
    let _ = change(&worktree);
    // What was done to git in the worktree hides nothing.
    git_at(&worktree.path, &["-c", "user.name=x", "-c", "user.email=x@y.z", "commit", "-qam", "mine"]);
    let first = repository.archive(&worktree, "run-7").await.unwrap().unwrap();
    assert_eq!(first.reference, "refs/proofhouse/archive/run-7");
    assert_eq!(repo.git(&["rev-parse", &first.reference]), first.commit.as_str());
    assert_eq!(repo.git(&["rev-parse", &format!("{}^@", first.commit)]), base);
    assert_eq!(repo.git(&["show", &format!("{}:a.txt", first.commit)]), "new");
    fs::write(worktree.path.join("a.txt"), "newer\n").unwrap();
    let second = repository.archive(&worktree, "run-7").await.unwrap().unwrap();
    assert_eq!(repo.git(&["rev-parse", &format!("{}^@", second.commit)]), format!("{base}\n{}", first.commit));
    assert_eq!(repo.git(&["for-each-ref", "refs/heads"]), branches);
    assert_eq!((fs::read(repo.at(".git/index")).unwrap(), repo.git(&["status", "--porcelain"])), before);
    // It is not taken for a commit that a run stands on, and stays when that is let go of.
    let root = WorktreeRoot::new(&plane.path().join("trees")).unwrap();
    root.unpin(&repository, "run-7").await.unwrap();
    assert!(root.pinned(&repository).await.unwrap().is_empty());
    assert_eq!(repo.git(&["rev-parse", &first.reference]), second.commit.as_str());
}
