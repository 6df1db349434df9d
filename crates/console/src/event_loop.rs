//! The loop: wait for one event, take what else is queued, update, draw once if anything changed. No tick: a
//! timer exists only while something visible will change by itself.

use std::{
    io,
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use crossterm::event::Event as TerminalEvent;
use jiff::Timestamp;
use tokio::{
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::{Instant, sleep_until},
};

use super::{
    ConsoleError, editor,
    effect::{Answer, Effect, Request},
    event::{Answered, Event, EventKind},
    runner::Runner,
    signals::{Signal, Signals},
    state::State,
    terminal::Screen,
    update::{update, wake_at},
};
use lakehand_ops::{OpsError, OpsErrorKind};
use lakehand_pipeline::text::for_terminal;

/// At most sixty frames a second.
const FRAME: Duration = Duration::from_millis(16);

/// How long a frame waits for rows that are being read: reading from a disk cache takes less, and the screen
/// does not flicker.
const PATIENCE: Duration = Duration::from_millis(5);

/// Everything the loop works with.
pub(crate) struct Loop {
    pub(crate) state: State,
    pub(crate) screen: Screen,
    pub(crate) runner: Runner,
    pub(crate) answers: UnboundedReceiver<Answered>,
    pub(crate) signals: Signals,
    pub(crate) gate: Arc<Gate>,
}

/// Lets the thread that reads keys through, or holds it back while another program has the terminal.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    closed: Mutex<bool>,
    changed: Condvar,
    waits: AtomicBool,
}

/// How long the console waits for its own reader to let go of the keys.
const LETS_GO: Duration = Duration::from_millis(500);

impl Gate {
    /// Holds the reader back until the guard goes. It waits in a read: a change of size wakes it.
    fn close(&self) -> Closed<'_> {
        self.set(true);
        let patience = std::time::Instant::now() + LETS_GO;
        while !self.waits.load(Ordering::Acquire) && std::time::Instant::now() < patience {
            // Should the system refuse, the reader takes the first key and waits then.
            let _ = signal_hook::low_level::raise(signal_hook::consts::SIGWINCH);
            std::thread::sleep(Duration::from_millis(10));
        }
        Closed(self)
    }

    fn set(&self, closed: bool) {
        *self.closed.lock().unwrap_or_else(PoisonError::into_inner) = closed;
        self.changed.notify_all();
    }

    /// Waits while the gate is closed.
    fn pass(&self) {
        let closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        self.waits.store(*closed, Ordering::Release);
        let open = self.changed.wait_while(closed, |closed| *closed);
        self.waits.store(false, Ordering::Release);
        drop(open);
    }
}

/// A closed gate; it opens when this goes.
struct Closed<'g>(&'g Gate);

impl Drop for Closed<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

/// What a turn of the loop woke up for.
enum Woken {
    Event(EventKind),
    Signal(Signal),
    TerminalGone,
}

impl Loop {
    /// Runs until the user leaves, a signal ends it, or the terminal goes.
    ///
    /// # Errors
    /// When the terminal fails, or a signal asked to end.
    pub(crate) async fn run(mut self, first: Vec<Effect>) -> Result<(), ConsoleError> {
        self.fit_size()?;
        self.screen
            .draw(&self.state)
            .map_err(ConsoleError::terminal)?;
        let (mut input, reader) = read_input(Arc::clone(&self.gate))?;
        let mut leaving = self.perform(first)?;
        let mut drawn_at = Instant::now();
        while !leaving {
            let woken = self.wait(&mut input).await;
            leaving = self.take(woken)?;
            // Input goes before answers; all that is queued makes one frame.
            while !leaving && let Ok(event) = input.try_recv() {
                leaving = self.take(Woken::Event(kind(event)))?;
            }
            while !leaving && let Ok(answered) = self.answers.try_recv() {
                leaving = self.take(Woken::Event(EventKind::Answered(Box::new(answered))))?;
            }
            if leaving {
                break;
            }
            self.wait_for_quick_answers().await?;
            // A frame sooner than a sixtieth of a second after the last one would not be seen.
            tokio::time::sleep_until(drawn_at + FRAME).await;
            self.fit_size()?;
            self.screen
                .draw(&self.state)
                .map_err(ConsoleError::terminal)?;
            drawn_at = Instant::now();
        }
        drop(input);
        let_go(&reader);
        Ok(())
    }

