//! A database of its own for one test or benchmark, gone when it is dropped.

use std::path::Path;

use store::StoreUrl;

/// Where a throw-away plane keeps its rows.
#[derive(Debug)]
pub struct Database {
    url: StoreUrl,
    schema: Option<Schema>,
}

#[derive(Debug)]
struct Schema {
    server: String,
    name: String,
}

/// The PostgreSQL server that tests may use, when one is named.
pub fn postgres_server() -> Option<String> {
    std::env::var("PROOFHOUSE_TEST_POSTGRES").ok().filter(|url| !url.is_empty())
}

impl Database {
    /// A SQLite file in this folder.
    pub fn sqlite(folder: &Path) -> Self {
        Self { url: StoreUrl::Sqlite(folder.join("proofhouse.db")), schema: None }
    }

    /// A schema of its own on a PostgreSQL server.
    pub fn postgres(server: &str) -> Self {
        let name = format!("t_{}", uuid::Uuid::now_v7().simple());
        let schema = Schema { server: server.to_owned(), name };
        schema
            .execute(&format!("CREATE SCHEMA {}", schema.name))
            .unwrap_or_else(|error| panic!("failed to make a schema on {server}: {error}"));
        let mark = if server.contains('?') { '&' } else { '?' };
        let url = StoreUrl::Postgres(format!("{server}{mark}options=-csearch_path%3D{}", schema.name));
        Self { url, schema: Some(schema) }
    }

    /// Its address.
    pub fn url(&self) -> &StoreUrl {
        &self.url
    }

    /// Its address as a program is told it; with the password, if there is one.
    pub fn address(&self) -> String {
        match &self.url {
            StoreUrl::Sqlite(path) => format!("sqlite:{}", path.display()),
            StoreUrl::Postgres(url) => url.clone(),
        }
    }

    /// The name of its schema, where it has one.
    pub fn schema(&self) -> Option<&str> {
        self.schema.as_ref().map(|schema| schema.name.as_str())
    }

    /// Does harm, or looks behind the store's back: a statement on the PostgreSQL server itself.
    pub fn execute(&self, statement: &str) -> Result<(), tokio_postgres::Error> {
        self.schema.as_ref().expect("only a PostgreSQL database takes statements").execute(statement)
    }
}

impl Schema {
    /// On a thread of its own, so that it also works inside an async test and while dropping.
    fn execute(&self, statement: &str) -> Result<(), tokio_postgres::Error> {
        std::thread::scope(|scope| {
            let work = scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .expect("a runtime needs only a few descriptors");
                runtime.block_on(async {
                    let (client, connection) = tokio_postgres::connect(&self.server, tokio_postgres::NoTls).await?;
                    tokio::spawn(connection);
                    client.batch_execute(statement).await
                })
            });
            work.join().expect("the statement's thread does not panic")
        })
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Some(schema) = &self.schema {
            // What could not be dropped lies in a schema that no other test looks at.
            let _ = schema.execute(&format!("DROP SCHEMA {} CASCADE", schema.name));
        }
    }
}
