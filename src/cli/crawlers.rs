//! `lakehand crawl NAME` and `lakehand crawlers list|show|stop`.

use std::{
    io::{self, Write},
    time::{Duration, Instant},
};

use clap::{Args, Subcommand};
use clap_complete::ArgValueCandidates;
use jiff::tz::TimeZone;

use super::times::local;
use super::{App, CliError, Ended, VerbResult, complete, progress::Waits};
use crate::{
    ops::{Crawl, CrawlStatus, Crawler, CrawlerDetail, CrawlerState},
    pipeline::text::for_terminal,
};

/// How long a crawler that was started may be told as ready, with its crawl of before.
const BEGINS_WITHIN: Duration = Duration::from_secs(10);
/// How often a running crawler is looked at.
const POLL: Duration = Duration::from_millis(50);

/// What to crawl.
#[derive(Debug, Args)]
pub struct CrawlArgs {
    /// Crawler: silver, affise, marketo, ga, or its whole name.
    #[arg(add = ArgValueCandidates::new(complete::crawlers))]
    name: String,
    /// Wait until it has ended; exit code 1 when it failed or was stopped.
    #[arg(long)]
    wait: bool,
}

/// Verbs on crawlers.
#[derive(Debug, Subcommand)]
pub enum CrawlersVerb {
    /// Every crawler: state, last crawl, next start.
    List,
    /// One crawler: its crawls, and the tables the catalog knows of it.
    Show {
        /// Crawler: silver, affise, marketo, ga, or its whole name.
        #[arg(add = ArgValueCandidates::new(complete::crawlers))]
        name: String,
    },
    /// Stop a running crawler; what it has finished stays known.
    Stop {
        /// Crawler: silver, affise, marketo, ga, or its whole name.
        #[arg(add = ArgValueCandidates::new(complete::crawlers))]
        name: String,
    },
}

/// Starts a crawler.
///
/// # Errors
/// When there is none of that name, or it is running.
pub async fn crawl(app: &App, args: &CrawlArgs) -> VerbResult {
    let operations = app.operations();
    let zone = &app.profile.time_zone;
    if !args.wait && app.is_distant() {
        operations.crawl(&args.name).await?;
        let crawler = operations.crawler(&args.name).await?.crawler;
        app.print(&crawler, |out| write_crawler(out, &crawler, zone))?;
        return Ok(Ended::Well);
    }
    if !args.wait {
        let (now, _) = app
            .detached()
            .crawl(operations.as_ref(), &args.name)
            .await?;
        app.print(&now.crawler, |out| write_crawler(out, &now.crawler, zone))?;
        return Ok(told_end(&now.crawler));
    }
    let before = operations.crawler(&args.name).await?.crawler.last_crawl;
    operations.crawl(&args.name).await?;
    let crawler = ended(app, &args.name, before.as_ref()).await?;
    app.print(&crawler, |out| write_crawler(out, &crawler, zone))?;
    Ok(told_end(&crawler))
}

/// How a crawler's newest crawl ended; one that still runs has not failed.
fn told_end(crawler: &Crawler) -> Ended {
    let runs = crawler.state != CrawlerState::Ready;
    let last = crawler.last_crawl.as_ref();
    if runs || last.is_some_and(|crawl| crawl.status == CrawlStatus::Succeeded) {
        Ended::Well
    } else {
        Ended::Failed
    }
}

/// The crawler when the crawl after `before` has ended. Glue may say for a moment that it is ready still.
async fn ended(app: &App, name: &str, before: Option<&Crawl>) -> Result<Crawler, CliError> {
    let mut waits = Waits::of(app.operations().as_ref());
    let started = Instant::now();
    loop {
        let crawler = app.operations().crawler(name).await?.crawler;
        let is_new = crawler.last_crawl.as_ref() != before || started.elapsed() > BEGINS_WITHIN;
        if crawler.state == CrawlerState::Ready && is_new {
            return Ok(crawler);
        }
        tokio::time::sleep(waits.next().unwrap_or(POLL)).await;
    }
}

/// Runs the verb.
///
/// # Errors
/// When the platform refuses or output fails.
pub async fn run(app: &App, verb: &CrawlersVerb) -> VerbResult {
    let operations = app.operations();
    let zone = &app.profile.time_zone;
    match verb {
        CrawlersVerb::List => {
            let crawlers = operations.crawlers().await?;
            app.print(&crawlers, |out| {
                crawlers
                    .iter()
                    .try_for_each(|crawler| write_crawler(out, crawler, zone))
            })?;
        }
        CrawlersVerb::Show { name } => {
            let detail = operations.crawler(name).await?;
            app.print(&detail, |out| write_detail(out, &detail, zone))?;
        }
        CrawlersVerb::Stop { name } => {
            operations.stop_crawler(name).await?;
            app.print(
                &serde_json::json!({ "crawler": name, "requested": "stop" }),
                |out| writeln!(out, "asked {name} to stop"),
            )?;
        }
    }
    Ok(Ended::Well)
}

fn write_crawler(out: &mut dyn Write, crawler: &Crawler, zone: &TimeZone) -> io::Result<()> {
    writeln!(
        out,
        "{:<28} {:<9} {}",
        crawler.name,
        crawler.state.name(),
        crawler.starts
    )?;
    if let Some(since) = crawler.running_since {
        let again = if crawler.starts_again {
            ", starts again for what landed since"
        } else {
            ""
        };
        let left = crawler
            .seconds_left
            .map(|seconds| format!(", about {seconds} s left"))
            .unwrap_or_default();
        writeln!(
            out,
            "{:<28} running since {}{left}{again}",
            "",
            local(since, zone)
        )?;
    }
    if let Some(crawl) = &crawler.last_crawl {
        write!(out, "{:<28} last ", "")?;
        write_crawl(out, crawl, zone)?;
    }
    if let Some(next) = crawler.next_run {
        writeln!(out, "{:<28} next {}", "", local(next, zone))?;
    }
    Ok(())
}

fn write_crawl(out: &mut dyn Write, crawl: &Crawl, zone: &TimeZone) -> io::Result<()> {
    writeln!(
        out,
        "{:<9} {}  {} ms  {} created, {} updated, {} deleted  {}",
        crawl.status.name(),
        local(crawl.started, zone),
        crawl.duration_ms,
        crawl.tables_created.len(),
        crawl.tables_updated.len(),
        crawl.tables_deleted.len(),
        for_terminal(crawl.error.as_deref().unwrap_or(""))
    )
}

fn write_detail(out: &mut dyn Write, detail: &CrawlerDetail, zone: &TimeZone) -> io::Result<()> {
    write_crawler(out, &detail.crawler, zone)?;
    if !detail.tables.is_empty() {
        writeln!(
            out,
            "\n{:<32} {:>7} {:>10} {:>12} {:>14}  last change",
            "table", "columns", "partitions", "rows", "bytes"
        )?;
    }
    for table in &detail.tables {
        writeln!(
            out,
            "{:<32} {:>7} {:>10} {:>12} {:>14}  v{} {}",
            for_terminal(&table.name),
            table.columns,
            table.partitions,
            table.rows,
            table.bytes,
            table.version,
            for_terminal(&table.last_change)
        )?;
    }
    if !detail.crawls.is_empty() {
        writeln!(out, "\ncrawls, newest first")?;
    }
    detail
        .crawls
        .iter()
        .try_for_each(|crawl| write_crawl(out, crawl, zone))
}
