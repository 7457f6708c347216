//! What the campaign file says of the groundwork, and what it leaves for each place to fill in.

use std::borrow::Cow;
use std::fmt;

use orgseal_core::config::CampaignFile;
use orgseal_core::model::{KeyArn, Partition, role_arn};
use serde_norway::Value;

use crate::services::{Services, listed};
use crate::template::Filling;
use crate::tree::{map, text, texts};

/// What everything is made from.
#[derive(Clone, Debug)]
pub struct Groundwork {
    pub(crate) file: CampaignFile,
    /// `o-…`
    pub(crate) organization: String,
    /// `aws`, `aws-cn`, …
    pub(crate) partition: String,
    /// The security account.
    pub(crate) security: String,
    /// Every central key.
    pub(crate) keys: Vec<KeyArn>,
    /// Where roles and whatever else is not of a Region are made from.
    pub(crate) home_region: String,
    /// How a place is written of which only AWS, or a person, knows what stands there.
    places: Places,
}

/// What differs from account to account, as the file that is made writes it.
#[derive(Clone)]
pub(crate) struct Places {
    /// The member account's id.
    member_account: Cow<'static, str>,
    /// The external ID, which is no one's to read in a file.
    external_id: Cow<'static, str>,
}

/// For people and scripts.
pub(crate) const PLAIN: Places = Places::named("MEMBER-ACCOUNT", "EXTERNAL-ID");
/// For CloudFormation.
pub(crate) const CLOUDFORMATION: Places = Places::named("${AWS::AccountId}", "${ExternalId}");

impl Places {
    const fn named(member_account: &'static str, external_id: &'static str) -> Places {
        Places { member_account: Cow::Borrowed(member_account), external_id: Cow::Borrowed(external_id) }
    }
}

/// The external ID is a shared secret: it must not slip into a log.
impl fmt::Debug for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Places").field("member_account", &self.member_account).finish_non_exhaustive()
    }
}

/// Why there is no groundwork to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GroundworkError {
    /// The key's policy and the guardrails are for one organization.
    #[error("organization.id is missing in the campaign file")]
    NoOrganization,
    /// The central key's ARN says which partition everything is in.
    #[error("the campaign file has no central key in a known partition")]
    NoPartition,
}

impl Groundwork {
    /// From a campaign file that was read and checked.
    pub fn new(file: &CampaignFile) -> Result<Groundwork, GroundworkError> {
        let organization = file.organization.id.clone().ok_or(GroundworkError::NoOrganization)?;
        let keys = file.all_keys();
        let first = keys.first();
        let partition = first.and_then(|key| Partition::named(&key.partition)).ok_or(GroundworkError::NoPartition)?;
        let regions: Vec<String> = file.keys().iter().map(|(region, _)| region.to_owned()).collect();
        // A multi-Region key is made where its ARN says.
        let primary = file.central_key.0.get("multi_region_key").and_then(|arn| arn.parse::<KeyArn>().ok());
        let home = primary.map(|key| key.region).or_else(|| file.regions.first().or(regions.first()).cloned());
        let home = home.unwrap_or_default();
        let owner = first.map(|key| key.account.clone()).unwrap_or_default();
        Ok(Groundwork {
            organization,
            partition: partition.name.clone(),
            security: file.bootstrap.security_account.clone().unwrap_or(owner),
            keys,
            home_region: home,
            places: PLAIN,
            file: file.clone(),
        })
    }

    /// The same, as another kind of file writes it.
    pub(crate) fn with(&self, places: Places) -> Groundwork {
        Groundwork { places, ..self.clone() }
    }

    /// The same with every piece that may be wanted.
    pub(crate) fn with_everything(&self) -> Groundwork {
        let mut groundwork = self.clone();
        groundwork.file.bootstrap.config_rule = true;
        groundwork.file.bootstrap.permissions_boundary = true;
        groundwork
    }

    /// The same for one account, as AWS is told.
    pub(crate) fn of(&self, account: &str) -> Groundwork {
        let external_id = self.file.member_role.external_id.clone().unwrap_or_default();
        self.with(Places { member_account: account.to_owned().into(), external_id: external_id.into() })
    }

    /// The Regions with a central key, the home Region first.
    pub(crate) fn regions(&self) -> Vec<String> {
        let mut regions: Vec<String> = self.file.keys().iter().map(|(region, _)| region.to_owned()).collect();
        regions.sort_by_key(|region| (*region != self.home_region, region.clone()));
        regions
    }

    /// The ARNs of the keys of a Region: the central key, and those of `central_key_overrides`.
    pub(crate) fn keys_in(&self, region: &str) -> Vec<String> {
        self.keys.iter().filter(|key| key.region == region).map(ToString::to_string).collect()
    }

    /// Whether one key serves all Regions by its replicas.
    pub(crate) fn is_multi_region(&self) -> bool {
        self.keys.len() > 1 && self.keys.iter().all(|key| key.id.starts_with("mrk-") && key.id == self.keys[0].id)
    }

