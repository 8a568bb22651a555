//! Following a run to its end: by number, over lost connections and a server that was restarted.
//! Ctrl-C once detaches and says how to cancel; twice cancels (P75).

use std::time::Duration;

use http_body_util::BodyExt as _;
use model::code::Code;
use serde_json::{Value, json};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, interval, sleep, timeout},
};

use crate::{
    ago,
    api::{Api, OpenFailed},
    context::Context,
    fault::Fault,
    json::{Look as _, short},
    live::Live,
    out::{Tone, gone},
    progress::{Progress, Shown, gate_line},
    sse,
    table::terminal_width,
    transport::{Body, Lost},
};

/// A stream that was silent for this long is lost: the server sends a heartbeat every 10 s.
const SILENCE: Duration = Duration::from_secs(35);
/// The first and the longest pause before a reconnection.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));
/// After the first Ctrl-C, how long a second one cancels.
const SECOND_THOUGHT: Duration = Duration::from_secs(2);

/// How following ended.
#[derive(Debug)]
pub enum Followed {
    /// The run ended, or is parked on a person: its view.
    Stands(Value),
    /// The person went away; the run goes on.
    Detached,
}

/// Follows a run until it ends, is parked, or the person leaves.
pub async fn follow(context: &Context, api: &Api, run: &str) -> Result<Followed, Fault> {
    let mut follower = Follower {
        context,
        api: api.clone(),
        run: run.to_owned(),
        progress: Progress::default(),
        live: Live::new(context.out),
        remark: None,
    };
    let followed = follower.run().await;
    follower.live.clear();
    followed
}

struct Follower<'a> {
    context: &'a Context,
    api: Api,
    run: String,
    progress: Progress,
    live: Live,
    remark: Option<String>,
}

/// Why reading a stream stopped.
enum Stopped {
    Ended,
    Parked,
    Lost(String),
    Interrupted,
    Terminated,
}

