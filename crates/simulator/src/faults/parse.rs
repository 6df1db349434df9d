//! Reads a fault plan.

use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

use super::{Fault, FaultKind, FaultPlan, Trigger};
use crate::{google::WORDS, marketo::codes::CODES};

/// A fault plan that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "cannot read the fault plan {plan:?} at character {position}: {problem}; \
     write KIND[@PATH][=PROBABILITY|#N[-[M]]][:ARGUMENT], separated by commas, where KIND is one of: {}",
    known_kinds()
)]
pub struct FaultPlanError {
    /// The plan.
    pub plan: String,
    /// Where the trouble starts, in characters from 1.
    pub position: usize,
    /// What is wrong there.
    pub problem: String,
}

fn known_kinds() -> String {
    let mut names: Vec<&str> = FaultKind::ALL.iter().map(|kind| kind.name()).collect();
    names.push("expired-key-after");
    names.join(", ")
}

impl FromStr for FaultPlan {
    type Err = FaultPlanError;

    fn from_str(plan: &str) -> Result<Self, FaultPlanError> {
        let mut faults = Vec::new();
        let mut start = 0;
        for piece in plan.split(',') {
            let blank = piece.len() - piece.trim_start().len();
            let text = piece.trim();
            if !text.is_empty() {
                faults.push(fault(text).map_err(|trouble| {
                    let offset = start + blank + trouble.offset;
                    FaultPlanError {
                        plan: plan.to_owned(),
                        position: plan[..offset].chars().count() + 1,
                        problem: trouble.problem,
                    }
                })?);
            }
            start += piece.len() + 1;
        }
        Ok(Self(faults))
    }
}

/// What is wrong with one fault, and at which byte of it.
struct Trouble {
    offset: usize,
    problem: String,
}

fn trouble<T>(offset: usize, problem: impl Into<String>) -> Result<T, Trouble> {
    Err(Trouble {
        offset,
        problem: problem.into(),
    })
}

fn fault(text: &str) -> Result<Fault, Trouble> {
    let (before_argument, argument) = match text.split_once(':') {
        Some((before, argument)) => (before, Some((before.len() + 1, argument))),
        None => (text, None),
    };
    let trigger_at = before_argument.find(['=', '#']);
    let (head, trigger_text) = match trigger_at {
        Some(place) => before_argument.split_at(place),
        None => (before_argument, ""),
    };
    let (word, path) = match head.split_once('@') {
        Some((word, path)) if path.starts_with('/') => (word, Some(path.to_owned())),
        Some((word, path)) => {
            return trouble(
                word.len() + 1,
                format!("the path {path:?} does not start with a slash"),
            );
        }
        None => (head, None),
    };
    if word == "expired-key-after" {
        let trigger = expiry(head.len(), trigger_text)?;
        refuse_argument(word, argument)?;
        return Ok(Fault {
            kind: FaultKind::WrongKey,
            path,
            trigger,
        });
    }
    let Some(plain) = FaultKind::ALL.into_iter().find(|kind| kind.name() == word) else {
        return trouble(0, format!("the kind {word:?} is not known"));
    };
    let trigger = trigger(head.len(), trigger_text)?;
    Ok(Fault {
        kind: with_argument(plain, argument)?,
        path,
        trigger,
    })
}

fn expiry(offset: usize, text: &str) -> Result<Trigger, Trouble> {
    match text.strip_prefix('=').map(str::parse::<u64>) {
        Some(Ok(good)) => Ok(Trigger::Requests {
            from: good.saturating_add(1),
            to: u64::MAX,
        }),
        _ => trouble(
            offset,
            "expired-key-after needs the number of requests that still work, as in =10",
        ),
    }
}

fn trigger(offset: usize, text: &str) -> Result<Trigger, Trouble> {
    if text.is_empty() {
        return Ok(Trigger::Always);
    }
    let (sign, rest) = text.split_at(1);
    if sign == "=" {
        return match rest.parse::<f64>() {
            Ok(probability) if (0.0..=1.0).contains(&probability) => {
                Ok(Trigger::Probability(probability))
            }
            _ => trouble(
                offset + 1,
                format!("{rest:?} is not a probability from 0 to 1"),
            ),
        };
    }
    let (from, to) = match rest.split_once('-') {
        None => (rest.parse(), rest.parse()),
        Some((from, "")) => (from.parse(), Ok(u64::MAX)),
        Some((from, to)) => (from.parse(), to.parse()),
    };
    match (from, to) {
        (Ok(from), Ok(to)) if from >= 1 && from <= to => Ok(Trigger::Requests { from, to }),
        _ => trouble(
            offset + 1,
            format!("{rest:?} does not count requests from 1, as 2, 2-4 or 2- do"),
        ),
    }
}

