//! `proofhouse proof export`: rows and blobs in one file that can be verified anywhere.

use std::{
    fs,
    io::{self, IsTerminal as _},
    path::{Path, PathBuf},
};

use model::code::Code;

use crate::{
    api::with_query,
    context::Context,
    exit::Exit,
    fault::{Doing as _, Fault},
    follow::next_piece,
    transport::Body,
};

/// Export evidence to one file that `proof verify --file` checks without a plane
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only the evidence of this run
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// The file's format
    #[arg(long, value_parser = ["jsonl", "tar"], default_value = "tar")]
    format: String,
    /// Where to write it; `-` is standard output
    #[arg(long, short = 'o', value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    output: PathBuf,
}

/// Exports.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Fault> {
    let to_stdout = args.output.as_os_str() == "-";
    if to_stdout && args.format == "tar" && io::stdout().is_terminal() {
        return Err(Fault::usage("a tar file does not belong on a terminal").hinted("name a file with --output"));
    }
    let mut query = vec![("format", args.format.clone())];
    if let Some(run) = &args.run {
        query.push(("run", context.run_id(Some(run), false).await?));
    }
    let project = context.project().await?;
    let path = with_query(&project.at("/proof/export"), &query);
    let body =
        context.api().await?.open(&path, &[]).await.map_err(Fault::from).doing("export the evidence")?.into_body();
    if to_stdout {
        copy(body, &mut io::stdout().lock(), &args.output).await?;
        return Ok(Exit::Ok);
    }
    let bytes = to_file(body, &args.output).await?;
    if !context.out.json {
        context.out.line(format!("{bytes} bytes written to {}", args.output.display()));
    }
    Ok(Exit::Ok)
}

/// Writes beside the file and moves it into place, so that a broken export never looks whole.
async fn to_file(body: Body, path: &Path) -> Result<u64, Fault> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".part{}", std::process::id()));
    let part = path.with_file_name(name);
    let mut file = fs::File::create(&part).map_err(|error| unwritable(path, &error))?;
    let copied = copy(body, &mut file, path).await.and_then(|bytes| {
        file.sync_all().and_then(|()| fs::rename(&part, path)).map(|()| bytes).map_err(|error| unwritable(path, &error))
    });
    if copied.is_err() {
        // What was written is of no use; if it cannot be removed, its name says what it is.
        let _ = fs::remove_file(&part);
    }
    copied
}

async fn copy(mut body: Body, to: &mut impl io::Write, path: &Path) -> Result<u64, Fault> {
    let mut bytes = 0;
    while let Some(piece) = next_piece(&mut body).await {
        let piece = piece.doing("export the evidence")?;
        to.write_all(&piece).map_err(|error| unwritable(path, &error))?;
        bytes += piece.len() as u64;
    }
    to.flush().map_err(|error| unwritable(path, &error))?;
    Ok(bytes)
}

fn unwritable(path: &Path, error: &io::Error) -> Fault {
    Fault::new(Code::FolderUnreadable, format!("failed to write {}: {error}", path.display()))
        .hinted("choose another file, on a disk with space")
}
