//! Nothing changes in a read-only profile, and nothing in a protected one whose name was not given: every verb of the
//! command line, tried with the real program on a lake that holds something, byte for byte.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::Arc,
};

use clap::CommandFactory;
use lakehand::{
    cli::Cli,
    config::{Config, Home},
    console::scripted::Driver,
    platform::local::Platform,
};

/// What a verb may do to a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum May {
    /// It only looks.
    Look,
    /// It changes something: refused.
    Change,
    /// It has nothing to do with a profile's data, or cannot be tried without a network or a terminal; the reason.
    NotHere(&'static str),
}

/// Every verb, with arguments that would do something. A verb that is not here fails the test.
const VERBS: &[(&str, &[&str], May)] = &[
    ("status", &[], May::Look),
    ("sources", &[], May::Look),
    ("run", &["daily-report", "--wait"], May::Change),
    ("run", &["daily-report"], May::Change),
    ("collect", &["affise.offers"], May::Change),
    ("crawl", &["silver"], May::Change),
    ("crawl", &["silver", "--wait"], May::Change),
    ("crawlers list", &[], May::Look),
    ("crawlers show", &["silver"], May::Look),
    ("crawlers stop", &["silver"], May::Change),
    ("import", &["affise.clicks", "CLICKS"], May::Change),
    ("import", &["--undo", "import:nothing"], May::Change),
    ("gold build", &["daily_report_sub5"], May::Change),
    ("datamart build", &[], May::Change),
    ("datamart show", &[], May::Look),
    (
        "datamart history",
        &["--table", "daily_report_sub5"],
        May::Look,
    ),
    (
        "datamart rollback",
        &["0", "--table", "daily_report_sub5", "--yes"],
        May::Change,
    ),
    ("leave-sample", &["--delete"], May::Change),
    ("check", &["daily_report_sub5"], May::Change),
    ("reports list", &[], May::Look),
    ("reports show", &["latest"], May::Look),
    ("reports get", &["latest"], May::Look),
    ("reports export", &[], May::Change),
    ("runs list", &[], May::Look),
    ("runs show", &["latest"], May::Look),
    ("runs logs", &["latest"], May::Look),
    ("runs stop", &["latest"], May::Change),
    ("runs redrive", &["latest"], May::Change),
    ("statements list", &[], May::Look),
    ("statements show", &["nothing"], May::Look),
    ("statements stop", &["nothing"], May::Change),
    ("jobs list", &[], May::Look),
    ("jobs runs", &["nothing"], May::Look),
    ("jobs start", &["nothing"], May::Change),
    ("jobs stop", &["nothing", "run"], May::Change),
    ("scheduler", &[], May::Change),
    ("query", &["SELECT count(*) FROM affise_clicks"], May::Look),
    ("query", &["DELETE FROM daily_report_sub5"], May::Change),
    ("credentials list", &[], May::Look),
    ("credentials set", &["/affise/ApiKey"], May::Change),
    ("credentials test", &["affise"], May::Look),
    ("credentials history", &["/affise/ApiKey"], May::Look),
    ("demo", &["--headless"], May::Change),
    ("demo", &["--headless", "--fresh"], May::Change),
    (
        "deploy",
        &[],
        May::NotHere("of AWS profiles; its refusal stands below"),
    ),
    (
        "destroy",
        &[],
        May::NotHere("of AWS profiles; its refusal stands below"),
    ),
    ("workflow check", &[], May::NotHere("reads a file")),
    ("workflow graph", &[], May::NotHere("reads a file")),
    ("workflow run", &[], May::NotHere("runs mocked tasks")),
    ("simulate", &[], May::NotHere("serves no profile's data")),
    ("package", &[], May::NotHere("packs a binary")),
    ("config path", &[], May::Look),
    ("config check", &[], May::Look),
    ("config show", &[], May::Look),
    ("config migrate-ga3", &[], May::Look),
    ("config keys", &[], May::Look),
    ("completions", &["bash"], May::Look),
];

/// `runs list` and so on for everything that can be called.
fn leaves(command: &clap::Command, before: &str, all: &mut BTreeSet<String>) {
    for sub in command
        .get_subcommands()
        .filter(|sub| sub.get_name() != "help")
    {
        let name = format!("{before} {}", sub.get_name()).trim().to_owned();
        match sub.has_subcommands() {
            true => leaves(sub, &name, all),
            false => drop(all.insert(name)),
        }
    }
}

#[test]
fn every_verb_has_an_entry() {
    let mut there = BTreeSet::new();
    leaves(&Cli::command(), "", &mut there);
    let known: BTreeSet<String> = VERBS.iter().map(|(verb, ..)| (*verb).to_owned()).collect();
    let missing: Vec<_> = there.difference(&known).collect();
    assert!(
        missing.is_empty(),
        "say in VERBS what these may do to a profile: {missing:?}"
    );
    let gone: Vec<_> = known.difference(&there).collect();
    assert!(gone.is_empty(), "there are no such verbs: {gone:?}");
}

fn lakehand(home: &Path, arguments: &[&str]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_lakehand"))
        .args(arguments)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("LAKEHAND_HOME", home)
        .current_dir(home)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    use std::io::Write;
    // It may end without reading.
    let _ = child.stdin.take().unwrap().write_all(b"a-new-key-0815\n");
    child.wait_with_output().unwrap()
}

/// Every file of the home but what only says who looked: log files.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if path.file_name().is_some_and(|name| name != "logs") {
                    folders.push(path);
                }
            } else if !path.to_string_lossy().ends_with(".log") {
                let bytes = fs::read(&path).unwrap();
                // An empty write-ahead log and its index are left by whoever looks last.
                let name = path.to_string_lossy();
                let beside = name.ends_with("-shm") || (name.ends_with("-wal") && bytes.is_empty());
                if !beside {
                    all.insert(path, bytes);
                }
            }
        }
    }
    all
}

