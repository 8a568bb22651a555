//! Whose blobs lie in a replica's folder: the folder has a name of its own, and the plane remembers the
//! name of the one that its first replica uses.

use std::{fs, io, path::Path};

use model::{code::Code, problem::Problem};
use serde_json::json;

use super::write_private;
use crate::Engine;

/// The plane's setting that names the blob folder of its replicas.
const HOME: &str = "blobs";

impl Engine {
    /// Whether this replica's blob folder is the one that the plane's first replica uses. From another
    /// nothing can be said of the bytes that are not in it: they are missing here, not tampered with.
    pub(crate) async fn has_all_blobs(&self) -> Result<bool, Problem> {
        if self.store().kind() == "sqlite" {
            return Ok(true);
        }
        let place = self.data().blobs().join("blobs/home");
        let clock = self.clock().clone();
        let own = tokio::task::spawn_blocking(move || name_of(&place, || clock.id().to_string()));
        let own = own.await.map_err(io::Error::other).and_then(|own| own);
        let own =
            own.map_err(|error| Problem::new(Code::DataFolderUnusable, format!("failed to name the blobs: {error}")))?;
        self.store()
            .write(move |tx| {
                let own = own.clone();
                Box::pin(async move {
                    if let Some(home) = tx.setting(HOME).await? {
                        return Ok(home == json!(own));
                    }
                    tx.setting_put(HOME, &json!(own)).await?;
                    Ok::<_, Problem>(true)
                })
            })
            .await
    }
}

fn name_of(place: &Path, fresh: impl FnOnce() -> String) -> io::Result<String> {
    match fs::read_to_string(place) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let name = fresh();
            write_private(place, name.as_bytes())?;
            Ok(name)
        }
        read => read,
    }
}
