//! `proofhouse doctor`: looks at everything the plane needs here, and says what to do.

use std::{
    env::split_paths,
    ffi::CString,
    fs,
    os::unix::{ffi::OsStrExt as _, fs::PermissionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use exec::{
    run::{Command, Outcome},
    sandbox::{FileRules, Files, Network, SandboxPlan},
};
use model::proof::config::{self, ProjectConfig};
use serde_json::{Value, json};

use crate::{
    connect,
    context::Context,
    env,
    exit::Exit,
    fault::Fault,
    git,
    out::{Tone, clean},
    transport::http::Remote,
};

/// Less free space than this is worth a word.
const LITTLE_SPACE: u64 = 1 << 30;
/// The oldest git that works.
const GIT: (u32, u32) = (2, 30);
/// What gates may need, and what for.
const TOOLS: &[(&str, &str)] = &[
    ("cargo", "Rust"),
    ("cargo-nextest", "Rust, results of single tests"),
    ("python3", "Python"),
    ("uv", "Python, locked environments"),
    ("node", "Node"),
    ("npm", "Node"),
    ("go", "Go"),
];

/// Look at everything the plane needs on this machine
///
/// Exits with 1 when something is wrong that would keep runs from working.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// How a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// Good.
    Ok,
    /// Worth a word.
    Note,
    /// Wrong.
    Bad,
}

/// Something that was looked at.
pub(crate) struct Check {
    name: &'static str,
    how: How,
    what: String,
    hint: String,
}

/// What was found.
pub(crate) fn check(name: &'static str, how: How, what: impl Into<String>, hint: impl Into<String>) -> Check {
    Check { name, how, what: what.into(), hint: hint.into() }
}

/// Looks.
pub async fn run(_: Args, context: &Context) -> Result<Exit, Fault> {
    let mut checks = vec![git_version().await];
    checks.extend(data_folder(&context.place.data));
    checks.push(plane(context).await);
    checks.push(sandbox().await);
    checks.extend(tools());
    checks.push(repository_file().await);
    Ok(if tell(&checks, context) { Exit::Ok } else { Exit::No })
}

/// Writes what was found; whether all is well.
pub(crate) fn tell(checks: &[Check], context: &Context) -> bool {
    let is_bad = checks.iter().any(|check| check.how == How::Bad);
    if context.out.json {
        let list: Vec<Value> = checks.iter().map(document).collect();
        context.out.document(&json!({"ok": !is_bad, "data": context.place.data, "checks": list}));
    } else {
        print(checks, context);
    }
    !is_bad
}

fn document(check: &Check) -> Value {
    let how = match check.how {
        How::Ok => "ok",
        How::Note => "note",
        How::Bad => "bad",
    };
    json!({"name": check.name, "state": how, "what": check.what, "hint": check.hint})
}

fn print(checks: &[Check], context: &Context) {
    let out = &context.out;
    for check in checks {
        let (sign, tone) = match check.how {
            How::Ok => ("✓", Tone::Good),
            How::Note => ("·", Tone::Dim),
            How::Bad => ("✗", Tone::Bad),
        };
        out.line(format!(
            "{} {} {}",
            out.paint(tone, sign),
            out.bold(format!("{:<14}", check.name)),
            clean(&check.what)
        ));
        if !check.hint.is_empty() {
            out.line(out.dim(format!("                 {}", clean(&check.hint))));
        }
    }
}

async fn git_version() -> Check {
    let said = match git::git(Path::new("/"), &["version"]).await {
        Ok(said) => said,
        Err(fault) => return check("git", How::Bad, fault.to_string(), fault.hint()),
    };
    let mut numbers = said.output.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse::<u32>().ok());
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if version >= GIT {
        check("git", How::Ok, said.output, "")
    } else {
        check("git", How::Bad, said.output, format!("install git {}.{} or later", GIT.0, GIT.1))
    }
}

