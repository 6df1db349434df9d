//! The list itself, one action a line: nearer scopes first, then in the order of help.

use crossterm::event::KeyCode;

use super::{Action, ActionId as A, Cli, Reason, Scope as S};
use crate::{
    effect::Risk,
    keymap::Key,
    screens::{credentials, datamart, logs, run, sources, table},
    state::{Screen, State},
};

const MOVES: Cli = Cli::Exempt("moves on the screen");
const LOOKS: Cli = Cli::Exempt("changes what the screen shows");
const TERMINAL: Cli = Cli::Exempt("steers the terminal");
const HELPS: Cli = Cli::Exempt("every command has --help");

fn has_panes(state: &State) -> Result<(), Reason> {
    match state.screen {
        Screen::Board | Screen::Run | Screen::Logs | Screen::Datamart => Ok(()),
        _ => Err("this screen has one pane".to_owned()),
    }
}

fn can_open(state: &State) -> Result<(), Reason> {
    match state.screen {
        Screen::Sources => Err("all there is to see of it is on the screen".to_owned()),
        _ => Ok(()),
    }
}

fn has_filter(state: &State) -> Result<(), Reason> {
    match state.screen {
        Screen::Run
        | Screen::Sources
        | Screen::Datamart
        | Screen::Credentials
        | Screen::Activity => Err(format!(
            "there is no filter here; {} finds",
            state.key(A::Find)
        )),
        _ => Ok(()),
    }
}

fn can_redrive(state: &State) -> Result<(), Reason> {
    state.may_change()?;
    state.redrive_target().map(drop)
}

fn can_stop(state: &State) -> Result<(), Reason> {
    state.may_change()?;
    state.stop_target().map(drop)
}

fn can_start(state: &State) -> Result<(), Reason> {
    state.may_change()?;
    state.startable().map(drop)
}

fn can_sign_in(state: &State) -> Result<(), Reason> {
    match state.connection.login_command {
        Some(_) => Ok(()),
        None => Err("this profile needs no signing in".to_owned()),
    }
}

fn panic_is_asked_for(state: &State) -> Result<(), Reason> {
    match state.test_panic {
        true => Ok(()),
        false => Err("only with LAKEHAND_TEST_PANIC=1".to_owned()),
    }
}

const DOWN: Key = Key::code(KeyCode::Down);
const UP: Key = Key::code(KeyCode::Up);
const LEFT: Key = Key::code(KeyCode::Left);
const RIGHT: Key = Key::code(KeyCode::Right);
const HOME: Key = Key::code(KeyCode::Home);
const END: Key = Key::code(KeyCode::End);
const PAGE_DOWN: Key = Key::code(KeyCode::PageDown);
const PAGE_UP: Key = Key::code(KeyCode::PageUp);
const BACK_TAB: Key = Key::code(KeyCode::BackTab);

const fn key(character: char) -> Key {
    Key::char(character)
}

const fn twin(words: &'static str) -> Cli {
    Cli::Twin(words)
}

