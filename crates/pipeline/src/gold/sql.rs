//! The SQL files of gold tables: one text for Athena and for the embedded engine, with named parameters.
//!
//! A parameter stands as `:name` outside texts, comments and quoted names. What it becomes depends on its
//! name alone, so that a value can never be read as something else:
//!
//! | parameter | value | becomes |
//! | --- | --- | --- |
//! | `:from`, `:to`, `:today` | `2026-01-31` | `date '2026-01-31'` |
//! | `:now` | `2026-01-31 08:05:00` | `timestamp '2026-01-31 08:05:00'` |
//! | `:staging`, `:table`, `:ga_*` | a plain name | the name |
//! | `:execution`, `:location`, `:zone`, `:business_unit` | any text | `'text'`, quotes doubled |
//!
//! The same file becomes a statement ([`SqlFiles::render`]), or the intrinsic of a workflow definition that
//! makes the statement from the execution's input ([`SqlFiles::states_format`]). A line `-- include other.sql`
//! is that file's text.

use std::{
    borrow::Cow,
    path::{Path, PathBuf},
};

use super::GoldError;
use crate::window::parse_date;

macro_rules! embedded {
    ($($path:literal),+ $(,)?) => {
        &[$(($path, include_str!(concat!("../../../../assets/sql/", $path)))),+]
    };
}

/// The files that ship with the program, by their path below `assets/sql/`.
const EMBEDDED: &[(&str, &str)] = embedded![
    "daily_report_sub5/ddl.sql",
    "daily_report_sub5/window.sql",
    "daily_report_sub5/build_window.sql",
    "daily_report_sub5/replace_window.sql",
    "daily_report_sub5/replace_window_delete.sql",
    "daily_report_sub5/replace_window_insert.sql",
    "daily_report_sub5/export.sql",
    "daily_report_sub5/drop_staging.sql",
    "daily_report_sub5/checks/1_row_count.sql",
    "daily_report_sub5/checks/2_duplicate_keys.sql",
    "daily_report_sub5/checks/3_clicks_match_silver.sql",
    "daily_report_sub5/checks/4_conversions_match_silver.sql",
    "daily_report_sub5/checks/5_facts_without_dimension.sql",
    "daily_report_sub5/checks/6_fewer_rows_than_before.sql",
    "daily_report_sub5/checks/7_rows_against_trailing_mean.sql",
    "marketing_datamart/ddl.sql",
    "marketing_datamart/select.sql",
    "marketing_datamart/build.sql",
    "marketing_datamart/replace.sql",
    "marketing_datamart/drop_staging.sql",
    "marketing_datamart/view.sql",
    "marketing_datamart/checks/1_row_count.sql",
    "marketing_datamart/checks/2_duplicate_keys.sql",
    "marketing_datamart/checks/3_sessions_match_ga.sql",
    "marketing_datamart/checks/4_leads_match_marketo.sql",
    "marketing_datamart/checks/5_other_share.sql",
    "marketing_datamart/checks/6_activities_without_lead.sql",
    "marketing_datamart/checks/7_both_sides_are_there.sql",
    "shared/rows_against_trailing_mean.sql",
    "shared/ga_other_share.sql",
    "ga_report/checks/1_duplicate_keys.sql",
    "ga_report/checks/2_freshness.sql",
    "ga_report/checks/3_null_share.sql",
    "ga_report/checks/4_rows_against_trailing_mean.sql",
    "ga_report/checks/5_other_share.sql",
    "ga_day_quality/checks/1_duplicate_keys.sql",
    "ga_day_quality/checks/2_other_share.sql",
    "ga_day_quality/checks/3_incomplete_days.sql",
    "ga_day_quality/checks/4_days_that_do_not_settle.sql",
    "affise_clicks/checks/1_duplicate_keys.sql",
    "affise_clicks/checks/2_lag.sql",
    "affise_clicks/checks/3_freshness.sql",
    "affise_clicks/checks/4_null_share.sql",
    "affise_clicks/checks/5_rows_against_trailing_mean.sql",
    "affise_conversions/checks/1_duplicate_keys.sql",
    "affise_conversions/checks/2_money_adds_up.sql",
    "affise_conversions/checks/3_freshness.sql",
    "affise_conversions/checks/4_null_share.sql",
    "marketo_activities/checks/1_duplicate_keys.sql",
    "marketo_activities/checks/2_freshness.sql",
    "marketo_activities/checks/3_rows_against_trailing_mean.sql",
    "marketo_leads/checks/1_duplicate_keys.sql",
    "marketo_leads/checks/2_freshness.sql",
    "marketo_leads/checks/3_null_share.sql",
];

