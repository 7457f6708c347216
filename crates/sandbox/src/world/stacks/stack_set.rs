//! A stack set as it is kept, with its instances and operations.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::wire::now_ms;

/// A service-managed stack set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct StackSetRecord {
    /// `NAME:UUID`
    pub(crate) id: String,
    pub(crate) name: String,
    /// The request that made it, by its token.
    pub(crate) token: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) deleted: bool,
    /// The name of its template in the store.
    pub(crate) template: String,
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) capabilities: Vec<String>,
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) auto_deployment: AutoDeployment,
    pub(crate) managed_execution: bool,
    /// The root or the units that it was deployed to.
    pub(crate) units: Vec<String>,
    /// By account and Region. Not written with the set: each has an entry of its own.
    #[serde(skip)]
    pub(crate) instances: BTreeMap<(String, String), InstanceRecord>,
    /// The oldest first.
    #[serde(skip)]
    pub(crate) operations: Vec<OperationRecord>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AutoDeployment {
    pub(crate) enabled: bool,
    pub(crate) retain: bool,
}

/// The stack of a stack set in one account and Region.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct InstanceRecord {
    pub(crate) account: String,
    pub(crate) region: String,
    /// The root or the unit that was named when it was made.
    pub(crate) unit: String,
    pub(crate) stack: Option<String>,
    /// `CURRENT`, `OUTDATED` or `INOPERABLE`.
    pub(crate) status: String,
    pub(crate) detailed: String,
    pub(crate) reason: Option<String>,
    pub(crate) overrides: BTreeMap<String, String>,
    pub(crate) last_operation: String,
}

/// One operation on the instances.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct OperationRecord {
    pub(crate) id: String,
    /// `CREATE`, `UPDATE` or `DELETE`.
    pub(crate) action: String,
    pub(crate) status: String,
    pub(crate) reason: Option<String>,
    pub(crate) targets: Option<Targets>,
    pub(crate) preferences: Preferences,
    pub(crate) retain: Option<bool>,
    pub(crate) results: Vec<ResultRecord>,
    /// Instances of suspended accounts, which were left out.
    pub(crate) skipped: usize,
    pub(crate) created_ms: i64,
    pub(crate) ended_ms: Option<i64>,
}

/// DeploymentTargets
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Targets {
    pub(crate) units: Vec<String>,
    pub(crate) accounts: Vec<String>,
    pub(crate) filter: Option<String>,
}

/// OperationPreferences, as they were given.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Preferences {
    pub(crate) region_concurrency: Option<String>,
    pub(crate) region_order: Vec<String>,
    pub(crate) tolerance_count: Option<i64>,
    pub(crate) tolerance_percentage: Option<i64>,
    pub(crate) concurrent_count: Option<i64>,
    pub(crate) concurrent_percentage: Option<i64>,
    pub(crate) concurrency_mode: Option<String>,
}

/// What became of one instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ResultRecord {
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) unit: String,
    /// `SUCCEEDED`, `FAILED` or `CANCELLED`.
    pub(crate) status: String,
    pub(crate) reason: Option<String>,
}

impl StackSetRecord {
    /// Ends the operations that were going on when the sandbox ended.
    pub(super) fn break_off(&mut self) {
        for operation in self.operations.iter_mut().filter(|operation| operation.status == "RUNNING") {
            operation.status = "FAILED".into();
            operation.reason = Some("The sandbox was ended before this was done.".into());
            operation.ended_ms = Some(now_ms());
        }
    }
}
