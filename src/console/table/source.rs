//! The file behind a table: opened once, read at positions.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use super::{
    BLOCK, Order,
    index::{Index, STEP},
    record::{Record, Scanner, fields, trimmed},
};

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
        let mark = if head.starts_with(b"\xef\xbb\xbf") {
            3
        } else {
            0
        };
        let whole = read as u64 == length;
        let mut records = split(&head[mark..], whole);
        let (header, data_start) = match records.first() {
            Some(range) => {
                let cells = fields(trimmed(&head[mark + range.start..mark + range.end]));
                (
                    cells
                        .map(|cell| String::from_utf8_lossy(&cell).into_owned())
                        .collect(),
                    mark + range.end,
                )
            }
            None => (Vec::new(), mark),
        };
        let data = records
            .drain(1.min(records.len())..)
            .take(BLOCK)
            .enumerate();
        let record = |(row, range): (usize, std::ops::Range<usize>)| {
            Record::parse(
                u32::try_from(row).unwrap_or(u32::MAX),
                trimmed(&head[mark + range.start..mark + range.end]),
            )
        };
        let first = data.map(record).collect();
        Ok(Self {
            path: path.to_owned(),
            name: name.to_owned(),
            file,
            length,
            header,
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

/// The ranges of the records in `bytes`, line ends included; the last one only when it is whole.
fn split(bytes: &[u8], whole: bool) -> Vec<std::ops::Range<usize>> {
    let mut scanner = Scanner::default();
    let mut ranges = Vec::new();
    let mut at = 0;
    while let Some(end) = scanner.record_end(&bytes[at..]) {
        ranges.push(at..at + end);
        at += end;
    }
    if whole && at < bytes.len() {
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
    let mut reader = StepReader {
        source,
        index,
        step: usize::MAX,
        bytes: Vec::new(),
        ranges: Vec::new(),
    };
    rows.filter_map(|position| match order {
        Some(order) => order.get(position),
        None => u32::try_from(position).ok(),
    })
    .map(|row| reader.record(row))
    .collect()
}

/// Reads records through the index; the bytes between two checkpoints are kept, since neighbours are asked for together.
struct StepReader<'s> {
    source: &'s Source,
    index: &'s Index,
    step: usize,
    bytes: Vec<u8>,
    ranges: Vec<std::ops::Range<usize>>,
}

impl StepReader<'_> {
    fn record(&mut self, row: u32) -> io::Result<Record> {
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
        Ok(Record::parse(row, trimmed(&self.bytes[range])))
    }

    fn load(&mut self, step: usize) -> io::Result<()> {
        let Some((start, end)) = self.index.step_range(step) else {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the row lies beyond the index",
            ));
        };
        self.bytes
            .resize(usize::try_from(end - start).unwrap_or(usize::MAX), 0);
        let read = self.source.read(&mut self.bytes, start)?;
        self.bytes.truncate(read);
        self.ranges = split(&self.bytes, true);
        self.step = step;
        Ok(())
    }
}
