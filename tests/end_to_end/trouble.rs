//! Kills and faults: the same report, or a failure that says its cause; never a wrong report.

use std::{path::Path, process::Stdio, time::Instant};

use serde_json::Value;

use crate::{
    figures::assert_report_is_true,
    program::{demo, demo_arguments, lakehand, report, run},
};

/// How often a run is killed, each time at another random moment.
const KILLS: u32 = 20;

#[test]
fn a_run_killed_at_any_moment_is_redriven_to_the_same_report() {
    let undisturbed = tempfile::tempdir().unwrap();
    let started = Instant::now();
    assert_eq!(demo(undisturbed.path(), 1500, &[])["status"], "SUCCEEDED");
    let whole = started.elapsed();
    let truth = report(undisturbed.path());
    for kill in 1..=KILLS {
        let home = tempfile::tempdir().unwrap();
        let moment = whole.mul_f64(rand::random_range(0.02..1.0));
        let mut child = lakehand(home.path(), &[])
            .args(demo_arguments(1500))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(moment);
        child.kill().unwrap();
        child.wait().unwrap();
        finish(home.path());
        assert_eq!(
            report(home.path()),
            truth,
            "kill {kill}, {moment:?} after the start"
        );
    }
}

/// Redrives what was interrupted, and starts what was not reached.
fn finish(home: &Path) {
    for workflow in ["collect", "daily-report"] {
        let list: Value = serde_json::from_slice(
            &run(
                home,
                &["runs", "list", "--workflow", workflow, "--output", "json"],
            )
            .stdout,
        )
        .unwrap();
        let newest = &list[0];
        let output = match newest["status"].as_str() {
            Some("SUCCEEDED") => continue,
            None => {
                if run(home, &["demo", "--help"]).status.success()
                    && !home.join("data/local/std/_state/sample.json").exists()
                {
                    // Killed before the lake was marked as a sample: begin anew.
                    let arguments = demo_arguments(1500);
                    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
                    run(home, &arguments)
                } else {
                    run(
                        home,
                        &[
                            "run",
                            workflow,
                            "--from",
                            "2026-11-13",
                            "--to",
                            "2026-11-20",
                            "--wait",
                        ],
                    )
                }
            }
            Some("INTERRUPTED" | "FAILED") => {
                run(home, &["runs", "redrive", newest["id"].as_str().unwrap()])
            }
            Some(other) => panic!("{workflow} is {other} after its process was killed"),
        };
        assert!(
            output.status.success(),
            "{workflow}: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

/// Every sort of fault alone, at a rate or at one request, and whether the run has to survive it.
const FAULTS: [(&str, bool); 18] = [
    ("429=0.1", true),
    ("429-retry-after@/3.0/stats/clicks#1-2:1s", true),
    ("500@/3.0/stats/conversions#2", true),
    ("502=0.1", true),
    ("503=0.1", true),
    ("504@/3.0/stats/clicks#1-3", true),
    ("403@/3.0/offers#1", false),
    ("status2@/3.0/stats/conversions#1", false),
    ("status2-again=0.1", true),
    ("html=0.1", true),
    ("cut=0.1", true),
    ("drop=0.1", true),
    ("drop-chunked=0.1", true),
    ("slow=0.1:200ms", true),
    ("duplicate-page=0.3", true),
    ("shift-page=0.2", true),
    ("expired-key-after=4", false),
    ("wrong-key", false),
];

#[test]
fn each_fault_alone_ends_in_a_true_report_or_in_its_own_name() {
    for (plan, survivable) in FAULTS {
        let home = tempfile::tempdir().unwrap();
        let made = demo(home.path(), 1200, &["--faults", plan]);
        if made["status"] == "SUCCEEDED" {
            assert!(survivable, "{plan} went unnoticed");
            assert_report_is_true(&report(home.path()), 1200);
            continue;
        }
        assert!(!survivable, "{plan} was not survived: {made}");
        let root = &made["executions"][0]["root_cause"];
        let expected = match plan {
            "status2@/3.0/stats/conversions#1" => "SourceRefused",
            _ => "BadCredentials",
        };
        assert_eq!(root["error"], expected, "{plan}: {root}");
        assert!(
            root["cause"]
                .as_str()
                .is_some_and(|cause| cause.len() > 40 && !cause.chars().any(char::is_control)),
            "{plan}: {root}"
        );
        let none = run(home.path(), &["reports", "get", "latest"]);
        assert_eq!(none.status.code(), Some(3), "{plan} left a report");
    }
}

#[test]
fn all_faults_together_at_a_low_rate_never_give_a_wrong_report() {
    let plan = "429=0.02,429-retry-after=0.01:1s,500=0.02,502=0.02,503=0.02,504=0.02,status2-again=0.02,html=0.02,\
                cut=0.02,drop=0.02,drop-chunked=0.02,slow=0.02:100ms,duplicate-page=0.02,shift-page=0.02";
    for round in 1..=3 {
        let home = tempfile::tempdir().unwrap();
        let mut made = demo(home.path(), 1500, &["--faults", plan]);
        for _ in 0..5 {
            if made["status"] == "SUCCEEDED" {
                break;
            }
            let failed = made["executions"].as_array().unwrap().last().unwrap();
            let cause = &failed["root_cause"]["cause"];
            assert!(
                cause.as_str().is_some_and(|cause| cause.len() > 40),
                "{failed}"
            );
            made = demo(home.path(), 1500, &["--faults", plan, "--fresh"]);
        }
        assert_eq!(made["status"], "SUCCEEDED", "round {round}: {made}");
        assert_report_is_true(&report(home.path()), 1500);
    }
}
