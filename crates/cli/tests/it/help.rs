//! Help and completion.

use super::house::House;

/// Every verb, with a word that its help must have.
const VERBS: &[(&[&str], &str)] = &[
    (&["init"], "--yes"),
    (&["serve"], "--listen"),
    (&["doctor"], "Look at"),
    (&["completion"], "bash"),
    (&["verify"], "--run"),
    (&["backup"], "FOLDER"),
    (&["log"], "--follow"),
    (&["answer"], "--accept"),
    (&["project", "list"], "List"),
    (&["project", "add"], "--key"),
    (&["project", "show"], "Show"),
    (&["project", "move"], "PATH"),
    (&["project", "policy"], "--edit"),
    (&["token", "list"], "List"),
    (&["token", "make"], "--role"),
    (&["token", "revoke"], "TOKEN"),
    (&["token", "link"], "once"),
    (&["worker", "invite"], "--shared"),
    (&["worker", "pair"], "--code"),
    (&["worker", "run"], "--once"),
    (&["worker", "doctor"], "--agent"),
    (&["worker", "service"], "systemd"),
    (&["worker", "map"], "PATH"),
    (&["worker", "list"], "List"),
    (&["worker", "show"], "WORKER"),
    (&["worker", "drain"], "--undo"),
    (&["worker", "revoke"], "WORKER"),
    (&["run", "start"], "--config"),
    (&["run", "list"], "--active"),
    (&["run", "show"], "--tasks"),
    (&["run", "watch"], "Watch"),
    (&["run", "cancel"], "Cancel"),
    (&["run", "pause"], "RUN"),
    (&["run", "resume"], "RUN"),
    (&["run", "retry"], "--mode"),
    (&["proof", "capture"], "--where"),
    (&["proof", "run"], "--requirement"),
    (&["proof", "list"], "--status"),
    (&["proof", "show"], "REQUIREMENT"),
    (&["proof", "edit"], "--reason"),
    (&["proof", "waive"], "--expires"),
    (&["proof", "unwaive"], "--reason"),
    (&["proof", "check"], "--exit-code"),
    (&["proof", "status"], "--limit"),
    (&["proof", "history"], "--limit"),
    (&["proof", "gates"], "accept"),
    (&["proof", "gates", "accept"], "--reason"),
    (&["proof", "stubs"], "--write"),
    (&["proof", "evidence"], "--output"),
    (&["proof", "verify"], "--file"),
    (&["proof", "export"], "--format"),
    (&["proof", "review"], "--tick"),
    (&["proof", "settings"], "--enable"),
    (&["proof", "retry"], "--all"),
    (&["proof", "watch"], "--active"),
    (&["proof", "cancel"], "--active"),
];

// X35: one verb for one thing, each with help that names its flags.
#[test]
fn every_verb_has_help() {
    let house = House::new();
    for (verb, word) in VERBS {
        let ran = house.run(verb.iter().copied().chain(["--help"]));
        ran.said("Usage: proofhouse");
        ran.said(word);
        ran.said("--json");
        assert!(ran.err.is_empty(), "{ran}");
    }
    assert!(!house.data().exists(), "help touches nothing");
}

#[test]
fn the_long_help_lists_exit_codes_and_environment() {
    let house = House::new();
    let ran = house.run(["--help"]);
    for word in ["Exit codes:", "  70  a bug", "PROOFHOUSE_DATA", "PROOFHOUSE_TOKEN", "NO_COLOR"] {
        ran.said(word);
    }
    house.run(["--version"]).said("proofhouse 0.");
}

#[test]
fn each_shell_gets_its_completion() {
    let house = House::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        house.run(["completion", shell]).said("proofhouse");
    }
}
