//! The raw output of an agent inside the binary: one JSON document a line, redacted before it is kept or told (S74).

use std::{
    borrow::Cow,
    fs::File,
    io::{self, Write as _},
    ops::Range,
};

use exec::redact::Redactor;
use model::{
    agent::{event::AgentEvent, fold::Fold},
    digest::Digest,
};
use sha2::{Digest as _, Sha256};

use crate::{
    clean::clean_event,
    session::Session,
    sink::{Ask, Boxed, Reply, Seen, Sink},
};

/// Why nothing more can be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unkept {
    /// The sink takes no more.
    Sink,
    /// The output cannot be kept.
    Disk(String),
}

/// A recording.
pub(crate) struct Record<'s> {
    sink: &'s mut dyn Sink,
    pub(crate) fold: Fold,
    redactor: Redactor,
    raw: File,
    hash: Sha256,
    at: u64,
}

impl<'s> Record<'s> {
    /// Opens the session's raw output. These values are taken out of everything.
    pub(crate) fn open(
        session: &Session,
        sink: &'s mut dyn Sink,
        secrets: impl IntoIterator<Item = (String, String)>,
    ) -> io::Result<Self> {
        if let Some(folder) = session.raw.parent() {
            std::fs::create_dir_all(folder)?;
        }
        Ok(Self {
            sink,
            fold: Fold::default(),
            redactor: Redactor::new(secrets),
            raw: File::create(&session.raw)?,
            hash: Sha256::new(),
            at: 0,
        })
    }

    /// What it became, with digest and size of the raw output.
    pub(crate) fn close(self) -> (Fold, (Digest, u64)) {
        (self.fold, (Digest::from_bytes(self.hash.finalize().into()), self.at))
    }

    /// How much was written.
    pub(crate) const fn size(&self) -> u64 {
        self.at
    }

    /// A text without secrets.
    pub(crate) fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.redactor.redact(text)
    }

    /// Records an event and tells it.
    pub(crate) async fn emit(&mut self, mut event: AgentEvent) -> Result<(), Unkept> {
        clean_event(&mut event);
        // An event always has a JSON text.
        let text = serde_json::to_string(&event).unwrap_or_default();
        let (changed, raw) = self.line(&text)?;
        if let Some(redacted) = changed.and_then(|text| serde_json::from_str(&text).ok()) {
            event = redacted;
        }
        self.fold.lines().known += 1;
        self.fold.take(&event);
        self.sink.event(Seen { event, raw: Some(raw) }).await.map_err(|_| Unkept::Sink)
    }

    /// Asks whoever can be asked.
    pub(crate) fn ask(&mut self, ask: Ask) -> Boxed<'static, Reply> {
        self.sink.ask(ask)
    }

    /// Writes a line to the raw output; what it became, if the redactor changed it, and where it stands.
    pub(crate) fn line(&mut self, text: &str) -> Result<(Option<String>, Range<u64>), Unkept> {
        let redacted = self.redactor.redact(text);
        let from = self.at;
        let mut bytes = redacted.as_bytes().to_vec();
        bytes.push(b'\n');
        self.raw.write_all(&bytes).map_err(|error| Unkept::Disk(format!("failed to keep the output: {error}")))?;
        self.hash.update(&bytes);
        self.at += bytes.len() as u64;
        let changed = matches!(redacted, Cow::Owned(_)).then(|| redacted.into_owned());
        Ok((changed, from..self.at))
    }
}
