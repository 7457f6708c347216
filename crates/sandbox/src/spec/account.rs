//! Accounts and buckets that a spec describes one by one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::check::Fault;
use super::{BucketBlockedTypes, EncryptionName, RoleSpec, Spec};
use crate::generate;

/// One account, described by hand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountSpec {
    /// Its name, also the start of its generated buckets' names.
    pub name: String,
    /// Twelve digits; made from the seed when absent.
    #[serde(default)]
    pub id: Option<String>,
    /// ACTIVE, SUSPENDED, PENDING_CLOSURE, PENDING_ACTIVATION or CLOSED.
    #[serde(default = "active")]
    pub state: String,
    /// Whether it has the member role.
    #[serde(default = "super::yes")]
    pub member_role: bool,
    /// Whether it has the automation role.
    #[serde(default = "super::yes")]
    pub automation_role: bool,
    /// Its buckets; generated ones when absent.
    #[serde(default)]
    pub buckets: Option<Vec<BucketSpec>>,
    /// Its directory buckets (S3 Express One Zone), which ListDirectoryBuckets shows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub directory_buckets: Vec<DirectoryBucketSpec>,
    /// Further roles, such as those of applications.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<RoleSpec>,
}

fn active() -> String {
    "ACTIVE".into()
}

/// One bucket, described by hand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BucketSpec {
    /// Its name, unique in the world.
    pub name: String,
    /// Its Region; the spec's first when absent.
    #[serde(default)]
    pub region: Option<String>,
    /// Its default encryption.
    pub encryption: EncryptionName,
    /// A key to write in place of the state's own, verbatim.
    #[serde(default)]
    pub key: Option<String>,
    /// Whether it blocks SSE-C.
    #[serde(default)]
    pub sse_c_blocked: bool,
    /// Its `BlockedEncryptionTypes`, in place of `sse_c_blocked`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked_types: Option<BucketBlockedTypes>,
    /// Its bucket policy, JSON. MEMBER-ACCOUNT, SECURITY-ACCOUNT and ORGANIZATION-ID stand for this organization's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Whether it is a website.
    #[serde(default, skip_serializing_if = "is_false")]
    pub website: bool,
    /// The bucket that its access logs go to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logging_target: Option<String>,
    /// The bucket that it replicates to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replication_target: Option<String>,
    /// Whether its ACL lets the log delivery group write.
    #[serde(default, skip_serializing_if = "is_false")]
    pub log_delivery_acl: bool,
    /// Whether it blocks all public access.
    #[serde(default, skip_serializing_if = "is_false")]
    pub public_access_block: bool,
    /// BucketOwnerEnforced, BucketOwnerPreferred or ObjectWriter; no ownership controls when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_ownership: Option<String>,
    /// Grants of its ACL beside the owner's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acl_grants: Vec<AclGrantSpec>,
    /// Its inventory configurations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inventory: Vec<InventorySpec>,
    /// The access points on it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub access_points: Vec<AccessPointSpec>,
    /// Its tags.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// A directory bucket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DirectoryBucketSpec {
    /// `BASE--ZONE-ID--x-s3`
    pub name: String,
    /// Its Region; the spec's first when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}

impl DirectoryBucketSpec {
    fn fault(&self, regions: &[String]) -> Option<Fault> {
        let name = &self.name;
        let parts: Vec<&str> = name.split("--").collect();
        let named = matches!(parts[..], [base, zone, "x-s3"] if !base.is_empty() && !zone.is_empty());
        if !named {
            let message =
                format!("\"{name}\" is not the name of a directory bucket: write one like \"logs--use1-az4--x-s3\"");
            return Some(("directory_buckets", message));
        }
        let region = self.region.as_ref().filter(|region| !regions.contains(region))?;
        let message = format!(
            "directory bucket \"{name}\" is in {region}, which is not among regions: write one of {}",
            regions.join(", ")
        );
        Some(("directory_buckets", message))
    }
}

/// A grant of a bucket's ACL to another account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AclGrantSpec {
    /// To whom: the name or id of an account, whose canonical user it is then. One outside the organization is given by id.
    pub account: String,
    /// FULL_CONTROL, WRITE, WRITE_ACP, READ or READ_ACP.
    pub permission: String,
}

/// An inventory configuration of a bucket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InventorySpec {
    /// `Id`
    pub id: String,
    /// The bucket that the reports go to.
    pub destination: String,
    /// The id of the account that owns it; left out of the configuration when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The key that the reports are encrypted with (SSE-KMS); nothing is said of encryption when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// An access point on a bucket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessPointSpec {
    /// Its name, unique in its account and Region.
    pub name: String,
    /// The account that owns it, by name or id; the bucket's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Its policy, JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// The VPC that alone reaches it; the Internet does when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpc: Option<String>,
}

fn is_false(value: &bool) -> bool {
    !value
}

impl Spec {
    /// What described buckets state that S3 would not take.
    pub(super) fn bucket_fault(&self) -> Option<Fault> {
        let directory = || self.account.iter().flat_map(|account| &account.directory_buckets);
        if let Some(fault) = directory().find_map(|bucket| bucket.fault(&self.regions)) {
            return Some(fault);
        }
        let buckets = || self.account.iter().flat_map(|account| account.buckets.iter().flatten());
        for bucket in buckets() {
            let known = ["BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"];
            if let Some(name) = bucket.object_ownership.as_ref().filter(|name| !known.contains(&name.as_str())) {
                let message = format!("object_ownership \"{name}\" is not known: write one of {}", known.join(", "));
                return Some(("object_ownership", message));
            }
            let known = ["FULL_CONTROL", "WRITE", "WRITE_ACP", "READ", "READ_ACP"];
            if let Some(grant) = bucket.acl_grants.iter().find(|grant| !known.contains(&grant.permission.as_str())) {
                let message =
                    format!("the permission \"{}\" is not known: write one of {}", grant.permission, known.join(", "));
                return Some(("acl_grants", message));
            }
        }
        let points = || buckets().flat_map(|bucket| &bucket.access_points);
        if points().all(|point| point.account.is_none()) {
            return None;
        }
        let organization = generate::organization(self);
        let there = |name: &&String| !organization.accounts.iter().any(|one| one.id == **name || one.name == **name);
        points().filter_map(|point| point.account.as_ref()).find(there).map(|name| {
            let message =
                format!("an access point is of \"{name}\", which is not there: write the name or id of an account");
            ("access_points", message)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_s3_would_not_take_is_said() {
        let error = |text: &str| {
            let text = format!(
                "accounts = 3\n[[account]]\nname = \"a\"\n[[account.buckets]]\nname = \"b\"\nencryption = \"sse_s3\"\n{text}"
            );
            Spec::from_toml(&text, "my.toml").unwrap_err().to_string()
        };
        assert!(error("[[account.directory_buckets]]\nname = \"c\"").contains("logs--use1-az4--x-s3"));
        let elsewhere = error("[[account.directory_buckets]]\nname = \"c--z1-az1--x-s3\"\nregion = \"eu-west-9\"");
        assert!(elsewhere.contains("which is not among regions"), "{elsewhere}");
        assert!(error("object_ownership = \"Mine\"").starts_with("my.toml:7: object_ownership \"Mine\""));
        assert!(
            error("acl_grants = [{ account = \"a\", permission = \"ALL\" }]").contains("write one of FULL_CONTROL")
        );
        assert!(
            error("access_points = [{ name = \"p\", account = \"moon\" }]").contains("of \"moon\", which is not there")
        );
    }
}
