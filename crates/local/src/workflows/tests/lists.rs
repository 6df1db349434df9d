//! Lists of many executions, and readers beside a writer.

use super::*;
use crate::state::{Ending, ExecutionRow, NewExecution, Progress, StepRecord};
use lakehand_ops::ExecutionStatus;

/// Ten thousand executions of two workflows over a hundred windows; every seventh failed.
fn fill(store: &StateStore, count: i64) {
    let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    store
        .write_now(|transaction| {
            for number in 0..count {
                let workflow = if number % 2 == 0 {
                    "collect"
                } else {
                    "daily-report"
                };
                let started = start + SignedDuration::from_secs(number * 60);
                let failed = number % 7 == 0;
                let day = jiff::civil::date(2026, 1, 1)
                    .saturating_add(jiff::Span::new().days(number % 100));
                let new = NewExecution {
                    id: format!("{workflow}:{number}"),
                    workflow: workflow.to_owned(),
                    name: number.to_string(),
                    definition: "{}".into(),
                    input: "{}".to_owned(),
                    started,
                    window: Some(lakehand_pipeline::window::Window::day(day)),
                    parent: None,
                    token: "nobody".to_owned(),
                };
                let ending = Ending {
                    status: if failed {
                        ExecutionStatus::Failed
                    } else {
                        ExecutionStatus::Succeeded
                    },
                    at: started + SignedDuration::from_secs(30),
                    output: None,
                    error: failed.then(|| "BadCredentials".to_owned()),
                };
                let progress = Progress {
                    current_stage: Some("Collect".to_owned()),
                    ending: Some(ending),
                    redriven: false,
                    idle: SignedDuration::ZERO,
                };
                new.insert(
                    transaction,
                    &StepRecord {
                        events: vec![(1, "{}".to_owned())],
                        snapshot: "{}".to_owned(),
                        progress,
                    },
                )?;
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn ten_thousand_executions_are_listed_from_an_index() {
    let folder = tempfile::tempdir().unwrap();
    let store = StateStore::open(&folder.path().join("state.sqlite")).unwrap();
    fill(&store, 10_000);
    let now = Timestamp::now();
    let (rows, all, last) = store
        .read_now(|connection| {
            Ok((
                ExecutionRow::newest(connection, Some("daily-report"), 50, now)?,
                ExecutionRow::newest(connection, None, 20_000, now)?,
                ExecutionRow::last_success(connection, "collect")?,
            ))
        })
        .unwrap();
    let names: Vec<&str> = rows
        .iter()
        .map(|row| row.summary.name.as_str())
        .take(3)
        .collect();
    assert_eq!(names, ["9999", "9997", "9995"]);
    assert_eq!((rows.len(), all.len()), (50, 10_000));
    // 9996 is a multiple of seven, and failed; 9998 is the newest success of collect.
    assert_eq!(
        last,
        Some(
            "2026-01-01T00:00:30Z".parse::<Timestamp>().unwrap()
                + SignedDuration::from_secs(9998 * 60)
        )
    );
    // A failure counts as fixed where the same workflow and window succeeded later; naively over all rows:
    for row in all
        .iter()
        .filter(|row| row.summary.status == ExecutionStatus::Failed)
        .step_by(97)
    {
        let one = &row.summary;
        let fixed = all.iter().map(|row| &row.summary).any(|other| {
            other.status == ExecutionStatus::Succeeded
                && other.workflow == one.workflow
                && other.window == one.window
                && other.started > one.started
        });
        assert_eq!(one.superseded, fixed, "{}", one.id);
    }
    assert!(all.iter().any(|row| row.summary.superseded));
    for sql in [
        "SELECT key FROM executions WHERE workflow = 'collect' ORDER BY started DESC, key DESC LIMIT 20",
        "SELECT key FROM executions WHERE NULL IS NULL ORDER BY started DESC, key DESC LIMIT 20",
        "SELECT max(ended) FROM executions WHERE workflow = 'collect' AND status = 'SUCCEEDED'",
        "SELECT event FROM events WHERE execution = 5 AND id > 7 ORDER BY id",
        "SELECT 1 FROM executions later WHERE later.status = 'SUCCEEDED' AND later.workflow = 'a' AND later.window_from = 'b' \
         AND later.window_to = 'c' AND later.started > 5",
    ] {
        let plan = plan_of(&store, sql);
        assert!(!plan.contains("TEMP B-TREE"), "{sql} sorts: {plan}");
        assert!(plan.contains("USING"), "{sql} looks at every row: {plan}");
    }
}

fn plan_of(store: &StateStore, sql: &str) -> String {
    store
        .read_now(|connection| {
            let mut statement = connection
                .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
                .unwrap();
            let lines = statement
                .query_map([], |row| row.get::<_, String>(3))
                .unwrap();
            Ok(lines.map(Result::unwrap).collect::<Vec<_>>().join("; "))
        })
        .unwrap()
}

#[tokio::test]
async fn others_read_while_one_writes_and_never_see_half_a_step() {
    let folder = tempfile::tempdir().unwrap();
    let resources = Scripted::new().says("work", |input, _| Ok(input.clone()));
    let items: Vec<u32> = (0..40).collect();
    let iteration = json!({ "StartAt": "Work", "States": { "Work": task("work", json!({})) } });
    let states = json!({ "Each": { "Type": "Map", "ItemsPath": "$.items", "MaxConcurrency": 4, "ItemProcessor": iteration, "End": true } });
    let (workflows, _) = with_states(folder.path(), "Each", states, resources);
    let id = workflows
        .start(request("w", json!({ "items": items })))
        .await
        .unwrap();
    // As another process has it: connections of its own.
    let (reader, _) = with_states(
        folder.path(),
        "P",
        json!({ "P": { "Type": "Pass", "End": true } }),
        Scripted::new(),
    );
    let mut looks = 0;
    loop {
        let events = history(&reader, &id).await;
        let summary = reader.describe(&id).await.unwrap();
        let timeline = lakehand_workflow::history::Timeline::of(&events);
        looks += 1;
        assert!(!events.is_empty());
        if timeline.head.status != lakehand_workflow::history::ExecutionStatus::Running {
            assert_eq!(summary.status, ExecutionStatus::Succeeded);
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(looks > 2, "the writer was done before anybody looked");
    assert_eq!(
        reader.wait(&id).await.unwrap().status,
        ExecutionStatus::Succeeded
    );
    assert_eq!(output(&reader, &id).await, json!(items));
}

#[test]
fn a_file_of_a_newer_version_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.sqlite");
    drop(StateStore::open(&path).unwrap());
    rusqlite::Connection::open(&path)
        .unwrap()
        .pragma_update(None, "user_version", 99)
        .unwrap();
    let error = StateStore::open(&path).unwrap_err().to_string();
    assert!(
        error.contains("schema 99") && error.contains("newer lakehand"),
        "{error}"
    );
}
