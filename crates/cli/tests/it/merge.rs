//! The merge gate and what leads to it, through the verbs: check, status, gates, waivers, exports.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use super::{
    house::{House, Ran},
    proof::{in_project, set_up},
};

fn check(house: &House, root: &Path, args: &[&str]) -> Ran {
    house.run_in(root, ["proof", "check", "--exit-code"].iter().chain(args))
}

/// It ended so and said all of this on standard output.
#[track_caller]
fn said(ran: &Ran, code: i32, words: &[&str]) {
    assert_eq!(ran.code, code, "{ran}");
    for words in words {
        assert!(ran.out.contains(words), "expected {words:?} in: {ran}");
    }
}

fn verdict(house: &House, root: &Path, verdict: &str) {
    house.commit(root, &[("unit.verdict", verdict)]);
}

// P69, P70, X30: each answer of the merge gate, what it says, and how the command ends.
#[test]
fn the_merge_gate_answers_with_its_exit_code() {
    let house = House::new();
    let root = set_up(&house, &[]);
    // Nothing captured is not clear, unless somebody says so.
    said(&check(&house, &root, &[]), 3, &["BLOCKED", "no requirement", "proof capture"]);
    said(&check(&house, &root, &["--allow-empty"]), 0, &["no requirement"]);

    house.run_in(&root, ["proof", "capture", "--title", "It holds", "--suite", "unit"]).said("REQ-0001");
    said(&check(&house, &root, &[]), 3, &["BLOCKED", "never_ran", "proofhouse proof run --mode not_clear"]);
    said(&check(&house, &root, &["--allow-empty"]), 3, &["never_ran"]);
    house.run_in(&root, ["proof", "run"]).said("PASSED");
    said(&check(&house, &root, &[]), 0, &["✓ CLEAR", "1 requirement"]);

    // P58: proof of other files is stale; P76: what is not committed is not asked about, and said.
    fs::write(root.join("unit.verdict"), "bad\n").unwrap();
    let dirty = check(&house, &root, &[]);
    said(&dirty, 0, &["CLEAR"]);
    assert!(dirty.err.contains("warning: uncommitted changes are not part"), "{dirty}");
    verdict(&house, &root, "bad\n");
    said(&check(&house, &root, &[]), 3, &["BLOCKED", "stale"]);
    let failed = house.run_in(&root, ["proof", "run"]);
    assert_eq!(failed.code, 1, "{failed}");
    said(&check(&house, &root, &[]), 1, &["BLOCKED", "failed", "exit_code", "It holds"]);
    // Without the flag the question was answered, and that is all the exit code says.
    house.run_in(&root, ["proof", "check"]).said("BLOCKED");
    // P76: a commit is asked about by its name.
    said(&check(&house, &root, &["--ref", "HEAD~1"]), 0, &["CLEAR"]);
    let tree = house.git(&root, ["rev-parse", "HEAD~1^{tree}"]);
    said(&check(&house, &root, &["--tree", &tree]), 0, &["CLEAR"]);
    let answer = house.run_in(&root, ["proof", "check", "--exit-code", "--json"]);
    assert_eq!((answer.code, &answer.json()["blocking"][0]["gates"][0]["reason"]), (1, &json!("exit_code")));

    // P65: a waiver is leaned on in the open; its end is the end of it.
    house.run_in(&root, ["proof", "waive", "1", "--reason", "known", "--expires", "2099-01-01"]).said("through 2099");
    said(&check(&house, &root, &[]), 0, &["CLEAR", "1 of them waived", "REQ-0001 until 2099-01-01: known"]);
    house.run_in(&root, ["proof", "unwaive", "1", "--reason", "mended"]).said("no longer waived");
    said(&check(&house, &root, &[]), 1, &["BLOCKED"]);

    // P71: a project that only warns ends with 0, and changes no verdict.
    house.run_in(&root, ["proof", "settings", "--set", "enforcement=warn"]).said("warn");
    said(&check(&house, &root, &[]), 0, &["BLOCKED", "failed", "only warns"]);
}

