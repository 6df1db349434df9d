//! A program on a pseudo-terminal, and what the terminal shows.

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
pub const PATIENCE: Duration = Duration::from_secs(60);

fn cells(count: u16) -> NonZero<u16> {
    NonZero::new(count).unwrap()
}

/// The console on a pseudo-terminal, and what the terminal shows.
pub struct Session {
    pub child: Box<dyn Child + Send + Sync>,
    pub master: Option<Box<dyn MasterPty + Send>>,
    pub writer: Option<Box<dyn Write + Send>>,
    pub stop_reading: Arc<AtomicBool>,
    pub parser: Arc<Mutex<vt100::Parser>>,
    pub bytes: Arc<Mutex<Vec<u8>>>,
    pub home: Arc<tempfile::TempDir>,
}

impl Session {
    pub fn open(variables: &[(&str, &str)]) -> Self {
        let command = CommandBuilder::new(env!("CARGO_BIN_EXE_lakehand"));
        Self::with(command, (80, 24), variables, "Lakehand")
    }

    /// A command on a terminal of a size, once it has written something.
    pub fn with(
        command: CommandBuilder,
        size: (u16, u16),
        variables: &[(&str, &str)],
        first: &str,
    ) -> Self {
        Self::at(
            Arc::new(tempfile::tempdir().unwrap()),
            command,
            size,
            variables,
            first,
        )
    }

    /// The same in a home that others may use before and after.
    pub fn at(
        home: Arc<tempfile::TempDir>,
        mut command: CommandBuilder,
        (cols, rows): (u16, u16),
        variables: &[(&str, &str)],
        first: &str,
    ) -> Self {
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

    pub fn screen(&self) -> String {
        self.parser.lock().unwrap().screen().contents()
    }

    pub fn until(&mut self, what: &str, holds: impl Fn(&mut Self) -> bool) {
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

    pub fn see(&mut self, text: &str) -> &mut Self {
        self.until(&format!("'{text}'"), |session| {
            session.screen().contains(text)
        });
        self
    }

    pub fn press(&mut self, keys: &str) -> &mut Self {
        let writer = self.writer.as_mut().unwrap();
        writer.write_all(keys.as_bytes()).unwrap();
        writer.flush().unwrap();
        self
    }

    pub fn resize(&mut self, columns: u16, rows: u16) -> &mut Self {
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
    pub fn escape(&mut self, from: &str) -> &mut Self {
        self.press("\x1b")
            .until(&format!("'{from}' closes"), |session| {
                !session.screen().contains(from)
            });
        self
    }

    /// Past the offer of a first start.
    pub fn on_the_board(&mut self) -> &mut Self {
        self.see("Try it here with sample data?")
            .escape("Try it here")
    }

    pub fn signal(&self, name: &str) {
        let pid = self.child.process_id().unwrap().to_string();
        let status = std::process::Command::new("kill")
            .args([format!("-{name}"), pid])
            .status()
            .unwrap();
        assert!(status.success());
    }

    pub fn exit_code(&mut self) -> u32 {
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
    pub fn is_restored(&mut self) {
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
    pub fn is_cooked(&self) -> bool {
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
    pub fn process(&self) -> (u64, char) {
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
