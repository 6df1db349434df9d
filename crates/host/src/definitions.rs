//! The workflows that ship with the program, and what their names become in one place.
//!
//! The files in `assets/workflows` name their neighbours by placeholders (`${ProjectName}`, `${Database}`) and their
//! statements by file (`${sql:…}`). Both platforms fill them in here, so that what is deployed to Step Functions is
//! what the embedded platform interprets: only the names differ.

use lakehand_config::Profile;
use lakehand_pipeline::gold::render_workflow;
use lakehand_workflow::definition::Definition;

/// Name and text of every workflow, in the order of the Board.
pub const BUILT_IN: [(&str, &str); 4] = [
    (
        "collect",
        include_str!("../../../assets/workflows/collect.asl.json"),
    ),
    (
        "daily-report",
        include_str!("../../../assets/workflows/daily-report.asl.json"),
    ),
    (
        "datamart",
        include_str!("../../../assets/workflows/datamart.asl.json"),
    ),
    (
        "backfill",
        include_str!("../../../assets/workflows/backfill.asl.json"),
    ),
];

/// Where a workflow stands on the Board: ours in their order, then others by name, and last what only starts ours.
#[must_use]
pub fn place_on_board(name: &str) -> (usize, &str) {
    let ours = BUILT_IN.iter().position(|(own, _)| *own == name);
    let place = match ours {
        Some(place) => place,
        None if name == "scheduled" => BUILT_IN.len() + 1,
        None => BUILT_IN.len(),
    };
    (place, name)
}

/// Where a definition runs: what its placeholders stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: String,
    /// AWS region, or `local`.
    pub region: String,
    /// Account, twelve digits.
    pub account: String,
    /// `${ProjectName}`.
    pub project: String,
    /// `${Env}`.
    pub env: String,
    /// Database of the tables.
    pub database: String,
    /// Bucket of bronze.
    pub raw_bucket: String,
    /// Bucket of silver, gold and reports, with the prefix of its keys where there is one: where `s3://` goes on.
    pub std_bucket: String,
}

impl Target {
    /// The embedded platform of a profile.
    #[must_use]
    pub fn here(profile: &Profile) -> Self {
        Self {
            partition: "aws".to_owned(),
            region: "local".to_owned(),
            account: "000000000000".to_owned(),
            project: profile.project.clone(),
            env: profile.env.clone(),
            database: "lakehand".to_owned(),
            raw_bucket: profile.resource_name("raw"),
            std_bucket: profile.resource_name("std"),
        }
    }

    /// A profile's deployment in an account and region.
    #[must_use]
    pub fn on_aws(profile: &Profile, account: &str, region: &str) -> Self {
        let std_bucket = match profile.aws.prefix.as_str() {
            "" => profile.std_bucket(),
            prefix => format!("{}/{prefix}", profile.std_bucket()),
        };
        Self {
            partition: partition_of(region).to_owned(),
            region: region.to_owned(),
            account: account.to_owned(),
            project: profile.project.clone(),
            env: profile.env.clone(),
            database: profile.database(),
            raw_bucket: profile.raw_bucket(),
            std_bucket,
        }
    }

    /// Placeholder and value of every name.
    #[must_use]
    pub fn names(&self) -> [(&'static str, &str); 8] {
        [
            ("${RawBucket}", &self.raw_bucket),
            ("${StdBucket}", &self.std_bucket),
            ("${ProjectName}", &self.project),
            ("${Env}", &self.env),
            ("${Partition}", &self.partition),
            ("${Region}", &self.region),
            ("${Account}", &self.account),
            ("${Database}", &self.database),
        ]
    }

    /// The text with every placeholder filled in: what `DefinitionSubstitutions` does on AWS.
    #[must_use]
    pub fn substitute(&self, text: &str) -> String {
        let names = self.names();
        names
            .iter()
            .fold(text.to_owned(), |text, (placeholder, value)| {
                text.replace(placeholder, value)
            })
    }

    /// A state machine's ARN.
    #[must_use]
    pub fn state_machine_arn(&self, workflow: &str) -> String {
        format!(
            "arn:{}:states:{}:{}:stateMachine:{}-{}-{workflow}",
            self.partition, self.region, self.account, self.project, self.env
        )
    }

    /// A definition with its SQL and its names put in: the text that an engine is given.
    ///
    /// # Errors
    /// When a statement cannot be rendered, in words.
    pub fn definition(
        &self,
        template: &str,
        render_sql: impl FnOnce(&str) -> Result<String, String>,
    ) -> Result<String, String> {
        Ok(self.substitute(&render_sql(template)?))
    }

    /// Whether a definition is one that ships with the program, with the names of this target in it: then it is known
    /// what its stages do. How the text is laid out does not matter, everything that it says does.
    #[must_use]
    pub fn has_built_in(
        &self,
        definition: &Definition,
        render_sql: impl Fn(&str) -> Result<String, String>,
    ) -> bool {
        BUILT_IN.iter().any(|(_, template)| {
            self.definition(template, &render_sql)
                .is_ok_and(|text| Definition::parse(&text).is_ok_and(|ours| ours == *definition))
        })
    }
}

/// Puts the program's own statements into a definition.
///
/// # Errors
/// When a statement cannot be rendered, in words.
pub fn render_sql(template: &str) -> Result<String, String> {
    render_workflow(template).map_err(|error| error.to_string())
}

/// The partition of a region.
#[must_use]
pub fn partition_of(region: &str) -> &'static str {
    if region.starts_with("cn-") {
        "aws-cn"
    } else if region.starts_with("us-gov-") {
        "aws-us-gov"
    } else {
        "aws"
    }
}

