//! Builds against a computation without SQL, and builds that are interrupted.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use jiff::civil::Date;
use tokio_util::sync::CancellationToken;

use super::fixture::{Facts, TestLake, day};
use lakehand_config::{GoldSettings, Profile, ReplaceMode};
use lakehand_pipeline::{
    dataset::GoldTable,
    gold::*,
    jobs::ErrorType,
    ports::{QueryEngine, QueryError, QueryRows, QuerySummary},
    quality,
    state::Lease,
    window::Window,
};

const TABLE: GoldTable = GoldTable::DailyReportSub5;

fn window(from: i64, to: i64) -> Window {
    Window::new(day(from), day(to)).unwrap()
}

fn sorted(mut rows: Vec<Vec<String>>) -> Vec<Vec<String>> {
    rows.sort();
    rows
}

fn all_days() -> (Date, Date) {
    (day(0), day(30))
}

#[tokio::test]
async fn a_window_is_what_a_naive_computation_gives() {
    for seed in 1..=2 {
        let facts = Facts::random(seed);
        let lake = TestLake::new("one");
        facts.write(&lake.std_dir());
        let summary = build(&lake.context, TABLE, window(0, 3)).await.unwrap();
        let expected = sorted(facts.report(day(0), day(3)));
        assert_eq!(summary.rows, expected.len() as u64);
        assert_eq!(
            lake.report(all_days().0, all_days().1).await,
            expected,
            "seed {seed}"
        );
        assert!(
            summary
                .quality
                .failed(lakehand_pipeline::quality::Severity::Error)
                .next()
                .is_none()
        );
    }
}

#[tokio::test]
async fn windows_are_replaced_whole_and_repeats_change_nothing() {
    let old = Facts::random(7);
    let lake = TestLake::new("one");
    old.write(&lake.std_dir());
    build(&lake.context, TABLE, window(0, 5)).await.unwrap();
    // Another silver: day 2 has lost all facts, the rest has others.
    let mut new = Facts::random(8);
    new.clicks.retain(|click| click.day != day(2));
    new.conversions
        .retain(|conversion| conversion.day != day(2));
    new.write(&lake.std_dir());
    let context = lake.as_execution("two");
    build(&context, TABLE, window(1, 4)).await.unwrap();
    let mut expected = old.report(day(0), day(0));
    expected.extend(new.report(day(1), day(4)));
    expected.extend(old.report(day(5), day(5)));
    let expected = sorted(expected);
    assert_eq!(lake.report(all_days().0, all_days().1).await, expected);
    assert!(lake.report(day(2), day(2)).await.is_empty());
    build(&lake.as_execution("three"), TABLE, window(1, 4))
        .await
        .unwrap();
    assert_eq!(lake.report(all_days().0, all_days().1).await, expected);
}

#[tokio::test]
async fn two_statements_give_the_same_rows_as_one() {
    let facts = Facts::random(11);
    let lake = TestLake::new("one");
    facts.write(&lake.std_dir());
    let mut context = lake.context.clone();
    let gold = GoldSettings {
        replace: ReplaceMode::DeleteInsert,
    };
    context.profile = Arc::new(Profile {
        gold,
        ..(*context.profile).clone()
    });
    for _ in 0..2 {
        build(&context, TABLE, window(0, 5)).await.unwrap();
        assert_eq!(
            lake.report(day(0), day(5)).await,
            sorted(facts.report(day(0), day(5)))
        );
    }
}

#[tokio::test]
async fn an_empty_lake_gives_an_empty_report() {
    let lake = TestLake::new("one");
    let summary = build(&lake.context, TABLE, window(0, 5)).await.unwrap();
    assert_eq!(summary.rows, 0);
    assert!(lake.report(day(0), day(5)).await.is_empty());
}

/// An engine that fails, or is killed, at the n-th statement: before it or after it.
#[derive(Debug)]
struct Failing {
    inner: Arc<dyn QueryEngine>,
    statements_left: AtomicUsize,
    after: bool,
}

impl Failing {
    fn is_last(&self) -> bool {
        self.statements_left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            })
            == Ok(1)
    }

    fn is_dead(&self) -> bool {
        self.statements_left.load(Ordering::SeqCst) == 0
    }

    fn injected() -> QueryError {
        QueryError::Failed {
            message: "injected".to_owned(),
            transient: false,
        }
    }
}

#[async_trait]
impl QueryEngine for Failing {
    async fn execute(
        &self,
        sql: &str,
        cancel: &CancellationToken,
    ) -> Result<QuerySummary, QueryError> {
        if self.is_dead() {
            return Err(Self::injected());
        }
        let last = self.is_last();
        if last && !self.after {
            return Err(Self::injected());
        }
        let outcome = self.inner.execute(sql, cancel).await;
        if last { Err(Self::injected()) } else { outcome }
    }

    async fn query(&self, sql: &str, cancel: &CancellationToken) -> Result<QueryRows, QueryError> {
        if self.is_dead() {
            Err(Self::injected())
        } else {
            self.inner.query(sql, cancel).await
        }
    }
}

