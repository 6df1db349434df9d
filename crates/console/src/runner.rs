//! Runs effects. The policy is enforced here, by allow-list, whatever the screens did; every call has a time
//! limit; work on files happens on blocking threads and can be given up.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    path::PathBuf,
    sync::{Arc, Mutex, atomic::Ordering},
    time::{Duration, Instant},
};

use futures::{
    FutureExt,
    future::{BoxFuture, join_all},
};
use tokio::sync::mpsc::UnboundedSender;

use super::{
    Launcher,
    effect::{Answer, Effect, ExportRequest, Request, RequestKey, Risk},
    event::Answered,
    screens::{datamart::statements::NEWEST, logs::LINES_PER_READ},
    table::{self, Cancel, Index, Order, Source, find::find},
};
use lakehand_ops::{
    Connection, ExecutionId, Operations, OpsError, OpsErrorKind, OpsResult, RootCause,
};
use lakehand_pipeline::dataset::GoldTable;

/// Nothing hangs: a read that takes longer failed, a write that takes longer has an unknown outcome.
const LIMIT: Duration = Duration::from_secs(30);

/// Where exports go.
#[derive(Debug, Clone)]
pub(crate) struct Folders {
    /// First choice.
    pub(crate) export: PathBuf,
    /// When that cannot be written.
    pub(crate) state: Option<PathBuf>,
}

/// Runs effects and sends answers.
#[derive(Debug, Clone)]
pub(crate) struct Runner {
    operations: Arc<dyn Operations>,
    launcher: Option<Arc<dyn Launcher>>,
    allowed: &'static [Risk],
    folders: Folders,
    answers: UnboundedSender<Answered>,
    cancels: Arc<Mutex<HashMap<RequestKey, Cancel>>>,
}

/// The risks that the profile allows.
pub(crate) fn allowed(read_only: bool) -> &'static [Risk] {
    if read_only {
        &[Risk::Read]
    } else {
        &[Risk::Read, Risk::Write, Risk::Danger]
    }
}

impl Runner {
    /// A runner for these operations.
    pub(crate) fn new(
        operations: Arc<dyn Operations>,
        folders: Folders,
        answers: UnboundedSender<Answered>,
    ) -> Self {
        let allowed = allowed(operations.identity().read_only);
        Self {
            operations,
            launcher: None,
            allowed,
            folders,
            answers,
            cancels: Arc::default(),
        }
    }

    /// Lets what shall outlive the console be started by a launcher.
    pub(crate) fn with(self, launcher: Option<Arc<dyn Launcher>>) -> Self {
        Self { launcher, ..self }
    }

    /// How the way to the platform stands, with what was started into processes of its own.
    fn connection(&self) -> Connection {
        let launched = self.launcher.as_ref().map(|launcher| launcher.running());
        Connection {
            running_apart: launched.unwrap_or_default(),
            ..self.operations.connection()
        }
    }

    /// Starts an effect; its answer comes as an event.
    pub(crate) fn spawn(&self, effect: Effect) {
        let runner = self.clone();
        tokio::spawn(async move { runner.run(effect).await });
    }

    /// Runs an effect to its answer.
    pub(crate) async fn run(&self, effect: Effect) {
        let started = Instant::now();
        let Effect {
            request,
            stamp,
            confirmed,
            anew,
        } = effect;
        if anew {
            self.operations.forget();
        }
        let key = request.key();
        let cancel = self.begin(&key);
        let kept = request.clone();
        let send = |answer: Answer| {
            let answered = Answered {
                request: kept.clone(),
                stamp,
                took: started.elapsed(),
                answer,
                connection: Some(self.connection()),
            };
            // The console has gone: nobody waits any more.
            let _ = self.answers.send(answered);
        };
        let answer = match self.allowed_operations(&request, confirmed.as_deref()) {
            Err(error) => refused(&request, error),
            Ok(operations) => {
                let work = async {
                    match self.launched(operations.as_ref(), &request, confirmed.as_deref()) {
                        Some(launched) => launched.await,
                        None => {
                            self.perform(operations.clone(), request.clone(), cancel.clone(), &send)
                                .await
                        }
                    }
                };
                let work = std::panic::AssertUnwindSafe(work).catch_unwind();
                match tokio::time::timeout(LIMIT, work).await {
                    Ok(Ok(answer)) => answer,
                    Ok(Err(_)) => refused(&request, broken(request.name())),
                    Err(_) => {
                        cancel.store(true, Ordering::Relaxed);
                        refused(&request, too_slow(&request))
                    }
                }
            }
        };
        self.end(&key, &cancel);
        send(answer);
    }

