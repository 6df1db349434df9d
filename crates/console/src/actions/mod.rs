//! The one list of what a user can do. Dispatch, footer, help, palette and the key reference are made from it,
//! so that none of them can promise what another does not keep.

mod list;

pub(crate) use list::ACTIONS;

use super::{
    effect::Risk,
    keymap::Key,
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
    /// Sources.
    Sources,
    /// Datamart.
    Datamart,
    /// Credentials.
    Credentials,
}

/// The command line that does the same, or why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cli {
    /// Words of a command.
    Twin(&'static str),
    /// Why it makes no sense without a screen.
    Exempt(&'static str),
}

/// Declares the actions' identifiers with the names that `[keys]` of the configuration uses.
macro_rules! action_ids {
    ($($id:ident $name:literal),* $(,)?) => {
        /// Names of actions.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[allow(missing_docs)]
        pub(crate) enum ActionId { $($id),* }

        impl ActionId {
            /// The name in the configuration.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$id => $name),* }
            }
        }
    };
}

action_ids! {
    GoBoard "go-board", GoRun "go-run", GoLogs "go-logs", GoReports "go-reports", GoSources "go-sources", GoDatamart "go-datamart", BuildDatamart "build-datamart", RollBack "roll-back", StopStatement "stop-statement", Collect "collect", StartCrawler "start-crawler", StopCrawler "stop-crawler",
    GoCredentials "go-credentials",
    SetCredential "set-credential", TestCredential "test-credential", GoActivity "go-activity",
    Help "help", Palette "palette", Back "back", HistoryBack "history-back", HistoryForward "history-forward",
    LastScreen "last-screen", Refresh "refresh", RefreshAll "refresh-all", Copy "copy", StartNew "start",
    Sample "sample", ToggleMouse "mouse", Redraw "redraw", Suspend "suspend", SignIn "sign-in", Quit "quit", Interrupt "interrupt",
    TestPanic "test-panic", Down "down", Up "up", Top "top", Bottom "bottom", PageDown "page-down",
    PageUp "page-up", Left "left", Right "right", Open "open", NextPane "next-pane", PreviousPane "previous-pane",
    Find "find", NextMatch "next-match", PreviousMatch "previous-match", Filter "filter", Redrive "redrive",
    Stop "stop", Follow "follow", NextError "next-error", PreviousError "previous-error",
    NextAttempt "next-attempt", PreviousAttempt "previous-attempt", Wrap "wrap", AllStages "all-stages",
    Sort "sort", HideColumn "hide-column", ShowColumns "show-columns", Freeze "freeze", Export "export",
    NextColumns "next-columns", PreviousColumns "previous-columns",
    Wider "wider", Narrower "narrower", Record "record", GoToRow "go-to-row",
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
    /// Keys it has unless the configuration says otherwise; [`super::keymap::Keymap`] knows those in force.
    pub(crate) default_keys: &'static [Key],
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

impl Action {
    /// An action that reads only and is always possible.
    const fn new(
        id: ActionId,
        scope: Scope,
        default_keys: &'static [Key],
        short: &'static str,
        title: &'static str,
        cli: Cli,
    ) -> Self {
        Self {
            id,
            title,
            short,
            default_keys,
            scope,
            risk: Risk::Read,
            footer: 0,
            enabled: always,
            cli,
        }
    }

    /// The same with a place in the footer.
    const fn footer(self, footer: u8) -> Self {
        Self { footer, ..self }
    }

    /// The same with a risk, possible only when `enabled` says so.
    const fn when(self, risk: Risk, enabled: fn(&State) -> Result<(), Reason>) -> Self {
        Self {
            risk,
            enabled,
            ..self
        }
    }

    /// Whether a hint at it helps on this screen: logs are those of an execution, which must be in sight.
    pub(crate) fn is_hinted(&self, state: &State) -> bool {
        let fits = match self.id {
            ActionId::GoLogs => state.screen != Screen::Logs && state.target().is_some(),
            _ => true,
        };
        self.footer > 0 && fits && (self.enabled)(state).is_ok()
    }
}

fn always(_: &State) -> Result<(), Reason> {
    Ok(())
}

/// The scopes of a screen, nearest first.
pub(crate) fn scopes(screen: Screen) -> &'static [Scope] {
    use Scope as S;
    match screen {
        Screen::Board => &[S::Board, S::Execution, S::Moving, S::Global],
        Screen::Run => &[S::Run, S::Execution, S::Moving, S::Global],
        Screen::Logs => &[S::Logs, S::Execution, S::Moving, S::Global],
        Screen::Reports | Screen::Activity => &[S::Moving, S::Global],
        Screen::Table => &[S::Table, S::Moving, S::Global],
        Screen::Sources => &[S::Sources, S::Moving, S::Global],
        Screen::Datamart => &[S::Datamart, S::Moving, S::Global],
        Screen::Credentials => &[S::Credentials, S::Moving, S::Global],
    }
}

/// The actions of a screen; the one for the terminal test only when it is asked for, signing in only where that is
/// needed.
pub(crate) fn of_screen(state: &State) -> impl Iterator<Item = &'static Action> {
    let (scopes, test) = (scopes(state.screen), state.test_panic);
    let signs_in = state.connection.login_command.is_some();
    ACTIONS.iter().filter(move |action| {
        let is_there = match action.id {
            ActionId::TestPanic => test,
            ActionId::SignIn => signs_in,
            _ => true,
        };
        scopes.contains(&action.scope) && is_there
    })
}

/// The action of a key on a screen.
pub(crate) fn for_key(state: &State, key: Key) -> Option<&'static Action> {
    of_screen(state).find(|action| state.keymap.of(action.id).contains(&key))
}

/// The action of a name.
pub(crate) fn of_id(id: ActionId) -> Option<&'static Action> {
    ACTIONS.iter().find(|action| action.id == id)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_action_has_a_title_and_a_command_or_a_reason() {
        let (mut ids, mut names) = (HashSet::new(), HashSet::new());
        for action in ACTIONS {
            assert!(ids.insert(action.id), "{:?} is listed twice", action.id);
            assert!(names.insert(action.id.name()), "{}", action.id.name());
            assert!(!action.title.is_empty() && !action.short.is_empty());
            let (Cli::Twin(text) | Cli::Exempt(text)) = action.cli;
            assert!(!text.is_empty(), "{:?}", action.id);
            assert!(
                !action.default_keys.is_empty() || action.id == ActionId::Sample,
                "{:?} can only be reached by palette",
                action.id
            );
        }
    }

    #[test]
    fn nothing_small_changes_the_world() {
        for action in ACTIONS.iter().filter(|action| action.risk > Risk::Read) {
            for key in action.default_keys {
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
        const VERBS: [&str; 14] = [
            "status",
            "run ",
            "runs ",
            "reports ",
            "demo",
            "query ",
            "collect ",
            "gold ",
            "credentials ",
            "datamart ",
            "sources",
            "statements ",
            "crawl ",
            "crawlers ",
        ];
        for action in ACTIONS {
            if let Cli::Twin(words) = action.cli {
                assert!(VERBS.iter().any(|verb| words.starts_with(verb)), "{words}");
            }
        }
    }
}
