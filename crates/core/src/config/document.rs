//! `[document]`: the Automation document that changes a bucket.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Problem, is_account_id};

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
}

impl DocumentChoice {
    /// What `StartAutomationExecution` takes: the name, or the ARN of the shared document in a Region.
    #[must_use]
    pub fn reference(&self, partition: &str, region: &str) -> String {
        match &self.owner {
            Some(owner) => format!("arn:{partition}:ssm:{region}:{owner}:document/{}", self.name),
            None => self.name.clone(),
        }
    }

    pub(super) fn check(&self, found: &mut Vec<Problem>) {
        // The model: 3 to 128 of [a-zA-Z0-9_\-.].
        let plain = self.name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
        if !plain || !(3..=128).contains(&self.name.len()) {
            found.push(Problem::new(
                "document.name",
                format!("`{}` is not a document's name", self.name),
                "write the name alone: 3 to 128 letters, digits and _-. (a shared one: `owner` names its account)",
            ));
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
        if let Some(version) = &self.version
            && version.parse::<u32>().map_or(true, |number| number == 0)
        {
            found.push(Problem::new(
                "document.version",
                format!("`{version}` is not a version that stays the same"),
                "write a number such as \"1\" ($LATEST and $DEFAULT can change under a campaign), or leave it out",
            ));
        }
    }
}
