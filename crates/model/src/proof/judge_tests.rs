use proptest::prelude::*;

use super::*;
use crate::proof::results::Finding;
use Reason as R;

fn rule(how: RuleHow, test: Option<&str>) -> Rule {
    Rule { id: RuleId::from_text("r"), how, runner: None, test: test.map(str::to_owned), must_pass: true }
}

fn exited(code: i32, parser: ParserKind, results: ResultsRead) -> CommandResult {
    CommandResult {
        runner: "rust".to_owned(),
        end: CommandEnd::Exited { code },
        parser,
        results,
        exits: Exits { pass: vec![0], ok: vec![10], unproven: vec![77], broken: vec![3] },
    }
}

fn cases(list: &[(&str, CaseOutcome)]) -> ParsedResults {
    ParsedResults::of(ParserKind::Junit, list.iter().map(|(name, outcome)| Case::new(*name, *outcome)).collect())
}

fn read(results: ParsedResults) -> ResultsRead {
    ResultsRead::Read { results }
}

fn one(rule: &Rule, commands: &[CommandResult]) -> Judgement {
    judge(&[RuleRun { rule, commands: Ok(commands.iter().collect()) }])
}

fn reason(rule: &Rule, commands: &[CommandResult]) -> Option<Reason> {
    one(rule, commands).outcome.reason()
}

/// Exit code, cases, and the reason (none is a pass).
type Row = (i32, &'static [(&'static str, CaseOutcome)], Option<Reason>);

const P: CaseOutcome = CaseOutcome::Passed;
const F: CaseOutcome = CaseOutcome::Failed;
const E: CaseOutcome = CaseOutcome::Error;
const S: CaseOutcome = CaseOutcome::Skipped;

/// P39, P40, P42, P44: a named test, by its own result and the exit code.
#[test]
fn a_named_test_is_judged_by_its_own_result() {
    let rule = rule(RuleHow::Test, Some("a"));
    #[rustfmt::skip]
    let table: &[Row] = &[
        (0, &[("a", P)], None),
        (0, &[("a", F)], Some(R::TestFailed)),
        (0, &[("a", E)], Some(R::TestFailed)),
        (0, &[("a", S)], Some(R::Skipped)),
        (1, &[("a", P)], Some(R::ResultMismatch)),
        (10, &[("a", P)], None),
        (3, &[("a", P)], Some(R::RunnerError)),
        (3, &[("a", F)], Some(R::TestFailed)),
        (1, &[("a", P), ("b", F)], None),                 // b answers for itself
        (1, &[("a", F)], Some(R::TestFailed)),
        (0, &[("a", P), ("a", P)], None),
        (0, &[("a", P), ("a", F)], Some(R::TestFailed)),  // all that carry the name must pass
        (0, &[("a", P), ("a", S)], Some(R::Skipped)),
        (0, &[], Some(R::TestMissing)),
        (4, &[], Some(R::TestMissing)),
        (0, &[("ab", P), ("b::a", P), ("A", P), ("a ", P), ("a[1]", P)], Some(R::TestMissing)),
    ];
    for (code, list, expected) in table {
        let command = exited(*code, ParserKind::Junit, read(cases(list)));
        assert_eq!(reason(&rule, &[command]), *expected, "{code} {list:?}");
    }
}

/// P41, P44: a suite, by all its cases and the exit code.
#[test]
fn a_suite_is_judged_by_its_cases_and_its_exit_code() {
    let rule = rule(RuleHow::Suite, None);
    #[rustfmt::skip]
    let table: &[Row] = &[
        (0, &[("a", P)], None),
        (0, &[("a", P), ("b", S)], None),
        (0, &[("a", P), ("b", F)], Some(R::TestFailed)),
        (0, &[("b", E)], Some(R::TestFailed)),
        (1, &[("a", P), ("b", F)], Some(R::TestFailed)),
        (1, &[("a", P)], Some(R::ResultMismatch)),
        (10, &[("a", P)], None),
        (77, &[("a", P)], Some(R::Skipped)),
        (0, &[("a", S)], Some(R::Skipped)),
        (1, &[("a", S)], Some(R::ResultMismatch)),
        (0, &[], Some(R::NoTests)),
        (1, &[], Some(R::ExitCode)),
        (10, &[], Some(R::NoTests)),
        (77, &[], Some(R::NoTests)),
    ];
    for (code, list, expected) in table {
        let command = exited(*code, ParserKind::Junit, read(cases(list)));
        assert_eq!(reason(&rule, &[command]), *expected, "{code} {list:?}");
    }
    let judged = one(&rule, &[exited(0, ParserKind::Junit, read(cases(&[("a", P), ("b", S)])))]);
    assert_eq!(judged.rules[0].counts, CaseCounts { passed: 1, failed: 0, error: 0, skipped: 1 });
    assert_eq!(judged.message, "1 passed, 1 skipped");
}

