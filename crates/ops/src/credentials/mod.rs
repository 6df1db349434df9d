//! Credentials: which ones the profile needs, how each stands, new ones, and whether sources accept them. Values
//! go in and never come out.

pub mod needed;
pub mod shape;

use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use super::{Operator, OpsError, OpsErrorKind, OpsResult, RootCause};
use lakehand_pipeline::ports::ParameterReference;
pub use needed::{CredentialKind, NeededCredential, needed};

/// A version of a credential, without its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CredentialVersion {
    /// Counts from 1.
    pub version: u64,
    /// When it was set.
    pub set_at: Timestamp,
    /// Who set it, where the store knows.
    pub by: Option<String>,
}

/// How a credential stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "status", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CredentialState {
    /// It was never set.
    Missing,
    /// It is in the store.
    Present(CredentialVersion),
    /// A variable of the environment gives it, whatever the store holds.
    Environment {
        /// Name of the variable.
        variable: String,
    },
    /// The stand-in behind a sample lake brings its own.
    Sample,
    /// It is kept where this platform cannot look.
    Elsewhere {
        /// Why, and what to do.
        why: String,
    },
}

/// One credential of the profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Credential {
    /// Where it is kept, as the configuration names it.
    pub path: String,
    /// The sources that sign in with it.
    pub sources: Vec<&'static str>,
    /// What it is.
    pub kind: CredentialKind,
    /// How it stands.
    #[serde(flatten)]
    pub state: CredentialState,
    /// Until when the profile promises to replace it; `None` without a promise or a date.
    #[serde(rename = "rotation_due_at")]
    pub rotate_by: Option<Timestamp>,
    /// That moment has passed.
    pub overdue: bool,
}

/// What a source said to a sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SignInVerdict {
    /// It accepts the credentials.
    Accepted,
    /// A credential is missing.
    Missing,
    /// It does not accept them.
    Refused,
    /// It did not answer, or not with a clear word.
    Unclear,
}

/// How a sign-in went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SignInResult {
    /// The source.
    pub source: String,
    /// What it said.
    pub verdict: SignInVerdict,
    /// Who it says we are, or why not; one sentence, no secret, no control character.
    pub message: String,
    /// The address that answered, after a success.
    #[serde(rename = "address")]
    pub at: Option<String>,
    /// What the account may not do, after a success.
    pub warning: Option<String>,
}

/// What storing a credential did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CredentialSet {
    /// Where it is kept.
    pub path: String,
    /// The new version.
    pub version: u64,
    /// The sign-ins before it was stored, one for each source that uses it; none unless asked for.
    pub sign_ins: Vec<SignInResult>,
    /// Why it changes nothing for now, where something else is used instead.
    pub no_effect: Option<String>,
    /// What of the value was left out, in words, where something was.
    pub left_out: Option<String>,
}

impl CredentialState {
    /// Why a new version changes nothing for now.
    #[must_use]
    pub fn overrides(&self) -> Option<String> {
        match self {
            Self::Sample => Some(
                "this lake holds sample data: the simulator stands in and brings its own credentials, so what is set has no effect here until `lakehand leave-sample`"
                    .to_owned(),
            ),
            Self::Environment { variable } => Some(format!(
                "the variable {variable} gives it, whatever is stored; unset that to use what is set"
            )),
            Self::Missing | Self::Present(_) | Self::Elsewhere { .. } => None,
        }
    }
}

impl Operator {
    /// Every credential the profile needs.
    pub(super) async fn list_credentials(&self) -> OpsResult<Vec<Credential>> {
        let all = needed(&self.parts.profile);
        futures::future::try_join_all(all.into_iter().map(|one| self.credential(one))).await
    }

