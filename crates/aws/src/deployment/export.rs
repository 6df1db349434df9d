//! A deployment as files, for people who deploy by tools of their own.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use serde_json::json;

use super::{Artifact, Deployment, Stack, artifacts::declared};
use lakehand_ops::OpsResult;

/// The operator's IAM policies, with placeholders for names.
pub const POLICIES: [(&str, &str); 3] = [
    (
        "operator-read-only.json",
        include_str!("../../../../assets/iam/operator-read-only.json"),
    ),
    (
        "operator-full.json",
        include_str!("../../../../assets/iam/operator-full.json"),
    ),
    (
        "operator-credentials.json",
        include_str!("../../../../assets/iam/operator-credentials.json"),
    ),
];

/// Outputs of earlier stacks that a later one takes as parameters, and the stack they come from.
const FROM_OUTPUTS: [(&str, Stack); 7] = [
    ("DataKeyArn", Stack::DataStorage),
    ("NotificationsArn", Stack::CommonResources),
    ("NotificationKeyArn", Stack::CommonResources),
    ("DeadLettersArn", Stack::CommonResources),
    ("QueriesPolicyArn", Stack::TransformationResources),
    ("StartCrawlerArn", Stack::TransformationResources),
    ("CrawlerRoleArn", Stack::Glue),
];

/// The files of a deployment by their path.
///
/// # Errors
/// When the profile asks for what the stacks cannot do.
pub fn files(deployment: &Deployment) -> OpsResult<BTreeMap<PathBuf, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for stack in Stack::ALL {
        let part = stack.part();
        let template = stack.template(deployment.profile());
        files.insert(format!("templates/{part}.yaml").into(), template.into());
        let parameters: Vec<_> = deployment
            .parameters(stack, &BTreeMap::new())?
            .into_iter()
            .map(|(name, value)| json!({ "ParameterKey": name, "ParameterValue": value }))
            .collect();
        let text = format!("{:#}\n", json!(parameters));
        files.insert(format!("parameters/{part}.json").into(), text.into());
    }
    let artifacts = deployment.artifacts();
    let commands = readme(deployment, &artifacts);
    for artifact in artifacts {
        files.insert(
            Path::new(&artifact.bucket).join(artifact.key),
            artifact.bytes,
        );
    }
    for (name, text) in POLICIES {
        let text = deployment.policy(text);
        files.insert(Path::new("iam").join(name), text.into());
    }
    files.insert("README.md".into(), commands.into());
    Ok(files)
}

/// Writes them below `folder`, which is made where it does not exist.
///
/// # Errors
/// When a file cannot be written; the path is named.
pub fn write(files: &BTreeMap<PathBuf, Vec<u8>>, folder: &Path) -> io::Result<()> {
    for (path, bytes) in files {
        let path = folder.join(path);
        let named =
            |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        fs::create_dir_all(path.parent().unwrap_or(folder)).map_err(named)?;
        fs::write(&path, bytes).map_err(named)?;
    }
    Ok(())
}

fn readme(deployment: &Deployment, artifacts: &[Artifact]) -> String {
    let (target, profile) = (deployment.target(), deployment.profile());
    let mut text = format!(
        "# {}-{} in {} ({})\n\n\
         Written by `lakehand deploy --export`. These commands do what `lakehand deploy` does, in this folder, with the\n\
         AWS CLI and a role that may make these resources. The same input gives the same keys: repeat them at will.\n\n\
         ```sh\nset -eu\nregion={}\n\
         output() {{ aws cloudformation describe-stacks --region \"$region\" --stack-name \"$1\" --query \"Stacks[0].Outputs[?OutputKey=='$2'].OutputValue\" --output text; }}\n\
         parameters() {{ python3 -c 'import json,sys; print(*(\"%s=%s\" % (p[\"ParameterKey\"], p[\"ParameterValue\"]) for p in json.load(open(sys.argv[1]))), sep=\"\\n\")' \"$1\"; }}\n",
        profile.project, profile.env, target.account, target.region, target.region
    );
    for stack in Stack::ALL {
        if stack == Stack::Glue {
            text.push_str("\n# What the other stacks refer to.\n");
            for artifact in artifacts {
                let (bucket, key) = (&artifact.bucket, &artifact.key);
                text.push_str(&format!(
                    "aws s3 cp --region \"$region\" '{bucket}/{key}' 's3://{bucket}/{key}'\n"
                ));
            }
            text.push('\n');
        }
        text.push_str(&command(deployment, stack));
    }
    if deployment.package().is_none() {
        text.push_str("# No package was given (--package FILE): add FunctionPackageKey and Architecture to\n# parameters/transformation-resources.json before the functions' stack.\n");
    }
    text.push_str(
        "```\n\nThen `lakehand credentials set`: CloudFormation cannot make a SecureString.\n",
    );
    text
}

