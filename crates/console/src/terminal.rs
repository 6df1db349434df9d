//! The terminal: one guard owns entering and leaving it. Whatever ends the console (quit, error, panic, signal)
//! goes through [`leave`], which may be called more than once.

use std::{
    io::{self, BufWriter, Stdout, Write, stdout},
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    thread::ThreadId,
};

use crossterm::{
    cursor::{Hide, Show},
    event::{DisableBracketedPaste, DisableFocusChange, EnableBracketedPaste, EnableFocusChange},
    execute, queue,
    style::ResetColor,
    terminal::{
        BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
        disable_raw_mode, enable_raw_mode,
    },
};
use ratatui::{
    backend::{Backend, ClearType, CrosstermBackend},
    buffer::Buffer,
    layout::{Position, Rect},
};

use super::{guard, paint, state::State, view};

/// Set while the terminal is ours.
static ENTERED: AtomicBool = AtomicBool::new(false);

/// The thread that draws; a panic elsewhere does not end the console and must not touch the screen.
static DRAWING_THREAD: OnceLock<ThreadId> = OnceLock::new();

/// Presses, releases and the wheel; never every movement of the mouse.
const MOUSE_ON: &str = "\x1b[?1000h\x1b[?1006h";
const MOUSE_OFF: &str = "\x1b[?1006l\x1b[?1000l";

/// Largest text that is copied through the terminal.
const MOST_COPIED: usize = 74_000;

/// How the terminal is used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    /// Mouse capture.
    pub(crate) mouse: bool,
    /// Stay on the ordinary screen.
    pub(crate) plain: bool,
}

/// The terminal while it is ours; dropping it gives it back.
///
/// It keeps the two buffers itself: ratatui's own `Terminal` asks the terminal where its cursor is whenever it
/// clears or resizes, and that answer would be taken by whoever reads the keys.
pub(crate) struct Screen {
    backend: CrosstermBackend<BufWriter<Stdout>>,
    shown: Buffer,
    next: Buffer,
    caret: Option<Position>,
    everything: bool,
    usage: Usage,
}

impl Drop for Screen {
    fn drop(&mut self) {
        leave();
        guard::dismiss();
    }
}

impl Screen {
    /// Takes the terminal, and sees to it that a panic gives it back before it is reported.
    ///
    /// # Errors
    /// When there is no terminal, or it refuses.
    pub(crate) fn enter(usage: Usage) -> io::Result<Self> {
        install_panic_hook();
        guard::post();
        // With NO_COLOR crossterm 0.29 drops attributes too, and the selection would be invisible. We choose
        // the colours ourselves, so it must send what it is given.
        crossterm::style::force_color_output(true);
        if let Err(error) = take(usage) {
            leave();
            guard::dismiss();
            return Err(error);
        }
        let backend = CrosstermBackend::new(BufWriter::with_capacity(1 << 16, stdout()));
        Ok(Self {
            backend,
            shown: Buffer::default(),
            next: Buffer::default(),
            caret: None,
            everything: true,
            usage,
        })
    }

    /// Columns and rows.
    ///
    /// # Errors
    /// When the terminal has gone.
    pub(crate) fn size(&self) -> io::Result<(u16, u16)> {
        self.backend.size().map(|size| {
            or_usual((size.width, size.height), |name| {
                std::env::var(name).ok()?.trim().parse().ok()
            })
        })
    }

    /// Draws what differs from the last frame, all at once; writes nothing when nothing differs.
    ///
    /// # Errors
    /// When the terminal has gone.
    pub(crate) fn draw(&mut self, state: &State) -> io::Result<()> {
        let area = Rect::new(0, 0, state.size.0, state.size.1);
        self.next.resize(area);
        self.next.reset();
        let caret = view::view(state, &mut self.next);
        self.everything |= self.shown.area != area;
        if self.everything {
            self.shown = Buffer::empty(area);
        }
        let changes = paint::changes(&self.shown, &self.next);
        if changes.is_empty() && caret == self.caret && !self.everything {
            return Ok(());
        }
        queue!(self.backend, BeginSynchronizedUpdate, Hide)?;
        if self.everything {
            self.backend.clear_region(ClearType::All)?;
        }
        paint::paint(&mut self.backend, &changes)?;
        if let Some(caret) = caret {
            self.backend.set_cursor_position(caret)?;
            self.backend.show_cursor()?;
        }
        execute!(self.backend, EndSynchronizedUpdate)?;
        self.caret = caret;
        self.everything = false;
        std::mem::swap(&mut self.shown, &mut self.next);
        Ok(())
    }

    /// Forgets what is on the screen, so that the next frame draws all of it.
    pub(crate) fn forget(&mut self) {
        self.everything = true;
    }

    /// Switches mouse capture.
    ///
    /// # Errors
    /// When the terminal has gone.
    pub(crate) fn capture_mouse(&mut self, on: bool) -> io::Result<()> {
        self.usage.mouse = on;
        write_now(if on { MOUSE_ON } else { MOUSE_OFF })
    }

