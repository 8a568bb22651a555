//! What people get wrong and what machines do to them: each with its code, its hint, and nothing lost.
//! Folders that are no repository stand in `repositories`, ports and data folders in `data_folder`.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use super::{
    house::{House, Ran, ended},
    proof::{in_project, set_up},
};

/// Gates that are each wrong in a way of their own; `{out}` is the command's own folder.
const GATES: &str = r#"
[proof.gates.unit]
runner = "command"
argv = ["./missing"]
[proof.gates.contract]
runner = "command"
argv = ["./text"]
[proof.gates.e2e]
runner = "command"
argv = ["no-such-tool"]
[proof.gates.visual]
runner = "command"
argv = ["./quiet"]
[proof.gates.a11y]
runner = "command"
argv = ["./binary"]
[proof.gates.perf]
runner = "command"
argv = ["./lies", "{out}/r.xml"]
parser = { kind = "junit", path = "{out}/r.xml" }
[proof.gates.sec]
runner = "command"
argv = ["./quiet"]
parser = { kind = "junit", path = "{out}/r.xml" }
[proof.gates.demo]
runner = "command"
argv = ["./nonsense", "{out}/r.xml"]
parser = { kind = "junit", path = "{out}/r.xml" }
"#;
const LIES: &str = r#"#!/bin/sh
echo '<testsuites tests="9" failures="0"><testsuite name="s" tests="9" failures="0" errors="0">
<testcase name="a"/><testcase name="b"><failure message="1 is not 2"/></testcase></testsuite></testsuites>' > "$1"
"#;

/// A project of these gates, with one requirement for each of those named.
fn odd(house: &House) -> std::path::PathBuf {
    let files = [
        ("proofhouse.toml", GATES),
        ("text", "not a program\n"),
        ("quiet", "#!/bin/sh\n"),
        ("binary", "#!/bin/sh\nprintf '\\000\\001\\377\\376\\033[31mred\\033]0;title\\007\\n'\n"),
        ("lies", LIES),
        ("nonsense", "#!/bin/sh\necho '<testsuites><testsuite' > $1\n"),
    ];
    let root = house.repository("odd", &files);
    house.run(["init", "--yes", root.to_str().unwrap()]).said("ready");
    root
}

// P43, P44, P45, P46: each gate that cannot say what it should says so in words, and none of it passes.
#[test]
fn gates_that_are_wrong_say_how() {
    let house = House::new();
    let root = odd(&house);
    for gate in ["contract", "e2e", "visual", "a11y", "perf", "sec", "demo"] {
        house.run_in(&root, ["proof", "capture", "--title", "It holds", "--suite", gate]).said("REQ-000");
    }
    let ran = house.run_in(&root, ["proof", "run"]);
    assert_eq!(ran.code, 1, "{ran}");
    let line = |gate: &str| ran.out.lines().find(|line| line.contains(&format!("  {gate} "))).unwrap().to_owned();
    for (gate, words) in [
        ("unit", "unproven"),
        ("unit", "runner_missing: ./missing could not be started: there is no such file in the repository"),
        ("contract", "runner_missing: ./text could not be started: make it executable: chmod +x ./text"),
        ("e2e", "runner_missing: no-such-tool could not be started: install `no-such-tool`"),
        ("visual", "passed"),
        ("a11y", "passed"),
        // The cases decide, whatever the file counts.
        ("perf", "failed"),
        ("perf", "test_failed: 1 of 2 cases failed; first: b: 1 is not 2"),
        ("sec", "results_missing: the command wrote no results file at {out}/r.xml"),
        ("demo", "unproven"),
        ("demo", "results_invalid"),
    ] {
        assert!(line(gate).contains(words), "{gate}, {words:?}: {ran}");
    }
    house.run_in(&root, ["proof", "evidence", "4/visual", "--output"]).said("");
    // P34: bytes that are no text reach neither a terminal nor a reader as they are.
    let binary = house.run_in(&root, ["proof", "evidence", "REQ-0005/a11y", "--output"]);
    binary.said("red");
    assert!(!binary.out.contains(['\u{1b}', '\u{7}', '\u{0}']), "{:?}", binary.out);
    house.run_in(&root, ["proof", "show", "6"]).said("what it printed: proofhouse proof evidence");
}

