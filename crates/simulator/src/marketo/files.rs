//! Marketo's rows from CSV files instead of generated ones.
//!
//! The files have the shape in which a well-known connector lays Marketo down in a warehouse
//! (fivetran/dbt_marketo): `marketo_lead_data.csv`, `marketo_lead_describe_data.csv` and one
//! `marketo_activity_<type>_data.csv` a kind of activity, with a column an attribute. They are
//! turned back into what the API would have said: `is_mobile_device` is the attribute `Is Mobile
//! Device`, an empty cell an attribute that was left out, `TRUE` a boolean where all cells of a
//! column are such. Columns that begin with `_fivetran` are the connector's own and are not served.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use serde_json::{Value, json};

use super::world::{Activity, ActivityType, DataType, Entry, Lead, LeadField, Notation};
use crate::archive::{ArchiveError, SkippedLine};

/// Columns of an activity that are not attributes.
const BASE: [&str; 8] = [
    "id",
    "lead_id",
    "activity_date",
    "activity_type_id",
    "campaign_id",
    "primary_attribute_value",
    "primary_attribute_value_id",
    "action_result",
];

/// Files taken in.
#[derive(Debug, Default)]
pub(super) struct Filed {
    pub leads: Vec<Lead>,
    activities: Vec<Activity>,
    pub types: Vec<ActivityType>,
    pub fields: Vec<LeadField>,
    pub skipped: Vec<SkippedLine>,
}

/// The folders in which Marketo's files may lie.
fn folders(directory: &Path) -> [PathBuf; 3] {
    [
        directory.to_owned(),
        directory.join("marketo"),
        directory.join("marketo-fivetran"),
    ]
}

/// Marketo's files in a folder, or in `marketo` or `marketo-fivetran` below it, by name.
pub(super) fn find(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = folders(directory)
        .iter()
        .filter_map(|folder| fs::read_dir(folder).ok())
        .flat_map(|entries| entries.filter_map(Result::ok))
        .map(|entry| entry.path())
        .filter(|path| kind_of(path).is_some())
        .collect();
    files.sort();
    files
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum FileKind {
    Leads,
    Describe,
    /// Of a type, by the words of its file name.
    Activities(String),
}

fn kind_of(path: &Path) -> Option<FileKind> {
    let name = path
        .file_name()?
        .to_str()?
        .strip_suffix(".csv")?
        .strip_prefix("marketo_")?;
    let name = name.strip_suffix("_data").unwrap_or(name);
    match name {
        "lead" => Some(FileKind::Leads),
        "lead_describe" => Some(FileKind::Describe),
        _ => name
            .strip_prefix("activity_")
            .map(|words| FileKind::Activities(title(words))),
    }
}

/// `is_mobile_device` to `Is Mobile Device`; `campaign_run_id` to `Campaign Run ID`.
fn title(words: &str) -> String {
    let spelled = words
        .split('_')
        .filter(|word| !word.is_empty())
        .map(|word| match word {
            "id" | "url" | "ip" | "api" => word.to_uppercase(),
            "ids" => "IDs".to_owned(),
            "in" | "to" | "of" => word.to_owned(),
            _ => {
                let mut letters = word.chars();
                letters.next().map_or_else(String::new, |first| {
                    first.to_uppercase().chain(letters).collect()
                })
            }
        });
    spelled.collect::<Vec<_>>().join(" ")
}

/// `first_name` to `firstName`.
fn camel(words: &str) -> String {
    let mut out = String::new();
    for (place, word) in words.split('_').enumerate() {
        let mut letters = word.chars();
        match letters.next() {
            Some(first) if place > 0 => out.extend(first.to_uppercase()),
            Some(first) => out.push(first),
            None => {}
        }
        out.push_str(letters.as_str());
    }
    out
}

/// Rows of a CSV file: a byte order mark and either line end are no part of them.
struct Table {
    path: PathBuf,
    names: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    fn read(path: &Path) -> Result<Self, ArchiveError> {
        let bytes = fs::read(path).map_err(|source| ArchiveError::Read {
            path: path.to_owned(),
            source,
        })?;
        let mut records = records(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes));
        let names = if records.is_empty() {
            Vec::new()
        } else {
            records.remove(0)
        };
        Ok(Self {
            path: path.to_owned(),
            names,
            rows: records,
        })
    }

    /// The cell of a column; an empty one is none.
    fn cell<'t>(&self, row: &'t [String], name: &str) -> Option<&'t str> {
        let at = self.names.iter().position(|known| known == name)?;
        row.get(at)
            .map(String::as_str)
            .filter(|cell| !cell.is_empty())
    }

    fn column(&self, at: usize) -> impl Iterator<Item = &str> + Clone {
        self.rows
            .iter()
            .filter_map(move |row| row.get(at))
            .map(String::as_str)
            .filter(|cell| !cell.is_empty())
    }
}

