//! The head of a check's file.

use super::Severity;

/// How a value is compared with its threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `<=`
    AtMost,
    /// `<`
    Below,
    /// `>=`
    AtLeast,
    /// `>`
    Above,
}

impl Comparison {
    /// As it is written.
    #[must_use]
    pub fn sign(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::AtMost => "<=",
            Self::Below => "<",
            Self::AtLeast => ">=",
            Self::Above => ">",
        }
    }

    fn of(sign: &str) -> Option<Self> {
        [
            Self::Equal,
            Self::AtMost,
            Self::Below,
            Self::AtLeast,
            Self::Above,
        ]
        .into_iter()
        .find(|comparison| comparison.sign() == sign)
    }

    /// Whether a value, as the engine prints it, keeps the limit. What is no number keeps no limit.
    #[must_use]
    pub fn holds(self, value: &str, limit: &str) -> bool {
        let (Ok(value), Ok(limit)) = (value.parse::<f64>(), limit.parse::<f64>()) else {
            return self == Self::Equal && value == limit;
        };
        match self {
            Self::Equal => value == limit,
            Self::AtMost => value <= limit,
            Self::Below => value < limit,
            Self::AtLeast => value >= limit,
            Self::Above => value > limit,
        }
    }
}

/// What a value is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Limit {
    /// A number that stands in the file.
    Number(String),
    /// The column `threshold` of the first row.
    Measured,
}

/// `<= 0.05`, `= measured`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Threshold {
    /// How.
    pub comparison: Comparison,
    /// With what.
    pub limit: Limit,
}

/// The head of a check's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CheckFile {
    pub(super) name: String,
    pub(super) severity: Severity,
    pub(super) reason: String,
    pub(super) unit: String,
    pub(super) threshold: Threshold,
}

impl CheckFile {
    /// Reads the head of the file at `path`; the error says which line is missing or wrong.
    pub(super) fn parse(path: &str, text: &str) -> Result<Self, String> {
        let line = |name: &str| {
            let found = text.lines().find_map(|line| {
                line.strip_prefix("-- ")?
                    .strip_prefix(name)?
                    .strip_prefix(':')
            });
            found
                .map(str::trim)
                .filter(|value| !value.is_empty())
                .ok_or_else(|| {
                    format!("the check {path} has no line '-- {name}: …'; add it to its head")
                })
        };
        let severity = match line("severity")? {
            "error" => Severity::Error,
            "warn" => Severity::Warn,
            other => {
                return Err(format!(
                    "the check {path} has the severity '{other}'; it is error or warn"
                ));
            }
        };
        let threshold = line("threshold")?;
        let threshold = parse_threshold(threshold).ok_or_else(|| {
            format!("the check {path} has the threshold '{threshold}'; write one of = <= < >= > and a number or 'measured'")
        })?;
        let name = path.rsplit('/').next().unwrap_or(path);
        Ok(Self {
            name: name.trim_end_matches(".sql").to_owned(),
            severity,
            reason: line("reason")?.to_owned(),
            unit: line("unit")?.to_owned(),
            threshold,
        })
    }
}

fn parse_threshold(text: &str) -> Option<Threshold> {
    let (sign, limit) = text.split_once(' ')?;
    let limit = match limit.trim() {
        "measured" => Limit::Measured,
        number => {
            number.parse::<f64>().ok()?;
            Limit::Number(number.to_owned())
        }
    };
    Some(Threshold {
        comparison: Comparison::of(sign)?,
        limit,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gold::SqlFiles;

    #[test]
    fn every_check_that_ships_has_a_head() {
        let files = SqlFiles::embedded();
        let tables = files.tables_with_checks();
        assert!(tables.contains(&"daily_report_sub5".to_owned()));
        assert!(tables.contains(&"affise_clicks".to_owned()));
        for table in tables {
            for path in files.checks(&table).unwrap() {
                let check = CheckFile::parse(&path, &files.text(&path).unwrap());
                let check = check.unwrap_or_else(|why| panic!("{why}"));
                assert!(check.reason.len() < 120, "{path}: a short reason");
            }
        }
    }

    #[test]
    fn a_head_that_lacks_something_says_what() {
        let good = "-- severity: warn\n-- reason: r\n-- unit: days\n-- threshold: <= 2.5\nSELECT 1";
        let check = CheckFile::parse("t/checks/3_lag.sql", good).unwrap();
        assert_eq!(check.name, "3_lag");
        assert_eq!(check.threshold.limit, Limit::Number("2.5".to_owned()));
        for (line, part) in [
            ("-- severity: warn", "'-- severity: …'"),
            ("-- reason: r", "'-- reason: …'"),
            ("-- unit: days", "'-- unit: …'"),
            ("-- threshold: <= 2.5", "'-- threshold: …'"),
        ] {
            let error = CheckFile::parse("x.sql", &good.replace(line, "--")).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
        for (old, new, part) in [
            ("warn", "fatal", "'fatal'"),
            ("<= 2.5", "about 3", "'about 3'"),
            ("<= 2.5", "<= three", "'<= three'"),
        ] {
            let error = CheckFile::parse("x.sql", &good.replace(old, new)).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn numbers_are_compared_as_numbers() {
        for (value, sign, limit, holds) in [
            ("10", "<=", "9", false),
            ("9.00", "=", "9", true),
            ("0.5", ">=", "0.50", true),
            ("2", "<", "10", true),
            ("NaN", "<=", "1", false),
            ("open", "=", "open", true),
            ("open", "<=", "1", false),
        ] {
            let comparison = Comparison::of(sign).unwrap();
            assert_eq!(
                comparison.holds(value, limit),
                holds,
                "{value} {sign} {limit}"
            );
        }
    }
}
