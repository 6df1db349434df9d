//! Letters as Java knows them: small and capital ones, blanks around a text, normal forms.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, StringBuilder},
    datatypes::DataType,
};
use datafusion::{common::Result, logical_expr::ScalarUDF};
use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};

use super::{Take, any_null, function, invalid, returns_text, strings::one_text};
use crate::tokens::BLANKS;

pub(super) fn functions() -> Vec<ScalarUDF> {
    use Take::Text;
    const TRIMMED: &[&[Take]] = &[&[Text], &[Text, Text]];
    vec![
        function("lower", &[&[Text]], returns_text, |columns, _| {
            one_text(columns, |text| Ok(Some(text.chars().map(small).collect())))
        }),
        function("upper", &[&[Text]], returns_text, |columns, _| {
            one_text(columns, |text| {
                Ok(Some(text.chars().map(capital).collect()))
            })
        }),
        function("trim", TRIMMED, returns_text, |columns, _| {
            trimmed(columns, true, true)
        }),
        // What the planner calls `trim(BOTH … FROM …)`.
        function("btrim", TRIMMED, returns_text, |columns, _| {
            trimmed(columns, true, true)
        }),
        function("ltrim", TRIMMED, returns_text, |columns, _| {
            trimmed(columns, true, false)
        }),
        function("rtrim", TRIMMED, returns_text, |columns, _| {
            trimmed(columns, false, true)
        }),
        function(
            "normalize",
            &[&[Text], &[Text, Text]],
            returns_text,
            normalize,
        ),
    ]
}

/// One letter for one letter: `ß` has no capital.
fn capital(letter: char) -> char {
    let mut capitals = letter.to_uppercase();
    match (capitals.next(), capitals.next()) {
        (Some(one), None) => one,
        _ => letter,
    }
}

fn small(letter: char) -> char {
    // The one letter whose small one is told with a dot of its own.
    if letter == '\u{130}' {
        return 'i';
    }
    let mut smalls = letter.to_lowercase();
    match (smalls.next(), smalls.next()) {
        (Some(one), None) => one,
        _ => letter,
    }
}

/// Without some characters at its ends: blanks, where none are given.
fn trimmed(columns: &[ArrayRef], start: bool, end: bool) -> Result<ArrayRef> {
    let texts = columns[0].as_string::<i32>();
    let mut out = StringBuilder::with_capacity(texts.len(), 0);
    for row in 0..texts.len() {
        if any_null(columns, row) {
            out.append_null();
            continue;
        }
        let unwanted = columns
            .get(1)
            .map_or(BLANKS, |column| column.as_string::<i32>().value(row));
        let goes = |c: char| unwanted.contains(c);
        let text = texts.value(row);
        let text = if start {
            text.trim_start_matches(goes)
        } else {
            text
        };
        out.append_value(if end {
            text.trim_end_matches(goes)
        } else {
            text
        });
    }
    Ok(Arc::new(out.finish()))
}

fn normalize(columns: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let texts = columns[0].as_string::<i32>();
    let mut out = StringBuilder::with_capacity(texts.len(), 0);
    for row in 0..texts.len() {
        if any_null(columns, row) {
            out.append_null();
            continue;
        }
        let form = columns
            .get(1)
            .map_or("NFC", |column| column.as_string::<i32>().value(row));
        let text = texts.value(row);
        out.append_value(match form {
            "NFC" => ComposingNormalizerBorrowed::new_nfc().normalize(text),
            "NFD" => DecomposingNormalizerBorrowed::new_nfd().normalize(text),
            "NFKC" => ComposingNormalizerBorrowed::new_nfkc().normalize(text),
            "NFKD" => DecomposingNormalizerBorrowed::new_nfkd().normalize(text),
            other => {
                return invalid(format!(
                    "Normalization form must be one of [NFD, NFC, NFKD, NFKC], not {other}"
                ));
            }
        });
    }
    Ok(Arc::new(out.finish()))
}
