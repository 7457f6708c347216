//! Plans: made by a read-only run, approved by a person, carried out by a rollout as they are.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::document::Document;
use super::reading::Reads;
use super::{ApprovedPlan, Campaign, CampaignError, Ending, Setting};
use crate::aws::{Organization, Purpose};
use crate::config::{BlockedTypesChoice, CampaignFile};
use crate::judge::guards::legacy_clients::NOTICE;
use crate::judge::guards::{self, Need};
use crate::ledger::{LedgerError, PLANS, PlanReference, check_runs, kept_plan};
use crate::model::{
    Account, AccountOutcome, AccountWarning, AwsError, BlockingPrincipal, Bucket, GuardFinding, Verdict, now,
};
use crate::plan::{
    AccountLimits, AccountWork, Content, Decision, Draft, Forecast, GuardReads, HashOf, IacSnippet, MOST_PRINCIPALS,
    PLAN_SCHEMA, PlanError, PlanFile, PlanHead, PlanWriter, PlannedBucket, PlannedDocument, PlannedKey,
    PlannedPrincipal, PlannedWarning, PlannedWave, UnreadAccount, Workload, forecast,
};

/// What a plan says of buckets is laid out in steps of so many.
const STEP: usize = 2000;

/// What a plan saw besides buckets: the document of each account and Region, and code for teams that own buckets as code.
#[derive(Default)]
pub(super) struct PlanDocuments {
    places: Mutex<BTreeMap<(String, String), PlannedDocument>>,
    code: Mutex<Vec<(Bucket, IacSnippet)>>,
    /// By account and ARN.
    principals: Mutex<BTreeMap<(String, String), PlannedPrincipal>>,
    warnings: Mutex<BTreeMap<(String, String), PlannedWarning>>,
    /// Why documents' own hashes could not be read, by code, with the hint and the number of places.
    aws_hash_faults: Mutex<BTreeMap<String, (String, u64)>>,
}

impl PlanDocuments {
    pub(super) fn note(&self, bucket: &Bucket, document: &Document, aws_hash: Result<Option<String>, AwsError>) {
        if let Err(error) = &aws_hash {
            let mut faults = self.aws_hash_faults.lock().unwrap_or_else(PoisonError::into_inner);
            faults.entry(error.code.clone()).or_insert_with(|| (error.hint.clone(), 0)).1 += 1;
        }
        let seen = PlannedDocument {
            name: document.reference.clone(),
            version: document.version.clone(),
            sha256: document.runbook.hash().to_owned(),
            hash_of: Some(HashOf::CanonicalJson),
            aws_hash: aws_hash.ok().flatten(),
            places: 1,
        };
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.insert((bucket.account.clone(), bucket.region.clone()), seen);
    }

    /// Counts the principals that hold a bucket back.
    pub(super) fn note_principals(&self, bucket: &Bucket, guards: &[GuardFinding]) {
        let holding = guards.iter().filter(|finding| finding.holds());
        let mut known = self.principals.lock().unwrap_or_else(PoisonError::into_inner);
        for blocking in holding.flat_map(|finding| &finding.principals) {
            let BlockingPrincipal { principal, lacks, why, fix } = blocking;
            let tally = known.entry((bucket.account.clone(), principal.clone())).or_insert_with(|| PlannedPrincipal {
                account: bucket.account.clone(),
                principal: principal.clone(),
                buckets: 0,
                lacks: Vec::new(),
                why: why.clone(),
                fixes: Vec::new(),
            });
            tally.buckets += 1;
            tally.lacks.extend(lacks.iter().filter(|lack| !tally.lacks.contains(lack)).cloned().collect::<Vec<_>>());
            if !tally.fixes.contains(fix) {
                tally.fixes.push(fix.clone());
            }
        }
    }

    /// Notes what is to be known of an account: once for each principal, whatever the number of Regions. Whether it is new.
    pub(super) fn warn(&self, account: &str, warning: AccountWarning) -> bool {
        let AccountWarning { principal, says, hint } = warning;
        let place = (account.to_owned(), principal.clone());
        let mut known = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        if known.contains_key(&place) {
            return false;
        }
        known.insert(place, PlannedWarning { account: account.to_owned(), principal, says, hint });
        true
    }

