//! Answers of both engines as cells that can be compared.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use arrow::{
    record_batch::RecordBatch,
    util::display::{ArrayFormatter, FormatOptions},
};
use serde_json::Value;

/// Rows of cells; NULL is nothing.
pub type Rows = Vec<Vec<Option<String>>>;

/// Nine digits of a double; a decimal without zeros at its end.
fn number(text: &str, floating: bool) -> String {
    if floating {
        return format!("{:.8e}", text.parse::<f64>().unwrap());
    }
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    }
}

/// Our rows.
pub fn canonical(batches: &[RecordBatch]) -> Rows {
    let options = FormatOptions::default();
    let mut rows = Vec::new();
    for batch in batches {
        let shown: Vec<_> = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &options).unwrap())
            .collect();
        for row in 0..batch.num_rows() {
            let cells = batch.columns().iter().zip(&shown).map(|(column, shown)| {
                let kind = column.data_type();
                let null = column.is_null(row) || kind.is_null();
                (!null).then(|| match kind.is_numeric() {
                    true => number(&shown.value(row).to_string(), kind.is_floating()),
                    false => shown.value(row).to_string(),
                })
            });
            rows.push(cells.collect());
        }
    }
    rows
}

/// DuckDB's rows, or what it says.
pub fn duckdb(python: &Path, asked: &[Value]) -> Vec<Vec<Result<Rows, String>>> {
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/second_engine/answered.py"
    );
    let mut child = Command::new(python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let text = serde_json::to_string(asked).unwrap();
    let fed = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = child.wait_with_output().unwrap();
    fed.join().unwrap().unwrap();
    assert!(output.status.success(), "answered.py failed");
    let told: Vec<Vec<Value>> = serde_json::from_slice(&output.stdout).unwrap();
    let rounds = told.into_iter();
    rounds
        .map(|round| round.iter().map(rows).collect())
        .collect()
}

fn rows(told: &Value) -> Result<Rows, String> {
    let Some(rows) = told.as_array() else {
        return Err(told.as_str().unwrap().to_owned());
    };
    let cell = |cell: &Value| match cell {
        Value::Null => None,
        Value::String(text) if text.parse::<f64>().is_ok() => Some(number(text, false)),
        Value::String(text) => Some(text.clone()),
        other => Some(number(&other.to_string(), true)),
    };
    let row = |row: &Value| row.as_array().unwrap().iter().map(cell).collect();
    Ok(rows.iter().map(row).collect())
}

/// Whether both are the same rows, in the same order where there is one.
pub fn same(ours: &Rows, theirs: &Rows, ordered: bool) -> bool {
    let sorted = |rows: &Rows| {
        let mut rows = rows.clone();
        if !ordered {
            rows.sort();
        }
        rows
    };
    sorted(ours) == sorted(theirs)
}
