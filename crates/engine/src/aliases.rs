//! GROUP BY and HAVING know columns, not the names that the SELECT list gives.
//!
//! DataFusion takes both. Which of the two a name is depends on the tables, so the statement is only marked here: the FROM
//! of a SELECT that groups by such a name is put in brackets that list the names to be looked for, and where that FROM is
//! planned, each has to be a column of it.

use std::ops::ControlFlow;

use datafusion::{
    common::{DataFusionError, Result, plan_err},
    logical_expr::{LogicalPlan, planner::RelationPlannerContext},
    sql::sqlparser::ast::{
        Expr, GroupByExpr, Ident, Join, JoinConstraint, JoinOperator, LambdaFunction,
        OneOrManyWithParens, Query, Select, SelectItem, TableAlias, TableAliasColumnDef,
        TableFactor, TableWithJoins, Visit, VisitMut, Visitor, VisitorMut,
    },
};

use crate::rewrite::ident;

/// The brackets' name.
const COLUMNS: &str = "__columns";

/// Marks every SELECT of a query whose GROUP BY or HAVING uses a name of its SELECT list.
pub(crate) fn columns_only(query: &mut Query) {
    let _ = VisitMut::visit(query, &mut Marked);
}

struct Marked;

impl VisitorMut for Marked {
    type Break = ();

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        let given = given(select);
        let mut asked = Vec::new();
        if let GroupByExpr::Expressions(by, _) = &select.group_by {
            let used = by.iter().flat_map(used);
            asked.extend(used.map(|name| ("GROUP BY", name)));
        }
        if let Some(having) = &select.having {
            asked.extend(used(having).into_iter().map(|name| ("HAVING", name)));
        }
        asked.retain(|(_, name)| given.contains(&name.value.to_lowercase()));
        if !asked.is_empty() && !select.from.is_empty() {
            mark(select, &asked);
        }
        ControlFlow::Continue(())
    }
}

/// The names that a SELECT list gives to what is not a column of that name.
fn given(select: &Select) -> Vec<String> {
    let named = select.projection.iter().filter_map(|item| match item {
        SelectItem::ExprWithAlias { expr, alias } => Some((expr, alias)),
        _ => None,
    });
    named
        .filter(|(expr, alias)| {
            let column = match expr {
                Expr::Identifier(name) => Some(name),
                Expr::CompoundIdentifier(parts) => parts.last(),
                _ => None,
            };
            column.is_none_or(|column| !column.value.eq_ignore_ascii_case(&alias.value))
        })
        .map(|(_, alias)| alias.value.to_lowercase())
        .collect()
}

/// The bare names of an expression; those of its subqueries and lambdas are their own matter.
fn used(expr: &Expr) -> Vec<Ident> {
    #[derive(Default)]
    struct Used {
        depth: usize,
        names: Vec<Ident>,
        parameters: Vec<String>,
    }
    impl Visitor for Used {
        type Break = ();
        fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
            self.depth += 1;
            ControlFlow::Continue(())
        }
        fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
            self.depth -= 1;
            ControlFlow::Continue(())
        }
        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            match expr {
                Expr::Identifier(name) if self.depth == 0 => self.names.push(name.clone()),
                Expr::Lambda(lambda) => self.parameters.extend(parameters(lambda)),
                _ => {}
            }
            ControlFlow::Continue(())
        }
    }
    let mut used = Used::default();
    let _ = Visit::visit(expr, &mut used);
    let Used {
        mut names,
        parameters,
        ..
    } = used;
    names.retain(|name| !parameters.contains(&name.value.to_lowercase()));
    names
}

fn parameters(lambda: &LambdaFunction) -> Vec<String> {
    let all = match &lambda.params {
        OneOrManyWithParens::One(one) => std::slice::from_ref(one),
        OneOrManyWithParens::Many(many) => many.as_slice(),
    };
    all.iter()
        .map(|parameter| parameter.name.value.to_lowercase())
        .collect()
}

/// Puts the FROM in brackets that list the names, each with its place and clause.
fn mark(select: &mut Select, asked: &[(&str, Ident)]) {
    let mut all = std::mem::take(&mut select.from).into_iter();
    let Some(mut from) = all.next() else { return };
    for next in all {
        // A comma is a cross join; what is joined to the right of it stays together.
        let relation = match next.joins.is_empty() {
            true => next.relation,
            false => TableFactor::NestedJoin {
                table_with_joins: Box::new(next),
                alias: None,
            },
        };
        from.joins.push(Join {
            relation,
            global: false,
            join_operator: JoinOperator::CrossJoin(JoinConstraint::None),
        });
    }
    let columns = asked.iter().map(|(clause, name)| {
        let place = name.span.start;
        let told = format!("{}:{}:{clause}:{}", place.line, place.column, name.value);
        TableAliasColumnDef {
            name: ident(&told),
            data_type: None,
        }
    });
    let alias = TableAlias {
        explicit: true,
        name: ident(COLUMNS),
        columns: columns.collect(),
        at: None,
    };
    select.from = vec![TableWithJoins {
        relation: TableFactor::NestedJoin {
            table_with_joins: Box::new(from),
            alias: Some(alias),
        },
        joins: Vec::new(),
    }];
}

/// Plans such brackets: as what is in them, where all names are columns of it.
///
/// # Errors
/// The name that is none, with advice.
pub(crate) fn planned(
    relation: &TableFactor,
    context: &mut dyn RelationPlannerContext,
) -> Result<Option<LogicalPlan>> {
    let TableFactor::NestedJoin {
        table_with_joins,
        alias: Some(alias),
    } = relation
    else {
        return Ok(None);
    };
    if alias.name.value != COLUMNS {
        return Ok(None);
    }
    let inner = match table_with_joins.joins.is_empty() {
        true => table_with_joins.relation.clone(),
        false => TableFactor::NestedJoin {
            table_with_joins: table_with_joins.clone(),
            alias: None,
        },
    };
    let plan = context.plan(inner)?;
    for told in &alias.columns {
        let mut parts = told.name.value.splitn(4, ':');
        let (Some(line), Some(column), Some(clause), Some(name)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(DataFusionError::Internal(format!(
                "brackets without names: {told}"
            )));
        };
        let fields = plan.schema().fields();
        if fields
            .iter()
            .any(|field| field.name().eq_ignore_ascii_case(name))
        {
            continue;
        }
        let place = match line {
            "0" => String::new(),
            _ => format!("line {line}:{column}: "),
        };
        let advice = match clause {
            "GROUP BY" => "write its expression, or its place in the list (GROUP BY 1)",
            _ => "write its expression",
        };
        return plan_err!(
            "COLUMN_NOT_FOUND: {place}Column '{name}' cannot be resolved: {clause} does not know the names that the SELECT list gives; {advice}"
        );
    }
    Ok(Some(plan))
}
