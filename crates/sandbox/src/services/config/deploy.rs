//! Makes, changes and takes away a conformance pack in one account and Region, for its own account or for an organization.

use serde_json::Value;

use super::template::{Made, Template, Where};
use crate::services::ssm;
use crate::wire::error::AwsError;
use crate::world::World;
use crate::world::config::{Act, CONFORMS, ConfigChange, Failure, Pack, PackSettings, Progress};
use crate::world::place::Place;

/// How long a pack is on its way, at speed 1. AWS takes minutes.
const TAKES_MS: f64 = 10_000.0;

/// From now on for so long.
pub(super) fn progress(world: &World, act: Act, now_ms: i64) -> Progress {
    let takes = world.latency.scale(TAKES_MS).as_millis() as i64;
    Progress { act, asked_ms: now_ms, done_ms: now_ms + takes }
}

/// A pack that is to be put.
pub(super) struct Order<'a> {
    pub(super) name: &'a str,
    pub(super) template: &'a Template,
    pub(super) settings: &'a PackSettings,
    /// The service that asks, for an organization.
    pub(super) created_by: Option<&'a str>,
}

impl Order<'_> {
    pub(super) fn made(&self, world: &World, place: Place) -> Result<Made, String> {
        let account = &world.organization.accounts[place.account].id;
        let at = Where { partition: world.spec.partition, account, region: &world.spec.regions[place.region] };
        self.template.make(&self.settings.conformance_pack_input_parameters, at)
    }

    /// Puts the pack. What cannot be made leaves the former rules as they were, as a stack that is rolled back does; that is
    /// no error here, but the pack's failure.
    pub(super) fn put(&self, world: &World, place: Place, now_ms: i64) -> Result<Option<Failure>, AwsError> {
        let made = self.made(world, place).and_then(|made| has_documents(world, place, made));
        let arn = world.config_arn(place);
        world.with_region(place.account, place.region, |state| {
            let config = &mut state.config;
            let former = config.packs.get(self.name).filter(|pack| !pack.progress.is_gone(now_ms)).cloned();
            let act = if former.is_some() { Act::Update } else { Act::Create };
            let mut pack = Pack {
                name: self.name.into(),
                id: Pack::id_of(&arn, self.name),
                arn: Pack::arn_of(&arn, self.name),
                settings: self.settings.clone(),
                created_by: self.created_by.map(String::from),
                rules: former.map(|pack| pack.rules).unwrap_or_default(),
                progress: progress(world, act, now_ms),
                failure: None,
            };
            let made = match config.recorder.records() {
                true => made.map_err(|message| Failure { code: "ConformancePackFailed".into(), message }),
                false => Err(Failure {
                    code: "NoAvailableConfigurationRecorder".into(),
                    message: "Configuration Recorder is not available to put config rule.".into(),
                }),
            };
            let mut changes = Vec::new();
            match made {
                Err(failure) => pack.failure = Some(failure),
                Ok(made) => {
                    let named = |name: &str| format!("{name}-{}", pack.id);
                    let names: Vec<String> =
                        made.rules.iter().filter_map(|rule| rule.config_rule_name.as_deref()).map(named).collect();
                    changes.extend(without(pack.rules.iter().filter(|rule| !names.contains(rule))));
                    for (mut rule, name) in made.rules.into_iter().zip(&names) {
                        rule.settle_for(CONFORMS, &arn, name);
                        changes.push(ConfigChange::Rule { name: name.clone(), rule: Some(Box::new(rule)) });
                    }
                    let remedied: Vec<String> =
                        made.remediations.iter().map(|one| named(&one.config_rule_name)).collect();
                    let remedied_no_more =
                        |rule: &&String| !remedied.contains(rule) && config.remediations.contains_key(*rule);
                    for rule in names.iter().filter(remedied_no_more) {
                        changes.push(ConfigChange::Remediation { rule: rule.clone(), remediation: None });
                    }
                    for (mut remediation, rule) in made.remediations.into_iter().zip(remedied) {
                        remediation.config_rule_name.clone_from(&rule);
                        remediation.settle(&arn);
                        remediation.created_by_service = Some(CONFORMS.into());
                        changes.push(ConfigChange::Remediation { rule, remediation: Some(Box::new(remediation)) });
                    }
                    pack.rules = names;
                }
            }
            let failure = pack.failure.clone();
            changes.push(ConfigChange::Pack { name: self.name.into(), pack: Some(Box::new(pack)) });
            for change in changes {
                world.change_config(place, config, change)?;
            }
            Ok(failure)
        })
    }
}

