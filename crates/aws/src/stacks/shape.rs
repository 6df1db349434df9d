//! What CloudFormation answers, in the operator's terms.

use aws_sdk_cloudformation::types::{
    Change as SdkChange, ChangeAction, OperationEvent, PolicyAction, Replacement, ResourceChange,
    StackEvent as SdkEvent,
};
use jiff::Timestamp;

use lakehand_ops::deploy::{Action, Change, StackEvent};
use lakehand_pipeline::text::for_terminal;

/// CloudFormation calls a change set without changes a failure, and has two sentences for it.
pub(super) fn holds_nothing(why: &str) -> bool {
    ["didn't contain changes", "No updates are to be performed"]
        .iter()
        .any(|text| why.contains(text))
}

/// What a check before a change set says, with the resource it is about.
pub(super) fn reason_of(event: &OperationEvent) -> Option<String> {
    let said = event
        .validation_status_reason()
        .or_else(|| event.hook_status_reason())
        .or_else(|| event.resource_status_reason())?;
    let resource = event.logical_resource_id().unwrap_or("the stack");
    let name = event
        .physical_resource_id()
        .map(|name| format!(" ({name})"));
    Some(clean(&format!(
        "{resource}{}: {said}",
        name.unwrap_or_default()
    )))
}

pub(super) fn clean(text: &str) -> String {
    for_terminal(text).into_owned()
}

pub(super) fn change_of(change: &SdkChange) -> Option<Change> {
    let change = change.resource_change()?;
    let mut properties: Vec<String> = change
        .details()
        .iter()
        .filter_map(|detail| {
            let target = detail.target()?;
            let attribute = target.attribute()?.as_str();
            Some(target.name().map_or_else(|| attribute.to_owned(), clean))
        })
        .collect();
    properties.sort();
    properties.dedup();
    Some(Change {
        action: action_of(change),
        logical_id: change.logical_resource_id().map(clean)?,
        resource_type: change.resource_type().map(clean).unwrap_or_default(),
        physical_id: change.physical_resource_id().map(clean),
        properties,
    })
}

fn action_of(change: &ResourceChange) -> Action {
    let keeps = matches!(
        change.policy_action(),
        Some(PolicyAction::Retain | PolicyAction::ReplaceAndRetain)
    );
    match (change.action(), change.replacement()) {
        (Some(ChangeAction::Add | ChangeAction::Import), _) => Action::Add,
        (Some(ChangeAction::Remove), _) if keeps => Action::Keep,
        (Some(ChangeAction::Remove), _) => Action::Delete,
        (_, Some(Replacement::True)) => Action::Replace,
        (Some(ChangeAction::Dynamic), _) | (_, Some(Replacement::Conditional)) => {
            Action::MayReplace
        }
        _ => Action::Modify,
    }
}

pub(super) fn event_of(event: &SdkEvent) -> Option<StackEvent> {
    let at = event.timestamp()?;
    Some(StackEvent {
        id: event.event_id()?.to_owned(),
        at: Timestamp::new(at.secs(), i32::try_from(at.subsec_nanos()).ok()?).ok()?,
        logical_id: event.logical_resource_id().map(clean)?,
        resource_type: event.resource_type().map(clean).unwrap_or_default(),
        status: event.resource_status()?.as_str().to_owned(),
        reason: event.resource_status_reason().map(clean),
    })
}
