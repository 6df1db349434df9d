//! The one list of what a user can do. Dispatch, footer, help, palette and the key reference are made from it,
//! so that none of them can promise what another does not keep.

use crossterm::event::KeyCode;

use super::{
    effect::Risk,
    keymap::Key,
    screens::{logs, run, table},
    state::{Screen, State},
};

/// Where an action's keys count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Scope {
    /// Everywhere.
    Global,
    /// Wherever something can be moved through.
    Moving,
    /// Where an execution is selected: Board, Run, Logs.
    Execution,
    /// Board.
    Board,
    /// Run.
    Run,
    /// Logs.
    Logs,
    /// An open report.
    Table,
}

/// The command line that does the same, or why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cli {
    /// Words of a command.
    Twin(&'static str),
    /// Why it makes no sense without a screen.
    Exempt(&'static str),
}

/// Names of actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub(crate) enum ActionId {
    GoBoard,
    GoRun,
    GoLogs,
    GoReports,
    GoActivity,
    Help,
    Palette,
    Back,
    HistoryBack,
    HistoryForward,
    LastScreen,
    Refresh,
    RefreshAll,
    Copy,
    StartNew,
    Sample,
    ToggleMouse,
    Redraw,
    Suspend,
    Quit,
    Interrupt,
    TestPanic,
    Down,
    Up,
    Top,
    Bottom,
    PageDown,
    PageUp,
    Left,
    Right,
    Open,
    NextPane,
    PreviousPane,
    Find,
    NextMatch,
    PreviousMatch,
    Filter,
    Redrive,
    Stop,
    Follow,
    NextError,
    PreviousError,
    NextAttempt,
    PreviousAttempt,
    Wrap,
    AllStages,
    Sort,
    HideColumn,
    ShowColumns,
    Freeze,
    Export,
    NextColumns,
    PreviousColumns,
}

/// Why an action is not possible now.
pub(crate) type Reason = String;

/// One thing a user can do.
pub(crate) struct Action {
    /// Name.
    pub(crate) id: ActionId,
    /// What it does, for help and palette.
    pub(crate) title: &'static str,
    /// The same in one word, for the footer.
    pub(crate) short: &'static str,
    /// Keys.
    pub(crate) keys: &'static [Key],
    /// Where the keys count.
    pub(crate) scope: Scope,
    /// What it may do to the world.
    pub(crate) risk: Risk,
    /// Place in the footer, 1 first; 0 is never in the footer.
    pub(crate) footer: u8,
    /// Whether it is possible now, or why not.
    pub(crate) enabled: fn(&State) -> Result<(), Reason>,
    /// The command line that does the same.
    pub(crate) cli: Cli,
}

const MOVES: Cli = Cli::Exempt("moves on the screen");
const LOOKS: Cli = Cli::Exempt("changes what the screen shows");
const TERMINAL: Cli = Cli::Exempt("steers the terminal");

fn always(_: &State) -> Result<(), Reason> {
    Ok(())
}

fn has_panes(state: &State) -> Result<(), Reason> {
    let several = matches!(state.screen, Screen::Board | Screen::Run | Screen::Logs);
    if several {
        Ok(())
    } else {
        Err("this screen has one pane".to_owned())
    }
}

fn has_filter(state: &State) -> Result<(), Reason> {
    let list = !matches!(state.screen, Screen::Run | Screen::Activity);
    if list {
        Ok(())
    } else {
        Err("there is no filter here; / finds".to_owned())
    }
}

/// A read action without conditions.
const fn plain(
    id: ActionId,
    title: &'static str,
    short: &'static str,
    keys: &'static [Key],
    scope: Scope,
    footer: u8,
    cli: Cli,
) -> Action {
    Action {
        id,
        title,
        short,
        keys,
        scope,
        risk: Risk::Read,
        footer,
        enabled: always,
        cli,
    }
}

/// An action that may be impossible.
const fn conditional(
    action: Action,
    risk: Risk,
    enabled: fn(&State) -> Result<(), Reason>,
) -> Action {
    Action {
        risk,
        enabled,
        ..action
    }
}

use ActionId as A;
use Scope as S;

