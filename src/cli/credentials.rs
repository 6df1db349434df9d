//! `lakehand credentials list|set|test|history`: values come from standard input or a file, never from an argument,
//! and are never printed.

use std::{
    io::{self, IsTerminal, Read, Write},
    path::{Path, PathBuf},
};

use clap::Subcommand;
use clap_complete::ArgValueCandidates;
use secrecy::{ExposeSecret, SecretString};

use super::times::local;
use super::{App, CliError, Ended, VerbResult, complete};
use crate::{
    ops::{Credential, CredentialKind, CredentialState, SignInResult, SignInVerdict},
    pipeline::text::for_terminal,
};

/// Longest value that is read.
const LONGEST: u64 = 64 * 1024;

/// Verbs on credentials.
#[derive(Debug, Subcommand)]
pub enum CredentialsVerb {
    /// Which credentials the profile needs, which are present, how old they are.
    List,
    /// Store a new version of a credential: asked for on a terminal, or read from standard input or a file.
    Set {
        /// Parameter path, for example /affise/ApiKey.
        #[arg(add = ArgValueCandidates::new(complete::credentials))]
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
        #[arg(add = ArgValueCandidates::new(complete::sources))]
        source: Option<String>,
    },
    /// The versions of a credential: when they were set, and by whom.
    History {
        /// Parameter path.
        #[arg(add = ArgValueCandidates::new(complete::credentials))]
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
    let kind = operations
        .credentials()
        .await?
        .into_iter()
        .find(|one| one.path == path)
        .map(|one| one.kind);
    let value = read_value(path, kind, file).await?;
    let set = operations
        .set_credential(path, value, sign_in_first)
        .await?;
    app.print(&set, |out| {
        for result in &set.sign_ins {
            write_result(out, result)?;
        }
        writeln!(out, "{path} is set, version {}", set.version)?;
        if let Some(what) = &set.left_out {
            writeln!(out, "{what}")?;
        }
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
        .all(|result| result.verdict == SignInVerdict::Accepted && result.warning.is_none());
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
                "{:>4}  {}  {}",
                version.version,
                local(version.set_at, &app.profile.time_zone),
                for_terminal(by)
            )?;
        }
        Ok(())
    })?;
    Ok(Ended::Well)
}

/// The value: from a file, from what is piped in, or typed at a prompt that shows nothing of it.
async fn read_value(
    path: &str,
    kind: Option<CredentialKind>,
    file: Option<&Path>,
) -> Result<SecretString, CliError> {
    let mut text = String::new();
    match file {
        Some(file) => {
            let read = std::fs::File::open(file)
                .and_then(|opened| opened.take(LONGEST).read_to_string(&mut text));
            read.map_err(|error| unreadable(file, &error))?;
        }
        None if io::stdin().is_terminal() => return prompt(path, kind).await,
        None => {
            let read = io::stdin().take(LONGEST).read_to_string(&mut text);
            read.map_err(|error| unreadable(Path::new("standard input"), &error))?;
        }
    }
    if text.trim().is_empty() {
        return Err(empty());
    }
    Ok(SecretString::from(text))
}

fn empty() -> CliError {
    CliError::usage(
        "the value is empty; nothing was changed",
        "give the credential on standard input, with --file, or at the prompt",
    )
}

fn unreadable(what: &Path, error: &io::Error) -> CliError {
    let name = what.display().to_string();
    let why = match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::InvalidData => "it is not UTF-8 text".to_owned(),
        _ => error.to_string(),
    };
    CliError::usage(
        format!("could not read the credential from {name}: {why}; nothing was changed"),
        "name a file that holds the value alone, or pipe it in",
    )
}

#[cfg(feature = "console")]
async fn prompt(path: &str, kind: Option<CredentialKind>) -> Result<SecretString, CliError> {
    let what = kind.map_or_else(|| "value".to_owned(), |kind| kind.title().to_owned());
    let lines = kind.is_some_and(CredentialKind::has_lines);
    let how = if lines {
        "paste the whole file, then Ctrl-D; nothing is shown"
    } else {
        "type or paste it, then Enter; nothing is shown"
    };
    let question = format!("{what} for {} ({how}): ", for_terminal(path));
    match crate::console::ask_secret(&question, lines).await? {
        Some(value) if value.expose_secret().trim().is_empty() => Err(empty()),
        Some(value) => Ok(value),
        None => Err(CliError::Interrupted),
    }
}

#[cfg(not(feature = "console"))]
async fn prompt(_: &str, _: Option<CredentialKind>) -> Result<SecretString, CliError> {
    Err(CliError::usage(
        "the value would be echoed on this terminal",
        "pipe it in: `lakehand credentials set PATH < file`, or use --file",
    ))
}

/// What is said instead of the parser's words when `lakehand credentials` was written in a way that it does not
/// have: the words would repeat an argument, which may be the secret.
pub fn misused() -> CliError {
    CliError::usage(
        "this is no way to use `lakehand credentials`; what was given is not repeated here, in case it is a secret",
        "a value is given at the prompt, on standard input or with --file, never as an argument: `lakehand credentials set PATH`. If a secret was given, the shell's history has it now. `lakehand help credentials` shows the verbs",
    )
}
