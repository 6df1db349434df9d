//! Credentials of the embedded platform: one JSON file that only its owner may read.
//!
//! Every value that was ever set stays as a version, as in AWS Systems Manager, so that a key typed
//! wrong can be looked up and set back. A variable of the environment wins over the file, for
//! machines where a secret must not touch the disk.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fmt,
    fs::{self, File, OpenOptions, Permissions},
    io::{self, ErrorKind, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use lakehand_ops::CredentialVersion;
use lakehand_pipeline::{
    ports::{ParameterError, ParameterReference, ParameterStore},
    secrets,
};

/// Start of the variables that win over the file.
pub const ENVIRONMENT_PREFIX: &str = "LAKEHAND_PARAMETER";

/// Looks up a variable; replaced in tests.
type Environment = Arc<dyn Fn(&str) -> Option<OsString> + Send + Sync>;

/// Credentials in a file of mode 0600.
#[derive(Clone)]
pub struct FileParameters {
    path: Arc<Path>,
    environment: Environment,
}

impl fmt::Debug for FileParameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FileParameters").field(&self.path).finish()
    }
}

/// The file. No `Debug`: it holds values.
#[derive(Serialize, Deserialize, Default)]
struct Stored {
    parameters: BTreeMap<String, Vec<StoredVersion>>,
}

#[derive(Serialize, Deserialize)]
struct StoredVersion {
    version: u64,
    set_at: Timestamp,
    /// User of this machine who set it; versions of older files do not tell.
    #[serde(default)]
    by: Option<String>,
    value: String,
}

impl FileParameters {
    /// Credentials in the file `path`; it is made when the first value is set.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into().into(),
            environment: Arc::new(|name| std::env::var_os(name)),
        }
    }

    /// The variable that wins over `path`: `/affise/ApiKey` is `LAKEHAND_PARAMETER_AFFISE_APIKEY`.
    #[must_use]
    pub fn variable(path: &str) -> String {
        let word = |c: char| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_uppercase()
            } else {
                '_'
            }
        };
        let name: String = path.trim_matches('/').chars().map(word).collect();
        format!("{ENVIRONMENT_PREFIX}_{name}")
    }

    /// The variable that gives `path` in place of the file, if it is set.
    #[must_use]
    pub fn variable_in_force(&self, path: &str) -> Option<String> {
        let name = Self::variable(path);
        (self.environment)(&name).map(|_| name)
    }

    /// The user of this machine: as the environment names them, or (a service, a container) by the number that
    /// owns our own process.
    fn user(&self) -> Option<String> {
        let named = ["SUDO_USER", "USER", "LOGNAME"]
            .iter()
            .filter_map(|name| (self.environment)(name)?.into_string().ok())
            .find(|name| !name.is_empty());
        let number = || {
            Some(format!(
                "uid {}",
                std::fs::metadata("/proc/self").ok()?.uid()
            ))
        };
        named.or_else(number)
    }

    /// Every path that has a value in the file.
    ///
    /// # Errors
    /// [`ParameterError::Failed`] when the file cannot be read.
    pub async fn paths(&self) -> Result<Vec<String>, ParameterError> {
        let path = Arc::clone(&self.path);
        blocking("read", "*", move || {
            Ok(load(&path)?.parameters.into_keys().collect())
        })
        .await
    }

    /// The versions of a credential, oldest first; empty when it was never set.
    ///
    /// # Errors
    /// [`ParameterError::Failed`] when the file cannot be read.
    pub async fn versions(&self, path: &str) -> Result<Vec<CredentialVersion>, ParameterError> {
        let (file, name) = (Arc::clone(&self.path), path.to_owned());
        let known = |stored: StoredVersion| CredentialVersion {
            version: stored.version,
            set_at: stored.set_at,
            by: stored.by,
        };
        blocking("read", path, move || {
            let versions = load(&file)?.parameters.remove(&name).unwrap_or_default();
            Ok(versions.into_iter().map(known).collect())
        })
        .await
    }
}

#[async_trait]
impl ParameterStore for FileParameters {
    async fn get(&self, path: &str) -> Result<SecretString, ParameterError> {
        if let Some(value) = (self.environment)(&Self::variable(path)) {
            let value = value.into_string().map_err(|_| ParameterError::Failed {
                action: "read",
                path: path.to_owned(),
                why: format!("the variable {} is not UTF-8 text", Self::variable(path)),
                transient: false,
            })?;
            secrets::remember(&value);
            return Ok(value.into());
        }
        refuse_secrets_manager("read", path)?;
        let (file, name) = (Arc::clone(&self.path), path.to_owned());
        let value = blocking("read", path, move || {
            let versions = load(&file)?.parameters.remove(&name).unwrap_or_default();
            Ok(versions
                .into_iter()
                .last()
                .map(|newest| SecretString::from(newest.value)))
        });
        let value = value.await?.ok_or_else(|| ParameterError::Missing {
            path: path.to_owned(),
        })?;
        secrets::remember(value.expose_secret());
        Ok(value)
    }

