//! What the console asks of the outside: every request with its risk, its key and its CLI twin.

use std::{path::PathBuf, sync::Arc};

use secrecy::SecretString;

use super::table::{ExportFormat, Index, Order, OrderSpec, Record, Source, find::FindSpec};
use lakehand_ops::{
    Board, Credential, CredentialSet, CredentialVersion, Datamart, ExecutionDetail, ExecutionId,
    ExecutionSummary, LogLine, OpsError, OpsResult, ReportName, ReportSummary, SignInResult,
    Snapshot, Sources, StartRequest, Statement,
};
use lakehand_pipeline::{quality::QualityReport, text::shell_word, window::Window};

/// What a request may do to the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Risk {
    /// Changes nothing but the screen.
    Read,
    /// Starts something or writes a file.
    Write,
    /// Ends or repeats something that is there.
    Danger,
}

/// A request and the stamp its answer must carry.
#[derive(Debug, Clone)]
pub(crate) struct Effect {
    /// What is asked.
    pub(crate) request: Request,
    /// The generation of this question.
    pub(crate) stamp: u64,
    /// The name of the protected profile, typed for this change.
    pub(crate) confirmed: Option<String>,
    /// The user wants to see how it is now.
    pub(crate) anew: bool,
}

/// Everything the console can ask for.
#[derive(Debug, Clone)]
pub(crate) enum Request {
    /// The Board.
    Board,
    /// Executions of all workflows, newest first, at most this many.
    Executions(usize),
    /// One execution with the events after the one named.
    Execution(ExecutionId, u64),
    /// Why these executions failed, for searching.
    Causes(Vec<ExecutionId>),
    /// The selected execution's detail for the side pane of the Board.
    Preview(ExecutionId),
    /// Log lines after the one named.
    Logs(ExecutionId, u64),
    /// Reports.
    Reports,
    /// Opens a report: file, header, first rows.
    OpenReport(ReportName),
    /// Opens a file as a report.
    OpenFile(ReportName, std::path::PathBuf),
    /// Indexes an open report.
    Index(Arc<Source>),
    /// Reads a block of rows.
    Rows(RowsRequest),
    /// Sorts and filters an open report.
    Arrange(Arc<Source>, Arc<Index>, OrderSpec),
    /// Looks for the next row that contains a text.
    Find(Arc<Source>, Arc<Index>, Option<Arc<Order>>, FindSpec),
    /// Writes what is seen into a file.
    Export(Arc<Source>, Arc<Index>, Option<Arc<Order>>, ExportRequest),
    /// One cell of a row, whole.
    Cell(Arc<Source>, Arc<Index>, u32, usize),
    /// Starts a workflow.
    Start(StartRequest),
    /// Redrives an execution.
    Redrive(ExecutionId),
    /// Stops an execution.
    Stop(ExecutionId, String),
    /// Starts the sample.
    StartSample,
    /// Streams, quotas, crawlers.
    Sources,
    /// Starts a crawler.
    Crawl(String),
    /// Stops a crawler.
    StopCrawler(String),
    /// Starts a run of a Glue job.
    StartJob(String),
    /// Stops a run of a Glue job: the job, the run.
    StopJob(String, String),
    /// What the checks found in an execution.
    Quality(ExecutionId),
    /// The datamart.
    Datamart,
    /// Its snapshots.
    Snapshots,
    /// Puts a snapshot's rows back.
    RollBack(u64),
    /// The newest SQL statements.
    Statements,
    /// Stops a SQL statement.
    StopStatement(String),
    /// Credentials.
    Credentials,
    /// The versions of a credential.
    CredentialHistory(String),
    /// Stores a new version of a credential.
    SetCredential {
        /// Where it is kept.
        path: String,
        /// The value; never shown.
        value: SecretString,
        /// Whether to sign in with it before it is stored.
        sign_in_first: bool,
    },
    /// Signs in to a source.
    TestCredentials(String),
    /// Copies a text to the clipboard of the terminal.
    Copy(String),
    /// Switches mouse capture.
    Mouse(bool),
    /// Clears the screen and draws all of it anew.
    Redraw,
    /// Suspends the console to the shell.
    Suspend,
    /// Asks whose account this is.
    Identify,
    /// Runs the command that signs the operator in, on the terminal.
    SignIn(String),
    /// The input of an execution, to start another one with.
    Input(ExecutionId),
    /// Opens the operator's editor with an input, on the terminal.
    EditInput(String),
    /// Leaves.
    Quit,
    /// Panics, for the test of the terminal's restoration.
    Panic,
}

