//! The `proofhouse` binary: a client of the HTTP API, and of nothing else.
//!
//! A verb is one file under [`verbs`]. It reaches the plane through [`connect`]: a server that runs
//! already, or the same server inside this process, called without a socket. What it writes goes
//! through [`out`], what went wrong is a [`fault`], how it ends stands in [`exit`].
//!
//! It never opens the store behind a running server, decides nothing about runs, and reads the
//! environment only through [`env`].

mod ago;
mod amount;
mod api;
mod cli;
mod connect;
mod context;
mod dispatched;
mod env;
mod exit;
mod fault;
mod follow;
mod git;
mod json;
mod live;
mod log;
mod out;
mod place;
mod plane;
mod progress;
mod sse;
mod table;
mod transport;
mod tree;
mod verbs;
mod verdict;

use std::{
    panic::{self, AssertUnwindSafe},
    process::ExitCode,
};

use clap::Parser as _;

use crate::{cli::Cli, context::Context, exit::Exit, fault::Fault, out::Out, place::Place};

/// Rows and requests are made on one thread and dropped on another, which the system's allocator makes dear.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(refused) => {
            // Help and version are asked for and go to standard output; the rest is a usage error.
            let exit = if refused.use_stderr() { Exit::Usage } else { Exit::Ok };
            // A closed terminal leaves nowhere to complain.
            let _ = refused.print();
            return exit.number().into();
        }
    };
    let out = Out::new(cli.global.json, cli.global.color);
    // Before there is a second thread.
    if cli.verb.stays()
        && let Err(error) = exec::run::start_spawner()
    {
        out.remark(format!("warning: {error}: commands are forked from the server itself"));
    }
    let exit = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => {
            let ran = panic::catch_unwind(AssertUnwindSafe(|| runtime.block_on(run(cli, out))));
            let exit = ran.unwrap_or_else(|_| {
                out.remark("error: this is a bug in Proofhouse; please report it with what is written above (PH-1019)");
                Exit::Bug
            });
            // A reader of standard input may still block; the process does not wait for it.
            runtime.shutdown_background();
            exit
        }
        Err(error) => {
            out.remark(format!("error: failed to start: {error}"));
            Exit::Bug
        }
    };
    exit.number().into()
}

async fn run(cli: Cli, out: Out) -> Exit {
    let global = cli.global;
    let place = match Place::new(global.data, global.server) {
        Ok(place) => place,
        Err(fault) => return tell(&fault, out),
    };
    let context = Context::new(out, place, global.project, cli.verb.role());
    let ended = cli.verb.run(&context).await;
    context.close().await;
    match ended {
        Ok(exit) => exit,
        Err(fault) => tell(&fault, out),
    }
}

/// Writes a fault: words for a person, the problem document for a program.
fn tell(fault: &Fault, out: Out) -> Exit {
    if out.json {
        out.remark(fault.document());
        return fault.exit();
    }
    let sentence = fault.to_string();
    out.remark(format!("error: {}", out::clean_lines(&sentence)));
    // One wrong value is named in the sentence already.
    for error in fault.errors().filter(|error| !sentence.contains(error.as_str())) {
        out.remark(format!("  {}", out::clean(&error)));
    }
    if let Some(hint) = fault.advice() {
        out.remark(format!("hint: {}", out::clean_lines(hint)));
    }
    fault.exit()
}
