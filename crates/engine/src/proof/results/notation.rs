//! Full names of the tests in JUnit XML, which has no name for a test but parts of one.
//!
//! Every tool puts other parts into `classname`, `name`, `file` and the suites around. A rule is met
//! by equality with a full name (P39), so the parts are joined here as the tool itself would write
//! them, and never compared one by one.

use super::text;

/// Who wrote the XML.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Notation {
    /// Any tool: `classname.name`; a node id where the file is Python's.
    #[default]
    Generic,
    /// pytest: node ids. With `-o junit_family=xunit1` they are exact, since the file is written;
    /// without it, the capitalised end of `classname` is taken for the class.
    Pytest,
    /// cargo-nextest: the test's path in its binary.
    Nextest,
    /// vitest: titles joined by a space, as its filter matches them.
    Vitest,
    /// Playwright: titles joined by a space, as its filter matches them.
    Playwright,
    /// node:test: the titles of the suites around and its own, joined by a space.
    NodeTest,
}

/// The parts of a name, as they stand in the file.
#[derive(Debug, Default)]
pub(super) struct Parts<'a> {
    pub(super) classname: &'a str,
    pub(super) name: &'a str,
    pub(super) file: Option<&'a str>,
    /// The named suites around, outermost first.
    pub(super) suites: &'a [String],
    pub(super) root: &'a str,
}

/// A test's names and its file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) also: Vec<String>,
    pub(super) file: Option<String>,
}

impl Notation {
    pub(super) fn names(self, parts: &Parts<'_>) -> Named {
        let file = parts.file.filter(|file| !file.is_empty()).map(|file| text::path(file, parts.root));
        let own = parts.name.trim();
        let class = parts.classname.trim();
        let (full, also, file) = match self {
            Self::Generic if file.as_deref().is_some_and(|file| file.ends_with(".py")) => pytest(class, own, file),
            Self::Generic => generic(class, own, parts.suites, file),
            Self::Pytest => pytest(class, own, file),
            Self::Nextest => (own.to_owned(), vec![format!("{class} {own}")], file),
            Self::Vitest => {
                let file = file.or_else(|| Some(text::path(class, parts.root)).filter(|file| !file.is_empty()));
                let (full, also) = titled(&own.split(" > ").collect::<Vec<_>>(), own);
                (full, also, file)
            }
            Self::Playwright => {
                let file = file.or_else(|| Some(text::path(class, parts.root)).filter(|file| !file.is_empty()));
                let (full, also) = titled(&own.split(" › ").collect::<Vec<_>>(), own);
                (full, also, file)
            }
            Self::NodeTest => {
                let own = if own.starts_with('/') { text::path(own, parts.root) } else { own.to_owned() };
                let titles: Vec<&str> = parts.suites.iter().map(String::as_str).chain([own.as_str()]).collect();
                let (full, also) = titled(&titles, &titles.join(" > "));
                (full, also, file)
            }
        };
        let name = if full.is_empty() { "(no name)".to_owned() } else { text::name(&full) };
        let mut kept: Vec<String> = Vec::with_capacity(also.len());
        for other in also.iter().map(|other| text::name(other)) {
            if other != name && !other.is_empty() && !kept.contains(&other) {
                kept.push(other);
            }
        }
        Named { name, also: kept, file }
    }
}

/// Titles joined by a space; also as the tool prints them, and the test's own title.
fn titled(titles: &[&str], printed: &str) -> (String, Vec<String>) {
    let mut also = vec![printed.to_owned()];
    also.extend(titles.last().map(|&last| last.to_owned()));
    (titles.join(" "), also)
}

/// Also the name alone, behind its class in the usual ways, and behind the suites around it.
fn generic(class: &str, own: &str, suites: &[String], file: Option<String>) -> (String, Vec<String>, Option<String>) {
    let mut also = Vec::new();
    if !suites.is_empty() {
        also.extend([" > ", " "].map(|between| format!("{}{between}{own}", suites.join(between))));
    }
    also.extend([" > ", " › "].iter().filter(|mark| own.contains(*mark)).map(|mark| own.replace(mark, " ")));
    if class.is_empty() || class == own {
        return (own.to_owned(), also, file);
    }
    also.push(own.to_owned());
    also.extend(["::", "#", " "].map(|between| format!("{class}{between}{own}")));
    (format!("{class}.{own}"), also, file)
}

