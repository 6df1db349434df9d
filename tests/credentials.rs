//! `lakehand credentials`: what goes in comes out nowhere, whatever happens.
#![cfg(all(unix, feature = "simulator"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use assert_cmd::Command;
use lakehand::simulator::{self, Options, RunningSimulator};
use secrecy::SecretString;
use serde_json::Value;

const RIGHT: &str = "right-key-do-not-show-5bd1";
const WRONG: &str = "wrong-key-do-not-show-77aa";

/// What both keys have in common, and nothing else has.
const MARK: &str = "do-not-show";

/// A home with a configuration, and the source it names.
struct House {
    home: tempfile::TempDir,
    _simulator: RunningSimulator,
    _runtime: tokio::runtime::Runtime,
}

impl House {
    fn new(more: &str) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let options = Options {
            scale: 200,
            api_key: SecretString::from(RIGHT),
            ..Options::default()
        };
        let simulator = runtime.block_on(simulator::start(options)).unwrap();
        let home = tempfile::tempdir().unwrap();
        let config = format!(
            "[profiles.local]\n{more}\n[profiles.local.affise]\nbase_url = '{}'\nrequests_per_second = 500.0\n[profiles.local.marketo]\n[profiles.local.ga4]\n",
            simulator.base_url()
        );
        fs::write(home.path().join("config.toml"), config).unwrap();
        Self {
            home,
            _simulator: simulator,
            _runtime: runtime,
        }
    }

    /// Runs a verb; returns its exit code and what it printed, and checks that no secret was printed.
    fn run(&self, arguments: &[&str], input: &str) -> (i32, String) {
        let output = Command::cargo_bin("lakehand")
            .unwrap()
            .env("LAKEHAND_HOME", self.home.path())
            .env("USER", "maria")
            .env_remove("SUDO_USER")
            .args(arguments)
            .write_stdin(input)
            .output()
            .unwrap();
        let printed = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(!printed.contains(MARK), "{arguments:?} printed {printed}");
        (output.status.code().unwrap(), printed)
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let mut all = vec!["--output", "json"];
        all.extend(arguments);
        serde_json::from_str(&self.run(&all, "").1).unwrap()
    }

    fn parameters(&self) -> PathBuf {
        self.home.path().join("data/local/parameters.json")
    }
}

/// Every file below a folder.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

#[test]
fn a_key_is_set_tested_replaced_and_found_nowhere_else() {
    let house = House::new("");
    let (code, said) = house.run(&["credentials", "test", "affise"], "");
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains("MISSING") && said.contains("/affise/ApiKey"),
        "{said}"
    );
    assert_eq!(
        house
            .run(&["credentials", "set", "/affise/ApiKey"], WRONG)
            .0,
        0
    );
    let (code, said) = house.run(&["credentials", "test", "affise"], "");
    assert!(code == 1 && said.contains("REFUSED"), "{said}");
    // A run with the wrong key leaves logs, events, state.
    let (code, said) = house.run(&["run", "collect", "--wait"], "");
    assert_eq!(code, 1, "{said}");
    let id = house.json(&["runs", "list"])[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let (_, shown) = house.run(&["runs", "show", &id], "");
    assert!(
        shown.contains("The credential /affise/ApiKey (Affise API key) is not accepted"),
        "{shown}"
    );
    let file = house.home.path().join("key.txt");
    fs::write(&file, format!("{RIGHT}\n")).unwrap();
    let set = ["credentials", "set", "/affise/ApiKey", "--test", "--file"];
    let (code, said) = house.run(&[&set[..], &[file.to_str().unwrap()]].concat(), "");
    assert_eq!(code, 0, "{said}");
    fs::remove_file(file).unwrap();
    let (code, said) = house.run(&["collect", "affise"], "");
    assert_eq!(code, 0, "{said}");
    // The other sources of the profile have no credentials yet, which a collection of all says by name.
    let (code, said) = house.run(&["run", "collect", "--wait"], "");
    assert!(
        code == 1 && said.contains("/marketo/MunchkinId is not set"),
        "{said}"
    );
    let history = house.json(&["credentials", "history", "/affise/ApiKey"]);
    assert_eq!(history[1]["version"], 2);
    assert_eq!(history[1]["by"], "maria");
    assert_eq!(
        fs::metadata(house.parameters())
            .unwrap()
            .permissions()
            .mode()
            & 0o777,
        0o600
    );
    let mut all = Vec::new();
    files(house.home.path(), &mut all);
    assert!(all.len() > 10, "the run left {all:?}");
    let holding: Vec<&PathBuf> = all
        .iter()
        .filter(|file| memchr::memmem::find(&fs::read(file).unwrap(), MARK.as_bytes()).is_some())
        .collect();
    assert_eq!(holding, [&house.parameters()]);
}

#[test]
fn what_cannot_be_stored_is_not_and_says_why() {
    let house = House::new("");
    let list = house.json(&["credentials", "list"]);
    let paths: Vec<&str> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["path"].as_str().unwrap())
        .collect();
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
    let cases = [
        ("/marketo/MunchkinId", "do-not-show", 2, "three digits"),
        (
            "/google/ServiceAccountKey",
            "{\"private_key\": \"do-not-show\"}",
            2,
            "no field 'type'",
        ),
        ("/affise/ApiKey", "do-not show", 2, "a blank"),
        ("/affise/ApiKey", " \n", 2, "is empty"),
        ("/affise/apikey", "do-not-show", 3, "/affise/ApiKey"),
    ];
    for (path, value, expected, why) in cases {
        let (code, said) = house.run(&["credentials", "set", path], value);
        assert_eq!(code, expected, "{path}: {said}");
        assert!(said.contains(why), "{path}: {said}");
    }
    let (code, said) = house.run(&["credentials", "set", "/affise/ApiKey", "--test"], WRONG);
    assert!(code == 4 && said.contains("nothing was stored"), "{said}");
    assert!(!house.parameters().exists());
    let read_only = House::new("read_only = true");
    let (code, said) = read_only.run(&["credentials", "set", "/affise/ApiKey"], RIGHT);
    assert!(code == 4 && said.contains("read-only"), "{said}");
    assert!(!read_only.parameters().exists());
}

#[test]
fn an_old_credential_is_overdue() {
    let house = House::new("");
    assert_eq!(
        house
            .run(
                &["credentials", "set", "/marketo/MunchkinId"],
                "123-ABC-456\n"
            )
            .0,
        0
    );
    let mut stored: Value = serde_json::from_slice(&fs::read(house.parameters()).unwrap()).unwrap();
    assert_eq!(
        stored["parameters"]["/marketo/MunchkinId"][0]["value"],
        "123-ABC-456"
    );
    stored["parameters"]["/marketo/MunchkinId"][0]["set_at"] = "2020-01-01T00:00:00Z".into();
    fs::write(house.parameters(), stored.to_string()).unwrap();
    let one = &house.json(&["credentials", "list"])[1];
    assert_eq!(one["overdue"], true);
    assert_eq!(one["rotation_due_at"], "2020-06-29T00:00:00Z");
    assert!(
        house
            .run(&["credentials", "list"], "")
            .1
            .contains("OVERDUE")
    );
}
