//! Bytes that changed behind the plane's back.

use std::{fs, os::unix::fs::FileExt as _, path::Path, process::Output};

use proofhouse_tests::{
    programs,
    proving::{Gate, KEY, Proving},
    server::Server,
    work::{self, text},
};
use serde_json::json;

/// A plane that was stopped in order, with one entry that holds this word; and that entry's run.
fn plane_with(word: &str) -> (Server, String) {
    let mut server = Server::with_probe();
    let run = fill(&server, word);
    assert!(server.stop().success(), "{}", server.log());
    (server, run)
}

/// Writes eight hundred entries and, between them, one that holds this word; its run.
fn fill(server: &Server, word: &str) -> String {
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
    run
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
    let (server, run) = plane_with("as-it-was-written");
    assert_eq!(verify(server.root()).0, Some(0), "sound before");
    let places = places(server.root(), b"as-it-was-written");
    assert!(!places.is_empty());
    for at in places {
        overwrite(&server.root().join("proofhouse.db"), at, b"ax");
    }
    let (code, text) = verify(server.root());
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains(&run), "the damaged stream is named: {text}");
}

/// F11: a page of the database that was overwritten is found, and the database is named.
#[test]
fn a_changed_page_of_the_database_is_named() {
    let (server, _) = plane_with("in-the-middle-of-a-page");
    let path = server.root().join("proofhouse.db");
    let at = places(server.root(), b"in-the-middle-of-a-page").remove(0);
    // The head of that page: its kind and the list of its cells.
    overwrite(&path, at - at % 4096, &[0xff; 64]);
    let (code, text) = verify(server.root());
    assert!(matches!(code, Some(3 | 4 | 70)), "exit {code:?}: {text}");
    assert_ne!(code, Some(0), "{text}");
    assert!(text.to_lowercase().contains("database") || text.contains("page"), "{text}");
}

/// F11: a journal row that went missing is a hole, and is named.
#[test]
fn a_cut_file_never_reads_as_sound() {
    let (server, _) = plane_with("near-the-end");
    let path = server.root().join("proofhouse.db");
    let length = fs::metadata(&path).unwrap().len();
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(length - 3 * 4096).unwrap();
    let (code, text) = verify(server.root());
    assert_ne!(code, Some(0), "{text}");
    assert!(!text.is_empty());
}

/// F11, F21: an ordered stop leaves everything in the database file, where every page is checked: no
/// write-ahead log in which a flipped byte would hide what was acknowledged. So does a command.
#[test]
fn an_ordered_stop_leaves_no_log_behind() {
    let (mut server, run) = plane_with("in-the-file");
    let left = |root: &Path| {
        let names = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with("-wal") || name.ends_with("-shm")).collect::<Vec<_>>()
    };
    assert_eq!(left(server.root()), Vec::<String>::new());
    assert_eq!(verify(server.root()).0, Some(0));
    assert_eq!(left(server.root()), Vec::<String>::new(), "a command without a server closes it, too");
    server.start();
    assert!(server.journal(&format!("runs/{run}")).len() > 800);
}

/// F11: a killed server leaves a log. One flipped byte in it would make SQLite drop what stands behind
/// it, acknowledged or not; instead nobody opens it, the frame is named, and the person decides.
#[test]
fn a_flipped_byte_in_a_left_over_log_hides_nothing() {
    let mut server = Server::with_probe();
    let run = fill(&server, "in-the-log");
    let whole = server.journal(&format!("runs/{run}")).len();
    server.kill();
    let log = server.root().join("proofhouse.db-wal");
    let sound = fs::read(&log).unwrap();
    let at = sound.windows(10).position(|window| window == b"in-the-log").unwrap();
    overwrite(&log, at as u64, b"xx");
    let (code, text) = verify(server.root());
    assert_eq!(code, Some(4), "{text}");
    assert!(text.contains("PH-1033") && text.contains("proofhouse.db-wal") && text.contains("frame"), "{text}");
    server.spawn();
    let ended = server.process().ends_within(std::time::Duration::from_secs(20)).unwrap();
    assert!(!ended.success(), "{}", server.log());
    assert_eq!(fs::read(&log).unwrap().len(), sound.len(), "the log is left as it is");
    // With the byte back as it was, nothing is missing.
    overwrite(&log, at as u64, b"in");
    assert_eq!(verify(server.root()).0, Some(0));
    let mut again = Server::on(server.root(), proofhouse_tests::programs::Program::WithProbe, &[]);
    assert_eq!(again.journal(&format!("runs/{run}")).len(), whole);
    assert!(again.stop().success());
}

/// F11, P51, P52: a flipped byte in the output of a gate that passed. The API says `tampered`, shows
/// nothing of it, no longer counts it as a pass, tells the board, and `verify` names the blob.
#[test]
fn a_flipped_byte_in_evidence_is_never_served_as_good() {
    let proving = Proving::new(&[Gate::script("unit", "echo every word is as it was")]);
    let run = proving.start(&json!({}));
    assert_eq!(proving.ended(&run)["verdict"], "passed");
    let evidence = proving.evidence(&run, "unit");
    assert_eq!(evidence["verdict"], "passed");
    assert!(proving.output(&evidence).contains("as it was"));
    let owner = proving.client();
    let check = || owner.get(&format!("/projects/{KEY}/proof/check")).expect(200);
    assert_eq!(check()["clear"], true);

    let mut found = Vec::new();
    for folder in fs::read_dir(proving.server.root().join("blobs")).unwrap() {
        for file in fs::read_dir(folder.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let bytes = fs::read(&path).unwrap();
            found.extend(bytes.windows(9).position(|window| window == b"as it was").map(|at| (path, at as u64)));
        }
    }
    let (blob, at) = found.pop().unwrap();
    assert_eq!(found, [], "one blob holds the output");
    overwrite(&blob, at, b"A");

    let path = format!("/projects/{KEY}/proof/evidence/{}", text(&evidence, "id"));
    let shown = owner.get(&path).expect(200);
    assert_eq!((&shown["verdict"], &shown["reason"]), (&json!("unproven"), &json!("tampered")));
    let output = owner.get(&format!("{path}/output"));
    assert_eq!(output.problem(410), "PH-1116");
    assert!(!String::from_utf8_lossy(&output.body).contains("it was"));
    assert_eq!(check()["clear"], false);
    let board = proving.server.journal(&format!("projects/{}", text(&shown_project(&owner), "id")));
    let told = testkit::journal::of_kind(&board, "evidence.tampered");
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["data"]["run"], run.as_str());
    let (code, said) = verify(proving.server.root());
    assert_eq!(code, Some(3), "{said}");
    let digest = format!(
        "{}{}",
        blob.parent().unwrap().file_name().unwrap().to_str().unwrap(),
        blob.file_name().unwrap().to_str().unwrap()
    );
    assert!(said.contains(&digest), "{said}");
    overwrite(&blob, at, b"a");
    assert_eq!(owner.get(&path).expect(200)["verdict"], "passed", "whole again, it is believed again");
    assert_eq!(verify(proving.server.root()).0, Some(0));
}

fn shown_project(owner: &testkit::http::Client) -> serde_json::Value {
    owner.get(&format!("/projects/{KEY}")).expect(200)
}
