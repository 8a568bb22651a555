//! Any program (D62): plain text, or protocol 1 in JSON lines (S79, `docs/command-protocol.md`).

use model::agent::Capability;

use super::{Adapter, Input, Launch, LoginFile, Reader, plain::Plain, protocol};
use crate::{agent::Protocol, session::Session, version::Tested};

/// The adapter.
#[derive(Debug)]
pub struct Command;

impl Adapter for Command {
    fn program(&self) -> &'static str {
        ""
    }

    fn install(&self) -> Option<&'static str> {
        None
    }

    fn tested(&self) -> Option<Tested> {
        None
    }

    fn capabilities(&self, protocol: Protocol) -> &'static [Capability] {
        match protocol {
            Protocol::Plain => &[],
            Protocol::Lines => &[Capability::Resume, Capability::Approvals, Capability::Usage, Capability::Interrupt],
        }
    }

    fn login_names(&self) -> &'static [&'static str] {
        &[]
    }

    fn login_files(&self) -> &'static [LoginFile] {
        &[]
    }

    fn launch(&self, session: &Session) -> Launch {
        let input = match session.agent.protocol {
            Protocol::Plain => Input::Prompt,
            Protocol::Lines => Input::Open(protocol::start(session)),
        };
        Launch { input, ..Launch::default() }
    }

    fn reader(&self, session: &Session) -> Box<dyn Reader> {
        match session.agent.protocol {
            Protocol::Plain => Box::new(Plain::default()),
            Protocol::Lines => Box::new(protocol::Lines::new(session.name().clone())),
        }
    }
}
