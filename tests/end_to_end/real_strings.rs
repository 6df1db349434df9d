//! Given rows with the strings of the real world travel from the wire to the CSV: nothing lost, nothing altered.
//!
//! The strings are those of `crates/simulator/assets/` (their licences lie beside them); rows are made here, so
//! that what is expected is known without any code of the simulator.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::{Value, json};

use crate::program::{TODAY, cells, lakehand, query, report};

const CLICKS: usize = 900;
const CONVERSIONS: usize = 240;

struct Strings {
    agents: Vec<String>,
    referrers: Vec<String>,
    titles: Vec<String>,
    awkward: Vec<String>,
}

fn strings() -> Strings {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/simulator/assets");
    let lines = |name: &str| -> Vec<String> {
        let text = fs::read_to_string(folder.join(name)).unwrap();
        text.lines().map(str::to_owned).collect()
    };
    let awkward: Value =
        serde_json::from_slice(&fs::read(folder.join("awkward.json")).unwrap()).unwrap();
    Strings {
        agents: lines("user_agents.tsv")
            .iter()
            .map(|line| line.rsplit('\t').next().unwrap().to_owned())
            .collect(),
        referrers: lines("referrers.txt"),
        titles: lines("titles.txt"),
        awkward: awkward["sub5"]
            .as_array()
            .unwrap()
            .iter()
            .map(|text| text.as_str().unwrap().to_owned())
            .collect(),
    }
}

fn pick(from: &[String], at: usize) -> &str {
    &from[at % from.len()]
}

/// The day of row `at`: one of the last seven.
fn day(at: usize) -> String {
    let back = i64::try_from(at % 7).unwrap();
    TODAY
        .checked_sub(jiff::Span::new().days(back))
        .unwrap()
        .to_string()
}

/// Null, empty or an awkward text.
fn sub5(strings: &Strings, at: usize) -> Value {
    match at % 5 {
        0 => Value::Null,
        1 => json!(""),
        _ => json!(pick(&strings.awkward, at / 5)),
    }
}

fn click(strings: &Strings, at: usize) -> Value {
    let offer = at % 4 + 1;
    json!({
        "id": format!("{at:024x}"),
        "created_at": format!("{} 10:{:02}:{:02}", day(at), at / 60 % 60, at % 60),
        "ip": "203.0.113.7", "ua": pick(&strings.agents, at), "referrer": pick(&strings.referrers, at),
        "os": "Windows", "os_version": "10", "country": "DE", "city": pick(&strings.titles, at),
        "sub5": sub5(strings, at), "sub6": null, "uniq": at.is_multiple_of(3), "partner_id": 7,
        "offer": {"id": offer, "title": pick(&strings.titles, offer), "offer_id": format!("o{offer}")},
    })
}

/// Income in cents of conversion `at`.
fn cents(at: usize) -> u64 {
    u64::try_from(at).unwrap() * 37 % 2500 + 1
}

fn status(at: usize) -> &'static str {
    ["confirmed", "declined", "pending"][at % 3]
}

fn conversion(strings: &Strings, at: usize) -> Value {
    let income = cents(at);
    let amount = |cents: u64| -> Value {
        serde_json::from_str(&format!("{}.{:02}", cents / 100, cents % 100)).unwrap()
    };
    let mut row = click(strings, at);
    let more = json!({
        "id": format!("c{at:023x}"), "conversion_id": format!("v{at}"), "clickid": format!("{at:024x}"),
        "status": status(at), "updated_at": format!("{} 11:00:00", day(at)),
        "offer_id": at % 4 + 1, "revenue": amount(income), "payouts": amount(income / 2),
        "earnings": amount(income - income / 2),
    });
    row.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    row
}

fn write(path: &Path, rows: impl IntoIterator<Item = Value>) {
    let text: String = rows.into_iter().map(|row| format!("{row}\n")).collect();
    fs::write(path, text).unwrap();
}

/// What a person would get with a pencil: rows of the report by day, offer and sub5.
fn expected(strings: &Strings) -> Vec<Vec<String>> {
    type Key = (String, usize, Option<String>);
    let mut rows: BTreeMap<Key, [u64; 4]> = BTreeMap::new();
    let key = |at: usize| -> Key {
        let text = sub5(strings, at);
        let text = text.as_str().filter(|text| !text.is_empty());
        (day(at), at % 4 + 1, text.map(str::to_owned))
    };
    for at in 0..CLICKS {
        let row = rows.entry(key(at)).or_default();
        row[0] += 1;
        row[1] += u64::from(at.is_multiple_of(3));
    }
    for at in (0..CONVERSIONS).filter(|at| status(*at) == "confirmed") {
        let row = rows.entry(key(at)).or_default();
        row[2] += cents(at);
        row[3] += 1;
    }
    let made = rows.into_iter().filter(|(_, row)| row[3] > 0);
    let mut made: Vec<_> = made
        .map(
            |((day, offer, sub5), [clicks, unique, income, confirmed])| {
                vec![
                    day,
                    offer.to_string(),
                    pick(&strings.titles, offer).to_owned(),
                    sub5.unwrap_or_default(),
                    clicks.to_string(),
                    unique.to_string(),
                    income.to_string(),
                    confirmed.to_string(),
                ]
            },
        )
        .collect();
    made.sort();
    made
}

