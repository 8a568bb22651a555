//! Every row of L39 to L63 as a table, and what holds for any argv. L35-L63, L122, X3.

use std::{collections::BTreeMap, path::Path};

use proptest::prelude::*;

use super::*;

const GROUP: &str =
    "[project]\nname='x'\n[dependency-groups]\ndev=['pytest','ruff',{include-group='types'}]\ntypes=['mypy>=1']\n";
const EXTRA: &str =
    "[project]\nname='x'\n[project.optional-dependencies]\ndev=['pytest-cov','PyTest ; python_version>\"3\"']\n";
const NONE: &str = "[project]\nname='x'\n";

fn project(manifests: &[(&str, &str)]) -> Project {
    let manifests: BTreeMap<String, String> =
        manifests.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    Project::new("/tree", "", manifests)
}

fn python(manifest: &str) -> Project {
    project(&[("pyproject.toml", manifest), ("uv.lock", "")])
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

fn prepared(line: &str, project: &Project) -> Result<String, Refusal> {
    let first = prepare(&words(line), project).map_err(|refused| {
        assert!(!refused.text.is_empty());
        refused.code
    })?;
    assert_eq!(first.declared, words(line));
    let again = prepare(&first.prepared, project).expect("what is prepared is not refused");
    assert_eq!(again.prepared, first.prepared, "prepared twice: {line}");
    Ok(first.prepared.join(" "))
}

fn table(project: &Project, rows: &[(&str, Result<&str, Refusal>)]) {
    for (line, expected) in rows {
        assert_eq!(prepared(line, project).as_deref(), expected.as_ref().map(|line| *line), "{line}");
    }
}

/// The same line: nothing is changed.
macro_rules! same {
    ($($line:literal),* $(,)?) => { &[$(($line, Ok($line))),*] };
}

// L41 L42 L43 L44 L49 L51
#[test]
fn a_dev_group_is_selected() {
    table(
        &python(GROUP),
        &[
            ("ruff check .", Ok("uv run --locked --group dev ruff check .")),
            ("pytest", Ok("uv run --locked --group dev pytest")),
            ("python3.12 -m mypy src", Ok("uv run --locked --group dev python3.12 -m mypy src")),
            ("python -mpytest -q", Ok("uv run --locked --group dev python -mpytest -q")),
            ("python -X dev -W error -Bm pytest", Ok("uv run --locked --group dev python -X dev -W error -Bm pytest")),
            (
                "coverage run --source src -m pytest -q",
                Ok("uv run --locked --group dev coverage run --source src -m pytest -q"),
            ),
            ("/usr/bin/pytest -q", Ok("uv run --locked --group dev /usr/bin/pytest -q")),
            ("uv run pytest", Ok("uv run --locked --group dev pytest")),
            ("uv run --package api pytest -q", Ok("uv run --locked --group dev --package api pytest -q")),
            ("uv run --only-dev pytest", Ok("uv run --locked --only-dev pytest")),
            ("uv run --only-group=dev pytest", Ok("uv run --locked --only-group=dev pytest")),
            ("uv run --all-groups pytest", Ok("uv run --locked --all-groups pytest")),
            ("uv run --group docs pytest", Ok("uv run --locked --group dev --group docs pytest")),
            ("uv run --extra dev pytest", Ok("uv run --locked --group dev --extra dev pytest")),
            ("uv run --locked pytest", Ok("uv run --locked --group dev pytest")),
            ("uv run -q --locked pytest", Ok("uv run --group dev -q --locked pytest")),
            ("uv run --frozen pytest", Ok("uv run --group dev --frozen pytest")),
            ("uv -q run --frozen -v pytest", Ok("uv -q run --group dev --frozen -v pytest")),
            ("uv run --group=dev --frozen pytest", Ok("uv run --group=dev --frozen pytest")),
            ("uv run -m pytest -q", Ok("uv run --locked --group dev -m pytest -q")),
            (
                "uv run --module coverage run -m pytest",
                Ok("uv run --locked --group dev --module coverage run -m pytest"),
            ),
            ("uv run python -c pass", Ok("uv run --locked python -c pass")),
            ("uv run python script.py -m pytest", Ok("uv run --locked python script.py -m pytest")),
            ("uv run pytest-watch", Ok("uv run --locked pytest-watch")),
        ],
    );
    table(
        &python(GROUP),
        same![
            "python script.py",
            "python -c pass",
            "python",
            "coverage report",
            "coverage run x.py",
            "python2 -m pytest"
        ],
    );
}

// L41 L50 L51 L54
#[test]
fn a_dev_extra_is_selected() {
    table(
        &python(EXTRA),
        &[
            ("pytest", Ok("uv run --locked --extra dev pytest")),
            ("uv run --all-extras pytest", Ok("uv run --locked --all-extras pytest")),
            ("uv run --extra=dev pytest", Ok("uv run --locked --extra=dev pytest")),
            ("uv run --group dev pytest", Ok("uv run --locked --extra dev --group dev pytest")),
            ("uv run --no-extra dev --all-extras pytest", Err(Refusal::DevExcluded)),
            ("uv run --no-dev pytest", Ok("uv run --locked --extra dev --no-dev pytest")),
            ("uv run --only-group dev pytest", Err(Refusal::SelectorConflict)),
            ("uv run --only-dev pytest", Err(Refusal::SelectorConflict)),
        ],
    );
}

// L41 L42 L43
#[test]
fn without_a_dev_set_only_the_guard_is_added() {
    table(
        &python(NONE),
        &[
            ("uv run python -c pass", Ok("uv run --locked python -c pass")),
            ("uv run pytest", Ok("uv run --locked pytest")),
            ("uv run --no-dev pytest", Ok("uv run --locked --no-dev pytest")),
        ],
    );
    table(&python(NONE), same!["pytest -q", "ruff check ."]);
    let broken = prepare(&words("uv run pytest"), &python("not = = toml")).unwrap();
    assert_eq!(broken.prepared.join(" "), "uv run --locked pytest");
    assert_eq!(broken.notes.len(), 1);
    let old = python("[tool.uv]\ndev-dependencies=['pytest']\n");
    assert_eq!(prepared("pytest", &old).unwrap(), "uv run --locked --group dev pytest");
}

// L39 L45 L46 L47 L48
#[test]
fn options_end_where_the_payload_begins() {
    table(
        &python(GROUP),
        &[
            ("uv run echo --frozen --group dev --no-dev", Ok("uv run --locked echo --frozen --group dev --no-dev")),
            ("uv run -- pytest --locked", Ok("uv run --locked --group dev -- pytest --locked")),
            ("uv run -p3.12 pytest", Ok("uv run --locked --group dev -p3.12 pytest")),
            ("uv run -p 3.12 -qv pytest", Ok("uv run --locked --group dev -p 3.12 -qv pytest")),
            ("uv run -qw pytest ruff", Ok("uv run --locked --group dev -qw pytest ruff")),
            ("uv run --with pytest echo", Ok("uv run --locked --with pytest echo")),
            (
                "uv run --python=3.12 --no-sources pytest",
                Ok("uv run --locked --group dev --python=3.12 --no-sources pytest"),
            ),
            ("uv run -", Ok("uv run --locked -")),
            ("uv run --brand-new pytest", Err(Refusal::UnknownOption)),
            ("uv run --locked=yes pytest", Err(Refusal::UnknownOption)),
            ("uv run -z pytest", Err(Refusal::UnknownOption)),
            ("uv run -qz pytest", Err(Refusal::UnknownOption)),
            ("uv run --with", Err(Refusal::UnknownOption)),
            ("uv run -p", Err(Refusal::UnknownOption)),
            ("uv run", Err(Refusal::NoPayload)),
            ("uv run --frozen --", Err(Refusal::NoPayload)),
            ("uv run --package api", Err(Refusal::NoPayload)),
        ],
    );
}

// L44 L53 L54 L55 L56
#[test]
fn what_works_against_the_gate_is_refused() {
    use Refusal as R;
    for (line, refusal) in [
        ("uv run --locked --frozen echo", R::GuardConflict),
        ("uv run --no-dev pytest", R::DevExcluded),
        ("uv run --group dev --no-group dev pytest", R::DevExcluded),
        ("uv run --only-group docs pytest", R::SelectorConflict),
        ("uv run --only-group dev --group docs echo", R::SelectorConflict),
        ("uv run --only-dev --all-groups echo", R::SelectorConflict),
        ("uv run -U echo", R::WritesLock),
        ("uv run -qU echo", R::WritesLock),
        ("uv run -Px echo", R::WritesLock),
        ("uv run --upgrade-group dev echo", R::WritesLock),
        ("uv run --no-sync pytest", R::DefeatsIsolation),
        ("uv run --no-project ruff check", R::DefeatsIsolation),
        ("uv run --active mypy", R::DefeatsIsolation),
        ("uv run --config-file uv.toml echo", R::DefeatsIsolation),
        ("uv run --env-file ../secrets echo", R::DefeatsIsolation),
        ("uv run --env-file /etc/environment echo", R::DefeatsIsolation),
        ("uvx ruff", R::VerbNotAllowed),
        ("uv sync", R::VerbNotAllowed),
        ("uv lock", R::VerbNotAllowed),
        ("uv lock --check --upgrade", R::VerbNotAllowed),
        ("uv pip install x", R::VerbNotAllowed),
        ("uv", R::VerbNotAllowed),
    ] {
        assert_eq!(prepared(line, &python(GROUP)), Err(refusal), "{line}");
    }
    table(
        &python(GROUP),
        same!["uv lock --check", "uv run --locked --no-sync echo", "uv run --locked --env-file in/.env echo"],
    );
}

// L57 L59
#[test]
fn the_project_folder_is_found() {
    let project = project(&[
        ("pyproject.toml", NONE),
        ("api/pyproject.toml", GROUP),
        ("api/uv.lock", ""),
        ("web/pyproject.toml", EXTRA),
    ]);
    table(
        &project,
        &[
            ("uv run --directory api pytest", Ok("uv run --locked --group dev --directory api pytest")),
            ("uv --project=api/src run pytest", Ok("uv --project=api/src run --locked --group dev pytest")),
            ("uv run --project /tree/web pytest", Ok("uv run --locked --extra dev --project /tree/web pytest")),
            ("uv run --directory .. pytest", Err(Refusal::OutsideWorktree)),
            ("uv run --directory api --project ../../x pytest", Err(Refusal::OutsideWorktree)),
            ("uv --project /tmp run pytest", Err(Refusal::OutsideWorktree)),
        ],
    );
    let of = |line: &str| prepare(&words(line), &project).unwrap();
    assert_eq!(
        (of("uv run --directory api echo").project_dir.as_str(), of("uv run --directory api echo").lock_missing),
        ("api", false)
    );
    assert!(of("uv run --directory web echo").lock_missing);
    assert!(of("uv run echo").lock_missing);
    let in_api = Project::new("/tree", "api/src", [("api/pyproject.toml".to_owned(), GROUP.to_owned())].into());
    let bare = prepare(&words("pytest"), &in_api).unwrap();
    assert_eq!((bare.project_dir.as_str(), bare.lock_missing), ("api", true));
    let none = Project::new("/tree", "", BTreeMap::new());
    assert!(!prepare(&words("uv run echo"), &none).unwrap().lock_missing);
}

// L60 L61 L62 L63
#[test]
fn environments_are_cleared_of_the_persons_own() {
    let mut environment = Environment::default();
    for name in [
        "UV_INDEX",
        "UV_PYTHON_INSTALL_DIR",
        "PYTHONPATH",
        "PIP_INDEX_URL",
        "VIRTUAL_ENV",
        "VIRTUAL_ENV_PROMPT",
        "PATH",
    ] {
        environment.set(name, "x");
    }
    preparer(Ecosystem::Python).unwrap().env(Path::new("/s"), "api/x").apply(&mut environment);
    let names: Vec<&str> = environment.variables().keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "MYPY_CACHE_DIR",
            "PATH",
            "PYTEST_ADDOPTS",
            "PYTHONPYCACHEPREFIX",
            "RUFF_CACHE_DIR",
            "UV_CACHE_DIR",
            "UV_PROJECT_ENVIRONMENT",
            "UV_PYTHON_INSTALL_DIR",
            "VIRTUAL_ENV_PROMPT"
        ]
    );
    assert_eq!(environment.get("UV_PROJECT_ENVIRONMENT"), Some("/s/venv/api--x"));

    let mut environment = Environment::default();
    for name in ["CARGO_HOME", "CARGO_NET_OFFLINE", "npm_config_registry", "GOFLAGS", "GOPATH"] {
        environment.set(name, "x");
    }
    for ecosystem in [Ecosystem::Cargo, Ecosystem::Npm, Ecosystem::Go] {
        preparer(ecosystem).unwrap().env(Path::new("/s"), "").apply(&mut environment);
    }
    let names: Vec<&str> = environment.variables().keys().map(String::as_str).collect();
    assert_eq!(names, ["CARGO_HOME", "CARGO_TARGET_DIR", "GOCACHE", "GOPATH"]);
}

