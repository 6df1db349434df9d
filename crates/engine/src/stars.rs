//! The fields of a row as columns: `r.*`, and names for what a star stands for: `t.* AS (a, b)`.
//!
//! Which fields a row has is known when the tables are. So the list is asked in a subquery, with the row as one column, and
//! the row is unnested beside it.

use datafusion::sql::sqlparser::{
    ast::{
        Distinct, Expr, Ident, OrderByKind, Query, Select, SelectItem,
        SelectItemQualifiedWildcardKind, SetExpr, TableFactor, TableWithJoins,
        WildcardAdditionalOptions,
    },
    dialect::GenericDialect,
    parser::Parser,
    tokenizer::{Token, TokenWithSpan},
};

use crate::rewrite::ident;

/// What the names behind a star are put together with.
const NAMES: &str = "__names:";
const INNER: &str = "__list";

/// `.* AS (a, b)` is `.* AS "__names:a:b"` to the parser.
pub(crate) fn named(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        out.push(token.clone());
        at += 1;
        let star = token.token == Token::Mul && at >= 2 && tokens[at - 2].token == Token::Period;
        if !star {
            continue;
        }
        if let Some((names, end)) = names(&tokens, at) {
            let mark = |mark: Token| TokenWithSpan {
                token: mark,
                span: token.span,
            };
            let name = format!("{NAMES}{}", names.join(":"));
            out.push(mark(Token::make_keyword("AS")));
            out.push(mark(Token::make_word(&name, Some('"'))));
            at = end;
        }
    }
    out
}

/// `AS (a, b)` from a place on, and where it ends.
fn names(tokens: &[TokenWithSpan], from: usize) -> Option<(Vec<String>, usize)> {
    let mut rest =
        (from..tokens.len()).filter(|at| !matches!(tokens[*at].token, Token::Whitespace(_)));
    let first = rest.next()?;
    let Token::Word(word) = &tokens[first].token else {
        return None;
    };
    if !word.value.eq_ignore_ascii_case("as") || tokens[rest.next()?].token != Token::LParen {
        return None;
    }
    let mut names = Vec::new();
    loop {
        let Token::Word(word) = &tokens[rest.next()?].token else {
            return None;
        };
        names.push(word.value.to_lowercase());
        let at = rest.next()?;
        match tokens[at].token {
            Token::Comma => {}
            Token::RParen => return Some((names, at + 1)),
            _ => return None,
        }
    }
}

/// Whether a name behind a star is some that were put together.
pub(crate) fn is_names(alias: &Ident) -> bool {
    alias.value.starts_with(NAMES)
}

/// Spells such a list out; nothing is changed where there is none.
pub(crate) fn spread(query: &mut Query) {
    let SetExpr::Select(select) = query.body.as_ref() else {
        return;
    };
    let relations: Vec<String> = select.from.iter().flat_map(relations).collect();
    let rows: Vec<Option<(Expr, Vec<String>)>> = select
        .projection
        .iter()
        .map(|item| row(item, &relations))
        .collect();
    if rows.iter().any(Option::is_some) {
        let plain = select.projection.iter().zip(&rows).all(|(item, row)| {
            row.is_some()
                || matches!(
                    item,
                    SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. }
                )
        });
        if plain && let Some(new) = beside(query, select.as_ref(), rows) {
            *query = new;
        }
        return;
    }
    if let [SelectItem::QualifiedWildcard(_, options)] = select.projection.as_slice()
        && let Some(names) = names_of(options)
        && let Some(new) = renamed(query, &names)
    {
        *query = new;
    }
}

/// What the relations of a FROM are called.
fn relations(from: &TableWithJoins) -> Vec<String> {
    let all = std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation));
    all.flat_map(|relation| match relation {
        TableFactor::NestedJoin {
            table_with_joins, ..
        } => relations(table_with_joins),
        TableFactor::Table {
            alias: Some(alias), ..
        }
        | TableFactor::Derived {
            alias: Some(alias), ..
        }
        | TableFactor::UNNEST {
            alias: Some(alias), ..
        } => vec![alias.name.value.to_lowercase()],
        TableFactor::Table { name, .. } => name
            .0
            .last()
            .and_then(|part| part.as_ident())
            .map(|name| name.value.to_lowercase())
            .into_iter()
            .collect(),
        _ => Vec::new(),
    })
    .collect()
}

/// The row whose fields an item stands for, and their names.
fn row(item: &SelectItem, relations: &[String]) -> Option<(Expr, Vec<String>)> {
    let SelectItem::QualifiedWildcard(kind, options) = item else {
        return None;
    };
    let names = names_of(options).unwrap_or_default();
    match kind {
        SelectItemQualifiedWildcardKind::Expr(expr) => Some((expr.clone(), names)),
        SelectItemQualifiedWildcardKind::ObjectName(name) => {
            let parts: Vec<Ident> = name
                .0
                .iter()
                .filter_map(|part| part.as_ident().cloned())
                .collect();
            let is = |part: &Ident| relations.contains(&part.value.to_lowercase());
            match parts.as_slice() {
                [column] if !is(column) => Some((Expr::Identifier(column.clone()), names)),
                [relation, column] if is(relation) && !is(column) => {
                    Some((Expr::CompoundIdentifier(parts.clone()), names))
                }
                _ => None,
            }
        }
    }
}

