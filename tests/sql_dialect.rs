//! Every SQL file is read by another parser: sqlglot, in Athena's dialect.
//!
//! The test makes a virtual environment under `target/` for itself, so it needs `python3` with `venv` and a
//! package index. It renders every file as the program would and hands the statements over.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "support/python.rs"]
mod python_environment;

use std::{
    io::Write,
    process::{Command, Stdio},
};

use lakehand::pipeline::gold::SqlFiles;
use python_environment::python;

/// What the environment holds; another version gets another folder.
const SQLGLOT: &str = "sqlglot==30.30.0";

/// Reads `[[path, sql], …]`, answers with a line for each statement that does not parse.
const SCRIPT: &str = r#"
import json, sys
import sqlglot
from sqlglot.errors import ErrorLevel, SqlglotError

bad = 0
for path, sql in json.load(sys.stdin):
    why = None
    for dialect in ("athena", "trino"):
        try:
            parsed = sqlglot.parse(sql, read=dialect, error_level=ErrorLevel.RAISE)
        except SqlglotError as error:
            why = why or f"{dialect}: {error}"
            continue
        # What sqlglot does not understand it keeps as an opaque command.
        opaque = [p for p in parsed if p is None or p.key == "command"]
        if len(parsed) == 1 and not opaque:
            why = None
            break
        why = why or f"{dialect}: {len(parsed)} statements, {len(opaque)} not understood"
    if why:
        bad += 1
        print(f"{path}: {why}")
sys.exit(1 if bad else 0)
"#;

#[test]
fn every_statement_is_one_that_athena_can_read() {
    let files = SqlFiles::embedded();
    let parameters = [
        ("from", "2026-01-01"),
        ("to", "2026-01-07"),
        ("today", "2026-01-07"),
        ("now", "2026-01-07 08:05:00"),
        ("staging", "a_table_staging_0af3"),
        ("table", "a_table"),
        ("day", "date"),
        ("baseline", "affise_clicks"),
        ("keys", "property, session_source"),
        ("dimensions_together", "session_source || session_medium"),
        ("metrics_together", "sessions + total_users"),
        ("report", "traffic"),
        ("source", "ga4"),
        ("location", "s3://bucket/gold/a_table/"),
        ("execution", "one"),
        ("ga_table", "ga_traffic"),
        ("ga_source", "session_source"),
        ("ga_medium", "session_medium"),
        ("ga_campaign", "session_campaign_name"),
        ("ga_sessions", "sessions"),
        ("ga_users", "total_users"),
        ("ga_conversions", "key_events"),
        ("zone", "Europe/Berlin"),
        ("business_unit", "O'Brien & Co"),
    ];
    let statements: Vec<(&str, String)> = files
        .paths()
        .map(|path| (path, files.render(path, &parameters).unwrap()))
        .collect();
    assert!(statements.len() > 20);
    let mut parser = Command::new(python("sqlglot", &[SQLGLOT]))
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = parser.stdin.take().unwrap();
    input
        .write_all(&serde_json::to_vec(&statements).unwrap())
        .unwrap();
    drop(input);
    let output = parser.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "sqlglot cannot read:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