/// Where a location stands that the deployment fills in.
const DEPLOYED_BUCKET: &str = "s3://${StdBucket}";

/// What a parameter becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Date,
    Instant,
    Name,
    /// Columns after each other: `a, b`.
    Names,
    /// Columns in one value that is null as soon as one of them is: `a || b`, `a + b`.
    Together,
    Text,
}

impl Kind {
    fn of(parameter: &str) -> Option<Self> {
        match parameter {
            "from" | "to" | "today" => Some(Self::Date),
            "now" => Some(Self::Instant),
            "staging" | "table" | "ga_table" | "ga_source" | "ga_medium" | "ga_campaign"
            | "ga_sessions" | "ga_users" | "ga_conversions" => Some(Self::Name),
            "day" | "baseline" => Some(Self::Name),
            "keys" => Some(Self::Names),
            "dimensions_together" | "metrics_together" => Some(Self::Together),
            "execution" | "location" | "zone" | "business_unit" | "report" | "source" => {
                Some(Self::Text)
            }
            _ => None,
        }
    }

    /// The literal in SQL, with the value in the middle.
    fn around(self) -> (&'static str, &'static str) {
        match self {
            Self::Date => ("date '", "'"),
            Self::Instant => ("timestamp '", "'"),
            Self::Name | Self::Names | Self::Together => ("", ""),
            Self::Text => ("'", "'"),
        }
    }

    fn checked(self, name: &str, value: &str) -> Result<String, GoldError> {
        let refused = |why| GoldError::BadParameter {
            name: name.to_owned(),
            value: value.to_owned(),
            why,
        };
        match self {
            Self::Date => parse_date(value)
                .map(|date| date.to_string())
                .map_err(|_| refused("it is not a date (YYYY-MM-DD)")),
            Self::Instant => value
                .parse::<jiff::civil::DateTime>()
                .map(|instant| instant.strftime("%Y-%m-%d %H:%M:%S").to_string())
                .map_err(|_| refused("it is not an instant (YYYY-MM-DD HH:MM:SS)")),
            Self::Name if is_name(value) => Ok(value.to_owned()),
            Self::Name => Err(refused("it is not a table's name (a-z, 0-9 and _)")),
            Self::Names if value.split(", ").all(is_name) => Ok(value.to_owned()),
            Self::Names => Err(refused("it is no list of columns (a, b)")),
            Self::Together
                if value
                    .split(" || ")
                    .flat_map(|part| part.split(" + "))
                    .all(is_name) =>
            {
                Ok(value.to_owned())
            }
            Self::Together => Err(refused("it is no columns taken together (a || b, a + b)")),
            Self::Text => Ok(value.replace('\'', "''")),
        }
    }
}

/// Whether a text is a table's name that needs no quotes on any engine.
fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars
        .next()
        .is_some_and(|c| c.is_ascii_lowercase() || c == '_')
        && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && text.len() <= 128
}

/// The SQL files of a profile: those that ship with the program, or a folder's in their place.
#[derive(Debug, Clone, Default)]
pub struct SqlFiles {
    folder: Option<PathBuf>,
}

