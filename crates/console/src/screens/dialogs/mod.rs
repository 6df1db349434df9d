//! Boxes that ask or show: confirm, choose one, read a long text.

mod choice;
mod confirm;
mod reading;

use ratatui::layout::Rect;

pub(crate) use choice::{Choice, choose_copy, choose_export};
pub(in crate::screens) use choice::{choice_key, view_choice};
pub(crate) use confirm::{
    Confirm, ask_crawl, ask_profile, ask_quit, ask_redrive, ask_roll_back, ask_start_job, ask_stop,
    ask_stop_crawler, ask_stop_job, ask_stop_statement, asks_to_quit, offer_sample,
};
pub(in crate::screens) use confirm::{confirm_key, view_confirm};
pub(crate) use reading::{TextView, show_cell, show_line, show_text};
pub(in crate::screens) use reading::{text_key, view_text};

use crate::state::State;

fn screen(state: &State) -> Rect {
    Rect::new(0, 0, state.size.0, state.size.1)
}
