//! What verbs answer to a slip: no secret is repeated, no parser's words leak, exit codes tell the kind; and how one
//! gets out of the sample.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Output};

use serde_json::Value;

use crate::program::{demo, lakehand, run};

const MARK: &str = "do-not-show-5bd1";

fn said(output: &Output) -> (i32, String) {
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    (output.status.code().unwrap(), text)
}

fn told(home: &Path, arguments: &[&str]) -> (i32, String) {
    said(&run(home, arguments))
}

#[test]
fn a_secret_given_as_an_argument_is_not_repeated() {
    let home = tempfile::tempdir().unwrap();
    let with_value = format!("--value={MARK}");
    for arguments in [
        &["credentials", "set", "/affise/ApiKey", MARK][..],
        &["credentials", "set", "/affise/ApiKey", &with_value],
        &["credentials", MARK],
        &["credentials", "test", MARK],
        &["credentials", "history", MARK],
        &[
            "--output",
            "json",
            "credentials",
            "set",
            "/affise/ApiKey",
            MARK,
        ],
    ] {
        let (code, text) = told(home.path(), arguments);
        assert!(code == 2 || code == 3, "{arguments:?}: {code} {text}");
        assert!(!text.contains(MARK), "{arguments:?}: {text}");
        assert!(text.contains("not repeated here"), "{text}");
    }
    let missing = [
        "credentials",
        "set",
        "/affise/ApiKey",
        "--file",
        "no-such-file.txt",
    ];
    let (code, text) = told(home.path(), &missing);
    assert!(code == 2 && text.contains("no-such-file.txt"), "{text}");
    let log = home.path().join("data/logs/lakehand.log");
    let text = fs::read_to_string(&log).unwrap();
    assert!(
        text.contains("no-such-file.txt") && !text.contains(MARK),
        "{text}"
    );
    assert_eq!(
        fs::metadata(&log).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let (_, paths) = told(home.path(), &["config", "path"]);
    assert!(paths.contains(log.to_str().unwrap()), "{paths}");
}

#[test]
fn days_and_numbers_are_told_in_our_own_words() {
    let home = tempfile::tempdir().unwrap();
    for (arguments, part) in [
        (
            &["collect", "affise", "--from", "soon"][..],
            "'soon' is not a date",
        ),
        (&["run", "collect", "--to", "2999-01-01"], "after today"),
        (
            &[
                "run",
                "collect",
                "--input",
                "{\"window\":{\"from\":\"2999-01-01\",\"to\":\"2999-01-02\"}}",
            ],
            "after today",
        ),
        (&["runs", "list", "--limit", "many"], "whole number"),
        (&["demo", "--today", "31.01.2026"], "YYYY-MM-DD"),
    ] {
        let (code, text) = told(home.path(), arguments);
        assert!(
            code == 2 && text.contains(part),
            "{arguments:?}: {code} {text}"
        );
        assert!(
            !text.contains("parsing failed") && !text.contains("invalid digit"),
            "{text}"
        );
    }
}

#[test]
fn exit_codes_tell_what_is_not_there() {
    let home = tempfile::tempdir().unwrap();
    for (arguments, expected) in [
        (&["run", "no-such-workflow"][..], 3),
        (&["check", "daily_report_sub5"], 3),
        (&["reports", "export", "--from", "yesterday"], 3),
        (&["query", "SELECT 1 FROM daily_report_sub5"], 3),
        (&["-p", "undefined", "config", "check"], 2),
    ] {
        let (code, text) = told(home.path(), arguments);
        assert_eq!(code, expected, "{arguments:?}: {text}");
        assert!(text.contains("help: "), "{text}");
    }
}

#[test]
fn mistakes_of_the_configuration_are_found_where_they_stand() {
    let home = tempfile::tempdir().unwrap();
    for (config, part) in [
        (
            "[profiles.local.affise]\nattempts = 3\nbase_url = 'https://api-x.affise.com/3.0'\n",
            "config.toml:3:1: base_url",
        ),
        (
            "[profiles.local.affise]\nattempts = 3\n\nbase_url = ''\n",
            "config.toml:4:1: base_url is empty",
        ),
        (
            "[profiles.local.marketo]\n\nbase_url = 'https://123-ABC-456.mktorest.com/rest'\n",
            "config.toml:3:1: base_url",
        ),
        (
            "[profiles.local.ga4]\nattempts = 2\nconcurrency = 0\n",
            "config.toml:3:1: concurrency",
        ),
        (
            "[profiles.local.affise]\nconcurency = 2\n",
            "did you mean 'concurrency'?",
        ),
        (
            "[[profiles.local.schedules]]\nworkflow = 'dayly-report'\nat = '09:00'\n",
            "config.toml:2:13: there is no workflow 'dayly-report'",
        ),
        (
            "[[profiles.local.schedules]]\ncrawler = 'gs'\nat = '09:00'\n",
            "did you mean 'ga'?",
        ),
        (
            "[[profiles.local.schedules]]\nworkflow = 'collect'\nat = '9 Uhr'\n",
            "config.toml:3:7: '9 Uhr' is not a time of day",
        ),
    ] {
        fs::write(home.path().join("config.toml"), config).unwrap();
        let (code, text) = told(home.path(), &["config", "check"]);
        assert!(code == 2 && text.contains(part), "{config}: {text}");
    }
}

#[test]
fn a_closed_standard_error_is_no_crash() {
    let home = tempfile::tempdir().unwrap();
    let program = lakehand(home.path(), &[]).get_program().to_owned();
    for (verb, expected) in [("runs show nothing", 3), ("credentials set X Y", 2)] {
        let line = format!("'{}' {verb} 2>&-", program.display());
        let output = std::process::Command::new("sh")
            .args(["-c", &line])
            .env("LAKEHAND_HOME", home.path())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(expected), "{verb}");
    }
}

