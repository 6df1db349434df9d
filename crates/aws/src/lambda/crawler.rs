//! `start-crawler`: what landed in S3 starts the crawler that makes it visible to SQL.
//!
//! A crawler that runs already may have passed the place where something landed meanwhile, so it has to run once
//! more. That is remembered in a small object, `_state/crawlers/<name>.json` of the std bucket. Whoever wrote it waits
//! for the crawler's end and starts it again; when its time is up before, the object stays, and the next event does
//! it: another landing, or EventBridge's "Glue Crawler State Change", which this function takes, too.
//!
//! So that no start is lost, whoever removes the object starts the crawler next, and writes it again where that is
//! refused. So that none is made twice, whoever waits and finds it gone is done.
//!
//! It calls Glue itself and not by the operator's port: that one finds crawlers by listing all of them, and this
//! function's role may only start and read those that it is for.

use std::{collections::BTreeSet, time::Duration};

use aws_sdk_glue::types::CrawlerState;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::Failure;
use crate::{
    call::{Api, CallError, CallFailure},
    functions::Functions,
};
use lakehand_pipeline::{
    jobs::{ErrorType, JobContext, Level},
    ports::{ETag, PutCondition, StoreError},
};

/// Its name, as `_HANDLER` has it.
pub(super) const NAME: &str = "start-crawler";

const START: Api = Api::free("glue", "StartCrawler");
const LOOK: Api = Api::free("glue", "GetCrawler");

/// Wait between two looks at a running crawler.
const LOOKS: Duration = Duration::from_secs(5);
/// How long one who waits is believed to wait: no function lives longer.
const BELIEVED: SignedDuration = SignedDuration::from_mins(15);

/// What there is to do where somebody waits: nothing.
const WAITED_FOR: &str = "runs; its next start is owed already, and somebody waits for it";

/// A start that is owed to a crawler.
#[derive(Debug, Serialize, Deserialize)]
struct Owed {
    crawler: String,
    since: Timestamp,
    /// Until when somebody waits for its end.
    waited_for_until: Timestamp,
}

/// What an event asks for.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    /// Data for this crawler has landed.
    Landed(String),
    /// This crawler has ended: start it if that is owed.
    Ended(String),
}

/// Starts the crawlers of an event, and those that were owed a start.
pub(super) async fn start(
    ports: &Functions,
    event: &Value,
    context: &JobContext,
    time_up: &CancellationToken,
) -> Result<Value, Failure> {
    let asked = asked(event, |part| ports.profile().resource_name(part));
    if asked.is_empty() {
        let why = "the event names no object below bronze/ or silver/ and no crawler; check the rule that sends it";
        return Err(Failure::new(ErrorType::InvalidInput.name(), why));
    }
    let crawl = Crawl {
        ports,
        context,
        time_up,
    };
    let mut outcome = serde_json::Map::new();
    for one in asked {
        let (name, did) = match one {
            Asked::Landed(name) => {
                let did = crawl.landed(&name).await?;
                (name, did)
            }
            Asked::Ended(name) => {
                let did = crawl.ended(&name).await?;
                (name, did)
            }
        };
        context
            .log
            .line(Level::Info, &format!("crawler {name}: {did}"));
        outcome.insert(name, did.into());
    }
    Ok(json!({ "crawlers": outcome }))
}

