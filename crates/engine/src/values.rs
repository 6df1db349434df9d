//! VALUES whose rows are rows with types: each is its columns, not one column that is a row.

use datafusion::sql::sqlparser::ast::{
    DataType, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Query, SetExpr,
};

use crate::rewrite::cast;

/// What a `ROW(CAST(…), …)` of VALUES is called until it is its columns.
pub(crate) const ROW: &str = "trino_values_row";

/// `VALUES CAST(ROW(1, 2) AS row(a integer, b double))` has two columns.
pub(crate) fn typed(query: &mut Query) {
    let SetExpr::Values(values) = query.body.as_mut() else {
        return;
    };
    for row in &mut values.rows {
        if let [one] = row.content.as_slice()
            && is_columns(one)
            && let Some(items) = items(one)
        {
            row.content = items;
            continue;
        }
        let [
            Expr::Cast {
                expr, data_type, ..
            },
        ] = row.content.as_slice()
        else {
            continue;
        };
        let DataType::Struct(fields, _) = data_type else {
            continue;
        };
        let Some(items) = items(expr) else { continue };
        if items.len() == fields.len() {
            let typed = items.into_iter().zip(fields);
            row.content = typed
                .map(|(item, field)| cast(item, field.field_type.clone()))
                .collect();
        }
    }
}

/// Whether one value stands for the columns of its row.
fn is_columns(expr: &Expr) -> bool {
    match expr {
        Expr::Tuple(_) => true,
        Expr::Nested(inner) => is_columns(inner),
        Expr::Function(call) => call.name.to_string() == ROW,
        _ => false,
    }
}

/// The values of a row that is written out.
fn items(expr: &Expr) -> Option<Vec<Expr>> {
    match expr {
        Expr::Tuple(items) => Some(items.clone()),
        Expr::Nested(inner) => items(inner),
        Expr::Function(call)
            if [ROW, "row"].contains(&call.name.to_string().to_lowercase().as_str()) =>
        {
            let FunctionArguments::List(list) = &call.args else {
                return None;
            };
            list.args
                .iter()
                .map(|arg| match arg {
                    FunctionArg::Unnamed(FunctionArgExpr::Expr(item)) => Some(item.clone()),
                    _ => None,
                })
                .collect()
        }
        _ => None,
    }
}
