//! The lock of a data folder, when its holder is killed.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
    time::Duration,
};

use model::code::Code;
use proofhouse_engine::DataFolder;

const CHILD: &str = "PROOFHOUSE_TEST_LOCKS";

/// Child of the test below: holds the folder, forks a process that executes nothing, and waits.
#[test]
fn child_holds_the_folder() {
    let Some(root) = std::env::var_os(CHILD) else { return };
    let _held = DataFolder::open(root.as_ref(), "serve").unwrap();
    // SAFETY: the forked process makes system calls only, until it is killed.
    unsafe {
        let forked = libc::fork();
        if forked == 0 {
            loop {
                libc::pause();
            }
        }
        println!("forked {forked}");
        loop {
            libc::pause();
        }
    }
}

/// PH-1030: a server that is killed while it forks lets go of its folder at once, although the forked
/// child still holds a copy of each of its descriptors.
#[test]
fn a_killed_holder_lets_go_whatever_it_forked() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("plane");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "data_folder::child_holds_the_folder", "--nocapture", "--test-threads=1"])
        .env(CHILD, &root)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let forked = said.filter_map(|line| line.split_once("forked ")?.1.trim().parse::<i32>().ok()).next().unwrap();
    let refused = DataFolder::open(&root, "serve").unwrap_err();
    assert_eq!(refused.code, Code::DataFolderInUse);
    assert!(refused.message.contains(&child.id().to_string()), "{refused}");
    child.kill().unwrap();
    child.wait().unwrap();
    // SAFETY: signal 0 only asks, and the number belongs to the process that was forked for this.
    assert_eq!(unsafe { libc::kill(forked, 0) }, 0, "the forked process lives on");
    let taken = DataFolder::open(&root, "serve");
    // SAFETY: as above.
    unsafe { libc::kill(forked, libc::SIGKILL) };
    let taken = taken.unwrap();
    // In one process, too, a folder is held once, under whatever name.
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&root, &link).unwrap();
    assert_eq!(DataFolder::open(&link, "proof run").unwrap_err().code, Code::DataFolderInUse);
    drop(taken);
    drop(DataFolder::open(&link, "proof run").unwrap());
    std::thread::sleep(Duration::from_millis(1));
    DataFolder::open(&root, "serve").unwrap();
}
