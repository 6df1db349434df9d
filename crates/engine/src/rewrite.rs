//! Trino's spelling of functions, casts and literals, rewritten in the parsed statement to what
//! DataFusion calls the same thing. Whatever needs the types of its operands is in [`super::types`];
//! functions that DataFusion lacks are in [`super::functions`].

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CastKind, DataType, ExactNumberInfo, Expr, Function, FunctionArgumentClause,
    FunctionArguments, Ident, LambdaFunction, LambdaFunctionParameter, LambdaSyntax, NullTreatment,
    OneOrManyWithParens, OrderByExpr, OrderByOptions, Query, Select, SelectItem, UnaryOperator,
    Value, ValueWithSpan, VisitMut, VisitorMut,
};

pub use crate::written::{and, ident};
pub(crate) use crate::written::{call, cast, nested, number, text, three_valued};
use crate::{
    fields::{accessed, as_row, one_column},
    strictness::Strictness,
    written::{case, plain_args, value, with_args},
};

/// Rewrites every expression of a query.
pub fn query(query: &mut Query) {
    query_as(query, Strictness::Strict);
}

/// The same, as strict as it is said.
pub fn query_as(query: &mut Query, strictness: Strictness) {
    if !strictness.is_lenient() {
        super::called::only_trinos(query);
    }
    super::selected::named_once(query);
    let _ = VisitMut::visit(query, &mut Trino);
    if !strictness.is_lenient() {
        crate::aliases::columns_only(query);
    }
}

/// Rewrites one expression.
pub fn expression(expression: &mut Expr) {
    super::called::only_trinos(expression);
    let _ = VisitMut::visit(expression, &mut Trino);
}

struct Trino;

