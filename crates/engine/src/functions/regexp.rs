//! Regular expressions. Trino's are Java's; what the plain machine cannot tell (looking
//! around, back references, atomic groups) is tried with a limit.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanBuilder, Int64Builder, ListBuilder, StringBuilder},
    datatypes::{DataType, Int64Type},
};
use datafusion::{common::Result, logical_expr::ScalarUDF};
use regex::Regex;

use super::{
    Repeated, Take, any_null, function, invalid, returns_bigint, returns_text, returns_texts,
};

pub(super) fn functions() -> Vec<ScalarUDF> {
    use Take::{Int, Text};
    vec![
        function("regexp_count", &[&[Text, Text]], returns_bigint, count),
        function(
            "regexp_extract",
            &[&[Text, Text], &[Text, Text, Int]],
            returns_text,
            extract,
        ),
        function(
            "regexp_extract_all",
            &[&[Text, Text], &[Text, Text, Int]],
            returns_texts,
            extract_all,
        ),
        function(
            "regexp_like",
            &[&[Text, Text]],
            |_, _| Ok(DataType::Boolean),
            like,
        ),
        function(
            "regexp_position",
            &[&[Text, Text], &[Text, Text, Int], &[Text, Text, Int, Int]],
            returns_bigint,
            position,
        ),
        function(
            "regexp_replace",
            &[&[Text, Text], &[Text, Text, Text]],
            returns_text,
            replace,
        ),
        function("regexp_split", &[&[Text, Text]], returns_texts, split),
    ]
}

/// How far a search may go back before it is given up: a pattern of nested repetitions could go on for years.
const STEPS_BACK: usize = 1_000_000;

/// A pattern in the machine that can tell it.
#[derive(Debug)]
pub(super) enum Pattern {
    /// In time that grows with the text.
    Plain {
        regex: Regex,
        /// The same, where `$` may stand in front of a line feed that ends the text.
        ended: Option<Box<fancy_regex::Regex>>,
    },
    /// Looking around, back references, atomic groups: by trying.
    Tried(Box<fancy_regex::Regex>),
}

/// What a pattern found.
pub(super) enum Found<'t> {
    Plain(regex::Captures<'t>),
    Tried(fancy_regex::Captures<'t, str>),
}

impl<'t> Found<'t> {
    /// Where a group stands in the text.
    pub(super) fn span(&self, group: usize) -> Option<std::ops::Range<usize>> {
        match self {
            Self::Plain(found) => found.get(group).map(|found| found.range()),
            Self::Tried(found) => found.get(group).map(|found| found.range()),
        }
    }

    /// A group's text.
    pub(super) fn group(&self, group: usize) -> Option<&'t str> {
        match self {
            Self::Plain(found) => found.get(group).map(|found| found.as_str()),
            Self::Tried(found) => found.get(group).map(|found| found.as_str()),
        }
    }

    fn named(&self, name: &str) -> Option<&'t str> {
        match self {
            Self::Plain(found) => found.name(name).map(|found| found.as_str()),
            Self::Tried(found) => found.name(name).map(|found| found.as_str()),
        }
    }

    /// How many groups there are, the whole match among them.
    pub(super) fn groups(&self) -> usize {
        match self {
            Self::Plain(found) => found.len(),
            Self::Tried(found) => found.len(),
        }
    }
}

impl Pattern {
    /// The machine for a text.
    fn of(&self, text: &str) -> Machine<'_> {
        match self {
            Self::Plain {
                ended: Some(tried), ..
            } if text.ends_with('\n') => Machine::Tried(tried),
            Self::Plain { regex, .. } => Machine::Plain(regex),
            Self::Tried(tried) => Machine::Tried(tried),
        }
    }

    fn is_match(&self, text: &str) -> Result<bool> {
        match self.of(text) {
            Machine::Plain(regex) => Ok(regex.is_match(text)),
            Machine::Tried(regex) => regex
                .is_match(text)
                .or_else(|error| given_up(regex, &error)),
        }
    }

    fn find_at<'t>(&self, text: &'t str, start: usize) -> Result<Option<Found<'t>>> {
        match self.of(text) {
            Machine::Plain(regex) => Ok(regex.captures_at(text, start).map(Found::Plain)),
            Machine::Tried(regex) => regex
                .captures_from_pos(text, start)
                .map(|found| found.map(Found::Tried))
                .or_else(|error| given_up(regex, &error)),
        }
    }

    /// How many groups there are, the whole match among them.
    fn groups(&self) -> usize {
        match self {
            Self::Plain { regex, .. } => regex.captures_len(),
            Self::Tried(regex) => regex.captures_len(),
        }
    }
}

