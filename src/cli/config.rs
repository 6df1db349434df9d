//! `lakehand config path|check|show`.

use clap::Subcommand;

use super::{CliError, Ended, OutputFormat, VerbResult, print_as};
use crate::config::{Config, Home};

/// Verbs on the configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigVerb {
    /// Where the configuration file belongs, and where data lies.
    Path,
    /// Check the file; mistakes are named with line and column.
    Check,
    /// What is in force, every default filled in.
    Show,
    /// Every action of the console with its name and the keys it has.
    #[cfg(feature = "console")]
    Keys,
}

/// Runs the verb.
///
/// # Errors
/// When the configuration is wrong or output fails.
pub fn run(verb: &ConfigVerb, output: OutputFormat) -> VerbResult {
    let home = Home::find()?;
    match verb {
        ConfigVerb::Path => {
            let exists = home.config_file().exists();
            let value = serde_json::json!({ "config": home.config_file(), "exists": exists, "data": home.data_dir() });
            print_as(output, &value, |out| {
                writeln!(out, "{}", home.config_file().display())?;
                if !exists {
                    writeln!(
                        out,
                        "(no such file: the built-in profile `local` is in force)"
                    )?;
                }
                writeln!(out, "data: {}", home.data_dir().display())
            })?;
        }
        ConfigVerb::Check => {
            let config = Config::load(&home)?;
            #[cfg(feature = "console")]
            crate::console::check_keys(config.keys())?;
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
            let text = config
                .show()
                .map_err(|error| CliError::platform(error.to_string(), ""))?;
            let value: toml::Value =
                toml::from_str(&text).map_err(|error| CliError::platform(error.to_string(), ""))?;
            print_as(output, &value, |out| write!(out, "{text}"))?;
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
