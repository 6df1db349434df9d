//! SQL on Athena. The emulator runs the statements in DuckDB and answers as Athena does: types, pages, result files
//! with every value in quotes, failure reasons, statements that run until they are stopped. It scans no data, so the
//! bytes it tells are its own; `ClientRequestToken` it ignores.

use std::time::Duration;

use arrow::{
    array::RecordBatch,
    datatypes::{DataType, TimeUnit},
    util::display::{ArrayFormatter, FormatOptions},
};
use futures::TryStreamExt;
use jiff::Timestamp;
use lakehand::{
    ops::{Snapshot, ports::Gold},
    pipeline::{
        dataset::GoldTable,
        ports::{QueryError, QueryRows},
    },
    platform::aws::gold::AwsGold,
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{account::Account, proxy::Fault};

async fn account(name: &str, aws: &str) -> Account {
    let account = Account::new(name, aws).await;
    account.workgroup().await;
    account
}

async fn query(account: &Account, sql: &str) -> Result<QueryRows, QueryError> {
    account.engine().query(sql, &CancellationToken::new()).await
}

async fn texts(rows: QueryRows) -> Vec<Vec<Option<String>>> {
    let batches: Vec<RecordBatch> = rows.batches.try_collect().await.unwrap();
    let options = FormatOptions::new();
    let mut texts = Vec::new();
    for batch in &batches {
        let columns: Vec<_> = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &options).unwrap())
            .collect();
        for row in 0..batch.num_rows() {
            let cell = |(index, cells): (usize, &ArrayFormatter<'_>)| {
                let is_value = batch.column(index).is_valid(row);
                is_value.then(|| cells.value(row).to_string())
            };
            texts.push(columns.iter().enumerate().map(cell).collect());
        }
    }
    texts
}

/// What the emulator knows of the statements of a workgroup, newest first.
async fn states(account: &Account) -> Vec<Value> {
    let group = json!({ "WorkGroup": account.profile.workgroup() });
    let ids = account
        .call("athena", "AmazonAthena.ListQueryExecutions", group)
        .await;
    let ids = json!({ "QueryExecutionIds": ids["QueryExecutionIds"] });
    let all = account
        .call("athena", "AmazonAthena.BatchGetQueryExecution", ids)
        .await;
    all["QueryExecutions"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_result_has_athenas_types_and_tells_null_from_empty() {
    let account = account("athena-types", "").await;
    let sql = "SELECT * FROM (VALUES
        (CAST(1 AS bigint), 'a,\"b\"', '', DATE '2026-02-28', CAST(12.5 AS decimal(38,18)), CAST(0.25 AS double), true,
         TIMESTAMP '2026-01-31 09:00:00.120', CAST(7 AS integer)),
        (NULL, NULL, 'line\nbreak', NULL, NULL, NULL, NULL, NULL, NULL))
        AS t(id, name, empty, day, money, ratio, flag, moment, small)";
    let rows = query(&account, sql).await.unwrap();
    let types: Vec<DataType> = rows
        .schema
        .fields()
        .iter()
        .map(|field| field.data_type().clone())
        .collect();
    assert_eq!(
        types,
        [
            DataType::Int64,
            DataType::Utf8,
            DataType::Utf8,
            DataType::Date32,
            DataType::Decimal128(38, 18),
            DataType::Float64,
            DataType::Boolean,
            DataType::Timestamp(TimeUnit::Microsecond, None),
            DataType::Int32,
        ]
    );
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        texts(rows).await,
        [
            vec![
                text("1"),
                text("a,\"b\""),
                text(""),
                text("2026-02-28"),
                text("12.500000000000000000"),
                text("0.25"),
                text("true"),
                text("2026-01-31T09:00:00.120"),
                text("7"),
            ],
            vec![
                None,
                None,
                text("line\nbreak"),
                None,
                None,
                None,
                None,
                None,
                None
            ],
        ]
    );
    assert!(
        account.proxy.seen(".csv").is_empty(),
        "one page needs no file"
    );
}