/// Which rows of an open report are wanted.
#[derive(Debug, Clone)]
pub(crate) struct RowsRequest {
    /// The file.
    pub(crate) source: Arc<Source>,
    /// Where its records are.
    pub(crate) index: Arc<Index>,
    /// The order in which they are shown; that of the file when absent.
    pub(crate) order: Option<Arc<Order>>,
    /// The block: rows `block * BLOCK ..` of that order.
    pub(crate) block: usize,
    /// The generation of the order the block belongs to.
    pub(crate) generation: u64,
}

/// What to write and how.
#[derive(Debug, Clone)]
pub(crate) struct ExportRequest {
    /// Format.
    pub(crate) format: ExportFormat,
    /// Columns that are hidden.
    pub(crate) hidden: std::collections::BTreeSet<usize>,
    /// File name without folder.
    pub(crate) file_name: String,
}

/// What came back.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// For [`Request::Board`].
    Board(OpsResult<Arc<Board>>),
    /// For [`Request::Executions`].
    Executions(OpsResult<Arc<Vec<ExecutionSummary>>>),
    /// For [`Request::Execution`] and [`Request::Preview`].
    Execution(OpsResult<Arc<ExecutionDetail>>),
    /// For [`Request::Causes`]: stage, error and cause of those that could be read.
    Causes(Vec<(ExecutionId, String)>),
    /// For [`Request::Logs`].
    Logs(OpsResult<Vec<LogLine>>),
    /// For [`Request::Reports`].
    Reports(OpsResult<Arc<Vec<ReportSummary>>>),
    /// For [`Request::OpenReport`] and [`Request::OpenFile`].
    Opened(OpsResult<Arc<Source>>),
    /// For [`Request::Index`]: `false` while it grows.
    Indexed(OpsResult<Arc<Index>>, bool),
    /// For [`Request::Rows`].
    Rows(OpsResult<Arc<Vec<Record>>>),
    /// For [`Request::Arrange`].
    Arranged(OpsResult<Option<Arc<Order>>>),
    /// For [`Request::Cell`].
    Cell(OpsResult<Arc<str>>),
    /// For [`Request::Find`]: the row in the order shown.
    Found(OpsResult<Option<usize>>),
    /// For [`Request::Export`]: the file and its rows.
    Exported(OpsResult<(PathBuf, u64)>),
    /// For [`Request::Start`] and [`Request::StartSample`].
    Started(OpsResult<ExecutionId>),
    /// For [`Request::Sources`].
    Sources(OpsResult<Arc<Sources>>),
    /// For [`Request::Quality`].
    Quality(OpsResult<Vec<QualityReport>>),
    /// For [`Request::Datamart`].
    Datamart(OpsResult<Arc<Datamart>>),
    /// For [`Request::Snapshots`].
    Snapshots(OpsResult<Arc<Vec<Snapshot>>>),
    /// For [`Request::Statements`].
    Statements(OpsResult<Arc<Vec<Statement>>>),
    /// For [`Request::Credentials`].
    Credentials(OpsResult<Arc<Vec<Credential>>>),
    /// For [`Request::CredentialHistory`].
    CredentialHistory(OpsResult<Vec<CredentialVersion>>),
    /// For [`Request::SetCredential`].
    CredentialSet(OpsResult<CredentialSet>),
    /// For [`Request::TestCredentials`].
    SignedIn(OpsResult<SignInResult>),
    /// For [`Request::Input`]: JSON text.
    Input(OpsResult<Arc<str>>),
    /// For [`Request::EditInput`]: what the editor left, if it meant anything.
    Edited(OpsResult<Option<String>>),
    /// For every other request.
    Done(OpsResult<()>),
}

