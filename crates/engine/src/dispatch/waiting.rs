//! An agent that waits for people, on the performer's side (S58, S61).
//!
//! Its process is kept for a while. When nobody answers it is ended and its task given back; its folder stays, with a
//! note of what it waits for. Whoever has the task next on this machine reads that note, and goes on with the session
//! and the answer. The note is written before the waiting begins, so a machine that dies meanwhile comes to the same.

use std::{
    convert::Infallible,
    fs,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use agents::{Ask, Reply};
use futures::{StreamExt as _, stream::FuturesUnordered};
use model::{
    approval::{Standing, ToolAsk},
    journal::{Level, NewEntry},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::port::{Port, PortError};

/// The note, in the folder of the attempt.
const NOTE: &str = "waiting.json";
/// How long it is waited for news before it is asked again.
const LOOK: Duration = Duration::from_secs(2);
/// How often a plane that cannot be asked is asked again, before that counts as a no.
const TRIES: u32 = 30;

/// What a session waits for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Waiting {
    /// The agent.
    pub(super) agent: String,
    /// Its own name of the session.
    pub(super) session: String,
    /// The name of its working copy, where it has one.
    pub(super) copy: Option<String>,
    /// What it asked.
    pub(super) asks: Vec<ToolAsk>,
}

impl Waiting {
    /// Whether a folder holds a session that waits.
    pub(super) fn is_in(folder: &Path) -> bool {
        folder.join(NOTE).is_file()
    }

    /// The note in a folder, if there is one that can be read.
    pub(super) fn read(folder: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(folder.join(NOTE)).ok()?).ok()
    }

    fn write(&self, folder: &Path) -> std::io::Result<()> {
        // As a whole or not at all: it is read after a crash.
        let (new, note) = (folder.join("waiting.new"), folder.join(NOTE));
        fs::write(&new, serde_json::to_vec(self)?)?;
        fs::File::open(&new)?.sync_all()?;
        fs::rename(new, note)
    }

    fn remove(folder: &Path) {
        // One that stays only leads to a session that is gone on with for nothing.
        let _ = fs::remove_file(folder.join(NOTE));
    }
}

/// What the session is told when it is gone on with; nothing while a person still has to answer.
pub(super) async fn told(waiting: &Waiting, port: &dyn Port) -> Result<Option<String>, PortError> {
    let mut text = "Your session was ended while you waited for leave, and goes on now.\n".to_owned();
    for ask in &waiting.asks {
        let what = match &ask.argv {
            Some(argv) => format!("{} ({})", ask.tool, argv.join(" ")),
            None => ask.tool.clone(),
        };
        // It is used up when it is asked for again.
        match port.ask(ask.clone(), false).await? {
            Standing::Open { .. } => return Ok(None),
            Standing::Allowed => {
                text.push_str(&format!(
                    "\nYou have leave to use {what}, once: make exactly the same call of the tool again.\n"
                ));
            }
            Standing::Denied { reason } => text.push_str(&format!("\nYou may not use {what}: {reason}.\n")),
        }
    }
    text.push_str("\nThen go on with your task.\n");
    Ok(Some(text))
}

/// A question on its way to the plane.
pub(super) struct Asked {
    ask: ToolAsk,
    reply: oneshot::Sender<Reply>,
}

/// Where a session puts its questions.
#[derive(Clone)]
pub(super) struct Questions {
    agent: String,
    to: mpsc::UnboundedSender<Asked>,
}

impl Questions {
    /// The answer, when there is one.
    pub(super) fn put(&self, ask: Ask) -> agents::Boxed<'static, Reply> {
        let Ask::Approval { tool, input, argv, .. } = ask else {
            let nobody = "a dispatch run asks nobody: decide yourself, and say in your answer what you decided";
            return Box::pin(std::future::ready(Reply::Answer(nobody.to_owned())));
        };
        let (reply, answer) = oneshot::channel();
        let ask = ToolAsk { agent: self.agent.clone(), tool, input, argv, folder: String::new() };
        let is_sent = self.to.send(Asked { ask, reply }).is_ok();
        Box::pin(async move {
            match answer.await {
                Ok(reply) if is_sent => reply,
                _ => Reply::Deny("nobody is there any more who could be asked".to_owned()),
            }
        })
    }
}

