//! Constructs that the parser reads and Athena refuses: other engines' clauses, types and functions.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::{
    ast::{
        AccessExpr, Array, CastKind, DataType, Distinct, Expr, Function, FunctionArguments,
        GroupByExpr, Ident, JoinConstraint, JoinOperator, LimitClause, OrderByKind, Query, Select,
        SelectFlavor, SelectItem, Subscript, TableFactor, Value, Visit, Visitor,
        WildcardAdditionalOptions,
    },
    parser::ParserError,
    tokenizer::{Location, Token, TokenWithSpan},
};

use crate::{
    command::Command,
    foreign::{mismatched, refused},
    trinos,
};

/// Looks through a statement.
///
/// # Errors
/// The first thing that Athena refuses, with its place and what to write.
pub(crate) fn check(command: &Command, tokens: &[TokenWithSpan]) -> Result<(), ParserError> {
    let mut look = Look { tokens };
    if let Command::CreateTableAs { query, .. } = command {
        crate::statements::columns_are_named(query)?;
    }
    let told = match command {
        Command::Select(query)
        | Command::Explain(query)
        | Command::CreateTableAs { query, .. }
        | Command::Insert { query, .. }
        | Command::CreateView { query, .. } => query.visit(&mut look),
        Command::Delete { selection, .. } => selection.visit(&mut look),
        Command::Update {
            assignments,
            selection,
            ..
        } => {
            let values = assignments
                .iter()
                .try_for_each(|(_, value)| value.visit(&mut look));
            match values {
                ControlFlow::Continue(()) => selection.visit(&mut look),
                stop @ ControlFlow::Break(_) => stop,
            }
        }
        Command::Merge(merge) => merge.visit(&mut look),
        _ => ControlFlow::Continue(()),
    };
    match told {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Look<'a> {
    tokens: &'a [TokenWithSpan],
}

type Told = ControlFlow<ParserError>;

const GO_ON: Told = ControlFlow::Continue(());

impl Look<'_> {
    /// Where a word stands first.
    fn word(&self, wanted: &str) -> Location {
        let found = self.tokens.iter().find(|token| {
            matches!(&token.token, Token::Word(word) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(wanted))
        });
        found.map_or_else(Location::empty, |token| token.span.start)
    }

    /// A clause that begins with a word.
    fn clause(&self, is_there: bool, words: &str, advice: &str) -> Told {
        if !is_there {
            return GO_ON;
        }
        let first = words.split(' ').next_back().unwrap_or(words);
        ControlFlow::Break(mismatched(words, advice, self.word(first)))
    }

    fn grouped(&self, select: &Select) -> Told {
        match &select.group_by {
            GroupByExpr::All(_) => self.clause(
                true,
                "GROUP BY ALL",
                "write the expressions, or their places (GROUP BY 1, 2)",
            ),
            GroupByExpr::Expressions(_, modifiers) => self.clause(
                !modifiers.is_empty(),
                "WITH",
                "write GROUP BY ROLLUP (…) or CUBE (…)",
            ),
        }
    }

    fn joined(&self, operator: &JoinOperator) -> Told {
        let (words, advice) = match operator {
            JoinOperator::Semi(_) | JoinOperator::LeftSemi(_) | JoinOperator::RightSemi(_) => {
                ("SEMI", "write WHERE x IN (SELECT …), or EXISTS")
            }
            JoinOperator::Anti(_) | JoinOperator::LeftAnti(_) | JoinOperator::RightAnti(_) => {
                ("ANTI", "write WHERE NOT EXISTS (SELECT …)")
            }
            JoinOperator::CrossApply | JoinOperator::OuterApply => {
                ("APPLY", "write CROSS JOIN LATERAL (…)")
            }
            JoinOperator::AsOf { .. } => ("ASOF", "join on a range, and take the last by max_by"),
            JoinOperator::StraightJoin(_) => ("STRAIGHT_JOIN", "write JOIN"),
            JoinOperator::ArrayJoin
            | JoinOperator::LeftArrayJoin
            | JoinOperator::InnerArrayJoin => ("ARRAY", "write CROSS JOIN UNNEST(…)"),
            JoinOperator::Join(constraint)
            | JoinOperator::Inner(constraint)
            | JoinOperator::Left(constraint)
            | JoinOperator::LeftOuter(constraint)
            | JoinOperator::Right(constraint)
            | JoinOperator::RightOuter(constraint)
            | JoinOperator::FullOuter(constraint) => match constraint {
                JoinConstraint::None => (
                    "JOIN",
                    "a join has ON or USING; without a condition it is a CROSS JOIN",
                ),
                JoinConstraint::Natural => {
                    return ControlFlow::Break(refused(
                        "NOT_SUPPORTED: Natural join not supported: write JOIN … USING (…)",
                        self.word("NATURAL"),
                    ));
                }
                _ => return GO_ON,
            },
            JoinOperator::CrossJoin(_) => return GO_ON,
        };
        self.clause(true, words, advice)
    }

    fn alias(&self, alias: &Ident) -> Told {
        match alias.quote_style {
            Some('\'') => ControlFlow::Break(mismatched(
                &alias.to_string(),
                "a name stands in double quotes",
                alias.span.start,
            )),
            _ => GO_ON,
        }
    }

    fn star(&self, options: &WildcardAdditionalOptions) -> Told {
        let advice = "list the columns";
        self.clause(options.opt_exclude.is_some(), "EXCLUDE", advice)?;
        self.clause(options.opt_except.is_some(), "EXCEPT", advice)?;
        self.clause(options.opt_replace.is_some(), "REPLACE", advice)?;
        self.clause(options.opt_rename.is_some(), "RENAME", advice)?;
        match &options.opt_alias {
            Some(alias) if !crate::stars::is_names(alias) => ControlFlow::Break(mismatched(
                &alias.value,
                "names of the columns stand in brackets behind a relation's star: t.* AS (a, b)",
                alias.span.start,
            )),
            _ => GO_ON,
        }
    }

    fn function(&self, function: &Function) -> Told {
        let [part] = function.name.0.as_slice() else {
            return GO_ON;
        };
        let Some(name) = part.as_ident() else {
            return GO_ON;
        };
        let called = name.value.to_lowercase();
        let listed = matches!(function.args, FunctionArguments::List(_));
        if trinos::WITHOUT_BRACKETS.contains(&called.as_str()) && listed {
            return ControlFlow::Break(mismatched(
                "(",
                &format!("write {called} without brackets"),
                name.span.start,
            ));
        }
        if function.over.is_none() && crate::called::is_over_a_window(&called) {
            return ControlFlow::Break(refused(
                &format!("MISSING_OVER: Window function {called} requires OVER clause"),
                name.span.start,
            ));
        }
        if called.starts_with("trino_")
            || called == crate::values::ROW
            || trinos::is_function(&called)
        {
            return GO_ON;
        }
        let advice = trinos::instead_of(&called)
            .map_or_else(String::new, |instead| format!("; write {instead}"));
        ControlFlow::Break(refused(
            &format!(
                "FUNCTION_NOT_FOUND: Function '{}' not registered{advice}",
                name.value
            ),
            name.span.start,
        ))
    }

    fn data_type(&self, written: &DataType) -> Told {
        let Some(instead) = trinos::instead_of_type(written) else {
            return GO_ON;
        };
        let name = written.to_string();
        let first = name.split([' ', '(', '<']).next().unwrap_or(&name);
        ControlFlow::Break(refused(
            &format!(
                "TYPE_NOT_FOUND: Unknown type: {}; write {instead}",
                name.to_lowercase()
            ),
            self.word(first),
        ))
    }

    fn cast(&self, kind: &CastKind, written: &DataType) -> Told {
        match kind {
            CastKind::SafeCast => self.clause(true, "SAFE_CAST", "write TRY_CAST"),
            _ => self.data_type(written),
        }
    }

    fn interval(&self, interval: &datafusion::sql::sqlparser::ast::Interval) -> Told {
        let quoted = matches!(interval.value.as_ref(), Expr::Value(value) if matches!(value.value, Value::SingleQuotedString(_)));
        if quoted && interval.leading_field.is_some() {
            return GO_ON;
        }
        ControlFlow::Break(mismatched(
            &format!("INTERVAL {}", interval.value),
            "write the number in quotes and the unit behind it: INTERVAL '1' DAY",
            self.word("INTERVAL"),
        ))
    }
}

