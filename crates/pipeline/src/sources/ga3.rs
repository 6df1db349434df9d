//! The GA3 source: reports of the Reporting API v4, from a stand-in or an archive (`source-apis.md` 4).
//!
//! Google has switched the service off. Against its own host there is nothing to ask any more, and the
//! source says so; against any other address it reads what is kept there, one request batch a view and day.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::{
    MissingPart, PageSink, Passes, Source, SourceError, SourceOutcome, SourceRequest,
    google::{
        broken_state,
        days::{self, DayReading, age, is_young},
        login::ServiceAccount,
        parts::{Parts, note_days},
        progress::Progress,
        refusals,
        rows::{self, DayRows, Owner},
    },
    http::{Auth, Fault, HttpClient, HttpSettings},
};
use crate::{
    jobs::{JobContext, Level},
    ports::Clock,
    state::{DayBook, KnownDay, QuotaState},
};
use lakehand_config::{Ga3Report, Ga3Settings, Ga3View};

mod answer;
mod page;
mod round;

use round::Round;

/// Google's own host, where the service has ended.
const GOOGLE: &str = "analyticsreporting.googleapis.com";
/// Metrics of one request; a batch takes five requests.
const METRICS_A_REQUEST: usize = 10;
/// How often a day is read before its rows are taken for shifting.
const ROUNDS: u32 = 3;
/// More pages of one day than any view has: a loop that does not end.
const MOST_PAGES: u32 = 2_000;
/// Days after which a day is read no more: what is archived does not change.
const SETTLE_DAYS: u32 = 31;

/// One report of the Reporting API, for one collection.
#[derive(Debug)]
pub struct Ga3 {
    client: HttpClient,
    settings: Ga3Settings,
    report: Ga3Report,
    account: String,
    definition: String,
    store: Arc<dyn crate::ports::ObjectStore>,
    clock: Arc<dyn Clock>,
}

/// The dimensions of a report as they are asked for.
pub(crate) fn dimensions(report: &Ga3Report) -> Vec<String> {
    let mut all = report.dimensions.clone();
    if !report.segments.is_empty() {
        all.push("ga:segment".to_owned());
    }
    all
}

impl Ga3 {
    /// Says that the service has ended, when the address is Google's own.
    ///
    /// # Errors
    /// [`SourceError::Retired`], which names GA4.
    pub fn check_address(settings: &Ga3Settings, what: &str) -> Result<(), SourceError> {
        let host = url::Url::parse(&settings.base_url)
            .ok()
            .and_then(|url| url.host_str().map(str::to_owned));
        if host.as_deref() != Some(GOOGLE) {
            return Ok(());
        }
        Err(refusals::retired(what, &format!("base_url is {GOOGLE}")))
    }

    /// The report of a profile. The deadline of the collection starts now.
    ///
    /// # Errors
    /// [`SourceError::Retired`] at Google's own host, [`SourceError::BadCredentials`] when the key cannot
    /// work, [`SourceError::BadSettings`] for the address.
    pub fn new(
        ctx: &JobContext,
        settings: &Ga3Settings,
        report: &Ga3Report,
        key: &secrecy::SecretString,
    ) -> Result<Self, SourceError> {
        Self::check_address(settings, &format!("the GA3 report {}", report.name))?;
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
        let definition = rows::definition_hash(&json!([
            report.dimensions,
            report.metrics,
            report.segments,
            report.filters_expression,
            report.sampling_level,
        ]));
        let auth = Auth::Bearer(Arc::new(account));
        Ok(Self {
            client: HttpClient::new(http, auth, ctx.cancel.clone(), ctx.log.clone())?,
            settings: settings.clone(),
            report: report.clone(),
            account: email,
            definition,
            store: ctx.lake.std.clone(),
            clock: ctx.clock.clone(),
        })
    }

    /// Reads the days of one view that are due; a quota that is used up parks the view.
    async fn view(
        &self,
        unit: &Ga3View,
        request: &SourceRequest,
        progress: &mut Progress,
        sink: &mut dyn PageSink,
    ) -> Result<(), SourceError> {
        let now = self.clock.now();
        let known = QuotaState::load(&self.store, "ga3", &unit.view)
            .await
            .map_err(broken_state)?;
        if let Some((until, why)) = known.and_then(|state| Some((state.parked_at(now)?, state.why)))
        {
            return Err(SourceError::Quota {
                what: format!("{} of view {}", self.report.name, unit.view),
                why: why.unwrap_or_else(|| "a quota was used up".to_owned()),
                until,
            });
        }
        let done = self.days(unit, request, progress, sink).await;
        if let Err(SourceError::Quota { until, why, .. }) = &done {
            let mut state = QuotaState::new("ga3", &unit.view, now);
            state.parked_until = Some(*until);
            state.why = Some(why.clone());
            state.save(&self.store).await.map_err(broken_state)?;
        }
        done
    }