fn records(mut input: &[u8]) -> Vec<Vec<String>> {
    let mut reader = csv_core::Reader::new();
    let (mut out, mut ends) = (vec![0; input.len() + 1], vec![0; 256]);
    let (mut written, mut ended) = (0, 0);
    let mut records = Vec::new();
    loop {
        let (result, taken, wrote, closed) =
            reader.read_record(input, &mut out[written..], &mut ends[ended..]);
        input = &input[taken..];
        written += wrote;
        ended += closed;
        match result {
            csv_core::ReadRecordResult::InputEmpty => {}
            csv_core::ReadRecordResult::OutputFull => out.resize(out.len() * 2, 0),
            csv_core::ReadRecordResult::OutputEndsFull => ends.resize(ends.len() * 2, 0),
            csv_core::ReadRecordResult::Record => {
                let mut start = 0;
                let cells = ends[..ended].iter().map(|&end| {
                    let cell = String::from_utf8_lossy(&out[start..end]).into_owned();
                    start = end;
                    cell
                });
                records.push(cells.collect());
                (written, ended) = (0, 0);
            }
            csv_core::ReadRecordResult::End => return records,
        }
    }
}

/// Reads `2020-04-30 08:05:11.000`, `2020-05-15 22:18:25 UTC` and ISO 8601.
fn seconds(text: &str) -> Option<i64> {
    if let Ok(stamp) = text.parse::<Timestamp>() {
        return Some(stamp.as_second());
    }
    let plain = text.strip_suffix(" UTC").unwrap_or(text);
    let local: DateTime = plain.parse().ok()?;
    Some(TimeZone::UTC.to_timestamp(local).ok()?.as_second())
}

/// What all cells of a column are.
fn type_of<'t>(mut cells: impl Iterator<Item = &'t str> + Clone) -> DataType {
    let integer =
        |cell: &str| cell == "0" || (!cell.starts_with('0') && cell.parse::<i64>().is_ok());
    if cells.clone().next().is_none() {
        DataType::String
    } else if cells.clone().all(|cell| matches!(cell, "TRUE" | "FALSE")) {
        DataType::Boolean
    } else if cells.all(integer) {
        DataType::Integer
    } else {
        DataType::String
    }
}

fn value(cell: &str, data_type: DataType) -> Value {
    match data_type {
        DataType::Boolean => json!(cell == "TRUE"),
        DataType::Integer => cell
            .parse::<i64>()
            .map_or_else(|_| json!(cell), Value::from),
        _ if cell.starts_with('[') => serde_json::from_str(cell).unwrap_or_else(|_| json!(cell)),
        _ => json!(cell),
    }
}

impl Filed {
    /// Takes in the files.
    pub(super) fn open(files: &[PathBuf]) -> Result<Self, ArchiveError> {
        let mut filed = Self::default();
        for path in files {
            let table = Table::read(path)?;
            match kind_of(path) {
                Some(FileKind::Leads) => filed.take_leads(&table),
                Some(FileKind::Describe) => filed.take_fields(&table),
                Some(FileKind::Activities(name)) => filed.take_activities(&table, &name),
                None => {}
            }
        }
        filed.types.sort_by_key(|kind| kind.id);
        Ok(filed)
    }

    pub(super) fn entries(&self) -> Vec<Entry> {
        (0..)
            .zip(&self.activities)
            .map(|(row, activity)| Entry {
                at: activity.at,
                committed: activity.at,
                type_id: activity.type_id,
                row,
            })
            .collect()
    }

    pub(super) fn activity(&self, row: u32) -> Activity {
        self.activities[row as usize].clone()
    }

    /// The newest instant of all rows.
    pub(super) fn newest(&self) -> Option<i64> {
        let leads = self.leads.iter().map(|lead| lead.updated);
        leads
            .chain(self.activities.iter().map(|activity| activity.at))
            .max()
    }

    fn skip(&mut self, table: &Table, row: usize, reason: &str) {
        self.skipped.push(SkippedLine {
            file: table.path.clone(),
            line: row as u64 + 2,
            reason: reason.to_owned(),
        });
    }

    fn take_leads(&mut self, table: &Table) {
        let served: Vec<(usize, String, DataType)> = table
            .names
            .iter()
            .enumerate()
            .filter(|(_, name)| !name.starts_with("_fivetran"))
            .map(|(at, name)| (at, camel(name), type_of(table.column(at))))
            .collect();
        for (_, name, data_type) in &served {
            let data_type = match name.as_str() {
                "createdAt" | "updatedAt" => DataType::Datetime,
                _ => *data_type,
            };
            self.add_field(LeadField {
                name: name.clone(),
                title: title(name),
                data_type,
            });
        }
        for (at, row) in table.rows.iter().enumerate() {
            let number = |name| {
                table
                    .cell(row, name)
                    .and_then(|cell| cell.parse::<i64>().ok())
            };
            let time = |name| table.cell(row, name).and_then(seconds);
            let (Some(id), Some(created)) = (number("id"), time("created_at")) else {
                self.skip(table, at, "no id or created_at");
                continue;
            };
            let own = ["id", "createdAt", "updatedAt"];
            let values = served
                .iter()
                .filter(|(_, name, _)| !own.contains(&name.as_str()))
                .filter_map(|(at, name, data_type)| {
                    let cell = row.get(*at).filter(|cell| !cell.is_empty())?;
                    Some((name.clone(), value(cell, *data_type)))
                });
            let values: BTreeMap<String, Value> = values.collect();
            let updated = time("updated_at").unwrap_or(created);
            self.leads.push(Lead {
                id,
                created,
                updated,
                values,
            });
        }
    }

