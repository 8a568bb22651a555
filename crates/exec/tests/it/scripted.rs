//! Commands of the scripted child, and looks at what is left of them.

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};

use proofhouse_exec::run::{CapturePlan, Command, CommandEnd, Outcome, run};

/// A command whose steps are the words; a `,` alone separates them.
pub fn scripted(steps: &str) -> Command {
    let mut words = vec![env!("CARGO_BIN_EXE_exec-scripted-child").to_owned()];
    words.extend(steps.split_whitespace().map(str::to_owned));
    let mut command = Command::new(words, std::env::temp_dir());
    command.timeout = Duration::from_secs(20);
    command.env = BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]);
    command
}

pub async fn printed(command: Command) -> (CommandEnd, String) {
    let end = run(command).await;
    let text = end.output.text().into_owned();
    (end, text)
}

pub fn exited(code: i32) -> Outcome {
    Outcome::Exited { code }
}

pub fn into_file(command: &mut Command, folder: &Path) {
    command.capture = CapturePlan::file(folder.join("output"));
}

/// A word no other process on this machine has in its arguments.
pub fn tag() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("tag{}x{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Processes, zombies apart, with this word in their arguments.
pub fn alive(tag: &str) -> Vec<i32> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let arguments = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&arguments).contains(tag) {
            found.push(pid);
        }
    }
    found
}

/// Waits until the condition holds; false when it does not within the time.
pub fn within(time: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let until = Instant::now() + time;
    while Instant::now() < until {
        if holds() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    holds()
}
