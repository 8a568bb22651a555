//! `proofhouse agent try`: one session, outside of any run, to see that an agent works here.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use agents::{Agent, Boxed, Driven, Kind, Mode, Seen, Session, Sink, SinkClosed, drive};
use exec::{
    environment::inherited,
    git::{Checkout, FileChange, Observer, Repository, Worktree, WorktreeRoot},
    sandbox::{RunFolders, SandboxPlan, credential_stores},
};
use model::{
    agent::{
        event::{AgentEvent, ErrorClass, ToolStatus},
        fold::AgentOutcome,
        usage::{Cost, CostState, Usage},
    },
    code::Code,
    limits,
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::named;
use crate::{
    context::Context,
    env,
    exit::Exit,
    fault::{Doing as _, Fault},
    out::{Out, Tone, clean},
};

/// Where tries work, in the data folder.
const TRIES: &str = "tries";
/// How many earlier tries are kept to be looked at.
const KEEP: usize = 20;
/// How much of a text is shown in a line.
const LINE: usize = 160;

/// Give an agent a prompt, in a worktree of its own, and show what it does
///
/// Without --dir it works on the last commit of the repository you are in, in a folder of its own; your
/// files are not touched. Outside of a repository it starts with an empty folder.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What it is asked
    prompt: String,
    /// Which agent; `proofhouse agent list` shows them
    #[arg(long, value_name = "NAME", default_value = "scripted")]
    agent: String,
    /// With which model [default: the agent's own choice]
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// Work in this folder, and change it
    #[arg(long, value_name = "PATH", value_hint = clap::ValueHint::DirPath)]
    dir: Option<PathBuf>,
    /// It may change no files
    #[arg(long)]
    read_only: bool,
    /// How long it may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = limits::AGENT_WALL.as_secs(), value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: u64,
}

/// Where a try works.
struct Ground {
    cwd: PathBuf,
    /// The folder of all that is its own.
    own: PathBuf,
    /// Its worktree, if it has one, and the repository that lent the objects.
    lent: Option<(Repository, Worktree)>,
    git_dirs: Vec<PathBuf>,
}

/// Tries it.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fault> {
    let agent = named(&args.agent, context)?;
    let out = context.out;
    if agent.is_simulated() && !out.json {
        out.remark(out.paint(Tone::Unsure, "simulated: a script answers, no model is asked; --agent names a real one"));
    }
    let root = context.place.data.join(TRIES);
    let id = uuid::Uuid::now_v7().simple().to_string();
    prune(&root);
    let ground = Ground::lay(&root, &id, args.dir.as_deref()).await?;
    let session = session(&args, agent, &ground, context)?;
    let (raw, stop) = (session.raw.clone(), CancellationToken::new());
    let on_signal = stop.clone();
    let watching = tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            on_signal.cancel();
        }
    });
    let mut show = Show { out, events: Vec::new() };
    let driven = drive(session, &mut show, stop).await;
    watching.abort();
    let changes = ground.changes().await;
    if let (Some((repository, _)), Ok(worktrees)) = (&ground.lent, WorktreeRoot::new(&root)) {
        // What it stood on is in the repository anyway; a ref for each try would only pile up there.
        let _ = worktrees.unpin(repository, &id).await;
    }
    if out.json {
        out.document(&document(&driven, &show.events, changes.as_deref(), &ground, &raw));
    } else {
        print(&out, &driven, changes.as_deref(), &ground, &raw);
    }
    Ok(match &driven.end.outcome {
        AgentOutcome::Completed { .. } => Exit::Ok,
        AgentOutcome::Failed(failure) if failure.code.slug() == "policy_denied" => Exit::Refused,
        AgentOutcome::Failed(_) | AgentOutcome::Cancelled => Exit::No,
    })
}

fn session(args: &Args, agent: Agent, ground: &Ground, context: &Context) -> Result<Session, Fault> {
    let folders = RunFolders::make(&ground.own).map_err(|error| {
        Fault::new(Code::DataFolderUnusable, format!("failed to make {}: {error}", ground.own.display()))
    })?;
    let mut hidden = env::HOME.path().map(|home| credential_stores(&home)).unwrap_or_default();
    hidden.push(context.place.data.clone());
    let mut sandbox = SandboxPlan::in_worktree(&ground.cwd, &ground.git_dirs, &folders, hidden);
    if let (Some(files), Some((_, worktree))) = (&mut sandbox.files, &ground.lent) {
        // Its git directory is its own: it may commit there, and nothing of that counts (L16).
        files.writable.push(worktree.git_dir.clone());
    }
    let mut session = Session::new(agent, ground.cwd.clone(), &ground.own, args.prompt.clone());
    session.model.clone_from(&args.model);
    session.mode = if args.read_only { Mode::ReadOnly } else { Mode::Write };
    session.limits.wall = Duration::from_secs(args.timeout);
    session.sandbox = sandbox;
    session.environment = inherited();
    if session.agent.kind == Kind::Scripted {
        session.role = Some("try".to_owned());
    }
    Ok(session)
}

