//! `[forecast]`: what a plan's forecast assumes where nothing was measured. It changes no bucket and holds nothing back.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Problem, is_account_id, is_region};

/// What a forecast assumes of the organization, of AWS's answers and of its prices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Assumptions {
    /// Objects written and read in one bucket, a second, on average: each is a request to KMS without a Bucket Key.
    #[schemars(range(min = 0.0))]
    pub objects_per_second: f64,
    /// How much more there are at the busiest moment.
    #[schemars(range(min = 1.0))]
    pub peak_factor: f64,
    /// The part of the requests to KMS that a Bucket Key saves: up to 0.99, as AWS says it. Many small prefixes, or objects
    /// that are seldom touched, make it less.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub bucket_key_saving: f64,
    /// Who pays for a request to the central key.
    pub requests_paid_by: RequestsPaidBy,
    /// USD for 10,000 requests to KMS.
    #[schemars(range(min = 0.0))]
    pub usd_per_10000_requests: f64,
    /// USD a month for one KMS key in one Region.
    #[schemars(range(min = 0.0))]
    pub usd_per_key: f64,
    /// A peak above this part of an account's KMS request quota is flagged: the rest is for what is there already.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub quota_share: f64,
    /// KMS requests a second (symmetric, cryptographic) that an account may make in a Region, where it is not AWS's default.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub kms_quotas: BTreeMap<String, f64>,
    /// Seconds from an execution's start to its end.
    #[schemars(range(min = 0.0))]
    pub execution_seconds: f64,
    /// What a rollout takes over the best schedule within the limits: polls and chance (docs/benchmarks.md).
    #[schemars(range(min = 1.0))]
    pub overhead: f64,
    /// Milliseconds until each service answers a request.
    pub request_ms: RequestMilliseconds,
    /// Other rates for some accounts. The last match counts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<RateOverride>,
}

/// Who pays for requests to a KMS key of another account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RequestsPaidBy {
    /// The account that asks: the bucket's own.
    #[default]
    Caller,
    /// The account that owns the key.
    KeyOwner,
}

/// Milliseconds from a request to its answer, by service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RequestMilliseconds {
    /// Amazon S3.
    #[schemars(range(min = 0.0))]
    pub s3: f64,
    /// Systems Manager.
    #[schemars(range(min = 0.0))]
    pub ssm: f64,
    /// AWS KMS.
    #[schemars(range(min = 0.0))]
    pub kms: f64,
    /// STS.
    #[schemars(range(min = 0.0))]
    pub sts: f64,
    /// Organizations.
    #[schemars(range(min = 0.0))]
    pub organizations: f64,
    /// IAM: one page of an account's identities.
    #[schemars(range(min = 0.0))]
    pub iam: f64,
}

/// The rate of the accounts it names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RateOverride {
    /// Account ids.
    pub accounts: Vec<String>,
    /// Objects written and read in one bucket of these accounts, a second.
    #[schemars(range(min = 0.0))]
    pub objects_per_second: f64,
}

impl Default for Assumptions {
    fn default() -> Self {
        Assumptions {
            objects_per_second: 1.0,
            peak_factor: 10.0,
            bucket_key_saving: 0.99,
            requests_paid_by: RequestsPaidBy::Caller,
            usd_per_10000_requests: 0.03,
            usd_per_key: 1.0,
            quota_share: 0.5,
            kms_quotas: BTreeMap::new(),
            execution_seconds: 5.0,
            overhead: 1.15,
            request_ms: RequestMilliseconds::default(),
            overrides: Vec::new(),
        }
    }
}

impl Default for RequestMilliseconds {
    fn default() -> Self {
        RequestMilliseconds { s3: 40.0, ssm: 120.0, kms: 30.0, sts: 80.0, organizations: 150.0, iam: 400.0 }
    }
}

/// The default quota of symmetric cryptographic operations is higher in these Regions than elsewhere
/// [guide: KMS, requests-per-second].
const LARGE: [&str; 3] = ["us-east-1", "us-west-2", "eu-west-1"];
const MIDDLE: [&str; 6] =
    ["us-east-2", "ap-southeast-1", "ap-southeast-2", "ap-northeast-1", "eu-central-1", "eu-west-2"];

impl Assumptions {
    /// Objects written and read in one bucket of an account, a second.
    #[must_use]
    pub fn objects_per_second(&self, account: &str) -> f64 {
        let own = self.overrides.iter().rfind(|over| over.accounts.iter().any(|id| id == account));
        own.map_or(self.objects_per_second, |over| over.objects_per_second)
    }

    /// KMS requests a second that an account may make in a Region.
    #[must_use]
    pub fn kms_quota(&self, region: &str) -> f64 {
        self.kms_quotas.get(region).copied().unwrap_or_else(|| match region {
            _ if LARGE.contains(&region) => 100_000.0,
            _ if MIDDLE.contains(&region) => 20_000.0,
            _ => 10_000.0,
        })
    }

