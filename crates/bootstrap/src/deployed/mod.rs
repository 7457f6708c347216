//! The groundwork as it stands in AWS: compared with what the campaign file makes, put there, taken away.
//!
//! One account after the other is entered, `limits.accounts` at once. [`look`] finds what differs, [`put`] puts right what was
//! found, [`take`] takes away what bears our tag. A new piece has its look and its put, and a [`Kind`].

mod finding;
mod guardrails;
mod keys;
mod look;
mod put;
mod remediation;
mod settle;
mod take;
mod tree;

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::stream::{self, StreamExt};
use orgseal_core::aws::{Aws, CallLimits, Member, Organization, Purpose};
use orgseal_core::campaign::{self, CampaignError, ReadWatch, Setting, no_progress, task_lost};
use orgseal_core::config::{MemberRole, OwnAccount, SessionPolicy};
use orgseal_core::event::{Event, Events};
use orgseal_core::model::{Account, AwsError};
use orgseal_core::plan::Selection;
use tokio_util::sync::CancellationToken;

use crate::documents::DocumentError;
use crate::groundwork::{Groundwork, GroundworkError};
use crate::pieces::DocumentWanted;

pub use finding::{AccountFound, Compared, Counts, Finding, Kind, PATH_IS_FIXED, State};
pub use guardrails::{Guardrail, KEEP_SEAL, Unsealers};
pub use keys::{KeyMade, KeyStep};
pub use put::{Done, Outcome, is_put};
pub use remediation::{Excepted, RULE as REMEDIATION_RULE, RemediationDone, Tries};
pub use take::Taken;

/// Calls of an account under way to a service: the groundwork is in no hurry.
const CALLS: usize = 6;

