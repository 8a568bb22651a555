//! Reviews over several runs: one question for one gate and tree (P67).

use std::fs;

use super::{
    house::{House, until},
    proof::{in_project, set_up},
};

fn open_questions(house: &House) -> usize {
    house.json(["answer", "--json"])["items"].as_array().unwrap().len()
}

fn status_of(house: &House, run: &str) -> (String, String) {
    let run = house.json(in_project(&["run", "show", run, "--json"]));
    let text = |field: &str| run[field].as_str().unwrap_or_default().to_owned();
    (text("status"), text("verdict"))
}

fn parked(house: &House, root: &std::path::Path) -> String {
    let parked = house.run_in(root, ["proof", "run"]);
    assert_eq!(parked.code, 3, "{parked}");
    let runs = house.json(in_project(&["run", "list", "--json"]));
    runs["items"][0]["id"].as_str().unwrap().to_owned()
}

const ACCEPT: [&str; 8] = ["proof", "review", "REQ-0001", "--pass", "--tick", "1", "--tick", "2"];

// P67: a later run on the same tree joins the open question, and both have the answer; P20: the first
// one holds nothing that keeps the second from starting.
#[test]
fn runs_on_the_same_tree_share_a_question_and_its_answer() {
    let house = House::new();
    let root = set_up(&house, &["manual"]);
    let server = house.serve(&[]);
    let (first, second) = (parked(&house, &root), parked(&house, &root));
    assert_ne!(first, second);
    assert_eq!(open_questions(&house), 1);
    house.run_in(&root, ACCEPT).said("answered");
    for run in [&first, &second] {
        house.run(in_project(&["proof", "watch", run])).said("PASSED");
        assert_eq!(status_of(&house, run), ("completed".to_owned(), "passed".to_owned()));
    }

    // A third uses the answer; who retries is asked again.
    house.run_in(&root, ["proof", "run"]).said("PASSED");
    let again = house.run_in(&root, ["proof", "retry", "--all"]);
    assert_eq!(again.code, 3, "{again}");
    assert_eq!(open_questions(&house), 1);
    drop(server);
}

// P67: on another tree a newer run takes the question over, and the older run does not wait for ever.
#[test]
fn a_run_on_newer_files_supersedes_the_question() {
    let house = House::new();
    let root = set_up(&house, &["manual"]);
    let server = house.serve(&[]);
    let first = parked(&house, &root);
    fs::write(root.join("unit.verdict"), "other\n").unwrap();
    let second = parked(&house, &root);
    assert_eq!(open_questions(&house), 1);
    until(|| status_of(&house, &first) == ("completed".to_owned(), "unproven".to_owned()));
    house.run(in_project(&["log", &first])).said("superseded");
    house.run_in(&root, ACCEPT).said("answered");
    house.run(in_project(&["proof", "watch", &second])).said("PASSED");
    drop(server);
}

// P67: when the run that had asked is cancelled, the one that joined asks itself.
#[test]
fn a_question_outlives_the_run_that_asked_it() {
    let house = House::new();
    let root = set_up(&house, &["manual"]);
    let server = house.serve(&[]);
    let (first, second) = (parked(&house, &root), parked(&house, &root));
    house.run(in_project(&["proof", "cancel", &first])).said("cancelled");
    until(|| open_questions(&house) == 1);
    house.run_in(&root, ACCEPT).said("answered");
    house.run(in_project(&["proof", "watch", &second])).said("PASSED");
    drop(server);
}
