//! Lines of a bulk file as the rows that REST would have given.
//!
//! What the files are like (`source-apis.md` 2.6): a header line, commas, quotes where a cell needs
//! them, LF inside quotes, the word `null` for no value, and NUL bytes and bare CR inside cells. So a
//! record ends at LF alone; a CR before it belongs to the line end only where the header has one too.

use std::{fs::File, io::Read};

use bytes::Bytes;
use csv_core::{ReadRecordResult, Reader, ReaderBuilder, Terminator};
use tempfile::TempPath;

use super::{LeadField, rows};
use crate::jobs::{ErrorType, JobError};
use crate::sources::SourceError;

/// Whose rows a file holds.
#[derive(Debug, Clone)]
pub(super) enum RowKind {
    Activity,
    /// With what describes the fields.
    Lead(Vec<LeadField>),
}

/// A file on its way into rows.
pub(super) struct CsvFile {
    /// Keeps the file until it is read.
    path: TempPath,
    kind: RowKind,
    records: Option<Records<File>>,
    header: Vec<String>,
    line: u64,
}

impl CsvFile {
    pub(super) fn open(path: TempPath, kind: RowKind) -> Self {
        Self {
            path,
            kind,
            records: None,
            header: Vec::new(),
            line: 0,
        }
    }

    /// The next rows, at most so many; none at the end of the file. Works on a thread that may block.
    ///
    /// # Errors
    /// [`SourceError::Sink`] when the file cannot be read, [`SourceError::Refused`] when a record does not
    /// have the header's columns.
    pub(super) async fn batch(mut self, most: usize) -> Result<(Self, Vec<Bytes>), SourceError> {
        let work = move || {
            let rows = self.rows(most)?;
            Ok((self, rows))
        };
        tokio::task::spawn_blocking(work)
            .await
            .unwrap_or_else(|why| {
                Err(SourceError::Sink(JobError::new(
                    ErrorType::StorageError,
                    format!("reading a bulk file stopped: {why}; report this as a defect"),
                )))
            })
    }

    fn rows(&mut self, most: usize) -> Result<Vec<Bytes>, SourceError> {
        let records = match &mut self.records {
            Some(records) => records,
            none => {
                let file = File::open(&self.path).map_err(|why| unreadable(&why))?;
                let records = none.insert(Records::new(file));
                let header = records.next().map_err(|why| unreadable(&why))?;
                self.header = header
                    .unwrap_or_default()
                    .into_iter()
                    .map(|cell| text(&cell))
                    .collect();
                records
            }
        };
        let mut rows = Vec::with_capacity(most);
        while rows.len() < most
            && let Some(cells) = records.next().map_err(|why| unreadable(&why))?
        {
            self.line += 1;
            if cells.len() != self.header.len() {
                let why = format!(
                    "record {} has {} cells, and the header {}",
                    self.line,
                    cells.len(),
                    self.header.len()
                );
                return Err(super::envelope::refused("a bulk file", why));
            }
            let cells: Vec<String> = cells.iter().map(|cell| text(cell)).collect();
            let valued = self.header.iter().map(String::as_str).zip(
                cells
                    .iter()
                    .map(|cell| (cell != "null").then_some(cell.as_str())),
            );
            rows.push(match &self.kind {
                RowKind::Activity => rows::activity_of_cells(valued),
                RowKind::Lead(fields) => rows::lead_of_cells(valued, fields),
            });
        }
        Ok(rows)
    }
}

fn text(cell: &[u8]) -> String {
    String::from_utf8_lossy(cell).into_owned()
}

fn unreadable(why: &std::io::Error) -> SourceError {
    SourceError::Sink(JobError::new(
        ErrorType::StorageError,
        format!("a bulk file could not be read back: {why}; redrive the execution"),
    ))
}

/// Records of a CSV file, cell by cell as bytes.
struct Records<R> {
    input: R,
    reader: Reader,
    buffer: Vec<u8>,
    /// What of the buffer is not read yet.
    left: std::ops::Range<usize>,
    out: Vec<u8>,
    ends: Vec<usize>,
    begun: bool,
    /// Whether lines end in CR LF: the header does.
    crlf: bool,
}

