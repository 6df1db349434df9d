//! Reading `config.toml`: unknown keys and bad values are errors with line and column.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::{
    AffiseSettings, AwsSettings, CredentialSettings, DatamartSettings, Ga3Settings, Ga4Settings,
    GoldSettings, KeyPatch, MarketoSettings, NormaliseSettings, PlatformKind, Profile, Schedule,
    keys::SpannedKeys,
};

use lakehand_base::references::ParameterReference;

pub(crate) mod mistakes;
mod sources;

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("could not read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A key or value the file may not have.
    #[error("{}:{line}:{column}: {message}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column, from 1, in characters.
        column: usize,
        /// What is wrong, and what is possible instead.
        message: String,
    },
    /// A profile that the file does not define.
    #[error("there is no profile '{name}' in {}; it defines: {known}{}", path.display(), mistakes::did_you_mean(name, known.split(", ")))]
    UnknownProfile {
        /// What was asked for.
        name: String,
        /// The file.
        path: PathBuf,
        /// Profiles there are.
        known: String,
    },
    /// The machine names no home for the user.
    #[error(
        "no home folder is known for this user; set LAKEHAND_HOME to a folder that Lakehand may use"
    )]
    NoHome,
}

/// Where configuration and data live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    config_file: PathBuf,
    data_dir: PathBuf,
}

impl Home {
    /// `LAKEHAND_HOME` moves both below one folder; else the platform's usual places.
    ///
    /// # Errors
    /// [`ConfigError::NoHome`] when neither is known.
    pub fn find() -> Result<Self, ConfigError> {
        if let Some(home) = std::env::var_os("LAKEHAND_HOME").filter(|home| !home.is_empty()) {
            return Ok(Self::below(Path::new(&home)));
        }
        let dirs = directories::ProjectDirs::from("", "", "lakehand").ok_or(ConfigError::NoHome)?;
        Ok(Self {
            config_file: dirs.config_dir().join("config.toml"),
            data_dir: dirs.data_dir().to_path_buf(),
        })
    }

    /// Both below `folder`: `config.toml` and `data/`.
    #[must_use]
    pub fn below(folder: &Path) -> Self {
        let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_path_buf());
        Self {
            config_file: folder.join("config.toml"),
            data_dir: folder.join("data"),
        }
    }

    /// The configuration file; it need not exist.
    #[must_use]
    pub fn config_file(&self) -> &Path {
        &self.config_file
    }

    /// Folder under which profiles keep their data unless they say otherwise.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }
}

/// The configuration as it is in force.
#[derive(Debug, Clone)]
pub struct Config {
    path: PathBuf,
    from_file: bool,
    default_profile: String,
    profiles: BTreeMap<String, Profile>,
    keys: KeyPatch,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigFile {
    profile: Option<Spanned<String>>,
    #[serde(default)]
    profiles: BTreeMap<String, ProfileFile>,
    #[serde(default)]
    keys: SpannedKeys,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ProfileFile {
    platform: Option<PlatformKind>,
    project: Option<Spanned<String>>,
    env: Option<Spanned<String>>,
    time_zone: Option<Spanned<String>>,
    data_dir: Option<PathBuf>,
    reports_prefix: Option<Spanned<String>>,
    read_only: bool,
    protected: bool,
    aws: Option<Spanned<AwsSettings>>,
    affise: Option<Spanned<AffiseSettings>>,
    marketo: Option<Spanned<MarketoSettings>>,
    ga4: Option<Spanned<Ga4Settings>>,
    ga3: Option<Spanned<Ga3Settings>>,
    normalise: Option<Spanned<NormaliseSettings>>,
    gold: GoldSettings,
    credentials: CredentialSettings,
    datamart: Option<Spanned<DatamartSettings>>,
    schedules: Option<Vec<Spanned<Schedule>>>,
}

/// What `config show` prints: the profile with every default filled in.
#[derive(Debug, Serialize)]
struct ProfileShown<'a> {
    platform: PlatformKind,
    project: &'a str,
    env: &'a str,
    time_zone: String,
    data_dir: &'a Path,
    #[serde(skip_serializing_if = "Option::is_none")]
    reports_prefix: Option<&'a str>,
    read_only: bool,
    protected: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    aws: Option<&'a AwsSettings>,
    affise: &'a AffiseSettings,
    #[serde(skip_serializing_if = "Option::is_none")]
    marketo: Option<&'a MarketoSettings>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ga4: Option<&'a Ga4Settings>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ga3: Option<&'a Ga3Settings>,
    normalise: &'a NormaliseSettings,
    gold: &'a GoldSettings,
    credentials: &'a CredentialSettings,
    datamart: &'a DatamartSettings,
    schedules: &'a [Schedule],
}

impl Config {
    /// Reads the file of `home`; without a file there is the built-in profile `local`.
    ///
    /// # Errors
    /// [`ConfigError`] with the place of the first key or value that may not be there.
    pub fn load(home: &Home) -> Result<Self, ConfigError> {
        match fs::read_to_string(home.config_file()) {
            Ok(text) => Self::parse(&text, home),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::built_in(home),
            Err(source) => Err(ConfigError::Unreadable {
                path: home.config_file().to_path_buf(),
                source,
            }),
        }
    }

