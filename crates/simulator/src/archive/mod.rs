//! Rows from files instead of generated ones: real exports, archives, held-back data.
//!
//! A row is served byte for byte as its line has it. What cannot stand in an envelope (no JSON
//! object, not UTF-8) is set aside and named. Decisions the wire does not make for us:
//!
//! - Time stamps count as written. A `timezone` parameter must be valid but moves nothing, since
//!   the bytes of a row could not move with it.
//! - A row whose `created_at` cannot be read stands where the row before it in its file stands, at
//!   the beginning of a file where the next readable one does, in a file without any at the
//!   newest moment of the data. So it is served once, with its neighbours.
//! - An offer or affiliate whose status is none of the known ones is listed whatever status is
//!   asked for.
//! - Every version of a conversion that the files hold is served, as it is.

mod files;
mod rows;
mod spool;

use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;
use thiserror::Error;

use super::calendar::Span;
use super::server::{DimensionQuery, DimensionStream, EventQuery, EventStream, Page, Slice, Work};
use super::server::{any, row_has_fields};
use super::truth::Stamp;
use files::Lines;
use rows::Times;
use spool::{Place, Spool, SpoolWriter};

/// Why a folder of files cannot be served.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// A file or folder cannot be read.
    #[error("cannot read {}: {source}; check the path and its permissions", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The folder holds nothing that is known.
    #[error(
        "found no rows to serve in {}: expected offers, affiliates, advertisers, clicks or \
         conversions; name the files NAME.ndjson, NAME.json or NAME.ndjson.gz, or put them into a folder NAME",
        .0.display()
    )]
    Empty(PathBuf),
    /// The rows cannot be kept.
    #[error(
        "cannot keep rows in the temporary folder: {0}; free some space or set TMPDIR to another place"
    )]
    Keep(io::Error),
}

/// A line that is not served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedLine {
    /// Its file.
    pub file: PathBuf,
    /// Its number, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub reason: String,
}

/// Files taken in.
#[derive(Debug)]
pub(crate) struct Archive {
    clicks: Events,
    conversions: Events,
    offers: Vec<DimensionRow>,
    affiliates: Vec<DimensionRow>,
    advertisers: Vec<DimensionRow>,
    skipped: Vec<SkippedLine>,
}

/// A stream of events by time of creation, files and lines second.
#[derive(Debug)]
struct Events {
    entries: Vec<Entry>,
    spool: Spool,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    created: i64,
    updated: Option<i64>,
    place: Place,
}

/// A row of a dimension with what filters look at.
#[derive(Debug)]
struct DimensionRow {
    raw: String,
    id: Option<String>,
    offer_id: Option<String>,
    status: Option<String>,
    privacy: Option<u64>,
    advertiser: Option<String>,
    updated: Stamp,
}

impl Archive {
    /// Takes in all streams of a folder.
    pub(crate) fn open(directory: &Path) -> Result<Self, ArchiveError> {
        if let Err(source) = std::fs::read_dir(directory) {
            return Err(ArchiveError::Read {
                path: directory.to_owned(),
                source,
            });
        }
        let mut skipped = Vec::new();
        let mut found = false;
        let mut paths = |stream: &str| {
            let paths = files::of_stream(directory, stream)?;
            found |= !paths.is_empty();
            Ok::<_, ArchiveError>(paths)
        };
        let dimension = |stream: DimensionStream, paths: &[PathBuf], skipped: &mut _| {
            let mut list = Vec::new();
            each_row(paths, skipped, |row, times| {
                list.push(dimension_row(stream, row, times));
                Ok(())
            })?;
            Ok::<_, ArchiveError>(list)
        };
        let [offers, affiliates, advertisers] = [
            DimensionStream::Offers,
            DimensionStream::Affiliates,
            DimensionStream::Advertisers,
        ]
        .map(|stream| dimension(stream, &paths(stream.file_name())?, &mut skipped));
        let (offers, affiliates, advertisers) = (offers?, affiliates?, advertisers?);
        let clicks = Events::take_in(&paths(EventStream::Clicks.name())?, &mut skipped)?;
        let conversions = Events::take_in(&paths(EventStream::Conversions.name())?, &mut skipped)?;
        if !found {
            return Err(ArchiveError::Empty(directory.to_owned()));
        }
        let mut archive = Self {
            clicks,
            conversions,
            offers,
            affiliates,
            advertisers,
            skipped,
        };
        let newest = archive.newest().unwrap_or(0);
        archive.clicks.settle(newest);
        archive.conversions.settle(newest);
        Ok(archive)
    }

    /// The lines that are not served.
    pub(crate) fn skipped(&self) -> &[SkippedLine] {
        &self.skipped
    }

    /// The newest time of creation, if any row has one.
    pub(crate) fn newest(&self) -> Option<i64> {
        let entries = self.clicks.entries.iter().chain(&self.conversions.entries);
        entries
            .map(|entry| entry.created)
            .filter(|&created| created != UNDATED)
            .max()
    }

