//! `sns:publish`: notices stay on this machine, for the Board and the Activity screen.

use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::params;
use serde::Serialize;
use serde_json::{Value, json};

use super::{TaskCall, TaskFailure, text_parameter};
use crate::state::{SqliteResult, StateError, StateStore, instant, micros};
use lakehand_pipeline::{jobs::Level, ports::Clock};

/// A published message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// When.
    pub at: Timestamp,
    /// The topic's ARN.
    pub topic: String,
    /// Subject line.
    pub subject: Option<String>,
    /// Text.
    pub message: String,
    /// The execution that published it.
    pub execution: Option<String>,
}

/// Keeps `Message` and `Subject`.
pub(super) async fn publish(
    store: &Arc<StateStore>,
    clock: &dyn Clock,
    call: TaskCall,
) -> Result<Value, TaskFailure> {
    let notice = Notice {
        at: clock.now(),
        topic: text_parameter(&call.parameters, "TopicArn", "sns:publish")?.to_owned(),
        subject: call
            .parameters
            .get("Subject")
            .and_then(Value::as_str)
            .map(str::to_owned),
        message: match call.parameters.get("Message") {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => {
                return Err(TaskFailure::new(
                    "SNS.InvalidParameterException",
                    "Invalid parameter: Empty message",
                ));
            }
        },
        execution: Some(call.execution.to_string()),
    };
    call.log.line(
        Level::Info,
        &format!(
            "{}: {}",
            notice.subject.as_deref().unwrap_or("notice"),
            notice.message
        ),
    );
    store
        .write(move |transaction| {
            transaction
                .execute(
                    "INSERT INTO notices (at, topic, subject, message, execution) VALUES (?1, ?2, ?3, ?4, ?5)",
                    params![micros(notice.at), notice.topic, notice.subject, notice.message, notice.execution],
                )
                .on("write")
        })
        .await
        .map_err(|error| TaskFailure::new("SNS.InternalErrorException", error.to_string()))?;
    Ok(json!({ "MessageId": uuid::Uuid::new_v4().to_string() }))
}

/// The newest notices, newest first.
///
/// # Errors
/// What SQLite says.
pub async fn recent_notices(
    store: &Arc<StateStore>,
    limit: u32,
) -> Result<Vec<Notice>, StateError> {
    store
        .read(move |connection| {
            let sql = "SELECT at, topic, subject, message, execution FROM notices ORDER BY key DESC LIMIT ?1";
            let mut statement = connection.prepare_cached(sql).on("read")?;
            let mut rows = statement.query([limit]).on("read")?;
            let mut notices = Vec::new();
            while let Some(row) = rows.next().on("read")? {
                notices.push(Notice {
                    at: instant(row.get(0).on("read")?)?,
                    topic: row.get(1).on("read")?,
                    subject: row.get(2).on("read")?,
                    message: row.get(3).on("read")?,
                    execution: row.get(4).on("read")?,
                });
            }
            Ok(notices)
        })
        .await
}
