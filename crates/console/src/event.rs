//! What can happen to the console. Time comes in with the event; nothing inside reads a clock.

use std::time::Duration;

use crossterm::event::{KeyEvent, MouseEvent};
use jiff::Timestamp;

use super::effect::{Answer, Request};
use lakehand_ops::Connection;

/// Something that happened, and when.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    /// When.
    pub(crate) at: Timestamp,
    /// What.
    pub(crate) kind: EventKind,
}

/// The kinds of events.
#[derive(Debug, Clone)]
pub(crate) enum EventKind {
    /// A key was pressed.
    Key(KeyEvent),
    /// The mouse was pressed or its wheel turned.
    Mouse(MouseEvent),
    /// Text was pasted.
    Paste(String),
    /// The terminal has a new size, in columns and rows.
    Resize(u16, u16),
    /// The terminal window has the keyboard, or lost it.
    Focus(bool),
    /// The moment that [`super::update::wake_at`] named has come.
    Tick,
    /// An effect answered.
    Answered(Box<Answered>),
}

/// What an effect brought back.
#[derive(Debug, Clone)]
pub(crate) struct Answered {
    /// The request, unchanged.
    pub(crate) request: Request,
    /// The stamp it was sent with; an answer with another stamp than the one awaited is late and is dropped.
    pub(crate) stamp: u64,
    /// How long it took.
    pub(crate) took: Duration,
    /// The answer.
    pub(crate) answer: Answer,
    /// How the way to the platform stood then; `None` for what never left the console.
    pub(crate) connection: Option<Connection>,
}