    /// The principals that hold the most buckets, and how many more there are.
    fn principals(&self) -> (Vec<PlannedPrincipal>, u64) {
        let known = std::mem::take(&mut *self.principals.lock().unwrap_or_else(PoisonError::into_inner));
        let mut all: Vec<PlannedPrincipal> = known.into_values().collect();
        all.sort_by_key(|principal| std::cmp::Reverse(principal.buckets));
        let more = all.len().saturating_sub(MOST_PRINCIPALS);
        all.truncate(MOST_PRINCIPALS);
        (all, more as u64)
    }

    /// What the plan says of documents whose own hash could not be read. Two plans of the same organization say the same.
    fn notices(&self) -> Vec<String> {
        let faults = self.aws_hash_faults.lock().unwrap_or_else(PoisonError::into_inner);
        let said = faults.iter().map(|(code, (hint, places))| {
            format!(
                "the hash that DescribeDocument shows (aws_hash) is not recorded for documents of {places} accounts and Regions: \
                 {code}. To record it, {hint}"
            )
        });
        said.collect()
    }

    pub(super) fn suggest(&self, bucket: &Bucket, snippet: IacSnippet) {
        self.code.lock().unwrap_or_else(PoisonError::into_inner).push((bucket.clone(), snippet));
    }

    /// The hash of the document in an account and Region.
    fn hash(&self, bucket: &Bucket) -> Option<String> {
        let places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.get(&(bucket.account.clone(), bucket.region.clone())).map(|document| document.sha256.clone())
    }

    /// Each document once, with the number of places that have it. The same name in two accounts is one document if it holds the
    /// same.
    fn documents(&self) -> Vec<PlannedDocument> {
        let mut found: Vec<PlannedDocument> = Vec::new();
        for place in self.places.lock().unwrap_or_else(PoisonError::into_inner).values() {
            let same = |one: &PlannedDocument| {
                one.name == place.name
                    && one.version == place.version
                    && one.sha256 == place.sha256
                    && one.aws_hash == place.aws_hash
            };
            match found.iter_mut().find(|one| same(one)) {
                Some(known) => known.places += 1,
                None => found.push(place.clone()),
            }
        }
        found.sort();
        found
    }
}

/// A plan that was written.
pub struct WrittenPlan {
    /// What it says of itself.
    pub head: PlanHead,
    /// SHA-256 of the file, in hex.
    pub sha256: String,
    /// What it will take.
    pub forecast: Forecast,
    /// Code for the teams that own buckets as code, by account and name.
    pub code: Vec<(Bucket, IacSnippet)>,
}

impl Campaign {
    /// Reads the organization, asks guards, and writes the plan to a file, which is made whole or not at all.
    pub async fn plan(self: &Arc<Self>, path: &Path) -> Result<(Ending, Option<WrittenPlan>), CampaignError> {
        let outcome = self.run_plan(path).await;
        self.closed(outcome).await
    }

    async fn run_plan(self: &Arc<Self>, path: &Path) -> Result<(Ending, Option<WrittenPlan>), CampaignError> {
        let halted = self.stop_when_halted();
        let Some(accounts) = self.discover().await? else {
            return Ok((self.finish(self.ending(None).await).await?, None));
        };
        self.recall_omissions()?;
        self.read_accounts(accounts.clone(), Purpose::Plan).await?;
        self.ledger.flush().await?;
        halted.abort();
        let ending = match self.ending(None).await {
            // A plan starts nothing, and that is all of it.
            Ending::DryRun => Ending::Finished,
            ending => ending,
        };
        if ending != Ending::Finished {
            // Half a plan would pass for a whole one.
            return Ok((self.finish(ending).await?, None));
        }
        let written = self.write_plan(&accounts, path).await?;
        self.ledger.plan_written(written.sha256.clone()).await?;
        Ok((self.finish(ending).await?, Some(written)))
    }

