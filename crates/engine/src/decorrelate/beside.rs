//! What subqueries say, beside the rows that ask.

use datafusion::{
    common::{Column, JoinType, Result, ScalarValue, tree_node::Transformed},
    functions_aggregate::expr_fn::{bool_or, count, first_value},
    logical_expr::{
        Expr, LogicalPlan, LogicalPlanBuilder, Operator, Subquery,
        expr::{ScalarFunction, SetQuantifier},
        lit, not, when,
    },
};

use super::{
    Names,
    domain::{Domain, asked_outside},
    inside, plain,
};
use crate::{functions, operators};

/// The rows that ask, with a column for each answer.
pub(super) struct Beside<'a> {
    names: &'a Names,
    /// The rows as they come.
    input: LogicalPlan,
    /// The same with the answers so far.
    plan: LogicalPlan,
}

impl<'a> Beside<'a> {
    pub(super) fn new(input: LogicalPlan, names: &'a Names) -> Self {
        Self {
            names,
            plan: input.clone(),
            input,
        }
    }

    pub(super) fn into_plan(self) -> LogicalPlan {
        self.plan
    }

    /// A subquery becomes what it says.
    pub(super) fn answered(&mut self, expr: Expr, node: &LogicalPlan) -> Result<Transformed<Expr>> {
        if !plain::is_subquery(&expr) || plain::is_left(&expr, node, &[&self.input])? {
            return Ok(Transformed::no(expr));
        }
        let new = match expr {
            Expr::ScalarSubquery(subquery) => self.value(&subquery)?,
            Expr::Exists(exists) => {
                let found = self.exists(&exists.subquery)?;
                match exists.negated {
                    true => not(found),
                    false => found,
                }
            }
            Expr::InSubquery(held) => {
                let found = self.any(*held.expr, Operator::Eq, &held.subquery, false)?;
                match held.negated {
                    true => not(found),
                    false => found,
                }
            }
            Expr::SetComparison(compared) => {
                let all = compared.quantifier == SetQuantifier::All;
                self.any(*compared.expr, compared.op, &compared.subquery, all)?
            }
            other => other,
        };
        Ok(Transformed::yes(new))
    }

    fn domain(&self, subquery: &Subquery) -> Result<Domain<'a>> {
        let asked = asked_outside(inside(subquery))?;
        Domain::of(&self.input, &asked, Vec::new(), self.names)
    }

    fn add(&mut self, domain: &Domain<'_>, told: LogicalPlan) -> Result<()> {
        let plan = std::mem::take(&mut self.plan);
        self.plan = domain.join(plan, told, JoinType::Left, None)?.build()?;
        Ok(())
    }

    /// The one value, NULL where there is none.
    fn value(&mut self, subquery: &Subquery) -> Result<Expr> {
        let domain = self.domain(subquery)?;
        let plan = inside(subquery);
        let value = Expr::Column(Column::from(plan.schema().qualified_field(0)));
        let told = LogicalPlanBuilder::from(domain.push(plan)?);
        let name = self.names.next("value");
        let mut columns = domain.expressions();
        let told = if has_one_row(plan) {
            columns.push(value.alias(&name));
            told.project(columns)?
        } else {
            let (rows, first) = (self.names.next("rows"), self.names.next("first"));
            let aggregates = vec![
                count(lit(1_i64)).alias(&rows),
                first_value(value, Vec::new()).alias(&first),
            ];
            let told = told.aggregate(domain.expressions(), aggregates)?;
            let one = ScalarFunction::new_udf(
                functions::single(),
                vec![
                    Expr::Column(Column::new_unqualified(&first)),
                    Expr::Column(Column::new_unqualified(&rows)),
                ],
            );
            columns.push(Expr::ScalarFunction(one).alias(&name));
            told.project(columns)?
        };
        self.add(&domain, told.build()?)?;
        Ok(Expr::Column(Column::new_unqualified(&name)))
    }

    /// Whether there is a row.
    fn exists(&mut self, subquery: &Subquery) -> Result<Expr> {
        let domain = self.domain(subquery)?;
        let name = self.names.next("exists");
        let told = LogicalPlanBuilder::from(domain.push(inside(subquery))?);
        let mut columns = domain.expressions();
        columns.push(lit(true).alias(&name));
        let told = match domain.columns.is_empty() {
            true => told.project(columns)?.limit(0, Some(1))?,
            false => told.project(columns)?.distinct()?,
        };
        self.add(&domain, told.build()?)?;
        Ok(Expr::IsNotNull(Box::new(Expr::Column(
            Column::new_unqualified(&name),
        ))))
    }

    /// `value op ANY (subquery)`, or `ALL`: told where one decides it, open where NULL might have.
    fn any(&mut self, value: Expr, op: Operator, subquery: &Subquery, all: bool) -> Result<Expr> {
        let asking = self.names.next("asking");
        let widened = |plan: LogicalPlan| {
            let mut columns: Vec<Expr> = plan
                .schema()
                .columns()
                .into_iter()
                .map(Expr::Column)
                .collect();
            columns.push(value.clone().alias(&asking));
            LogicalPlanBuilder::from(plan).project(columns)?.build()
        };
        let asking_column = Column::new_unqualified(&asking);
        let plan = inside(subquery);
        // What is asked may itself be an answer that stands beside the row by now.
        let base = widened(self.plan.clone())?;
        let domain = Domain::of(
            &base,
            &asked_outside(plan)?,
            vec![asking_column],
            self.names,
        )?;
        self.plan = base;
        let held = Expr::Column(Column::from(plan.schema().qualified_field(0)));
        let told = domain.push(plan)?;
        let asked = domain.expressions().pop().unwrap_or_else(|| lit(true));
        let compared = operators::compared(asked, op, held, told.schema())?;
        let (decides, open) = (self.names.next("decides"), self.names.next("open"));
        let deciding = match all {
            true => not(compared.clone()),
            false => compared.clone(),
        };
        let aggregates = vec![
            bool_or(deciding).alias(&decides),
            bool_or(Expr::IsNull(Box::new(compared))).alias(&open),
        ];
        let told = LogicalPlanBuilder::from(told)
            .aggregate(domain.expressions(), aggregates)?
            .build()?;
        self.add(&domain, told)?;
        let column = |name: &str| Expr::Column(Column::new_unqualified(name));
        when(column(&decides), lit(!all))
            .when(column(&open), lit(ScalarValue::Boolean(None)))
            .otherwise(lit(all))
    }
}

/// Whether a plan has one row at most for each row outside.
fn has_one_row(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Projection(projection) => has_one_row(&projection.input),
        LogicalPlan::SubqueryAlias(alias) => has_one_row(&alias.input),
        LogicalPlan::Filter(filter) => has_one_row(&filter.input),
        LogicalPlan::Subquery(subquery) => has_one_row(&subquery.subquery),
        LogicalPlan::Aggregate(aggregate) => aggregate.group_expr.is_empty(),
        LogicalPlan::EmptyRelation(_) => true,
        _ => false,
    }
}
