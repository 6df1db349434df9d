//! `lambda:invoke`: functions are pipeline jobs.

use serde_json::{Value, json};

use super::{JobCall, JobRunner, TaskCall, TaskFailure, text_parameter};
use lakehand_config::Profile;
use lakehand_workflow::fail_execution;

/// `lambda:invoke`: `FunctionName` and `Payload` in, Lambda's answer out.
pub(super) async fn invoke(
    profile: &Profile,
    jobs: &dyn JobRunner,
    mut call: TaskCall,
) -> Result<Value, TaskFailure> {
    let function = text_parameter(&call.parameters, "FunctionName", "lambda:invoke")?.to_owned();
    let payload = call
        .parameters
        .get_mut("Payload")
        .map_or_else(|| json!({}), Value::take);
    let output = run_job(&job_name(profile, &function), payload, jobs, call).await?;
    Ok(json!({ "ExecutedVersion": "$LATEST", "Payload": output, "StatusCode": 200 }))
}

/// A function's own ARN as the resource: parameters in, the function's answer out.
pub(super) async fn call_function(
    profile: &Profile,
    jobs: &dyn JobRunner,
    mut call: TaskCall,
) -> Result<Value, TaskFailure> {
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

async fn run_job(
    job: &str,
    payload: Value,
    jobs: &dyn JobRunner,
    call: TaskCall,
) -> Result<Value, TaskFailure> {
    if job == fail_execution::NAME {
        return fail_execution(&payload);
    }
    let job_call = JobCall {
        execution: call.execution.to_string(),
        stage: call.stage,
        attempt: call.attempt,
        log: call.log,
        cancel: call.cancel,
    };
    jobs.run(job, payload, job_call)
        .await
        .map_err(|error| function_error(error.error_type.name(), &error.message))
}

/// A function's failure as Step Functions reports it.
fn function_error(error_type: &str, message: &str) -> TaskFailure {
    TaskFailure::new(
        error_type,
        json!({ "errorMessage": message, "errorType": error_type }).to_string(),
    )
}

/// `fail-execution` with its failure as Step Functions reports it.
pub(in super::super) fn fail_execution(input: &Value) -> Result<Value, TaskFailure> {
    fail_execution::fail_execution(input)
        .map_err(|failure| function_error(&failure.error, &failure.message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_execution_fails_once_for_each_redrive() {
        let cause =
            json!({ "errorMessage": "key expired", "errorType": "BadCredentials" }).to_string();
        let never = json!({ "Id": "x" });
        let redriven = |count: u64| json!({ "Id": "x", "RedriveCount": count });
        let at = |failed: Value, now: Value| {
            fail_execution(
                &json!({ "error": "BadCredentials", "cause": cause, "failed_in": failed, "now_in": now }),
            )
        };
        assert_eq!(
            at(never.clone(), never.clone()),
            Err(TaskFailure::new("BadCredentials", cause.clone()))
        );
        assert_eq!(
            at(redriven(2), redriven(2)),
            Err(TaskFailure::new("BadCredentials", cause.clone()))
        );
        assert_eq!(
            at(never.clone(), redriven(1)),
            Ok(json!({ "redriven": true }))
        );
        let plain = fail_execution(
            &json!({ "error": "States.Timeout", "cause": "", "failed_in": never, "now_in": never }),
        );
        assert_eq!(plain.unwrap_err().error, "States.Timeout");
    }
}
