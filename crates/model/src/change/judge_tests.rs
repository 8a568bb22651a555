use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::{
    change::{Contents, Mode},
    policy::Policy,
};

/// A tree that is a list.
#[derive(Default)]
struct Listing {
    nodes: BTreeMap<String, Node>,
    texts: BTreeMap<String, Vec<u8>>,
    ignored: BTreeSet<String>,
    dirty: BTreeSet<String>,
}

impl Listing {
    fn of(nodes: &[(&str, Node)]) -> Self {
        Self { nodes: nodes.iter().map(|(path, node)| ((*path).to_owned(), *node)).collect(), ..Self::default() }
    }
}

impl Ground for Listing {
    fn node(&self, path: &str) -> Option<Node> {
        let below = format!("{path}/");
        let has_below = || self.nodes.range(below.clone()..).next().is_some_and(|(next, _)| next.starts_with(&below));
        self.nodes.get(path).copied().or_else(|| has_below().then_some(Node::Folder))
    }
    fn contents(&self, path: &str) -> Option<Vec<u8>> {
        self.texts.get(path).cloned()
    }
    fn is_emptied(&self, folder: &str, gone: &BTreeSet<String>) -> bool {
        let below = format!("{folder}/");
        self.nodes
            .range(below.clone()..)
            .take_while(|(path, _)| path.starts_with(&below))
            .all(|(path, _)| gone.contains(path))
    }
    fn is_ignored(&self, path: &str) -> bool {
        self.ignored.contains(path)
    }
    fn is_dirty(&self, path: &str) -> bool {
        self.dirty.contains(path)
    }
}

fn rules() -> Rules {
    let policy = Policy { allowed_paths: BTreeMap::from([("*".into(), vec![".".into()])]), ..Policy::default() };
    Rules::of(&policy, None, None, true)
}

fn write(path: &str) -> Entry {
    Entry::Write { path: path.into(), contents: Contents::Text("x".into()), mode: Mode::Keep }
}

fn delete(path: &str) -> Entry {
    Entry::Delete { path: path.into() }
}

/// `+` accepted, `.` listed, else the reason.
fn verdicts(ground: &Listing, entries: &[Entry], rules: &Rules) -> Vec<&'static str> {
    let word = |ruling: Ruling| match ruling {
        Ruling::Accepted => "+",
        Ruling::Listed => ".",
        Ruling::Refused { reason, .. } => reason.slug(),
    };
    judge_change(ground, entries, rules).into_iter().map(word).collect()
}

// D42: each reason by the tree, and against the tree as the accepted ones before would leave it.
#[test]
fn the_tree_is_the_one_that_the_accepted_entries_leave() {
    let ground = Listing {
        ignored: BTreeSet::from(["target/x".to_owned()]),
        dirty: BTreeSet::from(["mine".to_owned()]),
        ..Listing::of(&[
            ("src/a", Node::File),
            ("link", Node::Link),
            ("old/1", Node::File),
            ("old/2", Node::File),
            ("vendor/lib", Node::Repository),
            ("pipe", Node::Other),
            ("mine", Node::File),
        ])
    };
    let table: &[(&[Entry], &[&str])] = &[
        (&[write("src/a"), write("src/a")], &["+", "duplicate"]),
        (&[write("src")], &["not_a_file"]),
        (&[delete("src")], &["not_a_file"]),
        (&[write("src/a/b")], &["not_a_file"]),
        (&[write("new/a"), write("new")], &["+", "not_a_file"]),
        (&[write("new"), write("new/a")], &["+", "not_a_file"]),
        (&[delete("src/a"), write("src/a/b")], &["+", "+"]),
        (&[delete("old/1"), write("old")], &["+", "not_a_file"]),
        (&[delete("old/1"), delete("old/2"), write("old")], &["+", "+", "+"]),
        (&[write("link")], &["symlink"]),
        (&[write("link/x")], &["symlink"]),
        (&[delete("link/x")], &["symlink"]),
        (&[delete("link"), write("link/x")], &["+", "+"]),
        (&[write("vendor/lib/x")], &["nested_repo"]),
        (&[write("vendor/lib")], &["nested_repo"]),
        (&[write("pipe"), write("pipe/x")], &["not_a_file", "not_a_file"]),
        (&[write("target/x")], &["ignored"]),
        (&[write("mine"), delete("mine")], &["dirty", "dirty"]),
        (&[delete("nothing")], &["+"]),
        (&[Entry::Listed { path: "../any".into() }], &["."]),
        (&[Entry::Bad { path: "/".into(), message: "m".into() }, write("ok")], &["bad_entry", "+"]),
        (&[write(".proofhouse/roles/x.md"), write(".Proofhouse/x"), write("a/.env"), write("k.pem")], &["policy"; 4]),
        (&[write("../.env")], &["traversal"]),
        (
            &[Entry::Repository { path: "sub".into() }, Entry::Oversize { path: "big".into(), bytes: 1 << 40 }],
            &["nested_repo", "too_large"],
        ),
    ];
    for (entries, expected) in table {
        assert_eq!(verdicts(&ground, entries, &rules()), *expected, "{entries:?}");
    }
}

