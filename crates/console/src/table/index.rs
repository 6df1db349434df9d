//! Where the records of a file are: one offset for every [`STEP`] of them.

use std::io;

use super::{Cancel, cancelled, is_cancelled, source::Source};
use lakehand_pipeline::records::Scanner;

/// Records between two remembered offsets. Ten million records cost 2.5 MB; a row costs one read of some kilobytes.
pub(crate) const STEP: usize = 32;

/// Bytes read at a time while indexing and scanning.
const CHUNK: usize = 1 << 20;

/// Bytes between two reports of progress.
const PROGRESS: u64 = 96 << 20;

/// Offsets of a file's records, the header not counted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Index {
    checkpoints: Vec<u64>,
    rows: usize,
    end: u64,
}

impl Index {
    /// Records known so far.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes looked at so far, from the start of the file.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// The bytes `[start, end)` of the records of a step.
    pub(crate) fn step_range(&self, step: usize) -> Option<(u64, u64)> {
        let start = *self.checkpoints.get(step)?;
        Some((
            start,
            self.checkpoints.get(step + 1).copied().unwrap_or(self.end),
        ))
    }

    /// Reads the whole file once; tells `progress` a growing copy now and then.
    ///
    /// # Errors
    /// When reading fails, or the work was cancelled.
    pub(crate) fn build(
        source: &Source,
        cancel: &Cancel,
        mut progress: impl FnMut(Self),
    ) -> io::Result<Self> {
        let mut index = Self {
            checkpoints: Vec::new(),
            rows: 0,
            end: source.data_start(),
        };
        let mut scanner = Scanner::default();
        let mut buffer = vec![0; CHUNK];
        let (mut record_start, mut at, mut told) = (index.end, index.end, index.end);
        loop {
            if is_cancelled(cancel) {
                return Err(cancelled());
            }
            let read = source.read(&mut buffer, at)?;
            let mut rest = &buffer[..read];
            let mut offset = at;
            while let Some(end) = scanner.record_end(rest) {
                offset += end as u64;
                if source.is_row(&scanner) {
                    index.push(record_start, offset);
                }
                record_start = offset;
                rest = &rest[end..];
            }
            at += read as u64;
            if read < buffer.len() {
                break;
            }
            if at - told > PROGRESS {
                told = at;
                progress(index.clone());
            }
        }
        if record_start < at && source.is_row(&scanner) {
            index.push(record_start, at);
        }
        Ok(index)
    }

    fn push(&mut self, start: u64, end: u64) {
        if self.rows.is_multiple_of(STEP) {
            self.checkpoints.push(start);
        }
        self.rows += 1;
        self.end = end;
    }
}

