//! What the command line asks git on this machine: where a repository is and which tree a ref has.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use exec::run::{CapturePlan, Command, Outcome, Stderr};
use model::code::Code;

use crate::{fault::Fault, out::clean};

/// What git printed.
pub struct Said {
    /// Whether it ended with 0.
    pub is_ok: bool,
    /// Its standard output, without the last line break.
    pub output: String,
    /// Its standard error.
    pub errors: String,
}

/// Runs git in a folder. What it says is answered, whatever it is; not being able to run it is a fault.
pub async fn git(folder: &Path, words: &[&str]) -> Result<Said, Fault> {
    let argv = ["git", "--no-optional-locks"].into_iter().chain(words.iter().copied());
    let mut command = Command::new(argv, folder);
    command.env = exec::environment::inherited();
    // Messages are matched below, so they have one language; nobody is there to type a password.
    command.env.insert("LC_ALL".into(), "C".into());
    command.env.insert("GIT_TERMINAL_PROMPT".into(), "0".into());
    command.timeout = Duration::from_secs(30);
    command.capture = CapturePlan::Memory { max: 4 << 20 };
    command.stderr = Stderr::Apart(CapturePlan::Memory { max: 1 << 20 });
    let end = exec::run::run(command).await;
    match end.outcome {
        Outcome::Exited { code } => Ok(Said {
            is_ok: code == 0,
            output: end.output.text().trim_end_matches('\n').to_owned(),
            errors: end.errors.map(|errors| errors.text().trim().to_owned()).unwrap_or_default(),
        }),
        Outcome::NotStarted { message, .. } => {
            Err(Fault::new(Code::GitMissing, format!("failed to run git: {message}")))
        }
        other => Err(Fault::new(Code::GitFailed, format!("git did not end by itself: {other:?}"))),
    }
}

/// The root of the checkout that holds a folder, with everything a registration needs checked: that
/// it is there, readable, a repository, not bare, and has a commit.
pub async fn root_of(path: &Path) -> Result<PathBuf, Fault> {
    let named = path.display();
    let folder = path.canonicalize().map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => {
            Fault::new(Code::FolderUnreadable, format!("the folder {named} cannot be read"))
        }
        _ => Fault::new(Code::FolderMissing, format!("the folder {named} does not exist")),
    })?;
    if !folder.is_dir() {
        return Err(Fault::new(Code::FolderMissing, format!("{named} is not a folder")));
    }
    if let Err(error) = std::fs::read_dir(&folder) {
        return Err(Fault::new(Code::FolderUnreadable, format!("the folder {named} cannot be read: {error}")));
    }
    let said = git(&folder, &["rev-parse", "--is-bare-repository", "--is-inside-work-tree"]).await?;
    let mut lines = said.output.lines();
    match (said.is_ok, lines.next(), lines.next()) {
        (true, Some("false"), Some("true")) => {}
        (true, Some("true"), _) => {
            return Err(Fault::new(Code::BareRepository, format!("the repository {named} is bare")));
        }
        (true, _, _) => {
            return Err(Fault::new(
                Code::NotARepository,
                format!("{named} is inside git's own folder, not a checkout"),
            ));
        }
        (false, _, _) if said.errors.contains("dubious ownership") => {
            return Err(Fault::new(Code::GitFailed, format!("git refuses {named}: it belongs to another user"))
                .hinted(format!("if you trust it: git config --global --add safe.directory {}", folder.display())));
        }
        (false, _, _) if said.errors.contains("not a git repository") => {
            return Err(Fault::new(Code::NotARepository, format!("{named} is not in a git repository")));
        }
        (false, _, _) => return Err(failed(&said)),
    }
    let said = git(&folder, &["rev-parse", "--show-toplevel"]).await?;
    if !said.is_ok {
        return Err(failed(&said));
    }
    let root = PathBuf::from(said.output);
    if !git(&root, &["rev-parse", "--verify", "--quiet", "HEAD^{commit}"]).await?.is_ok {
        return Err(Fault::new(Code::NoCommits, format!("the repository {named} has no commits yet")));
    }
    Ok(root)
}

/// The tree of a ref in the repository that holds a folder.
pub async fn tree_of(folder: &Path, reference: &str) -> Result<String, Fault> {
    let unknown = || Fault::new(Code::RefNotFound, format!("the repository has no commit {:?}", clean(reference)));
    if reference.starts_with('-') {
        return Err(unknown());
    }
    let spec = format!("{reference}^{{tree}}");
    let said = git(folder, &["rev-parse", "--verify", "--quiet", "--end-of-options", &spec]).await?;
    if said.is_ok && said.output.len() >= 40 && said.output.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(said.output);
    }
    // The ref is only unknown where there is a repository to look in.
    root_of(folder).await?;
    Err(unknown())
}

/// Whether the checkout that holds a folder has changes that are not committed.
pub async fn is_dirty(folder: &Path) -> bool {
    git(folder, &["status", "--porcelain", "-z"]).await.is_ok_and(|said| !said.output.is_empty())
}

fn failed(said: &Said) -> Fault {
    let words = said.errors.lines().next().unwrap_or("no reason was given");
    Fault::new(Code::GitFailed, format!("git said no: {}", clean(words)))
}