    pub(super) fn check(&self, found: &mut Vec<Problem>) {
        let mut range = |path: &str, value: f64, least: f64, most: f64| {
            // What is no number is in no range.
            if !(least..=most).contains(&value) {
                let span = match most < f64::MAX {
                    true => format!("from {least} to {most}"),
                    false => format!("not below {least}"),
                };
                found.push(Problem::new(path, format!("{path} is {value}"), format!("write a number {span}")));
            }
        };
        let most = f64::MAX;
        range("forecast.objects_per_second", self.objects_per_second, 0.0, most);
        range("forecast.peak_factor", self.peak_factor, 1.0, most);
        range("forecast.bucket_key_saving", self.bucket_key_saving, 0.0, 1.0);
        range("forecast.usd_per_10000_requests", self.usd_per_10000_requests, 0.0, most);
        range("forecast.usd_per_key", self.usd_per_key, 0.0, most);
        range("forecast.quota_share", self.quota_share, 0.0, 1.0);
        range("forecast.execution_seconds", self.execution_seconds, 0.0, most);
        range("forecast.overhead", self.overhead, 1.0, most);
        let ms = &self.request_ms;
        for (service, value) in [
            ("s3", ms.s3),
            ("ssm", ms.ssm),
            ("kms", ms.kms),
            ("sts", ms.sts),
            ("organizations", ms.organizations),
            ("iam", ms.iam),
        ] {
            range(&format!("forecast.request_ms.{service}"), value, 0.0, most);
        }
        for (region, quota) in &self.kms_quotas {
            range(&format!("forecast.kms_quotas.{region}"), *quota, 1.0, most);
        }
        for (index, over) in self.overrides.iter().enumerate() {
            range(&format!("forecast.overrides[{index}].objects_per_second"), over.objects_per_second, 0.0, most);
        }
        for region in self.kms_quotas.keys().filter(|region| !is_region(region)) {
            found.push(Problem::new(
                format!("forecast.kms_quotas.{region}"),
                format!("`{region}` is not a Region"),
                "write it as AWS does, such as eu-west-1",
            ));
        }
        for (index, over) in self.overrides.iter().enumerate() {
            let path = format!("forecast.overrides[{index}]");
            if over.accounts.is_empty() {
                found.push(Problem::new(&path, "this override names no accounts", "add accounts = [\"…\"]"));
            }
            for (place, id) in over.accounts.iter().enumerate().filter(|(_, id)| !is_account_id(id)) {
                found.push(Problem::new(
                    format!("{path}.accounts[{place}]"),
                    format!("`{id}` is not an account id"),
                    "write twelve digits in quotes",
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_campaign_file_shows_the_defaults() {
        let text = include_str!("../../../../config/orgseal.toml");
        let table = text.split("[forecast]\n").nth(1).and_then(|rest| rest.split("\n\n").next()).unwrap();
        let table: String = table.lines().map(|line| format!("{}\n", line.trim_start_matches("# "))).collect();
        let shown: Assumptions = toml::from_str(&table).unwrap();
        // The quotas are by Region, and what is shown is an example.
        assert_eq!(Assumptions { kms_quotas: BTreeMap::new(), ..shown }, Assumptions::default());
    }

    fn problems(text: &str) -> Vec<String> {
        let mut found = Vec::new();
        toml::from_str::<Assumptions>(text).unwrap().check(&mut found);
        found.into_iter().map(|problem| problem.path).collect()
    }

    #[test]
    fn the_defaults_are_sound() {
        assert_eq!(problems(""), Vec::<String>::new());
    }

    #[test]
    fn each_value_is_held_to_its_range() {
        for (text, path) in [
            ("objects_per_second = -1", "forecast.objects_per_second"),
            ("objects_per_second = nan", "forecast.objects_per_second"),
            ("execution_seconds = inf", "forecast.execution_seconds"),
            ("peak_factor = 0.5", "forecast.peak_factor"),
            ("bucket_key_saving = 99", "forecast.bucket_key_saving"),
            ("quota_share = 1.1", "forecast.quota_share"),
            ("overhead = 0", "forecast.overhead"),
            ("request_ms.iam = -1", "forecast.request_ms.iam"),
            ("kms_quotas.eu-west-1 = 0", "forecast.kms_quotas.eu-west-1"),
            ("kms_quotas.Ireland = 10", "forecast.kms_quotas.Ireland"),
            ("overrides = [{ accounts = [], objects_per_second = 1 }]", "forecast.overrides[0]"),
            ("overrides = [{ accounts = [\"1\"], objects_per_second = 1 }]", "forecast.overrides[0].accounts[0]"),
            (
                "overrides = [{ accounts = [\"444455556666\"], objects_per_second = -1 }]",
                "forecast.overrides[0].objects_per_second",
            ),
        ] {
            assert_eq!(problems(text), [path], "{text}");
        }
    }

    #[test]
    fn the_last_override_counts() {
        let text = "objects_per_second = 2
            kms_quotas = { ap-south-1 = 55 }
            overrides = [{ accounts = [\"444455556666\"], objects_per_second = 5 },
                         { accounts = [\"444455556666\"], objects_per_second = 7 }]";
        let assumed: Assumptions = toml::from_str(text).unwrap();
        assert_eq!(assumed.objects_per_second("444455556666"), 7.0);
        assert_eq!(assumed.objects_per_second("777788889999"), 2.0);
        let quotas = ["us-east-1", "eu-central-1", "eu-south-1", "ap-south-1"].map(|region| assumed.kms_quota(region));
        assert_eq!(quotas, [100_000.0, 20_000.0, 10_000.0, 55.0]);
    }
}
