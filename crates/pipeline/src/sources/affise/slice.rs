//! The pieces a collection is asked for in, and how a piece that is too heavy is halved.
//!
//! Affise counts days and hours in the zone of the `timezone` parameter. A window is one of calendar
//! days in the profile's zone; the days asked for are those, in the zone that is sent, that cover it.
//! With a profile in Berlin and `timezone=UTC`, the day of March 2nd is asked for as the UTC days of
//! March 1st and 2nd. The rows of the margins are good rows: they land in their own day.

use std::fmt;

use jiff::{
    Timestamp, ToSpan,
    civil::{Date, DateTime},
    tz::TimeZone,
};
use serde::{Deserialize, Serialize};

use crate::dataset::Stream;
use crate::sources::{Passes, SourceRequest};
use crate::window::{Window, WindowError};

/// Longest range of creation days that is asked for at once; Affise takes 365.
const MOST_DAYS: i32 = 90;
/// Longest range of change days that is asked for at once.
const MOST_CHANGED_DAYS: i32 = 60;
/// How far back the creation days of a request for changes reach, so that no default range of
/// creation days (the last week) hides the change of an older conversion. With the last day: 365.
const CREATED_BACK_DAYS: i32 = 364;
/// Days of a day's hours; `hour` takes 0 to 23 whatever the clocks do.
const HOURS: std::ops::RangeInclusive<i8> = 0..=23;

/// A piece of a listing, read page by page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "piece", rename_all = "snake_case")]
pub(super) enum Slice {
    /// The whole listing of a dimension.
    All,
    /// Rows created on these days.
    Created {
        /// Days in the zone that is sent.
        window: Window,
    },
    /// Rows created within one hour.
    CreatedHour {
        /// Day in the zone that is sent.
        day: Date,
        /// 0 to 23.
        hour: i8,
    },
    /// Rows changed from one hour to another one, whenever they were created.
    Changed {
        /// First hour.
        from: DateTime,
        /// Last hour.
        to: DateTime,
    },
}

impl fmt::Display for Slice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => write!(f, "all"),
            Self::Created { window } if window.from() == window.to() => {
                write!(f, "of {}", window.from())
            }
            Self::Created { window } => write!(f, "of {}..{}", window.from(), window.to()),
            Self::CreatedHour { day, hour } => write!(f, "of {day} {hour:02}h"),
            Self::Changed { from, to } => {
                write!(
                    f,
                    "changed {}..{}",
                    from.strftime("%Y-%m-%d %Hh"),
                    to.strftime("%Y-%m-%d %Hh")
                )
            }
        }
    }
}

impl Slice {
    /// The query parameters, without page and limit.
    pub(super) fn query(&self, stream: Stream, timezone: &str) -> Vec<(&'static str, String)> {
        let mut query = match self {
            // Without its status an offer that was stopped yesterday looks like one that was deleted.
            Self::All if stream == Stream::AffiseOffers => {
                return ["active", "stopped", "suspended"]
                    .map(|status| ("status[]", status.to_owned()))
                    .to_vec();
            }
            Self::All => return Vec::new(),
            Self::Created { window } => {
                vec![
                    ("date_from", window.from().to_string()),
                    ("date_to", window.to().to_string()),
                ]
            }
            Self::CreatedHour { day, hour } => {
                vec![
                    ("date_from", day.to_string()),
                    ("date_to", day.to_string()),
                    ("hour", hour.to_string()),
                ]
            }
            Self::Changed { from, to } => vec![
                (
                    "date_from",
                    to.date()
                        .saturating_sub(CREATED_BACK_DAYS.days())
                        .to_string(),
                ),
                ("date_to", to.date().to_string()),
                ("update_from_date", from.date().to_string()),
                ("update_from_hour", from.hour().to_string()),
                ("update_to_date", to.date().to_string()),
                ("update_to_hour", to.hour().to_string()),
            ],
        };
        query.push(("timezone", timezone.to_owned()));
        query
    }

    /// Smaller pieces that cover this one; `None` when there are none.
    pub(super) fn split(&self) -> Option<Vec<Self>> {
        match *self {
            Self::All | Self::CreatedHour { .. } => None,
            Self::Created { window } => Some(match window.halves() {
                Some((older, newer)) => [older, newer]
                    .map(|window| Self::Created { window })
                    .to_vec(),
                None => HOURS
                    .map(|hour| Self::CreatedHour {
                        day: window.from(),
                        hour,
                    })
                    .collect(),
            }),
            Self::Changed { from, to } => {
                let hours = i32::try_from(to.duration_since(from).as_hours()).unwrap_or(i32::MAX);
                // Whether the last hour counts is not documented, so halves share one.
                let middle = from.checked_add((hours / 2).hours()).ok()?;
                (hours >= 2).then(|| {
                    vec![
                        Self::Changed { from, to: middle },
                        Self::Changed { from: middle, to },
                    ]
                })
            }
        }
    }