/// Every action.
pub(crate) static ACTIONS: &[Action] = &[
    plain(
        A::Open,
        "Open what is selected",
        "open",
        &[Key::ENTER],
        S::Moving,
        1,
        MOVES,
    ),
    conditional(
        plain(
            A::Redrive,
            "Redrive: continue a failed execution from what did not finish",
            "redrive",
            &[Key::char('D')],
            S::Execution,
            2,
            Cli::Twin("runs redrive EXECUTION"),
        ),
        Risk::Danger,
        |state| {
            state
                .may_change()
                .and_then(|()| state.redrive_target().map(|_| ()))
        },
    ),
    conditional(
        plain(
            A::Stop,
            "Stop a running execution",
            "stop",
            &[Key::char('X')],
            S::Execution,
            4,
            Cli::Twin("runs stop EXECUTION"),
        ),
        Risk::Danger,
        |state| {
            state
                .may_change()
                .and_then(|()| state.stop_target().map(|_| ()))
        },
    ),
    conditional(
        plain(
            A::StartNew,
            "Start a workflow: choose it and its window",
            "start",
            &[Key::char('T')],
            S::Execution,
            5,
            Cli::Twin("run WORKFLOW --from --to"),
        ),
        Risk::Write,
        |state| {
            state
                .may_change()
                .and_then(|()| state.startable().map(|_| ()))
        },
    ),
    conditional(
        plain(
            A::Sample,
            "Try it here with sample data: collect and report against the built-in simulator",
            "sample",
            &[],
            S::Global,
            0,
            Cli::Twin("demo"),
        ),
        Risk::Write,
        State::may_change,
    ),
    conditional(
        plain(
            A::NextPane,
            "Next pane or tab",
            "next pane",
            &[Key::TAB],
            S::Moving,
            6,
            MOVES,
        ),
        Risk::Read,
        has_panes,
    ),
    conditional(
        plain(
            A::PreviousPane,
            "Previous pane or tab",
            "previous pane",
            &[Key::code(KeyCode::BackTab)],
            S::Moving,
            0,
            MOVES,
        ),
        Risk::Read,
        has_panes,
    ),
    plain(
        A::Follow,
        "Follow: stay at the newest line",
        "follow",
        &[Key::char('f')],
        S::Logs,
        2,
        Cli::Twin("runs logs EXECUTION --follow"),
    ),
    conditional(
        plain(
            A::NextError,
            "Next error or warning",
            "next error",
            &[Key::char('e')],
            S::Logs,
            3,
            LOOKS,
        ),
        Risk::Read,
        logs::has_errors,
    ),
    conditional(
        plain(
            A::PreviousError,
            "Previous error or warning",
            "previous error",
            &[Key::char('E')],
            S::Logs,
            0,
            LOOKS,
        ),
        Risk::Read,
        logs::has_errors,
    ),
    conditional(
        plain(
            A::NextAttempt,
            "Next attempt of the stage",
            "attempt",
            &[Key::char('}')],
            S::Logs,
            9,
            LOOKS,
        ),
        Risk::Read,
        logs::has_attempts,
    ),
    conditional(
        plain(
            A::PreviousAttempt,
            "Previous attempt of the stage",
            "previous attempt",
            &[Key::char('{')],
            S::Logs,
            0,
            LOOKS,
        ),
        Risk::Read,
        logs::has_attempts,
    ),
    plain(
        A::Wrap,
        "Wrap long lines",
        "wrap",
        &[Key::char('w')],
        S::Logs,
        8,
        LOOKS,
    ),
    plain(
        A::AllStages,
        "Lines of all stages, or of the one chosen",
        "all stages",
        &[Key::char('t')],
        S::Logs,
        7,
        Cli::Twin("runs logs EXECUTION --stage STAGE"),
    ),
    conditional(
        plain(
            A::Sort,
            "Sort by the column: up, down, as in the file",
            "sort",
            &[Key::char('s')],
            S::Table,
            2,
            Cli::Twin("query SQL"),
        ),
        Risk::Read,
        table::is_indexed,
    ),
    conditional(
        plain(
            A::Export,
            "Export what I see: CSV, JSON or Markdown into a file",
            "export",
            &[Key::char('x')],
            S::Table,
            4,
            Cli::Twin("reports get REPORT"),
        ),
        Risk::Read,
        table::is_indexed,
    ),
    plain(
        A::Freeze,
        "Freeze the columns up to this one, or none",
        "freeze",
        &[Key::char('z')],
        S::Table,
        6,
        LOOKS,
    ),
    conditional(
        plain(
            A::HideColumn,
            "Hide the column",
            "hide",
            &[Key::char('c')],
            S::Table,
            7,
            LOOKS,
        ),
        Risk::Read,
        table::can_hide,
    ),
    conditional(
        plain(
            A::ShowColumns,
            "Show the hidden columns again",
            "show hidden",
            &[Key::char('C')],
            S::Table,
            0,
            LOOKS,
        ),
        Risk::Read,
        table::has_hidden,
    ),
    plain(
        A::NextColumns,
        "Next page of columns",
        "columns",
        &[Key::char('>')],
        S::Table,
        0,
        MOVES,
    ),
    plain(
        A::PreviousColumns,
        "Previous page of columns",
        "columns back",
        &[Key::char('<')],
        S::Table,
        0,
        MOVES,
    ),
    plain(
        A::Find,
        "Find",
        "find",
        &[Key::char('/')],
        S::Moving,
        7,
        LOOKS,
    ),
    plain(
        A::NextMatch,
        "Next match",
        "next",
        &[Key::char('n')],
        S::Moving,
        0,
        LOOKS,
    ),
    plain(
        A::PreviousMatch,
        "Previous match",
        "previous",
        &[Key::char('N')],
        S::Moving,
        0,
        LOOKS,
    ),
    conditional(
        plain(
            A::Filter,
            "Filter: words, !not, column:word",
            "filter",
            &[Key::char('&')],
            S::Moving,
            7,
            LOOKS,
        ),
        Risk::Read,
        has_filter,
    ),
    plain(
        A::Down,
        "Down",
        "down",
        &[Key::char('j'), Key::code(KeyCode::Down)],
        S::Moving,
        0,
        MOVES,
    ),
    plain(
        A::Up,
        "Up",
        "up",
        &[Key::char('k'), Key::code(KeyCode::Up)],
        S::Moving,
        0,
        MOVES,
    ),
    plain(
        A::Top,
        "First",
        "top",
        &[Key::char('g'), Key::code(KeyCode::Home)],
        S::Moving,
        0,
        MOVES,
    ),
    plain(
        A::Bottom,
        "Last",
        "bottom",
        &[Key::char('G'), Key::code(KeyCode::End)],
        S::Moving,
        0,
        MOVES,
    ),
    plain(
        A::PageDown,
        "Page down",
        "page down",
        &[
            Key::control('d'),
            Key::code(KeyCode::PageDown),
            Key::char(' '),
        ],
        S::Moving,
        0,
        MOVES,
    ),
    plain(
        A::PageUp,
        "Page up",
        "page up",
        &[Key::control('u'), Key::code(KeyCode::PageUp)],
        S::Moving,
        0,
        MOVES,
    ),
    plain(
        A::Left,
        "Left",
        "left",
        &[Key::char('h'), Key::code(KeyCode::Left)],
        S::Moving,
        0,
        MOVES,
    ),
    plain(
        A::Right,
        "Right",
        "right",
        &[Key::char('l'), Key::code(KeyCode::Right)],
        S::Moving,
        0,
        MOVES,
    ),
    plain(
        A::GoBoard,
        "Board: is today's data there?",
        "board",
        &[Key::char('1')],
        S::Global,
        0,
        Cli::Twin("status"),
    ),
    conditional(
        plain(
            A::GoRun,
            "Run: the selected execution",
            "run",
            &[Key::char('2')],
            S::Global,
            0,
            Cli::Twin("runs show EXECUTION"),
        ),
        Risk::Read,
        run::is_reachable,
    ),
    conditional(
        plain(
            A::GoLogs,
            "Logs of the selected stage",
            "logs",
            &[Key::char('3')],
            S::Global,
            3,
            Cli::Twin("runs logs EXECUTION"),
        ),
        Risk::Read,
        run::is_reachable,
    ),
    plain(
        A::GoReports,
        "Reports",
        "reports",
        &[Key::char('6')],
        S::Global,
        0,
        Cli::Twin("reports list"),
    ),
    plain(
        A::GoActivity,
        "Activity: every call made",
        "activity",
        &[Key::char('!')],
        S::Global,
        0,
        Cli::Exempt("the record of this session"),
    ),
    plain(
        A::Copy,
        "Copy: value, id, command line",
        "copy",
        &[Key::char('y')],
        S::Global,
        9,
        LOOKS,
    ),
    plain(
        A::Refresh,
        "Read this screen again",
        "refresh",
        &[Key::char('r')],
        S::Global,
        0,
        LOOKS,
    ),
    plain(
        A::RefreshAll,
        "Read everything again",
        "refresh all",
        &[Key::char('R')],
        S::Global,
        0,
        LOOKS,
    ),
    plain(A::Back, "Back", "back", &[Key::ESCAPE], S::Global, 0, MOVES),
    plain(
        A::HistoryBack,
        "Back in the history of screens",
        "history back",
        &[Key::char('[')],
        S::Global,
        0,
        MOVES,
    ),
    plain(
        A::HistoryForward,
        "Forward in the history of screens",
        "history forward",
        &[Key::char(']')],
        S::Global,
        0,
        MOVES,
    ),
    plain(
        A::LastScreen,
        "The screen before this one",
        "last screen",
        &[Key::char('-')],
        S::Global,
        0,
        MOVES,
    ),
    plain(
        A::Palette,
        "All actions, by name",
        "palette",
        &[Key::char(':'), Key::control('p')],
        S::Global,
        10,
        Cli::Exempt("every command has --help"),
    ),
    plain(
        A::Help,
        "Help: the keys of this screen",
        "help",
        &[Key::char('?')],
        S::Global,
        1,
        Cli::Exempt("every command has --help"),
    ),
    plain(
        A::ToggleMouse,
        "Mouse on or off (off: select text with the mouse)",
        "mouse",
        &[Key::char('%')],
        S::Global,
        12,
        TERMINAL,
    ),
    plain(
        A::Redraw,
        "Draw the screen anew",
        "redraw",
        &[Key::control('l')],
        S::Global,
        0,
        TERMINAL,
    ),
    plain(
        A::Suspend,
        "Suspend to the shell; fg comes back",
        "suspend",
        &[Key::control('z')],
        S::Global,
        0,
        TERMINAL,
    ),
    plain(
        A::Interrupt,
        "Cancel what is being read; twice: quit",
        "cancel",
        &[Key::control('c')],
        S::Global,
        0,
        TERMINAL,
    ),
    plain(
        A::Quit,
        "Close; on the Board: quit",
        "quit",
        &[Key::char('q')],
        S::Global,
        1,
        TERMINAL,
    ),
    conditional(
        plain(
            A::TestPanic,
            "Panic (test of the terminal's restoration)",
            "panic",
            &[Key::code(KeyCode::F(12))],
            S::Global,
            0,
            TERMINAL,
        ),
        Risk::Read,
        |state| {
            if state.test_panic {
                Ok(())
            } else {
                Err("only with LAKEHAND_TEST_PANIC=1".to_owned())
            }
        },
    ),
];

