//! Everything that may appear on the screen. Only `update` changes it, only `view` draws it.

use std::{collections::HashMap, sync::Arc};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use super::{
    actions::{ActionId, Reason},
    effect::{Effect, Request, RequestKey, Risk},
    keymap::Keymap,
    screens::{
        activity::ActivityState, board::BoardState, credentials::CredentialsState,
        datamart::DatamartState, dialogs, logs::LogsState, overlay::Overlay, reports::ReportsState,
        run::RunState, sources::SourcesState, table::TableState,
    },
    theme::Theme,
};
use lakehand_ops::{
    Connection, ExecutionId, ExecutionStatus, ExecutionSummary, Identity, Redrive, WorkflowName,
};

/// Smallest screen that shows something useful.
pub(crate) const SMALLEST: (u16, u16) = (60, 16);

/// Seconds that throttling stays in the header.
const THROTTLED_FOR: i64 = 60;

/// The screens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Screen {
    /// Is today's data there?
    Board,
    /// Why did it fail, can I redrive?
    Run,
    /// What did the stage say?
    Logs,
    /// What was exported?
    Reports,
    /// An open report.
    Table,
    /// What comes in, and what keeps the catalog?
    Sources,
    /// What is the datamart made of, and how did it change?
    Datamart,
    /// Are the credentials there, and accepted?
    Credentials,
    /// What did this console call?
    Activity,
}

impl Screen {
    /// Every screen.
    pub(crate) const ALL: [Self; 9] = [
        Self::Board,
        Self::Run,
        Self::Logs,
        Self::Reports,
        Self::Table,
        Self::Sources,
        Self::Datamart,
        Self::Credentials,
        Self::Activity,
    ];
}

/// How important a short message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// News.
    Info,
    /// Not possible, or gone wrong.
    Problem,
}

/// A short message in the corner.
#[derive(Debug, Clone)]
pub(crate) struct Toast {
    /// Text.
    pub(crate) text: String,
    /// How important.
    pub(crate) tone: Tone,
    /// When it goes.
    pub(crate) until: Timestamp,
}

/// A write that was sent and that no read has confirmed yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Requested {
    /// A redrive, of an execution that had been redriven this often.
    Redrive(u32),
    /// A stop.
    Stop,
}

/// The way of `lakehand demo` from the start to the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Demo {
    /// The sample was asked for.
    Starting,
    /// An execution of collect is watched.
    Collecting(ExecutionId),
    /// Collect is done; the report's execution is awaited since then.
    AwaitingReport(Timestamp),
    /// The report's execution is watched.
    Reporting(ExecutionId),
    /// The report is looked up.
    OpeningReport(Timestamp),
}

/// How the screen treats what is outside ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Glyphs {
    /// As it is.
    #[default]
    Unicode,
    /// Our own lines and marks in ASCII, data as it is.
    AsciiMarks,
    /// A terminal that knows no UTF-8.
    AsciiOnly,
}

/// What a new state needs to know.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    /// Profile and place.
    pub(crate) identity: Identity,
    /// Now.
    pub(crate) now: Timestamp,
    /// The profile's time zone.
    pub(crate) zone: TimeZone,
    /// Columns and rows.
    pub(crate) size: (u16, u16),
    /// No colours.
    pub(crate) mono: bool,
    /// ASCII or not.
    pub(crate) glyphs: Glyphs,
    /// Mouse capture on.
    pub(crate) mouse: bool,
    /// The action that panics is there.
    pub(crate) test_panic: bool,
    /// Which keys do what.
    pub(crate) keymap: Keymap,
}