fn configure(home: &Path, policy: &str) {
    let schedules = "[[profiles.local.schedules]]\nworkflow = 'daily-report'\nat = '03:00'\n";
    let text = match policy {
        "" => String::new(),
        policy => format!("[profiles.local]\n{policy} = true\n{schedules}"),
    };
    fs::write(home.join("config.toml"), text).unwrap();
}

fn changed(
    before: &BTreeMap<PathBuf, Vec<u8>>,
    after: &BTreeMap<PathBuf, Vec<u8>>,
) -> Vec<PathBuf> {
    let names: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let differs = |path: &&&PathBuf| before.get(**path) != after.get(**path);
    names
        .iter()
        .filter(differs)
        .map(|path| (*path).clone())
        .collect()
}

#[test]
fn nothing_changes_in_a_read_only_or_protected_profile() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let sample = [
        "demo",
        "--headless",
        "--scale",
        "60",
        "--today",
        "2026-01-31",
    ];
    let made = lakehand(home, &sample);
    assert_ne!(made.status.code(), Some(4), "{made:?}");
    fs::write(home.join("CLICKS"), "{\"clickid\":\"1\"}\n").unwrap();
    for policy in ["read_only", "protected"] {
        configure(home, policy);
        let before = contents(home);
        assert!(before.len() > 20, "a lake that holds something");
        for (verb, arguments, may) in VERBS {
            if matches!(may, May::NotHere(_)) {
                continue;
            }
            let words: Vec<&str> = verb.split(' ').chain(arguments.iter().copied()).collect();
            let output = lakehand(home, &words);
            let told = String::from_utf8_lossy(&output.stderr);
            let differing = changed(&before, &contents(home));
            assert!(
                differing.is_empty(),
                "{policy}: {words:?} changed {differing:?}: {told}"
            );
            if *may == May::Change {
                assert_eq!(output.status.code(), Some(4), "{policy}: {words:?}: {told}");
                let why = policy.replace('_', "-");
                assert!(told.contains(&format!("is {why}")), "{words:?}: {told}");
                assert!(told.contains("was refused"), "{words:?}: {told}");
            } else {
                assert!(!told.contains("was refused"), "{words:?}: {told}");
            }
        }
    }
}

/// Keys of every action that may change something, on every screen; what asks is answered with y and Enter.
#[test]
fn no_key_changes_anything_in_a_read_only_or_protected_profile() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let sample = [
        "demo",
        "--headless",
        "--scale",
        "60",
        "--today",
        "2026-01-31",
    ];
    let faults = ["--faults", "403@/3.0/stats/clicks"];
    lakehand(home, &[&sample[..], &faults[..]].concat());
    for policy in ["read_only", "protected"] {
        configure(home, policy);
        let text = fs::read_to_string(home.join("config.toml")).unwrap();
        let config = Config::parse(&text, &Home::below(home)).unwrap();
        let profile = Arc::new(config.profile(None).unwrap().clone());
        let before = contents(home);
        let operations = Platform::open(profile).unwrap().operations();
        let now = jiff::Timestamp::now();
        let mut driver = Driver::over(operations, now, (120, 40)).unwrap();
        for screen in ["1", "1<enter>", "3", "4", "5", "6", "8", "!"] {
            for key in ["D", "X", "T", "C", "B", "S", "t"] {
                for answer in ["y", "<enter>", "<tab><tab><tab><enter>"] {
                    driver.press("<esc><esc>").press(screen).wait(300);
                    driver.press(key).wait(400).press(answer);
                    driver.wait(400).press(answer);
                    let differing = changed(&before, &contents(home));
                    assert!(
                        differing.is_empty(),
                        "{policy}: {screen} {key} {answer} changed {differing:?}\n{}",
                        driver.screen()
                    );
                }
            }
        }
    }
}

#[test]
fn a_deployment_of_a_read_only_profile_is_refused_before_anything_is_asked() {
    let home = tempfile::tempdir().unwrap();
    let text = "[profiles.prod]\nplatform = 'aws'\nread_only = true\n[profiles.prod.aws]\nregion = 'eu-central-1'\n";
    fs::write(home.path().join("config.toml"), text).unwrap();
    for verb in ["deploy", "destroy"] {
        let output = lakehand(home.path(), &["-p", "prod", verb]);
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(4), "{told}");
        assert!(told.contains("is read-only"), "{told}");
    }
}

#[test]
fn the_name_of_a_protected_profile_lets_a_change_through() {
    let home = tempfile::tempdir().unwrap();
    configure(home.path(), "protected");
    let arguments = ["credentials", "set", "/affise/ApiKey"];
    let refused = lakehand(home.path(), &arguments);
    assert_eq!(refused.status.code(), Some(4), "{refused:?}");
    let other = lakehand(
        home.path(),
        &[&arguments[..], &["--confirm", "other"]].concat(),
    );
    assert_eq!(other.status.code(), Some(2), "{other:?}");
    let kept = home.path().join("data");
    let holds = |folder: &Path| {
        let all = contents(folder);
        all.values()
            .any(|bytes| bytes.windows(14).any(|part| part == b"a-new-key-0815"))
    };
    assert!(!kept.exists() || !holds(&kept), "nothing was set");
    let named = lakehand(
        home.path(),
        &[&arguments[..], &["--confirm", "local"]].concat(),
    );
    assert!(named.status.success(), "{named:?}");
    assert!(holds(home.path()), "it was set");
}
