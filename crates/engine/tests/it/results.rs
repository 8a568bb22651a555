//! Every parser over samples that real tools wrote (F24), over each of their prefixes and mutations,
//! and over noise.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use model::{
    limits,
    proof::{
        judge::{CommandEnd, CommandResult, Exits, ResultsRead, RuleRun, judge},
        requirement::{Rule, RuleHow, RuleId},
        results::{CaseCounts, CaseOutcome, ParsedResults, ParserKind, ResultsFault, ResultsProblem},
    },
};
use proofhouse_engine::proof::results::{Dialect, Notation, Options, parse, parse_in};
use proptest::prelude::*;

const KINDS: [ParserKind; 7] = [
    ParserKind::Junit,
    ParserKind::Tap,
    ParserKind::Sarif,
    ParserKind::CargoText,
    ParserKind::GoJson,
    ParserKind::JestJson,
    ParserKind::UnittestText,
];

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

/// Every sample with its format.
fn samples() -> Vec<(ParserKind, String, Vec<u8>)> {
    let mut out = Vec::new();
    for kind in KINDS {
        let mut files: Vec<_> = std::fs::read_dir(corpus().join(kind.as_str()))
            .unwrap_or_else(|error| panic!("{kind:?}: {error} {:?}", corpus()))
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        assert!(!files.is_empty(), "{kind:?} has no sample");
        for file in files {
            let name = format!("{}/{}", kind.as_str(), file.file_name().unwrap().to_str().unwrap());
            out.push((kind, name, std::fs::read(&file).unwrap()));
        }
    }
    out
}

fn dialect(name: &str) -> Dialect<'static> {
    let notation = match name.split(['/', '.', '-']).nth(1) {
        Some("pytest") => Notation::Pytest,
        Some("nextest") => Notation::Nextest,
        Some("vitest") => Notation::Vitest,
        Some("playwright") => Notation::Playwright,
        Some("node") => Notation::NodeTest,
        _ => Notation::Generic,
    };
    Dialect { notation, root: "/home/dev/repo" }
}

/// Reads the bytes as the sample of this name is read.
fn read_as(kind: ParserKind, name: &str, bytes: &[u8], output_cut: bool) -> Result<ParsedResults, ResultsProblem> {
    parse_in(kind, bytes, &Options { output_cut, ..Options::default() }, &dialect(name))
}

fn read(name: &str) -> Result<ParsedResults, ResultsProblem> {
    let (kind, name, bytes) = samples().into_iter().find(|sample| sample.1 == name).unwrap();
    read_as(kind, &name, &bytes, false)
}

fn passed(results: &ParsedResults) -> BTreeMap<&str, usize> {
    let mut names = BTreeMap::new();
    for case in results.cases.iter().filter(|case| case.outcome == CaseOutcome::Passed) {
        *names.entry(case.name.as_str()).or_default() += 1;
    }
    names
}

