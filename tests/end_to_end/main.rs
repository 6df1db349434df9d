//! The whole line as a user runs it: `lakehand demo --headless`, `reports get`, redrives after kills and
//! faults, `--data` with real strings. Figures are compared with naive computations that go through no
//! file, no silver and no SQL of ours.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod all_sources;
mod answers;
mod figures;
mod manners;
mod parked;
mod program;
mod real_strings;
mod trouble;

use std::{path::Path, process::Stdio};

use figures::assert_report_is_true;
use program::{cells, demo, demo_arguments, lakehand, report, run};
use serde_json::Value;

#[test]
fn the_demo_ends_in_a_report_whose_every_figure_is_true() {
    let home = tempfile::tempdir().unwrap();
    let made = demo(home.path(), 4000, &[]);
    assert_eq!(made["status"], "SUCCEEDED");
    let csv = report(home.path());
    assert_report_is_true(&csv, 4000);
    assert_eq!(made["report"]["bytes"], csv.len());
    assert_eq!(made["report"]["rows"], cells(&csv).len() - 1);

    // The same window again: the same bytes in another file.
    let again = run(
        home.path(),
        &[
            "run",
            "daily-report",
            "--from",
            "2026-11-13",
            "--to",
            "2026-11-20",
            "--wait",
            "--output",
            "json",
        ],
    );
    assert!(
        again.status.success(),
        "{}",
        String::from_utf8_lossy(&again.stderr)
    );
    let list: Value =
        serde_json::from_slice(&run(home.path(), &["reports", "list", "--output", "json"]).stdout)
            .unwrap();
    assert_eq!(list.as_array().unwrap().len(), 2);
    assert_eq!(list[0]["sha256"], list[1]["sha256"]);
    statements_are_told(home.path());
}

/// Two builds ran the same statements, and each says what it read.
fn statements_are_told(home: &Path) {
    let listed = run(
        home,
        &["statements", "list", "--limit", "100", "--output", "json"],
    );
    let all: Vec<Value> = serde_json::from_slice(&listed.stdout).unwrap();
    let merges: Vec<&Value> = all.iter().filter(|one| one["kind"] == "MERGE").collect();
    assert_eq!(merges.len(), 2, "{all:?}");
    for merge in merges {
        assert_eq!(merge["status"], "SUCCEEDED", "{merge}");
        assert!(
            merge["id"].as_str().unwrap().contains("/ReplaceWindow/"),
            "{merge}"
        );
        assert!(
            merge["sql"]
                .as_str()
                .unwrap()
                .contains("MERGE INTO daily_report_sub5"),
            "{merge}"
        );
    }
    let build = all
        .iter()
        .find(|one| one["id"].as_str().unwrap().contains("/BuildWindow/"));
    let build = build.unwrap_or_else(|| panic!("{all:?}"));
    assert!(build["bytes_scanned"].as_u64().unwrap() > 1_000, "{build}");
    let id = build["id"].as_str().unwrap();
    let shown = run(home, &["statements", "show", id]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    let (mark, shown) = shown.split_once('\n').unwrap();
    assert!(mark.starts_with("SAMPLE DATA"), "{mark}");
    assert!(shown.starts_with("SUCCEEDED"), "{shown}");
    assert!(shown.contains("affise_clicks"), "{shown}");
    let stopped = run(home, &["statements", "stop", id]);
    assert_eq!(stopped.status.code(), Some(4), "{stopped:?}");
}

#[test]
fn the_same_window_twice_at_once_is_the_same_report() {
    let home = tempfile::tempdir().unwrap();
    assert_eq!(demo(home.path(), 2500, &[])["status"], "SUCCEEDED");
    let before = report(home.path());
    let start = || {
        lakehand(
            home.path(),
            &[
                "run",
                "daily-report",
                "--from",
                "2026-11-13",
                "--to",
                "2026-11-20",
                "--wait",
            ],
        )
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
    };
    let both = [start(), start()].map(|child| child.wait_with_output().unwrap());
    for output in both {
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    assert_eq!(report(home.path()), before);
}

#[test]
fn no_secret_is_left_behind() {
    let home = tempfile::tempdir().unwrap();
    let output = {
        // All sources, with the key of each.
        let mut arguments = demo_arguments(1500);
        arguments.push("--all".to_owned());
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        run(home.path(), &arguments)
    };
    let marker = lakehand::simulator::SECRET_MARKER.as_bytes();
    let holds = |bytes: &[u8]| {
        let found = |secret: &[u8]| memchr::memmem::find(bytes, secret).is_some();
        found(marker) || found(b"PRIVATE KEY") || found(b"Bearer ")
    };
    assert!(output.status.success());
    assert!(!holds(&output.stdout) && !holds(&output.stderr));
    let mut read = 0;
    let mut folders = vec![home.path().to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = std::fs::read(&path).unwrap();
            let bytes = if path.extension().is_some_and(|end| end == "zst") {
                zstd::decode_all(&bytes[..]).unwrap()
            } else {
                bytes
            };
            assert!(!holds(&bytes), "{}", path.display());
            read += 1;
        }
    }
    assert!(read > 30, "only {read} files were looked at");
}