impl Answer {
    /// The failure, if it is one.
    pub(crate) fn error(&self) -> Option<&OpsError> {
        match self {
            Self::Board(result) => result.as_ref().err(),
            Self::Executions(result) => result.as_ref().err(),
            Self::Execution(result) => result.as_ref().err(),
            Self::Causes(_) => None,
            Self::Logs(result) => result.as_ref().err(),
            Self::Reports(result) => result.as_ref().err(),
            Self::Opened(result) => result.as_ref().err(),
            Self::Indexed(result, _) => result.as_ref().err(),
            Self::Rows(result) => result.as_ref().err(),
            Self::Arranged(result) => result.as_ref().err(),
            Self::Cell(result) => result.as_ref().err(),
            Self::Found(result) => result.as_ref().err(),
            Self::Exported(result) => result.as_ref().err(),
            Self::Started(result) => result.as_ref().err(),
            Self::Sources(result) => result.as_ref().err(),
            Self::Quality(result) => result.as_ref().err(),
            Self::Datamart(result) => result.as_ref().err(),
            Self::Snapshots(result) => result.as_ref().err(),
            Self::Statements(result) => result.as_ref().err(),
            Self::Credentials(result) => result.as_ref().err(),
            Self::CredentialHistory(result) => result.as_ref().err(),
            Self::CredentialSet(result) => result.as_ref().err(),
            Self::SignedIn(result) => result.as_ref().err(),
            Self::Input(result) => result.as_ref().err(),
            Self::Edited(result) => result.as_ref().err(),
            Self::Done(result) => result.as_ref().err(),
        }
    }

    /// What came back, in a few words.
    pub(crate) fn summary(&self) -> String {
        use super::format::{bytes, count, plural};
        match self {
            Self::Board(Ok(board)) => plural(board.workflows.len() as u64, "workflow"),
            Self::Executions(Ok(all)) => plural(all.len() as u64, "execution"),
            Self::Execution(Ok(detail)) => plural(detail.events.len() as u64, "new event"),
            Self::Causes(all) => plural(all.len() as u64, "cause"),
            Self::Logs(Ok(lines)) => plural(lines.len() as u64, "new line"),
            Self::Reports(Ok(reports)) => plural(reports.len() as u64, "report"),
            Self::Opened(Ok(source)) => format!("{} columns", source.header().len()),
            Self::Indexed(Ok(index), _) => plural(index.rows() as u64, "row"),
            Self::Rows(Ok(rows)) => plural(rows.len() as u64, "row"),
            Self::Arranged(Ok(Some(order))) => plural(order.len() as u64, "row"),
            Self::Arranged(Ok(None)) => "file order".to_owned(),
            Self::Cell(Ok(text)) => bytes(text.len() as u64),
            Self::Found(Ok(Some(row))) => format!("row {}", count(*row as u64 + 1)),
            Self::Found(Ok(None)) => "not found".to_owned(),
            Self::Exported(Ok((path, rows))) => {
                format!("{} in {}", plural(*rows, "row"), path.display())
            }
            Self::Started(Ok(id)) => id.to_string(),
            Self::Sources(Ok(all)) => plural(all.streams.len() as u64, "stream"),
            Self::Quality(Ok(all)) => plural(all.len() as u64, "table"),
            Self::Datamart(Ok(datamart)) => plural(datamart.rows.unwrap_or(0), "row"),
            Self::Snapshots(Ok(all)) => plural(all.len() as u64, "snapshot"),
            Self::Statements(Ok(all)) => plural(all.len() as u64, "statement"),
            Self::Credentials(Ok(all)) => plural(all.len() as u64, "credential"),
            Self::CredentialHistory(Ok(all)) => plural(all.len() as u64, "version"),
            Self::CredentialSet(Ok(set)) => format!("version {}", set.version),
            Self::SignedIn(Ok(result)) => result.message.clone(),
            Self::Input(Ok(text)) => bytes(text.len() as u64),
            Self::Edited(Ok(Some(text))) => bytes(text.len() as u64),
            Self::Edited(Ok(None)) => "nothing changed".to_owned(),
            Self::Done(Ok(())) => "done".to_owned(),
            other => other.error().map(ToString::to_string).unwrap_or_default(),
        }
    }
}