/// P33, P43, X4: ends without an exit code, for both kinds of rule.
#[test]
fn an_end_without_an_exit_code_answers_alone() {
    let s = String::new;
    #[rustfmt::skip]
    let table = [
        (CommandEnd::Killed { signal: Some(9), by: s() }, R::Killed),
        (CommandEnd::Killed { signal: None, by: "memory limit".to_owned() }, R::Killed),
        (CommandEnd::TimedOut { limit_s: 5 }, R::Timeout),
        (CommandEnd::Cancelled, R::Cancelled),
        (CommandEnd::ToolMissing { program: s(), hint: s() }, R::RunnerMissing),
        (CommandEnd::SandboxRefused { rule: s() }, R::SandboxRefused),
        (CommandEnd::Refused { code: s(), message: s() }, R::Refused),
        (CommandEnd::Environment { message: "uv.lock is missing".to_owned() }, R::Environment),
        (CommandEnd::Budget, R::Budget),
        (CommandEnd::TreeMoved, R::TreeMoved),
        (CommandEnd::WorkerLost, R::WorkerLost),
        (CommandEnd::DiskFull, R::DiskFull),
        (CommandEnd::Internal { code: s() }, R::InternalError),
    ];
    for (end, expected) in table {
        for rule in [rule(RuleHow::Suite, None), rule(RuleHow::Test, Some("a"))] {
            // Even results that look fine do not outweigh such an end.
            let command = CommandResult { end: end.clone(), ..exited(0, ParserKind::Junit, read(cases(&[("a", P)]))) };
            assert_eq!(reason(&rule, &[command]), Some(expected), "{end:?}");
        }
    }
    let limit =
        CommandResult { end: CommandEnd::TimedOut { limit_s: 5 }, ..exited(0, ParserKind::Exit, ResultsRead::None) };
    assert!(one(&rule(RuleHow::Suite, None), &[limit]).message.contains("5 s"));
}

/// P45, X60: what cannot be read is unproven where the exit code passes, and failed otherwise.
#[test]
fn unreadable_results_are_never_a_pass() {
    let missing = ResultsProblem::Missing { path: "{out}/r.xml".to_owned() };
    let invalid = [
        ResultsProblem::Older { path: String::new() },
        ResultsProblem::TooLarge { bytes: 2, limit: 1 },
        ResultsProblem::TooManyCases { limit: 1 },
        ResultsProblem::Entities,
        ResultsProblem::Malformed { parser: ParserKind::Junit, at: 0, message: String::new() },
    ];
    for rule in [rule(RuleHow::Suite, None), rule(RuleHow::Test, Some("a"))] {
        for parser in [ParserKind::Junit, ParserKind::Tap] {
            let with = |code, problem: &ResultsProblem| {
                reason(&rule, &[exited(code, parser, ResultsRead::Unreadable { problem: problem.clone() })])
            };
            assert_eq!(with(0, &missing), Some(R::ResultsMissing));
            assert_eq!(with(1, &missing), Some(R::ExitCode));
            for problem in &invalid {
                assert_eq!(with(0, problem), Some(R::ResultsInvalid));
                assert_eq!(with(2, problem), Some(R::ExitCode));
            }
            assert_eq!(reason(&rule, &[exited(0, parser, ResultsRead::None)]), Some(R::ResultsMissing));
        }
    }
}

