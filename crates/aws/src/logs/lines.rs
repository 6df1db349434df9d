//! Lines of a log group: ours are JSON, those of others are text.

use std::collections::HashMap;

use aws_sdk_cloudwatchlogs::types::FilteredLogEvent;
use jiff::Timestamp;
use serde::Deserialize;

use lakehand_pipeline::jobs::Level;

/// One event of a log stream.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    /// CloudWatch's id of it.
    pub id: String,
    /// When it was written, as the line itself says where it does.
    pub at: Timestamp,
    /// When, as CloudWatch has it.
    pub logged: Timestamp,
    pub level: Level,
    pub message: String,
    pub stream: String,
    /// The request it names.
    pub request: Option<String>,
    /// The execution it names; only our own lines do.
    pub execution: Option<String>,
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
            logged: at,
            level: level_of(text),
            message: text.to_owned(),
            stream: event.log_stream_name.unwrap_or_default(),
            request: None,
            execution: None,
        };
        if let Some(told) = structured {
            line.at = told.time.unwrap_or(at);
            line.level = told.level.as_deref().map_or(Level::Info, named_level);
            line.message = told.message.unwrap_or_default();
            line.request = told.request_id;
            line.execution = told.execution;
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

/// A request as its lines tell of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'l> {
    /// Its id; `None` for lines that no request can be found for.
    pub id: Option<&'l str>,
    /// The execution that its lines name, if they do.
    pub execution: Option<&'l str>,
    /// When its first line was written.
    pub first: Timestamp,
}

/// The lines of the requests that `wanted` takes. In a stream, what stands between a request's START and the next one's
/// belongs to it; each line that stands before any START and names no request is a request of its own.
pub(super) fn of_requests(lines: Vec<Line>, wanted: impl Fn(Request<'_>) -> bool) -> Vec<Line> {
    let owners = owners(&lines);
    let mut requests: HashMap<&str, Request<'_>> = HashMap::new();
    for (line, owner) in lines.iter().zip(&owners) {
        let Some(id) = owner else { continue };
        let request = requests.entry(id).or_insert(Request {
            id: Some(id),
            execution: None,
            first: line.logged,
        });
        request.execution = request.execution.or(line.execution.as_deref());
        request.first = request.first.min(line.logged);
    }
    let keeps = |(line, owner): (&Line, &Option<String>)| {
        let own = owner.as_ref().and_then(|id| requests.get(id.as_str()));
        wanted(own.copied().unwrap_or(Request {
            id: None,
            execution: line.execution.as_deref(),
            first: line.logged,
        }))
    };
    let keep: Vec<bool> = lines.iter().zip(&owners).map(keeps).collect();
    let kept = lines.into_iter().zip(keep).filter(|(_, keep)| *keep);
    kept.map(|(line, _)| line).collect()
}

/// The request of each line.
fn owners(lines: &[Line]) -> Vec<Option<String>> {
    let mut current: HashMap<&str, String> = HashMap::new();
    let owner = |line: &'_ Line, current: &HashMap<&str, String>| {
        let named = line.request.clone();
        named.or_else(|| current.get(line.stream.as_str()).cloned())
    };
    lines
        .iter()
        .map(|line| {
            let begins = line
                .message
                .strip_prefix("START RequestId: ")
                .and_then(|rest| rest.split_whitespace().next());
            if let Some(request) = begins {
                current.insert(&line.stream, request.to_owned());
            }
            owner(line, &current)
        })
        .collect()
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
            r#"{"timestamp":"2026-01-31T09:00:00.5Z","level":"WARN","stage":"collect","execution":"arn:x:y","requestId":"r-1","message":"slow"}"#,
            "s",
        );
        assert_eq!(ours.at.to_string(), "2026-01-31T09:00:00.5Z");
        assert_eq!(
            (ours.level, ours.request.as_deref()),
            (Level::Warn, Some("r-1"))
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
    fn a_request_of_another_execution_goes_with_all_its_lines() {
        let named = |request: &str, execution: &str| {
            line(
                &format!(r#"{{"message":"m","requestId":"{request}","execution":"{execution}"}}"#),
                "s",
            )
        };
        let mut panicked = line("thread panicked", "s");
        panicked.request = Some("r2".to_owned());
        let lines = vec![
            named("r1", "mine"),
            panicked,
            named("r2", "other"),
            line("nobody's", "t"),
        ];
        let kept = of_requests(lines, |request| {
            request.execution.is_none_or(|own| own == "mine")
        });
        let texts: Vec<&str> = kept.iter().map(|line| line.message.as_str()).collect();
        assert_eq!(texts, ["m", "nobody's"]);
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
        let kept = of_requests(lines, |request| request.id == Some("a"));
        let texts: Vec<&str> = kept.iter().map(|line| line.message.as_str()).collect();
        assert_eq!(
            texts,
            ["START RequestId: a Version: 1", "of a", "END RequestId: a"]
        );
    }
}