/// The console.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) identity: Identity,
    pub(crate) now: Timestamp,
    pub(crate) zone: TimeZone,
    pub(crate) size: (u16, u16),
    pub(crate) theme: Theme,
    pub(crate) glyphs: Glyphs,
    pub(crate) mouse: bool,
    pub(crate) focused: bool,
    pub(crate) test_panic: bool,
    pub(crate) keymap: Keymap,
    pub(crate) screen: Screen,
    pub(crate) back: Vec<Screen>,
    pub(crate) forward: Vec<Screen>,
    pub(crate) overlay: Option<Overlay>,
    pub(crate) toasts: Vec<Toast>,
    pub(crate) requested: HashMap<ExecutionId, Requested>,
    pub(crate) demo: Option<Demo>,
    pub(crate) demo_began: Timestamp,
    pub(crate) sample_was_offered: bool,
    pub(crate) interrupted_at: Option<Timestamp>,
    pub(crate) connection: Connection,
    /// Whether the credentials did not work when they were last heard of before this.
    pub(crate) was_signed_out: bool,
    /// When a service last said "too many calls".
    pub(crate) throttled_at: Option<Timestamp>,
    /// When a timer last read the visible screen.
    pub(crate) polled_at: Option<Timestamp>,
    /// Questions are asked because the user wants to see how it is now.
    pub(crate) anew: bool,
    pub(crate) search: String,
    pub(crate) board: BoardState,
    pub(crate) run: RunState,
    pub(crate) logs: LogsState,
    pub(crate) reports: ReportsState,
    pub(crate) table: Option<TableState>,
    pub(crate) sources: SourcesState,
    pub(crate) datamart: DatamartState,
    pub(crate) credentials: CredentialsState,
    pub(crate) activity: ActivityState,
    in_flight: HashMap<RequestKey, (u64, Timestamp, Risk)>,
    next_stamp: u64,
}

impl State {
    /// An empty console.
    pub(crate) fn new(setup: Setup) -> Self {
        Self {
            identity: setup.identity,
            now: setup.now,
            zone: setup.zone,
            size: setup.size,
            theme: if setup.mono {
                Theme::mono()
            } else {
                Theme::colours()
            },
            glyphs: setup.glyphs,
            mouse: setup.mouse,
            focused: true,
            test_panic: setup.test_panic,
            keymap: setup.keymap,
            screen: Screen::Board,
            back: Vec::new(),
            forward: Vec::new(),
            overlay: None,
            toasts: Vec::new(),
            requested: HashMap::new(),
            demo: None,
            demo_began: setup.now,
            sample_was_offered: false,
            interrupted_at: None,
            connection: Connection::default(),
            was_signed_out: false,
            throttled_at: None,
            polled_at: None,
            anew: false,
            search: String::new(),
            board: BoardState::default(),
            run: RunState::default(),
            logs: LogsState::default(),
            reports: ReportsState::default(),
            table: None,
            sources: SourcesState::default(),
            datamart: DatamartState::default(),
            credentials: CredentialsState::default(),
            activity: ActivityState::default(),
            in_flight: HashMap::new(),
            next_stamp: 0,
        }
    }

    /// Sends a request, unless the same one is under way.
    pub(crate) fn ask(&mut self, request: Request, effects: &mut Vec<Effect>) {
        if !self.in_flight.contains_key(&request.key()) {
            self.ask_anew(request, effects);
        }
    }

    /// Sends a request; an earlier one of the same key is forgotten, its answer will be late.
    /// A change in a protected profile asks for the profile's name first.
    pub(crate) fn ask_anew(&mut self, request: Request, effects: &mut Vec<Effect>) {
        if self.identity.protected && request.risk() != Risk::Read {
            dialogs::ask_profile(self, request, None);
        } else {
            self.send(request, None, effects);
        }
    }

    /// Sends a change in a protected profile, whose name was typed.
    pub(crate) fn ask_confirmed(
        &mut self,
        request: Request,
        profile: String,
        effects: &mut Vec<Effect>,
    ) {
        self.send(request, Some(profile), effects);
    }

    fn send(&mut self, request: Request, confirmed: Option<String>, effects: &mut Vec<Effect>) {
        self.next_stamp += 1;
        self.in_flight
            .insert(request.key(), (self.next_stamp, self.now, request.risk()));
        self.activity.asked(&request, self.next_stamp, self.now);
        effects.push(Effect {
            request,
            stamp: self.next_stamp,
            confirmed,
            anew: self.anew,
        });
    }

    /// Takes how the way to the platform stands.
    pub(crate) fn connected(&mut self, connection: Connection) {
        if let Some(seconds) = connection.throttled_seconds_ago {
            let ago = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
            self.throttled_at = self.now.checked_sub(ago).ok();
        }
        self.was_signed_out |= connection.signed_out.is_some();
        self.connection = connection;
    }

