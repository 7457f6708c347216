//! Whether the member role can use the central key (law 6), from KMS's answer to a dry run.
//!
//! What is proven is that this role can, never that applications can. A key policy that admits calls through S3 alone
//! (`kms:ViaService`) refuses the direct call of a dry run though S3 could use the key: that is no denial, it is "not provable".

use super::policy::{Condition, Policy, Principal, Statement};
use super::{control_policy_fix, denial};
use crate::glob::matches;
use crate::model::{AwsError, Denial, Denier, DryRun, KeyArn, Partition, Reason};

/// The action that S3 calls for each new object, or once for many under a Bucket Key.
const ACTION: &str = "kms:GenerateDataKey";
const THEN: &str = "then `orgseal resume --retry-failed`";

/// What was asked.
#[derive(Clone, Copy, Debug)]
pub struct ProofAsked<'a> {
    /// The central key.
    pub key: &'a KeyArn,
    /// The member account.
    pub account: &'a str,
    /// The organization, `o-…`.
    pub organization: &'a str,
}

/// The key policy as the security account read it.
pub type KeyPolicySeen<'a> = Result<&'a str, &'a AwsError>;

/// What an answer proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The member role can use the key.
    Proven,
    /// Neither that it can nor that it cannot: a person may accept that (`keys.accept_unproven`).
    NotProvable(AwsError),
    /// It cannot.
    Denied(AwsError),
    /// The key itself cannot be used by anybody.
    KeyNotUsable(AwsError),
    /// No answer came that says either.
    Unanswered(AwsError),
}

impl Proof {
    /// Why nothing may be pointed at the key from this account.
    pub fn verdict(self, accept_unproven: bool) -> Result<(), (Reason, AwsError)> {
        match self {
            Proof::Proven => Ok(()),
            Proof::NotProvable(_) if accept_unproven => Ok(()),
            Proof::NotProvable(error) | Proof::Denied(error) | Proof::Unanswered(error) => {
                Err((Reason::KeyNotProven, error))
            }
            Proof::KeyNotUsable(error) => Err((Reason::KeyNotUsable, error)),
        }
    }
}

/// Whether the key policy has to be read to tell a denial from what cannot be proven.
#[must_use]
pub fn needs_key_policy(answer: &DryRun) -> bool {
    matches!(answer, DryRun::Refused(error) if denial(error).is_some_and(|denial| denial.by == Denier::ResourcePolicy))
}

/// What an answer proves. `policy` counts where [`needs_key_policy`] says so; `None` is a policy that was not read.
#[must_use]
pub fn judge_proof(asked: ProofAsked<'_>, answer: &DryRun, policy: Option<KeyPolicySeen<'_>>) -> Proof {
    let ProofAsked { key, account, .. } = asked;
    let error = match answer {
        DryRun::WouldSucceed => return Proof::Proven,
        DryRun::KeyMaterial => {
            return Proof::NotProvable(AwsError {
                code: "DryRunIgnored".to_owned(),
                message: format!(
                    "GenerateDataKey: the endpoint ignored DryRun and returned a data key of {key} to account {account}; \
                     orgseal discarded it"
                ),
                hint: "check the endpoint: AWS KMS returns no key in a dry run; keys.accept_unproven = true continues without a \
                       proof"
                    .to_owned(),
            });
        }
        DryRun::Refused(error) => error,
    };
    match error.code.as_str() {
        "AccessDenied" | "AccessDeniedException" => denied(asked, error, denial(error), policy),
        "DisabledException"
        | "KMSInvalidStateException"
        | "KeyUnavailableException"
        | "InvalidKeyUsageException"
        | "NotFoundException"
        | "InvalidArnException" => not_usable(asked, error),
        _ => Proof::Unanswered(AwsError {
            message: format!(
                "could not determine whether account {account} can use the central key {key}: {}",
                error.message
            ),
            ..error.clone()
        }),
    }
}

fn not_usable(asked: ProofAsked<'_>, error: &AwsError) -> Proof {
    let ProofAsked { key, account, .. } = asked;
    Proof::KeyNotUsable(AwsError {
        code: error.code.clone(),
        message: format!("the central key {key} cannot be used from account {account}: {}", error.message),
        hint: format!("correct the key, or set another one in [central_key], {THEN}"),
    })
}

