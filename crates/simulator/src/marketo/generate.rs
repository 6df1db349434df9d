//! A generated instance: the same seed, scale and today give the same leads and activities.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::world::{Activity, ActivityType, DataType, Entry, Gone, Lead, LeadField, Notation};
use crate::calendar::{DAY_SECONDS, PERIOD_DAYS};
use crate::campaigns::CAMPAIGNS;
use crate::random::{Draws, Purpose};
use crate::text::texts;

/// Id before that of the first lead.
const LEADS_FROM: i64 = 7_000_000;
/// Id before that of the first activity.
const ACTIVITIES_FROM: u64 = 912_345_000;
/// Activities a lead has on average; the first is its creation.
const ACTIVITIES_A_LEAD: u32 = 6;
/// Leads older than the generated period reach back so far.
const OLDEST_DAYS: i64 = 90;
/// What a custom activity's ids start from.
pub(super) const WEBINAR: i64 = 100_001;

/// Merge Leads: the lead goes on, those of `Merge IDs` end.
const MERGE: i64 = 32;
/// Delete Lead.
pub(super) const DELETE: i64 = 37;

/// Leads and activities of a seed.
#[derive(Debug)]
pub(super) struct Generated {
    seed: u64,
    leads: u32,
    /// The last second of today.
    end: i64,
    /// Leads that end, by row.
    ends: BTreeMap<u32, End>,
    /// Which lead a merge ends, by the row of the activity.
    losers: BTreeMap<u32, u32>,
}

/// How a lead of the generated period ends.
#[derive(Debug, Clone, Copy)]
struct End {
    at: i64,
    /// Row of the lead that it is merged into; none when it is deleted.
    into: Option<u32>,
}

/// Types with the thousandths of activities they have, New Lead apart.
const SHARES: [(i64, u64); 18] = [
    (1, 231),
    (6, 180),
    (7, 160),
    (10, 130),
    (11, 70),
    (2, 50),
    (3, 40),
    (13, 50),
    (22, 25),
    (104, 20),
    (24, 8),
    (25, 4),
    (8, 6),
    (27, 4),
    (9, 4),
    (MERGE, 8),
    (DELETE, 6),
    (WEBINAR, 4),
];

impl Generated {
    /// An instance with a lead for every twenty of `scale` clicks.
    pub(super) fn new(seed: u64, scale: u64, end: i64) -> Self {
        let leads = u32::try_from((scale / 20).clamp(20, 250_000)).unwrap_or(20);
        let mut generated = Self {
            seed,
            leads,
            end,
            ends: BTreeMap::new(),
            losers: BTreeMap::new(),
        };
        generated.end_leads();
        generated
    }

    /// Plays merges and deletions in the order of time: who has ended cannot end again, nor take in others.
    fn end_leads(&mut self) {
        /// Leads looked at for one that can be merged.
        const CANDIDATES: u32 = 50;
        let rows = self.leads..self.leads * ACTIVITIES_A_LEAD;
        let mut entries: Vec<Entry> = rows
            .map(|row| self.entry(row))
            .filter(|entry| matches!(entry.type_id, MERGE | DELETE))
            .collect();
        entries.sort_by_key(|entry| (entry.at, entry.row));
        for entry in entries {
            let lead = self.lead_row(entry.row);
            if self.ends.contains_key(&lead) {
                continue;
            }
            let at = entry.at;
            if entry.type_id == DELETE {
                self.ends.insert(lead, End { at, into: None });
                continue;
            }
            let loser = (1..=CANDIDATES)
                .map(|step| (lead + step) % self.leads)
                .find(|other| {
                    *other != lead
                        && !self.ends.contains_key(other)
                        && self.created(u64::from(*other)) < at
                });
            if let Some(loser) = loser {
                let into = Some(lead);
                self.ends.insert(loser, End { at, into });
                self.losers.insert(entry.row, loser);
            }
        }
    }

