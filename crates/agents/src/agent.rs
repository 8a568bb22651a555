//! An agent as it is declared on the machine that runs it (D62): a name, an adapter, a program.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use model::agent::{AgentName, Capability, usage::Billing};

use crate::{
    adapter::{self, Adapter},
    version::Version,
};

/// Which adapter drives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Claude Code.
    Claude,
    /// Codex.
    Codex,
    /// opencode.
    Opencode,
    /// pi.
    Pi,
    /// Any program that speaks the Agent Client Protocol.
    Acp,
    /// Any program: see [`Protocol`].
    Command,
    /// The loop inside the binary, over any provider of models.
    Builtin,
    /// A script, inside the binary (S80).
    Scripted,
}

impl Kind {
    /// Whether it is any program of a kind, which its declaration has to name.
    pub const fn needs_program(self) -> bool {
        matches!(self, Self::Acp | Self::Command)
    }

    /// All of them.
    pub const ALL: &[Self] =
        &[Self::Claude, Self::Codex, Self::Opencode, Self::Pi, Self::Acp, Self::Command, Self::Builtin, Self::Scripted];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Claude => "claude",
            Self::Codex => "codex",
            Self::Opencode => "opencode",
            Self::Pi => "pi",
            Self::Acp => "acp",
            Self::Command => "command",
            Self::Builtin => "builtin",
            Self::Scripted => "scripted",
        }
    }

    /// The kind with this name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// What of the adapter is the same for all its agents; nothing for those that are no program.
    pub fn adapter(self) -> Option<&'static dyn Adapter> {
        match self {
            Self::Claude => Some(&adapter::claude::Claude),
            Self::Codex => Some(&adapter::codex::Codex),
            Self::Opencode => Some(&adapter::opencode::Opencode),
            Self::Pi => Some(&adapter::pi::Pi),
            Self::Acp => Some(&adapter::acp::Acp),
            Self::Command => Some(&adapter::command::Command),
            Self::Builtin | Self::Scripted => None,
        }
    }
}

/// What a program of kind `command` speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// The prompt on standard input, the answer on standard output, exit 0 is success (D62).
    #[default]
    Plain,
    /// JSON lines, protocol 1 (S79).
    Lines,
}

/// A declared agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// What it is called.
    pub name: AgentName,
    /// What drives it.
    pub kind: Kind,
    /// The program and arguments that come before the adapter's own. Empty = the adapter's program,
    /// looked up on the PATH.
    pub program: Vec<String>,
    /// For kind `command`.
    pub protocol: Protocol,
    /// Variables of the worker's environment it is given beside those its adapter names.
    pub env: Vec<String>,
    /// Exactly this version and no other.
    pub pin: Option<Version>,
    /// Versions outside the tested range are taken too, and said to be (S75).
    pub allow_untested: bool,
    /// How it is paid for.
    pub billing: Billing,
    /// The script, for kind `scripted`; without one the shipped script plays.
    pub script: Option<PathBuf>,
    /// The folder whose file declares providers, for kind `builtin`; without one only the known ones are there.
    pub providers: Option<PathBuf>,
}

impl Agent {
    /// One of a kind, by the kind's own name, with nothing declared.
    pub fn of(kind: Kind) -> Self {
        let name = kind.name().parse().unwrap_or_else(|_| unreachable!("the names of kinds are names"));
        let billing = match kind {
            Kind::Scripted => Billing::Free,
            Kind::Builtin => Billing::Priced,
            _ => Billing::Metered,
        };
        Self {
            name,
            kind,
            program: Vec::new(),
            protocol: Protocol::Plain,
            env: Vec::new(),
            pin: None,
            allow_untested: false,
            billing,
            script: None,
            providers: None,
        }
    }

    /// What it can do.
    pub fn capabilities(&self) -> &'static [Capability] {
        match (self.kind.adapter(), self.kind) {
            (Some(adapter), _) => adapter.capabilities(self.protocol),
            (None, Kind::Builtin) => &[Capability::Palette, Capability::Approvals, Capability::Usage],
            (None, _) => &[Capability::Usage],
        }
    }

    /// Whether nothing real answers (S73).
    pub const fn is_simulated(&self) -> bool {
        matches!(self.kind, Kind::Scripted)
    }

    /// The program and its first arguments.
    pub fn argv(&self) -> Vec<String> {
        if self.program.is_empty() {
            self.kind.adapter().map(|adapter| adapter.program().to_owned()).into_iter().collect()
        } else {
            self.program.clone()
        }
    }
}

