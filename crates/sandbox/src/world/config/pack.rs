//! Conformance packs, of one account and of an organization, and how far along one is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::suffix;

/// The service that owns what a pack makes.
pub(crate) const CONFORMS: &str = "config-conforms.amazonaws.com";
/// The service that deploys an organization's packs in its accounts.
pub(crate) const MULTI_ACCOUNT: &str = "config-multiaccountsetup.amazonaws.com";

/// ConformancePackInputParameter
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct InputParameter {
    pub(crate) parameter_name: String,
    pub(crate) parameter_value: String,
}

/// What both kinds of pack are put with, and show.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PackSettings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) delivery_s3_bucket: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) delivery_s3_key_prefix: Option<String>,
    pub(crate) conformance_pack_input_parameters: Vec<InputParameter>,
}

/// What is being done to a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Act {
    Create,
    Update,
    Delete,
}

impl Act {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Act::Create => "CREATE",
            Act::Update => "UPDATE",
            Act::Delete => "DELETE",
        }
    }
}

/// What is done, from when to when, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Progress {
    pub(crate) act: Act,
    pub(crate) asked_ms: i64,
    pub(crate) done_ms: i64,
}

impl Progress {
    pub(crate) fn is_under_way(&self, now_ms: i64) -> bool {
        now_ms < self.done_ms
    }

    /// A pack that was deleted is shown until that is done.
    pub(crate) fn is_gone(&self, now_ms: i64) -> bool {
        self.act == Act::Delete && !self.is_under_way(now_ms)
    }

    /// When the status was the last time another one.
    pub(crate) fn changed_ms(&self, now_ms: i64) -> i64 {
        if self.is_under_way(now_ms) { self.asked_ms } else { self.done_ms }
    }
}

/// Why a pack could not be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failure {
    pub(crate) code: String,
    pub(crate) message: String,
}

/// A conformance pack of one account and Region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pack {
    pub(crate) name: String,
    /// `conformance-pack-…`, with which the names of its rules end as well.
    pub(crate) id: String,
    pub(crate) arn: String,
    pub(crate) settings: PackSettings,
    /// The service that made it, when it is an organization's.
    pub(crate) created_by: Option<String>,
    /// The names of its rules, as they are in the account.
    pub(crate) rules: Vec<String>,
    pub(crate) progress: Progress,
    pub(crate) failure: Option<Failure>,
}

impl Pack {
    pub(crate) fn id_of(place: &str, name: &str) -> String {
        format!("conformance-pack-{}", suffix(place, &format!("pack/{name}"), 9))
    }

    pub(crate) fn arn_of(place: &str, name: &str) -> String {
        format!("{place}:conformance-pack/{name}/{}", Pack::id_of(place, name))
    }
}

/// A pack that is put in the accounts of an organization. It is known where it was put, and nowhere else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OrganizationPack {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) settings: PackSettings,
    pub(crate) excluded_accounts: Vec<String>,
    /// Where it is deployed, and what went wrong there.
    pub(crate) accounts: BTreeMap<String, Option<Failure>>,
    pub(crate) progress: Progress,
}

impl OrganizationPack {
    /// `NAME-xxxxxxxx`
    pub(crate) fn id_of(place: &str, name: &str) -> String {
        format!("{name}-{}", suffix(place, &format!("organization-pack/{name}"), 8))
    }

    pub(crate) fn arn_of(place: &str, name: &str) -> String {
        format!("{place}:organization-conformance-pack/{}", OrganizationPack::id_of(place, name))
    }

    /// The name of the pack that an account gets. `place` is where the organization's pack was put.
    pub(crate) fn member_name(place: &str, name: &str) -> String {
        format!("OrgConformsPack-{}", OrganizationPack::id_of(place, name))
    }
}
