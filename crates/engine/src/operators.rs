//! Operators whose meaning depends on the types of both sides, planned where DataFusion's differs from Trino's.
//!
//! Text is never compared or computed with numbers or dates, whole numbers do not wrap around, decimals have Trino's
//! digits, and NaN is neither equal to nor less than anything.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::{
    common::{DFSchema, Result, ScalarValue, not_impl_err, plan_err},
    functions::expr_fn::isnan,
    logical_expr::{
        BinaryExpr, Cast, Expr, ExprSchemable, Operator, ScalarUDF,
        expr::ScalarFunction,
        planner::{ExprPlanner, PlannerResult, RawBinaryExpr},
    },
    sql::sqlparser::ast::BinaryOperator,
};

use crate::{names::type_name, strictness::Strictness};

/// Plans the operators; `functions` are those of the decimals.
#[derive(Debug)]
pub(crate) struct TrinoOperators {
    pub functions: Vec<Arc<ScalarUDF>>,
    /// Whether text is taken for a number or a date.
    pub strictness: Strictness,
}

impl ExprPlanner for TrinoOperators {
    fn plan_binary_op(
        &self,
        mut raw: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        if self.strictness.is_lenient()
            && (comparison(&raw.op).is_some() || arithmetic(&raw.op).is_some())
        {
            read(&mut raw, schema);
        }
        let (Ok(left), Ok(right)) = (raw.left.get_type(schema), raw.right.get_type(schema)) else {
            return Ok(PlannerResult::Original(raw));
        };
        if let Some(op) = comparison(&raw.op) {
            refuse_text(&left, &right, &raw.op)?;
            if left.is_floating() || right.is_floating() {
                return Ok(PlannerResult::Planned(not_nan(raw, op, &left, &right)));
            }
            return Ok(PlannerResult::Original(raw));
        }
        if raw.op == BinaryOperator::StringConcat
            && !self.strictness.is_lenient()
            && (is_text(&left) && is_other(&right) || is_text(&right) && is_other(&left))
        {
            let (left, right) = (type_name(&left), type_name(&right));
            return plan_err!(
                "TYPE_MISMATCH: Unexpected parameters ({left}, {right}) for function concat; use CAST(x AS varchar)"
            );
        }
        let Some(sign) = arithmetic(&raw.op) else {
            return Ok(PlannerResult::Original(raw));
        };
        refuse_text(&left, &right, &raw.op)?;
        if sign == "minus" && left == DataType::Date32 && right == DataType::Date32 {
            // Trino's answer is an interval, DataFusion's a number of days.
            return not_impl_err!(
                "a date minus a date is not supported: write date_diff('day', later, earlier) in its place"
            );
        }
        if let Some(scaled) = self.scaled(&raw, sign, &left, &right) {
            return Ok(PlannerResult::Planned(scaled));
        }
        Ok(self.computed(raw, sign, &left, &right))
    }
}

impl TrinoOperators {
    fn call(&self, name: &str, args: Vec<Expr>) -> Option<Expr> {
        let function = self
            .functions
            .iter()
            .find(|function| function.name() == name)?;
        Some(Expr::ScalarFunction(ScalarFunction::new_udf(
            Arc::clone(function),
            args,
        )))
    }

    /// An interval times or divided by a number.
    fn scaled(
        &self,
        raw: &RawBinaryExpr,
        sign: &str,
        left: &DataType,
        right: &DataType,
    ) -> Option<Expr> {
        let span = |of: &DataType| matches!(of, DataType::Interval(_));
        let args = |span: &Expr, by: &Expr| {
            let by = Cast::new(Box::new(by.clone()), DataType::Float64);
            vec![span.clone(), Expr::Cast(by)]
        };
        match sign {
            "times" if span(left) && right.is_numeric() => {
                self.call("interval_times", args(&raw.left, &raw.right))
            }
            "times" if span(right) && left.is_numeric() => {
                self.call("interval_times", args(&raw.right, &raw.left))
            }
            "divided" if span(left) && right.is_numeric() => {
                self.call("interval_divided", args(&raw.left, &raw.right))
            }
            _ => None,
        }
    }

    fn computed(
        &self,
        raw: RawBinaryExpr,
        sign: &str,
        left: &DataType,
        right: &DataType,
    ) -> PlannerResult<RawBinaryExpr> {
        let whole = left.is_integer() && right.is_integer();
        let decimal =
            matches!(left, DataType::Decimal128(..)) || matches!(right, DataType::Decimal128(..));
        let sides = if whole && !matches!(sign, "divided" | "modulo") {
            let to = wider(&raw.left, left, &raw.right, right);
            Some(("whole", to.clone(), to))
        } else if decimal {
            match (as_decimal(&raw.left, left), as_decimal(&raw.right, right)) {
                (Some(left), Some(right)) => Some(("decimal", left, right)),
                _ => None,
            }
        } else {
            None
        };
        let Some((family, to_left, to_right)) = sides else {
            return PlannerResult::Original(raw);
        };
        let args = vec![
            typed(raw.left.clone(), left, to_left),
            typed(raw.right.clone(), right, to_right),
        ];
        match self.call(&format!("{family}_{sign}"), args) {
            Some(planned) => PlannerResult::Planned(planned),
            None => PlannerResult::Original(raw),
        }
    }
}

fn typed(expr: Expr, from: &DataType, to: DataType) -> Expr {
    if *from == to {
        expr
    } else {
        Expr::Cast(Cast::new(Box::new(expr), to))
    }
}

const fn comparison(op: &BinaryOperator) -> Option<Operator> {
    Some(match op {
        BinaryOperator::Eq => Operator::Eq,
        BinaryOperator::NotEq => Operator::NotEq,
        BinaryOperator::Lt => Operator::Lt,
        BinaryOperator::LtEq => Operator::LtEq,
        BinaryOperator::Gt => Operator::Gt,
        BinaryOperator::GtEq => Operator::GtEq,
        _ => return None,
    })
}