/// Identifies a question, so that the same one is not asked twice at a time and a newer one replaces an older.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum RequestKey {
    /// One of its kind.
    Only(&'static str),
    /// One for each target.
    For(&'static str, Arc<str>),
    /// One for each block of rows of a generation.
    Block(u64, usize),
}

impl Request {
    /// What this may do to the lake, its state and its platform. Every request is named: one that is not does not
    /// compile, so that nothing new is taken for a look.
    pub(crate) fn risk(&self) -> Risk {
        match self {
            Self::Start(_)
            | Self::StartSample
            | Self::SetCredential { .. }
            | Self::Crawl(_)
            | Self::StartJob(_) => Risk::Write,
            Self::Redrive(_)
            | Self::Stop(..)
            | Self::StopCrawler(_)
            | Self::StopJob(..)
            | Self::StopStatement(_)
            | Self::RollBack(_) => Risk::Danger,
            Self::Board
            | Self::Executions(_)
            | Self::Execution(..)
            | Self::Preview(_)
            | Self::Causes(_)
            | Self::Logs(..)
            | Self::Reports
            | Self::OpenReport(_)
            | Self::OpenFile(..)
            | Self::Index(_)
            | Self::Rows(_)
            | Self::Cell(..)
            | Self::Arrange(..)
            | Self::Find(..)
            | Self::Sources
            | Self::Quality(_)
            | Self::Datamart
            | Self::Snapshots
            | Self::Statements
            | Self::Credentials
            | Self::CredentialHistory(_)
            | Self::TestCredentials(_)
            | Self::Input(_)
            | Self::Identify => Risk::Read,
            // Of what lies here: a file of what is on the screen, the clipboard, the terminal, the operator's own login.
            Self::Export(..)
            | Self::Copy(_)
            | Self::Mouse(_)
            | Self::Redraw
            | Self::Suspend
            | Self::SignIn(_)
            | Self::EditInput(_)
            | Self::Quit
            | Self::Panic => Risk::Read,
        }
    }

    /// Which question this is.
    pub(crate) fn key(&self) -> RequestKey {
        match self {
            Self::Execution(id, _) => RequestKey::For("execution", id.0.clone()),
            Self::Logs(id, _) => RequestKey::For("logs", id.0.clone()),
            Self::Input(id) => RequestKey::For("input", id.0.clone()),
            Self::Redrive(id) => RequestKey::For("redrive", id.0.clone()),
            Self::Stop(id, _) => RequestKey::For("stop", id.0.clone()),
            Self::Start(request) => RequestKey::For("start", request.workflow.0.clone()),
            Self::Crawl(name) => RequestKey::For("crawl", name.as_str().into()),
            Self::StopCrawler(name) => RequestKey::For("stop crawler", name.as_str().into()),
            Self::StartJob(name) => RequestKey::For("start job", name.as_str().into()),
            Self::StopJob(name, _) => RequestKey::For("stop job", name.as_str().into()),
            Self::StopStatement(id) => RequestKey::For("stop statement", id.as_str().into()),
            Self::SetCredential { path, .. } => {
                RequestKey::For("set credential", path.as_str().into())
            }
            Self::TestCredentials(source) => {
                RequestKey::For("test credentials", source.as_str().into())
            }
            Self::Rows(rows) => RequestKey::Block(rows.generation, rows.block),
            other => RequestKey::Only(other.name()),
        }
    }

    /// The call, for the Activity screen.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Board => "read the board",
            Self::Executions(_) => "list executions",
            Self::Execution(..) => "read execution",
            Self::Preview(_) => "preview execution",
            Self::Causes(_) => "read causes",
            Self::Logs(..) => "read logs",
            Self::Reports => "list reports",
            Self::OpenReport(_) | Self::OpenFile(..) => "open report",
            Self::Index(_) => "index report",
            Self::Rows(_) => "read rows",
            Self::Arrange(..) => "sort and filter",
            Self::Find(..) => "find",
            Self::Export(..) => "export",
            Self::Cell(..) => "read a cell",
            Self::Start(_) => "start workflow",
            Self::Redrive(_) => "redrive",
            Self::Stop(..) => "stop",
            Self::StartSample => "start the sample",
            Self::Sources => "read sources",
            Self::Crawl(_) => "crawl",
            Self::StopCrawler(_) => "stop crawler",
            Self::StartJob(_) => "start job",
            Self::StopJob(..) => "stop job",
            Self::Quality(_) => "read checks",
            Self::Datamart => "read datamart",
            Self::Snapshots => "list snapshots",
            Self::RollBack(_) => "roll back",
            Self::Statements => "list statements",
            Self::StopStatement(_) => "stop statement",
            Self::Credentials => "list credentials",
            Self::CredentialHistory(_) => "read credential history",
            Self::SetCredential { .. } => "set credential",
            Self::TestCredentials(_) => "sign in",
            Self::Copy(_) => "copy",
            Self::Mouse(_) => "mouse capture",
            Self::Redraw => "redraw",
            Self::Suspend => "suspend",
            Self::Identify => "identify",
            Self::SignIn(_) => "run",
            Self::Input(_) => "read the input",
            Self::EditInput(_) => "edit the input",
            Self::Quit => "quit",
            Self::Panic => "panic",
        }
    }

    /// What it is about.
    pub(crate) fn target(&self) -> String {
        match self {
            Self::Execution(id, _)
            | Self::Preview(id)
            | Self::Input(id)
            | Self::Logs(id, _)
            | Self::Redrive(id)
            | Self::Quality(id)
            | Self::Stop(id, _) => id.to_string(),
            Self::SignIn(command) => command.clone(),
            Self::RollBack(version) => format!("to snapshot {version}"),
            Self::OpenReport(name) | Self::OpenFile(name, _) => name.to_string(),
            Self::CredentialHistory(path) | Self::SetCredential { path, .. } => path.clone(),
            Self::Crawl(name) | Self::StopCrawler(name) | Self::StopStatement(name) => name.clone(),
            Self::StartJob(name) => name.clone(),
            Self::StopJob(name, run) => format!("{name} {run}"),
            Self::TestCredentials(source) => source.clone(),
            Self::Index(source)
            | Self::Arrange(source, ..)
            | Self::Find(source, ..)
            | Self::Cell(source, ..)
            | Self::Export(source, ..) => source.name().to_owned(),
            Self::Start(request) => match request.window {
                Some(window) => format!("{} {window}", request.workflow),
                None => request.workflow.to_string(),
            },
            _ => String::new(),
        }
    }

    /// The command line that does the same.
    pub(crate) fn cli(&self) -> Option<String> {
        Some(match self {
            Self::Board => "lakehand status".to_owned(),
            Self::Executions(limit) => format!("lakehand runs list --limit {limit}"),
            Self::Execution(id, _) | Self::Preview(id) | Self::Input(id) => {
                format!("lakehand runs show {}", shell_word(id.as_ref()))
            }
            Self::Logs(id, _) => format!("lakehand runs logs {}", shell_word(id.as_ref())),
            Self::Reports => "lakehand reports list".to_owned(),
            Self::OpenReport(name) => {
                format!("lakehand reports show {}", shell_word(name.as_ref()))
            }
            Self::Start(request) => start_line(request),
            Self::Redrive(id) => format!("lakehand runs redrive {}", shell_word(id.as_ref())),
            Self::Stop(id, _) => format!("lakehand runs stop {}", shell_word(id.as_ref())),
            Self::StartSample => "lakehand demo".to_owned(),
            Self::Sources => "lakehand sources".to_owned(),
            Self::Crawl(name) => format!("lakehand crawl {}", shell_word(name)),
            Self::StopCrawler(name) => format!("lakehand crawlers stop {}", shell_word(name)),
            Self::StartJob(name) => format!("lakehand jobs start {}", shell_word(name)),
            Self::StopJob(name, run) => {
                format!(
                    "lakehand jobs stop {} {}",
                    shell_word(name),
                    shell_word(run)
                )
            }
            Self::Datamart => "lakehand datamart show".to_owned(),
            Self::Snapshots => "lakehand datamart history".to_owned(),
            Self::RollBack(version) => format!("lakehand datamart rollback {version}"),
            Self::Statements => "lakehand statements list".to_owned(),
            Self::StopStatement(id) => format!("lakehand statements stop {}", shell_word(id)),
            Self::Credentials => "lakehand credentials list".to_owned(),
            Self::CredentialHistory(path) => {
                format!("lakehand credentials history {}", shell_word(path))
            }
            Self::SetCredential { path, .. } => {
                format!("lakehand credentials set {}", shell_word(path))
            }
            Self::TestCredentials(source) => {
                format!("lakehand credentials test {}", shell_word(source))
            }
            _ => return None,
        })
    }

    /// Whether it belongs on the Activity screen: what only steers the terminal or pages through rows does not.
    pub(crate) fn is_recorded(&self) -> bool {
        !matches!(
            self,
            Self::Rows(_)
                | Self::Mouse(_)
                | Self::Redraw
                | Self::Suspend
                | Self::Quit
                | Self::Panic
        )
    }
}

