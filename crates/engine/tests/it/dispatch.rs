//! From an issue to a branch, in a real plane over a real repository, with agents that are real processes.

use std::{
    fs,
    os::unix::fs::symlink,
    time::{Duration, Instant},
};

use exec::git::{Checkout, Repository, WorktreeRoot};
use model::{
    code::Code,
    id::RunId,
    issue::{Attention, IssueStatus, NewIssue},
    limits,
    run::{RunKind, RunStatus},
};
use proofhouse_engine::{Clock, projects::POLICY};
use serde_json::{Value, json};

use crate::house::{House, git, owner, picture, policy};

fn files_answer(files: &Value) -> String {
    let answer = json!({"files": files, "summary": "did it", "test_instructions": "run it", "risks": ["none"], "followups": ["more"]});
    format!("cat > /dev/null\ncat <<'END'\nHere you are:\n```json\n{answer}\n```\nEND")
}

// D40, D41, D42, D45, D47: the whole way, with a dirty checkout that stays byte for byte as it was. S68: on its branch
// from the recorded base, and the run says that what no commit has is not part of it.
#[tokio::test]
async fn an_answer_becomes_one_commit_on_a_branch_of_its_own() {
    let files = json!([
        {"path": "a.txt", "contents": "changed\n"},
        {"path": "src/new.sh", "contents": "#!/bin/sh\n", "executable": true},
        {"path": "b.txt", "action": "delete"},
        {"path": "README.md", "contents": "# Shop\n"},
        "docs/mentioned.md",
        {"path": "../escape", "contents": "x"},
        {"path": "/etc/passwd", "contents": "x"},
        {"path": ".git/hooks/post-commit", "contents": "x"},
        {"path": ".proofhouse/roles/evil.md", "contents": "x"},
        {"path": "target/x", "contents": "x"},
        {"path": "a.txt", "contents": "again"},
        {"path": ".github/workflows/ci.yml", "contents": "on: push\n"},
        {"nonsense": true},
    ]);
    let house = House::with(&[("worker", &files_answer(&files))]).await;
    let repo = house.repo();
    fs::write(repo.join("a.txt"), "stashed\n").unwrap();
    git(&repo, &["stash", "-q"]);
    fs::write(repo.join("a.txt"), "staged\n").unwrap();
    git(&repo, &["add", "a.txt"]);
    fs::write(repo.join("a.txt"), "dirty\n").unwrap();
    fs::write(repo.join("untracked"), "mine\n").unwrap();
    let before = picture(&repo);
    let base = git(&repo, &["rev-parse", "main"]);

    let issue = house.issue("Fix the shop").await;
    let started = house.start(issue, json!({"role": "by-files", "agent": "worker"})).await.unwrap();
    assert_eq!(house.issue_now(issue).await.0, IssueStatus::InProgress);
    let (run, detail) = house.ended(started.run.id).await;
    assert_eq!((run.status, run.verdict.as_deref()), (RunStatus::Completed, Some("partial")), "{run:#?}");
    assert_eq!(picture(&repo), before, "the person's checkout is as it was");

    let report = detail.report.unwrap();
    let told: Vec<String> = report
        .files
        .iter()
        .map(|row| {
            let word = row.reason.map_or_else(
                || serde_json::to_value(row.action).unwrap().as_str().unwrap().to_owned(),
                |reason| reason.slug().to_owned(),
            );
            format!("{} {word}{}", row.path, if row.sensitive { "!" } else { "" })
        })
        .collect();
    assert_eq!(
        told,
        [
            "a.txt overwritten",
            "src/new.sh created",
            "b.txt deleted",
            "README.md unchanged",
            "docs/mentioned.md listed",
            "../escape traversal",
            "/etc/passwd absolute",
            ".git/hooks/post-commit git_dir",
            ".proofhouse/roles/evil.md policy",
            "target/x ignored",
            "a.txt duplicate",
            ".github/workflows/ci.yml created!",
            " bad_entry",
        ]
    );
    assert_eq!((report.files_changed, report.files_refused), (4, 7));
    let branch = report.branch.unwrap();
    assert_eq!(branch, format!("proofhouse/1-{}", run.id.short()));
    assert_eq!(report.commit.unwrap().as_str(), git(&repo, &["rev-parse", &branch]));
    assert_eq!(git(&repo, &["rev-parse", &format!("{branch}^")]), base);
    assert_eq!(
        git(&repo, &["diff-tree", "-r", "--name-status", "main", &branch]),
        "A\t.github/workflows/ci.yml\nM\ta.txt\nD\tb.txt\nA\tsrc/new.sh"
    );
    assert!(git(&repo, &["ls-tree", &branch, "src/new.sh"]).starts_with("100755"));
    let message = git(&repo, &["log", "-1", "--format=%B", &branch]);
    assert!(
        message.starts_with("Fix the shop\n") && message.contains(&format!("Proofhouse-Run: {}", run.id)),
        "{message}"
    );
    assert_eq!(git(&repo, &["for-each-ref", "refs/proofhouse"]), "", "nothing stays pinned");

    // D37: `partial` may be tried again with the stored result, and gives the same files without an agent.
    let kinds: Vec<String> = house.journal(run.id).await.into_iter().map(|entry| entry.0).collect();
    let journal = house.journal(run.id).await;
    let warned = |entry: &&(String, Value)| entry.0 == "warning" && entry.1["code"] == "context";
    let warned: Vec<&str> = journal.iter().filter(warned).filter_map(|entry| entry.1["text"].as_str()).collect();
    assert!(warned.iter().any(|text| text.contains("not part of this run: 2")), "{warned:?}");
    for kind in [
        "role.resolved",
        "context.built",
        "prompt.rendered",
        "task.phase",
        "agent.session",
        "result.parsed",
        "file.applied",
        "file.refused",
        "files.summary",
        "artifact.added",
    ] {
        assert!(kinds.iter().any(|told| told == kind), "no {kind} in {kinds:?}");
    }
    // X6, D38: done is for people and proofs to say.
    assert_eq!(house.issue_now(issue).await, (IssueStatus::Waiting, Attention::Review));
    let again = house.engine.retry(run.id, Some("reuse_result"), None, None, owner()).await.unwrap().run.id;
    let (again, reused) = house.ended(again).await;
    assert_eq!(again.verdict.as_deref(), Some("partial"), "{again:#?}");
    let tree = |branch: &str| git(&repo, &["rev-parse", &format!("{branch}^{{tree}}")]);
    assert_eq!(tree(&reused.report.unwrap().branch.unwrap()), tree(&branch));
    let kinds: Vec<String> = house.journal(again.id).await.into_iter().map(|entry| entry.0).collect();
    assert!(!kinds.iter().any(|kind| kind.starts_with("agent.")), "{kinds:?}");
}

