//! `import` from the outside: files in, partitions and quarantine out, compared with plain computations.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/mod.rs"]
mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{Read, Write},
    path::{Path, PathBuf},
};

use arrow::{
    array::{Array, AsArray},
    datatypes::{DataType, Decimal128Type, Int64Type, TimestampMicrosecondType},
};
use jiff::{Timestamp, ToSpan};
use lakehand::pipeline::{
    dataset::{SilverTable, Stream},
    jobs::{ErrorType, JobContext},
    normalise::{
        NormaliseRequest, NormaliseSummary, QuarantinedLine, import, normalise, take_back,
    },
};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tempfile::TempDir;

/// A row of silver as text; a null is absent.
type Row = BTreeMap<String, String>;

struct Setting {
    folder: TempDir,
    ctx: JobContext,
}

fn setting() -> Setting {
    let folder = tempfile::tempdir().unwrap();
    let ctx = support::context(
        support::profile(&folder.path().join("lake"), "UTC"),
        "2026-03-10T09:00:00Z",
    );
    Setting { folder, ctx }
}

impl Setting {
    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// Changes the clock and the threads of the same lake.
    fn at(&self, now: &str, threads: usize) -> JobContext {
        let mut profile = support::profile(&self.folder.path().join("lake"), "UTC");
        profile.normalise.threads = threads;
        support::context(profile, now)
    }

    fn std(&self) -> PathBuf {
        self.folder.path().join("lake/std")
    }

    fn raw(&self) -> PathBuf {
        self.folder.path().join("lake/raw")
    }

    /// The files of silver and quarantine; what an import kept of before names its files and executions.
    fn data(&self) -> Vec<Vec<u8>> {
        ["silver", "quarantine"]
            .iter()
            .flat_map(|folder| files_below(&self.std().join(folder)))
            .map(|path| fs::read(path).unwrap())
            .collect()
    }

    fn rows(&self, table: SilverTable) -> Vec<Row> {
        files_below(&self.std().join(table.prefix()))
            .iter()
            .flat_map(|path| parquet_rows(path))
            .collect()
    }

    fn quarantine(&self) -> Vec<QuarantinedLine> {
        let lines = files_below(&self.std().join("quarantine"))
            .into_iter()
            .map(|path| text_of(&path))
            .collect::<String>();
        lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.file_name().is_some_and(|name| name == ".staging") {
            continue;
        }
        if path.is_dir() {
            found.extend(files_below(&path))
        } else {
            found.push(path)
        }
    }
    found.sort();
    found
}

fn text_of(path: &Path) -> String {
    let mut text = Vec::new();
    let file = File::open(path).unwrap();
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("zst") => zstd::stream::read::Decoder::new(file)
            .unwrap()
            .read_to_end(&mut text)
            .unwrap(),
        Some("gz") => flate2::read::MultiGzDecoder::new(file)
            .read_to_end(&mut text)
            .unwrap(),
        _ => File::open(path).unwrap().read_to_end(&mut text).unwrap(),
    };
    String::from_utf8_lossy(&text).into_owned()
}

fn parquet_rows(path: &Path) -> Vec<Row> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap())
        .unwrap()
        .build()
        .unwrap();
    let day = path
        .parent()
        .and_then(|folder| folder.file_name())
        .unwrap()
        .to_string_lossy()
        .into_owned();
    let mut rows = Vec::new();
    for batch in reader {
        let batch = batch.unwrap();
        for row in 0..batch.num_rows() {
            let mut cells = Row::from([("(folder)".to_owned(), day.clone())]);
            for (field, column) in batch
                .schema()
                .fields()
                .iter()
                .zip(batch.columns())
                .filter(|(_, column)| column.is_valid(row))
            {
                let text = match column.data_type() {
                    DataType::Utf8 => column.as_string::<i32>().value(row).to_owned(),
                    DataType::Int64 => column.as_primitive::<Int64Type>().value(row).to_string(),
                    DataType::Decimal128(..) => {
                        column.as_primitive::<Decimal128Type>().value_as_string(row)
                    }
                    DataType::Boolean => column.as_boolean().value(row).to_string(),
                    _ => Timestamp::from_microsecond(
                        column.as_primitive::<TimestampMicrosecondType>().value(row),
                    )
                    .unwrap()
                    .to_string(),
                };
                cells.insert(field.name().clone(), text);
            }
            rows.push(cells);
        }
    }
    rows
}

