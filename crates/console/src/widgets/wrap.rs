//! Long texts over several lines, bounded by what a pane shows.
//!
//! A cell of a report or a line of a log can have megabytes without a blank. Nothing here walks further than it
//! is asked for: lines are slices of the text, made one at a time, and where lines start is decided anew every
//! [`STRETCH`] bytes, so that the line before any place is found without reading from the beginning.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthChar;

use super::text::width;

/// A line starts at the first character after each multiple of this many bytes.
const STRETCH: usize = 8 * 1024;

/// More lines than any screen has.
const MOST_LINES: usize = 1_000;

/// The lines of a text from one place on.
#[derive(Debug, Clone)]
pub(crate) struct Lines<'t> {
    text: &'t str,
    at: usize,
    columns: usize,
    ended: bool,
}

/// A text broken at spaces into lines of at most `columns` columns, as far as it is asked for.
pub(crate) fn lines(text: &str, columns: u16) -> Lines<'_> {
    lines_from(text, 0, columns)
}

/// The lines from a place on: 0, or where another line starts.
pub(crate) fn lines_from(text: &str, at: usize, columns: u16) -> Lines<'_> {
    Lines {
        text,
        at,
        columns: usize::from(columns.max(1)),
        ended: at >= text.len(),
    }
}

impl Lines<'_> {
    /// Where the next line starts.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// The line that starts here as (its end, where the next one starts).
    fn break_at(&self) -> (usize, usize) {
        let start = self.at;
        let limit = stretch_after(self.text, start);
        let mut used = 0;
        let mut blank = None;
        for (offset, cluster) in self.text[start..limit].grapheme_indices(true) {
            let at = start + offset;
            if matches!(cluster, "\n" | "\r\n") {
                return (at, at + cluster.len());
            }
            used += width(cluster);
            if cluster == " " {
                blank = Some(at);
            }
            if used > self.columns && at > start {
                return match blank {
                    // The blank at which a line is broken is not drawn.
                    Some(blank) if blank > start => (blank, blank + 1),
                    _ => (at, at),
                };
            }
        }
        (limit, limit)
    }
}

impl<'t> Iterator for Lines<'t> {
    type Item = &'t str;

    fn next(&mut self) -> Option<&'t str> {
        if self.ended {
            return None;
        }
        let (end, next) = self.break_at();
        let line = &self.text[self.at..end];
        self.at = next;
        self.ended = next >= self.text.len();
        Some(line)
    }
}

/// A short text, a sentence of ours or an error, as lines; never more than a screen can show.
pub(crate) fn wrapped(text: &str, columns: u16) -> Vec<String> {
    lines(text, columns)
        .take(MOST_LINES)
        .map(str::to_owned)
        .collect()
}

/// Where the line starts that is `count` lines above `at`, or the first line's start.
pub(crate) fn above(text: &str, at: usize, columns: u16, count: usize) -> usize {
    let (mut at, mut left) = (at.min(text.len()), count);
    while at > 0 && left > 0 {
        let mut starts = Vec::new();
        let mut lines = lines_from(text, anchor_before(text, at), columns);
        while lines.at() < at {
            starts.push(lines.at());
            if lines.next().is_none() {
                break;
            }
        }
        let taken = left.min(starts.len());
        let Some(start) = starts.len().checked_sub(taken).and_then(|i| starts.get(i)) else {
            return at;
        };
        (at, left) = (*start, left - taken);
    }
    at
}

/// The nearest place before `at` where a line starts whatever the width: after a line break or at a stretch.
fn anchor_before(text: &str, at: usize) -> usize {
    let mut stretch = 0;
    let mut multiple = (at / STRETCH) * STRETCH;
    while multiple > 0 {
        let start = boundary(text, multiple);
        if start < at {
            stretch = start;
            break;
        }
        multiple -= STRETCH;
    }
    let before = text[stretch..at].trim_end_matches('\n');
    before
        .rfind('\n')
        .map_or(stretch, |found| stretch + found + 1)
}

