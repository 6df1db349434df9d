//! `IN (subquery)` with the three values of SQL.
//!
//! DataFusion joins for it. The join of a plain `x IN (…)` among the AND-ed conditions of a WHERE is right: a row is
//! taken when there is a match. Anywhere else (negated, OR-ed, inside of CASE or IS NOT TRUE) its join knows only "match"
//! and "no match", and a NULL on either side becomes FALSE, which negated selects, and deletes, rows that must stay. There
//! the condition is spelled out: TRUE on a match, NULL where a NULL might have been one, FALSE otherwise.

use std::{collections::HashSet, ops::ControlFlow};

use datafusion::sql::sqlparser::{
    ast::{
        BinaryOperator, Expr, GroupByExpr, Ident, Join, JoinConstraint, JoinOperator, Query,
        Select, SelectItem, SetExpr, TableFactor, TableWithJoins, UnaryOperator, Value, Visit,
        VisitMut, Visitor, VisitorMut,
    },
    dialect::GenericDialect,
    parser::Parser,
};

use super::rewrite::{and, nested, three_valued};

/// The subquery's rows and their one column, under names that nobody else gives.
const ROWS: &str = "\"__in\"";
const VALUE: &str = "\"__in_value\"";

/// Makes the conditions of WHERE, HAVING and an inner join's ON right that ask whether a subquery holds a value. Elsewhere, as in the list
/// of a SELECT, DataFusion refuses them.
pub(crate) fn in_where(select: &mut Select) {
    let only = match select.from.as_slice() {
        [TableWithJoins { relation, joins }] if joins.is_empty() => name_of(relation),
        _ => None,
    };
    in_where_instead_of_on(select);
    let mut spelled = Spelled::of(only);
    for condition in select.selection.iter_mut().chain(&mut select.having) {
        conjunct(condition, &mut spelled);
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
    let only = match select.from.as_slice() {
        [TableWithJoins { relation, joins }] if joins.is_empty() => name_of(relation),
        _ => None,
    };
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
            let _ = VisitMut::visit(expr, &mut Spelled::of(only.clone()));
        }
    }
}

fn conjunct(condition: &mut Expr, spelled: &mut Spelled) {
    match condition {
        Expr::Nested(inner) => conjunct(inner, spelled),
        Expr::BinaryOp {
            left,
            op: BinaryOperator::And,
            right,
        } => {
            conjunct(left, spelled);
            conjunct(right, spelled);
        }
        Expr::InSubquery { negated: false, .. } => {}
        other => {
            let _ = VisitMut::visit(other, spelled);
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

struct Spelled {
    /// The one relation of the query that asks, where it has but one.
    only: Option<Ident>,
    /// How deep inside functions with a FILTER: what asks there is left, and refused by name.
    filtered: usize,
}

impl Spelled {
    fn of(only: Option<Ident>) -> Self {
        Self { only, filtered: 0 }
    }
}

fn has_a_filter(expr: &Expr) -> bool {
    matches!(expr, Expr::Function(function) if function.filter.is_some())
}

impl VisitorMut for Spelled {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        self.filtered += usize::from(has_a_filter(expr));
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        self.filtered -= usize::from(has_a_filter(expr));
        if self.filtered > 0 {
            return ControlFlow::Continue(());
        }
        let new = match expr {
            Expr::InSubquery {
                expr: value,
                subquery,
                negated,
            } => self.spell(value, subquery, *negated),
            Expr::AnyOp {
                left,
                compare_op: BinaryOperator::Eq,
                right,
                ..
            } => subquery_of(right).and_then(|subquery| self.spell(left, subquery, false)),
            Expr::AllOp {
                left,
                compare_op: BinaryOperator::NotEq,
                right,
            } => subquery_of(right).and_then(|subquery| self.spell(left, subquery, true)),
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

impl Spelled {
    /// `value IN (subquery)`; nothing for several values at once, which are refused where they are planned.
    fn spell(&self, value: &Expr, subquery: &Query, negated: bool) -> Option<Expr> {
        if matches!(value, Expr::Tuple(_)) {
            return None;
        }
        let rows = match is_correlated(subquery) {
            true => self
                .correlated(value, subquery)
                .unwrap_or_else(|| framed(value, subquery)),
            false => framed(value, subquery),
        };
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

    /// A subquery that asks about the row outside: its own WHERE is asked for more, since a frame would hide that row.
    fn correlated(&self, value: &Expr, subquery: &Query) -> Option<Rows> {
        let SetExpr::Select(select) = subquery.body.as_ref() else {
            return None;
        };
        let (SelectItem::UnnamedExpr(held) | SelectItem::ExprWithAlias { expr: held, .. }) =
            select.projection.first()?
        else {
            return None;
        };
        let plain = subquery.limit_clause.is_none()
            && subquery.with.is_none()
            && select.having.is_none()
            && select.projection.len() == 1
            && matches!(&select.group_by, GroupByExpr::Expressions(by, _) if by.is_empty());
        let value = self.qualified(value)?;
        let with = |condition: String| {
            let mut select = select.clone();
            let own = select.selection.take();
            let own = own.map_or(String::new(), |own| format!("({own}) AND "));
            select.projection = vec![SelectItem::UnnamedExpr(Expr::value(Value::Boolean(true)))];
            format!("{select} WHERE {own}{condition}")
        };
        plain.then(|| Rows {
            matching: with(format!("({held}) = ({value})")),
            null: with(format!("({held}) IS NULL")),
            any: with("TRUE".to_owned()),
        })
    }

    /// The value with its column's relation, so that inside of the subquery no column of the same name is taken for it.
    fn qualified(&self, value: &Expr) -> Option<Expr> {
        match value {
            Expr::Identifier(column) => Some(Expr::CompoundIdentifier(vec![
                self.only.clone()?,
                column.clone(),
            ])),
            Expr::CompoundIdentifier(_) | Expr::Value(_) => Some(value.clone()),
            Expr::Nested(inner) => self.qualified(inner),
            _ => None,
        }
    }
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
