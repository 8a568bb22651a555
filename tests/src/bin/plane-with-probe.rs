//! `proofhouse serve` with the run kind `probe` beside the built-in ones, for tests that kill it.

use std::{path::PathBuf, sync::Arc};

use engine::{Engine, EngineConfig, clock::Clock, data::DataFolder, kind::Kind};
use model::{problem::Problem, project::Project};
use server::ServerConfig;
use store::{Store, StoreUrl};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::oneshot,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(serve())
}

async fn serve() -> Result<(), Box<dyn std::error::Error>> {
    let mut term = signal(SignalKind::terminate())?;
    let root = PathBuf::from(std::env::var_os("PROOFHOUSE_DATA").ok_or("PROOFHOUSE_DATA names no folder")?);
    let arguments: Vec<String> = std::env::args().collect();
    let after =
        |name: &str| arguments.iter().position(|argument| argument == name).and_then(|at| arguments.get(at + 1));
    let data = DataFolder::open(&root, "serve")?;
    let listener = TcpListener::bind(after("--listen").map_or("127.0.0.1:0", String::as_str)).await?;
    let url = match after("--store") {
        Some(url) => url.parse()?,
        None => StoreUrl::Sqlite(data.database()),
    };
    let store = Store::open(url).await?;
    store.on_poison(|why| {
        eprintln!("the store can no longer be written safely: {why}");
        std::process::exit(4);
    });
    let probe: Arc<dyn Kind> = Arc::new(testkit::Probe);
    let engine = Engine::start(EngineConfig {
        data,
        store,
        clock: Clock::system(),
        slots: after("--slots").and_then(|slots| slots.parse().ok()),
        embedded_worker: after("--slots").is_some(),
        kinds: vec![probe],
    })
    .await?;
    add_project(&engine).await?;
    server::auth::local_access(&engine).await?;
    let bound = listener.local_addr()?;
    let config = ServerConfig { bound: Some(bound), ..ServerConfig::default() };
    let router = server::build(server::Plane { engine: engine.clone(), config });
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(server::serve(listener, router, async { drop(stopped.await) }));
    engine.data().publish(&format!("http://{bound}"))?;
    term.recv().await;
    engine.data().unpublish();
    drop(stop);
    let (served, ()) = tokio::join!(serving, engine.shutdown());
    engine.store().close().await;
    served??;
    Ok(())
}

/// Makes sure that the project `probe` is there; it needs no repository.
async fn add_project(engine: &Engine) -> Result<(), Problem> {
    let project = Project {
        id: model::id::ProjectId::from_uuid(engine.clock().id()),
        key: model::project::ProjectKey::slug_of("probe"),
        name: "Probe".to_owned(),
        path: engine.data().root().display().to_string(),
        created_at: engine.now(),
        revision: 1,
    };
    engine
        .store()
        .write(move |tx| {
            let project = project.clone();
            Box::pin(async move {
                if tx.project_by_key(&project.key).await?.is_none() {
                    tx.project_insert(&project).await?;
                }
                Ok::<_, Problem>(())
            })
        })
        .await
}
