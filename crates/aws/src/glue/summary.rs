//! What a crawl changed, from the summary in its history.
//!
//! The summary is JSON in JSON: `{"TABLE": "{\"ADD\": {\"Count\": 2, \"Details\": …}}", "PARTITION": …}`. Its inner form
//! is not documented, so it is read leniently: counts where there are some, names where there are any.

use serde_json::Value;

use lakehand_ops::Crawl;

/// Adds what the summary tells to a crawl.
pub(super) fn read(text: &str, crawl: &mut Crawl) {
    let Some(summary) = opened(&Value::String(text.to_owned())) else {
        return;
    };
    let of = |what: &str, change: &str| {
        let found = opened(summary.get(what)?)?;
        let change = opened(found.get(change)?)?;
        Some((count(&change), names(&change)))
    };
    let tables = |change: &str| {
        let (count, mut names) = of("TABLE", change).unwrap_or_default();
        // What is counted and not named is not lost.
        names.resize(names.len().max(count), "(not named)".to_owned());
        names
    };
    let partitions = |change: &str| of("PARTITION", change).map_or(0, |(count, _)| count as u64);
    crawl.tables_created = tables("ADD");
    crawl.tables_updated = tables("UPDATE");
    crawl.tables_deleted = tables("DELETE");
    crawl.partitions_added = partitions("ADD");
    crawl.partitions_removed = partitions("DELETE");
}

/// A value, or the one inside its text.
fn opened(value: &Value) -> Option<Value> {
    match value {
        Value::String(text) => serde_json::from_str(text).ok(),
        other => Some(other.clone()),
    }
}

fn count(change: &Value) -> usize {
    let count = change.get("Count").or_else(|| change.get("count"));
    let count = count.and_then(Value::as_u64).unwrap_or(0);
    usize::try_from(count).unwrap_or(0)
}

/// Every text below `Details`.
fn names(change: &Value) -> Vec<String> {
    let Some(details) = change.get("Details").or_else(|| change.get("details")) else {
        return Vec::new();
    };
    let mut names = Vec::new();
    gather(
        &opened(details).unwrap_or_else(|| details.clone()),
        &mut names,
    );
    names
}

fn gather(value: &Value, names: &mut Vec<String>) {
    match value {
        Value::String(text) => match serde_json::from_str::<Value>(text) {
            Ok(inner @ (Value::Array(_) | Value::Object(_))) => gather(&inner, names),
            _ => names.push(text.clone()),
        },
        Value::Array(values) => values.iter().for_each(|value| gather(value, names)),
        Value::Object(fields) => fields.values().for_each(|value| gather(value, names)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lakehand_ops::CrawlStatus;

    fn crawl_of(summary: &str) -> Crawl {
        let mut crawl = Crawl {
            status: CrawlStatus::Succeeded,
            started: jiff::Timestamp::UNIX_EPOCH,
            duration_ms: 0,
            tables_created: Vec::new(),
            tables_updated: Vec::new(),
            tables_deleted: Vec::new(),
            partitions_added: 0,
            partitions_removed: 0,
            files_read: 0,
            error: None,
        };
        read(summary, &mut crawl);
        crawl
    }

    #[test]
    fn json_in_json_tells_names_and_counts() {
        let crawl = crawl_of(
            r#"{"TABLE":"{\"ADD\":{\"Details\":\"{\\\"names\\\":[\\\"clicks\\\",\\\"offers\\\"]}\",\"Count\":2},\"UPDATE\":{\"Count\":1}}","PARTITION":"{\"ADD\":{\"Count\":8},\"DELETE\":{\"Count\":3}}"}"#,
        );
        assert_eq!(crawl.tables_created, ["clicks", "offers"]);
        assert_eq!(crawl.tables_updated, ["(not named)"]);
        assert_eq!((crawl.partitions_added, crawl.partitions_removed), (8, 3));
    }

    #[test]
    fn what_is_not_understood_tells_nothing() {
        for text in ["", "no JSON", "[]", r#"{"TABLE":7}"#] {
            assert_eq!(
                crawl_of(text).tables_created,
                Vec::<String>::new(),
                "{text}"
            );
        }
    }
}
