//! What arrives in silver, and how days are replaced.

use jiff::{SignedDuration, civil::date, tz::TimeZone};
use lakehand::{
    pipeline::{
        collect::list_manifests,
        dataset::SilverTable,
        jobs::JobContext,
        quality::{self, CheckResult, QualityReport},
        state::DayBook,
        window::Window,
    },
    platform::local::engine::{EngineSettings, LocalEngine},
    simulator::google::{GoogleOptions, PROPERTIES},
};

use crate::house::{House, TODAY, stream, window};

#[tokio::test]
async fn silver_equals_the_truth_of_every_property_day_and_campaign() {
    let house = House::new(GoogleOptions::default(), "").await;
    let summary = house.run(stream("sessions"), window(8), "run-1").await;
    assert_eq!(summary.rows_quarantined, 0);
    assert!(
        summary.drift.is_empty() && summary.unknown_fields.is_empty(),
        "{summary:?}"
    );
    let truth = house.truth(window(8));
    assert!(truth.len() > 150, "{}", truth.len());
    assert_eq!(house.figures().await, truth);
    // Ratios keep all their digits: sessions times the rate is the number of engaged sessions.
    let off = house
        .texts("SELECT count(*) FROM ga_sessions WHERE abs(sessions * engagement_rate - round(sessions * engagement_rate)) > 0.000000001")
        .await;
    assert_eq!(off, [["0"]]);
    let profile = house.context("x").await.profile;
    assert!(profile.streams().contains(&stream("sessions")));
}

#[tokio::test]
async fn a_day_is_replaced_as_a_whole_until_it_is_settled() {
    let house = House::new(GoogleOptions::default(), "").await;
    let sessions = stream("sessions");
    house.run(sessions, window(8), "run-1").await;
    let before = house.figures().await;
    let other = |figures: &std::collections::BTreeMap<[String; 5], [u64; 3]>| {
        figures.keys().filter(|key| key[2] == "(other)").count()
    };
    assert!(other(&before) > 0, "today is folded");
    let unchanged = house.run(sessions, window(8), "run-2").await;
    assert_eq!(
        (unchanged.rows_new, unchanged.partitions.len()),
        (0, 0),
        "{unchanged:?}"
    );
    // Three days later the same days are whole: rows of (other) are gone, not only added to.
    house.simulator.set_now(date(2026, 2, 3).at(20, 0, 0, 0));
    let grown = house.run(sessions, window(8), "run-3").await;
    assert!(grown.rows_removed > 0, "{grown:?}");
    let truth = house.truth(window(8));
    assert_eq!(house.figures().await, truth);
    assert_eq!(other(&truth), 0);
    // An older collection that is normalised again does not bring the old days back.
    let ctx = house.context("x").await;
    let manifests = list_manifests(&ctx.lake, sessions).await.unwrap();
    house.normalise(sessions, vec![manifests[0].clone()]).await;
    assert_eq!(house.figures().await, truth);
    // All of bronze at once gives the same, too.
    std::fs::remove_dir_all(
        house
            .folder
            .path()
            .join("std")
            .join(SilverTable::Ga4("sessions".parse().unwrap()).prefix()),
    )
    .unwrap();
    house.normalise(sessions, Vec::new()).await;
    assert_eq!(house.figures().await, truth);
}

#[tokio::test]
async fn a_property_that_lost_a_day_has_none_of_it_left() {
    let mut house = House::new(GoogleOptions::default(), "").await;
    let sessions = stream("sessions");
    house.run(sessions, window(3), "run-1").await;
    let rows = |house: &House| {
        let truth = house.truth(window(3));
        truth.keys().filter(|key| key[1] == "de").count()
    };
    let all = house.figures().await.len();
    let own = rows(&house);
    // A filter that nothing passes: the property's days are empty from now on, the others' stay.
    let filter = serde_json::json!({"filter": {"fieldName": "sessionSource", "stringFilter": {"value": "nowhere"}}});
    house.ga4.reports[0].dimension_filter = Some(filter);
    house.ga4.reports[0].properties.truncate(1);
    let summary = house.run(sessions, window(3), "run-2").await;
    assert_eq!(summary.rows_removed, own as u64);
    assert_eq!(house.figures().await.len(), all - own);
    let quality = "SELECT count(*), sum(rows) FROM ga_day_quality WHERE property = '310000001'";
    assert_eq!(house.texts(quality).await, [["3", "0"]]);
}

