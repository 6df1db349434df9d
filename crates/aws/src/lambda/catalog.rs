//! What `normalise` tells the catalog: the columns of a Google Analytics report, which are known once Google has typed
//! its metrics.
//!
//! All other tables of silver have the columns of the template. A crawler could find those of a report, too, but then
//! it would stand between a collection and the datamart, and it adds nothing to a table whose attributes it would set
//! otherwise. Columns are added and widened, never taken away: older files have them.

use aws_sdk_glue::types::{Column, Table, TableInput};
use serde_json::Value;

use super::Failure;
use crate::{
    call::{Api, CallError, CallFailure},
    functions::Functions,
};
use lakehand_host::catalog_types::catalog_type;
use lakehand_pipeline::{
    dataset::{SilverTable, Stream},
    jobs::{ErrorType, JobContext, JobError, Level},
    normalise::contract::report::StoredContract,
    ports::StoreError,
};

const READ: Api = Api::free("glue", "GetTable");
const WRITE: Api = Api::free("glue", "UpdateTable");

/// The table of the report that an input of `normalise` is about, if it is about one.
pub(super) fn report_in(input: &Value) -> Option<SilverTable> {
    match input.get("stream")?.as_str()?.parse().ok()? {
        Stream::Ga4(report) => Some(SilverTable::Ga4(report)),
        Stream::Ga3(report) => Some(SilverTable::Ga3(report)),
        _ => None,
    }
}

/// Tells the catalog the columns of a report. A table that is not there is somebody else's matter.
///
/// # Errors
/// When the contract cannot be read or Glue refuses.
pub(super) async fn tell(
    ports: &Functions,
    context: &JobContext,
    table: SilverTable,
) -> Result<(), Failure> {
    let Some(columns) = columns_of(context, table).await? else {
        return Ok(());
    };
    let (database, name) = (ports.profile().database(), table.sql_name());
    let (clients, on) = (ports.clients(), format!("{database}.{name}"));
    let read = clients
        .glue
        .get_table()
        .database_name(&database)
        .name(&name);
    let known = match clients.call(READ, &on, read.send()).await {
        Ok(answer) => answer.table,
        Err(error) if error.failure == CallFailure::NotFound => None,
        Err(error) => return Err(failed(&error)),
    };
    let Some(known) = known else {
        let line = format!("the catalog has no table {on}; its columns were not told");
        context.log.line(Level::Warn, &line);
        return Ok(());
    };
    let Some(input) = with_columns(known, &columns) else {
        return Ok(());
    };
    let write = clients.glue.update_table().database_name(&database);
    let write = write.table_input(input).skip_archive(true);
    let written = clients.call(WRITE, &on, write.send()).await;
    written.map_err(|error| failed(&error))?;
    let line = format!("told the catalog the columns of {on}");
    context.log.line(Level::Info, &line);
    Ok(())
}

fn failed(error: &CallError) -> Failure {
    let kind = match error.is_transient() {
        true => ErrorType::TransientPlatformError.name().to_owned(),
        false => format!("Glue.{}", error.code),
    };
    Failure::new(kind, format!("{error}; {}", error.advice()))
}

/// Name and type of every column of a report, by its contract; `None` before its first rows.
async fn columns_of(
    context: &JobContext,
    table: SilverTable,
) -> Result<Option<Vec<(String, String)>>, Failure> {
    let key = StoredContract::key(table);
    let bytes = match context.lake.std.get(&key).await {
        Ok((bytes, _)) => bytes,
        Err(StoreError::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(JobError::from(error).into()),
    };
    let contract: StoredContract = serde_json::from_slice(&bytes).map_err(|error| {
        let message = format!("the contract {key} cannot be read: {error}");
        Failure::new(ErrorType::StorageError.name(), message)
    })?;
    let schema = contract.contract(table).schema();
    let column = |field: &arrow::datatypes::FieldRef| {
        (field.name().clone(), catalog_type(field.data_type()))
    };
    Ok(Some(schema.fields().iter().map(column).collect()))
}

/// The table with columns that it lacks and types as they are now; `None` where it has them all.
fn with_columns(table: Table, columns: &[(String, String)]) -> Option<TableInput> {
    let mut storage = table.storage_descriptor?;
    let keys = table.partition_keys.unwrap_or_default();
    let mut known = storage.columns.take().unwrap_or_default();
    let mut changed = false;
    for (name, data_type) in columns {
        if keys.iter().any(|key| key.name() == name) {
            continue;
        }
        match known.iter_mut().find(|column| column.name() == name) {
            Some(column) if column.r#type() == Some(data_type) => {}
            Some(column) => {
                column.r#type = Some(data_type.clone());
                changed = true;
            }
            None => {
                known.push(
                    Column::builder()
                        .name(name)
                        .r#type(data_type)
                        .build()
                        .ok()?,
                );
                changed = true;
            }
        }
    }
    if !changed {
        return None;
    }
    storage.columns = Some(known);
    let input = TableInput::builder()
        .name(table.name)
        .set_description(table.description)
        .set_owner(table.owner)
        .set_parameters(table.parameters)
        .set_table_type(table.table_type)
        .set_partition_keys(Some(keys))
        .storage_descriptor(storage);
    input.build().ok()
}

#[cfg(test)]
mod tests {
    use aws_sdk_glue::types::StorageDescriptor;

    use super::*;

    fn table(columns: &[(&str, &str)]) -> Table {
        let column = |(name, data_type): &(&str, &str)| {
            Column::builder()
                .name(*name)
                .r#type(*data_type)
                .build()
                .unwrap()
        };
        let storage = StorageDescriptor::builder()
            .location("s3://b/silver/ga4/traffic/")
            .set_columns(Some(columns.iter().map(column).collect()));
        Table::builder()
            .name("ga_traffic")
            .storage_descriptor(storage.build())
            .partition_keys(column(&("date", "date")))
            .parameters("compressionType", "none")
            .build()
            .unwrap()
    }

    fn told(columns: &[(&str, &str)], now: &[(&str, &str)]) -> Option<Vec<String>> {
        let now: Vec<_> = now
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect();
        let input = with_columns(table(columns), &now)?;
        assert_eq!(input.parameters().unwrap()["compressionType"], "none");
        let storage = input.storage_descriptor().unwrap();
        assert_eq!(storage.location(), Some("s3://b/silver/ga4/traffic/"));
        let text = |one: &Column| format!("{} {}", one.name(), one.r#type().unwrap_or("?"));
        Some(storage.columns().iter().map(text).collect())
    }

    #[test]
    fn columns_are_added_and_widened_and_never_taken_away() {
        let old = [("session_source", "string"), ("gone", "string")];
        let now = [
            ("session_source", "string"),
            ("sessions", "bigint"),
            ("date", "date"),
        ];
        assert_eq!(
            told(&old, &now).unwrap(),
            ["session_source string", "gone string", "sessions bigint"]
        );
        let wider = [("sessions", "decimal(38,18)")];
        assert_eq!(
            told(&now[..2], &wider).unwrap()[1],
            "sessions decimal(38,18)"
        );
        assert_eq!(
            told(&now[..2], &now),
            None,
            "nothing is written where nothing changed"
        );
    }

    #[test]
    fn only_reports_have_columns_of_their_own() {
        let of = |stream: &str| report_in(&serde_json::json!({ "stream": stream }));
        assert_eq!(
            of("ga4.traffic").map(SilverTable::sql_name).as_deref(),
            Some("ga_traffic")
        );
        assert_eq!(of("affise.clicks"), None);
        assert_eq!(of("nonsense"), None);
    }
}
