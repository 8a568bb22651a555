//! Opening, naming, listing, reading. P13, P14, P18, L13.

use std::{fs, os::unix::fs::symlink};

use model::code::Code;
use proofhouse_exec::git::{FileText, GitError, Kind, Repository};

use crate::repository::{Repo, git_at};

/// Each way in which a folder is no repository has its own answer.
#[tokio::test]
async fn what_cannot_be_opened_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &str| folder.path().join(path);
    let code = async |path: &str| Repository::open(&at(path)).await.unwrap_err().code();
    fs::create_dir(at("plain")).unwrap();
    fs::write(at("file"), "").unwrap();
    git_at(folder.path(), &["init", "-q", "--bare", "bare"]);
    git_at(folder.path(), &["init", "-q", "young"]);
    assert_eq!(code("gone").await, Code::FolderMissing);
    assert_eq!(code("plain").await, Code::NotARepository);
    assert_eq!(code("file").await, Code::NotARepository);
    assert_eq!(code("bare").await, Code::BareRepository);
    assert_eq!(code("young").await, Code::NoCommits);
    assert_eq!(code("young/.git").await, Code::NotARepository);
}

#[tokio::test]
async fn a_folder_inside_opens_the_whole() {
    let repo = Repo::new();
    let repository = Repository::open(&repo.at("src")).await.unwrap();
    assert_eq!(repository.root(), repo.path().canonicalize().unwrap());
    let head = repository.head().await.unwrap();
    assert_eq!(head.branch.as_deref(), Some("main"));
    assert_eq!((head.commit.as_str(), head.tree.as_str()), (&*repo.git(&["rev-parse", "HEAD"]), &*repo.tree()));
    repo.git(&["checkout", "-q", "--detach"]);
    assert_eq!(repository.head().await.unwrap().branch, None);
}

/// P18: a name is checked for form, and never taken for an option.
#[tokio::test]
async fn names_are_resolved() {
    let repo = Repo::new();
    let first = repo.git(&["rev-parse", "HEAD"]);
    repo.git(&["tag", "-a", "v1", "-m", "one"]);
    repo.git(&["update-ref", "refs/remotes/origin/theirs", "HEAD"]);
    let repository = repo.open().await;
    for name in ["main", "HEAD", "v1", "refs/heads/main", "theirs", "origin/theirs", first.as_str()] {
        assert_eq!(repository.resolve(name).await.unwrap().as_str(), first, "{name}");
    }
    for name in ["-h", "--all", "", "a..b", "main^{tree}", "main\n", "@{u}"] {
        assert!(matches!(repository.resolve(name).await, Err(GitError::RefInvalid(_))), "{name}");
    }
    assert!(matches!(repository.resolve("nothing").await, Err(GitError::RefNotFound(_))));
    assert!(matches!(repository.resolve(&"0".repeat(40)).await, Err(GitError::RefNotFound(_))));
}

#[tokio::test]
async fn the_default_branch_is_found() {
    let repo = Repo::empty(&["init", "-q", "-b", "trunk"]);
    repo.commit("first");
    let repository = repo.open().await;
    assert_eq!(repository.default_branch().await.unwrap().as_deref(), Some("trunk"));
    repo.git(&["branch", "master"]);
    assert_eq!(repository.default_branch().await.unwrap().as_deref(), Some("master"));
    repo.git(&["update-ref", "refs/remotes/origin/trunk", "HEAD"]);
    repo.git(&["symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/trunk"]);
    assert_eq!(repository.default_branch().await.unwrap().as_deref(), Some("trunk"));
}

