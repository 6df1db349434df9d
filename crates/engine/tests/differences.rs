//! The kept differences: one list, told in the README and by the statements that meet them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::sync::Arc;

use datafusion::{
    prelude::SessionConfig,
    sql::{parser::Statement, sqlparser::ast},
};
use lakehand_engine::{
    command::{self, Command},
    differences, rewrite, session_state,
};

async fn met(sql: &str) -> Vec<&'static str> {
    let Command::Select(mut query) = command::parse(sql).unwrap() else {
        panic!("{sql}")
    };
    rewrite::query(&mut query);
    let state = session_state(SessionConfig::new(), Arc::default()).unwrap();
    let statement = Statement::Statement(Box::new(ast::Statement::Query(query)));
    let plan = state.statement_to_plan(statement).await.unwrap();
    differences::met(&plan)
        .unwrap()
        .iter()
        .map(|one| one.id)
        .collect()
}

#[test]
fn the_readme_has_the_same_table() {
    let readme = include_str!("../../../README.md");
    let told = differences::table();
    assert!(
        readme.contains(&told),
        "README.md, SQL on one machine, should have:\n{told}"
    );
}

#[tokio::test]
async fn a_statement_tells_which_it_meets() {
    assert_eq!(
        met("SELECT approx_distinct(x) FROM (VALUES 1) t(x)").await,
        ["approx-distinct"]
    );
    assert_eq!(
        met("SELECT 1 WHERE 1 = (SELECT approx_distinct(x) + approx_percentile(x, 0.5) FROM (VALUES 1) t(x))").await,
        ["approx-percentile", "approx-distinct"]
    );
    assert!(
        met("SELECT count(DISTINCT x) AS approx_distinct FROM (VALUES 1) t(x)")
            .await
            .is_empty()
    );
}
