//! LATERAL subqueries that would be joined by more than they group by.
//!
//! DataFusion takes the condition that asks about the outer row out of the subquery and groups by its columns too. That
//! gives Trino's rows where the condition is an equality, and other groups where it is not.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Distinct, Expr, GroupByExpr, Select, SetExpr, TableFactor, Visit, Visitor,
};

use crate::rewrite::{call, text};

/// Refuses those among the relations of a SELECT.
pub(crate) fn in_from(select: &mut Select) {
    for from in &mut select.from {
        let joined = from.joins.iter_mut().map(|join| &mut join.relation);
        for relation in std::iter::once(&mut from.relation).chain(joined) {
            if let TableFactor::Derived {
                lateral: true,
                subquery,
                ..
            } = relation
                && let SetExpr::Select(inner) = subquery.body.as_mut()
                && groups(inner)
                && inner.selection.as_ref().is_some_and(compares)
            {
                let what = "LATERAL with GROUP BY or DISTINCT and a condition that is no equality";
                inner.selection = Some(call("not_supported_here", vec![text(what)]));
            }
        }
    }
}

fn groups(select: &Select) -> bool {
    let by = matches!(&select.group_by, GroupByExpr::Expressions(by, _) if !by.is_empty());
    by || matches!(select.distinct, Some(Distinct::Distinct | Distinct::On(_)))
}

/// Whether a condition compares two columns otherwise than by equality.
fn compares(condition: &Expr) -> bool {
    struct Compares;
    impl Visitor for Compares {
        type Break = ();
        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            let column =
                |expr: &Expr| matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_));
            match expr {
                Expr::BinaryOp { left, op, right }
                    if !matches!(op, BinaryOperator::Eq | BinaryOperator::And)
                        && column(left)
                        && column(right) =>
                {
                    ControlFlow::Break(())
                }
                _ => ControlFlow::Continue(()),
            }
        }
    }
    Visit::visit(condition, &mut Compares).is_break()
}
