//! Parts of a statement, as they are written where one is put in.

use datafusion::sql::sqlparser::{
    ast::{
        BinaryOperator, CaseWhen, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr,
        FunctionArgumentList, FunctionArguments, Ident, ObjectName, ObjectNamePart, Value,
        ValueWithSpan, helpers::attached_token::AttachedToken,
    },
    tokenizer::Span,
};

/// A quoted identifier.
#[must_use]
pub fn ident(name: &str) -> Ident {
    Ident::with_quote('"', name)
}

pub(crate) fn name(text: &str) -> ObjectName {
    ObjectName(vec![ObjectNamePart::Identifier(Ident::new(text))])
}

pub(crate) fn value(value: Value) -> Expr {
    Expr::Value(ValueWithSpan {
        value,
        span: Span::empty(),
    })
}

pub(crate) fn number(number: u64) -> Expr {
    value(Value::Number(number.to_string(), false))
}

pub(crate) fn text(text: &str) -> Expr {
    value(Value::SingleQuotedString(text.to_owned()))
}

pub(crate) fn arguments(args: Vec<Expr>) -> FunctionArguments {
    let args = args
        .into_iter()
        .map(|arg| FunctionArg::Unnamed(FunctionArgExpr::Expr(arg)))
        .collect();
    FunctionArguments::List(FunctionArgumentList {
        duplicate_treatment: None,
        args,
        clauses: Vec::new(),
    })
}

pub(crate) fn call(function: &str, args: Vec<Expr>) -> Expr {
    Expr::Function(Function {
        name: name(function),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: arguments(args),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

pub(crate) fn cast(expr: Expr, data_type: DataType) -> Expr {
    Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(expr),
        data_type,
        array: false,
        format: None,
    }
}

pub(crate) fn case(condition: Expr, then: Expr, otherwise: Option<Expr>) -> Expr {
    Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions: vec![CaseWhen {
            condition,
            result: then,
        }],
        else_result: otherwise.map(Box::new),
    }
}

/// TRUE, else NULL, else FALSE.
pub(crate) fn three_valued(is_true: Expr, is_unknown: Expr) -> Expr {
    Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions: vec![
            CaseWhen {
                condition: is_true,
                result: value(Value::Boolean(true)),
            },
            CaseWhen {
                condition: is_unknown,
                result: value(Value::Null),
            },
        ],
        else_result: Some(Box::new(value(Value::Boolean(false)))),
    }
}

pub(crate) fn nested(expr: Expr) -> Expr {
    Expr::Nested(Box::new(expr))
}

/// The plain arguments of a call, unless it has something else, such as `*` or named ones.
pub(crate) fn plain_args(function: &Function) -> Option<Vec<Expr>> {
    let FunctionArguments::List(list) = &function.args else {
        return None;
    };
    let args = list.args.iter().map(|arg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
        _ => None,
    });
    args.collect()
}

pub(crate) fn with_args(function: &Function, new_name: &str, args: Vec<Expr>) -> Function {
    let mut new = function.clone();
    new.name = name(new_name);
    if let FunctionArguments::List(list) = &mut new.args {
        list.args = args
            .into_iter()
            .map(|arg| FunctionArg::Unnamed(FunctionArgExpr::Expr(arg)))
            .collect();
    }
    new
}

/// `left AND right`.
#[must_use]
pub fn and(left: Expr, right: Expr) -> Expr {
    Expr::BinaryOp {
        left: Box::new(left),
        op: BinaryOperator::And,
        right: Box::new(right),
    }
}
