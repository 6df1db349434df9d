//! Drawing of the Sources screen: streams and crawlers, and below them what there is to know of the selected one.

use std::borrow::Cow;

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::{Row, jobs, list};
use crate::{
    actions::ActionId,
    format::{age, ago, count, duration, full, plural, running, until},
    state::State,
    widgets::{
        dialog::wrapped,
        grid::{self, Cell, Column},
        passage::{put_wrapped, unread},
        text::{Pen, rule},
    },
};
use lakehand_ops::{
    Crawl, CrawlStatus, Crawler, CrawlerState, Freshness, Sources,
    sources::{PROMISED, source_of},
};
use lakehand_pipeline::state::{QuotaFigure, QuotaState};

const COLUMNS: [Column; 6] = [
    Column::fixed("", 11, 0),
    Column::growing("stream or crawler", 24, 1, 0),
    Column::number("age", 7, 1),
    Column::fixed("newest day", 10, 4),
    Column::number("rows", 9, 3),
    Column::growing("what there is to say", 20, 3, 2),
];

/// Draws the Sources screen.
pub(crate) fn view(state: &State, buffer: &mut Buffer) {
    let theme = &state.theme;
    let (body, area) = (state.body(), list(state));
    rule(buffer, body.x, body.y, body.width, theme.rule);
    Pen::new(buffer, body, 0)
        .gap(1)
        .put(" Sources ", theme.heading)
        .gap(1)
        .put(&missing(state), theme.warn);
    let widths = grid::widths(&COLUMNS, area.width);
    let titles = Rect {
        y: body.y + 1,
        height: 1,
        ..area
    };
    grid::titles(buffer, titles, &COLUMNS, &widths, theme);
    let length = state.sources.len();
    if length == 0 {
        let rest = Rect {
            height: body.bottom().saturating_sub(area.y),
            ..area
        };
        put_wrapped(buffer, rest, &empty(state), theme.muted);
    }
    let visible = state.sources.cursor.visible(length, area.height.into());
    for (line, position) in visible.enumerate() {
        let Some(row) = state.sources.row(position) else {
            continue;
        };
        let line = u16::try_from(line).unwrap_or(u16::MAX);
        let cells = match row {
            Row::Stream(stream) => stream_cells(state, stream),
            Row::Crawler(crawler) => crawler_cells(state, crawler),
            Row::Job(job) => jobs::cells(state, job),
        };
        grid::row(buffer, area, line, &COLUMNS, &widths, &cells);
        if position == state.sources.cursor.selected() {
            grid::select(buffer, body, area, line, theme);
        }
    }
    let below = Rect {
        y: area.bottom() + 1,
        height: body.bottom().saturating_sub(area.bottom() + 1),
        ..body
    };
    if let (Some(all), Some(row)) = (state.sources.sources(), state.sources.selected()) {
        details(state, buffer, below, all, row);
    }
}

/// What could not be read, in the line of the title.
fn missing(state: &State) -> String {
    let unread = state.sources.sources().map_or(&[][..], |all| &all.unread);
    match unread {
        [] => String::new(),
        [one] => format!(" ? {} ", one.line()),
        [first, rest @ ..] => format!(" ? {} · {} more ", first.line(), rest.len()),
    }
}

fn empty(state: &State) -> String {
    let answer = &state.sources.answer;
    match (answer.error(), answer.is_answered()) {
        (Some(error), _) => unread(error),
        (None, false) => "reading …".to_owned(),
        (None, true) => "the profile has no source".to_owned(),
    }
}

fn stream_cells<'s>(state: &State, stream: &'s Freshness) -> [Cell<'s>; 6] {
    let theme = &state.theme;
    let parked = stream.parked_until.filter(|until| *until > state.now);
    let (word, style) = match (stream.late, &stream.note, stream.collected) {
        (true, ..) => ("! LATE", theme.warn),
        _ if parked.is_some() => ("◌ PARKED", theme.warn),
        (false, Some(_), _) => ("! look", theme.warn),
        (false, None, Some(_)) => ("✓ fresh", theme.good),
        (false, None, None) if !stream.is_deployed => ("· none", theme.muted),
        (false, None, None) => ("· never", theme.muted),
    };
    let old = stream.collected.map(|at| age(at, state.now));
    let day = stream.newest_day.map(|day| day.to_string());
    let (said, said_style) = match &stream.note {
        Some(note) => (Cow::Borrowed(note.as_str()), theme.warn),
        None if !stream.is_deployed => (Cow::Borrowed("not part of this deployment"), theme.muted),
        None => (Cow::Owned(quota_of(state, stream)), theme.muted),
    };
    [
        (Cow::Borrowed(word), style),
        (Cow::Borrowed(stream.stream.as_str()), theme.text),
        (Cow::Owned(old.unwrap_or_default()), style),
        (Cow::Owned(day.unwrap_or_default()), theme.muted),
        (
            Cow::Owned(stream.rows.map(count).unwrap_or_default()),
            theme.muted,
        ),
        (said, said_style),
    ]
}

