//! The page is built by another tool: a new `web/dist` makes a new binary. The folder is always there (git
//! keeps it), as a missing one would make every build a new one.

fn main() {
    println!("cargo::rerun-if-changed=../../web/dist");
}
