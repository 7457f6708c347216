//! What each action does. Calls go to the sandbox's own services, as the role that the automation runs under.
//! The order of steps and their failures are the engine's.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::branch;
use super::document::Step;
use super::reference::{select, text_of};
use super::twist::{Instead, Twisted};
use crate::services;
use crate::spec::AutomationElement;
use crate::trail::OnBehalf;
use crate::wire::error::AwsError;
use crate::world::World;
use crate::world::session::Caller;

/// What came of a step.
#[derive(Debug)]
pub(crate) enum Outcome {
    Done {
        outputs: BTreeMap<String, Value>,
        /// Where a branch leads.
        next: Option<String>,
    },
    Failed(String),
    TimedOut(String),
}

/// Under whom and where the steps run.
pub(crate) struct Stage {
    pub(crate) world: Arc<World>,
    pub(crate) actor: Caller,
    pub(crate) region: String,
    pub(crate) twisted: Twisted,
}

const GUIDE: &str = "Please refer to Automation Service Troubleshooting Guide for more diagnosis details.";

/// What botocore says of a member that its model does not know (`ParamValidator` in botocore/validate.py). Nothing is sent.
const UNKNOWN_ELEMENT: &str = "Parameter validation failed:\nUnknown parameter in \
     ServerSideEncryptionConfiguration.Rules[0]: \"BlockedEncryptionTypes\", must be one of: \
     ApplyServerSideEncryptionByDefault, BucketKeyEnabled";

fn failure(what: impl std::fmt::Display) -> String {
    format!("Step fails when it is Execute/Cancelling action. {what} {GUIDE}")
}

impl Stage {
    /// Carries out one step, its inputs resolved.
    async fn perform(&self, step: &Step, inputs: &Value) -> Outcome {
        match step.action.as_str() {
            "aws:executeAwsApi" => self.execute(step, inputs).await,
            "aws:assertAwsResourceProperty" => self.assert(step, inputs).await,
            "aws:waitForAwsResourceProperty" => self.wait_for(step, inputs).await,
            "aws:sleep" => self.sleep(inputs).await,
            _ => match branch::choose(inputs) {
                Some(next) => done(Map::new(), Some(next)),
                None => Outcome::Failed(failure("No choice matched and the step has no Default.")),
            },
        }
    }

    /// Carries a step out within its `timeoutSeconds`. A wait knows its own limit, by which it words its failure.
    pub(crate) async fn perform_within_limit(&self, step: &Step, inputs: &Value) -> Outcome {
        let limit = step.timeout_seconds.filter(|_| step.action != "aws:waitForAwsResourceProperty");
        let limit = limit.map(|seconds| self.world.latency.scale(seconds as f64 * 1000.0));
        let Some(limit) = limit.filter(|limit| !limit.is_zero()) else {
            return self.perform(step, inputs).await;
        };
        // At great speeds the limit would be shorter than the sandbox's own work.
        let limit = limit.max(Duration::from_millis(250));
        match tokio::time::timeout(limit, self.perform(step, inputs)).await {
            Ok(outcome) => outcome,
            Err(_) => Outcome::TimedOut("Step timed out. The step did not end within its timeoutSeconds.".into()),
        }
    }

    /// Calls the API that the inputs name; what remains of them is the API's own input.
    pub(super) fn call(&self, inputs: &Value) -> Result<Value, String> {
        let mut input = inputs.as_object().cloned().unwrap_or_default();
        let mut take = |name: &str| match input.remove(name) {
            Some(Value::String(text)) => Ok(text),
            _ => Err(format!("The input {name} is missing or not a string.")),
        };
        let (service, api) = (take("Service")?.to_lowercase(), operation_name(&take("Api")?));
        for own in ["PropertySelector", "DesiredValues"] {
            input.remove(own);
        }
        let worded = |error: AwsError| {
            format!(
                "An error occurred ({}) when calling the {api} operation: {}.",
                error.code,
                error.message.trim_end_matches('.')
            )
        };
        let input = match self.twisted.instead(&api, inputs, Value::Object(input)) {
            Instead::Call(input) => input,
            Instead::Answer(answer) => return Ok(answer),
        };
        match (service.as_str(), api.as_str()) {
            ("s3", "PutBucketEncryption") if self.refuses_blocked_types(&input) => Err(UNKNOWN_ELEMENT.to_owned()),
            ("s3", _) => {
                let result = services::s3::call(&self.world, &self.actor, &self.region, &api, &input);
                let error = result.as_ref().err();
                let call = OnBehalf {
                    by: "ssm.amazonaws.com",
                    actor: &self.actor,
                    region: &self.region,
                    service: &service,
                    operation: &api,
                };
                self.world.trail.on_behalf(&self.world, call, input, error);
                match result {
                    Err(_) if self.twisted.pretends() => Ok(json!({})),
                    result => result.map_err(worded),
                }
            }
            ("sts", "GetCallerIdentity") => Ok(json!({
                "Account": self.world.organization.accounts[self.actor.account].id,
                "Arn": &*self.actor.arn,
                "UserId": &*self.actor.user_id,
            })),
            _ => Err(format!("{service}:{api} is not modelled by this sandbox.")),
        }
    }

