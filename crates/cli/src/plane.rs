//! The whole plane inside one process: data folder, store, engine, router. `serve` puts it on a
//! socket; a command that finds no server calls its router without one.

use std::{
    convert::Infallible,
    fmt, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use engine::{
    Engine, EngineConfig,
    clock::Clock,
    data::{DataFolder, ServerAddress},
};
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response};
use model::{code::Code, problem::Problem};
use server::ServerConfig;
use store::{Store, StoreUrl};
use tokio::{
    net::{TcpListener, lookup_host},
    sync::oneshot,
    task::JoinHandle,
    time::{Instant, sleep},
};
use tower::ServiceExt as _;

use crate::{
    exit::Exit,
    fault::{Doing as _, Fault},
    transport::{Body, Lost},
};

/// How a plane is opened.
#[derive(Debug, Clone)]
pub struct Opening<'a> {
    /// The data folder.
    pub data: &'a Path,
    /// The store, where it is not the folder's own database.
    pub store: Option<&'a str>,
    /// The folder in which blobs lie, where it is not the data folder.
    pub blobs: Option<PathBuf>,
    /// What the process is, for whoever else wants the folder.
    pub owner: &'a str,
    /// Where to listen; nowhere for a command that ends soon.
    pub listen: Option<&'a str>,
    /// Names, beside loopback, under which the server may be called.
    pub allowed_hosts: Vec<String>,
    /// Where backups go that are asked for over the network; a folder in the data folder when absent.
    pub backups: Option<PathBuf>,
    /// Whether this process does the work of runs.
    pub works: bool,
    /// Commands at once, where it is not the machine's cores.
    pub slots: Option<usize>,
}

/// A running plane. Cheap to clone.
#[derive(Clone)]
pub struct Plane {
    inner: Arc<Inner>,
}

struct Inner {
    engine: Engine,
    router: axum::Router,
    token: String,
    bound: Option<SocketAddr>,
    serving: Mutex<Option<Serving>>,
}

struct Serving {
    stop: oneshot::Sender<()>,
    ended: JoinHandle<io::Result<()>>,
}

impl fmt::Debug for Plane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plane").field("bound", &self.inner.bound).finish_non_exhaustive()
    }
}

impl Plane {
    /// Takes the folder's lock, opens the store, starts the engine and, where asked to, listens.
    pub async fn open(opening: Opening<'_>) -> Result<Self, Fault> {
        let data = DataFolder::open(opening.data, opening.owner)?.with_blobs(opening.blobs);
        let killed = engine::data::server_of(data.root());
        let listener = match opening.listen {
            Some(address) => Some(bind(address, killed.as_ref()).await?),
            None => None,
        };
        let bound = match &listener {
            Some(listener) => {
                Some(listener.local_addr().map_err(|error| cannot_listen(opening.listen.unwrap_or_default(), &error))?)
            }
            None => None,
        };
        let url = match opening.store {
            Some(text) => text.parse::<StoreUrl>().map_err(|wrong| Fault::usage(wrong.to_string()))?,
            None => StoreUrl::Sqlite(data.database()),
        };
        let store = Store::open(url).await.map_err(Problem::from).doing("open the store")?;
        store.on_poison(|why| {
            // A sync that failed leaves the store in a state that only a fresh start can tell; whatever
            // was acknowledged is safe, and nothing may be acknowledged any more.
            tracing::error!(why, "the store can no longer be written safely");
            std::process::exit(Exit::Unreachable.number().into());
        });
        let config = EngineConfig {
            data,
            store,
            clock: Clock::system(),
            slots: opening.slots,
            embedded_worker: opening.works,
            kinds: Vec::new(),
        };
        let engine = Engine::start(config).await.doing("start the plane")?;
        let access = server::auth::local_access(&engine).await.doing("prepare the local access")?;
        let config = ServerConfig {
            bound,
            allowed_hosts: opening.allowed_hosts,
            backups: opening.backups,
            ..ServerConfig::default()
        };
        let router = server::build(server::Plane { engine: engine.clone(), config });
        let serving = listener.map(|listener| serve(listener, router.clone()));
        let inner =
            Inner { engine, router, token: access.token.reveal().to_owned(), bound, serving: Mutex::new(serving) };
        let plane = Self { inner: Arc::new(inner) };
        if let Some(url) = plane.url() {
            plane.inner.engine.data().publish(&url).map_err(|error| {
                Fault::new(Code::DataFolderUnusable, format!("failed to write to the data folder: {error}"))
            })?;
        }
        Ok(plane)
    }

