//! Errors of the command line: a sentence, a line of advice, an exit code.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use super::OutputFormat;
use crate::{
    ops::{OpsError, OpsErrorKind},
    pipeline::{
        export::CsvError,
        jobs::{ErrorType, JobError},
        ports::{ParameterError, QueryError, StoreError},
        text::{ForTerminal, Instead, for_terminal},
        window::WindowError,
    },
};

/// What to do where a table is not there.
const NOT_BUILT: &str = "`lakehand query \"SHOW TABLES\"` lists the tables there are; `lakehand run daily-report --wait` builds those of the report, `lakehand run datamart --wait` the datamart";

/// Why a verb did not run to its end.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// Something to tell the user.
    #[error("{message}")]
    Told {
        /// Exit code.
        code: u8,
        /// What was tried, on what, and why it failed.
        message: String,
        /// What to do.
        advice: String,
    },
    /// Standard output or a file failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Ctrl-C or SIGTERM.
    #[error(
        "interrupted; what was started and not finished can be redriven, `lakehand runs list` shows it"
    )]
    Interrupted,
}

impl CliError {
    fn told(code: u8, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::Told {
            code,
            message: message.into(),
            advice: advice.into(),
        }
    }

    /// Wrong usage or configuration: exit code 2.
    pub fn usage(message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::told(2, message, advice)
    }

    /// No such thing: exit code 3.
    pub fn not_found(message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::told(3, message, advice)
    }

    /// The console ended otherwise than by its user: the exit code it names, 128 and a signal's number.
    pub fn console(code: u8, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::told(code, message, advice)
    }

    /// Not possible now: exit code 4.
    pub fn not_possible(message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::told(4, message, advice)
    }

    /// The platform or a source failed: exit code 5.
    pub fn platform(message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::told(5, message, advice)
    }

    /// The same error with its message told otherwise.
    #[must_use]
    pub(super) fn retold(self, retell: impl FnOnce(&str) -> String) -> Self {
        match self {
            Self::Told {
                code,
                message,
                advice,
            } => Self::told(code, retell(&message), advice),
            other => other,
        }
    }

    /// Prints the error to standard error and gives its exit code. A closed pipe is quiet success.
    pub(super) fn report(&self, output: OutputFormat) -> ExitCode {
        let (code, advice) = match self {
            Self::Io(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                return ExitCode::SUCCESS;
            }
            Self::Io(_) => (5, "check the disk and the permissions of the folder"),
            Self::Interrupted => (130, ""),
            Self::Told { code, advice, .. } => (*code, advice.as_str()),
        };
        let message = self.to_string();
        let text = match output {
            OutputFormat::Text if advice.is_empty() => {
                format!("error: {}", lines_for_terminal(&message))
            }
            OutputFormat::Text => format!(
                "error: {}\n  help: {}",
                lines_for_terminal(&message),
                lines_for_terminal(advice)
            ),
            OutputFormat::Json => {
                serde_json::json!({ "error": { "code": code, "message": message, "advice": advice } })
                    .to_string()
            }
        };
        tracing::error!(code, "{}", lines_for_terminal(&message));
        // Nobody may be left to read it; the exit code tells all the same.
        let mut err = ForTerminal::new(io::stderr().lock(), Instead::JsonEscape);
        let _ = match output {
            OutputFormat::Text => writeln!(io::stderr(), "{text}"),
            OutputFormat::Json => writeln!(err, "{text}"),
        };
        ExitCode::from(code)
    }
}

/// Keeps line breaks of our own making and neutralises every other control character.
fn lines_for_terminal(text: &str) -> String {
    text.lines()
        .map(for_terminal)
        .collect::<Vec<_>>()
        .join("\n")
}

impl From<OpsError> for CliError {
    fn from(error: OpsError) -> Self {
        let code = match error.kind {
            OpsErrorKind::InvalidInput => 2,
            OpsErrorKind::NotFound => 3,
            OpsErrorKind::NotPossible | OpsErrorKind::Conflict | OpsErrorKind::ReadOnly => 4,
            OpsErrorKind::SignedOut | OpsErrorKind::Platform => 5,
        };
        Self::told(code, error.message, error.advice)
    }
}

impl From<JobError> for CliError {
    fn from(error: JobError) -> Self {
        let code = match error.error_type {
            _ if error.message.contains("TABLE_NOT_FOUND: ") => {
                return Self::told(3, error.message, NOT_BUILT);
            }
            ErrorType::InvalidInput => 2,
            ErrorType::LeaseHeld => 4,
            ErrorType::DataContractError | ErrorType::QualityCheckFailed => 1,
            ErrorType::Cancelled => 130,
            _ => 5,
        };
        Self::told(code, format!("{}: {}", error.error_type, error.message), "")
    }
}

impl From<QueryError> for CliError {
    fn from(error: QueryError) -> Self {
        let is_table =
            matches!(&error, QueryError::Refused { code, .. } if *code == "TABLE_NOT_FOUND");
        let code = match &error {
            QueryError::Refused { code, .. } if code.ends_with("_NOT_FOUND") => 3,
            QueryError::Refused { .. } => 2,
            QueryError::Conflict { .. } => 4,
            QueryError::Failed { .. } => 5,
            QueryError::Cancelled => 130,
        };
        let advice = if is_table { NOT_BUILT } else { "" };
        Self::told(code, error.to_string(), advice)
    }
}

impl From<CsvError> for CliError {
    fn from(error: CsvError) -> Self {
        match error {
            CsvError::Query(error) => error.into(),
            CsvError::Io(error) => Self::Io(error),
            other => Self::told(5, other.to_string(), ""),
        }
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        let code = if matches!(error, StoreError::NotFound { .. }) {
            3
        } else {
            5
        };
        Self::told(code, error.to_string(), "")
    }
}

impl From<ParameterError> for CliError {
    fn from(error: ParameterError) -> Self {
        let code = if matches!(error, ParameterError::Missing { .. }) {
            3
        } else {
            5
        };
        Self::told(code, error.to_string(), "")
    }
}

impl From<WindowError> for CliError {
    fn from(error: WindowError) -> Self {
        let advice = match error {
            WindowError::Future { .. } => "choose a window that ends today or before",
            _ => "give --from and --to as YYYY-MM-DD, today, yesterday or -7d",
        };
        Self::usage(error.to_string(), advice)
    }
}