/// Every definition of a target, by workflow.
///
/// # Errors
/// When a statement cannot be rendered, in words.
pub fn definitions(target: &Target) -> Result<Vec<(&'static str, String)>, String> {
    BUILT_IN
        .iter()
        .map(|(name, text)| Ok((*name, target.definition(text, render_sql)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use lakehand_config::Config;

    fn profile() -> Profile {
        let home = lakehand_config::Home::below(std::path::Path::new("/nowhere"));
        let text = "[profiles.prod]\nplatform = \"aws\"\nproject = \"Adverts\"\nenv = \"prod\"\n[profiles.prod.aws]\ndatabase = \"marketing\"\n";
        let config = Config::parse(text, &home).unwrap();
        config.profile(Some("prod")).unwrap().clone()
    }

    /// The deployed text with the names of the embedded platform in place of its own, value by value: a name that
    /// is part of another (a project in a bucket) must not be found there.
    fn as_embedded(deployed: &str, aws: &Target, here: &Target) -> String {
        let pairs = |from: &Target, to: &Target| {
            let text = |target: &Target| {
                [
                    format!("s3://{}/", target.std_bucket),
                    format!("s3://{}/", target.raw_bucket),
                    format!("states:{}:{}:", target.region, target.account),
                    format!("sns:{}:{}:", target.region, target.account),
                    format!("\"Database\": \"{}\"", target.database),
                    format!("{}-{}", target.project, target.env),
                ]
            };
            text(from).into_iter().zip(text(to))
        };
        pairs(aws, here).fold(deployed.to_owned(), |text, (from, to)| {
            text.replace(&from, &to)
        })
    }

    #[test]
    fn the_configuration_knows_the_workflows_that_the_program_brings() {
        assert_eq!(
            BUILT_IN.map(|(name, _)| name),
            lakehand_base::workflows::WORKFLOWS
        );
    }

    #[test]
    fn what_is_deployed_is_what_the_embedded_platform_interprets() {
        let profile = profile();
        let (here, aws) = (
            Target::here(&profile),
            Target::on_aws(&profile, "210987654321", "eu-central-1"),
        );
        for ((name, embedded), (_, deployed)) in definitions(&here)
            .unwrap()
            .into_iter()
            .zip(definitions(&aws).unwrap())
        {
            assert_ne!(embedded, deployed, "{name} holds names");
            assert!(
                !deployed.contains("${") && !embedded.contains("${"),
                "{name} has a placeholder that nobody fills in"
            );
            assert!(!deployed.contains("000000000000") && !deployed.contains(":local:"));
            assert_eq!(as_embedded(&deployed, &aws, &here), embedded, "{name}");
            for text in [&embedded, &deployed] {
                Definition::parse(text).unwrap_or_else(|error| panic!("{name}: {error}"));
                assert!(text.len() < 1_000_000, "Step Functions takes 1 MB");
            }
        }
    }

    #[test]
    fn our_definitions_are_known_by_all_they_say_and_not_by_their_names() {
        let profile = profile();
        let aws = Target::on_aws(&profile, "210987654321", "eu-central-1");
        let other = Target::on_aws(&profile, "999999999999", "eu-central-1");
        for (name, text) in definitions(&aws).unwrap() {
            let known = |text: &str| {
                let definition = Definition::parse(text).unwrap();
                aws.has_built_in(&definition, render_sql)
            };
            // AWS gives the text back as it was stored; CloudFormation may have laid it out anew.
            let value: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert!(known(&text) && known(&value.to_string()), "{name}");
            let definition = Definition::parse(&text).unwrap();
            assert!(!other.has_built_in(&definition, render_sql), "{name}");
            // One call of ours in a place of another: a name that the states keep says nothing.
            let function = "Adverts-prod-";
            assert!(text.contains(function), "{name}");
            assert!(
                !known(&text.replacen(function, "Adverts-payments-", 1)),
                "{name}"
            );
        }
    }

    #[test]
    fn regions_lie_in_partitions() {
        assert_eq!(partition_of("eu-west-1"), "aws");
        assert_eq!(partition_of("cn-north-1"), "aws-cn");
        assert_eq!(partition_of("us-gov-west-1"), "aws-us-gov");
    }
}