fn names_of(options: &WildcardAdditionalOptions) -> Option<Vec<String>> {
    let names = options.opt_alias.as_ref()?.value.strip_prefix(NAMES)?;
    Some(names.split(':').map(str::to_owned).collect())
}

fn parsed(text: &str) -> Option<Query> {
    let query = Parser::new(&GenericDialect {})
        .try_with_sql(text)
        .and_then(|mut parser| parser.parse_query());
    query.ok().map(|query| *query)
}

fn listed(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| ident(name).to_string()).collect();
    match quoted.is_empty() {
        true => String::new(),
        false => format!(" ({})", quoted.join(", ")),
    }
}

/// Puts a query where the text of the outer one has `SELECT 1`.
fn put(outer: &mut Query, inner: Query) -> Option<&mut Select> {
    let SetExpr::Select(select) = outer.body.as_mut() else {
        return None;
    };
    let TableFactor::Derived { subquery, .. } = &mut select.from.first_mut()?.relation else {
        return None;
    };
    **subquery = inner;
    Some(select)
}

/// The list in a subquery, its rows unnested beside it.
fn beside(query: &Query, select: &Select, rows: Vec<Option<(Expr, Vec<String>)>>) -> Option<Query> {
    let (mut inner, mut list, mut joins) = (Vec::new(), Vec::new(), String::new());
    let mut given: Vec<String> = Vec::new();
    for (place, (item, row)) in select.projection.iter().zip(rows).enumerate() {
        let held = format!("__item_{place}");
        let expr = match (item, row) {
            (_, Some((expr, names))) => {
                joins += &format!(
                    " CROSS JOIN UNNEST(ARRAY[\"{INNER}\".\"{held}\"]) AS \"__fields_{place}\"{}",
                    listed(&names)
                );
                list.push(format!("\"__fields_{place}\".*"));
                given.extend(names);
                expr
            }
            (SelectItem::ExprWithAlias { expr, alias }, None) => {
                list.push(format!("\"{INNER}\".\"{held}\" AS {}", ident(&alias.value)));
                given.push(alias.value.to_lowercase());
                expr.clone()
            }
            (SelectItem::UnnamedExpr(expr), None) => {
                let name = match expr {
                    Expr::Identifier(name) => name.value.clone(),
                    Expr::CompoundIdentifier(parts) => parts.last()?.value.clone(),
                    // The fields of a row without names are called so too.
                    _ => crate::again::named_apart(place, &format!("_col{place}")),
                };
                list.push(format!("\"{INNER}\".\"{held}\" AS {}", ident(&name)));
                expr.clone()
            }
            _ => return None,
        };
        inner.push(SelectItem::ExprWithAlias {
            expr,
            alias: ident(&held),
        });
    }
    let text = format!(
        "SELECT {} FROM (SELECT 1) AS \"{INNER}\"{joins}",
        list.join(", ")
    );
    let mut outer = parsed(&text)?;
    outer.with.clone_from(&query.with);
    outer.order_by.clone_from(&query.order_by);
    outer.limit_clause.clone_from(&query.limit_clause);
    outer.fetch.clone_from(&query.fetch);
    let mut asked = select.clone();
    let distinct = asked.distinct.take();
    // What the answer is ordered by and does not show is asked in the subquery too.
    if let Some(OrderByKind::Expressions(by)) = outer.order_by.as_mut().map(|by| &mut by.kind)
        && !matches!(distinct, Some(Distinct::Distinct))
    {
        for (place, by) in by.iter_mut().enumerate() {
            let shown = match &by.expr {
                Expr::Identifier(name) => given.contains(&name.value.to_lowercase()),
                Expr::Value(_) => true,
                _ => false,
            };
            if !shown {
                let held = format!("__order_{place}");
                inner.push(SelectItem::ExprWithAlias {
                    expr: by.expr.clone(),
                    alias: ident(&held),
                });
                by.expr = Expr::CompoundIdentifier(vec![ident(INNER), ident(&held)]);
            }
        }
    }
    asked.projection = inner;
    let inner = Query {
        with: None,
        order_by: None,
        limit_clause: None,
        fetch: None,
        body: Box::new(SetExpr::Select(Box::new(asked))),
        ..query.clone()
    };
    put(&mut outer, inner)?.distinct = distinct;
    Some(outer)
}

/// All columns of a relation under other names.
fn renamed(query: &Query, names: &[String]) -> Option<Query> {
    let text = format!("SELECT * FROM (SELECT 1) AS \"{INNER}\"{}", listed(names));
    let mut outer = parsed(&text)?;
    outer.with.clone_from(&query.with);
    outer.order_by.clone_from(&query.order_by);
    outer.limit_clause.clone_from(&query.limit_clause);
    outer.fetch.clone_from(&query.fetch);
    let mut inner = query.clone();
    (inner.with, inner.order_by) = (None, None);
    (inner.limit_clause, inner.fetch) = (None, None);
    if let SetExpr::Select(select) = inner.body.as_mut() {
        for item in &mut select.projection {
            if let SelectItem::QualifiedWildcard(_, options) = item {
                options.opt_alias = None;
            }
        }
    }
    put(&mut outer, inner)?;
    Some(outer)
}
