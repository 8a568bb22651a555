//! What is kept of an output. P34, F14 (flood), K7, X36, X50.

use std::{sync::Arc, time::Duration};

use model::digest::Digest;
use proofhouse_exec::{
    redact::Redactor,
    run::{CapturePlan, Live, Outcome, Stderr, run},
};
use tokio::sync::mpsc;

use crate::scripted::{exited, into_file, printed, scripted};

fn resident() -> u64 {
    let pages: u64 = std::fs::read_to_string("/proc/self/statm").unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

/// P34, F14: 250 MB of anything, in bounded memory; first and last part kept, digest of what is stored.
#[tokio::test]
async fn a_flood_is_kept_in_bounds() {
    for (kind, bytes) in [("lines", 250_000_000), ("escapes", 20_000_000), ("binary", 30_000_000)] {
        let folder = tempfile::tempdir().unwrap();
        let before = resident();
        let mut command = scripted(&format!("print the start , flood {bytes} {kind} , print the end"));
        command.timeout = Duration::from_secs(60);
        into_file(&mut command, folder.path());
        let end = run(command).await;
        assert_eq!(end.outcome, exited(0), "{kind}");
        let stored = std::fs::read(folder.path().join("output")).unwrap();
        assert_eq!(end.output.digest, Digest::of(&stored));
        assert_eq!(end.output.written, bytes + 18);
        assert!(stored.len() <= (10 << 20) + 100, "{}", stored.len());
        let text = String::from_utf8(stored).unwrap();
        assert!(text.starts_with("the start\n"));
        // A sequence that the end of the flood cut in two takes the rest of its line with it.
        assert!(text.ends_with("the end\n") || kind == "escapes");
        assert_eq!(end.output.truncated, kind != "escapes");
        assert!(resident() < before + (120 << 20), "{before} {}", resident());
    }
}

/// F14, X36: past the cap it is killed, and what came before is kept.
#[tokio::test]
async fn too_much_output_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = scripted("flood 400000000 , print never");
    command.timeout = Duration::from_secs(60);
    into_file(&mut command, folder.path());
    let end = run(command).await;
    assert_eq!(end.outcome, Outcome::OutputCap { limit: 256 << 20 });
    let text = std::fs::read_to_string(folder.path().join("output")).unwrap();
    assert!(text.ends_with("it printed more than it may ...]\n"));
    assert!(end.output.truncated && !text.contains("never"));
}

/// P34: escape sequences and bytes that are no text.
#[tokio::test]
async fn what_is_stored_is_harmless_text() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = scripted(r"raw \x1b[31mred\x1b[0m\xff\x00\x0a");
    into_file(&mut command, folder.path());
    run(command).await;
    assert_eq!(std::fs::read_to_string(folder.path().join("output")).unwrap(), "red\u{fffd}\u{2400}\n");
}

/// X50, S86: a secret never reaches the disk, nor who reads along.
#[tokio::test]
async fn secrets_are_redacted_before_storing() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = scripted("raw before:hunter2 , sleep 0.05 , raw hunter2!:after");
    command.redactor = Arc::new(Redactor::new([("PASSWORD", "hunter2hunter2!")]));
    into_file(&mut command, folder.path());
    let (sender, mut receiver) = mpsc::channel(64);
    command.live = Some(Live::Lossy(sender));
    run(command).await;
    let mut live = String::new();
    while let Some(piece) = receiver.recv().await {
        live.push_str(&piece);
    }
    assert_eq!(live, "before:[redacted:PASSWORD]:after");
    assert_eq!(std::fs::read_to_string(folder.path().join("output")).unwrap(), live);
}

/// K7: a reader that does not read neither blocks the process nor grows the server.
#[tokio::test]
async fn a_slow_reader_loses_pieces() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = scripted("flood 20000000");
    into_file(&mut command, folder.path());
    let (sender, mut receiver) = mpsc::channel(4);
    command.live = Some(Live::Lossy(sender));
    assert_eq!(run(command).await.outcome, exited(0));
    let mut pieces = 0;
    while receiver.recv().await.is_some() {
        pieces += 1;
    }
    assert_eq!(pieces, 4);
}

/// A program that parses gets every byte, at its own pace.
#[tokio::test]
async fn a_lossless_reader_gets_it_all() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = scripted("flood 3000000 , print the end");
    into_file(&mut command, folder.path());
    let (sender, mut receiver) = mpsc::channel(1);
    command.live = Some(Live::Lossless(sender));
    let running = tokio::spawn(run(command));
    let mut length = 0;
    while let Some(piece) = receiver.recv().await {
        length += piece.len();
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
    assert_eq!(length, 3_000_008);
    assert_eq!(running.await.unwrap().outcome, exited(0));

    // One that is gone does not hold anything up.
    let mut command = scripted("flood 3000000");
    into_file(&mut command, folder.path());
    let (sender, receiver) = mpsc::channel(1);
    command.live = Some(Live::Lossless(sender));
    drop(receiver);
    assert_eq!(run(command).await.outcome, exited(0));
}

#[tokio::test]
async fn both_outputs_apart() {
    let mut command = scripted("print out , eprint err");
    command.stderr = Stderr::Apart(CapturePlan::Memory { max: 100 });
    let (end, text) = printed(command).await;
    assert_eq!(text, "out\n");
    assert_eq!(end.errors.unwrap().bytes(), b"err\n");
}

/// K8: an output that cannot be stored is said to be incomplete.
#[tokio::test]
async fn a_full_disk_is_told() {
    let mut command = scripted("flood 5000000");
    command.capture = CapturePlan::file("/dev/full");
    let end = run(command).await;
    assert_eq!(end.outcome, exited(0));
    assert!(end.output.error.is_some_and(|error| error.contains("No space")));
    let mut command = scripted("print x");
    command.capture = CapturePlan::file("/no/such/folder/file");
    assert!(matches!(run(command).await.outcome, Outcome::NotStarted { .. }));
}
