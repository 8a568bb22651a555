//! B4: one run's entries delivered to a thousand readers, and what ten thousand of them cost in memory.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::{Duration, Instant},
};

use futures::future::try_join_all;
use tokio::{io::AsyncReadExt as _, net::TcpStream, task::LocalSet};

use crate::{
    api::{self, Ground, Lease},
    bench::{Bench, Scene},
    http::Connection,
    machine,
    plane::Plane,
    report::{Line, Target},
    samples::Samples,
    sse::Scanner,
};

const READERS: usize = 1_000;
const MANY: usize = 10_000;
/// Entries in one append, and the pause before the next: a load at about the target's rate.
const BATCH: usize = 8;
const RATE: usize = 400;
const FOR: Duration = Duration::from_secs(4);

pub const BENCH: Bench = Bench { id: "B4", run: |scene| Box::pin(run(scene)) };

/// When each number was sent, and what arrived.
#[derive(Default)]
struct Board {
    sent: RefCell<Vec<Instant>>,
    first: Cell<u64>,
    delivered: Cell<u64>,
    gaps: Cell<u64>,
    samples: RefCell<Samples>,
}

async fn run(scene: &mut Scene) -> anyhow::Result<()> {
    LocalSet::new().run_until(deliveries(scene)).await?;
    LocalSet::new().run_until(memory(scene)).await
}