// X40, X17: the caps and the paths are the policy's; a role narrows and never widens.
#[test]
fn the_policy_bounds_and_the_role_narrows() {
    let policy = Policy {
        allowed_paths: BTreeMap::from([("*".into(), vec!["src".into(), "docs".into()])]),
        max_changed_files: 2,
        max_file_bytes: 4,
        max_change_bytes: 6,
        ..Policy::default()
    };
    let bytes = |path: &str, n: usize| Entry::Write {
        path: path.into(),
        contents: Contents::Text("x".repeat(n)),
        mode: Mode::Keep,
    };
    let none = Listing::default();
    let role = [".".to_owned()];
    let wide = Rules::of(&policy, None, Some(&role), false);
    assert_eq!(verdicts(&none, &[write("src/a"), write("docs2/a"), write("a")], &wide), ["+", "policy", "policy"]);
    let narrow = Rules::of(&policy, None, Some(&["docs".to_owned(), "etc".to_owned()]), false);
    assert_eq!(verdicts(&none, &[write("src/a"), write("docs/a"), write("etc/a")], &narrow), ["policy", "+", "policy"]);
    let open = Rules::of(&policy, None, None, false);
    assert_eq!(
        verdicts(
            &none,
            &[bytes("src/a", 5), bytes("src/b", 4), bytes("src/c", 3), bytes("src/d", 2), write("src/e")],
            &open
        ),
        ["too_large", "+", "change_too_large", "+", "too_many"]
    );
    assert_eq!(verdicts(&none, &[delete("src/a")], &open), ["policy"]);
    let nothing = Rules::of(&Policy::default(), None, None, true);
    assert_eq!(verdicts(&none, &[write("a")], &nothing), ["policy"]);
    let own = Policy {
        allowed_paths: BTreeMap::from([("*".into(), vec![".".into()]), ("web".into(), vec!["src".into()])]),
        ..Policy::default()
    };
    assert_eq!(verdicts(&none, &[write("x")], &Rules::of(&own, Some("web"), None, true)), ["policy"]);
}

// X40, L72: what a change adds is looked at, not what was there.
#[test]
fn denied_content_is_what_is_added() {
    let key = "-----BEGIN RSA PRIVATE KEY-----\n";
    let put = |path: &str, text: &str| Entry::Write {
        path: path.into(),
        contents: Contents::Text(text.into()),
        mode: Mode::Keep,
    };
    let mut ground = Listing::of(&[("old", Node::File), ("bin", Node::File)]);
    ground.texts.insert("old".into(), format!("a\n{key}").into_bytes());
    ground.texts.insert("bin".into(), format!("\0{key}").into_bytes());
    let entries =
        [put("new", key), put("old", &format!("b\n{key}")), put("old2", "b"), put("bin", &format!("\0\0{key}"))];
    assert_eq!(verdicts(&ground, &entries, &rules()), ["denied_content", "+", "+", "denied_content"]);
}

