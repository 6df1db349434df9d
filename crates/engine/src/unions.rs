//! The columns of all parts of a union are called as those of its first part, which is what they are called outside: where
//! the optimizer leaves out a part that has no rows, it would take the names of the one that is left.

use datafusion::sql::sqlparser::ast::{Expr, GroupByExpr, Ident, Query, SelectItem, SetExpr};

/// Gives the names.
pub(crate) fn named(query: &mut Query) {
    if let SetExpr::SetOperation { left, right, .. } = query.body.as_mut()
        && let Some(names) = column_names(left)
    {
        name_columns(left, &names);
        name_columns(right, &names);
    }
}

/// What the columns of a set operation are called: as those of its first part, where each of them has a name.
fn column_names(body: &SetExpr) -> Option<Vec<Ident>> {
    match body {
        SetExpr::SetOperation { left, .. } => column_names(left),
        SetExpr::Query(query) => column_names(&query.body),
        SetExpr::Select(select) => select
            .projection
            .iter()
            .map(|item| match item {
                SelectItem::ExprWithAlias { alias, .. } => Some(alias.clone()),
                SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(name.clone()),
                SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => parts.last().cloned(),
                _ => None,
            })
            .collect(),
        _ => None,
    }
}

fn name_columns(body: &mut SetExpr, names: &[Ident]) {
    match body {
        SetExpr::SetOperation { left, right, .. } => {
            name_columns(left, names);
            name_columns(right, names);
        }
        SetExpr::Select(select) => {
            // A name given here could be taken for a column by what groups or filters groups.
            let plain = select.having.is_none()
                && matches!(&select.group_by, GroupByExpr::Expressions(by, _) if by.is_empty());
            let exprs = select.projection.iter().map(|item| match item {
                SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
                    Some(expr.clone())
                }
                _ => None,
            });
            if let Some(exprs) = exprs.collect::<Option<Vec<_>>>()
                && plain
                && exprs.len() == names.len()
            {
                let named = exprs.into_iter().zip(names.iter().cloned());
                select.projection = named
                    .map(|(expr, alias)| SelectItem::ExprWithAlias { expr, alias })
                    .collect();
            }
        }
        _ => {}
    }
}
