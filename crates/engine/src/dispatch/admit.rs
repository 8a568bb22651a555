//! Admission: the role as it is at the start, and what the policy allows.

use std::time::Duration;

use model::{
    actor::Actor,
    agent::Capability,
    code::Code,
    dispatch::DispatchConfig,
    issue::{Execution, work_key},
    journal::{Level, NewEntry},
    limits,
    policy::Policy,
    problem::Problem,
    role::{Catalogue, NotSelectable, Role},
    worker::{Advertised, Sharing},
};
use serde_json::json;
use store::{Tx, Worker};

use super::{
    comments,
    kind::{apply_task, plane_task},
    state::{Detail, IssueOfRun, PrepareTask, RoleOfRun, read, task},
    survey::Survey,
};
use crate::{
    issues,
    kind::{Admission, Admitted},
};

/// Checks a request and says how the run starts (D30, D33).
pub(super) async fn admit(tx: &mut Tx, ask: &Admission<'_>) -> Result<Admitted, Problem> {
    let denied = |rule: &str, message: String| Problem::new(Code::PolicyDenied, message).with("rule", rule);
    let Some(document) = tx.document(ask.project.id, crate::projects::POLICY).await? else {
        return Err(denied("no_policy", "the project has no policy yet, so nothing may be executed".to_owned()));
    };
    let policy = Policy::read(&document.body).map_err(Problem::invalid)?;
    let survey: Survey = read(&ask.survey.clone()?)?;
    let mut config = DispatchConfig::read(ask.config)?;
    let issue =
        ask.issue.ok_or_else(|| Problem::invalid_field("/issue", "is required: a dispatch is about an issue"))?;
    let mut entries = issues::admit(tx, issue, config.force, ask.actor).await?;
    let old = match ask.retry_of.filter(|_| config.reuse_result) {
        Some(old) => Some(Detail::of(old)?),
        None if config.reuse_result => {
            return Err(Problem::invalid_field("/config/reuse_result", "is for retries of a run that has a result"));
        }
        None => None,
    };
    comments::admit(tx, ask, &config).await?;
    let (role, snapshot) = choose(ask, &mut config, &survey, old.as_ref())?;
    let remote = advertised(tx).await?;
    let known: Vec<&Advertised> = survey.offered.iter().chain(&remote).collect();
    let offered = known.iter().filter(|agent| agent.healthy).map(|agent| &agent.id);
    let because = allow(&mut config, &policy, role.as_ref(), offered, denied)?;
    let needs = role.as_ref().map_or(&[][..], Role::needs);
    if let Some(agent) = &config.agent {
        capable(agent, needs, &known)?;
    }
    if role.is_some() && policy.require_sandbox && !survey.fences {
        fenced(config.agent.as_deref(), &remote)?;
    }
    if let (Some(name), Some(agent), None) = (&config.worker, &config.agent, &old) {
        pinned(tx, ask, name, agent, needs).await?;
    }
    let base = old.as_ref().map_or(survey.base, |old| old.base.clone());
    let base_name = old.as_ref().map_or(survey.base_name, |old| old.base_name.clone());
    let url = old.as_ref().map_or(survey.url, |old| old.url.clone());
    entries.push(NewEntry::new(
        "role.resolved",
        json!({
            "id": snapshot.id, "version": snapshot.version, "digest": snapshot.digest, "origin": snapshot.origin,
            "agent": config.agent, "agent_because": because, "model": config.model,
        }),
    ));
    if let Some(why) = &survey.unavailable {
        let data = json!({"code": "repo_unavailable", "text": why});
        entries.push(NewEntry::new("warning", data).at_level(Level::Warning));
    }
    let number = issue.number.number();
    let detail = Detail {
        branch: format!("proofhouse/{number}-{}", ask.run.short()),
        issue: IssueOfRun { id: issue.id, number, title: issue.title.clone() },
        base,
        base_name,
        url,
        policy: policy.digest(),
        context: None,
        prompt: None,
        agent: old.as_ref().and_then(|old| old.agent.clone()),
        used_approvals: Vec::new(),
        result: old.as_ref().and_then(|old| old.result),
        report: None,
        proof_run: None,
        message: String::new(),
        role: snapshot,
    };
    let first = match (detail.result, role) {
        (Some(result), _) => apply_task(result, &detail),
        (None, Some(role)) => plane_task(task::PREPARE, json!(PrepareTask { role })),
        (None, None) => return Err(Problem::invalid_field("/config/reuse_result", "there is no stored result")),
    };
    Ok(Admitted {
        config: serde_json::to_value(&config).unwrap_or_default(),
        phase: if detail.result.is_some() { "applying" } else { "preparing" },
        detail: detail.json(),
        exclusive_key: Some(work_key(issue.id)),
        queue_timeout: config
            .queue_timeout_s
            .map_or(limits::AGENT_QUEUE, |seconds| Duration::from_secs(seconds.into())),
        run_timeout: None,
        slots: None,
        tasks: vec![first],
        entries,
    })
}

