//! Real results of the Data API, from file through simulator, bronze and silver to SQL: nothing lost,
//! nothing changed (`tests/data/ga4`).

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use jiff::civil::{Date, date};
use lakehand::{
    config::Ga4Report,
    pipeline::{sources::google::column_name, window::Window},
    simulator::Options,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::house::{House, property, stream};

const PROPERTY: &str = "393249053";

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/ga4")
        .join(name)
}

/// The CSV of a result with days, in the shape of the JSON results.
fn language() -> Value {
    let text = fs::read_to_string(data("language.csv")).unwrap();
    let rows: Vec<Value> = text
        .lines()
        .skip(1)
        .map(|line| {
            let (day, rest) = line.split_once(',').unwrap();
            let (language, visits) = rest.rsplit_once(',').unwrap();
            let language = language.trim_matches('"').replace("\"\"", "\"");
            json!({"date": day, "language": language, "visits": visits})
        })
        .collect();
    json!({
        "name": "language",
        "query": {
            "dimensions": [{"name": "date"}, {"name": "language"}],
            "metrics": [{"name": "sessions"}],
            "dateRanges": [{"startDate": "90daysAgo", "endDate": "yesterday"}],
            "property": format!("properties/{PROPERTY}"),
        },
        "data": rows,
        "taken_at": "2024-01-05T16:05:00.000Z",
    })
}

/// A folder with all results, as the simulator takes it.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(data("")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "json") {
            fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
        }
    }
    fs::write(folder.path().join("language.json"), language().to_string()).unwrap();
    folder
}

fn names(file: &Value, list: &str) -> Vec<String> {
    let items = file["query"][list].as_array().unwrap();
    items
        .iter()
        .map(|item| item["name"].as_str().unwrap().to_owned())
        .collect()
}

/// The report that asks for what a file holds.
fn report(name: &str, file: &Value) -> Ga4Report {
    let mut dimensions = names(file, "dimensions");
    dimensions.retain(|name| name != "date");
    Ga4Report {
        name: name.parse().unwrap(),
        properties: vec![property("usa", PROPERTY)],
        dimensions,
        metrics: names(file, "metrics"),
        dimension_filter: None,
        metric_filter: None,
        keep_empty_rows: false,
        settle_days: 10_000,
    }
}

/// A number without zeroes at its end, with eighteen decimals at most.
fn plain(number: &str) -> String {
    let Some((whole, decimals)) = number.split_once('.') else {
        return number.to_owned();
    };
    let mut digits: i128 = format!("{whole}{decimals:0<19}")[..whole.len() + 19]
        .parse()
        .unwrap();
    digits = (digits + 5) / 10;
    let text = format!("{digits:019}");
    let (whole, decimals) = text.split_at(text.len() - 18);
    format!("{whole}.{decimals}")
        .trim_end_matches('0')
        .trim_end_matches('.')
        .to_owned()
}

/// Rows of a file as silver should have them: day, dimensions, metrics.
fn expected(file: &Value, day: Date) -> BTreeMap<Vec<String>, u32> {
    let fields = names(file, "dimensions");
    let mut rows = BTreeMap::new();
    for row in file["data"].as_array().unwrap() {
        let values: Vec<&str> = row
            .as_object()
            .unwrap()
            .values()
            .map(|value| value.as_str().unwrap())
            .collect();
        let mut dated = day.to_string();
        let mut key = Vec::new();
        for (place, value) in values.iter().enumerate() {
            match fields.get(place).map(String::as_str) {
                Some("date") => (*value).clone_into(&mut dated),
                Some(_) => key.push((*value).to_owned()),
                None => key.push(plain(value)),
            }
        }
        key.insert(0, dated);
        *rows.entry(key).or_default() += 1;
    }
    rows
}

async fn travels(name: &str, file: &str, day: Date, window: Window) -> House {
    let folder = folder();
    let file: Value = serde_json::from_slice(&fs::read(folder.path().join(file)).unwrap()).unwrap();
    let options = Options {
        data: Some(folder.path().to_path_buf()),
        ..Options::default()
    };
    let house = House::with(options, report(name, &file)).await;
    let summary = house.run(stream(name), window, "run-1").await;
    assert_eq!(summary.rows_quarantined, 0, "{summary:?}");
    // What is finer than eighteen decimals is rounded in its column and exact in `_extra`.
    assert!(
        summary
            .drift
            .iter()
            .all(|note| note.what == "more than 18 decimals"),
        "{summary:?}"
    );
    let dimensions = names(&file, "dimensions");
    let columns: Vec<String> = dimensions
        .iter()
        .chain(&names(&file, "metrics"))
        .filter(|name| *name != "date")
        .map(|name| format!("CAST({} AS varchar)", column_name(name)))
        .collect();
    let sql = format!(
        "SELECT CAST(date AS varchar), {} FROM ga_{name}",
        columns.join(", ")
    );
    let metrics = names(&file, "metrics").len();
    let mut found = BTreeMap::new();
    for mut row in house.texts(&sql).await {
        let first = row.len() - metrics;
        for value in &mut row[first..] {
            *value = plain(value);
        }
        *found.entry(row).or_default() += 1;
    }
    let wanted = expected(&file, day);
    assert_eq!(found.len(), wanted.len(), "{name}");
    for (row, count) in &wanted {
        assert_eq!(found.get(row), Some(count), "{name}: {row:?}");
    }
    house
}

