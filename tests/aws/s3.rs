//! The lake's store on S3. The emulator keeps objects, conditions, versions of listings and the rules of multipart
//! uploads as S3 does, and refuses checksums of parts that their upload did not declare; it accepts any value of a checksum
//! and any signature, so these tests prove our calls and our reactions.

use std::{net::TcpListener, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::TryStreamExt;
use lakehand::{
    pipeline::ports::{ObjectMeta, ObjectStore, PutCondition, StoreError},
    platform::aws::functions::Functions,
};

use super::{
    account::{Account, sdk},
    proxy::Fault,
};

async fn listed(store: &dyn ObjectStore, prefix: &str) -> Vec<ObjectMeta> {
    store
        .list(prefix)
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap()
}

async fn read(store: &dyn ObjectStore, key: &str) -> Result<Vec<u8>, StoreError> {
    let pieces: Vec<Bytes> = store.get_stream(key).await?.try_collect().await?;
    Ok(pieces.concat())
}

/// Bytes without a pattern that a mistake of offsets could hide in.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

#[tokio::test]
async fn an_object_is_written_under_a_condition_and_read_back() {
    let account = Account::new("s3-conditions", "prefix = \"team/lake\"\n").await;
    let store = &account.lake().std;
    let key = "_state/watermark/affise.clicks.json";
    assert!(matches!(
        store.get(key).await,
        Err(StoreError::NotFound { .. })
    ));
    let first = store
        .put(key, "one".into(), PutCondition::IfAbsent)
        .await
        .unwrap();
    let again = store.put(key, "two".into(), PutCondition::IfAbsent).await;
    assert!(
        matches!(again, Err(StoreError::Conflict { .. })),
        "{again:?}"
    );
    let (bytes, etag) = store.get(key).await.unwrap();
    assert_eq!((&bytes[..], &etag), (&b"one"[..], &first));
    let second = store
        .put(key, "two".into(), PutCondition::IfMatch(first.clone()))
        .await
        .unwrap();
    let stale = store
        .put(key, "three".into(), PutCondition::IfMatch(first))
        .await;
    assert!(
        matches!(stale, Err(StoreError::Conflict { .. })),
        "{stale:?}"
    );
    assert_eq!(store.get(key).await.unwrap().1, second);
    let raw = format!("{}/team/lake/{key}", account.profile.std_bucket());
    assert_eq!(
        account.object(&raw).await.unwrap(),
        b"two",
        "below the prefix of the settings"
    );
    assert_eq!(store.display(key), format!("s3://{raw}"));
    assert_eq!(
        listed(&**store, "_state/").await[0].key,
        key,
        "keys come without the prefix"
    );
    store.delete(key).await.unwrap();
    store.delete(key).await.unwrap();
    let gone = store
        .put(key, "four".into(), PutCondition::IfMatch(second))
        .await;
    assert!(matches!(gone, Err(StoreError::Conflict { .. })), "{gone:?}");
    assert!(matches!(
        store.get("../out").await,
        Err(StoreError::BadKey { .. })
    ));
}

#[tokio::test]
async fn a_listing_goes_over_pages_and_keeps_its_order() {
    let account = Account::new("s3-listing", "").await;
    let store = &account.lake().raw;
    let mut keys: Vec<String> = (0..1203)
        .map(|number| format!("bronze/a b+ü/{number:05}"))
        .collect();
    keys.extend(["bronze/a.json".to_owned(), "bronzé".to_owned()]);
    for chunk in keys.chunks(64) {
        let puts = chunk
            .iter()
            .map(|key| store.put(key, key.clone().into(), PutCondition::Always));
        futures::future::try_join_all(puts).await.unwrap();
    }
    let found = listed(&**store, "bronze/").await;
    let mut expected: Vec<&str> = keys
        .iter()
        .map(String::as_str)
        .filter(|key| key.starts_with("bronze/"))
        .collect();
    expected.sort_unstable();
    assert_eq!(
        found
            .iter()
            .map(|meta| meta.key.as_str())
            .collect::<Vec<_>>(),
        expected
    );
    let pages = account.proxy.seen("list-type=2");
    assert_eq!(pages.len(), 2, "{pages:?}");
    assert!(found.iter().all(|meta| meta.size == meta.key.len() as u64));
    let (_, etag) = store.get(&found[700].key).await.unwrap();
    assert_eq!(
        found[700].etag, etag,
        "a listing and a read name a version alike"
    );
    let age = jiff::Timestamp::now().duration_since(found[0].modified);
    assert!(age.abs() < jiff::SignedDuration::from_mins(5), "{age}");
    assert!(listed(&**store, "silver/").await.is_empty());
    // A page in the middle that fails is an error, never a short list.
    account
        .proxy
        .fault("continuation-token", 1, Fault::Refuse(503, "SlowDown"));
    let cut: Result<Vec<ObjectMeta>, StoreError> =
        store.list("bronze/").await.unwrap().try_collect().await;
    assert!(
        matches!(
            cut,
            Err(StoreError::Failed {
                transient: true,
                ..
            })
        ),
        "{cut:?}"
    );
}

#[tokio::test]
async fn a_large_file_goes_up_in_parts_and_comes_back_byte_for_byte() {
    let account = Account::new("s3-parts", "").await;
    let store = &account.lake().std;
    let bytes = noise(41 * 1024 * 1024 + 12_347);
    let staged = |name: &str, bytes: &[u8]| {
        let file = store.staging().join(name);
        std::fs::write(&file, bytes).unwrap();
        file
    };
    let file = staged("large", &bytes);
    let key = "silver/affise/clicks/date=2026-01-01/part-0.parquet";
    let etag = store
        .put_file(key, file.clone(), PutCondition::IfAbsent)
        .await
        .unwrap();
    assert!(!file.exists(), "a published file is consumed");
    assert_eq!(account.proxy.seen("partNumber=").len(), 3);
    assert!(read(&**store, key).await.unwrap() == bytes);
    assert_eq!(store.get(key).await.unwrap().1, etag);
    assert_eq!(
        listed(&**store, "silver/").await[0].size,
        bytes.len() as u64
    );
    // The condition is the last call's.
    let again = store
        .put_file(key, staged("again", &bytes), PutCondition::IfAbsent)
        .await;
    assert!(
        matches!(again, Err(StoreError::Conflict { .. })),
        "{again:?}"
    );
    // A part that fails ends the upload; nothing is visible, nothing is left to be paid for.
    account
        .proxy
        .fault("partNumber=2", 1, Fault::Refuse(500, "InternalError"));
    let failed = store
        .put_file(
            "silver/failed",
            staged("failed", &bytes),
            PutCondition::Always,
        )
        .await;
    assert!(
        matches!(
            failed,
            Err(StoreError::Failed {
                transient: true,
                ..
            })
        ),
        "{failed:?}"
    );
    assert!(matches!(
        store.get("silver/failed").await,
        Err(StoreError::NotFound { .. })
    ));
    let uploads = account
        .object(&format!("{}/?uploads", account.profile.std_bucket()))
        .await;
    let uploads = String::from_utf8(uploads.unwrap()).unwrap();
    assert!(!uploads.contains("<UploadId>"), "{uploads}");
    // Up to 16 MB a file goes in one piece.
    let small = noise(16 * 1024 * 1024);
    store
        .put_file(
            "silver/small",
            staged("small", &small),
            PutCondition::Always,
        )
        .await
        .unwrap();
    assert!(read(&**store, "silver/small").await.unwrap() == small);
    assert_eq!(
        account.proxy.seen("silver/small?uploads").len(),
        0,
        "no upload in parts"
    );
    assert_eq!(std::fs::read_dir(store.staging()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_body_that_is_cut_is_an_error_that_says_so() {
    let account = Account::new("s3-cut", "").await;
    let store = &account.lake().std;
    let bytes = noise(300_000);
    store
        .put("gold/x", bytes.clone().into(), PutCondition::Always)
        .await
        .unwrap();
    account.proxy.fault("GET", 1, Fault::Cut(100_000));
    let cut = read(&**store, "gold/x").await.unwrap_err();
    let text = cut.to_string();
    assert!(
        text.contains("cut off after 100000 of 300000 bytes"),
        "{text}"
    );
    assert!(matches!(
        cut,
        StoreError::Failed {
            transient: true,
            ..
        }
    ));
    // A small object is asked for again by the store itself.
    account.proxy.fault("GET", 2, Fault::Cut(1));
    assert!(store.get("gold/x").await.unwrap().0 == bytes);
    account.proxy.fault("GET", 3, Fault::Cut(1));
    assert!(store.get("gold/x").await.is_err());
}

#[tokio::test]
async fn refusals_say_what_to_do_and_whether_to_try_again() {
    let account = Account::new(
        "s3-refused",
        "attempts = 2\nattempt_timeout_seconds = 2\noperation_timeout_seconds = 6\n",
    )
    .await;
    let store = &account.lake().std;
    store
        .put("a", "1".into(), PutCondition::Always)
        .await
        .unwrap();
    // One refusal is repeated by the SDK, as the settings say.
    for (status, code) in [
        (503, "SlowDown"),
        (500, "InternalError"),
        (429, "TooManyRequestsException"),
    ] {
        let before = account.proxy.seen("GET").len();
        account.proxy.fault("GET", 1, Fault::Refuse(status, code));
        assert_eq!(&store.get("a").await.unwrap().0[..], b"1", "{code}");
        assert_eq!(account.proxy.seen("GET").len() - before, 2, "{code}");
    }
    account
        .proxy
        .fault("GET", 2, Fault::Refuse(503, "SlowDown"));
    let throttled = store.get("a").await.unwrap_err();
    assert!(
        matches!(
            throttled,
            StoreError::Failed {
                transient: true,
                ..
            }
        ),
        "{throttled}"
    );
    assert!(throttled.to_string().contains("SlowDown"), "{throttled}");
    account
        .proxy
        .fault("GET", 1, Fault::Refuse(400, "ExpiredToken"));
    let expired = store.get("a").await.unwrap_err();
    assert!(
        matches!(
            expired,
            StoreError::Failed {
                transient: false,
                ..
            }
        ),
        "{expired}"
    );
    assert!(expired.to_string().contains("sign in again"), "{expired}");
    account
        .proxy
        .fault("GET", 1, Fault::Refuse(403, "AccessDenied"));
    let denied = store.get("a").await.unwrap_err();
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
    assert!(denied.to_string().contains("IAM"), "{denied}");
    account
        .proxy
        .fault("GET", 1, Fault::Refuse(404, "NoSuchBucket"));
    let nowhere = store.get("a").await.unwrap_err();
    assert!(
        matches!(nowhere, StoreError::Failed { .. }),
        "no bucket is no missing object: {nowhere}"
    );
    account
        .proxy
        .fault("PUT", 1, Fault::Refuse(409, "ConditionalRequestConflict"));
    let raced = store.put("b", "1".into(), PutCondition::IfAbsent).await;
    assert!(
        matches!(raced, Err(StoreError::Conflict { .. })),
        "{raced:?}"
    );
    // A connection that dies after the emulator did it: the repeated PUT finds the object there.
    account.proxy.fault("PUT", 1, Fault::LoseAnswer);
    store
        .put("c", "1".into(), PutCondition::Always)
        .await
        .unwrap();
    assert_eq!(&store.get("c").await.unwrap().0[..], b"1");
    // Silence before the head of an answer.
    account
        .proxy
        .fault("DELETE", 2, Fault::Stall(0, Duration::from_secs(4)));
    let silent = store.delete("c").await;
    assert!(
        silent.is_ok(),
        "an answer without a body ends with its head: {silent:?}"
    );
}

/// The answer of a write is lost on the way, and the SDK sends it once more: it meets its own work. Somebody else's is
/// still told apart.
#[tokio::test]
async fn a_write_whose_answer_was_lost_is_not_taken_for_somebody_elses() {
    let account = Account::new("s3-lost", "attempts = 3\n").await;
    let store = &account.lake().std;
    let lose = |part: &str| account.proxy.fault(part, 1, Fault::LoseAnswer);
    lose("PUT /s3-lost-test-std/lease");
    let first = store
        .put("lease", "mine".into(), PutCondition::IfAbsent)
        .await
        .unwrap();
    assert_eq!(account.proxy.seen("PUT /s3-lost-test-std/lease").len(), 2);
    assert_eq!(
        store.get("lease").await.unwrap(),
        ("mine".into(), first.clone())
    );
    lose("PUT /s3-lost-test-std/lease");
    let renewed = store
        .put(
            "lease",
            "mine still".into(),
            PutCondition::IfMatch(first.clone()),
        )
        .await
        .unwrap();
    assert_ne!(renewed, first);
    for condition in [PutCondition::IfAbsent, PutCondition::IfMatch(first)] {
        let theirs = store.put("lease", "theirs".into(), condition).await;
        assert!(
            matches!(theirs, Err(StoreError::Conflict { .. })),
            "{theirs:?}"
        );
    }

    // In parts: the upload is known no more once it is finished.
    let file = account.functions.lake().std.staging().join("large");
    std::fs::write(&file, noise(17 * 1024 * 1024)).unwrap();
    lose("POST /s3-lost-test-std/large?uploadId");
    let etag = store
        .put_file("large", file, PutCondition::IfAbsent)
        .await
        .unwrap();
    let (bytes, told) = store.get("large").await.unwrap();
    assert_eq!((bytes.len(), told), (17 * 1024 * 1024, etag));
}

/// A listener that takes what is sent and says nothing: even the proxy answers with a head. A minute is far more than
/// the settings allow, and far less than for ever.
#[tokio::test]
async fn a_write_that_is_never_answered_is_given_up() {
    let limits = "attempt_timeout_seconds = 1\noperation_timeout_seconds = 2\n";
    let account = Account::new("s3-silent", limits).await;
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut profile = account.profile.as_ref().clone();
    profile.aws.endpoint_url = Some(format!("http://{}", silent.local_addr().unwrap()));
    let functions = Functions::open_with(Arc::new(profile), sdk())
        .await
        .unwrap();
    let store = &functions.lake().std;
    let put = store.put("lease", "mine".into(), PutCondition::IfAbsent);
    let ended = tokio::time::timeout(Duration::from_secs(60), put).await;
    assert!(
        matches!(
            ended,
            Ok(Err(StoreError::Failed {
                transient: true,
                ..
            }))
        ),
        "{ended:?}"
    );
}
