//! Drawing of the Credentials screen: the list, and below it the history and the last sign-in of the selected one.

use std::borrow::Cow;

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::{SignInTest, list};
use crate::{
    actions::ActionId,
    effect::Request,
    format::{age, ago, full},
    state::State,
    widgets::{
        dialog::wrapped,
        grid::{self, Cell, Column},
        passage::{put_wrapped, unread},
        text::{Pen, rule},
    },
};
use lakehand_ops::{Credential, CredentialState, SignInVerdict};

const COLUMNS: [Column; 7] = [
    Column::fixed("", 11, 0),
    Column::growing("credential", 26, 2, 0),
    Column::growing("what it is", 26, 1, 3),
    Column::number("version", 7, 4),
    Column::number("age", 7, 1),
    Column::fixed("set by", 10, 5),
    Column::fixed("sign-in", 17, 2),
];

/// Draws the Credentials screen.
pub(crate) fn view(state: &State, buffer: &mut Buffer) {
    let theme = &state.theme;
    let (body, area) = (state.body(), list(state));
    rule(buffer, body.x, body.y, body.width, theme.rule);
    Pen::new(buffer, body, 0).gap(1).put(
        &format!(" Credentials of {} ", state.identity.profile),
        theme.heading,
    );
    let widths = grid::widths(&COLUMNS, area.width);
    let titles = Rect {
        y: body.y + 1,
        height: 1,
        ..area
    };
    grid::titles(buffer, titles, &COLUMNS, &widths, theme);
    let all = state.credentials.all();
    if all.is_empty() {
        let rest = Rect {
            height: body.bottom().saturating_sub(area.y),
            ..area
        };
        put_wrapped(buffer, rest, &empty(state), theme.muted);
    }
    let visible = state
        .credentials
        .cursor
        .visible(all.len(), area.height.into());
    for (line, position) in visible.enumerate() {
        let line = u16::try_from(line).unwrap_or(u16::MAX);
        let cells = cells(state, &all[position]);
        grid::row(buffer, area, line, &COLUMNS, &widths, &cells);
        if position == state.credentials.cursor.selected() {
            grid::select(buffer, body, area, line, theme);
        }
    }
    let below = Rect {
        y: area.bottom() + 1,
        height: body.bottom().saturating_sub(area.bottom() + 1),
        ..body
    };
    if let Some(selected) = state.credentials.selected() {
        details(state, buffer, below, selected);
    }
}

fn empty(state: &State) -> String {
    let answer = &state.credentials.answer;
    match (answer.error(), answer.is_answered()) {
        (Some(error), _) => unread(error),
        (None, false) => "reading …".to_owned(),
        (None, true) => "no configured source needs one".to_owned(),
    }
}

/// Mark, word and style of how a credential stands.
fn standing(state: &State, one: &Credential) -> (&'static str, Style) {
    let theme = &state.theme;
    match &one.state {
        CredentialState::Missing => ("✗ MISSING", theme.bad),
        CredentialState::Present(_) if one.overdue => ("! OVERDUE", theme.warn),
        CredentialState::Present(_) => ("✓ present", theme.good),
        CredentialState::Environment { .. } => ("✓ variable", theme.good),
        CredentialState::Sample => ("· sample", theme.muted),
        CredentialState::Elsewhere { .. } => ("· elsewhere", theme.muted),
    }
}

fn cells<'s>(state: &State, one: &'s Credential) -> [Cell<'s>; 7] {
    let theme = &state.theme;
    let (word, style) = standing(state, one);
    let version = match &one.state {
        CredentialState::Present(version) => Some(version),
        _ => None,
    };
    let old = version.map(|version| age(version.set_at, state.now));
    let old_style = if one.overdue { theme.warn } else { theme.text };
    let by = version.and_then(|version| version.by.as_deref());
    let number = version.map(|version| version.version.to_string());
    [
        (Cow::Borrowed(word), style),
        (Cow::Borrowed(one.path.as_str()), theme.text),
        (Cow::Borrowed(one.kind.title()), theme.muted),
        (Cow::Owned(number.unwrap_or_default()), theme.muted),
        (Cow::Owned(old.unwrap_or_default()), old_style),
        (Cow::Borrowed(by.unwrap_or_default()), theme.muted),
        signed_in(state, one),
    ]
}

