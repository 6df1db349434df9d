//! The workflows of a profile: the files in `assets/workflows`, with names and SQL put in.

use std::{
    collections::BTreeMap,
    fmt, fs,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use lakehand_config::Profile;
use lakehand_host::definitions::{BUILT_IN, Target};
use lakehand_ops::{OpsError, OpsErrorKind, WorkflowName};
use lakehand_workflow::definition::Definition;

use super::resources::{Resources, check_resources};

const FILE_ENDING: &str = ".asl.json";

/// Puts the SQL of `${sql:…}` placeholders into a definition's text.
pub type RenderSql = Arc<dyn Fn(&str) -> Result<String, String> + Send + Sync>;

/// Where definitions come from.
#[derive(Clone)]
pub struct Definitions {
    profile: Arc<Profile>,
    render_sql: RenderSql,
    given: Arc<BTreeMap<String, String>>,
    /// Definitions made before, with the text they were made from: the Board asks every few seconds.
    made: Arc<Mutex<BTreeMap<WorkflowName, (String, Rendered)>>>,
}

impl fmt::Debug for Definitions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Definitions")
            .field("profile", &self.profile.name)
            .finish_non_exhaustive()
    }
}

/// A definition ready to run.
#[derive(Debug, Clone)]
pub(super) struct Rendered {
    /// The text an execution keeps.
    pub(super) text: Arc<str>,
    /// What it parses to.
    pub(super) definition: Arc<Definition>,
}

impl Definitions {
    /// The built-in workflows; a file `<data_dir>/workflows/<name>.asl.json` takes the place of one, or adds one.
    #[must_use]
    pub fn new(profile: Arc<Profile>, render_sql: RenderSql) -> Self {
        let built_in = BUILT_IN.map(|(name, text)| (name.to_owned(), text.to_owned()));
        Self {
            profile,
            render_sql,
            given: Arc::new(BTreeMap::from(built_in)),
            made: Arc::default(),
        }
    }

    /// Other workflows instead of the built-in ones: name and text.
    #[must_use]
    pub fn of(profile: Arc<Profile>, render_sql: RenderSql, texts: &[(&str, &str)]) -> Self {
        let given = texts
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect();
        Self {
            profile,
            render_sql,
            given: Arc::new(given),
            made: Arc::default(),
        }
    }

    fn folder(&self) -> PathBuf {
        self.profile.data_dir.join("workflows")
    }

    /// Every workflow: the built-in ones in the order of the Board, then those of the profile's folder.
    #[must_use]
    pub fn names(&self) -> Vec<WorkflowName> {
        let mut names: Vec<String> = BUILT_IN
            .iter()
            .map(|(name, _)| (*name).to_owned())
            .filter(|name| self.given.contains_key(name))
            .collect();
        let own = fs::read_dir(self.folder())
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| {
                entry
                    .file_name()
                    .to_str()
                    .and_then(|file| file.strip_suffix(FILE_ENDING))
                    .map(str::to_owned)
            });
        let mut others: Vec<String> = self
            .given
            .keys()
            .cloned()
            .chain(own)
            .filter(|name| !names.contains(name))
            .collect();
        others.sort();
        others.dedup();
        names.append(&mut others);
        names.into_iter().map(WorkflowName::from).collect()
    }

    /// Whether a definition is a built-in one of this profile, and not one that only goes by its name.
    pub(super) fn has_built_in(&self, definition: &Definition) -> bool {
        let here = Target::here(&self.profile);
        here.has_built_in(definition, self.render_sql.as_ref())
    }

    /// A workflow's definition, rendered, parsed and checked against what `resources` bind.
    pub(super) fn load(
        &self,
        workflow: &WorkflowName,
        resources: &dyn Resources,
    ) -> Result<Rendered, OpsError> {
        let template = self.template(workflow)?;
        let made = || self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((from, rendered)) = made().get(workflow)
            && *from == template
        {
            return Ok(rendered.clone());
        }
        let invalid = |why: String| {
            OpsError::new(
                OpsErrorKind::InvalidInput,
                format!("the definition of {workflow} cannot be run: {why}"),
                format!(
                    "correct it, and check it with `lakehand workflow check`; own definitions lie in {}",
                    self.folder().display()
                ),
            )
        };
        let text = Target::here(&self.profile)
            .definition(&template, self.render_sql.as_ref())
            .map_err(invalid)?;
        let definition = Definition::parse(&text).map_err(|error| invalid(error.to_string()))?;
        check_resources(&definition, resources).map_err(invalid)?;
        let rendered = Rendered {
            text: text.into(),
            definition: Arc::new(definition),
        };
        made().insert(workflow.clone(), (template, rendered.clone()));
        Ok(rendered)
    }

    fn template(&self, workflow: &WorkflowName) -> Result<String, OpsError> {
        let known = self.names();
        if !known.contains(workflow) {
            let list = known
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", ");
            return Err(OpsError::new(
                OpsErrorKind::NotFound,
                format!("there is no workflow '{workflow}'"),
                format!("choose one of: {list}"),
            ));
        }
        let path = self.folder().join(format!("{workflow}{FILE_ENDING}"));
        match fs::read_to_string(&path) {
            Ok(text) => Ok(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(self
                .given
                .get(workflow.as_ref())
                .cloned()
                .unwrap_or_default()),
            Err(error) => Err(OpsError::new(
                OpsErrorKind::Platform,
                format!("could not read {}: {error}", path.display()),
                "check the file's permissions",
            )),
        }
    }

    /// The ARN an execution's context names its state machine by.
    pub(super) fn state_machine_arn(&self, workflow: &str) -> String {
        Target::here(&self.profile).state_machine_arn(workflow)
    }

    /// The workflow a state machine's ARN or name means.
    pub(super) fn workflow_of(&self, arn: &str) -> WorkflowName {
        let name = arn.rsplit(':').next().unwrap_or(arn);
        name.strip_prefix(&self.profile.resource_name(""))
            .unwrap_or(name)
            .into()
    }
}
