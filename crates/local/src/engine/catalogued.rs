//! What the local catalog adds to the tables of a lake: columns that no contract knows, folders of silver that
//! no contract names, partitions with their totals, and `information_schema`.

use std::{fmt, path::PathBuf, sync::Arc};

use arrow::{
    array::{ArrayRef, Int64Array, RecordBatch, StringArray},
    compute::cast,
    datatypes::{DataType, Field, Schema},
};
use async_trait::async_trait;
use datafusion::{
    catalog::{SchemaProvider, TableProvider},
    common::{DataFusionError, Result as DataFusionResult},
    datasource::{
        MemTable,
        file_format::parquet::ParquetFormat,
        listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl},
    },
};

use lakehand_engine::names::type_name;

use super::catalog::{LakeCatalog, Tables, directory_url};
use crate::catalog::{Catalog, CatalogColumn, CatalogTable};
use lakehand_host::catalog_types::arrow_type;
use lakehand_pipeline::{dataset::SilverTable, ports::LAKE_SCHEMA};

/// The schema whose tables describe tables.
pub(super) const INFORMATION_SCHEMA: &str = "information_schema";
/// End of the name of the table of a table's partitions.
const PARTITIONS: &str = "$partitions";

impl Tables {
    fn local_catalog(&self) -> Catalog {
        Catalog::of_lake(self.root())
    }

    /// What a crawler knows of a table that is there.
    pub(super) fn catalogued(&self, name: &str) -> DataFusionResult<Option<CatalogTable>> {
        let table = self.local_catalog().table(name)?;
        Ok(table.filter(|table| !table.deleted))
    }

    /// Columns that a crawler saw in the files of a silver table and `known` lacks.
    pub(super) fn further_columns(
        &self,
        name: &str,
        known: &Schema,
        partition: Option<&str>,
    ) -> DataFusionResult<Vec<Field>> {
        let Some(table) = self.catalogued(name)? else {
            return Ok(Vec::new());
        };
        let new = table.columns.iter().filter(|column| {
            known.field_with_name(&column.name).is_err() && partition != Some(&column.name)
        });
        Ok(new.filter_map(field).collect())
    }

    /// The folder of a table of silver that no contract names: `silver/<source>/<table>` for `<source>_<table>`.
    pub(super) fn silver_folder(&self, name: &str) -> Option<PathBuf> {
        let sources = std::fs::read_dir(self.root().join("silver")).ok()?;
        sources.flatten().find_map(|source| {
            let source_name = source.file_name().into_string().ok()?;
            let before = SilverTable::name_of_folder(&source_name, "");
            let table = name.strip_prefix(&before)?;
            let plain = !table.is_empty() && !table.contains(['/', '.']);
            let folder = source.path().join(table);
            (plain && folder.is_dir()).then_some(folder)
        })
    }

    /// Names of the folders of silver, as tables.
    pub(super) fn silver_folders(&self) -> Vec<String> {
        let folders = |path: PathBuf| {
            let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
            entries.filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                let visible = !name.starts_with(['_', '.']) && entry.path().is_dir();
                visible.then(|| (name, entry.path()))
            })
        };
        folders(self.root().join("silver"))
            .flat_map(|(source, path)| {
                folders(path).map(move |(table, _)| SilverTable::name_of_folder(&source, &table))
            })
            .collect()
    }

    /// A table of silver that no contract names: as the catalog knows it, else as its files are.
    pub(super) fn folder_provider(
        &self,
        name: &str,
        folder: PathBuf,
    ) -> DataFusionResult<Arc<dyn TableProvider>> {
        let url = ListingTableUrl::try_new(directory_url(&folder)?, None)?;
        let options =
            ListingOptions::new(Arc::new(ParquetFormat::default())).with_file_extension(".parquet");
        let Some(table) = self.catalogued(name)? else {
            return super::folder::provider(&folder);
        };
        let keys = table.partition_keys.iter().map(|key| {
            let data_type = if key.data_type == "date" {
                DataType::Date32
            } else {
                DataType::Utf8
            };
            (key.name.clone(), data_type)
        });
        let fields: Vec<Field> = table.columns.iter().filter_map(field).collect();
        let config = ListingTableConfig::new(url)
            .with_listing_options(options.with_table_partition_cols(keys.collect()))
            .with_schema(Arc::new(Schema::new(fields)));
        Ok(Arc::new(ListingTable::try_new(config)?))
    }

    /// `"<table>$partitions"`: the partitions a crawler saw, with their totals.
    pub(super) fn partitions_provider(
        &self,
        name: &str,
    ) -> DataFusionResult<Option<Arc<dyn TableProvider>>> {
        let Some(name) = name.strip_suffix(PARTITIONS) else {
            return Ok(None);
        };
        let Some(table) = self.catalogued(name)? else {
            return Ok(None);
        };
        let files = self.local_catalog().files(name)?.unwrap_or_default();
        let partitions = files.partitions();
        let mut fields = Vec::new();
        let mut columns: Vec<ArrayRef> = Vec::new();
        for (place, key) in table.partition_keys.iter().enumerate() {
            let values = partitions
                .iter()
                .map(|partition| partition.values.get(place));
            let texts: ArrayRef = Arc::new(StringArray::from_iter(values));
            let data_type = if key.data_type == "date" {
                DataType::Date32
            } else {
                DataType::Utf8
            };
            columns.push(cast(&texts, &data_type)?);
            fields.push(Field::new(&key.name, data_type, true));
        }
        let number = |of: fn(&crate::catalog::CatalogPartition) -> u64| {
            let values = partitions
                .iter()
                .map(|one| i64::try_from(of(one)).unwrap_or(i64::MAX));
            Arc::new(Int64Array::from_iter_values(values)) as ArrayRef
        };
        for (name, column) in [
            ("record_count", number(|one| one.rows)),
            ("file_count", number(|one| one.files)),
            ("total_size", number(|one| one.bytes)),
        ] {
            fields.push(Field::new(name, DataType::Int64, false));
            columns.push(column);
        }
        mem_table(fields, columns).map(Some)
    }
}

