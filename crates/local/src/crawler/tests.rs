//! Crawls over small lakes, and what SQL sees of them.

use std::{fs::File, path::Path};

use arrow::{
    array::{
        ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
    },
    datatypes::DataType,
};
use parquet::arrow::ArrowWriter;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    crawler::landing::Landing,
    engine::{EngineSettings, LocalEngine},
    gold_tests::fixture::query,
    lake::LocalStore,
};
use lakehand_ops::{OpsError, OpsErrorKind};
use lakehand_pipeline::{
    dataset::SilverTable,
    normalise::contract,
    ports::{PutCondition, SystemClock},
};

struct World {
    folder: tempfile::TempDir,
    store: Arc<dyn ObjectStore>,
    crawlers: LocalCrawlers,
    engine: LocalEngine,
}

fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let mut profile = crate::gold_tests::fixture::profile(folder.path());
    profile.env = "test".to_owned();
    let settings = EngineSettings {
        threads: 2,
        ..EngineSettings::for_profile(&profile)
    };
    let store: Arc<dyn ObjectStore> = Arc::new(LocalStore::open(profile.std_dir()).unwrap());
    World {
        engine: LocalEngine::new(&settings).unwrap(),
        crawlers: LocalCrawlers::new(Arc::new(profile), Arc::clone(&store), Arc::new(SystemClock)),
        store,
        folder,
    }
}

fn write(path: &Path, columns: Vec<(&str, ArrayRef)>) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    // As the normaliser does it: a new file under the name, never a change inside of one.
    let new = path.with_extension("new");
    let mut writer =
        ArrowWriter::try_new(File::create(&new).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    std::fs::rename(new, path).unwrap();
}

