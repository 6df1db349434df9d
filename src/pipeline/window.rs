//! Inclusive date windows.
//!
//! A day is a calendar day in the profile's time zone; an instant is half-open. Windows are given by
//! dates everywhere, never by "now" inside SQL, so that a retry works on the dates of its plan.

use std::fmt;

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};

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
    /// A date that is not `YYYY-MM-DD`.
    #[error("'{text}' is not a date; write it as YYYY-MM-DD, for example 2026-01-31")]
    NotADate {
        /// What was given.
        text: String,
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