/// P46: what TAP, SARIF and the exit code can say.
#[test]
fn each_format_has_its_own_faults() {
    let suite = rule(RuleHow::Suite, None);
    let test = rule(RuleHow::Test, Some("a"));
    let tap = |fault| {
        let results = ParsedResults { fault: Some(fault), ..cases(&[("a", P)]) };
        exited(0, ParserKind::Tap, read(results))
    };
    for (fault, expected) in [
        (ResultsFault::PlanMissing, R::ResultMismatch),
        (ResultsFault::PlanNotMet { planned: 3, seen: 1 }, R::ResultMismatch),
        (ResultsFault::BailOut { text: String::new() }, R::TestFailed),
        (ResultsFault::Tool { text: String::new() }, R::RunnerError),
    ] {
        assert_eq!(reason(&suite, &[tap(fault.clone())]), Some(expected));
        assert_eq!(reason(&test, &[tap(fault)]), Some(expected));
    }
    // A file elsewhere that does not import, or output that was cut, leaves a test that passed a pass ...
    let collection = ResultsFault::Collection { text: String::new() };
    assert_eq!(reason(&test, &[tap(collection.clone())]), None);
    assert_eq!(reason(&test, &[tap(ResultsFault::OutputCut)]), None);
    // ... and says why a test is not there, or that the suite did not all run.
    assert_eq!(reason(&suite, &[tap(collection.clone())]), Some(R::CollectionError));
    assert_eq!(reason(&suite, &[tap(ResultsFault::OutputCut)]), Some(R::ResultsInvalid));
    // P45: unproven where the exit code passes, failed where it does not.
    let cut = ParsedResults { fault: Some(ResultsFault::OutputCut), ..cases(&[("b", P)]) };
    let cut = exited(101, ParserKind::CargoText, read(cut));
    assert_eq!(reason(&suite, std::slice::from_ref(&cut)), Some(R::ExitCode));
    assert_eq!(reason(&test, &[cut]), Some(R::ExitCode));
    let empty = ParsedResults { fault: Some(collection), ..cases(&[]) };
    assert_eq!(reason(&test, &[exited(101, ParserKind::CargoText, read(empty))]), Some(R::CollectionError));

    let sarif = |code, judged, fault| {
        let mut results = ParsedResults { judged_findings: judged, fault, ..ParsedResults::empty(ParserKind::Sarif) };
        results.findings = Vec::<Finding>::new();
        exited(code, ParserKind::Sarif, read(results))
    };
    assert_eq!(reason(&suite, &[sarif(0, 0, None)]), None);
    assert_eq!(reason(&suite, &[sarif(10, 0, None)]), None);
    assert_eq!(reason(&suite, &[sarif(1, 0, None)]), Some(R::ResultMismatch));
    assert_eq!(reason(&suite, &[sarif(0, 2, None)]), Some(R::Findings));
    assert_eq!(reason(&suite, &[sarif(10, 2, None)]), Some(R::Findings));
    let tool = Some(ResultsFault::Tool { text: String::new() });
    assert_eq!(reason(&suite, &[sarif(0, 0, tool)]), Some(R::RunnerError));

    // P43: the tool's own trouble, which some of them also write among the cases, is none of the work's.
    for (of, expected) in [(E, R::RunnerError), (P, R::RunnerError), (F, R::TestFailed)] {
        let pytest = exited(3, ParserKind::Junit, read(cases(&[("internal", of)])));
        assert_eq!(reason(&suite, &[pytest]), Some(expected));
    }
    assert_eq!(reason(&suite, &[exited(3, ParserKind::Exit, ResultsRead::None)]), Some(R::RunnerError));

    for (code, expected) in [(0, None), (77, Some(R::Skipped)), (10, Some(R::ExitCode)), (1, Some(R::ExitCode))] {
        let command = exited(code, ParserKind::Exit, ResultsRead::None);
        assert_eq!(reason(&suite, std::slice::from_ref(&command)), expected);
        // `{test}` in argv: the command is the test.
        assert_eq!(reason(&test, &[command]), expected);
    }
}

