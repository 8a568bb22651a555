//! All roles of a project: the built-in ones, overlaid by the files of the repository (D29).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{BUILTIN, Category, Role};
use crate::problem::FieldError;

/// Where a role comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// It came with the plane.
    Builtin,
    /// It is the project's own.
    Project,
    /// It is the project's own, in the place of a built-in one.
    Override,
}

/// A role in the list; one that cannot be read is there with what is wrong with it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Listed {
    /// Its id, which is its file's name.
    pub id: String,
    /// Where it comes from.
    pub origin: Origin,
    /// Its file in the repository, when it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What it says, when it can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// What is wrong with it.
    pub errors: Vec<FieldError>,
}

impl Listed {
    /// Whether an issue can be handed to it.
    pub fn is_selectable(&self) -> bool {
        self.role.as_ref().is_some_and(|role| role.category == Category::Role)
    }

    /// Whether it serves the plane and is listed on request only.
    pub fn is_meta(&self) -> bool {
        self.role.as_ref().is_some_and(|role| role.category == Category::Meta)
    }
}

/// Why a role cannot be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotSelectable {
    /// There is none of that name.
    Unknown,
    /// It is a meta role.
    Meta,
    /// Its file has errors.
    Broken(Vec<FieldError>),
}

/// The roles of a project, by id.
#[derive(Debug, Clone, PartialEq)]
pub struct Catalogue(BTreeMap<String, Listed>);

impl Catalogue {
    /// The built-in roles alone.
    pub fn builtin() -> Self {
        Self::over([])
    }

    /// The built-in roles under the project's files: path below the top of the repository, and text, or why that
    /// could not be read. A bad file never breaks the list; it hides the built-in role of its name, since the project
    /// meant to replace that one.
    pub fn over(files: impl IntoIterator<Item = (String, Result<String, String>)>) -> Self {
        let mut roles: BTreeMap<String, Listed> = BTreeMap::new();
        for (id, text) in BUILTIN {
            let (role, errors) = split(Role::read(id, text));
            roles
                .insert(id.to_owned(), Listed { id: id.to_owned(), origin: Origin::Builtin, path: None, role, errors });
        }
        for (path, text) in files {
            let name = path.rsplit('/').next().unwrap_or(&path);
            let Some(stem) = name.strip_suffix(".md") else { continue };
            let (role, errors) = match text {
                Ok(text) => split(Role::read(stem, &text)),
                Err(why) => (None, vec![FieldError::new("", why)]),
            };
            let origin = if roles.contains_key(stem) { Origin::Override } else { Origin::Project };
            let listed = Listed { id: stem.to_owned(), origin, path: Some(path.clone()), role, errors };
            roles.insert(stem.to_owned(), listed);
        }
        Self(roles)
    }

    /// All of them, in order; meta roles only where asked for.
    pub fn list(&self, with_meta: bool) -> Vec<&Listed> {
        self.0.values().filter(|listed| with_meta || !listed.is_meta()).collect()
    }

    /// One of them.
    pub fn get(&self, id: &str) -> Option<&Listed> {
        self.0.get(id)
    }

    /// A role that an issue can be handed to.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn choose(&self, id: &str) -> Result<&Role, NotSelectable> {
        let listed = self.0.get(id).ok_or(NotSelectable::Unknown)?;
        match &listed.role {
            None => Err(NotSelectable::Broken(listed.errors.clone())),
            Some(role) if role.category == Category::Meta => Err(NotSelectable::Meta),
            Some(role) => Ok(role),
        }
    }
}

fn split(read: Result<Role, Vec<FieldError>>) -> (Option<Role>, Vec<FieldError>) {
    match read {
        Ok(role) => (Some(role), Vec::new()),
        Err(errors) => (None, errors),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(id: &str) -> (String, Result<String, String>) {
        let text = BUILTIN.iter().find(|(known, _)| *known == "reviewer").unwrap().1;
        (format!(".proofhouse/roles/{id}.md"), Ok(text.replace("id: reviewer", &format!("id: {id}"))))
    }

    // D29
    #[test]
    fn the_projects_files_lie_over_the_built_in_ones() {
        let bad = (".proofhouse/roles/architect.md".to_owned(), Ok("what".to_owned()));
        let large = (".proofhouse/roles/big.md".to_owned(), Err("it is larger than 65536 bytes".to_owned()));
        let readme = (".proofhouse/roles/README.txt".to_owned(), Ok(String::new()));
        let roles = Catalogue::over([file("implementer"), file("mine"), bad, large, readme]);
        assert_eq!(roles.get("implementer").unwrap().origin, Origin::Override);
        assert_eq!(roles.choose("implementer").unwrap().timeout_s, 900, "the project's wins");
        assert_eq!(roles.get("mine").unwrap().origin, Origin::Project);
        assert!(!roles.get("architect").unwrap().is_selectable());
        assert!(matches!(roles.choose("architect"), Err(NotSelectable::Broken(_))));
        assert!(matches!(roles.choose("big"), Err(NotSelectable::Broken(_))));
        assert_eq!(roles.choose("planner"), Err(NotSelectable::Meta));
        assert_eq!(roles.choose("README"), Err(NotSelectable::Unknown));
        // Listed all the same, but for those who serve the plane.
        let ids = |meta| roles.list(meta).into_iter().map(|listed| listed.id.as_str()).collect::<Vec<_>>();
        assert!(ids(false).contains(&"architect") && !ids(false).contains(&"router") && ids(true).contains(&"router"));
    }
}
