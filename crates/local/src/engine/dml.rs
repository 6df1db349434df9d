//! INSERT, DELETE and UPDATE: the files that may be touched are read, written anew, and swapped in one commit.

use std::collections::HashMap;

use arrow::datatypes::DataType;
use datafusion::sql::sqlparser::ast::{Expr, Ident, Query};
use deltalake::protocol::{DeltaOperation, SaveMode};
use tokio_util::sync::CancellationToken;

use lakehand_engine::{membership::asks_a_subquery, names::type_name, rewrite::ident};

use super::{
    Effect, Session,
    catalog::{LakeCatalog, delta_provider},
    error::{EngineError, refused},
    write::{Candidates, KIND_COLUMN, RowKind, Target},
};

/// Name under which a statement reads the files it is going to replace.
pub(super) const TARGET: &str = "__target";

/// Whether a value of one type may be stored in a column of another without a CAST (Trino's rule, but that
/// literals have DataFusion's types, so integers and decimals only have to fit by value).
pub(super) fn assignable(from: &DataType, to: &DataType) -> bool {
    use DataType as T;
    let text = |t: &T| matches!(t, T::Utf8 | T::Utf8View | T::LargeUtf8);
    let bytes = |t: &T| matches!(t, T::Binary | T::BinaryView | T::LargeBinary);
    match (from, to) {
        (T::Null, _) => true,
        (T::Dictionary(_, value), to) => assignable(value, to),
        (T::Decimal128(_, from), T::Decimal128(_, to)) => from <= to,
        (from, T::Decimal128(_, _) | T::Float64 | T::Float32) if from.is_integer() => true,
        (T::Decimal128(_, _) | T::Float32, T::Float64)
        | (T::Date32, T::Timestamp(_, _))
        | (T::Timestamp(_, _), T::Timestamp(_, _)) => true,
        (from, to) => {
            from == to
                || (text(from) && text(to))
                || (bytes(from) && bytes(to))
                || (from.is_integer() && to.is_integer())
        }
    }
}

/// Refuses an assignment that Athena would refuse.
pub(super) fn check_assignable(
    column: &str,
    from: &DataType,
    to: &DataType,
) -> Result<(), EngineError> {
    if assignable(from, to) {
        return Ok(());
    }
    let message = format!(
        "column '{column}' is {}, the value is {}; add a CAST",
        type_name(to),
        type_name(from)
    );
    Err(refused("TYPE_MISMATCH", message))
}

pub(super) async fn insert(
    session: &Session,
    table: &str,
    columns: &[String],
    query: Query,
    cancel: &CancellationToken,
) -> Result<Effect, EngineError> {
    let target = Target::open(session, table).await?;
    let named: Vec<String> = if columns.is_empty() {
        target.columns().map(str::to_owned).collect()
    } else {
        columns.to_vec()
    };
    for column in &named {
        if target.schema.field_with_name(column).is_err() {
            return Err(refused(
                "COLUMN_NOT_FOUND",
                format!("Insert column name does not exist in target table: {column}"),
            ));
        }
    }
    let text = query.to_string();
    let given = session.plan_query(query, session.catalog()).await?;
    let fields = given.schema().fields();
    if fields.len() != named.len() {
        let message = format!(
            "Insert query has mismatched column types: {} columns named, {} given",
            named.len(),
            fields.len()
        );
        return Err(refused("TYPE_MISMATCH", message));
    }
    for (column, field) in named.iter().zip(fields) {
        check_assignable(
            column,
            field.data_type(),
            target.schema.field_with_name(column)?.data_type(),
        )?;
    }
    let select =
        target.columns().map(
            |column| match named.iter().position(|name| name == column) {
                Some(index) => format!("\"c{index}\" AS {}", ident(column)),
                None => format!("NULL AS {}", ident(column)),
            },
        );
    let sql = format!(
        "SELECT {} FROM ({text}) AS \"given\" ({})",
        select.collect::<Vec<_>>().join(", "),
        (0..named.len())
            .map(|index| format!("\"c{index}\""))
            .collect::<Vec<_>>()
            .join(", "),
    );
    let plan = session.plan_sql(&sql, session.catalog()).await?;
    let written = target.write(session, &plan, cancel).await?;
    let effect = Effect {
        rows: written.rows(),
        bytes_scanned: written.bytes_scanned,
    };
    let operation = DeltaOperation::Write {
        mode: SaveMode::Append,
        partition_by: Some(target.partition_by.clone()),
        predicate: None,
    };
    target
        .commit(written, Candidates::default(), operation, true)
        .await?;
    Ok(effect)
}

