//! How collections end that do not end well: each as the fact sheet says, none at the others' cost.

use jiff::civil::date;
use lakehand::{
    pipeline::{
        dataset::Stream,
        jobs::ErrorType,
        state::{QuotaState, UnitStatus},
    },
    simulator::{
        SECRET_MARKER,
        google::{GoogleOptions, GoogleQuota},
    },
};

use crate::house::{House, property, stream, window};

#[tokio::test]
async fn a_property_without_permission_does_not_keep_the_others_from_being_read() {
    let mut house = House::new(GoogleOptions::default(), "").await;
    let denied = property("gone", "999");
    house.ga4.reports[0].properties.insert(0, denied);
    let sessions = stream("sessions");
    let summary = house.collect(sessions, window(3), "run-1").await.unwrap();
    let failure = summary.failure.clone().unwrap();
    assert_eq!(failure.error, "BadCredentials");
    assert_eq!(
        (failure.parts.len(), failure.parts[0].part.as_str()),
        (1, "properties/999")
    );
    let cause = &failure.cause;
    assert!(
        cause.contains("sufficient permissions") && cause.contains("viewer of the property"),
        "{cause}"
    );
    assert!(
        cause.contains("lakehand@simulated.iam.gserviceaccount.com"),
        "{cause}"
    );
    assert_eq!(failure.parked_until, None);
    let unit = house.unit(sessions, "run-1").await;
    assert!(
        matches!(unit.status, UnitStatus::Failed { .. }),
        "{:?}",
        unit.status
    );
    assert_eq!(summary.watermark, None, "not everything was read");
    house.normalise(sessions, vec![summary.manifest_key]).await;
    assert_eq!(house.figures().await, house.truth(window(3)));
    // A redrive asks for what is missing, and for nothing else.
    house.ga4.reports[0].properties[0].property = "310000001".to_owned();
    house.ga4.reports[0].properties.truncate(3);
    let before = house.simulator.requests();
    let again = house.collect(sessions, window(3), "run-1").await.unwrap();
    assert_eq!(again.failure, None);
    assert!(
        house.simulator.requests() - before <= 1 + 3,
        "a token and three days at most"
    );
    assert!(again.watermark.is_some());
}

#[tokio::test]
async fn a_quota_that_runs_low_parks_its_property_until_it_is_back() {
    let quota = GoogleQuota {
        // A tenth of an hour's 40,000 is left after a few requests.
        tokens_per_hour: 4_015,
        ..GoogleQuota::default()
    };
    let options = GoogleOptions {
        quota,
        ..GoogleOptions::default()
    };
    let house = House::new(options, "").await;
    let sessions = stream("sessions");
    let summary = house.collect(sessions, window(8), "run-1").await.unwrap();
    let failure = summary.failure.unwrap();
    assert_eq!(
        (failure.error.as_str(), failure.parts.len()),
        ("QuotaExhausted", 3)
    );
    let until = failure.parked_until.unwrap();
    assert_eq!(
        until.to_string(),
        "2026-02-01T00:59:59Z",
        "an hour after now"
    );
    assert!(summary.rows > 0, "what was read before is stored");
    let ctx = house.context("look").await;
    let quota = QuotaState::load(&ctx.lake.std, "ga4", "310000001")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(quota.parked_until, Some(until));
    assert!(
        quota
            .why
            .unwrap()
            .contains("of 40000 tokensPerHour are left")
    );
    let hour = &quota.figures["tokensPerHour"];
    assert!(hour.left.unwrap() <= 4_000 && hour.limit == Some(40_000));
    let unit = house.unit(sessions, "run-1").await;
    assert!(
        matches!(&unit.status, UnitStatus::Parked { until: at, .. } if *at == until),
        "{:?}",
        unit.status
    );
    // While it is parked nothing is asked of it.
    let before = house.simulator.requests();
    let error = house
        .collect(sessions, window(8), "run-2")
        .await
        .unwrap_err();
    assert_eq!(error.error_type, ErrorType::QuotaExhausted);
    assert_eq!(house.simulator.requests(), before);
    assert_eq!(error.parked_until, Some(until));
    // An hour later it goes on where it stopped.
    house.simulator.set_now(date(2026, 2, 1).at(1, 0, 0, 0));
    let on = house.collect(sessions, window(8), "run-1").await.unwrap();
    assert!(on.rows > summary.rows, "{} after {}", on.rows, summary.rows);
}

