//! Advice names only what exists: every verb, flag and setting in any text of the program.

use std::{fs, path::Path};

use clap::{Command, CommandFactory};
use regex::Regex;

use super::Cli;
use crate::{
    config::{AffiseSettings, Ga3Settings, Ga4Settings, MarketoSettings},
    ops::triage,
};

/// What stands before the tests of each source file, with the file's name.
fn texts() -> Vec<(String, String)> {
    fn below(folder: &Path, found: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.display().to_string();
            if path.is_dir() && !name.ends_with("tests") {
                below(&path, found);
            } else if name.ends_with(".rs")
                && !name.ends_with("tests.rs")
                && !name.ends_with("cli/advice.rs")
            {
                let text = fs::read_to_string(&path).unwrap();
                let code = text
                    .split("#[cfg(test)]\nmod tests {")
                    .next()
                    .unwrap_or_default();
                found.push((name, code.to_owned()));
            }
        }
    }
    let mut found = Vec::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    below(&root.join("src"), &mut found);
    below(&root.join("crates"), &mut found);
    let remedies = triage::remedies().iter();
    found.extend(remedies.map(|row| (format!("remedy {}", row.id), row.remedy.clone())));
    found
}

/// Why a command line after `lakehand` is none; words in capitals and braces stand for values.
fn complaint(line: &str) -> Option<String> {
    let mut command: Command = Cli::command();
    command.build();
    for word in line.split_whitespace() {
        let flag = word
            .trim_start_matches("--")
            .split('=')
            .next()
            .unwrap_or_default();
        if word.starts_with("--") {
            let known = command
                .get_arguments()
                .any(|arg| arg.get_long() == Some(flag));
            if !known && flag != "help" {
                return Some(format!("no flag --{flag}"));
            }
            continue;
        }
        if let Some(verb) = command.find_subcommand(word) {
            command = verb.clone();
        } else if command.has_subcommands()
            && word.chars().all(|c| c.is_ascii_lowercase() || c == '-')
        {
            return Some(format!("no verb {word}"));
        }
    }
    None
}

#[test]
fn every_command_line_in_a_text_exists() {
    assert_eq!(complaint("credentials set /a/b --file X --test"), None);
    assert_eq!(complaint("iam operator"), Some("no verb iam".to_owned()));
    assert_eq!(
        complaint("runs list --colour"),
        Some("no flag --colour".to_owned())
    );
    let line = Regex::new(r"`lakehand ([a-z][^`\n{]*)").unwrap();
    let mut seen = 0;
    for (place, text) in texts() {
        // Comments are for people who read the code.
        let shown = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        for found in shown.flat_map(|text| line.captures_iter(text).collect::<Vec<_>>()) {
            seen += 1;
            assert_eq!(
                complaint(&found[1]),
                None,
                "{place}: lakehand {}",
                &found[1]
            );
        }
    }
    assert!(seen > 15, "{seen}");
}

/// The settings a section takes, out of what it says of one that it does not.
fn settings<T: serde::de::DeserializeOwned>() -> Vec<String> {
    let Err(refused) = toml::from_str::<T>("no_such_setting = 1") else {
        return Vec::new();
    };
    let name = Regex::new(r"`([a-z0-9_]+)`").unwrap();
    let text = refused.to_string();
    name.captures_iter(&text)
        .map(|found| found[1].to_owned())
        .collect()
}

/// The sections of sources, each with its settings.
fn sections() -> [(&'static str, Vec<String>); 4] {
    [
        ("affise", settings::<AffiseSettings>()),
        ("marketo", settings::<MarketoSettings>()),
        ("ga4", settings::<Ga4Settings>()),
        ("ga3", settings::<Ga3Settings>()),
    ]
}

#[test]
fn what_the_code_of_a_source_advises_to_set_is_a_setting_of_its_section() {
    let sections = sections();
    let advised =
        Regex::new(r"\b(?:raise|lower|set|check) ([a-z][a-z0-9]*(?:_[a-z0-9]+)+)").unwrap();
    // How fast requests are made is set in two ways; which one is a source's own is tested beside that advice.
    let pace = ["requests_per_second", "calls_per_20_seconds"];
    let mut seen = 0;
    for (place, text) in texts() {
        let Some((_, file)) = place.split_once("pipeline/src/sources/") else {
            continue;
        };
        let of_these = |section: &str| match file {
            _ if file.starts_with("google") => section.starts_with("ga"),
            _ if file.starts_with("http") => true,
            _ => file.starts_with(section),
        };
        let shown = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        let names = shown.flat_map(|line| advised.captures_iter(line).collect::<Vec<_>>());
        let names: Vec<String> = names.map(|found| found[1].to_owned()).collect();
        for name in names.iter().filter(|name| !pace.contains(&name.as_str())) {
            seen += 1;
            for (section, known) in sections.iter().filter(|(section, _)| of_these(section)) {
                assert!(known.contains(name), "{place}: {name} is none of {section}");
            }
        }
    }
    assert!(seen > 5, "{seen}");
}

#[cfg(feature = "console")]
#[test]
fn every_key_that_a_text_names_is_there() {
    let keys = crate::console::keys_of_actions();
    let named = Regex::new(r#"\b[Pp]ress ([A-Za-z#&?%!])(?:[ ,.;`"]|$)|\(([A-Z])\)"#).unwrap();
    let mut seen = 0;
    for (place, text) in texts() {
        let shown = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .filter(|line| line.contains('"') || place.starts_with("remedy"));
        for found in shown.flat_map(|line| named.captures_iter(line).collect::<Vec<_>>()) {
            let key = found.get(1).or(found.get(2)).unwrap().as_str();
            seen += 1;
            assert!(keys.iter().any(|known| known == key), "{place}: {key}");
        }
    }
    assert!(seen > 2, "{seen}");
}

#[test]
fn a_remedy_for_every_source_names_no_setting_of_some() {
    let sections = sections();
    for (section, names) in &sections {
        assert!(
            names.contains(&"base_url".to_owned()),
            "{section}: {names:?}"
        );
    }
    let example = include_str!("../../config.example.toml");
    let word = Regex::new(r"\b[a-z][a-z0-9]*(_[a-z0-9]+)+\b").unwrap();
    for row in triage::remedies() {
        for name in word.find_iter(&row.remedy).map(|found| found.as_str()) {
            assert!(
                example.contains(name),
                "{}: there is no setting {name}",
                row.id
            );
            let of: Vec<&str> = sections
                .iter()
                .filter(|(_, names)| names.iter().any(|known| known == name))
                .map(|(section, _)| *section)
                .collect();
            let said = of
                .iter()
                .any(|section| row.remedy.contains(&format!("the {section} section")));
            assert!(
                of.is_empty() || of.len() == 4 || said,
                "{}: {name} is of {of:?} only",
                row.id
            );
        }
    }
}

#[test]
fn a_remedy_does_not_contradict_its_own_verdict() {
    for row in triage::remedies() {
        let text = row.remedy.to_lowercase();
        let never = ["do not redrive", "never redrive"]
            .iter()
            .any(|words| text.contains(words));
        assert!(
            !never || row.retry == triage::Retry::No,
            "{}: {}",
            row.id,
            row.remedy
        );
        let at_once = text.starts_with("redrive:") || text.starts_with("redrive.");
        assert!(
            !at_once || row.retry != triage::Retry::No,
            "{}: {}",
            row.id,
            row.remedy
        );
    }
}
