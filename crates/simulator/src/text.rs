//! The strings that rows are made of.
//!
//! They come from `assets/` (origin and licences in its README): what real browsers,
//! referrers and page titles look like, and texts written to break whoever forgets an escape.

use std::sync::LazyLock;

use serde::Deserialize;

/// One real user agent and what a tracker makes of it. Empty text means: not recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserAgent {
    /// Operating system, for example `Android`; may be empty.
    pub os: &'static str,
    /// Its version, for example `8.1.0`; begins with a digit or is empty.
    pub os_version: &'static str,
    /// Browser, `Unknown` when not recognised.
    pub browser: &'static str,
    /// Its version, `Unknown` when not recognised.
    pub browser_version: &'static str,
    /// Form factor: mobile, tablet, desktop, tv, bot.
    pub device_type: &'static str,
    /// Maker of the device; may be empty.
    pub brand: &'static str,
    /// Model of the device; may be empty.
    pub model: &'static str,
    /// The header as it was sent.
    pub text: &'static str,
}

/// The texts of `awkward.json`.
#[derive(Debug, Deserialize)]
pub(crate) struct Awkward {
    /// Values for `sub5` and other texts that reach the report.
    pub sub5: Vec<String>,
    /// Values with NUL and other control characters, for columns that stay in silver.
    pub odd: Vec<String>,
    /// Names of companies.
    pub names: Vec<String>,
    /// First and last names of managers.
    pub people: Vec<[String; 2]>,
}

/// Every list a row is drawn from.
#[derive(Debug)]
pub(crate) struct Texts {
    pub user_agents: Vec<UserAgent>,
    pub referrers: Vec<&'static str>,
    pub titles: Vec<&'static str>,
    pub awkward: Awkward,
}

static TEXTS: LazyLock<Texts> = LazyLock::new(|| Texts {
    user_agents: include_str!("../assets/user_agents.tsv")
        .lines()
        .filter_map(user_agent)
        .collect(),
    referrers: include_str!("../assets/referrers.txt").lines().collect(),
    titles: include_str!("../assets/titles.txt").lines().collect(),
    awkward: serde_json::from_str(include_str!("../assets/awkward.json"))
        // The file is compiled in and a test reads it; an empty list would still serve rows.
        .unwrap_or(Awkward {
            sub5: Vec::new(),
            odd: Vec::new(),
            names: Vec::new(),
            people: Vec::new(),
        }),
});

/// The compiled-in texts.
pub(crate) fn texts() -> &'static Texts {
    &TEXTS
}

fn user_agent(line: &'static str) -> Option<UserAgent> {
    let mut columns = line.splitn(8, '\t');
    Some(UserAgent {
        os: columns.next()?,
        os_version: columns.next()?,
        browser: columns.next()?,
        browser_version: columns.next()?,
        device_type: columns.next()?,
        brand: columns.next()?,
        model: columns.next()?,
        text: columns.next()?,
    })
}

/// A country as a geolocation database names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Country {
    pub code: &'static str,
    pub name: &'static str,
    pub city: &'static str,
}

const fn country(code: &'static str, name: &'static str, city: &'static str) -> Country {
    Country { code, name, city }
}

/// Countries, the frequent ones first. `XK` is in no ISO list and `EU` is no country at all;
/// both occur in geolocation data.
pub(crate) const COUNTRIES: &[Country] = &[
    country("US", "United States", "New York"),
    country("DE", "Germany", "München"),
    country("BR", "Brazil", "São Paulo"),
    country("IN", "India", "मुंबई"),
    country("FR", "France", "Saint-Étienne"),
    country("GB", "United Kingdom", "Stoke-on-Trent"),
    country("ES", "Spain", "A Coruña"),
    country("PL", "Poland", "Łódź"),
    country("UA", "Ukraine", "Київ"),
    country("TR", "Türkiye", "İstanbul"),
    country("JP", "Japan", "東京"),
    country("MX", "Mexico", "Ciudad de México"),
    country("IT", "Italy", "L'Aquila"),
    country("KZ", "Kazakhstan", "Алматы"),
    country("TH", "Thailand", "กรุงเทพ"),
    country("VN", "Viet Nam", "Đà Nẵng"),
    country("ID", "Indonesia", "Jakarta"),
    country("EG", "Egypt", "القاهرة"),
    country("IL", "Israel", "תל אביב"),
    country("NG", "Nigeria", "Lagos"),
    country("ZA", "South Africa", "Cape Town"),
    country("CI", "Côte d'Ivoire", "Abidjan"),
    country("SE", "Sweden", "Göteborg"),
    country("KR", "Korea, Republic of", "서울"),
    country("NA", "Namibia", "Windhoek"),
    country("AU", "Australia", "Sydney"),
    country("XK", "Kosovo", "Prishtinë"),
    country("EU", "Europe", "Undefined"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_compiled_in_list_is_there() {
        let texts = texts();
        let lines = include_str!("../assets/user_agents.tsv").lines().count();
        assert_eq!(
            texts.user_agents.len(),
            lines,
            "a line of user_agents.tsv lacks a column"
        );
        assert!(texts.user_agents.len() > 300);
        assert!(texts.referrers.len() > 150);
        assert!(texts.titles.len() > 150);
        assert!(texts.awkward.sub5.len() > 100);
        assert!(!texts.awkward.odd.is_empty());
        assert!(!texts.awkward.names.is_empty());
        assert!(!texts.awkward.people.is_empty());
    }

    #[test]
    fn os_and_version_survive_being_joined() {
        for agent in &texts().user_agents {
            let joined = join(agent.os, agent.os_version);
            let last = joined.rsplit(' ').next().unwrap_or("");
            let versioned = last.starts_with(|c: char| c.is_ascii_digit());
            assert_eq!(versioned, !agent.os_version.is_empty(), "{joined:?}");
            if versioned {
                assert_eq!(last, agent.os_version);
            }
        }
    }

    fn join(os: &str, version: &str) -> String {
        if version.is_empty() {
            os.to_owned()
        } else {
            format!("{os} {version}")
        }
    }

    #[test]
    fn the_awkward_kinds_are_present() {
        let sub5 = &texts().awkward.sub5;
        let holds = |wanted: &str| sub5.iter().any(|text| text.contains(wanted));
        for wanted in [
            "=1+1",
            "\u{1b}[",
            "\"",
            "\r\n",
            "\t",
            "NULL",
            "0012",
            "😀",
            "العربية",
            "עברית",
        ] {
            assert!(holds(wanted), "{wanted:?} is missing");
        }
        for first in ['=', '+', '-', '@', ' '] {
            assert!(sub5.iter().any(|text| text.starts_with(first)), "{first:?}");
        }
        assert!(sub5.iter().any(|text| text.ends_with(' ')));
    }
}
