//! What a start by schedule works on: EventBridge Scheduler knows the instant and no more, so the window, the
//! streams and the execution's name are made here, as the embedded scheduler makes them.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{ErrorType, JobError};
use crate::{dataset::Stream, window::Window};
use lakehand_config::Profile;

/// `{"workflow": "daily-report", "scheduled": "2026-01-31T08:00:00Z"}`
#[derive(Deserialize)]
pub(super) struct ScheduledInput {
    workflow: String,
    scheduled: Timestamp,
}

/// The name of a scheduled execution: the same start never runs twice, whoever starts it.
#[must_use]
pub fn scheduled_name(workflow: &str, start: Timestamp) -> String {
    format!("{workflow}-scheduled-{}", start.strftime("%Y%m%dT%H%MZ"))
}

/// Name and input of the execution that a schedule starts: `{"name": …, "input": {"window": …}}`.
pub(super) fn plan(input: &ScheduledInput, profile: &Profile) -> Result<Value, JobError> {
    let window = Window::default_at(input.scheduled, &profile.time_zone)
        .map_err(|error| JobError::new(ErrorType::InvalidInput, error.to_string()))?;
    let mut work = json!({ "window": window });
    if input.workflow == "collect" {
        let names: Vec<_> = profile.streams().into_iter().map(Stream::name).collect();
        work["streams"] = json!(names);
    }
    Ok(json!({ "name": scheduled_name(&input.workflow, input.scheduled), "input": work }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use lakehand_config::{Config, Home};

    fn planned(workflow: &str, scheduled: &str) -> Value {
        let home = Home::below(std::path::Path::new("/nowhere"));
        let text = "[profiles.prod]\ntime_zone = \"Pacific/Auckland\"\n[profiles.prod.marketo]\n";
        let config = Config::parse(text, &home).unwrap();
        let input = json!({ "workflow": workflow, "scheduled": scheduled });
        plan(
            &serde_json::from_value(input).unwrap(),
            config.profile(Some("prod")).unwrap(),
        )
        .unwrap()
    }

    #[test]
    fn the_window_ends_on_the_day_that_the_profiles_clock_shows() {
        // Nine in the morning of the first of February in Auckland is still January in UTC.
        assert_eq!(
            planned("daily-report", "2026-01-31T20:00:00Z"),
            json!({
                "name": "daily-report-scheduled-20260131T2000Z",
                "input": { "window": { "from": "2026-01-25", "to": "2026-02-01" } },
            })
        );
    }

    #[test]
    fn a_collection_is_of_the_profiles_streams() {
        let planned = planned("collect", "2026-01-31T00:00:00Z");
        let streams = planned["input"]["streams"].as_array().unwrap();
        assert_eq!(streams.len(), 7);
        assert!(streams.contains(&json!("marketo.activities")));
    }
}