fn data_folder(folder: &Path) -> Vec<Check> {
    const NAME: &str = "data folder";
    let named = folder.display();
    let Ok(found) = fs::metadata(folder) else {
        // The first command makes it, in the nearest folder above that is there.
        let parent = folder.ancestors().skip(1).find(|parent| parent.exists()).unwrap_or(Path::new("/"));
        return vec![if is_writable(parent) {
            check(NAME, How::Note, format!("{named} is not there yet; the first command makes it"), "")
        } else {
            check(
                NAME,
                How::Bad,
                format!("{named} cannot be made: {} is not writable", parent.display()),
                "name another with --data or PROOFHOUSE_DATA",
            )
        }];
    };
    if !found.is_dir() {
        return vec![check(
            NAME,
            How::Bad,
            format!("{named} is not a folder"),
            "name another with --data or PROOFHOUSE_DATA",
        )];
    }
    let mut checks = Vec::new();
    if !is_writable(folder) {
        checks.push(check(
            NAME,
            How::Bad,
            format!("{named} is not writable"),
            "give it to the user that runs the plane, or name another with --data",
        ));
    } else if found.permissions().mode() & 0o077 != 0 {
        checks.push(check(NAME, How::Note, format!("{named} can be read by others"), format!("chmod 700 {named}")));
    } else {
        checks.push(check(NAME, How::Ok, named.to_string(), ""));
    }
    checks.push(match free_space(folder) {
        Some(free) if free < LITTLE_SPACE => {
            check("space", How::Bad, format!("{} MiB free", free >> 20), "free space on the disk of the data folder")
        }
        Some(free) => check("space", How::Ok, format!("{} GiB free", free >> 30), ""),
        None => check("space", How::Note, "cannot be told on this file system", ""),
    });
    checks
}

fn is_writable(folder: &Path) -> bool {
    let Ok(path) = CString::new(folder.as_os_str().as_bytes()) else { return false };
    // SAFETY: `path` is a C string that lives through the call, which only looks.
    unsafe { libc::access(path.as_ptr(), libc::W_OK | libc::X_OK) == 0 }
}

fn free_space(folder: &Path) -> Option<u64> {
    let path = CString::new(folder.as_os_str().as_bytes()).ok()?;
    let mut found = std::mem::MaybeUninit::<libc::statvfs>::zeroed();
    // SAFETY: `path` is a C string that lives through the call; `statvfs` writes one structure to the
    // given place and nothing else, and all-zero bytes are a valid one.
    let found = unsafe { (libc::statvfs(path.as_ptr(), found.as_mut_ptr()) == 0).then(|| found.assume_init()) }?;
    found.f_bavail.checked_mul(found.f_frsize)
}

/// The server, else the store in the folder: whichever a command would use.
async fn plane(context: &Context) -> Check {
    if let Some(address) = &context.place.server {
        let remote = match Remote::at(address) {
            Ok(remote) => remote,
            Err(fault) => return check("server", How::Bad, fault.to_string(), fault.hint()),
        };
        return reached("server", &remote.url(), context).await;
    }
    if let Some((server, _)) = connect::running(&context.place).await {
        return reached("server", &server.url, context).await;
    }
    let is_new = context.place.store.is_none() && !context.place.data.join("proofhouse.db").exists();
    match context.place.running() {
        None if is_new => check("store", How::Note, "there is none yet; the first command makes it", ""),
        Some(server) => check(
            "server",
            How::Bad,
            format!("process {} at {} does not answer", server.pid, server.url),
            "look at its log; stop it and start it again",
        ),
        None => reached("store", "no server runs; commands open the folder themselves", context).await,
    }
}

async fn reached(name: &'static str, what: &str, context: &Context) -> Check {
    let api = match context.api().await {
        Ok(api) => api,
        Err(fault) => return check(name, How::Bad, fault.to_string(), fault.hint()),
    };
    match api.get("/me").await {
        Ok(_) => check(name, How::Ok, what, ""),
        Err(fault) => check(name, How::Bad, format!("{what}: {fault}"), fault.hint()),
    }
}

