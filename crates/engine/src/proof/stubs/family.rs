//! In which language, and where, the stubs of a runner are written: read from a listing of the tree.

use model::proof::requirement::Scope;

use super::below;

/// A tree, as far as stubs need it.
pub trait Listing {
    /// Every file, relative, sorted.
    fn files(&self) -> &[String];
    /// A small file's text.
    fn read(&self, path: &str) -> Option<String>;
}

/// What writes Python tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PythonTool {
    /// pytest.
    Pytest,
    /// The standard library.
    Unittest,
}

/// What writes Node tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeTool {
    /// vitest.
    Vitest,
    /// jest.
    Jest,
    /// `node --test`.
    NodeTest,
    /// Playwright, with its test folder.
    Playwright {
        /// Relative to the repository.
        folder: String,
    },
}

/// Where and how stubs are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Family {
    /// A file of `tests/` in a package.
    Rust {
        /// The package's folder; the root is empty.
        package: String,
    },
    /// A module of `tests/req_0007/`.
    Python {
        /// The project's folder.
        root: String,
        /// Its tool.
        tool: PythonTool,
    },
    /// A file of `tests/req-0007/`.
    Node {
        /// The folder of the package.json.
        root: String,
        /// Its tool.
        tool: NodeTool,
        /// Whether it is written in TypeScript.
        typescript: bool,
    },
    /// A file beside the package's others.
    Go {
        /// Its folder.
        folder: String,
        /// Its package clause.
        package: String,
    },
}

impl Family {
    /// The prefix of a test's name (P7).
    pub const fn prefix(&self) -> &'static str {
        match self {
            Self::Python { .. } => "test_",
            Self::Go { .. } => "Test",
            Self::Rust { .. } | Self::Node { .. } => "",
        }
    }

    /// The family of a runner in this tree; none where it has no tests of its own language. `scope` says
    /// what the requirement is about: of several packages, the one that holds it is taken. `pytest` says
    /// whether pytest can be imported.
    pub fn of(runner: &str, gate: &str, tree: &dyn Listing, scope: &Scope, pytest: bool) -> Option<Self> {
        match runner {
            "rust" => rust(tree, scope),
            "python" => {
                let manifests = ["pyproject.toml", "setup.py", "setup.cfg", "pytest.ini"];
                let root = nearest(&folders_with(tree, &manifests), scope).unwrap_or_default();
                let tool = if pytest { PythonTool::Pytest } else { PythonTool::Unittest };
                Some(Self::Python { root, tool })
            }
            "node" => node(gate, tree, scope),
            "go" => go(tree, scope),
            _ => None,
        }
    }
}

/// Folders of files with one of these names, outermost first.
fn folders_with(tree: &dyn Listing, names: &[&str]) -> Vec<String> {
    let mut folders: Vec<String> = tree
        .files()
        .iter()
        .filter_map(|file| {
            let (folder, name) = file.rsplit_once('/').unwrap_or(("", file));
            let foreign = folder.split('/').any(|part| matches!(part, "node_modules" | "vendor" | "target" | ".venv"));
            (names.contains(&name) && !foreign).then(|| folder.to_owned())
        })
        .collect();
    folders.sort_by_key(|folder| (folder.is_empty(), folder.matches('/').count(), folder.clone()));
    folders.sort_by_key(|folder| if folder.is_empty() { 0 } else { 1 + folder.matches('/').count() });
    folders.dedup();
    folders
}

/// Of several folders, the innermost that holds a file of the scope, else the outermost.
fn nearest(folders: &[String], scope: &Scope) -> Option<String> {
    let holds = |folder: &&String| {
        folder.is_empty() || scope.files.iter().any(|file| file.starts_with(&format!("{folder}/")) || file == *folder)
    };
    folders.iter().filter(holds).max_by_key(|folder| folder.len()).or(folders.first()).cloned()
}

fn rust(tree: &dyn Listing, scope: &Scope) -> Option<Family> {
    let packages: Vec<String> = folders_with(tree, &["Cargo.toml"])
        .into_iter()
        .filter(|folder| {
            let manifest = tree.read(&below(folder, "Cargo.toml")).unwrap_or_default();
            let manifest: toml::Table = toml::from_str(&manifest).unwrap_or_default();
            let package = manifest.get("package").and_then(toml::Value::as_table);
            // A package that lists its tests by hand would not see a new file.
            package.is_some_and(|package| package.get("autotests").and_then(toml::Value::as_bool) != Some(false))
        })
        .collect();
    nearest(&packages, scope).map(|package| Family::Rust { package })
}

fn node(gate: &str, tree: &dyn Listing, scope: &Scope) -> Option<Family> {
    let root = nearest(&folders_with(tree, &["package.json"]), scope)?;
    let manifest = tree.read(&below(&root, "package.json")).unwrap_or_default();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap_or_default();
    let depends = |name: &str| {
        ["dependencies", "devDependencies"].iter().any(|list| manifest.get(list).and_then(|it| it.get(name)).is_some())
    };
    let has = |name: &str| tree.files().binary_search(&below(&root, name)).is_ok();
    let config = ["playwright.config.ts", "playwright.config.js", "playwright.config.mjs", "playwright.config.mts"];
    let config = config.iter().copied().find(|name| has(name)).filter(|_| depends("@playwright/test"));
    let tool = match config {
        Some(config) if matches!(gate, "e2e" | "visual" | "a11y") => {
            let text = tree.read(&below(&root, config)).unwrap_or_default();
            let folder = test_folder(&text).unwrap_or_else(|| "e2e".to_owned());
            NodeTool::Playwright { folder: below(&root, &folder) }
        }
        _ if depends("vitest") => NodeTool::Vitest,
        _ if depends("jest") => NodeTool::Jest,
        _ => NodeTool::NodeTest,
    };
    // Node cannot run TypeScript by itself, and jest only where it was taught to.
    let typescript = match tool {
        NodeTool::Vitest | NodeTool::Playwright { .. } => true,
        NodeTool::Jest => depends("ts-jest") || depends("@swc/jest"),
        NodeTool::NodeTest => false,
    };
    Some(Family::Node { root, tool, typescript })
}

/// `testDir: './e2e'` of a Playwright configuration, when it is that plain.
fn test_folder(config: &str) -> Option<String> {
    let rest = &config[config.find("testDir")? + "testDir".len()..];
    let rest = rest.trim_start().strip_prefix(':')?.trim_start();
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let text = rest[1..].split(quote).next()?;
    model::proof::places::inside(text).map(|path| path.trim_end_matches('/').to_owned()).filter(|path| !path.is_empty())
}

fn go(tree: &dyn Listing, scope: &Scope) -> Option<Family> {
    let module = nearest(&folders_with(tree, &["go.mod"]), scope)?;
    let source = |folder: &str| {
        tree.files().iter().find(|file| {
            let (own, name) = file.rsplit_once('/').unwrap_or(("", file));
            own == folder && name.ends_with(".go") && !name.ends_with("_test.go")
        })
    };
    let package = source(&module).and_then(|file| tree.read(file)).and_then(|text| {
        let clause = text.lines().find_map(|line| line.strip_prefix("package "))?;
        let name = clause.split(|c: char| !(c.is_alphanumeric() || c == '_')).next()?;
        (!name.is_empty()).then(|| name.to_owned())
    });
    Some(Family::Go { folder: module, package: package.unwrap_or_else(|| "proof".to_owned()) })
}
