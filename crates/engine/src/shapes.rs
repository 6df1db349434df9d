//! Shapes of queries that DataFusion plans with another meaning: set operations that count copies, USING, and lateral
//! groups that cannot be taken apart rightly, which are refused.

use std::sync::Arc;

use datafusion::{
    common::{
        Column, JoinType, NullEquality, Result, ScalarValue,
        config::ConfigOptions,
        not_impl_err, plan_err,
        tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    },
    functions_window::expr_fn::row_number,
    logical_expr::{
        Aggregate, BinaryExpr, Expr, ExprFunctionExt, Filter, Join, LogicalPlan,
        LogicalPlanBuilder, Operator, Projection, planner::RelationPlannerContext,
        utils::split_conjunction,
    },
    optimizer::AnalyzerRule,
    sql::sqlparser::ast::{JoinConstraint, JoinOperator, ObjectName, TableFactor, TableWithJoins},
};

/// The number of a row among those that are equal to it.
const COPY: &str = "__copy";

/// `EXCEPT ALL` and `INTERSECT ALL` by copies; lateral groups as far as they are right.
#[derive(Debug)]
pub(crate) struct Shapes;

impl AnalyzerRule for Shapes {
    fn name(&self) -> &'static str {
        "trino_shapes"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(|plan| {
            let LogicalPlan::Join(join) = &plan else { return Ok(Transformed::no(plan)) };
            if counts_copies(join) {
                return by_copies(join).map(Transformed::yes);
            }
            if lateral_groups(&join.right)? {
                if let Some(plan) = beside_their_row(join)? {
                    return Ok(Transformed::yes(plan));
                }
                return not_impl_err!("a lateral subquery that groups rows which it compares with the row outside by more than equality is not supported");
            }
            Ok(Transformed::no(plan))
        })
        .map(|transformed| transformed.data)
    }
}

/// Whether a join stands for a set operation with ALL: the one without it has made the left side distinct.
fn counts_copies(join: &Join) -> bool {
    matches!(join.join_type, JoinType::LeftSemi | JoinType::LeftAnti)
        && join.null_equality == NullEquality::NullEqualsNull
        && join.filter.is_none()
        && !matches!(join.left.as_ref(), LogicalPlan::Distinct(_))
}

/// The same join on the columns and on which copy of a row it is.
fn by_copies(join: &Join) -> Result<LogicalPlan> {
    let numbered = |plan: &LogicalPlan| {
        let columns = plan
            .schema()
            .columns()
            .into_iter()
            .map(Expr::Column)
            .collect();
        let copy = row_number().partition_by(columns).build()?.alias(COPY);
        let name = copy.schema_name().to_string();
        let plan = LogicalPlanBuilder::from(plan.clone())
            .window(vec![copy])?
            .build()?;
        Ok::<_, datafusion::common::DataFusionError>((plan, name))
    };
    let (left, left_copy) = numbered(&join.left)?;
    let (right, right_copy) = numbered(&join.right)?;
    let kept: Vec<Expr> = join
        .left
        .schema()
        .columns()
        .into_iter()
        .map(Expr::Column)
        .collect();
    let side = |plan: &LogicalPlan, copy: &str| {
        let mut columns = plan.schema().columns();
        columns.retain(|column| column.name != copy);
        columns.push(Column::new_unqualified(copy));
        columns
    };
    let keys = (side(&left, &left_copy), side(&right, &right_copy));
    LogicalPlanBuilder::from(left)
        .join_detailed(
            right,
            join.join_type,
            keys,
            None,
            NullEquality::NullEqualsNull,
        )?
        .project(kept)?
        .build()
}

/// The number of a row to the left of a lateral join.
const ROW: &str = "__row";
/// The same number beside what was grouped for it.
const GROUP: &str = "__of";

