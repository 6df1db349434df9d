//! Stacks as an operator sees them: what is there, what a deployment would change, what happens while it does.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

/// A stack as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackRequest {
    /// Name in CloudFormation.
    pub name: String,
    /// Template text.
    pub template: String,
    /// Bucket for a template that is too large for a call.
    pub template_bucket: String,
    /// Values by parameter; those a stack has and that are not here keep their value.
    pub parameters: BTreeMap<String, String>,
    /// Names that the template takes.
    pub declared: Vec<String>,
}

/// A stack as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct StackState {
    /// `CREATE_COMPLETE`, `UPDATE_ROLLBACK_FAILED`, …
    pub status: String,
    /// Why, where CloudFormation says it.
    pub reason: Option<String>,
    /// What it gives to others.
    pub outputs: BTreeMap<String, String>,
}

impl StackState {
    /// Whether something is under way.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.status.ends_with("_IN_PROGRESS") && self.status != "REVIEW_IN_PROGRESS"
    }

    /// A creation that failed leaves a stack that can only be deleted.
    #[must_use]
    pub fn must_be_deleted_first(&self) -> bool {
        ["ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"].contains(&self.status.as_str())
    }

    /// Whether it came to a good end.
    #[must_use]
    pub fn is_good(&self) -> bool {
        ["CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"].contains(&self.status.as_str())
    }
}

/// What happens to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It is made.
    Add,
    /// It stays and is changed.
    Modify,
    /// Another one takes its place, and it is deleted.
    Replace,
    /// CloudFormation finds out only while it does it whether it must be replaced.
    MayReplace,
    /// It is deleted.
    Delete,
    /// The stack lets go of it, and it stays.
    Keep,
}

impl Action {
    /// Whether what was there may be gone afterwards.
    #[must_use]
    pub fn destroys(self) -> bool {
        matches!(self, Self::Replace | Self::MayReplace | Self::Delete)
    }

    /// The word for people.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Modify => "change",
            Self::Replace => "REPLACE",
            Self::MayReplace => "MAYBE REPLACE",
            Self::Delete => "DELETE",
            Self::Keep => "let go, it stays",
        }
    }
}

/// A resource that changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What happens.
    pub action: Action,
    /// Its name in the template.
    pub logical_id: String,
    /// `AWS::S3::Bucket`.
    pub resource_type: String,
    /// Its name in AWS, where it is there.
    pub physical_id: Option<String>,
    /// Properties that change.
    pub properties: Vec<String>,
}

/// What a deployment of a stack would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Prepared {
    /// It is as it should be.
    NoChange,
    /// A new stack whose template is too large for a call: it is planned when the stack before it has made the bucket
    /// that the template goes through.
    Later {
        /// That bucket.
        bucket: String,
    },
    /// A change set that waits.
    ChangeSet {
        /// Its id.
        id: String,
        /// Whether the stack is made by it.
        creates: bool,
        /// What it does.
        changes: Vec<Change>,
    },
}

impl Prepared {
    /// Its changes; none where nothing changes.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        match self {
            Self::NoChange | Self::Later { .. } => &[],
            Self::ChangeSet { changes, .. } => changes,
        }
    }
}

/// Something that happened to a stack or a resource of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StackEvent {
    /// Unique.
    pub id: String,
    /// When.
    #[serde(rename = "occurred_at")]
    pub at: Timestamp,
    /// Its name in the template.
    pub logical_id: String,
    /// `AWS::S3::Bucket`.
    pub resource_type: String,
    /// `CREATE_FAILED`, …
    pub status: String,
    /// Why.
    pub reason: Option<String>,
}

/// A resource that is not as its stack made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Drifted {
    /// Its name in the template.
    pub logical_id: String,
    /// `AWS::S3::Bucket`.
    pub resource_type: String,
    /// `MODIFIED`, `DELETED`, or `NOT_CHECKED` of a stack that could not be compared as a whole.
    pub status: String,
    /// Properties that differ, or why it was not checked.
    pub properties: Vec<String>,
}