    fn add_field(&mut self, field: LeadField) {
        match self
            .fields
            .iter_mut()
            .find(|known| known.name == field.name && !field.name.is_empty())
        {
            // What the rows show beats what the description says.
            Some(known) if known.data_type == DataType::String => *known = field,
            Some(_) => {}
            None => self.fields.push(field),
        }
    }

    fn take_fields(&mut self, table: &Table) {
        for row in &table.rows {
            let data_type = match table.cell(row, "data_type") {
                Some("integer") => DataType::Integer,
                Some("percent") => DataType::Percent,
                Some("currency" | "float") => DataType::Currency,
                Some("boolean") => DataType::Boolean,
                Some("datetime") => DataType::Datetime,
                Some("email") => DataType::Email,
                _ => DataType::String,
            };
            self.add_field(LeadField {
                name: table.cell(row, "restname").unwrap_or("").to_owned(),
                title: table.cell(row, "display_name").unwrap_or("").to_owned(),
                data_type,
            });
        }
    }

    fn take_activities(&mut self, table: &Table, name: &str) {
        let attributes: Vec<(usize, String, DataType)> = table
            .names
            .iter()
            .enumerate()
            .filter(|(_, name)| !BASE.contains(&name.as_str()) && !name.starts_with("_fivetran"))
            .map(|(at, name)| (at, title(name), type_of(table.column(at))))
            .collect();
        for (at, row) in table.rows.iter().enumerate() {
            let number = |name| {
                table
                    .cell(row, name)
                    .and_then(|cell| cell.parse::<i64>().ok())
            };
            let text = |name| table.cell(row, name).map(str::to_owned);
            let date = table.cell(row, "activity_date").and_then(seconds);
            let (Some(guid), Some(lead), Some(at_second), Some(type_id)) = (
                text("id"),
                number("lead_id"),
                date,
                number("activity_type_id"),
            ) else {
                self.skip(
                    table,
                    at,
                    "no id, lead_id, activity_date or activity_type_id",
                );
                continue;
            };
            if !self.types.iter().any(|kind| kind.id == type_id) {
                let described = attributes
                    .iter()
                    .map(|(_, name, kind)| (name.clone(), *kind));
                self.types.push(ActivityType {
                    id: type_id,
                    name: name.to_owned(),
                    primary: Some("Primary Attribute".to_owned()),
                    attributes: described.collect(),
                });
            }
            let valued = attributes.iter().filter_map(|(at, name, data_type)| {
                let cell = row.get(*at).filter(|cell| !cell.is_empty())?;
                Some((name.clone(), value(cell, *data_type)))
            });
            self.activities.push(Activity {
                guid,
                lead,
                at: at_second,
                type_id,
                campaign: number("campaign_id"),
                result: text("action_result"),
                primary_id: number("primary_attribute_value_id"),
                primary: text("primary_attribute_value"),
                attributes: valued.collect(),
                notation: if type_id % 2 == 0 {
                    Notation::Zulu
                } else {
                    Notation::NoColon
                },
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_turned_back() {
        assert_eq!(title("campaign_run_id"), "Campaign Run ID");
        assert_eq!(title("merge_ids"), "Merge IDs");
        assert_eq!(camel("first_name"), "firstName");
        assert_eq!(camel("id"), "id");
        let kind = kind_of(Path::new("x/marketo_activity_click_email_data.csv"));
        assert_eq!(kind, Some(FileKind::Activities("Click Email".to_owned())));
        assert_eq!(kind_of(Path::new("marketo_program_data.csv")), None);
    }

    #[test]
    fn both_notations_of_time_are_read() {
        assert_eq!(seconds("2020-04-30 08:05:11.000"), Some(1_588_233_911));
        assert_eq!(seconds("2020-04-30 08:05:11 UTC"), Some(1_588_233_911));
        assert_eq!(seconds("2020-04-30T08:05:11Z"), Some(1_588_233_911));
        assert_eq!(seconds("soon"), None);
    }

    #[test]
    fn cells_are_typed_by_their_column() {
        assert_eq!(type_of(["TRUE", "FALSE"].into_iter()), DataType::Boolean);
        assert_eq!(type_of(["12", "0"].into_iter()), DataType::Integer);
        assert_eq!(type_of(["0", "0.75"].into_iter()), DataType::String);
        assert_eq!(type_of(["007"].into_iter()), DataType::String);
        assert_eq!(value("[1286861]", DataType::String), json!([1_286_861]));
        assert_eq!(value("[WBN] x", DataType::String), json!("[WBN] x"));
    }

    #[test]
    fn a_mark_and_line_ends_are_no_content() {
        assert_eq!(
            records(b"a,b\r\n1,\"x\ny\"\r\n,\"\"\"q\"\"\"\r\n"),
            [vec!["a", "b"], vec!["1", "x\ny"], vec!["", "\"q\""]]
        );
    }
}
