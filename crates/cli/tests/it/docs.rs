//! The pages under `docs/` that are made from the binary are those of this binary.
//!
//! `PROOFHOUSE_WRITE_DOCS=1` writes them instead of comparing (`make docs`).

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use model::{code::Code, journal};

use super::house::House;

/// From here on an error page is written by hand, and kept.
const BY_HAND: &str = "\n## More\n";

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

/// Compares a page with what it should be, or writes it.
#[track_caller]
fn is_current(path: &Path, page: &str) {
    if std::env::var_os("PROOFHOUSE_WRITE_DOCS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, page).unwrap();
    }
    let found = fs::read_to_string(path).unwrap_or_default();
    assert!(found == page, "{} is not of this binary: `make docs` writes it anew", path.display());
}

#[test]
fn the_reference_page_is_of_this_binary() {
    let ran = House::new().run(["reference"]);
    ran.said("# Command line");
    is_current(&docs().join("reference.md"), &ran.out);
}

#[test]
fn the_lists_are_of_this_binary() {
    let ran = House::new().run(["reference", "--lists"]);
    ran.said("# What a plane tells");
    is_current(&docs().join("lists.md"), &ran.out);
}

// An entry of an undeclared kind would be one that no page explains. The sources are read as text, so
// that a kind handed through a function counts as well: every literal that looks like a kind is one (X23).
#[test]
fn each_kind_of_entry_that_is_written_is_declared() {
    let families: BTreeSet<&str> =
        journal::KINDS.iter().filter_map(|(kind, _)| kind.split_once('.')).map(|at| at.0).collect();
    let (mut known, mut unknown) = (BTreeSet::new(), Vec::new());
    for room in ["store", "engine", "server", "testkit"] {
        let mut folders = vec![docs().join("../crates").join(room).join("src")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let text = fs::read_to_string(&path).unwrap();
                    let literals = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default().split('"');
                    for literal in literals.filter(|literal| looks_like_a_kind(literal, &families)) {
                        match journal::KINDS.iter().find(|(kind, _)| *kind == literal) {
                            Some((kind, _)) => _ = known.insert(*kind),
                            None => unknown.push(format!("{literal} in {}", path.display())),
                        }
                    }
                }
            }
        }
    }
    assert!(unknown.is_empty(), "not in model::journal::KINDS: {unknown:#?}");
    assert!(known.contains("run.finished") && known.len() > 10, "the sources were not found: {known:?}");
}

fn looks_like_a_kind(literal: &str, families: &BTreeSet<&str>) -> bool {
    literal.split_once('.').is_some_and(|(family, rest)| {
        families.contains(family)
            && !rest.is_empty()
            && rest.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    })
}

// Every error that a person can meet has a code, a hint and a page.
#[test]
fn each_error_code_has_its_page() {
    let ran = House::new().run(["reference", "--errors"]);
    assert_eq!(ran.code, 0, "{ran}");
    let pages = ran.json();
    for code in Code::ALL {
        let path = docs().join(format!("errors/{code}.md"));
        let found = fs::read_to_string(&path).unwrap_or_default();
        let by_hand = found.find(BY_HAND).map_or("", |at| &found[at..]);
        let made = pages[code.to_string()].as_str().unwrap_or_else(|| panic!("{code} has no page"));
        is_current(&path, &format!("{made}{by_hand}"));
    }
    for file in fs::read_dir(docs().join("errors")).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        let number =
            name.strip_prefix("PH-").and_then(|name| name.strip_suffix(".md")).and_then(|text| text.parse().ok());
        let known = number.and_then(Code::by_number).is_some() || name == "README.md";
        assert!(known, "docs/errors/{name} is about no code that there is");
    }
}

// The page's client is generated from this file; the page's own tests compare the client with it.
#[test]
fn the_api_document_of_the_page_is_of_this_binary() {
    let mut document = serde_json::to_string_pretty(&server::document()).unwrap();
    document.push('\n');
    is_current(&docs().join("../web/openapi.json"), &document);
}