impl Ground {
    async fn lay(root: &Path, id: &str, dir: Option<&Path>) -> Result<Self, Fault> {
        let own = root.join(id);
        let make = |folder: &Path| {
            std::fs::create_dir_all(folder).map_err(|error| {
                Fault::new(Code::DataFolderUnusable, format!("failed to make {}: {error}", folder.display()))
            })
        };
        if let Some(dir) = dir {
            let cwd = dir.canonicalize().map_err(|error| {
                Fault::new(Code::FolderMissing, format!("failed to open {}: {error}", dir.display()))
            })?;
            let git_dirs = match Repository::open(&cwd).await {
                Ok(repository) => repository.git_dirs(),
                Err(_) => Vec::new(),
            };
            make(&own)?;
            return Ok(Self { cwd, own, lent: None, git_dirs });
        }
        let here = std::env::current_dir().map_err(|error| {
            Fault::new(Code::FolderUnreadable, format!("failed to find the current folder: {error}"))
        })?;
        if let Ok(repository) = Repository::open(&here).await
            && let Ok(head) = repository.head().await
        {
            let checkout = Checkout { commit: head.commit, branch: None };
            let laid = async {
                let worktrees = WorktreeRoot::new(root)?;
                worktrees.create(&repository, id, "repo", &checkout).await
            };
            let worktree = laid.await.map_err(model::problem::Problem::from).doing("make a worktree for the agent")?;
            let (cwd, own) = (worktree.path.clone(), worktree.run_folder.join("own"));
            make(&own)?;
            let git_dirs = vec![worktree.git_dir.clone(), repository.common_dir().to_owned()];
            return Ok(Self { cwd, own, lent: Some((repository, worktree)), git_dirs });
        }
        let cwd = own.join("tree");
        make(&cwd)?;
        Ok(Self { cwd, own, lent: None, git_dirs: Vec::new() })
    }

    /// What changed in the worktree; nothing where there is none to compare with.
    async fn changes(&self) -> Option<Vec<FileChange>> {
        let (_, worktree) = self.lent.as_ref()?;
        let repository = worktree.repository();
        let commit = repository.head().await.ok()?.commit;
        let before = repository.tree_of(&commit).await.ok()?;
        let folder = self.own.join("observer");
        std::fs::create_dir_all(&folder).ok()?;
        let observer = Observer::new(repository, &folder, &[]).ok()?;
        let now = observer.observe().await.ok()?;
        observer.changed(&before, now.tree.as_ref().ok()?).await.ok()
    }
}

/// Removes the oldest tries, so that they do not pile up.
fn prune(root: &Path) {
    let is_try = |name: &String| name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    let entries = std::fs::read_dir(root).into_iter().flatten().flatten();
    let mut tries: Vec<String> =
        entries.filter_map(|entry| entry.file_name().into_string().ok()).filter(is_try).collect();
    // Their names sort by time.
    tries.sort();
    let old = tries.len().saturating_sub(KEEP);
    for name in &tries[..old] {
        // One that cannot be removed is tried again the next time.
        let _ = std::fs::remove_dir_all(root.join(name));
    }
}

/// Shows events as they come.
struct Show {
    out: Out,
    events: Vec<Value>,
}

impl Sink for Show {
    fn event(&mut self, seen: Seen) -> Boxed<'_, Result<(), SinkClosed>> {
        if self.out.json {
            let mut event = serde_json::to_value(&seen.event).unwrap_or_default();
            if let (Some(raw), Some(event)) = (&seen.raw, event.as_object_mut()) {
                event.insert("raw".to_owned(), json!([raw.start, raw.end]));
            }
            self.events.push(event);
        } else if let Some((tone, line)) = line_of(&seen.event) {
            self.out.line(self.out.paint(tone, clean(&line)));
        }
        Box::pin(std::future::ready(Ok(())))
    }
}

fn short(text: &str) -> String {
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if flat.chars().count() > LINE { format!("{}…", flat.chars().take(LINE).collect::<String>()) } else { flat }
}

