//! The one catalog of the embedded lake: what a table name stands for, found out when a statement asks.
//!
//! | name | is | lies in |
//! | --- | --- | --- |
//! | a silver table | the Parquet files of its folder, with the contract's schema and behind it the columns that a crawler found; zero rows if there is none | `silver/` |
//! | another folder of silver | its Parquet files, as the catalog knows them or, before a crawl, as they are | `silver/` |
//! | `"<table>$partitions"` | the partitions that a crawler found | `_catalog/` |
//! | `country_region` | the embedded dimension | the binary |
//! | a name with `_staging_` in it | a Delta table of one build | `staging/` |
//! | any other | a Delta table | `gold/` |
//! | a view | a SELECT kept in a small file | `_catalog/views.json` |
//!
//! Nothing is cached across statements but Parquet footers (keyed by size and time of change), so a
//! partition replaced by rename is seen by the next statement.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow::{
    array::{ArrayRef, RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use async_trait::async_trait;
use datafusion::{
    catalog::Session as DataFusionSession,
    catalog::{
        CatalogProvider, CatalogProviderList, SchemaProvider, TableProvider, view::ViewTable,
    },
    common::{
        Constraints, DataFusionError, Result as DataFusionResult, Statistics, tree_node::TreeNode,
    },
    datasource::{
        MemTable,
        empty::EmptyTable,
        file_format::parquet::ParquetFormat,
        listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl},
    },
    logical_expr::{Expr, TableProviderFilterPushDown, TableType},
    physical_plan::ExecutionPlan,
    prelude::SessionContext,
};
use deltalake::{DeltaTable, DeltaTableBuilder};
use url::Url;

use super::{
    Session,
    catalogued::{INFORMATION_SCHEMA, InformationSchema},
};
use lakehand_pipeline::{
    dataset::SilverTable,
    normalise::contract::report::{CONTRACTS, Contract, StoredContract, part_column},
};

/// Name of the country dimension.
pub(super) const COUNTRY_REGION: &str = "country_region";
/// Part of the names of tables that belong to one build.
pub(super) const STAGING_MARK: &str = "_staging_";
/// Views may use views up to this depth; a deeper nest is a circle.
const MAX_VIEW_DEPTH: usize = 16;

static COUNTRY_REGION_CSV: &str = include_str!("../../../../assets/country_region.csv");

/// Where the tables of a lake lie on disk.
#[derive(Debug, Clone)]
pub(super) struct Tables {
    root: PathBuf,
}

impl Tables {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// The std folder.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Whether a table is written by the pipeline and by nobody else.
    pub(super) fn is_silver(&self, name: &str) -> bool {
        self.silver(name).is_some() || self.silver_folder(name).is_some()
    }

    /// The silver table of that name: one that every lake has, or a report that has come into this one.
    pub(super) fn silver(&self, name: &str) -> Option<Contract> {
        let table = SilverTable::from_sql_name(name)?;
        if part_column(table).is_none() {
            return Some(Contract::fixed(table));
        }
        let stored = std::fs::read(self.root.join(StoredContract::key(table))).ok()?;
        let stored: StoredContract = serde_json::from_slice(&stored).ok()?;
        Some(stored.contract(table))
    }

    /// Names of the reports that have come into this lake.
    fn reports(&self) -> impl Iterator<Item = String> {
        let entries = std::fs::read_dir(self.root.join(CONTRACTS));
        let files = entries.into_iter().flatten().flatten();
        files.filter_map(|entry| {
            let file = entry.file_name().into_string().ok()?;
            file.strip_suffix(".json").map(str::to_owned)
        })
    }

    /// The folder of a Delta table, whether it exists or not.
    pub(super) fn delta_dir(&self, name: &str) -> PathBuf {
        let layer = if name.contains(STAGING_MARK) {
            "staging"
        } else {
            "gold"
        };
        self.root.join(layer).join(name)
    }

    /// Whether a Delta table of that name exists: its first commit does.
    pub(super) fn delta_exists(&self, name: &str) -> bool {
        self.delta_dir(name).join("_delta_log").is_dir()
    }

    /// The address Delta knows a table's folder by.
    pub(super) fn delta_url(&self, name: &str) -> DataFusionResult<Url> {
        directory_url(&self.delta_dir(name))
    }

    /// The newest version of a Delta table.
    pub(super) async fn open(&self, name: &str) -> DataFusionResult<DeltaTable> {
        let table = DeltaTableBuilder::from_url(self.delta_url(name)?)?
            .load()
            .await?;
        Ok(table)
    }

    fn views_file(&self) -> PathBuf {
        self.root.join("_catalog").join("views.json")
    }

