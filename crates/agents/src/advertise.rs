//! What a worker, the plane's own included, says of the agents of its machine (D62).

use std::{collections::BTreeMap, path::Path};

use model::{time::Timestamp, worker::Advertised};

use crate::{
    agent::Agent,
    login,
    probe::{Readiness, probe},
};

/// Calls each agent that is here for its version, one after the other: some take all of a small machine to start.
/// An agent that is known by name alone and is not installed is not spoken of; one that a person declared and that
/// cannot be used is, with the reason.
pub async fn advertise(
    agents: &[Agent],
    environment: &BTreeMap<String, String>,
    scratch: &Path,
    now: impl Fn() -> Timestamp,
) -> Vec<Advertised> {
    let mut told = Vec::new();
    for agent in agents {
        let found = probe(agent, environment, &scratch.join(agent.name.as_str())).await;
        let is_declared = !agent.program.is_empty();
        if matches!(found.readiness, Readiness::Missing { .. }) && !is_declared {
            continue;
        }
        let is_plain = found.readiness == Readiness::Ready;
        told.push(Advertised {
            version: found.version.map(|version| version.to_string()),
            healthy: found.readiness.is_usable(),
            checked_at: Some(now()),
            detail: (!is_plain).then_some(found.words),
            ..unseen(agent, environment)
        });
    }
    // What they kept there is nobody's; what cannot be removed is removed by the next look.
    let _ = std::fs::remove_dir_all(scratch);
    told
}

/// What can be said of an agent before its program was called: as if it were well.
pub fn unseen(agent: &Agent, environment: &BTreeMap<String, String>) -> Advertised {
    Advertised {
        id: agent.name.to_string(),
        version: None,
        healthy: true,
        models: Vec::new(),
        checked_at: None,
        detail: None,
        tested: agent.kind.adapter().and_then(|adapter| adapter.tested()).map(|tested| tested.to_string()),
        capabilities: agent.capabilities().to_vec(),
        login: login::found(agent, environment),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use model::{agent::Capability, worker::Login};

    use super::*;
    use crate::{declared::flagged, probe::is_here};

    // D62: health is what the version call says; what is not installed is not spoken of unless it was declared; the
    // call sees neither the person's home nor what stands in the worker's environment.
    #[tokio::test]
    async fn health_is_what_the_version_call_says() {
        let folder = tempfile::tempdir().unwrap();
        let script = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            path.display().to_string()
        };
        let codex = script(
            "codex-here",
            "#!/bin/sh\n[ -z \"$SECRET_KEY\" ] && [ \"$HOME\" != /home/ada ] && echo codex-cli 0.169.0",
        );
        let pi = script("pi-here", "#!/bin/sh\necho no >&2\nexit 3");
        let agents: Vec<Agent> = [
            format!("codex={codex}"),
            format!("pi={pi}"),
            "opencode=/nowhere/opencode".to_owned(),
            "claude".to_owned(),
            "scripted".to_owned(),
        ]
        .iter()
        .map(|text| flagged(text).unwrap())
        .collect();
        let environment = BTreeMap::from(
            [("PATH", "/usr/bin:/bin"), ("HOME", "/home/ada"), ("SECRET_KEY", "x")]
                .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        let scratch = folder.path().join("scratch");
        let told = advertise(&agents, &environment, &scratch, || Timestamp::from_micros(7)).await;
        let seen: Vec<_> = told.iter().map(|agent| (agent.id.as_str(), agent.healthy)).collect();
        assert_eq!(seen, [("codex", true), ("pi", false), ("opencode", false), ("scripted", true)], "{told:?}");
        assert_eq!((told[0].version.as_deref(), &told[0].detail), (Some("0.169.0"), &None));
        // S100
        assert_eq!((told[0].tested.is_some(), told[0].login.as_ref()), (true, Some(&Login::Nothing)));
        assert!(told[0].capabilities.contains(&Capability::Usage) && told[3].login.is_none());
        assert!(told[1].detail.as_ref().unwrap().contains("exit 3"), "{told:?}");
        assert!(told[2].detail.as_ref().unwrap().contains("not found"), "{told:?}");
        assert!(!scratch.exists());
        let here: Vec<_> = agents.iter().map(|agent| is_here(agent, &environment)).collect();
        assert_eq!(here, [true, true, false, false, true]);
    }
}
