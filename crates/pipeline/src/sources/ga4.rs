//! The GA4 source: configured reports, one request a property and day (`source-apis.md` 3).
//!
//! A day is the unit: it is read whole, handed over whole, and replaced whole until it is settled. One
//! property that cannot be read does not keep the others from being read.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use jiff::{civil::Date, tz::TimeZone};
use serde_json::{Value, json};

use super::{
    MissingPart, PageSink, Passes, Source, SourceError, SourceOutcome, SourceRequest,
    google::{
        broken_state, compatibility,
        days::{self, DayReading, age, is_young},
        login::ServiceAccount,
        parts::{Parts, note_days},
        progress::Progress,
        rows::{self, DayRows, Owner},
    },
    http::{Auth, Fault, HttpClient, HttpSettings},
};
use crate::{
    jobs::{JobContext, Level},
    ports::Clock,
    state::{DayBook, KnownDay, QuotaFigure, QuotaState},
};
use lakehand_config::{Ga4Property, Ga4Report, Ga4Settings};

mod answer;
mod page;
mod quota;

use answer::{Metadata, Report};

/// How often a day is read before its rows are taken for shifting.
const ROUNDS: u32 = 3;
/// More pages of one day than any property has: a loop that does not end.
const MOST_PAGES: u32 = 2_000;

/// One report of the Data API, for one collection.
#[derive(Debug)]
pub struct Ga4 {
    client: HttpClient,
    settings: Ga4Settings,
    report: Ga4Report,
    account: String,
    definition: String,
    store: Arc<dyn crate::ports::ObjectStore>,
    clock: Arc<dyn Clock>,
}

/// One reading of all pages of a day.
struct Round {
    rows: DayRows,
    /// Least and most that the server counted.
    counted: (u64, u64),
    metadata: Metadata,
    types: BTreeMap<String, String>,
}

impl Round {
    /// Whether every row came once.
    fn is_whole(&self) -> bool {
        let rows = self.rows.rows.len() as u64;
        self.rows.repeated == 0 && self.counted == (rows, rows)
    }
}

impl Ga4 {
    /// The report of a profile. The deadline of the collection starts now.
    ///
    /// # Errors
    /// [`SourceError::BadCredentials`] when the key cannot work, [`SourceError::BadSettings`] for the address.
    pub fn new(
        ctx: &JobContext,
        settings: &Ga4Settings,
        report: &Ga4Report,
        key: &secrecy::SecretString,
    ) -> Result<Self, SourceError> {
        let account = ServiceAccount::read(key)?;
        let email = account.email().to_owned();
        let http = HttpSettings {
            base_url: settings.base_url.clone(),
            requests_per_second: settings.requests_per_second,
            concurrency: settings.concurrency,
            window: None,
            request_timeout: Duration::from_secs(settings.request_timeout_seconds),
            deadline: Duration::from_secs(settings.deadline_seconds),
            attempts: settings.attempts,
            first_wait: Duration::from_millis(settings.first_retry_wait_ms),
            longest_wait: Duration::from_millis(settings.max_retry_wait_ms),
        };
        let auth = Auth::Bearer(Arc::new(account));
        Ok(Self {
            client: HttpClient::new(http, auth, ctx.cancel.clone(), ctx.log.clone())?,
            settings: settings.clone(),
            report: report.clone(),
            account: email,
            definition: definition(settings, report),
            store: ctx.lake.std.clone(),
            clock: ctx.clock.clone(),
        })
    }

    /// Reads the days of one property that are due.
    async fn property(
        &self,
        unit: &Ga4Property,
        request: &SourceRequest,
        progress: &mut Progress,
        sink: &mut dyn PageSink,
    ) -> Result<(), SourceError> {
        let now = self.clock.now();
        let mut quota = QuotaState::load(&self.store, "ga4", &unit.property)
            .await
            .map_err(broken_state)?
            .unwrap_or_else(|| QuotaState::new("ga4", &unit.property, now));
        if let Some(until) = quota.parked_at(now) {
            return Err(SourceError::Quota {
                what: format!("{} of property {}", self.report.name, unit.property),
                why: quota
                    .why
                    .unwrap_or_else(|| "a quota was used up".to_owned()),
                until,
            });
        }
        quota.parked_until = None;
        quota.why = None;
        // What was left an hour or a day ago says nothing any more.
        let holds = |figure: &QuotaFigure| figure.resets_at.is_none_or(|at| at > now);
        quota.figures.retain(|_, figure| holds(figure));
        let done = self.days(unit, request, progress, &mut quota, sink).await;
        if let Err(SourceError::Quota { until, why, .. }) = &done {
            quota.parked_until = Some(*until);
            quota.why = Some(why.clone());
        }
        if !quota.figures.is_empty() || quota.parked_until.is_some() {
            quota.save(&self.store).await.map_err(broken_state)?;
        }
        done
    }

