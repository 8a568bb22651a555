//! `proofhouse completion`: a script for the shell.

use clap_complete::{Shell, generate};

use crate::{cli, context::Context, exit::Exit, fault::Fault};

/// Print a completion script for a shell
///
/// For bash: proofhouse completion bash > ~/.local/share/bash-completion/completions/proofhouse
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The shell
    shell: Shell,
}

/// Prints it.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Fault> {
    let mut script = Vec::new();
    generate(args.shell, &mut cli::command(), "proofhouse", &mut script);
    context.out.bytes(&script);
    Ok(Exit::Ok)
}
