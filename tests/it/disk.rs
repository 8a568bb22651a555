//! A disk that is full, then has space again.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use proofhouse_tests::{
    programs::{self, Program},
    server::Server,
    work,
};
use serde_json::json;
use testkit::assert_gapless;

/// A file system of a few megabytes, unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` where this process may not mount.
    fn of(size: &str) -> Option<Self> {
        let path = tempfile::tempdir().unwrap().keep();
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(&path).output();
        if mount.is_ok_and(|output| output.status.success()) {
            return Some(Self(path));
        }
        let _ = fs::remove_dir(&path);
        None
    }

    fn ballast(&self, size: usize) -> PathBuf {
        let path = self.0.join("ballast");
        fs::write(&path, vec![0; size]).unwrap();
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
        let _ = fs::remove_dir(&self.0);
    }
}

/// F10, X56: a full disk is said with its code, nothing acknowledged is lost, reads and streams go
/// on, and writing goes on by itself, without a restart, once there is space.
#[test]
fn a_full_disk_is_said_and_survived() {
    let Some(disk) = SmallDisk::of("12m") else {
        println!("skipped: F10 on a real small disk needs the right to mount a tmpfs");
        return;
    };
    let server = Server::on(&disk.0.join("data"), Program::WithProbe, &[]);
    let owner = server.client();
    let worker = work::worker(&owner);
    let run = work::submit(&owner, "probe", json!({}));
    let lease = work::claim(&worker, 1, 5).pop().unwrap();
    let ballast = disk.ballast(4 << 20);
    let append = |n: u64| {
        let entry = json!({"kind": "probe.entry", "data": {"n": n, "text": "x".repeat(40_000)}});
        let path = format!("/worker/tasks/{}/entries", lease.task);
        let fence = [("lease-generation", "1")];
        worker.call("POST", &path, &fence, Some(&json!({"entries": [entry]}))).unwrap()
    };
    let mut acknowledged = Vec::new();
    let refused = loop {
        let n = acknowledged.len() as u64;
        let reply = append(n);
        if reply.status != 200 {
            break reply;
        }
        acknowledged.push(reply.json()["last_seq"].as_u64().unwrap());
        assert!(n < 2_000, "the disk never filled");
    };
    assert_eq!(refused.status, 507, "{}", refused.text());
    assert!(refused.json()["hint"].is_string(), "{}", refused.text());
    let code = refused.problem(507);
    // Other writes are refused the same way, and reads go on.
    let start = owner.post("/projects/probe/runs", &json!({"kind": "probe"}));
    assert_eq!(start.problem(507), code);
    let journal = server.journal(&format!("runs/{run}"));
    assert_gapless(&journal);
    assert_eq!(journal.last().unwrap()["seq"], *acknowledged.last().unwrap(), "what was refused is not there");
    assert_eq!(owner.get("//healthz").status, 200);
    let mut stream = owner.stream(&format!("/runs/{run}/events"), None).unwrap();
    assert_eq!(stream.next().unwrap().unwrap().seq(), 1);
    drop(stream);

    fs::remove_file(ballast).unwrap();
    let freed = Instant::now();
    let reply = loop {
        let reply = append(9_999);
        if reply.status == 200 {
            break reply;
        }
        assert!(freed.elapsed() < Duration::from_secs(10), "still refused: {}", reply.text());
    };
    assert_eq!(reply.json()["last_seq"].as_u64().unwrap(), acknowledged.last().unwrap() + 1);
    let root: PathBuf = server.root().to_owned();
    stop(server);
    let verified = programs::run(&root, Path::new("/"), &["verify"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
}

fn stop(mut server: Server) {
    assert!(server.stop().success(), "{}", server.log());
}
