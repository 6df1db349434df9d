//! The world's sources: the streams, a Marketo instance that is nearly used up, two crawlers.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::World;
use lakehand_ops::{Crawl, CrawlStatus, Crawler, CrawlerState, Sources};
use lakehand_pipeline::state::{QuotaFigure, QuotaState};

impl World {
    /// Everything about what comes in.
    pub(super) fn sources(&self) -> Sources {
        let affise = self.crawler(
            "affise",
            "when a collection has landed",
            CrawlStatus::Succeeded,
        );
        let marketo = self.crawler(
            "marketo",
            "when a collection has landed",
            CrawlStatus::Failed,
        );
        Sources {
            streams: self.freshness(),
            quotas: vec![
                self.quota("affise", "tenant", 48_400),
                self.quota("ga4", "123", 100),
            ],
            crawlers: vec![affise, marketo],
            jobs: self.job.iter().cloned().collect(),
            unread: self.unread.clone(),
        }
    }

    fn quota(&self, source: &str, account: &str, used: u64) -> QuotaState {
        let figure = QuotaFigure {
            used: Some(used),
            limit: Some(50_000),
            ..QuotaFigure::default()
        };
        let parked = source == "affise" && self.late;
        QuotaState {
            figures: BTreeMap::from([("daily calls".to_owned(), figure)]),
            parked_until: parked.then(|| self.now + SignedDuration::from_mins(18)),
            why: parked.then(|| "HTTP 429".to_owned()),
            ..QuotaState::new(source, account, self.now - SignedDuration::from_mins(7))
        }
    }

    fn crawler(&self, part: &str, starts: &str, last: CrawlStatus) -> Crawler {
        let name = format!("lakehand-local-{part}");
        let running = self
            .crawling
            .as_ref()
            .filter(|(crawling, _)| *crawling == name);
        let failed = last == CrawlStatus::Failed;
        Crawler {
            prefix: format!("silver/{part}/"),
            state: match running {
                Some(_) => CrawlerState::Running,
                None => CrawlerState::Ready,
            },
            running_since: running.map(|(_, since)| *since),
            last_crawl: Some(Crawl {
                status: last,
                started: self.now - SignedDuration::from_mins(31),
                duration_ms: 1_250,
                tables_created: Vec::new(),
                tables_updated: vec!["affise_clicks".to_owned(), "affise_conversions".to_owned()],
                tables_deleted: Vec::new(),
                partitions_added: 2,
                partitions_removed: 0,
                files_read: 4,
                error: failed
                    .then(|| "silver/marketo/leads/part-0.parquet: not a Parquet file".to_owned()),
            }),
            starts: starts.to_owned(),
            seconds_left: None,
            starts_again: false,
            next_run: Some(self.now + SignedDuration::from_mins(90)),
            name,
        }
    }
}
