//! `view(state, buffer)`: draws the state, changes nothing, looks at visible rows only.

use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
};

use super::{
    actions::ActionId,
    format::{age, ago},
    screens::{
        activity, board, credentials, datamart, logs, overlay, reports, run, sources, table,
    },
    state::{Glyphs, SMALLEST, Screen, State},
    theme::to_ascii,
    update::spinner_step,
    widgets::{
        dialog::{beginning, wrapped},
        footer,
        text::{Pen, width},
        toast,
    },
};

/// Draws the console; returns where the caret is, if something is being typed.
pub(crate) fn view(state: &State, buffer: &mut Buffer) -> Option<Position> {
    let caret = if state.size.0 < SMALLEST.0 || state.size.1 < SMALLEST.1 {
        too_small(state, buffer);
        None
    } else {
        draw(state, buffer)
    };
    match state.glyphs {
        Glyphs::Unicode => {}
        Glyphs::AsciiMarks => to_ascii(buffer, false),
        Glyphs::AsciiOnly => to_ascii(buffer, true),
    }
    caret
}

fn draw(state: &State, buffer: &mut Buffer) -> Option<Position> {
    header(state, buffer);
    match state.screen {
        Screen::Board => board::view(state, buffer),
        Screen::Run => run::view(state, buffer),
        Screen::Logs => logs::view(state, buffer),
        Screen::Reports => reports::view(state, buffer),
        Screen::Table => table::view(state, buffer),
        Screen::Sources => sources::view(state, buffer),
        Screen::Datamart => datamart::view(state, buffer),
        Screen::Credentials => credentials::view(state, buffer),
        Screen::Activity => activity::view(state, buffer),
    }
    let (columns, rows) = state.size;
    footer::draw(
        state,
        buffer,
        Rect::new(0, rows.saturating_sub(1), columns, 1),
    );
    banner(state, buffer);
    let caret = overlay::view(state, buffer);
    let messages = match state.screen {
        // What happened and what to do stands at the right.
        Screen::Board => board::beside_advice(state),
        _ => Rect::new(0, 1, columns, rows.saturating_sub(2)),
    };
    toast::draw(state, buffer, messages);
    caret
}

fn too_small(state: &State, buffer: &mut Buffer) {
    let area = buffer.area;
    let lines = [
        "This window is too small for Lakehand.".to_owned(),
        format!(
            "It needs {} columns and {} rows; this is {} by {}.",
            SMALLEST.0, SMALLEST.1, state.size.0, state.size.1
        ),
        "Make it larger, or use the command line: lakehand status".to_owned(),
    ];
    let wrapped = lines.iter().flat_map(|line| wrapped(line, area.width));
    for (row, line) in wrapped.enumerate() {
        Pen::new(buffer, area, u16::try_from(row).unwrap_or(u16::MAX)).put(&line, state.theme.text);
    }
}

/// The screens of the header with their actions, their titles, shorter ones and the shortest.
const TABS: [(Screen, ActionId, [&str; 3]); 8] = [
    (Screen::Board, ActionId::GoBoard, ["Board"; 3]),
    (Screen::Run, ActionId::GoRun, ["Run"; 3]),
    (Screen::Logs, ActionId::GoLogs, ["Logs"; 3]),
    (
        Screen::Sources,
        ActionId::GoSources,
        ["Sources", "Sources", "Src"],
    ),
    (
        Screen::Datamart,
        ActionId::GoDatamart,
        ["Datamart", "Mart", "Mart"],
    ),
    (
        Screen::Reports,
        ActionId::GoReports,
        ["Reports", "Reports", "Rep"],
    ),
    (
        Screen::Credentials,
        ActionId::GoCredentials,
        ["Credentials", "Keys", "Keys"],
    ),
    (
        Screen::Activity,
        ActionId::GoActivity,
        ["Activity", "Calls", "Calls"],
    ),
];

const NAME: &str = " Lakehand  ";

/// Columns kept for the clock and the spinner.
const CLOCK: usize = 8;

/// A tab as it is drawn: key, title (empty where there is no room), first column, columns, blanks at its end.
struct Tab {
    screen: Screen,
    action: ActionId,
    key: String,
    title: &'static str,
    x: usize,
    wide: usize,
    behind: usize,
}

fn is_here(state: &State, screen: Screen) -> bool {
    screen == state.screen || (screen == Screen::Reports && state.screen == Screen::Table)
}

/// How much room titles get.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Titles {
    Whole,
    Short,
    Shortest,
    /// The same, one blank apart instead of two.
    Tight,
    /// Only that of the screen shown.
    Here,
}

