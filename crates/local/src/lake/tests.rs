use std::{fs, time::SystemTime};

use futures::TryStreamExt;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

fn store() -> (TempDir, LocalStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = LocalStore::open(folder.path()).unwrap();
    (folder, store)
}

async fn keys(store: &LocalStore, prefix: &str) -> Vec<String> {
    let listing = store.list(prefix).await.unwrap();
    listing.map_ok(|meta| meta.key).try_collect().await.unwrap()
}

#[tokio::test]
async fn what_is_put_is_read_back_with_the_same_version_everywhere() {
    let (_folder, store) = store();
    for size in [0, 5, 300_000] {
        let bytes = Bytes::from(vec![7_u8; size]);
        let etag = store
            .put("a/b.bin", bytes.clone(), PutCondition::Always)
            .await
            .unwrap();
        let (read, read_etag) = store.get("a/b.bin").await.unwrap();
        assert_eq!((&read, &read_etag), (&bytes, &etag));
        let listed: Vec<_> = store.list("a/").await.unwrap().try_collect().await.unwrap();
        assert_eq!((listed[0].size, &listed[0].etag), (size as u64, &etag));
        let streamed: Vec<Bytes> = store
            .get_stream("a/b.bin")
            .await
            .unwrap()
            .try_collect()
            .await
            .unwrap();
        assert_eq!(streamed.concat(), bytes);
    }
}

#[tokio::test]
async fn conditions_decide() {
    let (_folder, store) = store();
    let first = store
        .put("k", "one".into(), PutCondition::IfAbsent)
        .await
        .unwrap();
    let again = store.put("k", "two".into(), PutCondition::IfAbsent).await;
    assert!(matches!(again, Err(StoreError::Conflict { .. })));
    let second = store
        .put("k", "two".into(), PutCondition::IfMatch(first.clone()))
        .await
        .unwrap();
    assert_ne!(first, second);
    let stale = store
        .put("k", "three".into(), PutCondition::IfMatch(first))
        .await;
    assert!(matches!(stale, Err(StoreError::Conflict { .. })));
    assert_eq!(store.get("k").await.unwrap().0, "two");
    let gone = store
        .put("absent", "x".into(), PutCondition::IfMatch(second))
        .await;
    assert!(matches!(gone, Err(StoreError::Conflict { .. })));
    assert!(matches!(
        store.get("absent").await,
        Err(StoreError::NotFound { .. })
    ));
}

