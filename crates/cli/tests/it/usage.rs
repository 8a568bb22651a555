//! Wrong command lines.

use super::house::House;

// X30: a wrong flag ends with 2 and clap's own suggestion, and touches nothing.
#[test]
fn a_wrong_command_line_ends_with_2_and_a_suggestion() {
    let house = House::new();
    for (args, words) in [
        (&["prooff"][..], "a similar subcommand exists: 'proof'"),
        (&["proof", "runn"], "a similar subcommand exists: 'run'"),
        (&["proof", "run", "--mod", "full"], "a similar argument exists: '--mode'"),
        (&["proof", "run", "--mode", "ful"], "a similar value exists: 'full'"),
        (&["proof", "run", "--ref", "x", "--pr", "1"], "cannot be used with"),
        (&["proof", "run", "--yes"], "--repo"),
        (&["proof", "capture"], "--title"),
        (&["proof", "waive", "REQ-0001"], "--reason"),
        (&["proof", "review", "REQ-0001"], "--pass"),
        (&["proof", "review", "REQ-0001", "--fail"], "--comment"),
        (&["proof", "check", "--tree", "x", "--pr", "1"], "cannot be used with"),
        (&["proof", "evidence", "x", "--lines", "3"], "--output"),
        (&["proof", "evidence", "x", "--output", "--lines", "5001"], "5001"),
        (&["proof", "export"], "--output"),
        (&["run", "cancel"], "RUN"),
        (&["serve", "--slots", "0"], "0"),
        (&["answer", "--accept"], "QUESTION"),
        (&["answer", "x", "--accept", "--reject", "--text", "t"], "cannot be used with"),
        (&["completion", "tcsh"], "possible values"),
        (&["--no-such-flag"], "--no-such-flag"),
        (&[], "Usage"),
    ] {
        let ran = house.run(args.iter().copied());
        assert_eq!(ran.code, 2, "{args:?}: {ran}");
        assert!(ran.err.contains(words), "{args:?}: {ran}");
    }
    assert!(!house.data().exists(), "a wrong command line touches nothing");
}

#[test]
fn values_that_make_no_sense_end_with_2() {
    let house = House::new();
    for args in [
        &["proof", "capture", "--title", "t", "--test", "unit"][..],
        &["proof", "capture", "--from", "no-such-file.json"],
        &["run", "start", "proof", "--config", "["],
        &["--server", "https://plane.local", "project", "list"],
        &["--server", "ftp://x", "project", "list"],
        &["serve", "--listen", "nowhere"],
        &["serve", "--store", "mysql://x", "--listen", "127.0.0.1:0"],
    ] {
        house.run(args.iter().copied()).refused(2, "hint: ");
    }
}

#[test]
fn outside_of_every_project_the_hint_says_how_to_make_one() {
    let house = House::new();
    let ran = house.run(["proof", "status"]);
    ran.refused(2, "error: no project holds the current folder (PH-1037)");
    ran.refused(2, "proofhouse init");
    house.run(["--project", "nope", "proof", "status"]).refused(2, "PH-1003");
    let document: serde_json::Value = serde_json::from_str(&house.run(["proof", "list", "--json"]).err).unwrap();
    assert_eq!((document["code"].as_str(), document["slug"].as_str()), (Some("PH-1037"), Some("usage")));
}