// D46: an agent that works on files; what it does to git in its copy has no effect, and it cannot reach the person's.
#[tokio::test]
async fn files_of_a_working_copy_are_handed_in() {
    let script = "cat > /dev/null\nprintf 'new\\n' > made.txt\nrm b.txt\nchmod +x a.txt\nmkdir -p target; echo x > target/junk\n\
        git -c user.name=x -c user.email=x@x commit -qam sneaky\ngit config core.hooksPath /tmp\ngit branch evil\n\
        ln -s /etc/passwd leak\necho secret > .env\n\
        echo spoiled > \"$REAL\"/a.txt 2>/dev/null\necho I made it.";
    let house = House::with(&[("worker", script)]).await;
    let repo = house.repo();
    let before = picture(&repo);
    let (run, detail) = house.done("Make it", json!({"role": "by-worktree", "agent": "worker"})).await;
    let report = detail.report.clone().unwrap_or_default();
    assert_eq!(run.verdict.as_deref(), Some("partial"), "{run:#?}");
    let branch = report.branch.unwrap();
    assert_eq!(git(&repo, &["diff-tree", "-r", "--name-status", "main", &branch]), "M\ta.txt\nD\tb.txt\nA\tmade.txt");
    let refused: Vec<&str> =
        report.files.iter().filter(|row| row.reason.is_some()).map(|row| row.path.as_str()).collect();
    assert_eq!(refused, [".env", "leak"]);
    assert_eq!(report.summary.as_deref(), Some("I made it."));
    assert_eq!(git(&repo, &["log", "--format=%an", &format!("main..{branch}")]), "Proofhouse", "one commit, ours");
    assert_eq!(git(&repo, &["branch", "--list", "evil"]), "");
    assert_eq!(picture(&repo), before);
    let agent = detail.agent.unwrap();
    assert_eq!(agent.name, "worker");
    assert_eq!(agent.sandbox["network"], "open", "{:?}", agent.sandbox);
}

