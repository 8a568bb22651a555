//! How commands end, and that nothing of them is left. F13, F14 (memory, processes), P24, P33, P43, X41.

use std::time::{Duration, Instant};

use proofhouse_exec::run::{Command, Limit, NotStarted, Outcome, Stdin, run};

use crate::scripted::{alive, exited, printed, scripted, tag, within};

#[tokio::test]
async fn it_exits_with_its_own_code() {
    let (end, text) = printed(scripted("print hello , eprint there , exit 7")).await;
    assert_eq!(end.outcome, exited(7));
    assert_eq!(text, "hello\nthere\n");
    assert_eq!(end.killed_leftovers, 0);
    assert!(end.duration < Duration::from_secs(2), "{:?}", end.duration);
}

#[tokio::test]
async fn a_signal_is_told_apart_from_a_code() {
    assert_eq!(run(scripted("kill-self 6")).await.outcome, Outcome::Signaled { signal: 6 });
    assert_eq!(run(scripted("kill-self 9")).await.outcome, Outcome::Signaled { signal: 9 });
}

/// P43: missing is what could not be started; what a started process returns is its own answer.
#[tokio::test]
async fn what_cannot_be_started_is_told_apart() {
    let kind = |outcome| match outcome {
        Outcome::NotStarted { kind, message } => (kind, message),
        other => panic!("{other:?}"),
    };
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("text"), "no program").unwrap();
    let at = |program: &str| Command::new([program.to_owned()], folder.path());
    assert_eq!(kind(run(at("no-such-program-here")).await.outcome).0, NotStarted::NotFound);
    assert_eq!(kind(run(at("./text")).await.outcome).0, NotStarted::NotExecutable);
    assert_eq!(kind(run(at("")).await.outcome).0, NotStarted::NotFound);
    assert_eq!(kind(run(at("with\0nul")).await.outcome).0, NotStarted::Other);
    let (kind, message) = kind(run(Command::new(["true"], folder.path().join("gone"))).await.outcome);
    assert_eq!(kind, NotStarted::NoFolder);
    assert!(message.contains("gone"), "{message}");
    let (end, _) = printed(scripted("exit 127")).await;
    assert_eq!(end.outcome, exited(127));
}

/// F13, P33: it forks, double-forks, ignores TERM, and holds its output open.
#[tokio::test]
async fn nothing_outlives_the_limit() {
    let tag = tag();
    let mut command = scripted(&format!(
        "ignore-term , fork ignore-term / sleep 60 / {tag} , setsid-fork ignore-term / sleep 60 / {tag} , \
         double-fork ignore-term / sleep 60 / {tag} , hold-output 60 , double-fork stop-self / {tag} , print ready , sleep 60"
    ));
    command.timeout = Duration::from_millis(700);
    let clock = Instant::now();
    let (end, text) = printed(command).await;
    assert_eq!(end.outcome, Outcome::TimedOut { limit: Duration::from_millis(700) });
    assert!(clock.elapsed() < Duration::from_millis(2_700), "{:?}", clock.elapsed());
    assert_eq!(text, "ready\n");
    assert!(!end.left_behind);
    assert!(end.killed_leftovers >= 4, "{}", end.killed_leftovers);
    assert_eq!(alive(&tag), [0i32; 0]);
}

/// F13: a command that ends by itself takes with it what it left running.
#[tokio::test]
async fn nothing_outlives_the_command() {
    let tag = tag();
    let clock = Instant::now();
    let (end, _) = printed(scripted(&format!(
        "fork sleep 60 / {tag} , double-fork sleep 60 / {tag} , double-fork double-fork stop-self / {tag} , \
         hold-output 60 , sleep 0.2 , exit 0"
    )))
    .await;
    assert_eq!(end.outcome, exited(0));
    assert!(clock.elapsed() < Duration::from_secs(2), "{:?}", clock.elapsed());
    assert!(end.killed_leftovers >= 3, "{}", end.killed_leftovers);
    assert_eq!(alive(&tag), [0i32; 0]);
}

/// P24: TERM first, so that a command can end in good order.
#[tokio::test]
async fn a_command_that_listens_ends_within_its_grace() {
    let mut command = Command::new(
        ["/bin/sh", "-c", "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done"],
        std::env::temp_dir(),
    );
    command.env.insert("PATH".into(), "/usr/bin:/bin".into());
    command.timeout = Duration::from_millis(400);
    let (end, text) = printed(command).await;
    assert!(text.starts_with("up\n") && text.ends_with("bye\n"), "{text}");
    assert_eq!(end.outcome, Outcome::TimedOut { limit: Duration::from_millis(400) });
    assert!(end.duration < Duration::from_millis(1_200), "{:?}", end.duration);
}

/// P24: cancelled, and a stopped process is woken to hear it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_ends_all_of_it() {
    let tag = tag();
    let command = scripted(&format!("double-fork ignore-term / sleep 60 / {tag} , fork stop-self / {tag} , sleep 60"));
    let cancel = command.cancel.clone();
    let running = tokio::spawn(run(command));
    assert!(within(Duration::from_secs(5), || alive(&tag).len() >= 2));
    let clock = Instant::now();
    cancel.cancel();
    let end = running.await.unwrap();
    assert_eq!(end.outcome, Outcome::Cancelled);
    assert!(clock.elapsed() < Duration::from_secs(2));
    assert_eq!(alive(&tag), [0i32; 0]);

    let late = scripted("print never");
    late.cancel.cancel();
    assert_eq!(run(late).await.outcome, Outcome::Cancelled);
}