/// A lateral grouping as a grouping by the row outside too: rows are joined by what they are asked, grouped for each row
/// outside, and joined to it again. Nothing where the subquery has another shape.
fn beside_their_row(join: &Join) -> Result<Option<LogicalPlan>> {
    let always = join
        .filter
        .as_ref()
        .is_none_or(|filter| matches!(filter, Expr::Literal(ScalarValue::Boolean(Some(true)), _)));
    if !always || !join.on.is_empty() || !matches!(join.join_type, JoinType::Inner | JoinType::Left)
    {
        return Ok(None);
    }
    let Some((projection, aggregate, filter)) = grouped(&join.right) else {
        return Ok(None);
    };
    let outside = |plan: &LogicalPlan| plan.contains_outer_reference();
    let projected = projection.expr.iter().any(|expr| expr.contains_outer());
    let grouped_outer = aggregate
        .group_expr
        .iter()
        .chain(&aggregate.aggr_expr)
        .any(|expr| expr.contains_outer());
    if outside(&filter.input) || projected || grouped_outer {
        return Ok(None);
    }
    let left = LogicalPlanBuilder::from(Arc::unwrap_or_clone(Arc::clone(&join.left)))
        .window(vec![row_number().alias(ROW)])?
        .build()?;
    let kept: Vec<Expr> = join
        .left
        .schema()
        .columns()
        .into_iter()
        .map(Expr::Column)
        .collect();
    // The rows outside twice: to be grouped by, and to be joined to.
    let asked = LogicalPlanBuilder::from(left.clone());
    let condition = filter
        .predicate
        .clone()
        .transform(|expr| match expr {
            Expr::OuterReferenceColumn(_, column) => Ok(Transformed::yes(Expr::Column(column))),
            other => Ok(Transformed::no(other)),
        })?
        .data;
    let mut by = vec![Expr::Column(Column::new_unqualified(ROW))];
    by.extend(aggregate.group_expr.iter().cloned());
    let mut told = vec![Expr::Column(Column::new_unqualified(ROW)).alias(GROUP)];
    let names: Vec<String> = (0..projection.expr.len())
        .map(|index| format!("__told{index}"))
        .collect();
    told.extend(
        projection
            .expr
            .iter()
            .zip(&names)
            .map(|(expr, name)| expr.clone().unalias().alias(name)),
    );
    let groups = asked
        .join_on(
            Arc::unwrap_or_clone(Arc::clone(&filter.input)),
            JoinType::Inner,
            [condition],
        )?
        .aggregate(by, aggregate.aggr_expr.clone())?
        .project(told)?
        .alias("__groups")?
        .build()?;
    let mut columns = kept;
    for (name, (relation, field)) in names.iter().zip(join.right.schema().iter()) {
        columns.push(
            Expr::Column(Column::new(Some("__groups"), name))
                .alias_qualified(relation.cloned(), field.name()),
        );
    }
    let number = Expr::Column(Column::new_unqualified(ROW));
    let group = Expr::Column(Column::new(Some("__groups"), GROUP));
    let plan = LogicalPlanBuilder::from(left)
        .join_on(groups, join.join_type, [number.eq(group)])?
        .project(columns)?
        .build()?;
    Ok(Some(plan))
}