/// How the last sign-in with it went, from this console.
fn signed_in<'s>(state: &State, one: &Credential) -> Cell<'s> {
    let theme = &state.theme;
    let tests = &state.credentials.tests;
    let under_way = |source: &&'static str| {
        let request = Request::TestCredentials((*source).to_owned());
        state.is_in_flight(&request.key())
    };
    if one.sources.iter().any(under_way) {
        return (Cow::Borrowed("signing in …"), theme.running);
    }
    // Of several sources the one with the worst answer is told; below the list each is.
    let worst = |test: &&SignInTest| match test.result.as_ref().map(|result| result.verdict) {
        Ok(SignInVerdict::Refused) => 3,
        Ok(SignInVerdict::Missing) => 2,
        Ok(SignInVerdict::Unclear) | Err(_) => 1,
        Ok(SignInVerdict::Accepted) => 0,
    };
    let tested = one.sources.iter().filter_map(|source| tests.get(*source));
    let Some(test) = tested.max_by_key(worst) else {
        return (Cow::Borrowed("not tested"), theme.muted);
    };
    let when = ago(test.at, state.now);
    match test.result.as_ref().map(|result| result.verdict) {
        Ok(SignInVerdict::Accepted) => (Cow::Owned(format!("✓ {when}")), theme.good),
        Ok(SignInVerdict::Refused) => (Cow::Owned(format!("✗ refused {when}")), theme.bad),
        Ok(SignInVerdict::Missing) => (Cow::Borrowed("✗ not complete"), theme.bad),
        Ok(SignInVerdict::Unclear) | Err(_) => (Cow::Borrowed("! no clear answer"), theme.warn),
    }
}

/// Below the list: what the selected one is, what its sources said last, its versions.
fn details(state: &State, buffer: &mut Buffer, area: Rect, one: &Credential) {
    let theme = &state.theme;
    if area.height == 0 {
        return;
    }
    rule(buffer, area.x, area.y, area.width, theme.rule);
    Pen::new(buffer, area, 0)
        .gap(1)
        .put(&format!(" {} ", one.path), theme.heading);
    let mut lines: Vec<(String, Style)> = Vec::new();
    let columns = area.width.saturating_sub(2);
    let mut add = |text: &str, style: Style| {
        lines.extend(wrapped(text, columns).into_iter().map(|line| (line, style)));
    };
    let sources = one.sources.join(" and ");
    add(&format!("{}, for {sources}", one.kind.title()), theme.text);
    for (text, style) in standing_in_words(state, one) {
        add(&text, style);
    }
    for source in &one.sources {
        if let Some(test) = state.credentials.tests.get(*source) {
            let (text, style) = test_in_words(state, source, test);
            add(&text, style);
        }
    }
    lines.push((String::new(), theme.text));
    lines.extend(history(state));
    for (row, (text, style)) in lines.iter().enumerate() {
        let row = u16::try_from(row + 1).unwrap_or(u16::MAX);
        Pen::new(buffer, area, row).gap(1).put(text, *style);
    }
}

/// How it stands and what to do about it.
fn standing_in_words(state: &State, one: &Credential) -> Vec<(String, Style)> {
    let theme = &state.theme;
    let set = state.key(ActionId::SetCredential);
    match &one.state {
        CredentialState::Missing => vec![
            (format!("It was never set; {set} sets it."), theme.bad),
            (format!("To get one: {}.", one.kind.advice()), theme.muted),
        ],
        CredentialState::Present(_) => match one.rotate_by {
            Some(by) if one.overdue => vec![(
                format!(
                    "It was to be replaced by {}; {set} sets a new one.",
                    full(by, &state.zone)
                ),
                theme.warn,
            )],
            Some(by) => vec![(
                format!("To be replaced by {}.", full(by, &state.zone)),
                theme.muted,
            )],
            None => Vec::new(),
        },
        CredentialState::Environment { variable } => vec![(
            format!("The variable {variable} gives it, whatever is stored."),
            theme.text,
        )],
        CredentialState::Sample => vec![(
            "This lake holds sample data: the built-in simulator brings its own.".to_owned(),
            theme.text,
        )],
        CredentialState::Elsewhere { why } => vec![(why.clone(), theme.text)],
    }
}

fn test_in_words(state: &State, source: &str, test: &super::SignInTest) -> (String, Style) {
    let theme = &state.theme;
    let when = ago(test.at, state.now);
    match &test.result {
        Ok(result) if result.verdict == SignInVerdict::Accepted => {
            let at = result
                .at
                .as_deref()
                .map(|at| format!(" at {at}"))
                .unwrap_or_default();
            let warning = result
                .warning
                .as_deref()
                .map(|text| format!("; but {text}"));
            let text = format!("Signed in to {source} as {}{at}, {when}", result.message);
            match warning {
                Some(warning) => (format!("{text}{warning}"), theme.warn),
                None => (text, theme.good),
            }
        }
        Ok(result) => (format!("{source}, {when}: {}", result.message), theme.bad),
        Err(error) => (
            format!("{source}, {when}: {error}. {}", error.advice),
            theme.warn,
        ),
    }
}

fn history(state: &State) -> Vec<(String, Style)> {
    let theme = &state.theme;
    let Some((_, history)) = &state.credentials.history else {
        return Vec::new();
    };
    let versions = match (history.value(), history.error()) {
        (Some(versions), _) => versions,
        (None, Some(error)) => return vec![(format!("History: {error}"), theme.muted)],
        (None, None) => return vec![("History: reading …".to_owned(), theme.muted)],
    };
    versions
        .iter()
        .rev()
        .map(|version| {
            let text = format!(
                "version {:<4} {}  {:<12} by {}",
                version.version,
                full(version.set_at, &state.zone),
                ago(version.set_at, state.now),
                version.by.as_deref().unwrap_or("somebody")
            );
            (text, theme.muted)
        })
        .collect()
}
