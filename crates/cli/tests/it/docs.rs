//! The pages under `docs/` that are made from the binary are those of this binary.

use std::{fs, path::Path};

use super::house::House;

/// `PROOFHOUSE_WRITE_DOCS=1` writes the pages instead (`make docs`).
#[test]
fn the_reference_page_is_of_this_binary() {
    let house = House::new();
    let ran = house.run(["reference"]);
    ran.said("# Command line");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference.md");
    if std::env::var_os("PROOFHOUSE_WRITE_DOCS").is_some() {
        fs::write(&path, &ran.out).unwrap();
    }
    let page = fs::read_to_string(&path).unwrap_or_default();
    assert!(page == ran.out, "docs/reference.md is not of this binary: `make docs` writes it anew");
}