#[tokio::test]
async fn dying_at_any_statement_leaves_the_old_window_or_the_new_one() {
    let (old, new) = (Facts::random(21), Facts::random(22));
    let (before, after) = (
        sorted(old.report(day(0), day(5))),
        sorted(new.report(day(0), day(5))),
    );
    let lake = TestLake::new("first");
    old.write(&lake.std_dir());
    build(&lake.context, TABLE, window(0, 5)).await.unwrap();
    new.write(&lake.std_dir());
    let mut seen_new = 0;
    // The statements of a build: 1 create the table, 2 stage, 3 MERGE, 4 drop the staging table.
    for (statement, after_statement) in [(2, true), (3, false), (3, true), (4, false)] {
        let inner = Arc::clone(&lake.context.engine);
        let engine = Failing {
            inner,
            statements_left: AtomicUsize::new(statement),
            after: after_statement,
        };
        let mut context = lake.as_execution(&format!("dies {statement} {after_statement}"));
        context.engine = Arc::new(engine);
        let error = build(&context, TABLE, window(0, 5)).await.unwrap_err();
        assert_eq!(error.error_type, ErrorType::QueryFailed);
        let now = lake.report(all_days().0, all_days().1).await;
        seen_new += usize::from(now == after);
        assert!(
            now == before || now == after,
            "{statement} {after_statement}: neither the old window nor the new one"
        );
        if now == after {
            old.write(&lake.std_dir());
            build(&lake.as_execution("repair"), TABLE, window(0, 5))
                .await
                .unwrap();
            assert!(
                lake.rows("SHOW TABLES LIKE '%_staging_%'").await.is_empty(),
                "leftovers of dead builds stay"
            );
            new.write(&lake.std_dir());
        }
    }
    assert_eq!(lake.report(all_days().0, all_days().1).await, before);
    assert_eq!(
        seen_new, 2,
        "after the MERGE, and before the clean-up, readers have the new window"
    );
}

#[tokio::test]
async fn readers_see_the_old_window_or_the_new_one_while_it_is_replaced() {
    let (old, new) = (Facts::random(41), Facts::random(42));
    let lake = TestLake::new("one");
    old.write(&lake.std_dir());
    build(&lake.context, TABLE, window(0, 5)).await.unwrap();
    let sums = "SELECT count(*), sum(click_count), sum(payouts) FROM daily_report_sub5";
    let before = lake.rows(sums).await;
    new.write(&lake.std_dir());
    let done = CancellationToken::new();
    let reading = async {
        let mut seen = Vec::new();
        while !done.is_cancelled() {
            seen.push(lake.rows(sums).await);
        }
        seen
    };
    let building = async {
        let outcome = build(&lake.as_execution("two"), TABLE, window(0, 5)).await;
        done.cancel();
        outcome
    };
    let (seen, built) = tokio::join!(reading, building);
    built.unwrap();
    let after = lake.rows(sums).await;
    assert_ne!(before, after);
    assert!(seen.len() > 3, "read {} times only", seen.len());
    assert!(
        seen.iter().all(|rows| *rows == before || *rows == after),
        "a reader saw a hole: {seen:?}"
    );
}

#[tokio::test]
async fn a_second_build_of_the_table_is_refused() {
    let lake = TestLake::new("one");
    let other = Lease::acquire(&lake.context.lake.std, &TABLE.prefix(), "other", LEASE)
        .await
        .unwrap();
    let error = build(&lake.context, TABLE, window(0, 1)).await.unwrap_err();
    assert_eq!(error.error_type, ErrorType::LeaseHeld);
    assert!(error.message.contains("other"), "{error}");
    other.release().await.unwrap();
    build(&lake.context, TABLE, window(0, 1)).await.unwrap();
}

#[tokio::test]
async fn a_failed_check_keeps_the_table_and_says_what_is_wrong() {
    let facts = Facts::random(31);
    let lake = TestLake::new("one");
    facts.write(&lake.std_dir());
    build(&lake.context, TABLE, window(0, 5)).await.unwrap();
    let staging = "daily_report_sub5_staging_bad";
    let make = "CREATE TABLE daily_report_sub5_staging_bad AS SELECT * FROM daily_report_sub5 UNION ALL SELECT * FROM daily_report_sub5 WHERE offer_id = 1";
    lake.context
        .engine
        .execute(make, &CancellationToken::new())
        .await
        .unwrap();
    let error = quality::check(&lake.context, TABLE, staging, window(0, 5))
        .await
        .unwrap_err();
    assert_eq!(error.error_type, ErrorType::QualityCheckFailed);
    for name in [
        "2_duplicate_keys of daily_report_sub5",
        "3_clicks_match_silver",
        "4_conversions_match_silver",
    ] {
        assert!(error.message.contains(name), "{name}: {error}");
    }
    lake.context
        .engine
        .execute(
            "DELETE FROM daily_report_sub5_staging_bad",
            &CancellationToken::new(),
        )
        .await
        .unwrap();
    let error = quality::check(&lake.context, TABLE, staging, window(0, 5))
        .await
        .unwrap_err();
    assert!(error.message.contains("1_row_count"), "{error}");
    let told = lake.log.0.lock().unwrap().join("\n");
    assert!(
        told.contains("5_facts_without_dimension"),
        "warnings are told: {told}"
    );
}
