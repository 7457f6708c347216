//! `public-access`: who is anonymous cannot use KMS, so a website or a public bucket goes dark for its readers.

use super::seen::Seen;
use super::sight::{Sight, read};
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
        "anonymous readers and writers are refused"
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::PolicyStatus, Need::Website, Need::Acl, Need::PublicAccessBlock, Need::AccountPublicAccessBlock]
    }

    fn look(&self, at: &Sight<'_>) -> Word {
        let mut seen = Seen::default();
        let policy = seen.known(read(&at.evidence.policy_is_public, "GetBucketPolicyStatus")).copied().unwrap_or(false);
        let website = seen.known(read(&at.evidence.website, "GetBucketWebsite")).copied().unwrap_or(false);
        let groups: Vec<String> = match seen.known(read(&at.evidence.acl, "GetBucketAcl")) {
            None => Vec::new(),
            Some(acl) => acl
                .grants
                .iter()
                .filter(|(grantee, _)| GROUPS.contains(&grantee.as_str()))
                .map(|(grantee, permission)| {
                    format!("the ACL gives {} {permission}", grantee.rsplit('/').next().unwrap_or(grantee))
                })
                .collect(),
        };
        let [policies, acls] =
            [blocked(at, |block| block.restrict_public_buckets), blocked(at, |block| block.ignore_public_acls)];
        if policies == Some(true) && acls == Some(true) {
            // Nobody comes in who is not known, whatever else could not be read.
            return Word::Clear;
        }
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
        for (way, blocked) in ways {
            match blocked {
                Some(true) => {}
                Some(false) => seen.saw(way),
                None => seen.unsure(format!("{way}, unless a public access block closes it")),
            }
        }
        seen.word(
            "the bucket is open to anonymous callers, who cannot use a KMS key: new objects would be refused to them",
            "serve it through CloudFront with origin access control, or keep SSE-S3 here; if it is public by mistake, turn its \
             public access block on",
        )
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
        assert_eq!(seen[1], "the ACL gives AllUsers READ");
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

    #[test]
    fn cannot_tell_what_could_not_be_read() {
        let mut scene = open();
        scene.account.public_access_block = denied("GetAccountPublicAccessBlock", "allow it");
        let (why, hint) = (scene.untold(&PublicAccess), scene.advice(&PublicAccess));
        assert_eq!((why.len(), hint.as_str()), (4, "allow it"), "{why:?}");
        assert!(why[1].ends_with("IsPublic), unless a public access block closes it"), "{why:?}");
        let mut scene = private();
        scene.evidence.policy_is_public = denied("GetBucketPolicyStatus", "allow s3:GetBucketPolicyStatus");
        assert_eq!(scene.advice(&PublicAccess), "allow s3:GetBucketPolicyStatus");
    }
}
