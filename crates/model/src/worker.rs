//! Workers: what they say of themselves, what is derived from when they were heard of, and the code
//! by which one is paired.

use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::{
    agent::Capability,
    id::{ProjectId, UserId},
    limits,
    time::Timestamp,
};

/// The protocol that this version speaks (D61).
pub const PROTOCOL: u32 = 1;
/// The oldest protocol that a plane of this version still serves.
pub const OLDEST_PROTOCOL: u32 = 1;

/// The label of what speaks to models: servers only, as keys never leave them (X63).
pub const LLM: &str = "llm";

/// Whose tasks a worker takes (D51).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = WorkerSharing)]
pub enum Sharing {
    /// Those of runs that its owner started or retried.
    #[default]
    Personal,
    /// Those of every run in its projects.
    Project,
}

impl Sharing {
    /// Its name in columns and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Personal => "personal",
            Self::Project => "project",
        }
    }

    /// The sharing with this name.
    pub fn by_name(name: &str) -> Option<Self> {
        [Self::Personal, Self::Project].into_iter().find(|sharing| sharing.name() == name)
    }
}

/// Which runs a worker's claims see; the rest is as if it did not exist (D51).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Every run.
    Everything,
    /// No run: its owner may not work any more, or it is draining or revoked.
    Nothing,
    /// Runs that meet both conditions.
    Some {
        /// Started by this person.
        starter: Option<UserId>,
        /// In one of these projects.
        projects: Option<Vec<ProjectId>>,
    },
}

/// How a worker is, from when it was last heard of and what a person decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WorkerState {
    /// Heard of within 45 s.
    Online,
    /// Heard of within 90 s.
    Late,
    /// Not heard of.
    Offline,
    /// It finishes what it holds and claims nothing.
    Draining,
    /// It may do nothing any more.
    Revoked,
}

impl WorkerState {
    /// Derives it. Nothing of the first three is ever stored as the truth (X37).
    pub fn of(seen_at: Timestamp, draining: bool, revoked: bool, now: Timestamp) -> Self {
        match (revoked, draining) {
            (true, _) => Self::Revoked,
            (false, true) => Self::Draining,
            (false, false) => Self::by_contact(seen_at, now),
        }
    }

    /// Whether it is heard of: online, late or offline.
    pub fn by_contact(seen_at: Timestamp, now: Timestamp) -> Self {
        let quiet = now.since(seen_at);
        if quiet < limits::ONLINE {
            Self::Online
        } else if quiet < limits::LATE {
            Self::Late
        } else {
            Self::Offline
        }
    }

    /// Its name in columns and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Late => "late",
            Self::Offline => "offline",
            Self::Draining => "draining",
            Self::Revoked => "revoked",
        }
    }
}

/// A coding agent on a worker's machine. The program behind it is configured there and nowhere else (D62).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = WorkerAgent)]
pub struct Advertised {
    /// Its id, such as `claude`.
    pub id: String,
    /// What its version call printed.
    #[serde(default)]
    pub version: Option<String>,
    /// Whether that call went well.
    #[serde(default)]
    pub healthy: bool,
    /// Models it may be asked for.
    #[serde(default)]
    pub models: Vec<String>,
    /// What it can do beyond one prompt and one answer.
    #[serde(default, deserialize_with = "known")]
    pub capabilities: Vec<Capability>,
    /// When it was last looked at, by the worker's clock.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub checked_at: Option<Timestamp>,
    /// What is wrong with it.
    #[serde(default)]
    pub detail: Option<String>,
    /// The versions that its adapter was tested with; null where there are none to test.
    #[serde(default)]
    pub tested: Option<String>,
    /// Whether a person signed it in there; null where it needs no login, or nobody can tell.
    #[serde(default, deserialize_with = "known_login")]
    pub login: Option<Login>,
}

/// The login, where it is of a kind that this version knows (D61).
fn known_login<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Login>, D::Error> {
    Ok(Option::<Value>::deserialize(deserializer)?.and_then(|login| serde_json::from_value(login).ok()))
}

