//! The session that statements are planned in, and the answer to one statement without a lake.

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use datafusion::{
    common::Result,
    execution::{SessionState, SessionStateBuilder, runtime_env::RuntimeEnv},
    optimizer::{Analyzer, AnalyzerRule},
    physical_plan::collect,
    prelude::{SessionConfig, SessionContext},
    sql::{parser::Statement, sqlparser::ast},
};

use crate::{
    command::{self, Command},
    decorrelate, dependencies,
    error::{self, SqlError},
    functions, mixed, operators, pushed, rewrite,
    rows::{plain_batch, plain_schema},
    shapes, sql_types,
    strictness::Strictness,
    types, unnest,
};

/// A session that answers as Trino does, with whatever else `config` says; see [`Strictness::set`].
///
/// # Errors
/// When a function cannot be registered.
pub fn session_state(mut config: SessionConfig, runtime: Arc<RuntimeEnv>) -> Result<SessionState> {
    let strictness = Strictness::of(&config);
    let options = config.options_mut();
    options.sql_parser.collect_spans = true;
    // Trino puts nulls last whichever way it sorts, and reads 1.5 as a decimal.
    options.sql_parser.default_null_ordering = "nulls_last".to_owned();
    options.sql_parser.parse_float_as_decimal = true;
    // It refuses plans that differ in nothing but whether a column could be NULL.
    options.execution.skip_physical_aggregate_schema_check = true;
    let mut rules: Vec<Arc<dyn AnalyzerRule + Send + Sync>> = vec![
        Arc::new(unnest::BesideItsRow),
        Arc::new(shapes::Shapes),
        Arc::new(decorrelate::Decorrelated),
        Arc::new(dependencies::WholeGroups),
    ];
    rules.push(Arc::new(mixed::Unmixed { strictness }));
    rules.extend(Analyzer::new().rules);
    rules.push(Arc::new(types::TrinoTypes));
    let builder = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_default_features();
    let mut state = builder
        .with_analyzer_rules(rules)
        .with_physical_optimizer_rules(pushed::rules())
        .with_type_planner(Arc::new(sql_types::TrinoTypeNames))
        .with_relation_planners(vec![Arc::new(unnest::Unnests)])
        .build();
    functions::register(&mut state)?;
    let operators = operators::TrinoOperators {
        strictness,
        functions: functions::decimals::functions()
            .into_iter()
            .map(Arc::new)
            .collect(),
    };
    datafusion::execution::FunctionRegistry::register_expr_planner(
        &mut state,
        Arc::new(operators),
    )?;
    unnest::register(&mut state)?;
    Ok(state)
}

/// The rows of one SELECT that reads no table, on one thread.
///
/// # Errors
/// [`SqlError`] in Athena's words.
pub async fn answer(sql: &str) -> std::result::Result<Vec<RecordBatch>, SqlError> {
    answer_as(sql, Strictness::Strict).await
}

/// The same, as strict as it is said.
///
/// # Errors
/// As [`answer`].
pub async fn answer_as(
    sql: &str,
    strictness: Strictness,
) -> std::result::Result<Vec<RecordBatch>, SqlError> {
    let command = command::parse_as(sql, strictness).map_err(|error| error::syntax(&error))?;
    let Command::Select(query) = command else {
        let message = format!("{} where a SELECT is needed", command.name());
        return Err(error::refused("NOT_SUPPORTED", message));
    };
    let batches = rows(*query, strictness).await;
    batches.map_err(|error| error::planned(&error, sql))
}

async fn rows(mut query: ast::Query, strictness: Strictness) -> Result<Vec<RecordBatch>> {
    rewrite::query_as(&mut query, strictness);
    let config = strictness.set(SessionConfig::new().with_target_partitions(1));
    let mut state = session_state(config, Arc::default())?;
    // The clock of the statement stands still.
    state.mark_start_execution();
    let statement = Statement::Statement(Box::new(ast::Statement::Query(Box::new(query))));
    let plan = state.statement_to_plan(statement).await?;
    let physical = state.create_physical_plan(&plan).await?;
    let context = SessionContext::new_with_state(state);
    let schema = plain_schema(&physical.schema());
    let batches = collect(physical, context.task_ctx()).await?;
    let plain = batches.iter().map(|batch| plain_batch(batch, &schema));
    Ok(plain.collect::<std::result::Result<_, _>>()?)
}
