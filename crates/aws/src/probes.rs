//! Statements that are sent only to show something on the Datamart page.
//!
//! They cost room in the workgroup and fill its list, so they are sent again only when the data they tell of has
//! changed, and they bear a mark by which the list leaves them out.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use async_trait::async_trait;
use futures::TryStreamExt;
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::athena::AthenaEngine;
use lakehand_pipeline::ports::{ObjectStore, QueryEngine, QueryError, QueryRows, QuerySummary};

/// The comment at the end of a statement of ours that only looks.
const MARK: &str = "-- lakehand looks";
/// How long an answer serves without a look at the data: a console asks every few seconds while a build runs.
const KEPT_FOR: SignedDuration = SignedDuration::from_secs(30);
/// How long it serves at most: what the catalog alone has changed cannot be seen in the data.
const LONGEST: SignedDuration = SignedDuration::from_mins(60);
/// How long it serves at most where nothing is known of the data: tables of others lie where we do not look.
const UNSEEN_FOR: SignedDuration = SignedDuration::from_mins(10);

/// The statement with our mark.
pub(super) fn marked(sql: &str) -> String {
    format!("{sql}\n{MARK}")
}

/// Whether a statement bears our mark.
pub(super) fn is_probe(sql: &str) -> bool {
    sql.lines()
        .next_back()
        .is_some_and(|line| line.trim() == MARK)
}

/// Athena, for questions of ours: it marks each one.
#[derive(Debug, Clone)]
pub(super) struct Probes(pub(super) Arc<AthenaEngine>);

#[async_trait]
impl QueryEngine for Probes {
    async fn execute(
        &self,
        sql: &str,
        cancel: &CancellationToken,
    ) -> Result<QuerySummary, QueryError> {
        self.0.execute(sql, cancel).await
    }

    async fn query(&self, sql: &str, cancel: &CancellationToken) -> Result<QueryRows, QueryError> {
        self.0.query(&marked(sql), cancel).await
    }

    fn schema(&self) -> &str {
        self.0.schema()
    }
}

/// What lies below some prefixes, as one number that changes with every object: `None` when nothing lies there or it
/// cannot be listed, so that nothing can be said about a change.
pub(super) async fn fingerprint(store: &dyn ObjectStore, prefixes: &[String]) -> Option<u64> {
    let mut objects = Vec::new();
    for prefix in prefixes {
        let mut listing = store.list(prefix).await.ok()?;
        while let Some(object) = listing.try_next().await.ok()? {
            objects.push((object.key, object.size, object.modified));
        }
    }
    if objects.is_empty() {
        return None;
    }
    objects.sort();
    let mut hasher = DefaultHasher::new();
    objects.hash(&mut hasher);
    Some(hasher.finish())
}

/// An answer, and the data it was given for.
#[derive(Debug)]
pub(super) struct Answered<T> {
    asked: Timestamp,
    looked: Timestamp,
    data: Option<u64>,
    at_most: SignedDuration,
    answer: T,
}

impl<T> Answered<T> {
    /// An answer of now.
    pub(super) fn new(now: Timestamp, data: Option<u64>, answer: T) -> Self {
        Self {
            asked: now,
            looked: now,
            data,
            at_most: data.map_or(UNSEEN_FOR, |_| LONGEST),
            answer,
        }
    }

    /// A refusal of now: what it hangs on may lie elsewhere than in the data.
    pub(super) fn refused(now: Timestamp, data: Option<u64>, answer: T) -> Self {
        Self {
            at_most: UNSEEN_FOR,
            ..Self::new(now, data, answer)
        }
    }

    /// The answer, if it needs no look at the data yet.
    fn young(&self, now: Timestamp) -> Option<&T> {
        is_within(self.looked, now, KEPT_FOR).then_some(&self.answer)
    }

