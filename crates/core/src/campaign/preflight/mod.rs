//! A preflight: can a rollout work? Everything that it rests on is looked at, in every account and Region; nothing is changed, and
//! nothing is written to the ledger.

mod account;
mod control_policies;
mod document;
mod environment;
mod organization;
mod role_permissions;
mod waves;

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::Arc;

use futures::stream::{self, StreamExt};

use self::control_policies::Controls;
use super::key_proof::KeyProofs;
use super::{CampaignError, SESSION_PREFIX, Setting, discover, new_id_of, task_lost};
use crate::aws::{Aws, Organization};
use crate::clock;
use crate::config::CampaignFile;
use crate::event::{Event, Events};
use crate::judge::{FailureClass, classify, denial};
use crate::model::{Account, AccountChecks, AwsError, Check, CheckKind, Preflight, Standing, now};
use crate::plan::Selection;

/// The bucket that stands for those which are not known yet: in the encryption context of a proof, and in the document's effect.
const ANY_BUCKET: &str = "orgseal-preflight";

/// What the looks at the accounts share.
struct Look {
    aws: Aws,
    file: CampaignFile,
    /// Those of the campaign's Regions that the command line leaves in.
    regions: Vec<String>,
    proofs: KeyProofs,
    /// The organization.
    organization: String,
    /// The accounts of the organization.
    members: BTreeSet<String>,
    /// `None`: they could not be read, which is in the checks.
    controls: Option<Controls>,
    /// The names of the waves that bake and look for denied uses of the key.
    looking: Vec<String>,
    events: Events,
    session_name: String,
}

/// Looks at all that a rollout rests on, `limits.accounts` accounts at once. What stands in a rollout's way is in the result;
/// an error is what keeps the preflight itself from looking.
pub async fn preflight(setting: Setting) -> Result<Preflight, CampaignError> {
    let Setting { aws, loaded, narrowed, events, stop, .. } = setting;
    let (file, origin) = (loaded.campaign, loaded.origin);
    let keys = file.keys();
    let aws = aws.with_keys(file.all_keys());
    let selection = Selection::new(&file, &loaded.exemptions, narrowed);
    let regions: Vec<String> =
        keys.iter().map(|(region, _)| region.to_owned()).filter(|region| selection.takes_region(region)).collect();
    if regions.is_empty() {
        return Err(CampaignError::NothingSelected("Region with a central key"));
    }
    let mut found = Preflight {
        organization: String::new(),
        caller: aws.caller().arn.clone(),
        started_at: now(),
        finished_at: now(),
        interrupted: false,
        checks: Vec::new(),
        keys: Vec::new(),
        accounts: Vec::new(),
    };
    found.checks.push(environment::check(&aws.environment().await));
    let listed = {
        let looking = organization::look(&aws, &file, &selection, &mut found);
        stop.run_until_cancelled(looking).await.transpose()?.flatten()
    };
    if let Some((organization, listed, accounts)) = listed {
        let id = new_id_of("preflight");
        events.emit(&Event::RunStarted {
            run: id.clone(),
            kind: "preflight",
            organization: organization.id.clone(),
            campaign_file: origin,
        });
        events.emit(&Event::AccountsFound { accounts: accounts.len() });
        found.checks.extend(clock_check());
        let sharing = organization::sharing(&file, &accounts);
        // Where the document cannot reach the accounts, there is no use in asking each of them for it.
        let refused = sharing.as_ref().is_some_and(|check| check.standing == Standing::Failed);
        found.checks.extend(sharing);
        found.checks.extend(waves::waves(&file, &listed, &accounts));
        found.checks.extend(waves::commands(&file.waves));
        let accounts = if refused { Vec::new() } else { accounts };
        let reading = Controls::read(&aws, &file, &organization, &listed, &accounts);
        let controls = match stop.run_until_cancelled(reading).await {
            Some(Ok(controls)) => {
                found.checks.extend(controls.slow());
                Some(controls)
            }
            Some(Err(check)) => {
                found.checks.push(check);
                None
            }
            None => None,
        };
        let proofs = KeyProofs::new(aws.clone(), organization.id.clone(), events.clone());
        let session_name = format!("{SESSION_PREFIX}{id}");
        let members = listed.iter().map(|account| account.id.clone()).collect();
        let looks = file.waves.iter().filter(|wave| !wave.bake().is_zero() && wave.looks_for_denials());
        let looking = looks.map(|wave| wave.name.clone()).collect();
        let look = Arc::new(Look {
            aws,
            file,
            regions,
            proofs,
            organization: organization.id,
            members,
            controls,
            looking,
            events: events.clone(),
            session_name,
        });
        found.keys = look.central_keys().await;
        let at_once = look.file.limits.accounts;
        let mut looks = pin!(
            stream::iter(accounts)
                .take_until(stop.clone().cancelled_owned())
                .map(|account| {
                    let (look, stop) = (Arc::clone(&look), stop.clone());
                    let shown = account.clone();
                    let task =
                        tokio::spawn(async move { stop.run_until_cancelled(look.account_in_time(account)).await });
                    async move { (shown, task.await) }
                })
                .buffer_unordered(at_once)
        );
        while let Some((account, checks)) = looks.next().await {
            match checks {
                Ok(checks) => found.accounts.extend(checks),
                // The other accounts are checked all the same.
                Err(error) => {
                    let task = format!("the task that checked account {}", account.id);
                    let error = task_lost(&task, &error.to_string());
                    events.emit(&Event::Warning { message: error.to_string() });
                    found.accounts.push(unknown(&account, &error));
                }
            }
        }
        found.accounts.sort_by(|a, b| a.id.cmp(&b.id));
        document::compare(&mut found.accounts);
    }
    found.interrupted = stop.is_cancelled();
    found.finished_at = now();
    if let Some(message) = clock::strange_answer() {
        events.emit(&Event::Warning { message });
    }
    let state = if found.interrupted { "interrupted" } else { "finished" };
    events.emit(&Event::RunFinished { state });
    Ok(found)
}