// An agent that says nothing and does nothing has changed nothing, and leaves no branch.
#[tokio::test]
async fn an_agent_that_does_nothing_changes_nothing() {
    let house = House::with(&[("worker", "cat > /dev/null\necho done")]).await;
    let (run, detail) = house.done("Nothing", json!({"role": "by-worktree", "agent": "worker"})).await;
    assert_eq!(run.verdict.as_deref(), Some("no_changes"), "{run:#?}");
    assert_eq!((detail.report.unwrap().branch, detail.message.as_str()), (None, "nothing had to change"));
    assert_eq!(git(&house.repo(), &["branch", "--list", "proofhouse/*"]), "");
    // D37: what did all that was asked for is not tried again.
    let refused = house.engine.retry(run.id, None, None, None, owner()).await.unwrap_err();
    assert_eq!(refused.code, Code::WrongState);
}

// D40, D35, section 13: each failure by its name, and its issue back where it was.
#[tokio::test]
async fn failures_are_named() {
    let house = House::with(&[
        ("worker", "cat > /dev/null\necho I did it, trust me"),
        ("other", "cat > /dev/null\necho oops >&2\nexit 3"),
    ])
    .await;
    let issue = house.issue("Words only").await;
    let run = house.start(issue, json!({"role": "by-files", "agent": "worker"})).await.unwrap().run.id;
    let (run, _) = house.ended(run).await;
    let failure = run.failure.unwrap();
    assert_eq!(failure.code.slug(), "invalid_result");
    assert!(failure.message.contains("I did it, trust me"), "{}", failure.message);
    assert_eq!(house.issue_now(issue).await, (IssueStatus::Ready, Attention::Failed));
    let (run, _) = house.done("Fails", json!({"role": "by-files", "agent": "other"})).await;
    assert_eq!(run.failure.unwrap().code.slug(), "agent_failed");
    fs::remove_file(house.folder.path().join("bin/other")).unwrap();
    let (run, _) = house.done("Gone", json!({"role": "by-files", "agent": "other"})).await;
    assert_eq!(run.failure.unwrap().code.slug(), "agent_not_found");
    let slow = House::with(&[("worker", "cat > /dev/null\nsleep 60")]).await;
    let (run, _) = slow.done("Slow", json!({"role": "by-files", "agent": "worker", "timeout_s": 1})).await;
    assert_eq!(run.failure.unwrap().code.slug(), "agent_timeout");
}