fn denied(asked: ProofAsked<'_>, error: &AwsError, denial: Option<Denial>, policy: Option<KeyPolicySeen<'_>>) -> Proof {
    let ProofAsked { key, account, organization } = asked;
    let with = |message: String, hint: String| AwsError { code: error.code.clone(), message, hint };
    let refused = |by: &str| {
        format!(
            "the member role in account {account} cannot use the central key {key}, denied by {by}: {}",
            error.message
        )
    };
    let Some(Denial { by, explicit }) = denial else {
        let hint = format!(
            "find the denying policy in CloudTrail (GenerateDataKey in account {account}), allow the action, {THEN}"
        );
        return Proof::Denied(with(
            format!("the member role in account {account} cannot use the central key {key}: {}", error.message),
            hint,
        ));
    };
    let hint = match by {
        Denier::ResourcePolicy => {
            return match policy.map(|read| read.map(Policy::parse)) {
                Some(Ok(Ok(policy))) if through_s3(&policy, asked, explicit) => Proof::NotProvable(AwsError {
                    code: "KeyNotProvable".to_owned(),
                    message: format!(
                        "the policy of the central key {key} allows account {account} only through S3 (kms:ViaService), so a \
                         direct call is inconclusive"
                    ),
                    hint: format!(
                        "allow the member role kms:GenerateDataKey and kms:DescribeKey without kms:ViaService, {THEN}; or \
                         upload a test object there with --sse aws:kms, and set keys.accept_unproven = true"
                    ),
                }),
                Some(Ok(Ok(_))) if explicit => Proof::Denied(with(
                    refused("a Deny in the key's policy"),
                    format!("exempt account {account} from the Deny in the policy of {key}, {THEN}"),
                )),
                Some(Ok(Ok(_))) => Proof::Denied(with(
                    refused("the key's policy"),
                    format!(
                        "in the policy of {key}, allow kms:GenerateDataKey, kms:Decrypt and kms:DescribeKey to account \
                         {account}, or to the organization (aws:PrincipalOrgID = {organization}), {THEN}"
                    ),
                )),
                Some(Ok(Err(why))) => not_told(asked, error, &why.to_string()),
                // Across accounts KMS denies the use of a key that does not exist; the key's own account is told so.
                Some(Err(why)) if why.code == "NotFoundException" => not_usable(asked, why),
                Some(Err(why)) => not_told(asked, error, &why.to_string()),
                None => not_told(asked, error, "it was not read"),
            };
        }
        Denier::IdentityPolicy if explicit => {
            format!("exempt kms:GenerateDataKey on {key} from the Deny in the member role's policies, {THEN}")
        }
        Denier::IdentityPolicy => format!(
            "allow kms:GenerateDataKey and kms:DescribeKey on {key} to the member role (ProveTheCentralKey in \
             config/policies/member-rollout.json), {THEN}; applications need them in their own policies too"
        ),
        Denier::ServiceControlPolicy => format!("{}; {THEN}", control_policy_fix(by).unwrap_or_default()),
        Denier::ResourceControlPolicy => format!(
            "a resource control policy above account {} denies this: ask the management account to exempt the organization's \
             principals, {THEN}",
            key.account
        ),
        Denier::PermissionsBoundary => {
            format!("allow kms:GenerateDataKey on {key} in the member role's permissions boundary, {THEN}")
        }
        Denier::SessionPolicy => {
            format!(
                "set member_role.session_policy = \"none\", {THEN}, and report it: orgseal's session policy should allow it"
            )
        }
        Denier::VpcEndpointPolicy => {
            format!(
                "allow kms:GenerateDataKey on {key} in the policy of the VPC endpoint for KMS that orgseal uses, {THEN}"
            )
        }
        Denier::TrustPolicy => "allow the action in the message to the role".to_owned(),
    };
    Proof::Denied(with(refused(by.says()), hint))
}

/// The key policy refused, and why cannot be told: it may admit calls through S3.
fn not_told(asked: ProofAsked<'_>, error: &AwsError, why: &str) -> Proof {
    let ProofAsked { key, account, .. } = asked;
    Proof::NotProvable(AwsError {
        code: "KeyNotProvable".to_owned(),
        message: format!(
            "the policy of the central key {key} denies the direct call from account {account}; could not determine whether it \
             allows calls through S3 ({why}): {}",
            error.message
        ),
        hint: format!(
            "allow kms:GetKeyPolicy on {key} to your caller, {THEN}; keys.accept_unproven = true continues without a proof"
        ),
    })
}

/// Whether a key policy that refused the direct call may admit the account's calls through S3 in the key's Region.
fn through_s3(policy: &Policy, asked: ProofAsked<'_>, explicit: bool) -> bool {
    let concerns = |statement: &&Statement| statement.covers_action(ACTION) && may_be_about(statement, asked);
    let admits = policy.allows().filter(concerns).any(|statement| {
        let via = statement.conditions.iter().any(|condition| admits_s3(condition, asked.key) == Some(true));
        // Behind an explicit deny any Allow will do; without one only an Allow for calls through S3 tells the two apart.
        (via || explicit) && statement.conditions.iter().all(|condition| admits_s3(condition, asked.key) != Some(false))
    });
    // A Deny that spares S3 is what refused the direct call, if every Deny that speaks of the account spares it.
    let spared = policy
        .denies()
        .filter(concerns)
        .all(|statement| statement.conditions.iter().any(|condition| admits_s3(condition, asked.key) == Some(false)));
    admits && (!explicit || spared)
}

