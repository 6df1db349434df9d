//! What of an answer could not be read while the rest could: one refused call must not hide everything else, and must
//! not be passed over in silence either.

use std::fmt;

use serde::Serialize;

use super::{OpsError, OpsErrorKind, OpsResult, WorkflowName};

/// A part of what a screen shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "part", content = "name", rename_all = "snake_case")]
pub enum Part {
    /// The list of workflows.
    Workflows,
    /// One workflow: its definition or its executions.
    Workflow(WorkflowName),
    /// How fresh the streams are.
    Freshness,
    /// How fresh one stream is.
    Stream(String),
    /// The exported reports.
    Reports,
    /// The newest checks of every table.
    Quality,
    /// What is left of quotas.
    Quotas,
    /// Crawlers.
    Crawlers,
    /// Glue jobs.
    Jobs,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Workflows => f.write_str("the list of workflows"),
            Self::Workflow(name) => write!(f, "{name}"),
            Self::Freshness => f.write_str("freshness"),
            Self::Reports => f.write_str("reports"),
            Self::Stream(name) => f.write_str(name),
            Self::Quality => f.write_str("checks"),
            Self::Quotas => f.write_str("quotas"),
            Self::Crawlers => f.write_str("crawlers"),
            Self::Jobs => f.write_str("Glue jobs"),
        }
    }
}

/// A part that could not be read, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unread {
    /// What is missing.
    #[serde(flatten)]
    pub part: Part,
    /// What was tried, on what, and why it failed.
    pub reason: String,
    /// One line of advice.
    pub advice: String,
    /// The permission that is missing, where the refusal names it: `states:ListExecutions`.
    pub missing_permission: Option<String>,
}

impl Unread {
    /// A part that failed with `error`.
    #[must_use]
    pub fn new(part: Part, error: &OpsError) -> Self {
        Self {
            part,
            missing_permission: missing_permission(&error.message).map(str::to_owned),
            reason: error.message.clone(),
            advice: error.advice.clone(),
        }
    }

    /// The part and why, in one line, the permission first where it is known: that is what somebody asks an administrator for.
    #[must_use]
    pub fn line(&self) -> String {
        match &self.missing_permission {
            Some(permission) => {
                format!("{} cannot be read: {permission} is not allowed", self.part)
            }
            None => format!("{} cannot be read: {}", self.part, self.reason),
        }
    }
}

/// The action in AWS's words `… is not authorized to perform: states:ListExecutions on resource …`.
fn missing_permission(message: &str) -> Option<&str> {
    let (_, behind) = message.split_once("not authorized to perform: ")?;
    let action = behind
        .split_whitespace()
        .next()?
        .trim_end_matches(['.', ',']);
    let (service, operation) = action.split_once(':')?;
    let plain = |word: &str| {
        !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    (plain(service) && plain(operation)).then_some(action)
}

/// Whether an error says something of one part only, and will say it again: it is refused or not there. What may pass
/// (too many calls, no network) and credentials that do not work keep what was read before in its place.
pub(super) fn is_about_a_part(error: &OpsError) -> bool {
    const LASTING: [&str; 6] = [
        "AccessDenied",
        "not authorized",
        "Forbidden",
        "permission",
        "NoSuch",
        "DoesNotExist",
    ];
    match error.kind {
        OpsErrorKind::NotFound => true,
        OpsErrorKind::SignedOut => false,
        _ => LASTING.iter().any(|words| error.message.contains(words)),
    }
}

/// A part of an answer; one that cannot be read is empty, and named among what is unread.
pub(super) fn readable<T: Default>(
    part: Part,
    answer: OpsResult<T>,
    unread: &mut Vec<Unread>,
) -> OpsResult<T> {
    match answer {
        Err(error) if is_about_a_part(&error) => {
            unread.push(Unread::new(part, &error));
            Ok(T::default())
        }
        answer => answer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_nobodys_part() {
        let error = |kind, text: &str| is_about_a_part(&OpsError::new(kind, text, ""));
        use OpsErrorKind::{NotFound, Platform, SignedOut};
        assert!(error(NotFound, "a-b-quick is an Express state machine"));
        assert!(error(
            Platform,
            "ListObjectsV2 was refused: AccessDenied: Access Denied"
        ));
        assert!(!error(
            Platform,
            "ListExecutions: ThrottlingException: Rate exceeded"
        ));
        assert!(!error(Platform, "no connection: timed out"));
        assert!(!error(SignedOut, "AccessDenied: the token has expired"));
    }

    #[test]
    fn the_missing_permission_is_the_one_that_aws_names() {
        for (message, wanted) in [
            (
                "could not list: AccessDeniedException: User: arn:aws:sts::1:assumed-role/r/anna is not authorized to \
                 perform: states:ListExecutions on resource: arn:aws:states:x:1:stateMachine:y because no identity-based \
                 policy allows the states:ListExecutions action",
                Some("states:ListExecutions"),
            ),
            (
                "ListObjectsV2 was refused: AccessDenied: anna is not authorized to perform: s3:ListBucket.",
                Some("s3:ListBucket"),
            ),
            (
                "ListObjectsV2 was refused: AccessDenied: Access Denied",
                None,
            ),
            ("is not authorized to perform: \u{1b}[31m:x", None),
        ] {
            assert_eq!(missing_permission(message), wanted, "{message}");
        }
    }
}
