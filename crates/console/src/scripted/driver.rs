//! Presses keys and reads the screen, over the real update, view and runner, with a clock of its own.

use std::{io, sync::Arc, time::Duration};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use ratatui::{buffer::Buffer, layout::Rect};
use tokio::sync::mpsc::UnboundedReceiver;

use super::{Scenario, ScriptedOperations};
use crate::{
    StartScreen, begin,
    effect::{Answer, Effect, Request},
    event::{Answered, Event, EventKind},
    runner::{Folders, Runner},
    state::{Glyphs, Setup, State},
    update::{update, wake_at},
    view::view,
};
use lakehand_ops::Operations;

/// A console that is driven by a script.
#[derive(Debug)]
pub struct Driver {
    pub(crate) state: State,
    operations: Arc<ScriptedOperations>,
    runner: Runner,
    answers: UnboundedReceiver<Answered>,
    runtime: tokio::runtime::Runtime,
    waiting: Vec<Effect>,
    holding: bool,
    terminal: Vec<String>,
    edits: std::collections::VecDeque<Option<String>>,
    _folder: tempfile::TempDir,
}

impl Driver {
    /// Opens the console on scripted operations; the first frame can be read before any answer is there when
    /// answers are held.
    ///
    /// # Errors
    /// When the runtime or a temporary folder cannot be made.
    pub fn open(
        operations: ScriptedOperations,
        start: StartScreen,
        size: (u16, u16),
    ) -> io::Result<Self> {
        let mut driver = Self::closed(operations, size)?;
        let effects = begin(&mut driver.state, start);
        driver.send(effects);
        Ok(driver)
    }

    /// The same with every answer held back until [`Driver::release`].
    ///
    /// # Errors
    /// As [`Driver::open`].
    pub fn open_held(
        operations: ScriptedOperations,
        start: StartScreen,
        size: (u16, u16),
    ) -> io::Result<Self> {
        let mut driver = Self::closed(operations, size)?;
        driver.holding = true;
        let effects = begin(&mut driver.state, start);
        driver.send(effects);
        Ok(driver)
    }

    /// Opens the console on operations that are not scripted, such as those of a platform; `now` is the clock's start.
    /// The script's world stands still meanwhile.
    ///
    /// # Errors
    /// As [`Driver::open`].
    pub fn over(
        operations: Arc<dyn Operations>,
        now: Timestamp,
        size: (u16, u16),
    ) -> io::Result<Self> {
        let mut driver = Self::around(
            ScriptedOperations::new(Scenario::Empty, 0)?,
            operations,
            size,
        )?;
        driver.state.now = now;
        let effects = begin(&mut driver.state, StartScreen::Board);
        driver.send(effects);
        Ok(driver)
    }

    fn closed(operations: ScriptedOperations, size: (u16, u16)) -> io::Result<Self> {
        let operations = Arc::new(operations);
        Self::around_shared(operations.clone(), operations, size)
    }

    fn around(
        world: ScriptedOperations,
        operations: Arc<dyn Operations>,
        size: (u16, u16),
    ) -> io::Result<Self> {
        Self::around_shared(Arc::new(world), operations, size)
    }

    fn around_shared(
        world: Arc<ScriptedOperations>,
        operations: Arc<dyn Operations>,
        size: (u16, u16),
    ) -> io::Result<Self> {
        let identity = operations.identity();
        let state = State::new(Setup {
            zone: TimeZone::get(&identity.time_zone).unwrap_or(TimeZone::UTC),
            identity,
            now: world.now(),
            size,
            mono: false,
            glyphs: Glyphs::Unicode,
            mouse: false,
            test_panic: false,
            keymap: crate::keymap::Keymap::default(),
        });
        let folder = tempfile::tempdir()?;
        let (sender, answers) = tokio::sync::mpsc::unbounded_channel();
        let folders = Folders {
            export: folder.path().to_owned(),
            state: None,
        };
        let runner = Runner::new(operations, folders, sender);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        Ok(Self {
            state,
            operations: world,
            runner,
            answers,
            runtime,
            waiting: Vec::new(),
            holding: false,
            terminal: Vec::new(),
            edits: std::collections::VecDeque::new(),
            _folder: folder,
        })
    }

    /// The scripted operations.
    #[must_use]
    pub fn operations(&self) -> &ScriptedOperations {
        &self.operations
    }