/// Whether the worker that a person named can do it at all; whether it is there now is no matter (D12).
async fn pinned(
    tx: &mut Tx,
    ask: &Admission<'_>,
    name: &str,
    agent: &str,
    needs: &[Capability],
) -> Result<(), Problem> {
    let starter = match ask.actor {
        Actor::Person { id, .. } => Some(*id),
        Actor::Token { .. } | Actor::Worker { .. } | Actor::Run { .. } | Actor::System => None,
    };
    let reaches = |worker: &Worker| {
        let owner = worker.owner.as_ref().map(|(id, _)| *id);
        worker.serves(ask.project.id) && (worker.sharing == Sharing::Project || owner.is_none() || owner == starter)
    };
    let named: Vec<Worker> =
        tx.workers().await?.into_iter().filter(|worker| worker.name == name && reaches(worker)).collect();
    if named.is_empty() {
        let missing = Problem::not_found();
        return Err(Problem { message: format!("no worker {name} serves this project for you"), ..missing });
    }
    let has_agent = |worker: &Worker| worker.said.agents.iter().any(|known| known.id == agent);
    let refused = |why: String| Problem::new(Code::WorkerNotEligible, why).with("worker", name);
    if named.iter().all(|worker| worker.revoked_at.is_some()) {
        return Err(refused(format!("the worker {name} was revoked")));
    }
    if !named.iter().any(|worker| worker.revoked_at.is_none() && has_agent(worker)) {
        return Err(refused(format!("the worker {name} does not have the agent {agent}")));
    }
    let known: Vec<&Advertised> =
        named.iter().filter(|worker| worker.revoked_at.is_none()).flat_map(|worker| &worker.said.agents).collect();
    capable(agent, needs, &known)
}

/// Whether an agent can do what its role needs, as far as anybody has said what it can (S72). One that no worker has
/// yet may turn out to: its task is given only to a worker whose agent can.
fn capable(agent: &str, needs: &[Capability], known: &[&Advertised]) -> Result<(), Problem> {
    let can = |one: &Advertised| needs.iter().all(|need| one.capabilities.contains(need));
    let (named, others): (Vec<&Advertised>, Vec<&Advertised>) = known.iter().partition(|one| one.id == agent);
    if named.is_empty() || named.iter().any(|one| can(one)) {
        return Ok(());
    }
    let mut able: Vec<&str> = others.into_iter().filter(|one| can(one)).map(|one| one.id.as_str()).collect();
    able.sort_unstable();
    able.dedup();
    let instead =
        if able.is_empty() { "no agent that is known can".to_owned() } else { format!("{} can", able.join(", ")) };
    let message = format!("{agent} cannot be held to the tools that the role names; {instead}");
    let needs: Vec<&str> = needs.iter().map(|need| need.name()).collect();
    Err(Problem::new(Code::AgentIncapable, message).with("agent", agent).with("needs", needs).with("able", able))
}

