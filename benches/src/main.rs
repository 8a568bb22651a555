//! Throughput and latency of a real plane, one line per figure, beside what was promised.
//!
//! The plane under test is a process of its own that serves the real router over a real store; the
//! load comes from this process over loopback connections. A target that is missed is printed as
//! missed. Run it with `make bench`, or name benchmarks: `proofhouse-benches B1 B3`.

mod api;
mod b11_overhead;
mod b1_append;
mod b2_cycle;
mod b3_start;
mod b4_streams;
mod b5_replay;
mod b8_lists;
mod b9_cold;
mod bench;
mod drive;
mod http;
mod machine;
mod page10;
mod page20_activity;
mod page20_idle;
mod plane;
mod report;
mod samples;
mod seed;
mod sse;

use std::{path::PathBuf, process::ExitCode, time::Instant};

use crate::{
    bench::{Bench, Scene},
    report::{Line, Report, Target},
};

/// As in the `proofhouse` binary: the plane under test is this program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BENCHES: &[Bench] = &[
    b1_append::BENCH,
    b2_cycle::BENCH,
    b3_start::BENCH,
    b4_streams::BENCH,
    b5_replay::BENCH,
    b8_lists::BENCH,
    b9_cold::BENCH,
    b11_overhead::BENCH,
    page10::BENCH,
    page20_idle::BENCH,
    page20_activity::BENCH,
];

fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [plane, order] if plane == "plane" => plane::serve(order).map(|()| ExitCode::SUCCESS),
        names => measure(names),
    }
}

fn measure(names: &[String]) -> anyhow::Result<ExitCode> {
    let unknown: Vec<_> = names.iter().filter(|name| !BENCHES.iter().any(|bench| bench.is(name))).collect();
    if !unknown.is_empty() {
        let known: Vec<_> = BENCHES.iter().map(|bench| bench.id).collect();
        eprintln!("there is no benchmark {unknown:?}; there are {}", known.join(" "));
        return Ok(ExitCode::from(2));
    }
    if cfg!(debug_assertions) {
        eprintln!("this is a debug build: its figures mean nothing (`make bench` builds in release mode)");
    }
    machine::raise_file_limit();
    let started = Instant::now();
    let mut scene =
        Scene { report: Report::default(), postgres: testkit::database::postgres_server(), program: program() };
    describe_machine(&mut scene.report)?;
    if scene.postgres.is_none() {
        scene.report.skipped("figures on PostgreSQL", "PROOFHOUSE_TEST_POSTGRES names no server");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for bench in BENCHES.iter().filter(|bench| names.is_empty() || names.iter().any(|name| bench.is(name))) {
        if let Err(error) = runtime.block_on((bench.run)(&mut scene)) {
            scene.report.failed(bench.id, &error);
        }
    }
    let path = target_folder()?.join("bench.json");
    scene.report.write(&path)?;
    println!(
        "{} figures missed their target; took {:.0} s; {}",
        scene.report.missed(),
        started.elapsed().as_secs_f64(),
        path.display()
    );
    Ok(if scene.report.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn describe_machine(report: &mut Report) -> anyhow::Result<()> {
    let (processor, cores) = machine::cores();
    let folder = tempfile::Builder::new().prefix("bench-").tempdir()?;
    let syncs = machine::syncs_per_second(folder.path())?;
    let trips = machine::round_trips_per_second()?;
    let line = Line::new("machine", format!("{processor}, {cores} cores"))
        .figure("fdatasync of 4 KiB", syncs, "/s", Target::None)
        .figure("loopback round trips", trips, "/s", Target::None);
    report.line(line);
    Ok(())
}

/// `target/`, two folders above this program.
fn target_folder() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe()?;
    program
        .ancestors()
        .nth(2)
        .map(PathBuf::from)
        .ok_or_else(|| anyhow::anyhow!("this program lies in no target folder"))
}

/// The `proofhouse` program, built beside this one.
fn program() -> Option<PathBuf> {
    let beside = std::env::current_exe().ok()?.with_file_name("proofhouse");
    beside.is_file().then_some(beside)
}
