//! Automatic remediation: a bucket whose default encryption no longer complies gets, after a while, an execution of the
//! remediation's document. A bucket is looked at when its default encryption was put or deleted, by whomever.
//!
//! After PutRemediationConfigurations' MaximumAutomaticAttempts failed attempts within RetryAttemptSeconds, Config puts a
//! remediation exception on the bucket, and leaves it alone.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::compliance::is_compliant;
use crate::services::ssm;
use crate::trail::OnBehalf;
use crate::wire::now_ms;
use crate::world::World;
use crate::world::bucket::Bucket;
use crate::world::config::{ATTEMPTS, BUCKET, ConfigChange, ConfigState, Exception, RETRY_SECONDS, Remediation};
use crate::world::lock::lock;
use crate::world::place::Place;
use crate::world::session::{Caller, CallerKind};

/// From a change to the start of its remediation, at speed 1. AWS takes some minutes.
const DELAY_MS: f64 = 5000.0;
/// How often an execution is looked at, at speed 1.
const LOOK_MS: f64 = 200.0;
/// The service-linked role that starts remediations; it may start any document and pass any role to Systems Manager, and
/// no service control policy binds it.
const ROLE: &str = "AWSServiceRoleForConfigRemediation";
const SERVICE: &str = "remediation.config.amazonaws.com";

/// A bucket whose default encryption was put or deleted.
#[derive(Debug)]
pub(crate) struct Changed {
    place: Place,
    bucket: String,
    /// The one rule that found it; all of them after a change.
    rule: Option<String>,
}

/// The changes that nobody has looked at yet.
#[derive(Debug)]
pub(crate) struct Changes {
    /// Whether AWS Config is set up anywhere: nearly always it is not, and then no change need be looked at.
    in_use: AtomicBool,
    sender: UnboundedSender<Changed>,
    receiver: Mutex<Option<UnboundedReceiver<Changed>>>,
}

impl Default for Changes {
    fn default() -> Changes {
        let (sender, receiver) = unbounded_channel();
        Changes { in_use: AtomicBool::new(false), sender, receiver: Mutex::new(Some(receiver)) }
    }
}

impl Changes {
    /// Says that there is a rule or a remediation somewhere.
    pub(crate) fn be_in_use(&self) {
        self.in_use.store(true, Ordering::Relaxed);
    }

    /// Says that a bucket's default encryption is another one now.
    pub(crate) fn note(&self, place: Place, bucket: &str) {
        if !self.in_use.load(Ordering::Relaxed) {
            return;
        }
        // Nobody listens any more when the sandbox is about to end.
        let _ = self.sender.send(Changed { place, bucket: bucket.into(), rule: None });
    }

    /// Says that an evaluation on demand found a bucket that does not comply.
    pub(super) fn note_by(&self, rule: &str, place: Place, bucket: &str) {
        let _ = self.sender.send(Changed { place, bucket: bucket.into(), rule: Some(rule.into()) });
    }
}

/// Looks at each changed bucket, for as long as the sandbox runs.
pub(crate) async fn watch(world: Arc<World>) {
    let Some(mut changes) = lock(&world.config_changes.receiver).take() else { return };
    while let Some(Changed { place, bucket, rule }) = changes.recv().await {
        for rule in begin(&world, place, &bucket, rule.as_deref()) {
            let work = Work { world: world.clone(), place, rule, bucket: bucket.clone() };
            world.runtime.spawn(work.go_on());
        }
    }
}

/// The rules whose remediations the bucket needs now, each noted as being at work.
fn begin(world: &World, place: Place, bucket: &str, by: Option<&str>) -> Vec<String> {
    world.with_bucket_and_config(place, bucket, |found, config| {
        let rules = config.remediations.keys().filter(|rule| by.is_none_or(|by| *rule == by));
        let rules: Vec<String> = rules.cloned().collect();
        let needed = |rule: &String| {
            let key = (rule.clone(), bucket.to_owned());
            !config.at_work.contains_key(&key) && due(world, place, config, rule, found).is_some()
        };
        let rules: Vec<String> = rules.into_iter().filter(needed).collect();
        config.at_work.extend(rules.iter().map(|rule| ((rule.clone(), bucket.to_owned()), false)));
        rules
    })
}

/// The remediation that a bucket needs by a rule: it is automatic, the bucket does not comply and has no exception.
fn due<'a>(
    world: &World,
    place: Place,
    config: &'a ConfigState,
    rule: &str,
    bucket: Option<&Bucket>,
) -> Option<&'a Remediation> {
    // A change that nobody records is not seen.
    let bucket = bucket.filter(|_| config.recorder.records())?;
    let remediation = config.remediations.get(rule).filter(|remediation| remediation.is_automatic())?;
    let judged = is_compliant(world, place, config.rules.get(rule)?, bucket);
    (judged == Some(false) && !config.excepts(rule, &bucket.name, now_ms())).then_some(remediation)
}

