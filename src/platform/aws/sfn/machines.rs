//! Which state machines are the profile's: those of the pattern `<project>-<env>-…`, and those it names.

use std::time::{Duration, Instant};

use aws_sdk_sfn::types::StateMachineType;
use futures::TryStreamExt;

use super::super::{Clients, call::Api, pages};
use crate::{
    config::Profile,
    ops::{OpsError, OpsErrorKind, OpsResult, WorkflowName},
    platform::definitions::place_on_board,
};

const LIST: Api = Api::paced("states", "ListStateMachines", 25.0, 1.25);
/// Deployments are rare; what is not found, or asked for anew, is looked for at once.
const KNOWN_FOR: Duration = Duration::from_secs(300);

/// A state machine of the profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Machine {
    /// The name the console shows.
    pub shown: WorkflowName,
    /// Where it is.
    pub arn: String,
}

impl Machine {
    /// The name in its ARN, without version or alias.
    pub(super) fn name(&self) -> &str {
        self.arn.split(':').nth(6).unwrap_or(&self.arn)
    }

    /// The ARN of an execution of this name.
    pub(super) fn execution(&self, name: &str) -> String {
        let mut parts: Vec<&str> = self.arn.split(':').take(7).collect();
        if let Some(kind) = parts.get_mut(5) {
            *kind = "execution";
        }
        parts.push(name);
        parts.join(":")
    }
}

/// The state machines of a profile, read once in a while.
#[derive(Debug, Default)]
pub(super) struct Machines {
    known: tokio::sync::Mutex<Option<(Instant, Vec<Machine>)>>,
}

impl Machines {
    /// All of them, in the order of the Board.
    pub(super) async fn all(
        &self,
        clients: &Clients,
        profile: &Profile,
    ) -> OpsResult<Vec<Machine>> {
        let mut known = self.known.lock().await;
        if let Some((at, machines)) = known.as_ref()
            && at.elapsed() < KNOWN_FOR
        {
            return Ok(machines.clone());
        }
        let machines = read(clients, profile).await?;
        *known = kept(&machines);
        Ok(machines)
    }

    /// What is asked next is to be as it is then. A list that is being read at this moment is new.
    pub(super) fn forget(&self) {
        if let Ok(mut known) = self.known.try_lock() {
            *known = None;
        }
    }

    /// The one with this name.
    pub(super) async fn find(
        &self,
        clients: &Clients,
        profile: &Profile,
        name: &WorkflowName,
    ) -> OpsResult<Machine> {
        let own = |machines: &[Machine]| {
            let found = machines
                .iter()
                .find(|machine| machine.shown == *name || machine.name() == name.as_ref());
            found.cloned()
        };
        if let Some(machine) = own(&self.all(clients, profile).await?) {
            return Ok(machine);
        }
        // It may have been deployed a moment ago.
        *self.known.lock().await = None;
        let machines = self.all(clients, profile).await?;
        own(&machines).ok_or_else(|| unknown(name, &machines, profile))
    }
}

/// What was read a moment ago, if it is worth keeping: where nothing is there, somebody is about to deploy.
fn kept(machines: &[Machine]) -> Option<(Instant, Vec<Machine>)> {
    (!machines.is_empty()).then(|| (Instant::now(), machines.to_vec()))
}

fn unknown(name: &WorkflowName, machines: &[Machine], profile: &Profile) -> OpsError {
    let mut known: Vec<&str> = machines
        .iter()
        .map(|machine| machine.shown.as_ref())
        .collect();
    known.sort_unstable();
    let known = if known.is_empty() {
        format!(
            "none, also none whose name begins with {}",
            profile.resource_name("")
        )
    } else {
        known.join(", ")
    };
    OpsError::new(
        OpsErrorKind::NotFound,
        format!("there is no workflow '{name}'; there are {known}"),
        "deploy it, or name its state machine in the profile's aws.state_machines",
    )
}

async fn read(clients: &Clients, profile: &Profile) -> OpsResult<Vec<Machine>> {
    let given = &profile.aws.state_machines;
    let listed = match listed(clients).await {
        Ok(listed) => listed,
        // Who may not list may still operate what the profile names by its ARN.
        Err(error) if given.values().any(|own| own.starts_with("arn:")) => {
            tracing::warn!(%error, "state machines could not be listed; only those with an ARN in the profile are known");
            Vec::new()
        }
        Err(error) => return Err(error),
    };
    Ok(chosen(profile, &listed))
}

