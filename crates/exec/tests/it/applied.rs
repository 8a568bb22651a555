//! Files that are written beneath a handle: as a whole or not at all, and never elsewhere (D43, D44, F14).

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use model::digest::Digest;
use proofhouse_exec::apply::{Done, Step, What, apply, recover};
use proptest::prelude::*;

fn write(path: &str, text: &str) -> Step {
    Step { path: path.into(), what: What::Write { bytes: text.into(), executable: false, set_mode: false } }
}

fn delete(path: &str) -> Step {
    Step { path: path.into(), what: What::Delete }
}

/// Everything below a folder: mode and bytes, or where a link leads.
fn picture(root: &Path) -> BTreeMap<String, String> {
    let mut seen = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap().flatten() {
            let path = entry.path();
            let data = path.symlink_metadata().unwrap();
            let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            let what = if data.is_dir() {
                open.push(path);
                "folder".to_owned()
            } else if data.is_symlink() {
                format!("-> {}", fs::read_link(&path).unwrap().display())
            } else {
                format!("{:o} {:?}", data.permissions().mode() & 0o777, fs::read(&path).unwrap())
            };
            seen.insert(name, what);
        }
    }
    seen
}

// D44: what is new, what keeps its mode, what is unchanged, what is gone.
#[test]
fn files_are_written_as_the_page_says() {
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    fs::create_dir_all(at("src/old")).unwrap();
    fs::write(at("run.sh"), "old").unwrap();
    fs::set_permissions(at("run.sh"), fs::Permissions::from_mode(0o750)).unwrap();
    fs::write(at("same"), "same").unwrap();
    fs::write(at("src/old/gone"), "x").unwrap();
    fs::write(at("mode"), "m").unwrap();
    let set = |path: &str, executable, set_mode| Step {
        path: path.into(),
        what: What::Write { bytes: b"m".to_vec(), executable, set_mode },
    };
    let steps = [
        write("run.sh", "new"),
        write("same", "same"),
        write("a/b/c", "deep"),
        delete("src/old/gone"),
        write("src/old", "a file where a folder was"),
        set("tool", true, false),
        set("mode", true, true),
        delete("nothing/here"),
        Step { path: "link".into(), what: What::Link("a/b".into()) },
    ];
    let done = apply(root.path(), "t", &steps).unwrap();
    use Done::{Created, Deleted, Overwritten, Unchanged};
    assert_eq!(done, [Overwritten, Unchanged, Created, Deleted, Created, Created, Overwritten, Unchanged, Created]);
    let seen = picture(root.path());
    assert_eq!(seen["run.sh"], "750 [110, 101, 119]");
    assert!(seen["a/b/c"].starts_with("644") && seen["tool"].starts_with("755") && seen["mode"].starts_with("755"));
    assert_eq!(seen["link"], "-> a/b");
    assert!(!seen.keys().any(|name| name.contains(".proofhouse") || name == "nothing"), "{seen:?}");
}

// D44: an error on any of them restores the state before.
#[test]
fn one_that_fails_takes_all_back() {
    let root = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("d/e")).unwrap();
    fs::write(root.path().join("d/e/f"), "f").unwrap();
    fs::write(root.path().join("d/g"), "g").unwrap();
    fs::write(root.path().join("keep"), "keep").unwrap();
    symlink(outside.path(), root.path().join("out")).unwrap();
    symlink("keep", root.path().join("inner")).unwrap();
    let before = picture(root.path());
    for bad in [
        write("out/x", "x"),
        write("inner", "x"),
        write("keep/x", "x"),
        write("d", "x"),
        delete("d"),
        write("../x", "x"),
        write("d/../x", "x"),
        write(&"n".repeat(256), "x"),
    ] {
        let steps = [delete("d/e/f"), write("keep", "changed"), write("new/a/b", "n"), bad.clone()];
        let error = apply(root.path(), "t", &steps).unwrap_err();
        assert!(error.restored, "{error}");
        assert_eq!(error.path, bad.path);
        assert_eq!(picture(root.path()), before, "{bad:?}");
        assert!(picture(outside.path()).is_empty());
    }
}

