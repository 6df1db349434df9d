//! The real binary on a real pseudo-terminal: what it leaves behind, whatever ends it.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    io::{Read, Write},
    num::NonZero,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// How long anything may take before the test fails; no test asserts how fast it is.
const PATIENCE: Duration = Duration::from_secs(60);

fn cells(count: u16) -> NonZero<u16> {
    NonZero::new(count).unwrap()
}

/// The console on a pseudo-terminal, and what the terminal shows.
struct Session {
    child: Box<dyn Child + Send + Sync>,
    master: Option<Box<dyn MasterPty + Send>>,
    writer: Option<Box<dyn Write + Send>>,
    stop_reading: Arc<AtomicBool>,
    parser: Arc<Mutex<vt100::Parser>>,
    bytes: Arc<Mutex<Vec<u8>>>,
    home: tempfile::TempDir,
}

impl Session {
    fn open(variables: &[(&str, &str)]) -> Self {
        let command = CommandBuilder::new(env!("CARGO_BIN_EXE_lakehand"));
        Self::with(command, (80, 24), variables, "Lakehand")
    }

    /// A command on a terminal of a size, once it has written something.
    fn with(
        mut command: CommandBuilder,
        (cols, rows): (u16, u16),
        variables: &[(&str, &str)],
        first: &str,
    ) -> Self {
        let home = tempfile::tempdir().unwrap();
        let pty = native_pty_system()
            .openpty(PtySize {
                rows,
                cols,
                pixel_width: 0,
                pixel_height: 0,
            })
            .unwrap();
        command.env("LAKEHAND_HOME", home.path());
        command.env("TERM", "xterm-256color");
        command.env("LANG", "C.UTF-8");
        command.env("RUST_BACKTRACE", "0");
        command.env_remove("NO_COLOR");
        command.env_remove("LC_ALL");
        command.env_remove("TMUX");
        for (name, value) in variables {
            command.env(name, value);
        }
        let child = pty.slave.spawn_command(command).unwrap();
        drop(pty.slave);
        let (parser, bytes) = (
            Arc::new(Mutex::new(vt100::Parser::new(cells(24), cells(80), 0))),
            Arc::new(Mutex::new(Vec::new())),
        );
        let mut reader = pty.master.try_clone_reader().unwrap();
        let (screen, all) = (parser.clone(), bytes.clone());
        let stop_reading = Arc::new(AtomicBool::new(false));
        let stop = stop_reading.clone();
        thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(read @ 1..) = reader.read(&mut buffer) {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                screen.lock().unwrap().process(&buffer[..read]);
                all.lock().unwrap().extend_from_slice(&buffer[..read]);
            }
        });
        let writer = Some(pty.master.take_writer().unwrap());
        let mut session = Self {
            child,
            master: Some(pty.master),
            writer,
            stop_reading,
            parser,
            bytes,
            home,
        };
        session.see(first);
        session
    }

    fn screen(&self) -> String {
        self.parser.lock().unwrap().screen().contents()
    }

    fn until(&mut self, what: &str, holds: impl Fn(&mut Self) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !holds(self) {
            assert!(
                Instant::now() < end,
                "{what} did not happen; the screen is\n{}",
                self.screen()
            );
            thread::sleep(Duration::from_millis(15));
        }
    }

    fn see(&mut self, text: &str) -> &mut Self {
        self.until(&format!("'{text}'"), |session| {
            session.screen().contains(text)
        });
        self
    }

    fn press(&mut self, keys: &str) -> &mut Self {
        let writer = self.writer.as_mut().unwrap();
        writer.write_all(keys.as_bytes()).unwrap();
        writer.flush().unwrap();
        self
    }

    fn resize(&mut self, columns: u16, rows: u16) -> &mut Self {
        let size = PtySize {
            rows,
            cols: columns,
            pixel_width: 0,
            pixel_height: 0,
        };
        self.parser
            .lock()
            .unwrap()
            .screen_mut()
            .set_size(cells(rows), cells(columns));
        self.master.as_ref().unwrap().resize(size).unwrap();
        self
    }

    /// Presses Escape and waits until what it closes has gone: Escape and a key in one go would be Alt and that key.
    fn escape(&mut self, from: &str) -> &mut Self {
        self.press("\x1b")
            .until(&format!("'{from}' closes"), |session| {
                !session.screen().contains(from)
            });
        self
    }

    /// Past the offer of a first start.
    fn on_the_board(&mut self) -> &mut Self {
        self.see("Try it here with sample data?")
            .escape("Try it here")
    }

    fn signal(&self, name: &str) {
        let pid = self.child.process_id().unwrap().to_string();
        let status = std::process::Command::new("kill")
            .args([format!("-{name}"), pid])
            .status()
            .unwrap();
        assert!(status.success());
    }

    fn exit_code(&mut self) -> u32 {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.exit_code();
            }
            assert!(
                Instant::now() < end,
                "the console did not end; the screen is\n{}",
                self.screen()
            );
            thread::sleep(Duration::from_millis(15));
        }
    }

    /// Alternate screen, cursor, paste and mouse modes, raw mode: as before.
    fn is_restored(&mut self) {
        // What was written last may still be on its way to this side.
        self.until("leaving the alternate screen", |session| {
            !session.parser.lock().unwrap().screen().alternate_screen()
        });
        self.until("showing the cursor", |session| {
            !session.parser.lock().unwrap().screen().hide_cursor()
        });
        let (paste, mouse) = {
            let parser = self.parser.lock().unwrap();
            let screen = parser.screen();
            (screen.bracketed_paste(), screen.mouse_protocol_mode())
        };
        assert!(!paste, "bracketed paste is on");
        assert_eq!(mouse, vt100::MouseProtocolMode::None);
        self.until("leaving raw mode", |session| session.is_cooked());
    }

    /// Whether the terminal echoes and edits lines.
    fn is_cooked(&self) -> bool {
        let Some(name) = self.master.as_ref().and_then(|master| master.tty_name()) else {
            return true;
        };
        let output = std::process::Command::new("stty")
            .arg("-F")
            .arg(name)
            .arg("-a")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.contains(" icanon") && text.contains(" echo ")
    }

    /// Ticks of processor time used so far, and the state letter.
    fn process(&self) -> (u64, char) {
        let pid = self.child.process_id().unwrap();
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let fields: Vec<&str> = stat
            .rsplit(')')
            .next()
            .unwrap()
            .split_whitespace()
            .collect();
        (
            fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap(),
            fields[0].chars().next().unwrap(),
        )
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

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