/// A call that went wrong: what a rollout would meet too, or what could not be found out.
fn of_error(kind: CheckKind, error: &AwsError) -> Check {
    let standing = match classify(error) {
        FailureClass::Retryable | FailureClass::Organization => Standing::Unknown,
        FailureClass::Account | FailureClass::Bucket => Standing::Failed,
    };
    with_error(kind, standing, error)
}

/// The same, where what it means is known.
fn with_error(kind: CheckKind, standing: Standing, error: &AwsError) -> Check {
    Check {
        code: Some(error.code.clone()),
        denied_by: denial(error).map(|denial| denial.by),
        ..Check::new(kind, standing, error.message.clone()).fix(error.hint.clone())
    }
}

/// This machine's clock, where it is off by more than a minute.
fn clock_check() -> Option<Check> {
    let check = Check::new(CheckKind::Clock, Standing::Warning, clock::warning()?);
    let off = clock::seconds_off().unwrap_or_default();
    Some(check.fix("synchronize this machine's clock: `chronyc makestep`, or NTP").fact("seconds_off", off.to_string()))
}

/// An account of which nothing is known yet.
fn unentered(account: &Account) -> AccountChecks {
    AccountChecks {
        id: account.id.clone(),
        name: account.name.clone(),
        state: account.state.clone(),
        entered: false,
        skipped: false,
        checks: Vec::new(),
        regions: Vec::new(),
    }
}

/// An account of which nothing could be found out.
fn unknown(account: &Account, error: &AwsError) -> AccountChecks {
    AccountChecks { checks: vec![with_error(CheckKind::Account, Standing::Unknown, error)], ..unentered(account) }
}

/// How many places there are of each value.
fn tally<'a>(values: impl Iterator<Item = &'a str>) -> BTreeMap<&'a str, usize> {
    let mut counts = BTreeMap::new();
    for value in values {
        *counts.entry(value).or_default() += 1;
    }
    counts
}

/// The organization, all its accounts, and those in scope.
type Listed = Option<(Organization, Vec<Account>, Vec<Account>)>;

/// For [`discover::accounts`], whose other callers work with a ledger.
async fn accounts(aws: &Aws, selection: &Selection) -> Result<(Vec<Account>, Vec<Account>), CampaignError> {
    let (listed, accounts) = discover::accounts(aws, selection).await?;
    match accounts.is_empty() {
        true => Err(CampaignError::NothingSelected("account")),
        false => Ok((listed, accounts)),
    }
}