/// A catalogued column as a query reads it; a type this engine cannot read is left out.
fn field(column: &CatalogColumn) -> Option<Field> {
    Some(Field::new(
        &column.name,
        arrow_type(&column.data_type)?,
        true,
    ))
}

fn mem_table(
    fields: Vec<Field>,
    columns: Vec<ArrayRef>,
) -> DataFusionResult<Arc<dyn TableProvider>> {
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns)?;
    Ok(Arc::new(MemTable::try_new(schema, vec![vec![batch]])?))
}

fn texts(columns: &[&str], rows: Vec<Vec<String>>) -> DataFusionResult<Arc<dyn TableProvider>> {
    let fields = columns
        .iter()
        .map(|name| Field::new(*name, DataType::Utf8, true));
    let arrays = (0..columns.len()).map(|place| {
        let values = rows.iter().map(|row| row.get(place).map(String::as_str));
        Arc::new(StringArray::from_iter(values)) as ArrayRef
    });
    mem_table(fields.collect(), arrays.collect())
}

/// `information_schema.tables` and `information_schema.columns`, as Trino has them.
#[derive(Clone)]
pub(super) struct InformationSchema(pub(super) LakeCatalog);

impl fmt::Debug for InformationSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InformationSchema")
    }
}

impl InformationSchema {
    fn tables(&self) -> DataFusionResult<Arc<dyn TableProvider>> {
        let tables = &self.0.session.tables;
        let views = tables.views()?;
        let rows = tables.names()?.into_iter().map(|name| {
            let kind = if views.contains_key(&name) {
                "VIEW"
            } else {
                "BASE TABLE"
            };
            vec![
                "awsdatacatalog".to_owned(),
                LAKE_SCHEMA.to_owned(),
                name,
                kind.to_owned(),
            ]
        });
        let columns = ["table_catalog", "table_schema", "table_name", "table_type"];
        texts(&columns, rows.collect())
    }

    async fn columns(&self) -> DataFusionResult<Arc<dyn TableProvider>> {
        let mut rows = Vec::new();
        let mut places = Vec::new();
        for name in self.0.session.tables.names()? {
            // A view whose table is gone has no columns; the others still have theirs.
            let Ok(Some(table)) = self.0.table(&name).await else {
                continue;
            };
            for (place, field) in table.schema().fields().iter().enumerate() {
                rows.push(vec![
                    "awsdatacatalog".to_owned(),
                    LAKE_SCHEMA.to_owned(),
                    name.clone(),
                    field.name().clone(),
                    if field.is_nullable() { "YES" } else { "NO" }.to_owned(),
                    type_name(field.data_type()),
                ]);
                places.push(i64::try_from(place + 1).unwrap_or(i64::MAX));
            }
        }
        let text = |place: usize| {
            let values = rows.iter().map(|row| row.get(place).map(String::as_str));
            Arc::new(StringArray::from_iter(values)) as ArrayRef
        };
        let names = [
            ("table_catalog", text(0)),
            ("table_schema", text(1)),
            ("table_name", text(2)),
            ("column_name", text(3)),
            (
                "ordinal_position",
                Arc::new(Int64Array::from(places)) as ArrayRef,
            ),
            ("is_nullable", text(4)),
            ("data_type", text(5)),
        ];
        let fields = names
            .iter()
            .map(|(name, column)| Field::new(*name, column.data_type().clone(), true));
        mem_table(
            fields.collect(),
            names.iter().map(|(_, column)| Arc::clone(column)).collect(),
        )
    }
}

#[async_trait]
impl SchemaProvider for InformationSchema {
    fn table_names(&self) -> Vec<String> {
        vec!["columns".to_owned(), "tables".to_owned()]
    }

    fn table_exist(&self, name: &str) -> bool {
        matches!(name, "columns" | "tables")
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>, DataFusionError> {
        match name {
            "tables" => self.tables().map(Some),
            "columns" => self.columns().await.map(Some),
            _ => Ok(None),
        }
    }
}
