//! The marketing datamart: which report of Google Analytics it reads, and its build outside of a workflow.
//!
//! The SQL is the same for every deployment; what differs is the report's table and the names of its columns.
//! They are found once, before a build, and become parameters of the SQL, in the workflow as well as here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{BuildSummary, SqlFiles, drop_leftovers, drop_table, query_error, staging_name};
use crate::{
    dataset::{GoldTable, SilverTable, Stream},
    jobs::{ErrorType, JobContext, JobError, Level},
    ports::{QueryEngine, QueryError, QuerySummary},
    quality,
    state::{Lease, LeaseError},
    window::Window,
};
use lakehand_config::DatamartMode;

const TABLE: GoldTable = GoldTable::MarketingDatamart;

/// The columns the datamart needs, each with the names a report may give it: lower case, without underscores,
/// the best one first.
const NEEDED: [(&str, &[&str]); 6] = [
    ("ga_source", &["sessionsource", "source", "firstusersource"]),
    ("ga_medium", &["sessionmedium", "medium", "firstusermedium"]),
    (
        "ga_campaign",
        &[
            "sessioncampaignname",
            "sessionmanualcampaignname",
            "campaignname",
            "campaign",
            "firstusercampaignname",
        ],
    ),
    ("ga_sessions", &["sessions"]),
    ("ga_users", &["totalusers", "activeusers", "users"]),
    (
        "ga_conversions",
        &["keyevents", "conversions", "goalcompletionsall"],
    ),
];

/// What a build of the datamart works with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatamartPlan {
    /// Table or view.
    pub mode: DatamartMode,
    /// The table of the Google Analytics report: `ga_traffic`.
    pub ga_table: String,
    /// Its column of the session's source.
    pub ga_source: String,
    /// Its column of the session's medium.
    pub ga_medium: String,
    /// Its column of the session's campaign.
    pub ga_campaign: String,
    /// Its column of sessions.
    pub ga_sessions: String,
    /// Its column of users.
    pub ga_users: String,
    /// Its column of key events.
    pub ga_conversions: String,
    /// The profile's time zone: the day of a lead.
    pub zone: String,
    /// The business unit of Marketo's rows; empty for none.
    pub business_unit: String,
}

impl DatamartPlan {
    /// The parameters of the SQL files.
    #[must_use]
    pub fn parameters(&self) -> Vec<(&'static str, String)> {
        vec![
            ("ga_table", self.ga_table.clone()),
            ("ga_source", self.ga_source.clone()),
            ("ga_medium", self.ga_medium.clone()),
            ("ga_campaign", self.ga_campaign.clone()),
            ("ga_sessions", self.ga_sessions.clone()),
            ("ga_users", self.ga_users.clone()),
            ("ga_conversions", self.ga_conversions.clone()),
            ("zone", self.zone.clone()),
            ("business_unit", self.business_unit.clone()),
        ]
    }

    /// The one SELECT of the datamart.
    ///
    /// # Errors
    /// `InvalidInput` when a name cannot stand in SQL.
    pub fn select(&self) -> Result<String, JobError> {
        Ok(SqlFiles::embedded().render("marketing_datamart/select.sql", &self.parameters())?)
    }

    /// The tables it reads.
    #[must_use]
    pub fn sources(&self) -> Vec<String> {
        let marketo = ["marketo_leads", "marketo_activities"].map(str::to_owned);
        std::iter::once(self.ga_table.clone())
            .chain(marketo)
            .collect()
    }
}

/// Finds the report and its columns, and makes sure that the name stands for what the mode makes.
///
/// # Errors
/// `InvalidInput` when no report has what the datamart needs, or a table has the name of the view or the
/// other way round; `QueryFailed`.
pub async fn plan(ctx: &JobContext) -> Result<DatamartPlan, JobError> {
    let settings = &ctx.profile.datamart;
    let reports = ctx
        .profile
        .streams()
        .into_iter()
        .filter(|stream| matches!(stream, Stream::Ga4(_) | Stream::Ga3(_)))
        .map(|stream| stream.silver().sql_name());
    let candidates: Vec<String> = reports
        .filter(|name| {
            let wanted = &settings.ga_report;
            wanted.is_empty() || name == wanted || name.ends_with(&format!("_{wanted}"))
        })
        .collect();
    let mut complaints = Vec::new();
    for table in candidates {
        let columns = columns_of(ctx, &table).await?;
        match found(&columns) {
            Ok(found) => {
                let business_unit = business_unit(ctx);
                check_kind(ctx.engine.as_ref(), ctx, settings.mode).await?;
                return Ok(planned(ctx, table, &found, business_unit));
            }
            Err(lacking) => complaints.push(format!("{table} lacks {}", lacking.join(", "))),
        }
    }
    let wanted = if settings.ga_report.is_empty() {
        "no report of Google Analytics is configured".to_owned()
    } else {
        format!("there is no report '{}'", settings.ga_report)
    };
    let why = if complaints.is_empty() {
        wanted
    } else {
        complaints.join("; ")
    };
    Err(JobError::new(
        ErrorType::InvalidInput,
        format!(
            "marketing_datamart cannot be planned: {why}; configure a GA4 report with the dimensions sessionSource, sessionMedium and \
             sessionCampaignName and the metrics sessions, totalUsers and keyEvents, collect it, and name it in datamart.ga_report"
        ),
    ))
}

