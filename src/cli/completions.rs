//! `lakehand completions SHELL`.

use clap::{Args, Command};
use clap_complete::Shell;

use super::{Ended, VerbResult};

/// Which shell.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// Shell to print a script for.
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script to standard output.
///
/// # Errors
/// When standard output fails.
pub fn run(args: &CompletionsArgs, command: &mut Command) -> VerbResult {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, command, "lakehand", &mut script);
    std::io::Write::write_all(&mut std::io::stdout().lock(), &script)?;
    Ok(Ended::Well)
}
