//! `lakehand sources`: how fresh every stream is, what is left of quotas, how the crawlers stand.

use std::io::{self, Write};

use clap::Args;
use jiff::tz::TimeZone;

use super::times::local;
use super::{App, Ended, VerbResult};
use crate::{
    ops::Sources,
    pipeline::{state::QuotaState, text::for_terminal},
};

/// No arguments of its own.
#[derive(Debug, Args)]
pub struct SourcesArgs {}

/// Prints the sources; exit code 1 when a stream is late.
///
/// # Errors
/// When the platform cannot be asked or output fails.
pub async fn run(app: &App, _args: &SourcesArgs) -> VerbResult {
    let sources = app.operations().sources().await?;
    app.print(&sources, |out| {
        write_sources(out, &sources, &app.profile.time_zone)
    })?;
    let late = sources.streams.iter().any(|stream| stream.late);
    if late {
        return Ok(Ended::Failed);
    }
    super::status::all_was_read(&sources.unread)
}

fn write_sources(out: &mut dyn Write, sources: &Sources, zone: &TimeZone) -> io::Result<()> {
    for stream in &sources.streams {
        if !stream.is_deployed {
            writeln!(out, "{:<24} not part of this deployment", stream.stream)?;
            continue;
        }
        let collected = stream.collected.map_or_else(
            || "never collected".to_owned(),
            |at| format!("collected {}", local(at, zone)),
        );
        let day = stream
            .newest_day
            .map(|day| format!(", newest day {day}"))
            .unwrap_or_default();
        let rows = stream
            .rows
            .map(|rows| format!(", {rows} rows"))
            .unwrap_or_default();
        let late = if stream.late { ", LATE" } else { "" };
        writeln!(out, "{:<24} {collected}{day}{rows}{late}", stream.stream)?;
        if let Some(note) = &stream.note {
            writeln!(out, "{:<24} {}", "", for_terminal(note))?;
        }
    }
    for quota in &sources.quotas {
        write_quota(out, quota, zone)?;
    }
    for crawler in &sources.crawlers {
        let last = crawler.last_crawl.as_ref().map_or_else(
            || "never ran".to_owned(),
            |crawl| {
                format!(
                    "last {} {}",
                    crawl.status.name(),
                    local(crawl.started, zone)
                )
            },
        );
        writeln!(out, "{:<24} {}, {last}", crawler.name, crawler.state.name())?;
    }
    Ok(())
}

fn write_quota(out: &mut dyn Write, quota: &QuotaState, zone: &TimeZone) -> io::Result<()> {
    let account = for_terminal(&quota.account);
    for (name, figure) in &quota.figures {
        let number = |value: Option<u64>| value.map_or("?".to_owned(), |value| value.to_string());
        writeln!(
            out,
            "{:<24} {account}: {}: {} used, {} left of {}",
            format!("{} quota", quota.source),
            for_terminal(name),
            number(figure.used),
            number(figure.left),
            number(figure.limit)
        )?;
    }
    match (quota.parked_until, &quota.why) {
        (Some(until), Some(why)) => {
            writeln!(
                out,
                "{:<24} parked until {}: {}",
                "",
                local(until, zone),
                for_terminal(why)
            )
        }
        _ => Ok(()),
    }
}
