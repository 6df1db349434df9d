//! Literals with the type that Trino reads in them.
//!
//! `1e0` is a double, `DECIMAL '1.50'` has the digits that are written, a timestamp has as many digits as its text and
//! keeps the zone that stands in it.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CastKind, DataType, DateTimeField, ExactNumberInfo, Expr, Function,
    FunctionArg, FunctionArgExpr, FunctionArguments, Interval, TimezoneInfo, Value, ValueWithSpan,
};

use crate::{
    functions::moments::{self, Moment},
    rewrite::{call, cast, number, text},
};

/// What an expression is to be replaced with, if it is a literal that DataFusion reads otherwise.
pub(crate) fn literal(expr: &Expr) -> Option<Expr> {
    match expr {
        Expr::Value(ValueWithSpan {
            value: Value::Number(digits, _),
            ..
        }) if digits.contains(['e', 'E']) => {
            Some(cast(text(digits), DataType::Double(ExactNumberInfo::None)))
        }
        Expr::Value(ValueWithSpan {
            value: Value::UnicodeStringLiteral(written),
            ..
        }) => Some(text(written)),
        Expr::TypedString(typed) => {
            let Value::SingleQuotedString(written) = &typed.value.value else {
                return None;
            };
            typed_text(&typed.data_type, written)
        }
        Expr::Extract { field, expr, .. } => Some(call(
            "trino_part",
            vec![text(&extracted(field)), (**expr).clone()],
        )),
        Expr::Function(function) => clock(function),
        Expr::Ceil { expr, .. } => Some(call("trino_ceiling", vec![(**expr).clone()])),
        Expr::Floor { expr, .. } => Some(call("trino_floor", vec![(**expr).clone()])),
        Expr::Cast {
            kind,
            expr,
            data_type: DataType::Timestamp(digits, TimezoneInfo::WithTimeZone),
            ..
        } => {
            let name = if is_try(kind) {
                "try_to_zoned"
            } else {
                "to_zoned"
            };
            let digits = number(digits.unwrap_or(3));
            Some(call(name, vec![(**expr).clone(), digits]))
        }
        // Trino evaluates the whole list.
        Expr::InList { list, .. } => list.iter().find(|item| divides_by_zero(item)).cloned(),
        Expr::Interval(interval) => span(interval),
        _ => None,
    }
}

fn is_try(kind: &CastKind) -> bool {
    matches!(kind, CastKind::TryCast | CastKind::SafeCast)
}

fn divides_by_zero(expr: &Expr) -> bool {
    let Expr::BinaryOp {
        op: BinaryOperator::Divide | BinaryOperator::Modulo,
        right,
        ..
    } = expr
    else {
        return false;
    };
    matches!(right.as_ref(), Expr::Value(ValueWithSpan { value: Value::Number(digits, _), .. }) if digits == "0")
}

fn extracted(field: &DateTimeField) -> String {
    field.to_string().to_lowercase()
}

fn typed_text(data_type: &DataType, written: &str) -> Option<Expr> {
    match data_type {
        DataType::Decimal(ExactNumberInfo::None) | DataType::Numeric(ExactNumberInfo::None) => {
            let (precision, scale) = decimal_digits(written)?;
            let precise = ExactNumberInfo::PrecisionAndScale(precision, scale);
            Some(cast(text(written.trim()), DataType::Decimal(precise)))
        }
        DataType::Timestamp(None, TimezoneInfo::None) => {
            let moment = moments::read(written).ok()?;
            timestamp(&moment)
        }
        DataType::Date => {
            let moment = moments::read(written).ok().filter(Moment::is_date)?;
            Some(cast(text(&moment.at.date().to_string()), DataType::Date))
        }
        _ => None,
    }
}

/// The precision and scale of a decimal as it is written: zeros in front do not count.
fn decimal_digits(written: &str) -> Option<(u64, i64)> {
    let digits = written.trim().trim_start_matches(['+', '-']);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !plain(whole) || !plain(fraction) {
        return None;
    }
    let length = whole.trim_start_matches('0').len() + fraction.len();
    let scale = i64::try_from(fraction.len()).ok()?;
    Some((u64::try_from(length.max(1)).ok()?, scale))
}

fn timestamp(moment: &Moment) -> Option<Expr> {
    let unit = match moment.digits {
        0 => "s",
        1..=3 => "ms",
        4..=6 => "us",
        _ => "ns",
    };
    let zone = match &moment.zone {
        Some(zone) => format!(", \"{zone}\""),
        None => String::new(),
    };
    let ticks = cast(
        text(&moment.ticks(unit)?.to_string()),
        DataType::BigInt(None),
    );
    let of = text(&format!("Timestamp({unit}{zone})"));
    Some(call("arrow_cast", vec![ticks, of]))
}

/// Trino's clock has three digits.
fn clock(function: &Function) -> Option<Expr> {
    let called = function.name.to_string().to_lowercase();
    let none = match &function.args {
        FunctionArguments::None => true,
        FunctionArguments::List(list) => list.args.is_empty(),
        FunctionArguments::Subquery(_) => false,
    };
    let of = match called.as_str() {
        "current_timestamp" | "now" if none => "Timestamp(ms, \"UTC\")",
        "localtimestamp" if none => "Timestamp(ms)",
        "typeof" => return small_type(function),
        _ => return None,
    };
    Some(call("arrow_cast", vec![call("now", Vec::new()), text(of)]))
}

/// A whole number that is written without a type is an integer where it fits.
fn small_type(function: &Function) -> Option<Expr> {
    let FunctionArguments::List(list) = &function.args else {
        return None;
    };
    let [FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(given)))] = list.args.as_slice()
    else {
        return None;
    };
    let Value::Number(digits, _) = &given.value else {
        return None;
    };
    digits.parse::<i32>().ok().map(|_| text("integer"))
}

/// `INTERVAL '2' DAY`: days to seconds are milliseconds to Trino, years and months are months.
fn span(interval: &Interval) -> Option<Expr> {
    let Expr::Value(ValueWithSpan {
        value: Value::SingleQuotedString(written),
        ..
    }) = interval.value.as_ref()
    else {
        return None;
    };
    let from = interval.leading_field.as_ref()?.to_string().to_lowercase();
    let to = interval
        .last_field
        .as_ref()
        .map(|field| field.to_string().to_lowercase());
    let Some((months, millis)) = moments::interval(written, &from, to.as_deref()) else {
        return Some(call("no_interval", vec![text(written)]));
    };
    let value = if months == 0 {
        format!("{millis} milliseconds")
    } else {
        format!("{months} months")
    };
    Some(Expr::Interval(Interval {
        value: Box::new(text(&value)),
        leading_field: None,
        leading_precision: None,
        last_field: None,
        fractional_seconds_precision: None,
    }))
}
