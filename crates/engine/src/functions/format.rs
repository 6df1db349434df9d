//! The two pattern languages of dates: MySQL's (`date_format`, `date_parse`) and Joda's (`format_datetime`,
//! `parse_datetime`).

use datafusion::common::Result;
use jiff::{
    Zoned,
    civil::{Date, DateTime},
    tz::Offset,
};

use super::{
    clock::{offset_text, time_zone},
    invalid,
};

/// One piece of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    Year(usize),
    Month(usize),
    MonthShort,
    MonthName,
    Day(usize),
    DayOfYear(usize),
    WeekdayShort,
    WeekdayName,
    /// 0 to 23.
    Hour(usize),
    /// 1 to 12.
    Hour12(usize),
    /// 0 to 11.
    Hour11(usize),
    /// 1 to 24.
    Hour24(usize),
    /// Joda's year of two digits: 80 years back, 19 years on from today's.
    NearYear,
    Century(usize),
    Era,
    /// 1 is Monday.
    Weekday(usize),
    Minute(usize),
    Second(usize),
    /// Digits of the fraction.
    Fraction(usize),
    HalfDay,
    /// ISO week, two digits.
    Week(usize),
    WeekYear(usize),
    /// `UTC`, `Z`, `+00:00`: instants here are UTC.
    Zone(&'static str),
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];

/// MySQL's specifiers, as Trino lists them. `%U %u %V %w %X` are refused by Trino too.
pub(super) fn mysql(pattern: &str) -> Result<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            push_text(&mut pieces, c);
            continue;
        }
        let Some(specifier) = chars.next() else {
            return invalid(format!("Invalid format: \"{pattern}\""));
        };
        match specifier {
            'Y' => pieces.push(Piece::Year(4)),
            'y' => pieces.push(Piece::Year(2)),
            'm' => pieces.push(Piece::Month(2)),
            'c' => pieces.push(Piece::Month(1)),
            'M' => pieces.push(Piece::MonthName),
            'b' => pieces.push(Piece::MonthShort),
            'd' => pieces.push(Piece::Day(2)),
            'e' => pieces.push(Piece::Day(1)),
            'j' => pieces.push(Piece::DayOfYear(3)),
            'H' => pieces.push(Piece::Hour(2)),
            'k' => pieces.push(Piece::Hour(1)),
            'h' | 'I' => pieces.push(Piece::Hour12(2)),
            'l' => pieces.push(Piece::Hour12(1)),
            'i' => pieces.push(Piece::Minute(2)),
            's' | 'S' => pieces.push(Piece::Second(2)),
            'f' => pieces.push(Piece::Fraction(6)),
            'p' => pieces.push(Piece::HalfDay),
            'a' => pieces.push(Piece::WeekdayShort),
            'W' => pieces.push(Piece::WeekdayName),
            'v' => pieces.push(Piece::Week(2)),
            'x' => pieces.push(Piece::WeekYear(4)),
            'T' => pieces.extend(mysql("%H:%i:%s")?),
            'r' => pieces.extend(mysql("%h:%i:%s %p")?),
            '%' => push_text(&mut pieces, '%'),
            'D' | 'U' | 'u' | 'V' | 'w' | 'X' => {
                return invalid(format!("%{specifier} not supported in date format string"));
            }
            other => push_text(&mut pieces, other),
        }
    }
    Ok(pieces)
}

/// Joda's letters.
pub(super) fn joda(pattern: &str) -> Result<Vec<Piece>> {
    let mut pieces = Vec::new();
    let chars: Vec<char> = pattern.chars().collect();
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        if c == '\'' {
            at = quoted(&chars, at, &mut pieces);
            continue;
        }
        if !c.is_ascii_alphabetic() {
            push_text(&mut pieces, c);
            at += 1;
            continue;
        }
        let count = chars[at..].iter().take_while(|next| **next == c).count();
        at += count;
        pieces.push(match (c, count) {
            ('y' | 'Y', 2) => Piece::NearYear,
            ('y' | 'Y', count) => Piece::Year(count.max(4)),
            ('M', 1 | 2) => Piece::Month(count),
            ('M', 3) => Piece::MonthShort,
            ('M', _) => Piece::MonthName,
            ('d', _) => Piece::Day(count),
            ('D', _) => Piece::DayOfYear(count),
            ('E', 1..=3) => Piece::WeekdayShort,
            ('E', _) => Piece::WeekdayName,
            ('H', _) => Piece::Hour(count),
            ('h', _) => Piece::Hour12(count),
            ('K', _) => Piece::Hour11(count),
            ('k', _) => Piece::Hour24(count),
            ('C', _) => Piece::Century(count),
            ('G', _) => Piece::Era,
            ('e', _) => Piece::Weekday(count),
            ('m', _) => Piece::Minute(count),
            ('s', _) => Piece::Second(count),
            ('S', _) => Piece::Fraction(count),
            ('a', _) => Piece::HalfDay,
            ('w', _) => Piece::Week(count),
            ('x', _) => Piece::WeekYear(count.max(4)),
            ('Z', 1) => Piece::Zone("+0000"),
            ('Z', 2) => Piece::Zone("+00:00"),
            ('Z' | 'z', _) => Piece::Zone("UTC"),
            _ => {
                return invalid(format!(
                    "Illegal pattern component: {}",
                    c.to_string().repeat(count)
                ));
            }
        });
    }
    Ok(pieces)
}

