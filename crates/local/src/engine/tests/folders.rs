//! Parquet files of others: no file and no column is left out.

use std::{fs, path::Path, sync::Arc};

use arrow::{
    array::{ArrayRef, Float64Array, Int32Array, Int64Array, StringArray},
    record_batch::RecordBatch,
};
use parquet::arrow::ArrowWriter;

use super::*;

fn write(path: &Path, columns: Vec<(&str, ArrayRef)>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer =
        ArrowWriter::try_new(fs::File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn ints(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

fn with(name: &str, path: &Path) -> Fixture {
    let f = fixture();
    let engine = f.engine.with_parquet(name, path).unwrap();
    Fixture {
        engine,
        _folder: f._folder,
    }
}

#[tokio::test]
async fn files_without_an_ending_and_with_other_columns_count() {
    let folder = tempfile::tempdir().unwrap();
    write(
        &folder.path().join("20261101_101010_00012_abcde"),
        vec![("sessions", ints(&[2]))],
    );
    write(
        &folder.path().join("part-0.snappy.parquet"),
        vec![
            ("sessions", Arc::new(Int32Array::from(vec![5])) as ArrayRef),
            ("Source", Arc::new(StringArray::from(vec!["ads"]))),
        ],
    );
    fs::write(folder.path().join("_SUCCESS"), "").unwrap();
    fs::write(folder.path().join(".part-0.crc"), "x").unwrap();
    let f = with("m", folder.path());
    assert_eq!(
        f.rows("SELECT sum(sessions), count(source), count(*) FROM m")
            .await,
        "7|1|2"
    );
    let one = with("one", &folder.path().join("20261101_101010_00012_abcde"));
    assert_eq!(one.rows("SELECT sessions FROM one").await, "2");
}

#[tokio::test]
async fn names_are_asked_in_any_case_and_one_column_spelled_in_two_ways_is_one() {
    let folder = tempfile::tempdir().unwrap();
    write(
        &folder.path().join("a.parquet"),
        vec![("sessionSource", ints(&[1]))],
    );
    write(
        &folder.path().join("b.parquet"),
        vec![("SessionSource", ints(&[2]))],
    );
    let f = with("ga4", folder.path());
    assert_eq!(
        f.rows("SELECT sessionSource FROM ga4 WHERE SESSIONSOURCE > 0 ORDER BY 1")
            .await,
        "1;2"
    );
    assert_eq!(
        f.rows("SELECT * FROM ga4 ORDER BY sessionsource").await,
        "1;2"
    );
    let twice = tempfile::tempdir().unwrap();
    write(
        &twice.path().join("c.parquet"),
        vec![("id", ints(&[1])), ("ID", ints(&[2]))],
    );
    let error = with("t", twice.path())
        .try_rows("SELECT id FROM t")
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("differ by case only"), "{error}");
}

#[tokio::test]
async fn keys_of_folders_are_columns() {
    let folder = tempfile::tempdir().unwrap();
    for (day, sessions) in [("2026-11-01", 3), ("2026-11-02", 4)] {
        let file = folder
            .path()
            .join(format!("date={day}/bu=a%20b/part-0.parquet"));
        write(&file, vec![("sessions", ints(&[sessions]))]);
    }
    let last = folder
        .path()
        .join("date=2026-11-02/bu=__HIVE_DEFAULT_PARTITION__/x");
    write(&last, vec![("sessions", ints(&[5]))]);
    let f = with("m", folder.path());
    assert_eq!(
        f.rows("SELECT date, bu, sum(sessions) FROM m WHERE date >= date '2026-11-02' GROUP BY 1, 2 ORDER BY bu")
            .await,
        "2026-11-02|a b|4;2026-11-02|NULL|5"
    );
}

#[tokio::test]
async fn what_cannot_be_one_table_names_its_files() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("a.parquet"), vec![("x", ints(&[1]))]);
    write(
        &folder.path().join("b.parquet"),
        vec![("x", Arc::new(Float64Array::from(vec![1.5])) as ArrayRef)],
    );
    let error =
        |f: Fixture| async move { f.try_rows("SELECT x FROM m").await.unwrap_err().to_string() };
    let told = error(with("m", folder.path())).await;
    assert!(
        told.contains("a.parquet") && told.contains("b.parquet"),
        "{told}"
    );
    fs::write(folder.path().join("b.parquet"), "no such thing").unwrap();
    let told = error(with("m", folder.path())).await;
    assert!(told.contains("b.parquet is no Parquet file"), "{told}");
}
