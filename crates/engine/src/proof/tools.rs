//! What programs the machine has: looked up on PATH, and Python modules by asking the interpreter. Asked
//! rarely: the answers are kept for a minute.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::Mutex,
    time::{Duration, Instant},
};

use exec::environment::Environment;

use super::{
    Proof, locked,
    runners::{self, PROGRAMS, PlannedCommand, Tools, Tree, interpreters},
};
/// Answers by what was asked.
pub type Cache = Mutex<BTreeMap<String, (Instant, Vec<String>)>>;

const KEPT: Duration = Duration::from_secs(60);

/// Which of the programs that runners use are on PATH.
fn programs() -> Tools {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = std::env::split_paths(&path).collect();
    let there = PROGRAMS.iter().filter(|name| folders.iter().any(|folder| folder.join(name).is_file()));
    Tools(there.map(|name| ((*name).to_owned(), String::new())).collect())
}

impl Proof {
    /// The machine's tools, and the modules of the interpreters that a tree would use.
    pub async fn tools(&self, tree: &dyn TreeSync, root: &Path) -> Tools {
        let mut tools = programs();
        for interpreter in interpreters(tree.as_tree(), &tools) {
            let program = interpreter.replace("{repo}", &root.to_string_lossy());
            for module in self.modules(&program).await {
                tools.0.insert(format!("{interpreter}:{module}"), String::new());
            }
        }
        tools
    }

    async fn modules(&self, program: &str) -> Vec<String> {
        if let Some((at, modules)) = locked(&self.tools).get(program)
            && at.elapsed() < KEPT
        {
            return modules.clone();
        }
        let ask = "import importlib.util as u\nfor m in ('pytest','ruff','mypy','bandit'):\n  \
                   print(m if u.find_spec(m) else '')";
        let mut command = exec::run::Command::new([program, "-I", "-c", ask], "/");
        command.env = exec::environment::inherited()
            .into_iter()
            .filter(|(name, _)| matches!(name.as_str(), "PATH" | "HOME" | "PYENV_ROOT" | "PYENV_VERSION" | "LANG"))
            .collect();
        command.timeout = Duration::from_secs(20);
        let end = exec::run::run(command).await;
        let modules: Vec<String> =
            end.output.text().lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
        let modules = match end.outcome {
            exec::run::Outcome::Exited { code: 0 } => modules,
            _ => Vec::new(),
        };
        locked(&self.tools).insert(program.to_owned(), (Instant::now(), modules.clone()));
        modules
    }

    /// What the tool behind a command says of its version; asked once per process.
    pub async fn version_of(
        &self,
        planned: &PlannedCommand,
        environment: &Environment,
        folder: &Path,
    ) -> Option<String> {
        let ask = runners::named(&planned.runner)?.version(&planned.argv);
        if planned.runner == "command" || ask.is_empty() || ask.iter().any(|word| word.contains('{')) {
            return None;
        }
        let key = ask.join(" ");
        if let Some(known) = locked(&self.versions).get(&key) {
            return known.clone();
        }
        let mut command = exec::run::Command::new(ask, folder);
        command.env = environment.variables().clone();
        command.timeout = Duration::from_secs(20);
        let end = exec::run::run(command).await;
        let version = match end.outcome {
            exec::run::Outcome::Exited { code: 0 } => {
                end.output.text().lines().next().map(|line| line.chars().take(200).collect::<String>())
            }
            _ => None,
        };
        locked(&self.versions).insert(key, version.clone());
        version
    }
}

/// A tree that may be looked at across an await.
pub trait TreeSync: Sync {
    /// The tree.
    fn as_tree(&self) -> &dyn Tree;
}

impl<T: Tree + Sync> TreeSync for T {
    fn as_tree(&self) -> &dyn Tree {
        self
    }
}