    /// How many seconds ago a service said "too many calls", while that matters.
    pub(crate) fn throttled(&self) -> Option<i64> {
        let seconds = self.now.duration_since(self.throttled_at?).as_secs();
        (0..THROTTLED_FOR).contains(&seconds).then_some(seconds)
    }

    /// Sends a request that has no answer worth waiting for: copying, redrawing, leaving.
    pub(crate) fn tell(&mut self, request: Request, effects: &mut Vec<Effect>) {
        self.ask_anew(request, effects);
    }

    /// Forgets a question: its answer will be dropped.
    pub(crate) fn forget(&mut self, key: &RequestKey) {
        self.in_flight.remove(key);
    }

    /// Forgets every question that only reads.
    pub(crate) fn forget_reads(&mut self) -> usize {
        let before = self.in_flight.len();
        self.in_flight.retain(|_, (.., risk)| *risk != Risk::Read);
        before - self.in_flight.len()
    }

    /// Whether the answer is the one awaited; `last` when nothing more will come for this question.
    pub(crate) fn is_awaited(&mut self, key: &RequestKey, stamp: u64, last: bool) -> bool {
        let awaited = self
            .in_flight
            .get(key)
            .is_some_and(|(expected, ..)| *expected == stamp);
        if awaited && last {
            self.in_flight.remove(key);
        }
        awaited
    }

    /// Whether a question of this key is under way.
    pub(crate) fn is_in_flight(&self, key: &RequestKey) -> bool {
        self.in_flight.contains_key(key)
    }

    /// Since when the oldest question has been waiting.
    pub(crate) fn waiting_since(&self) -> Option<Timestamp> {
        self.in_flight.values().map(|(_, since, _)| *since).min()
    }

    /// Whether rows of an open report are being read: worth waiting a moment for before drawing.
    pub(crate) fn waits_for_rows(&self) -> bool {
        self.in_flight
            .keys()
            .any(|key| matches!(key, RequestKey::Block(..)))
    }

    /// Writes that have no answer yet.
    pub(crate) fn writes_in_flight(&self) -> usize {
        let write = |(.., risk): &&(u64, Timestamp, Risk)| *risk != Risk::Read;
        self.in_flight.values().filter(write).count()
    }

    /// Shows a short message.
    pub(crate) fn toast(&mut self, text: impl Into<String>, tone: Tone) {
        let text = text.into();
        let lasts = SignedDuration::from_secs(if tone == Tone::Problem { 8 } else { 4 });
        let until = self.now.checked_add(lasts).unwrap_or(self.now);
        self.toasts.retain(|toast| toast.text != text);
        self.toasts.push(Toast { text, tone, until });
        if self.toasts.len() > 3 {
            self.toasts.remove(0);
        }
    }

    /// Shows why something is not possible or went wrong.
    pub(crate) fn problem(&mut self, text: impl Into<String>) {
        self.toast(text, Tone::Problem);
    }

    /// Shows a screen and remembers the one before.
    pub(crate) fn go(&mut self, screen: Screen) {
        if self.screen != screen {
            self.back.push(self.screen);
            if self.back.len() > 64 {
                self.back.remove(0);
            }
            self.forward.clear();
            self.screen = screen;
        }
    }

    /// Whether the profile lets anything be changed.
    pub(crate) fn may_change(&self) -> Result<(), Reason> {
        if self.identity.read_only {
            return Err(format!(
                "the profile '{}' is read-only",
                self.identity.profile
            ));
        }
        Ok(())
    }

    /// Whether the sample can be started.
    pub(crate) fn can_show_sample(&self) -> Result<(), Reason> {
        self.may_change()?;
        match self.identity.has_sample {
            true => Ok(()),
            false => {
                Err("this profile has no sample data; the built-in one, local, has".to_owned())
            }
        }
    }

    /// The execution that a key on this screen is about.
    pub(crate) fn target(&self) -> Option<&ExecutionSummary> {
        match self.screen {
            Screen::Board => self.board.selected_execution(),
            Screen::Run | Screen::Logs => self.run.detail().map(|detail| &detail.summary),
            _ => None,
        }
    }

