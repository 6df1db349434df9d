//! Subqueries that ask about the row outside of them.
//!
//! DataFusion takes a few shapes of them apart, which stay its own ([`plain`]). All others, wherever they stand, are
//! answered in one way: the values that the rows outside differ in are taken once each (the [`Domain`]), the subquery is
//! asked for all of them together ([`push`]), and what it says is joined to the rows outside by those values. NULL is one
//! such value and equal to itself there; rows outside that are alike get the same answer; a row outside for which the
//! subquery has no row stays.

use std::cell::Cell;

use datafusion::{
    common::{
        Column, JoinType, NullEquality, Result, ScalarValue,
        config::ConfigOptions,
        not_impl_err,
        tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    },
    logical_expr::{
        Expr, Join, LogicalPlan, LogicalPlanBuilder, Subquery, expr_rewriter::NamePreserver, lit,
    },
    optimizer::AnalyzerRule,
};

mod beside;
mod domain;
mod plain;
mod push;

use beside::Beside;
use domain::{Domain, asked_outside};

/// The rule: it stands before all that looks at types, and after what changes shapes.
#[derive(Debug)]
pub(crate) struct Decorrelated;

impl AnalyzerRule for Decorrelated {
    fn name(&self) -> &'static str {
        "trino_decorrelated"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let names = Names::default();
        plan.transform_up_with_subqueries(|node| taken_apart(node, &names))
            .map(|transformed| transformed.data)
    }
}

/// Names that nobody else gives.
#[derive(Debug, Default)]
pub(crate) struct Names(Cell<usize>);

impl Names {
    fn next(&self, what: &str) -> String {
        self.0.set(self.0.get() + 1);
        format!("__{what}_{}", self.0.get())
    }
}

/// One node of a plan; subqueries inside of its subqueries have been taken apart before.
fn taken_apart(node: LogicalPlan, names: &Names) -> Result<Transformed<LogicalPlan>> {
    if let LogicalPlan::Join(join) = &node
        && is_lateral(&join.right)
        && !asked_outside(&join.right)?.is_empty()
    {
        return lateral(join, names).map(Transformed::yes);
    }
    if !asks(&node)? {
        return Ok(Transformed::no(node));
    }
    match &node {
        LogicalPlan::Filter(_)
        | LogicalPlan::Projection(_)
        | LogicalPlan::Aggregate(_)
        | LogicalPlan::Window(_)
        | LogicalPlan::Sort(_) => answered(node, names).map(Transformed::yes),
        LogicalPlan::Join(join) => joined(join, names).map(Transformed::yes),
        _ => not_impl_err!(
            "a subquery that asks about the row outside is not supported here: ask it in a SELECT list or in a WHERE"
        ),
    }
}