#[tokio::test]
async fn young_days_are_provisional_and_sql_sees_their_share_of_other() {
    let house = House::new(GoogleOptions::default(), "").await;
    house.run(stream("sessions"), window(8), "run-1").await;
    let rows = house
        .texts(
            "SELECT CAST(CAST(report_date AS date) AS varchar), CAST(other_share > 0.01 AS varchar), CAST(data_loss_from_other_row AS varchar), \
             CAST(is_provisional AS varchar), currency, time_zone, provisional FROM ga_day_quality WHERE property = '310000001' ORDER BY report_date",
        )
        .await;
    assert_eq!(rows.len(), 8);
    for (place, row) in rows.iter().enumerate() {
        // It is the first of February in Berlin: of the last day most is still in (other).
        let folded = (place == 7).to_string();
        assert_eq!([&row[1], &row[2]], [&folded, &folded], "{row:?}");
        // A day in Berlin ends at 23:00 UTC: the 29th ended 49 hours before now.
        assert_eq!(row[3], (place >= 6).to_string(), "{row:?}");
        assert_eq!((row[4].as_str(), row[5].as_str()), ("EUR", "Europe/Berlin"));
    }
    assert!(rows[7][6].contains("in (other)"), "{:?}", rows[7]);
    assert!(house.log.says("provisional"), "{:?}", house.log);
}

#[tokio::test]
async fn pages_are_followed_to_the_last_row_and_days_that_are_settled_left_alone() {
    let mut house = House::new(GoogleOptions::default(), "").await;
    house.ga4.page_limit = 3;
    let sessions = stream("sessions");
    house.run(sessions, window(8), "run-1").await;
    assert_eq!(house.figures().await, house.truth(window(8)));
    let path = format!("/v1beta/properties/{}:runReport", PROPERTIES[0].property);
    let requests = || house.simulator.requests_by_path()[&path];
    let first = requests();
    assert!(first > 20, "{first} pages");
    // The next morning: yesterday and the two days before are read, older ones were read today.
    house.simulator.set_now(date(2026, 1, 31).at(23, 59, 59, 0));
    house.run(sessions, window(8), "run-2").await;
    let second = requests() - first;
    assert!(second < first && second > 0, "{second} of {first}");
    // Two readings a week apart that agree settle a day.
    house.simulator.set_now(date(2026, 2, 8).at(12, 0, 0, 0));
    house.run(sessions, window(8), "run-3").await;
    let ctx = house.context("x").await;
    let book = DayBook::load(&ctx.lake.std, "ga4", "sessions", PROPERTIES[0].property)
        .await
        .unwrap();
    assert_eq!(book.days.len(), 8);
    let third = requests();
    house.simulator.set_now(date(2026, 2, 17).at(12, 0, 0, 0));
    house.run(sessions, window(8), "run-4").await;
    let before = requests();
    house.simulator.set_now(date(2026, 2, 18).at(12, 0, 0, 0));
    let again = house.run(sessions, window(8), "run-5").await;
    assert_eq!((requests() - before, again.rows_in), (0, 0), "{third}");
    assert_eq!(house.figures().await, house.truth(window(8)));
}

#[tokio::test]
async fn days_to_come_are_never_asked_for() {
    let house = House::new(GoogleOptions::default(), "").await;
    let ahead = Window::new(TODAY, date(2026, 2, 5)).unwrap();
    let summary = house
        .collect(stream("sessions"), ahead, "run-1")
        .await
        .unwrap();
    assert!(summary.rows > 0);
    let rows = house
        .normalise(stream("sessions"), vec![summary.manifest_key])
        .await;
    let days: Vec<_> = rows
        .partitions
        .iter()
        .filter_map(|change| change.day)
        .collect();
    // It is the first of February in Berlin and Tokyo already, the 31st in New York.
    assert_eq!(days, [TODAY, date(2026, 2, 1)]);
    let now = TimeZone::UTC.to_timestamp(house.simulator.now()).unwrap();
    assert!(now + SignedDuration::from_hours(2) > "2026-02-01T01:00:00Z".parse().unwrap());
}