    async fn days(
        &self,
        unit: &Ga3View,
        request: &SourceRequest,
        progress: &mut Progress,
        sink: &mut dyn PageSink,
    ) -> Result<(), SourceError> {
        let book = DayBook::load(&self.store, "ga3", self.report.name.as_str(), &unit.view)
            .await
            .map_err(broken_state)?;
        let zone = &request.time_zone;
        for day in request.window.days() {
            let now = self.clock.now();
            let age = age(day, zone, now);
            if age < 0 || progress.has(&unit.view, day) {
                continue;
            }
            let known = book.days.get(&day);
            let due = request.passes == Passes::New
                || days::is_due(known, &self.definition, age, SETTLE_DAYS, now);
            if !due {
                progress.skip(&unit.view);
                continue;
            }
            let round = self.read_day(unit, day, progress).await?;
            let young = is_young(day, zone, now);
            let (rows, reading) = self.reading(unit, day, young, &round, known);
            if let Some(known) = known.filter(|known| known.definition == self.definition)
                && reading.is_worse_than(known)
            {
                let line = format!(
                    "{} of view {}, {day}: the new answer was computed from a smaller sample ({}); the earlier one stays",
                    self.report.name,
                    unit.view,
                    reading.provisional.join(", ")
                );
                self.client.log().line(Level::Warn, &line);
                progress.note(line);
                progress.skip(&unit.view);
                continue;
            }
            reading.tell(self.client.log());
            progress.widen(&round.types);
            progress.days.push(reading);
            sink.page(&rows.rows, progress.cursor(), self.client.calls())
                .await?;
        }
        Ok(())
    }

    /// Reads a day until its rows are whole, or the same twice.
    async fn read_day(
        &self,
        unit: &Ga3View,
        day: Date,
        progress: &mut Progress,
    ) -> Result<Round, SourceError> {
        let what = format!("{} of view {}, {day}", self.report.name, unit.view);
        let mut before: Option<Round> = None;
        for _ in 0..ROUNDS {
            let round = self.round(unit, day, &what).await?;
            if round.counted && round.repeated == 0 {
                return Ok(round);
            }
            let line = format!(
                "{what}: {} rows came, {} of them twice{}",
                round.rows.len(),
                round.repeated,
                if round.counted {
                    ""
                } else {
                    ", which is not what was counted"
                },
            );
            // Rows that are missing although they were counted are never taken for none.
            if before
                .as_ref()
                .is_some_and(|before| round.counted && before.rows == round.rows)
            {
                progress.note(format!("{line}; a second reading gave the same"));
                return Ok(round);
            }
            self.client
                .log()
                .line(Level::Warn, &format!("{line}; reading it again"));
            before = Some(round);
        }
        Err(SourceError::Exhausted {
            what,
            tries: ROUNDS,
            fault: Fault::Shifting,
            why: "its rows were not whole any time".to_owned(),
            advice: "near a quota rows are left out: redrive the execution later",
        })
    }

