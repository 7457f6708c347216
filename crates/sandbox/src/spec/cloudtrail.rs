//! CloudTrail: how long an event takes to show, and what else happens in an account.

use serde::{Deserialize, Serialize};

use super::check::Fault;
use super::{AccountChoice, All, Spec};
use crate::generate;

/// How LookupEvents behaves.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CloudTrailSpec {
    /// The shortest time after which an event shows, in seconds at speed 1. AWS: minutes.
    pub delay_min_seconds: f64,
    /// The longest.
    pub delay_max_seconds: f64,
    /// KMS events of others, in each of some accounts and in each Region.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub background: Vec<BackgroundSpec>,
}

/// KMS events that are there at all times, also before the sandbox was started. They are made when somebody asks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BackgroundSpec {
    /// Where: `"all"`, or names and ids of accounts.
    pub accounts: AccountChoice,
    /// Calls of `kms:Decrypt` that succeed, in a second, whatever the sandbox's speed.
    pub kms_events_per_second: f64,
    /// Calls of `kms:Decrypt` over S3 that are denied. Their records name no key, as those of AWS often do.
    pub kms_denials_per_second: f64,
    /// The role that is denied.
    pub denied_role: String,
}

impl Default for BackgroundSpec {
    fn default() -> Self {
        BackgroundSpec {
            accounts: AccountChoice::All(All::All),
            kms_events_per_second: 0.0,
            kms_denials_per_second: 0.0,
            denied_role: "legacy-reader".into(),
        }
    }
}

/// Nobody can look at more than that, and times are kept in milliseconds.
const MOST_PER_SECOND: f64 = 1000.0;
/// CloudTrail keeps events for 90 days; nothing arrives later than a day.
const LONGEST_DELAY: f64 = 86_400.0;

impl Spec {
    pub(super) fn cloudtrail_fault(&self) -> Option<Fault> {
        let CloudTrailSpec { delay_min_seconds: min, delay_max_seconds: max, background } = &self.cloudtrail;
        if !(0.0..=LONGEST_DELAY).contains(min) || !(*min..=LONGEST_DELAY).contains(max) {
            let message = "events show after delay_min_seconds to delay_max_seconds: write delay_min_seconds no greater than \
                           delay_max_seconds, both 0 to 86400";
            return Some(("delay_min_seconds", message.into()));
        }
        for spec in background {
            for (key, rate) in [
                ("kms_events_per_second", spec.kms_events_per_second),
                ("kms_denials_per_second", spec.kms_denials_per_second),
            ] {
                if !(0.0..=MOST_PER_SECOND).contains(&rate) {
                    return Some((key, format!("{key} = {rate} is not possible: write a number from 0 to 1000")));
                }
            }
        }
        if background.iter().all(|spec| spec.accounts.named().is_empty()) {
            return None;
        }
        let organization = generate::organization(self);
        let there =
            |name: &&String| organization.accounts.iter().any(|account| account.id == **name || account.name == **name);
        let missing = background.iter().flat_map(|spec| spec.accounts.named()).find(|name| !there(name))?;
        let message = format!(
            "the background of CloudTrail is for \"{missing}\", which is not there: write \"all\", or names or ids of accounts"
        );
        Some(("background", message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_said_with_what_to_write() {
        let error = |text: &str| Spec::from_toml(text, "my.toml").unwrap_err().to_string();
        assert!(error("[cloudtrail]\ndelay_min_seconds = 5").contains("no greater than"));
        let background = |text: &str| error(&format!("[[cloudtrail.background]]\n{text}"));
        assert!(background("kms_events_per_second = -1").contains("from 0 to 1000"));
        assert!(background("accounts = [\"moon\"]").contains("which is not there"));
        let spec = Spec::from_toml("[[cloudtrail.background]]\nkms_events_per_second = 30", "x").unwrap();
        assert_eq!(Spec::from_toml(&toml::to_string(&spec).unwrap(), "x").unwrap(), spec);
    }
}