/// Whether a node has a subquery that DataFusion does not take apart.
fn asks(node: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    let inputs = node.inputs();
    node.apply_expressions(|expr| {
        expr.apply(|expr| {
            if plain::is_subquery(expr) && !plain::is_left(expr, node, &inputs)? {
                found = true;
                return Ok(TreeNodeRecursion::Stop);
            }
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    Ok(found)
}

/// A node over one input: what its subqueries say stands beside the rows of the input.
fn answered(node: LogicalPlan, names: &Names) -> Result<LogicalPlan> {
    let kept: Vec<Expr> = node
        .schema()
        .columns()
        .into_iter()
        .map(Expr::Column)
        .collect();
    let Some(input) = node.inputs().first().map(|input| (*input).clone()) else {
        return Ok(node);
    };
    let mut beside = Beside::new(input, names);
    let preserver = NamePreserver::new(&node);
    let passes = matches!(
        node,
        LogicalPlan::Filter(_) | LogicalPlan::Sort(_) | LogicalPlan::Window(_)
    );
    let shape = node.clone();
    let node = node
        .map_expressions(|expr| {
            let name = preserver.save(&expr);
            let new = expr.transform_up(|expr| beside.answered(expr, &shape))?;
            Ok(new.update_data(|expr| name.restore(expr)))
        })?
        .data;
    let expressions = node.expressions();
    let plan = node.with_new_exprs(expressions, vec![beside.into_plan()])?;
    if passes {
        return LogicalPlanBuilder::from(plan).project(kept)?.build();
    }
    Ok(plan)
}

/// A join whose condition asks: of an inner one it is a WHERE; where a side keeps its rows, the pairs are found first.
fn joined(join: &Join, names: &Names) -> Result<LogicalPlan> {
    let columns = |plan: &LogicalPlan| plan.schema().columns();
    let expressions =
        |columns: Vec<Column>| columns.into_iter().map(Expr::Column).collect::<Vec<_>>();
    let condition = join.filter.clone().unwrap_or_else(|| lit(true));
    let pairs = |left: &LogicalPlan, right: &LogicalPlan| -> Result<LogicalPlan> {
        let all = Join::try_new(
            left.clone().into(),
            right.clone().into(),
            join.on.clone(),
            None,
            JoinType::Inner,
            join.join_constraint,
            join.null_equality,
            false,
        )?;
        let found = LogicalPlanBuilder::from(LogicalPlan::Join(all))
            .filter(condition.clone())?
            .build()?;
        taken_apart(found, names).map(|found| found.data)
    };
    match join.join_type {
        JoinType::Inner => pairs(&join.left, &join.right),
        JoinType::Left | JoinType::Right => {
            let keeps_left = join.join_type == JoinType::Left;
            let (kept, other) = match keeps_left {
                true => (&join.left, &join.right),
                false => (&join.right, &join.left),
            };
            domain::refuse_unstable(kept)?;
            // Each different row that is kept once: its copies find the same.
            let different = LogicalPlanBuilder::from(kept.as_ref().clone())
                .distinct()?
                .build()?;
            let marks: Vec<String> = columns(kept).iter().map(|_| names.next("kept")).collect();
            let found = match keeps_left {
                true => pairs(&different, other)?,
                false => pairs(other, &different)?,
            };
            let mut told: Vec<Expr> = columns(kept)
                .into_iter()
                .zip(&marks)
                .map(|(column, mark)| Expr::Column(column).alias(mark))
                .collect();
            told.extend(expressions(columns(other)));
            let found = LogicalPlanBuilder::from(found).project(told)?.build()?;
            let keys = (
                columns(kept),
                marks
                    .iter()
                    .map(Column::new_unqualified)
                    .collect::<Vec<_>>(),
            );
            LogicalPlanBuilder::from(kept.as_ref().clone())
                .join_detailed(
                    found,
                    JoinType::Left,
                    keys,
                    None,
                    NullEquality::NullEqualsNull,
                )?
                .project(expressions(join.schema.columns()))?
                .build()
        }
        _ => not_impl_err!(
            "a subquery in the condition of this join is not supported: ask it in the WHERE of a subquery that is joined"
        ),
    }
}

/// Whether a plan is one that may ask about the rows to its left.
fn is_lateral(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Subquery(_) => true,
        LogicalPlan::SubqueryAlias(alias) => {
            alias.alias.table() == crate::selected::LATERAL || is_lateral(&alias.input)
        }
        LogicalPlan::Projection(projection) => is_lateral(&projection.input),
        _ => false,
    }
}

/// A lateral join: the right side for all rows of the left side together.
fn lateral(join: &Join, names: &Names) -> Result<LogicalPlan> {
    if !matches!(join.join_type, JoinType::Inner | JoinType::Left) || !join.on.is_empty() {
        return not_impl_err!(
            "LATERAL is supported in CROSS JOIN, INNER JOIN and LEFT JOIN with a condition in ON"
        );
    }
    let domain = Domain::of(&join.left, &asked_outside(&join.right)?, Vec::new(), names)?;
    let right = domain.push(&join.right)?;
    let kept: Vec<Expr> = join
        .schema
        .columns()
        .into_iter()
        .map(Expr::Column)
        .collect();
    let always = join
        .filter
        .as_ref()
        .is_none_or(|filter| matches!(filter, Expr::Literal(ScalarValue::Boolean(Some(true)), _)));
    let condition = (!always).then(|| join.filter.clone()).flatten();
    domain
        .join(join.left.as_ref().clone(), right, join.join_type, condition)?
        .project(kept)?
        .build()
}

/// The plan of a subquery, without what marks it as one.
fn inside(subquery: &Subquery) -> &LogicalPlan {
    match subquery.subquery.as_ref() {
        LogicalPlan::Subquery(inner) => inside(inner),
        plan => plan,
    }
}