    /// Whether the step sends an element that the API model inside Automation is too old to know.
    fn refuses_blocked_types(&self, input: &Value) -> bool {
        self.world.spec.blocked_types.automation == AutomationElement::Refused
            && input
                .pointer("/ServerSideEncryptionConfiguration/Rules")
                .and_then(Value::as_array)
                .is_some_and(|rules| rules.iter().any(|rule| rule.get("BlockedEncryptionTypes").is_some()))
    }

    async fn execute(&self, step: &Step, inputs: &Value) -> Outcome {
        let mut attempt = 1;
        let answer = loop {
            match self.call(inputs) {
                Ok(answer) => break answer,
                Err(_) if attempt < step.max_attempts => {
                    attempt += 1;
                    tokio::time::sleep(self.world.latency.scale(1000.0)).await;
                }
                Err(what) => return Outcome::Failed(failure(what)),
            }
        };
        let mut outputs = Map::new();
        for output in &step.outputs {
            match select(&answer, &output.selector) {
                Ok(None) => {}
                Ok(Some(found)) => match typed(found, &output.kind) {
                    Some(value) => {
                        outputs.insert(output.name.clone(), value);
                    }
                    None => {
                        let what = format!("The output {} is not of type {}.", output.name, output.kind);
                        return Outcome::Failed(failure(what));
                    }
                },
                Err(what) => return Outcome::Failed(failure(what)),
            }
        }
        done(outputs, None)
    }

    /// The property of the answer, and whether it is among the desired values.
    fn property(&self, inputs: &Value) -> Result<(Value, bool), String> {
        let selector = inputs.get("PropertySelector").and_then(Value::as_str);
        let selector = selector.ok_or("The input PropertySelector is missing or not a string.")?;
        let desired = inputs.get("DesiredValues").and_then(Value::as_array);
        let desired = desired.ok_or("The input DesiredValues is missing or not a list.")?;
        let answer = self.call(inputs)?;
        let found = select(&answer, selector)?.cloned().unwrap_or(Value::Null);
        let matches = self.twisted.pretends()
            || desired.iter().any(|wanted| !found.is_null() && text_of(wanted) == text_of(&found));
        Ok((found, matches))
    }

    async fn assert(&self, step: &Step, inputs: &Value) -> Outcome {
        let mut attempt = 1;
        loop {
            let what = match self.property(inputs) {
                Ok((_, true)) => return done(Map::new(), None),
                Ok((found, false)) => format!(
                    "Property value from the API output is not in desired values. Expected: {}, Actual: {}.",
                    inputs.get("DesiredValues").unwrap_or(&Value::Null),
                    text_of(&found)
                ),
                Err(what) => what,
            };
            if attempt >= step.max_attempts {
                return Outcome::Failed(failure(what));
            }
            attempt += 1;
            tokio::time::sleep(self.world.latency.scale(1000.0)).await;
        }
    }

    async fn wait_for(&self, step: &Step, inputs: &Value) -> Outcome {
        const BETWEEN_SECONDS: u64 = 2;
        let seconds = step.timeout_seconds.unwrap_or(3600);
        for _ in 0..=seconds / BETWEEN_SECONDS {
            match self.property(inputs) {
                Ok((_, true)) => return done(Map::new(), None),
                Ok((_, false)) => {}
                Err(what) => return Outcome::Failed(failure(what)),
            }
            let pause = self.world.latency.scale(BETWEEN_SECONDS as f64 * 1000.0);
            // At unlimited speed others must still get their turn between two looks.
            tokio::time::sleep(pause.max(Duration::from_millis(1))).await;
        }
        Outcome::TimedOut(format!("Step timed out while waiting for the resource property. {GUIDE}"))
    }

    async fn sleep(&self, inputs: &Value) -> Outcome {
        let Some(text) = inputs.get("Duration").and_then(Value::as_str) else {
            return Outcome::Failed(failure("aws:sleep needs a Duration, such as PT10S."));
        };
        let Ok(duration) = text.parse::<jiff::SignedDuration>() else {
            return Outcome::Failed(failure(format!("{text} is not an ISO 8601 duration.")));
        };
        tokio::time::sleep(self.world.latency.scale(duration.as_millis().max(0) as f64)).await;
        done(Map::new(), None)
    }
}

fn done(outputs: Map<String, Value>, next: Option<String>) -> Outcome {
    Outcome::Done { outputs: outputs.into_iter().collect(), next }
}

/// `put_bucket_encryption` and `PutBucketEncryption` are the same API.
fn operation_name(api: &str) -> String {
    if !api.contains('_') && api.starts_with(|c: char| c.is_ascii_uppercase()) {
        return api.into();
    }
    api.split('_')
        .map(|word| {
            let mut letters = word.chars();
            letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect::<String>()
        })
        .collect()
}

fn typed(found: &Value, kind: &str) -> Option<Value> {
    let fits = match kind {
        "String" => return Some(json!(text_of(found))),
        "Boolean" => found.is_boolean(),
        "Integer" => found.is_i64(),
        "StringList" => found.as_array().is_some_and(|list| list.iter().all(Value::is_string)),
        "MapList" => found.as_array().is_some_and(|list| list.iter().all(Value::is_object)),
        "StringMap" => found.is_object(),
        _ => false,
    };
    fits.then(|| found.clone())
}