    /// When a lead ended and what it is now, by ids.
    pub(super) fn ended(&self) -> impl Iterator<Item = (i64, Gone)> + '_ {
        let id = |row: u32| LEADS_FROM + 1 + i64::from(row);
        self.ends.iter().map(move |(row, end)| {
            let into = end.into.map(id);
            (id(*row), Gone { at: end.at, into })
        })
    }

    /// Whether a lead exists as of an instant, as far as its end goes.
    pub(super) fn is_there(&self, row: usize, now: i64) -> bool {
        let end = u32::try_from(row).ok().and_then(|row| self.ends.get(&row));
        end.is_none_or(|end| end.at > now)
    }

    /// Whether an entry can be: nothing happens to a lead after its end.
    fn happens(&self, entry: &Entry) -> bool {
        let end = self.ends.get(&self.lead_row(entry.row));
        end.is_none_or(|end| entry.at <= end.at)
            && (entry.type_id != MERGE || self.losers.contains_key(&entry.row))
    }

    fn start(&self) -> i64 {
        self.end + 1 - i64::from(PERIOD_DAYS) * DAY_SECONDS
    }

    pub(super) fn leads(&self) -> usize {
        self.leads as usize
    }

    pub(super) fn row_of(&self, id: i64) -> Option<usize> {
        let row = usize::try_from(id - LEADS_FROM - 1).ok()?;
        (row < self.leads()).then_some(row)
    }

    fn created(&self, row: u64) -> i64 {
        let mut draws = Draws::new(self.seed, Purpose::MarketoLead, row);
        let span = if draws.chance(650) {
            self.end - self.start()
        } else {
            OLDEST_DAYS * DAY_SECONDS
        };
        self.end - draws.below(span.unsigned_abs()).cast_signed()
    }

    pub(super) fn lead(&self, row: usize) -> Lead {
        let id = LEADS_FROM + 1 + row as i64;
        let created = self.created(row as u64);
        let mut draws = Draws::new(self.seed, Purpose::MarketoLeadText, row as u64);
        let age = (self.end - created).unsigned_abs();
        let updated = created + draws.below(age + 1).cast_signed();
        let mut values = BTreeMap::new();
        let mut put = |name: &str, value: Value| values.insert(name.to_owned(), value);
        let people = &texts().awkward.people;
        if !people.is_empty() {
            let [first, last] = &people[draws.below(people.len() as u64) as usize];
            put("firstName", word(first));
            put("lastName", word(last));
        }
        put("email", json!(format!("lead-{id}@example.org")));
        let names = &texts().awkward.names;
        if !names.is_empty() && draws.chance(700) {
            put(
                "company",
                word(&names[draws.below(names.len() as u64) as usize]),
            );
        }
        if draws.chance(850) {
            let medium = draws.one_of(&["cpc", "email", "social", "webinar"]);
            put(
                "utmSource",
                json!(draws.one_of(&["google", "marketo", "facebook", "bücher.example"])),
            );
            put("utmMedium", json!(medium));
            put(
                "utmCampaign",
                json!(CAMPAIGNS[draws.popular(CAMPAIGNS.len())]),
            );
        }
        put("leadScore", json!(draws.below(100)));
        put("unsubscribed", json!(draws.chance(60)));
        if draws.chance(300) {
            // Called an integer by its description.
            put("engagementShare", json!(draws.below(200) as f64 / 2.0));
        }
        if draws.chance(200) {
            put(
                "annualRevenue",
                json!(draws.below(10_000_000) as f64 / 100.0),
            );
        }
        if draws.chance(150) {
            put("notes", odd(&mut draws));
        }
        Lead {
            id,
            created,
            updated,
            values,
        }
    }

    /// The log, in no order.
    pub(super) fn entries(&self) -> Vec<Entry> {
        (0..self.leads * ACTIVITIES_A_LEAD)
            .map(|row| self.entry(row))
            .filter(|entry| self.happens(entry))
            .collect()
    }

    fn lead_row(&self, row: u32) -> u32 {
        if row < self.leads {
            return row;
        }
        let mut draws = Draws::new(self.seed, Purpose::MarketoActivity, u64::from(row));
        draws.popular(self.leads()) as u32
    }

    fn entry(&self, row: u32) -> Entry {
        let created = self.created(u64::from(self.lead_row(row)));
        if row < self.leads {
            return Entry {
                at: created,
                committed: created,
                type_id: 12,
                row,
            };
        }
        let mut draws = Draws::new(self.seed, Purpose::MarketoActivityTime, u64::from(row));
        let from = created.max(self.start());
        let at = from
            + draws
                .below((self.end - from).unsigned_abs() + 1)
                .cast_signed();
        let mut left = draws.below(1000);
        let mut type_id = 1;
        for (id, share) in SHARES {
            if left < share {
                type_id = id;
                break;
            }
            left -= share;
        }
        // A mail is committed once the queue has delivered it.
        let late = if type_id == 6 && draws.chance(150) {
            draws.between(3_600, 72_000).cast_signed()
        } else {
            0
        };
        Entry {
            at,
            committed: at + late,
            type_id,
            row,
        }
    }

    pub(super) fn activity(&self, entry: &Entry) -> Activity {
        let row = entry.row;
        let mut draws = Draws::new(self.seed, Purpose::MarketoActivityText, u64::from(row));
        let number = ACTIVITIES_FROM + 1 + u64::from(row);
        let guid = if draws.chance(20) {
            format!("{:08x}-{number}", draws.bits() as u32)
        } else {
            number.to_string()
        };
        let lead = self.lead_row(row);
        let notation = match draws.below(20) {
            0..=2 => Notation::NoColon,
            3..=4 => Notation::Pacific,
            _ => Notation::Zulu,
        };
        let place = draws.popular(CAMPAIGNS.len());
        let mut activity = Activity {
            guid,
            lead: LEADS_FROM + 1 + i64::from(lead),
            at: entry.at,
            type_id: entry.type_id,
            campaign: draws.chance(600).then_some(2_500 + place as i64),
            result: None,
            primary_id: Some(5_400 + place as i64),
            primary: Some(CAMPAIGNS[place].to_owned()),
            attributes: Vec::new(),
            notation,
        };
        self.fill(&mut activity, place, &mut draws);
        if let Some(loser) = self.losers.get(&row) {
            activity.put("Merge IDs", json!([LEADS_FROM + 1 + i64::from(*loser)]));
        }
        activity
    }

    fn fill(&self, activity: &mut Activity, place: usize, draws: &mut Draws) {
        let campaign = CAMPAIGNS[place];
        match activity.type_id {
            1 => visit(activity, campaign, draws),
            2 => {
                activity.primary = Some(format!("Form {place}"));
                let id = json!(draws.between(1, 900));
                activity.put("Form Fields", json!(r#"{"Email":"a@example.org"}"#));
                activity.put("Webpage ID", id);
                activity.put("Query Parameters", json!(query(campaign)));
            }
            3 => {
                activity.primary = Some(link(campaign));
                activity.put("Client IP Address", json!("192.0.2.7"));
                activity.put("User Agent", agent(draws));
            }
            6 | 7 | 8 | 9 | 10 | 11 | 27 => mail(activity, campaign, draws),
            12 => {
                activity.primary_id = None;
                activity.primary = None;
                activity.put(
                    "Source Type",
                    json!(draws.one_of(&["Web form fillout", "List import"])),
                );
                activity.put(
                    "Created Date",
                    json!(crate::calendar::day_of(activity.at).to_string()),
                );
            }
            13 => {
                activity.primary_id = Some(641);
                activity.primary = Some("Notes".to_owned());
                activity.put("Old Value", odd(draws));
                // Whatever the field holds comes here, in its own type.
                let new = draws.below(4);
                activity.put(
                    "New Value",
                    match new {
                        0 => json!(draws.below(100)),
                        1 => json!(draws.chance(500)),
                        _ => odd(draws),
                    },
                );
                activity.put("Reason", json!("step \"A\", then B\nand C"));
                activity.put("Source", json!("Web form fillout"));
            }
            22 => {
                activity.primary = Some("Lead Score".to_owned());
                let old = draws.below(80);
                activity.put("Old Value", json!(old));
                activity.put("Change Value", json!("+5"));
                activity.put("New Value", json!(old + 5));
                activity.put("Urgency", json!(draws.below(200) as f64 / 100.0));
            }
            MERGE => {
                activity.put("Master Updated", json!(draws.chance(500)));
                activity.put("Merge Source", json!("leaddb"));
            }
            DELETE => activity.put("Campaign", json!(campaign)),
            104 => {
                activity.put("New Status ID", json!(draws.between(20, 30)));
                activity.put("Old Status ID", json!(20));
                activity.put("Success", json!(draws.chance(300)));
                activity.put("Reason", json!("step \"A\", then B"));
                activity.put("Program Member ID", json!(draws.between(1, 100_000)));
            }
            WEBINAR => {
                activity.put("Minutes «live»", json!(draws.below(90)));
                activity.put("Country", json!("Österreich"));
            }
            _ => activity.put("Source", json!("Smart list")),
        }
    }
}

impl Activity {
    fn put(&mut self, name: &str, value: Value) {
        self.attributes.push((name.to_owned(), value));
    }
}

/// A text that is not the word null, which bulk files use for no value.
fn word(text: &str) -> Value {
    json!(if text == "null" { "Null" } else { text })
}

/// A text that breaks whoever forgets an escape.
fn odd(draws: &mut Draws) -> Value {
    let awkward = &texts().awkward;
    let list = if draws.chance(400) {
        &awkward.odd
    } else {
        &awkward.sub5
    };
    if list.is_empty() {
        return json!("old mac\rline");
    }
    word(&list[draws.below(list.len() as u64) as usize])
}

fn agent(draws: &mut Draws) -> Value {
    let agents = &texts().user_agents;
    if agents.is_empty() || draws.chance(50) {
        return json!("");
    }
    json!(agents[draws.popular(agents.len())].text)
}

fn query(campaign: &str) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query
        .append_pair("utm_source", "mkto")
        .append_pair("utm_campaign", campaign);
    query.finish()
}

