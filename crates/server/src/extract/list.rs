//! Comma-separated filters in a query, such as `?status=open,waived`.

use std::str::FromStr;

use model::limits;
use serde::{Deserialize, Deserializer, de::Error as _};

/// A filter of several values; empty when the parameter is absent or blank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List<T>(pub Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: FromStr<Err: std::fmt::Display>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut items = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            if items.len() == limits::FILTER_IDS {
                return Err(D::Error::custom(format!("at most {} values", limits::FILTER_IDS)));
            }
            items.push(part.parse().map_err(D::Error::custom)?);
        }
        Ok(Self(items))
    }
}
