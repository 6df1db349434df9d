//! A job that has to answer before its host ends it.
//!
//! A function of AWS lives a quarter of an hour at most. A collection that will not finish stores how far it is and
//! answers `{"finished": false}`; the workflow sees that and calls again, and the next call goes on there.

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{ErrorType, JobContext, JobError, Level, run};

/// The jobs that go on where a call before them was stopped.
const RESUMABLE: [&str; 2] = ["collect", "update-dimensions"];

/// Runs one job; once `time_up` is cancelled it is told to stop.
///
/// # Errors
/// Those of [`run`]. A job that cannot go on later fails with [`ErrorType::Cancelled`] and what to do about it.
pub async fn run_in_time(
    name: &str,
    input: Value,
    context: &JobContext,
    time_up: &CancellationToken,
) -> Result<Value, JobError> {
    let ended = {
        let job = run(name, input, context);
        tokio::pin!(job);
        tokio::select! {
            ended = &mut job => ended,
            () = time_up.cancelled() => {
                context.cancel.cancel();
                job.await
            }
        }
    };
    match ended {
        Err(error) if error.error_type == ErrorType::Cancelled && time_up.is_cancelled() => {
            stopped_in_time(name, context)
        }
        ended => ended,
    }
}

fn stopped_in_time(name: &str, context: &JobContext) -> Result<Value, JobError> {
    if RESUMABLE.contains(&name) {
        let line = format!(
            "{name}: the function's time is up; what was read is stored, the next call goes on there"
        );
        context.log.line(Level::Info, &line);
        return Ok(json!({ "finished": false }));
    }
    Err(JobError::new(
        ErrorType::Cancelled,
        format!(
            "{name} did not end before the function's time limit; give it fewer days or the function more time and memory, then redrive"
        ),
    ))
}