/// What the event asks for, each crawler once. `named` makes a crawler's name of its part.
fn asked(event: &Value, named: impl Fn(&str) -> String) -> Vec<Asked> {
    let text = |value: &Value, path: &str| {
        value
            .pointer(path)
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    if let Some(name) = text(event, "/crawler") {
        return vec![Asked::Landed(name)];
    }
    if text(event, "/source").as_deref() == Some("aws.glue") {
        return text(event, "/detail/crawlerName")
            .map(Asked::Ended)
            .into_iter()
            .collect();
    }
    // EventBridge gives a key as it is; notifications of S3 encode it. Decoding twice changes none of our keys.
    let of_records = event
        .get("Records")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let keys = of_records
        .filter_map(|record| text(record, "/s3/object/key"))
        .chain(text(event, "/detail/object/key"));
    let parts: BTreeSet<&str> = keys.filter_map(|key| part_of(&decoded(&key))).collect();
    parts
        .into_iter()
        .map(|part| Asked::Landed(named(part)))
        .collect()
}

/// `bronze/marketo/…` of `bronze%2Fmarketo%2F…`.
fn decoded(key: &str) -> String {
    let pair = format!("k={key}");
    let first = url::form_urlencoded::parse(pair.as_bytes()).next();
    first.map_or_else(|| key.to_owned(), |(_, key)| key.into_owned())
}

/// The crawler's part of the name for a key, whatever prefix stands before it.
fn part_of(key: &str) -> Option<&'static str> {
    let mut folders = key
        .split('/')
        .skip_while(|folder| !["bronze", "silver"].contains(folder));
    match folders.nth(1)? {
        "marketo" => Some("marketo"),
        "affise" => Some("affise"),
        "ga" | "ga3" | "ga4" => Some("ga"),
        _ => None,
    }
}

struct Crawl<'a> {
    ports: &'a Functions,
    context: &'a JobContext,
    time_up: &'a CancellationToken,
}

impl Crawl<'_> {
    async fn landed(&self, name: &str) -> Result<&'static str, Failure> {
        if self.is_owed(name).await? {
            if self.is_ready(name).await? {
                return self.settle_or_wait(name).await;
            }
        } else if self.start(name).await? {
            return Ok("started");
        }
        if !self.remember(name).await? {
            return Ok(WAITED_FOR);
        }
        self.again(name).await
    }

    async fn ended(&self, name: &str) -> Result<&'static str, Failure> {
        if !self.is_owed(name).await? {
            return Ok("nothing is owed");
        }
        self.settle_or_wait(name).await
    }

    /// Makes the start that is owed, now or at the crawler's end.
    async fn settle_or_wait(&self, name: &str) -> Result<&'static str, Failure> {
        match self.settle(name).await? {
            Some(did) => Ok(did),
            None => self.again(name).await,
        }
    }

    /// Waits for the crawler's end and starts it again.
    async fn again(&self, name: &str) -> Result<&'static str, Failure> {
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOKS) => {}
                () = self.time_up.cancelled() => return Ok("runs; its next start stays owed"),
                () = self.context.cancel.cancelled() => return Ok("runs; its next start stays owed"),
            }
            if !self.is_owed(name).await? {
                return Ok("was started by somebody else");
            }
            if self.is_ready(name).await?
                && let Some(did) = self.settle(name).await?
            {
                return Ok(did);
            }
        }
    }

    /// Makes the start that is owed; `None` when the crawler still stops or runs once more, and it is for the caller
    /// to wait for it.
    async fn settle(&self, name: &str) -> Result<Option<&'static str>, Failure> {
        // First forgotten, then started: what lands in between asks for a start of its own.
        self.forget(name).await;
        let started = self.start(name).await;
        if matches!(started, Ok(true)) {
            return Ok(Some("started again"));
        }
        // A call that failed leaves the start owed, too: the event comes once more.
        let waits = self.remember(name).await?;
        started?;
        Ok((!waits).then_some(WAITED_FOR))
    }

    /// Whether a start is owed.
    async fn is_owed(&self, name: &str) -> Result<bool, Failure> {
        match self.context.lake.std.get(&key(name)).await {
            Ok(_) => Ok(true),
            Err(StoreError::NotFound { .. }) => Ok(false),
            Err(error) => Err(stored(&error)),
        }
    }

    /// Starts it; `false` when it runs already.
    async fn start(&self, name: &str) -> Result<bool, Failure> {
        let clients = self.ports.clients();
        let sent = clients.glue.start_crawler().name(name).send();
        match clients.call(START, name, sent).await {
            Ok(_) => Ok(true),
            Err(error) if error.failure == CallFailure::Conflict => Ok(false),
            Err(error) => Err(failed(&error)),
        }
    }

    async fn is_ready(&self, name: &str) -> Result<bool, Failure> {
        let clients = self.ports.clients();
        let sent = clients.glue.get_crawler().name(name).send();
        match clients.call(LOOK, name, sent).await {
            Ok(answer) => {
                let state = answer.crawler.and_then(|crawler| crawler.state);
                Ok(state == Some(CrawlerState::Ready))
            }
            Err(error) if error.is_transient() => Ok(false),
            Err(error) => Err(failed(&error)),
        }
    }

    /// Notes that a start is owed; `false` when somebody waits for that already.
    async fn remember(&self, name: &str) -> Result<bool, Failure> {
        let now = self.context.clock.now();
        let std = &self.context.lake.std;
        let condition = match std.get(&key(name)).await {
            Err(StoreError::NotFound { .. }) => PutCondition::IfAbsent,
            Err(error) => return Err(stored(&error)),
            Ok((bytes, etag)) => match waiter(&bytes) {
                Some(until) if until > now => return Ok(false),
                // Who waited is gone.
                _ => PutCondition::IfMatch(ETag(etag.0)),
            },
        };
        let owed = Owed {
            crawler: name.to_owned(),
            since: now,
            waited_for_until: now.checked_add(BELIEVED).unwrap_or(now),
        };
        let text = serde_json::to_vec(&owed).unwrap_or_default();
        match std.put(&key(name), text.into(), condition).await {
            Ok(_) => Ok(true),
            Err(StoreError::Conflict { .. }) => Ok(false),
            Err(error) => Err(stored(&error)),
        }
    }

    /// Forgets what was owed. One start too many is better than an error now.
    async fn forget(&self, name: &str) {
        if let Err(error) = self.context.lake.std.delete(&key(name)).await {
            self.context.log.line(
                Level::Warn,
                &format!("crawler {name} may run once too often: {error}"),
            );
        }
    }
}