/// F13: whoever started it has lost interest.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_future_ends_the_command() {
    let tag = tag();
    let running = tokio::spawn(run(scripted(&format!("double-fork sleep 60 / {tag} , sleep 60"))));
    assert!(within(Duration::from_secs(5), || !alive(&tag).is_empty()));
    running.abort();
    assert!(within(Duration::from_secs(3), || alive(&tag).is_empty()));
}

/// F13: the server dies by SIGKILL; its commands die with it.
#[test]
fn nothing_outlives_the_server() {
    if let Ok(tag) = std::env::var("EXEC_TEST_SERVER") {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(run(scripted(&format!(
            "ignore-term , fork ignore-term / sleep 60 / {tag} , double-fork ignore-term / sleep 60 / {tag} , sleep 60"
        ))));
        return;
    }
    let tag = tag();
    let mut server = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "ends::nothing_outlives_the_server", "--nocapture"])
        .env("EXEC_TEST_SERVER", &tag)
        .spawn()
        .unwrap();
    assert!(within(Duration::from_secs(10), || alive(&tag).len() >= 3), "{:?}", alive(&tag));
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(within(Duration::from_secs(2), || alive(&tag).is_empty()), "{:?}", alive(&tag));
}

/// F13: even where the command kills its own warden (no fence keeps it from that here).
#[tokio::test]
async fn nothing_outlives_a_murdered_warden() {
    let tag = tag();
    let clock = Instant::now();
    let end = run(scripted(&format!(
        "double-fork ignore-term / sleep 60 / {tag} , fork sleep 60 / {tag} , sleep 0.1 , kill-parent , sleep 60 , {tag}"
    )))
    .await;
    assert_eq!(end.outcome, Outcome::Signaled { signal: 9 });
    assert!(clock.elapsed() < Duration::from_secs(3), "{:?}", clock.elapsed());
    assert_eq!(alive(&tag), [0i32; 0]);
}

/// F14, K7: memory is capped, the cap is named, the peak is told.
#[tokio::test]
async fn memory_is_capped() {
    let mut command = scripted("alloc 400000000 30");
    command.limits.memory = Some(100 << 20);
    let end = run(command).await;
    assert_eq!(end.outcome, Outcome::LimitReached { limit: Limit::Memory });
    assert!(end.duration < Duration::from_secs(3));
    assert!(end.peak_memory.is_some_and(|peak| peak > 100 << 20));

    let mut command = scripted("alloc 400000000");
    command.limits.address_space = Some(100 << 20);
    let (end, text) = printed(command).await;
    assert_eq!(end.outcome, Outcome::Signaled { signal: 6 }, "{text}");

    let mut command = scripted("alloc 60000000 0.3");
    command.limits.memory = Some(400 << 20);
    let end = run(command).await;
    assert_eq!(end.outcome, exited(0));
    assert!(end.peak_memory.is_some_and(|peak| peak > 40 << 20 && peak < 400 << 20), "{:?}", end.peak_memory);
}

/// F14, K7: so are processes.
#[tokio::test]
async fn processes_are_capped() {
    let mut command = scripted("forkbomb");
    command.limits.processes = Some(64);
    let end = run(command).await;
    assert_eq!(end.outcome, Outcome::LimitReached { limit: Limit::Processes });
    assert!(!end.left_behind);
    assert!(end.duration < Duration::from_secs(5), "{:?}", end.duration);
    assert_eq!(alive("forkbomb"), [0i32; 0]);
}

/// F14, K7: and file size, processor time, open files.
#[tokio::test]
async fn the_kernels_limits_hold() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = scripted("fill big 50000000");
    command.cwd = folder.path().to_owned();
    command.limits.file_size = Some(4 << 20);
    assert_eq!(run(command).await.outcome, Outcome::LimitReached { limit: Limit::FileSize });

    let mut command = scripted("spin");
    command.limits.cpu = Some(Duration::from_secs(1));
    assert_eq!(run(command).await.outcome, Outcome::LimitReached { limit: Limit::Cpu });

    let mut command = Command::new(["/bin/sh", "-c", "ulimit -n; ulimit -c"], "/");
    command.limits.open_files = Some(77);
    assert_eq!(printed(command).await.1, "77\n0\n");
}

/// L22: input of any size; a process that closes early is no error.
#[tokio::test]
async fn input_is_given_in_full_or_not_at_all() {
    let mut command = scripted("stdin");
    command.stdin = Stdin::Bytes(vec![b'x'; 3 << 20]);
    assert_eq!(printed(command).await.1, "read 3145728 bytes\n");
    let mut command = scripted("exit 0");
    command.stdin = Stdin::Bytes(vec![b'x'; 3 << 20]);
    assert_eq!(run(command).await.outcome, exited(0));
    assert_eq!(printed(scripted("stdin")).await.1, "read 0 bytes\n");
}
