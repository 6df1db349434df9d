//! Finds the files of a stream and reads their lines.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use super::ArchiveError;

/// File name ends that are read, compressed ones included.
const ENDS: [&str; 9] = [
    ".ndjson",
    ".jsonl",
    ".json",
    ".ndjson.gz",
    ".jsonl.gz",
    ".json.gz",
    ".ndjson.zst",
    ".jsonl.zst",
    ".json.zst",
];

/// The files of a stream in `directory`: `STREAM.ndjson` and the like, then everything of such a
/// name below the folder `STREAM`, by name.
pub(super) fn of_stream(directory: &Path, stream: &str) -> Result<Vec<PathBuf>, ArchiveError> {
    let mut files: Vec<PathBuf> = ENDS
        .iter()
        .map(|end| directory.join(format!("{stream}{end}")))
        .filter(|path| path.is_file())
        .collect();
    let folder = directory.join(stream);
    if folder.is_dir() {
        below(&folder, &mut files)?;
    }
    Ok(files)
}

fn below(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), ArchiveError> {
    let unreadable = |source| ArchiveError::Read {
        path: folder.to_owned(),
        source,
    };
    let mut entries = fs::read_dir(folder)
        .and_then(Iterator::collect::<io::Result<Vec<_>>>)
        .map_err(unreadable)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if path.is_dir() {
            below(&path, files)?;
        } else if is_read(&path) {
            files.push(path);
        }
    }
    Ok(())
}

/// Whether a file has one of the names that are read; hidden and underscored ones are not.
fn is_read(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
        return false;
    };
    !name.starts_with(['.', '_']) && ENDS.iter().any(|end| name.ends_with(end))
}

/// The lines of a file, one at a time.
pub(super) struct Lines {
    reader: Box<dyn BufRead>,
    line: Vec<u8>,
    number: u64,
}

impl Lines {
    /// Opens a file; `.gz` (also of several members) and `.zst` are unpacked.
    pub(super) fn open(path: &Path) -> Result<Self, ArchiveError> {
        let unreadable = |source| ArchiveError::Read {
            path: path.to_owned(),
            source,
        };
        let file = File::open(path).map_err(unreadable)?;
        let end = path.extension().and_then(|end| end.to_str());
        let unpacked: Box<dyn Read> = match end {
            Some("gz") => Box::new(MultiGzDecoder::new(BufReader::with_capacity(1 << 18, file))),
            Some("zst") => Box::new(zstd::Decoder::new(file).map_err(unreadable)?),
            _ => Box::new(file),
        };
        let reader = Box::new(BufReader::with_capacity(1 << 18, unpacked));
        Ok(Self {
            reader,
            line: Vec::new(),
            number: 0,
        })
    }

    /// The next line without its end, a byte order mark and blanks around it, with its number
    /// from 1. An error is given once, with the number of the line it struck.
    pub(super) fn next(&mut self) -> Option<(u64, io::Result<&[u8]>)> {
        self.line.clear();
        self.number += 1;
        match self.reader.read_until(b'\n', &mut self.line) {
            Ok(0) => None,
            Ok(_) => {
                let line = self
                    .line
                    .strip_prefix(b"\xef\xbb\xbf")
                    .unwrap_or(&self.line);
                Some((self.number, Ok(line.trim_ascii())))
            }
            Err(error) => {
                self.reader = Box::new(io::empty());
                Some((self.number, Err(error)))
            }
        }
    }
}
