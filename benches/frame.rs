//! One key and the frame it leads to: update and view, on a Board with ten thousand executions and on a report of
//! a million rows. The budget is 1 ms at p99.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use lakehand::console::{
    StartScreen,
    scripted::{Driver, Scenario, ScriptedOperations},
};

const SIZE: (u16, u16) = (200, 50);

/// Presses the keys in turn and draws after each; prints the tail, which criterion does not show.
fn frames(criterion: &mut Criterion, name: &str, driver: &mut Driver, keys: &[&str]) {
    let mut buffer = driver.draw();
    let mut turn = 0;
    let mut frame = || {
        driver.press_fast(keys[turn % keys.len()]);
        turn += 1;
        driver.draw_into(&mut buffer);
    };
    let mut times: Vec<Duration> = (0..5_000)
        .map(|_| {
            let start = Instant::now();
            frame();
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    println!(
        "{name}: p50 {:?}, p99 {:?}, worst {:?}",
        times[2_500], times[4_950], times[4_999]
    );
    criterion.bench_function(name, |bencher| bencher.iter(&mut frame));
}

fn board(criterion: &mut Criterion) {
    let operations = ScriptedOperations::new(Scenario::Night, 10_000).expect("a temporary folder");
    let mut driver = Driver::open(operations, StartScreen::Board, SIZE).expect("a runtime");
    driver.wait(500);
    frames(
        criterion,
        "board of 10,000 executions",
        &mut driver,
        &["j", "j", "<pgdn>", "k", "G", "g"],
    );
}

fn report(criterion: &mut Criterion) {
    let operations = ScriptedOperations::new(Scenario::Calm, 5).expect("a temporary folder");
    let operations = operations
        .with_report_rows(1_000_000)
        .expect("room for the report");
    let mut driver = Driver::open(operations, StartScreen::Board, SIZE).expect("a runtime");
    driver.press("6<enter>");
    // Includes reading the rows of each page: the driver runs effects before it draws.
    frames(
        criterion,
        "report of 1,000,000 rows",
        &mut driver,
        &["j", "<pgdn>", "j", "l", "<pgup>", "h", "G", "g"],
    );
}

criterion_group!(benches, board, report);
criterion_main!(benches);