#[tokio::test]
async fn what_a_parked_collection_left_out_comes_with_the_next_one() {
    // The hour's and the day's quota, each used up by the fifth request of the first property.
    for (word, back) in [
        ("hour", date(2026, 2, 1).at(1, 0, 0, 0)),
        ("day", date(2026, 2, 1).at(9, 0, 0, 0)),
    ] {
        let mut house = House::new(GoogleOptions::default(), &format!("google#6:{word}")).await;
        house.ga4.reports[0].properties.truncate(1);
        let sessions = stream("sessions");
        let first = house.collect(sessions, window(8), "run-1").await.unwrap();
        let failure = first.failure.clone().unwrap();
        assert!(failure.parked_until.is_some(), "{word}: {failure:?}");
        assert_eq!(first.watermark, None, "{word}");
        house.normalise(sessions, vec![first.manifest_key]).await;
        let days = |figures: &std::collections::BTreeMap<_, _>| figures.len();
        let before = days(&house.figures().await);
        assert!(before > 0, "{word}: the days before it are in silver");
        // Another execution, once the quota is back.
        house.simulator.set_now(back);
        house.run(sessions, window(8), "run-2").await;
        assert!(days(&house.figures().await) > before, "{word}");
        let mut truth = house.truth(window(8));
        truth.retain(|key, _| key[1] == house.ga4.reports[0].properties[0].business_unit);
        assert_eq!(house.figures().await, truth, "{word}");
    }
}

#[tokio::test]
async fn quotas_that_are_used_up_are_told_apart_by_their_words() {
    let cases = [
        ("hour", Some("2026-02-01T00:59:59Z")),
        ("project-hour", Some("2026-02-01T00:59:59Z")),
        ("thresholded", Some("2026-02-01T00:59:59Z")),
        ("server-errors", Some("2026-02-01T00:59:59Z")),
        ("day", Some("2026-02-01T08:00:00Z")),
        ("concurrent", None),
    ];
    for (word, until) in cases {
        let house = House::new(GoogleOptions::default(), &format!("google#2:{word}")).await;
        let summary = house
            .collect(stream("sessions"), window(2), "run-1")
            .await
            .unwrap();
        let parked = summary.failure.and_then(|failure| failure.parked_until);
        assert_eq!(parked.map(|at| at.to_string()).as_deref(), until, "{word}");
        assert!(summary.rows > 0, "{word}: the other properties are read");
    }
}

#[tokio::test]
async fn refusals_end_as_the_fact_sheet_says_and_show_no_secret() {
    let cases = [
        ("google:permission", "BadCredentials"),
        ("google:invalid", "SourceRefused"),
        ("google:unauthenticated", "BadCredentials"),
        ("google:invalid-grant", "BadCredentials"),
        ("google:day", "QuotaExhausted"),
        ("500@/v1beta/*", "TransientSourceError"),
        ("503@/v1beta/*", "TransientSourceError"),
        ("html@/v1beta/*", "TransientSourceError"),
        ("cut@/v1beta/*", "TransientSourceError"),
        ("504@/token", "TransientSourceError"),
    ];
    for (faults, wanted) in cases {
        let house = House::new(GoogleOptions::default(), faults).await;
        let error = house
            .collect(stream("sessions"), window(1), "run-1")
            .await
            .unwrap_err();
        assert_eq!(error.error_type.name(), wanted, "{faults}: {error}");
        let told = format!("{error} {error:?} {:?}", house.log);
        assert!(
            !told.contains(SECRET_MARKER) && !told.contains("PRIVATE KEY"),
            "{told}"
        );
    }
}

#[tokio::test]
async fn troubles_that_pass_leave_no_trace() {
    for faults in [
        "google#2:unauthenticated",
        "500@/v1beta/*#2",
        "cut@/v1beta/*=0.2",
        "drop@/v1beta/*#3",
        "html@/token#1",
        "google=0.2:concurrent",
    ] {
        let house = House::new(GoogleOptions::default(), faults).await;
        house.run(stream("sessions"), window(4), "run-1").await;
        assert_eq!(house.figures().await, house.truth(window(4)), "{faults}");
    }
}

#[tokio::test]
async fn a_token_that_ends_in_mid_collection_is_renewed() {
    let options = GoogleOptions {
        token_seconds: 1,
        ..GoogleOptions::default()
    };
    let house = House::new(options, "").await;
    house.run(stream("sessions"), window(4), "run-1").await;
    assert!(house.simulator.requests_by_path()["/token"] > 1);
    assert_eq!(house.figures().await, house.truth(window(4)));
}

#[tokio::test]
async fn a_day_that_never_settles_is_given_up_and_says_so() {
    let mut house = House::new(GoogleOptions::default(), "google:unsettled").await;
    house.ga4.reports[0].properties.truncate(1);
    house.ga4.reports[0].settle_days = 20;
    let sessions = stream("sessions");
    house.run(sessions, window(1), "run-0").await;
    let settled = "SELECT CAST(settled AS varchar), CAST(count(*) AS varchar) FROM ga_day_quality GROUP BY settled";
    for (number, day) in [(1, date(2026, 2, 7)), (2, date(2026, 2, 14))] {
        house.simulator.set_now(day.at(23, 59, 59, 0));
        let run = house
            .run(sessions, window(1), &format!("run-{number}"))
            .await;
        // From the second on the day is whole, and one figure moves every time.
        assert!(run.rows_new == 1 || number == 1, "{run:?}");
        assert_eq!(house.texts(settled).await, [["false", "1"]]);
    }
    house.simulator.set_now(date(2026, 2, 21).at(23, 59, 59, 0));
    let before = house.simulator.requests();
    house.run(sessions, window(1), "run-9").await;
    assert_eq!(
        house.simulator.requests(),
        before,
        "it is older than settle_days"
    );
    assert_eq!(
        house.texts(settled).await,
        [["false", "1"]],
        "and still says that it never settled"
    );
}

