//! CSV files without a manifest: reports that others export, and ours before their manifest is there. What a listing
//! tells is told; how many rows there are, and whether they are all, nobody knows.

use sha2::{Digest, Sha256};

use super::ReportSummary;
use lakehand_pipeline::ports::ObjectMeta;

/// What a list shows of a CSV file below one of the places; `None` for any other file.
///
/// Its name is its way below the place: files of one name lie in several folders.
pub(super) fn summary(place: &str, object: &ObjectMeta) -> Option<ReportSummary> {
    let name = object.key.strip_prefix(place)?;
    let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
    let stem = file.len().checked_sub(4)?;
    if stem == 0 || !file.get(stem..)?.eq_ignore_ascii_case(".csv") {
        return None;
    }
    Some(ReportSummary {
        name: name.into(),
        report: folder.to_owned(),
        window: None,
        rows: None,
        bytes: object.size,
        created: object.modified,
        execution: None,
        sha256: None,
        key: object.key.clone(),
    })
}

/// The name of a downloaded file: nothing of a key can lead out of the folder, and no two keys have the same.
pub(super) fn file_name(key: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name = key.rsplit('/').next().unwrap_or(key);
    let name: String = name
        .chars()
        .map(|c| if plain(c) { c } else { '_' })
        .collect();
    // Names are at most 255 bytes long on common file systems.
    let start = name.len().saturating_sub(200);
    let digest = Sha256::digest(key.as_bytes());
    let short: String = digest
        .iter()
        .take(4)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{short}-{}", &name[start..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use lakehand_pipeline::ports::ETag;

    fn object(key: &str) -> ObjectMeta {
        ObjectMeta {
            key: key.to_owned(),
            size: 345,
            modified: "2026-01-31T09:00:05Z".parse().unwrap(),
            etag: ETag("1".to_owned()),
        }
    }

    #[test]
    fn what_a_listing_tells_is_told_and_no_more() {
        let found = summary(
            "exports/daily/",
            &object("exports/daily/2026/01/part-0.CSV"),
        )
        .unwrap();
        assert_eq!(
            (found.name.as_ref(), found.report.as_str()),
            ("2026/01/part-0.CSV", "2026/01")
        );
        assert_eq!(
            (found.rows, found.sha256, found.window, found.bytes),
            (None, None, None, 345)
        );
        assert_eq!(found.created.to_string(), "2026-01-31T09:00:05Z");
        for other in [
            "exports/daily/a.parquet",
            "exports/daily/.csv",
            "exports/daily/",
            "exports/other/a.csv",
            "exports/daily/ü",
        ] {
            assert_eq!(summary("exports/daily/", &object(other)), None, "{other}");
        }
    }

    #[test]
    fn no_key_leads_out_of_the_folder_of_downloads() {
        for key in ["exports/../../etc/x.csv", "exports/..", "a/\u{1b}[2J.csv"] {
            let name = file_name(key);
            assert!(
                !name.contains('/') && name != ".." && !name.contains('\u{1b}'),
                "{name}"
            );
        }
        assert_ne!(file_name("a/part-0.csv"), file_name("b/part-0.csv"));
    }
}
