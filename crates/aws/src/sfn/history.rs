//! The SDK's history events as ours: the same fields, which the SDK spreads over one struct for each type.

use aws_sdk_sfn::types as sdk;
use serde_json::json;

use super::super::instant;
use lakehand_workflow::history::{DataDetails, EventDetails, EventType, HistoryEvent};

/// Copies fields of a details struct, if the event has it. `text`: a `String`; `option`: an `Option` of the same
/// type; `number`: an optional count; `length`: a count; `data`: whether a payload was cut.
macro_rules! copy {
    ($details:ident, $source:expr, $($kind:ident $field:ident),* $(,)?) => {
        if let Some(source) = $source {
            $(copy!(@ $kind $details source $field);)*
        }
    };
    (@ text $details:ident $source:ident $field:ident) => { $details.$field = Some($source.$field); };
    (@ option $details:ident $source:ident $field:ident) => { $details.$field = $source.$field; };
    (@ number $details:ident $source:ident $field:ident) => {
        $details.$field = $source.$field.and_then(|number| u64::try_from(number).ok());
    };
    (@ length $details:ident $source:ident $field:ident) => {
        $details.$field = u64::try_from($source.$field).ok();
    };
    (@ data $details:ident $source:ident $field:ident) => {
        $details.$field = $source.$field.map(|data| DataDetails { truncated: data.truncated });
    };
    (@ role $details:ident $source:ident $field:ident) => {
        $details.$field = $source.$field.map(|role| json!({ "roleArn": role.role_arn }));
    };
    (@ map $details:ident $source:ident $field:ident) => {
        $details.$field = $source.$field.map(|values| values.into_iter().collect());
    };
}

/// One event.
pub(super) fn event(mut event: sdk::HistoryEvent) -> HistoryEvent {
    HistoryEvent {
        id: u64::try_from(event.id).unwrap_or(0),
        previous_event_id: u64::try_from(event.previous_event_id).unwrap_or(0),
        timestamp: instant(&event.timestamp),
        event_type: EventType::named(event.r#type.as_str()),
        details: details(&mut event),
    }
}

fn details(event: &mut sdk::HistoryEvent) -> EventDetails {
    let mut to = EventDetails::default();
    states(&mut to, event);
    execution(&mut to, event);
    maps(&mut to, event);
    tasks(&mut to, event);
    functions(&mut to, event);
    activities(&mut to, event);
    to
}

fn states(to: &mut EventDetails, event: &mut sdk::HistoryEvent) {
    copy!(to, event.state_entered_event_details.take(), text name, option input, data input_details);
    copy!(
        to, event.state_exited_event_details.take(),
        text name, option output, data output_details, map assigned_variables, data assigned_variables_details,
    );
    copy!(to, event.evaluation_failed_event_details.take(), option error, option cause, text state, option location);
}

fn execution(to: &mut EventDetails, event: &mut sdk::HistoryEvent) {
    copy!(to, event.execution_started_event_details.take(), option input, data input_details, option role_arn);
    copy!(to, event.execution_succeeded_event_details.take(), option output, data output_details);
    copy!(to, event.execution_failed_event_details.take(), option error, option cause);
    copy!(to, event.execution_aborted_event_details.take(), option error, option cause);
    copy!(to, event.execution_timed_out_event_details.take(), option error, option cause);
    copy!(to, event.execution_redriven_event_details.take(), number redrive_count);
}

fn maps(to: &mut EventDetails, event: &mut sdk::HistoryEvent) {
    copy!(to, event.map_state_started_event_details.take(), length length);
    copy!(to, event.map_iteration_started_event_details.take(), option name, length index);
    copy!(to, event.map_iteration_succeeded_event_details.take(), option name, length index);
    copy!(to, event.map_iteration_failed_event_details.take(), option name, length index);
    copy!(to, event.map_iteration_aborted_event_details.take(), option name, length index);
    copy!(to, event.map_run_started_event_details.take(), option map_run_arn);
    copy!(to, event.map_run_failed_event_details.take(), option error, option cause);
    copy!(to, event.map_run_redriven_event_details.take(), option map_run_arn, number redrive_count);
}

fn tasks(to: &mut EventDetails, event: &mut sdk::HistoryEvent) {
    copy!(
        to, event.task_scheduled_event_details.take(),
        text resource_type, text resource, text region, text parameters,
        number timeout_in_seconds, number heartbeat_in_seconds, role task_credentials,
    );
    copy!(to, event.task_started_event_details.take(), text resource_type, text resource);
    copy!(
        to, event.task_submitted_event_details.take(),
        text resource_type, text resource, option output, data output_details,
    );
    copy!(
        to, event.task_succeeded_event_details.take(),
        text resource_type, text resource, option output, data output_details,
    );
    copy!(to, event.task_failed_event_details.take(), text resource_type, text resource, option error, option cause);
    copy!(to, event.task_timed_out_event_details.take(), text resource_type, text resource, option error, option cause);
    copy!(to, event.task_start_failed_event_details.take(), text resource_type, text resource, option error, option cause);
    copy!(to, event.task_submit_failed_event_details.take(), text resource_type, text resource, option error, option cause);
}

fn functions(to: &mut EventDetails, event: &mut sdk::HistoryEvent) {
    copy!(
        to, event.lambda_function_scheduled_event_details.take(),
        text resource, option input, data input_details, number timeout_in_seconds, role task_credentials,
    );
    copy!(to, event.lambda_function_succeeded_event_details.take(), option output, data output_details);
    copy!(to, event.lambda_function_failed_event_details.take(), option error, option cause);
    copy!(to, event.lambda_function_timed_out_event_details.take(), option error, option cause);
    copy!(to, event.lambda_function_schedule_failed_event_details.take(), option error, option cause);
    copy!(to, event.lambda_function_start_failed_event_details.take(), option error, option cause);
}

fn activities(to: &mut EventDetails, event: &mut sdk::HistoryEvent) {
    copy!(
        to, event.activity_scheduled_event_details.take(),
        text resource, option input, data input_details, number timeout_in_seconds, number heartbeat_in_seconds,
    );
    copy!(to, event.activity_started_event_details.take(), option worker_name);
    copy!(to, event.activity_succeeded_event_details.take(), option output, data output_details);
    copy!(to, event.activity_failed_event_details.take(), option error, option cause);
    copy!(to, event.activity_timed_out_event_details.take(), option error, option cause);
    copy!(to, event.activity_schedule_failed_event_details.take(), option error, option cause);
}
