use proptest::prelude::*;
use serde_json::json;

use super::*;

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}

fn judged(policy: &Policy, line: &str) -> String {
    match policy.judge_command(&words(line), Path::new("/work/repo"), "api") {
        Judged::Allowed => "allowed".to_owned(),
        Judged::Refused { rule, message } => {
            assert!(!message.is_empty() && !message.contains("/work/repo"), "{message}");
            rule
        }
    }
}

fn policy() -> Policy {
    Policy::read(&json!({"commands": [
        {"program": "cargo", "decision": "allow"},
        {"program": "git", "args": [["status"], ["diff", "--stat"]], "decision": "allow"},
        {"program": "git", "args": [["diff", "--stat", "--output"]], "decision": "deny"},
        {"program": "uv", "args": [["run"], ["sync", "--locked"]], "decision": "allow"},
        {"program": "python", "decision": "allow"},
        {"program": "python3", "inline": true, "decision": "allow"},
        {"program": "pytest", "decision": "allow"},
        {"program": "npx", "decision": "allow"},
        {"program": "vitest", "decision": "allow"},
        {"program": "@playwright/test", "decision": "allow"},
        {"program": "node", "decision": "allow"},
        {"program": "coverage", "decision": "allow"},
        {"program": "env", "decision": "allow"},
        {"program": "bash", "decision": "allow"},
        {"program": "sh", "inline": true, "decision": "allow"},
        {"program": "timeout", "decision": "allow"},
        {"program": "find", "decision": "allow"},
        {"program": "perl", "decision": "allow"},
        {"program": "awk", "decision": "allow"},
        {"program": "docker", "decision": "ask", "inline": true},
        {"program": "curl", "decision": "deny"},
        {"program": "wget"},
        {"program": "./ci/contract", "decision": "allow"},
        {"program": "api/.venv/bin/python", "decision": "allow"},
        {"program": "./run", "decision": "allow"},
    ]}))
    .unwrap()
}