    async fn write_plan(&self, accounts: &[Account], path: &Path) -> Result<WrittenPlan, CampaignError> {
        let mut keys = Vec::new();
        for key in self.file.all_keys() {
            let fault = self.key_watch.fault(&key).await;
            keys.push(PlannedKey { region: key.region.clone(), arn: key.to_string(), fault });
        }
        let (head, forecast) = self.plan_head(accounts, keys)?;
        let unwritable =
            |error: std::io::Error| PlanError::Unwritable { path: path.to_owned(), why: error.to_string() };
        let mut draft = Draft::begin(path, Content::Plan)?;
        let mut writer = PlanWriter::begin(&mut draft, &head).map_err(unwritable)?;
        let (reader, run) = self.reader()?;
        reader.each_bucket::<CampaignError>(&run, |open| {
            let (bucket, state) = (open.bucket, open.state);
            let decision = Decision::of(state.judgement.verdict);
            let rule = match decision {
                Decision::Change => {
                    self.wanted(&bucket).zip(state.encryption.as_ref()).map(|(wanted, found)| wanted.rule(found))
                }
                _ => None,
            };
            let document_sha256 = match decision {
                Decision::Change => self.plan_documents.hash(&bucket),
                _ => None,
            };
            let planned = PlannedBucket {
                account: bucket.account,
                region: bucket.region,
                bucket: bucket.name,
                decision,
                verdict: state.judgement.verdict,
                reason: state.judgement.reason,
                observed: state.judgement.observed,
                why: state.judgement.reason.says().to_owned(),
                wave: state.wave.filter(|_| decision == Decision::Change),
                found: state.encryption,
                rule,
                document_sha256,
                guards: state.guards,
                guarded_at: state.guarded_at,
                exemption: state.exemption.map(|note| *note),
                error: state.error,
            };
            writer.bucket(&planned).map_err(|error| CampaignError::from(unwritable(error)))
        })?;
        let sha256 = writer.end().map_err(unwritable)?;
        draft.commit()?;
        let mut code = std::mem::take(&mut *self.plan_documents.code.lock().unwrap_or_else(PoisonError::into_inner));
        code.sort_by(|(one, _), (other, _)| (&one.account, &one.name).cmp(&(&other.account, &other.name)));
        Ok(WrittenPlan { head, sha256, forecast, code })
    }

    fn plan_head(&self, accounts: &[Account], keys: Vec<PlannedKey>) -> Result<(PlanHead, Forecast), CampaignError> {
        let (reader, run) = self.reader()?;
        let binding = reader.binding()?;
        let to_change = reader.to_change(&run)?;
        let waves = (1..).zip(self.file.waves()).map(|(number, wave)| {
            let of_wave = to_change.iter().filter(|(_, of, _, _)| *of == number);
            let mut accounts: Vec<&str> = of_wave.clone().map(|(account, ..)| account.as_str()).collect();
            accounts.dedup();
            PlannedWave {
                number,
                name: wave.name.clone(),
                accounts: accounts.len() as u64,
                buckets: of_wave.map(|(.., buckets)| buckets).sum(),
                bake: wave.bake().as_secs(),
                approval: wave.approval,
            }
        });
        let mut decisions = BTreeMap::new();
        for count in reader.reasons(&run)? {
            *decisions.entry(Decision::of(count.verdict).as_str().to_owned()).or_default() += count.buckets;
        }
        let mut unread_accounts = Vec::new();
        reader.each_account::<LedgerError>(&run, |account| {
            if account.outcome == AccountOutcome::Unread {
                unread_accounts.push(UnreadAccount { id: account.id, name: account.name, error: account.error });
            }
            Ok(())
        })?;
        let organization_accounts =
            self.population.get().map_or(0, |population| population.organization.accounts.len());
        let control_policies = self.controls.requests();
        let work = Work { file: &self.file, accounts, to_change: &to_change, organization_accounts, control_policies };
        let mut assumed = self.file.forecast.clone();
        // What executions took here before is worth more than an assumption.
        let measured = reader.execution_seconds()?.filter(|seconds| *seconds > 0.0);
        assumed.execution_seconds = measured.unwrap_or(assumed.execution_seconds);
        let forecast = forecast(&work.load(&reader.buckets_by_account(&run)?, &keys), &assumed);
        let (blocking_principals, more_blocking_principals) = self.plan_documents.principals();
        let account_warnings =
            std::mem::take(&mut *self.plan_documents.warnings.lock().unwrap_or_else(PoisonError::into_inner));
        let head = PlanHead {
            schema: PLAN_SCHEMA.to_owned(),
            id: self.id.clone(),
            created_at: run.started_at,
            organization: binding.organization,
            partition: binding.partition,
            endpoint: binding.endpoint,
            caller: run.caller.clone(),
            version: run.version.clone(),
            campaign_file_sha256: self.config_hash.clone(),
            exemptions_sha256: (!self.exemptions.exemption.is_empty()).then(|| self.exemptions.hash()),
            selection: run.selection.clone(),
            narrowed: self.narrowed.clone(),
            target: self.file.target(),
            keys,
            documents: self.plan_documents.documents(),
            waves: waves.collect(),
            decisions,
            forecast: serde_json::to_value(&forecast).map_err(|error| CampaignError::Task(error.to_string()))?,
            execution_seconds: assumed.execution_seconds,
            execution_seconds_measured: measured.is_some(),
            notices: self.notices(),
            unread_accounts,
            blocking_principals,
            more_blocking_principals,
            account_warnings: account_warnings.into_values().collect(),
        };
        Ok((head, forecast))
    }