/// Whether an agent's program is signed in, as far as that shows without starting it. Never the login itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "by", rename_all = "snake_case")]
#[schema(as = AgentLogin)]
pub enum Login {
    /// A key in the worker's environment.
    Variable {
        /// The variable.
        name: String,
    },
    /// A file that the program itself writes when a person signs in.
    File {
        /// Where it lies, below the person's home.
        path: String,
    },
    /// None was found.
    Nothing,
}

/// The capabilities that this version knows; a newer worker may name others (D61).
fn known<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Capability>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    Ok(names.iter().filter_map(|name| Capability::by_name(name)).collect())
}

/// The label of workers that have an agent with a capability (S72): who asks for it is never given one without.
pub fn label_of_capability(agent: &str, capability: Capability) -> String {
    format!("agent:{agent}:{}", capability.name())
}

/// What waits on a worker's disk for the plane.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct OutboxSize {
    /// How many things.
    #[serde(default)]
    pub items: u64,
    /// Their bytes.
    #[serde(default)]
    pub bytes: u64,
}

/// What a worker says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Said {
    /// Operating system and processor, such as `linux x86_64`.
    pub platform: String,
    /// The version of its program.
    pub version: String,
    /// The protocol it speaks.
    pub protocol: u32,
    /// Labels that its machine's owner gave it.
    pub labels: Vec<String>,
    /// Its agents.
    pub agents: Vec<Advertised>,
    /// Keys of projects it has a checkout of.
    pub repos: Vec<String>,
    /// Tasks that it does at once.
    pub slots: u32,
    /// What waits on its disk.
    pub outbox: OutboxSize,
    /// What last went wrong there.
    pub last_error: Option<String>,
}

/// Prefixes of labels that only the plane gives.
const OURS: [&str; 4] = ["agent:", "os:", "worker:", "repo:"];

impl Said {
    /// Makes what came from a worker safe to store and to show: bounded, in one line, without the
    /// labels that only the plane gives.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        self.platform = line(&self.platform, 100);
        self.version = line(&self.version, 64);
        self.labels = labels(&self.labels);
        self.agents.truncate(limits::WORKER_AGENTS);
        self.agents.retain(|agent| is_word(&agent.id));
        for agent in &mut self.agents {
            agent.version = agent.version.as_deref().map(|text| line(text, 100)).filter(|text| !text.is_empty());
            agent.detail = agent.detail.as_deref().map(|text| line(text, 320)).filter(|text| !text.is_empty());
            agent.capabilities.sort();
            agent.capabilities.dedup();
            agent.models = agent.models.iter().map(|text| line(text, 100)).filter(|m| !m.is_empty()).take(64).collect();
            agent.tested = agent.tested.as_deref().map(|text| line(text, 100)).filter(|text| !text.is_empty());
            match &mut agent.login {
                Some(Login::Variable { name: text } | Login::File { path: text }) => *text = line(text, 100),
                Some(Login::Nothing) | None => {}
            }
        }
        self.repos.retain(|key| is_word(key) && !key.contains(".."));
        self.repos.truncate(500);
        self.slots = self.slots.clamp(1, limits::WORKER_SLOTS);
        self.last_error = self.last_error.as_deref().map(|text| line(text, 500)).filter(|text| !text.is_empty());
        self
    }

    /// Everything that a task's labels are matched with: its own, those a person gave it, and the
    /// plane's (section 2 of plan and dispatch).
    pub fn offered(&self, name: &str, given: &[String]) -> BTreeSet<String> {
        let mut all: BTreeSet<String> = self.labels.iter().chain(given).cloned().collect();
        for agent in self.agents.iter().filter(|agent| agent.healthy) {
            all.insert(format!("agent:{}", agent.id));
            let needed = Capability::NEEDED.iter().filter(|needed| agent.capabilities.contains(needed));
            all.extend(needed.map(|capability| label_of_capability(&agent.id, *capability)));
        }
        all.extend(self.repos.iter().map(|key| format!("repo:{key}")));
        if let Some(os) = self.platform.split_whitespace().next() {
            all.insert(format!("os:{os}"));
        }
        all.insert(format!("worker:{name}"));
        all
    }
}