impl VisitorMut for Trino {
    type Break = ();

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        crate::unions::named(query);
        ControlFlow::Continue(())
    }

    /// What is compared with `(SELECT x)` is compared with rows, though there is one.
    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::AllOp { right, .. } | Expr::AnyOp { right, .. } = expr {
            super::selected::as_rows(right);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        crate::stars::spread(query);
        crate::values::typed(query);
        super::selected::fetched(query);
        ControlFlow::Continue(())
    }

    /// A column without a name is called `_col` and its position, as in Athena's results.
    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        super::membership::in_where(select);
        super::membership::in_list(select);
        super::selected::held_apart(select);
        super::selected::sets(select);
        super::selected::first_alone(select);
        super::selected::nearest(select);
        super::selected::laterals_marked(select);
        select.from.iter_mut().for_each(super::selected::alone);
        select.from.iter_mut().for_each(super::shapes::apart);
        for (index, item) in select.projection.iter_mut().enumerate() {
            if let SelectItem::UnnamedExpr(expr) = item
                && !matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_))
            {
                *item = SelectItem::ExprWithAlias {
                    expr: as_row(expr.clone()),
                    alias: ident(&format!("_col{index}")),
                };
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Some(new) = crate::literals::literal(expr) {
            *expr = new;
            return ControlFlow::Continue(());
        }
        match expr {
            Expr::Function(function) => {
                crate::windows::framed(function);
                if let Some(new) = crate::windows::by_row(function) {
                    *expr = nested(new);
                } else if crate::windows::is_a_place(function) {
                    // DataFusion's has no sign, so nothing could be taken from it.
                    *expr = cast(expr.clone(), DataType::BigInt(None));
                } else if let Some(new) = rewrite_function(function) {
                    *expr = new;
                }
            }
            Expr::Cast {
                kind,
                data_type,
                expr: inner,
                ..
            } => {
                let value = as_row((**inner).clone());
                **inner = value;
                if *data_type == DataType::JSON {
                    *expr = call("trino_to_json", vec![(**inner).clone()]);
                    return ControlFlow::Continue(());
                }
                let length = plain_type(data_type);
                if let Some(length) = length {
                    let text = Expr::Cast {
                        kind: kind.clone(),
                        expr: inner.clone(),
                        data_type: DataType::Varchar(None),
                        array: false,
                        format: None,
                    };
                    let name = match kind {
                        CastKind::Cast | CastKind::DoubleColon => "varchar_cut",
                        _ => "try_varchar_cut",
                    };
                    let cut = call(name, vec![(**inner).clone(), text, number(length)]);
                    *expr = cut;
                }
            }
            Expr::TypedString(typed) => {
                plain_type(&mut typed.data_type);
                if typed.data_type == DataType::JSON {
                    *expr = call("trino_json_literal", vec![value(typed.value.value.clone())]);
                }
            }
            Expr::Like {
                pattern,
                escape_char,
                ..
            }
            | Expr::ILike {
                pattern,
                escape_char,
                ..
            } => {
                let new = crate::like::pattern(pattern, escape_char.take());
                **pattern = new;
            }
            // The parser has a form of its own for it, which is planned as DataFusion's function.
            Expr::Substring {
                expr: inner,
                substring_from,
                substring_for,
                ..
            } => {
                let mut args = vec![
                    (**inner).clone(),
                    substring_from
                        .as_ref()
                        .map_or_else(|| number(1), |from| (**from).clone()),
                ];
                args.extend(substring_for.as_ref().map(|length| (**length).clone()));
                *expr = call("trino_substr", args);
            }
            Expr::InSubquery { expr, subquery, .. } => super::membership::rows(expr, subquery),
            Expr::InList {
                expr: value,
                list,
                negated,
            } if list.iter().any(is_computed) => {
                // Every item is asked, as Trino does, not only until one is equal.
                let items = std::mem::take(list).into_iter().map(as_row).collect();
                let held = call(
                    "contains",
                    vec![call("trino_array_of", items), (**value).clone()],
                );
                *expr = match negated {
                    true => Expr::UnaryOp {
                        op: UnaryOperator::Not,
                        expr: Box::new(held),
                    },
                    false => held,
                };
            }
            // One row of one value, asked for as a subquery, has become that value.
            Expr::AnyOp {
                left,
                compare_op,
                right,
                ..
            }
            | Expr::AllOp {
                left,
                compare_op,
                right,
            } if !matches!(right.as_ref(), Expr::Subquery(_)) => {
                *expr = nested(Expr::BinaryOp {
                    left: left.clone(),
                    op: compare_op.clone(),
                    right: right.clone(),
                });
            }
            Expr::AllOp {
                left,
                compare_op,
                right,
            } => {
                if let Some(new) = super::selected::compared(left, compare_op, right, true) {
                    *expr = new;
                }
            }
            Expr::AnyOp {
                left,
                compare_op,
                right,
                ..
            } => {
                if let Some(new) = super::selected::compared(left, compare_op, right, false) {
                    *expr = new;
                }
            }
            Expr::Subquery(query) => match super::selected::constant(query) {
                Some(value) => *expr = nested(value),
                None => one_column(query),
            },
            Expr::CompoundFieldAccess { root, access_chain } => {
                if let Some(new) = accessed(root, access_chain) {
                    *expr = new;
                }
            }
            Expr::Lambda(lambda) => {
                let body = as_row((*lambda.body).clone());
                *lambda.body = body;
            }
            Expr::Array(array) => {
                let items: Vec<Expr> = std::mem::take(&mut array.elem)
                    .into_iter()
                    .map(as_row)
                    .collect();
                *expr = call(
                    if items.is_empty() {
                        "trino_array"
                    } else {
                        "trino_array_of"
                    },
                    items,
                );
            }
            Expr::AtTimeZone {
                timestamp,
                time_zone,
            } => {
                *expr = call(
                    "at_timezone",
                    vec![(**timestamp).clone(), (**time_zone).clone()],
                );
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// Types as DataFusion knows them. Returns the length of a `varchar(n)`, which Trino cuts to.
fn plain_type(data_type: &mut DataType) -> Option<u64> {
    use datafusion::sql::sqlparser::ast::CharacterLength;
    match data_type {
        DataType::Varchar(Some(CharacterLength::IntegerLength { length, .. })) => {
            let length = *length;
            *data_type = DataType::Varchar(None);
            return Some(length);
        }
        DataType::Varbinary(_) => *data_type = DataType::Bytea,
        _ => {}
    }
    None
}

fn rewrite_function(function: &Function) -> Option<Expr> {
    let [part] = function.name.0.as_slice() else {
        return None;
    };
    let called = part.as_ident()?.value.to_lowercase();
    let args = plain_args(function)?;
    let args: Vec<Expr> = args.into_iter().map(as_row).collect();
    if let Some(new) = aggregate(function, &called, &args) {
        return Some(new);
    }
    let lambda = args.iter().any(|arg| matches!(arg, Expr::Lambda(_)));
    let known = crate::functions::lambda::NAMES
        .iter()
        .find(|(name, _)| lambda && *name == called);
    match known {
        Some((_, ours)) => Some(call(ours, args)),
        None => scalar(&called, args.clone()).or_else(|| {
            let changed = plain_args(function).as_ref() != Some(&args);
            changed.then(|| Expr::Function(with_args(function, &called, args)))
        }),
    }
}

/// Whether an item of a list can fail where it is asked.
fn is_computed(expr: &Expr) -> bool {
    match expr {
        Expr::BinaryOp {
            op: BinaryOperator::Divide | BinaryOperator::Modulo,
            ..
        } => true,
        Expr::Nested(inner) => is_computed(inner),
        _ => false,
    }
}

fn aggregate(function: &Function, called: &str, args: &[Expr]) -> Option<Expr> {
    let new = match (called, args) {
        ("count_if", [condition]) => with_args(
            function,
            "count",
            vec![case(condition.clone(), number(1), None)],
        ),
        ("arbitrary" | "any_value", [x]) => {
            let mut new = with_args(function, "first_value", vec![x.clone()]);
            new.null_treatment = Some(NullTreatment::IgnoreNulls);
            new
        }
        ("max_by" | "min_by", [x, by, n]) => {
            let pair = call("row", vec![x.clone(), by.clone()]);
            let all = collected(function, pair, vec![by]);
            return Some(call(
                "trino_extreme_by",
                vec![all, n.clone(), sign(called == "max_by")],
            ));
        }
        ("max" | "min", [x, n]) => {
            let all = collected(function, x.clone(), vec![x]);
            return Some(call(
                "trino_extremes",
                vec![all, n.clone(), sign(called == "max")],
            ));
        }
        ("lag" | "lead", [_, Expr::Value(offset), ..]) if offset.value == Value::Null => {
            return Some(call("trino_refused", vec![text("Offset must not be null")]));
        }
        ("histogram", [x]) => {
            return Some(call(
                "trino_histogram",
                vec![collected(function, x.clone(), vec![x])],
            ));
        }
        ("approx_most_frequent", [buckets, x, _]) => {
            return Some(call(
                "trino_frequent",
                vec![collected(function, x.clone(), vec![x]), buckets.clone()],
            ));
        }
        ("map_agg" | "multimap_agg", [key, x]) => {
            let pair = call("row", vec![key.clone(), x.clone()]);
            return Some(call(
                &format!("trino_{called}"),
                vec![collected(function, pair, vec![key])],
            ));
        }
        ("map_union", [x]) => {
            return Some(call(
                "trino_map_union",
                vec![collected(function, x.clone(), vec![x])],
            ));
        }
        ("kurtosis" | "skewness" | "entropy", [x]) => {
            return Some(call(
                &format!("trino_{called}"),
                vec![collected(function, x.clone(), vec![x])],
            ));
        }
        ("geometric_mean", [x]) => {
            let logarithm = call(
                "ln",
                vec![cast(x.clone(), DataType::Double(ExactNumberInfo::None))],
            );
            return Some(call(
                "exp",
                vec![Expr::Function(with_args(function, "avg", vec![logarithm]))],
            ));
        }
        ("approx_percentile", [x, share]) => {
            return Some(call(
                "trino_percentile",
                vec![collected(function, x.clone(), vec![x]), share.clone()],
            ));
        }
        ("approx_percentile", [x, weight, share]) => {
            let pair = call("row", vec![x.clone(), weight.clone()]);
            return Some(call(
                "trino_percentile",
                vec![collected(function, pair, vec![x, weight]), share.clone()],
            ));
        }
        ("listagg", [x] | [x, _]) if !function.within_group.is_empty() => {
            let separator = args.get(1).cloned().unwrap_or_else(|| text(""));
            return Some(call(
                "trino_listagg",
                vec![collected(function, x.clone(), vec![x]), separator],
            ));
        }
        ("reduce_agg", [x, start, step, _]) => {
            let all = collected(function, x.clone(), vec![x]);
            let same = Expr::Lambda(LambdaFunction {
                params: OneOrManyWithParens::One(LambdaFunctionParameter {
                    name: Ident::new("s"),
                    data_type: None,
                }),
                body: Box::new(Expr::Identifier(Ident::new("s"))),
                syntax: LambdaSyntax::Arrow,
            });
            return Some(call(
                "trino_reduce",
                vec![all, start.clone(), step.clone(), same],
            ));
        }
        ("every", [x]) => with_args(function, "bool_and", vec![x.clone()]),
        ("bitwise_and_agg", [x]) => with_args(function, "bit_and", vec![x.clone()]),
        ("bitwise_or_agg", [x]) => with_args(function, "bit_or", vec![x.clone()]),
        ("bitwise_xor_agg", [x]) => with_args(function, "bit_xor", vec![x.clone()]),
        ("variance" | "var_samp", [x]) => with_args(function, "var", vec![x.clone()]),
        ("max_by" | "min_by", [x, by]) => extreme_by(function, x, by, called == "min_by"),
        ("approx_distinct", [x]) | ("approx_distinct", [x, _]) => {
            return Some(cast(
                Expr::Function(with_args(function, "approx_distinct", vec![x.clone()])),
                DataType::BigInt(None),
            ));
        }
        _ => return None,
    };
    Some(Expr::Function(new))
}

fn sign(greatest: bool) -> Expr {
    if greatest {
        number(1)
    } else {
        Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr: Box::new(number(1)),
        }
    }
}

/// All values of a group in an array, of the rows where none of some expressions is NULL; WITHIN GROUP's order is theirs.
fn collected(function: &Function, value: Expr, present: Vec<&Expr>) -> Expr {
    let mut new = with_args(function, "array_agg", vec![value]);
    let order = std::mem::take(&mut new.within_group);
    if let FunctionArguments::List(list) = &mut new.args {
        list.clauses
            .retain(|clause| matches!(clause, FunctionArgumentClause::OrderBy(_)));
        if !order.is_empty() {
            list.clauses.push(FunctionArgumentClause::OrderBy(order));
        }
    }
    for expr in present {
        let present = Expr::IsNotNull(Box::new(nested(expr.clone())));
        new.filter = Some(Box::new(match new.filter.take() {
            Some(filter) => and(nested(*filter), present),
            None => present,
        }));
    }
    Expr::Function(new)
}

/// `max_by(x, y)`: x of the row with the greatest y that is not null.
fn extreme_by(function: &Function, x: &Expr, by: &Expr, ascending: bool) -> Function {
    let mut new = with_args(function, "first_value", vec![x.clone()]);
    if let FunctionArguments::List(list) = &mut new.args {
        let options = OrderByOptions {
            asc: Some(ascending),
            nulls_first: Some(false),
        };
        let order = OrderByExpr {
            expr: by.clone(),
            options,
            with_fill: None,
        };
        list.clauses
            .push(FunctionArgumentClause::OrderBy(vec![order]));
    }
    let present = Expr::IsNotNull(Box::new(nested(by.clone())));
    new.filter = Some(Box::new(match new.filter.take() {
        Some(filter) => and(nested(*filter), present),
        None => present,
    }));
    new
}

fn scalar(called: &str, args: Vec<Expr>) -> Option<Expr> {
    let parts = [
        "year",
        "quarter",
        "month",
        "week",
        "day",
        "hour",
        "minute",
        "second",
        "millisecond",
    ];
    if let ([x], true) = (args.as_slice(), parts.contains(&called)) {
        return Some(call("trino_part", vec![text(called), x.clone()]));
    }
    let renamed = match (called, args.len()) {
        ("day_of_week" | "dow", 1)
        | ("day_of_year" | "doy", 1)
        | ("week_of_year", 1)
        | ("day_of_month", 1)
        | ("year_of_week" | "yow", 1) => {
            let mut new = vec![text(called)];
            new.extend(args);
            return Some(call("trino_part", new));
        }
        ("if", 2 | 3) => {
            let mut args = args.into_iter();
            return Some(case(args.next()?, args.next()?, args.next()));
        }
        ("try", 1) => return Some(call("trino_try", vec![closure(args.into_iter().next()?)])),
        ("greatest" | "least", 1..) => {
            let missing = args
                .iter()
                .map(|arg| Expr::IsNull(Box::new(nested(arg.clone()))));
            let any = missing.reduce(|left, right| Expr::BinaryOp {
                left: Box::new(left),
                op: BinaryOperator::Or,
                right: Box::new(right),
            })?;
            let function = if called == "greatest" {
                "trino_greatest"
            } else {
                "trino_least"
            };
            return Some(case(any, value(Value::Null), Some(call(function, args))));
        }
        ("cardinality", 1) => {
            return Some(cast(call("cardinality_of", args), DataType::BigInt(None)));
        }
        ("mod", 2) => {
            let mut args = args.into_iter().map(nested);
            let (left, right) = (Box::new(args.next()?), Box::new(args.next()?));
            return Some(nested(Expr::BinaryOp {
                left,
                op: BinaryOperator::Modulo,
                right,
            }));
        }
        ("rand" | "random", 1 | 2) => {
            let mut drawn = vec![call("random", Vec::new())];
            drawn.extend(args);
            return Some(call("trino_random", drawn));
        }
        ("date", 1) => return Some(cast(args.into_iter().next()?, DataType::Date)),
        ("map", 0 | 2) => "trino_map",
        ("substr" | "substring", 2 | 3) => "trino_substr",
        ("ceiling" | "ceil", 1) => "trino_ceiling",
        ("floor", 1) => "trino_floor",
        ("round", 1 | 2) => "trino_round",
        ("truncate", 1 | 2) => "trino_truncate",
        ("levenshtein_distance", 2) => "levenshtein",
        ("length", 1) => "trino_length",
        ("current_timezone", 0) => return Some(text("UTC")),
        ("normalize", 1 | 2) => return Some(normal_form(args)),
        _ => return None,
    };
    Some(call(renamed, args))
}

/// The form of `normalize(x, NFD)` is a word.
fn normal_form(mut args: Vec<Expr>) -> Expr {
    if let Some(Expr::Identifier(form)) = args.get(1) {
        let form = text(&form.value.to_uppercase());
        args.truncate(1);
        args.push(form);
    }
    call("normalize", args)
}

/// A cast of a constant is made when the statement is planned, where nothing tries it: its text is hidden from that.
struct Later;

impl VisitorMut for Later {
    type Break = ();
    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Cast { expr: inner, .. } = expr
            && let Expr::Value(ValueWithSpan {
                value: Value::SingleQuotedString(_),
                ..
            }) = inner.as_ref()
        {
            **inner = call("trino_opaque", vec![(**inner).clone()]);
        }
        ControlFlow::Continue(())
    }
}

/// An expression that is asked later: a lambda without parameters.
fn closure(mut body: Expr) -> Expr {
    let _ = VisitMut::visit(&mut body, &mut Later);
    Expr::Lambda(LambdaFunction {
        params: OneOrManyWithParens::Many(Vec::new()),
        body: Box::new(body),
        syntax: LambdaSyntax::Arrow,
    })
}
