//! The policies of the organization as Organizations shows them: ListPolicies, ListPoliciesForTarget, ListTargetsForPolicy and
//! DescribePolicy. Beside those that somebody made there are two of AWS's own, which allow everything.

use serde_json::{Value, json};

use super::{arn, invalid, page};
use crate::partition::Partition;
use crate::policy::Kind;
use crate::policy::controls::{Control, Controls, Target, type_name};
use crate::wire::error::AwsError;
use crate::wire::json::Input;
use crate::world::World;

/// The policy types that there are here.
const KINDS: [Kind; 2] = [Kind::Scp, Kind::Rcp];

/// The model's other types, of which there are no policies.
const OTHER_TYPES: [&str; 13] = [
    "TAG_POLICY",
    "BACKUP_POLICY",
    "AISERVICES_OPT_OUT_POLICY",
    "CHATBOT_POLICY",
    "DECLARATIVE_POLICY_EC2",
    "SECURITYHUB_POLICY",
    "SECURITYHUB_CSPM_POLICY",
    "INSPECTOR_POLICY",
    "UPGRADE_ROLLOUT_POLICY",
    "BEDROCK_POLICY",
    "S3_POLICY",
    "NETWORK_SECURITY_DIRECTOR_POLICY",
    "GUARDDUTY_POLICY",
];

/// A policy that a request names.
pub(super) enum Named {
    /// FullAWSAccess or RCPFullAWSAccess.
    OfAws(Kind),
    Own(Kind, Box<Control>),
}

impl Named {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Named::OfAws(kind) | Named::Own(kind, _) => *kind,
        }
    }

    fn summary(&self, world: &World) -> Value {
        match self {
            Named::OfAws(kind) => of_aws(world.spec.partition, *kind),
            Named::Own(kind, control) => own(world, *kind, control),
        }
    }

    fn is_attached(&self, controls: &Controls, target: Target) -> bool {
        match self {
            Named::OfAws(kind) => controls.full_access(*kind, target),
            Named::Own(_, control) => control.targets.contains(&target),
        }
    }
}

/// `AvailablePolicyTypes` of the organization, which has all features.
pub(super) fn available_types() -> Value {
    json!(KINDS.map(|kind| json!({ "Type": type_name(kind), "Status": "ENABLED" })))
}

/// `PolicyTypes` of the root: those that are enabled there.
pub(super) fn types(world: &World) -> Value {
    let controls = world.controls();
    let enabled = KINDS.iter().filter(|kind| !controls.of(**kind).disabled);
    enabled.map(|kind| json!({ "Type": type_name(*kind), "Status": "ENABLED" })).collect()
}

/// The kind of a policy type's name; nothing for types of which there are no policies here.
pub(super) fn kind_of(name: &str) -> Result<Option<Kind>, AwsError> {
    match KINDS.into_iter().find(|kind| type_name(*kind) == name) {
        None if !OTHER_TYPES.contains(&name) => Err(invalid("INVALID_ENUM_POLICY_TYPE")),
        found => Ok(found),
    }
}

pub(super) fn name_of_aws(kind: Kind) -> &'static str {
    if kind == Kind::Rcp { "RCPFullAWSAccess" } else { "FullAWSAccess" }
}

fn of_aws(partition: Partition, kind: Kind) -> Value {
    let name = name_of_aws(kind);
    json!({
        "Id": format!("p-{name}"),
        "Arn": partition.arn(
            "organizations",
            "",
            "aws",
            format_args!("policy/{}/p-{name}", type_name(kind).to_lowercase()),
        ),
        "Name": name,
        "Description": match kind {
            Kind::Rcp => "Allows access to every resource",
            _ => "Allows access to every operation",
        },
        "Type": type_name(kind),
        "AwsManaged": true,
    })
}

fn own(world: &World, kind: Kind, control: &Control) -> Value {
    json!({
        "Id": control.id,
        "Arn": policy_arn(world, kind, &control.id),
        "Name": control.name,
        "Description": control.description,
        "Type": type_name(kind),
        "AwsManaged": false,
    })
}

pub(super) fn policy_arn(world: &World, kind: Kind, id: &str) -> String {
    arn(world, &format!("policy/{}/{}/{id}", world.organization.id, type_name(kind).to_lowercase()))
}

