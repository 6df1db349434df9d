//! A segment of lines to finished batches by day, with what was put aside.

use arrow::{datatypes::SchemaRef, record_batch::RecordBatch};
use jiff::{Timestamp, tz::TimeZone};

use super::{
    decode::{Decoder, Refused},
    part::broken,
    plan::Plan,
    rows::Rows,
    stage::Day,
    tally::Tally,
};
use crate::jobs::JobError;

/// A line that did not become a row.
#[derive(Debug)]
pub(super) struct SetAside {
    /// Its number in the segment, from 1; in the file once the segment was taken in.
    pub line: u64,
    /// Why, in words that are equal for equal faults.
    pub reason: String,
    /// Byte of the line at which it stops being JSON.
    pub place: Option<usize>,
    /// The line as received.
    pub text: Vec<u8>,
}

/// What a segment became.
#[derive(Debug)]
pub(super) struct Decoded {
    /// Rows by day, in line order within a day.
    pub batches: Vec<(Day, RecordBatch)>,
    /// Lines put aside.
    pub set_aside: Vec<SetAside>,
    /// Counts, with lines numbered within the segment.
    pub tally: Tally,
    /// Lines, blank ones too.
    pub lines: u64,
    /// Lines that were not blank.
    pub rows_in: u64,
}

/// Day of an instant in a time zone, remembering the last one.
#[derive(Debug)]
pub(super) struct DayOf {
    zone: TimeZone,
    utc: bool,
    start: i64,
    end: i64,
    day: i32,
}

const DAY_MICROS: i64 = 86_400_000_000;

impl DayOf {
    /// Days as `zone` has them.
    pub fn new(zone: TimeZone) -> Self {
        let utc = zone == TimeZone::UTC;
        Self {
            zone,
            utc,
            start: 0,
            end: 0,
            day: 0,
        }
    }

    /// Days since 1970-01-01 of the instant `micros`.
    #[inline]
    pub fn day(&mut self, micros: i64) -> i32 {
        if self.utc {
            return micros.div_euclid(DAY_MICROS) as i32;
        }
        if micros < self.start || micros >= self.end {
            self.find(micros);
        }
        self.day
    }

    fn find(&mut self, micros: i64) {
        let utc_day = micros.div_euclid(DAY_MICROS) as i32;
        (self.start, self.end, self.day) = (0, 0, utc_day);
        let Ok(instant) = Timestamp::from_microsecond(micros) else {
            return;
        };
        let date = self.zone.to_datetime(instant).date();
        let starts = |date: jiff::civil::Date| {
            self.zone
                .to_zoned(date.at(0, 0, 0, 0))
                .map(|start| start.timestamp().as_microsecond())
        };
        if let (Ok(start), Ok(end)) = (starts(date), date.tomorrow().and_then(starts)) {
            (self.start, self.end) = (start, end);
        }
        self.day = epoch_days(date);
    }
}

/// Days since 1970-01-01.
pub(super) fn epoch_days(date: jiff::civil::Date) -> i32 {
    (date
        .at(0, 0, 0, 0)
        .to_zoned(TimeZone::UTC)
        .map_or(0, |zoned| zoned.timestamp().as_second())
        / 86_400) as i32
}

/// The date of [`epoch_days`].
pub(super) fn date_of(days: i32) -> jiff::civil::Date {
    let instant = Timestamp::from_second(i64::from(days) * 86_400).unwrap_or_default();
    TimeZone::UTC.to_datetime(instant).date()
}

/// One worker's decoder, with the rows of the segment at hand.
pub(super) struct SegmentDecoder<'p> {
    plan: &'p Plan,
    schema: SchemaRef,
    decoder: Decoder<'p>,
    days: DayOf,
    open: Vec<(Day, Rows)>,
    current: usize,
    strays: u32,
}

impl<'p> SegmentDecoder<'p> {
    /// A decoder of `plan` into `schema`.
    pub fn new(plan: &'p Plan, schema: SchemaRef, zone: TimeZone) -> Self {
        Self {
            plan,
            schema,
            decoder: Decoder::new(plan),
            days: DayOf::new(zone),
            open: Vec::new(),
            current: 0,
            strays: 0,
        }
    }

