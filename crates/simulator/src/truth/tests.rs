use std::collections::{BTreeMap, HashSet};

use jiff::civil::date;

use super::*;

fn truth() -> Truth {
    Truth::new(11, 6_000, date(2026, 1, 31))
}

#[test]
fn the_scale_is_the_number_of_clicks_and_time_never_runs_back() {
    let truth = truth();
    let clicks: Vec<Click> = truth.clicks().collect();
    assert_eq!(clicks.len(), 6_000);
    assert!(
        clicks
            .windows(2)
            .all(|pair| pair[0].created <= pair[1].created)
    );
    let days: HashSet<_> = clicks
        .iter()
        .map(|click| click.created_at().date())
        .collect();
    assert_eq!(days.len(), 14);
    assert!(days.contains(&date(2026, 1, 18)) && days.contains(&date(2026, 1, 31)));
    let ids: HashSet<_> = clicks.iter().map(|click| click.id.to_string()).collect();
    assert_eq!(ids.len(), 6_000);
}

#[test]
fn a_day_holds_exactly_the_clicks_of_that_day() {
    let truth = truth();
    let day = date(2026, 1, 25);
    let naive: Vec<Click> = truth
        .clicks()
        .filter(|click| click.created_at().date() == day)
        .collect();
    assert!(naive.len() > 300);
    assert_eq!(truth.clicks_between(day, day).collect::<Vec<_>>(), naive);
}

#[test]
fn the_same_arguments_give_the_same_world_and_other_ones_another() {
    let again = Truth::new(11, 6_000, date(2026, 1, 31));
    assert!(truth().clicks().eq(again.clicks()));
    assert!(truth().conversions().eq(again.conversions()));
    assert_eq!(truth().offers(), again.offers());
    let other = Truth::new(12, 6_000, date(2026, 1, 31));
    assert!(!truth().clicks().eq(other.clicks()));
}

#[test]
fn conversions_are_about_a_tenth_and_belong_to_their_clicks() {
    let truth = truth();
    let clicks: BTreeMap<ObjectId, Click> = truth.clicks().map(|click| (click.id, click)).collect();
    let conversions: Vec<Conversion> = truth.conversions().collect();
    assert!(
        (450..=680).contains(&conversions.len()),
        "{}",
        conversions.len()
    );
    for conversion in &conversions {
        assert_eq!(clicks.get(&conversion.click.id), Some(&conversion.click));
        assert!(conversion.created > conversion.click.created);
        assert!(conversion.created <= truth.now() && conversion.updated <= truth.now());
        assert!(conversion.updated >= conversion.created);
        assert_eq!(
            conversion.revenue,
            conversion.payouts + conversion.earnings()
        );
        if conversion.goal == 1 {
            assert_eq!(conversion.click.conversion_id, Some(conversion.id));
        }
    }
    let converted = clicks
        .values()
        .filter(|click| click.conversion_id.is_some())
        .count();
    assert_eq!(
        converted,
        conversions
            .iter()
            .filter(|conversion| conversion.goal == 1)
            .count()
    );
    let later_day = |conversion: &&Conversion| {
        conversion.created_at().date() > conversion.click.created_at().date()
    };
    assert!(
        conversions.iter().filter(later_day).count() > 50,
        "some convert on a later day"
    );
}

#[test]
fn the_current_version_is_the_newest_and_all_statuses_occur() {
    let truth = truth();
    let mut newest: BTreeMap<ObjectId, Conversion> = BTreeMap::new();
    let mut versions = 0;
    for conversion in truth.conversion_versions() {
        versions += 1;
        let kept = newest
            .entry(conversion.id)
            .or_insert_with(|| conversion.clone());
        if conversion.updated > kept.updated {
            assert_eq!(conversion.version, kept.version + 1);
            *kept = conversion;
        }
    }
    let current: BTreeMap<ObjectId, Conversion> = truth
        .conversions()
        .map(|conversion| (conversion.id, conversion))
        .collect();
    assert_eq!(newest, current);
    assert!(
        versions > current.len() + 50,
        "{versions} versions of {}",
        current.len()
    );
    let statuses: HashSet<_> = current
        .values()
        .map(|conversion| conversion.status)
        .collect();
    assert!(statuses.len() >= 4, "{statuses:?}");
}

