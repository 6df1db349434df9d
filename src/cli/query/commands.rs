//! The prompt's own commands: a line that starts with a backslash.

use clap::ValueEnum;

use super::format::RowFormat;

/// What a line of the prompt asks of the prompt itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `\?`
    Help,
    /// `\q`
    Quit,
    /// `\d`
    Tables,
    /// `\d TABLE`
    Table(String),
    /// `\timing`
    Timing,
    /// `\x`
    Vertical,
    /// `\format FORMAT`; without one it tells the format.
    Format(Option<RowFormat>),
    /// `\o FILE`; without one the file is forgotten.
    Out(Option<String>),
    /// `\i FILE`
    Read(String),
    /// `\cost STATEMENT`
    Cost(String),
}

/// What `\?` prints.
pub const HELP: &str = r"A statement ends with a semicolon and may have several lines. Tab completes tables, columns, functions and keywords.
  \d                tables and views
  \d TABLE          columns, types and partitions of a table
  \x                one value a line, and back
  \format FORMAT    table, vertical, csv, tsv, json, markdown, parquet (with \o)
  \o FILE           the next rows go into this file; its ending names the format
  \i FILE           run the statements of a file, up to the first that fails
  \cost STATEMENT   what a statement would scan and cost on Athena, without running it
  \timing           rows, time, bytes and cost after every statement, or not
  \q                leave, as Ctrl-D; Ctrl-C stops the running statement
The up key and Ctrl-R bring earlier statements back; one that starts with a space is not kept.
";

/// Reads a line; `None` where it is no command.
///
/// # Errors
/// In words, when there is no such command, or it lacks what it needs.
pub fn parse(line: &str) -> Option<Result<Command, String>> {
    let line = line.trim();
    let plain = line.trim_end_matches(';').trim_end();
    match plain.to_ascii_lowercase().as_str() {
        "exit" | "quit" => return Some(Ok(Command::Quit)),
        "help" => return Some(Ok(Command::Help)),
        _ => {}
    }
    let rest = line.strip_prefix('\\')?;
    let (name, argument) = rest
        .split_once(char::is_whitespace)
        .map_or((rest, ""), |(name, argument)| (name, argument.trim()));
    let name = name.trim_end_matches(';');
    let given = (!argument.is_empty()).then(|| argument.to_owned());
    let needed = |what: &str| {
        given
            .clone()
            .ok_or_else(|| format!("\\{name} needs {what}; \\? lists the commands"))
    };
    Some(match name {
        "?" | "h" | "help" => Ok(Command::Help),
        "q" | "quit" => Ok(Command::Quit),
        "d" | "dt" => Ok(match argument.trim_end_matches(';').trim() {
            "" => Command::Tables,
            table => Command::Table(table.trim_matches('"').to_owned()),
        }),
        "timing" => Ok(Command::Timing),
        "x" => Ok(Command::Vertical),
        "format" => match argument {
            "" => Ok(Command::Format(None)),
            text => RowFormat::from_str(text, true)
                .map(|format| Command::Format(Some(format)))
                .map_err(|_| format!("there is no format '{text}'; \\? lists them")),
        },
        "o" => Ok(Command::Out(given)),
        "i" => needed("a file").map(Command::Read),
        "cost" => needed("a statement").map(Command::Cost),
        _ => Err(format!("there is no command \\{name}; \\? lists them")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backslash_starts_a_command_and_nothing_else_does() {
        for (line, command) in [
            (" \\q ", Command::Quit),
            ("exit;", Command::Quit),
            ("HELP", Command::Help),
            ("\\?", Command::Help),
            ("\\d;", Command::Tables),
            (
                "\\d \"affise_clicks\";",
                Command::Table("affise_clicks".to_owned()),
            ),
            ("\\format NDJSON", Command::Format(Some(RowFormat::Json))),
            ("\\format", Command::Format(None)),
            ("\\o", Command::Out(None)),
            (
                "\\o my file.csv",
                Command::Out(Some("my file.csv".to_owned())),
            ),
            ("\\cost select 1", Command::Cost("select 1".to_owned())),
        ] {
            assert_eq!(parse(line), Some(Ok(command)), "{line}");
        }
        for line in ["select 1", "exit_code", "select '\\q'"] {
            assert_eq!(parse(line), None, "{line}");
        }
        for (line, part) in [
            ("\\nonsense", "\\nonsense"),
            ("\\i", "needs a file"),
            ("\\format xml", "'xml'"),
        ] {
            assert!(parse(line).unwrap().unwrap_err().contains(part), "{line}");
        }
    }

    #[test]
    fn the_help_names_every_format() {
        for format in RowFormat::value_variants() {
            assert!(HELP.contains(format.name()), "{}", format.name());
        }
    }
}
