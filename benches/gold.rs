//! The window of the daily report beside a computation by hash maps: `cargo bench --bench gold`.
//!
//! 100,000 clicks and 10,000 conversions over seven days. Both give the same number of rows and the same sum of
//! clicks, compared before the clock starts. The naive way has its rows in memory already, so the ratio flatters
//! it; what counts is that it does not move.

#![allow(clippy::unwrap_used, missing_docs)]

use std::{collections::HashMap, fs::File, hint::black_box, path::Path, sync::Arc};

use arrow::{
    array::{
        ArrayRef, BooleanArray, Decimal128Array, Int64Array, StringArray,
        TimestampMicrosecondArray, new_null_array,
    },
    datatypes::DataType,
    record_batch::RecordBatch,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use jiff::{ToSpan, civil::Date};
use lakehand::{
    pipeline::{dataset::SilverTable, gold::SqlFiles, normalise::contract, ports::QueryEngine},
    platform::local::engine::{DEFAULT_MEMORY_BYTES, EngineSettings, LocalEngine},
};
use parquet::arrow::ArrowWriter;
use tokio_util::sync::CancellationToken;

const CLICKS: usize = 100_000;
const CONVERSIONS: usize = 10_000;
const DAYS: usize = 7;

/// A fact of either kind: day, affiliate, offer, sub5.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Fact {
    day: usize,
    affiliate: i64,
    offer: i64,
    sub5: Option<u64>,
}

fn facts(count: usize, seed: u64) -> Vec<Fact> {
    let mut state = seed;
    let mut roll = |sides: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % sides
    };
    let fact = |_| Fact {
        day: usize::try_from(roll(DAYS as u64)).unwrap(),
        affiliate: i64::try_from(roll(100)).unwrap(),
        offer: i64::try_from(roll(200)).unwrap(),
        sub5: Some(roll(6)).filter(|sub5| *sub5 > 1),
    };
    (0..count).map(fact).collect()
}

fn day(index: usize) -> Date {
    Date::constant(2026, 1, 1)
        .checked_add(i64::try_from(index).unwrap().days())
        .unwrap()
}

fn write(std_dir: &Path, table: SilverTable, facts: &[Fact]) {
    for index in 0..DAYS {
        let rows: Vec<Fact> = facts
            .iter()
            .filter(|fact| fact.day == index)
            .copied()
            .collect();
        let count = rows.len();
        let texts = |make: &dyn Fn(usize, &Fact) -> Option<String>| -> ArrayRef {
            Arc::new(
                rows.iter()
                    .enumerate()
                    .map(|(row, fact)| make(row, fact))
                    .collect::<StringArray>(),
            )
        };
        let schema = contract::schema(table);
        let columns = schema.fields().iter().map(|field| -> ArrayRef {
            match (field.name().as_str(), field.data_type()) {
                ("partner_id", _) => Arc::new(Int64Array::from_iter_values(
                    rows.iter().map(|fact| fact.affiliate),
                )),
                ("offer__id", _) => Arc::new(Int64Array::from_iter_values(
                    rows.iter().map(|fact| fact.offer),
                )),
                ("sub5", _) => texts(&|_, fact| fact.sub5.map(|sub5| format!("campaign {sub5}"))),
                ("id", DataType::Utf8) => texts(&|row, _| Some(format!("{index}-{row}"))),
                ("status", _) => {
                    texts(&|row, _| Some(["confirmed", "declined", "pending"][row % 3].to_owned()))
                }
                ("uniq", _) => Arc::new(BooleanArray::from_iter(
                    (0..count).map(|row| Some(row % 4 > 0)),
                )),
                ("income" | "payouts" | "earnings", data_type) => {
                    let amounts = Decimal128Array::from_iter_values(
                        (0..count).map(|row| i128::try_from(row).unwrap()),
                    );
                    Arc::new(amounts.with_data_type(data_type.clone()))
                }
                (_, data_type) if field.is_nullable() => new_null_array(data_type, count),
                (_, DataType::Utf8) => texts(&|_, _| Some("x".to_owned())),
                _ => Arc::new(TimestampMicrosecondArray::from(vec![0; count])),
            }
        });
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns.collect()).unwrap();
        let file = std_dir.join(table.part_key(Some(day(index))));
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        let mut writer = ArrowWriter::try_new(File::create(file).unwrap(), schema, None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
    }
}

/// Rows and clicks of the report, by one hash map.
fn naive(clicks: &[Fact], conversions: &[Fact]) -> (u64, u64) {
    let mut totals: HashMap<Fact, (u64, u64)> = HashMap::new();
    clicks
        .iter()
        .for_each(|click| totals.entry(*click).or_default().0 += 1);
    conversions
        .iter()
        .for_each(|conversion| totals.entry(*conversion).or_default().1 += 1);
    (
        totals.len() as u64,
        totals.values().map(|total| total.0).sum(),
    )
}

fn gold(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let settings = EngineSettings {
        std_dir: folder.path().join("std"),
        spill_dir: folder.path().join("spill"),
        memory_bytes: DEFAULT_MEMORY_BYTES,
        threads: std::thread::available_parallelism().map_or(2, usize::from),
    };
    let (clicks, conversions) = (facts(CLICKS, 1), facts(CONVERSIONS, 2));
    write(&settings.std_dir, SilverTable::Clicks, &clicks);
    write(&settings.std_dir, SilverTable::Conversions, &conversions);
    let engine = LocalEngine::new(&settings).unwrap();
    let (from, to) = (day(0).to_string(), day(DAYS - 1).to_string());
    let window = SqlFiles::embedded()
        .render(
            "daily_report_sub5/window.sql",
            &[("from", &from), ("to", &to)],
        )
        .unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let run = |sql: &str| {
        runtime
            .block_on(engine.execute(sql, &CancellationToken::new()))
            .unwrap()
            .rows
    };
    let (rows, sum) = naive(&clicks, &conversions);
    assert_eq!(run(&window), rows);
    assert_eq!(
        run(&format!(
            "SELECT 1 FROM ({window}) w HAVING sum(click_count) = {sum}"
        )),
        1
    );
    let mut group = criterion.benchmark_group("window");
    group
        .sample_size(10)
        .throughput(Throughput::Elements((CLICKS + CONVERSIONS) as u64));
    group.bench_function("ours", |bencher| bencher.iter(|| run(black_box(&window))));
    group.bench_function("naive", |bencher| {
        bencher.iter(|| naive(black_box(&clicks), black_box(&conversions)))
    });
    group.finish();
}

criterion_group!(benches, gold);
criterion_main!(benches);