/// Every action.
#[rustfmt::skip]
pub(crate) static ACTIONS: &[Action] = &[
    Action::new(A::Open, S::Moving, &[Key::ENTER], "open", "Open what is selected", MOVES).footer(1).when(Risk::Read, can_open),

    Action::new(A::Redrive, S::Execution, &[key('D')], "redrive", "Redrive: continue a failed execution from what did not finish", twin("runs redrive EXECUTION")).footer(2).when(Risk::Danger, can_redrive),
    Action::new(A::Stop, S::Execution, &[key('X')], "stop", "Stop a running execution", twin("runs stop EXECUTION")).footer(4).when(Risk::Danger, can_stop),
    Action::new(A::StartNew, S::Execution, &[key('T')], "start", "Start a workflow: choose it and its window", twin("run WORKFLOW --from --to")).footer(5).when(Risk::Write, can_start),
    Action::new(A::Sample, S::Global, &[], "sample", "Try it here with sample data: collect and report against the built-in simulator", twin("demo")).when(Risk::Write, State::can_show_sample),

    Action::new(A::NextPane, S::Moving, &[Key::TAB], "next pane", "Next pane or tab", MOVES).footer(6).when(Risk::Read, has_panes),
    Action::new(A::PreviousPane, S::Moving, &[BACK_TAB], "previous pane", "Previous pane or tab", MOVES).when(Risk::Read, has_panes),

    Action::new(A::Follow, S::Logs, &[key('f')], "follow", "Follow: stay at the newest line", twin("runs logs EXECUTION --follow")).footer(2),
    Action::new(A::NextError, S::Logs, &[key('e')], "next error", "Next error or warning", LOOKS).footer(3).when(Risk::Read, logs::has_errors),
    Action::new(A::PreviousError, S::Logs, &[key('E')], "previous error", "Previous error or warning", LOOKS).when(Risk::Read, logs::has_errors),
    Action::new(A::NextAttempt, S::Logs, &[key('}')], "attempt", "Next attempt of the stage", LOOKS).footer(9).when(Risk::Read, logs::has_attempts),
    Action::new(A::PreviousAttempt, S::Logs, &[key('{')], "previous attempt", "Previous attempt of the stage", LOOKS).when(Risk::Read, logs::has_attempts),
    Action::new(A::Wrap, S::Logs, &[key('w')], "wrap", "Wrap long lines", LOOKS).footer(8),
    Action::new(A::AllStages, S::Logs, &[key('t')], "all stages", "Lines of all stages, or of the one chosen", twin("runs logs EXECUTION --stage STAGE")).footer(7),

    Action::new(A::Sort, S::Table, &[key('s')], "sort", "Sort by the column: up, down, as in the file", twin("query SQL")).footer(2).when(Risk::Read, table::is_indexed),
    Action::new(A::Export, S::Table, &[key('x')], "export", "Export what I see: CSV, JSON or Markdown into a file", twin("reports get REPORT")).footer(4).when(Risk::Read, table::is_indexed),
    Action::new(A::Freeze, S::Table, &[key('z')], "freeze", "Freeze the columns up to this one, or none", LOOKS).footer(6),
    Action::new(A::HideColumn, S::Table, &[key('c')], "hide", "Hide the column", LOOKS).footer(7).when(Risk::Read, table::can_hide),
    Action::new(A::ShowColumns, S::Table, &[key('C')], "show hidden", "Show the hidden columns again", LOOKS).when(Risk::Read, table::has_hidden),
    Action::new(A::NextColumns, S::Table, &[key('>')], "columns", "Next page of columns", MOVES),
    Action::new(A::PreviousColumns, S::Table, &[key('<')], "columns back", "Previous page of columns", MOVES),

    Action::new(A::Wider, S::Table, &[key('w')], "wider", "Make the column wider", LOOKS).footer(13),
    Action::new(A::Narrower, S::Table, &[key('W')], "narrower", "Make the column narrower", LOOKS),
    Action::new(A::Record, S::Table, &[key('v')], "record", "The row on a page of its own: every cell with its title", LOOKS).footer(11),
    Action::new(A::GoToRow, S::Table, &[key('#')], "go to row", "Go to the row with a number", LOOKS).footer(12).when(Risk::Read, table::is_indexed),

    Action::new(A::Collect, S::Sources, &[key('T')], "collect", "Collect the stream: choose the window", twin("collect STREAM --from --to")).footer(2).when(Risk::Write, sources::can_collect),
    Action::new(A::StartCrawler, S::Sources, &[key('C')], "crawl", "Start the crawler or Glue job", twin("crawl NAME")).footer(3).when(Risk::Write, sources::can_crawl),
    Action::new(A::StopCrawler, S::Sources, &[key('X')], "stop", "Stop the crawler or the Glue job's run", twin("crawlers stop NAME")).footer(4).when(Risk::Danger, sources::can_stop_crawler),

    Action::new(A::BuildDatamart, S::Datamart, &[key('T')], "build", "Build the datamart anew", twin("datamart build")).footer(2).when(Risk::Write, datamart::can_build),
    Action::new(A::RollBack, S::Datamart, &[key('B')], "roll back", "Roll the table back to the selected snapshot", twin("datamart rollback VERSION")).footer(3).when(Risk::Danger, datamart::can_roll_back),
    Action::new(A::StopStatement, S::Datamart, &[key('X')], "stop", "Stop the selected SQL statement", twin("statements stop ID")).footer(4).when(Risk::Danger, datamart::can_stop_statement),

    Action::new(A::SetCredential, S::Credentials, &[key('S')], "set", "Set the credential: a new version", twin("credentials set PATH")).footer(2).when(Risk::Write, credentials::can_set),
    Action::new(A::TestCredential, S::Credentials, &[key('t')], "test", "Test the credential: sign in to its sources", twin("credentials test SOURCE")).footer(3).when(Risk::Read, credentials::can_test),

    Action::new(A::Find, S::Moving, &[key('/')], "find", "Find", LOOKS).footer(7),
    Action::new(A::NextMatch, S::Moving, &[key('n')], "next", "Next match", LOOKS),
    Action::new(A::PreviousMatch, S::Moving, &[key('N')], "previous", "Previous match", LOOKS),
    Action::new(A::Filter, S::Moving, &[key('&')], "filter", "Filter: words, !not; in a report column:word, column:>5", LOOKS).footer(7).when(Risk::Read, has_filter),
    Action::new(A::Down, S::Moving, &[key('j'), DOWN], "down", "Down", MOVES),
    Action::new(A::Up, S::Moving, &[key('k'), UP], "up", "Up", MOVES),
    Action::new(A::Top, S::Moving, &[key('g'), HOME], "top", "First", MOVES),
    Action::new(A::Bottom, S::Moving, &[key('G'), END], "bottom", "Last", MOVES),
    Action::new(A::PageDown, S::Moving, &[Key::control('d'), PAGE_DOWN, key(' ')], "page down", "Page down", MOVES),
    Action::new(A::PageUp, S::Moving, &[Key::control('u'), PAGE_UP], "page up", "Page up", MOVES),
    Action::new(A::Left, S::Moving, &[key('h'), LEFT], "left", "Left", MOVES),
    Action::new(A::Right, S::Moving, &[key('l'), RIGHT], "right", "Right", MOVES),

    Action::new(A::GoBoard, S::Global, &[key('1')], "board", "Board: is today's data there?", twin("status")),
    Action::new(A::GoRun, S::Global, &[key('2')], "run", "Run: the selected execution", twin("runs show EXECUTION")).when(Risk::Read, run::is_reachable),
    Action::new(A::GoLogs, S::Global, &[key('3')], "logs", "Logs of the selected stage", twin("runs logs EXECUTION")).footer(3).when(Risk::Read, run::is_reachable),
    Action::new(A::GoSources, S::Global, &[key('4')], "sources", "Sources: streams, quotas, crawlers", twin("sources")),
    Action::new(A::GoDatamart, S::Global, &[key('5')], "datamart", "Datamart: plan, cost, snapshots, SQL statements", twin("datamart show")),
    Action::new(A::GoReports, S::Global, &[key('6')], "reports", "Reports", twin("reports list")),
    Action::new(A::GoCredentials, S::Global, &[key('8')], "credentials", "Credentials: present, old, accepted?", twin("credentials list")),
    Action::new(A::GoActivity, S::Global, &[key('!')], "activity", "Activity: every call made", Cli::Exempt("the record of this session")),
    Action::new(A::Copy, S::Global, &[key('y')], "copy", "Copy: value, id, command line", LOOKS).footer(9),
    Action::new(A::Refresh, S::Global, &[key('r')], "refresh", "Read this screen again", LOOKS),
    Action::new(A::RefreshAll, S::Global, &[key('R')], "refresh all", "Read everything again", LOOKS),
    Action::new(A::Back, S::Global, &[Key::ESCAPE], "back", "Back", MOVES),
    Action::new(A::HistoryBack, S::Global, &[key('[')], "history back", "Back in the history of screens", MOVES),
    Action::new(A::HistoryForward, S::Global, &[key(']')], "history forward", "Forward in the history of screens", MOVES),
    Action::new(A::LastScreen, S::Global, &[key('-')], "last screen", "The screen before this one", MOVES),
    Action::new(A::Palette, S::Global, &[key(':'), Key::control('p')], "palette", "All actions, by name", HELPS).footer(10),
    Action::new(A::Help, S::Global, &[key('?')], "help", "Help: the keys of this screen", HELPS).footer(1),
    Action::new(A::ToggleMouse, S::Global, &[key('%')], "mouse", "Mouse on or off (off: select text with the mouse)", TERMINAL).footer(12),
    Action::new(A::Redraw, S::Global, &[Key::control('l')], "redraw", "Draw the screen anew", TERMINAL),
    Action::new(A::Suspend, S::Global, &[Key::control('z')], "suspend", "Suspend to the shell; fg comes back", TERMINAL),
    Action::new(A::SignIn, S::Global, &[key('L')], "sign in", "Sign in anew: run the login command of the profile", Cli::Exempt("the login command itself")).when(Risk::Read, can_sign_in),
    Action::new(A::Interrupt, S::Global, &[Key::control('c')], "cancel", "Cancel what is being read; twice: quit", TERMINAL),
    Action::new(A::Quit, S::Global, &[key('q')], "quit", "Quit, from any screen; Esc goes back", TERMINAL).footer(1),
    Action::new(A::TestPanic, S::Global, &[Key::code(KeyCode::F(12))], "panic", "Panic (test of the terminal's restoration)", TERMINAL).when(Risk::Read, panic_is_asked_for),
];
