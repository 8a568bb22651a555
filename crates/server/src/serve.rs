//! Serving a router on a socket: HTTP/1.1 with bounded headers, buffers, times and connections, and
//! an end that answers what was accepted (F21).

use std::{
    convert::Infallible,
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{Router, body::Body, extract::Request, response::Response};
use hyper::{body::Incoming, server::conn::http1, service::Service as HyperService};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{Instant, Sleep},
};
use tower::Service as _;

use crate::limits;

/// Who is on the other end of the connection; absent for calls within the process.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// Tells what hangs on a connection that the server is about to stop.
#[derive(Debug, Clone)]
pub struct Closing(watch::Receiver<bool>);

impl Closing {
    /// Ends when the server begins to stop; never for calls within the process.
    pub async fn wait(closing: &mut Option<Self>) {
        match closing {
            // The sender lives as long as `serve`; when it is gone the server is, too.
            Some(Self(watch)) => drop(watch.wait_for(|closing| *closing).await),
            None => std::future::pending().await,
        }
    }
}

/// How the server treats connections.
#[derive(Debug, Clone, Copy)]
pub struct ServeLimits {
    /// See [`limits::HEADER_READ`].
    pub header_read: Duration,
    /// See [`limits::CONNECTIONS`].
    pub connections: usize,
    /// See [`limits::SHUTDOWN`].
    pub shutdown: Duration,
}

impl Default for ServeLimits {
    fn default() -> Self {
        Self { header_read: limits::HEADER_READ, connections: limits::CONNECTIONS, shutdown: limits::SHUTDOWN }
    }
}

/// Serves until `shutdown` ends; then refuses new connections, tells streams to come back later,
/// answers the calls that were accepted, and returns within ten seconds.
///
/// # Errors
/// When the listener itself fails for good.
pub async fn serve(listener: TcpListener, router: Router, shutdown: impl Future<Output = ()> + Send) -> io::Result<()> {
    serve_with(listener, router, shutdown, ServeLimits::default()).await
}

/// [`serve`], with limits of the caller's choice.
///
/// # Errors
/// When the listener itself fails for good.
pub async fn serve_with(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send,
    bounds: ServeLimits,
) -> io::Result<()> {
    let (close, closing) = watch::channel(false);
    let places = Arc::new(Semaphore::new(bounds.connections));
    let mut connections = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    let http = builder(bounds);
    loop {
        while connections.try_join_next().is_some() {}
        let next = async {
            // The semaphore is never closed, so the only other case cannot happen.
            let place = Arc::clone(&places).acquire_owned().await.ok();
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = next => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let _ = stream.set_nodelay(true);
                let service =
                    PeerService { router: router.clone(), peer: Peer(peer), closing: Closing(closing.clone()) };
                let connection = connection(http.clone(), stream, service, closing.clone());
                connections.spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            Err(error) if is_about_one_connection(&error) => {}
            Err(error) => {
                // Usually no file descriptors are left; they come back as connections end.
                tracing::warn!(%error, "failed to accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    let _ = close.send(true);
    let all_ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(bounds.shutdown, all_ended).await.is_err() {
        tracing::warn!(left = connections.len(), "some connections did not end in time and are cut");
        connections.shutdown().await;
    }
    Ok(())
}

fn builder(bounds: ServeLimits) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(bounds.header_read)
        .max_headers(limits::HEADER_COUNT)
        .max_header_size(model::limits::HEADERS)
        .max_buf_size(limits::CONNECTION_BUFFER)
        .keep_alive(true);
    http
}

fn is_about_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(error.kind(), Kind::ConnectionRefused | Kind::ConnectionAborted | Kind::ConnectionReset)
}

async fn connection(http: http1::Builder, stream: TcpStream, service: PeerService, mut closing: watch::Receiver<bool>) {
    let io = TokioIo::new(Lingering::new(stream));
    let mut connection = std::pin::pin!(http.serve_connection(io, service));
    let asked_to_close = async {
        // What it returns holds a lock on the value, which is of no use here.
        drop(closing.wait_for(|closing| *closing).await);
    };
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = asked_to_close => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// The router, with what a handler may want to know of the connection.
#[derive(Clone)]
struct PeerService {
    router: Router,
    peer: Peer,
    closing: Closing,
}

impl HyperService<hyper::Request<Incoming>> for PeerService {
    type Response = Response;
    type Error = Infallible;
    type Future = axum::routing::future::RouteFuture<Infallible>;

    fn call(&self, request: hyper::Request<Incoming>) -> Self::Future {
        let mut request: Request = request.map(Body::new);
        request.extensions_mut().insert(self.peer);
        request.extensions_mut().insert(self.closing.clone());
        // A router is always ready.
        self.router.clone().call(request)
    }
}

/// A socket that, once closed by us, still reads for a moment what the peer was sending. Without
/// that, the kernel answers unread bytes with a reset, which can overtake our last answer.
struct Lingering {
    stream: TcpStream,
    left: usize,
    until: Option<Pin<Box<Sleep>>>,
}

impl Lingering {
    fn new(stream: TcpStream) -> Self {
        Self { stream, left: limits::LINGER_BYTES, until: None }
    }
}

impl AsyncRead for Lingering {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Lingering {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.until.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
        }
        let until =
            this.until.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + limits::LINGER)));
        let mut scratch = [0; 4096];
        loop {
            if this.left == 0 || until.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Ok(()));
            }
            let mut buf = ReadBuf::new(&mut scratch);
            match Pin::new(&mut this.stream).poll_read(cx, &mut buf) {
                Poll::Ready(Ok(())) if !buf.filled().is_empty() => {
                    this.left = this.left.saturating_sub(buf.filled().len());
                }
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}