    async fn days(
        &self,
        unit: &Ga4Property,
        request: &SourceRequest,
        progress: &mut Progress,
        quota: &mut QuotaState,
        sink: &mut dyn PageSink,
    ) -> Result<(), SourceError> {
        let name = self.report.name.as_str();
        let book = DayBook::load(&self.store, "ga4", name, &unit.property)
            .await
            .map_err(broken_state)?;
        let mut zone = book
            .time_zone
            .as_deref()
            .and_then(|zone| TimeZone::get(zone).ok())
            .unwrap_or_else(|| request.time_zone.clone());
        for day in request.window.days() {
            let age = age(day, &zone, self.clock.now());
            // Days to come are never asked for.
            if age < 0 || progress.has(&unit.property, day) {
                continue;
            }
            let known = book.days.get(&day);
            let due = request.passes == Passes::New
                || days::is_due(
                    known,
                    &self.definition,
                    age,
                    self.report.settle_days,
                    self.clock.now(),
                );
            if !due {
                progress.skip(&unit.property);
                continue;
            }
            let round = self.read_day(unit, day, quota, progress).await?;
            if let Some(told) = round.metadata.time_zone.as_deref()
                && let Ok(told) = TimeZone::get(told)
            {
                zone = told;
            }
            let reading = self.reading(unit, day, &zone, &round, known);
            reading.tell(self.client.log());
            progress.widen(&round.types);
            progress.days.push(reading);
            sink.page(&round.rows.rows, progress.cursor(), self.client.calls())
                .await?;
        }
        Ok(())
    }

    /// Reads a day until its rows are whole, or the same twice.
    async fn read_day(
        &self,
        unit: &Ga4Property,
        day: Date,
        quota: &mut QuotaState,
        progress: &mut Progress,
    ) -> Result<Round, SourceError> {
        let what = format!("{} of property {}, {day}", self.report.name, unit.property);
        let mut before = None;
        for _ in 0..ROUNDS {
            let round = self.round(unit, day, &what, quota).await?;
            if round.is_whole() {
                return Ok(round);
            }
            let hash = round.rows.hash();
            let line = format!(
                "{what}: {} rows came of {}, {} of them twice",
                round.rows.rows.len(),
                round.counted.1,
                round.rows.repeated
            );
            if before.as_ref() == Some(&hash) {
                progress.note(format!("{line}; a second reading gave the same"));
                return Ok(round);
            }
            self.client
                .log()
                .line(Level::Warn, &format!("{line}; reading it again"));
            before = Some(hash);
        }
        Err(SourceError::Exhausted {
            what,
            tries: ROUNDS,
            fault: Fault::Shifting,
            why: "its rows shifted between pages every time".to_owned(),
            advice: "Google is still working on the day: redrive the execution later",
        })
    }

    /// Reads all pages of a day once.
    async fn round(
        &self,
        unit: &Ga4Property,
        day: Date,
        what: &str,
        quota: &mut QuotaState,
    ) -> Result<Round, SourceError> {
        let mut round = Round {
            rows: DayRows::default(),
            counted: (u64::MAX, 0),
            metadata: Metadata::default(),
            types: BTreeMap::new(),
        };
        let mut offset = 0;
        for number in 1..=MOST_PAGES {
            self.respect(quota, what)?;
            let what = format!("{what}, page {number}");
            let page = match self.page(unit, day, offset, &what).await {
                Err(error) => return Err(self.explained(error, unit).await),
                Ok(page) => page,
            };
            quota::take(quota, &page.property_quota, self.clock.now());
            let rows = page.rows.len() as u64;
            // Without rows and without a count nothing is there.
            let count = page.row_count.max(offset + rows);
            round.counted = (round.counted.0.min(count), round.counted.1.max(count));
            self.add_page(unit, day, &page, &mut round);
            round.metadata = page.metadata;
            offset += rows;
            if rows == 0 || offset >= count {
                return Ok(round);
            }
        }
        Err(SourceError::Refused {
            what: what.to_owned(),
            why: format!("after {MOST_PAGES} pages there are still more"),
            advice: "leave out a dimension, or raise page_limit",
        })
    }

    /// A refused report, with the fields that are to blame by name.
    async fn explained(&self, error: SourceError, unit: &Ga4Property) -> SourceError {
        match error {
            SourceError::Refused { what, why, advice } if why.starts_with("HTTP 400") => {
                let asked = compatibility::complaints(&self.client, &unit.property, &self.report);
                let why = match asked.await {
                    Ok(complaints) if !complaints.is_empty() => {
                        format!("{} ({why})", complaints.join("; "))
                    }
                    // The first refusal says more than a second one.
                    Ok(_) | Err(_) => why,
                };
                SourceError::Refused { what, why, advice }
            }
            other => other,
        }
    }

    /// Stops before a quota is used up.
    fn respect(&self, quota: &QuotaState, what: &str) -> Result<(), SourceError> {
        let thresholded = quota::may_be_thresholded(&self.report.dimensions);
        let share = self.settings.stop_at_quota_share;
        match quota::too_low(quota, share, thresholded, self.clock.now()) {
            None => Ok(()),
            Some((until, why)) => Err(SourceError::Quota {
                what: what.to_owned(),
                why,
                until,
            }),
        }
    }

