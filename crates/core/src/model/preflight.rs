//! What a preflight found: for each account and Region, and for the organization, whether a rollout can work.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, Serializer};

use super::Denier;

/// What was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckKind {
    /// How AWS is reached: credentials, proxy, trusted CA certificates, endpoints.
    Environment,
    /// The organization: can be read, is the one that the campaign file names.
    Organization,
    /// A document that one account shares with more accounts than Systems Manager allows.
    Sharing,
    /// Who is in the waves of the campaign file.
    Waves,
    /// This machine's clock, where it is off.
    Clock,
    /// The commands that waves run while they bake.
    WaveCommand,
    /// The central key of a Region, as the security account sees it.
    CentralKey,
    /// The account's state.
    Account,
    /// The member role: a rollout's session is given.
    Role,
    /// The role under which the document runs.
    AutomationRole,
    /// Whom the member role and the automation role let in besides those for whom they are made.
    Trust,
    /// Service and resource control policies: whether they deny what a rollout does.
    ControlPolicies,
    /// The roles' own policies and permissions boundaries: whether they allow what a rollout does.
    RolePermissions,
    /// Service-linked roles that lose their access to objects, and hold no bucket.
    ServiceLinkedRoles,
    /// A Region that is disabled in the account.
    Region,
    /// The document that seals.
    Document,
    /// The document that a rollback starts.
    RestoreDocument,
    /// Whether the member role can use the central key.
    Key,
    /// Executions in flight, against the quota.
    Quota,
    /// AWS Config remediates by itself.
    Config,
    /// Whether CloudTrail can be asked for denied uses of the key while a wave bakes.
    #[serde(rename = "cloudtrail")]
    CloudTrail,
}

impl CheckKind {
    /// For people.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            CheckKind::Environment => "environment",
            CheckKind::Organization => "organization",
            CheckKind::Sharing => "sharing of the document",
            CheckKind::Waves => "waves",
            CheckKind::Clock => "clock of this machine",
            CheckKind::WaveCommand => "a wave's command",
            CheckKind::CentralKey => "central key",
            CheckKind::Account => "account",
            CheckKind::Role => "member role",
            CheckKind::AutomationRole => "automation role",
            CheckKind::Trust => "trust of the roles",
            CheckKind::ControlPolicies => "control policies",
            CheckKind::RolePermissions => "permissions of the roles",
            CheckKind::ServiceLinkedRoles => "service-linked roles",
            CheckKind::Region => "Region",
            CheckKind::Document => "document",
            CheckKind::RestoreDocument => "restoring document",
            CheckKind::Key => "use of the key",
            CheckKind::Quota => "quota",
            CheckKind::Config => "AWS Config",
            CheckKind::CloudTrail => "CloudTrail",
        }
    }
}

/// How a check came out. In the order in which the worst of several is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// As it must be.
    Ok,
    /// The rollout works, and a person should know this.
    Warning,
    /// The rollout would fail, or hold buckets, for this.
    Failed,
    /// It could not be looked at.
    Unknown,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What.
    pub kind: CheckKind,
    /// How it came out.
    pub standing: Standing,
    /// What was found, in one sentence.
    pub message: String,
    /// What to do; `None` where nothing is to be done.
    pub fix: Option<String>,
    /// The service's error code.
    pub code: Option<String>,
    /// By which kind of policy a call was denied.
    pub denied_by: Option<Denier>,
    /// What was read, by name: `version` and `sha256` of a document, `in_flight` of a quota, `key`. A few each, and there are
    /// many checks: so no map.
    #[serde(serialize_with = "as_map")]
    pub facts: Vec<(&'static str, String)>,
}

/// The checks of one Region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RegionChecks {
    /// The Region.
    pub region: String,
    /// In the order in which they were made.
    pub checks: Vec<Check>,
}

/// The checks of one account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AccountChecks {
    /// Twelve digits.
    pub id: String,
    /// The name given in Organizations.
    pub name: String,
    /// The state given by Organizations.
    pub state: String,
    /// Whether it was entered: where not, its Regions were not looked at.
    pub entered: bool,
    /// It is not ACTIVE, in a state that the campaign file accepts: a rollout skips it.
    pub skipped: bool,
    /// What concerns the account as a whole.
    pub checks: Vec<Check>,
    /// What concerns one Region of it; empty where it was not entered.
    pub regions: Vec<RegionChecks>,
}

