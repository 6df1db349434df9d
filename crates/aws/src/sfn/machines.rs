//! Which state machines are the profile's: those of the pattern `<project>-<env>-…`, and those it names.

use std::time::Duration;

use aws_sdk_sfn::types::StateMachineType;
use futures::TryStreamExt;
use jiff::Timestamp;

use super::super::{Clients, call::Api, pages};
use lakehand_config::Profile;
use lakehand_host::definitions::place_on_board;
use lakehand_ops::{OpsError, OpsErrorKind, OpsResult, WorkflowName};

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

/// A state machine that the profile names or its pattern finds, and that cannot be operated.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Unusable {
    shown: WorkflowName,
    why: String,
}

/// What the profile's state machines are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Found {
    machines: Vec<Machine>,
    unusable: Vec<Unusable>,
}

/// The state machines of a profile, read once in a while.
#[derive(Debug, Default)]
pub(super) struct Machines {
    known: tokio::sync::Mutex<Option<(Timestamp, Found)>>,
}

impl Machines {
    /// All that can be operated, in the order of the Board.
    pub(super) async fn all(
        &self,
        clients: &Clients,
        profile: &Profile,
    ) -> OpsResult<Vec<Machine>> {
        Ok(self.found(clients, profile).await?.machines)
    }

    /// The names of all, in the order of the Board, of those too that cannot be operated: finding such a one tells why.
    pub(super) async fn names(
        &self,
        clients: &Clients,
        profile: &Profile,
    ) -> OpsResult<Vec<WorkflowName>> {
        let found = self.found(clients, profile).await?;
        let usable = found.machines.into_iter().map(|machine| machine.shown);
        let unusable = found.unusable.into_iter().map(|one| one.shown);
        Ok(usable.chain(unusable).collect())
    }

    async fn found(&self, clients: &Clients, profile: &Profile) -> OpsResult<Found> {
        let mut known = self.known.lock().await;
        if let Some((at, found)) = known.as_ref()
            && clients.is_young(*at, KNOWN_FOR)
        {
            return Ok(found.clone());
        }
        let found = read(clients, profile).await?;
        *known = kept(&found, clients.now());
        Ok(found)
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
        let own = |found: &Found| {
            let is_this =
                |machine: &&Machine| machine.shown == *name || machine.name() == name.as_ref();
            found.machines.iter().find(is_this).cloned()
        };
        let found = self.found(clients, profile).await?;
        if let Some(machine) = own(&found) {
            return Ok(machine);
        }
        if let Some(unusable) = found.unusable.iter().find(|one| one.shown == *name) {
            return Err(cannot_be_operated(unusable));
        }
        // It may have been deployed a moment ago.
        *self.known.lock().await = None;
        let found = self.found(clients, profile).await?;
        own(&found).ok_or_else(|| unknown(name, &found.machines, profile))
    }
}

fn cannot_be_operated(unusable: &Unusable) -> OpsError {
    OpsError::new(
        OpsErrorKind::NotFound,
        unusable.why.clone(),
        "deploy it, or name another state machine in the profile's aws.state_machines",
    )
}