// D33: refusals at the start; nothing is stored of them.
#[tokio::test]
async fn what_is_not_allowed_is_refused_at_the_start() {
    let house = House::with(&[("worker", "cat")]).await;
    let issue = house.issue("One").await;
    let refusal = async |config: Value| {
        let problem = house.start(issue, config).await.unwrap_err();
        (problem.code, problem.facts.get("rule").and_then(Value::as_str).map(str::to_owned).unwrap_or_default())
    };
    assert_eq!(refusal(json!({"role": "by-files", "agent": "claude"})).await, (Code::PolicyDenied, "agents".into()));
    assert_eq!(refusal(json!({"role": "nobody"})).await.0, Code::RoleNotFound);
    assert_eq!(refusal(json!({"role": "planner"})).await.0, Code::RoleNotSelectable);
    assert_eq!(refusal(json!({})).await.0, Code::Invalid);
    assert_eq!(refusal(json!({"role": "by-files", "base": "no-such-branch"})).await.0, Code::BranchNotFound);
    assert_eq!(refusal(json!({"role": "by-files", "typo": 1})).await.0, Code::Invalid);
    let tight = json!({"allowed_paths": {"*": ["."]}, "agents": ["worker"], "dispatch": {"apply": ["none"], "max_timeout_s": 10}});
    house.engine.set_document(house.project.id, POLICY, tight, 1, &owner()).await.unwrap();
    assert_eq!(refusal(json!({"role": "by-files"})).await, (Code::PolicyDenied, "dispatch.apply".into()));
    assert_eq!(
        refusal(json!({"role": "by-files", "apply": "none", "timeout_s": 11})).await,
        (Code::PolicyDenied, "dispatch.max_timeout_s".into())
    );

    // A blocked issue, unless forced, which is written down with who did it.
    house.engine.set_document(house.project.id, POLICY, policy(), 2, &owner()).await.unwrap();
    let blocker = house.issue("First").await;
    let change = serde_json::from_value(json!({"blocked_by": [blocker]})).unwrap();
    let revision = house.engine.issue(issue.to_string().parse().unwrap()).await.unwrap().issue.revision;
    house.engine.change_issue(house.project.id, issue, change, revision, &owner()).await.unwrap();
    assert_eq!(refusal(json!({"role": "by-files", "agent": "worker"})).await.0, Code::IssueBlocked);
    let forced =
        house.start(issue, json!({"role": "by-files", "agent": "worker", "force": true})).await.unwrap().run.id;
    // One active run at a time on an issue.
    let active = house.start(issue, json!({"role": "by-files", "agent": "worker", "force": true})).await;
    if house.engine.run(forced).await.unwrap().status.is_terminal() {
        active.unwrap();
    } else {
        assert_eq!(active.unwrap_err().code, Code::RunActive);
    }
    house.ended(forced).await;
    let told = house.journal(forced).await;
    let entry = told.iter().find(|entry| entry.0 == "issue.forced").unwrap();
    assert_eq!(entry.1["actor"]["name"], "Ada");
}

// S71: what no time mends about a repository is refused at the start, with its code; nothing is stored.
#[tokio::test]
async fn what_is_no_repository_to_work_on_is_refused_at_the_start() {
    let house = House::with(&[("worker", "cat")]).await;
    let (issue, repo) = (house.issue("One").await, house.repo());
    let refusal = async || {
        let refused = house.start(issue, json!({"role": "implementer", "agent": "worker"})).await.unwrap_err();
        (refused.code, refused.code.status())
    };
    git(&repo, &["config", "core.bare", "true"]);
    assert_eq!(refusal().await, (Code::BareRepository, 422));
    git(&repo, &["config", "core.bare", "false"]);
    let git_dir = repo.join(".git");
    fs::rename(&git_dir, house.folder.path().join("kept")).unwrap();
    assert_eq!(refusal().await, (Code::NotARepository, 422));
    git(&repo, &["init", "-q"]);
    assert_eq!(refusal().await, (Code::NoCommits, 422));
    fs::remove_dir_all(&git_dir).unwrap();
    fs::rename(house.folder.path().join("kept"), &git_dir).unwrap();
    assert_eq!(house.issue_now(issue).await, (IssueStatus::Ready, Attention::None));
    let run = house.start(issue, json!({"role": "implementer", "agent": "worker"})).await.unwrap().run.id;
    assert_eq!(house.ended(run).await.0.status, RunStatus::Completed);
}