#[tokio::test]
async fn titles_in_many_scripts_and_an_empty_one_arrive_unchanged() {
    let day = date(2024, 5, 23);
    travels("pages", "top-pages-and-screens.json", day, Window::day(day)).await;
    let day = date(2024, 1, 5);
    let house = travels("live", "all-pages-realtime.json", day, Window::day(day)).await;
    let empty = "SELECT CAST(active_users AS varchar) FROM ga_live WHERE unified_screen_name = ''";
    assert_eq!(house.texts(empty).await, [["960"]]);
}

#[tokio::test]
async fn floats_of_seventeen_digits_arrive_digit_by_digit() {
    let day = date(2024, 1, 4);
    let house = travels(
        "landing",
        "top-landing-pages-30-days.json",
        day,
        Window::day(day),
    )
    .await;
    let one = "SELECT CAST(average_session_duration AS varchar) FROM ga_landing WHERE host_name = '(other)'";
    assert_eq!(plain(&house.texts(one).await[0][0]), "51.253264323326739");
    let rounded = "SELECT _extra FROM ga_landing WHERE _extra IS NOT NULL";
    let file = fs::read_to_string(data("top-landing-pages-30-days.json")).unwrap();
    for row in house.texts(rounded).await {
        let exact: Value = serde_json::from_str(&row[0]).unwrap();
        let text = exact["metrics.bounceRate"].as_str().unwrap().to_owned();
        assert!(text.len() > 20 && file.contains(&text), "{text}");
    }
    let day = date(2024, 3, 7);
    travels(
        "traffic",
        "top-traffic-sources-30-days.json",
        day,
        Window::day(day),
    )
    .await;
}

#[tokio::test]
async fn the_day_that_had_not_settled_is_flagged_and_the_older_ones_are_not() {
    let window = Window::new(date(2023, 12, 25), date(2024, 1, 4)).unwrap();
    let house = travels("language", "language.json", window.from(), window).await;
    let rows = house
        .texts(
            "SELECT CAST(CAST(report_date AS date) AS varchar), CAST(round(other_share, 3) AS varchar), CAST(data_loss_from_other_row AS varchar), \
             provisional, CAST(CAST(total AS bigint) AS varchar), CAST(CAST(other AS bigint) AS varchar) \
             FROM ga_day_quality WHERE report = 'language' AND rows > 0 ORDER BY 1",
        )
        .await;
    assert_eq!(rows.len(), 3, "{rows:?}");
    let folded = &rows[2];
    assert_eq!(
        (
            folded[0].as_str(),
            plain(&folded[1]).as_str(),
            folded[2].as_str()
        ),
        ("2024-01-04", "0.986", "true")
    );
    assert_eq!(
        (folded[4].as_str(), folded[5].as_str()),
        ("41301331", "40710992")
    );
    assert!(folded[3].contains("98.6% in (other)"), "{folded:?}");
    assert!(house.log.says("98.6% in (other)"), "{:?}", house.log);
    for older in &rows[..2] {
        assert!(!older[3].contains("% in (other)"), "{older:?}");
    }
    let norwegian = "SELECT count(*) FROM ga_language WHERE language = 'Norwegian Bokmål'";
    assert_eq!(house.texts(norwegian).await, [["3"]]);
}

#[tokio::test]
async fn other_as_an_hour_is_a_value_like_any() {
    let window = Window::new(date(2024, 1, 4), date(2024, 1, 5)).unwrap();
    let house = travels("hours", "last-48-hours-unclean.json", window.from(), window).await;
    let other = "SELECT CAST(date AS varchar), CAST(sessions AS varchar) FROM ga_hours WHERE hour = '(other)' ORDER BY 1";
    assert_eq!(
        house.texts(other).await,
        [["2024-01-04", "40710992"], ["2024-01-05", "9840407"]]
    );
}