#[tokio::test]
async fn a_key_that_is_missing_or_wrong_is_named() {
    let house = House::new(GoogleOptions::default(), "").await;
    let mut ctx = house.context("run-1").await;
    let parameter = house.ga4.key_parameter.clone();
    ctx.parameters
        .put(&parameter, "{}".to_owned().into())
        .await
        .unwrap();
    let request = lakehand::pipeline::collect::CollectRequest {
        stream: stream("sessions"),
        window: window(1),
        passes: <_>::default(),
    };
    let error = lakehand::pipeline::collect::collect(&ctx, &request)
        .await
        .unwrap_err();
    assert_eq!(error.error_type, ErrorType::BadCredentials);
    assert!(error.message.contains("service account key"), "{error}");
    let mut profile = lakehand::config::Profile::clone(&ctx.profile);
    profile.ga4.as_mut().unwrap().key_parameter = "/google/Other".to_owned();
    ctx.profile = std::sync::Arc::new(profile);
    let error = lakehand::pipeline::collect::collect(&ctx, &request)
        .await
        .unwrap_err();
    assert_eq!(error.error_type, ErrorType::BadCredentials);
    assert!(error.message.contains("/google/Other"), "{error}");
    let unknown = house
        .collect(Stream::Ga4("nothing".parse().unwrap()), window(1), "x")
        .await
        .unwrap_err();
    assert!(unknown.message.contains("[profiles.test.ga4]"), "{unknown}");
}

#[tokio::test]
async fn signing_in_says_who_and_which_properties_are_closed() {
    let mut house = House::new(GoogleOptions::default(), "").await;
    let ctx = house.context("look").await;
    let signed_in = lakehand::pipeline::collect::sign_in(&ctx, "ga4")
        .await
        .unwrap();
    assert_eq!(
        signed_in.account,
        "lakehand@simulated.iam.gserviceaccount.com"
    );
    assert_eq!(signed_in.warning, None);
    house.ga4.reports[0]
        .properties
        .push(property("gone", "999"));
    let ctx = house.context("look").await;
    let warned = lakehand::pipeline::collect::sign_in(&ctx, "ga4")
        .await
        .unwrap();
    assert!(warned.warning.unwrap().contains("may not read 999"));
    let other = House::new(GoogleOptions::default(), "google@/token:invalid-grant").await;
    let ctx = other.context("look").await;
    let error = lakehand::pipeline::collect::sign_in(&ctx, "ga4")
        .await
        .unwrap_err();
    assert_eq!(error.error_type, ErrorType::BadCredentials);
}

#[tokio::test]
async fn fields_that_do_not_go_together_are_named_by_a_sign_in_and_by_the_first_collection() {
    let mut house = House::new(GoogleOptions::default(), "").await;
    let report = &mut house.ga4.reports[0];
    report.dimensions = ["firstUserSource", "landingPage", "country", "colour"]
        .map(str::to_owned)
        .to_vec();
    report.metrics.push("sesions".to_owned());
    let ctx = house.context("look").await;
    let signed_in = lakehand::pipeline::collect::sign_in(&ctx, "ga4")
        .await
        .unwrap();
    let warning = signed_in.warning.unwrap();
    let error = house
        .collect(stream("sessions"), window(1), "run-1")
        .await
        .unwrap_err();
    assert_eq!(error.error_type, ErrorType::SourceRefused);
    for told in [&warning, &error.message] {
        for part in [
            "the property has no metric 'sesions'",
            "the property has no dimension 'colour'",
            "'landingPage' does not go together with sessions,",
            "firstUserSource",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
        assert!(!told.contains("'country'"), "{told}");
    }
    assert!(
        error.message.contains("HTTP 400") && error.message.contains("config.toml"),
        "{error}"
    );
    // Without them the report is whole, and a sign-in has nothing to say.
    let report = &mut house.ga4.reports[0];
    report.metrics.pop();
    report.dimensions = vec!["firstUserSource".to_owned(), "country".to_owned()];
    let ctx = house.context("look").await;
    let signed_in = lakehand::pipeline::collect::sign_in(&ctx, "ga4")
        .await
        .unwrap();
    assert_eq!(signed_in.warning, None);
    house.run(stream("sessions"), window(1), "run-2").await;
}
