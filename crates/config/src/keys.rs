//! `[keys]`: other keys for actions of the console. Only read here, with the place of every word: which actions and
//! keys there are the console knows, and it checks them.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use toml::Spanned;

use super::load::{ConfigError, line_and_column};

/// `[keys]` as TOML gives it: action name to keys.
pub(super) type SpannedKeys = BTreeMap<Spanned<String>, Vec<Spanned<String>>>;

/// A word of the file and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed<T> {
    /// The word.
    pub value: T,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1, in characters.
    pub column: usize,
}

/// Keys for one action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyBinding {
    /// The action's name: `redrive`.
    pub action: Placed<String>,
    /// Its keys: `D`, `ctrl-p`.
    pub keys: Vec<Placed<String>>,
}

/// What the file says about keys; not checked yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyPatch {
    path: PathBuf,
    bindings: Vec<KeyBinding>,
}

impl KeyPatch {
    /// The words of `[keys]` with their lines and columns in `text`.
    pub(super) fn placed(path: &Path, text: &str, keys: SpannedKeys) -> Self {
        let place = |word: Spanned<String>| {
            let (line, column) = line_and_column(text, word.span().start);
            Placed {
                value: word.into_inner(),
                line,
                column,
            }
        };
        let bindings = keys.into_iter().map(|(action, keys)| KeyBinding {
            action: place(action),
            keys: keys.into_iter().map(place).collect(),
        });
        Self {
            path: path.to_path_buf(),
            bindings: bindings.collect(),
        }
    }

    /// The bindings, by the action's name.
    #[must_use]
    pub fn bindings(&self) -> &[KeyBinding] {
        &self.bindings
    }

    /// Whether the file changes no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bindings.is_empty()
    }

    /// An error at a word of the file.
    #[must_use]
    pub fn invalid<T>(&self, at: &Placed<T>, message: String) -> ConfigError {
        ConfigError::Invalid {
            path: self.path.clone(),
            line: at.line,
            column: at.column,
            message,
        }
    }

    /// The bindings for `config show`.
    pub(super) fn shown(&self) -> serde_json::Value {
        let keys = |binding: &KeyBinding| {
            let keys: Vec<&str> = binding.keys.iter().map(|key| key.value.as_str()).collect();
            (binding.action.value.clone(), serde_json::json!(keys))
        };
        serde_json::Value::Object(self.bindings.iter().map(keys).collect())
    }
}
