//! Credentials: which there are, how old, whether the sources accept them. Values go in and never come out.

mod form;
mod view;

use std::{collections::HashMap, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use ratatui::layout::Rect;

pub(crate) use form::{SetForm, key as form_key, open as open_form, view as view_form};
pub(crate) use view::view;

use crate::{
    actions::{ActionId, Reason},
    effect::{Effect, Request},
    fresh::Fresh,
    state::{State, Tone},
    widgets::list::Cursor,
};
use lakehand_ops::{
    Credential, CredentialSet, CredentialState, CredentialVersion, OpsError, OpsResult,
    SignInResult, SignInVerdict,
};

/// State of the Credentials screen.
#[derive(Debug, Clone, Default)]
pub(crate) struct CredentialsState {
    pub(super) answer: Fresh<Arc<Vec<Credential>>>,
    pub(super) cursor: Cursor,
    pub(super) history: Option<(String, Fresh<Vec<CredentialVersion>>)>,
    pub(super) tests: HashMap<String, SignInTest>,
    /// The form whose value is being stored; it comes back if that is refused.
    pub(super) sent: Option<SetForm>,
}

/// The last sign-in to a source from this console.
#[derive(Debug, Clone)]
pub(crate) struct SignInTest {
    /// When it was answered.
    pub(super) at: Timestamp,
    /// What came back.
    pub(super) result: Result<SignInResult, OpsError>,
}

impl CredentialsState {
    /// All, as last read.
    pub(super) fn all(&self) -> &[Credential] {
        self.answer.value().map_or(&[], |all| all.as_slice())
    }

    /// The one under the cursor.
    pub(crate) fn selected(&self) -> Option<&Credential> {
        self.all().get(self.cursor.selected())
    }

    /// When they were read.
    pub(crate) fn fetched_at(&self) -> Option<Timestamp> {
        self.answer.fetched_at()
    }

    /// Whether the last reading failed.
    pub(crate) fn is_failing(&self) -> bool {
        self.answer.error().is_some()
    }

    /// When they are due to be read again.
    pub(crate) fn due(&self) -> Option<Timestamp> {
        self.answer.due(SignedDuration::from_secs(60))
    }
}

/// Whether the selected credential can be tested.
pub(crate) fn can_test(state: &State) -> Result<(), Reason> {
    match state.credentials.selected() {
        Some(_) => Ok(()),
        None => Err("no credential is selected".to_owned()),
    }
}

/// Whether the selected credential can be set.
pub(crate) fn can_set(state: &State) -> Result<(), Reason> {
    state.may_change()?;
    let selected = state
        .credentials
        .selected()
        .ok_or("no credential is selected")?;
    match &selected.state {
        CredentialState::Elsewhere { why } => Err(why.clone()),
        CredentialState::Environment { variable } => Err(format!(
            "the variable {variable} gives it; unset that first"
        )),
        _ => Ok(()),
    }
}

/// Where the list is; its titles are a row above.
pub(super) fn list(state: &State) -> Rect {
    let body = state.body();
    let wanted = u16::try_from(state.credentials.all().len()).unwrap_or(u16::MAX);
    let height = wanted.clamp(1, (body.height / 2).max(3));
    Rect {
        x: body.x + 1,
        y: body.y + 2,
        width: body.width.saturating_sub(2),
        height: height.min(body.height.saturating_sub(2)),
    }
}

fn height(state: &State) -> usize {
    usize::from(list(state).height).max(1)
}

/// Reads the list.
pub(crate) fn refresh(state: &mut State, effects: &mut Vec<Effect>) {
    let now = state.now;
    state.credentials.answer.asked(now);
    state.ask(Request::Credentials, effects);
    if let Some((path, _)) = state.credentials.history.clone() {
        state.ask_anew(Request::CredentialHistory(path), effects);
    }
}

/// Takes the list.
pub(crate) fn answered(
    state: &mut State,
    answer: OpsResult<Arc<Vec<Credential>>>,
    effects: &mut Vec<Effect>,
) {
    let now = state.now;
    let selected = state.credentials.selected().map(|one| one.path.clone());
    state.credentials.answer.answered(now, answer);
    let position = selected
        .and_then(|path| {
            state
                .credentials
                .all()
                .iter()
                .position(|one| one.path == path)
        })
        .unwrap_or(0);
    let (length, height) = (state.credentials.all().len(), height(state));
    state.credentials.cursor.select(position, length, height);
    want_history(state, effects);
}

/// Reads the history of the selected credential unless it is the one shown.
fn want_history(state: &mut State, effects: &mut Vec<Effect>) {
    let Some(path) = state.credentials.selected().map(|one| one.path.clone()) else {
        return;
    };
    let shown = state.credentials.history.as_ref();
    if shown.is_none_or(|(of, _)| *of != path) {
        state.credentials.history = Some((path.clone(), Fresh::default()));
        state.ask_anew(Request::CredentialHistory(path), effects);
    }
}

/// Takes a history.
pub(crate) fn answered_history(
    state: &mut State,
    path: &str,
    answer: OpsResult<Vec<CredentialVersion>>,
) {
    let now = state.now;
    if let Some((of, history)) = &mut state.credentials.history
        && of == path
    {
        history.answered(now, answer);
    }
}

/// Takes the result of a sign-in.
pub(crate) fn answered_test(state: &mut State, source: &str, result: OpsResult<SignInResult>) {
    let at = state.now;
    let (text, tone) = match &result {
        Ok(result) if result.verdict == SignInVerdict::Accepted => (
            format!("{source}: signed in as {}", result.message),
            Tone::Info,
        ),
        Ok(result) => (format!("{source}: {}", result.message), Tone::Problem),
        Err(error) => (
            format!("{source}: {error}. {}", error.advice),
            Tone::Problem,
        ),
    };
    state.toast(text, tone);
    state
        .credentials
        .tests
        .insert(source.to_owned(), SignInTest { at, result });
}

/// A new version was stored, or not.
pub(crate) fn answered_set(
    state: &mut State,
    path: &str,
    answer: OpsResult<CredentialSet>,
    effects: &mut Vec<Effect>,
) {
    match answer {
        Ok(set) => {
            // What was tested before says nothing about the new version.
            let sources = state
                .credentials
                .all()
                .iter()
                .find(|one| one.path == path)
                .map(|one| one.sources.clone())
                .unwrap_or_default();
            for source in sources {
                state.credentials.tests.remove(source);
            }
            let at = state.now;
            for result in set.sign_ins {
                let source = result.source.clone();
                let result = Ok(result);
                state
                    .credentials
                    .tests
                    .insert(source, SignInTest { at, result });
            }
            form::answered(state, path, None);
            let left_out = set.left_out.map(|what| format!("; {what}"));
            let said = format!(
                "{path} is set, version {}{}",
                set.version,
                left_out.unwrap_or_default()
            );
            match set.no_effect {
                Some(why) => state.toast(format!("{said}; but {why}"), Tone::Problem),
                None => state.toast(said, Tone::Info),
            }
        }
        Err(error) => {
            state.problem(format!("{path}: {error}. {}", error.advice));
            form::answered(state, path, Some(error.to_string()));
        }
    }
    refresh(state, effects);
}

/// Does an action; `false` if it is none of this screen's.
pub(crate) fn act(state: &mut State, action: ActionId, effects: &mut Vec<Effect>) -> bool {
    let (length, height) = (state.credentials.all().len(), height(state));
    if state.credentials.cursor.act(action, length, height) {
        want_history(state, effects);
        return true;
    }
    match action {
        ActionId::SetCredential => open_form(state),
        ActionId::TestCredential => {
            let selected = state.credentials.selected();
            let sources = selected.map(|one| one.sources.clone()).unwrap_or_default();
            for source in sources {
                state.ask(Request::TestCredentials(source.to_owned()), effects);
            }
        }
        // What there is to see of a credential is on the screen already; the next thing is to set it.
        ActionId::Open => match can_set(state) {
            Ok(()) => open_form(state),
            Err(reason) => state.problem(format!("set: {reason}")),
        },
        _ => return false,
    }
    true
}

/// Looks for the next credential that holds a text.
pub(crate) fn find(
    state: &mut State,
    text: &str,
    forward: bool,
    inclusive: bool,
    effects: &mut Vec<Effect>,
) {
    let wanted = text.to_lowercase();
    let all = state.credentials.all();
    let holds = |position: usize| {
        all.get(position)
            .is_some_and(|one| one.path.to_lowercase().contains(&wanted))
    };
    let from = state.credentials.cursor.selected();
    match super::run::next(all.len(), from, forward, inclusive, holds) {
        Some(position) => {
            let (length, height) = (all.len(), height(state));
            state.credentials.cursor.select(position, length, height);
            want_history(state, effects);
        }
        None => state.problem(format!("no credential with '{text}'")),
    }
}

/// A click; `true` if the row was already selected.
pub(crate) fn click(state: &mut State, x: u16, y: u16, effects: &mut Vec<Effect>) -> bool {
    let area = list(state);
    if !area.contains((x, y).into()) {
        return false;
    }
    let position = state.credentials.cursor.top() + usize::from(y - area.y);
    let (length, height) = (state.credentials.all().len(), height(state));
    let again = position == state.credentials.cursor.selected();
    if position < length {
        state.credentials.cursor.select(position, length, height);
        want_history(state, effects);
    }
    again && position < length
}
