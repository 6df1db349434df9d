//! Inclusive date windows.
//!
//! A day is a calendar day in the profile's time zone; an instant is half-open. Windows are given by
//! dates everywhere, never by "now" inside SQL, so that a retry works on the dates of its plan.

use std::fmt;

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};

use super::text::for_terminal;

/// An inclusive range of calendar days, `from <= to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "RawWindow", into = "RawWindow")]
pub struct Window {
    from: Date,
    to: Date,
}

#[derive(Serialize, Deserialize)]
struct RawWindow {
    from: Date,
    to: Date,
}

impl TryFrom<RawWindow> for Window {
    type Error = WindowError;
    fn try_from(raw: RawWindow) -> Result<Self, Self::Error> {
        Self::new(raw.from, raw.to)
    }
}

impl From<Window> for RawWindow {
    fn from(window: Window) -> Self {
        Self {
            from: window.from,
            to: window.to,
        }
    }
}

/// Why a window could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// The first day lies after the last one.
    #[error("the window starts on {from} and ends on {to}, before it starts; swap the two dates")]
    Reversed {
        /// First day asked for.
        from: Date,
        /// Last day asked for.
        to: Date,
    },
    /// Neither `YYYY-MM-DD` nor a day named by its distance from today.
    #[error(
        "'{}' is not a date; write it as YYYY-MM-DD, for example 2026-01-31, or as today, yesterday, -7d",
        for_terminal(text)
    )]
    NotADate {
        /// What was given.
        text: String,
    },
    /// A day that has not come yet.
    #[error("the window ends on {to}, which is after today, {today}; nothing can be there yet")]
    Future {
        /// Last day asked for.
        to: Date,
        /// Today in the profile's time zone.
        today: Date,
    },
    /// The range leaves the calendar.
    #[error(
        "the window around {day} leaves the calendar; choose dates between the years 1 and 9999"
    )]
    OutOfCalendar {
        /// The day the range was counted from.
        day: Date,
    },
}

impl Window {
    /// How many days before today the default window reaches back.
    pub const DEFAULT_DAYS_BACK: i32 = 7;

    /// The days `from..=to`.
    ///
    /// # Errors
    /// [`WindowError::Reversed`] when `from` is after `to`.
    pub fn new(from: Date, to: Date) -> Result<Self, WindowError> {
        if from > to {
            Err(WindowError::Reversed { from, to })
        } else {
            Ok(Self { from, to })
        }
    }

    /// One day.
    #[must_use]
    pub fn day(day: Date) -> Self {
        Self { from: day, to: day }
    }

    /// Today and the seven days before it, as `now` reads in `zone`.
    ///
    /// # Errors
    /// [`WindowError::OutOfCalendar`] at the very start of the calendar.
    pub fn default_at(now: Timestamp, zone: &TimeZone) -> Result<Self, WindowError> {
        let today = now.to_zoned(zone.clone()).date();
        let from = today
            .checked_sub(Self::DEFAULT_DAYS_BACK.days())
            .map_err(|_| WindowError::OutOfCalendar { day: today })?;
        Ok(Self { from, to: today })
    }

    /// Parses `YYYY-MM-DD` dates.
    ///
    /// # Errors
    /// [`WindowError::NotADate`] or [`WindowError::Reversed`].
    pub fn parse(from: &str, to: &str) -> Result<Self, WindowError> {
        Self::new(parse_date(from)?, parse_date(to)?)
    }

    /// The window that a person asked for by its ends, each a date, `today`, `yesterday` or `-7d`; an end that is
    /// left out stands as for the default window: today, and seven days before the last day. `None` without any.
    ///
    /// # Errors
    /// [`WindowError::NotADate`], [`WindowError::Reversed`], or [`WindowError::Future`] for days after `today`.
    pub fn asked(
        from: Option<&str>,
        to: Option<&str>,
        today: Date,
    ) -> Result<Option<Self>, WindowError> {
        let day = |text: &str| parse_day(text, today);
        let (from, to) = (from.map(day).transpose()?, to.map(day).transpose()?);
        if from.is_none() && to.is_none() {
            return Ok(None);
        }
        let to = match (from, to) {
            (_, Some(to)) => to,
            // A first day after today is told as such, not as an end before it.
            (Some(from), None) => today.max(from),
            (None, None) => today,
        };
        let from = match from {
            Some(from) => from,
            None => to
                .checked_sub(Self::DEFAULT_DAYS_BACK.days())
                .map_err(|_| WindowError::OutOfCalendar { day: to })?,
        };
        Self::new(from, to)?.not_after(today).map(Some)
    }

