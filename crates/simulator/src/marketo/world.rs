//! What a Marketo instance holds: leads, the activity log, and what describes them.
//!
//! Rows are made (or taken from files) one by one when they are asked for; what filters and pages
//! look at, time and type, is kept in one compact list in the order of the log.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde_json::Value;

use super::files::Filed;
use super::generate::Generated;
use crate::calendar::{self, Span};

/// How a field or attribute is typed, by Marketo's own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataType {
    /// `string`.
    String,
    /// `integer`.
    Integer,
    /// `percent`: called an integer, and yet 12.5 comes.
    Percent,
    /// `currency`.
    Currency,
    /// `boolean`.
    Boolean,
    /// `datetime`.
    Datetime,
    /// `email`.
    Email,
}

impl DataType {
    /// The word on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Percent => "percent",
            Self::Currency => "currency",
            Self::Boolean => "boolean",
            Self::Datetime => "datetime",
            Self::Email => "email",
        }
    }
}

/// A field of a lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeadField {
    /// Name in REST and bulk: `firstName`. Empty for a field that only SOAP knew.
    pub name: String,
    /// Name for people: `First Name`.
    pub title: String,
    /// Its type.
    pub data_type: DataType,
}

/// A kind of activity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivityType {
    /// `11`.
    pub id: i64,
    /// `Click Email`.
    pub name: String,
    /// Name of the primary attribute, if it has one.
    pub primary: Option<String>,
    /// Attributes by display name.
    pub attributes: Vec<(String, DataType)>,
}

/// A lead.
#[derive(Debug, Clone, PartialEq)]
pub struct Lead {
    /// Its id.
    pub id: i64,
    /// Seconds since 1970.
    pub created: i64,
    /// Seconds since 1970.
    pub updated: i64,
    /// Values by field name; a field without a value is left out. `id`, `createdAt` and `updatedAt` are not here.
    pub values: BTreeMap<String, Value>,
}

impl Lead {
    /// The campaign that won it.
    pub fn campaign(&self) -> Option<&str> {
        self.values.get("utmCampaign").and_then(Value::as_str)
    }
}

/// The end of a lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone {
    /// When, in seconds since 1970.
    pub at: i64,
    /// The lead that it was merged into; none when it was deleted.
    pub into: Option<i64>,
}

/// How the time of an activity is spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notation {
    /// `2026-01-16T23:32:19Z`.
    Zulu,
    /// `2026-01-16T23:32:19+0000`.
    NoColon,
    /// `2026-01-16T15:32:19-08:00`.
    Pacific,
}

/// One entry of the activity log.
#[derive(Debug, Clone, PartialEq)]
pub struct Activity {
    /// `marketoGUID`; mostly digits, not always.
    pub guid: String,
    /// The lead's id.
    pub lead: i64,
    /// When it happened, in seconds since 1970.
    pub at: i64,
    /// Its kind.
    pub type_id: i64,
    /// Smart campaign.
    pub campaign: Option<i64>,
    /// `succeeded`, `skipped`; only where it was kept.
    pub result: Option<String>,
    /// Id of the thing it is about.
    pub primary_id: Option<i64>,
    /// Name of the thing it is about.
    pub primary: Option<String>,
    /// Attributes by display name; those without a value are left out.
    pub attributes: Vec<(String, Value)>,
    /// How REST spells its time.
    pub notation: Notation,
}

/// Where an activity stands in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// When it happened.
    pub at: i64,
    /// When the log has it: some are committed hours late, with their earlier time.
    pub committed: i64,
    pub type_id: i64,
    /// Row of whoever makes it.
    pub row: u32,
}

#[derive(Debug)]
enum Rows {
    Generated(Generated),
    Filed(Filed),
}

/// Everything of one instance.
#[derive(Debug)]
pub(super) struct World {
    rows: Rows,
    /// The log, oldest first.
    log: Vec<Entry>,
    pub types: Vec<ActivityType>,
    pub fields: Vec<LeadField>,
}

impl World {
    pub(super) fn generated(generated: Generated) -> Self {
        let mut log = generated.entries();
        log.sort_by_key(|entry| (entry.at, entry.row));
        Self {
            types: super::generate::types(),
            fields: super::generate::fields(),
            rows: Rows::Generated(generated),
            log,
        }
    }

    pub(super) fn filed(filed: Filed) -> Self {
        let mut log = filed.entries();
        log.sort_by_key(|entry| (entry.at, entry.row));
        Self {
            types: filed.types.clone(),
            fields: filed.fields.clone(),
            rows: Rows::Filed(filed),
            log,
        }
    }

