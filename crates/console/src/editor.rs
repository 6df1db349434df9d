//! Edits a text in the operator's own editor, on the terminal that the console lends meanwhile.
//!
//! The text lies in a folder of its own that nobody else may enter, and that goes with everything an editor leaves
//! beside its file. On the command line there is the file's name only.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    process::Command,
};

/// What edits where the operator names nothing.
const USUAL: &str = "vi";

/// The editor that the operator's environment names.
pub(crate) fn of_environment() -> String {
    let named = |name: &str| std::env::var(name).ok();
    let given = [named("VISUAL"), named("EDITOR")].into_iter().flatten();
    let mut given = given.filter(|text| !text.trim().is_empty());
    given.next().unwrap_or_else(|| USUAL.to_owned())
}

/// Runs an editor over a text; `None` when the editor ended with a failure, so that nothing was meant.
///
/// # Errors
/// When there is no place for the file, or the editor cannot be run.
pub(crate) fn edit(editor: &str, text: &str) -> io::Result<Option<String>> {
    let folder = tempfile::Builder::new()
        .prefix("lakehand-input-")
        .tempdir()?;
    let path = folder.path().join("input.json");
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)?
        .write_all(text.as_bytes())?;
    // The editor may be more than a word: `code --wait`.
    let status = Command::new("sh")
        .args(["-c", &format!("{editor} \"$1\""), "sh"])
        .arg(&path)
        .status()?;
    let edited = match status.code() {
        Some(126 | 127) => Err(io::Error::other(format!("'{editor}' cannot be run"))),
        _ if !status.success() => Ok(None),
        _ => fs::read_to_string(&path).map(Some),
    };
    folder.close()?;
    edited
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_the_editor_leaves_is_read_and_everything_else_goes() {
        let told = tempfile::tempdir().unwrap();
        let file = told.path().join("told");
        let script = told.path().join("editor.sh");
        // Tells where the file is and who may read it, leaves a backup as editors do, and adds a field.
        let text = format!(
            "#!/bin/sh\nstat -c '%a %n' \"$2\" > '{}'\ncp \"$2\" \"$2~\"\nsed -i 's/1/2/' \"$2\"\n",
            file.display()
        );
        fs::write(&script, text).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).unwrap();
        let editor = format!("{} --wait", script.display());
        let edited = edit(&editor, "{\"a\": 1}").unwrap();
        assert_eq!(edited.as_deref(), Some("{\"a\": 2}"));
        let told = fs::read_to_string(&file).unwrap();
        let (mode, path) = told.trim().split_once(' ').unwrap();
        assert_eq!(mode, "600");
        let folder = std::path::Path::new(path).parent().unwrap();
        assert!(!folder.exists(), "{path} and its backup are gone");
    }

    #[test]
    fn an_editor_that_failed_meant_nothing_and_one_that_is_not_there_is_told() {
        assert_eq!(edit("false", "{}").unwrap(), None);
        let error = edit("no-such-editor-here", "{}").unwrap_err();
        assert_eq!(error.to_string(), "'no-such-editor-here' cannot be run");
    }
}