// L68: every program that a command would start is looked up.
#[test]
fn each_program_of_a_command_is_judged() {
    let policy = policy();
    #[rustfmt::skip]
    let table = [
        ("cargo test --locked", "allowed"),
        ("cargo test -p model -- -e x", "allowed"),
        ("make", "command_not_listed"),
        ("", "command_empty"),
        // The program is the one on the PATH, or the very file that is listed.
        ("/usr/bin/cargo test", "program_outside"),
        ("./cargo test", "command_not_listed"),
        ("../../bin/cargo", "program_outside"),
        ("../ci/contract --junit x", "allowed"),
        ("/work/repo/ci/contract", "allowed"),
        ("/work/repository/ci/contract", "program_outside"),
        ("ci/contract", "command_not_listed"),
        (".venv/bin/python -m pytest", "allowed"),
        (".venv/bin/python -c pass", "inline_code"),
        ("run", "command_not_listed"),
        ("../run", "allowed"),
        // Arguments.
        ("git status --short", "allowed"),
        ("git push", "arguments_not_listed"),
        ("git", "arguments_not_listed"),
        ("git diff --stat main", "allowed"),
        ("git diff --stat --output x", "command_denied"),
        ("curl https://x", "command_denied"),
        ("wget x", "command_denied"),
        ("docker run x", "command_needs_approval"),
        // Inline code.
        ("python -m pytest -c x", "allowed"),
        ("python -Im pytest", "allowed"),
        ("python x.py -c y", "allowed"),
        ("python -c pass", "inline_code"),
        ("python -Ic pass", "inline_code"),
        ("python -W error -c pass", "inline_code"),
        ("python -X dev x.py -c", "allowed"),
        ("python -m timeit x()", "inline_code"),
        ("python3 -c pass", "allowed"),
        ("bash ci/run.sh -c x", "allowed"),
        ("bash -c x", "inline_code"),
        ("bash -euo pipefail -c x", "inline_code"),
        ("bash -euxc x", "inline_code"),
        ("bash --rcfile y -c x", "inline_code"),
        ("bash +o posix -c x", "inline_code"),
        ("sh -c x", "allowed"),
        ("node -e x", "inline_code"),
        ("node -pe x", "inline_code"),
        ("node --eval=x", "inline_code"),
        ("node -r ./a -p x", "inline_code"),
        ("node --title a -e x", "inline_code"),
        ("node --test --test-reporter=junit x.js -p 1", "allowed"),
        ("node x.js -e y", "allowed"),
        ("perl -w x.pl -e y", "allowed"),
        ("perl -lane x", "inline_code"),
        ("perl -Mstrict -e x", "inline_code"),
        ("awk -f x.awk y", "allowed"),
        ("awk BEGIN{system(x)}", "inline_code"),
        ("find . -name x", "allowed"),
        ("find . -exec rm {} ;", "inline_code"),
        ("timeout 5 rm -rf /", "inline_code"),
        // Wrappers.
        ("uv run --locked pytest -q", "allowed"),
        ("uv run --locked --group dev python -m pytest -q", "allowed"),
        ("uv --directory api run --locked pytest", "arguments_not_listed"),
        ("uv --quiet run pytest", "arguments_not_listed"),
        ("uv run --locked -m pytest -q", "allowed"),
        ("uv run -qm pytest", "allowed"),
        ("uv run -qm ruff", "command_not_listed"),
        ("uv run --package api pytest", "allowed"),
        ("uv run --group=dev pytest", "allowed"),
        ("uv run -p3.12 pytest", "allowed"),
        ("uv run -- pytest", "allowed"),
        ("uv run x.py -c y", "allowed"),
        ("uv run python -c pass", "inline_code"),
        ("uv run ruff check", "command_not_listed"),
        ("uv run --unheard-of pytest", "wrapper_unreadable"),
        ("uv run --with pytest make", "command_not_listed"),
        ("uv run https://x/y.py", "wrapper_unreadable"),
        ("uv run", "wrapper_unreadable"),
        ("uv run env A=1 make", "command_not_listed"),
        ("uv sync --locked", "allowed"),
        ("uv sync", "arguments_not_listed"),
        ("uv tool run x", "wrapper_unreadable"),
        ("npx --no vitest run -c x", "allowed"),
        ("npx vitest@1.2.3 run", "allowed"),
        ("npx @playwright/test@1 test", "allowed"),
        ("npx rimraf /", "command_not_listed"),
        ("npx -c rm", "wrapper_unreadable"),
        ("npx github:x/y", "wrapper_unreadable"),
        ("npx ./x", "wrapper_unreadable"),
        ("npx -p rimraf vitest", "allowed"),
        ("coverage run -m pytest", "allowed"),
        ("coverage run --source src -m make", "command_not_listed"),
        ("coverage run x.py", "allowed"),
        ("coverage report", "allowed"),
        ("coverage run --what x.py", "wrapper_unreadable"),
        ("python -m coverage run -m pytest", "allowed"),
        ("python -m coverage run -m make", "command_not_listed"),
        ("env A=1 -u B pytest", "command_not_listed"),
        ("env -i -u B A=1 pytest", "allowed"),
        ("env A=1 make", "command_not_listed"),
        ("env -- A=1 bash -c x", "inline_code"),
        ("env PATH=/tmp pytest", "wrapper_unreadable"),
        ("env LD_PRELOAD=./x pytest", "wrapper_unreadable"),
        ("env -S bash", "wrapper_unreadable"),
        ("env env env env env env env env env env pytest", "wrapper_unreadable"),
        ("env", "allowed"),
        ("uvx ruff", "wrapper_unreadable"),
    ];
    let wrong: Vec<_> = table
        .into_iter()
        .map(|(line, expected)| (line, expected, judged(&policy, line)))
        .filter(|(_, expected, found)| expected != found)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

// X17, X18: nothing listed, nothing allowed.
#[test]
fn an_empty_policy_allows_nothing() {
    assert_eq!(judged(&Policy::default(), "cargo test"), "command_not_listed");
    let denied = Policy::read(&json!({"commands": [
        {"program": "cargo", "args": [], "decision": "allow"},
    ]}));
    assert_eq!(judged(&denied.unwrap(), "cargo test"), "arguments_not_listed");
}

// L68: where a person can be asked, they are; a denial of any program wins.
#[test]
fn asking_is_between_allowing_and_denying() {
    let policy = policy();
    let decided = |line: &str| policy.decide_command(&words(line), Path::new("/r"), "");
    assert!(matches!(decided("docker run x"), Decided::Ask { .. }));
    assert!(matches!(decided("env A=1 docker run x"), Decided::Ask { .. }));
    assert_eq!(decided("cargo test"), Decided::Allow);
    assert!(matches!(decided("env docker2"), Decided::Deny(_)));
}

// L74: a starter made of what the declared gates start allows exactly them.
#[test]
fn the_programs_of_a_command_can_be_listed() {
    let root = Path::new("/r");
    for (line, expected) in [
        ("env A=1 uv run --locked -m pytest", vec!["env", "pytest", "uv"]),
        ("./ci/run x", vec!["./api/ci/run"]),
        ("bash -c x", vec!["bash"]),
        ("npx --what vitest", vec!["npx"]),
        ("/bin/sh x", vec![]),
        ("uv run x.py", vec!["python", "uv"]),
    ] {
        let programs = programs_of(&words(line), root, "api");
        assert_eq!(programs, expected, "{line}");
        let starter = Policy::starter::<&str>(&[], &programs);
        let is_whole = !matches!(line, "bash -c x" | "npx --what vitest" | "/bin/sh x");
        assert_eq!(judged(&starter, line) == "allowed", is_whole, "{line}");
    }
}

fn word() -> impl Strategy<Value = String> {
    let known = [
        "env", "uv", "run", "npx", "coverage", "python", "-m", "-c", "-e", "--eval", "--", "-", "A=1", "bash", "node",
        "perl", "-p", "--with", "-qm", "pytest", "./x", "/x", "@a/b", "sh", "sed", "-S", "",
    ];
    prop_oneof![4 => proptest::sample::select(known.to_vec()).prop_map(str::to_owned), 1 => ".{0,8}"]
}

proptest! {
    // L68, F24: no argv is more than refused, and an empty policy allows none of them.
    #[test]
    fn any_argv_is_judged(argv in proptest::collection::vec(word(), 0..12), cwd in "[a./]{0,6}") {
        let root = Path::new("/r");
        prop_assert_ne!(Policy::default().judge_command(&argv, root, &cwd), Judged::Allowed);
        policy().judge_command(&argv, root, &cwd);
        programs_of(&argv, root, &cwd);
    }

    // L68: whatever stands before it, a program that is not listed is never started.
    #[test]
    fn no_wrapper_hides_a_program(wraps in proptest::collection::vec(0usize..5, 0..5)) {
        let wrappers: [&[&str]; 5] = [
            &["env", "A=1"], &["uv", "run", "--locked"], &["env", "-i", "--"], &["uv", "run", "--with", "x", "--"], &["env"],
        ];
        let mut argv: Vec<String> = wraps.iter().flat_map(|at| wrappers[*at].iter().map(|word| (*word).to_owned())).collect();
        argv.push("rm".to_owned());
        prop_assert_ne!(policy().judge_command(&argv, Path::new("/r"), ""), Judged::Allowed);
    }
}