/// `Policy` of an answer.
pub(super) fn shape(world: &World, policy: &Named) -> Value {
    let content = match policy {
        Named::Own(_, control) => control.policy.text.to_string(),
        Named::OfAws(kind) => {
            let principal = if *kind == Kind::Rcp { r#""Principal":"*","# } else { "" };
            format!(
                r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow",{principal}"Action":"*","Resource":"*"}}]}}"#
            )
        }
    };
    json!({ "PolicySummary": policy.summary(world), "Content": content })
}

/// What a target id stands for.
pub(super) fn target(world: &World, input: &mut Input) -> Result<Target, AwsError> {
    let id = input.required_text("TargetId")?;
    if !id.starts_with("r-") && !id.starts_with("ou-") && (id.len() != 12 || !id.bytes().all(|b| b.is_ascii_digit())) {
        return Err(invalid("INVALID_PATTERN_TARGET_ID"));
    }
    let found = world.organization.find_target(&id);
    found.ok_or_else(|| AwsError::client("TargetNotFoundException", "You specified a target that doesn't exist."))
}

/// The policy that `PolicyId` names.
pub(super) fn policy(world: &World, input: &mut Input) -> Result<Named, AwsError> {
    let id = input.required_text("PolicyId")?;
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !id.strip_prefix("p-").is_some_and(|rest| (8..=128).contains(&rest.len()) && rest.chars().all(legal)) {
        return Err(invalid("INVALID_PATTERN"));
    }
    find(world, &id).ok_or_else(|| {
        let message = "We can't find a policy with the PolicyId that you specified.";
        AwsError::client("PolicyNotFoundException", message)
    })
}

pub(super) fn find(world: &World, id: &str) -> Option<Named> {
    let name = id.strip_prefix("p-")?;
    let controls = world.controls();
    KINDS.into_iter().find_map(|kind| {
        if name == name_of_aws(kind) {
            return Some(Named::OfAws(kind));
        }
        let own = controls.of(kind).all.iter().find(|control| control.id == id)?;
        Some(Named::Own(kind, Box::new(own.clone())))
    })
}

/// Every policy of the kind, AWS's own first.
fn all(controls: &Controls, kind: Kind) -> Vec<Named> {
    let own = controls.of(kind).all.iter().map(|control| Named::Own(kind, Box::new(control.clone())));
    std::iter::once(Named::OfAws(kind)).chain(own).collect()
}

pub(super) fn list(world: &World, input: &mut Input) -> Result<Value, AwsError> {
    let filter = input.required_text("Filter")?;
    let shown = kind_of(&filter)?.map(|kind| all(&world.controls(), kind)).unwrap_or_default();
    page(input, "Policies", &shown, |policy| policy.summary(world))
}

pub(super) fn for_target(world: &World, input: &mut Input) -> Result<Value, AwsError> {
    let target = target(world, input)?;
    let filter = input.required_text("Filter")?;
    let controls = world.controls();
    let mut shown = kind_of(&filter)?.map(|kind| all(&controls, kind)).unwrap_or_default();
    shown.retain(|policy| policy.is_attached(&controls, target));
    page(input, "Policies", &shown, |policy| policy.summary(world))
}

pub(super) fn targets(world: &World, input: &mut Input) -> Result<Value, AwsError> {
    let policy = policy(world, input)?;
    let controls = world.controls();
    let mut all = world.organization.every_target();
    all.retain(|target| policy.is_attached(&controls, *target));
    page(input, "Targets", &all, |target| {
        let organization = &world.organization;
        let id = organization.target_id(*target);
        let (kind, of_type, name) = match target {
            Target::Root => ("root", "ROOT", "Root"),
            Target::Ou(ou) => ("ou", "ORGANIZATIONAL_UNIT", organization.ous[*ou as usize].name.as_str()),
            Target::Account(account) => ("account", "ACCOUNT", organization.accounts[*account].name.as_str()),
        };
        let arn = arn(world, &format!("{kind}/{}/{id}", organization.id));
        json!({ "TargetId": id, "Arn": arn, "Name": name, "Type": of_type })
    })
}

pub(super) fn describe(world: &World, input: &mut Input) -> Result<Value, AwsError> {
    let found = policy(world, input)?;
    input.finish()?;
    Ok(json!({ "Policy": shape(world, &found) }))
}

/// The ARN that IAM checks for a policy that is asked for by its id.
pub(super) fn resource(world: &World, id: &str) -> String {
    let found = find(world, id).and_then(|policy| policy.summary(world)["Arn"].as_str().map(String::from));
    found.unwrap_or_else(|| policy_arn(world, Kind::Scp, id))
}
