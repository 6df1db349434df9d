use super::*;

fn home() -> Home {
    Home::below(Path::new("/somewhere"))
}

fn refused(text: &str) -> String {
    Config::parse(text, &home()).unwrap_err().to_string()
}

#[test]
fn without_a_file_there_is_the_profile_local() {
    let config = Config::built_in(&home()).unwrap();
    let profile = config.profile(None).unwrap();
    assert_eq!(profile.name, "local");
    assert_eq!(profile.data_dir, Path::new("/somewhere/data/local"));
    assert_eq!(profile.resource_name("collect"), "lakehand-local-collect");
    assert!(!config.from_file());
}

#[test]
fn mistakes_are_named_with_line_and_column() {
    let unknown = refused("[profiles.local]\n\ncolour = 'red'\n");
    assert!(
        unknown.contains("config.toml:3:1: ") && unknown.contains("unknown field `colour`"),
        "{unknown}"
    );
    let zone = refused("[profiles.prod]\ntime_zone = 'Mars/Olympus'\n");
    assert!(
        zone.contains(":2:13: 'Mars/Olympus' is not a time zone"),
        "{zone}"
    );
    let kind = refused("[profiles.local.affise]\nconcurrency = 'many'\n");
    assert!(kind.contains(":2:15: "), "{kind}");
    let default = refused("profile = 'prd'\n");
    assert!(
        default.contains(":1:11: there is no profile 'prd'"),
        "{default}"
    );
    assert!(refused("[profiles.local.affise]\novern = 1").contains(":2:1: "));
    assert!(refused("[profiles.local.affise]\noverlap_hours = 1\n").contains("at least 2"));
    let both = refused(
        "[[profiles.local.schedules]]\nworkflow = 'collect'\ncrawler = 'ga'\nat = '08:00:00'\n",
    );
    assert!(both.contains("either a workflow or a crawler"), "{both}");
    let path = refused("[profiles.local.affise]\napi_key_parameter = 'affise'\n");
    assert!(path.contains("'affise' is no parameter path"), "{path}");
    let path = refused("[profiles.local.marketo]\nclient_id_parameter = '/a b'\n");
    assert!(path.contains("'/a b' is no parameter path"), "{path}");
}

#[test]
fn what_show_prints_is_a_configuration_with_the_same_meaning() {
    let text = "profile = 'prod'\n[profiles.prod]\ntime_zone = 'Europe/Berlin'\nread_only = true\n[profiles.prod.affise]\nbase_url = 'https://api-x.affise.com/'\n";
    let config = Config::parse(text, &home()).unwrap();
    let again = Config::parse(&config.show().unwrap(), &home()).unwrap();
    let (a, b) = (config.profile(None).unwrap(), again.profile(None).unwrap());
    assert_eq!(b.affise.base_url, "https://api-x.affise.com");
    assert_eq!(a.affise, b.affise);
    assert_eq!(a.schedules, b.schedules);
    assert!(b.read_only);
}

#[test]
fn the_example_names_every_setting_with_its_default() {
    let example = include_str!("../../../../config.example.toml");
    let uncommented: String = example
        .lines()
        .map(|line| {
            line.strip_prefix("# ")
                .filter(|l| l.starts_with('[') || l.contains(" = "))
                .unwrap_or(line)
        })
        .filter(|line| !line.starts_with('#'))
        .collect::<Vec<_>>()
        .join("\n");
    let from_example = Config::parse(&uncommented, &home()).unwrap();
    let built_in = Config::built_in(&home()).unwrap();
    assert_eq!(from_example.show().unwrap(), built_in.show().unwrap());
    let settings: toml::Table = toml::from_str(&built_in.show().unwrap()).unwrap();
    let local = settings["profiles"]["local"].as_table().unwrap();
    for (key, value) in local {
        assert!(
            example.contains(key),
            "config.example.toml does not mention {key}"
        );
        for inner in value.as_table().into_iter().flat_map(toml::Table::keys) {
            assert!(
                example.contains(inner),
                "config.example.toml does not mention {key}.{inner}"
            );
        }
    }
}

/// Sources that are off unless configured stand in the example behind a bare `#`.
#[test]
fn the_example_shows_every_setting_of_every_source() {
    let example = include_str!("../../../../config.example.toml");
    let uncommented: Vec<&str> = example
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(setting) if !setting.starts_with(' ') && !setting.is_empty() => setting,
            _ => line,
        })
        .filter(|line| !line.starts_with("data_dir"))
        .collect();
    let config = Config::parse(&uncommented.join("\n"), &home()).unwrap();
    let profile = config.profile(None).unwrap();
    let settings: toml::Table = toml::from_str(&config.show().unwrap()).unwrap();
    let local = settings["profiles"]["local"].as_table().unwrap();
    for source in ["marketo", "ga4", "ga3"] {
        let written = local[source].as_table().unwrap();
        for (key, value) in written {
            assert!(
                uncommented
                    .iter()
                    .any(|line| line.starts_with(&format!("{key} =")))
                    || example.contains(&format!("{source}.{key}]]")),
                "config.example.toml does not show {source}.{key} = {value}"
            );
        }
    }
    let defaults = MarketoSettings::default();
    assert_eq!(profile.marketo.as_ref(), Some(&defaults));
    let ga4 = profile.ga4.clone().unwrap();
    let report = ga4.reports[0].clone();
    assert!(report.dimension_filter.is_some() && report.metric_filter.is_some());
    assert_eq!(
        ga4,
        Ga4Settings {
            reports: vec![report],
            ..Ga4Settings::default()
        }
    );
    let ga3 = profile.ga3.clone().unwrap();
    let report = ga3.reports[0].clone();
    assert!(report.filters_expression.is_some() && !report.segments.is_empty());
    let base_url = ga3.base_url.clone();
    assert_eq!(
        ga3,
        Ga3Settings {
            reports: vec![report],
            base_url,
            ..Ga3Settings::default()
        }
    );
}

#[test]
fn mistakes_in_reports_are_named() {
    let ga4 = |fields: &str| {
        refused(&format!(
            "[profiles.local.ga4]\n[[profiles.local.ga4.reports]]\nname = 'x'\nproperties = [{{ business_unit = 'de', property = '1' }}]\n{fields}"
        ))
    };
    for (fields, part) in [
        (
            "dimensions = ['date']\nmetrics = ['sessions']",
            "leave out the dimension date",
        ),
        ("dimensions = []\nmetrics = []", "1 to 10 metrics"),
        (
            "dimensions = ['a', 'a']\nmetrics = ['sessions']",
            "has a twice",
        ),
        (
            "dimensions = []\nmetrics = ['m']\ndimension_filter = '{'",
            "is no JSON",
        ),
    ] {
        let told = ga4(fields);
        assert!(told.contains(part), "{told}");
    }
    let name = refused("[[profiles.local.ga3.reports]]\nname = 'X'\n");
    assert!(name.contains("'X' is no report name"), "{name}");
    assert!(refused("[profiles.local.marketo]\nconcurrency = 11\n").contains("at most 10"));
}
