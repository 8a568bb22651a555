//! Money on the product itself: from the command line, with its exit codes.

use std::{fs, os::unix::fs::PermissionsExt as _};

use proofhouse_tests::{
    programs,
    proving::{KEY, Proving},
    work::text,
};
use serde_json::{Value, json};

/// A plane with an agent that says it cost two cents.
fn plane() -> Proving {
    let mut proving = Proving::at(&[], &["--slots", "2"], &[]);
    let program = proving.folder().join("mine");
    let said = r#"{"usage":{"input_tokens":1200,"output_tokens":34},"total_cost_usd":0.02,"result":"I made it."}"#;
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = --version ] && {{ echo 1.0; exit 0; }}\ncat > /dev/null\necho made > made.txt\necho '{said}'\n"
    );
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let agents = proving.server.root().join("agents");
    fs::write(&agents, format!("mine=command:{}\n", program.display())).unwrap();
    fs::set_permissions(&agents, fs::Permissions::from_mode(0o600)).unwrap();
    proving.policy(&json!({"allowed_paths": {"*": ["."]}, "agents": ["mine"]}));
    // The agents of a machine are read at the start.
    proving.server.kill();
    proving.server.start();
    proving
}

/// D34, L89, L90, X28, X30: what was spent is shown and adds up; a run without a budget waits, and a person tops it up or
/// stops it.
#[test]
fn the_command_line_shows_what_was_spent_and_tops_up() {
    let proving = plane();
    let at = proving.repo.path().to_owned();
    let ask = |arguments: &[&str]| {
        let ran = programs::run(proving.server.root(), &at, arguments);
        let said = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        (ran.status.code().unwrap(), said)
    };
    let file = |title: &str| {
        let body = json!({"title": title, "body": "Please.", "status": "ready"});
        proving.client().post(&format!("/projects/{KEY}/issues"), &body).expect(201)["number"].to_string()
    };
    let newest = || text(&proving.list(&format!("/projects/{KEY}/runs"))[0], "id");
    let waiting = |run: &str| {
        proving.until(run, "waiting", |run| text(run, "status") == "waiting");
        let open: Value = proving.client().get("/questions?state=open").expect(200);
        text(&open["items"][0], "id")
    };
    let (code, said) = ask(&["ledger", "show"]);
    assert!(code == 0 && said.contains("nothing was spent") && said.contains("$10.000000 left"), "{said}");
    let (code, said) = ask(&["dispatch", &file("Make it"), "--role", "implementer", "--wait"]);
    assert_eq!(code, 0, "{said}");
    let run = newest();
    let (code, said) = ask(&["ledger", "show", "--run", &run]);
    for words in ["reserve", "$1.000000", "settle", "$0.020000", "reported", "the run: $0.020000 spent", "the day:"] {
        assert!(code == 0 && said.contains(words), "no {words:?} in {said}");
    }
    let (code, said) = ask(&["ledger", "show", "--csv"]);
    assert!(code == 0 && said.starts_with("number,at,day,") && said.contains(",settle,0.02,reported,"), "{said}");
    let (code, said) = ask(&["ledger", "verify"]);
    assert!(code == 0 && said.contains("2 lines: all adds up"), "{said}");
    for wrong in [["--budget", "2.50"], ["--budget", "30m"], ["--budget", "-1usd"]] {
        let (code, said) = ask(&["dispatch", "1", "--role", "implementer", wrong[0], wrong[1]]);
        assert_eq!(code, 2, "{said}");
    }

    let (code, said) = ask(&["dispatch", &file("Ask first"), "--role", "implementer", "--budget", "0usd"]);
    assert_eq!(code, 0, "{said}");
    let run = newest();
    let question = waiting(&run);
    let (code, said) = ask(&["answer"]);
    assert!(code == 0 && said.contains("budget") && said.contains("has used up its budget"), "{said}");
    let (code, said) = ask(&["answer", &question, "--top-up", "11usd"]);
    assert!(code == 2 && said.contains("the day has left"), "{code} {said}");
    let (code, said) = ask(&["answer", &question, "--top-up", "0.50usd", "--text", "worth it"]);
    assert_eq!(code, 0, "{said}");
    let ended = proving.ended(&run);
    assert_eq!((&ended["status"], &ended["cost"]["spent_micro_usd"]), (&json!("completed"), &json!(20_000)), "{ended}");

    let (_, said) = ask(&["dispatch", &file("Stop it"), "--role", "implementer", "--budget", "0usd"]);
    let run = newest();
    let question = waiting(&run);
    let (code, stopped) = ask(&["answer", &question, "--stop", "--text", "enough"]);
    assert_eq!(code, 0, "{said} {stopped}");
    let ended = proving.ended(&run);
    assert_eq!((&ended["status"], &ended["failure"]["code"]), (&json!("failed"), &json!("budget_exhausted")));
    assert!(ended.get("cost").is_none(), "{ended}");
    let (code, said) = ask(&["run", "watch", &run]);
    assert_eq!(code, 5, "X30: {said}");
    let (code, said) = ask(&["ledger", "verify", "--json"]);
    assert!(code == 0 && said.contains("\"flaws\": []"), "{said}");
}
