//! Checks of the reports of Google Analytics: one set of files, whose parameters are a report's own columns.

use crate::dataset::SilverTable;
use crate::jobs::{ErrorType, JobContext, JobError};
use crate::normalise::contract::report::{StoredColumn, StoredContract, part_column};
use crate::ports::StoreError;

/// The folder of the files they share.
pub(super) const CHECKS: &str = "ga_report";

/// Whether a table is a report of Google Analytics.
pub(super) fn is_report(table: &SilverTable) -> bool {
    part_column(*table).is_some()
}

/// What the shared files are told of a report.
///
/// # Errors
/// `InvalidInput` for a report that was never collected, `StorageError` when its contract cannot be read.
pub(super) async fn parameters(
    ctx: &JobContext,
    table: SilverTable,
) -> Result<Vec<(&'static str, String)>, JobError> {
    let contract = contract(ctx, table).await?;
    let columns = |group: &str| -> Vec<&str> {
        let own = contract.columns.iter();
        own.filter(|column| is_of(column, group))
            .map(|column| column.name.as_str())
            .collect()
    };
    let part = part_column(table).unwrap_or("property");
    let (dimensions, metrics) = (columns("dimensions"), columns("metrics"));
    let keys: Vec<&str> = [part].into_iter().chain(dimensions.clone()).collect();
    // A report without dimensions or metrics has the property in their place, which is never null.
    let together = |columns: &[&str], sign: &str| match columns {
        [] => part.to_owned(),
        columns => columns.join(sign),
    };
    Ok(vec![
        ("keys", keys.join(", ")),
        ("dimensions_together", together(&dimensions, " || ")),
        ("metrics_together", together(&metrics, " + ")),
        ("report", table.short().to_owned()),
        ("source", table.source().to_owned()),
    ])
}

fn is_of(column: &StoredColumn, group: &str) -> bool {
    column.path.first().is_some_and(|first| first == group)
}

async fn contract(ctx: &JobContext, table: SilverTable) -> Result<StoredContract, JobError> {
    let key = StoredContract::key(table);
    let bytes = match ctx.lake.std.get(&key).await {
        Ok((bytes, _)) => bytes,
        Err(StoreError::NotFound { .. }) => {
            let message = format!(
                "{} was never collected, so there is nothing to check; collect its report first",
                table.sql_name()
            );
            return Err(JobError::new(ErrorType::InvalidInput, message));
        }
        Err(error) => return Err(error.into()),
    };
    serde_json::from_slice(&bytes).map_err(|error| {
        let message = format!("the contract {key} cannot be read: {error}");
        JobError::new(ErrorType::StorageError, message)
    })
}
