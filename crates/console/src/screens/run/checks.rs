//! What the checks of data quality found in the execution: what failed first, with the rows it found.

use crate::{
    actions::ActionId,
    format::{moment, plural},
    fresh::Fresh,
    state::State,
    widgets::{list::Scroll, passage::unread},
};
use lakehand_ops::OpsResult;
use lakehand_pipeline::quality::{CheckResult, QualityReport, Severity};

/// What a line is, for its style.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LineKind {
    /// A table and when it was checked.
    Title,
    /// A check that found nothing.
    Good,
    /// A failed check that only warns.
    Warning,
    /// A failed check that ends the build.
    Bad,
    /// A reason.
    Text,
    /// An offending row.
    Sample,
}

/// The lines of the Checks tab.
#[derive(Debug, Clone, Default)]
pub(crate) struct Checks {
    answer: Fresh<()>,
    lines: Vec<(LineKind, String)>,
    scroll: Scroll,
}

impl Checks {
    /// Lines with their kinds.
    pub(crate) fn lines(&self) -> &[(LineKind, String)] {
        &self.lines
    }

    /// The first visible line.
    pub(crate) fn top(&self) -> usize {
        self.scroll.top()
    }

    /// Whether they were asked for, with an answer or without.
    pub(super) fn is_answered(&self) -> bool {
        self.answer.is_answered()
    }

    /// What is to be said in place of lines.
    pub(super) fn empty(&self) -> String {
        match (self.answer.error(), self.answer.is_answered()) {
            (Some(error), _) => unread(error),
            (None, false) => "reading …".to_owned(),
            (None, true) => "this execution checked no table".to_owned(),
        }
    }

    /// Does a moving action.
    pub(super) fn act(&mut self, action: ActionId, height: usize) -> bool {
        self.scroll.act(action, self.lines.len(), height)
    }

    /// Shows a line.
    pub(super) fn scroll_to(&mut self, line: usize, height: usize) {
        self.scroll.to(line, self.lines.len(), height);
    }
}

/// Takes what the checks found.
pub(crate) fn answered(state: &mut State, answer: OpsResult<Vec<QualityReport>>) {
    let now = state.now;
    match answer {
        Ok(reports) => {
            let lines: Vec<_> = reports
                .iter()
                .flat_map(|report| lines_of(state, report))
                .collect();
            let checks = &mut state.run.checks;
            checks.scroll.to(checks.scroll.top(), lines.len(), 1);
            checks.lines = lines;
            checks.answer.answered(now, Ok(()));
        }
        Err(error) => state.run.checks.answer.answered(now, Err(error)),
    }
}

/// A report: how many checks failed, the failed ones with their rows, then those that are well.
fn lines_of(state: &State, report: &QualityReport) -> Vec<(LineKind, String)> {
    let (errors, warnings) = (report.count(Severity::Error), report.count(Severity::Warn));
    let title = format!(
        "{} of {}, checked {}: {}, {}, {}",
        report.table,
        report.window,
        moment(report.checked_at, state.now, &state.zone),
        plural(report.checks.len() as u64, "check"),
        plural(errors as u64, "error"),
        plural(warnings as u64, "warning")
    );
    let mut lines = vec![(LineKind::Title, title)];
    let failed = report
        .failed(Severity::Error)
        .chain(report.failed(Severity::Warn));
    for check in failed {
        lines.extend(failed_lines(report, check));
    }
    let good = report.checks.iter().filter(|check| check.passed);
    lines.extend(good.map(|check| {
        (
            LineKind::Good,
            format!("✓ ok       {}", found(report, check)),
        )
    }));
    lines.push((LineKind::Text, String::new()));
    lines
}

fn failed_lines(report: &QualityReport, check: &CheckResult) -> Vec<(LineKind, String)> {
    let (kind, mark) = match check.severity {
        Severity::Error => (LineKind::Bad, "✗ error   "),
        Severity::Warn => (LineKind::Warning, "! warning "),
    };
    let mut lines = vec![
        (kind, format!("{mark} {}", found(report, check))),
        (LineKind::Text, format!("           {}", check.reason)),
    ];
    let samples = check.samples.iter();
    lines.extend(samples.map(|row| (LineKind::Sample, format!("           · {row}"))));
    lines
}

/// `duplicate_keys: found 3 keys, should be <= 0`.
fn found(report: &QualityReport, check: &CheckResult) -> String {
    let table = if check.table == report.table {
        String::new()
    } else {
        format!("{} ", check.table)
    };
    let value = match &check.value {
        Some(value) => format!("found {value} {}", check.unit),
        None => "could not be measured".to_owned(),
    };
    let wanted = check
        .threshold
        .as_deref()
        .map(|threshold| format!(", should be {threshold}"))
        .unwrap_or_default();
    format!("{table}{}: {value}{wanted}", check.name)
}
