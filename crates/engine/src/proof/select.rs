//! Binds a run to its files, reads their configuration, and plans the distinct commands of its gates.

use std::{collections::HashMap, path::Path, sync::Arc};

use exec::git::Repository;
use model::{
    code::Code,
    digest::{Digest, Fields},
    failure::{Failure, FailureCode},
    problem::Problem,
    project::Project,
    proof::{
        config::ProjectConfig,
        evidence::CommandIdentity,
        gate::Gate,
        judge::Unplanned,
        requirement::Rule,
        run::{Mode, ProofRunConfig, Target},
        scope::Changes,
        selection::{Candidate, Selection, select},
        settings::ProofSettings,
        standing::Ground,
        verdict::Reason,
    },
    run::Run,
};
use serde_json::json;

use super::{
    Proof,
    footing::Footing,
    ground,
    kind::{gate_list, inputs, is_enabled, read},
    preparation,
    runners::{self, Ask, PlannedCommand, Tools, Tree},
    state::{Bound, GateInput, Plan, PlannedGate, PlannedTask, SelectOutput},
    target::{self, Catalogue},
};
use crate::{
    Engine, projects,
    work::{Assignment, Outcome},
};

/// Does a select task.
pub async fn handle(proof: Arc<Proof>, assignment: Assignment) -> Outcome {
    let selected = match plan(&proof, &assignment.engine, assignment.leased.task.run).await {
        Ok(plan) => SelectOutput::Plan(Box::new(plan)),
        Err(problem) => match failure_of(&problem) {
            Some(code) => SelectOutput::Failed { failure: Failure::new(code, problem.message) },
            None => return Outcome::failed(Failure::new(FailureCode::Internal, problem.to_string())),
        },
    };
    match serde_json::to_value(selected) {
        Ok(output) => Outcome::done(output),
        Err(error) => Outcome::failed(Failure::new(FailureCode::Internal, error.to_string())),
    }
}

/// What a problem of the repository means for the run.
fn failure_of(problem: &Problem) -> Option<FailureCode> {
    match problem.code {
        Code::RefNotFound => Some(FailureCode::RefNotFound),
        Code::ConfigInvalid => Some(FailureCode::ConfigInvalid),
        Code::CheckoutMissing
        | Code::FolderMissing
        | Code::FolderUnreadable
        | Code::NotARepository
        | Code::BareRepository
        | Code::NoCommits
        | Code::GitMissing
        | Code::GitFailed => Some(FailureCode::CheckoutMissing),
        Code::PolicyDenied => Some(FailureCode::PolicyDenied),
        Code::DiskFull => Some(FailureCode::DiskFull),
        _ => None,
    }
}

async fn plan(proof: &Proof, engine: &Engine, id: model::id::RunId) -> Result<Plan, Problem> {
    let run = engine.run(id).await?;
    let config: ProofRunConfig = read(&run.config)?;
    let project = engine.project(&run.project.to_string()).await?;
    let repository = Repository::open(Path::new(&project.path)).await?;
    let (bound, tree, project_config, catalogue, tools) = {
        let (folder, settles, own) = match &config.target {
            Target::Worktree => (repository.clone(), true, false),
            Target::Ref(name) => {
                let commit = repository.resolve(name.as_str()).await?;
                let default = repository.default_branch().await?;
                target::check_out(engine, &repository, id, &commit).await?;
                let own = target::worktrees(engine)?.open(&id.to_string(), "tree")?.repository();
                (own, default.as_deref() == Some(name.as_str()), true)
            }
            Target::Pr(_) | Target::Checkpoint { .. } => {
                return Err(Problem::invalid_field("/target", "is not known to this version"));
            }
        };
        let (tree, config) = target::files(&folder).await?;
        let observer = proof.observer(engine, project.id, &folder, &config.proof.tree_ignore).await?;
        let seen = observer.observe().await?;
        proof.has_verified(id, run.detail["resumes"].as_u64().unwrap_or(0));
        let tools = proof.tools(&tree, folder.root()).await;
        let settings = settings(engine, &run).await?;
        let catalogue = Catalogue::of(&tree, &config, &settings, &tools);
        let bound = Bound {
            tree: seen.tree.ok(),
            commit: seen.commit,
            dirty: seen.dirty,
            settles,
            folder: folder.root().to_string_lossy().into_owned(),
            own_worktree: own,
            tree_ignore: config.proof.tree_ignore.clone(),
        };
        remember(engine, &run, &bound, &catalogue).await?;
        (bound, tree, config, catalogue, tools)
    };
    let (gates, selection) = chosen(engine, &run, &project, &config, &repository, &project_config, &bound).await?;
    let mut planner = Planner { commands: Vec::new(), places: HashMap::new(), bound: &bound, run: &run };
    let mut planned = Vec::with_capacity(gates.len());
    for gate in gates {
        planned.push(planner.gate(gate, &tree, &tools, &catalogue));
    }
    let wanted = preparation::wanted(Path::new(&bound.folder), catalogue.prepare.as_deref(), &planner.commands);
    let preparations = wanted.into_iter().map(|wanted| planner.task(wanted, false, true, &[])).collect();
    let commands = planner.commands;
    let lacking = lacking(&catalogue, &commands);
    Ok(Plan {
        definitions: catalogue.definitions(),
        gates: planned,
        commands,
        preparations,
        diagnostics: selection.as_ref().map_or(run.detail["diagnostics"].clone(), |own| json!(own.diagnostics)),
        empty_reason: match &selection {
            Some(own) => own.empty_reason.map(|reason| json!(reason).as_str().unwrap_or_default().to_owned()),
            None => run.detail["empty_reason"].as_str().map(str::to_owned),
        },
        message: selection.as_ref().map(|own| own.message.clone()),
        notes: {
            let mut notes = selection.as_ref().map(|own| own.notes.clone()).unwrap_or_default();
            notes.extend(lacking);
            notes
        },
        taken: selection.map(|own| own.gates).unwrap_or_default(),
        bound,
    })
}

