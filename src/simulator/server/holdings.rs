//! What is served: a generated world, or files.

use super::answer::{Page, Refusal};
use super::dimensions::{DimensionQuery, DimensionStream};
use super::events::{EventQuery, EventStream};
use super::generated::{self, Slice, Work};
use crate::simulator::calendar;
use crate::simulator::truth::Truth;
use crate::simulator::wire::{self, View};

/// What is served.
#[derive(Debug)]
pub(crate) enum Holdings {
    /// Rows made from a seed.
    Generated(Truth),
}

impl Holdings {
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
        }
    }

    /// A page of the network's managers.
    pub(crate) fn managers(&self, slice: Slice, work: &Work) -> Page {
        match self {
            Self::Generated(truth) => {
                generated::items(truth.managers().iter(), slice, work, wire::push_manager)
            }
        }
    }
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
