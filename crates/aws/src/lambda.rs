//! The functions: one program, which function it is stands in `_HANDLER`.
//!
//! | `_HANDLER` | event | answer |
//! | --- | --- | --- |
//! | a job of [`jobs::NAMES`] | its input | its output; `{"finished": false}` when it has to be called again |
//! | `fail-execution` | the failure to end with | fails with it, once for each redrive |
//! | `start-crawler` | what landed in S3, or a crawler's end | what was started, what is remembered |
//!
//! Any of them takes a batch of SQS, too, and answers with the messages that failed. A failure is an error to the
//! runtime under the name that a workflow's Retry and Catch match, never an answer that carries a status code.
//!
//! Settings come from the environment: `LAKEHAND_CONFIG_URI` (`s3://bucket/key` of a `config.toml` without secrets) or
//! `LAKEHAND_CONFIG` (its text), and `LAKEHAND_PROFILE`. They are read with the first event, so that what is wrong with
//! them is a failure with a name, and not a function that does not start.

mod batch;
mod catalog;
mod crawler;
mod log;
mod settings;

use std::{
    process::ExitCode,
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use lambda_runtime::{Diagnostic, LambdaEvent, Runtime, service_fn};
use serde_json::Value;
use tokio::sync::OnceCell;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use self::log::FunctionLog;
use super::functions::Functions;
use lakehand_pipeline::{
    jobs::{self, JobError, JobLog, Level},
    text::for_terminal,
};
use lakehand_workflow::fail_execution;

/// Part of the time that is left which a job gets to store how far it is, and the bounds of that.
const MARGIN: u32 = 6;
const LEAST_MARGIN: Duration = Duration::from_millis(500);
const MOST_MARGIN: Duration = Duration::from_secs(60);
/// Time a job gets to end after SIGTERM; Lambda kills soon after.
const FAREWELL: Duration = Duration::from_millis(1500);

/// What ended an event badly, as the runtime is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    error_type: String,
    message: String,
}

impl Failure {
    fn new(error_type: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            error_type: error_type.into(),
            message: message.into(),
        }
    }
}

impl From<JobError> for Failure {
    fn from(error: JobError) -> Self {
        Self::new(error.error_type.name(), error.message)
    }
}

impl From<Failure> for Diagnostic {
    fn from(failure: Failure) -> Self {
        Self {
            error_type: failure.error_type,
            error_message: failure.message,
        }
    }
}

/// Which function this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Handler {
    Job(&'static str),
    FailExecution,
    StartCrawler,
}

impl Handler {
    fn name(self) -> &'static str {
        match self {
            Self::Job(name) => name,
            Self::FailExecution => fail_execution::NAME,
            Self::StartCrawler => crawler::NAME,
        }
    }
}

impl FromStr for Handler {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let job = jobs::NAMES
            .into_iter()
            .find(|job| *job == name)
            .map(Self::Job);
        let other = match name {
            fail_execution::NAME => Some(Self::FailExecution),
            crawler::NAME => Some(Self::StartCrawler),
            _ => None,
        };
        job.or(other).ok_or_else(|| {
            format!(
                "there is no function '{}'; set the handler to {}, {} or one of {}",
                for_terminal(name),
                fail_execution::NAME,
                crawler::NAME,
                jobs::NAMES.join(", ")
            )
        })
    }
}

/// This function, over all its events.
#[derive(Debug)]
struct Function {
    handler: Handler,
    ports: OnceCell<Functions>,
    shutdown: CancellationToken,
    running: AtomicUsize,
}

/// One event on its way.
struct Invocation {
    request_id: String,
    /// Cancelled when the job has to store how far it is.
    time_up: CancellationToken,
}

/// Counts an event that is being answered, also one that ends in a panic.
struct Running<'a>(&'a AtomicUsize);

