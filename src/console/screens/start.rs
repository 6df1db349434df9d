//! The form that starts a workflow: which one, which days.

use crossterm::event::KeyCode;
use jiff::civil::Date;
use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
};

use super::overlay::Overlay;
use crate::{
    console::{
        effect::{Effect, Request},
        keymap::Key,
        state::{State, Tone},
        widgets::{
            dialog::{Guard, beginning, buttons, centred, frame},
            input::Input,
            text::{Pen, tint},
        },
    },
    ops::{StartRequest, WorkflowName},
    pipeline::window::Window,
};

/// What has the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Workflow,
    From,
    To,
    Cancel,
    Start,
}

/// In this order: Enter behind the last field is at what confirms.
const FIELDS: [Field; 5] = [
    Field::Workflow,
    Field::From,
    Field::To,
    Field::Start,
    Field::Cancel,
];

/// The open form.
#[derive(Debug, Clone)]
pub(crate) struct StartForm {
    workflows: Vec<WorkflowName>,
    chosen: usize,
    from: Input,
    to: Input,
    /// Streams to collect; empty for a start of any workflow.
    streams: Vec<String>,
    /// Today in the profile's time zone, once the Board has told it.
    today: Option<Date>,
    field: Field,
    guard: Guard,
}

impl StartForm {
    /// A pasted text goes where the caret is.
    pub(super) fn paste(&mut self, text: &str) {
        match self.field {
            Field::From => self.from.insert(text),
            Field::To => self.to.insert(text),
            _ => {}
        }
    }

    /// What would be started, or what is wrong with the dates.
    fn request(&self) -> Result<StartRequest, String> {
        let workflow = self
            .workflows
            .get(self.chosen)
            .cloned()
            .ok_or("no workflow is chosen")?;
        let (from, to) = (self.from.text().trim(), self.to.text().trim());
        let given = |text| Some(text).filter(|text: &&str| !text.is_empty());
        let window = match (given(from), given(to), self.today) {
            (None, None, _) => None,
            (from, to, Some(today)) => {
                Window::asked(from, to, today).map_err(|error| error.to_string())?
            }
            (_, _, None) => {
                return Err("today is not known yet: the Board is being read".to_owned());
            }
        };
        Ok(StartRequest {
            workflow,
            window,
            input: if self.streams.is_empty() {
                serde_json::json!({})
            } else {
                serde_json::json!({ "streams": self.streams })
            },
            name: None,
        })
    }
}

/// Opens the form for a workflow.
pub(crate) fn open_for(state: &mut State, workflow: &str) {
    open(state);
    if let Some(Overlay::Start(form)) = &mut state.overlay
        && let Some(position) = form
            .workflows
            .iter()
            .position(|name| name.as_ref() == workflow)
    {
        form.chosen = position;
    }
}

/// Opens the form for a collection of one stream.
pub(crate) fn open_collection(state: &mut State, stream: &str) {
    open(state);
    if let Some(Overlay::Start(form)) = &mut state.overlay {
        form.workflows.retain(|name| name.as_ref() == "collect");
        form.chosen = 0;
        form.streams = vec![stream.to_owned()];
        form.field = Field::From;
    }
}

/// Opens the form with the workflow of what is selected and the profile's default window: that of the selection may be a
/// day long past.
pub(crate) fn open(state: &mut State) {
    let Ok(workflows) = state.startable() else {
        return;
    };
    let target = state.target();
    let chosen = target
        .and_then(|execution| {
            workflows
                .iter()
                .position(|name| *name == execution.workflow)
        })
        .unwrap_or(0);
    let today = state.board.board().map(|board| board.today);
    let default = today.and_then(|today| {
        let from = today
            .checked_sub(jiff::Span::new().days(Window::DEFAULT_DAYS_BACK))
            .ok()?;
        Window::new(from, today).ok()
    });
    let day = |day: Option<Date>| Input::with(&day.map(|day| day.to_string()).unwrap_or_default());
    state.overlay = Some(Overlay::Start(StartForm {
        workflows,
        chosen,
        from: day(default.map(|window| window.from())),
        to: day(default.map(|window| window.to())),
        streams: Vec::new(),
        today,
        field: Field::Workflow,
        guard: Guard::opened(state.now),
    }));
}