    /// A page of events created in the query's span and by `now`.
    pub(crate) fn events(
        &self,
        stream: EventStream,
        query: &EventQuery,
        slice: Slice,
        now: i64,
        work: &Work,
    ) -> io::Result<Page> {
        let events = match stream {
            EventStream::Clicks => &self.clicks,
            EventStream::Conversions => &self.conversions,
        };
        let span = query.created.and(Span {
            start: i64::MIN,
            end: now.saturating_add(1),
        });
        if query.is_plain() {
            return events.plain(span, slice, work);
        }
        events.filtered(span, query, slice, work)
    }

    /// A page of a dimension.
    pub(crate) fn dimension(
        &self,
        stream: DimensionStream,
        query: &DimensionQuery,
        slice: Slice,
        work: &Work,
    ) -> Page {
        let rows = match stream {
            DimensionStream::Offers => &self.offers,
            DimensionStream::Affiliates => &self.affiliates,
            DimensionStream::Advertisers => &self.advertisers,
        };
        let chosen = rows.iter().filter(|row| row.matches(stream, query));
        super::server::items(chosen, slice, work, |out, row| out.push_str(&row.raw))
    }

    /// The last row of conversions with an identifier.
    pub(crate) fn conversion(&self, id: &str) -> io::Result<Option<String>> {
        for entry in self.conversions.entries.iter().rev() {
            let found = self.conversions.spool.row(entry.place, |row| {
                memchr::memmem::find(row, id.as_bytes())?;
                let value: Value = serde_json::from_slice(row).ok()?;
                (rows::text(&value, &["id"])? == id)
                    .then(|| String::from_utf8_lossy(row).into_owned())
            })?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }
}

/// Stands for a time of creation that is not known yet.
const UNDATED: i64 = i64::MIN;

impl Events {
    fn take_in(paths: &[PathBuf], skipped: &mut Vec<SkippedLine>) -> Result<Self, ArchiveError> {
        let mut spool = SpoolWriter::new().map_err(ArchiveError::Keep)?;
        let mut entries: Vec<Entry> = Vec::new();
        for path in paths {
            let first = entries.len();
            each_row(std::slice::from_ref(path), skipped, |row, times| {
                let place = spool.push(row).map_err(ArchiveError::Keep)?;
                let created = times.created.unwrap_or(UNDATED);
                entries.push(Entry {
                    created,
                    updated: times.updated,
                    place,
                });
                Ok(())
            })?;
            date_by_neighbours(&mut entries[first..]);
        }
        Ok(Self {
            entries,
            spool: spool.finish().map_err(ArchiveError::Keep)?,
        })
    }

    /// Gives rows of files without any time the newest one, and puts all in order.
    fn settle(&mut self, newest: i64) {
        for entry in &mut self.entries {
            if entry.created == UNDATED {
                entry.created = newest;
            }
        }
        self.entries.sort_by_key(|entry| entry.created);
        self.entries.shrink_to_fit();
    }

    fn within(&self, span: Span) -> &[Entry] {
        let start = self
            .entries
            .partition_point(|entry| entry.created < span.start);
        let end = self
            .entries
            .partition_point(|entry| entry.created < span.end);
        self.entries.get(start..end).unwrap_or(&[])
    }

    fn plain(&self, span: Span, slice: Slice, work: &Work) -> io::Result<Page> {
        let entries = self.within(span);
        let mut out = String::new();
        let skip = usize::try_from(slice.skip).unwrap_or(usize::MAX);
        for entry in entries.iter().skip(skip).take(slice.take as usize) {
            self.append(&mut out, entry.place)?;
            work.written(1);
        }
        Ok(Page {
            rows: out,
            total: entries.len() as u64,
        })
    }

    fn filtered(
        &self,
        span: Span,
        query: &EventQuery,
        slice: Slice,
        work: &Work,
    ) -> io::Result<Page> {
        let (mut out, mut total) = (String::new(), 0);
        let reads_rows = !EventQuery {
            updated: None,
            ..query.clone()
        }
        .is_plain();
        for entry in self.within(span) {
            work.examined(1);
            let changed = entry.updated.unwrap_or(entry.created);
            if query.updated.is_some_and(|span| !span.contains(changed))
                || (reads_rows && !self.spool.row(entry.place, |row| row_matches(row, query))?)
            {
                continue;
            }
            if total >= slice.skip && total < slice.skip.saturating_add(slice.take) {
                self.append(&mut out, entry.place)?;
                work.written(1);
            }
            total += 1;
        }
        Ok(Page { rows: out, total })
    }

