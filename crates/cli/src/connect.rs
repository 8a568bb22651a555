//! Finding the plane: a server that is named, else the one that runs on the data folder, else the
//! folder itself, opened in this process.

use std::time::Duration;

use engine::data::ServerAddress;
use model::code::Code;
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

use crate::{
    api::Api,
    fault::Fault,
    log,
    place::Place,
    plane::{Opening, Plane},
    transport::{Transport, http::Remote},
};

/// How long a server may take to answer before it counts as lost.
const ANSWERS: Duration = Duration::from_secs(2);
/// How long to wait for another command to let go of the data folder, or for a server to start.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the process is to the data folder, should it have to open it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Role {
    /// What the command calls itself.
    pub owner: &'static str,
    /// Whether it stays to do the work of runs; then it listens, too, so that others can watch.
    pub works: bool,
}

/// A client of whatever plane there is, which is opened in this process where none runs.
pub async fn plane(place: &Place, role: Role) -> Result<Api, Fault> {
    if let Some(address) = &place.server {
        return named(place, address);
    }
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some((_, api)) = running(place).await {
            return Ok(api);
        }
        let opening = Opening {
            data: &place.data,
            store: place.store.as_deref(),
            blobs: place.blobs.clone(),
            owner: role.owner,
            listen: role.works.then_some("127.0.0.1:0"),
            allowed_hosts: Vec::new(),
            backups: None,
            works: role.works,
            slots: None,
        };
        match Plane::open(opening).await {
            Ok(plane) => {
                log::to_file(&place.data);
                let token = plane.token().to_owned();
                return Ok(Api::new(Transport::InProcess(plane), Some(token)));
            }
            // Another short command, or a server that starts or ends: both take but a moment.
            Err(fault) if fault.is(Code::DataFolderInUse) && Instant::now() < until => {
                sleep(Duration::from_millis(100)).await
            }
            Err(fault) => return Err(held(fault).doing("open the data folder")),
        }
    }
}

/// Says where the server that holds the folder should be, where one does.
pub fn held(fault: Fault) -> Fault {
    match fault.fact("server").and_then(Value::as_str).map(str::to_owned) {
        Some(url) if fault.is(Code::DataFolderInUse) => {
            fault.hinted(format!("use the server at {url} (any other command does), or stop it first"))
        }
        _ => fault,
    }
}

/// A client of the plane that was named with --server.
fn named(place: &Place, address: &str) -> Result<Api, Fault> {
    let remote = Remote::at(address)?;
    let is_own = || place.running().is_some_and(|server| Remote::at(&server.url).is_ok_and(|own| own == remote));
    let token = place.token.clone().or_else(|| if is_own() { place.local_token() } else { None });
    Ok(Api::new(Transport::Remote(remote), token))
}

/// A client of the server that runs on the data folder, if one answers.
pub async fn running(place: &Place) -> Option<(ServerAddress, Api)> {
    let server = place.running()?;
    let remote = Remote::at(&server.url).ok()?;
    // The folder's own token; one from the environment belongs to the plane of --server.
    let api = Api::new(Transport::Remote(remote), place.local_token());
    match timeout(ANSWERS, api.get_root("/healthz")).await {
        Ok(Ok((status, _))) if status.is_success() => Some((server, api)),
        _ => None,
    }
}