// S70: what an agent had done when it failed or was stopped is kept in the clone under its run's name, on no branch,
// before its copy goes. S68: the person's checkout stays byte for byte as it was. S71: a copy that is lost has its code.
#[tokio::test]
async fn what_an_agent_leaves_unfinished_is_kept() {
    let house = House::with(&[
        ("worker", "cat > /dev/null\necho half > half.txt\nmkdir target; echo x > target/junk\nexit 3"),
        ("other", "cat > /dev/null\necho half > half.txt\nwhile [ -d \"$PWD\" ]; do sleep 0.05; done"),
    ])
    .await;
    let repo = house.repo();
    fs::write(repo.join("a.txt"), "dirty\n").unwrap();
    let before = picture(&repo);
    let kept = |run: RunId| {
        let name = format!("refs/proofhouse/archive/{run}");
        git(&repo, &["diff-tree", "-r", "--name-status", "main", &name])
    };
    let (failed, _) = house.done("Fails", json!({"role": "by-worktree", "agent": "worker"})).await;
    assert_eq!(failed.status, RunStatus::Failed);
    assert_eq!(kept(failed.id), "A\thalf.txt");
    let told = house.journal(failed.id).await;
    let entry = told.iter().find(|entry| entry.0 == "worktree.archived").unwrap();
    assert_eq!(entry.1["reference"], format!("refs/proofhouse/archive/{}", failed.id));

    let copy = |run: RunId| house.folder.path().join("data/runs").join(run.to_string()).join("agent-1");
    let started = async |title: &str| {
        let issue = house.issue(title).await;
        let run = house.start(issue, json!({"role": "by-worktree", "agent": "other"})).await.unwrap().run.id;
        house.until(run, |_| copy(run).join("tree/half.txt").exists()).await;
        run
    };
    let stopped = started("Stopped").await;
    house.engine.cancel(stopped, &owner()).await.unwrap();
    assert_eq!(house.ended(stopped).await.0.status, RunStatus::Cancelled);
    assert_eq!(kept(stopped), "A\thalf.txt");
    assert!(!copy(stopped).exists());

    let lost = started("Lost").await;
    fs::remove_dir_all(copy(lost)).unwrap();
    let (lost, _) = house.ended(lost).await;
    assert_eq!(lost.failure.unwrap().code.slug(), "worktree_lost");
    assert_eq!(git(&repo, &["branch", "--list", "proofhouse/*"]), "");
    assert_eq!(picture(&repo), before);
}

