//! `public-access`: who is anonymous cannot use KMS, so a website or a public bucket goes dark for its readers.

use super::access::does;
use super::seen::Seen;
use super::sight::{Sight, read};
use super::unsigned::{is_open_to_unsigned, network_conditions};
use super::{Guard, Need, Word};
use crate::model::{PublicAccessBlock, Read};

/// The groups that stand for everyone, with and without an AWS account.
const GROUPS: [&str; 2] =
    ["http://acs.amazonaws.com/groups/global/AllUsers", "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"];

pub(super) struct PublicAccess;

impl Guard for PublicAccess {
    fn name(&self) -> &'static str {
        "public-access"
    }

    fn keeps_from(&self) -> &'static str {
        "anonymous readers and writers lose access"
    }

    fn needs(&self) -> &'static [Need] {
        &[
            Need::Policy,
            Need::PolicyStatus,
            Need::Website,
            Need::Acl,
            Need::PublicAccessBlock,
            Need::AccountPublicAccessBlock,
        ]
    }

    fn look(&self, at: &Sight<'_>) -> Word {
        let mut seen = Seen::default();
        by_network(at, &mut seen);
        let [policies, acls] =
            [blocked(at, |block| block.restrict_public_buckets), blocked(at, |block| block.ignore_public_acls)];
        if policies == Some(true) && acls == Some(true) {
            // Nobody comes in but by network, whatever else could not be read. No block closes that.
            return word(seen);
        }
        let policy = seen.known(read(&at.evidence.policy_is_public, "GetBucketPolicyStatus")).copied().unwrap_or(false);
        let website = seen.known(read(&at.evidence.website, "GetBucketWebsite")).copied().unwrap_or(false);
        let groups: Vec<String> = match seen.known(read(&at.evidence.acl, "GetBucketAcl")) {
            None => Vec::new(),
            Some(acl) => acl
                .grants
                .iter()
                .filter(|(grantee, _)| GROUPS.contains(&grantee.as_str()))
                .map(|(grantee, permission)| {
                    format!("the ACL grants {permission} to {}", grantee.rsplit('/').next().unwrap_or(grantee))
                })
                .collect(),
        };
        let mut ways: Vec<(String, Option<bool>)> = groups.into_iter().map(|grant| (grant, acls)).collect();
        if policy {
            ways.insert(0, ("the bucket policy is public (GetBucketPolicyStatus: IsPublic)".to_owned(), policies));
        }
        if website {
            // A website's readers come in by the policy or by the ACL of each object, which is not looked at.
            let both = if policies == Some(false) || acls == Some(false) { Some(false) } else { None };
            ways.push(("the bucket has a website (GetBucketWebsite)".to_owned(), both));
        }
        if ways.iter().any(|(_, blocked)| blocked.is_none()) {
            // What could not be read of the blocks matters only now.
            seen.known(read(&at.evidence.public_access_block, "GetPublicAccessBlock"));
            seen.known(read(&at.account.public_access_block, "GetAccountPublicAccessBlock"));
        }
        let before = seen.found();
        for (way, blocked) in ways {
            match blocked {
                Some(true) => {}
                Some(false) => seen.saw(way),
                None => seen.unsure(format!("{way}, unless Block Public Access restricts it")),
            }
        }
        if seen.found() > before {
            seen.fix(PUBLIC_FIX);
        }
        word(seen)
    }
}

const PUBLIC_FIX: &str = "serve the content through CloudFront with origin access control, or keep SSE-S3 on this bucket (an \
                          exemption); if it is public by mistake, enable Block Public Access on the bucket";
const NETWORK_FIX: &str = "make these callers sign their requests as principals that can use the central key, or keep SSE-S3 on \
                           this bucket (an exemption); unsigned requests cannot use a KMS key, whatever the key policy allows";

fn word(seen: Seen) -> Word {
    seen.word(
        "the bucket allows unsigned requests, which cannot use a KMS key: they could not access new objects",
        PUBLIC_FIX,
    )
}

/// Who is let in by a VPC endpoint, an address or a Referer header alone. S3 does not call that public, and no public access block
/// closes it.
fn by_network(at: &Sight<'_>, seen: &mut Seen) {
    let Some(Some(policy)) = seen.known(at.bucket_policy()) else { return };
    for statement in policy.allows().filter(|statement| is_open_to_unsigned(policy, statement, at)) {
        seen.saw(format!(
            "the bucket policy, {}: everyone with {} may {} objects, with unsigned requests as well",
            statement.called(),
            network_conditions(statement).join(" and "),
            does(statement, at)
        ));
        seen.fix(NETWORK_FIX);
    }
}

