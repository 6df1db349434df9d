//! Whose account this is, and how the way to it stands.
//!
//! The header shows profile and region at once; the account follows when AWS has said it. What a profile may change
//! depends on it: a profile that names its account refuses every change in another one.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use super::{Clients, call::Api};
use lakehand_config::Profile;
use lakehand_ops::{Connection, OpsError, OpsErrorKind, OpsResult, ports::Account};

const IDENTITY: Api = Api::free("sts", "GetCallerIdentity");
/// How long throttling stays in the header.
const THROTTLED_FOR: u64 = 60;

#[derive(Debug, Clone)]
struct Caller {
    account: String,
    arn: String,
}

/// The [`Account`] of a profile on AWS.
#[derive(Debug)]
pub(super) struct AwsAccount {
    clients: Clients,
    profile: Arc<Profile>,
    caller: Mutex<Option<Caller>>,
}

impl AwsAccount {
    /// The account behind `clients`; asks nobody yet.
    pub(super) fn new(clients: Clients, profile: Arc<Profile>) -> Self {
        Self {
            clients,
            profile,
            caller: Mutex::default(),
        }
    }

    fn known(&self) -> Option<Caller> {
        self.caller
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Whose these credentials are, where that is not the account that the profile names.
    fn other_account(&self, caller: &Caller) -> Option<String> {
        let own = self.profile.aws.account.as_ref()?;
        (*own != caller.account).then(|| format!("{} ({}), not {own}", caller.account, caller.arn))
    }

    async fn ask(&self) -> OpsResult<Caller> {
        let call = self.clients.sts.get_caller_identity();
        let answer = self
            .clients
            .call(IDENTITY, "your credentials", call.send())
            .await?;
        let caller = Caller {
            account: answer.account.unwrap_or_default(),
            arn: answer.arn.unwrap_or_default(),
        };
        *self.caller.lock().unwrap_or_else(PoisonError::into_inner) = Some(caller.clone());
        Ok(caller)
    }

    /// The command that signs the operator in.
    fn login_command(&self) -> String {
        if let Some(command) = &self.profile.aws.login_command {
            return command.clone();
        }
        let variable = || {
            std::env::var("AWS_PROFILE")
                .ok()
                .filter(|name| !name.is_empty())
        };
        match self.profile.aws.sdk_profile.clone().or_else(variable) {
            Some(name) => format!("aws sso login --profile {}", shell_word(&name)),
            None => "aws sso login".to_owned(),
        }
    }
}

/// A word that a shell takes as it is.
fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@' | '/');
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[async_trait]
impl Account for AwsAccount {
    fn connection(&self) -> Connection {
        let caller = self.known();
        let other_account = caller
            .as_ref()
            .and_then(|caller| self.other_account(caller));
        let throttled = self.clients.meter.throttled_ago().map(|ago| ago.as_secs());
        Connection {
            account: caller.as_ref().map(|caller| caller.account.clone()),
            caller: caller.map(|caller| caller.arn),
            throttled_seconds_ago: throttled.filter(|seconds| *seconds < THROTTLED_FOR),
            signed_out: self.clients.meter.signed_out(),
            other_account,
            login_command: Some(self.login_command()),
            calls: self.clients.meter.traffic().calls,
            ..Connection::default()
        }
    }

    async fn identify(&self) -> OpsResult<()> {
        // Whoever signed in anew may be somebody else.
        let caller = match self.known() {
            Some(caller) if self.clients.meter.signed_out().is_none() => caller,
            _ => self.ask().await?,
        };
        match &self.profile.aws.account {
            Some(own) if *own != caller.account => Err(OpsError::new(
                OpsErrorKind::ReadOnly,
                format!(
                    "the profile {} is for the account {own}, and your credentials are for {} ({}): nothing was changed",
                    self.profile.name, caller.account, caller.arn
                ),
                "sign in to the right account, or choose another profile",
            )),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_name_stays_one_word() {
        assert_eq!(shell_word("prod-admin"), "prod-admin");
        assert_eq!(shell_word("a b'c; rm"), r"'a b'\''c; rm'");
    }
}