async fn imported(ctx: &JobContext, stream: Stream, files: &[PathBuf]) -> NormaliseSummary {
    let summary = import(ctx, stream, files).await.unwrap();
    assert!(summary.reconciles(), "{summary:?}");
    summary
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A small generator of numbers, so that tests do not depend on a crate's version.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// A conversion as the test keeps it, beside what it writes.
#[derive(Clone)]
struct Conversion {
    id: u64,
    created: Timestamp,
    updated: Timestamp,
    status: &'static str,
    cents: u64,
}

impl Conversion {
    fn line(&self) -> String {
        let stamp = |at: Timestamp| at.strftime("%Y-%m-%d %H:%M:%S").to_string();
        let (revenue, payouts) = (self.cents, self.cents * 3 / 4);
        let money = |cents: u64| format!("{}.{:02}", cents / 100, cents % 100);
        format!(
            r#"{{"id":"{:024x}","status":"{}","created_at":"{}","updated_at":"{}","offer":{{"id":{},"title":"Ünï {}"}},"revenue":{},"payouts":"{}","earnings":{}}}"#,
            self.id,
            self.status,
            stamp(self.created),
            stamp(self.updated),
            self.id % 7,
            self.id % 7,
            money(revenue),
            money(payouts),
            money(revenue - payouts)
        )
    }
}

fn conversions(count: u64) -> Vec<Conversion> {
    let mut numbers = Numbers(7);
    let start: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
    let mut all: Vec<Conversion> = Vec::new();
    for at in 0..count {
        if at % 10 == 9 {
            let mut again = all[numbers.below(all.len() as u64) as usize].clone();
            again.status = ["confirmed", "declined"][numbers.below(2) as usize];
            again.updated += (numbers.below(3) as i64).hours();
            again.cents += numbers.below(2);
            all.push(again);
        } else {
            let created = start + (numbers.below(5 * 86_400) as i64).seconds();
            all.push(Conversion {
                id: at * 31,
                created,
                updated: created,
                status: "pending",
                cents: numbers.below(100_000),
            });
        }
    }
    all
}

/// The newest version of each, the later line winning ties: what silver has to say.
fn newest(all: &[Conversion]) -> BTreeMap<String, Conversion> {
    let mut found: BTreeMap<String, Conversion> = BTreeMap::new();
    for conversion in all {
        let key = format!("{:024x}", conversion.id);
        if found
            .get(&key)
            .is_none_or(|old| conversion.updated >= old.updated)
        {
            found.insert(key, conversion.clone());
        }
    }
    found
}

fn assert_silver_is(rows: &[Row], wanted: &BTreeMap<String, Conversion>) {
    assert_eq!(rows.len(), wanted.len());
    for row in rows {
        let truth = &wanted[&row["id"]];
        assert_eq!(row["status"], truth.status);
        assert_eq!(row["created_at"], truth.created.to_string());
        assert_eq!(
            row["(folder)"],
            format!("date={}", &truth.created.to_string()[..10])
        );
        assert_eq!(
            row["income"],
            format!(
                "{}.{:02}{}",
                truth.cents / 100,
                truth.cents % 100,
                "0".repeat(16)
            )
        );
        assert_eq!(row["offer__title"], format!("Ünï {}", truth.id % 7));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_newest_version_of_every_conversion_arrives_once_and_a_repeat_changes_nothing() {
    let setting = setting();
    let all = conversions(6000);
    let lines: Vec<String> = all.iter().map(Conversion::line).collect();
    let plain = setting.file("a.ndjson", lines[..2000].join("\n"));
    let packed = setting.file("b.ndjson.gz", gz(lines[2000..4000].join("\r\n").as_bytes()));
    let zipped = setting.file(
        "c.zst",
        zstd::bulk::compress(lines[4000..].join("\n").as_bytes(), 1).unwrap(),
    );
    let files = [plain, packed, zipped];
    let first = imported(&setting.ctx, Stream::AffiseConversions, &files).await;
    let wanted = newest(&all);
    assert_eq!(
        (first.rows_in, first.rows_new, first.rows_updated),
        (6000, wanted.len() as u64, 0)
    );
    assert_silver_is(&setting.rows(SilverTable::Conversions), &wanted);
    let before = setting.data();

    let again = imported(
        &setting.at("2026-03-11T09:00:00Z", 3),
        Stream::AffiseConversions,
        &files,
    )
    .await;
    assert_eq!(
        (again.rows_unchanged, again.rows_new, again.rows_updated),
        (wanted.len() as u64, 0, 0)
    );
    assert!(again.partitions.is_empty());
    let all_of_bronze = NormaliseRequest {
        stream: Stream::AffiseConversions,
        manifests: Vec::new(),
    };
    let from_bronze = normalise(&setting.ctx, &all_of_bronze).await.unwrap();
    assert!(from_bronze.reconciles() && from_bronze.partitions.is_empty());
    let after = setting.data();
    assert!(before == after, "a repeat changed a file");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn newer_versions_replace_older_ones_whatever_the_order_of_arrival() {
    let all = conversions(3000);
    let wanted = newest(&all);
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let setting = setting();
        for (turn, part) in order.into_iter().enumerate() {
            let lines: Vec<String> = all[part * 1000..(part + 1) * 1000]
                .iter()
                .map(Conversion::line)
                .collect();
            let file = setting.file(&format!("{part}.ndjson"), lines.join("\n"));
            // Received in the order of the data, whatever the order of loading.
            let ctx = setting.at(&format!("2026-03-1{part}T0{turn}:00:00Z"), 2);
            imported(&ctx, Stream::AffiseConversions, &[file]).await;
        }
        assert_silver_is(&setting.rows(SilverTable::Conversions), &wanted);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_input_gives_the_same_bytes_on_any_number_of_threads() {
    // Long values make several segments of 8 MiB, and a memory limit that spills.
    let all = conversions(4000);
    let padding = "x".repeat(12_000);
    let lines: Vec<String> = all
        .iter()
        .map(|conversion| {
            conversion.line().replacen(
                '{',
                &format!("{{\"comment\":\"{}{padding}\",", conversion.id),
                1,
            )
        })
        .collect();
    let mut results = Vec::new();
    for threads in [1, 4] {
        let setting = setting();
        let mut profile = support::profile(&setting.folder.path().join("lake"), "UTC");
        profile.normalise.threads = threads;
        profile.normalise.memory_mb = 16;
        let ctx = support::context(profile, "2026-03-10T09:00:00Z");
        let files = [
            setting.file("a.gz", gz(lines[..2500].join("\n").as_bytes())),
            setting.file("b", lines[2500..].join("\n")),
        ];
        let summary = imported(&ctx, Stream::AffiseConversions, &files).await;
        assert_eq!(summary.rows_new, newest(&all).len() as u64);
        // The collection's id is made of contents; the manifest names the files' folder, silver does not.
        results.push(setting.data());
    }
    assert!(results[0] == results[1]);
}

fn base(at: u64) -> String {
    format!(
        r#"{{"id":"{at:024x}","created_at":"2026-03-05 10:00:00","n":{at},"offer":{{"id":{at},"ext":null}},"caps":[{{"period":"day","goals":{{"1":"Install"}}}}]}}"#
    )
}

fn lines_with(change: impl Fn(u64, String) -> String) -> Vec<u8> {
    (0..1000)
        .map(|at| change(at, base(at)) + "\n")
        .collect::<String>()
        .into_bytes()
}

/// A fault of a real feed: the file, the lines that must be put aside, and what a row must say.
struct Hostile {
    name: &'static str,
    bytes: Vec<u8>,
    aside: Vec<u64>,
    rows: usize,
    says: fn(u64, &Row, &serde_json::Value) -> bool,
}

fn hostile() -> Vec<Hostile> {
    let fine: fn(u64, &Row, &serde_json::Value) -> bool =
        |at, row, extra| row["offer__id"] == at.to_string() && extra["n"] == at;
    let fault = |name, bytes, says| Hostile {
        name,
        bytes,
        aside: Vec::new(),
        rows: 1000,
        says,
    };
    let one_bad = |name, bytes, line| Hostile {
        name,
        bytes,
        aside: vec![line],
        rows: if line == 1001 { 1000 } else { 999 },
        says: fine,
    };
    let lines: Vec<Vec<u8>> = (0..1000).map(|at| base(at).into_bytes()).collect();
    let joined = |lines: &[Vec<u8>], between: &[u8]| lines.join(between);
    let cut = [
        joined(&lines, b"\n"),
        b"\n".to_vec(),
        lines[0][..40].to_vec(),
    ]
    .concat();
    let html = [
        joined(&lines[..500], b"\n"),
        b"\n<html>502 Bad Gateway</html>\n".to_vec(),
        joined(&lines[500..], b"\n"),
    ]
    .concat();
    let crlf = [
        b"\xef\xbb\xbf".to_vec(),
        joined(&lines[..500], b"\r\n"),
        b"\r\n\r\n\r\n".to_vec(),
        joined(&lines[500..], b"\r\n"),
        b"\r\n".to_vec(),
    ]
    .concat();
    let mut not_utf8 = lines.clone();
    not_utf8[999] = base(999)
        .replace("2026", "\u{1}")
        .into_bytes()
        .into_iter()
        .map(|byte| if byte == 1 { 0xff } else { byte })
        .collect();
    let mut all = vec![
        fault("clean", lines_with(|_, line| line), fine),
        fault(
            "map_or_list",
            lines_with(|at, line| {
                if at < 500 {
                    line
                } else {
                    line.replace(r#"{"1":"Install"}"#, "[]")
                }
            }),
            |at, row, extra| {
                let goals = if at < 500 {
                    serde_json::json!({"1": "Install"})
                } else {
                    serde_json::json!([])
                };
                row["offer__id"] == at.to_string() && extra["caps"][0]["goals"] == goals
            },
        ),
        fault(
            "bool_or_string",
            lines_with(|at, line| {
                line.replace("null", if at % 2 == 0 { "false" } else { "\"E1\"" })
            }),
            |at, _, extra| {
                extra["offer.ext"]
                    == if at % 2 == 0 {
                        serde_json::json!(false)
                    } else {
                        serde_json::json!("E1")
                    }
            },
        ),
        fault(
            "number_becomes_string",
            lines_with(|at, line| line.replace(&format!("\"n\":{at}"), &format!("\"n\":\"{at}\""))),
            |at, _, extra| extra["n"].as_str() == Some(at.to_string().as_str()),
        ),
        fault(
            "int_becomes_float",
            lines_with(|at, line| line.replace(&format!("\"n\":{at},"), &format!("\"n\":{at}.5,"))),
            |at, _, extra| extra["n"] == at as f64 + 0.5,
        ),
        fault(
            "beyond_2_53",
            lines_with(|at, line| {
                line.replace(
                    &format!("\"n\":{at},"),
                    &format!("\"n\":{},", 9_007_199_254_740_993 + 2 * at),
                )
            }),
            |at, _, extra| extra["n"] == 9_007_199_254_740_993 + 2 * at,
        ),
        fault(
            "new_key_late",
            lines_with(|at, line| {
                if at < 990 {
                    line
                } else {
                    line.replacen('{', &format!("{{\"late_key\":\"v{at}\","), 1)
                }
            }),
            |at, _, extra| {
                at < 990 && extra.get("late_key").is_none() || extra["late_key"] == format!("v{at}")
            },
        ),
        fault(
            "object_null",
            lines_with(|at, line| {
                if at % 3 == 0 {
                    line.replace(&format!(r#"{{"id":{at},"ext":null}}"#), "null")
                } else {
                    line
                }
            }),
            |at, row, _| {
                row.get("offer__id").is_none_or(|id| *id == at.to_string())
                    && row.contains_key("offer__id") == (at % 3 != 0)
            },
        ),
        fault(
            "object_or_empty_list",
            lines_with(|at, line| {
                if at % 3 == 0 {
                    line.replace(&format!(r#"{{"id":{at},"ext":null}}"#), "[]")
                } else {
                    line
                }
            }),
            |at, row, _| row.contains_key("offer__id") == (at % 3 != 0),
        ),
        fault(
            "flatten_collision",
            lines_with(|_, line| line.replacen('{', "{\"offer__id\":-1,", 1)),
            |at, row, extra| row["offer__id"] == at.to_string() && extra["offer__id"] == -1,
        ),
        fault(
            "duplicate_keys",
            lines_with(|_, line| format!("{},\"n\":-5}}", &line[..line.len() - 1])),
            |at, row, extra| row["offer__id"] == at.to_string() && extra["n"] == -5,
        ),
        fault("blank_lines_crlf_bom", crlf, fine),
        one_bad("truncated_last_line", cut, 1001),
        one_bad("invalid_utf8", not_utf8.join(&b'\n'), 1000),
        one_bad(
            "lone_surrogate",
            lines_with(|at, line| {
                if at == 999 {
                    line.replace("2026-03", "\\ud83d-03")
                } else {
                    line
                }
            }),
            1000,
        ),
    ];
    all.push(Hostile {
        aside: vec![501],
        ..fault("one_bad_line", html, fine)
    });
    let empty = |at: u64, line: String| {
        if at.is_multiple_of(10) {
            line.replace("2026-03-05 10:00:00", "")
        } else {
            line
        }
    };
    all.push(Hostile {
        aside: (0..100).map(|at| at * 10 + 1).collect(),
        rows: 900,
        ..fault("empty_timestamp", lines_with(empty), fine)
    });
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_good_row_of_every_hostile_file_arrives_and_every_bad_line_is_named() {
    for fault in hostile() {
        let setting = setting();
        let file = setting.file(fault.name, &fault.bytes);
        let summary = imported(
            &setting.ctx,
            Stream::AffiseClicks,
            std::slice::from_ref(&file),
        )
        .await;
        let rows = setting.rows(SilverTable::Clicks);
        assert_eq!(rows.len(), fault.rows, "{}: {summary:?}", fault.name);
        for row in &rows {
            let at = u64::from_str_radix(&row["id"], 16).unwrap();
            let extra = serde_json::from_str(&row["_extra"]).unwrap();
            assert!(
                (fault.says)(at, row, &extra),
                "{} {at}: {row:?}",
                fault.name
            );
        }
        let aside = setting.quarantine();
        assert_eq!(
            aside.iter().map(|line| line.line).collect::<Vec<_>>(),
            fault.aside,
            "{}",
            fault.name
        );
        assert!(
            aside
                .iter()
                .all(|line| line.file == file.display().to_string() && !line.reason.is_empty())
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_date_is_no_fault_in_a_table_that_is_not_by_day() {
    let setting = setting();
    let lines = lines_with(|at, line| {
        if at % 10 == 0 {
            line.replace("2026-03-05 10:00:00", "")
        } else {
            line
        }
    });
    let summary = imported(
        &setting.ctx,
        Stream::AffiseAdvertisers,
        &[setting.file("a", lines)],
    )
    .await;
    assert_eq!((summary.rows_new, summary.rows_quarantined), (1000, 0));
    assert_eq!(
        setting
            .rows(SilverTable::Advertisers)
            .iter()
            .filter(|row| row.contains_key("created_at"))
            .count(),
        900
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_are_no_text_come_back_from_quarantine_as_they_were() {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let setting = setting();
    let bad = b"{\"id\":\"\xff\xfe\",\"created_at\":\"2026-03-05 10:00:00\"}";
    let file = setting.file("a", [lines_with(|_, line| line), bad.to_vec()].concat());
    imported(&setting.ctx, Stream::AffiseClicks, &[file]).await;
    let aside = setting.quarantine();
    assert_eq!(
        STANDARD.decode(aside[0].base64.as_ref().unwrap()).unwrap(),
        bad
    );
    assert_eq!(aside[0].reason, "not UTF-8");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_bad_lines_fail_the_step_show_the_first_and_leave_silver_alone() {
    let setting = setting();
    let good = setting.file("good", lines_with(|_, line| line));
    imported(&setting.ctx, Stream::AffiseClicks, &[good]).await;
    let before: Vec<_> = files_below(&setting.std().join("silver"))
        .iter()
        .map(|path| fs::read(path).unwrap())
        .collect();
    let bad = setting.file(
        "bad",
        lines_with(|at, line| {
            if at % 5 == 2 {
                format!("not json {at}")
            } else {
                line.replace("\"id\":\"0", "\"id\":\"1")
            }
        }),
    );
    let error = import(&setting.ctx, Stream::AffiseClicks, &[bad])
        .await
        .unwrap_err();
    assert_eq!(error.error_type, ErrorType::DataContractError);
    assert!(
        error.message.contains("200 of 1000 rows")
            && error.message.contains("bad:3")
            && error.message.contains("not json 2"),
        "{}",
        error.message
    );
    assert_eq!(setting.quarantine().len(), 200);
    let after: Vec<_> = files_below(&setting.std().join("silver"))
        .iter()
        .map(|path| fs::read(path).unwrap())
        .collect();
    assert!(before == after);
    let staging = fs::read_dir(setting.ctx.lake.std.staging())
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = staging
        .filter(|name| name.to_string_lossy().starts_with("normalise-"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_archive_is_refused_as_a_whole() {
    let setting = setting();
    let whole = gz(&lines_with(|_, line| line));
    let cut = setting.file("cut.gz", &whole[..whole.len() - 100]);
    let error = import(&setting.ctx, Stream::AffiseClicks, &[cut])
        .await
        .unwrap_err();
    assert_eq!(error.error_type, ErrorType::InvalidInput);
    assert!(setting.rows(SilverTable::Clicks).is_empty());
    assert!(files_below(&setting.raw().join("bronze")).is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_are_nowhere_in_the_lake() {
    let setting = setting();
    let mut lines = vec![
        r#"{"id":1,"email":"a@b.c","api_key":"SECRET-1","manager":{"id":"m","first_name":"Ann","api_key":"SECRET-2"},"new":{"deep":[{"hash_password":"SECRET-3"}]}}"#.to_owned(),
        r#"{"id":"two","api_key":"SECRET-4"}"#.to_owned(),
        r#"{"id":3,"manager":{"api\u005fkey":"SECRET-5"},"api_key":"SECRET-6""#.to_owned(),
        r#"{"id":4,"tags":[{"password":"SECRET-7"}]}"#.to_owned(),
    ];
    lines.extend((5..60).map(|id| format!(r#"{{"id":{id}}}"#)));
    let files = [setting.file("a.gz", gz(lines.join("\n").as_bytes()))];
    let summary = imported(&setting.ctx, Stream::AffiseAffiliates, &files).await;
    assert_eq!((summary.rows_new, summary.rows_quarantined), (57, 2));
    let everything: Vec<PathBuf> = [setting.std(), setting.raw()]
        .iter()
        .flat_map(|folder| files_below(folder))
        .collect();
    assert!(everything.len() >= 4);
    for path in everything {
        let parquet = path
            .extension()
            .is_some_and(|extension| extension == "parquet");
        let text = if parquet {
            format!("{:?}", parquet_rows(&path))
        } else {
            text_of(&path)
        };
        assert!(!text.contains("SECRET"), "{}: {text}", path.display());
        assert!(
            !fs::read(&path)
                .unwrap()
                .windows(6)
                .any(|window| window == b"SECRET"),
            "{}",
            path.display()
        );
    }
    let first = setting
        .rows(SilverTable::Affiliates)
        .into_iter()
        .find(|row| row["id"] == "1")
        .unwrap();
    assert_eq!(
        (
            first["manager__first_name"].as_str(),
            first["_extra"].as_str()
        ),
        ("Ann", r#"{"new":{"deep":[{}]}}"#)
    );
    let bronze = files_below(&setting.raw().join("bronze"))
        .into_iter()
        .find(|path| path.extension().is_some_and(|end| end == "zst"))
        .unwrap();
    assert_eq!(text_of(&bronze).lines().count(), lines.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_is_a_day_in_the_profiles_time_zone() {
    let setting = setting();
    let ctx = support::context(
        support::profile(&setting.folder.path().join("lake"), "America/New_York"),
        "2026-03-10T09:00:00Z",
    );
    let stamps = [
        "2026-03-08 04:59:59",
        "2026-03-08 05:00:00",
        "2026-03-09 03:59:59",
        "2026-03-09 04:00:00",
    ];
    let lines: Vec<String> = stamps
        .iter()
        .enumerate()
        .map(|(id, at)| format!(r#"{{"id":"{id}","created_at":"{at}"}}"#))
        .collect();
    imported(
        &ctx,
        Stream::AffiseClicks,
        &[setting.file("a", lines.join("\n"))],
    )
    .await;
    let days: Vec<String> = setting
        .rows(SilverTable::Clicks)
        .into_iter()
        .map(|row| format!("{} {}", row["id"], row["(folder)"]))
        .collect();
    // The clocks go forward on 2026-03-08: a day of 23 hours.
    assert_eq!(
        days,
        [
            "0 date=2026-03-07",
            "1 date=2026-03-08",
            "2 date=2026-03-08",
            "3 date=2026-03-09"
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn offers_are_merged_by_id_and_their_caps_and_payments_are_tables() {
    let setting = setting();
    let first = r#"{"id":331,"title":"Тест ≥18","updated_at":"2026-01-02 10:03:38","payments":[{"countries":["kz"],"total":1000,"revenue":500.5,"currency":"usd","goal":"1"}],"partner_payments":[{"total":2,"revenue":1,"partners":[7]}],"caps":[{"period":"day","type":"conversions","value":100,"current_value":41,"goals":{"1":"Install"},"affiliates":[500,"600"]},{"period":"all","value":99.5,"goals":[],"affiliates":[],"odd":1}]}
{"id":332,"title":"gone from the next listing","caps":[{"value":"abc"}]}"#;
    let second = r#"{"id":331,"title":"Тест","updated_at":"2026-01-03 00:00:00","caps":[{"period":"month","value":1,"affiliates":[]}],"payments":[]}
{"id":"333","title":"new","caps":{},"payments":false}"#;
    imported(
        &setting.ctx,
        Stream::AffiseOffers,
        &[setting.file("a", first)],
    )
    .await;
    let column = |rows: &[Row], name: &str| {
        rows.iter()
            .map(|row| row.get(name).cloned().unwrap_or_default())
            .collect::<Vec<_>>()
    };
    let caps = setting.rows(SilverTable::OfferCaps);
    assert_eq!(column(&caps, "offer_id"), ["331", "331", "332"]);
    assert_eq!(column(&caps, "goals"), [r#"{"1":"Install"}"#, "{}", ""]);
    assert_eq!(
        column(&caps, "value"),
        ["100.000000000000000000", "99.500000000000000000", ""]
    );
    assert_eq!(
        column(&caps, "_extra"),
        ["", r#"{"odd":1}"#, r#"{"value":"abc"}"#]
    );
    assert_eq!(
        column(
            &setting.rows(SilverTable::OfferCapAffiliates),
            "affiliate_id"
        ),
        ["500", "600"]
    );
    let payments = setting.rows(SilverTable::OfferPayments);
    assert_eq!(column(&payments, "list"), ["payments", "partner_payments"]);
    assert_eq!(
        column(&payments, "income"),
        ["1000.000000000000000000", "2.000000000000000000"]
    );
    assert_eq!(
        column(&payments, "payouts"),
        ["500.500000000000000000", "1.000000000000000000"]
    );

    let summary = imported(
        &setting.at("2026-03-11T09:00:00Z", 1),
        Stream::AffiseOffers,
        &[setting.file("b", second)],
    )
    .await;
    assert_eq!((summary.rows_new, summary.rows_updated), (1, 1));
    let titles: BTreeSet<String> = column(&setting.rows(SilverTable::Offers), "title")
        .into_iter()
        .collect();
    assert_eq!(
        titles,
        BTreeSet::from(["Тест", "gone from the next listing", "new"].map(str::to_owned))
    );
    let mut left = column(&setting.rows(SilverTable::OfferCaps), "offer_id");
    left.sort();
    assert_eq!(left, ["331", "332"]);
    assert!(setting.rows(SilverTable::OfferCapAffiliates).is_empty());
    assert!(setting.rows(SilverTable::OfferPayments).is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_imports_at_once_lose_nothing() {
    let setting = setting();
    let part = |prefix: u64| {
        (0..2000)
            .map(|at| {
                format!(
                    "{{\"id\":\"{prefix}-{at}\",\"created_at\":\"2026-03-0{} 10:00:00\"}}\n",
                    1 + at % 5
                )
            })
            .collect::<String>()
    };
    let files = [setting.file("a", part(1)), setting.file("b", part(2))];
    let (one, two) = tokio::join!(
        import(&setting.ctx, Stream::AffiseClicks, &files[..1]),
        import(&setting.ctx, Stream::AffiseClicks, &files[1..]),
    );
    assert_eq!(one.unwrap().rows_new + two.unwrap().rows_new, 4000);
    let ids: BTreeSet<String> = setting
        .rows(SilverTable::Clicks)
        .into_iter()
        .map(|row| row["id"].clone())
        .collect();
    assert_eq!(ids.len(), 4000);
}

/// Every file of the lake with its bytes.
fn lake(setting: &Setting) -> BTreeMap<PathBuf, Vec<u8>> {
    [setting.std(), setting.raw()]
        .iter()
        .flat_map(|folder| files_below(folder))
        // It counts changes, so that whoever looks sees that there was one.
        .filter(|path| {
            !path
                .parent()
                .is_some_and(|folder| folder.ends_with("_state/latest"))
        })
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect()
}

fn click(id: &str, day: u32, more: &str) -> String {
    format!(r#"{{"id":"{id}","created_at":"2026-03-{day:02} 10:00:00"{more}}}"#)
}

/// What `lakehand import` was given for one test: an id, and lines.
struct Brought {
    id: String,
    ctx: JobContext,
}

async fn bring(
    setting: &Setting,
    now: &str,
    stream: Stream,
    name: &str,
    lines: &[String],
) -> Brought {
    let mut ctx = setting.at(now, 2);
    ctx.execution = format!("import:{name}");
    let file = setting.file(name, lines.join("\n"));
    imported(&ctx, stream, &[file]).await;
    Brought {
        id: ctx.execution.clone(),
        ctx,
    }
}

fn ids(setting: &Setting, table: SilverTable) -> BTreeMap<String, String> {
    let rows = setting.rows(table);
    rows.iter()
        .map(|row| (row["id"].clone(), row["_source"].clone()))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_that_is_taken_back_leaves_the_lake_byte_for_byte_as_it_was() {
    let setting = setting();
    let all = conversions(3000);
    let lines: Vec<String> = all.iter().map(Conversion::line).collect();
    bring(
        &setting,
        "2026-03-10T09:00:00Z",
        Stream::AffiseConversions,
        "first",
        &lines[..2000],
    )
    .await;
    let before = lake(&setting);
    // Clicks read as conversions: new rows, a row of a known id in a newer version, one line put aside.
    let mut wrong: Vec<String> = (0..500)
        .map(|at| click(&format!("c{at}"), 1 + at % 9, ""))
        .collect();
    wrong.push(format!(r#"{{"id":"{:024x}","created_at":"2026-03-01 00:00:00","updated_at":"2026-03-30 00:00:00","status":"stolen"}}"#, all[0].id));
    wrong.push("no json".to_owned());
    let brought = bring(
        &setting,
        "2026-03-11T09:00:00Z",
        Stream::AffiseConversions,
        "wrong",
        &wrong,
    )
    .await;
    assert!(
        setting
            .rows(SilverTable::Conversions)
            .iter()
            .any(|row| row.get("status").is_some_and(|status| status == "stolen"))
    );
    assert_eq!(setting.quarantine().len(), 1);

    let done = take_back(&brought.ctx, &brought.id).await.unwrap();
    assert_eq!(
        (done.rows, done.removed.len(), done.again.len()),
        (501, 3, 0),
        "{done:?}"
    );
    assert!(lake(&setting) == before);
    let again = take_back(&brought.ctx, &brought.id).await.unwrap_err();
    assert_eq!(again.error_type, ErrorType::InvalidInput);
    assert!(again.message.contains("import:first"), "{}", again.message);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_came_after_an_import_stays_when_that_is_taken_back() {
    // What the lake would be without the second of three.
    let parts: [Vec<String>; 3] = [
        vec![
            click("a", 1, r#","os":"one""#),
            click("b", 1, ""),
            click("z", 3, ""),
        ],
        vec![
            click("a", 1, r#","os":"two","updated_at":"2026-03-20 00:00:00""#),
            click("c", 1, ""),
            click("d", 2, ""),
            click("e", 5, ""),
        ],
        // The same row as the second one brought, an older version of another, a new one on a day of its own and on a shared one.
        vec![
            click("c", 1, ""),
            click(
                "a",
                1,
                r#","os":"three","updated_at":"2026-03-10 00:00:00""#,
            ),
            click("f", 2, ""),
            click("g", 4, ""),
        ],
    ];
    let (with, without) = (setting(), setting());
    let mut second = None;
    for (number, name) in ["one", "two", "three"].into_iter().enumerate() {
        let now = format!("2026-03-2{number}T09:00:00Z");
        let brought = bring(&with, &now, Stream::AffiseClicks, name, &parts[number]).await;
        if number == 1 {
            second = Some(brought);
        } else {
            bring(&without, &now, Stream::AffiseClicks, name, &parts[number]).await;
        }
    }
    let second = second.unwrap();
    assert_eq!(ids(&with, SilverTable::Clicks).len(), 8);
    let done = take_back(&second.ctx, &second.id).await.unwrap();
    assert_eq!(done.again.len(), 1, "{done:?}");
    let sorted = |setting: &Setting| {
        let mut rows = setting.rows(SilverTable::Clicks);
        rows.sort();
        rows
    };
    assert_eq!(sorted(&with), sorted(&without));
    let found = ids(&with, SilverTable::Clicks);
    assert_eq!(
        found.keys().map(String::as_str).collect::<Vec<_>>(),
        ["a", "b", "c", "f", "g", "z"]
    );
    // The one that came after it can still be taken back itself, and the second one does not come again with that.
    let third = without.at("2026-03-23T09:00:00Z", 2);
    for setting in [&with, &without] {
        let mut ctx = third.clone();
        ctx.lake = setting.at("2026-03-23T09:00:00Z", 2).lake;
        take_back(&ctx, "import:three").await.unwrap();
    }
    assert_eq!(sorted(&with), sorted(&without));
    assert_eq!(ids(&with, SilverTable::Clicks).len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_stays_where_rows_that_came_since_could_not_be_brought_in_again() {
    let setting = setting();
    let first = bring(
        &setting,
        "2026-03-10T09:00:00Z",
        Stream::AffiseClicks,
        "one",
        &[click("a", 1, "")],
    )
    .await;
    bring(
        &setting,
        "2026-03-11T09:00:00Z",
        Stream::AffiseClicks,
        "two",
        &[click("b", 1, "")],
    )
    .await;
    let rows = files_below(&setting.raw().join("bronze/affise/clicks/date=2026-03-11"));
    let (manifest, file): (Vec<_>, Vec<_>) = rows
        .into_iter()
        .partition(|path| path.to_string_lossy().ends_with("_manifest.json"));
    let silver = setting.rows(SilverTable::Clicks);
    for (gone, why) in [
        (&file[0], "is not in bronze any more"),
        (&manifest[0], "bronze does not have it any more"),
    ] {
        fs::remove_file(gone).unwrap();
        let error = take_back(&first.ctx, "one").await.unwrap_err();
        assert_eq!(error.error_type, ErrorType::InvalidInput);
        assert!(
            error.message.contains(why) && error.message.contains("nothing was changed"),
            "{}",
            error.message
        );
        assert_eq!(setting.rows(SilverTable::Clicks), silver);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_made_from_an_imports_rows_are_as_before_too() {
    let setting = setting();
    let offer = |id: u32, caps: &str| {
        format!(r#"{{"id":{id},"title":"o","updated_at":"2026-01-0{id} 10:00:00","caps":{caps}}}"#)
    };
    bring(
        &setting,
        "2026-03-10T09:00:00Z",
        Stream::AffiseOffers,
        "offers",
        &[offer(1, r#"[{"period":"day","value":1}]"#)],
    )
    .await;
    let lead = |id: u32| {
        format!(r#"{{"id":{id},"email":"{id}@example.org","updatedAt":"2026-03-01T00:00:00Z"}}"#)
    };
    bring(
        &setting,
        "2026-03-10T09:00:00Z",
        Stream::MarketoLeads,
        "leads",
        &[lead(1), lead(2)],
    )
    .await;
    let before = lake(&setting);
    bring(
        &setting,
        "2026-03-11T09:00:00Z",
        Stream::AffiseOffers,
        "more",
        &[offer(2, r#"[{"period":"all","value":2}]"#)],
    )
    .await;
    let gone = r#"{"marketoGUID":"g1","id":7,"leadId":2,"activityTypeId":37,"activityDate":"2026-03-05T00:00:00Z"}"#.to_owned();
    let deleted = bring(
        &setting,
        "2026-03-11T09:00:00Z",
        Stream::MarketoActivities,
        "gone",
        &[gone],
    )
    .await;
    assert_eq!(setting.rows(SilverTable::OfferCaps).len(), 2);
    assert_eq!(setting.rows(SilverTable::MarketoLeads).len(), 1);
    for id in ["more", "import:gone"] {
        take_back(&deleted.ctx, id).await.unwrap();
    }
    assert_eq!(setting.rows(SilverTable::MarketoLeads).len(), 2);
    assert!(lake(&setting) == before);
}

/// Rewrites a partition as a version made it that had no column for attributes.
fn as_an_older_version_wrote_it(path: &Path) {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap())
        .unwrap()
        .build()
        .unwrap();
    let batches: Vec<_> = reader.map(Result::unwrap).collect();
    let schema = batches[0].schema();
    let kept: Vec<usize> = (0..schema.fields().len())
        .filter(|at| schema.field(*at).name() != "attributes")
        .collect();
    let older = |batch: &arrow::record_batch::RecordBatch| {
        let batch = batch.project(&kept).unwrap();
        let schema = batch.schema();
        let cells = schema
            .fields()
            .iter()
            .zip(batch.columns())
            .map(|(field, column)| {
                let column = std::sync::Arc::clone(column);
                (field.name().clone(), column, field.is_nullable())
            });
        arrow::record_batch::RecordBatch::try_from_iter_with_nullable(cells).unwrap()
    };
    let written: Vec<_> = batches.iter().map(older).collect();
    let file = File::create(path).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, written[0].schema(), None).unwrap();
    written
        .iter()
        .for_each(|batch| writer.write(batch).unwrap());
    writer.close().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lake_of_an_older_version_is_read_on_and_normalised_again() {
    let activity = |guid: &str, attributes: &str| {
        format!(
            r#"{{"marketoGUID":"{guid}","leadId":1,"activityTypeId":100001,"activityDate":"2026-03-05T10:00:00Z","attributes":{attributes}}}"#
        )
    };
    let setting = setting();
    let lines = [
        activity("a", r#"{"Priority":5,"Own Field":"kept"}"#),
        activity("b", r#"{"Priority":2.5}"#),
    ];
    bring(
        &setting,
        "2026-03-10T09:00:00Z",
        Stream::MarketoActivities,
        "old",
        &lines,
    )
    .await;
    let sorted = |setting: &Setting| {
        let mut rows = setting.rows(SilverTable::MarketoActivities);
        rows.sort_by(|a, b| a["marketo_guid"].cmp(&b["marketo_guid"]));
        rows
    };
    let today = sorted(&setting);
    assert!(today[0]["attributes"].contains("Own Field"), "{today:?}");
    let part = setting
        .std()
        .join(SilverTable::MarketoActivities.prefix())
        .join("date=2026-03-05/part-0.parquet");
    as_an_older_version_wrote_it(&part);
    assert!(
        setting
            .rows(SilverTable::MarketoActivities)
            .iter()
            .all(|row| !row.contains_key("attributes"))
    );

    // New rows beside the old ones, which keep what they had.
    let more = [activity("c", r#"{"Priority":"high","Own Field":"new"}"#)];
    let later = bring(
        &setting,
        "2026-03-11T09:00:00Z",
        Stream::MarketoActivities,
        "new",
        &more,
    )
    .await;
    let rows = sorted(&setting);
    let ids: Vec<&str> = rows
        .iter()
        .map(|row| row["marketo_guid"].as_str())
        .collect();
    assert_eq!(ids, ["a", "b", "c"]);
    assert!(
        rows[0]["priority"].starts_with('5') && rows[1]["priority"].starts_with("2.5"),
        "{rows:?}"
    );
    assert!(rows[2]["attributes"].contains("high"), "{rows:?}");

    // From bronze they get what the older version had no place for.
    let all = NormaliseRequest {
        stream: Stream::MarketoActivities,
        manifests: Vec::new(),
    };
    let summary = normalise(&later.ctx, &all).await.unwrap();
    assert!(summary.reconciles(), "{summary:?}");
    let rows = sorted(&setting);
    assert_eq!(rows[..2], today[..]);
    assert!(rows[2]["attributes"].contains("new"));
}
