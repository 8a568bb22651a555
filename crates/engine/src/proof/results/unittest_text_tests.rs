use super::*;

const CUT: bool = false;

fn read(text: &str) -> Result<ParsedResults, ResultsProblem> {
    parse(text.as_bytes(), CUT)
}

fn ended(list: &str, details: &str, ran: u64, verdict: &str) -> String {
    format!("{list}\n{details}{SINGLE}\nRan {ran} tests in 0.001s\n\n{verdict}\n")
}

fn outcomes(text: &str) -> Vec<(String, CaseOutcome)> {
    read(text).unwrap().cases.into_iter().map(|case| (case.name, case.outcome)).collect()
}

/// P39: the same name from every Python, also as a node id.
#[test]
fn names_are_full() {
    for line in
        ["test_a (t.m.C.test_a) ... ok\n", "test_a (t.m.C) ... ok\n", "test_a (t.m.C.test_a)\nSays it ... so. ... ok\n"]
    {
        let results = read(&ended(line, "", 1, "OK")).unwrap();
        let case = &results.cases[0];
        assert_eq!((case.name.as_str(), case.outcome), ("t.m.C.test_a", CaseOutcome::Passed), "{line}");
        assert!(case.is_called("test_a") && case.is_called("t/m.py::C::test_a") && case.is_called("C.test_a"));
        assert!(!case.is_called("m.C.test_a") && !case.is_called("test"));
    }
}

/// P42, P46: every end; an expected failure is a wish.
#[test]
fn every_end_is_known() {
    use CaseOutcome as O;
    for (end, outcome, verdict) in [
        ("ok", O::Passed, "OK"),
        ("FAIL", O::Failed, "FAILED (failures=1)"),
        ("ERROR", O::Error, "FAILED (errors=1)"),
        ("skipped 'later'", O::Skipped, "OK (skipped=1)"),
        ("expected failure", O::Skipped, "OK (expected failures=1)"),
        ("unexpected success", O::Failed, "FAILED (unexpected successes=1)"),
    ] {
        let text = ended(&format!("t (m.C.t) ... {end}\n"), "", 1, verdict);
        assert_eq!(outcomes(&text), [("m.C.t".to_owned(), outcome)], "{end}");
    }
}

/// P40: what a test prints may stand before its end, or swallow it.
#[test]
fn output_before_an_end_is_passed_over() {
    use CaseOutcome as O;
    let one = |outcome| vec![("m.C.t".to_owned(), outcome)];
    assert_eq!(outcomes(&ended("t (m.C.t) ... noise\nok\n", "", 1, "OK")), one(O::Passed));
    assert_eq!(outcomes(&ended("t (m.C.t) ... noiseok\n", "", 1, "OK")), one(O::Passed));
    // Somebody was skipped, and nobody else is left.
    assert_eq!(outcomes(&ended("t (m.C.t) ... noise\n", "", 1, "OK (skipped=1)")), one(O::Skipped));
    let details = format!("{DOUBLE}\nFAIL: t (m.C.t)\n{SINGLE}\nTraceback\n\n");
    assert_eq!(outcomes(&ended("t (m.C.t) ... noiseFAIL\n", &details, 1, "FAILED (failures=1)")), one(O::Failed));
    assert!(read(&ended("t (m.C.t) ... ok\n", "", 1, "FAILED (failures=1)")).is_err());
    assert!(read(&ended("t (m.C.t) ... FAIL\n", "", 1, "OK")).is_err());
}

/// P44: a failing part of a test is a failing test; what breaks around tests is an error.
#[test]
fn parts_and_surroundings_count() {
    use CaseOutcome as O;
    let list = "t (m.C.t) ... \n  t (m.C.t) (i=1) ... FAIL\nu (m.C.u) ... ok\n";
    let details = format!(
        "{DOUBLE}\nERROR: setUpClass (m.D)\n{SINGLE}\nboom\n\n{DOUBLE}\nFAIL: t (m.C.t) (i=1)\n{SINGLE}\n1 != 2\n\n"
    );
    let text = ended(list, &details, 2, "FAILED (failures=1, errors=1)");
    let results = read(&text).unwrap();
    let mut names: Vec<_> = results.cases.iter().map(|case| (case.name.as_str(), case.outcome)).collect();
    names.sort_by_key(|(name, _)| *name);
    assert_eq!(names, [("m.C.t", O::Failed), ("m.C.u", O::Passed), ("setUpClass (m.D)", O::Error)]);
    assert_eq!(results.fault, Some(ResultsFault::Collection { text: "setUpClass (m.D)".to_owned() }));
    assert!(results.cases.iter().any(|case| case.message.as_deref() == Some("1 != 2")));
}

/// P45: without its last lines it did not come to its end.
#[test]
fn without_a_summary_it_is_invalid() {
    for bad in [
        String::new(),
        "t (m.C.t) ... ok\n".to_owned(),
        format!("t (m.C.t) ... ok\n\n{SINGLE}\nRan 1 test in 0.001s\n"),
        format!("{0}{0}", ended("t (m.C.t) ... ok\n", "", 1, "OK")),
        "python3: No module named unittest\n".to_owned(),
    ] {
        assert!(matches!(read(&bad), Err(ResultsProblem::Malformed { .. })), "{bad}");
    }
}

/// P34: a cut output counts when its summary accounts for every test, and only then.
#[test]
fn a_cut_output_is_complete_only_by_its_summary() {
    let cut = true;
    let text = ended("t (m.C.t) ... ok\nnoise\n[... 9 bytes left out ...]\nnoise\nu (m.C.u) ... ok\n", "", 2, "OK");
    assert_eq!(parse(text.as_bytes(), cut).unwrap().fault, None);
    let text = ended("t (m.C.t) ... ok\nnoise\n[... 9 bytes left out ...]\nu (m.C.u) ... ok\n", "", 2, "OK");
    let results = parse(text.as_bytes(), cut).unwrap();
    assert_eq!((results.counts.passed, results.fault), (1, Some(ResultsFault::OutputCut)));
}

/// P41
#[test]
fn no_tests_are_no_cases() {
    assert_eq!(read(&ended("", "", 0, "NO TESTS RAN")).unwrap().counts.total(), 0);
}

/// P40: a line that a test printed itself is noticed, and passes nobody.
#[test]
fn a_forged_line_is_noticed() {
    let text = ended("a (m.C.a) ... forged (m.C.forged) ... ok\nok\nforged (m.C.forged) ... ok\n", "", 1, "OK");
    assert!(matches!(read(&text).unwrap().fault, Some(ResultsFault::Tool { .. })));
}

/// P44: until Python 3.10 a failing part of a test leaves its line open.
#[test]
fn a_line_left_open_is_not_the_next_tests_end() {
    let list = "a (t.A) ... ok\ns (t.A) ... u (t.A) ... ok\n";
    let details = format!("{DOUBLE}\nFAIL: s (t.A) (i=0)\n{SINGLE}\nno\n\n");
    let text = ended(list, &details, 3, "FAILED (failures=1)");
    use CaseOutcome as O;
    let expected = [("t.A.a", O::Passed), ("t.A.s", O::Failed), ("t.A.u", O::Passed)];
    assert_eq!(outcomes(&text), expected.map(|(name, outcome)| (name.to_owned(), outcome)));
}