    /// The answer, if the data is what it was.
    fn holds(&mut self, now: Timestamp, data: Option<u64>) -> Option<&T> {
        if data != self.data || !is_within(self.asked, now, self.at_most) {
            return None;
        }
        self.looked = now;
        Some(&self.answer)
    }
}

/// Whether now is less than this after then; a clock that was set back makes nothing young.
fn is_within(then: Timestamp, now: Timestamp, at_most: SignedDuration) -> bool {
    (SignedDuration::ZERO..at_most).contains(&now.duration_since(then))
}

/// The kept answer, if it fits and still holds; else what the data is now, of which `data` looks only when it must.
pub(super) async fn still<T: Clone>(
    kept: &mut Option<Answered<T>>,
    now: Timestamp,
    fits: impl Fn(&T) -> bool,
    data: impl Future<Output = Option<u64>>,
) -> Result<T, Option<u64>> {
    let known = kept.as_mut().filter(|one| fits(&one.answer));
    if let Some(answer) = known.as_ref().and_then(|one| one.young(now)) {
        return Ok(answer.clone());
    }
    let data = data.await;
    let same = known.and_then(|one| one.holds(now, data));
    same.cloned().ok_or(data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lakehand_pipeline::ports::{PutCondition, memory::MemoryStore};

    #[test]
    fn a_probe_is_known_by_its_mark_and_by_nothing_else() {
        assert!(is_probe(&marked("EXPLAIN SELECT 1")));
        assert!(is_probe(&format!("{}\n", marked("SELECT 1"))));
        assert!(!is_probe("SELECT '-- lakehand looks'"));
        assert!(!is_probe("-- lakehand looks\nDELETE FROM t"));
        assert!(!is_probe(""));
    }

    #[test]
    fn an_answer_serves_while_the_data_is_the_same_but_not_for_ever() {
        let start = Timestamp::UNIX_EPOCH;
        let after = |seconds| start + SignedDuration::from_secs(seconds);
        let mut kept = Answered::new(start, Some(7), "a");
        assert_eq!(kept.young(after(29)), Some(&"a"));
        assert_eq!(kept.young(after(30)), None);
        assert_eq!(kept.holds(after(60), Some(8)), None, "the data changed");
        assert_eq!(kept.holds(after(60), None), None, "nothing can be said");
        assert_eq!(kept.holds(after(60), Some(7)), Some(&"a"));
        assert_eq!(kept.young(after(89)), Some(&"a"), "it was looked at");
        assert_eq!(kept.holds(after(3600), Some(7)), None);
        let mut unseen = Answered::new(start, None, "a");
        assert_eq!(unseen.holds(after(599), None), Some(&"a"));
        assert_eq!(unseen.holds(after(599), Some(7)), None, "something came");
        assert_eq!(unseen.holds(after(600), None), None);
        let mut refused = Answered::refused(start, Some(7), "a");
        assert_eq!(refused.holds(after(599), Some(7)), Some(&"a"));
        assert_eq!(refused.holds(after(600), Some(7)), None);
    }

    #[tokio::test]
    async fn a_fingerprint_changes_with_every_object_below_its_prefixes() {
        let store = MemoryStore::new().unwrap();
        let prefixes = ["gold/m/metadata/".to_owned(), "silver/a/".to_owned()];
        assert_eq!(fingerprint(&store, &prefixes).await, None);
        let mut seen = Vec::new();
        for (key, text) in [
            ("gold/m/metadata/1.json", "a"),
            ("silver/a/x.parquet", "b"),
            ("silver/a/x.parquet", "longer"),
        ] {
            let put = store.put(key, text.as_bytes().into(), PutCondition::Always);
            put.await.unwrap();
            seen.push(fingerprint(&store, &prefixes).await.unwrap());
        }
        assert!(seen[0] != seen[1] && seen[1] != seen[2]);
        let put = store.put("gold/other", "c".as_bytes().into(), PutCondition::Always);
        put.await.unwrap();
        assert_eq!(fingerprint(&store, &prefixes).await, Some(seen[2]));
    }
}
