//! Values made by hand in every format.

use std::sync::{Arc, Mutex};

use arrow::{
    array::{
        Array as _, BooleanArray, Decimal128Array, Float32Array, Float64Array, Int32Array,
        Int64Array, ListArray, MapArray, NullArray, StructArray, TimestampMicrosecondArray,
    },
    buffer::OffsetBuffer,
    datatypes::{Fields, Int32Type},
};

use super::*;

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn rows_of(batches: Vec<RecordBatch>) -> QueryRows {
    QueryRows {
        schema: batches[0].schema(),
        batches: Box::pin(futures::stream::iter(batches).map(Ok)),
        scanned: Default::default(),
    }
}

async fn bytes(batches: Vec<RecordBatch>, format: RowFormat, most: Option<usize>) -> Vec<u8> {
    let kept = Kept::default();
    let sink = Sink {
        out: Box::new(kept.clone()),
        most_columns: most,
    };
    let count: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let written = write_rows(rows_of(batches), format, sink).await.unwrap();
    assert_eq!(written, count as u64);
    kept.0.lock().unwrap().to_vec()
}

async fn text(batch: RecordBatch, format: RowFormat) -> String {
    String::from_utf8(bytes(vec![batch], format, None).await).unwrap()
}

fn batch<const N: usize>(columns: [(&str, ArrayRef); N]) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true)))
        .unwrap()
}