/// Labels trimmed, blank ones and the plane's own dropped, the first spelling of each kept (D2).
pub fn labels(given: &[String]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let fits = |label: &str| {
        !label.is_empty()
            && label.len() <= 64
            && label.bytes().all(|byte| byte.is_ascii_graphic())
            && !OURS.iter().any(|prefix| label.to_ascii_lowercase().starts_with(prefix))
    };
    let mut kept: Vec<String> = given.iter().map(|label| label.trim().to_owned()).filter(|label| fits(label)).collect();
    kept.retain(|label| seen.insert(label.to_ascii_lowercase()));
    kept.truncate(limits::WORKER_LABELS);
    kept
}

/// A worker's name: one line of 1 to 64 characters.
pub fn name(given: &str) -> Option<String> {
    let name = given.trim();
    let fits = (1..=limits::WORKER_NAME).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    fits.then(|| name.to_owned())
}

fn line(text: &str, most: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(most).collect::<String>().trim().to_owned()
}

fn is_word(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte))
}

/// The letters of pairing codes: no I, L, O or U, which are read or heard as something else.
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Letters in a code: 5 bits each.
const CODE: usize = 12;

/// A pairing code (D50): 60 random bits as `XXXX-XXXX-XXXX`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairCode(String);

impl PairCode {
    /// The code of these random bits; the caller draws them.
    pub fn of_bits(bits: u64) -> Self {
        let letter = |at: usize| char::from(LETTERS[usize::try_from((bits >> (5 * at)) & 31).unwrap_or(0)]);
        Self((0..CODE).map(letter).collect())
    }

