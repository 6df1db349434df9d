//! Really? What will be sent is fixed when the dialog opens. There are three levels: what is safe is confirmed by Enter
//! or y; what is not, or starts something that nobody may want, begins on Cancel; what ends something or cannot be taken
//! back asks to type its name: at three in the morning a habit of Enter must not be enough.

use crossterm::event::KeyCode;
use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
    style::Style,
};

use super::screen;
use crate::{
    actions::{self, Action, ActionId},
    effect::{Effect, Request, Risk},
    format::{full, plural},
    keymap::Key,
    screens::overlay::Overlay,
    state::{Requested, State, Tone},
    widgets::{
        dialog::{Guard, beginning, buttons, centred, frame},
        input::Input,
        text::{Pen, width},
    },
};
use lakehand_ops::{Redrive, Snapshot, Statement};
use lakehand_pipeline::text::shell_word;

/// The label of what somebody must think of before they say yes.
const BEWARE: &str = "Beware";

/// Asks before something changes. The identifiers are in the request since the dialog opened: whatever happens
/// to the list behind it, this is what will be sent.
#[derive(Debug, Clone)]
pub(crate) struct Confirm {
    title: &'static str,
    facts: Vec<(&'static str, String)>,
    request: Request,
    requested: Option<Requested>,
    labels: [&'static str; 2],
    on_yes: bool,
    name: Option<TypedName>,
    /// The name to type is that of the protected profile.
    of_profile: bool,
    guard: Guard,
}

/// How much it takes to confirm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    /// Enter or y: it does no harm.
    Plain,
    /// Begins on Cancel; y, or choosing the other button.
    Chosen,
    /// The name has to be typed.
    Typed,
}

/// A name that has to be typed before Yes is possible.
#[derive(Debug, Clone)]
struct TypedName {
    name: String,
    /// The end of it is not enough.
    whole: bool,
    input: Input,
}

impl TypedName {
    /// What is enough, or any longer end: the part behind the last hyphen, which tells executions apart; a short one is not.
    fn end(&self) -> &str {
        match self.name.rsplit_once('-') {
            Some((_, end)) if end.len() >= 4 && !self.whole => end,
            _ => &self.name,
        }
    }

    fn is_right(&self) -> bool {
        let typed = self.input.text().trim();
        match self.whole {
            true => typed == self.name,
            false => typed.len() >= self.end().len() && self.name.ends_with(typed),
        }
    }

    /// What was typed and is not right.
    fn mistyped(&self) -> Option<String> {
        let typed = self.input.text().trim();
        let wrong = !typed.is_empty() && !self.is_right();
        let what = if self.end().len() < self.name.len() {
            "the end of the name"
        } else {
            "the name"
        };
        wrong.then(|| format!("'{typed}' is not {what} {}: nothing was sent", self.name))
    }
}

impl Confirm {
    fn mistyped(&self) -> Option<String> {
        self.name.as_ref().and_then(TypedName::mistyped)
    }

    fn may_send(&self) -> bool {
        self.name.as_ref().is_none_or(TypedName::is_right)
    }

    fn is_of_quitting(&self) -> bool {
        matches!(self.request, Request::Quit)
    }

    /// What is typed or pasted goes into the name; once it is right, Yes has the focus.
    fn typed(&mut self, change: impl FnOnce(&mut Input)) {
        if let Some(name) = &mut self.name {
            change(&mut name.input);
            self.on_yes = name.is_right();
        }
    }

