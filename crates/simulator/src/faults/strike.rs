//! Decides which faults strike a request.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::super::random::{Draws, Purpose};
use super::{Fault, FaultKind, FaultPlan, Trigger};

/// What replaces or damages an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replacement {
    /// Another answer altogether.
    Instead(FaultKind),
    /// The right body, damaged.
    Damaged(FaultKind),
}

/// What happens to the rows of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PageFault {
    /// The rows of the page before.
    Duplicate,
    /// Rows moved down, or up if negative.
    Shift(i64),
}

/// Everything that strikes one request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Strikes {
    pub delay: Duration,
    pub replacement: Option<Replacement>,
    pub page: Option<PageFault>,
    pub late_status: bool,
    /// What is twisted in an answer that is otherwise right.
    pub twist: Option<FaultKind>,
}

/// A plan at work: counts the requests that concern each fault.
#[derive(Debug)]
pub(crate) struct Faults {
    seed: u64,
    faults: Vec<(Fault, AtomicU64)>,
    struck: Mutex<BTreeMap<&'static str, u64>>,
}

impl Faults {
    pub(crate) fn new(plan: FaultPlan, seed: u64) -> Self {
        let faults = plan
            .0
            .into_iter()
            .map(|fault| (fault, AtomicU64::new(0)))
            .collect();
        Self {
            seed,
            faults,
            struck: Mutex::default(),
        }
    }

    /// How often each kind has struck.
    pub(crate) fn struck(&self) -> BTreeMap<&'static str, u64> {
        self.struck
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Remembers that a fault took effect.
    fn note(&self, kind: FaultKind) {
        *self
            .struck
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(kind.name())
            .or_default() += 1;
    }

    /// What strikes the request of a number (from 1) to a path. `is_later_page`: the request asks
    /// for page 2 or a later one of a listing, where alone page faults can be seen.
    pub(crate) fn strikes(&self, path: &str, request: u64, is_later_page: bool) -> Strikes {
        let mut strikes = Strikes::default();
        for (place, (fault, counter)) in self.faults.iter().enumerate() {
            if !fault.concerns(path) {
                continue;
            }
            let count = counter.fetch_add(1, Ordering::Relaxed) + 1;
            if self.is_triggered(fault.trigger, place as u64, count, request)
                && strikes.add(fault.kind, is_later_page)
            {
                self.note(fault.kind);
            }
        }
        strikes
    }

    fn is_triggered(&self, trigger: Trigger, place: u64, count: u64, request: u64) -> bool {
        match trigger {
            Trigger::Always => true,
            Trigger::Requests { from, to } => (from..=to).contains(&count),
            Trigger::Probability(probability) => {
                let drawn =
                    Draws::new(self.seed, Purpose::Fault, place << 48 ^ request).bits() >> 32;
                (drawn as f64) < probability * (1_u64 << 32) as f64
            }
        }
    }
}

impl Strikes {
    /// Adds a fault; false if it has no effect on this request.
    fn add(&mut self, kind: FaultKind, is_later_page: bool) -> bool {
        let page = |fault| is_later_page.then_some(fault);
        match kind {
            FaultKind::Slow(wait) => self.delay += wait,
            FaultKind::LateStatus => self.late_status = true,
            FaultKind::DuplicatePage | FaultKind::ShiftPage(_) if self.page.is_some() => {
                return false;
            }
            FaultKind::DuplicatePage => {
                self.page = page(PageFault::Duplicate);
                return self.page.is_some();
            }
            FaultKind::ShiftPage(rows) => {
                self.page = page(PageFault::Shift(rows));
                return self.page.is_some();
            }
            FaultKind::ShortToken
            | FaultKind::ExportFailed
            | FaultKind::FileMissing
            | FaultKind::TruncatedFile
            | FaultKind::WrongChecksum
            | FaultKind::WrongRange => {
                let first = self.twist.is_none();
                self.twist = self.twist.or(Some(kind));
                return first;
            }
            _ if self.replacement.is_some() => return false,
            FaultKind::Cut | FaultKind::Drop | FaultKind::DropChunked => {
                self.replacement = Some(Replacement::Damaged(kind));
            }
            _ => self.replacement = Some(Replacement::Instead(kind)),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(plan: &str) -> Faults {
        Faults::new(plan.parse().unwrap(), 9)
    }

    fn replaced(strikes: Strikes) -> Option<FaultKind> {
        match strikes.replacement {
            Some(Replacement::Instead(kind) | Replacement::Damaged(kind)) => Some(kind),
            None => None,
        }
    }

    #[test]
    fn the_nth_request_to_a_path_is_struck() {
        let faults = faults("500@/a#2,cut@/b*#1-2");
        let paths = ["/a", "/b", "/bc", "/a", "/a", "/b"];
        let struck: Vec<_> = (1..)
            .zip(paths)
            .map(|(number, path)| replaced(faults.strikes(path, number, false)))
            .collect();
        let cut = Some(FaultKind::Cut);
        assert_eq!(
            struck,
            [
                None,
                cut,
                cut,
                Some(FaultKind::ServerError(500)),
                None,
                None
            ]
        );
        assert_eq!(faults.struck(), BTreeMap::from([("500", 1), ("cut", 2)]));
    }

    #[test]
    fn a_probability_is_kept_and_the_same_for_the_same_seed() {
        let draw = |seed| {
            let faults = Faults::new("html=0.2".parse().unwrap(), seed);
            (1..=5_000)
                .filter(|&number| faults.strikes("/x", number, false) != Strikes::default())
                .collect::<Vec<_>>()
        };
        let first = draw(1);
        assert!((900..1_100).contains(&first.len()), "{}", first.len());
        assert_eq!(first, draw(1));
        assert_ne!(first, draw(2));
    }

    #[test]
    fn the_first_replacement_wins_and_the_rest_adds_up() {
        let faults = faults("slow:1s,late-status,drop,500,slow:500ms,shift-page:3,duplicate-page");
        let strikes = faults.strikes("/x", 1, true);
        assert_eq!(strikes.delay, Duration::from_millis(1_500));
        assert!(strikes.late_status);
        assert_eq!(
            strikes.replacement,
            Some(Replacement::Damaged(FaultKind::Drop))
        );
        assert_eq!(strikes.page, Some(PageFault::Shift(3)));
        assert_eq!(faults.strikes("/x", 2, false).page, None);
    }
}
