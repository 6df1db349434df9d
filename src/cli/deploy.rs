//! `lakehand deploy`: the stacks of a profile on AWS.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, BufRead, IsTerminal, Write},
    path::{Path, PathBuf},
};

use clap::Args;

use super::{CliError, Ended, OutputFormat, VerbResult, print_as, standard_error};
use crate::{
    config::{Config, Home, PlatformKind, Profile},
    ops::{
        deploy::{Action, Change, Deployer, Plan, PlannedStack, Prepared, StackEvent, Watcher},
        ports::Stacks,
    },
    pipeline::text::for_terminal,
    platform::{
        aws::stacks::CloudFormation,
        deployment::{Deployment, GA_REPORT, Package, Stack, export},
    },
};

/// Outputs by part and name.
type Outputs = BTreeMap<String, BTreeMap<String, String>>;

/// `lakehand deploy`
#[derive(Debug, Args)]
pub struct DeployArgs {
    /// Only say what would change.
    #[arg(long)]
    plan: bool,
    /// Do not ask. What destroys something, and a protected profile, is asked about all the same.
    #[arg(long)]
    yes: bool,
    /// The profile's name, in place of typing it when asked.
    #[arg(long, value_name = "PROFILE")]
    confirm: Option<String>,
    /// The functions' zip of `lakehand package`; without it they keep the program they have.
    #[arg(long, value_name = "FILE")]
    package: Option<PathBuf>,
    /// Write everything into a folder instead, for other tools.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["plan", "yes"])]
    export: Option<PathBuf>,
    /// A parameter of the stacks, such as NotificationEmail=on-call@example.com; kept until it is given again.
    #[arg(long, value_name = "NAME=VALUE")]
    parameter: Vec<String>,
    /// Compare what is deployed with what the stacks made; takes minutes.
    #[arg(long, conflicts_with_all = ["plan", "yes", "export"])]
    drift: bool,
}

/// What this verb and `destroy` work with.
pub(super) struct Site {
    pub(super) profile: Profile,
    pub(super) stacks: CloudFormation,
    pub(super) account: String,
    pub(super) region: String,
}

pub(super) async fn site(profile: Profile) -> Result<Site, CliError> {
    let stacks = CloudFormation::open(&profile).await;
    let (account, region) = stacks.place().await?;
    if let Some(only) = profile
        .aws
        .account
        .as_ref()
        .filter(|only| **only != account)
    {
        return Err(CliError::not_possible(
            format!(
                "the profile {} is of account {only}, and these credentials are of {account}",
                profile.name
            ),
            "choose other credentials (AWS_PROFILE), or correct account in the profile",
        ));
    }
    Ok(Site {
        profile,
        stacks,
        account,
        region,
    })
}

pub(super) fn profile(name: Option<&str>, changes: Option<&str>) -> Result<Profile, CliError> {
    let config = Config::load(&Home::find()?)?;
    let profile = config.profile(name)?.clone();
    if profile.platform != PlatformKind::Aws {
        return Err(CliError::usage(
            format!("the profile {} is not on AWS", profile.name),
            "choose one with platform = \"aws\" by --profile; the README shows such a profile",
        ));
    }
    if let Some(what) = changes.filter(|_| profile.read_only) {
        return Err(CliError::not_possible(
            format!(
                "the profile {} is read-only: {what} was refused",
                profile.name
            ),
            "choose another profile, or set read_only = false in its configuration",
        ));
    }
    Ok(profile)
}

/// Deploys, plans, exports or compares.
///
/// # Errors
/// When a stack fails, somebody else deploys, or the answer is no.
pub async fn run(args: &DeployArgs, name: Option<&str>, output: OutputFormat) -> VerbResult {
    let looks = args.export.is_some() || args.drift;
    let profile = profile(name, (!looks).then_some("a deployment"))?;
    let package = args.package.as_deref().map(read_package).transpose()?;
    let own = own_parameters(&args.parameter)?;
    if let Some(folder) = &args.export {
        return export_to(folder, &profile, package, own, output).await;
    }
    let site = site(profile).await?;
    if args.drift {
        return drift(&site, output).await;
    }
    let has_package = package.is_some();
    let deployment = Deployment::new(&site.profile, &site.account, &site.region, package, own)?;
    if !has_package {
        functions_are_there(&site, &deployment).await?;
    }
    let deployer = Deployer::new(&site.stacks, &deployment);
    let plan = deployer.plan().await?;
    if args.plan {
        deployer.forget(&plan).await?;
        print_as(output, &plan, |out| write_plan(out, &plan))?;
        return Ok(Ended::Well);
    }
    if output == OutputFormat::Text {
        print_as(output, &(), |out| write_plan(out, &plan))?;
    }
    // Objects are put even when no stack changes: somebody may have deleted one.
    if !plan.is_empty()
        && let Err(error) = agreed(args, &site.profile, &plan)
    {
        deployer.forget(&plan).await?;
        return Err(error);
    }
    let outputs = deployer.deploy(&plan, &Told).await?;
    let value = serde_json::json!({ "plan": plan, "outputs": outputs });
    print_as(output, &value, |out| write_outputs(out, &outputs))?;
    Ok(Ended::Well)
}

