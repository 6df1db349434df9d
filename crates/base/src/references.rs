//! Where a credential is kept: what the configuration writes and the platforms read.

use std::{fmt, str::FromStr};

/// Where a credential is kept, as the configuration names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ParameterReference {
    /// A path in the parameter store: `/affise/ApiKey`.
    Parameter(String),
    /// A secret of AWS Secrets Manager by name or ARN, or one field of its JSON:
    /// `secretsmanager:prod/affise#apiKey`.
    Secret {
        /// Name or ARN.
        id: String,
        /// Field of the secret's JSON; the whole value when absent.
        field: Option<String>,
    },
}

/// Start of a reference into Secrets Manager.
const SECRETS_MANAGER: &str = "secretsmanager:";

impl FromStr for ParameterReference {
    type Err = String;

    /// Reads a reference; the error says what is wrong with it. Limits are those of AWS: 1011 characters and 15
    /// levels of a parameter, 2048 characters of a secret's id.
    fn from_str(text: &str) -> Result<Self, String> {
        let fits = |text: &str, others: &str| {
            !text.is_empty()
                && text
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || others.contains(c))
        };
        if let Some(rest) = text.strip_prefix(SECRETS_MANAGER) {
            let (id, field) = match rest.split_once('#') {
                Some((id, field)) => (id, Some(field)),
                None => (rest, None),
            };
            let good = id.len() <= 2048
                && fits(id, "/_+=.@-:")
                && field.is_none_or(|field| fits(field, "_-."));
            return if good {
                Ok(Self::Secret {
                    id: id.to_owned(),
                    field: field.map(str::to_owned),
                })
            } else {
                Err(format!(
                    "'{text}' names no secret; write secretsmanager:NAME or secretsmanager:NAME#FIELD"
                ))
            };
        }
        let levels: Vec<&str> = text.split('/').skip(1).collect();
        let good = text.starts_with('/')
            && text.len() <= 1011
            && levels.len() <= 15
            && levels.iter().all(|level| fits(level, "_.-"));
        if good {
            Ok(Self::Parameter(text.to_owned()))
        } else {
            Err(format!(
                "'{text}' is no parameter path; write one such as /affise/ApiKey, or secretsmanager:NAME"
            ))
        }
    }
}

impl fmt::Display for ParameterReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parameter(path) => f.write_str(path),
            Self::Secret { id, field } => {
                write!(f, "{SECRETS_MANAGER}{id}")?;
                match field {
                    Some(field) => write!(f, "#{field}"),
                    None => Ok(()),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_as_they_are_written() {
        for text in [
            "/affise/ApiKey",
            "/a/b-c/d_e.f",
            "secretsmanager:prod/affise",
            "secretsmanager:prod/affise#apiKey",
            "secretsmanager:arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/ga-Ab12Cd",
        ] {
            let reference: ParameterReference = text.parse().unwrap();
            assert_eq!(reference.to_string(), text);
        }
        let deep = "/a".repeat(16);
        for text in [
            "",
            "affise",
            "/",
            "/a//b",
            "/a/",
            "/a b",
            "secretsmanager:",
            "secretsmanager:x#",
            "/ключ",
            &deep,
        ] {
            assert!(text.parse::<ParameterReference>().is_err(), "{text}");
        }
    }
}