impl Follower<'_> {
    async fn run(&mut self) -> Result<Followed, Fault> {
        let mut interrupts = Interrupts::watch()?;
        let (mut pause, mut told) = (PAUSES.0, false);
        loop {
            let seen = self.progress.seen;
            match self.read(&mut interrupts).await? {
                Stopped::Ended | Stopped::Parked => return self.stands().await,
                Stopped::Terminated => return self.detach(&mut interrupts, false).await,
                Stopped::Interrupted => return self.detach(&mut interrupts, true).await,
                Stopped::Lost(why) => {
                    let came_on = self.progress.seen > seen;
                    if came_on {
                        pause = PAUSES.0;
                    }
                    if !self.context.out.live && (came_on || !told) {
                        told = true;
                        self.context.out.remark(format!("the connection was lost ({why}); trying again"));
                    }
                    self.remark = Some(self.context.out.paint(Tone::Unsure, format!("reconnecting: {why}")));
                    self.live.show(&self.progress, ago::now(), self.remark.as_deref());
                    tokio::select! {
                        () = sleep(pause) => {}
                        is_interrupt = interrupts.next() => return self.detach(&mut interrupts, is_interrupt).await,
                    }
                    pause = (pause * 2).min(PAUSES.1);
                    // A restarted server may listen elsewhere.
                    if let Some(api) = self.context.reconnect().await {
                        self.api = api;
                    }
                }
            }
        }
    }

    /// Reads one stream as far as it goes.
    async fn read(&mut self, interrupts: &mut Interrupts) -> Result<Stopped, Fault> {
        let path = format!("/runs/{}/events?since={}", self.run, self.progress.seen);
        let opened = tokio::select! {
            opened = self.api.open(&path, &[("accept", "text/event-stream")]) => opened,
            is_interrupt = interrupts.next() => return Ok(left(is_interrupt)),
        };
        let mut body = match opened {
            Ok(answer) => answer.into_body(),
            Err(OpenFailed::Lost(lost)) => return Ok(Stopped::Lost(lost.to_string())),
            // A server that is full or still starting is as good as a lost one.
            Err(OpenFailed::Refused(fault)) if fault.is(Code::TooMany) || fault.is(Code::StoreUnavailable) => {
                return Ok(Stopped::Lost(fault.to_string()));
            }
            Err(OpenFailed::Refused(fault)) => return Err(fault.doing("follow the run")),
        };
        self.remark = None;
        let mut parser = sse::Parser::default();
        let mut tick = interval(Duration::from_millis(500));
        let mut heard = Instant::now();
        loop {
            let bytes = tokio::select! {
                piece = next_piece(&mut body) => match piece {
                    Some(Ok(bytes)) => bytes,
                    Some(Err(lost)) => return Ok(Stopped::Lost(lost.to_string())),
                    None => return Ok(Stopped::Lost("the stream broke off".into())),
                },
                _ = tick.tick() => {
                    self.live.show(&self.progress, ago::now(), None);
                    if heard.elapsed() > SILENCE {
                        return Ok(Stopped::Lost("the stream went silent".into()));
                    }
                    continue;
                }
                is_interrupt = interrupts.next() => return Ok(left(is_interrupt)),
            };
            heard = Instant::now();
            if gone() {
                return Ok(Stopped::Terminated);
            }
            let Ok(events) = parser.push(&bytes) else {
                return Ok(Stopped::Lost("the stream is not one of ours".into()));
            };
            for event in events {
                match event.name.as_str() {
                    "end" => return Ok(Stopped::Ended),
                    "resync" => self.resync(event.id.as_deref()),
                    _ => {
                        if let Ok(entry) = serde_json::from_str::<Value>(&event.data) {
                            self.take(&entry);
                        }
                    }
                }
            }
            self.live.show(&self.progress, ago::now(), None);
            if self.progress.status == "waiting" {
                return Ok(Stopped::Parked);
            }
        }
    }

    fn take(&mut self, entry: &Value) {
        if self.context.out.json {
            self.progress.apply(entry);
            return;
        }
        for shown in self.progress.apply(entry) {
            let out = &self.context.out;
            match shown {
                Shown::Gate(gate) => {
                    self.live.line(&gate_line(&gate, out, if out.live { terminal_width() } else { None }))
                }
                Shown::Note(words, false) => self.live.line(&out.dim(format!("  · {words}"))),
                Shown::Note(words, true) => self.live.line(&out.paint(Tone::Unsure, format!("  ! {words}"))),
                Shown::Asked(question, words) => {
                    let id = short(&question).to_owned();
                    self.live.line(&out.paint(Tone::Unsure, format!("  ? {words}  (question {id})")));
                }
                Shown::Moved | Shown::Finished => {}
            }
        }
    }

    /// Entries before the retention's end are gone: go on from the number that the snapshot has.
    fn resync(&mut self, id: Option<&str>) {
        let number = id.and_then(|id| id.rsplit('@').next()).and_then(|id| id.parse().ok());
        self.progress.seen = self.progress.seen.max(number.unwrap_or(0));
        self.live.line(&self.context.out.dim("  · older entries are no longer kept"));
    }

    async fn stands(&self) -> Result<Followed, Fault> {
        Ok(Followed::Stands(self.api.get(&format!("/runs/{}", self.run)).await?))
    }

    async fn detach(&mut self, interrupts: &mut Interrupts, may_cancel: bool) -> Result<Followed, Fault> {
        self.live.clear();
        let out = &self.context.out;
        let id = short(&self.run);
        if self.api.is_in_process() {
            out.remark(format!("run {id} stops with this command and goes on at the next start of the plane"));
            out.remark("(`proofhouse serve`, or any command that runs gates; `--detach` leaves it to a server)");
        } else {
            out.remark(format!("run {id} goes on without this command: `proofhouse proof watch {id}` attaches again"));
        }
        if !may_cancel {
            return Ok(Followed::Detached);
        }
        out.remark(format!("to cancel it press Ctrl-C again, or `proofhouse run cancel {id}`"));
        if timeout(SECOND_THOUGHT, interrupts.next()).await.is_err() {
            return Ok(Followed::Detached);
        }
        out.remark(format!("cancelling run {id} ..."));
        self.api
            .post(&format!("/runs/{}/cancel", self.run), &json!({}))
            .await
            .map_err(|fault| fault.doing("cancel the run"))?;
        self.drained().await
    }

    /// Waits for a cancelled run to end: its processes have some seconds to.
    async fn drained(&self) -> Result<Followed, Fault> {
        for _ in 0..200 {
            let run = self.api.get(&format!("/runs/{}", self.run)).await?;
            if matches!(run.text("/status"), "completed" | "failed" | "cancelled") {
                return Ok(Followed::Stands(run));
            }
            sleep(Duration::from_millis(100)).await;
        }
        self.stands().await
    }
}

const fn left(is_interrupt: bool) -> Stopped {
    if is_interrupt { Stopped::Interrupted } else { Stopped::Terminated }
}

/// The next bytes of a body; frames without bytes are skipped.
pub async fn next_piece(body: &mut Body) -> Option<Result<bytes::Bytes, Lost>> {
    loop {
        match body.frame().await? {
            Ok(frame) => {
                if let Ok(bytes) = frame.into_data() {
                    return Some(Ok(bytes));
                }
            }
            Err(lost) => return Some(Err(lost)),
        }
    }
}

/// SIGINT and SIGTERM, from the moment a run is followed.
struct Interrupts {
    int: Signal,
    term: Signal,
}

impl Interrupts {
    fn watch() -> Result<Self, Fault> {
        let watch = |kind| {
            signal(kind).map_err(|error| Fault::new(Code::Internal, format!("failed to watch for signals: {error}")))
        };
        Ok(Self { int: watch(SignalKind::interrupt())?, term: watch(SignalKind::terminate())? })
    }

    /// Whether the next signal is Ctrl-C, as against a request to end.
    async fn next(&mut self) -> bool {
        tokio::select! {
            _ = self.int.recv() => true,
            _ = self.term.recv() => false,
        }
    }
}
