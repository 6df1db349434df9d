//! Tables and views come and go: CREATE, CTAS, DROP, SHOW, DESCRIBE, OPTIMIZE, VACUUM.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit},
};
use datafusion::sql::sqlparser::ast::{self, Query};
use deltalake::{
    DeltaTable, DeltaTableBuilder,
    kernel::{Action, StructField, StructType, engine::arrow_conversion::TryIntoKernel},
    operations::create::CreateBuilder,
    protocol::SaveMode,
};
use tokio_util::sync::CancellationToken;

use lakehand_engine::{command::ColumnDef, names::type_name};

use super::{
    Effect, Session,
    error::{EngineError, refused},
    write::{Target, Written, write_plan, writer_config},
};
use lakehand_pipeline::ports::QueryRows;

/// The Arrow type of a column's declared type, in Hive's or Trino's spelling.
fn arrow_type(declared: &ast::DataType) -> Result<DataType, EngineError> {
    use ast::{DataType as Sql, ExactNumberInfo, TimezoneInfo};
    let micros = |zone: Option<Arc<str>>| DataType::Timestamp(TimeUnit::Microsecond, zone);
    Ok(match declared {
        Sql::String(_) | Sql::Varchar(_) | Sql::Char(_) | Sql::Text => DataType::Utf8,
        Sql::BigInt(_) => DataType::Int64,
        Sql::Int(_) | Sql::Integer(_) => DataType::Int32,
        Sql::SmallInt(_) => DataType::Int16,
        Sql::TinyInt(_) => DataType::Int8,
        Sql::Boolean | Sql::Bool => DataType::Boolean,
        Sql::Double(_) | Sql::DoublePrecision => DataType::Float64,
        Sql::Float(_) | Sql::Real => DataType::Float32,
        Sql::Date => DataType::Date32,
        Sql::Timestamp(_, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => micros(None),
        Sql::Timestamp(_, _) => micros(Some("UTC".into())),
        Sql::Binary(_) | Sql::Varbinary(_) | Sql::Bytea => DataType::Binary,
        Sql::Decimal(info) | Sql::Numeric(info) | Sql::Dec(info) => match info {
            ExactNumberInfo::None => DataType::Decimal128(38, 0),
            ExactNumberInfo::Precision(precision) => decimal(*precision, 0, declared)?,
            ExactNumberInfo::PrecisionAndScale(precision, scale) => {
                decimal(*precision, *scale, declared)?
            }
        },
        other => {
            return Err(refused(
                "NOT_SUPPORTED",
                format!("the type {other} is not supported in a table"),
            ));
        }
    })
}

fn decimal(precision: u64, scale: i64, declared: &ast::DataType) -> Result<DataType, EngineError> {
    match (u8::try_from(precision), i8::try_from(scale)) {
        (Ok(precision @ 1..=38), Ok(scale)) if scale >= 0 && scale.unsigned_abs() <= precision => {
            Ok(DataType::Decimal128(precision, scale))
        }
        _ => Err(refused(
            "SYNTAX_ERROR",
            format!("{declared} is no decimal: precision 1 to 38, scale 0 to the precision"),
        )),
    }
}

/// The types a Delta table stores for what a SELECT returns.
fn stored_type(selected: &DataType) -> DataType {
    match selected {
        DataType::Utf8View | DataType::LargeUtf8 | DataType::Null => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary => DataType::Binary,
        DataType::Dictionary(_, value) => stored_type(value),
        DataType::Timestamp(_, zone) => {
            DataType::Timestamp(TimeUnit::Microsecond, zone.as_ref().map(|_| "UTC".into()))
        }
        DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 | DataType::UInt64 => DataType::Int64,
        DataType::Decimal256(_, scale) => DataType::Decimal128(38, *scale),
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
            DataType::Decimal128(*precision, *scale)
        }
        other => other.clone(),
    }
}

/// What no table of Athena's can store is refused, not made text of.
fn check_columns(selected: &Schema) -> Result<(), EngineError> {
    for (place, field) in selected.fields().iter().enumerate() {
        let (code, message) = match field.data_type() {
            DataType::Null => (
                "COLUMN_TYPE_UNKNOWN",
                format!(
                    "Column type is unknown at position {}; write CAST(NULL AS varchar), or another type",
                    place + 1
                ),
            ),
            // JSON is kept apart from text by this type.
            DataType::LargeUtf8 => (
                "NOT_SUPPORTED",
                format!(
                    "Unsupported type: json (column '{}'); write json_format(…) for its text",
                    field.name()
                ),
            ),
            _ => continue,
        };
        return Err(refused(code, message));
    }
    Ok(())
}

