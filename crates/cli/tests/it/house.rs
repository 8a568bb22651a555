//! What every test stands in: a home, a data folder and repositories of its own, and the binary.

use std::{
    ffi::OsStr,
    fs,
    io::{BufRead as _, BufReader, Read as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

/// A command that takes longer than this hangs.
const LIMIT: Duration = Duration::from_secs(120);

/// Waits for something that comes within a few seconds.
pub fn until(holds: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < end, "it never came");
        thread::sleep(Duration::from_millis(100));
    }
}

/// A place of one's own; gone with its end.
pub struct House {
    folder: TempDir,
}

/// How a command ended.
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl House {
    pub fn new() -> Self {
        let house = Self { folder: TempDir::new().unwrap() };
        for folder in ["home", "tmp", "work"] {
            fs::create_dir(house.at(folder)).unwrap();
        }
        house
    }

    /// A path in the house.
    pub fn at(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn data(&self) -> PathBuf {
        self.at("data")
    }

    /// The binary, with nothing of the outside but what it needs.
    pub fn proofhouse<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_proofhouse"));
        command.args(args).current_dir(self.at("work")).stdin(Stdio::null());
        self.surround(&mut command);
        command
    }

    fn surround(&self, command: &mut Command) {
        command.env_clear();
        for name in ["PATH", "CARGO_HOME", "RUSTUP_HOME"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        // The toolchain lies in the real home where nothing says otherwise.
        let real = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
        for (name, below) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
            if std::env::var_os(name).is_none() && real.join(below).is_dir() {
                command.env(name, real.join(below));
            }
        }
        command.env("HOME", self.at("home")).env("TMPDIR", self.at("tmp")).env("USER", "tester");
        command.env("PROOFHOUSE_DATA", self.data()).env("LANG", "C.UTF-8");
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    }

    /// Runs the binary to its end.
    pub fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Ran {
        ended(self.proofhouse(args))
    }

    /// Runs the binary in a folder.
    pub fn run_in<S: AsRef<OsStr>>(&self, folder: &Path, args: impl IntoIterator<Item = S>) -> Ran {
        let mut command = self.proofhouse(args);
        command.current_dir(folder);
        ended(command)
    }

    /// Runs the binary, which must end with 0 and print JSON.
    pub fn json<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Value {
        let ran = self.run(args);
        assert_eq!(ran.code, 0, "{ran}");
        ran.json()
    }

    /// A git repository with these files, committed.
    pub fn repository(&self, name: &str, files: &[(&str, &str)]) -> PathBuf {
        let root = self.at(name);
        fs::create_dir_all(&root).unwrap();
        self.git(&root, ["init", "-q", "-b", "main"]);
        self.commit(&root, files);
        root
    }

    /// Writes files and commits everything.
    pub fn commit(&self, root: &Path, files: &[(&str, &str)]) {
        for (path, text) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            if text.starts_with("#!") {
                fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
            }
        }
        self.git(root, ["add", "-A"]);
        self.git(root, ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-q", "--allow-empty", "-m", "work"]);
    }

    pub fn git<S: AsRef<OsStr>>(&self, root: &Path, args: impl IntoIterator<Item = S>) -> String {
        let mut command = Command::new("git");
        command.args(args).current_dir(root).stdin(Stdio::null());
        self.surround(&mut command);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// A running server on the house's data folder.
    pub fn serve(&self, args: &[&str]) -> Server {
        let mut command = self.proofhouse(["serve", "--json", "--listen", "127.0.0.1:0"]);
        command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let Ok(said) = serde_json::from_str::<Value>(&line) else {
            let mut err = String::new();
            child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
            panic!("the server did not start: {line}{err}");
        };
        // A full pipe would block the server.
        let mut stderr = child.stderr.take().unwrap();
        thread::spawn(move || std::io::copy(&mut stderr, &mut std::io::sink()));
        Server { url: said["url"].as_str().unwrap().to_owned(), said, child, _stdout: stdout }
    }
}

/// A server; killed at its end where a test did not stop it.
pub struct Server {
    pub url: String,
    pub said: Value,
    pub child: Child,
    _stdout: BufReader<ChildStdout>,
}

impl Server {
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Asks it to stop and waits for its exit code.
    pub fn stop(mut self) -> Option<i32> {
        self.signal("TERM");
        self.child.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a command to its end.
pub fn ended(mut command: Command) -> Ran {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let read = |mut from: Box<dyn std::io::Read + Send>| {
        thread::spawn(move || {
            let mut bytes = Vec::new();
            from.read_to_end(&mut bytes).unwrap();
            String::from_utf8(bytes).unwrap()
        })
    };
    let out = read(Box::new(child.stdout.take().unwrap()));
    let err = read(Box::new(child.stderr.take().unwrap()));
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if started.elapsed() > LIMIT {
            child.kill().unwrap();
            panic!("{command:?} hangs: {}", err.join().unwrap());
        }
        thread::sleep(Duration::from_millis(5));
    };
    Ran { code: status.code().unwrap_or(-1), out: out.join().unwrap(), err: err.join().unwrap() }
}

impl Ran {
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self}"))
    }

    /// It ended so, and said this on standard error.
    #[track_caller]
    pub fn refused(&self, code: i32, words: &str) {
        assert_eq!(self.code, code, "{self}");
        assert!(self.err.contains(words), "expected {words:?} in: {self}");
    }

    /// It ended with 0 and said this.
    #[track_caller]
    pub fn said(&self, words: &str) {
        assert_eq!(self.code, 0, "{self}");
        assert!(self.out.contains(words), "expected {words:?} in: {self}");
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit {}\n--- out\n{}--- err\n{}", self.code, self.out, self.err)
    }
}

impl Ran {
    /// It ended with 1 and said this.
    #[track_caller]
    pub fn said_no(&self, words: &str) {
        assert_eq!(self.code, 1, "{self}");
        assert!(self.out.contains(words), "expected {words:?} in: {self}");
    }
}