/// Confines a process as a gate would be, and reads what really held (K8).
pub(crate) async fn sandbox() -> Check {
    const NAME: &str = "sandbox";
    let folder = std::env::temp_dir();
    let mut command = Command::new(["true"], &folder);
    command.env = exec::environment::inherited();
    command.timeout = Duration::from_secs(10);
    let rules = FileRules { writable: vec![folder], ..FileRules::default() };
    command.sandbox = SandboxPlan { files: Some(rules), network: Network::Off, required: false };
    let end = exec::run::run(command).await;
    if let Outcome::NotStarted { message, .. } = &end.outcome {
        return check(NAME, How::Bad, format!("no process can be started: {message}"), "");
    }
    let abi = landlock_abi();
    let files = match (end.sandbox.files, abi) {
        (Files::Enforced, Some(abi)) => format!("files enforced (Landlock ABI {abi})"),
        (Files::Enforced, None) => "files enforced".to_owned(),
        (Files::None, _) => "files not enforced".to_owned(),
    };
    let network = match end.sandbox.network {
        Network::Off => "network can be turned off",
        Network::Open => "network cannot be turned off",
    };
    let bwrap = if on_path("bwrap").is_some() { ", bubblewrap installed" } else { "" };
    let is_whole = end.sandbox.files == Files::Enforced && end.sandbox.network == Network::Off;
    let how = if is_whole { How::Ok } else { How::Note };
    let hint = if is_whole {
        String::new()
    } else {
        format!("gates run with less, and their evidence says so: {}", end.sandbox.missing.join("; "))
    };
    check(NAME, how, format!("{files}, {network}{bwrap}"), hint)
}

fn landlock_abi() -> Option<i64> {
    const VERSION: libc::c_ulong = 1;
    // SAFETY: with this flag the call takes no memory and only answers a number.
    let abi =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<libc::c_void>(), 0_usize, VERSION) };
    (abi > 0).then_some(abi)
}

fn tools() -> Vec<Check> {
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for (tool, what) in TOOLS {
        match on_path(tool) {
            Some(_) => found.push(*tool),
            None => missing.push(format!("{tool} ({what})")),
        }
    }
    let mut checks = vec![check(
        "toolchains",
        How::Ok,
        if found.is_empty() { "none found".to_owned() } else { found.join(", ") },
        "",
    )];
    if !missing.is_empty() {
        checks.push(check(
            "not installed",
            How::Note,
            missing.join(", "),
            "only what the gates of your projects use is needed",
        ));
    }
    checks
}

fn on_path(program: &str) -> Option<PathBuf> {
    let is_program =
        |path: &PathBuf| fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0);
    split_paths(&env::PATH.value()?).map(|folder| folder.join(program)).find(is_program)
}

/// The `proofhouse.toml` of the repository one stands in.
async fn repository_file() -> Check {
    const NAME: &str = "repository";
    let root = match git::root_of(Path::new(".")).await {
        Ok(root) => root,
        Err(fault) => return check(NAME, How::Note, fault.to_string(), ""),
    };
    match fs::read(root.join(config::FILE)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            check(NAME, How::Ok, format!("{}, no {}: gates are detected", root.display(), config::FILE), "")
        }
        Err(error) => check(NAME, How::Bad, format!("{} cannot be read: {error}", config::FILE), ""),
        Ok(bytes) => match ProjectConfig::parse(&bytes) {
            Ok(config) => check(
                NAME,
                How::Ok,
                format!("{}, {} declares {} gates", root.display(), config::FILE, config.proof.gates.len()),
                "",
            ),
            Err(wrong) => check(
                NAME,
                How::Bad,
                wrong.to_string(),
                format!("mend that line of {}", root.join(config::FILE).display()),
            ),
        },
    }
}
