//! `object-ownership`: where ACLs are in force, other accounts that put objects own them, and encrypt them as themselves.

use super::access_points::is_of_access_points;
use super::admission::{is_owner, strangers};
use super::sight::Sight;
use super::{Guard, Need, Subject, Word};

/// Ownership under which what another account puts is not that account's.
const OWNERS: [&str; 2] = ["BucketOwnerEnforced", "BucketOwnerPreferred"];
/// Groups: everyone is `public-access`'s, log delivery `access-log-target`'s.
const GROUPS: &str = "http://acs.amazonaws.com/groups/";

pub(super) struct ObjectOwnership;

impl Guard for ObjectOwnership {
    fn name(&self) -> &'static str {
        "object-ownership"
    }

    fn keeps_from(&self) -> &'static str {
        "other accounts' uploads that are refused, or that nobody here can read"
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Ownership, Need::Policy, Need::Acl]
    }

    fn look(&self, at: &Subject<'_>) -> Word {
        let mut sight = Sight::default();
        let Some(ownership) = sight.read(&at.evidence.ownership, "GetBucketOwnershipControls") else {
            return sight.word("", "");
        };
        if ownership.as_deref().is_some_and(|ownership| OWNERS.contains(&ownership)) {
            return Word::Clear;
        }
        let mode = ownership.as_deref().unwrap_or("not set, so ObjectWriter");
        if let Some(policy) = sight.bucket_policy(&at.evidence.policy) {
            for statement in policy.allows().filter(|statement| statement.covers_action("s3:PutObject")) {
                // Who comes in by an access point is `access-points`' business.
                if statement.conditions.iter().any(is_of_access_points) {
                    continue;
                }
                for who in strangers(statement, at) {
                    sight.saw(format!("ownership {mode}; the bucket policy, {}: {who} may put", statement.called()));
                }
            }
        }
        if let Some(acl) = sight.read(&at.evidence.acl, "GetBucketAcl") {
            for (grantee, permission) in &acl.grants {
                let writes = matches!(permission.as_str(), "WRITE" | "FULL_CONTROL");
                if writes && !grantee.starts_with(GROUPS) && !is_owner(grantee, at) {
                    sight.saw(format!("ownership {mode}; the ACL gives {grantee} {permission}"));
                }
            }
        }
        sight.word(
            "other accounts put objects here and own them; under the central key each of them needs a right on the key, and so does \
             whoever reads their objects",
            "set Object Ownership to BucketOwnerEnforced, and give the writers kms:GenerateDataKey on the central key on both sides",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::scene::*;
    use super::*;

    fn owned(ownership: Option<&str>, principal: &str) -> Scene {
        let mut scene = Scene::with_policy(&format!(
            r#"{{"Effect":"Allow","Principal":{principal},"Action":"s3:PutObject","Resource":"arn:aws:s3:::b/*"}}"#
        ));
        scene.evidence.ownership = Some(Ok(ownership.map(str::to_owned)));
        scene
    }

    const OTHER: &str = r#"{"AWS":"arn:aws:iam::777788889999:root"}"#;

    #[test]
    fn finds_writers_of_other_accounts_where_they_own_what_they_write() {
        for ownership in [None, Some("ObjectWriter")] {
            assert_eq!(found(&owned(ownership, OTHER).look(&ObjectOwnership)).len(), 1);
        }
        let mut scene = owned(None, r#"{"AWS":"444455556666"}"#);
        if let Some(Ok(acl)) = &mut scene.evidence.acl {
            acl.grants = vec![("owner".into(), "FULL_CONTROL".into()), ("other".into(), "WRITE".into())];
        }
        assert_eq!(
            found(&scene.look(&ObjectOwnership)),
            ["ownership not set, so ObjectWriter; the ACL gives other WRITE"]
        );
    }

    #[test]
    fn finds_nothing_where_the_bucket_owns_its_objects_or_nobody_else_writes() {
        for ownership in OWNERS {
            assert_eq!(owned(Some(ownership), OTHER).look(&ObjectOwnership), Word::Clear);
        }
        assert_eq!(owned(None, r#"{"AWS":"444455556666"}"#).look(&ObjectOwnership), Word::Clear);
        // A load balancer is another guard's.
        assert_eq!(owned(None, r#"{"AWS":"127311923021"}"#).look(&ObjectOwnership), Word::Clear);
    }

    #[test]
    fn cannot_tell_without_the_controls() {
        let mut scene = owned(None, OTHER);
        scene.evidence.ownership =
            Some(Err(denied("GetBucketOwnershipControls", "allow s3:GetBucketOwnershipControls")));
        assert_eq!(dark(&scene.look(&ObjectOwnership)).1, "allow s3:GetBucketOwnershipControls");
    }
}
