//! `lakehand completions SHELL`.

use std::io::Write;

use clap::Args;
use clap_complete::{Shell, env::Shells};

use super::{CliError, Ended, VerbResult};

/// Which shell.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// Shell to print a script for.
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script to standard output. It asks the program for names at every TAB.
///
/// # Errors
/// When standard output fails.
pub fn run(args: &CompletionsArgs) -> VerbResult {
    let name = args.shell.to_string();
    let shells = Shells::builtins();
    let shell = shells.completer(&name).ok_or_else(|| {
        CliError::usage(
            format!("there is no completion script for {name}"),
            "use bash, elvish, fish, powershell or zsh",
        )
    })?;
    let mut script = Vec::new();
    shell.write_registration("COMPLETE", "lakehand", "lakehand", "lakehand", &mut script)?;
    std::io::stdout().lock().write_all(&script)?;
    Ok(Ended::Well)
}
