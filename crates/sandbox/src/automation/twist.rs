//! Executions that do not do what they say: a fault which struck the start goes with the execution to its end.
//! What is struck is decided in `faults::start`.

use std::sync::Mutex;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::steps::Stage;
use crate::world::execution::Status;
use crate::world::lock::lock;

/// How an execution misbehaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Twist {
    /// Success, and nothing changed.
    Lie,
    /// Success, and the change comes so much later.
    Late { ms: u64 },
    /// Success, with another key.
    WrongKey { key: String },
    /// Stays like this until it is stopped.
    Stuck { status: Status },
    /// Ends like this before its first step.
    Ends { status: Status, message: Option<String> },
}

/// What becomes of a call that a step makes.
pub(super) enum Instead {
    Call(Value),
    Answer(Value),
}

/// The twist of one execution at work, and the calls it put off.
#[derive(Debug, Default)]
pub(crate) struct Twisted {
    pub(super) twist: Option<Twist>,
    put_off: Mutex<Vec<Value>>,
}

impl Twisted {
    pub(super) fn new(twist: Option<Twist>) -> Twisted {
        Twisted { twist, put_off: Mutex::default() }
    }

    /// Whether its steps claim that all is well, whatever they see.
    pub(super) fn pretends(&self) -> bool {
        matches!(self.twist, Some(Twist::Lie | Twist::Late { .. } | Twist::WrongKey { .. }))
    }

    /// `inputs` are the step's, `input` is what the API is to be called with.
    pub(super) fn instead(&self, api: &str, inputs: &Value, mut input: Value) -> Instead {
        let reads = ["Get", "List", "Head", "Describe"].iter().any(|verb| api.starts_with(verb));
        match &self.twist {
            Some(Twist::Lie) if !reads => Instead::Answer(json!({})),
            Some(Twist::Late { .. }) if !reads => {
                lock(&self.put_off).push(inputs.clone());
                Instead::Answer(json!({}))
            }
            Some(Twist::WrongKey { key }) if api == "PutBucketEncryption" => {
                let rules = "/ServerSideEncryptionConfiguration/Rules/0/ApplyServerSideEncryptionByDefault";
                if let Some(default) = input.pointer_mut(rules) {
                    default["KMSMasterKeyID"] = json!(key);
                }
                Instead::Call(input)
            }
            _ => Instead::Call(input),
        }
    }
}

/// Does what a late execution put off. It does not outlive the process.
pub(super) fn catch_up(mut stage: Stage) {
    let twisted = std::mem::take(&mut stage.twisted);
    let Some(Twist::Late { ms }) = twisted.twist else { return };
    let runtime = stage.world.runtime.clone();
    runtime.spawn(async move {
        tokio::time::sleep(Duration::from_millis(ms)).await;
        let put_off = std::mem::take(&mut *lock(&twisted.put_off));
        for inputs in &put_off {
            // Nobody is left to hear of a failure.
            let _ = stage.call(inputs);
        }
    });
}
