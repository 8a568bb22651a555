//! What a command may touch. F14, X20, K8.

use std::{
    fs,
    path::{Path, PathBuf},
};

use proofhouse_exec::{
    run::{Command, NotStarted, Outcome},
    sandbox::{By, FileRules, Files, Network, SandboxPlan, SandboxReport, credential_stores},
};

use crate::scripted::{exited, printed, scripted};

/// A worktree with a `.git`, a plane's data folder, and somebody's file outside.
struct Place {
    root: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self::below(&std::env::temp_dir())
    }

    fn below(folder: &Path) -> Self {
        let root = tempfile::tempdir_in(folder).unwrap();
        for folder in ["work/.git/hooks", "work/src", "data/runs/1/out", "data/runs/1/tmp", "home"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        for (file, text) in
            [("work/.git/config", "[core]"), ("work/src/a", "a"), ("data/plane.db", "tokens"), ("home/notes", "mine")]
        {
            fs::write(root.path().join(file), text).unwrap();
        }
        Self { root }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    fn has(&self, path: &str) -> bool {
        self.at(path).exists()
    }

    /// Steps in which `@` is the root of this place.
    fn fenced(&self, steps: &str) -> Command {
        let mut command = scripted(&steps.replace('@', &self.root.path().display().to_string()));
        command.cwd = self.at("work");
        command.sandbox = SandboxPlan {
            files: Some(FileRules {
                writable: vec![self.at("work"), self.at("data/runs/1/out")],
                read_only: vec![self.at("work/.git")],
                hidden: vec![self.at("data")],
                readable: vec![],
                private_tmp: Some(self.at("data/runs/1/tmp")),
            }),
            network: Network::Off,
            required: true,
        };
        command
    }
}

fn is(path: &Path, text: &str) -> bool {
    fs::read_to_string(path).is_ok_and(|found| found == text)
}

/// F14, X20: what it may do, it can, and the record says what held.
#[tokio::test]
async fn the_worktree_is_its_own() {
    let place = Place::new();
    let (end, text) = printed(place.fenced(
        "write new , mkdir deep/er , write deep/er/file , rename new deep/new , remove src/a , write @/data/runs/1/out/r.xml , \
         write /dev/null , write /dev/shm/x , print-file /etc/passwd , print-file .git/config , loopback",
    ))
    .await;
    assert_eq!(end.outcome, exited(0), "{text}");
    assert!(!text.contains("refused"), "{text}");
    assert!(place.has("work/deep/new") && place.has("data/runs/1/out/r.xml") && !place.has("work/src/a"));
    assert!(!Path::new("/dev/shm/x").exists() && text.contains("root:") && text.contains("loopback works"));
    assert_eq!(
        end.sandbox,
        SandboxReport { files: Files::Enforced, network: Network::Off, by: By::Landlock, missing: vec![] }
    );
}

/// F14: absolute, `..`, symlink, hard link, rename, and the hooks and settings of the repository.
#[tokio::test]
async fn nothing_outside_can_be_changed() {
    let place = Place::new();
    fs::write(place.at("work/evil"), "evil").unwrap();
    for steps in [
        "write @/home/notes evil",
        "write @/home/new evil",
        "write ../home/notes evil",
        "remove @/home/notes",
        "rename evil @/home/evil",
        "rename @/home/notes notes",
        "link @/home/notes linked , write linked evil",
        "symlink @/home/notes pointed , write pointed evil",
        "symlink @/home dir , write dir/new evil",
        "mkdir @/home/folder",
        "write .git/hooks/post-commit evil",
        "write .git/config evil",
        "rename evil .git/hooks/post-commit",
        "link evil .git/hooks/post-commit",
        "rename .git .git2",
        "write /tmp/ph-evil evil",
        "write /etc/ph-evil evil",
    ] {
        let (_, text) = printed(place.fenced(steps)).await;
        assert!(text.contains("refused:"), "{steps}: {text}");
        assert!(is(&place.at("home/notes"), "mine"), "{steps}");
        assert!(is(&place.at("work/.git/config"), "[core]"), "{steps}");
        assert_eq!(fs::read_dir(place.at("home")).unwrap().count(), 1, "{steps}");
        assert_eq!(fs::read_dir(place.at("work/.git/hooks")).unwrap().count(), 0, "{steps}");
    }
    assert!(!Path::new("/tmp/ph-evil").exists() && !Path::new("/etc/ph-evil").exists());
}

/// L23: what hides beside the plane's data: one file of a folder, and nothing else of it.
#[tokio::test]
async fn credentials_are_hidden() {
    let place = Place::new();
    fs::create_dir_all(place.at("home/.ssh")).unwrap();
    fs::write(place.at("home/.ssh/id"), "private").unwrap();
    fs::write(place.at("home/.netrc"), "private").unwrap();
    let mut command = place.fenced("print-file @/home/.ssh/id , print-file @/home/.netrc , print-file @/home/notes");
    let stores = credential_stores(&place.at("home"));
    assert_eq!(stores.len(), 2);
    command.sandbox.files.as_mut().unwrap().hidden.extend(stores);
    let (_, text) = printed(command).await;
    assert_eq!(text.matches("refused").count(), 2, "{text}");
    assert!(text.ends_with("mine") && !text.contains("private"), "{text}");
}

/// F14, P32: the plane's data, environment, memory and processes.
#[tokio::test]
async fn the_plane_is_out_of_reach() {
    let place = Place::new();
    let server = std::process::id();
    let (_, text) = printed(place.fenced(&format!(
        "print-file @/data/plane.db , list @/data , symlink @/data inside , print-file inside/plane.db , \
         print-file /proc/{server}/environ , kill {server} 0 , kill-parent , env HOME , env CARGO_HOME , write @/data/plane.db evil"
    )))
    .await;
    for step in ["print-file", "list", "kill", "kill-parent", "write"] {
        assert!(text.contains(&format!("refused: {step}")), "{step}: {text}");
    }
    assert_eq!(text.matches("refused: print-file").count(), 3, "{text}");
    assert!(!text.contains("tokens") && text.contains("HOME is not set") && text.contains("CARGO_HOME is not set"));
    assert!(is(&place.at("data/plane.db"), "tokens"));
}

/// F14: the network, when it is denied, is not there at all; when it is not, the record says so.
#[tokio::test]
async fn the_network_is_off() {
    let place = Place::new();
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    udp.set_nonblocking(true).unwrap();
    let steps = format!("connect {} , send-udp {}", server.local_addr().unwrap(), udp.local_addr().unwrap());
    let (_, text) = printed(place.fenced(&steps)).await;
    assert!(text.contains("refused: connect"), "{text}");
    let mut buffer = [0; 8];
    assert!(udp.recv(&mut buffer).is_err());

    let mut command = place.fenced(&steps);
    command.sandbox.network = Network::Open;
    let (end, text) = printed(command).await;
    assert_eq!(text, "connected\nsent\n");
    assert_eq!((end.sandbox.network, end.sandbox.files), (Network::Open, Files::Enforced));

    let (end, _) = printed(scripted("exit 0")).await;
    assert_eq!(end.sandbox, SandboxReport::none());
}

/// F14: TMPDIR is the run's own, and so is `/tmp` where nothing granted lies in it.
#[tokio::test]
async fn temporary_files_are_private() {
    let place = Place::new();
    let (_, text) = printed(place.fenced("write /dev/shm/seen-by-run , list @/data/runs/1/tmp")).await;
    assert!(text.contains("seen-by-run"), "{text}");
    assert!(place.has("data/runs/1/tmp/seen-by-run"));

    let place = Place::below(Path::new("/var/tmp"));
    let mut command = place.fenced("write /tmp/seen-by-run , write /var/tmp/x");
    // This repository may itself lie in /tmp, which the command does not see.
    let child = place.at("work/child");
    fs::copy(&command.argv[0], &child).unwrap();
    command.argv[0] = child.display().to_string();
    let (end, text) = printed(command).await;
    assert!(text.contains("wrote /tmp/seen-by-run") && text.contains("refused: write"), "{text} {end:?}");
    assert!(place.has("data/runs/1/tmp/seen-by-run") && !Path::new("/tmp/seen-by-run").exists());
}

/// The test of this name, run again by this program inside a fence.
fn myself(place: &Place, test: &str, inner: &str) -> Command {
    let mut command = place.fenced("");
    command.argv = [std::env::current_exe().unwrap().to_str().unwrap(), "--exact", test, "--nocapture"]
        .map(str::to_owned)
        .to_vec();
    command.env.insert("EXEC_TEST_INNER".to_owned(), inner.to_owned());
    command
}

/// K8, X20: where the kernel does not give what is planned, it is said, or, when required, refused.
#[tokio::test]
async fn what_cannot_be_enforced_is_said() {
    let Ok(inner) = std::env::var("EXEC_TEST_INNER") else {
        let place = Place::new();
        let root = place.root.path().display().to_string();
        // Inside a fence nothing can be mounted any more, for anybody.
        let (end, text) = printed(myself(&place, "fence::what_cannot_be_enforced_is_said", &root)).await;
        assert_eq!(end.outcome, exited(0), "{text}");
        return;
    };
    let work = PathBuf::from(inner).join("work");
    let plan = |required| SandboxPlan {
        files: Some(FileRules {
            writable: vec![work.clone()],
            read_only: vec![work.join(".git")],
            ..FileRules::default()
        }),
        network: Network::Open,
        required,
    };
    let mut command = scripted("print ran");
    (command.cwd, command.sandbox) = (work.clone(), plan(false));
    let (end, text) = printed(command).await;
    assert_eq!(text, "ran\n");
    assert_eq!((end.sandbox.files, end.sandbox.by), (Files::None, By::Landlock));
    assert!(end.sandbox.missing[0].contains(".git"), "{:?}", end.sandbox);

    let mut command = scripted("print ran");
    (command.cwd, command.sandbox) = (work.clone(), plan(true));
    let (end, text) = printed(command).await;
    assert_eq!(text, "");
    match end.outcome {
        Outcome::NotStarted { kind: NotStarted::Refused, message } => {
            assert!(message.contains("required"), "{message}")
        }
        other => panic!("{other:?}"),
    }
}

/// F13, F14 hold for a server without privileges as they do for root.
#[test]
fn the_same_without_privileges() {
    use std::os::unix::process::CommandExt as _;
    if !fs::metadata("/proc/self").is_ok_and(|data| is_root(&data)) {
        println!("skipped: this is not root, so the other tests were it");
        return;
    }
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child.args(["fence::", "ends::nothing", "ends::a_", "--test-threads=2"]);
    child.env("HOME", "/").current_dir("/").uid(65534).gid(65534);
    match child.output() {
        Ok(out) => {
            let text = String::from_utf8_lossy(&out.stdout);
            assert!(out.status.success(), "{text}");
        }
        Err(error) => println!("skipped: another user cannot start the tests here: {error}"),
    }
}

fn is_root(data: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    data.uid() == 0
}
