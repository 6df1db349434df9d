//! Which credentials a profile needs: those its configured sources name.

use serde::Serialize;

use lakehand_config::Profile;

/// What a credential is; decides what it must look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CredentialKind {
    /// Affise's API key.
    ApiKey,
    /// Marketo's instance: `123-ABC-456`.
    MunchkinId,
    /// Marketo's client id.
    ClientId,
    /// Marketo's client secret.
    ClientSecret,
    /// The content of a Google service account's key file, JSON.
    ServiceAccountKey,
}

impl CredentialKind {
    /// Its name for people.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::ApiKey => "Affise API key",
            Self::MunchkinId => "Marketo Munchkin id",
            Self::ClientId => "Marketo client id",
            Self::ClientSecret => "Marketo client secret",
            Self::ServiceAccountKey => "Google service account key",
        }
    }

    /// Its name with the article before it: `an Affise API key`.
    #[must_use]
    pub fn with_article(self) -> String {
        let title = self.title();
        let article = if title.starts_with(['A', 'E', 'I', 'O', 'U']) {
            "an"
        } else {
            "a"
        };
        format!("{article} {title}")
    }

    /// Where to get one.
    #[must_use]
    pub fn advice(self) -> &'static str {
        match self {
            Self::ApiKey => "copy it from Affise: Settings, Security, API key of a general manager",
            Self::MunchkinId => "copy it from Marketo: Admin, Munchkin; it looks like 123-ABC-456",
            Self::ClientId | Self::ClientSecret => {
                "copy it from Marketo: Admin, LaunchPoint, View Details of the service"
            }
            Self::ServiceAccountKey => {
                "give the whole JSON file that Google Cloud made: IAM, Service accounts, Keys"
            }
        }
    }

    /// Whether its value has several lines.
    #[must_use]
    pub fn has_lines(self) -> bool {
        self == Self::ServiceAccountKey
    }
}

/// A credential that configured sources sign in with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeededCredential {
    /// Where it is kept, as the configuration names it.
    pub path: String,
    /// The sources.
    pub sources: Vec<&'static str>,
    /// What it is.
    pub kind: CredentialKind,
}

impl NeededCredential {
    /// Whether an error's text speaks of one of its sources.
    #[must_use]
    pub fn is_named_in(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        self.sources.iter().any(|source| text.contains(source))
    }
}

/// Every credential of the profile, once each, in the order of its sources.
#[must_use]
pub fn needed(profile: &Profile) -> Vec<NeededCredential> {
    let mut all: Vec<NeededCredential> = Vec::new();
    let mut add = |path: &str, source: &'static str, kind: CredentialKind| match all
        .iter_mut()
        .find(|one| one.path == path)
    {
        Some(known) => known.sources.push(source),
        None => all.push(NeededCredential {
            path: path.to_owned(),
            sources: vec![source],
            kind,
        }),
    };
    let affise = &profile.affise;
    add(&affise.api_key_parameter, "affise", CredentialKind::ApiKey);
    if let Some(marketo) = &profile.marketo {
        // The id only says where the instance is.
        if marketo.base_url.is_empty() {
            add(
                &marketo.munchkin_id_parameter,
                "marketo",
                CredentialKind::MunchkinId,
            );
        }
        add(
            &marketo.client_id_parameter,
            "marketo",
            CredentialKind::ClientId,
        );
        add(
            &marketo.client_secret_parameter,
            "marketo",
            CredentialKind::ClientSecret,
        );
    }
    if let Some(ga4) = &profile.ga4 {
        add(&ga4.key_parameter, "ga4", CredentialKind::ServiceAccountKey);
    }
    if let Some(ga3) = &profile.ga3 {
        add(&ga3.key_parameter, "ga3", CredentialKind::ServiceAccountKey);
    }
    all
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use lakehand_config::{Config, Home};

    #[test]
    fn names_bear_the_right_article() {
        assert_eq!(CredentialKind::ApiKey.with_article(), "an Affise API key");
        assert_eq!(
            CredentialKind::ClientId.with_article(),
            "a Marketo client id"
        );
        assert_eq!(
            CredentialKind::ServiceAccountKey.with_article(),
            "a Google service account key"
        );
    }

    #[test]
    fn only_configured_sources_need_credentials_and_a_shared_key_stands_once() {
        let of = |text: &str| {
            let config = Config::parse(text, &Home::below(Path::new("/x"))).unwrap();
            needed(config.profile(None).unwrap())
        };
        assert_eq!(of("").len(), 1);
        let all = of(
            "[profiles.local.marketo]\n[profiles.local.ga4]\n[profiles.local.ga3]\nbase_url = 'http://127.0.0.1:1'\n",
        );
        let paths: Vec<&str> = all.iter().map(|one| one.path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "/affise/ApiKey",
                "/marketo/MunchkinId",
                "/marketo/ClientId",
                "/marketo/ClientSecret",
                "/google/ServiceAccountKey"
            ]
        );
        assert_eq!(all[4].sources, ["ga4", "ga3"]);
        assert!(all[4].is_named_in("GA4 properties/1 was refused"));
        assert!(!all[4].is_named_in("affise.offers was refused"));
    }
}
