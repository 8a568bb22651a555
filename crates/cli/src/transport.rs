//! The two ways to the plane: over HTTP/1.1 to a running server, or into the same router inside this
//! process. Everything above sends requests and reads bodies, and cannot tell them apart.

pub mod http;

use bytes::Bytes;
use futures::future::BoxFuture;
use http_body_util::{BodyExt as _, Full, Limited, combinators::UnsyncBoxBody};
use hyper::{Request, Response};

use crate::{fault::Fault, plane::Plane};

/// A body of an answer, read as it comes.
pub type Body = UnsyncBoxBody<Bytes, Lost>;

/// The way to the plane was lost before or while it answered. What was asked for may have happened.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct Lost(pub String);

/// An answer that is read whole may be this long; streams and exports are read piece by piece.
const WHOLE_ANSWER: usize = 64 << 20;

/// A way to the plane.
#[derive(Debug, Clone)]
pub enum Transport {
    /// A running server.
    Remote(http::Remote),
    /// The server inside this process.
    InProcess(Plane),
}

impl Transport {
    /// Sends a request; the answer's body may still be on its way.
    pub fn send(&self, request: Request<Full<Bytes>>) -> BoxFuture<'_, Result<Response<Body>, Lost>> {
        match self {
            Self::Remote(remote) => Box::pin(remote.send(request)),
            Self::InProcess(plane) => Box::pin(plane.send(request)),
        }
    }

    /// Whether the plane runs inside this process, and so stops with it.
    pub const fn is_in_process(&self) -> bool {
        matches!(self, Self::InProcess(_))
    }
}

/// Reads a body to its end.
pub async fn whole(body: Body) -> Result<Bytes, Lost> {
    let whole = Limited::new(body, WHOLE_ANSWER).collect().await;
    whole.map(http_body_util::Collected::to_bytes).map_err(|error| Lost(format!("the answer broke off: {error}")))
}

impl From<Lost> for Fault {
    fn from(lost: Lost) -> Self {
        Self::new(model::code::Code::Unreachable, lost.0)
    }
}