/// What was read a moment ago, if it is worth keeping: where nothing is there, somebody is about to deploy.
fn kept(found: &Found, now: Timestamp) -> Option<(Timestamp, Found)> {
    (!found.machines.is_empty()).then(|| (now, found.clone()))
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

async fn read(clients: &Clients, profile: &Profile) -> OpsResult<Found> {
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

/// A state machine of the account and region.
#[derive(Debug, Clone)]
struct Listed {
    name: String,
    arn: String,
    /// Express executions keep no history that could be listed.
    express: bool,
}

async fn listed(clients: &Clients) -> OpsResult<Vec<Listed>> {
    let page = |token: Option<String>| async move {
        let call = clients.sfn.list_state_machines().max_results(1000);
        let answer = clients
            .call(
                LIST,
                "the account's state machines",
                call.set_next_token(token).send(),
            )
            .await?;
        let listed = answer
            .state_machines
            .into_iter()
            .map(|machine| Listed {
                express: machine.r#type == StateMachineType::Express,
                name: machine.name,
                arn: machine.state_machine_arn,
            })
            .collect::<Vec<_>>();
        Ok::<_, OpsError>((listed, answer.next_token))
    };
    pages(page).try_concat().await
}

/// What the profile names, then what its pattern finds.
fn chosen(profile: &Profile, listed: &[Listed]) -> Found {
    let mut found = Found::default();
    for (shown, own) in &profile.aws.state_machines {
        let shown: WorkflowName = shown.as_str().into();
        let there = listed
            .iter()
            .find(|one| one.name == *own || one.arn == *own);
        match there {
            Some(one) => found.add(shown, one),
            // Who may not list may still operate what is named by its ARN.
            None if own.starts_with("arn:") => found.machines.push(Machine {
                shown,
                arn: own.clone(),
            }),
            None => found.unusable.push(Unusable {
                why: format!(
                    "the profile {} names the state machine {own} for {shown}, and the account has none of that name in {}",
                    profile.name,
                    profile.aws.region.as_deref().unwrap_or("this region")
                ),
                shown,
            }),
        }
    }
    let prefix = profile.resource_name("");
    for one in listed {
        let Some(shown) = one
            .name
            .strip_prefix(&prefix)
            .filter(|rest| !rest.is_empty())
        else {
            continue;
        };
        if !found.has(shown, &one.name) {
            found.add(shown.into(), one);
        }
    }
    found.machines.sort_by(|left, right| {
        place_on_board(left.shown.as_ref()).cmp(&place_on_board(right.shown.as_ref()))
    });
    found
}

impl Found {
    fn add(&mut self, shown: WorkflowName, one: &Listed) {
        if one.express {
            let why = format!(
                "{} is an Express state machine: Step Functions keeps no list and no history of its executions",
                one.name
            );
            self.unusable.push(Unusable { shown, why });
        } else {
            let arn = one.arn.clone();
            self.machines.push(Machine { shown, arn });
        }
    }

    fn has(&self, shown: &str, name: &str) -> bool {
        let taken = |machine: &Machine| machine.shown.as_ref() == shown || machine.name() == name;
        let unusable = |one: &Unusable| one.shown.as_ref() == shown;
        self.machines.iter().any(taken) || self.unusable.iter().any(unusable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(part: &str, express: bool) -> Listed {
        Listed {
            name: format!("a-b-{part}"),
            arn: format!("arn:aws:states:r:1:stateMachine:a-b-{part}"),
            express,
        }
    }

    #[test]
    fn what_is_not_there_or_is_express_is_named_with_the_reason() {
        let home = lakehand_config::Home::below(std::path::Path::new("/nowhere"));
        let text = "[profiles.p]\nplatform = \"aws\"\nproject = \"a\"\nenv = \"b\"\n\
                    [profiles.p.aws]\nregion = \"eu-west-1\"\n\
                    [profiles.p.aws.state_machines]\nnightly = \"old-nightly\"\ncollect = \"a-b-collect\"\n";
        let config = lakehand_config::Config::parse(text, &home).unwrap();
        let profile = config.profile(Some("p")).unwrap();
        let found = chosen(
            profile,
            &[machine("collect", false), machine("quick", true)],
        );
        let usable: Vec<&str> = found
            .machines
            .iter()
            .map(|one| one.shown.as_ref())
            .collect();
        assert_eq!(usable, ["collect"]);
        let reasons: Vec<(&str, &str)> = found
            .unusable
            .iter()
            .map(|one| (one.shown.as_ref(), one.why.as_str()))
            .collect();
        assert_eq!(
            reasons,
            [
                (
                    "nightly",
                    "the profile p names the state machine old-nightly for nightly, and the account has none of that \
                     name in eu-west-1"
                ),
                (
                    "quick",
                    "a-b-quick is an Express state machine: Step Functions keeps no list and no history of its executions"
                ),
            ]
        );
    }

    #[test]
    fn what_matters_most_comes_first() {
        let home = lakehand_config::Home::below(std::path::Path::new("/nowhere"));
        let text = "[profiles.p]\nplatform = \"aws\"\nproject = \"a\"\nenv = \"b\"\n";
        let config = lakehand_config::Config::parse(text, &home).unwrap();
        let names = [
            "backfill",
            "scheduled",
            "zeta",
            "daily-report",
            "alpha",
            "datamart",
            "collect",
        ];
        let listed: Vec<_> = names.iter().map(|name| machine(name, false)).collect();
        let found = chosen(config.profile(Some("p")).unwrap(), &listed);
        let shown: Vec<&str> = found
            .machines
            .iter()
            .map(|one| one.shown.as_ref())
            .collect();
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
        assert!(kept(&Found::default(), Timestamp::now()).is_none());
        let machines = Machines::default();
        let found = Found {
            machines: vec![machine],
            unusable: Vec::new(),
        };
        *machines.known.lock().await = kept(&found, Timestamp::now());
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
