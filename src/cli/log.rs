//! The program's own log: a file below the data folder that only its owner may read, rotated, without secrets. What
//! goes wrong behind the screen and crashes stand in it.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    fmt::MakeWriter,
    layer::{Layer, SubscriberExt},
    util::SubscriberInitExt,
};

use crate::{config::Home, pipeline::secrets};

/// A file this long is put aside before the next line.
const LONGEST: u64 = 4 << 20;
/// How many files that were put aside are kept.
const KEPT: u32 = 3;

/// Where the log of a home lies.
#[must_use]
pub fn file_of(home: &Home) -> PathBuf {
    home.data_dir().join("logs").join("lakehand.log")
}

/// Starts to log into the home's file, and to write crash reports into it. Nothing is made until something is logged.
pub fn start() {
    let Ok(home) = Home::find() else {
        return;
    };
    let file = file_of(&home);
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(LogFile::new(file.clone(), LONGEST));
    let levels = Targets::new()
        .with_default(LevelFilter::WARN)
        .with_target("lakehand", LevelFilter::INFO);
    let _ = tracing_subscriber::registry()
        .with(lines.with_filter(levels))
        .try_init();
    let earlier = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let trace = std::backtrace::Backtrace::force_capture();
        tracing::error!(
            "crash of version {}: {panic}\n{trace}",
            env!("CARGO_PKG_VERSION")
        );
        earlier(panic);
        let _ = writeln!(
            io::stderr(),
            "this is a bug; its report is in {}",
            file.display()
        );
    }));
}

/// The file, opened for every line: processes share it, and any of them may put it aside.
#[derive(Debug, Clone)]
struct LogFile {
    path: PathBuf,
    longest: u64,
}

impl LogFile {
    fn new(path: PathBuf, longest: u64) -> Self {
        Self { path, longest }
    }

    fn aside(&self, number: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }

    fn open(&self) -> io::Result<File> {
        if let Some(folder) = self.path.parent() {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)?;
        }
        private(&self.path)
    }

    /// The file to write to, after a long one was put aside.
    fn current(&self) -> io::Result<File> {
        let file = self.open()?;
        if file.metadata()?.len() < self.longest {
            return Ok(file);
        }
        let mut name = self.path.clone().into_os_string();
        name.push(".lock");
        let lock = private(Path::new(&name))?;
        lock.lock()?;
        // Another process may have done it meanwhile.
        let file = self.open()?;
        if file.metadata()?.len() < self.longest {
            return Ok(file);
        }
        for number in (1..KEPT).rev() {
            let _ = fs::rename(self.aside(number), self.aside(number + 1));
        }
        fs::rename(&self.path, self.aside(1))?;
        self.open()
    }
}

fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
}

impl Write for LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.current()?.write_all(&secrets::redact_log(bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogFile {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_long_file_is_put_aside_and_the_oldest_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logs/lakehand.log");
        let mut file = LogFile::new(path.clone(), 20);
        for number in 0..6 {
            file.write_all(format!("line number {number:>10}\n").as_bytes())
                .unwrap();
        }
        let read = |path: PathBuf| fs::read_to_string(path).unwrap();
        assert!(read(path.clone()).ends_with("5\n"));
        assert!(read(file.aside(1)).ends_with("4\n") && read(file.aside(3)).ends_with("2\n"));
        assert!(!file.aside(4).exists());
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
    }

    #[test]
    fn secrets_do_not_reach_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lakehand.log");
        secrets::remember("a-value-that-was-read-8f3a");
        let mut file = LogFile::new(path.clone(), LONGEST);
        file.write_all(b"sent a-value-that-was-read-8f3a; api-key: do-not-show-1\n")
            .unwrap();
        file.write_all(b"Authorization: Bearer do-not-show-2 for 3 rows\n")
            .unwrap();
        let text = fs::read_to_string(path).unwrap();
        assert!(
            !text.contains("8f3a") && !text.contains("do-not-show"),
            "{text}"
        );
        assert!(text.contains("for 3 rows"), "{text}");
    }
}