fn link(campaign: &str) -> String {
    format!(
        "https://ex.example/p?{}&utm_term=caf%C3%A9",
        query(campaign)
    )
}

fn visit(activity: &mut Activity, campaign: &str, draws: &mut Draws) {
    let titles = &texts().titles;
    let title = titles
        .get(draws.popular(titles.len()))
        .copied()
        .unwrap_or("ex.example/ü.html");
    activity.primary = Some(title.to_owned());
    activity.put("Webpage URL", json!("/ü.html"));
    activity.put("Query Parameters", json!(query(campaign)));
    activity.put("User Agent", agent(draws));
    let referrers = &texts().referrers;
    if !referrers.is_empty() && draws.chance(500) {
        activity.put(
            "Referrer URL",
            json!(referrers[draws.popular(referrers.len())]),
        );
    }
}

fn mail(activity: &mut Activity, campaign: &str, draws: &mut Draws) {
    activity.primary = Some(format!("WBN 2026-01 – {campaign}.01c – Invite 3"));
    activity.put("Campaign Run ID", json!(draws.between(700, 900)));
    activity.put("Choice Number", json!(0));
    let step = draws.between(5_000, 6_000);
    // One in two hundred comes as text.
    let text = draws.chance(5);
    activity.put(
        "Step ID",
        if text {
            json!(step.to_string())
        } else {
            json!(step)
        },
    );
    if matches!(activity.type_id, 10 | 11) {
        activity.put("Is Mobile Device", json!(draws.chance(400)));
        activity.put(
            "Platform",
            json!(draws.one_of(&["iOS", "Android", "Win7", "MacOSX"])),
        );
        activity.put(
            "Device",
            json!(draws.one_of(&["unknown", "PC", "Macintosh"])),
        );
        activity.put("User Agent", agent(draws));
    }
    match activity.type_id {
        11 => activity.put("Link", json!(link(campaign))),
        8 | 27 => {
            activity.put("Category", json!(draws.one_of(&["1", "2", "3"])));
            activity.put("Details", json!("550 5.1.1 no such user"));
        }
        _ => {}
    }
}

