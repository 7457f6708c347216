//! `orgseal sandbox demo`: what AWS does by itself, seen from beginning to end in a simulated organization.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use orgseal_sandbox::{BucketEncryption, Sandbox, Spec};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::signals::{self, INTERRUPTED};
use crate::{connect, output};

/// AWS takes minutes for what the sandbox does in seconds.
pub(super) const SPEED: f64 = 2.0;
/// The demonstration is over by then, whatever happened.
const LONGEST: Duration = Duration::from_secs(60);
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

const RULE: &str = "s3-default-encryption-kms";
const DRIFTS: &str = "payments-letters";
const EXCEPTED: &str = "payments-archive";
const SPEC: &str = r#"
seed = 20230105
accounts = 3
suspended = 0
without_member_role = 0
regions = ["us-east-1"]
buckets_per_account = 2
[[account]]
name = "payments"
id = "555555555551"
buckets = [
    { name = "payments-letters", encryption = "sealed" },
    { name = "payments-archive", encryption = "sealed" },
    { name = "payments-logs", encryption = "sealed" },
]
[[config_remediation]]
accounts = ["payments"]
rule = "s3-default-encryption-kms"
central_key_only = true
exceptions = ["payments-archive"]
"#;

/// What happened, when.
struct Story {
    began: Instant,
    json: bool,
    events: Vec<Value>,
}

impl Story {
    fn tell(&mut self, bucket: &str, says: &str) -> Result<(), Failure> {
        let at = self.began.elapsed();
        self.events.push(json!({ "seconds": at.as_secs_f64(), "bucket": bucket, "says": says }));
        if !self.json {
            output::out(&format!("{:>5.1} s  {bucket:<18} {says}", at.as_secs_f64()))?;
        }
        Ok(())
    }
}

/// Drift, AWS Config, document, sealed again.
pub(super) async fn config_remediation(speed: f64, json: bool) -> Result<u8, Failure> {
    let spec = Spec::from_toml(SPEC, "the demonstration")
        .map_err(|error| Failure::plain(error.to_string(), "this is a fault of orgseal: please report it"))?;
    let sandbox = connect::start(spec, None, speed, 0).await?;
    if !json {
        output::out_wrapped(&format!(
            "In account payments of a simulated organization, AWS Config's rule {RULE} finds buckets with another key than the central one, and starts the sealing document automatically; {EXCEPTED} has a remediation exception."
        ))?;
        output::out("")?;
    }
    let mut story = Story { began: Instant::now(), json, events: Vec::new() };
    let plain =
        || Some(BucketEncryption { algorithm: "AES256".into(), key: None, bucket_key: false, blocked: Vec::new() });
    let meddle = |bucket: &str| {
        sandbox
            .set_bucket_encryption(bucket, plain())
            .map_err(|error| Failure::plain(error.to_string(), "this is a fault of orgseal: please report it"))
    };
    let mut shown: BTreeMap<String, String> = BTreeMap::new();
    for bucket in [DRIFTS, EXCEPTED] {
        shown.insert(bucket.to_owned(), encryption(&sandbox, bucket));
        meddle(bucket)?;
        story.tell(bucket, "an administrator sets its default encryption to SSE-S3 (AES256)")?;
        shown.insert(bucket.to_owned(), encryption(&sandbox, bucket));
    }
    let watched = watch(&sandbox, &mut story, &mut shown);
    let interrupted = tokio::select! {
        outcome = watched => { outcome?; false }
        () = signals::stop_requested() => true,
    };
    let is_sealed = |bucket: &str| shown.get(bucket).is_some_and(|shows| shows.starts_with("aws:kms"));
    let as_promised = is_sealed(DRIFTS) && !is_sealed(EXCEPTED);
    if json {
        output::out_json(&json!({
            "schema": "orgseal.sandbox-demo/1", "demo": "config-remediation", "as_promised": as_promised, "events": story.events,
        }))?;
    } else {
        output::out_wrapped(&format!(
            "\n{DRIFTS} is {}; {EXCEPTED} stays as its administrator configured it. That is why automatic remediation is switched on last, after the campaign is finished: it asks no guard, no wave and no person (docs/bootstrap.md).",
            if as_promised { "sealed again, without any manual step" } else { "not sealed again" }
        ))?;
    }
    sandbox.stop();
    Ok(match (interrupted, as_promised) {
        (true, _) => INTERRUPTED,
        (false, true) => 0,
        (false, false) => 2,
    })
}

/// Tells of every execution and of each change that S3 shows, until the drifted bucket is sealed and nothing is under way.
async fn watch(sandbox: &Sandbox, story: &mut Story, shown: &mut BTreeMap<String, String>) -> Result<(), Failure> {
    let mut executions: BTreeMap<String, String> = BTreeMap::new();
    loop {
        let mut under_way = false;
        for execution in sandbox.executions() {
            let bucket =
                execution.parameters.get("BucketName").and_then(|names| names.first()).cloned().unwrap_or_default();
            let known = executions.insert(execution.id.clone(), execution.status.clone());
            if known.is_none() {
                let by = execution.executed_by.rsplit('/').nth(1).unwrap_or_default().to_owned();
                story.tell(&bucket, &format!("AWS Config starts {} on it, as {by}", execution.document))?;
            }
            if known.as_deref() != Some(&execution.status) {
                story.tell(&bucket, &format!("execution {} is {}", execution.id, execution.status))?;
            }
            under_way |= execution.ended_ms.is_none();
        }
        for bucket in [DRIFTS, EXCEPTED] {
            let shows = encryption(sandbox, bucket);
            if shown.insert(bucket.to_owned(), shows.clone()).as_ref() != Some(&shows) {
                story.tell(bucket, &format!("S3 shows {shows}"))?;
            }
        }
        let sealed = shown.get(DRIFTS).is_some_and(|shows| shows.starts_with("aws:kms"));
        if (sealed && !under_way) || story.began.elapsed() > LONGEST {
            return Ok(());
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}

fn encryption(sandbox: &Sandbox, bucket: &str) -> String {
    let state = sandbox.buckets().into_iter().find(|state| state.name == bucket);
    match state.and_then(|state| state.encryption) {
        Some(BucketEncryption { algorithm, key: Some(key), .. }) => format!("{algorithm} with {key}"),
        Some(BucketEncryption { algorithm, .. }) => algorithm,
        None => "nothing".to_owned(),
    }
}
