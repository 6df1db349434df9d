//! A small world that behaves like a platform: executions that run, fail, are redriven; a report file.

mod credentials;
mod datamart;
mod detail;
mod events;
mod operations;
mod report;
mod sources;

use std::{
    collections::HashMap,
    io,
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::{Timestamp, civil::Date};

use self::report::write_report;
use lakehand_ops::{
    CredentialVersion, ExecutionSummary, GlueJob, OpsError, OpsErrorKind, OpsResult, Part,
    ReportSummary, Unread,
};
use lakehand_pipeline::window::Window;
use lakehand_workflow::definition::StateType;

/// What has happened when the console opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    /// Nothing was ever collected.
    Empty,
    /// 03:12 at night: the daily report failed at its quality check, one stream is late.
    Night,
    /// All is well.
    Calm,
}

/// One workflow's stages: name and type.
type Plan = &'static [(&'static str, StateType)];

const COLLECT: Plan = &[
    ("PlanWindow", StateType::Pass),
    ("CollectStreams", StateType::Map),
    ("RefreshTables", StateType::Task),
];
const DAILY_REPORT: Plan = &[
    ("UpdateDimensions", StateType::Task),
    ("ExtractOfferCaps", StateType::Task),
    ("BuildWindow", StateType::Task),
    ("CheckQuality", StateType::Task),
    ("ReplaceWindow", StateType::Task),
    ("ExportReport", StateType::Task),
    ("Notify", StateType::Task),
    ("NotifyFailure", StateType::Task),
    ("ReportFailed", StateType::Fail),
];
const STREAMS: [&str; 5] = [
    "offers",
    "affiliates",
    "advertisers",
    "clicks",
    "conversions",
];

/// Stages that a success passes through.
fn way(workflow: &str) -> usize {
    if workflow == "collect" {
        COLLECT.len()
    } else {
        7
    }
}

fn plan(workflow: &str) -> Plan {
    if workflow == "collect" {
        COLLECT
    } else {
        DAILY_REPORT
    }
}

#[derive(Debug, Clone)]
struct Execution {
    summary: ExecutionSummary,
    step: usize,
    sample: bool,
}

#[derive(Debug)]
struct World {
    now: Timestamp,
    executions: Vec<Execution>,
    reports: Vec<ReportSummary>,
    late: bool,
    calls: Vec<String>,
    old_boards: Vec<lakehand_ops::Board>,
    snapshot: u64,
    crawling: Option<(String, Timestamp)>,
    /// The profile's name.
    profile: String,
    /// Whether the profile can show itself with sample data.
    has_sample: bool,
    /// Whether the profile has a source of its own.
    is_configured: bool,
    /// Whether there are workflows.
    is_deployed: bool,
    /// What cannot be read.
    unread: Vec<Unread>,
    /// Whose the credentials are, where that is not the profile's account.
    other_account: Option<String>,
    /// Whether the credentials have expired.
    signed_out: bool,
    /// Whether executions run in another process than the console's.
    runs_elsewhere: bool,
    /// A Glue job of a deployment that is not ours.
    job: Option<GlueJob>,
    /// Whether the statement that runs was stopped.
    statement_stopped: bool,
    versions: HashMap<String, Vec<CredentialVersion>>,
    broken: HashMap<String, usize>,
    read_only: bool,
    log_lines: usize,
}

/// Scripted operations. Time stands still until [`ScriptedOperations::set_now`], executions until
/// [`ScriptedOperations::advance`].
#[derive(Debug)]
pub struct ScriptedOperations {
    world: Mutex<World>,
    folder: tempfile::TempDir,
}

/// The night of the scenarios: 03:12 in Berlin.
const NIGHT: Timestamp = Timestamp::constant(1_769_825_520, 0);

