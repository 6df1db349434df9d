//! A small world that behaves like a platform: executions that run, fail, are redriven; a report file.

use std::{
    collections::HashMap,
    io::{self, Write},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp, civil::Date};

use super::super::format;
use crate::{
    ops::{
        Board, ExecutionDetail, ExecutionId, ExecutionStatus, ExecutionSummary, Freshness,
        Identity, LogLine, Operations, OpsError, OpsErrorKind, OpsResult, Redrive, ReportName,
        ReportSummary, RootCause, Stage, StageStatus, StartRequest, WorkflowCard, WorkflowName,
    },
    pipeline::{jobs::Level, window::Window},
    workflow::{
        definition::{Edge, EdgeKind, Graph, GraphNode, StateType},
        history::{EventDetails, EventType, HistoryEvent},
    },
};

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

    /// Every execution has so many log lines.
    #[must_use]
    pub fn with_log_lines(self, lines: usize) -> Self {
        self.lock().log_lines = lines;
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

impl World {
    fn fill(&mut self, scenario: Scenario, count: usize) {
        let hour = SignedDuration::from_hours(1);
        for number in 0..count {
            let workflow = if number % 3 == 2 {
                "daily-report"
            } else {
                "collect"
            };
            let started = self.now
                - hour * i32::try_from(number).unwrap_or(i32::MAX)
                - SignedDuration::from_mins(2);
            let failed = scenario == Scenario::Night && number == 2;
            let fixed = number % 11 == 8;
            self.push(workflow, started, failed || fixed, fixed);
        }
        let created =
            self.now - SignedDuration::from_hours(if scenario == Scenario::Night { 13 } else { 1 });
        for back in 0..6 {
            let created = created - SignedDuration::from_hours(24 * back);
            self.report(created);
        }
    }

    fn push(&mut self, workflow: &str, started: Timestamp, failed: bool, superseded: bool) {
        let ended = started + SignedDuration::from_millis(72_400);
        let name = format!("{}-{}", workflow, started.strftime("%Y%m%d-%H%M%S"));
        let step = if failed {
            3.min(way(workflow) - 1)
        } else {
            way(workflow)
        };
        let summary = ExecutionSummary {
            id: format!("{workflow}:{name}").into(),
            name,
            workflow: workflow.into(),
            status: if failed {
                ExecutionStatus::Failed
            } else {
                ExecutionStatus::Succeeded
            },
            started,
            ended: Some(ended),
            window: window_of(started),
            redrives: 0,
            current_stage: failed.then(|| plan(workflow)[step].0.to_owned()),
            error: failed.then(|| {
                if workflow == "collect" {
                    "TransientSourceError"
                } else {
                    "QualityCheckFailed"
                }
                .to_owned()
            }),
            superseded,
        };
        self.executions.push(Execution {
            summary,
            step,
            sample: false,
        });
    }

    fn report(&mut self, created: Timestamp) {
        let name = format!("sub5-{}.csv", created.strftime("%Y%m%d-%H%M"));
        self.reports.push(ReportSummary {
            name: name.into(),
            report: "sub5".to_owned(),
            window: window_of(created),
            rows: 240,
            bytes: 31_245,
            created,
            execution: self
                .executions
                .first()
                .map(|execution| execution.summary.id.to_string()),
            sha256: "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824".to_owned(),
        });
    }

    /// Starts an execution; it is the newest from now on.
    fn start(&mut self, workflow: &str, window: Option<Window>, sample: bool) -> ExecutionId {
        let name = format!("{}-{}", workflow, self.now.strftime("%Y%m%d-%H%M%S"));
        let id = ExecutionId::from(format!("{workflow}:{name}"));
        let summary = ExecutionSummary {
            id: id.clone(),
            name,
            workflow: workflow.into(),
            status: ExecutionStatus::Running,
            started: self.now,
            ended: None,
            window: window.or_else(|| window_of(self.now)),
            redrives: 0,
            current_stage: Some(plan(workflow)[0].0.to_owned()),
            error: None,
            superseded: false,
        };
        self.executions.insert(
            0,
            Execution {
                summary,
                step: 0,
                sample,
            },
        );
        id
    }

    /// One stage further; whether a report was finished.
    fn advance(&mut self) -> bool {
        let now = self.now;
        let mut finished = Vec::new();
        for execution in self
            .executions
            .iter_mut()
            .filter(|execution| execution.summary.status == ExecutionStatus::Running)
        {
            execution.step += 1;
            let summary = &mut execution.summary;
            if execution.step >= way(summary.workflow.as_ref()) {
                summary.status = ExecutionStatus::Succeeded;
                summary.ended = Some(now);
                summary.current_stage = None;
                summary.error = None;
                finished.push((summary.workflow.clone(), execution.sample));
            } else {
                summary.current_stage =
                    Some(plan(summary.workflow.as_ref())[execution.step].0.to_owned());
            }
        }
        let mut reported = false;
        for (workflow, sample) in finished {
            match workflow.as_ref() {
                "collect" if sample => drop(self.start("daily-report", None, true)),
                "daily-report" => {
                    self.report(now);
                    reported = true;
                }
                _ => {}
            }
        }
        self.reports
            .sort_by_key(|report| std::cmp::Reverse(report.created));
        reported
    }

    fn find(&mut self, id: &ExecutionId) -> OpsResult<&mut Execution> {
        let found = self
            .executions
            .iter_mut()
            .find(|execution| execution.summary.id == *id);
        found.ok_or_else(|| {
            OpsError::new(
                OpsErrorKind::NotFound,
                format!("there is no execution {id}"),
                "list them with runs list",
            )
        })
    }

    fn card(&self, workflow: &str, description: &str, next: i64) -> WorkflowCard {
        let own: Vec<&Execution> = self
            .executions
            .iter()
            .filter(|execution| execution.summary.workflow.as_ref() == workflow)
            .collect();
        let stages = match own.first() {
            Some(newest) => stages(newest, false),
            None => plan(workflow)
                .iter()
                .map(|(name, kind)| stage(name, *kind, StageStatus::NotReached))
                .collect(),
        };
        let success = own
            .iter()
            .find(|execution| execution.summary.status == ExecutionStatus::Succeeded);
        WorkflowCard {
            name: WorkflowName::from(workflow),
            description: description.to_owned(),
            stages: stages
                .into_iter()
                .filter(|stage| stage.depth == 0)
                .collect(),
            executions: own
                .iter()
                .take(20)
                .map(|execution| execution.summary.clone())
                .collect(),
            next_run: Some(self.now + SignedDuration::from_mins(next)),
            last_success: success.and_then(|execution| execution.summary.ended),
        }
    }

    fn freshness(&self) -> Vec<Freshness> {
        let never = self.executions.is_empty();
        let stream = |(position, name): (usize, &str)| {
            let late = self.late && name == "conversions";
            let minutes = if late {
                1_640
            } else {
                12 + 7 * i64::try_from(position).unwrap_or(0)
            };
            Freshness {
                stream: format!("affise.{name}"),
                collected: (!never).then(|| self.now - SignedDuration::from_mins(minutes)),
                newest_day: (!never).then(|| today(self.now)),
                rows: (!never).then(|| 1_250 * (position as u64 + 1) * (position as u64 + 1)),
                late,
                note: late.then(|| "parked until 03:30: HTTP 429".to_owned()),
            }
        };
        STREAMS.into_iter().enumerate().map(stream).collect()
    }
}

fn today(now: Timestamp) -> Date {
    now.to_zoned(jiff::tz::TimeZone::UTC).date()
}

fn window_of(at: Timestamp) -> Option<Window> {
    Window::default_at(at, &jiff::tz::TimeZone::UTC).ok()
}

fn stage(name: &str, kind: StateType, status: StageStatus) -> Stage {
    Stage {
        name: name.to_owned(),
        kind: kind.name().to_owned(),
        status,
        started: None,
        ended: None,
        attempts: 1,
        progress: None,
        error: None,
        depth: 0,
        input: None,
        output: None,
    }
}

/// The stages of an execution, those inside the Map too.
fn stages(execution: &Execution, inner: bool) -> Vec<Stage> {
    let summary = &execution.summary;
    let mut all = Vec::new();
    for (position, (name, kind)) in plan(summary.workflow.as_ref()).iter().enumerate() {
        let status = match position.cmp(&execution.step) {
            _ if position >= way(summary.workflow.as_ref()) => StageStatus::NotReached,
            std::cmp::Ordering::Less => StageStatus::Succeeded,
            std::cmp::Ordering::Greater => StageStatus::NotReached,
            std::cmp::Ordering::Equal => match summary.status {
                ExecutionStatus::Running => StageStatus::Running,
                ExecutionStatus::Aborted => StageStatus::Aborted,
                ExecutionStatus::Interrupted => StageStatus::Interrupted,
                ExecutionStatus::Succeeded => StageStatus::Succeeded,
                _ => StageStatus::Failed,
            },
        };
        let mut this = stage(name, *kind, status);
        fill(&mut this, execution, position);
        let nested = inner && *kind == StateType::Map && this.status != StageStatus::NotReached;
        let outer = this.clone();
        all.push(this);
        if nested {
            all.extend(
                STREAMS
                    .iter()
                    .enumerate()
                    .map(|(number, stream)| inside(&outer, number, stream)),
            );
        }
    }
    all
}

fn fill(stage: &mut Stage, execution: &Execution, position: usize) {
    if stage.status == StageStatus::NotReached {
        return;
    }
    let began = execution.summary.started
        + SignedDuration::from_secs(9) * i32::try_from(position).unwrap_or(0);
    stage.started = Some(began);
    stage.input =
        Some(r#"{"window":{"from":"2026-01-24","to":"2026-01-31"},"profile":"local"}"#.into());
    match stage.status {
        StageStatus::Succeeded => {
            stage.ended = Some(began + SignedDuration::from_millis(8_600));
            stage.output = Some(
                format!(
                    r#"{{"rows":{},"note":"tab\tand \"quotes\""}}"#,
                    12_500 * (position + 1)
                )
                .into(),
            );
            stage.progress = Some(format!(
                "{} rows",
                format::count(12_500 * (position as u64 + 1))
            ));
        }
        StageStatus::Failed => {
            stage.ended = execution.summary.ended;
            stage.error.clone_from(&execution.summary.error);
            stage.attempts = 2;
        }
        _ => stage.progress = Some("12,500 rows, 25 calls".to_owned()),
    }
}

fn inside(outer: &Stage, number: usize, stream: &str) -> Stage {
    let began = outer
        .started
        .map(|at| at + SignedDuration::from_millis(300 * i64::try_from(number).unwrap_or(0)));
    let ended = outer
        .ended
        .map(|at| at - SignedDuration::from_millis(700 * i64::try_from(number).unwrap_or(0)));
    Stage {
        name: format!("{} / Collect[{number}]", outer.name),
        kind: "Task".to_owned(),
        depth: 1,
        started: began,
        ended,
        progress: Some(format!(
            "{stream}: {} rows",
            format::count(2_500 * (number as u64 + 1))
        )),
        ..outer.clone()
    }
}

fn graph(workflow: &str) -> Graph {
    let plan = plan(workflow);
    let node = |(position, (name, kind)): (usize, &(&str, StateType))| GraphNode {
        name: (*name).to_owned(),
        state_type: *kind,
        parent: None,
        branch: 0,
        is_start: position == 0,
        is_end: position + 1 == way(workflow),
        layer: position,
        column: 0,
    };
    let mut nodes: Vec<GraphNode> = plan.iter().enumerate().map(node).collect();
    let next = |from: usize| Edge {
        from,
        to: from + 1,
        kind: EdgeKind::Next,
    };
    let mut edges: Vec<Edge> = (0..way(workflow) - 1).map(next).collect();
    if workflow == "collect" {
        nodes.push(GraphNode {
            name: "Collect".to_owned(),
            state_type: StateType::Task,
            parent: Some(1),
            branch: 0,
            is_start: true,
            is_end: true,
            layer: 0,
            column: 0,
        });
    } else {
        edges.extend((0..6).map(|from| Edge {
            from,
            to: 7,
            kind: EdgeKind::Catch(vec!["States.ALL".to_owned()]),
        }));
        edges.push(next(7));
    }
    Graph {
        nodes,
        edges,
        start: 0,
    }
}

fn root_cause(execution: &Execution) -> Option<RootCause> {
    let error = execution.summary.error.clone()?;
    Some(RootCause {
        stage: execution.summary.current_stage.clone()?,
        error,
        cause: "check 'no_duplicate_conversions' failed: 3 of 12,500 rows have a conversion_id that occurs twice, first '\u{1b}[31m65a1f\u{202e}'".to_owned(),
        meaning: Some("The source sent the same conversion under two clicks while it was being paged.".to_owned()),
        remedy: Some("Collect the window again, then redrive; if it stays, open the quarantine file named in the log.".to_owned()),
        retry_helps: Some(true),
    })
}

fn redrive_of(execution: &Execution) -> Redrive {
    match execution.summary.status {
        ExecutionStatus::Running => Redrive::NotPossible {
            reason: "it is running".to_owned(),
        },
        ExecutionStatus::Succeeded => Redrive::NotPossible {
            reason: "it succeeded".to_owned(),
        },
        _ => Redrive::Possible {
            stages: plan(execution.summary.workflow.as_ref())
                [execution.step..way(execution.summary.workflow.as_ref())]
                .iter()
                .map(|(name, _)| (*name).to_owned())
                .collect(),
            safety: "ReplaceWindow commits once; running it again changes nothing".to_owned(),
        },
    }
}

fn history(execution: &Execution) -> Vec<HistoryEvent> {
    let mut events = Vec::new();
    let mut push = |at: Timestamp, event_type: EventType, details: EventDetails| {
        let id = events.len() as u64 + 1;
        events.push(HistoryEvent {
            id,
            previous_event_id: id - 1,
            timestamp: at,
            event_type,
            details,
        });
    };
    push(
        execution.summary.started,
        EventType::ExecutionStarted,
        EventDetails::default().with_input("{}".to_owned()),
    );
    for stage in stages(execution, false) {
        if let Some(started) = stage.started {
            push(
                started,
                EventType::TaskStateEntered,
                EventDetails::named(&stage.name),
            );
        }
        match (&stage.status, stage.ended) {
            (StageStatus::Succeeded, Some(ended)) => push(
                ended,
                EventType::TaskStateExited,
                EventDetails::named(&stage.name),
            ),
            (StageStatus::Failed, Some(ended)) => push(
                ended,
                EventType::TaskFailed,
                EventDetails::failed(stage.error, Some("see the root cause".to_owned())),
            ),
            _ => {}
        }
    }
    match (execution.summary.status, execution.summary.ended) {
        (ExecutionStatus::Succeeded, Some(ended)) => push(
            ended,
            EventType::ExecutionSucceeded,
            EventDetails::default(),
        ),
        (ExecutionStatus::Failed, Some(ended)) => push(
            ended,
            EventType::ExecutionFailed,
            EventDetails::failed(execution.summary.error.clone(), None),
        ),
        _ => {}
    }
    events
}

fn log(execution: &Execution, count: usize) -> Vec<LogLine> {
    let names: Vec<String> = stages(execution, false)
        .into_iter()
        .filter(|stage| stage.started.is_some())
        .map(|stage| stage.name)
        .collect();
    let failed = execution.summary.status == ExecutionStatus::Failed;
    let line = |number: usize| {
        let position = number * names.len() / count;
        let last_of_stage = number + 1 == count;
        let (level, message) = match number {
            _ if last_of_stage && failed => (
                Level::Error,
                "check 'no_duplicate_conversions' failed: 3 rows, \u{1b}[2Jfirst '65a1f'"
                    .to_owned(),
            ),
            _ if number % 17 == 13 => (
                Level::Warn,
                format!(
                    "HTTP 429 from /3.0/stats/conversions, waiting {} s as Retry-After says",
                    number % 7 + 1
                ),
            ),
            _ => (
                Level::Info,
                format!(
                    "page {number}: 500 rows in 212 ms, user agents such as 'Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36', next page {}",
                    number + 1
                ),
            ),
        };
        LogLine {
            line: number as u64 + 1,
            at: execution.summary.started
                + SignedDuration::from_millis(900 * i64::try_from(number).unwrap_or(0)),
            level,
            stage: names.get(position).cloned().unwrap_or_default(),
            attempt: if failed && number * 10 >= count * 9 {
                2
            } else {
                1
            },
            message,
        }
    };
    if names.is_empty() {
        Vec::new()
    } else {
        (0..count).map(line).collect()
    }
}

/// A report with text from the wild.
fn write_report(path: &std::path::Path, rows: usize) -> io::Result<()> {
    const MANAGERS: [&str; 6] = [
        "Zoë Čapek",
        "佐藤 花子",
        "O'Brien, Pat",
        "مريم",
        "Ana \"Ani\" Silva",
        "",
    ];
    let mut file = io::BufWriter::new(std::fs::File::create(path)?);
    writeln!(
        file,
        "datestamp,affiliate_id,affiliate_name,affiliate_manager,offer_id,country,sub5,click_count,approved_revenue,conversions_count\r"
    )?;
    for row in 0..rows {
        let manager = MANAGERS[row % MANAGERS.len()].replace('"', "\"\"");
        let sub = match row % 9 {
            4 => "\"=1+1\nsecond line \u{1b}[31m\"".to_owned(),
            7 => "🚀👩‍👩‍👧".to_owned(),
            _ => format!("sub-{:05}", row * 7919 % 99_991),
        };
        let country = ["DE", "BR", "US", "JP", ""][row % 5];
        writeln!(
            file,
            "2026-01-{:02},{},affiliate {},\"{manager}\",{},{country},{sub},{},{}.{:02},{}\r",
            24 + row % 8,
            100 + row % 37,
            row % 37,
            4_000 + row % 211,
            row * 31 % 9_973,
            row * 17 % 4_001,
            row % 100,
            row % 23 + 1
        )?;
    }
    file.flush()
}

#[async_trait]
impl Operations for ScriptedOperations {
    fn identity(&self) -> Identity {
        Identity {
            profile: "local".to_owned(),
            account: "local".to_owned(),
            region: "this machine".to_owned(),
            lake: "~/lakehand".to_owned(),
            time_zone: "Europe/Berlin".to_owned(),
            read_only: self.lock().read_only,
        }
    }

    async fn board(&self) -> OpsResult<Board> {
        let world = self.called("board", "")?;
        Ok(Board {
            as_of: world.now,
            today: today(world.now),
            workflows: vec![
                world.card(
                    "collect",
                    "Collect every stream of the window, then refresh the tables",
                    48,
                ),
                world.card("daily-report", "Build and export the daily report", 348),
            ],
            freshness: world.freshness(),
            quality: Vec::new(),
            latest_report: world.reports.first().cloned(),
            lake_is_empty: world.executions.is_empty(),
        })
    }

    async fn executions(
        &self,
        workflow: Option<&WorkflowName>,
        limit: usize,
    ) -> OpsResult<Vec<ExecutionSummary>> {
        let world = self.called("executions", "")?;
        let own = world
            .executions
            .iter()
            .filter(|execution| workflow.is_none_or(|name| execution.summary.workflow == *name));
        Ok(own
            .take(limit)
            .map(|execution| execution.summary.clone())
            .collect())
    }

    async fn execution(&self, id: &ExecutionId, after_event: u64) -> OpsResult<ExecutionDetail> {
        let mut world = self.called("execution", id.as_ref())?;
        let execution = world.find(id)?;
        let succeeded = execution.summary.status == ExecutionStatus::Succeeded;
        let failed = execution.summary.status == ExecutionStatus::Failed;
        Ok(ExecutionDetail {
            summary: execution.summary.clone(),
            stages: stages(execution, true),
            root_cause: root_cause(execution).filter(|_| failed),
            redrive: redrive_of(execution),
            graph: Arc::new(graph(execution.summary.workflow.as_ref())),
            events: history(execution)
                .into_iter()
                .filter(|event| event.id > after_event)
                .collect(),
            input: r#"{"window":{"from":"2026-01-24","to":"2026-01-31"}}"#.into(),
            output: succeeded.then(|| r#"{"report":"sub5","rows":240}"#.into()),
        })
    }

    async fn logs(
        &self,
        id: &ExecutionId,
        stage: Option<&str>,
        after_line: u64,
        limit: usize,
    ) -> OpsResult<Vec<LogLine>> {
        let mut world = self.called("logs", id.as_ref())?;
        let count = world.log_lines;
        let lines = log(world.find(id)?, count).into_iter();
        Ok(lines
            .filter(|line| line.line > after_line && stage.is_none_or(|stage| line.stage == stage))
            .take(limit)
            .collect())
    }

    async fn start(&self, request: StartRequest) -> OpsResult<ExecutionId> {
        let mut world = self.called("start", request.workflow.as_ref())?;
        if world.executions.iter().any(|other| {
            other.summary.workflow == request.workflow
                && other.summary.status == ExecutionStatus::Running
        }) {
            let message = format!("{} is running for this window already", request.workflow);
            return Err(OpsError::new(
                OpsErrorKind::Conflict,
                message,
                "wait for it, or stop it first",
            ));
        }
        Ok(world.start(request.workflow.as_ref(), request.window, false))
    }

    async fn stop(&self, id: &ExecutionId, _reason: &str) -> OpsResult<()> {
        let mut world = self.called("stop", id.as_ref())?;
        let now = world.now;
        let summary = &mut world.find(id)?.summary;
        (summary.status, summary.ended) = (ExecutionStatus::Aborted, Some(now));
        Ok(())
    }

    async fn redrive(&self, id: &ExecutionId) -> OpsResult<()> {
        let mut world = self.called("redrive", id.as_ref())?;
        let summary = &mut world.find(id)?.summary;
        (summary.status, summary.ended, summary.error) = (ExecutionStatus::Running, None, None);
        summary.redrives += 1;
        Ok(())
    }

    async fn reports(&self) -> OpsResult<Vec<ReportSummary>> {
        Ok(self.called("reports", "")?.reports.clone())
    }

    async fn report_file(&self, name: &ReportName) -> OpsResult<PathBuf> {
        let world = self.called("report_file", name.as_ref())?;
        if world.reports.iter().any(|report| report.name == *name) {
            return Ok(self.folder.path().join("report.csv"));
        }
        Err(OpsError::new(
            OpsErrorKind::NotFound,
            format!("there is no report {name}"),
            "list them with reports list",
        ))
    }

    async fn start_sample(&self) -> OpsResult<ExecutionId> {
        let mut world = self.called("start_sample", "")?;
        Ok(world.start("collect", None, true))
    }
}
