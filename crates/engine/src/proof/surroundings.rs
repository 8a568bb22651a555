//! What capturing has to know of a project: its gates, what lies in its checkout, its requirements.
//!
//! Read once per request and then only looked at. A checkout that is out of reach leaves the standard
//! catalogue: a capture is never lost because a folder was moved (P9).

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use exec::git::{FileText, GitError, Repository};
use model::{
    limits,
    problem::Problem,
    project::Project,
    proof::{
        capture::{GateFacts, Surroundings},
        config::{FILE, ProjectConfig},
        gate::{self, Gate, GateName},
        requirement::{Requirement, RequirementNumber, Rule, RuleHow, RuleId, Scope},
        stub::StubAnswer,
        verdict::Reason,
    },
};

use super::{
    runners::{self, Ask, Found, Tools, Tree},
    stubs::{self, Family, Listing, Stub, write},
    target,
};
use crate::{Engine, projects};

/// The largest manifest that is read.
const MANIFEST: u64 = 1 << 20;

/// A checkout, as far as its files and manifests matter.
struct Checkout {
    repository: Repository,
    files: Vec<String>,
}

impl Checkout {
    async fn open(path: &Path) -> Result<Self, GitError> {
        let repository = Repository::open(path).await?;
        let files = repository.files().await?;
        Ok(Self { repository, files })
    }

    fn text(&self, path: &str) -> Option<String> {
        match self.repository.read(path, MANIFEST) {
            Ok(FileText::Bytes(bytes)) => String::from_utf8(bytes).ok(),
            Ok(_) | Err(_) => None,
        }
    }

    fn config(&self) -> Result<ProjectConfig, Problem> {
        target::config(self.repository.read(FILE, limits::CONFIG_FILE)?)
    }
}

impl Listing for Checkout {
    fn files(&self) -> &[String] {
        &self.files
    }
    fn read(&self, path: &str) -> Option<String> {
        self.text(path)
    }
}

impl Tree for Checkout {
    fn files(&self) -> &[String] {
        &self.files
    }
    fn read(&self, path: &str) -> Option<String> {
        self.text(path)
    }
    fn exists(&self, path: &str) -> bool {
        self.repository.root().join(path).exists()
    }
}

/// The project around a requirement.
pub struct Around {
    gates: Vec<Gate>,
    found: Vec<Found>,
    tools: Tools,
    checkout: Option<Checkout>,
    known: HashSet<RequirementNumber>,
}

/// A project's gates, resolved from its checkout where that is in reach.
///
/// # Errors
/// [`Code::ConfigInvalid`]: what is written in the file is never guessed around (P61).
pub async fn gates(engine: &Engine, project: &Project) -> Result<Vec<Gate>, Problem> {
    Ok(Around::of(engine, project, &[]).await?.gates)
}

impl Around {
    /// Looks at a project. `asked` are requirements that a request names; which of them exist is kept.
    ///
    /// # Errors
    /// [`Code::ConfigInvalid`], and what the store says.
    pub async fn of(engine: &Engine, project: &Project, asked: &[RequirementNumber]) -> Result<Self, Problem> {
        let checkout = Checkout::open(Path::new(&project.path)).await.ok();
        let config = checkout.as_ref().map_or_else(|| Ok(ProjectConfig::default()), Checkout::config)?;
        let (id, asked) = (project.id, asked.to_vec());
        let (settings, known) = engine
            .store()
            .read(move |tx| {
                let asked = asked.clone();
                Box::pin(async move {
                    let settings = projects::proof_settings(tx, id).await?;
                    let known = match asked.as_slice() {
                        [] => Vec::new(),
                        asked => tx.requirements_existing(id, asked).await?,
                    };
                    Ok::<_, Problem>((settings, known))
                })
            })
            .await?;
        let (tools, (found, detected)) = match &checkout {
            Some(checkout) => {
                let tools = engine.proof().tools(checkout, checkout.repository.root()).await;
                let detected = runners::detect(checkout, &tools);
                (tools, detected)
            }
            None => Default::default(),
        };
        let gates = gate::resolve(&config.proof.gates, &settings, &detected);
        Ok(Self { gates, found, tools, checkout, known: known.into_iter().collect() })
    }