#[tokio::test]
async fn a_large_result_is_read_from_its_file_and_a_cut_file_is_an_error() {
    let account = account("athena-large", "").await;
    let sql = "SELECT n, 'row \"' || n || '\"' AS name, CASE WHEN n % 7 = 0 THEN NULL WHEN n % 5 = 0 THEN '' ELSE 'x' END AS odd
               FROM UNNEST(sequence(1, 25000)) AS t(n) ORDER BY n";
    let rows = query(&account, sql).await.unwrap();
    let rows = texts(rows).await;
    assert_eq!(rows.len(), 25_000);
    for (number, row) in (1..).zip(&rows) {
        let odd = match number {
            number if number % 7 == 0 => None,
            number if number % 5 == 0 => Some(String::new()),
            _ => Some("x".to_owned()),
        };
        assert_eq!(
            row,
            &[
                Some(number.to_string()),
                Some(format!("row \"{number}\"")),
                odd
            ]
        );
    }
    assert_eq!(
        account.proxy.seen("GetQueryResults").len(),
        1,
        "not page by page"
    );
    assert_eq!(account.proxy.seen(".csv").len(), 1);
    account.proxy.fault(".csv", 1, Fault::Cut(200_000));
    let cut = query(&account, sql).await.unwrap();
    let cut: Result<Vec<RecordBatch>, QueryError> = cut.batches.try_collect().await;
    let Err(QueryError::Failed {
        message,
        transient: true,
    }) = cut
    else {
        panic!("{cut:?}")
    };
    assert!(message.contains("cut off after 200000 of"), "{message}");
}

#[tokio::test]
async fn statements_tell_what_they_did() {
    let account = account("athena-summary", "").await;
    let execute = async |sql: &str| {
        account
            .engine()
            .execute(sql, &CancellationToken::new())
            .await
            .unwrap()
    };
    execute("CREATE TABLE athena_summary (id bigint, name varchar)").await;
    let inserted =
        execute("-- three rows\nINSERT INTO athena_summary VALUES (1, 'a'), (2, 'b'), (3, NULL)")
            .await;
    assert_eq!((inserted.statement.as_str(), inserted.rows), ("INSERT", 3));
    assert_eq!(inserted.bytes_scanned, 10_485_760, "what the emulator says");
    assert!(inserted.elapsed_ms > 0);
    let deleted = execute("DELETE FROM athena_summary WHERE id < 3").await;
    assert_eq!((deleted.statement.as_str(), deleted.rows), ("DELETE", 2));
    let left = query(
        &account,
        "SELECT count(*) AS n, max(id) AS id FROM athena_summary",
    )
    .await
    .unwrap();
    assert_eq!(
        texts(left).await,
        [[Some("1".to_owned()), Some("3".to_owned())]]
    );
    execute("DROP TABLE athena_summary").await;
    let started = account.proxy.seen("StartQueryExecution").len();
    assert_eq!(started, 5);
}

#[tokio::test]
async fn failures_have_athenas_names() {
    let account = account("athena-failures", "attempts = 2\n").await;
    let failure = async |sql: &str| match query(&account, sql).await {
        Ok(_) => panic!("{sql} succeeded"),
        Err(error) => error,
    };
    let refused = |error: QueryError| match error {
        QueryError::Refused { code, .. } => code,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        refused(failure("SELECT * FROM athena_nowhere").await),
        "TABLE_NOT_FOUND"
    );
    assert_eq!(
        refused(failure("SELECT nothing FROM (SELECT 1 AS x)").await),
        "COLUMN_NOT_FOUND"
    );
    assert_eq!(
        refused(failure("SELECT FROM WHERE (").await),
        "SYNTAX_ERROR"
    );
    let raced = failure(
        "SELECT 1 /*fail: ICEBERG_COMMIT_ERROR: Failed to commit Iceberg update to table x*/",
    )
    .await;
    assert!(matches!(raced, QueryError::Conflict { .. }), "{raced:?}");
    let passing =
        failure("SELECT 1 /*fail: HIVE_CANNOT_OPEN_SPLIT: Error opening Hive split: Slow Down*/")
            .await;
    assert!(
        matches!(
            passing,
            QueryError::Failed {
                transient: true,
                ..
            }
        ),
        "{passing:?}"
    );
    let lasting = failure("SELECT 1 /*fail: HIVE_BAD_DATA: Malformed Parquet file*/").await;
    assert!(
        matches!(
            lasting,
            QueryError::Failed {
                transient: false,
                ..
            }
        ),
        "{lasting:?}"
    );
    account.proxy.fault(
        "StartQueryExecution",
        2,
        Fault::Refuse(400, "TooManyRequestsException"),
    );
    let busy = failure("SELECT 1").await;
    assert!(
        matches!(
            busy,
            QueryError::Failed {
                transient: true,
                ..
            }
        ),
        "{busy:?}"
    );
    account.proxy.fault(
        "StartQueryExecution",
        1,
        Fault::Refuse(400, "ExpiredTokenException"),
    );
    let expired = failure("SELECT 1").await;
    assert!(
        matches!(
            expired,
            QueryError::Failed {
                transient: false,
                ..
            }
        ),
        "{expired:?}"
    );
    assert!(expired.to_string().contains("sign in again"), "{expired}");
}

