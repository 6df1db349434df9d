//! Rows that are values, and what is taken out of values: fields and elements.

use datafusion::sql::sqlparser::ast::{AccessExpr, Expr, Query, SelectItem, SetExpr, Subscript};

use crate::written::{call, ident, text};

/// A subquery of several columns that stands for a value gives rows.
pub(crate) fn one_column(query: &mut Query) {
    let SetExpr::Select(select) = query.body.as_mut() else {
        return;
    };
    let items = select.projection.iter().map(|item| match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
            Some(expr.clone())
        }
        _ => None,
    });
    let Some(items) = items.collect::<Option<Vec<_>>>() else {
        return;
    };
    if items.len() > 1 {
        select.projection = vec![SelectItem::ExprWithAlias {
            expr: call("row", items),
            alias: ident("_col0"),
        }];
    }
}

/// `(a, b)` as a value is `row(a, b)`.
pub(crate) fn as_row(expr: Expr) -> Expr {
    match expr {
        Expr::Tuple(items) => call("row", items.into_iter().map(as_row).collect()),
        other => other,
    }
}

/// `a[1].b` as calls; names in front are a column's.
pub(crate) fn accessed(root: &Expr, chain: &[AccessExpr]) -> Option<Expr> {
    let mut rest = chain;
    let mut value = as_row(match root {
        Expr::Nested(inner) => (**inner).clone(),
        other => other.clone(),
    });
    if let Expr::Identifier(_) | Expr::CompoundIdentifier(_) = root {
        let mut parts = match root {
            Expr::Identifier(ident) => vec![ident.clone()],
            Expr::CompoundIdentifier(parts) => parts.clone(),
            _ => Vec::new(),
        };
        while let [AccessExpr::Dot(Expr::Identifier(ident)), after @ ..] = rest {
            parts.push(ident.clone());
            rest = after;
        }
        value = match parts.as_slice() {
            [one] => Expr::Identifier(one.clone()),
            _ => Expr::CompoundIdentifier(parts),
        };
    }
    for access in rest {
        value = match access {
            AccessExpr::Dot(Expr::Identifier(field)) => {
                call("trino_field", vec![value, text(&field.value)])
            }
            AccessExpr::Subscript(Subscript::Index { index }) => {
                call("trino_subscript", vec![value, index.clone()])
            }
            _ => return None,
        };
    }
    Some(value)
}
