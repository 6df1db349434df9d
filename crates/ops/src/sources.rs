//! Sources: every stream with its age against the promise, what is left of quotas, the crawlers, and Glue jobs that a
//! deployment has beside them.

use jiff::SignedDuration;
use serde::Serialize;

use super::{
    Crawler, Freshness, GlueJob, Operator, OpsError, OpsErrorKind, OpsResult, Part, Unread,
    freshness, parts, unread::readable,
};
use lakehand_pipeline::state::{QuotaFigure, QuotaState};

/// A stream is late when its last complete collection is older: a day, and two hours to run.
pub const PROMISED: SignedDuration = SignedDuration::from_hours(26);

/// How long what is known of the streams serves where nothing is told to have changed.
const BELIEVED_FOR: SignedDuration = SignedDuration::from_mins(1);

/// Everything about what comes in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sources {
    /// Every stream of the profile, dimensions first.
    pub streams: Vec<Freshness>,
    /// The last reading of every quota that a source told of, or that we counted.
    pub quotas: Vec<QuotaState>,
    /// Every crawler.
    pub crawlers: Vec<Crawler>,
    /// Every Glue job of the profile; none on this machine.
    pub jobs: Vec<GlueJob>,
    /// What of all this could not be read, and why; empty when all of it was.
    pub unread: Vec<Unread>,
}

impl Sources {
    /// The quotas of the source that a stream belongs to.
    pub fn quotas_of<'s>(&'s self, stream: &str) -> impl Iterator<Item = &'s QuotaState> {
        let source = source_of(stream).to_owned();
        self.quotas
            .iter()
            .filter(move |quota| quota.source == source)
    }
}

impl Sources {
    /// The figure of a stream's quotas of which the smallest share is left, with its name.
    #[must_use]
    pub fn scarcest(&self, stream: &str) -> Option<(&str, &QuotaFigure)> {
        let figures = self.quotas_of(stream).flat_map(|quota| &quota.figures);
        figures
            .filter_map(|(name, figure)| Some((figure.left_share()?, name.as_str(), figure)))
            .min_by(|one, other| one.0.total_cmp(&other.0))
            .map(|(_, name, figure)| (name, figure))
    }
}

/// The source of a stream: `marketo` of `marketo.leads`.
#[must_use]
pub fn source_of(stream: &str) -> &str {
    stream.split('.').next().unwrap_or(stream)
}

impl Operator {
    /// Everything the Sources screen shows, read at once.
    pub(super) async fn read_sources(&self) -> OpsResult<Sources> {
        let own = &self.parts;
        let (known, now) = (&self.seen.freshness, own.clock.now());
        let streams = freshness::readable(&own.profile, &own.lake, known, BELIEVED_FOR, now);
        let quotas = async {
            QuotaState::list(&own.lake.std).await.map_err(|error| {
                OpsError::new(
                    OpsErrorKind::Platform,
                    format!("could not read what is left of quotas: {error}"),
                    "check the lake's folder and its permissions",
                )
            })
        };
        let jobs = async {
            match &own.glue_jobs {
                Some(port) => port.list().await,
                None => Ok(Vec::new()),
            }
        };
        let (streams, quotas, crawlers, jobs) =
            futures::future::join4(streams, quotas, self.list_crawlers(), jobs).await;
        let (mut streams, mut unread) = streams?;
        parts::set_apart(&mut streams, self.has_workflow(parts::COLLECTS).await);
        Ok(Sources {
            streams,
            quotas: readable(Part::Quotas, quotas, &mut unread)?,
            crawlers: readable(Part::Crawlers, crawlers, &mut unread)?,
            jobs: readable(Part::Jobs, jobs, &mut unread)?,
            unread,
        })
    }
}
