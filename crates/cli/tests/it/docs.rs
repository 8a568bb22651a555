//! The pages under `docs/` that are made from the binary are those of this binary.
//!
//! `PROOFHOUSE_WRITE_DOCS=1` writes them instead of comparing (`make docs`).

use std::{
    fs,
    path::{Path, PathBuf},
};

use model::code::Code;

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
