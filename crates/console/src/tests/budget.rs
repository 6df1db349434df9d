//! Work per frame and per idle minute, counted rather than timed.

use super::screens::driver;
use crate::{
    StartScreen,
    scripted::{Driver, Scenario, ScriptedOperations},
    table::BLOCK,
};

#[test]
fn an_idle_board_wakes_for_its_clock_and_its_poll_only() {
    let mut driver = driver(Scenario::Calm, (120, 40));
    driver.wait(10_000);
    let wakes = driver.idle_wakes(10 * 60_000);
    // One read every thirty seconds, one change of the clock each minute.
    assert!(wakes <= 10 * 3 + 1, "{wakes} wakes in ten minutes");
    let before = driver.operations().calls().len();
    driver.wait(10 * 60_000);
    let calls = driver.operations().calls().len() - before;
    assert!(calls <= 2 * 20 + 2, "{calls} calls in ten minutes");
}

#[test]
fn a_screen_without_anything_live_never_polls() {
    for keys in ["6<enter>", "!", "<enter>"] {
        let mut driver = driver(Scenario::Calm, (120, 40));
        driver.press(keys).wait(10_000);
        let before = driver.operations().calls().len();
        let wakes = driver.idle_wakes(10 * 60_000);
        assert!(wakes <= 11, "{wakes} wakes after '{keys}'");
        assert_eq!(driver.operations().calls().len(), before, "after '{keys}'");
    }
}

#[test]
fn without_the_keyboard_less_is_read() {
    let mut driver = driver(Scenario::Calm, (120, 40));
    driver.event(crate::event::EventKind::Focus(false));
    driver.wait(10_000);
    let before = driver.operations().calls().len();
    driver.wait(30 * 60_000);
    let calls = driver.operations().calls().len() - before;
    // Every two minutes, two questions each.
    assert!(calls <= 2 * 16, "{calls} calls in half an hour");
}

#[test]
fn a_table_reads_the_blocks_it_shows_and_keeps_few() {
    let rows = 100_000;
    let operations = ScriptedOperations::new(Scenario::Calm, 5)
        .unwrap()
        .with_report_rows(rows)
        .unwrap();
    let mut driver = Driver::open(operations, StartScreen::Board, (120, 40)).unwrap();
    driver.press("6<enter>G");
    assert!(driver.screen().contains("100,000"), "{}", driver.screen());
    let held = |driver: &Driver| driver.state.table.as_ref().unwrap().kept_rows();
    assert!(held(&driver) <= 3 * BLOCK, "{}", held(&driver));
    for _ in 0..200 {
        driver.press_fast("<pgup><pgup><pgup><pgup>");
    }
    assert!(held(&driver) <= 30 * BLOCK, "{}", held(&driver));
}

#[test]
fn rows_are_not_formatted_unless_they_are_visible() {
    // The list has ten thousand executions; a frame looks at the rows of the screen. The count is of accesses
    // through the one function that gives `view` a row.
    let operations = ScriptedOperations::new(Scenario::Night, 10_000).unwrap();
    let mut driver = Driver::open(operations, StartScreen::Board, (200, 50)).unwrap();
    driver.wait(500).press("G");
    let before = crate::screens::board::rows_accessed();
    let _frame = driver.draw();
    let accessed = crate::screens::board::rows_accessed() - before;
    assert!(
        (1..=60).contains(&accessed),
        "{accessed} rows for one frame"
    );
}
