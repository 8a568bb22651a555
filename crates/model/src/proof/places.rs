//! Free-text places: "where was it seen", one place a line, sorted into a scope (P6).

use super::requirement::Scope;

/// The most entries of one list of a scope.
pub const SCOPE_ENTRIES: usize = 100;
/// The longest entry of a scope, in characters.
pub const SCOPE_ENTRY: usize = 500;

/// A line that cannot be taken as a place. The line itself is not echoed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceInvalid {
    /// Its number, from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

/// Normalises a relative path or glob; none when it leads out of the repository. A trailing `/` is
/// kept, since it says that a folder is meant.
pub fn inside(path: &str) -> Option<String> {
    if path.starts_with('/') || path.chars().any(char::is_control) || path.contains('\\') {
        return None;
    }
    // A drive letter is absolute where it means anything.
    if path.as_bytes().get(1) == Some(&b':') && path.as_bytes()[0].is_ascii_alphabetic() {
        return None;
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    let mut out = parts.join("/");
    if path.ends_with('/') && !out.is_empty() {
        out.push('/');
    }
    Some(out)
}

/// Reads the lines. `exists` knows whether a name stands in the tree.
pub fn parse(text: &str, exists: &dyn Fn(&str) -> bool) -> Result<Scope, Vec<PlaceInvalid>> {
    let mut scope = Scope::default();
    let mut wrong = Vec::new();
    for (at, raw) in text.lines().enumerate() {
        let place = raw.trim();
        if place.is_empty() {
            continue;
        }
        let mut refuse = |message: &str| wrong.push(PlaceInvalid { line: at + 1, message: message.to_owned() });
        if place.chars().any(char::is_control) {
            refuse("must not contain control characters");
            continue;
        }
        if place.chars().nth(SCOPE_ENTRY).is_some() {
            refuse("must be at most 500 characters");
            continue;
        }
        let (list, value) = match sorted(place, exists) {
            (Kind::File, path) => match inside(path) {
                Some(path) if !path.is_empty() => (&mut scope.files, path),
                _ => {
                    refuse("the path leads out of the repository");
                    continue;
                }
            },
            (_, "") => {
                refuse("nothing follows the prefix");
                continue;
            }
            (Kind::Route, value) => (&mut scope.routes, route(value)),
            (Kind::Api, value) => (&mut scope.apis, api(value)),
            (Kind::Component, value) => (&mut scope.components, value.to_owned()),
            (Kind::Tag, value) => (&mut scope.tags, value.to_owned()),
        };
        if list.contains(&value) {
            continue;
        }
        if list.len() == SCOPE_ENTRIES {
            refuse("a scope has at most 100 entries of a kind");
            continue;
        }
        list.push(value);
    }
    if wrong.is_empty() { Ok(scope) } else { Err(wrong) }
}

#[derive(Clone, Copy)]
enum Kind {
    File,
    Route,
    Api,
    Component,
    Tag,
}

const PREFIXES: [(&str, Kind); 5] = [
    ("file:", Kind::File),
    ("route:", Kind::Route),
    ("api:", Kind::Api),
    ("component:", Kind::Component),
    ("tag:", Kind::Tag),
];

const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"];

fn sorted<'a>(place: &'a str, exists: &dyn Fn(&str) -> bool) -> (Kind, &'a str) {
    for (prefix, kind) in PREFIXES {
        if let Some(value) = place.strip_prefix(prefix) {
            return (kind, value.trim());
        }
    }
    if let Some((method, path)) = place.split_once(char::is_whitespace)
        && METHODS.contains(&method.to_ascii_uppercase().as_str())
        && path.trim_start().starts_with('/')
    {
        return (Kind::Api, place);
    }
    let lower = place.to_ascii_lowercase();
    if lower.starts_with("http://") || lower.starts_with("https://") {
        return (Kind::Route, place);
    }
    let is_file = || inside(place).is_some_and(|path| !path.is_empty() && exists(path.trim_end_matches('/')));
    if !place.starts_with('/') && (place.contains('/') || is_file()) {
        return (Kind::File, place);
    }
    if place.starts_with('/') {
        return (Kind::Route, place);
    }
    if let Some(tag) = place.strip_prefix('#') {
        return (Kind::Tag, tag);
    }
    if is_camel_case(place) { (Kind::Component, place) } else { (Kind::Tag, place) }
}

/// The path of a URL, or the route as it stands.
fn route(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let Some(scheme) = ["http://", "https://"].iter().find(|scheme| lower.starts_with(**scheme)) else {
        return text.to_owned();
    };
    let rest = &text[scheme.len()..];
    let end = rest.find(['?', '#']).unwrap_or(rest.len());
    match rest[..end].find('/') {
        Some(slash) => rest[slash..end].to_owned(),
        None => "/".to_owned(),
    }
}

