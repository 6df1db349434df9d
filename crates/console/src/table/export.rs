//! "Export what I see": the rows and columns on the screen, whole, into a file.

use std::{
    collections::BTreeSet,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use super::{
    BLOCK, Cancel, Index, Order, Source, cancelled, is_cancelled,
    source::{RowReader, row_at},
};
use lakehand_pipeline::{
    records::{is_null, line_end, member_names, raw_fields, text_of, trimmed},
    text::for_terminal,
};

/// Formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExportFormat {
    /// The report's own bytes: its quotes, its line ends, what is null and what is empty.
    Csv,
    /// An array of objects of strings and nulls.
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
    hidden: &BTreeSet<usize>,
    format: ExportFormat,
    target: (&Path, &str),
    cancel: &Cancel,
) -> io::Result<(PathBuf, u64)> {
    let (folder, file_name) = target;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    let total = order.map_or(index.rows(), Order::len);
    {
        let writer = BufWriter::with_capacity(1 << 18, file.as_file_mut());
        let mut exporter = Exporter::start(writer, format, source, hidden)?;
        let mut reader = RowReader::new(source, index);
        for position in 0..total {
            if position % BLOCK == 0 && is_cancelled(cancel) {
                return Err(cancelled());
            }
            if let Some(row) = row_at(order, position) {
                exporter.row(reader.bytes_of(row)?)?;
            }
        }
        exporter.end()?;
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

/// Writes rows as they come.
struct Exporter<'e, W: Write> {
    writer: W,
    format: ExportFormat,
    header: &'e [String],
    hidden: &'e BTreeSet<usize>,
    names: Vec<String>,
    /// The line end of a row that has none because it was the file's last.
    ends_with: Vec<u8>,
    lacks_end: bool,
    written: u64,
}

impl<'e, W: Write> Exporter<'e, W> {
    fn start(
        mut writer: W,
        format: ExportFormat,
        source: &'e Source,
        hidden: &'e BTreeSet<usize>,
    ) -> io::Result<Self> {
        let header = source.header();
        let end = line_end(source.header_bytes());
        let mut exporter = match format {
            ExportFormat::Json => {
                writer.write_all(b"[")?;
                Self::new(writer, format, header, hidden)
            }
            ExportFormat::Csv => Self::new(writer, format, header, hidden),
            ExportFormat::Markdown => {
                let shown = (0..header.len()).filter(|column| !hidden.contains(column));
                write_markdown(&mut writer, shown.clone().map(|column| &*header[column]))?;
                writeln!(writer, "|{}", " --- |".repeat(shown.count()))?;
                Self::new(writer, format, header, hidden)
            }
        };
        if !end.is_empty() {
            exporter.ends_with = end.to_vec();
        }
        if format == ExportFormat::Csv {
            exporter.csv(source.header_bytes())?;
        }
        Ok(exporter)
    }

    fn new(
        writer: W,
        format: ExportFormat,
        header: &'e [String],
        hidden: &'e BTreeSet<usize>,
    ) -> Self {
        Self {
            writer,
            format,
            header,
            hidden,
            names: member_names(header, header.len()),
            ends_with: b"\n".to_vec(),
            lacks_end: false,
            written: 0,
        }
    }

    fn row(&mut self, record: &[u8]) -> io::Result<()> {
        match self.format {
            ExportFormat::Csv => self.csv(record)?,
            ExportFormat::Json => self.json(trimmed(record))?,
            ExportFormat::Markdown => {
                let texts: Vec<String> = raw_fields(trimmed(record))
                    .enumerate()
                    .filter(|(column, _)| !self.hidden.contains(column))
                    .map(|(_, raw)| String::from_utf8_lossy(&text_of(raw)).into_owned())
                    .collect();
                write_markdown(&mut self.writer, texts.iter().map(String::as_str))?;
            }
        }
        self.written += 1;
        Ok(())
    }

    /// The bytes of the record, without the cells of hidden columns.
    fn csv(&mut self, record: &[u8]) -> io::Result<()> {
        if std::mem::take(&mut self.lacks_end) {
            self.writer.write_all(&self.ends_with)?;
        }
        let (line, end) = (trimmed(record), line_end(record));
        if self.hidden.is_empty() {
            self.writer.write_all(line)?;
        } else {
            let cells: Vec<&[u8]> = raw_fields(line)
                .enumerate()
                .filter(|(column, _)| !self.hidden.contains(column))
                .map(|(_, raw)| raw)
                .collect();
            match cells.as_slice() {
                // A line of one null would be an empty line, which readers skip; reports write it so too.
                [b""] => self.writer.write_all(b"\"\"")?,
                cells => self.writer.write_all(&cells.join(&b','))?,
            }
        }
        self.lacks_end = end.is_empty();
        self.writer.write_all(end)
    }

    fn json(&mut self, line: &[u8]) -> io::Result<()> {
        let cells: Vec<&[u8]> = raw_fields(line).collect();
        if cells.len() > self.names.len() {
            self.names = member_names(self.header, cells.len());
        }
        let mut object = serde_json::Map::new();
        for (column, name) in self.names.iter().enumerate() {
            let known = column < self.header.len() || column < cells.len();
            if known && !self.hidden.contains(&column) {
                let cell = cells.get(column).filter(|raw| !is_null(raw));
                let text = cell.map(|raw| String::from_utf8_lossy(&text_of(raw)).into_owned());
                object.insert(name.clone(), text.into());
            }
        }
        let comma = if self.written == 0 { "" } else { "," };
        write!(self.writer, "{comma}\n  ")?;
        serde_json::to_writer(&mut self.writer, &object).map_err(io::Error::from)
    }

    fn end(mut self) -> io::Result<()> {
        if self.format == ExportFormat::Json {
            self.writer.write_all(b"\n]\n")?;
        }
        self.writer.flush()
    }
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

    fn exported_as(
        text: &str,
        order: Option<Vec<u32>>,
        hidden: &[usize],
        format: ExportFormat,
    ) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("in.csv");
        std::fs::write(&path, text).unwrap();
        let source = Source::open(&path, "in").unwrap();
        let index = Index::build(&source, &Cancel::default(), |_| {}).unwrap();
        let order = order.map(Order::of);
        let run = || {
            export(
                &source,
                &index,
                order.as_ref(),
                &hidden.iter().copied().collect(),
                format,
                (folder.path(), "out"),
                &Cancel::default(),
            )
            .unwrap()
        };
        let (path, rows) = run();
        assert_eq!(rows, order.as_ref().map_or(index.rows(), Order::len) as u64);
        let (second, _) = run();
        assert_ne!(second, path, "an export never replaces a file");
        assert!(second.to_str().unwrap().contains("out-2."));
        std::fs::read_to_string(&path).unwrap()
    }

    const ODD: &str = "a,b,c\n1,\"x, \"\"y\"\"\n|z\",3\n\"4\",\"\",\n,5,6,seven\n";

    #[test]
    fn csv_is_the_reports_bytes() {
        for text in [
            ODD,
            "a,b\r\n1,\"\"\r\n,2\r\n",
            "\u{feff}a\n\n\"\"\nlast",
            "a,b\rx,\r",
        ] {
            assert_eq!(exported_as(text, None, &[], ExportFormat::Csv), text);
        }
        assert_eq!(
            exported_as(ODD, Some(vec![2, 1]), &[], ExportFormat::Csv),
            "a,b,c\n,5,6,seven\n\"4\",\"\",\n"
        );
        assert_eq!(
            exported_as(ODD, Some(vec![1, 0, 2]), &[0], ExportFormat::Csv),
            "b,c\n\"\",\n\"x, \"\"y\"\"\n|z\",3\n5,6,seven\n"
        );
        assert_eq!(
            exported_as("a\n1\n2", Some(vec![1, 0]), &[], ExportFormat::Csv),
            "a\n2\n1\n",
            "a row without a line end gets one when others follow"
        );
        assert_eq!(
            exported_as("a,b\n1,\n", None, &[0], ExportFormat::Csv),
            "b\n\"\"\n"
        );
    }

    #[test]
    fn json_and_markdown_hold_every_cell() {
        let json = exported_as(ODD, Some(vec![1, 0, 2]), &[0], ExportFormat::Json);
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(
            value,
            serde_json::json!([
                {"b": "", "c": null},
                {"b": "x, \"y\"\n|z", "c": "3"},
                {"b": "5", "c": "6", "(column 4)": "seven"},
            ])
        );
        let twice = exported_as("id,id\n1,2\n", None, &[], ExportFormat::Json);
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&twice).unwrap(),
            serde_json::json!([{"id": "1", "id_1": "2"}])
        );
        assert_eq!(
            exported_as(ODD, Some(vec![1, 0]), &[0], ExportFormat::Markdown),
            "| b | c |\n| --- | --- |\n|  |  |\n| x, \"y\"␊\\|z | 3 |\n"
        );
    }
}
