//! One event of a history.

use jiff::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Number, Value};
use std::collections::BTreeMap;

/// One event as `GetExecutionHistory` gives it.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryEvent {
    /// Number of the event, from 1, without gaps.
    pub id: u64,
    /// The event that led to this one; 0 for the first.
    pub previous_event_id: u64,
    /// When.
    pub timestamp: Timestamp,
    /// What happened.
    pub event_type: EventType,
    /// The fields of the event's `…EventDetails`; empty for types that have none.
    pub details: EventDetails,
}

macro_rules! event_types {
    ($($name:ident,)*) => {
        /// What happened. The names are AWS's.
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        #[allow(missing_docs)]
        pub enum EventType {
            $($name,)*
            /// A type this version does not know.
            Other(String),
        }

        impl EventType {
            /// AWS's name.
            #[must_use]
            pub fn name(&self) -> &str {
                match self {
                    $(EventType::$name => stringify!($name),)*
                    EventType::Other(name) => name,
                }
            }

            /// The type with AWS's name.
            #[must_use]
            pub fn named(name: &str) -> EventType {
                match name {
                    $(stringify!($name) => EventType::$name,)*
                    other => EventType::Other(other.to_owned()),
                }
            }
        }
    };
}

event_types! {
    ActivityFailed, ActivityScheduled, ActivityScheduleFailed, ActivityStarted, ActivitySucceeded,
    ActivityTimedOut, ChoiceStateEntered, ChoiceStateExited, EvaluationFailed, ExecutionAborted,
    ExecutionFailed, ExecutionRedriven, ExecutionStarted, ExecutionSucceeded, ExecutionTimedOut,
    FailStateEntered, LambdaFunctionFailed, LambdaFunctionScheduled, LambdaFunctionScheduleFailed,
    LambdaFunctionStarted, LambdaFunctionStartFailed, LambdaFunctionSucceeded,
    LambdaFunctionTimedOut, MapIterationAborted, MapIterationFailed, MapIterationStarted,
    MapIterationSucceeded, MapRunAborted, MapRunFailed, MapRunRedriven, MapRunStarted,
    MapRunSucceeded, MapStateAborted, MapStateEntered, MapStateExited, MapStateFailed,
    MapStateStarted, MapStateSucceeded, ParallelStateAborted, ParallelStateEntered,
    ParallelStateExited, ParallelStateFailed, ParallelStateStarted, ParallelStateSucceeded,
    PassStateEntered, PassStateExited, SucceedStateEntered, SucceedStateExited, TaskFailed,
    TaskScheduled, TaskStarted, TaskStartFailed, TaskStateAborted, TaskStateEntered,
    TaskStateExited, TaskSubmitFailed, TaskSubmitted, TaskSucceeded, TaskTimedOut,
    WaitStateAborted, WaitStateEntered, WaitStateExited,
}

impl EventType {
    /// Whether a state was entered.
    #[must_use]
    pub fn is_state_entered(&self) -> bool {
        self.name().ends_with("StateEntered")
    }

    /// Whether a state was exited.
    #[must_use]
    pub fn is_state_exited(&self) -> bool {
        self.name().ends_with("StateExited")
    }

    /// Whether the execution ended with it.
    #[must_use]
    pub fn ends_execution(&self) -> bool {
        matches!(
            self,
            EventType::ExecutionSucceeded
                | EventType::ExecutionFailed
                | EventType::ExecutionAborted
                | EventType::ExecutionTimedOut
        )
    }

    /// The key of the event's details in AWS's JSON, if its type has any.
    #[must_use]
    pub fn details_key(&self) -> Option<String> {
        let name = self.name();
        if self.is_state_entered() {
            return Some("stateEnteredEventDetails".to_owned());
        }
        if self.is_state_exited() {
            return Some("stateExitedEventDetails".to_owned());
        }
        let without = matches!(
            self,
            EventType::LambdaFunctionStarted
                | EventType::MapRunAborted
                | EventType::MapRunSucceeded
                | EventType::MapStateAborted
                | EventType::MapStateFailed
                | EventType::MapStateSucceeded
                | EventType::ParallelStateAborted
                | EventType::ParallelStateFailed
                | EventType::ParallelStateStarted
                | EventType::ParallelStateSucceeded
                | EventType::TaskStateAborted
                | EventType::WaitStateAborted
        );
        if without || name.is_empty() {
            return None;
        }
        let (first, rest) = name.split_at(1);
        Some(format!("{}{rest}EventDetails", first.to_lowercase()))
    }
}

