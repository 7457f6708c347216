//! What a run is about to do, counted from the ledger, for the person who is asked.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::decide::{DocumentPreview, Part, Preview, RegionPreview, WavePreview};
use super::place::calls;
use super::read::Entered;
use super::{Campaign, CampaignError};
use crate::aws::Session;
use crate::event::ChangeWork;
use crate::ledger::{AccountWork, LedgerError, Scope};
use crate::model::{Account, AccountOutcome, KeyArn, Operation, Verdict};
use crate::plan::AccountLimits;

/// How many accounts and buckets of a kind are named before the list is cut.
const NAMED: usize = 5;
/// How many unknown accounts are named: the person who confirms must know them.
const NAMED_UNKNOWN: usize = 20;

/// Buckets to start on, by account and Region.
type Places = Vec<(String, String, u64)>;

impl Campaign {
    /// What there is to do, and whether each Region's key can serve (`DescribeKey` once per Region). Where a person `asks`, the
    /// document of each Region is read in one account (`GetDocument`).
    pub(super) async fn preview(
        &self,
        asks: bool,
        entered: &[Entered],
        accounts: &[Account],
    ) -> Result<Preview, CampaignError> {
        let scope = self.scope();
        let waves = self.preview_waves()?;
        let until = self.options.until_wave.filter(|_| !waves.is_empty());
        let (work, later) = match until {
            None => (self.work_of(None)?, Part::default()),
            Some(last) => {
                let now: Vec<u32> = waves.iter().map(|wave| wave.number).filter(|number| *number <= last).collect();
                let then: Vec<u32> = waves.iter().map(|wave| wave.number).filter(|number| *number > last).collect();
                (self.work_of_waves(&now)?, part(&self.work_of_waves(&then)?))
            }
        };
        let (reader, run) = self.reader()?;
        let places = match until.is_some() || (self.resumed && !self.narrowed.is_empty()) {
            true => self.places_of(&work, scope, until)?,
            false => reader.regions_to_change(&run, scope)?,
        };
        let (summary, in_flight) = (reader.summary(&run)?, reader.in_flight(&run)?);
        let mut selection = vec![run.selection.clone()];
        if self.resumed {
            selection.push(self.narrowed.in_words());
        }
        selection.retain(|part| !part.is_empty());
        let selection = selection.join("; of these only ");
        let mut unknown_accounts = Vec::new();
        reader.each_account::<LedgerError>(&run, |account| {
            if account.outcome == AccountOutcome::Unread && unknown_accounts.len() < NAMED_UNKNOWN {
                unknown_accounts.push(format!("{} {}", account.id, account.name).trim_end().to_owned());
            }
            Ok(())
        })?;
        let named = |verdict| reader.first_with(&run, verdict, NAMED);
        let (held, exempt) = (named(Verdict::Held)?, named(Verdict::Exempt)?);
        drop(reader);
        let regions = self.preview_regions(&places).await;
        let documents = match asks {
            true => self.preview_documents(entered, accounts, &places).await,
            false => Vec::new(),
        };
        let buckets = regions.iter().filter(|region| region.fault.is_none()).map(|region| region.buckets).sum();
        Ok(Preview {
            operation: self.operation,
            undoes: self.parent.clone(),
            only_wave: self.only_wave,
            selection,
            resumed: self.resumed,
            summary,
            buckets,
            in_flight,
            accounts: work.len(),
            until_wave: until,
            later,
            regions,
            waves,
            unknown_accounts,
            held,
            exempt,
            plan: self.plan.as_ref().map(|plan| plan.head.id.clone()),
            document: self.file.document.name(self.operation).to_owned(),
            documents,
        })
    }

    fn preview_waves(&self) -> Result<Vec<WavePreview>, CampaignError> {
        if self.operation != Operation::Seal || self.file.waves.is_empty() {
            return Ok(Vec::new());
        }
        let waves = (1..).zip(&self.file.waves).map(|(number, wave)| {
            let work = part(&self.work_of(Some(number))?);
            Ok(WavePreview {
                number,
                name: wave.name.clone(),
                buckets: work.buckets,
                accounts: work.accounts,
                bake: wave.bake(),
                approval: wave.approval,
            })
        });
        waves.collect()
    }

    /// What there is to do in some waves, by account: an account may have buckets in several.
    fn work_of_waves(&self, waves: &[u32]) -> Result<Vec<AccountWork>, CampaignError> {
        let mut buckets = BTreeMap::<String, u64>::new();
        for wave in waves {
            for work in self.work_of(Some(*wave))? {
                *buckets.entry(work.account).or_default() += work.buckets;
            }
        }
        Ok(buckets.into_iter().map(|(account, buckets)| AccountWork { account, buckets }).collect())
    }

