//! AWS IAM: a role as it stands in a member account.

use super::Member;
use super::error::aws_error;
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
                trust: unescaped(role.assume_role_policy_document().unwrap_or_default()),
            })),
            Err(error) => match calls.heed(aws_error("GetRole", &error)) {
                error if matches!(error.code.as_str(), "NoSuchEntity" | "NoSuchEntityException") => Ok(None),
                error => Err(error),
            },
        }
    }
}

/// IAM hands policies out URL-encoded (RFC 3986).
pub(super) fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escaped = (first == b'%').then(|| text_of(after.get(..2)?)).flatten();
        bytes.push(escaped.unwrap_or(first));
        rest = if escaped.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn text_of(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::unescaped;

    #[test]
    fn an_encoded_policy_is_decoded() {
        assert_eq!(unescaped("%7B%22a%22%3A%20%22%C3%BC%22%7D"), "{\"a\": \"ü\"}");
        assert_eq!(unescaped("100% plain %zz"), "100% plain %zz");
    }
}