    /// The configuration without a file.
    ///
    /// # Errors
    /// None in practice; the built-in profile is checked like any other.
    pub fn built_in(home: &Home) -> Result<Self, ConfigError> {
        let mut config = Self::parse("", home)?;
        config.from_file = false;
        Ok(config)
    }

    /// Checks the text of a configuration file.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] with line and column.
    pub fn parse(text: &str, home: &Home) -> Result<Self, ConfigError> {
        let place = Place {
            path: home.config_file(),
            text,
        };
        let file: ConfigFile = toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            let message = mistakes::with_nearest(error.message());
            // A schedule is read as a whole; the place of its time is known by what it quotes.
            let at = match message.contains("is not a time of day") {
                true => place.place_of(start, &message),
                false => start,
            };
            place.invalid(at, message)
        })?;
        let mut profiles = BTreeMap::new();
        for (name, profile) in file.profiles {
            let checked = place.profile(&name, profile, home)?;
            profiles.insert(name, checked);
        }
        if !profiles.contains_key("local") {
            profiles.insert(
                "local".to_owned(),
                place.profile("local", ProfileFile::default(), home)?,
            );
        }
        let default_profile = match file.profile {
            Some(name) if !profiles.contains_key(name.get_ref()) => {
                let known: Vec<_> = profiles.keys().map(String::as_str).collect();
                let message = format!(
                    "there is no profile '{}'; this file defines: {}{}",
                    name.get_ref(),
                    known.join(", "),
                    mistakes::did_you_mean(name.get_ref(), known.iter().copied())
                );
                return Err(place.invalid(name.span().start, message));
            }
            Some(name) => name.into_inner(),
            None => "local".to_owned(),
        };
        Ok(Self {
            path: home.config_file().to_path_buf(),
            from_file: true,
            default_profile,
            profiles,
            keys: KeyPatch::placed(home.config_file(), text, file.keys),
        })
    }

    /// What can be right and is most likely not meant: an address that is written down and empty.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] with its line.
    pub fn check(&self) -> Result<(), ConfigError> {
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(_) => return Ok(()),
        };
        let place = Place {
            path: &self.path,
            text: &text,
        };
        for name in self.profile_names() {
            let header = format!("[profiles.{name}.affise]");
            let Some(section) = text.find(&header) else {
                continue;
            };
            let at = place.place_of(section, "base_url");
            let value = text[at..]
                .lines()
                .next()
                .and_then(|line| line.split_once('='));
            let is_empty = value.is_some_and(|(key, value)| {
                let value = value.split('#').next().unwrap_or_default();
                key.trim() == "base_url" && value.trim().trim_matches(['"', '\'']).is_empty()
            });
            if is_empty {
                let message = "base_url is empty; write it like \"https://api-<tenant>.affise.com\", or leave the line out".to_owned();
                return Err(place.invalid(at, message));
            }
        }
        Ok(())
    }

    /// Keys of the console that the file changes; which actions there are only the console knows.
    #[must_use]
    pub fn keys(&self) -> &KeyPatch {
        &self.keys
    }

    /// The file this was read from, or would be.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there is a file.
    #[must_use]
    pub fn from_file(&self) -> bool {
        self.from_file
    }

    /// Names of the profiles, sorted.
    pub fn profile_names(&self) -> impl Iterator<Item = &str> {
        self.profiles.keys().map(String::as_str)
    }

    /// The profile of that name, or the default one.
    ///
    /// # Errors
    /// [`ConfigError::UnknownProfile`].
    pub fn profile(&self, name: Option<&str>) -> Result<&Profile, ConfigError> {
        let name = name.unwrap_or(&self.default_profile);
        self.profiles
            .get(name)
            .ok_or_else(|| ConfigError::UnknownProfile {
                name: name.to_owned(),
                path: self.path.clone(),
                known: self.profile_names().collect::<Vec<_>>().join(", "),
            })
    }

    /// The effective settings as TOML, every default filled in; holds no secret, since none may be here.
    ///
    /// # Errors
    /// None in practice: all settings have a TOML form.
    pub fn show(&self) -> Result<String, toml::ser::Error> {
        let profiles: BTreeMap<&str, ProfileShown<'_>> = self
            .profiles
            .iter()
            .map(|(name, p)| (name.as_str(), shown(p)))
            .collect();
        let mut shown =
            serde_json::json!({ "profile": self.default_profile, "profiles": profiles });
        if let (Some(shown), false) = (shown.as_object_mut(), self.keys.is_empty()) {
            shown.insert("keys".to_owned(), self.keys.shown());
        }
        toml::to_string(&shown)
    }
}