    /// The window, unless it ends after `today`.
    ///
    /// # Errors
    /// [`WindowError::Future`].
    pub fn not_after(self, today: Date) -> Result<Self, WindowError> {
        if self.to > today {
            Err(WindowError::Future { to: self.to, today })
        } else {
            Ok(self)
        }
    }

    /// First day.
    #[must_use]
    pub fn from(&self) -> Date {
        self.from
    }

    /// Last day, included.
    #[must_use]
    pub fn to(&self) -> Date {
        self.to
    }

    /// Whether `day` lies in the window.
    #[must_use]
    pub fn contains(&self, day: Date) -> bool {
        self.from <= day && day <= self.to
    }

    /// Number of days, at least one.
    #[must_use]
    pub fn len_days(&self) -> usize {
        self.days().count()
    }

    /// Every day, oldest first.
    pub fn days(&self) -> impl Iterator<Item = Date> + use<> {
        let last = self.to;
        self.from
            .series(1.day())
            .take_while(move |day| *day <= last)
    }

    /// The two halves of a window of at least two days, oldest first; `None` for a single day.
    #[must_use]
    pub fn halves(&self) -> Option<(Self, Self)> {
        let count = self.len_days();
        if count < 2 {
            return None;
        }
        let middle = self.days().nth(count / 2 - 1)?;
        let next = middle.tomorrow().ok()?;
        Some((
            Self {
                from: self.from,
                to: middle,
            },
            Self {
                from: next,
                to: self.to,
            },
        ))
    }

    /// The instants `[start, end)` that the window's days cover in `zone`; a day has 23, 24 or 25 hours.
    ///
    /// # Errors
    /// [`WindowError::OutOfCalendar`] when the day after the last one does not exist.
    pub fn instants(&self, zone: &TimeZone) -> Result<(Timestamp, Timestamp), WindowError> {
        let start = zone.to_zoned(self.from.at(0, 0, 0, 0));
        let after = self
            .to
            .tomorrow()
            .map_err(|_| WindowError::OutOfCalendar { day: self.to })?;
        let end = zone.to_zoned(after.at(0, 0, 0, 0));
        match (start, end) {
            (Ok(start), Ok(end)) => Ok((start.timestamp(), end.timestamp())),
            _ => Err(WindowError::OutOfCalendar { day: self.to }),
        }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.from, self.to)
    }
}

/// Parses a day as people write it: `YYYY-MM-DD`, `today`, `yesterday`, or `-7d` for seven days ago.
///
/// # Errors
/// [`WindowError::NotADate`], or [`WindowError::OutOfCalendar`] for a distance that leaves the calendar.
pub fn parse_day(text: &str, today: Date) -> Result<Date, WindowError> {
    let text = text.trim();
    let back = |days: i64| {
        jiff::Span::new()
            .try_days(days)
            .and_then(|span| today.checked_sub(span))
            .map_err(|_| WindowError::OutOfCalendar { day: today })
    };
    if text.eq_ignore_ascii_case("today") {
        return Ok(today);
    }
    if text.eq_ignore_ascii_case("yesterday") {
        return back(1);
    }
    let days = text
        .strip_prefix('-')
        .and_then(|rest| rest.strip_suffix(['d', 'D']))
        .filter(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()));
    match days {
        // Digits alone that are no number are too many.
        Some(digits) => digits
            .parse()
            .map_err(|_| WindowError::OutOfCalendar { day: today })
            .and_then(back),
        None => parse_date(text),
    }
}