/// Text between single quotes; two of them are one. Returns where it ends.
fn quoted(chars: &[char], start: usize, pieces: &mut Vec<Piece>) -> usize {
    let mut at = start + 1;
    if chars.get(at) == Some(&'\'') {
        push_text(pieces, '\'');
        return at + 1;
    }
    while let Some(&c) = chars.get(at) {
        at += 1;
        if c != '\'' {
            push_text(pieces, c);
        } else if chars.get(at) == Some(&'\'') {
            push_text(pieces, '\'');
            at += 1;
        } else {
            break;
        }
    }
    at
}

fn push_text(pieces: &mut Vec<Piece>, c: char) {
    if let Some(Piece::Text(text)) = pieces.last_mut() {
        text.push(c);
    } else {
        pieces.push(Piece::Text(c.to_string()));
    }
}

/// Monday is 0.
fn weekday(at: DateTime) -> usize {
    usize::from(at.weekday().to_monday_zero_offset().unsigned_abs())
}

fn month(at: DateTime) -> &'static str {
    MONTHS[usize::from(at.month().unsigned_abs()) - 1]
}

/// Writes an instant by a pattern.
pub(super) fn write(pieces: &[Piece], zoned: &Zoned, out: &mut String) {
    let at = zoned.datetime();
    for piece in pieces {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Zone("+0000") => out.push_str(&offset_text(zoned.offset(), "")),
            Piece::Zone("+00:00") => out.push_str(&offset_text(zoned.offset(), ":")),
            Piece::Zone(_) => match zoned.time_zone().iana_name() {
                Some(name) => out.push_str(name),
                None if zoned.offset() == Offset::UTC => out.push_str("UTC"),
                None => out.push_str(&offset_text(zoned.offset(), ":")),
            },
            Piece::HalfDay => out.push_str(if at.hour() < 12 { "AM" } else { "PM" }),
            Piece::MonthName => out.push_str(month(at)),
            Piece::MonthShort => out.push_str(&month(at)[..3]),
            Piece::WeekdayName => out.push_str(DAYS[weekday(at)]),
            Piece::WeekdayShort => out.push_str(&DAYS[weekday(at)][..3]),
            Piece::NearYear | Piece::Year(2) => {
                padded(out, i64::from(at.year()).rem_euclid(100), 2)
            }
            Piece::Year(width) => padded(out, at.year().into(), *width),
            Piece::Month(width) => padded(out, at.month().into(), *width),
            Piece::Day(width) => padded(out, at.day().into(), *width),
            Piece::DayOfYear(width) => padded(out, at.day_of_year().into(), *width),
            Piece::Hour(width) => padded(out, at.hour().into(), *width),
            Piece::Hour12(width) => padded(out, i64::from((at.hour() + 11) % 12 + 1), *width),
            Piece::Hour11(width) => padded(out, i64::from(at.hour() % 12), *width),
            Piece::Hour24(width) => padded(out, i64::from((at.hour() + 23) % 24 + 1), *width),
            Piece::Century(width) => padded(out, i64::from(at.year() / 100), *width),
            Piece::Era => out.push_str(if at.year() > 0 { "AD" } else { "BC" }),
            Piece::Weekday(width) => {
                padded(out, i64::from(at.weekday().to_monday_one_offset()), *width);
            }
            Piece::Minute(width) => padded(out, at.minute().into(), *width),
            Piece::Second(width) => padded(out, at.second().into(), *width),
            Piece::Week(width) => padded(out, at.date().iso_week_date().week().into(), *width),
            Piece::WeekYear(width) => padded(out, at.date().iso_week_date().year().into(), *width),
            Piece::Fraction(width) => {
                let nanos = format!("{:09}", at.subsec_nanosecond());
                out.extend(nanos.chars().chain(std::iter::repeat('0')).take(*width));
            }
        }
    }
}

