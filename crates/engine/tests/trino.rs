//! Trino's answers, as its own tests state them (`data/trino`): the engine gives the same ones or an error, never
//! another answer.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    missing_docs
)]

#[path = "support/cells.rs"]
mod cells;
#[path = "trino/judge.rs"]
mod judge;

use std::collections::BTreeMap;

use judge::{Verdict, verdict};
use serde_json::Value;

static CASES: &str = include_str!("data/trino/open.jsonl");
/// Cases that are refused on purpose: an id and the reason a line.
static REFUSED: &str = include_str!("data/trino/refused.txt");

/// Of 1,247 cases so many at least are right.
const RIGHT: usize = 1239;
/// The one case that states a wrong answer: `x IN (…)` is TRUE, which the collected test wrote as 1.
const MISTAKEN: &str = "AbstractTestEngineOnlyQueries:44";

/// With `TRINO_SHOW=area` or `TRINO_SHOW=all`, what is not right is printed; with `TRINO_ID=id` the one case.
#[tokio::test]
async fn the_engine_answers_as_trino_does() {
    let show = std::env::var("TRINO_SHOW").unwrap_or_default();
    let only = std::env::var("TRINO_ID").unwrap_or_default();
    let known: BTreeMap<&str, &str> = REFUSED
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('\t'))
        .collect();
    let (mut right, mut wrong, mut unnamed) = (0, Vec::new(), Vec::new());
    let mut areas: BTreeMap<String, [usize; 3]> = BTreeMap::new();
    let mut answered = Vec::new();
    for line in CASES.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let id = case["id"].as_str().unwrap();
        if !only.is_empty() && only != id {
            continue;
        }
        let sql = case["sql"].as_str().unwrap();
        let outcome = cells::answer(sql).await;
        let told = verdict(&case["expect"], &outcome);
        let area = case["area"].as_str().unwrap();
        let counts = areas.entry(area.to_owned()).or_default();
        match &told {
            Verdict::Right => {
                counts[0] += 1;
                right += 1;
                answered.extend(known.contains_key(id).then(|| id.to_owned()));
            }
            Verdict::Wrong(_) => {
                counts[1] += 1;
                wrong.push(id.to_owned());
            }
            Verdict::Refused(_) => {
                counts[2] += 1;
                unnamed.extend((!known.contains_key(id)).then(|| id.to_owned()));
            }
        }
        if !only.is_empty() || told != Verdict::Right && (show == "all" || show == area) {
            println!(
                "{id} [{area}]\n   {sql}\n   Trino: {}\n   {told:?}",
                case["expect"]
            );
        }
    }
    if !only.is_empty() {
        return;
    }
    for (area, [right, wrong, refused]) in &areas {
        println!("{area:12} {right:5} right {wrong:4} wrong {refused:4} refused");
    }
    println!(
        "{right} right, {} wrong, {} refused without a reason",
        wrong.len(),
        unnamed.len()
    );
    wrong.retain(|id| id != MISTAKEN);
    assert!(wrong.is_empty(), "silently wrong: {wrong:?}");
    assert!(unnamed.is_empty(), "refused without a reason: {unnamed:?}");
    assert!(
        right >= RIGHT,
        "only {right} are right; refused without a reason: {unnamed:?}"
    );
    assert!(
        answered.is_empty(),
        "answered, so no longer to be listed as refused: {answered:?}"
    );
}