    /// What somebody typed: without regard to case, spaces and dashes, and with the letters that are
    /// taken for others read as those. `None` for what cannot be a code.
    pub fn typed(text: &str) -> Option<Self> {
        let mut code = String::with_capacity(CODE);
        for c in text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '-' | '\u{2010}'..='\u{2015}')) {
            let c = match c.to_ascii_uppercase() {
                'O' => '0',
                'I' | 'L' => '1',
                other => other,
            };
            let known = u8::try_from(c).is_ok_and(|byte| LETTERS.contains(&byte));
            if !known || code.len() == CODE {
                return None;
            }
            code.push(c);
        }
        (code.len() == CODE).then_some(Self(code))
    }

    /// The bare letters, for hashing.
    pub fn letters(&self) -> &str {
        &self.0
    }

    /// As it is shown, once.
    pub fn shown(&self) -> String {
        format!("{}-{}-{}", &self.0[..4], &self.0[4..8], &self.0[8..])
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    // D50
    #[test]
    fn a_code_is_read_however_it_is_typed() {
        let code = PairCode::of_bits(0x0123_4567_89AB_CDEF);
        let shown = code.shown();
        assert_eq!(shown.len(), 14);
        for typed in [
            shown.clone(),
            shown.to_lowercase(),
            shown.replace('-', " "),
            shown.replace('-', ""),
            format!(" {shown}\n"),
        ] {
            assert_eq!(PairCode::typed(&typed), Some(code.clone()), "{typed}");
        }
        assert_eq!(PairCode::typed("O0iI-lLoO-0000"), PairCode::typed("0011-1100-0000"));
        for wrong in ["", "ABCD", "ABCD-EFGH-JKM", "ABCD-EFGH-JKMNP", "UUUU-UUUU-UUUU", "ABCD-EFGH-JKM\u{e9}"] {
            assert_eq!(PairCode::typed(wrong), None, "{wrong}");
        }
        const { assert!(CODE * 5 >= 50) };
    }

    proptest! {
        // D50
        #[test]
        fn different_bits_are_different_codes(a: u64, b: u64) {
            let mask = (1u64 << 60) - 1;
            prop_assert_eq!(PairCode::of_bits(a) == PairCode::of_bits(b), a & mask == b & mask);
            let code = PairCode::of_bits(a);
            prop_assert_eq!(PairCode::typed(&code.shown()), Some(code));
        }
    }

    // X37, and the state table of section 3
    #[test]
    fn a_state_is_derived_from_contact_and_from_what_a_person_decided() {
        let now = Timestamp::from_micros(1_000_000_000_000);
        let ago = |seconds: u64| now.shifted(-i64::try_from(seconds * 1_000_000).unwrap());
        for (seconds, state) in
            [(0, "online"), (44, "online"), (45, "late"), (89, "late"), (90, "offline"), (9_999, "offline")]
        {
            assert_eq!(WorkerState::of(ago(seconds), false, false, now).name(), state, "{seconds}");
            assert_eq!(WorkerState::of(ago(seconds), true, false, now), WorkerState::Draining);
            assert_eq!(WorkerState::of(ago(seconds), true, true, now), WorkerState::Revoked);
        }
        // A clock that was set back makes nobody offline.
        assert_eq!(WorkerState::of(now.plus(Duration::from_secs(3600)), false, false, now), WorkerState::Online);
    }

    // D2, D62, K7
    #[test]
    fn what_a_worker_says_is_bounded_and_takes_no_label_of_the_planes() {
        let agent = |id: &str, healthy| Advertised {
            id: id.into(),
            version: Some("1\u{1b}[31m".into()),
            healthy,
            models: vec!["m".repeat(500)],
            capabilities: vec![Capability::Usage, Capability::Palette, Capability::Palette],
            checked_at: None,
            detail: Some("x\ny".into()),
            tested: None,
            login: Some(Login::File { path: "p\n".repeat(500) }),
        };
        let said = Said {
            platform: "linux\u{7} x86_64".into(),
            labels: [" gpu ", "GPU", "", "agent:claude", "Repo:x", "a b"].map(str::to_owned).to_vec(),
            agents: vec![agent("claude", true), agent("codex", false), agent("Bad Id", true)],
            repos: vec!["web".into(), "../x".into(), "A".into()],
            slots: 0,
            last_error: Some("e".repeat(9_000)),
            ..Said::default()
        }
        .bounded();
        assert_eq!((said.labels.as_slice(), said.slots), (["gpu".to_owned()].as_slice(), 1));
        assert_eq!(said.agents.len(), 2);
        assert_eq!(said.agents[0].version.as_deref(), Some("1[31m"));
        assert_eq!(said.agents[0].models[0].len(), 100);
        assert_eq!(said.agents[0].capabilities, [Capability::Palette, Capability::Usage]);
        let Some(Login::File { path }) = &said.agents[0].login else { panic!("{said:?}") };
        assert!(path.len() <= 100 && !path.contains('\n'));
        assert_eq!(said.last_error.as_ref().map(String::len), Some(500));
        let offered: Vec<_> = said.offered("den", &["fast".into()]).into_iter().collect();
        assert_eq!(
            offered,
            ["agent:claude", "agent:claude:palette", "fast", "gpu", "os:linux", "repo:web", "worker:den"]
        );
    }

    // D61, S72: a newer worker may say more than this version knows; one that says nothing is taken for incapable.
    #[test]
    fn unknown_capabilities_are_left_out() {
        let read = |text: &str| serde_json::from_str::<Advertised>(text).unwrap().capabilities;
        assert_eq!(
            read(r#"{"id": "pi", "capabilities": ["resume", "telepathy", "palette"]}"#),
            [Capability::Resume, Capability::Palette]
        );
        assert_eq!(read(r#"{"id": "pi"}"#), []);
        let newer: Advertised = serde_json::from_str(r#"{"id": "pi", "login": {"by": "retina"}}"#).unwrap();
        assert_eq!(newer.login, None);
        for capability in Capability::ALL {
            assert_eq!(Capability::by_name(capability.name()), Some(*capability));
            assert_eq!(serde_json::json!(capability), capability.name());
        }
    }

    #[test]
    fn a_name_is_one_line() {
        assert_eq!(name("  den  "), Some("den".into()));
        assert_eq!(name(&"a".repeat(64)).map(|name| name.len()), Some(64));
        for wrong in ["", "  ", "a\nb", &"a".repeat(65)] {
            assert_eq!(name(wrong), None);
        }
    }
}
