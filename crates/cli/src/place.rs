//! Where the plane of this command is: a server somewhere, or a data folder on this machine.
//!
//! A server that runs on a data folder leaves `server.json` there, and a token that only the
//! folder's owner can read. Whoever can read the folder could read the database anyway.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use engine::data::ServerAddress;
use model::code::Code;

use crate::{env, fault::Fault};

/// The file in the data folder that names its running server.
pub const SERVER_FILE: &str = "server.json";
/// The file in the data folder that holds the token of its owner.
pub const TOKEN_FILE: &str = "local.token";

/// What the command line and the environment say about where the plane is.
#[derive(Debug, Clone)]
pub struct Place {
    /// The data folder.
    pub data: PathBuf,
    /// A plane elsewhere, which wins over the folder.
    pub server: Option<String>,
    /// The token for that plane.
    pub token: Option<String>,
    /// The store, where it is not the folder's own database.
    pub store: Option<String>,
    /// The folder for blobs, where it is not the data folder.
    pub blobs: Option<PathBuf>,
}

impl Place {
    /// From the flags, then the environment, then the defaults.
    pub fn new(data: Option<PathBuf>, server: Option<String>) -> Result<Self, Fault> {
        // A folder that was named on the command line wins over a server of the environment.
        let server = server.or_else(|| if data.is_some() { None } else { env::SERVER.text() });
        let data = match data.or_else(|| env::DATA.path()).or_else(default_folder) {
            Some(folder) => std::path::absolute(&folder).unwrap_or(folder),
            None => {
                return Err(Fault::new(Code::DataFolderUnusable, "neither a data folder nor a home folder is known")
                    .hinted("name one with --data or PROOFHOUSE_DATA"));
            }
        };
        Ok(Self { data, server, token: env::TOKEN.text(), store: env::STORE.text(), blobs: env::BLOBS.path() })
    }

    /// The server that says it runs on the data folder, if its process is there.
    pub fn running(&self) -> Option<ServerAddress> {
        let text = read_small(&self.data.join(SERVER_FILE)).ok()?;
        let server: ServerAddress = serde_json::from_str(&text).ok()?;
        process_is_alive(server.pid).then_some(server)
    }

    /// The token of the folder's owner, if there is one.
    pub fn local_token(&self) -> Option<String> {
        read_small(&self.data.join(TOKEN_FILE)).ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }
}

/// Reads a file of ours, which is never large.
fn read_small(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    io::Read::read_to_string(&mut io::Read::take(fs::File::open(path)?, 16 << 10), &mut text)?;
    Ok(text)
}

fn default_folder() -> Option<PathBuf> {
    let data_home = env::XDG_DATA_HOME.path().filter(|path| path.is_absolute());
    let data_home = data_home.or_else(|| env::HOME.path().map(|home| home.join(".local/share")))?;
    Some(data_home.join("proofhouse"))
}

/// Whether a process with this number exists, whoever owns it.
pub fn process_is_alive(pid: u32) -> bool {
    let Ok(pid) = libc::pid_t::try_from(pid) else { return false };
    // 0 and below would name groups of processes.
    // SAFETY: signal 0 only checks; nothing is sent and no memory is touched.
    pid > 0 && (unsafe { libc::kill(pid, 0) } == 0 || io::Error::last_os_error().raw_os_error() == Some(libc::EPERM))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(folder: &Path) -> Place {
        Place { data: folder.to_owned(), server: None, token: None, store: None, blobs: None }
    }

    #[test]
    fn a_server_is_found_by_its_file_as_long_as_its_process_lives() {
        let folder = tempfile::tempdir().unwrap();
        let place = place(folder.path());
        assert_eq!(place.running(), None);
        let own = std::process::id();
        fs::write(folder.path().join(SERVER_FILE), format!(r#"{{"pid":{own},"url":"http://127.0.0.1:7420"}}"#))
            .unwrap();
        assert_eq!(place.running(), Some(ServerAddress { pid: own, url: "http://127.0.0.1:7420".into() }));

        // A file that a killed server left behind, or a broken one, names nobody.
        for stale in [r#"{"pid":0,"url":"x"}"#, r#"{"pid":4294967295,"url":""}"#, "{", ""] {
            fs::write(folder.path().join(SERVER_FILE), stale).unwrap();
            assert_eq!(place.running(), None, "{stale}");
        }
    }
}