    /// Every view and its SELECT.
    pub(super) fn views(&self) -> DataFusionResult<BTreeMap<String, String>> {
        match std::fs::read(self.views_file()) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| DataFusionError::External(Box::new(error))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(BTreeMap::new()),
            Err(error) => Err(error.into()),
        }
    }

    /// Changes the views under a lock that other processes honour, by an atomic rename.
    pub(super) fn change_views<T>(
        &self,
        change: impl FnOnce(&mut BTreeMap<String, String>) -> DataFusionResult<T>,
    ) -> DataFusionResult<T> {
        let file = self.views_file();
        let folder = self.root.join("_catalog");
        std::fs::create_dir_all(&folder)?;
        let lock = std::fs::File::create(folder.join("views.lock"))?;
        lock.lock()?;
        let mut views = self.views()?;
        let outcome = change(&mut views)?;
        let mut new = tempfile::NamedTempFile::new_in(&folder)?;
        serde_json::to_writer_pretty(&mut new, &views)
            .map_err(|error| DataFusionError::External(Box::new(error)))?;
        new.as_file().sync_all()?;
        new.persist(file).map_err(|error| error.error)?;
        Ok(outcome)
    }

    /// Every table and view name, in order.
    pub(super) fn names(&self) -> DataFusionResult<BTreeSet<String>> {
        let mut names: BTreeSet<String> = SilverTable::ALL
            .into_iter()
            .map(SilverTable::sql_name)
            .chain(self.reports())
            .collect();
        names.insert(COUNTRY_REGION.to_owned());
        names.extend(self.silver_folders());
        names.extend(self.views()?.into_keys());
        for layer in ["gold", "staging"] {
            let Ok(entries) = std::fs::read_dir(self.root.join(layer)) else {
                continue;
            };
            let folders = entries
                .flatten()
                .filter_map(|entry| entry.file_name().into_string().ok());
            names.extend(folders.filter(|name| self.delta_exists(name)));
        }
        Ok(names)
    }

    /// Whether a name is taken by anything.
    pub(super) fn exists(&self, name: &str) -> DataFusionResult<bool> {
        Ok(self.is_silver(name)
            || name == COUNTRY_REGION
            || self.delta_exists(name)
            || self.views()?.contains_key(name))
    }

    fn silver_provider(&self, contract: Contract) -> DataFusionResult<Arc<dyn TableProvider>> {
        let table = contract.table;
        let partitions = if table.by_event_day() {
            vec![("date".to_owned(), DataType::Date32)]
        } else {
            Vec::new()
        };
        let schema = contract.schema();
        let partition = partitions.first().map(|(name, _)| name.as_str());
        let further = self.further_columns(&table.sql_name(), &schema, partition)?;
        let schema = with_views(&schema, further);
        let folder = self.root.join(table.prefix());
        if !folder.is_dir() {
            let mut fields: Vec<_> = schema
                .fields()
                .iter()
                .map(|field| field.as_ref().clone())
                .collect();
            fields.extend(
                partitions
                    .into_iter()
                    .map(|(name, data_type)| Field::new(name, data_type, false)),
            );
            return Ok(Arc::new(EmptyTable::new(Arc::new(Schema::new(fields)))));
        }
        let url = ListingTableUrl::try_new(directory_url(&folder)?, None)?;
        let options = ListingOptions::new(Arc::new(ParquetFormat::default()))
            .with_file_extension(".parquet")
            .with_table_partition_cols(partitions);
        let config = ListingTableConfig::new(url)
            .with_listing_options(options)
            .with_schema(schema);
        Ok(Arc::new(ListingTable::try_new(config)?))
    }
}

/// Texts as views into the page they were read from: grouping and joining by them copies less.
fn with_views(schema: &Schema, further: Vec<Field>) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| match field.data_type() {
        DataType::Utf8 => field.as_ref().clone().with_data_type(DataType::Utf8View),
        _ => field.as_ref().clone(),
    });
    Arc::new(Schema::new(fields.chain(further).collect::<Vec<_>>()))
}

pub(super) fn directory_url(path: &Path) -> DataFusionResult<Url> {
    let absolute = std::path::absolute(path)?;
    Url::from_directory_path(&absolute).map_err(|()| {
        DataFusionError::Configuration(format!("{} is not a folder's path", absolute.display()))
    })
}

/// The country dimension, from the CSV that ships with the program.
pub(super) fn country_region() -> DataFusionResult<Arc<dyn TableProvider>> {
    let rows: Vec<(&str, &str)> = COUNTRY_REGION_CSV
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(','))
        .map(|(code, region)| (code, region.trim()))
        .collect();
    let schema = Arc::new(Schema::new(vec![
        Field::new("country", DataType::Utf8, false),
        Field::new("region", DataType::Utf8, false),
    ]));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.0))),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.1))),
    ];
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns)?;
    Ok(Arc::new(MemTable::try_new(schema, vec![vec![batch]])?))
}

/// The tables as one statement sees them. Every catalog and database name leads here.
#[derive(Clone)]
pub(super) struct LakeCatalog {
    pub(super) session: Session,
    /// Names that mean something only in this statement.
    pub(super) overlay: HashMap<String, Arc<dyn TableProvider>>,
    pub(super) view_depth: usize,
}

impl fmt::Debug for LakeCatalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LakeCatalog")
            .field("tables", &self.session.tables)
            .finish_non_exhaustive()
    }
}

