//! Virtual environments that tests make for themselves under `target/`: other people's programs that read what we
//! write, and emulators. Without `python3` or a package index a test fails and says so.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, dead_code)]

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, PoisonError},
};

/// Runs a command; its standard output when it succeeds.
///
/// # Panics
/// With everything it printed when it fails.
pub fn output(command: &mut Command, what: &str) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{what} could not be started: {error}"));
    assert!(
        output.status.success(),
        "{what} failed; this test needs python3 with venv, and a package index that pip can reach\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// The `bin` folder of an environment with exactly these packages (`name==version`). Made once, finished by a marker
/// that names its packages; other packages make it anew.
pub fn environment(name: &str, packages: &[&str]) -> PathBuf {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let (bin, ready, wanted) = (
        folder.join("bin"),
        folder.join("ready"),
        packages.join("\n"),
    );
    if std::fs::read_to_string(&ready).is_ok_and(|made| made == wanted) {
        return bin;
    }
    output(
        Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(&folder),
        "python3 -m venv",
    );
    let mut pip = Command::new(bin.join("python"));
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ])
    .args(packages);
    output(&mut pip, &format!("pip install {}", packages.join(" ")));
    std::fs::write(ready, wanted).unwrap();
    bin
}

/// The interpreter of such an environment.
pub fn python(name: &str, packages: &[&str]) -> PathBuf {
    environment(name, packages).join("python")
}

/// What the emulator of AWS is made of, and readers of its lake that are not us. Our scripts patch moto's inside and use
/// some of pyiceberg's: exactly these.
const EMULATOR: [&str; 7] = [
    "moto[server]==5.2.5",
    "duckdb==1.5.6",
    "sqlglot==30.30.0",
    "pyarrow==25.0.1",
    "pytz==2026.6",
    "pyiceberg[glue,pyarrow,pyiceberg-core]==0.12.0",
    "awswrangler==3.17.1",
];

/// The interpreter that has the emulator's packages.
pub fn emulator() -> PathBuf {
    python("aws-emulator", &EMULATOR)
}
