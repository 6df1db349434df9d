//! What an execution is started with where nobody says all of it: another execution's input, the days, the streams.

use serde_json::Value;

use super::{Operator, OpsError, OpsErrorKind, OpsResult, StartRequest, WorkflowName};
use lakehand_pipeline::{dataset::Stream, window::Window};
use lakehand_workflow::definition::Definition;

/// Who started an execution stands in its input; another one with the same input was started by somebody else.
const PARENT: &str = "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID";

/// Workflows of ours, for where a definition cannot be read.
const OURS: [&str; 4] = ["collect", "daily-report", "datamart", "backfill"];

/// Whether a definition reads the window from its input. To any other a window would be somebody else's field.
#[must_use]
pub fn takes_window(definition: &Definition) -> bool {
    definition.reads("window")
}

/// The input of an execution, for another one.
///
/// # Errors
/// When it is no JSON, in words.
pub fn again(text: &str) -> Result<Value, String> {
    let mut input: Value = serde_json::from_str(text)
        .map_err(|error| format!("the input of the other execution is not JSON: {error}"))?;
    if let Some(fields) = input.as_object_mut() {
        fields.remove(PARENT);
    }
    Ok(input)
}

impl Operator {
    /// Puts in what a definition reads and nobody named: the profile's default window, the profile's streams. Into the
    /// input of a machine that reads neither nothing is put.
    pub(super) async fn complete(&self, request: &mut StartRequest) -> OpsResult<()> {
        let (window, streams) = self.reads(&request.workflow).await?;
        let names_a_window = request.input.get("window").is_some();
        if window && request.window.is_none() && !names_a_window {
            let (now, zone) = (self.parts.clock.now(), &self.parts.profile.time_zone);
            let window = Window::default_at(now, zone).map_err(|error| {
                OpsError::new(
                    OpsErrorKind::InvalidInput,
                    error.to_string(),
                    "give --from and --to",
                )
            })?;
            request.window = Some(window);
        }
        if streams {
            self.name_streams(request);
        }
        Ok(())
    }

    /// Whether a workflow reads a window, and streams.
    async fn reads(&self, workflow: &WorkflowName) -> OpsResult<(bool, bool)> {
        match self.parts.workflows.definition(workflow).await {
            Ok(definition) => Ok((takes_window(&definition), definition.reads("streams"))),
            Err(error) if error.kind == OpsErrorKind::NotFound => Err(error),
            // Who may start a machine need not be allowed to read it.
            Err(_) => {
                let ours = OURS.contains(&workflow.as_ref());
                Ok((ours, ours))
            }
        }
    }

    /// A collection is of the profile's streams unless it names others. The definition itself cannot know
    /// which sources are configured.
    fn name_streams(&self, request: &mut StartRequest) {
        if request.workflow.as_ref() != "collect" {
            return;
        }
        if let Some(input) = request.input.as_object_mut() {
            let streams = || self.parts.profile.streams().into_iter().map(Stream::name);
            input
                .entry("streams")
                .or_insert_with(|| streams().collect());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_reads_a_window_gets_one() {
        let definition = |state: Value| {
            let text =
                json!({ "Comment": "of a $.window", "StartAt": "S", "States": { "S": state } });
            Definition::parse_shape(&text.to_string()).unwrap()
        };
        for (state, reads) in [
            (
                json!({ "Type": "Pass", "InputPath": "$.window", "End": true }),
                true,
            ),
            (
                json!({ "Type": "Pass", "Parameters": { "w.$": "$$.Execution.Input.window.from" }, "End": true }),
                true,
            ),
            (
                json!({ "Type": "Pass", "Parameters": { "w.$": "States.Format('{}', $['window'].to)" }, "End": true }),
                true,
            ),
            (
                json!({ "Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% $states.input.window %}", "End": true }),
                true,
            ),
            (
                json!({ "Type": "Pass", "Comment": "no $.window", "End": true }),
                false,
            ),
            (
                json!({ "Type": "Pass", "Parameters": { "w.$": "$.windows" }, "End": true }),
                false,
            ),
            (
                json!({ "Type": "Pass", "Parameters": { "window": "$5" }, "End": true }),
                false,
            ),
            (
                json!({ "Type": "Pass", "Parameters": { "w.$": "$.my_window" }, "End": true }),
                false,
            ),
        ] {
            assert_eq!(takes_window(&definition(state.clone())), reads, "{state}");
        }
    }

    #[test]
    fn another_execution_was_started_by_somebody_else() {
        let text = format!("{{\"order\": 7, \"{PARENT}\": \"arn:aws:states:x\"}}");
        assert_eq!(again(&text), Ok(json!({ "order": 7 })));
        assert_eq!(again("[1]"), Ok(json!([1])));
        assert!(again("{").unwrap_err().contains("is not JSON"));
    }
}