/// On a first deployment somebody has to bring the program.
async fn functions_are_there(site: &Site, deployment: &Deployment) -> Result<(), CliError> {
    let stack = deployment.stack_name(Stack::TransformationResources);
    let there = site.stacks.state(&stack).await?;
    if there.is_some_and(|state| !state.outputs.is_empty()) {
        return Ok(());
    }
    Err(CliError::usage(
        "the functions were never deployed, and no package was given",
        "make one with `lakehand package`, then deploy it with --package FILE",
    ))
}

fn read_package(path: &Path) -> Result<Package, CliError> {
    let refused = |why: String| {
        CliError::usage(
            format!("could not use the package {}: {why}", path.display()),
            "make it with `lakehand package`",
        )
    };
    let bytes = fs::read(path).map_err(|error| refused(error.to_string()))?;
    Package::of_zip(bytes).map_err(|error| refused(error.to_string()))
}

fn own_parameters(given: &[String]) -> Result<BTreeMap<String, String>, CliError> {
    let pair = |text: &String| match text.split_once('=') {
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => Err(CliError::usage(
            format!("'{text}' is not NAME=VALUE"),
            "write it like --parameter NotificationEmail=on-call@example.com",
        )),
    };
    given.iter().map(pair).collect()
}

async fn export_to(
    folder: &Path,
    profile: &Profile,
    package: Option<Package>,
    own: BTreeMap<String, String>,
    output: OutputFormat,
) -> VerbResult {
    // Where the profile names both, nobody has to be asked.
    let (account, region) = match (&profile.aws.account, &profile.aws.region) {
        (Some(account), Some(region)) => (account.clone(), region.clone()),
        _ => CloudFormation::open(profile).await.place().await?,
    };
    let deployment = Deployment::new(profile, &account, &region, package, own)?;
    let files = export::files(&deployment)?;
    export::write(&files, folder).map_err(|error| {
        CliError::platform(
            format!("could not write the export: {error}"),
            "check the folder and the disk",
        )
    })?;
    let names: Vec<_> = files.keys().collect();
    let value = serde_json::json!({ "folder": folder, "files": names });
    print_as(output, &value, |out| {
        writeln!(
            out,
            "{} files in {}; README.md there has the commands",
            names.len(),
            folder.display()
        )
    })?;
    Ok(Ended::Well)
}

async fn drift(site: &Site, output: OutputFormat) -> VerbResult {
    let mut all = BTreeMap::new();
    for stack in Stack::ALL {
        let name = site.profile.resource_name(stack.part());
        if site.stacks.state(&name).await?.is_some() {
            all.insert(name.clone(), site.stacks.drift(&name).await?);
        }
    }
    print_as(output, &all, |out| {
        for (stack, drifted) in &all {
            if drifted.is_empty() {
                writeln!(out, "{stack}: as it was made")?;
            }
            for one in drifted {
                let properties = one.properties.join(", ");
                writeln!(
                    out,
                    "{stack}: {} {} ({}) {properties}",
                    one.status, one.logical_id, one.resource_type
                )?;
            }
        }
        Ok(())
    })?;
    let same = all.values().all(Vec::is_empty);
    Ok(if same { Ended::Well } else { Ended::Failed })
}

/// Asks, in a way that fits what would happen.
fn agreed(args: &DeployArgs, profile: &Profile, plan: &Plan) -> Result<(), CliError> {
    if plan.destructive().next().is_some() {
        return typed(
            profile,
            args.confirm.as_deref(),
            "this replaces or deletes what is there",
        );
    }
    if profile.protected {
        return typed(
            profile,
            args.confirm.as_deref(),
            "this profile is protected",
        );
    }
    if args.yes {
        return Ok(());
    }
    let answer = ask(
        "Deploy this? [y/N] ",
        "give --yes to deploy without a question",
    )?;
    if ["y", "yes"].contains(&answer.to_lowercase().as_str()) {
        return Ok(());
    }
    Err(CliError::not_possible(
        "nothing was deployed: the answer was no",
        "",
    ))
}

/// Wants the profile's name, typed or given.
pub(super) fn typed(profile: &Profile, given: Option<&str>, why: &str) -> Result<(), CliError> {
    let advice = "give --confirm with the profile's name";
    let answer = match given {
        Some(name) => name.to_owned(),
        None => ask(&format!("{why}; type {} to go on: ", profile.name), advice)?,
    };
    if answer == profile.name {
        return Ok(());
    }
    Err(CliError::not_possible(
        format!(
            "nothing was done: {why}, and '{answer}' is not {}",
            profile.name
        ),
        advice,
    ))
}

