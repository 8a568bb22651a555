//! `proofhouse serve`: the plane as a server.

use std::path::PathBuf;

use engine::data::write_private;
use model::code::Code;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    connect::held,
    context::Context,
    env,
    exit::Exit,
    fault::{Doing as _, Fault},
    log,
    plane::{Opening, Plane},
};

/// Where a server listens unless told otherwise.
const LISTEN: &str = "127.0.0.1:7420";

/// Run the plane as a server, until it is told to stop
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where to listen [default: 127.0.0.1:7420]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// The store, as sqlite:FILE or postgres://... [default: a file in the data folder]
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// The folder for blobs, which replicas over one PostgreSQL share [default: the data folder]
    #[arg(long, value_name = "FOLDER", value_hint = clap::ValueHint::DirPath)]
    blobs: Option<PathBuf>,
    /// A further name under which the server may be called; repeat for more
    #[arg(long = "allow-host", value_name = "HOST")]
    allow_hosts: Vec<String>,
    /// Where admins elsewhere may put backups [default: `backups` in the data folder]
    #[arg(long, value_name = "FOLDER", value_hint = clap::ValueHint::DirPath)]
    backups: Option<PathBuf>,
    /// Leave the work of runs to other workers
    #[arg(long)]
    no_worker: bool,
    /// Commands of runs at once [default: the machine's cores, 1 to 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    slots: Option<u16>,
    /// How log lines look, on standard error
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    log_format: log::Format,
    /// Write the server's address to this file once it answers
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    ready_file: Option<PathBuf>,
}

/// Serves.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fault> {
    log::to_stderr(args.log_format);
    let listen = args.listen.or_else(|| env::LISTEN.text()).unwrap_or_else(|| LISTEN.to_owned());
    let store = args.store.or_else(|| context.place.store.clone());
    // From here on a signal ends the server in order, also while it starts.
    let watch = |kind| {
        signal(kind).map_err(|error| Fault::new(Code::Internal, format!("failed to watch for signals: {error}")))
    };
    let (mut term, mut int) = (watch(SignalKind::terminate())?, watch(SignalKind::interrupt())?);
    let opening = Opening {
        data: &context.place.data,
        store: store.as_deref(),
        blobs: args.blobs.or_else(|| context.place.blobs.clone()),
        owner: "serve",
        listen: Some(&listen),
        allowed_hosts: args.allow_hosts,
        backups: args.backups,
        works: !args.no_worker,
        slots: args.slots.map(usize::from),
    };
    let plane = Plane::open(opening).await.map_err(held).doing("start the server")?;
    let url = plane.url().unwrap_or_default();
    let link = plane.sign_in_link().await?;
    if let Some(file) = &args.ready_file {
        write_private(file, url.as_bytes()).map_err(|error| {
            Fault::new(Code::FolderUnreadable, format!("failed to write {}: {error}", file.display()))
        })?;
    }
    tell(&plane, &url, &link, context);
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
    tracing::info!("stopping; a second signal ends it at once");
    tokio::select! {
        () = plane.close() => {
            tracing::info!("stopped");
            Ok(Exit::Ok)
        }
        _ = term.recv() => hard(),
        _ = int.recv() => hard(),
    }
}

/// Ends without waiting for anything: what is acknowledged is stored, the rest is done again.
fn hard() -> ! {
    std::process::exit(Exit::No.number().into())
}

fn tell(plane: &Plane, url: &str, link: &str, context: &Context) {
    let out = &context.out;
    if out.json {
        out.line(json!({"url": url, "sign_in": link, "pid": std::process::id(), "data": context.place.data}));
        return;
    }
    out.line(format!("{} {} listens on {url}", out.bold("Proofhouse"), env!("CARGO_PKG_VERSION")));
    out.line(format!("  {} {link}", out.dim("sign in ")));
    out.line(out.dim(format!(
        "           works once, for {} minutes; `proofhouse token link` prints another",
        model::limits::SIGN_IN_LINK.as_secs() / 60
    )));
    out.line(format!("  {} {}", out.dim("data    "), context.place.data.display()));
    if plane.bound().is_some_and(|address| !address.ip().is_loopback()) {
        out.remark("warning: it listens beyond this machine, without TLS: put a proxy in front that adds it");
    }
}
