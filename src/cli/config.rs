//! `lakehand config path|check|show|migrate-ga3`.

use std::{collections::BTreeMap, io::Write};

use clap::Subcommand;

use super::{CliError, Ended, OutputFormat, VerbResult, print_as};
use crate::{
    config::{self, Config, Home, Migration},
    pipeline::text::for_terminal,
};

/// Verbs on the configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigVerb {
    /// Where the configuration file belongs, and where data and the log lie.
    Path,
    /// Check the file; mistakes are named with line and column.
    Check,
    /// What is in force, every default filled in.
    Show,
    /// The GA3 reports of a profile as GA4 ones: what became what, and what has no counterpart.
    MigrateGa3 {
        /// The profile; without it the default one.
        #[arg(long = "of", value_name = "PROFILE")]
        of: Option<String>,
        /// The GA4 property of a GA3 view; give it once a view.
        #[arg(long, value_name = "VIEW=PROPERTY")]
        property: Vec<String>,
    },
    /// Every action of the console with its name and the keys it has.
    #[cfg(feature = "console")]
    Keys,
}

/// Runs the verb.
///
/// # Errors
/// When the configuration is wrong or output fails.
pub fn run(verb: &ConfigVerb, profile: Option<&str>, output: OutputFormat) -> VerbResult {
    let home = Home::find()?;
    match verb {
        ConfigVerb::Path => {
            let exists = home.config_file().exists();
            let value = serde_json::json!({ "config": home.config_file(), "exists": exists, "data": home.data_dir(), "log": super::log::file_of(&home) });
            print_as(output, &value, |out| {
                writeln!(out, "{}", home.config_file().display())?;
                if !exists {
                    writeln!(
                        out,
                        "(no such file: the built-in profile `local` is in force)"
                    )?;
                }
                writeln!(out, "data: {}", home.data_dir().display())?;
                writeln!(out, "log: {}", super::log::file_of(&home).display())
            })?;
        }
        ConfigVerb::Check => {
            let config = Config::load(&home)?;
            #[cfg(feature = "console")]
            crate::console::check_keys(config.keys())?;
            config.profile(profile)?;
            config.check()?;
            let profiles: Vec<_> = config.profile_names().collect();
            let value = serde_json::json!({ "ok": true, "config": config.path(), "from_file": config.from_file(), "profiles": profiles });
            print_as(output, &value, |out| {
                let place = if config.from_file() {
                    config.path().display().to_string()
                } else {
                    "the built-in configuration".to_owned()
                };
                writeln!(out, "{place} is right; profiles: {}", profiles.join(", "))
            })?;
        }
        ConfigVerb::Show => {
            let config = Config::load(&home)?;
            config.profile(profile)?;
            let text = config
                .show()
                .map_err(|error| CliError::platform(error.to_string(), ""))?;
            let value: toml::Value =
                toml::from_str(&text).map_err(|error| CliError::platform(error.to_string(), ""))?;
            print_as(output, &value, |out| write!(out, "{text}"))?;
        }
        ConfigVerb::MigrateGa3 { of, property } => {
            migrate_ga3(
                &Config::load(&home)?,
                of.as_deref().or(profile),
                property,
                output,
            )?;
        }
        #[cfg(feature = "console")]
        ConfigVerb::Keys => {
            let actions = crate::console::key_reference(Config::load(&home)?.keys())?;
            print_as(output, &actions, |out| {
                for action in &actions {
                    let keys = action.keys.join(" ");
                    writeln!(out, "{:<18}{keys:<14}{}", action.action, action.title)?;
                }
                Ok(())
            })?;
        }
    }
    Ok(Ended::Well)
}

fn migrate_ga3(
    config: &Config,
    profile: Option<&str>,
    properties: &[String],
    output: OutputFormat,
) -> Result<(), CliError> {
    let profile = config.profile(profile)?;
    let Some(ga3) = &profile.ga3 else {
        return Err(CliError::not_found(
            format!("the profile {} has no GA3 reports", profile.name),
            format!(
                "add [profiles.{}.ga3] to {}",
                profile.name,
                config.path().display()
            ),
        ));
    };
    let mut known = BTreeMap::new();
    for pair in properties {
        let (view, property) = pair.split_once('=').ok_or_else(|| {
            CliError::usage(
                format!("'{pair}' is not VIEW=PROPERTY"),
                "write it like --property 123456=310000001",
            )
        })?;
        known.insert(view.trim().to_owned(), property.trim().to_owned());
    }
    let migration = config::migrate(ga3, &known);
    let toml = migration.toml(&profile.name, ga3);
    let value = serde_json::json!({ "migration": migration, "toml": toml });
    print_as(output, &value, |out| {
        print_migration(out, &migration, &toml)
    })
}

/// The configuration first, so that it can be cut off; what to know about it in comments below.
fn print_migration(out: &mut dyn Write, migration: &Migration, toml: &str) -> std::io::Result<()> {
    writeln!(out, "{toml}")?;
    writeln!(out, "# What became what:")?;
    for mapped in &migration.mapped {
        let (from, to) = (for_terminal(&mapped.from), for_terminal(&mapped.to));
        if mapped.differs.is_empty() {
            writeln!(out, "#   {from} -> {to}")?;
        } else {
            writeln!(out, "#   {from} -> {to} ({})", mapped.differs)?;
        }
    }
    if !migration.without_counterpart.is_empty() {
        writeln!(out, "# What has no counterpart:")?;
    }
    for missing in &migration.without_counterpart {
        let what = for_terminal(&missing.what);
        writeln!(out, "#   {} of {}: {}", what, missing.report, missing.why)?;
    }
    for view in &migration.views_without_property {
        let view = for_terminal(view);
        writeln!(
            out,
            "# The GA4 property of view {view} is not known: add --property {view}=<property id>"
        )?;
    }
    Ok(())
}