#[tokio::test]
async fn rows_of_an_archive_are_imported_like_collected_ones() {
    let house = House::new(GoogleOptions::default(), "").await;
    let collected = house
        .collect(stream("sessions"), window(3), "run-1")
        .await
        .unwrap();
    let ctx = house.context("x").await;
    let manifest = lakehand::pipeline::collect::read_manifest(&ctx.lake, &collected.manifest_key)
        .await
        .unwrap();
    let files: Vec<_> = manifest
        .files
        .iter()
        .map(|file| ctx.lake.raw.local_path(&file.key).unwrap())
        .collect();
    let other = House::new(GoogleOptions::default(), "").await;
    let ctx = other.context("import").await;
    for _ in 0..2 {
        let summary = lakehand::pipeline::normalise::import(&ctx, stream("sessions"), &files)
            .await
            .unwrap();
        assert_eq!(
            (summary.rows_quarantined, summary.rows_in),
            (0, collected.rows)
        );
        assert_eq!(other.figures().await, house.truth(window(3)));
    }
}

#[tokio::test]
async fn every_report_is_checked_by_one_set_of_files() {
    let house = House::new(GoogleOptions::default(), "").await;
    house.run(stream("sessions"), window(8), "run-1").await;
    let ctx = house.context("check").await;
    let settings = EngineSettings::for_profile(&ctx.profile);
    let engine = std::sync::Arc::new(LocalEngine::new(&settings).unwrap());
    let ctx = JobContext { engine, ..ctx };
    let check = async || -> QualityReport {
        quality::check_table(&ctx, "ga_sessions", window(8))
            .await
            .unwrap()
    };
    let of = |report: &QualityReport, name: &str| -> CheckResult {
        let found = report
            .checks
            .iter()
            .find(|check| check.name.ends_with(name));
        found
            .unwrap_or_else(|| panic!("{name}: {report:?}"))
            .clone()
    };
    assert!(quality::checked_tables(&ctx.profile).contains(&"ga_sessions".to_owned()));
    let report = check().await;
    assert_eq!(report.checks.len(), 5);
    assert!(of(&report, "duplicate_keys").passed);
    assert_eq!(of(&report, "freshness").value.as_deref(), Some("0"));
    assert_eq!(of(&report, "null_share").value.as_deref(), Some("0.0"));
    // Worked out from the figures themselves: the share of today's sessions of a property in (other).
    let mut worst = 0_f64;
    for unit in PROPERTIES.map(|known| known.business_unit) {
        for day in window(8).days() {
            let of_day = |other: bool| -> u64 {
                let truth = house.truth(window(8));
                let own = truth
                    .iter()
                    .filter(|(key, _)| key[0] == day.to_string() && key[1] == unit);
                own.filter(|(key, _)| !other || key[2..].contains(&"(other)".to_owned()))
                    .map(|(_, figures)| figures[0])
                    .sum()
            };
            worst = worst.max(of_day(true) as f64 / of_day(false).max(1) as f64);
        }
    }
    let other = of(&report, "other_share");
    let found: f64 = other.value.as_deref().unwrap().parse().unwrap();
    assert!((found - worst).abs() < 1e-9, "{found} is not {worst}");
    assert!(worst > 0.01 && !other.passed && other.samples[0].contains("report=sessions"));
    // Two files of a day: every key of it is there twice.
    let folder = SilverTable::Ga4("sessions".parse().unwrap()).prefix();
    let day = house
        .folder
        .path()
        .join("std")
        .join(folder)
        .join(format!("date={TODAY}"));
    std::fs::copy(day.join("part-0.parquet"), day.join("part-1.parquet")).unwrap();
    let report = check().await;
    let twice = of(&report, "duplicate_keys");
    let keys = house.truth(window(1)).len();
    assert_eq!(
        (twice.passed, twice.value.as_deref()),
        (false, Some(keys.to_string().as_str()))
    );
    let error = quality::check_table(&ctx, "ga_nothing", window(8))
        .await
        .unwrap_err();
    assert!(error.message.contains("ga_sessions"), "{error}");
}
