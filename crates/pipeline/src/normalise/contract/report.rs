//! Contracts of reports: tables whose columns follow from configuration and from what Google answers.
//!
//! The columns of every other table are written down in this program. A report's are kept beside the data,
//! in `_state/contracts/<table>.json`, with a version that goes up with every change: a column is added
//! when the report asks for more, a whole number becomes a decimal when one came. None ever goes away or
//! becomes narrower, so that older files stay readable by it.

use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use arrow::datatypes::SchemaRef;
use serde::{Deserialize, Serialize};

use super::{Column, Kind, column, distinct, required, schema_of};
use crate::dataset::SilverTable;
use crate::sources::google::column_name;

/// Where contracts of reports lie in the std store.
pub const CONTRACTS: &str = "_state/contracts/";
/// The column with the day as a time stamp; the partition `date` is the same day.
pub const DAY: &str = "report_date";

/// The contract of a table as one lake has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contract {
    /// The table.
    pub table: SilverTable,
    /// Goes up with every change.
    pub version: u32,
    /// The columns in file order, without the three of every table.
    pub columns: &'static [Column],
}

impl Contract {
    /// The contract of a table whose columns are written down; of a report it has no columns.
    #[must_use]
    pub fn fixed(table: SilverTable) -> Self {
        Self {
            table,
            version: super::version(table),
            columns: super::columns(table),
        }
    }

    /// The Arrow schema of the table's files.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        schema_of(self.columns)
    }
}

/// A contract as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredContract {
    /// SQL name of the table.
    pub table: String,
    /// Goes up with every change.
    pub version: u32,
    /// The columns in file order.
    pub columns: Vec<StoredColumn>,
}

/// A column of a stored contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredColumn {
    /// Name in silver.
    pub name: String,
    /// Keys from the top of the wire object down to the value.
    pub path: Vec<String>,
    /// What it holds.
    pub kind: StoredKind,
}

/// Types a report's column can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoredKind {
    /// Text.
    Text,
    /// 64-bit integer.
    Integer,
    /// Decimal: seventeen digits of a float fit without a change.
    Decimal,
    /// The day.
    Day,
}

/// What a report asks for and how Google types it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReportFields {
    /// Dimensions by their names in the API.
    pub dimensions: Vec<String>,
    /// Metrics by their names in the API, each with its type there; empty where that is not known.
    pub metrics: Vec<(String, String)>,
}

impl StoredContract {
    /// Where the contract of a table lies.
    #[must_use]
    pub fn key(table: SilverTable) -> String {
        format!("{CONTRACTS}{}.json", table.sql_name())
    }

    /// The columns every report has: whose row it is, and of which day.
    #[must_use]
    pub fn new(table: SilverTable) -> Self {
        let own = |name: &str, path: &str, kind| StoredColumn {
            name: name.to_owned(),
            path: vec![path.to_owned()],
            kind,
        };
        let part = part_column(table).unwrap_or("property");
        Self {
            table: table.sql_name(),
            version: 0,
            columns: vec![
                own("business_unit", "business_unit", StoredKind::Text),
                own(part, part, StoredKind::Text),
                own(DAY, "date", StoredKind::Day),
            ],
        }
    }

    /// Takes in what a report has; says in words what changed. The version goes up if anything did.
    pub fn take(&mut self, fields: &ReportFields) -> Vec<String> {
        let mut changes = Vec::new();
        for name in &fields.dimensions {
            self.field("dimensions", name, StoredKind::Text, &mut changes);
        }
        for (name, kind) in &fields.metrics {
            let kind = match kind.as_str() {
                "TYPE_INTEGER" | "INTEGER" => StoredKind::Integer,
                "" if is_counted(name) => StoredKind::Integer,
                _ => StoredKind::Decimal,
            };
            self.field("metrics", name, kind, &mut changes);
        }
        if !changes.is_empty() {
            self.version += 1;
        }
        changes
    }

    fn field(&mut self, object: &str, field: &str, kind: StoredKind, changes: &mut Vec<String>) {
        let path = vec![object.to_owned(), field.to_owned()];
        if let Some(known) = self.columns.iter_mut().find(|known| known.path == path) {
            if known.kind == StoredKind::Integer && kind == StoredKind::Decimal {
                known.kind = kind;
                changes.push(format!("{} is a decimal from now on", known.name));
            }
            return;
        }
        let plain = column_name(field);
        let taken = |name: &str| self.columns.iter().any(|known| known.name == name);
        let name = std::iter::once(plain.clone())
            .chain((2..).map(|number| format!("{plain}_{number}")))
            .find(|name| !taken(name))
            .unwrap_or(plain);
        changes.push(format!("{name} is new"));
        self.columns.push(StoredColumn { name, path, kind });
    }

    /// The contract for the decoder and for SQL.
    #[must_use]
    pub fn contract(&self, table: SilverTable) -> Contract {
        Contract {
            table,
            version: self.version,
            columns: kept(&self.columns),
        }
    }
}

