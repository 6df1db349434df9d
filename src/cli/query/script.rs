//! A text of several statements, taken apart: each ends at a semicolon that stands in no text, name or comment.

use crate::pipeline::text::for_terminal;

/// One statement of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The statement without its semicolon, and without what stands before it.
    pub sql: String,
    /// Line of the text that it starts on, from 1.
    pub line: usize,
    /// Column of that line, from 1.
    pub column: usize,
}

/// A text taken apart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Script {
    /// The statements; the last one may lack its semicolon.
    pub statements: Vec<Statement>,
    /// Whether the text ends outside of a statement.
    pub is_complete: bool,
}

/// What the text is in the middle of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Nothing,
    /// A text or a quoted name, until this character. Two of them are one that belongs to it.
    Quotes(char),
    LineComment,
    BlockComment,
}

/// Takes a text apart.
pub fn split(text: &str) -> Script {
    let mut script = Script::default();
    let (mut inside, mut started) = (Inside::Nothing, None::<(usize, usize, usize)>);
    let (mut line, mut column) = (1, 1);
    let mut characters = text.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        let next = characters.peek().map(|(_, next)| *next);
        let here = (at, line, column);
        let mut taken = 1;
        match (inside, c) {
            (Inside::Nothing, '-') if next == Some('-') => inside = Inside::LineComment,
            (Inside::Nothing, '/') if next == Some('*') => {
                characters.next();
                taken = 2;
                inside = Inside::BlockComment;
            }
            (Inside::Nothing, ';') => {
                if let Some((start, line, column)) = started.take() {
                    let sql = text[start..at].trim_end().to_owned();
                    script.statements.push(Statement { sql, line, column });
                }
            }
            (Inside::Nothing, c) if c.is_whitespace() => {}
            (Inside::Nothing, c) => {
                started.get_or_insert(here);
                if matches!(c, '\'' | '"' | '`') {
                    inside = Inside::Quotes(c);
                }
            }
            (Inside::Quotes(quote), c) if c == quote => inside = Inside::Nothing,
            (Inside::LineComment, '\n') => inside = Inside::Nothing,
            (Inside::BlockComment, '*') if next == Some('/') => {
                characters.next();
                taken = 2;
                inside = Inside::Nothing;
            }
            _ => {}
        }
        if c == '\n' {
            (line, column) = (line + 1, 1);
        } else {
            column += taken;
        }
    }
    script.is_complete = started.is_none() && !matches!(inside, Inside::BlockComment);
    if let Some((start, line, column)) = started {
        let sql = text[start..].trim_end().to_owned();
        script.statements.push(Statement { sql, line, column });
    }
    script
}

/// `line 1:8` of an error's message: the line and the column.
fn place(message: &str) -> Option<(std::ops::Range<usize>, usize, usize)> {
    let mut from = 0;
    while let Some(found) = message[from..].find("line ") {
        let start = from + found + "line ".len();
        let rest = &message[start..];
        let digits =
            |text: &str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let line = digits(rest);
        if line > 0 && rest[line..].starts_with(':') {
            let column = digits(&rest[line + 1..]);
            let end = line + 1 + column;
            if let (Ok(line), Ok(column)) = (rest[..line].parse(), rest[line + 1..end].parse()) {
                return Some((start..start + end, line, column));
            }
        }
        from = start;
    }
    None
}

impl Statement {
    /// A message about this statement as one about the text it came from, and the line that it means with a mark under
    /// the place.
    pub fn located(&self, message: &str) -> (String, Option<String>) {
        let Some((range, line, column)) = place(message) else {
            return (message.to_owned(), None);
        };
        let Some(shown) = line
            .checked_sub(1)
            .and_then(|line| self.sql.lines().nth(line))
        else {
            return (message.to_owned(), None);
        };
        let own_column = column;
        let (line, column) = match line {
            1 => (self.line, column + self.column - 1),
            line => (line + self.line - 1, column),
        };
        let mut told = message.to_owned();
        told.replace_range(range, &format!("{line}:{column}"));
        (told, Some(marked(line, shown, own_column)))
    }
}

/// Columns of a line that are shown around a place.
const SHOWN: usize = 100;

/// The line with a mark under a column; of a long line only what is around it.
fn marked(number: usize, line: &str, column: usize) -> String {
    let at = column.saturating_sub(1);
    let start = if at > SHOWN * 3 / 4 {
        at - SHOWN / 2
    } else {
        0
    };
    let shown: String = line.chars().skip(start).take(SHOWN).collect();
    let before: String = line.chars().skip(start).take(at - start).collect();
    let more = if start > 0 { "…" } else { "" };
    let width = crate::pipeline::text::columns(&before) + more.chars().count();
    let number = number.to_string();
    format!(
        "{number} | {more}{}\n{} | {}^",
        for_terminal(&shown),
        " ".repeat(number.len()),
        " ".repeat(width)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statements(text: &str) -> Vec<(String, usize, usize)> {
        let all = split(text).statements.into_iter();
        all.map(|one| (one.sql, one.line, one.column)).collect()
    }

    fn one(sql: &str, line: usize, column: usize) -> (String, usize, usize) {
        (sql.to_owned(), line, column)
    }

    #[test]
    fn statements_end_at_semicolons_that_stand_for_themselves() {
        assert_eq!(
            statements(
                "-- a; b\nSELECT ';' AS \"x;y\", 'it''s;'; /* ; */\n\n  select 2 -- ;\n;;\nselect 3"
            ),
            [
                one("SELECT ';' AS \"x;y\", 'it''s;'", 2, 1),
                one("select 2 -- ;", 4, 3),
                one("select 3", 6, 1),
            ]
        );
        assert_eq!(statements(" ;\n; -- nothing\n"), []);
        assert_eq!(
            statements("SELECT '日本;語' ; SELECT 2"),
            [one("SELECT '日本;語'", 1, 1), one("SELECT 2", 1, 17)]
        );
    }

    #[test]
    fn a_text_is_complete_outside_of_a_statement() {
        for text in ["", "  ", "select 1;", "select 1; -- more", "-- only this"] {
            assert!(split(text).is_complete, "{text}");
        }
        for text in [
            "select 1",
            "select ';",
            "select \";",
            "select /* ;",
            "/* ",
            "select 1; select",
        ] {
            assert!(!split(text).is_complete, "{text}");
        }
    }

    #[test]
    fn a_place_is_told_in_the_text_it_came_from() {
        let text = "SELECT 1;\n  SELECT a,\n   日本 b FROM";
        let statement = &split(text).statements[1];
        let (told, mark) = statement.located("SYNTAX_ERROR: line 1:8: no column");
        assert_eq!(told, "SYNTAX_ERROR: line 2:10: no column");
        assert_eq!(mark.unwrap(), "2 | SELECT a,\n  |        ^");
        let (told, mark) = statement.located("X: line 2:7: what");
        assert_eq!(told, "X: line 3:7: what");
        assert_eq!(mark.unwrap(), "3 |    日本 b FROM\n  |         ^");
        for message in ["no place", "line 9:1: beyond", "line x:1", "a line 3"] {
            assert_eq!(statement.located(message), (message.to_owned(), None));
        }
    }

    #[test]
    fn of_a_long_line_what_is_around_the_place_is_shown() {
        let sql = format!("{} FROM", "x".repeat(300));
        let mark = split(&sql).statements[0]
            .located("line 1:302: y")
            .1
            .unwrap();
        let lines: Vec<&str> = mark.lines().collect();
        assert_eq!(
            lines[0].chars().nth(lines[1].chars().count() - 1),
            Some('F')
        );
    }
}