/// Names and ARNs of every Standard state machine of the account and region.
async fn listed(clients: &Clients) -> OpsResult<Vec<(String, String)>> {
    let page = |token: Option<String>| async move {
        let call = clients.sfn.list_state_machines().max_results(1000);
        let answer = clients
            .call(
                LIST,
                "the account's state machines",
                call.set_next_token(token).send(),
            )
            .await?;
        // Express executions keep no history that could be listed.
        let standard = answer
            .state_machines
            .into_iter()
            .filter(|machine| machine.r#type != StateMachineType::Express)
            .map(|machine| (machine.name, machine.state_machine_arn))
            .collect::<Vec<_>>();
        Ok::<_, OpsError>((standard, answer.next_token))
    };
    pages(page).try_concat().await
}

/// What the profile names, then what its pattern finds.
fn chosen(profile: &Profile, listed: &[(String, String)]) -> Vec<Machine> {
    let mut machines: Vec<Machine> = Vec::new();
    for (shown, own) in &profile.aws.state_machines {
        let arn = if own.starts_with("arn:") {
            Some(own)
        } else {
            listed
                .iter()
                .find(|(name, _)| name == own)
                .map(|(_, arn)| arn)
        };
        match arn {
            Some(arn) => machines.push(Machine {
                shown: shown.as_str().into(),
                arn: arn.clone(),
            }),
            None => {
                tracing::warn!(
                    workflow = shown,
                    machine = own,
                    "the profile names a state machine that is not there"
                );
            }
        }
    }
    let prefix = profile.resource_name("");
    for (name, arn) in listed {
        let Some(shown) = name.strip_prefix(&prefix).filter(|rest| !rest.is_empty()) else {
            continue;
        };
        let taken = |machine: &Machine| machine.shown.as_ref() == shown || machine.name() == name;
        if !machines.iter().any(taken) {
            machines.push(Machine {
                shown: shown.into(),
                arn: arn.clone(),
            });
        }
    }
    machines.sort_by(|left, right| {
        place_on_board(left.shown.as_ref()).cmp(&place_on_board(right.shown.as_ref()))
    });
    machines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matters_most_comes_first() {
        let home = crate::config::Home::below(std::path::Path::new("/nowhere"));
        let text = "[profiles.p]\nplatform = \"aws\"\nproject = \"a\"\nenv = \"b\"\n";
        let config = crate::config::Config::parse(text, &home).unwrap();
        let names = [
            "backfill",
            "scheduled",
            "zeta",
            "daily-report",
            "alpha",
            "datamart",
            "collect",
        ];
        let listed: Vec<_> = names
            .iter()
            .map(|name| {
                (
                    format!("a-b-{name}"),
                    format!("arn:aws:states:r:1:stateMachine:a-b-{name}"),
                )
            })
            .collect();
        let machines = chosen(config.profile(Some("p")).unwrap(), &listed);
        let shown: Vec<&str> = machines.iter().map(|one| one.shown.as_ref()).collect();
        let wanted = [
            "collect",
            "daily-report",
            "datamart",
            "backfill",
            "alpha",
            "zeta",
            "scheduled",
        ];
        assert_eq!(shown, wanted);
    }

    #[tokio::test]
    async fn a_list_is_kept_until_it_is_forgotten_and_an_empty_one_never() {
        let machine = Machine {
            shown: "collect".into(),
            arn: "arn:aws:states:r:1:stateMachine:a-b-collect".to_owned(),
        };
        assert!(kept(&[]).is_none());
        let machines = Machines::default();
        *machines.known.lock().await = kept(&[machine]);
        assert!(machines.known.lock().await.is_some());
        machines.forget();
        assert!(machines.known.lock().await.is_none());
    }

    #[test]
    fn the_execution_of_a_machine_has_its_account_and_region() {
        let machine = |arn: &str| Machine {
            shown: "x".into(),
            arn: arn.to_owned(),
        };
        for arn in [
            "arn:aws:states:eu-west-1:123456789012:stateMachine:nightly",
            "arn:aws:states:eu-west-1:123456789012:stateMachine:nightly:live",
        ] {
            assert_eq!(machine(arn).name(), "nightly");
            assert_eq!(
                machine(arn).execution("one"),
                "arn:aws:states:eu-west-1:123456789012:execution:nightly:one"
            );
        }
    }
}