/// What is left of the scarcest quota of a stream's source: `49,977 of 50,000 left, daily calls`.
fn quota_of(state: &State, stream: &Freshness) -> String {
    let scarcest = state
        .sources
        .sources()
        .and_then(|all| all.scarcest(&stream.stream));
    scarcest
        .map(|(name, figure)| format!("{}, {name}", left(figure)))
        .unwrap_or_default()
}

fn crawler_cells<'s>(state: &State, crawler: &'s Crawler) -> [Cell<'s>; 6] {
    let theme = &state.theme;
    let last = crawler.last_crawl.as_ref();
    let failed = last.is_some_and(|crawl| crawl.status == CrawlStatus::Failed);
    let (word, style) = match (crawler.state, last) {
        (CrawlerState::Running, _) => ("● RUNNING", theme.running),
        (CrawlerState::Stopping, _) => ("■ STOPPING", theme.warn),
        (CrawlerState::Ready, _) if failed => ("✗ FAILED", theme.bad),
        (CrawlerState::Ready, Some(_)) => ("✓ READY", theme.good),
        (CrawlerState::Ready, None) => ("· READY", theme.muted),
    };
    let old = match (crawler.running_since, last) {
        (Some(since), _) => running(since, state.now),
        (None, Some(crawl)) => age(crawl.started, state.now),
        (None, None) => String::new(),
    };
    let said = match last {
        Some(crawl) => changes(crawl),
        None => format!("never crawled; starts {}", crawler.starts),
    };
    [
        (Cow::Borrowed(word), style),
        (Cow::Borrowed(crawler.name.as_str()), theme.text),
        (Cow::Owned(old), theme.muted),
        (Cow::Borrowed(""), theme.muted),
        (Cow::Borrowed(""), theme.muted),
        (
            Cow::Owned(said),
            if failed { theme.bad } else { theme.muted },
        ),
    ]
}

/// What a crawl changed, or why it failed.
fn changes(crawl: &Crawl) -> String {
    if let Some(error) = &crawl.error {
        return error.clone();
    }
    let tables = [
        (crawl.tables_created.len(), "created"),
        (crawl.tables_updated.len(), "updated"),
        (crawl.tables_deleted.len(), "deleted"),
    ];
    let mut parts: Vec<String> = tables
        .iter()
        .filter(|(tables, _)| *tables > 0)
        .map(|(tables, verb)| format!("{} {verb}", plural(*tables as u64, "table")))
        .collect();
    if crawl.partitions_added > 0 {
        parts.push(format!(
            "{} added",
            plural(crawl.partitions_added, "partition")
        ));
    }
    if parts.is_empty() {
        parts.push("nothing new".to_owned());
    }
    parts.join(", ")
}

fn details(state: &State, buffer: &mut Buffer, area: Rect, all: &Sources, row: Row<'_>) {
    if area.height == 0 {
        return;
    }
    let theme = &state.theme;
    rule(buffer, area.x, area.y, area.width, theme.rule);
    Pen::new(buffer, area, 0)
        .gap(1)
        .put(&format!(" {} ", row.name()), theme.heading);
    let lines = match row {
        Row::Stream(stream) => about_stream(state, all, stream),
        Row::Crawler(crawler) => about_crawler(state, crawler),
        Row::Job(job) => jobs::about(state, job),
    };
    let columns = area.width.saturating_sub(2);
    let lines = lines.iter().flat_map(|(text, style)| {
        wrapped(text, columns)
            .into_iter()
            .map(|line| (line, *style))
    });
    for (row, (line, style)) in lines.enumerate() {
        let row = u16::try_from(row + 1).unwrap_or(u16::MAX);
        Pen::new(buffer, area, row).gap(1).put(&line, style);
    }
}

