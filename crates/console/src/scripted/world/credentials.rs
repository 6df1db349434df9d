//! The world's credentials: one in order, one overdue, one missing, one that its source does not accept.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};

use super::World;
use lakehand_ops::{
    Credential, CredentialKind, CredentialSet, CredentialState, CredentialVersion, OpsError,
    OpsErrorKind, OpsResult, SignInResult, SignInVerdict, credentials::shape,
};

const ALL: [(&str, &[&str], CredentialKind); 5] = [
    ("/affise/ApiKey", &["affise"], CredentialKind::ApiKey),
    (
        "/marketo/MunchkinId",
        &["marketo"],
        CredentialKind::MunchkinId,
    ),
    ("/marketo/ClientId", &["marketo"], CredentialKind::ClientId),
    (
        "/marketo/ClientSecret",
        &["marketo"],
        CredentialKind::ClientSecret,
    ),
    (
        "/google/ServiceAccountKey",
        &["ga4", "ga3"],
        CredentialKind::ServiceAccountKey,
    ),
];

/// Days that the world promises to keep a credential at most.
const PROMISE: i64 = 180;

fn days(count: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * count)
}

/// What was set before the console opens.
pub(super) fn first(now: Timestamp) -> HashMap<String, Vec<CredentialVersion>> {
    let version = |version: u64, age: i64, by: &str| CredentialVersion {
        version,
        set_at: now - days(age),
        by: Some(by.to_owned()),
    };
    HashMap::from([
        (
            "/affise/ApiKey".to_owned(),
            vec![
                version(1, 400, "maria"),
                version(2, 221, "maria"),
                version(3, 12, "tom"),
            ],
        ),
        (
            "/marketo/MunchkinId".to_owned(),
            vec![version(1, 12, "maria")],
        ),
        (
            "/marketo/ClientId".to_owned(),
            vec![version(1, 221, "maria")],
        ),
        (
            "/google/ServiceAccountKey".to_owned(),
            vec![version(1, 90, "ci")],
        ),
    ])
}

/// Every credential of the profile.
pub(super) fn list(world: &World) -> Vec<Credential> {
    let one = |(path, sources, kind): &(&str, &[&'static str], CredentialKind)| {
        let newest = world
            .versions
            .get(*path)
            .and_then(|all| all.last())
            .cloned();
        let rotate_by = newest.as_ref().map(|newest| newest.set_at + days(PROMISE));
        Credential {
            path: (*path).to_owned(),
            sources: sources.to_vec(),
            kind: *kind,
            state: newest.map_or(CredentialState::Missing, CredentialState::Present),
            overdue: rotate_by.is_some_and(|by| by < world.now),
            rotate_by,
        }
    };
    ALL.iter().map(one).collect()
}

/// Stores a version after the same check of its shape that a platform makes. The value is forgotten.
pub(super) fn set(
    world: &mut World,
    path: &str,
    value: &SecretString,
    sign_in_first: bool,
) -> OpsResult<CredentialSet> {
    let refused = |message: String| {
        Err(OpsError::new(
            OpsErrorKind::InvalidInput,
            message,
            "give another one",
        ))
    };
    let Some((_, sources, kind)) = ALL.iter().find(|(known, ..)| *known == path) else {
        return refused(format!("the profile needs no credential {path}"));
    };
    if let Err(why) = shape::checked(*kind, value) {
        return refused(format!(
            "this is no {}: {why}; nothing was stored",
            kind.title()
        ));
    }
    if sign_in_first && value.expose_secret().contains("wrong") {
        return refused(format!(
            "nothing was stored: {} does not accept it",
            sources[0]
        ));
    }
    let (now, versions) = (
        world.now,
        world.versions.entry(path.to_owned()).or_default(),
    );
    let version = versions.last().map_or(1, |last| last.version + 1);
    versions.push(CredentialVersion {
        version,
        set_at: now,
        by: Some("you".to_owned()),
    });
    Ok(CredentialSet {
        path: path.to_owned(),
        version,
        sign_ins: sources
            .iter()
            .filter(|_| sign_in_first)
            .map(|source| accepted(source))
            .collect(),
        left_out: None,
        no_effect: None,
    })
}

fn accepted(source: &str) -> SignInResult {
    SignInResult {
        source: source.to_owned(),
        verdict: SignInVerdict::Accepted,
        message: "ops@example.com (user 7, common_manager)".to_owned(),
        at: Some(format!("https://api.{source}.example")),
        warning: None,
    }
}

/// What a source says.
pub(super) fn sign_in(world: &World, source: &str) -> SignInResult {
    let missing = list(world)
        .into_iter()
        .find(|one| one.sources.contains(&source) && one.state == CredentialState::Missing);
    let (verdict, message) = match (missing, source) {
        (Some(one), _) => (
            SignInVerdict::Missing,
            format!("the credential {} is not set", one.path),
        ),
        (None, "ga4" | "ga3") => (
            SignInVerdict::Refused,
            "the token endpoint refused the key: invalid_grant: Invalid JWT Signature.".to_owned(),
        ),
        _ => return accepted(source),
    };
    SignInResult {
        verdict,
        message,
        at: None,
        ..accepted(source)
    }
}
