//! The roles that come with the plane.

use super::Role;

/// The file of each, by its id.
pub const BUILTIN: [(&str, &str); 9] = [
    ("api-writer", include_str!("../../roles/api-writer.md")),
    ("architect", include_str!("../../roles/architect.md")),
    ("implementer", include_str!("../../roles/implementer.md")),
    ("planner", include_str!("../../roles/planner.md")),
    ("reviewer", include_str!("../../roles/reviewer.md")),
    ("router", include_str!("../../roles/router.md")),
    ("schema-designer", include_str!("../../roles/schema-designer.md")),
    ("test-writer", include_str!("../../roles/test-writer.md")),
    ("ui-builder", include_str!("../../roles/ui-builder.md")),
];

/// A built-in role.
pub fn builtin(id: &str) -> Option<Role> {
    let (id, text) = BUILTIN.iter().find(|(known, _)| *known == id)?;
    Role::read(id, text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::role::{Category, Values, render};

    // D29: the list of the page, each readable, with the time it is given, and no place that means nothing.
    #[test]
    fn every_built_in_role_is_sound() {
        let times = [
            ("reviewer", 900),
            ("test-writer", 1_200),
            ("api-writer", 1_800),
            ("ui-builder", 2_700),
            ("schema-designer", 2_700),
            ("implementer", 3_600),
            ("architect", 5_400),
            ("planner", 300),
            ("router", 60),
        ];
        assert_eq!(times.len(), BUILTIN.len());
        for (id, time) in times {
            let (_, text) = BUILTIN.iter().find(|(known, _)| *known == id).unwrap();
            let role = Role::read(id, text).unwrap_or_else(|errors| panic!("{id}: {errors:?}"));
            assert_eq!(role.timeout_s, time, "{id}");
            assert_eq!(role.category == Category::Meta, matches!(id, "planner" | "router"), "{id}");
            let rendered = render(&role, &Values { instructions: "x".into(), ..Values::default() });
            assert!(rendered.unknown.is_empty() && !rendered.appended, "{id}: {:?}", rendered.unknown);
            for place in ["{{issue.title}}", "{{issue.body}}", "{{context}}"] {
                assert!(role.prompt.contains(place), "{id} has no {place}");
            }
        }
        assert!(builtin("nobody").is_none());
    }
}