    async fn credential(&self, needed: NeededCredential) -> OpsResult<Credential> {
        let reference = reference(&needed.path)?;
        let state = self.parts.credentials.state(&reference, &needed).await?;
        let days = self.parts.profile.credentials.rotate_after_days;
        let rotate_by = match &state {
            CredentialState::Present(version) if days > 0 => version
                .set_at
                .checked_add(SignedDuration::from_hours(24 * i64::from(days)))
                .ok(),
            _ => None,
        };
        Ok(Credential {
            path: needed.path,
            sources: needed.sources,
            kind: needed.kind,
            state,
            overdue: rotate_by.is_some_and(|by| by < self.parts.clock.now()),
            rotate_by,
        })
    }

    pub(super) async fn versions_of(&self, path: &str) -> OpsResult<Vec<CredentialVersion>> {
        let needed = self.needed_at(path)?;
        self.parts
            .credentials
            .history(&reference(&needed.path)?)
            .await
    }

    /// Checks the shape, signs in with it when asked to, stores it.
    pub(super) async fn store_credential(
        &self,
        path: &str,
        value: SecretString,
        sign_in_first: bool,
    ) -> OpsResult<CredentialSet> {
        let needed = self.needed_at(path)?;
        lakehand_pipeline::secrets::remember(value.expose_secret());
        let left_out = shape::left_out(&value).map(str::to_owned);
        let value = shape::checked(needed.kind, &value).map_err(|why| {
            let message = format!(
                "this is no {}: {why}; nothing was stored",
                needed.kind.title()
            );
            OpsError::new(OpsErrorKind::InvalidInput, message, needed.kind.advice())
        })?;
        let reference = reference(path)?;
        let state = self.parts.credentials.state(&reference, &needed).await?;
        let sign_ins = if sign_in_first {
            if state == CredentialState::Sample {
                return Err(OpsError::new(
                    OpsErrorKind::NotPossible,
                    "nothing was stored: this lake holds sample data, and the simulator that stands in accepts its own credentials only",
                    "set it without signing in first; it is used by a lake without sample data",
                ));
            }
            self.try_candidate(&needed, &value).await?
        } else {
            Vec::new()
        };
        let version = self.parts.credentials.put(&reference, value).await?;
        Ok(CredentialSet {
            path: path.to_owned(),
            version,
            sign_ins,
            no_effect: state.overrides(),
            left_out,
        })
    }

    /// Signs in with a new value to every source that uses it.
    ///
    /// # Errors
    /// When one of them does not accept it, or none does. A source that does not answer keeps nobody from storing
    /// what another one accepts.
    async fn try_candidate(
        &self,
        needed: &NeededCredential,
        value: &SecretString,
    ) -> OpsResult<Vec<SignInResult>> {
        let tries = needed.sources.iter().map(|source| {
            let candidate = (needed.path.clone(), value.clone());
            self.parts.credentials.sign_in(source, Some(candidate))
        });
        let results = futures::future::try_join_all(tries).await?;
        let any = |verdict| results.iter().any(|result| result.verdict == verdict);
        if any(SignInVerdict::Refused)
            || any(SignInVerdict::Missing)
            || !any(SignInVerdict::Accepted)
        {
            let not_accepted = results
                .iter()
                .filter(|result| result.verdict != SignInVerdict::Accepted);
            let why: Vec<String> = not_accepted
                .map(|result| format!("{}: {}", result.source, result.message))
                .collect();
            let message = format!("nothing was stored: {}", why.join("; "));
            let advice = "set it without signing in first if the source is only unreachable";
            return Err(OpsError::new(OpsErrorKind::NotPossible, message, advice));
        }
        Ok(results)
    }

    pub(super) async fn sign_in_to(&self, source: &str) -> OpsResult<SignInResult> {
        let all = needed(&self.parts.profile);
        if all.iter().any(|one| one.sources.contains(&source)) {
            return self.parts.credentials.sign_in(source, None).await;
        }
        let mut known: Vec<&str> = all.iter().flat_map(|one| one.sources.clone()).collect();
        known.dedup();
        Err(OpsError::new(
            OpsErrorKind::NotFound,
            format!(
                "the profile {} has no source of that name; it is not repeated here, in case it is a secret",
                self.parts.profile.name
            ),
            format!("it has: {}", known.join(", ")),
        ))
    }

