//! The plane under test: a process of its own, so that the load is beside it and not in it. The
//! benchmark starts itself again with the hidden argument `plane`.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    net::SocketAddr,
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use testkit::plane::{TestPlane, Wanted};

use crate::{http::Connection, seed::Seed};

/// What the plane is to be; travels as JSON in the child's arguments.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Order {
    /// A PostgreSQL server to take a schema on.
    pub postgres: Option<String>,
    /// Slots of an embedded worker.
    pub worker: Option<usize>,
    /// Rows to be there before the first call.
    pub seed: Option<Seed>,
}

/// What the child tells when it is ready.
#[derive(Debug, Serialize, Deserialize)]
struct Ready {
    address: SocketAddr,
    token: String,
    project: String,
    seeded: serde_json::Value,
}

/// A running plane. Dropped, its process ends and its data is gone.
#[derive(Debug)]
pub struct Plane {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its owner's token.
    pub token: String,
    /// The id of a project without a repository, for probe runs.
    pub project: String,
    /// What the seeding made, in its own words.
    pub seeded: serde_json::Value,
}

impl Plane {
    /// Starts a plane and waits until it is ready.
    pub fn start(order: &Order) -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("plane")
            .arg(serde_json::to_string(order)?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("failed to start the plane under test")?;
        let mut line = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out).read_line(&mut line)?;
        }
        if line.is_empty() {
            let status = child.wait()?;
            bail!("the plane under test ended before it was ready: {status}");
        }
        let ready: Ready = serde_json::from_str(&line)?;
        Ok(Self { child, address: ready.address, token: ready.token, project: ready.project, seeded: ready.seeded })
    }

    /// A plane on SQLite without rows and without an embedded worker.
    pub fn empty() -> anyhow::Result<Self> {
        Self::start(&Order::default())
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A connection as its owner.
    pub async fn connect(&self) -> anyhow::Result<Connection> {
        Connection::open(self.address, &self.token).await
    }
}

impl Drop for Plane {
    fn drop(&mut self) {
        // The child ends by itself when its standard input does, and takes its folder and its schema
        // with it; it is only waited for here.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// The child's side: serves until standard input ends.
pub fn serve(order: &str) -> anyhow::Result<()> {
    let order: Order = serde_json::from_str(order)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let plane = TestPlane::with(Wanted {
            postgres: order.postgres,
            real_time: true,
            worker: order.worker,
            streams_per_caller: 20_000,
        })
        .await;
        let project = plane.project("bench", plane.folder()).await;
        let seeded = match &order.seed {
            Some(seed) => seed.sow(&plane.engine, project).await?,
            None => serde_json::Value::Null,
        };
        let served = plane.serve().await;
        let ready =
            Ready { address: served.address, token: served.token.clone(), project: project.to_string(), seeded };
        println!("{}", serde_json::to_string(&ready)?);
        tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
        // No ordered stop: the benchmark is over, and thousands of its streams may still be open.
        drop(plane);
        Ok(())
    })
}
