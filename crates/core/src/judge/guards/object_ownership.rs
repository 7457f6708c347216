//! `object-ownership`: where ACLs are in force, other accounts that put objects own them, and encrypt them as themselves.

use super::access::{self, WRITE};
use super::outside_principals::{Narrowed, narrowed};
use super::seen::Seen;
use super::sight::{Sight, read};
use super::{Guard, Need, Word};
use crate::judge::policy::Principal;

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
        "uploads from other accounts fail, or the bucket's account cannot read them"
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Ownership, Need::Policy, Need::Acl]
    }

    fn look(&self, at: &Sight<'_>) -> Word {
        let mut seen = Seen::default();
        let ownership = match read(&at.evidence.ownership, "GetBucketOwnershipControls") {
            Ok(ownership) => ownership.as_deref(),
            Err(dark) => return dark.into(),
        };
        if ownership.is_some_and(|ownership| OWNERS.contains(&ownership)) {
            return Word::Clear;
        }
        let mode = ownership.unwrap_or("not set, which means ObjectWriter");
        if let Some(Some(policy)) = seen.known(at.bucket_policy()) {
            for statement in policy.allows().filter(|statement| access::covers_objects(statement, WRITE, at)) {
                // Of anyone else in the policy `outside-principals`, `public-access` or `access-points` tells.
                let is_everyone = statement.named_principals().contains(&Principal::Everyone);
                if is_everyone && narrowed(statement, at) == Narrowed::Organization {
                    let who = format!("every account of {}", at.organization.id);
                    seen.saw(format!("ownership {mode}; the bucket policy, {}: {who} may write", statement.called()));
                }
            }
        }
        if let Some(acl) = seen.known(read(&at.evidence.acl, "GetBucketAcl")) {
            for (grantee, permission) in &acl.grants {
                let writes = matches!(permission.as_str(), "WRITE" | "FULL_CONTROL");
                if writes && !grantee.starts_with(GROUPS) && !at.is_owner(grantee) {
                    seen.saw(format!("ownership {mode}; the ACL grants {permission} to {grantee}"));
                }
            }
        }
        seen.word(
            "other accounts can upload objects to this bucket and own them; they, and the readers of these objects, need \
             permissions on the central key",
            "replace ACL grants with bucket policy statements, set Object Ownership to BucketOwnerEnforced, and allow the \
             writers kms:GenerateDataKey and kms:Decrypt on the central key, in their own accounts and in the key policy",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::*;
    use super::*;

    fn owned(ownership: Option<&str>, principal: &str) -> Scene {
        let mut scene = Scene::with_policy(&format!(
            r#"{{"Effect":"Allow","Principal":{principal},"Action":"s3:PutObject","Resource":"arn:aws:s3:::b/*"}}"#
        ));
        scene.evidence.ownership = Some(Ok(ownership.map(str::to_owned)));
        scene
    }

    const OTHER: &str = r#"{"AWS":"arn:aws:iam::777788889999:root"}"#;

    fn everyone(condition: &str) -> Scene {
        let mut scene = owned(None, r#""*""#);
        let statement = format!(
            r#"{{"Sid":"Org","Effect":"Allow","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::b/*","Condition":{condition}}}"#
        );
        scene.evidence.policy = Some(Ok(Some(policy(&statement))));
        scene
    }

    fn granted(mut scene: Scene) -> Scene {
        if let Some(Ok(acl)) = &mut scene.evidence.acl {
            acl.grants = vec![("owner".into(), "FULL_CONTROL".into()), ("other".into(), "WRITE".into())];
        }
        scene
    }

    #[test]
    fn finds_writers_of_other_accounts_where_they_own_what_they_write() {
        for ownership in [None, Some("ObjectWriter")] {
            let found = granted(owned(ownership, OTHER)).found(&ObjectOwnership);
            let mode = ownership.unwrap_or("not set, which means ObjectWriter");
            assert_eq!(found, [format!("ownership {mode}; the ACL grants WRITE to other")]);
        }
        assert_eq!(
            everyone(r#"{"StringEquals":{"aws:PrincipalOrgID":"o-ours"}}"#).found(&ObjectOwnership),
            [
                "ownership not set, which means ObjectWriter; the bucket policy, statement Org: every account of o-ours may write"
            ]
        );
    }

    #[test]
    fn finds_nothing_where_the_bucket_owns_its_objects_or_nobody_else_writes() {
        for ownership in OWNERS {
            assert_eq!(granted(owned(Some(ownership), OTHER)).look(&ObjectOwnership), Word::Clear);
        }
        assert_eq!(owned(None, r#"{"AWS":"111122223333"}"#).look(&ObjectOwnership), Word::Clear);
    }

    #[test]
    fn leaves_to_other_guards_whom_they_tell_of() {
        assert_eq!(owned(None, OTHER).look(&ObjectOwnership), Word::Clear);
        assert_eq!(owned(None, r#""*""#).look(&ObjectOwnership), Word::Clear);
        for condition in [
            r#"{"StringEquals":{"aws:PrincipalOrgID":"o-theirs"}}"#,
            r#"{"StringEquals":{"aws:SourceVpce":"vpce-1"}}"#,
            r#"{"StringEquals":{"s3:DataAccessPointAccount":"777788889999"}}"#,
        ] {
            assert_eq!(everyone(condition).look(&ObjectOwnership), Word::Clear, "{condition}");
        }
    }

    #[test]
    fn cannot_tell_without_the_controls() {
        let mut scene = owned(None, OTHER);
        scene.evidence.ownership = denied("GetBucketOwnershipControls", "allow s3:GetBucketOwnershipControls");
        assert_eq!(scene.advice(&ObjectOwnership), "allow s3:GetBucketOwnershipControls");
    }
}
