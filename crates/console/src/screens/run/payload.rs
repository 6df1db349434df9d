//! Input and output as indented JSON, one entry a line, made when the selection changes.

use std::sync::Arc;

use crate::{actions::ActionId, widgets::list::Scroll};
use lakehand_ops::{ExecutionDetail, Stage};

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LineKind {
    /// A title.
    Title,
    /// Text.
    Text,
}

/// The lines of the I/O tab.
#[derive(Debug, Clone, Default)]
pub(crate) struct Payload {
    lines: Vec<(LineKind, String)>,
    sources: Vec<(String, Option<Arc<str>>)>,
    /// Whether the execution has ended: then no output is to come.
    ended: bool,
    scroll: Scroll,
    offset: usize,
}

impl Payload {
    /// Lines with their kinds.
    pub(crate) fn lines(&self) -> &[(LineKind, String)] {
        &self.lines
    }

    /// The first visible line.
    pub(crate) fn top(&self) -> usize {
        self.scroll.top()
    }

    /// Columns scrolled away.
    pub(crate) fn offset(&self) -> usize {
        self.offset
    }

    /// Shows what a stage got and gave, then what the execution did.
    pub(super) fn show(&mut self, detail: Option<&ExecutionDetail>, stage: Option<&Stage>) {
        let ended = detail.is_some_and(|detail| detail.summary.status.is_ended());
        let mut sources = Vec::new();
        if let Some(stage) = stage {
            sources.push((format!("Input of {}", stage.name), stage.input.clone()));
            sources.push((format!("Output of {}", stage.name), stage.output.clone()));
        }
        if let Some(detail) = detail {
            sources.push((
                "Input of the execution".to_owned(),
                Some(detail.input.clone()),
            ));
            sources.push(("Output of the execution".to_owned(), detail.output.clone()));
        }
        if sources == self.sources && ended == self.ended {
            return;
        }
        let other_stage =
            sources.first().map(|source| &source.0) != self.sources.first().map(|source| &source.0);
        self.lines = sources
            .iter()
            .flat_map(|(title, text)| section(title, text.as_deref(), ended))
            .collect();
        self.sources = sources;
        self.ended = ended;
        if other_stage {
            self.scroll = Scroll::default();
        }
    }

    /// Does a moving action.
    pub(super) fn act(&mut self, action: ActionId, height: usize) -> bool {
        self.scroll.act(action, self.lines.len(), height)
    }

    /// Shows a line.
    pub(super) fn scroll_to(&mut self, line: usize, height: usize) {
        self.scroll.to(line, self.lines.len(), height);
    }

    /// The texts as they are, for copying.
    pub(crate) fn whole(&self) -> String {
        self.lines
            .iter()
            .map(|(_, line)| line.as_str())
            .collect::<Vec<_>>()
            .join("\n")
    }
}

fn section(title: &str, text: Option<&str>, ended: bool) -> Vec<(LineKind, String)> {
    let mut lines = vec![(LineKind::Title, title.to_owned())];
    let body = match text {
        None if ended => "none".to_owned(),
        None => "none yet".to_owned(),
        Some(text) => match serde_json::from_str::<serde_json::Value>(text) {
            Ok(value) => serde_json::to_string_pretty(&value).unwrap_or_else(|_| text.to_owned()),
            Err(_) => text.to_owned(),
        },
    };
    lines.extend(body.lines().map(|line| (LineKind::Text, line.to_owned())));
    lines.push((LineKind::Text, String::new()));
    lines
}
