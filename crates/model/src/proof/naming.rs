//! Names of the tests that a requirement asks for (P7).

use super::{gate::GateName, requirement::RequirementNumber};

/// The longest slug.
const SLUG: usize = 40;

/// A title as part of an identifier: lower case, what is not `a-z0-9` becomes one `_`, at most 40,
/// never empty.
pub fn slug(title: &str) -> String {
    let mut out = String::new();
    for c in title.chars().flat_map(char::to_lowercase) {
        if out.len() == SLUG {
            break;
        }
        if c.is_ascii_lowercase() || c.is_ascii_digit() {
            out.push(c);
        } else if !out.ends_with('_') && !out.is_empty() {
            out.push('_');
        }
    }
    let slug = out.trim_end_matches('_');
    if slug.is_empty() { "case".to_owned() } else { slug.to_owned() }
}

/// A gate's name as part of an identifier.
pub fn gate_ident(gate: &GateName) -> String {
    gate.as_str().replace('-', "_")
}

/// The name of the test that proves a gate of a requirement, with the prefix that its runner needs
/// (`test_`, `Test`). It holds the number, so that equal titles never share one.
pub fn test_name(prefix: &str, id: RequirementNumber, gate: &GateName, title: &str) -> String {
    let name = format!("{}_{}_{}", id.snake(), gate_ident(gate), slug(title));
    // Go wants an upper-case letter behind `Test`; `_` would do as well and reads worse.
    if prefix == "Test" { format!("TestReq{}", &name["req".len()..]) } else { format!("{prefix}{name}") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// P7: the table of slugs.
    #[test]
    fn a_slug_is_plain_and_short() {
        for (title, expected) in [
            ("Login fails", "login_fails"),
            ("  --  ", "case"),
            ("", "case"),
            ("日本", "case"),
            ("Ünï 2%", "n_2"),
            ("a/../b; rm -rf \"$HOME\"", "a_b_rm_rf_home"),
        ] {
            assert_eq!(slug(title), expected, "{title}");
        }
        assert_eq!(slug(&"x".repeat(99)).len(), 40);
    }

    /// P7: the name holds the number and the gate, with the runner's prefix.
    #[test]
    fn a_test_name_has_number_gate_and_prefix() {
        let id = RequirementNumber::new(7).unwrap();
        let unit = "unit".parse().unwrap();
        let own = "my-gate".parse().unwrap();
        assert_eq!(test_name("", id, &unit, "Login fails"), "req_0007_unit_login_fails");
        assert_eq!(test_name("test_", id, &own, "Login"), "test_req_0007_my_gate_login");
        assert_eq!(test_name("Test", id, &unit, "Login"), "TestReq_0007_unit_login");
    }

    proptest! {
        /// P7, P10: whatever the title, the name is an identifier and differs by number.
        #[test]
        fn a_name_is_always_an_identifier(title in ".{0,80}", a in 1u32..20_000, b in 1u32..20_000) {
            let gate = "unit".parse().unwrap();
            let name = |n| test_name("test_", RequirementNumber::new(n).unwrap(), &gate, &title);
            prop_assert!(name(a).bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'));
            prop_assert_eq!(name(a) == name(b), a == b);
        }
    }
}
