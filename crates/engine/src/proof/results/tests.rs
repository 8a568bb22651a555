use model::proof::{judge, results::CaseOutcome};
use proptest::prelude::*;

use super::*;

const CORPUS: [(ParserKind, &[u8]); 9] = [
    (ParserKind::Junit, include_bytes!("corpus/pytest.xml")),
    (ParserKind::Junit, include_bytes!("corpus/node.xml")),
    (ParserKind::Junit, include_bytes!("corpus/nextest.xml")),
    (ParserKind::Tap, include_bytes!("corpus/node.tap")),
    (ParserKind::Sarif, include_bytes!("corpus/scan.sarif")),
    (ParserKind::CargoText, include_bytes!("corpus/cargo.txt")),
    (ParserKind::GoJson, include_bytes!("corpus/go.json")),
    (ParserKind::JestJson, include_bytes!("corpus/jest.json")),
    (ParserKind::UnittestText, include_bytes!("corpus/unittest.txt")),
];

fn read(kind: ParserKind, bytes: &[u8]) -> Result<ParsedResults, ResultsProblem> {
    parse(kind, bytes, &Options::default())
}

fn good(kind: ParserKind, text: &str) -> ParsedResults {
    read(kind, text.as_bytes()).unwrap()
}

/// The outcomes of every case that a rule of this name would be judged by.
fn called(results: &ParsedResults, name: &str) -> Vec<CaseOutcome> {
    results.cases.iter().filter(|case| case.is_called(name)).map(|case| case.outcome).collect()
}

fn tally(results: &ParsedResults) -> (u64, u64, u64, u64) {
    let counts = results.counts;
    (counts.passed, counts.failed, counts.error, counts.skipped)
}

const P: CaseOutcome = CaseOutcome::Passed;
const F: CaseOutcome = CaseOutcome::Failed;
const E: CaseOutcome = CaseOutcome::Error;
const S: CaseOutcome = CaseOutcome::Skipped;

#[test]
fn pytest_reports_give_node_ids() {
    // P38, P39
    let results = read(CORPUS[0].0, CORPUS[0].1).unwrap();
    assert_eq!(tally(&results), (5, 1, 3, 2));
    assert_eq!(called(&results, "tests/test_a.py::test_pass"), [P]);
    assert_eq!(called(&results, "test_fail"), [F]);
    assert_eq!(called(&results, "test_error"), [E]);
    assert_eq!(called(&results, "tests/test_a.py::TestC::test_in"), [P]);
    assert_eq!(called(&results, "TestC::test_in"), [P]);
    assert_eq!(called(&results, "test_xfail"), [S]);
    assert_eq!(called(&results, "test_param[1]"), [P]);
    for near in ["test_param", "test_pas", "tests/test_a.py", "test_a.py::test_pass", "TEST_PASS"] {
        assert_eq!(called(&results, near), [], "{near}");
    }
}

#[test]
fn node_and_nextest_reports_are_read() {
    // P46: nested suites, cases outside any suite, a failing todo.
    let node = read(CORPUS[1].0, CORPUS[1].1).unwrap();
    assert_eq!(called(&node, "inner"), [P, P]);
    assert_eq!(called(&node, "outer > deep > inner"), [P]);
    assert_eq!(called(&node, "outer inner"), [P]);
    assert_eq!(called(&node, "todo fails"), [S]);
    assert_eq!(called(&node, "skips"), [S]);
    assert_eq!(called(&node, "passes"), [P]);
    assert_eq!((node.counts.failed, node.counts.skipped), (3, 2));
    let nextest = read(CORPUS[2].0, CORPUS[2].1).unwrap();
    assert_eq!(called(&nextest, "tests::fail"), [F]);
    assert_eq!(called(&nextest, "fixture tests::ign"), [P]);
    assert!(nextest.notes.is_empty());
}

