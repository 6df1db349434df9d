//! Text mixed with numbers or dates where neither is cast: Athena refuses it, DataFusion would compare texts.
//!
//! Operators are looked at where they are planned; this looks at lists, ranges, CASE, functions that take values of one
//! type, and the parts of a UNION.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::{
    common::{
        DFSchema, Result,
        config::ConfigOptions,
        not_impl_err, plan_err,
        tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    },
    functions::expr_fn::isnan,
    logical_expr::{
        Cast, Expr, ExprSchemable, LogicalPlan, Operator, expr::ScalarFunction,
        expr_rewriter::NamePreserver, not, utils::merge_schema,
    },
    optimizer::AnalyzerRule,
};

use crate::{
    functions,
    names::type_name,
    operators::{compared, is_other, is_text},
    strictness::Strictness,
};

/// The rule; it stands before type coercion. Strict it refuses and changes nothing, lenient it reads the text.
#[derive(Debug)]
pub(crate) struct Unmixed {
    pub strictness: Strictness,
}

impl AnalyzerRule for Unmixed {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let plan = if self.strictness.is_lenient() {
            plan.transform_up_with_subqueries(read)?.data
        } else {
            plan
        };
        let strict = !self.strictness.is_lenient();
        plan.apply_with_subqueries(|node| {
            parts(node, strict)?;
            constants(node)?;
            let schema = merge_schema(&node.inputs());
            node.apply_expressions(|expr| expr.apply(|expr| within(expr, &schema, strict)))
        })?;
        plan.transform_up_with_subqueries(without_nan)
            .map(|transformed| transformed.data)
    }

    fn name(&self) -> &'static str {
        "trino_unmixed"
    }
}

/// Text in a list or a range of numbers or dates becomes one of them.
fn read(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let schema = merge_schema(&node.inputs());
    let names = NamePreserver::new(&node);
    node.map_expressions(|expr| {
        let name = names.save(&expr);
        let new = expr.transform_up(|mut expr| {
            let values: Vec<&mut Expr> = match &mut expr {
                Expr::InList(list) => std::iter::once(list.expr.as_mut())
                    .chain(&mut list.list)
                    .collect(),
                Expr::Between(between) => {
                    vec![&mut between.expr, &mut between.low, &mut between.high]
                }
                _ => return Ok(Transformed::no(expr)),
            };
            let types = values
                .iter()
                .map(|value| value.get_type(&schema))
                .collect::<Result<Vec<_>>>()?;
            let Some(to) = types.iter().find(|of| is_other(of)).cloned() else {
                return Ok(Transformed::no(expr));
            };
            for (value, of) in values.into_iter().zip(&types) {
                if is_text(of) {
                    *value = Expr::Cast(Cast::new(Box::new(value.clone()), to.clone()));
                }
            }
            Ok(Transformed::yes(expr))
        })?;
        Ok(new.update_data(|expr| name.restore(expr)))
    })
}

fn within(expr: &Expr, schema: &DFSchema, strict: bool) -> Result<TreeNodeRecursion> {
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
        Expr::ScalarFunction(call)
            if matches!(call.name(), "coalesce" | "nullif" | "trino_array_of") =>
        {
            (call.name(), call.args.iter().collect())
        }
        _ => return Ok(TreeNodeRecursion::Continue),
    };
    let types = values
        .iter()
        .filter_map(|value| value.get_type(schema).ok());
    let types: Vec<DataType> = types.collect();
    let ours = what.starts_with("trino_");
    if strict && !ours {
        refuse(what, &types)?;
    }
    // Instants are compared whatever their zones are.
    if !matches!(expr, Expr::InList(_) | Expr::Between(_)) && what != "nullif" {
        one_zone(&types)?;
    }
    Ok(TreeNodeRecursion::Continue)
}

/// The columns of a UNION, one by one.
fn parts(node: &LogicalPlan, strict: bool) -> Result<()> {
    let LogicalPlan::Union(union) = node else {
        return Ok(());
    };
    for column in 0..union.schema.fields().len() {
        let types = union.inputs.iter().filter_map(|input| {
            let field = input.schema().fields().get(column)?;
            Some(field.data_type().clone())
        });
        let types: Vec<DataType> = types.collect();
        if strict {
            refuse("UNION", &types)?;
        }
        one_zone(&types)?;
    }
    Ok(())
}

