//! Where the store lives: `sqlite:PATH` or `postgres://...`.

use std::{fmt, path::PathBuf, str::FromStr};

/// The address of a database.
#[derive(Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// One file on a local disk.
    Sqlite(PathBuf),
    /// A PostgreSQL connection string.
    Postgres(String),
}

/// A text that is no address of a database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a store is written sqlite:PATH or postgres://USER@HOST:PORT/DATABASE")]
pub struct UrlInvalid;

impl FromStr for StoreUrl {
    type Err = UrlInvalid;
    fn from_str(text: &str) -> Result<Self, UrlInvalid> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return if path.is_empty() { Err(UrlInvalid) } else { Ok(Self::Sqlite(path.into())) };
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres(text.to_owned()));
        }
        Err(UrlInvalid)
    }
}

/// Shows no password.
impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(url) => match url.rsplit_once('@') {
                Some((_, place)) => write!(f, "postgres://{}", place.split('?').next().unwrap_or(place)),
                None => f.write_str("postgres"),
            },
        }
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reads_and_never_shows_its_password() {
        assert_eq!("sqlite:/a/b.db".parse(), Ok(StoreUrl::Sqlite("/a/b.db".into())));
        assert_eq!("sqlite:///a/b.db".parse(), Ok(StoreUrl::Sqlite("/a/b.db".into())));
        let url: StoreUrl = "postgres://me:secret@host:5432/db?sslmode=disable".parse().unwrap();
        assert_eq!(format!("{url} {url:?}"), "postgres://host:5432/db postgres://host:5432/db");
        for wrong in ["", "sqlite:", "mysql://x", "/a/b.db"] {
            assert_eq!(wrong.parse::<StoreUrl>(), Err(UrlInvalid), "{wrong}");
        }
    }
}
