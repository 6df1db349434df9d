//! Imports files into a lake in a folder and says how fast that was:
//! `import LAKE_FOLDER STREAM FILES...`, streams may follow each other, separated by `--`.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::{path::PathBuf, time::Instant};

use lakehand::pipeline::{dataset::Stream, normalise::import};

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().unwrap());
    let rest: Vec<String> = arguments.collect();
    let ctx = support::context(support::profile(&folder, "UTC"), "2024-11-12T09:00:00Z");
    let start = Instant::now();
    let mut rows = 0;
    for part in rest.split(|argument| argument == "--") {
        let stream: Stream = part[0].parse().unwrap();
        let files: Vec<PathBuf> = part[1..].iter().map(PathBuf::from).collect();
        let from = Instant::now();
        match import(&ctx, stream, &files).await {
            Ok(summary) => {
                rows += summary.rows_in;
                println!("{} {:.2} s", serde_json::to_string(&summary).unwrap(), from.elapsed().as_secs_f64());
                assert!(summary.reconciles());
            }
            Err(error) => println!("{}: {error}", error.error_type),
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default().to_owned();
    println!("{rows} rows, {seconds:.2} s, {:.0} rows/s, {peak}", rows as f64 / seconds);
}