/// Why there is nothing to compare with.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    /// The campaign file makes no groundwork.
    #[error(transparent)]
    Groundwork(#[from] GroundworkError),
    /// A shipped template cannot be read.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// The organization cannot be read, or is another one.
    #[error(transparent)]
    Campaign(#[from] CampaignError),
}

/// An organization to look at or to put the groundwork into.
#[derive(Clone)]
pub struct Site {
    aws: Aws,
    groundwork: Groundwork,
    organization: Organization,
    accounts: Vec<Account>,
    /// The management account was left out: no one named it.
    without_management: bool,
    /// All of the organization's.
    all: Arc<[Account]>,
    /// The command line narrowed it to some accounts.
    narrowed: bool,
    /// The Regions with a central key, of those that the command line leaves in.
    regions: Vec<String>,
    documents: Arc<[DocumentWanted; 2]>,
    through: Option<String>,
    session_name: String,
    /// The campaign file's name.
    campaign_file: String,
    events: Events,
    stop: CancellationToken,
    /// Of the account that a task works on.
    watch: ReadWatch,
    /// A task was lost.
    lost: Arc<AtomicBool>,
}

impl Site {
    /// Reads the organization's accounts, those of the campaign and of the command line. `through` is the role by which accounts
    /// are entered, in place of the campaign's member role, with its path if it has one.
    pub async fn open(setting: Setting, through: Option<String>) -> Result<Site, SiteError> {
        let listed = campaign::listed(&setting).await?;
        // A file that names no organization is for whichever it is used in.
        let mut file = setting.loaded.campaign.clone();
        file.organization.id.get_or_insert_with(|| listed.organization.id.clone());
        let groundwork = Groundwork::new(&file)?;
        let named = &groundwork.file.bootstrap.management_account;
        let management = listed.organization.management_account.clone();
        let mut accounts = listed.accounts;
        let before = accounts.len();
        accounts.retain(|account| account.id != management || named.as_ref() == Some(&account.id));
        let Setting { aws, loaded, events, stop, narrowed, .. } = setting;
        let selection = Selection::new(&loaded.campaign, &loaded.exemptions, narrowed.clone());
        let regions: Vec<String> =
            groundwork.regions().into_iter().filter(|region| selection.takes_region(region)).collect();
        if regions.is_empty() {
            return Err(CampaignError::NothingSelected("Region with a central key").into());
        }
        Ok(Site {
            all: listed.all.into(),
            narrowed: !narrowed.accounts.is_empty() || !narrowed.ous.is_empty(),
            regions,
            documents: Arc::new(groundwork.documents()?),
            without_management: accounts.len() < before,
            session_name: campaign::session_name("bootstrap"),
            campaign_file: loaded.origin,
            aws,
            groundwork,
            organization: listed.organization,
            accounts,
            through,
            events,
            stop,
            watch: ReadWatch::default(),
            lost: Arc::default(),
        })
    }

    /// The same with a campaign file that names other keys: those that were made.
    pub fn with_keys(self, setting: &Setting) -> Result<Site, SiteError> {
        let mut file = setting.loaded.campaign.clone();
        file.organization.id.get_or_insert_with(|| self.organization.id.clone());
        Ok(Site { groundwork: Groundwork::new(&file)?, ..self })
    }

    /// The accounts in scope.
    #[must_use]
    pub fn accounts(&self) -> &[Account] {
        &self.accounts
    }

    /// Whether the management account is left out because `bootstrap.management_account` does not name it.
    #[must_use]
    pub fn leaves_out_management(&self) -> bool {
        self.without_management
    }

    /// The role by which accounts are entered.
    #[must_use]
    pub fn through(&self) -> &str {
        self.through.as_deref().unwrap_or(&self.groundwork.file.member_role.name)
    }

    /// Active accounts of the organization that the campaign leaves out. No StackSet and no pack reaches the management account.
    fn left_out(&self) -> Vec<String> {
        let in_scope = |id: &String| self.accounts.iter().any(|account| account.id == *id);
        let active = self.all.iter().filter(|account| account.is_active()).map(|account| &account.id);
        active.filter(|id| !in_scope(id) && **id != self.organization.management_account).cloned().collect()
    }

    /// Why nothing that names the keys, of one Region or of all, can be put: one of them is yet to be made.
    fn without_keys(&self, region: Option<&str>) -> Option<AwsError> {
        let mut keys = self.groundwork.keys.iter().filter(|key| region.is_none_or(|region| key.region == region));
        let key = keys.find(|key| key.is_placeholder())?;
        Some(AwsError {
            code: "NotMade".to_owned(),
            message: format!("{key} does not exist yet, and this refers to it"),
            hint: "deploy without --account and --ou first: this creates the keys".to_owned(),
        })
    }

    /// Whether the command line narrowed it to some accounts.
    #[must_use]
    pub fn is_narrowed(&self) -> bool {
        self.narrowed
    }

    /// The management account.
    #[must_use]
    pub fn management_account(&self) -> &str {
        &self.organization.management_account
    }

    /// Enters an account as one of many, to look or to change.
    async fn enter(&self, account: &str, purpose: Purpose) -> Result<Member, AwsError> {
        let role = self.role();
        let session_policy = match (purpose, &self.through) {
            // An administrator's role is not to be more than a look needs.
            (Purpose::Compare, Some(_)) => SessionPolicy::Narrow,
            (Purpose::Compare, None) => role.session_policy,
            // What is made is for the role's own policies to allow.
            _ => SessionPolicy::None,
        };
        let role = MemberRole { session_policy, ..role };
        let session = self.aws.enter(account, &role, purpose, &self.session_name).await?;
        self.watch.follow(session.progress());
        Ok(self.aws.member(&session, CallLimits { s3: CALLS, ssm: CALLS }))
    }

    /// Enters an account to change it: the security account as whoever looks after it.
    async fn enter_to_change(&self, account: &str) -> Result<Member, AwsError> {
        match account == self.groundwork.security {
            true => self.owner().await,
            false => self.enter(account, Purpose::Groundwork).await,
        }
    }

    /// Enters the security account as whoever looks after it: with the caller's own credentials where it is the caller's own.
    async fn owner(&self) -> Result<Member, AwsError> {
        let role = MemberRole { own_account: OwnAccount::Caller, session_policy: SessionPolicy::None, ..self.role() };
        let session = self.aws.enter(&self.groundwork.security, &role, Purpose::Groundwork, &self.session_name).await?;
        self.watch.follow(session.progress());
        Ok(self.aws.member(&session, CallLimits { s3: CALLS, ssm: CALLS }))
    }

    fn role(&self) -> MemberRole {
        let own = &self.groundwork.file.member_role;
        let Some(through) = &self.through else { return own.clone() };
        let (path, name) = match through.trim_matches('/').rsplit_once('/') {
            Some((path, name)) => (format!("/{path}/"), name),
            None => ("/".to_owned(), through.as_str()),
        };
        MemberRole {
            name: name.to_owned(),
            path,
            external_id: None,
            session_duration: 3600,
            session_policy: SessionPolicy::None,
            own_account: OwnAccount::Caller,
        }
    }

    /// Works on accounts, so many at once. Those that were not begun when the run was told to stop are left out. `unknown` is said of
    /// an account that gives no answer for as long as `limits.account_read_deadline`, or whose task was lost.
    async fn each<T, W>(
        &self,
        accounts: Vec<Account>,
        work: impl Fn(Site, Account) -> W,
        unknown: impl Fn(&Account, AwsError) -> T,
    ) -> Vec<T>
    where
        T: Send + 'static,
        W: Future<Output = T> + Send + 'static,
    {
        let limits = &self.groundwork.file.limits;
        let (at_once, limit) = (limits.accounts, limits.account_read_deadline());
        let mut under_way = pin!(
            stream::iter(accounts)
                .take_until(self.stop.clone().cancelled_owned())
                .map(|account| {
                    let watch = ReadWatch::default();
                    let site = Site { watch: watch.clone(), ..self.clone() };
                    let task = tokio::spawn(work(site, account.clone()));
                    let abort = task.abort_handle();
                    async move {
                        let done = watch.within(limit, task).await;
                        // Nobody waits for it any more: it must not go on changing the account.
                        abort.abort();
                        (account, done)
                    }
                })
                .buffer_unordered(at_once)
        );
        let mut done = Vec::new();
        while let Some((account, outcome)) = under_way.next().await {
            let error = match outcome {
                Some(Ok(outcome)) => {
                    done.push(outcome);
                    continue;
                }
                Some(Err(error)) => {
                    self.lost.store(true, Ordering::Relaxed);
                    let task = format!("the task that worked on account {}", account.id);
                    let error = task_lost(&task, &error.to_string());
                    self.events.emit(&Event::Warning { message: error.to_string() });
                    error
                }
                None => no_progress(&account.id, limit),
            };
            self.events.emit(&Event::AccountUnread { account: account.clone(), error: error.clone() });
            done.push(unknown(&account, error));
        }
        done
    }

    /// Whether a task of orgseal ended by itself: not everything was done or found out, whatever the rest says.
    #[must_use]
    pub fn has_lost_a_task(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    fn began(&self) {
        self.events.emit(&Event::RunStarted {
            run: self.session_name.clone(),
            kind: "bootstrap",
            organization: self.organization.id.clone(),
            campaign_file: self.campaign_file.clone(),
        });
        if let Some(message) = orgseal_core::clock::warning_once() {
            self.events.emit(&Event::Warning { message });
        }
        self.events.emit(&Event::AccountsFound { accounts: self.accounts.len() });
    }

    fn ended(&self) {
        let state = if self.stop.is_cancelled() { "interrupted" } else { "finished" };
        self.events.emit(&Event::RunFinished { state });
    }
}
