//! Files instead of generated rows.

use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::{Compression, write::GzEncoder};
use jiff::civil::date;
use lakehand::simulator::{ArchiveError, Options, RunningSimulator, SimulatorError, start};
use serde_json::value::RawValue;
use tempfile::TempDir;

use crate::{CLICKS, CONVERSIONS, body, collect, read, with};

fn write(directory: &Path, name: &str, bytes: &[u8]) {
    let path = directory.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let bytes = if name.ends_with(".gz") {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    } else if name.ends_with(".zst") {
        zstd::encode_all(bytes, 1).unwrap()
    } else {
        bytes.to_vec()
    };
    fs::write(path, bytes).unwrap();
}

async fn serve(directory: &TempDir) -> RunningSimulator {
    with(Options {
        data: Some(directory.path().to_owned()),
        ..Options::default()
    })
    .await
}

/// The rows of a listing exactly as they stand in the body, over all pages.
async fn raw_rows(simulator: &RunningSimulator, path: &str, key: &str) -> Vec<String> {
    let mut rows = Vec::new();
    for page in 1.. {
        let text = body(simulator, &format!("{path}&limit=3&page={page}")).await;
        let list = text
            .strip_prefix(&format!("{{\"status\":1,\"{key}\":"))
            .unwrap();
        let mut list_reader =
            serde_json::Deserializer::from_str(list).into_iter::<Vec<&RawValue>>();
        rows.extend(
            list_reader
                .next()
                .unwrap()
                .unwrap()
                .iter()
                .map(|row| row.get().to_owned()),
        );
        let pagination = &list[list_reader.byte_offset()..];
        assert!(pagination.starts_with(",\"pagination\":{"));
        if !pagination.contains("next_page") {
            break;
        }
    }
    rows
}

const ODD_ROWS: [&str; 6] = [
    r#"{"id":"a1","created_at":"2026-01-30 10:00:00","sub5":"a\/b \u00e9","n":1.50,"big":123456789012345678901234567890}"#,
    r#"{ "id" : "a2" , "created_at" : "2026-01-30 11:00:00", "sub5":"\ud800 alone" }"#,
    r#"{"id":"a3","created_at":"2026-01-30 12:00:00","created_at":"2026-01-30 12:00:01","x":1,"x":2}"#,
    r#"{"id":"a4","created_at":"","note":"no time"}"#,
    r#"{"id":"a5","created_at":"2026-01-31 00:00:00","e":1e400,"text":"日本語 😀"}"#,
    r#"{"id":"a6","created_at":null}"#,
];

#[tokio::test]
async fn rows_are_served_byte_for_byte() {
    let directory = TempDir::new().unwrap();
    let text = format!(
        "\u{feff}{}\r\n\r\n{}\n   \n{}",
        ODD_ROWS[0],
        ODD_ROWS[1],
        ODD_ROWS[2..].join("\n")
    );
    write(directory.path(), "clicks.ndjson", text.as_bytes());
    let simulator = serve(&directory).await;
    assert!(
        simulator.skipped_lines().is_empty(),
        "{:?}",
        simulator.skipped_lines()
    );
    assert_eq!(simulator.today(), date(2026, 1, 31));
    let path = format!("{CLICKS}?date_from=2026-01-24&date_to=2026-01-31");
    assert_eq!(raw_rows(&simulator, &path, "clicks").await, ODD_ROWS);
    // A row without a time stands with the row before it, and nowhere else.
    let day = |day: u8| format!("{CLICKS}?date_from=2026-01-{day}&date_to=2026-01-{day}");
    assert_eq!(
        raw_rows(&simulator, &day(30), "clicks").await,
        ODD_ROWS[..4]
    );
    assert_eq!(
        raw_rows(&simulator, &day(31), "clicks").await,
        ODD_ROWS[4..]
    );
}

#[tokio::test]
async fn all_names_and_packings_are_read_and_put_in_order_of_time() {
    let directory = TempDir::new().unwrap();
    let row =
        |id: u32, time: &str| format!("{{\"id\":\"{id}\",\"created_at\":\"2026-01-{time}\"}}\n");
    write(
        directory.path(),
        "conversions.ndjson",
        row(4, "30 04:00:00").as_bytes(),
    );
    write(
        directory.path(),
        "conversions/2026-01-30.ndjson.gz",
        row(2, "30 02:00:00").as_bytes(),
    );
    write(
        directory.path(),
        "conversions/2026-01-31.ndjson.gz",
        row(3, "30 03:00:00").as_bytes(),
    );
    write(
        directory.path(),
        "conversions/deep/x.jsonl.zst",
        row(1, "29 23:59:59").as_bytes(),
    );
    write(
        directory.path(),
        "conversions/_manifest.json",
        b"{\"id\":\"no row\"}",
    );
    write(directory.path(), "conversions/readme.txt", b"no rows");
    write(
        directory.path(),
        "offers.json",
        b"{\"id\":1,\"status\":\"active\"}\n{\"id\":2,\"status\":\"gone\"}",
    );
    let simulator = serve(&directory).await;
    let (rows, total) = collect(&simulator, CONVERSIONS, "conversions").await;
    assert_eq!(total, 4);
    assert_eq!(crate::ids(&rows), ["1", "2", "3", "4"]);
    let (rows, _) = collect(&simulator, "/3.0/offers", "offers").await;
    assert_eq!(
        crate::ids(&rows),
        ["1", "2"],
        "an unknown status hides nothing"
    );
    let (rows, _) = collect(&simulator, "/3.0/admin/partners", "partners").await;
    assert!(rows.is_empty());
    assert_eq!(
        read(&simulator, "/3.0/offer/2").await["offer"]["status"],
        "gone"
    );
    assert_eq!(
        read(&simulator, "/3.0/stats/conversionsbyid?id=3").await["conversion"]["id"],
        "3"
    );
}

