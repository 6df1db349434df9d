//! Batches of SQS: each message by itself, and an answer that names those that failed.

use serde_json::{Value, json};

/// A message of a batch.
#[derive(Debug, PartialEq)]
pub(super) struct Message {
    pub(super) id: String,
    /// Its body, or why it is none.
    pub(super) body: Result<Value, String>,
}

/// The messages of an event of SQS; `None` for any other event.
pub(super) fn messages(event: &Value) -> Option<Vec<Message>> {
    let records = event.get("Records")?.as_array()?;
    let of_sqs =
        |record: &Value| record.get("eventSource").and_then(Value::as_str) == Some("aws:sqs");
    if records.is_empty() || !records.iter().all(of_sqs) {
        return None;
    }
    let message = |record: &Value| {
        let text = |name: &str| record.get(name).and_then(Value::as_str).unwrap_or_default();
        let id = text("messageId").to_owned();
        let body = serde_json::from_str(text("body")).map_err(|error| {
            format!("the message {id} is no JSON: {error}; it goes to the dead letters")
        });
        Message { id, body }
    };
    Some(records.iter().map(message).collect())
}

/// The answer that brings the failed messages back (`ReportBatchItemFailures`).
pub(super) fn answer(failed: &[String]) -> Value {
    let items: Vec<Value> = failed
        .iter()
        .map(|id| json!({ "itemIdentifier": id }))
        .collect();
    json!({ "batchItemFailures": items })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_batches_of_sqs_are_taken_apart() {
        let record = |id: &str, body: &str| json!({ "eventSource": "aws:sqs", "messageId": id, "body": body });
        let event = json!({ "Records": [record("a", r#"{"x":1}"#), record("b", "no json")] });
        let found = messages(&event).unwrap();
        assert_eq!(found[0].body, Ok(json!({ "x": 1 })));
        assert!(found[1].body.as_ref().unwrap_err().contains("message b"));
        assert_eq!(
            answer(&["b".to_owned()]),
            json!({ "batchItemFailures": [{ "itemIdentifier": "b" }] })
        );
        assert_eq!(
            messages(&json!({ "Records": [{ "eventSource": "aws:s3" }] })),
            None
        );
        assert_eq!(messages(&json!({ "stream": "affise.clicks" })), None);
    }
}