/// Whether a condition on `kms:ViaService` holds for a call that S3 makes in the key's Region; `None` for other conditions.
fn admits_s3(condition: &Condition, key: &KeyArn) -> Option<bool> {
    if condition.key != "kms:viaservice" {
        return None;
    }
    let (operator, negated) = condition.plain_operator();
    if operator == "null" {
        // The key is there in a call that comes through a service.
        return Some(condition.values.iter().any(|value| value == "false"));
    }
    // Where AWS does not document the value, either form may be the right one.
    let forms = Partition::named(&key.partition).map(|partition| partition.via_s3(&key.region)).unwrap_or_default();
    let named = condition.values.iter().any(|value| forms.iter().any(|form| matches(value, form)));
    Some(named != negated)
}

/// Whether a statement may be about the account. What cannot be told here counts as "may".
fn may_be_about(statement: &Statement, asked: ProofAsked<'_>) -> bool {
    let named = statement.named_principals();
    let principal = named.is_empty()
        || named.iter().any(|principal| match principal {
            Principal::Everyone => true,
            principal => principal.account() == Some(asked.account),
        });
    principal
        && statement.conditions.iter().all(|condition| {
            let ours = match condition.key.as_str() {
                "aws:principalorgid" => asked.organization,
                "aws:principalaccount" | "kms:calleraccount" => asked.account,
                _ => return true,
            };
            let (operator, negated) = condition.plain_operator();
            if !operator.starts_with("string") {
                return true;
            }
            condition.values.iter().any(|value| value.contains("${") || matches(value, ours)) != negated
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: &str = "444455556666";

    fn key() -> KeyArn {
        "arn:aws:kms:eu-west-1:111122223333:key/k".parse().unwrap()
    }

    fn refused(code: &str, reason: &str) -> DryRun {
        DryRun::Refused(AwsError {
            code: code.into(),
            message: format!("GenerateDataKey: User: u is not authorized to perform: kms:GenerateDataKey {reason}"),
            hint: "h".into(),
        })
    }

    fn judged(answer: &DryRun, policy: Option<&str>) -> Proof {
        let key = key();
        let asked = ProofAsked { key: &key, account: ACCOUNT, organization: "o-ours" };
        judge_proof(asked, answer, policy.map(Ok))
    }

    fn by_key_policy(statements: &str) -> Proof {
        let policy = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
        let answer =
            refused("AccessDeniedException", "because no resource-based policy allows the kms:GenerateDataKey action");
        assert!(needs_key_policy(&answer));
        judged(&answer, Some(&policy))
    }

    fn allow(principal: &str, condition: &str) -> String {
        format!(
            r#"{{"Effect":"Allow","Principal":{principal},"Action":"kms:GenerateDataKey*","Resource":"*","Condition":{{{condition}}}}}"#
        )
    }

    const VIA_S3: &str = r#""StringLike":{"kms:ViaService":"s3.*.amazonaws.com"}"#;
    const OURS: &str = r#""StringEquals":{"aws:PrincipalOrgID":"o-ours"}"#;
    const EVERYONE: &str = r#"{"AWS":"*"}"#;

    #[test]
    fn each_answer_is_what_it_is() {
        assert_eq!(judged(&DryRun::WouldSucceed, None), Proof::Proven);
        assert!(matches!(judged(&DryRun::KeyMaterial, None), Proof::NotProvable(_)));
        for code in ["DisabledException", "KMSInvalidStateException", "NotFoundException"] {
            assert!(matches!(judged(&refused(code, ""), None), Proof::KeyNotUsable(_)), "{code}");
        }
        for code in ["ThrottlingException", "Timeout", "KMSInternalException"] {
            assert!(matches!(judged(&refused(code, ""), None), Proof::Unanswered(_)), "{code}");
        }
        for (reason, by, what) in [
            ("with an explicit deny in a service control policy", "service control policy", "management account"),
            ("because no identity-based policy allows the x action", "own IAM policies", "ProveTheCentralKey"),
            ("because no session policy allows the x action", "session policy", "session_policy"),
            ("because no permissions boundary allows the x action", "permissions boundary", "boundary"),
            ("because no VPC endpoint policy allows the x action", "VPC endpoint", "VPC endpoint"),
            ("with an explicit deny in a resource control policy", "resource control policy", "111122223333"),
        ] {
            let Proof::Denied(error) = judged(&refused("AccessDeniedException", reason), None) else {
                panic!("{reason}")
            };
            assert!(error.message.contains(by) && error.message.contains(ACCOUNT), "{error:?}");
            assert!(error.hint.contains(what), "{error:?}");
        }
        assert!(matches!(judged(&refused("AccessDeniedException", ""), None), Proof::Denied(_)));
    }

    #[test]
    fn a_policy_that_admits_calls_through_s3_alone_leaves_it_not_provable() {
        for (principal, condition) in [
            (EVERYONE, format!("{OURS},{VIA_S3}")),
            (r#"{"AWS":"arn:aws:iam::444455556666:root"}"#, VIA_S3.to_owned()),
            (
                r#"{"AWS":"444455556666"}"#,
                r#""StringEquals":{"kms:ViaService":"s3.eu-west-1.amazonaws.com"}"#.to_owned(),
            ),
            (EVERYONE, format!(r#"{VIA_S3},"StringEquals":{{"kms:CallerAccount":["{ACCOUNT}"]}}"#)),
            (EVERYONE, format!(r#"{VIA_S3},"ForAnyValue:StringLike":{{"aws:PrincipalOrgPaths":"o-ours/*"}}"#)),
        ] {
            let proof = by_key_policy(&allow(principal, &condition));
            assert!(matches!(proof, Proof::NotProvable(_)), "{principal} {condition}: {proof:?}");
        }
    }

    #[test]
    fn a_policy_that_admits_somebody_else_is_a_denial() {
        for (principal, condition) in [
            (EVERYONE, format!(r#"{VIA_S3},"StringEquals":{{"aws:PrincipalOrgID":"o-other"}}"#)),
            (r#"{"AWS":"arn:aws:iam::999999999999:root"}"#, VIA_S3.to_owned()),
            (EVERYONE, r#""StringEquals":{"kms:ViaService":"s3.us-east-1.amazonaws.com"}"#.to_owned()),
            (EVERYONE, format!(r#"{VIA_S3},"StringNotEquals":{{"aws:PrincipalAccount":"{ACCOUNT}"}}"#)),
            // Nothing here speaks of S3.
            (r#"{"AWS":"arn:aws:iam::111122223333:root"}"#, OURS.to_owned()),
        ] {
            let proof = by_key_policy(&allow(principal, &condition));
            assert!(matches!(proof, Proof::Denied(_)), "{principal} {condition}: {proof:?}");
        }
    }

    #[test]
    fn a_deny_that_spares_s3_leaves_it_not_provable_and_any_other_denies() {
        let deny = |condition: &str| {
            allow(EVERYONE, OURS) + "," + &allow(EVERYONE, condition).replace("\"Allow\"", "\"Deny\"")
        };
        let answer = refused("AccessDeniedException", "with an explicit deny in a resource-based policy");
        let judged = |condition: &str| {
            judged(&answer, Some(&format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, deny(condition))))
        };
        let spares = r#""StringNotLike":{"kms:ViaService":"s3.*.amazonaws.com"}"#;
        assert!(matches!(judged(spares), Proof::NotProvable(_)));
        assert!(matches!(judged(r#""Null":{"kms:ViaService":"true"}"#), Proof::NotProvable(_)));
        assert!(matches!(judged(r#""IpAddress":{"aws:SourceIp":"10.0.0.0/8"}"#), Proof::Denied(_)));
    }

    #[test]
    fn a_key_policy_that_cannot_be_read_leaves_it_not_provable() {
        let answer =
            refused("AccessDeniedException", "because no resource-based policy allows the kms:GenerateDataKey action");
        assert!(matches!(judged(&answer, None), Proof::NotProvable(_)));
        assert!(matches!(judged(&answer, Some("no JSON")), Proof::NotProvable(_)));
        let key = key();
        let asked = ProofAsked { key: &key, account: ACCOUNT, organization: "o-ours" };
        for (code, missing) in [("NotFoundException", true), ("AccessDeniedException", false)] {
            let unread = AwsError { code: code.into(), message: "GetKeyPolicy: no".into(), hint: "h".into() };
            let proof = judge_proof(asked, &answer, Some(Err(&unread)));
            assert_eq!(matches!(proof, Proof::KeyNotUsable(_)), missing, "{proof:?}");
        }
    }

    #[test]
    fn only_what_is_not_provable_can_be_accepted() {
        let error = AwsError { code: "c".into(), message: "m".into(), hint: "h".into() };
        assert_eq!(Proof::NotProvable(error.clone()).verdict(true), Ok(()));
        assert_eq!(Proof::NotProvable(error.clone()).verdict(false).unwrap_err().0, Reason::KeyNotProven);
        for proof in [Proof::Denied(error.clone()), Proof::Unanswered(error.clone()), Proof::KeyNotUsable(error)] {
            assert!(proof.verdict(true).is_err());
        }
    }
}
