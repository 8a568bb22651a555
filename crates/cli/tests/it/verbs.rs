//! All verbs in one table: `--json` prints one document and nothing else, mistakes are answered with what
//! was meant, and completion knows every verb.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::{
    house::{House, ended},
    proof::set_up,
};

// X35: every verb that has data to tell prints it as a document with `--json`, also of nothing.
#[test]
fn every_data_verb_prints_a_document() {
    let house = House::new();
    let root = set_up(&house, &["unit", "manual"]);
    let run = |args: &[&str]| house.run_in(&root, args.iter().copied().chain(["--json"]));
    let document = |args: &[&str]| -> Value {
        let ran = run(args);
        assert!(matches!(ran.code, 0 | 3), "{args:?}: {ran}");
        let document: Value = serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{args:?}: {error}: {ran}"));
        assert!(document.is_object(), "{args:?}: {ran}");
        assert!(!ran.out.contains('\u{1b}') && !ran.err.contains("error"), "{args:?}: {ran}");
        document
    };
    // Before anything was run, lists are empty and not missing.
    for args in [
        &["run", "list"][..],
        &["issue", "list"],
        &["proof", "history"],
        &["answer"],
        &["proof", "evidence", "REQ-0001"],
    ] {
        assert_eq!(document(args)["items"], json!([]), "{args:?}");
    }
    let proved = document(&["proof", "run", "--gate", "unit"]);
    assert_eq!(proved["verdict"], "passed");
    let id = proved["id"].as_str().unwrap().to_owned();
    document(&["proof", "run", "--gate", "manual"]);
    let with_field: &[(&[&str], &str)] = &[
        (&["init", "--yes"], "/project/key"),
        (&["doctor"], "/checks/0/name"),
        (&["verify"], "/damage"),
        (&["issue", "new", "One"], "/number"),
        (&["issue", "list"], "/items/0/number"),
        (&["issue", "show", "1"], "/conversation"),
        (&["issue", "edit", "1", "--priority", "high"], "/priority"),
        (&["issue", "move", "1", "ready"], "/status"),
        (&["issue", "comment", "1", "yes"], "/body"),
        (&["issue", "close", "1"], "/status"),
        (&["project", "list"], "/items/0/key"),
        (&["project", "show"], "/key"),
        (&["project", "policy"], "/body/commands"),
        (&["token", "list"], "/items/0/id"),
        (&["token", "make", "x"], "/secret"),
        (&["run", "list"], "/items/0/id"),
        (&["run", "show", &id], "/verdict"),
        (&["run", "watch", &id], "/verdict"),
        (&["proof", "list"], "/items/0/id"),
        (&["proof", "show", "1"], "/obligations/0/gate"),
        (&["proof", "status"], "/by_status"),
        (&["proof", "history"], "/items/0/id"),
        (&["proof", "check"], "/blocking"),
        (&["proof", "gates"], "/items/0/name"),
        (&["proof", "gates", "--runners"], "/runners/items"),
        (&["proof", "settings"], "/body"),
        (&["proof", "evidence", "REQ-0001"], "/items/0/id"),
        (&["proof", "evidence", "--run", &id], "/items/0/id"),
        (&["proof", "evidence", "1/unit"], "/seal"),
        (&["proof", "stubs", "1"], "/stubs"),
        (&["proof", "verify"], "/items"),
        (&["proof", "capture", "--title", "t", "--gate", "unit", "--dry-run"], "/gates_from"),
        (&["proof", "capture", "--title", "t", "--gate", "unit"], "/id"),
        (&["proof", "edit", "1", "--title", "other"], "/title"),
        (&["proof", "waive", "1", "--reason", "r"], "/id"),
        (&["proof", "unwaive", "1", "--reason", "r"], "/id"),
        (&["answer"], "/items/0/id"),
        (&["proof", "review", "2", "--pass", "--tick", "1", "--tick", "2"], "/state"),
        (&["proof", "watch"], "/verdict"),
        (&["proof", "retry", &id, "--all"], "/verdict"),
    ];
    for (args, field) in with_field {
        let document = document(args);
        assert!(document.pointer(field).is_some(), "{args:?} has no {field}: {document}");
    }
    // The journal is one entry a line, byte for byte.
    let log = run(&["log", &id]);
    assert_eq!(log.code, 0, "{log}");
    for (line, at) in log.out.lines().zip(1..) {
        assert_eq!(serde_json::from_str::<Value>(line).unwrap()["seq"], at, "{log}");
    }
    // What went wrong is a document, too, alone on standard error.
    for (args, code) in [
        (&["proof", "show", "99"][..], "PH-1003"),
        (&["proof", "run", "--gate", "nope"], "PH-1107"),
        (&["proof", "check", "--ref", "nope"], "PH-1114"),
        (&["-p", "nope", "proof", "list"], "PH-1003"),
    ] {
        let ran = run(args);
        let problem: Value = serde_json::from_str(&ran.err).unwrap_or_else(|error| panic!("{error}: {ran}"));
        assert_eq!((problem["code"].as_str(), ran.out.as_str()), (Some(code), ""), "{ran}");
        assert!(problem["hint"].is_string() && problem["detail"].is_string(), "{ran}");
    }
}