fn key(name: &str) -> String {
    format!("_state/crawlers/{name}.json")
}

fn waiter(bytes: &[u8]) -> Option<Timestamp> {
    serde_json::from_slice::<Owed>(bytes)
        .ok()
        .map(|owed| owed.waited_for_until)
}

fn stored(error: &StoreError) -> Failure {
    Failure::new(ErrorType::from(error).name(), error.to_string())
}

/// Glue's failure under the name that Step Functions gives it.
fn failed(error: &CallError) -> Failure {
    Failure::new(
        format!("Glue.{}", error.code),
        format!("{error}; {}", error.advice()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(event: &Value) -> Vec<Asked> {
        asked(event, |part| format!("lakehand-dev-{part}"))
    }

    /// Events as S3, EventBridge and Glue send them, and as the emulator encodes them.
    #[test]
    fn every_kind_of_event_names_its_crawlers() {
        let bridge = |key: &str| {
            json!({ "source": "aws.s3", "detail-type": "Object Created",
                    "detail": { "bucket": { "name": "raw" }, "object": { "key": key, "size": 1 } } })
        };
        let marketo = [Asked::Landed("lakehand-dev-marketo".to_owned())];
        for key in [
            "bronze/marketo/leads/date=2026-01-31/20260101-20260108-00ff._manifest.json",
            "bronze/marketo/leads/date%3D2026-01-31/x._manifest.json",
            "team%2Flake%2Fbronze%2Fmarketo%2Fleads%2Fdate%3D2026-01-31%2Fx._manifest.json",
        ] {
            assert_eq!(of(&bridge(key)), marketo, "{key}");
        }
        let record =
            |key: &str| json!({ "eventSource": "aws:s3", "s3": { "object": { "key": key } } });
        let two = json!({ "Records": [record("silver/ga4/x"), record("silver/ga3/y"), record("silver/affise/clicks/z")] });
        let both = ["affise", "ga"].map(|part| Asked::Landed(format!("lakehand-dev-{part}")));
        assert_eq!(of(&two), both);
        let ended = json!({ "source": "aws.glue", "detail-type": "Glue Crawler State Change",
                            "detail": { "crawlerName": "lakehand-dev-ga", "state": "Succeeded" } });
        assert_eq!(of(&ended), [Asked::Ended("lakehand-dev-ga".to_owned())]);
        assert_eq!(
            of(&json!({ "crawler": "old" })),
            [Asked::Landed("old".to_owned())]
        );
        assert!(of(&bridge("reports/sub5/x.csv")).is_empty());
        assert!(of(&json!({})).is_empty());
    }
}