    /// A pasted text.
    pub(in crate::screens) fn paste(&mut self, text: &str) {
        self.typed(|input| input.insert(text));
    }
}

/// Asks whether to redrive.
pub(crate) fn ask_redrive(state: &mut State) {
    let Ok((execution, redrive)) = state.redrive_target() else {
        return;
    };
    let Redrive::Possible {
        stages,
        safety,
        known,
    } = redrive
    else {
        return;
    };
    let again = if stages.is_empty() {
        "what did not finish".to_owned()
    } else {
        stages.join(", ")
    };
    let name = execution.name.clone();
    let facts = vec![
        ("Execution", execution.id.to_string()),
        ("Runs again", again),
        (if *known { "Safe because" } else { BEWARE }, safety.clone()),
    ];
    let requested = Requested::Redrive(execution.redrives);
    let request = Request::Redrive(execution.id.clone());
    let title = "Redrive this execution?";
    let requested = Some(requested);
    // What nobody here knows is not confirmed by a habit of Enter.
    let level = if *known && state.redrive_is_advised() {
        Level::Plain
    } else {
        Level::Chosen
    };
    let request = (request, requested, level);
    ask(state, title, facts, request, "Redrive", name);
}

/// Asks whether to stop.
pub(crate) fn ask_stop(state: &mut State) {
    let Ok(execution) = state.stop_target() else {
        return;
    };
    let stage = execution
        .current_stage
        .clone()
        .unwrap_or_else(|| "between two stages".to_owned());
    let name = execution.name.clone();
    let afterwards = "it ends as stopped; a redrive goes on from what did not finish";
    let facts = vec![
        ("Execution", execution.id.to_string()),
        ("It is at", stage),
        ("Afterwards", afterwards.to_owned()),
    ];
    let request = Request::Stop(execution.id.clone(), "stopped from the console".to_owned());
    let title = "Stop this execution?";
    ask(
        state,
        title,
        facts,
        (request, Some(Requested::Stop), Level::Typed),
        "Stop",
        name,
    );
}

/// Asks whether to start a crawler.
pub(crate) fn ask_crawl(state: &mut State, name: String) {
    let facts = vec![
        ("Crawler", name.clone()),
        ("It", "reads folders and files, and makes new partitions and columns known to SQL; data stay as they are".to_owned()),
    ];
    let request = (Request::Crawl(name.clone()), None, Level::Plain);
    ask(state, "Start this crawler?", facts, request, "Start", name);
}

/// Asks whether a table goes back to a snapshot.
pub(crate) fn ask_roll_back(state: &mut State, table: String, snapshot: &Snapshot) {
    let rows = snapshot
        .rows
        .map(|rows| format!(", {}", plural(rows, "row")))
        .unwrap_or_default();
    let facts = vec![
        ("Table", table.clone()),
        (
            "Back to",
            format!(
                "snapshot {} of {} by {}{rows}",
                snapshot.version,
                full(snapshot.at, &state.zone),
                snapshot.operation
            ),
        ),
        (
            "Afterwards",
            "readers see those rows, by a new snapshot; nothing is lost, and you can go forward again"
                .to_owned(),
        ),
    ];
    let request = (Request::RollBack(snapshot.version), None, Level::Typed);
    ask(
        state,
        "Roll this table back?",
        facts,
        request,
        "Roll back",
        table,
    );
}

/// Asks whether to stop a SQL statement. The end of its id is enough of a name.
pub(crate) fn ask_stop_statement(state: &mut State, statement: &Statement) {
    let facts = vec![
        ("Statement", statement.id.clone()),
        (
            "It",
            format!("{}: {}", statement.kind, statement.first_line()),
        ),
        (
            "Afterwards",
            "it commits nothing; the execution that waits for it fails there, and can be redriven"
                .to_owned(),
        ),
    ];
    let end = statement
        .id
        .char_indices()
        .rev()
        .nth(3)
        .map_or(0, |(at, _)| at);
    let request = (
        Request::StopStatement(statement.id.clone()),
        None,
        Level::Typed,
    );
    let name = statement.id[end..].to_owned();
    ask(state, "Stop this statement?", facts, request, "Stop", name);
}

/// Asks whether to stop a crawler.
pub(crate) fn ask_stop_crawler(state: &mut State, name: String) {
    let facts = vec![
        ("Crawler", name.clone()),
        (
            "Afterwards",
            "the tables it has finished are known; it can be started again at any time".to_owned(),
        ),
    ];
    let request = (Request::StopCrawler(name.clone()), None, Level::Chosen);
    ask(state, "Stop this crawler?", facts, request, "Stop", name);
}

/// Asks whether to start a Glue job.
pub(crate) fn ask_start_job(state: &mut State, name: String) {
    let facts = vec![
        ("Glue job", name.clone()),
        (
            "It",
            "runs with its own default arguments; `lakehand jobs start` gives others".to_owned(),
        ),
    ];
    let request = (Request::StartJob(name.clone()), None, Level::Chosen);
    ask(state, "Start this Glue job?", facts, request, "Start", name);
}

/// Asks whether to stop a run of a Glue job.
pub(crate) fn ask_stop_job(state: &mut State, name: String, run: String) {
    let facts = vec![
        ("Glue job", name.clone()),
        ("Run", run.clone()),
        (
            "Afterwards",
            "it ends as stopped; what it has written stays, for better or worse".to_owned(),
        ),
    ];
    let request = (Request::StopJob(name.clone(), run), None, Level::Typed);
    ask(state, "Stop this run?", facts, request, "Stop", name);
}

fn ask(
    state: &mut State,
    title: &'static str,
    mut facts: Vec<(&'static str, String)>,
    (request, requested, level): (Request, Option<Requested>, Level),
    yes: &'static str,
    name: String,
) {
    facts.insert(1, ("Profile", place(state)));
    facts.extend(request.cli().map(|line| ("Same as", line)));
    let name = (level == Level::Typed).then(|| TypedName {
        name,
        whole: false,
        input: Input::default(),
    });
    state.overlay = Some(Overlay::Confirm(Confirm {
        title,
        facts,
        request,
        requested,
        labels: ["Cancel", yes],
        on_yes: level == Level::Plain,
        name,
        of_profile: false,
        guard: Guard::opened(state.now),
    }));
}

/// Where a change would happen: profile, account, region.
fn place(state: &State) -> String {
    let identity = &state.identity;
    let account = match identity.account.as_str() {
        "" => state.connection.account.as_deref(),
        known => Some(known),
    };
    let account = account.unwrap_or("account not known yet");
    format!("{} · {account} · {}", identity.profile, identity.region)
}

/// Asks for the name of a protected profile, before any change in it.
pub(crate) fn ask_profile(state: &mut State, request: Request, requested: Option<Requested>) {
    let mut facts = vec![
        ("Profile", format!("{}: it is protected", place(state))),
        ("Change", format!("{} {}", request.name(), request.target())),
    ];
    let named = shell_word(&state.identity.profile);
    let same = |line| format!("{line} --confirm {named}");
    facts.extend(request.cli().map(|line| ("Same as", same(line))));
    let name = TypedName {
        name: state.identity.profile.clone(),
        whole: true,
        input: Input::default(),
    };
    state.overlay = Some(Overlay::Confirm(Confirm {
        title: "Change something in a protected profile?",
        facts,
        request,
        requested,
        labels: ["Cancel", "Change"],
        on_yes: false,
        name: Some(name),
        of_profile: true,
        guard: Guard::opened(state.now),
    }));
}

/// Asks whether to quit although executions run: those in this process end with it, those in processes of their own go
/// on.
pub(crate) fn ask_quit(state: &mut State) {
    let connection = &state.connection;
    let cut_off = !connection.running_here.is_empty();
    let running = match cut_off {
        true => &connection.running_here,
        false => &connection.running_apart,
    };
    let what_happens = match (running.len(), cut_off) {
        (1, true) => "1 execution runs in this console; quitting cuts it off, and it can be redriven"
            .to_owned(),
        (several, true) => format!(
            "{several} executions run in this console; quitting cuts them off, and they can be redriven"
        ),
        (1, false) => "1 execution that was started here goes on in a process of its own; quitting does not touch it"
            .to_owned(),
        (several, false) => format!(
            "{several} executions that were started here go on in processes of their own; quitting does not touch them"
        ),
    };
    let names: Vec<String> = running.iter().map(ToString::to_string).collect();
    let mut facts = vec![("", what_happens), ("", names.join(", "))];
    if !cut_off {
        facts.push(("", "lakehand runs list shows them later".to_owned()));
    }
    state.overlay = Some(Overlay::Confirm(Confirm {
        title: if cut_off {
            "Quit all the same?"
        } else {
            "Quit?"
        },
        facts,
        request: Request::Quit,
        requested: None,
        labels: ["Stay", "Quit"],
        on_yes: !cut_off,
        name: None,
        of_profile: false,
        guard: Guard::opened(state.now),
    }));
}

/// Whether the question of [`ask_quit`] is open.
pub(crate) fn asks_to_quit(state: &State) -> bool {
    match &state.overlay {
        Some(Overlay::Confirm(confirm)) => confirm.is_of_quitting(),
        _ => false,
    }
}

/// Offers the sample to somebody who starts with an empty lake. Where a source is configured, Enter must not make its
/// lake a sample lake.
pub(crate) fn offer_sample(state: &mut State) {
    let mut facts = vec![
        ("", "The lake is empty: nothing was collected yet.".to_owned()),
        ("", "Lakehand can show you the whole way with sample data: it starts its built-in simulator, collects, builds the daily report, and ends on the finished table. No account, no network.".to_owned()),
        ("Same as", "lakehand demo".to_owned()),
    ];
    if state.identity.is_configured {
        let beware = "this profile is configured: its own sources are not collected into a lake of sample data";
        facts.push((BEWARE, beware.to_owned()));
    }
    let confirm = Confirm {
        title: "Try it here with sample data?",
        facts,
        request: Request::StartSample,
        requested: None,
        labels: ["Not now", "Try it"],
        on_yes: !state.identity.is_configured,
        name: None,
        of_profile: false,
        guard: Guard::opened(state.now),
    };
    state.overlay = Some(Overlay::Confirm(confirm));
}

/// A key in a confirmation.
pub(in crate::screens) fn confirm_key(
    state: &mut State,
    mut confirm: Confirm,
    key: Key,
    effects: &mut Vec<Effect>,
) {
    let counts = confirm.guard.lets_through(state.now);
    let typing = confirm.name.is_some();
    match key.key_code() {
        KeyCode::Esc => return,
        // A name that was typed is no held key; the key that opened the dialog may still be one.
        KeyCode::Enter if typing && confirm.on_yes => return send(state, confirm, effects),
        KeyCode::Enter if counts && let Some(wrong) = confirm.mistyped() => state.problem(wrong),
        KeyCode::Tab | KeyCode::BackTab if typing => {
            confirm.on_yes = !confirm.on_yes && confirm.may_send();
        }
        _ if typing && !counts && key != Key::ENTER && !opens(state, key) => {
            confirm.typed(|input| {
                input.key(key);
            });
        }
        _ if !counts => {}
        _ if insists(state, &confirm, key) => return send(state, confirm, effects),
        KeyCode::Enter if !confirm.on_yes => return,
        KeyCode::Enter => return send(state, confirm, effects),
        KeyCode::Tab | KeyCode::BackTab => confirm.on_yes = !confirm.on_yes,
        _ if typing => confirm.typed(|input| {
            input.key(key);
        }),
        KeyCode::Char('y') => return send(state, confirm, effects),
        KeyCode::Char('q' | 'n') => return,
        KeyCode::Left | KeyCode::Right | KeyCode::Char('h' | 'l' | 'j' | 'k') => {
            confirm.on_yes = !confirm.on_yes;
        }
        _ => {}
    }
    state.overlay = Some(Overlay::Confirm(confirm));
}

/// Whether a key is one that asks for a confirmation of this kind.
fn opens(state: &State, key: Key) -> bool {
    let asks = |action: &Action| {
        matches!(
            action.id,
            ActionId::Redrive
                | ActionId::Stop
                | ActionId::StopCrawler
                | ActionId::StopStatement
                | ActionId::RollBack
        )
    };
    actions::for_key(state, key).is_some_and(asks)
}

/// Whether this is ^C, which cannot mean anything else, at the question whether to quit. A second q closes the question
/// like any other: it must not confirm what the selection does not.
fn insists(state: &State, confirm: &Confirm, key: Key) -> bool {
    let interrupts = |action: &Action| action.id == ActionId::Interrupt;
    confirm.is_of_quitting() && actions::for_key(state, key).is_some_and(interrupts)
}

fn send(state: &mut State, confirm: Confirm, effects: &mut Vec<Effect>) {
    let changes = confirm.request.risk() != Risk::Read;
    if state.identity.protected && changes && !confirm.of_profile {
        return ask_profile(state, confirm.request, confirm.requested);
    }
    match &confirm.request {
        Request::Redrive(id) | Request::Stop(id, _) => {
            if let Some(requested) = confirm.requested {
                state.requested.insert(id.clone(), requested);
            }
            let text = format!("{} requested", confirm.request.name());
            state.toast(text, Tone::Info);
        }
        Request::StartSample => crate::update::demo_started(state),
        _ => {}
    }
    match confirm.of_profile {
        true => {
            let profile = state.identity.profile.clone();
            state.ask_confirmed(confirm.request, profile, effects);
        }
        false => state.ask(confirm.request, effects),
    }
}

/// Draws a confirmation; returns where the caret is when a name is typed.
pub(in crate::screens) fn view_confirm(
    state: &State,
    confirm: &Confirm,
    buffer: &mut Buffer,
) -> Option<Position> {
    let theme = &state.theme;
    let columns = state.size.0.saturating_sub(4).min(88);
    let label = label_columns(confirm);
    let lines = fact_lines(state, confirm, columns.saturating_sub(4 + label));
    let typed_rows = if confirm.name.is_some() { 3 } else { 0 };
    let rows = u16::try_from(lines.len())
        .unwrap_or(u16::MAX)
        .saturating_add(6 + typed_rows);
    let border = if confirm.request.risk() == Risk::Danger {
        theme.warn
    } else {
        theme.accent
    };
    let inside = frame(
        buffer,
        centred(screen(state), columns, rows),
        confirm.title,
        border,
        theme,
    );
    for (row, (name, line, style)) in lines.iter().enumerate() {
        let row = u16::try_from(row).unwrap_or(u16::MAX).saturating_add(1);
        if row + 2 + typed_rows < inside.height {
            Pen::new(buffer, inside, row)
                .cell(name, label, theme.muted)
                .put(line, *style);
        }
    }
    if inside.height < 2 + typed_rows {
        return None;
    }
    let row = inside.height - 2;
    let caret = confirm
        .name
        .as_ref()
        .map(|name| typed_name(state, name, buffer, inside, row - typed_rows));
    let focused = usize::from(confirm.on_yes);
    buttons(buffer, inside, row, &confirm.labels, focused, theme);
    let hint = match (&confirm.name, confirm.may_send()) {
        (Some(name), false) if name.mistyped().is_some() => "that is not the name yet  Esc",
        (Some(_), false) => "Enter cancels",
        (Some(_), true) => "Tab choose  Enter  Esc",
        (None, _) => "← → choose  Enter  y yes  Esc",
    };
    Pen::new(buffer, inside, row)
        .gap(30)
        .right(hint, theme.muted);
    caret
}

/// Columns of the widest label and the gap behind it.
fn label_columns(confirm: &Confirm) -> u16 {
    let widest = confirm.facts.iter().map(|(label, _)| width(label)).max();
    u16::try_from(widest.unwrap_or(0) + 2).unwrap_or(2)
}

/// The facts, broken into lines of this many columns.
fn fact_lines<'c>(
    state: &State,
    confirm: &'c Confirm,
    columns: u16,
) -> Vec<(&'c str, String, Style)> {
    let theme = &state.theme;
    let mut lines = Vec::new();
    for (name, text) in &confirm.facts {
        let style = match *name {
            "Same as" => theme.muted,
            BEWARE => theme.warn,
            _ => theme.text,
        };
        for (row, line) in beginning(text, columns, 5).into_iter().enumerate() {
            lines.push((if row == 0 { *name } else { "" }, line, style));
        }
    }
    lines
}

/// Two rows: what to type, and the field.
fn typed_name(
    state: &State,
    name: &TypedName,
    buffer: &mut Buffer,
    inside: Rect,
    row: u16,
) -> Position {
    let theme = &state.theme;
    let start = name.name.strip_suffix(name.end()).unwrap_or_default();
    let pen = Pen::new(buffer, inside, row);
    let pen = if start.is_empty() {
        pen.put("Type the name ", theme.muted)
    } else {
        pen.put("Type the end of the name ", theme.muted)
            .put(start, theme.muted)
    };
    pen.put(name.end(), theme.strong);
    let (mark, style) = match name.is_right() {
        true => ("✓ ", theme.good),
        false => ("› ", theme.accent),
    };
    let pen = Pen::new(buffer, inside, row + 1).put(mark, style);
    let (x, left) = (pen.x(), pen.left());
    name.input
        .draw(buffer, x, inside.y + row + 1, left, theme.text)
}
