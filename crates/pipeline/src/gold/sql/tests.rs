use proptest::prelude::*;

use super::*;

const NONE: &[(&str, &str)] = &[];

/// States.Format as its documentation describes it, without looking at ours.
fn evaluate(intrinsic: &str, values: &[(&str, &str)]) -> String {
    let inner = intrinsic
        .strip_prefix("States.Format('")
        .unwrap()
        .strip_suffix(')')
        .unwrap();
    let mut template = Vec::new();
    let mut chars = inner.char_indices();
    let end = loop {
        let (at, c) = chars.next().unwrap();
        match c {
            '\\' => template.push((true, chars.next().unwrap().1)),
            '\'' => break at,
            c => template.push((false, c)),
        }
    };
    let mut arguments = inner[end + 1..].split(", ").skip(1);
    let (mut out, mut at) = (String::new(), 0);
    while at < template.len() {
        if template[at] == (false, '{') && template.get(at + 1) == Some(&(false, '}')) {
            let path = arguments.next().unwrap();
            out.push_str(values.iter().find(|(known, _)| *known == path).unwrap().1);
            at += 2;
        } else {
            out.push(template[at].1);
            at += 1;
        }
    }
    assert_eq!(arguments.next(), None, "an argument without a place");
    out
}

#[test]
fn every_file_renders_alike_as_a_statement_and_as_an_intrinsic() {
    let files = SqlFiles::embedded();
    let staging = "daily_report_sub5_staging_0af3";
    for (path, _) in EMBEDDED {
        let parameters = [
            ("from", "2026-01-01"),
            ("to", "2026-01-07"),
            ("staging", staging),
            ("place", "2"),
            ("table", "affise_clicks"),
            ("today", "2026-01-31"),
            ("now", "2026-01-31 08:05:00"),
            ("ga_table", "ga_traffic"),
            ("ga_source", "session_source"),
            ("ga_medium", "session_medium"),
            ("ga_campaign", "session_campaign_name"),
            ("ga_sessions", "sessions"),
            ("ga_users", "total_users"),
            ("ga_conversions", "key_events"),
            ("zone", "Europe/Berlin"),
            ("business_unit", "shop"),
            ("day", "date"),
            ("baseline", "affise_clicks"),
            ("keys", "property, session_source"),
            ("dimensions_together", "session_source || session_medium"),
            ("metrics_together", "sessions + total_users"),
            ("report", "traffic"),
            ("source", "ga4"),
        ];
        let bindings = [
            ("from", "$.window.from"),
            ("to", "$.window.to"),
            ("staging", "$.run.staging"),
            ("place", "$.run.place"),
            ("table", "affise_clicks"),
            ("today", "2026-01-31"),
            ("now", "2026-01-31 08:05:00"),
            ("ga_table", "$.plan.ga_table"),
            ("ga_source", "$.plan.ga_source"),
            ("ga_medium", "$.plan.ga_medium"),
            ("ga_campaign", "$.plan.ga_campaign"),
            ("ga_sessions", "$.plan.ga_sessions"),
            ("ga_users", "$.plan.ga_users"),
            ("ga_conversions", "$.plan.ga_conversions"),
            ("zone", "$.plan.zone"),
            ("business_unit", "$.plan.business_unit"),
            ("day", "date"),
            ("baseline", "affise_clicks"),
            ("keys", "property, session_source"),
            ("dimensions_together", "session_source || session_medium"),
            ("metrics_together", "sessions + total_users"),
            ("report", "traffic"),
            ("source", "ga4"),
        ];
        let rendered = files.render(path, &parameters).unwrap();
        let intrinsic = files.states_format(path, &bindings).unwrap();
        let values = [
            ("$.window.from", "2026-01-01"),
            ("$.window.to", "2026-01-07"),
            ("$.run.staging", staging),
            ("$.run.place", "2"),
            ("$.plan.ga_table", "ga_traffic"),
            ("$.plan.ga_source", "session_source"),
            ("$.plan.ga_medium", "session_medium"),
            ("$.plan.ga_campaign", "session_campaign_name"),
            ("$.plan.ga_sessions", "sessions"),
            ("$.plan.ga_users", "total_users"),
            ("$.plan.ga_conversions", "key_events"),
            ("$.plan.zone", "Europe/Berlin"),
            ("$.plan.business_unit", "shop"),
        ];
        let lines: Vec<&str> = rendered.lines().map(str::trim).collect();
        assert_eq!(evaluate(&intrinsic, &values), lines.join(" "), "{path}");
        assert!(
            !intrinsic.contains('\n') && no_literal_goes_over_a_line_end(&rendered),
            "{path}"
        );
        assert!(
            !rendered.contains(":from") && !rendered.contains("--"),
            "{path}"
        );
        assert!(
            intrinsic.len() < 10_000,
            "{path}: AWS takes up to 10,000 characters, this has {}",
            intrinsic.len()
        );
    }
}

