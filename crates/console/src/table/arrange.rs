//! Sorting and filtering: a permutation of row numbers, made away from the screen.

use std::{borrow::Cow, cmp::Ordering, io, ops::ControlFlow};

use memchr::memmem::Finder;

use super::{
    Cancel,
    index::{Index, scan},
    number::Number,
    source::Source,
};
use lakehand_pipeline::records::{field, fields, trimmed};

/// Rows in the order shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Order {
    rows: Vec<u32>,
    note: Option<String>,
}

impl Order {
    /// Rows shown.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The row of the file at a position.
    pub(crate) fn get(&self, position: usize) -> Option<u32> {
        self.rows.get(position).copied()
    }

    /// All rows, in order.
    pub(crate) fn rows(&self) -> &[u32] {
        &self.rows
    }

    /// What is to be said about it: why numbers were sorted as text.
    pub(crate) fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// For tests that need an order without a file.
    #[cfg(test)]
    pub(crate) fn of(rows: Vec<u32>) -> Self {
        Self { rows, note: None }
    }
}

/// What order is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct OrderSpec {
    /// Column and whether largest first.
    pub(crate) sort: Option<(usize, bool)>,
    /// Which rows.
    pub(crate) filter: Option<Filter>,
}

/// Words that a row must hold: `word`, `!word` (must not), `column:word`, `column:>5`. A word without capitals
/// ignores case; every word is looked for in one cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filter {
    text: String,
    terms: Vec<Term>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Term {
    word: String,
    column: Option<usize>,
    negated: bool,
    ignores_case: bool,
    limit: Option<Limit>,
}

/// A comparison with a number.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Limit {
    wanted: &'static [Ordering],
    number: Number,
}

impl Limit {
    /// Reads `>5`, `>=5`, `<5`, `<=5`, `=5`.
    fn parse(word: &str) -> Option<Self> {
        const SIGNS: [(&str, &[Ordering]); 5] = [
            (">=", &[Ordering::Greater, Ordering::Equal]),
            ("<=", &[Ordering::Less, Ordering::Equal]),
            (">", &[Ordering::Greater]),
            ("<", &[Ordering::Less]),
            ("=", &[Ordering::Equal]),
        ];
        let read = |(sign, wanted): &(&str, &'static [Ordering])| {
            let number = Number::parse(word.strip_prefix(sign)?.as_bytes())?;
            Some(Self { wanted, number })
        };
        SIGNS.iter().find_map(read)
    }

    /// Whether a cell is a number on the right side.
    fn holds(&self, cell: &[u8]) -> bool {
        Number::parse(cell)
            .is_some_and(|number| self.wanted.contains(&number.compare(&self.number)))
    }
}

impl Filter {
    /// Reads a filter; `None` when it is empty. A prefix that is no column's name is part of the word.
    pub(crate) fn parse(text: &str, header: &[String]) -> Option<Self> {
        let terms: Vec<_> = text
            .split_whitespace()
            .filter_map(|word| Term::parse(word, header))
            .collect();
        (!terms.is_empty()).then(|| Self {
            text: text.trim().to_owned(),
            terms,
        })
    }

    /// As it was typed.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

impl Term {
    fn parse(word: &str, header: &[String]) -> Option<Self> {
        let (negated, word) = match word.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, word),
        };
        let named = word.split_once(':').and_then(|(name, rest)| {
            let column = header
                .iter()
                .position(|title| title.eq_ignore_ascii_case(name))?;
            Some((column, rest))
        });
        let (column, word) = match named {
            Some((column, rest)) => (Some(column), rest),
            None => (None, word),
        };
        let ignores_case = !word.chars().any(char::is_uppercase);
        (!word.is_empty()).then(|| Self {
            word: word.to_owned(),
            column,
            negated,
            ignores_case,
            limit: column.and_then(|_| Limit::parse(word)),
        })
    }
}

/// A filter made ready for many rows.
pub(crate) struct Matcher<'f> {
    terms: Vec<(&'f Term, Finder<'f>)>,
    /// Whether a word could be found across two cells.
    has_comma: bool,
    lowered: Vec<u8>,
}

impl<'f> Matcher<'f> {
    /// A matcher of `filter`.
    pub(crate) fn new(filter: &'f Filter) -> Self {
        let ready = |term: &'f Term| (term, Finder::new(term.word.as_bytes()));
        Self {
            has_comma: filter.terms.iter().any(|term| term.word.contains(',')),
            terms: filter.terms.iter().map(ready).collect(),
            lowered: Vec::new(),
        }
    }

