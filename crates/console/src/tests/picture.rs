//! The picture of the Board in the README, drawn from the same buffer as the tests, and checked against drift.

use std::fmt::Write;

use ratatui::{
    buffer::Buffer,
    style::{Color, Modifier},
};

use super::screens::driver;
use crate::scripted::Scenario;

const COLUMN: usize = 9;
const ROW: usize = 19;

fn hex(colour: Color) -> &'static str {
    match colour {
        Color::DarkGray => "#7d8590",
        Color::Red => "#ff7b72",
        Color::Green => "#7ee787",
        Color::Yellow => "#e3b341",
        Color::Blue => "#79a8ff",
        Color::LightBlue => "#79c0ff",
        Color::Cyan => "#76d9e6",
        _ => "#e6edf3",
    }
}

/// A buffer as SVG: runs of one style as one text each, reversed cells on a block.
fn svg(buffer: &Buffer) -> String {
    let (width, height) = (
        usize::from(buffer.area.width) * COLUMN + 24,
        usize::from(buffer.area.height) * ROW + 24,
    );
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"ui-monospace,Menlo,Consolas,monospace\" font-size=\"15\">\n<rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#0d1117\"/>\n"
    );
    for y in 0..buffer.area.height {
        let mut x = 0;
        while x < buffer.area.width {
            let first = &buffer[(x, y)];
            let end = (x..buffer.area.width)
                .find(|other| buffer[(*other, y)].style() != first.style())
                .unwrap_or(buffer.area.width);
            run(&mut out, buffer, x, end, y);
            x = end;
        }
    }
    out.push_str("</svg>\n");
    out
}

fn run(out: &mut String, buffer: &Buffer, from: u16, to: u16, y: u16) {
    let cell = &buffer[(from, y)];
    let text: String = (from..to).map(|x| buffer[(x, y)].symbol()).collect();
    let (left, top) = (12 + usize::from(from) * COLUMN, 12 + usize::from(y) * ROW);
    let reversed = cell.modifier.contains(Modifier::REVERSED);
    if reversed {
        writeln!(
            out,
            "<rect x=\"{left}\" y=\"{top}\" width=\"{}\" height=\"{ROW}\" fill=\"{}\"/>",
            usize::from(to - from) * COLUMN,
            hex(cell.fg)
        )
        .unwrap();
    }
    if text.trim().is_empty() {
        return;
    }
    let fill = if reversed { "#0d1117" } else { hex(cell.fg) };
    let weight = if cell.modifier.contains(Modifier::BOLD) {
        " font-weight=\"bold\""
    } else {
        ""
    };
    let escaped = text
        .trim_end()
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    let length = text.trim_end().chars().count() * COLUMN;
    writeln!(out, "<text x=\"{left}\" y=\"{}\" fill=\"{fill}\"{weight} xml:space=\"preserve\" textLength=\"{length}\">{escaped}</text>", top + 14).unwrap();
}

#[test]
fn the_picture_in_the_readme_is_what_the_board_looks_like() {
    let picture = svg(&driver(Scenario::Night, (110, 30)).draw());
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/board.svg");
    if std::env::var_os("LAKEHAND_DRAW_PICTURE").is_some() {
        std::fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs")).unwrap();
        std::fs::write(path, &picture).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap();
    assert!(
        kept == picture,
        "the Board changed; draw it anew with LAKEHAND_DRAW_PICTURE=1 cargo test --lib picture"
    );
}