/// The role as it is at the start (D30): the request's, else the issue's; a run that applies a stored result again
/// keeps the one it was made in, whatever became of that since.
fn choose(
    ask: &Admission<'_>,
    config: &mut DispatchConfig,
    survey: &Survey,
    old: Option<&Detail>,
) -> Result<(Option<Role>, RoleOfRun), Problem> {
    if let Some(old) = old {
        return Ok((None, old.role.clone()));
    }
    let wanted = match (&config.role, ask.issue.map(|issue| &issue.execution)) {
        (Some(role), _) => role.to_string(),
        (None, Some(Execution::Role(role))) => role.clone(),
        (None, Some(Execution::Manual) | None) => {
            return Err(Problem::invalid_field("/config/role", "name a role: the issue is not handed to one"));
        }
    };
    let catalogue = Catalogue::over(survey.roles.iter().cloned());
    let role = catalogue.choose(&wanted).map_err(|why| {
        let (code, message) = match &why {
            NotSelectable::Unknown => (Code::RoleNotFound, format!("there is no role {wanted}")),
            NotSelectable::Meta => (Code::RoleNotSelectable, format!("{wanted} serves the plane itself")),
            NotSelectable::Broken(_) => (Code::RoleNotSelectable, format!("the file of the role {wanted} has errors")),
        };
        let problem = Problem::new(code, message).with("role", wanted.as_str());
        match why {
            NotSelectable::Broken(errors) => Problem { errors, ..problem },
            NotSelectable::Unknown | NotSelectable::Meta => problem,
        }
    })?;
    config.role = Some(role.id.clone());
    let origin = catalogue.get(&wanted).map_or(model::role::Origin::Builtin, |listed| listed.origin);
    let snapshot = RoleOfRun {
        id: role.id.clone(),
        title: role.title.clone(),
        version: role.version.clone(),
        digest: role.digest,
        origin,
        output: role.output,
        intent: role.intent,
        write_paths: role.write_paths.clone(),
        tools: role.tools.clone(),
    };
    Ok((Some(role.clone()), snapshot))
}

/// Whether a machine that could fence the agent in may have it, where the plane's own cannot (X20). What a remote
/// machine can is found out there: it does not start the agent unfenced.
fn fenced(agent: Option<&str>, remote: &[Advertised]) -> Result<(), Problem> {
    if remote.iter().any(|one| Some(one.id.as_str()) == agent) {
        return Ok(());
    }
    let message = "the policy has `require_sandbox`, and this machine cannot fence an agent in";
    Err(Problem::new(Code::SandboxRequired, message).with("rule", "require_sandbox"))
}

/// Fills in what request and role leave open, and refuses what the policy does not allow (D33, D35).
fn allow<'o>(
    config: &mut DispatchConfig,
    policy: &Policy,
    role: Option<&Role>,
    offered: impl Iterator<Item = &'o String> + Clone,
    denied: impl Fn(&str, String) -> Problem,
) -> Result<&'static str, Problem> {
    let rules = &policy.dispatch;
    if !rules.apply.contains(&config.apply) {
        return Err(denied("dispatch.apply", format!("the policy does not allow to apply {}", config.apply)));
    }
    let Some(role) = role else { return Ok("stored result") };
    let (agent, because) = match (&config.agent, &role.agent) {
        (Some(agent), _) => (agent.clone(), "request"),
        (None, Some(agent)) => (agent.clone(), "role"),
        (None, None) => default_agent(&policy.agents, |agent| offered.clone().any(|offered| offered == agent))
            .ok_or_else(|| denied("agents", "the policy allows no agent".to_owned()))?,
    };
    if !policy.agents.contains(&agent) {
        return Err(denied("agents", format!("the policy does not allow the agent {agent}")));
    }
    config.agent = Some(agent);
    config.model = config.model.take().or_else(|| role.model.clone());
    match config.timeout_s {
        Some(asked) if asked > rules.max_timeout_s => {
            let message = format!("the policy allows {} s at most", rules.max_timeout_s);
            return Err(denied("dispatch.max_timeout_s", message));
        }
        Some(_) => {}
        None => config.timeout_s = Some(role.timeout_s.min(rules.max_timeout_s)),
    }
    let cost = [config.max_cost_micro_usd, role.max_cost_micro_usd].into_iter().flatten().min();
    if let (Some(asked), Some(most)) = (config.max_cost_micro_usd, rules.max_cost_micro_usd)
        && asked > most
    {
        return Err(denied("dispatch.max_cost_micro_usd", format!("the policy allows {most} micro USD at most")));
    }
    config.max_cost_micro_usd = [cost, rules.max_cost_micro_usd].into_iter().flatten().min();
    Ok(because)
}