impl CatalogProviderList for LakeCatalog {
    fn register_catalog(
        &self,
        _: String,
        _: Arc<dyn CatalogProvider>,
    ) -> Option<Arc<dyn CatalogProvider>> {
        None
    }

    fn catalog_names(&self) -> Vec<String> {
        vec!["awsdatacatalog".to_owned()]
    }

    fn catalog(&self, _: &str) -> Option<Arc<dyn CatalogProvider>> {
        Some(Arc::new(self.clone()))
    }
}

impl CatalogProvider for LakeCatalog {
    fn schema_names(&self) -> Vec<String> {
        vec!["lake".to_owned()]
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        if name == INFORMATION_SCHEMA {
            return Some(Arc::new(InformationSchema(self.clone())));
        }
        Some(Arc::new(self.clone()))
    }
}

#[async_trait]
impl SchemaProvider for LakeCatalog {
    fn table_names(&self) -> Vec<String> {
        self.session
            .tables
            .names()
            .map(|names| names.into_iter().collect())
            .unwrap_or_default()
    }

    fn table_exist(&self, name: &str) -> bool {
        self.overlay.contains_key(name)
            || self.session.files.contains_key(name)
            || self.session.tables.exists(name).unwrap_or(false)
    }

    async fn table(&self, name: &str) -> DataFusionResult<Option<Arc<dyn TableProvider>>> {
        let name = name.to_lowercase();
        if let Some(table) = self.overlay.get(&name) {
            return Ok(Some(Arc::clone(table)));
        }
        if let Some(path) = self.session.files.get(&name) {
            return super::folder::provider(path).map(Some);
        }
        if let Some(contract) = self.session.tables.silver(&name) {
            return self.session.tables.silver_provider(contract).map(Some);
        }
        if let Some(folder) = self.session.tables.silver_folder(&name) {
            let provider = self.session.tables.folder_provider(&name, folder);
            return provider.map(Some);
        }
        if let Some(partitions) = self.session.tables.partitions_provider(&name)? {
            return Ok(Some(partitions));
        }
        if name == COUNTRY_REGION {
            return country_region().map(Some);
        }
        if self.session.tables.delta_exists(&name) {
            let context = self.session.context(self.clone());
            let table = self.session.tables.open(&name).await?;
            return Ok(Some(delta_provider(&table, &context, None).await?));
        }
        let Some(sql) = self.session.tables.views()?.remove(&name) else {
            return Ok(None);
        };
        if self.view_depth >= MAX_VIEW_DEPTH {
            return Err(DataFusionError::Plan(format!(
                "the view {name} uses itself"
            )));
        }
        let inner = Self {
            view_depth: self.view_depth + 1,
            ..self.clone()
        };
        let plan = self.session.plan_sql(&sql, inner).await?;
        Ok(Some(Arc::new(ViewTable::new(plan, Some(sql)))))
    }
}

/// A Delta table's rows: all of them, or those of the given files.
pub(super) async fn delta_provider(
    table: &DeltaTable,
    context: &SessionContext,
    files: Option<Vec<String>>,
) -> DataFusionResult<Arc<dyn TableProvider>> {
    let builder = table
        .table_provider()
        .with_session(Arc::new(context.state()));
    let builder = match files {
        Some(files) => builder.with_file_paths(files),
        None => builder,
    };
    Ok(Arc::new(Rechecked(Arc::new(builder.build().await?))))
}

/// Whether a NULL stands in a condition.
fn holds_null(filter: &Expr) -> bool {
    let is_null = |expr: &Expr| Ok(matches!(expr, Expr::Literal(value, _) if value.is_null()));
    filter.exists(is_null).unwrap_or(true)
}

/// A Delta table whose rows are asked again where a condition holds a NULL.
///
/// Delta says that it answers conditions on partition columns exactly, so that nobody asks them of a row again. A condition
/// without a column counts as such for it, and a NULL that an AND was folded to was dropped: rows came that must not.
#[derive(Debug)]
struct Rechecked(Arc<dyn TableProvider>);

#[async_trait]
impl TableProvider for Rechecked {
    fn schema(&self) -> SchemaRef {
        self.0.schema()
    }

    fn constraints(&self) -> Option<&Constraints> {
        self.0.constraints()
    }

    fn table_type(&self) -> TableType {
        self.0.table_type()
    }

    async fn scan(
        &self,
        state: &dyn DataFusionSession,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        self.0.scan(state, projection, filters, limit).await
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> DataFusionResult<Vec<TableProviderFilterPushDown>> {
        use TableProviderFilterPushDown::{Exact, Inexact, Unsupported};
        let answered = self.0.supports_filters_pushdown(filters)?;
        let recheck = |(told, filter): (TableProviderFilterPushDown, &&Expr)| match told {
            // It says nothing of a file.
            _ if filter.column_refs().is_empty() => Unsupported,
            Exact if holds_null(filter) => Inexact,
            told => told,
        };
        Ok(answered.into_iter().zip(filters).map(recheck).collect())
    }

    fn statistics(&self) -> Option<Statistics> {
        self.0.statistics()
    }
}