    /// Copies a text through the terminal (OSC 52), also through tmux and screen.
    ///
    /// # Errors
    /// When the text is too long for terminals, or the terminal has gone.
    pub(crate) fn copy(&mut self, text: &str) -> io::Result<()> {
        if text.len() > MOST_COPIED {
            let message = format!(
                "it is longer than terminals take ({MOST_COPIED} bytes); export it instead"
            );
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let multiplexer = match (std::env::var_os("TMUX"), std::env::var("TERM")) {
            (Some(_), _) => Multiplexer::Tmux,
            (None, Ok(term)) if term.starts_with("screen") => Multiplexer::Screen,
            _ => Multiplexer::None,
        };
        write_now(&clipboard_sequence(text, multiplexer))
    }

    /// Gives the terminal back, stops this process until it is continued, takes the terminal again.
    ///
    /// # Errors
    /// When the terminal has gone meanwhile.
    pub(crate) fn suspend(&mut self) -> io::Result<()> {
        leave();
        signal_hook::low_level::emulate_default_handler(signal_hook::consts::SIGTSTP)?;
        self.resume()
    }

    /// Gives the terminal to somebody else for a while.
    ///
    /// # Errors
    /// What `work` meets, or that the terminal has gone meanwhile.
    pub(crate) fn lend<T>(&mut self, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        leave();
        let done = work();
        self.resume()?;
        done
    }

    /// Takes the terminal again after something else had it.
    ///
    /// # Errors
    /// When it has gone.
    pub(crate) fn resume(&mut self) -> io::Result<()> {
        // After a stop that nobody announced crossterm believes it is in raw mode still; the shell has left it.
        let _ = disable_raw_mode();
        take(self.usage)?;
        self.forget();
        Ok(())
    }
}

/// The size as the terminal tells it. One that tells none (a serial line, a pseudo-terminal nobody has sized) is as
/// large as COLUMNS and LINES say, else 80 by 24.
fn or_usual(told: (u16, u16), variable: impl Fn(&str) -> Option<u16>) -> (u16, u16) {
    let side = |told: u16, name: &str, usual: u16| match told {
        0 => variable(name).filter(|size| *size > 0).unwrap_or(usual),
        told => told,
    };
    (side(told.0, "COLUMNS", 80), side(told.1, "LINES", 24))
}

fn take(usage: Usage) -> io::Result<()> {
    enable_raw_mode()?;
    ENTERED.store(true, Ordering::SeqCst);
    let mut out = stdout();
    if !usage.plain {
        queue!(out, EnterAlternateScreen)?;
    }
    queue!(out, EnableBracketedPaste, EnableFocusChange, Hide)?;
    if usage.mouse {
        out.write_all(MOUSE_ON.as_bytes())?;
    }
    out.flush()
}

/// Gives the terminal back as it was. Harmless when it is not ours.
pub(crate) fn leave() {
    if !ENTERED.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut out = stdout();
    // The terminal may have gone (SIGHUP): there is nothing left to do about a failure here.
    let _ = out.write_all(MOUSE_OFF.as_bytes());
    let _ = queue!(
        out,
        EndSynchronizedUpdate,
        DisableFocusChange,
        DisableBracketedPaste,
        ResetColor,
        LeaveAlternateScreen,
        Show
    );
    let _ = out.flush();
    let _ = disable_raw_mode();
}

fn install_panic_hook() {
    let first = DRAWING_THREAD.set(std::thread::current().id()).is_ok();
    if !first {
        return;
    }
    let earlier = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if DRAWING_THREAD.get() == Some(&std::thread::current().id())
            || !ENTERED.load(Ordering::SeqCst)
        {
            leave();
            guard::dismiss();
            earlier(panic);
        } else {
            // Work behind the screen broke: the console shows it as a failed call and goes on.
            let trace = std::backtrace::Backtrace::force_capture();
            tracing::error!("crash behind the screen: {panic}\n{trace}");
        }
    }));
}

fn write_now(text: &str) -> io::Result<()> {
    let mut out = stdout();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// What stands between us and the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Multiplexer {
    None,
    Tmux,
    Screen,
}

/// The sequence that puts a text on the clipboard.
fn clipboard_sequence(text: &str, multiplexer: Multiplexer) -> String {
    use base64::Engine;
    let encoded = base64::engine::general_purpose::STANDARD.encode(text);
    let plain = format!("\x1b]52;c;{encoded}\x07");
    match multiplexer {
        Multiplexer::None => plain,
        // tmux passes on what is wrapped with doubled escapes; when passing is off, it takes the plain one.
        Multiplexer::Tmux => format!(
            "{plain}\x1bPtmux;{}\x1b\\",
            plain.replace('\x1b', "\x1b\x1b")
        ),
        Multiplexer::Screen => format!("\x1bP{plain}\x1b\\"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_without_a_size_has_the_usual_one() {
        let none = |_: &str| None;
        assert_eq!(or_usual((0, 0), none), (80, 24));
        assert_eq!(or_usual((120, 40), |_| Some(7)), (120, 40));
        assert_eq!(or_usual((0, 40), none), (80, 40));
        let variables = |name: &str| (name == "COLUMNS").then_some(132);
        assert_eq!(or_usual((0, 0), variables), (132, 24));
        assert_eq!(or_usual((0, 0), |_| Some(0)), (80, 24));
    }

    #[test]
    fn the_clipboard_sequence_is_wrapped_for_multiplexers() {
        assert_eq!(
            clipboard_sequence("hi", Multiplexer::None),
            "\x1b]52;c;aGk=\x07"
        );
        assert!(
            clipboard_sequence("hi", Multiplexer::Tmux)
                .ends_with("\x1bPtmux;\x1b\x1b]52;c;aGk=\x07\x1b\\")
        );
        assert_eq!(
            clipboard_sequence("hi", Multiplexer::Screen),
            "\x1bP\x1b]52;c;aGk=\x07\x1b\\"
        );
    }
}
