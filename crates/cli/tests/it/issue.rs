//! `proofhouse issue`: the board from the command line.

use serde_json::{Value, json};

use super::{house::House, proof::set_up};

#[test]
fn an_issue_goes_its_way_from_the_command_line() {
    // D1, D2, D4
    let house = House::new();
    let root = set_up(&house, &["unit"]);
    let run = |args: &[&str]| house.run_in(&root, std::iter::once("issue").chain(args.iter().copied()));
    let document = |args: &[&str]| -> Value {
        let ran = run(&[args, &["--json"]].concat());
        assert_eq!(ran.code, 0, "{args:?}: {ran}");
        serde_json::from_str(&ran.out).unwrap()
    };
    std::fs::write(root.join("text.md"), "# Seen\n\nwith \u{1b}[31ma blank\n").unwrap();
    let refused = run(&["new", "Login fails", "--body", "@text.md"]);
    assert_eq!(refused.code, 2, "control characters are refused: {refused}");
    std::fs::write(root.join("text.md"), "# Seen\n\nwith a blank\n").unwrap();
    let whole = document(&["new", "Sign in", "--kind", "epic"]);
    let args = ["new", " Login fails ", "-b", "@text.md", "-k", "bug", "-a", "it says why", "-a", "no 500", "-l", "ui"];
    let made =
        document(&[&args[..], &["--parent", "1", "--blocked-by", "#1", "--execution", "role:implementer"]].concat());
    assert_eq!((&made["number"], &made["title"], &made["parent"]), (&json!(2), &json!("Login fails"), &whole["id"]));
    assert_eq!((&made["body"], &made["acceptance"][1]["id"]), (&json!("# Seen\n\nwith a blank"), &json!("A2")));

    let key = document(&["show", "2"])["part_of"]["id"].clone();
    assert_eq!(key, whole["id"]);
    let list = run(&["list"]);
    assert!(
        list.code == 0 && list.out.contains("#2") && list.out.contains("Login fails") && list.out.contains("(blocked)"),
        "{list}"
    );
    document(&["comment", "2", "Which **browser**?"]);
    let shown = run(&["show", "#2"]);
    for words in [
        "Login fails",
        "part of",
        "#1 Sign in",
        "with a blank",
        "A1",
        "it says why",
        "Which **browser**?",
        "role:implementer",
    ] {
        assert!(shown.out.contains(words), "{words}: {shown}");
    }

    assert_eq!(document(&["move", "1", "done"])["status"], "done");
    assert_eq!(document(&["show", "2"])["blocked"], false);
    let edited =
        document(&["edit", "2", "--title", "Sign-in fails", "--assignee", "ann", "--parent", "", "--blocked-by", ""]);
    assert_eq!(
        (&edited["title"], &edited["assignee"], &edited["parent"]),
        (&json!("Sign-in fails"), &json!("ann"), &Value::Null)
    );
    document(&["new", "Third"]);
    document(&["move", "3", "triage", "--before", "2"]);
    let order = document(&["list"]);
    assert_eq!((&order["items"][0]["number"], &order["items"][1]["number"]), (&json!(3), &json!(2)));
    assert_eq!(document(&["close", "3"])["status"], "closed");
    assert_eq!(document(&["list", "--status", "closed"])["items"][0]["number"], 3);
    assert_eq!(document(&["list", "--status", "all", "-q", "sign"])["items"].as_array().map(Vec::len), Some(2));
    let deleted = run(&["delete", "3"]);
    assert!(deleted.code == 0 && deleted.out.contains("deleted #3"), "{deleted}");
}

#[test]
fn a_mistake_says_what_to_do() {
    let house = House::new();
    let root = set_up(&house, &["unit"]);
    let run = |args: &[&str]| house.run_in(&root, std::iter::once("issue").chain(args.iter().copied()));
    run(&["show", "9"]).refused(2, "issue list");
    run(&["new", " "]).refused(2, "title");
    run(&["new", "t"]).said("filed #1");
    run(&["edit", "1"]).refused(2, "name at least one thing");
    run(&["move", "1", "doing"]).refused(2, "in_progress");
    run(&["edit", "1", "--parent", "1"]).refused(5, "below");
    run(&["new", "t", "--body", "@missing.md"]).refused(2, "missing.md");
}
