//! One statement: asked, written where its rows belong, and what it cost told beside.

use std::{
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use super::{
    beside::{self, Threads},
    format::{RowFormat, Sink, write_rows},
    script::Statement,
};
use crate::{
    cli::{App, CliError, OutputFormat, data_output, print_as, standard_error},
    ops::datamart::CostEstimate,
    pipeline::{
        ports::{QueryEngine, QueryRows},
        text::{ForTerminal, Instead},
    },
    platform::local::engine::{kind, query_error},
};

/// How results are told.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The format; `None`: as `--output` has it, or as the file's ending names.
    pub format: Option<RowFormat>,
    /// The file that rows go to.
    pub out: Option<PathBuf>,
    /// Whether rows, time, bytes and cost are told on standard error.
    pub timing: bool,
    /// Whether what does not fit on the screen opens as a table.
    pub pages: bool,
}

/// Whoever asks statements.
pub struct Asker<'a> {
    /// The program.
    pub app: &'a App,
    /// Who answers.
    pub engine: Arc<dyn QueryEngine>,
}

/// What a statement did.
struct Figures {
    rows: u64,
    elapsed: Duration,
    bytes: Option<u64>,
}

impl Asker<'_> {
    /// Runs a statement and writes its rows.
    ///
    /// # Errors
    /// When it is refused or fails, told in the places of the text that it came from.
    pub async fn ask(
        &self,
        statement: &Statement,
        settings: &Settings,
        cancel: &CancellationToken,
    ) -> Result<(), CliError> {
        let asked = self.asked(&statement.sql, settings, cancel).await;
        asked.map_err(|error| self.located(error, statement))
    }

    fn threads(&self) -> io::Result<Threads> {
        match self.app.is_distant() {
            true => Ok(Threads::shared()),
            false => Threads::own(),
        }
    }

    /// An error with the line of the statement that it means.
    fn located(&self, error: CliError, statement: &Statement) -> CliError {
        error.retold(|message| match statement.located(message) {
            (told, Some(marked)) if self.app.output == OutputFormat::Text => {
                format!("{told}\n{marked}")
            }
            (told, _) => told,
        })
    }

    async fn asked(
        &self,
        sql: &str,
        settings: &Settings,
        cancel: &CancellationToken,
    ) -> Result<(), CliError> {
        let kind = kind(sql).map_err(query_error)?;
        if !kind.is_read {
            let what = "a statement that is not known to be a read";
            self.app.operations().permit(what).await?;
        }
        self.tell_differences(sql).await;
        let started = Instant::now();
        let figures = if kind.gives_rows {
            let rows = beside::query(self.threads()?, &self.engine, sql, cancel).await?;
            let scanned = rows.scanned.clone();
            let (written, looked) = self.rows(rows, settings).await?;
            Figures {
                rows: written,
                elapsed: started.elapsed().saturating_sub(looked),
                bytes: scanned.bytes(),
            }
        } else {
            let summary = beside::execute(self.threads()?, &self.engine, sql, cancel).await?;
            print_as(self.app.output, &summary, |out| {
                writeln!(
                    out,
                    "{}: {} rows in {} ms",
                    summary.statement, summary.rows, summary.elapsed_ms
                )
            })?;
            Figures {
                rows: summary.rows,
                elapsed: started.elapsed(),
                bytes: Some(summary.bytes_scanned),
            }
        };
        if settings.timing {
            self.tell(&figures);
        }
        Ok(())
    }

    /// Says which of the differences that are kept the answer has.
    async fn tell_differences(&self, sql: &str) {
        // What is wrong with the statement is told by its run.
        let met = self.engine.differences(sql).await.unwrap_or_default();
        for difference in met {
            let _ = match self.app.output {
                OutputFormat::Text => writeln!(
                    standard_error(),
                    "note: this differs from Athena: {difference} (`lakehand query --explain-differences`)"
                ),
                OutputFormat::Json => writeln!(
                    standard_error(),
                    "{}",
                    serde_json::json!({ "difference": difference })
                ),
            };
        }
    }

    /// Writes rows where they belong; returns how many there were, and how long somebody looked at them meanwhile.
    async fn rows(
        &self,
        rows: QueryRows,
        settings: &Settings,
    ) -> Result<(u64, Duration), CliError> {
        let by_output = match self.app.output {
            OutputFormat::Text => RowFormat::Table,
            OutputFormat::Json => RowFormat::Json,
        };
        if let Some(path) = &settings.out {
            let format = settings.format.or_else(|| RowFormat::of_file(path));
            let written = into_file(rows, format.unwrap_or(by_output), path).await?;
            return Ok((written, Duration::ZERO));
        }
        let format = settings.format.unwrap_or(by_output);
        match format {
            RowFormat::Parquet => Err(no_parquet_here()),
            #[cfg(feature = "console")]
            RowFormat::Table if settings.pages => super::page::show(self.app, rows).await,
            format => {
                let written = write_rows(rows, format, standard_sink(format)).await?;
                Ok((written, Duration::ZERO))
            }
        }
    }

    /// Rows, time, bytes and cost of a statement that ended.
    fn tell(&self, figures: &Figures) {
        let bytes = figures.bytes.map(|bytes| self.cost(bytes));
        let elapsed_ms = u64::try_from(figures.elapsed.as_millis()).unwrap_or(u64::MAX);
        let _ = match self.app.output {
            OutputFormat::Text => {
                let rows = match figures.rows {
                    1 => "1 row".to_owned(),
                    rows => format!("{} rows", grouped(rows)),
                };
                let cost = bytes.map_or_else(String::new, |bytes| format!("; {bytes}"));
                writeln!(
                    standard_error(),
                    "{rows} in {} ms{cost}",
                    grouped(elapsed_ms)
                )
            }
            OutputFormat::Json => writeln!(
                standard_error(),
                "{}",
                serde_json::json!({ "rows": figures.rows, "elapsed_ms": elapsed_ms,
                    "bytes_scanned": figures.bytes, "dollars": figures.bytes.map(|bytes| self.dollars(bytes)) })
            ),
        };
    }

    fn dollars(&self, bytes: u64) -> f64 {
        CostEstimate::of(bytes, 1, self.app.profile.datamart.price_per_tb).dollars
    }

    /// `Athena would scan 12.3 MB (about $0.000062)`.
    fn cost(&self, bytes: u64) -> String {
        let (shown, dollars) = (megabytes(bytes), self.dollars(bytes));
        match (self.app.is_distant(), bytes) {
            (true, _) => format!("{shown} scanned (about ${dollars:.6})"),
            (false, 0) => "nothing scanned".to_owned(),
            (false, _) => format!("Athena would scan {shown} (about ${dollars:.6})"),
        }
    }

    /// Tells what a statement would scan, without running it.
    ///
    /// # Errors
    /// When it is refused, or standard output fails.
    pub async fn estimate(&self, statement: &Statement) -> Result<(), CliError> {
        let sql = &statement.sql;
        let estimated = async {
            kind(sql).map_err(query_error)?;
            self.engine.estimate(sql).await
        };
        let bytes = estimated
            .await
            .map_err(|error| self.located(error.into(), statement))?;
        let value = serde_json::json!({ "bytes": bytes, "dollars": bytes.map(|bytes| self.dollars(bytes)) });
        print_as(self.app.output, &value, |out| match bytes {
            Some(bytes) => writeln!(
                out,
                "Athena would scan at most {} (about ${:.6})",
                megabytes(bytes),
                self.dollars(bytes)
            ),
            None => writeln!(out, "what it would scan is not known before it runs"),
        })
    }
}