// P76: whoever asks sends the tree. A clone of CI with another commit of the same files gets the same
// answer, and the plane need not have heard of that commit.
#[test]
fn a_commit_the_plane_never_saw_is_checked_by_its_tree() {
    let house = House::new();
    let root = set_up(&house, &["unit"]);
    house.run_in(&root, ["proof", "run"]).said("PASSED");
    let clone = house.at("clone");
    house.git(&house.at("work"), ["clone", "-q", root.to_str().unwrap(), clone.to_str().unwrap()]);
    house.commit(&clone, &[]);
    let in_clone =
        |args: &[&str]| house.run_in(&clone, in_project(&[&["proof", "check", "--exit-code"], args].concat()));
    said(&in_clone(&[]), 0, &["CLEAR"]);
    house.commit(&clone, &[("new", "x")]);
    said(&in_clone(&[]), 3, &["stale"]);
    said(&in_clone(&["--ref", "HEAD~1"]), 0, &["CLEAR"]);
    let _server = house.serve(&[]);
    said(&in_clone(&["--ref", "HEAD~1"]), 0, &["CLEAR"]);
}

// P70: a question that cannot be answered is neither 0 nor an answer.
#[test]
fn a_question_that_cannot_be_answered_is_never_clear() {
    let house = House::new();
    let root = set_up(&house, &["unit"]);
    house.run_in(&root, ["proof", "run"]).said("PASSED");
    check(&house, &root, &["--ref", "no-such-branch"])
        .refused(2, "the repository has no commit \"no-such-branch\" (PH-1114)");
    check(&house, &root, &["--ref=-x"]).refused(2, "PH-1114");
    let wrong = check(&house, &root, &["--tree", "zz"]);
    wrong.refused(2, "not a git object id");
    assert_eq!(wrong.err.matches("not a git object id").count(), 1, "one wrong value is told once: {wrong}");
    assert!(!wrong.err.contains("`errors`"), "that is where a program looks: {wrong}");
    check(&house, &root, &["--scope", "changed", "--base", "nowhere"]).refused(2, "PH-1114");
    let outside = house.run(in_project(&["proof", "check", "--exit-code"]));
    outside.refused(2, "PH-1040");
    outside.refused(2, "stand in a checkout of the project, or name its tree with --tree");

    let mut gone = house.proofhouse(["-p", "shop", "proof", "check", "--exit-code"]);
    gone.current_dir(&root).env("PROOFHOUSE_SERVER", "http://127.0.0.1:9");
    super::house::ended(gone).refused(4, "PH-1035");
    fs::write(house.data().join("proofhouse.db"), vec![b'x'; 64 << 10]).unwrap();
    check(&house, &root, &[]).refused(4, "PH-10");
}

