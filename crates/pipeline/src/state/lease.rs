//! One writer at a time, by a lease that frees itself when its holder dies.
//!
//! Leases are about processes that run now, so they are measured by the machine's clock, also where
//! the data's clock stands still (tests, the demo).

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{STATE_PREFIX, StateError, Store, TRIES, load, store_if};
use crate::ports::ETag;

/// Why a lease was not given.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Somebody else has it.
    #[error(
        "{name} is being written by {owner} until {until} at the latest; wait for it or stop it, then redrive"
    )]
    HeldBy {
        /// What the lease is for.
        name: String,
        /// The execution that holds it.
        owner: String,
        /// When it ends if its holder does not renew it.
        until: Timestamp,
    },
    /// It ran out, and somebody took it.
    #[error(
        "the lease on {name} was lost to another execution; nothing more is written, redrive this one"
    )]
    Lost {
        /// What the lease is for.
        name: String,
    },
    /// The state could not be read or written.
    #[error(transparent)]
    State(#[from] StateError),
}

/// The stored form.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Record {
    name: String,
    owner: String,
    /// Grows with every acquisition; a holder of an older one has lost the lease.
    fence: u64,
    acquired_at: Timestamp,
    until: Timestamp,
}

/// The right to write something, until it ends.
#[derive(Debug)]
pub struct Lease {
    store: Store,
    key: String,
    record: Record,
    etag: ETag,
    time_to_live: Duration,
}

impl Lease {
    /// Takes the lease `name` (a path such as `gold/daily_report_sub5`) for `owner`, an execution.
    ///
    /// An ended lease is taken over. The same owner gets its lease again at once, as a redrive needs
    /// it; whoever held it before under that name finds it lost.
    ///
    /// # Errors
    /// [`LeaseError::HeldBy`] while another owner has it; [`LeaseError::State`] when the store fails.
    pub async fn acquire(
        store: &Store,
        name: &str,
        owner: &str,
        time_to_live: Duration,
    ) -> Result<Self, LeaseError> {
        Self::acquire_at(store, name, owner, time_to_live, Timestamp::now()).await
    }

    /// The lease `name` where `owner` has it, as it stands: nothing is written, and nobody waits for it meanwhile.
    ///
    /// # Errors
    /// [`LeaseError::State`] when the store fails.
    pub async fn held_by(
        store: &Store,
        name: &str,
        owner: &str,
        time_to_live: Duration,
    ) -> Result<Option<Self>, LeaseError> {
        let key = format!("{STATE_PREFIX}leases/{name}.json");
        let known: Option<(Record, ETag)> = load(store, &key).await?;
        let own = known.filter(|(record, _)| record.owner == owner);
        Ok(own.map(|(record, etag)| Self {
            store: Store::clone(store),
            key,
            record,
            etag,
            time_to_live,
        }))
    }

    async fn acquire_at(
        store: &Store,
        name: &str,
        owner: &str,
        time_to_live: Duration,
        now: Timestamp,
    ) -> Result<Self, LeaseError> {
        let key = format!("{STATE_PREFIX}leases/{name}.json");
        for _ in 0..TRIES {
            let known: Option<(Record, ETag)> = load(store, &key).await?;
            if let Some((held, _)) = &known
                && held.owner != owner
                && held.until > now
            {
                let (name, owner) = (held.name.clone(), held.owner.clone());
                return Err(LeaseError::HeldBy {
                    name,
                    owner,
                    until: held.until,
                });
            }
            let record = Record {
                name: name.to_owned(),
                owner: owner.to_owned(),
                fence: known.as_ref().map_or(1, |(before, _)| before.fence + 1),
                acquired_at: now,
                until: end(now, time_to_live),
            };
            let seen = known.map(|(_, etag)| etag);
            if let Some(etag) = store_if(store, &key, &record, seen).await? {
                return Ok(Self {
                    store: store.clone(),
                    key,
                    record,
                    etag,
                    time_to_live,
                });
            }
        }
        Err(StateError::Contended { key }.into())
    }

    /// Who holds it: the execution it was acquired for.
    #[must_use]
    pub fn owner(&self) -> &str {
        &self.record.owner
    }

    /// When it ends unless renewed.
    #[must_use]
    pub fn until(&self) -> Timestamp {
        self.record.until
    }

    /// Starts the time to live anew.
    ///
    /// # Errors
    /// [`LeaseError::Lost`] when somebody took it; [`LeaseError::State`] when the store fails.
    pub async fn renew(&mut self) -> Result<(), LeaseError> {
        self.renew_at(Timestamp::now()).await
    }

    async fn renew_at(&mut self, now: Timestamp) -> Result<(), LeaseError> {
        self.write(Record {
            until: end(now, self.time_to_live),
            ..self.record.clone()
        })
        .await
    }

    /// Gives it back at once. A lease that was lost in the meantime is left to its new holder.
    ///
    /// # Errors
    /// [`LeaseError::State`] when the store fails; the lease then ends by itself.
    pub async fn release(mut self) -> Result<(), LeaseError> {
        let ended = Record {
            until: self.record.acquired_at,
            ..self.record.clone()
        };
        match self.write(ended).await {
            Err(LeaseError::Lost { .. }) => Ok(()),
            done => done,
        }
    }

    async fn write(&mut self, record: Record) -> Result<(), LeaseError> {
        match store_if(&self.store, &self.key, &record, Some(self.etag.clone())).await? {
            None => Err(LeaseError::Lost {
                name: self.record.name.clone(),
            }),
            Some(etag) => {
                self.record = record;
                self.etag = etag;
                Ok(())
            }
        }
    }

