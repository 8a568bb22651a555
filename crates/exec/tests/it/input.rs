//! What a process reads while it runs.

use std::time::Duration;

use proofhouse_exec::run::{Command, Live, Outcome, piped, run};
use tokio::{io::AsyncWriteExt as _, sync::mpsc};

fn shell(script: &str) -> Command {
    let mut command = Command::new(["/bin/sh", "-c", script], std::env::temp_dir());
    command.env.insert("PATH".to_owned(), "/usr/bin:/bin".to_owned());
    command.timeout = Duration::from_secs(20);
    command
}

// S79: an answer can depend on what was printed before.
#[tokio::test]
async fn a_process_is_answered_while_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    let (stdin, mut sender) = piped().unwrap();
    let (pieces, mut printed) = mpsc::channel(8);
    let mut command = shell("echo question; read answer; echo \"it was $answer\"; cat");
    command.stdin = stdin;
    command.live = Some(Live::Lossless(pieces));
    command.capture = proofhouse_exec::run::CapturePlan::file(folder.path().join("out"));
    let talk = async {
        let mut said = String::new();
        while !said.contains("question\n") {
            said.push_str(&printed.recv().await.unwrap());
        }
        sender.write_all(b"blue\nthe rest").await.unwrap();
        drop(sender);
        while printed.recv().await.is_some() {}
    };
    let (end, ()) = tokio::join!(run(command), talk);
    assert_eq!(end.outcome, Outcome::Exited { code: 0 });
    let text = std::fs::read_to_string(folder.path().join("out")).unwrap();
    assert_eq!(text, "question\nit was blue\nthe rest");
}

// L22: a process that is gone takes nothing more, and whoever writes to it learns that.
#[tokio::test]
async fn writing_to_a_process_that_is_gone_fails() {
    let (stdin, mut sender) = piped().unwrap();
    let mut command = shell("exit 0");
    command.stdin = stdin;
    assert_eq!(run(command).await.outcome, Outcome::Exited { code: 0 });
    // Another test that forks just now holds a copy of the other end until its exec.
    let refused = async {
        while sender.write_all(b"too late").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(5), refused).await.is_ok());
}