fn check_partitions(schema: &Schema, partition_by: &[String]) -> Result<(), EngineError> {
    for column in partition_by {
        if schema.field_with_name(column).is_err() {
            return Err(refused(
                "COLUMN_NOT_FOUND",
                format!("the partition column '{column}' is not a column of the table"),
            ));
        }
    }
    Ok(())
}

fn taken(session: &Session, table: &str, if_not_exists: bool) -> Result<bool, EngineError> {
    if !session.tables.exists(table)? {
        return Ok(false);
    }
    if if_not_exists {
        Ok(true)
    } else {
        Err(refused(
            "TABLE_ALREADY_EXISTS",
            format!("Table '{table}' already exists"),
        ))
    }
}

/// The first entry of a table's log, with the files that are its rows.
async fn publish(
    session: &Session,
    table: &str,
    schema: &SchemaRef,
    partition_by: Vec<String>,
    actions: Vec<Action>,
) -> Result<DeltaTable, EngineError> {
    let delta = DeltaTableBuilder::from_url(session.tables.delta_url(table)?)?.build()?;
    let kernel: StructType = schema.as_ref().try_into_kernel()?;
    let fields: Vec<StructField> = kernel.fields().cloned().collect();
    let create = CreateBuilder::new()
        .with_log_store(delta.log_store())
        .with_table_name(table)
        .with_columns(fields)
        .with_partition_columns(partition_by)
        .with_save_mode(SaveMode::ErrorIfExists)
        .with_actions(actions);
    // As with any commit: once begun it runs to its end.
    let made = tokio::spawn(create.into_future());
    Ok(made
        .await
        .map_err(|error| datafusion::common::DataFusionError::External(Box::new(error)))??)
}

pub(super) async fn create_table(
    session: &Session,
    table: &str,
    if_not_exists: bool,
    columns: &[ColumnDef],
    partition_by: Vec<String>,
) -> Result<Effect, EngineError> {
    if taken(session, table, if_not_exists)? {
        return Ok(Effect::default());
    }
    let fields = columns.iter().map(|column| {
        Ok(Field::new(
            &column.name,
            arrow_type(&column.data_type)?,
            true,
        ))
    });
    let schema = Arc::new(Schema::new(
        fields.collect::<Result<Vec<_>, EngineError>>()?,
    ));
    check_partitions(&schema, &partition_by)?;
    std::fs::create_dir_all(session.tables.delta_dir(table))?;
    match publish(session, table, &schema, partition_by, Vec::new()).await {
        // Two builds may create the table at once; the second finds it made.
        Err(_) if if_not_exists && session.tables.open(table).await.is_ok() => {
            Ok(Effect::default())
        }
        outcome => outcome.map(|_| Effect::default()),
    }
}

/// What a CTAS makes.
pub(super) struct NewTable {
    pub(super) table: String,
    pub(super) if_not_exists: bool,
    pub(super) partition_by: Vec<String>,
    pub(super) with_data: bool,
}