    fn add_page(&self, unit: &Ga4Property, day: Date, page: &Report, round: &mut Round) {
        for header in &page.metric_headers {
            round
                .types
                .entry(header.name.clone())
                .or_insert_with(|| header.kind.clone());
        }
        let owner = Owner {
            kind: "property",
            id: &unit.property,
            business_unit: &unit.business_unit,
            date: day,
        };
        let leading = self.leading(page);
        for row in &page.rows {
            let dimensions = self.report.dimensions.iter().zip(&row.dimension_values);
            let metrics = || self.report.metrics.iter().zip(&row.metric_values);
            for (name, cell) in metrics() {
                // An integer metric with decimals is a number all the same.
                if !rows::is_whole(&cell.value)
                    && let Some(kind) = round.types.get_mut(name)
                    && kind == "TYPE_INTEGER"
                {
                    "TYPE_FLOAT".clone_into(kind);
                }
            }
            round.rows.add(
                owner,
                dimensions.map(|(name, cell)| (name.as_str(), cell.value.as_str())),
                metrics().map(|(name, cell)| (name.as_str(), cell.value.as_str())),
                leading,
            );
        }
    }

    /// The metric that shares are of: the first one that counts.
    fn leading(&self, page: &Report) -> &str {
        let counted = page
            .metric_headers
            .iter()
            .position(|header| header.kind == "TYPE_INTEGER");
        self.report
            .metrics
            .get(counted.unwrap_or_default())
            .map_or("", String::as_str)
    }

    fn reading(
        &self,
        unit: &Ga4Property,
        day: Date,
        zone: &TimeZone,
        round: &Round,
        known: Option<&KnownDay>,
    ) -> DayReading {
        let sampling = round.metadata.sampling_metadatas.first();
        let now = self.clock.now();
        let mut reading = DayReading {
            source: "ga4".to_owned(),
            report: self.report.name.to_string(),
            property: unit.property.clone(),
            business_unit: unit.business_unit.clone(),
            date: day,
            rows: round.rows.rows.len() as u64,
            metric: leading_of(&self.report, &round.types),
            total: round.rows.total,
            other: round.rows.other,
            other_share: round.rows.other_share(),
            data_loss_from_other_row: round.metadata.data_loss_from_other_row,
            subject_to_thresholding: round.metadata.subject_to_thresholding,
            samples_read: sampling.map(|sampling| sampling.samples_read_count),
            sampling_space: sampling.map(|sampling| sampling.sampling_space_size),
            is_golden: None,
            currency: round.metadata.currency_code.clone(),
            time_zone: round.metadata.time_zone.clone(),
            empty_reason: round.metadata.empty_reason.clone(),
            provisional: Vec::new(),
            settled: false,
            hash: round.rows.hash(),
            read_at: now,
        };
        let young = is_young(day, zone, now);
        reading.provisional = reading.doubts(self.settings.max_other_share, young);
        reading.settled = days::is_settled(&reading.known(&self.definition, known));
        reading
    }

    fn outcome(
        &self,
        request: &SourceRequest,
        progress: &Progress,
        incomplete: Vec<MissingPart>,
    ) -> SourceOutcome {
        progress.tell(self.report.name.as_str(), self.client.log());
        let asked = json!({
            "source": "ga4",
            "report": self.report.name,
            "definition": self.definition,
            "dimensions": self.report.dimensions,
            "metrics": self.report.metrics,
            "passes": request.passes,
            "missing": incomplete,
        });
        SourceOutcome {
            request: progress.describe(asked),
            watermark: Some(request.now),
            incomplete,
        }
    }
}

/// A hash of all that decides a report's rows.
fn definition(settings: &Ga4Settings, report: &Ga4Report) -> String {
    rows::definition_hash(&json!([
        report.dimensions,
        report.metrics,
        report.dimension_filter,
        report.metric_filter,
        report.keep_empty_rows,
        settings.currency,
    ]))
}

fn leading_of(report: &Ga4Report, types: &BTreeMap<String, String>) -> String {
    let counted = report
        .metrics
        .iter()
        .find(|name| types.get(*name).is_some_and(|kind| kind == "TYPE_INTEGER"));
    counted
        .or(report.metrics.first())
        .cloned()
        .unwrap_or_default()
}

#[async_trait]
impl Source for Ga4 {
    async fn read(
        &self,
        request: &SourceRequest,
        cursor: Option<Value>,
        sink: &mut dyn PageSink,
    ) -> Result<SourceOutcome, SourceError> {
        let mut progress = Progress::resume(cursor);
        let mut parts = Parts::of(self.report.properties.len());
        for unit in &self.report.properties {
            let ended = self.property(unit, request, &mut progress, sink).await;
            parts.ended(format!("properties/{}", unit.property), ended)?;
        }
        let missing = parts.missing(&progress)?;
        Ok(self.outcome(request, &progress, missing))
    }

    async fn stored(&self, outcome: &SourceOutcome) -> Result<(), SourceError> {
        let name = self.report.name.as_str();
        note_days(&self.store, "ga4", name, &self.definition, outcome).await
    }
}
