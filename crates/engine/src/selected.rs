//! Subqueries and lists in a SELECT list, in forms that DataFusion plans.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::{
    ast::{
        BinaryOperator, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr, Ident,
        JoinOperator, LimitClause, ObjectName, ObjectNamePart, Query, Select, SelectItem, SetExpr,
        TableAlias, TableFactor, TableWithJoins, VisitMut, VisitorMut,
    },
    dialect::GenericDialect,
    parser::Parser,
};

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

/// What GROUP BY DISTINCT begins with.
pub(crate) const DISTINCT: &str = "__distinct";

/// The sets that a part of GROUP BY stands for.
fn sets_of(expr: &Expr) -> Vec<Vec<Expr>> {
    let flat = |items: &[Vec<Expr>]| -> Vec<Vec<Expr>> {
        items
            .iter()
            .map(|item| item.iter().flat_map(together).collect())
            .collect()
    };
    match expr {
        Expr::GroupingSets(sets) => flat(sets),
        Expr::Cube(items) => {
            let items = flat(items);
            (0..1_usize << items.len().min(10))
                .map(|bits| {
                    (0..items.len())
                        .filter(|place| bits >> place & 1 == 1)
                        .flat_map(|place| items[place].clone())
                        .collect()
                })
                .collect()
        }
        Expr::Rollup(items) => {
            let items = flat(items);
            (0..=items.len())
                .map(|count| items[..count].concat())
                .collect()
        }
        other => vec![together(other)],
    }
}

/// Whether two parts of GROUP BY are one column, with or without its relation.
fn is_same(one: &Expr, other: &Expr) -> bool {
    match (one, other) {
        (Expr::Identifier(name), Expr::CompoundIdentifier(parts))
        | (Expr::CompoundIdentifier(parts), Expr::Identifier(name)) => parts
            .last()
            .is_some_and(|last| last.value.eq_ignore_ascii_case(&name.value)),
        _ => one.to_string().eq_ignore_ascii_case(&other.to_string()),
    }
}

/// GROUP BY DISTINCT: each set of columns once.
fn distinct_sets(by: &mut Vec<Expr>) {
    let marked = matches!(by.first(), Some(Expr::Identifier(name)) if name.value == DISTINCT);
    if !marked {
        return;
    }
    by.remove(0);
    let mut all: Vec<Vec<Expr>> = vec![Vec::new()];
    for expr in by.iter() {
        let sets = sets_of(expr);
        all = all
            .iter()
            .flat_map(|so_far| {
                sets.iter()
                    .map(|set| [so_far.clone(), set.clone()].concat())
            })
            .collect();
    }
    let mut once: Vec<Vec<Expr>> = Vec::new();
    for set in all {
        let mut columns: Vec<Expr> = Vec::new();
        for expr in set {
            if !columns.iter().any(|known| is_same(known, &expr)) {
                columns.push(expr);
            }
        }
        let known = once.iter().any(|known| {
            known.len() == columns.len()
                && columns
                    .iter()
                    .all(|expr| known.iter().any(|known| is_same(known, expr)))
        });
        if !known {
            once.push(columns);
        }
    }
    *by = match once.as_slice() {
        [only] => only.clone(),
        _ => vec![Expr::GroupingSets(once)],
    };
}