    async fn put(&self, path: &str, value: SecretString) -> Result<u64, ParameterError> {
        refuse_secrets_manager("write", path)?;
        let (file, name, by) = (Arc::clone(&self.path), path.to_owned(), self.user());
        blocking("write", path, move || {
            let folder = folder_of(&file);
            fs::create_dir_all(folder)?;
            let _lock = lock(&file)?;
            let mut stored = load(&file)?;
            let versions = stored.parameters.entry(name).or_default();
            let version = versions.last().map_or(1, |newest| newest.version + 1);
            let value = value.expose_secret().to_owned();
            versions.push(StoredVersion {
                version,
                set_at: Timestamp::now(),
                by,
                value,
            });
            save(&file, &stored)?;
            Ok(version)
        })
        .await
    }
}

/// Secrets Manager is not on this machine: a reference into it has a value by its variable only.
fn refuse_secrets_manager(action: &'static str, path: &str) -> Result<(), ParameterError> {
    match path.parse() {
        Ok(ParameterReference::Secret { .. }) => Err(ParameterError::Failed {
            action,
            path: path.to_owned(),
            why: format!(
                "Secrets Manager is reached on AWS only; set the variable {}, or name a parameter path in config.toml",
                FileParameters::variable(path)
            ),
            transient: false,
        }),
        _ => Ok(()),
    }
}

/// Runs file work where it may block; `path` is the credential for the error.
async fn blocking<T: Send + 'static>(
    action: &'static str,
    path: &str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, ParameterError> {
    let failed = |why: String| ParameterError::Failed {
        action,
        path: path.to_owned(),
        why,
        transient: false,
    };
    match tokio::task::spawn_blocking(work).await {
        Err(stopped) => Err(failed(format!("the file task stopped: {stopped}"))),
        Ok(done) => done.map_err(|error| failed(error.to_string())),
    }
}

fn folder_of(file: &Path) -> &Path {
    file.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// Keeps other processes from writing in between.
fn lock(file: &Path) -> io::Result<File> {
    let path = file.with_added_extension("lock");
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)?;
    lock.lock()?;
    Ok(lock)
}

fn load(file: &Path) -> io::Result<Stored> {
    let text = match fs::read(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Stored::default()),
        text => text?,
    };
    if fs::metadata(file)?.permissions().mode() & 0o077 != 0 {
        // Copied or restored without its mode: others could read it until now.
        fs::set_permissions(file, Permissions::from_mode(0o600))?;
    }
    serde_json::from_slice(&text).map_err(|error| {
        // Only the place is told: serde's sentence may quote a value.
        let place = format!("line {} column {}", error.line(), error.column());
        let why = format!(
            "{} is damaged at {place}; move it away and set the credentials again",
            file.display()
        );
        io::Error::new(ErrorKind::InvalidData, why)
    })
}