#[tokio::test]
async fn a_start_whose_answer_is_lost_starts_nothing_twice() {
    let account = account("athena-token", "attempts = 2\n").await;
    account
        .proxy
        .fault("StartQueryExecution", 1, Fault::LoseAnswer);
    let rows = query(&account, "SELECT 1 AS one").await.unwrap();
    assert_eq!(texts(rows).await.len(), 1);
    // Athena answers a repeated token with the statement it has; the emulator ignores it, so the calls are compared.
    let tokens: Vec<Value> = account
        .proxy
        .bodies("StartQueryExecution")
        .iter()
        .map(|body| {
            let body: Value = serde_json::from_str(body).unwrap();
            body["ClientRequestToken"].clone()
        })
        .collect();
    assert_eq!(tokens.len(), 2);
    assert!(
        tokens[0] == tokens[1] && tokens[0].as_str().unwrap().len() >= 32,
        "{tokens:?}"
    );
}

#[tokio::test]
async fn a_look_that_fails_does_not_lose_the_statement() {
    let account = account("athena-blind", "attempts = 1\n").await;
    account.proxy.fault(
        "GetQueryExecution",
        3,
        Fault::Refuse(503, "ServiceUnavailable"),
    );
    let rows = query(&account, "SELECT 42 AS answer").await.unwrap();
    assert_eq!(texts(rows).await, [[Some("42".to_owned())]]);
    assert!(account.proxy.seen("StopQueryExecution").is_empty());
    assert_eq!(account.proxy.seen("StartQueryExecution").len(), 1);
}