fn planned(
    ctx: &JobContext,
    ga_table: String,
    found: &BTreeMap<&str, String>,
    business_unit: String,
) -> DatamartPlan {
    let column = |name: &str| found.get(name).cloned().unwrap_or_default();
    DatamartPlan {
        mode: ctx.profile.datamart.mode,
        ga_source: column("ga_source"),
        ga_medium: column("ga_medium"),
        ga_campaign: column("ga_campaign"),
        ga_sessions: column("ga_sessions"),
        ga_users: column("ga_users"),
        ga_conversions: column("ga_conversions"),
        zone: ctx
            .profile
            .time_zone
            .iana_name()
            .unwrap_or("UTC")
            .to_owned(),
        ga_table,
        business_unit,
    }
}

/// The configured unit of Marketo, else the only one that Google Analytics has, else none.
fn business_unit(ctx: &JobContext) -> String {
    let profile = &ctx.profile;
    if !profile.datamart.marketo_business_unit.is_empty() {
        return profile.datamart.marketo_business_unit.clone();
    }
    let ga4 = profile.ga4.iter().flat_map(|ga4| &ga4.reports);
    let ga4 = ga4.flat_map(|report| report.properties.iter().map(|one| &one.business_unit));
    let ga3 = profile.ga3.iter().flat_map(|ga3| &ga3.reports);
    let ga3 = ga3.flat_map(|report| report.views.iter().map(|one| &one.business_unit));
    let mut units: Vec<&String> = ga4.chain(ga3).collect();
    units.sort();
    units.dedup();
    match units.as_slice() {
        [only] => (*only).clone(),
        _ => String::new(),
    }
}

/// The columns of a table; none when it does not exist yet.
async fn columns_of(ctx: &JobContext, table: &str) -> Result<Vec<String>, JobError> {
    let sql = format!("SELECT * FROM {table} LIMIT 0");
    match ctx.engine.query(&sql, &ctx.cancel).await {
        Ok(rows) => Ok(rows
            .schema
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect()),
        Err(QueryError::Refused {
            code: "TABLE_NOT_FOUND",
            ..
        }) => Ok(Vec::new()),
        Err(error) => Err(query_error(&format!("could not look at {table}"), &error)),
    }
}

/// The needed columns by what they are needed for, or what is lacking.
fn found(columns: &[String]) -> Result<BTreeMap<&'static str, String>, Vec<String>> {
    let plain = |name: &str| name.to_lowercase().replace('_', "");
    let named = |wanted: &str| columns.iter().find(|column| plain(column) == wanted);
    let mut found = BTreeMap::new();
    let mut lacking = Vec::new();
    for (what, names) in NEEDED {
        match names.iter().find_map(|name| named(name)) {
            Some(column) => {
                found.insert(what, column.clone());
            }
            None => lacking.push(what.trim_start_matches("ga_").to_owned()),
        }
    }
    for own in ["business_unit", "date"] {
        if !columns.iter().any(|column| column == own) {
            lacking.push(own.to_owned());
        }
    }
    if lacking.is_empty() {
        Ok(found)
    } else {
        Err(lacking)
    }
}

/// A table and a view cannot share the name, on no engine.
async fn check_kind(
    engine: &dyn QueryEngine,
    ctx: &JobContext,
    mode: DatamartMode,
) -> Result<(), JobError> {
    use futures::TryStreamExt;
    let other = match mode {
        DatamartMode::Table => "VIEW",
        DatamartMode::View => "BASE TABLE",
    };
    // The catalog of an account holds the tables of every deployment in it.
    let sql = format!(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = '{}' AND table_name = '{}' AND table_type = '{other}'",
        engine.schema(),
        TABLE.name()
    );
    let failed = |error: QueryError| query_error("could not look for the datamart", &error);
    let rows = engine.query(&sql, &ctx.cancel).await.map_err(failed)?;
    let batches: Vec<_> = rows.batches.try_collect().await.map_err(failed)?;
    if batches.iter().all(|batch| batch.num_rows() == 0) {
        return Ok(());
    }
    let (is, drop) = match mode {
        DatamartMode::Table => ("view", "DROP VIEW"),
        DatamartMode::View => ("table", "DROP TABLE"),
    };
    let message = format!(
        "{name} is a {is}, and datamart.mode wants the other; remove it first with `lakehand query '{drop} {name}'`",
        name = TABLE.name()
    );
    Err(JobError::new(ErrorType::InvalidInput, message))
}

