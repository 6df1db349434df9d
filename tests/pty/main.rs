//! The real binary on a real pseudo-terminal: what it leaves behind, whatever ends it.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod prompt;
mod session;

use std::{
    sync::atomic::Ordering,
    thread,
    time::{Duration, Instant},
};

use portable_pty::CommandBuilder;

use session::{PATIENCE, Session};

#[test]
fn keys_resize_and_quit() {
    let mut session = Session::open(&[]);
    session
        .on_the_board()
        .press("?")
        .see("Keys of this screen")
        .escape("Keys of this screen")
        .press("6")
        .see("written");
    session
        .resize(120, 40)
        .press("!")
        .see("the same as a command");
    session.resize(40, 10).see("too small");
    session.resize(80, 24).see("Activity").press("1q");
    assert_eq!(session.exit_code(), 0);
    session.is_restored();
}

#[test]
fn the_mouse_is_captured_on_request_and_given_back() {
    let mut session = Session::open(&[]);
    session.on_the_board();
    let mode = |session: &Session| {
        session
            .parser
            .lock()
            .unwrap()
            .screen()
            .mouse_protocol_mode()
    };
    let before = mode(&session);
    session
        .press("%")
        .until("the mouse mode changes", move |session| {
            mode(session) != before
        });
    session.press("\x03\x03");
    assert_eq!(session.exit_code(), 0);
    session.is_restored();
}

#[test]
fn a_panic_gives_the_terminal_back_first() {
    let mut session = Session::open(&[("LAKEHAND_TEST_PANIC", "1")]);
    session.on_the_board().press("\x1b[24~");
    assert_ne!(session.exit_code(), 0);
    session.is_restored();
    session.see("a panic on request");
}

#[test]
fn without_the_variable_nothing_panics() {
    let mut session = Session::open(&[]);
    session
        .on_the_board()
        .press("\x1b[24~")
        .press("?")
        .see("Keys of this screen")
        .escape("Keys of this screen")
        .press("q");
    assert_eq!(session.exit_code(), 0);
}

#[test]
fn signals_end_it_and_give_the_terminal_back() {
    for (name, number) in [("TERM", 15), ("HUP", 1), ("INT", 2)] {
        let mut session = Session::open(&[]);
        session.on_the_board().signal(name);
        assert_eq!(session.exit_code(), 128 + number, "SIG{name}");
        session.is_restored();
    }
}

#[test]
fn a_terminal_that_goes_away_ends_it() {
    let mut session = Session::open(&[]);
    session.on_the_board();
    // The kernel hangs up once nobody holds the other end: not the reader, not the writer.
    session.stop_reading.store(true, Ordering::SeqCst);
    session.press("?");
    thread::sleep(Duration::from_millis(300));
    drop(session.writer.take());
    drop(session.master.take());
    let end = Instant::now() + PATIENCE;
    while session.child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < end, "the console outlived its terminal");
        thread::sleep(Duration::from_millis(15));
    }
}

#[test]
fn control_z_stops_it_and_it_comes_back() {
    for by_signal in [false, true] {
        let mut session = Session::open(&[]);
        session.on_the_board();
        if by_signal {
            session.signal("TSTP")
        } else {
            session.press("\x1a");
        }
        session.until("it stops", |session| session.process().1 == 'T');
        session.is_restored();
        session.signal("CONT");
        session.until("it is back", |session| {
            session.parser.lock().unwrap().screen().alternate_screen()
        });
        session
            .see("1 Board")
            .press("?")
            .see("Keys of this screen")
            .escape("Keys of this screen")
            .press("q");
        assert_eq!(session.exit_code(), 0);
        session.is_restored();
    }
}

#[test]
fn idle_costs_nothing() {
    let mut session = Session::open(&[]);
    session.on_the_board();
    thread::sleep(Duration::from_secs(2));
    let (before, written) = (session.process().0, session.bytes.lock().unwrap().len());
    thread::sleep(Duration::from_secs(5));
    let (after, rewritten) = (session.process().0, session.bytes.lock().unwrap().len());
    // A tick is 10 ms; the clock of the header or one poll may fall into the five seconds.
    assert!(
        after - before <= 2,
        "{} ticks of processor time in five idle seconds",
        after - before
    );
    assert!(
        rewritten - written <= 400,
        "{} bytes drawn in five idle seconds",
        rewritten - written
    );
}

#[test]
fn without_colours_the_selection_is_still_visible() {
    let mut session = Session::open(&[("NO_COLOR", "1")]);
    session.see("Try it here with sample data?");
    let bytes = String::from_utf8_lossy(&session.bytes.lock().unwrap()).into_owned();
    assert!(bytes.contains("\x1b[7m"), "nothing is reversed");
    let coloured = (31..=37)
        .chain(91..=97)
        .any(|code| bytes.contains(&format!("\x1b[{code}m")))
        || bytes.contains("\x1b[38;5;");
    assert!(!coloured, "something is coloured");
}

#[test]
fn frames_are_drawn_at_once() {
    let mut session = Session::open(&[]);
    session.on_the_board();
    let bytes = session.bytes.lock().unwrap().clone();
    let count = |wanted: &[u8]| {
        bytes
            .windows(wanted.len())
            .filter(|window| *window == wanted)
            .count()
    };
    assert!(count(b"\x1b[?2026h") > 0);
    assert_eq!(count(b"\x1b[?2026h"), count(b"\x1b[?2026l"));
}