/// F24, P46: what each tool wrote is read as it was meant.
#[test]
fn the_corpus_is_read_as_it_was_meant() {
    let counted: [(&str, [u64; 4]); 14] = [
        // passed, failed, error, skipped
        ("junit/node.xml", [4, 2, 0, 2]),
        ("junit/pytest-xunit1.xml", [5, 1, 2, 2]),
        ("junit/pytest-xunit2.xml", [5, 1, 1, 2]),
        ("junit/vitest.xml", [2, 2, 0, 2]),
        ("junit/playwright.xml", [1, 0, 1, 0]),
        ("junit/nextest.xml", [4, 1, 0, 0]),
        ("tap/node.tap", [5, 4, 0, 2]),
        ("tap/subtests.tap", [3, 1, 0, 3]),
        ("cargo/failing.txt", [6, 1, 0, 2]),
        ("cargo/aborted.txt", [4, 1, 1, 2]),
        ("go/mixed.json", [1, 2, 0, 1]),
        ("jest/jest.json", [2, 1, 1, 2]),
        ("jest/vitest.json", [2, 1, 1, 2]),
        ("unittest/mixed.txt", [3, 3, 2, 2]),
    ];
    for (name, [passed, failed, error, skipped]) in counted {
        let results = read(name).unwrap_or_else(|problem| panic!("{name}: {problem}"));
        assert_eq!(results.counts, CaseCounts { passed, failed, error, skipped }, "{name}: {:#?}", results.cases);
    }
    assert!(matches!(read("tap/bail.tap").unwrap().fault, Some(ResultsFault::BailOut { .. })));
    assert!(matches!(read("cargo/does-not-compile.txt").unwrap().fault, Some(ResultsFault::Collection { .. })));
    assert!(matches!(read("unittest/import-error.txt").unwrap().fault, Some(ResultsFault::Collection { .. })));
    assert!(matches!(read("jest/jest.json").unwrap().fault, Some(ResultsFault::Collection { .. })));
    // A test that leaves its process with 0: cargo is content, and nobody knows what held.
    assert!(matches!(read("cargo/exits-early.txt"), Err(ResultsProblem::Malformed { .. })));
    let sarif = read("sarif/mixed.sarif").unwrap();
    assert_eq!((sarif.findings.len(), sarif.judged_findings, sarif.fault), (6, 2, None));
}

/// P39: full names as their tools write them, met by equality alone.
#[test]
fn names_of_the_corpus_are_full_names() {
    for (name, called) in [
        ("junit/pytest-xunit1.xml", "tests/test_a.py::test_ok"),
        ("junit/pytest-xunit1.xml", "tests/test_a.py::TestC::test_in"),
        ("junit/pytest-xunit1.xml", "tests/test_a.py::test_p[a b]"),
        ("junit/pytest-xunit2.xml", "tests/test_a.py::Req::test_u"),
        ("junit/vitest.xml", "outer inner works"),
        ("junit/playwright.xml", "d t1"),
        ("junit/nextest.xml", "deep::works"),
        ("junit/nextest.xml", "sample::it deep::works"),
        ("junit/node.xml", "suite deep inner"),
        ("tap/node.tap", "suite deep inner"),
        ("cargo/failing.txt", "tests::ok"),
        ("cargo/failing.txt", "it it_works"),
        ("go/mixed.json", "TestReq_0007_unit_login"),
        ("jest/jest.json", "outer inner works"),
        ("unittest/mixed.txt", "tests.test_u.C.test_ok"),
    ] {
        let results = read(name).unwrap();
        let is_called = |called: &str| {
            let cases = results.cases.iter().filter(|case| case.is_called(called));
            cases.map(|case| case.outcome).collect::<Vec<_>>()
        };
        assert_eq!(is_called(called), [CaseOutcome::Passed], "{name}: {called}");
        assert_eq!(is_called(&called[1..]), [], "{name}: {called}");
        assert_eq!(is_called(&called[..called.len() - 1]), [], "{name}: {called}");
        assert_eq!(is_called(&format!("{called}x")), [], "{name}: {called}");
    }
}

/// Whether a suite with these results and exit code 0 passes.
fn would_pass(kind: ParserKind, results: &ParsedResults) -> bool {
    let (id, how) = (RuleId::from_text("r"), RuleHow::Suite);
    let rule = Rule { id, how, runner: None, test: None, must_pass: true };
    let command = CommandResult {
        runner: "x".to_owned(),
        end: CommandEnd::Exited { code: 0 },
        parser: kind,
        results: ResultsRead::Read { results: results.clone() },
        exits: Exits::default(),
    };
    judge(&[RuleRun { rule: &rule, commands: Ok(vec![&command]) }]).outcome.is_passed()
}

