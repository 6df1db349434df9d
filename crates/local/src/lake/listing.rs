//! Walking a folder in the order of keys.
//!
//! S3 lists by the bytes of the whole key, so a folder sorts as its name with a slash after it:
//! `a.json` (`.` is 0x2e) comes before `a/b` (`/` is 0x2f), and that before `ab`.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use jiff::Timestamp;

use super::{STAGING, files};
use lakehand_pipeline::ports::ObjectMeta;

/// Calls `found` with every object below `root` whose key starts with `prefix`, until it says `false`.
pub(super) fn walk(
    root: &Path,
    prefix: &str,
    found: &mut dyn FnMut(ObjectMeta) -> bool,
) -> io::Result<()> {
    let folder = prefix.rfind('/').map_or("", |end| &prefix[..=end]);
    walk_folder(root, folder, prefix, found).map(|_| ())
}

/// `folder` is empty or ends with a slash. Returns whether to go on.
fn walk_folder(
    root: &Path,
    folder: &str,
    prefix: &str,
    found: &mut dyn FnMut(ObjectMeta) -> bool,
) -> io::Result<bool> {
    for (key, is_folder) in children(&root.join(folder), folder)? {
        let go_on = if is_folder {
            let leads_there = key.starts_with(prefix) || prefix.starts_with(&key);
            !leads_there || walk_folder(root, &key, prefix, found)?
        } else if key.starts_with(prefix) {
            describe(&root.join(&key), key)?.is_none_or(&mut *found)
        } else {
            true
        };
        if !go_on {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Keys of a folder's entries in key order; folders end with a slash. A folder that is not there has none.
fn children(path: &PathBuf, folder: &str) -> io::Result<Vec<(String, bool)>> {
    let entries = match fs::read_dir(path) {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(Vec::new());
        }
        entries => entries?,
    };
    let mut children = Vec::new();
    for entry in entries {
        let entry = entry?;
        let is_folder = entry.file_type()?.is_dir();
        // A name that is not UTF-8 cannot be a key; nothing of ours has one.
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        if folder.is_empty() && name == STAGING {
            continue;
        }
        children.push((
            format!("{folder}{name}{}", if is_folder { "/" } else { "" }),
            is_folder,
        ));
    }
    children.sort_unstable();
    Ok(children)
}

/// What a listing says of a file; `None` when it vanished or is no regular file.
fn describe(path: &Path, key: String) -> io::Result<Option<ObjectMeta>> {
    let mut file = match files::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let meta = file.metadata()?;
    let etag = files::etag_of(&mut file)?;
    let modified = Timestamp::try_from(meta.modified()?).map_err(io::Error::other)?;
    Ok(Some(ObjectMeta {
        key,
        size: meta.len(),
        modified,
        etag,
    }))
}