// P60: a branch cannot weaken the gate that judges it. What changed is shown, and counts once an admin
// accepts it.
#[test]
fn a_changed_gate_counts_once_it_was_accepted() {
    let house = House::new();
    let root = set_up(&house, &["unit"]);
    house.run_in(&root, ["proof", "run"]).said("PASSED");
    house.git(&root, ["checkout", "-q", "-b", "weaker"]);
    let text = fs::read_to_string(root.join("proofhouse.toml")).unwrap();
    let weaker = text.replace(r#""unit"]"#, r#""unit", "quickly"]"#);
    house.commit(&root, &[("proofhouse.toml", &weaker)]);
    house.run_in(&root, ["proof", "run"]).said("PASSED");
    said(&check(&house, &root, &[]), 3, &["definition_changed", "proof gates accept DIGEST"]);
    let shown = house.run_in(&root, ["proof", "gates"]);
    let line = shown.out.lines().find(|line| line.starts_with("unit ")).unwrap().to_owned();
    assert!(line.contains("not accepted"), "{shown}");
    let gates = house.run_in(&root, ["proof", "gates", "--json"]).json();
    let unit = gates["items"].as_array().unwrap().iter().find(|gate| gate["name"] == "unit").unwrap();
    let digest = &unit["definition"].as_str().unwrap()[..10];
    assert!(line.contains(digest), "{shown}");

    let accept =
        |digest: &str, reason: &str| house.run_in(&root, ["proof", "gates", "accept", digest, "--reason", reason]);
    accept("ffffffffff", "because").refused(2, "no gate has a definition");
    accept("", "because").refused(2, "PH-1037");
    accept(digest, "  ").refused(2, "PH-1110");
    accept(digest, "quick is enough").said("accepted");
    said(&check(&house, &root, &[]), 0, &["CLEAR"]);
    assert!(!house.run_in(&root, ["proof", "gates"]).out.contains("not accepted"));
}

fn blobs(house: &House) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![house.data().join("blobs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found
}

// P51, P52, F11: evidence whose bytes were changed blocks, is named, and is replaced by running again.
#[test]
fn tampered_evidence_blocks_until_it_is_proven_again() {
    let house = House::new();
    let root = set_up(&house, &["unit"]);
    house.run_in(&root, ["proof", "run"]).said("PASSED");
    house.run_in(&root, ["proof", "verify"]).said("1 piece of evidence checked, and it is intact");
    let blob = blobs(&house).into_iter().find(|blob| fs::read(blob).unwrap() == b"unit is good\n").unwrap();
    fs::write(&blob, "unit is good!").unwrap();
    said(&check(&house, &root, &[]), 3, &["BLOCKED", "tampered"]);
    said(&house.run_in(&root, ["proof", "verify"]), 3, &["REQ-0001/unit", "run the gates again"]);
    said(&house.run_in(&root, ["proof", "status"]), 0, &["REQ-0001"]);
    house.run_in(&root, ["proof", "show", "1"]).said("tampered");
    fs::remove_file(blob).unwrap();
    house.run_in(&root, ["proof", "run"]).said("PASSED");
    said(&check(&house, &root, &[]), 0, &["CLEAR"]);
}

// P50, P51: an export is verified without a plane; every way of tampering with it is found.
#[test]
fn an_export_is_verified_offline_and_a_tampered_one_is_not_intact() {
    let house = House::new();
    let root = set_up(&house, &["unit", "contract"]);
    house.run_in(&root, ["proof", "run"]).said("PASSED");
    let last = house.run_in(&root, ["run", "list", "--json"]).json()["items"][0]["id"].as_str().unwrap().to_owned();
    for format in ["tar", "jsonl"] {
        let file = house.at(format!("evidence.{format}"));
        let name = file.to_str().unwrap();
        house.run_in(&root, ["proof", "export", "--format", format, "-o", name, "--run", &last]).said("bytes written");
        // Anywhere: no data folder, no project, no repository.
        let verify = |file: &Path| {
            let mut command = house.proofhouse(["proof", "verify", "--file", file.to_str().unwrap()]);
            command.env("PROOFHOUSE_DATA", house.at("elsewhere"));
            super::house::ended(command)
        };
        verify(&file).said("2 pieces of evidence checked, all of them intact");
        assert!(!house.at("elsewhere").exists());
        let whole = fs::read(&file).unwrap();
        let changed = |bytes: Vec<u8>| {
            let other = house.at("other");
            fs::write(&other, bytes).unwrap();
            verify(&other)
        };
        // A verdict that was turned, in the text of either format.
        let text = String::from_utf8(whole.clone()).unwrap();
        for (from, to) in [("\"verdict\":\"passed\"", "\"verdict\":\"failed\""), ("exit code 0", "exit code 7")] {
            assert!(text.contains(from), "{text}");
            let turned = changed(text.replacen(from, to, 1).into_bytes());
            said(&turned, 3, &["REQ-000"]);
        }
        said(&changed(whole[..whole.len() * 2 / 3].to_vec()), 3, &["the file is not whole"]);
        // Every single byte counts: none can be changed so that it still is intact and reads otherwise.
        let mut kinds = std::collections::BTreeMap::new();
        for at in (0..whole.len()).step_by(whole.len() / 60) {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            let ran = changed(bytes);
            *kinds.entry(ran.code).or_insert(0) += 1;
            let is_harmless = whole[at] == 0 || is_not_sealed(&whole, at);
            assert!(
                matches!(ran.code, 2 | 3) || (ran.code == 0 && is_harmless),
                "byte {at} of {format}, in {:?}: {ran}",
                String::from_utf8_lossy(&whole[at.saturating_sub(60)..at + 20])
            );
        }
        assert!(kinds[&3] > 10, "{kinds:?}");
        let lines: Vec<&str> = text.lines().collect();
        if format == "jsonl" {
            let without = |kind: &str| {
                let kept = lines.iter().filter(|line| !line.contains(kind));
                kept.flat_map(|line| [line, "\n"]).collect::<String>().into_bytes()
            };
            for kind in ["\"type\":\"evidence\"", "\"type\":\"blob\"", "\"type\":\"end\"", "\"type\":\"command\""] {
                assert_eq!(changed(without(kind)).code, 3, "without {kind}");
            }
        }
    }
    for (bytes, words) in [(&b"root:x:0:0"[..], "no export of evidence"), (b"", "no export"), (b"{}\n", "no export")] {
        fs::write(house.at("no-export"), bytes).unwrap();
        let ran = house.run(["proof", "verify", "--file", house.at("no-export").to_str().unwrap()]);
        ran.refused(2, words);
        ran.refused(2, "`proofhouse proof export` makes one");
    }
    house.run(["proof", "verify", "--file", "no-such-file"]).refused(2, "PH-1043");
    house.run(["proof", "verify", "--file", "."]).refused(2, "directory");
}

/// Whether a byte lies in a record that no evidence is sealed over: the head with its date, a requirement's
/// words, who owns a file of the archive.
fn is_not_sealed(whole: &[u8], at: usize) -> bool {
    let start = whole[..at].iter().rposition(|byte| matches!(byte, b'\n' | 0)).map_or(0, |at| at + 1);
    let line = String::from_utf8_lossy(&whole[start..whole.len().min(start + 80)]).into_owned();
    let is_sealed = ["evidence", "command", "blob"].iter().any(|kind| line.contains(&format!("\"type\":\"{kind}\"")));
    !is_sealed
}

#[test]
fn an_export_that_cannot_be_written_leaves_nothing() {
    let house = House::new();
    let root = set_up(&house, &["unit"]);
    let to = |path: &str| house.run_in(&root, ["proof", "export", "-o", path]);
    to("no/such/folder/x.tar").refused(2, "failed to write no/such/folder/x.tar");
    fs::create_dir(house.at("taken")).unwrap();
    to(house.at("taken").to_str().unwrap()).refused(2, "failed to write");
    assert_eq!(
        fs::read_dir(house.at(""))
            .unwrap()
            .flatten()
            .filter(|e| e.file_name().to_string_lossy().contains("part"))
            .count(),
        0
    );
    house.run_in(&root, ["proof", "export", "-o", "-", "--run", "deadbeef"]).refused(2, "PH-1003");
    // Nothing to export is an export of nothing.
    let empty = house.at("empty.tar");
    to(empty.to_str().unwrap()).said("bytes written");
    house.run(["proof", "verify", "--file", empty.to_str().unwrap()]).said("no evidence");
}

// 10 §6: status in one look, and as the API has it.
#[test]
fn status_is_one_look() {
    let house = House::new();
    let root = set_up(&house, &["unit", "contract", "demo"]);
    said(&house.run_in(&root, ["proof", "status"]), 0, &["3 open"]);
    fs::write(root.join("contract.verdict"), "bad\n").unwrap();
    let ran = house.run_in(&root, ["proof", "run"]);
    assert_eq!(ran.code, 1, "{ran}");
    said(&house.run_in(&root, ["proof", "status"]), 0, &["1 satisfied", "2 open", "failed", "REQ-0002"]);
    let status: Value = house.run_in(&root, ["proof", "status", "--json"]).json();
    assert_eq!(status["by_status"], json!({"open": 2, "satisfied": 1, "waived": 0}), "{status}");
}

// 10 §7: settings are shown and changed one by one; a wrong value changes nothing.
#[test]
fn settings_are_changed_one_by_one() {
    let house = House::new();
    let root = set_up(&house, &["unit"]);
    house.run_in(&root, ["proof", "run"]).said("PASSED");
    verdict(&house, &root, "good \n");
    said(&check(&house, &root, &[]), 3, &["stale"]);
    house.run_in(&root, ["proof", "settings", "--set", "staleness=advisory"]).said("advisory");
    said(&check(&house, &root, &[]), 0, &["CLEAR", "proof of another tree"]);
    for (wrong, words) in [
        ("staleness=perhaps", "/staleness"),
        ("no_such_setting=1", "/no_such_setting"),
        ("keep_runs=-1", "/keep_runs"),
        ("staleness", "expected NAME=VALUE"),
    ] {
        house.run_in(&root, ["proof", "settings", "--set", wrong]).refused(2, words);
    }
    house.run_in(&root, ["proof", "settings", "--disable", "no-such-gate"]).refused(2, "PH-1107");
    house.run_in(&root, ["proof", "settings"]).said("advisory");
}
