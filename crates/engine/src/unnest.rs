//! `UNNEST` of arrays and maps, beside the rows that they come from.
//!
//! All arguments become one list of rows (`trino_unnest`), filled up with NULL to the longest, with the ordinal number as
//! last field; that list is unnested and its fields are the columns. What asks about the row to its left is planned as
//! a lateral join, which becomes the same with the list computed beside that row.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::{
    common::{
        Column, Result, ScalarValue,
        config::ConfigOptions,
        plan_err,
        tree_node::{Transformed, TreeNode},
    },
    execution::{FunctionRegistry, SessionState},
    logical_expr::{
        Expr, ExprSchemable, JoinType, LogicalPlan, LogicalPlanBuilder, ScalarUDF,
        expr::ScalarFunction,
        planner::{PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning},
    },
    optimizer::AnalyzerRule,
    sql::sqlparser::ast::TableFactor,
};

use crate::{aliases, functions::spread, shapes};

/// The list that is unnested.
const LIST: &str = "__unnested";

/// Plans `UNNEST(…) [WITH ORDINALITY]`.
#[derive(Debug)]
pub(crate) struct Unnests;

impl RelationPlanner for Unnests {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        if let Some(plan) = aliases::planned(&relation, context)? {
            return Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(
                plan, None,
            ))));
        }
        if let TableFactor::NestedJoin {
            table_with_joins,
            alias: None,
        } = &relation
            && let Some(plan) = shapes::using(table_with_joins, context)?
        {
            return Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(
                plan, None,
            ))));
        }
        let TableFactor::UNNEST {
            alias,
            array_exprs,
            with_offset: false,
            with_offset_alias: None,
            with_ordinality,
        } = relation
        else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        let input = LogicalPlanBuilder::empty(true).build()?;
        let arguments = array_exprs
            .into_iter()
            .map(|expr| context.sql_to_expr(expr, input.schema()))
            .collect::<Result<Vec<_>>>()?;
        let list = called(arguments, with_ordinality, false);
        let plan = unnested(input, list, Vec::new(), None)?;
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(
            plan, alias,
        ))))
    }
}

fn called(mut arguments: Vec<Expr>, ordinality: bool, outer: bool) -> Expr {
    arguments.insert(0, Expr::Literal(ScalarValue::Boolean(Some(outer)), None));
    arguments.insert(
        0,
        Expr::Literal(ScalarValue::Boolean(Some(ordinality)), None),
    );
    Expr::ScalarFunction(ScalarFunction::new_udf(function(), arguments))
}

fn function() -> Arc<ScalarUDF> {
    static FUNCTION: std::sync::LazyLock<Arc<ScalarUDF>> =
        std::sync::LazyLock::new(|| Arc::new(spread::function()));
    Arc::clone(&FUNCTION)
}

/// The columns kept, then the fields of the list's rows, called `names` or by their place.
fn unnested(
    input: LogicalPlan,
    list: Expr,
    kept: Vec<Expr>,
    names: Option<Vec<(Option<datafusion::common::TableReference>, String)>>,
) -> Result<LogicalPlan> {
    let DataType::List(field) = list.get_type(input.schema())? else {
        return plan_err!("cannot coerce the arguments of UNNEST");
    };
    let DataType::Struct(fields) = field.data_type().clone() else {
        return plan_err!("cannot coerce the arguments of UNNEST");
    };
    let mut columns = kept.clone();
    columns.push(list.alias(LIST));
    let plan = LogicalPlanBuilder::from(input)
        .project(columns)?
        .unnest_column(LIST)?;
    let row = Expr::Column(Column::new_unqualified(LIST));
    let mut all = kept;
    for (index, field) in fields.iter().enumerate() {
        let name = Expr::Literal(ScalarValue::Utf8(Some(field.name().clone())), None);
        let cell = Expr::ScalarFunction(ScalarFunction::new_udf(
            spread::field(),
            vec![row.clone(), name],
        ));
        all.push(match &names {
            Some(names) => match names.get(index) {
                Some((relation, name)) => cell.alias_qualified(relation.clone(), name.clone()),
                None => {
                    return plan_err!(
                        "UNNEST gives {} columns, {} are named",
                        fields.len(),
                        names.len()
                    );
                }
            },
            None => cell.alias(field.name()),
        });
    }
    plan.project(all)?.build()
}

