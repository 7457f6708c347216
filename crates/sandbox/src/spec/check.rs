//! Reading a spec and checking it as a whole: each fault with its line and what to write instead.

use std::collections::BTreeSet;
use std::fmt;

use super::{BucketCount, Spec};
use crate::automation::document::{Format, Runbook};

/// The key to blame, and what to write instead.
pub(super) type Fault = (&'static str, String);

/// A spec that cannot be used: where and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecError {
    /// The file, as the caller named it.
    pub origin: String,
    /// Counted from one; absent when no single line is to blame.
    pub line: Option<usize>,
    /// What is wrong and what to write instead.
    pub message: String,
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{}: {}", self.origin, line, self.message),
            None => write!(f, "{}: {}", self.origin, self.message),
        }
    }
}

impl std::error::Error for SpecError {}

impl Spec {
    /// Reads a spec. `origin` is the file's name, for the error.
    ///
    /// # Errors
    /// Unknown keys, wrong types and impossible values, each with its line and what to write instead.
    pub fn from_toml(text: &str, origin: &str) -> Result<Spec, SpecError> {
        let mut spec: Spec = toml::from_str(text).map_err(|error| SpecError {
            origin: origin.into(),
            line: error.span().map(|span| line_of(text, span.start)),
            message: error.message().trim().to_string(),
        })?;
        let written: toml::Table = text.parse().unwrap_or_default();
        spec.use_regions_of_partition(&written);
        spec.leave_out_what_does_not_fit(&written);
        spec.leave_out_central_keys(&written);
        spec.read_policy_files(origin).map_err(|message| SpecError { origin: origin.into(), line: None, message })?;
        match spec.fault() {
            None => Ok(spec),
            Some((key, message)) => {
                let bucket = spec.line_of_central_key(text).filter(|_| key == "encryption");
                let line = bucket.or_else(|| line_of_key(text, key));
                Err(SpecError { origin: origin.into(), line, message })
            }
        }
    }

    /// A small organization need not say that nobody in it is out of reach: the defaults give way where they would
    /// be more than half of the ordinary accounts.
    fn leave_out_what_does_not_fit(&mut self, written: &toml::Table) {
        let ordinary = self.accounts.saturating_sub(2).saturating_sub(self.account.len() as u32);
        if (u64::from(self.suspended) + u64::from(self.without_member_role)) * 2 <= u64::from(ordinary) {
            return;
        }
        if !written.contains_key("suspended") {
            self.suspended = 0;
        }
        if !written.contains_key("without_member_role") {
            self.without_member_role = 0;
        }
    }

    pub(crate) fn check(&self) -> Result<(), SpecError> {
        match self.fault() {
            None => Ok(()),
            Some((_, message)) => Err(SpecError { origin: "the spec".into(), line: None, message }),
        }
    }

    fn fault(&self) -> Option<Fault> {
        self.accounts_fault()
            .or_else(|| self.regions_fault())
            .or_else(|| self.depth_fault())
            .or_else(|| self.mix_fault())
            .or_else(|| self.groundwork_fault())
            .or_else(|| self.time_fault())
            .or_else(|| self.document_fault())
            .or_else(|| self.misbehaviour_fault())
            .or_else(|| self.described_fault())
            .or_else(|| self.bucket_fault())
            .or_else(|| self.policies_fault())
            .or_else(|| self.config_remediation_fault())
            .or_else(|| self.disabled_region_fault())
            .or_else(|| self.application_fault())
            .or_else(|| self.cloudtrail_fault())
    }

    fn accounts_fault(&self) -> Option<Fault> {
        let described = self.account.len() as u64;
        let special = u64::from(self.suspended) + u64::from(self.without_member_role);
        if self.accounts < 2 {
            return Some((
                "accounts",
                format!(
                    "accounts = {} is too few: write at least 2, the management and the security account",
                    self.accounts
                ),
            ));
        }
        if described + special + 2 > u64::from(self.accounts) {
            return Some((
                "accounts",
                format!(
                    "accounts = {} is too few for the management and the security account, {} suspended, {} without the member role and {} described one by one: write at least {}, or lower suspended and without_member_role",
                    self.accounts,
                    self.suspended,
                    self.without_member_role,
                    described,
                    described + special + 2
                ),
            ));
        }
        if self.accounts > 50_000 {
            return Some(("accounts", "accounts is at most 50000, the largest organization there is".into()));
        }
        if let BucketCount::Between { min, max } = self.buckets_per_account
            && min > max
        {
            return Some((
                "buckets_per_account",
                format!("buckets_per_account has min {min} above max {max}: write {{ min = {max}, max = {min} }}"),
            ));
        }
        None
    }

    fn depth_fault(&self) -> Option<Fault> {
        if !(1..=5).contains(&self.ou_depth) {
            return Some((
                "ou_depth",
                format!("ou_depth = {} is not possible: write 1 to 5, Organizations has no deeper tree", self.ou_depth),
            ));
        }
        None
    }

