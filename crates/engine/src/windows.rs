//! Window frames as Trino takes them and DataFusion does not: typed constants as bounds, fractions over whole numbers, and
//! frames that end before they start, which hold no row.

use datafusion::sql::sqlparser::{
    ast::{
        CastKind, DataType, ExactNumberInfo, Expr, Function, FunctionArg, FunctionArgExpr,
        FunctionArguments, Value, ValueWithSpan, WindowFrameBound, WindowFrameUnits, WindowSpec,
        WindowType,
    },
    dialect::GenericDialect,
    parser::Parser,
    tokenizer::Span,
};

/// Beyond it a number is no longer told exactly: such a bound stays as it is written, and is refused.
const MOST_ROWS: f64 = 9e15;

/// Calls whose argument may differ from row to row, in terms of such that have none: `ntile` by the number of a row and
/// of all rows, the default of `lag` and `lead` by whether there is such a row.
pub(crate) fn by_row(function: &Function) -> Option<Expr> {
    let over = function.over.as_ref()?.to_string();
    let FunctionArguments::List(list) = &function.args else {
        return None;
    };
    let args: Vec<String> = list.args.iter().map(ToString::to_string).collect();
    let fixed = |place: usize| match list.args.get(place) {
        Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))) => {
            constant(expr).is_some() || is_literal(expr)
        }
        _ => true,
    };
    let text = match (
        function.name.to_string().to_lowercase().as_str(),
        args.as_slice(),
    ) {
        ("ntile", [buckets]) if !fixed(0) => {
            let Some(WindowType::WindowSpec(spec)) = &function.over else {
                return None;
            };
            let mut whole = spec.clone();
            whole.order_by.clear();
            let row = format!("(row_number() OVER {over} - 1)");
            let all = format!("(count(*) OVER ({whole}))");
            let (size, more) = (
                format!("({all} / ({buckets}))"),
                format!("({all} % ({buckets}))"),
            );
            format!(
                "CASE WHEN ({buckets}) < 1 THEN 1 / 0 WHEN {row} < ({size} + 1) * {more} THEN {row} / ({size} + 1) + 1 \
                 ELSE ({row} - ({size} + 1) * {more}) / (CASE WHEN {size} < 1 THEN 1 ELSE {size} END) + {more} + 1 END"
            )
        }
        (name @ ("lag" | "lead"), [value, offset, default])
            if fixed(1) && !fixed(2) && function.null_treatment.is_none() =>
        {
            format!(
                "CASE WHEN {name}(1, {offset}) OVER {over} IS NULL THEN {default} ELSE {name}({value}, {offset}) OVER {over} END"
            )
        }
        _ => return None,
    };
    Parser::new(&GenericDialect {})
        .try_with_sql(&text)
        .and_then(|mut parser| parser.parse_expr())
        .ok()
}

fn is_literal(expr: &Expr) -> bool {
    match expr {
        Expr::Value(_) => true,
        Expr::UnaryOp { expr, .. } => is_literal(expr),
        _ => false,
    }
}

/// Whether a call counts the places of rows.
pub(crate) fn is_a_place(function: &Function) -> bool {
    let name = function.name.to_string().to_lowercase();
    function.over.is_some()
        && ["row_number", "rank", "dense_rank", "ntile"].contains(&name.as_str())
}

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
