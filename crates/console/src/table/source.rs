//! The file behind a table: opened once, read at positions.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use super::{
    BLOCK, Order,
    index::{Index, STEP},
    record::Record,
};
use lakehand_pipeline::records::{BYTE_ORDER_MARK, Scanner, field, fields, trimmed};

/// Bytes read when a file is opened: enough for the header and the first screen.
const FIRST_READ: usize = 256 * 1024;

/// An open CSV file.
#[derive(Debug)]
pub(crate) struct Source {
    path: PathBuf,
    name: String,
    file: File,
    length: u64,
    header: Vec<String>,
    header_bytes: Vec<u8>,
    data_start: u64,
    first: Vec<Record>,
}

impl Source {
    /// Opens a file and reads its header and first records; the rest stays where it is.
    ///
    /// # Errors
    /// When it cannot be opened or read.
    pub(crate) fn open(path: &Path, name: &str) -> io::Result<Self> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut head = vec![0; FIRST_READ.min(usize::try_from(length).unwrap_or(FIRST_READ))];
        let read = read_at(&file, &mut head, 0)?;
        head.truncate(read);
        let mark = if head.starts_with(BYTE_ORDER_MARK) {
            BYTE_ORDER_MARK.len()
        } else {
            0
        };
        let whole = read as u64 == length;
        // Empty lines before the header are none of the table.
        let top = split(&head[mark..], whole, 0).into_iter().next();
        let top = top.map_or(mark..mark, |range| mark + range.start..mark + range.end);
        let line = trimmed(&head[top.clone()]);
        let header: Vec<String> = match line {
            [] => Vec::new(),
            line => fields(line)
                .map(|cell| String::from_utf8_lossy(&cell).into_owned())
                .collect(),
        };
        let header_bytes = [&head[..mark], &head[top.clone()]].concat();
        let data_start = top.end;
        let body = &head[data_start..];
        let data = split(body, whole, header.len())
            .into_iter()
            .take(BLOCK)
            .enumerate();
        let record = |(row, range): (usize, std::ops::Range<usize>)| {
            Record::parse(
                u32::try_from(row).unwrap_or(u32::MAX),
                trimmed(&body[range]),
            )
        };
        let first = data.map(record).collect();
        Ok(Self {
            path: path.to_owned(),
            name: name.to_owned(),
            file,
            length,
            header,
            header_bytes,
            data_start: data_start as u64,
            first,
        })
    }

    /// Name for people.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Where it lies.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Names of the columns.
    pub(crate) fn header(&self) -> &[String] {
        &self.header
    }

    /// The header as it stands in the file, with the mark before it and its line end.
    pub(crate) fn header_bytes(&self) -> &[u8] {
        &self.header_bytes
    }

    /// Whether the record whose end was found last is a row: an empty line is one only where rows are single
    /// cells.
    pub(crate) fn is_row(&self, scanner: &Scanner) -> bool {
        self.header.len() == 1 || !scanner.was_blank()
    }

    /// The first records, there before any index is.
    pub(crate) fn first(&self) -> &[Record] {
        &self.first
    }

    /// Where the first record after the header starts.
    pub(crate) fn data_start(&self) -> u64 {
        self.data_start
    }

    /// Fills `buffer` from `offset` as far as the file reaches.
    ///
    /// # Errors
    /// When reading fails.
    pub(crate) fn read(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        read_at(&self.file, buffer, offset)
    }
}

/// The ranges of the rows in `bytes`, line ends included, of a table with so many columns; the last one only
/// when it is whole.
fn split(bytes: &[u8], whole: bool, columns: usize) -> Vec<std::ops::Range<usize>> {
    let mut scanner = Scanner::default();
    let mut ranges = Vec::new();
    let mut at = 0;
    while let Some(end) = scanner.record_end(&bytes[at..]) {
        if columns == 1 || !scanner.was_blank() {
            ranges.push(at..at + end);
        }
        at += end;
    }
    if whole && at < bytes.len() && (columns == 1 || !scanner.was_blank()) {
        ranges.push(at..bytes.len());
    }
    ranges
}

/// Reads at a position until the buffer is full or the file ends.
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        #[cfg(unix)]
        let read = std::os::unix::fs::FileExt::read_at(
            file,
            &mut buffer[filled..],
            offset + filled as u64,
        );
        #[cfg(windows)]
        let read = std::os::windows::fs::FileExt::seek_read(
            file,
            &mut buffer[filled..],
            offset + filled as u64,
        );
        match read {
            Ok(0) => break,
            Ok(bytes) => filled += bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Reads one block of rows in the order given; fewer at the end.
///
/// # Errors
/// When the file cannot be read, or is no longer what was indexed.
pub(crate) fn read_block(
    source: &Source,
    index: &Index,
    order: Option<&Order>,
    block: usize,
) -> io::Result<Vec<Record>> {
    let total = order.map_or(index.rows(), Order::len);
    let rows = (block * BLOCK).min(total)..((block + 1) * BLOCK).min(total);
    let mut reader = RowReader::new(source, index);
    rows.filter_map(|position| row_at(order, position))
        .map(|row| Ok(Record::parse(row, trimmed(reader.bytes_of(row)?))))
        .collect()
}

/// One cell, whole.
///
/// # Errors
/// As [`read_block`].
pub(crate) fn read_cell(
    source: &Source,
    index: &Index,
    row: u32,
    column: usize,
) -> io::Result<String> {
    let mut reader = RowReader::new(source, index);
    let cell = field(trimmed(reader.bytes_of(row)?), column).into_owned();
    Ok(String::from_utf8(cell)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// The row of the file at a position of the order.
pub(crate) fn row_at(order: Option<&Order>, position: usize) -> Option<u32> {
    match order {
        Some(order) => order.get(position),
        None => u32::try_from(position).ok(),
    }
}

/// Reads records through the index; the bytes between two checkpoints are kept, since neighbours are asked for together.
pub(crate) struct RowReader<'s> {
    source: &'s Source,
    index: &'s Index,
    step: usize,
    bytes: Vec<u8>,
    ranges: Vec<std::ops::Range<usize>>,
}

impl<'s> RowReader<'s> {
    /// A reader that has read nothing yet.
    pub(crate) fn new(source: &'s Source, index: &'s Index) -> Self {
        Self {
            source,
            index,
            step: usize::MAX,
            bytes: Vec::new(),
            ranges: Vec::new(),
        }
    }

    /// A row as it stands in the file, with its line end.
    ///
    /// # Errors
    /// When the file cannot be read, or is no longer what was indexed.
    pub(crate) fn bytes_of(&mut self, row: u32) -> io::Result<&[u8]> {
        let position = row as usize;
        if self.step != position / STEP {
            self.load(position / STEP)?;
        }
        let range = self.ranges.get(position % STEP).cloned();
        let range = range.ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the file is shorter than it was when it was indexed",
            )
        })?;
        Ok(&self.bytes[range])
    }

    fn load(&mut self, step: usize) -> io::Result<()> {
        let Some((start, end)) = self.index.step_range(step) else {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the row lies beyond the index",
            ));
        };
        // Long rows are not kept beside the next ones.
        self.bytes = vec![0; usize::try_from(end - start).unwrap_or(usize::MAX)];
        let read = self.source.read(&mut self.bytes, start)?;
        self.bytes.truncate(read);
        self.ranges = split(&self.bytes, true, self.source.header().len());
        self.step = step;
        Ok(())
    }
}
