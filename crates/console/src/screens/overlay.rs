//! What can lie over a screen. One thing at a time; it has all keys.

use crossterm::event::KeyEvent;
use ratatui::{buffer::Buffer, layout::Position};

use super::{
    credentials::{self, SetForm},
    dialogs::{self, Choice, Confirm, TextView},
    help::{self, Help},
    palette::{self, Palette},
    prompt::{self, Prompt},
    start::{self, StartForm},
};
use crate::{effect::Effect, keymap::Key, state::State};

/// The kinds.
#[derive(Debug, Clone)]
pub(crate) enum Overlay {
    /// Keys of this screen.
    Help(Help),
    /// Every action by name.
    Palette(Palette),
    /// Really?
    Confirm(Confirm),
    /// What to start.
    Start(StartForm),
    /// A new value of a credential.
    SetCredential(SetForm),
    /// One of several.
    Choice(Choice),
    /// A line at the bottom: find, filter.
    Prompt(Prompt),
    /// A long text.
    Text(TextView),
}

/// Gives a key to what lies over the screen.
pub(crate) fn key(state: &mut State, event: KeyEvent, effects: &mut Vec<Effect>) {
    let key = Key::of(event);
    match state.overlay.take() {
        Some(Overlay::Help(help)) => help::key(state, help, key),
        Some(Overlay::Palette(palette)) => palette::key(state, palette, key, effects),
        Some(Overlay::Confirm(confirm)) => dialogs::confirm_key(state, confirm, key, effects),
        Some(Overlay::Start(form)) => start::key(state, form, key, effects),
        Some(Overlay::SetCredential(form)) => credentials::form_key(state, form, key, effects),
        Some(Overlay::Choice(choice)) => dialogs::choice_key(state, choice, key, effects),
        Some(Overlay::Prompt(prompt)) => prompt::key(state, prompt, key, effects),
        Some(Overlay::Text(text)) => dialogs::text_key(state, text, key, effects),
        None => {}
    }
}

/// Gives a pasted text to the field that has the keys.
pub(crate) fn paste(state: &mut State, text: &str) {
    match state.overlay.as_mut() {
        Some(Overlay::Help(help)) => help.input.insert(text),
        Some(Overlay::Palette(palette)) => palette.paste(text),
        Some(Overlay::Prompt(prompt)) => prompt.input.insert(text),
        Some(Overlay::Start(form)) => form.paste(text),
        Some(Overlay::Confirm(confirm)) => confirm.paste(text),
        Some(Overlay::SetCredential(form)) => form.paste(text),
        _ => {}
    }
}

/// Draws what lies over the screen; returns where the caret is.
pub(crate) fn view(state: &State, buffer: &mut Buffer) -> Option<Position> {
    match state.overlay.as_ref()? {
        Overlay::Help(help) => Some(help::view(state, help, buffer)),
        Overlay::Palette(palette) => Some(palette::view(state, palette, buffer)),
        Overlay::Confirm(confirm) => dialogs::view_confirm(state, confirm, buffer),
        Overlay::Start(form) => start::view(state, form, buffer),
        Overlay::SetCredential(form) => credentials::view_form(state, form, buffer),
        Overlay::Choice(choice) => dialogs::view_choice(state, choice, buffer),
        Overlay::Prompt(prompt) => Some(prompt::view(state, prompt, buffer)),
        Overlay::Text(text) => dialogs::view_text(state, text, buffer),
    }
}
