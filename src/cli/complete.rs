//! What the shell offers at TAB: names of this installation, not only the words of the command line.
//!
//! The script of `lakehand completions` asks the program itself, which reads the configuration and, for executions and
//! reports, the profile's platform. A shell must not hang at TAB: what does not answer in time offers nothing.

use std::{sync::Arc, time::Duration};

use clap::{CommandFactory, builder::StyledStr};
use clap_complete::{CompletionCandidate, env::CompleteEnv};

use super::Cli;
use crate::{
    config::{Config, Home, Profile},
    ops::{Operations, OpsResult},
    pipeline::{
        dataset::{GoldTable, Stream},
        quality,
        text::for_terminal,
    },
    platform::{Platform, definitions},
};

/// How long an answer of a platform is waited for.
const LONGEST: Duration = Duration::from_millis(1_500);
/// Executions offered.
const EXECUTIONS: usize = 50;

/// Answers the shell, and ends the program, where it was started for that.
pub fn answer() {
    CompleteEnv::with_factory(Cli::command).complete();
}

/// Profiles of the configuration.
pub fn profiles() -> Vec<CompletionCandidate> {
    let config = Home::find().ok().and_then(|home| Config::load(&home).ok());
    let config = config.as_ref();
    config.map_or_else(Vec::new, |config| {
        config.profile_names().map(plain).collect()
    })
}

/// Workflows of the program and of the profile.
pub fn workflows() -> Vec<CompletionCandidate> {
    let ours = definitions::BUILT_IN
        .iter()
        .map(|(name, _)| (*name).to_owned());
    let own = profile().map(|profile| profile.aws.state_machines.keys().cloned().collect());
    let own: Vec<String> = own.unwrap_or_default();
    let mut all: Vec<String> = ours.chain(own).collect();
    all.sort();
    all.dedup();
    all.into_iter().map(plain).collect()
}

/// Streams of the profile.
pub fn streams() -> Vec<CompletionCandidate> {
    let streams = profile().map(|profile| profile.streams());
    let names = streams.unwrap_or_default().into_iter().map(Stream::name);
    names.map(plain).collect()
}

/// Sources of the profile.
pub fn sources() -> Vec<CompletionCandidate> {
    let streams = profile().map(|profile| profile.streams());
    let mut names: Vec<&str> = streams
        .iter()
        .flatten()
        .map(|stream| stream.source())
        .collect();
    names.dedup();
    names.into_iter().map(plain).collect()
}

/// Sources, then their streams.
pub fn sources_and_streams() -> Vec<CompletionCandidate> {
    let mut all = sources();
    all.extend(streams());
    all
}

/// Crawlers by their short names.
pub fn crawlers() -> Vec<CompletionCandidate> {
    ["affise", "ga", "marketo", "silver"].map(plain).into()
}

/// Tables with checks.
pub fn checked_tables() -> Vec<CompletionCandidate> {
    let tables = profile().map(|profile| quality::checked_tables(&profile));
    tables.unwrap_or_default().into_iter().map(plain).collect()
}

/// Gold tables.
pub fn gold_tables() -> Vec<CompletionCandidate> {
    GoldTable::ALL.map(|table| plain(table.name())).into()
}

/// Parameter paths of credentials.
pub fn credentials() -> Vec<CompletionCandidate> {
    ask(async |operations: Arc<dyn Operations>| {
        let all = operations.credentials().await?;
        let candidate = |one: crate::ops::Credential| with_help(&one.path, one.kind.title());
        Ok(all.into_iter().map(candidate).collect())
    })
}

/// Executions, newest first.
pub fn executions() -> Vec<CompletionCandidate> {
    ask(async |operations: Arc<dyn Operations>| {
        let (newest, _) = operations.readable_executions(EXECUTIONS).await?;
        let mut all = vec![with_help("latest", "the newest execution")];
        all.extend(newest.iter().enumerate().map(|(place, one)| {
            with_help(one.id.as_ref(), super::status::word(one)).display_order(Some(place))
        }));
        Ok(all)
    })
}

/// Reports, newest first.
pub fn reports() -> Vec<CompletionCandidate> {
    ask(async |operations: Arc<dyn Operations>| {
        let all = operations.reports().await?;
        let latest = with_help("latest", "the newest report");
        let names = all.into_iter().map(|report| plain(report.name.as_ref()));
        Ok(std::iter::once(latest).chain(names).collect())
    })
}

/// What a platform offers, as far as it can be asked without a word and in time.
fn ask(
    question: impl AsyncFnOnce(Arc<dyn Operations>) -> OpsResult<Vec<CompletionCandidate>>,
) -> Vec<CompletionCandidate> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    let (Ok(runtime), Some(profile)) = (runtime, profile()) else {
        return Vec::new();
    };
    let answer = runtime.block_on(async {
        let answer = async {
            let platform = Platform::open(Arc::new(profile)).await.ok()?;
            question(platform.operations()).await.ok()
        };
        tokio::time::timeout(LONGEST, answer).await.ok().flatten()
    });
    runtime.shutdown_background();
    answer.unwrap_or_default()
}

/// The profile of the line that is being typed.
fn profile() -> Option<Profile> {
    let config = Config::load(&Home::find().ok()?).ok()?;
    let words: Vec<String> = std::env::args_os()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let named = profile_in(&words).or_else(|| std::env::var("LAKEHAND_PROFILE").ok());
    config.profile(named.as_deref()).ok().cloned()
}

/// The profile that the words of a command line name.
fn profile_in(words: &[String]) -> Option<String> {
    let spelled = |word: &str| {
        let rest = word
            .strip_prefix("--profile=")
            .or_else(|| word.strip_prefix("-p"));
        rest.filter(|rest| !rest.is_empty())
            .map(|rest| rest.trim_start_matches('=').to_owned())
    };
    let after = words.windows(2).find_map(|two| match two[0].as_str() {
        "-p" | "--profile" => Some(two[1].clone()),
        _ => None,
    });
    after.or_else(|| words.iter().find_map(|word| spelled(word)))
}

fn plain(name: impl AsRef<str>) -> CompletionCandidate {
    CompletionCandidate::new(for_terminal(name.as_ref()).into_owned())
}

fn with_help(name: &str, help: &str) -> CompletionCandidate {
    plain(name).help(Some(StyledStr::from(help.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_profile_is_read_from_the_line_that_is_being_typed() {
        let named = |line: &str| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            profile_in(&words)
        };
        for line in [
            "lakehand -p prod runs show",
            "lakehand runs --profile prod show",
            "lakehand runs --profile=prod",
            "lakehand -pprod",
        ] {
            assert_eq!(named(line).as_deref(), Some("prod"), "{line}");
        }
        assert_eq!(named("lakehand runs show"), None);
    }
}
