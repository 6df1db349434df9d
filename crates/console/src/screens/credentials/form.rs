//! The form that sets a credential: a hidden value, checked while it is typed, and signed in with first if wanted.

use crossterm::event::KeyCode;
use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
    style::Style,
};

use crate::{
    actions::{self, ActionId},
    effect::{Effect, Request},
    keymap::Key,
    screens::overlay::Overlay,
    state::State,
    widgets::{
        dialog::{Guard, buttons, centred, frame, wrapped},
        secret::SecretInput,
        text::{Pen, tint},
    },
};
use lakehand_ops::{CredentialKind, credentials::shape};

/// What has the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Value,
    SignIn,
    Cancel,
    Set,
}

const FIELDS: [Field; 4] = [Field::Value, Field::SignIn, Field::Cancel, Field::Set];

/// The open form.
#[derive(Debug, Clone)]
pub(crate) struct SetForm {
    path: String,
    /// The sources that sign in with it, in words.
    sources: String,
    /// Why it will change nothing for now.
    no_effect: Option<String>,
    kind: CredentialKind,
    value: SecretInput,
    sign_in: bool,
    field: Field,
    guard: Guard,
    /// Why the value was refused when it was sent.
    refused: Option<String>,
}

impl SetForm {
    /// A pasted text is the value, wherever the focus is: nothing of it becomes a key.
    pub(in crate::screens) fn paste(&mut self, text: &str) {
        self.refused = None;
        self.value.insert(text);
    }

    fn turn(&mut self, by: usize) {
        let position = FIELDS
            .iter()
            .position(|field| *field == self.field)
            .unwrap_or(0);
        self.field = FIELDS[(position + by) % FIELDS.len()];
    }

    /// What is wrong with the value, without any of it.
    fn complaint(&self) -> Option<String> {
        shape::checked(self.kind, &self.value.value()).err()
    }
}

/// Opens the form for the selected credential.
pub(crate) fn open(state: &mut State) {
    let Some(selected) = state.credentials.selected() else {
        return;
    };
    let form = SetForm {
        path: selected.path.clone(),
        sources: selected.sources.join(" and "),
        no_effect: selected.state.overrides(),
        kind: selected.kind,
        value: SecretInput::default(),
        sign_in: false,
        field: Field::Value,
        guard: Guard::opened(state.now),
        refused: None,
    };
    state.credentials.sent = None;
    state.overlay = Some(Overlay::SetCredential(form));
}

/// What became of a value that was sent: stored, it is forgotten; refused, its form comes back as it was, unless
/// something else has the screen by now.
pub(super) fn answered(state: &mut State, path: &str, refused: Option<String>) {
    let Some(mut form) = state.credentials.sent.take_if(|form| form.path == path) else {
        return;
    };
    if let (Some(why), None) = (refused, &state.overlay) {
        form.refused = Some(why);
        form.field = Field::Value;
        form.guard = Guard::opened(state.now);
        state.overlay = Some(Overlay::SetCredential(form));
    }
}

/// A key in the form.
pub(crate) fn key(state: &mut State, mut form: SetForm, key: Key, effects: &mut Vec<Effect>) {
    let counts = form.guard.lets_through(state.now);
    if matches!(key.key_code(), KeyCode::Tab | KeyCode::BackTab) {
        // No held Enter does that.
        form.guard.open();
    }
    match (key.key_code(), form.field) {
        (KeyCode::Esc, _) => return,
        (KeyCode::Tab | KeyCode::Down, _) => form.turn(1),
        (KeyCode::BackTab | KeyCode::Up, _) => form.turn(FIELDS.len() - 1),
        (KeyCode::Enter, _) if !counts => {}
        // A terminal without bracketed paste sends the lines of a key file as keys.
        (KeyCode::Enter, Field::Value) if form.kind.has_lines() => form.value.insert("\n"),
        (KeyCode::Enter, Field::Value) => form.field = Field::Set,
        (KeyCode::Enter | KeyCode::Char(' '), Field::SignIn) => form.sign_in = !form.sign_in,
        (KeyCode::Enter, Field::Cancel) => return,
        (KeyCode::Enter, Field::Set) => match form.complaint() {
            Some(why) => state.problem(format!("this is no {}: {why}", form.kind.title())),
            None => return send(state, form, effects),
        },
        (KeyCode::Left | KeyCode::Right, Field::Cancel) => form.field = Field::Set,
        (KeyCode::Left | KeyCode::Right, Field::Set) => form.field = Field::Cancel,
        // The key that opened the form may still be held down; no other is lost, however fast it comes.
        (_, Field::Value) if !counts && opens(state, key) => {}
        (_, Field::Value) if form.value.key(key) => {
            form.refused = None;
            form.guard.open();
        }
        _ => {}
    }
    state.overlay = Some(Overlay::SetCredential(form));
}

