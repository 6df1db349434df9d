//! `lambda:invoke`: functions are pipeline jobs.

use serde_json::{Value, json};

use super::{JobCall, JobRunner, TaskCall, TaskFailure, text_parameter};
use crate::config::Profile;

/// `lambda:invoke`: `FunctionName` and `Payload` in, Lambda's answer out.
pub(super) async fn invoke(profile: &Profile, jobs: &dyn JobRunner, mut call: TaskCall) -> Result<Value, TaskFailure> {
    let function = text_parameter(&call.parameters, "FunctionName", "lambda:invoke")?.to_owned();
    let payload = call.parameters.get_mut("Payload").map_or_else(|| json!({}), Value::take);
    let output = run_job(&job_name(profile, &function), payload, jobs, call).await?;
    Ok(json!({ "ExecutedVersion": "$LATEST", "Payload": output, "StatusCode": 200 }))
}

/// A function's own ARN as the resource: parameters in, the function's answer out.
pub(super) async fn call_function(profile: &Profile, jobs: &dyn JobRunner, mut call: TaskCall) -> Result<Value, TaskFailure> {
    let job = job_name(profile, &call.resource);
    let payload = call.parameters.take();
    run_job(&job, payload, jobs, call).await
}

/// `collect` of `lakehand-dev-collect`, of its ARN, and of either with a version or alias behind it.
fn job_name(profile: &Profile, function: &str) -> String {
    let name = match function.split(':').collect::<Vec<_>>().as_slice() {
        ["arn", _, "lambda", _, _, "function", name, ..] => *name,
        [name, ..] => *name,
        [] => function,
    };
    let prefix = profile.resource_name("");
    name.strip_prefix(&prefix).unwrap_or(name).to_owned()
}

async fn run_job(job: &str, payload: Value, jobs: &dyn JobRunner, call: TaskCall) -> Result<Value, TaskFailure> {
    if job == "fail-execution" {
        return fail_execution(&payload);
    }
    let job_call =
        JobCall { execution: call.execution.to_string(), stage: call.stage, attempt: call.attempt, log: call.log, cancel: call.cancel };
    jobs.run(job, payload, job_call)
        .await
        .map_err(|error| function_error(error.error_type.name(), &error.message))
}

/// A function's failure as Step Functions reports it.
fn function_error(error_type: &str, message: &str) -> TaskFailure {
    TaskFailure::new(error_type, json!({ "errorMessage": message, "errorType": error_type }).to_string())
}

/// Ends an execution as failed with the error that was caught before, so that it can be redriven.
///
/// A redrive of an execution that ended in a Fail state enters the Fail state again and fails again
/// (AWS, "Redrive behavior of individual states"). This function fails once for each redrive count:
/// `failed_in` and `now_in` are the context's `$$.Execution` at the failure and now. After a redrive the
/// second has the higher `RedriveCount` (an execution that never was redriven has none), the function
/// succeeds, and the work goes on.
pub(in super::super) fn fail_execution(input: &Value) -> Result<Value, TaskFailure> {
    let count = |name: &str| input.get(name).and_then(|run| run.get("RedriveCount")).and_then(Value::as_u64).unwrap_or(0);
    if count("now_in") > count("failed_in") {
        return Ok(json!({ "redriven": true }));
    }
    let text = |name: &str| input.get(name).and_then(Value::as_str).unwrap_or_default();
    let (error, cause) = (text("error"), text("cause"));
    let wrapped_already = serde_json::from_str::<Value>(cause)
        .is_ok_and(|inner| inner.get("errorType").and_then(Value::as_str) == Some(error));
    if wrapped_already { Err(TaskFailure::new(error, cause)) } else { Err(function_error(error, cause)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_execution_fails_once_for_each_redrive() {
        let cause = json!({ "errorMessage": "key expired", "errorType": "BadCredentials" }).to_string();
        let never = json!({ "Id": "x" });
        let redriven = |count: u64| json!({ "Id": "x", "RedriveCount": count });
        let at = |failed: Value, now: Value| {
            fail_execution(&json!({ "error": "BadCredentials", "cause": cause, "failed_in": failed, "now_in": now }))
        };
        assert_eq!(at(never.clone(), never.clone()), Err(TaskFailure::new("BadCredentials", cause.clone())));
        assert_eq!(at(redriven(2), redriven(2)), Err(TaskFailure::new("BadCredentials", cause.clone())));
        assert_eq!(at(never.clone(), redriven(1)), Ok(json!({ "redriven": true })));
        let plain = fail_execution(&json!({ "error": "States.Timeout", "cause": "", "failed_in": never, "now_in": never }));
        assert_eq!(plain.unwrap_err().error, "States.Timeout");
    }
}
