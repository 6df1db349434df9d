//! A question on the terminal whose answer is not shown: for `lakehand credentials set` without a screen.

use std::io::{self, Write};

use crossterm::{
    event::{self, DisableBracketedPaste, EnableBracketedPaste, Event, KeyCode, KeyModifiers},
    execute,
    terminal::{disable_raw_mode, enable_raw_mode},
};
use secrecy::SecretString;

use super::{keymap::Key, widgets::secret::SecretInput};

/// The terminal without echo; given back when this goes, whatever ends the question.
struct Unechoed;

impl Unechoed {
    fn enter() -> io::Result<Self> {
        enable_raw_mode()?;
        let unechoed = Self;
        execute!(io::stderr(), EnableBracketedPaste)?;
        Ok(unechoed)
    }
}

impl Drop for Unechoed {
    fn drop(&mut self) {
        let _ = execute!(io::stderr(), DisableBracketedPaste);
        let _ = disable_raw_mode();
        let _ = writeln!(io::stderr());
    }
}

/// What a key or a paste did to the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    More,
    Done,
    GivenUp,
}

/// Asks on standard error and reads the terminal: one line, or with `lines` until Ctrl-D. `None` after Ctrl-C.
///
/// # Errors
/// When the terminal refuses.
pub async fn ask_secret(question: &str, lines: bool) -> io::Result<Option<SecretString>> {
    let mut err = io::stderr();
    write!(err, "{question}")?;
    err.flush()?;
    // Held here and not by the reader, which nobody can end: a signal gives the terminal back at once.
    let _unechoed = Unechoed::enter()?;
    tokio::task::spawn_blocking(move || read(lines))
        .await
        .map_err(io::Error::other)?
}

fn read(lines: bool) -> io::Result<Option<SecretString>> {
    let mut input = SecretInput::default();
    loop {
        match step(&mut input, &event::read()?, lines) {
            Step::More => {}
            Step::Done => return Ok(Some(input.value())),
            Step::GivenUp => return Ok(None),
        }
    }
}

fn step(input: &mut SecretInput, event: &Event, lines: bool) -> Step {
    match event {
        Event::Paste(text) => input.insert(text),
        Event::Key(key) if key.is_release() => {}
        Event::Key(key) => {
            let control = key.modifiers.contains(KeyModifiers::CONTROL);
            match key.code {
                KeyCode::Char('c') if control => return Step::GivenUp,
                KeyCode::Char('d') if control => return Step::Done,
                KeyCode::Enter if lines => input.insert("\n"),
                KeyCode::Enter => return Step::Done,
                _ => {
                    input.key(Key::of(*key));
                }
            }
        }
        _ => {}
    }
    Step::More
}

#[cfg(test)]
mod tests {
    use crossterm::event::KeyEvent;
    use secrecy::ExposeSecret;

    use super::*;

    fn typed(events: &[Event], lines: bool) -> (String, Step) {
        let mut input = SecretInput::default();
        let mut last = Step::More;
        for event in events {
            last = step(&mut input, event, lines);
        }
        (input.value().expose_secret().to_owned(), last)
    }

    fn key(code: KeyCode, modifiers: KeyModifiers) -> Event {
        Event::Key(KeyEvent::new(code, modifiers))
    }

    #[test]
    fn enter_ends_a_line_and_control_d_ends_a_file() {
        let plain = |c| key(KeyCode::Char(c), KeyModifiers::NONE);
        let enter = key(KeyCode::Enter, KeyModifiers::NONE);
        let control = |c| key(KeyCode::Char(c), KeyModifiers::CONTROL);
        let back = key(KeyCode::Backspace, KeyModifiers::NONE);
        let word = [plain('a'), plain('x'), back, plain('B'), enter.clone()];
        assert_eq!(typed(&word, false), ("aB".to_owned(), Step::Done));
        let pasted = [Event::Paste("{\r\n}".to_owned()), enter, control('d')];
        assert_eq!(typed(&pasted, true), ("{\n}\n".to_owned(), Step::Done));
        assert_eq!(typed(&[plain('a'), control('c')], false).1, Step::GivenUp);
    }
}
