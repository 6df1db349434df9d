//! Shapes of queries that DataFusion plans with another meaning: set operations that count copies, and USING.

use datafusion::{
    common::{
        Column, JoinType, NullEquality, Result, config::ConfigOptions, plan_err,
        tree_node::Transformed,
    },
    functions_window::expr_fn::row_number,
    logical_expr::{
        Expr, ExprFunctionExt, Join, LogicalPlan, LogicalPlanBuilder,
        planner::RelationPlannerContext,
    },
    optimizer::AnalyzerRule,
    sql::sqlparser::ast::{JoinConstraint, JoinOperator, ObjectName, TableFactor, TableWithJoins},
};

/// The number of a row among those that are equal to it.
const COPY: &str = "__copy";

/// `EXCEPT ALL` and `INTERSECT ALL` by copies.
#[derive(Debug)]
pub(crate) struct Shapes;

impl AnalyzerRule for Shapes {
    fn name(&self) -> &'static str {
        "trino_shapes"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(|plan| {
            let LogicalPlan::Join(join) = &plan else {
                return Ok(Transformed::no(plan));
            };
            if counts_copies(join) {
                return by_copies(join).map(Transformed::yes);
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
