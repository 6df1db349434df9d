//! Groups that DataFusion would leave out.
//!
//! Where a column is the key of one of the tables that are joined, DataFusion holds that a grouping by it and by columns of
//! another table is determined by it alone, and drops the others once they are not shown. What it knows of keys is kept
//! from it below such a grouping.

use std::sync::Arc;

use datafusion::{
    common::{Result, config::ConfigOptions, tree_node::Transformed},
    logical_expr::{
        Aggregate, Expr, LogicalPlan, LogicalPlanBuilder, expr::ScalarFunction,
        logical_plan::Distinct,
    },
    optimizer::AnalyzerRule,
};

use crate::functions;

/// The rule; it stands behind all that changes the shape of a plan.
#[derive(Debug)]
pub(crate) struct WholeGroups;

impl AnalyzerRule for WholeGroups {
    fn name(&self) -> &'static str {
        "trino_whole_groups"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(|node| match node {
            LogicalPlan::Aggregate(aggregate) => {
                let by = columns(&aggregate.input, &aggregate.group_expr);
                let Some(input) = without_keys(&aggregate.input, &by, aggregate.group_expr.len())?
                else {
                    return Ok(Transformed::no(LogicalPlan::Aggregate(aggregate)));
                };
                let Aggregate {
                    group_expr,
                    aggr_expr,
                    ..
                } = aggregate;
                let plan = Aggregate::try_new(Arc::new(input), group_expr, aggr_expr)?;
                Ok(Transformed::yes(LogicalPlan::Aggregate(plan)))
            }
            // What is distinct is grouped by all of it, of which the keys are told as soon as it is written so.
            LogicalPlan::Distinct(Distinct::All(input)) => {
                let all: Vec<usize> = (0..input.schema().fields().len()).collect();
                let input = match without_keys(&input, &all, all.len())? {
                    Some(input) => input,
                    None => Arc::unwrap_or_clone(input),
                };
                let by: Vec<Expr> = input
                    .schema()
                    .columns()
                    .into_iter()
                    .map(Expr::Column)
                    .collect();
                LogicalPlanBuilder::from(input)
                    .aggregate(by, Vec::<Expr>::new())?
                    .build()
                    .map(Transformed::yes)
            }
            // What lies below may tell more keys by now.
            node @ (LogicalPlan::Projection(_)
            | LogicalPlan::SubqueryAlias(_)
            | LogicalPlan::Window(_)
            | LogicalPlan::Join(_)) => node.recompute_schema().map(Transformed::yes),
            other => Ok(Transformed::no(other)),
        })
        .map(|transformed| transformed.data)
    }
}

/// The places of the columns that are grouped by.
fn columns(input: &LogicalPlan, by: &[Expr]) -> Vec<usize> {
    by.iter()
        .filter_map(|expr| match expr {
            Expr::Column(column) => input.schema().maybe_index_of_column(column),
            _ => None,
        })
        .collect()
}

/// The same rows without what is known of the keys that are among `by`, if they do not determine all of the groups.
fn without_keys(input: &LogicalPlan, by: &[usize], groups: usize) -> Result<Option<LogicalPlan>> {
    let mut hidden: Vec<usize> = Vec::new();
    for known in input.schema().functional_dependencies().iter() {
        let key = &known.source_indices;
        let determined = by
            .iter()
            .filter(|place| key.contains(place) || known.target_indices.contains(place));
        if let Some(first) = key.first()
            && key.iter().all(|place| by.contains(place))
            && determined.count() < groups
        {
            hidden.push(*first);
        }
    }
    if hidden.is_empty() {
        return Ok(None);
    }
    let columns = input
        .schema()
        .iter()
        .enumerate()
        .map(|(place, (relation, field))| {
            let column = Expr::Column(datafusion::common::Column::new(
                relation.cloned(),
                field.name(),
            ));
            if hidden.contains(&place) {
                let same = ScalarFunction::new_udf(functions::same(), vec![column]);
                Expr::ScalarFunction(same).alias_qualified(relation.cloned(), field.name())
            } else {
                column
            }
        });
    let plan = LogicalPlanBuilder::from(input.clone())
        .project(columns.collect::<Vec<_>>())?
        .build()?;
    Ok(Some(plan))
}
