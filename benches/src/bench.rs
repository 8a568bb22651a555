//! What a benchmark is, and where it takes place.

use std::{future::Future, path::PathBuf, pin::Pin};

use crate::report::Report;

/// A benchmark on its way.
pub type Measuring<'s> = Pin<Box<dyn Future<Output = anyhow::Result<()>> + 's>>;

/// One benchmark: the id it is selected by, and its body.
pub struct Bench {
    /// As in table B.
    pub id: &'static str,
    /// Measures, and reports its lines.
    pub run: for<'s> fn(&'s mut Scene) -> Measuring<'s>,
}

/// What benchmarks share.
#[derive(Debug)]
pub struct Scene {
    /// Where the lines go.
    pub report: Report,
    /// The PostgreSQL server to use, if there is one.
    pub postgres: Option<String>,
    /// The program under test, if it has been built.
    pub program: Option<PathBuf>,
}

impl Scene {
    /// The stores to measure on, by name.
    pub fn stores(&self) -> Vec<(&'static str, Option<String>)> {
        let mut stores = vec![("sqlite", None)];
        stores.extend(self.postgres.clone().map(|server| ("postgres", Some(server))));
        stores
    }
}

impl Bench {
    /// Whether this is the benchmark of that name, in either case.
    pub fn is(&self, name: &str) -> bool {
        self.id.eq_ignore_ascii_case(name)
    }
}