impl<R: Read> Records<R> {
    fn new(input: R) -> Self {
        Self {
            input,
            reader: ReaderBuilder::new()
                .terminator(Terminator::Any(b'\n'))
                .build(),
            buffer: vec![0; 1 << 16],
            left: 0..0,
            out: vec![0; 1 << 12],
            ends: vec![0; 64],
            begun: false,
            crlf: false,
        }
    }

    /// More of the input; nothing at its end. A byte order mark at the beginning is no content.
    fn fill(&mut self) -> std::io::Result<()> {
        const MARK: &[u8] = b"\xef\xbb\xbf";
        let mut count = self.input.read(&mut self.buffer)?;
        self.left = 0..count;
        if self.begun {
            return Ok(());
        }
        self.begun = true;
        // More than the mark, because no bytes at all would mean the end.
        while (1..=MARK.len()).contains(&count) {
            match self.input.read(&mut self.buffer[count..])? {
                0 => break,
                more => count += more,
            }
        }
        self.left = 0..count;
        if self.buffer[..count].starts_with(MARK) {
            self.left.start = MARK.len();
        }
        Ok(())
    }

    fn next(&mut self) -> std::io::Result<Option<Vec<Vec<u8>>>> {
        let is_header = !self.begun;
        let (mut written, mut ended) = (0, 0);
        loop {
            if self.left.is_empty() {
                self.fill()?;
            }
            let (result, taken, wrote, closed) = self.reader.read_record(
                &self.buffer[self.left.clone()],
                &mut self.out[written..],
                &mut self.ends[ended..],
            );
            self.left.start += taken;
            written += wrote;
            ended += closed;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => self.out.resize(self.out.len() * 2, 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                ReadRecordResult::Record => {
                    let mut cells = self.cells(ended);
                    let last = cells.last_mut();
                    if is_header {
                        self.crlf = last.as_ref().is_some_and(|cell| cell.ends_with(b"\r"));
                    }
                    if let Some(cell) = last.filter(|cell| self.crlf && cell.ends_with(b"\r")) {
                        cell.pop();
                    }
                    return Ok(Some(cells));
                }
                ReadRecordResult::End => return Ok(None),
            }
        }
    }

    fn cells(&self, count: usize) -> Vec<Vec<u8>> {
        let mut start = 0;
        let cells = self.ends[..count].iter().map(|&end| {
            let cell = self.out[start..end].to_vec();
            start = end;
            cell
        });
        cells.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives a few bytes at a time, so that every boundary falls somewhere.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let count = self.1.min(self.0.len()).min(buffer.len());
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    fn all(input: &[u8], step: usize) -> Vec<Vec<String>> {
        let mut records = Records::new(Slow(input, step));
        let mut all = Vec::new();
        while let Some(cells) = records.next().unwrap() {
            all.push(cells.iter().map(|cell| text(cell)).collect());
        }
        all
    }

    #[test]
    fn what_stands_inside_cells_stays() {
        let input =
            b"\xef\xbb\xbfa,b\n1,\"x\ny\"\n\0z,old mac\rline\n\"q\"\"\",null\nlast,\xc3\xbc\r\n";
        for step in [1, 2, 3, 4, 7, 1_000] {
            assert_eq!(
                all(input, step),
                [
                    vec!["a", "b"],
                    vec!["1", "x\ny"],
                    vec!["\0z", "old mac\rline"],
                    vec!["q\"", "null"],
                    vec!["last", "ü\r"],
                ]
            );
        }
    }

    #[test]
    fn line_ends_of_two_bytes_are_none_of_the_content() {
        assert_eq!(
            all(b"a,b\r\n1,\"x\r\ny\"\r\n2,\"\"\r\n", 5),
            [vec!["a", "b"], vec!["1", "x\r\ny"], vec!["2", ""]]
        );
    }

    #[test]
    fn a_last_line_without_an_end_counts() {
        assert_eq!(all(b"a\n1", 1_000), [vec!["a"], vec!["1"]]);
        assert!(all(b"", 1).is_empty());
    }
}
