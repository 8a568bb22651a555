//! Repositories as they come: every kind of file, line ends, filters, formats, sizes.
//! P54, X39, X64, L121.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{
        ffi::OsStrExt as _,
        fs::{PermissionsExt as _, symlink},
    },
    time::Instant,
};

use proofhouse_exec::git::{Checkout, FileText, Observer, Repository, WorktreeRoot};

use crate::repository::{Repo, git_at};

async fn observer(repo: &Repo, folder: &tempfile::TempDir) -> Observer {
    Observer::new(repo.open().await, folder.path(), &["{x,y}.tmp".to_owned()]).unwrap()
}

/// What the observer sees, and what git itself makes of the same files when they are committed.
async fn seen_and_committed(repo: &Repo) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let seen = observer(repo, &folder).await.observe().await.unwrap();
    repo.commit("as seen");
    (seen.tree.unwrap().to_string(), repo.tree())
}

/// P54: same content, same tree, whatever kind of file it is.
#[tokio::test]
async fn every_kind_of_file() {
    let repo = Repo::new();
    repo.write("tool.sh", "#!/bin/sh\n");
    fs::set_permissions(repo.at("tool.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    symlink("/nowhere/at/all", repo.at("broken")).unwrap();
    symlink("src", repo.at("folder-link")).unwrap();
    fs::create_dir_all(repo.at("empty/er")).unwrap();
    repo.write("quoted \"name\"\t\n", "x");
    repo.write("日本/é", "x");
    fs::write(repo.path().join(OsStr::from_bytes(b"no-utf8-\xff\xfe")), "x").unwrap();
    repo.write("binary", "\0\u{1}\r\n\0");
    repo.write("-rf", "x");
    repo.write(":(glob)x", "x");
    let (seen, committed) = seen_and_committed(&repo).await;
    assert_eq!(seen, committed);

    // A mode, a type, a folder in a file's place.
    fs::set_permissions(repo.at("tool.sh"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::remove_file(repo.at("broken")).unwrap();
    repo.write("broken/now/a/folder", "x");
    fs::remove_file(repo.at("a.txt")).unwrap();
    symlink("src/b.rs", repo.at("a.txt")).unwrap();
    let (seen, committed) = seen_and_committed(&repo).await;
    assert_eq!(seen, committed);

    let repository = repo.open().await;
    let head = repository.head().await.unwrap();
    let files = repository.files().await.unwrap();
    assert!(files.iter().any(|file| file.starts_with("no-utf8-")) && files.contains(&"日本/é".to_owned()));
    assert_eq!(repository.files_at(&head.commit).await.unwrap(), files);
    assert_eq!(repository.changed_since(&head.commit).await.unwrap(), []);
}

/// P54: staged, unstaged, renamed, removed from the index only, in the middle of a merge.
#[tokio::test]
async fn every_state_of_an_index() {
    let repo = Repo::new();
    repo.write("staged", "1");
    repo.git(&["add", "staged"]);
    repo.write("staged", "2");
    repo.git(&["mv", "src/b.rs", "src/c.rs"]);
    repo.git(&["rm", "-q", "--cached", "a.txt"]);
    let (seen, committed) = seen_and_committed(&repo).await;
    assert_eq!(seen, committed);

    repo.git(&["checkout", "-q", "-b", "side", "HEAD~1"]);
    repo.write("a.txt", "theirs\n");
    repo.commit("theirs");
    repo.git(&["checkout", "-q", "main"]);
    repo.write("a.txt", "ours\n");
    repo.commit("ours");
    let merged = std::process::Command::new("git")
        .args(["-c", "user.name=T", "-c", "user.email=t@x", "merge", "-q", "side"])
        .current_dir(repo.path())
        .output()
        .unwrap();
    assert!(!merged.status.success(), "the merge was to conflict");
    let (seen, committed) = seen_and_committed(&repo).await;
    assert_eq!(seen, committed);
}

/// P54: line ends by attribute; files that are clean to git are clean here.
#[tokio::test]
async fn line_ends_by_attribute() {
    let repo = Repo::new();
    repo.write(".gitattributes", "*.bat text eol=crlf\n*.txt text=auto\n*.id ident\n");
    repo.write("run.bat", "a\r\nb\r\n");
    repo.write("mixed.txt", "a\r\nb\n");
    repo.write("x.id", "$Id$\n");
    repo.commit("attributes");
    let folder = tempfile::tempdir().unwrap();
    let observer = observer(&repo, &folder).await;
    for path in ["run.bat", "x.id", "mixed.txt"] {
        fs::remove_file(repo.at(path)).unwrap();
        repo.git(&["checkout", "-q", path]);
    }
    assert!(!observer.observe().await.unwrap().dirty);
    repo.write("run.bat", "a\nb\n");
    assert!(!observer.observe().await.unwrap().dirty, "the same to git");
    repo.write("run.bat", "a\nc\n");
    assert!(observer.observe().await.unwrap().dirty);
}

/// P54: a filter of the repository's own (as LFS is one) says what content is.
#[tokio::test]
async fn a_filter_of_the_repository() {
    let repo = Repo::new();
    repo.git(&["config", "filter.rot.clean", "tr a-z n-za-m"]);
    repo.git(&["config", "filter.rot.smudge", "tr a-z n-za-m"]);
    repo.write(".gitattributes", "*.rot filter=rot\n");
    repo.write("x.rot", "hello\n");
    let commit = repo.commit("filtered");
    let folder = tempfile::tempdir().unwrap();
    let observer = observer(&repo, &folder).await;
    repo.write("x.rot", "hello\n");
    assert!(!observer.observe().await.unwrap().dirty);
    repo.write("x.rot", "other\n");
    assert!(observer.observe().await.unwrap().dirty);

    // X39: a worktree of the plane's own runs no filters; its files are what the commit holds.
    let root = WorktreeRoot::new(&folder.path().join("trees")).unwrap();
    let checkout = Checkout { commit: commit.parse().unwrap(), branch: None };
    let worktree = root.create(&repo.open().await, "run", "main", &checkout).await.unwrap();
    assert_eq!(fs::read_to_string(worktree.path.join("x.rot")).unwrap(), "uryyb\n");
    let seen = Observer::new(worktree.repository(), &worktree.run_folder.join("look"), &[]).unwrap();
    assert!(!seen.observe().await.unwrap().dirty);
}

/// P54: a checkout beside another of the same clone has an index of its own.
#[tokio::test]
async fn a_linked_worktree_and_one_within_it() {
    let (repo, elsewhere) = (Repo::new(), tempfile::tempdir().unwrap());
    let linked = elsewhere.path().join("linked tree");
    repo.git(&["worktree", "add", "-q", "-b", "side", &linked.display().to_string()]);
    let repository = Repository::open(&linked.join("src")).await.unwrap();
    assert_eq!(repository.head().await.unwrap().branch.as_deref(), Some("side"));
    let commit = repository.head().await.unwrap().commit;
    let observer = Observer::new(repository.clone(), &elsewhere.path().join("look"), &[]).unwrap();
    fs::write(linked.join("new"), "x").unwrap();
    assert!(observer.observe().await.unwrap().dirty);
    let folder = tempfile::tempdir().unwrap();
    assert!(!self::observer(&repo, &folder).await.observe().await.unwrap().dirty);

    // X39: the plane's own, made from a linked one.
    let root = WorktreeRoot::new(&elsewhere.path().join("trees")).unwrap();
    let worktree = root.create(&repository, "run", "main", &Checkout { commit, branch: None }).await.unwrap();
    assert_eq!(root.open("run", "main").unwrap(), worktree);
    assert!(root.open("run", "other").is_err());
    let seen = Observer::new(worktree.repository(), &worktree.run_folder.join("look"), &[]).unwrap();
    assert!(!seen.observe().await.unwrap().dirty);
}

/// P54: objects named by SHA-256.
#[tokio::test]
async fn a_repository_of_the_other_format() {
    let repo = Repo::empty(&["init", "-q", "-b", "main", "--object-format=sha256"]);
    repo.write("a", "a");
    let commit = repo.commit("first");
    assert_eq!(commit.len(), 64);
    repo.write("b", "b");
    let (seen, committed) = seen_and_committed(&repo).await;
    assert_eq!(seen, committed);
    let plane = tempfile::tempdir().unwrap();
    let root = WorktreeRoot::new(plane.path()).unwrap();
    let checkout = Checkout { commit: commit.parse().unwrap(), branch: None };
    root.create(&repo.open().await, "run", "main", &checkout).await.unwrap();
    let worktree = root.open("run", "main").unwrap();
    let seen = Observer::new(worktree.repository(), &plane.path().join("look"), &[]).unwrap();
    assert!(!seen.observe().await.unwrap().dirty);
    assert_eq!(git_at(&worktree.path, &["status", "--porcelain"]), "");
}

/// P54: a sparse checkout is what its commit is; what lies where nothing was to lie is seen.
#[tokio::test]
async fn a_sparse_checkout() {
    let repo = Repo::new();
    repo.write("docs/x", "x");
    repo.commit("docs");
    repo.git(&["sparse-checkout", "set", "src"]);
    assert!(!repo.at("docs").exists());
    let folder = tempfile::tempdir().unwrap();
    let observer = observer(&repo, &folder).await;
    let seen = observer.observe().await.unwrap();
    assert_eq!((seen.tree.unwrap().as_str(), seen.dirty), (&*repo.tree(), false));
    repo.write("docs/x", "changed");
    assert!(observer.observe().await.unwrap().dirty);
    repo.write("docs/x", "x");
    assert!(!observer.observe().await.unwrap().dirty);
    repo.write("docs/new", "x");
    assert!(observer.observe().await.unwrap().dirty);
}

/// X64: a partial clone is looked at without a word to the network.
#[tokio::test]
async fn a_partial_clone() {
    let (repo, folder) = (Repo::new(), tempfile::tempdir().unwrap());
    repo.write("docs/x", "only here");
    repo.commit("docs");
    repo.git(&["config", "uploadpack.allowFilter", "true"]);
    let from = format!("file://{}", repo.path().display());
    git_at(folder.path(), &["clone", "-q", "--filter=blob:none", "--sparse", &from, "partial"]);
    fs::rename(repo.at(".git"), repo.at("gone")).unwrap();
    let repository = Repository::open(&folder.path().join("partial")).await.unwrap();
    let commit = repository.head().await.unwrap().commit;
    let observer = Observer::new(repository, &folder.path().join("look"), &[]).unwrap();
    assert!(!observer.observe().await.unwrap().dirty);
    fs::write(folder.path().join("partial/a.txt"), "other\n").unwrap();
    assert!(observer.observe().await.unwrap().dirty);
    let missing = observer.repository().read_at(&commit, "docs/x", 100).await;
    assert!(!matches!(missing, Ok(FileText::Bytes(_))), "{missing:?}");
}

/// P26, P56: what was the first tree is no longer known: then it is not said to be the same.
#[tokio::test]
async fn a_first_tree_that_is_lost() {
    let (repo, folder) = (Repo::new(), tempfile::tempdir().unwrap());
    repo.write("a.txt", "other\n");
    let start = observer(&repo, &folder).await.observe().await.unwrap().tree.unwrap();
    fs::remove_dir_all(folder.path()).unwrap();
    let observer = observer(&repo, &folder).await;
    let same = observer.observe().await.unwrap();
    assert!(!observer.compare(&start, &same).await.unwrap().is_moved());
    fs::remove_dir_all(folder.path().join("objects")).unwrap();
    fs::create_dir_all(folder.path().join("objects")).unwrap();
    repo.git(&["checkout", "-q", "a.txt"]);
    let other = observer.observe().await.unwrap();
    assert!(observer.compare(&start, &other).await.unwrap().is_moved());
}

/// A repository that went away after it was opened says so.
#[tokio::test]
async fn a_repository_that_is_taken_away() {
    let (repo, folder) = (Repo::new(), tempfile::tempdir().unwrap());
    let observer = observer(&repo, &folder).await;
    fs::rename(repo.at(".git"), repo.at("gone")).unwrap();
    let error = observer.observe().await.unwrap_err();
    assert_eq!(error.code(), model::code::Code::NotARepository);
    fs::remove_dir_all(repo.path()).unwrap();
    let error = observer.observe().await.unwrap_err();
    assert_eq!(error.failure().code, model::failure::FailureCode::CheckoutMissing, "{error}");
    assert_eq!(model::problem::Problem::from(error).code, model::code::Code::FolderMissing);
}

/// Patterns of the project count in the plane's notation, too.
#[tokio::test]
async fn patterns_with_braces() {
    let (repo, folder) = (Repo::new(), tempfile::tempdir().unwrap());
    let observer = observer(&repo, &folder).await;
    repo.write("x.tmp", "x");
    assert!(!observer.observe().await.unwrap().dirty);
    repo.write("z.tmp", "x");
    assert_eq!(observer.observe().await.unwrap().untracked, ["z.tmp"]);
}

/// Many files of a commit in a few calls, links followed as a checkout would.
#[tokio::test]
async fn many_files_of_a_commit() {
    let repo = Repo::new();
    symlink("a.txt", repo.at("link")).unwrap();
    symlink("../../etc/passwd", repo.at("src/out")).unwrap();
    symlink("nothing", repo.at("dangling")).unwrap();
    symlink("loop", repo.at("loop")).unwrap();
    repo.write("with space", "spaced");
    repo.write("big", &"x".repeat(2_000));
    let commit = repo.commit("more").parse().unwrap();
    let repository = repo.open().await;
    let ask = ["link", "src/out", "dangling", "loop", "with space", "none at all", "big", "src", "src/b.rs", "a\nb"];
    let read = repository.read_many_at(&commit, &ask.map(str::to_owned), 1_000).await.unwrap();
    let text = |path: &str| match &read[path] {
        FileText::Bytes(bytes) => String::from_utf8(bytes.clone()).unwrap(),
        FileText::Absent => "absent".to_owned(),
        FileText::Unusable(_) => "unusable".to_owned(),
    };
    let answers = ask.map(text);
    assert_eq!(
        answers,
        ["a\n", "unusable", "unusable", "unusable", "spaced", "absent", "unusable", "unusable", "b\n", "unusable"]
    );
    assert!(repository.read_many_at(&commit, &[], 10).await.unwrap().is_empty());
}

/// L121, X64: a repository of 100,000 files. The figures are printed, not judged.
#[tokio::test]
#[ignore = "a measurement that writes 100,000 files: --ignored --nocapture"]
async fn a_large_repository() {
    let (repo, folder) = (Repo::empty(&["init", "-q", "-b", "main"]), tempfile::tempdir().unwrap());
    // One stream instead of as many files: quick to make.
    let mut stream = "commit refs/heads/main\ncommitter T <t@x> 0 +0000\ndata 1\nx\n".to_owned();
    for number in 0..100_000 {
        stream.push_str(&format!("M 100644 inline {}/{}/{number}\ndata 2\nx\n\n", number / 1_000, number / 100 % 10));
    }
    let script = folder.path().join("stream");
    fs::write(&script, stream).unwrap();
    let import = std::process::Command::new("git")
        .args(["fast-import", "--quiet"])
        .current_dir(repo.path())
        .stdin(fs::File::open(&script).unwrap())
        .status();
    assert!(import.unwrap().success());
    repo.git(&["reset", "-q", "--hard"]);
    let repository = repo.open().await;
    let commit = repository.head().await.unwrap().commit;
    let timed = |what: &str, since: Instant| println!("100,000 files, {what}: {:?}", since.elapsed());

    let clock = Instant::now();
    assert_eq!(repository.files().await.unwrap().len(), 100_000);
    timed("list the checkout", clock);
    let clock = Instant::now();
    assert_eq!(repository.files_at(&commit).await.unwrap().len(), 100_000);
    timed("list the commit", clock);
    let observer = Observer::new(repository, &folder.path().join("look"), &[]).unwrap();
    for what in ["first look", "second look", "third look"] {
        let clock = Instant::now();
        assert!(!observer.observe().await.unwrap().dirty);
        timed(what, clock);
    }
}