fn padded(out: &mut String, number: i64, width: usize) {
    use std::fmt::Write;
    // Writing to a String cannot fail.
    let _ = write!(out, "{number:0width$}");
}

/// Reads an instant by a pattern; what the pattern does not name is that of 1970-01-01 00:00.
/// Beside it the zone that stands in the text.
pub(super) fn read(pieces: &[Piece], text: &str) -> Result<(DateTime, Option<String>)> {
    let mut fields = Fields::default();
    let mut rest = text;
    for piece in pieces {
        let Some(next) = fields.take(piece, rest) else {
            return invalid(format!(
                "Invalid format: \"{text}\" is malformed at \"{rest}\""
            ));
        };
        rest = next;
    }
    if !rest.is_empty() {
        return invalid(format!(
            "Invalid format: \"{text}\" is malformed at \"{rest}\""
        ));
    }
    fields.instant().map_or_else(
        || invalid(format!("Invalid format: \"{text}\" is no date")),
        |at| Ok((at, fields.zone.clone())),
    )
}

struct Fields {
    year: i64,
    month: i64,
    day: i64,
    day_of_year: Option<i64>,
    week_year: Option<i64>,
    week: Option<i64>,
    weekday: Option<i64>,
    hour: i64,
    afternoon: Option<bool>,
    minute: i64,
    second: i64,
    nanos: i64,
    zone: Option<String>,
}

impl Default for Fields {
    fn default() -> Self {
        Self {
            year: 1970,
            month: 1,
            day: 1,
            day_of_year: None,
            week_year: None,
            week: None,
            weekday: None,
            hour: 0,
            afternoon: None,
            minute: 0,
            second: 0,
            nanos: 0,
            zone: None,
        }
    }
}

/// Up to `most` digits at the start of a text, and the rest.
fn digits(text: &str, most: usize) -> Option<(i64, &str)> {
    let length = text
        .bytes()
        .take(most)
        .take_while(u8::is_ascii_digit)
        .count();
    Some((text.get(..length)?.parse().ok()?, &text[length..]))
}

/// The index of the name that the text starts with, ignoring case.
fn named<'a>(text: &'a str, names: &[&str], short: bool) -> Option<(i64, &'a str)> {
    let length = |name: &str| if short { 3 } else { name.len() };
    let found = names.iter().position(|name| {
        let wanted = &name[..length(name)];
        text.get(..wanted.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(wanted))
    })?;
    Some((i64::try_from(found).ok()?, &text[length(names[found])..]))
}

