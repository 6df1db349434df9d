//! What a deployment puts into buckets, and the parameters it gives its stacks.

use std::collections::BTreeMap;

use jiff::civil::Time;

use super::{Package, Stack, package::sha256};
use lakehand_config::{Profile, Scheduled, functions_config};
use lakehand_host::definitions::{Target, definitions};
use lakehand_ops::{OpsError, OpsErrorKind, OpsResult};
use lakehand_pipeline::ports::ParameterReference;

/// Digits of a hash in a key: enough that nobody meets another's, short enough to read.
const KEY_DIGITS: usize = 16;
/// The dimension of the report that comes with the program.
const COUNTRY_REGION: &str = include_str!("../../../../assets/country_region.csv");

/// An object that a deployment needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// Bucket.
    pub bucket: String,
    /// Key, with the content's hash where somebody refers to it.
    pub key: String,
    /// Content.
    pub bytes: Vec<u8>,
    /// Its SHA-256, hexadecimal.
    pub sha256: String,
}

/// Everything a deployment of a profile consists of.
#[derive(Debug, Clone)]
pub struct Deployment {
    profile: Profile,
    target: Target,
    definitions: Vec<(&'static str, String)>,
    settings: String,
    package: Option<Package>,
    own: BTreeMap<String, String>,
}

fn refused(message: String, advice: &str) -> OpsError {
    OpsError::new(OpsErrorKind::InvalidInput, message, advice)
}

/// Functions, roles, rules and schedules may have names of 64 characters; the templates begin each with project and env.
/// Buckets have rules of their own.
fn check_names(profile: &Profile) -> OpsResult<()> {
    const MOST: usize = 64;
    let names = Stack::ALL
        .iter()
        .flat_map(|stack| names_after_env(stack.asset()));
    let names = names.map(|part| profile.resource_name(part));
    if let Some(name) = names
        .max_by_key(String::len)
        .filter(|name| name.len() > MOST)
    {
        return Err(refused(
            format!(
                "{name} would be a name of {} characters, and AWS takes {MOST} for rules, roles and functions",
                name.len()
            ),
            "choose a shorter project or env in the profile",
        ));
    }
    let buckets = [
        profile.raw_bucket(),
        profile.std_bucket(),
        profile.artifact_bucket(),
    ];
    match buckets.iter().find(|bucket| !is_bucket_name(bucket)) {
        Some(bucket) => Err(refused(
            format!(
                "'{bucket}' cannot be the name of a bucket: 3 to 63 small letters, digits and hyphens, beginning and ending with a letter or digit"
            ),
            "choose another project or env, or name the bucket in [profiles.<name>.aws]",
        )),
        None => Ok(()),
    }
}

/// What follows project and env in the names that a template gives.
fn names_after_env(template: &str) -> impl Iterator<Item = &str> {
    const BEGINS: &str = "\"${ProjectName}-${Env}-";
    template.split(BEGINS).skip(1).filter_map(|rest| {
        let (name, _) = rest.split_once('"')?;
        (!name.contains(['$', '/', '*', ':'])).then_some(name)
    })
}

/// S3's rule for a general purpose bucket, without dots: they break TLS.
fn is_bucket_name(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (3..=63).contains(&name.len())
        && name.chars().all(inner)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

impl Deployment {
    /// A deployment of a profile to an account. Without a package the functions keep the program they have. `own`
    /// are parameters that the operator gives, by name; they go before everything that is derived.
    ///
    /// # Errors
    /// When the names would be too long, a definition cannot be rendered, or `own` names what no stack has.
    pub fn new(
        profile: &Profile,
        account: &str,
        region: &str,
        package: Option<Package>,
        own: BTreeMap<String, String>,
    ) -> OpsResult<Self> {
        check_names(profile)?;
        let target = Target::on_aws(profile, account, region);
        let definitions = definitions(&target)
            .map_err(|why| refused(why, "the definitions ship with the program; report this"))?;
        let settings = functions_config(profile)
            .map_err(|error| refused(error.to_string(), "correct the profile"))?;
        let known = |name: &str| {
            Stack::ALL
                .iter()
                .any(|stack| declared(stack.asset()).any(|declared| declared == name))
        };
        if let Some(name) = own.keys().find(|name| !known(name)) {
            return Err(refused(
                format!("no stack has a parameter '{name}'"),
                "`lakehand deploy --export DIR` writes the templates; their Parameters sections list them",
            ));
        }
        Ok(Self {
            profile: profile.clone(),
            target,
            definitions,
            settings,
            package,
            own,
        })
    }

    /// The profile.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Where it goes.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The functions' package, where one was given.
    #[must_use]
    pub fn package(&self) -> Option<&Package> {
        self.package.as_ref()
    }

    /// A text with every name of the deployment put in.
    #[must_use]
    pub fn policy(&self, text: &str) -> String {
        let names = self.names();
        let own = ["ArtifactBucketName", "ResultsBucketName"];
        let text = own.iter().fold(text.to_owned(), |text, name| {
            text.replace(&format!("${{{name}}}"), &names[*name])
        });
        // Buckets of ARNs hold no key.
        let buckets = Target {
            std_bucket: self.profile.std_bucket(),
            ..self.target.clone()
        };
        buckets
            .substitute(&text)
            .replace("${KeyPrefix}", &self.key_prefix())
            .replace("${ParameterPrefix}", &self.profile.aws.parameter_prefix)
    }

    /// A stack's name: `lakehand-prod-glue`.
    #[must_use]
    pub fn stack_name(&self, stack: Stack) -> String {
        self.profile.resource_name(stack.part())
    }

    /// What has to lie in buckets before the functions and state machines are made.
    #[must_use]
    pub fn artifacts(&self) -> Vec<Artifact> {
        let bucket = self.profile.artifact_bucket();
        let artifact = |bucket: &str, key: String, bytes: &[u8]| Artifact {
            bucket: bucket.to_owned(),
            key,
            sha256: sha256(bytes),
            bytes: bytes.to_vec(),
        };
        let mut all = vec![artifact(
            &bucket,
            self.settings_key(),
            self.settings.as_bytes(),
        )];
        all.extend(
            self.definitions
                .iter()
                .map(|(name, text)| artifact(&bucket, definition_key(name, text), text.as_bytes())),
        );
        if let Some(package) = &self.package {
            all.push(Artifact {
                bucket,
                key: package_key(package),
                bytes: package.bytes.clone(),
                sha256: package.sha256.clone(),
            });
        }
        let key = format!(
            "{}reference/country_region/country_region.csv",
            self.key_prefix()
        );
        all.push(artifact(
            &self.profile.std_bucket(),
            key,
            COUNTRY_REGION.as_bytes(),
        ));
        all
    }

    /// Parameters of a stack that are known; `outputs` are those of the stacks before it. What is missing keeps the
    /// value it has, or the template's default.
    ///
    /// # Errors
    /// When the profile asks for what the stacks cannot do.
    pub fn parameters(
        &self,
        stack: Stack,
        outputs: &BTreeMap<String, String>,
    ) -> OpsResult<BTreeMap<String, String>> {
        let mut all = self.names();
        all.extend(self.credentials()?);
        all.extend(self.schedules()?);
        all.extend(
            self.definitions
                .iter()
                .map(|(name, text)| (definition_parameter(name), definition_key(name, text))),
        );
        if let Some(package) = &self.package {
            all.insert("FunctionPackageKey".to_owned(), package_key(package));
            all.insert(
                "Architecture".to_owned(),
                package.program.architecture.name().to_owned(),
            );
        }
        all.extend(outputs.clone());
        all.extend(self.own.clone());
        let text = stack.asset();
        all.retain(|name, _| declared(text).any(|declared| declared == name));
        Ok(all)
    }

    fn names(&self) -> BTreeMap<String, String> {
        let profile = &self.profile;
        let zone = profile.time_zone.iana_name().unwrap_or("UTC");
        let names = [
            ("ProjectName", profile.project.clone()),
            ("Env", profile.env.clone()),
            ("RawBucketName", profile.raw_bucket()),
            ("StdBucketName", profile.std_bucket()),
            ("ArtifactBucketName", profile.artifact_bucket()),
            (
                "ResultsBucketName",
                profile.resource_name("results").to_lowercase(),
            ),
            ("KeyPrefix", self.key_prefix()),
            ("DataLakeDatabaseName", profile.database()),
            ("SettingsKey", self.settings_key()),
            ("ProfileName", profile.name.clone()),
            ("TimeZone", zone.to_owned()),
        ];
        names
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }

    fn key_prefix(&self) -> String {
        match self.profile.aws.prefix.as_str() {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        }
    }

    fn settings_key(&self) -> String {
        let hash = sha256(self.settings.as_bytes());
        format!("settings/{}/config.toml", &hash[..KEY_DIGITS])
    }

    /// Where the credentials lie: paths for the functions' roles, never values.
    fn credentials(&self) -> OpsResult<BTreeMap<String, String>> {
        let profile = &self.profile;
        let marketo = profile.marketo.clone().unwrap_or_default();
        let google = profile.ga4.as_ref().map(|ga4| ga4.key_parameter.clone());
        let google = google.or_else(|| profile.ga3.as_ref().map(|ga3| ga3.key_parameter.clone()));
        let references = [
            (
                "AffiseApiKey",
                Some(profile.affise.api_key_parameter.clone()),
            ),
            ("ClientID", Some(marketo.client_id_parameter)),
            ("ClientSecret", Some(marketo.client_secret_parameter)),
            ("MunchkinId", Some(marketo.munchkin_id_parameter)),
            ("GCPServiceAccountKey", google),
        ];
        let mut all = BTreeMap::new();
        let mut secrets = Vec::new();
        for (name, reference) in references {
            match reference.map(|text| text.parse()).transpose() {
                Ok(Some(ParameterReference::Parameter(path))) => {
                    let path = format!("{}{path}", profile.aws.parameter_prefix);
                    all.insert(name.to_owned(), path);
                }
                Ok(Some(ParameterReference::Secret { id, .. })) => {
                    secrets.push(self.secret_arn(&id))
                }
                // Checked when the configuration was read.
                Ok(None) | Err(_) => {}
            }
        }
        all.insert("CredentialSecretArns".to_owned(), secrets.join(","));
        match profile.aws.kms_key.as_deref() {
            None => {}
            Some(arn) if arn.starts_with("arn:") && arn.contains(":key/") => {
                all.insert("CredentialKeyArn".to_owned(), arn.to_owned());
            }
            Some(other) => {
                return Err(refused(
                    format!(
                        "the credentials' key is named '{other}', and roles can only be granted a key by its ARN"
                    ),
                    "write the key's ARN (arn:aws:kms:REGION:ACCOUNT:key/ID) as kms_key in [profiles.<name>.aws]",
                ));
            }
        }
        Ok(all)
    }

    /// A secret's ARN ends in six characters that only AWS knows.
    fn secret_arn(&self, id: &str) -> String {
        if id.starts_with("arn:") {
            return id.to_owned();
        }
        let Target {
            partition,
            region,
            account,
            ..
        } = &self.target;
        format!("arn:{partition}:secretsmanager:{region}:{account}:secret:{id}-??????")
    }

    /// The profile's schedules as the cron expressions of the stacks' parameters.
    fn schedules(&self) -> OpsResult<BTreeMap<String, String>> {
        let mut times: BTreeMap<&str, Vec<Time>> = BTreeMap::new();
        for schedule in &self.profile.schedules {
            let parameter = match &schedule.starts {
                Scheduled::Workflow(name) if name == "daily-report" => "Report",
                Scheduled::Workflow(name) if name == "collect" => "RawDataCollectCron",
                Scheduled::Workflow(name) if name == "datamart" => "StdDataCollectCron",
                Scheduled::Crawler(name) if name == "ga" => "RawDataCrawlCron",
                Scheduled::Crawler(name) if name == "silver" => "StdDataCrawlCron",
                Scheduled::Workflow(name) | Scheduled::Crawler(name) => {
                    return Err(refused(
                        format!(
                            "the profile starts {name} by schedule, and the stacks have none for it"
                        ),
                        "schedules on AWS are for collect, daily-report, datamart and the crawlers ga and silver",
                    ));
                }
            };
            times.entry(parameter).or_default().push(schedule.at);
        }
        let mut all = BTreeMap::new();
        let mut reports = times.remove("Report").unwrap_or_default();
        reports.sort_unstable();
        let later = reports.split_off(reports.len().min(1));
        all.insert("MorningReportCron".to_owned(), cron(reports)?);
        all.insert("AfternoonReportCron".to_owned(), cron(later)?);
        for name in [
            "RawDataCollectCron",
            "RawDataCrawlCron",
            "StdDataCollectCron",
            "StdDataCrawlCron",
        ] {
            all.insert(
                name.to_owned(),
                cron(times.remove(name).unwrap_or_default())?,
            );
        }
        Ok(all)
    }
}

/// `cron(45 8,13 * * ? *)`; empty for no time at all.
fn cron(mut times: Vec<Time>) -> OpsResult<String> {
    times.sort_unstable();
    times.dedup();
    let Some(first) = times.first() else {
        return Ok(String::new());
    };
    if let Some(other) = times.iter().find(|time| time.minute() != first.minute()) {
        return Err(refused(
            format!("schedules at {first} and {other} do not fit into one cron expression"),
            "give the times of one schedule the same minute, or set its parameter with --parameter",
        ));
    }
    let hours: Vec<String> = times.iter().map(|time| time.hour().to_string()).collect();
    Ok(format!(
        "cron({} {} * * ? *)",
        first.minute(),
        hours.join(",")
    ))
}

fn package_key(package: &Package) -> String {
    format!("functions/{}.zip", &package.sha256[..KEY_DIGITS])
}

fn definition_key(workflow: &str, text: &str) -> String {
    let hash = sha256(text.as_bytes());
    format!("definitions/{}/{workflow}.asl.json", &hash[..KEY_DIGITS])
}

/// `DailyReportDefinitionKey` of `daily-report`.
fn definition_parameter(workflow: &str) -> String {
    let words = workflow.split('-').map(|word| {
        let (first, rest) = word.split_at(1.min(word.len()));
        format!("{}{rest}", first.to_uppercase())
    });
    format!("{}DefinitionKey", words.collect::<String>())
}

/// The names of a template's parameters: the keys of its `Parameters` section.
pub fn declared(template: &str) -> impl Iterator<Item = &str> {
    template
        .lines()
        .skip_while(|line| *line != "Parameters:")
        .skip(1)
        .take_while(|line| line.is_empty() || line.starts_with(' '))
        .filter_map(|line| line.strip_prefix("  ")?.strip_suffix(':'))
        .filter(|name| !name.starts_with(' '))
}

#[cfg(test)]
mod tests {
    use super::*;
    use lakehand_config::{Config, Home};

    fn deployment(text: &str) -> OpsResult<Deployment> {
        let home = Home::below(std::path::Path::new("/nowhere"));
        let text = format!("[profiles.prod]\nplatform = \"aws\"\nenv = \"prod\"\n{text}");
        let config = Config::parse(&text, &home).unwrap();
        let profile = config.profile(Some("prod")).unwrap();
        Deployment::new(profile, "210987654321", "eu-west-1", None, BTreeMap::new())
    }

    fn parameters(text: &str) -> OpsResult<BTreeMap<String, String>> {
        let deployment = deployment(text)?;
        let mut all = BTreeMap::new();
        for stack in Stack::ALL {
            all.extend(deployment.parameters(stack, &BTreeMap::new())?);
        }
        Ok(all)
    }

    #[test]
    fn the_default_schedules_are_nine_and_two() {
        let all = parameters("time_zone = \"Europe/Berlin\"\n").unwrap();
        assert_eq!(all["MorningReportCron"], "cron(0 9 * * ? *)");
        assert_eq!(all["AfternoonReportCron"], "cron(0 14 * * ? *)");
        assert_eq!(all["RawDataCollectCron"], "cron(0 8,13 * * ? *)");
        assert_eq!(all["RawDataCrawlCron"], "cron(45 8,13 * * ? *)");
        assert_eq!(all["StdDataCollectCron"], "");
        assert_eq!(all["TimeZone"], "Europe/Berlin");
    }

    #[test]
    fn schedules_that_no_cron_can_say_are_refused() {
        let two = "schedules = [{ workflow = \"collect\", at = \"08:00:00\" }, { workflow = \"collect\", at = \"09:30:00\" }]\n";
        let error = parameters(two).unwrap_err();
        assert!(error.message.contains("one cron expression"), "{error}");
        let unknown = "schedules = [{ workflow = \"backfill\", at = \"08:00:00\" }]\n";
        assert!(
            parameters(unknown)
                .unwrap_err()
                .message
                .contains("backfill")
        );
    }

    #[test]
    fn roles_are_granted_credentials_where_they_lie() {
        let all = parameters(
            "[profiles.prod.affise]\napi_key_parameter = \"secretsmanager:adverts/affise#key\"\n[profiles.prod.aws]\nparameter_prefix = \"/lakehand/prod\"\n",
        )
        .unwrap();
        assert_eq!(
            all["CredentialSecretArns"],
            "arn:aws:secretsmanager:eu-west-1:210987654321:secret:adverts/affise-??????"
        );
        assert!(!all.contains_key("AffiseApiKey"));
        assert_eq!(all["ClientID"], "/lakehand/prod/marketo/ClientId");
        let alias = parameters("[profiles.prod.aws]\nkms_key = \"alias/mine\"\n").unwrap_err();
        assert!(alias.advice.contains("ARN"));
    }

    #[test]
    fn what_operators_give_goes_before_what_is_derived() {
        let home = Home::below(std::path::Path::new("/nowhere"));
        let config = Config::parse("[profiles.prod]\nplatform = \"aws\"\n", &home).unwrap();
        let profile = config.profile(Some("prod")).unwrap();
        let own = |name: &str| BTreeMap::from([(name.to_owned(), "x".to_owned())]);
        let made = |own| Deployment::new(profile, "210987654321", "eu-west-1", None, own);
        let outputs = BTreeMap::new();
        let given = made(own("TimeZone")).unwrap();
        assert_eq!(
            given.parameters(Stack::Orchestration, &outputs).unwrap()["TimeZone"],
            "x"
        );
        assert!(made(own("Timezone")).is_err());
    }

    #[test]
    fn names_that_no_function_can_have_are_refused_before_anything_is_made() {
        let with = |env: usize| {
            let (project, env) = ("p".repeat(32), "e".repeat(env));
            let text = format!(
                "[profiles.x]\nplatform = \"aws\"\nproject = \"{project}\"\nenv = \"{env}\"\n"
            );
            let config =
                Config::parse(&text, &Home::below(std::path::Path::new("/nowhere"))).unwrap();
            let profile = config.profile(Some("x")).unwrap();
            Deployment::new(profile, "210987654321", "eu-west-1", None, BTreeMap::new())
        };
        // 64 = 32, a hyphen, 9, and "-marketo-crawler-ended", the name of a rule, which has 22.
        assert!(with(9).is_ok());
        let error = with(10).unwrap_err();
        assert!(error.message.contains("65 characters"), "{error}");
        for bad in ["-lake", "lake-", "Lake", "la_ke", "la"] {
            assert!(!is_bucket_name(bad), "{bad}");
        }
        assert!(is_bucket_name("lakehand-prod-raw"));
    }

    #[test]
    fn every_stack_is_given_what_it_cannot_know() {
        let text = Stack::TransformationResources.asset();
        let names: Vec<_> = declared(text).collect();
        assert!(names.contains(&"FunctionPackageKey") && names.contains(&"ClientID"));
        let deployment = deployment("").unwrap();
        let keys: Vec<String> = deployment
            .artifacts()
            .into_iter()
            .map(|artifact| artifact.key)
            .collect();
        let parameters = deployment
            .parameters(Stack::Orchestration, &BTreeMap::new())
            .unwrap();
        for name in ["Collect", "DailyReport", "Datamart", "Backfill"] {
            let key = &parameters[&format!("{name}DefinitionKey")];
            assert!(keys.contains(key), "{key} of {keys:?}");
        }
        let settings = deployment
            .parameters(Stack::TransformationResources, &BTreeMap::new())
            .unwrap()["SettingsKey"]
            .clone();
        assert!(keys.contains(&settings) && settings.ends_with("/config.toml"));
    }
}