// X40: links of a working copy follow the policy, and lead nowhere outside.
#[test]
fn links_lead_inside_or_are_refused() {
    let link = |path: &str, target: &str| Entry::Link { path: path.into(), target: target.into() };
    let none = Listing::default();
    for (path, target, expected) in [
        ("a", "b", "+"),
        ("x/a", "../b", "+"),
        ("x/a", "../../b", "symlink"),
        ("a", "..", "symlink"),
        ("a", "/etc/passwd", "symlink"),
        ("a", ".git/config", "symlink"),
        ("a", "x/../.GIT", "symlink"),
        ("a", "", "symlink"),
    ] {
        assert_eq!(verdicts(&none, &[link(path, target)], &rules()), [expected], "{path} -> {target}");
    }
    let policy = Policy {
        symlinks: Symlinks::None,
        allowed_paths: BTreeMap::from([("*".into(), vec![".".into()])]),
        ..Policy::default()
    };
    assert_eq!(verdicts(&none, &[link("a", "b")], &Rules::of(&policy, None, None, true)), ["symlink"]);
    // Nothing is written through a link that the same change makes.
    assert_eq!(verdicts(&none, &[link("a", "b"), write("a/x")], &rules()), ["+", "symlink"]);
}

fn entry_strategy() -> impl Strategy<Value = Entry> {
    let path = "(|/|C:|\\.\\./|\\.git/|\\.\\.)([ab.]{1,3}/){0,3}[ab.~\\\\]{0,3}";
    (path, 0u8..4).prop_map(|(path, what)| match what {
        0 => Entry::Delete { path },
        1 => Entry::Link { path, target: "a".into() },
        2 => Entry::Listed { path },
        _ => Entry::Write { path, contents: Contents::Text("x".into()), mode: Mode::Keep },
    })
}

proptest! {
    // D42, F14: whatever is asked for, what is accepted is a plain path downward that meets no link, no file on its
    // way, no folder at its end, is not git's, and stands there once.
    #[test]
    fn accepted_entries_are_harmless(
        entries in prop::collection::vec(entry_strategy(), 0..12),
        nodes in prop::collection::btree_map("([ab]{1,2}/){0,2}[ab]{1,2}", prop_oneof![Just(Node::File), Just(Node::Link), Just(Node::Repository)], 0..6),
    ) {
        let ground = Listing { nodes, ..Listing::default() };
        let rulings = judge_change(&ground, &entries, &rules());
        prop_assert_eq!(rulings.len(), entries.len());
        let mut seen = BTreeSet::new();
        let mut gone = BTreeSet::new();
        for (entry, ruling) in entries.iter().zip(&rulings) {
            if !ruling.is_accepted() {
                continue;
            }
            let path = entry.path();
            prop_assert!(!path.is_empty() && !path.starts_with('/') && !path.contains('\\'));
            prop_assert!(path.split('/').all(|part| !part.is_empty() && part != "." && part != ".." && part != ".git"), "{}", path);
            prop_assert!(seen.insert(path.to_owned()), "{} twice", path);
            for (at, _) in path.match_indices('/') {
                let parent = &path[..at];
                let stands = ground.nodes.get(parent).filter(|_| !gone.contains(parent));
                prop_assert!(stands.is_none(), "{} below {:?}", path, stands);
                prop_assert!(!seen.contains(parent) || gone.contains(parent), "{} below a new file", path);
            }
            if matches!(entry, Entry::Delete { .. }) { gone.insert(path.to_owned()); }
        }
        // Judging again what was accepted accepts it again.
        let accepted: Vec<Entry> = entries.iter().zip(&rulings).filter(|(_, ruling)| ruling.is_accepted()).map(|(entry, _)| entry.clone()).collect();
        prop_assert!(judge_change(&ground, &accepted, &rules()).iter().all(Ruling::is_accepted));
    }
}
