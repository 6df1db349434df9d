//! Lines of a log group: ours are JSON, those of others are text.

use std::collections::HashMap;

use aws_sdk_cloudwatchlogs::types::FilteredLogEvent;
use jiff::Timestamp;
use serde::Deserialize;

use crate::pipeline::jobs::Level;

/// One event of a log stream.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    /// CloudWatch's id of it.
    pub id: String,
    pub at: Timestamp,
    pub level: Level,
    pub message: String,
    pub stream: String,
    /// The request it names.
    pub request: Option<String>,
    /// The execution it names; only our own lines do.
    pub execution: Option<String>,
    /// The state it names; only our own lines do.
    pub stage: Option<String>,
}

/// A structured line: ours, or one of Lambda's own JSON format.
#[derive(Deserialize)]
struct Structured {
    #[serde(alias = "timestamp")]
    time: Option<Timestamp>,
    level: Option<String>,
    message: Option<String>,
    #[serde(alias = "requestId", alias = "AWSRequestId")]
    request_id: Option<String>,
    execution: Option<String>,
    stage: Option<String>,
}

impl Line {
    /// A line as it is shown.
    pub(super) fn of(event: FilteredLogEvent) -> Self {
        let text = event.message.unwrap_or_default();
        let text = text.trim_end();
        let at = event
            .timestamp
            .and_then(|at| Timestamp::from_millisecond(at).ok());
        let at = at.unwrap_or(Timestamp::UNIX_EPOCH);
        let structured: Option<Structured> = text
            .starts_with('{')
            .then(|| serde_json::from_str(text).ok())
            .flatten()
            .filter(|line: &Structured| line.message.is_some());
        let mut line = Self {
            id: event.event_id.unwrap_or_default(),
            at,
            level: level_of(text),
            message: text.to_owned(),
            stream: event.log_stream_name.unwrap_or_default(),
            request: None,
            execution: None,
            stage: None,
        };
        if let Some(told) = structured {
            line.at = told.time.unwrap_or(at);
            line.level = told.level.as_deref().map_or(Level::Info, named_level);
            line.message = told.message.unwrap_or_default();
            line.request = told.request_id;
            line.execution = told.execution;
            line.stage = told.stage;
        }
        line
    }
}

fn named_level(name: &str) -> Level {
    match name.to_ascii_lowercase().as_str() {
        "trace" | "debug" => Level::Debug,
        "warn" | "warning" => Level::Warn,
        "error" | "fatal" | "critical" => Level::Error,
        _ => Level::Info,
    }
}

/// What a line of text says of itself.
fn level_of(text: &str) -> Level {
    let starts = |words: &[&str]| words.iter().any(|word| text.starts_with(word));
    if starts(&[
        "START RequestId",
        "END RequestId",
        "REPORT RequestId",
        "INIT_START",
    ]) {
        return Level::Debug;
    }
    let bad = ["[ERROR]", "ERROR", "Traceback"];
    if starts(&bad) || text.contains("Task timed out") || text.contains("[ERROR]") {
        return Level::Error;
    }
    if starts(&["[WARN", "WARN"]) {
        return Level::Warn;
    }
    Level::Info
}

/// The lines of the requests that `wanted` takes. In a stream, what stands between a request's START and the next one's
/// belongs to it; what stands before any START is taken along, since nothing says whose it is.
pub(super) fn of_request(lines: Vec<Line>, wanted: impl Fn(&str) -> bool) -> Vec<Line> {
    let mut current: HashMap<String, String> = HashMap::new();
    let mut kept = Vec::new();
    for line in lines {
        let begins = line
            .message
            .strip_prefix("START RequestId: ")
            .and_then(|rest| rest.split_whitespace().next());
        if let Some(request) = begins {
            current.insert(line.stream.clone(), request.to_owned());
        }
        let request = line.request.as_ref().or_else(|| current.get(&line.stream));
        if request.is_none_or(|request| wanted(request)) {
            kept.push(line);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str, stream: &str) -> Line {
        Line::of(
            FilteredLogEvent::builder()
                .message(text)
                .log_stream_name(stream)
                .timestamp(1_000)
                .event_id(text)
                .build(),
        )
    }

    #[test]
    fn our_lines_are_taken_apart_and_others_stay_text() {
        let ours = line(
            r#"{"time":"2026-01-31T09:00:00.5Z","level":"warn","stage":"Collect","attempt":2,"execution":"arn:x:y","request_id":"r-1","message":"slow\u001b[31m"}"#,
            "s",
        );
        assert_eq!(ours.at.to_string(), "2026-01-31T09:00:00.5Z");
        assert_eq!(
            (ours.level, ours.stage.as_deref()),
            (Level::Warn, Some("Collect"))
        );
        assert_eq!(ours.execution.as_deref(), Some("arn:x:y"));
        let other = line("[ERROR] KeyError: 'x'\n", "s");
        assert_eq!(
            (other.level, other.message.as_str()),
            (Level::Error, "[ERROR] KeyError: 'x'")
        );
        assert_eq!(other.at.to_string(), "1970-01-01T00:00:01Z");
        assert_eq!(line(r#"{"rows": 7}"#, "s").message, r#"{"rows": 7}"#);
    }

    #[test]
    fn text_belongs_to_the_request_that_its_stream_is_at() {
        let lines = vec![
            line("START RequestId: a Version: 1", "one"),
            line("START RequestId: b Version: 1", "two"),
            line("of a", "one"),
            line("of b", "two"),
            line("END RequestId: a", "one"),
            line("START RequestId: c Version: 1", "one"),
            line("of c", "one"),
        ];
        let kept = of_request(lines, |request| request == "a");
        let texts: Vec<&str> = kept.iter().map(|line| line.message.as_str()).collect();
        assert_eq!(
            texts,
            ["START RequestId: a Version: 1", "of a", "END RequestId: a"]
        );
    }
}