/// What the runners of these commands lack, in words: a verdict that rests on it is easier to read.
fn lacking(catalogue: &Catalogue, commands: &[PlannedTask]) -> Vec<String> {
    let used = |runner: &str| commands.iter().any(|command| command.planned.runner == runner);
    let found = catalogue.found.iter().filter(|found| used(&found.runner));
    found.flat_map(|found| found.missing.iter().map(|(what, how)| format!("{what} is missing: {how}"))).collect()
}

async fn settings(engine: &Engine, run: &Run) -> Result<ProofSettings, Problem> {
    let project = run.project;
    engine.store().read(move |tx| Box::pin(projects::proof_settings(tx, project))).await
}

/// The project's current tree and the gates it declares, for those who ask before the next run.
async fn remember(engine: &Engine, run: &Run, bound: &Bound, catalogue: &Catalogue) -> Result<(), Problem> {
    if bound.own_worktree {
        return Ok(());
    }
    let names: Vec<&str> = catalogue.gates.iter().map(|gate| gate.name().as_str()).collect();
    let seen = json!({"tree": bound.tree, "commit": bound.commit, "dirty": bound.dirty, "gates": names});
    let project = run.project;
    engine
        .store()
        .write(move |tx| {
            let seen = seen.clone();
            Box::pin(async move { Ok::<_, Problem>(tx.project_observe(project, &seen).await?) })
        })
        .await
}

/// The gates of the run: stored at its start, or selected now where that needs the files (P13).
async fn chosen(
    engine: &Engine,
    run: &Run,
    project: &Project,
    config: &ProofRunConfig,
    repository: &Repository,
    project_config: &ProjectConfig,
    bound: &Bound,
) -> Result<(Vec<GateInput>, Option<Selection>), Problem> {
    let id = run.id;
    let stored = engine
        .store()
        .read(move |tx| {
            Box::pin(async move {
                let tasks = gate_list(tx, id).await?;
                tasks.iter().map(|task| read::<GateInput>(&task.input)).collect::<Result<Vec<_>, Problem>>()
            })
        })
        .await?;
    if config.mode == Mode::Full || !stored.is_empty() || run.retry_of.is_some() {
        return Ok((stored, None));
    }
    // What the merge gate would say on the run's tree, on the merge gate's own ground.
    let accepted = ground::accepted(engine, project).await?;
    let (id, tree) = (project.id, bound.tree.clone());
    let (footing, settings) = engine
        .store()
        .read(move |tx| {
            let tree = tree.clone();
            Box::pin(async move {
                let settings = projects::proof_settings(tx, id).await?;
                Ok::<_, Problem>((Footing::read(tx, id, tree.as_ref()).await?, settings))
            })
        })
        .await?;
    let ground =
        Ground { tree: bound.tree.as_ref(), today: engine.now().day(), settings: &settings, accepted: &accepted };
    let standings = footing.standings(&ground);
    let requirements = footing.requirements.iter().map(|kept| &kept.requirement);

    let changed = changed(repository, config).await?;
    let maps = &project_config.proof.scope;
    let changes = match &changed {
        Ok(files) => Changes::of(files.iter().map(String::as_str), maps),
        Err(_) => Changes::unknown(maps),
    };
    let candidates = requirements.clone().zip(&standings);
    let candidates = candidates.map(|(requirement, standing)| Candidate { requirement, standing });
    let mut selection = select(config, candidates, |gate| is_enabled(&settings, gate), &changes);
    selection.notes.extend(changed.err());
    let inputs = inputs(&selection.gates, requirements);
    Ok((inputs, Some(selection)))
}