fn opens(state: &State, key: Key) -> bool {
    actions::for_key(state, key).is_some_and(|action| action.id == ActionId::SetCredential)
}

fn send(state: &mut State, mut form: SetForm, effects: &mut Vec<Effect>) {
    form.refused = None;
    let request = Request::SetCredential {
        path: form.path.clone(),
        value: form.value.value(),
        sign_in_first: form.sign_in,
    };
    state.credentials.sent = Some(form);
    state.ask(request, effects);
}

/// Draws the form; returns where the caret is.
pub(crate) fn view(state: &State, form: &SetForm, buffer: &mut Buffer) -> Option<Position> {
    let theme = &state.theme;
    let screen = Rect::new(0, 0, state.size.0, state.size.1);
    let title = format!("Set {}", form.path);
    let area = centred(screen, 76, if form.no_effect.is_some() { 16 } else { 14 });
    let inside = frame(buffer, area, &title, theme.accent, theme);
    let mut row = 1;
    for line in wrapped(
        &format!("To get one: {}.", form.kind.advice()),
        inside.width,
    ) {
        Pen::new(buffer, inside, row).put(&line, theme.muted);
        row += 1;
    }
    row = row.max(3) + 1;
    Pen::new(buffer, inside, row).put("Value", theme.muted);
    let field = Rect {
        x: inside.x + 10,
        width: inside.width.saturating_sub(10),
        ..inside
    };
    let caret = form.value.draw(buffer, field, row, theme);
    let (said, style) = verdict(state, form);
    Pen::new(buffer, field, row + 1).put(&said, style);
    if let Some(why) = &form.no_effect {
        let lines = wrapped(&format!("! {why}."), inside.width);
        for (line, at) in lines.iter().zip(row + 4..) {
            Pen::new(buffer, inside, at).put(line, theme.warn);
        }
    }
    let tick = if form.sign_in { "[x]" } else { "[ ]" };
    let offer = format!(
        "{tick} sign in to {} first; store it only if accepted",
        form.sources
    );
    Pen::new(buffer, inside, row + 3).put(&offer, theme.text);
    if form.field == Field::SignIn {
        tint(buffer, inside.x, inside.y + row + 3, 3, theme.selection);
    }
    let focused = match form.field {
        Field::Cancel => 0,
        Field::Set => 1,
        _ => usize::MAX,
    };
    let last = inside.height.saturating_sub(2);
    buttons(buffer, inside, last, &["Cancel", "Set"], focused, theme);
    Pen::new(buffer, inside, last)
        .gap(30)
        .right("^U empties  Tab next field  Esc", theme.muted);
    (form.field == Field::Value).then(|| Position::new(caret, inside.y + row))
}

/// What is to be said about the value so far.
fn verdict(state: &State, form: &SetForm) -> (String, Style) {
    let theme = &state.theme;
    match form.complaint() {
        _ if form.refused.is_some() => (
            format!("! refused: {}", form.refused.as_deref().unwrap_or_default()),
            theme.warn,
        ),
        _ if form.value.is_empty() => (
            "It is never shown, here or anywhere.".to_owned(),
            theme.muted,
        ),
        None => (
            format!("✓ looks like {}", form.kind.with_article()),
            theme.good,
        ),
        Some(why) => (format!("not yet: {why}"), theme.warn),
    }
}
