//! CSV of a gold-like table beside the obvious way to write it: `cargo bench --bench export`.
//!
//! Both write the same 100,000 rows of 24 columns, and the bytes are compared before the clock starts. The
//! ratio between the two is the number that counts; rows a second are printed by criterion (`elem/s`).

#![allow(clippy::unwrap_used, missing_docs)]

use std::{fmt::Write, hint::black_box, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, Date32Array, Float64Array, Int64Array, StringArray},
    datatypes::{DataType, Field, Float64Type, Int64Type, Schema},
    record_batch::RecordBatch,
    util::display::{ArrayFormatter, FormatOptions},
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lakehand::pipeline::export::{LineEnding, encode};

const ROWS: usize = 100_000;

/// Columns as in the peers' gold table: a day, fourteen dimensions, six counts, three amounts.
fn table() -> RecordBatch {
    let count = |step: i64| {
        Arc::new(Int64Array::from_iter_values(
            (0..ROWS as i64).map(|row| row * step % 1_000),
        )) as ArrayRef
    };
    let text = |make: &dyn Fn(usize) -> Option<String>| {
        Arc::new((0..ROWS).map(make).collect::<StringArray>()) as ArrayRef
    };
    let mut columns: Vec<ArrayRef> = vec![Arc::new(Date32Array::from_iter_values(
        (0..ROWS).map(|row| 20_000 + i32::try_from(row / 20_000).unwrap()),
    ))];
    columns.push(count(7));
    for dimension in 0..11 {
        columns.push(text(&move |row| match (row + dimension) % 5 {
            0 => None,
            1 => Some(format!("plain text {}", row % 100)),
            2 => Some(format!("with, comma \"and\" quotes {dimension}")),
            3 => Some("юникод 🚀".to_owned()),
            _ => Some(format!("offer {}", row % 1_000)),
        }));
    }
    columns.push(count(3));
    columns.push(text(&|row| Some(format!("{}.{}", row % 17, row % 10))));
    (0..6).for_each(|step| columns.push(count(step + 1)));
    for step in 1..4 {
        let amounts =
            (0..ROWS).map(|row| f64::from(i32::try_from(row % 10_000).unwrap() * step) / 100.0);
        columns.push(Arc::new(Float64Array::from_iter_values(amounts)));
    }
    let fields = columns
        .iter()
        .enumerate()
        .map(|(index, column)| Field::new(format!("c{index}"), column.data_type().clone(), true));
    RecordBatch::try_new(Arc::new(Schema::new(fields.collect::<Vec<_>>())), columns).unwrap()
}

/// One text a cell, as one would write it first.
fn naive(batch: &RecordBatch) -> String {
    let options = FormatOptions::default();
    let formatters: Vec<_> = batch
        .columns()
        .iter()
        .map(|column| ArrayFormatter::try_new(column, &options).unwrap())
        .collect();
    let mut out = String::new();
    for row in 0..batch.num_rows() {
        let cells: Vec<String> = batch
            .columns()
            .iter()
            .zip(&formatters)
            .map(|(column, formatter)| cell(column, formatter, row))
            .collect();
        writeln!(out, "{}", cells.join(",")).unwrap();
    }
    out
}

fn cell(column: &ArrayRef, formatter: &ArrayFormatter, row: usize) -> String {
    match column.data_type() {
        _ if column.is_null(row) => String::new(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::Float64 => format!("{:?}", column.as_primitive::<Float64Type>().value(row)),
        _ => {
            let text = formatter.value(row).to_string();
            if text.is_empty() || text.contains([',', '"', '\n', '\r']) {
                format!("\"{}\"", text.replace('"', "\"\""))
            } else {
                text
            }
        }
    }
}

fn export(criterion: &mut Criterion) {
    let batch = table();
    let mut ours = Vec::new();
    encode(&batch, LineEnding::Lf, &mut ours).unwrap();
    assert_eq!(
        ours,
        naive(&batch).into_bytes(),
        "the two ways write different bytes"
    );
    let mut group = criterion.benchmark_group("csv");
    group
        .sample_size(20)
        .throughput(Throughput::Elements(ROWS as u64));
    group.bench_function("ours", |bencher| {
        bencher.iter(|| {
            let mut out = Vec::with_capacity(ours.len());
            encode(black_box(&batch), LineEnding::Lf, &mut out).unwrap();
            out
        });
    });
    group.bench_function("naive", |bencher| bencher.iter(|| naive(black_box(&batch))));
    group.finish();
}

criterion_group!(benches, export);
criterion_main!(benches);
