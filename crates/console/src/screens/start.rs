//! The form that starts a workflow: which one, which days.

use std::sync::Arc;

use crossterm::event::KeyCode;
use jiff::civil::Date;
use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
};
use serde_json::{Value, json};

use super::overlay::Overlay;
use crate::{
    effect::{Effect, Request},
    format::plural,
    keymap::Key,
    state::{State, Tone},
    widgets::{
        dialog::{Guard, beginning, buttons, centred, frame},
        input::Input,
        text::{Pen, fit, tint, width},
    },
};
use lakehand_ops::{ExecutionId, OpsResult, StartRequest, WorkflowName, inputs::again};
use lakehand_pipeline::{text::shell_word, window::Window};

/// A workflow, and whether it reads a window from its input.
#[derive(Debug, Clone)]
struct Startable {
    name: WorkflowName,
    takes_window: bool,
}

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

/// What the execution gets beside the window.
#[derive(Debug, Clone)]
enum Given {
    /// Nothing, or the streams to collect.
    Nothing,
    /// That of another execution, which is being read.
    Reading(ExecutionId),
    /// That of another execution, as JSON text.
    Same(ExecutionId, Arc<str>),
    /// What the operator left in the editor.
    Edited(String),
}

/// The open form.
#[derive(Debug, Clone)]
pub(crate) struct StartForm {
    workflows: Vec<Startable>,
    chosen: usize,
    given: Given,
    /// The selected execution, whose input another one can get: its id, name and workflow.
    selected: Option<(ExecutionId, String, WorkflowName)>,
    /// The profile's default window.
    default: Option<Window>,
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
        let workflow = self.workflow().ok_or("no workflow is chosen")?.name.clone();
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
            input: self.input()?,
            name: None,
        })
    }

    fn workflow(&self) -> Option<&Startable> {
        self.workflows.get(self.chosen)
    }

    /// The input, or what is wrong with it.
    fn input(&self) -> Result<Value, String> {
        match &self.given {
            Given::Nothing if self.streams.is_empty() => Ok(json!({})),
            Given::Nothing => Ok(json!({ "streams": self.streams })),
            Given::Reading(_) => Err("the input is being read".to_owned()),
            Given::Same(_, text) => again(text),
            Given::Edited(text) => serde_json::from_str(text)
                .map_err(|error| format!("the input is not JSON: {error}; e edits it again")),
        }
    }

    /// The selected execution, where it is one of the chosen workflow.
    fn source(&self) -> Option<(&ExecutionId, &str)> {
        let (id, name, workflow) = self.selected.as_ref()?;
        (self.workflow()?.name == *workflow).then_some((id, name))
    }

    /// The days that stand there at first: the default ones of a workflow that reads them, unless an input says all.
    fn prefill(&mut self) {
        let reads = self.workflow().is_some_and(|one| one.takes_window);
        let window = self
            .default
            .filter(|_| reads && matches!(self.given, Given::Nothing));
        let day =
            |day: Option<Date>| Input::with(&day.map(|day| day.to_string()).unwrap_or_default());
        self.from = day(window.map(|window| window.from()));
        self.to = day(window.map(|window| window.to()));
    }

    /// Whether the days are those that stood there at first.
    fn is_untouched(&self) -> bool {
        let mut other = self.clone();
        other.prefill();
        other.from.text() == self.from.text() && other.to.text() == self.to.text()
    }

    /// Makes a change after which other days may stand there at first; those that were typed stay.
    fn change(&mut self, change: impl FnOnce(&mut Self)) {
        let untouched = self.is_untouched();
        change(self);
        if untouched {
            self.prefill();
        }
    }

    /// The input as the editor gets it.
    fn editable(&self) -> Result<String, String> {
        if let Given::Edited(text) = &self.given {
            return Ok(text.clone());
        }
        serde_json::to_string_pretty(&self.input()?).map_err(|error| error.to_string())
    }

    /// The command line that does the same.
    fn cli(&self, request: StartRequest) -> String {
        let line = Request::Start(request).cli().unwrap_or_default();
        match &self.given {
            Given::Same(id, _) => {
                let same = format!("--same-input-as {}", shell_word(id.as_ref()));
                line.replacen("--input FILE", &same, 1)
            }
            _ => line,
        }
    }

    /// The line about the input.
    fn input_line(&self) -> (String, String) {
        let given = match &self.given {
            Given::Nothing => "no more than this".to_owned(),
            Given::Reading(_) => "is being read".to_owned(),
            Given::Same(id, _) => match &self.selected {
                Some((own, name, _)) if own == id => format!("that of {name}"),
                _ => format!("that of {id}"),
            },
            Given::Edited(text) => {
                format!("edited, {}", plural(text.lines().count() as u64, "line"))
            }
        };
        let keys = match self.source() {
            Some(_) if matches!(self.given, Given::Nothing) => "i same input again  e edit",
            _ if matches!(self.given, Given::Nothing) => "e edit as JSON",
            _ => "e edit  i none",
        };
        (given, keys.to_owned())
    }
}

/// Opens the form for a workflow.
pub(crate) fn open_for(state: &mut State, workflow: &str) {
    open(state);
    if let Some(Overlay::Start(form)) = &mut state.overlay
        && let Some(position) = form
            .workflows
            .iter()
            .position(|one| one.name.as_ref() == workflow)
    {
        form.change(|form| form.chosen = position);
    }
}