/// One stack, its parameters from the file and from the stacks before it. One argument a line, so that values may hold
/// spaces. The first stack makes the bucket that templates larger than a call go through.
fn command(deployment: &Deployment, stack: Stack) -> String {
    let (name, part) = (deployment.stack_name(stack), stack.part());
    let wanted: Vec<&str> = declared(stack.asset()).collect();
    let mut text = format!("{{ parameters parameters/{part}.json");
    for (output, from) in FROM_OUTPUTS {
        if wanted.contains(&output) {
            let from = deployment.stack_name(from);
            text.push_str(&format!("; echo \"{output}=$(output {from} {output})\""));
        }
    }
    let through = if stack == Stack::DataStorage {
        String::new()
    } else {
        let bucket = deployment.profile().artifact_bucket();
        format!(" --s3-bucket {bucket} --s3-prefix templates")
    };
    text.push_str(&format!(
        "; }} | tr '\\n' '\\0' | xargs -0 aws cloudformation deploy --region \"$region\" --stack-name {name} \
         --template-file templates/{part}.yaml{through} --capabilities CAPABILITY_NAMED_IAM --no-fail-on-empty-changeset --parameter-overrides\n"
    ));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use lakehand_config::{Config, Home};

    #[test]
    fn an_export_holds_everything_that_its_commands_name() {
        let home = Home::below(Path::new("/nowhere"));
        let text = "[profiles.prod]\nplatform = \"aws\"\nenv = \"prod\"\n";
        let config = Config::parse(text, &home).unwrap();
        let profile = config.profile(Some("prod")).unwrap();
        let deployment =
            Deployment::new(profile, "210987654321", "eu-west-1", None, BTreeMap::new()).unwrap();
        let files = files(&deployment).unwrap();
        let readme = String::from_utf8(files[Path::new("README.md")].clone()).unwrap();
        let named = readme.split_whitespace().filter(|word| {
            ["templates/", "parameters/"]
                .iter()
                .any(|start| word.starts_with(start))
        });
        for path in named {
            let path = path.trim_end_matches(';');
            assert!(files.contains_key(Path::new(path)), "{path}");
        }
        let through = "--s3-bucket lakehand-prod-artifacts --s3-prefix templates ";
        let deploys = |line: &&str| line.contains("aws cloudformation deploy ");
        assert_eq!(readme.lines().filter(deploys).count(), Stack::ALL.len());
        for command in readme.lines().filter(deploys) {
            let first = command.contains("--stack-name lakehand-prod-data-storage ");
            let (options, _) = command.split_once("--parameter-overrides").unwrap();
            assert_eq!(options.contains(through), !first, "{command}");
        }
        for artifact in deployment.artifacts() {
            let path = format!("{}/{}", artifact.bucket, artifact.key);
            assert!(readme.contains(&format!("'{path}' 's3://{path}'")));
            assert!(files.contains_key(Path::new(&path)));
        }
        let folder = tempfile::tempdir().unwrap();
        write(&files, folder.path()).unwrap();
        let policy = fs::read_to_string(folder.path().join("iam/operator-full.json")).unwrap();
        assert!(policy.contains(":210987654321:") && !policy.contains("${"));
    }
}