/// A key in the form.
pub(super) fn key(state: &mut State, mut form: StartForm, key: Key, effects: &mut Vec<Effect>) {
    let counts = form.guard.lets_through(state.now);
    let position = FIELDS
        .iter()
        .position(|field| *field == form.field)
        .unwrap_or(0);
    let turn = |by: usize| FIELDS[(position + by) % FIELDS.len()];
    if matches!(key.key_code(), KeyCode::Tab | KeyCode::BackTab) {
        // No held Enter does that.
        form.guard.open();
    }
    match (key.key_code(), form.field) {
        (KeyCode::Esc, _) => return left(state),
        (KeyCode::Tab | KeyCode::Down, _) => form.field = turn(1),
        (KeyCode::BackTab | KeyCode::Up, _) => form.field = turn(FIELDS.len() - 1),
        (KeyCode::Enter, _) if !counts => {}
        (KeyCode::Enter, Field::Cancel) => return left(state),
        (KeyCode::Enter, Field::Start) => match form.request() {
            Ok(request) => {
                if !state.identity.protected {
                    state.toast(
                        format!("start of {} requested", request.workflow),
                        Tone::Info,
                    );
                }
                state.ask(Request::Start(request), effects);
                return;
            }
            Err(problem) => state.problem(problem),
        },
        (KeyCode::Enter, _) => {
            form.field = turn(1);
            if form.field == Field::Start {
                // An Enter that is held down walks through the fields, but starts nothing.
                form.guard = Guard::opened(state.now);
            }
        }
        (KeyCode::Left | KeyCode::Char('h'), Field::Workflow) => {
            form.chosen = form
                .chosen
                .checked_sub(1)
                .unwrap_or(form.workflows.len().saturating_sub(1))
        }
        (KeyCode::Right | KeyCode::Char('l' | ' '), Field::Workflow) => {
            form.chosen = (form.chosen + 1) % form.workflows.len().max(1)
        }
        (KeyCode::Left | KeyCode::Right, Field::Cancel) => form.field = Field::Start,
        (KeyCode::Left | KeyCode::Right, Field::Start) => form.field = Field::Cancel,
        (_, Field::From) if form.from.key(key) => form.guard.open(),
        (_, Field::To) if form.to.key(key) => form.guard.open(),
        (_, Field::From | Field::To) => {}
        (KeyCode::Char('q'), _) => return left(state),
        _ => {}
    }
    state.overlay = Some(Overlay::Start(form));
}

/// The form is closed; what was typed is not lost without a word.
fn left(state: &mut State) {
    state.toast("the form was closed; nothing was started", Tone::Info);
}

/// Draws the form; returns where the caret is.
pub(super) fn view(state: &State, form: &StartForm, buffer: &mut Buffer) -> Option<Position> {
    let theme = &state.theme;
    let screen = Rect::new(0, 0, state.size.0, state.size.1);
    let inside = frame(
        buffer,
        centred(screen, 70, 13),
        "Start a workflow",
        theme.accent,
        theme,
    );
    let name = form
        .workflows
        .get(form.chosen)
        .map(ToString::to_string)
        .unwrap_or_default();
    let label = |buffer: &mut Buffer, row: u16, text: &str| {
        Pen::new(buffer, inside, row).cell(text, 12, theme.muted);
    };
    label(buffer, 1, "Workflow");
    let choice = if form.streams.is_empty() {
        format!("{} of {}", form.chosen + 1, form.workflows.len())
    } else {
        format!("of {}", form.streams.join(", "))
    };
    Pen::new(buffer, inside, 1)
        .gap(12)
        .put(&format!("‹ {name} ›"), theme.strong)
        .gap(2)
        .put(&choice, theme.muted);
    label(buffer, 3, "From");
    let from = form
        .from
        .draw(buffer, inside.x + 12, inside.y + 3, 12, theme.text);
    label(buffer, 4, "To");
    let to = form
        .to
        .draw(buffer, inside.x + 12, inside.y + 4, 12, theme.text);
    Pen::new(buffer, inside, 4)
        .gap(26)
        .put("included; also yesterday or -7d", theme.muted);
    let (row, columns) = match form.field {
        Field::Workflow => (1, 4 + u16::try_from(name.len()).unwrap_or(0)),
        Field::From => (3, 12),
        Field::To => (4, 12),
        _ => (0, 0),
    };
    if columns > 0 {
        tint(
            buffer,
            inside.x + 12,
            inside.y + row,
            columns,
            theme.selection,
        );
    }
    let (text, style) = match form.request() {
        Ok(request) => (
            Request::Start(request).cli().unwrap_or_default(),
            theme.muted,
        ),
        Err(problem) => (problem, theme.warn),
    };
    for (line, text) in beginning(&text, inside.width, 2).iter().enumerate() {
        Pen::new(buffer, inside, 6 + u16::try_from(line).unwrap_or(0)).put(text, style);
    }
    let focused = match form.field {
        Field::Start => 0,
        Field::Cancel => 1,
        _ => usize::MAX,
    };
    buttons(buffer, inside, 9, &["Start", "Cancel"], focused, theme);
    Pen::new(buffer, inside, 9)
        .gap(30)
        .right("Enter, Tab next field  Esc", theme.muted);
    match form.field {
        Field::From => Some(from),
        Field::To => Some(to),
        _ => None,
    }
}