    /// Decodes whole lines, then the head of a line too long to be read. The rows came with collection `source`, received at `collected_at` (microseconds).
    ///
    /// # Errors
    /// A defect: columns that do not hold together.
    pub fn decode(
        &mut self,
        text: &[u8],
        overlong: Option<&[u8]>,
        collected_at: i64,
        source: &str,
    ) -> Result<Decoded, JobError> {
        let mut done = Decoded {
            batches: Vec::new(),
            set_aside: Vec::new(),
            tally: Tally::default(),
            lines: 0,
            rows_in: 0,
        };
        let valid = simdutf8::basic::from_utf8(text).is_ok();
        let mut rest = text;
        while !rest.is_empty() {
            let end = memchr::memchr(b'\n', rest);
            let line = &rest[..end.unwrap_or(rest.len())];
            rest = &rest[end.map_or(rest.len(), |end| end + 1)..];
            done.lines += 1;
            self.line(line, valid, &mut done);
        }
        if let Some(head) = overlong {
            done.lines += 1;
            done.rows_in += 1;
            done.set_aside.push(SetAside {
                line: done.lines,
                reason: "a line longer than 64 MiB".to_owned(),
                place: None,
                text: head.to_vec(),
            });
        }
        self.finish(&mut done, collected_at, source)?;
        Ok(done)
    }

    fn line(&mut self, line: &[u8], valid: bool, done: &mut Decoded) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.first().is_none_or(u8::is_ascii_whitespace) && line.trim_ascii().is_empty() {
            return;
        }
        done.rows_in += 1;
        if !valid && std::str::from_utf8(line).is_err() {
            done.set_aside.push(SetAside {
                line: done.lines,
                reason: "not UTF-8".to_owned(),
                place: None,
                text: line.to_vec(),
            });
            return;
        }
        if let Err(refused) = self.row(line, done.lines) {
            let (reason, place) = (refused.reason(), refused.place());
            done.set_aside.push(SetAside {
                line: done.lines,
                reason,
                place,
                text: line.to_vec(),
            });
        }
    }

    fn row(&mut self, line: &[u8], number: u64) -> Result<(), Refused> {
        if self.open.is_empty() {
            self.open.push((None, Rows::new(self.plan.columns)));
            self.current = 0;
        }
        let (open_day, rows) = &mut self.open[self.current];
        self.decoder.decode(line, number, rows)?;
        let Some(column) = self.plan.day else {
            rows.rows += 1;
            return Ok(());
        };
        let micros = rows.cells[column as usize]
            .whole(rows.rows)
            .unwrap_or_default();
        let day = self.days.day(micros);
        if open_day.is_none() {
            *open_day = Some(day);
        }
        if *open_day == Some(day) {
            rows.rows += 1;
            self.strays = 0;
        } else {
            self.stray(day);
        }
        Ok(())
    }

    /// Moves the open row to its day. After a few in a row the other day becomes the current one.
    fn stray(&mut self, day: i32) {
        let found = self.open.iter().position(|(open, _)| *open == Some(day));
        let to = found.unwrap_or_else(|| {
            self.open.push((Some(day), Rows::new(self.plan.columns)));
            self.open.len() - 1
        });
        if let Ok([(_, from), (_, to)]) = self.open.get_disjoint_mut([self.current, to]) {
            from.move_open_row(to);
        }
        self.strays += 1;
        if self.strays > 3 {
            self.current = to;
            self.strays = 0;
        }
    }

    fn finish(
        &mut self,
        done: &mut Decoded,
        collected_at: i64,
        source: &str,
    ) -> Result<(), JobError> {
        for (day, rows) in self.open.drain(..).filter(|(_, rows)| rows.rows > 0) {
            let batch = rows.finish(&self.schema, collected_at, source);
            let batch =
                batch.map_err(|why| broken("build rows of", std::path::Path::new(source), why))?;
            done.batches.push((day, batch));
        }
        done.tally = std::mem::take(&mut self.decoder.tally);
        Ok(())
    }
}
