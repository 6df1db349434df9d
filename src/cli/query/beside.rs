//! The engine on threads of its own: it may compute for long without a pause, and whoever waits for it must see Ctrl-C
//! meanwhile and be able to ask the next statement.

use std::{io, sync::Arc};

use arrow::array::RecordBatch;
use futures::StreamExt;
use tokio::{runtime::Runtime, sync::mpsc, task::JoinError};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::pipeline::ports::{QueryEngine, QueryError, QueryRows, QuerySummary};

/// Batches that wait to be written.
const WAITING: usize = 2;

/// The threads of one statement.
#[derive(Debug)]
pub struct Threads(Option<Runtime>);

impl Threads {
    /// Threads that are left to themselves when the statement is: for an engine that computes here.
    ///
    /// # Errors
    /// When the system has no more threads.
    pub fn own() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?;
        Ok(Self(Some(runtime)))
    }

    /// The program's: for an engine that waits for another machine over connections that are kept.
    pub fn shared() -> Self {
        Self(None)
    }

    fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> AbortOnDropHandle<T> {
        AbortOnDropHandle::new(match &self.0 {
            Some(runtime) => runtime.spawn(work),
            None => tokio::spawn(work),
        })
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// What a fault of the engine is told as.
fn broken(error: &JoinError) -> QueryError {
    if error.is_cancelled() {
        return QueryError::Cancelled;
    }
    QueryError::Failed {
        message: "the statement met a fault of this program, whose report is in the log (`lakehand config path` names it); write the statement another way".to_owned(),
        transient: false,
    }
}

/// As [`QueryEngine::query`]; the rows end as soon as they are not wanted any more.
///
/// # Errors
/// As the engine's; a fault of it is an error too.
pub async fn query(
    threads: Threads,
    engine: &Arc<dyn QueryEngine>,
    sql: &str,
    cancel: &CancellationToken,
) -> Result<QueryRows, QueryError> {
    let (engine, sql, token) = (Arc::clone(engine), sql.to_owned(), cancel.clone());
    let asked = threads.spawn(async move { engine.query(&sql, &token).await });
    let rows = tokio::select! {
        biased;
        () = cancel.cancelled() => return Err(QueryError::Cancelled),
        rows = asked => rows.map_err(|error| broken(&error))??,
    };
    let (sender, receiver) = mpsc::channel(WAITING);
    let mut batches = rows.batches;
    let pump = threads.spawn(async move {
        while let Some(batch) = batches.next().await {
            if sender.send(batch).await.is_err() {
                return;
            }
        }
    });
    let wanted = Wanted {
        receiver,
        pump: Some(pump),
        cancel: cancel.clone(),
        _threads: threads,
    };
    Ok(QueryRows {
        schema: rows.schema,
        batches: Box::pin(futures::stream::unfold(wanted, Wanted::next)),
        scanned: rows.scanned,
    })
}

/// Rows on their way from the engine's task.
struct Wanted {
    receiver: mpsc::Receiver<Result<RecordBatch, QueryError>>,
    /// Nothing once it has ended.
    pump: Option<AbortOnDropHandle<()>>,
    cancel: CancellationToken,
    _threads: Threads,
}

impl Wanted {
    async fn next(mut self) -> Option<(Result<RecordBatch, QueryError>, Self)> {
        self.pump.as_ref()?;
        let batch = tokio::select! {
            biased;
            () = self.cancel.cancelled() => {
                self.pump = None;
                return Some((Err(QueryError::Cancelled), self));
            }
            batch = self.receiver.recv() => batch,
        };
        if let Some(batch) = batch {
            return Some((batch, self));
        }
        // Rows that end because their task broke are not all of them.
        let ended = self.pump.take()?.await;
        ended.err().map(|error| (Err(broken(&error)), self))
    }
}

/// As [`QueryEngine::execute`], which is waited for: a change may be committed until it has told its end.
///
/// # Errors
/// As the engine's; a fault of it is an error too.
pub async fn execute(
    threads: Threads,
    engine: &Arc<dyn QueryEngine>,
    sql: &str,
    cancel: &CancellationToken,
) -> Result<QuerySummary, QueryError> {
    let (engine, sql, token) = (Arc::clone(engine), sql.to_owned(), cancel.clone());
    let work = threads.spawn(async move { engine.execute(&sql, &token).await });
    work.await.map_err(|error| broken(&error))?
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use arrow::{
        array::{ArrayRef, Int64Array},
        datatypes::SchemaRef,
    };
    use async_trait::async_trait;

    use super::*;

    /// Gives a batch, and breaks or computes without a pause.
    #[derive(Debug)]
    struct Rough {
        breaks: bool,
    }

    fn batch() -> RecordBatch {
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        RecordBatch::try_from_iter([("n", numbers)]).unwrap()
    }

    #[async_trait]
    impl QueryEngine for Rough {
        async fn execute(
            &self,
            _: &str,
            _: &CancellationToken,
        ) -> Result<QuerySummary, QueryError> {
            panic!("a fault")
        }

        async fn query(&self, _: &str, _: &CancellationToken) -> Result<QueryRows, QueryError> {
            let schema: SchemaRef = batch().schema();
            let breaks = self.breaks;
            let batches = futures::stream::iter(0..2).map(move |place| {
                match (place, breaks) {
                    (0, _) => {}
                    (_, true) => panic!("a fault"),
                    (_, false) => std::thread::sleep(Duration::from_secs(3)),
                }
                Ok(batch())
            });
            Ok(QueryRows {
                schema,
                batches: Box::pin(batches),
                scanned: Default::default(),
            })
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn rows_that_break_off_are_an_error_and_not_an_end() {
        let engine: Arc<dyn QueryEngine> = Arc::new(Rough { breaks: true });
        let cancel = CancellationToken::new();
        let rows = query(Threads::own().unwrap(), &engine, "", &cancel)
            .await
            .unwrap();
        let all: Vec<_> = rows.batches.collect().await;
        assert_eq!(all.len(), 2);
        assert!(all[0].is_ok());
        let told = all[1].as_ref().unwrap_err().to_string();
        assert!(told.contains("a fault of this program"), "{told}");
        let told = execute(Threads::shared(), &engine, "", &cancel)
            .await
            .unwrap_err()
            .to_string();
        assert!(told.contains("a fault of this program"), "{told}");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_engine_that_does_not_pause_is_left() {
        let engine: Arc<dyn QueryEngine> = Arc::new(Rough { breaks: false });
        let cancel = CancellationToken::new();
        let mut rows = query(Threads::own().unwrap(), &engine, "", &cancel)
            .await
            .unwrap()
            .batches;
        assert!(rows.next().await.unwrap().is_ok());
        cancel.cancel();
        assert!(matches!(
            rows.next().await,
            Some(Err(QueryError::Cancelled))
        ));
        assert!(rows.next().await.is_none());
    }
}
