//! What a crawler looks at, and what the Glue catalog knows of it.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_glue::types as sdk;
use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;

use super::super::{
    Clients,
    call::{Api, CallFailure},
    instant, pages,
};
use lakehand_config::Profile;
use lakehand_ops::{CataloguedTable, CrawlerError};

const TABLES: Api = Api::paced("glue", "GetTables", 5.0, 2.0);
const PARTITIONS: Api = Api::paced("glue", "GetPartitions", 10.0, 5.0);

/// The S3 folders a crawler looks at, each with a slash at its end.
fn folders(crawler: &sdk::Crawler) -> Vec<String> {
    let targets = crawler.targets().map(sdk::CrawlerTargets::s3_targets);
    targets
        .unwrap_or_default()
        .iter()
        .filter_map(sdk::S3Target::path)
        .map(|path| format!("{}/", path.trim_end_matches('/')))
        .collect()
}

/// The tables a crawler names itself, as those of our stacks do, by database.
fn named(crawler: &sdk::Crawler) -> &[sdk::CatalogTarget] {
    let targets = crawler.targets();
    targets
        .map(sdk::CrawlerTargets::catalog_targets)
        .unwrap_or_default()
}

/// What a crawler looks at, for people: its folders, and the tables it names.
pub(super) fn crawled(profile: &Profile, crawler: &sdk::Crawler) -> String {
    let folders = folders(crawler);
    let folders = folders.iter().map(|folder| shown(profile, folder));
    let own = profile.database();
    let tables = named(crawler).iter().flat_map(|target| {
        // A table of the profile's database by its name; any other by its whole one.
        let database = match target.database_name() {
            name if name == own => String::new(),
            name => format!("{name}."),
        };
        let tables = target.tables().iter();
        tables.map(move |table| format!("{database}{table}"))
    });
    folders.chain(tables).collect::<Vec<_>>().join(", ")
}

/// A place in the profile's buckets by its key; any other by its whole address.
fn shown(profile: &Profile, address: &str) -> String {
    let prefix = match profile.aws.prefix.as_str() {
        "" => String::new(),
        prefix => format!("{prefix}/"),
    };
    [profile.std_bucket(), profile.raw_bucket()]
        .iter()
        .find_map(|bucket| address.strip_prefix(&format!("s3://{bucket}/{prefix}")))
        .unwrap_or(address)
        .to_owned()
}

/// The tables that a crawler looks at, as the catalog knows them.
pub(super) async fn tables(
    clients: &Clients,
    crawler: &sdk::Crawler,
) -> Result<Vec<CataloguedTable>, CrawlerError> {
    let own = crawler.database_name().filter(|name| !name.is_empty());
    let databases: BTreeSet<&str> = named(crawler)
        .iter()
        .map(sdk::CatalogTarget::database_name)
        .chain(own)
        .collect();
    let mut found = Vec::new();
    for database in databases {
        let mut tables = tables_of(clients, database).await?;
        tables.retain(|table| looks_at(crawler, database, table));
        let read = futures::stream::iter(tables)
            .map(|table| async move { catalogued(clients, database, &table).await });
        found.extend(read.buffered(4).try_collect::<Vec<_>>().await?);
    }
    Ok(found)
}

/// Whether a table of this database lies below a crawler's folders, or is one that it names.
fn looks_at(crawler: &sdk::Crawler, database: &str, table: &sdk::Table) -> bool {
    let place = format!("{}/", location(table).trim_end_matches('/'));
    let folders = folders(crawler);
    let below = folders.iter().any(|folder| place.starts_with(folder));
    below
        || named(crawler).iter().any(|target| {
            target.database_name() == database && target.tables().contains(&table.name)
        })
}

/// Every table of a database.
async fn tables_of(clients: &Clients, database: &str) -> Result<Vec<sdk::Table>, CrawlerError> {
    let page = |token: Option<String>| async move {
        let call = clients.glue.get_tables().database_name(database);
        let sent = call.set_next_token(token).send();
        match clients.call(TABLES, database, sent).await {
            Ok(answer) => Ok((answer.table_list.unwrap_or_default(), answer.next_token)),
            // The first crawl makes it.
            Err(error) if error.failure == CallFailure::NotFound => Ok((Vec::new(), None)),
            Err(error) => Err(CrawlerError::Platform(error.into())),
        }
    };
    pages(page).try_concat().await
}

fn location(table: &sdk::Table) -> &str {
    table
        .storage_descriptor()
        .and_then(sdk::StorageDescriptor::location)
        .unwrap_or_default()
}

/// Files, rows and bytes as a crawler writes them beside a table or a partition.
#[derive(Debug, Default)]
struct Size {
    partitions: u64,
    files: u64,
    rows: u64,
    bytes: u64,
}

impl Size {
    fn add(&mut self, parameters: Option<&HashMap<String, String>>) {
        let number = |names: [&str; 2]| {
            let text = names.iter().find_map(|name| parameters?.get(*name));
            text.and_then(|text| text.parse::<u64>().ok()).unwrap_or(0)
        };
        self.files += number(["objectCount", "numFiles"]);
        self.rows += number(["recordCount", "numRows"]);
        self.bytes += number(["sizeKey", "totalSize"]);
    }
}

async fn catalogued(
    clients: &Clients,
    database: &str,
    table: &sdk::Table,
) -> Result<CataloguedTable, CrawlerError> {
    let keys = table.partition_keys().len();
    let mut size = Size::default();
    if keys > 0 {
        partitions(clients, database, &table.name, &mut size).await?;
    } else {
        size.add(table.parameters());
    }
    let columns = table
        .storage_descriptor()
        .map_or(0, |storage| storage.columns().len());
    let version = table.version_id().and_then(|text| text.parse().ok());
    let updated = table.update_time().or(table.create_time()).map(instant);
    let by = match table
        .parameters()
        .and_then(|all| all.get("UPDATED_BY_CRAWLER"))
    {
        Some(crawler) => format!("by the crawler {crawler}"),
        None => "not by a crawler".to_owned(),
    };
    Ok(CataloguedTable {
        name: table.name.clone(),
        location: location(table).to_owned(),
        columns: columns + keys,
        partitions: size.partitions,
        files: size.files,
        rows: size.rows,
        bytes: size.bytes,
        version: version.unwrap_or(0),
        updated: updated.unwrap_or(Timestamp::UNIX_EPOCH),
        last_change: by,
    })
}

/// Counts a table's partitions and what they hold, page by page.
async fn partitions(
    clients: &Clients,
    database: &str,
    table: &str,
    size: &mut Size,
) -> Result<(), CrawlerError> {
    let page = |token: Option<String>| async move {
        let call = clients
            .glue
            .get_partitions()
            .database_name(database)
            .table_name(table)
            .exclude_column_schema(true)
            .set_next_token(token);
        let answer = clients
            .call(PARTITIONS, table, call.send())
            .await
            .map_err(|error| CrawlerError::Platform(error.into()))?;
        Ok::<_, CrawlerError>((answer.partitions.unwrap_or_default(), answer.next_token))
    };
    let pages = pages(page);
    futures::pin_mut!(pages);
    while let Some(partitions) = pages.try_next().await? {
        size.partitions += partitions.len() as u64;
        for partition in &partitions {
            size.add(partition.parameters());
        }
    }
    Ok(())
}
