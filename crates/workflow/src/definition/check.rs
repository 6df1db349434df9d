//! Checks that look at a whole machine: transitions that lead nowhere, states that nothing leads to.

use super::fields::Problems;
use std::collections::{HashMap, HashSet};

/// A transition as written, to be checked once all states are known.
pub(super) struct Target {
    /// The state it is in; `None` for `StartAt`.
    pub(super) from: Option<String>,
    pub(super) to: String,
    pub(super) offset: usize,
    pub(super) pointer: String,
}

/// Where a state's name is written.
pub(super) struct NamePlace {
    pub(super) name: String,
    pub(super) offset: usize,
    pub(super) pointer: String,
}

/// Reports dangling transitions, unreachable states and a machine that can never end. `ends` are the states
/// after which the machine may end, when all of them are known.
pub(super) fn check_transitions(
    names: &[NamePlace],
    targets: &[Target],
    ends: Option<&[&str]>,
    problems: &mut Problems<'_>,
) {
    let before = problems.list.len();
    let known: HashSet<&str> = names.iter().map(|place| place.name.as_str()).collect();
    let mut leads: HashMap<Option<&str>, Vec<&str>> = HashMap::new();
    for target in targets {
        if known.contains(target.to.as_str()) {
            leads
                .entry(target.from.as_deref())
                .or_default()
                .push(&target.to);
        } else {
            problems.add(
                target.offset,
                &target.pointer,
                format!("there is no state {:?} here to go to", target.to),
            );
        }
    }
    let mut reached: HashSet<&str> = HashSet::new();
    let mut open: Vec<&str> = leads.get(&None).cloned().unwrap_or_default();
    if open.is_empty() {
        // A wrong StartAt is reported already; every state would be unreachable besides.
        return;
    }
    while let Some(name) = open.pop() {
        if reached.insert(name) {
            open.extend(leads.get(&Some(name)).into_iter().flatten());
        }
    }
    for place in names {
        if !reached.contains(place.name.as_str()) {
            problems.add(
                place.offset,
                &place.pointer,
                format!("nothing leads to the state {:?}", place.name),
            );
        }
    }
    if let (Some(ends), Some(first)) = (ends, targets.iter().find(|target| target.from.is_none()))
        && problems.list.len() == before
        && !ends.iter().any(|end| reached.contains(end))
    {
        problems.add(
            first.offset,
            &first.pointer,
            "no state ends this machine: it would go round for ever; give one of its states \"End\": true, or lead to a Succeed or Fail state",
        );
    }
}

/// Reports state names used twice, wherever they are nested.
pub(super) fn check_names(names: &[NamePlace], problems: &mut Problems<'_>) {
    let mut first: HashMap<&str, &NamePlace> = HashMap::new();
    for place in names {
        if let Some(earlier) = first.get(place.name.as_str()) {
            // The same name twice in one object is reported where the object is read.
            if earlier.pointer != place.pointer {
                problems.add(
                    place.offset,
                    &place.pointer,
                    format!(
                        "the state name {:?} is taken already, at {}; names are unique in the whole definition",
                        place.name, earlier.pointer
                    ),
                );
            }
            continue;
        }
        first.insert(&place.name, place);
    }
}