const fn arithmetic(op: &BinaryOperator) -> Option<&'static str> {
    Some(match op {
        BinaryOperator::Plus => "plus",
        BinaryOperator::Minus => "minus",
        BinaryOperator::Multiply => "times",
        BinaryOperator::Divide => "divided",
        BinaryOperator::Modulo => "modulo",
        _ => return None,
    })
}

/// A comparison as it is planned where a statement writes it.
pub(crate) fn compared(left: Expr, op: Operator, right: Expr, schema: &DFSchema) -> Result<Expr> {
    let (left_type, right_type) = (left.get_type(schema)?, right.get_type(schema)?);
    let written = match op {
        Operator::NotEq => BinaryOperator::NotEq,
        Operator::Lt => BinaryOperator::Lt,
        Operator::LtEq => BinaryOperator::LtEq,
        Operator::Gt => BinaryOperator::Gt,
        Operator::GtEq => BinaryOperator::GtEq,
        _ => BinaryOperator::Eq,
    };
    refuse_text(&left_type, &right_type, &written)?;
    let raw = RawBinaryExpr {
        op: written,
        left,
        right,
    };
    Ok(not_nan(raw, op, &left_type, &right_type))
}

/// Text beside a number, a date or a truth value is read as one of its type.
fn read(raw: &mut RawBinaryExpr, schema: &DFSchema) {
    let (Ok(left), Ok(right)) = (raw.left.get_type(schema), raw.right.get_type(schema)) else {
        return;
    };
    let is_read = |of: &DataType| is_other(of) && !matches!(of, DataType::Interval(_));
    if is_text(&left) && is_read(&right) {
        raw.left = typed(raw.left.clone(), &left, right);
    } else if is_text(&right) && is_read(&left) {
        raw.right = typed(raw.right.clone(), &right, left);
    }
}

pub(crate) const fn is_text(of: &DataType) -> bool {
    matches!(of, DataType::Utf8 | DataType::Utf8View)
}

/// What text is never compared or computed with.
pub(crate) fn is_other(of: &DataType) -> bool {
    of.is_numeric() || of.is_temporal() || *of == DataType::Boolean
}

/// Athena does not take text for a number or a date, whichever side it stands on.
fn refuse_text(left: &DataType, right: &DataType, op: &BinaryOperator) -> Result<()> {
    if is_text(left) && is_other(right) || is_text(right) && is_other(left) {
        let (left, right) = (type_name(left), type_name(right));
        return plan_err!(
            "type mismatch: Cannot apply operator: {left} {op} {right}; use CAST, or write a literal such as DATE '2026-01-31'"
        );
    }
    Ok(())
}

/// A number that the statement writes without a type and that fits is an integer to Trino.
fn is_small(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(ScalarValue::Int64(Some(value)), _) => i32::try_from(*value).is_ok(),
        Expr::Negative(inner) => is_small(inner),
        _ => false,
    }
}

/// The type both whole numbers are computed in.
fn wider(left: &Expr, left_type: &DataType, right: &Expr, right_type: &DataType) -> DataType {
    let of = |expr: &Expr, of: &DataType| {
        if is_small(expr) {
            DataType::Int32
        } else {
            of.clone()
        }
    };
    let rank = |of: &DataType| match of {
        DataType::Int8 => 0,
        DataType::Int16 | DataType::UInt8 => 1,
        DataType::Int32 | DataType::UInt16 => 2,
        _ => 3,
    };
    let rank = rank(&of(left, left_type)).max(rank(&of(right, right_type)));
    [
        DataType::Int8,
        DataType::Int16,
        DataType::Int32,
        DataType::Int64,
    ][rank]
        .clone()
}

fn as_decimal(expr: &Expr, of: &DataType) -> Option<DataType> {
    Some(match of {
        DataType::Decimal128(_, scale) if *scale >= 0 => of.clone(),
        DataType::Int8 => DataType::Decimal128(3, 0),
        DataType::Int16 => DataType::Decimal128(5, 0),
        DataType::Int32 => DataType::Decimal128(10, 0),
        DataType::Int64 if is_small(expr) => DataType::Decimal128(10, 0),
        DataType::Int64 => DataType::Decimal128(19, 0),
        _ => return None,
    })
}

/// Arrow puts NaN above everything and holds it equal to itself.
fn not_nan(raw: RawBinaryExpr, op: Operator, left: &DataType, right: &DataType) -> Expr {
    let sides = [(&raw.left, left), (&raw.right, right)];
    let may: Vec<Expr> = sides
        .iter()
        .filter(|(expr, of)| of.is_floating() && !is_number(expr))
        .map(|(expr, _)| isnan((*expr).clone()))
        .collect();
    let compared = Expr::BinaryExpr(BinaryExpr::new(
        Box::new(raw.left.clone()),
        op,
        Box::new(raw.right.clone()),
    ));
    may.into_iter().fold(compared, |compared, nan| match op {
        Operator::NotEq => compared.or(nan),
        _ => compared.and(Expr::Not(Box::new(nan))),
    })
}

/// Whether a literal is a number, not NaN.
fn is_number(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(ScalarValue::Float64(Some(value)), _) => !value.is_nan(),
        Expr::Literal(ScalarValue::Float32(Some(value)), _) => !value.is_nan(),
        Expr::Literal(..) => true,
        Expr::Cast(cast) => match cast.expr.as_ref() {
            Expr::Literal(ScalarValue::Utf8(Some(text)), _) => !text.eq_ignore_ascii_case("nan"),
            other => is_number(other),
        },
        _ => false,
    }
}
