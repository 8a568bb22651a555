//! A PostgreSQL cluster of a test's own, which it may stop and start as it likes.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

/// A running cluster; gone when dropped.
#[derive(Debug)]
pub struct Cluster {
    folder: TempDir,
    programs: PathBuf,
    port: u16,
}

impl Cluster {
    /// Makes and starts one; `None` where PostgreSQL's programs are not installed.
    pub fn start() -> Option<Self> {
        let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let programs =
            versions.map(|version| version.path().join("bin")).filter(|bin| bin.join("initdb").exists()).max()?;
        let folder = tempfile::Builder::new().prefix("cluster-").tempdir().expect("a temporary folder can be made");
        let port = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
        let cluster = Self { folder, programs, port: port.expect("a free port can be bound").port() };
        if is_root() {
            // PostgreSQL refuses to run as root.
            cluster.ran(Command::new("chown").arg("postgres").arg(cluster.folder.path()));
        }
        cluster.postgres("initdb", &["-U", "postgres", "-A", "trust"]);
        cluster.up();
        Some(cluster)
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Starts it and waits until it answers.
    pub fn up(&self) {
        let log = self.folder.path().join("log").display().to_string();
        let options = format!("-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''", self.port);
        self.postgres("pg_ctl", &["-w", "-l", &log, "-o", &options, "start"]);
    }

    /// Ends it as a crash would: nobody is waited for, nothing is written.
    pub fn crash(&self) {
        self.postgres("pg_ctl", &["-m", "immediate", "stop"]);
    }

    fn postgres(&self, program: &str, arguments: &[&str]) {
        let program = self.programs.join(program);
        let mut command = if is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        self.ran(command.arg("-D").arg(self.data()).args(arguments).stdout(std::process::Stdio::null()));
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn ran(&self, command: &mut Command) {
        // Not below a folder that its user may not enter.
        let status = command.current_dir(Path::new("/")).status().expect("the program can be started");
        assert!(status.success(), "{command:?}: {status}");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.data().join("postmaster.pid").exists() {
            self.crash();
        }
    }
}

fn is_root() -> bool {
    // SAFETY: asks for a number, nothing else.
    unsafe { libc::geteuid() == 0 }
}
