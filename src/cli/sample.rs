//! Sample data: a lake that is fed by the built-in simulator instead of a real Affise.
//!
//! A lake becomes a sample lake by a small object under `_state/`. Whichever process then runs an
//! execution in it starts the same simulator again (same seed, size and calendar), so that a redrive
//! after a crash reads the same data from another port.

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;
use jiff::{ToSpan, civil::Date};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::{
    CliError,
    sample_sources::{credentials, led_to, with_all_sources},
};
use crate::{
    config::Profile,
    ops::{ExecutionId, OpsError, OpsErrorKind, OpsResult, StartRequest, WorkflowName},
    pipeline::{
        ports::{Lake, PutCondition, StoreError},
        window::Window,
    },
    platform::{
        Played, StandIn,
        local::{Platform, WeakPlatform},
    },
    simulator::{self, FaultPlan, RunningSimulator, marketo::MarketoOptions},
};

/// Where a lake says that it holds sample data.
const MARK: &str = "_state/sample.json";

/// Why nothing is collected into a sample lake once sources of the user's own are configured.
const LEFT: &str = "this lake holds sample data, and sources of your own are configured, whose data must not mix with it; leave the sample with `lakehand leave-sample`";

/// What the simulator of a sample lake serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampleSpec {
    /// Seed of every generated row.
    pub seed: u64,
    /// Clicks over the generated period.
    pub scale: u64,
    /// The simulator's calendar.
    pub today: Date,
    /// NDJSON files served instead of generated rows.
    pub data: Option<PathBuf>,
    /// Faults, in the grammar of `lakehand simulate --faults`.
    pub faults: Option<String>,
    /// Whether every source is played, and not Affise alone.
    #[serde(default)]
    pub all: bool,
}

impl SampleSpec {
    /// The days a sample run covers: today and the seven days before it.
    pub fn window(&self) -> Result<Window, CliError> {
        let from = self.today.checked_sub(Window::DEFAULT_DAYS_BACK.days());
        let from = from.map_err(|_| {
            CliError::usage(
                format!("--today {} leaves the calendar", self.today),
                "choose a later day",
            )
        })?;
        Ok(Window::new(from, self.today)?)
    }

    /// The arguments of `lakehand demo` that say the same.
    pub fn arguments(&self) -> Vec<std::ffi::OsString> {
        let (seed, scale, today) = (self.seed, self.scale, self.today);
        let numbers = [
            format!("--seed={seed}"),
            format!("--scale={scale}"),
            format!("--today={today}"),
        ];
        let mut all: Vec<std::ffi::OsString> = numbers.into_iter().map(Into::into).collect();
        if let Some(data) = &self.data {
            all.extend(["--data".into(), data.clone().into_os_string()]);
        }
        all.extend(
            self.faults
                .iter()
                .map(|faults| format!("--faults={faults}").into()),
        );
        all.extend(self.all.then(|| "--all".into()));
        all
    }

    /// What is played where nothing else was asked for.
    fn usual(today: Date) -> Self {
        Self {
            seed: super::demo::SEED,
            scale: super::demo::SCALE,
            today,
            data: None,
            faults: None,
            all: false,
        }
    }
}

