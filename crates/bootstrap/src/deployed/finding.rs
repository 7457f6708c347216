//! What a look found.

use orgseal_core::model::AwsError;
use serde::Serialize;

/// How the line ends that says of a role that its path differs: IAM has no call that changes one.
pub const PATH_IS_FIXED: &str = "a path cannot be changed";

/// What kind of piece it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The account as a whole: that it can be entered.
    Account,
    /// A central key, with its state.
    Key,
    /// A central key's policy.
    KeyPolicy,
    /// A central key's alias.
    KeyAlias,
    /// A central key's yearly rotation.
    KeyRotation,
    /// A managed policy.
    Policy,
    /// A role: its trust, its policies, its boundary.
    Role,
    /// An Automation document.
    Document,
    /// AWS Config's aggregator of the organization.
    Aggregator,
    /// The rule of AWS Config that finds buckets under another key.
    Rule,
    /// A service or resource control policy of the organization.
    Guardrail,
}

impl Kind {
    /// For people.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Kind::Account => "account",
            Kind::Key => "key",
            Kind::KeyPolicy => "key policy",
            Kind::KeyAlias => "key alias",
            Kind::KeyRotation => "key rotation",
            Kind::Policy => "policy",
            Kind::Role => "role",
            Kind::Document => "document",
            Kind::Aggregator => "aggregator",
            Kind::Rule => "rule",
            Kind::Guardrail => "guardrail",
        }
    }
}

/// How a piece stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is not there.
    Missing,
    /// It is there, and says something else.
    Differs,
    /// It could not be looked at.
    Unread,
}

/// A piece that is not as the campaign file makes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// Where it is of a Region.
    pub region: Option<String>,
    /// How it stands.
    pub state: State,
    /// In what it differs, or why it was not read. No secret is in it.
    pub says: Vec<String>,
    /// The service's error, where it was not read.
    pub error: Option<AwsError>,
}

impl Finding {
    pub(crate) fn new(kind: Kind, name: impl Into<String>, region: Option<&str>, state: State) -> Finding {
        let region = region.map(str::to_owned);
        Finding { kind, name: name.into(), region, state, says: Vec::new(), error: None }
    }

    pub(crate) fn missing(kind: Kind, name: impl Into<String>, region: Option<&str>) -> Finding {
        Finding::new(kind, name, region, State::Missing)
    }

    /// `None` where nothing differs.
    pub(crate) fn differing(
        kind: Kind,
        name: impl Into<String>,
        region: Option<&str>,
        says: Vec<String>,
    ) -> Option<Finding> {
        (!says.is_empty()).then(|| Finding { says, ..Finding::new(kind, name, region, State::Differs) })
    }

    pub(crate) fn unread(kind: Kind, name: impl Into<String>, region: Option<&str>, error: &AwsError) -> Finding {
        let says = vec![error.to_string()];
        Finding { says, error: Some(error.clone()), ..Finding::new(kind, name, region, State::Unread) }
    }
}

/// What was found in one account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AccountFound {
    /// Twelve digits.
    pub id: String,
    /// The name given in Organizations.
    pub name: String,
    /// The state given by Organizations, where it is not ACTIVE: nobody can enter such an account, and nothing is looked at.
    pub skipped: Option<String>,
    /// Pieces that are as they are to be.
    pub same: usize,
    /// Those that are not.
    pub findings: Vec<Finding>,
}

/// What was found in an organization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// `o-…`
    pub organization: String,
    /// It was told to stop: not every account is in it.
    pub interrupted: bool,
    /// By account id.
    pub accounts: Vec<AccountFound>,
    /// The organization's guardrails, of those that are there.
    pub guardrails: Vec<Finding>,
    /// Those that are as they are to be.
    pub guardrails_same: usize,
}

/// How many pieces there are of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Accounts that were looked at.
    pub accounts: usize,
    /// Accounts that are not ACTIVE.
    pub skipped: usize,
    /// As the campaign file makes them.
    pub same: usize,
    /// Not there.
    pub missing: usize,
    /// Something else.
    pub differing: usize,
    /// Not readable.
    pub unread: usize,
}

impl Compared {
    /// The counts.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = Counts { same: self.guardrails_same, ..Counts::default() };
        for account in &self.accounts {
            counts.accounts += 1;
            counts.skipped += usize::from(account.skipped.is_some());
            counts.same += account.same;
        }
        for finding in self.findings().map(|(_, finding)| finding).chain(&self.guardrails) {
            *match finding.state {
                State::Missing => &mut counts.missing,
                State::Differs => &mut counts.differing,
                State::Unread => &mut counts.unread,
            } += 1;
        }
        counts
    }

    /// Every finding with its account.
    pub fn findings(&self) -> impl Iterator<Item = (&AccountFound, &Finding)> {
        self.accounts.iter().flat_map(|account| account.findings.iter().map(move |finding| (account, finding)))
    }

    /// 0 nothing differs; 2 something does; 3 not everything could be read, which outweighs what differs.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        let counts = self.counts();
        match (counts.missing + counts.differing, counts.unread) {
            _ if self.interrupted => 3,
            (0, 0) => 0,
            (_, 0) => 2,
            _ => 3,
        }
    }
}
