//! Pages and filters against naive ones over the truth.

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use lakehand::simulator::truth::{Click, Conversion, ConversionStatus, OfferStatus, Stamp, Truth};
use lakehand::simulator::{Options, RunningSimulator};

use crate::{CLICKS, CONVERSIONS, TODAY, WEEK, body, collect, ids, read, started, with};

#[tokio::test]
async fn paging_collects_exactly_what_is_true() {
    let simulator = started(3_000).await;
    let truth = simulator.truth().unwrap();
    let (clicks, total) =
        collect(&simulator, &format!("{CLICKS}?{WEEK}&limit=137"), "clicks").await;
    let true_ids = click_ids(truth.clicks_between(date(2026, 1, 24), TODAY));
    assert_eq!(total, true_ids.len() as u64);
    assert_eq!(ids(&clicks), true_ids);
    let path = format!("{CONVERSIONS}?{WEEK}&limit=13");
    let (conversions, total) = collect(&simulator, &path, "conversions").await;
    let true_ids = conversion_ids(truth.conversions_between(date(2026, 1, 24), TODAY));
    assert_eq!(total, true_ids.len() as u64);
    assert_eq!(ids(&conversions), true_ids);
    simulator.shutdown().await;
}

fn click_ids(clicks: impl Iterator<Item = Click>) -> Vec<String> {
    clicks.map(|click| click.id.to_string()).collect()
}

fn conversion_ids(conversions: impl Iterator<Item = Conversion>) -> Vec<String> {
    conversions.map(|one| one.id.to_string()).collect()
}

#[tokio::test]
async fn page_sizes_are_clamped_and_said_and_pages_past_the_end_are_empty() {
    let simulator = started(9_000).await;
    for (path, default, most) in [
        (format!("{CLICKS}?{WEEK}"), 100, 5_000),
        (format!("{CONVERSIONS}?{WEEK}"), 100, 1_000),
        ("/3.0/offers?page=1".to_owned(), 100, 500),
        ("/3.0/admin/partners?page=1".to_owned(), 50, 500),
        ("/3.0/admin/advertisers?page=1".to_owned(), 100, 500),
    ] {
        assert_eq!(
            read(&simulator, &path).await["pagination"]["per_page"],
            default,
            "{path}"
        );
        let huge = read(&simulator, &format!("{path}&limit=1000000")).await;
        assert_eq!(huge["pagination"]["per_page"], most, "{path}");
        let three = read(&simulator, &format!("{path}&limit=3")).await;
        assert_eq!(three["pagination"]["per_page"], 3);
        assert_eq!(three["pagination"]["next_page"], 2);
    }
    let past = read(&simulator, &format!("{CLICKS}?{WEEK}&page=100000")).await;
    assert_eq!(past["clicks"].as_array().unwrap().len(), 0);
    assert!(past["pagination"].get("next_page").is_none());
}

async fn conversions_of(simulator: &RunningSimulator, query: &str) -> Vec<String> {
    let path = format!("{CONVERSIONS}?limit=500&{query}");
    let (rows, total) = collect(simulator, &path, "conversions").await;
    assert_eq!(rows.len() as u64, total, "{query}");
    ids(&rows)
}

fn true_conversions(truth: &Truth, keep: impl Fn(&Conversion) -> bool) -> Vec<String> {
    let all = truth.conversions_between(date(2026, 1, 24), TODAY);
    let kept = conversion_ids(all.filter(keep));
    assert!(
        !kept.is_empty(),
        "a filter that keeps nothing proves nothing"
    );
    kept
}

#[tokio::test]
async fn conversion_filters_agree_with_naive_ones() {
    let simulator = started(9_000).await;
    let truth = simulator.truth().unwrap();
    let some = truth
        .conversions_between(date(2026, 1, 28), TODAY)
        .next()
        .unwrap();
    let (offer, affiliate) = (some.click.offer_id, some.click.affiliate_id);
    let advertiser = truth.offer(offer).unwrap().advertiser;
    let advertiser_id = truth.advertisers()[advertiser].id;

    let query = format!("{WEEK}&status[]=1&status[1]=3");
    let expected = true_conversions(&truth, |one| {
        matches!(
            one.status,
            ConversionStatus::Confirmed | ConversionStatus::Declined
        )
    });
    assert_eq!(conversions_of(&simulator, &query).await, expected);

    let query = format!("{WEEK}&offer%5B%5D={offer}");
    let expected = true_conversions(&truth, |one| one.click.offer_id == offer);
    assert_eq!(conversions_of(&simulator, &query).await, expected);

    let query = format!("{WEEK}&partner[]={affiliate}&status[]=2");
    let expected = true_conversions(&truth, |one| {
        one.click.affiliate_id == affiliate && one.status == ConversionStatus::Pending
    });
    assert_eq!(conversions_of(&simulator, &query).await, expected);

    let query = format!("{WEEK}&country[]=DE&country[]=NA");
    let expected = true_conversions(&truth, |one| matches!(one.click.country, Some("DE" | "NA")));
    assert_eq!(conversions_of(&simulator, &query).await, expected);

    let query = format!("{WEEK}&advertiser[]={advertiser_id}");
    let expected = true_conversions(&truth, |one| {
        truth.offer(one.click.offer_id).unwrap().advertiser == advertiser
    });
    assert_eq!(conversions_of(&simulator, &query).await, expected);

    let sub5 = truth
        .conversions_between(date(2026, 1, 24), TODAY)
        .filter_map(|one| one.click.sub5().map(str::to_owned))
        .find(|text| !text.is_ascii())
        .unwrap();
    let encoded: String = sub5.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let query = format!("{WEEK}&subid5[]={encoded}");
    let expected = true_conversions(&truth, |one| one.click.sub5() == Some(&sub5));
    assert_eq!(conversions_of(&simulator, &query).await, expected);
}