pub(super) async fn create_table_as(
    session: &Session,
    new: NewTable,
    query: Query,
    cancel: &CancellationToken,
) -> Result<Effect, EngineError> {
    if taken(session, &new.table, new.if_not_exists)? {
        return Ok(Effect::default());
    }
    let plan = session.plan_query(query, session.catalog()).await?;
    check_columns(plan.schema().as_arrow())?;
    let fields = plan
        .schema()
        .fields()
        .iter()
        .map(|field| Field::new(field.name(), stored_type(field.data_type()), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    check_partitions(&schema, &new.partition_by)?;
    let folder = session.tables.delta_dir(&new.table);
    std::fs::create_dir_all(&folder)?;
    let store = DeltaTableBuilder::from_url(session.tables.delta_url(&new.table)?)?
        .build()?
        .object_store();
    let config = writer_config(None, Arc::clone(&schema), new.partition_by.clone())?;
    let written = match new.with_data {
        true => write_plan(session, &plan, store, config, Arc::clone(&schema), cancel).await,
        false => Ok(Written::default()),
    };
    let outcome = match written {
        Ok(written) => {
            let effect = Effect {
                rows: written.rows(),
                bytes_scanned: written.bytes_scanned,
            };
            publish(
                session,
                &new.table,
                &schema,
                new.partition_by,
                written.actions(),
            )
            .await
            .map(|_| effect)
        }
        Err(error) => Err(error),
    };
    if outcome.is_err() && !session.tables.delta_exists(&new.table) {
        let _ = std::fs::remove_dir_all(&folder);
    }
    outcome
}

pub(super) fn drop_table(
    session: &Session,
    table: &str,
    if_exists: bool,
) -> Result<Effect, EngineError> {
    let folder = session.tables.delta_dir(table);
    if !folder.is_dir() {
        return if if_exists {
            Ok(Effect::default())
        } else {
            Err(refused(
                "TABLE_NOT_FOUND",
                format!("Table '{table}' does not exist"),
            ))
        };
    }
    // Gone at once for whoever asks by name; the files follow.
    let trash = folder.with_file_name(format!(
        ".dropped-{table}-{}",
        uuid::Uuid::new_v4().simple()
    ));
    std::fs::rename(&folder, &trash)?;
    std::fs::remove_dir_all(&trash)?;
    Ok(Effect::default())
}

pub(super) async fn create_view(
    session: &Session,
    view: String,
    or_replace: bool,
    query: Query,
) -> Result<Effect, EngineError> {
    if session.tables.exists(&view)? && !(or_replace && session.tables.views()?.contains_key(&view))
    {
        return Err(refused(
            "TABLE_ALREADY_EXISTS",
            format!("'{view}' already exists"),
        ));
    }
    let sql = query.to_string();
    // A view that cannot be planned is refused now, not when somebody reads it.
    session.plan_query(query, session.catalog()).await?;
    session
        .tables
        .change_views(|views| Ok(views.insert(view, sql)))?;
    Ok(Effect::default())
}

pub(super) fn drop_view(
    session: &Session,
    view: &str,
    if_exists: bool,
) -> Result<Effect, EngineError> {
    let removed = session
        .tables
        .change_views(|views| Ok(views.remove(view)))?;
    if removed.is_none() && !if_exists {
        return Err(refused(
            "TABLE_NOT_FOUND",
            format!("View '{view}' does not exist"),
        ));
    }
    Ok(Effect::default())
}

/// Each statement here rewrites whole files already; only that the table exists is checked.
pub(super) async fn optimize(session: &Session, table: &str) -> Result<Effect, EngineError> {
    Target::open(session, table)
        .await
        .map(|_| Effect::default())
}

/// Removes files that no version of the last seven days needs.
pub(super) async fn vacuum(session: &Session, table: &str) -> Result<Effect, EngineError> {
    let target = Target::open(session, table).await?;
    let (_, metrics) = target.table.vacuum().await?;
    Ok(Effect {
        rows: metrics.files_deleted.len() as u64,
        bytes_scanned: 0,
    })
}

fn texts(columns: Vec<(&str, Vec<String>)>) -> Result<QueryRows, EngineError> {
    let fields = columns
        .iter()
        .map(|(name, _)| Field::new(*name, DataType::Utf8, false))
        .collect::<Vec<_>>();
    let schema = Arc::new(Schema::new(fields));
    let arrays = columns
        .into_iter()
        .map(|(_, values)| Arc::new(StringArray::from(values)) as ArrayRef)
        .collect();
    let batch = RecordBatch::try_new(Arc::clone(&schema), arrays)?;
    Ok(QueryRows {
        schema,
        batches: Box::pin(futures::stream::iter([Ok(batch)])),
        scanned: Default::default(),
    })
}

pub(super) fn show_tables(
    session: &Session,
    pattern: Option<&str>,
) -> Result<QueryRows, EngineError> {
    let names = session
        .tables
        .names()?
        .into_iter()
        .filter(|name| pattern.is_none_or(|pattern| like(name, pattern)));
    texts(vec![("tab_name", names.collect())])
}

/// Hive's pattern: `*` stands for any text, `|` parts one pattern from the next; so does `%` for any text. `_` is
/// itself, since names are full of it. Names are in lower case.
fn like(name: &str, pattern: &str) -> bool {
    let pattern = pattern.to_lowercase();
    pattern.split('|').any(|one| {
        let mut parts = one.split(['%', '*']);
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = name.strip_prefix(first) else {
            return false;
        };
        let Some(last) = parts.next_back() else {
            return rest.is_empty();
        };
        for part in parts {
            let Some(at) = rest.find(part) else {
                return false;
            };
            rest = &rest[at + part.len()..];
        }
        rest.ends_with(last)
    })
}

pub(super) async fn describe(session: &Session, table: &str) -> Result<QueryRows, EngineError> {
    let sql = format!("SELECT * FROM \"{}\"", table.replace('"', "\"\""));
    let plan = session.plan_sql(&sql, session.catalog()).await?;
    let fields = plan.schema().fields();
    texts(vec![
        (
            "col_name",
            fields.iter().map(|field| field.name().clone()).collect(),
        ),
        (
            "data_type",
            fields
                .iter()
                .map(|field| type_name(field.data_type()))
                .collect(),
        ),
    ])
}

pub(super) async fn explain(session: &Session, query: Query) -> Result<QueryRows, EngineError> {
    let plan = session.plan_query(query, session.catalog()).await?;
    let physical = session.physical(&plan).await?;
    let shown = datafusion::physical_plan::displayable(physical.as_ref())
        .indent(false)
        .to_string();
    texts(vec![(
        "Query Plan",
        shown.lines().map(str::to_owned).collect(),
    )])
}