/// P45, F24: cut at any byte, a document with an end is invalid, and nothing else has a pass, or a
/// whole, that the complete sample does not have.
#[test]
fn a_truncated_sample_makes_up_nothing() {
    for (kind, name, bytes) in samples() {
        let whole = read_as(kind, &name, &bytes, false);
        let end = bytes.trim_ascii_end().len();
        for at in 0..end {
            let part = read_as(kind, &name, &bytes[..at], false);
            let closed = matches!(kind, ParserKind::Junit | ParserKind::Sarif | ParserKind::JestJson);
            assert!(!closed || part.is_err(), "{name} at {at}");
            let Ok(part) = part else { continue };
            let Ok(whole) = &whole else {
                assert_eq!(part.counts.passed, 0, "{name} at {at}");
                continue;
            };
            let all = passed(whole);
            // Sections and packages end one by one; everything else has one end that is missing here.
            let sections = matches!(kind, ParserKind::CargoText | ParserKind::GoJson);
            assert!(sections || !would_pass(kind, &part) || part.counts == whole.counts, "{name} at {at} would pass");
            for (case, times) in passed(&part) {
                assert!(all.get(case).is_some_and(|most| *most >= times), "{name} at {at}: {case} did not pass");
            }
        }
    }
}

/// P34: the same with a hole of any place and size in the output.
#[test]
fn a_hole_in_an_output_makes_up_nothing() {
    for (kind, name, bytes) in samples() {
        let whole = read_as(kind, &name, &bytes, false);
        for from in (0..bytes.len()).step_by(37) {
            for to in (from + 1..bytes.len()).step_by(211) {
                let marker = format!("\n[... {} bytes left out ...]\n", to - from);
                let holed = [&bytes[..from], marker.as_bytes(), &bytes[to..]].concat();
                let Ok(part) = read_as(kind, &name, &holed, true) else { continue };
                let all = whole.as_ref().map(passed).unwrap_or_default();
                for (case, _) in passed(&part) {
                    // TAP numbers its levels by indentation: without its parent's line a subtest keeps
                    // only its own title.
                    let known = |name: &&str| *name == case || (kind == ParserKind::Tap && name.ends_with(case));
                    assert!(all.keys().any(known), "{name} {from}..{to}: {case} did not pass");
                }
                if part.fault.is_none() && part.counts.bad() == 0 {
                    let complete = whole.as_ref().is_ok_and(|whole| whole.counts == part.counts);
                    assert!(complete, "{name} {from}..{to} looks complete");
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// F24: no bytes make a parser panic.
    #[test]
    fn noise_is_survived(bytes in proptest::collection::vec(any::<u8>(), 0..512), cut in any::<bool>()) {
        for kind in KINDS {
            let _ = parse(kind, &bytes, &Options { output_cut: cut, ..Options::default() });
        }
    }

    /// F24: nor does a soup of the words that the formats are made of.
    #[test]
    fn soups_of_words_are_survived(words in proptest::collection::vec(prop_oneof![
        Just("ok 1 - a"), Just("not ok"), Just("1..2"), Just("    "), Just("\n"), Just("  ---\n"), Just("  ...\n"),
        Just("Bail out!"), Just("# SKIP"), Just("# Subtest: x"), Just("running 1 test\n"), Just("test a ... "), Just("ok\n"),
        Just("test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n"), Just("failures:\n"),
        Just("---- a stdout ----\n"), Just("error: test failed, to rerun pass `--lib`\n"), Just("t (m.C.t) ... "),
        Just("======================================================================\n"), Just("FAIL: t (m.C.t)\n"),
        Just("----------------------------------------------------------------------\n"), Just("Ran 1 test in 0.1s\n"),
        Just("\n[... 3 bytes left out ...]\n"), Just("<testsuite>"), Just("<testcase name='a'>"), Just("<failure>"),
        Just("</failure>"), Just("</testcase>"), Just("</testsuite>"), Just("<![CDATA["), Just("]]>"), Just("é"),
        Just("{\"Action\":\"run\",\"Package\":\"p\",\"Test\":\"T\"}\n"), Just("{\"Action\":\"pass\",\"Package\":\"p\"}\n"),
    ], 0..40), cut in any::<bool>()) {
        let text: String = words.concat();
        for kind in KINDS {
            let _ = parse(kind, text.as_bytes(), &Options { output_cut: cut, ..Options::default() });
        }
    }

    /// F24: a sample with bytes changed, dropped and doubled is survived, and passes nobody whom it
    /// does not name.
    #[test]
    fn mutated_samples_are_survived(
        which in any::<prop::sample::Index>(),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..3), 1..8),
    ) {
        let all = samples();
        let (kind, name, mut bytes) = all[which.index(all.len())].clone();
        for (at, byte, how) in edits {
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => { bytes.remove(at); }
                _ => bytes.insert(at, byte),
            }
        }
        if let Ok(results) = read_as(kind, &name, &bytes, false) {
            let mut counted = CaseCounts::default();
            results.cases.iter().for_each(|case| counted.add(case.outcome));
            prop_assert_eq!(counted, results.counts);
        }
    }
}

/// A file of this format with this many cases that passed.
fn many(kind: ParserKind, cases: usize) -> String {
    let each = |line: &dyn Fn(usize) -> String| (0..cases).map(line).collect::<String>();
    match kind {
        ParserKind::Junit => format!(
            "<testsuites><testsuite name='s'>{}</testsuite></testsuites>",
            each(&|n| format!(
                "<testcase classname='a.b' name='t{n}' time='0.1'><system-out>x</system-out></testcase>\n"
            ))
        ),
        ParserKind::Tap => {
            format!("1..{cases}\n{}", each(&|n| format!("ok {} - t{n}\n  ---\n  duration_ms: 1\n  ...\n", n + 1)))
        }
        ParserKind::Sarif => format!(
            r#"{{"version":"2.1.0","runs":[{{"results":[{}]}}]}}"#,
            each(&|n| format!(r#"{}{{"ruleId":"R{n}","message":{{"text":"m"}}}}"#, if n == 0 { "" } else { "," }))
        ),
        ParserKind::CargoText => format!(
            "running {cases} tests\n{}\ntest result: ok. {cases} passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s\n",
            each(&|n| format!("test t{n} ... ok\n"))
        ),
        ParserKind::GoJson => format!(
            "{}{{\"Action\":\"pass\",\"Package\":\"p\"}}\n",
            each(&|n| format!(
                "{{\"Action\":\"run\",\"Package\":\"p\",\"Test\":\"T{n}\"}}\n{{\"Action\":\"pass\",\"Package\":\"p\",\"Test\":\"T{n}\",\"Elapsed\":0.1}}\n"
            ))
        ),
        ParserKind::JestJson => format!(
            r#"{{"testResults":[{{"name":"a.js","status":"passed","assertionResults":[{}]}}]}}"#,
            each(&|n| format!(
                r#"{}{{"ancestorTitles":["o"],"title":"t{n}","status":"passed"}}"#,
                if n == 0 { "" } else { "," }
            ))
        ),
        _ => format!(
            "{}\n{}\nRan {cases} tests in 1.0s\n\nOK\n",
            each(&|n| format!("t{n} (m.C.t{n}) ... ok\n")),
            "-".repeat(70)
        ),
    }
}

/// P45, section 9: 200,000 cases are read, one more is not, and neither takes long.
#[test]
fn the_limit_of_cases_holds_and_is_reached_quickly() {
    // Without optimisation the larger formats take seconds; `--release` reads them all.
    let quick = [ParserKind::CargoText, ParserKind::UnittestText];
    let mut slowest = Duration::ZERO;
    for kind in KINDS.into_iter().filter(|kind| !cfg!(debug_assertions) || quick.contains(kind)) {
        let text = many(kind, limits::RESULT_CASES);
        let start = Instant::now();
        let results = parse(kind, text.as_bytes(), &Options::default()).unwrap();
        slowest = slowest.max(start.elapsed());
        println!("{}: {} cases in {:?}", kind.as_str(), limits::RESULT_CASES, start.elapsed());
        let read = if kind == ParserKind::Sarif { results.findings.len() } else { results.cases.len() };
        assert_eq!((read, results.fault), (limits::RESULT_CASES, None), "{kind:?}");
        let text = many(kind, limits::RESULT_CASES + 1);
        let limit = limits::RESULT_CASES as u64;
        assert_eq!(parse(kind, text.as_bytes(), &Options::default()), Err(ResultsProblem::TooManyCases { limit }));
    }
    let bound = if cfg!(debug_assertions) { Duration::from_secs(20) } else { Duration::from_secs(2) };
    assert!(slowest < bound, "{slowest:?}");
}

/// P45, section 9: what is larger than any results may be is not looked at.
#[test]
fn the_limit_of_size_holds() {
    let bytes = vec![b' '; usize::try_from(limits::RESULTS_FILE).unwrap() + 1];
    for kind in KINDS {
        let read = parse(kind, &bytes, &Options::default());
        assert_eq!(read, Err(ResultsProblem::TooLarge { bytes: bytes.len() as u64, limit: limits::RESULTS_FILE }));
    }
}

/// F24: inputs made to be slow are not.
#[test]
fn hostile_inputs_are_read_in_linear_time() {
    const N: usize = 300_000;
    let start = Instant::now();
    let attributes: String = (0..N).map(|n| format!(" a{n}=''")).collect();
    let hostile = [
        (ParserKind::Junit, format!("<testsuite{attributes}/>")),
        (ParserKind::Junit, "<testsuite name='x'>".repeat(N)),
        (ParserKind::Junit, format!("<testsuite><testcase name='{}'/></testsuite>", "a > ".repeat(N))),
        (ParserKind::Junit, format!("<testsuite>{}</testsuite>", "<failure/>".repeat(N / 4))),
        (ParserKind::Tap, "    ok\n".repeat(N)),
        (ParserKind::Tap, (0..N).map(|n| format!("{}ok\n", " ".repeat(4 * (n % 31)))).collect()),
        (ParserKind::Sarif, format!("{}{}", "[".repeat(N), "]".repeat(N))),
        (ParserKind::JestJson, "{\"testResults\":".repeat(N)),
        (
            ParserKind::CargoText,
            format!(
                "running {N} tests\n{}",
                "test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n".repeat(2000)
            ),
        ),
        (
            ParserKind::CargoText,
            format!("running 1 test\ntest a ... FAILED\nfailures:\n{}", "---- b stdout ----\n".repeat(N)),
        ),
        (ParserKind::UnittestText, "t (m.C.t)\n".repeat(N)),
        (ParserKind::UnittestText, "t (m.C.t) ... ".repeat(N)),
        (ParserKind::UnittestText, many(ParserKind::UnittestText, N / 2) + &"  u (m.C.u) (i=1) ... FAIL\n".repeat(N)),
        (ParserKind::CargoText, "test a ... ".repeat(N)),
        (ParserKind::GoJson, "{\"Action\":\"output\",\"Package\":\"p\",\"Output\":\"x\"}\n".repeat(N)),
    ];
    for (kind, text) in &hostile {
        let before = Instant::now();
        let _ = parse(*kind, text.as_bytes(), &Options::default());
        assert!(before.elapsed() < Duration::from_secs(10), "{kind:?}: {:?}", before.elapsed());
    }
    println!("hostile inputs took {:?}", start.elapsed());
}

/// P10: names and messages come out harmless, whatever stood in the file.
#[test]
fn names_and_messages_are_harmless() {
    let text = "<testsuite><testcase name='a&#27;[2J'><failure message='&#27;]0;x&#7;'/></testcase></testsuite>";
    let results = parse(ParserKind::Junit, text.as_bytes(), &Options::default()).unwrap();
    let case = &results.cases[0];
    let all: BTreeSet<char> = case.name.chars().chain(case.message.as_deref().unwrap_or("").chars()).collect();
    assert!(!all.iter().any(|c| c.is_control()), "{all:?}");
}