// L61
#[test]
fn cargo() {
    let project = project(&[("Cargo.toml", "")]);
    table(
        &project,
        &[
            ("cargo test", Ok("cargo test --locked")),
            ("cargo t -p x", Ok("cargo t --locked -p x")),
            (
                "cargo +nightly -q --color never clippy -- -D warnings",
                Ok("cargo +nightly -q --color never clippy --locked -- -D warnings"),
            ),
            ("cargo nextest run -E x", Ok("cargo nextest run --locked -E x")),
            ("cargo test -- --locked", Ok("cargo test --locked -- --locked")),
            ("cargo run x --locked", Ok("cargo run --locked x --locked")),
            ("cargo run --bin tool --frozen x", Ok("cargo run --bin tool --frozen x")),
            ("cargo update", Err(Refusal::VerbNotAllowed)),
            ("cargo +stable -v add serde", Err(Refusal::VerbNotAllowed)),
            ("cargo install x", Err(Refusal::VerbNotAllowed)),
            ("cargo fix", Err(Refusal::VerbNotAllowed)),
        ],
    );
    table(
        &project,
        same![
            "cargo fmt --check",
            "cargo",
            "cargo --version",
            "cargo test --frozen x",
            "cargo --locked test",
            "cargo build --offline --locked",
            "cargo audit",
            "cargo nextest --version"
        ],
    );
}

