//! The deployer against scripted stacks: what it asks for, in which order, and what it refuses.

use std::sync::Mutex;

use async_trait::async_trait;

use super::*;

/// Stacks that do what they are told at once, and remember what they were told. Only a deletion takes its time.
#[derive(Debug, Default)]
struct Scripted {
    stacks: Mutex<BTreeMap<String, StackState>>,
    calls: Mutex<Vec<String>>,
    /// What the next change sets of a stack hold, first one first.
    changes: Mutex<BTreeMap<String, Vec<Vec<Change>>>>,
    fails: Mutex<Option<String>>,
    /// Looks at a stack whose deletion was asked for until it is gone.
    going: Mutex<BTreeMap<String, u32>>,
}

fn change(action: Action, logical_id: &str) -> Change {
    Change {
        action,
        logical_id: logical_id.to_owned(),
        resource_type: "AWS::S3::Bucket".to_owned(),
        physical_id: None,
        properties: Vec::new(),
    }
}

fn event(number: usize, logical_id: &str, status: &str, reason: Option<&str>) -> StackEvent {
    StackEvent {
        id: number.to_string(),
        at: jiff::Timestamp::UNIX_EPOCH,
        logical_id: logical_id.to_owned(),
        resource_type: "AWS::S3::Bucket".to_owned(),
        status: status.to_owned(),
        reason: reason.map(str::to_owned),
    }
}

impl Scripted {
    fn with(self, stack: &str, status: &str, outputs: &[(&str, &str)]) -> Self {
        let outputs = outputs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        let state = StackState {
            status: status.to_owned(),
            reason: None,
            outputs: outputs.collect(),
        };
        self.stacks.lock().unwrap().insert(stack.to_owned(), state);
        self
    }

    fn changing(self, stack: &str, sets: &[&[Change]]) -> Self {
        let sets = sets.iter().map(|set| set.to_vec()).collect();
        self.changes.lock().unwrap().insert(stack.to_owned(), sets);
        self
    }

    fn called(&self, what: String) {
        self.calls.lock().unwrap().push(what);
    }

    fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }
}

#[async_trait]
impl Stacks for Scripted {
    async fn place(&self) -> OpsResult<(String, String)> {
        Ok(("210987654321".to_owned(), "eu-west-1".to_owned()))
    }

    async fn state(&self, stack: &str) -> OpsResult<Option<StackState>> {
        let (mut stacks, mut going) = (self.stacks.lock().unwrap(), self.going.lock().unwrap());
        if let Some(looks) = going.get_mut(stack) {
            *looks -= 1;
            if *looks == 0 {
                going.remove(stack);
                stacks.remove(stack);
            }
        }
        Ok(stacks.get(stack).cloned())
    }

    async fn prepare(&self, request: &StackRequest) -> OpsResult<Prepared> {
        let given = request.parameters.get("Key").cloned().unwrap_or_default();
        self.called(format!("prepare {} {given}", request.name));
        if self.going.lock().unwrap().contains_key(&request.name) {
            return Err(OpsError::new(
                OpsErrorKind::InvalidInput,
                format!("{} is being deleted", request.name),
                "",
            ));
        }
        let mut all = self.changes.lock().unwrap();
        let Some(sets) = all.get_mut(&request.name).filter(|sets| !sets.is_empty()) else {
            return Ok(Prepared::NoChange);
        };
        let mut stacks = self.stacks.lock().unwrap();
        let state = stacks.entry(request.name.clone()).or_default();
        if state.status.is_empty() {
            state.status = "REVIEW_IN_PROGRESS".to_owned();
        }
        Ok(Prepared::ChangeSet {
            id: format!("set-{}", request.name),
            creates: state.status == "REVIEW_IN_PROGRESS",
            changes: sets.remove(0),
        })
    }

    async fn discard(&self, stack: &str, _: &str, creates: bool) -> OpsResult<()> {
        self.called(format!("discard {stack}"));
        if creates {
            self.delete(stack).await?;
        }
        Ok(())
    }

    async fn execute(&self, stack: &str, _: &str) -> OpsResult<()> {
        self.called(format!("execute {stack}"));
        let mut stacks = self.stacks.lock().unwrap();
        let state = stacks.entry(stack.to_owned()).or_default();
        let fails = self.fails.lock().unwrap().as_deref() == Some(stack);
        let status = if fails {
            "ROLLBACK_COMPLETE"
        } else {
            "CREATE_COMPLETE"
        };
        state.status = status.to_owned();
        state.outputs = BTreeMap::from([("Key".to_owned(), "real".to_owned())]);
        Ok(())
    }

