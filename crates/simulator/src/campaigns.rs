//! Names of campaigns that all marketing sources of a generated world share.
//!
//! A datamart joins sessions of Google Analytics with leads of Marketo by day and campaign. The join is
//! only worth showing if both speak of the same campaigns, and only worth testing if the names
//! hold what breaks joins: commas, quotes, pipes, other scripts, a dash that is none.

/// Campaigns, the frequent ones first. None is the word `null`, which Marketo's bulk files cannot
/// tell from no value.
pub const CAMPAIGNS: [&str; 8] = [
    "spring-sale",
    "brand | search",
    "newsletter-2026-01",
    "Webinar «Frühling» 2026",
    "retarget, \"video\" 30s",
    "夏のセール",
    "O'Brien & Söhne – 50% off",
    "=launch+2026",
];

#[cfg(test)]
mod tests {
    use super::CAMPAIGNS;

    #[test]
    fn names_are_distinct_and_no_sources_word_for_nothing() {
        for (place, name) in CAMPAIGNS.iter().enumerate() {
            assert!(!CAMPAIGNS[..place].contains(name), "{name}");
            assert!(
                !["null", "(not set)", "(other)", ""].contains(name),
                "{name}"
            );
        }
    }
}
