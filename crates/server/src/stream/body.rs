//! The body of a live answer: pulled by the socket, one piece at a time.

use std::{
    collections::VecDeque,
    convert::Infallible,
    pin::Pin,
    sync::atomic::Ordering::Relaxed,
    task::{Context, Poll},
};

use axum::{
    body::{Body, HttpBody},
    http::{HeaderValue, header},
    response::Response,
};
use bytes::Bytes;
use engine::bus::Subscription;
use futures::{FutureExt as _, Stream, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use hyper::body::Frame;
use model::{code::Code, journal::StreamId, problem::Problem};
use tokio::time::Instant;

use super::{
    frame::{self, Style},
    piece::Piece,
    places::Place,
    reader::{Look, Reader},
};
use crate::{app::App, auth::Caller, limits, serve::Closing, snapshot};

/// What a live answer is made of.
pub struct Opening {
    /// The server.
    pub app: App,
    /// Who reads; asked for again from time to time.
    pub caller: Caller,
    /// The caller's place, given back with the body.
    pub place: Place,
    /// The streams, each with the number seen last. The caller may read them.
    pub streams: Vec<(StreamId, u64)>,
    /// Streams that were asked for and that the caller cannot read, each with why.
    pub gone: Vec<(StreamId, Code)>,
    /// Whether ids name their stream.
    pub named: bool,
    /// Tells when the server stops.
    pub closing: Option<Closing>,
}

/// Answers with a live stream.
pub fn open(opening: Opening) -> Response {
    let flow = Flow::start(opening);
    let pieces = futures::stream::unfold(flow, |mut flow| async move { Some((flow.next().await?, flow)) });
    let mut response = Response::new(Body::new(LiveBody(Box::pin(pieces))));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store, no-transform"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// Pieces as an HTTP body. hyper asks for the next one only when its bounded buffer has room.
struct LiveBody(Pin<Box<dyn Stream<Item = Bytes> + Send>>);

impl HttpBody for LiveBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_next_unpin(cx).map(|piece| piece.map(|bytes| Ok(Frame::data(bytes))))
    }
}

type Change = BoxFuture<'static, (usize, Subscription)>;

/// One connection's readers and where each of them is.
struct Flow {
    app: App,
    caller: Caller,
    closing: Option<Closing>,
    _place: Place,
    readers: Vec<Reader>,
    /// Readers that may have something now.
    hot: VecDeque<(usize, Subscription)>,
    /// Readers that have everything, until their stream grows.
    waiting: FuturesUnordered<Change>,
    piece: Piece,
    sent_at: Instant,
    checked_at: Instant,
    greeted: bool,
    over: bool,
}

impl Flow {
    fn start(opening: Opening) -> Self {
        let Opening { app, caller, place, streams, gone, named, closing } = opening;
        let mut piece = Piece::default();
        for (stream, code) in gone {
            let data = format!("{{\"stream\":\"{stream}\",\"code\":\"{code}\"}}");
            frame::event(piece.buffer(), &Style::named(stream), b"gone", 0, data.as_bytes());
        }
        let style = |stream| if named { Style::named(stream) } else { Style::Single };
        let readers: Vec<_> = streams.iter().map(|(id, after)| Reader::new(*id, style(*id), *after)).collect();
        // Interest is registered before anything is read: what is appended from here on wakes us.
        let subscribe = |(index, (stream, _)): (usize, &(StreamId, u64))| (index, app.engine.bus().subscribe(*stream));
        let hot = streams.iter().enumerate().map(subscribe).collect();
        let now = Instant::now();
        Self {
            app,
            caller,
            closing,
            _place: place,
            readers,
            hot,
            waiting: FuturesUnordered::new(),
            piece,
            sent_at: now,
            checked_at: now,
            greeted: false,
            over: false,
        }
    }

    async fn next(&mut self) -> Option<Bytes> {
        let bytes = self.next_bytes().await?;
        self.sent_at = Instant::now();
        Some(bytes)
    }

    async fn next_bytes(&mut self) -> Option<Bytes> {
        if !self.greeted {
            // The reader learns at once that it is connected, and how to come back.
            self.greeted = true;
            return Some(frame::GREETING);
        }
        loop {
            if self.over {
                return None;
            }
            if !self.still_allowed().await {
                self.over = true;
                return Some(frame::COME_BACK);
            }
            if let Err(problem) = self.fill().await {
                // The reader has a cursor and loses nothing by coming back for the rest.
                tracing::warn!(%problem, "a live stream broke off");
                self.over = true;
            }
            if self.piece.len() > 0 {
                return Some(self.piece.take());
            }
            if self.over {
                return Some(frame::COME_BACK);
            }
            if self.hot.is_empty() && self.waiting.is_empty() {
                return None;
            }
            if let Some(bytes) = self.wait().await {
                return Some(bytes);
            }
        }
    }

    /// Looks at the readers that may have something, in turn, until the piece is full.
    async fn fill(&mut self) -> Result<(), Problem> {
        while self.piece.len() < limits::STREAM_CHUNK {
            let Some((index, mut subscription)) = self.hot.pop_front() else { break };
            let reader = &mut self.readers[index];
            let (look, written) =
                reader.look(&self.app.engine, &mut subscription, &mut self.piece, limits::STREAM_CHUNK).await?;
            self.app.metrics.figures.stream_entries.fetch_add(written, Relaxed);
            match look {
                Look::More => self.hot.push_back((index, subscription)),
                Look::CaughtUp => self.waiting.push(change(index, subscription)),
                Look::Ended => {}
                Look::Cut { floor, head } => {
                    self.app.metrics.figures.stream_resyncs.fetch_add(1, Relaxed);
                    let snapshot = snapshot::of(&self.app, reader.stream(), floor, head).await?;
                    reader.resync(&mut self.piece, floor, &snapshot);
                    self.hot.push_back((index, subscription));
                }
            }
        }
        Ok(())
    }

    /// Waits until a stream grows, the server stops, or it is time for a sign of life.
    async fn wait(&mut self) -> Option<Bytes> {
        let heartbeat = self.app.config.stream_heartbeat;
        tokio::select! {
            changed = self.waiting.next() => {
                self.hot.extend(changed);
                self.gather().await;
                None
            }
            () = Closing::wait(&mut self.closing) => {
                self.over = true;
                Some(frame::COME_BACK)
            }
            () = tokio::time::sleep_until(self.sent_at + heartbeat) => Some(frame::HEARTBEAT),
        }
    }

    /// On a busy stream, lets a little more come together, so that one write carries many entries.
    /// What comes after a silence is sent at once.
    async fn gather(&mut self) {
        if self.sent_at.elapsed() < limits::STREAM_PACE {
            tokio::time::sleep_until(self.sent_at + limits::STREAM_PACE).await;
        }
        while let Some(Some(changed)) = self.waiting.next().now_or_never() {
            self.hot.push_back(changed);
        }
    }

    /// A revoked token or an ended session does not keep reading.
    async fn still_allowed(&mut self) -> bool {
        if self.checked_at.elapsed() < self.app.config.stream_heartbeat {
            return true;
        }
        self.checked_at = Instant::now();
        self.app.auth.is_still(&self.app.engine, &self.caller).await
    }
}

fn change(index: usize, mut subscription: Subscription) -> Change {
    Box::pin(async move {
        subscription.changed().await;
        (index, subscription)
    })
}
