//! Every screen as text and as a map of styles, at three sizes.

use std::fmt::Write;

use ratatui::{buffer::Buffer, style::Style};

use crate::{
    StartScreen,
    scripted::{Driver, Scenario, ScriptedOperations},
};

pub(super) fn driver(scenario: Scenario, size: (u16, u16)) -> Driver {
    let operations = ScriptedOperations::new(scenario, 200).unwrap();
    let mut driver = Driver::open(operations, StartScreen::Board, size).unwrap();
    driver.wait(500);
    driver
}

/// The text of the screen, then for each row with styles a letter for each cell, then what the letters mean.
fn drawn(buffer: &Buffer) -> String {
    let mut text = super::super::scripted::text_of(buffer);
    let mut legend: Vec<Style> = Vec::new();
    text.push_str("--- styles\n");
    for y in 0..buffer.area.height {
        let mut line = String::new();
        for x in 0..buffer.area.width {
            let style = buffer[(x, y)].style();
            let plain = Buffer::empty(ratatui::layout::Rect::new(0, 0, 1, 1))[(0, 0)].style();
            if style == plain {
                line.push('.');
                continue;
            }
            let position = legend
                .iter()
                .position(|known| *known == style)
                .unwrap_or_else(|| {
                    legend.push(style);
                    legend.len() - 1
                });
            line.push(char::from(b'a' + u8::try_from(position).unwrap()));
        }
        let line = line.trim_end_matches('.');
        if !line.is_empty() {
            writeln!(text, "{y:>3} {line}").unwrap();
        }
    }
    for (position, style) in legend.iter().enumerate() {
        let letter = char::from(b'a' + u8::try_from(position).unwrap());
        writeln!(
            text,
            "{letter} {:?} on {:?} {:?}",
            style.fg.unwrap_or_default(),
            style.bg.unwrap_or_default(),
            style.add_modifier
        )
        .unwrap();
    }
    text
}

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 50)];

fn snapshots(name: &str, scenario: Scenario, keys: &str) {
    for size in SIZES {
        let mut driver = driver(scenario, size);
        driver.press(keys);
        insta::assert_snapshot!(
            format!("{name}-{}x{}", size.0, size.1),
            drawn(&driver.draw())
        );
    }
}

#[test]
fn board_at_night() {
    snapshots("board-night", Scenario::Night, "");
}

#[test]
fn board_calm() {
    snapshots("board-calm", Scenario::Calm, "");
}

#[test]
fn board_of_an_empty_lake_offers_the_sample() {
    snapshots("board-empty", Scenario::Empty, "");
}

#[test]
fn run_tabs() {
    for (tab, keys) in [
        ("graph", ""),
        ("timeline", "l"),
        ("states", "ll"),
        ("events", "lll"),
        ("checks", "llll"),
        ("io", "lllll"),
    ] {
        snapshots(
            &format!("run-{tab}"),
            Scenario::Night,
            &format!("<enter>{keys}"),
        );
    }
    snapshots("run-collect", Scenario::Calm, "<enter>");
}

#[test]
fn logs_open_at_the_error() {
    snapshots("logs", Scenario::Night, "<enter>3");
    snapshots("logs-wrapped-all", Scenario::Night, "<enter>3twkkkk");
}

#[test]
fn reports_and_a_table() {
    snapshots("reports", Scenario::Calm, "6");
    snapshots("table", Scenario::Calm, "6<enter>jjjjllz");
    snapshots(
        "table-sorted-filtered",
        Scenario::Calm,
        "6<enter>llllllls&country:DE<enter>j",
    );
    snapshots("table-cell", Scenario::Calm, "6<enter>jjjjllllll<enter>");
}

#[test]
fn overlays() {
    snapshots("help", Scenario::Night, "?");
    snapshots("palette", Scenario::Calm, ":red");
    snapshots("confirm-redrive", Scenario::Night, "D");
    snapshots("start-form", Scenario::Night, "T");
    snapshots("copy", Scenario::Night, "y");
    snapshots("prompt", Scenario::Night, "/collect");
}

#[test]
fn datamart() {
    snapshots("datamart", Scenario::Calm, "5j");
    snapshots("datamart-roll-back", Scenario::Calm, "5jB");
}

#[test]
fn sources() {
    snapshots("sources", Scenario::Night, "4G");
    snapshots("sources-late", Scenario::Night, "4jjjj");
    snapshots("sources-collect", Scenario::Night, "4jT");
}

#[test]
fn credentials() {
    snapshots("credentials", Scenario::Calm, "8t");
    snapshots("credentials-missing", Scenario::Calm, "8jjj");
    snapshots("credentials-set", Scenario::Calm, "8S  secret-value");
}

#[test]
fn activity() {
    snapshots("activity", Scenario::Night, "6<enter>1!");
}

#[test]
fn a_window_that_is_too_small_says_so_and_recovers() {
    let mut driver = driver(Scenario::Night, (40, 10));
    insta::assert_snapshot!("too-small", drawn(&driver.draw()));
    driver.press("jj");
    let large = driver.resize(80, 24).screen();
    assert!(
        large.contains("daily-report failed at CheckQuality"),
        "{large}"
    );
}

#[test]
fn ascii_draws_no_mark_of_ours_outside_ascii() {
    for keys in [
        "", "<enter>", "<enter>l", "<enter>3", "6", "D", "?", "T", "!", "8t", "8S", "4G", "4C",
        "5", "5jB",
    ] {
        let mut driver = driver(Scenario::Night, (120, 40));
        driver.ascii().press(keys);
        let screen = driver.screen();
        let strange: String = screen.chars().filter(|c| !c.is_ascii()).collect();
        assert_eq!(strange, "", "after '{keys}':\n{screen}");
    }
    let mut driver = driver(Scenario::Night, (80, 24));
    insta::assert_snapshot!("board-ascii", drawn(&driver.ascii().draw()));
}

#[test]
fn without_colours_nothing_is_coloured_and_everything_is_told() {
    for keys in [
        "", "<enter>", "<enter>l", "<enter>3", "6<enter>", "D", "?", "T", "!", "8t", "8S",
    ] {
        let mut driver = driver(Scenario::Night, (120, 40));
        driver.mono().press(keys);
        for cell in driver.draw().content() {
            assert_eq!(
                (cell.fg, cell.bg),
                (ratatui::style::Color::Reset, ratatui::style::Color::Reset)
            );
        }
    }
    let mut driver = driver(Scenario::Night, (80, 24));
    insta::assert_snapshot!("board-mono", drawn(&driver.mono().draw()));
}

#[test]
fn nothing_from_outside_steers_the_terminal() {
    for keys in [
        "",
        "<enter>",
        "<enter>llll",
        "<enter>lllll",
        "<enter>3",
        "<enter>3w",
        "<enter>3<enter>",
        "6<enter>jjjjllllll<enter>",
        "y",
        "!",
    ] {
        let mut driver = driver(Scenario::Night, (120, 40));
        driver.press(keys);
        for cell in driver.draw().content() {
            let symbol = cell.symbol();
            assert!(
                !symbol
                    .chars()
                    .any(|c| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c)),
                "{symbol:?} after '{keys}'"
            );
        }
    }
}
