//! The statements of the workgroup, whoever sent them: what is there, what each did, the way to stop one.

use async_trait::async_trait;
use aws_sdk_athena::types::{QueryExecution, QueryExecutionState, StatementType};
use futures::TryStreamExt;

use super::{Clients, errors, kind, stop};
use crate::{
    call::{Api, CallError},
    instant, pages,
    probes::is_probe,
};
use lakehand_config::Profile;
use lakehand_ops::{
    OpsError, OpsErrorKind, OpsResult,
    ports::Statements,
    statements::{Statement, StatementState},
};

const LIST: Api = Api::paced("athena", "ListQueryExecutions", 5.0, 1.0);
const LIMIT: Api = Api::paced("athena", "GetWorkGroup", 5.0, 1.0);
const READ: Api = Api::paced("athena", "BatchGetQueryExecution", 5.0, 1.0);
/// What both calls take at most.
const BATCH: usize = 50;
/// Pages read beyond those that the limit needs, for our own questions are not listed.
const MORE_PAGES: usize = 9;
/// Times that ids are asked for which Athena did not get to.
const TRIES: usize = 3;

/// The list of a workgroup.
#[derive(Debug)]
pub(crate) struct WorkgroupStatements {
    clients: Clients,
    workgroup: String,
    price_per_tb: f64,
    /// The workgroup's limit, once it was read: it changes by a deployment.
    limit: tokio::sync::OnceCell<Option<u64>>,
}

impl WorkgroupStatements {
    /// The statements of the profile's workgroup. Calls nobody.
    pub(crate) fn new(clients: Clients, profile: &Profile) -> Self {
        Self {
            clients,
            workgroup: profile.workgroup(),
            price_per_tb: profile.datamart.price_per_tb,
            limit: tokio::sync::OnceCell::new(),
        }
    }

    /// The newest ids, a page at a time.
    fn ids(&self, limit: usize) -> impl futures::Stream<Item = Result<Vec<String>, CallError>> {
        let page_size = i32::try_from(limit.clamp(1, BATCH)).unwrap_or(1);
        pages(move |token| async move {
            let call = self.clients.athena.list_query_executions();
            let call = call.work_group(&self.workgroup).max_results(page_size);
            let sent = call.set_next_token(token).send();
            let answer = self.clients.call(LIST, &self.workgroup, sent).await?;
            Ok((
                answer.query_execution_ids.unwrap_or_default(),
                answer.next_token,
            ))
        })
    }

    /// Statements in the order of their ids. One that Athena has forgotten meanwhile is left out.
    async fn read(&self, ids: &[String]) -> Result<Vec<Statement>, CallError> {
        let (mut found, mut wanted) = (Vec::with_capacity(ids.len()), ids.to_vec());
        for _ in 0..TRIES {
            if wanted.is_empty() {
                break;
            }
            let call = self.clients.athena.batch_get_query_execution();
            let sent = call.set_query_execution_ids(Some(wanted)).send();
            let answer = self.clients.call(READ, &self.workgroup, sent).await?;
            found.extend(answer.query_executions.unwrap_or_default());
            let left = answer.unprocessed_query_execution_ids.unwrap_or_default();
            wanted = left
                .into_iter()
                .filter_map(|left| left.query_execution_id)
                .collect();
        }
        let place = |one: &QueryExecution| {
            ids.iter()
                .position(|id| Some(id.as_str()) == one.query_execution_id())
        };
        found.sort_by_key(place);
        Ok(found.iter().map(|one| self.statement(one)).collect())
    }

    fn statement(&self, execution: &QueryExecution) -> Statement {
        let (status, statistics) = (execution.status(), execution.statistics());
        let sql = execution.query().unwrap_or_default().to_owned();
        let number = |value: Option<i64>| value.and_then(|value| u64::try_from(value).ok());
        let is_free = execution.statement_type() != Some(&StatementType::Dml);
        Statement {
            id: execution
                .query_execution_id()
                .unwrap_or_default()
                .to_owned(),
            kind: kind(execution, &sql),
            state: state(status.and_then(|status| status.state())),
            submitted: status
                .and_then(|status| status.submission_date_time())
                .map(instant),
            ended: status
                .and_then(|status| status.completion_date_time())
                .map(instant),
            queued_ms: number(statistics.and_then(|all| all.query_queue_time_in_millis())),
            run_ms: number(statistics.and_then(|all| all.engine_execution_time_in_millis())),
            bytes_scanned: number(statistics.and_then(|all| all.data_scanned_in_bytes())),
            dollars: None,
            reason: status.and_then(errors::reason),
            sql,
        }
        .priced(is_free, self.price_per_tb)
    }

    async fn read_limit(&self) -> OpsResult<Option<u64>> {
        let call = self.clients.athena.get_work_group();
        let sent = call.work_group(&self.workgroup).send();
        let answer = self.clients.call(LIMIT, &self.workgroup, sent).await?;
        let configuration = answer.work_group.and_then(|group| group.configuration);
        let limit = configuration.and_then(|all| all.bytes_scanned_cutoff_per_query);
        Ok(limit.and_then(|limit| u64::try_from(limit).ok()))
    }

    fn not_found(&self, id: &str) -> OpsError {
        OpsError::new(
            OpsErrorKind::NotFound,
            format!(
                "Athena knows no statement '{id}' in {}",
                self.clients.region
            ),
            "list them with `lakehand statements list`; Athena forgets them after 45 days",
        )
    }
}

fn state(state: Option<&QueryExecutionState>) -> StatementState {
    match state {
        Some(QueryExecutionState::Running) => StatementState::Running,
        Some(QueryExecutionState::Succeeded) => StatementState::Succeeded,
        Some(QueryExecutionState::Failed) => StatementState::Failed,
        Some(QueryExecutionState::Cancelled) => StatementState::Cancelled,
        _ => StatementState::Queued,
    }
}

#[async_trait]
impl Statements for WorkgroupStatements {
    async fn list(&self, limit: usize) -> OpsResult<Vec<Statement>> {
        let (mut all, mut pages) = (Vec::new(), 0);
        let mut listing = std::pin::pin!(self.ids(limit));
        while all.len() < limit
            && pages < limit.div_ceil(BATCH) + MORE_PAGES
            && let Some(ids) = listing.try_next().await?
        {
            let mut rest = ids.as_slice();
            // No more than is wanted, and then in the place of those that are not listed.
            while !rest.is_empty() && all.len() < limit {
                let wanted = (limit - all.len()).min(BATCH).min(rest.len());
                let (batch, behind) = rest.split_at(wanted);
                let read = self.read(batch).await?;
                all.extend(read.into_iter().filter(|one| !is_probe(&one.sql)));
                rest = behind;
            }
            pages += 1;
        }
        Ok(all)
    }

    async fn show(&self, id: &str) -> OpsResult<Statement> {
        let found = self.read(&[id.to_owned()]).await?;
        found.into_iter().next().ok_or_else(|| self.not_found(id))
    }

    async fn stop(&self, id: &str) -> OpsResult<()> {
        let statement = self.show(id).await?;
        if !statement.state.is_under_way() {
            return Err(OpsError::new(
                OpsErrorKind::NotPossible,
                format!(
                    "the statement {id} cannot be stopped: it is {}",
                    statement.state.name()
                ),
                "look with `lakehand statements show`",
            ));
        }
        Ok(stop(&self.clients, id).await?)
    }

    async fn scan_limit(&self) -> OpsResult<Option<u64>> {
        self.limit
            .get_or_try_init(|| self.read_limit())
            .await
            .copied()
    }
}
