//! HTTP/1.1 to a running server. A request has its own connection: over loopback that costs nothing
//! and no reused connection can turn out to be dead after the request was written.

use std::{io, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, Uri, header};
use hyper_util::rt::TokioIo;
use model::code::Code;
use tokio::{net::TcpStream, time::timeout};

use super::{Body, Lost};
use crate::fault::Fault;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long the head of an answer may take; the server's own limit is 30 s.
const HEAD: Duration = Duration::from_secs(60);

/// As [`HEAD`], of an answer that all that is stored has to be read for.
const WHOLE_STORE: Duration = Duration::from_secs(3_600);

/// A server's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    host: String,
    port: u16,
    /// A path before `/api`, without a slash at its end.
    prefix: String,
}

impl Remote {
    /// Reads an address such as `http://127.0.0.1:7420`.
    pub fn at(address: &str) -> Result<Self, Fault> {
        let wrong = |why: &str| {
            Fault::usage(format!("the server's address is not usable: {why}"))
                .hinted("write it as http://HOST:PORT, as the server printed it")
        };
        let address = if address.contains("://") { address.to_owned() } else { format!("http://{address}") };
        let uri: Uri = address.parse().map_err(|_| wrong("it is not a URL"))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => {
                return Err(wrong("this command speaks no TLS")
                    .hinted("forward a port to the server's machine (ssh -L 7420:127.0.0.1:7420 HOST) and name http://127.0.0.1:7420"));
            }
            _ => return Err(wrong("it is not http")),
        }
        let authority = uri.authority().ok_or_else(|| wrong("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("a name or password does not belong in it").hinted("set PROOFHOUSE_TOKEN instead"));
        }
        let host = authority.host();
        if host.is_empty() {
            return Err(wrong("it names no host"));
        }
        if authority.as_str() != host && authority.port_u16().is_none() {
            return Err(wrong("its port is not a number up to 65535"));
        }
        Ok(Self {
            host: host.to_owned(),
            port: authority.port_u16().unwrap_or(80),
            prefix: uri.path().trim_end_matches('/').to_owned(),
        })
    }

    /// The address as text.
    pub fn url(&self) -> String {
        format!("http://{}:{}{}", self.host, self.port, self.prefix)
    }

    /// Sends a request with a path-only target.
    pub async fn send(&self, mut request: Request<Full<Bytes>>) -> Result<Response<Body>, Lost> {
        let host = format!("{}:{}", self.host, self.port);
        let lost = |what: String| Lost(format!("{what} ({})", self.url()));
        let target = (self.host.trim_start_matches('[').trim_end_matches(']'), self.port);
        let stream = timeout(CONNECT, TcpStream::connect(target))
            .await
            .map_err(|_| lost("nothing answered in time".into()))?
            .map_err(|error| lost(connect_failure(&error)))?;
        // A delay of small writes would only slow an answer down; without the option it still works.
        let _ = stream.set_nodelay(true);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| lost(format!("the connection broke: {error}")))?;
        // The connection ends with the answer's body; its error shows there.
        tokio::spawn(async move { connection.await.ok() });

        if !self.prefix.is_empty() {
            let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
            *request.uri_mut() =
                format!("{}{path}", self.prefix).parse().map_err(|_| lost("the address is not usable".into()))?;
        }
        let host = host.parse().map_err(|_| lost("the host's name is not usable".into()))?;
        request.headers_mut().insert(header::HOST, host);
        let path = request.uri().path();
        let patience = if path.ends_with("/verify") || path.ends_with("/backups") { WHOLE_STORE } else { HEAD };
        let answer = timeout(patience, sender.send_request(request))
            .await
            .map_err(|_| lost("no answer came in time".into()))?
            .map_err(|error| lost(format!("the connection broke: {error}")))?;
        Ok(answer.map(|body| body.map_err(|error| Lost(format!("the connection broke: {error}"))).boxed_unsync()))
    }
}

fn connect_failure(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "nothing listens there".to_owned(),
        _ => format!("the connection failed: {error}"),
    }
}

/// The problem of a plane that could not be reached.
pub fn unreachable(lost: &Lost) -> Fault {
    Fault::new(Code::Unreachable, format!("failed to reach the plane: {lost}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_plain_http_url() {
        for (text, url) in [
            ("http://127.0.0.1:7420", "http://127.0.0.1:7420"),
            ("127.0.0.1:7420", "http://127.0.0.1:7420"),
            ("localhost:1", "http://localhost:1"),
            ("http://plane.local", "http://plane.local:80"),
            ("http://[::1]:7420/", "http://[::1]:7420"),
            ("http://plane.local/proof/", "http://plane.local:80/proof"),
        ] {
            let remote = Remote::at(text).unwrap();
            assert_eq!(remote.url(), url, "{text}");
        }
        for wrong in
            ["", "https://plane.local", "ftp://x", "http://", "http://user:secret@host", "not a url", "http://h:999999"]
        {
            let fault = Remote::at(wrong).unwrap_err();
            assert_eq!(fault.exit(), crate::exit::Exit::Usage, "{wrong}");
            assert!(!fault.to_string().contains("secret"));
        }
    }
}
