//! SQL on Athena: start, wait, stop, and the rows of what came out.
//!
//! A statement that nobody waits for any more is stopped in Athena and not only forgotten, whether the caller asked
//! for it or its future was dropped: a scan that goes on unseen costs money, and a MERGE that goes on unseen commits.

mod cells;
mod csv;
mod errors;
mod results;
mod statements;

pub(super) use statements::WorkgroupStatements;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use aws_sdk_athena::types::{
    QueryExecution, QueryExecutionContext, QueryExecutionState, ResultConfiguration,
};
use tokio_util::sync::CancellationToken;

use super::{
    Clients,
    call::{Api, CallError},
};
use lakehand_config::Profile;
use lakehand_ops::statements::kind_of;
use lakehand_pipeline::ports::{QueryEngine, QueryError, QueryRows, QuerySummary};

const START: Api = Api::paced("athena", "StartQueryExecution", 10.0, 5.0);
const LOOK: Api = Api::paced("athena", "GetQueryExecution", 40.0, 20.0);
const STOP: Api = Api::free("athena", "StopQueryExecution");
const RESULTS: Api = Api::paced("athena", "GetQueryResults", 40.0, 20.0);

/// First and longest wait between two looks at a running statement.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(3);
/// Looks in a row that may fail in a way that passes, while the statement runs on.
const BLIND_LOOKS: u32 = 5;
/// How long a stopped statement may take to end.
const STOPPING: Duration = Duration::from_secs(30);

/// Athena in one workgroup and database.
#[derive(Debug, Clone)]
pub struct AthenaEngine {
    clients: Clients,
    workgroup: Arc<str>,
    database: Arc<str>,
    /// `s3://…` of results, for workgroups that name none.
    output: Option<Arc<str>>,
}

impl AthenaEngine {
    /// The engine that the profile names. Calls nobody.
    pub(super) fn new(clients: &Clients, profile: &Profile) -> Self {
        Self {
            clients: clients.clone(),
            workgroup: profile.workgroup().into(),
            database: profile.database().into(),
            output: profile.aws.query_results.as_deref().map(Into::into),
        }
    }

    /// Starts a statement. The token makes a repeated call start nothing a second time.
    async fn start(&self, sql: &str) -> Result<Running, QueryError> {
        let token = uuid::Uuid::new_v4().to_string();
        let context = QueryExecutionContext::builder()
            .database(&*self.database)
            .build();
        let output = self.output.as_ref().map(|location| {
            ResultConfiguration::builder()
                .output_location(&**location)
                .build()
        });
        let request = self
            .clients
            .athena
            .start_query_execution()
            .query_string(sql);
        let request = request
            .client_request_token(token)
            .work_group(&*self.workgroup);
        let request = request
            .query_execution_context(context)
            .set_result_configuration(output);
        let answer = self
            .clients
            .call(START, &self.workgroup, request.send())
            .await;
        let id = answer
            .map_err(|error| errors::not_started(&error))?
            .query_execution_id;
        Ok(Running {
            clients: self.clients.clone(),
            id: id.unwrap_or_default(),
            ended: false,
        })
    }

    /// Runs a statement to its end.
    async fn finish(
        &self,
        sql: &str,
        cancel: &CancellationToken,
    ) -> Result<QueryExecution, QueryError> {
        if cancel.is_cancelled() {
            return Err(QueryError::Cancelled);
        }
        // The start is not interrupted: a statement whose id is not known cannot be stopped.
        let mut running = self.start(sql).await?;
        let ended = tokio::select! {
            ended = running.wait() => ended?,
            () = cancel.cancelled() => running.stop().await?,
        };
        errors::outcome(ended)
    }
}

/// A statement in Athena; stopped there when nobody waits for its end any more.
#[derive(Debug)]
struct Running {
    clients: Clients,
    id: String,
    ended: bool,
}

impl Running {
    async fn look(&self) -> Result<QueryExecution, CallError> {
        let sent = self
            .clients
            .athena
            .get_query_execution()
            .query_execution_id(&self.id)
            .send();
        let answer = self.clients.call(LOOK, &self.id, sent).await?;
        answer
            .query_execution
            .ok_or_else(|| CallError::empty(LOOK, &self.id))
    }

    /// Waits for the end, whatever it is.
    async fn wait(&mut self) -> Result<QueryExecution, QueryError> {
        let (mut wait, mut blind) = (FIRST_WAIT, 0);
        loop {
            tokio::time::sleep(wait).await;
            wait = wait.mul_f64(1.5).min(LONGEST_WAIT);
            match self.look().await {
                Ok(execution) if has_ended(&execution) => {
                    self.ended = true;
                    return Ok(execution);
                }
                Ok(_) => blind = 0,
                Err(error) if error.is_transient() && blind < BLIND_LOOKS => blind += 1,
                Err(error) => return Err(errors::lost(&self.id, &error)),
            }
        }
    }

    /// Stops it, and says how it ended: it may have come to its end before.
    async fn stop(&mut self) -> Result<QueryExecution, QueryError> {
        stop(&self.clients, &self.id)
            .await
            .map_err(|error| errors::lost(&self.id, &error))?;
        match tokio::time::timeout(STOPPING, self.wait()).await {
            Ok(ended) => ended,
            Err(_) => {
                self.ended = true;
                Err(QueryError::Failed {
                    message: format!(
                        "the statement {} was told to stop and did not end within {} s; look at it in Athena before the step is repeated",
                        self.id,
                        STOPPING.as_secs()
                    ),
                    transient: false,
                })
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let (clients, id) = (self.clients.clone(), std::mem::take(&mut self.id));
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            // Nobody is left to be told how it went.
            runtime.spawn(async move {
                let _ = stop(&clients, &id).await;
            });
        }
    }
}

async fn stop(clients: &Clients, id: &str) -> Result<(), CallError> {
    let sent = clients
        .athena
        .stop_query_execution()
        .query_execution_id(id)
        .send();
    clients.call(STOP, id, sent).await.map(drop)
}

fn has_ended(execution: &QueryExecution) -> bool {
    let state = execution.status().and_then(|status| status.state());
    matches!(
        state,
        Some(
            QueryExecutionState::Succeeded
                | QueryExecutionState::Failed
                | QueryExecutionState::Cancelled
        )
    )
}

fn unsigned(number: Option<i64>) -> u64 {
    number
        .and_then(|number| u64::try_from(number).ok())
        .unwrap_or(0)
}

/// `MERGE INTO` of Athena's `MERGE_INTO`, or the first word of the statement.
fn kind(execution: &QueryExecution, sql: &str) -> String {
    match execution.substatement_type() {
        Some(kind) => kind.replace('_', " "),
        None => kind_of(sql),
    }
}

#[async_trait]
impl QueryEngine for AthenaEngine {
    fn schema(&self) -> &str {
        &self.database
    }

    async fn execute(
        &self,
        sql: &str,
        cancel: &CancellationToken,
    ) -> Result<QuerySummary, QueryError> {
        let execution = self.finish(sql, cancel).await?;
        let statistics = execution.statistics();
        let statement = kind(&execution, sql);
        Ok(QuerySummary {
            rows: results::count(&self.clients, &execution, &statement).await?,
            statement,
            bytes_scanned: unsigned(statistics.and_then(|all| all.data_scanned_in_bytes())),
            elapsed_ms: unsigned(statistics.and_then(|all| all.total_execution_time_in_millis())),
        })
    }

    async fn query(&self, sql: &str, cancel: &CancellationToken) -> Result<QueryRows, QueryError> {
        let execution = self.finish(sql, cancel).await?;
        results::rows(&self.clients, &execution, cancel).await
    }
}