    /// Sleeps until something happens.
    async fn wait(&mut self, input: &mut UnboundedReceiver<TerminalEvent>) -> Woken {
        let wake = wake_at(&self.state).map(|at| {
            let rest = at.duration_since(Timestamp::now());
            Instant::now()
                + Duration::try_from(rest)
                    .unwrap_or(Duration::ZERO)
                    .max(Duration::from_millis(10))
        });
        let timer = async {
            match wake {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            event = input.recv() => event.map_or(Woken::TerminalGone, |event| Woken::Event(kind(event))),
            signal = self.signals.next() => Woken::Signal(signal),
            Some(answered) = self.answers.recv() => Woken::Event(EventKind::Answered(Box::new(answered))),
            () = timer => Woken::Event(EventKind::Tick),
        }
    }

    /// Takes what woke the loop; `true` to leave.
    fn take(&mut self, woken: Woken) -> Result<bool, ConsoleError> {
        match woken {
            Woken::Event(kind) => {
                let effects = update(
                    &mut self.state,
                    Event {
                        at: Timestamp::now(),
                        kind,
                    },
                );
                self.perform(effects)
            }
            Woken::Signal(Signal::End(number)) => Err(ConsoleError::Signal(number)),
            Woken::Signal(Signal::Suspend) => self
                .screen
                .suspend()
                .map(|()| false)
                .map_err(ConsoleError::terminal),
            Woken::Signal(Signal::Continued) => self
                .screen
                .resume()
                .map(|()| false)
                .map_err(ConsoleError::terminal),
            Woken::Signal(Signal::Gone) | Woken::TerminalGone => Err(ConsoleError::terminal(
                io::Error::new(io::ErrorKind::BrokenPipe, "the terminal has gone"),
            )),
        }
    }

    /// Runs effects: those of the terminal here, the rest in the background; `true` to leave.
    fn perform(&mut self, effects: Vec<Effect>) -> Result<bool, ConsoleError> {
        let mut leaving = false;
        for effect in effects {
            let result = match &effect.request {
                Request::Quit => {
                    leaving = true;
                    continue;
                }
                Request::Mouse(on) => self.screen.capture_mouse(*on),
                Request::Redraw => {
                    self.screen.forget();
                    Ok(())
                }
                Request::Suspend => self.screen.suspend(),
                Request::SignIn(command) => self.sign_in(command),
                Request::Copy(text) => self.screen.copy(text),
                Request::Panic => panic_for_the_test(),
                Request::EditInput(text) => {
                    let answer = self.edit(text);
                    leaving |= self.answered_here(effect, answer)?;
                    continue;
                }
                _ => {
                    self.runner.spawn(effect);
                    continue;
                }
            };
            let advice = match &effect.request {
                Request::SignIn(_) => "run it in another terminal, then press r",
                _ => "make the window larger or use the command line",
            };
            let answer =
                Answer::Done(result.map_err(|error| {
                    OpsError::new(OpsErrorKind::Platform, error.to_string(), advice)
                }));
            leaving |= self.answered_here(effect, answer)?;
        }
        Ok(leaving)
    }

    /// Takes the answer of what was done on the terminal; `true` to leave.
    fn answered_here(&mut self, effect: Effect, answer: Answer) -> Result<bool, ConsoleError> {
        let answered = Answered {
            request: effect.request,
            stamp: effect.stamp,
            took: Duration::ZERO,
            answer,
            connection: None,
        };
        let more = update(
            &mut self.state,
            Event {
                at: Timestamp::now(),
                kind: EventKind::Answered(Box::new(answered)),
            },
        );
        self.perform(more)
    }

    /// Lends the terminal to the operator's editor.
    fn edit(&mut self, text: &str) -> Answer {
        let gate = Arc::clone(&self.gate);
        let _closed = gate.close();
        let editor = editor::of_environment();
        let edited = self.screen.lend(|| editor::edit(&editor, text));
        // An interrupt was meant for the editor, not for the console.
        let edited = edited.and_then(|edited| {
            self.signals = Signals::listen()?;
            Ok(edited)
        });
        Answer::Edited(edited.map_err(|error| {
            OpsError::new(
                OpsErrorKind::Platform,
                format!("the input could not be edited: {error}"),
                "name an editor in VISUAL or EDITOR, or give --input FILE on the command line",
            )
        }))
    }

    /// Lends the terminal to the command that signs the operator in.
    fn sign_in(&mut self, command: &str) -> io::Result<()> {
        let gate = Arc::clone(&self.gate);
        let _closed = gate.close();
        let status = self.screen.lend(|| {
            // Standard output may be gone; the command runs all the same.
            let told = format_args!("lakehand runs: {}\n", for_terminal(command));
            let _ = io::Write::write_fmt(&mut io::stdout(), told);
            std::process::Command::new("sh")
                .args(["-c", command])
                .status()
        })?;
        // An interrupt was meant for the command, not for the console.
        self.signals = Signals::listen()?;
        match status.success() {
            true => Ok(()),
            false => Err(io::Error::other(format!("'{command}' ended with {status}"))),
        }
    }

    /// Rows that are being read come before the frame, if they come soon.
    async fn wait_for_quick_answers(&mut self) -> Result<(), ConsoleError> {
        let patience = Instant::now() + PATIENCE;
        while self.state.waits_for_rows() {
            let Ok(Some(answered)) = tokio::time::timeout_at(patience, self.answers.recv()).await
            else {
                return Ok(());
            };
            self.take(Woken::Event(EventKind::Answered(Box::new(answered))))?;
        }
        Ok(())
    }

    /// The frame and the state are of the same size, whatever events came late.
    fn fit_size(&mut self) -> Result<(), ConsoleError> {
        let (columns, rows) = self.screen.size().map_err(ConsoleError::terminal)?;
        if self.state.size != (columns, rows) {
            let effects = update(
                &mut self.state,
                Event {
                    at: Timestamp::now(),
                    kind: EventKind::Resize(columns, rows),
                },
            );
            self.perform(effects)?;
        }
        Ok(())
    }
}

/// Reads keys on a thread of its own until the terminal has gone; then the receiver ends.
///
/// Not crossterm's `EventStream`: once it was polled without waiting, as draining does, it wakes nobody for the
/// next key.
/// Waits until the reader that nobody listens to has let go of the keys: the next program, or the prompt that opened the
/// console, wants them. It waits in a read: a change of size wakes it.
fn let_go(reader: &JoinHandle<()>) {
    let patience = std::time::Instant::now() + LETS_GO;
    while !reader.is_finished() && std::time::Instant::now() < patience {
        let _ = signal_hook::low_level::raise(signal_hook::consts::SIGWINCH);
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The keys as they come, and the thread that reads them.
fn read_input(
    gate: Arc<Gate>,
) -> Result<(UnboundedReceiver<TerminalEvent>, JoinHandle<()>), ConsoleError> {
    let (sender, receiver) = unbounded_channel();
    let read = move || {
        while let Ok(event) = crossterm::event::read() {
            if sender.send(event).is_err() {
                return;
            }
            gate.pass();
        }
    };
    let reader = std::thread::Builder::new()
        .name("keys".to_owned())
        .spawn(read)
        .map_err(ConsoleError::terminal)?;
    Ok((receiver, reader))
}

fn kind(event: TerminalEvent) -> EventKind {
    match event {
        TerminalEvent::Key(key) => EventKind::Key(key),
        TerminalEvent::Mouse(mouse) => EventKind::Mouse(mouse),
        TerminalEvent::Paste(text) => EventKind::Paste(text),
        TerminalEvent::Resize(columns, rows) => EventKind::Resize(columns, rows),
        TerminalEvent::FocusGained => EventKind::Focus(true),
        TerminalEvent::FocusLost => EventKind::Focus(false),
    }
}

/// The one deliberate panic: reached by an action that exists only with `LAKEHAND_TEST_PANIC=1`.
#[allow(clippy::panic)]
fn panic_for_the_test() -> io::Result<()> {
    panic!("a panic on request (LAKEHAND_TEST_PANIC=1)")
}
