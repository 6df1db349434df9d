//! Structured lines on standard output, which is the function's log group.
//!
//! The names `timestamp`, `level`, `message` and `requestId` are those of Lambda's own JSON lines, so that its log
//! levels and CloudWatch's filters work on them.

use std::{
    io::Write,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use serde_json::json;

use lakehand_pipeline::{
    jobs::{JobLog, Level},
    secrets,
};

/// Progress is told this often: every line costs.
const PROGRESS: Duration = Duration::from_secs(30);

/// The log of one event.
#[derive(Debug)]
pub(super) struct FunctionLog {
    stage: &'static str,
    request_id: String,
    execution: Option<String>,
    told: Mutex<Option<Instant>>,
}

impl FunctionLog {
    pub(super) fn new(stage: &'static str, request_id: String, execution: Option<String>) -> Self {
        Self {
            stage,
            request_id,
            execution,
            told: Mutex::new(None),
        }
    }

    fn text(&self, level: Level, message: &str) -> String {
        let mut line = json!({
            "timestamp": Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
            "level": name(level),
            "message": without_secrets(message),
            "stage": self.stage,
            "requestId": self.request_id,
        });
        if let Some(execution) = &self.execution {
            line["execution"] = execution.as_str().into();
        }
        line.to_string()
    }
}

fn name(level: Level) -> &'static str {
    match level {
        Level::Debug => "DEBUG",
        Level::Info => "INFO",
        Level::Warn => "WARN",
        Level::Error => "ERROR",
    }
}

/// Callers pass no secrets; what a source's answer quotes is looked at all the same.
fn without_secrets(message: &str) -> String {
    if secrets::may_hold_secrets(message.as_bytes()) {
        String::from_utf8_lossy(&secrets::redact(message.as_bytes())).into_owned()
    } else {
        message.to_owned()
    }
}

impl JobLog for FunctionLog {
    fn line(&self, level: Level, message: &str) {
        // A log that cannot be written must not end the job.
        let _ = writeln!(std::io::stdout().lock(), "{}", self.text(level, message));
    }

    fn progress(&self, message: &str) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_none_or(|told| told.elapsed() >= PROGRESS) {
            *told = Some(Instant::now());
            drop(told);
            self.line(Level::Info, message);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_line_says_whose_it_is_and_holds_no_secret() {
        let log = FunctionLog::new("collect", "r-1".to_owned(), Some("arn:x".to_owned()));
        let line = log.text(
            Level::Warn,
            "the source said {\"api_key\": \"abc-123\", \"code\": 7}\nand \"more\"",
        );
        assert!(!line.contains('\n') && !line.contains("abc-123"), "{line}");
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line["level"], "WARN");
        assert_eq!(
            (&line["execution"], &line["requestId"], &line["stage"]),
            (&"arn:x".into(), &"r-1".into(), &"collect".into())
        );
        assert!(
            line["message"].as_str().unwrap().contains("\"code\": 7"),
            "{line}"
        );
        assert!(
            line["timestamp"]
                .as_str()
                .unwrap()
                .parse::<Timestamp>()
                .is_ok(),
            "{line}"
        );
    }
}