/// The verbs that help lists below these.
fn listed(house: &House, below: &[&str]) -> Vec<String> {
    let help = house.run(below.iter().copied().chain(["-h"]));
    let lines = help.out.lines().skip_while(|line| !line.starts_with("Commands:")).skip(1);
    lines
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .collect()
}

// Every verb and flag that is a letter off is answered with the one that was meant, and touches nothing.
#[test]
fn a_letter_off_is_answered_with_what_was_meant() {
    let house = House::new();
    let mut verbs: Vec<Vec<String>> = listed(&house, &[]).into_iter().map(|verb| vec![verb]).collect();
    for noun in ["proof", "run", "project", "token"] {
        let below = listed(&house, &[noun]);
        assert!(below.len() >= 4, "{noun}: {below:?}");
        verbs.extend(below.into_iter().map(|verb| vec![noun.to_owned(), verb]));
    }
    assert!(verbs.len() > 40, "{verbs:?}");
    for verb in &verbs {
        let (last, before) = verb.split_last().unwrap();
        // Doubled, the last letter is the slip of a keyboard.
        let slip = format!("{last}{}", last.chars().last().unwrap());
        let ran = house.run(before.iter().chain([&slip]));
        ran.refused(2, &format!("'{last}'"));
        ran.refused(2, "similar subcommand");
        let ran = house.run(verb.iter().map(String::as_str).chain(["--jsno"]));
        ran.refused(2, "'--json'");
    }
    assert!(!house.data().exists(), "a slip touches nothing");
}

// The scripts are accepted by the shells they are for, where those are installed, and complete verbs.
#[test]
fn completion_works_in_its_shell() {
    let house = House::new();
    let script = house.run(["completion", "bash"]);
    assert_eq!(script.code, 0, "{script}");
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        let script = house.run(["completion", shell]);
        for verb in ["waive", "capture", "doctor", "--exit-code"] {
            assert!(script.out.contains(verb.trim_start_matches('-')), "{shell} does not know {verb}");
        }
    }
    let ask = |words: &str| {
        let line = format!(
            "source /dev/stdin; COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}}-1)); \
             _proofhouse proofhouse \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD-1]}}\"; echo \"${{COMPREPLY[@]}}\""
        );
        let mut bash = Command::new("bash");
        bash.args(["--norc", "-c", &line]).stdin(Stdio::piped());
        let file = house.at("completion.bash");
        std::fs::write(&file, &script.out).unwrap();
        bash.stdin(std::fs::File::open(file).unwrap());
        let ran = ended(bash);
        assert_eq!(ran.code, 0, "{ran}");
        ran.out.trim().to_owned()
    };
    assert_eq!(ask("proofhouse proof ca"), "capture cancel");
    assert_eq!(ask("proofhouse doc"), "doctor");
    assert_eq!(ask("proofhouse proof run --mode c"), "changed");
    assert!(ask("proofhouse proof check --ex").contains("--exit-code"));
}
