//! `lakehand destroy`: takes a deployment away; data only by name.

use std::collections::BTreeMap;

use clap::Args;

use super::{
    CliError, Ended, OutputFormat, VerbResult,
    deploy::{Site, Told, profile, site, typed},
    print_as,
};
use crate::{
    ops::{
        deploy::{Deployer, Watcher},
        ports::Stacks,
    },
    platform::deployment::{Deployment, Stack},
};

/// `lakehand destroy`
#[derive(Debug, Args)]
pub struct DestroyArgs {
    /// The profile's name, in place of typing it when asked.
    #[arg(long, value_name = "PROFILE")]
    confirm: Option<String>,
    /// A bucket that is emptied and deleted too. Data goes only when all four buckets are named.
    #[arg(long, value_name = "NAME")]
    delete_bucket: Vec<String>,
}

/// Takes a deployment away; data stays unless every bucket is named.
///
/// # Errors
/// When the name is not typed, the buckets are not all named, or a stack fails.
pub async fn run(args: &DestroyArgs, name: Option<&str>, output: OutputFormat) -> VerbResult {
    let profile = profile(name, Some("destroying"))?;
    let site = site(profile).await?;
    let profile = &site.profile;
    let buckets = buckets_of(&site).await?;
    let with_data = !args.delete_bucket.is_empty();
    if with_data && !same(&args.delete_bucket, &buckets) {
        return Err(CliError::usage(
            "data goes as a whole or not at all, and these are not the buckets of this deployment",
            format!(
                "to delete all data, name each: --delete-bucket {}",
                buckets.join(" --delete-bucket ")
            ),
        ));
    }
    let what = if with_data {
        format!(
            "this deletes the stacks of {} and ALL DATA in {}",
            profile.resource_name("*"),
            buckets.join(", ")
        )
    } else {
        format!(
            "this deletes the functions, workflows, schedules and catalog of {}; data stays",
            profile.resource_name("*")
        )
    };
    typed(profile, args.confirm.as_deref(), &what)?;
    let deployment = Deployment::new(profile, &site.account, &site.region, None, BTreeMap::new())?;
    let deployer = Deployer::new(&site.stacks, &deployment);
    let mut deleted = Vec::new();
    for stack in Stack::ALL.into_iter().rev() {
        if stack == Stack::DataStorage && !with_data {
            continue;
        }
        let name = deployment.stack_name(stack);
        deployer.delete_and_wait(stack.part(), &name, &Told).await?;
        deleted.push(name);
    }
    let mut emptied = BTreeMap::new();
    for bucket in buckets.iter().filter(|_| with_data) {
        let versions = site.stacks.delete_bucket(bucket).await?;
        Told.part(
            "data-storage",
            &format!("bucket {bucket} deleted with {versions} versions of objects"),
        );
        emptied.insert(bucket, versions);
    }
    let kept = if with_data {
        Vec::new()
    } else {
        buckets.clone()
    };
    let value = serde_json::json!({ "deleted_stacks": deleted, "deleted_buckets": emptied, "kept_buckets": kept });
    print_as(output, &value, |out| {
        for name in &deleted {
            writeln!(out, "deleted {name}")?;
        }
        for bucket in &kept {
            writeln!(out, "kept s3://{bucket}")?;
        }
        writeln!(
            out,
            "kept: the data key (delete it in KMS once nothing needs it) and the credentials in the parameter store"
        )
    })?;
    Ok(Ended::Well)
}

/// The buckets as the stack made them, or as the profile names them where it is gone.
async fn buckets_of(site: &Site) -> Result<Vec<String>, CliError> {
    let profile = &site.profile;
    let name = profile.resource_name(Stack::DataStorage.part());
    let outputs = site.stacks.state(&name).await?.unwrap_or_default().outputs;
    let of = |output: &str, pattern: String| outputs.get(output).cloned().unwrap_or(pattern);
    Ok(vec![
        of("RawBucketName", profile.raw_bucket()),
        of("StdBucketName", profile.std_bucket()),
        of(
            "ResultsBucketName",
            profile.resource_name("results").to_lowercase(),
        ),
        of("ArtifactBucketName", profile.artifact_bucket()),
    ])
}

fn same(given: &[String], all: &[String]) -> bool {
    let sorted = |names: &[String]| {
        let mut names = names.to_vec();
        names.sort();
        names
    };
    sorted(given) == sorted(all)
}