    /// What whoever approves the plan must know beyond its buckets.
    fn notices(&self) -> Vec<String> {
        let mut notices: Vec<String> = std::iter::once(NOTICE.to_owned()).chain(self.warnings.all()).collect();
        notices.extend(self.plan_documents.notices());
        if self.file.encryption.blocked_types == BlockedTypesChoice::Prove {
            notices.push(
                "encryption.blocked_types = \"prove\": where a document omits BlockedEncryptionTypes, one bucket in each Region may \
                 lose its SSE-C block; it is reported with the command that sets it again, and everything else there is held"
                    .to_owned(),
            );
        }
        notices
    }

    /// SHA-256 of the approved plan that is carried out, in hex.
    #[must_use]
    pub fn plan_sha256(&self) -> Option<&str> {
        self.plan.as_ref().map(|plan| plan.sha256.as_str())
    }

    /// Lays the approved plan out in the ledger, for look-ups account by account.
    pub(super) async fn lay_out(&self, plan: &PlanFile) -> Result<(), CampaignError> {
        let mut step = Vec::with_capacity(STEP);
        self.ledger.clear_plan().await?;
        for bucket in plan.buckets()? {
            let bucket = bucket?;
            let entry = serde_json::to_string(&bucket).map_err(|error| CampaignError::Task(error.to_string()))?;
            step.push((bucket.account, bucket.bucket, entry));
            if step.len() == STEP {
                self.ledger.lay_out_plan(std::mem::take(&mut step)).await?;
            }
        }
        self.ledger.lay_out_plan(step).await?;
        self.ledger.complete_plan().await?;
        Ok(())
    }

