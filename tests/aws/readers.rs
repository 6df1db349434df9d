//! What we write, read by programs that are not ours: awswrangler and pyiceberg, by the catalog of a deployment
//! (`other_readers.py`, which compares and fails; what is compared here is that there was something to compare).
//!
//! Proved: Glue's entries, as our templates declare them, lead awswrangler to our files; types, days and sums are those
//! that the embedded platform says of the same sources. Every row of the gold tables is in Iceberg tables that pyiceberg
//! loads from the catalog, with the types and partitions of our ddl and a snapshot for each commit. And our silver files
//! are such that Iceberg takes them over as they lie there.
//!
//! Not proved: what Athena's own writer makes. The Iceberg tables were written by pyiceberg inside the emulator
//! (`iceberg_tables.py`) from what DuckDB came to by our statements. Nor does awswrangler know partition projection: it
//! lists files, so the rule by which Athena would find them is applied by the script.

#![cfg(all(feature = "simulator", feature = "local", feature = "lambda"))]

use serde_json::Value;

use super::{deploy::Site, emulator::interpreter, python};

/// Reads a lake that both profiles collected, `cloud` through this database and `local` by itself.
pub(super) fn read_by_others(site: &Site, database: &str, window: [&str; 4]) {
    // The same window once more, this time without a workflow: the rows stay, the history does not.
    let build = ["gold", "build", "daily_report_sub5", "--profile", "cloud"];
    let built = site.run(&[&build[..], &window].concat());
    assert!(built.status.success(), "{built:?}");

    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/aws/other_readers.py");
    let mut command = site.command(&interpreter());
    command.args([script, database, env!("CARGO_BIN_EXE_lakehand")]);
    let read: Value = serde_json::from_str(&python::output(&mut command, script)).unwrap();
    for (table, commits) in [("daily_report_sub5", 2), ("marketing_datamart", 1)] {
        let gold = &read["gold"][table];
        assert_eq!(gold["snapshots"], commits, "{table}: {read}");
        for rows in ["rows", "of_day"] {
            assert!(gold[rows].as_u64().unwrap() > 10, "{table}: {read}");
        }
    }
    let silver = read["silver"].as_object().unwrap();
    assert_eq!(silver.len(), 13, "{read}");
    for (table, said) in silver {
        let nobody_gone = table == "marketo_gone_leads";
        assert!(
            nobody_gone || said["rows"].as_u64().unwrap() > 5,
            "{table}: {read}"
        );
        assert!(
            nobody_gone || said["sums"].as_u64().unwrap() > 0,
            "{table}: {read}"
        );
    }
    assert!(read["countries"]["rows"].as_u64().unwrap() > 200, "{read}");
}