/// Answers a session's questions while it lasts.
pub(super) struct Answering<'a> {
    pub(super) port: &'a dyn Port,
    /// The folder of the attempt, for the note.
    pub(super) folder: &'a Path,
    /// How long the process is kept for an answer.
    pub(super) patience: Duration,
    /// Fires when it is not kept any longer.
    pub(super) park: CancellationToken,
    /// What is noted, once the session can be gone on with.
    pub(super) note: Mutex<Option<Waiting>>,
}

impl<'a> Answering<'a> {
    /// The two ends: where questions are put, and where they come out.
    pub(super) fn questions(agent: &str) -> (Questions, mpsc::UnboundedReceiver<Asked>) {
        let (to, from) = mpsc::unbounded_channel();
        (Questions { agent: agent.to_owned(), to }, from)
    }

    fn note(&self) -> MutexGuard<'_, Option<Waiting>> {
        self.note.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session has a name by which it can be gone on with.
    pub(super) fn is_called(&self, agent: &str, session: &str, copy: Option<&str>) {
        let mut note = self.note();
        if note.as_ref().is_none_or(|note| note.session != session) {
            let copy = copy.map(str::to_owned);
            let (agent, session) = (agent.to_owned(), session.to_owned());
            *note = Some(Waiting { agent, session, copy, asks: Vec::new() });
            // A session that is gone on with has been told, and asks again for what it needs.
            Waiting::remove(self.folder);
        }
    }

    /// Never ends; to be dropped with the session.
    pub(super) async fn answer(&self, mut from: mpsc::UnboundedReceiver<Asked>) -> Infallible {
        let mut open = FuturesUnordered::new();
        loop {
            tokio::select! {
                Some(asked) = from.recv() => open.push(self.one(asked)),
                Some(()) = open.next(), if !open.is_empty() => {}
                else => std::future::pending::<()>().await,
            }
        }
    }

    async fn one(&self, asked: Asked) {
        let Asked { ask, reply } = asked;
        let until = Instant::now() + self.patience;
        // Before it is asked: a question that stands has a session that can be gone on with, whenever this dies.
        let mut is_noted = self.note_down(&ask);
        let (mut is_warned, mut failed) = (false, 0);
        let answer = loop {
            match self.port.ask(ask.clone(), true).await {
                Ok(Standing::Allowed) => break Reply::Allow,
                Ok(Standing::Denied { reason }) => break Reply::Deny(reason),
                Ok(Standing::Open { .. }) => failed = 0,
                // Who has lost the task is stopped by others.
                Err(PortError::Lost) => std::future::pending::<()>().await,
                Err(PortError::Unreachable(why)) if failed >= TRIES => {
                    break Reply::Deny(format!("the plane cannot be asked: {why}"));
                }
                Err(PortError::Unreachable(_)) => failed += 1,
            }
            if !is_noted {
                is_noted = self.note_down(&ask);
            }
            if Instant::now() >= until {
                if is_noted {
                    self.park.cancel();
                    std::future::pending::<()>().await;
                } else if !is_warned {
                    // S58: what cannot be gone on with is kept, and holds a slot.
                    is_warned = true;
                    let text = "the agent waits for an answer and cannot be gone on with later, so it holds a slot";
                    let data = json!({"code": "slot_held", "text": text});
                    let _ = self.port.entries(vec![NewEntry::new("warning", data).at_level(Level::Warning)]).await;
                }
            }
            let left = until.saturating_duration_since(Instant::now());
            self.port.news(if left.is_zero() { LOOK } else { left.min(LOOK) }).await;
        };
        if is_noted {
            self.keep(|asks| {
                if let Some(at) = asks.iter().position(|noted| *noted == ask) {
                    asks.remove(at);
                }
            });
        }
        let _ = reply.send(answer);
    }

    fn note_down(&self, ask: &ToolAsk) -> bool {
        self.keep(|asks| {
            if !asks.contains(ask) {
                asks.push(ask.clone());
            }
        })
    }

    /// Changes what is waited for, and the note with it. Whether there is a note.
    fn keep(&self, change: impl FnOnce(&mut Vec<ToolAsk>)) -> bool {
        if !self.port.keeps_folders() {
            return false;
        }
        let mut note = self.note();
        let Some(waiting) = note.as_mut() else { return false };
        change(&mut waiting.asks);
        if waiting.asks.is_empty() {
            Waiting::remove(self.folder);
            return false;
        }
        waiting.write(self.folder).inspect_err(|error| tracing::warn!(%error, "a waiting session is not noted")).is_ok()
    }
}
