//! What uv and the tools of Python are told. L39-L59.

use super::*;

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
