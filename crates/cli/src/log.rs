//! Where log lines go: to standard error of a server, to a file of the data folder otherwise, so
//! that they never mix with what a verb writes.

use std::{fs, path::Path};

use tracing_subscriber::{EnvFilter, fmt, prelude::*};

use crate::env;

/// The log file of commands that are no server starts anew past this size.
const FILE_LIMIT: u64 = 8 << 20;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Logs to standard error.
pub fn to_stderr(format: Format) {
    let registry = tracing_subscriber::registry().with(filter());
    let layer = fmt::layer().with_writer(std::io::stderr).with_target(true);
    // A second subscriber is only possible in tests; the first one stays.
    let _ = match format {
        Format::Text => registry.with(layer.with_ansi(false)).try_init(),
        Format::Json => registry.with(layer.json().flatten_event(true)).try_init(),
    };
}

/// Logs to `log/cli.log` of a data folder; without a file there is no log.
pub fn to_file(data: &Path) {
    let path = data.join("log/cli.log");
    let is_long = fs::metadata(&path).is_ok_and(|file| file.len() > FILE_LIMIT);
    let opened = fs::OpenOptions::new().create(true).append(!is_long).write(true).truncate(is_long).open(path);
    if let Ok(file) = opened {
        let layer = fmt::layer().with_writer(std::sync::Mutex::new(file)).with_ansi(false);
        let _ = tracing_subscriber::registry().with(filter()).with(layer).try_init();
    }
}

fn filter() -> EnvFilter {
    let wanted = env::LOG.text().and_then(|text| EnvFilter::try_new(text).ok());
    wanted.unwrap_or_else(|| EnvFilter::new("info"))
}