    /// Gives up an older work of the same key.
    fn begin(&self, key: &RequestKey) -> Cancel {
        let cancel = Cancel::default();
        if let Ok(mut cancels) = self.cancels.lock()
            && let Some(older) = cancels.insert(key.clone(), cancel.clone())
        {
            older.store(true, Ordering::Relaxed);
        }
        cancel
    }

    fn end(&self, key: &RequestKey, cancel: &Cancel) {
        if let Ok(mut cancels) = self.cancels.lock()
            && cancels.get(key).is_some_and(|own| Arc::ptr_eq(own, cancel))
        {
            cancels.remove(key);
        }
    }

    /// The operations for this request, if the profile allows it; those of a confirmed change where a name was typed.
    fn allowed_operations(
        &self,
        request: &Request,
        confirmed: Option<&str>,
    ) -> OpsResult<Arc<dyn Operations>> {
        if let Some(error) = self.refusal(request) {
            return Err(error);
        }
        let named = confirmed.map(|name| self.operations.confirmed(name));
        let named = named.transpose()?.flatten();
        Ok(named.unwrap_or_else(|| Arc::clone(&self.operations)))
    }

    fn refusal(&self, request: &Request) -> Option<OpsError> {
        (!self.allowed.contains(&request.risk())).then(|| {
            OpsError::new(
                OpsErrorKind::ReadOnly,
                format!(
                    "{} of {} was refused: the profile is read-only",
                    request.name(),
                    request.target()
                ),
                "use a profile that may change things",
            )
        })
    }

