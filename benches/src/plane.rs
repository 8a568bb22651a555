//! The plane under test: a process of its own, so that the load is beside it and not in it. The
//! benchmark starts itself again with the hidden argument `plane`.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, bail};
use engine::{
    Engine,
    projects::{NewProject, POLICY, PROOF},
};
use model::{actor::Actor, id::UserId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use testkit::plane::{TestPlane, Wanted};

use crate::{
    http::Connection,
    seed::{self, Seed},
};

/// What the plane is to be; travels as JSON in the child's arguments.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Order {
    /// A PostgreSQL server to take a schema on.
    pub postgres: Option<String>,
    /// Slots of an embedded worker.
    pub worker: Option<usize>,
    /// Rows to be there before the first call.
    pub seed: Option<Seed>,
    /// A repository whose gates it may run.
    #[serde(default)]
    pub gates: Option<Gates>,
}

/// A repository that declares the gate `unit`, which runs one program with a test's name.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Gates {
    /// Where it lies.
    pub repository: PathBuf,
    /// The program, allowed by the project's policy.
    pub program: String,
    /// Requirements to capture, each with a test of its own.
    pub requirements: u32,
    /// Pieces of evidence to store, over all of them and in runs of their own.
    pub evidence: u32,
}

impl Gates {
    /// Registers it, allows the program, captures the requirements; what the benchmark is told.
    async fn sow(&self, engine: &Engine) -> anyhow::Result<serde_json::Value> {
        let owner = Actor::Person { id: UserId::from_uuid(engine.clock().id()), name: "bench".to_owned() };
        let new = NewProject { path: self.repository.display().to_string(), key: None, name: None };
        let project = engine.register_project(new, &owner).await?.project;
        let policy = json!({"commands": [{"program": self.program, "decision": "allow", "inline": true}]});
        engine.set_document(project.id, POLICY, policy, 0, &owner).await?;
        for number in 0..self.requirements {
            let body = json!({
                "title": format!("part {number} holds"), "description": "It does.", "gates": ["unit"],
                "rules": [{"gate": "unit", "how": "test", "test": format!("t_{number}")}],
            });
            engine::proof::requirements::capture(engine, &project, &body, &owner, None).await?;
        }
        seed::evidence(engine, project.id, self.requirements, self.evidence).await?;
        Ok(json!({"project": project.id}))
    }
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
            Some(seed) => {
                // As much as a project can be told to keep, or the sweep would take the rows away while they are listed.
                let owner =
                    Actor::Person { id: UserId::from_uuid(plane.engine.clock().id()), name: "bench".to_owned() };
                let keep = json!({"keep_runs": 100_000, "keep_days": 36_500});
                plane.engine.set_document(project, PROOF, keep, 0, &owner).await?;
                seed.sow(&plane.engine, project).await?
            }
            None => serde_json::Value::Null,
        };
        let seeded = match &order.gates {
            Some(gates) => gates.sow(&plane.engine).await?,
            None => seeded,
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
