//! Cells and quotes against other implementations.

use std::sync::Arc;

use arrow::{
    array::{
        Array, ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array,
        StringArray, StringViewArray, TimestampMicrosecondArray, TimestampSecondArray,
    },
    datatypes::{Field, Schema},
};
use proptest::prelude::*;

use super::{cells::integer, *};

fn encoded(columns: Vec<ArrayRef>, line_ending: LineEnding) -> String {
    let fields = columns
        .iter()
        .enumerate()
        .map(|(index, column)| Field::new(format!("c{index}"), column.data_type().clone(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let mut out = Vec::new();
    encode(
        &RecordBatch::try_new(schema, columns).unwrap(),
        line_ending,
        &mut out,
    )
    .unwrap();
    String::from_utf8(out).unwrap()
}

fn cell(column: impl Array + 'static) -> String {
    let other: ArrayRef = Arc::new(Int64Array::from(vec![0; column.len()]));
    encoded(vec![Arc::new(column), other], LineEnding::Lf)
        .lines()
        .map(|line| line.strip_suffix(",0").unwrap().to_owned())
        .collect::<Vec<_>>()
        .join(";")
}

#[test]
fn each_type_has_its_form() {
    assert_eq!(
        cell(Int64Array::from(vec![
            Some(0),
            None,
            Some(i64::MIN),
            Some(1_234_567),
            Some(99),
            Some(100)
        ])),
        "0;;-9223372036854775808;1234567;99;100"
    );
    let money = Decimal128Array::from(vec![12_430_000, 7_000_000, -5, 0, 120_000])
        .with_precision_and_scale(38, 6)
        .unwrap();
    assert_eq!(cell(money), "12.43;7;-0.000005;0;0.12");
    let wide = Decimal128Array::from(vec![i128::MAX / 2])
        .with_precision_and_scale(38, 18)
        .unwrap();
    assert_eq!(cell(wide), "85070591730234615865.843651857942052863");
    assert_eq!(
        cell(Float64Array::from(vec![5.0, 0.1 + 0.2, -1.5, f64::NAN])),
        "5.0;0.30000000000000004;-1.5;NaN"
    );
    assert_eq!(
        cell(Date32Array::from(vec![0, 20_484, -1])),
        "1970-01-01;2026-01-31;1969-12-31"
    );
    assert_eq!(
        cell(TimestampMicrosecondArray::from(vec![1_500_000, -1])),
        "1970-01-01 00:00:01.500000;1969-12-31 23:59:59.999999"
    );
    assert_eq!(
        cell(TimestampSecondArray::from(vec![86_400]).with_timezone("UTC")),
        "1970-01-02 00:00:00Z"
    );
    assert_eq!(cell(BooleanArray::from(vec![true, false])), "true;false");
}

#[test]
fn quotes_stand_where_they_are_needed_and_null_is_not_empty() {
    let texts = vec![
        Some("a"),
        None,
        Some(""),
        Some("=1+1"),
        Some("a,b"),
        Some("say \"hi\""),
        Some("0012"),
        Some(" x "),
    ];
    assert_eq!(
        cell(StringArray::from(texts.clone())),
        "a;;\"\";=1+1;\"a,b\";\"say \"\"hi\"\"\";0012; x "
    );
    assert_eq!(
        cell(StringViewArray::from(texts)),
        "a;;\"\";=1+1;\"a,b\";\"say \"\"hi\"\"\";0012; x "
    );
    let column: ArrayRef = Arc::new(StringArray::from(vec![None, Some("a\rb")]));
    assert_eq!(
        encoded(vec![column], LineEnding::CrLf),
        "\"\"\r\n\"a\rb\"\r\n"
    );
}

/// RFC 4180 read back by another implementation.
fn read_back(csv: &[u8], width: usize) -> Vec<Vec<String>> {
    let mut reader = csv_core::Reader::new();
    let (mut rows, mut input) = (Vec::new(), csv);
    loop {
        let (mut out, mut ends) = (vec![0; csv.len() + 8], vec![0; width + 1]);
        let (result, read, _, fields) = reader.read_record(input, &mut out, &mut ends);
        input = &input[read..];
        match result {
            csv_core::ReadRecordResult::End => return rows,
            csv_core::ReadRecordResult::InputEmpty if input.is_empty() && fields == 0 => {
                return rows;
            }
            csv_core::ReadRecordResult::Record => {
                let starts = std::iter::once(0).chain(ends.iter().copied());
                let cells = starts
                    .zip(&ends[..fields])
                    .map(|(start, end)| String::from_utf8(out[start..*end].to_vec()).unwrap());
                rows.push(cells.collect());
            }
            other => panic!("{other:?}"),
        }
    }
}

proptest! {
    #[test]
    fn any_text_comes_back(texts in prop::collection::vec(prop::option::of("[a,\"\r\n é🚀=]{0,8}"), 1..20), crlf: bool) {
        let second: Vec<Option<i64>> = (0..texts.len()).map(|row| i64::try_from(row).ok()).collect();
        let columns: Vec<ArrayRef> = vec![Arc::new(StringArray::from(texts.clone())), Arc::new(Int64Array::from(second))];
        let csv = encoded(columns, if crlf { LineEnding::CrLf } else { LineEnding::Lf });
        let rows = read_back(csv.as_bytes(), 2);
        let expected: Vec<Vec<String>> =
            texts.iter().enumerate().map(|(row, text)| vec![text.clone().unwrap_or_default(), row.to_string()]).collect();
        prop_assert_eq!(rows, expected);
    }

    #[test]
    fn integers_and_decimals_are_what_rust_prints(value: i64, scale in 0_u32..30, wide: i128) {
        let mut out = Vec::new();
        integer(value, &mut out);
        prop_assert_eq!(String::from_utf8(out).unwrap(), value.to_string());
        let size = wide.unsigned_abs().to_string();
        let padded = format!("{size:0>width$}", width = scale as usize + 1);
        let (whole, fraction) = padded.split_at(padded.len() - scale as usize);
        let fraction = fraction.trim_end_matches('0');
        let point = if fraction.is_empty() { "" } else { "." };
        let expected = format!("{}{whole}{point}{fraction}", if wide < 0 { "-" } else { "" });
        let mut out = Vec::new();
        decimal(wide, scale, &mut out);
        prop_assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
