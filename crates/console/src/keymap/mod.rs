//! Which keys do what: the registry's defaults, patched by `[keys]` of the configuration and checked, so that no
//! key means two things on a screen and none too small changes the world.

mod key;

use std::{collections::HashMap, sync::Arc};

pub use key::Key;

use super::{
    actions::{self, ACTIONS, Action, ActionId},
    effect::Risk,
    state::Screen,
};
use lakehand_config::{ConfigError, KeyBinding, KeyPatch, Placed};

/// The keys in force.
#[derive(Debug, Clone)]
pub(crate) struct Keymap {
    keys: Arc<HashMap<ActionId, Vec<Key>>>,
}

impl Default for Keymap {
    fn default() -> Self {
        let keys = ACTIONS
            .iter()
            .map(|action| (action.id, action.default_keys.to_vec()));
        Self {
            keys: Arc::new(keys.collect()),
        }
    }
}

impl Keymap {
    /// The keys of an action, the one to name first.
    pub(crate) fn of(&self, action: ActionId) -> &[Key] {
        self.keys.get(&action).map_or(&[], Vec::as_slice)
    }

    /// The defaults with a patch: an action that is named has the keys given instead of its printable and control
    /// keys. Arrows, Enter, Esc, Tab and their like, and Ctrl-C, always keep their meaning.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] with the place of the first mistake.
    pub(crate) fn patched(patch: &KeyPatch) -> Result<Self, ConfigError> {
        let mut keys: HashMap<ActionId, Vec<Key>> = Self::default().keys.as_ref().clone();
        let mut places: HashMap<(ActionId, Key), &Placed<String>> = HashMap::new();
        for binding in patch.bindings() {
            let action = named(patch, binding)?;
            let mut own = Vec::new();
            for text in &binding.keys {
                let key = wanted(patch, action, text)?;
                places.insert((action.id, key), text);
                if !own.contains(&key) {
                    own.push(key);
                }
            }
            own.extend(action.default_keys.iter().filter(|key| key.is_fixed()));
            keys.insert(action.id, own);
        }
        let keymap = Self {
            keys: Arc::new(keys),
        };
        match keymap.clash(&places) {
            Some((place, message)) => Err(patch.invalid(place, message)),
            None => Ok(keymap),
        }
    }

    /// The first key of the patch that means something else on the same screen.
    fn clash<'p>(
        &self,
        places: &HashMap<(ActionId, Key), &'p Placed<String>>,
    ) -> Option<(&'p Placed<String>, String)> {
        let mut clashes = Vec::new();
        for screen in Screen::ALL {
            let mut owners: HashMap<Key, &Action> = HashMap::new();
            let scopes = actions::scopes(screen);
            for action in ACTIONS
                .iter()
                .filter(|action| scopes.contains(&action.scope))
            {
                for key in self.of(action.id) {
                    let Some(other) = owners.insert(*key, action) else {
                        continue;
                    };
                    let (place, other) = match places.get(&(action.id, *key)) {
                        Some(place) => (place, other),
                        None => (places.get(&(other.id, *key))?, action),
                    };
                    let message = format!(
                        "{key} is the key of '{}' ({}) already; give that one another key too",
                        other.id.name(),
                        other.title
                    );
                    clashes.push((*place, message));
                }
            }
        }
        clashes
            .into_iter()
            .min_by_key(|(place, _)| (place.line, place.column))
    }
}

/// The action a binding is for.
fn named(patch: &KeyPatch, binding: &KeyBinding) -> Result<&'static Action, ConfigError> {
    let wanted = binding.action.value.as_str();
    let known = |action: &&'static Action| action.id.name() == wanted;
    if let Some(action) = ACTIONS
        .iter()
        .filter(|action| action.id != ActionId::TestPanic)
        .find(known)
    {
        return Ok(action);
    }
    let names: Vec<&str> = ACTIONS
        .iter()
        .map(|action| action.id.name())
        .filter(|name| *name != ActionId::TestPanic.name())
        .collect();
    let message = format!(
        "there is no action '{wanted}'; there are: {}",
        names.join(", ")
    );
    Err(patch.invalid(&binding.action, message))
}

