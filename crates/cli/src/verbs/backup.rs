//! `proofhouse backup`: a copy of the store and its blobs while everything goes on (F20).

use std::path::PathBuf;

use model::code::Code;

use crate::{
    ago,
    context::Context,
    exit::Exit,
    fault::{Doing as _, Fault},
    json::Look as _,
    out::{Tone, clean},
};

/// Write a backup into a new or empty folder while everything goes on
///
/// A backup is a data folder: to restore, start a server on a copy of it, with --data. The folder is
/// made on the plane's machine; of a plane elsewhere (--server) it lies below that plane's folder for
/// backups.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder, on the plane's machine
    #[arg(value_hint = clap::ValueHint::DirPath)]
    folder: PathBuf,
}

/// Backs up.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fault> {
    let folder = match &context.place.server {
        // The folders of another machine are told from where its backups lie, not from here.
        Some(_) => args.folder,
        None => std::path::absolute(&args.folder)
            .map_err(|error| Fault::new(Code::BackupUnusable, format!("failed to use the folder: {error}")))?,
    };
    let manifest = context.api().await?.backup(&folder).await.doing("make the backup")?;
    let damaged = manifest.list("/damaged_blobs");
    if context.out.json {
        context.out.document(&manifest);
    } else {
        let out = &context.out;
        out.line(format!("{} {}", out.paint(Tone::Good, "✓"), clean(manifest.text("/folder"))));
        let made = ago::ago(manifest.text("/made_at"), ago::now());
        out.line(out.dim(format!(
            "  schema {}, {} blobs, made {made}",
            manifest.number("/schema"),
            manifest.number("/blobs")
        )));
        for blob in damaged {
            out.line(out.paint(
                Tone::Bad,
                format!("  ✗ blob {} was damaged or missing and is not in it", blob.as_str().unwrap_or_default()),
            ));
        }
    }
    Ok(if damaged.is_empty() { Exit::Ok } else { Exit::No })
}