#[test]
fn own_sources_leave_the_sample() {
    for (way, is_kept) in [("--keep", true), ("--delete", false)] {
        let home = tempfile::tempdir().unwrap();
        let home = home.path();
        assert_eq!(demo(home, 200, &[])["status"], "SUCCEEDED");
        let (_, text) = told(home, &["status"]);
        assert!(text.starts_with("SAMPLE DATA"), "{text}");
        let answer: Value =
            serde_json::from_slice(&run(home, &["runs", "list", "--output", "json"]).stdout)
                .unwrap();
        assert_eq!(answer[0]["sample"], true);
        let rows = run(home, &["query", "SELECT 1 AS one", "--output", "json"]);
        assert_eq!(String::from_utf8_lossy(&rows.stdout).trim(), "{\"one\":1}");
        assert!(String::from_utf8_lossy(&rows.stderr).contains("\"sample\":true"));

        fs::write(
            home.join("config.toml"),
            "[profiles.local.affise]\nbase_url = 'http://127.0.0.1:9'\n",
        )
        .unwrap();
        for verb in [
            &["run", "collect", "--wait"][..],
            &["collect", "affise"],
            &["scheduler"],
        ] {
            let (code, text) = told(home, verb);
            assert!(
                code == 4 && text.contains("lakehand leave-sample --keep"),
                "{text}"
            );
        }
        assert_eq!(told(home, &["leave-sample"]).0, 2);
        let (code, text) = told(home, &["leave-sample", way]);
        assert!(
            code == 0 && text.contains("The lake is empty now"),
            "{text}"
        );
        let (_, text) = told(home, &["status"]);
        assert!(
            !text.contains("SAMPLE") && text.contains("The lake is empty"),
            "{text}"
        );
        let kept = fs::read_dir(home.join("data"))
            .unwrap()
            .flatten()
            .find(|entry| {
                entry
                    .file_name()
                    .to_string_lossy()
                    .starts_with("local.sample-")
            });
        assert_eq!(kept.is_some(), is_kept);
        if let Some(kept) = kept {
            let config = format!("[profiles.old]\ndata_dir = '{}'\n", kept.path().display());
            fs::write(home.join("config.toml"), config).unwrap();
            let (code, text) = told(home, &["-p", "old", "reports", "list"]);
            assert!(
                code == 0 && text.contains("SAMPLE DATA") && text.contains("sub5-"),
                "{text}"
            );
        }
        assert_eq!(told(home, &["leave-sample", way]).0, 4);
    }
}

