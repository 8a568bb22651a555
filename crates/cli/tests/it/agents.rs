//! `proofhouse agent`: what this machine has, and a try of it.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use super::house::House;

/// Declares agents, as a person does.
fn declare(house: &House, text: &str) {
    fs::create_dir_all(house.data()).unwrap();
    fs::set_permissions(house.data(), fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(house.data().join("agents"), text).unwrap();
    fs::set_permissions(house.data().join("agents"), fs::Permissions::from_mode(0o600)).unwrap();
}

fn program(house: &House, name: &str, body: &str) -> String {
    let path = house.at(name);
    fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

// D62, S75: the known ones and the declared ones, each with its state; one that is there and cannot be used is told.
#[test]
fn agents_are_listed_and_checked() {
    let house = House::new();
    let old = program(&house, "old-claude", "echo '1.0.3 (Claude Code)'");
    let mine = program(&house, "mine", "cat");
    declare(&house, &format!("# of this machine\nclaude=claude:{old}\nmine=command:{mine}\ngone=command:/nowhere/x\n"));
    let list = house.json(["agent", "list", "--json"]);
    let names: Vec<_> = list["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["claude", "codex", "opencode", "pi", "builtin", "scripted", "mine", "gone"]);
    assert_eq!(list["items"][6]["program"], mine);
    house.run(["agent", "list"]).said("inside this binary, simulated");

    let checked = house.run(["agent", "check", "--json"]);
    assert_eq!(checked.code, 1, "{checked}");
    let states = checked.json();
    let state = |at: usize| states["items"][at]["state"].as_str().unwrap().to_owned();
    assert_eq!(
        (state(0), state(4), state(5), state(6), state(7)),
        ("untested".into(), "missing".into(), "ready".into(), "ready".into(), "missing".into())
    );
    assert_eq!(states["items"][0]["version"], "1.0.3");
    assert_eq!(house.run(["agent", "check", "mine"]).code, 0);
    let gone = house.run(["agent", "check", "gone"]);
    assert_eq!(gone.code, 1, "{gone}");
    let nobody = house.run(["agent", "check", "nobody"]);
    assert_eq!(nobody.code, 2, "{nobody}");
    assert!(nobody.err.contains("claude, codex"), "{nobody}");
}

// S72: what an agent can do is told, and a role whose agent cannot be held to its tools is no good role here.
#[test]
fn a_role_is_checked_against_what_its_agent_can() {
    let house = House::new();
    let mine = program(&house, "mine", "cat");
    declare(&house, &format!("mine=command:{mine}\n"));
    let checked = house.json(["agent", "check", "mine", "--json"]);
    assert_eq!(checked["items"][0]["capabilities"], serde_json::json!([]));
    house.run(["agent", "check", "scripted"]).said("usage");
    let file = house.at("held.md");
    let role = |agent: &str| {
        let text = format!(
            "---\nid: held\ntitle: T\nversion: 1.0.0\ncategory: role\nuse_case: tests\n{agent}timeout_s: 60\n\
             output: worktree\nintent: implement\ntools:\n  - read\n  - edit\n---\nDo it.\n"
        );
        fs::write(&file, text).unwrap();
        house.run(["role", "check", file.to_str().unwrap()])
    };
    let refused = role("agent: mine\n");
    assert!(refused.code == 1 && refused.out.contains("PH-3011") && refused.out.contains("agent mine"), "{refused}");
    for fine in ["agent: pi\n", "agent: not-of-this-machine\n", ""] {
        let ran = role(fine);
        assert_eq!(ran.code, 0, "{fine}: {ran}");
    }
}

// A file that is wrong, or that others may write, is not guessed around.
#[test]
fn declarations_are_read_strictly() {
    let house = House::new();
    declare(&house, "mine=nothing:/x\n");
    let ran = house.run(["agent", "list"]);
    assert!(ran.code == 2 && ran.err.contains("unknown kind"), "{ran}");
    declare(&house, "mine=command:/x\n");
    fs::set_permissions(house.data().join("agents"), fs::Permissions::from_mode(0o666)).unwrap();
    let ran = house.run(["agent", "list"]);
    assert!(ran.code == 2 && ran.err.contains("others may write it"), "{ran}");
}

// S73, S80: without a name the script plays, says that it is simulated, and the repository is not touched.
#[test]
fn a_try_works_in_a_worktree_of_its_own() {
    let house = House::new();
    let root = house.repository("shop", &[("README.md", "# Shop\n")]);
    let ran = house.run_in(&root, ["agent", "try", "do something"]);
    assert_eq!(ran.code, 0, "{ran}");
    assert!(ran.err.contains("simulated") && ran.out.contains("± docs/rehearsal.md"), "{ran}");
    ran.said("1 changed in");
    assert_eq!(house.git(&root, ["status", "--porcelain"]), "");
    assert_eq!(house.git(&root, ["for-each-ref", "refs/proofhouse"]), "");
}

// D62: a program of one's own, in the worktree and in a folder that is named; X50: secrets do not get out.
#[test]
fn a_try_of_a_program_of_ones_own() {
    let house = House::new();
    let root = house.repository("shop", &[("README.md", "# Shop\n")]);
    let mine = program(&house, "mine", "cat; echo; cat README.md; echo new > made.txt; rm -f README.md");
    declare(&house, &format!("mine=command:{mine}\n"));
    let ran = house.run_in(&root, ["agent", "try", "hello you", "--agent", "mine", "--json"]);
    assert_eq!(ran.code, 0, "{ran}");
    let tried = ran.json();
    assert_eq!((&tried["outcome"], &tried["answer"]), (&"completed".into(), &"hello you\n# Shop".into()));
    assert_eq!(tried["changed"], serde_json::json!(["README.md", "made.txt"]));
    assert_eq!((&tried["sandbox"]["network"], &tried["cost"]["state"]), (&"open".into(), &"unknown".into()));
    assert!(root.join("README.md").exists() && !root.join("made.txt").exists());
    let raw = fs::read_to_string(Path::new(tried["raw"].as_str().unwrap())).unwrap();
    assert!(raw.starts_with("hello you\n"), "{raw}");

    let ran = house.run(["agent", "try", "x", "--agent", "mine", "--dir", root.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{ran}");
    assert!(root.join("made.txt").exists());

    let wrong = house.run(["agent", "try", "x", "--agent", "mine", "--dir", "/nowhere/at/all"]);
    assert_eq!(wrong.code, 2, "{wrong}");
}

// Section 13: a session that fails tells its code and what to do, and ends with 1.
#[test]
fn a_try_that_fails_says_why() {
    let house = House::new();
    let slow = program(&house, "slow", "sleep 60");
    declare(&house, &format!("slow=command:{slow}\ngone=command:/nowhere/x\n"));
    let ran = house.run(["agent", "try", "x", "--agent", "slow", "--timeout", "1"]);
    assert_eq!(ran.code, 1, "{ran}");
    assert!(ran.out.contains("✗ agent_timeout"), "{ran}");
    let ran = house.run(["agent", "try", "x", "--agent", "gone", "--json"]);
    assert_eq!((ran.code, &ran.json()["failure"]["code"]), (1, &"agent_not_found".into()), "{ran}");
}