/// A key that may be given to an action.
fn wanted(patch: &KeyPatch, action: &Action, text: &Placed<String>) -> Result<Key, ConfigError> {
    let key: Key = text
        .value
        .parse()
        .map_err(|message| patch.invalid(text, message))?;
    if key.is_fixed() && !action.default_keys.contains(&key) {
        let message = format!("{key} means the same everywhere and cannot be given to an action");
        return Err(patch.invalid(text, message));
    }
    let changes = action.risk > Risk::Read;
    if changes && !key.typed().is_some_and(char::is_uppercase) {
        let message = format!(
            "'{}' changes something: its key must be a capital letter",
            action.id.name()
        );
        return Err(patch.invalid(text, message));
    }
    Ok(key)
}

/// Checks `[keys]` of a configuration.
///
/// # Errors
/// [`ConfigError::Invalid`]: an action or a key that does not exist, a key with two meanings on a screen.
pub fn check_keys(patch: &KeyPatch) -> Result<(), ConfigError> {
    Keymap::patched(patch).map(drop)
}

/// One action for the key reference.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct KeyReference {
    /// The action's name in `[keys]`.
    pub action: &'static str,
    /// Its keys, the one to name first.
    pub keys: Vec<String>,
    /// What it does.
    pub title: &'static str,
    /// Whether it changes something outside the console.
    pub changes: bool,
}

/// Every action with the keys in force.
///
/// # Errors
/// As [`check_keys`].
pub fn key_reference(patch: &KeyPatch) -> Result<Vec<KeyReference>, ConfigError> {
    let keymap = Keymap::patched(patch)?;
    let told = |action: &Action| KeyReference {
        action: action.id.name(),
        keys: keymap.of(action.id).iter().map(Key::to_string).collect(),
        title: action.title,
        changes: action.risk > Risk::Read,
    };
    Ok(ACTIONS
        .iter()
        .filter(|action| action.id != ActionId::TestPanic)
        .map(told)
        .collect())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use lakehand_config::{Config, Home};

    fn patched(keys: &str) -> Result<Keymap, String> {
        let text = format!("profile = 'local'\n[keys]\n{keys}\n");
        let config = Config::parse(&text, &Home::below(Path::new("/somewhere"))).unwrap();
        Keymap::patched(config.keys()).map_err(|error| error.to_string())
    }

    #[test]
    fn no_key_means_two_things_on_a_screen() {
        let keymap = Keymap::default();
        for screen in Screen::ALL {
            let mut owners = HashMap::new();
            for action in ACTIONS
                .iter()
                .filter(|action| actions::scopes(screen).contains(&action.scope))
            {
                for key in keymap.of(action.id) {
                    let earlier = owners.insert(*key, action.id);
                    assert_eq!(earlier, None, "{key} on {screen:?}");
                }
            }
        }
    }

    #[test]
    fn a_patch_replaces_what_can_be_typed_and_keeps_the_rest() {
        let keymap = patched("down = ['ctrl-n', 'm']\nredrive = ['W']").unwrap();
        assert_eq!(
            keymap.of(ActionId::Down),
            [
                Key::control('n'),
                Key::char('m'),
                Key::code(crossterm::event::KeyCode::Down)
            ]
        );
        assert_eq!(keymap.of(ActionId::Redrive), [Key::char('W')]);
        assert_eq!(keymap.of(ActionId::Up), Keymap::default().of(ActionId::Up));
        // Two that change places.
        assert!(patched("sort = ['x']\nexport = ['s']").is_ok());
        // A key may be taken away.
        assert!(
            patched("go-activity = []")
                .unwrap()
                .of(ActionId::GoActivity)
                .is_empty()
        );
    }

    #[test]
    fn mistakes_are_named_with_line_and_column() {
        let cases = [
            (
                "redirve = ['D']",
                ":3:1: ",
                "there is no action 'redirve'; there are: open, redrive",
            ),
            (
                "follow = ['f', 'hyper-x']",
                ":3:16: ",
                "'hyper-x' is not a key",
            ),
            ("wrap = ['f']", ":3:9: ", "f is the key of 'follow'"),
            ("follow = ['j']", ":3:11: ", "j is the key of 'down'"),
            ("redrive = ['d']", ":3:12: ", "must be a capital letter"),
            (
                "wrap = ['enter']",
                ":3:9: ",
                "Enter means the same everywhere",
            ),
            (
                "find = ['ctrl-c']",
                ":3:9: ",
                "^C means the same everywhere",
            ),
        ];
        for (keys, place, message) in cases {
            let error = patched(keys).unwrap_err();
            assert!(
                error.contains(place) && error.contains(message),
                "{keys}: {error}"
            );
        }
    }
}