impl Visitor for Look<'_> {
    type Break = ParserError;

    fn pre_visit_query(&mut self, query: &Query) -> Told {
        self.clause(!query.locks.is_empty(), "FOR", "rows are not locked")?;
        self.clause(query.for_clause.is_some(), "FOR", "leave it out")?;
        self.clause(query.settings.is_some(), "SETTINGS", "leave it out")?;
        self.clause(query.format_clause.is_some(), "FORMAT", "leave it out")?;
        let all = query
            .order_by
            .as_ref()
            .is_some_and(|by| matches!(by.kind, OrderByKind::All(_)));
        self.clause(all, "ORDER BY ALL", "write the columns")?;
        match &query.limit_clause {
            Some(LimitClause::OffsetCommaLimit { .. }) => {
                self.clause(true, "LIMIT", "write OFFSET n LIMIT m")
            }
            Some(LimitClause::LimitOffset { limit_by, .. }) => self.clause(
                !limit_by.is_empty(),
                "LIMIT",
                "number the rows by row_number() OVER (PARTITION BY …)",
            ),
            None => GO_ON,
        }
    }

    fn pre_visit_select(&mut self, select: &Select) -> Told {
        self.clause(select.top.is_some(), "TOP", "write LIMIT n at the end")?;
        self.clause(
            matches!(select.distinct, Some(Distinct::On(_))),
            "DISTINCT ON",
            "write max_by(x, y), or row_number() in a subquery",
        )?;
        self.clause(select.exclude.is_some(), "EXCLUDE", "list the columns")?;
        self.clause(
            select.into.is_some(),
            "INTO",
            "write CREATE TABLE … AS SELECT",
        )?;
        self.clause(
            !select.lateral_views.is_empty(),
            "VIEW",
            "write CROSS JOIN UNNEST(…)",
        )?;
        self.clause(select.prewhere.is_some(), "PREWHERE", "write WHERE")?;
        self.clause(
            !select.connect_by.is_empty(),
            "CONNECT",
            "write WITH RECURSIVE",
        )?;
        self.clause(!select.cluster_by.is_empty(), "CLUSTER", "write ORDER BY")?;
        self.clause(
            !select.distribute_by.is_empty(),
            "DISTRIBUTE",
            "leave it out",
        )?;
        self.clause(!select.sort_by.is_empty(), "SORT", "write ORDER BY")?;
        self.clause(select.value_table_mode.is_some(), "AS", "list the columns")?;
        let first = !matches!(select.flavor, SelectFlavor::Standard);
        self.clause(first, "FROM", "write SELECT … FROM …")?;
        self.grouped(select)?;
        for from in &select.from {
            for join in &from.joins {
                self.joined(&join.join_operator)?;
            }
        }
        for item in &select.projection {
            match item {
                SelectItem::ExprWithAlias { alias, .. } => self.alias(alias)?,
                SelectItem::Wildcard(options) | SelectItem::QualifiedWildcard(_, options) => {
                    self.star(options)?;
                }
                _ => {}
            }
        }
        GO_ON
    }

    fn pre_visit_table_factor(&mut self, relation: &TableFactor) -> Told {
        match relation {
            TableFactor::Table {
                name,
                args: Some(_),
                ..
            } => ControlFlow::Break(refused(
                &format!(
                    "FUNCTION_NOT_FOUND: Table function '{name}' not registered; write UNNEST(sequence(1, 10)) for numbers"
                ),
                name.0
                    .first()
                    .and_then(|part| part.as_ident())
                    .map_or_else(Location::empty, |ident| ident.span.start),
            )),
            TableFactor::Table { name, .. } => {
                for part in name.0.iter().filter_map(|part| part.as_ident()) {
                    self.alias(part)?;
                }
                GO_ON
            }
            TableFactor::Pivot { .. } => {
                self.clause(true, "PIVOT", "write sum(x) FILTER (WHERE …)")
            }
            TableFactor::Unpivot { .. } => {
                self.clause(true, "UNPIVOT", "write CROSS JOIN UNNEST(ARRAY[…])")
            }
            TableFactor::NestedJoin {
                table_with_joins, ..
            } => table_with_joins
                .joins
                .iter()
                .try_for_each(|join| self.joined(&join.join_operator)),
            _ => GO_ON,
        }
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> Told {
        match expr {
            Expr::Function(function) => self.function(function),
            Expr::Cast {
                kind, data_type, ..
            } => self.cast(kind, data_type),
            Expr::Interval(interval) => self.interval(interval),
            Expr::SimilarTo { .. } => self.clause(true, "SIMILAR", "write regexp_like(x, '…')"),
            Expr::Convert { .. } => self.clause(true, "CONVERT", "write CAST(x AS type)"),
            Expr::Overlay { .. } => self.clause(true, "OVERLAY", "write substr and concat"),
            Expr::Collate { .. } => self.clause(true, "COLLATE", "leave it out"),
            Expr::Array(Array { named: false, .. }) => ControlFlow::Break(mismatched(
                "[",
                "write ARRAY[…]",
                self.sign(&Token::LBracket),
            )),
            Expr::Struct { fields, .. } if fields.is_empty() => ControlFlow::Break(refused(
                "FUNCTION_NOT_FOUND: Function 'struct' not registered; write ROW(…)",
                self.word("STRUCT"),
            )),
            Expr::Struct { .. } => self.clause(true, "STRUCT", "write ROW(…)"),
            Expr::CompoundFieldAccess { access_chain, .. }
                if access_chain.iter().any(|access| {
                    matches!(access, AccessExpr::Subscript(Subscript::Slice { .. }))
                }) =>
            {
                ControlFlow::Break(mismatched(
                    ":",
                    "write slice(array, start, length)",
                    self.sign(&Token::LBracket),
                ))
            }
            Expr::AnyOp { right, .. } | Expr::AllOp { right, .. } if !is_a_query(right) => {
                self.clause(true, "ANY", "write contains(array, x)")
            }
            _ => GO_ON,
        }
    }
}

impl Look<'_> {
    fn sign(&self, wanted: &Token) -> Location {
        let found = self.tokens.iter().find(|token| token.token == *wanted);
        found.map_or_else(Location::empty, |token| token.span.start)
    }
}

fn is_a_query(expr: &Expr) -> bool {
    match expr {
        Expr::Subquery(_) => true,
        Expr::Nested(inner) => is_a_query(inner),
        _ => false,
    }
}