/// The first place after `at` where a stretch starts.
fn stretch_after(text: &str, at: usize) -> usize {
    let mut multiple = (at / STRETCH) * STRETCH;
    loop {
        multiple += STRETCH;
        if multiple >= text.len() {
            return text.len();
        }
        let start = boundary(text, multiple);
        if start > at {
            return start;
        }
    }
}

/// The first place from `at` on that parts no character from its marks and no line from its end.
fn boundary(text: &str, at: usize) -> usize {
    const FURTHEST: usize = 256;
    let first = (at..text.len())
        .find(|place| text.is_char_boundary(*place))
        .unwrap_or(text.len());
    let mut joined = text[..first].ends_with('\u{200d}');
    for (offset, c) in text[first..].char_indices() {
        let stands_alone = c.width().is_some_and(|wide| wide > 0);
        if stands_alone && !joined || offset > FURTHEST {
            return first + offset;
        }
        joined = c == '\u{200d}';
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_wraps_at_spaces_and_cuts_what_has_none() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("a\n\nb", 7), ["a", "", "b"]);
        assert_eq!(wrapped("a\r\nb\n", 7), ["a", "b"]);
        assert_eq!(wrapped("", 7), [""; 0]);
        assert_eq!(wrapped("{\n  \"a\": 1\n}", 9), ["{", "  \"a\": 1", "}"]);
        assert!(
            wrapped("unbreakable", 4)
                .iter()
                .all(|line| width(line) <= 4)
        );
        assert_eq!(wrapped("unbreakable", 4).concat(), "unbreakable");
    }

    #[test]
    fn a_word_is_cut_between_its_clusters_whatever_it_holds() {
        for word in [
            "ends in…",
            "…",
            "日本語のことば",
            "e\u{301}e\u{301}e\u{301}",
            "a\u{7}b\u{1b}[31mc",
            "👩‍👩‍👧‍👦👩‍👩‍👧‍👦",
        ] {
            for columns in 0..5 {
                assert_eq!(
                    wrapped(word, columns).concat().replace(' ', ""),
                    word.replace(' ', ""),
                    "{word:?} in {columns}"
                );
            }
        }
    }

    /// What a pane shows of a text of megabytes is made of the bytes it shows, and holds none of the rest.
    #[test]
    fn a_long_text_without_a_blank_is_walked_no_further_than_the_pane() {
        for text in [
            "x".repeat(3_000_000),
            "日".repeat(1_000_000),
            "e\u{301}".repeat(1_000_000),
        ] {
            let shown: Vec<&str> = lines(&text, 116).take(40).collect();
            let bytes: usize = shown.iter().map(|line| line.len()).sum();
            assert_eq!(shown.len(), 40);
            assert!(bytes <= 40 * 116 * 3, "{bytes}");
            let mut walked = lines(&text, 116);
            walked.by_ref().take(40).for_each(drop);
            assert_eq!(walked.at(), bytes, "it stopped where the pane ends");
            let last = above(&text, text.len(), 116, 40);
            assert!(text.len() - last <= 40 * 116 * 3);
            assert_eq!(lines_from(&text, last, 116).count(), 40);
        }
    }

    /// Going up finds the lines that going down shows, across stretches and line breaks.
    #[test]
    fn up_is_the_way_down_again() {
        let mut text = "word and another ".repeat(3_000);
        text.push_str("\n\nend of it\n");
        text.push_str(&"ж́".repeat(9_000));
        for columns in [7, 80, 116] {
            let mut starts = Vec::new();
            let mut down = lines(&text, columns);
            loop {
                let at = down.at();
                if down.next().is_none() {
                    break;
                }
                starts.push(at);
            }
            for (position, start) in starts.iter().enumerate().skip(1) {
                assert_eq!(above(&text, *start, columns, 1), starts[position - 1]);
            }
            assert_eq!(
                above(&text, text.len(), columns, 50),
                starts[starts.len() - 50]
            );
            assert_eq!(above(&text, text.len(), columns, usize::MAX), 0);
        }
    }
}
