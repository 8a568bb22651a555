//! The verdict on each entry (D42).

use std::collections::{BTreeMap, BTreeSet};

use globset::{Glob, GlobMatcher};
use regex::bytes::Regex;

use super::{Entry, Reason, path};
use crate::policy::{ANY_REPO, Policy, Symlinks};

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Node {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link, wherever it leads.
    Link,
    /// Another repository: a submodule, or a folder with a `.git` of its own.
    Repository,
    /// A device, a socket, a pipe.
    Other,
}

/// The tree that a change is judged against.
pub trait Ground {
    /// What stands at this path, itself; links are not followed.
    fn node(&self, path: &str) -> Option<Node>;
    /// The contents of a file, to see what a change adds; none when that is not known.
    fn contents(&self, path: &str) -> Option<Vec<u8>>;
    /// Whether all that lies below a folder is among these paths.
    fn is_emptied(&self, folder: &str, gone: &BTreeSet<String>) -> bool;
    /// Whether git ignores the path.
    fn is_ignored(&self, path: &str) -> bool;
    /// Whether a person has changes there that a write would destroy.
    fn is_dirty(&self, path: &str) -> bool;
}

/// What may be changed, and how much: the policy, narrowed by a role (D33).
pub struct Rules {
    allowed: Vec<Vec<String>>,
    /// One that could not be built denies everything.
    denied: Vec<(String, Option<GlobMatcher>)>,
    content: Vec<Option<Regex>>,
    allow_delete: bool,
    inner_links: bool,
    max_files: u32,
    max_file_bytes: u64,
    max_change_bytes: u64,
}

impl Rules {
    /// The rules for a repository of a project. A role narrows what the policy allows and never widens it.
    pub fn of(policy: &Policy, repo: Option<&str>, role_paths: Option<&[String]>, allow_delete: bool) -> Self {
        let own = repo.and_then(|repo| policy.allowed_paths.get(repo));
        let mut allowed = vec![own.or_else(|| policy.allowed_paths.get(ANY_REPO)).cloned().unwrap_or_default()];
        allowed.extend(role_paths.map(<[String]>::to_vec));
        let matcher = |glob: &str| Glob::new(glob).ok().map(|glob| glob.compile_matcher());
        let denied = policy.denied_paths.iter().map(|glob| (glob.clone(), matcher(glob)));
        let content = policy.denied_content.iter().map(|text| Regex::new(text).ok());
        Self {
            allowed,
            denied: denied.collect(),
            content: content.collect(),
            allow_delete,
            inner_links: policy.symlinks == Symlinks::Inside,
            max_files: policy.max_changed_files,
            max_file_bytes: policy.max_file_bytes,
            max_change_bytes: policy.max_change_bytes,
        }
    }

    fn refuses(&self, path: &str) -> Option<String> {
        // The plane's own folder says how the project is proven and who does its work (X52).
        if path.split('/').next().is_some_and(|top| top.eq_ignore_ascii_case(".proofhouse")) {
            return Some(".proofhouse/ is never changed by a run".to_owned());
        }
        for (place, list) in self.allowed.iter().enumerate() {
            if !list.iter().any(|prefix| covers(prefix, path)) {
                let who = if place == 0 { "the policy" } else { "the role" };
                return Some(format!("outside what {who} allows"));
            }
        }
        // On the path and on every suffix of it after a slash; denial wins (L71).
        let suffixes = std::iter::once(path).chain(path.match_indices('/').map(|(at, _)| &path[at + 1..]));
        for suffix in suffixes {
            if let Some((glob, _)) =
                self.denied.iter().find(|(_, glob)| glob.as_ref().is_none_or(|glob| glob.is_match(suffix)))
            {
                return Some(format!("denied by {glob}"));
            }
        }
        None
    }

    fn denies_content(&self, path: &str, new: &[u8], old: Option<&[u8]>) -> bool {
        let matches = |bytes: &[u8]| {
            self.content.iter().any(|pattern| pattern.as_ref().is_none_or(|pattern| pattern.is_match(bytes)))
        };
        if self.content.is_empty() || matches(path.as_bytes()) {
            return !self.content.is_empty();
        }
        // Of a text that was there, only the lines that are new (L72).
        match old.filter(|old| is_text(old) && is_text(new)) {
            None => matches(new),
            Some(old) => {
                let known: BTreeSet<&[u8]> = old.split(|byte| *byte == b'\n').collect();
                let added: Vec<&[u8]> = new.split(|byte| *byte == b'\n').filter(|line| !known.contains(line)).collect();
                matches(&added.join(&b'\n'))
            }
        }
    }
}

fn is_text(bytes: &[u8]) -> bool {
    !bytes.iter().take(8_000).any(|byte| *byte == 0)
}

/// Whether a path is equal to or under a prefix, by its parts.
fn covers(prefix: &str, path: &str) -> bool {
    prefix == "." || path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What is said of one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ruling {
    /// It may be applied.
    Accepted,
    /// It is a name only.
    Listed,
    /// It may not.
    Refused {
        /// Why.
        reason: Reason,
        /// More about it.
        detail: Option<String>,
    },
}

impl Ruling {
    /// Whether it may be applied.
    pub const fn is_accepted(&self) -> bool {
        matches!(self, Self::Accepted)
    }
}

/// The tree as the accepted entries before would leave it.
struct Overlay<'a> {
    ground: &'a dyn Ground,
    put: BTreeMap<String, Node>,
    gone: BTreeSet<String>,
}