// P61, issue 2: file, line, column, what is wrong and what was expected; doctor says the same, and a run
// that meets it fails without guessing.
#[test]
fn a_malformed_file_is_told_by_line_and_column() {
    let house = House::new();
    let root = set_up(&house, &["unit"]);
    for (text, words) in [
        ("[proof.gates.unit\n", "proofhouse.toml:1:18: unclosed table, expected `]`"),
        ("[prof]\n", "proofhouse.toml:1:2: unknown field `prof`, expected `project` or `proof`"),
        ("[proof]\n\nno_such_key = 1\n", "proofhouse.toml:3:1: unknown field `no_such_key`, expected"),
        (
            "[proof.gates.unit]\nrunner = \"comand\"\n",
            "proofhouse.toml:2:10: unknown runner \"comand\"; expected one of rust",
        ),
        ("[proof.gates.unit]\nrunner = \"command\"\n", "proofhouse.toml:2:10: runner \"command\" needs argv"),
        (
            "[proof.gates.unit]\nrunner = \"command\"\nargv = \"./x -y\"\n",
            "proofhouse.toml:3:8: invalid type: string \"./x -y\", expected a list, such as [\"./check\", \"--all\"]",
        ),
        (
            "[proof.gates.unit]\nrunner = \"command\"\nargv = []\n",
            "proofhouse.toml:3:8: argv must start with a program",
        ),
        ("[proof.gates.unit]\ntimeout_s = 0\n", "proofhouse.toml:2:13: timeout_s must be from 1 to 7200"),
        ("[proof.gates.Unit]\n", "proofhouse.toml:1:14: a gate name is 1 to 32 of a-z"),
        ("[proof.gates.unit]\ncwd = \"../..\"\n", "proofhouse.toml:2:7: cwd leads out of the repository"),
        (
            "[proof.gates.unit]\nparser = { kind = \"junt\" }\n",
            "unknown variant `junt`, expected one of `exit`, `junit`",
        ),
    ] {
        fs::write(root.join("proofhouse.toml"), text).unwrap();
        let gates = house.run_in(&root, ["proof", "gates"]);
        gates.refused(2, words);
        gates.refused(2, "PH-1113");
        gates.refused(2, "hint: mend the line that is named");
        let doctor = house.run_in(&root, ["doctor"]);
        doctor.said_no(words);
    }
    let ran = house.run_in(&root, ["proof", "run"]);
    assert_eq!(ran.code, 3, "{ran}");
    assert!(ran.out.contains("config_invalid") && ran.out.contains("unknown variant `junt`"), "{ran}");
    // Mended, it goes on; what was captured is there.
    house.git(&root, ["checkout", "-q", "."]);
    house.run_in(&root, ["proof", "run"]).said("PASSED");
}

// What does not exist is named as it was given, with where to look.
#[test]
fn what_is_not_there_is_named() {
    let house = House::new();
    let root = set_up(&house, &["unit"]);
    for (args, words) in [
        (&["proof", "run", "--gate", "unti"][..], "\"unti\" is not a gate of this project (PH-1107)"),
        (&["proof", "capture", "--title", "t", "--gate", "unti"], "\"unti\" is not a gate of this project"),
        (&["proof", "run", "-r", "REQ-0099"], "REQ-0099 is not a requirement of this project"),
        (&["proof", "show", "99"], "the project shop has no requirement REQ-0099 (PH-1003)"),
        (&["proof", "edit", "99", "--title", "t"], "the project shop has no requirement REQ-0099"),
        (&["proof", "waive", "zz", "--reason", "r"], "the project shop has no requirement zz"),
        (&["proof", "unwaive", "99", "--reason", "r"], "the project shop has no requirement REQ-0099"),
        (&["proof", "stubs", "99", "--write"], "the project shop has no requirement REQ-0099"),
        (&["proof", "evidence", "deadbeef"], "no evidence"),
        (&["proof", "watch", "deadbeef"], "the project shop has no run deadbeef"),
        (&["run", "cancel", "deadbeef"], "the project shop has no run deadbeef"),
        (&["log", "deadbeef"], "the project shop has no run deadbeef"),
        (&["answer", "deadbeef", "--accept"], "deadbeef"),
        (&["token", "revoke", "deadbeef"], "deadbeef"),
        (&["-p", "shpo", "proof", "list"], "shpo"),
    ] {
        let ran = house.run_in(&root, args.iter().copied());
        ran.refused(2, words);
        ran.refused(2, "hint: ");
        ran.refused(2, "PH-1");
    }
    assert_eq!(house.json(in_project(&["proof", "list", "--json"]))["items"].as_array().unwrap().len(), 1);
}