/// Whether a switch of the bucket's or the account's block is on; `None` where neither is seen to be and one is unknown.
fn blocked(at: &Sight<'_>, switch: impl Fn(&PublicAccessBlock) -> bool) -> Option<bool> {
    let seen = |read: &Read<PublicAccessBlock>| match read {
        Some(Ok(block)) => Some(switch(block)),
        _ => None,
    };
    match (seen(&at.evidence.public_access_block), seen(&at.account.public_access_block)) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (Some(false), Some(false)) => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::*;
    use super::*;
    use crate::model::Acl;

    fn private() -> Scene {
        let mut scene = Scene::default();
        scene.evidence.policy = Some(Ok(None));
        scene.evidence.policy_is_public = Some(Ok(false));
        scene.evidence.website = Some(Ok(false));
        scene.evidence.acl = Some(Ok(Acl::default()));
        scene.evidence.public_access_block = Some(Ok(PublicAccessBlock::default()));
        scene.account.public_access_block = Some(Ok(PublicAccessBlock::default()));
        scene
    }

    fn open() -> Scene {
        let mut scene = private();
        scene.evidence.policy_is_public = Some(Ok(true));
        scene.evidence.website = Some(Ok(true));
        let grants = vec![(GROUPS[0].to_owned(), "READ".to_owned())];
        scene.evidence.acl = Some(Ok(Acl { owner: "owner".into(), grants }));
        scene
    }

    #[test]
    fn finds_policy_acl_and_website() {
        let seen = open().found(&PublicAccess);
        assert_eq!(seen.len(), 3, "{seen:?}");
        assert_eq!(seen[1], "the ACL grants READ to AllUsers");
    }

    #[test]
    fn finds_nothing_where_nobody_or_where_a_block_makes_it_ineffective() {
        assert_eq!(private().look(&PublicAccess), Word::Clear);
        let mut scene = open();
        scene.evidence.public_access_block =
            Some(Ok(PublicAccessBlock { restrict_public_buckets: true, ..PublicAccessBlock::default() }));
        let seen = scene.found(&PublicAccess);
        assert_eq!(seen.len(), 2, "the policy is closed, ACLs are not: {seen:?}");
        scene.account.public_access_block =
            Some(Ok(PublicAccessBlock { ignore_public_acls: true, ..PublicAccessBlock::default() }));
        assert_eq!(scene.look(&PublicAccess), Word::Clear);
        // The two that block what is new say nothing of what is there.
        scene = open();
        scene.evidence.public_access_block = Some(Ok(PublicAccessBlock {
            block_public_acls: true,
            block_public_policy: true,
            ..PublicAccessBlock::default()
        }));
        assert_eq!(scene.found(&PublicAccess).len(), 3);
    }

    /// A bucket whose policy lets everyone read under these conditions; S3 calls it not public.
    fn by_conditions(conditions: &str, more: &str) -> Scene {
        let mut scene = private();
        scene.evidence.policy = Some(Ok(Some(policy(&format!(
            r#"{{"Sid":"Read","Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*","Condition":{{{conditions}}}}}{more}"#
        )))));
        // A block closes what is public, which this is not.
        let block = PublicAccessBlock { restrict_public_buckets: true, ignore_public_acls: true, ..Default::default() };
        scene.evidence.public_access_block = Some(Ok(block));
        scene
    }

    #[test]
    fn finds_readers_who_are_let_in_by_network_alone() {
        for (conditions, shown) in [
            (
                r#""IpAddress":{"aws:SourceIp":["203.0.113.0/24","198.51.100.7/32"]}"#,
                "aws:sourceip 203.0.113.0/24, 198",
            ),
            (r#""StringEquals":{"aws:SourceVpce":"vpce-1"}"#, "aws:sourcevpce vpce-1"),
            (r#""StringEquals":{"aws:SourceVpc":"vpc-1"}"#, "aws:sourcevpc vpc-1"),
            (r#""StringEquals":{"aws:VpceAccount":"111122223333"}"#, "aws:vpceaccount 111122223333"),
            (r#""StringEquals":{"aws:VpceOrgID":"o-ours"}"#, "aws:vpceorgid o-ours"),
            (r#""ForAnyValue:StringLike":{"aws:VpceOrgPaths":"o-ours/*"}"#, "aws:vpceorgpaths o-ours/*"),
            (r#""StringLike":{"aws:Referer":"https://www.example.com/*"}"#, "aws:referer https://www.example.com/*"),
            (
                r#""StringEquals":{"aws:SourceVpce":"vpce-1"},"StringEqualsIfExists":{"aws:PrincipalOrgID":"o-ours"}"#,
                "aws:sourcevpce vpce-1",
            ),
        ] {
            let scene = by_conditions(conditions, "");
            let found = scene.found(&PublicAccess);
            let start = format!("the bucket policy, statement Read: everyone with {shown}");
            assert!(found.len() == 1 && found[0].starts_with(&start), "{found:?}");
            assert_eq!(scene.advice(&PublicAccess), NETWORK_FIX);
        }
    }

    #[test]
    fn finds_nobody_where_a_condition_or_a_deny_asks_who_it_is() {
        let endpoint = r#""StringEquals":{"aws:SourceVpce":"vpce-1""#;
        for who in [
            r#","aws:PrincipalOrgID":"o-ours"}"#,
            r#","aws:PrincipalAccount":"111122223333"}"#,
            r#"},"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::111122223333:role/*"}"#,
            r#","aws:PrincipalTag/team":"x"}"#,
            r#"},"Bool":{"aws:PrincipalIsAWSService":"false"}"#,
        ] {
            assert_eq!(by_conditions(&format!("{endpoint}{who}"), "").look(&PublicAccess), Word::Clear, "{who}");
        }
        let org = r#","aws:PrincipalOrgID":"o-ours""#.replace(',', "");
        assert_eq!(by_conditions(&format!(r#""StringEquals":{{{org}}}"#), "").look(&PublicAccess), Word::Clear);
        let deny = r#",{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::b/*","Condition":{"StringNotEquals":{"aws:PrincipalOrgID":"o-ours"}}}"#;
        assert_eq!(by_conditions(&format!("{endpoint}}}"), deny).look(&PublicAccess), Word::Clear);
    }

    #[test]
    fn a_deny_of_unsigned_requests_counts_for_what_the_statement_allows() {
        let endpoint = r#""StringEquals":{"aws:SourceVpce":"vpce-1"}"#;
        let deny = |action: &str| {
            format!(
                r#",{{"Effect":"Deny","Principal":"*","Action":"{action}","Resource":"arn:aws:s3:::b/*","Condition":{{"Null":{{"aws:PrincipalArn":"true"}}}}}}"#
            )
        };
        assert_eq!(by_conditions(endpoint, &deny("s3:GetObject")).look(&PublicAccess), Word::Clear);
        assert_eq!(by_conditions(endpoint, &deny("s3:PutObject")).found(&PublicAccess).len(), 1);
    }

    #[test]
    fn a_bucket_policy_that_could_not_be_read_may_let_a_network_in_past_any_block() {
        let mut scene = private();
        scene.evidence.policy = denied("GetBucketPolicy", "allow s3:GetBucketPolicy");
        scene.evidence.policy_is_public = denied("GetBucketPolicyStatus", "allow s3:GetBucketPolicyStatus");
        let block = PublicAccessBlock { restrict_public_buckets: true, ignore_public_acls: true, ..Default::default() };
        scene.evidence.public_access_block = Some(Ok(block));
        assert_eq!(scene.untold(&PublicAccess), ["AccessDenied: GetBucketPolicy: Access Denied"]);
        scene.evidence.policy = Some(Ok(None));
        assert_eq!(scene.look(&PublicAccess), Word::Clear);
    }

    #[test]
    fn cannot_tell_what_could_not_be_read() {
        let mut scene = open();
        scene.account.public_access_block = denied("GetAccountPublicAccessBlock", "allow it");
        let (why, hint) = (scene.untold(&PublicAccess), scene.advice(&PublicAccess));
        assert_eq!((why.len(), hint.as_str()), (4, "allow it"), "{why:?}");
        assert!(why[1].ends_with("IsPublic), unless Block Public Access restricts it"), "{why:?}");
        let mut scene = private();
        scene.evidence.policy_is_public = denied("GetBucketPolicyStatus", "allow s3:GetBucketPolicyStatus");
        assert_eq!(scene.advice(&PublicAccess), "allow s3:GetBucketPolicyStatus");
    }
}
