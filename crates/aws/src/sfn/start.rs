//! Starts that are never doubled: an execution has a name that a repeated start has too.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{
    super::call::{Api, CallFailure},
    StepFunctions,
    machines::Machine,
};
use lakehand_ops::{
    ExecutionId, ExecutionStatus, OpsError, OpsErrorKind, OpsResult, StartRequest,
    ports::Workflows,
    start::{COLLECTION, checked_name, collect_the_same, collects_the_same, input_with_window},
};
use lakehand_pipeline::window::Window;

const START: Api = Api::paced("states", "StartExecution", 200.0, 37.5);
/// Runs of the same workflow, window and input that get a name of ours.
const REPEATS: u32 = 20;
/// So many of the newest executions are looked through for collections that are at work.
const AT_WORK: usize = 50;

impl StepFunctions {
    /// Starts an execution under the request's name, or under one that a repeated start would have too.
    pub(super) async fn start_named(&self, request: StartRequest) -> OpsResult<ExecutionId> {
        let machine = self.machine(&request.workflow).await?;
        let input = input_with_window(request.input, request.window)?;
        if request.workflow.as_ref() == COLLECTION {
            self.refuse_the_same_collection(&machine, &input, None)
                .await?;
        }
        let input = input.to_string();
        let name = match request.name {
            Some(name) => {
                let name = checked_name(name)?;
                // AWS answers a repeated start of what still runs as if it were the first one.
                if self.status_of(&machine.execution(&name)).await?.is_some() {
                    return Err(exists(&machine, &name, "a name is taken for 90 days"));
                }
                name
            }
            None => self.derived_name(&machine, request.window, &input).await?,
        };
        let call = self
            .clients
            .sfn
            .start_execution()
            .state_machine_arn(&machine.arn)
            .name(&name)
            .input(input);
        let started = self.clients.call(START, &machine.arn, call.send()).await;
        let answer = match started {
            Ok(answer) => answer,
            Err(error) if error.failure == CallFailure::Conflict => {
                return Err(exists(&machine, &name, "somebody else has just started it"));
            }
            Err(error) => return Err(error.into()),
        };
        self.executions
            .goes_on(&machine.arn, &answer.execution_arn, 0)
            .await;
        Ok(answer.execution_arn.into())
    }

    /// Refuses a collection of days and streams that another one is collecting: two of them would write the same units
    /// side by side. A machine of somebody else may mean something else by its input, so only ours is judged.
    pub(super) async fn refuse_the_same_collection(
        &self,
        machine: &Machine,
        own: &Value,
        but: Option<&ExecutionId>,
    ) -> OpsResult<()> {
        let newest = self.executions_of(machine, AT_WORK).await?;
        for one in newest {
            if one.status != ExecutionStatus::Running || but == Some(&one.id) {
                continue;
            }
            let (input, _) = self.payloads(&one.id).await?;
            let input = serde_json::from_str(&input).unwrap_or_default();
            if !collect_the_same(own, &input) {
                continue;
            }
            let definition = self.definition_of(&one.id).await?;
            if self.is_ours(&one.id, &definition).await {
                return Err(collects_the_same(&one.name));
            }
        }
        Ok(())
    }

    /// A name for this start that a repeated start would have too: workflow, window and input decide. The number of
    /// earlier ones that have ended is put behind it, so that a window can be run again on purpose.
    async fn derived_name(
        &self,
        machine: &Machine,
        window: Option<Window>,
        input: &str,
    ) -> OpsResult<String> {
        let digest = Sha256::digest(format!("{}\n{input}", machine.arn));
        let short: String = digest[..6]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let base = match window {
            Some(window) => format!(
                "{}_{}-{short}",
                window.from().strftime("%Y%m%d"),
                window.to().strftime("%Y%m%d")
            ),
            None => short,
        };
        for repeat in 1..=REPEATS {
            let name = match repeat {
                1 => base.clone(),
                _ => format!("{base}-{repeat}"),
            };
            match self.status_of(&machine.execution(&name)).await? {
                None => return Ok(name),
                Some(ExecutionStatus::Running) => return Err(exists(machine, &name, "it runs")),
                Some(_) => {}
            }
        }
        Err(exists(
            machine,
            &base,
            "and so do those with a number behind it",
        ))
    }

    /// How an execution stands, if there is one.
    async fn status_of(&self, arn: &str) -> OpsResult<Option<ExecutionStatus>> {
        match self.executions.describe_now(&self.clients, arn).await {
            Ok(described) => Ok(Some(described.status)),
            Err(error) if error.kind == OpsErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn exists(machine: &Machine, name: &str, how: &str) -> OpsError {
    OpsError::new(
        OpsErrorKind::Conflict,
        format!(
            "an execution {name} of {} exists already: {how}",
            machine.shown
        ),
        "nothing was started; redrive or watch that one, or give another name with `lakehand run … --name NAME`",
    )
}