    async fn delete(&self, stack: &str) -> OpsResult<()> {
        self.called(format!("delete {stack}"));
        if let Some(state) = self.stacks.lock().unwrap().get_mut(stack) {
            state.status = "DELETE_IN_PROGRESS".to_owned();
            self.going.lock().unwrap().insert(stack.to_owned(), 3);
        }
        Ok(())
    }

    async fn events(&self, stack: &str, after: Option<&str>) -> OpsResult<Vec<StackEvent>> {
        let executed = self.calls().contains(&format!("execute {stack}"));
        let failed = self.fails.lock().unwrap().as_deref() == Some(stack);
        let events = match (executed, failed) {
            (false, _) => vec![],
            (true, false) => vec![event(1, stack, "CREATE_COMPLETE", None)],
            (true, true) => vec![
                event(1, stack, "CREATE_IN_PROGRESS", None),
                event(2, "Bucket", "CREATE_FAILED", Some("the name is taken")),
                event(
                    3,
                    "Other",
                    "CREATE_FAILED",
                    Some("Resource creation cancelled"),
                ),
                event(4, stack, "ROLLBACK_COMPLETE", None),
            ],
        };
        let skip = after.map_or(0, |after| after.parse().unwrap());
        Ok(events.into_iter().skip(skip).collect())
    }

    async fn drift(&self, _: &str) -> OpsResult<Vec<Drifted>> {
        Ok(Vec::new())
    }

    async fn upload(&self, bucket: &str, key: &str, _: Vec<u8>, _: &str) -> OpsResult<bool> {
        self.called(format!("upload {bucket}/{key}"));
        Ok(true)
    }

    async fn delete_bucket(&self, _: &str) -> OpsResult<u64> {
        Ok(0)
    }
}

struct Two;

impl Parts for Two {
    fn parts(&self) -> Vec<&'static str> {
        vec!["one", "two"]
    }

    fn request(&self, part: &str, outputs: &BTreeMap<String, String>) -> OpsResult<StackRequest> {
        let takes_key = part == "two";
        Ok(StackRequest {
            name: part.to_owned(),
            template: String::new(),
            template_bucket: String::new(),
            parameters: if takes_key {
                outputs.clone()
            } else {
                BTreeMap::new()
            },
            declared: if takes_key {
                vec!["Key".to_owned()]
            } else {
                Vec::new()
            },
        })
    }

    fn stand_in(&self, parameter: &str) -> String {
        format!("some-{parameter}")
    }

    fn objects(&self) -> Vec<(String, String, Vec<u8>, String)> {
        vec![("b".to_owned(), "k".to_owned(), Vec::new(), String::new())]
    }
}

#[derive(Default)]
struct Told(Mutex<Vec<String>>);

impl Watcher for Told {
    fn part(&self, part: &str, what: &str) {
        self.0.lock().unwrap().push(format!("{part}: {what}"));
    }

    fn event(&self, part: &str, event: &StackEvent) {
        self.part(part, &format!("{} {}", event.logical_id, event.status));
    }
}

fn deployer(stacks: &Scripted) -> Deployer<'_> {
    Deployer::new(stacks, &Two).looking_every(Duration::from_millis(1))
}

#[tokio::test]
async fn a_first_deployment_is_planned_with_stand_ins_and_made_with_real_values() {
    let adds = [change(Action::Add, "Bucket")];
    let stacks = Scripted::default()
        .changing("one", &[&adds])
        .changing("two", &[&adds, &adds]);
    let plan = deployer(&stacks).plan().await.unwrap();
    assert!(!plan.is_empty() && plan.destructive().next().is_none());
    assert!(!plan.stacks[0].provisional && plan.stacks[1].provisional);
    let told = Told::default();
    let outputs = deployer(&stacks).deploy(&plan, &told).await.unwrap();
    assert_eq!(
        stacks.calls(),
        [
            "prepare one ",
            "prepare two some-Key",
            "execute one",
            "upload b/k",
            "discard two",
            "prepare two real",
            "execute two"
        ]
    );
    assert_eq!(outputs["two"]["Key"], "real");
    let told = told.0.into_inner().unwrap();
    assert!(
        told.contains(&"two: two CREATE_COMPLETE".to_owned()),
        "{told:?}"
    );
}