#[tokio::test]
async fn the_update_filter_finds_changes_of_any_age_within_its_hours() {
    let simulator = started(9_000).await;
    let truth = simulator.truth().unwrap();
    let query = "update_from_date=2026-01-30&update_from_hour=22&update_to_date=2026-01-31&update_to_hour=3";
    let found = conversions_of(&simulator, query).await;
    let (from, to) = (
        date(2026, 1, 30).at(22, 0, 0, 0),
        date(2026, 1, 31).at(3, 59, 59, 0),
    );
    let inside = |one: &Conversion| (from..=to).contains(&one.updated_at());
    assert_eq!(found, conversion_ids(truth.conversions().filter(inside)));
    let old = truth
        .conversions()
        .filter(|one| inside(one) && one.created_at().date() < date(2026, 1, 24));
    assert!(
        old.count() > 0,
        "changes of conversions older than the default range are among them"
    );

    let both = format!("{query}&date_from=2026-01-29&date_to=2026-01-30");
    let created = |one: &Conversion| {
        (date(2026, 1, 29)..=date(2026, 1, 30)).contains(&one.created_at().date())
    };
    let expected = conversion_ids(
        truth
            .conversions()
            .filter(|one| inside(one) && created(one)),
    );
    assert_eq!(conversions_of(&simulator, &both).await, expected);
}

#[tokio::test]
async fn days_hours_and_stamps_follow_the_zone_asked_for() {
    let simulator = started(9_000).await;
    let truth = simulator.truth().unwrap();
    let zone = TimeZone::get("Asia/Kolkata").unwrap();
    let local = |click: &Click| {
        let stamp = jiff::Timestamp::from_second(click.created).unwrap();
        zone.to_datetime(stamp)
    };
    let path = format!(
        "{CLICKS}?date_from=2026-01-28&date_to=2026-01-28&timezone=Asia/Kolkata&limit=5000"
    );
    let (rows, _) = collect(&simulator, &path, "clicks").await;
    let expected: Vec<Click> = truth
        .clicks()
        .filter(|one| local(one).date() == date(2026, 1, 28))
        .collect();
    assert_eq!(ids(&rows), click_ids(expected.iter().cloned()));
    for (row, click) in rows.iter().zip(&expected) {
        assert_eq!(
            row["created_at"],
            local(click).strftime("%F %T").to_string()
        );
    }
    let (rows, _) = collect(&simulator, &format!("{path}&hour=5"), "clicks").await;
    let in_hour = expected.into_iter().filter(|one| local(one).hour() == 5);
    assert_eq!(ids(&rows), click_ids(in_hour));
    assert!(!rows.is_empty());
}

#[tokio::test]
async fn clicks_older_than_seven_days_come_back_empty_unless_allowed() {
    let simulator = started(1_000).await;
    let truth = simulator.truth().unwrap();
    let path = format!("{CLICKS}?date_from=2026-01-10&date_to=2026-01-31&limit=5000");
    let (rows, _) = collect(&simulator, &path, "clicks").await;
    let readable = truth.clicks_between(truth.oldest_readable_click_day(), TODAY);
    assert_eq!(ids(&rows), click_ids(readable));
    assert_eq!(truth.oldest_readable_click_day(), date(2026, 1, 24));
    let old = read(
        &simulator,
        &format!("{CLICKS}?date_from=2026-01-20&date_to=2026-01-23"),
    )
    .await;
    assert_eq!(old["pagination"]["total_count"], 0);
    let options = Options {
        scale: 1_000,
        seed: 5,
        all_clicks: true,
        ..Options::new(TODAY)
    };
    let (rows, _) = collect(&with(options).await, &path, "clicks").await;
    assert_eq!(rows.len(), 1_000);
}

#[tokio::test]
async fn the_clock_hides_what_has_not_happened() {
    let simulator = started(9_000).await;
    let full = simulator.truth().unwrap();
    simulator.set_now(date(2026, 1, 29).at(11, 0, 0, 0));
    assert_eq!(simulator.today(), date(2026, 1, 29));
    let truth = simulator.truth().unwrap();
    let (rows, total) = collect(
        &simulator,
        &format!("{CONVERSIONS}?limit=500"),
        "conversions",
    )
    .await;
    let days = (date(2026, 1, 23), date(2026, 1, 29));
    assert_eq!(
        ids(&rows),
        conversion_ids(truth.conversions_between(days.0, days.1))
    );
    assert!(total < full.conversions_between(days.0, days.1).count() as u64);
    let changed = |row: &serde_json::Value| {
        full.conversions()
            .any(|one| row["id"] == one.id.to_string() && row["status"] != one.status.name())
    };
    assert!(rows.iter().any(changed), "some are still to change");
}