impl<'a> Running<'a> {
    fn begin(running: &'a AtomicUsize) -> Self {
        running.fetch_add(1, Ordering::SeqCst);
        Self(running)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Function {
    /// Answers one event of the runtime.
    async fn invoke(&self, event: LambdaEvent<Value>) -> Result<Value, Failure> {
        let _running = Running::begin(&self.running);
        let (payload, context) = event.into_parts();
        let invocation = Invocation {
            request_id: context.request_id,
            time_up: CancellationToken::new(),
        };
        let (time_up, left) = (invocation.time_up.clone(), time_left(context.deadline));
        let _timer = AbortOnDropHandle::new(tokio::spawn(async move {
            tokio::time::sleep(left).await;
            time_up.cancel();
        }));
        match batch::messages(&payload) {
            Some(messages) => Ok(self.batch(messages, &invocation).await),
            None => self.answer(payload, &invocation).await,
        }
    }

    /// Answers a batch: the messages that failed come again, those that were done do not.
    async fn batch(&self, messages: Vec<batch::Message>, invocation: &Invocation) -> Value {
        let mut failed = Vec::new();
        for message in messages {
            let done = match message.body {
                _ if invocation.time_up.is_cancelled() => false,
                Ok(body) => self.answer(body, invocation).await.is_ok(),
                Err(why) => {
                    self.log(invocation, None).line(Level::Error, &why);
                    false
                }
            };
            if !done {
                failed.push(message.id);
            }
        }
        batch::answer(&failed)
    }

    /// Answers one input; a failure is logged here, once.
    async fn answer(&self, input: Value, invocation: &Invocation) -> Result<Value, Failure> {
        let execution = input
            .get("execution")
            .and_then(Value::as_str)
            .map(str::to_owned);
        let log = Arc::new(self.log(invocation, execution.clone()));
        let execution = execution.unwrap_or_else(|| invocation.request_id.clone());
        let ended = self
            .work(input, execution, Arc::clone(&log), invocation)
            .await;
        if let Err(failure) = &ended {
            log.line(
                Level::Error,
                &format!("{}: {}", failure.error_type, failure.message),
            );
        }
        ended
    }

    async fn work(
        &self,
        input: Value,
        execution: String,
        log: Arc<FunctionLog>,
        invocation: &Invocation,
    ) -> Result<Value, Failure> {
        let cancel = self.shutdown.child_token();
        match self.handler {
            Handler::FailExecution => fail_execution::fail_execution(&input)
                .map_err(|failure| Failure::new(failure.error, failure.message)),
            Handler::Job(name) => {
                let ports = self.ports().await?;
                let context = ports.context(execution, log, cancel);
                let report = (name == "normalise").then(|| catalog::report_in(&input));
                let ended = jobs::run_in_time(name, input, &context, &invocation.time_up).await?;
                if let Some(report) = report.flatten() {
                    catalog::tell(ports, &context, report).await?;
                }
                Ok(ended)
            }
            Handler::StartCrawler => {
                let ports = self.ports().await?;
                let context = ports.context(execution, log, cancel);
                crawler::start(ports, &input, &context, &invocation.time_up).await
            }
        }
    }

    /// The ports of the profile; opened with the first event that needs them.
    async fn ports(&self) -> Result<&Functions, Failure> {
        let ports = self.ports.get_or_try_init(settings::ports).await;
        ports.map_err(Failure::from)
    }

    fn log(&self, invocation: &Invocation, execution: Option<String>) -> FunctionLog {
        FunctionLog::new(
            self.handler.name(),
            invocation.request_id.clone(),
            execution,
        )
    }
}

/// Time until a job has to store how far it is.
fn time_left(deadline_ms: u64) -> Duration {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let left = Duration::from_millis(deadline_ms).saturating_sub(now);
    left.saturating_sub((left / MARGIN).clamp(LEAST_MARGIN, MOST_MARGIN))
}

/// The program.
#[must_use]
pub fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let served = match runtime {
        Ok(runtime) => {
            let served = runtime.block_on(serve());
            // Nothing that still runs may keep the environment from ending.
            runtime.shutdown_background();
            served
        }
        Err(error) => Err(format!("the runtime did not start: {error}")),
    };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            FunctionLog::new("start", String::new(), None).line(Level::Error, &why);
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<(), String> {
    settings::check_host()?;
    let handler: Handler = match std::env::var("_HANDLER").unwrap_or_default().parse() {
        Ok(handler) => handler,
        Err(why) => return Err(settings::tell_init_error("Runtime.UnknownHandler", why).await),
    };
    let function = Arc::new(Function {
        handler,
        ports: OnceCell::new(),
        shutdown: CancellationToken::new(),
        running: AtomicUsize::new(0),
    });
    let own = Arc::clone(&function);
    let service = service_fn(move |event| {
        let function = Arc::clone(&own);
        async move { function.invoke(event).await }
    });
    let events = Runtime::new(service).run();
    tokio::pin!(events);
    tokio::select! {
        ended = &mut events => ended.map_err(|error| format!("the Lambda runtime ended: {error}")),
        () = terminated() => {
            function.shutdown.cancel();
            // A job that runs stores how far it is, and its answer still goes out.
            let done = async {
                while function.running.load(Ordering::SeqCst) > 0 {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            };
            if function.running.load(Ordering::SeqCst) > 0 {
                tokio::select! {
                    _ = &mut events => {}
                    _ = tokio::time::timeout(FAREWELL, done) => {}
                }
            }
            Ok(())
        }
    }
}

/// Lambda ends an environment with SIGTERM, where an extension has asked for it.
async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut signals) => {
            signals.recv().await;
        }
        Err(_) => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_has_a_name_of_its_own() {
        for name in jobs::NAMES
            .into_iter()
            .chain([fail_execution::NAME, crawler::NAME])
        {
            let handler: Handler = name.parse().unwrap();
            assert_eq!(handler.name(), name);
        }
        assert!(
            "bootstrap"
                .parse::<Handler>()
                .unwrap_err()
                .contains("collect")
        );
    }

    #[test]
    fn a_job_is_told_in_time() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let in_seconds = |seconds: u64| {
            let deadline = now + Duration::from_secs(seconds);
            time_left(u64::try_from(deadline.as_millis()).unwrap()).as_secs_f64()
        };
        assert!(
            (839.0..=840.0).contains(&in_seconds(900)),
            "{}",
            in_seconds(900)
        );
        assert!(
            (49.0..=50.0).contains(&in_seconds(60)),
            "{}",
            in_seconds(60)
        );
        assert_eq!(in_seconds(0), 0.0);
    }
}
