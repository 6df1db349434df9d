//! The program as a user starts it, in a home folder of its own.

use std::{
    path::Path,
    process::{Command, Output, Stdio},
};

use jiff::civil::{Date, date};
use serde_json::Value;

pub const TODAY: Date = date(2026, 11, 20);
pub const SEED: u64 = 11;

pub fn lakehand(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lakehand"));
    command
        .env("LAKEHAND_HOME", home)
        .env_remove("LAKEHAND_PROFILE")
        .args(arguments)
        .stdin(Stdio::null());
    command
}

pub fn run(home: &Path, arguments: &[&str]) -> Output {
    lakehand(home, arguments).output().unwrap()
}

pub fn demo_arguments(scale: u64) -> Vec<String> {
    let words =
        format!("demo --headless --output json --seed {SEED} --scale {scale} --today {TODAY}");
    words.split(' ').map(str::to_owned).collect()
}

pub fn demo(home: &Path, scale: u64, more: &[&str]) -> Value {
    let arguments = demo_arguments(scale);
    let arguments: Vec<&str> = arguments
        .iter()
        .map(String::as_str)
        .chain(more.iter().copied())
        .collect();
    let output = run(home, &arguments);
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

pub fn report(home: &Path) -> String {
    let output = run(home, &["reports", "get", "latest"]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Every record of a CSV as its cells, header first.
pub fn cells(csv: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut characters = csv.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                cell.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\n' if !quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            c => cell.push(c),
        }
    }
    assert!(
        cell.is_empty() && row.is_empty() && !quoted,
        "the file does not end with a line"
    );
    rows
}

/// The rows of a query.
pub fn query(home: &Path, sql: &str) -> Vec<Value> {
    let output = run(home, &["query", sql, "--format", "json"]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}