/// Reads the lake's mark.
///
/// # Errors
/// When the lake cannot be read.
pub async fn spec_of(lake: &Lake) -> Result<Option<SampleSpec>, StoreError> {
    match lake.std.get(MARK).await {
        Ok((bytes, _)) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(StoreError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What the lake of a profile on this machine says that it holds, without opening it.
fn marked(profile: &Profile) -> Option<SampleSpec> {
    let bytes = std::fs::read(profile.std_dir().join(MARK)).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// What the sample of a profile plays: what its lake holds, or the usual.
pub fn of_profile(profile: &Profile, now: jiff::Timestamp) -> SampleSpec {
    let usual = || SampleSpec::usual(now.to_zoned(profile.time_zone.clone()).date());
    marked(profile).unwrap_or_else(usual)
}

/// Whether a profile's lake is a sample lake, without opening it.
#[must_use]
pub fn is_marked(profile: &Profile) -> bool {
    profile.std_dir().join(MARK).exists()
}

/// The last day of a sample lake's calendar.
#[must_use]
pub fn last_day(profile: &Profile) -> Option<Date> {
    marked(profile).map(|spec| spec.today)
}

/// The profile as it is in force: that of a sample lake in which every source is played has them all.
#[must_use]
pub fn in_force(profile: &Profile, asked_for_all: bool) -> Profile {
    let all = marked(profile).map_or(asked_for_all, |spec| spec.all);
    if all {
        with_all_sources(profile)
    } else {
        profile.clone()
    }
}

/// Removes the data of a sample lake before it is opened; any other lake is left alone.
///
/// # Errors
/// When a file cannot be removed.
pub fn remove(profile: &Profile) -> std::io::Result<()> {
    if is_marked(profile) {
        Platform::delete_lake(profile)
    } else {
        Ok(())
    }
}

/// Makes an empty lake, or a sample lake of the same spec, a sample lake.
///
/// # Errors
/// Exit code 4 when the lake holds other data.
pub async fn mark(platform: &Platform, spec: &SampleSpec) -> Result<(), CliError> {
    let lake = platform.lake();
    match spec_of(lake).await? {
        Some(present) if present == *spec => Ok(()),
        Some(present) => Err(CliError::not_possible(
            format!(
                "this lake already holds other sample data (seed {}, scale {}, today {})",
                present.seed, present.scale, present.today
            ),
            "add --fresh to replace it, or set LAKEHAND_HOME to another folder",
        )),
        None if platform.lake_is_empty().await? => {
            let bytes = serde_json::to_vec(spec).map_err(std::io::Error::from)?;
            lake.std
                .put(MARK, bytes.into(), PutCondition::IfAbsent)
                .await?;
            Ok(())
        }
        None => Err(CliError::not_possible(
            format!(
                "the lake of profile {} holds collected data; sample data would mix with it",
                platform.profile().name
            ),
            "set LAKEHAND_HOME to another folder, or choose an empty profile with --profile",
        )),
    }
}

/// The stand-in that starts a simulator on demand and keeps it while the program runs.
#[derive(Debug)]
struct SampleSource {
    platform: WeakPlatform,
    /// Sources of the user's own are configured, and this is no demonstration: nothing is played then.
    is_left: bool,
    running: Mutex<Option<(SampleSpec, RunningSimulator)>>,
}

/// Lets a platform collect from sample lakes; with `is_left` it refuses to, for sources of the user's own are there.
pub fn install(platform: &Platform, is_left: bool) {
    platform.set_stand_in(Arc::new(SampleSource {
        platform: platform.downgrade(),
        is_left,
        running: Mutex::new(None),
    }));
}

#[async_trait]
impl StandIn for SampleSource {
    async fn sources(&self, profile: &Profile) -> Result<Option<Played>, String> {
        let platform = self.platform.upgrade().map_err(|error| error.to_string())?;
        let Some(spec) = spec_of(platform.lake())
            .await
            .map_err(|error| error.to_string())?
        else {
            return Ok(None);
        };
        if self.is_left {
            return Err(LEFT.to_owned());
        }
        let mut running = self.running.lock().await;
        if running.as_ref().is_none_or(|(present, _)| *present != spec) {
            *running = Some((spec.clone(), start_simulator(&spec).await?));
        }
        Ok(running.as_ref().map(|(_, simulator)| Played {
            profile: Arc::new(led_to(&simulator.base_url(), profile)),
            credentials: credentials(profile, simulator),
        }))
    }

    async fn plays(&self) -> Vec<&'static str> {
        let Ok(platform) = self.platform.upgrade() else {
            return Vec::new();
        };
        match spec_of(platform.lake()).await {
            Ok(Some(spec)) if spec.all => vec!["affise", "marketo", "ga4", "ga3"],
            Ok(Some(_)) => vec!["affise"],
            _ => Vec::new(),
        }
    }

    fn holds_sample(&self) -> bool {
        let platform = self.platform.upgrade();
        platform.is_ok_and(|platform| is_marked(platform.profile()))
    }

    async fn start_sample(&self) -> OpsResult<ExecutionId> {
        if self.is_left {
            return Err(OpsError::new(
                OpsErrorKind::NotPossible,
                "the sample was not started: sources of your own are configured in this profile",
                "set LAKEHAND_HOME to another folder and run `lakehand demo` there",
            ));
        }
        let platform = self.platform.upgrade()?;
        let today = platform
            .now()
            .to_zoned(platform.profile().time_zone.clone())
            .date();
        let spec = match spec_of(platform.lake()).await {
            Ok(Some(present)) => present,
            _ => SampleSpec::usual(today),
        };
        mark(&platform, &spec).await.map_err(told)?;
        let window = spec.window().map_err(told)?;
        let operations = platform.operations();
        let id = operations.start(request("collect", window)).await?;
        let collect = id.clone();
        tokio::spawn(async move {
            let ended = super::progress::wait(operations.as_ref(), &collect).await;
            if ended
                .is_ok_and(|detail| detail.summary.status == crate::ops::ExecutionStatus::Succeeded)
            {
                // Should it fail to start, the Board shows collect done and no report: nothing is hidden.
                let _ = operations.start(request("daily-report", window)).await;
            }
        });
        Ok(id)
    }
}

/// A start request for a window, without further input.
pub fn request(workflow: &str, window: Window) -> StartRequest {
    StartRequest {
        workflow: WorkflowName::from(workflow),
        window: Some(window),
        input: serde_json::json!({}),
        name: None,
    }
}

async fn start_simulator(spec: &SampleSpec) -> Result<RunningSimulator, String> {
    let faults = match &spec.faults {
        Some(text) => text
            .parse::<FaultPlan>()
            .map_err(|error| error.to_string())?,
        None => FaultPlan::default(),
    };
    let options = simulator::Options {
        seed: spec.seed,
        scale: spec.scale,
        today: Some(spec.today),
        data: spec.data.clone(),
        faults,
        // A sample is for looking at, not for waiting.
        marketo: MarketoOptions {
            calls_in_20_seconds: 10_000,
            ..MarketoOptions::quick()
        },
        ..simulator::Options::default()
    };
    simulator::start(options)
        .await
        .map_err(|error| error.to_string())
}

fn told(error: CliError) -> OpsError {
    let advice = if let CliError::Told { advice, .. } = &error {
        advice.clone()
    } else {
        String::new()
    };
    OpsError::new(OpsErrorKind::NotPossible, error.to_string(), advice)
}