impl Serialize for EventType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for EventType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|name| EventType::named(&name))
    }
}

/// Whether an input or output was cut by the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DataDetails {
    /// Always false in what the API gives.
    pub truncated: bool,
}

/// The details of an event: the union of what AWS's event types carry.
///
/// Inputs, outputs and parameters are JSON texts, as AWS has them.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct EventDetails {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_details: Option<DataDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_details: Option<DataDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assigned_variables: Option<BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assigned_variables_details: Option<DataDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameters: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_credentials: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_in_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heartbeat_in_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub map_run_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redrive_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// The state of an `EvaluationFailed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The field of an `EvaluationFailed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
}

impl EventDetails {
    /// Details with an input.
    #[must_use]
    pub fn with_input(mut self, input: String) -> Self {
        self.input = Some(input);
        self.input_details = Some(DataDetails::default());
        self
    }

    /// Details with an output.
    #[must_use]
    pub fn with_output(mut self, output: String) -> Self {
        self.output = Some(output);
        self.output_details = Some(DataDetails::default());
        self
    }

    /// Details with the name of a state.
    #[must_use]
    pub fn named(name: &str) -> Self {
        EventDetails {
            name: Some(name.to_owned()),
            ..EventDetails::default()
        }
    }

    /// Details with an error and its cause.
    #[must_use]
    pub fn failed(error: Option<String>, cause: Option<String>) -> Self {
        EventDetails {
            error,
            cause,
            ..EventDetails::default()
        }
    }
}

impl Serialize for HistoryEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("timestamp", &seconds(self.timestamp))?;
        map.serialize_entry("type", &self.event_type)?;
        map.serialize_entry("id", &self.id)?;
        map.serialize_entry("previousEventId", &self.previous_event_id)?;
        if let Some(key) = self.event_type.details_key() {
            map.serialize_entry(&key, &self.details)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for HistoryEvent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut map = Map::<String, Value>::deserialize(deserializer)?;
        let id = map.get("id").and_then(Value::as_u64);
        let event_type = map
            .get("type")
            .and_then(Value::as_str)
            .map(EventType::named)
            .ok_or_else(|| D::Error::missing_field("type"))?;
        let details = match event_type.details_key().and_then(|key| map.remove(&key)) {
            Some(details) => serde_json::from_value(details).map_err(D::Error::custom)?,
            None => EventDetails::default(),
        };
        let timestamp = map
            .get("timestamp")
            .and_then(instant)
            .ok_or_else(|| D::Error::missing_field("timestamp"))?;
        Ok(HistoryEvent {
            id: id.ok_or_else(|| D::Error::missing_field("id"))?,
            previous_event_id: map
                .get("previousEventId")
                .and_then(Value::as_u64)
                .unwrap_or(0),
            timestamp,
            event_type,
            details,
        })
    }
}

/// Seconds since 1970 with milliseconds, the form of AWS's JSON protocol.
fn seconds(instant: Timestamp) -> Number {
    let milliseconds = instant.as_millisecond();
    if milliseconds % 1000 == 0 {
        return Number::from(milliseconds / 1000);
    }
    Number::from_f64(milliseconds as f64 / 1000.0).unwrap_or_else(|| Number::from(0))
}

/// Seconds since 1970, or the text that the AWS CLI prints.
fn instant(value: &Value) -> Option<Timestamp> {
    match value {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => {
            let milliseconds = (number.as_f64()? * 1000.0).round();
            Timestamp::from_millisecond(milliseconds as i64).ok()
        }
        _ => None,
    }
}
