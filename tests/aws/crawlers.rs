//! Glue: crawlers, catalog, jobs. moto crawls nothing and pages nothing; the launcher gives outcomes AWS's names, and the
//! proxy gives pages.

use lakehand::ops::{CrawlStatus, CrawlerState, OpsErrorKind};
use serde_json::{Value, json};

use super::{
    desk::{Desk, ROLE, refusal},
    proxy::Fault,
};

fn canned(body: Value) -> Fault {
    Fault::Answer(200, Box::leak(body.to_string().into_boxed_str()))
}

async fn crawler(desk: &Desk, name: &str, folder: &str, description: &str) {
    let path = format!("s3://{}/{folder}", desk.account.profile.std_bucket());
    desk.glue(
        "CreateCrawler",
        json!({ "Name": name, "Role": ROLE, "DatabaseName": desk.account.profile.database(), "Description": description,
            "Targets": { "S3Targets": [{ "Path": path }] } }),
    )
    .await;
}

#[tokio::test]
async fn a_crawler_is_started_once_and_stopped_and_its_failure_is_told() {
    let desk = Desk::new("cr-run", "crawlers = [\"by-hand-marketo\"]\n").await;
    crawler(&desk, "cr-run-test-affise", "silver/affise/", "").await;
    crawler(
        &desk,
        "by-hand-marketo",
        "elsewhere/",
        "#fail: the schema does not fit",
    )
    .await;
    crawler(&desk, "of-somebody-else", "x/", "").await;
    let operations = desk.operations();
    let crawlers = operations.crawlers().await.unwrap();
    let names: Vec<&str> = crawlers.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["by-hand-marketo", "cr-run-test-affise"]);
    assert_eq!(crawlers[1].prefix, "silver/affise/");
    assert_eq!(crawlers[1].state, CrawlerState::Ready);
    assert!(crawlers[1].last_crawl.is_none());
    let unknown = refusal(operations.crawl("of-somebody-else").await);
    assert_eq!(unknown.kind, OpsErrorKind::NotFound);
    assert!(unknown.message.contains("cr-run-test-affise"), "{unknown}");
    assert_eq!(
        refusal(operations.stop_crawler("affise").await).kind,
        OpsErrorKind::NotPossible
    );
    operations.crawl("affise").await.unwrap();
    assert_eq!(canned_running(&desk).await.kind, OpsErrorKind::Conflict);
    operations.crawl("by-hand-marketo").await.unwrap();
    let mut failed = None;
    for _ in 0..20 {
        let detail = operations.crawler("by-hand-marketo").await.unwrap();
        failed = detail.crawler.last_crawl.clone();
        if detail.crawler.state == CrawlerState::Ready && failed.is_some() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let failed = failed.expect("a crawl that ended");
    assert_eq!(failed.status, CrawlStatus::Failed);
    assert_eq!(failed.error.as_deref(), Some("the schema does not fit"));
}

/// Glue's own refusal of a crawler that runs, whatever the emulator's crawler does meanwhile.
async fn canned_running(desk: &Desk) -> lakehand::ops::OpsError {
    desk.account.proxy.fault(
        "StartCrawler",
        1,
        Fault::Refuse(400, "CrawlerRunningException"),
    );
    refusal(desk.operations().crawl("affise").await)
}

