//! What executions hold so that one writes at a time, and how it is freed when they have ended otherwise than by
//! themselves: a lease runs for hours, and everybody else would wait for it.

use futures::TryStreamExt;
use serde::Deserialize;

use super::{ExecutionId, OpsError, OpsErrorKind, OpsResult, operator::Operator};
use crate::pipeline::{ports::StoreError, state::STATE_PREFIX};

/// What is read of a stored lease.
#[derive(Deserialize)]
struct Held {
    owner: String,
}

impl Operator {
    /// Frees what a stopped execution held, so that the next one does not wait for the lease's end.
    pub(super) async fn free_leases(&self, id: &ExecutionId) -> OpsResult<()> {
        let free = async {
            let held = self.leases().await?.into_iter();
            for (key, _) in held.filter(|(_, owner)| owner == id) {
                self.parts.lake.std.delete(&key).await?;
            }
            Ok(())
        };
        free.await.map_err(|error: StoreError| {
            OpsError::new(
                OpsErrorKind::Platform,
                format!("{id} was stopped, but what it held could not be freed: {error}"),
                "the lease ends by itself; until then other executions on the table wait",
            )
        })
    }

    /// Frees what executions hold that have ended: cut off, or stopped by other means than ours. Where that fails, the
    /// lease ends by itself.
    pub(super) async fn free_leases_of_the_ended(&self) {
        for (key, owner) in self.leases().await.unwrap_or_default() {
            let holder = self.parts.workflows.describe(&owner).await;
            if holder.is_ok_and(|summary| summary.status.is_ended()) {
                let _ = self.parts.lake.std.delete(&key).await;
            }
        }
    }

    /// Every lease, by its key, with the execution that holds it.
    async fn leases(&self) -> Result<Vec<(String, ExecutionId)>, StoreError> {
        let store = &self.parts.lake.std;
        let mut found = Vec::new();
        let mut listing = store.list(&format!("{STATE_PREFIX}leases/")).await?;
        while let Some(object) = listing.try_next().await? {
            let (bytes, _) = store.get(&object.key).await?;
            if let Ok(held) = serde_json::from_slice::<Held>(&bytes) {
                found.push((object.key, held.owner.as_str().into()));
            }
        }
        Ok(found)
    }
}