    /// The project's gates, in their order.
    pub fn gates(&self) -> &[Gate] {
        &self.gates
    }

    /// The stubs of a requirement.
    pub fn stubs(&self, requirement: &Requirement) -> Vec<Stub> {
        stubs::stubs(requirement, &self.gates, |runner, gate| self.family(runner, gate, &requirement.scope))
    }

    /// Where stubs can be written.
    pub fn root(&self) -> Option<PathBuf> {
        self.checkout.as_ref().map(|checkout| checkout.repository.root().to_owned())
    }

    /// What would become of a requirement's stubs: which are there, which are not.
    pub fn stubs_seen(&self, requirement: &Requirement) -> Vec<StubAnswer> {
        let mut answers = write::planned(&self.stubs(requirement));
        for answer in &mut answers {
            if self.root().is_some_and(|root| root.join(&answer.path).symlink_metadata().is_ok()) {
                answer.state = model::proof::stub::StubState::Exists;
            }
        }
        answers
    }

    /// Writes those of a requirement's stubs that are not there (P9).
    pub async fn write_stubs(&self, requirement: &Requirement) -> Vec<StubAnswer> {
        let stubs = self.stubs(requirement);
        let Some(root) = self.root() else { return write::planned(&stubs) };
        let planned = write::planned(&stubs);
        // A writer that died leaves everything planned: `proofhouse proof stubs --write` tries again.
        tokio::task::spawn_blocking(move || write::write(&root, &stubs)).await.unwrap_or(planned)
    }

    fn family(&self, runner: Option<&str>, gate: &GateName, scope: &Scope) -> Option<Family> {
        let checkout = self.checkout.as_ref()?;
        let own;
        let runners = match runner {
            Some(runner) => {
                own = [runner.to_owned()];
                &own[..]
            }
            None => &self.gates.iter().find(|known| known.name() == gate)?.definition.runners,
        };
        let pytest = self.found.iter().filter(|found| found.runner == "python").any(|found| {
            found.gates.values().any(|facts| facts.get("module").is_some_and(|module| module == "pytest"))
        });
        runners.iter().find_map(|runner| Family::of(runner, gate.as_str(), checkout, scope, pytest))
    }

    /// Whether a runner of a gate can prove one test alone.
    fn selects(&self, gate: &Gate, runner: &str) -> bool {
        let (Some(tree), Some(family)) = (&self.checkout, runners::named(runner)) else { return true };
        let rule = Rule {
            id: RuleId::from_text("probe"),
            how: RuleHow::Test,
            runner: Some(runner.to_owned()),
            test: Some("probe".to_owned()),
            must_pass: true,
        };
        let found = self.found.iter().find(|found| found.runner == runner);
        let ask = Ask { tree, tools: &self.tools, found, gate: &gate.definition, rule: &rule };
        family.plan(&ask).err().is_none_or(|refused| refused.reason != Reason::CannotSelect)
    }
}

impl Surroundings for Around {
    fn gate(&self, name: &GateName) -> Option<GateFacts> {
        let gate = self.gates.iter().find(|gate| gate.name() == name)?;
        let runners = &gate.definition.runners;
        let runner = runners.iter().find(|runner| self.selects(gate, runner));
        let family = runner.and_then(|runner| self.family(Some(runner), name, &Scope::default()));
        Some(GateFacts {
            review: gate.is_review(),
            enabled: gate.enabled,
            runner: runner.cloned(),
            prefix: family.as_ref().map_or("", Family::prefix),
            suite_only: !runners.is_empty() && runner.is_none(),
        })
    }

    fn in_tree(&self, path: &str) -> bool {
        let Some(checkout) = &self.checkout else { return false };
        let path = path.trim_end_matches('/');
        let folder = format!("{path}/");
        let at = checkout.files.partition_point(|file| file.as_str() < folder.as_str());
        checkout.files.binary_search_by(|file| file.as_str().cmp(path)).is_ok()
            || checkout.files.get(at).is_some_and(|file| file.starts_with(&folder))
    }

    fn has_requirement(&self, id: RequirementNumber) -> bool {
        self.known.contains(&id)
    }
}
