//! Where the programs under test are. They are built once per test run, so they are never stale.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::OnceLock,
};

/// A program that serves a plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// The product.
    Proofhouse,
    /// The same plane with the run kind `probe`.
    WithProbe,
}

impl Program {
    /// Its file.
    pub fn path(self) -> PathBuf {
        match self {
            Self::Proofhouse => proofhouse().to_owned(),
            Self::WithProbe => beside("plane-with-probe"),
        }
    }
}

/// The `proofhouse` program, built from the sources as they are now.
pub fn proofhouse() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        build(&["-p", "proofhouse-cli"]);
        beside("proofhouse")
    })
}

/// The scripted child program of the test kit: a process that misbehaves to order.
pub fn scripted_child() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        build(&["-p", "proofhouse-testkit", "--bin", "scripted-child"]);
        beside("scripted-child")
    })
}

/// Runs `proofhouse` on a data folder, in a folder, and waits for its end.
pub fn run(data: &Path, folder: &Path, arguments: &[&str]) -> Output {
    Command::new(proofhouse())
        .args(arguments)
        .current_dir(folder)
        .env("PROOFHOUSE_DATA", data)
        .env_remove("PROOFHOUSE_SERVER")
        .env_remove("PROOFHOUSE_TOKEN")
        .env_remove("PROOFHOUSE_STORE")
        .output()
        .expect("the program was built and can be started")
}

fn build(what: &[&str]) {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--locked", "--quiet"]).args(what).current_dir(env!("CARGO_MANIFEST_DIR"));
    if !cfg!(debug_assertions) {
        build.arg("--release");
    }
    let output = build.output().expect("cargo can be started");
    assert!(output.status.success(), "failed to build {what:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A program in the folder that this test's own program lies in, `deps` left out.
fn beside(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("a process knows its own file");
    let folder = own.parent().expect("a file lies in a folder");
    let folder =
        if folder.ends_with("deps") { folder.parent().expect("deps lies in a profile's folder") } else { folder };
    folder.join(name)
}