/// The agents that workers on other machines say they have.
async fn advertised(tx: &mut Tx) -> Result<Vec<Advertised>, Problem> {
    let is_remote = |worker: &Worker| worker.revoked_at.is_none() && worker.owner.is_some();
    let workers = tx.workers().await?.into_iter().filter(is_remote);
    Ok(workers.flat_map(|worker| worker.said.agents).collect())
}

/// The agent where neither request nor role names one, and why (D11, S73): the project's own, which is the first of its
/// policy, if a worker has it; else the builtin one, if a model can be asked; else the scripted one. Where none of them
/// can be had, the run waits for a worker with the project's own.
fn default_agent(allowed: &[String], is_offered: impl Fn(&str) -> bool) -> Option<(String, &'static str)> {
    let own = allowed.first()?;
    let may = |agent: &str| allowed.iter().any(|allowed| allowed == agent) && is_offered(agent);
    Some(if is_offered(own) {
        (own.clone(), "the project's own")
    } else if may("builtin") {
        ("builtin".to_owned(), "no worker has the project's own, and a model can be asked")
    } else if may("scripted") {
        ("scripted".to_owned(), "no worker has the project's own, and no model can be asked: simulated")
    } else {
        (own.clone(), "the project's own, which no worker has yet")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(id: &str, capabilities: &[Capability]) -> Advertised {
        let text = json!({"id": id, "healthy": true, "capabilities": capabilities});
        serde_json::from_value(text).unwrap()
    }

    // S72: an agent that is known to lack what the role needs is refused and the able ones are named; one of the same
    // name that has it, somewhere, will do; of one that nobody has yet nothing is known.
    #[test]
    fn an_agent_that_lacks_what_the_role_needs_is_refused() {
        use Capability::{Palette, Resume, Usage};
        let all = [agent("codex", &[Resume, Usage]), agent("pi", &[Palette]), agent("builtin", &[Palette, Usage])];
        let known: Vec<&Advertised> = all.iter().collect();
        let refused = capable("codex", &[Palette], &known).unwrap_err();
        assert_eq!((refused.code, refused.code.status()), (Code::AgentIncapable, 422));
        assert_eq!((&refused.facts["needs"], &refused.facts["able"]), (&json!(["palette"]), &json!(["builtin", "pi"])));
        assert!(refused.message.contains("builtin, pi can"), "{}", refused.message);
        for (name, needs) in [("codex", &[][..]), ("pi", &[Palette][..]), ("opencode", &[Palette])] {
            capable(name, needs, &known).unwrap();
        }
        let elsewhere = agent("codex", &[Palette]);
        capable("codex", &[Palette], &[&all[0], &elsewhere]).unwrap();
        assert!(capable("codex", &[Palette], &[&all[0]]).unwrap_err().message.contains("no agent that is known can"));
    }

    // X20, S76: where the plane's machine cannot fence an agent in, a run that requires it is refused at its start,
    // unless another machine has the agent.
    #[test]
    fn a_required_sandbox_that_is_not_there_is_refused() {
        let refused = fenced(Some("claude"), &[agent("codex", &[])]).unwrap_err();
        assert_eq!((refused.code, refused.code.status()), (Code::SandboxRequired, 422));
        fenced(Some("codex"), &[agent("codex", &[])]).unwrap();
    }

    // D11, S73: in this order, and never one that the policy does not allow.
    #[test]
    fn an_agent_is_chosen_in_order() {
        let choose = |allowed: &[&str], offered: &[&str]| {
            let allowed: Vec<String> = allowed.iter().map(|agent| (*agent).to_owned()).collect();
            default_agent(&allowed, |agent| offered.contains(&agent)).map(|chosen| chosen.0)
        };
        let all = ["claude", "codex", "builtin", "scripted"];
        for (allowed, offered, chosen) in [
            (&all[..], &["claude", "builtin", "scripted"][..], Some("claude")),
            (&all, &["codex", "builtin", "scripted"], Some("builtin")),
            (&all, &["codex", "scripted"], Some("scripted")),
            (&["claude", "codex"], &["codex", "builtin", "scripted"], Some("claude")),
            (&["scripted"], &["scripted"], Some("scripted")),
            (&all, &[], Some("claude")),
            (&[], &["scripted"], None),
        ] {
            assert_eq!(choose(allowed, offered).as_deref(), chosen, "{allowed:?} {offered:?}");
        }
    }
}
