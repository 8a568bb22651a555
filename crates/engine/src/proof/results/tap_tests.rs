use model::proof::results::CaseCounts;

use super::*;

fn read(text: &str) -> Result<ParsedResults, ResultsProblem> {
    parse(text.as_bytes(), false)
}

fn outcomes(text: &str) -> Vec<(String, CaseOutcome)> {
    read(text).unwrap().cases.into_iter().map(|case| (case.name, case.outcome)).collect()
}

fn one(line: &str) -> (String, CaseOutcome) {
    outcomes(&format!("1..1\n{line}\n")).pop().unwrap()
}

/// P46: `# SKIP` is skipped, a failing `# TODO` is skipped.
#[test]
fn directives_decide() {
    use CaseOutcome as O;
    for (line, name, outcome) in [
        ("ok 1 - works", "works", O::Passed),
        ("ok 1 works", "works", O::Passed),
        ("ok - works", "works", O::Passed),
        ("ok", "1", O::Passed),
        ("not ok 1 - works", "works", O::Failed),
        ("not ok", "1", O::Failed),
        ("ok 1 - works # SKIP no network", "works", O::Skipped),
        ("ok 1 - works # skipped: no network", "works", O::Skipped),
        ("not ok 1 - works # SKIP", "works", O::Skipped),
        ("not ok 1 - works # TODO later", "works", O::Skipped),
        ("ok 1 - works # TODO later", "works", O::Passed),
        ("not ok 1 - works # TODOS", "works # TODOS", O::Failed),
        ("not ok 1 - issue \\# SKIP", "issue # SKIP", O::Failed),
        ("not ok 1 - issue #12", "issue #12", O::Failed),
        ("ok 1 - works # time=12ms", "works", O::Passed),
    ] {
        assert_eq!(one(line), (name.to_owned(), outcome), "{line}");
    }
}

/// P46: a plan that is missing or not met is a failure.
#[test]
fn the_plan_is_held_against_the_tests() {
    let unmet = |planned, seen| Some(ResultsFault::PlanNotMet { planned, seen });
    for (text, fault) in [
        ("1..2\nok 1\nok 2\n", None),
        ("ok 1\nok 2\n1..2\n", None),
        ("ok 2\nok 1\n1..2\n", None),
        ("1..0 # SKIP nothing here\n", None),
        ("ok 1\nok 2\n", Some(ResultsFault::PlanMissing)),
        ("", Some(ResultsFault::PlanMissing)),
        ("hello\n", Some(ResultsFault::PlanMissing)),
        ("1..1\nok 1\nno", None),
        ("TAP version 13\n", Some(ResultsFault::PlanMissing)),
        ("1..3\nok 1\nok 2\n", unmet(3, 2)),
        ("1..1\nok 1\nok 2\n", unmet(1, 2)),
        ("1..2\nok 1\nok 1\n", unmet(2, 1)),
        ("1..2\nok 1\nok 3\n", unmet(2, 1)),
        ("1..2\nok 1\n    1..2\n    ok 1\nok 2\n", unmet(2, 1)),
    ] {
        assert_eq!(read(text).unwrap().fault, fault, "{text:?}");
    }
}

/// P46: `Bail out!` is a failure and outranks the plan that it leaves unmet.
#[test]
fn bailing_out_is_a_failure() {
    for text in ["1..3\nok 1\nBail out! no disk\n", "ok 1\n    ok 1\n    bail out! no disk\n"] {
        assert_eq!(read(text).unwrap().fault, Some(ResultsFault::BailOut { text: "no disk".to_owned() }));
    }
}

/// P46, P39: subtests are cases with their parents' names in front; a wish may fail inside, too.
#[test]
fn subtests_are_cases() {
    use CaseOutcome as O;
    let text = "1..2\n    1..1\n        1..1\n        not ok 1 - c\n    ok 1 - b\nok 1 - a\n    not ok 1 - e\n    1..1\nnot ok 2 - d # TODO\n";
    let results = read(text).unwrap();
    let names: Vec<_> = results.cases.iter().map(|case| (case.name.as_str(), case.outcome)).collect();
    assert_eq!(
        names,
        [("a > b > c", O::Failed), ("a > b", O::Passed), ("a", O::Passed), ("d > e", O::Skipped), ("d", O::Skipped)]
    );
    assert!(results.cases[0].is_called("a b c") && results.cases[0].is_called("c") && !results.cases[0].is_called("b"));
    assert_eq!(results.counts, CaseCounts { passed: 2, failed: 1, error: 0, skipped: 2 });
}

/// P46: diagnostics belong to their test and are never read as tests.
#[test]
fn diagnostics_are_no_tests() {
    let text = "1..2\nnot ok 1 - a\n  ---\n  message: |\n    ok 9 - fake\nok 8 - fake\n  duration_ms: 1.5\n  ...\nok 2 - b\n# not about b\n";
    let results = read(text).unwrap();
    assert_eq!(results.counts.total(), 2);
    assert_eq!(results.cases[0].duration_ms, Some(2));
    assert!(results.cases[0].message.as_deref().unwrap().contains("fake"));
}

/// P45: what ends in the middle is invalid.
#[test]
fn what_ends_in_the_middle_is_invalid() {
    for bad in [
        "1..1\nok 1 - half",
        "ok 1\n1..1",
        "1..1\nok 1\n  ---\n  a: b\n",
        "1..1\nok 1\n    ok 1\n",
        "1..1\n1..1\nok 1\n",
        "1..99999999999999999999999\n",
        "1..1\nok 99999999999999999999999\n",
    ] {
        assert!(matches!(read(bad), Err(ResultsProblem::Malformed { .. })), "{bad:?}");
    }
}

/// P34: in a cut output the plan tells whether a test is missing, and partial lines tell nothing.
#[test]
fn a_cut_output_is_complete_only_by_its_plan() {
    let cut = true;
    let whole = "1..2\nok 1 - a\nnoise\n[... 9 bytes left out ...]\nise\nok 2 - b\n";
    assert_eq!(parse(whole.as_bytes(), cut).unwrap().fault, None);
    let partial = "1..2\nok 1 - a\nok 2 - b # SK\n[... 9 bytes left out ...]\nIP\nnoise\n";
    let results = parse(partial.as_bytes(), cut).unwrap();
    assert_eq!((results.counts.total(), results.fault), (1, Some(ResultsFault::PlanNotMet { planned: 2, seen: 1 })));
}
