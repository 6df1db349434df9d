//! Which parts of ours a deployment has. One that others made may have none of our workflows; what it does not have is not
//! told as if it had never worked.

use super::{Freshness, Operator, WorkflowName};

/// The workflow that fills the lake.
pub const COLLECTS: &str = "collect";
/// The workflow that makes the daily report.
pub const REPORTS: &str = "daily-report";

/// Whether a deployment of these workflows has this one. Where there is none at all, nothing is deployed yet, and
/// everything may be.
pub fn has<'n>(names: impl IntoIterator<Item = &'n WorkflowName>, wanted: &str) -> bool {
    let mut names = names.into_iter().peekable();
    names.peek().is_none() || names.any(|name| name.as_ref() == wanted)
}

/// Says of streams that nothing collects, and that nothing ever did, that they are not part of the deployment.
pub(super) fn set_apart(streams: &mut [Freshness], collects: bool) {
    for stream in streams {
        stream.is_deployed = collects || stream.collected.is_some() || stream.newest_day.is_some();
    }
}

impl Operator {
    /// Whether the deployment has a workflow; what cannot be told is taken for there.
    pub(super) async fn has_workflow(&self, wanted: &str) -> bool {
        let names = self.parts.workflows.list().await;
        names.map_or(true, |names| has(&names, wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_made_has_its_own_parts_only() {
        let names = |all: &[&str]| {
            all.iter()
                .map(|name| WorkflowName::from(*name))
                .collect::<Vec<_>>()
        };
        assert!(has(&names(&["collect", "datamart"]), COLLECTS));
        assert!(!has(&names(&["nightly", "collect-more"]), COLLECTS));
        assert!(has(&names(&[]), COLLECTS), "nothing is deployed yet");
    }

    #[test]
    fn what_was_collected_is_told_whoever_collects() {
        let stream = |collected: bool, day: bool| Freshness {
            stream: "affise.clicks".to_owned(),
            collected: collected.then_some(jiff::Timestamp::UNIX_EPOCH),
            newest_day: day.then_some(jiff::civil::date(2026, 1, 1)),
            rows: None,
            late: false,
            parked_until: None,
            note: None,
            is_deployed: true,
        };
        let mut streams = [
            stream(false, false),
            stream(true, false),
            stream(false, true),
        ];
        set_apart(&mut streams, false);
        assert_eq!(
            streams.each_ref().map(|one| one.is_deployed),
            [false, true, true]
        );
        set_apart(&mut streams, true);
        assert!(streams.iter().all(|one| one.is_deployed));
    }
}
