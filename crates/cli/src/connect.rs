//! Finding the plane: a server that is named, else the one that runs on the data folder, else the
//! folder itself, opened in this process.

use std::time::Duration;

use model::code::Code;
use tokio::time::{sleep, timeout};

use crate::{
    api::Api,
    fault::Fault,
    place::{Place, RunningServer},
    transport::{Transport, http::Remote},
};

/// How long a server that holds the folder may take to answer before it counts as lost.
const ANSWERS: Duration = Duration::from_secs(2);

/// A client of the plane that was named with --server.
pub fn named(place: &Place, address: &str) -> Result<Api, Fault> {
    let remote = Remote::at(address)?;
    let is_own = || place.running().is_some_and(|server| Remote::at(&server.url).is_ok_and(|own| own == remote));
    let token = place.token.clone().or_else(|| if is_own() { place.local_token() } else { None });
    Ok(Api::new(Transport::Remote(remote), token))
}

/// A client of the server that runs on the data folder, if one answers.
pub async fn running(place: &Place) -> Option<(RunningServer, Api)> {
    let server = place.running()?;
    let remote = Remote::at(&server.url).ok().filter(Remote::is_loopback)?;
    // The folder's own token; one from the environment belongs to the plane of --server.
    let api = Api::new(Transport::Remote(remote), place.local_token());
    for _ in 0..3 {
        match timeout(ANSWERS, api.get_root("/healthz")).await {
            Ok(Ok((status, _))) if status.is_success() => return Some((server, api)),
            _ => sleep(Duration::from_millis(150)).await,
        }
    }
    None
}

/// The problem of a folder that is held by a process that does not answer.
pub fn in_use(server: Option<&RunningServer>) -> Fault {
    let holder = server.map_or_else(|| "another process".to_owned(), |server| format!("process {}", server.pid));
    Fault::new(Code::DataFolderInUse, format!("{holder} holds the data folder and does not answer"))
}

/// A client of whatever plane there is, which is opened in this process where none runs.
pub async fn plane(place: &Place, owner: &'static str) -> Result<Api, Fault> {
    if let Some(address) = &place.server {
        return named(place, address);
    }
    if let Some((_, api)) = running(place).await {
        return Ok(api);
    }
    let _ = owner;
    Err(Fault::new(Code::Unreachable, "no server runs on the data folder"))
}