/// A catalog in which [`TARGET`] is the given files of the target.
pub(super) async fn overlay(
    session: &Session,
    target: &Target,
    candidates: &Candidates,
) -> Result<LakeCatalog, EngineError> {
    let context = session.context(session.catalog());
    let provider = delta_provider(&target.table, &context, Some(candidates.paths.clone())).await?;
    Ok(LakeCatalog {
        overlay: HashMap::from([(TARGET.to_owned(), provider)]),
        ..session.catalog()
    })
}

pub(super) async fn delete(
    session: &Session,
    table: &str,
    alias: Option<Ident>,
    selection: Option<Expr>,
    cancel: &CancellationToken,
) -> Result<Effect, EngineError> {
    let target = Target::open(session, table).await?;
    let alias = alias.unwrap_or_else(|| ident(table));
    let context = session.context(session.catalog());
    let candidates = target.candidates(&context, &alias.value, selection.clone())?;
    let predicate = selection
        .as_ref()
        .map_or_else(|| "TRUE".to_owned(), ToString::to_string);
    let columns = target
        .columns()
        .map(|column| format!("{alias}.{}", ident(column)))
        .collect::<Vec<_>>()
        .join(", ");
    let kept = RowKind::Kept as i32;
    let sql = format!(
        "SELECT {columns}, CAST({kept} AS integer) AS \"{KIND_COLUMN}\" FROM \"{TARGET}\" AS {alias} WHERE ({predicate}) IS NOT TRUE"
    );
    let plan = session
        .plan_sql(&sql, overlay(session, &target, &candidates).await?)
        .await?;
    let written = target.write(session, &plan, cancel).await?;
    let deleted = candidates.rows.saturating_sub(written.rows());
    let effect = Effect {
        rows: deleted,
        bytes_scanned: written.bytes_scanned,
    };
    if deleted == 0 {
        target.abandon(written).await;
        return Ok(effect);
    }
    target
        .commit(
            written,
            candidates,
            DeltaOperation::Delete {
                predicate: Some(predicate),
            },
            false,
        )
        .await?;
    Ok(effect)
}

pub(super) async fn update(
    session: &Session,
    table: &str,
    alias: Option<Ident>,
    assignments: Vec<(String, Expr)>,
    selection: Option<Expr>,
    cancel: &CancellationToken,
) -> Result<Effect, EngineError> {
    let target = Target::open(session, table).await?;
    let alias = alias.unwrap_or_else(|| ident(table));
    let context = session.context(session.catalog());
    let candidates = target.candidates(&context, &alias.value, selection.clone())?;
    let catalog = overlay(session, &target, &candidates).await?;
    check_assignments(
        session,
        &target,
        &assignments,
        &format!("\"{TARGET}\" AS {alias}"),
        &catalog,
    )
    .await?;
    let predicate = selection
        .as_ref()
        .map_or_else(|| "TRUE".to_owned(), ToString::to_string);
    let asks = selection.as_ref().is_some_and(asks_a_subquery);
    let sql = if asks {
        // A subquery is asked in a WHERE: once for the rows that change, once for those that stay.
        update_in_two(&target, &alias, &assignments, &predicate)
    } else {
        update_in_one(&target, &alias, &assignments, &predicate)
    };
    let plan = session.plan_sql(&sql, catalog).await?;
    let written = target.write(session, &plan, cancel).await?;
    let effect = Effect {
        rows: written.count(RowKind::Updated),
        bytes_scanned: written.bytes_scanned,
    };
    if effect.rows == 0 {
        target.abandon(written).await;
        return Ok(effect);
    }
    target
        .commit(
            written,
            candidates,
            DeltaOperation::Update {
                predicate: Some(predicate),
            },
            false,
        )
        .await?;
    Ok(effect)
}