/// The column by which a day of a table is replaced; `None` for tables that are merged by key.
#[must_use]
pub fn part_column(table: SilverTable) -> Option<&'static str> {
    match table {
        SilverTable::Ga4(_) => Some("property"),
        SilverTable::Ga3(_) => Some("view"),
        _ => None,
    }
}

/// Metrics that count things, for rows that come without Google's types.
fn is_counted(metric: &str) -> bool {
    const COUNTED: [&str; 14] = [
        "sessions",
        "engagedSessions",
        "totalUsers",
        "activeUsers",
        "newUsers",
        "screenPageViews",
        "eventCount",
        "transactions",
        "ecommercePurchases",
        "addToCarts",
        "checkouts",
        "ga:sessions",
        "ga:users",
        "ga:pageviews",
    ];
    COUNTED.contains(&metric)
}

/// The decoder is compiled from columns that live as long as the program. They come from configured
/// reports, so they are few, and equal ones are kept once.
fn kept(columns: &[StoredColumn]) -> &'static [Column] {
    static KEPT: LazyLock<Mutex<Vec<&'static [Column]>>> = LazyLock::new(Mutex::default);
    let mut all: MutexGuard<'_, _> = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let same = |known: &&&'static [Column]| {
        known.len() == columns.len()
            && known.iter().zip(columns).all(|(known, column)| {
                known.name == column.name
                    && known.path == column.path
                    && known.kind == column.kind.into()
            })
    };
    if let Some(known) = all.iter().find(same) {
        return known;
    }
    let text = |text: &String| -> &'static str { Box::leak(text.clone().into_boxed_str()) };
    let made: Vec<Column> = columns
        .iter()
        .map(|stored| {
            let path: Vec<&'static str> = stored.path.iter().map(text).collect();
            let made = column(
                text(&stored.name),
                Box::leak(path.into_boxed_slice()),
                stored.kind.into(),
            );
            // Whose a row is and of which day, no row may lack.
            if stored.path.len() == 1 {
                required(made)
            } else {
                made
            }
        })
        .collect();
    let made: &'static [Column] = Box::leak(made.into_boxed_slice());
    all.push(made);
    made
}

impl From<StoredKind> for Kind {
    fn from(kind: StoredKind) -> Self {
        match kind {
            StoredKind::Text => Self::Text,
            StoredKind::Integer => Self::Int,
            StoredKind::Decimal => Self::Money,
            StoredKind::Day => Self::Instant,
        }
    }
}

/// What Google said of each day of each report. Key: `id`, `<source>/<report>/<property>/<day>`.
pub const DAY_QUALITY: &[Column] = columns![
    [required distinct] Text id,
    [required] Text source, [required] Text report, [required] Text property, Text business_unit,
    [required] Instant report_date = date, Int rows, Text metric, Money total, Money other, Money other_share,
    Flag data_loss_from_other_row, Flag subject_to_thresholding, Int samples_read, Int sampling_space, Flag is_golden,
    Text currency, Text time_zone, Text empty_reason, Flag is_provisional, List provisional, Flag settled, Text hash,
    [required] Instant updated_at = read_at,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(dimensions: &[&str], metrics: &[(&str, &str)]) -> ReportFields {
        ReportFields {
            dimensions: dimensions.iter().map(|name| (*name).to_owned()).collect(),
            metrics: metrics
                .iter()
                .map(|(name, kind)| ((*name).to_owned(), (*kind).to_owned()))
                .collect(),
        }
    }

    #[test]
    fn a_contract_grows_and_widens_and_never_shrinks() {
        let table = SilverTable::Ga4("sessions".parse().unwrap());
        let mut stored = StoredContract::new(table);
        let first = fields(
            &["sessionSource"],
            &[("sessions", "TYPE_INTEGER"), ("keyEvents", "TYPE_FLOAT")],
        );
        assert_eq!(
            stored.take(&first),
            [
                "session_source is new",
                "sessions is new",
                "key_events is new"
            ]
        );
        assert!(stored.take(&first).is_empty() && stored.version == 1);
        let before = stored.contract(table);
        let second = fields(&["session-source", "day"], &[("sessions", "TYPE_FLOAT")]);
        assert_eq!(
            stored.take(&second),
            [
                "session_source_2 is new",
                "day is new",
                "sessions is a decimal from now on"
            ]
        );
        assert!(stored.take(&first).is_empty() && stored.version == 2);
        let after = stored.contract(table);
        assert!(std::ptr::eq(after.columns, stored.contract(table).columns));
        let kind = |contract: Contract, name: &str| {
            let mut columns = contract.columns.iter();
            columns
                .find(|column| column.name == name)
                .map(|column| column.kind)
        };
        assert_eq!(kind(before, "sessions"), Some(Kind::Int));
        assert_eq!(kind(after, "sessions"), Some(Kind::Money));
        assert_eq!(kind(after, DAY), Some(Kind::Instant));
        let text = serde_json::to_string(&stored).unwrap();
        assert_eq!(
            serde_json::from_str::<StoredContract>(&text).unwrap(),
            stored
        );
    }
}
