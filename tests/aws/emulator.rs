//! An AWS on loopback for a test binary: moto with the launcher beside this file (`aws_emulator.py`), on a free port,
//! from a pinned virtual environment that the tests make. What moto lies about stands in the notes of each test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, dead_code)]

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{Duration, Instant},
};

pub use super::python::emulator as interpreter;

/// What every program that talks to an emulator must have in its environment, and must not.
pub const ENVIRONMENT: [(&str, &str); 9] = [
    ("AWS_ACCESS_KEY_ID", "testing"),
    ("AWS_SECRET_ACCESS_KEY", "testing"),
    ("AWS_REGION", REGION),
    ("AWS_DEFAULT_REGION", REGION),
    ("AWS_EC2_METADATA_DISABLED", "true"),
    ("AWS_MAX_ATTEMPTS", "1"),
    ("AWS_CONFIG_FILE", "/dev/null"),
    ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
    ("NO_PROXY", "127.0.0.1,localhost"),
];

/// The region of tests that need none of their own.
pub const REGION: &str = "eu-west-1";

/// A running emulator; killed with the last handle.
#[derive(Debug)]
pub struct Emulator {
    child: Mutex<Child>,
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    port: u16,
    /// Where it unpacks functions and keeps files; a killed process cleans nothing up.
    _files: tempfile::TempDir,
}

impl Emulator {
    /// The emulator of this test binary: one for all its tests, so each names its buckets and machines for itself.
    pub fn shared() -> Arc<Self> {
        static RUNNING: Mutex<Weak<Emulator>> = Mutex::new(Weak::new());
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(emulator) = running.upgrade() {
            return emulator;
        }
        let emulator = Arc::new(Self::start());
        *running = Arc::downgrade(&emulator);
        emulator
    }

    fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let log = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("aws-emulator-{port}.log"));
        let file = std::fs::File::create(&log).unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/aws/aws_emulator.py");
        let files = tempfile::tempdir().unwrap();
        let mut command = Command::new(interpreter());
        command
            .args([script, &port.to_string()])
            .env("TMPDIR", files.path())
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file);
        for name in [
            "AWS_PROFILE",
            "AWS_SESSION_TOKEN",
            "AWS_ENDPOINT_URL",
            "HTTP_PROXY",
            "HTTPS_PROXY",
            "http_proxy",
            "https_proxy",
        ] {
            command.env_remove(name);
        }
        let child = command.envs(ENVIRONMENT).spawn().unwrap();
        let mut emulator = Self {
            child: Mutex::new(child),
            url: format!("http://127.0.0.1:{port}"),
            port,
            _files: files,
        };
        let patience = Instant::now() + Duration::from_secs(60);
        while !emulator.answers() {
            let ended = emulator.child.get_mut().unwrap().try_wait().unwrap();
            assert!(
                ended.is_none() && Instant::now() < patience,
                "the AWS emulator did not start ({ended:?}):\n{}",
                std::fs::read_to_string(&log).unwrap_or_default()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        emulator
    }

    fn answers(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else {
            return false;
        };
        let asked = stream.write_all(b"GET /moto-api/ HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n");
        let mut head = [0; 12];
        asked.is_ok() && stream.read_exact(&mut head).is_ok() && head.ends_with(b"200")
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap_or_else(PoisonError::into_inner);
        let _ = child.kill();
        let _ = child.wait();
    }
}
