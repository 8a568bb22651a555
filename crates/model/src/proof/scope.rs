//! Does a requirement's scope meet a set of changed files? (P14)
//!
//! Compiled once per question: the changed files are sorted, so that a path or a folder is found by
//! binary search, and only globs look at every file.

use std::collections::{BTreeMap, HashMap};

use globset::{GlobBuilder, GlobMatcher};

use super::{config::ScopeMaps, requirement::Scope};

/// The files that changed, and what routes, APIs, components and tags are made of.
pub struct Changes<'a> {
    /// Sorted; none when the changes could not be found out.
    files: Option<Vec<&'a str>>,
    maps: &'a ScopeMaps,
    globs: std::cell::RefCell<HashMap<String, bool>>,
}

impl<'a> Changes<'a> {
    /// These files changed.
    pub fn of(files: impl IntoIterator<Item = &'a str>, maps: &'a ScopeMaps) -> Self {
        let mut files: Vec<&str> = files.into_iter().collect();
        files.sort_unstable();
        files.dedup();
        Self { files: Some(files), maps, globs: std::cell::RefCell::default() }
    }

    /// Nobody could find out what changed: everything is in scope, and a note has to say why.
    pub fn unknown(maps: &'a ScopeMaps) -> Self {
        Self { files: None, maps, globs: std::cell::RefCell::default() }
    }

    /// Whether the changes are known.
    pub const fn are_known(&self) -> bool {
        self.files.is_some()
    }

    /// Whether the scope meets the changes. One with nothing that can be compared does.
    pub fn meet(&self, scope: &Scope) -> bool {
        let Some(files) = &self.files else { return true };
        let mut comparable = false;
        for pattern in &scope.files {
            comparable = true;
            if self.hits(files, pattern) {
                return true;
            }
        }
        let maps = self.maps;
        let mapped = mapped(&scope.routes, &maps.routes)
            .chain(mapped(&scope.apis, &maps.apis))
            .chain(mapped(&scope.components, &maps.components))
            .chain(mapped(&scope.tags, &maps.tags));
        for patterns in mapped {
            comparable = true;
            if patterns.iter().any(|pattern| self.hits(files, pattern)) {
                return true;
            }
        }
        !comparable
    }

    fn hits(&self, files: &[&str], pattern: &str) -> bool {
        let path = pattern.trim_end_matches('/').trim_start_matches("./");
        if path.is_empty() {
            return !files.is_empty();
        }
        // The path itself, or anything below it as a folder: never a name that only starts alike.
        let below = format!("{path}/");
        let from = files.partition_point(|file| *file < below.as_str());
        if files.get(from).is_some_and(|file| file.starts_with(&below)) || files.binary_search(&path).is_ok() {
            return true;
        }
        if !path.contains(['*', '?', '[', '{']) {
            return false;
        }
        // Many requirements share a glob; each is matched once.
        if let Some(known) = self.globs.borrow().get(pattern) {
            return *known;
        }
        let hit = glob(path).is_some_and(|glob| files.iter().any(|file| glob.is_match(file)));
        self.globs.borrow_mut().insert(pattern.to_owned(), hit);
        hit
    }
}

/// The patterns of each value that a map knows.
fn mapped<'m>(values: &'m [String], map: &'m BTreeMap<String, Vec<String>>) -> impl Iterator<Item = &'m Vec<String>> {
    values.iter().filter_map(|value| map.get(value))
}

/// A glob whose `*` stays within one folder, as everywhere else; a broken one matches nothing.
fn glob(pattern: &str) -> Option<GlobMatcher> {
    GlobBuilder::new(pattern).literal_separator(true).build().ok().map(|glob| glob.compile_matcher())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn files(list: &[&str]) -> Scope {
        Scope { files: list.iter().map(ToString::to_string).collect(), ..Scope::default() }
    }

    /// P14: equal, path-boundary prefix, glob.
    #[test]
    fn a_path_meets_itself_what_is_below_it_and_its_globs() {
        let maps = ScopeMaps::default();
        #[rustfmt::skip]
        let table = [
            ("src/auth", "src/auth", true),
            ("src/auth", "src/auth/login.rs", true),
            ("src/auth/", "src/auth/login.rs", true),
            ("src/auth", "src/authentication/x.rs", false),
            ("src/auth", "src/auth.rs", false),
            ("src/auth.rs", "src/auth", false),
            ("src/*.rs", "src/a.rs", true),
            ("src/*.rs", "src/a/b.rs", false),
            ("src/**/*.rs", "src/a/b.rs", true),
            ("src/a[1].rs", "src/a[1].rs", true),     // a name that looks like a glob
            ("src/[", "src/x", false),
        ];
        for (pattern, file, expected) in table {
            assert_eq!(Changes::of([file, "zzz", "aaa"], &maps).meet(&files(&[pattern])), expected, "{pattern} {file}");
        }
    }

    /// P14: other dimensions through maps alone; nothing comparable is in scope; unknown is everything.
    #[test]
    fn what_cannot_be_compared_is_in_scope() {
        let mut maps = ScopeMaps::default();
        maps.routes.insert("/login".to_owned(), vec!["web/login/**".to_owned()]);
        let route = |route: &str| Scope { routes: vec![route.to_owned()], ..Scope::default() };
        let hit = Changes::of(["web/login/a.ts"], &maps);
        let miss = Changes::of(["api/a.rs"], &maps);
        assert!(hit.meet(&route("/login")) && !miss.meet(&route("/login")));
        assert!(miss.meet(&route("/unmapped")));
        assert!(miss.meet(&Scope::default()));
        let both = Scope { routes: vec!["/unmapped".to_owned(), "/login".to_owned()], ..files(&["src"]) };
        assert!(!miss.meet(&both) && hit.meet(&both));
        assert!(Changes::unknown(&maps).meet(&files(&["src"])));
        assert!(!Changes::of([], &maps).meet(&files(&["src"])));
    }

    proptest! {
        /// P14: the index agrees with looking at every file.
        #[test]
        fn the_index_agrees_with_the_plain_rule(changed in proptest::collection::vec("[ab]{1,2}(/[ab]{1,2}){0,2}", 0..6), path in "[ab]{1,2}(/[ab]{1,2}){0,1}") {
            let maps = ScopeMaps::default();
            let plain = changed.iter().any(|file| *file == path || file.starts_with(&format!("{path}/")));
            let changes = Changes::of(changed.iter().map(String::as_str), &maps);
            prop_assert_eq!(changes.meet(&files(&[&path])), plain);
        }
    }
}
