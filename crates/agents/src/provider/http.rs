//! One HTTP request to a provider: a connection of its own, TLS verified, no redirects, bounded in time and size (E32).

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request, Uri, body::Incoming, header};
use hyper_util::rt::TokioIo;
use model::provider::Class;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, ServerName, pem::PemObject as _},
    },
};

use super::talk::Trouble;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);

/// What may be trusted, ready to connect.
#[derive(Clone)]
pub(super) struct Connector(TlsConnector);

/// What is sent.
pub(super) struct Sending {
    pub(super) method: Method,
    pub(super) url: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

/// What comes back: the head, and the rest of it piece by piece.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) retry_after: Option<String>,
    body: Incoming,
}

impl Connector {
    /// Trusts the usual authorities, and those of the file that `SSL_CERT_FILE` names (a company's own).
    pub(super) fn new(environment: &BTreeMap<String, String>) -> Result<Self, Trouble> {
        let wrong = |what: String| Trouble::new(Class::BadRequest, what);
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        if let Some(path) = environment.get("SSL_CERT_FILE").filter(|path| !path.is_empty()) {
            let certificates = CertificateDer::pem_file_iter(path)
                .map_err(|error| wrong(format!("SSL_CERT_FILE {path} cannot be read: {error}")))?;
            // One that is no certificate is left out; the others still serve.
            roots.add_parsable_certificates(certificates.flatten());
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong(format!("TLS cannot be had: {error}")))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    /// Sends it, and waits for the head of the answer.
    pub(super) async fn send(&self, sending: Sending) -> Result<Answer, Trouble> {
        let uri: Uri =
            sending.url.parse().map_err(|_| Trouble::new(Class::BadRequest, "the provider's address is no URL"))?;
        let is_tls = uri.scheme_str() == Some("https");
        let host = uri.host().unwrap_or_default().to_owned();
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let lost = |what: String| Trouble::new(Class::Network, format!("{host}:{port}: {what}"));
        let slow = || Trouble::new(Class::Timeout, format!("{host}:{port} did not answer in {} s", CONNECT.as_secs()));
        let authority = uri.authority().map(ToString::to_string).unwrap_or_default();
        let target = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let mut request = Request::builder()
            .method(sending.method)
            .uri(target)
            .header(header::HOST, authority)
            .header(header::USER_AGENT, concat!("proofhouse/", env!("CARGO_PKG_VERSION")))
            .header(header::CONNECTION, "close");
        for (name, value) in &sending.headers {
            request = request.header(*name, value);
        }
        let request = request
            .body(Full::new(Bytes::from(sending.body)))
            .map_err(|_| Trouble::new(Class::BadRequest, "a header of the request cannot be sent as it is"))?;
        let stream = timeout(CONNECT, TcpStream::connect((bare.as_str(), port)))
            .await
            .map_err(|_| slow())?
            .map_err(|error| lost(format!("the connection failed: {error}")))?;
        if is_tls {
            let name = ServerName::try_from(bare.clone()).map_err(|_| lost("its name is none".to_owned()))?;
            let secured = timeout(CONNECT, self.0.connect(name, stream)).await.map_err(|_| slow())?;
            let secured = secured.map_err(|error| lost(format!("TLS failed: {error}")))?;
            exchange(secured, request).await
        } else {
            exchange(stream, request).await
        }
        .map_err(|error| lost(format!("the connection broke: {error}")).billed())
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Result<Answer, hyper::Error> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // The connection ends with the answer's body; its error shows there.
    tokio::spawn(async move { connection.await.ok() });
    let answer = sender.send_request(request).await?;
    let (head, body) = answer.into_parts();
    let text = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let millis = text("retry-after-ms").and_then(|text| text.parse::<f64>().ok()).map(|ms| (ms / 1_000.0).to_string());
    Ok(Answer { status: head.status.as_u16(), retry_after: millis.or_else(|| text("retry-after")), body })
}

impl Answer {
    /// The next piece of the body; nothing when it is over.
    pub(super) async fn piece(&mut self) -> Result<Option<Bytes>, Trouble> {
        loop {
            match self.body.frame().await {
                None => return Ok(None),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
                // A cut stream is an answer that cannot be read (S82).
                Some(Err(error)) => {
                    return Err(Trouble::new(Class::InvalidResponse, format!("the answer broke off: {error}")).billed());
                }
            }
        }
    }

    /// The whole body, of at most so many bytes; what is beyond them is left out.
    pub(super) async fn whole(&mut self, max: usize) -> Result<Vec<u8>, Trouble> {
        let mut whole = Vec::new();
        while let Some(piece) = self.piece().await? {
            let room = max - whole.len();
            whole.extend_from_slice(&piece[..piece.len().min(room)]);
            if whole.len() == max {
                break;
            }
        }
        Ok(whole)
    }
}
