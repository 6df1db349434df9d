//! What Tab offers in the prompt: tables where one belongs, columns of the tables that the statement names, functions,
//! keywords, and the prompt's own commands.

use std::collections::{BTreeMap, BTreeSet};

use super::words::{FUNCTIONS, KEYWORDS};

/// The commands that take a table, and those that take a file.
const COMMANDS: &[&str] = &[
    "\\?", "\\cost", "\\d", "\\format", "\\i", "\\o", "\\q", "\\timing", "\\x",
];
/// Words before a table.
const BEFORE_TABLES: &[&str] = &[
    "from", "join", "into", "update", "table", "describe", "desc", "view", "optimize", "vacuum",
    "repair",
];

/// Tables and their columns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names(pub BTreeMap<String, Vec<String>>);

/// What may stand at the end of `before`: where the word begins, and the words.
pub fn candidates(before: &str, after: &str, names: &Names) -> (usize, Vec<String>) {
    let start = word_start(before);
    let word = &before[start..];
    if let Some(command) = before.trim_start().strip_prefix('\\') {
        return match command.split_once(char::is_whitespace) {
            None => {
                let begin = before.len() - command.len() - 1;
                let fits = |name: &&&str| name.starts_with(&before[begin..]);
                let all = COMMANDS.iter().filter(fits);
                (begin, all.map(|name| (*name).to_owned()).collect())
            }
            Some(("d", _)) => (start, fitting(word, names.0.keys(), "")),
            Some(("format", _)) => {
                let formats = [
                    "table", "vertical", "csv", "tsv", "json", "ndjson", "markdown", "parquet",
                ];
                (start, fitting(word, formats, ""))
            }
            Some(("cost", _)) => (start, of_statement(before, after, start, names)),
            Some(_) => (start, Vec::new()),
        };
    }
    (start, of_statement(before, after, start, names))
}

fn of_statement(before: &str, after: &str, start: usize, names: &Names) -> Vec<String> {
    let word = &before[start..];
    let head = &before[..start];
    let tables = tables_named(&format!("{before}{after}"), names);
    if let Some(rest) = head.strip_suffix('.') {
        let qualifier = rest[word_start(rest)..].to_lowercase();
        let table = tables.get(&qualifier).cloned().unwrap_or(qualifier);
        let columns = names.0.get(&table);
        return columns.map_or_else(Vec::new, |columns| fitting(word, columns, ""));
    }
    let last = head.trim_end();
    let last = last[word_start(last)..].to_lowercase();
    if BEFORE_TABLES.contains(&last.as_str()) {
        return fitting(word, names.0.keys(), "");
    }
    // Without a letter there would be everything.
    if word.is_empty() {
        return Vec::new();
    }
    let named: BTreeSet<&String> = tables.values().collect();
    let columns = names
        .0
        .iter()
        .filter(|(table, _)| named.is_empty() || named.contains(table))
        .flat_map(|(_, columns)| columns);
    let mut all = fitting(word, columns, "");
    all.extend(fitting(word, names.0.keys(), ""));
    all.extend(fitting(word, FUNCTIONS.split_whitespace(), "("));
    let is_upper = word.chars().all(|c| !c.is_lowercase());
    all.extend(
        fitting(word, KEYWORDS.split_whitespace(), "")
            .into_iter()
            .map(|keyword| match is_upper {
                true => keyword.to_uppercase(),
                false => keyword,
            }),
    );
    all.sort();
    all.dedup();
    all
}

/// The tables that a statement names, by their names and aliases.
fn tables_named(sql: &str, names: &Names) -> BTreeMap<String, String> {
    let words: Vec<String> = sql
        .split(|c: char| !(is_of_word(c) || c == ','))
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    let mut named = BTreeMap::new();
    for (place, word) in words.iter().enumerate() {
        let table = word.trim_end_matches(',');
        if !names.0.contains_key(table) {
            continue;
        }
        named.insert(table.to_owned(), table.to_owned());
        let mut behind = words[place + 1..].iter().filter(|word| *word != "as");
        if let Some(alias) = behind.next().filter(|_| !word.ends_with(',')) {
            let alias = alias.trim_end_matches(',');
            if !KEYWORDS.split_whitespace().any(|keyword| keyword == alias) {
                named.insert(alias.to_owned(), table.to_owned());
            }
        }
    }
    named
}

fn fitting<T: AsRef<str>>(
    word: &str,
    all: impl IntoIterator<Item = T>,
    behind: &str,
) -> Vec<String> {
    let word = word.to_lowercase();
    let mut fitting: Vec<String> = all
        .into_iter()
        .filter(|name| name.as_ref().to_lowercase().starts_with(&word))
        .map(|name| format!("{}{behind}", name.as_ref()))
        .collect();
    fitting.sort();
    fitting.dedup();
    fitting
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

/// Where the word at the end of a text begins.
fn word_start(text: &str) -> usize {
    let word = text.chars().rev().take_while(|c| is_of_word(*c));
    text.len() - word.map(char::len_utf8).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        let columns = |all: &[&str]| all.iter().map(|name| (*name).to_owned()).collect();
        Names(BTreeMap::from([
            (
                "clicks".to_owned(),
                columns(&["click_id", "country", "cost"]),
            ),
            (
                "conversions".to_owned(),
                columns(&["conversion_id", "country"]),
            ),
        ]))
    }

    fn offered(before: &str, after: &str) -> Vec<String> {
        candidates(before, after, &names()).1
    }

    #[test]
    fn tables_stand_where_a_table_belongs() {
        assert_eq!(offered("SELECT * FROM ", ""), ["clicks", "conversions"]);
        assert_eq!(offered("select 1 from CL", ""), ["clicks"]);
        assert_eq!(offered("\\d con", ""), ["conversions"]);
        assert_eq!(offered("insert into co", ""), ["conversions"]);
    }

    #[test]
    fn columns_are_those_of_the_tables_in_the_statement() {
        assert_eq!(
            offered("SELECT click", " FROM clicks"),
            ["click_id", "clicks"]
        );
        assert!(!offered("SELECT conv", " FROM clicks").contains(&"conversion_id".to_owned()));
        assert_eq!(
            offered("SELECT c.", " FROM clicks AS c, conversions v"),
            ["click_id", "cost", "country"]
        );
        assert_eq!(
            offered("SELECT v.c", " FROM clicks c JOIN conversions v"),
            ["conversion_id", "country"]
        );
        assert_eq!(
            offered("SELECT conversions.", ""),
            ["conversion_id", "country"]
        );
    }

    #[test]
    fn functions_open_their_parenthesis_and_keywords_keep_their_case() {
        assert_eq!(offered("select url_extract_h", ""), ["url_extract_host("]);
        assert_eq!(offered("SEL", ""), ["SELECT"]);
        assert_eq!(offered("sel", ""), ["select"]);
        assert_eq!(offered("select ", ""), [""; 0]);
    }

    #[test]
    fn a_backslash_offers_the_commands() {
        assert_eq!(
            candidates("\\ti", "", &names()),
            (0, vec!["\\timing".to_owned()])
        );
        assert_eq!(offered("\\format m", ""), ["markdown"]);
        assert_eq!(candidates("日本 clic", "", &names()).0, "日本 ".len());
    }
}