fn texts(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn numbers() -> RecordBatch {
    let decimals = Decimal128Array::from(vec![
        Some(99_999_999_999_999_999_999_999_999_999_999_999_999),
        Some(-1),
        None,
    ]);
    let decimals = decimals.with_precision_and_scale(38, 18).unwrap();
    batch([
        (
            "whole",
            Arc::new(Int64Array::from(vec![Some(i64::MAX), Some(i64::MIN), None])),
        ),
        ("money", Arc::new(decimals)),
        (
            "double",
            Arc::new(Float64Array::from(vec![
                Some(f64::NAN),
                Some(f64::NEG_INFINITY),
                Some(0.1),
            ])),
        ),
        (
            "real",
            Arc::new(Float32Array::from(vec![
                Some(0.1),
                Some(f32::INFINITY),
                None,
            ])),
        ),
        (
            "flag",
            Arc::new(BooleanArray::from(vec![Some(true), Some(false), None])),
        ),
        ("nothing", Arc::new(NullArray::new(3))),
    ])
}

#[tokio::test]
async fn numbers_keep_all_their_digits() {
    assert_eq!(
        text(numbers(), RowFormat::Json).await,
        concat!(
            r#"{"whole":9223372036854775807,"money":"99999999999999999999.999999999999999999","double":"NaN","real":0.1,"flag":true,"nothing":null}"#,
            "\n",
            r#"{"whole":-9223372036854775808,"money":"-0.000000000000000001","double":"-Infinity","real":"Infinity","flag":false,"nothing":null}"#,
            "\n",
            r#"{"whole":null,"money":null,"double":0.1,"real":null,"flag":null,"nothing":null}"#,
            "\n",
        )
    );
    assert_eq!(
        text(numbers(), RowFormat::Tsv).await,
        concat!(
            "whole\tmoney\tdouble\treal\tflag\tnothing\n",
            "9223372036854775807\t99999999999999999999.999999999999999999\tNaN\t0.1\ttrue\t\\N\n",
            "-9223372036854775808\t-0.000000000000000001\t-Infinity\tInfinity\tfalse\t\\N\n",
            "\\N\t\\N\t0.1\t\\N\t\\N\t\\N\n",
        )
    );
    assert_eq!(
        text(numbers(), RowFormat::Csv).await,
        concat!(
            "whole,money,double,real,flag,nothing\n",
            "9223372036854775807,99999999999999999999.999999999999999999,NaN,0.1,true,\n",
            "-9223372036854775808,-0.000000000000000001,-Infinity,Infinity,false,\n",
            ",,0.1,,,\n",
        )
    );
}

#[tokio::test]
async fn a_null_is_no_empty_text_in_any_format() {
    let one = || {
        batch([
            ("a", texts(&[None, Some(""), Some("x")])),
            ("b", texts(&[Some("1"), Some("2"), Some("3")])),
        ])
    };
    for (format, expected) in [
        (RowFormat::Table, "a     b\nNULL  1\n      2\nx     3\n"),
        (RowFormat::Csv, "a,b\n,1\n\"\",2\nx,3\n"),
        (RowFormat::Tsv, "a\tb\n\\N\t1\n\t2\nx\t3\n"),
        (
            RowFormat::Markdown,
            "| a | b |\n| --- | --- |\n| NULL | 1 |\n|  | 2 |\n| x | 3 |\n",
        ),
        (
            RowFormat::Json,
            "{\"a\":null,\"b\":\"1\"}\n{\"a\":\"\",\"b\":\"2\"}\n{\"a\":\"x\",\"b\":\"3\"}\n",
        ),
        (
            RowFormat::Vertical,
            "-[ row 1 ]-\na | NULL\nb | 1\n-[ row 2 ]-\na | \nb | 2\n-[ row 3 ]-\na | x\nb | 3\n",
        ),
    ] {
        assert_eq!(text(one(), format).await, expected, "{format:?}");
    }
}

#[tokio::test]
async fn nothing_in_a_text_ends_its_cell_or_steers_a_terminal() {
    let one = || {
        batch([(
            "a|b\tc",
            texts(&[Some("x\ty\nz|\\N"), Some("\u{1b}[31m\"q\",")]),
        )])
    };
    assert_eq!(
        text(one(), RowFormat::Tsv).await,
        "a|b\\tc\nx\\ty\\nz|\\\\N\n\u{1b}[31m\"q\",\n"
    );
    assert_eq!(
        text(one(), RowFormat::Markdown).await,
        "| a\\|b␉c |\n| --- |\n| x␉y<br>z\\|\\\\N |\n| ␛[31m\"q\", |\n"
    );
    assert_eq!(
        text(one(), RowFormat::Table).await,
        "a|b␉c\nx␉y␊z|\\N\n␛[31m\"q\",\n"
    );
    assert_eq!(
        text(one(), RowFormat::Json).await,
        "{\"a|b\\tc\":\"x\\ty\\nz|\\\\N\"}\n{\"a|b\\tc\":\"\\u001b[31m\\\"q\\\",\"}\n"
    );
}

#[tokio::test]
async fn arrays_rows_and_maps_are_json() {
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>([
        Some(vec![Some(1), None, Some(3)]),
        None,
        Some(vec![]),
    ]);
    let fields = Fields::from(vec![
        Field::new("n", DataType::Int64, true),
        Field::new("n", DataType::Utf8, true),
    ]);
    let inner: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![
            Some(9_007_199_254_740_993),
            None,
            Some(2),
        ])),
        texts(&[Some("a\"b"), Some(""), None]),
    ];
    let row = StructArray::new(fields, inner, Some(vec![true, true, false].into()));
    let entries = StructArray::from(vec![
        (
            Arc::new(Field::new("keys", DataType::Int32, false)),
            Arc::new(Int32Array::from(vec![7, 8])) as ArrayRef,
        ),
        (
            Arc::new(Field::new("values", DataType::Utf8, true)),
            texts(&[None, Some("v")]),
        ),
    ]);
    let entry = Arc::new(Field::new("entries", entries.data_type().clone(), false));
    let offsets = OffsetBuffer::new(vec![0, 2, 2, 2].into());
    let map = MapArray::new(
        entry,
        offsets,
        entries,
        Some(vec![true, true, false].into()),
        false,
    );
    let one = || {
        batch([
            ("list", Arc::new(list.clone())),
            ("row", Arc::new(row.clone())),
            ("map", Arc::new(map.clone())),
        ])
    };
    assert_eq!(
        text(one(), RowFormat::Json).await,
        concat!(
            r#"{"list":[1,null,3],"row":{"n":9007199254740993,"n_1":"a\"b"},"map":{"7":null,"8":"v"}}"#,
            "\n",
            r#"{"list":null,"row":{"n":null,"n_1":""},"map":{}}"#,
            "\n",
            r#"{"list":[],"row":null,"map":null}"#,
            "\n",
        )
    );
    assert_eq!(
        text(one(), RowFormat::Csv).await,
        concat!(
            "list,row,map\n",
            "\"[1,null,3]\",\"{\"\"n\"\":9007199254740993,\"\"n_1\"\":\"\"a\\\"\"b\"\"}\",\"{\"\"7\"\":null,\"\"8\"\":\"\"v\"\"}\"\n",
            ",\"{\"\"n\"\":null,\"\"n_1\"\":\"\"\"\"}\",{}\n",
            "[],,\n",
        )
    );
}