    /// The work of a request that starts something which shall outlive the console, where a launcher does that.
    fn launched<'r>(
        &'r self,
        operations: &'r dyn Operations,
        request: &'r Request,
        confirmed: Option<&'r str>,
    ) -> Option<BoxFuture<'r, Answer>> {
        let launcher = self.launcher.as_ref()?;
        let work = async move {
            match request {
                Request::Start(request) => {
                    Answer::Started(launcher.start(operations, confirmed, request.clone()).await)
                }
                Request::Redrive(id) => {
                    Answer::Done(launcher.redrive(operations, confirmed, id).await)
                }
                Request::Crawl(name) => {
                    Answer::Done(launcher.crawl(operations, confirmed, name).await)
                }
                _ => Answer::Started(launcher.start_sample(operations, confirmed).await),
            }
        };
        let starts = matches!(
            request,
            Request::Start(_) | Request::Redrive(_) | Request::Crawl(_) | Request::StartSample
        );
        starts.then(|| work.boxed())
    }

    async fn perform(
        &self,
        operations: Arc<dyn Operations>,
        request: Request,
        cancel: Cancel,
        send: &(impl Fn(Answer) + Sync),
    ) -> Answer {
        match request {
            Request::Identify => Answer::Done(operations.identify().await),
            Request::Board => Answer::Board(operations.board().await.map(Arc::new)),
            Request::Executions(limit) => {
                // The Board names those that cannot be read.
                let read = operations.readable_executions(limit).await;
                Answer::Executions(read.map(|(executions, _)| Arc::new(executions)))
            }
            Request::Execution(id, after) => {
                Answer::Execution(operations.execution(&id, after).await.map(Arc::new))
            }
            Request::Preview(id) => {
                Answer::Execution(operations.execution(&id, u64::MAX).await.map(Arc::new))
            }
            Request::Causes(ids) => Answer::Causes(causes(operations.as_ref(), ids).await),
            Request::Logs(id, after) => {
                Answer::Logs(operations.logs(&id, None, after, LINES_PER_READ).await)
            }
            Request::Reports => Answer::Reports(operations.reports().await.map(Arc::new)),
            Request::Start(request) => Answer::Started(operations.start(request).await),
            Request::StartSample => Answer::Started(operations.start_sample().await),
            Request::Sources => Answer::Sources(operations.sources().await.map(Arc::new)),
            Request::Crawl(name) => Answer::Done(operations.crawl(&name).await),
            Request::StopCrawler(name) => Answer::Done(operations.stop_crawler(&name).await),
            Request::StartJob(name) => {
                let started = operations.start_glue_job(&name, BTreeMap::new()).await;
                Answer::Done(started.map(drop))
            }
            Request::StopJob(name, run) => {
                Answer::Done(operations.stop_glue_job(&name, &run).await)
            }
            Request::Quality(id) => Answer::Quality(operations.quality(&id).await),
            Request::Datamart => Answer::Datamart(operations.datamart().await.map(Arc::new)),
            Request::Snapshots => {
                let table = GoldTable::MarketingDatamart;
                Answer::Snapshots(operations.snapshots(table).await.map(Arc::new))
            }
            Request::RollBack(version) => {
                let table = GoldTable::MarketingDatamart;
                Answer::Done(operations.rollback(table, version).await.map(drop))
            }
            Request::Statements => {
                let all = operations.statements(NEWEST).await;
                Answer::Statements(all.map(Arc::new))
            }
            Request::StopStatement(id) => Answer::Done(operations.stop_statement(&id).await),
            Request::Credentials => {
                Answer::Credentials(operations.credentials().await.map(Arc::new))
            }
            Request::CredentialHistory(path) => {
                Answer::CredentialHistory(operations.credential_history(&path).await)
            }
            Request::SetCredential {
                path,
                value,
                sign_in_first,
            } => {
                Answer::CredentialSet(operations.set_credential(&path, value, sign_in_first).await)
            }
            Request::TestCredentials(source) => {
                Answer::SignedIn(operations.test_credentials(&source).await)
            }
            Request::Redrive(id) => Answer::Done(operations.redrive(&id).await),
            Request::Stop(id, reason) => Answer::Done(operations.stop(&id, &reason).await),
            Request::OpenReport(name) => {
                Answer::Opened(match operations.report_file(&name).await {
                    Ok(path) => blocking("open", name.to_string(), move || {
                        Source::open(&path, name.as_ref())
                    })
                    .await
                    .map(Arc::new),
                    Err(error) => Err(error),
                })
            }
            Request::OpenFile(name, path) => Answer::Opened(
                blocking("open", name.to_string(), move || {
                    Source::open(&path, name.as_ref())
                })
                .await
                .map(Arc::new),
            ),
            Request::Index(source) => self.index(source, cancel, send).await,
            Request::Rows(rows) => {
                let name = rows.source.name().to_owned();
                let read = move || {
                    table::read_block(&rows.source, &rows.index, rows.order.as_deref(), rows.block)
                };
                Answer::Rows(blocking("read", name, read).await.map(Arc::new))
            }
            Request::Arrange(source, index, spec) => {
                let name = source.name().to_owned();
                let arranged = blocking("sort and filter", name, move || {
                    table::arrange(&source, &index, &spec, &cancel)
                })
                .await;
                Answer::Arranged(arranged.map(|order| order.map(Arc::new)))
            }
            Request::Find(source, index, order, spec) => {
                let name = source.name().to_owned();
                Answer::Found(
                    blocking("search", name, move || {
                        find(&source, &index, order.as_deref(), &spec, &cancel)
                    })
                    .await,
                )
            }
            Request::Cell(source, index, row, column) => {
                let name = source.name().to_owned();
                let read = move || table::read_cell(&source, &index, row, column);
                Answer::Cell(blocking("read a cell of", name, read).await.map(Arc::from))
            }
            Request::Export(source, index, order, request) => {
                self.export(source, index, order, request, cancel).await
            }
            Request::Input(id) => {
                let detail = operations.execution(&id, u64::MAX).await;
                Answer::Input(detail.map(|detail| detail.input))
            }
            Request::Copy(_)
            | Request::Mouse(_)
            | Request::Redraw
            | Request::Suspend
            | Request::EditInput(_)
            | Request::SignIn(_)
            | Request::Quit
            | Request::Panic => Answer::Done(Ok(())),
        }
    }

    async fn index(
        &self,
        source: Arc<Source>,
        cancel: Cancel,
        send: &(impl Fn(Answer) + Sync),
    ) -> Answer {
        let (progress, mut grown) = tokio::sync::mpsc::unbounded_channel();
        let name = source.name().to_owned();
        let work = blocking("index", name, move || {
            Index::build(&source, &cancel, |index| {
                let _ = progress.send(index);
            })
        });
        let relay = async {
            while let Some(index) = grown.recv().await {
                send(Answer::Indexed(Ok(Arc::new(index)), false));
            }
        };
        let (result, ()) = tokio::join!(work, relay);
        Answer::Indexed(result.map(Arc::new), true)
    }

    /// Into the export folder, or into the state folder when that one cannot be written.
    async fn export(
        &self,
        source: Arc<Source>,
        index: Arc<Index>,
        order: Option<Arc<Order>>,
        request: ExportRequest,
        cancel: Cancel,
    ) -> Answer {
        let name = source.name().to_owned();
        let folders = self.folders.clone();
        let work = move || {
            let into = |folder: &PathBuf| {
                let target = (folder.as_path(), request.file_name.as_str());
                table::export(
                    &source,
                    &index,
                    order.as_deref(),
                    &request.hidden,
                    request.format,
                    target,
                    &cancel,
                )
            };
            match (into(&folders.export), &folders.state) {
                (Err(error), Some(folder)) if error.kind() != io::ErrorKind::Interrupted => {
                    std::fs::create_dir_all(folder)?;
                    into(folder)
                }
                (result, _) => result,
            }
        };
        Answer::Exported(blocking("export", name, work).await)
    }
}

