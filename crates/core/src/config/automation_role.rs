//! `[automation_role]`: the role under which the document runs in the member account.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Problem, is_iam_name, is_iam_path, slash};

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
        if !is_iam_name(&self.name) {
            found.push(Problem::new(
                "automation_role.name",
                format!("`{}` is not a role's name", self.name),
                "write the name alone, without path or ARN: 1 to 64 letters, digits and +=,.@_-",
            ));
        }
        if !is_iam_path(&self.path) {
            found.push(Problem::new(
                "automation_role.path",
                format!("`{}` is not an IAM path", self.path),
                "begin and end it with a slash, such as /security/",
            ));
        }
    }
}
