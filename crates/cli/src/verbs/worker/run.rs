//! `proofhouse worker run`: the worker itself.

use std::time::Duration;

use model::code::Code;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use worker::{
    agents::{looking, of_worker},
    dispatch::{KIND, Machine, QUEUE},
    perform::Performers,
    serve::{Config, Ended, serve},
    state::State,
};

use super::Folder;
use crate::{context::Context, exit::Exit, fault::Fault, log};

/// Work for the plane that this machine was paired with, until it is told to stop
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Tasks at once
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    slots: u32,
    /// An agent of this machine, such as claude=/opt/claude or mine=/opt/agent,protocol=1; repeat for more [default:
    /// those on the PATH, and those of the file `agents` in the worker's folder]
    #[arg(long = "agent", value_name = "ID=/PROGRAM")]
    agents: Vec<String>,
    /// A label of this machine; repeat for more
    #[arg(long = "label", value_name = "LABEL")]
    labels: Vec<String>,
    /// Where to look for tasks; repeat for more [default: agent]
    #[arg(long = "queue", value_name = "QUEUE")]
    queues: Vec<String>,
    /// Deliver what waits, take at most one task, and end
    #[arg(long)]
    once: bool,
    /// Seconds that running tasks may go on after the first signal
    #[arg(long, value_name = "S", default_value_t = 30)]
    grace: u64,
    /// How log lines look, on standard error
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    log_format: log::Format,
    #[command(flatten)]
    folder: Folder,
}

/// Works.
pub async fn run(args: Args, _: &Context) -> Result<Exit, Fault> {
    log::to_stderr(args.log_format);
    let state = State::open(&args.folder.path()?)?;
    let agents = of_worker(&state, &args.agents)?;
    let stop = CancellationToken::new();
    watch_signals(stop.clone())?;
    let machine = Machine::new(&state, agents.clone())?;
    let agents = looking(&state, agents);
    let config = Config {
        state,
        slots: args.slots,
        queues: if args.queues.is_empty() { vec![QUEUE.to_owned()] } else { args.queues },
        labels: args.labels,
        performers: performers(machine),
        agents,
        once: args.once,
        grace: Duration::from_secs(args.grace),
        stop,
    };
    match serve(config).await? {
        Ended::Stopped => Ok(Exit::Ok),
        Ended::Revoked => Err(Fault::new(Code::WorkerRevoked, Code::WorkerRevoked.title())),
    }
}

/// What a worker can do.
fn performers(machine: Machine) -> Performers {
    let tidy = machine.clone();
    Performers::default().with(KIND, move |desk| machine.clone().work(desk)).tidied_by(move |claim| {
        let machine = tidy.clone();
        async move { machine.tidy(&claim).await }
    })
}

/// The first signal stops in order, the second at once: what is acknowledged is on the disk or at the plane.
fn watch_signals(stop: CancellationToken) -> Result<(), Fault> {
    let watch = |kind| {
        signal(kind).map_err(|error| Fault::new(Code::Internal, format!("failed to watch for signals: {error}")))
    };
    let (mut term, mut int) = (watch(SignalKind::terminate())?, watch(SignalKind::interrupt())?);
    tokio::spawn(async move {
        for again in [false, true] {
            tokio::select! {
                _ = term.recv() => {}
                _ = int.recv() => {}
            }
            if again {
                std::process::exit(Exit::No.number().into());
            }
            tracing::info!("stopping; a second signal ends it at once");
            stop.cancel();
        }
    });
    Ok(())
}
