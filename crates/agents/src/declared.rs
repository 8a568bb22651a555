//! Which agents there are on a machine: those every adapter knows by itself, and those a person declares
//! there in a file, one a line (D62). The plane chooses among their names and never names a command.

use std::{fs, io, path::Path};

use model::agent::AgentName;

use crate::agent::{Agent, DeclarationInvalid, Kind};

/// The file, in the data folder of a plane or the state folder of a worker.
pub const DECLARATIONS: &str = "agents";
/// The largest such file.
const FILE: u64 = 64 << 10;

/// The agents that a text declares, and those that need no declaration. A declaration takes the place of
/// what has the same name. Lines that are empty or begin with `#` say nothing.
///
/// # Errors
/// At the first line that is no declaration, and at a name that stands twice.
pub fn declared(text: &str) -> Result<Vec<Agent>, DeclarationInvalid> {
    let mut agents: Vec<Agent> =
        Kind::ALL.iter().filter(|kind| !kind.needs_program()).map(|kind| Agent::of(*kind)).collect();
    let mut seen = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        declare(&mut agents, &mut seen, line.parse()?)?;
    }
    Ok(agents)
}

/// Takes a declaration, in the place of what has the same name; of those seen so far none may have it.
fn declare(agents: &mut Vec<Agent>, seen: &mut Vec<AgentName>, agent: Agent) -> Result<(), DeclarationInvalid> {
    if seen.contains(&agent.name) {
        return Err(DeclarationInvalid::twice(&agent.name));
    }
    seen.push(agent.name.clone());
    match agents.iter_mut().find(|known| known.name == agent.name) {
        Some(known) => *known = agent,
        None => agents.push(agent),
    }
    Ok(())
}

/// The agents of a machine: of the file in this folder, if there is one.
///
/// # Errors
/// When the file cannot be read, or as [`declared`]. It must not be writable by others: who can write it
/// chooses what is run.
pub fn declared_in(folder: &Path) -> Result<Vec<Agent>, DeclarationInvalid> {
    use std::os::unix::fs::PermissionsExt as _;
    let path = folder.join(DECLARATIONS);
    let facts = match fs::metadata(&path) {
        Ok(facts) => facts,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(placed(declared("")?, folder)),
        Err(error) => return Err(DeclarationInvalid::unreadable(&path, &error.to_string())),
    };
    if facts.permissions().mode() & 0o022 != 0 {
        return Err(DeclarationInvalid::unreadable(&path, "others may write it; chmod go-w"));
    }
    if facts.len() > FILE {
        return Err(DeclarationInvalid::unreadable(&path, "it is larger than 64 KiB"));
    }
    let text = fs::read_to_string(&path).map_err(|error| DeclarationInvalid::unreadable(&path, &error.to_string()))?;
    Ok(placed(declared(&text)?, folder))
}

/// The builtin agent looks for its providers where it is declared.
fn placed(mut agents: Vec<Agent>, folder: &Path) -> Vec<Agent> {
    for agent in agents.iter_mut().filter(|agent| agent.kind == Kind::Builtin) {
        agent.providers = Some(folder.to_owned());
    }
    agents
}

/// An agent as a flag names it: `ID=/absolute/program`, with words behind commas, where an id that is the name of a
/// kind means that kind and any other a command; or a whole declaration, as in the file.
///
/// # Errors
/// For what is neither.
pub fn flagged(text: &str) -> Result<Agent, DeclarationInvalid> {
    let Some((name, rest)) = text.split_once('=').filter(|(_, rest)| rest.starts_with('/')) else {
        return text.parse();
    };
    let (program, words) = rest.split_once(',').map_or((rest, String::new()), |(at, words)| (at, format!(",{words}")));
    let kind = Kind::by_name(name).unwrap_or(Kind::Command);
    let mut agent: Agent = format!("{name}={}{words}:{}", kind.name(), "/").parse()?;
    match kind {
        Kind::Scripted => agent.script = Some(program.into()),
        // A path is one word, whatever is in it.
        _ => agent.program = vec![program.to_owned()],
    }
    Ok(agent)
}

/// The agents of a machine: as [`declared_in`], with those of flags in the place of what has the same name.
///
/// # Errors
/// As [`declared_in`] and [`flagged`].
pub fn declared_with(folder: &Path, flags: &[String]) -> Result<Vec<Agent>, DeclarationInvalid> {
    let mut agents = declared_in(folder)?;
    let mut seen = Vec::new();
    for text in flags {
        declare(&mut agents, &mut seen, flagged(text)?)?;
    }
    Ok(agents)
}

#[cfg(test)]
mod tests {
    use super::*;

    // D62: built-in names, and what a person adds or replaces.
    #[test]
    fn a_file_adds_and_replaces() {
        let names = |agents: &[Agent]| agents.iter().map(|agent| agent.name.to_string()).collect::<Vec<_>>();
        assert_eq!(names(&declared("").unwrap()), ["claude", "codex", "opencode", "pi", "builtin", "scripted"]);
        let agents =
            declared("# mine\n\nmine=command:/opt/agent\n  claude=claude,allow_untested:/opt/claude  \n").unwrap();
        assert_eq!(names(&agents), ["claude", "codex", "opencode", "pi", "builtin", "scripted", "mine"]);
        assert_eq!(agents[0].program, ["/opt/claude"]);
        for wrong in ["x", "a=command:/a\na=command:/b"] {
            assert!(declared(wrong).is_err(), "{wrong}");
        }
    }

    // D62: what `worker run --agent` takes.
    #[test]
    fn a_flag_names_an_agent() {
        let read = |text: &str| flagged(text).unwrap();
        let claude = read("claude=/opt/my tools/claude");
        assert_eq!((claude.kind, claude.program), (Kind::Claude, vec!["/opt/my tools/claude".to_owned()]));
        let mine = read("mine=/opt/agent,protocol=1,env=MY_KEY");
        assert_eq!((mine.kind, mine.protocol), (Kind::Command, crate::Protocol::Lines));
        assert_eq!((mine.program, mine.env), (vec!["/opt/agent".to_owned()], vec!["MY_KEY".to_owned()]));
        assert_eq!(read("mine=command:/opt/agent --fast").program.len(), 2);
        for wrong in ["", "=/x", "Claude=/x", "a b=/x", "mine=agent", "mine=./x", "mine=/x,colour=red"] {
            assert!(flagged(wrong).is_err(), "{wrong}");
        }
        let folder = tempfile::tempdir().unwrap();
        let flags = ["pi=/opt/pi".to_owned(), "mine=/opt/agent".to_owned()];
        let agents = declared_with(folder.path(), &flags).unwrap();
        assert_eq!(agents.len(), 7);
        assert!(agents.iter().any(|agent| agent.name.as_str() == "pi" && agent.program == ["/opt/pi"]));
        assert!(declared_with(folder.path(), &["a=/a".to_owned(), "a=/b".to_owned()]).is_err());
    }

    #[test]
    fn a_file_that_others_may_write_is_not_believed() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let agents = declared_in(folder.path()).unwrap();
        assert_eq!(agents.len(), 6);
        assert_eq!(agents[4].providers.as_deref(), Some(folder.path()));
        let path = folder.path().join(DECLARATIONS);
        fs::write(&path, "mine=command:/opt/agent\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(declared_in(folder.path()).unwrap().len(), 7);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o622)).unwrap();
        assert!(declared_in(folder.path()).unwrap_err().to_string().contains("others may write it"));
    }
}
