//! StartRemediationExecution: a remediation at once, of resources that somebody names, whether they comply or not.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::permissions::pass_role;
use super::remediate::Work;
use super::{remediations, shape};
use crate::wire::error::AwsError;
use crate::wire::json::{Input, missing};
use crate::world::World;
use crate::world::config::BUCKET;
use crate::world::place::Place;
use crate::world::session::Caller;

/// ResourceKey, whose members begin with small letters in the model.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Key {
    resource_type: String,
    resource_id: String,
}

pub(super) fn start(world: &Arc<World>, caller: &Caller, place: Place, input: &mut Input) -> Result<Value, AwsError> {
    let rule = input.required_text("ConfigRuleName")?;
    let keys = input.take("ResourceKeys").ok_or_else(|| missing("resourceKeys"))?;
    input.finish()?;
    shape::rule_name("configRuleName", &rule)?;
    let keys: Vec<Key> = shape::read("resourceKeys", keys)?;
    shape::count("resourceKeys", keys.len(), 1, 100)?;
    for key in &keys {
        shape::length("resourceKeys.1.member.resourceId", Some(&key.resource_id), 1, 768)?;
    }
    let remediation =
        world.with_region(place.account, place.region, |state| state.config.remediations.get(&rule).cloned());
    let remediation = remediation.ok_or_else(|| {
        let message = format!("No RemediationConfiguration for rule {rule} exists.");
        AwsError::client("NoSuchRemediationConfigurationException", message)
    })?;
    if let Some(role) = remediations::role_of(&remediation) {
        pass_role(world, caller, place, role, "ssm.amazonaws.com")?;
    }
    let mut failed = Vec::new();
    for key in keys {
        let at_work = (rule.clone(), key.resource_id.clone());
        let begins = world.with_bucket_and_config(place, &key.resource_id, |bucket, config| {
            // One that is not done must be over first; a resource that is not there has no state to be remedied.
            let begins = bucket.is_some() && key.resource_type == BUCKET && !config.at_work.contains_key(&at_work);
            if begins {
                config.at_work.insert(at_work, true);
            }
            begins
        });
        match begins {
            false => failed.push(key),
            true => {
                let work = Work { world: world.clone(), place, rule: rule.clone(), bucket: key.resource_id };
                world.runtime.spawn(work.go_once(remediation.clone()));
            }
        }
    }
    Ok(match failed.is_empty() {
        true => json!({}),
        false => json!({
            "FailureMessage": "The resource is not known, or its remediation is in progress.",
            "FailedItems": failed,
        }),
    })
}