#[tokio::test]
async fn times_are_texts() {
    let at = TimestampMicrosecondArray::from(vec![1_769_850_000_123_456]);
    let one = batch([("at", Arc::new(at))]);
    assert_eq!(
        text(one, RowFormat::Json).await,
        "{\"at\":\"2026-01-31T09:00:00.123456\"}\n"
    );
}

#[tokio::test]
async fn columns_align_by_display_width_and_names_are_made_safe() {
    let one = batch([
        (
            "name\u{1b}[31m",
            texts(&[Some("日本語"), Some("e\u{301}"), None, Some("👩‍👩‍👧")]),
        ),
        (
            "b",
            texts(&[Some("x"), Some("\u{9b}2J"), Some("y"), Some("z")]),
        ),
    ]);
    assert_eq!(
        text(one, RowFormat::Table).await,
        "name␛[31m  b\n日本語     x\ne\u{301}          \u{fffd}2J\nNULL       y\n👩‍👩‍👧         z\n"
    );
}

#[tokio::test]
async fn widths_are_those_of_the_first_rows_and_nothing_is_cut() {
    let many: Vec<Option<&str>> = vec![Some("ab"); 1000];
    let of = |values: &[Option<&str>]| {
        let second = vec![Some("|"); values.len()];
        batch([("c", texts(values)), ("d", texts(&second))])
    };
    let batches = vec![of(&many), of(&[Some("abcdef"), Some("a")])];
    let shown = String::from_utf8(bytes(batches, RowFormat::Table, None).await).unwrap();
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines.len(), 1003);
    assert_eq!(lines[0], "c   d");
    assert_eq!(lines[1000..], ["ab  |", "abcdef  |", "a   |"]);
}

#[tokio::test]
async fn what_is_wider_than_the_terminal_is_written_a_value_a_line() {
    let one = || {
        batch([
            ("first", texts(&[Some("12345678")])),
            ("s", texts(&[Some("9")])),
        ])
    };
    let wide = bytes(vec![one()], RowFormat::Table, Some(11)).await;
    assert_eq!(
        String::from_utf8(wide).unwrap(),
        "first     s\n12345678  9\n"
    );
    let narrow = bytes(vec![one()], RowFormat::Table, Some(10)).await;
    assert_eq!(
        String::from_utf8(narrow).unwrap(),
        "-[ row 1 ]-\nfirst | 12345678\ns     | 9\n"
    );
}

#[tokio::test]
async fn parquet_gives_the_same_rows_back() {
    let written = bytes(vec![numbers(), numbers()], RowFormat::Parquet, None).await;
    let reader = ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(
        ::bytes::Bytes::from(written),
    );
    let back: Vec<RecordBatch> = reader
        .unwrap()
        .build()
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let whole = arrow::compute::concat_batches(&back[0].schema(), &back).unwrap();
    assert_eq!(whole.num_rows(), 6);
    assert_eq!(whole.slice(3, 3).column(1), numbers().column(1));
    assert_eq!(whole.slice(0, 3).column(0), numbers().column(0));
}

#[test]
fn a_files_ending_names_its_format() {
    for (path, format) in [
        ("a.csv", Some(RowFormat::Csv)),
        ("A.PARQUET", Some(RowFormat::Parquet)),
        ("a.ndjson", Some(RowFormat::Json)),
        ("a.md", Some(RowFormat::Markdown)),
        ("a", None),
        ("a.xlsx", None),
    ] {
        assert_eq!(RowFormat::of_file(Path::new(path)), format, "{path}");
    }
}