fn about_stream(state: &State, all: &Sources, stream: &Freshness) -> Vec<(String, Style)> {
    let theme = &state.theme;
    let promise = duration(PROMISED);
    let mut lines = vec![match (stream.collected, stream.late) {
        (Some(at), late) => {
            let word = if late { "late" } else { "kept" };
            let text = format!(
                "Collected {} ({}); promised every {promise}: {word}.",
                ago(at, state.now),
                full(at, &state.zone)
            );
            (text, if late { theme.warn } else { theme.text })
        }
        (None, _) if !stream.is_deployed => {
            let text = "It is not part of this deployment, which has no workflow 'collect'.";
            (text.to_owned(), theme.text)
        }
        (None, _) => ("It was never collected.".to_owned(), theme.text),
    }];
    if let Some(rows) = stream.rows {
        let newest = stream.newest_day.map(|day| format!(", newest day {day}"));
        let text = format!("{}{}.", plural(rows, "row"), newest.unwrap_or_default());
        lines.push((text, theme.text));
    }
    lines.extend(stream.note.clone().map(|note| (note, theme.warn)));
    let source = source_of(&stream.stream);
    let quotas: Vec<&QuotaState> = all.quotas_of(&stream.stream).collect();
    if quotas.is_empty() {
        lines.push((format!("{source} tells nothing of quotas."), theme.muted));
    }
    for quota in quotas {
        lines.extend(about_quota(state, quota));
    }
    let key = state.key(ActionId::Collect);
    lines.push((format!("{key} collects it for a window."), theme.muted));
    lines
}

/// An account's quotas: parked until when, and what is left of each.
fn about_quota(state: &State, quota: &QuotaState) -> Vec<(String, Style)> {
    let theme = &state.theme;
    let mut lines = Vec::new();
    if let Some(parked) = quota.parked_at(state.now) {
        let why = quota.why.as_deref().unwrap_or("a quota is used up");
        let text = format!(
            "{} {} is parked until {}: {why}",
            quota.source,
            quota.account,
            full(parked, &state.zone)
        );
        lines.push((text, theme.warn));
    }
    let figures: Vec<String> = quota
        .figures
        .iter()
        .map(|(name, figure)| format!("{name} {}", left(figure)))
        .collect();
    if !figures.is_empty() {
        let text = format!(
            "Quota of {} {}, {}: {}",
            quota.source,
            quota.account,
            ago(quota.read_at, state.now),
            figures.join(" · ")
        );
        let scarce = |figure: &QuotaFigure| figure.left_share().is_some_and(|share| share < 0.1);
        let style = if quota.figures.values().any(scarce) {
            theme.warn
        } else {
            theme.text
        };
        lines.push((text, style));
    }
    lines
}

/// `1,240 of 50,000 left`, as much as is known.
fn left(figure: &QuotaFigure) -> String {
    match (figure.left, figure.used, figure.limit) {
        (Some(left), _, Some(limit)) => format!("{} of {} left", count(left), count(limit)),
        (Some(left), ..) => format!("{} left", count(left)),
        (None, Some(used), Some(limit)) => {
            let left = limit.saturating_sub(used);
            format!("{} of {} left", count(left), count(limit))
        }
        (None, Some(used), None) => format!("{} used", count(used)),
        (None, None, _) => "unknown".to_owned(),
    }
}

fn about_crawler(state: &State, crawler: &Crawler) -> Vec<(String, Style)> {
    let theme = &state.theme;
    let mut lines = vec![(
        format!("Crawls {}; starts {}.", crawler.prefix, crawler.starts),
        theme.text,
    )];
    if crawler.starts_again {
        let text = "Something landed while it runs: it starts again by itself.".to_owned();
        lines.push((text, theme.text));
    }
    if let Some(next) = crawler.next_run {
        lines.push((
            format!("Next start {}.", until(next, state.now)),
            theme.muted,
        ));
    }
    if let Some(crawl) = &crawler.last_crawl {
        let took =
            jiff::SignedDuration::from_millis(i64::try_from(crawl.duration_ms).unwrap_or(i64::MAX));
        let text = format!(
            "Last crawl {} {}, took {}: {}",
            crawl.status.name(),
            ago(crawl.started, state.now),
            duration(took),
            changes(crawl)
        );
        let style = match crawl.status {
            CrawlStatus::Succeeded => theme.text,
            CrawlStatus::Cancelled => theme.warn,
            CrawlStatus::Failed => theme.bad,
        };
        lines.push((text, style));
    }
    let hint = match crawler.state {
        CrawlerState::Ready => format!("{} starts it.", state.key(ActionId::StartCrawler)),
        _ => format!("{} stops it.", state.key(ActionId::StopCrawler)),
    };
    lines.push((hint, theme.muted));
    lines
}
