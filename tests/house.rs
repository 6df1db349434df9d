//! The house as the README draws it: which crate may use which, and who may name AWS's SDK.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{collections::BTreeMap, fs, path::Path};

/// What each crate may use of ours, straight below it; what it gets through those it may use too.
const WALLS: [(&str, &[&str]); 12] = [
    ("base", &[]),
    ("workflow", &[]),
    ("simulator", &[]),
    ("engine", &[]),
    ("testkit", &[]),
    ("config", &["base"]),
    ("pipeline", &["config", "base"]),
    ("ops", &["pipeline", "workflow", "config", "base"]),
    (
        "console",
        &["ops", "pipeline", "workflow", "config", "base"],
    ),
    ("host", &["ops", "pipeline", "workflow", "config", "base"]),
    (
        "local",
        &[
            "engine", "host", "ops", "pipeline", "workflow", "config", "base",
        ],
    ),
    (
        "aws",
        &["host", "ops", "pipeline", "workflow", "config", "base"],
    ),
];

fn manifests() -> BTreeMap<String, toml::Table> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates");
    let folders = fs::read_dir(crates).unwrap().map(|entry| entry.unwrap());
    folders
        .map(|folder| {
            let text = fs::read_to_string(folder.path().join("Cargo.toml")).unwrap();
            let name = folder.file_name().into_string().unwrap();
            (name, text.parse().unwrap())
        })
        .collect()
}

fn dependencies(manifest: &toml::Table) -> Vec<String> {
    manifest["dependencies"]
        .as_table()
        .unwrap()
        .keys()
        .cloned()
        .collect()
}

#[test]
fn no_arrow_points_up() {
    let manifests = manifests();
    let walls = BTreeMap::from(WALLS);
    let known: Vec<&str> = walls.keys().copied().collect();
    let found: Vec<&str> = manifests.keys().map(String::as_str).collect();
    assert_eq!(found, known, "a crate without a place in the house");
    for (name, manifest) in &manifests {
        for used in dependencies(manifest) {
            let Some(used) = used.strip_prefix("lakehand-") else {
                continue;
            };
            assert!(
                walls[name.as_str()].contains(&used),
                "{name} may not use {used}"
            );
        }
    }
}

#[test]
fn only_aws_names_its_sdk_and_only_the_platforms_an_engine() {
    for (name, manifest) in manifests() {
        for used in dependencies(&manifest) {
            let sdk = used.starts_with("aws-sdk-") || used == "aws-config";
            assert!(!sdk || name == "aws", "{name} names {used}");
            let engine = ["datafusion", "deltalake"].contains(&used.as_str());
            assert!(
                !engine || ["engine", "local"].contains(&name.as_str()),
                "{name} names {used}"
            );
            let terminal = ["ratatui", "crossterm"].contains(&used.as_str());
            assert!(!terminal || name == "console", "{name} names {used}");
        }
    }
}