/// The files of a lake with their bytes, without what the program remembers beside the data.
fn lake(home: &Path) -> std::collections::BTreeMap<std::path::PathBuf, Vec<u8>> {
    let mut found = std::collections::BTreeMap::new();
    let mut folders = vec![home.join("data/local/raw"), home.join("data/local/std")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            match path.is_dir() {
                true if name.starts_with('.') => {}
                // It counts changes, so that whoever looks sees that there was one.
                true if path.ends_with("_state/latest") => {}
                true => folders.push(path),
                false => drop(found.insert(path.clone(), fs::read(path).unwrap())),
            }
        }
    }
    found
}

#[test]
fn a_crawl_that_failed_ends_with_1() {
    let home = tempfile::tempdir().unwrap();
    let day = home
        .path()
        .join("data/local/std/silver/affise/clicks/date=2026-01-31");
    fs::create_dir_all(&day).unwrap();
    fs::write(day.join("part-0.parquet"), "no parquet").unwrap();
    for arguments in [
        &["crawl", "silver", "--wait"][..],
        &["crawl", "affise", "--wait"],
    ] {
        let (code, text) = told(home.path(), arguments);
        assert_eq!(code, 1, "{text}");
        assert!(text.contains("FAILED"), "{text}");
    }
    fs::remove_file(day.join("part-0.parquet")).unwrap();
    let (code, text) = told(home.path(), &["crawl", "silver", "--wait"]);
    assert_eq!(code, 0, "{text}");
}

#[test]
fn an_import_is_listed_and_taken_back_and_the_lake_is_as_before() {
    let home = tempfile::tempdir().unwrap();
    let file = |name: &str, lines: &str| {
        let path = home.path().join(name);
        fs::write(&path, lines).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let line = |id: &str, day: &str| {
        format!(
            "{{\"id\":\"{id}\",\"status\":\"confirmed\",\"created_at\":\"2026-01-{day} 10:00:00\",\"revenue\":1,\"goal\":\"g\"}}\n"
        )
    };
    let first = file("first.ndjson", &line("a", "01"));
    let wrong = file(
        "wrong file.ndjson",
        &(line("b", "01") + &line("c", "02") + &line("d", "03")),
    );
    let import = |path: &str| {
        let more = [
            "import",
            "affise.conversions",
            path,
            "--output",
            "json",
            "--accept-misfit",
        ];
        let output = run(home.path(), &more);
        assert!(output.status.success(), "{}", said(&output).1);
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    import(&first);
    let before = lake(home.path());
    let imported = import(&wrong);
    assert_eq!(imported["rows_new"], 3);
    let id = imported["execution"].as_str().unwrap();
    let (_, list) = told(home.path(), &["runs", "list"]);
    let shown = list.lines().find(|line| line.contains(id)).unwrap();
    for part in [
        "succeeded",
        "2026-01-01..2026-01-03",
        "3 rows of affise.conversions",
        "wrong file.ndjson",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let (code, detail) = told(home.path(), &["runs", "show", id]);
    assert!(
        code == 0 && detail.contains("3 rows: 3 new, 0 updated"),
        "{detail}"
    );

    let (code, text) = told(home.path(), &["import", "--undo", id]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("3 rows"), "{text}");
    assert!(lake(home.path()) == before);
    let (_, list) = told(home.path(), &["runs", "list"]);
    let newest = list.lines().next().unwrap();
    assert!(
        newest.contains("3 rows taken back") && newest.contains(id),
        "{newest}"
    );
    let (code, text) = told(home.path(), &["import", "--undo", id]);
    assert!(
        code == 3 && text.contains("there is no import"),
        "{code} {text}"
    );
}