/// The tabs with their places. On a narrow screen first our own name goes, then the ends of titles, then the titles
/// of other screens.
fn tabs(state: &State) -> (&'static str, Vec<Tab>) {
    let place = |name: &'static str, titles: Titles| {
        let mut x = width(name);
        let tabs: Vec<Tab> = TABS
            .into_iter()
            .map(|(screen, action, [whole, short, shortest])| {
                let key = state.key(action);
                let title = match titles {
                    Titles::Whole => whole,
                    Titles::Short => short,
                    Titles::Shortest | Titles::Tight => shortest,
                    Titles::Here if is_here(state, screen) => short,
                    Titles::Here => "",
                };
                let gap = usize::from(!title.is_empty());
                let behind = usize::from(titles != Titles::Tight);
                let wide = 1 + width(&key) + gap + width(title) + behind;
                let tab = Tab {
                    screen,
                    action,
                    key,
                    title,
                    x,
                    wide,
                    behind,
                };
                x += wide;
                tab
            })
            .collect();
        (x, name, tabs)
    };
    let ways = [
        place(NAME, Titles::Whole),
        place(" ", Titles::Whole),
        place(" ", Titles::Short),
        place(" ", Titles::Shortest),
        place(" ", Titles::Tight),
        place(NAME, Titles::Here),
    ];
    let whole = |place| {
        let room = usize::from(state.size.0).saturating_sub(CLOCK + kept_for_status(state, place));
        let titled = &ways[..ways.len() - 1];
        titled.iter().position(|(end, ..)| *end <= room)
    };
    // The titles of all screens are worth more than the place behind the profile's name.
    let fits = whole(place_columns(state)).or_else(|| whole(name_columns(state)));
    let chosen = fits.unwrap_or(ways.len() - 1);
    let (_, name, tabs) = ways
        .into_iter()
        .nth(chosen)
        .unwrap_or((0, NAME, Vec::new()));
    (name, tabs)
}

/// Columns that the tabs leave to what must not be missed: which profile this is, where it is when that is not this
/// machine, what it forbids, what its lake holds, that a service asks for fewer calls.
fn kept_for_status(state: &State, place: usize) -> usize {
    let stale = stale(state).map_or(0, |label| width(&label));
    let kept =
        place + stale + badge_columns(state) + throttled(state).map_or(0, |badge| width(&badge));
    // What is last at the right end needs a column before it.
    kept + usize::from(kept > 0)
}

/// Columns of the place, where there is one that must not be missed.
fn place_columns(state: &State) -> usize {
    let [whole, ..] = places(state);
    match state.identity.account.is_empty() {
        true => width(&whole),
        false => name_columns(state),
    }
}

/// What the profile forbids and what its lake holds, from the right end.
fn badges(state: &State) -> impl Iterator<Item = &'static str> {
    let identity = &state.identity;
    let all = [
        (identity.read_only, "READ-ONLY "),
        (identity.protected, "PROTECTED "),
        (state.connection.holds_sample, "SAMPLE "),
    ];
    all.into_iter()
        .filter_map(|(there, badge)| there.then_some(badge))
}

fn badge_columns(state: &State) -> usize {
    badges(state).map(width).sum()
}

/// Columns of the profile's name, which must not be missed.
fn name_columns(state: &State) -> usize {
    let [.., name] = places(state);
    width(&name)
}

/// Profile and place, with the account once it is known; then shorter forms, the last with the profile alone.
fn places(state: &State) -> [String; 3] {
    let (profile, region) = (&state.identity.profile, &state.identity.region);
    let short = format!("{profile} · {region}  ");
    let account = state.connection.account.as_ref();
    let whole = account.map(|account| format!("{profile} · {region} · {account}  "));
    [
        whole.unwrap_or_else(|| short.clone()),
        short,
        format!("{profile}  "),
    ]
}

/// The action of the tab at a column of the header.
pub(crate) fn tab_at(state: &State, column: u16) -> Option<ActionId> {
    if state.size.0 < SMALLEST.0 {
        return None;
    }
    let column = usize::from(column);
    let (_, tabs) = tabs(state);
    tabs.iter()
        .find(|tab| (tab.x..tab.x + tab.wide).contains(&column))
        .map(|tab| tab.action)
}

/// What the one banner says: nobody is signed in, or somebody of another account is, and what to press.
fn warning(state: &State) -> Option<String> {
    let connection = &state.connection;
    let command = connection
        .login_command
        .as_deref()
        .unwrap_or("aws sso login");
    let key = state.key(ActionId::SignIn);
    if let Some(why) = &connection.signed_out {
        return Some(format!(
            "Your AWS credentials do not work any more. {key} runs: {command}. Until then this asks once a minute. ({why})"
        ));
    }
    connection.other_account.as_ref().map(|whose| {
        format!(
            "Your AWS credentials are for another account than the profile {}: {whose}. Nothing is changed there. {key} runs: {command}",
            state.identity.profile
        )
    })
}

