//! Logging in: a service account's key file, and the token endpoint that checks what it signs.

use std::{
    collections::HashMap,
    sync::{Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use aws_lc_rs::{
    encoding::AsDer,
    rsa::{KeyPair, KeySize},
    signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey},
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::wire::SECRET_MARKER;

/// Address of the simulated service account.
pub const SERVICE_ACCOUNT: &str = "lakehand@simulated.iam.gserviceaccount.com";
/// Scope both APIs want.
const SCOPE: &str = "https://www.googleapis.com/auth/analytics.readonly";
/// The audience of every JWT that Google's own clients sign.
const GOOGLE_ENDPOINT: &str = "https://oauth2.googleapis.com/token";
/// Longest life a JWT may claim, in seconds.
const LONGEST_LIFE: i64 = 3600;
/// How far clocks may differ, in seconds.
const SKEW: i64 = 300;

/// Keys and tokens of the simulated account.
#[derive(Debug)]
pub(super) struct Accounts {
    /// Made when it is first asked for: it takes a moment.
    keys: OnceLock<Option<KeyPair>>,
    life: Duration,
    tokens: Mutex<HashMap<String, Instant>>,
}

impl Accounts {
    /// Accounts whose tokens live so long.
    pub(super) fn new(life: Duration) -> Self {
        Self {
            keys: OnceLock::new(),
            life,
            tokens: Mutex::default(),
        }
    }

    fn keys(&self) -> Option<&KeyPair> {
        self.keys
            .get_or_init(|| KeyPair::generate(KeySize::Rsa2048).ok())
            .as_ref()
    }

    /// The content of the key file, as the console of Google Cloud gives it.
    pub(super) fn key_file(&self, token_uri: &str) -> SecretString {
        let der = self.keys().and_then(|keys| keys.as_der().ok());
        let bytes = der.as_ref().map_or(&[][..], |der| (**der).as_ref());
        let text = STANDARD.encode(bytes);
        let mut pem = String::from("-----BEGIN PRIVATE KEY-----\n");
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let (line, after) = rest.split_at(rest.len().min(64));
            pem.push_str(line);
            pem.push('\n');
            rest = after;
        }
        pem.push_str("-----END PRIVATE KEY-----\n");
        let file = json!({
            "type": "service_account",
            "project_id": "simulated",
            "private_key_id": "0123456789abcdef",
            "private_key": pem,
            "client_email": SERVICE_ACCOUNT,
            "client_id": "100000000000000000001",
            "auth_uri": "https://accounts.google.com/o/oauth2/auth",
            "token_uri": token_uri,
        });
        file.to_string().into()
    }

    /// Answers the token endpoint: status and body.
    pub(super) fn grant(&self, form: &[u8], token_uri: &str) -> (u16, Value) {
        let fields: HashMap<String, String> = url::form_urlencoded::parse(form)
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        let refused =
            |error: &str, why: &str| (400, json!({"error": error, "error_description": why}));
        let kind = fields.get("grant_type").map_or("", String::as_str);
        if kind != "urn:ietf:params:oauth:grant-type:jwt-bearer" {
            return refused("unsupported_grant_type", "Invalid grant_type");
        }
        let assertion = fields.get("assertion").map_or("", String::as_str);
        if let Err(why) = self.check(assertion, token_uri) {
            return refused("invalid_grant", &why);
        }
        let token = format!("{SECRET_MARKER}ya29.{:032x}", rand::random::<u128>());
        let until = Instant::now() + self.life;
        self.tokens
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(token.clone(), until);
        let expires_in = self.life.as_secs().saturating_sub(1);
        (
            200,
            json!({"access_token": token, "expires_in": expires_in, "token_type": "Bearer"}),
        )
    }

    fn check(&self, assertion: &str, token_uri: &str) -> Result<(), String> {
        let bad = |why: &str| format!("Invalid JWT: {why}");
        let (signed, signature) = assertion
            .rsplit_once('.')
            .ok_or_else(|| bad("not three parts"))?;
        let (header, claims) = signed
            .split_once('.')
            .ok_or_else(|| bad("not three parts"))?;
        let decode = |part: &str| {
            let bytes = URL_SAFE_NO_PAD
                .decode(part)
                .map_err(|_| bad("not base64url"))?;
            serde_json::from_slice::<Value>(&bytes).map_err(|_| bad("not JSON"))
        };
        let (header, claims) = (decode(header)?, decode(claims)?);
        if header["alg"] != "RS256" {
            return Err(bad("only RS256 is supported"));
        }
        let signature = URL_SAFE_NO_PAD
            .decode(signature)
            .map_err(|_| bad("not base64url"))?;
        let public = self.keys().ok_or_else(|| bad("no key"))?.public_key();
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public.as_ref())
            .verify(signed.as_bytes(), &signature)
            .map_err(|_| bad("Failed audience check or signature of the JWT"))?;
        if claims["iss"] != SERVICE_ACCOUNT {
            return Err("Invalid grant: account not found".to_owned());
        }
        // Google's own clients always name Google's endpoint, whatever the key file says.
        if claims["aud"] != token_uri && claims["aud"] != GOOGLE_ENDPOINT {
            return Err(bad("the audience is another"));
        }
        let scopes = claims["scope"].as_str().unwrap_or("");
        if !scopes.split(' ').any(|scope| scope == SCOPE) {
            return Err("Empty or missing scope not allowed.".to_owned());
        }
        let now = Timestamp::now().as_second();
        let (iat, exp) = (claims["iat"].as_i64(), claims["exp"].as_i64());
        match (iat, exp) {
            (Some(iat), Some(exp))
                if iat <= now + SKEW && exp >= now - SKEW && exp - iat <= LONGEST_LIFE =>
            {
                Ok(())
            }
            _ => Err(bad(
                "Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim.",
            )),
        }
    }

    /// Whether a token is good.
    pub(super) fn takes(&self, token: &str) -> bool {
        let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens
            .get(token)
            .is_some_and(|until| Instant::now() < *until)
    }

    /// No token works any longer.
    pub(super) fn expire(&self) {
        self.tokens
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}
