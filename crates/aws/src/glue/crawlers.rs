//! Crawlers by name: state, past crawls, start, stop.

use std::sync::PoisonError;

use async_trait::async_trait;
use aws_sdk_glue::types::{self as sdk, CrawlerHistoryState, LastCrawlStatus};
use futures::TryStreamExt;
use jiff::{SignedDuration, Timestamp};

use super::{
    super::{call::Api, instant, pages},
    AwsCrawlers, catalog, crawler_error, summary,
};
use lakehand_ops::{
    Crawl, CrawlStatus, Crawler, CrawlerDetail, CrawlerError, CrawlerState, ports::Crawlers,
};

const LIST: Api = Api::paced("glue", "GetCrawlers", 5.0, 2.0);
const CRAWLS: Api = Api::paced("glue", "ListCrawls", 5.0, 2.0);
const METRICS: Api = Api::paced("glue", "GetCrawlerMetrics", 5.0, 2.0);
const START: Api = Api::free("glue", "StartCrawler");
const STOP: Api = Api::free("glue", "StopCrawler");
/// Past crawls shown.
const SHOWN: usize = 20;

impl AwsCrawlers {
    /// Crawlers of the pattern, and those that the profile names.
    async fn read(&self) -> Result<Vec<sdk::Crawler>, CrawlerError> {
        let page = |token: Option<String>| async move {
            let call = self.clients.glue.get_crawlers().set_next_token(token);
            let answer = self
                .clients
                .call(LIST, "the account's crawlers", call.send())
                .await
                .map_err(|error| CrawlerError::Platform(error.into()))?;
            Ok::<_, CrawlerError>((answer.crawlers.unwrap_or_default(), answer.next_token))
        };
        let all: Vec<sdk::Crawler> = pages(page).try_concat().await?;
        let prefix = self.profile.resource_name("");
        let given = self.profile.aws.crawlers.as_deref();
        let own = |name: &str| match given {
            Some(given) => name.starts_with(&prefix) || given.iter().any(|given| given == name),
            None => name.starts_with(&prefix),
        };
        let mut found: Vec<sdk::Crawler> = all
            .into_iter()
            .filter(|crawler| crawler.name().is_some_and(own))
            .collect();
        found.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(found)
    }

    /// The crawler that goes by this name, whole or without the pattern.
    async fn find(&self, name: &str) -> Result<sdk::Crawler, CrawlerError> {
        let crawlers = self.read().await?;
        let whole = self.profile.resource_name(name);
        let known = || {
            let names: Vec<&str> = crawlers.iter().filter_map(sdk::Crawler::name).collect();
            if names.is_empty() {
                "none".to_owned()
            } else {
                names.join(", ")
            }
        };
        let place = crawlers
            .iter()
            .position(|crawler| crawler.name() == Some(name) || crawler.name() == Some(&whole));
        match place {
            Some(place) => Ok(crawlers[place].clone()),
            None => Err(CrawlerError::NotFound {
                name: name.to_owned(),
                known: known(),
            }),
        }
    }

    /// Crawls of a crawler that have ended, newest first.
    async fn crawls(&self, name: &str, limit: usize) -> Result<Vec<Crawl>, CrawlerError> {
        let mut crawls: Vec<Crawl> = Vec::new();
        let mut token = None;
        loop {
            let call = self
                .clients
                .glue
                .list_crawls()
                .crawler_name(name)
                .max_results(i32::try_from(limit).unwrap_or(i32::MAX));
            let answer = self
                .clients
                .call(CRAWLS, name, call.set_next_token(token).send())
                .await
                .map_err(|error| crawler_error(name, error))?;
            crawls.extend(answer.crawls.unwrap_or_default().iter().filter_map(crawl));
            token = answer.next_token.filter(|token| !token.is_empty());
            if token.is_none() || crawls.len() >= limit {
                break;
            }
        }
        crawls.sort_by_key(|crawl| std::cmp::Reverse(crawl.started));
        crawls.truncate(limit);
        Ok(crawls)
    }

    /// The newest crawl that ended: how it ended from the crawler itself, what it found from its history.
    async fn last_crawl(&self, crawler: &sdk::Crawler) -> Result<Option<Crawl>, CrawlerError> {
        let Some(last) = crawler.last_crawl().and_then(last_crawl) else {
            return Ok(None);
        };
        let name = crawler.name().unwrap_or_default();
        let known = {
            let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
            ended.get(name).cloned()
        };
        let merged = |told: &Crawl| Crawl {
            status: last.status,
            error: last.error.clone(),
            ..told.clone()
        };
        if let Some(told) = known.filter(|told| same_start(told, &last)) {
            return Ok(Some(merged(&told)));
        }
        let told = self.crawls(name, SHOWN).await?;
        let Some(told) = told.into_iter().find(|told| same_start(told, &last)) else {
            return Ok(Some(last));
        };
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.insert(name.to_owned(), told.clone());
        Ok(Some(merged(&told)))
    }