/// The configuration of a profile's deployed functions: that profile alone, without what belongs to the operator's
/// machine (SDK profile, addresses of emulators, folders) and without the operator's own limits.
///
/// # Errors
/// None in practice: all settings have a TOML form.
pub fn functions_config(profile: &Profile) -> Result<String, toml::ser::Error> {
    let mut deployed = profile.clone();
    deployed.data_dir = PathBuf::from("/tmp/lakehand");
    (deployed.read_only, deployed.protected) = (false, false);
    (deployed.aws.sdk_profile, deployed.aws.endpoint_url) = (None, None);
    deployed.schedules = Vec::new();
    let profiles = BTreeMap::from([(deployed.name.as_str(), shown(&deployed))]);
    toml::to_string(&serde_json::json!({ "profile": deployed.name, "profiles": profiles }))
}

fn shown(profile: &Profile) -> ProfileShown<'_> {
    ProfileShown {
        platform: profile.platform,
        project: &profile.project,
        env: &profile.env,
        time_zone: profile.time_zone.iana_name().unwrap_or("UTC").to_owned(),
        data_dir: &profile.data_dir,
        reports_prefix: profile.reports_prefix.as_deref(),
        read_only: profile.read_only,
        protected: profile.protected,
        aws: (profile.platform == PlatformKind::Aws).then_some(&profile.aws),
        affise: &profile.affise,
        marketo: profile.marketo.as_ref(),
        ga4: profile.ga4.as_ref(),
        ga3: profile.ga3.as_ref(),
        normalise: &profile.normalise,
        gold: &profile.gold,
        credentials: &profile.credentials,
        datamart: &profile.datamart,
        schedules: &profile.schedules,
    }
}

/// What is wrong with the first of these references to credentials that cannot be one.
fn parameter_complaint<const N: usize>(references: [&String; N]) -> Option<String> {
    references.iter().find_map(|text| {
        let reference: Result<ParameterReference, String> = text.parse();
        reference.err()
    })
}