    /// Renews the lease in the background, three times within its time to live, until the returned
    /// guard is released or dropped.
    #[must_use]
    pub fn hold(mut self) -> HeldLease {
        let lost = CancellationToken::new();
        let stop = CancellationToken::new();
        let (told, stopped) = (lost.clone(), stop.clone());
        let pause = self.time_to_live / 3;
        let task = tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = stopped.cancelled() => return Some(self),
                    () = tokio::time::sleep(pause) => {}
                }
                match self.renew().await {
                    Ok(()) => {}
                    // The store may come back before the time to live is over.
                    Err(LeaseError::State(_)) if self.until() > Timestamp::now() => {}
                    Err(_) => {
                        told.cancel();
                        return None;
                    }
                }
            }
        });
        HeldLease {
            lost,
            stop,
            task: AbortOnDropHandle::new(task),
        }
    }
}

/// A lease that renews itself. Dropped, it ends by itself after its time to live.
#[derive(Debug)]
pub struct HeldLease {
    lost: CancellationToken,
    stop: CancellationToken,
    task: AbortOnDropHandle<Option<Lease>>,
}

impl HeldLease {
    /// Fires when the lease was lost; whoever writes under it must stop.
    #[must_use]
    pub fn lost(&self) -> &CancellationToken {
        &self.lost
    }

    /// Gives the lease back at once.
    ///
    /// # Errors
    /// [`LeaseError::State`] when the store fails; the lease then ends by itself.
    pub async fn release(self) -> Result<(), LeaseError> {
        self.stop.cancel();
        match self.task.await {
            Ok(Some(lease)) => lease.release().await,
            Ok(None) | Err(_) => Ok(()),
        }
    }
}

fn end(now: Timestamp, time_to_live: Duration) -> Timestamp {
    let length = SignedDuration::try_from(time_to_live).unwrap_or(SignedDuration::MAX);
    now.checked_add(length).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::ports::memory::MemoryStore;

    const MINUTE: Duration = Duration::from_secs(60);

    fn store() -> Store {
        Arc::new(MemoryStore::new().unwrap())
    }

    #[tokio::test]
    async fn one_owner_at_a_time_until_the_time_is_over() {
        let store = store();
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let mut first = Lease::acquire_at(&store, "gold/t", "one", MINUTE, start)
            .await
            .unwrap();
        let later = start + SignedDuration::from_secs(30);
        match Lease::acquire_at(&store, "gold/t", "two", MINUTE, later)
            .await
            .unwrap_err()
        {
            LeaseError::HeldBy { owner, until, .. } => {
                assert_eq!(
                    (owner.as_str(), until),
                    ("one", start + SignedDuration::from_secs(60))
                );
            }
            other => panic!("{other}"),
        }
        Lease::acquire_at(&store, "gold/other", "two", MINUTE, later)
            .await
            .unwrap();
        first.renew_at(later).await.unwrap();
        let over = later + SignedDuration::from_secs(60);
        let taken = Lease::acquire_at(&store, "gold/t", "two", MINUTE, over)
            .await
            .unwrap();
        assert!(matches!(
            first.renew_at(over).await,
            Err(LeaseError::Lost { .. })
        ));
        first.release().await.unwrap();
        let third = Lease::acquire_at(&store, "gold/t", "three", MINUTE, over).await;
        assert!(
            matches!(third, Err(LeaseError::HeldBy { .. })),
            "the loser's release frees nothing"
        );
        taken.release().await.unwrap();
        Lease::acquire_at(&store, "gold/t", "three", MINUTE, over)
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn giving_back_takes_nothing_before() {
        let store = store();
        let held = |owner: &'static str| Lease::held_by(&store, "gold/t", owner, MINUTE);
        assert!(held("one").await.unwrap().is_none(), "nobody has it");
        Lease::acquire(&store, "gold/t", "one", MINUTE)
            .await
            .unwrap();
        let key = format!("{STATE_PREFIX}leases/gold/t.json");
        let (_, before) = store.get(&key).await.unwrap();
        assert!(held("two").await.unwrap().is_none());
        let own = held("one").await.unwrap().unwrap();
        let (_, after) = store.get(&key).await.unwrap();
        assert_eq!(before, after, "looking writes nothing");
        own.release().await.unwrap();
        Lease::acquire(&store, "gold/t", "two", MINUTE)
            .await
            .unwrap();
        // Somebody else's is left alone, also where it has ended.
        assert!(held("one").await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_redrive_takes_its_own_lease_again_and_fences_the_attempt_before() {
        let store = store();
        let mut before = Lease::acquire(&store, "gold/t", "one", MINUTE)
            .await
            .unwrap();
        let mut again = Lease::acquire(&store, "gold/t", "one", MINUTE)
            .await
            .unwrap();
        assert!(matches!(before.renew().await, Err(LeaseError::Lost { .. })));
        again.renew().await.unwrap();
    }

    #[tokio::test]
    async fn a_held_lease_renews_itself_and_tells_when_it_is_lost() {
        let store = store();
        let short = Duration::from_millis(60);
        let held = Lease::acquire(&store, "gold/t", "one", short)
            .await
            .unwrap()
            .hold();
        let first_end = Timestamp::now() + SignedDuration::from_millis(60);
        while Timestamp::now() <= first_end {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(!held.lost().is_cancelled());
        // Takes it away as an execution of the same name would.
        let other = Lease::acquire(&store, "gold/t", "one", MINUTE)
            .await
            .unwrap();
        held.lost().cancelled().await;
        held.release().await.unwrap();
        other.release().await.unwrap();
        let held = Lease::acquire(&store, "gold/t", "two", MINUTE)
            .await
            .unwrap()
            .hold();
        held.release().await.unwrap();
        Lease::acquire(&store, "gold/t", "three", MINUTE)
            .await
            .unwrap();
    }
}