fn update_in_one(
    target: &Target,
    alias: &Ident,
    assignments: &[(String, Expr)],
    predicate: &str,
) -> String {
    let columns = target.columns().map(|column| {
        let name = ident(column);
        match assigned(assignments, column) {
            Some(value) => {
                format!("CASE WHEN ({predicate}) THEN {value} ELSE {alias}.{name} END AS {name}")
            }
            None => format!("{alias}.{name}"),
        }
    });
    format!(
        "SELECT {}, CAST(CASE WHEN ({predicate}) THEN {} ELSE {} END AS integer) AS \"{KIND_COLUMN}\" FROM \"{TARGET}\" AS {alias}",
        columns.collect::<Vec<_>>().join(", "),
        RowKind::Updated as i32,
        RowKind::Kept as i32,
    )
}

fn update_in_two(
    target: &Target,
    alias: &Ident,
    assignments: &[(String, Expr)],
    predicate: &str,
) -> String {
    let pass = |assignments: &[(String, Expr)], condition: String, kind: RowKind| {
        let columns = target.columns().map(|column| {
            let name = ident(column);
            match assigned(assignments, column) {
                // In the column's own type, so that both passes give rows of one kind.
                Some(value) => match target.schema.field_with_name(column) {
                    Ok(field) => format!(
                        "CAST({value} AS {}) AS {name}",
                        type_name(field.data_type())
                    ),
                    Err(_) => format!("{value} AS {name}"),
                },
                None => format!("{alias}.{name}"),
            }
        });
        format!(
            "SELECT {}, CAST({} AS integer) AS \"{KIND_COLUMN}\" FROM \"{TARGET}\" AS {alias} WHERE {condition}",
            columns.collect::<Vec<_>>().join(", "),
            kind as i32,
        )
    };
    let changed = pass(assignments, format!("({predicate})"), RowKind::Updated);
    let kept = pass(&[], format!("({predicate}) IS NOT TRUE"), RowKind::Kept);
    format!("{changed} UNION ALL {kept}")
}

fn assigned<'a>(assignments: &'a [(String, Expr)], column: &str) -> Option<&'a Expr> {
    let found = assignments.iter().find(|(name, _)| name == column);
    found.map(|(_, value)| value)
}

/// Plans the values of a SET against `from`, and refuses types that do not fit their columns.
pub(super) async fn check_assignments(
    session: &Session,
    target: &Target,
    assignments: &[(String, Expr)],
    from: &str,
    catalog: &LakeCatalog,
) -> Result<(), EngineError> {
    if assignments.is_empty() {
        return Ok(());
    }
    let values = assignments
        .iter()
        .enumerate()
        .map(|(index, (_, value))| format!("{value} AS \"v{index}\""));
    let sql = format!(
        "SELECT {} FROM {from}",
        values.collect::<Vec<_>>().join(", ")
    );
    let plan = session.plan_sql(&sql, catalog.clone()).await?;
    for ((column, _), field) in assignments.iter().zip(plan.schema().fields()) {
        let Ok(stored) = target.schema.field_with_name(column) else {
            return Err(refused(
                "COLUMN_NOT_FOUND",
                format!(
                    "Column '{column}' does not exist in table '{}'",
                    target.name
                ),
            ));
        };
        check_assignable(column, field.data_type(), stored.data_type())?;
    }
    Ok(())
}