#[tokio::test]
async fn crawls_tables_and_partitions_come_by_the_page() {
    let desk = Desk::new("cr-pages", "").await;
    let bucket = desk.account.profile.std_bucket();
    let crawler = |name: &str, state: &str| {
        json!({ "Name": name, "State": state, "DatabaseName": "lake", "CrawlElapsedTime": 90_000,
            "Targets": { "S3Targets": [{ "Path": format!("s3://{bucket}/silver/ga4") }] },
            "Schedule": { "ScheduleExpression": "cron(45 8 * * ? *)", "State": "SCHEDULED" },
            "LastCrawl": { "Status": "SUCCEEDED", "StartTime": 1000.0 } })
    };
    let proxy = &desk.account.proxy;
    proxy.fault(
        "GetCrawlers",
        1,
        canned(json!({ "Crawlers": [crawler("cr-pages-test-ga", "RUNNING")], "NextToken": "2" })),
    );
    proxy.fault(
        "GetCrawlers",
        1,
        canned(json!({ "Crawlers": [crawler("cr-pages-test-zz", "READY")] })),
    );
    let crawl = |id: &str, start: f64, state: &str| {
        json!({ "CrawlId": id, "State": state, "StartTime": start, "EndTime": start + 42.0,
            "Summary": r#"{"TABLE":"{\"ADD\":{\"Details\":\"{\\\"names\\\":[\\\"ga4_sessions\\\"]}\",\"Count\":1}}","PARTITION":"{\"ADD\":{\"Count\":8}}"}"# })
    };
    // Asked for twice at once: for the newest crawl's summary, and for the list. Two pages each.
    let older =
        json!({ "Crawls": [crawl("a", 1000.0, "COMPLETED"), crawl("0", 500.0, "STOPPED")] });
    let newer = json!({ "Crawls": [crawl("b", 2000.0, "RUNNING")], "NextToken": "the-second" });
    proxy.fault_of("ListCrawls", "the-second", 2, canned(older));
    proxy.fault("ListCrawls", 2, canned(newer));
    proxy.fault("GetCrawlerMetrics", 1, canned(json!({ "CrawlerMetricsList": [{ "CrawlerName": "cr-pages-test-ga", "TimeLeftSeconds": 30.4, "StillEstimating": false }] })));
    let table = |name: &str, folder: &str, keys: Value| {
        json!({ "Name": name, "VersionId": "7", "UpdateTime": 1500.0, "PartitionKeys": keys, "Parameters": { "UPDATED_BY_CRAWLER": "cr-pages-test-ga", "recordCount": "5", "objectCount": "1", "sizeKey": "99" },
            "StorageDescriptor": { "Location": format!("s3://{bucket}/{folder}"), "Columns": [{ "Name": "a" }, { "Name": "b" }] } })
    };
    proxy.fault(
        "GetTables",
        1,
        canned(
            json!({ "TableList": [table("other", "silver/ga4x/", json!([]))], "NextToken": "2" }),
        ),
    );
    proxy.fault("GetTables", 1, canned(json!({ "TableList": [table("ga4_sessions", "silver/ga4/sessions/", json!([{ "Name": "date" }])), table("ga4_properties", "silver/ga4/properties/", json!([]))] })));
    let partition = |rows: &str| json!({ "Values": ["x"], "Parameters": { "recordCount": rows, "objectCount": "2", "sizeKey": "1000" } });
    proxy.fault(
        "GetPartitions",
        1,
        canned(json!({ "Partitions": [partition("10"), partition("20")], "NextToken": "2" })),
    );
    proxy.fault(
        "GetPartitions",
        1,
        canned(json!({ "Partitions": [partition("3")] })),
    );
    let detail = desk.operations().crawler("ga").await.unwrap();
    assert_eq!(detail.crawler.state, CrawlerState::Running);
    assert_eq!(detail.crawler.seconds_left, Some(30));
    assert_eq!(detail.crawler.prefix, "silver/ga4/");
    assert_eq!(detail.crawler.starts, "cron(45 8 * * ? *)");
    let last = detail.crawler.last_crawl.unwrap();
    assert_eq!((last.duration_ms, last.partitions_added), (42_000, 8));
    assert_eq!(last.tables_created, ["ga4_sessions"]);
    let crawls: Vec<CrawlStatus> = detail.crawls.iter().map(|crawl| crawl.status).collect();
    assert_eq!(
        crawls,
        [CrawlStatus::Succeeded, CrawlStatus::Cancelled],
        "the one that runs has not ended"
    );
    assert_eq!(proxy.seen("ListCrawls").len(), 4);
    let tables: Vec<(&str, usize, u64, u64, u64, u64)> = detail
        .tables
        .iter()
        .map(|table| {
            (
                table.name.as_str(),
                table.columns,
                table.partitions,
                table.rows,
                table.files,
                table.bytes,
            )
        })
        .collect();
    assert_eq!(
        tables,
        [
            ("ga4_sessions", 3, 3, 33, 6, 3000),
            ("ga4_properties", 2, 0, 5, 1, 99)
        ]
    );
}

/// Crawlers as our stacks make them name tables and no folder. The emulator keeps these targets as they are given; so
/// this proves that we read them, and not what Glue crawls.
#[tokio::test]
async fn a_crawler_of_tables_shows_those_that_it_names() {
    let desk = Desk::new("cr-tables", "").await;
    let (own, other) = (desk.account.profile.database(), "cr_tables_other");
    let bucket = desk.account.profile.std_bucket();
    for (database, names) in [
        (own.as_str(), ["affise_offers", "affise_caps", "ga_days"]),
        (other, ["affise_offers", "affise_caps", "old_clicks"]),
    ] {
        let input = json!({ "DatabaseInput": { "Name": database } });
        desk.glue("CreateDatabase", input).await;
        for name in names {
            let location = format!("s3://{bucket}/silver/{database}/{name}/");
            let table = json!({ "Name": name, "Parameters": { "recordCount": "5" },
                "StorageDescriptor": { "Location": location, "Columns": [{ "Name": "id", "Type": "bigint" }] } });
            let input = json!({ "DatabaseName": database, "TableInput": table });
            desk.glue("CreateTable", input).await;
        }
    }
    let targets = json!([
        { "DatabaseName": own, "Tables": ["affise_offers", "affise_caps"] },
        { "DatabaseName": other, "Tables": ["old_clicks", "not_made_yet"] },
    ]);
    desk.glue(
        "CreateCrawler",
        json!({ "Name": "cr-tables-test-affise", "Role": ROLE, "DatabaseName": own,
            "Targets": { "CatalogTargets": targets } }),
    )
    .await;
    let detail = desk.operations().crawler("affise").await.unwrap();
    assert_eq!(
        detail.crawler.prefix,
        "affise_offers, affise_caps, cr_tables_other.old_clicks, cr_tables_other.not_made_yet"
    );
    let mut tables: Vec<(&str, u64)> = detail
        .tables
        .iter()
        .map(|table| (table.location.as_str(), table.rows))
        .collect();
    tables.sort_unstable();
    let [caps, offers, clicks] = [
        format!("s3://{bucket}/silver/{own}/affise_caps/"),
        format!("s3://{bucket}/silver/{own}/affise_offers/"),
        format!("s3://{bucket}/silver/{other}/old_clicks/"),
    ];
    assert_eq!(
        tables,
        [
            (clicks.as_str(), 5),
            (caps.as_str(), 5),
            (offers.as_str(), 5)
        ]
    );
}

#[tokio::test]
async fn glue_jobs_are_listed_started_and_stopped() {
    let desk = Desk::new("cr-jobs", "").await;
    for name in ["cr-jobs-test-ga3", "not-ours"] {
        desk.glue("CreateJob", json!({ "Name": name, "Role": ROLE, "Description": "old", "Command": { "Name": "glueetl", "ScriptLocation": "s3://x/y.py" } })).await;
    }
    let operations = desk.operations();
    let jobs = operations.glue_jobs().await.unwrap();
    assert_eq!(jobs.len(), 1);
    assert_eq!(
        (jobs[0].name.as_str(), jobs[0].kind.as_str()),
        ("cr-jobs-test-ga3", "glueetl")
    );
    assert!(jobs[0].last_run.is_none());
    let run = operations
        .start_glue_job(
            "ga3",
            [("--day".to_owned(), "2026-01-31".to_owned())].into(),
        )
        .await
        .unwrap();
    let runs = operations.glue_job_runs("ga3", 10).await.unwrap();
    assert_eq!(runs.len(), 1);
    assert_eq!(
        (runs[0].id.as_str(), runs[0].job.as_str()),
        (run.as_str(), "cr-jobs-test-ga3")
    );
    assert_eq!(
        refusal(
            operations
                .start_glue_job("not-ours", Default::default())
                .await
        )
        .kind,
        OpsErrorKind::NotFound
    );
    let proxy = &desk.account.proxy;
    proxy.fault(
        "StartJobRun",
        1,
        Fault::Refuse(400, "ConcurrentRunsExceededException"),
    );
    assert_eq!(
        refusal(operations.start_glue_job("ga3", Default::default()).await).kind,
        OpsErrorKind::Conflict
    );
    // moto has no BatchStopJobRun: these are Glue's answers as its documentation shows them.
    proxy.fault("BatchStopJobRun", 1, canned(json!({ "SuccessfulSubmissions": [{ "JobName": "cr-jobs-test-ga3", "JobRunId": run }], "Errors": [] })));
    operations.stop_glue_job("ga3", &run).await.unwrap();
    proxy.fault("BatchStopJobRun", 1, canned(json!({ "Errors": [{ "JobName": "cr-jobs-test-ga3", "JobRunId": run, "ErrorDetail": { "ErrorCode": "JobRunNotInTerminalStateException", "ErrorMessage": "it has ended" } }] })));
    assert_eq!(
        refusal(operations.stop_glue_job("ga3", &run).await).kind,
        OpsErrorKind::NotPossible
    );
    let answer = |name: &str| json!({ "Id": name, "JobName": "cr-jobs-test-ga3", "JobRunState": "FAILED", "StartedOn": 1.0, "CompletedOn": 2.0, "ExecutionTime": 7, "ErrorMessage": "no memory" });
    proxy.fault(
        "GetJobRuns",
        1,
        canned(json!({ "JobRuns": [answer("one")], "NextToken": "2" })),
    );
    proxy.fault(
        "GetJobRuns",
        1,
        canned(json!({ "JobRuns": [answer("two")] })),
    );
    let runs = operations.glue_job_runs("ga3", 10).await.unwrap();
    assert_eq!(runs.len(), 2);
    assert_eq!(
        (
            runs[1].state.as_str(),
            runs[1].seconds,
            runs[1].error.as_deref()
        ),
        ("FAILED", 7, Some("no memory"))
    );
}