    /// What this process does with the buckets that it works on, in one wave or in all.
    pub(super) fn change_work(&self, work: &[AccountWork], wave: Option<u32>) -> Result<ChangeWork, CampaignError> {
        let (reader, run) = self.reader()?;
        let scope = self.scope();
        let mut counted = ChangeWork::default();
        if self.resumed && !self.narrowed.is_empty() {
            for account in work {
                for open in reader.open_buckets(&run, &account.account, scope, wave)? {
                    if self.takes(&open) {
                        let flies = super::place::in_flight(open.state.phase);
                        counted.count(flies, Some(open.state.judgement.verdict), 1);
                    }
                }
            }
        } else {
            counted = reader.change_work(&run, scope, wave)?;
        }
        Ok(ChangeWork { dry_run: self.options.dry_run, ..counted })
    }

    /// How many buckets this process has to start on, by account and Region, where it does not take all that is open.
    fn places_of(&self, work: &[AccountWork], scope: Scope, until: Option<u32>) -> Result<Places, CampaignError> {
        let (reader, run) = self.reader()?;
        let mut places = BTreeMap::<(String, String), u64>::new();
        for account in work {
            let mut open = reader.open_buckets(&run, &account.account, scope, None)?;
            open.retain(|open| {
                let in_time = until.is_none_or(|last| open.state.wave.unwrap_or(1) <= last);
                in_time && self.takes(open) && !super::place::in_flight(open.state.phase)
            });
            for open in open {
                *places.entry((open.bucket.account, open.bucket.region)).or_default() += 1;
            }
        }
        Ok(places.into_iter().map(|((account, region), buckets)| (account, region, buckets)).collect())
    }

    async fn preview_regions(&self, places: &Places) -> Vec<RegionPreview> {
        let mut by_key: BTreeMap<(String, Option<KeyArn>), u64> = BTreeMap::new();
        for (account, region, buckets) in places {
            let key = match self.operation {
                Operation::Restore => None,
                Operation::Seal => match self.key_of(account, region) {
                    Some(key) => Some(key),
                    None => continue,
                },
            };
            *by_key.entry((region.clone(), key)).or_default() += buckets;
        }
        let mut shown = Vec::new();
        for ((region, key), buckets) in by_key {
            let fault = match &key {
                Some(key) => self.key_watch.fault(key).await,
                None => None,
            };
            shown.push(RegionPreview { region, key: key.map(|key| key.to_string()), buckets, fault });
        }
        shown
    }

    /// The document of each Region, as the first account that has it shows it. Accounts that have another one are found when
    /// their turn comes: each document is read again before its first start.
    async fn preview_documents(
        &self,
        entered: &[Entered],
        accounts: &[Account],
        places: &Places,
    ) -> Vec<DocumentPreview> {
        let mut documents = BTreeMap::<(String, String), BTreeSet<String>>::new();
        let mut seen = BTreeSet::new();
        // A resumed run read no accounts: one session per account that has to show a document.
        let mut sessions: HashMap<&str, Option<Session>> =
            entered.iter().map(|entered| (entered.account.id.as_str(), Some(entered.session.clone()))).collect();
        for (id, region, _) in places {
            let Some(account) = accounts.iter().find(|account| account.id == *id) else { continue };
            if seen.contains(region) {
                continue;
            }
            if !sessions.contains_key(id.as_str()) {
                let role = &self.file.member_role;
                let session = self.aws.enter(id, role, self.purpose(), &self.session_name()).await;
                sessions.insert(id, session.ok());
            }
            let Some(Some(session)) = sessions.get(id.as_str()) else { continue };
            let member = self.aws.member(session, calls(AccountLimits::of(account, &self.file.limits)));
            // Why it cannot be read is told of each bucket that it holds back.
            if let Ok(document) = self.document(&member.ssm(region), region).await {
                seen.insert(region.clone());
                let hash = document.runbook.hash().to_owned();
                documents.entry((document.version, hash)).or_default().insert(region.clone());
            }
        }
        let list = |((version, sha256), regions): (_, BTreeSet<String>)| DocumentPreview {
            version,
            sha256,
            regions: regions.into_iter().collect(),
        };
        documents.into_iter().map(list).collect()
    }
}

fn part(work: &[AccountWork]) -> Part {
    Part { buckets: work.iter().map(|account| account.buckets).sum(), accounts: work.len() }
}