fn with_argument(kind: FaultKind, argument: Option<(usize, &str)>) -> Result<FaultKind, Trouble> {
    let Some((offset, text)) = argument else {
        return Ok(kind);
    };
    match kind {
        FaultKind::RetryAfter(_) | FaultKind::Slow(_) => match duration(text) {
            Some(wait) if matches!(kind, FaultKind::Slow(_)) => Ok(FaultKind::Slow(wait)),
            Some(wait) => Ok(FaultKind::RetryAfter(wait)),
            None => trouble(
                offset,
                format!("{text:?} is not a duration like 200ms, 3s or 1m"),
            ),
        },
        FaultKind::ShiftPage(_) => match text.parse() {
            Ok(rows) if rows != 0 => Ok(FaultKind::ShiftPage(rows)),
            _ => trouble(
                offset,
                format!("{text:?} is not a number of rows other than 0"),
            ),
        },
        FaultKind::Marketo(_) => match CODES.iter().find(|(word, _, _)| *word == text) {
            Some((word, _, _)) => Ok(FaultKind::Marketo(word)),
            None => trouble(
                offset,
                format!("{text:?} is not a code that Marketo is known to send"),
            ),
        },
        FaultKind::Google(_) => match WORDS.iter().find(|word| **word == text) {
            Some(word) => Ok(FaultKind::Google(word)),
            None => trouble(
                offset,
                format!("{text:?} is not one of {}", WORDS.join(", ")),
            ),
        },
        other => {
            refuse_argument(other.name(), argument)?;
            Ok(other)
        }
    }
}

fn refuse_argument(word: &str, argument: Option<(usize, &str)>) -> Result<(), Trouble> {
    match argument {
        Some((offset, text)) => trouble(offset, format!("{word} takes no argument, got {text:?}")),
        None => Ok(()),
    }
}

fn duration(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|character: char| character.is_ascii_alphabetic());
    let number: u64 = digits.parse().ok()?;
    match &text[digits.len()..] {
        "ms" => Some(Duration::from_millis(number)),
        "s" | "" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_secs(number.checked_mul(60)?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(text: &str) -> FaultPlan {
        text.parse().unwrap()
    }

    fn error(text: &str) -> FaultPlanError {
        text.parse::<FaultPlan>().unwrap_err()
    }

    #[test]
    fn every_part_is_read() {
        let FaultPlan(faults) =
            plan("429=0.05, 429-retry-after=0.02:3s,500@/3.0/stats/clicks#2,slow@/3.0/*:200ms");
        assert_eq!(faults[0].kind, FaultKind::TooManyRequests);
        assert_eq!(faults[0].trigger, Trigger::Probability(0.05));
        assert_eq!(
            faults[1].kind,
            FaultKind::RetryAfter(Duration::from_secs(3))
        );
        assert_eq!(faults[2].path.as_deref(), Some("/3.0/stats/clicks"));
        assert_eq!(faults[2].trigger, Trigger::Requests { from: 2, to: 2 });
        assert_eq!(faults[3].kind, FaultKind::Slow(Duration::from_millis(200)));
        assert_eq!(faults[3].trigger, Trigger::Always);
        assert!(faults[3].concerns("/3.0/offers") && !faults[3].concerns("/3.1/user/me"));
        assert!(!faults[2].concerns("/3.0/stats/clicks2"));
        let FaultPlan(faults) = plan("expired-key-after=10,wrong-key#3-,shift-page#2-4:-5");
        assert_eq!(faults[0].kind, FaultKind::WrongKey);
        assert_eq!(
            faults[0].trigger,
            Trigger::Requests {
                from: 11,
                to: u64::MAX
            }
        );
        assert_eq!(
            faults[1].trigger,
            Trigger::Requests {
                from: 3,
                to: u64::MAX
            }
        );
        assert_eq!(faults[2].kind, FaultKind::ShiftPage(-5));
        assert!(plan("").is_empty());
    }

    #[test]
    fn a_written_plan_is_read_back() {
        for kind in FaultKind::ALL {
            for rest in ["", "=0.25", "#2", "#2-4", "#7-", "@/3.0/stats/clicks=1"] {
                let first = plan(&format!("{}{rest}", kind.name()));
                assert_eq!(plan(&first.to_string()), first);
            }
        }
    }

    #[test]
    fn errors_name_the_place_and_the_known_kinds() {
        let cases = [
            ("429=0.05,teapot=1", 10),
            ("429=2", 5),
            ("429=", 5),
            ("cut#0", 5),
            ("cut#4-2", 5),
            ("cut@3.0/offers", 5),
            ("slow=0.1:soon", 10),
            ("cut=0.1:3s", 9),
            ("shift-page:0", 12),
            ("expired-key-after", 18),
            ("é429", 1),
        ];
        for (text, position) in cases {
            let error = error(text);
            assert_eq!(error.position, position, "{error}");
            for kind in FaultKind::ALL {
                assert!(error.to_string().contains(kind.name()));
            }
        }
    }
}
