//! `IN (subquery)` with the three values of SQL.
//!
//! DataFusion joins for it. The join of a plain `x IN (…)` among the AND-ed conditions of a WHERE is right: a row is
//! taken when there is a match. Anywhere else (negated, OR-ed, inside of CASE or IS NOT TRUE) its join knows only "match"
//! and "no match", and a NULL on either side becomes FALSE, which negated selects, and deletes, rows that must stay. There
//! the condition is spelled out: TRUE on a match, NULL where a NULL might have been one, FALSE otherwise.

use std::{collections::HashSet, ops::ControlFlow};

use datafusion::sql::sqlparser::{
    ast::{
        BinaryOperator, Expr, Ident, Join, JoinConstraint, JoinOperator, Query, Select, SelectItem,
        SetExpr, TableFactor, UnaryOperator, Value, Visit, VisitMut, Visitor, VisitorMut,
    },
    dialect::GenericDialect,
    parser::Parser,
};

use super::rewrite::{and, call, nested, three_valued};

/// The subquery's rows and their one column, under names that nobody else gives.
const ROWS: &str = "\"__in\"";
const VALUE: &str = "\"__in_value\"";

/// Makes the conditions of WHERE, HAVING and an inner join's ON right that ask whether a subquery holds a value. Elsewhere, as in the list
/// of a SELECT, DataFusion refuses them.
pub(crate) fn in_where(select: &mut Select) {
    in_where_instead_of_on(select);
    for condition in select.selection.iter_mut().chain(&mut select.having) {
        conjunct(condition);
    }
}

/// Moves what an inner join's ON asks of subqueries to the WHERE, where it means the same and the row that asks can be
/// named. What is joined after it may keep rows of the left side only, which the WHERE then looks at as ON would have.
fn in_where_instead_of_on(select: &mut Select) {
    let keeps_the_right = |join: &Join| {
        matches!(
            join.join_operator,
            JoinOperator::Right(_) | JoinOperator::RightOuter(_) | JoinOperator::FullOuter(_)
        )
    };
    let inner = select
        .from
        .iter_mut()
        .filter(|from| !from.joins.iter().any(keeps_the_right));
    for join in inner.flat_map(|from| &mut from.joins) {
        let (JoinOperator::Join(JoinConstraint::On(condition))
        | JoinOperator::Inner(JoinConstraint::On(condition))) = &mut join.join_operator
        else {
            continue;
        };
        let mut all = Vec::new();
        conjuncts(condition, &mut all);
        let (asks, rest): (Vec<Expr>, Vec<Expr>) = all.into_iter().partition(asks_a_subquery);
        if !asks.is_empty() {
            let always = || Expr::value(Value::Boolean(true));
            *condition = rest.into_iter().reduce(and).unwrap_or_else(always);
            // In brackets: it is printed and parsed again where it stands in a subquery.
            let all = select.selection.take().into_iter().chain(asks);
            select.selection = all.map(nested).reduce(and);
        }
    }
}

/// The conditions that are AND-ed, each in brackets of its own where it needs them.
fn conjuncts(condition: &Expr, found: &mut Vec<Expr>) {
    match condition {
        Expr::Nested(inner)
            if matches!(
                **inner,
                Expr::Nested(_)
                    | Expr::BinaryOp {
                        op: BinaryOperator::And,
                        ..
                    }
            ) =>
        {
            conjuncts(inner, found);
        }
        Expr::BinaryOp {
            left,
            op: BinaryOperator::And,
            right,
        } => {
            conjuncts(left, found);
            conjuncts(right, found);
        }
        other => found.push(other.clone()),
    }
}

/// The same for what a SELECT list asks.
pub(crate) fn in_list(select: &mut Select) {
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
            let _ = VisitMut::visit(expr, &mut Spelled);
        }
    }
}

fn conjunct(condition: &mut Expr) {
    match condition {
        Expr::Nested(inner) => conjunct(inner),
        Expr::BinaryOp {
            left,
            op: BinaryOperator::And,
            right,
        } => {
            conjunct(left);
            conjunct(right);
        }
        Expr::InSubquery { negated: false, .. } => {}
        other => {
            let _ = VisitMut::visit(other, &mut Spelled);
        }
    }
}

/// The name by which a relation's columns are called.
fn name_of(relation: &TableFactor) -> Option<Ident> {
    match relation {
        TableFactor::Table {
            alias: Some(alias), ..
        }
        | TableFactor::Derived {
            alias: Some(alias), ..
        } => Some(alias.name.clone()),
        TableFactor::Table { name, .. } => name.0.last()?.as_ident().cloned(),
        _ => None,
    }
}

/// Whether an expression asks a subquery.
#[must_use]
pub fn asks_a_subquery(expr: &Expr) -> bool {
    struct Asks;
    impl Visitor for Asks {
        type Break = ();
        fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
            ControlFlow::Break(())
        }
    }
    Visit::visit(expr, &mut Asks).is_break()
}