fn api(text: &str) -> String {
    match text.split_once(char::is_whitespace) {
        Some((method, path)) => format!("{} {}", method.to_ascii_uppercase(), path.trim_start()),
        None => text.to_owned(),
    }
}

/// Two humps at least: `LoginForm`, not `Login` and not `TODO`.
fn is_camel_case(word: &str) -> bool {
    let bytes = word.as_bytes();
    word.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && bytes.first().is_some_and(u8::is_ascii_uppercase)
        && bytes.windows(2).any(|pair| !pair[0].is_ascii_uppercase() && pair[1].is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scope_of(line: &str) -> Scope {
        parse(line, &|path| matches!(path, "Makefile" | "src" | "src/a.rs")).unwrap()
    }

    /// P6: the table of what a line is.
    #[test]
    fn a_line_is_sorted_by_what_it_looks_like() {
        let files = |text: &str| Scope { files: vec![text.to_owned()], ..Scope::default() };
        let routes = |text: &str| Scope { routes: vec![text.to_owned()], ..Scope::default() };
        let apis = |text: &str| Scope { apis: vec![text.to_owned()], ..Scope::default() };
        let components = |text: &str| Scope { components: vec![text.to_owned()], ..Scope::default() };
        let tags = |text: &str| Scope { tags: vec![text.to_owned()], ..Scope::default() };
        #[rustfmt::skip]
        let table = [
            ("file: LoginForm", files("LoginForm")),
            ("route:login", routes("login")),
            ("api: POST /x", apis("POST /x")),
            ("component: button", components("button")),
            ("tag: a/b", tags("a/b")),
            ("POST /users/:id", apis("POST /users/:id")),
            ("get /x", apis("GET /x")),
            ("POST a letter", tags("POST a letter")),
            ("https://shop.example/login?next=/a#x", routes("/login")),
            ("http://shop.example", routes("/")),
            ("https://shop.example?x=/y", routes("/")),
            ("Makefile", files("Makefile")),
            ("src", files("src")),
            ("docs/", files("docs/")),
            ("./src//a/../b.rs", files("src/b.rs")),
            ("src/**/*.rs", files("src/**/*.rs")),
            ("/users/:id", routes("/users/:id")),
            ("#checkout", tags("checkout")),
            ("LoginForm", components("LoginForm")),
            ("Login", tags("Login")),
            ("TODO", tags("TODO")),
            ("A1B", components("A1B")),
            ("the login page", tags("the login page")),
        ];
        for (line, expected) in table {
            assert_eq!(scope_of(line), expected, "{line}");
        }
        let many = scope_of("src/a.rs\n\n  src/a.rs \n#x\r\n/y");
        assert_eq!((many.files.len(), many.tags.len(), many.routes.len()), (1, 1, 1));
    }

    /// P6: paths stay inside the repository, and are not echoed.
    #[test]
    fn a_path_that_leads_out_is_refused() {
        for line in
            ["../secret-name", "a/../../secret-name", "file: /etc/secret-name", "file:", "file: a\\..\\b", "file:C:/x"]
        {
            let wrong = parse(&format!("ok/x\n{line}"), &|_| false).unwrap_err();
            assert_eq!(wrong.len(), 1, "{line}");
            assert_eq!(wrong[0].line, 2);
            assert!(!wrong[0].message.contains("secret-name"));
        }
        assert!(parse("route:", &|_| false).is_err());
        assert!(parse(&"x".repeat(501), &|_| false).is_err());
        let lines: Vec<String> = (0..101).map(|n| format!("a/{n}")).collect();
        assert_eq!(parse(&lines.join("\n"), &|_| false).unwrap_err().len(), 1);
    }

    #[test]
    fn paths_are_normalised() {
        assert_eq!(inside("a/./b//c/").as_deref(), Some("a/b/c/"));
        assert_eq!(inside("a/..").as_deref(), Some(""));
        assert_eq!(inside("..").as_deref(), None);
        assert_eq!(inside("a\0b").as_deref(), None);
    }

    proptest! {
        /// P6: whatever is typed, every file of the scope stays inside.
        #[test]
        fn no_file_of_a_scope_leads_out(text in "([a./:#A-Z ]|\\.\\./){0,40}") {
            if let Ok(scope) = parse(&text, &|_| true) {
                for file in scope.files {
                    prop_assert!(!file.is_empty() && !file.starts_with('/') && !file.split('/').any(|part| part == ".."));
                }
            }
        }
    }
}