/// One bucket's remediation by one rule, until it is done or given up.
pub(super) struct Work {
    pub(super) world: Arc<World>,
    pub(super) place: Place,
    pub(super) rule: String,
    pub(super) bucket: String,
}

impl Work {
    async fn go_on(self) {
        loop {
            tokio::time::sleep(self.world.latency.scale(DELAY_MS)).await;
            // At unlimited speed others must still get their turn between two attempts.
            tokio::task::yield_now().await;
            let Some(remediation) = self.still_due() else { return };
            let succeeded = self.attempt(&remediation).await;
            if self.is_over(succeeded) {
                return;
            }
        }
    }

    /// One attempt, asked for by somebody; the bucket is noted as being at work.
    pub(super) async fn go_once(self, remediation: Remediation) {
        self.attempt(&remediation).await;
        self.world.with_region(self.place.account, self.place.region, |state| state.config.at_work.remove(&self.key()));
    }

    fn key(&self) -> (String, String) {
        (self.rule.clone(), self.bucket.clone())
    }

    /// The remediation as it is now. Without need of one the work is over: what changes later begins it anew.
    fn still_due(&self) -> Option<Remediation> {
        self.world.with_bucket_and_config(self.place, &self.bucket, |bucket, config| {
            let remediation = due(&self.world, self.place, config, &self.rule, bucket).cloned();
            match remediation {
                Some(_) => config.at_work.insert(self.key(), true),
                None => config.at_work.remove(&self.key()),
            };
            remediation
        })
    }

    /// Starts the document and waits for its end.
    async fn attempt(&self, remediation: &Remediation) -> bool {
        let world = &self.world;
        let Place { account, region } = self.place;
        let account_id = &world.organization.accounts[account].id;
        let caller = Caller {
            account,
            arn: world.spec.partition.session_arn(account_id, ROLE, "AwsConfigRemediation").into(),
            user_id: format!("{ROLE}:AwsConfigRemediation").into(),
            kind: CallerKind::RoleSession,
            session: None,
        };
        let parameters = self.parameters(remediation);
        let start = ssm::ServiceStart {
            document: &remediation.target_id,
            version: remediation.target_version.as_deref(),
            parameters: &parameters,
        };
        let started = ssm::start_for_service(world, &caller, self.place, start);
        let call = OnBehalf {
            by: SERVICE,
            actor: &caller,
            region: &world.spec.regions[region],
            service: "ssm",
            operation: "StartAutomationExecution",
        };
        let input = json!({ "DocumentName": remediation.target_id, "Parameters": parameters });
        world.trail.on_behalf(world, call, input, started.as_ref().err());
        let Ok(id) = started else { return false };
        loop {
            let status = world.with_region(account, region, |state| state.executions.get_mut(&id).map(|e| e.status));
            match status {
                Some(status) if !status.ended() => {}
                ended => return ended.is_some_and(|status| status.name() == "Success"),
            }
            let pause = world.latency.scale(LOOK_MS).max(Duration::from_millis(1));
            tokio::time::sleep(pause).await;
        }
    }

    fn parameters(&self, remediation: &Remediation) -> BTreeMap<String, Vec<String>> {
        let parameters = remediation.parameters.iter().flatten();
        let value = |fixed: &Option<crate::world::config::StaticValue>| match fixed {
            Some(fixed) => fixed.values.clone(),
            None => vec![self.bucket.clone()],
        };
        parameters.map(|(name, one)| (name.clone(), value(&one.static_value))).collect()
    }

    /// Whether nothing is left to do after an attempt: the bucket complies, or there were too many.
    fn is_over(&self, succeeded: bool) -> bool {
        let key = self.key();
        self.world.with_bucket_and_config(self.place, &self.bucket, |bucket, config| {
            let Some(remediation) = due(&self.world, self.place, config, &self.rule, bucket).cloned() else {
                if succeeded {
                    config.failures.remove(&key);
                }
                config.at_work.remove(&key);
                return true;
            };
            let attempts = remediation.maximum_automatic_attempts.unwrap_or(ATTEMPTS);
            let seconds = remediation.retry_attempt_seconds.unwrap_or(RETRY_SECONDS);
            let window = self.world.latency.scale(seconds as f64 * 1000.0).as_millis() as i64;
            let now = now_ms();
            let failures = config.failures.entry(key.clone()).or_default();
            // At unlimited speed no time passes: every attempt counts.
            failures.retain(|at| window == 0 || now - at < window);
            failures.push(now);
            if (failures.len() as i64) < attempts {
                config.at_work.insert(key, false);
                return false;
            }
            let message = format!("AWS Config added this exception after {attempts} failed remediation attempts.");
            let change = ConfigChange::Exception {
                rule: self.rule.clone(),
                kind: BUCKET.into(),
                id: self.bucket.clone(),
                exception: Some(Exception::new(&self.rule, &self.bucket, Some(message))),
            };
            // A journal that cannot be written stops the attempts all the same.
            let _ = self.world.change_config(self.place, config, change);
            config.failures.remove(&key);
            config.at_work.remove(&key);
            true
        })
    }
}