/// Rebuilds the datamart: staging, checks, one commit; or makes it a view.
///
/// # Errors
/// As [`super::build`].
pub(super) async fn build(ctx: &JobContext, window: Window) -> Result<BuildSummary, JobError> {
    let plan = plan(ctx).await?;
    let lease = Lease::acquire(&ctx.lake.std, &TABLE.prefix(), &ctx.execution, super::LEASE)
        .await?
        .hold();
    let build = DatamartBuild {
        ctx,
        window,
        staging: staging_name(TABLE, &ctx.execution),
        plan,
    };
    let work = async {
        match build.plan.mode {
            DatamartMode::Table => build.table().await,
            DatamartMode::View => build.view().await,
        }
    };
    let outcome = tokio::select! {
        biased;
        () = lease.lost().cancelled() => Err(JobError::from(LeaseError::Lost { name: TABLE.prefix() })),
        outcome = work => outcome,
    };
    if outcome.is_err() {
        // The failure that counts is the first one.
        let _ = drop_table(ctx, TABLE, &build.staging).await;
    }
    let released = lease.release().await;
    let summary = outcome?;
    released?;
    Ok(summary)
}

struct DatamartBuild<'a> {
    ctx: &'a JobContext,
    window: Window,
    staging: String,
    plan: DatamartPlan,
}

impl DatamartBuild<'_> {
    async fn table(&self) -> Result<BuildSummary, JobError> {
        self.execute("ddl.sql").await?;
        drop_leftovers(self.ctx, TABLE).await?;
        let built = self.execute("build.sql").await?;
        let text = format!("{}: {} rows staged", TABLE.name(), built.rows);
        self.ctx.log.line(Level::Info, &text);
        let quality = quality::check(self.ctx, TABLE, &self.staging, self.window).await?;
        let replaced = self.execute("replace.sql").await?;
        drop_table(self.ctx, TABLE, &self.staging).await?;
        Ok(BuildSummary {
            table: TABLE.name().to_owned(),
            window: self.window,
            rows: built.rows,
            bytes_scanned: built.bytes_scanned + replaced.bytes_scanned,
            quality,
        })
    }

    async fn view(&self) -> Result<BuildSummary, JobError> {
        self.execute("view.sql").await?;
        let quality = quality::check(self.ctx, TABLE, TABLE.name(), self.window).await?;
        Ok(BuildSummary {
            table: TABLE.name().to_owned(),
            window: self.window,
            rows: 0,
            bytes_scanned: 0,
            quality,
        })
    }

    async fn execute(&self, file: &str) -> Result<QuerySummary, JobError> {
        let folder = match file {
            "build.sql" => format!("staging/{}/", self.staging),
            _ => format!("{}/", TABLE.prefix()),
        };
        let mut parameters = self.plan.parameters();
        parameters.push(("staging", self.staging.clone()));
        parameters.push(("location", self.ctx.lake.std.display(&folder)));
        let sql = SqlFiles::embedded().render(&format!("{}/{file}", TABLE.name()), &parameters)?;
        let outcome = self.ctx.engine.execute(&sql, &self.ctx.cancel).await;
        outcome.map_err(|error| {
            query_error(&format!("could not run {file} of {}", TABLE.name()), &error)
        })
    }
}

/// Where the files of a source of the datamart lie: `silver/ga4/traffic/`.
#[must_use]
pub fn source_prefix(table: &str) -> Option<String> {
    Some(format!("{}/", SilverTable::from_sql_name(table)?.prefix()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_however_a_report_spells_them() {
        let columns = |text: &str| -> Vec<String> { text.split(' ').map(str::to_owned).collect() };
        let ours = columns(
            "property business_unit session_source session_medium session_campaign_name sessions total_users key_events date",
        );
        let plan = found(&ours).unwrap();
        assert_eq!(plan["ga_campaign"], "session_campaign_name");
        let theirs = columns(
            "business_unit source sessionsource medium campaign sessions users activeusers conversions date",
        );
        let plan = found(&theirs).unwrap();
        assert_eq!(
            (plan["ga_source"].as_str(), plan["ga_users"].as_str()),
            ("sessionsource", "activeusers")
        );
        assert_eq!(
            found(&columns("source medium sessions date")).unwrap_err(),
            ["campaign", "users", "conversions", "business_unit"]
        );
    }
}
