//! A plane of its own for each test: a temporary data folder, a real SQLite store, a real engine,
//! and the router called in process or over a socket.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use engine::{Clock, DataFolder, Engine, EngineConfig, kind::Kind};
use http_body_util::BodyExt as _;
use model::{id::ProjectId, project::Project};
use serde_json::{Value, json};
use server::{Page, Plane, ServeLimits, ServerConfig, auth::local_access};
use store::{Store, StoreUrl};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tower::ServiceExt as _;

use crate::contract;

/// An answer, read whole.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub bytes: bytes::Bytes,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|error| panic!("{error}: {:?}", self.bytes))
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.bytes.to_vec()).unwrap()
    }

    /// The problem's code, such as `PH-1003`.
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", String::from_utf8_lossy(&self.bytes));
        self
    }

    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> Self {
        let answer = self.expect(status);
        assert_eq!(answer.code(), code, "{}", answer.text());
        assert_eq!(answer.headers[header::CONTENT_TYPE], "application/problem+json");
        answer
    }
}

/// A request in the making.
pub struct Ask {
    request: axum::http::request::Builder,
    body: Body,
    router: Router,
}

impl Ask {
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    pub fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub fn json(mut self, body: &Value) -> Self {
        self.body = Body::from(body.to_string());
        self.header("content-type", "application/json")
    }

    pub fn raw(mut self, body: impl Into<Body>) -> Self {
        self.body = body.into();
        self
    }

    pub async fn send(self) -> Answer {
        let request = self.request.body(self.body).unwrap();
        let (method, path) = (request.method().to_string(), request.uri().to_string());
        let response = self.router.oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if kind.ends_with("json") && !kind.ends_with("x-ndjson") && !path.ends_with("openapi.json") {
            contract::hold(&method, &path, parts.status.as_u16(), &serde_json::from_slice(&bytes).unwrap());
        }
        Answer { status: parts.status, headers: parts.headers, bytes }
    }

    /// The answer with its body unread, for streams.
    pub async fn open(self) -> axum::response::Response {
        self.router.oneshot(self.request.body(self.body).unwrap()).await.unwrap()
    }
}

pub struct TestPlane {
    pub engine: Engine,
    pub router: Router,
    /// The owner's token: an admin, a person.
    pub admin: String,
    pub project: Project,
    _folder: TempDir,
}

impl TestPlane {
    pub async fn start() -> Self {
        Self::with(ServerConfig { page: Page::Absent, ..ServerConfig::default() }).await
    }

    pub async fn with(config: ServerConfig) -> Self {
        Self::of(config, Vec::new()).await
    }

    pub async fn with_kinds(kinds: Vec<Arc<dyn Kind>>) -> Self {
        Self::of(ServerConfig::default(), kinds).await
    }

    async fn of(config: ServerConfig, mut kinds: Vec<Arc<dyn Kind>>) -> Self {
        kinds.push(Arc::new(testkit::probe::Probe));
        let folder = tempfile::tempdir().unwrap();
        let data = DataFolder::open(&folder.path().join("data"), "test").unwrap();
        let store = Store::open(StoreUrl::Sqlite(data.database())).await.unwrap();
        let engine = Engine::start(EngineConfig {
            data,
            store,
            clock: Clock::system(),
            slots: Some(1),
            embedded_worker: false,
            kinds,
        })
        .await
        .unwrap();
        let admin = local_access(&engine).await.unwrap().token.reveal().to_owned();
        let router = server::build(Plane { engine: engine.clone(), config });
        let project = add_project(&engine, "one").await;
        Self { engine, router, admin, project, _folder: folder }
    }

    /// A request without credentials.
    pub fn ask(&self, method: Method, path: &str) -> Ask {
        Ask { request: Request::builder().method(method).uri(path), body: Body::empty(), router: self.router.clone() }
    }

    pub fn get(&self, path: &str) -> Ask {
        self.ask(Method::GET, path).token(&self.admin)
    }

    pub fn post(&self, path: &str, body: &Value) -> Ask {
        self.ask(Method::POST, path).token(&self.admin).json(body)
    }

    /// A token made through the API.
    pub async fn token(&self, body: Value) -> String {
        let mut body = body;
        if body.get("label").is_none() {
            body["label"] = json!("test");
        }
        let answer = self.post("/api/v1/tokens", &body).send().await.expect(201);
        answer.json()["secret"].as_str().unwrap().to_owned()
    }

    pub async fn worker(&self) -> String {
        self.token(json!({"kind": "worker"})).await
    }

    /// A token that knows only another project.
    pub async fn foreigner(&self) -> String {
        let other = add_project(&self.engine, "other").await;
        self.token(json!({"kind": "program", "role": "admin", "project": other.id})).await
    }

    /// A probe run with this many tasks; answers its id.
    pub async fn probe(&self, tasks: u32) -> String {
        let body = json!({"kind": "probe", "config": {"tasks": tasks}});
        let answer = self.post(&self.runs(), &body).send().await.expect(202);
        answer.json()["run"].as_str().unwrap().to_owned()
    }

    pub fn runs(&self) -> String {
        format!("/api/v1/projects/{}/runs", self.project.key)
    }

    /// Claims so many tasks as this worker; answers the leases.
    pub async fn claim(&self, worker: &str, max: u32) -> Vec<Value> {
        let body = json!({"claim_id": uuid::Uuid::now_v7(), "max": max, "queues": ["probe"]});
        let answer = self.ask(Method::POST, "/api/v1/worker/claim").token(worker).json(&body).send().await.expect(200);
        answer.json()["tasks"].as_array().unwrap().clone()
    }

    /// Serves on a loopback socket until the returned handle is used.
    pub async fn serve(&self) -> Served {
        self.serve_with(ServeLimits::default()).await
    }

    pub async fn serve_with(&self, limits: ServeLimits) -> Served {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let router = self.router.clone();
        let task = tokio::spawn(async move {
            server::serve_with(listener, router, async { drop(stopped.await) }, limits).await.unwrap();
        });
        Served { address, stop: Some(stop), task: Some(task) }
    }
}

/// A server on a socket.
pub struct Served {
    pub address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: Option<tokio::task::JoinHandle<()>>,
}

impl Served {
    /// Asks it to stop and waits until it did.
    pub async fn stop(&mut self) -> Duration {
        let begin = std::time::Instant::now();
        drop(self.stop.take());
        self.task.take().unwrap().await.unwrap();
        begin.elapsed()
    }

    pub fn begin_stop(&mut self) {
        drop(self.stop.take());
    }
}

pub async fn add_project(engine: &Engine, key: &str) -> Project {
    let project = Project {
        id: ProjectId::from_uuid(engine.clock().id()),
        key: key.parse().unwrap(),
        name: key.to_owned(),
        path: format!("/nowhere/{key}"),
        created_at: engine.now(),
        revision: 1,
    };
    let stored = project.clone();
    engine
        .store()
        .write(move |tx| {
            let project = stored.clone();
            Box::pin(async move { tx.project_insert(&project).await })
        })
        .await
        .map_err(|error: store::StoreError| error)
        .unwrap();
    project
}