    fn needed_at(&self, path: &str) -> OpsResult<NeededCredential> {
        let all = needed(&self.parts.profile);
        let paths: Vec<String> = all.iter().map(|one| one.path.clone()).collect();
        all.into_iter().find(|one| one.path == path).ok_or_else(|| {
            OpsError::new(
                OpsErrorKind::NotFound,
                format!(
                    "the profile {} needs no credential of that path; it is not repeated here, in case it is a secret",
                    self.parts.profile.name
                ),
                format!("it needs: {}", paths.join(", ")),
            )
        })
    }

    /// Names the credential behind a failure that is one of credentials.
    /// A failure from before the credential was set is told as one of then.
    pub(super) async fn name_the_credential(
        &self,
        cause: Option<RootCause>,
        failed_at: Option<Timestamp>,
    ) -> Option<RootCause> {
        let mut cause = cause?;
        if cause.error != "BadCredentials" {
            return Some(cause);
        }
        let all = needed(&self.parts.profile);
        let of_path = all.iter().find(|one| cause.cause.contains(&one.path));
        let suspects: Vec<&NeededCredential> = match of_path {
            Some(one) => vec![one],
            None => all
                .iter()
                .filter(|one| one.is_named_in(&cause.cause))
                .collect(),
        };
        if suspects.is_empty() {
            return Some(cause);
        }
        let (mut missing, mut set_since) = (Vec::new(), Vec::new());
        for one in &suspects {
            let reference = reference(&one.path).ok()?;
            match self.parts.credentials.state(&reference, one).await {
                Ok(CredentialState::Missing) => missing.push(*one),
                Ok(CredentialState::Present(version))
                    if failed_at.is_some_and(|failed| failed < version.set_at) =>
                {
                    set_since.push((*one, version));
                }
                _ => {}
            }
        }
        if missing.is_empty()
            && let [(one, version), ..] = set_since.as_slice()
        {
            let at = version
                .set_at
                .to_zoned(self.parts.profile.time_zone.clone());
            cause.meaning = Some(format!(
                "The credential {} ({}) was missing or not accepted then; version {} was set after that, at {}.",
                one.path,
                one.kind.title(),
                version.version,
                at.strftime("%Y-%m-%d %H:%M %:z")
            ));
            let source = one.sources.first().copied().unwrap_or_default();
            cause.remedy = Some(format!(
                "Test it on the Credentials screen or with `lakehand credentials test {source}`, then redrive."
            ));
            cause.retry_helps = Some(true);
            return Some(cause);
        }
        let (named, verb) = if missing.is_empty() {
            (
                suspects,
                "not accepted: wrong, revoked, expired, or without the needed right",
            )
        } else {
            (missing, "not set")
        };
        let titles: Vec<String> = named
            .iter()
            .map(|one| format!("{} ({})", one.path, one.kind.title()))
            .collect();
        let paths: Vec<&str> = named.iter().map(|one| one.path.as_str()).collect();
        cause.meaning = Some(format!("The credential {} is {verb}.", titles.join(" or ")));
        cause.remedy = Some(format!(
            "Set {} on the Credentials screen or with `lakehand credentials set {}`, test it, then redrive.",
            paths.join(" or "),
            lakehand_pipeline::text::shell_word(paths[0])
        ));
        cause.retry_helps = Some(false);
        Some(cause)
    }
}

/// A reference as the configuration has it; malformed ones were refused when it was read.
fn reference(path: &str) -> OpsResult<ParameterReference> {
    path.parse().map_err(|why: String| {
        OpsError::new(
            OpsErrorKind::InvalidInput,
            why,
            "`lakehand credentials list` shows those the profile needs",
        )
    })
}