/// The one banner.
fn banner(state: &State, buffer: &mut Buffer) {
    let Some(text) = warning(state) else {
        return;
    };
    let style = state.theme.selection.patch(state.theme.bad);
    let columns = state.size.0;
    for (row, line) in beginning(&text, columns.saturating_sub(2), 3)
        .iter()
        .enumerate()
    {
        let row = u16::try_from(row).unwrap_or(0);
        let area = Rect::new(0, 1, columns, state.size.1.saturating_sub(2));
        let pen = Pen::new(buffer, area, row).put(" ", style).put(line, style);
        let rest = " ".repeat(usize::from(pen.left()));
        pen.put(&rest, style);
    }
}

fn header(state: &State, buffer: &mut Buffer) {
    let theme = &state.theme;
    let area = Rect::new(0, 0, state.size.0, 1);
    let (name, tabs) = tabs(state);
    let mut pen = Pen::new(buffer, area, 0).put(name, theme.strong);
    for tab in &tabs {
        let (key_style, style) = if is_here(state, tab.screen) {
            let here = theme.selection.patch(theme.strong);
            (here, here)
        } else {
            (theme.accent, theme.muted)
        };
        pen = pen.put(" ", style).put(&tab.key, key_style);
        if !tab.title.is_empty() {
            pen = pen.put(" ", style).put(tab.title, style);
        }
        pen = pen.put(&" ".repeat(tab.behind), style);
    }
    // What is at the right end must not run into the tabs.
    let end = u16::try_from(tabs.last().map_or(0, |tab| tab.x + tab.wide)).unwrap_or(u16::MAX);
    let right = Rect {
        x: end.min(state.size.0),
        width: state.size.0.saturating_sub(end),
        ..area
    };
    status(state, buffer, right);
}

/// Profile, clock, age, spinner: at the right end, what matters most last to go.
fn status(state: &State, buffer: &mut Buffer, area: Rect) {
    let theme = &state.theme;
    let clock = state
        .now
        .to_zoned(state.zone.clone())
        .strftime("%H:%M")
        .to_string();
    let mut pen = Pen::new(buffer, area, 0).right(&format!("{clock} "), theme.muted);
    if let Some(step) = spinner_step(state) {
        const TURNS: [&str; 4] = ["|", "/", "-", "\\"];
        pen = pen.right(&format!("{} ", TURNS[step % TURNS.len()]), theme.running);
    }
    if let Some(badge) = throttled(state) {
        pen = pen.right(&badge, theme.warn);
    }
    let (label, style) = match fetched(state).0 {
        Some(_) if let Some(stale) = stale(state) => (stale, theme.warn),
        // Nobody looks here: it is read more rarely, and says so.
        Some(at) if !state.focused => (
            format!("unfocused, read {} ", ago(at, state.now)),
            theme.muted,
        ),
        Some(at) if age(at, state.now) != "now" => {
            (format!("read {} ago ", age(at, state.now)), theme.muted)
        }
        _ => (String::new(), theme.muted),
    };
    if width(&label) + badge_columns(state) + name_columns(state) < usize::from(pen.left()) {
        pen = pen.right(&label, style);
    }
    for badge in badges(state) {
        pen = pen.right(badge, theme.warn);
    }
    let room = usize::from(pen.left());
    if let Some(place) = places(state).iter().find(|place| width(place) < room) {
        pen.right(place, theme.muted);
    }
}

/// What the header says of data that could not be read again.
fn stale(state: &State) -> Option<String> {
    match fetched(state) {
        (Some(at), true) => Some(format!("STALE {} ", age(at, state.now))),
        _ => None,
    }
}

/// What the header says while a service asks for fewer calls.
fn throttled(state: &State) -> Option<String> {
    let seconds = state.throttled()?;
    Some(format!("THROTTLED {seconds}s "))
}

/// When the data of this screen came, and whether the last question failed.
fn fetched(state: &State) -> (Option<jiff::Timestamp>, bool) {
    match state.screen {
        Screen::Board => (state.board.fetched_at(), state.board.is_failing()),
        Screen::Run => (state.run.fetched_at(), state.run.is_failing()),
        Screen::Reports => (state.reports.fetched_at(), state.reports.error().is_some()),
        Screen::Sources => (state.sources.fetched_at(), state.sources.is_failing()),
        Screen::Datamart => (state.datamart.fetched_at(), state.datamart.is_failing()),
        Screen::Credentials => (
            state.credentials.fetched_at(),
            state.credentials.is_failing(),
        ),
        Screen::Logs | Screen::Table | Screen::Activity => (None, false),
    }
}