/// The files that differ from the base, or why that cannot be found out (P14). A base that was named
/// and is not there is refused.
async fn changed(repository: &Repository, config: &ProofRunConfig) -> Result<Result<Vec<String>, String>, Problem> {
    let base = match &config.base {
        Some(base) => Some(repository.resolve(base.as_str()).await?),
        None => match repository.default_branch().await? {
            Some(branch) => repository.resolve(&branch).await.ok(),
            None => None,
        },
    };
    let Some(base) = base else {
        return Ok(Err("there is no base to compare with, so everything is in scope".to_owned()));
    };
    let head = repository.head().await?.commit;
    let fork = repository.merge_base(&base, &head).await?.unwrap_or(base);
    Ok(match repository.changed_since(&fork).await {
        Ok(changes) => Ok(changes.into_iter().map(|change| change.path).collect()),
        Err(error) => Err(format!("the changes could not be found out ({error}), so everything is in scope")),
    })
}

/// Collects distinct commands (P30).
struct Planner<'a> {
    commands: Vec<PlannedTask>,
    places: HashMap<Digest, usize>,
    bound: &'a Bound,
    run: &'a Run,
}

impl Planner<'_> {
    fn gate(&mut self, input: GateInput, tree: &dyn Tree, tools: &Tools, catalogue: &Catalogue) -> PlannedGate {
        let gate = catalogue.gates.iter().find(|gate| *gate.name() == input.gate);
        let plans = input.rules.iter().map(|rule| self.rule(rule, gate, tree, tools, catalogue)).collect();
        PlannedGate {
            requirement: input.requirement,
            title: input.title,
            gate: input.gate,
            rules: input.rules,
            plans,
            definition: gate.map(|gate| gate.definition.digest()),
            review: gate.is_some_and(Gate::is_review),
            checklist: gate.map(|gate| gate.definition.checklist.clone()).unwrap_or_default(),
        }
    }

    fn rule(
        &mut self,
        rule: &Rule,
        gate: Option<&Gate>,
        tree: &dyn Tree,
        tools: &Tools,
        catalogue: &Catalogue,
    ) -> Result<Vec<usize>, Unplanned> {
        let Some(gate) = gate else {
            let message = "proofhouse.toml no longer declares this gate";
            return Err(runners::unplanned(Reason::NoRunner, message));
        };
        if gate.is_review() {
            return Ok(Vec::new());
        }
        let ask = Ask { tree, tools, found: None, gate: &gate.definition, rule };
        let planned = runners::plan(&ask, &catalogue.found)?;
        Ok(planned.into_iter().map(|planned| self.place(planned, gate)).collect())
    }

    fn place(&mut self, planned: PlannedCommand, gate: &Gate) -> usize {
        let definition = &gate.definition;
        let task = PlannedTask {
            cost_micro_usd: definition.cost_micro_usd,
            ..self.task(planned, definition.exclusive, definition.repeat, &definition.env)
        };
        let place = *self.places.entry(task.digest).or_insert(self.commands.len());
        match self.commands.get_mut(place) {
            None => self.commands.push(task),
            Some(known) => {
                known.exclusive |= task.exclusive;
                known.repeat &= task.repeat;
                // One process for all of them: it costs what the dearest says.
                known.cost_micro_usd = known.cost_micro_usd.max(task.cost_micro_usd);
                known.planned.tests.extend(task.planned.tests);
            }
        }
        place
    }

    /// A command with the digest over everything that can change its end.
    fn task(&self, planned: PlannedCommand, exclusive: bool, repeat: bool, names: &[String]) -> PlannedTask {
        let mut env = Fields::tagged("planned-environment/1");
        for (name, value) in &planned.env {
            env.text(name).text(value);
        }
        for name in names {
            env.text(name);
        }
        let unknown = self.run.id.to_string();
        let digest = CommandIdentity {
            argv: &planned.argv,
            cwd: &planned.cwd,
            env_digest: env.finish(),
            runner: &planned.runner,
            parser: planned.parser.kind,
            results: planned.parser.path.as_deref(),
            timeout_s: planned.timeout_s,
            tree: self.bound.tree.as_ref().map_or(unknown.as_str(), |tree| tree.as_str()),
        }
        .digest();
        PlannedTask { planned, digest, exclusive, repeat, env: names.to_vec(), cost_micro_usd: None }
    }
}
