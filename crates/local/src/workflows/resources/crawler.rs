//! `aws-sdk:glue:startCrawler`: a crawler of this machine.
//!
//! Glue answers as soon as a crawl has begun. Here the task waits for its end, because the process may end
//! with the execution; a crawl that fails is told where it was asked for.

use serde_json::{Value, json};

use super::{TaskCall, TaskFailure, text_parameter};
use crate::crawler::LocalCrawlers;
use lakehand_ops::{Crawl, CrawlStatus, CrawlerError, ports::Crawlers as _};
use lakehand_pipeline::jobs::Level;

/// Runs the crawler `Name` to its end.
pub(super) async fn crawl(crawlers: &LocalCrawlers, call: TaskCall) -> Result<Value, TaskFailure> {
    let name = text_parameter(&call.parameters, "Name", "glue:startCrawler")?;
    let refused = |error: CrawlerError| {
        TaskFailure::new(format!("Glue.{}", error.glue_name()), error.to_string())
    };
    let running = crawlers.run(name);
    tokio::pin!(running);
    let crawl = tokio::select! {
        ended = &mut running => ended,
        () = call.cancel.cancelled() => {
            // Not running any more is as good as stopped.
            let _ = crawlers.stop(name).await;
            running.await
        }
    };
    let crawl = crawl.map_err(refused)?;
    let text = in_words(&crawl);
    call.log.progress(&text);
    if crawl.status == CrawlStatus::Failed {
        call.log.line(Level::Error, &text);
        return Err(TaskFailure::new("Glue.GlueException", text));
    }
    call.log.line(Level::Info, &text);
    Ok(json!({}))
}

fn in_words(crawl: &Crawl) -> String {
    if let Some(error) = &crawl.error {
        return error.clone();
    }
    format!(
        "{}: {} tables created, {} updated, {} deleted; {} partitions added, {} removed",
        crawl.status.name(),
        crawl.tables_created.len(),
        crawl.tables_updated.len(),
        crawl.tables_deleted.len(),
        crawl.partitions_added,
        crawl.partitions_removed
    )
}