#[tokio::test]
async fn lines_that_cannot_be_served_are_named() {
    let directory = TempDir::new().unwrap();
    let mut text =
        b"{\"id\":\"1\",\"created_at\":\"2026-01-30 04:00:00\"}\n<html>502</html>\n[1]\n".to_vec();
    text.extend_from_slice(
        b"{\"id\":\"2\",\"sub5\":\"\xe9\"}\n{\"id\":\"3\"}\n{\"id\":\"4\",\"sub5\":\"cut",
    );
    write(directory.path(), "clicks/one.ndjson", &text);
    let simulator = serve(&directory).await;
    let (rows, _) = collect(
        &simulator,
        &format!("{CLICKS}?date_from=2026-01-30&date_to=2026-01-30"),
        "clicks",
    )
    .await;
    assert_eq!(crate::ids(&rows), ["1", "3"]);
    let named: Vec<(u64, &str)> = simulator
        .skipped_lines()
        .iter()
        .map(|line| (line.line, line.reason.as_str()))
        .collect();
    let lines: Vec<u64> = named.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [2, 3, 4, 6], "{named:?}");
    assert!(
        named[2].1.contains("UTF-8") && named[3].1.contains("JSON"),
        "{named:?}"
    );
    assert!(
        simulator.skipped_lines()[0]
            .file
            .ends_with("clicks/one.ndjson")
    );
}

#[tokio::test]
async fn a_cut_archive_gives_what_it_still_has() {
    let directory = TempDir::new().unwrap();
    let rows: String = (0..2_000)
        .map(|id| {
            format!(
                "{{\"id\":\"{id}\",\"created_at\":\"2026-01-30 04:00:00\",\"x\":\"{:x}\"}}\n",
                id * 7_919
            )
        })
        .collect();
    let path = directory.path().join("clicks.ndjson.gz");
    write(directory.path(), "clicks.ndjson.gz", rows.as_bytes());
    let packed = fs::read(&path).unwrap();
    fs::write(&path, &packed[..packed.len() / 2]).unwrap();
    let simulator = serve(&directory).await;
    let (served, _) = collect(
        &simulator,
        &format!("{CLICKS}?date_from=2026-01-30&date_to=2026-01-30&limit=5000"),
        "clicks",
    )
    .await;
    assert!(!served.is_empty() && served.len() < 2_000);
    assert_eq!(
        crate::ids(&served),
        (0..served.len())
            .map(|id| id.to_string())
            .collect::<Vec<_>>()
    );
    let [line] = simulator.skipped_lines() else {
        panic!("one place is named")
    };
    assert_eq!(line.line, served.len() as u64 + 1);
}

#[tokio::test]
async fn filters_and_the_click_limit_hold_for_files_too() {
    let directory = TempDir::new().unwrap();
    let rows = [
        r#"{"id":"1","created_at":"2026-01-20 10:00:00","status":"confirmed","offer":{"id":7},"partner_id":"3","updated_at":"2026-01-31 01:00:00"}"#,
        r#"{"id":"2","created_at":"2026-01-30 10:00:00","status":"pending","offer_id":"7","partner":{"id":3},"updated_at":""}"#,
        r#"{"id":"3","created_at":"2026-01-31 10:00:00","status":1,"offer":null,"offer_id":8,"partner":{"id":4},"country":"DE"}"#,
    ];
    write(
        directory.path(),
        "conversions.ndjson",
        rows.join("\n").as_bytes(),
    );
    write(
        directory.path(),
        "clicks.ndjson",
        rows.join("\n").as_bytes(),
    );
    let simulator = serve(&directory).await;
    let all = "date_from=2026-01-01&date_to=2026-01-31";
    for (query, expected) in [
        (format!("{all}&status[]=1"), &["1", "3"][..]),
        (format!("{all}&offer[]=7"), &["1", "2"]),
        (format!("{all}&partner[]=3&status[]=2"), &["2"]),
        (format!("{all}&country[]=DE"), &["3"]),
        (
            "update_from_date=2026-01-31&update_to_date=2026-01-31".to_owned(),
            &["1", "3"],
        ),
    ] {
        let (rows, total) =
            collect(&simulator, &format!("{CONVERSIONS}?{query}"), "conversions").await;
        assert_eq!(crate::ids(&rows), expected, "{query}");
        assert_eq!(total, expected.len() as u64);
    }
    let (rows, _) = collect(&simulator, &format!("{CLICKS}?{all}"), "clicks").await;
    assert_eq!(crate::ids(&rows), ["2", "3"], "older than seven days");
    let options = Options {
        data: Some(directory.path().to_owned()),
        all_clicks: true,
        ..Options::default()
    };
    let (rows, _) = collect(&with(options).await, &format!("{CLICKS}?{all}"), "clicks").await;
    assert_eq!(rows.len(), 3);
}

#[tokio::test]
async fn a_folder_without_rows_is_an_error() {
    let directory = TempDir::new().unwrap();
    write(directory.path(), "notes.ndjson", b"{}");
    let options = Options {
        data: Some(directory.path().to_owned()),
        ..Options::default()
    };
    let error = start(options).await.unwrap_err();
    assert!(
        matches!(&error, SimulatorError::Archive(ArchiveError::Empty(_))),
        "{error}"
    );
    assert!(error.to_string().contains("clicks"));
    let missing = Options {
        data: Some(directory.path().join("no")),
        ..Options::default()
    };
    let error = start(missing).await.unwrap_err();
    assert!(
        matches!(&error, SimulatorError::Archive(ArchiveError::Read { .. })),
        "{error}"
    );
}
