//! Signing in with a service account, and nothing else: whether Google gives a token for its key.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use secrecy::SecretString;

use super::login::ServiceAccount;
use crate::pipeline::{
    jobs::JobContext,
    sources::{
        SignIn, SignedIn, SourceError,
        http::{Auth, HttpClient, HttpSettings, TokenProvider},
    },
    text::for_terminal,
};

/// Somebody waits for the answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// A service account about to sign in.
#[derive(Debug)]
pub struct GoogleSignIn {
    client: HttpClient,
    account: Arc<ServiceAccount>,
}

impl GoogleSignIn {
    /// With the content of a key file. `base_url` is the API's address, of which nothing is asked.
    ///
    /// # Errors
    /// [`SourceError::BadCredentials`] when the key cannot work, [`SourceError::BadSettings`] for the address.
    pub fn new(ctx: &JobContext, base_url: &str, key: &SecretString) -> Result<Self, SourceError> {
        let account = Arc::new(ServiceAccount::read(key)?);
        let settings = HttpSettings {
            base_url: base_url.to_owned(),
            requests_per_second: 1.0,
            concurrency: 1,
            window: None,
            request_timeout: PATIENCE,
            deadline: PATIENCE,
            attempts: 2,
            first_wait: Duration::from_millis(500),
            longest_wait: Duration::from_secs(1),
        };
        let auth = Auth::Bearer(account.clone());
        let client = HttpClient::new(settings, auth, ctx.cancel.clone(), ctx.log.clone())?;
        Ok(Self { client, account })
    }
}

#[async_trait]
impl SignIn for GoogleSignIn {
    async fn sign_in(&self) -> Result<SignedIn, SourceError> {
        self.account.fetch(&self.client).await?;
        Ok(SignedIn {
            account: for_terminal(self.account.email()).into_owned(),
            at: self.account.token_address().to_owned(),
            warning: None,
        })
    }
}