async fn deliveries(scene: &mut Scene) -> anyhow::Result<()> {
    let (plane, _ground, mut worker, lease, board) = stage().await?;
    let readers = open_readers(&plane, &lease, READERS, &board).await?;

    // First at a rate that asks for the target, to see how late entries come.
    let started = tokio::time::Instant::now();
    let mut appended = 0;
    let pause = Duration::from_secs(1) * u32::try_from(BATCH)? / u32::try_from(RATE)?;
    let mut due = started;
    while started.elapsed() < FOR {
        append(&mut worker, &lease, &board, BATCH).await?;
        appended += BATCH;
        due += pause;
        tokio::time::sleep_until(due).await;
    }
    let rate = as_f64(board.delivered.get()) / started.elapsed().as_secs_f64();
    settle(&board, appended * READERS).await;
    anyhow::ensure!(board.gaps.get() == 0, "readers saw {} numbers out of order", board.gaps.get());
    let missing = (appended * READERS).saturating_sub(usize::try_from(board.delivered.get())?);
    anyhow::ensure!(missing == 0, "{missing} deliveries never came");
    let (p50, p99) = {
        let mut samples = board.samples.borrow_mut();
        (samples.percentile(50.0), samples.percentile(99.0))
    };
    scene.report.line(
        Line::new("B4", format!("stream deliveries to {READERS} readers, {RATE} entries/s offered, sqlite"))
            .figure("", rate, "/s", Target::AtLeast(300_000.0))
            .figure("p50", p50, "ms", Target::None)
            .figure("p99", p99, "ms", Target::AtMost(50.0)),
    );

    // Then as fast as it goes: batches one behind the other, never further ahead than one batch per reader.
    board.delivered.set(0);
    let started = Instant::now();
    let mut appended = 0;
    while started.elapsed() < FOR / 2 {
        append(&mut worker, &lease, &board, 64).await?;
        appended += 64;
        while (appended * READERS) as u64 > board.delivered.get() + (64 * READERS) as u64 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    settle(&board, appended * READERS).await;
    let rate = as_f64(board.delivered.get()) / started.elapsed().as_secs_f64();
    scene.report.line(
        Line::new("B4", format!("stream deliveries to {READERS} readers, as fast as they read, sqlite")).figure(
            "",
            rate,
            "/s",
            Target::None,
        ),
    );
    drop(readers);
    Ok(())
}

async fn memory(scene: &mut Scene) -> anyhow::Result<()> {
    let files = machine::raise_file_limit();
    if files < MANY as u64 + 200 {
        scene.report.skipped("B4 10,000 readers", &format!("this process may open {files} files only"));
        return Ok(());
    }
    let (plane, _ground, mut worker, lease, board) = stage().await?;
    let before = machine::resident(plane.pid())?;
    let readers = open_readers(&plane, &lease, MANY, &board).await?;
    let mut peak = machine::resident(plane.pid())?;
    for _ in 0..5 {
        append(&mut worker, &lease, &board, 20).await?;
        tokio::time::sleep(Duration::from_millis(300)).await;
        peak = peak.max(machine::resident(plane.pid())?);
    }
    settle(&board, 100 * MANY).await;
    peak = peak.max(machine::resident(plane.pid())?);
    anyhow::ensure!(board.gaps.get() == 0, "readers saw {} numbers out of order", board.gaps.get());
    anyhow::ensure!(
        board.delivered.get() >= (100 * MANY) as u64,
        "only {} of {} came",
        board.delivered.get(),
        100 * MANY
    );
    scene.report.line(
        Line::new("B4", format!("server memory with {MANY} readers that each got 100 entries, sqlite"))
            .figure("", megabytes(peak), "MB", Target::AtMost(400.0))
            .figure("before", megabytes(before), "MB", Target::None),
    );
    drop(readers);
    Ok(())
}

/// A plane with one run whose task is held, and a board that counts what is appended from now on.
async fn stage() -> anyhow::Result<(Plane, Ground, Connection, Lease, Rc<Board>)> {
    let plane = Plane::empty()?;
    let ground = Ground::on(&plane).await?;
    api::submit(&mut plane.connect().await?, &ground.project, 1).await?;
    let mut worker = Connection::open(plane.address, &ground.worker).await?;
    let lease = api::claim(&mut worker, 1, 5).await?.pop().ok_or_else(|| anyhow::anyhow!("no task to append to"))?;
    let head = append(&mut worker, &lease, &Board::default(), 1).await?;
    let board = Board { first: Cell::new(head + 1), ..Board::default() };
    Ok((plane, ground, worker, lease, Rc::new(board)))
}

/// Opens the readers a few at a time, and lets each count what it gets.
async fn open_readers(
    plane: &Plane,
    lease: &Lease,
    count: usize,
    board: &Rc<Board>,
) -> anyhow::Result<Vec<tokio::task::JoinHandle<()>>> {
    let path = format!("/api/v1/runs/{}/events", lease.run);
    let mut readers = Vec::with_capacity(count);
    while readers.len() < count {
        let some = (0..100.min(count - readers.len())).map(|_| async { plane.connect().await?.stream(&path).await });
        for (stream, rest) in try_join_all(some).await? {
            readers.push(tokio::task::spawn_local(read(stream, rest, board.clone())));
        }
    }
    Ok(readers)
}

async fn read(mut stream: TcpStream, rest: Vec<u8>, board: Rc<Board>) {
    let mut scanner = Scanner::default();
    let mut last = 0;
    let mut buffer = vec![0; 16 << 10];
    buffer[..rest.len()].copy_from_slice(&rest);
    let mut length = rest.len();
    loop {
        let now = Instant::now();
        scanner.feed(&buffer[..length], |seq| {
            if seq != last + 1 {
                board.gaps.set(board.gaps.get() + 1);
            }
            last = seq;
            let first = board.first.get();
            if seq < first {
                return;
            }
            board.delivered.set(board.delivered.get() + 1);
            let sent = usize::try_from(seq - first).ok().and_then(|at| board.sent.borrow().get(at).copied());
            if let Some(sent) = sent {
                board.samples.borrow_mut().add(now - sent);
            }
        });
        length = match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(length) => length,
        };
    }
}

/// Appends a batch, having written down when its numbers were sent; the last number.
async fn append(worker: &mut Connection, lease: &Lease, board: &Board, count: usize) -> anyhow::Result<u64> {
    let (path, fence) = api::append_call(lease);
    let body = api::entries(count);
    board.sent.borrow_mut().extend(std::iter::repeat_n(Instant::now(), count));
    let answer = worker.post(&path, &fence, &body).await?.json()?;
    answer["last_seq"].as_u64().ok_or_else(|| anyhow::anyhow!("an append without a number"))
}

/// Waits until everything has arrived, or clearly does not.
async fn settle(board: &Board, expected: usize) {
    for _ in 0..200 {
        if board.delivered.get() >= expected as u64 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts within seconds, sizes within a machine's memory")]
fn as_f64(count: u64) -> f64 {
    count as f64
}

fn megabytes(bytes: u64) -> f64 {
    as_f64(bytes) / 1e6
}