    fn mix_fault(&self) -> Option<Fault> {
        if self.encryption.weights().iter().all(|(_, weight)| *weight == 0) {
            return Some((
                "encryption",
                "all weights in [encryption] are zero: give at least one state a weight, such as sse_s3 = 1".into(),
            ));
        }
        if let Some(part) = self.features.fault() {
            let message =
                format!("a feature is a part of the buckets: write a number from 0.0 to 1.0 in place of {part}");
            return Some(("features", message));
        }
        if !(0.0..=1.0).contains(&self.encryption.sse_c_blocked) {
            return Some((
                "sse_c_blocked",
                "sse_c_blocked is a part of the buckets: write a number from 0.0 to 1.0".into(),
            ));
        }
        None
    }

    fn time_fault(&self) -> Option<Fault> {
        let l = &self.latency;
        if [l.s3_ms, l.sts_ms, l.organizations_ms, l.ssm_ms, l.kms_ms].iter().any(|ms| !(0.0..=60_000.0).contains(ms)) {
            return Some(("latency", "a latency is a number of milliseconds from 0 to 60000".into()));
        }
        if !(0.0..=1.0).contains(&l.jitter) {
            return Some(("jitter", "jitter is a part of the latency: write a number from 0.0 to 1.0".into()));
        }
        let e = &self.executions;
        if !(0.0..=86_400.0).contains(&e.min_seconds) || !(e.min_seconds..=86_400.0).contains(&e.max_seconds) {
            return Some(("min_seconds", "executions take from min_seconds to max_seconds: write min_seconds no greater than max_seconds, both 0 to 86400".into()));
        }
        if e.concurrent == 0 {
            return Some((
                "concurrent",
                "concurrent = 0 would let no execution run: write at least 1 (AWS: 100)".into(),
            ));
        }
        if !(0.0..=3600.0).contains(&self.iam_consistency_seconds) {
            return Some(("iam_consistency_seconds", "iam_consistency_seconds is a number from 0 to 3600".into()));
        }
        if !(3600..=43_200).contains(&self.member_role.max_session_seconds) {
            return Some(("max_session_seconds", "max_session_seconds is 3600 to 43200 in IAM".into()));
        }
        None
    }

    fn document_fault(&self) -> Option<Fault> {
        if self.seed > i64::MAX as u64 {
            return Some(("seed", format!("seed = {} does not fit into TOML: write at most {}", self.seed, i64::MAX)));
        }
        let document = &self.document;
        if document.restore_name == document.name {
            return Some(("restore_name", "the document that restores needs a name of its own: write another".into()));
        }
        for (key, content) in [("content", &document.content), ("restore_content", &document.restore_content)] {
            if let Some(content) = content
                && let Err(reason) = Runbook::parse(content, Format::guess(content))
            {
                return Some((key, format!("the document's {key} cannot run: {reason}")));
            }
        }
        None
    }

    fn misbehaviour_fault(&self) -> Option<Fault> {
        if let Some((name, _)) =
            self.rates.operation.iter().find(|(_, rate)| !(rate.per_second >= 0.0 && rate.burst >= 1.0))
        {
            return Some((
                "operation",
                format!("the rate of {name} lets nothing through: write per_second >= 0 and burst >= 1"),
            ));
        }
        let wrong = self.fault.iter().find_map(crate::faults::Fault::wrong)?;
        Some(("fault", wrong))
    }

    fn described_fault(&self) -> Option<Fault> {
        let mut names = BTreeSet::new();
        for account in &self.account {
            if let Some(id) = &account.id
                && (id.len() != 12 || !id.bytes().all(|b| b.is_ascii_digit()))
            {
                return Some(("id", format!("\"{id}\" is not an account id: write twelve digits, in quotes")));
            }
            if !["ACTIVE", "SUSPENDED", "PENDING_CLOSURE", "PENDING_ACTIVATION", "CLOSED"]
                .contains(&account.state.as_str())
            {
                return Some((
                    "state",
                    format!(
                        "state \"{}\" is not known: write ACTIVE, SUSPENDED, PENDING_CLOSURE, PENDING_ACTIVATION or CLOSED",
                        account.state
                    ),
                ));
            }
            for bucket in account.buckets.iter().flatten() {
                if !names.insert(&bucket.name) {
                    return Some((
                        "name",
                        format!("two buckets are named \"{}\": bucket names are global, write another", bucket.name),
                    ));
                }
                if let Some(message) = self.legacy_name_fault(&bucket.name, bucket.region.as_ref()) {
                    return Some(("name", message));
                }
                if let Some(region) = &bucket.region
                    && !self.regions.contains(region)
                {
                    return Some((
                        "region",
                        format!(
                            "bucket \"{}\" is in {region}, which is not among regions: write one of {}",
                            bucket.name,
                            self.regions.join(", ")
                        ),
                    ));
                }
            }
        }
        None
    }
    /// Until March 2018 us-east-1 alone took names that are no DNS labels: 255 characters of letters in both cases, digits,
    /// `.`, `_` and `-`. Such buckets are still there.
    fn legacy_name_fault(&self, name: &str, region: Option<&String>) -> Option<String> {
        let legacy = name.len() > 63 || name.contains(|c: char| c.is_ascii_uppercase() || c == '_');
        if !legacy {
            return None;
        }
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if name.len() > 255 || !name.bytes().all(legal) {
            return Some(format!(
                "\"{name}\" never was a bucket's name: write at most 255 letters, digits, '.', '_' and '-'"
            ));
        }
        let region = region.or(self.regions.first()).map_or("", String::as_str);
        (region != "us-east-1").then(|| {
            format!("bucket \"{name}\" is in {region}: only us-east-1 took such names, and only before March 2018")
        })
    }
}

