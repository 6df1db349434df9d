//! Colours and marks by meaning. The terminal's own sixteen colours on its default background; a monochrome
//! twin for `NO_COLOR`; an ASCII twin of every mark. A state is never told by colour alone.

use ratatui::{
    buffer::Buffer,
    style::{Color, Modifier, Style},
};

use lakehand_ops::{ExecutionStatus, ExecutionSummary, StageStatus};

/// Styles by meaning.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Theme {
    /// Ordinary text.
    pub(crate) text: Style,
    /// Less important text.
    pub(crate) muted: Style,
    /// Titles and what is looked for first.
    pub(crate) strong: Style,
    /// Names of panes.
    pub(crate) heading: Style,
    /// Keys in footer and help; links.
    pub(crate) accent: Style,
    /// Succeeded, fresh.
    pub(crate) good: Style,
    /// Failed.
    pub(crate) bad: Style,
    /// Late, stale, stopped, waiting.
    pub(crate) warn: Style,
    /// Under way.
    pub(crate) running: Style,
    /// Failed once, and put right by a later success.
    pub(crate) fixed: Style,
    /// The selected row of the pane that has the keys.
    pub(crate) selection: Style,
    /// The selected row of another pane.
    pub(crate) selection_away: Style,
    /// Found text.
    pub(crate) found: Style,
    /// Lines between panes.
    pub(crate) rule: Style,
}

impl Theme {
    /// Sixteen colours.
    pub(crate) fn colours() -> Self {
        let plain = Style::new();
        Self {
            text: plain,
            muted: plain.fg(Color::DarkGray),
            strong: plain.add_modifier(Modifier::BOLD),
            heading: plain.fg(Color::Cyan).add_modifier(Modifier::BOLD),
            accent: plain.fg(Color::Cyan),
            good: plain.fg(Color::Green),
            bad: plain.fg(Color::Red).add_modifier(Modifier::BOLD),
            warn: plain.fg(Color::Yellow),
            running: plain.fg(Color::LightBlue).add_modifier(Modifier::BOLD),
            fixed: plain.fg(Color::Blue),
            selection: plain.add_modifier(Modifier::REVERSED),
            selection_away: plain.add_modifier(Modifier::UNDERLINED),
            found: plain.fg(Color::Black).bg(Color::Yellow),
            rule: plain.fg(Color::DarkGray),
        }
    }

    /// No colour at all; what colour says is said by bold, underline, reverse and dim.
    pub(crate) fn mono() -> Self {
        let plain = Style::new();
        let bold = plain.add_modifier(Modifier::BOLD);
        Self {
            text: plain,
            muted: plain.add_modifier(Modifier::DIM),
            strong: bold,
            heading: bold.add_modifier(Modifier::UNDERLINED),
            accent: bold,
            good: plain,
            bad: bold.add_modifier(Modifier::UNDERLINED),
            warn: plain.add_modifier(Modifier::UNDERLINED),
            running: bold,
            fixed: plain.add_modifier(Modifier::DIM),
            selection: plain.add_modifier(Modifier::REVERSED),
            selection_away: plain.add_modifier(Modifier::UNDERLINED),
            found: bold.add_modifier(Modifier::REVERSED),
            rule: plain.add_modifier(Modifier::DIM),
        }
    }
}

/// A status as it is drawn: shape, word, colour.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    /// One column wide.
    pub(crate) symbol: &'static str,
    /// The same in a word.
    pub(crate) word: &'static str,
    /// The same in colour.
    pub(crate) style: Style,
}

/// The mark of an execution; a failure that a later success put right is "fixed", neither green nor red.
pub(crate) fn execution_mark(theme: &Theme, execution: &ExecutionSummary) -> Mark {
    if execution.superseded && needs_care(execution.status) {
        return Mark {
            symbol: "↺",
            word: "FIXED",
            style: theme.fixed,
        };
    }
    status_mark(theme, execution.status)
}

/// The mark of an execution status.
pub(crate) fn status_mark(theme: &Theme, status: ExecutionStatus) -> Mark {
    let (symbol, word, style) = match status {
        ExecutionStatus::Running => ("●", "RUNNING", theme.running),
        ExecutionStatus::Succeeded => ("✓", "OK", theme.good),
        ExecutionStatus::Failed => ("✗", "FAILED", theme.bad),
        ExecutionStatus::TimedOut => ("✗", "TIMED OUT", theme.bad),
        ExecutionStatus::Aborted => ("■", "STOPPED", theme.warn),
        ExecutionStatus::Interrupted => ("↯", "CUT OFF", theme.bad),
    };
    Mark {
        symbol,
        word,
        style,
    }
}

/// Whether this is an end that somebody should look at.
pub(crate) fn needs_care(status: ExecutionStatus) -> bool {
    matches!(
        status,
        ExecutionStatus::Failed
            | ExecutionStatus::TimedOut
            | ExecutionStatus::Interrupted
            | ExecutionStatus::Aborted
    )
}

/// The mark of a stage.
pub(crate) fn stage_mark(theme: &Theme, status: &StageStatus) -> Mark {
    let (symbol, word, style) = match status {
        StageStatus::NotReached => ("·", "not reached", theme.muted),
        StageStatus::Waiting { .. } => ("◌", "WAITING", theme.warn),
        StageStatus::Running => ("●", "RUNNING", theme.running),
        StageStatus::Succeeded => ("✓", "OK", theme.good),
        StageStatus::Parked { .. } => ("◌", "PARKED", theme.warn),
        StageStatus::Caught => ("↷", "CAUGHT", theme.warn),
        StageStatus::Failed => ("✗", "FAILED", theme.bad),
        StageStatus::Aborted => ("■", "STOPPED", theme.warn),
        StageStatus::Interrupted => ("↯", "CUT OFF", theme.bad),
    };
    Mark {
        symbol,
        word,
        style,
    }
}

/// The ASCII twin of a mark or line of ours.
fn ascii_twin(symbol: &str) -> Option<&'static str> {
    Some(match symbol {
        "✓" => "+",
        "✗" => "X",
        "●" | "◆" => "*",
        "◌" => "~",
        "·" => ".",
        "■" | "█" | "▓" | "▌" | "▐" => "#",
        "↯" => "!",
        "↷" => "c",
        "↺" => "f",
        "…" => "~",
        "─" | "━" | "╌" => "-",
        "│" | "┃" | "┆" | "▏" => "|",
        "╭" | "╮" | "╰" | "╯" | "├" | "┤" | "┬" | "┴" | "┼" | "┌" | "┐" | "└" | "┘" | "╞" => {
            "+"
        }
        "▶" | "▸" | "→" | "›" => ">",
        "◀" | "←" | "‹" => "<",
        "↑" | "▲" => "^",
        "↓" | "▼" => "v",
        "░" | "▒" => ":",
        "×" => "x",
        "–" | "—" => "-",
        "␊" | "␍" | "␉" | "␛" | "␀" | "\u{fffd}" => "?",
        _ => return None,
    })
}

/// Replaces our marks and lines by their ASCII twins; with `strictly`, for a terminal that knows no UTF-8, also
/// every other character from outside ASCII.
pub(crate) fn to_ascii(buffer: &mut Buffer, strictly: bool) {
    for cell in &mut buffer.content {
        if cell.symbol().is_ascii() {
            continue;
        }
        match ascii_twin(cell.symbol()) {
            Some(twin) => {
                cell.set_symbol(twin);
            }
            None if strictly => {
                cell.set_symbol("?");
            }
            None => {}
        }
    }
}
