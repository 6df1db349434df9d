//! Real Marketo rows from files to silver, compared with the files by a reader of its own.

use std::collections::BTreeSet;

use super::*;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/marketo");

/// Cells of a CSV file by column, as the file has them; a small reader that knows quotes and both line
/// ends.
fn cells(file: &str) -> Vec<BTreeMap<String, String>> {
    let bytes = std::fs::read(Path::new(FOLDER).join(file)).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let (mut records, mut record, mut cell, mut quoted) =
        (Vec::new(), Vec::new(), String::new(), false);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                cell.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => record.push(std::mem::take(&mut cell)),
            '\r' if !quoted && letters.peek() == Some(&'\n') => {}
            '\n' if !quoted => {
                record.push(std::mem::take(&mut cell));
                records.push(std::mem::take(&mut record));
            }
            other => cell.push(other),
        }
    }
    if !cell.is_empty() || !record.is_empty() {
        record.push(cell);
        records.push(record);
    }
    let names = records.remove(0);
    records
        .into_iter()
        .map(|record| names.iter().cloned().zip(record).collect())
        .collect()
}

/// What silver says where the file has this cell.
fn expected(cell: &str) -> Option<String> {
    match cell {
        "" => None,
        "TRUE" => Some("true".to_owned()),
        "FALSE" => Some("false".to_owned()),
        _ => Some(
            cell.strip_suffix(".000")
                .map_or_else(|| cell.to_owned(), |time| time.replace(' ', "T")),
        ),
    }
}

fn file_names() -> Vec<String> {
    let names = std::fs::read_dir(FOLDER)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names
        .filter(|name| name.starts_with("marketo_activity_"))
        .collect();
    names.sort();
    names
}

async fn served(mode: MarketoMode) -> House {
    House::with(Options {
        data: Some(FOLDER.into()),
        marketo: quick(),
        ..Options::default()
    })
    .await
    .mode(mode)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_cell_of_every_activity_arrives() {
    for mode in [MarketoMode::Rest, MarketoMode::Bulk] {
        let house = served(mode).await;
        house
            .run(
                ACTIVITIES,
                window(date(2020, 4, 1), date(2020, 5, 14)),
                "one",
            )
            .await;
        let silver = house.silver(ACTIVITIES);
        let (mut rows, mut compared) = (0, 0);
        for file in file_names() {
            for row in cells(&file) {
                rows += 1;
                let arrived = &silver[&row["id"]];
                for (name, cell) in row
                    .iter()
                    .filter(|(name, _)| !name.starts_with("_fivetran"))
                {
                    let column = if name == "id" { "marketo_guid" } else { name };
                    assert_eq!(
                        arrived[column],
                        expected(cell),
                        "{mode:?} {file} {name} of {}",
                        row["id"]
                    );
                    compared += 1;
                }
                assert_eq!(arrived["_extra"], None);
            }
        }
        assert_eq!((rows, silver.len()), (631, 631));
        assert!(compared > 7_000, "{compared}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_cell_of_every_lead_arrives() {
    for mode in [MarketoMode::Rest, MarketoMode::Bulk] {
        let mut house = served(mode).await;
        house.settings.lead_history_days = 200;
        house
            .run(LEADS, window(date(2020, 5, 1), date(2020, 5, 14)), "one")
            .await;
        let silver = house.silver(LEADS);
        let rows = cells("marketo_lead_data.csv");
        assert_eq!(rows.len(), 100);
        let known: BTreeSet<&String> = rows.iter().map(|row| &row["id"]).collect();
        assert!(silver.keys().all(|id| known.contains(id)));
        // REST finds leads by the activities that name them, of which the files hold a few only.
        if mode == MarketoMode::Bulk {
            assert_eq!(silver.len(), rows.len());
        }
        for row in rows.iter().filter(|row| silver.contains_key(&row["id"])) {
            for (name, cell) in row {
                let column = if name == "id" { "lead_id" } else { name };
                assert_eq!(
                    silver[&row["id"]][column],
                    expected(cell),
                    "{name} of {}",
                    row["id"]
                );
            }
        }
    }
}
