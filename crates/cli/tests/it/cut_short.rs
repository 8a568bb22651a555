//! Runs that are cancelled half-way: what had passed by then counts where the files did not move.

use std::{fs, thread, time::Duration};

use serde_json::Value;

use super::{
    house::{House, until},
    proof::{in_project, set_up},
};

fn status_of(house: &House) -> String {
    let runs = house.json(in_project(&["run", "list", "--json"]));
    runs["items"][0]["status"].as_str().unwrap().to_owned()
}

fn requirement(house: &House, id: &str) -> Value {
    house.json(in_project(&["proof", "show", id, "--json"]))
}

// P24, P57: finished evidence stays and counts; what was cut off counts as nothing.
#[test]
fn what_passed_before_a_cancel_counts() {
    let house = House::new();
    let root = set_up(&house, &["unit", "contract"]);
    fs::write(root.join("unit.slow"), "").unwrap();
    let _server = house.serve(&[]);
    let status = |id| requirement(&house, id)["status"].as_str().unwrap().to_owned();
    let cancelled = |moves: bool| {
        let run = house.run_in(&root, ["proof", "run", "--detach", "--json"]).json();
        let run = run["run"].as_str().unwrap().to_owned();
        until(|| house.run(in_project(&["log", &run])).out.contains("REQ-0002"));
        until(|| house.json(in_project(&["proof", "evidence", "--run", &run, "--json"]))["items"][0].is_object());
        if moves {
            fs::write(root.join("contract.verdict"), "good\n\n").unwrap();
        }
        house.run_in(&root, ["proof", "cancel", "--active"]).said("stops");
    };
    cancelled(true);
    until(|| status_of(&house) == "cancelled");
    thread::sleep(Duration::from_secs(3));
    assert_eq!(status("REQ-0002"), "open", "the files had moved");
    cancelled(false);
    until(|| status("REQ-0002") == "satisfied");
    assert_eq!(status("REQ-0001"), "open");
}
