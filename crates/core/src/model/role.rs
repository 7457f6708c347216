//! Role ARNs, made rather than read: every member account has the same role names.

/// The ARN of an IAM role. `path` begins and ends with `/`, as IAM wants it.
#[must_use]
pub fn role_arn(partition: &str, account: &str, path: &str, name: &str) -> String {
    format!("arn:{partition}:iam::{account}:role{path}{name}")
}
