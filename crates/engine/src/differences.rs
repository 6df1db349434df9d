//! Where an answer differs from Athena's on purpose, in one list, and which of them a statement meets.
//!
//! The README's table "What differs and is kept" is this list; a test holds the two together.

use datafusion::{
    common::{
        Result,
        tree_node::{TreeNode, TreeNodeRecursion},
    },
    logical_expr::{Expr, LogicalPlan},
};

/// One difference that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference {
    /// Its short name.
    pub id: &'static str,
    /// What differs, in Markdown.
    pub what: &'static str,
    /// What is answered here.
    pub here: &'static str,
    /// What Athena answers.
    pub on_athena: &'static str,
    /// Whether a statement that meets it is answered: then it is told beside the answer, where a plan shows it. The
    /// others are refused.
    pub is_answered: bool,
}

/// All of them.
pub const DIFFERENCES: &[Difference] = &[
    Difference {
        id: "approx-percentile",
        what: "`approx_percentile`",
        here: "exact",
        on_athena: "an approximation of large groups",
        is_answered: true,
    },
    Difference {
        id: "approx-distinct",
        what: "`approx_distinct`",
        here: "another sketch: about the same number, not the same",
        on_athena: "an approximation",
        is_answered: true,
    },
    Difference {
        id: "whole-numbers",
        what: "the type of a whole number of up to ten digits that is written in a statement, behind a column or a function",
        here: "bigint: no overflow at 2,147,483,647",
        on_athena: "integer",
        is_answered: true,
    },
    Difference {
        id: "regular-expressions",
        what: "looking around, back references and atomic groups of regular expressions",
        here: "an error after 1,000,000 steps of one match",
        on_athena: "taken",
        is_answered: false,
    },
    Difference {
        id: "array-sort-lambda",
        what: "`array_sort` with a lambda",
        here: "up to 2,000 elements",
        on_athena: "any number",
        is_answered: false,
    },
    Difference {
        id: "zones-of-rows",
        what: "a zone of its own for every row",
        here: "refused: a column has one zone",
        on_athena: "taken",
        is_answered: false,
    },
    Difference {
        id: "window-arguments",
        what: "arguments and frame bounds of window functions",
        here: "constants; `ntile`, and the default of `lag` and `lead`, may differ from row to row",
        on_athena: "may differ from row to row",
        is_answered: false,
    },
    Difference {
        id: "random-rows-outside",
        what: "a subquery that asks about random or limited rows outside",
        here: "refused",
        on_athena: "taken",
        is_answered: false,
    },
    Difference {
        id: "names-of-databases",
        what: "names of databases",
        here: "one database: `catalog.database.table` is `table`",
        on_athena: "several",
        is_answered: false,
    },
];

/// The list as a table in Markdown, as the README has it.
#[must_use]
pub fn table() -> String {
    let mut lines = vec![
        "| what | here | on Athena |".to_owned(),
        "| --- | --- | --- |".to_owned(),
    ];
    lines.extend(
        DIFFERENCES
            .iter()
            .map(|one| format!("| {} | {} | {} |", one.what, one.here, one.on_athena)),
    );
    lines.join("\n")
}

/// The differences that the answer of a planned statement has, each once, in the order of [`DIFFERENCES`].
///
/// # Errors
/// When the plan cannot be walked.
pub fn met(plan: &LogicalPlan) -> Result<Vec<&'static Difference>> {
    let mut ids: Vec<&'static str> = Vec::new();
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                ids.extend(met_by(expr));
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    let found = DIFFERENCES
        .iter()
        .filter(|one| one.is_answered && ids.contains(&one.id));
    Ok(found.collect())
}

fn met_by(expr: &Expr) -> Option<&'static str> {
    match expr {
        Expr::AggregateFunction(call) if call.func.name() == "approx_distinct" => {
            Some("approx-distinct")
        }
        Expr::ScalarFunction(call) if call.name() == "trino_percentile" => {
            Some("approx-percentile")
        }
        _ => None,
    }
}