/// `lakehand run daily-report --from … --to …`. An input other than of streams is given in a file: what is on a command
/// line others can see.
fn start_line(request: &StartRequest) -> String {
    let days = |window: Window| format!(" --from {} --to {}", window.from(), window.to());
    let streams = request.input.get("streams").and_then(|all| all.as_array());
    let only_streams = request.input.as_object().is_some_and(|all| all.len() == 1);
    let what = match streams.map(Vec::as_slice) {
        Some([stream]) if only_streams => format!(
            "collect {}",
            shell_word(stream.as_str().unwrap_or_default())
        ),
        _ => format!("run {}", shell_word(request.workflow.as_ref())),
    };
    let given = !request.input.is_null() && request.input != serde_json::json!({});
    let input = if given && !what.starts_with("collect ") {
        " --input FILE"
    } else {
        ""
    };
    format!(
        "lakehand {what}{input}{}",
        request.window.map(days).unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cli_line_can_be_pasted_into_a_shell() {
        let id = ExecutionId::from("daily-report:it's; rm -rf /");
        assert_eq!(
            Request::Redrive(id).cli().unwrap(),
            r"lakehand runs redrive 'daily-report:it'\''s; rm -rf /'"
        );
        let window = Window::parse("2026-01-01", "2026-01-02").unwrap();
        let start = StartRequest {
            workflow: "collect".into(),
            window: Some(window),
            input: serde_json::json!({}),
            name: None,
        };
        assert_eq!(
            Request::Start(start).cli().unwrap(),
            "lakehand run collect --from 2026-01-01 --to 2026-01-02"
        );
    }

    #[test]
    fn what_changes_the_world_is_classed_so() {
        assert_eq!(Request::Redrive("x".into()).risk(), Risk::Danger);
        assert_eq!(
            Request::Stop("x".into(), String::new()).risk(),
            Risk::Danger
        );
        assert_eq!(Request::StartSample.risk(), Risk::Write);
        assert_eq!(Request::Board.risk(), Risk::Read);
    }
}
