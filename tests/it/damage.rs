//! Bytes that changed behind the plane's back.

use std::{
    fs,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    process::Output,
};

use proofhouse_tests::{programs, server::Server, work};
use serde_json::json;

/// The copy of a plane's data, all of it in the database file, with one entry that holds this word;
/// and that entry's run.
fn data_with(word: &str) -> (PathBuf, tempfile::TempDir, String) {
    let mut server = Server::with_probe();
    let owner = server.client();
    let worker = work::worker(&owner);
    let run = work::submit(&owner, "probe", json!({}));
    let lease = work::claim(&worker, 1, 5).pop().unwrap();
    let path = format!("/worker/tasks/{}/entries", lease.task);
    let fill: Vec<_> = (0..400).map(|n| json!({"kind": "probe.entry", "data": {"n": n}})).collect();
    let told = [json!({"kind": "probe.entry", "data": {"text": word}})];
    for entries in [&fill[..], &told[..], &fill[..]] {
        let body = json!({"entries": entries});
        worker.call("POST", &path, &[("lease-generation", "1")], Some(&body)).unwrap().expect(200);
    }
    lease.complete(&worker, &json!({})).unwrap().expect(200);
    assert!(server.stop().success());
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("data");
    let made = programs::run(server.root(), Path::new("/"), &["backup", copy.to_str().unwrap()]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    programs::restore(&copy);
    (copy, folder, run)
}

fn verify(root: &Path) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = programs::run(root, root, &["verify"]);
    (status.code(), format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr)))
}

/// Every place in the database file where these bytes stand.
fn places(root: &Path, bytes: &[u8]) -> Vec<u64> {
    let content = fs::read(root.join("proofhouse.db")).unwrap();
    let hits = content.windows(bytes.len()).enumerate().filter(|(_, window)| *window == bytes);
    hits.map(|(at, _)| at as u64).collect()
}

fn overwrite(path: &Path, at: u64, bytes: &[u8]) {
    fs::OpenOptions::new().write(true).open(path).unwrap().write_all_at(bytes, at).unwrap();
}

/// F11, K3: one changed byte in one journal row is found, and the stream and the number are named.
#[test]
fn a_changed_byte_in_a_journal_row_is_named() {
    let (data, _folder, run) = data_with("as-it-was-written");
    assert_eq!(verify(&data).0, Some(0), "sound before");
    let places = places(&data, b"as-it-was-written");
    assert!(!places.is_empty());
    for at in places {
        overwrite(&data.join("proofhouse.db"), at, b"ax");
    }
    let (code, text) = verify(&data);
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains(&run), "the damaged stream is named: {text}");
}

/// F11: a page of the database that was overwritten is found, and the database is named.
#[test]
fn a_changed_page_of_the_database_is_named() {
    let (data, _folder, _) = data_with("in-the-middle-of-a-page");
    let path = data.join("proofhouse.db");
    let at = places(&data, b"in-the-middle-of-a-page").remove(0);
    // The head of that page: its kind and the list of its cells.
    overwrite(&path, at - at % 4096, &[0xff; 64]);
    let (code, text) = verify(&data);
    assert!(matches!(code, Some(3 | 4 | 70)), "exit {code:?}: {text}");
    assert_ne!(code, Some(0), "{text}");
    assert!(text.to_lowercase().contains("database") || text.contains("page"), "{text}");
}

/// F11: a journal row that went missing is a hole, and is named.
#[test]
fn a_cut_file_never_reads_as_sound() {
    let (data, _folder, _) = data_with("near-the-end");
    let path = data.join("proofhouse.db");
    let length = fs::metadata(&path).unwrap().len();
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(length - 3 * 4096).unwrap();
    let (code, text) = verify(&data);
    assert_ne!(code, Some(0), "{text}");
    assert!(!text.is_empty());
}
