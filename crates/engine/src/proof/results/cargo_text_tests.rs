use model::proof::results::CaseCounts;

use super::*;

const CUT: bool = false;
const OK1: &str = "test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n";
const OK2: &str = "test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n";
const BAD1: &str =
    "test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n";
const IT: &str = "     Running tests/it.rs (target/debug/deps/it-0123456789abcdef)\n";

fn read(text: &str) -> Result<ParsedResults, ResultsProblem> {
    parse(text.as_bytes(), CUT)
}

fn outcomes(text: &str) -> Vec<(String, CaseOutcome)> {
    read(text).unwrap().cases.into_iter().map(|case| (case.name, case.outcome)).collect()
}

/// P39, P40: several binaries and doctests; names are those of the binary, or with it in front.
#[test]
fn every_binary_is_read() {
    let text = format!(
        "{IT}\nrunning 2 tests\ntest a::b ... ok\ntest c - should panic ... ok <0.100s>\n\n{OK2}\n   Doc-tests x\n\nrunning 1 test\ntest src/lib.rs - f (line 3) - compile fail ... ok\n\n{OK1}"
    );
    let results = read(&text).unwrap();
    assert_eq!(results.counts, CaseCounts { passed: 3, ..CaseCounts::default() });
    assert!(
        results.cases[0].is_called("a::b") && results.cases[0].is_called("it a::b") && !results.cases[0].is_called("b")
    );
    assert_eq!(results.cases[0].file.as_deref(), Some("tests/it.rs"));
    assert!(results.cases[1].is_called("c") && results.cases[1].is_called("c - should panic"));
    assert_eq!(results.cases[1].duration_ms, Some(100));
    assert!(results.cases[2].is_called("src/lib.rs - f (line 3)"));
}

/// P40: with one test at a time, what it prints stands between its name and its end.
#[test]
fn output_between_a_name_and_its_end_is_passed_over() {
    use CaseOutcome as O;
    let list = "running 1 test\ntest a ... hello\n";
    assert_eq!(outcomes(&format!("{list}world\nok\n\n{OK1}")), [("a".to_owned(), O::Passed)]);
    assert_eq!(outcomes(&format!("{list}worldok\n\n{OK1}")), [("a".to_owned(), O::Passed)]);
    assert_eq!(outcomes(&format!("{list}worldFAILED\n\n{BAD1}")), [("a".to_owned(), O::Failed)]);
    // It printed `ok`, and failed.
    assert!(read(&format!("{list}ok\n\n{BAD1}")).is_err());
}

/// P40: what a failing test printed is no result, even if it is the output of another `cargo test`.
#[test]
fn what_a_failing_test_said_is_no_result() {
    let text = format!(
        "running 1 test\ntest outer ... FAILED\n\nfailures:\n\n---- outer stdout ----\n{IT}\nrunning 1 test\ntest inner ... ok\n\n{OK1}error: test failed, to rerun pass `--lib`\n\nfailures:\n    outer\n\n{BAD1}"
    );
    assert_eq!(outcomes(&text), [("outer".to_owned(), CaseOutcome::Failed)]);
    assert!(read(&text).unwrap().cases[0].message.as_deref().unwrap().contains("inner"));
}

/// P40: what a test lets through to the stream does not become a test that passed.
#[test]
fn what_leaks_between_the_lines_does_not_pass() {
    let leaked = format!("running 1 test\nrunning 1 test\ntest inner ... ok\n\n{OK1}\ntest outer ... FAILED\n\n{BAD1}");
    assert!(matches!(read(&leaked), Err(ResultsProblem::Malformed { .. })));
    let leaked = format!("running 2 tests\ntest fake ... ok\ntest a ... ok\ntest b ... ok\n\n{OK2}");
    assert!(matches!(read(&leaked), Err(ResultsProblem::Malformed { .. })));
}

/// P45, P34: a binary without a summary makes the whole invalid: it may have left by itself.
#[test]
fn a_binary_without_a_summary_is_invalid() {
    for bad in [
        String::new(),
        "running 2 tests\n".to_owned(),
        "running 1 test\ntest a ... ok\n".to_owned(),
        format!("running 1 test\ntest a ... ok\n{IT}\nrunning 1 test\ntest b ... ok\n\n{OK1}"),
        format!("running 3 tests\ntest a ... ok\ntest b ... ok\n\n{OK2}"),
        OK1.to_owned(),
        "    Finished `test` profile\n".to_owned(),
    ] {
        assert!(matches!(read(&bad), Err(ResultsProblem::Malformed { .. })), "{bad}");
    }
}

/// P44: a binary that cargo says has died is an error, and what it had said stands.
#[test]
fn a_binary_that_died_is_an_error() {
    use CaseOutcome as O;
    let text = format!(
        "{IT}\nrunning 3 tests\ntest a ... ok\ntest b ... error: test failed, to rerun pass `--test it`\n\nCaused by:\n  process didn't exit successfully: `/x/it-0123456789abcdef` (signal: 6, SIGABRT: process abort signal)\n{IT}\nrunning 1 test\ntest c ... ok\n\n{OK1}"
    );
    let results = read(&text).unwrap();
    let names: Vec<_> = results.cases.iter().map(|case| (case.name.as_str(), case.outcome)).collect();
    assert_eq!(names, [("a", O::Passed), ("b", O::Error), ("it", O::Error), ("c", O::Passed)]);
    let message = results.cases[2].message.as_deref().unwrap();
    assert!(message.contains("SIGABRT") && !message.contains("/x/"), "{message}");
    assert!(results.notes.iter().any(|note| note.contains("2 of 3")), "{:?}", results.notes);
}

/// P43: a compile error has no cases and is a collection error.
#[test]
fn a_compile_error_has_no_cases() {
    let text = "error[E0308]: mismatched types\n --> src/lib.rs:1:1\nerror: could not compile `x` (lib test) due to 1 previous error\n";
    let results = read(text).unwrap();
    assert_eq!(results.counts.total(), 0);
    assert_eq!(results.fault, Some(ResultsFault::Collection { text: "error[E0308]: mismatched types".to_owned() }));
}

/// P34: a cut output is never complete; failures behind the gap count, passes do not.
#[test]
fn a_cut_output_is_never_complete() {
    let cut = true;
    let marker = "\n[... 99 bytes left out ...]\n";
    let text = format!("running 2 tests\ntest a ... ok\ntest b ... o{marker}k\ntest c ... ok\n\n{OK2}");
    let results = parse(text.as_bytes(), cut).unwrap();
    assert_eq!((results.counts.passed, results.cases.len(), results.fault), (1, 1, Some(ResultsFault::OutputCut)));
    let text = format!("running 1 test\ntest a ... ok\n\n{OK1}{marker}x\n{BAD1}");
    assert_eq!(parse(text.as_bytes(), cut).unwrap().counts.failed, 1);
}
