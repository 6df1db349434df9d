//! How far a stream has been read.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{STATE_PREFIX, StateError, Store, TRIES, load, store_if};
use crate::dataset::Stream;

/// The newest change of a stream that is safely stored.
///
/// It is the true maximum that was seen; where reading starts again is another thing, see
/// [`Watermark::read_from`]. It is written only after the rows and their manifest are durable, has no
/// empty form that could replace a good one, and moves back only by [`Watermark::rewind`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watermark {
    /// Whose.
    pub stream: Stream,
    /// Everything that changed up to this instant is stored.
    pub position: Timestamp,
    /// When it was moved last.
    pub moved_at: Timestamp,
    /// The execution that moved it.
    pub execution: String,
}

impl Watermark {
    fn key(stream: Stream) -> String {
        format!("{STATE_PREFIX}watermarks/{stream}.json")
    }

    /// The watermark of a stream; `None` before its first collection.
    ///
    /// # Errors
    /// [`StateError`] when the store fails or the object is damaged.
    pub async fn load(store: &Store, stream: Stream) -> Result<Option<Self>, StateError> {
        Ok(load(store, &Self::key(stream))
            .await?
            .map(|(watermark, _)| watermark))
    }

    /// Moves the watermark forward to `position`; leaves it where it is when it is there or beyond.
    /// Returns what holds afterwards.
    ///
    /// # Errors
    /// [`StateError`] when the store fails or others change it all the time.
    pub async fn advance(
        store: &Store,
        stream: Stream,
        position: Timestamp,
        execution: &str,
        now: Timestamp,
    ) -> Result<Self, StateError> {
        let beyond = |known: &Self| known.position >= position;
        Self::change(store, Self::new(stream, position, execution, now), beyond).await
    }

    /// Sets the watermark back (or forward) to `position` because an operator wants it read again.
    ///
    /// # Errors
    /// [`StateError`] when the store fails or others change it all the time.
    pub async fn rewind(
        store: &Store,
        stream: Stream,
        position: Timestamp,
        execution: &str,
        now: Timestamp,
    ) -> Result<Self, StateError> {
        Self::change(store, Self::new(stream, position, execution, now), |_| {
            false
        })
        .await
    }

    fn new(stream: Stream, position: Timestamp, execution: &str, now: Timestamp) -> Self {
        Self {
            stream,
            position,
            moved_at: now,
            execution: execution.to_owned(),
        }
    }

    async fn change(
        store: &Store,
        next: Self,
        keep: impl Fn(&Self) -> bool,
    ) -> Result<Self, StateError> {
        let key = Self::key(next.stream);
        for _ in 0..TRIES {
            let known: Option<(Self, _)> = load(store, &key).await?;
            let etag = match known {
                Some((known, _)) if keep(&known) => return Ok(known),
                known => known.map(|(_, etag)| etag),
            };
            if store_if(store, &key, &next, etag).await?.is_some() {
                return Ok(next);
            }
        }
        Err(StateError::Contended { key })
    }

    /// Where to read from: `overlap` before the watermark, so that what was committed late is seen.
    #[must_use]
    pub fn read_from(&self, overlap: SignedDuration) -> Timestamp {
        self.position.checked_sub(overlap).unwrap_or(Timestamp::MIN)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::ports::memory::MemoryStore;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn moves_forward_only_unless_rewound() {
        let store: Store = Arc::new(MemoryStore::new().unwrap());
        let stream = Stream::AffiseConversions;
        assert_eq!(Watermark::load(&store, stream).await.unwrap(), None);
        let now = at("2026-02-01T00:00:00Z");
        let early = at("2026-01-01T10:00:00Z");
        let late = at("2026-01-03T10:00:00Z");
        Watermark::advance(&store, stream, late, "one", now)
            .await
            .unwrap();
        let kept = Watermark::advance(&store, stream, early, "two", now)
            .await
            .unwrap();
        assert_eq!((kept.position, kept.execution.as_str()), (late, "one"));
        assert_eq!(
            kept.read_from(SignedDuration::from_hours(2)),
            at("2026-01-03T08:00:00Z")
        );
        let other = Watermark::load(&store, Stream::AffiseClicks).await.unwrap();
        assert_eq!(other, None, "each stream has its own");
        Watermark::rewind(&store, stream, early, "operator", now)
            .await
            .unwrap();
        assert_eq!(
            Watermark::load(&store, stream)
                .await
                .unwrap()
                .unwrap()
                .position,
            early
        );
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn the_largest_of_many_writers_stays() {
        let store: Store = Arc::new(MemoryStore::new().unwrap());
        let stream = Stream::AffiseConversions;
        let start = at("2026-01-01T00:00:00Z");
        let writers = [5_i64, 2, 7, 3, 6, 1, 4].map(|hours| {
            let store = Arc::clone(&store);
            let position = start + SignedDuration::from_hours(hours);
            tokio::spawn(async move {
                Watermark::advance(&store, stream, position, "x", position).await
            })
        });
        futures::future::join_all(writers)
            .await
            .into_iter()
            .for_each(|ended| drop(ended.unwrap().unwrap()));
        let known = Watermark::load(&store, stream).await.unwrap().unwrap();
        assert_eq!(known.position, start + SignedDuration::from_hours(7));
    }
}
