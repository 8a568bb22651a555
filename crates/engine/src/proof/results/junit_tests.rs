use super::*;
use crate::proof::results::Notation;

fn read(text: &str) -> Result<ParsedResults, ResultsProblem> {
    parse(text.as_bytes(), &Dialect::default())
}

fn outcomes(results: &ParsedResults) -> Vec<(&str, CaseOutcome)> {
    results.cases.iter().map(|case| (case.name.as_str(), case.outcome)).collect()
}

/// P46: nested suites, both `failure` and `error`.
#[test]
fn suites_nest_and_both_kinds_of_failure_count() {
    let results = read(
        "<testsuites><testsuite name='a'><testcase name='ok'/><testsuite name='b'>\
         <testcase name='f'><failure message='m'>body</failure></testcase>\
         <testsuite><testcase name='e'><error/></testcase></testsuite></testsuite>\
         <testcase name='s'><skipped message='why'/></testcase></testsuite></testsuites>",
    )
    .unwrap();
    use CaseOutcome as O;
    assert_eq!(outcomes(&results), [("ok", O::Passed), ("f", O::Failed), ("e", O::Error), ("s", O::Skipped)]);
    assert_eq!(results.cases[1].message.as_deref(), Some("mbody"));
    assert_eq!(results.counts, CaseCounts { passed: 1, failed: 1, error: 1, skipped: 1 });
}

/// P46, P42: what did not run is skipped in every dialect; a failure outranks everything but TODO.
#[test]
fn every_dialect_of_not_having_run_is_skipped() {
    use CaseOutcome as O;
    for (case, outcome) in [
        ("<testcase name='t'/>", O::Passed),
        ("<testcase name='t' status='run' result='completed'/>", O::Passed),
        ("<testcase name='t' status='notrun'/>", O::Skipped),
        ("<testcase name='t' status='run' result='suppressed'/>", O::Skipped),
        ("<testcase name='t' status='disabled'/>", O::Skipped),
        ("<testcase name='t' status='FAILED'/>", O::Failed),
        ("<testcase name='t'><skipped/><failure/></testcase>", O::Failed),
        ("<testcase name='t'><error/><failure/></testcase>", O::Failed),
        ("<testcase name='t'><skipped type='todo'/><failure/></testcase>", O::Skipped),
        ("<testcase name='t'><flakyFailure/></testcase>", O::Passed),
        ("<testcase name='t'><system-out>&lt;failure/&gt;</system-out></testcase>", O::Passed),
        ("<x:testcase name='t' xmlns:x='u'><x:failure/></x:testcase>", O::Failed),
        ("<group><testcase name='t'><failure/></testcase></group>", O::Failed),
    ] {
        let results = read(&format!("<testsuite>{case}</testsuite>")).unwrap();
        assert_eq!(outcomes(&results), [("t", outcome)], "{case}");
    }
}

/// P46: what a suite itself could not do is not lost.
#[test]
fn an_error_of_a_suite_counts() {
    let results = read("<testsuite name='s'><error message='set-up'/><testcase name='t'/></testsuite>").unwrap();
    assert_eq!(outcomes(&results), [("s", CaseOutcome::Error), ("t", CaseOutcome::Passed)]);
}

/// P44: cases are counted, claims are noted.
#[test]
fn lying_counts_are_noted_and_not_believed() {
    let results =
        read("<testsuite name='s' tests='7' failures='0' errors='3'><testcase name='t'/></testsuite>").unwrap();
    assert_eq!(results.counts.total(), 1);
    assert_eq!(results.notes.len(), 1, "{:?}", results.notes);
    let honest = "<testsuite name='a' tests='2'><testcase name='t'/><testsuite name='b' tests='1'><testcase name='u'/></testsuite></testsuite>";
    assert_eq!(read(honest).unwrap().notes, [""; 0]);
}

/// P45: entity declarations, whatever they expand to, and document types at all.
#[test]
fn entities_are_refused() {
    let bomb = "<!DOCTYPE t [<!ENTITY a 'x'><!ENTITY b '&a;&a;'>]><testsuite><testcase name='&b;'/></testsuite>";
    assert_eq!(read(bomb), Err(ResultsProblem::Entities));
    let outside = "<!DOCTYPE t [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><testsuite/>";
    assert_eq!(read(outside), Err(ResultsProblem::Entities));
    for bad in [
        "<!DOCTYPE testsuite SYSTEM 'http://example.org/x.dtd'><testsuite/>",
        "<testsuite>&unknown;</testsuite>",
        "<testsuite><testcase name='&unknown;'/></testsuite>",
    ] {
        assert!(matches!(read(bad), Err(ResultsProblem::Malformed { .. })), "{bad}");
    }
}

/// P45: what is not a whole document is not read.
#[test]
fn what_is_no_document_is_invalid() {
    let deep = format!("{}{}", "<testsuite>".repeat(1000), "</testsuite>".repeat(1000));
    let wide = format!("<testsuite {}/>", (0..100).map(|n| format!("a{n}='' ")).collect::<String>());
    for bad in [
        "",
        " ",
        "{}",
        "<html/>",
        "<testsuite>",
        "<testsuite></testsuites>",
        "<testsuite/><testsuite/>",
        "<testsuite/>x",
        "x<testsuite/>",
        "<testsuite name='a' name='b'/>",
        "<testsuite><testcase name='a'><testcase name='b'/></testcase></testsuite>",
        "<testsuite><testcase name='a></testsuite>",
        "<testsuite/>&amp;",
        "<testsuite>&#xfffffff;</testsuite>",
        &deep,
        &wide,
    ] {
        assert!(matches!(read(bad), Err(ResultsProblem::Malformed { .. })), "{bad:.60}");
    }
    assert!(parse(b"<testsuite>\xff</testsuite>", &Dialect::default()).is_err());
    assert_eq!(read("\u{feff}<?xml version='1.0'?><!-- c --><testsuites/>\n").unwrap().counts.total(), 0);
}

/// P43: what could not be collected is said.
#[test]
fn a_collection_failure_is_a_fault() {
    let dialect = Dialect { notation: Notation::Pytest, root: "" };
    let text = b"<testsuite><testcase classname='' name='tests.test_x'><error message='collection failure'>E</error></testcase></testsuite>";
    let results = parse(text, &dialect).unwrap();
    assert_eq!(results.fault, Some(ResultsFault::Collection { text: "tests.test_x".to_owned() }));
    assert_eq!(results.counts.error, 1);
}