/// Shows every record from `from` on to `each` as (row, bytes with line end), until it breaks.
///
/// # Errors
/// When reading fails, or the work was cancelled.
pub(crate) fn scan(
    source: &Source,
    index: &Index,
    from: usize,
    cancel: &Cancel,
    mut each: impl FnMut(u32, &[u8]) -> std::ops::ControlFlow<()>,
) -> io::Result<()> {
    let first_step = from / STEP;
    let Some((start, _)) = index.step_range(first_step) else {
        return Ok(());
    };
    let mut row = first_step * STEP;
    let mut scanner = Scanner::default();
    let mut buffer = vec![0; CHUNK];
    let (mut held, mut at) = (0, start);
    while at < index.end() && row < index.rows() {
        if is_cancelled(cancel) {
            return Err(cancelled());
        }
        if held == buffer.len() {
            // One record fills the buffer: it needs a larger one.
            buffer.resize(buffer.len() * 2, 0);
        }
        let read = source.read(&mut buffer[held..], at)?;
        at += read as u64;
        let (mut begin, mut looked) = (0, held);
        let full = held + read;
        while let Some(end) = scanner.record_end(&buffer[looked..full]) {
            let stop = looked + end;
            if !source.is_row(&scanner) {
                (begin, looked) = (stop, stop);
                continue;
            }
            if row >= from
                && each(u32::try_from(row).unwrap_or(u32::MAX), &buffer[begin..stop]).is_break()
            {
                return Ok(());
            }
            row += 1;
            (begin, looked) = (stop, stop);
        }
        if read == 0 || at >= index.end() {
            if begin < full && source.is_row(&scanner) && row >= from && row < index.rows() {
                let _ = each(u32::try_from(row).unwrap_or(u32::MAX), &buffer[begin..full]);
            }
            return Ok(());
        }
        buffer.copy_within(begin..full, 0);
        held = full - begin;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{borrow::Cow, io::Write, ops::ControlFlow};

    use lakehand_testkit::by_csv_core;

    use super::*;
    use crate::table::{BLOCK, read_block};
    use lakehand_pipeline::records::{fields, read_head, trimmed};

    fn awkward(rows: usize) -> Vec<u8> {
        let mut text = b"\xef\xbb\xbfid,text,note\r\n".to_vec();
        for row in 0..rows {
            let filler = "é".repeat(row % 97);
            write!(
                text,
                "{row},\"line one {row}\nsaid \"\"{filler}\"\"\",x{}\r\n",
                row % 7
            )
            .unwrap();
        }
        text.truncate(text.len() - 2);
        text
    }

    fn open(bytes: &[u8]) -> (tempfile::NamedTempFile, Source) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        let source = Source::open(file.path(), "test").unwrap();
        (file, source)
    }

    #[test]
    fn every_row_is_what_another_parser_reads() {
        let bytes = awkward(20_000);
        let (_file, source) = open(&bytes);
        let expected = by_csv_core(&bytes[3..]);
        assert_eq!(source.header(), expected[0]);
        let index = Index::build(&source, &Cancel::default(), |_| {}).unwrap();
        assert_eq!(index.rows(), 20_000);
        let mut rows = 0;
        for block in 0..=20_000 / BLOCK {
            for record in read_block(&source, &index, None, block).unwrap() {
                assert_eq!(record.row as usize, rows);
                assert_eq!(
                    *record
                        .cells
                        .iter()
                        .map(ToString::to_string)
                        .collect::<Vec<_>>(),
                    expected[rows + 1]
                );
                rows += 1;
            }
        }
        assert_eq!(rows, 20_000);
        let mut scanned = 0;
        scan(&source, &index, 45, &Cancel::default(), |row, _| {
            assert_eq!(row as usize, 45 + scanned);
            scanned += 1;
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
        assert_eq!(scanned, 20_000 - 45);
    }

    #[test]
    fn the_console_and_the_command_line_read_the_same_rows() {
        let files: [(&[u8], &[&[&str]]); 5] = [
            (b"a,b\r1,2\r3,4\r", &[&["a", "b"], &["1", "2"], &["3", "4"]]),
            (b"\n\r\n\na,b\n1,2\n", &[&["a", "b"], &["1", "2"]]),
            (b"\r\ra,b\r1,2", &[&["a", "b"], &["1", "2"]]),
            (
                b"a,b\n1,2,3,4\n5\n",
                &[&["a", "b"], &["1", "2", "3", "4"], &["5"]],
            ),
            (b"a,b\r\n\"x\ry\",2\r\n", &[&["a", "b"], &["x\ry", "2"]]),
        ];
        for (bytes, wanted) in files {
            let (_file, source) = open(bytes);
            let told = String::from_utf8_lossy(bytes);
            assert_eq!(source.header(), wanted[0], "{told:?}");
            let index = Index::build(&source, &Cancel::default(), |_| {}).unwrap();
            let mut rows = Vec::new();
            scan(&source, &index, 0, &Cancel::default(), |_, record| {
                let cells = fields(trimmed(record));
                let text = |cell: Cow<'_, [u8]>| String::from_utf8_lossy(&cell).into_owned();
                rows.push(cells.map(text).collect::<Vec<_>>());
                ControlFlow::Continue(())
            })
            .unwrap();
            assert_eq!(rows, wanted[1..], "{told:?}");
            let head = read_head(bytes, 100).unwrap();
            assert_eq!(head.header, wanted[0], "{told:?}");
            let told_by_line = head.rows.into_iter().map(|row| {
                let cells = row.into_iter().map(Option::unwrap_or_default);
                cells.collect::<Vec<_>>()
            });
            assert_eq!(told_by_line.collect::<Vec<_>>(), wanted[1..], "{told:?}");
        }
    }

    #[test]
    fn files_without_rows_and_without_anything() {
        for (bytes, columns) in [(&b""[..], 0), (b"a,b", 2), (b"a,b\n", 2)] {
            let (_file, source) = open(bytes);
            assert_eq!(source.header().len(), columns);
            let index = Index::build(&source, &Cancel::default(), |_| {}).unwrap();
            assert_eq!(index.rows(), 0);
            assert!(read_block(&source, &index, None, 0).unwrap().is_empty());
        }
    }

    #[test]
    fn a_file_cut_behind_our_back_is_an_error_not_a_crash() {
        let (file, source) = open(&awkward(1_000));
        let index = Index::build(&source, &Cancel::default(), |_| {}).unwrap();
        file.as_file().set_len(500).unwrap();
        assert!(read_block(&source, &index, None, 2).is_err());
    }

    #[test]
    fn indexing_can_be_given_up() {
        let (_file, source) = open(&awkward(10));
        let cancel = Cancel::default();
        cancel.store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(
            Index::build(&source, &cancel, |_| {}).unwrap_err().kind(),
            io::ErrorKind::Interrupted
        );
    }
}