fn numbers(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

fn words(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

impl World {
    fn std(&self) -> std::path::PathBuf {
        self.folder.path().join("std")
    }

    /// A partition of a table that no contract names.
    fn day(&self, day: &str, columns: Vec<(&str, ArrayRef)>) {
        let key = format!("silver/shop/orders/date={day}/part-0.parquet");
        write(&self.std().join(key), columns);
    }

    async fn crawl(&self) -> Crawl {
        self.crawlers.run("silver").await.unwrap()
    }

    async fn rows(&self, sql: &str) -> String {
        let rows = query(&self.engine, sql).await;
        let lines: Vec<String> = rows.iter().map(|row| row.join("|")).collect();
        lines.join(";")
    }
}

#[tokio::test]
async fn a_crawl_knows_tables_partitions_rows_and_types() {
    let world = world();
    world.day(
        "2026-01-01",
        vec![("id", numbers(&[1, 2])), ("name", words(&["a", "b"]))],
    );
    world.day(
        "2026-01-02",
        vec![("id", numbers(&[3])), ("name", words(&["c"]))],
    );
    std::fs::write(world.std().join("silver/shop/orders/_notes.txt"), "x").unwrap();
    let crawl = world.crawl().await;
    assert_eq!(crawl.status, CrawlStatus::Succeeded, "{crawl:?}");
    assert_eq!(crawl.tables_created, ["shop_orders"]);
    assert_eq!((crawl.partitions_added, crawl.files_read), (2, 2));
    let table = world
        .crawlers
        .catalog()
        .table("shop_orders")
        .unwrap()
        .unwrap();
    let columns: Vec<String> = table
        .columns
        .iter()
        .chain(&table.partition_keys)
        .map(|column| format!("{} {}", column.name, column.data_type))
        .collect();
    assert_eq!(columns, ["id bigint", "name string", "date date"]);
    assert_eq!((table.partitions, table.rows, table.version), (2, 3, 1));
    // Nothing changed: nothing is opened, nothing is written.
    let again = world.crawl().await;
    assert!(again.tables_created.is_empty() && again.tables_updated.is_empty());
    assert_eq!(again.files_read, 0);
    assert_eq!(
        world.rows("SELECT \"date\", record_count, file_count FROM \"shop_orders$partitions\" ORDER BY 1").await,
        "2026-01-01|2|1;2026-01-02|1|1"
    );
}

#[tokio::test]
async fn changes_are_versions_with_what_changed() {
    let world = world();
    world.day(
        "2026-01-01",
        vec![("id", Arc::new(Int32Array::from(vec![1])) as ArrayRef)],
    );
    world.day("2026-01-02", vec![("id", numbers(&[3]))]);
    world.crawl().await;
    world.day(
        "2026-01-02",
        vec![("id", numbers(&[3, 4])), ("plan", words(&["x", "y"]))],
    );
    world.day("2026-01-03", vec![("id", numbers(&[5]))]);
    std::fs::remove_dir_all(world.std().join("silver/shop/orders/date=2026-01-01")).unwrap();
    let crawl = world.crawl().await;
    assert_eq!(crawl.tables_updated, ["shop_orders"]);
    assert_eq!(
        (
            crawl.partitions_added,
            crawl.partitions_removed,
            crawl.files_read
        ),
        (1, 1, 2)
    );
    let table = world
        .crawlers
        .catalog()
        .table("shop_orders")
        .unwrap()
        .unwrap();
    let change = &table.history[0];
    assert_eq!(
        change.in_words(),
        "1 partition added, 1 partition removed, 1 partition replaced, column plan (string) added"
    );
    assert_eq!(
        (change.version, change.rows, table.history.len()),
        (2, 3, 2)
    );
    std::fs::remove_dir_all(world.std().join("silver/shop")).unwrap();
    let crawl = world.crawl().await;
    assert_eq!(crawl.tables_deleted, ["shop_orders"]);
    assert!(world.crawlers.catalog().tables().unwrap().is_empty());
    world.day("2026-01-04", vec![("id", numbers(&[9]))]);
    assert_eq!(world.crawl().await.tables_created, ["shop_orders"]);
    let table = world
        .crawlers
        .catalog()
        .table("shop_orders")
        .unwrap()
        .unwrap();
    let kinds: Vec<_> = table
        .history
        .iter()
        .map(|change| change.in_words())
        .collect();
    assert_eq!(
        (kinds[0].as_str(), kinds[1].as_str(), table.version),
        ("created", "deleted", 4)
    );
}

#[tokio::test]
async fn a_table_is_readable_before_a_crawl_and_has_its_new_columns_after_it() {
    let world = world();
    world.day("2026-01-01", vec![("id", numbers(&[1, 2]))]);
    let all = "SELECT * FROM shop_orders ORDER BY id";
    assert_eq!(world.rows(all).await, "1|2026-01-01;2|2026-01-01");
    world.crawl().await;
    assert_eq!(world.rows(all).await, "1|2026-01-01;2|2026-01-01");
    // The catalog does not know the new column yet, and the table is read as before.
    world.day(
        "2026-01-02",
        vec![("id", numbers(&[3])), ("plan", words(&["gold"]))],
    );
    assert_eq!(
        world.rows(all).await,
        "1|2026-01-01;2|2026-01-01;3|2026-01-02"
    );
    world.crawl().await;
    assert_eq!(
        world
            .rows("SELECT id, plan, date FROM shop_orders ORDER BY id")
            .await,
        "1|NULL|2026-01-01;2|NULL|2026-01-01;3|gold|2026-01-02"
    );
    assert_eq!(
        world.rows("SELECT table_name, table_type FROM information_schema.tables WHERE table_name LIKE 'shop%'").await,
        "shop_orders|BASE TABLE"
    );
    assert_eq!(
        world
            .rows("SELECT column_name, ordinal_position, data_type FROM information_schema.columns WHERE table_name = 'shop_orders'")
            .await,
        "id|1|bigint;plan|2|varchar;date|3|date"
    );
    let (statement, cancel) = (
        "DELETE FROM shop_orders WHERE id = 1",
        CancellationToken::new(),
    );
    let refused = lakehand_pipeline::ports::QueryEngine::execute(&world.engine, statement, &cancel);
    assert!(
        refused
            .await
            .unwrap_err()
            .to_string()
            .contains("written by the pipeline")
    );
}

#[tokio::test]
async fn a_contract_keeps_its_columns_and_gets_the_unknown_ones_behind_them() {
    let world = world();
    let table = SilverTable::Affiliates;
    let schema = contract::schema(table);
    let columns = schema.fields().iter().map(|field| {
        let column: ArrayRef = match (field.name().as_str(), field.data_type()) {
            ("id", DataType::Int64) => numbers(&[7]),
            ("_source", _) => words(&["c"]),
            ("_collected_at", _) => Arc::new(TimestampMicrosecondArray::from(vec![0])),
            (_, data_type) => arrow::array::new_null_array(data_type, 1),
        };
        (field.name().as_str(), column)
    });
    let mut columns: Vec<(&str, ArrayRef)> = columns.collect();
    columns.push(("loyalty_level", words(&["blue"])));
    write(&world.std().join(table.part_key(None)), columns);
    let count = |rows: &str| rows.split('|').count();
    let before = world.rows("SELECT * FROM affise_affiliates").await;
    assert_eq!(count(&before), schema.fields().len());
    let crawl = world.crawlers.run("lakehand-test-affise").await.unwrap();
    assert_eq!(crawl.tables_created, ["affise_affiliates"]);
    let after = world.rows("SELECT * FROM affise_affiliates").await;
    assert_eq!(after, format!("{before}|blue"));
}

#[tokio::test]
async fn a_damaged_file_is_named_and_the_other_tables_are_known() {
    let world = world();
    world.day("2026-01-01", vec![("id", numbers(&[1]))]);
    let bad = world.std().join("silver/shop/carts/date=2026-01-01");
    std::fs::create_dir_all(&bad).unwrap();
    std::fs::write(bad.join("part-0.parquet"), "PAR1 is not enough").unwrap();
    let crawl = world.crawl().await;
    assert_eq!(crawl.status, CrawlStatus::Failed);
    assert_eq!(crawl.tables_created, ["shop_orders"]);
    let error = crawl.error.unwrap();
    assert!(
        error.starts_with("silver/shop/carts/date=2026-01-01/part-0.parquet cannot be read"),
        "{error}"
    );
}

#[tokio::test]
async fn states_and_refusals_are_those_of_glue() {
    let world = world();
    world.day("2026-01-01", vec![("id", numbers(&[1]))]);
    let crawlers = &world.crawlers;
    let code = |error: CrawlerError| {
        let name = error.glue_name();
        (name, OpsError::from(error).kind)
    };
    assert_eq!(
        code(crawlers.start("nobody").await.unwrap_err()),
        ("EntityNotFoundException", OpsErrorKind::NotFound)
    );
    assert_eq!(
        code(crawlers.stop("silver").await.unwrap_err()),
        ("CrawlerNotRunningException", OpsErrorKind::NotPossible)
    );
    // The table is held, so that the crawl stays in the middle.
    let held = crawlers.catalog().lock("shop_orders").unwrap();
    crawlers.start("silver").await.unwrap();
    assert_eq!(
        code(crawlers.start("lakehand-test-silver").await.unwrap_err()),
        ("CrawlerRunningException", OpsErrorKind::Conflict)
    );
    assert!(
        crawlers
            .show("silver")
            .await
            .unwrap()
            .crawler
            .running_since
            .is_some()
    );
    crawlers.start("affise").await.unwrap();
    crawlers.stop("silver").await.unwrap();
    assert_eq!(
        crawlers.list().await.unwrap()[0].state,
        CrawlerState::Stopping
    );
    assert_eq!(
        code(crawlers.stop("silver").await.unwrap_err()),
        ("CrawlerStoppingException", OpsErrorKind::NotPossible)
    );
    // The crawl looks for the request from time to time, as a process elsewhere would have made it.
    tokio::time::sleep(LOOK_FOR_STOP * 4).await;
    drop(held);
    crawlers.idle().await;
    let detail = crawlers.show("silver").await.unwrap();
    assert_eq!(detail.crawler.state, CrawlerState::Ready);
    assert_eq!(detail.crawls[0].status, CrawlStatus::Cancelled);
    assert!(detail.tables.is_empty());
    assert_eq!(world.crawl().await.status, CrawlStatus::Succeeded);
    assert_eq!(
        crawlers.show("silver").await.unwrap().tables[0].name,
        "shop_orders"
    );
}

#[tokio::test]
async fn a_crawl_whose_process_died_is_ready_again_and_failed() {
    let world = world();
    let records = Records::new(world.crawlers.catalog().folder().join("crawlers"), "affise");
    let lock = records.try_run().unwrap().unwrap();
    records
        .begin("2026-01-01T00:00:00Z".parse().unwrap())
        .unwrap();
    drop(lock);
    let detail = world.crawlers.show("affise").await.unwrap();
    assert_eq!(detail.crawler.state, CrawlerState::Ready);
    assert_eq!(detail.crawls[0].status, CrawlStatus::Failed);
    world.crawlers.run("affise").await.unwrap();
    let statuses: Vec<_> = world.crawlers.show("affise").await.unwrap().crawls;
    let statuses: Vec<_> = statuses.iter().map(|crawl| crawl.status).collect();
    assert_eq!(statuses, [CrawlStatus::Succeeded, CrawlStatus::Failed]);
}

#[tokio::test]
async fn what_lands_in_marketo_starts_its_crawler_and_is_never_missed() {
    let world = world();
    let watched = Landing::new(Arc::clone(&world.store), world.crawlers.clone());
    let put = |key: &'static str| {
        let watched = &watched;
        async move {
            watched
                .put(key, "{}".into(), PutCondition::Always)
                .await
                .unwrap();
        }
    };
    put("bronze/affise/clicks/date=2026-01-01/c._manifest.json").await;
    put("bronze/marketo/leads/date=2026-01-01/c-0.ndjson.zst").await;
    world.crawlers.idle().await;
    assert!(
        world
            .crawlers
            .show("marketo")
            .await
            .unwrap()
            .crawls
            .is_empty()
    );

    let day = world
        .std()
        .join("silver/marketo/leads/date=2026-01-01/part-0.parquet");
    write(&day, vec![("id", numbers(&[1]))]);
    let held = world.crawlers.catalog().lock("marketo_leads").unwrap();
    put("bronze/marketo/leads/date=2026-01-01/c._manifest.json").await;
    // It is in the middle of the table when the next manifest lands.
    tokio::time::sleep(GATHER * 2).await;
    put("bronze/marketo/activities/date=2026-01-01/d._manifest.json").await;
    assert!(
        world
            .crawlers
            .show("marketo")
            .await
            .unwrap()
            .crawler
            .starts_again
    );
    let later = world
        .std()
        .join("silver/marketo/activities/date=2026-01-01/part-0.parquet");
    write(&later, vec![("id", numbers(&[2]))]);
    drop(held);
    world.crawlers.idle().await;
    let detail = world.crawlers.show("marketo").await.unwrap();
    assert_eq!(detail.crawls.len(), 2, "{detail:?}");
    assert!(!detail.crawler.starts_again);
    let tables: Vec<_> = detail
        .tables
        .iter()
        .map(|table| table.name.as_str())
        .collect();
    assert_eq!(tables, ["marketo_activities", "marketo_leads"]);
}
