//! Input files to workers: whole lines in segments, decoded on all cores, taken in again in input order.
//!
//! A file is read (and inflated) by whichever worker is free, one segment at a time, and decoded by the
//! same worker while its bytes are still in the cache. Several files are read at once; a single large
//! file is inflated by one worker while others decode. Results are handed on in file and line order,
//! and no more segments are under way than a few a worker, which bounds memory.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

use crate::jobs::{ErrorType, JobError};

/// Bytes of text in a segment.
const SEGMENT_BYTES: usize = 2 << 20;
/// The longest line that is read as one.
const MAX_LINE_BYTES: usize = 64 << 20;
/// What is kept of a longer line.
const HEAD_BYTES: usize = 4096;

/// A file to read.
#[derive(Debug, Clone)]
pub(super) struct InputFile {
    /// Its name for people and for the quarantine file.
    pub name: String,
    /// Where it is on this machine.
    pub path: PathBuf,
    /// Collection the rows belong to, by place in the request.
    pub collection: usize,
}

/// Whole lines of one file.
#[derive(Debug, Default)]
pub(super) struct Segment {
    /// The lines.
    pub text: Vec<u8>,
    /// The head of a line too long to be read, which follows `text`.
    pub overlong: Option<Vec<u8>>,
    /// Nothing of the file follows.
    pub last: bool,
}

/// Cuts a file into segments.
struct LineReader {
    inner: Box<dyn Read + Send>,
    carry: Vec<u8>,
    started: bool,
}

/// Opens a file, plain, gzip or zstd, as its first bytes say.
///
/// # Errors
/// The system's.
pub(super) fn open(path: &Path) -> io::Result<Box<dyn Read + Send>> {
    let mut file = File::open(path)?;
    let mut magic = [0u8; 4];
    let mut known = 0;
    while known < magic.len() {
        match file.read(&mut magic[known..])? {
            0 => break,
            more => known += more,
        }
    }
    let whole = BufReader::with_capacity(
        1 << 18,
        io::Cursor::new(magic[..known].to_vec()).chain(file),
    );
    Ok(match magic {
        [0x1f, 0x8b, ..] => Box::new(flate2::bufread::MultiGzDecoder::new(whole)),
        [0x28, 0xb5, 0x2f, 0xfd] => Box::new(zstd::stream::read::Decoder::with_buffer(whole)?),
        _ => Box::new(whole),
    })
}

impl LineReader {
    fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            inner: open(path)?,
            carry: Vec::new(),
            started: false,
        })
    }

    /// The next whole lines, into a segment whose buffer is used again.
    fn next(&mut self, segment: &mut Segment) -> io::Result<()> {
        let Segment {
            text,
            overlong,
            last,
        } = segment;
        text.clear();
        *overlong = None;
        *last = false;
        text.append(&mut self.carry);
        let mut goal = SEGMENT_BYTES;
        loop {
            text.reserve_exact(goal.saturating_sub(text.len()));
            let wanted = goal.saturating_sub(text.len());
            let ended = self.inner.by_ref().take(wanted as u64).read_to_end(text)? < wanted;
            if !self.started && text.starts_with(b"\xef\xbb\xbf") {
                text.drain(..3);
            }
            self.started = true;
            if ended {
                *last = true;
                return Ok(());
            }
            if let Some(end) = memchr::memrchr(b'\n', text) {
                self.carry.extend_from_slice(&text[end + 1..]);
                text.truncate(end + 1);
                return Ok(());
            }
            if goal >= MAX_LINE_BYTES {
                *overlong = Some(text[..HEAD_BYTES].to_vec());
                text.clear();
                *last = self.skip_line()?;
                return Ok(());
            }
            goal *= 2;
        }
    }

    /// Reads to the end of the line; true at the end of the file.
    fn skip_line(&mut self) -> io::Result<bool> {
        let mut buffer = vec![0u8; 1 << 16];
        loop {
            let count = self.inner.read(&mut buffer)?;
            if count == 0 {
                return Ok(true);
            }
            if let Some(end) = memchr::memchr(b'\n', &buffer[..count]) {
                self.carry.extend_from_slice(&buffer[end + 1..count]);
                return Ok(false);
            }
        }
    }
}

enum Slot {
    Waiting,
    Idle(LineReader, usize),
    Busy,
    Done,
}

struct State {
    slots: Vec<Slot>,
    under_way: usize,
    failed: Option<JobError>,
}

/// Place of a segment in the input: file, segment of the file.
pub(super) type Place = (usize, usize);

/// Results that came before their turn.
struct Arrivals<R> {
    next: Place,
    waiting: BTreeMap<Place, (R, bool)>,
}

