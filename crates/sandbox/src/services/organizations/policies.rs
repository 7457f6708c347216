//! ListPoliciesForTarget and DescribePolicy: the service and resource control policies in force, and those of AWS's own that
//! Organizations attaches to everything.

use serde_json::{Value, json};

use super::{arn, page};
use crate::policy::Kind;
use crate::policy::store::{Control, Target};
use crate::random::{LOWER, Random};
use crate::wire::error::AwsError;
use crate::wire::json::Input;
use crate::world::World;

/// The policy types that are enabled here.
const TYPES: [(&str, Kind); 2] = [("SERVICE_CONTROL_POLICY", Kind::Scp), ("RESOURCE_CONTROL_POLICY", Kind::Rcp)];

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

/// A policy as Organizations shows it.
struct Shown {
    summary: Value,
    content: String,
}

/// `PolicyTypes` of the root, and `AvailablePolicyTypes` of the organization.
pub(super) fn types() -> Value {
    json!(TYPES.map(|(name, _)| json!({ "Type": name, "Status": "ENABLED" })))
}

fn of_aws(type_name: &str, kind: Kind) -> Shown {
    let (name, description, principal) = match kind {
        Kind::Rcp => ("RCPFullAWSAccess", "Allows access to every resource", r#""Principal":"*","#),
        _ => ("FullAWSAccess", "Allows access to every operation", ""),
    };
    Shown {
        summary: json!({
            "Id": format!("p-{name}"),
            "Arn": format!("arn:aws:organizations::aws:policy/{}/p-{name}", type_name.to_lowercase()),
            "Name": name, "Description": description, "Type": type_name, "AwsManaged": true,
        }),
        content: format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow",{principal}"Action":"*","Resource":"*"}}]}}"#
        ),
    }
}

fn own(world: &World, type_name: &str, control: &Control) -> Shown {
    // By its name, so that a policy that is put anew keeps its id.
    let label = format!("policy {type_name} {}", control.name);
    let id = format!("p-{}", Random::new(world.spec.seed, &label, 0).text(LOWER, 10));
    let resource = format!("policy/{}/{}/{id}", world.organization.id, type_name.to_lowercase());
    Shown {
        summary: json!({
            "Id": id, "Arn": arn(world, &resource), "Name": control.name, "Description": "", "Type": type_name,
            "AwsManaged": false,
        }),
        content: control.policy.text.to_string(),
    }
}

fn invalid(reason: &str) -> AwsError {
    AwsError::client("InvalidInputException", "You specified an invalid value.").with("Reason", reason)
}

/// What a target id stands for.
fn target(world: &World, id: &str) -> Result<Target, AwsError> {
    let organization = &world.organization;
    if !id.starts_with("r-") && !id.starts_with("ou-") && (id.len() != 12 || !id.bytes().all(|b| b.is_ascii_digit())) {
        return Err(invalid("INVALID_PATTERN_TARGET_ID"));
    }
    let found = match organization.find(id) {
        _ if id == organization.root => Some(Target::Root),
        Some(account) => Some(Target::Account(account)),
        None => organization.find_ou(id).map(Target::Ou),
    };
    found.ok_or_else(|| AwsError::client("TargetNotFoundException", "You specified a target that doesn't exist."))
}

pub(super) fn for_target(world: &World, input: &mut Input) -> Result<Value, AwsError> {
    let id = input.required_text("TargetId")?;
    let filter = input.required_text("Filter")?;
    let target = target(world, &id)?;
    let Some((name, kind)) = TYPES.iter().find(|(name, _)| *name == filter) else {
        return match OTHER_TYPES.contains(&filter.as_str()) {
            true => page(input, "Policies", &[(); 0], |()| Value::Null),
            false => Err(invalid("INVALID_ENUM_POLICY_TYPE")),
        };
    };
    let controls = world.controls(*kind);
    let attached: Vec<&Control> = controls.iter().filter(|control| control.targets.contains(&target)).collect();
    let mut shown = Vec::new();
    if attached.iter().all(|control| control.keeps_full_access) {
        shown.push(of_aws(name, *kind).summary);
    }
    shown.extend(attached.into_iter().map(|control| own(world, name, control).summary));
    page(input, "Policies", &shown, Value::clone)
}

pub(super) fn describe(world: &World, input: &mut Input) -> Result<Value, AwsError> {
    let id = input.required_text("PolicyId")?;
    input.finish()?;
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !id.strip_prefix("p-").is_some_and(|rest| (8..=128).contains(&rest.len()) && rest.chars().all(legal)) {
        return Err(invalid("INVALID_PATTERN"));
    }
    if let Some(found) = find(world, &id) {
        return Ok(json!({ "Policy": { "PolicySummary": found.summary, "Content": found.content } }));
    }
    Err(AwsError::client("PolicyNotFoundException", "We can't find a policy with the PolicyId that you specified."))
}

fn find(world: &World, id: &str) -> Option<Shown> {
    TYPES.iter().find_map(|(name, kind)| {
        let own = world.controls(*kind).into_iter().map(|control| own(world, name, &control));
        std::iter::once(of_aws(name, *kind)).chain(own).find(|shown| shown.summary["Id"] == *id)
    })
}

/// The ARN that IAM checks for a policy that is asked for by its id.
pub(super) fn resource(world: &World, id: &str) -> String {
    let found = find(world, id).and_then(|shown| shown.summary["Arn"].as_str().map(String::from));
    found.unwrap_or_else(|| arn(world, &format!("policy/{}/service_control_policy/{id}", world.organization.id)))
}