enum Machine<'p> {
    Plain(&'p Regex),
    Tried(&'p fancy_regex::Regex),
}

fn given_up<T>(regex: &fancy_regex::Regex, error: &fancy_regex::Error) -> Result<T> {
    datafusion::common::not_impl_err!(
        "regular expression '{}': the search was given up after {STEPS_BACK} steps back ({error}); \
         write it without repetitions inside of repetitions",
        regex.as_str()
    )
}

/// Java's pattern as ours.
pub(super) fn pattern(text: &str) -> Result<Pattern> {
    if !is_possessive(text)
        && let Ok(regex) = Regex::new(&translated(text, false))
    {
        let ended = has_end(text)
            .then(|| tried(text))
            .and_then(std::result::Result::ok);
        return Ok(Pattern::Plain {
            regex,
            ended: ended.map(Box::new),
        });
    }
    match tried(text) {
        Ok(regex) => Ok(Pattern::Tried(Box::new(regex))),
        Err(error) => invalid(format!("'{text}' is not a regular expression: {error}")),
    }
}

fn tried(text: &str) -> std::result::Result<fancy_regex::Regex, fancy_regex::Error> {
    fancy_regex::RegexBuilder::new(&translated(text, true))
        .backtrack_limit(STEPS_BACK)
        .build()
}

/// What stands outside of classes and is not escaped, with a blank in the place of what is.
fn bare(text: &str) -> String {
    let (mut depth, mut escaped) = (0_usize, false);
    let told = text.chars().map(|c| {
        let (was_escaped, was_deep) = (escaped, depth > 0);
        escaped = c == '\\' && !was_escaped;
        if !was_escaped {
            match c {
                '[' => depth += 1,
                ']' => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        if was_escaped || was_deep { ' ' } else { c }
    });
    told.collect()
}

/// `a++`, `a*+`, `a?+`, `a{2}+`: what is taken is not given back; the plain machine would read a repetition of a
/// repetition.
fn is_possessive(text: &str) -> bool {
    let bare = bare(text);
    ["++", "*+", "?+", "}+"]
        .iter()
        .any(|mark| bare.contains(mark))
}

/// Whether the end of the text is asked for and may stand in front of a last line feed.
fn has_end(text: &str) -> bool {
    (bare(text).contains('$') || text.contains("\\Z")) && !text.contains("(?m")
}

/// A place where a word of ASCII's letters starts or ends, by looking around.
const EDGE: &str = "(?:(?<=[A-Za-z0-9_])(?![A-Za-z0-9_])|(?<![A-Za-z0-9_])(?=[A-Za-z0-9_]))";
/// A place inside of a word, or between two that are none.
const NO_EDGE: &str = "(?:(?<=[A-Za-z0-9_])(?=[A-Za-z0-9_])|(?<![A-Za-z0-9_])(?![A-Za-z0-9_]))";

/// `\d`, `\w`, `\s` and their opposites written out: Java's classes and `\b` are ASCII's unless told otherwise. What is
/// tried may look around.
fn translated(text: &str, tried: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    let mut depth = 0_usize;
    let ends = has_end(text);
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(c @ ('b' | 'B')) if depth == 0 => match (tried, c) {
                    (true, 'b') => out.push_str(EDGE),
                    (true, _) => out.push_str(NO_EDGE),
                    (false, c) => {
                        out.push_str("(?-u:\\");
                        out.push(c);
                        out.push(')');
                    }
                },
                Some('Z') => out.push_str(if tried { r"(?=\n?\z)" } else { r"\z" }),
                Some('Q') => {
                    let rest = chars.as_str();
                    let end = rest.find("\\E").unwrap_or(rest.len());
                    out.push_str(&regex::escape(&rest[..end]));
                    chars = rest[(end + 2).min(rest.len())..].chars();
                }
                other => escaped(other, &mut out),
            },
            '$' if tried && depth == 0 && ends => out.push_str(r"(?=\n?\z)"),
            '[' => {
                // A bracket in a class is itself in Java only where it opens another class; ours agrees.
                depth += 1;
                out.push(c);
            }
            ']' => {
                depth = depth.saturating_sub(1);
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

/// What stands behind a back slash.
fn escaped(what: Option<char>, out: &mut String) {
    match what {
        Some('d') => out.push_str("[0-9]"),
        Some('w') => out.push_str("[A-Za-z0-9_]"),
        Some('s') => out.push_str(r"[ \t\n\x0B\f\r]"),
        Some('D') => out.push_str("[^0-9]"),
        Some('W') => out.push_str("[^A-Za-z0-9_]"),
        Some('S') => out.push_str(r"[^ \t\n\x0B\f\r]"),
        Some('h') => out.push_str(r"[ \t\u{A0}]"),
        Some(other) => {
            // A letter of another alphabet needs no back slash and must not have one.
            if other.is_ascii() {
                out.push('\\');
            }
            out.push(other);
        }
        None => out.push('\\'),
    }
}

/// One row after the other; nothing for those that have a NULL.
fn each(columns: &[ArrayRef], mut row: impl FnMut(Option<Asked>) -> Result<()>) -> Result<()> {
    let (texts, patterns) = (columns[0].as_string::<i32>(), columns[1].as_string::<i32>());
    let mut known = Repeated::new();
    for at in 0..texts.len() {
        row(match any_null(columns, at) {
            true => None,
            false => Some(Asked {
                regex: known.get(patterns.value(at), pattern)?,
                text: texts.value(at),
                row: at,
            }),
        })?;
    }
    Ok(())
}

/// A text and the pattern it is asked with.
struct Asked<'a> {
    regex: &'a Pattern,
    text: &'a str,
    row: usize,
}

fn group_of(columns: &[ArrayRef], at: usize, regex: &Pattern) -> Result<usize> {
    let Some(groups) = columns.get(2) else {
        return Ok(0);
    };
    let group = groups.as_primitive::<Int64Type>().value(at);
    match usize::try_from(group) {
        Ok(group) if group < regex.groups() => Ok(group),
        Ok(_) => invalid(format!(
            "Pattern has {} groups. Cannot access group {group}",
            regex.groups() - 1
        )),
        Err(_) => invalid("Group cannot be negative"),
    }
}

fn like(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let mut out = BooleanBuilder::with_capacity(columns[0].len());
    each(columns, |asked| {
        out.append_option(
            asked
                .map(|asked| asked.regex.is_match(asked.text))
                .transpose()?,
        );
        Ok(())
    })?;
    Ok(Arc::new(out.finish()))
}

fn count(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let mut out = Int64Builder::with_capacity(columns[0].len());
    each(columns, |asked| {
        let count = asked.map(|asked| {
            matches(asked.regex, asked.text)
                .map(|found| found.map(|_| 1))
                .sum::<Result<usize>>()
        });
        let count = count.transpose()?;
        out.append_option(count.map(|count| i64::try_from(count).unwrap_or(i64::MAX)));
        Ok(())
    })?;
    Ok(Arc::new(out.finish()))
}

/// Every match as Java finds them: an empty match may follow a match directly, where ours skips it.
pub(super) fn matches<'p, 't>(
    regex: &'p Pattern,
    text: &'t str,
) -> impl Iterator<Item = Result<Found<'t>>> + use<'p, 't> {
    let mut at = Some(0_usize);
    std::iter::from_fn(move || {
        let start = at?;
        let found = match regex.find_at(text, start) {
            Ok(found) => found?,
            Err(error) => {
                at = None;
                return Some(Err(error));
            }
        };
        let whole = found.span(0)?;
        at = if whole.is_empty() {
            text[whole.end..]
                .chars()
                .next()
                .map(|c| whole.end + c.len_utf8())
        } else {
            Some(whole.end)
        };
        Some(Ok(found))
    })
}

/// The first match, or a group of it; null without a match.
fn extract(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let mut out = StringBuilder::with_capacity(columns[0].len(), 0);
    each(columns, |asked| {
        let Some(Asked { regex, text, row }) = asked else {
            out.append_null();
            return Ok(());
        };
        let group = group_of(columns, row, regex)?;
        let found = regex.find_at(text, 0)?;
        out.append_option(found.and_then(|found| found.group(group)));
        Ok(())
    })?;
    Ok(Arc::new(out.finish()))
}

fn extract_all(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let mut out = ListBuilder::new(StringBuilder::new());
    each(columns, |asked| {
        let present = asked.is_some();
        if let Some(Asked { regex, text, row }) = asked {
            let group = group_of(columns, row, regex)?;
            for found in matches(regex, text) {
                out.values().append_option(found?.group(group));
            }
        }
        out.append(present);
        Ok(())
    })?;
    Ok(Arc::new(out.finish()))
}

fn split(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let mut out = ListBuilder::new(StringBuilder::new());
    each(columns, |asked| {
        let present = asked.is_some();
        if let Some(Asked { regex, text, .. }) = asked {
            let mut last = 0;
            for found in matches(regex, text) {
                let Some(whole) = found?.span(0) else {
                    continue;
                };
                out.values().append_value(&text[last..whole.start]);
                last = whole.end;
            }
            out.values().append_value(&text[last..]);
        }
        out.append(present);
        Ok(())
    })?;
    Ok(Arc::new(out.finish()))
}

/// The character at which the n-th match from a place starts, or -1.
fn position(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let number = |index: usize, row: usize| {
        columns
            .get(index)
            .map_or(1, |column| column.as_primitive::<Int64Type>().value(row))
    };
    let mut out = Int64Builder::with_capacity(columns[0].len());
    each(columns, |asked| {
        let Some(Asked { regex, text, row }) = asked else {
            out.append_null();
            return Ok(());
        };
        let (start, occurrence) = (number(2, row), number(3, row));
        if start < 1 {
            return invalid("start position cannot be smaller than 1");
        }
        if occurrence < 1 {
            return invalid("occurrence cannot be smaller than 1");
        }
        let (skip, nth) = (
            usize::try_from(start - 1).unwrap_or(usize::MAX),
            usize::try_from(occurrence - 1).unwrap_or(usize::MAX),
        );
        let from = text
            .char_indices()
            .map(|(at, _)| at)
            .chain([text.len()])
            .nth(skip);
        let rest = from.map_or("", |from| &text[from..]);
        let found = match from {
            Some(_) => matches(regex, rest).nth(nth).transpose()?,
            None => None,
        };
        let found = found
            .and_then(|found| found.span(0))
            .map(|span| text.len() - rest.len() + span.start);
        let found =
            found.map(|at| i64::try_from(text[..at].chars().count() + 1).unwrap_or(i64::MAX));
        out.append_value(found.unwrap_or(-1));
        Ok(())
    })?;
    Ok(Arc::new(out.finish()))
}

/// Every match replaced; `$1` and `${name}` in the replacement stand for groups, `\$` for a dollar.
fn replace(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let mut out = StringBuilder::with_capacity(columns[0].len(), 0);
    each(columns, |asked| {
        let Some(Asked { regex, text, row }) = asked else {
            out.append_null();
            return Ok(());
        };
        let replacement = columns
            .get(2)
            .map_or("", |column| column.as_string::<i32>().value(row));
        out.append_value(replaced(regex, text, |found, out| {
            substitute(replacement, found, out)
        })?);
        Ok(())
    })?;
    Ok(Arc::new(out.finish()))
}

/// The text with every match written anew.
fn replaced(
    regex: &Pattern,
    text: &str,
    mut write: impl FnMut(&Found, &mut String) -> Result<()>,
) -> Result<String> {
    let mut out = String::with_capacity(text.len());
    let mut last = 0;
    for found in matches(regex, text) {
        let found = found?;
        let Some(whole) = found.span(0) else { continue };
        out.push_str(&text[last..whole.start]);
        write(&found, &mut out)?;
        last = whole.end;
    }
    out.push_str(&text[last..]);
    Ok(out)
}

/// Java's replacement: `$1a` is group 1 and an `a`; the number goes on while there is such a group.
fn substitute(replacement: &str, found: &Found, out: &mut String) -> Result<()> {
    let mut chars = replacement.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(other) => out.push(other),
                None => return invalid("Illegal replacement sequence: a back slash at the end"),
            },
            '$' if chars.next_if_eq(&'{').is_some() => {
                let name: String = std::iter::from_fn(|| chars.next_if(|c| *c != '}')).collect();
                if chars.next() != Some('}') {
                    return invalid("Illegal replacement sequence: '${' without '}'");
                }
                match found.named(&name) {
                    Some(group) => out.push_str(group),
                    None => {
                        return invalid(format!(
                            "Illegal replacement sequence: unknown group '{name}'"
                        ));
                    }
                }
            }
            '$' => {
                let Some(first) = chars.next().and_then(|c| c.to_digit(10)) else {
                    return invalid(format!("Illegal replacement sequence: '{replacement}'"));
                };
                let mut group = first as usize;
                while let Some(digit) = chars.peek().and_then(|c| c.to_digit(10)) {
                    let longer = group * 10 + digit as usize;
                    if longer >= found.groups() {
                        break;
                    }
                    group = longer;
                    chars.next();
                }
                if group >= found.groups() {
                    return invalid(format!(
                        "Illegal replacement sequence: unknown group {group}"
                    ));
                }
                out.push_str(found.group(group).unwrap_or_default());
            }
            c => out.push(c),
        }
    }
    Ok(())
}
