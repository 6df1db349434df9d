//! Regular expressions. Trino's are Java's; what only Java knows (looking around, back references) is refused by name.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanBuilder, Int64Builder, ListBuilder, StringBuilder},
    datatypes::{DataType, Int64Type},
};
use datafusion::{common::Result, logical_expr::ScalarUDF};
use regex::{Captures, Regex};

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

/// Java's pattern as ours.
pub(super) fn pattern(text: &str) -> Result<Regex> {
    for (mark, name) in [
        ("(?=", "look-ahead"),
        ("(?!", "look-ahead"),
        ("(?<=", "look-behind"),
        ("(?<!", "look-behind"),
        ("(?>", "an atomic group"),
    ] {
        if has_unescaped(text, mark) {
            return datafusion::common::not_impl_err!(
                "regular expression '{text}': {name} ({mark}…) is not supported"
            );
        }
    }
    if let Some(digit) = back_reference(text) {
        return datafusion::common::not_impl_err!(
            "regular expression '{text}': a back reference (\\{digit}) is not supported"
        );
    }
    // Java's classes \d, \w, \s and \b are ASCII's unless told otherwise.
    Regex::new(&ascii_classes(text))
        .or_else(|error| invalid(format!("'{text}' is not a regular expression: {error}")))
}

fn has_unescaped(text: &str, mark: &str) -> bool {
    text.match_indices(mark).any(|(at, _)| {
        text[..at]
            .bytes()
            .rev()
            .take_while(|byte| *byte == b'\\')
            .count()
            % 2
            == 0
    })
}

fn back_reference(text: &str) -> Option<char> {
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == '\\'
            && let Some(digit @ ('1'..='9' | 'k')) = chars.next()
        {
            return Some(digit);
        }
    }
    None
}

/// `\d`, `\w`, `\s` and their opposites written out; `\b` keeps to ASCII.
fn ascii_classes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    let mut depth = 0_usize;
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('d') => out.push_str("[0-9]"),
                Some('w') => out.push_str("[A-Za-z0-9_]"),
                Some('s') => out.push_str(r"[ \t\n\x0B\f\r]"),
                Some('D') => out.push_str("[^0-9]"),
                Some('W') => out.push_str("[^A-Za-z0-9_]"),
                Some('S') => out.push_str(r"[^ \t\n\x0B\f\r]"),
                Some(c @ ('b' | 'B')) if depth == 0 => {
                    out.push_str("(?-u:\\");
                    out.push(c);
                    out.push(')');
                }
                Some('Z') => out.push_str(r"\n?\z"),
                Some('h') => out.push_str(r"[ \t\u{A0}]"),
                Some('Q') => {
                    let rest = chars.as_str();
                    let end = rest.find("\\E").unwrap_or(rest.len());
                    out.push_str(&regex::escape(&rest[..end]));
                    chars = rest[(end + 2).min(rest.len())..].chars();
                }
                Some(other) => {
                    out.push('\\');
                    // A letter of another alphabet needs no back slash and must not have one.
                    if !other.is_ascii() {
                        out.pop();
                    }
                    out.push(other);
                }
                None => out.push('\\'),
            },
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
    regex: &'a Regex,
    text: &'a str,
    row: usize,
}

fn group_of(columns: &[ArrayRef], at: usize, regex: &Regex) -> Result<usize> {
    let Some(groups) = columns.get(2) else {
        return Ok(0);
    };
    let group = groups.as_primitive::<Int64Type>().value(at);
    match usize::try_from(group) {
        Ok(group) if group < regex.captures_len() => Ok(group),
        Ok(_) => invalid(format!(
            "Pattern has {} groups. Cannot access group {group}",
            regex.captures_len() - 1
        )),
        Err(_) => invalid("Group cannot be negative"),
    }
}

fn like(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let mut out = BooleanBuilder::with_capacity(columns[0].len());
    each(columns, |asked| {
        out.append_option(asked.map(|asked| asked.regex.is_match(asked.text)));
        Ok(())
    })?;
    Ok(Arc::new(out.finish()))
}

fn count(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let mut out = Int64Builder::with_capacity(columns[0].len());
    each(columns, |asked| {
        let count = asked.map(|asked| matches(asked.regex, asked.text).count());
        out.append_option(count.map(|count| i64::try_from(count).unwrap_or(i64::MAX)));
        Ok(())
    })?;
    Ok(Arc::new(out.finish()))
}

/// Every match as Java finds them: an empty match may follow a match directly, where ours skips it.
pub(super) fn matches<'t>(regex: &'t Regex, text: &'t str) -> impl Iterator<Item = Captures<'t>> {
    let mut at = Some(0_usize);
    std::iter::from_fn(move || {
        let start = at?;
        let found = regex.captures_at(text, start)?;
        let whole = found.get(0)?;
        at = if whole.is_empty() {
            text[whole.end()..]
                .chars()
                .next()
                .map(|c| whole.end() + c.len_utf8())
        } else {
            Some(whole.end())
        };
        Some(found)
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
        let found = regex.captures(text);
        out.append_option(
            found
                .and_then(|found| found.get(group))
                .map(|found| found.as_str()),
        );
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
                out.values()
                    .append_option(found.get(group).map(|found| found.as_str()));
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
                let Some(whole) = found.get(0) else { continue };
                out.values().append_value(&text[last..whole.start()]);
                last = whole.end();
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
        let found = from.and_then(|from| {
            regex
                .find_iter(&text[from..])
                .nth(nth)
                .map(|found| from + found.start())
        });
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
    regex: &Regex,
    text: &str,
    mut write: impl FnMut(&Captures, &mut String) -> Result<()>,
) -> Result<String> {
    let mut out = String::with_capacity(text.len());
    let mut last = 0;
    for found in matches(regex, text) {
        let Some(whole) = found.get(0) else { continue };
        out.push_str(&text[last..whole.start()]);
        write(&found, &mut out)?;
        last = whole.end();
    }
    out.push_str(&text[last..]);
    Ok(out)
}

/// Java's replacement: `$1a` is group 1 and an `a`; the number goes on while there is such a group.
fn substitute(replacement: &str, found: &Captures, out: &mut String) -> Result<()> {
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
                match found.name(&name) {
                    Some(group) => out.push_str(group.as_str()),
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
                    if longer >= found.len() {
                        break;
                    }
                    group = longer;
                    chars.next();
                }
                if group >= found.len() {
                    return invalid(format!(
                        "Illegal replacement sequence: unknown group {group}"
                    ));
                }
                out.push_str(found.get(group).map_or("", |group| group.as_str()));
            }
            c => out.push(c),
        }
    }
    Ok(())
}