    /// Where it listens. An unspecified address is told as loopback, since that is one that works here.
    pub fn url(&self) -> Option<String> {
        let mut address = self.inner.bound?;
        if address.ip().is_unspecified() {
            let loopback: std::net::IpAddr = match address {
                SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
            };
            address.set_ip(loopback);
        }
        Some(format!("http://{address}"))
    }

    /// The address it is bound to.
    pub fn bound(&self) -> Option<SocketAddr> {
        self.inner.bound
    }

    /// The token of the data folder's owner.
    pub fn token(&self) -> &str {
        &self.inner.token
    }

    /// A link that signs the data folder's owner in, once.
    pub async fn sign_in_link(&self) -> Result<String, Fault> {
        let code = server::auth::sign_in_code(&self.inner.engine).await.doing("make a sign-in link")?;
        Ok(format!("{}/sign-in?code={}", self.url().unwrap_or_default(), code.reveal()))
    }

    /// Sends a request into the router, without a socket.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Body>, Lost> {
        let answered: Result<_, Infallible> =
            self.inner.router.clone().oneshot(request.map(axum::body::Body::new)).await;
        let answer = match answered {
            Ok(answer) => answer,
            Err(never) => match never {},
        };
        Ok(answer.map(|body| body.map_err(|error| Lost(format!("the answer broke off: {error}"))).boxed_unsync()))
    }

    /// Ends it in order: no new connections, accepted calls answered, leases handed back (F21), and
    /// last the store closed, with everything in its file (F11).
    pub async fn close(&self) {
        self.inner.engine.data().unpublish();
        let serving = self.inner.serving.lock().unwrap_or_else(PoisonError::into_inner).take();
        let http = async {
            if let Some(Serving { stop, ended }) = serving {
                // A receiver that is gone has stopped already.
                let _ = stop.send(());
                if let Ok(Err(error)) = ended.await {
                    tracing::warn!(%error, "the listener failed");
                }
            }
        };
        tokio::join!(http, self.inner.engine.shutdown());
        self.inner.engine.store().close().await;
    }
}

fn serve(listener: TcpListener, router: axum::Router) -> Serving {
    let (stop, stopped) = oneshot::channel::<()>();
    let ended = tokio::spawn(server::serve(listener, router, async move {
        // A sender that was dropped means the same: nobody wants it any more.
        let _ = stopped.await;
    }));
    Serving { stop, ended }
}

/// How long an address is tried that the folder's last server was killed on: a child that it was just
/// starting may hold the socket until it comes to execute its program.
const AFTER_A_KILL: Duration = Duration::from_secs(3);

/// Binds an address such as `127.0.0.1:7420` or `localhost:7420`. `killed` is the folder's last server,
/// when it did not end in order.
async fn bind(address: &str, killed: Option<&ServerAddress>) -> Result<TcpListener, Fault> {
    let wrong = || Fault::usage(format!("--listen {address}: expected ADDRESS:PORT, such as 127.0.0.1:7420"));
    let candidates: Vec<SocketAddr> = lookup_host(address).await.map_err(|_| wrong())?.collect();
    let port = |url: &str| url.rsplit(':').next().and_then(|port| port.parse::<u16>().ok());
    let again = killed
        .and_then(|server| port(&server.url))
        .is_some_and(|port| candidates.iter().any(|candidate| candidate.port() == port));
    let until = Instant::now() + if again { AFTER_A_KILL } else { Duration::ZERO };
    loop {
        match TcpListener::bind(&*candidates).await {
            Ok(listener) => return Ok(listener),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && Instant::now() < until => {
                sleep(Duration::from_millis(20)).await;
            }
            Err(error) => return Err(cannot_listen(address, &error)),
        }
    }
}

fn cannot_listen(address: &str, error: &io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            Fault::new(Code::PortInUse, format!("failed to listen on {address}: another program does"))
        }
        _ => Fault::new(Code::PortInUse, format!("failed to listen on {address}: {error}")),
    }
}
