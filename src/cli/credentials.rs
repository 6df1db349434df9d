//! `lakehand credentials list|set|test|history`: values come from standard input or a file, never from an argument,
//! and are never printed.

use std::{
    io::{self, IsTerminal, Read, Write},
    path::{Path, PathBuf},
};

use clap::Subcommand;
use secrecy::SecretString;

use super::{App, CliError, Ended, VerbResult};
use crate::{
    ops::{Credential, CredentialState, SignInResult, SignInVerdict},
    pipeline::text::for_terminal,
};

/// Longest value that is read.
const LONGEST: u64 = 64 * 1024;

/// Verbs on credentials.
#[derive(Debug, Subcommand)]
pub enum CredentialsVerb {
    /// Which credentials the profile needs, which are present, how old they are.
    List,
    /// Store a new version of a credential, read from standard input or a file.
    Set {
        /// Parameter path, for example /affise/ApiKey.
        path: String,
        /// Read the value from this file instead of standard input.
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// Sign in with it first; store it only if the source accepts it.
        #[arg(long)]
        test: bool,
    },
    /// Sign in to a source with its credentials, or to every source.
    Test {
        /// Source: affise, marketo, ga4, ga3. Without it: every one.
        source: Option<String>,
    },
    /// The versions of a credential: when they were set, and by whom.
    History {
        /// Parameter path.
        path: String,
    },
}

/// Runs the verb.
///
/// # Errors
/// When the value is malformed, the profile is read-only or the store fails.
pub async fn run(app: &App, verb: &CredentialsVerb) -> VerbResult {
    match verb {
        CredentialsVerb::List => list(app).await,
        CredentialsVerb::Set { path, file, test } => set(app, path, file.as_deref(), *test).await,
        CredentialsVerb::Test { source } => test(app, source.as_deref()).await,
        CredentialsVerb::History { path } => history(app, path).await,
    }
}

async fn list(app: &App) -> VerbResult {
    let all = app.operations().credentials().await?;
    app.print(&all, |out| {
        let width = all.iter().map(|one| one.path.len()).max().unwrap_or(0);
        for one in &all {
            writeln!(
                out,
                "{:<width$}  {:<26}  {}",
                one.path,
                one.kind.title(),
                state_in_words(app, one)
            )?;
        }
        Ok(())
    })?;
    Ok(Ended::Well)
}

/// `version 3, set 2026-01-31 by maria, 40 days old`, `MISSING`.
fn state_in_words(app: &App, one: &Credential) -> String {
    match &one.state {
        CredentialState::Missing => "MISSING".to_owned(),
        CredentialState::Present(version) => {
            let day = version
                .set_at
                .to_zoned(app.profile.time_zone.clone())
                .date();
            let by = version
                .by
                .as_deref()
                .map(|by| format!(" by {}", for_terminal(by)))
                .unwrap_or_default();
            let days = app.platform.now().duration_since(version.set_at).as_hours() / 24;
            let overdue = if one.overdue { ", OVERDUE" } else { "" };
            format!(
                "version {}, set {day}{by}, {days} days old{overdue}",
                version.version
            )
        }
        CredentialState::Environment { variable } => format!("given by the variable {variable}"),
        CredentialState::Sample => "sample data: the simulator brings its own".to_owned(),
        CredentialState::Elsewhere { why } => why.clone(),
    }
}

async fn set(app: &App, path: &str, file: Option<&Path>, sign_in_first: bool) -> VerbResult {
    let operations = app.operations();
    let value = read_value(file)?;
    let set = operations
        .set_credential(path, value, sign_in_first)
        .await?;
    app.print(&set, |out| {
        for result in &set.sign_ins {
            write_result(out, result)?;
        }
        writeln!(out, "{path} is set, version {}", set.version)?;
        match &set.no_effect {
            Some(why) => writeln!(out, "but {}", for_terminal(why)),
            None => Ok(()),
        }
    })?;
    Ok(Ended::Well)
}

async fn test(app: &App, source: Option<&str>) -> VerbResult {
    let operations = app.operations();
    let sources = match source {
        Some(source) => vec![source.to_owned()],
        None => {
            let mut sources: Vec<String> = Vec::new();
            for one in operations.credentials().await? {
                for source in one.sources {
                    if !sources.iter().any(|known| known == source) {
                        sources.push(source.to_owned());
                    }
                }
            }
            sources
        }
    };
    let tests = sources
        .iter()
        .map(|source| operations.test_credentials(source));
    let results = futures::future::try_join_all(tests).await?;
    app.print(&results, |out| {
        results
            .iter()
            .try_for_each(|result| write_result(out, result))
    })?;
    let good = results
        .iter()
        .all(|result| result.verdict == SignInVerdict::Accepted);
    Ok(if good { Ended::Well } else { Ended::Failed })
}

fn write_result(out: &mut dyn Write, result: &SignInResult) -> io::Result<()> {
    let word = match result.verdict {
        SignInVerdict::Accepted => "signed in as",
        SignInVerdict::Missing => "MISSING",
        SignInVerdict::Refused => "REFUSED",
        SignInVerdict::Unclear => "no clear answer",
    };
    let at = result
        .at
        .as_deref()
        .map(|at| format!(" at {at}"))
        .unwrap_or_default();
    writeln!(out, "{:<8} {word}: {}{at}", result.source, result.message)?;
    match &result.warning {
        Some(warning) => writeln!(out, "{:<8} but {warning}", ""),
        None => Ok(()),
    }
}

async fn history(app: &App, path: &str) -> VerbResult {
    let versions = app.operations().credential_history(path).await?;
    app.print(&versions, |out| {
        if versions.is_empty() {
            writeln!(out, "{path} was never set")?;
        }
        for version in versions.iter().rev() {
            let by = version.by.as_deref().unwrap_or("unknown");
            writeln!(
                out,
                "{:>4}  {:.0}  {}",
                version.version,
                version.set_at,
                for_terminal(by)
            )?;
        }
        Ok(())
    })?;
    Ok(Ended::Well)
}

fn read_value(file: Option<&Path>) -> Result<SecretString, CliError> {
    let mut text = String::new();
    match file {
        Some(file) => {
            std::fs::File::open(file)?
                .take(LONGEST)
                .read_to_string(&mut text)?;
        }
        None if io::stdin().is_terminal() => {
            return Err(CliError::usage(
                "the value would be echoed on this terminal",
                "pipe it in: `lakehand credentials set PATH < file`, use --file, or the Credentials screen",
            ));
        }
        None => {
            io::stdin().take(LONGEST).read_to_string(&mut text)?;
        }
    }
    if text.trim().is_empty() {
        return Err(CliError::usage(
            "the value is empty; nothing was changed",
            "give the credential on standard input or with --file",
        ));
    }
    Ok(SecretString::from(text))
}
