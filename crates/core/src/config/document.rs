//! `[document]`: the Automation document that changes a bucket.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Problem, is_account_id};
use crate::model::{Account, Operation};

/// The Automation document: in each account, or shared by one.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DocumentChoice {
    /// The document's name.
    pub name: String,
    /// The account that shares it. Without it, each account has its own.
    pub owner: Option<String>,
    /// The version to start, a number. Without it, the default version is read once per account and Region and named in each start.
    #[schemars(regex(pattern = r"^[1-9][0-9]*$"))]
    pub version: Option<String>,
    /// The document that a rollback starts, of the same owner.
    #[serde(default = "restore")]
    pub restore: String,
    /// The version of it to start, a number. Without it, the default version is read once per account and Region.
    #[schemars(regex(pattern = r"^[1-9][0-9]*$"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore_version: Option<String>,
}

fn restore() -> String {
    "RestoreS3BucketEncryption".to_owned()
}

/// Accounts with which Systems Manager shares one document (its default quota).
pub const SHARING_QUOTA: usize = 1000;

impl DocumentChoice {
    /// With how many accounts `owner` would have to share the document, if those are too many.
    #[must_use]
    pub fn overshared(&self, accounts: &[Account]) -> Option<usize> {
        let owner = self.owner.as_deref()?;
        let others = accounts.iter().filter(|account| account.is_active() && account.id != owner).count();
        (others > SHARING_QUOTA).then_some(others)
    }

    /// The name of the document for an operation.
    #[must_use]
    pub fn name(&self, operation: Operation) -> &str {
        match operation {
            Operation::Seal => &self.name,
            Operation::Restore => &self.restore,
        }
    }

    /// The version named for an operation's document.
    #[must_use]
    pub fn version(&self, operation: Operation) -> Option<&str> {
        match operation {
            Operation::Seal => self.version.as_deref(),
            Operation::Restore => self.restore_version.as_deref(),
        }
    }

    /// What `StartAutomationExecution` takes: the name, or the ARN of the shared document in a Region.
    #[must_use]
    pub fn reference(&self, operation: Operation, partition: &str, region: &str) -> String {
        let name = self.name(operation);
        match &self.owner {
            Some(owner) => format!("arn:{partition}:ssm:{region}:{owner}:document/{name}"),
            None => name.to_owned(),
        }
    }

    pub(super) fn check(&self, found: &mut Vec<Problem>) {
        for (path, name) in [("document.name", &self.name), ("document.restore", &self.restore)] {
            // The model: 3 to 128 of [a-zA-Z0-9_\-.]. With a hyphen first, the AWS CLI would take it for an option.
            let plain =
                name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b)) && !name.starts_with('-');
            if !plain || !(3..=128).contains(&name.len()) {
                found.push(Problem::new(
                    path,
                    format!("`{name}` is not a document's name"),
                    "write the name alone: 3 to 128 letters, digits and _-. with no hyphen first (a shared one: `owner` names its account)",
                ));
            }
        }
        if let Some(owner) = &self.owner
            && !is_account_id(owner)
        {
            found.push(Problem::new(
                "document.owner",
                format!("`{owner}` is not an account id"),
                "write twelve digits in quotes",
            ));
        }
        for (path, version) in
            [("document.version", &self.version), ("document.restore_version", &self.restore_version)]
        {
            if let Some(version) = version
                && version.parse::<u32>().map_or(true, |number| number == 0)
            {
                found.push(Problem::new(
                    path,
                    format!("`{version}` is not a version that stays the same"),
                    "write a number such as \"1\" ($LATEST and $DEFAULT can change under a campaign), or leave it out",
                ));
            }
        }
    }
}
