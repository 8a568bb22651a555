//! Path parameters. A malformed id names nothing, so it answers exactly as a missing one (P27).

use axum::{extract::FromRequestParts, http::request::Parts};
use model::{id::ProjectId, problem::Problem, project::ProjectKey};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};

use crate::problem::Refusal;

/// Typed parameters of the path.
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(_) => Err(Problem::not_found().into()),
        }
    }
}

/// `{p}`: a project's key or id (X34). Anything else names no project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProjectName {
    /// By id.
    Id(ProjectId),
    /// By key.
    Key(ProjectKey),
}

impl<'de> Deserialize<'de> for ProjectName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // An id has the shape of a key, too, so it is tried first.
        match (text.parse(), text.parse()) {
            (Ok(id), _) => Ok(Self::Id(id)),
            (Err(_), Ok(key)) => Ok(Self::Key(key)),
            (Err(_), Err(_)) => Err(serde::de::Error::custom("neither a key nor an id of a project")),
        }
    }
}
