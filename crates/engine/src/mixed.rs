//! Text mixed with numbers or dates where neither is cast: Athena refuses it, DataFusion would compare texts.
//!
//! Operators are looked at where they are planned; this looks at lists, ranges, CASE, functions that take values of one
//! type, and the parts of a UNION.

use arrow::datatypes::DataType;
use datafusion::{
    common::{
        DFSchema, Result,
        config::ConfigOptions,
        plan_err,
        tree_node::{TreeNode, TreeNodeRecursion},
    },
    logical_expr::{Expr, ExprSchemable, LogicalPlan, utils::merge_schema},
    optimizer::AnalyzerRule,
};

use crate::names::type_name;

/// The rule; it stands before type coercion and changes nothing.
#[derive(Debug)]
pub(crate) struct Unmixed;

impl AnalyzerRule for Unmixed {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan.apply_with_subqueries(|node| {
            parts(node)?;
            let schema = merge_schema(&node.inputs());
            node.apply_expressions(|expr| expr.apply(|expr| within(expr, &schema)))
        })?;
        Ok(plan)
    }

    fn name(&self) -> &'static str {
        "trino_unmixed"
    }
}

fn within(expr: &Expr, schema: &DFSchema) -> Result<TreeNodeRecursion> {
    let (what, values): (&str, Vec<&Expr>) = match expr {
        Expr::InList(list) => (
            "IN",
            std::iter::once(list.expr.as_ref())
                .chain(&list.list)
                .collect(),
        ),
        Expr::Between(between) => ("BETWEEN", vec![&between.expr, &between.low, &between.high]),
        Expr::Case(case) => {
            let then = case.when_then_expr.iter().map(|(_, then)| then.as_ref());
            ("CASE", then.chain(case.else_expr.as_deref()).collect())
        }
        Expr::ScalarFunction(call) if matches!(call.name(), "coalesce" | "nullif") => {
            (call.name(), call.args.iter().collect())
        }
        _ => return Ok(TreeNodeRecursion::Continue),
    };
    let types = values
        .iter()
        .filter_map(|value| value.get_type(schema).ok());
    refuse(what, &types.collect::<Vec<_>>())?;
    Ok(TreeNodeRecursion::Continue)
}

/// The columns of a UNION, one by one.
fn parts(node: &LogicalPlan) -> Result<()> {
    let LogicalPlan::Union(union) = node else {
        return Ok(());
    };
    for column in 0..union.schema.fields().len() {
        let types = union.inputs.iter().filter_map(|input| {
            let field = input.schema().fields().get(column)?;
            Some(field.data_type().clone())
        });
        refuse("UNION", &types.collect::<Vec<_>>())?;
    }
    Ok(())
}

fn refuse(what: &str, types: &[DataType]) -> Result<()> {
    let text = |of: &&DataType| matches!(of, DataType::Utf8 | DataType::Utf8View);
    let other = |of: &&DataType| of.is_numeric() || of.is_temporal() || **of == DataType::Boolean;
    match (types.iter().find(text), types.iter().find(other)) {
        (Some(text), Some(other)) => plan_err!(
            "type mismatch: {what} of {} and {}; use CAST, or write a literal such as DATE '2026-01-31'",
            type_name(text),
            type_name(other)
        ),
        _ => Ok(()),
    }
}
