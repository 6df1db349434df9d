//! The console on scripted operations, to look at it: `cargo run --example console_demo -- night`.
#![allow(clippy::expect_used)]

use std::sync::Arc;

use lakehand::console::{ConsoleOptions, StartScreen, run, scripted::{Scenario, ScriptedOperations}};

#[tokio::main]
async fn main() {
    let word = std::env::args().nth(1).unwrap_or_default();
    let scenario = match word.as_str() {
        "empty" | "demo" => Scenario::Empty,
        "calm" => Scenario::Calm,
        _ => Scenario::Night,
    };
    let operations = Arc::new(ScriptedOperations::new(scenario, 200).expect("a temporary folder"));
    operations.set_now(jiff::Timestamp::now());
    let world = operations.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(std::time::Duration::from_millis(900)).await;
            world.set_now(jiff::Timestamp::now());
            let _ = world.advance();
        }
    });
    let start = if word == "demo" { StartScreen::Demo } else { StartScreen::Board };
    let options = ConsoleOptions { start, mouse: true, ..ConsoleOptions::default() };
    if let Err(error) = run(operations, options).await {
        eprintln!("{error}");
        std::process::exit(error.exit_code().into());
    }
}