/// Turns a lateral join with an unnested list into a list beside its row.
#[derive(Debug)]
pub(crate) struct BesideItsRow;

impl AnalyzerRule for BesideItsRow {
    fn name(&self) -> &'static str {
        "unnest_beside_its_row"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(|plan| {
            let LogicalPlan::Join(join) = &plan else { return Ok(Transformed::no(plan)) };
            let Some(arguments) = lateral(&join.right) else { return Ok(Transformed::no(plan)) };
            let always = join.filter.as_ref().is_none_or(|filter| matches!(filter, Expr::Literal(ScalarValue::Boolean(Some(true)), _)));
            if !always || !join.on.is_empty() || !matches!(join.join_type, JoinType::Inner | JoinType::Left) {
                return plan_err!("a join with UNNEST is only supported with the condition ON TRUE, as CROSS, INNER or LEFT JOIN");
            }
            let left = Arc::unwrap_or_clone(Arc::clone(&join.left));
            let kept: Vec<Expr> = left.schema().columns().into_iter().map(Expr::Column).collect();
            let names = join.right.schema().iter().map(|(relation, field)| (relation.cloned(), field.name().clone())).collect();
            let ordinality = matches!(arguments.first(), Some(Expr::Literal(ScalarValue::Boolean(Some(true)), _)));
            let arguments = arguments.into_iter().skip(2).map(|argument| beside(argument, &left)).collect::<Result<Vec<_>>>()?;
            let list = called(arguments, ordinality, join.join_type == JoinType::Left);
            unnested(left, list, kept, Some(names)).map(Transformed::yes)
        })
        .map(|transformed| transformed.data)
    }
}

/// A column of the row outside becomes one of the row itself; one of a row further out is left.
fn beside(expr: Expr, row: &LogicalPlan) -> Result<Expr> {
    expr.transform(|expr| match expr {
        Expr::OuterReferenceColumn(_, column) if row.schema().has_column(&column) => {
            Ok(Transformed::yes(Expr::Column(column)))
        }
        other => Ok(Transformed::no(other)),
    })
    .map(|transformed| transformed.data)
}

/// The arguments of the list function, where a plan is nothing but an unnested list that asks about a row outside.
fn lateral(plan: &LogicalPlan) -> Option<Vec<Expr>> {
    match plan {
        LogicalPlan::SubqueryAlias(alias) => lateral(&alias.input),
        LogicalPlan::Subquery(subquery) => spreads(&subquery.subquery),
        LogicalPlan::Projection(projection)
            if projection
                .expr
                .iter()
                .all(|expr| matches!(expr, Expr::Column(_) | Expr::Alias(_))) =>
        {
            lateral(&projection.input)
        }
        _ => None,
    }
}

fn spreads(plan: &LogicalPlan) -> Option<Vec<Expr>> {
    match plan {
        LogicalPlan::SubqueryAlias(alias) => spreads(&alias.input),
        LogicalPlan::Unnest(unnest) => spreads(&unnest.input),
        LogicalPlan::Projection(projection) => match projection.expr.as_slice() {
            [Expr::Alias(alias)] if alias.name == LIST => match alias.expr.as_ref() {
                Expr::ScalarFunction(function) => Some(function.args.clone()),
                _ => None,
            },
            _ => spreads(&projection.input),
        },
        _ => None,
    }
}

/// Puts the planner and its function into a session.
pub(crate) fn register(state: &mut SessionState) -> Result<()> {
    state.register_udf(function())?;
    Ok(())
}
