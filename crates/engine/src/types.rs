//! Where Trino and DataFusion compute differently by type, the plan is changed after its types are known.
//!
//! - `CAST(timestamp AS varchar)` has a blank between date and time;
//! - `CAST(double AS bigint)` and of decimals rounds half away from zero instead of cutting off;
//! - `decimal / decimal` has the larger of the two scales, rounded half away from zero.

use arrow::datatypes::DataType;
use datafusion::{
    common::{
        DFSchema, Result,
        config::ConfigOptions,
        plan_err,
        tree_node::{Transformed, TreeNode},
    },
    functions::expr_fn::round,
    logical_expr::{
        BinaryExpr, Cast, Expr, ExprSchemable, LogicalPlan, Operator, expr::ScalarFunction,
        expr_rewriter::NamePreserver, utils::merge_schema,
    },
    optimizer::AnalyzerRule,
};

use crate::{
    functions::{casts, json},
    sql_types::JSON,
};

/// The rule; it runs after type coercion.
#[derive(Debug)]
pub struct TrinoTypes;

impl AnalyzerRule for TrinoTypes {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(rewrite_node)
            .map(|transformed| transformed.data)
    }

    fn name(&self) -> &'static str {
        "trino_types"
    }
}

fn rewrite_node(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let mut schema = merge_schema(&plan.inputs());
    if let LogicalPlan::TableScan(scan) = &plan {
        schema.merge(&DFSchema::try_from_qualified_schema(
            scan.table_name.clone(),
            &scan.source.schema(),
        )?);
    }
    let names = NamePreserver::new(&plan);
    let rewritten = plan.map_expressions(|expr| {
        let name = names.save(&expr);
        let new = expr.transform_up(|expr| rewrite_expr(expr, &schema))?;
        Ok(new.update_data(|expr| name.restore(expr)))
    })?;
    if rewritten.transformed {
        rewritten.map_data(LogicalPlan::recompute_schema)
    } else {
        Ok(rewritten)
    }
}

fn rewrite_expr(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    match expr {
        Expr::Cast(cast) => {
            let from = cast.expr.get_type(schema)?;
            let to = cast.field.data_type().clone();
            rewrite_cast(cast, &from, &to)
        }
        Expr::TryCast(cast) => {
            let from = cast.expr.get_type(schema)?;
            let to = cast.field.data_type().clone();
            casts::check(&from, &to)?;
            if casts::is_ours(&from, &to) {
                let call = ScalarFunction::new_udf(casts::cast_to(to, true), vec![*cast.expr]);
                return Ok(Transformed::yes(Expr::ScalarFunction(call)));
            }
            if json::is_ours(&from, &to) {
                let call = ScalarFunction::new_udf(json::cast_to(to, true), vec![*cast.expr]);
                return Ok(Transformed::yes(Expr::ScalarFunction(call)));
            }
            Ok(Transformed::no(Expr::TryCast(cast)))
        }
        Expr::BinaryExpr(binary)
            if matches!(binary.op, Operator::Eq | Operator::NotEq)
                && binary.left.get_type(schema)?.is_nested() =>
        {
            let equal = Expr::ScalarFunction(ScalarFunction::new_udf(
                crate::functions::equal(),
                vec![*binary.left, *binary.right],
            ));
            Ok(Transformed::yes(if binary.op == Operator::Eq {
                equal
            } else {
                Expr::Not(Box::new(equal))
            }))
        }
        Expr::AggregateFunction(mut aggregate) if aggregate.func.name() == "first_value" => {
            let [first] = aggregate.params.order_by.as_slice() else {
                return Ok(Transformed::no(Expr::AggregateFunction(aggregate)));
            };
            if !first.expr.get_type(schema)?.is_floating() {
                return Ok(Transformed::no(Expr::AggregateFunction(aggregate)));
            }
            // `max_by` and `min_by` take NaN only where there is nothing else.
            let nan = datafusion::functions::expr_fn::isnan(first.expr.clone());
            aggregate.params.order_by.insert(0, nan.sort(true, false));
            Ok(Transformed::yes(Expr::AggregateFunction(aggregate)))
        }
        Expr::BinaryExpr(binary) if binary.op == Operator::Divide => {
            rewrite_division(binary, schema)
        }
        other => Ok(Transformed::no(other)),
    }
}