fn pytest(class: &str, own: &str, file: Option<String>) -> (String, Vec<String>, Option<String>) {
    let (file, classes) = match file {
        Some(file) => {
            let module = file.strip_suffix(".py").unwrap_or(&file).replace('/', ".");
            // The module is the end of the path when pytest was started elsewhere.
            let rest = class.strip_prefix(module.as_str()).or_else(|| {
                let stem = module.rsplit('.').next().unwrap_or(&module);
                class.strip_prefix(stem)
            });
            let rest = rest.filter(|rest| rest.is_empty() || rest.starts_with('.')).unwrap_or("");
            (file, rest.trim_start_matches('.').to_owned())
        }
        None if class.is_empty() => return (own.to_owned(), Vec::new(), None),
        None => {
            let parts: Vec<&str> = class.split('.').collect();
            let is_class = |part: &&str| part.starts_with(|c: char| c.is_ascii_uppercase());
            let first = parts.iter().rposition(|part| !is_class(part)).map_or(0, |n| n + 1);
            (format!("{}.py", parts[..first].join("/")), parts[first..].join("."))
        }
    };
    if class.is_empty() {
        return (own.to_owned(), Vec::new(), Some(file));
    }
    let classes: String = classes.split('.').filter(|part| !part.is_empty()).map(|part| format!("{part}::")).collect();
    let inside = format!("{file}::{classes}");
    let full = format!("{inside}{own}");
    // `test_a[1]` does not answer for `test_a`: no test is called that (P39).
    let also = vec![own.to_owned(), format!("{classes}{own}")];
    (full, also, Some(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(notation: Notation, classname: &str, name: &str, file: Option<&str>) -> (String, Vec<String>) {
        let suites = ["outer".to_owned(), "inner".to_owned()];
        let named = notation.names(&Parts { classname, name, file, suites: &suites, root: "/r" });
        (named.name, named.also)
    }

    /// P39: a full name is written as the tool itself would write it.
    #[test]
    fn full_names_are_those_of_the_tool() {
        use Notation as N;
        type Row = (Notation, &'static str, &'static str, Option<&'static str>, &'static str, &'static [&'static str]);
        let cases: [Row; 13] = [
            (
                N::Generic,
                "a.B",
                "works",
                None,
                "a.B.works",
                &["outer > inner > works", "outer inner works", "works", "a.B::works", "a.B#works", "a.B works"],
            ),
            (N::Generic, "", "works", None, "works", &["outer > inner > works", "outer inner works"]),
            (N::Generic, "tests.test_a", "test_x", Some("tests/test_a.py"), "tests/test_a.py::test_x", &["test_x"]),
            (N::Pytest, "tests.test_a", "test_x", Some("tests/test_a.py"), "tests/test_a.py::test_x", &["test_x"]),
            (
                N::Pytest,
                "tests.test_a.C.D",
                "test_x",
                Some("tests/test_a.py"),
                "tests/test_a.py::C::D::test_x",
                &["test_x", "C::D::test_x"],
            ),
            (
                N::Pytest,
                "tests.test_a.TestC",
                "test_x",
                None,
                "tests/test_a.py::TestC::test_x",
                &["test_x", "TestC::test_x"],
            ),
            (
                N::Pytest,
                "tests.test_a",
                "test_p[a b]",
                Some("tests/test_a.py"),
                "tests/test_a.py::test_p[a b]",
                &["test_p[a b]"],
            ),
            (N::Pytest, "", "tests.test_broken", Some("tests/test_broken.py"), "tests.test_broken", &[]),
            (N::Nextest, "sample::it", "deep::works", None, "deep::works", &["sample::it deep::works"]),
            (N::Vitest, "t/a.test.ts", "o > i > w", None, "o i w", &["o > i > w", "w"]),
            (N::Vitest, "t/a.test.ts", "req_0007_unit_x", None, "req_0007_unit_x", &[]),
            (N::Playwright, "a.spec.ts", "d › t", None, "d t", &["d › t", "t"]),
            (N::NodeTest, "test", "w", None, "outer inner w", &["outer > inner > w", "w"]),
        ];
        for (notation, classname, name, file, full, also) in cases {
            let (got, others) = named(notation, classname, name, file);
            assert_eq!((got.as_str(), others.iter().map(String::as_str).collect::<Vec<_>>()), (full, also.to_vec()));
        }
    }
}
