//! `[automation_role]`: the role under which the document runs in the member account.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Problem, check_role, slash};

/// The role that `AutomationAssumeRole` names: in the same account as the bucket, trusting `ssm.amazonaws.com`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AutomationRole {
    /// The role's name, the same in every account.
    pub name: String,
    /// The role's path.
    #[serde(default = "slash")]
    pub path: String,
}

impl AutomationRole {
    pub(super) fn check(&self, found: &mut Vec<Problem>) {
        check_role("automation_role", &self.name, &self.path, found);
    }
}