    /// What the approved plan would change and this run does not: gone, unread, sealed by somebody else, or different.
    /// Accounts that are still being read are left out.
    pub(super) fn differences_from_plan(
        &self,
        plan: &PlanFile,
        late: Option<&Reads>,
    ) -> Result<Vec<String>, CampaignError> {
        let (reader, run) = self.reader()?;
        let mut kinds: BTreeMap<String, (u64, Vec<String>)> = BTreeMap::new();
        let mut account = (String::new(), BTreeMap::new());
        let mut own = HashSet::new();
        for planned in plan.buckets()? {
            let planned = planned?;
            let chosen = self.takes_account(&planned.account)
                && self.selection.takes_region(&planned.region)
                && self.selection.takes_bucket(&planned.bucket);
            if planned.decision != Decision::Change || !chosen || late.is_some_and(|late| late.reads(&planned.account))
            {
                continue;
            }
            if account.0 != planned.account {
                account = (planned.account.clone(), reader.verdicts_of(&run, &planned.account)?);
                own = reader.sealed_by(&run, &planned.account)?;
            }
            let kind = match account.1.get(&planned.bucket) {
                None => "cannot be found any more, or its account could not be read".to_owned(),
                Some((Verdict::NotSealed, _)) => continue,
                // Sealed by this campaign before it was resumed: as planned, and no difference.
                Some((Verdict::Sealed, _)) if own.contains(&planned.bucket) => continue,
                Some((Verdict::Sealed, _)) => "sealed already".to_owned(),
                Some((_, reason)) => reason.says().to_owned(),
            };
            let (count, some) = kinds.entry(kind).or_default();
            *count += 1;
            if some.len() < 3 {
                some.push(planned.bucket);
            }
        }
        Ok(kinds
            .into_iter()
            .map(|(kind, (count, some))| {
                let more = if count > some.len() as u64 { ", …" } else { "" };
                format!("{count} left out of the plan ({}{more}): {kind}", some.join(", "))
            })
            .collect())
    }
}

/// What a forecast is made of.
struct Work<'a> {
    file: &'a CampaignFile,
    accounts: &'a [Account],
    to_change: &'a [(String, u32, String, u64)],
    organization_accounts: usize,
    /// What reading the control policies took for the plan.
    control_policies: usize,
}

impl Work<'_> {
    fn load(&self, buckets: &std::collections::HashMap<String, u64>, keys: &[PlannedKey]) -> Workload {
        let needs = guards::needs(|guard| self.file.guards.ruling_elsewhere(guard));
        let of_account = |need: &&Need| {
            matches!(need, Need::Identities | Need::AccountPublicAccessBlock | Need::KeyPolicy | Need::ControlPolicies)
        };
        let mut to_change: BTreeMap<&str, BTreeMap<u32, BTreeMap<String, usize>>> = BTreeMap::new();
        for (account, wave, region, count) in self.to_change {
            let regions = to_change.entry(account).or_default().entry(*wave).or_default();
            regions.insert(region.clone(), usize::try_from(*count).unwrap_or(usize::MAX));
        }
        let mut accounts = Vec::new();
        for account in self.accounts {
            let waves = to_change.remove(account.id.as_str()).unwrap_or_default();
            let limits = AccountLimits::of(account, &self.file.limits);
            let all = buckets.get(&account.id).map_or(0, |count| usize::try_from(*count).unwrap_or(usize::MAX));
            let work = |wave: u32, read: Option<usize>, to_change| AccountWork {
                id: account.id.clone(),
                limits,
                is_read: read.is_some(),
                buckets: read.unwrap_or(0),
                to_change,
                wave: wave.saturating_sub(1) as usize,
            };
            if waves.is_empty() {
                accounts.push(work(1, Some(all), BTreeMap::new()));
            }
            // An account of several waves is read once.
            let mut unread = Some(all);
            for (wave, regions) in waves {
                accounts.push(work(wave, unread.take(), regions));
            }
        }
        Workload {
            organization_accounts: self.organization_accounts,
            accounts_at_once: self.file.limits.accounts,
            accounts,
            bakes: self.file.waves().iter().map(|wave| wave.bake() + self.file.settle_of(wave)).collect(),
            lookups_per_bake: 1,
            guards: GuardReads {
                per_bucket: needs.iter().filter(|need| !of_account(need)).count(),
                per_account: usize::from(needs.contains(&Need::AccountPublicAccessBlock)),
                identity_pages: usize::from(needs.contains(&Need::Identities)),
                key_policies: needs.contains(&Need::KeyPolicy),
                control_policies: self.control_policies,
                max_age: self.file.guards.max_age(),
                proofs: if self.file.keys.prove { 2 } else { 0 },
            },
            key_account: keys.first().and_then(|key| key.arn.split(':').nth(4)).unwrap_or_default().to_owned(),
            keys: keys.len(),
            bucket_key: self.file.encryption.bucket_key,
            key_checked_every: self.file.executions.key_checked_every(),
        }
    }
}