// S70: the copy that a killed process left of a run that came to nothing goes the same way: kept, then removed; and a
// folder without the run's mark is nobody's to remove.
#[tokio::test]
async fn a_copy_that_was_left_behind_is_kept_before_it_goes() {
    let clock = Clock::fixed("2027-01-01T00:00:00Z".parse().unwrap());
    let house = House::at(clock.clone(), &[("worker", "exit 3")]).await;
    let (run, _) = house.done("Dies", json!({"role": "by-worktree", "agent": "worker"})).await;
    assert_eq!(run.status, RunStatus::Failed);
    let (name, runs) = (run.id.to_string(), house.folder.path().join("data/runs"));
    let repository = Repository::open(&house.repo()).await.unwrap();
    let commit = repository.head().await.unwrap().commit;
    let root = WorktreeRoot::new(&runs).unwrap();
    let copy = root.create(&repository, &name, "agent-2", &Checkout { commit, branch: None }).await.unwrap();
    fs::write(copy.path.join("half.txt"), "half\n").unwrap();
    let old = std::time::SystemTime::now() - limits::FOLDER_GRACE - Duration::from_secs(1);
    fs::File::open(runs.join(&name)).unwrap().set_modified(old).unwrap();
    let start = Instant::now();
    while runs.join(&name).exists() {
        clock.advance(limits::FOLDERS_EVERY);
        assert!(start.elapsed() < Duration::from_secs(60), "its folder is still there");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let kept = format!("refs/proofhouse/archive/{name}");
    assert_eq!(git(&house.repo(), &["diff-tree", "-r", "--name-status", "main", &kept]), "A\thalf.txt");
}

// D36, X13: cancel reaches the agent, and what it produced is never applied.
#[tokio::test]
async fn a_cancelled_run_ends_soon_and_applies_nothing() {
    let house = House::with(&[(
        "worker",
        "cat > /dev/null\ntrap '' TERM\necho started > made.txt\n(setsid sleep 3197 &)\nsleep 3197",
    )])
    .await;
    let issue = house.issue("Long").await;
    let run = house.start(issue, json!({"role": "by-worktree", "agent": "worker"})).await.unwrap().run.id;
    house.until(run, |run| run.phase == "running").await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let asked = Instant::now();
    house.engine.cancel(run, &owner()).await.unwrap();
    let (ended, detail) = house.ended(run).await;
    assert_eq!(ended.status, RunStatus::Cancelled);
    assert!(asked.elapsed() < Duration::from_secs(4), "{:?}", asked.elapsed());
    assert_eq!(detail.report, None);
    assert_eq!(git(&house.repo(), &["branch", "--list", "proofhouse/*"]), "");
    assert_eq!(house.issue_now(issue).await, (IssueStatus::Ready, Attention::None));
    house.journal(run).await;
    let left = std::process::Command::new("pgrep").args(["-f", "sleep 3197"]).output().unwrap();
    assert!(left.stdout.is_empty(), "left over: {}", String::from_utf8_lossy(&left.stdout));
}

// D45: `in_place` writes into the checkout, spares what is not committed, and makes no commit. D48: no repository.
#[tokio::test]
async fn in_place_spares_what_is_not_committed() {
    let files = json!([
        {"path": "a.txt", "contents": "new\n"},
        {"path": "b.txt", "contents": "new\n"},
        {"path": "c/d.txt", "contents": "new\n"},
        {"path": "loose", "contents": "new\n"},
        {"path": "link/x", "contents": "new\n"},
    ]);
    let house = House::with(&[("worker", &files_answer(&files))]).await;
    let repo = house.repo();
    fs::write(repo.join("b.txt"), "mine\n").unwrap();
    fs::write(repo.join("loose"), "mine\n").unwrap();
    symlink("/tmp", repo.join("link")).unwrap();
    let head = git(&repo, &["rev-parse", "HEAD"]);
    let (run, detail) = house.done("Here", json!({"role": "by-files", "agent": "worker", "apply": "in_place"})).await;
    assert_eq!(run.verdict.as_deref(), Some("partial"), "{run:#?}");
    let reasons: Vec<_> =
        detail.report.unwrap().files.iter().map(|row| row.reason.map(|reason| reason.slug())).collect();
    assert_eq!(reasons, [None, Some("dirty"), None, Some("dirty"), Some("symlink")]);
    let text = |name: &str| fs::read_to_string(repo.join(name)).unwrap();
    assert_eq!(
        (text("a.txt"), text("b.txt"), text("c/d.txt"), text("loose")),
        ("new\n".into(), "mine\n".into(), "new\n".into(), "mine\n".into())
    );
    assert_eq!(git(&repo, &["rev-parse", "HEAD"]), head);
    assert!(
        !fs::read_dir(&repo).unwrap().any(|entry| entry
            .unwrap()
            .file_name()
            .to_string_lossy()
            .starts_with(".proofhouse-"))
    );

    fs::rename(&repo, house.folder.path().join("elsewhere")).unwrap();
    let (run, detail) = house.done("Gone", json!({"role": "implementer", "agent": "worker"})).await;
    assert_eq!(run.failure.map(|failure| failure.code.slug()), Some("repo_unavailable"), "{detail:?}");
    let (run, detail) = house.done("Gone", json!({"role": "schema-designer", "agent": "worker"})).await;
    assert_eq!(run.verdict.as_deref(), Some("unapplied"), "{run:#?}");
    assert!(detail.report.unwrap().files.iter().all(|row| row.reason.map(|reason| reason.slug()) == Some("no_repo")));
}

// D45: a branch that is there and is somebody else's is never touched. A detached HEAD is no trouble.
#[tokio::test]
async fn a_branch_that_is_taken_is_a_named_failure() {
    let house = House::with(&[("worker", &files_answer(&json!([{"path": "n", "contents": "n"}])))]).await;
    let repo = house.repo();
    git(&repo, &["checkout", "-q", "--detach"]);
    git(&repo, &["branch", "proofhouse"]);
    let (run, detail) = house.done("Taken", json!({"role": "by-files", "agent": "worker"})).await;
    let failure = run.failure.unwrap();
    assert_eq!(failure.code.slug(), "apply_failed", "{failure:?}");
    assert!(detail.result.is_some(), "the result is kept");
    git(&repo, &["branch", "-D", "proofhouse"]);
    let again = house.engine.retry(run.id, Some("reuse_result"), None, None, owner()).await.unwrap().run.id;
    let (again, _) = house.ended(again).await;
    assert_eq!(again.verdict.as_deref(), Some("applied"), "{again:#?}");
}

// D38: a proof run of the commit, linked both ways.
#[tokio::test]
async fn a_proof_run_follows_where_it_is_asked_for() {
    let house = House::with(&[("worker", &files_answer(&json!([{"path": "n", "contents": "n"}])))]).await;
    let (run, detail) = house.done("Prove", json!({"role": "by-files", "agent": "worker", "prove": true})).await;
    assert_eq!(run.verdict.as_deref(), Some("applied"), "{run:#?}");
    let proof = house.engine.run(detail.proof_run.unwrap()).await.unwrap();
    assert_eq!((proof.parent, proof.kind.clone(), proof.issue), (Some(run.id), RunKind::PROOF, run.issue));
    assert_eq!(proof.config["target"]["ref"], detail.report.unwrap().commit.unwrap().as_str());
    house.until(proof.id, |run| run.status.is_terminal()).await;
}

// D18, D30, D31, X50: what the agent was told is stored, redacted, and the role stays as it was at the start.
#[tokio::test]
async fn what_the_agent_was_told_is_kept() {
    let house = House::with(&[("worker", "cat\necho")]).await;
    let new: NewIssue = serde_json::from_value(json!({
        "title": "Secret", "body": "use AKIAIOSFODNN7EXAMPLE {{issue.title}}", "status": "ready",
    }))
    .unwrap();
    let issue = house.engine.file_issue(house.project.id, new, &owner(), None).await.unwrap().issue.id;
    let run = house
        .start(issue, json!({"role": "by-worktree", "agent": "worker", "instructions": "Be brief."}))
        .await
        .unwrap()
        .run
        .id;
    let (_, detail) = house.ended(run).await;
    let kept = |digest| house.engine.blobs().range(digest, 0, 1 << 20);
    let prompt = String::from_utf8(kept(detail.prompt.unwrap()).await.unwrap()).unwrap();
    assert!(
        prompt.starts_with("Secret\nuse ") && prompt.contains("{{issue.title}}") && prompt.contains("{{nonsense}}"),
        "{prompt}"
    );
    assert!(prompt.contains("Be brief.") && !prompt.contains("AKIAIOSFODNN7EXAMPLE"), "{prompt}");
    let pack = String::from_utf8(kept(detail.context.as_ref().unwrap().digest).await.unwrap()).unwrap();
    assert!(pack.contains("\"README.md\"") && !pack.contains("AKIAIOSFODNN7EXAMPLE"), "{pack}");
    let warned = house
        .journal(run)
        .await
        .iter()
        .any(|(kind, data)| kind == "warning" && data["text"].as_str().unwrap_or("").contains("nonsense"));
    assert!(warned);
}
