//! The campaign file: one small type per concern, read and checked whole before anything runs.
//!
//! A setting's type, default, check and tests live in the file of its concern; [`load`] reads the text, lays overrides
//! over it and asks each concern for its problems.

mod accounts;
mod audit;
mod automation_role;
mod bootstrap;
mod buckets;
mod central_key;
mod central_key_override;
mod cloudtrail;
mod day;
mod document;
mod empty;
mod encryption;
mod example;
mod executions;
mod exemptions;
mod failure_tolerance;
mod forecast;
mod guard_override;
mod guards;
mod keys;
mod limits;
mod load;
mod member_role;
mod organization;
mod partition;
mod plan;
mod problem;
mod regions;
mod rollback;
mod secrets;
mod span;
mod target;
mod unknown;
mod waves;

use std::collections::HashSet;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use accounts::{AccountFilter, AccountSelection};
pub use audit::AuditSettings;
pub use automation_role::AutomationRole;
pub use bootstrap::BootstrapChoice;
pub use buckets::BucketFilter;
pub use central_key::CentralKey;
pub use central_key_override::CentralKeyOverride;
pub use cloudtrail::CloudTrailChoice;
pub use document::{DocumentChoice, SHARING_QUOTA};
pub use encryption::{All, BlockedTypesChoice, EncryptionChoice, KeptKeys, WantedAlgorithm};
pub use executions::Executions;
pub use exemptions::{Exemption, Exemptions};
pub use failure_tolerance::{FailureTolerance, ToleranceMode, Tolerated};
pub use forecast::{Assumptions, RateOverride, RequestMilliseconds, RequestsPaidBy};
pub use guard_override::GuardOverride;
pub use guards::Guards;
pub use keys::KeysChoice;
pub use limits::{LimitOverride, Limits};
pub use load::{ConfigError, Loaded, MOST_PROBLEMS, Override, load};
pub use member_role::{MemberRole, OwnAccount, SessionPolicy};
pub use organization::OrganizationAccess;
pub use plan::PlanChoice;
pub use problem::Problem;
pub use regions::nearest_region;
pub use rollback::{ConfigRemediation, RollbackChoice, UnusableKeys};
pub use span::Span;
pub use target::differences;
pub use unknown::near;
pub use waves::{Wave, WaveLimits};

use crate::judge::Wanted;
use crate::model::{Account, KeyArn, KeyMap};

/// The campaign file, complete.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "orgseal campaign file")]
pub struct CampaignFile {
    /// How Organizations is reached, and which organization it must be.
    #[serde(default)]
    pub organization: OrganizationAccess,
    /// Which accounts the campaign is about. Without it: all.
    #[serde(default)]
    pub accounts: AccountFilter,
    /// Which buckets the campaign is about. Without it: all.
    #[serde(default)]
    pub buckets: BucketFilter,
    /// The file of exemptions, relative to the campaign file's directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exemptions: Option<String>,
    /// Regions that must have a central key. A bucket in a Region without one is held as `no_key_for_region`.
    #[serde(default)]
    pub regions: Vec<String>,
    /// The role assumed in each member account.
    pub member_role: MemberRole,
    /// The organization's central KMS key, per Region.
    pub central_key: CentralKey,
    /// Other keys for some accounts, so that not every bucket hangs on one key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub central_key_overrides: Vec<CentralKeyOverride>,
    /// What has to be known of the central key before a bucket is pointed at it.
    #[serde(default)]
    pub keys: KeysChoice,
    /// What counts as compliant, and what may be replaced.
    #[serde(default)]
    pub encryption: EncryptionChoice,
    /// The Automation document that changes a bucket.
    pub document: DocumentChoice,
    /// The role under which the document runs in the member account.
    pub automation_role: AutomationRole,
    /// How much may go on at once.
    #[serde(default)]
    pub limits: Limits,
    /// How executions are followed.
    #[serde(default)]
    pub executions: Executions,
    /// How much may fail before a campaign stops by itself.
    #[serde(default)]
    pub failure_tolerance: FailureTolerance,
    /// What becomes of a bucket whose change would break something.
    #[serde(default)]
    pub guards: Guards,
    /// How a campaign is undone.
    #[serde(default)]
    pub rollback: RollbackChoice,
    /// How long an approved plan holds.
    #[serde(default)]
    pub plan: PlanChoice,
    /// How CloudTrail is asked while a wave is watched.
    #[serde(default, skip_serializing_if = "CloudTrailChoice::is_default")]
    pub cloudtrail: CloudTrailChoice,
    /// What is changed first, and what must hold before the rest is. Without it: everything at once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waves: Vec<Wave>,
    /// What a plan's forecast assumes.
    #[serde(default)]
    pub forecast: Assumptions,
    /// What an audit reads beside the buckets that the campaign is about.
    #[serde(default, skip_serializing_if = "AuditSettings::is_default")]
    pub audit: AuditSettings,
    /// What the groundwork is made of: keys, roles, documents, guardrails.
    #[serde(default, skip_serializing_if = "BootstrapChoice::is_default")]
    pub bootstrap: BootstrapChoice,
}

