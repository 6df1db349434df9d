//! Subqueries and lists in a SELECT list, in forms that DataFusion plans.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::{
    ast::{
        BinaryOperator, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr,
        JoinOperator, ObjectName, ObjectNamePart, Query, Select, SelectItem, SetExpr, TableAlias,
        TableFactor, TableWithJoins, UnaryOperator, VisitMut, VisitorMut,
    },
    dialect::GenericDialect,
    parser::Parser,
};

/// `EXISTS (…)` outside of a WHERE is whether a count is above 0.
pub(crate) fn counted(select: &mut Select) {
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
            let _ = VisitMut::visit(expr, &mut Counted { depth: 0 });
        }
    }
}

struct Counted {
    /// Queries around the expression: theirs is their own matter.
    depth: usize,
}

impl VisitorMut for Counted {
    type Break = ();

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if self.depth == 0
            && let Expr::Exists { subquery, negated } = expr
            && let Some(count) = count_of(subquery)
        {
            let some = Expr::BinaryOp {
                left: Box::new(Expr::Subquery(count)),
                op: BinaryOperator::Gt,
                right: Box::new(Expr::value(sqlparser_zero())),
            };
            let some = Expr::Nested(Box::new(some));
            *expr = match negated {
                true => Expr::UnaryOp {
                    op: UnaryOperator::Not,
                    expr: Box::new(some),
                },
                false => some,
            };
        }
        ControlFlow::Continue(())
    }
}

fn sqlparser_zero() -> datafusion::sql::sqlparser::ast::Value {
    datafusion::sql::sqlparser::ast::Value::Number("0".to_owned(), false)
}

/// The number of a query's rows, as a query.
fn count_of(query: &Query) -> Option<Box<Query>> {
    let mut query = query.clone();
    if let SetExpr::Select(select) = query.body.as_mut()
        && select.having.is_none()
        && matches!(&select.group_by, GroupByExpr::Expressions(by, _) if !by.is_empty() && by.iter().all(|expr| matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_))))
    {
        // There is a group where there is a row.
        select.group_by = GroupByExpr::Expressions(Vec::new(), Vec::new());
        select.projection = vec![SelectItem::UnnamedExpr(Expr::value(sqlparser_zero()))];
    }
    let query = &query;
    let plain = match query.body.as_ref() {
        SetExpr::Select(select)
            if query.limit_clause.is_none()
                && query.fetch.is_none()
                && query.with.is_none()
                && select.having.is_none()
                && select.distinct.is_none() =>
        {
            matches!(&select.group_by, GroupByExpr::Expressions(by, _) if by.is_empty())
                .then(|| select.clone())
        }
        _ => None,
    };
    let text = match plain {
        // Its own FROM and WHERE, so that it may ask about the row outside.
        Some(mut select) if !aggregates(&select) => {
            select.projection = Vec::new();
            let rest = select.to_string();
            format!(
                "SELECT count(*) AS \"__count\" {}",
                rest.strip_prefix("SELECT").unwrap_or(&rest)
            )
        }
        _ => format!("SELECT count(*) AS \"__count\" FROM ({query}) AS \"__exists\""),
    };
    Parser::new(&GenericDialect {})
        .try_with_sql(&text)
        .and_then(|mut parser| parser.parse_query())
        .ok()
}

/// Whether a SELECT without GROUP BY gives one row whatever there is.
fn aggregates(select: &Select) -> bool {
    let text = select
        .projection
        .iter()
        .map(ToString::to_string)
        .collect::<String>()
        .to_lowercase();
    ["count(", "sum(", "avg(", "min(", "max(", "_agg("]
        .iter()
        .any(|name| text.contains(name))
}