    /// Presses keys: single characters, or names in angle brackets: `j`, `D`, `<enter>`, `<esc>`, `<tab>`, `<^p>`.
    /// A quarter of a second passes after each.
    pub fn press(&mut self, keys: &str) -> &mut Self {
        for key in parse_keys(keys) {
            self.event(EventKind::Key(key));
            self.wait(250);
        }
        self
    }

    /// Presses keys without any time in between, as a held key does.
    pub fn press_fast(&mut self, keys: &str) -> &mut Self {
        for key in parse_keys(keys) {
            self.event(EventKind::Key(key));
        }
        self
    }

    /// Lets time pass, in milliseconds; timers fire when they are due.
    pub fn wait(&mut self, milliseconds: i64) -> &mut Self {
        let end = self.state.now + SignedDuration::from_millis(milliseconds);
        while let Some(due) = wake_at(&self.state).filter(|due| *due <= end) {
            self.tick_at(due.max(self.state.now + SignedDuration::from_millis(1)));
        }
        if self.state.now < end {
            self.tick_at(end);
        }
        self
    }

    fn tick_at(&mut self, at: Timestamp) {
        self.state.now = at;
        self.operations.set_now(at);
        self.event(EventKind::Tick);
    }

    /// How many timers fire in this many milliseconds when nothing happens.
    pub fn idle_wakes(&mut self, milliseconds: i64) -> usize {
        let end = self.state.now + SignedDuration::from_millis(milliseconds);
        let mut wakes = 0;
        while let Some(due) = wake_at(&self.state).filter(|due| *due <= end) {
            self.tick_at(due.max(self.state.now + SignedDuration::from_millis(1)));
            wakes += 1;
        }
        wakes
    }

    /// The world goes one stage further, then the console has time to see it.
    ///
    /// # Errors
    /// When a report's file cannot be written.
    pub fn advance(&mut self) -> io::Result<&mut Self> {
        self.operations.advance()?;
        Ok(self.wait(3_000))
    }

    /// The window has another size.
    pub fn resize(&mut self, columns: u16, rows: u16) -> &mut Self {
        self.event(EventKind::Resize(columns, rows));
        self
    }

    /// What the operator leaves in the editor the next time it is opened; nothing is meant without this.
    pub fn will_edit(&mut self, text: &str) -> &mut Self {
        self.edits.push_back(Some(text.to_owned()));
        self
    }

    /// Holds answers back.
    pub fn hold(&mut self) -> &mut Self {
        self.holding = true;
        self
    }

    /// Lets the answers come that were held back, in the order given by `order` (positions, modulo their number).
    pub fn release(&mut self, order: &[usize]) -> &mut Self {
        self.holding = false;
        let mut held = std::mem::take(&mut self.waiting);
        for position in order {
            if !held.is_empty() {
                let effect = held.remove(position % held.len());
                self.send(vec![effect]);
            }
        }
        self.send(held);
        self
    }

    /// Pastes a text, as a terminal does in one go.
    pub fn paste(&mut self, text: &str) -> &mut Self {
        self.event(EventKind::Paste(text.to_owned()));
        self.wait(250)
    }

    /// Patches the keys with lines of `[keys]`.
    ///
    /// # Errors
    /// When they are wrong.
    pub fn with_keys(&mut self, keys: &str) -> Result<&mut Self, lakehand_config::ConfigError> {
        let home = lakehand_config::Home::below(std::path::Path::new("/"));
        let config = lakehand_config::Config::parse(&format!("[keys]\n{keys}\n"), &home)?;
        self.state.keymap = crate::keymap::Keymap::patched(config.keys())?;
        Ok(self)
    }

    /// Draws without colours.
    pub fn mono(&mut self) -> &mut Self {
        self.state.theme = crate::theme::Theme::mono();
        self
    }

    /// Draws in ASCII.
    pub fn ascii(&mut self) -> &mut Self {
        self.state.glyphs = Glyphs::AsciiMarks;
        self
    }

    /// What was done to the terminal: `quit`, `copy …`, `suspend`.
    #[must_use]
    pub fn terminal(&self) -> &[String] {
        &self.terminal
    }

    /// Draws a frame.
    #[must_use]
    pub fn draw(&self) -> Buffer {
        let (columns, rows) = self.state.size;
        let mut buffer = Buffer::empty(Rect::new(0, 0, columns, rows));
        view(&self.state, &mut buffer);
        buffer
    }

    /// Draws a frame into a buffer of the screen's size, as the terminal's loop does.
    pub fn draw_into(&self, buffer: &mut Buffer) {
        buffer.reset();
        view(&self.state, buffer);
    }