/// A piece of a file: text as it stands, or a parameter.
#[derive(Debug, PartialEq, Eq)]
enum Piece<'a> {
    Text(&'a str),
    Parameter(&'a str),
}

impl SqlFiles {
    /// The embedded files.
    #[must_use]
    pub fn embedded() -> Self {
        Self::default()
    }

    /// The files of a folder laid out like `assets/sql/`; what it lacks is taken from the embedded ones.
    #[must_use]
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: Some(folder.into()),
        }
    }

    /// A file as it stands, comments included.
    ///
    /// # Errors
    /// [`GoldError::NoSuchFile`], also for a path that leaves the folder.
    pub fn text(&self, path: &str) -> Result<Cow<'static, str>, GoldError> {
        let inside = Path::new(path)
            .components()
            .all(|part| matches!(part, std::path::Component::Normal(_)));
        if let (Some(folder), true) = (&self.folder, inside)
            && let Ok(text) = std::fs::read_to_string(folder.join(path))
        {
            return Ok(Cow::Owned(text));
        }
        let found = EMBEDDED.iter().find(|(known, _)| *known == path);
        found
            .map(|(_, text)| Cow::Borrowed(*text))
            .ok_or_else(|| GoldError::NoSuchFile {
                path: path.to_owned(),
            })
    }

    /// The checks of a table, in order.
    ///
    /// # Errors
    /// [`GoldError::NoSuchFile`] when the folder cannot be listed.
    pub fn checks(&self, table: &str) -> Result<Vec<String>, GoldError> {
        let prefix = format!("{table}/checks/");
        if let Some(folder) = &self.folder
            && let Ok(entries) = std::fs::read_dir(folder.join(&prefix))
        {
            let names = entries
                .flatten()
                .filter_map(|entry| entry.file_name().into_string().ok());
            let mut names: Vec<_> = names
                .filter(|name| name.ends_with(".sql"))
                .map(|name| format!("{prefix}{name}"))
                .collect();
            names.sort();
            return Ok(names);
        }
        Ok(EMBEDDED
            .iter()
            .filter(|(path, _)| path.starts_with(&prefix))
            .map(|(path, _)| (*path).to_owned())
            .collect())
    }

    /// The tables that have checks, in order.
    pub fn tables_with_checks(&self) -> Vec<String> {
        let tables = EMBEDDED.iter().filter_map(|(path, _)| {
            let (table, rest) = path.split_once('/')?;
            rest.starts_with("checks/").then(|| table.to_owned())
        });
        let mut tables: Vec<String> = tables.collect();
        tables.sort();
        tables.dedup();
        tables
    }

    /// Every file, by its path below `assets/sql/`.
    pub fn paths(&self) -> impl Iterator<Item = &'static str> {
        EMBEDDED.iter().map(|(path, _)| *path)
    }

    /// The statement, without comments, with parameters still in it.
    fn statement(&self, path: &str) -> Result<String, GoldError> {
        let text = self.text(path)?;
        let mut statement = String::with_capacity(text.len());
        for line in text.lines() {
            if let Some(included) = line.trim().strip_prefix("-- include ") {
                let included = included.trim();
                // From the top, or beside the file.
                let from_top = included.strip_prefix('/').map(str::to_owned);
                let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
                let included = from_top.unwrap_or_else(|| format!("{folder}/{included}"));
                statement.push_str(&self.statement(&included)?);
            } else if !line.trim_start().starts_with("--") {
                statement.push_str(line.trim_end());
                statement.push('\n');
            }
        }
        Ok(statement.trim().trim_end_matches(';').to_owned())
    }

    /// The statement of a file with its parameters filled in.
    ///
    /// ```
    /// use lakehand_pipeline::gold::SqlFiles;
    /// let sql = SqlFiles::embedded().render(
    ///     "daily_report_sub5/replace_window_delete.sql",
    ///     &[("from", "2026-01-01"), ("to", "2026-01-07")],
    /// )?;
    /// assert_eq!(sql, "DELETE FROM daily_report_sub5 WHERE datestamp BETWEEN date '2026-01-01' AND date '2026-01-07'");
    /// # Ok::<(), lakehand_pipeline::gold::GoldError>(())
    /// ```
    ///
    /// # Errors
    /// [`GoldError`] for a file, a parameter or a value that is not what it should be.
    pub fn render<V: AsRef<str>>(
        &self,
        path: &str,
        parameters: &[(&str, V)],
    ) -> Result<String, GoldError> {
        let parameters: Vec<(&str, &str)> = parameters
            .iter()
            .map(|(name, value)| (*name, value.as_ref()))
            .collect();
        let parameters = parameters.as_slice();
        let statement = self.statement(path)?;
        let mut sql = String::with_capacity(statement.len() + 256);
        for piece in pieces(&statement) {
            match piece {
                Piece::Text(text) => sql.push_str(text),
                Piece::Parameter(name) => {
                    let kind = known(path, name)?;
                    let given = parameters
                        .iter()
                        .find(|(known, _)| *known == name)
                        .map(|(_, value)| *value);
                    let value = given
                        .map(str::to_owned)
                        .or_else(|| default_location(path, name, parameters));
                    let value = value.ok_or_else(|| missing(path, name))?;
                    let (before, after) = kind.around();
                    sql.extend([before, &kind.checked(name, &value)?, after]);
                }
            }
        }
        Ok(sql)
    }

    /// The intrinsic `States.Format('…', $.path, …)` that makes the statement of a file inside a workflow.
    ///
    /// A binding is a parameter and a JSONPath (`$.window.from`, `$$.Execution.Name`), or a constant. Values of
    /// paths are put in as they are, so the definition has to take them from where nobody can put a quote. It is one
    /// line: readers of the States Language differ about line ends inside of a quoted text.
    ///
    /// # Errors
    /// [`GoldError`] for a file, a parameter or a constant that is not what it should be.
    pub fn states_format(
        &self,
        path: &str,
        bindings: &[(&str, &str)],
    ) -> Result<String, GoldError> {
        let statement = one_line(&self.statement(path)?);
        let mut template = String::with_capacity(statement.len() + 256);
        let mut arguments = String::new();
        for piece in pieces(&statement) {
            match piece {
                Piece::Text(text) => escape_into(text, &mut template),
                Piece::Parameter(name) => {
                    let kind = known(path, name)?;
                    let (before, after) = kind.around();
                    escape_into(before, &mut template);
                    let bound = bindings
                        .iter()
                        .find(|(known, _)| *known == name)
                        .map(|(_, value)| (*value).to_owned());
                    match bound.or_else(|| default_location(path, name, bindings)) {
                        None => return Err(missing(path, name)),
                        Some(location) if name == "location" => {
                            location_into(&location, &mut template, &mut arguments)
                        }
                        Some(json_path) if json_path.starts_with('$') => {
                            template.push_str("{}");
                            arguments.push_str(", ");
                            arguments.push_str(&json_path);
                        }
                        Some(constant) => {
                            escape_into(&kind.checked(name, &constant)?, &mut template)
                        }
                    }
                    escape_into(after, &mut template);
                }
            }
        }
        Ok(format!("States.Format('{template}'{arguments})"))
    }
}