// L62
#[test]
fn node() {
    let old = project(&[("package.json", "{}")]);
    table(
        &old,
        &[
            ("npm install", Ok("npm ci")),
            ("npm --prefix web i --ignore-scripts", Ok("npm --prefix web ci --ignore-scripts")),
            ("npm install left-pad", Err(Refusal::VerbNotAllowed)),
            ("npm update", Err(Refusal::VerbNotAllowed)),
            ("npm audit fix", Err(Refusal::VerbNotAllowed)),
            ("npm exec x", Err(Refusal::VerbNotAllowed)),
            ("npx eslint .", Ok("npx --no eslint .")),
            ("npx --yes eslint", Err(Refusal::VerbNotAllowed)),
            ("npx -y eslint", Err(Refusal::VerbNotAllowed)),
            ("npx eslint --yes", Ok("npx --no eslint --yes")),
            ("pnpm install", Ok("pnpm install --frozen-lockfile")),
            ("pnpm i --no-frozen-lockfile", Err(Refusal::WritesLock)),
            ("pnpm add x", Err(Refusal::VerbNotAllowed)),
            ("pnpm dlx x", Err(Refusal::VerbNotAllowed)),
            ("bun install", Ok("bun install --frozen-lockfile")),
            ("bunx x", Err(Refusal::VerbNotAllowed)),
            ("yarn", Ok("yarn --frozen-lockfile")),
            ("yarn install", Ok("yarn install --frozen-lockfile")),
        ],
    );
    table(
        &old,
        same![
            "npm ci",
            "npm test",
            "npm run lint -- --fix",
            "npm start",
            "npx --no x",
            "pnpm test",
            "bun test",
            "yarn test",
            "npm audit",
            "npm"
        ],
    );
    for new in [
        project(&[("package.json", r#"{"packageManager":"yarn@4.1.0"}"#)]),
        project(&[("package.json", "{}"), (".yarnrc.yml", "")]),
    ] {
        assert_eq!(prepared("yarn install", &new).unwrap(), "yarn install --immutable");
    }
}

// L63
#[test]
fn go() {
    let plain = project(&[("go.mod", ""), ("v/go.mod", ""), ("v/vendor/modules.txt", "")]);
    table(
        &plain,
        &[
            ("go test ./...", Ok("go test -mod=readonly ./...")),
            ("go test -C v ./...", Ok("go test -C v -mod=vendor ./...")),
            ("go vet -C=v", Ok("go vet -C=v -mod=vendor")),
            ("go run . -mod=mod", Ok("go run -mod=readonly . -mod=mod")),
            ("go test ./... -args -mod=mod", Ok("go test -mod=readonly ./... -args -mod=mod")),
            ("go build -mod=mod", Err(Refusal::WritesLock)),
            ("go build -mod mod", Err(Refusal::WritesLock)),
            ("go test ./... -modfile=x", Err(Refusal::WritesLock)),
            ("go get x", Err(Refusal::VerbNotAllowed)),
            ("go generate ./...", Err(Refusal::VerbNotAllowed)),
            ("go mod tidy", Err(Refusal::VerbNotAllowed)),
            ("go mod download", Err(Refusal::VerbNotAllowed)),
            ("go test -C ../x", Err(Refusal::OutsideWorktree)),
        ],
    );
    table(
        &plain,
        same![
            "go test -mod=readonly ./...",
            "go build -mod=vendor",
            "go build --mod vendor",
            "go mod verify",
            "go mod tidy -diff",
            "go version",
            "go fmt",
            "go"
        ],
    );
}

// L36 L38
#[test]
fn the_unknown_passes_and_the_impossible_does_not() {
    let project = project(&[]);
    table(&project, same!["make test", "./ci/gate --locked", "env X=1 cargo test", "coverage2"]);
    for argv in [vec![], vec![String::new()], vec!["a\0b".to_owned()], vec!["x".to_owned(); TOKENS_MAX + 1]] {
        assert_eq!(prepare(&argv, &project).unwrap_err().code, Refusal::ArgvInvalid);
    }
}

fn selected(project: &Project, touched: &[&str]) -> Vec<String> {
    let touched: std::collections::BTreeSet<String> = touched.iter().map(|path| (*path).to_owned()).collect();
    let change = Change { existing: touched.iter().filter(|path| !path.contains("gone")).cloned().collect(), touched };
    let show = |selected| match selected {
        Selected::Command(argv) => {
            let again = prepare(&argv, project).expect("what we choose is not refused");
            assert_eq!(again.prepared, argv, "what we choose is prepared");
            argv.join(" ")
        }
        Selected::Text(files) => format!("text {}", files.join(" ")),
    };
    select(project, &change).into_iter().map(show).collect()
}

// L31 L32 L33
#[test]
fn gates_are_selected_by_what_changed() {
    let both = project(&[
        ("pyproject.toml", GROUP),
        ("uv.lock", ""),
        ("package.json", r#"{"scripts":{"test":"x","lint":"y"}}"#),
        ("go.mod", ""),
        ("Cargo.toml", ""),
        ("tests/test_a.py", ""),
    ]);
    assert_eq!(
        selected(&both, &["src/a.py", "tests/test_a.py"]),
        [
            "uv run --locked --group dev python -m pytest -q -p no:cacheprovider",
            "uv run --locked --group dev ruff check --no-cache .",
            "uv run --locked --group dev mypy --cache-dir=/dev/null src",
        ]
    );
    assert_eq!(selected(&both, &["src/a.rs"]), ["cargo fmt --check", "cargo clippy --locked", "cargo test --locked"]);
    assert_eq!(selected(&both, &["a.ts"]), ["npm ci", "npm run lint", "npm run test"]);
    assert_eq!(selected(&both, &["a.go"]), ["go vet -mod=readonly ./...", "go test -mod=readonly ./..."]);
    assert_eq!(selected(&both, &["docs/x.svg", "README.md", "gone.md"]), ["text README.md docs/x.svg"]);
    assert_eq!(selected(&both, &["README.md", "a.bin"]), Vec::<String>::new());
    assert_eq!(selected(&both, &[]), Vec::<String>::new());
    assert_eq!(selected(&python(NONE), &["a.py", "gone.py"]), ["python3 -m compileall -q -f -- a.py"]);
    assert_eq!(
        selected(&python(EXTRA).with_files(["tests/x.py".to_owned()]), &["a.py"]),
        ["uv run --locked --extra dev python -m pytest -q -p no:cacheprovider"]
    );
    assert!(is_text("é".as_bytes()) && !is_text(b"\xff"));
}

// P35 X3
#[test]
fn projects_are_made_ready_by_their_lock() {
    let ready = |project: &Project| -> Vec<String> {
        preparers().iter().flat_map(|preparer| preparer.make_ready(project)).map(|ready| ready.argv.join(" ")).collect()
    };
    assert_eq!(ready(&python(GROUP)), ["uv sync --locked --group dev"]);
    assert_eq!(ready(&python(NONE)), ["uv sync --locked"]);
    assert_eq!(ready(&project(&[("pyproject.toml", GROUP)])), Vec::<String>::new());
    assert_eq!(ready(&project(&[("package-lock.json", "")])), ["npm ci"]);
    assert_eq!(ready(&project(&[("package-lock.json", ""), ("node_modules/x", "")])), Vec::<String>::new());
}

fn is_part(part: &[String], whole: &[String]) -> bool {
    let mut whole = whole.iter();
    part.iter().all(|word| whole.any(|other| other == word))
}

fn any_word() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => proptest::sample::select(vec![
            "uv", "run", "--locked", "--frozen", "--group", "dev", "--extra", "--only-group", "--only-dev", "--no-dev", "--",
            "-", "-m", "pytest", "ruff", "python", "python3", "-c", "coverage", "--with", "-p", "-qv", "--directory", "api",
            "--project", "..", "cargo", "+nightly", "test", "nextest", "t", "--config", "npm", "install", "i", "npx", "yarn",
            "--immutable", "go", "-mod=readonly", "-mod", "-C", "-args", "uvx", "lock", "--check", "é", "",
        ]).prop_map(str::to_owned),
        1 => "\\PC{0,6}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    // L35, L122, F24: any argv, any of the projects.
    #[test]
    fn for_any_argv(argv in proptest::collection::vec(any_word(), 0..9), which in 0usize..3) {
        let manifest = [GROUP, EXTRA, NONE][which];
        let project = project(&[("pyproject.toml", manifest), ("uv.lock", ""), ("api/pyproject.toml", GROUP), ("package.json", "{}"), ("go.mod", "")]);
        if let Ok(prepared) = prepare(&argv, &project) {
            let is_npm_install = base_name(&argv[0]) == "npm";
            // Nothing is changed, dropped or moved; npm's verb is the one that is replaced.
            prop_assert!(is_npm_install || is_part(&argv, &prepared.prepared), "{:?}", prepared);
            prop_assert_eq!(argv.len() > prepared.prepared.len(), false);
            // Never both guards, unless both were there.
            let own: Vec<&String> = prepared.prepared.iter().take_while(|word| *word != "--").collect();
            let (locked, frozen) = (own.iter().any(|word| *word == "--locked"), own.iter().any(|word| *word == "--frozen"));
            let had = |guard: &str| argv.iter().any(|word| word == guard);
            if base_name(&prepared.prepared[0]) == "uv" && locked && frozen {
                prop_assert!(had("--locked") || had("--frozen"));
            }
            let again = prepare(&prepared.prepared, &project);
            prop_assert_eq!(again.map(|again| again.prepared), Ok(prepared.prepared));
        }
    }
}

// L37 L68 L74: what is prepared is what the policy judges, and the starter lets it through.
#[test]
fn the_starter_policy_allows_what_is_prepared() {
    use model::policy::{Judged, Policy};
    let policy = Policy::starter(&["rust", "python", "node", "go"], &[]);
    let project = project(&[
        ("pyproject.toml", GROUP),
        ("uv.lock", ""),
        ("package.json", "{}"),
        ("go.mod", ""),
        ("Cargo.toml", ""),
    ]);
    let judged = |line: &str| {
        let prepared = prepare(&words(line), &project).unwrap().prepared;
        policy.judge_command(&prepared, Path::new("/tree"), "")
    };
    for line in [
        "pytest -q",
        "uv run pytest",
        "uv run -m pytest",
        "coverage run -m pytest",
        "cargo test",
        "npm install",
        "npm test",
        "npx eslint .",
        "go test ./...",
        "python3 -m unittest",
    ] {
        assert_eq!(judged(line), Judged::Allowed, "{line}");
    }
    for line in ["uv run make", "npx rimraf x", "uv run python -c pass", "./ci/gate", "sh -c true", "env cargo test"] {
        assert_ne!(judged(line), Judged::Allowed, "{line}");
    }
}
