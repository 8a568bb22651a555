//! `proofhouse backup`: a copy of the store and its blobs while everything goes on (F20).

use std::path::PathBuf;

use model::code::Code;

use crate::{
    ago,
    context::Context,
    exit::Exit,
    fault::{Doing as _, Fault},
    json::Look as _,
    out::Tone,
};

/// Write a backup into a new or empty folder while everything goes on
///
/// To restore, copy the folder, rename its `store.db` to `proofhouse.db`, and start the server on it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder, on the plane's machine
    #[arg(value_hint = clap::ValueHint::DirPath)]
    folder: PathBuf,
}

/// Backs up.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fault> {
    let folder = std::path::absolute(&args.folder)
        .map_err(|error| Fault::new(Code::BackupUnusable, format!("failed to use the folder: {error}")))?;
    let manifest = context.api().await?.backup(&folder).await.doing("make the backup")?;
    let damaged = manifest.list("/damaged_blobs");
    if context.out.json {
        context.out.document(&manifest);
    } else {
        let out = &context.out;
        out.line(format!("{} {}", out.paint(Tone::Good, "✓"), folder.display()));
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