/// A deletion goes on after it was asked for, and until its end CloudFormation makes no stack of that name.
#[tokio::test]
async fn what_is_deleted_is_waited_for() {
    let adds = [change(Action::Add, "Bucket")];
    let stacks = Scripted::default().changing("one", &[&adds, &adds]);
    let plan = deployer(&stacks).plan().await.unwrap();
    deployer(&stacks).forget(&plan).await.unwrap();
    assert!(stacks.stacks.lock().unwrap().is_empty());
    assert!(stacks.going.lock().unwrap().is_empty());
    // Also when it was somebody else's.
    let stacks = stacks.with("one", "CREATE_COMPLETE", &[]);
    stacks.delete("one").await.unwrap();
    let plan = deployer(&stacks).plan().await.unwrap();
    assert_eq!(plan.stacks[0].status, None);
    assert!(matches!(
        plan.stacks[0].prepared,
        Prepared::ChangeSet { creates: true, .. }
    ));
}

#[tokio::test]
async fn what_is_as_it_should_be_is_left_alone() {
    let key = [("Key", "real")];
    let stacks = Scripted::default()
        .with("one", "CREATE_COMPLETE", &key)
        .with("two", "UPDATE_COMPLETE", &key);
    let plan = deployer(&stacks).plan().await.unwrap();
    assert!(plan.is_empty());
    deployer(&stacks)
        .deploy(&plan, &Told::default())
        .await
        .unwrap();
    assert!(
        !stacks
            .calls()
            .iter()
            .any(|call| call.starts_with("execute"))
    );
}

#[tokio::test]
async fn nothing_is_destroyed_that_the_plan_did_not_say() {
    let add = [change(Action::Add, "Bucket")];
    let delete = [change(Action::Delete, "Data")];
    let stacks = Scripted::default()
        .with("one", "CREATE_COMPLETE", &[("Key", "old")])
        .with("two", "CREATE_COMPLETE", &[("Key", "old")])
        .changing("one", &[&add])
        .changing("two", &[&add, &delete]);
    let plan = deployer(&stacks).plan().await.unwrap();
    let error = deployer(&stacks)
        .deploy(&plan, &Told::default())
        .await
        .unwrap_err();
    assert!(error.message.contains("DELETE Data"), "{error}");
    assert!(!stacks.calls().contains(&"execute two".to_owned()));
}

#[tokio::test]
async fn the_first_failed_event_is_the_cause() {
    let stacks = Scripted::default().changing("one", &[&[change(Action::Add, "Bucket")]]);
    *stacks.fails.lock().unwrap() = Some("one".to_owned());
    let plan = deployer(&stacks).plan().await.unwrap();
    let error = deployer(&stacks)
        .deploy(&plan, &Told::default())
        .await
        .unwrap_err();
    assert!(
        error
            .message
            .contains("Bucket (AWS::S3::Bucket): the name is taken"),
        "{error}"
    );
}

#[tokio::test]
async fn a_creation_that_failed_is_cleared_away_first() {
    let adds = [change(Action::Add, "Bucket")];
    let stacks = Scripted::default()
        .with("one", "ROLLBACK_COMPLETE", &[])
        .changing("one", &[&adds]);
    let plan = deployer(&stacks).plan().await.unwrap();
    assert!(plan.stacks[0].deleted_first && !plan.is_empty());
    deployer(&stacks)
        .deploy(&plan, &Told::default())
        .await
        .unwrap();
    let calls = stacks.calls();
    assert_eq!(
        calls.iter().position(|call| call == "delete one"),
        Some(1),
        "{calls:?}"
    );
    assert!(calls.contains(&"execute one".to_owned()));
}

#[tokio::test]
async fn a_stack_under_way_or_broken_stops_the_plan_and_leaves_nothing_behind() {
    let adds = [change(Action::Add, "Bucket")];
    for (status, kind) in [
        ("UPDATE_IN_PROGRESS", OpsErrorKind::Conflict),
        ("UPDATE_ROLLBACK_FAILED", OpsErrorKind::NotPossible),
    ] {
        let stacks = Scripted::default()
            .with("two", status, &[])
            .changing("one", &[&adds]);
        let error = deployer(&stacks).plan().await.unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert!(stacks.calls().contains(&"discard one".to_owned()));
    }
}