/// All that a preflight found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Preflight {
    /// `o-…`; empty where it could not be read.
    pub organization: String,
    /// The ARN of the caller in the security account.
    pub caller: String,
    /// When it began.
    pub started_at: jiff::Timestamp,
    /// When it ended.
    pub finished_at: jiff::Timestamp,
    /// It was told to stop: not every account is in it.
    pub interrupted: bool,
    /// What concerns the whole organization.
    pub checks: Vec<Check>,
    /// The central key of each Region, as the security account sees it.
    pub keys: Vec<RegionChecks>,
    /// By account id.
    pub accounts: Vec<AccountChecks>,
}

/// How many of each there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PreflightCounts {
    /// Accounts in scope.
    pub accounts: usize,
    /// Those that were entered.
    pub entered: usize,
    /// Those that a rollout skips for their state.
    pub skipped: usize,
    /// Pairs of account and Region that were looked at.
    pub places: usize,
    /// Checks that came out well.
    pub ok: usize,
    /// Checks with a warning.
    pub warnings: usize,
    /// Checks for which the rollout would fail or hold.
    pub failed: usize,
    /// Checks that could not be made.
    pub unknown: usize,
}

impl Preflight {
    /// Every check, with the account and the Region that it is about.
    pub fn each_check(&self) -> impl Iterator<Item = (Option<&AccountChecks>, Option<&str>, &Check)> {
        let whole = self.checks.iter().map(|check| (None, None, check));
        let keys = self
            .keys
            .iter()
            .flat_map(|place| place.checks.iter().map(move |check| (None, Some(place.region.as_str()), check)));
        let accounts = self.accounts.iter().flat_map(|account| {
            let own = account.checks.iter().map(move |check| (Some(account), None, check));
            let places = account.regions.iter().flat_map(move |place| {
                place.checks.iter().map(move |check| (Some(account), Some(place.region.as_str()), check))
            });
            own.chain(places)
        });
        whole.chain(keys).chain(accounts)
    }

    /// The kinds of policy that were seen to deny something, with the accounts in which they did.
    #[must_use]
    pub fn denials(&self) -> BTreeMap<Denier, BTreeSet<&str>> {
        let mut denials: BTreeMap<Denier, BTreeSet<&str>> = BTreeMap::new();
        for (account, _, check) in self.each_check() {
            if let (Some(by), Some(account)) = (check.denied_by, account) {
                denials.entry(by).or_default().insert(&account.id);
            }
        }
        denials
    }

    /// The counts.
    #[must_use]
    pub fn counts(&self) -> PreflightCounts {
        let mut counts = PreflightCounts {
            accounts: self.accounts.len(),
            entered: self.accounts.iter().filter(|account| account.entered).count(),
            skipped: self.accounts.iter().filter(|account| account.skipped).count(),
            places: self.accounts.iter().map(|account| account.regions.len()).sum(),
            ..PreflightCounts::default()
        };
        for (_, _, check) in self.each_check() {
            *match check.standing {
                Standing::Ok => &mut counts.ok,
                Standing::Warning => &mut counts.warnings,
                Standing::Failed => &mut counts.failed,
                Standing::Unknown => &mut counts.unknown,
            } += 1;
        }
        counts
    }
}

fn as_map<S: Serializer>(facts: &[(&'static str, String)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(facts.iter().map(|(name, value)| (name, value)))
}

impl Check {
    /// A check without facts.
    #[must_use]
    pub fn new(kind: CheckKind, standing: Standing, message: impl Into<String>) -> Check {
        Check { kind, standing, message: message.into(), fix: None, code: None, denied_by: None, facts: Vec::new() }
    }

    /// The same with what to do.
    #[must_use]
    pub fn fix(mut self, fix: impl Into<String>) -> Check {
        self.fix = Some(fix.into());
        self
    }

    /// The same with something that was read.
    #[must_use]
    pub fn fact(mut self, name: &'static str, value: impl Into<String>) -> Check {
        self.facts.push((name, value.into()));
        self
    }

    /// Something that was read.
    #[must_use]
    pub fn known(&self, name: &str) -> Option<&str> {
        self.facts.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }
}