impl ScriptedOperations {
    /// A world in which this has happened, with so many executions in its list.
    ///
    /// # Errors
    /// When the report's file cannot be written into a temporary folder.
    pub fn new(scenario: Scenario, executions: usize) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut world = World {
            now: NIGHT,
            executions: Vec::new(),
            reports: Vec::new(),
            late: scenario == Scenario::Night,
            calls: Vec::new(),
            old_boards: Vec::new(),
            snapshot: 3,
            crawling: None,
            profile: "local".to_owned(),
            has_sample: true,
            is_configured: false,
            is_deployed: true,
            unread: Vec::new(),
            other_account: None,
            signed_out: false,
            runs_elsewhere: false,
            job: None,
            statement_stopped: false,
            versions: credentials::first(NIGHT),
            broken: HashMap::new(),
            read_only: false,
            log_lines: 40,
        };
        if scenario != Scenario::Empty {
            world.fill(scenario, executions);
            write_report(&folder.path().join("report.csv"), 240)?;
        }
        Ok(Self {
            world: Mutex::new(world),
            folder,
        })
    }

    /// The profile refuses changes.
    #[must_use]
    pub fn read_only(self) -> Self {
        self.lock().read_only = true;
        self
    }

    /// The report has so many rows.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn with_report_rows(self, rows: usize) -> io::Result<Self> {
        write_report(&self.folder.path().join("report.csv"), rows)?;
        Ok(self)
    }

    /// The report is this file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn with_report(self, bytes: &[u8]) -> io::Result<Self> {
        std::fs::write(self.folder.path().join("report.csv"), bytes)?;
        Ok(self)
    }

    /// Every execution has so many log lines.
    #[must_use]
    pub fn with_log_lines(self, lines: usize) -> Self {
        self.lock().log_lines = lines;
        self
    }

    /// The profile has no sample data, as on AWS.
    #[must_use]
    pub fn without_sample(self) -> Self {
        self.lock().has_sample = false;
        self
    }

    /// The profile has this name.
    #[must_use]
    pub fn named(self, profile: &str) -> Self {
        self.lock().profile = profile.to_owned();
        self
    }

    /// The profile has a source of its own.
    #[must_use]
    pub fn configured(self) -> Self {
        self.lock().is_configured = true;
        self
    }

    /// Nothing is deployed, as in a new AWS account.
    #[must_use]
    pub fn undeployed(self) -> Self {
        self.lock().is_deployed = false;
        self
    }

    /// Executions run in no process of this machine, and one signs in to where they do, as on AWS.
    #[must_use]
    pub fn elsewhere(self) -> Self {
        self.lock().runs_elsewhere = true;
        self
    }

    /// Something cannot be read: AWS refuses the call.
    #[must_use]
    pub fn refusing(self, part: Part, message: &str) -> Self {
        let error = OpsError::new(OpsErrorKind::Platform, message, "ask for the permission");
        let mut world = self.lock();
        // What cannot be read is not there.
        match &part {
            Part::Workflow(name) => world.executions.retain(|one| one.summary.workflow != *name),
            Part::Workflows => world.is_deployed = false,
            Part::Reports => world.reports.clear(),
            _ => {}
        }
        world.unread.push(Unread::new(part, &error));
        drop(world);
        self
    }

    /// The credentials are those of another account than the profile's.
    #[must_use]
    pub fn in_another_account(self, whose: &str) -> Self {
        self.lock().other_account = Some(whose.to_owned());
        self
    }

    /// The credentials expire, or work again.
    pub fn expire(&self, signed_out: bool) {
        self.lock().signed_out = signed_out;
    }

    /// The deployment has a Glue job that is not ours.
    #[must_use]
    pub fn with_glue_job(self, name: &str) -> Self {
        self.lock().job = Some(GlueJob {
            name: name.to_owned(),
            kind: "glueetl".to_owned(),
            description: "collects the old views".to_owned(),
            last_run: None,
        });
        self
    }

    /// The world's time.
    pub fn now(&self) -> Timestamp {
        self.lock().now
    }

    /// Time passes.
    pub fn set_now(&self, now: Timestamp) {
        self.lock().now = now;
    }

    /// Whatever runs goes one stage further; what was the last stage ends well.
    ///
    /// # Errors
    /// When a report's file cannot be written.
    pub fn advance(&self) -> io::Result<()> {
        let mut world = self.lock();
        if world.advance() {
            write_report(&self.folder.path().join("report.csv"), 240)?;
        }
        Ok(())
    }

    /// The next `times` calls of this name (`board`, `redrive` …) fail.
    pub fn break_calls(&self, name: &str, times: usize) {
        self.lock().broken.insert(name.to_owned(), times);
    }

    /// The next `times` answers for the Board show it as it is now, as a read that began before a change does.
    pub fn lag_board(&self, times: usize) {
        let mut world = self.lock();
        world.old_boards = vec![world.board(); times];
    }

    /// The calls made so far, with their targets.
    pub fn calls(&self) -> Vec<String> {
        self.lock().calls.clone()
    }

    fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a call; fails when the script says so.
    fn called(&self, name: &str, target: &str) -> OpsResult<MutexGuard<'_, World>> {
        let mut world = self.lock();
        world.calls.push(if target.is_empty() {
            name.to_owned()
        } else {
            format!("{name} {target}")
        });
        match world.broken.get_mut(name) {
            Some(left) if *left > 0 => {
                *left -= 1;
                Err(OpsError::new(
                    OpsErrorKind::Platform,
                    format!("{name}: the platform does not answer"),
                    "wait and try again",
                ))
            }
            _ => Ok(world),
        }
    }
}

fn today(now: Timestamp) -> Date {
    now.to_zoned(jiff::tz::TimeZone::UTC).date()
}

fn window_of(at: Timestamp) -> Option<Window> {
    Window::default_at(at, &jiff::tz::TimeZone::UTC).ok()
}