// P27: a run of another project, and one that never was, are told the same.
#[test]
fn a_foreign_id_is_as_unknown_as_none() {
    let house = House::new();
    let root = set_up(&house, &["unit"]);
    house.run_in(&root, ["proof", "run"]).said("PASSED");
    let runs = house.json(in_project(&["run", "list", "--json"]));
    let run = runs["items"][0]["id"].as_str().unwrap().to_owned();
    let other = house.repository("other", &[("a", "x")]);
    house.run(["init", "--yes", other.to_str().unwrap()]).said("other");
    let server = house.serve(&[]);
    let made = house.run_in(&other, ["token", "make", "ci", "--project", "other", "--role", "viewer", "--json"]).json();
    let secret = made["secret"].as_str().unwrap();
    let ask = |id: &str| {
        let mut command = house.proofhouse(["-p", "other", "run", "show", id, "--json"]);
        command.env("PROOFHOUSE_SERVER", &server.url).env("PROOFHOUSE_TOKEN", secret);
        ended(command)
    };
    let (foreign, never) = (ask(&run), ask("00000000-0000-7000-8000-000000000000"));
    assert_eq!((foreign.code, never.code), (2, 2), "{foreign}{never}");
    assert_eq!(foreign.err.replace(&run, "ID"), never.err.replace("00000000-0000-7000-8000-000000000000", "ID"));
    assert!(foreign.err.contains("PH-1003"), "{foreign}");
}