/// The scopes of a screen, nearest first.
pub(crate) fn scopes(screen: Screen) -> &'static [Scope] {
    match screen {
        Screen::Board => &[S::Board, S::Execution, S::Moving, S::Global],
        Screen::Run => &[S::Run, S::Execution, S::Moving, S::Global],
        Screen::Logs => &[S::Logs, S::Execution, S::Moving, S::Global],
        Screen::Reports | Screen::Activity => &[S::Moving, S::Global],
        Screen::Table => &[S::Table, S::Moving, S::Global],
    }
}

/// The actions of a screen; the one for the terminal test only when it is asked for.
pub(crate) fn of_screen(state: &State) -> impl Iterator<Item = &'static Action> {
    let (scopes, test) = (scopes(state.screen), state.test_panic);
    ACTIONS
        .iter()
        .filter(move |action| scopes.contains(&action.scope) && (action.id != A::TestPanic || test))
}

/// The action of a key on a screen.
pub(crate) fn for_key(state: &State, key: Key) -> Option<&'static Action> {
    of_screen(state).find(|action| action.keys.contains(&key))
}

/// The action of a name.
pub(crate) fn of_id(id: ActionId) -> Option<&'static Action> {
    ACTIONS.iter().find(|action| action.id == id)
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;

    const SCREENS: [Screen; 6] = [
        Screen::Board,
        Screen::Run,
        Screen::Logs,
        Screen::Reports,
        Screen::Table,
        Screen::Activity,
    ];

    #[test]
    fn every_action_has_a_title_and_a_command_or_a_reason() {
        let mut ids = HashSet::new();
        for action in ACTIONS {
            assert!(ids.insert(action.id), "{:?} is listed twice", action.id);
            assert!(!action.title.is_empty() && !action.short.is_empty());
            let (Cli::Twin(text) | Cli::Exempt(text)) = action.cli;
            assert!(!text.is_empty(), "{:?}", action.id);
            assert!(
                !action.keys.is_empty() || action.id == A::Sample,
                "{:?} can only be reached by palette",
                action.id
            );
        }
    }

    #[test]
    fn no_key_means_two_things_on_a_screen() {
        for screen in SCREENS {
            let mut owners = HashMap::new();
            for action in ACTIONS
                .iter()
                .filter(|action| scopes(screen).contains(&action.scope))
            {
                for key in action.keys {
                    let earlier = owners.insert(*key, action.id);
                    assert_eq!(earlier, None, "{key} on {screen:?}");
                }
            }
        }
    }

    #[test]
    fn nothing_small_changes_the_world() {
        for action in ACTIONS.iter().filter(|action| action.risk > Risk::Read) {
            for key in action.keys {
                assert!(
                    key.typed().is_some_and(char::is_uppercase),
                    "{:?} hangs on {key}",
                    action.id
                );
            }
            assert!(
                matches!(action.cli, Cli::Twin(_)),
                "{:?} has no command",
                action.id
            );
        }
    }

    #[test]
    fn command_twins_are_commands_that_exist() {
        const VERBS: [&str; 8] = [
            "status", "run ", "runs ", "reports ", "demo", "query ", "collect ", "gold ",
        ];
        for action in ACTIONS {
            if let Cli::Twin(words) = action.cli {
                assert!(VERBS.iter().any(|verb| words.starts_with(verb)), "{words}");
            }
        }
    }
}
