//! Looking for the next row that holds a text, in the order shown.

use std::{io, ops::ControlFlow};

use super::{
    Cancel, Filter, Order,
    arrange::{Matcher, matching},
    index::{Index, scan},
    source::Source,
};
use lakehand_pipeline::records::trimmed;

/// What to look for, from where.
#[derive(Debug, Clone)]
pub(crate) struct FindSpec {
    /// Words, as in a filter.
    pub(crate) wanted: Filter,
    /// The position to start after.
    pub(crate) after: usize,
    /// Whether to look at `after` too.
    pub(crate) inclusive: bool,
    /// Downwards.
    pub(crate) forward: bool,
}

/// The position of the next row that matches; goes round at the end.
///
/// # Errors
/// When reading fails, or the work was cancelled.
pub(crate) fn find(
    source: &Source,
    index: &Index,
    order: Option<&Order>,
    spec: &FindSpec,
    cancel: &Cancel,
) -> io::Result<Option<usize>> {
    if order.is_none() && spec.forward {
        let from = spec.after + usize::from(!spec.inclusive);
        if let Some(row) = first_from(source, index, from, &spec.wanted, cancel)? {
            return Ok(Some(row));
        }
    }
    let rows = matching(source, index, &spec.wanted, cancel)?;
    let position = |row: u32| rows.binary_search(&row).is_ok();
    let hits: Vec<usize> = match order {
        Some(order) => order
            .rows()
            .iter()
            .enumerate()
            .filter(|(_, row)| position(**row))
            .map(|(at, _)| at)
            .collect(),
        None => rows.iter().map(|row| *row as usize).collect(),
    };
    Ok(next_of(&hits, spec))
}

/// The next of ascending `hits`, round the end.
fn next_of(hits: &[usize], spec: &FindSpec) -> Option<usize> {
    if spec.forward {
        let start = if spec.inclusive {
            spec.after
        } else {
            spec.after + 1
        };
        hits.iter()
            .find(|hit| **hit >= start)
            .or(hits.first())
            .copied()
    } else {
        hits.iter()
            .rev()
            .find(|hit| **hit < spec.after)
            .or(hits.last())
            .copied()
    }
}

/// In the order of the file a hit near by is found without reading the rest.
fn first_from(
    source: &Source,
    index: &Index,
    from: usize,
    wanted: &Filter,
    cancel: &Cancel,
) -> io::Result<Option<usize>> {
    let mut matcher = Matcher::new(wanted);
    let mut found = None;
    scan(source, index, from, cancel, |row, record| {
        if matcher.matches(trimmed(record)) {
            found = Some(row as usize);
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn goes_on_in_the_order_shown_and_round_the_end() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"a\nred\nblue\nred\ngreen\n").unwrap();
        let source = Source::open(file.path(), "test").unwrap();
        let index = Index::build(&source, &Cancel::default(), |_| {}).unwrap();
        let wanted = Filter::parse("red", source.header()).unwrap();
        let look = |order: Option<&Order>, after, inclusive, forward| {
            let spec = FindSpec {
                wanted: wanted.clone(),
                after,
                inclusive,
                forward,
            };
            find(&source, &index, order, &spec, &Cancel::default()).unwrap()
        };
        assert_eq!(look(None, 0, true, true), Some(0));
        assert_eq!(look(None, 0, false, true), Some(2));
        assert_eq!(look(None, 2, false, true), Some(0), "round the end");
        assert_eq!(look(None, 0, false, false), Some(2), "round the start");
        let backwards = Order::of(vec![3, 2, 1, 0]);
        assert_eq!(look(Some(&backwards), 0, true, true), Some(1));
        assert_eq!(look(Some(&backwards), 1, false, true), Some(3));
    }
}
