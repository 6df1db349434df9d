//! Names that stand more than once in the list of an answer, which DataFusion does not take.
//!
//! Only the list of the whole statement may have them: each further one gets a name of its own, which is taken off where
//! the rows are shown.

use std::collections::HashSet;

use datafusion::sql::sqlparser::ast::{Expr, OrderByKind, Query, SelectItem, SetExpr};

use crate::rewrite::ident;

const AGAIN: &str = "__again_";

/// The name as it is shown.
pub(crate) fn shown(name: &str) -> &str {
    let rest = name.strip_prefix(AGAIN);
    rest.and_then(|rest| rest.split_once(':'))
        .map_or(name, |(_, shown)| shown)
}

/// A name that is shown as another and stands once.
pub(crate) fn named_apart(place: usize, name: &str) -> String {
    format!("{AGAIN}{place}:{name}")
}

/// Gives the names.
pub(crate) fn named(query: &mut Query) {
    let ordered = ordered(query);
    let SetExpr::Select(select) = query.body.as_mut() else {
        return;
    };
    let mut known = HashSet::new();
    let mut starred = false;
    for (place, item) in select.projection.iter_mut().enumerate() {
        let (expr, name) = match &*item {
            SelectItem::ExprWithAlias { expr, alias } => (expr, alias),
            SelectItem::UnnamedExpr(expr @ Expr::Identifier(name)) => (expr, name),
            SelectItem::UnnamedExpr(expr @ Expr::CompoundIdentifier(parts)) => match parts.last() {
                Some(name) => (expr, name),
                None => continue,
            },
            SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..) => {
                starred = true;
                continue;
            }
            _ => continue,
        };
        let lower = name.value.to_lowercase();
        // Behind a star a name may be one of its columns.
        let column = matches!(item, SelectItem::UnnamedExpr(_));
        // What is ordered by such a name is ambiguous, and refused as that.
        if (!known.insert(lower.clone()) || starred && column) && !ordered.contains(&lower) {
            let alias = ident(&named_apart(place, &name.value));
            *item = SelectItem::ExprWithAlias {
                expr: expr.clone(),
                alias,
            };
        }
    }
}

/// The bare names that the answer is ordered by.
fn ordered(query: &Query) -> HashSet<String> {
    let Some(OrderByKind::Expressions(by)) = query.order_by.as_ref().map(|by| &by.kind) else {
        return HashSet::new();
    };
    by.iter()
        .filter_map(|by| match &by.expr {
            Expr::Identifier(name) => Some(name.value.to_lowercase()),
            _ => None,
        })
        .collect()
}