impl Overlay<'_> {
    fn node(&self, path: &str) -> Option<Node> {
        if let Some(node) = self.put.get(path) {
            return Some(*node);
        }
        if self.gone.contains(path) {
            return None;
        }
        // A folder that an accepted entry makes on its way.
        let below = format!("{path}/");
        if self.put.range(below.clone()..).next().is_some_and(|(put, _)| put.starts_with(&below)) {
            return Some(Node::Folder);
        }
        match self.ground.node(path) {
            Some(Node::Folder) if !self.gone.is_empty() && self.ground.is_emptied(path, &self.gone) => None,
            node => node,
        }
    }

    /// What stands in the way of a file at this path.
    fn refuses(&self, path: &str) -> Option<Reason> {
        let parents: Vec<&str> = path.match_indices('/').map(|(at, _)| &path[..at]).collect();
        let nodes: Vec<Option<Node>> = parents.iter().map(|parent| self.node(parent)).collect();
        let own = self.node(path);
        let any = |node: Node| nodes.contains(&Some(node)) || own == Some(node);
        if any(Node::Repository) {
            Some(Reason::NestedRepo)
        } else if any(Node::Link) {
            Some(Reason::Symlink)
        } else if nodes.contains(&Some(Node::File)) || any(Node::Other) || own == Some(Node::Folder) {
            Some(Reason::NotAFile)
        } else {
            None
        }
    }
}

/// Judges entries in order, each against the tree as the accepted ones before would leave it. One ruling for each.
pub fn judge_change(ground: &dyn Ground, entries: &[Entry], rules: &Rules) -> Vec<Ruling> {
    let mut overlay = Overlay { ground, put: BTreeMap::new(), gone: BTreeSet::new() };
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let (mut files, mut bytes) = (0u32, 0u64);
    let mut rulings = Vec::with_capacity(entries.len());
    for entry in entries {
        let ruling = match entry {
            Entry::Listed { .. } => Ruling::Listed,
            Entry::Bad { message, .. } => Ruling::Refused { reason: Reason::BadEntry, detail: Some(message.clone()) },
            _ => match refusal(&overlay, &seen, (files, bytes), entry, rules) {
                Some((reason, detail)) => Ruling::Refused { reason, detail },
                None => Ruling::Accepted,
            },
        };
        if ruling.is_accepted() {
            files += 1;
            bytes += entry.bytes();
            seen.insert(entry.path());
            if matches!(entry, Entry::Delete { .. }) {
                overlay.gone.insert(entry.path().to_owned());
            } else {
                let node = if matches!(entry, Entry::Link { .. }) { Node::Link } else { Node::File };
                overlay.put.insert(entry.path().to_owned(), node);
            }
        }
        rulings.push(ruling);
    }
    rulings
}

fn refusal(
    overlay: &Overlay<'_>,
    seen: &BTreeSet<&str>,
    (files, bytes): (u32, u64),
    entry: &Entry,
    rules: &Rules,
) -> Option<(Reason, Option<String>)> {
    let path = entry.path();
    let because = |reason| Some((reason, None));
    if let Some(reason) = path::refused(path) {
        return because(reason);
    }
    if let Some(why) = rules.refuses(path) {
        return Some((Reason::Policy, Some(why)));
    }
    let is_delete = matches!(entry, Entry::Delete { .. });
    if is_delete && !rules.allow_delete {
        return Some((Reason::Policy, Some("the policy does not allow deleting".to_owned())));
    }
    if entry.bytes() > rules.max_file_bytes || matches!(entry, Entry::Oversize { .. }) {
        return Some((Reason::TooLarge, Some(format!("at most {} bytes", rules.max_file_bytes))));
    }
    let new = match entry {
        Entry::Write { contents, .. } => Some(contents.bytes()),
        Entry::Link { target, .. } => Some(target.as_bytes()),
        _ => None,
    };
    if let Some(new) = new {
        let old = matches!(overlay.node(path), Some(Node::File)).then(|| overlay.ground.contents(path)).flatten();
        if rules.denies_content(path, new, old.as_deref()) {
            return because(Reason::DeniedContent);
        }
    }
    if seen.contains(path) {
        return because(Reason::Duplicate);
    }
    if files >= rules.max_files {
        return Some((Reason::TooMany, Some(format!("at most {} files", rules.max_files))));
    }
    if bytes + entry.bytes() > rules.max_change_bytes {
        return Some((Reason::ChangeTooLarge, Some(format!("at most {} bytes", rules.max_change_bytes))));
    }
    if matches!(entry, Entry::Repository { .. }) {
        return because(Reason::NestedRepo);
    }
    match (overlay.refuses(path), entry) {
        // A link that was there may be taken away, and one that is changed is judged by where it leads.
        (Some(Reason::Symlink), Entry::Delete { .. } | Entry::Link { .. })
            if rules.inner_links && only_itself(overlay, path) => {}
        (Some(reason), _) => return because(reason),
        (None, _) => {}
    }
    if let Entry::Link { target, .. } = entry
        && !(rules.inner_links && leads_inside(path, target))
    {
        return because(Reason::Symlink);
    }
    if overlay.ground.is_ignored(path) {
        return because(Reason::Ignored);
    }
    overlay.ground.is_dirty(path).then_some((Reason::Dirty, None))
}

/// Whether the path is a link and lies below none.
fn only_itself(overlay: &Overlay<'_>, path: &str) -> bool {
    !path.match_indices('/').any(|(at, _)| overlay.node(&path[..at]) == Some(Node::Link))
}

/// Whether a relative link at `path` stays in the repository, by its words alone.
fn leads_inside(path: &str, target: &str) -> bool {
    if target.is_empty() || target.starts_with('/') || target.contains(['\0', '\\']) {
        return false;
    }
    let mut depth = path.matches('/').count();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." if depth == 0 => return false,
            ".." => depth -= 1,
            part if path::could_be_git(part) => return false,
            _ => depth += 1,
        }
    }
    true
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