/// VALUES, whose rows were given one type as they were planned.
fn constants(node: &LogicalPlan) -> Result<()> {
    let LogicalPlan::Values(values) = node else {
        return Ok(());
    };
    let schema = DFSchema::empty();
    for column in 0..values.schema.fields().len() {
        let written = values
            .values
            .iter()
            .filter_map(|row| match row.get(column)? {
                Expr::Cast(cast) if zone(cast.field.data_type()).is_some() => {
                    match cast.expr.get_type(&schema).ok()? {
                        of if zone(&of).is_some() => Some(of),
                        _ => Some(cast.field.data_type().clone()),
                    }
                }
                other => other.get_type(&schema).ok(),
            });
        one_zone(&written.collect::<Vec<_>>())?;
    }
    Ok(())
}

fn zone(of: &DataType) -> Option<&str> {
    match of {
        DataType::Timestamp(_, zone) => zone.as_deref(),
        _ => None,
    }
}

/// A column has one zone for all of its rows.
fn one_zone(types: &[DataType]) -> Result<()> {
    let mut zones = types.iter().filter_map(zone);
    let Some(first) = zones.next() else {
        return Ok(());
    };
    match zones.find(|other| *other != first) {
        Some(other) => not_impl_err!(
            "a zone of its own for every row is not supported ({first} and {other}): put both in one by AT TIME ZONE '{first}'"
        ),
        None => Ok(()),
    }
}

/// NaN is equal to nothing, in BETWEEN, IN and CASE as in comparisons.
fn without_nan(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let schema = merge_schema(&node.inputs());
    let names = NamePreserver::new(&node);
    node.map_expressions(|expr| {
        let name = names.save(&expr);
        let new = expr.transform_up(|expr| of_numbers(expr, &schema))?;
        Ok(new.update_data(|expr| name.restore(expr)))
    })
}

fn of_numbers(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let floats = |values: &[&Expr]| {
        values
            .iter()
            .any(|value| value.get_type(schema).is_ok_and(|of| of.is_floating()))
    };
    match expr {
        Expr::Between(between) if floats(&[&between.expr, &between.low, &between.high]) => {
            let low = compared(
                (*between.expr).clone(),
                Operator::GtEq,
                *between.low,
                schema,
            )?;
            let high = compared(*between.expr, Operator::LtEq, *between.high, schema)?;
            let within = low.and(high);
            Ok(Transformed::yes(match between.negated {
                true => not(within),
                false => within,
            }))
        }
        Expr::InList(mut list) if floats(&[&list.expr]) => {
            let negated = std::mem::take(&mut list.negated);
            let number = not(isnan((*list.expr).clone()));
            let held = Expr::InList(list).and(number);
            Ok(Transformed::yes(match negated {
                true => not(held),
                false => held,
            }))
        }
        Expr::Case(mut case) if case.expr.as_deref().is_some_and(|asked| floats(&[asked])) => {
            if let Some(asked) = case.expr.take() {
                for (when, _) in &mut case.when_then_expr {
                    let value = std::mem::take(when.as_mut());
                    **when = compared(asked.as_ref().clone(), Operator::Eq, value, schema)?;
                }
            }
            Ok(Transformed::yes(Expr::Case(case)))
        }
        Expr::ScalarFunction(call) if matches!(call.name(), "trino_greatest" | "trino_least") => {
            one_of_a_zone(call, schema)
        }
        other => Ok(Transformed::no(other)),
    }
}

/// The greatest of instants in several zones has its own zone; the answer has that of the first.
fn one_of_a_zone(call: ScalarFunction, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let types = call
        .args
        .iter()
        .map(|arg| arg.get_type(schema))
        .collect::<Result<Vec<_>>>()?;
    let first = types.first().and_then(zone);
    let alike: Vec<Expr> = call
        .args
        .iter()
        .zip(&types)
        .filter(|(_, of)| zone(of) == first)
        .map(|(arg, _)| arg.clone())
        .collect();
    if first.is_none() || alike.len() == call.args.len() {
        return Ok(Transformed::no(Expr::ScalarFunction(call)));
    }
    let of_the_first = ScalarFunction::new_udf(Arc::clone(&call.func), alike);
    let both = vec![
        Expr::ScalarFunction(call),
        Expr::ScalarFunction(of_the_first),
    ];
    Ok(Transformed::yes(Expr::ScalarFunction(
        ScalarFunction::new_udf(functions::of_one_zone(), both),
    )))
}

fn refuse(what: &str, types: &[DataType]) -> Result<()> {
    let (text, other) = (
        types.iter().find(|of| is_text(of)),
        types.iter().find(|of| is_other(of)),
    );
    match (text, other) {
        (Some(text), Some(other)) => plan_err!(
            "type mismatch: {what} of {} and {}; use CAST, or write a literal such as DATE '2026-01-31'",
            type_name(text),
            type_name(other)
        ),
        _ => Ok(()),
    }
}