/// P39, P42: several commands and several rules add up to the worst.
#[test]
fn commands_and_rules_add_up_to_the_worst() {
    let test = rule(RuleHow::Test, Some("a"));
    let junit = |list: &[(&str, CaseOutcome)]| exited(0, ParserKind::Junit, read(cases(list)));
    let gone =
        CommandResult { end: CommandEnd::ToolMissing { program: String::new(), hint: String::new() }, ..junit(&[]) };
    assert_eq!(reason(&test, &[junit(&[]), junit(&[("a", P)])]), None);
    assert_eq!(reason(&test, &[junit(&[]), junit(&[])]), Some(R::TestMissing));
    assert_eq!(reason(&test, &[junit(&[]), gone.clone()]), Some(R::RunnerMissing));
    assert_eq!(reason(&test, &[junit(&[("a", P)]), gone.clone()]), Some(R::RunnerMissing));
    assert_eq!(reason(&test, &[gone, junit(&[("a", F)])]), Some(R::TestFailed));

    let good = [junit(&[("a", P)])];
    let bad = [junit(&[("a", F)])];
    let run = |rule, commands: &'static [CommandResult]| RuleRun { rule, commands: Ok(commands.iter().collect()) };
    let good: &'static [CommandResult] = Box::leak(Box::new(good));
    let bad: &'static [CommandResult] = Box::leak(Box::new(bad));
    let shown: &'static Rule = Box::leak(Box::new(Rule { must_pass: false, ..test.clone() }));
    let test: &'static Rule = Box::leak(Box::new(test));
    let unplanned =
        || RuleRun { rule: test, commands: Err(Unplanned { reason: R::NoRunner, message: "configure it".to_owned() }) };
    assert_eq!(judge(&[run(test, good), run(shown, bad)]).outcome, Outcome::PASSED);
    assert_eq!(judge(&[run(shown, good)]).outcome.reason(), Some(R::NoRunner));
    assert_eq!(judge(&[run(test, good), unplanned()]).outcome.reason(), Some(R::NoRunner));
    assert_eq!(judge(&[unplanned(), run(test, bad)]).outcome.reason(), Some(R::TestFailed));
    assert_eq!(judge(&[unplanned()]).message, "configure it");
    assert_eq!(judge(&[]).outcome.verdict(), Verdict::Unproven);
}

fn any_end() -> impl Strategy<Value = CommandEnd> {
    prop_oneof![
        (-1i32..130).prop_map(|code| CommandEnd::Exited { code }),
        Just(CommandEnd::Cancelled),
        Just(CommandEnd::Budget),
        Just(CommandEnd::TimedOut { limit_s: 1 }),
        Just(CommandEnd::Killed { signal: None, by: String::new() }),
    ]
}

fn any_cases() -> impl Strategy<Value = Vec<Case>> {
    let outcome = prop_oneof![Just(P), Just(F), Just(E), Just(S)];
    proptest::collection::vec(("[ab]{1,2}", outcome).prop_map(|(name, outcome)| Case::new(name, outcome)), 0..5)
}

proptest! {
    /// P39, P40, P44: whatever happens, a pass needs a good exit or an explained one, a passing case of that
    /// very name, and no failing one.
    #[test]
    fn a_pass_always_has_its_grounds(end in any_end(), list in any_cases(), whole in any::<bool>()) {
        let rule = if whole { rule(RuleHow::Suite, None) } else { rule(RuleHow::Test, Some("a")) };
        let results = ParsedResults::of(ParserKind::Junit, list.clone());
        let command = CommandResult { end: end.clone(), ..exited(0, ParserKind::Junit, read(results)) };
        let judged = one(&rule, &[command]);
        prop_assert!(!judged.message.is_empty());
        if judged.outcome.is_passed() {
            let own: Vec<_> = list.iter().filter(|case| whole || case.name == "a").collect();
            prop_assert!(own.iter().any(|case| case.outcome == P));
            prop_assert!(own.iter().all(|case| !matches!(case.outcome, F | E)));
            let exited = matches!(end, CommandEnd::Exited { .. });
            prop_assert!(exited);
        }
    }
}
