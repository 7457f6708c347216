//! `access-log-target`: S3 server access logs are written with SSE-S3 only, as the S3 user guide has it.

use super::access::WRITE;
use super::seen::Seen;
use super::services::admissions;
use super::sight::{Sight, read};
use super::{Guard, Need, Word};

/// The service that writes server access logs.
const LOGGING: &str = "logging.s3.amazonaws.com";
/// The group that stands for it in ACLs.
const LOG_DELIVERY: &str = "http://acs.amazonaws.com/groups/s3/LogDelivery";

pub(super) struct AccessLogTarget;

impl Guard for AccessLogTarget {
    fn name(&self) -> &'static str {
        "access-log-target"
    }

    fn keeps_from(&self) -> &'static str {
        "S3 server access logs are no longer delivered"
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Policy, Need::Acl]
    }

    // S3 takes no target that lets the service in neither by policy nor by ACL, so the target alone shows it.
    fn look(&self, at: &Sight<'_>) -> Word {
        let mut seen = Seen::default();
        if let Some(Some(policy)) = seen.known(at.bucket_policy()) {
            for admission in admissions(policy, WRITE, at, |service| service == LOGGING) {
                seen.saw(format!("{admission} {WRITE}"));
            }
        }
        if let Some(acl) = seen.known(read(&at.evidence.acl, "GetBucketAcl")) {
            for (_, permission) in acl.grants.iter().filter(|(grantee, _)| grantee == LOG_DELIVERY) {
                if matches!(permission.as_str(), "WRITE" | "FULL_CONTROL") {
                    seen.saw(format!("the ACL grants {permission} to the group LogDelivery"));
                }
            }
        }
        seen.word(
            "the bucket may receive S3 server access logs, which S3 writes with SSE-S3 only",
            "exempt the bucket so that it keeps SSE-S3; or, if no bucket delivers access logs to it, remove the statement or \
             grant",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::*;
    use super::*;
    use crate::model::Acl;

    const POLICY: &str = r#"{"Statement":[{"Sid":"Logs","Effect":"Allow","Principal":{"Service":"logging.s3.amazonaws.com"},
        "Action":"s3:PutObject","Resource":"arn:aws:s3:::b/*"}]}"#;

    fn acl(grantee: &str, permission: &str) -> Acl {
        Acl { owner: "owner".into(), grants: vec![(grantee.into(), permission.into())] }
    }

    #[test]
    fn finds_the_service_in_the_policy_and_the_group_in_the_acl() {
        let mut scene = Scene::default();
        scene.evidence.policy = Some(Ok(Some(POLICY.into())));
        scene.evidence.acl = Some(Ok(Acl::default()));
        let seen = scene.found(&AccessLogTarget);
        assert_eq!(seen, ["the bucket policy, statement Logs: logging.s3.amazonaws.com may s3:PutObject"]);
        scene.evidence.policy = Some(Ok(None));
        scene.evidence.acl = Some(Ok(acl(LOG_DELIVERY, "WRITE")));
        assert_eq!(scene.found(&AccessLogTarget), ["the ACL grants WRITE to the group LogDelivery"]);
    }

    #[test]
    fn finds_nothing_where_neither_lets_it_in() {
        let mut scene = Scene::default();
        scene.evidence.policy = Some(Ok(Some(POLICY.replace("Allow", "Deny"))));
        scene.evidence.acl = Some(Ok(acl(LOG_DELIVERY, "READ_ACP")));
        assert_eq!(scene.look(&AccessLogTarget), Word::Clear);
    }

    #[test]
    fn cannot_tell_without_either_and_names_the_permission() {
        let mut scene = Scene::default();
        scene.evidence.policy = Some(Ok(None));
        scene.evidence.acl = denied("GetBucketAcl", "allow s3:GetBucketAcl");
        let (why, hint) = (scene.untold(&AccessLogTarget), scene.advice(&AccessLogTarget));
        assert_eq!(
            (why, hint.as_str()),
            (vec!["AccessDenied: GetBucketAcl: Access Denied".into()], "allow s3:GetBucketAcl")
        );
        scene.evidence.policy = Some(Ok(Some("{".into())));
        assert!(scene.untold(&AccessLogTarget)[0].starts_with("the bucket policy could not be evaluated"));
    }
}