    /// Those who may unseal where the guardrail is attached: the document's role, pipelines, and break-glass.
    pub(crate) fn unsealers(&self) -> Vec<String> {
        let role = &self.file.automation_role;
        let automation = role_arn(&self.partition, "*", &role.path, &role.name);
        let named = &self.file.bootstrap;
        [automation].into_iter().chain(named.pipelines.iter().chain(&named.break_glass).cloned()).collect()
    }

    fn service(&self, name: &str) -> String {
        Partition::named(&self.partition).map(|partition| partition.service_principal(name)).unwrap_or_default()
    }

    /// What `kms:ViaService` may be for S3 in any Region: one pattern where AWS documents it, otherwise each form.
    fn through_s3(&self) -> Option<Value> {
        let forms = Partition::named(&self.partition).map(|partition| partition.via_s3("*")).unwrap_or_default();
        (!forms.is_empty()).then(|| texts(&forms))
    }

    /// What fills the templates.
    pub(crate) fn filling(&self) -> Filling {
        let CampaignFile { member_role, automation_role, document, bootstrap, .. } = &self.file;
        let partition = &self.partition;
        let anywhere = |path: &str, name: &str| role_arn(partition, "*", path, name);
        // A document of one owner is used from there, any other from the account itself.
        let of = document.owner.as_deref().unwrap_or("*");
        let ssm = |what: &str, account: &str| format!("arn:{partition}:ssm:*:{account}:{what}");
        let services = Services::of(self);
        let keys: Vec<String> = self.keys.iter().map(ToString::to_string).collect();
        let but_for_break_glass =
            listed(&bootstrap.break_glass).map(|arns| map([("ArnNotLike", map([("aws:PrincipalArn", arns)]))]));
        let external_id = text(self.places.external_id.as_ref());
        let external_id =
            member_role.external_id.as_ref().map(|_| map([("StringEquals", map([("sts:ExternalId", external_id)]))]));
        let (kind, name) = bootstrap.caller.split_once('/').unwrap_or(("role", "orgseal"));
        Filling::default()
            .text("partition", partition)
            .text("ssm_service", self.service("ssm"))
            .text("config_service", self.service("config"))
            .text("organization", &self.organization)
            .text("security", &self.security)
            .text("home_region", &self.home_region)
            .text("member_account", self.places.member_account.as_ref())
            .text("caller", format!("arn:{partition}:iam::{}:{kind}/{name}", self.security))
            .text("member_role_anywhere", anywhere(&member_role.path, &member_role.name))
            .text("audit_role_anywhere", anywhere(&member_role.path, &bootstrap.audit_role))
            .text("automation_role_anywhere", anywhere(&automation_role.path, &automation_role.name))
            .text("central_keys", format!("arn:{partition}:kms:*:{}:key/*", self.security))
            .text("any_key", format!("arn:{partition}:kms:*:*:key/*"))
            .text("all_buckets", format!("arn:{partition}:s3:::*"))
            .text("document", ssm(&format!("document/{}", document.name), of))
            .text("document_definition", ssm(&format!("automation-definition/{}:*", document.name), of))
            .text("restore_document", ssm(&format!("document/{}", document.restore), of))
            .text("restore_document_definition", ssm(&format!("automation-definition/{}:*", document.restore), of))
            .text("executions", ssm("automation-execution/*", "*"))
            .text("member_role", &member_role.name)
            .text("member_path", &member_role.path)
            .text("audit_role", &bootstrap.audit_role)
            .text("automation_role", &automation_role.name)
            .text("automation_path", &automation_role.path)
            .text("document_name", &document.name)
            .text("restore_name", &document.restore)
            .text("key_alias", &bootstrap.key_alias)
            .text("regions", self.regions().join(" "))
            .tree("through_s3", self.through_s3())
            .tree("keys", listed(&keys))
            .tree("regions", listed(&self.regions()))
            .tree("unsealers", listed(&self.unsealers()))
            .tree("services_by_organization", listed(&services.by_organization))
            .tree("services_by_account", listed(&services.by_account))
            .tree("services_by_arn", listed(&services.by_arn))
            .tree("service_source_arns", listed(&services.source_arns))
            .tree("services_unbound", listed(&services.unbound))
            .tree("service_accounts", listed(&bootstrap.service_accounts))
            .tree("key_administrators", listed(&bootstrap.key_administrators))
            .tree("owner_decides", bootstrap.key_administrators.is_empty().then_some(Value::Bool(true)))
            .tree("external_id", member_role.external_id.as_ref().map(|_| Value::Bool(true)))
            .tree("external_id_condition", external_id)
            .tree("but_for_break_glass", but_for_break_glass)
            .tree("boundary", bootstrap.permissions_boundary.then_some(Value::Bool(true)))
            .tree("multi_region", self.is_multi_region().then_some(Value::Bool(true)))
    }
}
