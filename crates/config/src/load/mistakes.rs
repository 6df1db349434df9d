//! What makes a mistake in `config.toml` easy to find: its own line, the nearest right name, how an address looks.

use super::{ConfigError, Place};
use crate::{Schedule, Scheduled};

/// Crawlers by the last part of their names.
const CRAWLERS: [&str; 4] = ["silver", "affise", "marketo", "ga"];

/// Most letters by which two names may differ and one still be meant by the other.
const FAR: usize = 3;

/// The known name that a wrong one most likely means.
pub(crate) fn nearest<'a>(
    wrong: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let allowed = FAR.min(wrong.chars().count().div_ceil(2));
    known
        .into_iter()
        .map(|name| (distance(wrong, name), name))
        .filter(|(far, _)| *far <= allowed)
        .min()
        .map(|(_, name)| name)
}

/// `; did you mean 'NAME'?`, or nothing.
pub(crate) fn did_you_mean<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(wrong, known)
        .map(|name| format!("; did you mean '{name}'?"))
        .unwrap_or_default()
}

/// Letters to be changed, added or taken away to make one name of the other (Levenshtein).
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, from) in left.chars().enumerate() {
        let mut corner = i;
        row[0] = i + 1;
        for (j, to) in right.iter().enumerate() {
            let changed = corner + usize::from(from != *to);
            corner = row[j + 1];
            row[j + 1] = changed.min(corner + 1).min(row[j] + 1);
        }
    }
    row.last().copied().unwrap_or(0)
}

/// The complaint of the TOML reader, with the nearest name where it met one that it does not know.
pub(super) fn with_nearest(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    match quoted.next() {
        Some(wrong) if message.starts_with("unknown ") => {
            format!("{message}{}", did_you_mean(wrong, quoted))
        }
        _ => message.to_owned(),
    }
}

/// What is wrong with the address of a source, if it was given: only scheme and host belong there.
pub(super) fn address_complaint(base_url: &str, example: &str) -> Option<String> {
    if base_url.is_empty() {
        return None;
    }
    let like = format!("write it like \"{example}\"");
    match url::Url::parse(base_url) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {
            let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
            (!bare).then(|| {
                format!("base_url '{base_url}' holds more than scheme and host; paths are added by Lakehand: {like}")
            })
        }
        _ => Some(format!(
            "base_url '{base_url}' is not an http(s) address; {like}"
        )),
    }
}

impl Place<'_> {
    /// Where in a section the value stands that a complaint is about: the line of the setting it begins with, or
    /// else of what it quotes; the section's own line where it names neither.
    pub(super) fn place_of(&self, section: usize, message: &str) -> usize {
        let rest = self.text.get(section..).unwrap_or_default();
        let own_line = rest.find('\n').map_or(rest.len(), |end| end + 1);
        // The section ends where the next one begins that is not its own: sub-tables of lists still belong to it.
        let end = rest[own_line..]
            .find("\n[profiles.")
            .map_or(rest.len(), |end| own_line + end);
        let body = &rest[..end];
        let key = message.split([' ', ':']).next().unwrap_or_default();
        let quoted = message.split('\'').nth(1).filter(|text| !text.is_empty());
        let found = setting(body, key).or_else(|| quoted.and_then(|text| body.find(text)));
        section + found.unwrap_or(0)
    }

    /// Schedules start what there is.
    pub(super) fn schedules(
        &self,
        schedules: Vec<toml::Spanned<Schedule>>,
        own_workflows: &[String],
    ) -> Result<Vec<Schedule>, ConfigError> {
        let built_in = lakehand_base::workflows::WORKFLOWS;
        let workflows: Vec<&str> = built_in
            .into_iter()
            .chain(own_workflows.iter().map(String::as_str))
            .collect();
        schedules
            .into_iter()
            .map(|schedule| {
                let at = schedule.span().start;
                let schedule = schedule.into_inner();
                let (kind, name, known) = match &schedule.starts {
                    Scheduled::Workflow(name) => ("workflow", name, workflows.as_slice()),
                    Scheduled::Crawler(name) => ("crawler", name, CRAWLERS.as_slice()),
                };
                let last_part = name.rsplit('-').next().unwrap_or(name);
                let is_known = known.contains(&name.as_str())
                    || (kind == "crawler" && known.contains(&last_part));
                if is_known {
                    return Ok(schedule);
                }
                let message = format!(
                    "there is no {kind} '{name}'; there are {}{}",
                    known.join(", "),
                    did_you_mean(name, known.iter().copied())
                );
                Err(self.invalid(self.place_of(at, &message), message))
            })
            .collect()
    }
}

/// Where a setting's name stands in a section, as a line of its own or in braces.
fn setting(body: &str, key: &str) -> Option<usize> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if key.is_empty() || !key.chars().all(is_name) {
        return None;
    }
    body.match_indices(key).map(|(at, _)| at).find(|at| {
        let before = body[..*at].chars().next_back();
        let after = body[at + key.len()..].trim_start_matches([' ', '\t']);
        let commented = body[..*at]
            .rsplit('\n')
            .next()
            .is_some_and(|line| line.trim_start().starts_with('#'));
        !commented && !before.is_some_and(is_name) && after.starts_with('=')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_told_and_no_far_one() {
        let known = ["daily-report", "collect", "backfill"];
        assert_eq!(nearest("dayly-report", known), Some("daily-report"));
        assert_eq!(nearest("colect", known), Some("collect"));
        assert_eq!(nearest("nightly", known), None);
        assert_eq!(nearest("", known), None);
        assert_eq!(distance("kitten", "sitting"), 3);
        let told = with_nearest("unknown field `base_ur`, expected one of `base_url`, `attempts`");
        assert!(told.ends_with("did you mean 'base_url'?"), "{told}");
        assert_eq!(with_nearest("invalid type: `x`"), "invalid type: `x`");
    }
}