/// Two stores on one folder, as two processes have them, and eight threads count in one object.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_conditional_puts_lose_no_update() {
    let (folder, store) = store();
    let other = LocalStore::open(folder.path()).unwrap();
    store
        .put("counter", "0".into(), PutCondition::IfAbsent)
        .await
        .unwrap();
    let workers = (0..8).map(|worker| {
        let store = if worker % 2 == 0 {
            store.clone()
        } else {
            other.clone()
        };
        tokio::spawn(async move {
            for _ in 0..25 {
                loop {
                    let (bytes, etag) = store.get("counter").await.unwrap();
                    let value: u32 = std::str::from_utf8(&bytes).unwrap().parse().unwrap();
                    let next = Bytes::from((value + 1).to_string());
                    match store
                        .put("counter", next, PutCondition::IfMatch(etag))
                        .await
                    {
                        Ok(_) => break,
                        Err(StoreError::Conflict { .. }) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            }
        })
    });
    futures::future::join_all(workers)
        .await
        .into_iter()
        .for_each(|ended| ended.unwrap());
    assert_eq!(store.get("counter").await.unwrap().0, "200");
    let left = fs::read_dir(store.staging()).unwrap().count();
    assert_eq!(left, 1, "only the folder of locks remains in staging");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_many_creators_wins() {
    let (_folder, store) = store();
    let tries = (0..16).map(|worker| {
        let store = store.clone();
        tokio::spawn(async move {
            let bytes = Bytes::from(worker.to_string());
            store
                .put("deep/er/than/before", bytes, PutCondition::IfAbsent)
                .await
                .is_ok()
        })
    });
    let won = futures::future::join_all(tries)
        .await
        .into_iter()
        .filter(|won| *won.as_ref().unwrap());
    assert_eq!(won.count(), 1);
}

#[tokio::test]
async fn a_finished_file_is_published_by_rename_and_only_under_its_condition() {
    let (_folder, store) = store();
    let file = store.staging().join("part.parquet");
    fs::write(&file, vec![1_u8; 400_000]).unwrap();
    let etag = store
        .put_file("silver/part.parquet", file.clone(), PutCondition::IfAbsent)
        .await
        .unwrap();
    assert!(!file.exists());
    assert_eq!(store.get("silver/part.parquet").await.unwrap().1, etag);
    fs::write(&file, "late").unwrap();
    let late = store
        .put_file("silver/part.parquet", file, PutCondition::IfAbsent)
        .await;
    assert!(matches!(late, Err(StoreError::Conflict { .. })));
    assert_eq!(
        store.get("silver/part.parquet").await.unwrap().0.len(),
        400_000
    );
}

#[tokio::test]
async fn keys_stay_inside_the_store() {
    let (_folder, store) = store();
    let long = "x".repeat(256);
    for key in [
        "",
        "/etc/passwd",
        "a/../b",
        "..",
        "a//b",
        "a/",
        "a\nb",
        "a\u{1b}[2J",
        "a\\b",
        ".staging/x",
        "./a",
        &long,
    ] {
        let put = store.put(key, "x".into(), PutCondition::Always).await;
        assert!(
            matches!(put, Err(StoreError::BadKey { .. })),
            "{key:?}: {put:?}"
        );
        assert!(store.local_path(key).is_none());
    }
    assert!(matches!(
        store.list("../").await,
        Err(StoreError::BadKey { .. })
    ));
    store
        .put("données/日本 語=1.json", "x".into(), PutCondition::Always)
        .await
        .unwrap();
    assert_eq!(keys(&store, "").await, ["données/日本 語=1.json"]);
}

#[tokio::test]
async fn leftovers_of_a_crash_are_invisible_and_go_away_when_old() {
    let (folder, store) = store();
    let young = store.staging().join("young.tmp");
    let old = store.staging().join("old.tmp");
    fs::write(&young, "half of a wri").unwrap();
    fs::write(&old, "half of a wri").unwrap();
    assert!(keys(&store, "").await.is_empty());
    let two_days_ago = SystemTime::now() - std::time::Duration::from_secs(2 * 86_400);
    fs::File::options()
        .write(true)
        .open(&old)
        .unwrap()
        .set_modified(two_days_ago)
        .unwrap();
    LocalStore::open(folder.path()).unwrap();
    assert!(young.exists() && !old.exists());
}

#[tokio::test]
async fn delete_is_quiet_about_what_is_not_there() {
    let (_folder, store) = store();
    store
        .put("a/b", "x".into(), PutCondition::Always)
        .await
        .unwrap();
    store.delete("a/b").await.unwrap();
    store.delete("a/b").await.unwrap();
    assert!(keys(&store, "").await.is_empty());
    assert!(
        matches!(store.get("a").await, Err(StoreError::NotFound { .. })),
        "a folder is no object"
    );
}

#[tokio::test]
async fn a_listing_may_be_left_early() {
    let (_folder, store) = store();
    for number in 0..600 {
        let path = store.root().join(format!("{number:04}"));
        fs::write(path, "x").unwrap();
    }
    let mut listing = store.list("").await.unwrap();
    assert_eq!(listing.next().await.unwrap().unwrap().key, "0000");
    drop(listing);
    assert_eq!(keys(&store, "059").await.len(), 10);
}

#[test]
fn failures_of_the_disk_say_what_to_do() {
    let full = failed("write", "k", &std::io::ErrorKind::StorageFull.into());
    assert!(
        matches!(
            full,
            StoreError::Failed {
                transient: false,
                ..
            }
        ),
        "{full}"
    );
    assert!(full.to_string().contains("free some space"), "{full}");
    let denied = failed("write", "k", &std::io::ErrorKind::PermissionDenied.into());
    assert!(
        matches!(
            denied,
            StoreError::Failed {
                transient: false,
                ..
            }
        ),
        "{denied}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// Against the naive listing: all keys, sorted by their bytes, filtered.
    #[test]
    fn listings_come_in_key_order(
        names in proptest::collection::btree_set("[a-b.=-]{1,2}(/[ab.-]{1,2}){0,2}\\.x", 1..12),
        prefix in "([a-b.=-]{1,2}(/[ab.-]{0,2})?)?",
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (_folder, store) = store();
            let mut stored = Vec::new();
            for name in &names {
                // A file and a folder of one name cannot both be; the second one is refused.
                if store.put(name, "x".into(), PutCondition::Always).await.is_ok() {
                    stored.push(name.clone());
                }
            }
            if keys::check_prefix(&prefix).is_ok() {
                stored.retain(|key| key.starts_with(&prefix));
                stored.sort_by(|a, b| a.as_bytes().cmp(b.as_bytes()));
                assert_eq!(super::tests::keys(&store, &prefix).await, stored);
            }
        });
    }
}
