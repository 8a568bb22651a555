//! `proofhouse worker service`: a unit for systemd.

use super::Folder;
use crate::{context::Context, exit::Exit, fault::Fault};

/// Print a systemd unit that keeps this worker running
///
/// proofhouse worker service > ~/.config/systemd/user/proofhouse-worker.service
/// systemctl --user enable --now proofhouse-worker
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    folder: Folder,
    /// What `worker run` is given beside --state, as in: -- --slots 2 --agent claude=/usr/bin/claude
    #[arg(last = true, value_name = "FLAGS")]
    flags: Vec<String>,
}

/// Prints it.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Fault> {
    let program = std::env::current_exe()
        .map_err(|error| Fault::usage(format!("the program's own path is not known: {error}")))?;
    let mut words = vec![program.display().to_string(), "worker".into(), "run".into()];
    words.extend(["--state".to_owned(), args.folder.path()?.display().to_string()]);
    words.extend(args.flags.iter().cloned());
    context.out.line(unit(&words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")));
    Ok(Exit::Ok)
}

fn unit(command: &str) -> String {
    format!(
        "[Unit]\nDescription=Proofhouse worker\nAfter=network-online.target\nWants=network-online.target\n\n\
         [Service]\nExecStart={command}\nRestart=on-failure\nRestartSec=5\n\
         # Revoked (5) and not paired (2) need a person, not another start.\nRestartPreventExitStatus=2 5\n\
         KillMode=mixed\nTimeoutStopSec=60\n\n[Install]\nWantedBy=default.target"
    )
}

/// A word as systemd reads it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@+".contains(c);
    let word = word.replace('%', "%%").replace('$', "$$");
    if !word.is_empty() && word.chars().all(plain) {
        return word;
    }
    format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_as_systemd_reads_them() {
        for (word, read) in [("/usr/bin/x", "/usr/bin/x"), ("a b", "\"a b\""), ("50%", "\"50%%\""), ("", "\"\"")] {
            assert_eq!(quoted(word), read);
        }
        assert!(unit("x").contains("ExecStart=x\n"));
    }
}