/// P13: merge base, and everything that differs from it.
#[tokio::test]
async fn changes_are_found_wherever_they_lie() {
    let repo = Repo::new();
    repo.git(&["checkout", "-q", "-b", "work"]);
    repo.write("committed", "x");
    repo.commit("second");
    repo.write("staged", "x");
    repo.git(&["add", "staged"]);
    repo.write("a.txt", "changed\n");
    repo.write("new file é", "x");
    repo.write("ignored/x", "x");
    fs::remove_file(repo.at("src/b.rs")).unwrap();
    let repository = repo.open().await;
    let (main, work) = (repository.resolve("main").await.unwrap(), repository.resolve("work").await.unwrap());
    let base = repository.merge_base(&main, &work).await.unwrap().unwrap();
    assert_eq!(base, main);
    let changes: Vec<(String, Kind)> =
        repository.changed_since(&base).await.unwrap().into_iter().map(|change| (change.path, change.kind)).collect();
    let expected = [
        ("a.txt", Kind::Modified),
        ("committed", Kind::Added),
        ("new file é", Kind::Added),
        ("src/b.rs", Kind::Deleted),
        ("staged", Kind::Added),
    ];
    assert_eq!(changes, expected.map(|(path, kind)| (path.to_owned(), kind)));
    assert_eq!(repository.files().await.unwrap(), [".gitignore", "a.txt", "committed", "new file é", "staged"]);
    assert_eq!(repository.files_at(&main).await.unwrap(), [".gitignore", "a.txt", "src/b.rs"]);
    assert_eq!(repository.changed_between(&main, &work).await.unwrap().len(), 1);

    repo.git(&["checkout", "-q", "-f", "--orphan", "alone"]);
    repo.commit("alone");
    let alone = repository.resolve("alone").await.unwrap();
    assert_eq!(repository.merge_base(&main, &alone).await.unwrap(), None);
}

/// A file is read from inside the repository or not at all, in bounds.
#[tokio::test]
async fn files_are_read_in_bounds() {
    let repo = Repo::new();
    repo.write("empty", "");
    repo.write("-x", "dash");
    symlink("/etc/passwd", repo.at("out")).unwrap();
    symlink("a.txt", repo.at("in")).unwrap();
    let commit = repo.commit("more");
    repo.write("a.txt", "later\n");
    let repository = repo.open().await;
    let commit = commit.parse().unwrap();
    let bytes = |text: &str| FileText::Bytes(text.as_bytes().to_vec());

    assert_eq!(repository.read_at(&commit, "a.txt", 100).await.unwrap(), bytes("a\n"));
    assert_eq!(repository.read_at(&commit, "empty", 100).await.unwrap(), bytes(""));
    assert_eq!(repository.read_at(&commit, "-x", 100).await.unwrap(), bytes("dash"));
    assert_eq!(repository.read_at(&commit, "none", 100).await.unwrap(), FileText::Absent);
    assert!(matches!(repository.read_at(&commit, "a.txt", 1).await.unwrap(), FileText::Unusable(_)));
    assert!(matches!(repository.read_at(&commit, "src", 100).await.unwrap(), FileText::Unusable(_)));
    assert_eq!(repository.read("a.txt", 100).unwrap(), bytes("later\n"));
    assert_eq!(repository.read("in", 100).unwrap(), bytes("later\n"));
    assert_eq!(repository.read("none/x", 100).unwrap(), FileText::Absent);
    assert!(matches!(repository.read("out", 10_000).unwrap(), FileText::Unusable(_)));
    assert!(matches!(repository.read("src", 100).unwrap(), FileText::Unusable(_)));
    for path in ["../x", "/etc/passwd", "", "src/../../x"] {
        assert_eq!(repository.read(path, 100), Err(GitError::PathOutside), "{path}");
        assert_eq!(repository.read_at(&commit, path, 100).await, Err(GitError::PathOutside), "{path}");
    }
}

/// Hooks, settings and prompts of a repository do not run on our account.
#[tokio::test]
async fn a_hostile_repository_runs_nothing() {
    let repo = Repo::new();
    let proof = repo.at("../ran").display().to_string();
    repo.git(&["config", "core.fsmonitor", &format!("touch {proof}")]);
    repo.git(&["config", "core.pager", &format!("touch {proof}")]);
    repo.git(&["config", "diff.external", &format!("touch {proof}")]);
    repo.git(&["config", "core.sshCommand", &format!("touch {proof}")]);
    repo.write("a.txt", "changed");
    let repository = repo.open().await;
    let head = repository.head().await.unwrap();
    assert_eq!(repository.changed_since(&head.commit).await.unwrap().len(), 1);
    repository.files().await.unwrap();
    assert!(!repo.at("../ran").exists());
}