pub(super) fn is_region(name: &str) -> bool {
    let parts: Vec<&str> = name.split('-').collect();
    parts.len() >= 3
        && parts.iter().all(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()))
        && parts.last().is_some_and(|p| p.bytes().all(|b| b.is_ascii_digit()))
}

fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes()[..offset.min(text.len())].iter().filter(|b| **b == b'\n').count() + 1
}

fn line_of_key(text: &str, key: &str) -> Option<usize> {
    text.lines()
        .position(|line| {
            let line = line.trim_start().trim_start_matches('[');
            line.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with(['=', ']']))
                || line.contains(&format!("{key} ="))
        })
        .map(|index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_spec_is_the_default_and_survives_a_round_trip() {
        let spec = Spec::from_toml("", "x.toml").unwrap();
        assert_eq!(spec, Spec::default());
        let again = Spec::from_toml(&toml::to_string(&spec).unwrap(), "x.toml").unwrap();
        assert_eq!(again, spec);
    }

    #[test]
    fn a_kept_spec_does_not_name_what_came_later_and_is_not_used() {
        let kept = toml::to_string(&Spec::default()).unwrap();
        assert!(!kept.contains("restore") && !kept.contains("config_remediation"), "{kept}");
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_the_known_ones() {
        let error = Spec::from_toml("seed = 1\n\n[latency]\ns3 = 4\n", "my.toml").unwrap_err().to_string();
        assert!(error.starts_with("my.toml:4: "), "{error}");
        assert!(error.contains("`s3`") && error.contains("`s3_ms`"), "{error}");
    }

    #[test]
    fn an_impossible_value_is_named_with_its_line_and_what_to_write() {
        let error = Spec::from_toml("seed = 1\naccounts = 3\nsuspended = 5\nwithout_member_role = 2\n", "my.toml")
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("my.toml:2: ") && error.contains("write at least 9, or lower"), "{error}");
        let error = Spec::from_toml("buckets_per_account = \"many\"\n", "my.toml").unwrap_err().to_string();
        assert!(error.starts_with("my.toml:1: ") && error.contains("{ min = 10, max = 30 }"), "{error}");
        let error = Spec::from_toml("regions = [\"Ireland\"]\n", "my.toml").unwrap_err().to_string();
        assert!(error.starts_with("my.toml:1: ") && error.contains("eu-west-1"), "{error}");
    }

    #[test]
    fn a_small_organization_has_nobody_out_of_reach_unless_it_says_so() {
        let out_of_reach = |text: &str| {
            let spec = Spec::from_toml(text, "x").unwrap();
            (spec.suspended, spec.without_member_role)
        };
        assert_eq!(out_of_reach("accounts = 2"), (0, 0));
        assert_eq!(out_of_reach("accounts = 7"), (0, 0));
        assert_eq!(out_of_reach("accounts = 8"), (1, 2));
        assert_eq!(out_of_reach("accounts = 4\nsuspended = 1"), (1, 0));
        assert!(Spec::from_toml("accounts = 2\nsuspended = 1", "x").is_err());
    }

    #[test]
    fn the_shipped_specs_are_valid() {
        for (name, text) in [
            ("every-state", include_str!("../../../../config/sandbox/every-state.toml")),
            ("clean", include_str!("../../../../config/sandbox/clean.toml")),
            ("fresh", include_str!("../../../../config/sandbox/fresh.toml")),
            ("empty", include_str!("../../../../config/sandbox/empty.toml")),
            ("guards", include_str!("../../../../config/sandbox/guards.toml")),
            ("one-of-each-guard", include_str!("../../../../config/sandbox/one-of-each-guard.toml")),
            ("large", include_str!("../../../../config/sandbox/large.toml")),
            ("misbehaving", include_str!("../../../../config/sandbox/misbehaving.toml")),
        ] {
            let spec = Spec::from_toml(text, name).unwrap();
            // As the directory of a sandbox keeps it.
            assert_eq!(Spec::from_toml(&toml::to_string(&spec).unwrap(), name).unwrap(), spec);
        }
    }
}