/// The same columns of the report, the amount in cents, sorted.
fn actual(csv: &str) -> Vec<Vec<String>> {
    let rows = cells(csv);
    let place = |name: &str| rows[0].iter().position(|column| column == name).unwrap();
    let columns = [
        "datestamp",
        "offer_id",
        "offer_title",
        "sub5",
        "click_count",
        "host_count",
        "approved_revenue",
        "conversions_count",
    ]
    .map(place);
    let mut made: Vec<Vec<String>> = rows[1..]
        .iter()
        .map(|row| columns.iter().map(|column| row[*column].clone()).collect())
        .collect();
    for row in &mut made {
        row[6] = ((row[6].parse::<f64>().unwrap() * 100.0).round() as u64).to_string();
    }
    made.sort();
    made
}

#[test]
fn real_strings_travel_from_the_wire_to_the_csv_and_nothing_is_lost_or_altered() {
    let strings = strings();
    let data = tempfile::tempdir().unwrap();
    let file = |name: &str| data.path().join(format!("{name}.ndjson"));
    write(&file("clicks"), (0..CLICKS).map(|at| click(&strings, at)));
    // Two rows that no reading can make right: each has to be named, neither may stop the others.
    let mut nonsense = conversion(&strings, CONVERSIONS);
    nonsense["revenue"] = json!("much");
    let mut empty = conversion(&strings, CONVERSIONS + 7);
    empty["created_at"] = json!(format!("{}T25:61:00", TODAY));
    let good = (0..CONVERSIONS).map(|at| conversion(&strings, at));
    write(&file("conversions"), good.chain([nonsense, empty]));
    write(
        &file("offers"),
        (1..=4).map(|id| json!({"id": id, "title": pick(&strings.titles, id), "advertiser": "a1", "status": "active", "privacy": "public"})),
    );
    write(
        &file("affiliates"),
        [json!({"id": 7, "name": "Zoë & Søn", "login": "zs"})],
    );
    write(
        &file("advertisers"),
        [json!({"id": "a1", "title": "Ад, \"вертайзер\""})],
    );

    let home = tempfile::tempdir().unwrap();
    let output = lakehand(
        home.path(),
        &["demo", "--headless", "--output", "json", "--data"],
    )
    .arg(data.path())
    .args(["--today", &TODAY.to_string()])
    .output()
    .unwrap();
    let made: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(made["status"], "SUCCEEDED", "{made}");

    let silver = query(
        home.path(),
        "SELECT id, ua, referrer, city, sub5 FROM affise_clicks ORDER BY id",
    );
    assert_eq!(silver.len(), CLICKS);
    for (at, row) in silver.iter().enumerate() {
        let wire = click(&strings, at);
        for column in ["id", "ua", "referrer", "city"] {
            assert_eq!(row[column], wire[column], "click {at}, {column}");
        }
        let text = wire["sub5"].as_str().filter(|text| !text.is_empty());
        assert_eq!(row["sub5"].as_str(), text, "click {at}, sub5");
    }
    let sums = query(
        home.path(),
        "SELECT count(*) AS n, CAST(sum(income) * 100 AS bigint) AS income FROM affise_conversions",
    );
    let income: u64 = (0..CONVERSIONS).map(cents).sum();
    assert_eq!(
        sums[0]["n"].to_string().trim_matches('"'),
        CONVERSIONS.to_string()
    );
    assert_eq!(
        sums[0]["income"].to_string().trim_matches('"'),
        income.to_string()
    );

    assert_eq!(actual(&report(home.path())), expected(&strings));

    // Both passes of the collection receive the two rows, so each may be set aside twice.
    let reasons: BTreeMap<String, String> = quarantine(&home.path().join("data"))
        .iter()
        .map(|line| {
            let text: Value = serde_json::from_str(line["text"].as_str().unwrap()).unwrap();
            let word = |value: &Value| value.as_str().unwrap().to_owned();
            (word(&text["id"]), word(&line["reason"]))
        })
        .collect();
    let expected = [
        (CONVERSIONS, "income: not a number"),
        (CONVERSIONS + 7, "created_at: not a time stamp"),
    ];
    let expected = expected.map(|(at, reason)| (format!("c{at:023x}"), reason.to_owned()));
    assert_eq!(reasons, BTreeMap::from(expected));
}

/// Every line of every quarantine file below a folder.
fn quarantine(folder: &Path) -> Vec<Value> {
    let mut lines = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path
                .components()
                .any(|part| part.as_os_str() == "quarantine")
            {
                let bytes = zstd::decode_all(&fs::read(&path).unwrap()[..]).unwrap();
                let text = String::from_utf8(bytes).unwrap();
                lines.extend(
                    text.lines()
                        .map(|line| serde_json::from_str::<Value>(line).unwrap()),
                );
            }
        }
    }
    lines
}
