//! One git process, hermetic.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    path::{Path, PathBuf},
    time::Duration,
};

use super::GitError;
use crate::{
    redact::Redactor,
    run::{CapturePlan, Command, CommandEnd, Limits, NotStarted, Outcome, Stderr, Stdin, run},
};

/// What git may answer: names of a million files.
const ANSWER_MAX: u64 = 256 << 20;
/// What git may complain.
const COMPLAINT_MAX: u64 = 1 << 20;
/// How much of it a message holds.
const MESSAGE_MAX: usize = 400;

/// What holds for every call, whatever else is set.
const SETTINGS: &[&str] = &[
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.untrackedCache=false",
    // A file is unchanged only if nothing about it says otherwise.
    "core.checkStat=default",
    "core.trustctime=true",
    "core.ignoreStat=false",
    "core.quotePath=false",
    "core.pager=cat",
    "gc.auto=0",
    "protocol.allow=never",
    "maintenance.auto=false",
    "advice.addEmbeddedRepo=false",
    // The folder was registered by a person; whose files they are is looked at where it matters.
    "safe.directory=*",
];

/// A git command in the making.
#[derive(Debug, Clone)]
pub(super) struct Git {
    folder: PathBuf,
    /// In order; a later one wins.
    settings: Vec<(String, String)>,
    words: Vec<String>,
    env: BTreeMap<String, String>,
    stdin: Stdin,
    timeout: Duration,
    max: u64,
}

/// How git answered.
pub(super) struct Answer {
    pub(super) code: i32,
    pub(super) stdout: Vec<u8>,
    pub(super) complaint: String,
    action: String,
}

impl Git {
    pub(super) fn at(folder: &Path) -> Self {
        let mut env = BTreeMap::new();
        for (name, value) in [
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_ATTR_NOSYSTEM", "1"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_ASKPASS", "/bin/false"),
            ("SSH_ASKPASS", "/bin/false"),
            ("GIT_OPTIONAL_LOCKS", "0"),
            ("GIT_NO_REPLACE_OBJECTS", "1"),
            ("GIT_LITERAL_PATHSPECS", "1"),
            // A partial clone must not go to the network to answer us.
            ("GIT_NO_LAZY_FETCH", "1"),
            ("GIT_PAGER", "cat"),
            ("GIT_EDITOR", "/bin/false"),
            ("LC_ALL", "C"),
            ("HOME", "/nonexistent"),
        ] {
            env.insert(name.to_owned(), value.to_owned());
        }
        let path = std::env::var("PATH").unwrap_or_default();
        env.insert("PATH".to_owned(), if path.is_empty() { "/usr/local/bin:/usr/bin:/bin".to_owned() } else { path });
        Self {
            folder: folder.to_owned(),
            settings: Vec::new(),
            words: Vec::new(),
            env,
            stdin: Stdin::Nothing,
            timeout: Duration::from_secs(60),
            max: ANSWER_MAX,
        }
    }

    pub(super) fn args<S: Into<String>>(mut self, words: impl IntoIterator<Item = S>) -> Self {
        self.words.extend(words.into_iter().map(Into::into));
        self
    }

    pub(super) fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.env.insert(name.to_owned(), value.as_ref().to_string_lossy().into_owned());
        self
    }

    pub(super) fn without(mut self, name: &str) -> Self {
        self.env.remove(name);
        self
    }

    pub(super) fn input(mut self, bytes: Vec<u8>) -> Self {
        self.stdin = Stdin::Bytes(bytes);
        self
    }

    pub(super) fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    pub(super) fn max(mut self, max: u64) -> Self {
        self.max = max;
        self
    }

    /// Runs it; any exit code is an answer.
    pub(super) async fn ask(self) -> Result<Answer, GitError> {
        let action = self.words.first().cloned().unwrap_or_default();
        let settings = self.settings.into_iter().map(|(name, value)| format!("{name}={value}"));
        let settings = settings.chain(SETTINGS.iter().map(|setting| (*setting).to_owned()));
        let mut argv = vec!["git".to_owned()];
        argv.extend(settings.flat_map(|setting| ["-c".to_owned(), setting]));
        argv.extend(self.words);
        let mut command = Command::new(argv, self.folder.clone());
        command.env = self.env;
        command.stdin = self.stdin;
        command.timeout = self.timeout;
        command.capture = CapturePlan::Memory { max: self.max };
        command.stderr = Stderr::Apart(CapturePlan::Memory { max: COMPLAINT_MAX });
        // Our own tool on our own errand: nothing to count or weigh.
        command.limits =
            Limits { memory: None, address_space: None, processes: None, file_size: None, open_files: None, cpu: None };
        let end = run(command).await;
        let complaint = end.errors.as_ref().map(|errors| short(&errors.text())).unwrap_or_default();
        match end.outcome {
            Outcome::Exited { code } => Ok(Answer { code, stdout: into_bytes(end), complaint, action }),
            Outcome::NotStarted { kind: NotStarted::NotFound | NotStarted::NotExecutable, message } => {
                Err(GitError::NotInstalled(message))
            }
            Outcome::NotStarted { kind: NotStarted::NoFolder, .. } => Err(GitError::Missing(self.folder)),
            Outcome::TimedOut { .. } => Err(GitError::TimedOut(action)),
            Outcome::OutputCap { limit } => Err(GitError::TooLarge(limit)),
            other => Err(GitError::Failed { action, message: format!("{other:?} {complaint}") }),
        }
    }

    /// Runs it; only exit code 0 is an answer.
    pub(super) async fn tell(self) -> Result<Vec<u8>, GitError> {
        let answer = self.ask().await?;
        if answer.code == 0 { Ok(answer.stdout) } else { Err(answer.failed()) }
    }
}

impl Answer {
    pub(super) fn failed(self) -> GitError {
        let message =
            if self.complaint.is_empty() { format!("it ended with code {}", self.code) } else { self.complaint };
        if message.contains("No space left on device") {
            return GitError::DiskFull(format!("git {}: {message}", self.action));
        }
        GitError::Failed { action: self.action, message }
    }

    pub(super) fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.stdout)
    }
}

fn into_bytes(end: CommandEnd) -> Vec<u8> {
    match end.output.place {
        crate::run::Place::Memory(bytes) => bytes,
        crate::run::Place::File(_) => Vec::new(),
    }
}

/// A complaint as one safe line.
fn short(complaint: &str) -> String {
    let (mut sanitizer, mut text) = (crate::sanitize::Sanitizer::new(), String::new());
    sanitizer.push(complaint.as_bytes(), &mut text);
    sanitizer.finish(&mut text);
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = Redactor::of_shapes().redact(&line).into_owned();
    line[..line.floor_char_boundary(MESSAGE_MAX)].to_owned()
}