    fn append(&self, out: &mut String, place: Place) -> io::Result<()> {
        if !out.is_empty() {
            out.push(',');
        }
        // Rows were found to be UTF-8 when they were taken in.
        self.spool
            .row(place, |row| out.push_str(&String::from_utf8_lossy(row)))
    }
}

/// Dates rows without a time by the row before, at the beginning by the next one that has a time.
fn date_by_neighbours(entries: &mut [Entry]) {
    let first = entries
        .iter()
        .map(|entry| entry.created)
        .find(|&created| created != UNDATED);
    let mut last = first.unwrap_or(UNDATED);
    for entry in entries {
        if entry.created == UNDATED {
            entry.created = last;
        } else {
            last = entry.created;
        }
    }
}

/// Hands every row of some files to `take`; other lines are set aside.
fn each_row(
    paths: &[PathBuf],
    skipped: &mut Vec<SkippedLine>,
    mut take: impl FnMut(&[u8], Times) -> Result<(), ArchiveError>,
) -> Result<(), ArchiveError> {
    for path in paths {
        let mut lines = Lines::open(path)?;
        while let Some((line, text)) = lines.next() {
            let reason = match text {
                Ok([]) => continue,
                Ok(row) => match rows::read(row) {
                    Ok(times) => {
                        take(row, times)?;
                        continue;
                    }
                    Err(reason) => reason,
                },
                Err(error) => format!("the rest of the file cannot be read: {error}"),
            };
            skipped.push(SkippedLine {
                file: path.clone(),
                line,
                reason,
            });
        }
    }
    Ok(())
}

fn row_matches(row: &[u8], query: &EventQuery) -> bool {
    let Ok(value) = serde_json::from_slice::<Value>(row) else {
        return false;
    };
    let number_in = |list: &[u64], paths: &[&[&str]]| {
        let id = || rows::first_text(&value, paths)?.parse::<u64>().ok();
        list.is_empty() || id().is_some_and(|id| list.contains(&id))
    };
    let text_in = |list: &[String], paths: &[&[&str]]| {
        list.is_empty() || rows::first_text(&value, paths).is_some_and(|text| any(list, &text))
    };
    let has_status = || {
        let status = rows::text(&value, &["status"]).and_then(|text| status_number(&text));
        status.is_some_and(|status| query.statuses.contains(&status))
    };
    number_in(&query.offers, &[&["offer", "id"], &["offer_id"]])
        && number_in(&query.affiliates, &[&["partner", "id"], &["partner_id"]])
        && text_in(
            &query.advertisers,
            &[&["advertiser", "id"], &["supplier_id"]],
        )
        && text_in(&query.countries, &[&["country"]])
        && (query.statuses.is_empty() || has_status())
        && (query.fields.is_empty()
            || std::str::from_utf8(row).is_ok_and(|row| row_has_fields(row, &query.fields)))
}

fn status_number(text: &str) -> Option<u64> {
    match text {
        "confirmed" => Some(1),
        "pending" => Some(2),
        "declined" => Some(3),
        "not_found" => Some(4),
        "hold" => Some(5),
        number => number.parse().ok(),
    }
}

fn dimension_row(stream: DimensionStream, row: &[u8], times: Times) -> DimensionRow {
    // A row with, say, a lone surrogate has no readable fields but is listed all the same.
    let value: Value = serde_json::from_slice(row).unwrap_or_default();
    let known: &[&str] = match stream {
        DimensionStream::Offers => &["active", "stopped", "suspended"],
        DimensionStream::Affiliates => &["active", "banned", "on moderation", "not active"],
        DimensionStream::Advertisers => &[],
    };
    let privacy = match rows::text(&value, &["privacy"]).as_deref() {
        Some("public") => Some(0),
        Some("protected") => Some(1),
        Some("private") => Some(2),
        _ => None,
    };
    DimensionRow {
        raw: String::from_utf8_lossy(row).into_owned(),
        id: rows::text(&value, &["id"]),
        offer_id: rows::text(&value, &["offer_id"]),
        status: rows::text(&value, &["status"]).filter(|status| known.contains(&status.as_str())),
        privacy,
        advertiser: rows::text(&value, &["advertiser"]),
        updated: times.updated.map_or(Stamp::Null, Stamp::At),
    }
}

impl DimensionRow {
    fn matches(&self, stream: DimensionStream, query: &DimensionQuery) -> bool {
        let one_of = |list: &[String], own: &Option<String>| {
            list.is_empty() || own.as_ref().is_some_and(|own| any(list, own))
        };
        let has_status = self
            .status
            .as_ref()
            .is_none_or(|status| any(&query.statuses, status));
        let has_privacy = query.privacies.is_empty()
            || self
                .privacy
                .is_some_and(|privacy| query.privacies.contains(&privacy));
        (stream == DimensionStream::Advertisers || has_status)
            && has_privacy
            && one_of(&query.ids, &self.id)
            && one_of(&query.offer_ids, &self.offer_id)
            && one_of(&query.advertisers, &self.advertiser)
            && query.changed(self.updated)
    }
}
