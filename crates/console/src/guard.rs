//! Who gives the terminal back when this process cannot: a small child that waits for the end of a pipe.
//!
//! A process that runs out of memory is aborted or killed in the middle of whatever it does; no hook of ours runs
//! then, and the shell would be left without echo on the wrong screen. The child was started before the terminal
//! was taken. When the pipe ends without a word, it does what `leave` would have done. Where there is no `sh` or
//! no terminal to ask, there is no guard, and all else is as it was.

use std::{
    io::Write,
    process::{Child, Command, Stdio},
    sync::{Mutex, PoisonError},
};

/// The child that waits.
static GUARD: Mutex<Option<Child>> = Mutex::new(None);

/// Remembers the modes of the terminal; puts them back, unless it is told that this was done.
///
/// The signals that a shell sends to the whole group are not for it, and it must be able to set modes from the
/// background, where the shell has put it by then. It holds the terminal itself: where the console led the session, as
/// in a window of its own, its end sends everybody a hang-up and takes the name `/dev/tty` away.
const SCRIPT: &str = r#"
trap '' HUP INT QUIT TSTP TTIN TTOU
exec 3<>/dev/tty || exit 0
modes=$(stty -g <&3 2>/dev/null) || exit 0
echo ready
read -r word
[ "$word" = left ] && exit 0
stty "$modes" <&3 2>/dev/null
printf '\033[?1006l\033[?1000l\033[?2026l\033[?1004l\033[?2004l\033[0m\033[?1049l\033[?25h' >&3
printf 'lakehand was ended from outside or ran out of memory; what was running can be redriven (lakehand status)\n' >&3
"#;

/// Posts the guard and waits until it knows the terminal.
pub(crate) fn post() {
    if cfg!(not(unix)) {
        return;
    }
    let child = Command::new("sh")
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = child else {
        return;
    };
    if let Some(told) = child.stdout.take() {
        // One line, or the end when it has no terminal.
        let mut line = String::new();
        let _ = std::io::BufRead::read_line(&mut std::io::BufReader::new(told), &mut line);
    }
    *GUARD.lock().unwrap_or_else(PoisonError::into_inner) = Some(child);
}

/// Tells the guard that the terminal was given back.
pub(crate) fn dismiss() {
    let guard = GUARD.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(mut child) = guard else {
        return;
    };
    if let Some(mut pipe) = child.stdin.take() {
        let _ = pipe.write_all(b"left\n");
    }
    let _ = child.wait();
}