/// What TRY guards is its own expression, not what a subquery computed for it: a column that is named twice more is not
/// replaced by what it stands for.
pub(crate) fn held_apart(select: &mut Select) {
    let derived = |from: &TableWithJoins| {
        std::iter::once(&from.relation)
            .chain(from.joins.iter().map(|join| &join.relation))
            .any(|relation| matches!(relation, TableFactor::Derived { .. }))
    };
    if !select.from.iter().any(derived)
        || !matches!(&select.group_by, GroupByExpr::Expressions(by, _) if by.is_empty())
    {
        return;
    }
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
            tried(expr);
        }
    }
}

/// Adds to `trino_try(() -> x)` its columns as further arguments, which nothing reads.
fn tried(expr: &mut Expr) {
    let Expr::Function(function) = expr else {
        return;
    };
    if function.name.to_string() != "trino_try" {
        return;
    }
    let FunctionArguments::List(list) = &mut function.args else {
        return;
    };
    let [FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Lambda(lambda)))] = list.args.as_slice()
    else {
        return;
    };
    if let column @ (Expr::Identifier(_) | Expr::CompoundIdentifier(_)) = lambda.body.as_ref() {
        let column = FunctionArg::Unnamed(FunctionArgExpr::Expr(column.clone()));
        list.args.extend([column.clone(), column]);
    }
}

/// `CUBE` and `ROLLUP` of columns that go together, as GROUPING SETS.
pub(crate) fn sets(select: &mut Select) {
    let GroupByExpr::Expressions(by, _) = &mut select.group_by else {
        return;
    };
    for expr in by {
        let (items, cube) = match expr {
            Expr::Cube(items) => (items, true),
            Expr::Rollup(items) => (items, false),
            _ => continue,
        };
        let items: Vec<Vec<Expr>> = items
            .iter()
            .map(|item| item.iter().flat_map(together).collect())
            .collect();
        if items.len() > 10 || items.iter().all(|item| item.len() == 1) {
            continue;
        }
        let chosen = |pick: &dyn Fn(usize) -> bool| {
            (0..items.len())
                .filter(|place| pick(*place))
                .flat_map(|place| items[place].clone())
                .collect::<Vec<_>>()
        };
        let sets = if cube {
            (0..1_usize << items.len())
                .map(|bits| chosen(&|place| bits >> place & 1 == 1))
                .collect()
        } else {
            (0..=items.len())
                .map(|count| chosen(&|place| place < count))
                .collect()
        };
        *expr = Expr::GroupingSets(sets);
    }
}

fn together(expr: &Expr) -> Vec<Expr> {
    match expr {
        Expr::Tuple(items) => items.clone(),
        other => vec![other.clone()],
    }
}

/// The value of `(SELECT x)`: one that asks no table.
pub(crate) fn constant(query: &Query) -> Option<Expr> {
    let SetExpr::Select(select) = query.body.as_ref() else {
        return None;
    };
    let plain = select.from.is_empty()
        && select.selection.is_none()
        && select.having.is_none()
        && select.distinct.is_none()
        && query.with.is_none()
        && query.limit_clause.is_none()
        && query.fetch.is_none();
    match select.projection.as_slice() {
        [SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }]
            if plain && !aggregates(select) =>
        {
            Some(expr.clone())
        }
        _ => None,
    }
}

/// `x > ALL (subquery)`: by the greatest or least of its values, and open where one of them is NULL.
pub(crate) fn all_of(left: &Expr, op: &BinaryOperator, right: &Expr) -> Option<Expr> {
    let extreme = match op {
        BinaryOperator::Gt | BinaryOperator::GtEq => "max",
        BinaryOperator::Lt | BinaryOperator::LtEq => "min",
        _ => return None,
    };
    let query = match right {
        Expr::Subquery(query) => query,
        Expr::Nested(inner) => match inner.as_ref() {
            Expr::Subquery(query) => query,
            _ => return None,
        },
        _ => return None,
    };
    let ask = |what: &str| format!("(SELECT {what} FROM ({query}) AS \"__all\" (\"__value\"))");
    let (rows, values, best) = (
        ask("count(*)"),
        ask("count(\"__value\")"),
        ask(&format!("{extreme}(\"__value\")")),
    );
    let told = format!("({left}) {op} {best}");
    let text = format!(
        "CASE WHEN {rows} = 0 THEN TRUE WHEN NOT ({told}) THEN FALSE WHEN {values} < {rows} THEN NULL ELSE {told} END"
    );
    Parser::new(&GenericDialect {})
        .try_with_sql(&text)
        .and_then(|mut parser| parser.parse_expr())
        .ok()
}

