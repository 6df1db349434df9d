//! `lakehand credentials set|list`: values come from standard input or a file, never from an argument.

use std::io::{self, IsTerminal, Read};

use clap::Subcommand;
use secrecy::SecretString;

use super::{App, CliError, Ended, VerbResult};
use crate::pipeline::ports::{ParameterError, ParameterStore};

/// Verbs on credentials.
#[derive(Debug, Subcommand)]
pub enum CredentialsVerb {
    /// Store a new version of a credential, read from standard input or a file.
    Set {
        /// Parameter path, for example /affise/ApiKey.
        path: String,
        /// Read the value from this file instead of standard input.
        #[arg(long, value_name = "FILE")]
        file: Option<std::path::PathBuf>,
    },
    /// Which credentials the profile needs, and whether they are present.
    List,
}

/// Runs the verb.
///
/// # Errors
/// When the value is empty, the profile is read-only or the store fails.
pub async fn run(app: &App, verb: &CredentialsVerb) -> VerbResult {
    let store = app.platform.parameters();
    match verb {
        CredentialsVerb::Set { path, file } => {
            if app.profile.read_only {
                return Err(CliError::not_possible(format!("the profile {} is read-only", app.profile.name), "choose another profile, or set read_only = false"));
            }
            let version = store.put(path, read_value(file.as_deref())?).await?;
            app.print(&serde_json::json!({ "path": path, "version": version }), |out| writeln!(out, "{path} is set, version {version}"))?;
        }
        CredentialsVerb::List => {
            let path = &app.profile.affise.api_key_parameter;
            let present = match store.get(path).await {
                Ok(_) => true,
                Err(ParameterError::Missing { .. }) => false,
                Err(error) => return Err(error.into()),
            };
            let list = serde_json::json!([{ "path": path, "present": present }]);
            app.print(&list, |out| writeln!(out, "{path}  {}", if present { "present" } else { "MISSING" }))?;
        }
    }
    Ok(Ended::Well)
}

fn read_value(file: Option<&std::path::Path>) -> Result<SecretString, CliError> {
    let mut text = String::new();
    match file {
        Some(file) => text = std::fs::read_to_string(file)?,
        None if io::stdin().is_terminal() => {
            return Err(CliError::usage("the value would be echoed on this terminal", "pipe it in: `lakehand credentials set PATH < file`, or use --file"));
        }
        None => {
            io::stdin().read_to_string(&mut text)?;
        }
    }
    let value = text.trim_end_matches(['\r', '\n']);
    if value.is_empty() {
        return Err(CliError::usage("the value is empty; nothing was changed", "give the credential on standard input or with --file"));
    }
    Ok(SecretString::from(value))
}