fn ask(question: &str, advice: &str) -> Result<String, CliError> {
    if !io::stdin().is_terminal() {
        return Err(CliError::usage(
            "this needs an answer, and standard input is no terminal",
            advice,
        ));
    }
    let mut err = standard_error();
    write!(err, "{question}")?;
    err.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim().to_owned())
}

/// Progress goes to standard error.
pub(super) struct Told;

impl Watcher for Told {
    fn part(&self, part: &str, what: &str) {
        let _ = writeln!(standard_error(), "{part}: {what}");
    }

    fn event(&self, part: &str, event: &StackEvent) {
        let reason = event.reason.as_deref().unwrap_or_default();
        let line = format!(
            "{part}: {} {} {} {reason}",
            event.at.strftime("%H:%M:%S"),
            event.status,
            event.logical_id
        );
        let _ = writeln!(standard_error(), "{}", line.trim_end());
    }
}

fn write_plan(out: &mut dyn Write, plan: &Plan) -> io::Result<()> {
    writeln!(out, "account {}, region {}", plan.account, plan.region)?;
    for stack in &plan.stacks {
        writeln!(out, "{}: {}", stack.stack, headline(stack))?;
        for change in stack.prepared.changes() {
            writeln!(out, "{}", change_line(change))?;
        }
    }
    let lost = plan.destructive().count();
    if lost > 0 {
        let word = if lost == 1 { "resource" } else { "resources" };
        writeln!(out, "{lost} {word} would be replaced or deleted")?;
    } else if plan.is_empty() {
        writeln!(out, "no change")?;
    }
    let mut changes = plan
        .stacks
        .iter()
        .flat_map(|stack| stack.prepared.changes());
    if changes.any(forgets_metrics) {
        writeln!(
            out,
            "Google Analytics: what the crawler knows of the changed reports' metrics is forgotten; run `lakehand crawl ga` afterwards"
        )?;
    }
    Ok(())
}

/// A table's columns are replaced as a whole, and the template does not know which type a metric has.
fn forgets_metrics(change: &Change) -> bool {
    change.action == Action::Modify && change.logical_id.starts_with(GA_REPORT)
}

fn headline(stack: &PlannedStack) -> String {
    let count = stack.prepared.changes().len();
    let plural = if count == 1 { "" } else { "s" };
    match &stack.prepared {
        _ if stack.deleted_first => {
            "its creation failed before; it is cleared away and made anew".to_owned()
        }
        Prepared::NoChange => "no change".to_owned(),
        Prepared::Later { bucket } => format!(
            "new; its template is larger than a call may be, and goes through {bucket} once that is made"
        ),
        Prepared::ChangeSet { creates: true, .. } if stack.provisional => {
            format!(
                "new, {count} resource{plural} (planned with stand-ins for names of stacks before it)"
            )
        }
        Prepared::ChangeSet { creates: true, .. } => format!("new, {count} resource{plural}"),
        Prepared::ChangeSet { .. } => format!("{count} change{plural}"),
    }
}

fn change_line(change: &Change) -> String {
    let properties = if change.properties.is_empty() {
        String::new()
    } else {
        format!(": {}", change.properties.join(", "))
    };
    let physical = change
        .physical_id
        .as_ref()
        .filter(|_| change.action.destroys())
        .map_or_else(String::new, |id| format!(" [{}]", for_terminal(id)));
    format!(
        "  {:<14} {} ({}){physical}{properties}",
        change.action.word(),
        change.logical_id,
        change.resource_type
    )
}

fn write_outputs(out: &mut dyn Write, outputs: &Outputs) -> io::Result<()> {
    for (part, outputs) in outputs {
        for (name, value) in outputs {
            writeln!(out, "{part}.{name} = {}", for_terminal(value))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(action: Action, logical_id: &str) -> String {
        let change = Change {
            action,
            logical_id: logical_id.to_owned(),
            resource_type: "AWS::Glue::Table".to_owned(),
            physical_id: None,
            properties: vec!["TableInput".to_owned()],
        };
        let prepared = Prepared::ChangeSet {
            id: "one".to_owned(),
            creates: false,
            changes: vec![change],
        };
        let plan = Plan {
            account: "123456789012".to_owned(),
            region: "eu-central-1".to_owned(),
            stacks: vec![PlannedStack {
                part: "glue",
                stack: "lakehand-prod-glue".to_owned(),
                status: None,
                deleted_first: false,
                provisional: false,
                prepared,
                parameters: BTreeMap::new(),
            }],
        };
        let mut out = Vec::new();
        write_plan(&mut out, &plan).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_changed_report_wants_to_be_crawled_again() {
        let told = |action, name| written(action, name).contains("lakehand crawl ga");
        assert!(told(Action::Modify, "GaReporttraffic"));
        assert!(!told(Action::Add, "GaReporttraffic"));
        assert!(!told(Action::Modify, "AffiseClicks"));
    }
}