// X: what if the process dies here? Whoever comes next finds the old files and puts them back.
#[test]
fn what_a_dead_process_left_is_put_back() {
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    let steps = [write("a", "new"), delete("d/b"), write("c", "new")];
    // As it stands after `a` was replaced and `d/b` taken away with its folder, and `c` was about to come.
    fs::create_dir(at(".proofhouse-t")).unwrap();
    fs::write(at("a"), "new").unwrap();
    let beside = |path: &str, end| at(".proofhouse-t").join(format!("{}.{end}", Digest::of(path.as_bytes())));
    fs::write(beside("a", "old"), "old").unwrap();
    fs::write(beside("d/b", "old"), "b").unwrap();
    fs::write(beside("c", "new"), "new").unwrap();
    recover(root.path(), "t", &steps).unwrap();
    let seen = picture(root.path());
    assert_eq!(seen.keys().collect::<Vec<_>>(), ["a", "d", "d/b"]);
    assert_eq!(fs::read_to_string(at("a")).unwrap(), "old");
    recover(root.path(), "t", &steps).unwrap();
    assert_eq!(apply(root.path(), "t", &steps).unwrap(), [Done::Overwritten, Done::Deleted, Done::Created]);
}

// D43, F14: somebody swaps folders for links all the time; nothing is ever written outside.
#[test]
fn nothing_is_written_through_a_link_that_comes_meanwhile() {
    let root = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("victim"), "untouched").unwrap();
    let (inside, aside) = (root.path().join("d"), root.path().join("aside"));
    fs::create_dir(&inside).unwrap();
    let stop = AtomicBool::new(false);
    let applied = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let _ = fs::rename(&inside, &aside);
                let _ = symlink(outside.path(), &inside);
                let _ = fs::remove_file(&inside);
                let _ = fs::rename(&aside, &inside);
            }
        });
        let mut applied = 0;
        for turn in 0..300 {
            let steps = [write("d/victim", &turn.to_string()), write("d/new/x", &turn.to_string()), delete("d/victim")];
            applied += u32::from(apply(root.path(), &turn.to_string(), &steps).is_ok());
        }
        stop.store(true, Ordering::Relaxed);
        applied
    });
    assert_eq!(
        picture(outside.path()).into_iter().collect::<Vec<_>>(),
        [("victim".to_owned(), format!("644 {:?}", b"untouched"),)]
    );
    assert!(applied > 0, "the test never got through");
}

fn step() -> impl Strategy<Value = Step> {
    ("(out/|in/|\\.\\./|[ab]/){0,2}([abc]|in|out|\\.\\.)", 0u8..5).prop_map(|(path, what)| match what {
        0 => delete(&path),
        1 => Step { path, what: What::Link("a".into()) },
        _ => write(&path, "new"),
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    // F14, D44: whatever is asked for on a tree with links, nothing outside changes, and an error changes nothing.
    #[test]
    fn any_steps_are_applied_beneath_or_not_at_all(steps in prop::collection::vec(step(), 1..6), tree in prop::collection::vec(("[ab]/[abc]|[abc]", 0u8..3), 0..6)) {
        let area = tempfile::tempdir().unwrap();
        let (root, outside) = (area.path().join("root"), area.path().join("outside"));
        fs::create_dir_all(&root).unwrap();
        fs::create_dir_all(&outside).unwrap();
        fs::write(outside.join("a"), "outside").unwrap();
        symlink(&outside, root.join("out")).unwrap();
        symlink("a", root.join("in")).unwrap();
        for (path, what) in tree {
            let path = root.join(path);
            let _ = fs::create_dir_all(path.parent().unwrap());
            let _ = match what { 0 => symlink(&outside, &path), _ => fs::write(&path, "old") };
        }
        let (before, around) = (picture(&root), picture(&outside));
        match apply(&root, "t", &steps) {
            Ok(done) => prop_assert_eq!(done.len(), steps.len()),
            Err(error) => {
                prop_assert!(error.restored, "{}", error);
                prop_assert_eq!(picture(&root), before);
            }
        }
        prop_assert_eq!(picture(&outside), around);
        prop_assert!(fs::read_dir(area.path()).unwrap().count() == 2);
        prop_assert!(!picture(&root).keys().any(|name| name.contains(".proofhouse")));
    }
}