#[tokio::test]
async fn a_statement_that_is_not_wanted_any_more_is_stopped_in_athena() {
    let account = account("athena-stop", "").await;
    let cancel = CancellationToken::new();
    let running = account.engine().query("SELECT 1 /*endless*/", &cancel);
    let stopping = async {
        while account.proxy.seen("GetQueryExecution").len() < 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        cancel.cancel();
    };
    let (ended, ()) = tokio::join!(running, stopping);
    assert!(matches!(ended, Err(QueryError::Cancelled)));
    assert_eq!(states(&account).await[0]["Status"]["State"], "CANCELLED");
    // A future that is dropped stops its statement, too.
    let token = CancellationToken::new();
    let dropped = account.engine().execute("SELECT 2 /*endless*/", &token);
    assert!(
        tokio::time::timeout(Duration::from_secs(1), dropped)
            .await
            .is_err()
    );
    let patience = tokio::time::Instant::now() + Duration::from_secs(20);
    while account.proxy.seen("StopQueryExecution").len() < 2 {
        assert!(
            tokio::time::Instant::now() < patience,
            "it was never stopped"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // One that was cancelled before it began is never started.
    let before = account.proxy.seen("StartQueryExecution").len();
    let never = account.engine().execute("SELECT 3", &cancel).await;
    assert!(matches!(never, Err(QueryError::Cancelled)));
    assert_eq!(account.proxy.seen("StartQueryExecution").len(), before);
}

/// Bytes of the objects below a prefix of a bucket, as S3 lists them.
async fn bytes_below(account: &Account, bucket: &str, prefix: &str) -> u64 {
    let listed = account
        .object(&format!("{bucket}?list-type=2&prefix={prefix}"))
        .await
        .unwrap();
    let listed = String::from_utf8(listed).unwrap();
    let sizes = listed
        .split("<Size>")
        .skip(1)
        .map(|rest| rest.split('<').next().unwrap().parse::<u64>().unwrap());
    sizes.sum()
}

/// The table is a real one of Iceberg (`iceberg_tables.py`): its history and its older states are read from what lies in
/// S3. What it proves is what our statements do, in an engine that is not ours; Athena's own writer it does not prove.
#[tokio::test]
async fn a_gold_table_goes_back_to_a_snapshot_in_one_statement() {
    let account = account("athena-gold", "").await;
    let database = json!({ "DatabaseInput": { "Name": account.profile.database() } });
    account
        .call("glue", "AWSGlue.CreateDatabase", database)
        .await;
    let gold = AwsGold::new(account.functions.clone());
    let execute = async |sql: &str| {
        drop(
            account
                .engine()
                .execute(sql, &CancellationToken::new())
                .await
                .unwrap(),
        )
    };
    let rows = async |table: &str| {
        let sql = format!("SELECT * FROM {table} ORDER BY datestamp, business_unit, sessions");
        texts(query(&account, &sql).await.unwrap()).await
    };
    let history = async || gold.snapshots(GoldTable::MarketingDatamart).await.unwrap();
    let bucket = account.profile.std_bucket();
    let began = Timestamp::now().as_millisecond();
    execute(&format!(
        "CREATE TABLE marketing_datamart (datestamp date, business_unit string, sessions bigint)
         PARTITIONED BY (month(datestamp)) LOCATION 's3://{bucket}/gold/marketing_datamart/'
         TBLPROPERTIES ('table_type'='ICEBERG', 'format'='parquet', 'write_compression'='zstd')"
    ))
    .await;
    execute(
        "INSERT INTO marketing_datamart VALUES (DATE '2026-01-01', 'eu', 1), (DATE '2026-01-01', NULL, 2),
         (DATE '2026-01-02', 'eu', 3), (DATE '2026-01-04', 'eu', 9)",
    )
    .await;
    let bytes = bytes_below(&account, &bucket, "gold/marketing_datamart/data/").await;
    assert!(bytes > 0, "its files lie where the statement said");
    // The first day gets another row, the second stays the same, the third is new, the fourth goes.
    execute("ALTER TABLE marketing_datamart ADD COLUMNS (added_later bigint)").await;
    execute("DELETE FROM marketing_datamart WHERE sessions IN (1, 9)").await;
    execute(
        "INSERT INTO marketing_datamart VALUES (DATE '2026-01-01', 'eu', 100, 5), (DATE '2026-01-03', 'eu', 7, 7)",
    )
    .await;
    let snapshots = history().await;
    let told: Vec<_> = snapshots
        .iter()
        .map(|one| {
            (
                one.operation.as_str(),
                one.current,
                one.rows_added,
                one.rows_removed,
                one.rows,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("APPEND", true, Some(2), Some(0), Some(4)),
            ("OVERWRITE", false, Some(2), Some(4), Some(2)),
            ("APPEND", false, Some(4), Some(0), Some(4))
        ]
    );
    let moments = snapshots.iter().rev().map(|one| one.at.as_millisecond());
    let moments: Vec<i64> = [began].into_iter().chain(moments).collect();
    let ended = Timestamp::now().as_millisecond();
    assert!(
        moments.is_sorted() && moments[3] <= ended,
        "{moments:?} {ended}"
    );
    let (newest, oldest) = (&snapshots[0], &snapshots[2]);
    assert_eq!((oldest.files_added, oldest.bytes), (1, Some(bytes)));
    assert_eq!(
        (snapshots[1].files_added, snapshots[1].files_removed),
        (1, 1)
    );
    let unknown = (1..)
        .find(|version| snapshots.iter().all(|one| one.version != *version))
        .unwrap();
    for (version, why) in [
        (newest.version, "it is the current one"),
        (unknown, "there is no such snapshot"),
    ] {
        let refused = gold
            .restore(GoldTable::MarketingDatamart, version)
            .await
            .unwrap_err();
        assert!(
            matches!(&refused, QueryError::Refused { code: "INVALID_SNAPSHOT", message } if message.contains(why)),
            "{refused}"
        );
    }
    let started = account.proxy.seen("StartQueryExecution").len();
    let restored = gold
        .restore(GoldTable::MarketingDatamart, oldest.version)
        .await
        .unwrap();
    // Two looks at the snapshots, two at the columns, one at the days, and one statement that changes the table.
    assert_eq!(account.proxy.seen("StartQueryExecution").len() - started, 6);
    assert_eq!((restored.current, restored.rows), (true, Some(4)));
    let before = rows(&format!(
        "(SELECT *, CAST(NULL AS bigint) AS added_later FROM \"marketing_datamart\" FOR VERSION AS OF {}) AS t",
        oldest.version
    ))
    .await;
    assert_eq!(before.len(), 4);
    assert_eq!(rows("marketing_datamart").await, before);
    // What was undone stays in the history.
    let after = history().await;
    assert_eq!((after.len(), &after[0]), (4, &restored));
    let versions = |all: &[Snapshot]| all.iter().map(|one| one.version).collect::<Vec<_>>();
    assert_eq!(versions(&after[1..]), versions(&snapshots));
    let same = gold
        .restore(GoldTable::MarketingDatamart, oldest.version)
        .await
        .unwrap_err();
    assert!(same.to_string().contains("the same rows"), "{same}");
}