fn no_parquet_here() -> CliError {
    CliError::usage(
        "Parquet is no text, and standard output may be a terminal",
        "name a file: --out FILE.parquet, or \\o FILE.parquet in the prompt",
    )
}

/// Standard output, as a format wants it.
fn standard_sink(format: RowFormat) -> Sink {
    let plain = || io::BufWriter::new(io::stdout());
    let out: Box<dyn Write + Send> = match format {
        RowFormat::Csv | RowFormat::Tsv | RowFormat::Parquet => data_output(),
        RowFormat::Json => Box::new(ForTerminal::new(plain(), Instead::JsonEscape)),
        RowFormat::Table | RowFormat::Vertical | RowFormat::Markdown => {
            Box::new(ForTerminal::new(plain(), Instead::Symbol))
        }
    };
    let most_columns = screen().map(|(columns, _)| columns);
    Sink { out, most_columns }
}

/// Columns and rows of the terminal that standard output is.
pub fn screen() -> Option<(usize, usize)> {
    if !io::stdout().is_terminal() {
        return None;
    }
    #[cfg(feature = "console")]
    if let Ok((columns @ 1.., rows @ 1..)) = crossterm::terminal::size() {
        return Some((columns.into(), rows.into()));
    }
    Some((80, 24))
}

/// Writes a file as a whole: under another name first, so that a statement that fails leaves what was there.
async fn into_file(rows: QueryRows, format: RowFormat, path: &Path) -> Result<u64, CliError> {
    let failed = |error: &dyn std::fmt::Display| {
        CliError::platform(
            format!("could not write {}: {error}", path.display()),
            "check that the folder is there, and the disk's space and rights",
        )
    };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".lakehand-").suffix(".part");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let file = builder
        .tempfile_in(folder)
        .map_err(|error| failed(&error))?;
    let writer = file.reopen().map_err(|error| failed(&error))?;
    let sink = Sink {
        out: Box::new(io::BufWriter::with_capacity(1 << 20, writer)),
        most_columns: None,
    };
    let written = match write_rows(rows, format, sink).await {
        Err(CliError::Io(error)) => return Err(failed(&error)),
        other => other?,
    };
    file.persist(path).map_err(|error| failed(&error.error))?;
    Ok(written)
}

/// `12.3 MB`; what is billed is counted in megabytes of 10^6 bytes here.
fn megabytes(bytes: u64) -> String {
    let units = [
        (1_000_000_000_000, "TB"),
        (1_000_000_000, "GB"),
        (1_000_000, "MB"),
        (1_000, "kB"),
    ];
    match units.iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => {
            let tenths = u128::from(bytes) * 10 / u128::from(*unit);
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        }
        None => format!("{bytes} bytes"),
    }
}

/// `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_as_people_read_them() {
        assert_eq!(megabytes(12_345_678), "12.3 MB");
        assert_eq!(megabytes(999), "999 bytes");
        assert_eq!(megabytes(2_000_000_000_000), "2.0 TB");
        assert_eq!(megabytes(1_999), "1.9 kB");
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }
}
