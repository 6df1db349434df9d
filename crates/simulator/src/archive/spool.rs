//! Rows on disk: packed into compressed blocks in a temporary file, found by place.
//!
//! Rows of a compressed file cannot be sought, and unpacked they may be larger than memory. Blocks
//! of a quarter of a megabyte make a page of neighbours cost one or two reads.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes of rows in a block before it is packed.
const BLOCK_BYTES: usize = 1 << 18;
/// Unpacked blocks that are kept.
const KEPT_BLOCKS: usize = 8;
/// zstd's fastest useful level: the file is read a few times and thrown away.
const LEVEL: i32 = 1;

/// Where a row lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    block: u32,
    start: u32,
    length: u32,
}

#[derive(Debug, Clone, Copy)]
struct Block {
    offset: u64,
    packed: usize,
    unpacked: usize,
}

/// Takes rows in.
pub(super) struct SpoolWriter {
    file: File,
    blocks: Vec<Block>,
    open: Vec<u8>,
    offset: u64,
}

impl SpoolWriter {
    pub(super) fn new() -> io::Result<Self> {
        let file = tempfile::tempfile()?;
        Ok(Self {
            file,
            blocks: Vec::new(),
            open: Vec::with_capacity(BLOCK_BYTES),
            offset: 0,
        })
    }

    /// Adds a row.
    pub(super) fn push(&mut self, row: &[u8]) -> io::Result<Place> {
        if !self.open.is_empty() && self.open.len() + row.len() > BLOCK_BYTES {
            self.pack()?;
        }
        let place = Place {
            block: number(self.blocks.len())?,
            start: number(self.open.len())?,
            length: number(row.len())?,
        };
        self.open.extend_from_slice(row);
        Ok(place)
    }

    fn pack(&mut self) -> io::Result<()> {
        let packed = zstd::bulk::compress(&self.open, LEVEL)?;
        self.file.write_all(&packed)?;
        let block = Block {
            offset: self.offset,
            packed: packed.len(),
            unpacked: self.open.len(),
        };
        self.blocks.push(block);
        self.offset += packed.len() as u64;
        self.open.clear();
        Ok(())
    }

    /// Ends taking in.
    pub(super) fn finish(mut self) -> io::Result<Spool> {
        if !self.open.is_empty() {
            self.pack()?;
        }
        let reading = Mutex::new(Reading {
            file: self.file,
            kept: VecDeque::new(),
        });
        Ok(Spool {
            blocks: self.blocks,
            reading,
        })
    }
}

fn number(length: usize) -> io::Result<u32> {
    u32::try_from(length)
        .map_err(|_| io::Error::other("a row or the number of blocks is beyond 4 GiB"))
}

#[derive(Debug)]
struct Reading {
    file: File,
    kept: VecDeque<(u32, Arc<[u8]>)>,
}

/// Gives rows out.
#[derive(Debug)]
pub(super) struct Spool {
    blocks: Vec<Block>,
    reading: Mutex<Reading>,
}

impl Spool {
    /// Hands the bytes of a row to `look`.
    pub(super) fn row<T>(&self, place: Place, look: impl FnOnce(&[u8]) -> T) -> io::Result<T> {
        let block = self.block(place.block)?;
        let start = place.start as usize;
        let row = block.get(start..start + place.length as usize);
        row.map(look)
            .ok_or_else(|| io::Error::other("a row lies outside its block"))
    }

    fn block(&self, number: u32) -> io::Result<Arc<[u8]>> {
        let mut reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, block)) = reading.kept.iter().find(|(kept, _)| *kept == number) {
            return Ok(Arc::clone(block));
        }
        let block = self
            .blocks
            .get(number as usize)
            .ok_or_else(|| io::Error::other("there is no such block of rows"))?;
        let mut packed = vec![0; block.packed];
        reading.file.seek(SeekFrom::Start(block.offset))?;
        reading.file.read_exact(&mut packed)?;
        let unpacked: Arc<[u8]> = zstd::bulk::decompress(&packed, block.unpacked)?.into();
        if reading.kept.len() == KEPT_BLOCKS {
            reading.kept.pop_front();
        }
        reading.kept.push_back((number, Arc::clone(&unpacked)));
        Ok(unpacked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_as_they_went_in() {
        let rows: Vec<Vec<u8>> = (0..5_000_usize)
            .map(|row| vec![(row % 251) as u8; 1 + (row * 37) % 700])
            .collect();
        let mut writer = SpoolWriter::new().unwrap();
        let places: Vec<Place> = rows.iter().map(|row| writer.push(row).unwrap()).collect();
        let large = vec![b'x'; 3 * BLOCK_BYTES];
        let large_place = writer.push(&large).unwrap();
        let spool = writer.finish().unwrap();
        assert!(spool.blocks.len() > KEPT_BLOCKS / 2);
        // Not in the order they were written, so that blocks are thrown out and read again.
        for step in 0..rows.len() {
            let number = (step * 2_903) % rows.len();
            let same = spool
                .row(places[number], |row| row == rows[number].as_slice())
                .unwrap();
            assert!(same, "row {number}");
        }
        assert!(
            spool
                .row(large_place, |row| row == large.as_slice())
                .unwrap()
        );
    }

    #[test]
    fn a_place_outside_is_an_error() {
        let mut writer = SpoolWriter::new().unwrap();
        writer.push(b"row").unwrap();
        let spool = writer.finish().unwrap();
        assert!(
            spool
                .row(
                    Place {
                        block: 0,
                        start: 2,
                        length: 2
                    },
                    |_| ()
                )
                .is_err()
        );
        assert!(
            spool
                .row(
                    Place {
                        block: 1,
                        start: 0,
                        length: 1
                    },
                    |_| ()
                )
                .is_err()
        );
    }
}