    async fn shown(&self, crawler: &sdk::Crawler) -> Result<Crawler, CrawlerError> {
        let state = match crawler.state() {
            Some(sdk::CrawlerState::Running) => CrawlerState::Running,
            Some(sdk::CrawlerState::Stopping) => CrawlerState::Stopping,
            _ => CrawlerState::Ready,
        };
        let runs = state != CrawlerState::Ready;
        let elapsed = SignedDuration::from_millis(crawler.crawl_elapsed_time);
        let name = crawler.name().unwrap_or_default();
        Ok(Crawler {
            prefix: catalog::crawled(&self.profile, crawler),
            running_since: runs
                .then(|| Timestamp::now().checked_sub(elapsed).ok())
                .flatten(),
            seconds_left: if runs {
                self.seconds_left(name).await
            } else {
                None
            },
            last_crawl: self.last_crawl(crawler).await?,
            starts: starts(crawler),
            starts_again: false,
            next_run: None,
            name: name.to_owned(),
            state,
        })
    }

    /// Glue's guess; nothing hangs on it.
    async fn seconds_left(&self, name: &str) -> Option<u64> {
        let call = self
            .clients
            .glue
            .get_crawler_metrics()
            .crawler_name_list(name);
        let answer = self.clients.call(METRICS, name, call.send()).await.ok()?;
        let metrics = answer.crawler_metrics_list?.into_iter().next()?;
        let guessed = !metrics.still_estimating && metrics.time_left_seconds > 0.0;
        guessed.then_some(metrics.time_left_seconds.round() as u64)
    }
}

/// What starts a crawler, in words.
fn starts(crawler: &sdk::Crawler) -> String {
    let schedule = crawler.schedule().and_then(|schedule| {
        let expression = schedule.schedule_expression()?;
        let paused = match schedule.state() {
            Some(sdk::ScheduleState::NotScheduled) => " (paused)",
            _ => "",
        };
        Some(format!("{expression}{paused}"))
    });
    schedule.unwrap_or_else(|| "a workflow, an event, or by hand".to_owned())
}

/// The start times of one crawl may differ by the time it took to get going.
fn same_start(left: &Crawl, right: &Crawl) -> bool {
    left.started.duration_since(right.started).abs() < SignedDuration::from_secs(5)
}

fn blank(status: CrawlStatus, started: Timestamp) -> Crawl {
    Crawl {
        status,
        started,
        duration_ms: 0,
        tables_created: Vec::new(),
        tables_updated: Vec::new(),
        tables_deleted: Vec::new(),
        partitions_added: 0,
        partitions_removed: 0,
        files_read: 0,
        error: None,
    }
}

fn last_crawl(last: &sdk::LastCrawlInfo) -> Option<Crawl> {
    let status = match last.status()? {
        LastCrawlStatus::Succeeded => CrawlStatus::Succeeded,
        LastCrawlStatus::Cancelled => CrawlStatus::Cancelled,
        _ => CrawlStatus::Failed,
    };
    let mut crawl = blank(status, instant(last.start_time()?));
    crawl.error = last.error_message.clone().filter(|text| !text.is_empty());
    Some(crawl)
}

/// A crawl of the history, once it has ended.
fn crawl(history: &sdk::CrawlerHistory) -> Option<Crawl> {
    let status = match history.state()? {
        CrawlerHistoryState::Completed => CrawlStatus::Succeeded,
        CrawlerHistoryState::Stopped => CrawlStatus::Cancelled,
        CrawlerHistoryState::Failed => CrawlStatus::Failed,
        _ => return None,
    };
    let started = instant(history.start_time()?);
    let mut crawl = blank(status, started);
    if let Some(ended) = history.end_time() {
        let took = instant(ended).duration_since(started).as_millis();
        crawl.duration_ms = u64::try_from(took).unwrap_or(0);
    }
    crawl.error = history
        .error_message
        .clone()
        .filter(|text| !text.is_empty());
    if let Some(text) = history.summary() {
        summary::read(text, &mut crawl);
    }
    Some(crawl)
}

#[async_trait]
impl Crawlers for AwsCrawlers {
    async fn list(&self) -> Result<Vec<Crawler>, CrawlerError> {
        let crawlers = self.read().await?;
        let shown = crawlers.iter().map(|crawler| self.shown(crawler));
        futures::future::try_join_all(shown).await
    }

    async fn show(&self, name: &str) -> Result<CrawlerDetail, CrawlerError> {
        let crawler = self.find(name).await?;
        let whole = crawler.name().unwrap_or(name);
        let (shown, mut crawls, tables) = futures::future::try_join3(
            self.shown(&crawler),
            self.crawls(whole, SHOWN),
            catalog::tables(&self.clients, &crawler),
        )
        .await?;
        // How the newest one ended is told best by the crawler itself.
        if let Some(last) = &shown.last_crawl {
            match crawls.iter_mut().find(|crawl| same_start(crawl, last)) {
                Some(told) => *told = last.clone(),
                None => crawls.insert(0, last.clone()),
            }
        }
        Ok(CrawlerDetail {
            crawler: shown,
            crawls,
            tables,
        })
    }

    async fn start(&self, name: &str) -> Result<(), CrawlerError> {
        let crawler = self.find(name).await?;
        let whole = crawler.name().unwrap_or(name);
        let call = self.clients.glue.start_crawler().name(whole);
        let started = self.clients.call(START, whole, call.send()).await;
        started
            .map(drop)
            .map_err(|error| crawler_error(whole, error))
    }

    async fn stop(&self, name: &str) -> Result<(), CrawlerError> {
        let crawler = self.find(name).await?;
        let whole = crawler.name().unwrap_or(name);
        let call = self.clients.glue.stop_crawler().name(whole);
        let stopped = self.clients.call(STOP, whole, call.send()).await;
        stopped
            .map(drop)
            .map_err(|error| crawler_error(whole, error))
    }
}
