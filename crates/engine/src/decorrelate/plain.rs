//! The subqueries that DataFusion takes apart rightly, and at the least cost.

use datafusion::{
    common::{Column, Result},
    logical_expr::{
        BinaryExpr, Expr, ExprSchemable, Filter, LogicalPlan, Operator, utils::split_conjunction,
    },
};

use super::{domain::asked_outside, inside};

pub(super) const fn is_subquery(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::ScalarSubquery(_) | Expr::Exists(_) | Expr::InSubquery(_) | Expr::SetComparison(_)
    )
}

/// Whether a subquery among the expressions of `node` is left to DataFusion.
pub(super) fn is_left(expr: &Expr, node: &LogicalPlan, inputs: &[&LogicalPlan]) -> Result<bool> {
    let filter = matches!(node, LogicalPlan::Filter(_));
    let (subquery, scalar) = match expr {
        Expr::ScalarSubquery(subquery) => (subquery, true),
        Expr::Exists(exists) => (&exists.subquery, false),
        Expr::InSubquery(held) => (&held.subquery, false),
        Expr::SetComparison(compared) => (&compared.subquery, false),
        _ => return Ok(true),
    };
    let plan = inside(subquery);
    let asked = asked_outside(plan)?;
    // Joined as it is, a membership knows match and no match only: right for a row that is to be taken.
    let taken = match (expr, node) {
        (Expr::Exists(_), LogicalPlan::Filter(_)) => true,
        (Expr::InSubquery(held), LogicalPlan::Filter(filter)) => {
            !held.negated
                && split_conjunction(&filter.predicate).contains(&expr)
                && !held.expr.get_type(filter.input.schema())?.is_nested()
        }
        _ => false,
    };
    if asked.is_empty() {
        return Ok(scalar || taken);
    }
    let known = |column: &Column| inputs.iter().any(|input| input.schema().has_column(column));
    if !asked.iter().all(known) {
        return Ok(false);
    }
    Ok(match scalar {
        true => (filter || matches!(node, LogicalPlan::Projection(_))) && groups_all(plan)?,
        false => taken && filters(plan)?,
    })
}

/// `SELECT aggregate FROM … WHERE column = outer column AND …`
fn groups_all(plan: &LogicalPlan) -> Result<bool> {
    match plan {
        LogicalPlan::Projection(projection)
            if !projection.expr.iter().any(Expr::contains_outer) =>
        {
            groups_all(&projection.input)
        }
        LogicalPlan::Aggregate(aggregate)
            if aggregate.group_expr.is_empty()
                && !aggregate.aggr_expr.iter().any(Expr::contains_outer) =>
        {
            match aggregate.input.as_ref() {
                LogicalPlan::Filter(filter) => Ok(equals(filter) && is_closed(&filter.input)?),
                _ => Ok(false),
            }
        }
        _ => Ok(false),
    }
}

/// Whether a WHERE compares the row outside by equality only, a column with a column of the same type.
fn equals(filter: &Filter) -> bool {
    split_conjunction(&filter.predicate)
        .into_iter()
        .filter(|part| part.contains_outer())
        .all(|part| {
            let Expr::BinaryExpr(BinaryExpr {
                left,
                op: Operator::Eq,
                right,
            }) = part
            else {
                return false;
            };
            let (column, field) = match (left.as_ref(), right.as_ref()) {
                (Expr::Column(column), Expr::OuterReferenceColumn(field, _))
                | (Expr::OuterReferenceColumn(field, _), Expr::Column(column)) => (column, field),
                _ => return false,
            };
            let own = Expr::Column(column.clone()).get_type(filter.input.schema());
            own.is_ok_and(|own| own == *field.data_type())
        })
}

/// `SELECT … FROM … WHERE`, which alone asks.
fn filters(plan: &LogicalPlan) -> Result<bool> {
    match plan {
        LogicalPlan::Projection(projection)
            if !projection.expr.iter().any(Expr::contains_outer) =>
        {
            filters(&projection.input)
        }
        LogicalPlan::Filter(filter) => is_closed(&filter.input),
        _ => Ok(false),
    }
}

fn is_closed(plan: &LogicalPlan) -> Result<bool> {
    Ok(asked_outside(plan)?.is_empty())
}
