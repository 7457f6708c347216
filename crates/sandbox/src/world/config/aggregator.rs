//! Configuration aggregators, in the model's own shape, and the configuration recorder.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::suffix;

/// ConfigurationAggregator
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Aggregator {
    pub(crate) configuration_aggregator_name: String,
    pub(crate) configuration_aggregator_arn: String,
    pub(crate) account_aggregation_sources: Option<Vec<AccountSource>>,
    pub(crate) organization_aggregation_source: Option<OrganizationSource>,
    /// Seconds since 1970, as the next one.
    pub(crate) creation_time: f64,
    pub(crate) last_updated_time: f64,
    /// AggregatorFilters, kept as they were put.
    pub(crate) aggregator_filters: Option<Value>,
}

/// AccountAggregationSource
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct AccountSource {
    pub(crate) account_ids: Vec<String>,
    pub(crate) all_aws_regions: Option<bool>,
    pub(crate) aws_regions: Option<Vec<String>>,
}

/// OrganizationAggregationSource
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct OrganizationSource {
    pub(crate) role_arn: String,
    pub(crate) aws_regions: Option<Vec<String>>,
    pub(crate) all_aws_regions: Option<bool>,
}

impl Aggregator {
    pub(crate) fn arn_of(place: &str, name: &str) -> String {
        format!("{place}:config-aggregator/config-aggregator-{}", suffix(place, &format!("aggregator/{name}"), 8))
    }
}

/// The customer managed configuration recorder of one account and Region, on from the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Recorder {
    /// Milliseconds since 1970, as the next one.
    pub(crate) started_ms: i64,
    pub(crate) stopped_ms: Option<i64>,
}

impl Default for Recorder {
    fn default() -> Recorder {
        Recorder { started_ms: 1_760_000_000_000, stopped_ms: None }
    }
}

impl Recorder {
    /// The one that a Region has.
    pub(crate) const NAME: &str = "default";

    pub(crate) fn records(&self) -> bool {
        self.stopped_ms.is_none()
    }

    pub(crate) fn arn_of(place: &str) -> String {
        format!("{place}:configuration-recorder/{}/{}", Recorder::NAME, suffix(place, "recorder", 16))
    }
}
