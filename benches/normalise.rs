//! How fast lines become typed columns, beside two plain ways of doing the same: a `serde_json::Value` a row,
//! and `sonic-rs`'s lazy iterator over an object's members. Data is generated here, shaped like Affise's clicks.
//!
//! The last lines say the ratios of this run; they count, not the absolute figures.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{hint::black_box, time::Instant};

use criterion::{Criterion, Throughput};
use jiff::tz::TimeZone;
use lakehand::pipeline::{
    dataset::{SilverTable, Stream},
    normalise::{contract, decode_lines},
};

const ROWS: usize = 8_000;

/// Clicks as the API prints them: some 900 bytes a row, a few hundred offers and partners, odd text.
fn clicks() -> Vec<u8> {
    let mut text = String::new();
    for at in 0..ROWS {
        let (offer, partner, version) = (at * 7 % 500, at * 13 % 200, at % 11);
        let sub5 = ["\"кампания\"", "\"a,b\"", "null", "\"say \\\"hi\\\"\"", "\"cmp_17\""][at % 5];
        text.push_str(&format!(
            r#"{{"id":"{at:024x}","created_at":"2026-03-0{} 10:{:02}:{:02}","ip":"10.0.{}.{}","ua":"Mozilla/5.0 (Linux; Android {version}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0 Safari/537.36","device":"Samsung","device_type":"mobile","os":"Android","os_version":"{version}.0","browser":"Chrome","browser_version":"{}","connection_type":"wi-fi","country":"DE","country_name":"Germany","city":"Köln","city_id":{},"isp_code":"ISP DE","offer":{{"id":{offer},"title":"Кредит Loan, DE/AT \"CPL\" {offer}","offer_id":"{offer:024x}","url":"https:\/\/trk.example.com\/c\/{offer}?sub1={{clickid}}","external_id":false}},"referrer":null,"sub1":"src{}","sub2":"{:x}","sub3":null,"sub4":"","sub5":{sub5},"sub6":null,"sub7":null,"sub8":null,"uniq":{},"cbid":null,"partner_id":{partner},"partner":{{"id":{partner},"title":"partner{partner}@example.com","email":"partner{partner}@example.com","login":"","name":"","manager":{{"id":"{partner:024x}","title":"Ирина M{}"}},"manager_id":"{partner:024x}"}}}}"#,
            1 + at % 3, at / 60 % 60, at % 60, at / 256 % 256, at % 256, 100 + version, 100 + version, offer % 97, at % 5000, at * 2_654_435_761, at % 4 != 0, partner % 23
        ));
        text.push('\n');
    }
    text.into_bytes()
}

fn ours(text: &[u8]) -> usize {
    decode_lines(Stream::AffiseClicks, &TimeZone::UTC, text).unwrap().batches.iter().map(|batch| batch.num_rows()).sum()
}

/// A tree a row, then one look-up a column; only the text of the cells is kept.
fn with_serde_json(text: &[u8]) -> usize {
    let columns = contract::columns(SilverTable::Clicks);
    let mut cells: Vec<(Vec<u8>, Vec<usize>)> = columns.iter().map(|_| Default::default()).collect();
    for line in text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        let row: serde_json::Value = serde_json::from_slice(line).unwrap();
        for (column, (bytes, ends)) in columns.iter().zip(&mut cells) {
            let found = column.path.iter().try_fold(&row, |value, key| value.get(key));
            match found {
                Some(serde_json::Value::String(text)) => bytes.extend_from_slice(text.as_bytes()),
                Some(serde_json::Value::Null) | None => {}
                Some(other) => bytes.extend_from_slice(other.to_string().as_bytes()),
            }
            ends.push(bytes.len());
        }
    }
    cells[0].1.len()
}

fn sonic_object(json: &[u8], path: &mut Vec<u8>, cells: &mut [(Vec<u8>, usize)], places: &std::collections::HashMap<Vec<u8>, usize>) {
    use sonic_rs::JsonValueTrait;
    for member in sonic_rs::to_object_iter(json) {
        let (key, value) = member.unwrap();
        let length = path.len();
        if length > 0 {
            path.push(b'.');
        }
        path.extend_from_slice(key.as_bytes());
        match places.get(path.as_slice()) {
            Some(&at) => {
                match value.as_str() {
                    Some(text) => cells[at].0.extend_from_slice(text.as_bytes()),
                    None => cells[at].0.extend_from_slice(value.as_raw_str().as_bytes()),
                }
                cells[at].1 += 1;
            }
            None if value.is_object() => sonic_object(value.as_raw_str().as_bytes(), path, cells, places),
            None => {}
        }
        path.truncate(length);
    }
}

/// Lazy members, one map look-up each; only the text of the cells is kept.
fn with_sonic(text: &[u8]) -> usize {
    let columns = contract::columns(SilverTable::Clicks);
    let places = columns.iter().enumerate().map(|(at, column)| (column.path.join(".").into_bytes(), at)).collect();
    let mut cells: Vec<(Vec<u8>, usize)> = columns.iter().map(|_| Default::default()).collect();
    let mut path = Vec::new();
    for line in text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        sonic_object(line, &mut path, &mut cells, &places);
    }
    cells[0].1
}

fn seconds(run: impl Fn() -> usize) -> f64 {
    let once = || {
        let start = Instant::now();
        assert_eq!(black_box(run()), ROWS);
        start.elapsed().as_secs_f64()
    };
    (0..7).map(|_| once()).fold(f64::INFINITY, f64::min)
}

fn main() {
    let text = clicks();
    let mut criterion = Criterion::default().configure_from_args().sample_size(20);
    let mut group = criterion.benchmark_group("decode clicks");
    group.throughput(Throughput::Elements(ROWS as u64));
    group.bench_function("lakehand, into typed columns", |bencher| bencher.iter(|| ours(black_box(&text))));
    group.bench_function("serde_json::Value, cells as text", |bencher| bencher.iter(|| with_serde_json(black_box(&text))));
    group.bench_function("sonic-rs lazy members, cells as text", |bencher| bencher.iter(|| with_sonic(black_box(&text))));
    group.finish();
    criterion.final_summary();
    let (ours, serde, sonic) = (seconds(|| ours(&text)), seconds(|| with_serde_json(&text)), seconds(|| with_sonic(&text)));
    println!("lakehand {:.0} rows/s; {:.1} times serde_json::Value, {:.1} times sonic-rs", ROWS as f64 / ours, serde / ours, sonic / ours);
}
