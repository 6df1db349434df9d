//! Glue jobs among the rows of Sources: what a deployment that we did not make collects by.

use std::borrow::Cow;

use ratatui::style::Style;

use crate::{
    actions::ActionId,
    format::{age, ago, duration, running},
    state::State,
    widgets::grid::Cell,
};
use lakehand_ops::{GlueJob, GlueJobRun};

/// A row of the list.
pub(super) fn cells<'s>(state: &State, job: &'s GlueJob) -> [Cell<'s>; 6] {
    let theme = &state.theme;
    let run = job.last_run.as_ref();
    let (word, style) = mark(state, run);
    let old = run.and_then(|run| {
        let started = run.started?;
        Some(match run.is_under_way() {
            true => running(started, state.now),
            false => age(started, state.now),
        })
    });
    let (said, tone) = match run.and_then(|run| run.error.as_deref()) {
        Some(error) => (error, style),
        None => (job.description.as_str(), theme.muted),
    };
    [
        (Cow::Borrowed(word), style),
        (Cow::Borrowed(job.name.as_str()), theme.text),
        (Cow::Owned(old.unwrap_or_default()), theme.muted),
        (Cow::Borrowed(""), theme.muted),
        (Cow::Borrowed(""), theme.muted),
        (Cow::Borrowed(said), tone),
    ]
}

fn mark(state: &State, run: Option<&GlueJobRun>) -> (&'static str, Style) {
    let theme = &state.theme;
    match run.map(|run| run.state.as_str()) {
        None => ("· READY", theme.muted),
        Some("STARTING" | "RUNNING" | "WAITING") => ("● RUNNING", theme.running),
        Some("STOPPING") => ("■ STOPPING", theme.warn),
        Some("STOPPED") => ("■ STOPPED", theme.warn),
        Some("SUCCEEDED") => ("✓ OK", theme.good),
        Some(_) => ("✗ FAILED", theme.bad),
    }
}

/// What there is to know of a job.
pub(super) fn about(state: &State, job: &GlueJob) -> Vec<(String, Style)> {
    let theme = &state.theme;
    let mut lines = vec![(
        format!("A Glue job ({}). {}", job.kind, job.description),
        theme.text,
    )];
    if let Some(run) = &job.last_run {
        let started = run
            .started
            .map_or_else(String::new, |at| ago(at, state.now));
        let seconds = i64::try_from(run.seconds).unwrap_or(i64::MAX);
        let took = duration(jiff::SignedDuration::from_secs(seconds));
        let (_, style) = mark(state, Some(run));
        lines.push((
            format!(
                "Last run {} {started}, {took} of work: {}",
                run.state, run.id
            ),
            style,
        ));
        lines.extend(run.error.clone().map(|error| (error, theme.bad)));
    } else {
        lines.push(("It never ran.".to_owned(), theme.muted));
    }
    let hint = match job.last_run.as_ref().is_some_and(GlueJobRun::is_under_way) {
        true => format!("{} stops it.", state.key(ActionId::StopCrawler)),
        false => format!("{} starts it.", state.key(ActionId::StartCrawler)),
    };
    lines.push((hint, theme.muted));
    lines
}
