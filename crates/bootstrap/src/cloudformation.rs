//! CloudFormation templates: JSON, so that no account id, date or `on` is read as something else.

use serde_norway::{Mapping, Value};

use crate::documents::{self, DocumentError};
use crate::groundwork::{CLOUDFORMATION, Groundwork};
use crate::policies;
use crate::template::Filling;
use crate::tree::{map, text};

/// A template by its file's name.
pub(crate) type Template = (String, Value);

const CENTRAL_KEY: &str = include_str!("templates/cloudformation-central-key.yaml");
const REPLICA: &str = include_str!("templates/cloudformation-central-key-replica.yaml");
pub(crate) const SECURITY: &str = include_str!("templates/cloudformation-security-account.yaml");
pub(crate) const MEMBER_ROLES: &str = include_str!("templates/cloudformation-member-roles.yaml");
const DOCUMENTS: &str = include_str!("templates/cloudformation-documents.yaml");
const ORGANIZATION_POLICIES: &str = include_str!("templates/cloudformation-organization-policies.yaml");
const ORGANIZATION_CONFIG: &str = include_str!("templates/cloudformation-organization-config.yaml");
const CONFORMANCE_PACK: &str = include_str!("templates/conformance-pack.yaml");

/// All templates of a campaign.
pub(crate) fn templates(plain: &Groundwork) -> Result<Vec<Template>, DocumentError> {
    let groundwork = plain.with(CLOUDFORMATION);
    let filling = filling(&groundwork)?;
    let described = |text: &str| filling.clone().text("description", text);
    let shared = groundwork.file.document.owner.is_some();
    let documents = match shared {
        true => "orgseal - the Automation documents, in the account that shares them; one stack in each Region",
        false => "orgseal - the Automation documents, in each member account; a StackSet over every Region",
    };
    let roles =
        "orgseal - the roles of a member account; a StackSet in one Region, since roles are of the whole account";
    let own = "orgseal - the roles of the management account, which no StackSet reaches; a stack of its own there, in one Region";
    let mut found = vec![
        ("central-key.json", filling.fill(CENTRAL_KEY)),
        ("security-account.json", filling.fill(SECURITY)),
        ("member-roles.json", described(roles).fill(MEMBER_ROLES)),
        ("documents.json", described(documents).fill(DOCUMENTS)),
        ("organization-policies.json", filling.fill(ORGANIZATION_POLICIES)),
    ];
    if groundwork.is_multi_region() {
        found.push(("central-key-replica.json", filling.fill(REPLICA)));
    }
    if groundwork.file.bootstrap.management_account.is_some() {
        found.push(("management-account.json", described(own).fill(MEMBER_ROLES)));
    }
    let mut found: Vec<Template> = found.into_iter().map(|(name, tree)| (name.to_owned(), substituted(tree))).collect();
    for region in groundwork.regions() {
        let pack = text(conformance_pack(&groundwork, &region));
        let filling = filling.clone().text("region", &region).tree("conformance_pack_text", Some(pack));
        found.push((format!("organization-config-{region}.json"), filling.fill(ORGANIZATION_CONFIG)));
    }
    Ok(found)
}

/// The organization's conformance pack of a Region, which AWS Config takes as YAML. Its rule names that Region's keys alone: S3
/// cannot use a key of another Region, and a rule's parameters hold about twelve ARNs.
pub(crate) fn conformance_pack(groundwork: &Groundwork, region: &str) -> String {
    let filling = groundwork.filling().text("region_key_arns", groundwork.keys_in(region).join(","));
    serde_norway::to_string(&filling.fill(CONFORMANCE_PACK)).unwrap_or_default()
}

/// What fills templates of CloudFormation.
pub(crate) fn filling(groundwork: &Groundwork) -> Result<Filling, DocumentError> {
    let file = &groundwork.file;
    let mut filling = groundwork
        .filling()
        .tree("seal_document", Some(text(documents::seal()?.yaml)))
        .tree("restore_document_content", Some(text(documents::restore()?.yaml)))
        .tree("session_duration", Some(Value::Number(file.member_role.session_duration.max(3600).into())))
        .tree("boundary_reference", file.bootstrap.permissions_boundary.then(|| map([("Ref", text("Boundary"))])));
    for (mark, policy) in [
        ("policy_caller", "caller"),
        ("policy_member_audit", "member-audit"),
        ("policy_member_rollout", "member-rollout"),
        ("policy_member_trust", "member-trust"),
        ("policy_automation", "automation"),
        ("policy_automation_trust", "automation-trust"),
        ("policy_central_key", "central-key"),
        ("policy_boundary", "boundary"),
        ("policy_scp_other_key", "scp-other-key"),
        ("policy_rcp_other_key", "rcp-other-key"),
        ("policy_scp_keep_seal", "scp-keep-seal"),
        ("policy_scp_keep_key", "scp-keep-key"),
    ] {
        filling = filling.tree(mark, policies::one(groundwork, policy).map(|policy| policy.tree));
    }
    Ok(filling)
}

/// Wraps each text that holds a `${…}` in Fn::Sub.
fn substituted(tree: Value) -> Value {
    match tree {
        Value::String(holds) if holds.contains("${") => map([("Fn::Sub", Value::String(holds))]),
        Value::Sequence(items) => Value::Sequence(items.into_iter().map(substituted).collect()),
        Value::Mapping(members) => {
            Value::Mapping(members.into_iter().map(|(name, item)| (name, substituted(item))).collect::<Mapping>())
        }
        other => other,
    }
}
