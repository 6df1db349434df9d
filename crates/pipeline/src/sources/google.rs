//! What the two Google Analytics APIs have in common: the service account's login, how Google says
//! no, and what is known of a day that may still change.

pub(in crate::sources) mod compatibility;
pub mod days;
pub(crate) mod login;
pub(crate) mod parts;
pub(crate) mod progress;
pub(crate) mod refusals;
pub(crate) mod rows;
pub(crate) mod sign_in;

use super::SourceError;
use crate::state::StateError;

/// A state object that cannot be read or written.
pub(crate) fn broken_state(error: StateError) -> SourceError {
    SourceError::Sink(error.into())
}

/// Name of a field as SQL knows it: `sessionCampaignName` is `session_campaign_name`, `ga:sourceMedium` is
/// `source_medium`, whatever else is no letter or digit becomes one underscore.
#[must_use]
pub fn column_name(field: &str) -> String {
    let field = field.strip_prefix("ga:").unwrap_or(field);
    let mut name = String::with_capacity(field.len() + 4);
    let mut after_lower = false;
    for character in field.chars() {
        if character.is_ascii_alphanumeric() {
            if character.is_ascii_uppercase() && after_lower {
                name.push('_');
            }
            after_lower = !character.is_ascii_uppercase();
            name.push(character.to_ascii_lowercase());
        } else if !name.is_empty() && !name.ends_with('_') {
            name.push('_');
            after_lower = false;
        }
    }
    let name = name.trim_end_matches('_');
    if name.starts_with(|first: char| first.is_ascii_digit()) {
        return format!("f_{name}");
    }
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_become_names_that_sql_needs_no_quotes_for() {
        for (field, name) in [
            ("sessionCampaignName", "session_campaign_name"),
            ("keyEvents", "key_events"),
            (
                "landingPagePlusQueryString",
                "landing_page_plus_query_string",
            ),
            ("customEvent:Button-Color", "custom_event_button_color"),
            ("ga:sourceMedium", "source_medium"),
            ("ga:goal1Completions/ga:users", "goal1_completions_ga_users"),
            ("eventURL", "event_url"),
            ("7DayUsers", "f_7_day_users"),
        ] {
            assert_eq!(column_name(field), name);
        }
    }
}