/// `(a, b) IN (SELECT c, d …)` asks for a row among rows.
pub(crate) fn rows(value: &mut Expr, subquery: &mut Box<Query>) {
    let items = match &*value {
        Expr::Tuple(items) => items.clone(),
        Expr::Nested(inner) => match inner.as_ref() {
            Expr::Tuple(items) => items.clone(),
            _ => return,
        },
        _ => return,
    };
    let names: Vec<String> = (0..items.len())
        .map(|place| format!("\"__in_{place}\""))
        .collect();
    let names = names.join(", ");
    let text =
        format!("SELECT row({names}) AS \"__in_row\" FROM ({subquery}) AS \"__in_rows\" ({names})");
    if let Some(framed) = parsed(&text) {
        *subquery = framed;
        *value = call("row", items);
    }
}

/// Whether a value is a row that is written out.
fn is_row(value: &Expr) -> bool {
    matches!(value, Expr::Function(function) if function.name.to_string() == "row")
}

/// Whether an expression of a SELECT asks a subquery.
pub(crate) fn select_asks_a_subquery(select: &Select) -> bool {
    let mut select = select.clone();
    select.from.clear();
    let mut found = false;
    let _ = datafusion::sql::sqlparser::ast::visit_expressions(&select, |expr| {
        found |= asks_a_subquery(expr);
        ControlFlow::<()>::Continue(())
    });
    found
}

struct Spelled;

impl VisitorMut for Spelled {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let new = match expr {
            Expr::InSubquery {
                expr: value,
                subquery,
                negated,
            } => spell(value, subquery, *negated),
            Expr::AnyOp {
                left,
                compare_op: BinaryOperator::Eq,
                right,
                ..
            } => subquery_of(right).and_then(|subquery| spell(left, subquery, false)),
            Expr::AllOp {
                left,
                compare_op: BinaryOperator::NotEq,
                right,
            } => subquery_of(right).and_then(|subquery| spell(left, subquery, true)),
            _ => None,
        };
        if let Some(new) = new {
            *expr = new;
        }
        ControlFlow::Continue(())
    }
}

fn subquery_of(expr: &Expr) -> Option<&Query> {
    match expr {
        Expr::Subquery(query) => Some(query),
        Expr::Nested(inner) => subquery_of(inner),
        _ => None,
    }
}

/// `value IN (subquery)`; nothing for what is told where it is planned: rows, and subqueries that ask about the row outside ([`crate::decorrelate`]).
fn spell(value: &Expr, subquery: &Query, negated: bool) -> Option<Expr> {
    if is_row(value) || is_correlated(subquery) {
        return None;
    }
    let rows = framed(value, subquery);
    let exists = |text: &str| {
        parsed(text).map(|subquery| Expr::Exists {
            subquery,
            negated: false,
        })
    };
    let is_null = Expr::IsNull(Box::new(Expr::Nested(Box::new(value.clone()))));
    let null_asked = and(is_null, exists(&rows.any)?);
    let unknown = Expr::BinaryOp {
        left: Box::new(exists(&rows.null)?),
        op: BinaryOperator::Or,
        right: Box::new(Expr::Nested(Box::new(null_asked))),
    };
    let told = three_valued(exists(&rows.matching)?, unknown);
    Some(Expr::Nested(Box::new(match negated {
        true => Expr::UnaryOp {
            op: UnaryOperator::Not,
            expr: Box::new(told),
        },
        false => told,
    })))
}

/// The three questions, as SELECTs of whose rows only their being there counts.
struct Rows {
    matching: String,
    null: String,
    any: String,
}

/// The subquery as a relation of one column. One row of it is enough, and DISTINCT keeps a join on no key from meeting
/// all of them.
fn framed(value: &Expr, subquery: &Query) -> Rows {
    let from = format!("FROM ({subquery}) AS {ROWS} ({VALUE})");
    Rows {
        matching: format!("SELECT 1 {from} WHERE {ROWS}.{VALUE} = ({value})"),
        null: format!("SELECT DISTINCT 1 {from} WHERE {ROWS}.{VALUE} IS NULL"),
        any: format!("SELECT DISTINCT 1 {from}"),
    }
}

/// Whether a subquery names a relation that is not its own.
fn is_correlated(subquery: &Query) -> bool {
    #[derive(Default)]
    struct Names {
        own: HashSet<String>,
        used: HashSet<String>,
    }
    impl Visitor for Names {
        type Break = ();
        fn pre_visit_table_factor(&mut self, relation: &TableFactor) -> ControlFlow<()> {
            self.own
                .extend(name_of(relation).map(|name| name.value.to_lowercase()));
            ControlFlow::Continue(())
        }
        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            if let Expr::CompoundIdentifier(parts) = expr
                && let [.., relation, _] = parts.as_slice()
            {
                self.used.insert(relation.value.to_lowercase());
            }
            ControlFlow::Continue(())
        }
    }
    let mut names = Names::default();
    let _ = Visit::visit(subquery, &mut names);
    !names.used.is_subset(&names.own)
}

fn parsed(text: &str) -> Option<Box<Query>> {
    // Our own frame around what was parsed and printed before.
    let query = Parser::new(&GenericDialect {})
        .try_with_sql(text)
        .and_then(|mut parser| parser.parse_query())
        .ok()?;
    matches!(query.body.as_ref(), SetExpr::Select(_)).then_some(query)
}