/// Writes beside the file with mode 0600 from the first byte on, then renames.
fn save(file: &Path, stored: &Stored) -> io::Result<()> {
    let folder = folder_of(file);
    let mut staged = tempfile::Builder::new()
        .prefix(".parameters-")
        .permissions(Permissions::from_mode(0o600))
        .tempfile_in(folder)?;
    serde_json::to_writer_pretty(&mut staged, stored)?;
    staged.write_all(b"\n")?;
    staged.as_file().sync_all()?;
    staged.persist(file)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARKER: &str = "do-not-show-me-8f3a";

    fn parameters(folder: &Path) -> FileParameters {
        FileParameters {
            environment: Arc::new(|name| (name == "USER").then(|| "maria".into())),
            ..FileParameters::new(folder.join("sub/parameters.json"))
        }
    }

    #[tokio::test]
    async fn the_newest_value_is_read_and_the_older_ones_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let store = parameters(folder.path());
        let missing = store.get("/affise/ApiKey").await.unwrap_err();
        assert!(
            matches!(missing, ParameterError::Missing { .. }),
            "{missing}"
        );
        assert_eq!(
            store.put("/affise/ApiKey", "first".into()).await.unwrap(),
            1
        );
        assert_eq!(store.put("/affise/ApiKey", MARKER.into()).await.unwrap(), 2);
        assert_eq!(store.put("/other", "x".into()).await.unwrap(), 1);
        assert_eq!(
            store.get("/affise/ApiKey").await.unwrap().expose_secret(),
            MARKER
        );
        let versions = store.versions("/affise/ApiKey").await.unwrap();
        assert_eq!(
            versions
                .iter()
                .map(|known| known.version)
                .collect::<Vec<_>>(),
            [1, 2]
        );
        assert_eq!(versions[1].by.as_deref(), Some("maria"));
        assert_eq!(store.paths().await.unwrap(), ["/affise/ApiKey", "/other"]);
        let shown = format!(
            "{store:?} {versions:?} {:?}",
            store.get("/affise/ApiKey").await.unwrap()
        );
        assert!(!shown.contains(MARKER), "{shown}");
    }

    #[tokio::test]
    async fn only_the_owner_may_read_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let store = parameters(folder.path());
        store.put("/k", MARKER.into()).await.unwrap();
        let mode = || fs::metadata(&store.path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(), 0o600);
        fs::set_permissions(&store.path, Permissions::from_mode(0o644)).unwrap();
        store.get("/k").await.unwrap();
        assert_eq!(
            mode(),
            0o600,
            "a file that was opened to others is closed again"
        );
    }

    #[tokio::test]
    async fn a_damaged_file_is_named_without_its_values() {
        let folder = tempfile::tempdir().unwrap();
        let store = parameters(folder.path());
        store.put("/k", "x".into()).await.unwrap();
        fs::write(&store.path, format!("{{\"parameters\": \"{MARKER}\"}}")).unwrap();
        for error in [
            store.get("/k").await.unwrap_err(),
            store.put("/k", "y".into()).await.unwrap_err(),
        ] {
            assert!(
                error.to_string().contains("is damaged at line 1"),
                "{error}"
            );
            assert!(!error.to_string().contains(MARKER), "{error}");
        }
    }

    #[tokio::test]
    async fn the_environment_wins() {
        let folder = tempfile::tempdir().unwrap();
        let named = |name: &str| {
            (name == "LAKEHAND_PARAMETER_AFFISE_APIKEY").then(|| OsString::from("from outside"))
        };
        let store = FileParameters {
            environment: Arc::new(named),
            ..parameters(folder.path())
        };
        store
            .put("/affise/ApiKey", "from the file".into())
            .await
            .unwrap();
        assert_eq!(
            store.get("/affise/ApiKey").await.unwrap().expose_secret(),
            "from outside"
        );
    }

    #[tokio::test]
    async fn a_reference_into_secrets_manager_has_a_stand_in_and_else_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let reference = "secretsmanager:prod/affise#apiKey";
        let store = parameters(folder.path());
        for error in [
            store.get(reference).await.unwrap_err(),
            store.put(reference, MARKER.into()).await.unwrap_err(),
        ] {
            let said = error.to_string();
            assert!(said.contains("on AWS only"), "{said}");
            assert!(
                said.contains("LAKEHAND_PARAMETER_SECRETSMANAGER_PROD_AFFISE_APIKEY"),
                "{said}"
            );
        }
        let named = |name: &str| {
            (name == "LAKEHAND_PARAMETER_SECRETSMANAGER_PROD_AFFISE_APIKEY")
                .then(|| OsString::from("x"))
        };
        let store = FileParameters {
            environment: Arc::new(named),
            ..parameters(folder.path())
        };
        assert_eq!(store.get(reference).await.unwrap().expose_secret(), "x");
        assert!(store.variable_in_force(reference).is_some());
    }

    #[tokio::test]
    async fn a_file_from_before_users_were_kept_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let store = parameters(folder.path());
        store.put("/k", "x".into()).await.unwrap();
        let old = fs::read_to_string(&store.path)
            .unwrap()
            .replace("\"by\": \"maria\",", "");
        fs::write(&store.path, old).unwrap();
        assert_eq!(store.versions("/k").await.unwrap()[0].by, None);
        assert_eq!(store.put("/k", "y".into()).await.unwrap(), 2);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn concurrent_writers_lose_no_version() {
        let folder = tempfile::tempdir().unwrap();
        let store = parameters(folder.path());
        let writers = (0..8).map(|number| {
            let store = store.clone();
            tokio::spawn(async move { store.put("/k", number.to_string().into()).await.unwrap() })
        });
        let mut versions: Vec<u64> = futures::future::join_all(writers)
            .await
            .into_iter()
            .map(Result::unwrap)
            .collect();
        versions.sort_unstable();
        assert_eq!(versions, (1..=8).collect::<Vec<_>>());
    }
}
