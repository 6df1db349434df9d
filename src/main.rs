//! Parse the arguments, pick the console or a command.

fn main() {}
