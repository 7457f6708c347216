//! The policies that an organization has when its spec names no others: the files of `config/policies`, with this
//! organization's names in place of their examples, and those that AWS itself puts there.

use std::sync::Arc;

use super::{Kind, Policy};
use crate::partition::Partition;
use crate::spec::Spec;
use crate::world::organization::Organization;

pub(crate) const MEMBER_ROLLOUT: &str = include_str!("../../../../config/policies/member-rollout.json");
pub(crate) const MEMBER_TRUST: &str = include_str!("../../../../config/policies/member-trust.json");
pub(crate) const AUTOMATION: &str = include_str!("../../../../config/policies/automation.json");
pub(crate) const AUTOMATION_TRUST: &str = include_str!("../../../../config/policies/automation-trust.json");
pub(crate) const CALLER: &str = include_str!("../../../../config/policies/caller.json");

/// AdministratorAccess, of the management account's user and of OrganizationAccountAccessRole.
pub(crate) const ADMINISTRATOR: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

/// What the security account's user may do beside the caller's policy: look after its own account.
pub(crate) const OWN_ACCOUNT: &str = r#"{"Version":"2012-10-17","Statement":[
  {"Sid":"OwnAccount","Effect":"Allow","Action":["s3:*","s3express:*","ssm:*","kms:*","iam:*","config:*","cloudformation:*","cloudtrail:LookupEvents"],"Resource":"*"},
  {"Sid":"LookAtTheOrganization","Effect":"Allow","Action":["organizations:ListParents","organizations:ListPolicies*","organizations:DescribePolicy","organizations:DescribeAccount","organizations:DescribeOrganizationalUnit",
    "organizations:ListAWSServiceAccessForOrganization","organizations:ListDelegatedAdministrators","organizations:ListDelegatedServicesForAccount"],"Resource":"*"}
]}"#;

/// The name of the caller's user and role in the security account.
pub(crate) const CALLER_NAME: &str = "orgseal";

/// The names that stand in the shipped files.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    partition: Partition,
    via_service_suffix: String,
    security: String,
    external_id: String,
    member_role: String,
    automation_role: String,
    document: String,
    restore: String,
}

impl Names {
    pub(crate) fn new(spec: &Spec, security: &str, external_id: &str) -> Names {
        Names {
            partition: spec.partition,
            via_service_suffix: spec.via_service_suffix().into(),
            security: security.into(),
            external_id: external_id.into(),
            member_role: spec.member_role.name.clone(),
            automation_role: spec.automation_role.name.clone(),
            document: spec.document.name.clone(),
            restore: spec.document.restore_name.clone(),
        }
    }

    pub(crate) fn put_into(&self, text: &str) -> String {
        self.partition
            .localized(text, &self.via_service_suffix)
            .replace("111122223333", &self.security)
            .replace("EXTERNAL-ID", &self.external_id)
            .replace("role/orgseal-member", &format!("role/{}", self.member_role))
            .replace("role/orgseal-automation", &format!("role/{}", self.automation_role))
            .replace("EnableS3BucketEncryptionWithKMS", &self.document)
            .replace("RestoreS3BucketEncryption", &self.restore)
    }

