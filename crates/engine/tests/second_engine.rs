//! Random statements about small tables of NULLs and equal values, answered by DuckDB too: joins, groups, sets, windows
//! and conditions of three values mean the same in both. `SECOND_ENGINE_SEED` asks others, `SECOND_ENGINE_SHOW=refused`
//! prints what is refused.
//!
//! The test makes a virtual environment under `target/` for itself, so it needs `python3` with `venv` and a package index.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "second_engine/compared.rs"]
mod compared;
#[path = "second_engine/dice.rs"]
mod dice;
#[path = "../../../tests/support/python.rs"]
mod python_environment;
#[path = "second_engine/statements.rs"]
mod statements;
#[path = "second_engine/tables.rs"]
mod tables;

use std::{collections::BTreeMap, sync::Arc};

use arrow::record_batch::RecordBatch;
use compared::{Rows, canonical, duckdb, same};
use datafusion::{
    common::DataFusionError,
    datasource::MemTable,
    physical_plan::collect,
    prelude::{SessionConfig, SessionContext},
    sql::{parser::Statement, sqlparser::ast},
};
use dice::Dice;
use lakehand_engine::{
    command::{self, Command},
    error, rewrite,
    rows::{plain_batch, plain_schema},
    session_state,
};
use statements::{Asked, Maker};
use tables::{TABLES, rows, type_name, values};

/// Sets of tables, and statements about each of them.
const ROUNDS: usize = 40;
const STATEMENTS: usize = 50;

/// Of the statements so many at least are answered; the others are refused by name.
const ANSWERED: usize = ROUNDS * STATEMENTS * 9 / 10;

/// One set of tables and what is asked about it.
struct Round {
    tables: Vec<Vec<Vec<String>>>,
    asked: Vec<Asked>,
}

fn rounds() -> Vec<Round> {
    let seed = std::env::var("SECOND_ENGINE_SEED").map_or(14, |seed| seed.parse().unwrap());
    let mut dice = Dice::new(seed);
    (0..ROUNDS)
        .map(|_| {
            let tables = TABLES.map(|(_, columns)| rows(&mut dice, columns)).to_vec();
            let mut maker = Maker::new(&mut dice);
            let asked = (0..STATEMENTS).map(|_| maker.statement()).collect();
            Round { tables, asked }
        })
        .collect()
}

/// The statements that make a table of these rows in DuckDB.
fn ddl(round: &Round) -> Vec<String> {
    let made = TABLES
        .iter()
        .zip(&round.tables)
        .flat_map(|((name, columns), rows)| {
            let columns = columns
                .iter()
                .map(|(column, kind)| format!("\"{column}\" {}", type_name(*kind)));
            [
                format!(
                    "CREATE TABLE {name} ({})",
                    columns.collect::<Vec<_>>().join(", ")
                ),
                format!("INSERT INTO {name} VALUES {}", values(rows)),
            ]
        });
    made.collect()
}

fn parsed(sql: &str) -> ast::Query {
    match command::parse(sql) {
        Ok(Command::Select(query)) => *query,
        Ok(other) => panic!("{} where a SELECT is needed: {sql}", other.name()),
        Err(error) => panic!("{error}: {sql}"),
    }
}

async fn answer(context: &SessionContext, sql: &str) -> Result<Vec<RecordBatch>, DataFusionError> {
    let mut query = parsed(sql);
    rewrite::query(&mut query);
    let state = context.state();
    let statement = Statement::Statement(Box::new(ast::Statement::Query(Box::new(query))));
    let plan = state.statement_to_plan(statement).await?;
    let physical = state.create_physical_plan(&plan).await?;
    let schema = plain_schema(&physical.schema());
    let batches = collect(physical, context.task_ctx()).await?;
    let plain = batches.iter().map(|batch| plain_batch(batch, &schema));
    Ok(plain.collect::<Result<_, _>>()?)
}