/// Status of the newest execution of collect, as another process reads it.
fn collect_in(home: &std::path::Path) -> String {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_lakehand"))
        .args(["runs", "list", "--workflow", "collect", "--output", "json"])
        .env("LAKEHAND_HOME", home)
        .output()
        .unwrap();
    let all: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    all[0]["status"].as_str().unwrap_or("none").to_owned()
}

/// A console in which the sample's collection runs, slowly enough to leave it.
fn with_a_slow_collection() -> Session {
    let slow = "slow@/3.0/stats/clicks:3s";
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_lakehand"));
    command.args(["demo", "--scale", "60", "--faults", slow]);
    // Beside the sample's mark a narrow screen has no room for the program's name.
    let mut session = Session::with(command, (80, 24), &[], "1 Board");
    session.see("RUNNING");
    assert_eq!(collect_in(session.home.path()), "RUNNING");
    session
}

fn it_goes_on(session: &mut Session) {
    session.until("the end of the collection", |session| {
        collect_in(session.home.path()) != "RUNNING"
    });
    assert_eq!(collect_in(session.home.path()), "SUCCEEDED");
}

#[test]
fn what_was_started_here_survives_a_console_that_is_killed() {
    let mut session = with_a_slow_collection();
    session.signal("KILL");
    session.exit_code();
    it_goes_on(&mut session);
}

#[test]
fn what_was_started_here_survives_a_closed_terminal() {
    let mut session = with_a_slow_collection();
    session.stop_reading.store(true, Ordering::SeqCst);
    session.writer = None;
    session.master = None;
    session.exit_code();
    it_goes_on(&mut session);
}

#[test]
fn quitting_says_that_what_was_started_here_goes_on() {
    let mut session = with_a_slow_collection();
    session.press("q").see("goes on in a process of its own");
    thread::sleep(Duration::from_millis(500));
    // A second one closes the question.
    session.press("q").until("the question closes", |session| {
        !session.screen().contains("process of its own")
    });
    assert!(session.child.try_wait().unwrap().is_none());
    session.press("q").see("▸ Quit");
    thread::sleep(Duration::from_millis(500));
    session.press("\r");
    assert_eq!(session.exit_code(), 0);
    session.is_restored();
    it_goes_on(&mut session);
}

#[test]
fn killed_or_aborted_it_leaves_the_terminal_as_it_was() {
    // An abort is what running out of memory ends in, a kill what the system does then.
    for name in ["KILL", "ABRT"] {
        let mut session = Session::open(&[]);
        session.on_the_board().signal(name);
        session.see("ended from outside or ran out of memory");
        session.is_restored();
    }
}

#[test]
fn stopped_without_a_word_it_takes_the_terminal_again() {
    let mut session = Session::open(&[]);
    session.on_the_board().signal("STOP");
    session.until("it stops", |session| session.process().1 == 'T');
    let name = session.master.as_ref().unwrap().tty_name().unwrap();
    let cooked = std::process::Command::new("stty")
        .arg("-F")
        .arg(name)
        .arg("sane")
        .status();
    assert!(cooked.unwrap().success());
    session.signal("CONT");
    session.until("raw mode", |session| !session.is_cooked());
    session.press("?").see("Keys of this screen");
}

#[test]
fn a_hang_up_that_nobody_passes_on_ends_it() {
    // The shell leads the session, keeps the signal to itself and lives on.
    let mut command = CommandBuilder::new("sh");
    let script = "trap '' HUP; \"$0\" </dev/tty & echo $! >\"$LAKEHAND_HOME/pid\"; wait; sleep 90";
    command.args(["-c", script, env!("CARGO_BIN_EXE_lakehand")]);
    let mut session = Session::with(command, (80, 24), &[], "Lakehand");
    session.on_the_board();
    let pid = std::fs::read_to_string(session.home.path().join("pid")).unwrap();
    let lives = || std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
    assert!(lives().is_ok());
    session.stop_reading.store(true, Ordering::SeqCst);
    session.press("?");
    thread::sleep(Duration::from_millis(300));
    drop(session.writer.take());
    drop(session.master.take());
    let end = Instant::now() + PATIENCE;
    while lives().is_ok_and(|stat| !stat.contains(") Z ")) {
        assert!(Instant::now() < end, "the console outlived its terminal");
        thread::sleep(Duration::from_millis(15));
    }
}

#[test]
fn a_terminal_without_a_size_gets_a_usual_one() {
    let command = CommandBuilder::new(env!("CARGO_BIN_EXE_lakehand"));
    Session::with(command, (0, 0), &[], "Lakehand").on_the_board();
}

#[test]
fn terminals_that_can_do_less_are_not_asked_for_more() {
    let command = CommandBuilder::new(env!("CARGO_BIN_EXE_lakehand"));
    let mut dumb = Session::with(command, (80, 24), &[("TERM", "dumb")], "lakehand status");
    assert_eq!(dumb.exit_code(), 5);
    assert!(!dumb.bytes.lock().unwrap().contains(&0x1b));
    for term in ["linux", "vt220"] {
        let mut session = Session::open(&[("TERM", term)]);
        session.on_the_board();
        assert!(session.screen().is_ascii(), "{}", session.screen());
    }
}
