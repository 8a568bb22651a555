//! What a path says about itself, before anybody looks at a tree.

use super::Reason;

/// Bytes of a path.
const PATH: usize = 1_024;
/// Bytes of one of its parts.
const PART: usize = 255;

/// The first thing that is wrong with the form of a path.
pub(super) fn refused(path: &str) -> Option<Reason> {
    let parts = || path.split('/');
    let drive = {
        let bytes = path.as_bytes();
        bytes.len() >= 2 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':'
    };
    let absolute = path.starts_with('/');
    // The empty first part of `/x` is told as what it is.
    let relative = path.trim_start_matches('/');
    let bad = path.len() > PATH
        || path.chars().any(|c| c.is_control() || c == '\\')
        || relative.split('/').any(|part| part.is_empty() || part == "." || part.len() > PART);
    if bad {
        Some(Reason::BadPath)
    } else if absolute || drive {
        Some(Reason::Absolute)
    } else if parts().any(|part| part == "..") {
        Some(Reason::Traversal)
    } else if parts().any(could_be_git) {
        Some(Reason::GitDir)
    } else {
        None
    }
}

/// Whether some file system takes this name for `.git`: another case, trailing dots and spaces, a short name, a
/// stream, or characters that are not looked at.
pub fn could_be_git(part: &str) -> bool {
    let seen: String = part.chars().filter(|c| !is_ignorable(*c)).flat_map(char::to_lowercase).collect();
    let seen = seen.split(':').next().unwrap_or_default();
    let seen = seen.trim_end_matches(['.', ' ']);
    let short = |rest: &str| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit());
    seen == ".git" || seen.strip_prefix("git~").is_some_and(short)
}

/// Characters that HFS+ and others leave out when they compare names.
const fn is_ignorable(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}')
}

/// Names that decide what is executed where: continuous integration, hooks, editor tasks, lock files, shell start files.
const NAMES: &[&str] = &[
    ".gitlab-ci.yml",
    ".travis.yml",
    "azure-pipelines.yml",
    "bitbucket-pipelines.yml",
    "jenkinsfile",
    ".drone.yml",
    ".cirrus.yml",
    "appveyor.yml",
    ".pre-commit-config.yaml",
    "lefthook.yml",
    "lefthook.yaml",
    ".lintstagedrc",
    ".gitmodules",
    ".gitattributes",
    ".npmrc",
    ".yarnrc",
    ".yarnrc.yml",
    ".envrc",
    ".bashrc",
    ".bash_profile",
    ".profile",
    ".zshrc",
    ".zshenv",
    ".zprofile",
    ".mcp.json",
    "cargo.lock",
    "package-lock.json",
    "npm-shrinkwrap.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "bun.lockb",
    "uv.lock",
    "poetry.lock",
    "pipfile.lock",
    "composer.lock",
    "gemfile.lock",
    "go.sum",
    "flake.lock",
];
/// Folders of the same.
const FOLDERS: &[&str] = &[
    ".github",
    ".circleci",
    ".buildkite",
    ".husky",
    ".githooks",
    ".vscode",
    ".idea",
    ".devcontainer",
    ".cargo",
    ".claude",
];

/// Whether a reviewer should look twice at a change of this file (D47).
pub fn is_sensitive(path: &str) -> bool {
    let path = path.to_lowercase();
    let mut parts = path.split('/').rev();
    let name = parts.next().unwrap_or_default();
    NAMES.contains(&name) || parts.any(|folder| FOLDERS.contains(&folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    // D42: the form alone, first match wins.
    #[test]
    fn paths_are_refused_by_their_form() {
        use Reason::{Absolute, BadPath, GitDir, Traversal};
        let long = "a".repeat(256);
        let deep = "a/".repeat(512) + "a";
        let table: &[(&str, Option<Reason>)] = &[
            ("a", None),
            ("a/b.c", None),
            ("..a", None),
            ("a/..b/c", None),
            ("...", None),
            (".gitignore", None),
            (".github/x", None),
            ("git~x", None),
            ("a\u{1f600}", None),
            ("a\\b", Some(BadPath)),
            ("a//b", Some(BadPath)),
            ("a/", Some(BadPath)),
            ("./a", Some(BadPath)),
            ("a\nb", Some(BadPath)),
            ("a\0b", Some(BadPath)),
            (&long, Some(BadPath)),
            (&deep, Some(BadPath)),
            ("../a\u{7}", Some(BadPath)),
            ("/", Some(BadPath)),
            ("/etc/passwd", Some(Absolute)),
            ("C:/x", Some(Absolute)),
            ("c:x", Some(Absolute)),
            ("/../a", Some(Absolute)),
            ("..", Some(Traversal)),
            ("a/../b", Some(Traversal)),
            ("../.git/x", Some(Traversal)),
            (".git/hooks/x", Some(GitDir)),
            ("a/.GIT", Some(GitDir)),
            (".git. /x", Some(GitDir)),
            ("GIT~1/x", Some(GitDir)),
            (".g\u{200c}it/config", Some(GitDir)),
            (".git::$INDEX_ALLOCATION/x", Some(GitDir)),
        ];
        for (path, reason) in table {
            assert_eq!(refused(path), *reason, "{path:?}");
        }
    }

    // D47
    #[test]
    fn what_decides_what_runs_is_sensitive() {
        for path in [
            ".github/workflows/ci.yml",
            "web/package-lock.json",
            "Jenkinsfile",
            ".husky/pre-commit",
            "x/.vscode/tasks.json",
            ".bashrc",
            "Cargo.lock",
        ] {
            assert!(is_sensitive(path), "{path}");
        }
        for path in ["src/main.rs", "docs/github/x.md", "lock.rs", "package.json"] {
            assert!(!is_sensitive(path), "{path}");
        }
    }
}
