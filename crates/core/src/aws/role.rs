//! AWS IAM: a role as it stands in a member account.

use super::Member;
use super::error::aws_error;
use super::iam::decoded;
use crate::model::AwsError;

/// A role, from `GetRole`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleSeen {
    /// Its ARN.
    pub arn: String,
    /// Its trust policy, JSON.
    pub trust: String,
}

impl Member {
    /// `GetRole`; `None` where there is none of this name, whatever its path.
    pub async fn role(&self, name: &str) -> Result<Option<RoleSeen>, AwsError> {
        let (client, calls) = self.iam_service();
        let _permit = calls.enter().await;
        match client.get_role().role_name(name).send().await {
            Ok(answer) => Ok(answer.role().map(|role| RoleSeen {
                arn: role.arn().to_owned(),
                trust: decoded(role.assume_role_policy_document().unwrap_or_default()),
            })),
            Err(error) => match calls.heed(aws_error("GetRole", &error)) {
                error if matches!(error.code.as_str(), "NoSuchEntity" | "NoSuchEntityException") => Ok(None),
                error => Err(error),
            },
        }
    }
}