/// Parses one `YYYY-MM-DD` date.
///
/// # Errors
/// [`WindowError::NotADate`], also for a date that is written another way.
pub fn parse_date(text: &str) -> Result<Date, WindowError> {
    let bytes = text.as_bytes();
    let shaped = bytes.len() == 10 && bytes[4] == b'-' && bytes[7] == b'-';
    let date = if shaped {
        text.parse::<Date>().ok()
    } else {
        None
    };
    date.ok_or_else(|| WindowError::NotADate {
        text: text.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn default_is_today_and_seven_days_before_in_the_profiles_zone() {
        let late_evening_utc: Timestamp = "2026-03-01T23:30:00Z".parse().unwrap();
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let window = Window::default_at(late_evening_utc, &berlin).unwrap();
        assert_eq!(
            window,
            Window::new(date(2026, 2, 23), date(2026, 3, 2)).unwrap()
        );
        assert_eq!(window.len_days(), 8);
    }

    #[test]
    fn a_day_with_a_clock_change_has_23_hours() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let (start, end) = Window::day(date(2026, 3, 29)).instants(&berlin).unwrap();
        assert_eq!(end.as_second() - start.as_second(), 23 * 3600);
    }

    #[test]
    fn refuses_reversed_and_sloppy_dates() {
        assert!(matches!(
            Window::parse("2026-02-02", "2026-02-01"),
            Err(WindowError::Reversed { .. })
        ));
        for text in ["2026-2-1", "2026-02-30", "20260201", "", "2026-02-01 "] {
            assert!(
                matches!(parse_date(text), Err(WindowError::NotADate { .. })),
                "{text}"
            );
        }
    }

    #[test]
    fn days_are_named_by_their_distance_from_today() {
        let today = date(2026, 3, 2);
        for (text, day) in [
            ("today", today),
            ("Yesterday", date(2026, 3, 1)),
            ("-7d", date(2026, 2, 23)),
            ("-0d", today),
            (" 2026-01-31 ", date(2026, 1, 31)),
        ] {
            assert_eq!(parse_day(text, today), Ok(day), "{text}");
        }
        for text in [
            "7d",
            "-d",
            "-7",
            "--7d",
            "- 7d",
            "-7days",
            "tomorrow",
            "31.01.2026",
            "",
        ] {
            let refused = parse_day(text, today).unwrap_err();
            assert!(
                matches!(refused, WindowError::NotADate { .. }),
                "{text}: {refused}"
            );
        }
        for text in ["-9999999d", "-99999999999999999999999d"] {
            let refused = parse_day(text, today).unwrap_err();
            assert!(
                matches!(refused, WindowError::OutOfCalendar { .. }),
                "{text}: {refused}"
            );
        }
        let hostile = parse_day("\u{1b}[2J", today).unwrap_err().to_string();
        assert!(!hostile.contains('\u{1b}'), "{hostile}");
    }

    #[test]
    fn an_end_that_is_left_out_stands_as_in_the_default_window() {
        let today = date(2026, 3, 2);
        let asked = |from, to| Window::asked(from, to, today);
        let days = |from, to| Ok(Some(Window::new(from, to).unwrap()));
        assert_eq!(asked(None, None), Ok(None));
        assert_eq!(
            asked(Some("2026-02-27"), None),
            days(date(2026, 2, 27), today)
        );
        assert_eq!(
            asked(None, Some("yesterday")),
            days(date(2026, 2, 22), date(2026, 3, 1))
        );
        assert_eq!(
            asked(Some("-1d"), Some("-1d")),
            days(date(2026, 3, 1), date(2026, 3, 1))
        );
        for (from, to) in [
            (Some("2026-03-03"), None),
            (Some("-3d"), Some("2026-03-03")),
            (None, Some("2027-01-01")),
        ] {
            assert!(
                matches!(asked(from, to), Err(WindowError::Future { .. })),
                "{from:?} {to:?}"
            );
        }
        assert!(matches!(
            asked(Some("today"), Some("-2d")),
            Err(WindowError::Reversed { .. })
        ));
    }

    proptest! {
        #[test]
        fn halves_cover_the_window_without_overlap(start in -300i32..300, len in 0i32..120) {
            let from = date(2026, 1, 1).checked_add(start.days()).unwrap();
            let to = from.checked_add(len.days()).unwrap();
            let window = Window::new(from, to).unwrap();
            let days: Vec<_> = window.days().collect();
            prop_assert_eq!(days.len(), usize::try_from(len).unwrap() + 1);
            match window.halves() {
                None => prop_assert_eq!(len, 0),
                Some((old, new)) => {
                    let both: Vec<_> = old.days().chain(new.days()).collect();
                    prop_assert_eq!(both, days);
                }
            }
        }
    }
}
