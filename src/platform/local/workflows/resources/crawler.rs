//! `aws-sdk:glue:startCrawler`: a look over the silver folders.
//!
//! The embedded engine lists the folders of a table when it plans a query, so that nothing has to be
//! registered for it. What a crawl gives here is what an operator asks a crawler for: when it last ran,
//! how it ended, and how many tables and partitions it saw.

use std::collections::BTreeSet;

use futures::StreamExt;
use rusqlite::params;
use serde_json::{Value, json};

use super::{TaskCall, TaskFailure, text_parameter};
use crate::{
    config::Profile,
    pipeline::{
        jobs::Level,
        ports::{Clock, Lake, StoreError},
    },
    platform::local::state::{SqliteResult, StateStore, micros},
};

/// What lies in silver.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    tables: BTreeSet<String>,
    partitions: BTreeSet<String>,
}

/// Runs the crawler `Name` to its end.
pub(super) async fn crawl(
    profile: &Profile,
    lake: &Lake,
    store: &std::sync::Arc<StateStore>,
    clock: &dyn Clock,
    call: TaskCall,
) -> Result<Value, TaskFailure> {
    let name = text_parameter(&call.parameters, "Name", "glue:startCrawler")?.to_owned();
    let known = profile.resource_name("silver");
    if name != known {
        let why = format!("there is no crawler {name} on this machine; there is {known}");
        return Err(TaskFailure::new("Glue.EntityNotFoundException", why));
    }
    let started = micros(clock.now());
    let result = look(lake).await;
    let ended = micros(clock.now());
    let (status, message, seen) = match &result {
        Ok(seen) => ("SUCCEEDED", None, Some((signed_count(seen.tables.len()), signed_count(seen.partitions.len())))),
        Err(error) => ("FAILED", Some(error.to_string()), None),
    };
    let (tables, partitions) = seen.unzip();
    store
        .write(move |transaction| {
            transaction
                .execute(
                    "INSERT OR REPLACE INTO crawls (name, state, started, ended, status, message, tables, partitions) \
                     VALUES (?1, 'READY', ?2, ?3, ?4, ?5, ?6, ?7)",
                    params![name, started, ended, status, message, tables, partitions],
                )
                .on("write")
        })
        .await
        .map_err(|error| TaskFailure::new("Glue.GlueException", error.to_string()))?;
    match result {
        Ok(seen) => {
            let text = format!("{} tables, {} partitions", seen.tables.len(), seen.partitions.len());
            call.log.line(Level::Info, &text);
            call.log.progress(&text);
            Ok(json!({}))
        }
        Err(error) => Err(TaskFailure::new("Glue.GlueException", error.to_string())),
    }
}

fn signed_count(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

async fn look(lake: &Lake) -> Result<Seen, StoreError> {
    let mut seen = Seen::default();
    let mut objects = lake.std.list("silver/").await?;
    while let Some(object) = objects.next().await {
        note(&mut seen, &object?.key);
    }
    Ok(seen)
}

/// Counts `silver/<source>/<table>/[<column>=<value>/]part-0.parquet`.
fn note(seen: &mut Seen, key: &str) {
    let parts: Vec<&str> = key.split('/').collect();
    let ["silver", source, table, between @ .., file] = parts.as_slice() else { return };
    if !file.ends_with(".parquet") {
        return;
    }
    seen.tables.insert(format!("{source}_{table}"));
    if !between.is_empty() && between.iter().all(|folder| folder.contains('=')) {
        seen.partitions.insert(format!("{source}_{table}/{}", between.join("/")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_tables_and_partitions_but_not_stray_files() {
        let mut seen = Seen::default();
        for key in [
            "silver/affise/clicks/date=2026-01-01/part-0.parquet",
            "silver/affise/clicks/date=2026-01-01/part-1.parquet",
            "silver/affise/clicks/date=2026-01-02/part-0.parquet",
            "silver/affise/offers/part-0.parquet",
            "silver/affise/offers/_quarantine.ndjson",
            "silver/readme.parquet",
        ] {
            note(&mut seen, key);
        }
        assert_eq!((seen.tables.len(), seen.partitions.len()), (2, 2));
    }
}