fn line_of(event: &AgentEvent) -> Option<(Tone, String)> {
    Some(match event {
        AgentEvent::Session(facts) => {
            let parts = [facts.version.as_deref(), facts.model.as_deref(), facts.session.as_deref()];
            (Tone::Dim, format!("{} {}", facts.agent, parts.into_iter().flatten().collect::<Vec<_>>().join(", ")))
        }
        AgentEvent::Message { text, .. } => (Tone::Plain, text.clone()),
        AgentEvent::Reasoning { text } => (Tone::Dim, format!("… {}", short(text))),
        AgentEvent::Tool(tool) => match tool.status {
            ToolStatus::Requested => (Tone::Busy, format!("▸ {} {}", tool.name, short(&tool.input.to_string()))),
            ToolStatus::Failed | ToolStatus::Denied => {
                let word = if tool.status == ToolStatus::Denied { "denied" } else { "failed" };
                (Tone::Bad, format!("  {word} {}", short(tool.output.as_deref().unwrap_or_default())))
            }
            ToolStatus::Done => (Tone::Dim, format!("  {}", short(tool.output.as_deref().unwrap_or("done")))),
            ToolStatus::Running | ToolStatus::AwaitingApproval => return None,
        },
        AgentEvent::File { path, .. } => (Tone::Good, format!("± {path}")),
        AgentEvent::Usage(_) | AgentEvent::End { .. } => return None,
        AgentEvent::Error { class: ErrorClass::Notice, message, .. } => (Tone::Unsure, format!("! {}", short(message))),
        AgentEvent::Error { message, .. } => (Tone::Bad, format!("! {}", short(message))),
    })
}

fn document(driven: &Driven, events: &[Value], changes: Option<&[FileChange]>, ground: &Ground, raw: &Path) -> Value {
    let end = &driven.end;
    let (outcome, answer, failure) = match &end.outcome {
        AgentOutcome::Completed { answer } => ("completed", Some(answer), None),
        AgentOutcome::Failed(failure) => ("failed", None, Some(failure)),
        AgentOutcome::Cancelled => ("cancelled", None, None),
    };
    json!({
        "outcome": outcome,
        "answer": answer,
        "failure": failure,
        "session": end.session,
        "usage": end.usage,
        "cost": {"state": end.cost.state, "micro_usd": end.cost.known.micros_up()},
        "turns": end.turns,
        "sandbox": driven.sandbox,
        "took_ms": driven.took.as_millis() as u64,
        "dir": ground.cwd,
        "raw": raw,
        "changed": changes.map(|changes| changes.iter().map(|change| change.path.clone()).collect::<Vec<_>>()),
        "events": events,
    })
}

fn print(out: &Out, driven: &Driven, changes: Option<&[FileChange]>, ground: &Ground, raw: &Path) {
    out.line("");
    match &driven.end.outcome {
        AgentOutcome::Completed { .. } => out.line(out.paint(Tone::Good, "✓ completed")),
        AgentOutcome::Failed(failure) => {
            out.line(out.paint(Tone::Bad, format!("✗ {}: {}", failure.code.slug(), clean(&failure.message))));
            out.line(out.dim(format!("  {}", clean(&failure.hint))));
        }
        AgentOutcome::Cancelled => out.line(out.paint(Tone::Unsure, "stopped")),
    }
    let used =
        format!("{}, {}, {:.1} s", words_of(&driven.end.usage), cost_of(&driven.end.cost), driven.took.as_secs_f64());
    out.line(out.dim(used));
    let sandbox = &driven.sandbox;
    let confined = json!({"files": sandbox.files, "network": sandbox.network, "by": sandbox.by});
    let word = |name: &str| confined[name].as_str().unwrap_or_default().to_owned();
    out.line(out.dim(format!("sandbox: files {}, network {}, by {}", word("files"), word("network"), word("by"))));
    match changes {
        Some([]) => out.line(out.dim("nothing changed")),
        Some(changes) => {
            out.line(format!("{} changed in {}", changes.len(), ground.cwd.display()));
            for change in changes.iter().take(20) {
                out.line(format!("  {}", clean(&change.path)));
            }
        }
        None => out.line(format!("it worked in {}", ground.cwd.display())),
    }
    out.line(out.dim(format!("raw output: {}", raw.display())));
}

fn words_of(usage: &Usage) -> String {
    let count = |count: Option<u64>| count.map_or_else(|| "?".to_owned(), |count| count.to_string());
    format!(
        "{} tokens read, {} from the cache, {} written",
        count(usage.input),
        count(usage.cached_input),
        count(usage.output)
    )
}

fn cost_of(cost: &Cost) -> String {
    match cost.state {
        CostState::Unknown if cost.known.nanos() > 0 => format!("cost unknown, {} of it known", cost.known),
        CostState::Unknown => "cost unknown".to_owned(),
        CostState::Reported | CostState::Computed | CostState::Estimated => format!("{}", cost.known),
    }
}