/// The parts of `SELECT … FROM … WHERE … GROUP BY …` to the right of a lateral join.
fn grouped(plan: &LogicalPlan) -> Option<(&Projection, &Aggregate, &Filter)> {
    match plan {
        LogicalPlan::SubqueryAlias(alias) => grouped(&alias.input),
        LogicalPlan::Subquery(subquery) => grouped(&subquery.subquery),
        LogicalPlan::Projection(projection) => match projection.input.as_ref() {
            LogicalPlan::Aggregate(aggregate) => match aggregate.input.as_ref() {
                LogicalPlan::Filter(filter) => Some((projection, aggregate, filter)),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

/// Whether the right side asks about the row outside by more than equality, below a grouping.
fn lateral_groups(plan: &LogicalPlan) -> Result<bool> {
    let subquery = match plan {
        LogicalPlan::SubqueryAlias(alias) => return lateral_groups(&alias.input),
        LogicalPlan::Subquery(subquery) => &subquery.subquery,
        _ => return Ok(false),
    };
    let mut found = false;
    subquery.apply(|node| {
        let groups = matches!(node, LogicalPlan::Distinct(_)) || matches!(node, LogicalPlan::Aggregate(aggregate) if !aggregate.group_expr.is_empty());
        if groups && asks_unevenly(node)? {
            found = true;
            return Ok(TreeNodeRecursion::Stop);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

fn asks_unevenly(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply(|node| {
        if let LogicalPlan::Filter(filter) = node {
            found |= split_conjunction(&filter.predicate)
                .into_iter()
                .any(|part| {
                    part.contains_outer()
                        && !matches!(
                            part,
                            Expr::BinaryExpr(BinaryExpr {
                                op: Operator::Eq,
                                ..
                            })
                        )
                });
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

/// A join with USING, its keys first and once: of the side that keeps its rows, of either where both do.
pub(crate) fn using(
    joined: &TableWithJoins,
    context: &mut dyn RelationPlannerContext,
) -> Result<Option<LogicalPlan>> {
    let [join] = joined.joins.as_slice() else {
        return Ok(None);
    };
    let Some((kind, names)) = keys(&join.join_operator) else {
        return Ok(None);
    };
    if matches!(
        &join.relation,
        TableFactor::UNNEST { .. } | TableFactor::Derived { lateral: true, .. }
    ) {
        return Ok(None);
    }
    let names: Vec<String> = names
        .iter()
        .filter_map(|name| name.0.last()?.as_ident().cloned())
        .map(|ident| context.normalize_ident(ident))
        .collect();
    if names
        .iter()
        .enumerate()
        .any(|(index, name)| names[..index].contains(name))
    {
        return plan_err!("Column in USING clause is repeated: {}", names.join(", "));
    }
    let left = context.plan(joined.relation.clone())?;
    let right = context.plan(join.relation.clone())?;
    let found = |plan: &LogicalPlan, name: &str| -> Result<Expr> {
        let (qualifier, field) = plan.schema().qualified_field_with_unqualified_name(name)?;
        Ok(Expr::Column(Column::new(qualifier.cloned(), field.name())))
    };
    let mut columns = Vec::new();
    for name in &names {
        let (one, other) = (found(&left, name)?, found(&right, name)?);
        let key = match kind {
            JoinType::Right => other,
            JoinType::Full => datafusion::functions::expr_fn::coalesce(vec![one, other]),
            _ => one,
        };
        columns.push(key.alias(name));
    }
    for plan in [&left, &right] {
        columns.extend(
            plan.schema()
                .columns()
                .into_iter()
                .filter(|column| !names.contains(&column.name))
                .map(Expr::Column),
        );
    }
    let keys = names.iter().map(Column::new_unqualified).collect();
    let plan = LogicalPlanBuilder::from(left)
        .join_using(right, kind, keys)?
        .project(columns)?
        .build()?;
    Ok(Some(plan))
}

fn keys(operator: &JoinOperator) -> Option<(JoinType, &[ObjectName])> {
    let (kind, constraint) = match operator {
        JoinOperator::Join(constraint) | JoinOperator::Inner(constraint) => {
            (JoinType::Inner, constraint)
        }
        JoinOperator::Left(constraint) | JoinOperator::LeftOuter(constraint) => {
            (JoinType::Left, constraint)
        }
        JoinOperator::Right(constraint) | JoinOperator::RightOuter(constraint) => {
            (JoinType::Right, constraint)
        }
        JoinOperator::FullOuter(constraint) => (JoinType::Full, constraint),
        _ => return None,
    };
    match constraint {
        JoinConstraint::Using(names) => Some((kind, names)),
        _ => None,
    }
}

/// Puts joins with USING into parentheses, each alone with what stands to its left, so that they are planned here.
pub(crate) fn apart(from: &mut TableWithJoins) {
    let Some(last) = from
        .joins
        .iter()
        .rposition(|join| keys(&join.join_operator).is_some())
    else {
        return;
    };
    let rest = from.joins.split_off(last + 1);
    for join in std::mem::take(&mut from.joins) {
        let relation = from.relation.clone();
        from.relation = TableFactor::NestedJoin {
            table_with_joins: Box::new(TableWithJoins {
                relation,
                joins: vec![join],
            }),
            alias: None,
        };
    }
    from.joins = rest;
}
