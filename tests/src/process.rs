//! A child process that never outlives its test.

use std::{
    os::unix::process::ExitStatusExt as _,
    process::{Child, ExitStatus},
    time::{Duration, Instant},
};

/// A process of this test; killed when dropped.
#[derive(Debug)]
pub struct Process(Child);

impl From<Child> for Process {
    fn from(child: Child) -> Self {
        Self(child)
    }
}

impl Process {
    /// Its number.
    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: i32) {
        let pid = libc::pid_t::try_from(self.0.id()).expect("a process number fits");
        // SAFETY: the child has not been waited for yet, so the number is still its own.
        unsafe { libc::kill(pid, signal) };
    }

    /// Kills it and takes its end.
    pub fn kill(&mut self) {
        // It may have ended by itself a moment ago.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }

    /// Its end, if it comes in time.
    pub fn ends_within(&mut self, timeout: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(status) = self.0.try_wait().expect("a child of this process can be waited for") {
                return Some(status);
            }
            if Instant::now() >= deadline {
                return None;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> bool {
        self.ends_within(Duration::ZERO).is_none()
    }

    /// The child itself.
    pub const fn child(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// How a process ended, in words for messages.
pub fn end(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "an unknown end".to_owned(),
    }
}

/// A word that no other process on this machine has in its arguments.
pub fn tag() -> String {
    format!("tag{}", uuid::Uuid::now_v7().simple())
}

/// The processes with this word in their arguments; those that have ended and were not waited for have none.
pub fn alive(tag: &str) -> Vec<u32> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("Linux lists its processes").flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let arguments = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&arguments).contains(tag) {
            found.push(pid);
        }
    }
    found
}

/// Writes a problem to standard error, and says how a process ends with it: as the product's exit codes.
pub fn said(problem: &model::problem::Problem) -> u8 {
    eprintln!("{problem} ({})", problem.code);
    match problem.code {
        model::code::Code::Unreachable | model::code::Code::WorkerStateInUse => 4,
        model::code::Code::ProtocolUnsupported => 5,
        _ => 2,
    }
}
