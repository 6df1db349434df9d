//! npm folders that tests make for themselves under `target/`: other people's programs that read what we write.
//! Without `npm` or its registry a test fails and says so.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, dead_code)]

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, PoisonError},
};

/// The folder of commands of exactly these packages (`name@version`). Made once, finished by a marker that names them.
pub fn bin(name: &str, packages: &[&str]) -> PathBuf {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("npm-{name}"));
    let (bin, ready, wanted) = (
        folder.join("node_modules/.bin"),
        folder.join("ready"),
        packages.join("\n"),
    );
    if std::fs::read_to_string(&ready).is_ok_and(|made| made == wanted) {
        return bin;
    }
    std::fs::create_dir_all(&folder).unwrap();
    let output = Command::new("npm")
        .args(["install", "--no-audit", "--no-fund", "--prefix"])
        .arg(&folder)
        .args(packages)
        .output()
        .unwrap_or_else(|error| {
            panic!("npm could not be started ({error}); this test needs Node.js with npm")
        });
    assert!(
        output.status.success(),
        "npm install {} failed; this test needs npm and its registry\n{}{}",
        packages.join(" "),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    std::fs::write(ready, wanted).unwrap();
    bin
}
