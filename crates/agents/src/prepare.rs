//! What stands ready before an agent starts: its home with its login, its environment, its fence.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use exec::{
    environment::{Environment, EnvironmentPlan, Told as Say, child_environment, secrets_in},
    redact::Redactor,
    sandbox::{Network, SandboxPlan},
};

use crate::{
    adapter::{Adapter, Launch},
    beneath, login,
    session::{Mode, Session},
};

/// What is made ready for a process.
pub(crate) struct Prepared {
    pub(crate) environment: Environment,
    pub(crate) sandbox: SandboxPlan,
    pub(crate) redactor: Arc<Redactor>,
}

/// Makes home, login, environment and fence of a session.
pub(crate) fn prepare(session: &Session, adapter: &dyn Adapter, launch: &Launch) -> io::Result<Prepared> {
    for folder in [&session.home, &session.tmp] {
        std::fs::create_dir_all(folder)?;
    }
    if let Some(folder) = session.raw.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let login = login::lay(adapter.login_files(), &session.environment, &session.home)?;
    let prompt_file = session.prompt_file();
    let prompt_name = prompt_file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    beneath::write(&session.tmp, prompt_name, session.prompt.as_bytes(), 0o600)?;

    let mut extra: Vec<String> = adapter.login_names().iter().map(|name| (*name).to_owned()).collect();
    extra.extend(PROXIES.iter().map(|name| (*name).to_owned()));
    extra.extend(session.agent.env.iter().cloned());
    let mut told = vec![
        (Say::Worktree, session.cwd.display().to_string()),
        (Say::Mode, session.mode.name().to_owned()),
        (Say::PromptFile, prompt_file.display().to_string()),
    ];
    told.extend(session.run.map(|run| (Say::Run, run.to_string())));
    told.extend(session.context_file.as_ref().map(|file| (Say::Context, file.display().to_string())));
    let mut environment = child_environment(&EnvironmentPlan {
        parent: &session.environment,
        extra: &extra,
        home: &session.home,
        tmp: &session.tmp,
        worktree: Some(&session.cwd),
        is_gate: false,
        told: &told,
    });
    for (name, value) in launch.env.iter().chain(&session.env) {
        environment.set(name, value);
    }

    let mut sandbox = session.sandbox.clone();
    // An agent talks to its model; that the network is open is said, not hidden (X19).
    sandbox.network = Network::Open;
    if let Some(files) = &mut sandbox.files {
        if session.mode == Mode::ReadOnly {
            files.writable.retain(|path| !path.starts_with(&session.cwd) && !session.cwd.starts_with(path));
            files.readable.push(session.cwd.clone());
        }
        files.writable.extend([session.home.clone(), session.tmp.clone()]);
        files.writable.extend(login.shared.iter().cloned());
        files.readable.extend(session.context_file.iter().cloned());
        files.readable.extend(program_folder(session));
    }
    let secrets = secrets_in(environment.variables());
    let all = session.secrets.iter().cloned().chain(secrets).chain(login.secrets);
    Ok(Prepared { environment, sandbox, redactor: Arc::new(Redactor::new(all)) })
}

/// Ways to the network that every agent may need, and that are no secrets of their own.
const PROXIES: &[&str] = &[
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
];

/// The folder of a program that is named by its path: it may lie where the fence hides things.
fn program_folder(session: &Session) -> Option<PathBuf> {
    let program = session.agent.program.first().filter(|program| program.starts_with('/'))?;
    Path::new(program).canonicalize().ok()
}