/// Opens the form for a collection of one stream.
pub(crate) fn open_collection(state: &mut State, stream: &str) {
    open(state);
    if let Some(Overlay::Start(form)) = &mut state.overlay {
        form.change(|form| {
            form.workflows.retain(|one| one.name.as_ref() == "collect");
            form.chosen = 0;
        });
        form.streams = vec![stream.to_owned()];
        form.field = Field::From;
    }
}

/// Opens the form with the workflow of what is selected and the profile's default window: that of the selection may be a
/// day long past.
pub(crate) fn open(state: &mut State) {
    let Ok(names) = state.startable() else {
        return;
    };
    let board = state.board.board();
    let takes_window = |name: &WorkflowName| {
        let mut cards = board.into_iter().flat_map(|board| &board.workflows);
        cards.any(|card| card.name == *name && card.takes_window)
    };
    let workflows: Vec<Startable> = names
        .into_iter()
        .map(|name| Startable {
            takes_window: takes_window(&name),
            name,
        })
        .collect();
    let selected = state.target().map(|execution| {
        let (id, name) = (execution.id.clone(), execution.name.clone());
        (id, name, execution.workflow.clone())
    });
    let chosen = selected.as_ref().and_then(|(_, _, workflow)| {
        let mut all = workflows.iter();
        all.position(|one| one.name == *workflow)
    });
    let today = board.map(|board| board.today);
    let default = today.and_then(|today| {
        let from = today
            .checked_sub(jiff::Span::new().days(Window::DEFAULT_DAYS_BACK))
            .ok()?;
        Window::new(from, today).ok()
    });
    let mut form = StartForm {
        workflows,
        chosen: chosen.unwrap_or(0),
        given: Given::Nothing,
        selected,
        default,
        from: Input::default(),
        to: Input::default(),
        streams: Vec::new(),
        today,
        field: Field::Workflow,
        guard: Guard::opened(state.now),
    };
    form.prefill();
    state.overlay = Some(Overlay::Start(form));
}

/// The input of the selected execution came.
pub(crate) fn answered_input(state: &mut State, id: &ExecutionId, answer: OpsResult<Arc<str>>) {
    let Some(Overlay::Start(form)) = &mut state.overlay else {
        return;
    };
    if !matches!(&form.given, Given::Reading(own) if own == id) {
        return;
    }
    match answer {
        Ok(text) => form.given = Given::Same(id.clone(), text),
        Err(error) => {
            form.change(|form| form.given = Given::Nothing);
            state.problem(format!(
                "the input of {id} could not be read: {error}. {}",
                error.advice
            ));
        }
    }
}

/// The editor was closed.
pub(crate) fn answered_edit(state: &mut State, answer: OpsResult<Option<String>>) {
    let Some(Overlay::Start(form)) = &mut state.overlay else {
        return;
    };
    match answer {
        Ok(Some(text)) => {
            form.change(|form| form.given = Given::Edited(text));
            if let Err(problem) = form.input() {
                state.problem(problem);
            }
        }
        Ok(None) => state.toast("the editor was left without a change", Tone::Info),
        Err(error) => state.problem(format!("{error}. {}", error.advice)),
    }
}

/// Takes the selected execution's input, or none again.
fn turn_input(state: &mut State, form: &mut StartForm, effects: &mut Vec<Effect>) {
    if !matches!(form.given, Given::Nothing) {
        form.change(|form| form.given = Given::Nothing);
        return;
    }
    match form.source().map(|(id, _)| id.clone()) {
        Some(id) => {
            form.change(|form| form.given = Given::Reading(id.clone()));
            state.ask(Request::Input(id), effects);
        }
        None => state
            .problem("select an execution of this workflow first, then start another".to_owned()),
    }
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
            let last = form.workflows.len().saturating_sub(1);
            form.change(|form| form.chosen = form.chosen.checked_sub(1).unwrap_or(last));
        }
        (KeyCode::Right | KeyCode::Char('l' | ' '), Field::Workflow) => {
            let count = form.workflows.len().max(1);
            form.change(|form| form.chosen = (form.chosen + 1) % count);
        }
        (KeyCode::Left | KeyCode::Right, Field::Cancel) => form.field = Field::Start,
        (KeyCode::Left | KeyCode::Right, Field::Start) => form.field = Field::Cancel,
        (_, Field::From) if form.from.key(key) => form.guard.open(),
        (_, Field::To) if form.to.key(key) => form.guard.open(),
        (_, Field::From | Field::To) => {}
        (KeyCode::Char('i'), _) => turn_input(state, &mut form, effects),
        (KeyCode::Char('e'), _) => match form.editable() {
            Ok(text) => state.tell(Request::EditInput(text), effects),
            Err(problem) => state.problem(problem),
        },
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
        .workflow()
        .map(|one| one.name.to_string())
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
    label(buffer, 5, "Input");
    let (given, keys) = form.input_line();
    let room = usize::from(inside.width).saturating_sub(14 + width(&keys));
    Pen::new(buffer, inside, 5)
        .gap(12)
        .put(&fit(&given, room), theme.text)
        .right(&keys, theme.muted);
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
        Ok(request) => (form.cli(request), theme.muted),
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