#[tokio::test]
async fn offers_are_the_active_ones_unless_asked_and_the_unlisted_are_missing() {
    let simulator = started(9_000).await;
    let truth = simulator.truth().unwrap();
    let listed = |status: Option<OfferStatus>| -> Vec<String> {
        let offers = truth.offers().iter().filter(|offer| offer.listed);
        offers
            .filter(|offer| status.is_none_or(|status| offer.status == status))
            .map(|offer| offer.id.to_string())
            .collect()
    };
    let (rows, _) = collect(&simulator, "/3.0/offers?limit=7", "offers").await;
    assert_eq!(ids(&rows), listed(Some(OfferStatus::Active)));
    let count = read(&simulator, "/3.0/offers/count").await;
    assert_eq!(count["count"], rows.len());
    let all = "/3.0/offers?status[]=active&status[]=stopped&status[]=suspended";
    let (rows, _) = collect(&simulator, all, "offers").await;
    assert_eq!(ids(&rows), listed(None));
    assert!(rows.len() < truth.offers().len());

    let (rows, _) = collect(&simulator, "/3.0/admin/partners", "partners").await;
    let listed = truth
        .affiliates()
        .iter()
        .filter(|affiliate| affiliate.listed);
    assert_eq!(
        ids(&rows),
        listed.map(|one| one.id.to_string()).collect::<Vec<_>>()
    );
    let (rows, _) = collect(&simulator, "/3.0/admin/advertisers?limit=3", "advertisers").await;
    assert_eq!(
        ids(&rows),
        truth
            .advertisers()
            .iter()
            .map(|one| one.id.to_string())
            .collect::<Vec<_>>()
    );
    let (rows, _) = collect(&simulator, "/3.0/admin/users", "users").await;
    assert_eq!(rows.len(), truth.managers().len());
}

#[tokio::test]
async fn changed_dimensions_are_found_by_day() {
    let simulator = started(9_000).await;
    let truth = simulator.truth().unwrap();
    let start = |day: Date| day.to_zoned(TimeZone::UTC).unwrap().timestamp().as_second();
    let since = start(date(2026, 1, 25));
    let changed = |stamp: Stamp| matches!(stamp, Stamp::At(second) if second >= since);
    let path = "/3.0/admin/partners?updated_at=2026-01-25";
    let (rows, _) = collect(&simulator, path, "partners").await;
    let expected = truth
        .affiliates()
        .iter()
        .filter(|one| one.listed && changed(one.updated));
    assert_eq!(
        ids(&rows),
        expected.map(|one| one.id.to_string()).collect::<Vec<_>>()
    );
    let path =
        "/3.0/offers?updated_at=2026-01-25&status[]=active&status[]=stopped&status[]=suspended";
    let (rows, _) = collect(&simulator, path, "offers").await;
    let expected: Vec<String> = truth
        .offers()
        .iter()
        .filter(|one| one.listed && changed(one.updated))
        .map(|one| one.id.to_string())
        .collect();
    assert!(!expected.is_empty() && expected.len() < truth.offers().len() / 4);
    assert_eq!(ids(&rows), expected);
}

#[tokio::test]
async fn the_same_seed_scale_and_day_give_the_same_bytes() {
    let (first, second) = (started(2_000).await, started(2_000).await);
    let other = with(Options {
        scale: 2_000,
        seed: 6,
        ..Options::new(TODAY)
    })
    .await;
    for path in [
        format!("{CLICKS}?{WEEK}&limit=1500"),
        format!("{CONVERSIONS}?{WEEK}&limit=1000"),
        "/3.0/offers".to_owned(),
        "/3.0/admin/partners".to_owned(),
        "/3.0/admin/advertisers".to_owned(),
        "/3.0/admin/users".to_owned(),
    ] {
        let bytes = body(&first, &path).await;
        assert_eq!(bytes, body(&first, &path).await, "{path}: asked twice");
        assert_eq!(bytes, body(&second, &path).await, "{path}: two simulators");
        assert_ne!(bytes, body(&other, &path).await, "{path}: another seed");
    }
}

#[tokio::test]
async fn a_page_of_a_million_clicks_costs_a_page() {
    let simulator = started(1_000_000).await;
    let first = read(&simulator, &format!("{CLICKS}?{WEEK}&limit=500")).await;
    let total = first["pagination"]["total_count"].as_u64().unwrap();
    assert!(total > 500_000, "{total}");
    for page in [total / 500 / 2, total / 500] {
        let rows = read(
            &simulator,
            &format!("{CLICKS}?{WEEK}&limit=500&page={page}"),
        )
        .await;
        assert_eq!(rows["clicks"].as_array().unwrap().len(), 500);
    }
    assert_eq!(simulator.work(), (1_500, 0), "rows written, rows looked at");
}
