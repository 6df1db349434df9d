//! "Export what I see": the rows and columns on the screen, whole, into a file.

use std::{
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use super::{
    BLOCK, Cancel, Index, Order, Record, Source, cancelled, is_cancelled, source::read_block,
};
use crate::pipeline::text::for_terminal;

/// Formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExportFormat {
    /// RFC 4180.
    Csv,
    /// An array of objects of strings.
    Json,
    /// A table for a chat or a ticket.
    Markdown,
}

impl ExportFormat {
    /// The end of a file name.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Markdown => "md",
        }
    }
}

/// Writes the rows in the order shown; returns the file's path and the number of rows. A file that is there
/// already is kept: the new one gets a number.
///
/// # Errors
/// When reading or writing fails, or the work was cancelled.
pub(crate) fn export(
    source: &Source,
    index: &Index,
    order: Option<&Order>,
    columns: &[usize],
    format: ExportFormat,
    target: (&Path, &str),
    cancel: &Cancel,
) -> io::Result<(PathBuf, u64)> {
    let (folder, file_name) = target;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    let total = order.map_or(index.rows(), Order::len);
    let header: Vec<&str> = columns
        .iter()
        .map(|column| source.header().get(*column).map_or("", String::as_str))
        .collect();
    {
        let mut writer = BufWriter::with_capacity(1 << 18, file.as_file_mut());
        write_start(&mut writer, format, &header)?;
        let mut written = 0_u64;
        for block in 0..total.div_ceil(BLOCK) {
            if is_cancelled(cancel) {
                return Err(cancelled());
            }
            for record in read_block(source, index, order, block)? {
                write_record(&mut writer, format, &header, columns, &record, written == 0)?;
                written += 1;
            }
        }
        if format == ExportFormat::Json {
            writer.write_all(b"\n]\n")?;
        }
        writer.flush()?;
    }
    Ok((persist(file, folder, file_name, format)?, total as u64))
}

/// Gives the finished file its name, or the first free numbered one.
fn persist(
    mut file: tempfile::NamedTempFile,
    folder: &Path,
    name: &str,
    format: ExportFormat,
) -> io::Result<PathBuf> {
    for number in 1..10_000 {
        let suffix = if number == 1 {
            String::new()
        } else {
            format!("-{number}")
        };
        let path = folder.join(format!("{name}{suffix}.{}", format.extension()));
        match file.persist_noclobber(&path) {
            Ok(_) => return Ok(path),
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => file = error.file,
            Err(error) => return Err(error.error),
        }
    }
    Err(io::Error::new(
        io::ErrorKind::AlreadyExists,
        "there are ten thousand exports of this name; move some away",
    ))
}

fn write_start(writer: &mut impl Write, format: ExportFormat, header: &[&str]) -> io::Result<()> {
    match format {
        ExportFormat::Csv => write_csv(writer, header.iter().copied()),
        ExportFormat::Json => writer.write_all(b"["),
        ExportFormat::Markdown => {
            write_markdown(writer, header.iter().copied())?;
            writeln!(writer, "|{}", " --- |".repeat(header.len()))
        }
    }
}

fn write_record(
    writer: &mut impl Write,
    format: ExportFormat,
    header: &[&str],
    columns: &[usize],
    record: &Record,
    first: bool,
) -> io::Result<()> {
    let cells = columns
        .iter()
        .map(|column| record.cells.get(*column).map_or("", |cell| &**cell));
    match format {
        ExportFormat::Csv => write_csv(writer, cells),
        ExportFormat::Markdown => write_markdown(writer, cells),
        ExportFormat::Json => {
            writer.write_all(if first { b"\n  {" } else { b",\n  {" })?;
            for (position, (title, cell)) in header.iter().zip(cells).enumerate() {
                let comma = if position == 0 { "" } else { ", " };
                write!(
                    writer,
                    "{comma}{}: {}",
                    serde_json::json!(title),
                    serde_json::json!(cell)
                )?;
            }
            writer.write_all(b"}")
        }
    }
}

fn write_csv<'c>(writer: &mut impl Write, cells: impl Iterator<Item = &'c str>) -> io::Result<()> {
    for (position, cell) in cells.enumerate() {
        if position > 0 {
            writer.write_all(b",")?;
        }
        if cell.contains([',', '"', '\n', '\r']) {
            write!(writer, "\"{}\"", cell.replace('"', "\"\""))?;
        } else {
            writer.write_all(cell.as_bytes())?;
        }
    }
    writer.write_all(b"\r\n")
}

fn write_markdown<'c>(
    writer: &mut impl Write,
    cells: impl Iterator<Item = &'c str>,
) -> io::Result<()> {
    for cell in cells {
        write!(
            writer,
            "| {} ",
            for_terminal(cell).replace('\\', "\\\\").replace('|', "\\|")
        )?;
    }
    writer.write_all(b"|\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exported(format: ExportFormat) -> (String, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("in.csv");
        std::fs::write(&path, "a,b,c\n1,\"x, \"\"y\"\"\n|z\",3\n4,5\n").unwrap();
        let source = Source::open(&path, "in").unwrap();
        let index = Index::build(&source, &Cancel::default(), |_| {}).unwrap();
        let order = Order::of(vec![1, 0]);
        let run = || {
            export(
                &source,
                &index,
                Some(&order),
                &[1, 2],
                format,
                (folder.path(), "out"),
                &Cancel::default(),
            )
            .unwrap()
        };
        let (path, rows) = run();
        assert_eq!(rows, 2);
        let (second, _) = run();
        assert_ne!(second, path, "an export never replaces a file");
        (std::fs::read_to_string(&path).unwrap(), second)
    }

    #[test]
    fn rows_and_columns_as_shown() {
        let (csv, second) = exported(ExportFormat::Csv);
        assert_eq!(csv, "b,c\r\n5,\r\n\"x, \"\"y\"\"\n|z\",3\r\n");
        assert!(second.ends_with("out-2.csv"));
        let (json, _) = exported(ExportFormat::Json);
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(
            value,
            serde_json::json!([{"b": "5", "c": ""}, {"b": "x, \"y\"\n|z", "c": "3"}])
        );
        let (markdown, _) = exported(ExportFormat::Markdown);
        assert_eq!(
            markdown,
            "| b | c |\n| --- | --- |\n| 5 |  |\n| x, \"y\"␊\\|z | 3 |\n"
        );
    }
}