    /// Whether the record, without its line end, is wanted.
    pub(crate) fn matches(&mut self, line: &[u8]) -> bool {
        let plain = self.whole_row(line);
        let mut lowered_is_ready = false;
        for (term, finder) in &self.terms {
            let found = match term.column {
                Some(column) if term.limit.is_some() => {
                    let cell = field(line, column);
                    term.limit.as_ref().is_some_and(|limit| limit.holds(&cell))
                }
                Some(column) if term.ignores_case => {
                    finder.find(&lower(&field(line, column))).is_some()
                }
                Some(column) => finder.find(&field(line, column)).is_some(),
                None if term.ignores_case => {
                    if !lowered_is_ready {
                        lower_into(&plain, &mut self.lowered);
                        lowered_is_ready = true;
                    }
                    finder.find(&self.lowered).is_some()
                }
                None => finder.find(&plain).is_some(),
            };
            if found == term.negated {
                return false;
            }
        }
        true
    }

    /// The cells of a row, one after the other, parted by what no cell holds in practice.
    fn whole_row<'l>(&self, line: &'l [u8]) -> Cow<'l, [u8]> {
        if !self.has_comma && !line.contains(&b'"') {
            return Cow::Borrowed(line);
        }
        Cow::Owned(fields(line).collect::<Vec<_>>().join(&0x1f))
    }
}

fn lower(bytes: &[u8]) -> Vec<u8> {
    let mut lowered = Vec::new();
    lower_into(bytes, &mut lowered);
    lowered
}

/// Lower case: bytewise for ASCII, by character otherwise.
fn lower_into(bytes: &[u8], lowered: &mut Vec<u8>) {
    lowered.clear();
    if bytes.is_ascii() {
        lowered.extend_from_slice(bytes);
        lowered.make_ascii_lowercase();
    } else {
        lowered.extend_from_slice(String::from_utf8_lossy(bytes).to_lowercase().as_bytes());
    }
}

/// Sorts and filters; `None` is the order of the file, whole.
///
/// # Errors
/// When reading fails, or the work was cancelled.
pub(crate) fn arrange(
    source: &Source,
    index: &Index,
    spec: &OrderSpec,
    cancel: &Cancel,
) -> io::Result<Option<Order>> {
    let wanted = match &spec.filter {
        Some(filter) => Some(matching(source, index, filter, cancel)?),
        None => None,
    };
    let Some((column, descending)) = spec.sort else {
        return Ok(wanted.map(|rows| Order { rows, note: None }));
    };
    let column = Column {
        source,
        index,
        column,
        descending,
        wanted: wanted.as_deref(),
        cancel,
    };
    let rows = match column.sorted_as_numbers(decimal, |a, b| a.cmp(b))? {
        Some(rows) => Some(rows),
        None => column.sorted_as_wide_numbers()?,
    };
    Ok(Some(match rows {
        Some(rows) => Order { rows, note: None },
        None => column.sorted_as_text()?,
    }))
}

/// Rows that match, ascending.
pub(crate) fn matching(
    source: &Source,
    index: &Index,
    filter: &Filter,
    cancel: &Cancel,
) -> io::Result<Vec<u32>> {
    let mut matcher = Matcher::new(filter);
    let mut rows = Vec::new();
    scan(source, index, 0, cancel, |row, record| {
        if matcher.matches(trimmed(record)) {
            rows.push(row);
        }
        ControlFlow::Continue(())
    })?;
    Ok(rows)
}

/// One column of the wanted rows (ascending row numbers), to be sorted.
struct Column<'c> {
    source: &'c Source,
    index: &'c Index,
    column: usize,
    descending: bool,
    wanted: Option<&'c [u32]>,
    cancel: &'c Cancel,
}