#[test]
fn junit_counts_its_cases_itself() {
    // P46: failure and error both; counts that lie.
    let text = r#"<testsuite tests="9" failures="0" errors="0">
        <testcase name="both" classname="a.B"><error message="e"/><failure>f &lt;x&gt; &#65;<![CDATA[<raw>]]></failure></testcase>
        <testcase name="skip"><skipped/></testcase>
        <testcase name="status" status="notrun"/>
        <testcase name="rerun"><rerunFailure message="first"/></testcase>
        <testsuite name="in"><testcase name="ok" time="1,234.5"/></testsuite>
        <system-out><testcase name="no case"/></system-out>
    </testsuite>"#;
    let results = good(ParserKind::Junit, text);
    assert_eq!(tally(&results), (2, 1, 0, 2));
    assert_eq!(results.notes.len(), 1, "{:?}", results.notes);
    let both = &results.cases[0];
    assert_eq!(both.message.as_deref(), Some("e\nf <x> A<raw>"));
    assert!(both.is_called("a.B.both") && both.is_called("a.B::both"));
    assert_eq!(results.cases[4].duration_ms, Some(1_234_500));
    let whole =
        good(ParserKind::Junit, r#"<testsuites><testsuite name="s"><error message="boom"/></testsuite></testsuites>"#);
    assert_eq!(tally(&whole), (0, 0, 1, 0));
    assert!(matches!(whole.fault, Some(ResultsFault::Collection { .. })));
}

#[test]
fn junit_that_is_none_is_refused() {
    // P45: malformed, cut, entities, too large, too many.
    let entity = br#"<!DOCTYPE x [<!ENTITY a "b">]><testsuite><testcase name="&a;"/></testsuite>"#;
    assert_eq!(read(ParserKind::Junit, entity), Err(ResultsProblem::Entities));
    let external = br#"<!DOCTYPE x [<!entity % p SYSTEM "file:///etc/passwd"> %p;]><testsuite/>"#;
    assert_eq!(read(ParserKind::Junit, external), Err(ResultsProblem::Entities));
    #[rustfmt::skip]
    let bad: [&[u8]; 13] = [
        b"", b"   ", b"not xml", b"<html/>", b"<testsuite>", b"<testsuite><testcase name='a'></testsuite>",
        b"<testsuite/><testsuite/>", b"<testsuite><testcase name='&unknown;'/></testsuite>",
        b"<testsuite><testcase><failure>&unknown;</failure></testcase></testsuite>",
        b"<testsuite><testcase name='\xff'/></testsuite>", b"<testsuite a='1' a='2'/>", b"\x00\x01\x02", b"<testsuite",
    ];
    for bytes in bad {
        assert!(matches!(read(ParserKind::Junit, bytes), Err(ResultsProblem::Malformed { .. })), "{bytes:?}");
    }
    let deep = "<testsuite>".repeat(100_000);
    assert!(matches!(read(ParserKind::Junit, deep.as_bytes()), Err(ResultsProblem::Malformed { .. })));
    let many = format!("<testsuite>{}</testsuite>", "<testcase name='a'/>".repeat(200_001));
    assert_eq!(read(ParserKind::Junit, many.as_bytes()), Err(ResultsProblem::TooManyCases { limit: 200_000 }));
    let large = vec![b' '; (50 << 20) + 1];
    for (kind, _) in CORPUS {
        assert!(matches!(read(kind, &large), Err(ResultsProblem::TooLarge { .. })), "{kind:?}");
    }
    // A plain DOCTYPE declares nothing.
    assert!(read(ParserKind::Junit, b"<!DOCTYPE testsuite><testsuite/>").is_ok());
}

#[test]
fn tap_plans_bails_and_directives() {
    // P46
    let text = "TAP version 14\n1..5\nok 1 - a\nnot ok 2 - b\n  ---\n  message: no\n  ...\nok 3 - c # SKIP later\nnot ok 4 - d # todo x\nok 5 e \\# hash\n";
    let results = good(ParserKind::Tap, text);
    assert_eq!((tally(&results), &results.fault), ((2, 1, 0, 2), &None));
    assert_eq!(called(&results, "e # hash"), [P]);
    assert_eq!(results.cases[1].message.as_deref(), Some("message: no"));
    let fault = |text: &str| good(ParserKind::Tap, text).fault;
    assert_eq!(fault("ok 1 - a\n"), Some(ResultsFault::PlanMissing));
    assert_eq!(fault(""), Some(ResultsFault::PlanMissing));
    assert_eq!(fault("1..2\nok 1\n"), Some(ResultsFault::PlanNotMet { planned: 2, seen: 1 }));
    assert_eq!(fault("ok 1\nok 2\n1..1\n"), Some(ResultsFault::PlanNotMet { planned: 1, seen: 2 }));
    assert_eq!(fault("1..2\nok 1\nBail out! no disk\n"), Some(ResultsFault::BailOut { text: "no disk".to_owned() }));
    assert_eq!(fault("1..0 # SKIP all\n"), None);
    assert_eq!(fault("noise\n1..1\nokay\nok 1 - x\r\nmore"), None);
    let node = read(CORPUS[3].0, CORPUS[3].1).unwrap();
    assert_eq!(node.fault, None);
    assert_eq!(called(&node, "outer > inner"), [P]);
    assert_eq!(called(&node, "outer > deep > inner"), [P]);
    assert_eq!(called(&node, "outer > inner fails"), [F]);
    assert_eq!(called(&node, "todo fails"), [S]);
    let nested = fault("1..1\n# Subtest: p\n    1..2\n    ok 1 - x\nok 1 - p\n");
    assert_eq!(nested, Some(ResultsFault::PlanNotMet { planned: 2, seen: 1 }));
}

#[test]
fn sarif_levels_and_suppressions() {
    // P46
    let at = |fail_on| {
        let options = Options { fail_on, output_cut: false };
        parse(ParserKind::Sarif, CORPUS[4].1, &options).unwrap()
    };
    let results = at(FindingLevel::Error);
    assert_eq!((results.judged_findings, results.findings.len(), results.counts.total()), (3, 8, 0));
    assert_eq!(results.findings.iter().filter(|finding| finding.suppressed).count(), 2);
    assert_eq!(at(FindingLevel::Warning).judged_findings, 4);
    assert_eq!(at(FindingLevel::Note).judged_findings, 5);
    let first = results.findings.iter().find(|finding| finding.file.is_some()).unwrap();
    assert_eq!((first.file.as_deref(), first.line), (Some("src/a.rs"), Some(3)));
    let failed = r#"{"runs":[{"invocations":[{"executionSuccessful":false,"exitCodeDescription":"oom"}]}]}"#;
    assert_eq!(good(ParserKind::Sarif, failed).fault, Some(ResultsFault::Tool { text: "oom".to_owned() }));
    for bad in [
        "",
        "{}",
        "[]",
        r#"{"runs":[]}"#,
        r#"{"runs":null}"#,
        r#"{"runs":[{}]}"#,
        r#"{"runs":[{"results":null}]}"#,
        "{\"runs\":[{\"results\":[]}]",
    ] {
        assert!(matches!(read(ParserKind::Sarif, bad.as_bytes()), Err(ResultsProblem::Malformed { .. })), "{bad}");
    }
    assert!(read(ParserKind::Sarif, "[".repeat(100_000).as_bytes()).is_err());
}

#[test]
fn cargo_lines_are_read_by_section() {
    // P38, P39
    let results = read(CORPUS[5].0, CORPUS[5].1).unwrap();
    assert_eq!((tally(&results), &results.fault), ((4, 1, 0, 2), &None));
    assert_eq!(called(&results, "tests::fail"), [F]);
    assert_eq!(called(&results, "tests::panics"), [P]);
    assert_eq!(called(&results, "src/lib.rs - f (line 1)"), [P]);
    assert_eq!(called(&results, "forged"), []);
    assert_eq!(called(&results, "fail"), []);
    let failed = results.cases.iter().find(|case| case.name == "tests::fail").unwrap();
    assert!(failed.message.as_deref().unwrap().contains("assertion"));
    let build = good(
        ParserKind::CargoText,
        "error[E0425]: cannot find value `x`\nerror: could not compile `a` (lib test) due to 1 previous error\n",
    );
    assert!(matches!(build.fault, Some(ResultsFault::Collection { text }) if text.contains("could not compile")));
    // One thread: the name first, the end when the test has ended, output of child processes in between.
    let slow = "running 2 tests\ntest a ... noise of a child\nok\ntest b ... FAILED\n\nfailures:\n\nfailures:\n    b\n\ntest result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out\n";
    assert_eq!(tally(&good(ParserKind::CargoText, slow)), (1, 1, 0, 0));
    // A line that a test printed past the capture is noticed by the summary.
    let forged = "running 1 test\ntest req ... ok\ntest a ... ok\n\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n";
    assert!(matches!(good(ParserKind::CargoText, forged).fault, Some(ResultsFault::Tool { .. })));
    let hidden = "running 1 test\n\ntest result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out\n";
    assert_eq!(tally(&good(ParserKind::CargoText, hidden)), (0, 1, 0, 0));
    let died = "running 2 tests\ntest a ... ok\n";
    assert!(matches!(good(ParserKind::CargoText, died).fault, Some(ResultsFault::Collection { .. })));
    let none = "running 0 tests\n\ntest result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 4 filtered out\n";
    assert_eq!(
        (tally(&good(ParserKind::CargoText, none)), good(ParserKind::CargoText, none).fault),
        ((0, 0, 0, 0), None)
    );
}

#[test]
fn go_events_are_read_by_test_and_package() {
    // P38
    let results = read(CORPUS[6].0, CORPUS[6].1).unwrap();
    assert_eq!(tally(&results), (2, 2, 0, 1));
    assert_eq!(called(&results, "TestPass"), [P, P]);
    assert_eq!(called(&results, "example.com/m/b.TestPass"), [P]);
    assert_eq!(called(&results, "TestFail/sub"), [F]);
    assert_eq!(results.cases[1].message.as_deref(), Some("a_test.go:9: want 1"));
    let build =
        "# m/a\na_test.go:3:1: undefined: x\nFAIL\tm/a [build failed]\n{\"Action\":\"fail\",\"Package\":\"m/a\"}\n";
    assert!(matches!(good(ParserKind::GoJson, build).fault, Some(ResultsFault::Collection { .. })));
    let died = "{\"Action\":\"run\",\"Package\":\"m\",\"Test\":\"TestX\"}\n{\"Action\":\"fail\",\"Package\":\"m\"}\n";
    assert_eq!(called(&good(ParserKind::GoJson, died), "TestX"), [E]);
    let main = "{\"Action\":\"pass\",\"Package\":\"m\",\"Test\":\"TestX\"}\n{\"Action\":\"fail\",\"Package\":\"m\"}\n";
    assert_eq!(tally(&good(ParserKind::GoJson, main)), (1, 0, 1, 0));
}

#[test]
fn jest_titles_are_names() {
    // P38
    let results = read(CORPUS[7].0, CORPUS[7].1).unwrap();
    assert_eq!(tally(&results), (2, 1, 1, 1));
    assert!(matches!(results.fault, Some(ResultsFault::Collection { .. })));
    for name in ["inner", "outer deep inner", "outer > deep > inner"] {
        assert_eq!(called(&results, name), [P], "{name}");
    }
    assert_eq!(called(&results, "deep inner"), []);
    assert_eq!(results.cases[0].duration_ms, Some(4));
}

#[test]
fn unittest_lines_are_read_and_not_believed_blindly() {
    // P38, P39: the output of Python 3.11, with a test that prints a forged line.
    let results = read(CORPUS[8].0, CORPUS[8].1).unwrap();
    for (name, outcome) in [
        ("test_pass", P),
        ("test_doc", P),
        ("test_fail", F),
        ("test_error", E),
        ("test_skip", S),
        ("test_sub", F),
        ("test_us", F),
        ("test_xf", P),
        ("test_noise", P),
        ("tests.test_a.A.test_pass", P),
        ("A.test_pass", P),
        ("tests/test_a.py::A::test_pass", P),
    ] {
        assert_eq!(called(&results, name), [outcome], "{name}");
    }
    assert_eq!(called(&results, "test_a"), []);
    assert!(matches!(results.fault, Some(ResultsFault::Collection { .. })));
    // Python 3.9 writes only the class, and a failing sub-test leaves its line open.
    let old = "test_a (t.A) ... ok\ntest_s (t.A) ... test_u (t.A) ... unexpected success\n\n======\nFAIL: test_s (t.A) (i=0)\n------\nno\n\n------\nRan 3 tests in 0.0s\n\nFAILED (failures=1, unexpected successes=1)\n";
    let old = good(ParserKind::UnittestText, old);
    assert_eq!(
        (called(&old, "t.A.test_a"), called(&old, "test_s"), called(&old, "test_u")),
        (vec![P], vec![F], vec![F])
    );
    assert_eq!(old.fault, None);
    let fault = |text: &str| good(ParserKind::UnittestText, text).fault;
    assert_eq!(fault("test_a (t.A.test_a) ... ok\n\n---\nRan 1 test in 0.0s\n\nOK\n"), None);
    assert!(matches!(fault("test_a (t.A.test_a) ... ok\n"), Some(ResultsFault::Collection { .. })));
    let forged = "test_a (t.A.test_a) ... ok\ntest_b (t.A.test_b) ... ok\nRan 1 test in 0.0s\n\nOK\n";
    assert!(matches!(fault(forged), Some(ResultsFault::Tool { .. })));
    assert_eq!(fault("\n---\nRan 0 tests in 0.0s\n\nNO TESTS RAN\n"), None);
}

#[test]
fn output_with_a_hole_says_so() {
    // P45: only what is read from the output has one.
    let options = Options { output_cut: true, ..Options::default() };
    for (kind, bytes) in CORPUS {
        let results = parse(kind, bytes, &options).unwrap();
        let from_file = matches!(kind, ParserKind::Junit | ParserKind::JestJson | ParserKind::Sarif);
        assert_eq!(results.fault == Some(ResultsFault::OutputCut), !from_file, "{kind:?}");
    }
}

#[test]
fn every_file_of_the_corpus_may_be_cut_at_every_byte() {
    // F24
    for (kind, bytes) in CORPUS {
        for end in 0..bytes.len() {
            let cut = read(kind, &bytes[..end]);
            // What is a whole document cannot be cut unnoticed, but for its last line end.
            if matches!(kind, ParserKind::Junit | ParserKind::JestJson | ParserKind::Sarif) {
                let rest = bytes[end..].iter().all(u8::is_ascii_whitespace);
                assert_eq!(cut.is_ok(), rest, "{kind:?} cut at {end}");
            }
        }
    }
}

/// Whether a suite with these results and exit code 0 would pass.
fn would_pass(kind: ParserKind, results: ParsedResults) -> bool {
    let rule = model::proof::requirement::Rule {
        id: model::proof::requirement::RuleId::from_text("r"),
        how: model::proof::requirement::RuleHow::Suite,
        runner: None,
        test: None,
        must_pass: true,
    };
    let command = judge::CommandResult {
        runner: "x".to_owned(),
        end: judge::CommandEnd::Exited { code: 0 },
        parser: kind,
        results: judge::ResultsRead::Read { results },
        exits: judge::Exits::default(),
    };
    judge::judge(&[judge::RuleRun { rule: &rule, commands: Ok(vec![&command]) }]).outcome.is_passed()
}

#[test]
fn no_cut_output_of_a_failing_suite_passes() {
    // F24, P45: even with exit code 0, for the formats that end with a summary or a plan.
    for (kind, bytes) in CORPUS {
        if matches!(kind, ParserKind::Tap | ParserKind::GoJson) {
            continue;
        }
        for end in 0..bytes.len() {
            if let Ok(results) = read(kind, &bytes[..end]) {
                let sections_only =
                    kind == ParserKind::CargoText && results.fault.is_none() && results.counts.bad() == 0;
                assert!(!would_pass(kind, results) || sections_only, "{kind:?} cut at {end}");
            }
        }
    }
}

const KINDS: [ParserKind; 8] = [
    ParserKind::Exit,
    ParserKind::Junit,
    ParserKind::Tap,
    ParserKind::Sarif,
    ParserKind::CargoText,
    ParserKind::GoJson,
    ParserKind::JestJson,
    ParserKind::UnittestText,
];

proptest! {
    /// F24: any bytes.
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300), kind in 0usize..8) {
        let _ = read(KINDS[kind], &bytes);
    }

    /// F24: a corpus file with some bytes changed, doubled or dropped.
    #[test]
    fn mutations_are_read_or_refused(
        file in 0usize..9, edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..3), 1..12),
        kind in proptest::option::of(0usize..8),
    ) {
        let (own, bytes) = CORPUS[file];
        let mut bytes = bytes.to_vec();
        for (at, value, what) in edits {
            let at = at.index(bytes.len());
            match what {
                0 => bytes[at] = value,
                1 => bytes.insert(at, value),
                _ => { bytes.remove(at); }
            }
        }
        if let Ok(results) = read(kind.map_or(own, |at| KINDS[at]), &bytes) {
            prop_assert_eq!(results.counts.total(), results.cases.len() as u64);
        }
    }

    /// F24: words of the line formats in any order.
    #[test]
    fn any_order_of_known_lines_is_read(picks in proptest::collection::vec(0usize..16, 0..30), kind in 0usize..8) {
        let words = [
            "ok 1 - a", "not ok 2 - b # TODO", "1..2", "    ok 1 - c", "        1..1", "Bail out! x", "  ---", "  ...",
            "# Subtest: x", "running 2 tests", "test a ... ok", "test b ...", "failures:", "test result: ok. 1 passed; 0 failed; 0 ignored;",
            "test_a (t.A.test_a) ... ok", "Ran 1 test in 0.1s",
        ];
        let text = picks.iter().map(|at| words[*at]).collect::<Vec<_>>().join("\n");
        let _ = read(KINDS[kind], text.as_bytes());
    }
}
