//! Partitions by text: whatever the text holds, the files of it are found again.

use super::*;

const VALUES: [&str; 9] = [
    "plain",
    "a b",
    "a/b",
    "50%",
    "50%25",
    "Müller",
    "=x&y",
    "日本",
    "a:b*?\"<>|",
];

#[tokio::test]
async fn rows_of_partitions_with_awkward_names_are_changed_where_they_lie() {
    let f = fixture();
    f.ok("CREATE TABLE g (id bigint, name varchar) PARTITIONED BY (name)")
        .await;
    for (id, name) in VALUES.iter().enumerate() {
        f.ok(&format!("INSERT INTO g VALUES ({id}, '{name}')"))
            .await;
    }
    for (id, name) in VALUES.iter().enumerate() {
        let of = format!("name = '{name}'");
        assert_eq!(
            f.rows(&format!("SELECT id FROM g WHERE {of}")).await,
            id.to_string()
        );
        assert_eq!(
            f.ok(&format!("UPDATE g SET id = id + 100 WHERE {of}"))
                .await,
            1,
            "{name}"
        );
        let merged = f
            .ok(&format!(
                "MERGE INTO g USING (SELECT CAST({id} AS bigint) + 100 AS id, '{name}' AS name) AS s \
                 ON g.name = s.name WHEN MATCHED THEN UPDATE SET id = s.id + 100"
            ))
            .await;
        assert_eq!(merged, 1, "{name}");
        assert_eq!(
            f.rows(&format!("SELECT id, name FROM g WHERE {of}")).await,
            format!("{}|{name}", id + 200)
        );
    }
    f.ok("OPTIMIZE g REWRITE DATA USING BIN_PACK").await;
    f.ok("VACUUM g").await;
    assert_eq!(
        f.rows("SELECT count(DISTINCT name), sum(id) FROM g").await,
        format!("9|{}", 9 * 200 + 36)
    );
    for name in VALUES {
        assert_eq!(
            f.ok(&format!("DELETE FROM g WHERE name = '{name}'")).await,
            1,
            "{name}"
        );
    }
    assert_eq!(f.rows("SELECT count(*) FROM g").await, "0");
}
