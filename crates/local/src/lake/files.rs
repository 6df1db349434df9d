//! The file work behind the store. Everything here blocks and runs on a blocking thread.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Read, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::{STAGING, errors::failed};
use lakehand_pipeline::ports::{ETag, PutCondition, StoreError};

/// Objects up to this size are versioned by a hash of their content. Every object that is changed
/// under a condition is far smaller; two versions of it within one tick of the file system's clock
/// are told apart.
const HASHED_UP_TO: u64 = 256 * 1024;
/// Locks a store spreads its keys over.
const LOCKS: u8 = 64;
/// Age after which a file in staging is what a dead attempt left.
const STALE_AFTER: Duration = Duration::from_secs(24 * 3600);

/// Makes the folders of a store; returns its absolute path.
pub(super) fn prepare(root: &Path) -> io::Result<PathBuf> {
    let staging = root.join(STAGING);
    fs::create_dir_all(staging.join("locks"))?;
    remove_stale(&staging, SystemTime::now());
    root.canonicalize()
}

/// Removes what nobody has touched for a day. What cannot be removed stays: it is invisible anyway.
pub(super) fn remove_stale(staging: &Path, now: SystemTime) {
    let Ok(entries) = fs::read_dir(staging) else {
        return;
    };
    for entry in entries
        .flatten()
        .filter(|entry| entry.file_name() != "locks")
    {
        let Ok(meta) = entry.metadata() else { continue };
        let age = meta
            .modified()
            .ok()
            .and_then(|modified| now.duration_since(modified).ok());
        if age.is_some_and(|age| age > STALE_AFTER) {
            let _ = if meta.is_dir() {
                fs::remove_dir_all(entry.path())
            } else {
                fs::remove_file(entry.path())
            };
        }
    }
}

/// A file in staging, flushed to the disk; removed when it is not published.
pub(super) struct Staged {
    path: PathBuf,
    etag: ETag,
    published: bool,
}

impl Staged {
    fn at(path: PathBuf) -> Self {
        Self {
            path,
            etag: ETag(String::new()),
            published: false,
        }
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.published {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn new_name(staging: &Path) -> PathBuf {
    staging.join(format!("{}.tmp", uuid::Uuid::now_v7()))
}

/// Writes bytes to a new file in staging.
pub(super) fn stage(staging: &Path, bytes: &[u8]) -> io::Result<Staged> {
    let mut staged = Staged::at(new_name(staging));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&staged.path)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    let meta = file.metadata()?;
    staged.etag = if meta.len() <= HASHED_UP_TO {
        content_etag(bytes)
    } else {
        stat_etag(&meta)
    };
    Ok(staged)
}

/// Takes over a finished file; copies it when it lies on another file system.
pub(super) fn adopt(staging: &Path, file: PathBuf) -> io::Result<Staged> {
    let mut staged = if fs::metadata(&file)?.dev() == fs::metadata(staging)?.dev() {
        Staged::at(file)
    } else {
        let copy = Staged::at(new_name(staging));
        fs::copy(&file, &copy.path)?;
        fs::remove_file(&file)?;
        copy
    };
    let mut opened = open(&staged.path)?;
    opened.sync_all()?;
    staged.etag = etag_of(&mut opened)?;
    Ok(staged)
}

/// Puts a staged file in place if the condition holds.
pub(super) fn publish(
    root: &Path,
    key: &str,
    mut staged: Staged,
    condition: &PutCondition,
) -> Result<ETag, StoreError> {
    let target = root.join(key);
    let broken = |error: io::Error| match error.kind() {
        // The folder was just made; that it is missing is no missing object.
        ErrorKind::NotFound => failed("write", key, &io::Error::other(error)),
        _ => failed("write", key, &error),
    };
    let _lock = lock(root, key).map_err(broken)?;
    let holds = match condition {
        PutCondition::Always => true,
        PutCondition::IfAbsent => !target.exists(),
        PutCondition::IfMatch(expected) => {
            current(&target).map_err(broken)?.as_ref() == Some(expected)
        }
    };
    if !holds {
        return Err(StoreError::Conflict {
            key: key.to_owned(),
        });
    }
    let folder = target.parent().unwrap_or(root);
    make_folders(root, folder).map_err(broken)?;
    fs::rename(&staged.path, &target).map_err(broken)?;
    staged.published = true;
    sync_folder(folder).map_err(broken)?;
    Ok(std::mem::replace(&mut staged.etag, ETag(String::new())))
}

/// Removes an object; the lock keeps it out of the middle of a conditional write.
pub(super) fn remove(root: &Path, key: &str) -> io::Result<()> {
    let target = root.join(key);
    let _lock = lock(root, key)?;
    match fs::remove_file(&target) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(())
        }
        Err(error) => Err(error),
        Ok(()) => sync_folder(target.parent().unwrap_or(root)),
    }
}

/// Opens an object; a folder is none.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let file = match File::open(path) {
        // `a/b` where `a` is an object: there is no object `a/b`.
        Err(error) if error.kind() == ErrorKind::NotADirectory => {
            return Err(ErrorKind::NotFound.into());
        }
        opened => opened?,
    };
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(ErrorKind::NotFound.into())
    }
}

/// A whole object and its version, both of the same open file.
pub(super) fn read(path: &Path) -> io::Result<(Bytes, ETag)> {
    let mut file = open(path)?;
    let meta = file.metadata()?;
    let mut bytes = Vec::with_capacity(usize::try_from(meta.len()).unwrap_or(0));
    file.read_to_end(&mut bytes)?;
    let etag = if meta.len() <= HASHED_UP_TO {
        content_etag(&bytes)
    } else {
        stat_etag(&meta)
    };
    Ok((bytes.into(), etag))
}

/// The version of an open file.
pub(super) fn etag_of(file: &mut File) -> io::Result<ETag> {
    let meta = file.metadata()?;
    if meta.len() > HASHED_UP_TO {
        return Ok(stat_etag(&meta));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(content_etag(&bytes))
}

fn current(path: &Path) -> io::Result<Option<ETag>> {
    match open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
        Ok(mut file) => etag_of(&mut file).map(Some),
    }
}

fn content_etag(bytes: &[u8]) -> ETag {
    let hash = Sha256::digest(bytes);
    ETag(
        hash.iter()
            .take(16)
            .map(|byte| format!("{byte:02x}"))
            .collect(),
    )
}

fn stat_etag(meta: &fs::Metadata) -> ETag {
    ETag(format!(
        "{:x}-{:x}-{:x}.{:x}",
        meta.len(),
        meta.ino(),
        meta.mtime(),
        meta.mtime_nsec()
    ))
}

/// The lock of a key, held by this process until the file is dropped.
fn lock(root: &Path, key: &str) -> io::Result<File> {
    let stripe = Sha256::digest(key.as_bytes()).first().copied().unwrap_or(0) % LOCKS;
    let path = root
        .join(STAGING)
        .join("locks")
        .join(format!("{stripe:02}"));
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)?;
    file.lock()?;
    Ok(file)
}

/// Makes the folders between `root` and `folder`, each one durable.
fn make_folders(root: &Path, folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent().unwrap_or(root);
    make_folders(root, parent)?;
    match fs::create_dir(folder) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => {}
        made => made?,
    }
    sync_folder(parent)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