impl CampaignFile {
    /// The central key of each Region, where no override says otherwise.
    #[must_use]
    pub fn keys(&self) -> KeyMap {
        self.central_key.resolve(&self.regions)
    }

    /// The central key of each Region for the buckets of an account.
    #[must_use]
    pub fn keys_of(&self, account: &Account) -> KeyMap {
        let overrides = self.central_key_overrides.iter().filter(|over| over.names(account));
        overrides.fold(self.keys(), |keys, over| keys.overlaid(&over.keys()))
    }

    /// Every key of the campaign, each once.
    #[must_use]
    pub fn all_keys(&self) -> Vec<KeyArn> {
        let own = self.keys();
        let mut keys: Vec<KeyArn> = own.iter().map(|(_, key)| key.clone()).collect();
        let mut known: HashSet<KeyArn> = keys.iter().cloned().collect();
        for over in &self.central_key_overrides {
            keys.extend(over.keys().iter().filter(|(_, key)| known.insert((*key).clone())).map(|(_, key)| key.clone()));
        }
        keys
    }

    /// What a bucket of a Region is to have; `None` where the campaign has no key.
    #[must_use]
    pub fn wanted(&self, keys: &KeyMap, region: &str) -> Option<Wanted> {
        Some(Wanted {
            algorithm: self.encryption.algorithm.into(),
            key: keys.get(region)?.clone(),
            bucket_key: self.encryption.bucket_key,
        })
    }

    /// The waves in their order: everything at once where none is named.
    #[must_use]
    pub fn waves(&self) -> Vec<Wave> {
        if self.waves.is_empty() { vec![Wave::everything()] } else { self.waves.clone() }
    }

    /// How long a wave waits for CloudTrail after its bake: not at all where it is not watched for denied uses of the key.
    #[must_use]
    pub fn settle_of(&self, wave: &Wave) -> Duration {
        if wave.bake().is_zero() || !wave.looks_for_denials() {
            return Duration::ZERO;
        }
        wave.settle.as_ref().and_then(Span::duration).unwrap_or_else(|| self.cloudtrail.settle())
    }

    /// Shortens each settling time: a simulated organization is so many times faster than AWS, and without any delay at 0.
    pub fn settle_faster(&mut self, speed: f64) {
        let faster = |settle: Duration| match speed > 0.0 && speed.is_finite() {
            true => Span::Seconds((settle.as_secs_f64() / speed).ceil() as u64),
            false => Span::Seconds(0),
        };
        for wave in &mut self.waves {
            wave.settle = wave.settle.as_ref().and_then(Span::duration).map(faster);
        }
        self.cloudtrail.settle = faster(self.cloudtrail.settle());
    }

    /// What is allowed and hardly meant.
    #[must_use]
    pub fn warnings(&self) -> Vec<Problem> {
        let mut found = waves::warnings(self);
        found.extend(self.key_warnings());
        found
    }

    /// Those that also every run tells: Regions that may be misspelt, and keys that do not exist yet.
    #[must_use]
    pub fn key_warnings(&self) -> Vec<Problem> {
        let mut found = regions::warnings(self);
        found.extend(example::new_keys(self));
        found
    }