    /// The execution to redrive with what that does, or why it cannot be.
    pub(crate) fn redrive_target(&self) -> Result<(&ExecutionSummary, &Redrive), Reason> {
        let execution = self.target().ok_or("no execution is selected")?;
        if self.requested.contains_key(&execution.id) {
            return Err("a change of this execution has just been requested".to_owned());
        }
        match execution.status {
            ExecutionStatus::Running => {
                let stop = self.key(ActionId::Stop);
                return Err(format!("it is still running; stop it first ({stop})"));
            }
            ExecutionStatus::Succeeded => {
                let start = self.key(ActionId::StartNew);
                return Err(format!("it succeeded; start a new run with {start}"));
            }
            _ => {}
        }
        let detail = match self.screen {
            Screen::Board => self.board.preview_of(&execution.id),
            _ => self.run.detail(),
        };
        match detail.map(|detail| &detail.redrive) {
            Some(Redrive::NotPossible { reason }) => Err(reason.clone()),
            Some(possible) => Ok((execution, possible)),
            None => Err("still reading whether a redrive is possible".to_owned()),
        }
    }

    /// Whether a redrive is what to do now: safe, and nothing has to be mended or waited for first.
    pub(crate) fn redrive_is_advised(&self) -> bool {
        let detail = match (self.screen, self.target()) {
            (Screen::Board, Some(execution)) => self.board.preview_of(&execution.id),
            _ => self.run.detail(),
        };
        let cause = detail.and_then(|detail| detail.root_cause.as_ref());
        cause.is_none_or(|cause| {
            cause.retry_helps != Some(false) && !lakehand_ops::triage::is_better_later(cause)
        })
    }

    /// The execution to stop, or why it cannot be.
    pub(crate) fn stop_target(&self) -> Result<&ExecutionSummary, Reason> {
        let execution = self.target().ok_or("no execution is selected")?;
        // One that was cut off may hold a lease still, which its stop frees.
        let stoppable = [ExecutionStatus::Running, ExecutionStatus::Interrupted];
        if !stoppable.contains(&execution.status) {
            return Err("it has ended".to_owned());
        }
        if self.requested.contains_key(&execution.id) {
            return Err("a change of this execution has just been requested".to_owned());
        }
        Ok(execution)
    }

    /// The workflows that can be started.
    pub(crate) fn startable(&self) -> Result<Vec<WorkflowName>, Reason> {
        let names: Vec<_> = self
            .board
            .board()
            .map(|board| {
                board
                    .workflows
                    .iter()
                    .map(|card| card.name.clone())
                    .collect()
            })
            .unwrap_or_default();
        if names.is_empty() {
            Err("no workflow is known yet".to_owned())
        } else {
            Ok(names)
        }
    }

    /// A read shows how an execution stands; forgets what that confirms.
    pub(crate) fn confirm(&mut self, execution: &ExecutionSummary) {
        let confirmed = match self.requested.get(&execution.id) {
            Some(Requested::Redrive(before)) => {
                execution.redrives > *before || execution.status == ExecutionStatus::Running
            }
            Some(Requested::Stop) => execution.status.is_ended(),
            None => false,
        };
        if confirmed {
            self.requested.remove(&execution.id);
        }
    }

    /// The latest answers with all executions confirm what they show.
    pub(crate) fn confirm_all(&mut self, executions: &Arc<Vec<ExecutionSummary>>) {
        if !self.requested.is_empty() {
            for execution in executions.iter() {
                self.confirm(execution);
            }
        }
    }

    /// The key of an action, for a hint; its name in the palette when it has none.
    pub(crate) fn key(&self, action: ActionId) -> String {
        match self.keymap.of(action).first() {
            Some(key) => key.to_string(),
            None => format!("'{}'", action.name()),
        }
    }

    /// The body of the screen: rows without header and footer.
    pub(crate) fn body(&self) -> ratatui::layout::Rect {
        ratatui::layout::Rect::new(0, 1, self.size.0, self.size.1.saturating_sub(2))
    }
}