    /// The screen as text.
    #[must_use]
    pub fn screen(&self) -> String {
        text_of(&self.draw())
    }

    pub(crate) fn event(&mut self, kind: EventKind) {
        let at = self.state.now;
        let effects = update(&mut self.state, Event { at, kind });
        self.send(effects);
    }

    /// Runs effects, and what follows from their answers, until nothing is left.
    fn send(&mut self, effects: Vec<Effect>) {
        let mut queue = std::collections::VecDeque::from(effects);
        while let Some(effect) = queue.pop_front() {
            if self.on_terminal(&effect.request) {
                let answer = match &effect.request {
                    Request::EditInput(_) => Answer::Edited(Ok(self.edits.pop_front().flatten())),
                    _ => Answer::Done(Ok(())),
                };
                self.answered(
                    Answered {
                        request: effect.request,
                        stamp: effect.stamp,
                        took: Duration::ZERO,
                        answer,
                        connection: None,
                    },
                    &mut queue,
                );
                continue;
            }
            if self.holding {
                self.waiting.push(effect);
                continue;
            }
            self.runtime.block_on(self.runner.run(effect));
            while let Ok(answered) = self.answers.try_recv() {
                // A script is the same on every machine: calls take no time.
                self.answered(
                    Answered {
                        took: Duration::from_millis(7),
                        ..answered
                    },
                    &mut queue,
                );
            }
        }
    }

    fn answered(&mut self, answered: Answered, queue: &mut std::collections::VecDeque<Effect>) {
        let at = self.state.now;
        queue.extend(update(
            &mut self.state,
            Event {
                at,
                kind: EventKind::Answered(Box::new(answered)),
            },
        ));
    }

    fn on_terminal(&mut self, request: &Request) -> bool {
        let done = match request {
            Request::Copy(text) => format!("copy {text}"),
            Request::SignIn(command) => format!("run {command}"),
            Request::EditInput(text) => format!("edit {text}"),
            Request::Quit
            | Request::Suspend
            | Request::Redraw
            | Request::Mouse(_)
            | Request::Panic => request.name().to_owned(),
            _ => return false,
        };
        self.terminal.push(done);
        true
    }
}

/// The characters of a buffer, a line for each row, without blanks at the ends.
pub(crate) fn text_of(buffer: &Buffer) -> String {
    let mut text = String::new();
    for y in buffer.area.top()..buffer.area.bottom() {
        let mut line = String::new();
        let mut covered = 0;
        for x in buffer.area.left()..buffer.area.right() {
            // The cell behind a wide character is covered by it.
            if covered > 0 {
                covered -= 1;
                continue;
            }
            let symbol = buffer[(x, y)].symbol();
            covered = unicode_width::UnicodeWidthStr::width(symbol).saturating_sub(1);
            line.push_str(symbol);
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn parse_keys(keys: &str) -> Vec<KeyEvent> {
    let mut events = Vec::new();
    let mut rest = keys;
    while let Some(first) = rest.chars().next() {
        let named = rest
            .strip_prefix('<')
            .and_then(|inner| inner.split_once('>'))
            .and_then(|(name, after)| Some((named_key(name)?, after)));
        match named {
            Some((key, after)) => {
                events.push(key);
                rest = after;
            }
            None => {
                events.push(KeyEvent::new(KeyCode::Char(first), KeyModifiers::NONE));
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    events
}

fn named_key(name: &str) -> Option<KeyEvent> {
    if let Some(letter) = name.strip_prefix('^') {
        return Some(KeyEvent::new(
            KeyCode::Char(letter.chars().next()?),
            KeyModifiers::CONTROL,
        ));
    }
    let code = match name {
        "enter" => KeyCode::Enter,
        "esc" => KeyCode::Esc,
        "tab" => KeyCode::Tab,
        "s-tab" => KeyCode::BackTab,
        "up" => KeyCode::Up,
        "down" => KeyCode::Down,
        "left" => KeyCode::Left,
        "right" => KeyCode::Right,
        "home" => KeyCode::Home,
        "end" => KeyCode::End,
        "pgup" => KeyCode::PageUp,
        "pgdn" => KeyCode::PageDown,
        "bs" => KeyCode::Backspace,
        "f12" => KeyCode::F(12),
        _ => return None,
    };
    Some(KeyEvent::new(code, KeyModifiers::NONE))
}