/// Stage, error and cause of executions, a few at a time; those that cannot be read are left out.
async fn causes(operations: &dyn Operations, ids: Vec<ExecutionId>) -> Vec<(ExecutionId, String)> {
    let mut all = Vec::new();
    for few in ids.chunks(4) {
        let read = few.iter().map(|id| operations.execution(id, u64::MAX >> 1));
        for (id, detail) in few.iter().zip(join_all(read).await) {
            let cause = detail.ok().and_then(|detail| detail.root_cause);
            let text =
                |cause: RootCause| format!("{} {} {}", cause.stage, cause.error, cause.cause);
            all.extend(cause.map(|cause| (id.clone(), text(cause))));
        }
    }
    all
}

/// Runs work on files away from the screen; a failure says what was tried.
async fn blocking<T: Send + 'static>(
    verb: &'static str,
    name: String,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> OpsResult<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => {
            let message = format!("cannot {verb} {name}: {error}");
            Err(OpsError::new(
                OpsErrorKind::Platform,
                message,
                "check that the file is there and readable, then press r",
            ))
        }
        Err(_) => Err(broken(verb)),
    }
}

fn broken(what: &str) -> OpsError {
    OpsError::new(
        OpsErrorKind::Platform,
        format!("'{what}' broke inside Lakehand"),
        "this is a bug; the log file, which `lakehand config path` names, has the details; please report it",
    )
}

fn too_slow(request: &Request) -> OpsError {
    let seconds = LIMIT.as_secs();
    let message = format!(
        "{} {} gave no answer in {seconds} s",
        request.name(),
        request.target()
    );
    let advice = if request.risk() == Risk::Read {
        "it is asked again by itself"
    } else {
        "whether it took effect is unknown; look at the Board before repeating it"
    };
    OpsError::new(OpsErrorKind::Platform, message, advice)
}

/// A failure in the shape of the request's answer.
fn refused(request: &Request, error: OpsError) -> Answer {
    match request {
        Request::Board => Answer::Board(Err(error)),
        Request::Executions(_) => Answer::Executions(Err(error)),
        Request::Execution(..) | Request::Preview(_) => Answer::Execution(Err(error)),
        // A search finds less; what cannot be read is told where it is shown.
        Request::Causes(_) => Answer::Causes(Vec::new()),
        Request::Logs(..) => Answer::Logs(Err(error)),
        Request::Reports => Answer::Reports(Err(error)),
        Request::OpenReport(_) | Request::OpenFile(..) => Answer::Opened(Err(error)),
        Request::Index(_) => Answer::Indexed(Err(error), true),
        Request::Rows(_) => Answer::Rows(Err(error)),
        Request::Arrange(..) => Answer::Arranged(Err(error)),
        Request::Find(..) => Answer::Found(Err(error)),
        Request::Export(..) => Answer::Exported(Err(error)),
        Request::Cell(..) => Answer::Cell(Err(error)),
        Request::Start(_) | Request::StartSample => Answer::Started(Err(error)),
        Request::Sources => Answer::Sources(Err(error)),
        Request::Quality(_) => Answer::Quality(Err(error)),
        Request::Datamart => Answer::Datamart(Err(error)),
        Request::Snapshots => Answer::Snapshots(Err(error)),
        Request::Statements => Answer::Statements(Err(error)),
        Request::Credentials => Answer::Credentials(Err(error)),
        Request::CredentialHistory(_) => Answer::CredentialHistory(Err(error)),
        Request::SetCredential { .. } => Answer::CredentialSet(Err(error)),
        Request::TestCredentials(_) => Answer::SignedIn(Err(error)),
        _ => Answer::Done(Err(error)),
    }
}
