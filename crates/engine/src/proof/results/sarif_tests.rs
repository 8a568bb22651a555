use super::*;

fn read(results: &str, more: &str, fail_on: FindingLevel) -> Result<ParsedResults, ResultsProblem> {
    let rules =
        r#"[{"id":"E","defaultConfiguration":{"level":"error"}},{"id":"N","defaultConfiguration":{"level":"note"}}]"#;
    let text = format!(
        r#"{{"version":"2.1.0","runs":[{{"tool":{{"driver":{{"name":"scan","rules":{rules}}}}},"results":{results}{more}}}]}}"#
    );
    parse(text.as_bytes(), fail_on, "")
}

/// P46: results at or above `fail_on` count; the level is looked up where SARIF says.
#[test]
fn levels_are_found_and_compared() {
    use FindingLevel as L;
    for (remark, level) in [
        (r#"{"level":"error"}"#, L::Error),
        ("{}", L::Warning),
        (r#"{"ruleId":"E"}"#, L::Error),
        (r#"{"ruleIndex":1}"#, L::Note),
        (r#"{"rule":{"index":0}}"#, L::Error),
        (r#"{"ruleId":"E","level":"note"}"#, L::Note),
        (r#"{"ruleId":"X","ruleIndex":9}"#, L::Warning),
        (r#"{"ruleId":"E","kind":"pass"}"#, L::None),
        (r#"{"ruleId":"E","kind":"fail"}"#, L::Error),
    ] {
        for fail_on in [L::None, L::Note, L::Warning, L::Error] {
            let results = read(&format!("[{remark}]"), "", fail_on).unwrap();
            assert_eq!(results.findings[0].level, level, "{remark}");
            assert_eq!(results.judged_findings, u64::from(level >= fail_on && level > L::None), "{remark} {fail_on:?}");
        }
    }
}

/// P46: suppressed ones are listed, not judged.
#[test]
fn suppressed_remarks_are_listed_and_not_judged() {
    for (more, suppressed) in [
        (r#""suppressions":[{"kind":"inSource"}]"#, true),
        (r#""suppressions":[{"status":"accepted"}]"#, true),
        (r#""suppressions":[]"#, false),
        (r#""suppressions":[{"status":"underReview"}]"#, false),
        (r#""suppressions":[{"status":"accepted"},{"status":"rejected"}]"#, false),
        (r#""baselineState":"absent""#, true),
        (r#""baselineState":"new""#, false),
    ] {
        let results = read(&format!(r#"[{{"level":"error",{more}}}]"#), "", FindingLevel::Error).unwrap();
        assert_eq!((results.findings.len(), results.findings[0].suppressed), (1, suppressed), "{more}");
        assert_eq!(results.judged_findings, u64::from(!suppressed), "{more}");
    }
}

/// P46: an invocation that was not successful is the tool's own error.
#[test]
fn an_unsuccessful_invocation_is_a_fault() {
    let more = r#","invocations":[{"executionSuccessful":true},{"executionSuccessful":false,"exitCodeDescription":"out of memory"}]"#;
    for results in ["[]", "null"] {
        let fault = read(results, more, FindingLevel::Error).unwrap().fault;
        assert_eq!(fault, Some(ResultsFault::Tool { text: "scan: out of memory".to_owned() }));
    }
}

/// P46: an override of the level in force holds.
#[test]
fn an_override_of_a_level_holds() {
    let more = r#","invocations":[{"executionSuccessful":true,"ruleConfigurationOverrides":[{"descriptor":{"index":1},"configuration":{"level":"error"}}]}]"#;
    assert_eq!(read(r#"[{"ruleId":"N"}]"#, more, FindingLevel::Error).unwrap().judged_findings, 1);
}

/// P45, P46: a file without a run, or whose run scanned nothing, is invalid.
#[test]
fn what_says_nothing_is_invalid() {
    for bad in [
        "",
        "{}",
        "[]",
        r#"{"version":"2.1.0"}"#,
        r#"{"version":"2.1.0","runs":null}"#,
        r#"{"version":"2.1.0","runs":[]}"#,
        r#"{"version":"1.0.0","runs":[{"results":[]}]}"#,
        r#"{"runs":[{"results":[]}]}"#,
        r#"{"version":"2.1.0","runs":[{}]}"#,
        r#"{"version":"2.1.0","runs":[{"results":[],"externalPropertyFileReferences":{"results":[{}]}}]}"#,
        r#"{"version":"2.1.0","runs":[{"results":[]}]"#,
        r#"{"version":"2.1.0","runs":[{"results":[{"level":"fatal"}]}]}"#,
    ] {
        let read = parse(bad.as_bytes(), FindingLevel::Error, "");
        assert!(matches!(read, Err(ResultsProblem::Malformed { .. })), "{bad}");
    }
    assert_eq!(read("[]", "", FindingLevel::Error).unwrap().judged_findings, 0);
}