impl Fields {
    fn take<'a>(&mut self, piece: &Piece, text: &'a str) -> Option<&'a str> {
        let number = |most: usize| digits(text, most);
        let (value, rest) = match piece {
            Piece::Text(wanted) => return text.strip_prefix(wanted.as_str()),
            Piece::Zone(_) => {
                let end = text
                    .find(|c: char| !(c.is_ascii_alphanumeric() || "+-:/_".contains(c)))
                    .unwrap_or(text.len());
                let (written, rest) = text.split_at(end);
                let bytes = written.as_bytes();
                let plain = matches!(bytes.first(), Some(b'+' | b'-')) && bytes.len() == 5;
                let name = match written {
                    "Z" => "UTC".to_owned(),
                    _ if plain => format!("{}:{}", written.get(..3)?, written.get(3..)?),
                    _ => written.to_owned(),
                };
                time_zone(&name).ok()?;
                self.zone = Some(name);
                return Some(rest);
            }
            Piece::HalfDay => {
                let (index, rest) = named(text, &["AM ", "PM "].map(|name| &name[..2]), false)?;
                self.afternoon = Some(index == 1);
                return Some(rest);
            }
            Piece::MonthName | Piece::MonthShort => {
                let (index, rest) = named(text, &MONTHS, *piece == Piece::MonthShort)?;
                self.month = index + 1;
                return Some(rest);
            }
            Piece::WeekdayName | Piece::WeekdayShort => {
                let (index, rest) = named(text, &DAYS, *piece == Piece::WeekdayShort)?;
                self.weekday = Some(index + 1);
                return Some(rest);
            }
            // A century and an era say nothing that the year does not say.
            Piece::Century(_) => return None,
            Piece::Era => return text.strip_prefix("AD"),
            Piece::NearYear => {
                let (value, rest) = number(2)?;
                let first = i64::from(jiff::Zoned::now().year()) - 80;
                self.year = first + (value - first).rem_euclid(100);
                return Some(rest);
            }
            Piece::Fraction(_) => {
                let length = text.bytes().take(9).take_while(u8::is_ascii_digit).count();
                let (value, rest) = digits(text, 9)?;
                self.nanos = value * 10_i64.pow(u32::try_from(9 - length).ok()?);
                return Some(rest);
            }
            Piece::Year(2) => number(2).map(|(value, rest)| {
                (
                    if value < 70 {
                        value + 2000
                    } else {
                        value + 1900
                    },
                    rest,
                )
            })?,
            Piece::Year(_) | Piece::WeekYear(_) => number(4)?,
            Piece::DayOfYear(_) => number(3)?,
            _ => number(2)?,
        };
        match piece {
            Piece::Year(_) => self.year = value,
            Piece::Month(_) => self.month = value,
            Piece::Day(_) => self.day = value,
            Piece::DayOfYear(_) => self.day_of_year = Some(value),
            Piece::WeekYear(_) => self.week_year = Some(value),
            Piece::Week(_) => self.week = Some(value),
            Piece::Weekday(_) => self.weekday = Some(value),
            Piece::Hour(_) => self.hour = value,
            Piece::Hour24(_) => self.hour = value % 24,
            Piece::Hour11(_) if value > 11 => return None,
            Piece::Hour12(_) | Piece::Hour11(_) => self.hour = value % 12,
            Piece::Minute(_) => self.minute = value,
            Piece::Second(_) => self.second = value,
            _ => {}
        }
        Some(rest)
    }

    /// A day of an ISO week: Monday, unless another one is named.
    fn week_date(&self) -> Option<Date> {
        let weekday = jiff::civil::Weekday::from_monday_one_offset(
            i8::try_from(self.weekday.unwrap_or(1)).ok()?,
        )
        .ok()?;
        let year = i16::try_from(self.week_year?).ok()?;
        let week = i8::try_from(self.week.unwrap_or(1)).ok()?;
        Some(
            jiff::civil::ISOWeekDate::new(year, week, weekday)
                .ok()?
                .date(),
        )
    }

    fn instant(&self) -> Option<DateTime> {
        let small = |value: i64| i8::try_from(value).ok();
        let year = i16::try_from(self.year).ok()?;
        let date = match self.day_of_year {
            _ if self.week_year.is_some() || self.week.is_some() => self.week_date()?,
            Some(day) => Date::new(year, 1, 1)
                .ok()?
                .with()
                .day_of_year(i16::try_from(day).ok()?)
                .build()
                .ok()?,
            None => Date::new(year, small(self.month)?, small(self.day)?).ok()?,
        };
        let hour = if self.afternoon == Some(true) {
            self.hour + 12
        } else {
            self.hour
        };
        let nanos = i32::try_from(self.nanos).ok()?;
        let time = jiff::civil::Time::new(
            small(hour)?,
            small(self.minute)?,
            small(self.second)?,
            nanos,
        )
        .ok()?;
        Some(date.to_datetime(time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime {
        text.parse().unwrap()
    }

    fn written(pieces: &[Piece], when: &str) -> String {
        let mut out = String::new();
        let zoned = at(when).to_zoned(jiff::tz::TimeZone::UTC).unwrap();
        write(pieces, &zoned, &mut out);
        out
    }

    #[test]
    fn mysql_patterns_both_ways() {
        let pieces = mysql("%Y-%m-%d %H:%i:%s.%f %p").unwrap();
        assert_eq!(
            written(&pieces, "2026-01-31T15:04:05.6"),
            "2026-01-31 15:04:05.600000 PM"
        );
        assert_eq!(
            read(&mysql("%d/%b/%y").unwrap(), "07/feb/24").unwrap().0,
            at("2024-02-07T00:00")
        );
        assert_eq!(
            written(
                &mysql("%W %e %M, %x-%v %j %l%%").unwrap(),
                "2027-01-01T00:00"
            ),
            "Friday 1 January, 2026-53 001 12%"
        );
        for (pattern, text) in [
            ("%Y-%m-%d", "2026-02-30"),
            ("%Y-%m-%d", "2026-02-03 "),
            ("%H:%i", "x:10"),
        ] {
            assert!(read(&mysql(pattern).unwrap(), text).is_err(), "{text}");
        }
        assert!(mysql("%D").is_err());
    }

    #[test]
    fn joda_patterns_both_ways() {
        let pieces = joda("yyyy-MM-dd'T'HH:mm:ss.SSS 'o''clock' EEE Z").unwrap();
        assert_eq!(
            written(&pieces, "2026-01-31T15:04:05.6"),
            "2026-01-31T15:04:05.600 o'clock Sat +0000"
        );
        assert_eq!(
            read(&joda("d MMMM yyyy hh:mm a").unwrap(), "3 May 2026 12:30 am")
                .unwrap()
                .0,
            at("2026-05-03T00:30")
        );
    }
}
