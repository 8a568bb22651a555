//! Binds a run to its files, reads their configuration, and plans the distinct commands of its gates.

use std::{collections::HashMap, path::Path, sync::Arc};

use exec::git::Repository;
use model::{
    code::Code,
    digest::{Digest, Fields},
    failure::{Failure, FailureCode},
    problem::Problem,
    proof::{
        evidence::CommandIdentity,
        gate::Gate,
        judge::Unplanned,
        requirement::{Requirement, Rule},
        run::{Mode, ProofRunConfig, Target},
        scope::Changes,
        selection::{Candidate, SelectedGate, Selection, select},
        settings::ProofSettings,
        verdict::Reason,
    },
    run::Run,
};
use serde_json::json;

use super::{
    Proof,
    kind::{gate_list, is_enabled, read},
    runners::{self, Ask, PlannedCommand, Tools, Tree},
    state::{Bound, GateInput, Plan, PlannedGate, PlannedTask, SelectOutput},
    target::{self, Catalogue},
    worth::{self, Worth},
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
            None => return Outcome::Failed { failure: Failure::new(FailureCode::Internal, problem.to_string()) },
        },
    };
    match serde_json::to_value(selected) {
        Ok(output) => Outcome::Done { output },
        Err(error) => Outcome::Failed { failure: Failure::new(FailureCode::Internal, error.to_string()) },
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
    let (bound, tree, catalogue, tools) = {
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
        (bound, (tree, config), catalogue, tools)
    };
    let (tree, project_config) = tree;
    let (gates, selection) = chosen(engine, &run, &config, &repository, &project_config, &bound).await?;
    let mut planner = Planner { commands: Vec::new(), places: HashMap::new(), bound: &bound };
    let mut planned = Vec::with_capacity(gates.len());
    for gate in gates {
        planned.push(planner.gate(gate, &tree, &tools, &catalogue, &run));
    }
    let commands = planner.commands;
    Ok(Plan {
        definitions: catalogue.definitions(),
        gates: planned,
        commands,
        prepare: None,
        diagnostics: selection.as_ref().map_or(run.detail["diagnostics"].clone(), |own| json!(own.diagnostics)),
        empty_reason: match &selection {
            Some(own) => own.empty_reason.map(|reason| json!(reason).as_str().unwrap_or_default().to_owned()),
            None => run.detail["empty_reason"].as_str().map(str::to_owned),
        },
        message: selection.as_ref().map(|own| own.message.clone()),
        notes: selection.map(|own| own.notes).unwrap_or_default(),
        bound,
    })
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
    config: &ProofRunConfig,
    repository: &Repository,
    project_config: &model::proof::config::ProjectConfig,
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
    let (project, now) = (run.project, engine.now());
    let tree = bound.tree.as_ref().map(ToString::to_string);
    let (all, settings) = engine
        .store()
        .read(move |tx| {
            let _ = &tree;
            Box::pin(async move {
                let settings = projects::proof_settings(tx, project).await?;
                Ok::<_, Problem>((worth::all(tx, project, now).await?, settings))
            })
        })
        .await?;
    let mut note = None;
    let base = match &config.base {
        Some(base) => Some(repository.resolve(base.as_str()).await?),
        None => match repository.default_branch().await? {
            Some(branch) => repository.resolve(&branch).await.ok(),
            None => None,
        },
    };
    let files: Option<Vec<String>> = match base {
        Some(base) => {
            let head = repository.head().await?.commit;
            let fork = repository.merge_base(&base, &head).await?.unwrap_or(base);
            match repository.changed_since(&fork).await {
                Ok(changes) => Some(changes.into_iter().map(|change| change.path).collect()),
                Err(error) => {
                    note = Some(format!("the changes could not be found out ({error}), so everything is in scope"));
                    None
                }
            }
        }
        None => {
            note = Some("there is no base to compare with, so everything is in scope".to_owned());
            None
        }
    };
    let maps = &project_config.proof.scope;
    let changes = match &files {
        Some(files) => Changes::of(files.iter().map(String::as_str), maps),
        None => Changes::unknown(maps),
    };
    let candidates = all.iter().map(|Worth { requirement, standing, .. }| Candidate { requirement, standing });
    let mut selection = select(config, candidates, |gate| is_enabled(&settings, gate), &changes);
    selection.notes.extend(note);
    let inputs = selection.gates.iter().filter_map(|gate| input_of(gate, &all)).collect();
    Ok((inputs, Some(selection)))
}

fn input_of(selected: &SelectedGate, all: &[Worth]) -> Option<GateInput> {
    let requirement: &Requirement =
        all.iter().map(|worth| &worth.requirement).find(|own| own.id == selected.requirement)?;
    let obligation = requirement.obligation(&selected.gate)?;
    Some(GateInput {
        requirement: requirement.id,
        gate: selected.gate.clone(),
        rules: obligation.rules.clone(),
        plans: Vec::new(),
        definition: None,
        checklist: Vec::new(),
    })
}

/// Collects distinct commands (P30).
struct Planner<'a> {
    commands: Vec<PlannedTask>,
    places: HashMap<Digest, usize>,
    bound: &'a Bound,
}

impl Planner<'_> {
    fn gate(
        &mut self,
        input: GateInput,
        tree: &dyn Tree,
        tools: &Tools,
        catalogue: &Catalogue,
        run: &Run,
    ) -> PlannedGate {
        let gate = catalogue.gates.iter().find(|gate| *gate.name() == input.gate);
        let plans = input.rules.iter().map(|rule| self.rule(rule, gate, tree, tools, catalogue, run)).collect();
        PlannedGate {
            requirement: input.requirement,
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
        run: &Run,
    ) -> Result<Vec<usize>, Unplanned> {
        let Some(gate) = gate else {
            let message = "proofhouse.toml no longer declares this gate";
            return Err(runners::unplanned(Reason::NoRunner, message));
        };
        if gate.is_review() {
            return Ok(Vec::new());
        }
        if gate.definition.cost_micro_usd.is_some() {
            let message = "the gate declares a cost, and this version keeps no budget to reserve it from";
            return Err(runners::unplanned(Reason::Budget, message));
        }
        let ask = Ask { tree, tools, found: None, gate: &gate.definition, rule };
        let planned = runners::plan(&ask, &catalogue.found)?;
        Ok(planned.into_iter().map(|planned| self.place(planned, gate, run)).collect())
    }

    fn place(&mut self, planned: PlannedCommand, gate: &Gate, run: &Run) -> usize {
        let mut env = Fields::tagged("planned-environment/1");
        for (name, value) in &planned.env {
            env.text(name).text(value);
        }
        for name in &gate.definition.env {
            env.text(name);
        }
        let unknown = run.id.to_string();
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
        let place = *self.places.entry(digest).or_insert(self.commands.len());
        if place == self.commands.len() {
            self.commands.push(PlannedTask {
                planned,
                digest,
                exclusive: gate.definition.exclusive,
                repeat: gate.definition.repeat,
                env: gate.definition.env.clone(),
            });
        } else if let Some(known) = self.commands.get_mut(place) {
            known.exclusive |= gate.definition.exclusive;
            known.repeat &= gate.definition.repeat;
            known.planned.tests.extend(planned.tests);
        }
        place
    }
}