    /// The member role's trust: the caller, as user and as role, and no external ID where none is asked for.
    pub(crate) fn member_trust(&self) -> String {
        let role = format!("\"arn:aws:iam::111122223333:role/{CALLER_NAME}\"");
        let user = role.replace(":role/", ":user/");
        let text = MEMBER_TRUST.replacen(&role, &format!("[{user}, {role}]"), 1);
        let text = match self.external_id.is_empty() {
            false => text,
            true => text.replacen(r#""StringEquals": { "sts:ExternalId": "EXTERNAL-ID" }"#, "", 1),
        };
        self.put_into(&text)
    }
}

/// The trust of a role that principals of one account, or these ARNs in it, may assume with tags and source identity.
pub(crate) fn trust(principal: &str, actions: &[&str]) -> String {
    serde_json::json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": { "AWS": principal }, "Action": actions }] })
    .to_string()
}

/// The central key's policy: its account, and the organization as far as S3 asks for it or a dry run proves it.
pub(crate) fn central_key(spec: &Spec, security: &str, organization: &str, admits_organization: bool) -> String {
    let root = spec.partition.iam_arn(security, "root");
    let mut statements = vec![serde_json::json!({
        "Sid": "ItsOwnAccount", "Effect": "Allow", "Principal": { "AWS": root },
        "Action": "kms:*", "Resource": "*" })];
    if admits_organization {
        // As the rendered policy does where AWS does not document what kms:ViaService ends with: both forms.
        let through_s3 = match spec.partition.dns_suffix() {
            "amazonaws.com" => serde_json::json!("s3.*.amazonaws.com"),
            suffix => serde_json::json!(["s3.*.amazonaws.com", format!("s3.*.{suffix}")]),
        };
        let of = serde_json::json!({ "aws:PrincipalOrgID": organization });
        // In its own account "*" would admit everyone whatever IAM says: there the first statement hands on the decision.
        let others = serde_json::json!({ "aws:PrincipalAccount": security });
        statements.push(serde_json::json!({
            "Sid": "TheOrganizationThroughS3", "Effect": "Allow", "Principal": { "AWS": "*" },
            "Action": ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*"], "Resource": "*",
            "Condition": { "StringEquals": of, "StringNotEquals": others, "StringLike": { "kms:ViaService": through_s3 } } }));
        statements.push(serde_json::json!({
            "Sid": "TheOrganizationLooksAndProves", "Effect": "Allow", "Principal": { "AWS": "*" },
            "Action": ["kms:DescribeKey", "kms:GenerateDataKey"], "Resource": "*",
            "Condition": { "StringEquals": of, "StringNotEquals": others } }));
    }
    serde_json::json!({ "Version": "2012-10-17", "Id": "orgseal-central", "Statement": statements }).to_string()
}

/// KMS's default for a customer managed key: the account decides by its IAM policies.
pub(crate) fn customer_key(spec: &Spec, account: &str) -> String {
    serde_json::json!({ "Version": "2012-10-17", "Id": "key-default-1", "Statement": [{
        "Sid": "Enable IAM User Permissions", "Effect": "Allow",
        "Principal": { "AWS": spec.partition.iam_arn(account, "root") }, "Action": "kms:*", "Resource": "*" }] })
    .to_string()
}

/// The policy of `aws/s3`, which nobody can change.
pub(crate) fn aws_managed_key(spec: &Spec, account: &str, region: &str) -> String {
    serde_json::json!({ "Version": "2012-10-17", "Id": "auto-s3-2", "Statement": [
        { "Sid": "Allow access through S3 for all principals in the account that are authorized to use S3",
          "Effect": "Allow", "Principal": { "AWS": "*" },
          "Action": ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"],
          "Resource": "*",
          "Condition": { "StringEquals": {
              "kms:CallerAccount": account, "kms:ViaService": format!("s3.{region}.{}", spec.via_service_suffix()) } } },
        { "Sid": "Allow direct access to key metadata to the account", "Effect": "Allow",
          "Principal": { "AWS": spec.partition.iam_arn(account, "root") },
          "Action": ["kms:Describe*", "kms:Get*", "kms:List*"], "Resource": "*" }] })
    .to_string()
}

/// A policy of the spec, with the names in it that follow from the seed or from the account it is for.
pub(crate) fn in_account(text: &str, organization: &Organization, account: usize) -> String {
    text.replace("MEMBER-ACCOUNT", &organization.accounts[account].id)
        .replace("SECURITY-ACCOUNT", &organization.accounts[Organization::SECURITY].id)
        .replace("ORGANIZATION-ID", &organization.id)
}

/// Loads what was checked with the spec, or is one of ours. A policy that does not load allows nothing.
pub(crate) fn checked(kind: Kind, text: &str) -> Arc<Policy> {
    Arc::new(Policy::load(kind, text).unwrap_or_else(|_| Policy { statements: Vec::new(), text: text.into() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_policy_of_ours_loads() {
        let spec = Spec::default();
        for external_id in ["", "secret"] {
            let names = Names::new(&spec, "999999999999", external_id);
            let trust = names.member_trust();
            Policy::load(Kind::Trust, &trust).unwrap();
            assert_eq!(trust.contains("sts:ExternalId"), !external_id.is_empty());
            assert!(trust.contains("999999999999:user/orgseal") && !trust.contains("111122223333"));
            for (kind, text) in [
                (Kind::Identity, MEMBER_ROLLOUT),
                (Kind::Identity, include_str!("../../../../config/policies/member-audit.json")),
                (Kind::Identity, AUTOMATION),
                (Kind::Trust, AUTOMATION_TRUST),
                (Kind::Identity, CALLER),
                (Kind::Identity, ADMINISTRATOR),
                (Kind::Identity, OWN_ACCOUNT),
            ] {
                Policy::load(kind, &names.put_into(text)).unwrap();
            }
        }
        for text in [
            central_key(&spec, "999999999999", "o-x", true),
            central_key(&spec, "999999999999", "o-x", false),
            customer_key(&spec, "999999999999"),
            aws_managed_key(&spec, "999999999999", "eu-west-1"),
        ] {
            Policy::load(Kind::Key, &text).unwrap();
        }
        Policy::load(Kind::Trust, &trust("999999999999", &["sts:AssumeRole"])).unwrap();
    }
}