/// Takes a pack away with all that it made. It is shown as on its way until that is done.
pub(super) fn delete(world: &World, place: Place, name: &str, now_ms: i64) -> Result<(), AwsError> {
    world.with_region(place.account, place.region, |state| {
        let config = &mut state.config;
        let Some(mut pack) = config.packs.get(name).cloned() else { return Ok(()) };
        let mut changes: Vec<ConfigChange> = without(pack.rules.iter()).collect();
        pack.rules.clear();
        pack.progress = progress(world, Act::Delete, now_ms);
        pack.failure = None;
        let gone = pack.progress.is_gone(now_ms);
        let pack = (!gone).then(|| Box::new(pack));
        changes.push(ConfigChange::Pack { name: name.into(), pack });
        for change in changes {
            world.change_config(place, config, change)?;
        }
        Ok(())
    })
}

fn without<'a>(rules: impl Iterator<Item = &'a String>) -> impl Iterator<Item = ConfigChange> {
    rules.flat_map(|rule| {
        [
            ConfigChange::Remediation { rule: rule.clone(), remediation: None },
            ConfigChange::Rule { name: rule.clone(), rule: None },
        ]
    })
}

/// The documents of the remediations must be there. AWS's own are taken, though they are not in this sandbox.
fn has_documents(world: &World, place: Place, made: Made) -> Result<Made, String> {
    let missing = made.remediations.iter().find(|one| {
        let target = &one.target_id;
        !super::remediations::is_aws_own(target)
            && !ssm::has_document(world, place, target, one.target_version.as_deref())
    });
    match missing {
        None => Ok(made),
        Some(one) => Err(format!("The SSM document {} provided in the request does not exist.", one.target_id)),
    }
}

/// The settings of a Put.
pub(super) fn settings(input: &mut crate::wire::json::Input) -> Result<PackSettings, AwsError> {
    use super::shape;
    let delivery_s3_bucket = input.text("DeliveryS3Bucket")?;
    let delivery_s3_key_prefix = input.text("DeliveryS3KeyPrefix")?;
    let given = input.take("ConformancePackInputParameters").unwrap_or_else(|| Value::Array(Vec::new()));
    shape::length("deliveryS3Bucket", delivery_s3_bucket.as_deref(), 0, 63)?;
    shape::length("deliveryS3KeyPrefix", delivery_s3_key_prefix.as_deref(), 0, 1024)?;
    let settings = PackSettings {
        delivery_s3_bucket,
        delivery_s3_key_prefix,
        conformance_pack_input_parameters: shape::read("conformancePackInputParameters", given)?,
    };
    shape::count("conformancePackInputParameters", settings.conformance_pack_input_parameters.len(), 0, 330)?;
    for one in &settings.conformance_pack_input_parameters {
        let member = "conformancePackInputParameters.1.member.parameter";
        shape::length(&format!("{member}Name"), Some(&one.parameter_name), 0, 255)?;
        shape::length(&format!("{member}Value"), Some(&one.parameter_value), 0, 4096)?;
    }
    Ok(settings)
}

/// The template's text: only as TemplateBody.
pub(super) fn body(input: &mut crate::wire::json::Input) -> Result<Option<String>, AwsError> {
    let body = input.text("TemplateBody")?;
    super::shape::length("templateBody", body.as_deref(), 1, 51_200)?;
    Ok(body)
}