/// A name that a WITH inside of another query gives is that query's own, whatever is called so around it: it gets a name
/// that nobody else gives.
pub(crate) fn named_once(query: &mut Query) {
    let _ = VisitMut::visit(query, &mut NamedOnce { depth: 0, given: 0 });
}

struct NamedOnce {
    depth: usize,
    given: usize,
}

impl VisitorMut for NamedOnce {
    type Break = ();

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        self.depth -= 1;
        if self.depth == 0 || query.with.as_ref().is_none_or(|with| with.recursive) {
            return ControlFlow::Continue(());
        }
        let names: Vec<String> = query
            .with
            .iter()
            .flat_map(|with| &with.cte_tables)
            .map(|cte| cte.alias.name.value.to_lowercase())
            .collect();
        for name in names {
            self.given += 1;
            let new = format!("__{}_{name}", self.given);
            let mut seen = false;
            for cte in query.with.iter_mut().flat_map(|with| &mut with.cte_tables) {
                if seen {
                    let _ = VisitMut::visit(
                        &mut cte.query,
                        &mut Renamed {
                            name: &name,
                            new: &new,
                        },
                    );
                } else if cte.alias.name.value.to_lowercase() == name {
                    cte.alias.name = crate::rewrite::ident(&new);
                    seen = true;
                }
            }
            let _ = VisitMut::visit(
                &mut query.body,
                &mut Renamed {
                    name: &name,
                    new: &new,
                },
            );
        }
        ControlFlow::Continue(())
    }
}

struct Renamed<'a> {
    name: &'a str,
    new: &'a str,
}

impl VisitorMut for Renamed<'_> {
    type Break = ();

    fn post_visit_table_factor(&mut self, relation: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table {
            name,
            alias,
            args: None,
            ..
        } = relation
            && let [part] = name.0.as_slice()
            && let Some(ident) = part.as_ident().cloned()
            && ident.value.to_lowercase() == self.name
        {
            let as_before = TableAlias {
                explicit: true,
                name: ident,
                columns: Vec::new(),
                at: None,
            };
            alias.get_or_insert(as_before);
            *name = ObjectName(vec![ObjectNamePart::Identifier(crate::rewrite::ident(
                self.new,
            ))]);
        }
        ControlFlow::Continue(())
    }
}

/// FULL and RIGHT JOIN keep rows that nothing stands beside: what they join cannot ask about the row to its left, so it
/// stands alone.
pub(crate) fn alone(from: &mut TableWithJoins) {
    for join in &mut from.joins {
        if !matches!(
            join.join_operator,
            JoinOperator::FullOuter(_) | JoinOperator::Right(_) | JoinOperator::RightOuter(_)
        ) {
            continue;
        }
        match &mut join.relation {
            TableFactor::Derived { lateral, .. } => *lateral = false,
            TableFactor::UNNEST { alias, .. } => {
                let alias = alias.take();
                let text = format!("SELECT * FROM {}", join.relation);
                let query = Parser::new(&GenericDialect {})
                    .try_with_sql(&text)
                    .and_then(|mut parser| parser.parse_query());
                if let Ok(subquery) = query {
                    join.relation = TableFactor::Derived {
                        lateral: false,
                        subquery,
                        alias,
                        sample: None,
                    };
                }
            }
            _ => {}
        }
    }
}