impl Column<'_> {
    /// Shows every cell to `each`, until it breaks.
    fn scan(&self, mut each: impl FnMut(u32, &[u8]) -> ControlFlow<()>) -> io::Result<()> {
        let mut next = 0;
        scan(self.source, self.index, 0, self.cancel, |row, record| {
            if let Some(wanted) = self.wanted {
                if wanted.get(next) != Some(&row) {
                    return ControlFlow::Continue(());
                }
                next += 1;
            }
            each(row, &field(trimmed(record), self.column))
        })
    }

    /// Order by value when `read` takes every cell that is not empty; `None` otherwise. Empty cells come last.
    fn sorted_as_numbers<N>(
        &self,
        mut read: impl FnMut(&[u8]) -> Option<N>,
        compare: impl Fn(&N, &N) -> Ordering,
    ) -> io::Result<Option<Vec<u32>>> {
        let (mut keyed, mut empty, mut numeric) = (Vec::new(), Vec::new(), true);
        self.scan(|row, cell| {
            match read(cell) {
                Some(value) => keyed.push((value, row)),
                None if cell.is_empty() => empty.push(row),
                None => {
                    numeric = false;
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        })?;
        if !numeric || keyed.is_empty() {
            return Ok(None);
        }
        keyed.sort_unstable_by(|a, b| {
            directed(compare(&a.0, &b.0), self.descending).then(a.1.cmp(&b.1))
        });
        Ok(Some(
            keyed.into_iter().map(|(_, row)| row).chain(empty).collect(),
        ))
    }

    /// The same for numbers with an exponent, of many digits, or all of them in percent.
    fn sorted_as_wide_numbers(&self) -> io::Result<Option<Vec<u32>>> {
        let mut percent = None;
        let read = |cell: &[u8]| {
            let number = Number::parse(cell)?;
            let unit = *percent.get_or_insert(number.is_percent());
            (unit == number.is_percent()).then_some(number)
        };
        self.sorted_as_numbers(read, Number::compare)
    }

    /// Order by bytes of the text; empty cells come last. Says so where it looks like a column of numbers.
    fn sorted_as_text(&self) -> io::Result<Order> {
        let (mut arena, mut keyed, mut empty) = (Vec::new(), Vec::new(), Vec::new());
        let (mut numbers, mut odd) = (0, None);
        self.scan(|row, cell| {
            if cell.is_empty() {
                empty.push(row);
                return ControlFlow::Continue(());
            }
            if Number::parse(cell).is_some() {
                numbers += 1;
            } else if odd.is_none() {
                let head = &cell[..cell.len().min(40)];
                odd = Some((row, String::from_utf8_lossy(head).into_owned()));
            }
            let start = arena.len();
            arena.extend_from_slice(cell);
            keyed.push((start, arena.len(), row));
            ControlFlow::Continue(())
        })?;
        keyed.sort_unstable_by(|a, b| {
            directed(arena[a.0..a.1].cmp(&arena[b.0..b.1]), self.descending).then(a.2.cmp(&b.2))
        });
        let note = (numbers * 2 > keyed.len()).then(|| match odd {
            Some((row, cell)) => format!(
                "sorted as text: '{cell}' in row {} is no number",
                u64::from(row) + 1
            ),
            None => "sorted as text: some numbers are in percent and some are not".to_owned(),
        });
        let rows = keyed.into_iter().map(|(_, _, row)| row).chain(empty);
        Ok(Order {
            rows: rows.collect(),
            note,
        })
    }
}

fn directed(order: Ordering, descending: bool) -> Ordering {
    if descending { order.reverse() } else { order }
}

/// A plain decimal number as units of 10^-12, exact; `None` for anything else.
pub(crate) fn decimal(text: &[u8]) -> Option<i128> {
    const PLACES: usize = 12;
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let (whole, fraction) = match digits.iter().position(|byte| *byte == b'.') {
        Some(point) => (&digits[..point], &digits[point + 1..]),
        None => (digits, &b""[..]),
    };
    if whole.len() + fraction.len() == 0 || whole.len() > 24 || fraction.len() > PLACES {
        return None;
    }
    let padding = std::iter::repeat_n(&b'0', PLACES - fraction.len());
    let mut value: i128 = 0;
    for byte in whole.iter().chain(fraction).chain(padding) {
        if !byte.is_ascii_digit() {
            return None;
        }
        value = value * 10 + i128::from(byte - b'0');
    }
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn table(text: &str) -> (tempfile::NamedTempFile, Source, Index) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let source = Source::open(file.path(), "test").unwrap();
        let index = Index::build(&source, &Cancel::default(), |_| {}).unwrap();
        (file, source, index)
    }

    fn ordered(text: &str, sort: Option<(usize, bool)>, filter: &str) -> Option<Vec<u32>> {
        let (_file, source, index) = table(text);
        let spec = OrderSpec {
            sort,
            filter: Filter::parse(filter, source.header()),
        };
        arrange(&source, &index, &spec, &Cancel::default())
            .unwrap()
            .map(|order| order.rows)
    }

    #[test]
    fn numbers_sort_by_value_and_exactly() {
        let text = "n\n10\n9.5\n\n-3\n9007199254740993\n9007199254740992\n0.1\n";
        assert_eq!(
            ordered(text, Some((0, false)), ""),
            Some(vec![3, 6, 1, 0, 5, 4, 2])
        );
        assert_eq!(
            ordered(text, Some((0, true)), ""),
            Some(vec![4, 5, 0, 1, 6, 3, 2]),
            "empty cells stay last"
        );
    }

    #[test]
    fn one_word_makes_the_column_text() {
        assert_eq!(
            ordered("n\n10\n9\nten\n", Some((0, false)), ""),
            Some(vec![0, 1, 2])
        );
    }

    #[test]
    fn percent_and_exponents_sort_by_value_and_text_among_numbers_is_told() {
        assert_eq!(
            ordered("p\n10%\n9%\n\n100.5%\n", Some((0, false)), ""),
            Some(vec![1, 0, 3, 2])
        );
        assert_eq!(
            ordered("x\n1e3\n5\n2.5E-7\n-1e300\n", Some((0, true)), ""),
            Some(vec![0, 1, 2, 3])
        );
        let note = |text: &str| {
            let (_file, source, index) = table(text);
            let spec = OrderSpec {
                sort: Some((0, false)),
                filter: None,
            };
            let order = arrange(&source, &index, &spec, &Cancel::default()).unwrap();
            order.unwrap().note
        };
        assert_eq!(
            note("n\nn/a\n10\n9\n").unwrap(),
            "sorted as text: 'n/a' in row 1 is no number"
        );
        assert_eq!(
            note("n\n1%\n1\n").unwrap(),
            "sorted as text: some numbers are in percent and some are not"
        );
        assert_eq!(note("n\nb\na\n10\n"), None);
        assert_eq!(note("n\n1\n2\n"), None);
    }

    #[test]
    fn a_word_is_found_within_one_cell_only() {
        let text = "a,b\n1,5\n\"1,5\",2\n11,55\n";
        assert_eq!(ordered(text, None, "1,5"), Some(vec![1]));
        assert_eq!(ordered(text, None, "!1,5"), Some(vec![0, 2]));
        assert_eq!(ordered(text, None, "a:1,5"), Some(vec![1]));
    }

    #[test]
    fn numbers_can_be_compared_with() {
        let text = "clicks,rate\n99990,5%\n99991,7%\n,12%\n1e5,n/a\nmany,0.5%\n";
        assert_eq!(ordered(text, None, "clicks:>99990"), Some(vec![1, 3]));
        assert_eq!(ordered(text, None, "clicks:>=99990"), Some(vec![0, 1, 3]));
        assert_eq!(ordered(text, None, "!clicks:>99990"), Some(vec![0, 2, 4]));
        assert_eq!(ordered(text, None, "clicks:=100000"), Some(vec![3]));
        assert_eq!(ordered(text, None, "rate:<7 rate:>0.5"), Some(vec![0]));
        assert_eq!(ordered(text, None, "rate:<=7%"), Some(vec![0, 1, 4]));
        assert_eq!(ordered(text, None, "clicks:>many"), Some(vec![]));
    }

    #[test]
    fn equal_cells_keep_the_order_of_the_file() {
        assert_eq!(
            ordered("a,b\nx,1\ny,2\nx,3\n", Some((0, false)), ""),
            Some(vec![0, 2, 1])
        );
        assert_eq!(
            ordered("a,b\nx,1\ny,2\nx,3\n", Some((0, true)), ""),
            Some(vec![1, 0, 2])
        );
    }

    #[test]
    fn filters_by_word_not_word_and_column() {
        let text = "name,country\nÄpfel,DE\n\"say \"\"hi\"\"\",FR\napfel,fr\nDE side,US\n";
        assert_eq!(ordered(text, None, "äpfel"), Some(vec![0]));
        assert_eq!(ordered(text, None, "\"hi\""), Some(vec![1]));
        assert_eq!(ordered(text, None, "country:fr"), Some(vec![1, 2]));
        assert_eq!(
            ordered(text, None, "country:FR"),
            Some(vec![1]),
            "a capital asks for exactly this"
        );
        assert_eq!(ordered(text, None, "!country:fr !äpfel"), Some(vec![3]));
        assert_eq!(ordered(text, None, "nothing:here"), Some(vec![]));
        assert_eq!(ordered(text, None, "  "), None);
        assert_eq!(ordered(text, Some((0, true)), "fr"), Some(vec![1, 2]));
    }

    #[test]
    fn what_is_a_number() {
        assert_eq!(decimal(b"1.5"), Some(1_500_000_000_000));
        assert_eq!(decimal(b"-0.000000000001"), Some(-1));
        for text in [
            "",
            "-",
            ".",
            "1e5",
            "1,000",
            "0x1",
            "NaN",
            "1.0000000000001",
        ] {
            assert_eq!(decimal(text.as_bytes()), None, "{text}");
        }
    }
}