    /// Whether it spans several days, so that halving it costs one request and spares many.
    pub(super) fn is_several_days(&self) -> bool {
        matches!(self, Self::Created { window } if window.from() < window.to())
    }

    /// Last day its rows were created on, if it names one.
    pub(super) fn last_day(&self) -> Option<Date> {
        match self {
            Self::All | Self::Changed { .. } => None,
            Self::Created { window } => Some(window.to()),
            Self::CreatedHour { day, .. } => Some(*day),
        }
    }

    /// Whether its rows tell how far changes have been read.
    pub(super) fn is_changed(&self) -> bool {
        matches!(self, Self::Changed { .. })
    }
}

/// The pieces of a request, oldest first. `zone` is what the `timezone` parameter names.
pub(super) fn plan(request: &SourceRequest, zone: &TimeZone) -> Result<Vec<Slice>, WindowError> {
    if !request.stream.by_event_day() {
        return Ok(vec![Slice::All]);
    }
    let days = covering(request.window, &request.time_zone, zone)?;
    if request.stream == Stream::AffiseClicks {
        return Ok(days
            .days()
            .map(|day| Slice::Created {
                window: Window::day(day),
            })
            .collect());
    }
    let mut slices: Vec<_> = chunks(days, MOST_DAYS)
        .map(|window| Slice::Created { window })
        .collect();
    if request.passes == Passes::NewAndChanged {
        let hour = |instant: Timestamp| {
            let local = zone.to_datetime(instant);
            local.date().at(local.hour(), 0, 0, 0)
        };
        let to = hour(request.now);
        let from = request
            .changed_since
            .map_or(days.from().at(0, 0, 0, 0), hour)
            .min(to);
        slices.extend(changed(from, to));
    }
    Ok(slices)
}

/// The days in `zone` that cover a window of days in `profile_zone`.
fn covering(
    window: Window,
    profile_zone: &TimeZone,
    zone: &TimeZone,
) -> Result<Window, WindowError> {
    let (start, end) = window.instants(profile_zone)?;
    let last = end.checked_sub(1.nanosecond()).unwrap_or(end);
    Window::new(
        zone.to_datetime(start).date(),
        zone.to_datetime(last).date(),
    )
}

/// A window in pieces of at most `most` days.
fn chunks(window: Window, most: i32) -> impl Iterator<Item = Window> {
    let starts = window
        .from()
        .series(most.days())
        .take_while(move |day| *day <= window.to());
    starts.filter_map(move |from| {
        let to = from.saturating_add((most - 1).days()).min(window.to());
        Window::new(from, to).ok()
    })
}

/// A range of hours in pieces; neighbours share an hour.
fn changed(from: DateTime, to: DateTime) -> impl Iterator<Item = Slice> {
    let starts = from
        .series(MOST_CHANGED_DAYS.days())
        .take_while(move |start| *start < to || *start == from);
    starts.map(move |start| Slice::Changed {
        from: start,
        to: start.saturating_add(MOST_CHANGED_DAYS.days()).min(to),
    })
}

#[cfg(test)]
mod tests {
    use jiff::civil::{date, datetime};

    use super::*;

    fn request(stream: Stream, zone: &str, changed_since: Option<&str>) -> SourceRequest {
        SourceRequest {
            stream,
            window: Window::new(date(2026, 3, 1), date(2026, 3, 2)).unwrap(),
            time_zone: TimeZone::get(zone).unwrap(),
            passes: Passes::NewAndChanged,
            changed_since: changed_since.map(|text| text.parse().unwrap()),
            now: "2026-03-02T14:45:00Z".parse().unwrap(),
        }
    }