#[test]
fn an_earlier_now_hides_what_had_not_happened() {
    let full = truth();
    let noon = full.as_of(date(2026, 1, 28).at(12, 0, 0, 0));
    let count = full
        .clicks()
        .filter(|click| click.created <= noon.now())
        .count();
    assert_eq!(noon.clicks().count(), count);
    assert_eq!(noon.today(), date(2026, 1, 28));
    assert_eq!(noon.oldest_readable_click_day(), date(2026, 1, 21));
    let created: Vec<ObjectId> = full
        .conversions()
        .filter(|one| one.created <= noon.now())
        .map(|one| one.id)
        .collect();
    assert_eq!(
        noon.conversions().map(|one| one.id).collect::<Vec<_>>(),
        created
    );
    let before: BTreeMap<_, _> = noon.conversions().map(|one| (one.id, one.status)).collect();
    let moved = full
        .conversions()
        .filter(|one| before.get(&one.id).is_some_and(|old| *old != one.status));
    assert!(moved.count() > 10, "statuses change after that noon");
}

#[test]
fn a_late_change_is_the_newest_version_and_later_ones_follow_it() {
    let full = truth();
    let noon = full.as_of(date(2026, 1, 28).at(12, 0, 0, 0));
    let place = noon
        .conversion_range(Span::ALL)
        .find(|&place| {
            let now = noon.conversion_at(place).unwrap();
            full.conversion_at(place).unwrap().version > now.version
        })
        .unwrap();
    let change = noon
        .change_status(full.conversion_at(place).unwrap().id)
        .unwrap();
    let changed = noon.conversion_at(place).unwrap();
    assert_eq!(
        (changed.id, changed.status, changed.updated),
        (change.id, change.to, noon.now())
    );
    assert_ne!(change.from, change.to);
    let versions = full.versions_at(place);
    assert!(
        versions
            .windows(2)
            .all(|pair| pair[0].updated <= pair[1].updated)
    );
    assert!(
        versions.last().unwrap().updated > change.updated,
        "the natural change still comes"
    );
    assert_eq!(full.late_changes(), [change]);
}

#[test]
fn an_identifier_leads_to_its_conversion() {
    let truth = truth();
    for place in truth.conversion_range(Span::ALL).step_by(7) {
        let conversion = truth.conversion_at(place).unwrap();
        assert_eq!(truth.find_conversion(conversion.id), Some(place));
    }
    let click = truth.clicks().next().unwrap();
    assert_eq!(truth.find_conversion(click.id), None);
}

#[test]
fn some_facts_lack_their_dimension() {
    let truth = Truth::new(3, 20_000, date(2026, 1, 31));
    assert_eq!(
        truth.offers().iter().filter(|offer| !offer.listed).count(),
        3
    );
    assert_eq!(
        truth
            .affiliates()
            .iter()
            .filter(|affiliate| !affiliate.listed)
            .count(),
        2
    );
    let lost = truth
        .clicks()
        .filter(|click| !truth.offer(click.offer_id).unwrap().listed)
        .count();
    assert!((100..400).contains(&lost), "{lost}");
}

#[test]
fn the_awkward_shapes_all_occur_in_sub5() {
    let truth = Truth::new(3, 20_000, date(2026, 1, 31));
    let values: HashSet<Option<String>> = truth
        .clicks()
        .map(|click| click.sub5().map(str::to_owned))
        .collect();
    assert!(values.contains(&None));
    for text in [
        "",
        "=1+1",
        "NULL",
        "0012",
        " leading blank",
        "trailing blank ",
        "line one\r\nline two",
    ] {
        assert!(
            values.contains(&Some(text.to_owned())),
            "{text:?} never occurs"
        );
    }
    let countries: HashSet<_> = truth.clicks().map(|click| click.country).collect();
    assert!(
        countries.contains(&None)
            && countries.contains(&Some(""))
            && countries.contains(&Some("NA"))
    );
}

#[test]
fn margins_below_zero_and_percentages_occur() {
    let truth = Truth::new(3, 40_000, date(2026, 1, 31));
    assert!(
        truth
            .conversions()
            .any(|conversion| conversion.earnings() < Money(0))
    );
    assert!(
        truth
            .conversions()
            .any(|conversion| conversion.order_sum > Money(0))
    );
    assert!(truth.conversions().any(|conversion| conversion.goal == 2));
}