/// `CUBE` and `ROLLUP` of columns that go together, as GROUPING SETS.
pub(crate) fn sets(select: &mut Select) {
    let GroupByExpr::Expressions(by, _) = &mut select.group_by else {
        return;
    };
    distinct_sets(by);
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

/// Keeps a subquery that asks no table from being taken for its value.
pub(crate) fn as_rows(expr: &mut Expr) {
    match expr {
        Expr::Nested(inner) => as_rows(inner),
        Expr::Subquery(query) if constant(query).is_some() => {
            let text = format!("SELECT * FROM ({query}) AS \"__one\"");
            let framed = Parser::new(&GenericDialect {})
                .try_with_sql(&text)
                .and_then(|mut parser| parser.parse_query());
            if let Ok(framed) = framed {
                *query = framed;
            }
        }
        _ => {}
    }
}

/// `FETCH FIRST n ROWS ONLY` is `LIMIT n`; ties and percents are refused where they are planned.
pub(crate) fn fetched(query: &mut Query) {
    let Some(fetch) = query.fetch.take() else {
        return;
    };
    let limit = fetch
        .quantity
        .clone()
        .unwrap_or_else(|| crate::rewrite::number(1));
    if fetch.percent || fetch.with_ties {
        query.fetch = Some(fetch);
        return;
    }
    match &mut query.limit_clause {
        Some(LimitClause::LimitOffset { limit: given, .. }) if given.is_none() => {
            *given = Some(limit);
        }
        Some(_) => query.fetch = Some(fetch),
        none => {
            *none = Some(LimitClause::LimitOffset {
                limit: Some(limit),
                offset: None,
                limit_by: Vec::new(),
            });
        }
    }
}

/// `x > ALL (subquery)` and `x > ANY (subquery)`: by the greatest or least of its values, and open where one is NULL.
pub(crate) fn compared(left: &Expr, op: &BinaryOperator, right: &Expr, all: bool) -> Option<Expr> {
    let extreme = match (op, all) {
        (BinaryOperator::Gt | BinaryOperator::GtEq, true)
        | (BinaryOperator::Lt | BinaryOperator::LtEq, false) => "max",
        (BinaryOperator::Lt | BinaryOperator::LtEq, true)
        | (BinaryOperator::Gt | BinaryOperator::GtEq, false) => "min",
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
    let (nothing, decided, decides) = match all {
        true => ("TRUE", format!("NOT ({told})"), "FALSE"),
        false => ("FALSE", told.clone(), "TRUE"),
    };
    let text = format!(
        "CASE WHEN {rows} = 0 THEN {nothing} WHEN {decided} THEN {decides} WHEN {values} < {rows} THEN NULL ELSE {told} END"
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

/// What stands first in a FROM has nothing to its left, whether it says LATERAL or not.
pub(crate) fn first_alone(select: &mut Select) {
    if let Some(TableFactor::Derived { lateral, .. }) =
        select.from.first_mut().map(|first| &mut first.relation)
    {
        *lateral = false;
    }
}

/// The name of what a LATERAL holds, by which its plan is known.
pub(crate) const LATERAL: &str = "__lateral";

/// DataFusion does not see that a LATERAL asks about the row to its left where only a subquery inside of it does.
pub(crate) fn laterals_marked(select: &mut Select) {
    for from in &mut select.from {
        let TableWithJoins { relation, joins } = from;
        for relation in
            std::iter::once(relation).chain(joins.iter_mut().map(|join| &mut join.relation))
        {
            let TableFactor::Derived {
                lateral: true,
                subquery,
                ..
            } = relation
            else {
                continue;
            };
            let asks = |subquery: &Query| {
                matches!(subquery.body.as_ref(), SetExpr::Select(select)
                    if crate::membership::select_asks_a_subquery(select))
            };
            if !asks(subquery) {
                continue;
            }
            let text = format!("SELECT * FROM ({subquery}) AS \"{LATERAL}\"");
            let framed = Parser::new(&GenericDialect {})
                .try_with_sql(&text)
                .and_then(|mut parser| parser.parse_query());
            if let Ok(framed) = framed {
                *subquery = framed;
            }
        }
    }
}

/// UNNEST of a column of a relation to its left, where the query around it may have one of that name too: the nearest is
/// meant. Known are the columns that a relation's alias lists.
pub(crate) fn nearest(select: &mut Select) {
    let mut known: Vec<(Ident, Vec<String>)> = Vec::new();
    for from in &mut select.from {
        let TableWithJoins { relation, joins } = from;
        for relation in
            std::iter::once(relation).chain(joins.iter_mut().map(|join| &mut join.relation))
        {
            if let TableFactor::UNNEST { array_exprs, .. } = relation {
                for expr in array_exprs {
                    let _ = VisitMut::visit(expr, &mut Nearest { known: &known });
                }
            }
            if let TableFactor::Table { alias, .. }
            | TableFactor::Derived { alias, .. }
            | TableFactor::UNNEST { alias, .. } = relation
                && let Some(alias) = alias
            {
                let columns = alias.columns.iter();
                let columns = columns.map(|column| column.name.value.to_lowercase());
                known.push((alias.name.clone(), columns.collect()));
            }
        }
    }
}

struct Nearest<'a> {
    known: &'a [(Ident, Vec<String>)],
}

impl VisitorMut for Nearest<'_> {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Identifier(column) = expr {
            let name = column.value.to_lowercase();
            let mut holders = self
                .known
                .iter()
                .filter(|(_, columns)| columns.contains(&name));
            if let (Some((relation, _)), None) = (holders.next(), holders.next()) {
                *expr = Expr::CompoundIdentifier(vec![relation.clone(), column.clone()]);
            }
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
