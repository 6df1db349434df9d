//! Statements with their expected answers, asked one by one.

#[path = "cells.rs"]
mod cells;

use serde_json::Value;

/// Cells joined by `|`, rows by `;`, NULL as `NULL`; an error by its code.
async fn told(sql: &str) -> String {
    let cell = |value: &Value| match value {
        Value::Null => "NULL".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match cells::answer(sql).await {
        Ok(rows) => rows
            .iter()
            .map(|row| row.iter().map(cell).collect::<Vec<_>>().join("|"))
            .collect::<Vec<_>>()
            .join(";"),
        Err(error) => format!("error {}", error.split(':').next().unwrap_or_default()),
    }
}

/// Asks every statement and tells all answers that differ together.
pub async fn all(cases: &[(&str, &str)]) {
    let mut wrong = Vec::new();
    for (sql, expected) in cases {
        let given = told(sql).await;
        if given != *expected {
            wrong.push(format!(
                "{sql}\n    expected {expected}\n    given    {given}"
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} answers differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
