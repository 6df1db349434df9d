//! A report's file.

use std::io::{self, Write};

/// A report with text from the wild.
pub(super) fn write_report(path: &std::path::Path, rows: usize) -> io::Result<()> {
    const MANAGERS: [&str; 6] = [
        "Zoë Čapek",
        "佐藤 花子",
        "O'Brien, Pat",
        "مريم",
        "Ana \"Ani\" Silva",
        "",
    ];
    let mut file = io::BufWriter::new(std::fs::File::create(path)?);
    writeln!(
        file,
        "datestamp,affiliate_id,affiliate_name,affiliate_manager,offer_id,country,sub5,click_count,approved_revenue,conversions_count\r"
    )?;
    for row in 0..rows {
        let manager = MANAGERS[row % MANAGERS.len()].replace('"', "\"\"");
        let sub = match row % 9 {
            4 => "\"=1+1\nsecond line \u{1b}[31m\"".to_owned(),
            7 => "🚀👩‍👩‍👧".to_owned(),
            _ => format!("sub-{:05}", row * 7919 % 99_991),
        };
        let country = ["DE", "BR", "US", "JP", ""][row % 5];
        writeln!(
            file,
            "2026-01-{:02},{},affiliate {},\"{manager}\",{},{country},{sub},{},{}.{:02},{}\r",
            24 + row % 8,
            100 + row % 37,
            row % 37,
            4_000 + row % 211,
            row * 31 % 9_973,
            row * 17 % 4_001,
            row % 100,
            row % 23 + 1
        )?;
    }
    file.flush()
}
