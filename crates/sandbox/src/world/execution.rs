//! Automation executions as records. What makes them move is in `automation::engine`.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Notify;

use crate::automation::document::Runbook;
use crate::automation::twist::Twist;

/// The statuses of the service model that this engine reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Status {
    Pending,
    InProgress,
    /// Reached by a fault alone.
    Waiting,
    Success,
    TimedOut,
    Cancelling,
    Cancelled,
    Failed,
}

impl Status {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Status::Pending => "Pending",
            Status::InProgress => "InProgress",
            Status::Waiting => "Waiting",
            Status::Success => "Success",
            Status::TimedOut => "TimedOut",
            Status::Cancelling => "Cancelling",
            Status::Cancelled => "Cancelled",
            Status::Failed => "Failed",
        }
    }

    pub(crate) fn ended(self) -> bool {
        !matches!(self, Status::Pending | Status::InProgress | Status::Waiting | Status::Cancelling)
    }
}

/// How StopAutomationExecution was asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Stop {
    Cancel,
    Complete,
}

/// A step that was carried out.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StepRecord {
    pub(crate) name: String,
    pub(crate) status: Status,
    pub(crate) started_ms: i64,
    pub(crate) ended_ms: i64,
    pub(crate) inputs: BTreeMap<String, String>,
    /// Typed, as later references see them.
    pub(crate) outputs: BTreeMap<String, Value>,
    pub(crate) failure: Option<String>,
    pub(crate) response_code: Option<String>,
}

/// An automation execution.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Execution {
    pub(crate) id: String,
    pub(crate) document: String,
    pub(crate) document_owner: String,
    pub(crate) document_version: usize,
    /// With the defaults filled in.
    pub(crate) parameters: BTreeMap<String, Vec<String>>,
    /// What makes two starts with one client token "the same".
    pub(crate) fingerprint: String,
    pub(crate) client_token: Option<String>,
    pub(crate) executed_by: String,
    pub(crate) mode: String,
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) status: Status,
    pub(crate) started_ms: i64,
    /// When it left Pending.
    pub(crate) running_ms: Option<i64>,
    pub(crate) ended_ms: Option<i64>,
    /// How long it takes from `running_ms`, the sandbox's speed counted in.
    pub(crate) takes_ms: u64,
    pub(crate) steps: Vec<StepRecord>,
    /// The step to do next; before the first step it is the first step.
    pub(crate) next_step: Option<String>,
    pub(crate) outputs: BTreeMap<String, Vec<String>>,
    pub(crate) failure: Option<String>,
    pub(crate) stop: Option<Stop>,
    /// How it misbehaves, when a fault struck its start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) twist: Option<Twist>,
    /// When DescribeAutomationExecutions first shows it.
    #[serde(default)]
    pub(crate) visible_ms: i64,
    /// When the step at work began.
    #[serde(skip)]
    pub(crate) step_started_ms: Option<i64>,
    #[serde(skip)]
    pub(crate) runbook: Option<Arc<Runbook>>,
    /// Rung by StopAutomationExecution.
    #[serde(skip)]
    pub(crate) bell: Arc<Notify>,
}

/// How long Systems Manager keeps an execution that ended.
const KEPT_MS: i64 = 30 * 86_400_000;

impl Execution {
    /// Whether it is still shown at this time.
    pub(crate) fn is_kept(&self, now_ms: i64) -> bool {
        self.ended_ms.is_none_or(|ended| ended + KEPT_MS > now_ms)
    }
}

/// The executions of one account and Region.
#[derive(Debug, Default)]
pub(crate) struct Executions {
    /// Oldest first: an index is a place in the order of starts.
    pub(crate) all: Vec<Execution>,
    pub(crate) by_id: HashMap<String, usize>,
    pub(crate) by_token: HashMap<String, usize>,
    pub(crate) waiting: VecDeque<usize>,
    pub(crate) running: u32,
    pub(crate) peak: u32,
}

impl Executions {
    pub(crate) fn in_flight(&self) -> u32 {
        self.running + self.waiting.len() as u32
    }

    /// Takes the next one that may run out of the queue; those stuck there by a fault stay.
    pub(crate) fn next_waiting(&mut self) -> Option<usize> {
        let stuck = Some(Twist::Stuck { status: Status::Pending });
        let at = self.waiting.iter().position(|index| self.all[*index].twist != stuck)?;
        self.waiting.remove(at)
    }

    pub(crate) fn add(&mut self, execution: Execution) -> usize {
        let index = self.all.len();
        self.by_id.insert(execution.id.clone(), index);
        if let Some(token) = &execution.client_token {
            self.by_token.insert(token.clone(), index);
        }
        self.all.push(execution);
        index
    }

    pub(crate) fn get_mut(&mut self, id: &str) -> Option<&mut Execution> {
        self.by_id.get(id).map(|index| &mut self.all[*index])
    }
}
