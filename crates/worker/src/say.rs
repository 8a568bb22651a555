//! What a worker says of itself.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use model::worker::{Advertised, PROTOCOL};
use serde_json::{Value, json};

use crate::outbox::waiting;

/// What is told with every claim and heartbeat.
#[derive(Clone)]
pub struct Saying(Arc<Inner>);

struct Inner {
    slots: u32,
    labels: Vec<String>,
    repos: BTreeMap<String, PathBuf>,
    tasks: PathBuf,
    agents: Mutex<Vec<Advertised>>,
    trouble: Mutex<Option<String>>,
}

/// Operating system and processor.
pub fn platform() -> String {
    format!("{} {}", std::env::consts::OS, std::env::consts::ARCH)
}

/// This machine's name; what a worker is called that nobody named.
pub fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "worker".to_owned() } else { name.to_owned() }
}

impl Saying {
    /// What holds for this run of the program.
    pub fn new(slots: u32, labels: Vec<String>, repos: BTreeMap<String, PathBuf>, tasks: &Path) -> Self {
        Self(Arc::new(Inner {
            slots,
            labels,
            repos,
            tasks: tasks.to_owned(),
            agents: Mutex::default(),
            trouble: Mutex::default(),
        }))
    }

    /// Tasks at once.
    pub fn slots(&self) -> u32 {
        self.0.slots
    }

    /// Its machine owner's labels.
    pub fn labels(&self) -> &[String] {
        &self.0.labels
    }

    /// Where repositories lie.
    pub fn repos(&self) -> &BTreeMap<String, PathBuf> {
        &self.0.repos
    }

    /// The agents as they were last looked at.
    pub fn agents(&self) -> Vec<Advertised> {
        self.0.agents.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The agents were looked at.
    pub fn set_agents(&self, agents: Vec<Advertised>) {
        *self.0.agents.lock().unwrap_or_else(PoisonError::into_inner) = agents;
    }

    /// Something went wrong, or nothing does any more.
    pub fn set_trouble(&self, trouble: Option<String>) {
        *self.0.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    /// Bytes that wait in the outbox.
    pub fn waiting_bytes(&self) -> u64 {
        waiting(&self.0.tasks).1
    }

    /// Adds it all to a call.
    pub fn add_to(&self, call: &mut Value) {
        let (items, bytes) = waiting(&self.0.tasks);
        let trouble = self.0.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let own = json!({
            "protocol": PROTOCOL, "platform": platform(), "version": env!("CARGO_PKG_VERSION"), "slots": self.0.slots,
            "agents": self.agents(), "repos": self.0.repos.keys().collect::<Vec<_>>(),
            "outbox": {"items": items, "bytes": bytes}, "last_error": trouble.unwrap_or_default(),
        });
        if let (Some(call), Value::Object(own)) = (call.as_object_mut(), own) {
            call.extend(own);
        }
    }
}
