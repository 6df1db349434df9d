//! The configuration that leads a profile to a simulator, ready to be pasted.

use std::path::Path;

use crate::{
    pipeline::text::for_terminal,
    simulator::{
        DEMO_API_KEY,
        google::PROPERTIES,
        marketo::{DEMO_CLIENT_ID, DEMO_CLIENT_SECRET},
    },
};

/// Tables for `config.toml`, then the commands that set the credentials. `own_key` says that the simulator asks
/// for another Affise key than the demo one, which is never printed.
pub(super) fn to_paste(url: &str, own_key: bool, google_key: Option<&Path>) -> String {
    let affise = if own_key {
        "  lakehand -p simulated credentials set /affise/ApiKey    # the key you gave\n".to_owned()
    } else {
        set("/affise/ApiKey", DEMO_API_KEY)
    };
    let google = match google_key {
        Some(path) => {
            let path = path.to_string_lossy().replace('\'', r"'\''");
            let file = for_terminal(&path);
            format!(
                "  lakehand -p simulated credentials set /google/ServiceAccountKey --file '{file}'\n"
            )
        }
        None => {
            "  Google: start the simulator with --google-key-file FILE to have its key\n".to_owned()
        }
    };
    format!(
        "For config.toml (`lakehand config path` names it):\n\n{}\nThen the credentials:\n\n\
         {affise}{}{}{google}",
        tables(url),
        set("/marketo/ClientId", DEMO_CLIENT_ID),
        set("/marketo/ClientSecret", DEMO_CLIENT_SECRET),
    )
}

fn set(path: &str, value: &str) -> String {
    format!("  printf %s {value} | lakehand -p simulated credentials set {path}\n")
}

/// The profile `simulated`.
fn tables(url: &str) -> String {
    let list = |name: &str| {
        let one = PROPERTIES.iter().map(|of| {
            let id = if name == "view" { of.view } else { of.property };
            format!(
                "{{ business_unit = \"{}\", {name} = \"{id}\" }}",
                of.business_unit
            )
        });
        one.collect::<Vec<_>>().join(", ")
    };
    format!(
        r#"[profiles.simulated]
platform = "local"
[profiles.simulated.affise]
base_url = "{url}"
requests_per_second = 100.0
[profiles.simulated.marketo]
base_url = "{url}"
lag_minutes = 0
poll_seconds = 1
[profiles.simulated.ga4]
base_url = "{url}"
[[profiles.simulated.ga4.reports]]
name = "traffic"
properties = [{}]
dimensions = ["sessionSource", "sessionMedium", "sessionCampaignName"]
metrics = ["sessions", "totalUsers", "keyEvents"]
[profiles.simulated.ga3]
base_url = "{url}"
[[profiles.simulated.ga3.reports]]
name = "archive"
views = [{}]
dimensions = ["ga:source", "ga:medium", "ga:campaign"]
metrics = ["ga:sessions", "ga:users", "ga:goalCompletionsAll"]
"#,
        list("property"),
        list("view"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cli::sample_sources::with_all_sources,
        config::{Config, Home},
    };

    #[test]
    fn what_is_printed_is_a_configuration_with_every_source() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::below(folder.path());
        let url = "http://127.0.0.1:4711";
        let config = Config::parse(&tables(url), &home).unwrap();
        let profile = config.profile(Some("simulated")).unwrap();
        // The sample's own profile knows what the simulator has.
        let sample = with_all_sources(profile);
        assert_eq!(
            profile.ga4.as_ref().unwrap().reports,
            sample.ga4.unwrap().reports
        );
        let views = |of: Option<&crate::config::Ga3Settings>| of.unwrap().reports[0].views.clone();
        assert_eq!(views(profile.ga3.as_ref()), views(sample.ga3.as_ref()));
        for base_url in [
            &profile.affise.base_url,
            &profile.marketo.as_ref().unwrap().base_url,
            &profile.ga4.as_ref().unwrap().base_url,
            &profile.ga3.as_ref().unwrap().base_url,
        ] {
            assert_eq!(base_url, url);
        }
        let all = to_paste(url, false, Some(Path::new("key.json")));
        let paths = [
            &profile.affise.api_key_parameter,
            &profile.marketo.as_ref().unwrap().client_secret_parameter,
            &profile.ga4.as_ref().unwrap().key_parameter,
            &profile.ga3.as_ref().unwrap().key_parameter,
        ];
        for path in paths {
            assert!(all.contains(&format!("credentials set {path}")), "{path}");
        }
        assert!(all.contains(DEMO_API_KEY));
        assert!(!to_paste(url, true, None).contains(DEMO_API_KEY));
    }
}
