//! Tests of the whole console: each screen as it is drawn, invariants under random keys, counted work per frame.

mod budget;
mod fuzz;
mod picture;
mod screens;
mod unread;