    /// Whether the OUs above an account decide anything, and whether its tags do.
    #[must_use]
    pub fn needs_of_accounts(&self) -> (bool, bool) {
        let AccountFilter { include, exclude } = &self.accounts;
        let ous = self.limits.overrides.iter().any(|over| !over.ous.is_empty())
            || self.waves.iter().any(|wave| !wave.ous.is_empty())
            || self.central_key_overrides.iter().any(|over| !over.ous.is_empty())
            || !include.ous.is_empty()
            || !exclude.ous.is_empty();
        let tags = !include.tags.is_empty()
            || !exclude.tags.is_empty()
            || self.central_key_overrides.iter().any(|over| !over.tags.is_empty());
        (ous, tags)
    }

    /// Everything that is wrong with the values, each concern asked in turn.
    fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        self.organization.check(&mut found);
        self.accounts.check(&mut found);
        self.member_role.check(&mut found);
        self.central_key.check(&self.regions, &mut found);
        let owner = self.keys().iter().next().map(|(_, key)| key.account.clone());
        for (index, over) in self.central_key_overrides.iter().enumerate() {
            over.check(index, owner.as_deref(), &mut found);
        }
        self.encryption.check(&mut found);
        self.document.check(&mut found);
        self.automation_role.check(&mut found);
        self.limits.check(&mut found);
        self.executions.check(&mut found);
        self.failure_tolerance.check(&mut found);
        waves::check(&self.waves, &self.limits, &mut found);
        self.guards.check(&mut found);
        self.forecast.check(&mut found);
        self.plan.check(&mut found);
        self.cloudtrail.check(&mut found);
        self.bootstrap.check(&mut found);
        partition::check(self, &mut found);
        found
    }

    /// The settings and tables at the top of the file.
    #[must_use]
    pub fn top_level_settings() -> Vec<String> {
        let schema = CampaignFile::schema();
        let properties = schema.as_value()["properties"].as_object();
        properties.into_iter().flatten().map(|(name, _)| name.clone()).collect()
    }

    /// The JSON Schema of the campaign file (draft 2020-12), for editors.
    #[must_use]
    pub fn schema() -> schemars::Schema {
        schemars::schema_for!(CampaignFile)
    }
}

/// Twelve digits.
fn is_account_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// An ARN in which `*` may stand, but for its account and kind: a pattern that leaves those out means far more than anyone means.
fn is_principal_pattern(text: &str) -> bool {
    text.starts_with("arn:") && text.split(':').count() >= 6 && is_renderable(text)
}

/// Whether a value means the same inside a template: CloudFormation's Fn::Sub and Terraform replace `${…}` and `%{…}`, and a line
/// break or a quote ends the line or the text that it stands in.
fn is_renderable(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"'\\`".contains(&byte))
        && !text.contains("${")
        && !text.contains("%{")
}

/// Letters of an IAM name: `[\w+=,.@-]`, at most 64.
/// A name that begins with `-` would be an option of every command that it is printed in.
fn is_iam_name(text: &str) -> bool {
    !text.starts_with('-')
        && (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b))
}

/// An IAM path: begins and ends with `/`.
fn is_iam_path(text: &str) -> bool {
    text.len() <= 512 && text.starts_with('/') && text.ends_with('/') && is_renderable(text)
}

/// The name and path of a role, under the table `table`.
fn check_role(table: &str, name: &str, path: &str, found: &mut Vec<Problem>) {
    if !is_iam_name(name) {
        found.push(Problem::new(
            format!("{table}.name"),
            format!("`{name}` is not a role's name"),
            "write the name alone, without path or ARN: 1 to 64 letters, digits and +=,.@_-, and no - at its beginning",
        ));
    }
    if !is_iam_path(path) {
        found.push(Problem::new(
            format!("{table}.path"),
            format!("`{path}` is not an IAM path"),
            "begin and end it with a slash, such as /security/, without spaces, quotes and ${…}",
        ));
    }
}

/// Looks like a Region: `us-east-1`, `us-gov-west-1`, `ap-southeast-2`.
fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    parts.len() >= 3
        && parts[0].len() >= 2
        && parts[..parts.len() - 1].iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase()))
        && parts[parts.len() - 1].parse::<u8>().is_ok()
}

fn slash() -> String {
    "/".to_owned()
}