    /// Reads all pages of a day once: up to five requests a batch, those that have more pages.
    async fn round(&self, unit: &Ga3View, day: Date, what: &str) -> Result<Round, SourceError> {
        let parts: Vec<&[String]> = self.report.metrics.chunks(METRICS_A_REQUEST).collect();
        let mut left: Vec<(usize, Option<String>)> =
            (0..parts.len()).map(|part| (part, None)).collect();
        let mut round = Round {
            counted: true,
            golden: true,
            ..Round::default()
        };
        let mut seen = vec![0_u64; parts.len()];
        for number in 1..=MOST_PAGES {
            let requests: Vec<Value> = left
                .iter()
                .map(|(part, token)| self.request(unit, day, parts[*part], token.as_deref()))
                .collect();
            let batch = self
                .batch(unit, &requests, &format!("{what}, page {number}"))
                .await?;
            let mut next = Vec::new();
            for ((part, _), report) in left.iter().zip(batch.reports) {
                let token = report
                    .next_page_token
                    .clone()
                    .filter(|token| !token.is_empty());
                seen[*part] += report.data.rows.len() as u64;
                if token.is_none() {
                    round.counted &= report.data.row_count.unwrap_or(0) <= seen[*part];
                }
                round.take(report, part * METRICS_A_REQUEST, self.report.metrics.len());
                next.extend(token.map(|token| (*part, Some(token))));
            }
            left = next;
            if left.is_empty() {
                // Each row comes once a request.
                let rows = round.rows.len() as u64;
                round.repeated = seen
                    .iter()
                    .map(|seen| seen.saturating_sub(rows))
                    .max()
                    .unwrap_or(0);
                return Ok(round);
            }
        }
        Err(SourceError::Refused {
            what: what.to_owned(),
            why: format!("after {MOST_PAGES} pages there are still more"),
            advice: "leave out a dimension, or raise page_size",
        })
    }

    fn reading(
        &self,
        unit: &Ga3View,
        day: Date,
        young: bool,
        round: &Round,
        known: Option<&KnownDay>,
    ) -> (DayRows, DayReading) {
        let owner = Owner {
            kind: "view",
            id: &unit.view,
            business_unit: &unit.business_unit,
            date: day,
        };
        let counted = self
            .report
            .metrics
            .iter()
            .find(|name| round.types.get(*name).is_some_and(|kind| kind == "INTEGER"));
        let leading = counted
            .or(self.report.metrics.first())
            .map_or("", String::as_str);
        let names = dimensions(&self.report);
        let mut rows = DayRows::default();
        for (key, values) in &round.rows {
            let dimensions = names.iter().zip(key);
            let metrics = self.report.metrics.iter().zip(values);
            rows.add(
                owner,
                dimensions.map(|(name, value)| (name.as_str(), value.as_str())),
                metrics.filter_map(|(name, value)| Some((name.as_str(), value.as_deref()?))),
                leading,
            );
        }
        let mut reading = DayReading {
            source: "ga3".to_owned(),
            report: self.report.name.to_string(),
            property: unit.view.clone(),
            business_unit: unit.business_unit.clone(),
            date: day,
            rows: rows.rows.len() as u64,
            metric: leading.to_owned(),
            total: rows.total,
            other: rows.other,
            other_share: rows.other_share(),
            data_loss_from_other_row: rows.other > 0.0,
            subject_to_thresholding: false,
            samples_read: round.sampled.map(|(read, _)| read),
            sampling_space: round.sampled.map(|(_, space)| space),
            is_golden: Some(round.golden),
            currency: None,
            time_zone: None,
            empty_reason: round.empty_reason.clone(),
            provisional: Vec::new(),
            settled: false,
            hash: rows.hash(),
            read_at: self.clock.now(),
        };
        reading.provisional = reading.doubts(0.01, young);
        reading.settled = days::is_settled(&reading.known(&self.definition, known));
        (rows, reading)
    }

    fn outcome(
        &self,
        request: &SourceRequest,
        progress: &Progress,
        incomplete: Vec<MissingPart>,
    ) -> SourceOutcome {
        progress.tell(self.report.name.as_str(), self.client.log());
        let asked = json!({
            "source": "ga3",
            "report": self.report.name,
            "definition": self.definition,
            "dimensions": dimensions(&self.report),
            "metrics": self.report.metrics,
            "segments": self.report.segments,
            "sampling_level": self.report.sampling_level,
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

#[async_trait]
impl Source for Ga3 {
    async fn read(
        &self,
        request: &SourceRequest,
        cursor: Option<Value>,
        sink: &mut dyn PageSink,
    ) -> Result<SourceOutcome, SourceError> {
        let mut progress = Progress::resume(cursor);
        let mut parts = Parts::of(self.report.views.len());
        for unit in &self.report.views {
            let ended = self.view(unit, request, &mut progress, sink).await;
            parts.ended(format!("views/{}", unit.view), ended)?;
        }
        let missing = parts.missing(&progress)?;
        Ok(self.outcome(request, &progress, missing))
    }

    async fn stored(&self, outcome: &SourceOutcome) -> Result<(), SourceError> {
        let name = self.report.name.as_str();
        note_days(&self.store, "ga3", name, &self.definition, outcome).await
    }
}
