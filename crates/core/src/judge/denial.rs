//! By whom a call was denied: AWS's messages name the kind of policy (IAM guide, "Troubleshoot access denied error messages").

use crate::model::{AwsError, Denial, Denier};

/// The kinds of policy by the words that AWS has for them. The first that occurs in the message counts, so that
/// "resource-based policy" is not looked for before "resource control policy".
const KINDS: [(&str, Denier); 8] = [
    ("service control polic", Denier::ServiceControlPolicy),
    ("resource control polic", Denier::ResourceControlPolicy),
    ("role trust polic", Denier::TrustPolicy),
    ("permissions boundar", Denier::PermissionsBoundary),
    ("session polic", Denier::SessionPolicy),
    ("VPC endpoint polic", Denier::VpcEndpointPolicy),
    ("identity-based polic", Denier::IdentityPolicy),
    ("resource-based polic", Denier::ResourcePolicy),
];

/// By whom a call was denied; `None` where it was not denied, or AWS does not say.
#[must_use]
pub fn denial(error: &AwsError) -> Option<Denial> {
    if !matches!(error.code.as_str(), "AccessDenied" | "AccessDeniedException") {
        return None;
    }
    denial_in(&error.message)
}

/// By whom a call was denied, by AWS's message alone: that of a failed step of an execution comes without a code of its own.
#[must_use]
pub fn denial_in(message: &str) -> Option<Denial> {
    // Resource names are the user's own, and could hold any words: only what follows the reason's first word counts.
    let reason = ["with an explicit deny in", "because no ", "because the "]
        .iter()
        .find_map(|start| message.rfind(start).map(|at| &message[at..]))?;
    let (_, by) = KINDS.iter().find(|(words, _)| reason.contains(words))?;
    Some(Denial { by: *by, explicit: reason.starts_with("with an explicit deny") })
}

/// What to do where a call of orgseal's own roles was denied: the same wherever it shows.
#[must_use]
pub fn denial_fix(denial: Denial, roles: &[String; 2]) -> String {
    let [member, automation] = roles.each_ref().map(|arn| arn.rsplit('/').next().unwrap_or(arn));
    match (denial.by, denial.explicit) {
        (Denier::ServiceControlPolicy | Denier::ResourceControlPolicy, true) => {
            control_policy_fix(denial.by).unwrap_or_default().to_owned()
        }
        (Denier::ServiceControlPolicy | Denier::ResourceControlPolicy, false) => {
            format!(
                "ask the management account to allow it to the roles {member} and {automation}, or exclude the account"
            )
        }
        (Denier::ResourcePolicy, _) => {
            format!(
                "ask the bucket's owner to exempt the role {automation} in the bucket policy, or exclude the bucket"
            )
        }
        (Denier::PermissionsBoundary, _) => {
            format!("allow it in the permissions boundaries of the roles {member} and {automation}")
        }
        (Denier::IdentityPolicy, true) => {
            format!("remove the deny from the policies of the roles {member} and {automation}")
        }
        (Denier::IdentityPolicy, false) => format!(
            "allow it to the roles {member} and {automation}, as config/policies/member-rollout.json and automation.json do"
        ),
        (Denier::SessionPolicy, _) => "set member_role.session_policy = \"none\"".to_owned(),
        (Denier::TrustPolicy, _) => {
            format!("compare the trust policies of {member} and {automation} with config/policies")
        }
        (Denier::VpcEndpointPolicy, _) => "allow it in the policy of the VPC endpoint".to_owned(),
    }
}

/// What to do where a control policy of the organization denies: the same wherever it is noticed. `None` for other policies, whose
/// fix depends on whose they are.
#[must_use]
pub fn control_policy_fix(by: Denier) -> Option<&'static str> {
    match by {
        Denier::ServiceControlPolicy => Some(
            "ask the management account to exempt the role from the service control policy that denies this, or exclude the account",
        ),
        Denier::ResourceControlPolicy => Some(
            "ask the management account to exempt the role from the resource control policy that denies this, or exclude the account",
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(message: &str) -> Option<(Denier, bool)> {
        let error = AwsError {
            code: "AccessDeniedException".into(),
            message: format!(
                "GenerateDataKey: User: u is not authorized to perform: kms:GenerateDataKey on resource: k {message}"
            ),
            hint: String::new(),
        };
        denial(&error).map(|denial| (denial.by, denial.explicit))
    }

    #[test]
    fn each_kind_of_policy_is_told_apart() {
        for (message, by, explicit) in [
            ("with an explicit deny in a service control policy", Denier::ServiceControlPolicy, true),
            (
                "because no service control policy allows the kms:GenerateDataKey action",
                Denier::ServiceControlPolicy,
                false,
            ),
            ("with an explicit deny in a resource control policy", Denier::ResourceControlPolicy, true),
            ("because no identity-based policy allows the kms:GenerateDataKey action", Denier::IdentityPolicy, false),
            ("with an explicit deny in an identity-based policy", Denier::IdentityPolicy, true),
            ("because no resource-based policy allows the kms:GenerateDataKey action", Denier::ResourcePolicy, false),
            ("with an explicit deny in a resource-based policy", Denier::ResourcePolicy, true),
            ("because no session policy allows the kms:GenerateDataKey action", Denier::SessionPolicy, false),
            (
                "because no permissions boundary allows the kms:GenerateDataKey action",
                Denier::PermissionsBoundary,
                false,
            ),
            ("because no VPC endpoint policy allows the kms:GenerateDataKey action", Denier::VpcEndpointPolicy, false),
            (
                "because the resource does not exist in this Region, no resource-based policies allow access, or a \
                 resource-based policy explicitly denies access",
                Denier::ResourcePolicy,
                false,
            ),
        ] {
            assert_eq!(said(message), Some((by, explicit)), "{message}");
        }
        assert_eq!(said(""), None);
    }

    #[test]
    fn only_a_denial_is_one() {
        let message = "with an explicit deny in a service control policy".to_owned();
        let error = AwsError { code: "ThrottlingException".into(), message, hint: String::new() };
        assert_eq!(denial(&error), None);
    }
}