    /// The log from a place on.
    pub(super) fn log(&self) -> &[Entry] {
        &self.log
    }

    /// The first place of the log at or after an instant.
    pub(super) fn place_of(&self, instant: i64) -> usize {
        self.log.partition_point(|entry| entry.at < instant)
    }

    /// The activity of an entry.
    pub(super) fn activity(&self, entry: &Entry) -> Activity {
        match &self.rows {
            Rows::Generated(generated) => generated.activity(entry),
            Rows::Filed(filed) => filed.activity(entry.row),
        }
    }

    /// All leads that exist at `now`, by id.
    pub(super) fn leads(&self, now: i64) -> impl Iterator<Item = Lead> + '_ {
        let count = match &self.rows {
            Rows::Generated(generated) => generated.leads(),
            Rows::Filed(filed) => filed.leads.len(),
        };
        (0..count)
            .filter(move |row| self.is_there(*row, now))
            .map(|row| self.lead(row))
            .filter(move |lead| lead.created <= now)
    }

    /// Whether a lead has not ended yet. Files are served as they are.
    fn is_there(&self, row: usize, now: i64) -> bool {
        match &self.rows {
            Rows::Generated(generated) => generated.is_there(row, now),
            Rows::Filed(_) => true,
        }
    }

    /// Leads that have ended by `now`.
    fn gone(&self, now: i64) -> BTreeMap<i64, Gone> {
        match &self.rows {
            Rows::Generated(generated) => generated
                .ended()
                .filter(|(_, gone)| gone.at <= now)
                .collect(),
            Rows::Filed(_) => BTreeMap::new(),
        }
    }

    fn lead(&self, row: usize) -> Lead {
        match &self.rows {
            Rows::Generated(generated) => generated.lead(row),
            Rows::Filed(filed) => filed.leads[row].clone(),
        }
    }

    /// The lead of an id, if it exists at `now`.
    pub(super) fn lead_of(&self, id: i64, now: i64) -> Option<Lead> {
        let row = match &self.rows {
            Rows::Generated(generated) => generated.row_of(id)?,
            Rows::Filed(filed) => filed.leads.iter().position(|lead| lead.id == id)?,
        };
        let there = self.is_there(row, now);
        Some(self.lead(row)).filter(|lead| there && lead.created <= now)
    }

    /// Activities of a span that the log has at `now`, in its order.
    pub(super) fn activities(&self, span: Span, now: i64) -> impl Iterator<Item = &Entry> + '_ {
        let places =
            self.place_of(span.start)..self.place_of(span.end).max(self.place_of(span.start));
        self.log[places]
            .iter()
            .filter(move |entry| entry.committed <= now)
    }
}

/// What an instance holds as of an instant, as plain values: what tests and figures are computed from.
#[derive(Debug, Clone)]
pub struct MarketoTruth {
    /// Leads by id.
    pub leads: BTreeMap<i64, Lead>,
    /// What became of those that are not among them any more.
    pub gone: BTreeMap<i64, Gone>,
    /// Activities in the order of the log.
    pub activities: Vec<Activity>,
}

impl MarketoTruth {
    pub(super) fn of(world: &World, now: i64) -> Self {
        Self {
            leads: world.leads(now).map(|lead| (lead.id, lead)).collect(),
            gone: world.gone(now),
            activities: world
                .activities(Span::ALL, now)
                .map(|entry| world.activity(entry))
                .collect(),
        }
    }

    /// The lead of an id that an activity names: itself, or what it was merged into.
    pub fn lead_of(&self, id: i64) -> Option<&Lead> {
        let mut id = id;
        while let Some(into) = self.gone.get(&id).and_then(|gone| gone.into) {
            id = into;
        }
        self.leads.get(&id)
    }

    /// Leads by UTC day of creation and campaign.
    pub fn leads_by_day_and_campaign(&self) -> BTreeMap<(Date, Option<String>), u64> {
        let mut counts = BTreeMap::new();
        for lead in self.leads.values() {
            let campaign = lead.campaign().map(str::to_owned);
            *counts
                .entry((calendar::day_of(lead.created), campaign))
                .or_default() += 1;
        }
        counts
    }

    /// Activities by UTC day and campaign of their lead; `None` where the lead has none or is unknown.
    pub fn activities_by_day_and_campaign(&self) -> BTreeMap<(Date, Option<String>), u64> {
        let mut counts = BTreeMap::new();
        for activity in &self.activities {
            let lead = self.lead_of(activity.lead);
            let campaign = lead.and_then(Lead::campaign).map(str::to_owned);
            *counts
                .entry((calendar::day_of(activity.at), campaign))
                .or_default() += 1;
        }
        counts
    }
}