/// Line and column of a byte, both from 1, the column in characters.
pub(super) fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (
        before.matches('\n').count() + 1,
        before[line_start..].chars().count() + 1,
    )
}

/// The text an error points into.
struct Place<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Place<'_> {
    fn invalid(&self, offset: usize, message: String) -> ConfigError {
        let (line, column) = line_and_column(self.text, offset);
        ConfigError::Invalid {
            path: self.path.to_path_buf(),
            line,
            column,
            message,
        }
    }

    fn profile(&self, name: &str, file: ProfileFile, home: &Home) -> Result<Profile, ConfigError> {
        let data_dir = file.data_dir.unwrap_or_else(|| home.data_dir().join(name));
        let schedules = match file.schedules {
            Some(schedules) => self.schedules(schedules, &own_workflows(&data_dir))?,
            None => default_schedules(),
        };
        Ok(Profile {
            name: name.to_owned(),
            platform: file.platform.unwrap_or(PlatformKind::Local),
            project: self.resource_word(file.project, "lakehand")?,
            env: self.resource_word(file.env, "local")?,
            time_zone: self.time_zone(file.time_zone)?,
            data_dir,
            affise: self.affise(file.affise)?,
            marketo: self.marketo(file.marketo)?,
            ga4: self.ga4(file.ga4)?,
            ga3: self.ga3(file.ga3)?,
            normalise: self.normalise(file.normalise)?,
            gold: file.gold,
            credentials: file.credentials,
            datamart: self.datamart(file.datamart)?,
            schedules,
            reports_prefix: self.reports_prefix(file.reports_prefix)?,
            read_only: file.read_only,
            protected: file.protected,
            aws: self.aws(file.aws)?,
        })
    }

    /// Project and env become parts of AWS names: letters, digits and hyphens.
    fn resource_word(
        &self,
        word: Option<Spanned<String>>,
        default: &str,
    ) -> Result<String, ConfigError> {
        let Some(word) = word else {
            return Ok(default.to_owned());
        };
        let text = word.get_ref();
        let fits = !text.is_empty()
            && text.len() <= 32
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if fits {
            Ok(word.into_inner())
        } else {
            Err(self.invalid(word.span().start, format!("'{text}' cannot be part of a resource name; use up to 32 letters, digits and hyphens")))
        }
    }

    /// A folder of the std bucket, which ends with a slash from here on.
    fn reports_prefix(
        &self,
        prefix: Option<Spanned<String>>,
    ) -> Result<Option<String>, ConfigError> {
        let Some(prefix) = prefix else {
            return Ok(None);
        };
        let given = prefix.get_ref().trim_end_matches('/');
        let parts = || given.split('/');
        let is_folder = parts().all(|part| !matches!(part, "" | "." | ".."))
            && !given.chars().any(char::is_control);
        let is_ours = matches!(parts().next(), Some("silver" | "gold" | "_state"));
        if is_folder && !is_ours {
            return Ok(Some(format!("{given}/")));
        }
        let message = "reports_prefix must be a folder of the std bucket in which others put CSV files, such as \"exports/daily/\": no slash before it, no '..', and none of silver, gold, _state";
        Err(self.invalid(prefix.span().start, message.to_owned()))
    }

    fn time_zone(&self, name: Option<Spanned<String>>) -> Result<TimeZone, ConfigError> {
        let Some(name) = name else {
            return Ok(TimeZone::UTC);
        };
        TimeZone::get(name.get_ref()).map_err(|_| {
            self.invalid(name.span().start, format!("'{}' is not a time zone; use an IANA name such as \"Europe/Berlin\" or \"UTC\"", name.get_ref()))
        })
    }

    fn affise(
        &self,
        settings: Option<Spanned<AffiseSettings>>,
    ) -> Result<AffiseSettings, ConfigError> {
        let Some(settings) = settings else {
            return Ok(AffiseSettings::default());
        };
        let at = settings.span().start;
        let mut s = settings.into_inner();
        // A trailing slash leads to `//3.0/…`, which Affise answers with 404.
        s.base_url.truncate(s.base_url.trim_end_matches('/').len());
        let address = mistakes::address_complaint(&s.base_url, "https://api-<tenant>.affise.com");
        let complaint = if address.is_some() {
            address
        } else if !(s.requests_per_second > 0.0 && s.requests_per_second <= 1000.0) {
            Some("requests_per_second must be above 0 and at most 1000".to_owned())
        } else if s.concurrency == 0 || s.concurrency > 64 {
            Some("concurrency must be from 1 to 64".to_owned())
        } else if s.page_limit == 0 {
            Some("page_limit must be at least 1".to_owned())
        } else if s.attempts == 0 {
            Some("attempts must be at least 1".to_owned())
        } else if s.overlap_hours < 2 {
            Some("overlap_hours must be at least 2: Affise commits changes late".to_owned())
        } else {
            None
        };
        complaint
            .or_else(|| parameter_complaint([&s.api_key_parameter]))
            .map_or(Ok(s), |message| {
                Err(self.invalid(self.place_of(at, &message), message))
            })
    }

    fn aws(&self, settings: Option<Spanned<AwsSettings>>) -> Result<AwsSettings, ConfigError> {
        let Some(settings) = settings else {
            return Ok(AwsSettings::default());
        };
        match settings.get_ref().complaint() {
            Some(message) => {
                let at = self.place_of(settings.span().start, &message);
                Err(self.invalid(at, message))
            }
            None => Ok(settings.into_inner()),
        }
    }

    fn datamart(
        &self,
        settings: Option<Spanned<DatamartSettings>>,
    ) -> Result<DatamartSettings, ConfigError> {
        let Some(settings) = settings else {
            return Ok(DatamartSettings::default());
        };
        let price = settings.get_ref().price_per_tb;
        if price.is_finite() && price >= 0.0 {
            return Ok(settings.into_inner());
        }
        let message = "price_per_tb must be 0 or more dollars".to_owned();
        let at = self.place_of(settings.span().start, &message);
        Err(self.invalid(at, message))
    }

    fn normalise(
        &self,
        settings: Option<Spanned<NormaliseSettings>>,
    ) -> Result<NormaliseSettings, ConfigError> {
        let Some(settings) = settings else {
            return Ok(NormaliseSettings::default());
        };
        let s = *settings.get_ref();
        let complaint = if s.memory_mb < 32 {
            Some("memory_mb must be at least 32")
        } else if !(0.0..=1.0).contains(&s.max_quarantine_share) {
            Some("max_quarantine_share must be from 0 to 1")
        } else {
            None
        };
        complaint.map_or(Ok(s), |message| {
            let at = self.place_of(settings.span().start, message);
            Err(self.invalid(at, message.to_owned()))
        })
    }
}

/// Workflows whose definitions lie in a profile's folder.
fn own_workflows(data_dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(data_dir.join("workflows"));
    let files = entries.into_iter().flatten().flatten();
    files
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            name.strip_suffix(".asl.json").map(str::to_owned)
        })
        .collect()
}

/// The daily report at 09:00 and 14:00, as the design has it, the collection an hour before, and the
/// crawler of Google Analytics between the two.
fn default_schedules() -> Vec<Schedule> {
    let time = |hour, minute| jiff::civil::time(hour, minute, 0, 0);
    vec![
        Schedule::workflow("collect", time(8, 0)),
        Schedule::crawler("ga", time(8, 45)),
        Schedule::workflow("daily-report", time(9, 0)),
        Schedule::workflow("collect", time(13, 0)),
        Schedule::crawler("ga", time(13, 45)),
        Schedule::workflow("daily-report", time(14, 0)),
    ]
}

#[cfg(test)]
mod tests;
