//! The values that the rows outside of a subquery differ in.

use datafusion::{
    common::{
        Column, JoinType, NullEquality, Result, not_impl_err,
        tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    },
    logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Volatility, lit},
};

use super::Names;

/// Each combination of them once.
pub(super) struct Domain<'a> {
    pub(super) names: &'a Names,
    /// The combinations as rows; nothing where the subquery asks about no column of the rows outside.
    pub(super) rows: Option<LogicalPlan>,
    /// Columns of the rows outside, and what they are called here.
    pub(super) columns: Vec<(Column, String)>,
}

impl<'a> Domain<'a> {
    /// Of the columns of `outside` among `asked`, and of some further ones.
    ///
    /// # Errors
    /// When the rows outside might be others when they are read twice.
    pub(super) fn of(
        outside: &LogicalPlan,
        asked: &[Column],
        further: Vec<Column>,
        names: &'a Names,
    ) -> Result<Self> {
        let own = asked
            .iter()
            .filter(|column| outside.schema().has_column(column));
        let mut columns: Vec<(Column, String)> = Vec::new();
        for column in own.cloned().chain(further) {
            if columns.iter().all(|(known, _)| *known != column) {
                columns.push((column, names.next("outer")));
            }
        }
        if columns.is_empty() {
            return Ok(Self {
                names,
                rows: None,
                columns,
            });
        }
        refuse_unstable(outside)?;
        let told = columns
            .iter()
            .map(|(column, name)| Expr::Column(column.clone()).alias(name));
        let rows = LogicalPlanBuilder::from(outside.clone())
            .project(told)?
            .distinct()?
            .build()?;
        Ok(Self {
            names,
            rows: Some(rows),
            columns,
        })
    }

    /// Its columns.
    pub(super) fn expressions(&self) -> Vec<Expr> {
        self.keys().into_iter().map(Expr::Column).collect()
    }

    pub(super) fn keys(&self) -> Vec<Column> {
        self.columns
            .iter()
            .map(|(_, name)| Column::new_unqualified(name))
            .collect()
    }

    /// An expression of the subquery: what it asks about the rows outside is asked of the domain.
    pub(super) fn inside(&self, expr: Expr) -> Result<Expr> {
        expr.transform(|expr| match &expr {
            Expr::OuterReferenceColumn(_, column) => {
                let known = self.columns.iter().find(|(known, _)| known == column);
                Ok(match known {
                    Some((_, name)) => {
                        Transformed::yes(Expr::Column(Column::new_unqualified(name)))
                    }
                    None => Transformed::no(expr),
                })
            }
            _ => Ok(Transformed::no(expr)),
        })
        .map(|transformed| transformed.data)
    }

    /// Whether a plan asks about the domain.
    pub(super) fn is_asked(&self, plan: &LogicalPlan) -> Result<bool> {
        let asked = asked_outside(plan)?;
        Ok(self
            .columns
            .iter()
            .any(|(column, _)| asked.contains(column)))
    }

    /// The rows outside with what was told for their values.
    pub(super) fn join(
        &self,
        outside: LogicalPlan,
        told: LogicalPlan,
        kind: JoinType,
        condition: Option<Expr>,
    ) -> Result<LogicalPlanBuilder> {
        let outside = LogicalPlanBuilder::from(outside);
        if self.columns.is_empty() {
            return outside.join_on(told, kind, [condition.unwrap_or_else(|| lit(true))]);
        }
        let keys = (
            self.columns
                .iter()
                .map(|(column, _)| column.clone())
                .collect(),
            self.keys(),
        );
        outside.join_detailed(told, kind, keys, condition, NullEquality::NullEqualsNull)
    }
}

/// The columns of rows outside that a plan asks about.
pub(super) fn asked_outside(plan: &LogicalPlan) -> Result<Vec<Column>> {
    let mut found: Vec<Column> = Vec::new();
    plan.apply(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                if let Expr::OuterReferenceColumn(_, column) = expr
                    && !found.contains(column)
                {
                    found.push(column.clone());
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(found)
}

/// Rows that are read twice have to be the same both times.
///
/// # Errors
/// For rows that are random, or some of a table's.
pub(super) fn refuse_unstable(plan: &LogicalPlan) -> Result<()> {
    let reads =
        |plan: &LogicalPlan| plan.exists(|node| Ok(matches!(node, LogicalPlan::TableScan(_))));
    let unstable = plan.exists(|node| {
        let mut random = false;
        node.apply_expressions(|expr| {
            random |= expr.exists(|expr| Ok(is_random(expr)))?;
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(random || matches!(node, LogicalPlan::Limit(_)) && reads(node)?)
    })?;
    if unstable {
        return not_impl_err!(
            "such a subquery is not supported over rows outside that are random or limited: leave out random() and LIMIT there, or keep those rows in a table first"
        );
    }
    Ok(())
}

/// What hides a constant from the optimizer is called volatile too.
fn is_random(expr: &Expr) -> bool {
    matches!(expr, Expr::ScalarFunction(call)
        if call.func.signature().volatility == Volatility::Volatile && call.name() != "trino_opaque")
}
