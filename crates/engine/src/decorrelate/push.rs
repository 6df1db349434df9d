//! A subquery asked for all rows outside together: each of its rows with the values of the domain that it is for.

use std::sync::Arc;

use datafusion::{
    common::{
        Column, JoinType, NullEquality, Result, not_impl_err,
        tree_node::{Transformed, TreeNode},
    },
    functions::expr_fn::coalesce,
    functions_window::expr_fn::row_number,
    logical_expr::{
        Aggregate, BinaryExpr, Expr, ExprFunctionExt, FetchType, Join, Limit, LogicalPlan,
        LogicalPlanBuilder, Operator, Projection, SkipType, Sort, Union, Values, Window, lit,
        logical_plan::Distinct,
    },
};

use super::domain::{Domain, asked_outside};

impl Domain<'_> {
    /// The plan's columns behind those of the domain.
    ///
    /// # Errors
    /// For plans that cannot be asked so, by name.
    pub(super) fn push(&self, plan: &LogicalPlan) -> Result<LogicalPlan> {
        let Some(rows) = &self.rows else {
            return Ok(without_mark(plan));
        };
        if !self.is_asked(plan)? {
            let rows = LogicalPlanBuilder::from(rows.clone());
            return match plan {
                LogicalPlan::EmptyRelation(empty) if empty.produce_one_row => rows.build(),
                _ => rows.cross_join(without_mark(plan))?.build(),
            };
        }
        match plan {
            LogicalPlan::Subquery(subquery) => self.push(&subquery.subquery),
            LogicalPlan::SubqueryAlias(alias) => {
                let columns = alias.input.schema().columns().into_iter().map(Expr::Column);
                self.project(self.push(&alias.input)?, columns.collect(), plan)
            }
            LogicalPlan::Projection(projection) => {
                self.project(self.push(&projection.input)?, projection.expr.clone(), plan)
            }
            LogicalPlan::Filter(filter) => LogicalPlanBuilder::from(self.push(&filter.input)?)
                .filter(self.inside(filter.predicate.clone())?)?
                .build(),
            LogicalPlan::Distinct(Distinct::All(input)) => {
                LogicalPlanBuilder::from(self.push(input)?)
                    .distinct()?
                    .build()
            }
            // Rows of a subquery have no order unless it is limited.
            LogicalPlan::Sort(sort) if sort.fetch.is_none() => self.push(&sort.input),
            LogicalPlan::Limit(limit) => self.limit(limit),
            LogicalPlan::Aggregate(aggregate) => self.aggregate(aggregate),
            LogicalPlan::Window(window) => self.window(window),
            LogicalPlan::Join(join) => self.pair(join),
            LogicalPlan::Union(union) => self.union(union, plan),
            LogicalPlan::Values(values) => self.values(values, plan),
            LogicalPlan::Unnest(unnest) => LogicalPlanBuilder::from(self.push(&unnest.input)?)
                .unnest_columns_with_options(unnest.exec_columns.clone(), unnest.options.clone())?
                .build(),
            other => not_impl_err!(
                "a subquery that asks about the row outside in this way ({}) is not supported: join it instead",
                other
                    .display()
                    .to_string()
                    .split([':', ' '])
                    .next()
                    .unwrap_or_default()
            ),
        }
    }

    /// The domain and some expressions, called as the columns of `like`.
    fn project(
        &self,
        input: LogicalPlan,
        exprs: Vec<Expr>,
        like: &LogicalPlan,
    ) -> Result<LogicalPlan> {
        let mut columns = self.expressions();
        for (expr, (relation, field)) in exprs.into_iter().zip(like.schema().iter()) {
            let expr = self.inside(expr)?;
            let same = matches!(&expr, Expr::Column(column) if column.name == *field.name() && column.relation.as_ref() == relation);
            columns.push(match same {
                true => expr,
                false => expr
                    .unalias()
                    .alias_qualified(relation.cloned(), field.name()),
            });
        }
        LogicalPlanBuilder::from(input).project(columns)?.build()
    }

    /// So many rows for each row outside.
    fn limit(&self, limit: &Limit) -> Result<LogicalPlan> {
        let (SkipType::Literal(skip), FetchType::Literal(fetch)) =
            (limit.get_skip_type()?, limit.get_fetch_type()?)
        else {
            return not_impl_err!(
                "a computed LIMIT is not supported in a subquery that asks about the row outside"
            );
        };
        // A projection between the two changes no rows: what it leaves out may be sorted by.
        if let LogicalPlan::Projection(projection) = limit.input.as_ref()
            && sorts(&projection.input)
        {
            let below = Limit {
                input: Arc::clone(&projection.input),
                ..limit.clone()
            };
            let above =
                Projection::try_new(projection.expr.clone(), Arc::new(LogicalPlan::Limit(below)))?;
            return self.push(&LogicalPlan::Projection(above));
        }
        let (input, keys) = match limit.input.as_ref() {
            LogicalPlan::Sort(Sort { expr, input, .. }) => (input.as_ref(), expr.clone()),
            other => (other, Vec::new()),
        };
        let kept = [
            self.expressions(),
            input
                .schema()
                .columns()
                .into_iter()
                .map(Expr::Column)
                .collect(),
        ]
        .concat();
        let keys = keys
            .into_iter()
            .map(|mut key| {
                key.expr = self.inside(key.expr)?;
                Ok(key)
            })
            .collect::<Result<Vec<_>>>()?;
        let name = self.names.next("number");
        let mut number = row_number().partition_by(self.expressions());
        if !keys.is_empty() {
            number = number.order_by(keys);
        }
        let column = Expr::Column(Column::new_unqualified(&name));
        let count = |rows: usize| lit(u64::try_from(rows).unwrap_or(u64::MAX));
        let mut taken = column.clone().gt(count(skip));
        if let Some(fetch) = fetch {
            taken = taken.and(column.lt_eq(count(skip.saturating_add(fetch))));
        }
        LogicalPlanBuilder::from(self.push(input)?)
            .window(vec![number.build()?.alias(&name)])?
            .filter(taken)?
            .project(kept)?
            .build()
    }

    /// Groups for each row outside. Without GROUP BY there is one even where there are no rows: the domain's rows are
    /// kept, and only what is there is taken into account.
    fn aggregate(&self, aggregate: &Aggregate) -> Result<LogicalPlan> {
        if aggregate
            .group_expr
            .iter()
            .any(|expr| matches!(expr, Expr::GroupingSet(_)))
        {
            return not_impl_err!(
                "GROUPING SETS are not supported in a subquery that asks about the row outside"
            );
        }
        let input = self.push(&aggregate.input)?;
        let named = aggregate
            .schema
            .iter()
            .map(|(relation, field)| (relation.cloned(), field.name().clone()));
        let named: Vec<_> = named.collect();
        let groups = aggregate.group_expr.len();
        let renamed = |expr: &Expr, name: &(Option<_>, String)| -> Result<Expr> {
            let new = self.inside(expr.clone())?;
            Ok(match new == *expr {
                true => new,
                false => new.unalias().alias_qualified(name.0.clone(), &name.1),
            })
        };
        if groups > 0 {
            let mut by = self.expressions();
            for (expr, name) in aggregate.group_expr.iter().zip(&named) {
                by.push(renamed(expr, name)?);
            }
            let all = aggregate.aggr_expr.iter().zip(&named[groups..]);
            let all = all.map(|(expr, name)| renamed(expr, name));
            return LogicalPlanBuilder::from(input)
                .aggregate(by, all.collect::<Result<Vec<_>>>()?)?
                .build();
        }
        let present = self.names.next("present");
        let (marked, keys) = self.apart(input, &aggregate.input, Some(&present))?;
        let Some(rows) = self.rows.clone() else {
            return not_impl_err!("a subquery without a row outside");
        };
        let is_present = Expr::Column(Column::new_unqualified(&present)).is_not_null();
        let all = aggregate.aggr_expr.iter().zip(&named).map(|(expr, name)| {
            let new = self.inside(expr.clone())?.transform(|expr| match expr {
                Expr::AggregateFunction(mut call) => {
                    let filter = call.params.filter.take();
                    call.params.filter = Some(Box::new(match filter {
                        Some(filter) => is_present.clone().and(*filter),
                        None => is_present.clone(),
                    }));
                    Ok(Transformed::yes(Expr::AggregateFunction(call)))
                }
                other => Ok(Transformed::no(other)),
            })?;
            Ok(new.data.unalias().alias_qualified(name.0.clone(), &name.1))
        });
        let all = all.collect::<Result<Vec<_>>>()?;
        LogicalPlanBuilder::from(rows)
            .join_detailed(
                marked,
                JoinType::Left,
                (self.keys(), keys),
                None,
                NullEquality::NullEqualsNull,
            )?
            .aggregate(self.expressions(), all)?
            .build()
    }

    /// A pushed plan with the domain's columns under other names, and a mark if one is wanted.
    fn apart(
        &self,
        pushed: LogicalPlan,
        original: &LogicalPlan,
        mark: Option<&str>,
    ) -> Result<(LogicalPlan, Vec<Column>)> {
        let mut keys = Vec::new();
        let mut columns = Vec::new();
        for key in self.expressions() {
            let name = self.names.next("same");
            columns.push(key.alias(&name));
            keys.push(Column::new_unqualified(name));
        }
        columns.extend(original.schema().columns().into_iter().map(Expr::Column));
        columns.extend(mark.map(|mark| lit(true).alias(mark)));
        let plan = LogicalPlanBuilder::from(pushed).project(columns)?.build()?;
        Ok((plan, keys))
    }

    /// Windows do not reach over to the rows of another row outside.
    fn window(&self, window: &Window) -> Result<LogicalPlan> {
        let input = self.push(&window.input)?;
        let fields = window
            .schema
            .iter()
            .skip(window.input.schema().fields().len());
        let exprs = window
            .window_expr
            .iter()
            .zip(fields)
            .map(|(expr, (_, field))| {
                let new = self.inside(expr.clone())?.transform(|expr| match expr {
                    Expr::WindowFunction(mut call) => {
                        call.params.partition_by.extend(self.expressions());
                        Ok(Transformed::yes(Expr::WindowFunction(call)))
                    }
                    other => Ok(Transformed::no(other)),
                })?;
                Ok(new.data.unalias().alias(field.name()))
            });
        LogicalPlanBuilder::from(input)
            .window(exprs.collect::<Result<Vec<_>>>()?)?
            .build()
    }

    /// Two relations for each row outside: the side that does not ask is the same for all of them, unless its rows are
    /// kept where nothing stands beside them.
    fn pair(&self, join: &Join) -> Result<LogicalPlan> {
        let (left, right) = (self.is_asked(&join.left)?, self.is_asked(&join.right)?);
        let (left, right) = match join.join_type {
            JoinType::Inner => (left || !right, right),
            JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti => (true, right),
            JoinType::Right | JoinType::RightSemi | JoinType::RightAnti => (left, true),
            JoinType::Full => (true, true),
            JoinType::LeftMark | JoinType::RightMark => {
                return not_impl_err!(
                    "a subquery inside of one that asks about the row outside is not supported here"
                );
            }
        };
        let on = join
            .on
            .iter()
            .map(|(left, right)| Ok((self.inside(left.clone())?, self.inside(right.clone())?)));
        let mut on = on.collect::<Result<Vec<_>>>()?;
        let filter = join.filter.clone().map(|filter| self.inside(filter));
        let mut filter = filter.transpose()?;
        let mut null_equality = join.null_equality;
        // One side leads: the domain's columns are its.
        let right_leads = !left
            || matches!(
                join.join_type,
                JoinType::Right | JoinType::RightSemi | JoinType::RightAnti
            );
        let side = |plan: &LogicalPlan, asks: bool, leads: bool| match (asks, leads) {
            (false, _) => Ok((without_mark(plan), Vec::new())),
            (true, true) => Ok((self.push(plan)?, self.keys())),
            (true, false) => self.apart(self.push(plan)?, plan, None),
        };
        let (left, left_keys) = side(&join.left, left, !right_leads)?;
        let (right, right_keys) = side(&join.right, right, right_leads)?;
        let pairs: Vec<(Expr, Expr)> = left_keys
            .into_iter()
            .map(Expr::Column)
            .zip(right_keys.iter().cloned().map(Expr::Column))
            .collect();
        if on.is_empty() || null_equality == NullEquality::NullEqualsNull {
            if !pairs.is_empty() {
                null_equality = NullEquality::NullEqualsNull;
            }
            on.extend(pairs);
        } else {
            for (one, other) in pairs {
                let same = Expr::BinaryExpr(BinaryExpr::new(
                    Box::new(one),
                    Operator::IsNotDistinctFrom,
                    Box::new(other),
                ));
                filter = Some(match filter {
                    Some(filter) => filter.and(same),
                    None => same,
                });
            }
        }
        let joined = LogicalPlan::Join(Join::try_new(
            Arc::new(left),
            Arc::new(right),
            on,
            filter,
            join.join_type,
            join.join_constraint,
            null_equality,
            join.null_aware,
        )?);
        let mut columns = match join.join_type {
            JoinType::Full => self
                .columns
                .iter()
                .zip(&right_keys)
                .map(|((_, name), other)| {
                    let one = Expr::Column(Column::new_unqualified(name));
                    coalesce(vec![one, Expr::Column(other.clone())]).alias(name)
                })
                .collect(),
            _ => self.expressions(),
        };
        columns.extend(join.schema.columns().into_iter().map(Expr::Column));
        LogicalPlanBuilder::from(joined).project(columns)?.build()
    }

    fn union(&self, union: &Union, like: &LogicalPlan) -> Result<LogicalPlan> {
        let mut all: Option<LogicalPlanBuilder> = None;
        let names: Vec<String> = (0..like.schema().fields().len())
            .map(|_| self.names.next("part"))
            .collect();
        for input in &union.inputs {
            let mut columns = self.expressions();
            let own = input.schema().columns().into_iter().zip(&names);
            columns.extend(own.map(|(column, name)| Expr::Column(column).alias(name)));
            let part = LogicalPlanBuilder::from(self.push(input)?)
                .project(columns)?
                .build()?;
            all = Some(match all {
                Some(all) => all.union(part)?,
                None => LogicalPlanBuilder::from(part),
            });
        }
        let Some(all) = all else {
            return not_impl_err!("a UNION of nothing");
        };
        let columns = names
            .iter()
            .map(|name| Expr::Column(Column::new_unqualified(name)));
        self.project(all.build()?, columns.collect(), like)
    }

    fn values(&self, values: &Values, like: &LogicalPlan) -> Result<LogicalPlan> {
        let Some(rows) = &self.rows else {
            return Ok(like.clone());
        };
        let mut all: Option<LogicalPlanBuilder> = None;
        for row in &values.values {
            let part = self.project(rows.clone(), row.clone(), like)?;
            all = Some(match all {
                Some(all) => all.union(part)?,
                None => LogicalPlanBuilder::from(part),
            });
        }
        match all {
            Some(all) => all.build(),
            None => Ok(like.clone()),
        }
    }
}

/// Whether rows are sorted right below, whatever is projected from them.
fn sorts(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Sort(_) => true,
        LogicalPlan::Projection(projection) => sorts(&projection.input),
        _ => false,
    }
}

/// A plan that asks about no row outside any more is none of a subquery; one that asks further out is looked at there.
fn without_mark(plan: &LogicalPlan) -> LogicalPlan {
    match plan {
        LogicalPlan::Subquery(subquery) => without_mark(&subquery.subquery),
        LogicalPlan::SubqueryAlias(alias)
            if matches!(alias.input.as_ref(), LogicalPlan::Subquery(_))
                && asked_outside(&alias.input).is_ok_and(|asked| !asked.is_empty()) =>
        {
            let inner = without_mark(&alias.input);
            LogicalPlanBuilder::from(inner)
                .alias(alias.alias.clone())
                .and_then(LogicalPlanBuilder::build)
                .unwrap_or_else(|_| plan.clone())
        }
        other => other.clone(),
    }
}