/// The fields of a generated lead.
pub(super) fn fields() -> Vec<LeadField> {
    use DataType::{Boolean, Currency, Datetime, Email, Integer, Percent, String};
    let field = |name: &str, title: &str, data_type| LeadField {
        name: name.to_owned(),
        title: title.to_owned(),
        data_type,
    };
    vec![
        field("id", "Id", Integer),
        field("firstName", "First Name", String),
        field("lastName", "Last Name", String),
        field("email", "Email Address", Email),
        field("company", "Company Name", String),
        field("utmSource", "UTM Source", String),
        field("utmMedium", "UTM Medium", String),
        field("utmCampaign", "UTM Campaign", String),
        field("leadScore", "Lead Score", Integer),
        field("unsubscribed", "Unsubscribed", Boolean),
        field("engagementShare", "Engagement Share", Percent),
        field("annualRevenue", "Annual Revenue", Currency),
        field("notes", "Notes", String),
        field("createdAt", "Created At", Datetime),
        field("updatedAt", "Updated At", Datetime),
        // Old fields have a SOAP name only and cannot be asked for.
        field("", "Old SOAP Field", String),
    ]
}

/// The types of activities of a generated instance.
pub(super) fn types() -> Vec<ActivityType> {
    use DataType::{Boolean, Integer, String};
    let make = |id, name: &str, primary: &str, attributes: &[(&str, DataType)]| ActivityType {
        id,
        name: name.to_owned(),
        primary: (!primary.is_empty()).then(|| primary.to_owned()),
        attributes: attributes
            .iter()
            .map(|(name, kind)| ((*name).to_owned(), *kind))
            .collect(),
    };
    let run = [
        ("Campaign Run ID", Integer),
        ("Choice Number", Integer),
        ("Step ID", Integer),
    ];
    let device = [
        ("Is Mobile Device", Boolean),
        ("Platform", String),
        ("Device", String),
        ("User Agent", String),
    ];
    let seen = [&run[..], &device[..]].concat();
    let clicked = [&seen[..], &[("Link", String)][..]].concat();
    let bounced = [&run[..], &[("Category", String), ("Details", String)][..]].concat();
    let pages = [
        ("Webpage URL", String),
        ("Query Parameters", String),
        ("User Agent", String),
        ("Referrer URL", String),
    ];
    let values = [
        ("Old Value", String),
        ("New Value", String),
        ("Reason", String),
        ("Source", String),
    ];
    vec![
        make(1, "Visit Webpage", "Webpage ID", &pages),
        make(
            2,
            "Fill Out Form",
            "Webform ID",
            &[
                ("Form Fields", String),
                ("Webpage ID", Integer),
                ("Query Parameters", String),
            ],
        ),
        make(
            3,
            "Click Link",
            "Link ID",
            &[("Client IP Address", String), ("User Agent", String)],
        ),
        make(6, "Send Email", "Mailing ID", &run),
        make(7, "Email Delivered", "Mailing ID", &run),
        make(8, "Email Bounced", "Mailing ID", &bounced),
        make(9, "Unsubscribe Email", "Mailing ID", &run),
        make(10, "Open Email", "Mailing ID", &seen),
        make(11, "Click Email", "Mailing ID", &clicked),
        make(
            12,
            "New Lead",
            "",
            &[("Source Type", String), ("Created Date", String)],
        ),
        make(13, "Change Data Value", "Attribute Name", &values),
        make(
            22,
            "Change Score",
            "Score Name",
            &[
                ("Old Value", Integer),
                ("Change Value", String),
                ("New Value", Integer),
                ("Urgency", DataType::Percent),
            ],
        ),
        make(24, "Add to List", "List ID", &[("Source", String)]),
        make(25, "Remove from List", "List ID", &[("Source", String)]),
        make(27, "Email Bounced Soft", "Mailing ID", &bounced),
        make(
            32,
            "Merge Leads",
            "Lead ID",
            &[
                ("Merge IDs", String),
                ("Master Updated", Boolean),
                ("Merge Source", String),
            ],
        ),
        make(37, "Delete Lead", "Lead ID", &[("Campaign", String)]),
        make(
            104,
            "Change Status in Progression",
            "Program ID",
            &[
                ("New Status ID", Integer),
                ("Old Status ID", Integer),
                ("Success", Boolean),
                ("Reason", String),
                ("Program Member ID", Integer),
            ],
        ),
        make(
            WEBINAR,
            "Attended Webinar «live»",
            "Webinar",
            &[("Minutes «live»", Integer), ("Country", String)],
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const END: i64 = 1_769_903_999;

    #[test]
    fn shares_add_up_and_every_type_is_described() {
        assert_eq!(SHARES.iter().map(|(_, share)| share).sum::<u64>(), 1000);
        let known: BTreeSet<i64> = types().iter().map(|kind| kind.id).collect();
        let made: BTreeSet<i64> = SHARES.iter().map(|(id, _)| *id).chain([12]).collect();
        assert_eq!(known, made);
    }

    #[test]
    fn attributes_are_those_of_the_type_and_ids_are_unique() {
        let generated = Generated::new(3, 20_000, END);
        let mut seen = BTreeSet::new();
        for entry in generated.entries() {
            let activity = generated.activity(&entry);
            assert!(seen.insert(activity.guid.clone()));
            let kind = types()
                .into_iter()
                .find(|kind| kind.id == activity.type_id)
                .unwrap();
            for (name, _) in &activity.attributes {
                assert!(
                    kind.attributes.iter().any(|(known, _)| known == name),
                    "{name}"
                );
            }
            assert!(activity.at <= END && generated.row_of(activity.lead).is_some());
        }
        // All but those of leads that have ended.
        assert!((5_500..6_000).contains(&seen.len()), "{}", seen.len());
        assert!(generated.losers.len() > 10 && generated.ends.len() > generated.losers.len());
    }

    #[test]
    fn a_lead_is_found_by_its_id_and_the_same_every_time() {
        let generated = Generated::new(3, 2_000, END);
        for row in 0..generated.leads() {
            let lead = generated.lead(row);
            assert_eq!(generated.row_of(lead.id), Some(row));
            assert!(lead.created <= lead.updated && lead.updated <= END);
            assert_eq!(lead, generated.lead(row));
        }
        assert_eq!(generated.row_of(1), None);
    }
}