struct Feed<'f, R> {
    files: &'f [InputFile],
    limit: usize,
    state: Mutex<State>,
    changed: Condvar,
    arrivals: Mutex<Arrivals<R>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<R> Feed<'_, R> {
    /// A reader to take the next segment from; `None` when there is nothing left to read.
    fn acquire(&self) -> Option<(usize, Option<LineReader>, usize)> {
        let mut state = locked(&self.state);
        loop {
            if state.failed.is_some() {
                return None;
            }
            let first = state
                .slots
                .iter()
                .position(|slot| !matches!(slot, Slot::Done))?;
            let free = |slot: &Slot| matches!(slot, Slot::Waiting | Slot::Idle(..));
            let found = state
                .slots
                .iter()
                .skip(first)
                .position(free)
                .map(|at| first + at);
            if let Some(at) = found.filter(|&at| at == first || state.under_way < self.limit) {
                state.under_way += 1;
                return Some(match std::mem::replace(&mut state.slots[at], Slot::Busy) {
                    Slot::Idle(reader, segment) => (at, Some(reader), segment),
                    _ => (at, None, 0),
                });
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn read(&self, segment: &mut Segment) -> Result<Option<Place>, JobError> {
        let Some((at, reader, number)) = self.acquire() else {
            return Ok(None);
        };
        let file = &self.files[at];
        let read = reader
            .map_or_else(|| LineReader::open(&file.path), Ok)
            .and_then(|mut reader| reader.next(segment).map(|()| reader));
        let reader = read.map_err(|why| unreadable(file, &why))?;
        locked(&self.state).slots[at] = if segment.last {
            Slot::Done
        } else {
            Slot::Idle(reader, number + 1)
        };
        self.changed.notify_all();
        Ok(Some((at, number)))
    }

    /// Hands on every result whose turn it is.
    fn arrive(
        &self,
        place: Place,
        result: R,
        last: bool,
        take: &(impl Fn(Place, R) -> Result<(), JobError> + Sync),
    ) -> Result<(), JobError> {
        let mut arrivals = locked(&self.arrivals);
        arrivals.waiting.insert(place, (result, last));
        let mut taken = 0;
        loop {
            let next = arrivals.next;
            let Some((result, last)) = arrivals.waiting.remove(&next) else {
                break;
            };
            take(next, result)?;
            arrivals.next = if last {
                (next.0 + 1, 0)
            } else {
                (next.0, next.1 + 1)
            };
            taken += 1;
        }
        drop(arrivals);
        locked(&self.state).under_way -= taken;
        self.changed.notify_all();
        Ok(())
    }

    fn fail(&self, error: JobError) {
        locked(&self.state).failed.get_or_insert(error);
        self.changed.notify_all();
    }
}

fn unreadable(file: &InputFile, why: &io::Error) -> JobError {
    let message = format!(
        "could not read {}: {why}; nothing was stored, check that the file is whole (gzip -t, zstd -t) and repeat the step",
        file.name
    );
    JobError::new(ErrorType::InvalidInput, message)
}

/// Runs `decode` on every segment of `files` with `threads` workers and hands the results to `take` in
/// input order, one at a time. After each, the worker runs `then`, outside of any lock.
///
/// # Errors
/// The first error of any of them; the rest is abandoned.
pub(super) fn run<W, R: Send>(
    files: &[InputFile],
    threads: usize,
    worker: impl Fn() -> W + Sync,
    decode: impl Fn(&mut W, usize, &Segment) -> Result<R, JobError> + Sync,
    take: impl Fn(Place, R) -> Result<(), JobError> + Sync,
    then: impl Fn() -> Result<(), JobError> + Sync,
) -> Result<(), JobError> {
    let feed = Feed {
        files,
        limit: threads * 2 + 1,
        state: Mutex::new(State {
            slots: files.iter().map(|_| Slot::Waiting).collect(),
            under_way: 0,
            failed: None,
        }),
        changed: Condvar::new(),
        arrivals: Mutex::new(Arrivals {
            next: (0, 0),
            waiting: BTreeMap::new(),
        }),
    };
    let work = || -> Result<(), JobError> {
        let mut own = worker();
        let mut segment = Segment::default();
        while let Some(place) = feed.read(&mut segment)? {
            let result = decode(&mut own, place.0, &segment)?;
            feed.arrive(place, result, segment.last, &take)?;
            then()?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| work().unwrap_or_else(|error| feed.fail(error)));
        }
    });
    let failed = locked(&feed.state).failed.take();
    failed.map_or(Ok(()), Err)
}
