//! Session policies: a session is narrower than the role, so that a command can do no more than it needs.

use serde_json::{Value, json};

/// What a session is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Read buckets and their default encryption.
    Audit,
    /// Start and follow executions as well.
    Rollout,
    /// Look at former keys, and at what AWS Config would undo, as well.
    Rollback,
}

/// The session policy for a purpose, minified: STS takes 2,048 characters.
///
/// `iam:PassRole` is bound to Systems Manager; which role may be passed is the member role's own business.
#[must_use]
pub(super) fn session_policy(purpose: Purpose) -> String {
    // s3:ListBucket is what HeadBucket asks for, where ListBuckets gives no Region.
    let mut statements = vec![json!({
        "Effect": "Allow",
        "Action": ["s3:ListAllMyBuckets", "s3:GetEncryptionConfiguration", "s3:ListBucket"],
        "Resource": "*"
    })];
    if purpose != Purpose::Audit {
        statements.push(json!({
            "Effect": "Allow",
            "Action": [
                "ssm:GetDocument", "ssm:StartAutomationExecution", "ssm:AddTagsToResource",
                "ssm:DescribeAutomationExecutions", "ssm:GetAutomationExecution"
            ],
            "Resource": "*"
        }));
        statements.push(json!({
            "Effect": "Allow",
            "Action": "iam:PassRole",
            "Resource": "*",
            "Condition": { "StringEquals": { "iam:PassedToService": "ssm.amazonaws.com" } }
        }));
    }
    if purpose == Purpose::Rollout {
        // Guards look at who uses a bucket.
        statements.push(json!({ "Effect": "Allow", "Action": "iam:GetAccountAuthorizationDetails", "Resource": "*" }));
    }
    if purpose == Purpose::Rollback {
        statements.push(json!({
            "Effect": "Allow",
            "Action": [
                "kms:DescribeKey", "config:DescribeConfigRules", "config:DescribeRemediationConfigurations",
                "config:DescribeRemediationExceptions"
            ],
            "Resource": "*"
        }));
    }
    let policy: Value = json!({ "Version": "2012-10-17", "Statement": statements });
    policy.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audit_session_cannot_change_anything() {
        let policy = session_policy(Purpose::Audit);
        for verb in ["Put", "Start", "Create", "Delete", "PassRole", "\"*\"]"] {
            assert!(!policy.contains(verb), "{verb}");
        }
    }

    #[test]
    fn all_fit_what_sts_takes() {
        for purpose in [Purpose::Audit, Purpose::Rollout, Purpose::Rollback] {
            assert!(session_policy(purpose).len() <= 2048);
        }
    }
}