/// A declaration that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclarationInvalid(String);

impl DeclarationInvalid {
    pub(crate) fn twice(name: &AgentName) -> Self {
        Self(format!("two declarations of the agent {name}"))
    }

    pub(crate) fn unreadable(path: &Path, why: &str) -> Self {
        Self(format!("the declarations of agents in {} cannot be used: {why}", path.display()))
    }
}

impl fmt::Display for DeclarationInvalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for DeclarationInvalid {}

impl FromStr for Agent {
    type Err = DeclarationInvalid;

    /// `KIND`, or `NAME=KIND` with words behind a `:`, then the program: `claude`,
    /// `mine=command:/opt/agent --fast`, `gem=acp:/opt/gemini --acp`, `mine=command,protocol=1:/opt/agent`,
    /// `claude=claude,allow_untested:/opt/claude`, `rehearsal=scripted:/home/me/script.json`.
    fn from_str(text: &str) -> Result<Self, DeclarationInvalid> {
        let wrong = |what: String| DeclarationInvalid(format!("{what} in the agent's declaration {text:?}"));
        let (head, program) = text.split_once(':').map_or((text, ""), |(head, program)| (head, program.trim()));
        let mut words = head.split(',').map(str::trim);
        let first = words.next().unwrap_or_default();
        let (name, kind) = first.split_once('=').unwrap_or((first, first));
        let kind = Kind::by_name(kind).ok_or_else(|| wrong(format!("unknown kind {kind:?}")))?;
        let mut agent = Self { name: name.parse().map_err(|error| wrong(format!("{error}")))?, ..Self::of(kind) };
        for word in words {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            match (key, value) {
                ("protocol", "1") if kind == Kind::Command => agent.protocol = Protocol::Lines,
                ("allow_untested", "") => agent.allow_untested = true,
                ("version", value) => {
                    agent.pin = Some(Version::in_text(value).ok_or_else(|| wrong(format!("no version {value:?}")))?);
                }
                ("env", value) if !value.is_empty() => agent.env.push(value.to_owned()),
                ("free", "") => agent.billing = Billing::Free,
                _ => return Err(wrong(format!("unknown word {word:?}"))),
            }
        }
        if kind == Kind::Scripted {
            agent.script = (!program.is_empty()).then(|| PathBuf::from(program));
        } else {
            agent.program = program.split_whitespace().map(str::to_owned).collect();
        }
        if kind == Kind::Builtin && !agent.program.is_empty() {
            return Err(wrong("a program is named, and it is none".to_owned()));
        }
        if kind.needs_program() && agent.program.is_empty() {
            return Err(wrong("a program is missing".to_owned()));
        }
        Ok(agent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // D62: agents are declared where they run, by one line.
    #[test]
    fn a_line_declares_an_agent() {
        let read = |text: &str| text.parse::<Agent>().unwrap();
        assert_eq!(read("claude"), Agent::of(Kind::Claude));
        let mine = read("mine=command,protocol=1,env=MY_KEY,free:/opt/agent --fast  x");
        assert_eq!((mine.name.as_str(), mine.kind, mine.protocol), ("mine", Kind::Command, Protocol::Lines));
        assert_eq!(mine.program, ["/opt/agent", "--fast", "x"]);
        assert_eq!((mine.env.as_slice(), mine.billing), (&["MY_KEY".to_owned()][..], Billing::Free));
        let pinned = read("c2=claude,version=2.1.197,allow_untested:/opt/claude");
        assert_eq!((pinned.pin, pinned.allow_untested), (Some(Version(2, 1, 197)), true));
        assert_eq!(read("scripted:/tmp/x.json").script, Some(PathBuf::from("/tmp/x.json")));
        for wrong in [
            "",
            "nobody",
            "command",
            "acp",
            "x=command:",
            "x=acp:",
            "X=claude",
            "claude,colour=red",
            "claude,version=new",
            "builtin:/x",
        ] {
            let error = wrong.parse::<Agent>().unwrap_err();
            assert!(error.to_string().contains("declaration"), "{error}");
        }
    }
}