    fn shown(slices: &[Slice]) -> Vec<String> {
        slices.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn days_are_those_that_cover_the_window() {
        let plan =
            |stream, zone| shown(&plan(&request(stream, zone, None), &TimeZone::UTC).unwrap());
        assert_eq!(
            plan(Stream::AffiseClicks, "UTC"),
            ["of 2026-03-01", "of 2026-03-02"]
        );
        let berlin = plan(Stream::AffiseClicks, "Europe/Berlin");
        assert_eq!(berlin, ["of 2026-02-28", "of 2026-03-01", "of 2026-03-02"]);
        let new_york = plan(Stream::AffiseClicks, "America/New_York");
        assert_eq!(
            new_york,
            ["of 2026-03-01", "of 2026-03-02", "of 2026-03-03"]
        );
        assert_eq!(plan(Stream::AffiseOffers, "UTC"), ["all"]);
    }

    #[test]
    fn conversions_have_two_passes() {
        let first = plan(
            &request(Stream::AffiseConversions, "UTC", None),
            &TimeZone::UTC,
        )
        .unwrap();
        assert_eq!(
            shown(&first),
            [
                "of 2026-03-01..2026-03-02",
                "changed 2026-03-01 00h..2026-03-02 14h"
            ]
        );
        let later = request(
            Stream::AffiseConversions,
            "UTC",
            Some("2026-03-02T09:59:00Z"),
        );
        let later = plan(&later, &TimeZone::UTC).unwrap();
        assert_eq!(
            shown(&later)[1..],
            ["changed 2026-03-02 09h..2026-03-02 14h"]
        );
        let long = request(
            Stream::AffiseConversions,
            "UTC",
            Some("2025-11-01T00:00:00Z"),
        );
        let long = shown(&plan(&long, &TimeZone::UTC).unwrap());
        assert_eq!(
            long[1..],
            [
                "changed 2025-11-01 00h..2025-12-31 00h",
                "changed 2025-12-31 00h..2026-03-01 00h",
                "changed 2026-03-01 00h..2026-03-02 14h",
            ]
        );
        let backfill = SourceRequest {
            passes: Passes::New,
            ..request(Stream::AffiseConversions, "UTC", None)
        };
        assert_eq!(plan(&backfill, &TimeZone::UTC).unwrap().len(), 1);
    }

    #[test]
    fn what_is_too_heavy_is_halved_down_to_hours() {
        let window = Window::new(date(2026, 3, 1), date(2026, 3, 3)).unwrap();
        let halves = Slice::Created { window }.split().unwrap();
        assert_eq!(
            shown(&halves),
            ["of 2026-03-01", "of 2026-03-02..2026-03-03"]
        );
        let hours = halves[0].split().unwrap();
        assert_eq!(
            (hours.len(), hours[23].to_string()),
            (24, "of 2026-03-01 23h".to_owned())
        );
        assert!(hours[0].split().is_none());
        let changed = Slice::Changed {
            from: datetime(2026, 3, 1, 22, 0, 0, 0),
            to: datetime(2026, 3, 2, 3, 0, 0, 0),
        };
        assert_eq!(
            shown(&changed.split().unwrap()),
            [
                "changed 2026-03-01 22h..2026-03-02 00h",
                "changed 2026-03-02 00h..2026-03-02 03h"
            ]
        );
        let smallest = Slice::Changed {
            from: datetime(2026, 3, 1, 22, 0, 0, 0),
            to: datetime(2026, 3, 1, 23, 0, 0, 0),
        };
        assert!(smallest.split().is_none());
    }

    #[test]
    fn parameters_are_those_of_the_fact_sheet() {
        let text = |slice: Slice, stream| {
            let query = slice.query(stream, "UTC");
            query
                .into_iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect::<Vec<_>>()
                .join("&")
        };
        let all = text(Slice::All, Stream::AffiseOffers);
        assert_eq!(all, "status[]=active&status[]=stopped&status[]=suspended");
        assert_eq!(text(Slice::All, Stream::AffiseAffiliates), "");
        let hour = Slice::CreatedHour {
            day: date(2026, 3, 1),
            hour: 7,
        };
        assert_eq!(
            text(hour, Stream::AffiseClicks),
            "date_from=2026-03-01&date_to=2026-03-01&hour=7&timezone=UTC"
        );
        let changed = Slice::Changed {
            from: datetime(2026, 3, 1, 22, 0, 0, 0),
            to: datetime(2026, 3, 2, 3, 0, 0, 0),
        };
        assert_eq!(
            text(changed, Stream::AffiseConversions),
            "date_from=2025-03-03&date_to=2026-03-02&update_from_date=2026-03-01&update_from_hour=22\
             &update_to_date=2026-03-02&update_to_hour=3&timezone=UTC"
        );
    }

    #[test]
    fn long_windows_are_cut_without_a_gap() {
        let window = Window::new(date(2025, 1, 1), date(2026, 1, 1)).unwrap();
        let pieces: Vec<_> = chunks(window, 90).collect();
        let days: Vec<_> = pieces.iter().flat_map(Window::days).collect();
        assert_eq!(days, window.days().collect::<Vec<_>>());
        assert!(pieces.iter().all(|piece| piece.len_days() <= 90));
    }
}