/// Checks that a plan is the approved one and may be carried out here and now, and keeps a copy of it in the state folder.
pub(super) fn accept(
    plan: &ApprovedPlan,
    setting: &Setting,
    organization: &Organization,
    folder: &Path,
) -> Result<(PlanFile, PlanReference), CampaignError> {
    let head = &plan.file.head;
    let other = |wanted: &str| CampaignError::OtherPlan {
        plan: head.id.clone(),
        found: plan.file.sha256.clone(),
        wanted: wanted.to_owned(),
    };
    let known = match crate::ledger::Reader::open(folder) {
        Ok(reader) => {
            // An edited row would approve another plan.
            if let Ok(made) = reader.run(&head.id) {
                check_runs(folder, &[made], &setting.checked)?;
            }
            reader.plan_hash(&head.id)?
        }
        Err(LedgerError::Missing { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    for wanted in [plan.sha256.as_deref(), known.as_deref()].into_iter().flatten() {
        if !wanted.eq_ignore_ascii_case(&plan.file.sha256) {
            return Err(other(wanted));
        }
    }
    if plan.sha256.is_none() && known.is_none() {
        return Err(CampaignError::UnknownPlan(head.id.clone()));
    }
    let caller = setting.aws.caller();
    let pairs = [
        ("organization", &head.organization, &organization.id),
        ("partition", &head.partition, &caller.partition),
        ("endpoint", &head.endpoint, &setting.aws.binding().to_owned()),
    ];
    for (what, made_for, this) in pairs {
        if made_for != this {
            return Err(CampaignError::PlanOfOther {
                plan: head.id.clone(),
                made_for: format!("{what} {made_for}"),
                this: format!("{what} {this}"),
            });
        }
    }
    let settings = crate::config::differences(&head.target, &setting.loaded.campaign.target());
    if !settings.is_empty() {
        return Err(CampaignError::PlanOfOtherSettings { plan: head.id.clone(), settings });
    }
    let age = now().as_millisecond() - head.created_at.as_millisecond();
    let limit = setting.loaded.campaign.plan.max_age();
    // One from the future was made by a clock that nobody can check: its age, and whether it still holds, is not known.
    if age < -LARGEST_SKEW_MS {
        let ahead = words(Duration::from_millis(age.unsigned_abs()));
        return Err(CampaignError::PlanFromFuture { plan: head.id.clone(), created_at: head.created_at, ahead });
    }
    if age > i64::try_from(limit.as_millis()).unwrap_or(i64::MAX) {
        let age = Duration::from_millis(u64::try_from(age).unwrap_or(0));
        return Err(CampaignError::PlanTooOld { plan: head.id.clone(), age: words(age), limit: words(limit) });
    }
    let kept = plan.file.keep(&folder.join(PLANS))?;
    let approver = plan.approver.clone().unwrap_or_else(|| caller.arn.clone());
    let reference = PlanReference { id: head.id.clone(), sha256: kept.sha256.clone(), approver };
    Ok((kept, reference))
}

/// The plan that a rollout began with, as it was kept.
pub(super) fn kept(folder: &Path, plan: &PlanReference) -> Result<PlanFile, CampaignError> {
    let path = kept_plan(folder, &plan.sha256);
    let why = match PlanFile::open(&path) {
        Ok(file) if file.sha256 == plan.sha256 => return Ok(file),
        Ok(file) => format!("its sha256 is {}", file.sha256),
        Err(PlanError::Unreadable { why, .. } | PlanError::NoPlan { why, .. }) => why,
        Err(_) => "it was changed after it was made".to_owned(),
    };
    Err(CampaignError::KeptPlan { plan: plan.id.clone(), path, sha256: plan.sha256.clone(), why })
}

/// So much may two clocks differ, as in a signature for AWS.
const LARGEST_SKEW_MS: i64 = 300_000;

fn words(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}
