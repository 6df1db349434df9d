//! What is served: a generated world, or files.

use std::io;

use super::answer::{Page, Refusal};
use super::dimensions::{DimensionQuery, DimensionStream};
use super::events::{EventQuery, EventStream};
use super::generated::{self, Slice, Work};
use crate::archive::Archive;
use crate::calendar::{self, Span};
use crate::random::{Draws, Purpose};
use crate::truth::{LateChange, Truth};
use crate::wire::{self, View};

/// What is served.
#[derive(Debug)]
pub(crate) enum Holdings {
    /// Rows made from a seed.
    Generated(Truth),
    /// Rows of files, byte for byte.
    Files(Box<Archive>),
}

impl Holdings {
    /// Whether times stand as they are written whatever zone is asked for.
    pub(crate) const fn has_fixed_times(&self) -> bool {
        matches!(self, Self::Files(_))
    }

    /// Gives some conversion of the last days another status as of `now`; which one is drawn from
    /// the number of the request.
    pub(crate) fn change_some_status(&self, now: i64, request: u64) -> Option<LateChange> {
        let Self::Generated(truth) = self else {
            return None;
        };
        let truth = truth_at(truth, now);
        let recent = Span {
            start: now - 7 * calendar::DAY_SECONDS,
            end: i64::MAX,
        };
        let places = truth.conversion_range(recent);
        let mut draws = Draws::new(truth.seed(), Purpose::LateStatus, request);
        let place = places.start + draws.below(places.len() as u64) as usize;
        truth.change_status_at(place)
    }

    /// A page of clicks or conversions as of `now`.
    pub(crate) fn events(
        &self,
        stream: EventStream,
        query: &EventQuery,
        slice: Slice,
        now: i64,
        work: &Work,
    ) -> Result<Page, Refusal> {
        match self {
            Self::Generated(truth) => Ok(generated::events(
                &truth_at(truth, now),
                stream,
                query,
                slice,
                work,
            )),
            Self::Files(archive) => archive
                .events(stream, query, slice, now, work)
                .map_err(broken),
        }
    }

    /// A page of a dimension.
    pub(crate) fn dimension(
        &self,
        stream: DimensionStream,
        query: &DimensionQuery,
        view: View,
        slice: Slice,
        work: &Work,
    ) -> Result<Page, Refusal> {
        match self {
            Self::Generated(truth) => {
                Ok(generated_dimension(truth, stream, query, view, slice, work))
            }
            Self::Files(archive) => Ok(archive.dimension(stream, query, slice, work)),
        }
    }

    /// One row of a dimension.
    pub(crate) fn one(
        &self,
        stream: DimensionStream,
        id: &str,
        view: View,
        work: &Work,
    ) -> Result<Option<String>, Refusal> {
        let query = DimensionQuery {
            ids: vec![id.to_owned()],
            ..DimensionQuery::default()
        };
        let page = self.dimension(stream, &query, view, Slice { skip: 0, take: 1 }, work)?;
        Ok((page.total > 0).then_some(page.rows))
    }

    /// One conversion as of `now`.
    pub(crate) fn conversion(
        &self,
        id: &str,
        now: i64,
        work: &Work,
    ) -> Result<Option<String>, Refusal> {
        match self {
            Self::Generated(truth) => Ok(generated::conversion(&truth_at(truth, now), id, work)),
            Self::Files(archive) => archive.conversion(id).map_err(broken),
        }
    }

    /// A page of the network's managers.
    pub(crate) fn managers(&self, slice: Slice, work: &Work) -> Page {
        match self {
            Self::Generated(truth) => {
                generated::items(truth.managers().iter(), slice, work, wire::push_manager)
            }
            Self::Files(_) => Page {
                rows: String::new(),
                total: 0,
            },
        }
    }
}

/// The temporary file of an archive failed: the simulator's own trouble, told as the API tells its.
fn broken(error: io::Error) -> Refusal {
    tracing::error!(%error, "the simulator cannot read its rows back");
    Refusal::ServerError
}

fn truth_at(truth: &Truth, now: i64) -> Truth {
    truth.as_of(calendar::wall_clock(now, &jiff::tz::TimeZone::UTC))
}

fn generated_dimension(
    truth: &Truth,
    stream: DimensionStream,
    query: &DimensionQuery,
    view: View,
    slice: Slice,
    work: &Work,
) -> Page {
    match stream {
        DimensionStream::Offers => {
            let seen = |offer: &&_| view == View::Admin || generated::visible_to_affiliates(offer);
            let chosen = truth
                .offers()
                .iter()
                .filter(|offer| query.offer(offer, truth.advertisers().get(offer.advertiser)))
                .filter(seen);
            generated::items(chosen, slice, work, |out, offer| {
                wire::push_offer(out, truth, offer, view)
            })
        }
        DimensionStream::Affiliates => {
            let chosen = truth
                .affiliates()
                .iter()
                .filter(|affiliate| query.affiliate(affiliate));
            generated::items(chosen, slice, work, |out, row| {
                wire::push_affiliate(out, truth, row)
            })
        }
        DimensionStream::Advertisers => {
            let chosen = truth
                .advertisers()
                .iter()
                .filter(|advertiser| query.advertiser(advertiser));
            generated::items(chosen, slice, work, |out, row| {
                wire::push_advertiser(out, truth, row)
            })
        }
    }
}