// 10 §9: a body over the limit is refused while it is sent, and the server goes on.
#[test]
fn a_body_of_a_hundred_megabytes_is_refused() {
    let house = House::new();
    let root = set_up(&house, &["unit"]);
    let server = house.serve(&[]);
    let token = fs::read_to_string(house.data().join("local.token")).unwrap();
    let address = server.url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let head = format!(
        "POST /api/v1/projects/shop/proof/requirements HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        token.trim(),
        100 << 20
    );
    stream.write_all(head.as_bytes()).unwrap();
    let block = vec![b' '; 1 << 20];
    for _ in 0..100 {
        // The server may stop reading once it has said no.
        if stream.write_all(&block).is_err() {
            break;
        }
    }
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(answer.contains("PH-1015") && answer.contains("256 KiB"), "the limit is in the message: {answer}");
    assert_eq!(house.run_in(&root, ["proof", "list", "--json"]).json()["items"].as_array().unwrap().len(), 1);
    // The same by the verb.
    let list = format!(r#"[{{"title": "big", "description": "{}", "gates": ["unit"]}}]"#, "x".repeat(300 << 10));
    fs::write(house.at("big.json"), list).unwrap();
    let ran = house.run_in(&root, ["proof", "capture", "--from", house.at("big.json").to_str().unwrap()]);
    assert_eq!(ran.code, 2, "{ran}");
    assert!(ran.err.contains("PH-1015") || ran.err.contains("description"), "{ran}");
}

// P55, F10's neighbour: the repository goes while a run works in it. The run ends and says so; it can be
// told where the repository went, and goes on there.
#[test]
fn a_repository_that_goes_during_a_run_ends_it_in_words() {
    let house = House::new();
    let root = set_up(&house, &["unit"]);
    fs::write(root.join("unit.slow"), "3").unwrap();
    let _server = house.serve(&[]);
    for deleted in [false, true] {
        let mut run = house.proofhouse(["-p", "shop", "proof", "run"]);
        let run = run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        wait_for(|| house.json(in_project(&["run", "list", "--active", "--json"]))["items"][0]["status"] == "running");
        let list = || house.json(in_project(&["run", "list", "--json"]));
        let id = list()["items"][0]["id"].as_str().unwrap().to_owned();
        wait_for(|| house.run(in_project(&["log", &id])).out.contains("command.started"));
        let away = house.at("away");
        if deleted {
            fs::remove_dir_all(&root).unwrap()
        } else {
            fs::rename(&root, &away).unwrap()
        }
        let output = run.wait_with_output().unwrap();
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(matches!(output.status.code(), Some(1 | 3)), "never a pass: {out}");
        assert!(!out.contains("PASSED"), "{out}");
        let next = house.run(in_project(&["proof", "run"]));
        assert_eq!(next.code, 3, "{next}");
        assert!(
            next.out.contains("checkout_missing") && format!("{next}").contains("proofhouse project move"),
            "{next}"
        );
        house.run(in_project(&["proof", "list"])).said("REQ-0001");
        if !deleted {
            house.run(in_project(&["project", "move", away.to_str().unwrap()])).said("away");
            fs::remove_file(away.join("unit.slow")).unwrap();
            house.run_in(&away, ["proof", "run"]).said("PASSED");
            fs::rename(&away, &root).unwrap();
            house.run(in_project(&["project", "move", root.to_str().unwrap()])).said("shop");
            fs::write(root.join("unit.slow"), "3").unwrap();
        }
    }
}

fn wait_for(holds: impl Fn() -> bool) {
    let from = Instant::now();
    while !holds() {
        assert!(from.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(30));
    }
}

// X64: a detached head, a folder below, a work tree of git's own: all of them are checkouts.
#[test]
fn a_checkout_may_be_an_odd_one() {
    let house = House::new();
    let root = set_up(&house, &["unit"]);
    house.git(&root, ["checkout", "-q", "--detach"]);
    house.run_in(&root, ["proof", "run"]).said("PASSED");
    house.run_in(&root, ["proof", "check", "--exit-code"]).said("CLEAR");
    let linked = house.at("linked");
    house.git(&root, ["worktree", "add", "-q", linked.to_str().unwrap()]);
    house.run(["init", "--yes", linked.to_str().unwrap(), "--key", "linked"]).said("ready");
    house.run_in(&linked, ["proof", "run"]).said("PASSED");
    // A clone of one commit.
    let shallow = house.at("shallow");
    let from = format!("file://{}", root.display());
    house.git(&house.at("work"), ["clone", "-q", "--depth", "1", &from, shallow.to_str().unwrap()]);
    house.run(["init", "--yes", shallow.to_str().unwrap()]).said("ready");
    house.run_in(&shallow, ["proof", "run"]).said("PASSED");
}

/// Runs the binary where a folder is mounted read-only, which holds for root, too.
fn read_only(house: &House, folder: &Path, args: &[&str]) -> Option<Ran> {
    let mounted = "mount --bind \"$0\" \"$0\" && mount -o remount,bind,ro \"$0\" && exec \"$@\"";
    let inner = house.proofhouse(args.iter().copied());
    let mut command = Command::new("unshare");
    command.args(["--mount", "--map-root-user", "sh", "-c", mounted]).arg(folder).arg(inner.get_program());
    command.args(inner.get_args()).current_dir(house.at("work")).stdin(Stdio::null());
    command.env_clear().envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ran = ended(command);
    // What `unshare` and `mount` say when they may not.
    (!ran.err.contains("unshare: ") && !ran.err.contains("mount: ")).then_some(ran)
}

// Issue 2: a data folder on a read-only disk, for every user; and folders that root may write and nobody else.
#[test]
fn a_read_only_data_folder_is_told() {
    let house = House::new();
    house.run(["project", "list"]).said("no projects yet");
    let Some(ran) = read_only(&house, &house.data(), &["project", "list"]) else {
        println!("skipped: this machine lets nobody mount a folder read-only");
        return;
    };
    ran.refused(4, "PH-1031");
    ran.refused(4, "Read-only file system");
    ran.refused(4, "hint: check that it exists, is a folder, is writable, and has space");
    let doctor = read_only(&house, &house.data(), &["doctor"]).unwrap();
    doctor.said_no("not writable");
    let serve = read_only(&house, &house.data(), &["serve", "--listen", "127.0.0.1:0"]).unwrap();
    serve.refused(4, "PH-1031");
    // A folder that is yet to be made.
    let parent = house.at("parent");
    fs::create_dir(&parent).unwrap();
    let inside = parent.join("data");
    let made = read_only(&house, &parent, &["--data", inside.to_str().unwrap(), "project", "list"]).unwrap();
    made.refused(4, "PH-1031");
    house.run(["project", "list"]).said("no projects yet");
}

// Issue 2: a folder that cannot be read. Root reads everything, so here it is one whose listing fails for
// root as well, a process's own files after its end; for others a mode.
#[test]
fn an_unreadable_repository_is_told() {
    let house = House::new();
    let root = house.repository("shop", &[("a", "x")]);
    fs::remove_dir_all(root.join(".git/objects")).unwrap();
    let ran = house.run(["init", "--yes", root.to_str().unwrap()]);
    assert!(matches!(ran.code, 2 | 4), "{ran}");
    assert!(ran.err.contains("PH-104") && ran.err.contains("hint: "), "{ran}");
    // SAFETY: only reads the id of this process.
    if unsafe { libc::geteuid() } != 0 {
        let closed = house.repository("closed", &[("a", "x")]);
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
        house.run(["init", "--yes", closed.to_str().unwrap()]).refused(2, "PH-1043");
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    }
}

// X18: what init shows on folders of every kind, and that it asks where nobody said yes.
#[test]
fn init_shows_what_it_found() {
    let house = House::new();
    let bare = house.repository("notes", &[("README.md", "# notes\n")]);
    let ran = house.run(["init", bare.to_str().unwrap()]);
    assert_eq!(ran.code, 5, "nobody said yes: {ran}");
    assert!(ran.out.contains("nothing that tests are run with") && ran.err.contains("--yes"), "{ran}");
    let ran = house.run(["init", "--yes", bare.to_str().unwrap()]);
    ran.said("already registered");
    ran.said("nothing was captured");
    ran.said("[proof.gates.unit]");

    let odd = house.repository(
        "a place, with 'quotes' and ü",
        &[
            ("Cargo.toml", "[package]\nname = \"x\"\n"),
            ("Cargo.lock", "version = 4\n"),
            ("src/lib.rs", ""),
            ("web/package.json", r#"{"scripts": {"test": "node --test"}}"#),
            ("tools/test_x.py", "def test_x(): pass\n"),
            ("tools/pyproject.toml", "[project]\nname = \"t\"\n"),
            ("proofhouse.toml", "[proof.gates.contract]\nrunner = \"command\"\nargv = [\"./ci\", \"all\"]\n"),
        ],
    );
    let ran = house.run(["init", "--yes", odd.to_str().unwrap(), "--key", "odd"]);
    for words in
        ["✓ rust", "in web", "in tools", "contract  declared as ./ci all", "cargo", "ready: proofhouse proof run"]
    {
        ran.said(words);
    }
    assert!(!ran.out.contains("nothing that tests are run with"), "{ran}");
    let again = house.run(["init", "--yes", odd.join("web").to_str().unwrap()]);
    again.said("already registered");
    assert!(!again.out.contains("captured"), "{again}");
    let document = house.json(["init", "--yes", odd.to_str().unwrap(), "--json"]);
    assert_eq!(document["project"]["key"], "odd");
    house.run_in(&odd, ["proof", "gates", "--runners"]).said("declared as ./ci all");
}

// L59, P38, P43: what a language's tools lack is said before, during and after a run, and is no failure of
// the work: cargo cannot make a lock file where gates change nothing.
#[test]
fn what_a_toolchain_lacks_is_said() {
    let house = House::new();
    let files = [
        ("Cargo.toml", "[package]\nname = \"bare\"\nedition = \"2021\"\n"),
        ("src/lib.rs", "#[test]\nfn holds() {}\n"),
        (".gitignore", "Cargo.lock\n"),
    ];
    let root = house.repository("bare", &files);
    let init = house.run(["init", "--yes", root.to_str().unwrap()]);
    init.said("○ rust");
    init.said("missing Cargo.lock");
    let ran = house.run_in(&root, ["proof", "run"]);
    assert_eq!(ran.code, 3, "{ran}");
    assert!(ran.out.contains("· Cargo.lock is missing"), "{ran}");
    assert!(
        ran.out.contains("environment: lock_missing") && ran.out.contains("`cargo generate-lockfile` makes it"),
        "{ran}"
    );
    fs::write(root.join("Cargo.lock"), "version = 4\n\n[[package]]\nname = \"bare\"\nversion = \"0.0.0\"\n").unwrap();
    let ran = house.run_in(&root, ["proof", "run"]);
    ran.said("PASSED");
    assert!(!ran.out.contains("missing"), "{ran}");

    let node = [("package.json", r#"{"scripts": {"test": "tap"}, "devDependencies": {"tap": "1"}}"#)];
    let root = house.repository("node", &node);
    house.run(["init", "--yes", root.to_str().unwrap()]).said("missing node_modules");
    let python = [("pyproject.toml", "[tool.pytest.ini_options]\n"), ("tests/test_a.py", "")];
    let root = house.repository("python", &python);
    let init = house.run(["init", "--yes", root.to_str().unwrap()]);
    // Where the machine's own Python has it, nothing is missing.
    let has = Command::new("python3").args(["-c", "import pytest"]).stderr(Stdio::null()).status();
    assert_eq!(init.out.contains("missing pytest"), !has.is_ok_and(|status| status.success()), "{init}");
}
