//! `origin-access-identity`: CloudFront's older identity cannot read SSE-KMS objects; origin access control can.

use super::access::account_of;
use super::seen::Seen;
use super::sight::Sight;
use super::{Guard, Need, Word};
use crate::judge::policy::Principal;

pub(super) struct OriginAccessIdentity;

impl Guard for OriginAccessIdentity {
    fn name(&self) -> &'static str {
        "origin-access-identity"
    }

    fn keeps_from(&self) -> &'static str {
        "a CloudFront distribution can no longer read its origin"
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Policy, Need::Acl]
    }

    fn look(&self, at: &Sight<'_>) -> Word {
        let mut seen = Seen::default();
        if let Some(Some(policy)) = seen.known(at.bucket_policy()) {
            for statement in policy.allows() {
                for principal in statement.named_principals() {
                    match principal {
                        // arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E…
                        Principal::Aws(arn) if account_of(arn) == Some("cloudfront") => {
                            seen.saw(format!("the bucket policy, {}: {arn}", statement.called()));
                        }
                        // The same identity's other name. Whose a canonical id is, nothing tells.
                        Principal::CanonicalUser(id) if !at.is_owner(id) => seen.saw(format!(
                            "the bucket policy, {}: the canonical user {id}, which may be an origin access identity or an \
                             account",
                            statement.called()
                        )),
                        _ => {}
                    }
                }
            }
        }
        seen.word(
            "CloudFront may read the bucket through an origin access identity, which cannot read objects encrypted with a KMS \
             key",
            "change the distribution to origin access control, and allow cloudfront.amazonaws.com in the key policy; if the \
             canonical user is an account, specify its account ID instead",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::*;
    use super::*;

    fn admitting(principal: &str) -> Scene {
        Scene::with_policy(&format!(
            r#"{{"Effect":"Allow","Principal":{principal},"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}}"#
        ))
    }

    #[test]
    fn finds_the_identity_by_either_of_its_names() {
        for principal in [
            r#"{"AWS":"arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E1EXAMPLE"}"#,
            r#"{"CanonicalUser":"79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"}"#,
        ] {
            assert_eq!(admitting(principal).found(&OriginAccessIdentity).len(), 1, "{principal}");
        }
    }

    #[test]
    fn finds_nothing_in_origin_access_control_and_in_the_owner() {
        for principal in [r#"{"Service":"cloudfront.amazonaws.com"}"#, r#"{"CanonicalUser":"owner"}"#] {
            assert_eq!(admitting(principal).look(&OriginAccessIdentity), Word::Clear, "{principal}");
        }
    }

    #[test]
    fn cannot_tell_without_the_policy() {
        let mut scene = Scene::default();
        scene.evidence.policy = denied("GetBucketPolicy", "allow s3:GetBucketPolicy");
        assert_eq!(scene.advice(&OriginAccessIdentity), "allow s3:GetBucketPolicy");
    }
}
