//! The line editor, on a thread of its own: it waits in a read, which nothing else must wait for.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock, mpsc},
};

use rustyline::{
    CompletionType, Config, Context, Editor, Helper,
    completion::{Completer, FilenameCompleter, Pair},
    error::ReadlineError,
    highlight::Highlighter,
    hint::{Hint, Hinter},
    history::FileHistory,
    validate::{ValidationContext, ValidationResult, Validator},
};
use tokio::sync::oneshot;

use super::{
    commands,
    complete::{Names, candidates},
    script::split,
};
use crate::pipeline::text::for_terminal;

/// Statements that the history keeps, and the longest of them.
const KEPT: usize = 1000;
const LONGEST_KEPT: usize = 64 * 1024;

/// What the person at the terminal did.
#[derive(Debug, PartialEq, Eq)]
pub enum Typed {
    /// Entered a text.
    Text(String),
    /// Pressed Ctrl-C: what was begun is dropped.
    Dropped,
    /// Pressed Ctrl-D, or the terminal went away.
    End,
}

/// Asks for lines.
pub struct Lines(mpsc::Sender<(String, oneshot::Sender<Typed>)>);

impl Lines {
    /// Starts the editor.
    ///
    /// # Errors
    /// When there is no terminal, or no thread.
    pub fn start(history: PathBuf, names: Arc<RwLock<Names>>) -> io::Result<Self> {
        let (sender, questions) = mpsc::channel::<(String, oneshot::Sender<Typed>)>();
        let (started, has_started) = mpsc::channel();
        let work = move || {
            let mut editor = match editor(&history, names) {
                Ok(editor) => editor,
                Err(error) => return drop(started.send(Err(io::Error::other(error.to_string())))),
            };
            drop(started.send(Ok(())));
            while let Ok((prompt, answer)) = questions.recv() {
                if answer.send(read(&mut editor, &prompt, &history)).is_err() {
                    return;
                }
            }
        };
        std::thread::Builder::new()
            .name("prompt".to_owned())
            .spawn(work)?;
        has_started.recv().unwrap_or(Ok(()))?;
        Ok(Self(sender))
    }

    /// Waits for what is typed.
    pub async fn read(&self, prompt: &str) -> Typed {
        let (answer, typed) = oneshot::channel();
        if self.0.send((prompt.to_owned(), answer)).is_err() {
            return Typed::End;
        }
        typed.await.unwrap_or(Typed::End)
    }
}

fn editor(
    history: &Path,
    names: Arc<RwLock<Names>>,
) -> rustyline::Result<Editor<Assistant, FileHistory>> {
    let config = Config::builder()
        .max_history_size(KEPT)?
        .history_ignore_dups(true)?
        .history_ignore_space(true)
        .completion_type(CompletionType::List)
        .completion_show_all_if_ambiguous(true)
        .tab_stop(4)
        .build();
    let mut editor = Editor::with_config(config)?;
    editor.set_helper(Some(Assistant {
        names,
        files: FilenameCompleter::new(),
    }));
    // Without a history the prompt is as good as with one.
    let _ = only_own(history);
    let _ = editor.load_history(history);
    Ok(editor)
}

/// The history is the operator's own, whoever made the file and with whatever rights.
fn only_own(history: &Path) -> io::Result<()> {
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
    if let Some(folder) = history.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let file = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(history)?;
    file.set_permissions(std::fs::Permissions::from_mode(0o600))
}

fn read(editor: &mut Editor<Assistant, FileHistory>, prompt: &str, history: &Path) -> Typed {
    match editor.readline(prompt) {
        Ok(text) => {
            if !text.trim().is_empty() && text.len() <= LONGEST_KEPT {
                // Kept at once: a prompt that is killed loses nothing.
                let _ = editor.add_history_entry(&text);
                let _ = editor.append_history(history);
            }
            Typed::Text(text)
        }
        Err(ReadlineError::Interrupted) => Typed::Dropped,
        Err(ReadlineError::Eof) => Typed::End,
        Err(error) => {
            let told = for_terminal(&error.to_string()).into_owned();
            let _ = writeln!(io::stderr(), "the terminal cannot be read: {told}");
            Typed::End
        }
    }
}

/// Whether what was typed so far is to be run: a command, or whole statements.
fn is_whole(text: &str) -> bool {
    commands::parse(text).is_some() || split(text).is_complete
}

/// Tells the editor when a text ends and what Tab offers.
struct Assistant {
    names: Arc<RwLock<Names>>,
    files: FilenameCompleter,
}

impl Completer for Assistant {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        pos: usize,
        _context: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let (before, after) = line.split_at(pos);
        if ["\\i ", "\\o "]
            .iter()
            .any(|command| before.trim_start().starts_with(command))
        {
            return self.files.complete_path(line, pos);
        }
        let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
        let (start, words) = candidates(before, after, &names);
        let pairs = words.into_iter().map(|word| Pair {
            display: for_terminal(&word).into_owned(),
            replacement: for_terminal(&word).into_owned(),
        });
        Ok((start, pairs.collect()))
    }
}

impl Validator for Assistant {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        Ok(match is_whole(context.input()) {
            true => ValidationResult::Valid(None),
            false => ValidationResult::Incomplete,
        })
    }
}

/// What a new line of a statement says while nothing stands on it.
struct GoesOn;

impl Hint for GoesOn {
    fn display(&self) -> &str {
        "  -- goes on until ; and Ctrl-C drops it"
    }

    fn completion(&self) -> Option<&str> {
        None
    }
}

impl Hinter for Assistant {
    type Hint = GoesOn;

    fn hint(&self, line: &str, pos: usize, _context: &Context<'_>) -> Option<GoesOn> {
        (pos == line.len() && line.ends_with('\n')).then_some(GoesOn)
    }
}

impl Highlighter for Assistant {}

impl Helper for Assistant {}
