//! Extractors of our own, so that every wrong request is refused in the same words and with the same
//! status wherever it is wrong: not JSON 400, wrong value 422, malformed id 404 (X26).

mod headers;
mod json;
mod list;
mod path;
mod query;

pub use self::{
    headers::{IfMatch, OnceKey},
    json::{Json, Keyed},
    list::List,
    path::{Path, ProjectName},
    query::Query,
};
