//! Window frames as Trino takes them and DataFusion does not: typed constants as bounds, fractions over whole numbers, and
//! frames that end before they start, which hold no row.

use datafusion::sql::sqlparser::{
    ast::{
        CastKind, DataType, ExactNumberInfo, Expr, Function, Value, ValueWithSpan,
        WindowFrameBound, WindowFrameUnits, WindowSpec, WindowType,
    },
    tokenizer::Span,
};

/// Beyond it a number is no longer told exactly: such a bound stays as it is written, and is refused.
const MOST_ROWS: f64 = 9e15;

/// Changes the frame of a call; the call then stands for the same rows.
pub(crate) fn framed(function: &mut Function) {
    let Some(WindowType::WindowSpec(spec)) = &mut function.over else {
        return;
    };
    let Some(mut frame) = spec.window_frame.take() else {
        return;
    };
    let rows = !matches!(frame.units, WindowFrameUnits::Range);
    let mut fraction = false;
    for bound in std::iter::once(&mut frame.start_bound).chain(frame.end_bound.as_mut()) {
        let (WindowFrameBound::Preceding(offset) | WindowFrameBound::Following(offset)) = bound
        else {
            continue;
        };
        let Some(number) = offset.as_deref().and_then(constant) else {
            continue;
        };
        fraction |= number.fract() != 0.0;
        if number < MOST_ROWS {
            *offset = Some(Box::new(literal(number)));
        }
    }
    if is_empty(&frame.start_bound, frame.end_bound.as_ref()) {
        nothing(function);
        return;
    }
    if fraction && !rows {
        doubled(spec);
    }
    spec.window_frame = Some(frame);
}

/// A number that is written, with or without its type.
fn constant(expr: &Expr) -> Option<f64> {
    let text = match expr {
        Expr::Value(ValueWithSpan {
            value: Value::Number(digits, _),
            ..
        }) => digits.clone(),
        Expr::TypedString(typed) => match &typed.value.value {
            Value::SingleQuotedString(text) => text.clone(),
            _ => return None,
        },
        Expr::Nested(inner) => return constant(inner),
        _ => return None,
    };
    text.parse().ok()
}

fn literal(number: f64) -> Expr {
    Expr::Value(ValueWithSpan {
        value: Value::Number(number.to_string(), false),
        span: Span::empty(),
    })
}

/// Whether a frame ends before it starts.
fn is_empty(start: &WindowFrameBound, end: Option<&WindowFrameBound>) -> bool {
    use WindowFrameBound::{Following, Preceding};
    let number = |offset: &Option<Box<Expr>>| offset.as_deref().and_then(constant);
    match (start, end) {
        (Preceding(from), Some(Preceding(to))) => number(from)
            .zip(number(to))
            .is_some_and(|(from, to)| from < to),
        (Following(from), Some(Following(to))) => number(from)
            .zip(number(to))
            .is_some_and(|(from, to)| from > to),
        _ => false,
    }
}

/// The call on no row of the window.
fn nothing(function: &mut Function) {
    let never = Expr::Value(ValueWithSpan {
        value: Value::Boolean(false),
        span: Span::empty(),
    });
    function.filter = Some(Box::new(never));
}

/// Orders by doubles, so that a fraction more or less is one.
fn doubled(spec: &mut WindowSpec) {
    for order in &mut spec.order_by {
        order.expr = Expr::Cast {
            kind: CastKind::Cast,
            expr: Box::new(order.expr.clone()),
            data_type: DataType::Double(ExactNumberInfo::None),
            array: false,
            format: None,
        };
    }
}