#[test]
fn every_file_of_the_folder_ships() {
    fn walk(folder: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|ending| ending == "sql") {
                let below = path.strip_prefix("../../assets/sql").unwrap();
                found.push(below.to_str().unwrap().to_owned());
            }
        }
    }
    let mut found = Vec::new();
    walk(Path::new("../../assets/sql"), &mut found);
    found.sort();
    let mut shipped: Vec<_> = EMBEDDED
        .iter()
        .map(|(path, _)| (*path).to_owned())
        .collect();
    shipped.sort();
    assert_eq!(shipped, found);
}

#[test]
fn parameters_are_what_their_name_says() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("t")).unwrap();
    let text = "-- :from in a comment\nSELECT ':from', \":to\", :execution, a::b FROM :staging WHERE d >= :from;\n";
    std::fs::write(folder.path().join("t/x.sql"), text).unwrap();
    let files = SqlFiles::in_folder(folder.path());
    let render = |execution: &str, staging: &str, from: &str| {
        files.render(
            "t/x.sql",
            &[
                ("execution", execution),
                ("staging", staging),
                ("from", from),
                ("b", ""),
            ],
        )
    };
    assert!(matches!(
        render("x", "s", "2026-01-01"),
        Err(GoldError::UnknownParameter { .. })
    ));
    std::fs::write(folder.path().join("t/x.sql"), text.replace("a::b ", "1 ")).unwrap();
    assert_eq!(
        render("o'clock", "s_1", "2026-01-01").unwrap(),
        "SELECT ':from', \":to\", 'o''clock', 1 FROM s_1 WHERE d >= date '2026-01-01'"
    );
    for (staging, from) in [
        ("s; DROP TABLE t", "2026-01-01"),
        ("s", "2026-1-1"),
        ("s", "2026-01-01' OR '1'='1"),
        ("", "2026-01-01"),
    ] {
        assert!(
            matches!(
                render("x", staging, from),
                Err(GoldError::BadParameter { .. })
            ),
            "{staging} {from}"
        );
    }
    assert!(matches!(
        files.render("t/x.sql", NONE),
        Err(GoldError::MissingParameter { .. })
    ));
    assert!(matches!(
        files.text("../Cargo.toml"),
        Err(GoldError::NoSuchFile { .. })
    ));
}

/// Whether every line closes the quotes that it opens.
fn no_literal_goes_over_a_line_end(sql: &str) -> bool {
    let even = |line: &str, quote| line.matches(quote).count() % 2 == 0;
    sql.lines().all(|line| even(line, '\'') && even(line, '"'))
}

proptest! {
    #[test]
    fn any_text_survives_the_intrinsic(
        lines in prop::collection::vec("([a-z{}\\\\$é ]|'[a-z{}\\\\$é ]{0,6}'|\"[a-z{} ]{0,6}\"){0,12}", 0..4)
    ) {
        let text = lines.join("\n");
        prop_assert!(no_literal_goes_over_a_line_end(&text));
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("t")).unwrap();
        std::fs::write(folder.path().join("t/x.sql"), &text).unwrap();
        let files = SqlFiles::in_folder(folder.path());
        let (rendered, intrinsic) = (files.render("t/x.sql", NONE).unwrap(), files.states_format("t/x.sql", NONE).unwrap());
        let lines: Vec<&str> = rendered.lines().map(str::trim).collect();
        prop_assert_eq!(evaluate(&intrinsic, &[]), lines.join(" "));
    }
}