/// A session with the tables of a round.
async fn session(round: &Round) -> SessionContext {
    let config = SessionConfig::new().with_target_partitions(1);
    let context = SessionContext::new_with_state(session_state(config, Arc::default()).unwrap());
    for ((name, columns), rows) in TABLES.iter().zip(&round.tables) {
        let casts = columns.iter().enumerate().map(|(at, (column, kind))| {
            format!("CAST(c{at} AS {}) AS \"{column}\"", type_name(*kind))
        });
        let names: Vec<String> = (0..columns.len()).map(|at| format!("c{at}")).collect();
        let sql = format!(
            "SELECT {} FROM (VALUES {}) v ({})",
            casts.collect::<Vec<_>>().join(", "),
            values(rows),
            names.join(", ")
        );
        let batches = answer(&context, &sql).await.unwrap();
        let table = MemTable::try_new(batches[0].schema(), vec![batches]).unwrap();
        context.register_table(*name, Arc::new(table)).unwrap();
    }
    context
}

/// What we say: rows, or the error as it is told.
async fn ours(round: &Round) -> Vec<Result<Rows, String>> {
    let context = session(round).await;
    let mut told = Vec::new();
    for asked in &round.asked {
        let answer = answer(&context, &asked.sql).await;
        told.push(
            answer
                .map(|batches| canonical(&batches))
                .map_err(|error| error::planned(&error, &asked.sql).to_string()),
        );
    }
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_statements_have_the_answers_of_duckdb() {
    let python =
        python_environment::python("other-engines", &["duckdb==1.5.6", "sqlglot==30.30.0"]);
    let rounds = Arc::new(rounds());
    let asked: Vec<_> = rounds
        .iter()
        .map(|round| {
            let asked: Vec<&str> = round.asked.iter().map(|asked| asked.sql.as_str()).collect();
            serde_json::json!({"tables": ddl(round), "asked": asked})
        })
        .collect();
    let theirs = tokio::task::spawn_blocking(move || duckdb(&python, &asked));
    let halves = [0, 1].map(|half| {
        let rounds = Arc::clone(&rounds);
        tokio::spawn(async move {
            let mut told = BTreeMap::new();
            for (at, round) in rounds.iter().enumerate().filter(|(at, _)| at % 2 == half) {
                told.insert(at, ours(round).await);
            }
            told
        })
    });
    let mut ours = BTreeMap::new();
    for half in halves {
        ours.extend(half.await.unwrap());
    }
    let theirs = theirs.await.unwrap();
    judge(&rounds, &ours, &theirs);
}

fn judge(
    rounds: &[Round],
    ours: &BTreeMap<usize, Vec<Result<Rows, String>>>,
    theirs: &[Vec<Result<Rows, String>>],
) {
    let show = std::env::var("SECOND_ENGINE_SHOW").unwrap_or_default();
    let (mut answered, mut wrong) = (0, Vec::new());
    let mut refusals: BTreeMap<String, usize> = BTreeMap::new();
    for (at, round) in rounds.iter().enumerate() {
        for (place, asked) in round.asked.iter().enumerate() {
            let differs = match (&ours[&at][place], &theirs[at][place]) {
                (Ok(our), Ok(their)) => {
                    answered += 1;
                    (!same(our, their, asked.ordered))
                        .then(|| format!("ours   {our:?}\n  DuckDB {their:?}"))
                }
                (Err(refused), Ok(_)) if refused.starts_with("NOT_SUPPORTED") => {
                    *refusals
                        .entry(refused.chars().take(100).collect())
                        .or_default() += 1;
                    if show == "refused" {
                        println!("{}\n  {refused}", asked.sql);
                    }
                    None
                }
                (our, their) => Some(format!("ours   {our:?}\n  DuckDB {their:?}")),
            };
            if let Some(differs) = differs {
                wrong.push(format!(
                    "{}\n  tables {}\n  {differs}",
                    asked.sql,
                    ddl(round).join("; ")
                ));
            }
        }
    }
    println!("{answered} answered; refused: {refusals:#?}");
    wrong.sort_by_key(String::len);
    wrong.truncate(12);
    assert!(wrong.is_empty(), "answers differ:\n{}", wrong.join("\n\n"));
    assert!(
        answered >= ANSWERED,
        "only {answered} are answered: {refusals:#?}"
    );
}