fn rewrite_cast(mut cast: Cast, from: &DataType, to: &DataType) -> Result<Transformed<Expr>> {
    if *to == JSON && matches!(from, DataType::Utf8 | DataType::Utf8View) {
        // Written casts to JSON are calls by now: this one was put in to compare or join the two.
        return plan_err!(
            "type mismatch: json cannot be compared or joined with varchar; use CAST or json_parse"
        );
    }
    casts::check(from, to)?;
    if let (DataType::Timestamp(unit, None), DataType::Timestamp(_, Some(zone))) = (from, to)
        && !zone.eq_ignore_ascii_case("utc")
    {
        // A timestamp without a zone is one of the session's, which is UTC; Arrow takes it for the other zone's.
        let utc = DataType::Timestamp(*unit, Some("UTC".into()));
        cast.expr = Box::new(Expr::Cast(Cast::new(cast.expr, utc)));
        return Ok(Transformed::yes(Expr::Cast(cast)));
    }
    if casts::is_ours(from, to) {
        let call = ScalarFunction::new_udf(casts::cast_to(to.clone(), false), vec![*cast.expr]);
        return Ok(Transformed::yes(Expr::ScalarFunction(call)));
    }
    if json::is_ours(from, to) {
        let call = ScalarFunction::new_udf(json::cast_to(to.clone(), false), vec![*cast.expr]);
        return Ok(Transformed::yes(Expr::ScalarFunction(call)));
    }
    let text = matches!(
        to,
        DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8
    );
    if text && matches!(from, DataType::Timestamp(_, _)) {
        let shown = super::functions::timestamp_text();
        let call = Expr::ScalarFunction(ScalarFunction::new_udf(shown, vec![*cast.expr]));
        return Ok(Transformed::yes(if *to == DataType::Utf8 {
            call
        } else {
            Expr::Cast(Cast::new(Box::new(call), to.clone()))
        }));
    }
    let already =
        matches!(cast.expr.as_ref(), Expr::ScalarFunction(function) if function.name() == "round");
    if to.is_integer()
        && (from.is_floating() || matches!(from, DataType::Decimal128(_, scale) if *scale > 0))
        && !already
    {
        cast.expr = Box::new(round(vec![*cast.expr]));
        return Ok(Transformed::yes(Expr::Cast(cast)));
    }
    Ok(Transformed::no(Expr::Cast(cast)))
}

/// Trino: scale `max(s1, s2)`, precision `min(38, p1 + s2 + max(0, s2 - s1))`. Arrow's division has scale
/// `s1 + 4` and cuts off, so the quotient is made with at least one digit more than wanted, then rounded.
fn rewrite_division(binary: BinaryExpr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let types = (
        binary.left.get_type(schema)?,
        binary.right.get_type(schema)?,
    );
    let (DataType::Decimal128(p1, s1), DataType::Decimal128(p2, s2)) = types else {
        return Ok(Transformed::no(Expr::BinaryExpr(binary)));
    };
    if p1 == 0 || p2 == 0 || s1 < 0 || s2 < 0 {
        return Ok(Transformed::no(Expr::BinaryExpr(binary)));
    }
    let scale = s1.max(s2);
    let precision = (i16::from(p1) + i16::from(s2) + i16::from((s2 - s1).max(0)))
        .clamp(i16::from(scale).max(1), 38);
    let precision = u8::try_from(precision).unwrap_or(38);
    let mut left = *binary.left;
    if scale > s1 {
        left = Expr::Cast(Cast::new(Box::new(left), DataType::Decimal128(38, scale)));
    }
    let quotient = Expr::BinaryExpr(BinaryExpr::new(
        Box::new(left),
        Operator::Divide,
        binary.right,
    ));
    let rounded = Expr::Cast(Cast::new(
        Box::new(quotient),
        DataType::Decimal128(precision, scale),
    ));
    Ok(Transformed::yes(rounded))
}