/// A statement without its line ends; no literal of ours goes over one.
fn one_line(statement: &str) -> String {
    let lines: Vec<&str> = statement.lines().map(str::trim).collect();
    lines.join(" ")
}

/// Tables of a build lie below a folder of their own, one for each `place` that a build was tried in; all others
/// below `gold/`. Only a deployment names another location.
fn default_location(path: &str, name: &str, parameters: &[(&str, &str)]) -> Option<String> {
    if name != "location" {
        return None;
    }
    let given = |wanted: &str| {
        let mut parameters = parameters.iter();
        parameters.find_map(|(known, value)| (*known == wanted).then_some(*value))
    };
    let folder = match (given("staging"), given("place")) {
        (Some(staging), Some(place)) => format!("staging/{staging}/{place}"),
        (Some(staging), None) => format!("staging/{staging}"),
        (None, _) => format!("gold/{}", path.split('/').next().unwrap_or(path)),
    };
    Some(format!("{DEPLOYED_BUCKET}/{folder}/"))
}

/// A location may hold JSONPaths, each as a part of its own: `s3://bucket/staging/$.run.staging/$.run.place/`.
fn location_into(location: &str, template: &mut String, arguments: &mut String) {
    let mut parts = location.split('/').peekable();
    while let Some(part) = parts.next() {
        if part.starts_with("$.") || part.starts_with("$$.") {
            template.push_str("{}");
            arguments.push_str(", ");
            arguments.push_str(part);
        } else {
            // `${StdBucket}` is filled in by the deployment, before the intrinsic is read.
            let deployed = part.starts_with("${") && part.ends_with('}');
            if deployed {
                template.push_str(part)
            } else {
                escape_into(&part.replace('\'', "''"), template)
            }
        }
        if parts.peek().is_some() {
            template.push('/');
        }
    }
}

fn known(path: &str, name: &str) -> Result<Kind, GoldError> {
    Kind::of(name).ok_or_else(|| GoldError::UnknownParameter {
        path: path.to_owned(),
        name: name.to_owned(),
    })
}

fn missing(path: &str, name: &str) -> GoldError {
    GoldError::MissingParameter {
        path: path.to_owned(),
        name: name.to_owned(),
    }
}

/// Escapes a text for the inside of an intrinsic's quotes.
fn escape_into(text: &str, out: &mut String) {
    for c in text.chars() {
        if matches!(c, '\'' | '{' | '}' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
}

/// Takes a statement apart at its parameters.
fn pieces(statement: &str) -> Vec<Piece<'_>> {
    let bytes = statement.as_bytes();
    let (mut pieces, mut start, mut at) = (Vec::new(), 0, 0);
    while at < bytes.len() {
        match bytes[at] {
            quote @ (b'\'' | b'"') => {
                let end = bytes[at + 1..]
                    .iter()
                    .position(|byte| *byte == quote)
                    .map_or(bytes.len(), |end| at + end + 2);
                at = end;
            }
            b':' if bytes.get(at + 1).is_some_and(u8::is_ascii_lowercase) => {
                let name = &bytes[at + 1..];
                let length = name
                    .iter()
                    .take_while(|byte| byte.is_ascii_lowercase() || **byte == b'_')
                    .count();
                pieces.push(Piece::Text(&statement[start..at]));
                pieces.push(Piece::Parameter(&statement[at + 1..at + 1 + length]));
                at += 1 + length;
                start = at;
            }
            _ => at += 1,
        }
    }
    pieces.push(Piece::Text(&statement[start..]));
    pieces
}

#[cfg(test)]
mod tests;
